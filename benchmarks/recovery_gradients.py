"""How steeply may tissue recover later and later before a wave that follows it stops? What the screen's fronts rest on.

    python benchmarks/recovery_gradients.py [--json]

A bar of ten Tusscher-Panfilov cells whose action potentials grow ever longer from 16 mm on (I_Ks down to 0.2, I_Kr to
0.3 of normal, over 12 to 1.5 mm), paced every 600 ms, then S2 ever later: each of those that stop
does so where the recovery of S1 asks for a slower wave than there is. Rows: by how much slower than just recovered
tissue conducts it, and over which length coupling has evened the action potentials out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from table import Row, options, row, show

from cardiotwin.induction.reentrant_front import BAR_EDGE_MM, COUPLED_SQUARED, HELD_BACK
from cardiotwin.meshes.reference.slab import lattice_bar
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.solver.solver import Solver
from cardiotwin.tissue.restitution import restitution
from cardiotwin.tissue.velocity import tune

MODEL, EDGE_MM, DT_MS, S1_MS, BEATS = "ten_tusscher_2006", 0.5, 0.02, 600.0, 3
STEP_AT_MM, LENGTH_MM = 16.0, 36.0
G_KS, G_KR = 0.392, 0.153


class Bar(NamedTuple):
    """A solver, the state just after the last S1, and the recovery of that beat along the bar."""

    solver: Solver
    paced: object
    site: np.ndarray
    x: np.ndarray
    nodes: np.ndarray
    activation_ms: np.ndarray
    recovery_ms: np.ndarray


def bar(velocity: float, width_mm: float) -> Bar:
    """Nodes every millimetre and a half, times from the last S1."""
    lattice = lattice_bar(round(LENGTH_MM / EDGE_MM), EDGE_MM)
    x = lattice.points[:, 0]
    share = np.clip((x - STEP_AT_MM) / width_mm, 0.0, 1.0)
    late = {
        "g_Ks": (G_KS * (1 - 0.8 * share)).astype(np.float32),
        "g_Kr": (G_KR * (1 - 0.7 * share)).astype(np.float32),
    }
    sigma = np.tile(tune(velocity, MODEL, {}, EDGE_MM, DT_MS)[0] * np.eye(3), (len(lattice.tets), 1, 1))
    medium = Medium(lattice.points, lattice.tets, sigma, MODEL, late, lattice.same_as)
    solver = Solver(medium, DT_MS, threads=1, tolerance_mv=0.0, diffusion="explicit")
    site, last = np.flatnonzero(x < 3.0), S1_MS * (BEATS - 1)
    train = Protocol(tuple(Stimulus(site, S1_MS * beat) for beat in range(BEATS)), last + 5.0)
    _, paced = solver.run(train, stop_when_quiet=False)
    whole, _ = solver.run(Protocol((), last + S1_MS - 5.0), paced, stop_when_quiet=False)
    at = np.arange(8.0, 32.0, 1.5)
    nodes = np.array([np.argmin(np.abs(x - place) + 1e9 * (solver.place < 0)) for place in at])
    beat = BEATS - 1
    start, end = (times[beat, nodes].astype(float) - last for times in (whole.activation_ms, whole.repolarisation_ms))
    return Bar(solver, paced, site, x[nodes], nodes, start, end)


def stops(one: Bar) -> Iterable[float]:
    """The gradient of recovery, ms/mm, where each S2 that stops has its last activated node."""
    last = S1_MS * (BEATS - 1)
    slope = np.gradient(one.recovery_ms, one.x)
    for coupling in np.arange(310.0, 480.0, 10.0):
        at = last + float(coupling)
        seen, _ = one.solver.run(Protocol((Stimulus(one.site, at),), at + 300.0), one.paced)  # type: ignore[arg-type]
        if len(seen.activation_ms) <= BEATS:
            continue
        reached = np.isfinite(seen.activation_ms[BEATS, one.nodes])
        if reached[0] and not reached[-1] and not reached.all():
            yield float(slope[np.flatnonzero(reached)[-1]])


def evened_over_mm(one: Bar) -> float:
    """From the slope at a sharp step of action potentials, which is its height over twice the length."""
    duration = one.recovery_ms - one.activation_ms
    known = np.isfinite(duration)
    height = duration[known][-1] - duration[known][0]
    return float(height / (2.0 * np.nanmax(np.gradient(duration, one.x))))


def rows() -> Iterable[Row]:
    """A row of each kind for slow and for fast tissue."""
    for velocity in (0.15, 0.4):
        slowest = restitution(MODEL, {}, velocity, BAR_EDGE_MM, DT_MS, S1_MS).velocity.min() * velocity
        found = [gradient * slowest for width in (12.0, 6.0, 3.0) for gradient in stops(bar(velocity, width))]
        note = f"{len(found)} that stop, {min(found):.1f} to {max(found):.1f}; the screen takes {HELD_BACK:g}"
        yield row(f"{velocity:g} m/s: held back where it stops, median", float(np.median(found)), "1", note=note)
        note = f"the screen takes {np.sqrt(COUPLED_SQUARED * velocity):.1f}"
        yield row(f"{velocity:g} m/s: durations even out over", evened_over_mm(bar(velocity, 1.5)), "mm", note=note)


if __name__ == "__main__":
    show([rows()], as_json=options(__doc__).parse_args().json)
