"""The heart as coloured pixels.

Drawn by a depth buffer of our own (`kernels/raster.py`). VTK would need a graphics driver, which a bare hospital or
cluster machine lacks and whose absence ends the process; this way a picture is the same, bit for bit, everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.heart.heart import Heart
from cardiotwin.kernels.raster import draw_triangles
from cardiotwin.pictures.camera import PANEL_PX, Camera, View
from cardiotwin.pictures.palette import Palette
from cardiotwin.pictures.skin import Skin

_FINER = 2
"""Pixels computed per pixel shown, along each side."""
OUTLINE = 0.45
ISOCHRONE = 0.6


@dataclass(frozen=True, eq=False)
class Panel:
    """One rendered view: colours, and depth to tell what lies behind."""

    camera: Camera
    rgb: np.ndarray
    depth: np.ndarray

    def sees(self, points: np.ndarray, tolerance_mm: float = 1.5) -> np.ndarray:
        """(n,) bool: nothing lies in front of these points."""
        column, row, depth = self.camera.project(points).T
        inside = (column >= 0) & (row >= 0) & (column < self.camera.size - 0.5) & (row < self.camera.size - 0.5)
        c, r = (np.clip(np.rint(x), 0, self.camera.size - 1).astype(int) for x in (column, row))
        return inside & (depth <= self.depth[r, c] + tolerance_mm)


@dataclass(frozen=True, eq=False)
class Trace:
    """What lies at each pixel of a view, `_FINER` times as fine as it is shown, before it has a colour."""

    camera: Camera
    value: np.ndarray
    shade: np.ndarray
    depth: np.ndarray


def trace(
    heart: Heart,
    skins: Sequence[tuple[Skin, np.ndarray]],
    view: View,
    scale: float,
    centre: np.ndarray | None = None,
) -> Trace:
    """Draw triangles with a value at each corner, `scale` pixels per mm; in the middle `centre`, or the heart's own."""
    if centre is None:
        centre = 0.5 * (heart.mesh.points.min(axis=0) + heart.mesh.points.max(axis=0))
    camera = Camera(view, centre, scale * _FINER, PANEL_PX * _FINER)
    depth = np.full((camera.size, camera.size), np.inf)
    value, shade = np.full(depth.shape, np.nan), np.ones(depth.shape)
    lamp = 0.86 * -view.towards + 0.42 * view.up - 0.28 * view.right
    for skin, values in skins:
        points = skin.at_corners(heart.mesh.points)
        light = 0.52 + 0.48 * np.abs(skin.normals @ lamp)
        # The face of the cut itself lies on the plane and must not be cut by rounding.
        whole = view.cut is None or skin.fraction.any()
        beyond = np.full(values.shape, -1.0) if whole or view.cut is None else view.cut.beyond(points)
        draw_triangles(camera.project(points), values.astype(float), light, beyond, depth, value, shade)
    return Trace(camera, value, np.clip(shade, 0, 1), depth)


def render(
    heart: Heart,
    skins: Sequence[tuple[Skin, np.ndarray]],
    palette: Palette,
    view: View,
    scale: float,
    centre: np.ndarray | None = None,
) -> Panel:
    """As `trace`, in the colours of a palette, a line where one band ends and the next begins."""
    traced = trace(heart, skins, view, scale, centre)
    depth = traced.depth
    drawn = np.isfinite(depth)
    rgb, band = np.ones((*depth.shape, 3), np.float32), np.full(depth.shape, -2)
    rgb[drawn], band[drawn] = palette.paint(traced.value[drawn])
    rgb[drawn] *= traced.shade[drawn][:, None]
    rgb[_edges(band, drawn) & drawn] *= ISOCHRONE if not palette.names else 0.85
    rgb[steps(depth)] *= OUTLINE
    return shown(traced, rgb)


def shown(traced: Trace, rgb: np.ndarray) -> Panel:
    """A view as it is shown, from colours (..., 3) of its finer pixels."""
    coarse = 0.25 * (rgb[::2, ::2] + rgb[1::2, ::2] + rgb[::2, 1::2] + rgb[1::2, 1::2])
    camera = traced.camera
    smaller = Camera(camera.view, camera.centre, camera.pixels_per_mm / _FINER, PANEL_PX)
    return Panel(smaller, coarse, traced.depth[::_FINER, ::_FINER])


def _edges(band: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Where the band changes to the right or below."""
    found = np.zeros(band.shape, bool)
    found[:, :-1] |= (band[:, :-1] != band[:, 1:]) & drawn[:, :-1] & drawn[:, 1:]
    found[:-1] |= (band[:-1] != band[1:]) & drawn[:-1] & drawn[1:]
    return found


def steps(depth: np.ndarray, step_mm: float = 4.0) -> np.ndarray:
    """Where something ends in front of something farther, on the nearer side."""
    far = np.where(np.isfinite(depth), depth, 1e6)
    found = np.zeros(depth.shape, bool)
    down, right = np.diff(far, axis=0), np.diff(far, axis=1)
    found[:-1] |= down > step_mm
    found[1:] |= down < -step_mm
    found[:, :-1] |= right > step_mm
    found[:, 1:] |= right < -step_mm
    return found
