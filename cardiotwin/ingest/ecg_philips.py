"""Philips Sierra XML (PageWriter, TraceMaster; schema 1.03 to 1.04.02), whose leads are packed by "XLI".

Each lead is a chunk: 32-bit length, 16 bits unused, 16-bit first value, then LZW codes of 10 bits (first bit first, 256
single bytes, 1023 ends). Unpacked, all high bytes stand before all low bytes; the numbers are second differences, each
but the first two 64 more than what it means. III, aVR, aVL and aVF are stored as what is left after their sums of I and
II. Layout after sierra-ecg-tools (MIT), whose reader the tests compare with.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import CardioTwinError
from cardiotwin.ingest.ecg_dicom import MOST_CHANNELS
from cardiotwin.ingest.ecg_quality import MOST_HZ, Recording
from cardiotwin.ingest.ecg_xml import (
    EXPORT_AGAIN,
    decoded,
    lead_named,
    moment,
    number_of,
    person_of,
    words_at,
    xml_root,
)
from cardiotwin.ingest.wording import refusal, shown

VERSIONS = ("1.03", "1.04", "1.04.01", "1.04.02")
SETS_OF_TWELVE = ("STD-12", "10-WIRE")
BITS = 10
LAST_CODE = (1 << BITS) - 2
BIAS = 64
MOST_MS = 3_600_000


def read_philips_recording(path: Path, name: str) -> Recording:
    """All leads of ``parsedwaveforms``.

    Raises
    ------
    InputRejected
        Damaged, another version or packing, or samples that the stated duration, sampling and number of leads
        contradict.
    """
    root = xml_root(path, name)
    version = words_at(root, "documentinfo/documentversion")
    if version not in VERSIONS:
        raise refusal(f"{name}: documentversion", shown(version) or "nothing", ", ".join(VERSIONS), EXPORT_AGAIN)
    acquired, signal = root.find("dataacquisition"), root.find("dataacquisition/signalcharacteristics")
    waves = root.find("waveforms/parsedwaveforms")
    if acquired is None or signal is None or waves is None:
        raise refusal(name, "no signalcharacteristics or no parsedwaveforms", "both", EXPORT_AGAIN)
    hz = _agreed(signal, waves, ("samplingrate",), "samplespersecond", name, 1.0, MOST_HZ)
    microvolts = _agreed(signal, waves, ("resolution", "signalresolution"), "resolution", name, 1e-3, 1e3)
    if words_at(signal, "signaloffset") not in ("", "0") or words_at(signal, "bitspersample") not in ("", "16"):
        raise refusal(f"{name}: signalcharacteristics", "an offset, or not 16 bits", "16 bits without", EXPORT_AGAIN)
    names = _lead_names(signal, waves, name)
    samples = round(hz * number_of(waves.get("durationperchannel"), f"{name}: durationperchannel", 1, MOST_MS) / 1000)
    stored = _stored(waves, len(names), samples, name)
    leads = {lead: 1e-3 * microvolts * values for lead, values in zip(names, stored, strict=True)}
    if len(leads) < len(names):
        raise refusal(f"{name}: leadlabels", "a lead twice", "each lead once", EXPORT_AGAIN)
    bpm = words_at(root, ".//meanventrate")
    when = moment(f"{acquired.get('date')} {acquired.get('time')}")
    rate = float(bpm) if bpm.isdecimal() else 0.0
    about = root.find("patient/generalpatientdata")
    born = words_at(about, "age/dateofbirth") or words_at(about, "dateofbirth")
    person = person_of(words_at(about, "patientid"), born, words_at(about, "sex"))
    return Recording(name, leads, hz, "samplingrate, resolution", (), when, stated_bpm=rate, person=person)


def _agreed(
    signal: Element, waves: Element, tags: tuple[str, ...], attribute: str, name: str, least: float, most: float
) -> float:
    """A number that may be said twice: both must agree."""
    told = [words for tag in tags if (words := words_at(signal, tag))] + [waves.get(attribute) or ""]
    values = {number_of(words, f"{name}: {attribute}", least, most) for words in told if words}
    if len(values) != 1:
        found = " and ".join(f"{value:g}" for value in sorted(values)) or "nothing"
        raise refusal(f"{name}: {attribute}", found, "one number", EXPORT_AGAIN)
    return values.pop()


def _lead_names(signal: Element, waves: Element, name: str) -> list[str]:
    labels = (waves.get("leadlabels") or "").split()
    count = int(number_of(words_at(signal, "numberchannelsvalid") or "12", f"{name}: channels", 1, MOST_CHANNELS))
    if labels:
        count = int(number_of(waves.get("numberofleads") or str(len(labels)), f"{name}: numberofleads", 1, len(labels)))
        return [lead_named(label) for label in labels[:count]]
    if words_at(signal, "acquisitiontype") not in SETS_OF_TWELVE or count > len(LEADS):
        raise refusal(f"{name}: leadlabels", "nothing", "names of the leads", EXPORT_AGAIN)
    return list(LEADS[:count])


def _stored(waves: Element, count: int, samples: int, name: str) -> np.ndarray:
    """(count, samples) int64, in steps of the resolution."""
    if waves.get("dataencoding") != "Base64":
        where = f"{name}: dataencoding"
        raise refusal(where, shown(waves.get("dataencoding") or "nothing"), "Base64", EXPORT_AGAIN)
    data = decoded(waves.text, f"{name}: parsedwaveforms")
    packing = waves.get("compression") or waves.get("compressmethod") or "Uncompressed"
    if packing == "XLI":
        return _sums_restored(_unpacked(data, count, samples, name))
    if packing != "Uncompressed" or len(data) != 2 * count * samples:
        found = f"{len(data)} bytes packed by {shown(packing)}"
        expected = f"XLI, or {2 * count * samples} bytes unpacked ({count} leads of {samples} samples)"
        raise refusal(f"{name}: parsedwaveforms", found, expected, EXPORT_AGAIN)
    return np.frombuffer(data, "<i2").reshape(count, samples).astype(np.int64)


def _unpacked(data: bytes, count: int, samples: int, name: str) -> np.ndarray:
    """(count, samples) int64: every chunk unpacked and summed twice."""
    rows, at = [], 0
    for number in range(1, count + 1):
        where = f"{name}: parsedwaveforms, lead {number}"
        size = int.from_bytes(data[at : at + 4], "little", signed=True)
        if size <= 0 or at + 8 + size > len(data):
            raise refusal(where, f"a chunk of {size} bytes where {len(data) - at} are left", "less", EXPORT_AGAIN)
        first = int.from_bytes(data[at + 6 : at + 8], "little", signed=True)
        rows.append(_summed(lzw(data[at + 8 : at + 8 + size], 2 * samples + 2, where), first, samples, where))
        at += 8 + size
    return np.array(rows)


def lzw(data: bytes, most: int, where: str) -> bytes:
    """Bytes from LZW codes of 10 bits; the table is kept when it is full.

    Raises
    ------
    InputRejected
        A code that no sender could have written, or more than `most` bytes.
    """
    table: list[bytes] = [bytes([value]) for value in range(256)]
    out, before, held, bits = bytearray(), b"", 0, 0
    for byte in data:
        held, bits = (held << 8 | byte) & 0xFFFFF, bits + 8
        if bits < BITS:
            continue
        bits -= BITS
        code = held >> bits & (1 << BITS) - 1
        if code > LAST_CODE:
            break
        if code > len(table) or (code == len(table) and not before):
            raise _damaged(where, f"code {code} of {len(table)}")
        word = table[code] if code < len(table) else before + before[:1]
        if before and len(table) <= LAST_CODE:
            table.append(before + word[:1])
        out += word
        before = word
        if len(out) > most:
            raise _damaged(where, f"more than {most} bytes")
    return bytes(out)


def _damaged(where: str, found: str) -> CardioTwinError:
    return refusal(where, f"{found} in the packed data", "XLI as Philips writes it", EXPORT_AGAIN)


def _summed(content: bytes, first: int, samples: int, where: str) -> np.ndarray:
    """(samples,) int64 from second differences."""
    content += b"\0" * (len(content) % 2)
    if len(content) != 2 * samples or samples < 3:
        raise refusal(where, f"{len(content) // 2} samples", f"{samples}, from duration and rate", EXPORT_AGAIN)
    high, low = np.frombuffer(content, np.uint8).reshape(2, -1).astype(np.int64)
    numbers = (high << 8 | low) - ((high & 0x80) << 9)
    bends = -np.concatenate([[first], numbers[2:-1] - BIAS])
    slopes = np.concatenate([[numbers[1] - numbers[0]], bends]).cumsum()
    return np.concatenate([[numbers[0]], numbers[0] + slopes.cumsum()])


def _sums_restored(stored: np.ndarray) -> np.ndarray:
    """The limb leads that are stored as a rest: what I and II make of them is put back, rounded as Philips rounds."""
    whole = stored.copy()
    if len(whole) < 6:
        return whole
    one, two = whole[0], whole[1]
    whole[2] = two - one - stored[2]
    whole[3] = -stored[3] - (one + two) // 2
    whole[4] = (one - whole[2]) // 2 - stored[4]
    whole[5] = (two + whole[2]) // 2 - stored[5]
    return whole
