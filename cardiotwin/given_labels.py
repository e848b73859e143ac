"""Somebody's label map as a segmentation: decoded, held against anatomy, refused where it would be no heart."""

from __future__ import annotations

import math

import numpy as np

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.imaging import Image, apply_affine
from cardiotwin.ingest.anatomy import check_not_mirrored
from cardiotwin.labelled_stack import base_first
from cardiotwin.segmentation import Segmentation, from_label_map
from cardiotwin.segmentation.coding import decode
from cardiotwin.segmentation.label_map import LabelMap
from cardiotwin.settings import LabelSettings

LEAST_IN_IMAGE = 0.5
"""Share of a labelled heart within the image of the same twin; slices above and below it may be missing."""
LEFT_ONLY = (
    "no right ventricle in it: the heart will be the left one alone, its septum taken to lie on the patient's right; "
    "an ECG is then explained without the right ventricle, and whether the map is mirrored cannot be seen. Draw the "
    "right ventricular blood if you can"
)


def as_segmentation(
    label_map: LabelMap, settings: LabelSettings, file: str = ""
) -> tuple[Segmentation, tuple[str, ...]]:
    """The segmentation a label map stands for, and a line on what was guessed and on what it lacks.

    Parameters
    ----------
    label_map : LabelMap
    settings : LabelSettings
        Which label is which region; all empty: guessed and held against anatomy.
    file : str
        For messages.

    Raises
    ------
    InputRejected
        A label of unknown meaning, a heart that is mirrored or in another frame, no ring of muscle.
    QualityGate
        No blood pools; a myocardium outside 20 to 500 mL.
    """
    try:
        found, note = decode(label_map, settings)
        twist_deg = check_not_mirrored(found, label_map.affine)
        segmentation = from_label_map(found, label_map.affine)
        base_first(segmentation)  # what the mesher would refuse
    except (InputRejected, QualityGate) as error:
        raise type(error)(f"{file}: {str(error).removeprefix('label map: ')}" if file else str(error)) from None
    lines = [note.removeprefix("label map: ")] if note else []
    lines += [LEFT_ONLY] if math.isnan(twist_deg) else []
    return segmentation, tuple(f"{file or 'label map'}: {line}" for line in lines)


def check_within(segmentation: Segmentation, image: Image, file: str = "") -> None:
    """Refuse labels that lie beside the image of the same patient.

    Raises
    ------
    InputRejected
        Less than half of the heart lies in the image's volume.
    """
    labelled = np.argwhere(segmentation.labels > 0)[:, ::-1]
    index = apply_affine(np.linalg.inv(image.affine), apply_affine(segmentation.affine, labelled))
    inside = np.all((index > -1.0) & (index < np.array(image.values.shape[::-1])), axis=1)
    if inside.mean() < LEAST_IN_IMAGE:
        raise InputRejected(
            f"{file or 'label map'}: found {inside.sum()} of {len(labelled)} labelled voxels within the {image.kind} "
            f"image of this twin; expected {100 * LEAST_IN_IMAGE:g} % or more. Its affine is shifted, or it belongs to "
            "another image: save it with the image's geometry, or take that image out with `cardiotwin remove`"
        )
