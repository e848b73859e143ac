"""Which tetrahedra share a face or a node, without sorting them."""

from __future__ import annotations

import numpy as np
from numba import njit

FACES = np.array([[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]])
"""Face opposite to each node, wound so that its normal leaves a tetrahedron of positive volume."""
BOUNDARY, CROWDED = -1, -2
"""Instead of a neighbour: nobody is there; more than one is there."""


@njit(cache=True, nogil=True)
def face_neighbours(tets, n_nodes):
    """The tetrahedron across each face.

    Parameters
    ----------
    tets : (n_tets, 4) int32
    n_nodes : int

    Returns
    -------
    (n_tets, 4) int32
        Behind the face opposite to each node; -1 on the boundary, -2 where three or more tetrahedra have one face.

    Notes
    -----
    Faces are put into buckets by their lowest node, some twenty in each, and compared there: a sixth of the time of
    sorting all of them, and no copies of them.
    """
    start = np.zeros(n_nodes + 1, np.int64)
    for e in range(tets.shape[0]):
        for f in range(4):
            start[_face(tets, e, f)[0] + 1] += 1
    for node in range(n_nodes):
        start[node + 1] += start[node]
    bucket = np.empty(4 * tets.shape[0], np.int64)
    end = start[:-1].copy()
    across = np.full(tets.shape, BOUNDARY, np.int32)
    for e in range(tets.shape[0]):
        for f in range(4):
            low, middle, high = _face(tets, e, f)
            for entry in range(start[low], end[low]):
                other, side = bucket[entry] // 4, bucket[entry] % 4
                _, its_middle, its_high = _face(tets, other, side)
                if its_middle == middle and its_high == high:
                    alone = across[other, side] == BOUNDARY and across[e, f] == BOUNDARY
                    across[e, f] = other if alone else CROWDED
                    across[other, side] = e if alone else CROWDED
            bucket[end[low]] = 4 * e + f
            end[low] += 1
    return across


@njit(cache=True, nogil=True)
def _face(tets, e, f):
    """The three nodes of a face in ascending order."""
    a, b, c = tets[e, (f + 1) % 4], tets[e, (f + 2) % 4], tets[e, (f + 3) % 4]
    if a > b:
        a, b = b, a
    if b > c:
        b, c = c, b
    if a > b:
        a, b = b, a
    return a, b, c


@njit(cache=True, nogil=True)
def parts(across):
    """(n_tets,) int32 number of the part each tetrahedron hangs together with, by shared faces, and how many there are.

    A face that three tetrahedra have joins none of them.
    """
    part = np.full(across.shape[0], -1, np.int32)
    waiting = np.empty(across.shape[0], np.int64)
    count = 0
    for seed in range(across.shape[0]):
        if part[seed] >= 0:
            continue
        part[seed], waiting[0], n = count, seed, 1
        while n:
            n -= 1
            e = waiting[n]
            for f in range(4):
                other = across[e, f]
                if other >= 0 and part[other] < 0:
                    part[other] = count
                    waiting[n] = other
                    n += 1
        count += 1
    return part, count


@njit(cache=True, nogil=True)
def tets_around(tets, n_nodes):
    """The tetrahedra around each node, in ascending order.

    Returns
    -------
    first : (n_nodes + 1,) int64
        Where those of a node begin.
    around : (4 n_tets,) int32
    """
    first = np.zeros(n_nodes + 1, np.int64)
    for e in range(tets.shape[0]):
        for j in range(4):
            first[tets[e, j] + 1] += 1
    for i in range(n_nodes):
        first[i + 1] += first[i]
    place, around = first[:-1].copy(), np.empty(4 * tets.shape[0], np.int32)
    for e in range(tets.shape[0]):
        for j in range(4):
            around[place[tets[e, j]]] = e
            place[tets[e, j]] += 1
    return first, around


@njit(cache=True, nogil=True)
def edges(tets, n_nodes):
    """Every edge once.

    Returns
    -------
    low, high : (n_edges,) int32
        Its nodes, in ascending order of the lower one.

    Notes
    -----
    In buckets, as `face_neighbours`.
    """
    start = np.zeros(n_nodes + 1, np.int64)
    for e in range(tets.shape[0]):
        for a in range(4):
            for b in range(a):
                start[min(tets[e, a], tets[e, b]) + 1] += 1
    for node in range(n_nodes):
        start[node + 1] += start[node]
    bucket, end = np.empty(start[-1], np.int32), start[:-1].copy()
    for e in range(tets.shape[0]):
        for a in range(4):
            for b in range(a):
                low, high = min(tets[e, a], tets[e, b]), max(tets[e, a], tets[e, b])
                known = False
                for entry in range(start[low], end[low]):
                    known = known or bucket[entry] == high
                if not known:
                    bucket[end[low]] = high
                    end[low] += 1
    count = (end - start[:-1]).sum()
    lows, highs, n = np.empty(count, np.int32), np.empty(count, np.int32), 0
    for node in range(n_nodes):
        for entry in range(start[node], end[node]):
            lows[n], highs[n] = node, bucket[entry]
            n += 1
    return lows, highs
