"""A short-axis stack to labels, without training data: physical priors and the image's own statistics."""

from __future__ import annotations

import numpy as np

from cardiotwin.errors import QualityGate
from cardiotwin.imaging import Image
from cardiotwin.progress import Progress, silent
from cardiotwin.segmentation.contours import ANGLES, Wall, find_wall, longest_run, ring_evidence
from cardiotwin.segmentation.labels import LV_BLOOD, MYOCARDIUM, RV_BLOOD, Segmentation, seen, with_scar
from cardiotwin.segmentation.locate import TOWARDS_APEX, locate
from cardiotwin.segmentation.methods import chosen_method
from cardiotwin.segmentation.remote import reported
from cardiotwin.segmentation.right_ventricle import right_blood, right_wall
from cardiotwin.segmentation.scar import enhancement
from cardiotwin.settings import SegmentSettings

FEWEST_SLICES = 3
BASE_EVIDENCE, APEX_EVIDENCE = 0.75, 0.45
"""Share of the ring that must be seen. At the base a gap is the outflow tract; at the apex it is often scar."""
LEAST_SHARE_OF_CONTRAST = 0.75
"""Of the median slice's: above the base the slice mixes wall and atrium, and its ring is grey."""
LEAST_APEX_MM = 4.0
"""Radius below which a cap of muscle at the apex is not worth drawing."""
LEAST_PARTED = 2.0
"""Between blood and the darker wall, in standard deviations of blood."""
LEAST_CONTRAST = 0.15
"""Of blood minus myocardium over blood plus myocardium."""


def segment(image: Image, settings: SegmentSettings | None = None, progress: Progress = silent) -> Segmentation:
    """Label the ventricles of a short-axis stack, and its scar if the image can show any.

    Parameters
    ----------
    image : Image
        LGE, or the first frame of a cine; at least 3 slices through the left ventricle.
    settings : SegmentSettings, optional
        How core and border zone are told apart.
    progress : Progress

    Returns
    -------
    Segmentation
        The right free wall is drawn by rule, `settings.rv_wall_mm` thick, and has no signal: scar is not looked for.

    Raises
    ------
    QualityGate
        No left ventricle, fewer than 3 slices of it, or too little contrast between blood and myocardium.
    """
    settings = settings or SegmentSettings()
    _check_values(image)
    progress(0.0, "looking for the left ventricle")
    axis = locate(image)
    progress(0.5, "contours of the wall")
    wall = find_wall(image, axis)
    found = slices_found(wall, image)
    contrast = _check_found(wall, found)
    labels = drawn(wall, found, image)
    check_parted(image, labels)
    progress(0.8, "right ventricle")
    right = right_blood(image, wall, found, labels > 0)
    labels[right] = RV_BLOOD
    ruled = right_wall(right, labels > 0, image.spacing_mm[::-1], settings.rv_wall_mm)
    confidence = _confidence(wall, found, contrast, right)
    if image.kind != "lge":
        progress(1.0, "done")
        confidence["scar"] = f"not assessable: {image.kind} shows no late enhancement"
        labels[ruled] = MYOCARDIUM
        return Segmentation(labels, image.affine, None, False, confidence)
    progress(0.9, "scar")
    scar = enhancement(image, labels == MYOCARDIUM, labels == LV_BLOOD, right)
    confidence |= {
        "noise_of_maximum": round(min(scar.noise, 1.0), 3),
        "maximum_over_blood": round(min(scar.maximum_over_blood, 1.0), 3),
    }
    left_wall = int((labels == MYOCARDIUM).sum())
    labels[ruled] = MYOCARDIUM
    plain = Segmentation(labels, image.affine, scar.signal, True, confidence, scar.measured)
    confidence |= reported(seen(plain).remote)
    result = with_scar(plain, chosen_method(settings))
    confidence["myocardium_bright"] = round(float((result.labels > RV_BLOOD).sum() / left_wall), 3)
    progress(1.0, "done")
    return result


