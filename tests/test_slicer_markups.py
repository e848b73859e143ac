"""What 3D Slicer saves of points, lines and curves becomes lesions, or electrodes where the labels say so."""

import json

import numpy as np
import pytest
from small_twin import CHEST_MM

from cardiotwin.errors import InputRejected
from cardiotwin.ingest import electrodes_and_notes, recognise
from cardiotwin.ingest.plan_files import read_plan
from cardiotwin.twin.observations import find

PLACES = [[1.5, -2.0, 3.0], [4.0, 5.0, -6.0], [7.0, 8.0, 9.0]]
COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
HEAD = f"# Markups fiducial file version = 4.13\n{{frame}}# columns = {COLUMNS}\n"


def markup(kind="Fiducial", places=PLACES, labels=None, **about):
    labels = labels or [f"F-{k}" for k in range(len(places))]
    points = [
        {"id": str(k), "label": label, "position": place, "positionStatus": "defined", "visibility": True}
        for k, (label, place) in enumerate(zip(labels, places, strict=True), 1)
    ]
    return {"type": kind, "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": points} | about


def saved(folder, *markups, name="F.mrk.json"):
    path = folder / name
    path.write_text(json.dumps({"@schema": "markups-schema-v1.0.3.json#", "markups": list(markups)}))
    return path


def point_list(folder, frame="# CoordinateSystem = LPS\n", labels="abc", places=PLACES):
    rows = [
        f"{k},{x},{y},{z},0,0,0,1,1,1,0,{label},,\n"
        for k, ((x, y, z), label) in enumerate(zip(places, labels, strict=True))
    ]
    path = folder / "F.fcsv"
    path.write_text(HEAD.format(frame=frame) + "".join(rows))
    return path


def test_points_lines_and_curves_are_lesions_of_their_kind(tmp_path):
    path = saved(tmp_path, markup(), markup("Line", PLACES[:2]), markup("Curve"), markup("ClosedCurve"))
    assert recognise(path) == "plan"
    plan = read_plan(path)
    assert [one.kind for one in plan.lesions] == ["point", "line", "line", "line"]
    for lesion, expected in zip(plan.lesions, (PLACES, PLACES[:2], PLACES, [*PLACES, PLACES[0]]), strict=True):
        assert np.array_equal(lesion.points_mm, expected)
        assert (lesion.radius_mm, lesion.depth_mm) == (5.0, 8.0)
    assert "3 points and 3 lines saved by 3D Slicer, in LPS, mm; radius 5 mm and depth 8 mm" in plan.note


def test_ras_is_turned_micrometres_are_scaled_and_lps_in_mm_is_what_is_not_said(tmp_path):
    turned = [[-1.5, 2.0, 3.0], [-4.0, -5.0, -6.0], [-7.0, -8.0, 9.0]]
    plan = read_plan(saved(tmp_path, markup(places=turned, coordinateSystem="RAS")))
    assert np.array_equal(plan.lesions[0].points_mm, PLACES)
    assert "in RAS, mm" in plan.note
    small = (1000 * np.array(PLACES)).tolist()
    with pytest.raises(InputRejected, match="at most 2000 mm"):
        read_plan(saved(tmp_path, markup(places=small)))
    small = (100 * np.array(PLACES)).tolist()
    plan = read_plan(saved(tmp_path, markup(places=small, coordinateUnits=["um", "UCUM", "micrometer"])))
    assert np.allclose(plan.lesions[0].points_mm, 0.1 * np.array(PLACES))
    bare = {"type": "Fiducial", "controlPoints": [{"position": place} for place in PLACES]}
    assert np.array_equal(read_plan(saved(tmp_path, bare)).lesions[0].points_mm, PLACES)


@pytest.mark.parametrize(
    ("frame", "sign"),
    [("# CoordinateSystem = LPS\n", 1), ("# CoordinateSystem = 1\n", 1), ("# CoordinateSystem = RAS\n", -1),
     ("# CoordinateSystem = 0\n", -1), ("", -1)],
)  # fmt: skip
def test_old_point_lists_are_in_the_frame_that_their_head_says_and_ras_without_one(tmp_path, frame, sign):
    path = point_list(tmp_path, frame)
    assert recognise(path) == "plan"
    (lesion,) = read_plan(path).lesions
    assert np.array_equal(lesion.points_mm, np.array(PLACES) * [sign, sign, 1])


def test_points_that_were_never_placed_and_other_markups_are_left_out_and_told(tmp_path):
    one = markup()
    one["controlPoints"][1] |= {"positionStatus": "undefined", "position": [0.0, 0.0, 0.0]}
    plan = read_plan(saved(tmp_path, one, markup("Plane"), markup("ROI")))
    assert np.array_equal(plan.lesions[0].points_mm, [PLACES[0], PLACES[2]])
    for words in ("1 point not placed, left out", "markup of kind Plane left out", "markup of kind ROI left out"):
        assert words in plan.note


def test_the_name_of_file_and_markup_which_may_be_a_patients_is_not_kept(tmp_path):
    plan = read_plan(saved(tmp_path, markup(name="Jane Doe"), name="Jane_Doe.mrk.json"))
    assert plan.name.startswith("imported lesions ")
    assert "Doe" not in plan.name + plan.note


