"""Stabilised and implicit diffusion: what one step does, its order, its stability, and the choice among schemes."""

import dataclasses

import numba
import numpy as np
import pytest
from medium_blocks import block, left_end
from scipy.special import eval_legendre
from test_diffusion import dense, jiggled

from cardiotwin.errors import InputRejected, QualityGate, SettingsError
from cardiotwin.kernels.implicit import THETA
from cardiotwin.kernels.ionic import MODELS, cell_model, width
from cardiotwin.kernels.lanes import LANES
from cardiotwin.kernels.stabilised import bears, stages_for
from cardiotwin.meshes.reference.slab import lattice_bar
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus
from cardiotwin.solver import diffusion as schemes
from cardiotwin.verification.exact import observed_order, pathmanathan_gray_error

OTHERS = ("stabilised", "implicit")
FINE = block((6.0, 1.0, 1.0), 0.1, sigma=(0.3, 0.3, 0.3))
PROTOCOL = Protocol((Stimulus(left_end(FINE, 1.0), 0.0),), 30.0)


def passive(diffusion, dt_ms=0.05, precision="double"):
    """A shaken mesh, some of whose couplings are negative, in which nothing flows but by diffusion; and V to start."""
    points, tets, sigma = jiggled()
    medium = Medium(points, tets, 0.2 * sigma, "pathmanathan_gray", {})
    solver = Solver(medium, dt_ms, precision=precision, tolerance_mv=0.0, diffusion=diffusion)
    wave = np.random.default_rng(3).standard_normal(len(points))
    state = solver.with_variable(solver.with_variable(solver.rest(), "V", wave), "u2", 0.0 * wave)
    return solver, state, wave


def operator_and_places(solver):
    return dense(solver._operator, solver.n_unknowns), solver.place


def stepped(solver, state, n_steps=1):
    return solver.potential(solver.run(Protocol((), n_steps * solver.dt_ms), state, stop_when_quiet=False)[1])


def test_a_stabilised_step_is_the_polynomial_of_the_paper():
    """Meyer, Balsara and Aslam 2014: every mode is multiplied by a_s + b_s P_s(1 + w z)."""
    solver, state, wave = passive("stabilised")
    A, place = operator_and_places(solver)
    s = solver.stages
    assert s > 3, "the test wants a step that is no small one"
    rates, modes = np.linalg.eig(A)
    b = (s * s + s - 2) / (2 * s * (s + 1))
    factor = 1 - b + b * eval_legendre(s, 1 + 4 / (s * s + s - 2) * solver.dt_ms * rates.real)
    ordered = np.empty(solver.n_unknowns)
    ordered[place] = wave
    expected = (modes @ (factor * np.linalg.solve(modes, ordered))).real[place]
    assert stepped(solver, state) == pytest.approx(expected, abs=1e-10)


def test_implicit_steps_are_those_of_ascher_ruuth_and_wetton():
    """(V_{n+1} - V_n)/dt = A (9 V_{n+1} + 6 V_n + V_{n-1})/16; the node before the first is the first."""
    solver, state, wave = passive("implicit")
    A, place = operator_and_places(solver)
    before = now = np.empty(solver.n_unknowns)
    now[place] = wave
    identity = np.eye(len(now))
    for _ in range(3):
        right = now + solver.dt_ms * A @ (6.0 * now + before) / 16.0
        before, now = now, np.linalg.solve(identity - 9.0 / 16.0 * solver.dt_ms * A, right)
    assert stepped(solver, state, 3) == pytest.approx(now[place], abs=1e-7)
    assert THETA == 9.0 / 16.0


@pytest.mark.parametrize("ratio", [0.1, 1.0, 2.5, 2.6, 13.5, 1000.0])
def test_the_stages_damp_all_that_gershgorin_allows(ratio):
    s = stages_for(ratio)
    assert s % 2 == 1
    assert bears(s) >= ratio
    assert s == 3 or bears(s - 2) < ratio
    b = (s * s + s - 2) / (2 * s * (s + 1))
    decay = np.linspace(0.0, 2.0 * ratio, 10_001)  # dt times the rate of a mode
    factor = np.abs(1 - b + b * eval_legendre(s, 1 - 4 / (s * s + s - 2) * decay))
    assert factor.max() <= 1.0
    assert factor[-1] < 1.0


@pytest.mark.parametrize("diffusion", OTHERS)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_random_noise_dies_away_however_long_the_step(diffusion, precision):
    """1 ms, more than 50 times what an explicit step bears."""
    solver, state, wave = passive(diffusion, 1.0, precision)
    assert solver._operator.leak.max() > 50.0
    assert np.ptp(stepped(solver, state, 10)) < 0.1 * np.ptp(wave)
    assert np.ptp(stepped(solver, state, 40)) < 1e-3 * np.ptp(wave)


