"""Four cell models of few variables: beats against an adaptive integrator, order, and what the papers say."""

import dataclasses
from functools import partial

import equations_simple
import numpy as np
import pytest
from medium_blocks import single_cell
from stiff_cells import stiff_beat

from cardiotwin.kernels.ionic import cell_model
from cardiotwin.meshes.reference.slab import box
from cardiotwin.monodomain import Protocol, Solver, Stimulus
from cardiotwin.solver.medium import Medium
from cardiotwin.tissue.velocity import plane_wave_velocity, tune

STARTS, DURATION, STRENGTH, END = (10.0, 550.0), 2.0, 25.0, 1000.0  # ms, mV/ms; the second beat finds gates on the way


MODELS = ("aliev_panfilov", "fenton_karma", "bueno_orovio_2008", "luo_rudy_1991")
CELLS = [(name, kind) for name in MODELS for kind in getattr(cell_model(name), "CELL_TYPES", {"": {}})]
JUMPING = ("fenton_karma", "bueno_orovio_2008")
SINGLE_MV = {("bueno_orovio_2008", "mid_myocardial"): 2.0}  # 1 ms of 420, see the module
every_model = pytest.mark.parametrize("name", MODELS)


def truth(name, kind, times):
    """By LSODA, but where the equations jump, for there it may never find a longer step again; those are not stiff."""
    equations = partial(getattr(equations_simple, name), **({"kind": kind} if kind else {}))
    stimuli = [(start, DURATION, STRENGTH) for start in STARTS if start < times[-1]]
    start = list(cell_model(name).STATE.values())
    return stiff_beat(equations, start, stimuli, times, "DOP853" if name in JUMPING else "LSODA")[0]


def potential(name, kind="", dt_ms=0.02, precision="double", tolerance_mv=0.0, end_ms=END):
    medium = single_cell(name, **getattr(cell_model(name), "CELL_TYPES", {"": {}}).get(kind, {}))
    solver = Solver(medium, dt_ms, precision=precision, tolerance_mv=tolerance_mv)
    beats = tuple(Stimulus(np.arange(4), start, DURATION, STRENGTH) for start in STARTS)
    seen = solver.run(Protocol(beats, end_ms), snapshot_every_ms=1.0, stop_when_quiet=False)[0]
    return seen.snapshot_ms, seen.snapshots[:, 0].astype(float)


def started_at(name, mv):
    return dataclasses.replace(single_cell(name), initial={"V": mv})


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_two_beats_follow_the_printed_equations(name, kind):
    """At the production step, 4 ms from a stimulus on: the upstroke is a matter of the order."""
    times, double = potential(name, kind)
    single = potential(name, kind, precision="single")[1]
    exact = truth(name, kind, times)
    away = np.all([(times < start) | (times > start + 4.0) for start in STARTS], axis=0)
    assert np.abs(double - exact)[away].max() < 0.4
    assert np.abs(single - exact)[away].max() < SINGLE_MV.get((name, kind), 0.4)
    assert exact.max() > 10.0
    assert exact[(times > 550) & (times < 570)].max() > 0.0


@every_model
def test_the_step_is_of_second_order(name):
    """Over a beat, the upstroke included. With still smaller steps the models whose currents jump get no better."""
    steps, times = np.array([0.04, 0.02, 0.01]), np.arange(0.0, 401.0)
    exact = truth(name, "", times)
    errors = [np.sqrt(np.mean((potential(name, "", dt, end_ms=400.0)[1] - exact) ** 2)) for dt in steps]
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order == pytest.approx(2.0, abs=0.4), f"errors {errors}"


@every_model
def test_rest_is_rest(name):
    """Unstimulated for a second; 1e-3 mV is what single precision makes of it."""
    for precision in ("single", "double"):
        solver = Solver(single_cell(name), 0.02, precision=precision, tolerance_mv=0.0)
        after = solver.run(Protocol((), 1000.0), stop_when_quiet=False)[1]
        assert solver.potential(after) == pytest.approx(cell_model(name).REST_MV, abs=1e-3)
        for variable, value in cell_model(name).STATE.items():
            if (name, variable) != ("bueno_orovio_2008", "s"):  # which the paper lets start from 0
                assert solver.variable(after, variable) == pytest.approx(value, rel=1e-4, abs=1e-9), variable


