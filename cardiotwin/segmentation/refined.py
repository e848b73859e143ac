"""Labels on thick slices, made continuous: shape-based interpolation in which small structures keep their volume."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cardiotwin.errors import SettingsError
from cardiotwin.meshes.shapes import stack
from cardiotwin.segmentation.labels import BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, RV_BLOOD, Segmentation

CLIP_PIXELS = 2.0
"""In scar, distances beyond it are alike: an island ends half-way to a slice without it, whatever else is there."""


def refined(segmentation: Segmentation, step_mm: float = 1.0, *, keep_volume: bool = True) -> Segmentation:
    """The same tissue on an isotropic grid.

    Contours glide from slice to slice (Raya & Udupa 1990, 10.1109/42.52980). Blood, wall, scar and core are each given
    the volume they were drawn with, the smallest last and within the one that holds it: interpolation shrinks what is
    small, and a threshold that keeps the volume does not. A region ends flat, half-way to a slice that lacks it: round
    ends would have to be paid for in volume elsewhere, by corridors that become narrower.

    Parameters
    ----------
    segmentation : Segmentation
        Slices of any thickness.
    step_mm : float
        Edge of the new voxels, 0.3 to 3 mm.
    keep_volume : bool
        False: contours stay where they were drawn, and gaps as wide.

    Returns
    -------
    Segmentation
        Without signal: what lies between slices was not imaged.
    """
    if not 0.3 <= step_mm <= 3:
        raise SettingsError(f"refined: step_mm = {step_mm:g}; expected 0.3 to 3 mm")
    affine = np.asarray(segmentation.affine, np.float64)
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)[::-1]  # slice, row, column
    grid = Grid(segmentation.labels, spacing_mm, step_mm, keep_volume)
    labels = np.zeros(grid.shape, np.uint8)
    drawn = segmentation.labels
    labels[_chosen(grid, drawn > 0, np.ones(grid.shape, bool))] = MYOCARDIUM
    for code in (LV_BLOOD, RV_BLOOD):
        blood = _chosen(grid, drawn == code, labels == MYOCARDIUM)
        labels[blood] = code
    scar = _chosen(grid, np.isin(drawn, (CORE, BORDER_ZONE)), labels == MYOCARDIUM, CLIP_PIXELS)
    labels[scar] = BORDER_ZONE
    labels[_chosen(grid, drawn == CORE, scar, CLIP_PIXELS)] = CORE
    return Segmentation(
        labels, grid.affine(affine), None, segmentation.scar_assessable, dict(segmentation.confidence), None
    )


class Grid:
    """Isotropic points around what is drawn; voxels of the old grid end where voxels of the new one do."""

    def __init__(self, drawn: np.ndarray, spacing_mm: np.ndarray, step_mm: float, keep_volume: bool = True) -> None:
        where = np.argwhere(drawn > 0)
        low = (where.min(axis=0) - 0.5) * spacing_mm - 1.5 * step_mm
        high = (where.max(axis=0) + 0.5) * spacing_mm + 1.5 * step_mm
        self.spacing_mm, self.step_mm = spacing_mm, step_mm
        self.origin, self.keep_volume = low, keep_volume
        self.shape = tuple(int(n) for n in np.ceil((high - low) / step_mm - 1e-9) + 1)

    def level(self, mask: np.ndarray, clip_mm: float) -> np.ndarray:
        """Interpolated distance to the contour, positive inside, mm: (shape) float32."""
        drawn = stack(mask, self.spacing_mm, clip_mm=clip_mm)
        rows, columns = (
            (self.origin[axis] + self.step_mm * np.arange(self.shape[axis])) / self.spacing_mm[axis] for axis in (1, 2)
        )
        in_plane = np.meshgrid(rows, columns, indexing="ij")
        level = np.empty(self.shape, np.float32)
        for i in range(self.shape[0]):
            plane = _between(drawn.distances, drawn.present, (self.origin[0] + i * self.step_mm) / self.spacing_mm[0])
            level[i] = ndimage.map_coordinates(plane, in_plane, order=1, mode="nearest")
        return level

    def affine(self, affine: np.ndarray) -> np.ndarray:
        """(4, 4) of the new voxels, to LPS."""
        new = affine.copy()
        new[:3, :3] = affine[:3, :3] / self.spacing_mm[::-1] * self.step_mm
        new[:3, 3] = affine[:3, :3] @ (self.origin / self.spacing_mm)[::-1] + affine[:3, 3]
        return new


def _between(distances: np.ndarray, present: np.ndarray, height: float) -> np.ndarray:
    """In-plane distance at a height in slices: linear between two slices with the region, else the nearer one's."""
    below = int(np.floor(height))
    share = height - below
    has = [0 <= k < len(present) and bool(present[k]) for k in (below, below + 1)]
    if all(has):
        return (1 - share) * distances[below] + share * distances[below + 1]
    nearer = below + (share >= 0.5)
    return distances[nearer] if has[nearer - below] else np.full(distances.shape[1:], -1e3, np.float32)


def _chosen(grid: Grid, mask: np.ndarray, within: np.ndarray, clip_pixels: float = np.inf) -> np.ndarray:
    """The voxels of a region, as many as its volume asks for."""
    if not mask.any():
        return np.zeros(grid.shape, bool)
    volume_mm3 = float(mask.sum() * np.prod(grid.spacing_mm))
    pixel_mm = float(grid.spacing_mm[1:].mean())
    level = grid.level(mask, clip_pixels * pixel_mm)
    if not grid.keep_volume:
        return within & (level > 0)
    return volume_kept(level, volume_mm3 / grid.step_mm**3, within, farthest=pixel_mm)


def volume_kept(level: np.ndarray, count: float, within: np.ndarray, farthest: float = np.inf) -> np.ndarray:
    """The `count` highest voxels of a level set, and none lower than `-farthest`.

    Parameters
    ----------
    level : array
        Higher is further inside: a distance, or a smoothed mask.
    count : float
        Volume of the region, voxels.
    within : array of bool
        Only these are taken.
    """
    chosen = np.zeros(level.shape, bool)
    candidates = np.flatnonzero(within.ravel() & (level.ravel() > -farthest))
    # Straight contours make thousands of voxels as high: spread by the golden ratio, what is kept of them is even.
    spread = (candidates * 0.6180339887498949) % 1.0
    order = candidates[np.lexsort((spread, -np.round(level.ravel()[candidates], 6)))]
    chosen.ravel()[order[: round(count)]] = True
    return chosen


def smoothed(mask: np.ndarray, spacing_mm: np.ndarray, width_mm: float) -> np.ndarray:
    """A mask with its stairs rounded by a Gaussian, its volume kept to the voxel.

    Cut at one half, a Gaussian takes volume from whatever is convex: 40 % from a sphere 4 mm across at 1 mm.

    Parameters
    ----------
    mask : (n_slices, n_rows, n_columns) bool
    spacing_mm : (3,) between slices, rows, columns.
    width_mm : float
        Standard deviation.
    """
    blurred = ndimage.gaussian_filter(mask.astype(np.float64), width_mm / np.asarray(spacing_mm))
    return volume_kept(blurred, float(mask.sum()), np.ones(mask.shape, bool))
