"""Three detailed cell models against their authors' equations, solved by a stiff integrator, and published numbers."""

from dataclasses import replace
from functools import cache, partial

import equations_detailed
import numpy as np
import pytest
from medium_blocks import single_cell
from stiff_cells import stiff_beat

from cardiotwin.kernels.ionic import cell_model
from cardiotwin.monodomain import Protocol, Solver, Stimulus

START = 10.0
STIMULUS = {"courtemanche_1998": (20.0, 2.0), "ohara_rudy_2011": (80.0, 0.5), "tor_ord_2019": (53.0, 1.0)}
"""Strength (mV/ms) and duration (ms), the authors'."""
CELLS = [(model, kind) for model in STIMULUS for kind in cell_model(model).CELL_TYPES]
ONE_EACH = [cell for cell in CELLS if cell[1] in ("atrial", "endocardial")]


def initial(model, kind):
    return getattr(cell_model(model), "STEADY_STATES", {}).get(kind, cell_model(model).STATE)


def solver(model, kind, dt_ms, precision="double", tolerance_mv=0.0):
    medium = replace(single_cell(model, **cell_model(model).CELL_TYPES[kind]), initial=initial(model, kind))
    return Solver(medium, dt_ms, precision=precision, tolerance_mv=tolerance_mv)


def potential(model, kind, dt_ms, precision="double", tolerance_mv=0.0, end_ms=410.0, every_ms=1.0):
    strength, duration = STIMULUS[model]
    protocol = Protocol((Stimulus(np.arange(4), START, duration, strength),), end_ms)
    run = solver(model, kind, dt_ms, precision, tolerance_mv).run(
        protocol, snapshot_every_ms=every_ms, stop_when_quiet=False
    )[0]
    return run.snapshot_ms, run.snapshots[:, 0].astype(float)


@cache
def truth(model, kind, end_ms=410.0, every_ms=1.0):
    start, names = initial(model, kind), equations_detailed.ORDER[model].split()
    strength, duration = STIMULUS[model]
    times = every_ms * np.arange(round(end_ms / every_ms) + 1)
    equations = partial(getattr(equations_detailed, model), kind=kind)
    stimuli = [(START, duration, strength)]
    return times, stiff_beat(equations, [start[name] for name in names], stimuli, times, rtol=1e-7)[0]


def duration_ms(times, v, level_mv):
    """From the steepest upstroke to a level."""
    upstroke = np.gradient(v, times).argmax()
    below = upstroke + 100 + np.flatnonzero(v[upstroke + 100 :] < level_mv)[0]
    share = (v[below - 1] - level_mv) / (v[below - 1] - v[below])
    return times[below - 1] + share * (times[below] - times[below - 1]) - times[upstroke]


def activation_ms(times, v):
    """First crossing of 0 mV."""
    after = np.flatnonzero(v > 0.0)[0]
    return times[after] - v[after] / (v[after] - v[after - 1]) * (times[after] - times[after - 1])


def ninety_percent(v):
    return v[0] + 0.1 * (v.max() - v[0])


@pytest.mark.parametrize(("model", "kind"), CELLS)
@pytest.mark.slow
def test_a_single_cell_follows_its_authors_equations(model, kind):
    """At the production step, a beat in double and single precision; measured: 0.03 mV and 0.02 mV."""
    times, exact = truth(model, kind)
    double, single = (potential(model, kind, 0.02, precision)[1] for precision in ("double", "single"))
    away = np.abs(times - START - STIMULUS[model][1]) > 2.0
    assert np.abs(double - exact)[away].max() < 0.06
    assert np.abs(double - exact).max() < 0.6
    assert np.abs(single - double)[away].max() < 0.06
    assert exact.max() > 20.0


