"""Stored pixels as signal, after their count and format have been checked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.ingest.dicom_file import EXPORT_AGAIN, number, read_dataset, refusing, text
from cardiotwin.ingest.guard import GUARD
from cardiotwin.ingest.slices import Slice
from cardiotwin.ingest.wording import refusal, shown, tagged

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

BITS = (8, 16, 32)
MOST_DECODED_BYTES = 2 << 30
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PIXEL_TAGS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
]
ITK_SYNTAXES = {
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended, 12 bits",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, first-order prediction",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
"""What the GDCM inside SimpleITK decodes. RLE pydicom decodes by itself, High-Throughput JPEG 2000 with a plug-in."""
INSTALL = "pip install cardiotwin[dicom]"


class PixelSource:
    """Reads slices, and keeps the last file decoded, because an enhanced object holds many slices."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._stored = np.empty((0, 0, 0))

    def signal(self, one: Slice) -> np.ndarray:
        """(rows, columns) float32: stored values times slope plus intercept of this slice."""
        if one.path != self._path:
            file = one.name.split(" frame ")[0]
            self._stored = stored_pixels(one.path, file)
            self._path = one.path
        signal = (self._stored[one.frame] * one.slope + one.intercept).astype(np.float32)
        if not np.isfinite(signal).all():
            raise InputRejected(f"{one.name}: pixels are not finite after RescaleSlope (0028,1053). {EXPORT_AGAIN}")
        return signal


def stored_pixels(path: Path, name: str) -> np.ndarray:
    """(frames, rows, columns) as stored; compressed ones are decoded in another process.

    Raises
    ------
    InputRejected
        Colour, a bit layout that contradicts itself, fewer bytes than rows x columns, or no decoder.
    """
    dataset = read_dataset(path, name, pixels=True)
    shape, _ = _size(dataset, name)
    pixels = GUARD.pixels(path, name) if _is_encapsulated(dataset, name) else decoded(dataset, name)
    if pixels.shape != shape:
        where = f"{name}: {tagged('PixelData')}"
        raise refusal(where, f"{pixels.shape} values", f"{shape} (frames, rows, columns)", EXPORT_AGAIN)
    return pixels


def decoded(dataset: Dataset, name: str) -> np.ndarray:
    """(frames, rows, columns) as stored, decoded in this very process: see `stored_pixels`, which is what to call."""
    shape, needed = _size(dataset, name)
    where = f"{name}: {tagged('PixelData')}"
    encapsulated = _is_encapsulated(dataset, name)
    with refusing(name, "PixelData (7FE0,0010) cannot be read"):
        pixels = dataset.get("PixelData")
    if not pixels:
        raise refusal(where, "nothing", f"{needed} bytes", EXPORT_AGAIN)
    if not encapsulated and len(pixels) < needed:
        raise refusal(where, f"{len(pixels)} bytes", f"{needed} (frames x rows x columns x bytes)", EXPORT_AGAIN)
    with refusing(name, "PixelData (7FE0,0010) cannot be decoded"):
        return np.asarray(_decode(dataset)).reshape(shape)


def _is_encapsulated(dataset: Dataset, name: str) -> bool:
    """Whether the pixels are compressed one by one, in a syntax that can be decoded here."""
    with refusing(name, f"{tagged('TransferSyntaxUID')} cannot be read"):
        syntax = dataset.file_meta.TransferSyntaxUID
        known = syntax.is_transfer_syntax and not syntax.is_private
        encapsulated = bool(known and syntax.is_encapsulated)
    if not known or (encapsulated and not has_decoder(syntax)):
        raise InputRejected(
            f"{name}: {tagged('TransferSyntaxUID')}: found {shown(syntax)}, which nothing here decodes; expected "
            f"another. {INSTALL}, or export without compression"
        )
    return encapsulated


def has_decoder(syntax: UID) -> bool:
    """Whether compressed pixels of a transfer syntax can be decoded with what is installed."""
    from pydicom.pixels import get_decoder

    try:
        return syntax in ITK_SYNTAXES or get_decoder(syntax).is_available
    except NotImplementedError:
        return False


def _decode(dataset: Dataset) -> np.ndarray:
    """By SimpleITK, which is always there, so that the same file gives the same pixels everywhere; else by pydicom.

    pydicom and its plug-ins decode most of these syntaxes too, bit for bit alike, and refuse the same damage; but
    12-bit JPEG and JPEG Lossless only with a plug-in under the GPL.
    """
    return _decode_by_itk(dataset) if dataset.file_meta.TransferSyntaxUID in ITK_SYNTAXES else dataset.pixel_array


def _decode_by_itk(dataset: Dataset) -> np.ndarray:
    """Of a copy with nothing but pixels: ITK would apply a rescale, and shift by what it makes of the position."""
    import SimpleITK
    from pydicom.dataset import Dataset

    bare = Dataset()
    bare.file_meta = dataset.file_meta
    bare.SOPClassUID, bare.SOPInstanceUID = SECONDARY_CAPTURE, "2.25.1"
    for keyword in PIXEL_TAGS:
        if keyword in dataset:
            bare.add(dataset[keyword])
    with tempfile.TemporaryDirectory(prefix="cardiotwin-") as folder:
        path = Path(folder) / "pixels.dcm"
        bare.save_as(path, enforce_file_format=True)
        image = SimpleITK.ReadImage(str(path), imageIO="GDCMImageIO")
    return SimpleITK.GetArrayFromImage(image)


def _size(dataset: Dataset, name: str) -> tuple[tuple[int, int, int], int]:
    """Frames, rows and columns, and the bytes they take when decoded; refused before anything is allocated."""
    frames = int(number(dataset, "NumberOfFrames", name, least=1, most=1e6)) if "NumberOfFrames" in dataset else 1
    rows, columns = (int(number(dataset, key, name, least=1, most=1e5)) for key in ("Rows", "Columns"))
    _check_layout(dataset, name)
    needed = frames * rows * columns * int(dataset.BitsAllocated) // 8
    if needed > MOST_DECODED_BYTES:
        raise refusal(
            name, f"{needed} bytes of pixels", f"at most {MOST_DECODED_BYTES}", "Export fewer frames per file"
        )
    return (frames, rows, columns), needed


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
