"""How tissue conducts a beat that comes early: a bar of it, paced (S1), then once more at ever shorter intervals (S2).

Duration of the action potential and velocity of the front against the diastolic interval before them, in several places
along the bar: a front that sets out early runs slowly and so comes to each place after a longer interval than to the
last. The shortest intervals are those of the front that only just got away.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from cardiotwin.errors import QualityGate
from cardiotwin.meshes.reference.slab import lattice_bar
from cardiotwin.solver.medium import Medium, membrane
from cardiotwin.solver.protocol import Activation, Protocol, Stimulus
from cardiotwin.solver.solver import Solver, State
from cardiotwin.tissue.tunings import kept
from cardiotwin.tissue.velocity import tune

LENGTH_MM, LEAST_CELLS = 30.0, 40
S1_BEATS = 3
STEPS_MS = (80.0, 20.0, 5.0)
"""S2 comes earlier by the first until it fails, then by the next from the last that did not."""
SLOWEST = 3.0
"""A wave that takes this many times as long as one through rested tissue has stopped."""
FASTEST = 1.2
"""Of the velocity in rested tissue: nothing is faster but for the ends of the bar."""
PLACES = 5


class Restitution(NamedTuple):
    """What a bar showed.

    Attributes
    ----------
    s1_duration_ms : float
        Action potential of the last S1.
    interval_ms, duration_ms, velocity : (n,) float64
        Diastolic interval, rising; action potential after it; and front velocity over that of S1.
    """

    s1_duration_ms: float
    interval_ms: np.ndarray
    duration_ms: np.ndarray
    velocity: np.ndarray


def restitution(
    cell_model: str,
    parameters: Mapping[str, float],
    velocity: float,
    edge_mm: float,
    dt_ms: float,
    s1_cycle_length_ms: float,
) -> Restitution:
    """Pace a bar of tissue; it is done once on each machine.

    Parameters
    ----------
    cell_model, parameters
        Cell model and those of its parameters that differ from the default.
    velocity : float
        Of a front in rested tissue, mm/ms.
    edge_mm, dt_ms : float
        Lattice constant and time step.
    s1_cycle_length_ms : float

    Returns
    -------
    Restitution

    Raises
    ------
    QualityGate
        The tissue does not follow S1.
    """
    named = tuple(sorted((name, float(value)) for name, value in parameters.items()))
    given = (membrane(cell_model)[0], named, round(velocity, 3), edge_mm, dt_ms, float(s1_cycle_length_ms))
    return _measured(*given)


def _as_lists(found: Restitution) -> list[Any]:
    return [found.s1_duration_ms, *(part.tolist() for part in found[1:])]


def _as_restitution(values: Any) -> Restitution:
    found = Restitution(float(values[0]), *(np.array(part, float) for part in values[1:]))
    if not all(part.ndim == 1 and part.size > 1 and np.isfinite(part).all() for part in found[1:]):
        raise ValueError("not a restitution")
    return found


@kept(_as_lists, _as_restitution)
def _measured(
    model: str,
    parameters: tuple[tuple[str, float], ...],
    velocity: float,
    edge_mm: float,
    dt_ms: float,
    s1_ms: float,
) -> Restitution:
    sigma, _ = tune(velocity, model, dict(parameters), edge_mm, dt_ms)
    lattice = lattice_bar(max(LEAST_CELLS, round(LENGTH_MM / edge_mm)), edge_mm)
    tensors = np.tile(sigma * np.eye(3), (len(lattice.tets), 1, 1))
    bar = _Bar(Medium(lattice.points, lattice.tets, tensors, model, dict(parameters), lattice.same_as), dt_ms, velocity)
    paced = bar.paced(s1_ms)
    first = bar.beat(paced, s1_ms)
    if first is None:
        raise QualityGate(f"tissue of {model} does not follow a cycle length of {s1_ms:g} ms; raise it")
    beats, shortest = [first], s1_ms
    for step in STEPS_MS:
        while shortest > step and (beat := bar.beat(paced, shortest - step)) is not None:
            shortest -= step
            beats.append(beat)
    interval, duration, reached = np.concatenate(beats, axis=1)
    order = np.argsort(interval)
    paced_ms, rested = (float(np.median(part)) for part in first[1:])
    return Restitution(paced_ms, interval[order], duration[order], reached[order] / rested)


class _Bar:
    """Paced from one end, timed in several places between 22 and 72 % of its length."""

    def __init__(self, medium: Medium, dt_ms: float, velocity: float) -> None:
        self.x = medium.points[:, 0]
        length = float(self.x.max())
        self.solver = Solver(medium, dt_ms, threads=1, tolerance_mv=0.0, diffusion="explicit")
        self.site = np.flatnonzero(self.x < 0.12 * length)
        ends = length * np.linspace(0.22, 0.72, PLACES + 1)
        alive = self.solver.place >= 0
        self.places = [
            np.flatnonzero(alive & (self.x >= low) & (self.x < high)) for low, high in pairwise(ends.tolist())
        ]
        self.arrival_ms = 5.0 + SLOWEST * 0.72 * length / velocity
        self.velocity, self.last_ms = velocity, 0.0

    def paced(self, s1_ms: float) -> State:
        """The state just after the last S1."""
        self.last_ms = s1_ms * (S1_BEATS - 1)
        train = tuple(Stimulus(self.site, s1_ms * beat) for beat in range(S1_BEATS))
        return self.solver.run(Protocol(train, self.last_ms + 5.0), stop_when_quiet=False)[1]

    def beat(self, paced: State, coupling_ms: float) -> np.ndarray | None:
        """(3, n_places) diastolic interval, action potential, velocity of an S2; None where it did not run through."""
        start = self.last_ms + coupling_ms
        protocol = Protocol((Stimulus(self.site, start),), start + 700.0)
        end = self.places[-1]

        def stopped(t_ms: float, activation_ms: np.ndarray) -> bool:
            return t_ms > start + self.arrival_ms and not (activation_ms[:, end] > start).any(axis=0).all()

        seen = self.solver.run(protocol, paced, monitor=stopped)[0]
        if len(seen.activation_ms) <= S1_BEATS or np.isnan(seen.repolarisation_ms[S1_BEATS, end]).any():
            return None
        timed = np.array([self._timed(seen, place) for place in self.places]).T
        # What waited for tissue to recover arrives everywhere at once, or backwards: no front ran.
        ran = (timed[2] > self.velocity / SLOWEST) & (timed[2] < FASTEST * self.velocity)
        return timed if ran.all() and np.isfinite(timed).all() else None

    def _timed(self, seen: Activation, place: np.ndarray) -> tuple[float, float, float]:
        activation, end = seen.activation_ms[:, place], seen.repolarisation_ms[:, place]
        slope = np.polyfit(self.x[place], activation[S1_BEATS].astype(float), 1)[0]
        rest, duration = activation[S1_BEATS] - end[S1_BEATS - 1], end[S1_BEATS] - activation[S1_BEATS]
        return float(np.median(rest)), float(np.median(duration)), float(1.0 / slope)
