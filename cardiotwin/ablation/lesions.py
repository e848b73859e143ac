"""Ablation plans as data, and laid onto a heart; `ingest.plan_files` reads and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cardiotwin.errors import InputRejected, SettingsError
from cardiotwin.heart.heart import BORDER_ZONE, CORE, EPICARDIUM, HEALTHY, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.heart.pacing_sites import endocardial_place
from cardiotwin.heart.segments import NAMES, heart_segments
from cardiotwin.settings import pacing_site

BURNT_FROM = (LV_ENDOCARDIUM, RV_ENDOCARDIUM, EPICARDIUM)
"""Surfaces that a catheter reaches: not the base, where the mesh is cut, nor a void inside the muscle."""
FARTHEST_FROM_SURFACE_MM = 10.0
"""A lesion point farther than this from the heart belongs to another heart or another frame of reference."""

PATH_STEP_MM = 0.5
MOST_ABLATED = 0.95
"""Share of a heart's viable tissue: a plan that ablates more leaves no heart to test."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """Tissue ablated from the surface nearest to a path.

    Attributes
    ----------
    kind : str
        ``"point"`` (half an ellipsoid below each point), ``"line"`` (the same, swept along straight pieces),
        ``"patch"`` (all tissue within the depth of the surface that a point lies on, below what of that surface lies
        within `radius_mm` of the point), ``"segment"`` (all tissue of `segments` within the depth of the left
        endocardium), or ``"homogenise"`` (the whole border zone, corridors included). No lesion goes on in another wall
        across a cavity.
    points_mm : (k, 3) float64
        LPS; projected to the heart's surface. Empty for ``"homogenise"``, ``"segment"`` and where `at` says the places.
    radius_mm, depth_mm : float
        Along and below the surface.
    at : tuple of str
        Places on the endocardium in place of points, as `settings.pacing_site` reads them: ``"left 0.3 0.5"``.
    segments : tuple of str
        ``"AHA 1"`` to ``"AHA 17"``.
    completeness : float
        Share of the depth, from the surface on, that is really ablated, above 0 to 1: what a catheter that lost contact
        leaves is viable tissue underneath, and that is all that this models. The radius stays.
    """

    kind: str
    points_mm: np.ndarray
    radius_mm: float
    depth_mm: float
    at: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    completeness: float = 1.0

    @property
    def reached_mm(self) -> float:
        """Depth that is really ablated."""
        return self.depth_mm * self.completeness


@dataclass(frozen=True, eq=False)
class Plan:
    """A named set of lesions; none for "no ablation".

    Attributes
    ----------
    name : str
    lesions : tuple of Lesion
    note : str
        Where the plan comes from.
    control : bool
        True for what is compared against and not meant to be done: no ablation, the deliberately wrong plan.
    """

    name: str
    lesions: tuple[Lesion, ...]
    note: str = ""
    control: bool = False


NO_ABLATION = Plan("no ablation", (), "control: the heart as it is", control=True)
ISTHMUS, HOMOGENISE, WRONG_PLACE = "isthmus", "homogenise", "wrong place"
EXIT_SITES, ISTHMUS_LINE, DECHANNELING = "exit sites", "isthmus line", "dechanneling"
"""Names of what the tool proposes."""
PROPOSED_NAMES = (ISTHMUS, HOMOGENISE, WRONG_PLACE, EXIT_SITES, ISTHMUS_LINE, DECHANNELING)
RESERVED_NAMES = (NO_ABLATION.name, *PROPOSED_NAMES, "no preference")
"""What a user's plan may not be called: it would be taken for the tool's own, or for its verdict."""


def lesion_elements(heart: Heart, plan: Plan, grow_mm: float = 0.0, *, whatever: bool = False) -> np.ndarray:
    """Tetrahedra that the plan ablates.

    Parameters
    ----------
    heart : Heart
    plan : Plan
    grow_mm : float
        Added to every radius and depth: half an element edge either way says how well the mesh resolves the lesion.

    whatever : bool
        Scar core too: where scar told otherwise may be alive.

    Returns
    -------
    (n_tets,) bool
        True where the centroid lies in a lesion; scar core is not counted, it does not conduct anyway.

    Raises
    ------
    InputRejected
        A point lies more than 10 mm from the heart, a place or segment that this heart does not have, a lesion that
        touches no viable tissue, or a plan that ablates nearly all of it.
    """
    hit = np.zeros(len(heart.mesh.tets), bool)
    viable = heart.tissue_class != CORE
    for number, lesion in enumerate(plan.lesions, 1):
        one = _one_lesion(heart, lesion, f"plan '{plan.name}', lesion {number}", grow_mm)
        if not (one & viable).any() and grow_mm >= 0:
            todo = "move it, or make radius_mm and depth_mm larger than the mesh edge"
            if lesion.kind == "homogenise":
                todo = "this heart has no border zone: draw it in the label map (5), or leave the lesion out"
            raise InputRejected(
                f"plan '{plan.name}', lesion {number} ({lesion.kind}): no viable tissue within it; {todo}"
            )
        hit |= one
    if grow_mm == 0.0 and hit.any():
        _check_leaves_a_heart(heart, plan, hit & viable, viable)
    return hit if whatever else hit & viable


def lesion_places(heart: Heart, lesions: Sequence[Lesion]) -> np.ndarray:
    """(n_tets,) bool within one of some lesions, whatever tissue is there and whether or not any of it is viable."""
    hit = np.zeros(len(heart.mesh.tets), bool)
    for number, lesion in enumerate(lesions, 1):
        hit |= _one_lesion(heart, lesion, f"lesion {number}", 0.0)
    return hit


def lesions_in(other: Heart, heart: Heart, plan: Plan) -> np.ndarray:
    """(n_tets,) bool: what a plan burns in the same mesh with other scar: the same places, whatever tissue is there.

    Parameters
    ----------
    other : Heart
    heart : Heart
        With scar as segmented: the border zone that is homogenised is its.
    plan : Plan

    Raises
    ------
    InputRejected
        As `lesion_elements` of `heart`.
    """
    return lesion_elements(heart, plan, whatever=True) & (other.tissue_class != CORE)


def _check_leaves_a_heart(heart: Heart, plan: Plan, hit: np.ndarray, viable: np.ndarray) -> None:
    volumes = heart.mesh.volumes
    share = float(volumes[hit].sum() / volumes[viable].sum())
    if share > MOST_ABLATED:
        raise InputRejected(
            f"plan '{plan.name}': ablates {100 * share:.0f} % of the heart's viable tissue (limit "
            f"{100 * MOST_ABLATED:.0f} %); make radius_mm and depth_mm smaller, or name fewer segments"
        )


def ablated_ml(heart: Heart, plan: Plan) -> tuple[float, float, float]:
    """Volume of viable tissue ablated as (low, estimate, high), mL: the lesion edge moved by half a mesh edge.

    Homogenising ablates the border zone as it was segmented: there its outer edge is moved.
    """
    volumes = heart.mesh.volumes
    low, middle, high = (
        float(volumes[lesion_elements(heart, plan, grow * heart.edge_mm)].sum()) * 1e-3 for grow in (-0.5, 0.0, 0.5)
    )
    return low, middle, high


def _one_lesion(heart: Heart, lesion: Lesion, where: str, grow_mm: float) -> np.ndarray:
    if lesion.kind == "homogenise":
        return _border_zone(heart, grow_mm)
    radius, depth = max(lesion.radius_mm + grow_mm, 1e-6), max(lesion.reached_mm + grow_mm, 1e-6)
    if lesion.kind == "segment":
        return _of_segments(heart, lesion, where, depth)
    path = lesion_path(heart, lesion, where)
    shape = _discs_below if lesion.kind == "patch" else _half_ellipsoids
    return _joined_to(heart, shape(heart, path, radius, depth), path)


def _discs_below(heart: Heart, path: np.ndarray, radius: float, depth: float) -> np.ndarray:
    """Tissue within a depth of a surface, below its discs around those points of the path that lie on it."""
    hit = np.zeros(len(heart.mesh.tets), bool)
    on = surfaces_of(heart, path)
    for which in np.unique(on):
        surface = heart.mesh.points[heart.surface_nodes(which)]
        below, foot = cKDTree(surface).query(heart.mesh.centroids)
        along, _ = cKDTree(path[on == which]).query(surface[foot])
        hit |= (along <= radius) & (below <= depth)
    return hit


def surfaces_of(heart: Heart, places: np.ndarray) -> np.ndarray:
    """(k,) which of `BURNT_FROM` each place is nearest to; at a rim the first of them."""
    away = [_distance(heart.mesh.points[heart.surface_nodes(which)], places) for which in BURNT_FROM]
    return np.asarray(BURNT_FROM)[np.argmin(away, axis=0)]


def _distance(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.asarray(cKDTree(points).query(places)[0]) if len(points) else np.full(len(places), np.inf)


def _joined_to(heart: Heart, hit: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Of the tetrahedra hit, those that hang together with the nearest to a place of the path."""
    inside = np.flatnonzero(hit)
    if not inside.size:
        return hit
    corners = heart.mesh.tets[inside]
    nodes, index = np.unique(corners, return_inverse=True)
    row = np.repeat(np.arange(inside.size), 4)
    shares = coo_array((np.ones(row.size), (row, inside.size + index.ravel())), shape=(inside.size + nodes.size,) * 2)
    part = connected_components(shares, directed=False)[1][: inside.size]
    nearest = cKDTree(heart.mesh.centroids[inside]).query(path)[1]
    joined = np.zeros_like(hit)
    joined[inside[np.isin(part, part[nearest])]] = True
    return joined


