"""The circle in each slice that blood fills and dark wall bounds, along one line or near one smooth cavity.

Dense scar can be as bright as blood. No edge then tells the cavity from the wall, and what is seen is a blood pool that
bulges to the epicardium. But healthy muscle is dark and hangs on the wall: it never lies inside the cavity, while scar
may well lie outside it. So a circle gains by every millimetre of its rim that has a wall behind it, dark and with a
far side. It loses where it cuts into muscle, and where a wall lies farther out: there the bright between was blood, as
trabeculae are full of. It loses nothing by brightness beyond it that no wall follows. Papillary muscles, with blood
behind them, count for nothing. Slices in which scar takes most of the rim are led by the others: where enough slices
have a rim, circles are held near those of one smooth cavity, straight and tapering (`tapering_cavity`).

Measured on phantoms with scar 1.0 and 1.25 times as bright as blood, and on one real stack, on which a `CUT_MM` of 1
takes trabeculae for the wall (1.5 and 2 do not); to count all muscle inside the circle, papillary or not, does too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cardiotwin.segmentation.locate import best_path
from cardiotwin.segmentation.tapering import Cavity, tapering_cavity

GRID_MM = 2.0
N_RAYS = 32
ANGLES = 2 * np.pi * np.arange(N_RAYS) / N_RAYS
DEPTHS_MM = np.arange(0.5, 70.0, 1.0)
RADII_MM = np.arange(3.0, 46.0, 1.0)
REACH_MM = 12.0
"""How far from where the search begins a centre may lie: a bulge to the epicardium draws it there by half a wall."""
CUT_MM = 1.5
"""Muscle that hangs on the wall and lies inside the circle, which undoes a rim: half a usual voxel and its blur."""
DARK = 0.4
"""Signal, with blood at 1 and healthy muscle at 0, below which there is muscle: half a voxel of it, and no scar."""
LUNG = 0.1
"""Worth of a rim behind which it is dark without end: healthy wall against lung, but as often scar against lung."""
FAR_SIDE = 0.35
"""Signal that ends a wall: fat, or the blood of the right ventricle."""
THINNEST_MM, THICKEST_MM = 5.0, 18.0
"""Of a wall with a far side. The right ventricle's is thinner."""
BEYOND_MM = 3
"""A wall nearer than this behind the circle is the circle's own, blurred."""
AWAY, AWAY_MM = 0.1, 3.0
"""Cost of a circle this far from the smooth cavity's, in its place or its radius."""
LEAST_RIMS = 0.5
"""Whole rims that a smooth cavity must gather to lead: phantoms with septal scar as bright as blood have 0.7 to 1.5,
others 1 to 4; one real stack, trabeculated, has 0.25 and is better off without."""
USUAL_RADIUS_MM = 15.0
"""A whole rim of this radius has merit 1; what leaves the line costs 0.1 (`best_path`)."""


