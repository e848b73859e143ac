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
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
"""Local node pairs of the six edges of a tetrahedron."""
_EDGE_OF = np.array([[-1, 0, 1, 2], [0, -1, 3, 4], [1, 3, -1, 5], [2, 4, 5, -1]])
_OTHERS = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])

STRAIGHT_MM = 3.0
"""Around a site, unless other tissue is nearer, the way is taken as straight: more than an edge, and fibres turn by
35 degrees in it."""

# Re-insertion needs an improvement worth having; below this it is rounding and would loop. Relative to the arrival.
_IMPROVEMENT = 1e-12


@njit(cache=True, error_model="numpy", inline="always")
def _through_edge(ta, tb, pa, pb, ab):
    """Earliest arrival at p through the segment a-b; infinite where the minimum is not between its ends.

    `ta`, `tb` arrivals, ms; `pa`, `pb`, `ab` squared travel times of the edges, ms².
    """
    slope, per = tb - ta, 1.0 / ab
    slack = 1.0 - slope * slope * per
    if not slack > 0.0:
        return np.inf
    foot = 0.5 * (pa - pb + ab) * per
    lever = np.sqrt(max(pa - foot * foot * ab, 0.0) / slack)
    where = foot - slope * per * lever
    if where <= 0.0 or where >= 1.0:
        return np.inf
    return ta + slope * foot + slack * lever


@njit(cache=True, error_model="numpy", inline="always")
def _through_face(ta, tb, tc, pa, pb, pc, ab, ac, bc):
    """Earliest arrival at p through the triangle a-b-c; infinite where the minimum is not inside it."""
    slope_b, slope_c = tb - ta, tc - ta
    cross = 0.5 * (ab + ac - bc)
    per = 1.0 / (ab * ac - cross * cross)
    step_b = (ac * slope_b - cross * slope_c) * per
    step_c = (ab * slope_c - cross * slope_b) * per
    slack = 1.0 - slope_b * step_b - slope_c * step_c
    if not slack > 0.0:
        return np.inf
    side_b, side_c = 0.5 * (pa - pb + ab), 0.5 * (pa - pc + ac)
    foot_b = (ac * side_b - cross * side_c) * per
    foot_c = (ab * side_c - cross * side_b) * per
    lever = np.sqrt(max(pa - foot_b * side_b - foot_c * side_c, 0.0) / slack)
    where_b, where_c = foot_b - step_b * lever, foot_c - step_c * lever
    if where_b <= 0.0 or where_c <= 0.0 or where_b + where_c >= 1.0:
        return np.inf
    return ta + slope_b * foot_b + slope_c * foot_c + slack * lever


@njit(cache=True, error_model="numpy", inline="always")
def _through_tet(ta, tb, tc, pa, pb, pc, ab, ac, bc):
    """Earliest arrival at p from a, alone or with b and c."""
    earliest = ta + np.sqrt(pa)
    if tb < np.inf and tc < np.inf:
        inside = _through_face(ta, tb, tc, pa, pb, pc, ab, ac, bc)
        # The arrival is convex over the triangle: a minimum inside leaves nothing to its rim.
        if inside < np.inf:
            return inside
    if tb < np.inf:
        earliest = min(earliest, _through_edge(ta, tb, pa, pb, ab))
    if tc < np.inf:
        earliest = min(earliest, _through_edge(ta, tc, pa, pc, ac))
    return earliest


@njit(cache=True)
def _rise(heap, place, times, at):
    """Move entry `at` of the heap towards the top until its parent is not later."""
    node = heap[at]
    while at > 0:
        parent = (at - 1) >> 1
        if times[heap[parent]] <= times[node]:
            break
        heap[at] = heap[parent]
        place[heap[at]] = at
        at = parent
    heap[at] = node
    place[node] = at


@njit(cache=True)
def _pop(heap, place, times, size):
    """Take the earliest node from a heap of `size` nodes."""
    first, node = heap[0], heap[size - 1]
    size -= 1
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and times[heap[child + 1]] < times[heap[child]]:
            child += 1
        if times[heap[child]] >= times[node]:
            break
        heap[at] = heap[child]
        place[heap[at]] = at
        at = child
    if size > 0:
        heap[at] = node
        place[node] = at
    place[first] = -1
    return first


