"""SCP-ECG (EN 1064, ISO 11073-91064), versions 1 and 2: sections 0, 1, 3 and 6, and the default Huffman table.

Read are plain and Huffman-coded samples, as amplitudes or as first or second differences. Own Huffman tables,
subtracted reference beats and two sampling rates in one lead (bimodal) are refused by name: no file of that kind was at
hand to check a reader with. Every checksum must be right.
"""

from __future__ import annotations

import binascii
import struct
from pathlib import Path

import numpy as np

from cardiotwin.errors import CardioTwinError
from cardiotwin.ingest.ecg_dicom import LEAD_NUMBERS, MOST_CHANNELS
from cardiotwin.ingest.ecg_quality import Recording
from cardiotwin.ingest.ecg_xml import EXPORT_AGAIN, moment, person_of
from cardiotwin.ingest.wording import refusal

MARK = b"SCPECG"
MARK_AT = 16
MOST_SCP_BYTES = 16 << 20
MOST_SAMPLES = 10_000_000
DEFAULT_TABLE = 19_999
UNPACK = "Export it uncompressed, or as DICOM or HL7 aECG"


def read_scp_recording(path: Path, name: str) -> Recording:
    """The rhythm of section 6; the reference beat of section 5 is left out.

    Raises
    ------
    InputRejected
        A wrong checksum or length, a section missing, leads that were not recorded together, or a packing that is not
        read.
    """
    size = path.stat().st_size
    if size > MOST_SCP_BYTES:
        raise refusal(name, f"{size} bytes", f"at most {MOST_SCP_BYTES}", EXPORT_AGAIN)
    try:
        sections = _sections(path.read_bytes(), name)
        lengths, names = _leads(sections, name)
        hz, rows = _rhythm(sections, lengths, name)
        notes = ("the reference beat (section 5) left out",) if 5 in sections else ()
        when, person = _about(sections.get(1, b""))
    except (struct.error, IndexError):
        raise refusal(name, "a section that ends too early", "a whole file", EXPORT_AGAIN) from None
    leads = dict(zip(names, rows, strict=True))
    if len(leads) < len(names):
        raise refusal(f"{name}: section 3", "a lead twice", "each lead once", EXPORT_AGAIN)
    return Recording(name, leads, hz, "section 6", notes, when, person=person, derive_limb_leads=True)


def _checked(data: bytes, where: str) -> bytes:
    """What follows the checksum."""
    told, found = int.from_bytes(data[:2], "little"), binascii.crc_hqx(data[2:], 0xFFFF)
    if told != found:
        raise refusal(f"{where}: checksum", f"{found:04X}", f"{told:04X}, as in the file", "Copy the file again")
    return data[2:]


