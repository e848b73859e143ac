"""What the boundary of a mesh hangs together as: closed pieces, patches with their rims, and how many handles each has.

A closed surface of V nodes, E edges and F faces has V - E + F = 2 - 2g, with g handles; a patch with b rims 2 - 2g - b
(Euler, Poincaré). For the muscle of a heart this means:

=================================================== ====== ==========================
muscle                                              pieces handles of the outer piece
=================================================== ====== ==========================
left ventricle, or both, cut open at the base       1      0
a cavity whose valves lie in k rings of muscle      1      k - 1 more
a cavity closed by a lid                            1 more 0
a void inside the wall                              1 more 0
a hole through a wall, free or septal               0 more 1 more
a bridge of muscle through a cavity (a trabecula)   0 more 1 more
=================================================== ====== ==========================

So a left ventricle with mitral and aortic ring has one handle, both ventricles with four rings have two. A hole and a
bridge cannot be told apart by counting: by the rims of the endocardium they can (`cardiotwin.meshes.holes`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cardiotwin.meshes.adjacency import BOUNDARY, FACES, face_neighbours
from cardiotwin.meshes.mesh import Mesh


@dataclass(frozen=True, eq=False)
class Patches:
    """Parts of a boundary.

    Attributes
    ----------
    patch : (n_faces,) int32
        Number of the patch of each face.
    handles : (n_patches,) int64
        Genus of each.
    rims : (n_rims, 2) int64
        Edges at which a patch ends: face, and which of its sides (from node k to node k + 1).
    rim : (n_rims,) int32
        Number of the closed line that each of them is part of.
    """

    patch: np.ndarray
    handles: np.ndarray
    rims: np.ndarray
    rim: np.ndarray


def boundary(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """The faces of a boundary, and which face is across each of their sides.

    Where muscle touches itself in an edge or a node only, four faces meet: those two are neighbours that the same
    muscle lies behind, because no current passes at an edge.

    Returns
    -------
    faces : (n_faces, 3) int32
        As `Mesh.boundary_faces`.
    across : (n_faces, 3) int32
        Side k goes from node k to node k + 1.
    """
    neighbours = face_neighbours(mesh.tets, len(mesh.points))
    tets, opposite = np.nonzero(neighbours == BOUNDARY)
    faces = np.take_along_axis(mesh.tets[tets], FACES[opposite], axis=1)
    return faces, _across_edges(mesh.tets, neighbours)


def patches(faces: np.ndarray, across: np.ndarray, label: np.ndarray | None = None) -> Patches:
    """Parts of a boundary whose faces have one label; without labels, its closed pieces.

    Parameters
    ----------
    faces, across : (n_faces, 3) int32
        See `boundary`.
    label : (n_faces,) int
    """
    inside = np.ones(across.shape, bool) if label is None else label[across] == label[:, None]
    face, side = np.nonzero(inside)
    other = across[face, side]
    n_patches, patch = _parts(face, other, len(faces))
    # A node counts once for each fan of faces around it, so it stays apart where patches touch in it.
    begins, ends = 3 * face + side, 3 * face + (side + 1) % 3
    there = _side_of(faces, other, faces[face, (side + 1) % 3])
    n_nodes, node = _parts(np.r_[begins, ends], np.r_[3 * other + (there + 1) % 3, 3 * other + there], faces.size)
    of_node = np.zeros(n_nodes, np.int64)
    of_node[node] = np.repeat(patch, 3)
    rim_face, rim_side = np.nonzero(~inside)
    here, next_ = node[3 * rim_face + rim_side], node[3 * rim_face + (rim_side + 1) % 3]
    line = _parts(here, next_, n_nodes)[1][here]
    lines, rim = np.unique(line, return_inverse=True)
    of_line = np.zeros(len(lines), np.int64)
    of_line[rim] = patch[rim_face]
    n_nodes_of, n_faces_of, n_rim_edges_of, n_rims_of = (
        np.bincount(which, minlength=n_patches) for which in (of_node, patch, patch[rim_face], of_line)
    )
    characteristic = n_nodes_of - (3 * n_faces_of + n_rim_edges_of) // 2 + n_faces_of
    handles = (2 - characteristic - n_rims_of) // 2
    return Patches(patch, handles, np.stack([rim_face, rim_side], axis=1), rim.astype(np.int32))


def enclosed_mm3(points: np.ndarray, faces: np.ndarray, patch: np.ndarray) -> np.ndarray:
    """(n_patches,) volume that each closed piece encloses: negative where muscle is around it, mm³."""
    a, b, c = (points[faces[:, k]] - points.mean(axis=0) for k in range(3))
    return np.bincount(patch, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0)


def _parts(first: np.ndarray, second: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    graph = coo_matrix((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    n_parts, part = connected_components(graph, directed=False)
    return int(n_parts), part


def _side_of(faces: np.ndarray, rows: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """(n,) which side of a face begins at a node: neighbours run along their common edge in opposite ways."""
    return np.argmax(faces[rows] == begin[:, None], axis=1)


@njit(cache=True, nogil=True)
def _across_edges(tets, across):
    """Walk around every edge of the boundary, through muscle, from one face to the next."""
    number = np.full(across.shape, -1, np.int32)
    n_faces = 0
    for e in range(tets.shape[0]):
        for f in range(4):
            if across[e, f] == BOUNDARY:
                number[e, f] = n_faces
                n_faces += 1
    found = np.empty((n_faces, 3), np.int32)
    for e in range(tets.shape[0]):
        for f in range(4):
            if number[e, f] < 0:
                continue
            for side in range(3):
                tet, behind = e, tets[e, FACES[f, (side + 2) % 3]]  # the node of the face that the edge leaves out
                last = tets[e, f]
                while True:
                    way = 0
                    while tets[tet, way] != behind:
                        way += 1
                    following = across[tet, way]
                    if following < 0:
                        found[number[e, f], side] = number[tet, way]
                        break
                    # In the next tetrahedron the node shared besides the edge is the one that was not yet passed.
                    tet, behind, last = following, last, _fourth(tets, tet, way, following)
    return found


@njit(cache=True, nogil=True)
def _fourth(tets, tet, way, other):
    """The node of a tetrahedron that its neighbour across a face does not have."""
    total = 0
    for k in range(4):
        total += tets[other, k]
        if k != way:
            total -= tets[tet, k]
    return total
