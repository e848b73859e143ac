"""Where the electrodes are: heart and electrodes in a torso, from the front and from the left."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from cardiotwin.ecg.electrodes import Electrodes, PlacedTorso, shown_skin, torso_at
from cardiotwin.heart.heart import LEFT as LEFT_VENTRICLE
from cardiotwin.heart.heart import RIGHT as RIGHT_VENTRICLE
from cardiotwin.heart.heart import Heart
from cardiotwin.heart.locations import cavity_centre
from cardiotwin.kernels.raster import draw_triangles
from cardiotwin.meshes.reference.torso import HIP
from cardiotwin.pictures.camera import ANTERIOR, PANEL_PX, Camera, View, direction_letters, fitting_scale
from cardiotwin.pictures.content import INK
from cardiotwin.pictures.palette import categories
from cardiotwin.pictures.render import render
from cardiotwin.pictures.skin import outside

SIZE_PX = (1500, 900)
_DPI = 100
LEFT = View("from the left", np.array([-1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]))
_PX_PER_MM = 1.32
_FINER = 2
SKIN_COLOUR, CHEST_COLOUR, LIMB_COLOUR = np.array([0.96, 0.89, 0.84]), "#0b5394", "#7f3f00"
_VENTRICLES = ("left ventricle", "right ventricle"), ("#c8503c", "#7f9ccc")


def torso_picture(heart: Heart, electrodes: Electrodes, rule: str = "") -> bytes:
    """One picture as PNG, `SIZE_PX` wide and high.

    Each electrode is a dot on a disc, whose radius is its standard deviation; no disc where none is stated. The torso
    is the one that conducts to them; in an infinite conductor the mean adult's, moved and stretched to them: a place to
    look at them in, not this patient's skin.

    Parameters
    ----------
    heart : Heart
    electrodes : Electrodes
    rule : str
        ``"offsets"`` or ``"torso"``, of those that were placed; "" where that is not known.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE_PX[0] / _DPI, SIZE_PX[1] / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.012, 0.947, "Electrodes", fontsize=20, weight="bold", color=INK)
    figure.text(0.012, 0.912, _how(electrodes, rule), fontsize=13.5, color=INK)
    placed = torso_at(electrodes)
    low, high = _heights(placed, electrodes)
    for view, left_px, half_px in ((ANTERIOR, 20, 400), (LEFT, 840, 320)):
        height_px = SIZE_PX[1] - 185
        axes = figure.add_axes(
            (left_px / SIZE_PX[0], 95 / SIZE_PX[1], 2 * half_px / SIZE_PX[0], height_px / SIZE_PX[1])
        )
        centre = placed.to_lps(np.array([0.0, -placed.torso.half_depths_mm.max(), 0.0]))
        centre[2] = 0.5 * (low + high)
        per_mm = min(_PX_PER_MM, height_px / (high - low))
        half_mm = np.array([half_px, 0.5 * height_px]) / per_mm
        _view(axes, heart, electrodes, placed, view, centre, half_mm)
        figure.text((left_px + half_px) / SIZE_PX[0], 0.072, _name(view), fontsize=15, color=INK, ha="center")
    _key(figure, heart, electrodes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": "CardioTwin"})
    return buffer.getvalue()


_RULES = {
    "": "by a rule from the heart",
    "offsets": "at fixed offsets from the heart (`electrodes.rule`: offsets)",
    "torso": "on a mean adult's torso around the heart (`electrodes.rule`: torso)",
}


def _how(electrodes: Electrodes, rule: str) -> str:
    off = electrodes.uncertainty_mm
    how = "Measured." if electrodes.measured else f"Placed {_RULES[rule]}, not measured."
    if off is None:
        return f"{how} How far off they may be is not stated."
    return f"{how} Discs: one standard deviation, {off.min():.0f} to {off.max():.0f} mm along the skin."


def _name(view: View) -> str:
    return view.name if view is ANTERIOR else f"{view.name}; electrodes on the right side left out"


def _heights(placed: PlacedTorso, electrodes: Electrodes) -> tuple[float, float]:
    """Lowest and highest z of the picture, mm: from the hips to the neck, and wherever electrodes are."""
    torso = placed.torso
    ends = placed.to_lps(np.array([[0.0, 0.0, torso.level_mm(HIP)], [0.0, 0.0, torso.heights_mm[-1]]]))[:, 2]
    at = electrodes.positions[:, 2]
    return float(min(ends[0] + 30.0, at.min() - 60.0)), float(max(ends[1], at.max() + 50.0) + 26.0)


def _view(
    axes: Any, heart: Heart, electrodes: Electrodes, placed: PlacedTorso, view: View, centre: np.ndarray,
    half_mm: np.ndarray,
) -> None:  # fmt: skip
    axes.set_axis_off()
    axes.set_xlim(-half_mm[0], half_mm[0])
    axes.set_ylim(-half_mm[1], half_mm[1])
    reach_mm = _draw_torso(axes, electrodes, view, centre, half_mm)
    _draw_heart(axes, heart, view, centre)
    shown = np.ones(len(electrodes.names), bool)
    if view is not ANTERIOR:
        shown = electrodes.positions @ view.towards <= placed.origin @ view.towards + 1e-9
    on_paper = np.stack([(electrodes.positions - centre) @ side for side in (view.right, view.up)], axis=1)
    middle = np.array([(cavity_centre(heart) - centre) @ side for side in (view.right, view.up)])
    labels = _draw_electrodes(axes, electrodes, on_paper, np.flatnonzero(shown), middle)
    _letters(axes, view, half_mm, reach_mm, np.concatenate([labels, on_paper[shown]]))


def _draw_torso(axes: Any, electrodes: Electrodes, view: View, centre: np.ndarray, half_mm: np.ndarray) -> float:
    """The skin, lit, drawn by the depth buffer that draws hearts; returns half its breadth on paper, mm."""
    points, triangles = shown_skin(electrodes, step_mm=8.0)
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    lamp = 0.86 * -view.towards + 0.42 * view.up - 0.28 * view.right
    light = np.repeat((0.55 + 0.45 * np.abs(normals @ lamp))[:, None], 3, axis=1)
    half = float(half_mm.max())
    size = int(2 * half * _PX_PER_MM * _FINER)
    camera = Camera(view, centre, size / (2 * half), size)
    depth = np.full((size, size), np.inf)
    value, shade = np.full(depth.shape, np.nan), np.ones(depth.shape)
    draw_triangles(
        camera.project(corners), np.zeros(light.shape), light, np.full(light.shape, -1.0), depth, value, shade
    )
    drawn = np.isfinite(depth)
    rgba = np.dstack([SKIN_COLOUR * np.clip(shade, 0, 1)[..., None] ** 0.6, drawn.astype(float)])
    axes.imshow(rgba, extent=(-half, half, -half, half), interpolation="bilinear", zorder=1)
    axes.set_xlim(-half_mm[0], half_mm[0])
    axes.set_ylim(-half_mm[1], half_mm[1])
    return float(np.abs((corners - centre) @ view.right).max())


def _draw_heart(axes: Any, heart: Heart, view: View, centre: np.ndarray) -> None:
    """The heart as through glass: in front of the skin that hides it."""
    skin, scale = outside(heart), fitting_scale(heart, (view,))
    palette = categories("", *_VENTRICLES)
    panel = render(heart, [(skin, skin.of_elements(heart.ventricle))], palette, view, scale)
    middle = panel.camera.centre - centre
    x, z, half = middle @ view.right, middle @ view.up, 0.5 * PANEL_PX / scale
    rgba = np.dstack([np.clip(panel.rgb, 0, 1), np.where(np.isfinite(panel.depth), 0.9, 0.0)])
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(rgba, extent=(x - half, x + half, z - half, z + half), interpolation="bilinear", zorder=2)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def _draw_electrodes(
    axes: Any, electrodes: Electrodes, on_paper: np.ndarray, shown: np.ndarray, heart: np.ndarray
) -> np.ndarray:
    """Dots, discs and names; returns (n, 2) where the names stand."""
    from matplotlib.patches import Circle
    from matplotlib.patheffects import withStroke

    labels = _apart(on_paper[shown], heart)
    for which, (x, z) in zip(shown, labels, strict=True):
        name, place = electrodes.names[which], on_paper[which]
        colour = CHEST_COLOUR if name.startswith("V") else LIMB_COLOUR
        if electrodes.uncertainty_mm is not None:
            radius = float(electrodes.uncertainty_mm[which])
            axes.add_patch(Circle(place, radius, fc=colour, ec="none", alpha=0.17, zorder=3))
            axes.add_patch(Circle(place, radius, fc="none", ec=colour, lw=1.1, alpha=0.8, zorder=4))
        axes.plot([place[0], x], [place[1], z], color=colour, lw=1.0, zorder=5)
        axes.plot(*place, "o", ms=7, mfc=colour, mec="white", mew=1.2, zorder=6)
        text = axes.text(x, z, name, ha="center", va="center", fontsize=15, weight="bold", color=colour, zorder=7)
        text.set_path_effects([withStroke(linewidth=3.5, foreground="white")])
    return labels


def _apart(places: np.ndarray, heart: np.ndarray, away_mm: float = 24.0, gap_mm: float = 27.0) -> np.ndarray:
    """(n, 2) where to write names: beside their dots, away from the heart, and no two on top of each other."""
    outward = places - heart
    labels = places + away_mm * outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    for _ in range(200):
        everything = np.concatenate([labels, places])
        apart = labels[:, None] - everything[None]
        length = np.linalg.norm(apart, axis=2)
        near = (length < gap_mm) & (length > 0.0)
        push = np.where(near, (gap_mm - length) / np.maximum(length, 1e-9), 0.0)
        push[:, len(labels) :] *= length[:, len(labels) :] < 0.8 * gap_mm
        step = 0.2 * (push[..., None] * apart).sum(axis=1)
        if np.abs(step).max() < 0.05:
            break
        labels = labels + step
    return labels


def _letters(axes: Any, view: View, half_mm: np.ndarray, reach_mm: float, taken: np.ndarray) -> None:
    """The patient's directions at the edges, clear of what is `taken` (n, 2), and a scale."""
    side = min(reach_mm + 24.0, half_mm[0] - 12.0)
    below = -0.17 * half_mm[1]  # of the chest electrodes and their names
    edges = ((side, below, view.right), (-side, below, -view.right), (0.0, half_mm[1] - 11.0, view.up))
    for x, z, direction in edges:
        letters = direction_letters(direction)
        z = z if x == 0.0 else _clear(x, z, taken)
        axes.text(x, z, letters, ha="center", va="center", fontsize=15, weight="bold", color="#30507a", zorder=8)
    if view is ANTERIOR:
        x, z = 8.0 - half_mm[0], 12.0 - half_mm[1]
        axes.plot([x, x + 50.0], [z, z], color=INK, lw=3, solid_capstyle="butt")
        axes.text(x, z + 8.0, "50 mm", fontsize=14, color=INK)


def _skin_is(electrodes: Electrodes) -> str:
    if electrodes.conductor is None:
        return "a mean adult's trunk, fitted to the electrodes"
    return f"{electrodes.conductor.whose}, which conducts to them"


def _clear(x: float, z: float, taken: np.ndarray, gap_mm: float = 30.0) -> float:
    """The height nearest to `z`, rather below than above, at which nothing that is taken is near."""
    steps = [z + sign * 4.0 * k for k in range(60) for sign in (-1.0, 1.0)]
    free = (one for one in steps if np.linalg.norm(taken - (x, one), axis=1).min() >= gap_mm)
    return next(free, z)


def _key(figure: Any, heart: Heart, electrodes: Electrodes) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    there = zip((LEFT_VENTRICLE, RIGHT_VENTRICLE), *_VENTRICLES, strict=True)
    handles: list[Any] = [
        Patch(fc=colour, ec="#444444", label=name) for tag, name, colour in there if (heart.ventricle == tag).any()
    ]
    for name, colour in (("chest electrode", CHEST_COLOUR), ("limb electrode", LIMB_COLOUR)):
        handles.append(Line2D([], [], marker="o", ls="", ms=9, mfc=colour, mec="white", label=name))
    handles.append(Patch(fc=SKIN_COLOUR, ec="#bba99c", label=_skin_is(electrodes)))
    figure.legend(handles=handles, loc="lower center", ncols=5, fontsize=13, frameon=False, bbox_to_anchor=(0.5, 0.0))
