"""From one heart to another: points with the same ventricular coordinates correspond.

Each ventricle is a disc times a wall: distance from the apex and rotation are polar coordinates, depth is the third.
In these three numbers neither the apex nor the turn from 1 to 0 is special, and every tetrahedron is a tetrahedron
again, so that a point is found by its barycentric coordinates there. Across the middle of the septum the depth of the
other ventricle counts as negative, so that no tetrahedron is torn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from cardiotwin.errors import MeshError
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.quality import edge_lengths
from cardiotwin.meshes.ventricular import VentricularCoordinates

_CANDIDATES = 32
_AT_ONCE = 20_000
"""Queries at a time: bounds the memory for candidates to 5 MB."""


@dataclass(frozen=True, eq=False)
class Places:
    """Points inside the tetrahedra of a mesh.

    Attributes
    ----------
    tets : (n,) int64
        The tetrahedron each lies in.
    nodes, weights : (n, 4) int32, (n, 4) float64
        Its nodes, and the barycentric coordinates: never negative, adding up to 1; NaN for a point that has no place.
    missed : (n,) float64
        By how much the least barycentric coordinate was negative before: 0 inside, else about how many elements away;
        infinite for a point that has no place.
    """

    tets: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray
    missed: np.ndarray

    def values(self, field: np.ndarray) -> np.ndarray:
        """(n, ...) a field of the mesh there: interpolated from its nodes.

        Raises
        ------
        MeshError
            Fewer values than the mesh has nodes.
        """
        field = np.asarray(field)
        if self.nodes.size and len(field) <= self.nodes.max():
            raise MeshError(f"mapping: a field of {len(field)} values; expected one a node, over {self.nodes.max()}")
        return np.einsum("ij,ij...->i...", self.weights, field[self.nodes].astype(np.float64))


def locate(mesh: Mesh, points: np.ndarray) -> Places:
    """Which tetrahedron holds each point; points outside are moved to one near them, see `Places.missed`.

    Parameters
    ----------
    points : (n, 3) float64
        mm.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise MeshError(f"mapping: points of shape {points.shape}; expected (n, 3), all of them finite")
    return _within(mesh.points, mesh.tets, np.arange(len(mesh.tets)), points, np.ones(3))


def coordinates_at(coordinates: VentricularCoordinates, places: Places) -> VentricularCoordinates:
    """Ventricular coordinates of points inside tetrahedra; the ventricle is that of most of the weight.

    NaN, and 0 for the ventricle, for a point that has no place.
    """
    right = (places.weights * (coordinates.transventricular[places.nodes] == 1)).sum(axis=1) > 0.5
    found = np.empty((len(places.tets), 3))
    for side in (0, 1):
        chosen = right == side
        disc = _disc(coordinates, side)
        found[chosen] = np.einsum("ij,ijk->ik", places.weights[chosen], disc[places.nodes[chosen]])
    turn = np.arctan2(found[:, 1], found[:, 0]) / (2 * np.pi) % 1.0
    height = np.hypot(found[:, 0], found[:, 1]).clip(0, 1)
    return VentricularCoordinates(height, found[:, 2].clip(0, 1), turn, right.astype(np.uint8))


def coordinates_of_elements(coordinates: VentricularCoordinates, tets: np.ndarray) -> VentricularCoordinates:
    """Ventricular coordinates of the middles of (n, 4) tetrahedra."""
    n = len(tets)
    return coordinates_at(coordinates, Places(np.arange(n), tets, np.full((n, 4), 0.25), np.zeros(n)))


