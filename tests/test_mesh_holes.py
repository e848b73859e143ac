"""Holes drilled into a drawn heart are found where they are and as wide as they are; a whole heart has none."""

import meshio
import numpy as np
import pytest
from data_folder import real_data
from ellipsoid_heart import FRAME, ellipsoid_heart

from cardiotwin import presets
from cardiotwin.anatomy.mesh_anatomy import UserMesh, heart_of, judged, surface_nodes, take_in
from cardiotwin.anatomy.mesh_holes import check_holes
from cardiotwin.errors import MeshError
from cardiotwin.heart.heart import BASE, EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM
from cardiotwin.meshes.holes import holes
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.patches import boundary, patches
from cardiotwin.meshes.surfaces import largest_part, without_unused
from cardiotwin.meshes.tetrahedra import stuff
from cardiotwin.meshes.waist import parted
from cardiotwin.settings import MeshFileSettings, MeshSettings
from cardiotwin.twin.twin import Twin

NONE = np.zeros(0, np.int64)
WALLS = {
    "left": ((LV_ENDOCARDIUM, EPICARDIUM), lambda x: x < 0),
    "septum": ((LV_ENDOCARDIUM, RV_ENDOCARDIUM), lambda x: (x > 0) & (x < 34)),
    "right": ((RV_ENDOCARDIUM, EPICARDIUM), lambda x: x > 38),
}


@pytest.fixture(scope="module")
def mesh():
    return ellipsoid_heart(2.0).mesh


def without(mesh, lost):
    return largest_part(Mesh(*without_unused(mesh.points, mesh.tets[~lost])))[0]


def ball(mesh, centre, radius):
    """Cells of a ball, in the ellipsoids' own axes."""
    return np.linalg.norm(mesh.centroids @ FRAME.T - centre, axis=1) < radius


def drilled(mesh, wall, radius):
    """A cylinder across the long axis taken out of one wall."""
    local = mesh.centroids @ FRAME.T
    near = np.hypot(local[:, 1], local[:, 2] + 8.0) < radius
    return without(mesh, near & WALLS[wall][1](local[:, 0]))


def found_in(mesh):
    return holes(mesh, *surface_nodes(mesh, NONE, NONE, NONE))


def test_a_whole_heart_has_none(mesh):
    found = found_in(mesh)
    assert (found.voids, found.tunnels, set(found.handles.values())) == ((), (), {0})
    assert check_holes(found, mesh.volumes.sum()) == ()


@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("radius", [1.5, 4.0])
def test_a_hole_through_a_wall_is_found_between_its_surfaces(mesh, wall, radius):
    (tunnel,) = found_in(drilled(mesh, wall, radius)).tunnels
    assert tunnel.between == WALLS[wall][0]
    assert tunnel.diameter_mm == pytest.approx(2 * radius, abs=1.0)
    local = FRAME @ tunnel.centre
    assert np.hypot(local[1], local[2] + 8.0) < 1.5
    assert WALLS[wall][1](local[0])


def test_every_hole_counts_once():
    """A lattice of 3.5 mm tears the thin right wall: each hole is a handle more, by Euler's formula."""
    heart = ellipsoid_heart(3.5)
    lists = (heart.surface_nodes(tag) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM, BASE))
    tunnels = holes(heart.mesh, *lists).tunnels
    (handles,) = patches(*boundary(heart.mesh)).handles
    assert len(tunnels) == handles > 5
    assert {tunnel.between for tunnel in tunnels} == {(RV_ENDOCARDIUM, EPICARDIUM)}


def test_a_cavity_closed_by_lids_is_no_void():
    def shell(points):
        away = np.linalg.norm(points, axis=1)
        return np.minimum(30.0 - away, away - 20.0)

    closed = stuff(shell, [-32] * 3, [32] * 3, 3.0)
    faces = closed.boundary_faces()
    inner = np.unique(faces[np.linalg.norm(closed.points[faces].mean(axis=1), axis=1) < 25.0])
    assert holes(closed, inner, NONE, NONE).voids == ()
    assert len(holes(closed, NONE, NONE, NONE).voids) == 1


def test_two_ventricles_joined_by_a_hole_stay_two(mesh):
    """Without its septum whole, the endocardium is one patch, and was taken for a left ventricle's."""
    _, right, _ = surface_nodes(drilled(mesh, "septum", 4.0), NONE, NONE, NONE)
    _, whole, _ = surface_nodes(mesh, NONE, NONE, NONE)
    assert len(right) == pytest.approx(len(whole), rel=0.03)


def test_voids_are_counted_with_their_volume_and_place(mesh):
    lost = ball(mesh, [-26.0, 0.0, -10.0], 3.5)
    few = ball(mesh, [0.0, 26.0, -10.0], 1.3)
    found = found_in(without(mesh, lost | few))
    assert [void.volume_mm3 for void in found.voids] == pytest.approx(
        [mesh.volumes[lost].sum(), mesh.volumes[few].sum()]
    )
    np.testing.assert_allclose(FRAME @ found.voids[0].centre, [-26.0, 0.0, -10.0], atol=1.0)
    assert not found.tunnels


