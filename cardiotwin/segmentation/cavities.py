"""Volumes of the cavities as drawn, with the two things that such a number means nothing without: phase and base."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cardiotwin.segmentation.labels import LV_BLOOD, NAMES, RV_BLOOD, Segmentation, volumes_ml
from cardiotwin.segmentation.locate import TOWARDS_APEX

PHASES = {
    "cine": "first frame of the cine, taken as end-diastole",
    "lge": "as in the LGE image, which is usually taken in mid-diastole: not the end-diastolic volume",
    "": "that of the image that the label map was drawn on, which it does not say",
}
"""By the kind of image that the contours were found in; "" where they were given."""


@dataclass(frozen=True)
class Cavities:
    """Blood of both ventricles.

    Attributes
    ----------
    left_ml, right_ml : float
        mL; NaN where that ventricle's blood was not drawn.
    phase : str
        When in the cardiac cycle.
    cut : str
        Where the cavities end at the base.
    """

    left_ml: float
    right_ml: float
    phase: str
    cut: str


def cavities(segmentation: Segmentation, image_kind: str | None) -> Cavities:
    """Voxels of blood times what a voxel holds, gaps between slices included: Simpson's rule of discs.

    Parameters
    ----------
    segmentation : Segmentation
    image_kind : str or None
        ``"lge"`` or ``"cine"``: what automatic contours were found in; not asked where the labels were given.
    """
    kind = "" if segmentation.is_given else image_kind or ""
    volumes = volumes_ml(segmentation)
    left, right = (volumes[NAMES[code]] or math.nan for code in (LV_BLOOD, RV_BLOOD))
    ends = [f"{name} {where}" for name, where in (
        ("left", _slices(segmentation, LV_BLOOD)), ("right", _slices(segmentation, RV_BLOOD)),
    ) if where]  # fmt: skip
    cut = (
        f"{' and '.join(ends)} of {len(segmentation.labels)}, papillary muscles as drawn; no valve plane is known: "
        "blood beyond the last slice drawn is not counted"
    )
    return Cavities(left, right, PHASES[kind], cut)


def _slices(segmentation: Segmentation, code: int) -> str:
    """``slices 3 (base) to 14 (apex)``, counted from 1 in the order of the stack."""
    held = np.flatnonzero((segmentation.labels == code).any(axis=(1, 2))) + 1
    ends = ("base", "apex") if segmentation.affine[:3, 2] @ TOWARDS_APEX > 0 else ("apex", "base")
    return f"slices {held[0]} ({ends[0]}) to {held[-1]} ({ends[1]})" if len(held) else ""
