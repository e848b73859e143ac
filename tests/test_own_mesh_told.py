"""What a mesh of the user's keeps and what its settings let pass stands in the report, not only where it is made."""

import re
from dataclasses import replace

import meshio
import numpy as np
import pytest
from ellipsoid_heart import ellipsoid_heart

from cardiotwin.anatomy.mesh_anatomy import heart_of, take_in
from cardiotwin.anatomy.mesh_fineness import check_fineness, fineness
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY, LEFT
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.pictures.content import angle, fibres_picture, pictures
from cardiotwin.report.facts import report_facts
from cardiotwin.report.uncertain import what_is_uncertain
from cardiotwin.segmentation import MYOCARDIUM, Segmentation
from cardiotwin.settings import MeshFileSettings, MeshSettings
from cardiotwin.study import ObservationRecord, Provenance, Study

COARSE = MeshFileSettings(allow_coarse=True)


@pytest.fixture(scope="module")
def heart():
    return ellipsoid_heart(3.0)


def written(folder, heart, **cells):
    cell_data = {key: [np.asarray(values)] for key, values in cells.items()}
    meshio.write(folder / "mine.vtu", meshio.Mesh(heart.mesh.points, [("tetra", heart.mesh.tets)], {}, cell_data))
    return take_in(folder / "mine.vtu")


def made(given, about=COARSE, model="modified_mitchell_schaeffer"):
    return heart_of(given, about, MeshSettings(), cell_model=model, velocity_cross=0.3)


def said(heart, words):
    return any(words in sentence for sentence in what_is_uncertain(Study(heart)))


def test_fibres_of_the_file_are_not_called_a_rule(heart, tmp_path):
    given = written(tmp_path, heart, fibres=heart.fibres)
    assert "fibres as in the file: `fibres`, a direction at each tetrahedron; the rule is not used" in given.notes
    kept = made(given)
    assert said(kept, "as in the mesh that was given:")
    assert not said(kept, "from a rule")
    assert "as in the mesh that was given." in fibres_picture(kept).caption


def test_fibres_of_the_rule_are_called_so_and_filled_ones_counted(heart, tmp_path):
    assert said(made(written(tmp_path, heart)), "from a rule")
    holes = heart.fibres.copy()
    holes[:7] = 0.0
    filled = made(written(tmp_path, heart, fibres=holes))
    assert said(filled, f"but for 7 of {len(holes)} tetrahedra, filled by the rule")


@pytest.mark.parametrize(("unit", "mm"), [("in", 25.4), ("cm", 10.0), ("um", 1e-3)])
def test_the_unit_is_the_one_in_which_the_muscle_has_a_hearts_volume(heart, tmp_path, unit, mm):
    """Scaled to 150 mL: 4 inches across would also be a heart of 40 mm, of a sixteenth of the volume, in cm."""
    points = heart.mesh.points * np.cbrt(150.0 / (1e-3 * heart.mesh.volumes.sum()))
    meshio.write(tmp_path / "mine.vtu", meshio.Mesh(points / mm, [("tetra", heart.mesh.tets)]))
    given = take_in(tmp_path / "mine.vtu")
    assert given.unit == unit
    np.testing.assert_allclose(np.ptp(given.points, axis=0), np.ptp(points, axis=0), rtol=1e-6)
    (told,) = (note for note in given.notes if "coordinates taken as" in note)
    assert f"a heart in {unit} (150 mL)" in told
    assert ("set unit" in told) == (np.ptp(points, axis=0).max() / mm * {"in": 10.0, "cm": 25.4}.get(unit, 0) > 40)


def test_a_mesh_that_names_no_scar_is_not_called_imaging(heart):
    given = Provenance(observations=(ObservationRecord("ab" * 32, "mesh", "", "", "", ""),))
    bare = replace(heart, scar_assessable=False, tissue_class=np.full_like(heart.tissue_class, HEALTHY))
    said_of_it = what_is_uncertain(Study(bare, provenance=given))
    assert any("The mesh names no scar" in one for one in said_of_it)
    assert not any("from this imaging" in one for one in said_of_it)


