"""Ventricular coordinates in the sense of Cobiveco (Schuler et al. 2021, doi 10.1016/j.media.2021.102247).

Each of them is a distance along lines divided by the whole length of the line, so that it is linear in space where a
harmonic field is steep here and flat there. The lines, in both ventricles alike:

- `transmural`: up the harmonic field between epicardium and endocardium, the middle of the septum counting as
  epicardium of both ventricles;
- `rotational`: around, across both the transmural and the apicobasal direction, over the free wall from the posterior
  to the anterior junction of the ventricles, and back through the septum;
- `apicobasal`: up from the apex where the other two stay as they are.

The method is theirs, the way of computing is not: the mesh is cut at the middle of the septum and at the junctions
instead of being made anew, and distances are found by characteristics (see `trajectories`).

Without a right ventricle the septum is the 120 degrees (two of six basal segments) around the direction given for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cardiotwin.errors import MeshError
from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.side_by_side import side_by_side
from cardiotwin.meshes.splitting import SplitMesh, split
from cardiotwin.meshes.surfaces import BASE, EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM, face_normals
from cardiotwin.meshes.trajectories import Lines

PATIENTS_RIGHT = np.array([-1.0, 0.0, 0.0])
SEPTUM_FROM = 2.0 / 3.0
"""Rotational coordinate of the anterior junction; the posterior one is 0 and 1."""


@dataclass(frozen=True, eq=False)
class VentricularCoordinates:
    """Where in the ventricles a node lies, in the conventions of Cobiveco 1.0; no units.

    Attributes
    ----------
    apicobasal : (n_nodes,) float64
        0 at the apex, 1 at the base.
    transmural : (n_nodes,) float64
        0 at the epicardium and in the middle of the septum, 1 at the endocardium.
    rotational : (n_nodes,) float64
        In turns: from 0 at the posterior junction over the free wall to 2/3 at the anterior junction, through the
        septum to 1.
    transventricular : (n_nodes,) uint8
        0 left, 1 right; the septum is divided in its middle.
    """

    apicobasal: np.ndarray
    transmural: np.ndarray
    rotational: np.ndarray
    transventricular: np.ndarray

    @property
    def in_right_free_wall(self) -> np.ndarray:
        """(n_nodes,) bool; all of the septum belongs to the left ventricle."""
        return (self.transventricular == 1) & (self.rotational < SEPTUM_FROM)


@dataclass(frozen=True, eq=False)
class _Axes:
    """Down (base to apex), rightwards (left to right ventricle) and backwards, unit vectors; their centre, mm."""

    down: np.ndarray
    right: np.ndarray
    back: np.ndarray
    centre: np.ndarray


@dataclass(frozen=True, eq=False)
class _Upward:
    """The mesh divided into septum (above) and free walls, and what goes from its apex to its base.

    Attributes
    ----------
    quarters : SplitMesh
    ridge : (n_nodes,) int8
        See `_ridge`.
    apex, base : (n_nodes,) bool
    height : (n_nodes,) float64
        Harmonic, 0 at the apex and 1 on the base.
    """

    quarters: SplitMesh
    ridge: np.ndarray
    apex: np.ndarray
    base: np.ndarray
    height: np.ndarray


def ventricular_coordinates(
    mesh: Mesh,
    faces: np.ndarray,
    surface: np.ndarray,
    sides: np.ndarray,
    *,
    towards_septum: np.ndarray = PATIENTS_RIGHT,
) -> VentricularCoordinates:
    """The four coordinates of every node.

    Parameters
    ----------
    mesh : Mesh
    faces, surface : (n_faces, 3) int32, (n_faces,) uint8
        Its boundary, tagged.
    sides : (n_nodes,) float64
        Harmonic, 1 on the left and 0 on the right endocardium.
    towards_septum : (3,) float64
        From the left ventricle; read only where there is no right one.

    Raises
    ------
    MeshError
        Without epicardium, left endocardium or base; when the septum does not reach the epicardium.
    """
    halves = split(mesh, faces, surface, 0.5 - sides)  # above: right
    laplace = Laplace(halves.mesh)
    between = np.zeros(len(halves.mesh.points), bool)
    between[halves.sheet()] = True
    depth, upward = side_by_side(
        lambda: _transmural(halves, laplace, between),
        lambda: _upward(halves, laplace, between, _axes(halves, towards_septum)),
    )
    right = halves.above[upward.quarters.parent]
    tm = upward.quarters.extended(depth)
    rt, ab = side_by_side(lambda: _rotational(upward, right, tm), lambda: _apicobasal(upward, tm))
    n = len(mesh.points)
    return VentricularCoordinates(ab[:n], tm[:n].clip(0, 1), rt[:n], (sides < 0.5).astype(np.uint8))


def _on(part: SplitMesh, *tags: int) -> np.ndarray:
    member = np.zeros(len(part.mesh.points), bool)
    member[part.faces[np.isin(part.surface, tags)]] = True
    return member


def _share(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One distance in proportion to the sum of both."""
    return one / np.maximum(one + other, 1e-12)