def _of_segments(heart: Heart, lesion: Lesion, where: str, depth: float) -> np.ndarray:
    """Tissue of the lesion's segments within a depth of the left endocardium."""
    if heart.coordinates is None:
        raise InputRejected(f"{where}: this heart has no ventricular coordinates to tell segments by; give points_mm")
    numbers = [segment_number(name) for name in lesion.segments]
    found = heart_segments(heart)
    for number in numbers:
        if not (found == number).any():
            raise InputRejected(
                f"{where}: segments: 'AHA {number}' ({NAMES[number - 1]}): this heart has no such segment; leave it out"
            )
    endocardium = heart.mesh.points[heart.surface_nodes(LV_ENDOCARDIUM)]
    inside = np.flatnonzero(np.isin(found, numbers))
    hit = np.zeros(len(found), bool)
    hit[inside] = cKDTree(endocardium).query(heart.mesh.centroids[inside])[0] <= depth
    return hit


def segment_number(name: str) -> int:
    """1 to 17 of ``"AHA 1"`` to ``"AHA 17"``.

    Raises
    ------
    ValueError
        It is none of them.
    """
    try:
        site = pacing_site(name)
    except ValueError:
        site = None
    if site is None or site.kind != "aha":
        raise ValueError(f"unknown segment {name!r}; expected 'AHA 1' to 'AHA 17'")
    return int(site.numbers[0])


