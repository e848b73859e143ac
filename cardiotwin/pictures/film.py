"""A circuit as a film: one turn, slowed down, that begins again without a seam."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import binary_erosion

from cardiotwin.heart.heart import Heart
from cardiotwin.induction.reentry import Circuit
from cardiotwin.pictures.camera import PANEL_PX, View, fitting_scale, views_of
from cardiotwin.pictures.content import INK, Marker
from cardiotwin.pictures.drawing import mark, name_view, scale_bar
from cardiotwin.pictures.palette import WAVE_FADES_IN, wave_colours
from cardiotwin.pictures.render import OUTLINE, Trace, shown, steps, trace
from cardiotwin.pictures.skin import Skin, section

FRAMES = 40
"""Of one turn."""
FRAME_MS = 80
"""For which each is shown: a turn of 320 ms takes ten times as long."""

FILM_PX = (1480, 500)
"""Width and height."""

_TOP, _KEY = 30, 3 * PANEL_PX + 24
"""Where the views begin, from above, and the key, from the left; pixels."""
_LEVELS = 256
"""Moments of a cycle that colours tell apart."""
_SILENT = np.array([0.62, 0.62, 0.62])
"""Tissue that the wave never reaches."""
_ISTHMUS_COLOUR = "#00a5b8"
_LESION_COLOUR = "#ff7bf2"
"""Brighter than in other pictures: it lies on dark tissue."""
_LINE_PX = 3
_DPI = 100


@dataclass(frozen=True, eq=False)
class _Wave:
    """Pixels of a picture that change, and the rest of it.

    A pixel is what stays plus its weight times a colour by how long ago the wave passed: light, lines and the soft
    edges of shapes and words are worked out once, not in each frame.

    Attributes
    ----------
    still : (height, width, 3) float32
    weight : (height, width) float32
    level : (height, width) int32
        Phase in `_LEVELS`; `_LEVELS` itself where the wave never passes.
    """

    still: np.ndarray
    weight: np.ndarray
    level: np.ndarray

    def frames(self, colours: np.ndarray) -> Iterator[np.ndarray]:
        """`colours`: (_LEVELS + 1, 3), by how long ago, the last for never; (height, width, 3) float32 each."""
        changing = self.weight > 0
        level, weight, still = self.level[changing], self.weight[changing][:, None], self.still[changing]
        for frame in range(FRAMES):
            ago = np.where(level == _LEVELS, _LEVELS, (frame * _LEVELS // FRAMES - level) % _LEVELS)
            picture = self.still.copy()
            picture[changing] = still + weight * colours[ago]
            yield picture


def circuit_film(heart: Heart, skin: Skin, circuit: Circuit, lesions: np.ndarray) -> bytes:
    """One turn as an animated WebP, `FRAMES` frames of `FILM_PX`, looping.

    From the circuit's own side, into the opened ventricle, and in a short-axis section: isthmus and lesions
    outlined, a star where the wave exits.

    Parameters
    ----------
    heart : Heart
    skin : Skin
        The whole surface of the heart.
    circuit : Circuit
    lesions : (n_tets,) bool
        Outlined; none where there is no plan to show.
    """
    from PIL import Image

    images = [Image.fromarray(one) for one in film_frames(heart, skin, circuit, lesions)]
    buffer = io.BytesIO()
    images[0].save(
        buffer, "WEBP", save_all=True, append_images=images[1:], duration=FRAME_MS, loop=0, quality=60, method=3
    )
    return buffer.getvalue()


def film_frames(heart: Heart, skin: Skin, circuit: Circuit, lesions: np.ndarray) -> Iterator[np.ndarray]:
    """The frames of `circuit_film`, each (height, width, 3) uint8."""
    views = views_of(heart, circuit.isthmus_mm)
    scale = fitting_scale(heart, views)
    traced = [_traced(heart, skin, circuit, view, scale) for view in views[1:]]
    over = _overlay(circuit, traced, scale, bool(lesions.any())).astype(np.float32) / 255.0
    parts = [_wave(heart, skin, circuit, lesions, one, scale) for one in traced]
    wave = _under(over, _side_by_side(parts))
    colours = np.concatenate([wave_colours(_LEVELS), _SILENT[None]]).astype(np.float32)
    for frame, picture in enumerate(wave.frames(colours)):
        _clock(picture, frame)
        yield np.rint(255 * picture).astype(np.uint8)


def _skins(heart: Heart, skin: Skin, view: View) -> list[Skin]:
    return [skin] if view.cut is None else [skin, section(heart, view.cut)]


def _traced(heart: Heart, skin: Skin, circuit: Circuit, view: View, scale: float) -> Trace:
    """One view of the phase, ms."""
    phase_ms = circuit.phase_ms.astype(float)
    skins = _skins(heart, skin, view)
    phases = [(one, one.at_corners_of_cycle(phase_ms, circuit.cycle_length_ms)) for one in skins]
    return trace(heart, phases, view, scale)


def _wave(heart: Heart, skin: Skin, circuit: Circuit, lesions: np.ndarray, traced: Trace, scale: float) -> _Wave:
    """One view, its lines over it."""
    drawn = np.isfinite(traced.depth)
    turn = traced.value / circuit.cycle_length_ms % 1.0
    level = np.where(np.isfinite(turn), np.floor(_LEVELS * np.nan_to_num(turn)), _LEVELS).astype(np.int32)
    weight = np.where(drawn, traced.shade * np.where(steps(traced.depth), OUTLINE, 1.0), 0.0).astype(np.float32)
    still = np.repeat(np.where(drawn, 0.0, 1.0).astype(np.float32)[..., None], 3, axis=2)
    isthmus = np.zeros(len(heart.mesh.points))
    isthmus[circuit.isthmus_nodes] = 1.0
    view = traced.camera.view
    skins = _skins(heart, skin, view)
    for mask, colour in (
        ([(one, one.of_elements(lesions)) for one in skins], _LESION_COLOUR),
        ([(one, one.at_corners(isthmus)) for one in skins], _ISTHMUS_COLOUR),
    ):
        line = _border(trace(heart, mask, view, scale).value > 0.5)
        weight[line], still[line] = 0.0, _rgb(colour)
    quarters = [(slice(i, None, 2), slice(j, None, 2)) for i in (0, 1) for j in (0, 1)]
    # Of the four finer pixels one that shows tissue tells the phase: between phases there is no mean.
    first = np.argmax([drawn[one] for one in quarters], axis=0)
    chosen = np.choose(first, [level[one] for one in quarters])
    mean_weight = np.mean([weight[one] for one in quarters], axis=0)
    return _Wave(np.mean([still[one] for one in quarters], axis=0), mean_weight, chosen)


def _side_by_side(parts: list[_Wave]) -> _Wave:
    """On a white page of `FILM_PX`."""
    width, height = FILM_PX
    still, weight = np.ones((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    level = np.zeros((height, width), np.int32)
    for place, part in enumerate(parts):
        here = slice(_TOP, _TOP + PANEL_PX), slice(place * PANEL_PX, (place + 1) * PANEL_PX)
        still[here], weight[here], level[here] = part.still, part.weight, part.level
    return _Wave(still, weight, level)


def _under(over: np.ndarray, wave: _Wave) -> _Wave:
    """With words and marks, (height, width, 4) from 0 to 1, on top."""
    shows = 1.0 - over[..., 3]
    return _Wave(wave.still * shows[..., None] + over[..., :3] * over[..., 3:], wave.weight * shows, wave.level)


def _border(region: np.ndarray) -> np.ndarray:
    return region & ~binary_erosion(region, iterations=_LINE_PX)


def _clock(canvas: np.ndarray, frame: int) -> None:
    """A bar that fills in the course of a turn; its frame and words are part of the overlay."""
    left, top, width, height = _CLOCK
    canvas[top : top + height, left : left + round(width * (frame + 1) / FRAMES)] = _rgb("#8e3563")


_CLOCK = (_KEY, 400, 140, 10)
"""Left, top, width and height; pixels."""


def _overlay(circuit: Circuit, traced: list[Trace], scale: float, ablated: bool) -> np.ndarray:
    """(height, width, 4) uint8: all words, marks and keys, on nothing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = FILM_PX
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="none")
    canvas = FigureCanvasAgg(figure)
    for place, one in enumerate(traced):
        panel = shown(one, np.ones((*one.depth.shape, 3), np.float32))
        box = (place * PANEL_PX / width, 1 - (_TOP + PANEL_PX) / height, PANEL_PX / width, PANEL_PX / height)
        axes = figure.add_axes(box)
        axes.patch.set_alpha(0.0)
        name_view(axes, panel.camera.view)
        mark(axes, panel, _markers(circuit))
        if place == 0:
            scale_bar(axes, scale)
    _words(figure, circuit, ablated)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def _markers(circuit: Circuit) -> tuple[Marker, ...]:
    return (Marker("where the wave exits", circuit.exit_mm[None], "#101010", "*", 130.0),)


