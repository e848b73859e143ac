"""What one DICOM file says about its slices: geometry, timing and scale, checked tag by tag."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardiotwin.ingest.dicom_file import EXPORT_AGAIN, number, numbers, text
from cardiotwin.ingest.wording import refusal, shown, tagged

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MOST_ROWS = 8192
MOST_FRAMES = 10_000
MOST_COORDINATE_MM = 1e4
ORIENTATION_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Slice:
    """One frame of one file, as its header describes it.

    Attributes
    ----------
    path, name, frame : Path, str, int
        Where the pixels are; what a refusal calls the file; which frame of it, from 0.
    shape : (int, int)
        Rows and columns.
    orientation : (2, 3) float64
        Unit vectors along increasing column and along increasing row, LPS.
    position_mm : (3,) float64
        Centre of the first pixel, LPS.
    spacing_mm : (2,) float64
        Between columns, between rows.
    thickness_mm : float
        NaN where the header is silent.
    time_ms : float
        After the R wave; NaN where the header is silent.
    turn : float
        Place among the frames of one position, for headers without a time: temporal position, else instance number;
        NaN where the header is silent.
    slope, intercept : float
        Stored value to signal.
    """

    path: Path
    name: str
    frame: int
    shape: tuple[int, int]
    orientation: np.ndarray
    position_mm: np.ndarray
    spacing_mm: np.ndarray
    thickness_mm: float
    time_ms: float
    turn: float
    slope: float
    intercept: float


def slices_of(dataset: Dataset, path: Path, name: str) -> tuple[Slice, ...]:
    """The slices of one image file; several for an enhanced multi-frame object.

    Raises
    ------
    InputRejected
        A geometry tag is missing, out of range or not orthogonal; rows, columns or frames are absurd.
    """
    shape = (
        int(number(dataset, "Rows", name, least=1, most=MOST_ROWS)),
        int(number(dataset, "Columns", name, least=1, most=MOST_ROWS)),
    )
    frames = 1
    if "NumberOfFrames" in dataset:
        frames = int(number(dataset, "NumberOfFrames", name, least=1, most=MOST_FRAMES))
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        if frames > 1:
            where = f"{name}: {tagged('PerFrameFunctionalGroupsSequence')}"
            raise refusal(where, f"nothing for {frames} frames", "the position of each frame", EXPORT_AGAIN)
        return (_slice(dataset, dataset, path, name, 0, shape),)
    groups = dataset.PerFrameFunctionalGroupsSequence
    if len(groups) != frames:
        where = f"{name}: {tagged('PerFrameFunctionalGroupsSequence')}"
        raise refusal(where, f"{len(groups)} items", f"{frames}, one per frame", EXPORT_AGAIN)
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    return tuple(
        _slice(_flat([*shared, group]), dataset, path, f"{name} frame {frame + 1}", frame, shape)
        for frame, group in enumerate(groups)
    )


def _flat(groups: list[Dataset]) -> Dataset:
    """The functional groups of one frame as one level of tags; what is per frame wins over what is shared."""
    from pydicom.dataset import Dataset

    flat = Dataset()
    for group in groups:
        for element in group:
            if element.VR == "SQ" and len(element.value) == 1:
                flat.update(element.value[0])
    return flat


def _slice(header: Dataset, dataset: Dataset, path: Path, name: str, frame: int, shape: tuple[int, int]) -> Slice:
    rows_mm, columns_mm = numbers(header, "PixelSpacing", 2, name, least=0.05, most=20.0)
    return Slice(
        path=path,
        name=name,
        frame=frame,
        shape=shape,
        orientation=_orientation(header, name),
        position_mm=numbers(
            header, "ImagePositionPatient", 3, name, least=-MOST_COORDINATE_MM, most=MOST_COORDINATE_MM
        ),
        spacing_mm=np.array([columns_mm, rows_mm]),
        thickness_mm=_optional(header, "SliceThickness", name, least=0.0, most=100.0),
        time_ms=_time_ms(header, name),
        turn=_turn(header, name),
        slope=_optional(header, "RescaleSlope", name, default=1.0),
        intercept=_optional(header, "RescaleIntercept", name, default=0.0),
    )


def _orientation(header: Dataset, name: str) -> np.ndarray:
    axes = numbers(header, "ImageOrientationPatient", 6, name, least=-1.001, most=1.001).reshape(2, 3)
    gram = axes @ axes.T
    if np.abs(gram - np.eye(2)).max() > ORIENTATION_TOLERANCE:
        raise refusal(
            f"{name}: {tagged('ImageOrientationPatient')}",
            f"lengths {gram[0, 0] ** 0.5:.4g} and {gram[1, 1] ** 0.5:.4g}, cosine {gram[0, 1]:.4g}",
            "two orthogonal unit vectors within 0.001",
            EXPORT_AGAIN,
        )
    # Six digits leave the axes 4e-7 from orthogonal, 1e-4 mm at the far corner. The second stays, as in ITK.
    normal = np.cross(axes[0], axes[1])
    second = axes[1] / np.linalg.norm(axes[1])
    return np.array([np.cross(second, normal / np.linalg.norm(normal)), second])


def _time_ms(header: Dataset, name: str) -> float:
    for keyword in ("TriggerTime", "NominalCardiacTriggerDelayTime"):
        if text(header, keyword):
            return number(header, keyword, name, least=-1e5, most=1e5)
    return np.nan


def _turn(header: Dataset, name: str) -> float:
    for keyword in ("TemporalPositionIdentifier", "TemporalPositionIndex", "InstanceNumber"):
        if not np.isnan(turn := _optional(header, keyword, name)):
            return turn
    return np.nan


def _optional(
    header: Dataset, keyword: str, name: str, *, least: float = -1e9, most: float = 1e9, default: float = np.nan
) -> float:
    value = text(header, keyword)
    result = number(header, keyword, name, least=least, most=most) if value and value != "None" else default
    if keyword == "RescaleSlope" and result == 0:
        raise refusal(f"{name}: {tagged(keyword)}", shown(value), "a number other than 0", EXPORT_AGAIN)
    return result