def _transmural(halves: SplitMesh, laplace: Laplace, between: np.ndarray) -> np.ndarray:
    """The coordinate at the nodes; `between` (n_nodes,) bool is the middle of the septum."""
    inner = _on(halves, LV_ENDOCARDIUM, RV_ENDOCARDIUM) & ~between
    outer = (_on(halves, EPICARDIUM) | between) & ~inner
    u = laplace.solve(inner | outer, inner.astype(float))
    # Within the septum the field rises away from the middle on both sides: directions are gathered on each side alone.
    result = np.full(len(u), np.nan)
    for side in np.unique(halves.above):
        lines = Lines(halves.mesh.points, halves.mesh.tets[halves.above == side])
        inward = lines.at_nodes(lines.unit_gradient(u))
        found = _share(lines.distance(inward, outer), lines.distance(-inward, inner))
        result = np.where(np.isnan(found), result, found)
    return result


def _upward(halves: SplitMesh, laplace: Laplace, between: np.ndarray, axes: _Axes) -> _Upward:
    """Divide septum from free wall and solve for the height."""
    if between.any():
        level = laplace.solve(_on(halves, EPICARDIUM) | between, between.astype(float)) - 0.5
    else:
        level = _angular_level(halves.mesh.points, axes)
    quarters = split(halves.mesh, halves.faces, halves.surface, level)  # above: septum
    ridge = _ridge(quarters, quarters.extended(between.astype(float)) == 1.0, halves, axes)
    apex = _touching(quarters.mesh.tets, ridge)
    base = _on(quarters, BASE) & ~apex
    height = Laplace(quarters.mesh).solve(apex | base, base.astype(float))
    return _Upward(quarters, ridge, apex, base, height)


def _axes(halves: SplitMesh, towards_septum: np.ndarray) -> _Axes:
    """Cobiveco's axes: down along the left endocardium, right across the middle of the septum."""
    points = halves.mesh.points
    left = halves.faces[halves.surface == LV_ENDOCARDIUM]
    normals = face_normals(points, left)
    left_centre = _centre(points, left)
    base = points[np.unique(halves.faces[halves.surface == BASE])].mean(axis=0)
    down = _most_orthogonal(normals)
    down = down if down @ (left_centre - base) > 0 else -down
    sheet = halves.sheet()
    if not len(sheet):
        right = _perpendicular(np.asarray(towards_septum, float), down)
        return _Axes(down, right, np.cross(down, right), left_centre)
    right_centre = _centre(points, halves.faces[halves.surface == RV_ENDOCARDIUM])
    across = _flattest(points, sheet)
    across = across if across @ (right_centre - left_centre) > 0 else -across
    backwards = (points[sheet].mean(axis=1) - left_centre) @ np.cross(down, across)
    # The septum bends round at its rims, more so in front: they are left out before its direction is taken again.
    low, high = np.percentile(backwards, (20, 90))
    middle = sheet[(backwards > low) & (backwards < high)]
    septum_centre = _centre(points, middle)
    right = _flattest(points, middle)
    right = _perpendicular(right if right @ (septum_centre - left_centre) > 0 else -right, down)
    centre = left_centre + (septum_centre - left_centre) @ right * right
    return _Axes(down, right, np.cross(down, right), centre)


