"""The heart to turn by hand: its surface once, one small array a colouring, drawn by plotly in the reader's browser."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from cardiotwin.ablation import lesions as ablation
from cardiotwin.comparison.plan_results import plans_in_order
from cardiotwin.heart.heart import CORE
from cardiotwin.pictures.content import ABLATED_COLOUR, TISSUE, TISSUE_COLOURS, first_activation_ms
from cardiotwin.pictures.palette import Palette, bands, categories, nearest_turn
from cardiotwin.pictures.skin import boundary
from cardiotwin.study import Study

MOST_FACES, FEWER_FACES = 150_000, 80_000
"""A surface of more triangles is thinned to the second number: the file would be too large. It takes 2 MB then."""
MOST_COLOURINGS = 12


def heart_scene(study: Study) -> dict[str, Any] | None:
    """Surface, colourings and markers for the page's script; None for a heart of more than 640 mm.

    A surface of more than `MOST_FACES` triangles is thinned; each triangle then has the values of the nearest before.

    Positions are 0.01 mm steps in 16 bits from the middle of the heart, times 0.1 ms steps: a quarter of the size, and
    finer than any screen. Arrays are base64 of little-endian integers.
    """
    heart = study.heart
    faces, element = boundary(heart.mesh.tets, len(heart.mesh.points))
    nodes, corners = np.unique(faces, return_inverse=True)
    points, triangles = heart.mesh.points[nodes], corners.reshape(-1, 3)
    if len(faces) > MOST_FACES:
        points, triangles, nearest = thinned(points, triangles, FEWER_FACES)
        faces, element = faces[nearest], element[nearest]
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    steps = np.rint((points - middle) * 100)
    if np.abs(steps).max() > 32_000:
        return None
    return {
        "middle": middle.tolist(),
        "positions": _packed(steps.T, "<i2"),
        "faces": _packed(triangles.T, "<u4"),
        "colourings": _colourings(study, faces, element),
        "markers": _markers(study),
    }


def thinned(points: np.ndarray, triangles: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A surface with about `count` triangles, where it bends least (quadric error), and which old one is nearest each.

    Returns
    -------
    points : (n, 3) float64
    triangles : (m, 3) int
    nearest : (m,) int
        Row of the triangle before with the nearest middle.
    """
    import pyvista as pv
    from scipy.spatial import cKDTree

    surface = pv.PolyData.from_regular_faces(points, triangles)
    fewer = surface.decimate(1.0 - count / len(triangles))
    kept = fewer.regular_faces
    at = np.asarray(fewer.points, float)
    return at, kept, cKDTree(points[triangles].mean(axis=1)).query(at[kept].mean(axis=1))[1]


def _packed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode("ascii")


def _colourings(study: Study, faces: np.ndarray, element: np.ndarray) -> list[dict[str, Any]]:
    heart = study.heart
    tissue = categories("tissue", TISSUE, TISSUE_COLOURS)
    found = [_of_faces("Substrate", tissue, heart.tissue_class[element])]
    time = first_activation_ms(study)
    if time is not None:
        low, high = float(np.nanmin(time)), float(np.nanmax(time))
        found.append(_of_nodes("Activation, confirming run", bands("ms", low, high, "not activated"), time[faces]))
    for k, (circuit, _) in enumerate(study.circuits, start=1):
        cycle_ms = circuit.cycle_length_ms
        palette = bands("ms in the cycle", 0.0, cycle_ms, "not activated", period=cycle_ms)
        found.append(_of_nodes(f"Circuit {k}", palette, circuit.phase_ms[faces]))
    with_lesions = categories("tissue", (*TISSUE, "ablated"), (*TISSUE_COLOURS, ABLATED_COLOUR))
    for plan in plans_in_order(study.plans, study.comparison):
        lesions = ablation.lesion_elements(heart, plan)
        if lesions.any():
            shown = np.where(lesions, CORE + 1, heart.tissue_class)[element]
            found.append(_of_faces(f"Plan: {' '.join(plan.name.split())}", with_lesions, shown))
    return found[:MOST_COLOURINGS]


