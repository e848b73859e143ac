"""The blood of the right ventricle: bright, beyond the septum, to the patient's right and front."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from cardiotwin.imaging import Image
from cardiotwin.meshes.shapes import stack
from cardiotwin.segmentation.contours import Wall
from cardiotwin.segmentation.locate import TOWARDS_APEX, TOWARDS_RV

NECK_MM = 3.0
"""Half the width of a bridge that is cut: blood leaks into fat where the thin free wall blurs away."""
HORN_WIDTH_MM, HORN_LENGTH_MM = 10.0, 25.0
FARTHEST_MM = 65.0
"""From the left epicardium to the far end of a dilated right ventricle."""
CLOSING_MM = 4.0
"""Gaps between trabeculae that belong to the blood."""
WALL_GRID_MM = 1.5
"""Between the planes on which the distance to right-ventricular blood is taken."""
LARGEST_AREA_MM2 = 5500.0


def right_blood(image: Image, wall: Wall, found: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """Mask of right-ventricular blood.

    Parameters
    ----------
    image : Image
    wall : Wall
    found : (n_found,) int
        Consecutive slices that hold the left ventricle.
    outer : (n_slices, n_rows, n_columns) bool
        Everything inside the left epicardium.

    Returns
    -------
    (n_slices, n_rows, n_columns) bool
        Empty in slices where there is none, and everywhere when the septum has nothing bright behind it.
    """
    column_mm, row_mm, slice_mm = image.spacing_mm
    pixel = (row_mm, column_mm)
    bright = _bright(image, wall, found, outer)
    pieces = {k: _best_piece(bright[k], outer[k], None, pixel) for k in found}
    blood = np.zeros(outer.shape, dtype=bool)
    filled = np.array([k for k in found if pieces[k].any()], dtype=int)
    if not filled.size:
        return blood
    # Start a third of the way from the base: no longer atrium, not yet trabeculae. Then go both ways.
    to_apex = 1 if image.affine[:3, 2] @ TOWARDS_APEX > 0 else -1
    base, apex = found[::to_apex][[0, -1]]
    start = filled[np.abs(filled - (base + 0.3 * (apex - base))).argmin()]
    blood[start] = pieces[start]
    for step in (1, -1):
        # It tapers to the apex. Towards the base it widens into the outflow tract, by as much as the slices are apart.
        widening = 2.0 + 0.15 * slice_mm if step == to_apex else 4.0 + slice_mm
        end = apex if step == to_apex else base + step  # the apex of the heart is the left ventricle's
        for k in range(start + step, end, step):
            drift = wall.centres[k] - wall.centres[k - step]
            before = ndimage.shift(blood[k - step], drift, order=0)
            if not before.any():
                break
            around = _grown(before, widening, pixel)
            if step == to_apex:  # where it tapers, nothing lies outside the outline of the slice before: that is fat
                around &= _closed(before | ndimage.shift(outer[k - step], drift, order=0), CLOSING_MM, pixel)
                earlier = k - 2 * step
                if (earlier - start) * step >= 0:  # not before the search began: there it widens to the base
                    around &= _tapered(outer[earlier] | blood[earlier], outer[k - step] | blood[k - step], pixel)
            blood[k] = _best_piece(bright[k] & around, outer[k], before, pixel)
    return blood


def _tapered(earlier: np.ndarray, before: np.ndarray, pixel: tuple) -> np.ndarray:
    """Where the heart can be in the next slice towards the apex, by its outlines in the two slices before.

    Both ventricles together are convex, nearly: their outline draws in by at least as much from one slice to the next
    as it did before. Without this the fat beyond the slanting, blurred right wall is taken for blood.
    """
    first, second = (_depth_in_hull(outline, pixel) for outline in (earlier, before))
    return 2 * second - first > 0


def _depth_in_hull(outline: np.ndarray, pixel: tuple) -> np.ndarray:
    """Distance of every pixel to the convex hull of a region, mm, positive inside: to its nearest side's line."""
    # The corners of the pixels, not their centres; and a right horn that was missed is inside the hull nevertheless.
    edge = outline & ~ndimage.binary_erosion(outline)
    corners = (np.argwhere(edge)[:, None] + 0.5 * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])).reshape(-1, 2)
    sides = ConvexHull(corners * pixel).equations
    where = np.indices(outline.shape).reshape(2, -1) * np.array(pixel)[:, None]
    return -(sides[:, :2] @ where + sides[:, 2:]).max(axis=0).reshape(outline.shape)