def _centre(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    areas = np.linalg.norm(face_normals(points, faces), axis=1)
    return np.average(points[faces].mean(axis=1), axis=0, weights=areas)


def _perpendicular(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
    rest = vector - vector @ axis * axis
    length = np.linalg.norm(rest)
    if length < 1e-6 * np.linalg.norm(vector):
        raise MeshError("heart: the direction to the septum lies along the ventricle's axis; give another one")
    return rest / length


def _flattest(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Direction in which the middles of triangles spread least, by area."""
    away = points[faces].mean(axis=1) - _centre(points, faces)
    areas = np.linalg.norm(face_normals(points, faces), axis=1)
    return np.linalg.eigh((away * areas[:, None]).T @ away)[1][:, 0]


def _most_orthogonal(normals: np.ndarray, power: float = 1.373) -> np.ndarray:
    """Direction whose products with the normals are least in the mean of this power, between 1 and 2 as in Cobiveco.

    Reweighted eigenvectors; normals are as long as their faces are large.
    """
    weight = np.ones(len(normals))
    for _ in range(30):
        direction = np.linalg.eigh((normals * weight[:, None]).T @ normals)[1][:, 0]
        product = np.abs(normals @ direction)
        weight = np.maximum(product, 1e-3 * product.max()) ** (power - 2.0)
    return direction


def _angular_level(points: np.ndarray, axes: _Axes) -> np.ndarray:
    """Positive within 60 degrees of the septum's direction."""
    out = points - axes.centre
    right, back = out @ axes.right, out @ axes.back
    return right / np.maximum(np.hypot(right, back), 1e-9) - 0.5


def _ridge(quarters: SplitMesh, between: np.ndarray, halves: SplitMesh, axes: _Axes) -> np.ndarray:
    """(n_nodes,) int8, between septum and free wall: 1 anterior, 2 posterior, 0 elsewhere."""
    points = quarters.mesh.points
    sheet = np.zeros(len(points), bool)
    sheet[quarters.sheet()] = True
    if not between.any():
        return np.where(sheet, np.where((points - axes.centre) @ axes.back < 0, 1, 2), 0).astype(np.int8)
    curve, anterior = _junction(halves, axes)
    of = np.where(anterior, 1, 2)
    nearest = cKDTree(halves.mesh.points[curve]).query(points)[1]
    # What of the septum lies open at the epicardium, half an element wide, belongs to the junction.
    septal = np.zeros(len(points), bool)
    septal[quarters.mesh.tets[quarters.above]] = True
    return np.where(sheet | (septal & _on(quarters, EPICARDIUM)), of[nearest], 0).astype(np.int8)


def _junction(halves: SplitMesh, axes: _Axes) -> tuple[np.ndarray, np.ndarray]:
    """Nodes where the middle of the septum meets the epicardium, and which of them lie in front of the apex."""
    points, sheet = halves.mesh.points, halves.sheet()
    n = len(points)
    edges = np.sort(sheet[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1).astype(np.int64)
    keys, count = np.unique(edges[:, 0] * n + edges[:, 1], return_counts=True)
    rim = np.stack([keys[count == 1] // n, keys[count == 1] % n], axis=1)
    rim = rim[_on(halves, EPICARDIUM)[rim].all(axis=1)]
    curve = np.unique(rim)
    if len(curve) < 3:
        raise MeshError("heart: the middle of the septum does not reach the epicardium; are the endocardia swapped?")
    away = points[curve] - axes.centre
    below = away @ axes.down > 0
    aside = np.linalg.norm(away - np.outer(away @ axes.down, axes.down), axis=1)
    tip = curve[np.where(below, aside, np.inf).argmin()]
    kept = rim[(rim != tip).all(axis=1)]
    local = np.searchsorted(curve, kept)
    graph = coo_matrix((np.ones(len(local)), tuple(local.T)), shape=(len(curve), len(curve)))
    part = connected_components(graph, directed=False)[1]
    two = np.argsort(-np.bincount(part), kind="stable")[:2]
    curve, part = curve[np.isin(part, two)], part[np.isin(part, two)]
    back = [points[curve[part == p]].mean(axis=0) @ axes.back for p in two]
    return curve, part == two[int(np.argmin(back))]


def _touching(tets: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """(n_nodes,) bool, anterior nodes of the ridge next to posterior ones: the apex, from cavity to cavity."""
    tags = ridge[tets]
    both = tets[(tags == 1).any(axis=1) & (tags == 2).any(axis=1)]
    apex = np.zeros(len(ridge), bool)
    apex[both[ridge[both] == 1]] = True
    if not apex.any():
        raise MeshError("heart: the junctions of the ventricles do not meet at an apex; is the base at the wrong end?")
    return apex


def _rotational(upward: _Upward, right: np.ndarray, tm: np.ndarray) -> np.ndarray:
    """The coordinate at the nodes; `right` (n_tets,) bool is the right ventricle."""
    quarters, ridge = upward.quarters, upward.ridge
    rt = np.full(len(tm), np.nan)
    for septum in (True, False):
        chosen = quarters.above == septum
        lines = Lines(quarters.mesh.points, quarters.mesh.tets[chosen])
        inward = lines.unit_gradient(tm) * np.where(right[chosen], -1.0, 1.0)[:, None]
        forward = np.cross(lines.unit_gradient(upward.height), inward)  # from back to front in the free wall
        along = lines.at_nodes(-forward if septum else forward)
        from_back, from_front = (lines.distance(s * along, ridge == r) for s, r in ((1, 2), (-1, 1)))
        share = _share(from_back, from_front)
        found = 1.0 - (1.0 - SEPTUM_FROM) * share if septum else SEPTUM_FROM * share
        rt = np.where(np.isnan(found), rt, found)
    return rt.clip(0, 1)


def _apicobasal(upward: _Upward, tm: np.ndarray) -> np.ndarray:
    """The coordinate at the nodes."""
    lines = Lines(upward.quarters.mesh.points, upward.quarters.mesh.tets)
    inward = lines.unit_gradient(tm)
    up = lines.unit_gradient(upward.height)
    up = up - np.einsum("ij,ij->i", up, inward)[:, None] * inward
    up /= np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-12)
    along = lines.at_nodes(up)
    return _share(lines.distance(along, upward.apex), lines.distance(-along, upward.base)).clip(0, 1)
