"""A tetrahedral mesh that every solver may trust."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from cardiotwin.errors import MeshError
from cardiotwin.meshes.adjacency import BOUNDARY, FACES, face_neighbours


@dataclass(frozen=True, eq=False)
class Mesh:
    """Tetrahedra in the DICOM patient frame (LPS).

    Attributes
    ----------
    points : (n_nodes, 3) float64
        Node positions, mm.
    tets : (n_tets, 4) int32
        Node indices, ordered so that every volume is positive.

    Raises
    ------
    MeshError
        A tetrahedron is flat, inverted or names a node that is not there.
    """

    points: np.ndarray
    tets: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", np.ascontiguousarray(self.points, np.float64))
        object.__setattr__(self, "tets", np.ascontiguousarray(self.tets, np.int32))
        check(self.points, self.tets)

    def __repr__(self) -> str:
        ml = 1e-3 * self.volumes.sum()
        return f"Mesh({len(self.points)} nodes, {len(self.tets)} tetrahedra, {ml:.1f} mL)"

    @property
    def volumes(self) -> np.ndarray:
        """(n_tets,) mm³."""
        return signed_volumes(self.points, self.tets)

    @property
    def centroids(self) -> np.ndarray:
        """(n_tets, 3) mm."""
        a, b, c, d = self.tets.T
        return 0.25 * ((self.points[a] + self.points[b]) + (self.points[c] + self.points[d]))

    def boundary_faces(self) -> np.ndarray:
        """(n_faces, 3) int32, each face that only one tetrahedron has, its normal outward."""
        alone = face_neighbours(self.tets, len(self.points)) == BOUNDARY
        tets, opposite = np.nonzero(alone)
        return np.take_along_axis(self.tets[tets], FACES[opposite], axis=1)


@njit(cache=True, nogil=True)
def signed_volumes(points, tets):
    """(n_tets,) signed volumes, mm³; one after the other, because arrays of corners would take 20 times the memory."""
    volumes = np.empty(tets.shape[0])
    for e in range(tets.shape[0]):
        a, b, c, d = points[tets[e, 0]], points[tets[e, 1]], points[tets[e, 2]], points[tets[e, 3]]
        u0, u1, u2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        v0, v1, v2 = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        w0, w1, w2 = d[0] - a[0], d[1] - a[1], d[2] - a[2]
        volumes[e] = ((u1 * v2 - u2 * v1) * w0 + (u2 * v0 - u0 * v2) * w1 + (u0 * v1 - u1 * v0) * w2) / 6.0
    return volumes


def check(points: np.ndarray, tets: np.ndarray) -> None:
    """Refuse a mesh that a kernel without bounds checks must not see.

    Raises
    ------
    MeshError
        Wrong shapes, a node that is not finite, an index out of range, a volume that is not positive.
    """
    if points.ndim != 2 or points.shape[1] != 3 or tets.ndim != 2 or tets.shape[1] != 4 or not len(tets):
        raise MeshError(f"mesh: points {points.shape} and tets {tets.shape}; expected (n, 3) and (m, 4) with m > 0")
    if not np.isfinite(points).all():
        raise MeshError(f"mesh: node {int(np.argmin(np.isfinite(points).all(axis=1)))} is not finite")
    if tets.min() < 0 or tets.max() >= len(points):
        bad = int(np.argmax((tets < 0).any(axis=1) | (tets >= len(points)).any(axis=1)))
        raise MeshError(f"mesh: tetrahedron {bad} names node {tets[bad].tolist()}, there are {len(points)} nodes")
    volumes = signed_volumes(points, tets)
    bad_volumes = np.flatnonzero(volumes <= 0)
    if bad_volumes.size:
        worst = int(np.argmin(volumes))
        raise MeshError(
            f"{bad_volumes.size} of {len(tets)} tetrahedra are flat or inverted (worst: {worst}, "
            f"{volumes[worst]:.3g} mm³). Remesh with another `edge_mm`, or reorder their nodes."
        )
