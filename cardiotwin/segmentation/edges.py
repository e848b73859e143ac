"""Where a blurred edge lies between two samples: the contours' last step, from one millimetre to a fraction of one.

A contour found by dynamic programming sits on a grid, and at the foot of an edge rather than on it: edges beyond a
certain steepness count alike, and tissue that begins to brighten costs. And where a line of fat one or two millimetres
thin is all there is between muscle and lung, neither the steepest place nor half of the maximum is the edge: blurred,
both lie on the flank of the line, up to a millimetre inside it. So each ray is compared with what it would show were
the edge here or there, in front of a layer of fat of any thickness, at the blur that pixels, smoothing and the slant
of the surface through the slice make. The position is the mean over all of these, weighed by how well they explain
the ray; a ray that shows nothing follows its neighbours.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import special

SHIFTS_MM = np.arange(-3.0, 3.01, 0.25)
"""From the contour that is there: how far the edge may lie from it."""
LAYERS_MM = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
"""Thickness of fat beyond the epicardium."""
WINDOW_MM = np.arange(-5.0, 6.01, 1.0)
BLURS_MM = np.array([1.0, 1.4, 2.0, 2.8])
MISFIT = 0.12
"""Of the model, in contrasts between blood and muscle: trabeculae, noise, tissue that is not even."""
MOST_SHIFT_MM = 1.5
"""Standard deviation of the shift expected before looking."""
STIFFNESS = 100.0
"""Of the ring against bending, 1/mm^2: a sure ray has a precision of 10 to 40."""
LEAST_PRECISION = 0.05
"""Of the contour that was there, 1/mm^2."""


def blur_mm(pixel_mm: float, smoothing_mm: float, slope: np.ndarray, slice_mm: float) -> np.ndarray:
    """Standard deviation of the edge's spread along a ray.

    Parameters
    ----------
    pixel_mm, smoothing_mm, slice_mm : float
        Side of a pixel (a box, then read by linear interpolation), Gaussian applied since, thickness of the slice.
    slope : array
        Change of the radius per mm through the slice: a slanting surface is smeared over the slice.
    """
    return np.sqrt(pixel_mm**2 / 4 + smoothing_mm**2 + (slope * slice_mm) ** 2 / 12)


def placed(
    profiles: np.ndarray, depths_mm: np.ndarray, contour_mm: np.ndarray, blur: np.ndarray, fat: float | None
) -> np.ndarray:
    """The contour moved to its edge: (n_slices, n_rays), mm.

    Parameters
    ----------
    profiles : (n_slices, n_rays, n_depths)
        Signal along the rays; blood is 1, healthy muscle 0.
    depths_mm : (n_depths,) equidistant.
    contour_mm, blur : (n_slices, n_rays)
        Present contour; spread of an edge.
    fat : float or None
        Signal of the layer beyond the contour; None where there can be none.
    """
    where = (contour_mm[..., None] + WINDOW_MM - depths_mm[0]) / (depths_mm[1] - depths_mm[0])
    where = np.clip(where, 0, len(depths_mm) - 1.001)
    low = where.astype(int)
    below, above = (np.take_along_axis(profiles, low + one, axis=-1) for one in (0, 1))
    seen = below + (where - low) * (above - below)
    moved, precision = np.zeros(contour_mm.shape), np.zeros(contour_mm.shape)
    nearest = np.abs(blur[..., None] - BLURS_MM).argmin(axis=-1)
    for which in np.unique(nearest):
        here = nearest == which
        moved[here], precision[here] = _explained(seen[here], float(BLURS_MM[which]), fat)
    return _round_the_ring(contour_mm, moved, precision)


def _explained(seen: np.ndarray, blur: float, fat: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Shift of each of (n, n_window) rays, mm, and its precision, 1/mm^2: what the image alone says."""
    layers = (0.0, *(LAYERS_MM if fat is not None else ()))
    costs = np.empty((len(layers), len(SHIFTS_MM), len(seen)))
    for (i, layer), (j, shift) in product(enumerate(layers), enumerate(SHIFTS_MM)):
        inner, outer = (special.ndtr((WINDOW_MM - edge) / blur) for edge in (shift, shift + layer))
        levels = np.column_stack([1 - inner, outer])
        left = seen - (fat or 0.0) * (inner - outer)
        # A level is free on either side, but not without bound: 3 contrasts.
        fitted = np.linalg.solve(levels.T @ levels + np.eye(2) * (MISFIT / 3) ** 2, levels.T @ left.T)
        costs[i, j] = ((left.T - levels @ fitted) ** 2).sum(axis=0) / MISFIT**2
    costs += (SHIFTS_MM / MOST_SHIFT_MM)[:, None] ** 2
    weights = np.exp(-0.5 * (costs - costs.min(axis=(0, 1)))).sum(axis=0)
    weights /= weights.sum(axis=0)
    mean = SHIFTS_MM @ weights
    variance = (SHIFTS_MM**2) @ weights - mean**2 + 0.25**2 / 12
    # What was expected before looking is taken out again: the ring, not the old contour, is what holds a ray.
    precision = np.maximum(1 / variance - 1 / MOST_SHIFT_MM**2, 1e-3)
    return np.clip(mean / (variance * precision), SHIFTS_MM[0], SHIFTS_MM[-1]), precision


def _round_the_ring(contour_mm: np.ndarray, moved: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Contours moved and made smooth round each ring, the sure rays leading the others."""
    n_rays = moved.shape[1]
    bend = np.roll(np.eye(n_rays), 1, axis=1) + np.roll(np.eye(n_rays), -1, axis=1) - 2 * np.eye(n_rays)
    stiff = STIFFNESS * bend.T @ bend
    rings = []
    for ring, shift, sure in zip(contour_mm, moved, precision, strict=True):
        pull = sure * (ring + shift) + LEAST_PRECISION * ring
        rings.append(np.linalg.solve(stiff + np.diag(sure + LEAST_PRECISION), pull))
    return np.stack(rings)
