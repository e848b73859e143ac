"""Each cell model against its equations, written a second time and integrated by a stiff solver."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from equations_detailed import ten_tusscher_2006 as ten_tusscher
from equations_simple import mitchell_schaeffer, modified_mitchell_schaeffer
from medium_blocks import block, single_cell
from stiff_cells import stiff_beat

from cardiotwin.kernels.ionic import MODELS, ten_tusscher_2006
from cardiotwin.monodomain import Protocol, Solver, Stimulus

START, DURATION, STRENGTH = STIMULUS = 10.0, 1.0, 52.0


def potential(cell_model, dt_ms, precision, end_ms=400.0, tolerance_mv=0.0):
    medium = single_cell(cell_model)
    solver = Solver(medium, dt_ms, precision=precision, tolerance_mv=tolerance_mv)
    protocol = Protocol((Stimulus(np.arange(4), START, DURATION, STRENGTH),), end_ms)
    activation = solver.run(protocol, snapshot_every_ms=1.0, stop_when_quiet=False)[0]
    return activation.snapshot_ms, activation.snapshots[:, 0].astype(float)


@pytest.mark.parametrize(
    ("cell_model", "equations", "start"),
    [
        ("mitchell_schaeffer", mitchell_schaeffer, [-80.0, 1.0]),
        ("modified_mitchell_schaeffer", modified_mitchell_schaeffer, [-80.0, 1.0]),
        ("ten_tusscher_2006", ten_tusscher, list(ten_tusscher_2006.STATE.values())),
    ],
)
@pytest.mark.slow
def test_a_single_cell_follows_its_equations(cell_model, equations, start):
    """Single precision and double, to within the first-order error of the time step."""
    times, single = potential(cell_model, 0.005, "single")
    _, double = potential(cell_model, 0.005, "double")
    truth = stiff_beat(equations, start, [STIMULUS], times)[0]
    away = np.abs(times - START - DURATION) > 2.0  # on the upstroke 0.005 ms is worth a millivolt
    assert np.abs(double - truth)[away].max() < 0.5
    assert np.abs(single - double)[away].max() < 0.4
    assert single.max() > 10.0


def test_the_modified_model_returns_to_rest_from_just_below_its_gate_and_the_original_fires():
    """What it was made for: a cell lifted to 90 % of the threshold, with little outward current, is no pacemaker."""
    highest = {}
    for model in ("mitchell_schaeffer", "modified_mitchell_schaeffer"):
        medium = single_cell(model, tau_in=0.3, tau_out=30.0)
        lift = Stimulus(np.arange(4), 0.0, 1.0, 0.9 * 13.0)
        run = Solver(medium, 0.01, precision="double").run(
            Protocol((lift,), 600.0), snapshot_every_ms=1.0, stop_when_quiet=False
        )[0]
        highest[model] = run.snapshots.max()
    assert highest["mitchell_schaeffer"] > 0.0
    assert highest["modified_mitchell_schaeffer"] < -80.0 + 13.0


def test_an_endocardial_cell_recovers_its_transient_outward_current_as_slowly_as_printed():
    """At rest its gate takes most of a second, that of an epicardial cell milliseconds: a premature beat shows it."""
    parameters = ten_tusscher_2006.CELL_TYPES["endocardial"]
    solver = Solver(single_cell("ten_tusscher_2006", **parameters), 0.01, precision="double", tolerance_mv=0.0)
    protocol = Protocol((Stimulus(np.arange(4), START, DURATION, STRENGTH),), 600.0)
    run, end = solver.run(protocol, snapshot_every_ms=1.0, stop_when_quiet=False)
    start = list(ten_tusscher_2006.STATE.values())
    truth = stiff_beat(partial(ten_tusscher, kind="endocardial"), start, [STIMULUS], run.snapshot_ms)
    away = np.abs(run.snapshot_ms - START - DURATION) > 2.0
    assert np.abs(run.snapshots[:, 0] - truth[0])[away].max() < 0.5
    gate = solver.variable(end, "s")[0]
    assert gate == pytest.approx(truth[11, -1], abs=0.01)
    assert 0.1 < gate < 0.5


def test_long_steps_away_from_the_upstroke_change_little():
    """At the production step; the largest difference is where repolarisation is steepest."""
    _, every = potential("ten_tusscher_2006", 0.02, "single")
    _, some = potential("ten_tusscher_2006", 0.02, "single", tolerance_mv=0.1)
    assert np.abs(every - some).max() < 1.0
    assert np.abs(every - some).max() > 0.0


def test_cell_types_differ_as_in_the_paper():
    """Endocardium has no notch; mid-myocardial action potentials are the longest."""
    duration = {}
    for kind, parameters in ten_tusscher_2006.CELL_TYPES.items():
        solver = Solver(single_cell("ten_tusscher_2006", **parameters), 0.02)
        run = solver.run(Protocol((Stimulus(np.arange(4), START, DURATION, STRENGTH),), 500.0), stop_when_quiet=False)[
            0
        ]
        duration[kind] = float(run.repolarisation_ms[0, 0] - run.activation_ms[0, 0])
    assert duration["mid_myocardial"] > duration["endocardial"] + 30.0
    assert duration["epicardial"] == pytest.approx(290.0, abs=15.0)


@pytest.mark.parametrize("precision", ["single", pytest.param("double", marks=pytest.mark.slow)])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.slow
def test_no_potential_that_a_stimulus_can_reach_is_too_much_for_a_model(model, precision):
    """From -200 to 200 mV, and a stimulus on top of that: pacing may hit tissue that has just been activated."""
    cells = block((40.0, 1.0, 1.0), 1.0, model, (1e-12, 1e-12, 1e-12))
    start_mv = np.linspace(-200.0, 200.0, len(cells.points))
    solver = Solver(replace(cells, initial={"V": start_mv}), 0.02, precision=precision)
    protocol = Protocol((Stimulus(np.arange(len(cells.points)), 0.5, 1.0, 50.0),), 5.0)
    state = solver.run(protocol, stop_when_quiet=False)[1]
    assert np.isfinite(solver.potential(state)).all()
