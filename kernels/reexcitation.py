"""Fronts that come again: arrival on tetrahedra that are excitable once more when they have recovered.

Events in the order of a heap, as in `kernels/eikonal.py`, whose element solver this is: the earliest arrival excites
its node, which sends the front on through its tetrahedra and over its fast triangles. A node that has not recovered
does not take part, unless a front that is held back to some share of its velocity would come late enough: then it is
excited as soon as it has recovered. So a front follows tissue that recovers ever later up to a gradient of recovery
times, in ms/mm, whatever the size of the elements; it depends by up to 1.7 on how they lie, since a front may zigzag.
At a steeper one it stops. How long an action potential lasts and how fast the front is depend on the diastolic
interval before. Fronts that come again on meshes: Pernod et al. 2011 (Computers & Graphics 35:431), Gander et al. 2024
(arXiv 2410.22583).

Each node is taken once in a wave, in the order of arrival, so that a wave with much anisotropy may come late by a
little where the order of arrival is not the order of dependence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from cardiotwin.kernels.eikonal import LANES_AT_NODE, Front, pop, rise, through_edge, through_tets

SAME_WAVE_MS = 60.0
"""Neighbours activated within this time of each other belong to one wave: no tissue recovers so soon."""


class Recovery(NamedTuple):
    """How tissue recovers, by node and by how long it rested.

    Attributes
    ----------
    duration_ms : (n_nodes,) float64
        Action potential after a long rest.
    kind : (n_nodes,) uint8
        Row of the tables.
    rest_ms : (n_kinds,) float64
        Diastolic interval from which on a node can be excited; may be negative.
    shorter_ms, slower : (n_kinds, n_intervals) float64
        By how much the action potential is shorter, and the square of how many times slower the front is, after a
        diastolic interval of ``rest_ms + k * step_ms``.
    step_ms, held_back : float
        Of the tables; how many times slower than in such tissue a front may be before it stops.
    """

    duration_ms: np.ndarray
    kind: np.ndarray
    rest_ms: np.ndarray
    shorter_ms: np.ndarray
    slower: np.ndarray
    step_ms: float
    held_back: float


class Waves(NamedTuple):
    """Where all fronts stand.

    Attributes
    ----------
    front : Front
        Nodes that will be excited, and when.
    activated_ms, repolarised_ms, excitable_ms : (n_nodes,) float64
        Latest activation, the end of its action potential, and when the node can be excited again; -inf before all.
    slower : (n_nodes,) float64
        Square of how many times slower the front leaves the node.
    refused_ms : (n_nodes,) float64
        When a front came and was refused; what set out before that belongs to it, by whichever way it comes.
    beats_ms : (n_beats, n_nodes) float32
        Activations in order, NaN where there were fewer; later ones than fit are lost.
    count : (n_nodes,) int32
    """

    front: Front
    activated_ms: np.ndarray
    repolarised_ms: np.ndarray
    excitable_ms: np.ndarray
    slower: np.ndarray
    refused_ms: np.ndarray
    beats_ms: np.ndarray
    count: np.ndarray


def at_rest(n_nodes: int, n_beats: int) -> Waves:
    """Tissue that was never excited."""
    front = Front(np.empty(n_nodes, np.int32), np.empty(n_nodes), np.full(n_nodes, -1, np.int32), np.zeros(1, np.int64))
    never = np.full(n_nodes, -np.inf)
    beats = np.full((n_beats, n_nodes), np.nan, np.float32)
    return Waves(
        front, never, never.copy(), never.copy(), np.ones(n_nodes), never.copy(), beats, np.zeros(n_nodes, np.int32)
    )


def copied(waves: Waves) -> Waves:
    """The same, to go on from without touching the original."""
    front = Front(*(part.copy() for part in waves.front))
    return Waves(front, *(part.copy() for part in waves[1:]))


@njit(cache=True, error_model="numpy", inline="always")
def _arrive(node, from_ms, way_ms, held_back, waves):
    """A front that set out at `from_ms` comes to a node: it is excited then, a little later, or not at all."""
    front, excitable = waves.front, waves.excitable_ms[node]
    if not from_ms + way_ms < np.inf or from_ms < waves.refused_ms[node]:
        return
    if from_ms + held_back * way_ms < excitable:
        waves.refused_ms[node] = from_ms + way_ms
        return
    at_ms = max(from_ms + way_ms, excitable)
    place = front.place[node]
    if place < 0:
        place = front.size[0]
        front.heap[place] = node
        front.place[node] = place
        front.size[0] += 1
    elif at_ms >= front.keys[place]:
        return
    front.keys[place] = at_ms
    rise(front, place)


@njit(cache=True, error_model="numpy", inline="always")
def _excite(a, at_ms, recovery, waves):
    """A node fires: its beat is written down, and when it will have recovered."""
    kind = recovery.kind[a]
    last = recovery.shorter_ms.shape[1] - 1
    after = (at_ms - waves.repolarised_ms[a] - recovery.rest_ms[kind]) / recovery.step_ms
    k, share = last, 0.0
    if after < last:
        k = max(int(after), 0)
        share = max(after - k, 0.0)
    after_k = min(k + 1, last)
    shorter = (1.0 - share) * recovery.shorter_ms[kind, k] + share * recovery.shorter_ms[kind, after_k]
    waves.slower[a] = (1.0 - share) * recovery.slower[kind, k] + share * recovery.slower[kind, after_k]
    waves.activated_ms[a] = at_ms
    waves.repolarised_ms[a] = at_ms + recovery.duration_ms[a] - shorter
    waves.excitable_ms[a] = waves.repolarised_ms[a] + recovery.rest_ms[kind]
    waves.refused_ms[a] = -np.inf
    if waves.count[a] < waves.beats_ms.shape[0]:
        waves.beats_ms[waves.count[a], a] = at_ms
    waves.count[a] += 1


@njit(cache=True, error_model="numpy", inline="always")
def _in_this_wave(node, at_ms, waves):
    """When a neighbour is or will be activated, after `at_ms`; infinite where that is another wave."""
    place = waves.front.place[node]
    if place >= 0:
        return waves.front.keys[place] - at_ms
    after = waves.activated_ms[node] - at_ms
    return after if after > -SAME_WAVE_MS else np.inf


@njit(cache=True, error_model="numpy")
def _through_wall(mesh, a, at_ms, along, across, held_back, later, gains, ways, waves):
    """Send the front from node a through its tetrahedra; scratch as in `through_tets`, and `ways` (n_nodes,), infinite.

    To each neighbour goes the shortest of its ways: a longer one through another tetrahedron is not a later front.
    """
    first = mesh.tets_at[a]
    count = mesh.tets_at[a + 1] - first
    beside = mesh.beside[3 * first : 3 * (first + count)]
    for corner in range(3):
        for s in range(count):
            later[corner, s] = _in_this_wave(beside[corner * count + s], at_ms, waves)
    through_tets(mesh.ways, 12 * first, count, along, across, later, gains)
    for corner in range(3):
        for s in range(count):
            if later[corner, s] > 0.0 and gains[corner, s] < later[corner, s]:
                node = beside[corner * count + s]
                ways[node] = min(ways[node], gains[corner, s])
    for node in beside:
        if ways[node] < np.inf:
            _arrive(node, at_ms, ways[node], held_back, waves)
            ways[node] = np.inf


@njit(cache=True, error_model="numpy")
def _over_surface(mesh, a, at_ms, fast, held_back, waves):
    """Send the front from node a over its fast triangles."""
    for k in range(mesh.faces_at[a], mesh.faces_at[a + 1]):
        e = mesh.faces_of[k]
        i = 0
        while mesh.faces[e, i] != a:
            i += 1
        for n in range(1, 3):
            p, b = (i + n) % 3, (i + 3 - n) % 3
            target = mesh.faces[e, p]
            if _in_this_wave(target, at_ms, waves) <= 0.0:
                continue
            pa, pb, ab = fast * mesh.face_edges[e, b], fast * mesh.face_edges[e, i], fast * mesh.face_edges[e, p]
            slope = _in_this_wave(mesh.faces[e, b], at_ms, waves)
            way = min(np.sqrt(pa), through_edge(slope, 1.0 / ab, pa, pb, ab))
            _arrive(target, at_ms, way, held_back, waves)


@njit(cache=True)
def fire(nodes, at_ms, waves):
    """A stimulus: nodes that can be excited will be, at that time."""
    for node in nodes:
        if waves.excitable_ms[node] <= at_ms:
            _arrive(node, at_ms, 0.0, 1.0, waves)


@njit(cache=True, error_model="numpy")
def advance(mesh, slowness, recovery, until_ms, waves):
    """Let all fronts run until a time; what comes later stays in the heap.

    Parameters
    ----------
    mesh : cardiotwin.kernels.eikonal.Conductor
    slowness : (3,) float64
        1/v² along fibres, across them, and on the fast surface, ms²/mm²; the last is infinite without one.
    recovery : Recovery
    until_ms : float
    waves : Waves
        Changed in place.

    Returns
    -------
    int
        Nodes excited.
    """
    front, excited = waves.front, 0
    room = np.max(mesh.tets_at[1:] - mesh.tets_at[:-1]) + LANES_AT_NODE
    later, gains = np.zeros((3, room), np.float32), np.zeros((3, room), np.float32)
    ways = np.full(waves.count.size, np.inf, np.float32)
    while front.size[0] > 0 and front.keys[0] <= until_ms:
        at_ms = front.keys[0]
        a = pop(front)
        _excite(a, at_ms, recovery, waves)
        excited += 1
        slower = waves.slower[a]
        along, across = np.float32(slower * slowness[0]), np.float32(slower * slowness[1])
        _through_wall(mesh, a, at_ms, along, across, recovery.held_back, later, gains, ways, waves)
        _over_surface(mesh, a, at_ms, slower * slowness[2], recovery.held_back, waves)
    return excited
