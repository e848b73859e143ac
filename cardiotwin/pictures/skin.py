"""Triangles of the heart that can be seen: its surface, and the face of a cut through its wall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.heart.heart import Heart
from cardiotwin.pictures.palette import nearest_turn


@dataclass(frozen=True, eq=False)
class Plane:
    """A cut: what lies on the side that the unit vector `normal` points to is taken away. LPS, mm."""

    point: np.ndarray
    normal: np.ndarray

    def beyond(self, points: np.ndarray) -> np.ndarray:
        """(...,) distance from the plane, mm; positive for what is taken away."""
        return (points - self.point) @ self.normal


@dataclass(frozen=True, eq=False)
class Skin:
    """Triangles to be seen, their corners on edges of the mesh: any field of the heart can be shown on them.

    Attributes
    ----------
    start, stop : (n, 3) int
        Nodes of the edge each corner lies on.
    fraction : (n, 3) float64
        How far along it.
    element : (n,) int
        The tetrahedron each triangle belongs to.
    normals : (n, 3, 3) float64
        At each corner.
    """

    start: np.ndarray
    stop: np.ndarray
    fraction: np.ndarray
    element: np.ndarray
    normals: np.ndarray

    def at_corners(self, node_values: np.ndarray) -> np.ndarray:
        """(n, 3, ...) values at the corners of a field given at the nodes."""
        fraction = self.fraction.reshape(*self.fraction.shape, *[1] * (node_values.ndim - 1))
        return (1 - fraction) * node_values[self.start] + fraction * node_values[self.stop]

    def at_corners_of_cycle(self, node_values: np.ndarray, period: float) -> np.ndarray:
        """(n, 3) values of a field that goes round: each corner within half a period of the first.

        For a palette with that period; otherwise the triangles where one cycle ends and the next begins would run
        through all colours.
        """
        corners = self.at_corners(node_values)
        along_edges = node_values[self.stop] - node_values[self.start]
        corners += self.fraction * (nearest_turn(along_edges, period) - along_edges)
        return corners[:, :1] + nearest_turn(corners - corners[:, :1], period)

    def of_elements(self, element_values: np.ndarray) -> np.ndarray:
        """(n, 3) values at the corners of a field given at the elements."""
        return np.repeat(element_values[self.element].astype(float)[:, None], 3, axis=1)


def outside(heart: Heart) -> Skin:
    """The whole surface of the heart, smoothly lit."""
    faces, element = boundary(heart.mesh.tets, len(heart.mesh.points))
    corners = heart.mesh.points[faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(heart.mesh.points)
    for k in range(3):
        np.add.at(normals, faces[:, k], facing)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Skin(faces, faces, np.zeros(faces.shape), element, normals[faces])


def boundary(tets: np.ndarray, n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) faces that only one element has, outward, and (n,) the element."""
    faces = tets[:, [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]]].reshape(-1, 3).astype(np.int64)
    a, b, c = np.sort(faces, axis=1).T
    _, first, count = np.unique((a * n_nodes + b) * n_nodes + c, return_index=True, return_counts=True)
    single = first[count == 1]
    return faces[single], single // 4


_CROSSING: dict[int, list[list[tuple[int, int]]]] = {
    1: [[(0, 1), (0, 2), (0, 3)]],
    2: [[(0, 2), (0, 3), (1, 3)], [(0, 2), (1, 3), (1, 2)]],
    3: [[(0, 3), (1, 3), (2, 3)]],
}
"""Edges that a plane crosses, by how many nodes of a tetrahedron lie below it: nodes by rank of height."""


def section(heart: Heart, plane: Plane) -> Skin:
    """The face that a cut along a plane leaves in the wall."""
    height = plane.beyond(heart.mesh.points)
    of_nodes = height[heart.mesh.tets]
    ranked = np.take_along_axis(heart.mesh.tets, np.argsort(of_nodes, axis=1), axis=1)
    below = (of_nodes < 0).sum(axis=1)
    start, stop, element = [], [], []
    for count, triangles in _CROSSING.items():
        which = np.flatnonzero(below == count)
        for triangle in triangles:
            start.append(ranked[which][:, [low for low, _ in triangle]])
            stop.append(ranked[which][:, [high for _, high in triangle]])
            element.append(which)
    first, last = np.concatenate(start), np.concatenate(stop)
    # Below is below 0 and above is not: the difference is never 0.
    fraction = height[first] / (height[first] - height[last])
    return Skin(first, last, fraction, np.concatenate(element), np.broadcast_to(plane.normal, (len(first), 3, 3)))


def outlines(face: Skin, points: np.ndarray) -> np.ndarray:
    """(n, 2, 3) sides of the polygons that a cut makes of the elements, without the diagonals of quadrangles.

    A side lies in a face of its element, so the two mesh edges that hold its ends have a node in common; those of a
    diagonal have none.
    """
    corners, sides = face.at_corners(points), []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        first, second = ((face.start[:, k], face.stop[:, k]) for k in (a, b))
        joined = np.any([one == other for one in first for other in second], axis=0)
        sides.append(corners[joined][:, [a, b]])
    return np.concatenate(sides)
