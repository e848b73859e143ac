"""Whether blood pools are where the labels say: the left one thick-walled and enclosed, the right one beside it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cardiotwin.segmentation.labels import LV_BLOOD, MUSCLE, RV_BLOOD

MOST_VOXELS = 2_000_000
LEAST_ENCLOSED = 0.5
"""Share of the left pool's surface that touches muscle: 0.78 and 0.87 in two real stacks, 0.10 when swapped in one."""
LEAST_WALL_RATIO = 1.2
"""Muscle per surface, left over right pool. Three real hearts with a drawn right wall: 1.48, 1.75 and 1.80; one without
it: 5.8. Swapped it is the inverse, so between 0.83 and 1.2 nothing is guessed."""
LEAST_VOLUME_RATIO = 0.2
"""Right over left pool: 0.7 to 1.1 in four real hearts; a scar taken for a right ventricle is far smaller."""


def contradiction(labels: np.ndarray, spacing_mm: np.ndarray) -> str:
    """Why these labels are no heart, in a few words; "" where they may be one.

    Parameters
    ----------
    labels : (n_slices, n_rows, n_columns) uint8
        Codes as in `cardiotwin.segmentation`.
    spacing_mm : (3,) between slices, rows and columns.
    """
    labels, spacing_mm = _cropped(labels, spacing_mm)
    left, right, muscle = labels == LV_BLOOD, labels == RV_BLOOD, np.isin(labels, MUSCLE)
    if not left.any() or not muscle.any():
        return "no left ventricular blood" if muscle.any() else "no myocardium"
    enclosed = contact_mm2(left, muscle, spacing_mm) / surface_mm2(left, spacing_mm)
    if enclosed < LEAST_ENCLOSED:
        return f"myocardium covers {100 * enclosed:.0f} % of the left ventricular blood"
    if not right.any():
        return ""
    if right.sum() < LEAST_VOLUME_RATIO * left.sum():
        return f"right ventricular blood is {100 * right.sum() / left.sum():.0f} % of the left"
    if not contact_mm2(right, muscle, spacing_mm):
        return "right ventricular blood touches no myocardium"
    ratio = wall_ratio(left, right, muscle, spacing_mm)
    if ratio < LEAST_WALL_RATIO:
        return f"the wall around the left ventricular blood is {ratio:.1f} times as thick as around the right"
    return ""


def wall_ratio(left: np.ndarray, right: np.ndarray, muscle: np.ndarray, spacing_mm: np.ndarray) -> float:
    """Muscle nearer to the left pool per surface of that pool, over the same of the right one.

    Holds with and without a drawn right ventricular wall: the septum is shared, what else there is of muscle is not.
    """
    to_left, to_right = (ndimage.distance_transform_edt(~pool, spacing_mm) for pool in (left, right))
    voxel = float(np.prod(spacing_mm))
    nearer = muscle & (to_left <= to_right)
    thickness = [
        voxel * part.sum() / surface_mm2(pool, spacing_mm) for part, pool in ((nearer, left), (muscle & ~nearer, right))
    ]
    return float(thickness[0] / max(thickness[1], 1e-9))


def _cropped(labels: np.ndarray, spacing_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is not background, with every second, third ... voxel only where there are more than two million."""
    where = np.argwhere(labels)
    if not len(where):
        return labels[:0], spacing_mm
    low, high = where.min(axis=0), where.max(axis=0) + 1
    box = labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    step = np.maximum(1, np.round(np.cbrt(max(box.size / MOST_VOXELS, 1)) * spacing_mm.min() / spacing_mm)).astype(int)
    while np.prod(np.ceil(np.array(box.shape) / step)) > MOST_VOXELS:
        step[np.argmin(step * spacing_mm)] += 1
    return np.pad(box[tuple(slice(None, None, n) for n in step)], 1), spacing_mm * step


def surface_mm2(mask: np.ndarray, spacing_mm: np.ndarray) -> float:
    """Area of the faces between voxels in the mask and out of it."""
    return sum(
        float(np.prod(spacing_mm) / spacing_mm[axis] * np.count_nonzero(np.diff(mask, axis=axis))) for axis in range(3)
    )


def contact_mm2(mask: np.ndarray, other: np.ndarray, spacing_mm: np.ndarray) -> float:
    """Area of the faces between the voxels of two masks."""
    total = 0.0
    for axis in range(3):
        ahead, behind = (np.delete(part, edge, axis=axis) for part, edge in ((mask, -1), (other, 0)))
        back, front = (np.delete(part, edge, axis=axis) for part, edge in ((mask, 0), (other, -1)))
        touching = np.count_nonzero(ahead & behind) + np.count_nonzero(back & front)
        total += float(np.prod(spacing_mm) / spacing_mm[axis] * touching)
    return total
