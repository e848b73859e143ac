"""The longest time step of a cell model: beats of one cell, in steps that get longer."""

from __future__ import annotations

from typing import Any

import numpy as np

from cardiotwin.errors import QualityGate
from cardiotwin.kernels.ionic import cell_model, width
from cardiotwin.kernels.lanes import LANES
from cardiotwin.solver.diffusion import LEAST_SHARE
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.solver.solver import Solver

FINE_MS = 0.005
STEPS_MS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
APD_ERROR = 0.02
"""Relative error of the action potential of a step that works."""
STIMULI = ((2.0, 20.0), (1.0, 50.0), (2.0, 50.0))
"""Duration, ms, and strength, mV/ms: near threshold, as in most papers, as `Stimulus` has it. Most models bear a longer
step after one of them than after the others."""
START_MS, END_MS = 10.0, 1000.0
HIGHEST_MV = 250.0
"""No cell gets there, one that is stepped too far does."""
CONDUCTING = 1e-12
SLOPE_STEP_MS, SLOPE_END_MS, SLOPE_MV = 0.02, 12.0, 0.5
"""In which the slope of the ionic current is looked for, and over which difference of potential."""


def single_cell(model: str) -> Medium:
    """Four nodes that hardly conduct: one cell, four times."""
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    return Medium(points, np.array([[0, 1, 2, 3]], np.int32), CONDUCTING * np.eye(3)[None], model, {})


def longest_dt_ms(model: str, precision: str = "single") -> float:
    """The longest of `STEPS_MS` that works, as do all shorter ones; 0 where none does.

    Nor is it one that leaves diffusion less than a quarter of the step it bears by itself
    (`cardiotwin.solver.diffusion.explicit_share`): waves in such steps beat several times, or run away.

    A step works when a beat of one cell stays finite and its action potential, from 0 mV to REPOLARISED_MV, is that in
    steps of `FINE_MS` to `APD_ERROR`, after each of `STIMULI`. Where there is no action potential in those
    either (a cell that beats by itself may have none that is over), it is enough that it stays finite.

    Parameters
    ----------
    model : str
        As the ``cell_model`` of a `Medium`. What it says of itself as LONGEST_DT_MS does not matter.
    """
    cell: Any = cell_model(model)
    borne_ms = (1.0 - LEAST_SHARE) / max(steepest_per_ms(model), 1e-9)
    stated = getattr(cell, "LONGEST_DT_MS", STEPS_MS[-1])
    cell.LONGEST_DT_MS = STEPS_MS[-1]
    try:
        exact = [apd_ms(model, FINE_MS, precision, *stimulus) for stimulus in STIMULI]
        longest = 0.0
        for dt_ms in STEPS_MS:
            found = (apd_ms(model, dt_ms, precision, *stimulus) for stimulus in STIMULI)
            if dt_ms > borne_ms or not all(_close(*pair) for pair in zip(found, exact, strict=True)):
                break
            longest = dt_ms
    finally:
        cell.LONGEST_DT_MS = stated
    return longest


def steepest_per_ms(model: str) -> float:
    """STEEPEST_PER_MS of a cell model: the largest slope of its ionic current over the potential in an upstroke, 1/ms.

    By differences, with the gates as they are, in a beat of one cell in the interpreter.
    """
    cell, steepest = cell_model(model), 0.0
    row = np.zeros(LANES * width(cell))
    given = [*cell.STATE.values(), *cell.PARAMETERS.values()]
    row[: LANES * len(given) : LANES] = given

    def current(v: float) -> float:
        return float(cell.ionic_current(row.copy(), 0, v, 0.0))

    with np.errstate(all="ignore"):
        for time_ms in np.arange(0.0, SLOPE_END_MS, SLOPE_STEP_MS):
            v = row[0]
            cell.gates(row, 0, v, SLOPE_STEP_MS)
            slope = (current(v + SLOPE_MV) - current(v - SLOPE_MV)) / (2.0 * SLOPE_MV)
            steepest = max(steepest, slope if np.isfinite(slope) else 0.0)
            stimulus = 50.0 if 2.0 <= time_ms < 3.0 else 0.0
            row[0] = v + SLOPE_STEP_MS * (stimulus - cell.ionic_current(row, 0, v, SLOPE_STEP_MS))
    return steepest


def apd_ms(model: str, dt_ms: float, precision: str, duration_ms: float, strength: float) -> float | None:
    """The first action potential of one cell, every equation in every step; NaN without one, None when V runs away."""
    solver = Solver(single_cell(model), dt_ms, precision=precision, tolerance_mv=0.0, threads=1)
    stimulus = Stimulus(np.arange(4), START_MS, duration_ms, strength)
    try:
        run = solver.run(Protocol((stimulus,), END_MS), snapshot_every_ms=1.0)[0]
    except QualityGate:
        return None
    if np.abs(run.snapshots).max() > HIGHEST_MV:
        return None
    return float(run.repolarisation_ms[0, 0] - run.activation_ms[0, 0])


def _close(found: float | None, exact: float | None) -> bool:
    if found is None or exact is None or np.isnan(exact):
        return found is not None
    return abs(found - exact) <= APD_ERROR * exact
