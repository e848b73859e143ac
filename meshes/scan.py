"""Closed surfaces turned into voxels, and open ones closed first."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_OFF_GRID = 1e-6 * np.array([np.sqrt(2.0), np.pi, 1.0])
"""Points on voxel centres would lie on both of two neighbouring triangles, or on neither."""


def merged(points: np.ndarray, triangles: np.ndarray, *, within_mm: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Points at one place made one, as STL needs; triangles that have become flat left out."""
    _, first, number = np.unique(np.round(points / within_mm), axis=0, return_index=True, return_inverse=True)
    joined = number.reshape(-1)[triangles]
    a, b, c = joined.T
    return points[first], joined[(a != b) & (b != c) & (c != a)]


def capped(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """An open surface closed: every rim gets a fan of triangles to its centre.

    An edge that an odd number of triangles share belongs to a rim; rims that touch are one. A fan is turned as the
    triangles at its rim are: where all normals of a surface point inwards or all outwards, so do those of its fans.

    Returns
    -------
    points : (n, 3) float64
    triangles : (m, 3) int
    n_rims : int
        How many were closed.
    """
    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    _, first, counts = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    rim = edges[first[counts % 2 == 1]]
    if not len(rim):
        return points, triangles, 0
    graph = coo_matrix((np.ones(len(rim), np.int8), tuple(rim.T)), shape=(len(points), len(points)))
    part = connected_components(graph, directed=False)[1]
    _, which = np.unique(part[rim[:, 0]], return_inverse=True)
    centres = np.stack([points[np.unique(rim[which == k])].mean(axis=0) for k in range(which.max() + 1)])
    fans = np.column_stack([rim[:, ::-1], len(points) + which])
    return np.vstack([points, centres]), np.vstack([triangles, fans]), len(centres)


def rims(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(n, 3) points on the rims of an open surface."""
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, counts = np.unique(edges, axis=0, return_counts=True)
    return points[np.unique(edges[counts % 2 == 1])]


def filled(corners: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Which voxel centres a closed surface encloses.

    Parameters
    ----------
    corners : (n_triangles, 3, 3) float64
        Corners of the triangles in voxels: (slice, row, column), centres at whole numbers. Any orientation.
    shape : (3,) int

    Returns
    -------
    (n_slices, n_rows, n_columns) bool
    """
    flips = np.zeros(shape, np.uint8)
    _cross(np.ascontiguousarray(corners + _OFF_GRID), flips)
    return np.bitwise_xor.accumulate(flips, axis=0).astype(bool)


@njit(cache=True)
def _cross(corners, flips):
    """Flip the first voxel beyond each place where a line along the slices goes through a triangle.

    Parameters
    ----------
    corners : (n_triangles, 3, 3) float64
    flips : (n_slices, n_rows, n_columns) uint8
        Changed between 0 and 1.

    Notes
    -----
    An edge is tested from the same end whichever triangle it belongs to: no line slips between two triangles.
    """
    n_slices, n_rows, n_columns = flips.shape
    for t in range(len(corners)):
        rows, columns = corners[t, :, 1], corners[t, :, 2]
        first_row, last_row = max(0, int(np.ceil(rows.min()))), min(n_rows - 1, int(np.floor(rows.max())))
        first, last = max(0, int(np.ceil(columns.min()))), min(n_columns - 1, int(np.floor(columns.max())))
        for row in range(first_row, last_row + 1):
            for column in range(first, last + 1):
                inside, area = False, 0.0
                height = 0.0
                for k in range(3):
                    a, b = k, (k + 1) % 3
                    opposite = 3 - a - b
                    side = _side(corners[t, a], corners[t, b], row, column)
                    area += side
                    height += side * corners[t, opposite, 0]
                    if (corners[t, a, 1] > row) != (corners[t, b, 1] > row) and (
                        (side > 0.0) == (corners[t, b, 1] > corners[t, a, 1])
                    ):
                        inside = not inside
                if inside and area != 0.0:
                    slice_ = max(0, int(np.ceil(height / area)))
                    if slice_ < n_slices:
                        flips[slice_, row, column] ^= 1


@njit(cache=True)
def _side(a, b, row, column):
    """Twice the signed area of (a, b, point); exactly opposite for (b, a, point)."""
    if (a[1], a[2]) <= (b[1], b[2]):
        return (b[1] - a[1]) * (column - a[2]) - (b[2] - a[2]) * (row - a[1])
    return -((a[1] - b[1]) * (column - b[2]) - (a[2] - b[2]) * (row - b[1]))
