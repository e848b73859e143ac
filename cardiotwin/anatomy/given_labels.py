"""Somebody's label map as a segmentation: decoded, held against anatomy, refused where it would be no heart."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.heart.labelled_stack import base_first
from cardiotwin.imaging import Image, apply_affine
from cardiotwin.ingest.anatomy import check_not_mirrored
from cardiotwin.segmentation import BORDER_ZONE, CORE, LV_BLOOD, RV_BLOOD, Segmentation, from_label_map
from cardiotwin.segmentation.coding import decode, right_wall_by_name
from cardiotwin.segmentation.label_map import LabelMap
from cardiotwin.segmentation.labels import MUSCLE
from cardiotwin.segmentation.plausible import contact_mm2, surface_mm2
from cardiotwin.segmentation.right_plausible import doubt
from cardiotwin.settings import LabelSettings

LEAST_IN_IMAGE = 0.9
"""Share of a labelled heart within the image of the same twin, to half a voxel. A real cine's own contours have 1.00, a
heart of another patient, 63 mm away, 0.73."""
LARGEST_TILT_DEG = 15.0
"""Between slices drawn and slices imaged."""
LEAST_ELONGATION = 1.5
"""Longest over shortest side of a voxel, from which the longest is the distance between slices."""
MOST_OF_RIGHT = 0.25
"""Share of the right pool's surface that scar may cover: a right free wall covered 0.50 of it, real scar 0.001."""
LEAST_TAPER = 0.15
"""By how much cross-sections of a stack with an apex differ at least; in two real stacks by 0.80 and 0.99."""
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
        A label of unknown meaning, a heart that is mirrored or in another frame, no ring of muscle; scar around the
        right ventricle that the settings do not name as scar.
    QualityGate
        No blood pools; a myocardium outside 20 to 500 mL.
    """
    try:
        found, note = decode(label_map, settings)
        twist_deg = _twist_deg(found, label_map.affine, settings)
        if not settings.core:
            _check_scar(found, label_map.affine)
        segmentation = replace(from_label_map(found, label_map.affine), right_wall=right_wall_by_name(label_map))
        base_first(segmentation)  # what the mesher would refuse
    except (InputRejected, QualityGate) as error:
        raise type(error)(f"{file}: {str(error).removeprefix('label map: ')}" if file else str(error)) from None
    lines = [note.removeprefix("label map: ")] if note else []
    lines += [LEFT_ONLY] if math.isnan(twist_deg) else []
    lines += _oddities(segmentation)
    return segmentation, tuple(f"{file or 'label map'}: {line}" for line in lines)


def _twist_deg(found: np.ndarray, affine: np.ndarray, settings: LabelSettings) -> float:
    """As `check_not_mirrored`, which cannot know that somebody may have exchanged the pools."""
    try:
        return check_not_mirrored(found, affine)
    except InputRejected as error:
        also = ", or lv_blood and rv_blood are exchanged in [labels] of twin.toml" if settings.rv_blood else ""
        raise InputRejected(f"{error}{also}") from None


def _check_scar(found: np.ndarray, affine: np.ndarray) -> None:
    """Refuse the right free wall of a tool unknown to us, read as the scar that has its code here."""
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
    scar, right = np.isin(found, (CORE, BORDER_ZONE)), found == RV_BLOOD
    on_right = contact_mm2(scar, right, spacing_mm)
    on_left = contact_mm2(scar, found == LV_BLOOD, spacing_mm)
    if on_right > MOST_OF_RIGHT * surface_mm2(right, spacing_mm) and on_right > 3 * on_left:
        raise InputRejected(
            f"label map: found scar on {1e-2 * on_right:.0f} cm² of the right ventricular blood and "
            f"{1e-2 * on_left:.0f} cm² of the left; expected scar of the left ventricle. It is rather the right free "
            "wall: say under [labels] in twin.toml of every label what it is, that one under myocardium (or core)"
        )


def _oddities(segmentation: Segmentation) -> list[str]:
    """A line for what makes a heart of the wrong size or shape without being wrong in itself."""
    lines = [why] if (why := doubt(segmentation)) else []
    matrix = segmentation.affine
    if np.array_equal(np.abs(matrix[:3, :3]), np.eye(3)) and not np.delete(matrix[:3, 3], 2).any():
        lines.append(
            "its affine is the identity, voxels of 1 mm at the origin: their true size and place are probably lost, "
            "and every volume and time with them"
        )
    if (segmentation.labels == CORE).any() and not (segmentation.labels == BORDER_ZONE).any():
        lines.append(
            "core but no border zone: waves turn around scar, not through it, nothing can be homogenised, and both "
            "border-zone profiles are the same heart (`induce.border_zone_profiles` may name one). Draw it as 5 if you "
            "have it, or name all labels under [labels], such as border_zone = [4]"
        )
    areas = np.isin(segmentation.labels, (LV_BLOOD, *MUSCLE)).sum(axis=(1, 2))
    areas = areas[areas > 0]
    if len(areas) > 2 and np.ptp(areas) < LEAST_TAPER * areas.max():
        lines.append(
            f"left ventricle and muscle have the same cross-section in all {len(areas)} slices, within "
            f"{100 * np.ptp(areas) / areas.max():.0f} %: there is no apex. Is it one slice at several times?"
        )
    return lines


def check_within(segmentation: Segmentation, image: Image, file: str = "") -> None:
    """Refuse labels that lie beside the image of the same twin, or across it.

    Another patient's heart often lies partly in the image: scanners place both near the middle of the magnet. It is
    found where it leaves the stack, not where it happens to lie inside.

    Raises
    ------
    InputRejected
        Less than `LEAST_IN_IMAGE` of the heart lies in the image's volume, or the slices of the two are tilted by more
        than `LARGEST_TILT_DEG`.
    """
    labelled = np.argwhere(segmentation.labels > 0)[:, ::-1]
    drawn = apply_affine(segmentation.affine, labelled)
    size = np.array(image.values.shape[::-1])
    index = apply_affine(np.linalg.inv(image.affine), drawn)
    inside = np.all((index > -1.0) & (index < size), axis=1)  # of voxels' middles: half a voxel of slack on every side
    tilt_deg = _tilt_deg(segmentation.affine, image.affine)
    found = []
    if inside.mean() < LEAST_IN_IMAGE:
        found.append(
            f"{inside.sum()} of {len(labelled)} labelled voxels within the {image.kind} image "
            f"(expected {100 * LEAST_IN_IMAGE:g} % or more)"
        )
    if tilt_deg > LARGEST_TILT_DEG:
        found.append(
            f"slices tilted by {tilt_deg:.0f} degrees against those of the {image.kind} image "
            f"(expected {LARGEST_TILT_DEG:g} or less, or cubic voxels)"
        )
    if found:
        apart_mm = np.linalg.norm(drawn.mean(axis=0) - image.to_lps((size[None] - 1) / 2)[0])
        raise InputRejected(
            f"{file or 'label map'}: found {' and '.join(found)}, the middle of the heart drawn {apart_mm:.0f} mm from "
            "the middle of the image. Its affine is wrong, or one of the two is of another study or patient: save it "
            "with the image's geometry, take the one that does not belong here out with `cardiotwin remove`, or start "
            "a new twin"
        )


def _tilt_deg(one: np.ndarray, other: np.ndarray) -> float:
    """Between the slices of two grids, degrees; 0 where the voxels of either are (nearly) cubes and nothing is told."""
    normals = []
    for affine in (one, other):
        spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
        if spacing_mm.max() < LEAST_ELONGATION * spacing_mm.min():
            return 0.0
        across = int(spacing_mm.argmax())
        normals.append(affine[:3, across] / spacing_mm[across])
    return float(np.degrees(np.arccos(min(1.0, abs(normals[0] @ normals[1])))))
