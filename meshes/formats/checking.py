"""From what a file says to a mesh that a kernel may see: checked, repaired with a count, or refused with cell numbers.

Kernels do no bounds checks, so nothing here is left to them. What can be put right without guessing is: the order of
the nodes in a tetrahedron, tetrahedra given twice, nodes of no tetrahedron, crumbs beside the heart. The rest is
refused: whoever made the mesh has to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cardiotwin.errors import MeshError
from cardiotwin.meshes.formats.claims import MM_PER, RawMesh, check_counts, refused
from cardiotwin.meshes.mesh import Mesh, signed_volumes
from cardiotwin.meshes.surfaces import without_unused
from cardiotwin.meshes.tetrahedra import oriented

FLAT = 1e-7
"""Volume over the cube of the longest edge below which a tetrahedron has none; a regular one has 0.118."""
MOST_CRUMBS = 0.01
"""Share of the tetrahedra that may lie apart from the rest and be dropped."""
TOUCHING = 1e-6
"""Distance over edge length at which a node lies on a face."""
SMALLEST_IN_MM, LARGEST_IN_MM = 1.0, 10_000.0
"""Extent of anything a heart mesh can be in mm; beyond, it is in m or µm."""


@dataclass(frozen=True, eq=False)
class MeshFile:
    """What a file held, checked.

    Attributes
    ----------
    mesh : Mesh
        mm; oriented; nodes that no tetrahedron uses left out.
    node_data, tet_data : dict of str to (n_nodes, ...) or (n_tets, ...) arrays
    unit : str
        Of the file.
    notes : tuple of str
        What was recognised, repaired and left out, with counts.
    """

    mesh: Mesh
    node_data: Mapping[str, np.ndarray] = field(default_factory=dict)
    tet_data: Mapping[str, np.ndarray] = field(default_factory=dict)
    unit: str = "mm"
    notes: tuple[str, ...] = ()


def checked(raw: RawMesh, name: str, unit: str | None = None) -> MeshFile:
    """A mesh every solver may trust, in mm.

    Parameters
    ----------
    raw : RawMesh
    name : str
        Of the file, for messages.
    unit : str or None
        A key of `MM_PER`; None: the format's own, unless the size says m or µm.

    Raises
    ------
    MeshError
        An index out of range, a node that is not finite, a tetrahedron without volume, three tetrahedra at one face,
        nodes hanging on faces of others, several parts of which none is nearly all, data of another length.
    """
    points, tets = raw.points, raw.tets
    check_counts(name, len(points), len(tets))
    _check_indices(points, tets, name)
    notes = list(raw.notes)
    kept = np.arange(len(tets))
    tets, kept = _without_twice(tets, kept, notes)
    _check_volumes(points, tets, kept, name)
    pairs, outside = _neighbours(tets, kept, name)
    _check_conforming(points, tets, outside, kept, name)
    tets, kept = _largest_part(tets, kept, pairs, name, notes)
    used = np.unique(tets)
    if len(used) < len(points):
        notes.append(f"{len(points) - len(used)} nodes of no tetrahedron left out")
    unit, told = (unit, "") if unit else recognised_unit(points[used], raw.unit)
    notes += [told] if told else []
    points, tets = without_unused(points * MM_PER[unit], tets)
    turned = int((signed_volumes(points, tets) < 0).sum())
    if turned:
        notes.append(f"{turned} of {len(tets)} tetrahedra were inside out and have been turned")
    mesh = Mesh(points, oriented(points, tets))
    node_data = _selected(raw.node_data, len(raw.points), used, name)
    return MeshFile(mesh, node_data, _selected(raw.tet_data, len(raw.tets), kept, name), unit, tuple(notes))


def recognised_unit(points: np.ndarray, usual: str) -> tuple[str, str]:
    """The unit that makes the size possible, and a line where it is not the usual one of the format."""
    extent = float(np.ptp(points, axis=0).max())
    if SMALLEST_IN_MM <= extent * MM_PER[usual] <= LARGEST_IN_MM:
        return usual, ""
    for unit in ("mm", "um", "m"):
        if SMALLEST_IN_MM <= extent * MM_PER[unit] <= LARGEST_IN_MM:
            return unit, f"coordinates taken as {unit}: the mesh is {extent:.4g} across, no size in {usual}"
    return usual, ""


def some(cells: np.ndarray) -> str:
    """The first few numbers of a list, for a message."""
    return ", ".join(str(int(k)) for k in cells[:5]) + (", ..." if len(cells) > 5 else "")


def _check_indices(points: np.ndarray, tets: np.ndarray, name: str) -> None:
    bad = np.flatnonzero(((tets < 0) | (tets >= len(points))).any(axis=1))
    if bad.size:
        row = tets[bad[0]]
        worst = int(row[(row < 0) | (row >= len(points))][0])
        raise MeshError(
            f"{name}: tetrahedron {bad[0]} names node {worst}, there are {len(points)} nodes counted from 0 "
            f"({bad.size} such tetrahedra: {some(bad)}). Export it again, or count nodes from 0"
        )
    used = np.zeros(len(points), bool)
    used[tets] = True
    bad = np.flatnonzero(used & ~np.isfinite(points).all(axis=1))
    if bad.size:
        raise MeshError(f"{name}: {bad.size} nodes are not finite ({some(bad)}); expected finite numbers")
    bad = np.flatnonzero(used & (np.abs(points) > 1e9).any(axis=1))
    if bad.size:
        raise MeshError(f"{name}: {bad.size} nodes lie beyond 1e9 ({some(bad)}); expected positions of a heart")


def _without_twice(tets: np.ndarray, kept: np.ndarray, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Tetrahedra of the same four nodes once; the first stays."""
    nodes = np.sort(tets.astype(np.int32), axis=1)
    order = np.lexsort(nodes.T)  # stable: of equal ones the first stays first
    again = np.sort(order[1:][(nodes[order[1:]] == nodes[order[:-1]]).all(axis=1)])
    if not again.size:
        return tets, kept
    notes.append(f"{again.size} tetrahedra given twice left out (cells {some(again)})")
    return np.delete(tets, again, axis=0), np.delete(kept, again)


