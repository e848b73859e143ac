"""A field of the left ventricle as a bull's eye: seen from the apex, anterior wall up, septum on the left.

The left disc shows the field as it is, averaged across the wall, radius and angle being the apicobasal and rotational
coordinates; the right one its mean in each of the seventeen segments, with their numbers. The right ventricle's free
wall is not shown.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from cardiotwin.errors import MeshError
from cardiotwin.heart.heart import CORE, LEFT, Heart
from cardiotwin.heart.segments import APICAL_FROM, BASAL_FROM, MID_FROM, per_element, segment_means, segments
from cardiotwin.meshes.mapping import coordinates_of_elements
from cardiotwin.meshes.ventricular import VentricularCoordinates
from cardiotwin.pictures.content import INK
from cardiotwin.pictures.palette import Palette, bands, round_width

SIZE_PX = (1500, 700)
_DPI = 100
_ANTERIOR_TURN = 7.0 / 12.0
"""Rotational coordinate of the middle of the anterior wall, which points up."""
_RINGS, _SPOKES = 30, 120
_EDGES = (0.0, APICAL_FROM, MID_FROM, BASAL_FROM, 1.0)
WALLS = (("anterior", 90.0), ("septal", 180.0), ("inferior", 270.0), ("lateral", 0.0))


def bullseye(heart: Heart, field: np.ndarray, title: str, *, palette: Palette | None = None) -> bytes:
    """One picture as PNG, `SIZE_PX` wide and high.

    Parameters
    ----------
    heart : Heart
    field : (n_nodes,) or (n_tets,) float
        A number that may be averaged: not a category, not an angle. Not finite where there is none.
    title : str
        What is shown, with its unit, as "activation, ms".
    palette : Palette or None
        None: ten to twelve bands over what there is in the left ventricle; small at the bottom of the key, but for
        an activation (by its title), whose key has early on top as clinical maps do.

    Raises
    ------
    MeshError
        A field of another length, or without a finite value in the left ventricle; no ventricular coordinates.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    means = segment_means(heart, field).mean
    fine = disc(heart, field)
    if not np.isfinite(fine).any():
        raise MeshError(f"bull's eye: {title!r} has no finite value in the left ventricle")
    palette = palette or _about_ten_bands(title, fine, _what_is_missing(heart, field))
    figure = Figure(figsize=(SIZE_PX[0] / _DPI, SIZE_PX[1] / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.02, 0.94, title, fontsize=19, weight="bold", color=INK, parse_math=False)
    for left, what in ((0.03, "mean across the wall"), (0.46, "mean of each segment (AHA 17)")):
        axes = figure.add_axes((left, 0.09, 0.37, 0.74), projection="polar")
        whole = what.startswith("mean across")
        _paint(axes, palette, fine if whole else _by_segment(means))
        outline_segments(axes)
        _label(axes, palette, None if whole else means)
        figure.text(left + 0.185, 0.015, what, ha="center", fontsize=15, color=INK)
    _key(figure, palette, missing=not np.isfinite(fine).all() or not np.isfinite(means).all())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": "CardioTwin"})
    return buffer.getvalue()


def disc(heart: Heart, field: np.ndarray) -> np.ndarray:
    """(30, 120) the field averaged across the wall: rows from apex to base, columns along the rotational coordinate.

    NaN where no value is finite. Cells smaller than an element, as at the apex, take the value of the nearest that hold
    one.
    """
    values = per_element(heart, field)
    if heart.coordinates is None:
        raise MeshError("bull's eye: this heart has no ventricular coordinates; its log says why not")
    where = coordinates_of_elements(heart.coordinates, heart.mesh.tets)
    shown = heart.ventricle == LEFT
    row = np.minimum((where.apicobasal * _RINGS).astype(int), _RINGS - 1)
    column = np.minimum((where.rotational * _SPOKES).astype(int), _SPOKES - 1)
    cell = (row * _SPOKES + column)[shown]
    values, volumes = values[shown], heart.mesh.volumes[shown]
    known = np.isfinite(values)
    held = np.bincount(cell, minlength=_RINGS * _SPOKES) > 0
    weight = np.bincount(cell[known], volumes[known], _RINGS * _SPOKES)
    total = np.bincount(cell[known], (volumes * np.where(known, values, 0.0))[known], _RINGS * _SPOKES)
    mean = np.where(weight > 0, total / np.maximum(weight, 1e-12), np.nan)
    return _from_nearest(mean, held).reshape(_RINGS, _SPOKES)


def _from_nearest(mean: np.ndarray, held: np.ndarray) -> np.ndarray:
    from scipy.spatial import cKDTree

    row, column = np.divmod(np.arange(_RINGS * _SPOKES), _SPOKES)
    radius, angle = (row + 0.5) / _RINGS, 2 * np.pi * (column + 0.5) / _SPOKES
    place = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return mean[np.flatnonzero(held)[cKDTree(place[held]).query(place)[1]]]


def _by_segment(means: np.ndarray) -> np.ndarray:
    """(300, 720) the mean of the segment that holds each cell of a disc."""
    row, column = np.meshgrid((np.arange(300) + 0.5) / 300, (np.arange(720) + 0.5) / 720, indexing="ij")
    flat = row.ravel()
    number = segments(VentricularCoordinates(flat, flat, column.ravel(), np.zeros(flat.size, np.uint8)))
    return means[number.astype(int) - 1].reshape(row.shape)


def _about_ten_bands(title: str, values: np.ndarray, missing: str) -> Palette:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    width, early_on_top = round_width(low, high), "activation" in title.lower()
    colours = "turbo_r" if early_on_top else "turbo"
    return bands(title, low, high + 1e-6 * width, missing, width=width, colours=colours, upward=not early_on_top)


def _what_is_missing(heart: Heart, field: np.ndarray) -> str:
    """Scar core, where every tetrahedron of the left ventricle without a value is core or touches it."""
    without = ~np.isfinite(per_element(heart, field)) & (heart.ventricle == LEFT)
    of_core = np.zeros(len(heart.mesh.points), bool)
    of_core[heart.mesh.tets[heart.tissue_class == CORE]] = True
    return "scar core" if without.any() and of_core[heart.mesh.tets[without]].any(axis=1).all() else "no value"


def on_paper(turn: np.ndarray | float) -> Any:
    """On paper, radians: counter-clockwise, the anterior wall up, then the septum."""
    return np.pi / 2 + 2 * np.pi * (np.asarray(turn) - _ANTERIOR_TURN)


def _paint(axes: Any, palette: Palette, values: np.ndarray) -> None:
    rings, spokes = values.shape
    colours = palette.paint(values)[0]
    turns, radii = on_paper(np.arange(spokes + 1) / spokes), np.arange(rings + 1) / rings
    # A colour a cell; drawn as one mesh, so that neighbours leave no seams.
    axes.pcolormesh(turns, radii, colours, shading="flat", rasterized=True)
    axes.set_axis_off()
    axes.set_ylim(0.0, 1.0)


def outline_segments(axes: Any) -> None:
    """Borders of the seventeen segments on a disc of radius 1."""
    circle = np.linspace(0, 2 * np.pi, 361)
    for radius in _EDGES[1:]:
        axes.plot(circle, np.full_like(circle, radius), color=INK, lw=1.3)
    for turn in np.arange(6) / 6:
        axes.plot(np.full(2, on_paper(turn)), (MID_FROM, 1.0), color=INK, lw=1.3)
    for turn in 11 / 24 + np.arange(4) / 4:
        axes.plot(np.full(2, on_paper(turn)), (APICAL_FROM, MID_FROM), color=INK, lw=1.3)


def name_walls(axes: Any, size: float = 14) -> None:
    """Around a disc."""
    for name, degrees in WALLS:
        tilt = {0.0: -90, 180.0: 90}.get(degrees, 0)
        axes.text(
            np.radians(degrees), 1.07, name, ha="center", va="center", fontsize=size, color="#30507a", rotation=tilt
        )


def _label(axes: Any, palette: Palette, means: np.ndarray | None) -> None:
    """Numbers of the segments, below them their means, and which wall is where."""
    name_walls(axes)
    for k, (turn, radius) in enumerate(middles()):
        text = f"{k + 1}" if means is None else f"{k + 1}\n{_short(means[k])}"
        dark = palette.paint(np.array([means[k]]))[0][0].mean() < 0.45 if means is not None else False
        colour = "white" if dark else INK
        axes.text(
            on_paper(turn), radius, text, ha="center", va="center", fontsize=12 if means is None else 13, color=colour
        )


def middles() -> list[tuple[float, float]]:
    """Rotational coordinate and radius of the middle of each segment."""
    rings = [(7 / 12 + k / 6, radius) for radius in (0.85, 0.55) for k in range(6)]
    return [*rings, *((7 / 12 + k / 4, 0.26) for k in range(4)), (0.0, 0.0)]


def _short(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "-"


def _key(figure: Any, palette: Palette, missing: bool) -> None:
    from matplotlib.colorbar import ColorbarBase
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Patch

    axes = figure.add_axes((0.885, 0.16, 0.014, 0.64))
    norm = BoundaryNorm(palette.edges, len(palette.colours))
    bar = ColorbarBase(axes, cmap=ListedColormap(palette.colours), norm=norm, ticks=palette.edges.tolist())
    bar.ax.set_yticklabels([f"{edge:.4g}" for edge in palette.edges])
    bar.ax.tick_params(labelsize=13)
    if not palette.upward:
        bar.ax.invert_yaxis()
        figure.text(0.885, 0.82, "early on top", fontsize=12, color=INK)
    if missing:
        patch = Patch(fc=palette.missing_colour, ec="#444444", label=palette.missing or "no value")
        figure.legend(handles=[patch], loc="lower right", bbox_to_anchor=(0.995, 0.02), fontsize=13, frameon=False)