@pytest.mark.parametrize("diffusion", OTHERS)
def test_the_order_is_two_where_time_and_space_are_refined_together(diffusion):
    """The explicit steps are of first order there."""
    sizes = [20, 40, 80, 160]
    errors = [pathmanathan_gray_error(1, n, diffusion=diffusion, n_steps=n // 10) for n in sizes]
    assert 1.9 < observed_order(sizes, errors) < 2.1, f"errors {errors}"
    explicit = [pathmanathan_gray_error(1, n, n_steps=n // 10) for n in sizes]
    assert observed_order(sizes, explicit) < 1.2
    assert errors[-1] < 0.2 * explicit[-1]


def activation_ms(medium, dt_ms, **how):
    return Solver(medium, dt_ms, threads=1, **how).run(PROTOCOL)[0].activation_ms[0]


@pytest.mark.parametrize("diffusion", OTHERS)
def test_all_schemes_find_the_same_wave_in_small_steps_and_these_find_it_in_large_ones(diffusion):
    small = activation_ms(FINE, 0.003, diffusion="explicit", tolerance_mv=0.0)
    assert np.isfinite(small).all()
    assert activation_ms(FINE, 0.003, diffusion=diffusion) == pytest.approx(small, abs=0.01)
    large = activation_ms(FINE, 0.05, diffusion=diffusion)
    assert np.abs(large - small).max() < 0.02
    assert np.abs(activation_ms(FINE, 0.05, diffusion="explicit") - small).max() > 2.0 * np.abs(large - small).max()


@pytest.mark.parametrize("diffusion", OTHERS)
def test_cells_that_are_evaluated_as_needed_keep_time_over_a_whole_beat(diffusion):
    """Were the current of a quiet time not made good at its end, the action potential would end 0.27 ms late."""
    medium = block((18.0, 6.0, 6.0), 1.0, "ten_tusscher_2006", (0.4, 0.4, 0.4))
    protocol = Protocol((Stimulus(left_end(medium), 0.0),), 420.0)
    every, needed = (
        Solver(medium, 0.04, diffusion=diffusion, **more).run(protocol, stop_when_quiet=False)[0]
        for more in ({"tolerance_mv": 0.0}, {})
    )
    assert np.isfinite(every.repolarisation_ms[0]).all()
    assert np.abs(needed.activation_ms[0] - every.activation_ms[0]).max() < 0.05
    assert abs(np.mean(needed.repolarisation_ms[0] - every.repolarisation_ms[0])) < 0.1
    assert not np.array_equal(every.repolarisation_ms, needed.repolarisation_ms)


def same(first, second):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("diffusion", OTHERS)
def test_a_run_cut_anywhere_goes_on_as_if_it_had_not_been(diffusion):
    solver = Solver(FINE, 0.05, diffusion=diffusion, threads=1)
    whole, end = solver.run(PROTOCOL)
    for cut_ms in (0.35, 11.05):
        part, state = solver.run(Protocol(PROTOCOL.stimuli, cut_ms))
        resumed, resumed_end = solver.run(PROTOCOL, state)
        assert same(end.tiles, resumed_end.tiles)
        assert np.array_equal(whole.activation_ms, resumed.activation_ms, equal_nan=True)
        assert np.nanmax(part.activation_ms, initial=0.0) <= cut_ms


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one core")
@pytest.mark.parametrize("diffusion", OTHERS)
def test_the_number_of_threads_changes_nothing(diffusion):
    protocol = Protocol(PROTOCOL.stimuli, 8.0)
    one, two = (Solver(FINE, 0.05, diffusion=diffusion, threads=n).run(protocol)[1] for n in (1, 2))
    assert same(one.tiles, two.tiles)


def test_a_state_of_one_scheme_is_not_taken_for_one_of_another():
    explicit, *others = (Solver(FINE, 0.05, diffusion=name) for name in ("explicit", *OTHERS))
    for other in others:
        with pytest.raises(InputRejected, match="belongs to another"):
            other.run(PROTOCOL, explicit.rest())


@pytest.mark.parametrize("diffusion", OTHERS)
def test_what_is_not_finite_is_told_by_node_before_diffusion_spreads_it(diffusion):
    tau_in = np.full(len(FINE.points), 0.3)
    tau_in[700] = 0.0  # a current of 0/0
    medium = Medium(FINE.points, FINE.tets, FINE.sigma, FINE.cell_model, {"tau_in": tau_in})
    with pytest.raises(QualityGate, match=r"node 700: V reached nan at 0\.05 ms"):
        Solver(medium, 0.05, diffusion=diffusion).run(PROTOCOL)


def test_iterations_that_do_not_end_are_told_too(monkeypatch):
    monkeypatch.setattr(schemes, "MOST_ITERATIONS", 2)
    with pytest.raises(QualityGate, match=r"not converged.*stabilised"):
        Solver(FINE, 0.2, diffusion="implicit").run(PROTOCOL)


@pytest.mark.parametrize("diffusion", OTHERS)
def test_a_periodic_lattice_stays_flat_across(diffusion):
    bar = lattice_bar(60, 0.25)
    sigma = np.tile(0.4 * np.eye(3), (len(bar.tets), 1, 1))
    medium = Medium(bar.points, bar.tets, sigma, "mitchell_schaeffer", {}, bar.same_as)
    protocol = Protocol((Stimulus(np.flatnonzero(bar.points[:, 0] < 1.0), 0.0),), 40.0)
    found, expected = (
        Solver(medium, dt_ms, diffusion=scheme).run(protocol)[0].activation_ms[0]
        for dt_ms, scheme in ((0.1, diffusion), (0.01, "explicit"))
    )
    assert np.array_equal(np.isfinite(found), np.isfinite(expected))
    assert np.isfinite(expected).mean() > 0.9
    assert np.nanmax(np.abs(found - expected)) < 0.1


def crushed(medium, node_mm, flat_mm):
    """One node moved to within so many mm of another: a handful of flat tetrahedra."""
    points = medium.points.copy()
    node = int(np.argmin(np.abs(points - node_mm).sum(axis=1)))
    others = np.delete(points, node, axis=0)
    nearest = others[np.argmin(np.abs(others - node_mm).sum(axis=1))]
    points[node] = nearest + flat_mm * (points[node] - nearest) / np.linalg.norm(points[node] - nearest)
    return Medium(points, medium.tets, medium.sigma, medium.cell_model, {})


@pytest.mark.parametrize("diffusion", OTHERS)
def test_a_sliver_does_not_blow_up_and_costs_no_accuracy(diffusion):
    """An explicit step here takes 200 substeps in the tiles around it; in steps a tenth as long they are 20."""
    medium = crushed(block((6.0, 2.0, 2.0), 0.5), (3.0, 1.0, 1.0), 2e-4)
    protocol = Protocol((Stimulus(left_end(medium, 1.0), 0.0),), 60.0)
    assert Solver(medium, 0.1, diffusion="explicit").substeps > 100
    found, expected = (
        Solver(medium, dt_ms, diffusion=scheme, tolerance_mv=0.0).run(protocol)[0].activation_ms[0]
        for dt_ms, scheme in ((0.1, diffusion), (0.01, "explicit"))
    )
    assert np.isfinite(found).all()
    assert np.abs(found - expected).max() < 0.1


class Tuned:
    """A tissue, as far as a solver cares."""

    def medium(self):
        return FINE


def test_the_cheapest_scheme_that_does_is_chosen_and_named():
    coarse = block((6.0, 2.0, 2.0), 0.5)
    assert Solver(coarse, 0.05).diffusion == "explicit"
    assert Solver(crushed(coarse, (3.0, 1.0, 1.0), 0.02), 0.05).diffusion == "explicit", "a few substeps cost little"
    fine = Solver(FINE, 0.05)
    assert (fine.diffusion, fine.stages, fine.substeps) == ("stabilised", 7, 1)
    assert Solver(FINE, 0.005).diffusion == "explicit"
    sliver = Solver(crushed(FINE, (3.0, 0.5, 0.5), 1e-5), 0.05)
    assert sliver.diffusion == "implicit"
    assert sliver.stages == 0
    assert sliver.work["implicit"].passes == pytest.approx(fine.work["implicit"].passes, rel=0.2)
    assert sliver.work["stabilised"].passes > 5 * fine.work["stabilised"].passes
    assert Solver(Tuned(), 0.05).diffusion == "explicit", "velocities were tuned with it"
    assert Solver(Tuned(), 0.05, diffusion="stabilised").diffusion == "stabilised"
    assert Solver(FINE, 0.05, order=1).diffusion == "explicit"


def test_what_cannot_be_had_is_refused():
    with pytest.raises(SettingsError, match="expected one of auto, explicit, stabilised, implicit"):
        Solver(FINE, 0.05, diffusion="crank_nicolson")
    for diffusion in OTHERS:
        with pytest.raises(SettingsError, match="second order"):
            Solver(FINE, 0.05, order=1, diffusion=diffusion)
    small = block((2.0, 0.5, 0.5), 0.25)
    consistent = Medium(small.points, small.tets, 10 * small.sigma, small.cell_model, {}, mass_lumping=0.0)
    with pytest.raises(SettingsError, match="lumped mass"):
        Solver(consistent, 0.05, diffusion="implicit")
    assert Solver(consistent, 0.05).diffusion == "stabilised"
    end = Solver(consistent, 0.05).run(Protocol((Stimulus(left_end(small, 0.5), 0.0),), 5.0))[1]
    assert np.isfinite(end.tiles.cells).all()


@pytest.mark.parametrize("sigma", [0.15, 0.3])
@pytest.mark.parametrize("edge_mm", [0.25, 0.5])
@pytest.mark.parametrize("model", ["mitchell_schaeffer", "fenton_karma", "bueno_orovio_2008"])
def test_cells_have_their_share_of_the_longest_explicit_step(model, edge_mm, sigma):
    """Diffusion and the ionic current, each stable by itself, made such waves beat 2 to 16 times, or run away."""
    medium = block((8.0, 1.0, 1.0), edge_mm, model, sigma=(sigma, sigma, sigma))
    solver = Solver(medium, cell_model(model).LONGEST_DT_MS, threads=1, diffusion="explicit")
    activation, _ = solver.run(Protocol((Stimulus(left_end(medium), 0.0),), 150.0))
    assert activation.activation_ms.shape[0] == 1
    assert np.isfinite(activation.activation_ms).all()


def test_implicit_steps_begin_in_tissue_that_rests_exactly():
    medium = block((6.0, 2.0, 2.0), 0.5)
    times = []
    for start_ms in (0.0, 1.0):
        solver = Solver(medium, 0.1, diffusion="implicit")
        activation, _ = solver.run(Protocol((Stimulus(left_end(medium), start_ms),), 40.0))
        times.append(activation.activation_ms[0])
    np.testing.assert_allclose(times[1], times[0] + 1.0, atol=0.02)


def test_cells_of_different_action_potentials_side_by_side_repolarise_on_time():
    """A transmural wedge; every node in every step is the truth. Diffusion cut short in long steps made it 6 ms."""
    medium = block((12.0, 0.4, 0.4), 0.2, "ten_tusscher_2006", sigma=(0.13, 0.13, 0.13))
    x, types = medium.points[:, 0], cell_model("ten_tusscher_2006").CELL_TYPES
    names = {name for kind in types.values() for name in kind}
    parameters = {name: np.full(len(x), cell_model("ten_tusscher_2006").PARAMETERS[name]) for name in names}
    for kind, here in (("endocardial", x < 4.0), ("mid_myocardial", (x >= 4.0) & (x < 8.0))):
        for name, value in types[kind].items():
            parameters[name][here] = value
    wedge = dataclasses.replace(medium, parameters=parameters)
    ends = []
    for tolerance_mv in (0.0, 0.25):
        solver = Solver(wedge, 0.02, threads=1, tolerance_mv=tolerance_mv, diffusion="explicit")
        ends.append(solver.run(Protocol((Stimulus(left_end(medium, 1.0), 1.0),), 400.0))[0].repolarisation_ms[0])
    assert np.ptp(ends[0]) > 20.0
    assert np.abs(ends[1] - ends[0]).max() < 0.15


@pytest.mark.parametrize("model", MODELS)
def test_the_steepest_slope_of_the_ionic_current_is_what_a_model_says(model):
    """Found by differences in a beat stepped in the interpreter, gates first."""
    cell, dt_ms, found = cell_model(model), 0.02, 0.0
    row = np.zeros(LANES * width(cell))
    given = [*cell.STATE.values(), *cell.PARAMETERS.values()]
    row[: LANES * len(given) : LANES] = given
    with np.errstate(all="ignore"):
        for step in range(round((30.0 if len(cell.STATE) < 5 else 6.0) / dt_ms)):
            v = row[0]
            cell.gates(row, 0, v, dt_ms)
            slope = cell.ionic_current(row.copy(), 0, v + 0.5, 0.0) - cell.ionic_current(row.copy(), 0, v - 0.5, 0.0)
            found = max(found, slope)
            stimulus = 50.0 if 2.0 <= step * dt_ms < 3.0 else 0.0
            row[0] = v + dt_ms * (stimulus - cell.ionic_current(row, 0, v, dt_ms))
    assert found <= cell.STEEPEST_PER_MS <= 1.2 * found