def _border_zone(heart: Heart, grow_mm: float) -> np.ndarray:
    """The border zone, its edge towards healthy tissue moved outwards by `grow_mm`."""
    border, healthy = heart.tissue_class == BORDER_ZONE, heart.tissue_class == HEALTHY
    if not grow_mm or not border.any() or not healthy.any():
        return border
    edge = cKDTree(_between(heart, border, healthy))
    near = edge.query(heart.mesh.centroids, distance_upper_bound=abs(grow_mm))[0] < np.inf
    return border | (healthy & near) if grow_mm > 0 else border & ~near


def _between(heart: Heart, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(k, 3) nodes, and middles of faces, in which two tissues meet; mm."""
    tets, points = heart.mesh.tets, heart.mesh.points
    both = np.intersect1d(tets[one], tets[other])
    shared = np.isin(tets, both) & one[:, None]
    faces = tets[(shared.sum(axis=1) == 3)[:, None] & shared].reshape(-1, 3)
    return np.concatenate([points[both], points[faces].mean(axis=1)])


def lesion_path(heart: Heart, lesion: Lesion, where: str) -> np.ndarray:
    """(k, 3) places of a lesion on the heart's surface, a line filled in every half millimetre; mm, LPS.

    Parameters
    ----------
    where : str
        Plan and lesion, for the message.

    Raises
    ------
    InputRejected
        A point more than 10 mm from the surface; a place that this heart does not have.
    """
    surface = heart.mesh.points[heart.surface_nodes(*BURNT_FROM)]
    tree = cKDTree(surface)
    points = given_places(heart, lesion, where)
    away, _ = tree.query(points)
    if away.max(initial=0.0) > FARTHEST_FROM_SURFACE_MM:
        worst = int(np.argmax(away))
        raise InputRejected(
            f"{where}: point {worst + 1} lies {away[worst]:.0f} mm from the heart's surface "
            f"(limit {FARTHEST_FROM_SURFACE_MM:.0f} mm); give points in mm in the imaging's patient frame (LPS)"
            f"{_guess(tree, points)}"
        )
    if lesion.kind == "line":
        pieces = [np.linspace(a, b, 2 + int(np.linalg.norm(b - a) / PATH_STEP_MM)) for a, b in pairwise(points)]
        points = np.concatenate(pieces)
    return surface[tree.query(points)[1]]


def _guess(tree: cKDTree, points: np.ndarray) -> str:
    """What would bring points onto the heart; "" where nothing usual does."""
    guesses = {
        "x and y times -1 (RAS)": np.array([-1.0, -1.0, 1.0]),
        "10 times as large (cm)": np.full(3, 10.0),
    }
    for words, factor in guesses.items():
        if tree.query(points * factor)[0].max() <= FARTHEST_FROM_SURFACE_MM:
            return f". With {words} they would lie on it"
    return ""


def given_places(heart: Heart, lesion: Lesion, where: str = "lesion") -> np.ndarray:
    """(k, 3) points of a lesion as given, mm, LPS; those said in words found on this heart.

    Raises
    ------
    InputRejected
        A place that this heart does not have.
    """
    try:
        named = [endocardial_place(heart, name, f"{where}: at") for name in lesion.at]
    except SettingsError as error:
        raise InputRejected(str(error)) from error
    return np.concatenate([lesion.points_mm, np.reshape(named, (-1, 3))])


def _half_ellipsoids(heart: Heart, path: np.ndarray, radius: float, depth: float) -> np.ndarray:
    """Tissue below any point of the path: `radius` along the surface, `depth` along its inward normal."""
    nodes, inward = inward_normals(heart)
    normal = inward[cKDTree(heart.mesh.points[nodes]).query(path)[1]]
    centroids = heart.mesh.centroids
    near = np.flatnonzero(cKDTree(path).query(centroids, distance_upper_bound=max(radius, depth))[0] < np.inf)
    hit = np.zeros(len(centroids), bool)
    for point, axis in zip(path, normal, strict=True):
        offset = centroids[near] - point
        down = offset @ axis
        sideways = np.sum(offset**2, axis=1) - down**2
        # A little above the tangent plane belongs to the lesion where the surface curves upward.
        hit[near] |= (sideways / radius**2 + (down / depth) ** 2 <= 1.0) & (down > -0.5 * radius)
    return hit


def inward_normals(heart: Heart) -> tuple[np.ndarray, np.ndarray]:
    """Nodes that a catheter reaches, (n,), and their unit normals into the wall, (n, 3)."""
    faces = heart.faces[np.isin(heart.surface, BURNT_FROM)]
    a, b, c = (heart.mesh.points[faces[:, k]] for k in range(3))
    outward = np.cross(b - a, c - a)
    total = np.zeros_like(heart.mesh.points)
    for corner in range(3):
        np.add.at(total, faces[:, corner], outward)
    nodes = np.unique(faces)
    length = np.linalg.norm(total[nodes], axis=1, keepdims=True)
    return nodes, -total[nodes] / np.maximum(length, 1e-12)