def _of_faces(name: str, palette: Palette, values: np.ndarray) -> dict[str, Any]:
    return {"name": name, "kind": "u1", "unit": 1, "values": _packed(values, "u1"), **_scale(palette)}


def _of_nodes(name: str, palette: Palette, corners: np.ndarray) -> dict[str, Any]:
    """One value a face: between a known and a missing corner, plotly would run through all colours."""
    missing = ~np.isfinite(corners).all(axis=1)
    middle = corners.mean(axis=1)
    if np.isfinite(palette.period):
        first = corners[:, :1]
        middle = np.mod((first + nearest_turn(corners - first, palette.period)).mean(axis=1), palette.period)
    # A band of its own below all others stands for "not activated".
    below = palette.edges[0] - 0.5 * (palette.edges[1] - palette.edges[0])
    packed = _packed(np.rint(10 * np.where(missing, below, middle)), "<i2")
    return {"name": name, "kind": "i2", "unit": 0.1, "values": packed, **_scale(palette)}


def _scale(palette: Palette) -> dict[str, Any]:
    """A colour scale in steps, with its ticks: plotly has no bands of its own."""
    colours = list(palette.colours)
    edges = palette.edges
    if palette.missing:
        colours, edges = [palette.missing_colour, *colours], np.concatenate([[2 * edges[0] - edges[1]], edges])
    share = (edges - edges[0]) / (edges[-1] - edges[0])
    steps = []
    for k, colour in enumerate(colours):
        code = "rgb({:.0f},{:.0f},{:.0f})".format(*(255 * colour))
        steps += [[float(share[k]), code], [float(share[k + 1]), code]]
    if palette.names:
        ticks, texts = 0.5 * (edges[:-1] + edges[1:]), list(palette.names)
    else:
        ticks, texts = palette.edges, [f"{edge:g}" for edge in palette.edges]
        if palette.missing:
            ticks, texts = np.concatenate([[0.5 * (edges[0] + edges[1])], ticks]), [palette.missing, *texts]
    return {
        "title": palette.title,
        "low": float(edges[0]),
        "high": float(edges[-1]),
        "scale": steps,
        "ticks": [float(tick) for tick in ticks],
        "texts": texts,
    }


def _markers(study: Study) -> list[dict[str, Any]]:
    """Points to show on the heart, by name; the reader can switch each off."""
    found = []
    if study.arrhythmias is not None and study.arrhythmias.circuits:
        circuits = study.arrhythmias.circuits
        numbers = [f"circuit {k + 1}" for k in range(len(circuits))]
        found.append(_marker("isthmus", "diamond", "#ffffff", [c.isthmus_mm for c in circuits], numbers))
        found.append(_marker("exit", "square", "#111111", [c.exit_mm for c in circuits], numbers))
    if study.arrhythmias is not None:
        sites = study.arrhythmias.site_positions
        numbers = [f"pacing site {k + 1}" for k in range(len(sites))]
        found.append(_marker("pacing sites", "circle", "#1f5fa8", list(sites), numbers, hidden=True))
    if study.posterior is not None and study.confirmation is not None:
        sites = study.posterior.site_positions[study.confirmation.member]
        times = study.posterior.site_times_ms[study.confirmation.member]
        labels = [f"activation site, {time:.0f} ms" for time in times]
        found.append(_marker("activation sites", "circle", "#ffd400", list(sites), labels, hidden=True))
    return found


def _marker(
    name: str, symbol: str, colour: str, positions: list[np.ndarray], texts: list[str], hidden: bool = False
) -> dict[str, Any]:
    rounded = np.round(np.array(positions), 2).tolist()
    return {"name": name, "symbol": symbol, "colour": colour, "positions": rounded, "texts": texts, "hidden": hidden}