@pytest.mark.parametrize(("model", "kind"), ONE_EACH)
def test_the_error_falls_as_the_square_of_the_step(model, kind):
    """In the atrial cell release starts at a moment known to half a step, so there the plateau is of first order."""
    times, exact = truth(model, kind)
    dts_ms = 0.05 / 2.0 ** np.arange(3)
    errors = np.array([np.abs(potential(model, kind, dt_ms)[1] - exact) for dt_ms in dts_ms])
    for span in (times <= START + 3.0, (times > 50.0) & (times < 200.0)):
        worst = errors[:, span].max(axis=1)
        if model == "courtemanche_1998" and span[-1] == span[0]:
            assert (worst < 1.5 * dts_ms).all(), worst
        else:
            observed = np.polyfit(np.log(dts_ms), np.log(worst), 1)[0]
            assert 1.5 < observed < 2.7, worst


@pytest.mark.parametrize(
    ("model", "level", "apd_ms", "upstroke"),
    [
        # Text of the papers: APD90 and maximum dV/dt at 1 Hz; O'Hara's APD ends at 90 % of the resting potential.
        ("courtemanche_1998", ninety_percent, 299.0, 216.0),
        ("ohara_rudy_2011", lambda v: 0.9 * v[0], 271.0, 254.0),
        ("tor_ord_2019", ninety_percent, 271.0, 347.0),
    ],
)
def test_duration_and_upstroke_are_the_published_ones(model, level, apd_ms, upstroke):
    """Ventricular cells from their steady state; the atrial cell, whose first beat is 9 ms longer, in its second."""
    kind = "atrial" if model == "courtemanche_1998" else "endocardial"
    if kind == "atrial":
        stimuli = tuple(Stimulus(np.arange(4), START + 1000.0 * beat, 2.0, 20.0) for beat in range(2))
        cell = solver(model, kind, 0.01)
        _, paced = cell.run(Protocol(stimuli, 1000.0), stop_when_quiet=False)
        run, _ = cell.run(Protocol(stimuli, 1450.0), paced, snapshot_every_ms=0.1, stop_when_quiet=False)
        times, v = run.snapshot_ms, run.snapshots[:, 0].astype(float)
    else:
        times, v = potential(model, kind, 0.01, every_ms=0.1)
    fine, fine_v = potential(model, kind, 0.01, end_ms=13.0, every_ms=0.01)
    assert duration_ms(times, v, level(v)) == pytest.approx(apd_ms, rel=0.015)
    assert np.gradient(fine_v, fine).max() == pytest.approx(upstroke, rel=0.03)
    exact, exact_v = truth(model, kind, 13.0, 0.01)
    assert activation_ms(fine, fine_v) == pytest.approx(activation_ms(exact, exact_v), abs=0.01)


@pytest.mark.parametrize("model", ["ohara_rudy_2011", "tor_ord_2019"])
def test_cell_types_differ_as_the_authors_equations_do(model):
    """Mid-myocardial beats are 60 ms longer than endocardial ones, epicardial ones 35 ms shorter."""
    apd = {}
    for kind in cell_model(model).CELL_TYPES:
        ours, theirs = potential(model, kind, 0.02, "single", every_ms=0.1), truth(model, kind, every_ms=0.1)
        apd[kind], exact = (duration_ms(times, v, ninety_percent(v)) for times, v in (ours, theirs))
        assert apd[kind] == pytest.approx(exact, abs=0.3)
    assert apd["mid_myocardial"] == pytest.approx(apd["endocardial"] + 58.0, abs=5.0)
    assert apd["epicardial"] == pytest.approx(apd["endocardial"] - 38.0, abs=5.0)


@pytest.mark.parametrize(("model", "kind"), CELLS)
def test_long_steps_away_from_the_upstroke_change_little(model, kind):
    """Production: single precision, steps as long as the model says it bears; measured: 0.33 mV, 0.21 ms."""
    (times, exact), (_, some) = truth(model, kind), potential(model, kind, 0.02, "single", 0.25)
    level, away = ninety_percent(exact), np.abs(times - START - STIMULUS[model][1]) > 2.0
    assert duration_ms(times, some, level) == pytest.approx(duration_ms(times, exact, level), abs=0.5)
    assert 0.0 < np.abs(some - exact)[away].max() < 0.4


