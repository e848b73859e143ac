"""Waves whose re-entry is known from who excited whom, not from when: truth for the detector of circuits.

Nodes of a slab excite their neighbours after a delay unless these are refractory, event by event, and every activation
remembers the one that excited it. A wave has turned when an activation descends from an earlier one at the same place;
the time between them is its cycle length. Of `cardiotwin.induction.reentry` only who is whose neighbour is used. Shown
by `benchmarks/ablation.py`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cardiotwin.induction.reentry import Neighbours, neighbours
from cardiotwin.meshes.reference.slab import slab

WIDTH_MM, THICKNESS_MM, EDGE_MM = 64.0, 4.0, 2.0
SAME_PLACE_MM, RECOVERED = 4.0, 0.95
END_MS = 1200.0
KINDS = ("ring", "figure of eight", "spiral", "focal", "block", "two beats", "none")


@dataclass(frozen=True)
class Stimulus:
    """Nodes that are excited at a moment, unless they are refractory."""

    nodes: np.ndarray
    at_ms: float


@dataclass(frozen=True, eq=False)
class Wave:
    """A case and its truth.

    Attributes
    ----------
    kind : str
        Of `KINDS`.
    tissue : Neighbours
    activation_ms : (n_beats, n_nodes) float64
        In order, NaN where there were fewer.
    after_ms : float
        The last stimulus from outside; a focus in the tissue is none.
    turns : int
        Whole turns after that stimulus.
    cycle_ms : float
        Of the last turn; NaN without one.
    """

    kind: str
    tissue: Neighbours
    activation_ms: np.ndarray
    after_ms: float
    turns: int
    cycle_ms: float


@dataclass(eq=False)
class _Run:
    """Activations in order: node, time and the activation that excited it (-1: a stimulus)."""

    nodes: list[int] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Sheet:
    """Excitable nodes: for each its neighbours and the delays to them, ms, and how long it is refractory, ms."""

    tissue: Neighbours
    links: list[list[tuple[int, float]]]
    refractory_ms: np.ndarray


def sheet(
    rng: np.random.Generator, holes: Sequence[tuple[np.ndarray, float]], speed: float, refractory: float
) -> Sheet:
    """A slab with round holes (middle, radius; mm); delays and refractory periods vary by 5 and 2 %."""
    mesh = slab((WIDTH_MM, WIDTH_MM, THICKNESS_MM), EDGE_MM)
    open_ = np.ones(len(mesh.tets), bool)
    for middle, radius in holes:
        open_ &= np.linalg.norm(mesh.centroids[:, :2] - middle, axis=1) > radius
    tissue = neighbours(mesh.points, mesh.tets[open_])
    delays = tissue.lengths / speed * rng.normal(1.0, 0.05, len(tissue.lengths)).clip(0.8, 1.2)
    links: list[list[tuple[int, float]]] = [[] for _ in mesh.points]
    for (i, j), delay in zip(tissue.pairs.tolist(), delays.tolist(), strict=True):
        links[i].append((j, delay))
        links[j].append((i, delay))
    return Sheet(tissue, links, refractory * rng.normal(1.0, 0.02, len(mesh.points)))


def spread(
    on: Sheet, stimuli: Sequence[Stimulus], blocked_until_ms: np.ndarray, dies_at_ms: float = np.inf,
    until_ms: float = END_MS,
) -> _Run:  # fmt: skip
    """Events in order of time; nodes cannot be excited before `blocked_until_ms`, nothing can after `dies_at_ms`."""
    events = [(one.at_ms, int(node), -1) for one in stimuli for node in one.nodes if on.tissue.volumes[node] > 0]
    heapq.heapify(events)
    free_ms, run = blocked_until_ms.copy(), _Run()
    while events:
        time, node, parent = heapq.heappop(events)
        if time > min(until_ms, dies_at_ms):
            break
        if time < free_ms[node]:
            continue
        free_ms[node] = time + on.refractory_ms[node]
        number = len(run.nodes)
        run.nodes.append(node)
        run.times_ms.append(time)
        run.parents.append(parent)
        for other, delay in on.links[node]:
            heapq.heappush(events, (time + delay, other, number))
    return run


def turns_of(run: _Run, on: Sheet, after_ms: float) -> tuple[int, float]:
    """Most whole turns in the descent of the last activations, and the last one's length, ms; NaN without any.

    The length is the median, over the nodes that the last turn passed, of the time since they were activated before.
    """
    before, last = _before(run), len(run.nodes) - 1
    most, cycle = 0, np.nan
    for start in range(last, max(-1, last - 600), -40):
        line = _descent(run, start, after_ms)
        # Activations far from what turns descend from it too: their own places are not passed again, its are.
        for pivot in range(0, len(line), 5):
            turns, passed = _returns(run, on, line[pivot:])
            if turns > most:
                intervals = [run.times_ms[one] - run.times_ms[before[one]] for one in passed if before[one] >= 0]
                most, cycle = turns, float(np.median(intervals)) if intervals else np.nan
    return most, cycle


def _descent(run: _Run, start: int, after_ms: float) -> list[int]:
    """An activation, the one that excited it, and so on."""
    line = []
    while start >= 0 and run.times_ms[start] > after_ms:
        line.append(start)
        start = run.parents[start]
    return line


def _returns(run: _Run, on: Sheet, line: list[int]) -> tuple[int, list[int]]:
    """How often a descent comes back to where it ends, and what it passed in the last turn."""
    if not line:
        return 0, []
    nodes, times = np.array([run.nodes[one] for one in line]), np.array([run.times_ms[one] for one in line])
    near = np.linalg.norm(on.tissue.points[nodes] - on.tissue.points[nodes[0]], axis=1) <= SAME_PLACE_MM
    turns, since, first = 0, times[0], 0
    for k in np.flatnonzero(near):
        if since - times[k] >= RECOVERED * on.refractory_ms[nodes[k]]:
            turns, since, first = turns + 1, times[k], first or int(k)
    return turns, line[:first]


def _before(run: _Run) -> np.ndarray:
    """(n_activations,) the one before at the same node; -1 for the first."""
    latest: dict[int, int] = {}
    found = np.full(len(run.nodes), -1)
    for number, node in enumerate(run.nodes):
        found[number] = latest.get(node, -1)
        latest[node] = number
    return found


def _table(run: _Run, n_nodes: int) -> np.ndarray:
    """(n_beats, n_nodes) activation times, NaN where there were fewer."""
    counts = np.bincount(run.nodes, minlength=n_nodes)
    times = np.full((max(1, int(counts.max())), n_nodes), np.nan)
    seen = np.zeros(n_nodes, int)
    for node, time in zip(run.nodes, run.times_ms, strict=True):
        times[seen[node], node] = time
        seen[node] += 1
    return times


# --- The kinds -------------------------------------------------------------------------------------------------------


def wave(kind: str, seed: int) -> Wave:
    """One case; sizes, speeds and refractory periods drawn, times as a detector would have them, to 0.5 ms."""
    rng = np.random.default_rng([seed, KINDS.index(kind), 61])
    on, stimuli, blocked, dies = _MAKE[kind](rng)
    run = spread(on, stimuli, blocked, dies)
    outside = [one.at_ms for one in stimuli] if kind != "focal" else [stimuli[0].at_ms - 1.0]
    after_ms = max(outside) + 1.0
    turns, cycle_ms = turns_of(run, on, after_ms)
    times = _table(run, len(on.tissue.points))
    return Wave(kind, on.tissue, times + rng.normal(0.0, 0.5, times.shape), after_ms, turns, cycle_ms)


_Case = tuple[Sheet, list[Stimulus], np.ndarray, float]


def _near(on: Sheet, place: np.ndarray, within: float = 3.0) -> np.ndarray:
    return np.flatnonzero(np.linalg.norm(on.tissue.points[:, :2] - place, axis=1) <= within)


def _ring(rng: np.random.Generator, dies_after: float = np.inf) -> _Case:
    """Around a hole: the wave that would run the other way is blocked until the first has come round."""
    middle, radius = rng.uniform(28.0, 36.0, 2), rng.uniform(9.0, 16.0)
    speed = rng.uniform(0.25, 0.45)
    loop_ms = 2.0 * np.pi * radius / speed
    on = sheet(rng, [(middle, radius)], speed, rng.uniform(0.45, 0.7) * loop_ms)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    away = on.tissue.points[:, :2] - middle
    turned = (np.arctan2(away[:, 1], away[:, 0]) - angle) % (2.0 * np.pi)
    blocked = np.where(turned > 2.0 * np.pi - 0.6, 0.5 * loop_ms, 0.0)
    start = middle + (radius + 4.0) * np.array([np.cos(angle + 0.3), np.sin(angle + 0.3)])
    line = np.flatnonzero((turned < 0.35) & (np.linalg.norm(away, axis=1) < 40.0))
    return on, [Stimulus(np.union1d(line, _near(on, start)), 0.0)], blocked, dies_after * loop_ms


def _two_beats(rng: np.random.Generator) -> _Case:
    """The same wave, which dies about when it has turned twice, mostly before."""
    return _ring(rng, rng.uniform(1.2, 2.2))


def _figure_of_eight(rng: np.random.Generator) -> _Case:
    """Two holes; the lane between them is blocked at one end until both arms have come round."""
    radius, lane, speed = rng.uniform(8.0, 11.0), rng.uniform(5.0, 9.0), rng.uniform(0.25, 0.4)
    middle = np.array([32.0, rng.uniform(30.0, 34.0)])
    aside = np.array([radius + lane / 2.0, 0.0])
    loop_ms = 2.0 * np.pi * radius / speed
    on = sheet(rng, [(middle - aside, radius), (middle + aside, radius)], speed, rng.uniform(0.4, 0.6) * loop_ms)
    away = on.tissue.points[:, :2] - middle
    in_lane = (np.abs(away[:, 0]) < lane / 2.0 + 1.0) & (np.abs(away[:, 1] - 2.0) < 5.0)
    return (
        on,
        [Stimulus(_near(on, middle + np.array([0.0, radius + 3.0])), 0.0)],
        np.where(in_lane, 0.45 * loop_ms, 0.0),
        np.inf,
    )


def _spiral(rng: np.random.Generator) -> _Case:
    """No hole: a front that ends in the tissue, refractory behind, curls about its end."""
    speed, refractory = rng.uniform(0.25, 0.4), rng.uniform(70.0, 100.0)
    on = sheet(rng, [], speed, refractory)
    x, y = on.tissue.points[:, 0], on.tissue.points[:, 1]
    front, end = rng.uniform(28.0, 36.0), rng.uniform(26.0, 38.0)
    behind = (x < front) & (y < end)
    blocked = np.where(behind, np.maximum(refractory - (front - x) / speed, 0.0), 0.0)
    return on, [Stimulus(np.flatnonzero((x >= front) & (x < front + EDGE_MM) & (y < end)), 0.0)], blocked, np.inf


def _focal(rng: np.random.Generator) -> _Case:
    """Beats from one place, with nothing that turns."""
    on = sheet(rng, [], rng.uniform(0.3, 0.6), rng.uniform(120.0, 200.0))
    place, period = rng.uniform(5.0, 59.0, 2), rng.uniform(220.0, 350.0)
    beats = rng.integers(4, 7)
    return on, [Stimulus(_near(on, place), 5.0 + period * k) for k in range(beats)], np.zeros(len(on.links)), np.inf


def _block(rng: np.random.Generator) -> _Case:
    """A premature beat that part of the tissue does not conduct."""
    on = sheet(
        rng, [(rng.uniform(20.0, 44.0, 2), rng.uniform(5.0, 12.0))], rng.uniform(0.3, 0.6), rng.uniform(150.0, 250.0)
    )
    x = on.tissue.points[:, 0]
    late = np.where(x > rng.uniform(25.0, 45.0), rng.uniform(600.0, 900.0), 0.0)
    place = rng.uniform(4.0, 20.0, 2)
    return on, [Stimulus(_near(on, place), 0.0), Stimulus(_near(on, place), 320.0)], late, np.inf


def _none(rng: np.random.Generator) -> _Case:
    """One wave, with a hole to run around from both sides."""
    on = sheet(
        rng, [(rng.uniform(20.0, 44.0, 2), rng.uniform(5.0, 14.0))], rng.uniform(0.25, 0.6), rng.uniform(100.0, 250.0)
    )
    return on, [Stimulus(_near(on, rng.uniform(4.0, 60.0, 2)), 0.0)], np.zeros(len(on.links)), np.inf


_MAKE = {
    "ring": _ring,
    "figure of eight": _figure_of_eight,
    "spiral": _spiral,
    "focal": _focal,
    "block": _block,
    "two beats": _two_beats,
    "none": _none,
}
