"""What a plan burns, and where conducting tissue still crosses its lines: told, not decided for its author."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import cKDTree

from cardiotwin.ablation.access import LaidOn, access, feet, warnings
from cardiotwin.ablation.lesions import (
    BURNT_FROM,
    Lesion,
    Plan,
    inward_normals,
    lesion_elements,
    lesion_path,
    segment_number,
)
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY, Heart
from cardiotwin.heart.segments import heart_segments
from cardiotwin.units import cubic_mm_to_ml

NEIGHBOURS_RADII = 4.0
"""Lesion points nearer than so many radii are meant to join; farther ones are separate lesions."""
THICKEST_WALL_MM = 30.0
STEP_MM = 0.5
LEAST_LEFT_OF_SEGMENT = 0.02
"""Share of a segment's viable volume below which what a lesion leaves of it is the roughness of the mesh."""
NO_GAP = "no gap found"
MUCH_HEALTHY_ML = 10.0
"""Of healthy muscle burnt, from which on it is asked whether that is meant."""
LEAST_GAP_EDGES = 1.0
"""A gap narrower than the mesh's edge is not resolved."""


@dataclass(frozen=True)
class PlanCheck:
    """What a plan burns on one heart.

    Attributes
    ----------
    name : str
        Of the plan.
    healthy_ml, border_zone_ml : float
        Ablated, apart.
    surface_cm2 : float
        Of endocardium and epicardium whose tissue is ablated; core counts for nothing.
    applications : int
        Of a catheter: the points as they are given, one for each radius along a line, and as many discs of the radius
        as a greedy cover needs over any other lesion.
    notes : tuple of str
        Gaps, where viable tissue is left between neighbouring points, or below a line or point; points far from the
        heart; lesions that take more than one access.
    access : tuple of str
        Of each lesion the surface it is burnt from, its segments, and how far its points were moved.
    """

    name: str
    healthy_ml: float
    border_zone_ml: float
    surface_cm2: float
    applications: int
    notes: tuple[str, ...]
    access: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What it burns, from where, and what speaks against it, a line each."""
        burns = f"burns {self.healthy_ml:.2f} mL of healthy muscle, {self.border_zone_ml:.2f} mL of border zone"
        return burns, *self.access, *(self.notes or (NO_GAP,))


def check_plan(heart: Heart, plan: Plan) -> PlanCheck:
    """What a plan burns, how often, and its gaps.

    Raises
    ------
    InputRejected
        As `lesion_elements`.
    """
    hit = lesion_elements(heart, plan)
    volumes = heart.mesh.volumes
    healthy, border = (
        cubic_mm_to_ml(float(volumes[hit & (heart.tissue_class == which)].sum())) for which in (HEALTHY, BORDER_ZONE)
    )
    named = [(f"lesion {number} ({one.kind})", one) for number, one in enumerate(plan.lesions, 1)]
    paths = {
        words: lesion_path(heart, one, f"plan '{plan.name}', {words}")
        for words, one in named
        if one.kind in ("point", "line", "patch")
    }
    laid = [
        LaidOn(words, one, lesion_elements(heart, Plan(plan.name, (one,))), paths.get(words)) for words, one in named
    ]
    notes = (
        *(note for one in laid for note in warnings(heart, one)),
        *_too_much(healthy),
        *_too_small(heart, named),
        *_gaps_along(heart, hit, named, paths),
        *_gaps_below(heart, hit, named, paths),
        *_gaps_below_segments(heart, hit, named),
    )
    return PlanCheck(
        plan.name,
        healthy,
        border,
        _surface_cm2(heart, hit),
        sum(_applications(heart, one) for one in laid),
        notes,
        tuple(f"{one.words}: {access(heart, one)}" for one in laid),
    )


def _surface_cm2(heart: Heart, hit: np.ndarray) -> float:
    """Area of the faces within a catheter's reach that ablated tetrahedra have."""
    faces = np.sort(heart.faces[np.isin(heart.surface, BURNT_FROM)], axis=1)
    nodes = np.unique(faces)
    tets = np.sort(heart.mesh.tets[hit], axis=1)
    sides = np.concatenate([tets[:, corners] for corners in ([0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3])])
    sides = sides[np.isin(sides, nodes).all(axis=1)]

    def key(triangles: np.ndarray) -> np.ndarray:
        a, b, c = np.searchsorted(nodes, triangles).T.astype(np.int64)
        return np.asarray((a * nodes.size + b) * nodes.size + c)

    ablated = faces[np.isin(key(faces), key(sides))]
    a, b, c = (heart.mesh.points[ablated[:, k]] for k in range(3))
    return float(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) * 1e-2


