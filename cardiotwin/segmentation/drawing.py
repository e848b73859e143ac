"""Which slices show the left ventricle, and what its contours become on the image's grid."""

from __future__ import annotations

import numpy as np

from cardiotwin.imaging import Image
from cardiotwin.segmentation.contours import ANGLES, RADII_MM, WHOLE_RING, Wall, longest_run, ring_evidence
from cardiotwin.segmentation.labels import LV_BLOOD, MYOCARDIUM
from cardiotwin.segmentation.locate import TOWARDS_APEX

APEX_EVIDENCE = 0.45
"""Share of the ring that must be seen: at the apex a gap is often scar. At the base, where one is the outflow tract, it
must be whole."""
LEAST_SHARE_OF_CONTRAST = 0.75
"""Of the median slice's: above the base the slice mixes wall and atrium, and its ring is grey."""
LEAST_APEX_MM = 4.0
"""Radius below which a cap of muscle at the apex is not worth drawing."""


def slices_found(wall: Wall, image: Image) -> np.ndarray:
    """Consecutive slices that show the ring: indices, in order."""
    evidence = ring_evidence(wall)
    contrast = (wall.blood - wall.myocardium) / np.maximum(wall.blood, 1e-12)
    usual = np.median(contrast[evidence >= APEX_EVIDENCE]) if (evidence >= APEX_EVIDENCE).any() else 0.0
    evidence = np.where(contrast >= LEAST_SHARE_OF_CONTRAST * usual, evidence, 0)
    run = np.flatnonzero(longest_run(evidence, APEX_EVIDENCE))
    if not run.size:
        return run
    # From base to apex. The base is trimmed to a whole ring; the apex to where the cavity stops tapering, or is smaller
    # than any that was looked for, or would have to be: a cavity is convex, so each slice towards the apex takes at
    # least as much from its radius as the one before. What is seen beyond is fat below the apex.
    ordered = list(run if image.affine[:3, 2] @ TOWARDS_APEX > 0 else run[::-1])
    while ordered and evidence[ordered[0]] < WHOLE_RING:
        ordered.pop(0)
    sizes = wall.endocardium.mean(axis=1)
    while len(ordered) > 1 and not RADII_MM[0] <= sizes[ordered[-1]] <= 1.1 * sizes[ordered[-2]]:
        ordered.pop()
    for i in range(len(ordered) // 2 + 1, len(ordered)):
        largest = 2 * sizes[ordered[i - 1]] - sizes[ordered[i - 2]]
        if largest < RADII_MM[0]:
            ordered = ordered[:i]
            break
        sizes[ordered[i]] = min(sizes[ordered[i]], largest)
    # A poor slice between two good ones is bridged; with nothing good left beyond it, it is only poor.
    while len(ordered) > 1 and evidence[ordered[-1]] < APEX_EVIDENCE:
        ordered.pop()
    return np.sort(np.array(ordered, dtype=int))


def drawn(wall: Wall, found: np.ndarray, image: Image) -> np.ndarray:
    """Contours to labels: (n_slices, n_rows, n_columns) uint8 with left blood and myocardium."""
    column_mm, row_mm, _ = image.spacing_mm
    rows, columns = np.indices(image.values.shape[1:])
    labels = np.zeros(image.values.shape, dtype=np.uint8)
    for k in found:
        down, across = (rows - wall.centres[k, 0]) * row_mm, (columns - wall.centres[k, 1]) * column_mm
        apart, angle = np.hypot(down, across), np.arctan2(down, across)
        labels[k][apart < _radius_at(wall.epicardium[k], angle)] = MYOCARDIUM
        labels[k][apart < _radius_at(wall.endocardium[k], angle)] = LV_BLOOD
    _close_apex(labels, wall, found, image)
    return labels


def _close_apex(labels: np.ndarray, wall: Wall, found: np.ndarray, image: Image) -> None:
    """Muscle alone in the slice beyond the last cavity, where the epicardium, an ellipsoid there, still has width."""
    step = 1 if image.affine[:3, 2] @ TOWARDS_APEX > 0 else -1
    last, before = (found[-1], found[-2]) if step > 0 else (found[0], found[1])
    tip = last + step
    squares = (wall.epicardium[[before, last]] ** 2).mean(axis=1)
    square = squares[1] + (squares[1] - squares[0])
    if not 0 <= tip < len(labels) or square <= LEAST_APEX_MM**2:
        return
    column_mm, row_mm, _ = image.spacing_mm
    centre = 2 * wall.centres[last] - wall.centres[before]
    rows, columns = np.indices(labels.shape[1:])
    labels[tip][np.hypot((rows - centre[0]) * row_mm, (columns - centre[1]) * column_mm) < np.sqrt(square)] = MYOCARDIUM


def _radius_at(radii: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.interp(angle, ANGLES, radii, period=2 * np.pi)