def _sections(data: bytes, name: str) -> dict[int, bytes]:
    """Contents of the sections by number, without their headers of 16 bytes."""
    size = int.from_bytes(data[2:6], "little")
    if size != len(data) or size < 38:
        raise refusal(name, f"{len(data)} bytes", f"{size}, as in the file, at least 38", "Copy the file again")
    _checked(data, name)
    pointers = _section(data, 0, 6, int.from_bytes(data[10:14], "little"), name)
    sections: dict[int, bytes] = {}
    for number, length, index in struct.iter_unpack("<HII", pointers[: len(pointers) // 10 * 10]):
        if length and 0 < number <= 11:
            sections[number] = _section(data, number, index - 1, length, name)
    if missing := {3, 6} - set(sections):
        raise refusal(name, f"no section {min(missing)}", "leads (3) and rhythm (6)", EXPORT_AGAIN)
    return sections


def _section(data: bytes, number: int, start: int, length: int, name: str) -> bytes:
    where = f"{name}: section {number}"
    found, told = struct.unpack_from("<HI", data, start + 2) if 0 <= start <= len(data) - 16 else (-1, -1)
    if start < 6 or length < 16 or start + length > len(data) or (found, told) != (number, length):
        found_words = f"{length} bytes from byte {start + 1}, of which the header says section {found} of {told}"
        raise refusal(where, found_words, f"within {len(data)} bytes, and the same", EXPORT_AGAIN)
    _checked(data[start : start + length], where)
    return data[start + 16 : start + length]


def _leads(sections: dict[int, bytes], name: str) -> tuple[int, list[str]]:
    """Samples per lead, and the names of the leads."""
    content, where = sections[3], f"{name}: section 3"
    count, flags = content[0], content[1]
    if not 1 <= count <= MOST_CHANNELS:
        raise refusal(where, f"{count} leads", f"1 to {MOST_CHANNELS}", EXPORT_AGAIN)
    if flags & 1:
        raise refusal(where, "rhythm from which a reference beat was subtracted", "rhythm alone", UNPACK)
    told = [struct.unpack_from("<IIB", content, 2 + 9 * k) for k in range(count)]
    spans = {(start, stop) for start, stop, _ in told}
    if len(spans) > 1:
        raise refusal(where, "leads of different beginning or end", "leads recorded together", EXPORT_AGAIN)
    start, stop = spans.pop()
    if not 0 < stop - start + 1 <= MOST_SAMPLES:
        raise refusal(where, f"samples {start} to {stop}", f"1 to {MOST_SAMPLES} of them", EXPORT_AGAIN)
    names = [LEAD_NUMBERS.get(number, f"lead {number}") for _, _, number in told]
    return stop - start + 1, names


def _rhythm(sections: dict[int, bytes], samples: int, name: str) -> tuple[float, list[np.ndarray]]:
    """Samples per second, and each lead in mV."""
    content, where = sections[6], f"{name}: section 6"
    nanovolts, microseconds, differences, bimodal = struct.unpack_from("<HHBB", content)
    if not nanovolts or not microseconds or differences > 2:
        found = f"{nanovolts} nV, {microseconds} us, differences {differences}"
        raise refusal(where, found, "a multiplier, an interval, and 0, 1 or 2", EXPORT_AGAIN)
    if bimodal:
        raise refusal(where, "bimodal compression (two sampling rates in one lead)", "one rate", UNPACK)
    packed = 2 in sections
    if packed and int.from_bytes(sections[2][:2], "little") != DEFAULT_TABLE:
        raise refusal(f"{name}: section 2", "Huffman tables of its own", f"the default ({DEFAULT_TABLE})", UNPACK)
    count = sections[3][0]
    sizes = struct.unpack_from(f"<{count}H", content, 6)
    at, rows = 6 + 2 * count, []
    for number, size in enumerate(sizes, start=1):
        chunk, lead = content[at : at + size], f"{where}, lead {number}"
        if len(chunk) < size or (not packed and size != 2 * samples):
            expected = f"{samples} samples"
            raise refusal(lead, f"{len(chunk)} of {size} bytes", expected, EXPORT_AGAIN)
        values = unpacked(chunk, samples, lead) if packed else np.frombuffer(chunk, "<i2").astype(np.int64)
        rows.append(_summed(values, differences) * 1e-6 * nanovolts)
        at += size
    return 1e6 / microseconds, rows


def unpacked(data: bytes, samples: int, where: str) -> np.ndarray:
    """(samples,) int64 by the default Huffman table, first bit first.

    k ones, a zero and a sign mean k or -k up to 8 (0 without a sign); nine ones and a zero, an 8-bit number follows;
    ten ones, a 16-bit number.

    Raises
    ------
    InputRejected
        The data end before the samples do.
    """
    bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" if data else ""
    values, at = np.empty(samples, np.int64), 0
    for k in range(samples):
        ones = next((n for n in range(10) if bits[at + n : at + n + 1] != "1"), 10)
        width = (0, 1, 1, 1, 1, 1, 1, 1, 1, 8, 16)[ones]
        at += ones + (ones < 10)
        if at + width > len(bits):
            raise _short(where, k, samples)
        read = int(bits[at : at + width], 2) if width else 0
        values[k] = (ones, -ones)[read] if width <= 1 else read - (read >> width - 1 << width)
        at += width
    return values


def _short(where: str, found: int, samples: int) -> CardioTwinError:
    return refusal(where, f"data that end after {found} samples", f"{samples}", EXPORT_AGAIN)


def _summed(values: np.ndarray, differences: int) -> np.ndarray:
    """Amplitudes from first or second differences: the first one, or two, are amplitudes themselves."""
    if differences == 2 and len(values) > 1:
        values = np.concatenate([values[:1], values[1:2] - values[0], values[2:]])
        values[1:] = values[1:].cumsum()
    return values.cumsum() if differences else values


def _about(content: bytes) -> tuple[str, tuple[str, str, str]]:
    """Date and time of the recording (tags 25 and 26 of section 1), and whose it is (2, 5, 8)."""
    fields: dict[int, bytes] = {}
    at = 0
    while at + 3 <= len(content) and content[at] != 255:
        tag, length = struct.unpack_from("<BH", content, at)
        fields.setdefault(tag, content[at + 3 : at + 3 + length])
        at += 3 + length
    clock = fields[26] if len(fields.get(26, b"")) == 3 else bytes(3)
    when = f"{_day(fields.get(25, b''))} {clock[0]:02}:{clock[1]:02}:{clock[2]:02}"
    identifier = fields.get(2, b"").split(b"\0")[0].decode("latin-1")
    sex = {b"\1": "M", b"\2": "F"}.get(fields.get(8, b"")[:1], "")
    return moment(when), person_of(identifier, _day(fields.get(5, b"")), sex)


def _day(field: bytes) -> str:
    """``yyyy-mm-dd``, or "" where there is none."""
    if len(field) != 4:
        return ""
    year, month, day = struct.unpack("<HBB", field)
    return f"{year:04}-{month:02}-{day:02}"
