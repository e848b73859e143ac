"""The tiled operator is the finite-element operator."""

import numpy as np
import pytest
from medium_blocks import block, left_end

from cardiotwin.kernels.diffusion import operator
from cardiotwin.kernels.lanes import LANES
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.reference.slab import lattice_bar, slab
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus


def jiggled(edge_mm=0.5):
    """A slab whose nodes are shaken, with a different full tensor in every element."""
    rng = np.random.default_rng(2)
    mesh = slab((2.0, 1.5, 1.0), edge_mm)
    points = mesh.points + 0.12 * edge_mm * rng.standard_normal(mesh.points.shape)
    root = rng.standard_normal((len(mesh.tets), 3, 3))
    return points, mesh.tets, root @ root.transpose(0, 2, 1)


def naive_operator(points, tets, sigma, capacity):
    """-M⁻¹ K, dense, one element after the other."""
    stiffness, mass = np.zeros((len(points), len(points))), np.zeros(len(points))
    for tet, tensor in zip(tets, sigma, strict=True):
        coefficients = np.linalg.inv(np.column_stack([np.ones(4), points[tet]]))
        volume = abs(np.linalg.det(np.column_stack([np.ones(4), points[tet]]))) / 6.0
        stiffness[np.ix_(tet, tet)] += volume * coefficients[1:].T @ tensor @ coefficients[1:]
        mass[tet] += volume / 4.0
    return -stiffness / (capacity * mass[:, None])


def dense(tiled, n_nodes):
    out = np.zeros((len(tiled.leak) * LANES, len(tiled.leak) * LANES))
    for t in range(len(tiled.leak)):
        for k in range(tiled.start[t], tiled.start[t + 1]):
            for lane in range(LANES):
                here = t * LANES + lane
                out[here, tiled.column[k, lane]] += tiled.coefficient[k, lane]
                out[here, here] -= tiled.coefficient[k, lane]
    return out[:n_nodes, :n_nodes]


def test_the_tiled_operator_is_the_assembled_one():
    points, tets, sigma = jiggled()
    n = len(points)
    tiled = operator(points, tets, sigma, np.arange(n), n, 1.4, np.float64)
    assert dense(tiled, n) == pytest.approx(naive_operator(points, tets, sigma, 1.4), abs=1e-9)


def test_faces_conduct_besides_as_triangles_do():
    """Against gradients from the triangle's own plane, one after the other."""
    points, tets, sigma = jiggled()
    rng, n = np.random.default_rng(4), len(points)
    faces = tets[rng.integers(len(tets), size=25)][:, [0, 2, 3]]
    conductance = rng.uniform(0.5, 4.0, len(faces))
    stiffness = np.zeros((n, n))
    for face, strength in zip(faces, conductance, strict=True):
        origin, first, second = points[face]
        gradients = np.linalg.pinv(np.array([first - origin, second - origin]))
        gradients = np.column_stack([-gradients.sum(axis=1), gradients])
        area = 0.5 * np.linalg.norm(np.cross(first - origin, second - origin))
        stiffness[np.ix_(face, face)] += strength * area * gradients.T @ gradients
    mass = np.zeros(n)
    np.add.at(mass, tets.ravel(), np.repeat(Mesh(points, tets).volumes / 4.0, 4))
    expected = naive_operator(points, tets, sigma, 1.4) - stiffness / (1.4 * np.abs(mass)[:, None])
    tiled = operator(
        points, tets, sigma, np.arange(n), n, 1.4, np.float64, faces=faces.astype(np.int32), conductance=conductance
    )
    assert dense(tiled, n) == pytest.approx(expected, abs=1e-9)


def test_tiles_know_their_neighbours():
    points, tets, sigma = jiggled()
    n = len(points)
    tiled = operator(points, tets, sigma, np.arange(n), n, 1.4, np.float64)
    for t in range(len(tiled.leak)):
        coupled = tiled.column[tiled.start[t] : tiled.start[t + 1]][
            tiled.coefficient[tiled.start[t] : tiled.start[t + 1]] != 0
        ]
        expected = set((coupled // LANES).tolist()) - {t}
        found = tiled.neighbours[tiled.neighbour_start[t] : tiled.neighbour_start[t + 1]]
        assert set(found.tolist()) == expected


def test_the_lattice_is_made_of_congruent_tetrahedra_and_fills_space():
    bar = lattice_bar(6, 1.25)
    a, b, c, d = (bar.points[bar.tets[:, k]] for k in range(4))
    volumes = np.abs(np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a)) / 6
    assert volumes == pytest.approx(1.25**3 / 12)
    assert volumes.sum() == pytest.approx((6 - 1 / 3) * 1.25**3)  # the last pair of centres is missing
    assert len(np.unique(bar.same_as)) == 6 + 7


def test_a_sliver_does_not_blow_up():
    """One flat tetrahedron would ask for a time step many times smaller; it takes substeps, the others do not."""
    medium = block((12.0, 2.0, 2.0), 0.5)
    points = medium.points.copy()
    corner = int(np.argmin(np.abs(points - [12.0, 2.0, 2.0]).sum(axis=1)))
    points[corner] = [11.55, 1.55, 1.95]
    crushed = Medium(points, medium.tets, medium.sigma, medium.cell_model, {})
    solver, plain = Solver(crushed, 0.1), Solver(medium, 0.1)
    assert solver.substeps > 1 == plain.substeps
    protocol = Protocol((Stimulus(left_end(medium), 0.0),), 100.0)
    crushed_ms = solver.run(protocol)[0].activation_ms[0]
    plain_ms = plain.run(protocol)[0].activation_ms[0]
    assert np.isfinite(crushed_ms).all()
    assert np.abs(crushed_ms - plain_ms).max() < 1.0