def test_a_bridge_through_the_cavity_is_no_hole():
    """A rod of muscle from wall to wall, as a false tendon."""

    def muscle(points):
        radius = np.linalg.norm(points / [30.0, 30.0, 50.0], axis=1)
        wall = np.minimum(1.0 - radius, radius - 0.7) * 30.0
        rod = np.minimum(3.0 - np.hypot(points[:, 1], points[:, 2] + 15.0), 26.0 - np.abs(points[:, 0]))
        return np.minimum(np.maximum(wall, rod), -points[:, 2])

    mesh = stuff(muscle, [-32, -32, -52], [32, 32, 2], 2.0)
    found = found_in(mesh)
    assert found.handles == {EPICARDIUM: 0, LV_ENDOCARDIUM: 1, RV_ENDOCARDIUM: 0}
    (note,) = check_holes(found, mesh.volumes.sum())
    assert "bridges of muscle" in note
    assert "1 in the left cavity" in note


def test_rings_around_two_valves_are_no_holes():
    """A cavity closed at the top but for an inflow and an outflow, whose rings are listed as the base."""

    def valves(points):
        return (np.hypot(points[:, 0] - s * 11.0, points[:, 1]) - 8.0 for s in (-1, 1))

    def muscle(points):
        radius = np.linalg.norm(points / 32.0, axis=1)
        wall = np.minimum(1.0 - radius, radius - 0.75) * 32.0
        above = np.maximum(-points[:, 2], 0.0)
        return np.minimum.reduce([wall, *(np.maximum(one, above) for one in valves(points))])

    mesh = stuff(muscle, [-34] * 3, [34] * 3, 2.0)
    faces = mesh.boundary_faces()
    middle = mesh.points[faces].mean(axis=1)
    ring = (middle[:, 2] > 0) & (np.minimum(*valves(middle)) < 0.8)
    inner = ~ring & (np.linalg.norm(middle, axis=1) < 28.0)
    found = holes(mesh, np.unique(faces[inner]), NONE, np.unique(faces[ring]))
    assert (found.tunnels, found.voids) == ((), ())
    assert patches(*boundary(mesh)).handles.tolist() == [1]
    assert len(parted(mesh, inner)) == 1


def given(mesh):
    return UserMesh(mesh.points, mesh.tets, "mm", np.zeros((0, 3)), np.zeros((0, 3)), NONE, "", NONE, NONE, NONE, ())


def test_holes_are_refused_when_the_mesh_is_added(mesh, tmp_path):
    holed = without(mesh, ball(mesh, [-26.0, 0.0, -10.0], 3.5))
    meshio.write(tmp_path / "mine.vtu", meshio.Mesh(holed.points, [("tetra", holed.tets)]))
    words = r"^mesh: found a closed void in the muscle, 1\d\d mm3 around \(.*allow_holes"
    with pytest.raises(MeshError, match=words) as no:
        Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), "test")).add(
            [tmp_path / "mine.vtu"]
        )
    assert no.value.exit_code == 3
    assert "\n" not in str(no.value)


def test_a_void_that_is_meant_is_no_surface_of_the_heart(mesh):
    """Depth is then what it would be without it; as epicardium or endocardium its wall would be 1 or 0."""
    holed = without(mesh, ball(mesh, [-26.0, 0.0, -10.0], 3.5))
    about = MeshFileSettings(allow_coarse=True, allow_holes=True)
    heart = heart_of(given(holed), about, MeshSettings(), cell_model="mitchell_schaeffer", velocity_cross=0.3)
    assert sum("closed void" in note and "taken as meant" in note for note in heart.notes) == 1
    around = heart.surface_nodes(0)
    np.testing.assert_allclose(FRAME @ heart.mesh.points[around].mean(axis=0), [-26.0, 0.0, -10.0], atol=1.0)
    truth = (-(FRAME @ heart.mesh.points[around].T)[0] - 20.0) / 10.0  # the wall runs from 21 to 31 mm at the equator
    assert np.abs(heart.transmural[around] - truth).mean() < 0.2


def test_a_small_hole_is_told(mesh):
    lost = np.arange(len(mesh.tets)) == np.linalg.norm(mesh.centroids @ FRAME.T - [-26.0, 0.0, -10.0], axis=1).argmin()
    holed = given(without(mesh, lost))
    (note,) = judged(holed, MeshFileSettings(), cell_model="modified_mitchell_schaeffer", velocity_cross=0.3).notes
    assert "a closed void in the muscle" in note
    assert "taken as small" in note


def test_many_small_voids_are_refused_by_their_sum(mesh):
    local = mesh.centroids @ FRAME.T
    spread = np.linalg.norm((local + 400.0) % 6.0 - 3.0, axis=1) < 1.35
    inside = np.linalg.norm(local / [31.0, 31.0, 52.0], axis=1)
    found = found_in(without(mesh, spread & (inside > 0.78) & (inside < 0.9) & (local[:, 2] < 8.0) & (local[:, 0] < 0)))
    if sum(void.volume_mm3 for void in found.voids) <= 0.01 * mesh.volumes.sum():
        pytest.fail(f"only {len(found.voids)} voids")
    with pytest.raises(MeshError, match=r"found \d+ closed voids in the muscle"):
        check_holes(found, mesh.volumes.sum())


def test_the_real_heart_has_none():
    given = take_in(real_data("heart_dti004", "DTI004_coarse_reconstructed.vtu"))
    real = Mesh(given.points, given.tets)
    for lists in ((NONE, NONE, NONE), (given.left, given.right, given.base)):
        found = holes(real, *surface_nodes(real, *lists))
        assert (found.voids, found.tunnels, set(found.handles.values())) == ((), (), {0})
