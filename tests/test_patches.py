"""What the topology of a boundary is known to be on paper: balls, tori, shells, and shapes that touch themselves."""

import numpy as np
import pytest

from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.patches import boundary, enclosed_mm3, patches
from cardiotwin.meshes.tetrahedra import oriented, stuff


def ball(points):
    return 20.0 - np.linalg.norm(points, axis=1)


def torus(points):
    return 6.0 - np.hypot(np.hypot(points[:, 0], points[:, 1]) - 14.0, points[:, 2])


def pretzel(points):
    """Two tori, side by side, that overlap."""
    return np.maximum(torus(points - [14.0, 0, 0]), torus(points - [-14.0, 0, 0]))


def shell(points):
    return np.minimum(ball(points), np.linalg.norm(points, axis=1) - 12.0)


@pytest.mark.parametrize(("shape", "handles"), [(ball, [0]), (torus, [1]), (pretzel, [2]), (shell, [0, 0])])
def test_handles_are_counted(shape, handles):
    mesh = stuff(shape, [-40, -24, -24], [40, 24, 24], 3.0)
    faces, across = boundary(mesh)
    np.testing.assert_array_equal(faces, mesh.boundary_faces())
    found = patches(faces, across)
    assert found.handles.tolist() == handles
    assert not len(found.rims)
    assert enclosed_mm3(mesh.points, faces, found.patch).sum() == pytest.approx(mesh.volumes.sum())


def test_a_hollow_is_negative_and_as_large_as_it_is():
    mesh = stuff(shell, [-24] * 3, [24] * 3, 2.0)
    faces, across = boundary(mesh)
    outer, inner = enclosed_mm3(mesh.points, faces, patches(faces, across).patch)
    assert (outer, inner) == pytest.approx((4 / 3 * np.pi * 20**3, -4 / 3 * np.pi * 12**3), rel=0.02)


def test_a_band_cut_from_a_ball_has_two_rims_and_each_cap_one():
    mesh = stuff(ball, [-24] * 3, [24] * 3, 3.0)
    faces, across = boundary(mesh)
    band = np.abs(mesh.points[faces].mean(axis=1)[:, 2]) < 8.0
    found = patches(faces, across, band.astype(int))
    assert found.handles.tolist() == [0, 0, 0]
    of_rim = [set(found.patch[found.rims[found.rim == k, 0]]) for k in range(found.rim.max() + 1)]
    assert sorted(len(patch) for patch in of_rim) == [1, 1, 1, 1]
    in_band = found.patch[np.flatnonzero(band)[0]]
    assert sum(patch == {in_band} for patch in of_rim) == 2


def test_what_touches_in_an_edge_is_apart():
    """Two tetrahedra at one edge: four faces meet there, yet each pair belongs to its own muscle."""
    points = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0], [-1, 0, 0], [-1, -1, 0]], float)
    tets = np.array([[0, 1, 2, 3], [0, 1, 4, 5]])
    faces, across = boundary(Mesh(points, oriented(points, tets)))
    assert patches(faces, across).handles.tolist() == [0, 0]


def test_across_a_side_is_the_face_with_the_same_edge_run_the_other_way():
    mesh = stuff(torus, [-24] * 3, [24] * 3, 3.0)
    faces, across = boundary(mesh)
    directed = {(a, b): face for face, (i, j, k) in enumerate(faces) for a, b in ((i, j), (j, k), (k, i))}
    truth = [[directed[b, a] for a, b in ((i, j), (j, k), (k, i))] for i, j, k in faces]
    np.testing.assert_array_equal(across, truth)
