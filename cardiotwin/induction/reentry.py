"""Circuits in an activation sequence.

The wave graph joins each node to the neighbours that it activated: an edge from i to j where j's latest activation came
shortly after one of i's two latest. An edge from the latest but one is a seam: there the wave passes from one turn into
the next. Time only grows from seam to seam, so every closed path crosses one: what lies on closed paths are the
strongly connected components of the wave graph; tissue that is merely activated from a circuit belongs to none.
Nothing needs the turns to be alike. The smallest tissue whose ablation opens every closed path is a minimum vertex cut
between the two sides of the seam, the idea of Zahid et al. 2016 (doi 10.1016/j.hrthm.2016.04.009).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow

from cardiotwin.meshes.mesh import signed_volumes

SLOWEST_MM_PER_MS = 0.05
"""Slower than any conduction that a mesh resolves: a longer delay between neighbours is block, not conduction."""

LOOK_EVERY_MS = 50.0
"""Between two moments at which closed paths are looked for: several in every turn."""

SMALLEST_CIRCUIT_ML = 0.2
"""Less tissue than this around a closed path is numerical noise at a line of block, not a circuit."""

ISTHMUS_SHARE = 0.25
"""The isthmus is sought around the quarter of the cycle in which the least tissue conducts."""

NARROW = 1.75
"""It reaches as far as no more than so many times the tissue of that quarter is activated at once."""

LONGEST_SHARE = 0.6
"""Of the cycle: what is narrow for longer has no narrow place; the quarter stands for it."""

BINS = 72
"""Of a cycle, when it is asked how much tissue is activated when."""


@dataclass(frozen=True, eq=False)
class Circuit:
    """One re-entrant circuit.

    Attributes
    ----------
    cycle_length_ms : float
    cycles : int
        Whole turns seen at its isthmus after the last stimulus.
    isthmus_mm : (3,) float64
        Centre of the tissue that conducts while the least of the circuit does, LPS.
    exit_mm : (3,) float64
        Where the wave leaves the isthmus.
    phase_ms : (n_nodes,) float32
        Activation within the last whole cycle, from 0 at the exit; NaN where nothing was activated.
    isthmus_nodes : (k,) int32
        Nodes of the isthmus.
    cut_nodes : (c,) int32
        The smallest set of nodes, by volume, that every closed path of the wave passes.
    """

    cycle_length_ms: float
    cycles: int
    isthmus_mm: np.ndarray
    exit_mm: np.ndarray
    phase_ms: np.ndarray
    isthmus_nodes: np.ndarray
    cut_nodes: np.ndarray


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Which nodes conduct to which, and how much tissue each stands for.

    Attributes
    ----------
    points : (n_nodes, 3) float64
        mm.
    pairs : (n_edges, 2) int32
        Edges of the conducting tetrahedra, each once.
    lengths : (n_edges,) float64
        mm.
    volumes : (n_nodes,) float64
        A quarter of the conducting tetrahedra around each node, mm³.
    """

    points: np.ndarray
    pairs: np.ndarray
    lengths: np.ndarray
    volumes: np.ndarray


def neighbours(points: np.ndarray, tets: np.ndarray) -> Neighbours:
    """Edges and nodal volumes of the conducting tetrahedra `tets` (m, 4) on `points` (n, 3) in mm."""
    corners = tets[:, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]].reshape(-1, 2)
    # One number for each pair: three times as fast as sorting rows, and in the same order.
    low, high = np.divmod(
        np.unique(corners.min(axis=1).astype(np.int64) * len(points) + corners.max(axis=1)), len(points)
    )
    pairs = np.column_stack([low, high]).astype(np.int32)
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    quarter = np.repeat(signed_volumes(points, tets) / 4.0, 4)
    return Neighbours(points, pairs, lengths, np.bincount(tets.ravel(), quarter, len(points)))


