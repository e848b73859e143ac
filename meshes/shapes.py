"""Regions known only on a few parallel slices, made continuous.

Shape-based interpolation (Raya & Udupa 1990, doi 10.1109/42.52980): not the labels are interpolated between slices but
their signed distances, so that a contour glides from one slice to the next instead of jumping half-way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cardiotwin.meshes.side_by_side import side_by_side


@dataclass(frozen=True, eq=False)
class Stack:
    """A region drawn on parallel slices, as a level set in the frame of the stack.

    That frame has its origin at the centre of the first voxel and its axes along (slice, row, column), in mm.

    Attributes
    ----------
    distances : (n_slices, n_rows, n_columns) float32
        In-plane signed distance to the contour, mm, positive inside; meaningless where `present` is False.
    present : (n_slices,) bool
        Slices on which the region has at least one pixel.
    caps_mm : (2, n_slices) float64
        How far the region reaches beyond a slice towards the previous and the next one, where that one lacks it.
    spacing_mm : (3,) float64
        Between slices, rows and columns.
    first_slice : int
        Number of the first slice kept here; negative where slices were put before the first one.
    """

    distances: np.ndarray
    present: np.ndarray
    caps_mm: np.ndarray
    spacing_mm: np.ndarray
    first_slice: int = 0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(n,) level set at (n, 3) points of the stack frame, mm; linear between slices, round at the ends."""
        index = points / self.spacing_mm - [self.first_slice, 0, 0]
        below = np.floor(index[:, 0]).astype(np.int64)
        fraction = index[:, 0] - below
        lower = self._slice_value(below, index, fraction, side=1)
        upper = self._slice_value(below + 1, index, 1.0 - fraction, side=0)
        both = self._has(below) & self._has(below + 1)
        return np.where(both, (1.0 - fraction) * lower + fraction * upper, np.maximum(lower, upper))

    def _has(self, slices: np.ndarray) -> np.ndarray:
        inside = (slices >= 0) & (slices < len(self.present))
        return inside & self.present[np.clip(slices, 0, len(self.present) - 1)]

    def _slice_value(self, slices: np.ndarray, index: np.ndarray, away: np.ndarray, side: int) -> np.ndarray:
        """Distance on a slice, lowered by the cap where the slice on the other side of the point lacks the region."""
        n_slices = len(self.present)
        nearest = np.clip(slices, 0, n_slices - 1)
        value = ndimage.map_coordinates(
            self.distances, np.stack([nearest, index[:, 1], index[:, 2]]), order=1, mode="nearest", output=np.float64
        )
        other = slices + 1 if side else slices - 1
        capped = self._has(slices) & ~self._has(other)
        radius = np.maximum(self.distances.reshape(n_slices, -1).max(axis=1), 0.1)[nearest]
        height = np.maximum(self.caps_mm[side], 0.1)[nearest]
        depth = away * self.spacing_mm[0] / height
        dome = 1.0 - np.sqrt(np.clip(1.0 - depth**2, 0.0, None)) + np.maximum(depth - 1.0, 0.0)
        value = np.where(capped, value - radius * dome, value)
        return np.where(self._has(slices), value, -1e3)


def stack(mask: np.ndarray, spacing_mm: np.ndarray, *, smoothing_pixels: float = 0.0, clip_mm: float = np.inf) -> Stack:
    """A region from its mask.

    Parameters
    ----------
    mask : (n_slices, n_rows, n_columns) bool
    spacing_mm : (3,) between slices, rows, columns.
    smoothing_pixels : float
        Gaussian width that rounds the pixels' stairs; 0 keeps objects of a pixel or two.
    clip_mm : float
        Distances beyond it are cut off. Without it a small island ends at once where the next slice has another one
        far away; with it, half-way.
    """
    present = np.asarray(mask.any(axis=(1, 2)))
    distances = np.full(mask.shape, -1e3, np.float32)
    for k in np.flatnonzero(present):
        distances[k] = _in_plane_distance(mask[k], spacing_mm[1:], smoothing_pixels).clip(-clip_mm, clip_mm)
    return Stack(distances, present, _caps(mask, float(spacing_mm[0])), np.asarray(spacing_mm, np.float64))


def continued_before(region: Stack) -> Stack:
    """The same region, going straight on before its first slice if it is there on the first slice of the stack."""
    if not region.present.size or not region.present[0]:
        return region
    return replace(
        region,
        distances=np.concatenate([region.distances[:1], region.distances[:1], region.distances]),
        present=np.concatenate([[True, True], region.present]),
        caps_mm=np.concatenate([region.caps_mm[:, :1], region.caps_mm[:, :1], region.caps_mm], axis=1),
        first_slice=region.first_slice - 2,
    )


def signed_distance(level: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Signed distance to the zero set of a level set on an isotropic grid, mm, positive inside.

    Beside the surface it is ``level / |grad level|``; further away, the way to the nearest voxel of the other side less
    that voxel's own distance from the surface. The Euclidean transform of the mask alone ends at voxel centres: it
    knows nothing between grid points and makes walls a third of a voxel too thin.
    """
    inside = level > 0
    if inside.all() or not inside.any():
        return np.where(inside, 1e3, -1e3)
    slope = np.sqrt(sum(np.square(part) for part in np.gradient(level, spacing_mm)))
    beside = np.abs(level) / np.maximum(slope, 1e-3)

    def within(side: np.ndarray) -> np.ndarray:
        length, nearest = ndimage.distance_transform_edt(side, spacing_mm, return_indices=True)
        beyond = np.minimum(beside[tuple(nearest)], spacing_mm)
        return np.where(length > 2.5 * spacing_mm, length - beyond, np.minimum(beside, length))

    depth, height = side_by_side(lambda: within(inside), lambda: within(~inside))
    return np.where(inside, depth, -height)


def _in_plane_distance(mask: np.ndarray, spacing_mm: np.ndarray, smoothing_pixels: float) -> np.ndarray:
    """Distance to the border between pixels (half a pixel from either centre), mm."""
    half = 0.5 * float(spacing_mm.mean())
    inside = ndimage.distance_transform_edt(mask, spacing_mm)
    if mask.all():
        distance = np.full(mask.shape, float(max(mask.shape)) * half)
    else:
        outside = ndimage.distance_transform_edt(~mask, spacing_mm)
        distance = np.where(mask, inside - half, half - outside)
    return ndimage.gaussian_filter(distance, smoothing_pixels) if smoothing_pixels else distance


def _caps(mask: np.ndarray, gap_mm: float) -> np.ndarray:
    """(2, n_slices) heights of the domes beyond each slice.

    The area of a rounded end falls linearly with height (a paraboloid), so the last two areas say where it ends: at
    ``last / (last but one - last)`` slices further, but before the next slice, which would otherwise have shown it.
    """
    area = mask.sum(axis=(1, 2)).astype(np.float64)
    caps = np.full((2, len(area)), 0.5 * gap_mm)
    for side, step in ((0, 1), (1, -1)):  # the cap towards the previous slice looks at the next one, and vice versa
        for k in np.flatnonzero(area):
            inner = area[k + step] if 0 <= k + step < len(area) else 0.0
            if inner > area[k]:
                caps[side, k] = gap_mm * np.clip(area[k] / (inner - area[k]), 0.25, 1.0)
    return caps
