"""Holes in the muscle of a mesh: voids inside it, and tunnels through a wall.

A void is a closed piece of the boundary with muscle all around that is no ventricle. A tunnel shows in how the surfaces
border on each other. Endocardium ends at rims; one that runs along the base is a valve's. One that does not, where the
two surfaces on its sides are joined elsewhere too, goes around a hole: between left endocardium and epicardium in the
free wall, between both endocardia in the septum. See `cardiotwin.meshes.patches` for what counting alone can say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.patches import Patches, boundary, enclosed_mm3, patches
from cardiotwin.meshes.surfaces import BASE, EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM, tagged_by_nodes

VALVE_SHARE = 0.2
"""Of a rim that runs along the base, at least, where it is a valve's."""
NAMES = {
    EPICARDIUM: "epicardium",
    BASE: "base",
    LV_ENDOCARDIUM: "left endocardium",
    RV_ENDOCARDIUM: "right endocardium",
}


@dataclass(frozen=True, eq=False)
class Void:
    """Attributes: volume, mm³; (3,) middle of its surface, mm; its nodes."""

    volume_mm3: float
    centre: np.ndarray
    nodes: np.ndarray

    @property
    def diameter_mm(self) -> float:
        """Of the ball with its volume."""
        return float(np.cbrt(6.0 / np.pi * self.volume_mm3))


@dataclass(frozen=True, eq=False)
class Tunnel:
    """Attributes: the two surfaces it joins; (3,) middle of its mouth and the diameter of a disc as large, mm."""

    between: tuple[int, int]
    centre: np.ndarray
    diameter_mm: float

    @property
    def joins(self) -> str:
        """In words."""
        return " and ".join(NAMES[one] for one in self.between)


@dataclass(frozen=True, eq=False)
class Holes:
    """Attributes: voids, largest first; tunnels, widest first; how many handles each surface has in itself."""

    voids: tuple[Void, ...]
    tunnels: tuple[Tunnel, ...]
    handles: dict[int, int]


def holes(mesh: Mesh, left: np.ndarray, right: np.ndarray, base: np.ndarray) -> Holes:
    """Find what is missing in the muscle.

    Parameters
    ----------
    mesh : Mesh
        In one part.
    left, right, base : (n,) int
        Nodes of both endocardia and of the base. A hollow is a ventricle where it has most of an endocardium.
    """
    faces, across = boundary(mesh)
    surface = tagged_by_nodes(mesh.points, faces, left, right, base)
    pieces = patches(faces, across)
    volume = enclosed_mm3(mesh.points, faces, pieces.patch)
    ventricles = {_most_of(pieces.patch, surface == tag) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM)}
    hollow = [piece for piece in np.flatnonzero(volume < 0) if piece not in ventricles]
    found = [_void(mesh, faces[pieces.patch == piece], -volume[piece]) for piece in hollow]
    inside = np.where(np.isin(surface, (LV_ENDOCARDIUM, RV_ENDOCARDIUM)), surface, EPICARDIUM)
    inside[np.isin(pieces.patch, hollow)] = 0
    parts = patches(faces, across, inside)
    tag = np.zeros(len(parts.handles), np.uint8)
    tag[parts.patch] = inside
    return Holes(
        tuple(sorted(found, key=lambda void: -void.volume_mm3)),
        tuple(sorted(_tunnels(mesh.points, faces, across, surface, parts, tag), key=lambda one: -one.diameter_mm)),
        {which: int(parts.handles[tag == which].sum()) for which in (EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM)},
    )


def _most_of(piece: np.ndarray, member: np.ndarray) -> int:
    """The piece that more than half of the member faces are on; -1 for none."""
    count = np.bincount(piece[member], minlength=1)
    return int(count.argmax()) if 2 * count.max() > member.sum() > 0 else -1


def _void(mesh: Mesh, faces: np.ndarray, volume_mm3: float) -> Void:
    nodes = np.unique(faces)
    return Void(float(volume_mm3), mesh.points[nodes].mean(axis=0), nodes)


def _tunnels(
    points: np.ndarray, faces: np.ndarray, across: np.ndarray, surface: np.ndarray, parts: Patches, tag: np.ndarray
) -> list[Tunnel]:
    """The rims of endocardium that are no valve's and join what is joined elsewhere."""
    face, side = parts.rims.T
    other = across[face, side]
    ends = points[faces[face, side]], points[faces[face, (side + 1) % 3]]
    length = np.linalg.norm(ends[1] - ends[0], axis=1)
    count = parts.rim.max() + 1 if len(parts.rim) else 0
    along_base = np.bincount(parts.rim, length * (surface[other] == BASE), count)
    valve = along_base >= VALVE_SHARE * np.bincount(parts.rim, length, count)
    joints = np.array([_joint(parts, face, other, rim) for rim in range(count)]).reshape(-1, 2)
    mouths = [_mouth(ends[0][parts.rim == rim], ends[1][parts.rim == rim]) for rim in range(count)]
    for cavity in np.flatnonzero(np.isin(tag, (LV_ENDOCARDIUM, RV_ENDOCARDIUM))):
        own = np.flatnonzero(joints[:, 0] == cavity)
        if own.size and not valve[own].any():
            valve[own[np.argmax([mouths[rim][1] for rim in own])]] = True
    found = []
    for rim, (here, there) in enumerate(joints):
        between = (int(tag[here]), int(tag[there]))
        # A rim has two sides: it is taken from the cavity, one of the septum from the left.
        if between[0] == EPICARDIUM or between == (RV_ENDOCARDIUM, LV_ENDOCARDIUM) or valve[rim]:
            continue
        if _joined_without(joints, here, there):
            found.append(Tunnel(between, *mouths[rim]))
    return found


def _joint(parts: Patches, face: np.ndarray, other: np.ndarray, rim: int) -> tuple[int, int]:
    """The patch that a rim belongs to, and the one across most of it."""
    member = parts.rim == rim
    return int(parts.patch[face[member][0]]), int(np.bincount(parts.patch[other[member]]).argmax())


def _joined_without(joints: np.ndarray, here: int, there: int) -> bool:
    """Whether two patches hang together by more than one rim, directly or over others; islands do not."""
    between = ((joints == (here, there)) | (joints == (there, here))).all(axis=1)
    if between.sum() > 2:  # each rim is listed from both of its sides
        return True
    reached, left = {here}, joints[~between]
    while True:
        more = {int(b) for a, b in left if a in reached} - reached
        if not more:
            return there in reached
        reached |= more


def _mouth(begins: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, float]:
    """Middle of a closed line, and the diameter of a disc with the area it spans; teeth of the line do not count."""
    middles, steps = 0.5 * (begins + ends), ends - begins
    centre = np.average(middles, axis=0, weights=np.linalg.norm(steps, axis=1))
    area = np.linalg.norm(0.5 * np.cross(middles - centre, steps).sum(axis=0))
    return centre, float(2.0 * np.sqrt(area / np.pi))
