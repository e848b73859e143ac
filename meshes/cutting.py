"""Isosurface stuffing, the inner loops: walk the lattice and cut its tetrahedra where the surface passes.

Labelle & Shewchuk 2007, doi 10.1145/1275808.1276448; see `tetrahedra` for the whole. A lattice tetrahedron has two
opposite long edges, along the axes, and four short ones, along the diagonals.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def corner_node(cells, i, j, k):
    """Number of the lattice node at the lower corner of a cell; corners come first."""
    return (i * (cells[1] + 1) + j) * (cells[2] + 1) + k


@njit(cache=True)
def centre_node(cells, i, j, k):
    """Number of the lattice node in the middle of a cell."""
    return (cells[0] + 1) * (cells[1] + 1) * (cells[2] + 1) + (i * cells[1] + j) * cells[2] + k


@njit(cache=True)
def fill(phi, points, cells, codes):
    """Cut every lattice tetrahedron at the surface and write the pieces inside; returns how many.

    With no room in `codes` it only counts. A code below `phi.size` is a lattice node; a larger one,
    ``phi.size + inside * phi.size + outside``, is the crossing on the edge between two of them.
    """
    count = 0
    tet = np.empty(4, np.int64)
    ring = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    for axis in range(3):
        for i in range(cells[0] - (axis == 0)):
            for j in range(cells[1] - (axis == 1)):
                for k in range(cells[2] - (axis == 2)):
                    here = centre_node(cells, i, j, k)
                    there = centre_node(cells, i + (axis == 0), j + (axis == 1), k + (axis == 2))
                    for side in range(4):
                        for end in range(2):
                            u, v = ring[side + end]
                            if axis == 0:
                                tet[2 + end] = corner_node(cells, i + 1, j + u, k + v)
                            elif axis == 1:
                                tet[2 + end] = corner_node(cells, i + v, j + 1, k + u)
                            else:
                                tet[2 + end] = corner_node(cells, i + u, j + v, k + 1)
                        tet[0], tet[1] = here, there
                        count = _cut(phi, points, tet, codes, count)
    return count


@njit(cache=True)
def _emit(codes, count, a, b, c, d):
    if codes.shape[0] > 0:
        codes[count, 0], codes[count, 1], codes[count, 2], codes[count, 3] = a, b, c, d
    return count + 1


@njit(cache=True)
def _crossing(phi, inside, outside):
    """Code of the crossing between two nodes; the outer node itself where it lies on the surface."""
    return outside if phi[outside] == 0.0 else phi.size + inside * phi.size + outside


@njit(cache=True)
def _cut(phi, points, tet, codes, count):
    """Write what is inside of one lattice tetrahedron (nodes 0, 1 and nodes 2, 3 are its two long edges)."""
    n_plus = n_minus = 0
    for corner in range(4):
        n_plus += phi[tet[corner]] > 0
        n_minus += phi[tet[corner]] < 0
    if n_plus == 0:
        return count
    if n_minus == 0:
        return _emit(codes, count, tet[0], tet[1], tet[2], tet[3])
    order = np.empty(4, np.int64)  # inside, then outside, then on the surface
    end = 0
    for sign in (1, -1, 0):
        for corner in range(4):
            if np.sign(phi[tet[corner]]) == sign:
                order[end] = corner
                end += 1
    plus, minus, zero = order[:n_plus], order[n_plus : n_plus + n_minus], order[n_plus + n_minus :]
    if n_plus == 1:
        a = tet[plus[0]]
        far = np.empty(3, np.int64)
        for m in range(n_minus):
            far[m] = _crossing(phi, a, tet[minus[m]])
        for m in range(zero.size):
            far[n_minus + m] = tet[zero[m]]
        return _emit(codes, count, a, far[0], far[1], far[2])
    if n_plus == 2 and n_minus == 1:
        return _cut_pyramid(phi, points, tet, plus, minus[0], zero[0], codes, count)
    if n_plus == 3:
        return _cut_corner(phi, points, tet, plus, minus[0], codes, count)
    return _cut_wedge(phi, points, tet, plus, minus, codes, count)


@njit(cache=True)
def _length(phi, points, a, inside, outside):
    """Squared distance from node `a` to the crossing of an edge."""
    t = phi[inside] / (phi[inside] - phi[outside])
    total = 0.0
    for axis in range(3):
        gap = points[inside, axis] + t * (points[outside, axis] - points[inside, axis]) - points[a, axis]
        total += gap * gap
    return total


@njit(cache=True)
def _from_first(phi, points, tet, a, b, n):
    """Whether the quadrilateral (a, b, crossing bn, crossing an) is split from `a` to the crossing of bn.

    Both tetrahedra at the face must agree, so only the face decides. Where one crossing is on a long edge the diagonal
    ends there; where both are on short edges the shorter diagonal is taken (the paper takes one by parity). Then no
    prism has three diagonals in a ring, which could not be filled.
    """
    if a // 2 == n // 2:
        return False
    if b // 2 == n // 2:
        return True
    first = _length(phi, points, tet[a], tet[b], tet[n])
    second = _length(phi, points, tet[b], tet[a], tet[n])
    return first < second or (first == second and tet[a] < tet[b])


@njit(cache=True)
def _cut_pyramid(phi, points, tet, plus, n, zero, codes, count):
    a, b = plus[0], plus[1]
    if not _from_first(phi, points, tet, a, b, n):
        a, b = b, a
    bn, an = _crossing(phi, tet[b], tet[n]), _crossing(phi, tet[a], tet[n])
    count = _emit(codes, count, tet[a], tet[b], bn, tet[zero])
    return _emit(codes, count, tet[a], bn, an, tet[zero])


@njit(cache=True)
def _staircase(bottom, top, codes, count):
    """A prism with columns bottom-top, its diagonals from each bottom to the tops of later columns."""
    count = _emit(codes, count, bottom[0], bottom[1], bottom[2], top[2])
    count = _emit(codes, count, bottom[0], bottom[1], top[1], top[2])
    return _emit(codes, count, bottom[0], top[0], top[1], top[2])


@njit(cache=True)
def _cut_corner(phi, points, tet, plus, n, codes, count):
    """One node is outside: a prism between the inner triangle and the cut."""
    order = plus.copy()
    for sweep in range(2):
        for m in range(2 - sweep):
            if not _from_first(phi, points, tet, order[m], order[m + 1], n):
                order[m], order[m + 1] = order[m + 1], order[m]
    bottom, top = np.empty(3, np.int64), np.empty(3, np.int64)
    for m in range(3):
        bottom[m] = tet[order[m]]
        top[m] = _crossing(phi, tet[order[m]], tet[n])
    return _staircase(bottom, top, codes, count)


@njit(cache=True)
def _cut_wedge(phi, points, tet, plus, minus, codes, count):
    """Two nodes are outside: a prism whose columns run from what belongs to `a` to what belongs to `b`."""
    a, b, n, m = plus[0], plus[1], minus[0], minus[1]
    bottom = np.array([tet[a], _crossing(phi, tet[a], tet[n]), _crossing(phi, tet[a], tet[m])])
    top = np.array([tet[b], _crossing(phi, tet[b], tet[n]), _crossing(phi, tet[b], tet[m])])
    by_n, by_m = _from_first(phi, points, tet, a, b, n), _from_first(phi, points, tet, a, b, m)
    if by_n and by_m:
        first, second, third = 0, 1, 2
    elif by_n:
        first, second, third = 2, 0, 1
    elif by_m:
        first, second, third = 1, 0, 2
    else:
        first, second, third = 1, 2, 0
    if by_n == by_m and not _free_diagonal(phi, points, tet, a, b, n, m):
        if by_n:
            second, third = third, second
        else:
            first, second = second, first
    order = np.array([first, second, third])
    return _staircase(bottom[order], top[order], codes, count)


@njit(cache=True)
def _free_diagonal(phi, points, tet, a, b, n, m):
    """Whether, in the cut itself, the diagonal from an to bm is shorter than the one from am to bn."""
    difference = 0.0
    for axis in range(3):
        an = _between(phi, points, tet[a], tet[n], axis)
        bm = _between(phi, points, tet[b], tet[m], axis)
        am = _between(phi, points, tet[a], tet[m], axis)
        bn = _between(phi, points, tet[b], tet[n], axis)
        difference += (an - bm) ** 2 - (am - bn) ** 2
    return difference < 0


@njit(cache=True)
def _between(phi, points, inside, outside, axis):
    t = phi[inside] / (phi[inside] - phi[outside])
    return points[inside, axis] + t * (points[outside, axis] - points[inside, axis])
