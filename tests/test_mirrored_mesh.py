"""A mesh that is mirrored, or in another frame than it is taken to be, is refused before anything is computed on it."""

import numpy as np
import pytest
from data_folder import real_data
from ellipsoid_heart import ellipsoid_heart

from cardiotwin.anatomy.mesh_anatomy import UserMesh, heart_of
from cardiotwin.errors import InputRejected
from cardiotwin.ingest.anatomy import check_mesh_not_mirrored
from cardiotwin.meshes.tetrahedra import oriented
from cardiotwin.settings import MeshFileSettings, MeshSettings

AXES = [(-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, -1)]
COARSE = MeshFileSettings(allow_coarse=True)


@pytest.fixture(scope="module")
def heart():
    return ellipsoid_heart(3.0)


def given(heart, turn=((1, 0, 0), (0, 1, 0), (0, 0, 1))):
    """The drawn heart as a user's mesh with named surfaces, in other axes."""
    points = heart.mesh.points @ np.asarray(turn, float).T
    surfaces = {name: heart.surface_nodes(tag) for name, tag in (("left", 2), ("right", 3), ("base", 4))}
    return UserMesh(
        points, oriented(points, heart.mesh.tets), "mm", heart.fibres @ np.asarray(turn, float).T, np.zeros((0, 3)),
        np.zeros(0, np.int64), "", **surfaces, notes=(),
    )  # fmt: skip


def made(mesh, **about):
    settings = COARSE.model_copy(update=about)
    return heart_of(mesh, settings, MeshSettings(), cell_model="modified_mitchell_schaeffer", velocity_cross=0.3)


def test_a_heart_where_hearts_lie_is_taken(heart):
    np.testing.assert_array_equal(made(given(heart)).mesh.points, heart.mesh.points)


@pytest.mark.parametrize("signs", AXES)
def test_a_mirrored_one_is_refused_with_what_was_found(heart, signs):
    with pytest.raises(
        InputRejected, match=r"^mesh: found the apex towards .*mirrored or in another frame.*frame"
    ) as no:
        made(given(heart, np.diag(signs)))
    assert no.value.exit_code == 3
    assert "\n" not in str(no.value)


def test_one_in_ras_is_refused_until_that_is_said_and_then_lies_where_it_does_in_lps(heart):
    ras = given(heart, np.diag([-1, -1, 1]))
    with pytest.raises(InputRejected, match=r"under \[mesh_file\], set frame = "):
        made(ras)
    found, straight = made(ras, frame="ras"), made(given(heart))
    np.testing.assert_allclose(found.mesh.points, heart.mesh.points, atol=1e-12)
    np.testing.assert_allclose(np.abs((found.fibres * straight.fibres).sum(axis=1)), 1.0, atol=1e-9)


def test_one_in_no_frame_is_taken_when_the_user_says_so(heart):
    turned = given(heart, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    with pytest.raises(InputRejected):
        made(turned)
    assert len(made(turned, frame="any").mesh.tets) == len(heart.mesh.tets)


def test_a_left_ventricle_alone_is_judged_by_its_apex(heart):
    points = heart.mesh.points
    left, base = points[heart.surface_nodes(2)], points[heart.surface_nodes(4)]
    nothing = np.zeros((0, 3))
    assert np.isnan(check_mesh_not_mirrored(left, nothing, base))
    with pytest.raises(InputRejected, match="apex"):
        check_mesh_not_mirrored(left * [-1, -1, 1], nothing, base * [-1, -1, 1])


def test_a_real_heart_winds_the_right_way_and_its_mirror_images_the_wrong_one():
    """However they lie: planes at random, so that the pose alone could be that of a heart."""
    folder = real_data("heart_dti004", "geometric_data", "DTI004", "DTI004_coarse")
    nodes = np.loadtxt(folder / "DTI004_coarse_xyz.csv", delimiter=",") * 10
    left, right = (
        nodes[np.loadtxt(folder / f"DTI004_coarse_boundarynodefield_{side}endo.csv", delimiter=",").astype(int)]
        for side in ("lv", "rv")
    )
    surfaces = left, right, left[np.argsort(left @ [-1, 1, 1])[-200:]]
    assert check_mesh_not_mirrored(*surfaces) > 10
    rng = np.random.default_rng(5)
    for normal in [*np.eye(3), *rng.standard_normal((20, 3))]:
        mirror = np.eye(3) - 2 * np.outer(normal, normal) / (normal @ normal)
        with pytest.raises(InputRejected, match="mirrored"):
            check_mesh_not_mirrored(*(nodes @ mirror for nodes in surfaces))
