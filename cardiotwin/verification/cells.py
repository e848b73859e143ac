"""Every cell model stepped as in production, against itself in steps too small to matter.

That the equations are the published ones is another question; `tests/test_cell_models.py` integrates each model,
written a second time, with a stiff solver.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cardiotwin.kernels.ionic import MODELS
from cardiotwin.progress import Progress
from cardiotwin.settings import SimulateSettings
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.solver.solver import Solver
from cardiotwin.verification.rows import Row, at_most, row

DT_MS: float = SimulateSettings().dt_ms
FINE_DT_MS = 0.001
STIMULUS_MS, STIMULUS_MV_PER_MS = 1.0, 52.0
"""Twice the threshold of any ventricular model, as in most of their papers."""
START_MS, WATCHED_MS, SAMPLE_MS = 10.0, 800.0, 0.1
UPSTROKE_MS = 2.0
"""From the stimulus on and after it: there 0.01 ms is worth a millivolt and more, so it is judged by its time."""
MOST_APART_MS, MOST_APART_MV = 0.5, 1.0


class Beat(NamedTuple):
    """First beat of one cell at rest.

    Attributes
    ----------
    times_ms, v : (n_samples,) float64
    activation_ms : float
        Crossing of 0 mV.
    apd90_ms : float
        From there to 90 % of the way from the peak back to rest; NaN where it is not reached.
    """

    times_ms: np.ndarray
    v: np.ndarray
    activation_ms: float
    apd90_ms: float


def single_cell(model: str) -> Medium:
    """Four nodes that hardly conduct: one cell, four times."""
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    return Medium(points, np.array([[0, 1, 2, 3]], np.int32), 1e-12 * np.eye(3)[None], model, {})


def production_beat(model: str) -> Beat:
    """Single precision, the default time step, evaluated as needed."""
    return _beat(Solver(single_cell(model), DT_MS))


def fine_beat(model: str, dt_ms: float = FINE_DT_MS) -> Beat:
    """Double precision, every equation in every step."""
    return _beat(Solver(single_cell(model), dt_ms, precision="double", tolerance_mv=0.0))


def _beat(solver: Solver) -> Beat:
    stimulus = Stimulus(np.arange(4), START_MS, STIMULUS_MS, STIMULUS_MV_PER_MS)
    run = solver.run(Protocol((stimulus,), WATCHED_MS), snapshot_every_ms=SAMPLE_MS, stop_when_quiet=False)[0]
    times, v = run.snapshot_ms, run.snapshots[:, 0].astype(np.float64)
    activation = float(run.activation_ms[0, 0])
    return Beat(times, v, activation, recovery_ms(times, v, 0.9) - activation)


def recovery_ms(times_ms: np.ndarray, v: np.ndarray, share: float) -> float:
    """When the potential has fallen by a share of the way from its peak back to where it started."""
    top = int(np.argmax(v))
    level = v[top] - share * (v[top] - v[0])
    below = np.flatnonzero(v[top:] < level)
    if not below.size:
        return float("nan")
    k = top + int(below[0])
    return float(times_ms[k - 1] + (times_ms[k] - times_ms[k - 1]) * (v[k - 1] - level) / (v[k - 1] - v[k]))


def cell_rows(progress: Progress, models: tuple[str, ...] = MODELS) -> list[Row]:
    """Two rows a model."""
    rows: list[Row] = []
    for number, model in enumerate(models):
        progress(number / len(models), f"one cell of {model}")
        rows += compared(model, production_beat(model), fine_beat(model))
    return rows


def compared(model: str, production: Beat, fine: Beat) -> list[Row]:
    """Duration and potential of one beat, as in production and in the finest steps."""
    quiet = (fine.times_ms < START_MS) | (fine.times_ms > fine.activation_ms + UPSTROKE_MS)
    quiet &= (fine.times_ms < START_MS) | (fine.times_ms > START_MS + STIMULUS_MS + UPSTROKE_MS)
    apart = np.where(quiet, production.v - fine.v, 0.0)
    worst = int(np.argmax(np.abs(apart)))
    late = production.activation_ms - fine.activation_ms
    return [
        row(
            f"cell/{model}/apd90",
            production.apd90_ms,
            "ms",
            f"{fine.apd90_ms:.2f} within {MOST_APART_MS:g} (steps of {FINE_DT_MS:g} ms, double)",
            abs(production.apd90_ms - fine.apd90_ms) <= MOST_APART_MS,
            f"first beat from rest, dt {DT_MS:g} ms; activated {1000 * late:+.0f} µs from the fine one",
        ),
        at_most(
            f"cell/{model}/deviation",
            abs(apart[worst]),
            "mV",
            MOST_APART_MV,
            f"largest, {fine.times_ms[worst] - START_MS:.0f} ms after the stimulus; the first {UPSTROKE_MS:g} ms after "
            "the upstroke left out",
        ),
    ]
