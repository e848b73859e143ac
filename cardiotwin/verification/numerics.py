"""What single precision and the number of threads change: little, and nothing."""

from __future__ import annotations

import numba
import numpy as np

from cardiotwin.progress import Progress, part, silent
from cardiotwin.solver.protocol import Activation, Protocol
from cardiotwin.solver.solver import Solver, State
from cardiotwin.verification.niederer import slab_medium, stimuli
from cardiotwin.verification.rows import Row, at_most, row

EDGE_MM, DT_MS = 0.5, 0.02
BEAT_MS, WAVE_MS = 600.0, 60.0
MOST_ACTIVATION_MS, MOST_REPOLARISATION_MS = 0.05, 0.5


def simulated(
    duration_ms: float, progress: Progress = silent, *, precision: str = "single", threads: int = 1
) -> tuple[Activation, Solver, State]:
    """Niederer's slab for some time, else as in production."""
    medium = slab_medium(EDGE_MM)
    solver = Solver(medium, DT_MS, precision=precision, threads=threads)
    protocol = Protocol(stimuli(medium.points, EDGE_MM), duration_ms)
    activation, end = solver.run(protocol, stop_when_quiet=False, progress=progress)
    return activation, solver, end


def precision_rows(progress: Progress, duration_ms: float = BEAT_MS) -> list[Row]:
    """Activation and repolarisation of a whole beat, in single against double precision."""
    single = simulated(duration_ms, part(progress, 0.0, 0.4))[0]
    double = simulated(duration_ms, part(progress, 0.4, 1.0), precision="double")[0]
    return [
        precision_row("activation", single.activation_ms[0], double.activation_ms[0], MOST_ACTIVATION_MS),
        precision_row(
            "repolarisation", single.repolarisation_ms[0], double.repolarisation_ms[0], MOST_REPOLARISATION_MS
        ),
    ]


def precision_row(what: str, single: np.ndarray, double: np.ndarray, most_ms: float) -> Row:
    """The largest difference; a node that has the event in one precision only is as bad as can be."""
    apart = np.abs(single.astype(np.float64) - double)
    apart[np.isnan(single) & np.isnan(double)] = 0.0
    note = f"largest over {apart.size} nodes, mean {np.mean(apart):.4f}; slab of {EDGE_MM:g} mm, dt {DT_MS:g} ms"
    return at_most(f"precision/{what}", float(np.max(apart)), "ms", most_ms, note)


def threads_rows(progress: Progress, duration_ms: float = WAVE_MS) -> list[Row]:
    """Times and potentials with one thread and with two."""
    if int(numba.config.NUMBA_NUM_THREADS) < 2:  # type: ignore[attr-defined]
        return [row("threads/bits", np.nan, "", note="not measured: this machine has one core")]
    runs = [simulated(duration_ms, part(progress, k / 2, (k + 1) / 2), threads=k + 1) for k in range(2)]
    one, two = (
        np.concatenate([a.activation_ms.ravel(), a.repolarisation_ms.ravel(), solver.potential(end)])
        for a, solver, end in runs
    )
    note = f"of {one.size} times and potentials, {duration_ms:g} ms of a slab of {EDGE_MM:g} mm"
    return [at_most("threads/bits", differing(one, two), "", 0.0, note)]


def differing(one: np.ndarray, two: np.ndarray) -> int:
    """Number of values whose bits differ; NaN equals NaN."""
    return int(np.count_nonzero(one.view(np.uint32) != two.view(np.uint32)))