def find_circuits(activation_ms: np.ndarray, tissue: Neighbours, after_ms: float) -> tuple[Circuit, ...]:
    """Circuits that had turned at least twice after the last stimulus, the largest first.

    Of a wave that changes, those of the latest moment at which it ran on closed paths: what has been seen to turn is
    not unseen by watching longer.

    Parameters
    ----------
    activation_ms : (n_beats, n_nodes)
        Activation times in order, NaN where there were fewer.
    tissue : Neighbours
    after_ms : float
        End of the last stimulus.

    Notes
    -----
    A site counts when it was activated at least three times after the stimulus: by the stimulated wave and then by two
    whole turns (Arevalo et al. 2016, doi 10.1038/ncomms11437). The cycle length is the median of the last interval of
    the circuit's nodes.
    """
    late = np.where(activation_ms > after_ms, activation_ms, np.nan)
    counts = np.sum(np.isfinite(late), axis=0)
    if not (counts >= 3).any():
        return ()
    third = np.sort(np.where(np.isfinite(late), late, np.inf), axis=0)[2]
    incomplete: tuple[Circuit, ...] = ()
    for moment in np.arange(float(np.nanmax(late)), third.min(), -LOOK_EVERY_MS):
        found = _circuits_at(moment, np.where(late <= moment, late, np.nan), tissue)
        if any(circuit.isthmus_nodes.size for circuit in found):
            return tuple(circuit for circuit in found if circuit.isthmus_nodes.size)
        incomplete = incomplete or found
    return tuple(_without_isthmus(circuit, tissue) for circuit in incomplete)


def same_circuit(a: Circuit, b: Circuit, within_mm: float = 10.0) -> bool:
    """Whether two circuits share isthmus, exit, direction and, roughly, cycle length: one tachycardia, seen twice."""
    ratio = a.cycle_length_ms / b.cycle_length_ms
    return bool(
        (a.exit_mm - a.isthmus_mm) @ (b.exit_mm - b.isthmus_mm) >= 0  # 0 where one has no direction
        and np.linalg.norm(a.isthmus_mm - b.isthmus_mm) <= within_mm
        and np.linalg.norm(a.exit_mm - b.exit_mm) <= 1.5 * within_mm
        and 0.75 <= ratio <= 1 / 0.75
    )


def still_turns(circuit: Circuit, tissue: Neighbours) -> bool:
    """Whether the wave of a circuit finds a closed path through `tissue` too: the same nodes, less what was ablated."""
    times = circuit.phase_ms + circuit.cycle_length_ms * np.arange(3.0)[:, None]
    times[:, tissue.volumes == 0] = np.nan
    return bool(_closed_paths(*_wave_graph(times, 3 * circuit.cycle_length_ms, tissue), tissue.volumes))


def _last_two(times: np.ndarray, until_ms: float) -> tuple[np.ndarray, np.ndarray]:
    """Latest and latest but one activation of every node, up to a moment; -inf where there is none."""
    ordered = np.sort(np.where(times <= until_ms, times, -np.inf), axis=0)
    return ordered[-1], ordered[-2]


def _first_after(times: np.ndarray, start_ms: float) -> np.ndarray:
    """First activation of every node after a moment; inf where there is none."""
    return np.where(times > start_ms, times, np.inf).min(axis=0)


def _wave_graph(times: np.ndarray, until_ms: float, tissue: Neighbours) -> tuple[csr_matrix, csr_matrix]:
    """Directed edges along which the wave was conducted within a turn, and across the seam at `until_ms`."""
    last, before = _last_two(times, until_ms)
    i, j = np.concatenate([tissue.pairs, tissue.pairs[:, ::-1]]).T
    longest = np.tile(tissue.lengths / SLOWEST_MM_PER_MS, 2)
    with np.errstate(invalid="ignore"):  # -inf minus -inf: never activated, never an edge
        within = (last[j] > last[i]) & (last[j] - last[i] <= longest)
        across = (last[j] > before[i]) & (last[j] - before[i] <= longest)
    shape = (last.size, last.size)
    edges = [csr_matrix((np.ones(pick.sum(), np.int32), (i[pick], j[pick])), shape=shape) for pick in (within, across)]
    return edges[0], edges[1]


def _closed_paths(within: csr_matrix, across: csr_matrix, volumes: np.ndarray) -> list[np.ndarray]:
    """Nodes on closed paths, one array for each connected piece of enough volume, the largest first."""
    wave = within + across
    _, component = connected_components(wave, connection="strong")
    closed = np.flatnonzero(np.bincount(component)[component] > 1)
    # Closed paths side by side are one circuit.
    count, piece = connected_components(wave[closed][:, closed], directed=False)
    volume = np.bincount(piece, volumes[closed], count)
    large = np.flatnonzero(volume >= 1e3 * SMALLEST_CIRCUIT_ML)
    return [closed[piece == which] for which in large[np.argsort(-volume[large])]]