@pytest.mark.parametrize(("model", "kind"), CELLS)
def test_a_cycle_ends_where_it_began(model, kind):
    """At 1 Hz, all variables; the atrial cell, whose ions never settle, at rest."""
    strength, duration = STIMULUS[model]
    stimuli = () if kind == "atrial" else (Stimulus(np.arange(4), 0.0, duration, strength),)
    cell = solver(model, kind, 0.02)
    _, after = cell.run(Protocol(stimuli, 1000.0), stop_when_quiet=False)
    for variable, value in initial(model, kind).items():
        assert cell.variable(after, variable)[0] == pytest.approx(value, rel=3e-3, abs=1e-7), variable


@pytest.mark.parametrize(("model", "kind"), CELLS)
@pytest.mark.parametrize("dt_ms", [0.02, 0.05])
def test_fast_pacing_leaves_every_store_positive(model, kind, dt_ms):
    """The mid-myocardial cell of O'Hara and Rudy empties its store within 10 ms of a beat."""
    cell = solver(model, kind, dt_ms, "single", 0.25)
    stimuli = tuple(Stimulus(np.arange(4), 400.0 * beat, 1.0, 53.0) for beat in range(6))
    state, lowest = None, np.inf
    store = "Ca_rel" if model == "courtemanche_1998" else "Ca_jsr"
    for end_ms in np.arange(10.0, 2200.0, 10.0):
        run, state = cell.run(Protocol(stimuli, end_ms), state, stop_when_quiet=False)
        lowest = min(lowest, cell.variable(state, store).min())
    assert lowest > 0.0
    assert np.isfinite(run.activation_ms[5]).all()
    if (model, kind) == ("ohara_rudy_2011", "mid_myocardial"):
        assert lowest < 0.01


@pytest.mark.parametrize("model", STIMULUS)
def test_no_potential_divides_by_zero(model):
    """Where rates and driving terms are 0/0, and far away."""
    module = cell_model(model)
    for v in (0.0, -47.13, -14.1, 3.3328, 19.9, -10.0, 7.9, -40.0, 1e-7, -150.0, 120.0):
        cell = np.zeros(16 * (len(module.STATE) + len(module.PARAMETERS) + len(module.RATES)))
        cell[::16] = [*module.STATE.values(), *module.PARAMETERS.values(), *(0.0 for _ in module.RATES)]
        module.gates(cell, 0, v, 0.02)
        near = [module.ionic_current(cell.copy(), 0, v + dv, 0.02) for dv in (-1e-4, 0.0, 1e-4)]
        assert np.isfinite(cell).all()
        assert np.ptp(near) < 0.1 * max(1.0, abs(near[1]))


def test_the_chain_of_the_rapid_rectifier_keeps_its_channels_and_its_order():
    """At a fixed potential against the matrix exponential: second order, and no more channels than there were."""
    from scipy.linalg import expm

    from cardiotwin.kernels.ionic import tor_ord_2019 as model

    state = initial("tor_ord_2019", "endocardial")
    names = equations_detailed.ORDER["tor_ord_2019"].split()
    chain = [names.index(name) for name in ("c0", "c1", "c2", "o", "i")]
    y = np.array([state[name] for name in names])
    y[0] = 20.0
    rates = np.zeros((5, 5))
    for k in range(5):
        one = y.copy()
        one[chain] = np.eye(5)[k]
        rates[:, k] = np.array(equations_detailed.tor_ord_2019(one.tolist()))[chain]
    exact = expm(40.0 * rates) @ y[chain]
    errors = []
    for dt in (0.8, 0.4, 0.2):
        cell = np.zeros(16 * (len(model.STATE) + len(model.PARAMETERS) + 3))
        cell[::16] = [*state.values(), *model.PARAMETERS.values(), 0.0, 0.0, 0.0]
        for _ in range(round(40.0 / dt)):
            model.gates(cell, 0, 20.0, dt)
        end = cell[[model.C0, model.C1, model.C2, model.O_, model.I_]]
        assert end.sum() == pytest.approx(1.0, abs=1e-12)
        errors.append(np.abs(end - exact).max())
    assert np.polyfit(np.log([0.8, 0.4, 0.2]), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.2), errors
