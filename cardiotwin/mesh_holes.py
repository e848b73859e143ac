"""Whether muscle is missing in a mesh: voids in its walls and tunnels through them (RELIABILITY, TM02).

Cells get lost where meshes are made and converted; what is lost neither conducts nor carries scar, and a hole in the
septum joins two ventricles into one. But scar is also cut out of meshes on purpose, so the user can say that it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cardiotwin.errors import MeshError
from cardiotwin.heart import BASE, EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.meshes.holes import Holes, holes

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


def told_of_drawn(heart: Heart) -> Heart:
    """The heart with a note for every kind of hole that its contours left open: slices drawn beside each other do."""
    nodes = (heart.surface_nodes(tag) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM, BASE))
    found = holes(heart.mesh, *nodes)
    told = [words for words in (_voids(found, sum(void.volume_mm3 for void in found.voids)), _tunnels(found)) if words]
    notes = [f"The drawn heart has {words}: look at the contours there, or draw it closed." for words in told]
    return replace(heart, notes=(*heart.notes, *notes)) if notes else heart


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
