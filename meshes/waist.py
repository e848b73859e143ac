"""Two cavities that a hole joins into one, parted where the passage is narrowest."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.patches import boundary, patches

LEAST_MOUTH_MM = 40.0
"""Length of the rim of a ventricle's mouth, at least; that of an aortic valve is over 60."""
NARROW = 0.6
"""Of the shorter of two mouths, the longest line around a passage that is a hole between two cavities. From the inflow
of one ventricle to its outflow nothing is narrower than the valves."""
PER_MM = 1000.0
"""Lengths become whole numbers for the flow."""


def parted(mesh: Mesh, cavity: np.ndarray) -> list[np.ndarray]:
    """A cavity as it is, or as two where the way from one of its mouths to another is as narrow as no ventricle is.

    The shortest line on its wall that separates two mouths is a minimum cut, and so a maximum flow.

    Parameters
    ----------
    mesh : Mesh
    cavity : (n_faces,) bool
        Of the boundary faces.

    Returns
    -------
    list of (n_faces,) bool
    """
    faces, across = boundary(mesh)
    found = patches(faces, across, cavity.astype(np.int8))
    own = cavity[found.rims[:, 0]]
    (face, side), rim = found.rims[own].T, found.rim[own]
    length = np.linalg.norm(mesh.points[faces] - mesh.points[np.roll(faces, -1, axis=1)], axis=2)
    around = np.bincount(rim, length[face, side])
    mouths = np.flatnonzero(around >= LEAST_MOUTH_MM)
    cuts = [
        (shortest / min(around[a], around[b]), this_side)
        for a, b in combinations(mouths, 2)
        for shortest, this_side in [_shortest_cut(across, length, cavity, face[rim == a], face[rim == b])]
    ]
    narrowest = min(cuts, key=lambda cut: cut[0], default=(1.0, cavity))
    if narrowest[0] >= NARROW:
        return [cavity]
    return [cavity & narrowest[1], cavity & ~narrowest[1]]


def _shortest_cut(
    across: np.ndarray, length: np.ndarray, cavity: np.ndarray, begin: np.ndarray, end: np.ndarray
) -> tuple[float, np.ndarray]:
    """Length of the shortest line between two groups of faces, mm, and which faces are on the side of the first."""
    begin, end = np.unique(begin), np.unique(end)
    n, capacity = len(across), np.rint(PER_MM * length).astype(np.int32) + 1
    face, side = np.nonzero(cavity[:, None] & cavity[across])
    source, sink, endless = n, n + 1, np.int32(2**30)
    rows = np.r_[face, np.full(len(begin), source), end]
    columns = np.r_[across[face, side], begin, np.full(len(end), sink)]
    values = np.r_[capacity[face, side], np.full(len(begin) + len(end), endless)]
    graph = coo_matrix((values, (rows, columns)), shape=(n + 2, n + 2)).tocsr()
    flow = maximum_flow(graph, source, sink)
    left = (graph - flow.flow).tocsr()
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = np.zeros(n + 2, bool)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    return flow.flow_value / PER_MM, reached[:n]
