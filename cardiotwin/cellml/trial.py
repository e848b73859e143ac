"""A beat of an imported cell model, by its equations and by its source: what to tell of it, and whether to trust it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from cardiotwin.cellml.equations import rates
from cardiotwin.cellml.reading import Membrane, Variable
from cardiotwin.errors import QualityGate
from cardiotwin.kernels.ionic import cell_model
from cardiotwin.kernels.monodomain import REARMED_MV
from cardiotwin.solver.longest_step import APD_ERROR, HIGHEST_MV, longest_dt_ms, single_cell, steepest_per_ms
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.solver.simulation import QUIET_MV
from cardiotwin.solver.solver import Solver

START_MS, DURATION_MS, END_MS = 10.0, 2.0, 1000.0
STRENGTHS_MV_PER_MS = (20.0, 35.0)
"""Of the stimulus; the second where the first starts no beat. Alone even that lifts a resting cell to -15 mV only."""
STEP_MS = 0.02
"""The step every model must bear, that of `simulate` and `induce`."""
SHORTER_STEPS_MS = (0.01, 0.005, 0.002, 0.001)
"""Tried to tell what a model bears that is refused."""
QUIET_STEPS_MS = (0.4, 0.2, 0.1, 0.04)
QUIET_ERROR_MV = 1.0
"""How much the long steps of quiet tissue may change a beat."""
MOST_EVALUATIONS = 400_000
"""Of the equations in a beat; a beat of O'Hara-Rudy takes 10,000."""


@dataclass(frozen=True, eq=False)
class Beat:
    """A beat at one-millisecond intervals.

    Attributes
    ----------
    ms, mv : (n,) float64
    rest_mv : float
        At its end.
    repolarised_mv : float
        Where 90 % of the amplitude is lost.
    apd90_ms : float
        From the upward crossing of 0 mV to there; NaN where it does not get there.
    """

    ms: np.ndarray
    mv: np.ndarray
    rest_mv: float
    repolarised_mv: float
    apd90_ms: float


@dataclass(frozen=True, eq=False)
class Reference:
    """A beat by a stiff integrator with an error control.

    Attributes
    ----------
    beat : Beat
    strength_mv_per_ms : float
        Of the stimulus that started it.
    fastest_per_ms : dict of state to float
        How fast each state variable decays at most, by its own derivative.
    cycle_ms : float
        Between beats of a cell that beats by itself; infinite for others.
    """

    beat: Beat
    strength_mv_per_ms: float
    fastest_per_ms: dict[Variable, float]
    cycle_ms: float


def reference(membrane: Membrane) -> Reference:
    """A beat of the equations themselves, as Myokit writes them, from the initial values in the file.

    Raises
    ------
    QualityGate
        It cannot be integrated, or it is no action potential: the potential does not cross 0 mV, or does not return.
    """
    rate = rates(membrane)
    initial = np.array([state.initial_value(as_float=True) for state in membrane.states])
    for strength in STRENGTHS_MV_PER_MS:
        ms, states = _integrated(rate, initial, strength)
        mv = states[0]
        lifted = mv[int(START_MS)] + strength * DURATION_MS  # by the stimulus alone, at most
        if mv.max() > max(lifted, 0.0) and mv.min() < REARMED_MV:
            break
    else:
        raise QualityGate(
            f"a stimulus of {strength:g} mV/ms for {DURATION_MS:g} ms moves the potential from {mv[0]:.1f} mV between "
            f"{mv.min():.1f} and {mv.max():.1f} mV: no action potential, which for the solver starts below "
            f"{REARMED_MV:g} mV and crosses 0 mV"
        )
    cycle = _cycle(ms, mv)
    if mv[-1] > REARMED_MV and not np.isfinite(cycle):
        raise QualityGate(
            f"after a beat the potential does not return: {END_MS - START_MS:g} ms later it is {mv[-1]:.1f} mV, and "
            f"for the solver a beat ends below {REARMED_MV:g} mV. Check the units of dV/dt in the file"
        )
    fastest = _fastest(rate, ms, states)
    beat = measured(ms, mv, float(mv.min()) if np.isfinite(cycle) else float(mv[-1]))
    return Reference(beat, strength, dict(zip(membrane.states, fastest, strict=True)), cycle)


