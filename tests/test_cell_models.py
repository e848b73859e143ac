"""Each cell model against its equations, written a second time and integrated by a stiff solver."""

from functools import partial

import numpy as np
import pytest
from medium_blocks import single_cell
from scipy.integrate import solve_ivp

from cardiotwin.kernels.ionic import ten_tusscher_2006
from cardiotwin.monodomain import Protocol, Solver, Stimulus

START, DURATION, STRENGTH = 10.0, 1.0, 52.0


def mitchell_schaeffer(t, y):
    v, h = (y[0] + 80.0) / 100.0, y[1]
    stimulus = STRENGTH if START <= t < START + DURATION else 0.0
    dh = (1.0 - h) / 120.0 if v < 0.13 else -h / 150.0
    return [100.0 * (h * v**2 * (1.0 - v) / 0.3 - v / 6.0) + stimulus, dh]


def modified_mitchell_schaeffer(t, y):
    """As published in 2016: one threshold for both currents, and no outward current while the gate is open."""
    v, h = (y[0] + 80.0) / 100.0, y[1]
    stimulus = STRENGTH if START <= t < START + DURATION else 0.0
    dh = (1.0 - h) / 120.0 if v < 0.13 else -h / 150.0
    return [100.0 * (h * v * (v - 0.13) * (1.0 - v) / 0.3 - (1.0 - h) * v / 6.0) + stimulus, dh]


