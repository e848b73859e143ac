"""The patient's own skin from a surface file, closed, as the torso that conducts to the electrodes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from cardiotwin.ecg.torso_conductor import TorsoSurface, checked_skin
from cardiotwin.ingest.surface_files import Surface, read_surfaces
from cardiotwin.ingest.wording import refusal, shown
from cardiotwin.meshes.scan import merged

LEAST_EXTENT_MM, MOST_EXTENT_MM = 150.0, 2500.0
"""Of a trunk from end to end: a newborn's and more than anybody's."""
MOST_KEPT, THINNED_TO = 10_000, 8_000
"""A skin of more triangles is thinned: the equations grow with their square, and it bends little."""


def is_torso_name(words: str) -> bool:
    """Whether the words of a file's name say that it holds a body's skin."""
    return re.search(r"\b(torso|thorax|trunk|chest|body|skin)\b", words) is not None


def read_torso(path: Path) -> tuple[TorsoSurface, tuple[str, ...]]:
    """A closed skin (STL, PLY, VTP, legacy VTK; mm), and what was changed of it.

    Points are LPS unless the file says ``SPACE=RAS``, as 3D Slicer's do.

    Raises
    ------
    InputRejected
        A damaged file, a size that is no trunk's in mm, a surface that is not one closed skin (`checked_skin`).
    """
    name = shown(path.name, 120)
    surface = read_surfaces([path])[0]
    extent = float(np.ptp(surface.points[np.unique(surface.triangles)], axis=0).max())
    if not LEAST_EXTENT_MM <= extent <= MOST_EXTENT_MM:
        found, expected = f"a torso {extent:.3g} long", f"{LEAST_EXTENT_MM:g} to {MOST_EXTENT_MM:g} mm"
        raise refusal(name, found, expected, "Is it in mm? Scale it, or export it again")
    points, triangles = merged(surface.points, surface.triangles)
    notes = []
    if len(triangles) > MOST_KEPT:
        points, thinned = _thinned(Surface(surface.name, points, triangles))
        notes.append(f"{len(triangles)} triangles thinned to {len(thinned)}")
        triangles = thinned
    return TorsoSurface(*checked_skin(points, triangles)), tuple(notes)


def _thinned(surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Where it bends least (quadric error)."""
    import pyvista as pv

    skin = pv.PolyData.from_regular_faces(surface.points, surface.triangles)
    fewer = skin.decimate(1.0 - THINNED_TO / len(surface.triangles))
    return np.asarray(fewer.points, np.float64), np.asarray(fewer.regular_faces, np.int64)
