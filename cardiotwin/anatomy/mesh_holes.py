"""Whether muscle is missing in a mesh: voids in its walls and tunnels through them (RELIABILITY, TM02).

Cells get lost where meshes are made and converted; what is lost neither conducts nor carries scar, and a hole in the
septum joins two ventricles into one. But scar is also cut out of meshes on purpose, so the user can say that it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from cardiotwin.errors import MeshError
from cardiotwin.heart.heart import BASE, EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.imaging import apply_affine
from cardiotwin.meshes.holes import Holes, holes
from cardiotwin.notes import DRAWN_HOLES
from cardiotwin.segmentation import LV_BLOOD, Segmentation
from cardiotwin.segmentation.labels import MUSCLE

LARGEST_MM = 3.0
"""Diameter from which a hole is refused. Around one of this size a wave across the fibres, at 0.3 m/s, comes at most
(pi / 2 - 1) 3 / 0.3 = 6 ms late behind it, and right ventricular walls are as thick."""
LARGEST_SHARE = 0.01
"""Of the muscle, in voids of any size."""
ADVICE = (
    "Fill them where the mesh was made; or, if they are meant (scar cut out), in twin.toml, under [mesh_file], set "
    "allow_holes = true"
)
WITHIN = {EPICARDIUM: "outside", LV_ENDOCARDIUM: "in the left cavity", RV_ENDOCARDIUM: "in the right cavity"}


def check_holes(found: Holes, muscle_mm3: float, *, allow: bool = False) -> tuple[str, ...]:
    """Refuse holes of the size of a defect; a sentence for smaller ones, and for those that are allowed.

    Parameters
    ----------
    found : Holes
    muscle_mm3 : float
        Volume of the mesh.
    allow : bool
        `mesh_file.allow_holes`.

    Raises
    ------
    MeshError
        With count, size and place.
    """
    void_mm3 = sum(void.volume_mm3 for void in found.voids)
    sizes = [void.diameter_mm for void in found.voids] + [tunnel.diameter_mm for tunnel in found.tunnels]
    told = [words for words in (_voids(found, void_mm3), _tunnels(found)) if words]
    if not allow and (max(sizes, default=0.0) >= LARGEST_MM or void_mm3 > LARGEST_SHARE * muscle_mm3):
        raise MeshError(
            f"mesh: found {' and '.join(told)}; expected none {LARGEST_MM:g} mm or more across, and voids of less than "
            f"{100 * LARGEST_SHARE:g} % of the muscle. {ADVICE}"
        )
    notes = [f"The mesh has {words}: taken as {'meant' if allow else 'small'}." for words in told]
    return (*notes, *_handles(found))


def told_of_drawn(heart: Heart, segmentation: Segmentation) -> Heart:
    """The heart with a note for every kind of hole, and whether its contours left it open or its tetrahedra did.

    Contours are open where blood touches what is not muscle within a slice; what lies between slices is the mesh's.
    """
    nodes = (heart.surface_nodes(tag) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM, BASE))
    found = holes(heart.mesh, *nodes)
    told = [words for words in (_voids(found, sum(void.volume_mm3 for void in found.voids)), _tunnels(found)) if words]
    places = [one.centre for one in found.voids[:1]] + [one.centre for one in found.tunnels[:1]]
    notes = [
        f"{DRAWN_HOLES} {words}: {_cause(segmentation, place, heart.edge_mm)}."
        for words, place in zip(told, places, strict=True)
    ]
    return replace(heart, notes=(*heart.notes, *notes)) if notes else heart


def _cause(segmentation: Segmentation, place: np.ndarray, edge_mm: float) -> str:
    """What left a hole at a place (LPS, mm) open, and what closes it."""
    wall_mm = drawn_wall_mm(segmentation, place, 2.0 * edge_mm)
    if wall_mm <= 0.0:
        return "look at the contours there, or draw it closed"
    finer_mm = max(0.1, np.floor(5.0 * min(wall_mm, edge_mm)) / 10.0)
    return (
        f"the contours are closed there, with {wall_mm:.1f} mm of wall at least; the mesh is too coarse for what lies "
        f"between them (mesh.edge_mm = {edge_mm:g}). Set mesh.edge_mm = {finer_mm:g} in twin.toml, or less"
    )


def drawn_wall_mm(segmentation: Segmentation, place: np.ndarray, reach_mm: float) -> float:
    """Thinnest wall drawn around the left blood near a place, within its slices, mm; 0 where it is open."""
    spacing_mm = np.linalg.norm(segmentation.affine[:3, :3], axis=0)[::-1]
    centre = apply_affine(np.linalg.inv(segmentation.affine), place[None])[0, ::-1]
    thinnest = np.inf
    for k in range(max(0, round(centre[0]) - 1), min(len(segmentation.labels), round(centre[0]) + 2)):
        drawn = segmentation.labels[k]
        outside = np.pad(~np.isin(drawn, (*MUSCLE, LV_BLOOD)), 1, constant_values=True)
        apart = ndimage.distance_transform_edt(~outside, sampling=spacing_mm[1:])[1:-1, 1:-1]
        rows, columns = np.nonzero(drawn == LV_BLOOD)
        away = np.hypot((rows - centre[1]) * spacing_mm[1], (columns - centre[2]) * spacing_mm[2])
        near = away <= max(reach_mm, away.min(initial=np.inf) + reach_mm)
        thinnest = min(thinnest, float(apart[rows[near], columns[near]].min(initial=np.inf)))
    return max(0.0, thinnest - float(spacing_mm[1:].mean()))


def _voids(found: Holes, void_mm3: float) -> str:
    if not found.voids:
        return ""
    largest, count = found.voids[0], len(found.voids)
    where = f"around {_place(largest.centre)}"
    if count == 1:
        return f"a closed void in the muscle, {void_mm3:.3g} mm3 {where}"
    return f"{count} closed voids in the muscle, {void_mm3:.3g} mm3, the largest {largest.volume_mm3:.3g} mm3 {where}"


def _tunnels(found: Holes) -> str:
    if not found.tunnels:
        return ""
    widest, count = found.tunnels[0], len(found.tunnels)
    where = f"{widest.diameter_mm:.1f} mm wide, between {widest.joins} around {_place(widest.centre)}"
    return f"a hole through a wall, {where}" if count == 1 else f"{count} holes through walls, the widest {where}"


def _handles(found: Holes) -> list[str]:
    """Bridges and burrows, which leave no rim: trabeculae are such, and harmless."""
    told = [f"{count} {WITHIN[surface]}" for surface, count in found.handles.items() if count]
    if not told:
        return []
    return [f"The mesh has bridges of muscle, or burrows from a surface back to it: {', '.join(told)}."]


def _place(centre: np.ndarray) -> str:
    """In LPS, mm."""
    return "({:.1f}, {:.1f}, {:.1f}) mm".format(*centre)