@dataclass(frozen=True, eq=False)
class Circles:
    """One circle in each slice.

    Attributes
    ----------
    centres : (n_slices, 2) float64
        Row and column, pixels.
    radii_mm : (n_slices,) float64
    smooth : bool
        Whether one smooth cavity led to them.
    """

    centres: np.ndarray
    radii_mm: np.ndarray
    smooth: bool

    def seen_from(self, centres: np.ndarray, angles: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
        """(n_slices, n_rays) distance from other centres, pixels, to the circles, mm; infinite from outside one.

        The smallest circles tried stand for none, beyond the apex: to them it is infinite too. Angles run from the
        column axis towards the row axis; spacing is between columns, rows, slices.
        """
        down, across = ((self.centres - centres) * spacing_mm[1::-1]).T[..., None]
        ahead = down * np.sin(angles) + across * np.cos(angles)
        within = self.radii_mm[:, None] ** 2 - down**2 - across**2
        there = (within > 0) & (self.radii_mm[:, None] > RADII_MM[0])
        return np.where(there, ahead + np.sqrt(np.maximum(within + ahead**2, 0)), np.inf)


def inscribed(
    signal: np.ndarray, centres: np.ndarray, spacing_mm: np.ndarray, depths_mm: np.ndarray | None = None
) -> Circles:
    """Best circles: along one line or, where enough rims belong to one smooth cavity, near that one's in every slice.

    Parameters
    ----------
    signal : (n_slices, n_rows, n_columns)
        1 is blood, 0 normal myocardium.
    centres : (n_slices, 2)
        Row and column where the search begins, pixels.
    spacing_mm : (3,) between columns, rows, slices.
    depths_mm : (n_slices,), optional
        Of the slices, towards the apex; a smooth cavity is looked for only where they are given.
    """
    pixel = spacing_mm[1::-1]
    begin = centres * pixel
    low, high = begin.min(axis=0) - REACH_MM, begin.max(axis=0) + REACH_MM
    rows, columns = (np.arange(a, b + GRID_MM, GRID_MM) for a, b in zip(low, high, strict=True))
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    merit = np.full((len(signal), len(RADII_MM), len(rows), len(columns)), -10.0, np.float32)
    for k, plane in enumerate(signal):
        near = np.linalg.norm(places - begin[k], axis=-1) <= REACH_MM
        merit[k][:, near] = circle_merit(plane, places[near], pixel).T
    cavity = _smooth_cavity(merit, depths_mm)
    if cavity is None:
        radius, row, column = best_path(merit, spacing_mm[2] / GRID_MM)
    else:
        # No line: it tapers by 3 mm from slice to slice of 8 mm, and a round apex by 7.
        best = (merit - _away(cavity, places - low)).reshape(len(merit), -1).argmax(axis=1)
        radius, row, column = np.unravel_index(best, merit.shape[1:])
    return Circles(np.stack([rows[row], columns[column]], axis=1) / pixel, RADII_MM[radius], cavity is not None)


def _smooth_cavity(merit: np.ndarray, depths_mm: np.ndarray | None) -> Cavity | None:
    """That of most merit, if enough rims belong to it."""
    if depths_mm is None:
        return None
    cavity = tapering_cavity(merit, RADII_MM, GRID_MM, depths_mm)
    return cavity if cavity.merit * USUAL_RADIUS_MM >= LEAST_RIMS * cavity.radii_mm.max() else None


def _away(cavity: Cavity, places: np.ndarray) -> np.ndarray:
    """(n_slices, n_radii, n_rows, n_columns) cost of every circle's distance from the cavity's."""
    aside = ((places - cavity.centres_mm[:, None, None]) ** 2).sum(axis=-1)[:, None]
    return AWAY * (aside + (RADII_MM - cavity.radii_mm[:, None])[..., None, None] ** 2) / AWAY_MM**2


def circle_merit(plane: np.ndarray, places_mm: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Merit of `RADII_MM` around each of (n, 2) places, rows and columns in mm: (n, n_radii); 1 is a good ventricle."""
    rays = np.stack([np.sin(ANGLES), np.cos(ANGLES)])[..., None] * DEPTHS_MM
    where = (places_mm.T[:, :, None, None] + rays[:, None]) / pixel[:, None, None, None]
    u = ndimage.map_coordinates(plane, where, order=1, mode="nearest")
    rim = _rim(u)
    walled = rim * _has_far_side(u)
    muscle = _cut_into(np.clip((DARK - u) / 0.2, 0, 1))[..., RADII_MM.astype(int) - 1]
    lost = (1 - walled) * _farther_out(walled)
    return (RADII_MM * (np.maximum(walled, LUNG * rim) - lost - muscle / CUT_MM)).mean(axis=1) / USUAL_RADIUS_MM


def _rim(u: np.ndarray) -> np.ndarray:
    """(..., n_radii) step down from blood, over 3 mm, to dark wall, over the 3 mm that follow the blur: 0 to 1."""
    sums = np.concatenate([np.zeros((*u.shape[:-1], 1)), np.cumsum(u, axis=-1)], axis=-1)
    radii = RADII_MM.astype(int)
    within = (sums[..., radii] - sums[..., radii - 3]) / 3
    behind = (sums[..., radii + 4] - sums[..., radii + 1]) / 3
    step = np.clip((within - behind) / 0.6, 0, 1) * np.clip((within - DARK) / 0.2, 0, 1)
    return step * np.clip((0.6 - behind) / 0.2, 0, 1)


def _has_far_side(u: np.ndarray) -> np.ndarray:
    """(..., n_radii) bool: the dark that begins at a radius ends after as much as a wall is thick."""
    ends = np.where(u > FAR_SIDE, DEPTHS_MM, np.inf)
    ends = np.minimum.accumulate(ends[..., ::-1], axis=-1)[..., ::-1]
    thick = ends[..., (RADII_MM + 3).astype(int)] - RADII_MM
    return (thick >= THINNEST_MM) & (thick < THICKEST_MM)


def _farther_out(walled: np.ndarray) -> np.ndarray:
    """Most of a walled rim farther out, up to one wall's thickness more: then what lies between was blood."""
    reach = int(THICKEST_MM) + 1
    padded = np.pad(walled, ((0, 0), (0, 0), (0, reach + BEYOND_MM)))
    most = ndimage.maximum_filter1d(padded, reach, axis=-1, origin=-(reach // 2))
    return most[..., BEYOND_MM : BEYOND_MM + walled.shape[-1]]


def _cut_into(dark: np.ndarray) -> np.ndarray:
    """How far the dark reaches inwards from every depth without a gap, mm: papillary muscle has blood behind it."""
    run = np.zeros_like(dark)
    run[..., 0] = dark[..., 0]
    for j in range(1, dark.shape[-1]):
        run[..., j] = dark[..., j] * (1.0 + run[..., j - 1])
    return run