def _check_values(image: Image) -> None:
    if len(image.values) < FEWEST_SLICES:
        raise QualityGate(f"image: {len(image.values)} slices; a ventricle needs at least {FEWEST_SLICES}")
    if not np.isfinite(image.values).all():
        raise QualityGate("image: holds values that are not finite; export the series again")
    if np.ptp(image.values) == 0:
        raise QualityGate("image: every pixel has one value; export the series again")


def slices_found(wall: Wall, image: Image) -> np.ndarray:
    """Consecutive slices that show the ring: indices, in order."""
    evidence = ring_evidence(wall)
    contrast = (wall.blood - wall.myocardium) / np.maximum(wall.blood, 1e-12)
    usual = np.median(contrast[evidence >= APEX_EVIDENCE]) if (evidence >= APEX_EVIDENCE).any() else 0.0
    evidence = np.where(contrast >= LEAST_SHARE_OF_CONTRAST * usual, evidence, 0)
    run = np.flatnonzero(longest_run(evidence, APEX_EVIDENCE))
    if not run.size:
        return run
    # From base to apex. The base is trimmed to a whole ring; the apex to where the cavity stops tapering.
    ordered = list(run if image.affine[:3, 2] @ TOWARDS_APEX > 0 else run[::-1])
    while ordered and evidence[ordered[0]] < BASE_EVIDENCE:
        ordered.pop(0)
    sizes = wall.endocardium.mean(axis=1)
    while len(ordered) > 1 and sizes[ordered[-1]] > 1.1 * sizes[ordered[-2]]:
        ordered.pop()
    return np.sort(np.array(ordered, dtype=int))


def _check_found(wall: Wall, found: np.ndarray) -> float:
    if len(found) == 0:
        raise QualityGate("image: no left ventricle found (no bright cavity ringed by a dark wall); is it short axis?")
    if len(found) < FEWEST_SLICES:
        raise QualityGate(
            f"image: left ventricle seen in {len(found)} slices ({found[0] + 1} to {found[-1] + 1}); "
            f"expected at least {FEWEST_SLICES}; acquire a full short-axis stack"
        )
    blood, muscle = wall.blood[found], wall.myocardium[found]
    contrast = float(np.median((blood - muscle) / np.maximum(blood + muscle, 1e-12)))
    if contrast < LEAST_CONTRAST:
        raise QualityGate(
            f"image: blood and myocardium differ by {contrast:.2f} of their sum; expected {LEAST_CONTRAST} or more"
        )
    return contrast


def check_parted(image: Image, labels: np.ndarray) -> None:
    """Refuse contours drawn in noise: blood and wall then have much the same values."""
    blood, muscle = image.values[labels == LV_BLOOD], image.values[labels == MYOCARDIUM]
    spread = 1.4826 * np.median(np.abs(blood - np.median(blood)))
    parted = float((np.median(blood) - np.quantile(muscle, 0.35)) / max(spread, 1e-12))
    if parted < LEAST_PARTED:
        raise QualityGate(
            f"image: no left ventricle found: blood and wall are {parted:.1f} standard deviations of blood apart; "
            f"expected {LEAST_PARTED:g} or more; is it a short-axis stack with contrast?"
        )


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


def _confidence(wall: Wall, found: np.ndarray, contrast: float, right: np.ndarray) -> dict[str, float | str]:
    jump = np.abs(np.diff(wall.endocardium[found], axis=1)).mean()
    return {
        "contrast": round(contrast, 3),
        "ring": round(float(ring_evidence(wall)[found].mean()), 3),
        "smoothness": round(float(np.exp(-jump / 2.0)), 3),
        "slices_found": round(len(found) / len(wall.blood), 3),
        "slices": f"{found[0] + 1} to {found[-1] + 1} of {len(wall.blood)}",
        "right_ventricle": round(float(right[found].any(axis=(1, 2)).mean()), 3),
    }
