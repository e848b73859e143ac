"""Distances along lines against lines known on paper."""

import numpy as np
import pytest
from cube_heart import block_mesh

from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.tetrahedra import stuff
from cardiotwin.meshes.trajectories import Lines


def test_along_straight_lines_it_is_exact():
    """Up through a box, askew: distance is height over the cosine, to rounding."""
    mesh = block_mesh((6, 6, 4), 1.5)
    lines = Lines(mesh.points, mesh.tets)
    direction = np.tile([0.36, 0.48, 0.8], (len(mesh.points), 1))
    found = lines.distance(direction, mesh.points[:, 2] < 1e-9)
    height = mesh.points[:, 2]
    entered = (mesh.points[:, 0] >= 0.45 * height + 1e-9) & (mesh.points[:, 1] >= 0.6 * height + 1e-9)
    # Lines that came in through the bottom, and nodes whose whole way down touches no other side.
    clear = entered & (mesh.points[:, :2].min(axis=1) > 0.6 * height + 1.5)
    assert clear.sum() > 30
    np.testing.assert_allclose(found[clear], height[clear] / 0.8, atol=1e-9)


def ring_error(edge_mm: float) -> float:
    """Round a quarter of a thick ring: the distance is the radius times the angle."""

    def level(p):
        radius = np.hypot(p[:, 0], p[:, 1])
        return np.min([radius - 10.0, 20.0 - radius, p[:, 0], p[:, 1], 3.0 - np.abs(p[:, 2])], axis=0)

    mesh = stuff(level, [0, 0, -3], [20, 20, 3], edge_mm)
    radius, angle = np.hypot(*mesh.points[:, :2].T), np.arctan2(mesh.points[:, 1], mesh.points[:, 0])
    around = np.stack([-np.sin(angle), np.cos(angle), np.zeros_like(angle)], axis=1)
    begin = mesh.points[:, 1] < 0.3 * edge_mm
    found = Lines(mesh.points, mesh.tets).distance(around, begin, radius * angle)
    return float(np.abs(found - radius * angle).mean())


def test_around_a_ring_it_converges_at_first_order_or_better():
    edges_mm = np.array([4.0, 2.8, 2.0])
    errors = [ring_error(edge) for edge in edges_mm]
    order = np.polyfit(np.log(edges_mm), np.log(errors), 1)[0]
    assert 0.8 < order < 2.5, f"errors {errors}"
    assert errors[-1] < 0.4  # of arcs up to 31 mm


def test_lines_stay_within_the_tetrahedra_they_were_given():
    """Two halves of a box, one of them left out: its nodes have no distance, the others do not see it."""
    mesh = block_mesh((4, 2, 2), 1.0)
    lower = mesh.centroids[:, 0] < 2.0
    lines = Lines(mesh.points, mesh.tets[lower])
    found = lines.distance(np.tile([1.0, 0, 0], (len(mesh.points), 1)), mesh.points[:, 0] < 1e-9)
    np.testing.assert_allclose(found[mesh.points[:, 0] <= 2], mesh.points[mesh.points[:, 0] <= 2, 0], atol=1e-12)
    assert np.isnan(found[mesh.points[:, 0] > 2]).all()


def test_lines_that_close_on_themselves_come_to_an_end():
    """Directions that run in circles, with one way in: sweeps settle or stop, and nothing is infinite."""
    mesh: Mesh = block_mesh((6, 6, 1), 1.0)
    out = mesh.points[:, :2] - 3.0
    around = np.stack([-out[:, 1], out[:, 0], np.zeros(len(out))], axis=1)
    around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-9)
    found = Lines(mesh.points, mesh.tets).distance(around, mesh.points[:, 0] < 1e-9)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("slope", [(1.0, 0.0, 0.0), (0.5, -2.0, 1.0)])
def test_the_direction_of_a_linear_field_is_its_slope(slope):
    mesh = block_mesh((3, 3, 3), 1.0)
    lines = Lines(mesh.points, mesh.tets)
    found = lines.at_nodes(lines.unit_gradient(mesh.points @ np.array(slope)))
    np.testing.assert_allclose(found, np.tile(np.array(slope) / np.linalg.norm(slope), (len(mesh.points), 1)))


def test_a_node_that_sees_no_direction_takes_that_of_its_neighbours():
    """Along a bar, with directions missing at nodes that do not touch each other: distance is length."""
    mesh = block_mesh((12, 3, 3), 1.0)
    direction = np.tile([1.0, 0.0, 0.0], (len(mesh.points), 1))
    lost = (mesh.points % 3 == [2, 1, 1]).all(axis=1)
    direction[lost] = 0.0
    found = Lines(mesh.points, mesh.tets).distance(direction, mesh.points[:, 0] < 1e-9)
    assert lost.sum() >= 4
    np.testing.assert_allclose(found, mesh.points[:, 0], atol=1e-9)
