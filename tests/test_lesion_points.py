"""Lesion points that a mapping system exported become a plan, and what was taken for granted is said."""

import numpy as np
import pytest

from cardiotwin.errors import InputRejected
from cardiotwin.ingest import recognise
from cardiotwin.ingest.plan_files import read_plan
from cardiotwin.twin.observations import find

POINTS = np.array([[1.5, -2.0, 3.0], [4.0, 5.0, -6.0], [7.0, 8.0, 9.0]])


def csv(folder, text, name="lesions.csv"):
    path = folder / name
    path.write_text(text)
    return path


def cloud(folder, name, **data):
    pv = pytest.importorskip("pyvista")
    points = pv.PolyData(POINTS)
    for key, values in data.items():
        points.point_data[key] = np.asarray(values, float)
    points.save(folder / name)
    return folder / name


def test_points_of_a_csv_are_lps_in_mm_and_that_is_said(tmp_path):
    plan = read_plan(csv(tmp_path, "x,y,z,radius,power\n1.5,-2,3,4,30\n4,5,-6,4,30\n7,8,9,,25\n"))
    assert [(one.kind, one.radius_mm, one.depth_mm) for one in plan.lesions] == [("point", 4, 8), ("point", 5, 8)]
    assert np.array_equal(np.concatenate([one.points_mm for one in plan.lesions]), POINTS)
    for words in ("3 lesion points imported from CSV, taken as LPS, mm", "radius 5 mm where", "not used: power"):
        assert words in plan.note


@pytest.mark.parametrize("header", ["x_ras_mm;y_ras_mm;z_ras_mm", "r;a;s", "X (RAS mm);Y (RAS mm);Z (RAS mm)"])
def test_ras_is_turned_and_semicolons_part_decimal_commas(tmp_path, header):
    plan = read_plan(csv(tmp_path, header + ";depth_mm;completeness\n-1,5;2,0;3,0;6,5;0,8\n"))
    assert np.allclose(plan.lesions[0].points_mm, POINTS[:1])
    assert (plan.lesions[0].depth_mm, plan.lesions[0].completeness) == (6.5, 0.8)
    assert "taken as RAS" in plan.note


def test_one_name_is_the_plans_names_of_points_and_of_the_file_are_not(tmp_path):
    named = csv(tmp_path, "name,x,y,z,depth\nline 1,1,2,3,5\nline 1,4,5,6,5\n")
    assert read_plan(named).name == "line 1"
    other = read_plan(csv(tmp_path, "name,x,y,z,depth\nRF 1,1,2,3,5\nRF 2,4,5,6,5\n", "Jane_Doe.csv"))
    assert other.name.startswith("imported lesions ")
    assert "Doe" not in other.name + other.note


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x,y,z\n1,2,3\n4,five,6\n", "lesions.csv row 3, column y: found five; expected a finite number"),
        ("x,y,z\n1,2\n", "row 2, column z: found nothing"),
        ("x,y,z,radius\n1,2,3,50\n", "row 2, column radius: found 50; expected above 0, at most 20"),
        ("x,y,z,completeness\n1,2,3,0\n", "row 2, column completeness: found 0"),
        ("x,y,z\n1,2,99999\n", "row 2, column z: found 99999; expected at most 2000 mm"),
        ("x_cm,y_cm,z_cm\n1,2,3\n", "expected columns in mm"),
        ("x_ras,y_lps,z_lps\n1,2,3\n", "expected one frame"),
        ("x,y,z,depth,depth_mm\n1,2,3,4,5\n", "depth twice"),
        ("x,y\n1,2\n", "expected a header such as x_mm,y_mm,z_mm"),
        ("1,2,3\n4,5,6\n", "expected a header such as"),
        ("x,y,z\n", "found 0 rows below the header"),
    ],
)
def test_a_bad_row_is_named_with_its_column(tmp_path, text, told):
    with pytest.raises(InputRejected, match=r"lesions\.csv") as refused:
        read_plan(csv(tmp_path, text))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["lesions.vtp", "lesions.vtk"])
def test_points_of_polydata_are_lesions_with_the_sizes_they_carry(tmp_path, name):
    path = cloud(tmp_path, name, radius=[4, 4, 4], force=[10, 11, 12])
    assert recognise(path) == "plan"
    plan = read_plan(path)
    assert np.allclose(plan.lesions[0].points_mm, POINTS)
    assert plan.lesions[0].radius_mm == 4.0
    assert "not used: force" in plan.note


def test_a_size_out_of_range_is_refused_by_its_point(tmp_path):
    with pytest.raises(InputRejected, match=r"lesions\.vtp: point 2, radius: found -1"):
        read_plan(cloud(tmp_path, "lesions.vtp", radius=[4, -1, 4]))


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("x,y,z", "plan"),
        ("x_mm,y_mm,z_mm,name", "plan"),
        ("name,x,y,z,radius", "plan"),
        ("name,x_mm,y_mm,z_mm", "plan"),
        ("time,x,y,z", "unknown"),
        ("I,II,x,y,z", "csv_ecg"),
    ],
)
def test_lesion_points_are_told_from_electrodes_and_signals_by_their_header(tmp_path, header, kind):
    cells = ",".join("1" for _ in header.split(","))
    assert recognise(csv(tmp_path, f"{header}\n{cells}\n")) == kind


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ("P1,1,2,3\nP2,4,5,6\n", "plan"),
        ("my line,1,2,3\nmy line,4,5,6\n", "plan"),
        ("LA,1,2,3\nV9,4,5,6\n", "electrodes"),
        ("", "electrodes"),
    ],
)
def test_named_rows_are_electrodes_only_where_one_has_an_electrodes_name(tmp_path, rows, kind):
    file = csv(tmp_path, f"name,x_mm,y_mm,z_mm\n{rows}")
    assert recognise(file) == kind
    assert kind != "plan" or sum(len(one.points_mm) for one in read_plan(file).lesions) == 2


def test_what_was_taken_for_granted_is_told_when_it_is_added(tmp_path):
    (found,) = find(csv(tmp_path, "x,y,z\n1,2,3\n4,5,6\n"))
    assert found.kind == "plan"
    assert "2 lesion points" in found.source
    assert "taken as LPS, mm" in found.notes[0]
