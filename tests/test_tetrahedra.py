"""Isosurface stuffing gives sound tetrahedra of any shape, and the shape itself as the lattice is refined."""

import numpy as np
import pytest
from scipy import ndimage

from cardiotwin.errors import MeshError, ResourceLimit
from cardiotwin.meshes.mesh import signed_volumes
from cardiotwin.meshes.quality import dihedral_angles, edge_lengths, quality
from cardiotwin.meshes.tetrahedra import oriented, stuff


def ball(radius_mm):
    return lambda points: radius_mm - np.linalg.norm(points, axis=1)


def speckle(seed):
    """A shape nobody would draw: noise, smoothed a little or not at all, closed at the border of its box."""
    values = np.random.default_rng(seed).standard_normal((12, 12, 12))
    values = ndimage.gaussian_filter(values, (0.0, 0.5, 1.0)[seed % 3])
    for axis in range(3):
        np.moveaxis(values, axis, 0)[[0, -1]] = -np.abs(values).max()
    return lambda points: ndimage.map_coordinates(values, points.T, order=1, mode="nearest")


@pytest.mark.parametrize("seed", range(9))
def test_angles_are_bounded_whatever_the_shape(seed):
    """No tetrahedron is inverted (Mesh refuses those), flat or needle-like, even for noise."""
    mesh = stuff(speckle(seed), np.zeros(3), np.full(3, 11.0), (0.5, 0.8, 1.3)[seed // 3])
    angles = dihedral_angles(mesh.points, mesh.tets)
    assert angles.min() > 8.0
    assert angles.max() < 165.0


@pytest.mark.parametrize("seed", range(3))
def test_tetrahedra_fit_together(seed):
    """A face belongs to one or two tetrahedra, and each edge of the boundary to an even number of faces."""
    mesh = stuff(speckle(seed), np.zeros(3), np.full(3, 11.0), 0.8)
    faces = np.sort(mesh.tets[:, [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]]].reshape(-1, 3), axis=1)
    assert np.unique(faces, axis=0, return_counts=True)[1].max() <= 2
    boundary = mesh.boundary_faces()
    edges = np.sort(boundary[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert not (np.unique(edges, axis=0, return_counts=True)[1] % 2).any()


def test_volume_inside_the_boundary_is_the_volume_of_the_tetrahedra():
    """Divergence theorem: holes or overlaps between cut tetrahedra would break it."""
    mesh = stuff(speckle(2), np.zeros(3), np.full(3, 11.0), 0.8)
    a, b, c = (mesh.points[mesh.boundary_faces()[:, k]] for k in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 == pytest.approx(mesh.volumes.sum(), rel=1e-10)


def test_ball_volume_converges_at_second_order():
    edges_mm = np.array([2.0, 1.4, 1.0, 0.7])
    exact = 4 / 3 * np.pi * 10.0**3
    errors = [1 - stuff(ball(10.0), [-10] * 3, [10] * 3, edge).volumes.sum() / exact for edge in edges_mm]
    order = np.polyfit(np.log(edges_mm), np.log(errors), 1)[0]
    assert order == pytest.approx(2.0, abs=0.25), f"errors {errors}"


def test_edges_are_about_the_lattice_constant():
    result = quality(stuff(ball(10.0), [-10] * 3, [10] * 3, 1.0))
    assert result.mean_edge_mm == pytest.approx(0.9, abs=0.05)
    assert result.longest_edge_mm < 1.6


def test_the_same_shape_gives_the_same_bits():
    first, second = (stuff(speckle(4), np.zeros(3), np.full(3, 11.0), 0.8) for _ in range(2))
    assert first.points.tobytes() == second.points.tobytes()
    assert first.tets.tobytes() == second.tets.tobytes()


def test_neighbours_in_space_are_neighbours_in_memory():
    """Sixteen consecutive nodes lie within a few edges, as tiles that rest together need."""
    mesh = stuff(ball(10.0), [-10] * 3, [10] * 3, 1.0)
    tiles = mesh.points[: len(mesh.points) // 16 * 16].reshape(-1, 16, 3)
    assert np.median(np.ptp(tiles, axis=1).max(axis=1)) < 4.0


def test_regular_tetrahedron_has_its_textbook_angles():
    points = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], float)
    tets = np.array([[0, 1, 2, 3]])
    np.testing.assert_allclose(dihedral_angles(points, tets), np.degrees(np.arccos(1 / 3)))
    np.testing.assert_allclose(edge_lengths(points, tets), np.sqrt(8))
    assert signed_volumes(points, oriented(points, tets[:, [1, 0, 2, 3]]))[0] > 0


@pytest.mark.parametrize(
    ("shape", "upper", "edge_mm", "error", "says"),
    [
        (ball(-1.0), 5.0, 1.0, MeshError, "no lattice node lies inside"),
        (ball(100.0), 5.0, 1.0, MeshError, "reaches the border"),
        (lambda points: np.full(len(points), np.nan), 5.0, 1.0, MeshError, "not finite"),
        (ball(4.0), 1000.0, 0.2, ResourceLimit, "use a larger edge_mm"),
    ],
)
def test_what_cannot_be_filled_is_refused(shape, upper, edge_mm, error, says):
    with pytest.raises(error, match=says):
        stuff(shape, np.zeros(3), np.full(3, upper), edge_mm)