def _check_volumes(points: np.ndarray, tets: np.ndarray, kept: np.ndarray, name: str) -> None:
    volumes = np.abs(signed_volumes(points, tets))
    corners = points[tets]
    longest = np.max(
        [np.linalg.norm(corners[:, a] - corners[:, b], axis=1) for a in range(4) for b in range(a)], axis=0
    )
    flat = np.flatnonzero(~(volumes > FLAT * longest**3))
    if flat.size:
        raise MeshError(
            f"{name}: {flat.size} of {len(tets)} tetrahedra are flat (cells {some(kept[flat])}); expected volumes "
            "above zero. Remesh, or take them out where the mesh was made"
        )


def _neighbours(tets: np.ndarray, kept: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) pairs of tetrahedra at one face, and the faces, four a tetrahedron, that are at one only.

    A face of three is refused.
    """
    faces = np.sort(_faces(tets).astype(np.int32), axis=1)
    order = np.lexsort(faces.T)
    same = (faces[order[1:]] == faces[order[:-1]]).all(axis=1)
    thrice = np.flatnonzero(same[1:] & same[:-1])
    if thrice.size:
        cells = np.unique(kept[order[thrice] // 4])
        raise MeshError(
            f"{name}: {thrice.size} faces belong to more than two tetrahedra (cells {some(cells)}); "
            "expected tetrahedra that do not overlap. Remesh"
        )
    alone = ~(np.r_[False, same] | np.r_[same, False])
    return np.stack([order[:-1][same] // 4, order[1:][same] // 4], axis=1), order[alone]


def _faces(tets: np.ndarray) -> np.ndarray:
    """(4 n, 3) nodes of every face."""
    return tets[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]].reshape(-1, 3)


def _largest_part(
    tets: np.ndarray, kept: np.ndarray, pairs: np.ndarray, name: str, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The tetrahedra that hang together by faces, when hardly any others do."""
    graph = coo_matrix((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(len(tets), len(tets)))
    n_parts, part = connected_components(graph, directed=False)
    if n_parts == 1:
        return tets, kept
    sizes = np.bincount(part)
    inside = part == sizes.argmax()
    left = int((~inside).sum())
    if left >= MOST_CRUMBS * len(tets):
        parts = ", ".join(str(size) for size in np.sort(sizes)[::-1][:4])
        raise MeshError(
            f"{name}: {n_parts} parts that share no face ({parts} tetrahedra; the second begins at cell "
            f"{int(kept[np.argmin(inside)])}); expected one, the rest below 1 %. Join nodes at the same place, or take "
            "the other parts out"
        )
    notes.append(f"{left} tetrahedra in {n_parts - 1} parts apart from the rest left out (cells {some(kept[~inside])})")
    return tets[inside], kept[inside]


def _check_conforming(points: np.ndarray, tets: np.ndarray, outside: np.ndarray, kept: np.ndarray, name: str) -> None:
    """Refuse nodes that lie on faces they are no corner of: no current would pass there."""
    faces = _faces(tets)[outside]
    corners = points[faces]
    centre = corners.mean(axis=1)
    radius = np.linalg.norm(corners - centre[:, None], axis=2).max(axis=1)
    nodes = np.unique(faces)
    tree = cKDTree(points[nodes])
    for at in range(0, len(faces), 1 << 15):
        rows = slice(at, at + (1 << 15))
        near = tree.query_ball_point(centre[rows], radius[rows] * (1 + TOUCHING))
        face = at + np.repeat(np.arange(len(near)), [len(one) for one in near])
        node = nodes[np.concatenate([np.asarray(one, np.int64) for one in near])]
        other = (faces[face] != node[:, None]).all(axis=1)
        face, node = face[other], node[other]
        on = _on_face(points[node], corners[face], radius[face])
        if on.any():
            first = int(np.argmax(on))
            raise MeshError(
                f"{name}: node {node[first]} hangs on a face of cell {kept[outside[face[first]] // 4]} without being "
                f"its corner ({len(np.unique(node[on]))} such nodes or more); expected shared nodes. Join "
                "nodes at the same place, or remesh"
            )


def _on_face(points: np.ndarray, corners: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(n,) bool: within a hair of the triangle."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    height = np.abs(np.einsum("ij,ij->i", points - a, normal)) / np.maximum(area, 1e-300)
    inside = np.ones(len(points), bool)
    for p, q in ((a, b), (b, c), (c, a)):
        side = np.einsum("ij,ij->i", np.cross(q - p, points - p), normal)
        inside &= side >= -TOUCHING * area * area
    return inside & (height <= TOUCHING * size)


def _selected(data: Mapping[str, np.ndarray], length: int, rows: np.ndarray, name: str) -> dict[str, np.ndarray]:
    for key, values in data.items():
        if len(values) != length:
            raise refused(name, f"{len(values)} values of {key!r}", f"{length}")
    return {key: np.asarray(values)[rows] for key, values in data.items()}
