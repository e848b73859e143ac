"""From heart to heart: to the place with the same coordinates, and back to where one was."""

import numpy as np
import pytest
from cube_heart import block_mesh
from prolate_coordinates import on_paper, prolate, turns_apart

from cardiotwin.errors import MeshError
from cardiotwin.heart.heart import build_heart
from cardiotwin.meshes.mapping import coordinates_at, correspond, locate, map_field, map_points
from cardiotwin.meshes.quality import edge_lengths
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle, drawn_ventricles
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings


def drawn_heart(edge_mm, **shape):
    drawn = drawn_ventricles(**shape)
    labels = (drawn.left_blood + 2 * drawn.myocardium + 3 * drawn.right_blood).astype(np.uint8)
    segmentation = Segmentation(labels, np.diag([*drawn.spacing_mm[::-1], 1.0]), None, False, {})
    heart = build_heart(segmentation, MeshSettings(edge_mm=edge_mm))
    return heart.mesh, heart.coordinates


def edge_of(mesh):
    return np.linalg.norm(mesh.points[mesh.tets[:, 0]] - mesh.points[mesh.tets[:, 1]], axis=1).mean()


@pytest.fixture(scope="module")
def pair():
    """Two biventricular hearts: another wall, another mesh."""
    return drawn_heart(2.5), drawn_heart(2.2, wall_mm=10.0, right_wall=True)


@pytest.mark.parametrize("turned", [False, True])
def test_there_and_back_is_below_an_element(pair, turned):
    source, target = pair[::-1] if turned else pair
    there = map_points(source[0].points, source, target)
    back = map_points(there, target, source)
    error = np.linalg.norm(back - source[0].points, axis=1)
    assert error.mean() < 0.1
    assert (error < edge_of(source[0])).mean() > 0.985


def test_a_place_in_another_ellipsoid_has_the_coordinates_on_paper():
    """Two prolate ventricles of other size and wall: what is mapped lies where arc lengths say."""
    shapes = ProlateVentricle(), ProlateVentricle(27.0, 0.7, 0.98)
    source, target = (prolate(shape, 2.5) for shape in shapes)
    there = correspond(*target, source[1]).values(target[0].points)
    expected, found = on_paper(shapes[0], source[0].points), on_paper(shapes[1], there)
    low = expected[0] < 0.1
    assert np.abs(found[0] - expected[0]).mean() < 0.01
    assert np.abs(found[1] - expected[1]).mean() < 0.015
    assert turns_apart(found[2], expected[2])[~low].mean() < 0.005


def test_a_heart_maps_onto_itself(pair):
    mesh, coordinates = pair[1]
    there = correspond(mesh, coordinates, coordinates).values(mesh.points)
    assert (np.linalg.norm(there - mesh.points, axis=1) < 0.1 * edge_of(mesh)).mean() > 0.985


def test_fields_of_nodes_and_of_tetrahedra_arrive(pair):
    """Height and ventricle are known on both hearts."""
    source, target = pair
    height = map_field(source[1].apicobasal, source, target)
    assert np.abs(height - target[1].apicobasal).mean() < 0.01
    right = [(c.transventricular[m.tets].mean(axis=1) > 0.5).astype(np.uint8) for m, c in pair]
    arrived = map_field(right[0], source, target)
    assert arrived.dtype == np.uint8
    assert (arrived == right[1]).mean() > 0.98


def test_a_linear_field_is_interpolated_exactly_at_located_points():
    mesh = block_mesh((4, 3, 2), 1.0)
    points = np.random.default_rng(2).uniform([0, 0, 0], [4, 3, 2], (200, 3))
    places = locate(mesh, points)
    slope = np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(places.values(mesh.points @ slope), points @ slope, atol=1e-9)
    assert (places.missed < 1e-9).all()


def test_points_outside_are_moved_in_and_say_so():
    mesh = block_mesh((4, 3, 2), 1.0)
    places = locate(mesh, np.array([[2.0, 1.5, 3.0]]))
    assert places.missed[0] == pytest.approx(0.5)
    assert places.values(mesh.points)[0, 2] <= 2.0


def test_coordinates_of_nodes_are_their_own(pair):
    mesh, coordinates = pair[0]
    found = coordinates_at(coordinates, locate(mesh, mesh.points))
    inner = coordinates.apicobasal > 0.05
    np.testing.assert_allclose(found.apicobasal, coordinates.apicobasal, atol=1e-6)
    assert turns_apart(found.rotational, coordinates.rotational)[inner].max() < 1e-6


def test_a_left_ventricle_alone_has_no_place_for_the_right_one(pair):
    """What lies left of the middle of the septum arrives, at the height it had; the rest is NaN, in both directions."""
    both, left = pair[0], prolate(ProlateVentricle(), 4.0)
    right = both[1].transventricular == 1
    there = map_points(both[0].points, both, left)
    np.testing.assert_array_equal(np.isnan(there).all(axis=1), right)
    arrived = coordinates_at(left[1], locate(left[0], there[~right]))
    assert np.abs(arrived.apicobasal - both[1].apicobasal[~right]).mean() < 0.02
    height = map_field(left[1].apicobasal, left, both)
    np.testing.assert_array_equal(np.isnan(height), right)
    assert np.abs(height - both[1].apicobasal)[~right].mean() < 0.02
    ones = map_field(np.ones(len(left[0].tets), np.uint8), left, both)
    assert 0.2 < np.isnan(ones).mean() < 0.8
    assert (ones[~np.isnan(ones)] == 1).all()
    assert not np.isnan(map_points(left[0].points, left, both)).any()


def test_a_point_beside_the_heart_has_no_place_in_the_other(pair):
    """One mean edge is the bar: half of one off the surface is a rounding of the mesh, twice that is a mistake."""
    source, target = pair
    mesh = source[0]
    mean = edge_lengths(mesh.points, mesh.tets).mean()
    lowest = mesh.points[mesh.points[:, 2].argmin()]
    highest = mesh.points[mesh.points[:, 2].argmax()]
    end, outward = (lowest, -1.0) if abs(lowest[2]) > abs(highest[2]) else (highest, 1.0)
    off = end + np.outer([0.0, 0.5, 2.0], [0.0, 0.0, outward * mean])
    there = map_points(off, source, target)
    np.testing.assert_array_equal(np.isnan(there).any(axis=1), [False, False, True])
    far = map_points(np.array([[500.0, 500.0, 500.0], end]), source, target)
    np.testing.assert_array_equal(np.isnan(far).all(axis=1), [True, False])
    np.testing.assert_array_equal(map_points(far[1], target, source), map_points(far, target, source)[1])
    assert np.isnan(map_points(far, target, source)[0]).all()


def test_what_cannot_be_mapped_is_refused(pair):
    with pytest.raises(MeshError, match="expected one value for each"):
        map_field(np.zeros(7), *pair)
    with pytest.raises(MeshError, match="expected \\(n, 3\\)"):
        map_points(np.zeros((4, 2)), *pair)
    with pytest.raises(MeshError, match="expected \\(n, 3\\)"):
        locate(pair[0][0], np.array([[0.0, np.nan, 0.0]]))
