"""From slices in any order to one stack with an affine: geometry decides, never names or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.ingest.slices import ORIENTATION_TOLERANCE, Slice
from cardiotwin.ingest.wording import tagged

SAME_POSITION_MM = 0.1
POSITION_TAG = "ImagePositionPatient"


@dataclass(frozen=True, eq=False)
class Tolerance:
    """How far real slices may lie from an even stack.

    Attributes
    ----------
    step : float
        Largest relative difference of one distance between slices from their median.
    in_plane_mm : float
        Largest sideways shift of a slice from the line through the first one.
    """

    step: float
    in_plane_mm: float


ONE_SERIES = Tolerance(step=0.01, in_plane_mm=0.2)
# Slices acquired in separate breath-holds are prescribed on one grid but exported one by one, with their own rounding.
ONE_SERIES_PER_SLICE = Tolerance(step=0.05, in_plane_mm=1.0)


@dataclass(frozen=True, eq=False)
class Grid:
    """Slices gathered by position.

    Attributes
    ----------
    frames : tuple of tuples of Slice
        For each position, in the order of the slice axis, its frames in the order of time.
    affine : (4, 4) float64
        Takes (column, row, slice, 1) to LPS, mm; right-handed.
    uneven : float
        Largest relative difference of a distance between slices from their median.
    """

    frames: tuple[tuple[Slice, ...], ...]
    affine: np.ndarray
    uneven: float


def normal_of(one: Slice) -> np.ndarray:
    """(3,) unit vector column x row: the slice direction of a right-handed stack."""
    return np.cross(one.orientation[0], one.orientation[1])


def parallel(one: Slice, other: Slice) -> bool:
    """Same orientation, pixel size and matrix."""
    return bool(
        np.abs(one.orientation - other.orientation).max() <= ORIENTATION_TOLERANCE
        and np.allclose(one.spacing_mm, other.spacing_mm, rtol=1e-4)
        and one.shape == other.shape
    )


def in_line(one: Slice, other: Slice, within_mm: float) -> bool:
    """Whether `other` lies straight above or below `one`."""
    return _sideways_mm(np.array([other.position_mm - one.position_mm]), normal_of(one))[0] <= within_mm


def positions_of(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Slices gathered by their distance along the common normal, sorted along it."""
    normal = normal_of(slices[0])
    ordered = sorted(slices, key=lambda one: float(one.position_mm @ normal))
    groups = [[ordered[0]]]
    for one in ordered[1:]:
        apart = (one.position_mm - groups[-1][0].position_mm) @ normal
        if apart < SAME_POSITION_MM:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def make_grid(slices: Sequence[Slice], tolerance: Tolerance, *, one_frame: bool) -> Grid:
    """Even, parallel, in-line slices as one right-handed grid, each position with one frame if `one_frame`.

    Raises
    ------
    InputRejected
        Orientations, pixel sizes or matrices differ; a slice is missing, doubled, shifted sideways or unevenly spaced.
        The line names the slices, counted from 1 along the slice axis.
    """
    check_parallel(slices)
    groups = positions_of(slices)
    if one_frame:  # first, because a slice that took another's place also leaves a gap
        _check_one_frame(groups)
    firsts = np.array([group[0].position_mm for group in groups])
    normal = normal_of(groups[0][0])
    _check_sideways(slices, normal, tolerance)
    distances = (firsts - firsts[0]) @ normal
    uneven = _check_steps(groups, distances, tolerance)
    step_mm = distances[-1] / max(len(groups) - 1, 1) or groups[0][0].thickness_mm
    affine = np.eye(4)
    affine[:3, :2] = groups[0][0].orientation.T * groups[0][0].spacing_mm
    affine[:3, 2] = normal * step_mm
    affine[:3, 3] = firsts[0]
    return Grid(tuple(tuple(in_time(group)) for group in groups), affine, uneven)