def correspond(mesh: Mesh, coordinates: VentricularCoordinates, wanted: VentricularCoordinates) -> Places:
    """Where in a heart given coordinates lie.

    Parameters
    ----------
    mesh, coordinates : Mesh, VentricularCoordinates
        The heart, and the coordinates of its nodes.
    wanted : VentricularCoordinates
        Of any points, of this heart or another.

    Returns
    -------
    Places
        Without a place (NaN) where the coordinates are not known, or lie in a ventricle that this heart does not have:
        a left ventricle alone has a place for what lies on the left of another heart's septum, and for nothing else.
    """
    n = len(wanted.apicobasal)
    tets, nodes = np.zeros(n, np.int64), np.zeros((n, 4), np.int32)
    weights, missed = np.full((n, 4), np.nan), np.full(n, np.inf)
    known = np.isfinite(wanted.apicobasal) & np.isfinite(wanted.transmural) & np.isfinite(wanted.rotational)
    for side in (0, 1):
        chosen = known & (wanted.transventricular == side)
        own = np.flatnonzero((coordinates.transventricular[mesh.tets] == side).any(axis=1))
        if not (chosen.any() and own.size):
            continue
        disc = _disc(coordinates, side)
        # Distances between middles count in elements: walls are some elements thick, circumferences a hundred.
        scale = np.median(np.ptp(disc[mesh.tets[own]], axis=1), axis=0)
        part = _within(disc, mesh.tets, own, _disc(wanted, side)[chosen], 1.0 / np.maximum(scale, 1e-9))
        tets[chosen], nodes[chosen] = part.tets, part.nodes
        weights[chosen], missed[chosen] = part.weights, part.missed
    return Places(tets, nodes, weights, missed)


def map_points(
    points: np.ndarray,
    source: tuple[Mesh, VentricularCoordinates],
    target: tuple[Mesh, VentricularCoordinates],
) -> np.ndarray:
    """Where points of one heart lie in another.

    Parameters
    ----------
    points : (n, 3) or (3,) float64
        mm. Rows that are NaN stay so.

    Returns
    -------
    (n, 3) or (3,) float64
        mm. NaN for a point farther outside the source than its mean edge, which would otherwise be moved onto it, and
        for one in a ventricle that the target does not have.

    Raises
    ------
    MeshError
        Another shape, or infinite.
    """
    points = np.asarray(points, np.float64)
    rows = points[None] if points.shape == (3,) else points
    known = ~np.isnan(rows).any(axis=-1) if rows.ndim == 2 else np.ones(len(rows), bool)
    places = locate(source[0], rows[known])
    wanted = coordinates_at(source[1], _near(source[0], rows[known], places))
    found = np.full(rows.shape, np.nan)
    found[known] = correspond(*target, wanted).values(target[0].points)
    return found.reshape(points.shape)


def _near(mesh: Mesh, points: np.ndarray, places: Places) -> Places:
    """The same without a place for points farther than a mean edge from the mesh.

    Distances are to corners, middles of edges and middles of faces of the surface: at one edge from it, at most 4 % too
    long.
    """
    edge_mm = edge_lengths(mesh.points, mesh.tets).mean()
    corners = mesh.points[mesh.boundary_faces()]
    middles = (corners + np.roll(corners, 1, axis=1)) / 2
    surface = np.concatenate([corners.reshape(-1, 3), middles.reshape(-1, 3), corners.mean(axis=1)])
    # A place inside is missed by rounding, or where no near tetrahedron holds it: it is not far from the one found.
    far = np.linalg.norm(places.values(mesh.points) - points, axis=1) > edge_mm
    far[far] = cKDTree(surface).query(points[far])[0] > edge_mm
    weights = np.where(far[:, None], np.nan, places.weights)
    return Places(places.tets, places.nodes, weights, np.where(far, np.inf, places.missed))