def test_labels_that_are_electrodes_make_electrodes_from_one_list_or_several(tmp_path):
    names, places = list(CHEST_MM), [[float(x) for x in place] for place in CHEST_MM.values()]
    whole = saved(tmp_path, markup(labels=names, places=places))
    assert recognise(whole) == "electrodes"
    electrodes, notes = electrodes_and_notes(whole)
    assert electrodes.names == tuple(names)
    assert np.array_equal(electrodes.positions, places)
    assert electrodes.measured
    assert any("in LPS" in note for note in notes)
    parts = saved(
        tmp_path,
        markup(labels=names[:3], places=places[:3]),
        markup(labels=names[3:], places=places[3:]),
        name="b.mrk.json",
    )
    assert np.array_equal(electrodes_and_notes(parts)[0].positions, electrodes.positions)
    old = point_list(tmp_path, labels=[name.lower() for name in names], places=places)
    assert recognise(old) == "electrodes"
    (found,) = find(old)
    assert found.kind == "electrodes"
    assert found.source == "3D Slicer, 9 positions"


def test_electrodes_with_a_foreign_a_repeated_or_a_missing_label_are_refused(tmp_path):
    names, places = list(CHEST_MM), [[float(x) for x in place] for place in CHEST_MM.values()]
    for labels, told in (([*names[:8], "V7"], "found V7"), ([*names[:8], "V5"], "found V5")):
        with pytest.raises(InputRejected, match=told):
            electrodes_and_notes(saved(tmp_path, markup(labels=labels, places=places)))
    with pytest.raises(InputRejected, match="but not V6"):
        electrodes_and_notes(saved(tmp_path, markup(labels=names[:8], places=places[:8])))


def test_lesions_of_a_file_lie_where_find_says(tmp_path):
    (found,) = find(saved(tmp_path, markup()))
    assert (found.kind, found.source) == ("plan", f"plan '{found.name}', 3 lesion points")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "found no JSON"),
        ("{", "found no JSON"),
        ("[" * 100_000, "found no JSON"),
        ("[]", "no list `markups`"),
        ('{"markups": 5}', "no list `markups`"),
        ('{"markups": [5]}', "markup 1: found 5"),
        ('{"markups": []}', "no points that have been placed"),
        ('{"markups": [{"type": "Plane"}]}', "no points that have been placed"),
        ('{"markups": [{"type": "Fiducial"}]}', "no points that have been placed"),
        ('{"markups": [{"type": "Fiducial", "coordinateSystem": "IJK"}]}', "coordinateSystem: found IJK"),
        ('{"markups": [{"type": "Fiducial", "coordinateUnits": "inch"}]}', "coordinateUnits: found inch"),
        ('{"markups": [{"type": "Fiducial", "coordinateUnits": []}]}', "coordinateUnits"),
        ('{"markups": [{"type": "Fiducial", "controlPoints": "x"}]}', "controlPoints"),
        ('{"markups": [{"type": "Fiducial", "controlPoints": [{"position": [1, 2]}]}]}', "point 1: found [1, 2]"),
        ('{"markups": [{"type": "Fiducial", "controlPoints": [{"position": [1, NaN, 2]}]}]}', "point 1"),
        ('{"markups": [{"type": "Fiducial", "controlPoints": [{"position": [1, "2", 2]}]}]}', "point 1"),
        ('{"markups": [{"type": "Fiducial", "controlPoints": [{"position": [1, true, 2]}]}]}', "point 1"),
        ('{"markups": [{"type": "Fiducial", "controlPoints": [{"position": [1, 1e9, 2]}]}]}', "at most 2000 mm"),
        ('{"markups": [{"type": "Fiducial", "controlPoints": [{}]}]}', "point 1: found None"),
    ],
)
def test_what_is_no_markup_is_refused_in_one_line(tmp_path, content, told):
    path = tmp_path / "bad.mrk.json"
    path.write_text(content)
    with pytest.raises(InputRejected, match=r"bad\.mrk\.json") as refused:
        read_plan(path)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert recognise(path) == ("plan" if content else "unknown")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# CoordinateSystem = IJK\n0,1,2,3,0,0,0,1,1,1,0,F-1,,\n", "CoordinateSystem: found IJK"),
        ("# columns = id,a,b\n0,1,2\n", "columns: found id,a,b"),
        ("0,1,two,3,0,0,0,1,1,1,0,F-1,,\n", "point 1: found ['1', 'two', '3']"),
        ("0,1\n", "point 1"),
        ("# nothing\n", "no points that have been placed"),
    ],
)
def test_what_is_no_point_list_is_refused_in_one_line(tmp_path, text, told):
    path = tmp_path / "bad.fcsv"
    path.write_text(text)
    with pytest.raises(InputRejected, match=r"bad\.fcsv") as refused:
        read_plan(path)
    assert told in str(refused.value)


def test_more_points_or_bytes_than_any_plan_has_are_refused(tmp_path):
    with pytest.raises(InputRejected, match="2001 points"):
        read_plan(saved(tmp_path, markup(places=[[1.0, 2.0, 3.0]] * 2001)))
    huge = tmp_path / "huge.mrk.json"
    with huge.open("wb") as file:
        file.truncate(11 << 20)
    with pytest.raises(InputRejected, match="at most 10485760"):
        read_plan(huge)
