"""A label map as its author coded it: segments with numbers and names, before anybody says what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import InputRejected

MOST_SEGMENTS = 64


@dataclass(frozen=True)
class Segment:
    """One segment of a label map.

    Attributes
    ----------
    value : int
        Its number in the file.
    name : str
        As the author called it; "" where the format has no names.
    """

    value: int
    name: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.name!a}" if self.name else str(self.value)


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Segments on a grid; they may overlap, as in 3D Slicer, MITK and DICOM.

    Attributes
    ----------
    codes : (n_slices, n_rows, n_columns) uint16
        Index into `members`; 0 where there is nothing.
    affine : (4, 4) float64
        Takes (column, row, slice, 1) to LPS, mm; right-handed.
    segments : tuple of Segment
        All that have a voxel.
    members : tuple of tuple of int
        Which segments, by index, a voxel of each code belongs to.
    form : str
        The format in a few words, for messages.
    """

    codes: np.ndarray
    affine: np.ndarray
    segments: tuple[Segment, ...]
    members: tuple[tuple[int, ...], ...]
    form: str

    def counts(self) -> tuple[int, ...]:
        """Voxels of each segment."""
        of_code = np.bincount(self.codes.ravel(), minlength=len(self.members))
        return tuple(
            int(sum(of_code[code] for code, parts in enumerate(self.members) if index in parts))
            for index in range(len(self.segments))
        )

    def listed(self, indices: Sequence[int] | None = None, most: int = 8) -> str:
        """``2 'Myocardium' (120 voxels), 3 (40 voxels)``: segments with their counts, for messages."""
        counts = self.counts()
        chosen = range(len(self.segments)) if indices is None else indices
        words = [f"{self.segments[i]} ({counts[i]} voxels)" for i in chosen]
        return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def plain(values: np.ndarray, affine: np.ndarray, names: dict[int, str], form: str) -> LabelMap:
    """One number a voxel.

    Parameters
    ----------
    values : (n_slices, n_rows, n_columns) of whole numbers
    names : dict of int to str
        Of the numbers that have one.
    """
    whole = values.astype(np.int64)
    low, high = int(whole.min()), int(whole.max())
    few = high - low < 1 << 24
    present = np.flatnonzero(np.bincount((whole - low).ravel())) + low if few else np.unique(whole)
    found = present[present != 0]
    _check_number(len(found), form)
    codes = np.zeros(whole.shape, np.uint16)
    for code, value in enumerate(found, start=1):
        codes[whole == value] = code
    segments = tuple(Segment(int(value), names.get(int(value), "")) for value in found)
    return LabelMap(codes, affine, segments, ((), *((k,) for k in range(len(found)))), form)


def layered(masks: Sequence[np.ndarray], segments: Sequence[Segment], affine: np.ndarray, form: str) -> LabelMap:
    """Segments that may overlap, each with its own (n_slices, n_rows, n_columns) mask."""
    _check_number(len(segments), form)
    kept = [k for k, mask in enumerate(masks) if mask.any()]
    if not kept:
        raise InputRejected(f"label map: found {form} without a voxel; draw it, or save it again")
    together = np.zeros(masks[0].shape, np.uint64)
    for bit, k in enumerate(kept):
        together |= np.where(masks[k], np.uint64(1) << np.uint64(bit), np.uint64(0))
    found, codes = np.unique(together, return_inverse=True)
    if found[0] != 0:  # code 0 stands for nothing, also where no voxel is empty
        found, codes = np.concatenate([[0], found]), codes + 1
    members = tuple(tuple(bit for bit in range(len(kept)) if int(value) >> bit & 1) for value in found)
    return LabelMap(
        codes.reshape(together.shape).astype(np.uint16), affine, tuple(segments[k] for k in kept), members, form
    )


def _check_number(count: int, form: str) -> None:
    if count > MOST_SEGMENTS:
        raise InputRejected(
            f"label map: found {form} with {count} different labels, expected at most {MOST_SEGMENTS}; is it an image?"
        )
