"""First arrival of an anisotropic front on tetrahedra, and on a fast layer of surface triangles.

sqrt(∇T · D ∇T) = 1, T piecewise linear, D constant in each element. Inside an element D enters only through the squared
travel times of its edges, |e|² = e · D⁻¹ e: six numbers for a tetrahedron, three for a triangle. Everything below is
written in those, so that the same few lines serve volume and surface, isotropic or not.

The front is advanced in the order of a heap, as Dijkstra's algorithm does, but a node may come back when a later
neighbour improves it: with anisotropy the order of arrival is not the order of dependence (Sethian & Vladimirsky 2003,
doi 10.1137/S0036142901392742). The element solver is that of Fu, Kirby & Whitaker 2013, doi 10.1137/120881956, with the
minimum on a face, an edge or a node where it does not lie inside.

A front is strongly curved next to the site it leaves, and what linear elements lose there they lose for ever: on its
own the scheme is of order 0.6. Within a few millimetres of a site the way is therefore taken as straight, which is
exact where fibres do not turn, and the order is one.

From each node the front passes all its tetrahedra at once, eight to a vector, in single precision from that node on;
what they need lies together, node by node. Half the time of one tetrahedron after the other. What is left is mostly
fetching arrivals of neighbours and the heap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
"""Local node pairs of the six edges of a tetrahedron."""
_EDGE_OF = np.array([[-1, 0, 1, 2], [0, -1, 3, 4], [1, 3, -1, 5], [2, 4, 5, -1]])
_OTHERS = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
LANES_AT_NODE = 8
"""Tetrahedra at a node are passed through in whole vectors of so many single-precision numbers."""

STRAIGHT_MM = 3.0
"""Around a site, unless other tissue is nearer, the way is taken as straight: more than an edge, and fibres turn by
35 degrees in it."""

# Re-insertion needs an improvement worth having; below this it is rounding and would loop. Relative to the arrival.
_IMPROVEMENT = 1e-7


@njit(cache=True, error_model="numpy", inline="always")
def through_edge(slope, per, pa, pb, ab):
    """Time from a to p by way of the segment a-b, in which arrival rises by `slope`; infinite where that leaves it.

    `pa`, `pb`, `ab` squared travel times of the edges, ms²; `per` 1/ab. Without branches, so that it becomes vectors.
    """
    slack = np.float32(1.0) - slope * slope * per
    foot = np.float32(0.5) * (pa - pb + ab) * per
    root = np.sqrt(max((pa - foot * foot * ab) * slack, np.float32(0.0)))
    where = foot * slack - slope * per * root
    inside = (slack > np.float32(0.0)) & (where > np.float32(0.0)) & (where < slack)
    return slope * foot + root if inside else np.float32(np.inf)


@njit(cache=True, error_model="numpy", inline="always")
def _through_face(slope_b, slope_c, pa, pb, pc, ab, ac, bc):
    """Time from a to p by way of the triangle a-b-c; infinite where the minimum is not inside it."""
    half = np.float32(0.5)
    cross = half * (ab + ac - bc)
    per = np.float32(1.0) / (ab * ac - cross * cross)
    step_b = (ac * slope_b - cross * slope_c) * per
    step_c = (ab * slope_c - cross * slope_b) * per
    slack = np.float32(1.0) - slope_b * step_b - slope_c * step_c
    side_b, side_c = half * (pa - pb + ab), half * (pa - pc + ac)
    foot_b = (ac * side_b - cross * side_c) * per
    foot_c = (ab * side_c - cross * side_b) * per
    root = np.sqrt(max((pa - foot_b * side_b - foot_c * side_c) * slack, np.float32(0.0)))
    where_b, where_c = foot_b * slack - step_b * root, foot_c * slack - step_c * root
    inside = (slack > np.float32(0.0)) & (where_b > np.float32(0.0)) & (where_c > np.float32(0.0))
    inside &= where_b + where_c < slack
    return slope_b * foot_b + slope_c * foot_c + root if inside else np.float32(np.inf)


@njit(cache=True, error_model="numpy")
def through_tets(ways, first, count, along, across, later, gains):
    """Earliest ways from node a through each of its tetrahedra a-b-c-d to b, c and d.

    Parameters
    ----------
    ways : (12 n,) float32
        As in `Conductor`; those at the node begin at `first`, `count` of each kind.
    along, across : float32
        1/v², ms²/mm².
    later : (3, m) float32
        Known arrival at b, c and d after that at a, ms; infinite where there is none.
    gains : (3, m) float32
        Arrival by way of a, after that at a, ms; overwritten.
    """
    later_b, later_c, later_d, to_b, to_c, to_d = later[0], later[1], later[2], gains[0], gains[1], gains[2]
    one = np.float32(1.0)
    # Rounded up to whole vectors: what is read beyond the last belongs to others and is not used.
    for s in range((count + LANES_AT_NODE - 1) // LANES_AT_NODE * LANES_AT_NODE):
        k = first + s
        ab = along * ways[k] + across * ways[k + 6 * count]
        ac = along * ways[k + count] + across * ways[k + 7 * count]
        ad = along * ways[k + 2 * count] + across * ways[k + 8 * count]
        bc = along * ways[k + 3 * count] + across * ways[k + 9 * count]
        bd = along * ways[k + 4 * count] + across * ways[k + 10 * count]
        cd = along * ways[k + 5 * count] + across * ways[k + 11 * count]
        b, c, d = later_b[s], later_c[s], later_d[s]
        per_b, per_c, per_d = one / ab, one / ac, one / ad
        by_c, by_d = through_edge(c, per_c, ab, bc, ac), through_edge(d, per_d, ab, bd, ad)
        to_b[s] = min(np.sqrt(ab), by_c, by_d, _through_face(c, d, ab, bc, bd, ac, ad, cd))
        by_b, by_d = through_edge(b, per_b, ac, bc, ab), through_edge(d, per_d, ac, cd, ad)
        to_c[s] = min(np.sqrt(ac), by_b, by_d, _through_face(b, d, ac, bc, cd, ab, ad, bd))
        by_b, by_c = through_edge(b, per_b, ad, bd, ab), through_edge(c, per_c, ad, cd, ac)
        to_d[s] = min(np.sqrt(ad), by_b, by_c, _through_face(b, c, ad, bd, cd, ab, ac, bc))


class Front(NamedTuple):
    """Nodes that the front has reached and not yet left: a heap, four children each, the earliest on top.

    Attributes
    ----------
    heap, keys : (n_nodes,) int32, (n_nodes,) float64
        Nodes and their times, ms, side by side; the first `size` count.
    place : (n_nodes,) int32
        Where each node is in the heap; -1: not there.
    size : (1,) int64
    """

    heap: np.ndarray
    keys: np.ndarray
    place: np.ndarray
    size: np.ndarray


@njit(cache=True)
def rise(front, at):
    """Move entry `at` towards the top until its parent is not later."""
    heap, keys, place = front.heap, front.keys, front.place
    node, key = heap[at], keys[at]
    while at > 0:
        parent = (at - 1) >> 2
        if keys[parent] <= key:
            break
        heap[at], keys[at] = heap[parent], keys[parent]
        place[heap[at]] = at
        at = parent
    heap[at], keys[at] = node, key
    place[node] = at


@njit(cache=True)
def pop(front):
    """Take the earliest node."""
    heap, keys, place = front.heap, front.keys, front.place
    front.size[0] -= 1
    first, size = heap[0], front.size[0]
    node, key = heap[size], keys[size]
    at = 0
    while 4 * at + 1 < size:
        child = 4 * at + 1
        for other in range(child + 1, min(child + 4, size)):
            child = other if keys[other] < keys[child] else child
        if keys[child] >= key:
            break
        heap[at], keys[at] = heap[child], keys[child]
        place[heap[at]] = at
        at = child
    heap[at], keys[at] = node, key
    place[node] = at
    place[first] = -1
    return first


@njit(cache=True, inline="always")
def _improve(node, arrival, times, front):
    """Record an earlier arrival and put its node where it belongs."""
    if not arrival < np.inf or (times[node] < np.inf and arrival >= times[node] * (1.0 - _IMPROVEMENT)):
        return
    times[node] = arrival
    if front.place[node] < 0:
        front.heap[front.size[0]] = node
        front.place[node] = front.size[0]
        front.size[0] += 1
    front.keys[front.place[node]] = arrival
    rise(front, front.place[node])


class Conductor(NamedTuple):
    """What conducts, and how far it is from node to node: all that a solve needs, whatever the velocities.

    Border-zone slowing by a fraction is in the lengths: they are divided by it.

    Attributes
    ----------
    points : (n_nodes, 3) float64
        mm.
    fibre_dyads : (n_nodes, 6) float64
        Mean over the tetrahedra at each node of f fᵀ / fraction²: xx, yy, zz, xy, xz, yz.
    lengthening : (n_nodes,) float64
        Mean of 1 / fraction².
    uniform_mm : (n_nodes,) float64
        Distance to the nearest border with other tissue, scar among it, mm; infinite where there is none.
    tets_at : (n_nodes + 1,) int32
        Node a has ``m = tets_at[a + 1] - tets_at[a]`` conducting tetrahedra a-b-c-d.
    beside : (3 n,) int32
        From ``3 tets_at[a]``: m nodes b, then m nodes c, then m nodes d.
    ways : (12 n + 8,) float32
        From ``12 tets_at[a]``, m of each: squared length along the fibre, mm², of ab, ac, ad, bc, bd and cd; then those
        across it.
    faces : (n_faces, 3) int32
        The fast surface. May be empty.
    face_edges : (n_faces, 3) float64
        Squared length of the edge opposite to each node, mm².
    faces_of, faces_at : int32
        As for tetrahedra.
    """

    points: np.ndarray
    fibre_dyads: np.ndarray
    lengthening: np.ndarray
    uniform_mm: np.ndarray
    tets_at: np.ndarray
    beside: np.ndarray
    ways: np.ndarray
    faces: np.ndarray
    face_edges: np.ndarray
    faces_of: np.ndarray
    faces_at: np.ndarray


@njit(cache=True, inline="always")
def _straight(mesh, a, b, along, across, fast):
    """Time of the straight way between two nodes, ms; fibres are the mean of both ends'."""
    x, y, z = mesh.points[b] - mesh.points[a]
    p, q = mesh.fibre_dyads[a], mesh.fibre_dyads[b]
    fibre = 0.5 * ((p[0] + q[0]) * x * x + (p[1] + q[1]) * y * y + (p[2] + q[2]) * z * z)
    fibre += (p[3] + q[3]) * x * y + (p[4] + q[4]) * x * z + (p[5] + q[5]) * y * z
    whole = 0.5 * (mesh.lengthening[a] + mesh.lengthening[b]) * (x * x + y * y + z * z)
    squared = along * fibre + across * max(whole - fibre, 0.0)
    if mesh.faces_at[a] < mesh.faces_at[a + 1] and mesh.faces_at[b] < mesh.faces_at[b + 1]:
        squared = min(squared, fast * whole)
    return np.sqrt(squared)