def _words(figure: Any, circuit: Circuit, ablated: bool) -> None:
    """Key and clock, to the right of the views."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle

    width, height = FILM_PX
    left, faded_ms = _KEY / width, WAVE_FADES_IN * circuit.cycle_length_ms
    figure.text(left, 0.965, "since the wave\npassed, ms", fontsize=12, color=INK, va="top")
    axes = figure.add_axes((left, 0.55, 0.012, 0.32))
    colours = ListedColormap(wave_colours(_LEVELS)[: int(WAVE_FADES_IN * _LEVELS)])
    bar = figure.colorbar(ScalarMappable(Normalize(0, faded_ms), colours), cax=axes, ticks=np.linspace(0, faded_ms, 4))
    bar.ax.set_yticklabels(
        [f"{tick:.0f}" for tick in np.linspace(0, faded_ms, 3 + 1)[:-1]] + [f"{faded_ms:.0f} or more"]
    )
    bar.ax.tick_params(labelsize=11)
    bar.ax.invert_yaxis()
    keys: list[Any] = [
        Patch(fc=_SILENT, ec="#444444", label="not activated"),
        Patch(fc="none", ec=_ISTHMUS_COLOUR, lw=2.5, label="isthmus"),
        Line2D([], [], marker="*", ms=12, mfc="#101010", mec="#202020", ls="", label="exit"),
    ]
    if ablated:
        keys.insert(2, Patch(fc="none", ec=_LESION_COLOUR, lw=2.5, label="preferred plan"))
    figure.legend(handles=keys, loc="upper left", bbox_to_anchor=(left - 0.008, 0.53), fontsize=11, frameon=False)
    x, y, wide, high = _CLOCK
    frame = Rectangle((x / width, 1 - (y + high) / height), wide / width, high / height, fill=False, ec=INK, lw=1.0)
    figure.add_artist(frame)
    figure.text(
        x / width,
        1 - (y + 18) / height,
        f"one turn: {circuit.cycle_length_ms:.0f} ms",
        fontsize=12,
        color=INK,
        va="top",
    )
    slower = FRAMES * FRAME_MS / circuit.cycle_length_ms
    figure.text(x / width, 1 - (y + 40) / height, f"{slower:.0f} times slower", fontsize=12, color=INK, va="top")


def _rgb(colour: str) -> np.ndarray:
    from matplotlib.colors import to_rgb

    return np.array(to_rgb(colour), np.float32)
