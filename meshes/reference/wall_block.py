"""A block of wall as the mesher makes it, lying somehow in its lattice: the face at x = 0 is the endocardium."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.spatial.transform import Rotation

from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.tetrahedra import stuff


def wall_block(
    size_mm: tuple[float, float, float], edge_mm: float, turn: Rotation
) -> tuple[Mesh, np.ndarray, np.ndarray]:
    """Stuff a box that is turned in the lattice, and turn it back.

    Parameters
    ----------
    size_mm : (3,) float
        Depth of the wall, length and width.
    edge_mm : float
        Lattice constant.
    turn : Rotation
        From the box's own axes to the lattice's.

    Returns
    -------
    mesh : Mesh
        One corner at the origin.
    faces : (n_faces, 3) int32
        Of its boundary.
    endocardial : (n_faces,) bool
        Those at x = 0. By their direction: the mesher bevels the rim, and nodes there are not quite on the
        plane.
    """
    size = np.array(size_mm)

    def inside(points: np.ndarray) -> np.ndarray:
        local = turn.inv().apply(points)
        return np.minimum(local, size - local).min(axis=1)

    corners = turn.apply(np.array(list(product(*zip(np.zeros(3), size, strict=True)))))
    made = stuff(inside, corners.min(axis=0), corners.max(axis=0), edge_mm)
    points = turn.inv().apply(made.points)
    points[np.abs(points) < 1e-6 * edge_mm] = 0.0
    mesh = Mesh(points, made.tets)
    faces = mesh.boundary_faces()
    a, b, c = np.moveaxis(points[faces], 1, 0)
    outward = np.cross(b - a, c - a)
    upon = (a[:, 0] < 0.5 * edge_mm) & (outward[:, 0] < -0.7 * np.linalg.norm(outward, axis=1))
    return mesh, faces, upon
