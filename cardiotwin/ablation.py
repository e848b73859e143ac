"""Ablation plans as data: read, written, and laid onto a heart."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.spatial import cKDTree

from cardiotwin.errors import InputRejected
from cardiotwin.heart import BASE, BORDER_ZONE, CORE, HEALTHY, Heart

FARTHEST_FROM_SURFACE_MM = 10.0
"""A lesion point farther than this from the heart belongs to another heart or another frame of reference."""

PATH_STEP_MM = 0.5


@dataclass(frozen=True, eq=False)
class Lesion:
    """Tissue ablated from the surface nearest to a path.

    Attributes
    ----------
    kind : str
        ``"point"`` (half an ellipsoid below each point), ``"line"`` (the same, swept along straight pieces),
        ``"patch"`` (all tissue below the surface within `radius_mm` of any point), or ``"homogenise"`` (the whole
        border zone, corridors included).
    points_mm : (k, 3) float64
        LPS; projected to the heart's surface. Empty for ``"homogenise"``.
    radius_mm, depth_mm : float
        Along and below the surface.
    """

    kind: str
    points_mm: np.ndarray
    radius_mm: float
    depth_mm: float


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
"""Names of what the tool proposes."""
RESERVED_NAMES = (NO_ABLATION.name, ISTHMUS, HOMOGENISE, WRONG_PLACE, "no preference")
"""What a user's plan may not be called: it would be taken for the tool's own, or for its verdict."""


class _LesionTable(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["point", "line", "patch", "homogenise"]
    points_mm: list[tuple[float, float, float]] = []
    radius_mm: float = Field(5.0, gt=0, le=20)
    depth_mm: float = Field(8.0, gt=0, le=30)


class _PlanTable(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=80)
    note: str = ""
    lesion: list[_LesionTable] = Field(min_length=1)


def read_plan(path: Path | str) -> Plan:
    """Read a plan from TOML: `name`, `note`, and a `[[lesion]]` with `kind`, `points_mm`, `radius_mm`, `depth_mm` each.

    Raises
    ------
    InputRejected
        Not TOML, an unknown key, no lesion, a value out of range; names file and key.
    """
    path = Path(path)
    try:
        table = _PlanTable(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputRejected(f"{path.name}: not readable as a plan in TOML ({error})") from error
    except ValidationError as error:
        raise InputRejected(f"{path.name}: {_complaint(error)}") from error
    for number, lesion in enumerate(table.lesion, 1):
        needed = {"point": 1, "line": 2, "patch": 1, "homogenise": 0}[lesion.kind]
        if len(lesion.points_mm) < needed or not np.isfinite(lesion.points_mm).all():
            raise InputRejected(
                f"{path.name}: lesion {number} ({lesion.kind}) has {len(lesion.points_mm)} points; "
                f"expected at least {needed}, each three finite numbers in mm (LPS)"
            )
    lesions = tuple(
        Lesion(one.kind, np.array(one.points_mm, float).reshape(-1, 3), one.radius_mm, one.depth_mm)
        for one in table.lesion
    )
    return Plan(table.name, lesions, table.note)


def _complaint(error: ValidationError) -> str:
    """The first thing wrong with a plan, an unknown key before what is missing: which lesion, which key."""
    found = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")[0]
    lesion = found["loc"][:1] == ("lesion",) and len(found["loc"]) > 2
    where, place = (f"lesion {int(found['loc'][1]) + 1}: ", found["loc"][2:]) if lesion else ("", found["loc"])
    key, known = ".".join(map(str, place)), (_LesionTable if lesion else _PlanTable).model_fields
    if found["type"] == "extra_forbidden":
        near = get_close_matches(key, known, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        return f"{where}unknown key `{key}`; {hint}{'A lesion' if lesion else 'A plan'} takes {', '.join(known)}"
    if found["type"] == "missing":
        return f"{where}`{key}` is missing; {'a lesion' if lesion else 'a plan'} takes {', '.join(known)}"
    return f"{where}`{key}`: {found['msg']}, found {found['input']!r}"


def plan_text(plan: Plan) -> str:
    """The plan as the TOML that `read_plan` reads."""
    lines = [f"name = {_quoted(plan.name)}", f"note = {_quoted(plan.note)}"]
    for lesion in plan.lesions:
        points = ", ".join("[" + ", ".join(f"{x:.2f}" for x in point) + "]" for point in lesion.points_mm)
        lines += [
            "",
            "[[lesion]]",
            f'kind = "{lesion.kind}"',
            f"points_mm = [{points}]  # LPS",
            f"radius_mm = {lesion.radius_mm:.2f}",
            f"depth_mm = {lesion.depth_mm:.2f}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    kept = "".join(character if character.isprintable() else " " for character in text)
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'


def lesion_elements(heart: Heart, plan: Plan, grow_mm: float = 0.0) -> np.ndarray:
    """Tetrahedra that the plan ablates.

    Parameters
    ----------
    heart : Heart
    plan : Plan
    grow_mm : float
        Added to every radius and depth: half an element edge either way says how well the mesh resolves the lesion.

    Returns
    -------
    (n_tets,) bool
        True where the centroid lies in a lesion; scar core is never counted, it does not conduct anyway.

    Raises
    ------
    InputRejected
        A point lies more than 10 mm from the heart, or a lesion touches no viable tissue.
    """
    hit = np.zeros(len(heart.mesh.tets), bool)
    viable = heart.tissue_class != CORE
    for number, lesion in enumerate(plan.lesions, 1):
        one = _one_lesion(heart, lesion, f"plan '{plan.name}', lesion {number}", grow_mm) & viable
        if not one.any() and grow_mm >= 0:
            raise InputRejected(
                f"plan '{plan.name}', lesion {number} ({lesion.kind}): no viable tissue within it; "
                "move it, or make radius_mm and depth_mm larger than the mesh edge"
            )
        hit |= one
    return hit


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
    surface = heart.mesh.points[np.unique(heart.faces[heart.surface != BASE])]
    tree = cKDTree(surface)
    path = _path(lesion, tree, surface, where)
    below, foot = tree.query(heart.mesh.centroids)
    radius, depth = max(lesion.radius_mm + grow_mm, 1e-6), max(lesion.depth_mm + grow_mm, 1e-6)
    if lesion.kind == "patch":
        along, _ = cKDTree(path).query(surface[foot])
        return (along <= radius) & (below <= depth)
    return _half_ellipsoids(heart, path, radius, depth)


def _border_zone(heart: Heart, grow_mm: float) -> np.ndarray:
    """The border zone, its edge towards healthy tissue moved outwards by `grow_mm`."""
    border, healthy = heart.tissue_class == BORDER_ZONE, heart.tissue_class == HEALTHY
    if not grow_mm or not border.any() or not healthy.any():
        return border
    centroids = heart.mesh.centroids
    if grow_mm > 0:
        near = cKDTree(centroids[border]).query(centroids, distance_upper_bound=grow_mm)[0]
        return border | (healthy & (near < np.inf))
    near = cKDTree(centroids[healthy]).query(centroids, distance_upper_bound=-grow_mm)[0]
    return border & (near == np.inf)


def _path(lesion: Lesion, tree: cKDTree, surface: np.ndarray, where: str) -> np.ndarray:
    """The lesion's points, a line filled in every half millimetre, on the surface."""
    points = lesion.points_mm
    away, _ = tree.query(points)
    if away.max() > FARTHEST_FROM_SURFACE_MM:
        worst = int(np.argmax(away))
        raise InputRejected(
            f"{where}: point {worst + 1} lies {away[worst]:.0f} mm from the heart's surface "
            f"(limit {FARTHEST_FROM_SURFACE_MM:.0f} mm); give points in mm in the imaging's patient frame (LPS)"
        )
    if lesion.kind == "line":
        pieces = [np.linspace(a, b, 2 + int(np.linalg.norm(b - a) / PATH_STEP_MM)) for a, b in pairwise(points)]
        points = np.concatenate(pieces)
    return surface[tree.query(points)[1]]


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
    """Nodes of the surface but for the base, (n,), and their unit normals into the wall, (n, 3)."""
    faces = heart.faces[heart.surface != BASE]
    a, b, c = (heart.mesh.points[faces[:, k]] for k in range(3))
    outward = np.cross(b - a, c - a)
    total = np.zeros_like(heart.mesh.points)
    for corner in range(3):
        np.add.at(total, faces[:, corner], outward)
    nodes = np.unique(faces)
    length = np.linalg.norm(total[nodes], axis=1, keepdims=True)
    return nodes, -total[nodes] / np.maximum(length, 1e-12)
