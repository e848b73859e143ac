"""A line on the heart's surface across an isthmus: through its narrowest place, from scar to scar."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.ablation.access import SURFACES
from cardiotwin.ablation.lesions import inward_normals
from cardiotwin.heart.heart import BASE, CORE, Heart
from cardiotwin.induction.reentry import Circuit

STEP_MM = 0.5
POINT_EVERY_MM = 3.0
FARTHEST_END_MM = 35.0
"""From the narrowest place to an end: beyond it there is no scar to end at that belongs to this isthmus."""


@dataclass(frozen=True, eq=False)
class SurfaceLine:
    """A line on one surface.

    Attributes
    ----------
    points_mm : (k, 3) float64
        From end to end, LPS.
    anchored : tuple of bool
        Whether each end lies in scar core or on the valve ring; one that does not ends past the cut, in tissue that
        conducts.
    away_mm : float
        Of the narrowest place from the surface.
    """

    points_mm: np.ndarray
    anchored: tuple[bool, bool]
    away_mm: float


def lines_across(
    heart: Heart, circuit: Circuit, surfaces: Collection[str] = tuple(SURFACES.values())
) -> tuple[SurfaceLine, ...]:
    """The line on each of these surfaces that the heart has, the surface nearest to the narrowest place first.

    The narrowest place is the middle of the circuit's minimum cut; the line sets out there along the surface, across
    the way from isthmus to exit, and runs straight on both ways until it meets scar core or the valve ring beyond the
    cut.
    """
    middle = heart.mesh.points[circuit.cut_nodes].mean(axis=0)
    found = []
    for which, name in SURFACES.items():
        nodes = heart.surface_nodes(which)
        if name in surfaces and nodes.size:
            found.append(_line(heart, circuit, _Surface(heart, nodes), middle))
    return tuple(sorted(found, key=lambda one: one.away_mm))


class _Surface:
    """Nodes of one surface with their normals, and at which of them a line may end."""

    def __init__(self, heart: Heart, nodes: np.ndarray) -> None:
        of_normals, inward = inward_normals(heart)
        self.points = heart.mesh.points[nodes]
        self.normal = inward[np.searchsorted(of_normals, nodes)]
        self.tree = cKDTree(self.points)
        ends = np.concatenate([np.unique(heart.mesh.tets[heart.tissue_class == CORE]), heart.surface_nodes(BASE)])
        self.is_end = np.isin(nodes, ends)


def _line(heart: Heart, circuit: Circuit, surface: _Surface, middle: np.ndarray) -> SurfaceLine:
    away, start = surface.tree.query(middle)
    cut = heart.mesh.points[circuit.cut_nodes] - middle
    across = _across(circuit, cut, surface.normal[start])
    extent = cut @ across
    ways = [
        _walk(surface, int(start), sign * across, max(float((sign * extent).max()), 0.0) + heart.edge_mm)
        for sign in (-1.0, 1.0)
    ]
    (before, first), (after, last) = ways
    return SurfaceLine(np.concatenate([before[::-1], after[1:]]), (first, last), float(away))


def _across(circuit: Circuit, cut: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Unit vector along the surface, across the conduction; where that is not known, along the cut."""
    along = circuit.exit_mm - circuit.isthmus_mm
    along = along - along @ normal * normal
    if np.linalg.norm(along) < 1.0:
        flat = cut - np.outer(cut @ normal, normal)
        across = np.linalg.svd(flat, full_matrices=False)[2][0]
        across = across - across @ normal * normal
    else:
        across = np.cross(normal, along)
    if np.linalg.norm(across) < 1e-6:  # a cut straight through the wall, of a wave that turns on the spot: any way
        across = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    return np.asarray(across / max(float(np.linalg.norm(across)), 1e-9))


def _walk(surface: _Surface, start: int, direction: np.ndarray, least_mm: float) -> tuple[np.ndarray, bool]:
    """Points every few mm straight along the surface to where the line may end; else to `least_mm`, and False."""
    place, points, gone = surface.points[start], [surface.points[start]], 0.0
    end = 0.0
    while gone < FARTHEST_END_MM:
        gone += STEP_MM
        node = int(surface.tree.query(place + STEP_MM * direction)[1])
        normal = surface.normal[node]
        place = place + STEP_MM * direction
        place = place - (place - surface.points[node]) @ normal * normal
        direction = direction - direction @ normal * normal
        direction = direction / max(float(np.linalg.norm(direction)), 1e-9)
        points.append(place)
        if surface.is_end[node] and gone >= least_mm:
            end = gone
            break
    count = round((end or least_mm) / STEP_MM)
    kept = np.array(points[: count + 1])
    every = round(POINT_EVERY_MM / STEP_MM)
    return np.concatenate([kept[:-1:every], kept[-1:]]), end > 0.0
