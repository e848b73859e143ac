"""A tetrahedral mesh that every solver may trust."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import MeshError


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
        return self.points[self.tets].mean(axis=1)

    def boundary_faces(self) -> np.ndarray:
        """(n_faces, 3) int32, each face that only one tetrahedron has, its normal outward."""
        # Opposite nodes 0, 1, 2, 3; wound so that the normal leaves the tetrahedron.
        faces = self.tets[:, [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]]].reshape(-1, 3)
        key = np.sort(faces, axis=1)
        _, first, count = np.unique(key, axis=0, return_index=True, return_counts=True)
        return np.ascontiguousarray(faces[first[count == 1]])


def signed_volumes(points: np.ndarray, tets: np.ndarray) -> np.ndarray:
    """(n_tets,) signed volumes, mm³."""
    a, b, c, d = (points[tets[:, k]] for k in range(4))
    return np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a) / 6.0


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
