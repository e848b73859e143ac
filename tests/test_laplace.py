"""Laplace's equation on tetrahedra against fields known on paper."""

import numpy as np
import pytest

from cardiotwin.errors import MeshError
from cardiotwin.meshes import coordinates
from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle
from cardiotwin.meshes.surfaces import tagged_by_distance
from cardiotwin.meshes.tetrahedra import stuff

SHAPE = ProlateVentricle()


@pytest.fixture(scope="module")
def ball():
    return Laplace(stuff(lambda p: 6.0 - np.linalg.norm(p, axis=1), [-6] * 3, [6] * 3, 1.5))


def on_boundary(laplace):
    fixed = np.zeros(len(laplace.mesh.points), bool)
    fixed[laplace.mesh.boundary_faces()] = True
    return fixed


def test_a_linear_field_is_reproduced_exactly(ball):
    """Linear elements hold every linear field, and its gradient, to rounding."""
    slope = np.array([0.3, -1.2, 0.7])
    field = ball.mesh.points @ slope
    found = ball.solve(on_boundary(ball), field, tolerance=1e-12)
    np.testing.assert_allclose(found, field, atol=1e-9)
    np.testing.assert_allclose(ball.gradient(found), np.broadcast_to(slope, (len(ball.mesh.tets), 3)), atol=1e-8)
    np.testing.assert_allclose(ball.smooth_gradient(found), ball.gradient(found), atol=1e-8)


def test_energy_of_a_linear_field_is_its_slope_squared_times_the_volume(ball):
    """Sets the scale of the matrix, to which harmonic fields are blind."""
    field = ball.mesh.points @ np.array([3.0, 0.0, -4.0])
    assert field @ (ball.stiffness @ field) == pytest.approx(25.0 * ball.mesh.volumes.sum(), rel=1e-12)


def test_conjugate_gradients_agree_with_elimination(ball):
    rng = np.random.default_rng(1)
    fixed = rng.random(len(ball.mesh.points)) < 0.1
    values = rng.random(len(fixed))
    dense = ball.stiffness.toarray()
    exact = values.copy()
    exact[~fixed] = np.linalg.solve(dense[~fixed][:, ~fixed], -dense[~fixed][:, fixed] @ values[fixed])
    np.testing.assert_allclose(ball.solve(fixed, values, tolerance=1e-12), exact.clip(0, 1), atol=1e-8)


def test_rows_of_the_stiffness_matrix_add_up_to_nothing(ball):
    """A constant carries no flux."""
    np.testing.assert_allclose(ball.stiffness @ np.ones(len(ball.mesh.points)), 0, atol=1e-12)


def test_transmural_field_of_the_prolate_ventricle_converges():
    """Against the exact solution in prolate spheroidal coordinates; the rim of the base costs the full second order."""
    edges_mm, errors = np.array([4.0, 2.8, 2.0]), []
    for edge in edges_mm:
        mesh = stuff(SHAPE, *SHAPE.box, edge)
        faces = mesh.boundary_faces()
        surface = tagged_by_distance(faces, SHAPE.surface_distances(mesh.points))
        field = coordinates.fields(Laplace(mesh), faces, surface).epi
        errors.append(np.sqrt(np.mean((field - SHAPE.transmural(mesh.points)) ** 2)))
    order = np.polyfit(np.log(edges_mm), np.log(errors), 1)[0]
    assert 0.8 < order < 2.6, f"errors {errors}"
    assert errors[-1] < 0.02


def test_nothing_fixed_is_refused(ball):
    with pytest.raises(MeshError, match="no node has a given value"):
        ball.solve(np.zeros(len(ball.mesh.points), bool), 0.0)
