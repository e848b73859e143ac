"""Which part of the boundary is epicardium, endocardium or base; which parts hang together."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cardiotwin.errors import MeshError
from cardiotwin.meshes.adjacency import face_neighbours, parts
from cardiotwin.meshes.mesh import Mesh

EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM, BASE = 1, 2, 3, 4
"""Surface of a boundary face."""


def tagged_by_distance(faces: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """(n_faces,) uint8 surface of each face: the one its nodes are nearest to.

    Parameters
    ----------
    faces : (n_faces, 3) int
    distances : (n_nodes, 4)
        Distance of every node to epicardium, left and right endocardium and base, mm.
    """
    return (np.abs(distances)[faces].sum(axis=1).argmin(axis=1) + 1).astype(np.uint8)


def tagged_by_nodes(
    points: np.ndarray, faces: np.ndarray, left: np.ndarray, right: np.ndarray, base: np.ndarray
) -> np.ndarray:
    """(n_faces,) uint8 surface of each face from lists of nodes; epicardium is what no list claims.

    A face belongs where all three of its nodes do. Lists seldom agree at the rim, so the base grows there by two rounds
    of neighbours that face the same way (within 30 degrees), and islands of a few faces take the tag around them.
    """
    surface = np.full(len(faces), EPICARDIUM, np.uint8)
    for tag, nodes in ((BASE, base), (RV_ENDOCARDIUM, right), (LV_ENDOCARDIUM, left)):
        surface[_touching(faces, np.asarray(nodes), len(points)) == 3] = tag
    normals = face_normals(points, faces)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    upward = normals @ normals[surface == BASE].mean(axis=0) if (surface == BASE).any() else np.zeros(len(faces))
    level = upward > np.cos(np.radians(30.0)) * upward.max(initial=1e-30)
    for _ in range(2):
        beside = _touching(faces, faces[surface == BASE].ravel(), len(points)) > 0
        surface[beside & level & (surface == EPICARDIUM)] = BASE
    return without_islands(faces, surface)


def without_islands(faces: np.ndarray, surface: np.ndarray, *, share: float = 0.02) -> np.ndarray:
    """Give each patch that is smaller than a share of its surface's largest patch the tag it has most border with."""
    pairs = face_pairs(faces)
    same = surface[pairs[:, 0]] == surface[pairs[:, 1]]
    n = len(faces)
    graph = coo_matrix((np.ones(same.sum(), np.int8), tuple(pairs[same].T)), shape=(n, n))
    n_patches, patch = connected_components(graph, directed=False)
    size = np.bincount(patch)
    tag = np.zeros(n_patches, np.uint8)
    tag[patch] = surface
    largest = np.array([size[tag == t].max(initial=0) for t in range(5)])
    small = size < share * largest[tag]
    border = np.zeros((n_patches, 5), np.int64)
    across = pairs[~same]
    for here, there in (across.T, across.T[::-1]):
        np.add.at(border, (patch[here], surface[there]), 1)
    new = np.where(small & (border.sum(axis=1) > 0), border.argmax(axis=1), tag).astype(np.uint8)
    return new[patch]


def _touching(faces: np.ndarray, nodes: np.ndarray, n_nodes: int) -> np.ndarray:
    """(n_faces,) how many of a face's nodes are in a list."""
    member = np.zeros(n_nodes, bool)
    member[nodes] = True
    return member[faces].sum(axis=1)


def face_pairs(faces: np.ndarray) -> np.ndarray:
    """(n, 2) pairs of triangles that share an edge."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1).astype(np.int64)
    key = edges[:, 0] * (int(faces.max()) + 1) + edges[:, 1]
    order = np.argsort(key, kind="stable")
    same = key[order[1:]] == key[order[:-1]]
    return np.stack([order[:-1][same] // 3, order[1:][same] // 3], axis=1)


def largest_part(mesh: Mesh) -> tuple[Mesh, int]:
    """The largest part that hangs together by shared faces, and how many tetrahedra were left out.

    Parts that touch in a node or an edge only are separate: hardly any current would pass.
    """
    part, n_parts = parts(face_neighbours(mesh.tets, len(mesh.points)))
    if n_parts == 1:
        return mesh, 0
    kept = part == np.bincount(part).argmax()
    points, tets = without_unused(mesh.points, mesh.tets[kept])
    return Mesh(points, tets), int((~kept).sum())


def without_unused(points: np.ndarray, tets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out nodes that no tetrahedron names; order is kept."""
    used = np.zeros(len(points), bool)
    used[tets] = True
    return points[used], (np.cumsum(used) - 1)[tets].astype(np.int32)


def check_indices(points: np.ndarray, tets: np.ndarray) -> None:
    """Refuse tetrahedra that name nodes which are not there, and nodes that no tetrahedron names.

    Raises
    ------
    MeshError
        With the index of the first one found.
    """
    if tets.ndim != 2 or tets.shape[1] != 4 or not len(tets) or not np.issubdtype(tets.dtype, np.integer):
        raise MeshError(f"mesh: tets of shape {tets.shape} and kind {tets.dtype}; expected (n, 4) integers with n > 0")
    outside = (tets < 0) | (tets >= len(points))
    if outside.any():
        bad = int(np.argmax(outside.any(axis=1)))
        raise MeshError(f"mesh: tetrahedron {bad} names node {tets[bad].tolist()}, there are {len(points)} nodes")
    used = np.zeros(len(points), bool)
    used[tets] = True
    if not used.all():
        raise MeshError(
            f"mesh: {(~used).sum()} nodes belong to no tetrahedron (first: {int(np.argmin(used))}); remove them"
        )


def face_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(n_faces, 3) outward normals, as long as the face is large (mm²)."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    return 0.5 * np.cross(b - a, c - a)
