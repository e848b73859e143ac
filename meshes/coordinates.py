"""Where in the ventricles: apex to base, endocardium to epicardium, left or right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import MeshError
from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.side_by_side import side_by_side
from cardiotwin.meshes.surfaces import BASE, EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM, face_normals

LEFT, RIGHT = 1, 2


@dataclass(frozen=True, eq=False)
class Fields:
    """Harmonic fields between the surfaces of the ventricles, (n_nodes,) float64 each, in [0, 1].

    Attributes
    ----------
    epi, left, right : 1 on their own surface, 0 on the two others; they add up to 1.
    sides : 1 on the left endocardium, 0 on the right one, free elsewhere; 1 without a right ventricle.
    base : 0 at the apex, 1 on the base.
    """

    epi: np.ndarray
    left: np.ndarray
    right: np.ndarray
    sides: np.ndarray
    base: np.ndarray


def fields(laplace: Laplace, faces: np.ndarray, surface: np.ndarray) -> Fields:
    """Solve for the fields of Bayer et al. 2012 (doi 10.1007/s10439-012-0593-5), and `sides`.

    Raises
    ------
    MeshError
        Epicardium, left endocardium or base is missing.
    """
    on = {tag: _nodes(faces[surface == tag], len(laplace.mesh.points)) for tag in range(1, 5)}
    for tag, name in ((EPICARDIUM, "epicardium"), (LV_ENDOCARDIUM, "left endocardium"), (BASE, "base")):
        if not on[tag].any():
            raise MeshError(f"heart: no boundary face is {name}; fibres and coordinates need one")
    left_only = on[LV_ENDOCARDIUM] & ~on[RV_ENDOCARDIUM]
    cavities = on[LV_ENDOCARDIUM] | on[RV_ENDOCARDIUM]
    walls = on[EPICARDIUM] | cavities
    epi_only = on[EPICARDIUM] & ~cavities
    has_right = bool(on[RV_ENDOCARDIUM].any())

    def through_the_wall() -> list[np.ndarray]:
        wanted = (epi_only, left_only) if has_right else (epi_only,)
        return laplace.solve_each(walls, [one.astype(float) for one in wanted])

    def round_and_up() -> tuple[np.ndarray, np.ndarray]:
        sides = laplace.solve(cavities, left_only.astype(float)) if has_right else np.ones(len(walls))
        apex = apex_nodes(laplace.mesh.points, faces, surface, sides)
        return sides, laplace.solve(apex | on[BASE], on[BASE].astype(float))

    (epi, *found), (sides, base) = side_by_side(through_the_wall, round_and_up)
    left = found[0] if has_right else 1.0 - epi
    return Fields(epi, left, (1.0 - epi - left).clip(0, 1), sides, base)


def apex_nodes(points: np.ndarray, faces: np.ndarray, surface: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """(n_nodes,) bool, the muscle at the apex of the left ventricle, from endocardium to epicardium.

    A point would do for a drawing, but a harmonic field held at one node is singular there, and the finer the mesh the
    more so: half of its range lies within an element or two. So a plug across the wall is held.
    """
    depth = depth_below_base(points, faces, surface)
    epi = np.unique(faces[surface == EPICARDIUM])
    epi = epi[sides[epi] > 0.5] if (sides[epi] > 0.5).any() else epi
    outer = points[epi[np.argmax(depth[epi])]]
    endo = points[np.unique(faces[surface == LV_ENDOCARDIUM])]
    inner = endo[np.argmin(np.linalg.norm(endo - outer, axis=1))]
    along = inner - outer
    t = np.clip((points - outer) @ along / max(along @ along, 1e-12), 0.0, 1.0)
    distance = np.linalg.norm(points - outer - t[:, None] * along, axis=1)
    return distance <= max(0.04 * depth.max(), np.partition(distance, 8)[8])


def depth_below_base(points: np.ndarray, faces: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """(n_nodes,) distance from the plane of the base towards the apex, mm."""
    base = faces[surface == BASE]
    areas = face_normals(points, base)
    weight = np.linalg.norm(areas, axis=1)
    centre = (points[base].mean(axis=1) * weight[:, None]).sum(axis=0) / weight.sum()
    normal = areas.sum(axis=0) / np.linalg.norm(areas.sum(axis=0))
    return -(points - centre) @ normal


def apicobasal(points: np.ndarray, faces: np.ndarray, surface: np.ndarray, base: np.ndarray) -> np.ndarray:
    """(n_nodes,) 0 at the apex, 1 at the base, in proportion to height.

    The level sets are those of the harmonic field `base`; each gets the mean relative height of its nodes, because the
    field itself climbs steeply at the apex and would put its 0.5 there.
    """
    depth = depth_below_base(points, faces, surface)
    height = 1.0 - depth / depth.max()
    order = np.argsort(base, kind="stable")
    bins = np.array_split(order, min(64, max(2, len(order) // 50)))
    level = np.array([base[b].mean() for b in bins])
    mean_height = np.maximum.accumulate([height[b].mean() for b in bins])
    inner = (level > 1e-6) & (level < 1 - 1e-6) & (mean_height > 0) & (mean_height < 1)
    return np.interp(base, np.r_[0.0, level[inner], 1.0], np.r_[0.0, mean_height[inner], 1.0])


def ventricle(tets: np.ndarray, f: Fields) -> np.ndarray:
    """(n_tets,) uint8, 1 left with the septum, 2 right.

    Right is what lies nearer to the right cavity and, of the two other surfaces, nearer to the epicardium than to the
    left cavity; "nearer" as a random walk sees it, which is what a harmonic field measures.
    """
    epi, left, sides = (field[tets].mean(axis=1) for field in (f.epi, f.left, f.sides))
    return np.where((sides < 0.5) & (epi > left), RIGHT, LEFT).astype(np.uint8)


def transmural(laplace: Laplace, faces: np.ndarray, surface: np.ndarray, f: Fields) -> np.ndarray:
    """(n_nodes,) 0 at the endocardium, 1 at the epicardium; in the septum 0 on the left side, 1 on the right one.

    The right side of the septum is where, stepping from the right endocardium into the muscle, the way to the left
    cavity is steeper than the way to the epicardium.
    """
    n = len(laplace.mesh.points)
    on = {tag: _nodes(faces[surface == tag], n) for tag in range(1, 5)}
    rise = np.linalg.norm(laplace.smooth_gradient(f.left), axis=1) - np.linalg.norm(
        laplace.smooth_gradient(f.epi), axis=1
    )
    votes = np.bincount(laplace.mesh.tets.ravel(), np.repeat(rise * laplace.volumes, 4), n)
    septal = on[RV_ENDOCARDIUM] & (votes > 0)
    outer = (on[EPICARDIUM] | septal) & ~on[LV_ENDOCARDIUM]
    return laplace.solve(outer | on[LV_ENDOCARDIUM] | on[RV_ENDOCARDIUM], outer.astype(float))


def _nodes(faces: np.ndarray, n_nodes: int) -> np.ndarray:
    member = np.zeros(n_nodes, bool)
    member[faces] = True
    return member
