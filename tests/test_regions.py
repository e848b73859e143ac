"""Scar drawn on slices is found again among tetrahedra: its volume, its place, its depth."""

import numpy as np
import pytest

from cardiotwin.meshes.regions import drawn_region
from cardiotwin.meshes.tetrahedra import stuff

SPACING_MM = np.array([8.0, 1.0, 1.0])
LEAN = 0.6
"""Of the wall, rows a slice axis millimetre: from slice to slice it moves by most of its 6 mm."""


def wall_depth(points):
    """Distance into a wall that leans, mm."""
    return 3.0 - np.abs(points[..., 1] - 12.0 - LEAN * points[..., 0]) / np.hypot(1.0, LEAN)


@pytest.fixture(scope="module")
def leaning():
    """The wall's mesh, muscle and a transmural scar on its left half, drawn on four slices."""
    lower, upper = np.array([-4.0, 0.0, -0.5]), np.array([28.0, 36.0, 29.5])
    mesh = stuff(lambda p: np.minimum(wall_depth(p), np.minimum(p - lower, upper - p).min(axis=1)), lower, upper, 1.2)
    index = np.stack(np.meshgrid(np.arange(4), np.arange(37), np.arange(30), indexing="ij"), axis=-1)
    muscle = wall_depth(index * SPACING_MM) > 0
    return mesh, muscle, muscle & (index[..., 2] < 14)


def found(leaning):
    mesh, muscle, scar = leaning
    return drawn_region(mesh, scar, muscle & ~scar, SPACING_MM, np.ones(len(mesh.tets), bool))


def test_a_transmural_scar_stays_transmural_between_slices(leaning):
    """No sheet of healthy muscle along the surfaces, through which a wave would pass."""
    mesh, _, _ = leaning
    inside = mesh.centroids[:, 2] < 12.5
    assert (mesh.volumes * ~found(leaning))[inside].sum() < 0.01 * mesh.volumes[inside].sum()


def test_it_ends_where_it_was_drawn(leaning):
    mesh, _, _ = leaning
    beyond = mesh.centroids[:, 2] > 14.5
    assert (mesh.volumes * found(leaning))[beyond].sum() < 0.01 * mesh.volumes[beyond].sum()


@pytest.mark.parametrize("size", [(1, 2, 2), (2, 3, 3), (1, 1, 8)])
def test_a_scar_of_a_few_voxels_keeps_its_volume(leaning, size):
    mesh, muscle, _ = leaning
    scar = np.zeros_like(muscle)
    row = int(12 + LEAN * SPACING_MM[0])
    scar[1 : 1 + size[0], row : row + size[1], 12 : 12 + size[2]] = True
    scar &= muscle
    chosen = drawn_region(mesh, scar, muscle & ~scar, SPACING_MM, np.ones(len(mesh.tets), bool))
    assert mesh.volumes[chosen].sum() == pytest.approx(scar.sum() * SPACING_MM.prod(), rel=0.02)
    drawn_at = (np.argwhere(scar) * SPACING_MM).mean(axis=0)
    assert np.linalg.norm(np.average(mesh.centroids[chosen], axis=0, weights=mesh.volumes[chosen]) - drawn_at) < 1.0


def test_no_tetrahedron_without_leave_is_taken(leaning):
    mesh, muscle, scar = leaning
    within = mesh.centroids[:, 0] > 10.0
    assert not (drawn_region(mesh, scar, muscle & ~scar, SPACING_MM, within) & ~within).any()
