"""How good are the tetrahedra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.meshes.adjacency import edges
from cardiotwin.meshes.mesh import Mesh

_EDGES = np.array([[0, 1, 2, 3], [0, 2, 1, 3], [0, 3, 1, 2], [1, 2, 0, 3], [1, 3, 0, 2], [2, 3, 0, 1]])


@dataclass(frozen=True)
class Quality:
    """Numbers to quote about a mesh; angles in degrees, lengths in mm, volume in mL."""

    n_nodes: int
    n_tets: int
    volume_ml: float
    smallest_dihedral: float
    first_percentile_dihedral: float
    median_dihedral: float
    largest_dihedral: float
    mean_edge_mm: float
    longest_edge_mm: float


def dihedral_angles(points: np.ndarray, tets: np.ndarray) -> np.ndarray:
    """(n_tets, 6) dihedral angles, degrees, in [0, 180]."""
    angles = np.empty((len(tets), 6))
    for column, (a, b, c, d) in enumerate(_EDGES):
        edge = points[tets[:, b]] - points[tets[:, a]]
        first = np.cross(edge, points[tets[:, c]] - points[tets[:, a]])
        second = np.cross(edge, points[tets[:, d]] - points[tets[:, a]])
        # Not arccos of the dot product: it loses half the digits near 0 and 180 degrees, where they matter.
        across = np.linalg.norm(np.cross(first, second), axis=1)
        angles[:, column] = np.degrees(np.arctan2(across, np.einsum("ij,ij->i", first, second)))
    return angles


def edge_lengths(points: np.ndarray, tets: np.ndarray) -> np.ndarray:
    """(n_edges,) length of every edge once, mm."""
    first, second = edges(tets, len(points))
    return np.linalg.norm(points[first] - points[second], axis=1)


def quality(mesh: Mesh) -> Quality:
    """Measure a mesh."""
    angles = dihedral_angles(mesh.points, mesh.tets)
    smallest = angles.min(axis=1)
    lengths = edge_lengths(mesh.points, mesh.tets)
    return Quality(
        n_nodes=len(mesh.points),
        n_tets=len(mesh.tets),
        volume_ml=float(mesh.volumes.sum() * 1e-3),
        smallest_dihedral=float(smallest.min()),
        first_percentile_dihedral=float(np.percentile(smallest, 1)),
        median_dihedral=float(np.median(smallest)),
        largest_dihedral=float(angles.max()),
        mean_edge_mm=float(lengths.mean()),
        longest_edge_mm=float(lengths.max()),
    )