@pytest.mark.parametrize(("codes", "bz_given", "core_given"), [
    ((CORE,), False, True), ((BORDER_ZONE,), True, False), ((CORE, BORDER_ZONE), True, True),
])  # fmt: skip
def test_tissue_that_nobody_gave_has_no_volume_and_table_and_picture_say_so_alike(heart, codes, bz_given, core_given):
    tissue = np.full_like(heart.tissue_class, HEALTHY)
    for place, code in enumerate(codes):
        tissue[500 * place : 500 * (place + 1)] = code
    study = Study(replace(heart, scar_assessable=True, tissue_class=tissue))
    facts = report_facts(study)["substrate"]
    assert (facts["border_zone_given"], facts["core_given"]) == (bz_given, core_given)
    _, border_zone, core = next(pictures(study)).palette.names
    assert (border_zone == "border zone: not given") != bz_given
    assert (core == "scar core: not given") != core_given


def test_scar_that_was_looked_for_and_not_found_is_none(heart):
    """Thresholds on a signal look for both."""
    signal = np.zeros((2, 3, 4), np.float32)
    segmentation = Segmentation(np.full((2, 3, 4), MYOCARDIUM, np.uint8), np.eye(4), signal, True, {})
    healthy = replace(heart, scar_assessable=True, tissue_class=np.full_like(heart.tissue_class, HEALTHY))
    study = Study(healthy, segmentation=segmentation)
    assert next(pictures(study)).palette.names[1:] == ("border zone: none", "scar core: none")
    assert study.was_looked_for(BORDER_ZONE)


def test_what_allow_coarse_lets_pass_is_told_with_the_figure_of_the_refusal(heart, tmp_path):
    given = written(tmp_path, heart)
    with pytest.raises(QualityGate) as refused:
        made(given, MeshFileSettings(), "ten_tusscher_2006")
    (note,) = made(given, COARSE, "ten_tusscher_2006").notes
    figure = str(refused.value).removeprefix("mesh: ").split("; expected")[0].split(" Remesh")[0].rstrip(".")
    assert figure in note
    assert "Remesh" not in note
    assert made(given).notes == ()  # fine enough for the wider front


def test_a_cell_model_that_would_do_is_named_with_its_setting_and_its_figure(heart, tmp_path):
    """What the refusal says to type is enough; where the model is that one already, it is not said."""
    given = written(tmp_path, heart)
    with pytest.raises(
        QualityGate, match=r'under \[tissue\], set cell_model = "(\w+)" .*; there (\d+) % off'
    ) as refused:
        made(given, MeshFileSettings(), "ten_tusscher_2006")
    model, percent = re.search(r'cell_model = "(\w+)".*there (\d+) %', str(refused.value)).groups()
    assert made(given, MeshFileSettings(), model).notes == ()
    assert int(percent) == round(100 * abs(fineness(heart.mesh, model, 0.3).velocity_error)) <= 25


def test_no_cell_model_is_named_that_would_not_do_either(heart):
    """A mesh of which a twentieth has edges twelve times as long stops that model's wave too."""
    points, tets = heart.mesh.points, heart.mesh.tets
    uneven = Mesh(np.vstack([points, 12.0 * points]), np.vstack([tets, tets[: len(tets) // 20] + len(points)]))
    with pytest.raises(QualityGate, match="allow_coarse") as refused:
        check_fineness(uneven, "ten_tusscher_2006", 0.3)
    assert "cell_model" not in str(refused.value)


def test_flat_tetrahedra_are_counted_and_a_small_angle_is_not_zero(heart):
    assert not said(heart, "dihedral angle below")
    points = heart.mesh.points.copy()
    a, b, c, d = heart.mesh.tets[0]
    middle = points[[a, b, c]].mean(axis=0)
    points[d] = middle + 1e-3 * (points[d] - middle)
    alone = Mesh(points[[a, b, c, d]], np.array([[0, 1, 2, 3]], np.int32))
    fields = {name: getattr(heart, name)[:1] for name in ("tissue_class", "ventricle", "fibres", "sheets", "normals")}
    assert said(replace(heart, mesh=alone, **fields), "1 of 1 tetrahedra have a dihedral angle below 5 degrees")
    assert [angle(one) for one in (0.0123, 0.4, 12.34)] == ["0.012", "0.4", "12.3"]


def test_a_left_ventricle_alone_is_told(heart):
    assert not said(heart, "no right ventricle")
    alone = replace(heart, ventricle=np.full_like(heart.ventricle, LEFT))
    assert said(alone, "septum was assumed on the patient's right")
