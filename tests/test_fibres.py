"""Rule-based fibres: a right-handed helix at the endocardium, linear in depth, exact frames."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from cardiotwin.meshes import coordinates
from cardiotwin.meshes.fibres import Angles, axes, bislerp, frames_from, orient, rule_based
from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle
from cardiotwin.meshes.surfaces import tagged_by_distance
from cardiotwin.meshes.tetrahedra import stuff

SHAPE = ProlateVentricle()


@pytest.fixture(scope="module")
def ventricle():
    mesh = stuff(SHAPE, *SHAPE.box, 2.0)
    faces = mesh.boundary_faces()
    surface = tagged_by_distance(faces, SHAPE.surface_distances(mesh.points))
    laplace = Laplace(mesh)
    fields = coordinates.fields(laplace, faces, surface)
    height = coordinates.apicobasal(mesh.points, faces, surface, fields.base)
    return laplace, fields, height[mesh.tets].mean(axis=1)


@pytest.mark.parametrize(("endo", "epi"), [(60, -60), (40, -50), (80, 0)])
def test_fibres_follow_the_analytic_helix(ventricle, endo, epi):
    """Mean error below 5 degrees (Bayer et al. 2012 compare with DTI); away from the apex, where fibres whorl."""
    laplace, fields, height = ventricle
    fibres = rule_based(laplace, fields, Angles(endo, epi))[0]
    truth = SHAPE.fibres(laplace.mesh.centroids, endo, epi)
    error = np.degrees(np.arccos(np.abs(np.einsum("ij,ij->i", fibres, truth)).clip(0, 1)))
    assert error[height > 0.1].mean() < 2.0
    assert np.percentile(error[height > 0.1], 95) < 6.0


def test_endocardial_fibres_form_a_right_handed_helix(ventricle):
    """Climbing towards the base (+z) they turn counter-clockwise, seen from the base; at the epicardium clockwise."""
    laplace, fields, height = ventricle
    fibres = rule_based(laplace, fields, Angles())[0]
    climbing = fibres * np.sign(fibres[:, 2:])
    centre = laplace.mesh.centroids
    turn = centre[:, 0] * climbing[:, 1] - centre[:, 1] * climbing[:, 0]
    depth = fields.epi[laplace.mesh.tets].mean(axis=1)
    away = height > 0.15
    assert (turn[away & (depth < 0.2)] > 0).mean() > 0.99
    assert (turn[away & (depth > 0.8)] < 0).mean() > 0.99


def test_sheets_point_outward_where_their_angle_is_zero(ventricle):
    laplace, fields, height = ventricle
    _, sheets, _ = rule_based(laplace, fields, Angles(sheet_endocardium=0.0, sheet_epicardium=0.0))
    outward = laplace.gradient(SHAPE.transmural(laplace.mesh.points))
    cosine = np.einsum("ij,ij->i", sheets, outward) / np.linalg.norm(outward, axis=1)
    assert np.median(np.abs(cosine[height > 0.1])) > 0.995


def test_frames_are_right_handed_and_orthonormal(ventricle):
    frame = np.stack(rule_based(ventricle[0], ventricle[1], Angles()), axis=2)
    np.testing.assert_allclose(
        np.einsum("nji,njk->nik", frame, frame), np.broadcast_to(np.eye(3), frame.shape), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(frame), 1.0, atol=1e-9)


def test_bislerp_starts_and_ends_at_its_frames_up_to_sign():
    rng = np.random.default_rng(3)
    first, second = (np.linalg.qr(rng.standard_normal((200, 3, 3)))[0] for _ in range(2))
    first, second = (frame * np.linalg.det(frame)[:, None, None] for frame in (first, second))
    for share, end in ((0.0, first), (1.0, second)):
        found = np.empty_like(first)
        for k in range(200):
            bislerp(first[k], second[k], share, found[k])
        np.testing.assert_allclose(np.abs(np.einsum("nij,nij->nj", found, end)), 1.0, atol=1e-9)


def frame_at_x():
    """Base up, wall along x."""
    frame = np.empty((3, 3))
    axes(np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]), frame)
    return frame


def test_bislerp_ignores_the_sign_of_fibres():
    """Half-way between a frame and itself turned by 180 degrees about an axis is the frame."""
    frame, found = frame_at_x(), np.empty((3, 3))
    bislerp(frame, frame * np.array([-1, 1, -1]), 0.5, found)
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->j", found, frame)), 1.0, atol=1e-12)


def test_bislerp_goes_the_way_scipy_goes():
    """Frames a small turn apart, so that no sign is in question, against spherical interpolation of rotations."""
    rng = np.random.default_rng(4)
    for share in (0.2, 0.5, 0.9):
        first = Rotation.random(random_state=rng)
        second = first * Rotation.from_rotvec(rng.uniform(-0.5, 0.5, 3))
        found = np.empty((3, 3))
        bislerp(first.as_matrix(), second.as_matrix(), share, found)
        exact = Slerp([0.0, 1.0], Rotation.concatenate([first, second]))(share)
        np.testing.assert_allclose(found, exact.as_matrix(), atol=1e-12)


@pytest.mark.parametrize(("up", "outward"), [((0, 0, 0), (1, 0, 0)), ((0, 1, 0), (0, 0, 0)), ((0, 2, 0), (0, 3, 0))])
def test_a_frame_without_directions_is_still_a_frame(up, outward):
    frame = np.empty((3, 3))
    axes(np.array(up, float), np.array(outward, float), frame)
    np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1.0)


def test_helix_angle_is_counted_from_the_counter_clockwise_direction():
    """At (1, 0, 0) with the base up, counter-clockwise seen from above is +y."""
    frame = frame_at_x()
    orient(frame, 30.0, 0.0)
    np.testing.assert_allclose(frame[:, 0], [0, np.cos(np.pi / 6), 0.5], atol=1e-12)
    np.testing.assert_allclose(frame[:, 2], [1, 0, 0], atol=1e-12)


def test_given_fibres_are_kept_and_sheets_made_perpendicular():
    along, sheets, normals = frames_from(np.array([[1.0, 0, 0]]), np.array([[5.0, 2.0, 0.0]]))
    np.testing.assert_allclose([along[0], sheets[0], normals[0]], np.eye(3), atol=1e-12)