def _applications(heart: Heart, laid: LaidOn) -> int:
    lesion, path = laid.lesion, laid.path
    if lesion.kind == "point" and path is not None:
        return len(np.unique(path, axis=0))
    if lesion.kind == "line" and path is not None:
        # In steps of a radius: from node to node the path is a staircase.
        stops = np.concatenate([path[:: max(1, round(lesion.radius_mm / STEP_MM))], path[-1:]])
        length = float(np.linalg.norm(np.diff(stops, axis=0), axis=1).sum())
        return 1 + math.ceil(length / lesion.radius_mm)
    return _discs(heart.mesh.points[feet(heart, laid)], lesion.radius_mm)


def _discs(points: np.ndarray, radius_mm: float) -> int:
    """How many discs around some of the points a greedy cover of all of them needs."""
    near = cKDTree(points).query_ball_point(points, radius_mm)
    left = np.ones(len(points), bool)
    gain = np.array([len(one) for one in near])
    count = 0
    while left.any():
        best = int(np.argmax(gain))
        for covered in near[best]:
            if left[covered]:
                left[covered] = False
                gain[near[covered]] -= 1
        count += 1
    return count


_Named = list[tuple[str, Lesion]]


def _too_much(healthy_ml: float) -> Iterable[str]:
    if healthy_ml > MUCH_HEALTHY_ML:
        yield f"burns {healthy_ml:.0f} mL of healthy muscle; is that meant?"


def _too_small(heart: Heart, named: _Named) -> Iterable[str]:
    """A sentence for each lesion that the mesh does not resolve, as one in cm is not."""
    for words, one in named:
        sizes = {"radius_mm": one.radius_mm} if one.kind in ("point", "line", "patch") else {}
        if one.kind != "homogenise":
            sizes["depth_mm"] = one.depth_mm
        if small := [f"{name} = {size:g}" for name, size in sizes.items() if size < heart.edge_mm]:
            yield (
                f"{words}: {' and '.join(small)}, below the mesh's edge of {heart.edge_mm:g} mm: what it burns is by "
                "chance; are these cm?"
            )


def _gaps_along(heart: Heart, hit: np.ndarray, named: _Named, paths: dict[str, np.ndarray]) -> Iterable[str]:
    """A sentence for points that leave surface viable between neighbours, and for each line that is torn."""
    for words, one in named:
        if one.kind == "line":
            jump = float(np.linalg.norm(np.diff(paths[words], axis=0), axis=1).max(initial=0.0))
            if jump > 2.0 * one.radius_mm:
                yield (
                    f"{words}: leaves the surface and comes back {jump:.1f} mm away, more than its lesions cover: give "
                    "points between"
                )
    points = [(f"point {k} of {words}", place, one.radius_mm) for words, one in named if one.kind == "point"
              for k, place in enumerate(paths[words], 1)]  # fmt: skip
    found = sorted(_open_pairs(heart, hit, points), reverse=True)
    far = [(apart, first, second) for apart, first, second, is_near in _neighbours(points) if not is_near]
    if far:
        apart, first, second = max(far)
        yield (
            f"{first} and {second} are {apart:.0f} mm apart: taken as lesions of their own, the tissue between is not "
            f"looked at{f' (as of {len(far)} pairs in all)' if len(far) > 1 else ''}"
        )
    if found:
        width, apart, first, second = found[0]
        yield (
            f"{len(found)} gap{'s' * (len(found) > 1)} between neighbouring points, the widest {width:.1f} mm of "
            f"viable surface between {first} and {second}, {apart:.1f} mm apart"
        )


_Points = list[tuple[str, np.ndarray, float]]
"""Name, place and radius of each."""


