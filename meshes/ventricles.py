"""The shape of the ventricles as level sets: cavities, outer surface and base plane, from masks on slices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cardiotwin.errors import InputRejected
from cardiotwin.meshes.shapes import Stack, continued_before, signed_distance, stack

_SMOOTHING_PIXELS, _SMOOTHING_MM = 0.7, 1.0
_LARGEST_BASAL_EXTENSION_MM = 5.0


@dataclass(frozen=True, eq=False)
class Ventricles:
    """Signed distances on an isotropic grid, mm, in the frame of the stack (slice 0 is the base).

    Attributes
    ----------
    origin : (3,) float64
        Position of the first grid point, mm.
    grid_mm : float
        Distance between grid points.
    hull, left_blood, right_blood : (n, m, k) float32
        Positive inside: everything within the epicardium; the two cavities. `right_blood` is negative everywhere in a
        heart drawn without a right ventricle.
    base_mm : float
        The heart ends at this height: the first axis of a point of the myocardium is at least this.
    """

    origin: np.ndarray
    grid_mm: float
    hull: np.ndarray
    left_blood: np.ndarray
    right_blood: np.ndarray
    base_mm: float

    def surface_distances(self, points: np.ndarray) -> np.ndarray:
        """(n, 4) distance to epicardium, left and right endocardium and base, mm, positive on the myocardium's side."""
        index = ((points - self.origin) / self.grid_mm).T
        fields = (self.hull, self.left_blood, self.right_blood)
        values = [ndimage.map_coordinates(f, index, order=1, mode="nearest", output=np.float64) for f in fields]
        return np.stack([values[0], -values[1], -values[2], points[:, 0] - self.base_mm], axis=1)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(n,) level set of the myocardium, positive inside."""
        return self.surface_distances(points).min(axis=1)

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners of a box around the myocardium, mm."""
        where = np.argwhere(self.hull > -self.grid_mm)
        return self.origin + self.grid_mm * where.min(axis=0), self.origin + self.grid_mm * where.max(axis=0)

    def left_wall_mm(self) -> float:
        """Median thickness of the left ventricular wall, septum included; 0 where blood meets the outside."""
        height = self.origin[0] + self.grid_mm * np.arange(self.hull.shape[0])
        border = (np.abs(self.left_blood) < 0.6 * self.grid_mm) & (height > self.base_mm)[:, None, None]
        thickness = np.minimum(self.hull[border], -self.right_blood[border])
        return float(np.median(thickness.clip(0))) if thickness.size else 0.0


def ventricles(
    myocardium: np.ndarray,
    left_blood: np.ndarray,
    right_blood: np.ndarray,
    spacing_mm: np.ndarray,
    *,
    grid_mm: float,
    rv_wall_mm: float,
) -> Ventricles:
    """Level sets from masks whose first slice with myocardium is the base.

    Parameters
    ----------
    myocardium, left_blood, right_blood : (n_slices, n_rows, n_columns) bool
    spacing_mm : (3,) between slices, rows, columns.
    grid_mm : float
        Spacing of the level sets.
    rv_wall_mm : float
        The right ventricular wall is nowhere thinner. At the resolution of cardiac MR it is often not drawn at all.

    Raises
    ------
    InputRejected
        A slice without myocardium between slices that have it.
    """
    present = np.flatnonzero(myocardium.any(axis=(1, 2)))
    missing = np.setdiff1d(np.arange(present[0], present[-1]), present)
    if missing.size:
        raise InputRejected(
            f"label map: slice {missing[0]} has no myocardium between slices that have; draw it, or leave the ends out"
        )
    whole = np.stack([ndimage.binary_fill_holes(s) for s in myocardium | left_blood | right_blood])
    hull, left, right = (
        continued_before(stack(m, spacing_mm, smoothing_pixels=_SMOOTHING_PIXELS))
        for m in (whole, left_blood, right_blood)
    )
    hull, left = _covered_apex(hull, left, left_blood)
    grid = _Grid.around(whole, spacing_mm, grid_mm, margin_mm=rv_wall_mm + 4.0)
    base_mm = float(present[0] * spacing_mm[0] - min(0.5 * spacing_mm[0], _LARGEST_BASAL_EXTENSION_MM))
    drawn = [_drawn_volume(m, spacing_mm, base_mm) for m in (whole, left_blood, right_blood)]
    hull_level, left_level, right_level = (
        _with_volume(grid.distance(region), volume, grid, base_mm, spacing_mm)
        for region, volume in zip((hull, left, right), drawn, strict=True)
    )
    hull_level = signed_distance(np.maximum(hull_level, right_level + rv_wall_mm), grid_mm)
    smooth = [_smoothed(level, grid_mm) for level in (hull_level, left_level, right_level)]
    return Ventricles(grid.origin, grid_mm, smooth[0], smooth[1], smooth[2], base_mm)


def base_is_last(left_blood: np.ndarray, right_blood: np.ndarray) -> bool:
    """Whether the last slice is the base: the cavities, right and left together, are larger at that end."""
    area = (left_blood | right_blood).sum(axis=(1, 2)).astype(np.float64)
    used = np.flatnonzero(area)
    height = np.arange(used[0], used[-1] + 1) - 0.5 * (used[0] + used[-1])
    return bool(height @ area[used[0] : used[-1] + 1] > 0)


