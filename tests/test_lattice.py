"""Conductivity as a function of how the fibres lie in the lattice: the same symmetries, fewer errors."""

from itertools import permutations, product

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.kernels.diffusion import EDGES, edge_stiffness
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.reference.slab import lattice_block, lattice_wave
from cardiotwin.settings import TissueSettings
from cardiotwin.solver.medium import Medium
from cardiotwin.tissue import lattice
from cardiotwin.tissue.tissue import Velocities, make_tissue
from cardiotwin.tissue.velocity import plane_wave_velocity, timed, tune
from cardiotwin.verification import velocity

MS, EDGE_MM, DT_MS = "modified_mitchell_schaeffer", 1.25, 0.1
STEEP = {"tau_in": 0.15, "tau_out": 3.0}
SIGMA = np.array([[0.20, 0.03, -0.02], [0.03, 0.11, 0.01], [-0.02, 0.01, 0.14]])
ANY = lattice.Oriented(
    np.array(
        [0.1, 0.02, 0.01, 0.18, 0.01, 0.03, 0.17, 0.02, 0.01, 0.02, 0.01, 0.0, 0.02, 0.03, 0.01, 0.01, 0.02, 0.03]
    ),
    np.array([0.03, 0.02, 0.01, 0.02]),
    {},
)


def fewer_waves(monkeypatch):
    monkeypatch.setattr(lattice, "SAMPLED", 100)
    monkeypatch.setattr(lattice, "CHECKED", 50)
    monkeypatch.setattr(lattice, "ROUNDS", 2)


def any_directions(n):
    vectors = np.random.default_rng(7).normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_linear_elements_on_the_lattice_couple_a_node_as_the_formula_says():
    kappa = 0.04
    points, tets = lattice_block((4, 4, 4))
    axis = lattice.alternating_axis(EDGE_MM * points[tets].mean(axis=1), lattice.ALONG_AXES, EDGE_MM)
    tensors = lattice.with_alternation(np.tile(SIGMA, (len(tets), 1, 1)), np.full(len(tets), kappa), axis)
    stiffness, volumes = np.empty((len(tets), 6)), np.empty(len(tets))
    edge_stiffness(EDGE_MM * points, tets, tensors, stiffness, volumes)
    node = int(np.flatnonzero((points == 2.0).all(axis=1))[0])
    found = np.zeros(14)
    for end, other in ((0, 1), (1, 0)):
        here = tets[:, EDGES[:, end]] == node
        offset = points[tets[:, EDGES[:, other]][here]] - 2.0
        which = np.abs(offset[:, None] - lattice.NEIGHBOURS).sum(axis=2).argmin(axis=1)
        np.add.at(found, which, -stiffness[here])
    expected = lattice._couplings(SIGMA[None], np.array([kappa]))[0]
    assert found / (0.5 * EDGE_MM**3) * EDGE_MM**2 == pytest.approx(expected, abs=1e-12)


def test_a_third_of_an_isotropic_conductivity_makes_the_lattice_isotropic_to_fourth_order():
    waves = any_directions(50)
    powers = lattice._powers(waves, EDGE_MM)
    spread = {}
    for kappa in (0.0, 0.1):
        couplings = lattice._couplings(np.tile(0.3 * np.eye(3), (50, 1, 1)), np.full(50, kappa))
        moments = lattice._moments(couplings, powers)
        assert moments[:, 0] == pytest.approx(0.3)
        spread[kappa] = np.ptp(moments[:, 1]) / moments[:, 1].mean()
    assert spread[0.1] < 1e-12
    assert spread[0.0] > 0.5


def test_the_tensor_turns_with_the_fibres_under_every_symmetry_of_the_cube():
    fibres = any_directions(5)
    for order, signs in product(permutations(range(3)), product((-1, 1), repeat=3)):
        turn = np.eye(3)[list(order)] * np.array(signs)[:, None]
        turned = turn @ ANY.sigma(fibres) @ turn.T
        assert ANY.sigma(fibres @ turn.T) == pytest.approx(turned)
        assert ANY.kappa(fibres @ turn.T, turned) == pytest.approx(ANY.kappa(fibres, turned))


def test_what_alternates_has_no_mean_and_leaves_every_tensor_positive_definite():
    fibres = np.repeat(any_directions(40), 3, axis=0)
    too_much = lattice.Oriented(ANY.tensor, np.array([0.4, 0.0, 0.0, 0.0]), {})
    tensors = too_much.in_tetrahedra(fibres, np.tile(range(3), 40), np.eye(3))
    assert tensors.reshape(40, 3, 3, 3).mean(axis=1) == pytest.approx(ANY.sigma(fibres)[::3])
    assert np.linalg.eigvalsh(tensors).min() > 0.0
    assert np.ptp(tensors[:, 0, 0].reshape(40, 3), axis=1).min() > 0.01