def _cycle(ms: np.ndarray, mv: np.ndarray) -> float:
    """The longest time between two beats; as in the solver, one begins only where the last has fallen below -20 mV."""
    begun, armed = [], True
    for k in range(1, len(mv)):
        if armed and mv[k - 1] < 0.0 <= mv[k]:
            begun.append(ms[k])
            armed = False
        armed |= bool(mv[k] < REARMED_MV)
    return float(np.diff(begun).max()) if len(begun) > 1 else float("inf")


def _integrated(
    rate: Callable[[float, np.ndarray, float], list[float]], initial: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """In three pieces, so that the integrator cannot step over the stimulus."""
    ms = np.arange(0.0, END_MS + 0.5, 1.0)
    calls = iter(range(MOST_EVALUATIONS))

    def counted(t: float, y: np.ndarray, stimulus: float) -> list[float]:
        if next(calls, None) is None:
            raise ArithmeticError(f"more than {MOST_EVALUATIONS:,} evaluations at {t:.3g} ms")
        return rate(t, y, stimulus)

    scale = np.maximum(np.abs(initial), 1e-5)
    y, pieces = initial, []
    ends = ((0.0, START_MS, 0.0), (START_MS, START_MS + DURATION_MS, strength), (START_MS + DURATION_MS, END_MS, 0.0))
    for begin, end, stimulus in ends:
        inside = ms[(ms > begin) & (ms <= end)] if begin else ms[ms <= end]
        try:
            run = solve_ivp(
                counted, (begin, end), y, "LSODA", t_eval=inside, args=(stimulus,), rtol=1e-6, atol=1e-7 * scale,
                max_step=2.0,
            )  # fmt: skip
        except (ArithmeticError, ValueError) as error:
            raise QualityGate(
                f"the equations cannot be integrated between {begin:g} and {end:g} ms ({error})"
            ) from error
        if not run.success or not np.isfinite(run.y).all():
            raise QualityGate(f"the equations cannot be integrated between {begin:g} and {end:g} ms ({run.message})")
        pieces.append(run.y)
        y = run.y[:, -1]
    return ms, np.concatenate(pieces, axis=1)


def _fastest(rate: Any, ms: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Largest -df_i/dy_i of each state variable, at moments of the beat, most of them early."""
    fastest = np.zeros(len(states))
    for k in np.unique(np.concatenate([np.arange(0, 60, 1), np.arange(60, len(ms), 20)])):
        y = states[:, k]
        here = np.array(rate(ms[k], y, 0.0))
        for i in range(1, len(y)):
            moved = y.copy()
            moved[i] += 1e-4 * abs(y[i]) + 1e-10
            fastest[i] = max(fastest[i], (here[i] - rate(ms[k], moved, 0.0)[i]) / (moved[i] - y[i]))
    return fastest


def measured(ms: np.ndarray, mv: np.ndarray, rest_mv: float, repolarised_mv: float | None = None) -> Beat:
    """A beat from its potential."""
    if repolarised_mv is None:
        repolarised_mv = rest_mv + 0.1 * (float(mv.max()) - rest_mv)
    up = np.flatnonzero((mv[:-1] < 0.0) & (mv[1:] >= 0.0))
    apd = float("nan")
    if up.size:
        down = np.flatnonzero((mv[:-1] >= repolarised_mv) & (mv[1:] < repolarised_mv))
        down = down[down > up[0]]
        if down.size:
            apd = _crossing(ms, mv, int(down[0]), repolarised_mv) - _crossing(ms, mv, int(up[0]), 0.0)
    return Beat(ms, mv, rest_mv, repolarised_mv, apd)


def _crossing(ms: np.ndarray, mv: np.ndarray, k: int, level: float) -> float:
    return float(ms[k] + (ms[k + 1] - ms[k]) * (level - mv[k]) / (mv[k + 1] - mv[k]))


@dataclass(frozen=True)
class Trial:
    """How the source of a model does against its equations.

    Attributes
    ----------
    error_mv : dict of str to float
        Largest difference at 0.02 ms away from the upstroke, by precision.
    apd90_ms : dict of str to float
    needs_double : bool
        The beat in single precision is not finite, or not that of the equations.
    longest_dt_ms : float
        As `cardiotwin.solver.longest_step` has it; at least 0.02 ms, which was compared with the equations.
    steepest_per_ms : float
        As there.
    quiet_step_ms : float
        Longest step of quiet tissue that changes a beat at 0.02 ms by less than 1 mV.
    compile_s : float
        How long its kernel took to compile, in the first of both precisions.
    """

    error_mv: dict[str, float]
    apd90_ms: dict[str, float]
    needs_double: bool
    longest_dt_ms: float
    steepest_per_ms: float
    quiet_step_ms: float
    compile_s: float


def trial(path: Path, known: Reference) -> Trial:
    """Run a cell model's source through the solver.

    Raises
    ------
    QualityGate
        It cannot be stepped at 0.02 ms; says which is the longest step that works.
    """
    cell: Any = cell_model(str(path))
    longest = cell.LONGEST_STEP_MS
    began = time.perf_counter()
    beats: dict[str, Beat | None] = {"double": _beat(path, known, STEP_MS, "double")}
    seconds = time.perf_counter() - began
    if not _works(beats["double"], known):
        works = [dt for dt in SHORTER_STEPS_MS if _works(_beat(path, known, dt, "double"), known)]
        raise QualityGate(
            f"cannot be stepped at {STEP_MS:g} ms; the longest step that works is "
            + (f"{works[0]:g} ms" if works else f"below {SHORTER_STEPS_MS[-1]:g} ms")
        )
    beats["single"] = _beat(path, known, STEP_MS, "single")
    needs_double = not _works(beats["single"], known)
    longest_dt = max(longest_dt_ms(str(path), "double" if needs_double else "single"), STEP_MS)
    quiet = STEP_MS
    for candidate in QUIET_STEPS_MS:
        cell.LONGEST_STEP_MS = candidate
        some = _beat(path, known, STEP_MS, "double", tolerance_mv=0.25)
        if _difference(some, beats["double"]) < QUIET_ERROR_MV:
            quiet = candidate
            break
    cell.LONGEST_STEP_MS = longest
    return Trial(
        {name: _difference(beat, known.beat) for name, beat in beats.items()},
        {name: float("nan") if beat is None else beat.apd90_ms for name, beat in beats.items()},
        needs_double,
        longest_dt,
        round(steepest_per_ms(str(path)), 2),
        quiet,
        seconds,
    )


def _beat(path: Path, known: Reference, dt_ms: float, precision: str, tolerance_mv: float = 0.0) -> Beat | None:
    """A beat by the solver; None when it is not finite."""
    solver = Solver(single_cell(str(path)), dt_ms, precision=precision, tolerance_mv=tolerance_mv, threads=1)
    stimulus = Stimulus(np.arange(4), START_MS, DURATION_MS, known.strength_mv_per_ms)
    try:
        run = solver.run(Protocol((stimulus,), END_MS), snapshot_every_ms=1.0, stop_when_quiet=False)[0]
    except QualityGate:
        return None
    mv = run.snapshots[:, 0].astype(float)
    return measured(run.snapshot_ms, mv, known.beat.rest_mv, known.beat.repolarised_mv)


def _works(beat: Beat | None, known: Reference) -> bool:
    return beat is not None and bool(np.abs(beat.mv).max() < HIGHEST_MV) and _sound(beat.apd90_ms, known)


def _sound(apd90_ms: float, known: Reference) -> bool:
    """Whether an action potential is that of the equations, to 2 %; of a cell that beats by itself any will do."""
    if np.isfinite(known.cycle_ms) or not np.isfinite(known.beat.apd90_ms):
        return True
    return abs(apd90_ms - known.beat.apd90_ms) < APD_ERROR * known.beat.apd90_ms


def _difference(beat: Beat | None, other: Beat | None) -> float:
    """The largest away from the upstroke, where a hundredth of a millisecond is worth a millivolt."""
    if beat is None or other is None:
        return float("inf")
    away = np.abs(other.ms - START_MS - DURATION_MS) > DURATION_MS + 1.0
    return float(np.abs(beat.mv - other.mv)[away].max())


def rest_for_the_solver(known: Reference) -> float:
    """REST_MV: a cell that beats by itself is never quiet."""
    return round(known.beat.rest_mv - (QUIET_MV if np.isfinite(known.cycle_ms) else 0.0), 2)
