"""How bright the muscle is, slice by slice: what the scar was drawn from."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from cardiotwin.pictures.content import INK
from cardiotwin.pictures.convention import as_seen
from cardiotwin.pictures.short_axis import CONTOURS, contour_key, cropped, directions, new_figure
from cardiotwin.segmentation import BORDER_ZONE, CORE, MYOCARDIUM, Segmentation


def scar_map(segmentation: Segmentation, at_most: int = 12) -> bytes | None:
    """PNG: signal of the muscle in tenths of its maximum, with the border zone and core drawn; None without a signal.

    Above each slice the mass of core and border zone in it, at 1.05 g/mL.
    """
    segmentation, _ = as_seen(segmentation)
    signal, labels = segmentation.signal, segmentation.labels
    muscle = np.isin(labels, (MYOCARDIUM, BORDER_ZONE, CORE))
    if signal is None or not muscle.any():
        return None
    held = np.flatnonzero(muscle.any(axis=(1, 2)))
    shown = held[np.unique(np.linspace(0, len(held) - 1, min(at_most, len(held))).round().astype(int))]
    rows = int(np.ceil(len(shown) / 4))
    figure = new_figure(12, 3.0 * rows + 0.5)
    grid = figure.subplots(rows, 4, squeeze=False)
    figure.subplots_adjust(left=0.005, right=0.9, top=1 - 0.12 / rows, bottom=0.16 / rows, wspace=0.03, hspace=0.14)
    window, affine = cropped(muscle, margin=8), segmentation.affine
    gram = 1.05e-3 * abs(np.linalg.det(affine[:3, :3]))
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, number in zip(grid.flat, shown, strict=False):
        here = labels[number]
        drawn = _slice(axes, np.where(muscle[number], 100 * signal[number], np.nan)[window], here[window], affine)
        grams = f"core {gram * (here == CORE).sum():.1f} g, border zone {gram * (here == BORDER_ZONE).sum():.1f} g"
        axes.set_title(f"slice {number + 1}: {grams}", fontsize=10, color=INK, pad=3)
    contour_key(figure, segmentation, CONTOURS[-2:])
    bar = figure.colorbar(drawn, cax=figure.add_axes((0.92, 0.12, 0.012, 0.76)), ticks=np.arange(0, 101, 20))
    bar.set_label("signal, % of the brightest muscle", fontsize=11, color=INK)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": "CardioTwin"})
    return buffer.getvalue()


def _slice(axes: Any, percent: np.ndarray, labels: np.ndarray, affine: np.ndarray) -> Any:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap
    from matplotlib.patheffects import withStroke

    tenths = ListedColormap(colormaps["cividis"](np.linspace(0, 1, 10)))
    aspect = np.linalg.norm(affine[:3, 1]) / np.linalg.norm(affine[:3, 0])
    drawn = axes.imshow(percent, cmap=tenths, vmin=0, vmax=100, interpolation="nearest", aspect=aspect)
    for _, codes, colour, width in CONTOURS[-2:]:
        inside = np.isin(labels, codes)
        if inside.any():
            lines = axes.contour(inside, levels=[0.5], colors=[colour], linewidths=width + 0.4)
            lines.set_path_effects([withStroke(linewidth=3.2, foreground="#101010")])
    directions(axes, percent.shape, affine, on_paper=True)
    return drawn
