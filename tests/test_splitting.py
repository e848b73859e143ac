"""A mesh cut along a level stays whole, and the cut lies where the level says."""

import numpy as np
import pytest
from cube_heart import block_mesh

from cardiotwin.meshes.splitting import split


@pytest.fixture(scope="module")
def cut():
    """A box of 10 x 8 x 6 mm, cut by a sphere and with every face tagged by its side."""
    mesh = block_mesh((10, 8, 6), 1.0)
    faces = mesh.boundary_faces()
    surface = (mesh.points[faces].mean(axis=1)[:, 0] < 1e-9).astype(np.uint8) + 1
    level = 4.3 - np.linalg.norm(mesh.points - [0.2, 4.0, 3.1], axis=1)
    return mesh, split(mesh, faces, surface, level), level


def keys(faces):
    return set(map(tuple, np.sort(faces, axis=1).tolist()))


def test_nothing_is_lost(cut):
    mesh, parts, _ = cut
    assert parts.mesh.volumes.sum() == pytest.approx(mesh.volumes.sum(), rel=1e-12)
    volume = np.bincount(parts.parent, parts.mesh.volumes)
    np.testing.assert_allclose(volume, mesh.volumes, rtol=1e-9)


def test_neighbours_fit_together(cut):
    """Faces of one tetrahedron only are the cut boundary: a mismatch inside would add some."""
    _, parts, _ = cut
    assert keys(parts.mesh.boundary_faces()) == keys(parts.faces)


def test_faces_keep_their_tags_and_look_outward(cut):
    _, parts, _ = cut
    middles = parts.mesh.points[parts.faces].mean(axis=1)
    assert ((parts.surface == 2) == (middles[:, 0] < 1e-9)).all()
    a, b, c = (parts.mesh.points[parts.faces[:, k]] for k in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 == pytest.approx(parts.mesh.volumes.sum())


def test_no_tetrahedron_reaches_across(cut):
    """Corners lie on their side, but for those moved onto the level from less than a sixth of an edge."""
    _, parts, level = cut
    value = parts.extended(level)[parts.mesh.tets]
    assert (np.where(parts.above[:, None], value, -value) > -0.3).all()
    assert ((value > 0) == parts.above[:, None])[np.abs(value) > 0.3].all()


def test_the_sheet_between_the_sides_has_the_area_of_the_sphere_within_the_box(cut):
    _, parts, _ = cut
    a, b, c = (parts.mesh.points[parts.sheet()[:, k]] for k in range(3))
    found = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    direction = np.random.default_rng(0).standard_normal((200_000, 3))
    on_sphere = 4.3 * direction / np.linalg.norm(direction, axis=1, keepdims=True) + [0.2, 4.0, 3.1]
    inside = ((on_sphere > 0) & (on_sphere < [10, 8, 6])).all(axis=1).mean()
    assert found == pytest.approx(inside * 4 * np.pi * 4.3**2, rel=0.06)  # corners cut, a few nodes moved


def test_a_field_linear_in_space_stays_linear(cut):
    mesh, parts, _ = cut
    slope = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(parts.extended(mesh.points @ slope), parts.mesh.points @ slope, atol=1e-12)


def test_a_level_that_passes_nowhere_changes_nothing(cut):
    mesh, *_ = cut
    parts = split(mesh, mesh.boundary_faces(), np.ones(len(mesh.boundary_faces()), np.uint8), np.ones(len(mesh.points)))
    assert parts.above.all()
    assert not len(parts.sheet())
    np.testing.assert_array_equal(parts.mesh.tets, mesh.tets)