def map_field(
    field: np.ndarray,
    source: tuple[Mesh, VentricularCoordinates],
    target: tuple[Mesh, VentricularCoordinates],
) -> np.ndarray:
    """A scalar field of one heart on the nodes (if it has a value a node) or tetrahedra of another.

    Values of nodes are interpolated, those of tetrahedra taken from the one that holds the corresponding middle. In a
    ventricle that the source does not have they are NaN, and those of tetrahedra then float64 whatever they were.
    Directions are not mapped: they would have to be turned with the wall.

    Raises
    ------
    MeshError
        The field has as many values as the source has neither nodes nor tetrahedra.
    """
    field = np.asarray(field)
    if field.shape == (len(source[0].points),):
        return correspond(*source, target[1]).values(field)
    if field.shape == (len(source[0].tets),):
        n = len(target[0].tets)
        middles = Places(np.arange(n), target[0].tets, np.full((n, 4), 0.25), np.zeros(n))
        places = correspond(*source, coordinates_at(target[1], middles))
        found = field[places.tets]
        missing = np.isinf(places.missed)
        return np.where(missing, np.nan, found.astype(np.float64)) if missing.any() else found
    raise MeshError(
        f"mapping: a field of shape {field.shape}; expected one value for each of {len(source[0].points)} nodes "
        f"or {len(source[0].tets)} tetrahedra"
    )


def _disc(coordinates: VentricularCoordinates, side: int) -> np.ndarray:
    """(n, 3) height along the rotation's direction, and depth, negative in the other ventricle."""
    angle = 2 * np.pi * coordinates.rotational
    depth = np.where(coordinates.transventricular == side, 1.0, -1.0) * coordinates.transmural
    return np.stack([coordinates.apicobasal * np.cos(angle), coordinates.apicobasal * np.sin(angle), depth], axis=1)


def _within(points: np.ndarray, tets: np.ndarray, own: np.ndarray, wanted: np.ndarray, scale: np.ndarray) -> Places:
    """For each wanted place the tetrahedron, among those of `own` with near middles, that holds it best."""
    tree = cKDTree(points[tets[own]].mean(axis=1) * scale)
    n = len(wanted)
    best, weights, missed = np.zeros(n, np.int64), np.zeros((n, 4)), np.zeros(n)
    for begin in range(0, n, _AT_ONCE):
        rows = slice(begin, begin + _AT_ONCE)
        count = min(_CANDIDATES, len(own))
        near = tree.query(wanted[rows] * scale, k=count)[1].reshape(-1, count)
        _best(points, tets, own[near], np.ascontiguousarray(wanted[rows]), best[rows], weights[rows], missed[rows])
    return Places(best, tets[best], weights, missed)


@njit(cache=True)
def _best(points, tets, candidates, wanted, best, weights, missed):
    """Barycentric coordinates in each candidate; the one whose least is largest. The last three are overwritten."""
    found = np.empty(4)
    for i in range(wanted.shape[0]):
        highest = -1e300
        for k in range(candidates.shape[1]):
            e = candidates[i, k]
            _barycentric(points, tets[e], wanted[i], found)
            least = min(min(found[0], found[1]), min(found[2], found[3]))
            if least > highest:
                highest = least
                best[i] = e
                weights[i] = found
            if highest >= 0.0:
                break
        missed[i] = max(-highest, 0.0)
        total = 0.0
        for j in range(4):
            weights[i, j] = max(weights[i, j], 0.0)
            total += weights[i, j]
        for j in range(4):
            weights[i, j] /= total


@njit(cache=True)
def _barycentric(points, tet, place, result):
    """Of a place in a tetrahedron; `result` (4,) overwritten, -1e200 where it is flat."""
    a, b, c = (points[tet[1]] - points[tet[0]], points[tet[2]] - points[tet[0]], points[tet[3]] - points[tet[0]])
    d = place - points[tet[0]]
    volume = np.dot(np.cross(a, b), c)
    if abs(volume) < 1e-18:
        result[:] = -1e200
        return
    result[1] = np.dot(np.cross(d, b), c) / volume
    result[2] = np.dot(np.cross(a, d), c) / volume
    result[3] = np.dot(np.cross(a, b), d) / volume
    result[0] = 1.0 - result[1] - result[2] - result[3]