def in_time(group: Sequence[Slice]) -> list[Slice]:
    """The frames of one position in the order of time: by trigger time where all have one, else by their turn.

    Instance numbers mislead wherever a trigger time is given, so they only count where none is.
    """
    if not any(np.isnan(one.time_ms) for one in group):
        return sorted(group, key=lambda one: one.time_ms)
    if not any(np.isnan(one.turn) for one in group):
        return sorted(group, key=lambda one: one.turn)
    return list(group)


def check_parallel(slices: Sequence[Slice]) -> None:
    """Refuse slices that cannot share one grid; the odd one out is named."""
    # The one that most agree with, so that the file named is the damaged one.
    usual = max(slices[:3], key=lambda one: sum(parallel(one, other) for other in slices))
    for one in slices:
        if not parallel(usual, one):
            what = _difference(usual, one)
            raise InputRejected(
                f"{one.name}: {what} than {usual.name} of the same series; expected one orientation, pixel size and "
                "matrix. Export the series again, or name another one with series="
            )


def _difference(usual: Slice, one: Slice) -> str:
    if one.shape != usual.shape:
        return f"{tagged('Rows')} x {tagged('Columns')} {one.shape} rather {usual.shape}"
    if not np.allclose(one.spacing_mm, usual.spacing_mm, rtol=1e-4):
        return f"{tagged('PixelSpacing')} {one.spacing_mm[::-1]} mm rather {usual.spacing_mm[::-1]} mm"
    degrees = np.degrees(np.arccos(np.clip((one.orientation * usual.orientation).sum(axis=1).min(), -1, 1)))
    return f"{tagged('ImageOrientationPatient')} turned by {degrees:.2f} degrees rather"


def _check_one_frame(groups: list[list[Slice]]) -> None:
    for index, group in enumerate(groups):
        if len(group) > 1:
            raise InputRejected(
                f"{group[1].name}: {tagged(POSITION_TAG)} duplicates slice {index + 1} of {len(groups)} "
                f"({group[0].name}); expected one frame per position. Remove one of the two files"
            )


def _sideways_mm(offsets: np.ndarray, normal: np.ndarray) -> np.ndarray:
    return np.linalg.norm(offsets - np.outer(offsets @ normal, normal), axis=1)


def _check_sideways(slices: Sequence[Slice], normal: np.ndarray, tolerance: Tolerance) -> None:
    offsets = np.array([one.position_mm for one in slices])
    offsets = offsets - np.median(offsets - np.outer(offsets @ normal, normal), axis=0)
    sideways = _sideways_mm(offsets, normal)
    worst = int(sideways.argmax())
    if sideways[worst] > tolerance.in_plane_mm:
        raise InputRejected(
            f"{slices[worst].name}: {tagged(POSITION_TAG)} lies {sideways[worst]:.3g} mm sideways of the stack; "
            f"expected slices straight above each other within {tolerance.in_plane_mm:g} mm. "
            "Export the series again, or resample a tilted one"
        )


def _check_steps(groups: list[list[Slice]], distances: np.ndarray, tolerance: Tolerance) -> float:
    """The largest relative unevenness, if it is tolerable."""
    if len(groups) < 2:
        return 0.0
    steps = np.diff(distances)
    usual = float(np.median(steps))
    uneven = np.abs(steps / usual - 1)
    worst = int(uneven.argmax())
    if uneven[worst] <= tolerance.step:
        return float(uneven[worst])
    between = f"slices {worst + 1} ({groups[worst][0].name}) and {worst + 2} ({groups[worst + 1][0].name})"
    missing = round(steps[worst] / usual) - 1
    if missing >= 1 and abs(steps[worst] / usual - missing - 1) < 0.1:
        raise InputRejected(
            f"{missing} slice(s) missing between {between}: {tagged(POSITION_TAG)} gap {steps[worst]:.4g} mm, expected "
            f"{usual:.4g} mm. Export the whole series"
        )
    raise InputRejected(
        f"unequal steps: {tagged(POSITION_TAG)} of {between} are {steps[worst]:.4g} mm apart, expected {usual:.4g} mm "
        f"within {100 * tolerance.step:g} %. Export the series again"
    )
