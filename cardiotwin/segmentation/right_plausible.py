"""Whether what is drawn as the right ventricle may be one: as large as a left one, nearly, and filled with blood.

Confidence judges the left ventricle. A right one that is pressed flat, or was drawn in the fat beside it, shows in
three plain figures (`doubt`); measured on two real hearts, two phantoms and twelve with a right ventricle squeezed to
between 0 and 12 mL, as which the automatic contours drew 4 to 10, mostly in fat.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cardiotwin.imaging import Image
from cardiotwin.segmentation.labels import LV_BLOOD, RV_BLOOD, Segmentation, volumes_ml

LEAST_OF_LEFT = 0.35
"""Volume of right over left blood: 0.59 to 1.02 in hearts as they are, 0.11 to 0.31 in squeezed ones."""
LEAST_WIDTH_MM = 10.0
"""Of the largest circle in any slice: 13 to 51 mm in hearts as they are, 6 to 7 in squeezed ones."""
MOST_OF_LEFT_SIGNAL = 1.2
"""Median signal of right over left blood: 0.86 and 1.02 to 1.03 where it is blood, 1.25 to 1.34 in fat."""
ADVICE = "look at its contours, and draw it in a label map if they are wrong"


def doubt(segmentation: Segmentation, image: Image | None = None) -> str:
    """Why the right ventricle drawn may be none, and what to do; "" where it may be one, or none is drawn.

    Parameters
    ----------
    segmentation : Segmentation
    image : Image or None
        On the same grid, for the signal of what was drawn.
    """
    right, left = segmentation.labels == RV_BLOOD, segmentation.labels == LV_BLOOD
    if not right.any() or not left.any():
        return ""
    volumes, found = volumes_ml(segmentation), []
    share, width_mm = volumes["rv_blood"] / volumes["lv_blood"], _width_mm(right, segmentation.affine)
    if share < LEAST_OF_LEFT:
        found.append(f"{100 * share:.0f} % of the left one's blood (expected {100 * LEAST_OF_LEFT:.0f} or more)")
    if width_mm < LEAST_WIDTH_MM:
        found.append(f"nowhere wider than {width_mm:.0f} mm in its slices (expected {LEAST_WIDTH_MM:.0f} or more)")
    if image is not None:
        bright = float(np.median(image.values[right]) / max(float(np.median(image.values[left])), 1e-12))
        if bright > MOST_OF_LEFT_SIGNAL:
            found.append(f"{bright:.1f} times as bright as left blood, as fat is")
    return f"right ventricle of {volumes['rv_blood']:.1f} mL: {', '.join(found)}; {ADVICE}" if found else ""


def _width_mm(mask: np.ndarray, affine: np.ndarray) -> float:
    """Diameter of the largest circle in any slice."""
    pixel_mm = np.linalg.norm(np.asarray(affine)[:3, :2], axis=0)[::-1]
    depth = (ndimage.distance_transform_edt(np.pad(one, 1), sampling=pixel_mm).max() for one in mask)
    return 2.0 * float(max(depth))