def _neighbours(points: _Points) -> Iterable[tuple[float, str, str, bool]]:
    """Distance of every two neighbours, mm, their names, and whether they are near enough to be meant as one line."""
    for i, j, apart in _tree(points):
        radii = points[i][2] + points[j][2]
        yield apart, points[i][0], points[j][0], apart <= 0.5 * NEIGHBOURS_RADII * radii


def _tree(points: _Points) -> Iterable[tuple[int, int, float]]:
    """Pairs and their distance, mm, of the shortest tree that joins all."""
    if len(points) < 2:
        return
    places = np.array([place for _, place, _ in points])
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    tree = minimum_spanning_tree(np.triu(distance + 1e-6, 1)).tocoo()
    for i, j in zip(tree.row, tree.col, strict=True):
        yield int(i), int(j), float(distance[i, j])


def _open_pairs(heart: Heart, hit: np.ndarray, points: _Points) -> Iterable[tuple[float, float, str, str]]:
    """Viable surface between neighbours and their distance, mm, and their names."""
    surface = heart.mesh.points[heart.surface_nodes(*BURNT_FROM)]
    on_surface, of_centroids = cKDTree(surface), cKDTree(heart.mesh.centroids)
    for i, j, apart in _tree(points):
        (first, here, one), (second, there, other) = points[i], points[j]
        if not min(one, other) < apart <= 0.5 * NEIGHBOURS_RADII * (one + other):
            continue
        between = np.linspace(here, there, 2 + int(apart / STEP_MM))
        element = of_centroids.query(surface[on_surface.query(between)[1]])[1]
        width = float(np.mean((heart.tissue_class[element] != CORE) & ~hit[element])) * apart
        if width > LEAST_GAP_EDGES * heart.edge_mm:
            yield width, apart, first, second


def _gaps_below(heart: Heart, hit: np.ndarray, named: _Named, paths: dict[str, np.ndarray]) -> Iterable[str]:
    """A sentence for each lesion below whose points, or line, viable tissue is left."""
    for words, one in named:
        if words not in paths:
            continue
        step = max(1, round(heart.edge_mm / STEP_MM)) if one.kind == "line" else 1
        path = paths[words][::step]
        left = _left_below(heart, hit, path)
        open_below = left > LEAST_GAP_EDGES * heart.edge_mm
        if not open_below.any():
            continue
        share = f"{open_below.mean():.0%} of it" if one.kind == "line" else f"{open_below.sum()} of {len(path)} points"
        yield (
            f"{words}: not transmural: below {share} viable tissue is left, up to {left.max():.1f} mm of it; a wave "
            "can pass underneath"
        )


def _gaps_below_segments(heart: Heart, hit: np.ndarray, named: _Named) -> Iterable[str]:
    """A sentence for each lesion of segments that leaves viable tissue of them, deeper than it reaches."""
    volumes, viable = heart.mesh.volumes, heart.tissue_class != CORE
    for words, one in named:
        if one.kind != "segment":
            continue
        within = np.isin(heart_segments(heart), [segment_number(name) for name in one.segments]) & viable
        left, whole = float(volumes[within & ~hit].sum()), float(volumes[within].sum())
        if left > LEAST_LEFT_OF_SEGMENT * whole:
            yield (
                f"{words}: not transmural: {cubic_mm_to_ml(left):.1f} of {cubic_mm_to_ml(whole):.1f} mL of viable "
                "tissue are left below it; a wave can pass underneath"
            )


def _left_below(heart: Heart, hit: np.ndarray, path: np.ndarray) -> np.ndarray:
    """(k,) mm of viable tissue that is not ablated straight below each place, to the other side of the wall."""
    nodes, inward = inward_normals(heart)
    normal = inward[cKDTree(heart.mesh.points[nodes]).query(path)[1]]
    step = 0.5 * min(heart.edge_mm, 2.0)
    down = step * np.arange(0.5, THICKEST_WALL_MM / step)
    away, element = cKDTree(heart.mesh.centroids).query(path[:, None] + down[:, None] * normal[:, None])
    in_wall = np.logical_and.accumulate((away <= 0.75 * heart.edge_mm) | (down < heart.edge_mm), axis=1)
    left = in_wall & (heart.tissue_class[element] != CORE) & ~hit[element]
    return np.asarray(left.sum(axis=1) * step)