@njit(cache=True)
def _leave(mesh, number, site, start, slowness, times, front, reached, queue):
    """Fire one site: arrival by straight ways at all nodes around it that edges reach without leaving the ball.

    `reached` (n_nodes,) holds from which `number` of site a node was last seen, `queue` is scratch.
    """
    first, last = 0, 1
    queue[0], reached[site] = site, number
    straight_mm = min(STRAIGHT_MM, mesh.uniform_mm[site])
    _improve(site, start, times, front)
    while first < last:
        a = queue[first]
        first += 1
        for node in mesh.beside[3 * mesh.tets_at[a] : 3 * mesh.tets_at[a + 1]]:
            if reached[node] == number:
                continue
            reached[node] = number
            away = mesh.points[node] - mesh.points[site]
            if away[0] * away[0] + away[1] * away[1] + away[2] * away[2] > straight_mm * straight_mm:
                continue
            arrival = start + _straight(mesh, site, node, slowness[0], slowness[1], slowness[2])
            _improve(node, arrival, times, front)
            queue[last] = node
            last += 1


@njit(cache=True)
def _pass_tets(mesh, a, along, across, times, later, gains, front):
    """Send the front from node a through its tetrahedra; scratch as in `through_tets`."""
    first = mesh.tets_at[a]
    count = mesh.tets_at[a + 1] - first
    ta = times[a]
    beside = mesh.beside[3 * first : 3 * (first + count)]
    waiting = False
    for corner in range(3):
        for s in range(count):
            after = times[beside[corner * count + s]] - ta
            later[corner, s] = after
            waiting |= after > 0.0
    if not waiting:
        return
    through_tets(mesh.ways, 12 * first, count, along, across, later, gains)
    for corner in range(3):
        for s in range(count):
            # A node before a is not improved by way of a, even where anisotropy would: it had its turn.
            if later[corner, s] > 0.0 and gains[corner, s] < later[corner, s]:
                _improve(beside[corner * count + s], ta + gains[corner, s], times, front)


