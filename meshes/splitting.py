"""Cut a mesh along a level set, so that the set is made of faces and nodes and can carry boundary values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.meshes.mesh import Mesh, signed_volumes

_NEAR = 0.15
"""A node that lies within this fraction of an edge from the level is taken to lie on it: spares slivers."""


@dataclass(frozen=True, eq=False)
class SplitMesh:
    """A mesh whose tetrahedra lie on one side of a level each. The old nodes come first, in their order.

    Attributes
    ----------
    mesh : Mesh
    above : (n_tets,) bool
        The side.
    on_level : (n_nodes,) bool
    parent : (n_tets,) int64
        Tetrahedron of the old mesh.
    faces, surface : (n_faces, 3) int32, (n_faces,) uint8
        The boundary, cut likewise, each face with the tag it had.
    ends, share : (n_new, 2) int64, (n_new,) float64
        The edge of old nodes a new node lies on, and how far along.
    """

    mesh: Mesh
    above: np.ndarray
    on_level: np.ndarray
    parent: np.ndarray
    faces: np.ndarray
    surface: np.ndarray
    ends: np.ndarray
    share: np.ndarray

    def extended(self, field: np.ndarray) -> np.ndarray:
        """A nodal field of the old mesh on the nodes of the new one, linear along edges."""
        first, second = field[self.ends[:, 0]], field[self.ends[:, 1]]
        share = self.share.reshape(-1, *[1] * (field.ndim - 1))
        return np.concatenate([field, (1 - share) * first + share * second])

    def sheet(self) -> np.ndarray:
        """(n, 3) int32, the faces between the two sides."""
        touching = self.on_level[self.mesh.tets].sum(axis=1) >= 3
        tets, above = self.mesh.tets[touching], self.above[touching]
        low, high = (_faces_within(tets[above == side], self.on_level) for side in (False, True))
        common = np.isin(_keys(low, len(self.on_level)), _keys(high, len(self.on_level)))
        return low[common]


def split(mesh: Mesh, faces: np.ndarray, surface: np.ndarray, level: np.ndarray) -> SplitMesh:
    """Cut every tetrahedron through which the zero of a nodal field passes.

    Edges are halved where the field crosses zero, in the same order everywhere, so that neighbours fit together.

    Parameters
    ----------
    mesh : Mesh
    faces, surface : (n_faces, 3) int, (n_faces,) uint8
        Its boundary.
    level : (n_nodes,) float64
        Positive above.
    """
    n = len(mesh.points)
    low, high = (bound.reduce([level[mesh.tets[:, k]] for k in range(4)]) for bound in (np.minimum, np.maximum))
    through = (low < 0) & (high > 0)
    edges = _edges(mesh.tets[through], n)
    snapped = _snapped(level, edges)
    crossed = snapped[edges[:, 0]] * snapped[edges[:, 1]] < 0
    ends = edges[crossed]
    share = level[ends[:, 0]] / (level[ends[:, 0]] - level[ends[:, 1]])
    points = np.concatenate(
        [mesh.points, mesh.points[ends[:, 0]] + share[:, None] * (mesh.points[ends[:, 1]] - mesh.points[ends[:, 0]])]
    )
    signs = np.concatenate([np.sign(snapped), np.zeros(len(ends))]).astype(np.int8)
    keys = ends[:, 0] * n + ends[:, 1]  # in order, as `_edges` is
    pieces, of = _bisected(mesh.tets[through], signs, keys, n)
    of = np.flatnonzero(through)[of]
    # A piece flatter than rounding has nothing on either side of it.
    solid = signed_volumes(points, pieces) > 1e-12 * signed_volumes(mesh.points, mesh.tets[of])
    tets = np.concatenate([mesh.tets[~through], pieces[solid]])
    parent = np.concatenate([np.flatnonzero(~through), of[solid]])
    new_faces, tagged = _bisected(np.asarray(faces), signs, keys, n)
    # Where all four nodes were moved onto the level the field itself decides.
    extended = np.concatenate([level, np.zeros(len(ends))])
    total = sum(signs[tets[:, k]] for k in range(4))
    above = np.where(total != 0, total > 0, extended[tets].sum(axis=1) > 0)
    return SplitMesh(Mesh(points, tets), above, signs == 0, parent, new_faces, surface[tagged], ends, share)


def _snapped(level: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The level with zeros at the nodes that hardly differ from it."""
    first, second = level[edges[:, 0]], level[edges[:, 1]]
    crossed = first * second < 0
    share = np.abs(first[crossed]) / (np.abs(first[crossed]) + np.abs(second[crossed]))
    near = np.concatenate([edges[crossed, 0][share < _NEAR], edges[crossed, 1][share > 1 - _NEAR]])
    snapped = level.copy()
    snapped[near] = 0.0
    return snapped


def _bisected(simplices: np.ndarray, signs: np.ndarray, keys: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Halve simplices at their crossed edges, least edge first, until no edge has ends on both sides.

    Returns
    -------
    pieces : (m, size) int32
        Each wound as what it was cut from.
    parent : (m,) int64
    """
    parent = np.arange(len(simplices))
    simplices = simplices.astype(np.int32)
    pairs = [(a, b) for a in range(simplices.shape[1]) for b in range(a + 1, simplices.shape[1])]
    done, origin = [simplices[:0]], [parent[:0]]
    while len(simplices):
        crossed = np.stack([signs[simplices[:, a]] * signs[simplices[:, b]] < 0 for a, b in pairs], axis=1)
        cut = crossed.any(axis=1)
        done.append(simplices[~cut])
        origin.append(parent[~cut])
        simplices, parent, crossed = simplices[cut], parent[cut], crossed[cut]
        found = np.full(crossed.shape, len(keys))
        for k, (a, b) in enumerate(pairs):
            ends = np.sort(simplices[crossed[:, k]][:, [a, b]].astype(np.int64), axis=1)
            found[crossed[:, k], k] = np.searchsorted(keys, ends[:, 0] * n + ends[:, 1])
        which = found.argmin(axis=1) if len(found) else np.zeros(0, np.int64)
        node = (n + found[np.arange(len(found)), which]).astype(np.int32)
        halves = []
        for end in (0, 1):
            half = simplices.copy()
            half[np.arange(len(half)), np.array(pairs)[which, end]] = node
            halves.append(half)
        simplices, parent = np.concatenate(halves), np.concatenate([parent, parent])
    return np.concatenate(done), np.concatenate(origin)


def _edges(tets: np.ndarray, n: int) -> np.ndarray:
    """(n_edges, 2) int64, each edge once, in order."""
    pairs = np.sort(tets[:, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]].reshape(-1, 2), axis=1).astype(np.int64)
    keys = np.unique(pairs[:, 0] * n + pairs[:, 1])
    return np.stack([keys // n, keys % n], axis=1)


def _faces_within(tets: np.ndarray, member: np.ndarray) -> np.ndarray:
    """(n, 3) faces of tetrahedra all of whose nodes are members."""
    faces = tets[:, [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]]].reshape(-1, 3)
    return faces[member[faces].all(axis=1)]


def _keys(faces: np.ndarray, n: int) -> np.ndarray:
    ordered = np.sort(faces, axis=1).astype(np.int64)
    return (ordered[:, 0] * n + ordered[:, 1]) * n + ordered[:, 2]
