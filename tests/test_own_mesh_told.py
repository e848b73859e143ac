"""What a mesh of the user's keeps and what its settings let pass stands in the report, not only where it is made."""

from dataclasses import replace

import meshio
import numpy as np
import pytest
from ellipsoid_heart import ellipsoid_heart

from cardiotwin.errors import QualityGate
from cardiotwin.heart import LEFT
from cardiotwin.mesh_anatomy import heart_of, take_in
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.pictures.content import angle, fibres_picture
from cardiotwin.report.uncertain import what_is_uncertain
from cardiotwin.settings import MeshFileSettings, MeshSettings
from cardiotwin.study import Study

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


def test_what_allow_coarse_lets_pass_is_told_with_the_figure_of_the_refusal(heart, tmp_path):
    given = written(tmp_path, heart)
    with pytest.raises(QualityGate) as refused:
        made(given, MeshFileSettings(), "ten_tusscher_2006")
    (note,) = made(given, COARSE, "ten_tusscher_2006").notes
    figure = str(refused.value).removeprefix("mesh: ").split("; expected")[0].split(" Remesh")[0].rstrip(".")
    assert figure in note
    assert "Remesh" not in note
    assert made(given).notes == ()  # fine enough for the wider front


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