@njit(cache=True)
def _pass_faces(mesh, a, fast, times, front):
    """Send the front from node a over its fast triangles; `fast` 1/v², ms²/mm²."""
    ta = times[a]
    for k in range(mesh.faces_at[a], mesh.faces_at[a + 1]):
        e = mesh.faces_of[k]
        i = 0
        while mesh.faces[e, i] != a:
            i += 1
        for n in range(1, 3):
            p, b = (i + n) % 3, (i + 3 - n) % 3
            target = mesh.faces[e, p]
            if times[target] <= ta:
                continue
            # Each edge is listed under the node opposite to it.
            pa, pb, ab = fast * mesh.face_edges[e, b], fast * mesh.face_edges[e, i], fast * mesh.face_edges[e, p]
            slope = times[mesh.faces[e, b]] - ta
            way = min(np.sqrt(pa), through_edge(slope, 1.0 / ab, pa, pb, ab))
            _improve(target, ta + way, times, front)


@njit(cache=True, error_model="numpy")
def first_arrival(mesh, slowness, sites, site_times, times):
    """Arrival at every node from sites that fire at given times.

    Parameters
    ----------
    mesh : Conductor
    slowness : (3,) float64
        As in `first_arrivals`.
    sites, site_times : (n_sites,) int64, (n_sites,) float64
        Nodes that fire, and when, ms.
    times : (n_nodes,) float64
        ms; overwritten; infinite where nothing arrives.

    Notes
    -----
    Single-threaded and without randomness: the same bits everywhere. Ensembles run one solve a thread. From a node to
    the next the way is single precision, the time itself double.
    """
    n, size = times.size, np.zeros(1, np.int64)
    front = Front(np.empty(n, np.int32), np.empty(n), np.full(n, -1, np.int32), size)
    reached = np.full(times.size, -1, np.int64)
    queue = np.empty(times.size, np.int64)
    room = np.max(mesh.tets_at[1:] - mesh.tets_at[:-1]) + LANES_AT_NODE
    later, gains = np.zeros((3, room), np.float32), np.zeros((3, room), np.float32)
    along, across = np.float32(slowness[0]), np.float32(slowness[1])
    times[:] = np.inf
    for k in range(sites.size):
        _leave(mesh, k, sites[k], site_times[k], slowness, times, front, reached, queue)
    while size[0] > 0:
        a = pop(front)
        _pass_tets(mesh, a, along, across, times, later, gains, front)
        _pass_faces(mesh, a, slowness[2], times, front)