def test_a_wave_in_the_endless_lattice_along_an_axis_is_that_of_the_bar():
    bar, x = lattice_wave((1, 0, 0), 80, EDGE_MM)
    tensors = np.tile(0.4 * np.eye(3), (len(bar.tets), 1, 1))
    medium = Medium(bar.points, bar.tets, tensors, MS, STEEP, bar.same_as)
    expected = plane_wave_velocity(0.4, MS, STEEP, EDGE_MM, DT_MS, expected=0.6)
    assert timed(medium, x, DT_MS, 0.6) == pytest.approx(expected, rel=0.002)


def test_every_node_of_a_plane_across_the_wave_is_one_unknown():
    direction = np.array([3, -2, 1])
    bar, x = lattice_wave(tuple(direction), 30, EDGE_MM)
    assert x == pytest.approx(bar.points @ direction / np.linalg.norm(direction))
    assert len(np.unique(bar.same_as)) == len(np.unique(x.round(6))) == 30
    assert x[bar.same_as] == pytest.approx(x)
    assert Mesh(bar.points, bar.tets).volumes == pytest.approx(EDGE_MM**3 / 12.0)


def test_waves_across_fibres_of_any_orientation_come_nearer_to_what_is_wanted(monkeypatch):
    """A front as steep as a detailed cell's; fitted to fewer waves than in production."""
    fewer_waves(monkeypatch)
    along = tune(0.6, MS, STEEP, EDGE_MM, DT_MS, transverse=0.25)[0]
    across = tune(0.3, MS, STEEP, EDGE_MM, DT_MS, transverse=1.375)[0]
    found = lattice.oriented(0.6, 0.3, (along, across), MS, STEEP, EDGE_MM, DT_MS)
    before, after = (
        lattice.orientation_errors(one, 0.6, 0.3, MS, STEEP, EDGE_MM, DT_MS, seed=3)
        for one in (lattice.uniform(along, across), found)
    )
    assert after["across"].std() < 0.5 * before["across"].std()
    assert np.abs(after["across"]).max() < 0.6 * np.abs(before["across"]).max()
    assert np.abs(after["along"]).max() < 0.03


def test_no_function_is_fitted_where_the_waves_stop_between_nodes(monkeypatch):
    monkeypatch.setattr(lattice, "_velocity", lambda *_: 0.0)
    assert lattice.oriented(0.05, 0.03, (0.004, 0.002), MS, STEEP, EDGE_MM, DT_MS) is None


def tilted_block(turn, origin):
    points, tets = lattice_block((4, 4, 4))
    return Mesh(EDGE_MM * points @ turn.T + origin, tets)


TURN = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
TURN *= np.sign(np.linalg.det(TURN))


@pytest.mark.parametrize("turn", [np.eye(3), TURN])
def test_a_mesh_of_the_lattice_is_known_by_its_tetrahedra(turn):
    """Also where it is tilted, as the slices that a heart was made of are."""
    mesh = tilted_block(turn, np.array([3.3, -7.1, 2.0]))
    frame = lattice.lattice_frame(mesh, EDGE_MM)
    turned = np.abs(frame.axes @ turn)
    assert turned == pytest.approx(np.round(turned), abs=1e-9)  # the axes, in any order and sign
    axis = lattice.alternating_axis(mesh.centroids, frame, EDGE_MM)
    for end, other in ((0, 1), (2, 3)):  # the long edges
        edges = (mesh.points[mesh.tets[:, end]] - mesh.points[mesh.tets[:, other]]) @ frame.axes.T
        assert np.abs(edges[range(len(axis)), axis]).max() < 1e-9
    assert lattice.lattice_frame(mesh, 1.01 * EDGE_MM) is None


def test_conductivity_turns_with_the_lattice():
    tensors = []
    for turn in (np.eye(3), TURN):
        mesh = tilted_block(turn, np.zeros(3))
        frame = lattice.lattice_frame(mesh, EDGE_MM)
        fibres = np.tile(turn @ [0.48, 0.6, 0.64], (len(mesh.tets), 1))
        axis = lattice.alternating_axis(mesh.centroids, frame, EDGE_MM)
        tensors.append(ANY.in_tetrahedra(fibres, axis, frame.axes))
    assert TURN @ tensors[0] @ TURN.T == pytest.approx(tensors[1])


def test_a_tissue_on_the_lattice_has_the_fitted_tensors_and_any_other_mesh_has_not(monkeypatch):
    fewer_waves(monkeypatch)
    settings = TissueSettings(cell_model=MS, border_zone_profile="structural")
    frame = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0].T
    heart = velocity.block_heart(EDGE_MM, frame, frame[0], 1)
    hearts = heart, block_heart((3, 3, 3), EDGE_MM)
    on, off = (make_tissue(one, Velocities(0.6, 0.3), settings, dt_ms=DT_MS) for one in hearts)
    part = on.oriented[0]
    assert off.oriented == ()
    assert np.array_equal(on.medium().sigma, part.conductivity.in_tetrahedra(heart.fibres, part.axis, part.axes))
    assert np.linalg.norm(on.medium().sigma.mean(axis=0) - part.conductivity.sigma(frame[:1])[0]) < 0.01
    assert on.sigma[0, 0] == pytest.approx(off.sigma[0, 0])
    assert abs(on.tuning_error["healthy, across"]) < 0.01