def ten_tusscher(t, y, endocardial=False):
    """As printed, one line an equation, rates and not steady states where the paper has rates."""
    V, xr1, xr2, xs, m, h, j, d, f, f2, fc, s, r, cai, casr, cass, rp, nai, ki = y
    e = np.exp
    rtf = 8314.472 * 310.0 / 96485.3415
    ena, ek = rtf * np.log(140.0 / nai), rtf * np.log(5.4 / ki)
    eks, eca = rtf * np.log((5.4 + 0.03 * 140) / (ki + 0.03 * nai)), 0.5 * rtf * np.log(2.0 / cai)
    ak1 = 0.1 / (1 + e(0.06 * (V - ek - 200)))
    bk1 = (3 * e(0.0002 * (V - ek + 100)) + e(0.1 * (V - ek - 10))) / (1 + e(-0.5 * (V - ek)))
    ik1, ito = 5.405 * ak1 / (ak1 + bk1) * (V - ek), (0.073 if endocardial else 0.294) * r * s * (V - ek)
    ikr, iks = 0.153 * xr1 * xr2 * (V - ek), 0.392 * xs**2 * (V - eks)
    ipk, ina, ibna = (
        0.0146 * (V - ek) / (1 + e((25 - V) / 5.98)),
        14.838 * m**3 * h * j * (V - ena),
        0.00029 * (V - ena),
    )
    inak = 2.724 * 5.4 / 6.4 * nai / (nai + 40) / (1 + 0.1245 * e(-0.1 * V / rtf) + 0.0353 * e(-V / rtf))
    inaca = 1000 * (e(0.35 * V / rtf) * nai**3 * 2 - e(-0.65 * V / rtf) * 140**3 * cai * 2.5)
    inaca /= (87.5**3 + 140**3) * (1.38 + 2) * (1 + 0.1 * e(-0.65 * V / rtf))
    ghk = 4 * (V - 15) * 96485.3415 / rtf * (0.25 * cass * e(2 * (V - 15) / rtf) - 2) / (e(2 * (V - 15) / rtf) - 1)
    ical, ibca, ipca = 3.98e-5 * d * f * f2 * fc * ghk, 0.000592 * (V - eca), 0.1238 * cai / (cai + 0.0005)
    kcasr = 2.5 - 1.5 / (1 + (1.5 / casr) ** 2)
    k1, k2 = 0.15 / kcasr, 0.045 * kcasr
    irel = 0.102 * k1 * cass**2 * rp / (0.06 + k1 * cass**2) * (casr - cass)
    iup, ileak, ixfer = 0.006375 / (1 + 0.00025**2 / cai**2), 0.00036 * (casr - cai), 0.0038 * (cass - cai)
    vc, vsr, vss, cap = 0.016404, 0.001094, 5.468e-5, 0.185 / 96485.3415
    dcai = (ileak - iup) * vsr / vc + ixfer - (ibca + ipca - 2 * inaca) * cap / (2 * vc)
    dcass = -ical * cap / (2 * vss) + irel * vsr / vss - ixfer * vc / vss
    high = V >= -40
    ah, bh = (0.0, 0.77 / (0.13 * (1 + e(-(V + 10.66) / 11.1)))) if high else (
        0.057 * e(-(V + 80) / 6.8), 2.7 * e(0.079 * V) + 3.1e5 * e(0.3485 * V))  # fmt: skip
    aj, bj = (0.0, 0.6 * e(0.057 * V) / (1 + e(-0.1 * (V + 32)))) if high else (
        (-25428 * e(0.2444 * V) - 6.948e-6 * e(-0.04391 * V)) * (V + 37.78) / (1 + e(0.311 * (V + 79.23))),
        0.02424 * e(-0.01052 * V) / (1 + e(-0.1378 * (V + 40.14))))  # fmt: skip
    tm = 1 / (1 + e((-60 - V) / 5)) * (0.1 / (1 + e((V + 35) / 5)) + 0.1 / (1 + e((V - 50) / 200)))
    td = (1.4 / (1 + e((-35 - V) / 13)) + 0.25) * 1.4 / (1 + e((V + 5) / 5)) + 1 / (1 + e((50 - V) / 20))
    tf = 1102.5 * e(-((V + 27) ** 2) / 225) + 200 / (1 + e((13 - V) / 10)) + 180 / (1 + e((V + 30) / 10)) + 20
    tf2 = 562 * e(-((V + 27) ** 2) / 240) + 31 / (1 + e((25 - V) / 10)) + 80 / (1 + e((V + 30) / 10))
    hinf, near = 1 / (1 + e((V + 71.55) / 7.43)) ** 2, 1 / (1 + (cass / 0.05) ** 2)
    sinf, ts = (1 / (1 + e((V + 28) / 5)), 1000 * e(-((V + 67) ** 2) / 1000) + 8) if endocardial else (
        1 / (1 + e((V + 20) / 5)), 85 * e(-((V + 45) ** 2) / 320) + 5 / (1 + e((V - 20) / 5)) + 3)  # fmt: skip
    stimulus = STRENGTH if START <= t < START + DURATION else 0.0
    return [
        stimulus - (ik1 + ito + ikr + iks + ipk + ina + ibna + inak + inaca + ical + ibca + ipca),
        (1 / (1 + e((-26 - V) / 7)) - xr1) / (450 / (1 + e((-45 - V) / 10)) * 6 / (1 + e((V + 30) / 11.5))),
        (1 / (1 + e((V + 88) / 24)) - xr2) / (3 / (1 + e((-60 - V) / 20)) * 1.12 / (1 + e((V - 60) / 20))),
        (1 / (1 + e((-5 - V) / 14)) - xs) / (1400 / np.sqrt(1 + e((5 - V) / 6)) / (1 + e((V - 35) / 15)) + 80),
        (1 / (1 + e((-56.86 - V) / 9.03)) ** 2 - m) / tm,
        (hinf - h) * (ah + bh),
        (hinf - j) * (aj + bj),
        (1 / (1 + e((-8 - V) / 7.5)) - d) / td,
        (1 / (1 + e((V + 20) / 7)) - f) / tf,
        (0.67 / (1 + e((V + 35) / 7)) + 0.33 - f2) / tf2,
        (0.6 * near + 0.4 - fc) / (80 * near + 2),
        (sinf - s) / ts,
        (1 / (1 + e((20 - V) / 6)) - r) / (9.5 * e(-((V + 40) ** 2) / 1800) + 0.8),
        dcai / (1 + 0.2 * 0.001 / (cai + 0.001) ** 2),
        (iup - irel - ileak) / (1 + 10 * 0.3 / (casr + 0.3) ** 2),
        dcass / (1 + 0.4 * 0.00025 / (cass + 0.00025) ** 2),
        0.005 * (1 - rp) - k2 * cass * rp,
        -(ina + ibna + 3 * inak + 3 * inaca) * cap / vc,
        -(ik1 + ito + ikr + iks - 2 * inak + ipk) * cap / vc,
    ]  # fmt: skip


def reference(equations, start, times):
    """(n_variables, n_times), in three pieces, so that the integrator cannot step over the stimulus."""
    y, pieces = np.array(start), []
    for begin, end in ((0.0, START), (START, START + DURATION), (START + DURATION, times[-1])):
        inside = times[(times >= begin) & (times <= end)]
        run = solve_ivp(equations, (begin, end), y, "LSODA", dense_output=True, rtol=1e-8, atol=1e-10, max_step=1.0)
        pieces.append(run.sol(inside)[:, (0 if begin == 0 else 1) :])
        y = run.y[:, -1]
    return np.concatenate(pieces, axis=1)


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
def test_a_single_cell_follows_its_equations(cell_model, equations, start):
    """Single precision and double, to within the first-order error of the time step."""
    times, single = potential(cell_model, 0.005, "single")
    _, double = potential(cell_model, 0.005, "double")
    truth = reference(equations, start, times)[0]
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
    truth = reference(partial(ten_tusscher, endocardial=True), start, run.snapshot_ms)
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