def right_wall(right: np.ndarray, drawn: np.ndarray, spacing_mm: np.ndarray, wall_mm: float) -> np.ndarray:
    """Mask of the right free wall by rule: what is not drawn yet, within `wall_mm` of right-ventricular blood.

    At two pixels it is too thin to be seen. The distance is square to the surface, between the slices too: where that
    leans, as towards the apex, a slice cuts the wall obliquely and shows it thicker. The mesh keeps the same distance
    by the same means (`meshes.ventricles`), for label maps without this wall; over one drawn here it comes out a
    third of a millimetre thicker, by the pixels.

    Parameters
    ----------
    right, drawn : (n_slices, n_rows, n_columns) bool
        Right-ventricular blood; everything that has a label already. Slices with none of it stay empty.
    spacing_mm : (3,) between slices, rows, columns.
    wall_mm : float
        0 draws none.
    """
    wall = np.zeros_like(right)
    if not right.any() or not wall_mm:
        return wall
    window = _window(right, spacing_mm, wall_mm + spacing_mm[1:].max())
    blood = stack(right[window], spacing_mm)
    fine = int(np.ceil(spacing_mm[0] / WALL_GRID_MM))
    heights = np.arange(fine * (len(right) - 1) + 1) / fine
    grid = np.indices(right[window].shape[1:]).reshape(2, -1)
    level = np.stack([blood(np.vstack([np.full(grid.shape[1], z), grid]).T * spacing_mm) for z in heights])
    sampling = (spacing_mm[0] / fine, *spacing_mm[1:])
    inside = level.reshape(len(heights), *right[window].shape[1:]) > 0
    # The blood ends half a pixel beyond the centre of its last one.
    reach = wall_mm + 0.5 * spacing_mm[1:].mean()
    wall[window] = ndimage.distance_transform_edt(~inside, sampling=sampling)[::fine] < reach
    # Above the base there is a valve, or an atrium, but no wall.
    wall[~drawn.reshape(len(drawn), -1).any(axis=1)] = False
    return wall & ~(right | drawn)


def _window(mask: np.ndarray, spacing_mm: np.ndarray, margin_mm: float) -> tuple[slice, slice, slice]:
    """All slices, and the rows and columns within a margin of the mask."""
    cut = [slice(None)]
    for other, step in ((2, spacing_mm[1]), (1, spacing_mm[2])):
        used, margin = np.flatnonzero(mask.any(axis=(0, other))), int(np.ceil(margin_mm / step)) + 1
        cut.append(slice(max(0, used[0] - margin), used[-1] + margin + 1))
    return cut[0], cut[1], cut[2]


def _bright(image: Image, wall: Wall, found: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """What is as bright as blood, on the right ventricle's side, within reach."""
    column_mm, row_mm, _ = image.spacing_mm
    axes = image.affine[:3, :2] / np.linalg.norm(image.affine[:3, :2], axis=0)
    column, row = TOWARDS_RV @ axes
    towards = np.array([row, column]) / max(np.hypot(row, column), 1e-9)
    bright = np.zeros(outer.shape, dtype=bool)
    signal = ndimage.gaussian_filter(image.values.astype(np.float64), (0, 0.5 / row_mm, 0.5 / column_mm))
    for k in found:
        u = (signal[k] - wall.myocardium[k]) / max(wall.blood[k] - wall.myocardium[k], 1e-12)
        rows, columns = np.indices(u.shape)
        down, across = (rows - wall.centres[k, 0]) * row_mm, (columns - wall.centres[k, 1]) * column_mm
        ahead = (down * towards[0] + across * towards[1]) / np.maximum(np.hypot(down, across), 1e-9)
        apart = ndimage.distance_transform_edt(~outer[k], sampling=(row_mm, column_mm))
        behind_septum = (apart > 0) & (apart < 15) & (ahead > 0.5) & (u > 0.5)
        level = np.clip(np.median(u[behind_septum]), 0.6, 1.2) if behind_septum.any() else 1.0
        near = ~outer[k] & (apart < FARTHEST_MM) & (ahead > -0.6)
        bright[k] = near & (u > 0.7 * level) & (u < 1.45 * level)
        bright[k] = near & ndimage.binary_fill_holes(bright[k])
    return bright


def _best_piece(bright: np.ndarray, outer: np.ndarray, before: np.ndarray | None, pixel: tuple) -> np.ndarray:
    """The piece that lies along the septum, cut at its necks."""
    inside = ndimage.distance_transform_edt(bright, sampling=pixel)
    from_left = ndimage.distance_transform_edt(~outer, sampling=pixel)
    for neck in (NECK_MM, 0.5 * NECK_MM):
        pieces, count = ndimage.label(inside > neck)
        if not count:
            continue
        index = np.arange(1, count + 1)
        area = ndimage.sum_labels(np.ones_like(inside), pieces, index) * pixel[0] * pixel[1]
        beside = ndimage.minimum(from_left, pieces, index) < 8.0 + neck
        score = np.minimum(area, LARGEST_AREA_MM2) * beside
        if before is not None:
            score *= ndimage.sum_labels(before, pieces, index) > 0
        if score.max() > 0:
            core = pieces == index[score.argmax()]
            # The horns of the crescent are narrow, and lie along the septum: follow them there, and only there.
            along = bright & (from_left < HORN_WIDTH_MM) & _grown(core, HORN_LENGTH_MM, pixel)
            piece = bright & _grown(core, 1.4 * neck, pixel)
            piece = ndimage.binary_propagation(piece, mask=piece | along)
            return _tidy(piece, outer, pixel)
    return np.zeros_like(bright)


def _tidy(piece: np.ndarray, outer: np.ndarray, pixel: tuple) -> np.ndarray:
    """Trabeculae belong to the blood: close gaps of 4 mm and fill holes."""
    return ndimage.binary_fill_holes(_closed(piece, CLOSING_MM, pixel) | piece) & ~outer


def _closed(mask: np.ndarray, gap_mm: float, pixel: tuple) -> np.ndarray:
    return ~_grown(~_grown(mask, gap_mm, pixel), gap_mm, pixel)


def _grown(mask: np.ndarray, by_mm: float, pixel: tuple) -> np.ndarray:
    """Everything within a distance of the mask."""
    if not mask.any():
        return mask.copy()
    return ndimage.distance_transform_edt(~mask, sampling=pixel) <= by_mm
