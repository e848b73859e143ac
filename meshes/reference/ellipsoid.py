"""Small truncated ellipsoids whose coordinates, fibres and volumes are known on paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ProlateVentricle:
    """A left ventricle between two confocal prolate spheroids, cut at the equator; base up (+z), apex at the bottom.

    In its own coordinates (mu outward, nu from pole to pole, phi around) Laplace's equation separates: the field that
    is 0 on the endocardium, 1 on the epicardium and has no flux through the base depends on mu alone.

    Attributes
    ----------
    focus_mm : float
        Distance from centre to focus.
    endocardium, epicardium : float
        Value of mu there. The default is a wall of 10 mm at the base and 7 mm at the apex.
    """

    focus_mm: float = 30.0
    endocardium: float = 0.6
    epicardium: float = 0.87

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners of a box around it, mm."""
        across, along = self.focus_mm * np.sinh(self.epicardium), self.focus_mm * np.cosh(self.epicardium)
        return np.array([-across, -across, -along]), np.array([across, across, 0.0])

    @property
    def volume_mm3(self) -> float:
        """Of the muscle."""
        halves = [2 / 3 * np.pi * np.sinh(mu) ** 2 * np.cosh(mu) for mu in (self.endocardium, self.epicardium)]
        return float(self.focus_mm**3 * (halves[1] - halves[0]))

    def surface_distances(self, points: np.ndarray) -> np.ndarray:
        """(n, 4) about the distance to epicardium, endocardium, nothing (no right ventricle) and base, mm."""
        mu, nu = self._mu_nu(points)
        scale = self.focus_mm * np.sqrt(np.sinh(mu) ** 2 + np.sin(nu) ** 2)
        nowhere = np.full(len(points), 1e3)
        return np.stack(
            [scale * (self.epicardium - mu), scale * (mu - self.endocardium), nowhere, -points[:, 2]], axis=1
        )

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(n,) level set, positive in the muscle."""
        return self.surface_distances(points).min(axis=1)

    def transmural(self, points: np.ndarray) -> np.ndarray:
        """(n,) the exact harmonic field, 0 on the endocardium and 1 on the epicardium."""
        level, inner, outer = (
            np.log(np.tanh(0.5 * mu)) for mu in (self._mu_nu(points)[0], self.endocardium, self.epicardium)
        )
        return (level - inner) / (outer - inner)

    def fibres(self, points: np.ndarray, endocardium_deg: float, epicardium_deg: float) -> np.ndarray:
        """(n, 3) fibres whose helix angle is linear in `transmural`; positive is a right-handed helix."""
        mu, nu = self._mu_nu(points)
        phi = np.arctan2(points[:, 1], points[:, 0])
        around = np.stack([-np.sin(phi), np.cos(phi), np.zeros_like(phi)], axis=1)
        out = np.sinh(mu) * np.cos(nu)
        up = np.stack([-out * np.cos(phi), -out * np.sin(phi), np.cosh(mu) * np.sin(nu)], axis=1)
        up /= np.linalg.norm(up, axis=1, keepdims=True)
        depth = self.transmural(points)
        alpha = np.radians(endocardium_deg + (epicardium_deg - endocardium_deg) * depth)[:, None]
        return np.cos(alpha) * around + np.sin(alpha) * up

    def _mu_nu(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        radius2 = points[:, 0] ** 2 + points[:, 1] ** 2
        far, near = (np.sqrt(radius2 + (points[:, 2] + sign * self.focus_mm) ** 2) for sign in (1, -1))
        mu = np.arccosh(np.maximum((far + near) / (2 * self.focus_mm), 1.0))
        return np.maximum(mu, 1e-9), np.arccos(np.clip((far - near) / (2 * self.focus_mm), -1.0, 1.0))


@dataclass(frozen=True, eq=False)
class DrawnVentricles:
    """Masks of both ventricles on short-axis slices, from base (slice 0) to apex."""

    myocardium: np.ndarray
    left_blood: np.ndarray
    right_blood: np.ndarray
    spacing_mm: np.ndarray


def drawn_ventricles(
    slice_mm: float = 8.0, pixel_mm: float = 1.5, *, right: bool = True, wall_mm: float = 8.0, right_wall: bool = False
) -> DrawnVentricles:
    """Truncated ellipsoids as a reader would contour them: a voxel belongs where its centre lies.

    The left cavity has half-axes 20, 20 and 52 mm and is cut 4 mm below its equator; the right one wraps around it.
    `right_wall` draws 3 mm of muscle around the right cavity, which contours of real patients usually lack.
    """
    heights = np.arange(0.5 * slice_mm + 4.0, 52.0 + wall_mm + slice_mm, slice_mm)
    across = np.arange(-66.0, 42.0, pixel_mm)
    z, y, x = np.meshgrid(heights, across, across, indexing="ij")

    def ellipsoid(centre_x: float, a: float, b: float, c: float) -> np.ndarray:
        return ((x - centre_x) / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1.0

    left_blood = ellipsoid(0.0, 20.0, 20.0, 52.0)
    within = ellipsoid(0.0, 20.0 + wall_mm, 20.0 + wall_mm, 52.0 + wall_mm)
    right_blood = ellipsoid(-24.0, 30.0, 28.0, 44.0) & ~within & right
    muscle = within & ~left_blood
    if right and right_wall:
        muscle |= ellipsoid(-24.0, 33.0, 31.0, 47.0) & ~within & ~right_blood
    return DrawnVentricles(muscle, left_blood, right_blood, np.array([slice_mm, pixel_mm, pixel_mm]))