@pytest.mark.parametrize(("name", "threshold_mv"), [
    ("aliev_panfilov", -80 + 100 * 0.15),
    ("fenton_karma", -85 + 100 * 0.13),
    ("bueno_orovio_2008", -84 + 85.7 * 0.3),
])  # fmt: skip
def test_a_cell_fires_from_its_threshold_on(name, threshold_mv):
    """a, u_c, theta_v: one millivolt below it the cell returns to rest, one above it fires."""
    for offset, fires in ((-1.0, False), (1.0, True)):
        solver = Solver(started_at(name, threshold_mv + offset), 0.02, precision="double")
        seen = solver.run(Protocol((), 100.0), stop_when_quiet=False)[0]
        assert np.isfinite(seen.activation_ms[0]).all() == fires


@every_model
def test_no_potential_a_stimulus_could_cause_is_a_division_by_zero(name):
    """Single precision, where numbers end at 3e38; -47.13 and -77 mV are the singular points of Luo and Rudy."""
    for mv in (-150.0, -110.0, -100.0, -77.0, -47.13, -40.0, 0.0, 150.0):
        solver = Solver(started_at(name, mv), 0.02, precision="single", tolerance_mv=0.0)
        assert np.abs(solver.potential(solver.run(Protocol((), 20.0), stop_when_quiet=False)[1])).max() < 200.0


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_long_steps_away_from_the_upstroke_change_little(name, kind):
    """Steps as long as the model says it bears, in double precision, against 0.005 ms throughout."""
    times, exact = potential(name, kind, 0.005, end_ms=500.0)
    some = potential(name, kind, tolerance_mv=0.25, end_ms=500.0)[1]
    away = (times < STARTS[0]) | (times > STARTS[0] + 4.0)
    assert 0.0 < np.abs(some - exact)[away].max() < 0.4


@every_model
def test_a_conductivity_is_found_for_a_velocity(name):
    sigma, error = tune(0.6, name, {}, 0.5, 0.02)
    assert abs(error) < 0.005
    reached = plane_wave_velocity(sigma, name, {}, 0.5, 0.02, precision="double", expected=0.6)
    assert reached == pytest.approx(0.6, rel=0.01)


@pytest.mark.parametrize(
    ("kind", "duration_ms"), [("epicardial", 269.0), ("endocardial", 260.0), ("mid_myocardial", 410.0)]
)
def test_the_minimal_ventricle_has_the_durations_of_its_paper(kind, duration_ms):
    """APD90 at 1 Hz in tissue with D = 1.171 cm²/s, table 2 of Bueno-Orovio et al."""
    mesh = box((10.0, 0.2, 0.2), (50, 1, 1))
    same = np.arange(len(mesh.points)) // 4 * 4
    medium = Medium(mesh.points, mesh.tets, np.zeros((len(mesh.tets), 3, 3)), "bueno_orovio_2008", {}, same)
    sigma = np.tile(0.1171 * medium.capacity * np.eye(3), (len(mesh.tets), 1, 1))
    medium = dataclasses.replace(medium, sigma=sigma, parameters=cell_model("bueno_orovio_2008").CELL_TYPES[kind])
    solver = Solver(medium, 0.02, tolerance_mv=0.0, threads=1)
    beats = tuple(Stimulus(np.flatnonzero(mesh.points[:, 0] < 1.0), 1000.0 * beat) for beat in range(3))
    seen = solver.run(Protocol(beats, 2600.0), snapshot_every_ms=0.5, stop_when_quiet=False)[0]
    last = seen.snapshots[seen.snapshot_ms >= 2000.0, np.argmin(np.abs(mesh.points[:, 0] - 7.0))]
    beat = np.flatnonzero(last > last.min() + 0.1 * np.ptp(last))
    assert 0.5 * (beat[-1] - beat[0]) == pytest.approx(duration_ms, rel=0.01)


def test_luo_and_rudy_have_the_reversal_potentials_of_their_paper():
    """54.4 and -77 mV as printed; Nernst's equation at 310 K gives half a millivolt more."""
    model = cell_model("luo_rudy_1991")
    assert pytest.approx(54.4, abs=0.6) == model.E_Na
    assert pytest.approx(-77.0, abs=0.6) == model.E_K


def test_luo_and_rudy_are_smooth_where_their_equations_read_nought_over_nought():
    model = cell_model("luo_rudy_1991")
    for mv in (-47.13, -77.0):
        seen = []
        for V in (mv - 0.02, mv, mv + 0.02):
            cell = np.zeros(16 * 14)
            cell[::16] = [*model.STATE.values(), *model.PARAMETERS.values()]
            model.gates(cell, 0, V, 0.02)
            seen.append((cell[model.M], model.ionic_current(cell, 0, V, 0.02)))
        before, at, after = np.array(seen)
        assert at == pytest.approx(0.5 * (before + after), rel=1e-5)
