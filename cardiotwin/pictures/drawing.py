"""A picture on paper: its views, the patient's directions, a scale, a key."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from cardiotwin.heart.heart import Heart
from cardiotwin.pictures.camera import CLOSE_UP, PANEL_PX, View, close_up_of, direction_letters, fitting_scale, views_of
from cardiotwin.pictures.content import INK, Marker, Picture
from cardiotwin.pictures.render import Panel, render
from cardiotwin.pictures.skin import Skin, outlines, section

SIZE_PX = (2010, 560)
"""Width and height of every picture."""
_DPI = 100
_STROKE_MM = 2.2
MANY = 20
"""Markers of one kind beyond which those that are hidden are left out."""


def draw(heart: Heart, skin: Skin, picture: Picture) -> bytes:
    """One picture as PNG, `SIZE_PX` wide and high; `skin` is the whole surface of the heart."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE_PX[0] / _DPI, SIZE_PX[1] / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.01, 0.93, picture.title, fontsize=19, weight="bold", color=INK, parse_math=False)
    figure.text(0.01, 0.882, _legend(picture.markers), fontsize=13, color=INK)
    views = views_of(heart, picture.target)
    scale = fitting_scale(heart, views)
    if picture.close_up:
        views = (views[0], *views[2:], close_up_of(heart, picture.target))
    width, height = PANEL_PX / SIZE_PX[0], PANEL_PX / SIZE_PX[1]
    for place, view in enumerate(views):
        axes = figure.add_axes((0.002 + place * width, 0.09, width, height))
        _view(axes, heart, skin, picture, view, scale, magnified=picture.close_up and place == len(views) - 1)
        if place == 0:
            scale_bar(axes, scale)
    _key(figure, picture)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": "CardioTwin"})
    return buffer.getvalue()


def _view(axes: Any, heart: Heart, skin: Skin, picture: Picture, view: View, scale: float, *, magnified: bool) -> None:
    """One view with its strokes and markers; magnified: around the target, with the elements' outlines."""
    cut = [] if view.cut is None else [section(heart, view.cut)]
    skins = [skin, *cut]
    painted = [(one, picture.values(one)) for one in skins]
    middle = _middle_of_wall(heart, cut[0], picture.target) if magnified else None
    scale = scale * CLOSE_UP if magnified else scale
    panel = render(heart, painted, picture.palette, view, scale, middle)
    _show(axes, panel)
    if picture.fibres:
        _strokes(axes, heart, panel, skins)
    if magnified:
        _elements(axes, heart, panel, cut[0])
        scale_bar(axes, scale, 5.0)
    mark(axes, panel, picture.markers)


def _middle_of_wall(heart: Heart, face: Skin, target: np.ndarray) -> np.ndarray:
    """(3,) of the face of a cut, the place in muscle nearest to a target that may lie in a cavity."""
    centres = face.at_corners(heart.mesh.points).mean(axis=1)
    return centres[np.argmin(np.linalg.norm(centres - target, axis=1))] if len(centres) else target


def _elements(axes: Any, heart: Heart, panel: Panel, face: Skin) -> None:
    """Outlines of the elements in the face of a cut."""
    from matplotlib.collections import LineCollection

    lines = panel.camera.project(outlines(face, heart.mesh.points))[..., :2]
    inside = ((lines > -20) & (lines < PANEL_PX + 20)).all(axis=(1, 2))
    axes.add_collection(LineCollection(list(lines[inside]), colors="#1a1a1a", linewidths=0.7))


_PLURALS = {"*": "stars", "D": "diamonds", "o": "circles"}


def _legend(markers: Sequence[Marker]) -> str:
    """What the key has no place for: why the same marker is filled here and hollow there, and the letters."""
    hollow, absent = (
        " and ".join(_PLURALS[marker.shape] for marker in markers if (len(marker.positions) > MANY) == many)
        for many in (False, True)
    )
    told = [f"{hollow} are filled on what a view shows, hollow where it hides them" if hollow else ""]
    told += [f"{absent} are left out where it does" if absent else ""]
    sentences = "; ".join(part for part in told if part)
    start = f"{sentences[0].upper()}{sentences[1:]}. " if sentences else ""
    return start + "The patient's A front, P back, L left, R right, S head, I feet."


def _show(axes: Any, panel: Panel) -> None:
    """The rendered view, its name below, and the patient's directions at its edges."""
    view, edge = panel.camera.view, PANEL_PX - 1
    axes.imshow(panel.rgb, interpolation="nearest", extent=(-0.5, edge + 0.5, edge + 0.5, -0.5))
    name_view(axes, view)


def name_view(axes: Any, view: View) -> None:
    """Its name below it, and the patient's directions at its edges."""
    from matplotlib.patheffects import withStroke

    edge = PANEL_PX - 1
    axes.set_axis_off()
    for x, y, direction in (
        (edge - 20, edge / 2, view.right),
        (20, edge / 2, -view.right),
        (edge / 2, 12, view.up),
        (edge / 2, edge - 8, -view.up),
    ):
        letters = direction_letters(direction)
        text = axes.text(x, y, letters, ha="center", va="center", fontsize=14, weight="bold", color="#30507a", zorder=6)
        text.set_path_effects([withStroke(linewidth=3, foreground="white")])
    axes.text(edge / 2, edge + 24, view.name, ha="center", va="center", fontsize=15, color=INK)
    axes.set_clip_on(False)


