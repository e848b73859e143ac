"""From where the heart is seen, in patient coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.heart.heart import Heart
from cardiotwin.heart.locations import LeftVentricle, left_ventricle
from cardiotwin.pictures.skin import Plane

PANEL_PX = 430
"""Width and height of one view."""
CLOSE_UP = 5.0
"""How much a close-up magnifies."""


@dataclass(frozen=True, eq=False)
class View:
    """From where the heart is seen, and what is cut away.

    Attributes
    ----------
    name : str
    towards, up : (3,) float64
        Unit vectors, LPS: where the eye looks, and what is up in the picture.
    cut : Plane or None
    """

    name: str
    towards: np.ndarray
    up: np.ndarray
    cut: Plane | None = None

    @property
    def right(self) -> np.ndarray:
        """(3,) what is to the right in the picture."""
        return np.cross(self.towards, self.up)


_UP = np.array([0.0, 0.0, 1.0])
ANTERIOR = View("from the front", np.array([0.0, 1.0, 0.0]), _UP)
_OTHERS = (
    View("from the left", np.array([-1.0, 0.0, 0.0]), _UP),
    View("from the right", np.array([1.0, 0.0, 0.0]), _UP),
    View("from the back", np.array([0.0, -1.0, 0.0]), _UP),
    View("from below", np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])),
)


def views_of(heart: Heart, target: np.ndarray) -> tuple[View, ...]:
    """Four views of a place (LPS, mm): from the front, from its own side, the open ventricle, a short-axis section."""
    ventricle = left_ventricle(heart)
    out = target - ventricle.centre
    side = max(_OTHERS, key=lambda view: float(-view.towards @ out))
    return ANTERIOR, side, opened(ventricle, target), short_axis(ventricle, target)


def close_up_of(heart: Heart, target: np.ndarray) -> View:
    """The short-axis section through a target, for a window of it, magnified."""
    view = short_axis(left_ventricle(heart), target)
    return View(f"part of that section, {CLOSE_UP:g} times larger", view.towards, view.up, view.cut)


def opened(ventricle: LeftVentricle, target: np.ndarray) -> View:
    """The left ventricle cut along its long axis, seen from inside towards the target."""
    out = target - ventricle.centre
    out = out - out @ ventricle.axis * ventricle.axis
    out = ventricle.anterior if np.linalg.norm(out) < 1.0 else out / np.linalg.norm(out)
    return View("opened along the long axis, base up", out, ventricle.axis, Plane(ventricle.centre, -out))


def short_axis(ventricle: LeftVentricle, target: np.ndarray) -> View:
    """A section across the long axis through the target, as in imaging: septum left, anterior wall up."""
    return View("short axis, seen from the apex", ventricle.axis, ventricle.anterior, Plane(target, -ventricle.axis))


def direction_letters(direction: np.ndarray) -> str:
    """A direction in the patient as DICOM viewers name it: "L", "RA", ... the largest component first."""
    names = [("R", "L"), ("A", "P"), ("I", "S")]
    order = np.argsort(-np.abs(direction))
    return "".join(names[k][int(direction[k] > 0)] for k in order if abs(direction[k]) > 0.35)


@dataclass(frozen=True, eq=False)
class Camera:
    """Millimetres to pixels of one panel."""

    view: View
    centre: np.ndarray
    pixels_per_mm: float
    size: int

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) column and row in pixels, depth in mm."""
        out = points - self.centre
        column = out @ self.view.right * self.pixels_per_mm + (self.size - 1) / 2
        row = (self.size - 1) / 2 - out @ self.view.up * self.pixels_per_mm
        return np.stack([column, row, out @ self.view.towards], axis=-1)


def fitting_scale(heart: Heart, views: Sequence[View]) -> float:
    """Pixels per mm at which the heart fits every view."""
    points = heart.mesh.points - 0.5 * (heart.mesh.points.min(axis=0) + heart.mesh.points.max(axis=0))
    half_mm = max(np.abs(points @ side).max() for view in views for side in (view.up, view.right))
    return float(0.415 * PANEL_PX / half_mm)