def _circuits_at(moment: float, seen: np.ndarray, tissue: Neighbours) -> tuple[Circuit, ...]:
    """Closed paths at the end of what was seen, (n_beats, n_nodes) ms, that had turned twice."""
    counts = np.sum(np.isfinite(seen), axis=0)
    pieces = _closed_paths(*_wave_graph(seen, moment, tissue), tissue.volumes)
    turns = [int(np.median(counts[nodes])) - 1 for nodes in pieces]
    return tuple(
        _circuit(nodes, seen, moment, whole, tissue) for nodes, whole in zip(pieces, turns, strict=True) if whole >= 2
    )


def _without_isthmus(circuit: Circuit, tissue: Neighbours) -> Circuit:
    """A circuit that was never seen to pass a narrow place: the cut itself is taken for it."""
    centre = _centre(circuit.cut_nodes, tissue)
    return replace(circuit, isthmus_nodes=circuit.cut_nodes, isthmus_mm=centre, exit_mm=centre)


def _circuit(nodes: np.ndarray, late: np.ndarray, end_ms: float, turns: int, tissue: Neighbours) -> Circuit:
    """What is known of closed paths; without isthmus where no narrow place is cut by every one of them."""
    last, before = _last_two(late[:, nodes], end_ms)
    cycle_ms = float(np.median((last - before)[np.isfinite(before)]))
    half = 0.5 * ISTHMUS_SHARE * cycle_ms
    # The latest turn in which the isthmus is seen whole, before and after its middle.
    seen_from = end_ms - half - cycle_ms
    activated = _activated(last, tissue.volumes[nodes], seen_from, cycle_ms)
    middle = _quietest_moment(activated, seen_from, cycle_ms)
    ahead, behind = _narrow_part(activated, seen_from, middle, cycle_ms)
    middle -= cycle_ms * (middle + behind > end_ms)  # of the turn before, which was seen to its end
    entered = _first_after(late, middle - ahead)
    isthmus = _largest_piece(nodes[entered[nodes] < middle + behind], tissue)
    cut = _cut_at(nodes, middle, half, late, tissue) if isthmus.size else np.empty(0, np.int32)
    if not cut.size:
        isthmus = cut
        cut = minimum_cut(nodes, np.ones(nodes.size, bool), *_wave_graph(late, end_ms, tissue), tissue.volumes)
    leaving = isthmus[entered[isthmus] > middle + behind - 0.3 * half]
    latest = _last_two(late, end_ms)[0]
    phase = np.full(latest.size, np.nan)
    turning = latest > end_ms - 1.2 * cycle_ms
    phase[turning] = (latest[turning] - middle - behind) % cycle_ms
    return Circuit(
        cycle_length_ms=cycle_ms,
        cycles=turns,
        isthmus_mm=_centre(isthmus if isthmus.size else cut, tissue),
        exit_mm=_centre(next(some for some in (leaving, isthmus, cut) if some.size), tissue),
        phase_ms=phase.astype(np.float32),
        isthmus_nodes=isthmus.astype(np.int32),
        cut_nodes=cut,
    )


def _cut_at(nodes: np.ndarray, moment_ms: float, half_ms: float, late: np.ndarray, tissue: Neighbours) -> np.ndarray:
    """The minimum cut of a circuit through what conducts within `half_ms` of its quietest moment.

    Every closed path conducts then, so the cut is there. Elsewhere it may be smaller still on the paths that the wave
    happened to take, and worth nothing: outside the isthmus nothing keeps the wave from another.
    """
    within, across = _wave_graph(late, moment_ms, tissue)
    # A wave that has not settled takes other closed paths in this turn than in the last: the piece that shares most.
    pieces = _closed_paths(within, across, tissue.volumes)
    shared = [np.intersect1d(piece, nodes).size for piece in pieces]
    if 2 * max(shared, default=0) < nodes.size:  # too little in common for a cut of one to open the other
        return np.empty(0, np.int32)
    piece = pieces[int(np.argmax(shared))]
    times = np.stack([_first_after(late, moment_ms), _last_two(late, moment_ms)[0]])
    can_be_cut = np.abs(times[:, piece] - moment_ms).min(axis=0) <= half_ms
    return minimum_cut(piece, can_be_cut, within, across, tissue.volumes)