def _strokes(axes: Any, heart: Heart, panel: Panel, skins: Sequence[Skin], every_px: int = 9) -> None:
    """The fibres of elements that can be seen, evenly spread over the view."""
    from matplotlib.collections import LineCollection

    cut = panel.camera.view.cut
    centres = np.concatenate([skin.at_corners(heart.mesh.points).mean(axis=1) for skin in skins])
    fibres = heart.fibres[np.concatenate([skin.element for skin in skins])]
    seen = panel.sees(centres, tolerance_mm=0.8)
    if cut is not None:
        seen &= cut.beyond(centres) <= 1e-6
    centres, fibres = centres[seen], fibres[seen]
    place = panel.camera.project(centres)[:, :2]
    _, first = np.unique((place // every_px).astype(int), axis=0, return_index=True)
    ends = [panel.camera.project(centres[first] + side * _STROKE_MM * fibres[first])[:, :2] for side in (-0.5, 0.5)]
    axes.add_collection(LineCollection(list(np.stack(ends, axis=1)), colors="#1a1a1a", linewidths=1.0, alpha=0.85))


def mark(axes: Any, panel: Panel, markers: Sequence[Marker]) -> None:
    """Markers filled where they can be seen, outlined where the heart hides them; of many, only those seen."""
    for marker in markers:
        place = panel.camera.project(marker.positions)
        sizes = np.broadcast_to(marker.sizes, len(place))
        seen = panel.sees(marker.positions, tolerance_mm=4.0)
        cut = panel.camera.view.cut
        gone = np.zeros(len(place), bool) if cut is None else cut.beyond(marker.positions) > 2.0
        edge = "#ffffff" if marker.colour == "#101010" else "#202020"
        if len(place) > MANY:
            gone |= ~seen
        for which, style in (
            (seen & ~gone, {"c": marker.colour, "edgecolors": edge, "linewidths": 1.0}),
            (~seen & ~gone, {"c": "none", "edgecolors": "#202020", "linewidths": 1.2, "alpha": 0.6}),
        ):
            axes.scatter(place[which, 0], place[which, 1], s=sizes[which], marker=marker.shape, zorder=5, **style)
    axes.set_xlim(-0.5, PANEL_PX - 0.5)
    axes.set_ylim(PANEL_PX - 0.5, -0.5)


def scale_bar(axes: Any, scale: float, length_mm: float = 20.0) -> None:
    """A line of so many mm in the lower left corner of a view."""
    axes.plot([14, 14 + length_mm * scale], [PANEL_PX - 16] * 2, color=INK, lw=2.5, solid_capstyle="butt")
    axes.text(14, PANEL_PX - 26, f"{length_mm:g} mm", fontsize=14, color=INK)


def _key(figure: Any, picture: Picture) -> None:
    """What the colours and markers mean, on the right."""
    from matplotlib.colorbar import ColorbarBase
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    palette = picture.palette
    left = 0.868
    patches: list[Any] = [
        Patch(fc=c, ec="#444444", label=n) for n, c in zip(palette.names, palette.colours, strict=False)
    ]
    if palette.missing:
        patches.append(Patch(fc=palette.missing_colour, ec="#444444", label=palette.missing))
    for marker in picture.markers:
        look: dict[str, Any] = {"marker": marker.shape, "mfc": marker.colour, "mec": "#202020", "ms": 11, "ls": ""}
        patches.append(Line2D([], [], label=marker.name, **look))
    if not palette.names:
        axes = figure.add_axes((left, 0.34, 0.012, 0.53))
        norm = BoundaryNorm(palette.edges, len(palette.colours))
        bar = ColorbarBase(
            axes, cmap=ListedColormap(palette.colours), norm=norm, ticks=palette.edges.tolist(), spacing="proportional"
        )
        bar.ax.tick_params(labelsize=14)
        if not palette.upward:
            bar.ax.invert_yaxis()
    title = palette.title if palette.names or palette.upward else f"{palette.title}\n(early on top)"
    figure.text(left, 0.905, title, fontsize=14, color=INK, va="bottom", linespacing=1.1)
    figure.text(left, 0.31, "\n".join(picture.figures), fontsize=13, color=INK, va="top", linespacing=1.35)
    if patches:
        for patch in patches:
            patch.set_label(_wrapped(patch.get_label()))
        where = (left - 0.006, 0.89 if palette.names else 0.32)
        figure.legend(
            handles=patches, loc="upper left", bbox_to_anchor=where, fontsize=14, frameon=False, labelspacing=0.7
        )


def _wrapped(text: str, width: int = 18) -> str:
    return "\n".join(textwrap.wrap(text, width))
