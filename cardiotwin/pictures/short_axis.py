"""Slices with every contour, as radiologists see them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from cardiotwin.imaging import Image
from cardiotwin.pictures.camera import direction_letters
from cardiotwin.pictures.content import INK
from cardiotwin.pictures.convention import as_seen
from cardiotwin.segmentation import BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, RV_BLOOD, Segmentation

SLICES = "slices.png"
CONTOURS = (
    ("left-ventricular cavity", (LV_BLOOD,), "#4aa3ff", 1.4),
    ("myocardium", (MYOCARDIUM, LV_BLOOD, BORDER_ZONE, CORE), "#ffffff", 1.2),
    ("right-ventricular cavity", (RV_BLOOD,), "#37c871", 1.4),
    ("border zone", (BORDER_ZONE, CORE), "#ffd23f", 1.3),
    ("scar core", (CORE,), "#d50000", 1.6),
)
"""Name, what the line encloses (first what it is named for), colour, width.

Any two 34 or more CIELAB units apart also without red or green; a lighter red was 18 from the green."""


def new_figure(width: float, height: float) -> Any:
    """A white page of so many inches that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def slices(image: Image | None, segmentation: Segmentation, at_most: int = 12) -> bytes:
    """PNG of slices in the order of the stack with every contour; labels alone where there is no image.

    They lie as radiologists see them, the right ventricle on the left.
    Where the segmentation was judged slice by slice, each has its confidence in a corner and as its frame's colour.
    """
    # Code order: background, left blood, healthy, right blood, core, border zone.
    volume = np.array([0.05, 0.75, 0.35, 0.7, 0.95, 0.6])[segmentation.labels]
    if image is not None and image.values.shape == segmentation.labels.shape:
        volume = image.values
    segmentation, (volume,) = as_seen(segmentation, volume)
    muscle = np.isin(segmentation.labels, (MYOCARDIUM, BORDER_ZONE, CORE))
    with_muscle = np.flatnonzero(muscle.any(axis=(1, 2)))
    shown = with_muscle[
        np.unique(np.linspace(0, len(with_muscle) - 1, min(at_most, len(with_muscle))).round().astype(int))
    ]
    window = cropped(muscle | np.isin(segmentation.labels, (LV_BLOOD, RV_BLOOD)))
    low, high = np.percentile(volume[shown][:, window[0], window[1]], (1, 99.7))
    figure = new_figure(12, 3.15 * int(np.ceil(len(shown) / 4)) + 0.45)
    rows, columns = int(np.ceil(len(shown) / 4)), min(4, len(shown))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, number in zip(grid.flat, shown, strict=False):
        _slice(axes, volume[number][window], segmentation.labels[number][window], segmentation.affine, (low, high))
        axes.set_title(f"slice {number + 1} of {len(segmentation.labels)}", fontsize=10, color=INK, pad=3)
        _trust(axes, segmentation, number)
    contour_key(figure, segmentation)
    told = []
    if image is not None and image.kind == "cine":
        told.append("first frame of the cine, taken as end-diastole")
    if len(shown) < len(with_muscle):
        told.append(f"{len(shown)} of {len(with_muscle)} slices with muscle shown, evenly spread")
    if told:
        figure.text(0.005, 0.997, "; ".join(told), fontsize=11, color=INK, va="top")
    figure.subplots_adjust(
        left=0.005, right=0.995, top=0.93 if rows > 1 else 0.9, bottom=0.16 / rows, wspace=0.03, hspace=0.12
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": "CardioTwin"})
    return buffer.getvalue()


def _trust(axes: Any, segmentation: Segmentation, number: int) -> None:
    """A frame from red, not to be trusted, over yellow to green, with the figure; nothing where nobody has judged."""
    judged = segmentation.confidence.get("by_slice")
    if not isinstance(judged, tuple):
        return
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    colour = colormaps["RdYlGn"](judged[number])
    style: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": 10, "color": "white", "weight": "bold"}
    style["bbox"] = {"facecolor": "#101010", "edgecolor": "none", "pad": 2.5}  # fat is as bright as any colour
    axes.text(0.96, 0.97, f"{judged[number]:.2f}", transform=axes.transAxes, **style)
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, edgecolor=colour, lw=6, clip_on=False))


def cropped(mask: np.ndarray, margin: int = 8) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=(0, 2))), np.flatnonzero(mask.any(axis=(0, 1)))
    return (
        slice(max(0, rows[0] - margin), rows[-1] + margin + 1),
        slice(max(0, columns[0] - margin), columns[-1] + margin + 1),
    )


def _slice(axes: Any, values: np.ndarray, labels: np.ndarray, affine: np.ndarray, window: tuple[float, float]) -> None:
    from matplotlib.patheffects import withStroke

    column_mm, row_mm = np.linalg.norm(affine[:3, 0]), np.linalg.norm(affine[:3, 1])
    halo = [withStroke(linewidth=2.2, foreground="#101010")]
    axes.imshow(
        values, cmap="gray", vmin=window[0], vmax=window[1], interpolation="bilinear", aspect=row_mm / column_mm
    )
    for _, codes, colour, width in CONTOURS:
        mask = np.isin(labels, codes)
        if mask.any():
            axes.contour(mask, levels=[0.5], colors=[colour], linewidths=width).set_path_effects(halo)
    directions(axes, values.shape, affine)


def directions(axes: Any, shape: tuple[int, ...], affine: np.ndarray, *, on_paper: bool = False) -> None:
    """The patient's directions at the edges of a slice, and a scale."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.2, foreground="white" if on_paper else "#101010")]
    letters, scale = ("#30507a", INK) if on_paper else ("#ffd966", "white")
    column_mm, row_mm = np.linalg.norm(affine[:3, 0]), np.linalg.norm(affine[:3, 1])
    right, down = affine[:3, 0] / column_mm, affine[:3, 1] / row_mm
    for x, y, direction in (
        (0.94, 0.5, right), (0.06, 0.5, -right), (0.5, 0.05, down), (0.5, 0.95, -down),
    ):  # fmt: skip
        style = {"ha": "center", "va": "center", "fontsize": 9, "color": letters, "weight": "bold"}
        axes.text(x, y, direction_letters(direction), transform=axes.transAxes, **style).set_path_effects(halo)
    end, height = shape[1] - 3, shape[0] - 3
    axes.plot([end - 20 / column_mm, end], [height] * 2, color=scale, lw=2.5)
    axes.text(end, height - 2, "20 mm", ha="right", va="bottom", fontsize=9, color=scale).set_path_effects(halo)


def contour_key(figure: Any, segmentation: Segmentation, contours: Sequence[Any] = CONTOURS) -> None:
    from matplotlib.lines import Line2D

    present = [entry for entry in contours if np.isin(segmentation.labels, entry[1][:1]).any()]
    lines = [Line2D([], [], color=c, lw=2.4, label=name) for name, _, c, _ in present]
    if not lines:
        return
    # On black, as in the slices: a white line on paper would have to be another colour.
    box = {"facecolor": "#101010", "labelcolor": "white", "framealpha": 1.0, "edgecolor": "#101010"}
    figure.legend(handles=lines, loc="lower center", ncols=len(lines), fontsize=10, **box)
