"""DICOM segmentation objects in, through highdicom (the extra `dicom`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardiotwin.errors import ResourceLimit, SettingsError
from cardiotwin.imaging import right_handed
from cardiotwin.ingest.dicom_file import number, read_dataset, refusing, text
from cardiotwin.ingest.volume_header import MOST_BYTES
from cardiotwin.ingest.wording import refusal, shown
from cardiotwin.segmentation.label_map import MOST_SEGMENTS, LabelMap, Segment, layered

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage."""


def highdicom() -> Any:
    """The package, or a refusal that names the extra it is in."""
    try:
        import highdicom
    except ImportError:
        raise SettingsError(
            "DICOM segmentations: found no package `highdicom`; expected the extra `dicom`. "
            "pip install cardiotwin[dicom], or save the labels as .nii.gz"
        ) from None
    return highdicom


def read_dicom_seg(path: Path, name: str) -> LabelMap:
    """Read the segments of one object; they may overlap, and frames without a voxel may be left out of it.

    Raises
    ------
    InputRejected
        Damaged, no segmentation, fractions instead of labels, frames that form no volume.
    ResourceLimit
        More than 4 GiB of voxels.
    SettingsError
        highdicom is not installed.
    """
    reader = highdicom()
    dataset = read_dataset(path, name, pixels=True)
    if text(dataset, "SOPClassUID") not in SEGMENTATION_CLASSES:
        raise refusal(name, "another DICOM object", "a DICOM segmentation", "Give the segmentation's file")
    if text(dataset, "SegmentationType") == "FRACTIONAL":
        raise refusal(name, "fractional segments", "BINARY or LABELMAP", "Export a binary segmentation")
    rows, columns, frames = (
        int(number(dataset, keyword, name, least=1, most=most))
        for keyword, most in (("Rows", 8192), ("Columns", 8192), ("NumberOfFrames", 10_000))
    )
    if rows * columns * frames > MOST_BYTES:
        raise ResourceLimit(f"{name}: {frames} frames of {rows} x {columns}; limit {MOST_BYTES} voxels. Crop it")
    numbers, segments = _segments(dataset, name)
    with refusing(name, "the segmentation cannot be read"):
        volume = reader.seg.Segmentation.from_dataset(dataset, copy=False).get_volume(
            segment_numbers=numbers, combine_segments=False
        )
        masks, affine = np.asarray(volume.array) > 0, np.asarray(volume.affine, np.float64)
    return _label_map(masks, affine, segments)


def _segments(dataset: Dataset, name: str) -> tuple[list[int], list[Segment]]:
    with refusing(name, "the segments cannot be read"):
        segments = [
            Segment(int(item.SegmentNumber), shown(text(item, "SegmentLabel")))
            for item in dataset.SegmentSequence
            if int(item.SegmentNumber) > 0
        ]
    if not 0 < len(segments) <= MOST_SEGMENTS:
        raise refusal(name, f"{len(segments)} segments", f"1 to {MOST_SEGMENTS}", "Export the heart's segments alone")
    return [segment.value for segment in segments], segments


def _label_map(masks: np.ndarray, affine: np.ndarray, segments: list[Segment]) -> LabelMap:
    """highdicom's axes are (slice, row, column); ours are their reverse in the affine."""
    ours = affine[:, [2, 1, 0, 3]]
    ordered, ours = right_handed(masks, ours)
    return layered([ordered[..., k] for k in range(len(segments))], segments, ours, "a DICOM segmentation")
