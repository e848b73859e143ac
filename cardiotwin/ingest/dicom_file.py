"""One DICOM file, read as if it had been written by an enemy.

pydicom is lenient on purpose: it accepts truncated files, inflates without limit and raises more than seven kinds of
exception on damage. Everything that reads a DICOM file in CardioTwin goes through :func:`read_dataset`, which lets
another process try first (:mod:`cardiotwin.ingest.guard`).
"""

from __future__ import annotations

import logging
import os
import warnings
import zlib
from collections.abc import Iterable, Iterator, MutableSequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cardiotwin.errors import CardioTwinError, InputRejected
from cardiotwin.ingest.guard import GUARD
from cardiotwin.ingest.wording import refusal, shown, tagged

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MOST_BYTES = 1 << 30
MOST_INFLATED_BYTES = 2 << 30
RATIO_ALLOWANCE_BYTES = 64 << 20
MOST_INFLATION = 100
MOST_DEPTH = 64
MOST_ELEMENTS = 200_000
UNDEFINED = 0xFFFFFFFF
"""Length of an element that ends with a mark."""
PIXEL_DATA = (0x7FE00008, 0x7FE00009, 0x7FE00010)
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPORT_AGAIN = "Export the file again"
TRUNCATED = "The file is truncated: export it again"


def begins_as_program(path: Path) -> bool:
    """Whether the preamble, which DICOM leaves free, is that of a program (CVE-2019-11687)."""
    with path.open("rb") as file:
        return file.read(4).startswith((b"MZ", b"\x7fELF"))


def undecoded(dataset: Dataset, keywords: Iterable[str]) -> bool:
    """Whether these texts are not in the character set that a file names, or that is none: they are read in part."""
    from pydicom.charset import python_encoding

    try:
        with quiet():
            named = dataset.get("SpecificCharacterSet") or ""
            terms = [named] if isinstance(named, str) else list(named)
    except Exception:  # a name that cannot be read names nothing
        return True
    return not set(terms) <= python_encoding.keys() or any("\ufffd" in text(dataset, keyword) for keyword in keywords)


def is_dicom(path: Path) -> bool:
    """Whether the file carries the mark ``DICM`` at byte 128."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_dataset(path: Path, name: str, *, pixels: bool) -> Dataset:
    """The data set of one Part 10 file.

    Parameters
    ----------
    path : Path
    name : str
        What a refusal calls the file.
    pixels : bool
        False stops before the pixel data.

    Raises
    ------
    InputRejected
        Not DICOM, truncated, larger than 1 GiB, inflating beyond 2 GiB or 100 to 1, or nested deeper than 64; the
        process that parsed it first died of it, or wanted more than 2 GiB or 120 s.
    """
    check_part_10(path, name)
    GUARD.check(path, name)
    return parse(path, name, pixels=pixels)


def check_part_10(path: Path, name: str) -> None:
    """Refuse what is no DICOM file, or too long for one.

    Raises
    ------
    InputRejected
    """
    size = path.stat().st_size
    if size == 0:
        raise refusal(name, "an empty file", "a DICOM file", EXPORT_AGAIN)
    if size > MOST_BYTES:
        raise refusal(name, f"{size} bytes", f"at most {MOST_BYTES}", "Export one series per file set")
    if not is_dicom(path):
        raise refusal(name, f"{size} bytes without the mark DICM at byte 128", "DICOM Part 10", EXPORT_AGAIN)


def parse(path: Path, name: str, *, pixels: bool) -> Dataset:
    """The data set of one Part 10 file, parsed in this very process: see `read_dataset`, which is what to call."""
    from pydicom.filereader import read_partial

    with refusing(name, "the header cannot be read"):
        deflated = _check_inflation(path, name)
        with path.open("rb") as file:
            stop = _Stop(name, pixels, None if deflated else file)
            dataset = read_partial(file, stop)
        _check_size(dataset, name)
        dataset._ends_early = not stop.at_pixels and "WaveformSequence" not in dataset
    return dataset


def ends_early(dataset: Dataset) -> bool:
    """Whether the file that a data set was read from ended before any pixels or waveform."""
    return bool(getattr(dataset, "_ends_early", False))


class _Stop:
    """Told of every element before it is read: says when to stop, and refuses too many while they are still few.

    Pixels that claim more bytes than the file has left are refused too; `file` is None where what is read is inflated.
    """

    def __init__(self, name: str, pixels: bool, file: BinaryIO | None) -> None:
        self._name, self._pixels, self._count, self._file = name, pixels, 0, file
        self.at_pixels = False

    def __call__(self, tag: int, vr: str | None, length: int) -> bool:
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise refusal(self._name, f"more than {MOST_ELEMENTS} elements", "fewer", EXPORT_AGAIN)
        self.at_pixels = self.at_pixels or tag in PIXEL_DATA
        if tag in PIXEL_DATA and length != UNDEFINED and self._file is not None:
            left = os.fstat(self._file.fileno()).st_size - self._file.tell()
            if length > left:
                where = f"{self._name}: {tagged('PixelData')}"
                raise refusal(where, f"{left} bytes", f"{length} as it declares", TRUNCATED)
        return not self._pixels and tag in PIXEL_DATA


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom from warning and logging: it quotes values, and with them names."""
    logger = logging.getLogger("pydicom")
    disabled = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = disabled


