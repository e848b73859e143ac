"""Stored pixels as signal, after their count and format have been checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.ingest.dicom_file import EXPORT_AGAIN, number, read_dataset, refusing, text
from cardiotwin.ingest.slices import Slice
from cardiotwin.ingest.wording import refusal, shown, tagged

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

BITS = (8, 16, 32)
MOST_DECODED_BYTES = 2 << 30


class PixelSource:
    """Reads slices, and keeps the last file decoded, because an enhanced object holds many slices."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._stored = np.empty((0, 0, 0))

    def signal(self, one: Slice) -> np.ndarray:
        """(rows, columns) float32: stored values times slope plus intercept of this slice."""
        if one.path != self._path:
            file = one.name.split(" frame ")[0]
            self._stored = stored_pixels(read_dataset(one.path, file, pixels=True), file)
            self._path = one.path
        signal = (self._stored[one.frame] * one.slope + one.intercept).astype(np.float32)
        if not np.isfinite(signal).all():
            raise InputRejected(f"{one.name}: pixels are not finite after RescaleSlope (0028,1053). {EXPORT_AGAIN}")
        return signal


def stored_pixels(dataset: Dataset, name: str) -> np.ndarray:
    """(frames, rows, columns) as stored.

    Raises
    ------
    InputRejected
        Colour, a bit layout that contradicts itself, fewer bytes than rows x columns, or no decoder.
    """
    frames = int(number(dataset, "NumberOfFrames", name, least=1, most=1e6)) if "NumberOfFrames" in dataset else 1
    rows, columns = (int(number(dataset, key, name, least=1, most=1e5)) for key in ("Rows", "Columns"))
    _check_layout(dataset, name)
    needed = frames * rows * columns * int(dataset.BitsAllocated) // 8
    if needed > MOST_DECODED_BYTES:
        raise refusal(
            name, f"{needed} bytes of pixels", f"at most {MOST_DECODED_BYTES}", "Export fewer frames per file"
        )
    where = f"{name}: {tagged('PixelData')}"
    with refusing(name, "PixelData (7FE0,0010) cannot be read"):
        pixels = dataset.get("PixelData")
        compressed = dataset.file_meta.TransferSyntaxUID.is_compressed
        deflated = dataset.file_meta.TransferSyntaxUID.is_deflated
    if not pixels:
        raise refusal(where, "nothing", f"{needed} bytes", EXPORT_AGAIN)
    if (not compressed or deflated) and len(pixels) < needed:
        raise refusal(where, f"{len(pixels)} bytes", f"{needed} (frames x rows x columns x bytes)", EXPORT_AGAIN)
    try:
        with refusing(name, "PixelData (7FE0,0010) cannot be decoded"):
            return np.asarray(dataset.pixel_array).reshape(frames, rows, columns)
    except InputRejected as refused:
        if not compressed or deflated:
            raise
        syntax = shown(dataset.file_meta.TransferSyntaxUID)
        raise InputRejected(
            f"{refused} Or its transfer syntax {syntax} has no decoder here: "
            "pip install pylibjpeg-openjpeg pylibjpeg-rle pyjpegls"
        ) from None


def _check_layout(dataset: Dataset, name: str) -> None:
    samples = number(dataset, "SamplesPerPixel", name, least=1, most=4)
    photometric = text(dataset, "PhotometricInterpretation")
    if samples != 1 or photometric != "MONOCHROME2":
        where = f"{name}: {tagged('PhotometricInterpretation')}"
        raise refusal(where, shown(photometric), "MONOCHROME2, one sample per pixel", "Export the original series")
    allocated, stored = (number(dataset, key, name, least=1, most=64) for key in ("BitsAllocated", "BitsStored"))
    high = number(dataset, "HighBit", name, least=0, most=63) if "HighBit" in dataset else stored - 1
    if allocated not in BITS or stored > allocated or high != stored - 1:
        raise refusal(
            f"{name}: {tagged('BitsAllocated')}",
            f"{allocated:g} bits, {stored:g} stored, high bit {high:g}",
            "8, 16 or 32 bits, no more stored than allocated, high bit one below",
            EXPORT_AGAIN,
        )
    number(dataset, "PixelRepresentation", name, least=0, most=1)