def basal_slice(myocardium: np.ndarray, left_blood: np.ndarray) -> int:
    """First slice on which the left ventricle is a ring: enough blood, and muscle around most of it.

    At the valve plane a slice cuts muscle here and atrium there; what is drawn on it are fragments.
    """
    area = left_blood.sum(axis=(1, 2))
    for k in np.flatnonzero(area):
        rim = ndimage.binary_dilation(left_blood[k]) & ~left_blood[k]
        if area[k] >= 0.25 * np.median(area[area > 0]) and (rim & myocardium[k]).sum() >= 0.6 * rim.sum():
            return int(k)
    raise InputRejected(
        "label map: on no slice does myocardium surround the left ventricular blood; "
        "expected a ring of label 2 around label 1"
    )


@dataclass(frozen=True)
class _Grid:
    origin: np.ndarray
    shape: tuple[int, ...]
    spacing_mm: float

    @classmethod
    def around(cls, mask: np.ndarray, spacing_mm: np.ndarray, grid_mm: float, margin_mm: float) -> _Grid:
        where = np.argwhere(mask)
        margin = np.array([spacing_mm[0], 0.0, 0.0]) + margin_mm
        lower, upper = where.min(axis=0) * spacing_mm - margin, where.max(axis=0) * spacing_mm + margin
        return cls(lower, tuple(int(n) for n in np.ceil((upper - lower) / grid_mm) + 1), grid_mm)

    def distance(self, region: Stack) -> np.ndarray:
        """Signed distance of a region on the grid; far outside where the region is empty."""
        if not region.present.any():
            return np.full(self.shape, -1e3)
        rows, columns = (self.origin[axis] + self.spacing_mm * np.arange(self.shape[axis]) for axis in (1, 2))
        plane = np.stack(np.meshgrid([0.0], rows, columns, indexing="ij"), axis=-1).reshape(-1, 3)
        level = np.empty((self.shape[0], self.shape[1] * self.shape[2]))
        for i in range(self.shape[0]):
            level[i] = region(plane + np.array([self.origin[0] + i * self.spacing_mm, 0.0, 0.0]))
        return signed_distance(level.reshape(self.shape), self.spacing_mm)


def _drawn_volume(mask: np.ndarray, spacing_mm: np.ndarray, base_mm: float) -> float:
    """Volume of a mask below the base plane, mm³: each voxel is as thick as slices lie apart."""
    first = int(np.ceil(base_mm / spacing_mm[0]))
    below = (first + 0.5) * spacing_mm[0] - base_mm
    thickness = np.where(np.arange(len(mask)) == first, below, spacing_mm[0])
    return float(mask[first:].sum(axis=(1, 2)) @ thickness[first:] * spacing_mm[1] * spacing_mm[2])


def _with_volume(
    level: np.ndarray, volume_mm3: float, grid: _Grid, base_mm: float, spacing_mm: np.ndarray
) -> np.ndarray:
    """A signed distance moved outward or inward by the same everywhere, so that smoothed it holds a volume.

    Smoothing takes from what is round, interpolation gives chords for arcs, and a dome at the apex is a guess: together
    1 to 4 % of the muscle, or a tenth of a millimetre of its surfaces. By more than half a pixel nothing is moved.
    """
    if volume_mm3 == 0:
        return level
    height = grid.origin[0] + grid.spacing_mm * np.arange(grid.shape[0])
    below = ((height - base_mm) / grid.spacing_mm + 0.5).clip(0, 1)
    smooth, farthest, offset = _smoothed(level, grid.spacing_mm), 0.5 * float(spacing_mm[1:].mean()), 0.0
    for _ in range(8):
        share = (0.5 + (smooth + offset) / grid.spacing_mm).clip(0, 1).sum(axis=(1, 2), dtype=np.float64)
        area = (np.abs(smooth + offset) < 0.5 * grid.spacing_mm).sum(axis=(1, 2)) @ below * grid.spacing_mm**2
        missing = volume_mm3 - share @ below * grid.spacing_mm**3
        offset = float(np.clip(offset + missing / max(area, 1e-9), -farthest, farthest))
    return level + offset


def _covered_apex(hull: Stack, left: Stack, left_blood: np.ndarray) -> tuple[Stack, Stack]:
    """Where hull and cavity end on one slice: caps that leave muscle of the last ring's thickness between them.

    Neither reaches the next slice, which would have shown it.
    """
    last = np.flatnonzero(left.present)[-1]
    if last != np.flatnonzero(hull.present)[-1]:
        return hull, left
    mask = left_blood[last + left.first_slice]
    rim = mask & ~ndimage.binary_erosion(mask)
    wall = float(np.median(hull.distances[last][rim].clip(0)))
    outer, inner = hull.caps_mm.copy(), left.caps_mm.copy()
    outer[1, last] = min(max(outer[1, last], inner[1, last] + wall), float(hull.spacing_mm[0]))
    inner[1, last] = max(min(inner[1, last], outer[1, last] - wall), 0.0)
    return replace(hull, caps_mm=outer), replace(left, caps_mm=inner)


def _smoothed(level: np.ndarray, grid_mm: float) -> np.ndarray:
    return ndimage.gaussian_filter(level, _SMOOTHING_MM / grid_mm).astype(np.float32)