@njit(cache=True, parallel=True, error_model="numpy")
def first_arrivals(mesh, slowness, sites, site_times, times):
    """One `first_arrival` for each member of an ensemble, a thread each.

    Parameters
    ----------
    mesh : Conductor
    slowness : (n_members, 3) float64
        1/v² along fibres, across them, and on the fast surface, ms²/mm²; the last is infinite without one.
    sites, site_times : (n_members, n_sites)
    times : (n_members, n_nodes) float64
        ms; overwritten.
    """
    for member in prange(slowness.shape[0]):
        first_arrival(mesh, slowness[member], sites[member], site_times[member], times[member])


@njit(cache=True)
def around_nodes(tets, along, across, n_nodes):
    """Tetrahedra as their nodes see them: `tets_at`, `beside` and `ways` of a `Conductor`.

    Parameters
    ----------
    tets : (n_tets, 4) int32
    along, across : (n_tets, 6) float64
        Squared length of each edge in the order of `EDGES`, mm².
    n_nodes : int
    """
    of, at = incidence(tets, n_nodes)
    beside = np.empty(3 * of.size, np.int32)
    ways = np.ones(12 * of.size + LANES_AT_NODE, np.float32)
    for a in range(n_nodes):
        count = at[a + 1] - at[a]
        for s in range(count):
            e = of[at[a] + s]
            i = 0
            while tets[e, i] != a:
                i += 1
            b, c, d = _OTHERS[i]
            for corner in range(3):
                beside[3 * at[a] + corner * count + s] = tets[e, _OTHERS[i, corner]]
            edges = (_EDGE_OF[i, b], _EDGE_OF[i, c], _EDGE_OF[i, d], _EDGE_OF[b, c], _EDGE_OF[b, d], _EDGE_OF[c, d])
            for k in range(6):
                ways[12 * at[a] + k * count + s] = along[e, edges[k]]
                ways[12 * at[a] + (k + 6) * count + s] = across[e, edges[k]]
    return at, beside, ways


@njit(cache=True)
def incidence(elements, n_nodes):
    """CSR of the elements at each node: (element indices (n_elements * k,) int32, starts (n_nodes + 1,) int32)."""
    at = np.zeros(n_nodes + 1, np.int32)
    for e in range(elements.shape[0]):
        for i in range(elements.shape[1]):
            at[elements[e, i] + 1] += 1
    for n in range(n_nodes):
        at[n + 1] += at[n]
    fill = at[:-1].copy()
    of = np.empty(elements.size, np.int32)
    for e in range(elements.shape[0]):
        for i in range(elements.shape[1]):
            node = elements[e, i]
            of[fill[node]] = e
            fill[node] += 1
    return of, at
