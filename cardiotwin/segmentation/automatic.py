"""A short-axis stack to labels, without training data: physical priors and the image's own statistics."""

from __future__ import annotations

import numpy as np

from cardiotwin.errors import QualityGate
from cardiotwin.imaging import Image
from cardiotwin.progress import Progress, silent
from cardiotwin.segmentation.confidence import Drawn, confidence_by_slice, told
from cardiotwin.segmentation.contours import Wall, find_wall, ring_evidence
from cardiotwin.segmentation.drawing import drawn, slices_found
from cardiotwin.segmentation.labels import LV_BLOOD, MYOCARDIUM, RV_BLOOD, Segmentation, seen, with_scar
from cardiotwin.segmentation.locate import locate
from cardiotwin.segmentation.methods import chosen_method
from cardiotwin.segmentation.plugins import segment_with
from cardiotwin.segmentation.remote import reported
from cardiotwin.segmentation.right_plausible import doubt
from cardiotwin.segmentation.right_ventricle import right_blood, right_wall
from cardiotwin.segmentation.scar import enhancement
from cardiotwin.settings import SegmentSettings

FEWEST_SLICES = 3
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
        No left ventricle, fewer than 3 slices of it, too little contrast between blood and myocardium, or too many
        slices that cannot be trusted.
    """
    settings = settings or SegmentSettings()
    if settings.method != "automatic":
        return segment_with(settings.method, image)
    _check_values(image)
    progress(0.0, "looking for the left ventricle")
    axis = locate(image)
    progress(0.3, "contours of the wall")
    wall = find_wall(image, axis)
    found = slices_found(wall, image)
    contrast = _check_found(wall, found)
    labels = drawn(wall, found, image)
    check_parted(image, labels)
    progress(0.6, "looking again from elsewhere")
    judged = told(confidence_by_slice(image, Drawn(axis, wall, found, labels)), settings)
    progress(0.8, "right ventricle")
    right = right_blood(image, wall, found, labels > 0)
    labels[right] = RV_BLOOD
    ruled = right_wall(right, labels > 0, image.spacing_mm[::-1], settings.rv_wall_mm)
    confidence = _confidence(wall, found, contrast, right) | judged
    if why := doubt(Segmentation(labels, image.affine, None, False, {}), image):
        confidence["right_ventricle_doubtful"] = why
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
        "specks": f"{scar.specks_mm3:.0f} mm3",
    }
    left_wall = int((labels == MYOCARDIUM).sum())
    labels[ruled] = MYOCARDIUM
    plain = Segmentation(labels, image.affine, scar.signal, True, confidence, scar.measured, scar.faintest)
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


def _check_found(wall: Wall, found: np.ndarray) -> float:
    if len(found) == 0:
        raise QualityGate("image: no left ventricle found (no bright cavity ringed by a dark wall); is it short axis?")
    if len(found) < FEWEST_SLICES:
        listed = f"slice {found[0] + 1}" if len(found) == 1 else f"slices {found[0] + 1} and {found[-1] + 1}"
        raise QualityGate(
            f"image: found the whole ring of the left ventricle in {len(found)} of {len(wall.blood)} slices "
            f"({listed}); expected at least {FEWEST_SLICES} side by side. Give the short-axis stack from base to "
            "apex, or a label map"
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


def _confidence(
    wall: Wall, found: np.ndarray, contrast: float, right: np.ndarray
) -> dict[str, float | str | tuple[float, ...]]:
    jump = np.abs(np.diff(wall.endocardium[found], axis=1)).mean()
    return {
        "contrast": round(contrast, 3),
        "ring": round(float(ring_evidence(wall)[found].mean()), 3),
        "smoothness": round(float(np.exp(-jump / 2.0)), 3),
        "slices_found": round(len(found) / len(wall.blood), 3),
        "slices": f"{found[0] + 1} to {found[-1] + 1} of {len(wall.blood)}",
        "right_ventricle": round(float(right[found].any(axis=(1, 2)).mean()), 3),
    }