@njit(cache=True)
def _improve(node, arrival, times, heap, place, size):
    """Record an earlier arrival and queue its node; returns the size of the heap."""
    if not arrival < np.inf or (times[node] < np.inf and arrival >= times[node] * (1.0 - _IMPROVEMENT)):
        return size
    times[node] = arrival
    if place[node] < 0:
        heap[size] = node
        place[node] = size
        size += 1
    _rise(heap, place, times, place[node])
    return size


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
    tets : (n_tets, 4) int32
        Conducting tetrahedra, node indices in [0, n_nodes).
    along, across : (n_tets, 6) float64
        Squared length of each edge in the order of `EDGES` along the fibre and across it, mm².
    tets_of, tets_at : (4 n_tets,) int32, (n_nodes + 1,) int32
        CSR: the tetrahedra at node i are ``tets_of[tets_at[i]:tets_at[i + 1]]``.
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
    tets: np.ndarray
    along: np.ndarray
    across: np.ndarray
    tets_of: np.ndarray
    tets_at: np.ndarray
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
def _leave(mesh, number, site, start, slowness, times, heap, place, size, reached, queue):
    """Fire one site: arrival by straight ways at all nodes around it that edges reach without leaving the ball.

    `reached` (n_nodes,) holds from which `number` of site a node was last seen, `queue` is scratch. Returns the size of
    the heap.
    """
    first, last = 0, 1
    queue[0], reached[site] = site, number
    straight_mm = min(STRAIGHT_MM, mesh.uniform_mm[site])
    size = _improve(site, start, times, heap, place, size)
    while first < last:
        a = queue[first]
        first += 1
        for k in range(mesh.tets_at[a], mesh.tets_at[a + 1]):
            for node in mesh.tets[mesh.tets_of[k]]:
                if reached[node] == number:
                    continue
                reached[node] = number
                away = mesh.points[node] - mesh.points[site]
                if away[0] * away[0] + away[1] * away[1] + away[2] * away[2] > straight_mm * straight_mm:
                    continue
                arrival = start + _straight(mesh, site, node, slowness[0], slowness[1], slowness[2])
                size = _improve(node, arrival, times, heap, place, size)
                queue[last] = node
                last += 1
    return size


@njit(cache=True, error_model="numpy")
def first_arrival(mesh, tet_edges, face_edges, slowness, sites, site_times, times):
    """Arrival at every node from sites that fire at given times.

    Parameters
    ----------
    mesh : Conductor
    tet_edges, face_edges : (n_tets, 6), (n_faces, 3) float64
        Squared travel time of each edge, ms², positive.
    slowness : (3,) float64
        As in `first_arrivals`.
    sites, site_times : (n_sites,) int64, (n_sites,) float64
        Nodes that fire, and when, ms.
    times : (n_nodes,) float64
        ms; overwritten; infinite where nothing arrives.

    Notes
    -----
    Single-threaded and without randomness: the same bits everywhere. Ensembles run one solve a thread.
    """
    tets, tets_of, tets_at = mesh.tets, mesh.tets_of, mesh.tets_at
    faces, faces_of, faces_at = mesh.faces, mesh.faces_of, mesh.faces_at
    heap = np.empty(times.size, np.int32)
    place = np.full(times.size, -1, np.int32)
    reached = np.full(times.size, -1, np.int64)
    queue = np.empty(times.size, np.int64)
    size = 0
    times[:] = np.inf
    for k in range(sites.size):
        size = _leave(mesh, k, sites[k], site_times[k], slowness, times, heap, place, size, reached, queue)
    while size > 0:
        a = _pop(heap, place, times, size)
        size -= 1
        ta = times[a]
        for k in range(tets_at[a], tets_at[a + 1]):
            e = tets_of[k]
            i = 0
            while tets[e, i] != a:
                i += 1
            for n in range(3):
                p = _OTHERS[i, n]
                target = tets[e, p]
                if times[target] <= ta:
                    continue
                b, c = _OTHERS[i, (n + 1) % 3], _OTHERS[i, (n + 2) % 3]
                arrival = _through_tet(
                    ta,
                    times[tets[e, b]],
                    times[tets[e, c]],
                    tet_edges[e, _EDGE_OF[p, i]],
                    tet_edges[e, _EDGE_OF[p, b]],
                    tet_edges[e, _EDGE_OF[p, c]],
                    tet_edges[e, _EDGE_OF[i, b]],
                    tet_edges[e, _EDGE_OF[i, c]],
                    tet_edges[e, _EDGE_OF[b, c]],
                )
                if arrival < times[target]:
                    size = _improve(target, arrival, times, heap, place, size)
        for k in range(faces_at[a], faces_at[a + 1]):
            e = faces_of[k]
            i = 0
            while faces[e, i] != a:
                i += 1
            for n in range(1, 3):
                p, b = (i + n) % 3, (i + 3 - n) % 3
                target = faces[e, p]
                if times[target] <= ta:
                    continue
                # Each edge is listed under the node opposite to it.
                through = _through_edge(ta, times[faces[e, b]], face_edges[e, b], face_edges[e, i], face_edges[e, p])
                arrival = min(through, ta + np.sqrt(face_edges[e, b]))
                if arrival < times[target]:
                    size = _improve(target, arrival, times, heap, place, size)


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
        tet_edges = slowness[member, 0] * mesh.along + slowness[member, 1] * mesh.across
        face_edges = slowness[member, 2] * mesh.face_edges
        first_arrival(mesh, tet_edges, face_edges, slowness[member], sites[member], site_times[member], times[member])


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