def _activated(times: np.ndarray, volumes: np.ndarray, start_ms: float, cycle_ms: float) -> np.ndarray:
    """(BINS,) volume of the circuit's tissue activated in each part of the cycle from `start_ms` on."""
    phase = ((times - start_ms) / cycle_ms * BINS).astype(int) % BINS
    return np.bincount(phase, volumes, BINS)


def _quietest_moment(activated: np.ndarray, start_ms: float, cycle_ms: float) -> float:
    """Middle of the part of the cycle in which the least tissue is activated.

    A Hann window: a box would slide freely over a neck shorter than itself.
    """
    width = round(ISTHMUS_SHARE * BINS)
    sums = _windowed(activated, width)
    return start_ms + (float(np.argmin(sums)) + 0.5 * width) % BINS * cycle_ms / BINS


def _windowed(activated: np.ndarray, width: int) -> np.ndarray:
    """(BINS,) mean under a Hann window of so many bins that begins at each, around the cycle."""
    window = np.hanning(width + 2)[1:-1]
    return np.array([np.roll(activated, -k)[:width] @ window for k in range(BINS)]) / window.sum()


def _narrow_part(activated: np.ndarray, start_ms: float, middle_ms: float, cycle_ms: float) -> tuple[float, float]:
    """How long before and after its quietest moment the wave is in a narrow place, ms."""
    bin_ms = cycle_ms / BINS
    at = round((middle_ms - start_ms) / bin_ms) % BINS
    smooth = np.roll(_windowed(activated, 5), 2)
    quarter = round(ISTHMUS_SHARE * BINS)
    least = np.roll(_windowed(activated, quarter), quarter // 2)[at]
    wide = smooth > NARROW * least
    ahead, behind = np.roll(wide, -at), np.roll(wide[::-1], at + 1)
    after, before = (int(np.argmax(part)) if part.any() else BINS for part in (ahead, behind))
    if before + after > LONGEST_SHARE * BINS or not before + after:
        return 0.5 * ISTHMUS_SHARE * cycle_ms, 0.5 * ISTHMUS_SHARE * cycle_ms
    return before * bin_ms, after * bin_ms


def _largest_piece(nodes: np.ndarray, tissue: Neighbours) -> np.ndarray:
    """The connected piece of most volume among some nodes; none of none."""
    if not nodes.size:
        return nodes
    inside = np.zeros(tissue.volumes.size, bool)
    inside[nodes] = True
    i, j = tissue.pairs[inside[tissue.pairs].all(axis=1)].T
    graph = csr_matrix((np.ones(i.size, np.int8), (i, j)), shape=(inside.size, inside.size))
    _, piece = connected_components(graph[nodes][:, nodes], directed=False)
    return nodes[piece == np.argmax(np.bincount(piece, tissue.volumes[nodes]))]


def _centre(nodes: np.ndarray, tissue: Neighbours) -> np.ndarray:
    return np.average(tissue.points[nodes], axis=0, weights=tissue.volumes[nodes])


def minimum_cut(
    nodes: np.ndarray, can_be_cut: np.ndarray, within: csr_matrix, across: csr_matrix, volumes: np.ndarray
) -> np.ndarray:
    """Nodes of least volume through which every path from one side of the seam around to the other passes.

    A node's capacity is its volume in thousandths of mm³; conduction itself costs nothing.
    """
    conducted, seam = within[nodes][:, nodes].tocoo(), across[nodes][:, nodes].tocoo()
    sources, sinks = np.unique(seam.col), np.unique(seam.row)
    n = nodes.size
    capacity = np.maximum(1, np.round(1e3 * volumes[nodes])).astype(np.int64)
    entry, leave, source, sink = np.arange(n), np.arange(n) + n, 2 * n, 2 * n + 1
    row = np.concatenate([entry, leave[conducted.row], np.full(sources.size, source), leave[sinks]])
    col = np.concatenate([leave, entry[conducted.col], entry[sources], np.full(sinks.size, sink)])
    limit = np.full(row.size, min(2**31 - 1, int(capacity.sum()) + 1))
    limit[:n] = np.where(can_be_cut, capacity, limit[:n])
    graph = csr_matrix((limit.astype(np.int32), (row, col)), shape=(2 * n + 2, 2 * n + 2))
    residual = graph - maximum_flow(graph, source, sink).flow
    residual.eliminate_zeros()
    reached = np.zeros(2 * n + 2, bool)
    reached[breadth_first_order(residual, source, return_predecessors=False)] = True
    return nodes[reached[:n] & ~reached[n : 2 * n]].astype(np.int32)
