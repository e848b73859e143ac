"""Which ventricle's wall a labelled voxel of muscle belongs to; the septum is the left one's.

Most readers and tools draw the left ventricle's wall alone: then all muscle is left, also where it borders on the right
ventricle. Where the right free wall is drawn too and shares the label, the left ventricle is what a large disc fits
into: it is round and filled with blood here, the right free wall a thin sheet (opening, Serra 1982).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cardiotwin.segmentation.labels import LV_BLOOD, MUSCLE, RV_BLOOD, Segmentation
from cardiotwin.units import cubic_mm_to_ml

LEAST_OPEN = 0.4
"""Share of the right pool's outline that borders on no muscle, from which on its free wall is not drawn: 0.80 on a real
label map without it, 0.67 on a drawn one; with it 0.05 on a real cine's, 0 on the drawn one, 0.15 where it is one or
two pixels thick and has gaps."""
LARGEST_DISC_MM = 10.0
DISC_OF_INRADIUS = 0.6
"""Radius of the disc that is to fit, as a share of the largest that does: the left ventricle need not be round."""


def left_wall(segmentation: Segmentation) -> np.ndarray:
    """(n_slices, n_rows, n_columns) bool, muscle of the left ventricle with the septum.

    As the segmentation says: where it has a signal (`Segmentation.signal` is that of the left wall alone), where it
    names the right wall, or where it draws none. Else slice by slice by shape.
    """
    muscle = np.isin(segmentation.labels, MUSCLE)
    if segmentation.signal is not None:
        return muscle & np.isfinite(segmentation.signal)
    if segmentation.right_wall is not None:
        return muscle & ~segmentation.right_wall
    spacing_mm = np.linalg.norm(segmentation.affine[:3, :3], axis=0)[1::-1]
    if not right_wall_drawn(segmentation.labels, spacing_mm):
        return muscle
    left_blood = segmentation.labels == LV_BLOOD
    return np.stack([_left_in_slice(wall, blood, spacing_mm) for wall, blood in zip(muscle, left_blood, strict=True)])


def left_wall_ml(segmentation: Segmentation) -> float:
    """Volume of the left ventricle's wall as labelled, septum and scar included, mL."""
    return _ml(segmentation, left_wall(segmentation))


def scar_of_left_ml(segmentation: Segmentation) -> float:
    """Volume of core and border zone in the left ventricle's wall as labelled, mL."""
    return _ml(segmentation, left_wall(segmentation) & (segmentation.labels > RV_BLOOD))


def right_wall_drawn(labels: np.ndarray, pixel_mm: np.ndarray) -> bool:
    """Whether muscle surrounds the right pool in its slices; False where there is no such pool."""
    open_px, outline_px = 0, 0
    for drawn in labels:
        right = drawn == RV_BLOOD
        near = _within(right, 2.0 * float(pixel_mm.max()), pixel_mm) & ~right
        outline_px += int(np.count_nonzero(near & (drawn != LV_BLOOD)))
        open_px += int(np.count_nonzero(near & (drawn == 0)))
    return open_px < LEAST_OPEN * outline_px


def _left_in_slice(muscle: np.ndarray, blood: np.ndarray, pixel_mm: np.ndarray) -> np.ndarray:
    """Muscle of the left ventricle in one slice; all of it where there is no left blood to tell it by."""
    if not blood.any():
        return muscle
    filled = muscle | blood
    depth = ndimage.distance_transform_edt(np.pad(filled, 1), sampling=pixel_mm)[1:-1, 1:-1]
    radius = min(LARGEST_DISC_MM, DISC_OF_INRADIUS * float(depth[_within(blood, 0.0, pixel_mm)].max()))
    return muscle & _within(depth > radius, radius, pixel_mm)


def _within(mask: np.ndarray, reach_mm: float, pixel_mm: np.ndarray) -> np.ndarray:
    """Everything within a distance of the mask, the mask included."""
    if not mask.any():
        return mask.copy()
    return ndimage.distance_transform_edt(~mask, sampling=pixel_mm) <= reach_mm


def _ml(segmentation: Segmentation, mask: np.ndarray) -> float:
    return cubic_mm_to_ml(float(mask.sum() * abs(np.linalg.det(segmentation.affine[:3, :3]))))