@contextmanager
def refusing(name: str, what: str) -> Iterator[None]:
    """Turn whatever a library raises on a damaged file into one typed line, without the values it saw.

    The exception's text is dropped on purpose: it may quote a patient's name.
    """
    try:
        with quiet():
            yield
    except CardioTwinError:
        raise
    except MemoryError:
        raise refusal(name, "more bytes to hold than there is memory for", "fewer", "Export fewer frames") from None
    except RecursionError:
        raise refusal(name, "sequences nested without end", f"at most {MOST_DEPTH} levels", EXPORT_AGAIN) from None
    except EOFError:
        raise refusal(name, "an end within an element", "all of the file", TRUNCATED) from None
    except Exception as error:  # seven types were seen in 5,000 random mutations; none of them is a bug of ours
        raise InputRejected(f"{name}: {what} ({type(error).__name__}); the file is damaged. {EXPORT_AGAIN}.") from None


def number(dataset: Dataset, keyword: str, name: str, *, least: float, most: float) -> float:
    """One number from the header, inside ``[least, most]``."""
    return float(numbers(dataset, keyword, 1, name, least=least, most=most)[0])


def numbers(dataset: Dataset, keyword: str, count: int, name: str, *, least: float, most: float) -> np.ndarray:
    """(count,) float64 from the header, each finite and inside ``[least, most]``.

    Raises
    ------
    InputRejected
        Missing, not a number, wrong count, out of range; the line names the tag.
    """
    where, expected = f"{name}: {tagged(keyword)}", f"{count} number(s) from {least:g} to {most:g}"
    with refusing(name, f"{tagged(keyword)} cannot be read"):
        value = dataset.get(keyword)
    if value is None or value == "":
        raise refusal(where, "nothing", expected, EXPORT_AGAIN)
    if not _is_plain(value):  # a sequence where a number should be may hold anybody's name
        raise refusal(where, f"a {type(value).__name__}", expected, EXPORT_AGAIN)
    try:
        values = np.atleast_1d(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        raise refusal(where, shown(value), expected, EXPORT_AGAIN) from None
    if values.shape != (count,) or not np.isfinite(values).all() or (values < least).any() or (values > most).any():
        raise refusal(where, shown(value), expected, EXPORT_AGAIN)
    return values


def text(dataset: Dataset, keyword: str) -> str:
    """A header text, stripped; empty where it is missing or unreadable."""
    try:
        with quiet():
            value = dataset.get(keyword)
            return "" if value is None else str(value).strip()
    except Exception:  # a text that cannot be decoded decides nothing here
        return ""


def _is_plain(value: object) -> bool:
    """Whether a value is a number, a text or a list of these."""
    values = value if isinstance(value, MutableSequence) else [value]
    return all(isinstance(one, str | int | float | Decimal) for one in values)


def _check_inflation(path: Path, name: str) -> bool:
    """Whether a file is deflated; one that grows too far is refused, by inflating it in pieces and keeping none."""
    from pydicom.filereader import read_file_meta_info

    meta = read_file_meta_info(path)
    if str(meta.get("TransferSyntaxUID", "")) != DEFLATED:
        return False
    start = 132 + 12 + int(meta.FileMetaInformationGroupLength)
    packed, inflated, machine = path.stat().st_size, 0, zlib.decompressobj(-zlib.MAX_WBITS)
    with path.open("rb") as file:
        file.seek(start)
        piece = file.read(1 << 16)
        while piece:
            inflated += len(machine.decompress(piece, 1 << 22))
            piece = machine.unconsumed_tail or file.read(1 << 16)
            limit = min(MOST_INFLATED_BYTES, max(RATIO_ALLOWANCE_BYTES, MOST_INFLATION * packed))
            if inflated > limit:
                raise refusal(
                    name, f"{packed} bytes that inflate beyond {limit}", "less", "Export without the deflated syntax"
                )
    return True


def _check_size(dataset: Dataset, name: str) -> None:
    """Refuse sequences too deep or elements too many, without recursion of our own."""
    count, waiting = 0, [(dataset, 1)]
    while waiting:
        current, depth = waiting.pop()
        count += len(current)
        if depth > MOST_DEPTH:
            raise refusal(name, f"sequences {depth} deep", f"at most {MOST_DEPTH}", EXPORT_AGAIN)
        if count > MOST_ELEMENTS:
            raise refusal(name, f"more than {MOST_ELEMENTS} elements", "fewer", EXPORT_AGAIN)
        for tag in current.keys():  # noqa: SIM118  (iterating a data set would convert every value)
            if current.get_item(tag).VR == "SQ":
                waiting.extend((item, depth + 1) for item in current[tag].value)
