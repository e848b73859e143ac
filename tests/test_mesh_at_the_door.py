"""A mesh that `run` would refuse is refused when it is added, in the same words, and the twin stays as it was."""

import meshio
import numpy as np
import pytest
from ellipsoid_heart import ellipsoid_heart

from cardiotwin import presets
from cardiotwin.anatomy.mesh_anatomy import heart_of, take_in
from cardiotwin.errors import CardioTwinError, InputRejected, QualityGate
from cardiotwin.meshes.tetrahedra import oriented, stuff
from cardiotwin.settings import MeshFileSettings, MeshSettings
from cardiotwin.twin.twin import Twin

RAS, MIRROR = np.array([-1.0, -1.0, 1.0]), np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def heart():
    return ellipsoid_heart(3.0)


def twin(folder, model="modified_mitchell_schaeffer", **about):
    settings = presets.preset("default")
    settings = settings.model_copy(
        update={
            "mesh_file": MeshFileSettings(**about),
            "tissue": settings.tissue.model_copy(update={"cell_model": model}),
        }
    )
    return Twin.create(folder / "case", presets.settings_text(settings, "test"))


def written(folder, points, tets, **cells):
    cells = {key: [np.asarray(values)] for key, values in cells.items()}
    meshio.write(folder / "mine.vtu", meshio.Mesh(points, [("tetra", oriented(points, tets))], {}, cells))
    return folder / "mine.vtu"


def words_of_run(path, about, model):
    with pytest.raises(CardioTwinError) as no:
        heart_of(take_in(path), about, MeshSettings(), cell_model=model, velocity_cross=0.3)
    return str(no.value)


@pytest.mark.parametrize(
    ("axes", "model", "kind", "code"),
    [
        (MIRROR, "modified_mitchell_schaeffer", InputRejected, 3),
        (RAS, "modified_mitchell_schaeffer", InputRejected, 3),
        (np.ones(3), "ten_tusscher_2006", QualityGate, 4),
    ],
)
def test_what_run_would_refuse_is_refused_at_once(heart, tmp_path, axes, model, kind, code):
    path, case = written(tmp_path, heart.mesh.points * axes, heart.mesh.tets), twin(tmp_path, model)
    with pytest.raises(kind) as no:
        case.add([path])
    assert no.value.exit_code == code
    assert str(no.value) == words_of_run(path, MeshFileSettings(), model)
    assert not case.status().observations


def test_what_the_settings_let_pass_is_taken_and_told(heart, tmp_path):
    path = written(tmp_path, heart.mesh.points * RAS, heart.mesh.tets)
    added = twin(tmp_path, "ten_tusscher_2006", frame="ras", allow_coarse=True).add([path])
    assert [one.kind for one in added.observations] == ["mesh"]
    assert sum("too coarse for the velocity asked for" in note for note in added.notes) == 1


def test_a_mesh_full_of_blood_is_refused_with_the_regions_it_could_be(tmp_path):
    def ball(points):
        return 45.0 - np.linalg.norm(points, axis=1)

    mesh = stuff(ball, [-45] * 3, [45] * 3, 6.0)
    region = np.where(ball(mesh.centroids) > 12.0, 8, 1)
    path = written(tmp_path, mesh.points, mesh.tets, region=region)
    with pytest.raises(QualityGate, match=r"no cavity.*region of `region` \(1, 8\) is blood.*left_out_regions"):
        twin(tmp_path).add([path])