_BLOCK = 4096
"""Nodes mixed at a time: their sum stays in the nearest cache while 32 tables pass by."""


@njit(cache=True)
def _add_scaled(total, share, field):
    """total += share * field, on its own so that the loop vectorises."""
    for n in range(total.size):
        total[n] += share * np.float32(field[n])


@njit(cache=True)
def _only_where(arrival, reached):
    """Not before zero, and infinite where nothing arrives."""
    for n in range(arrival.size):
        arrival[n] = max(arrival[n], np.float32(0.0)) if reached[n] else np.float32(np.inf)


@njit(cache=True, parallel=True)
def mixed_fields(
    fields,
    levels,
    reached,
    shares,
    stencils,
    stencil_shares,
    sites,
    near_at,
    near_of,
    along,
    across,
    fast,
    slowness,
    rows,
    kept,
):
    """Arrival from single sites, each a mixture of tabulated fields instead of solved for.

    Parameters
    ----------
    fields : (n_candidates, n_components, n_nodes) int16
        What arrivals from each candidate site alone are combined of.
    levels : (n_candidates, n_components) float32
        ms that one of each stands for.
    reached : (n_candidates, n_nodes) bool
        Where anything arrives from it.
    shares : (n, n_components) float32
        How much of each component; they may be negative.
    stencils, stencil_shares : (n, n_stencil) int64, float32
        Candidates around each site, and how much of each.
    sites : (n,) int64
        Rows of the next arrays.
    near_at, near_of : (n_sites + 1,) int64, (n_near,) int32
        CSR: the nodes around each site, where a mixture is blunt and the straight way is right.
    along, across, fast : (n_near,) float32
        Squared way there along fibres, across them and over the fast surface, mm²; the last infinite inside the wall.
    slowness : (n, 3) float32
        1/v² of the three, ms²/mm².
    rows : (n,) int64
        Where each goes in `kept`.
    kept : (n_rows, n_nodes) float32
        ms since the site fired; infinite where nothing arrives.
    """
    for m in prange(sites.size):
        arrival = kept[rows[m]]
        arrival[:] = 0.0
        for start in range(0, arrival.size, _BLOCK):
            stop = min(start + _BLOCK, arrival.size)
            for k in range(stencils.shape[1]):
                candidate = stencils[m, k]
                for c in range(shares.shape[1]):
                    ms = shares[m, c] * stencil_shares[m, k] * levels[candidate, c]
                    _add_scaled(arrival[start:stop], ms, fields[candidate, c, start:stop])
            for k in range(stencils.shape[1]):
                _only_where(arrival[start:stop], reached[stencils[m, k], start:stop])
        for k in range(near_at[sites[m]], near_at[sites[m] + 1]):
            inside = slowness[m, 0] * along[k] + slowness[m, 1] * across[k]
            straight = np.sqrt(min(inside, slowness[m, 2] * fast[k]))
            arrival[near_of[k]] = min(arrival[near_of[k]], straight)


@njit(cache=True, parallel=True)
def earliest_of(kept, rows, site_times, times):
    """The first of several fronts: times[m, n] = min over sites s of site_times[m, s] + kept[rows[m, s], n]."""
    for m in prange(rows.shape[0]):
        times[m] = np.inf
        for s in range(rows.shape[1]):
            _lower(times[m], kept[rows[m, s]], site_times[m, s])


@njit(cache=True)
def _lower(times, field, start):
    """times = min(times, start + field), on its own so that the loop vectorises."""
    for n in range(times.size):
        times[n] = min(times[n], start + field[n])
