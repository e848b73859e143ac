"""European Data Format, EDF and continuous EDF+ (Kemp et al. 1992, doi 10.1016/0013-4694(92)90009-7; 2003)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardiotwin.ingest.ecg_dicom import MOST_CHANNELS, MV_PER_UNIT
from cardiotwin.ingest.ecg_quality import LONGEST_S, Recording
from cardiotwin.ingest.ecg_xml import EXPORT_AGAIN, LEAD_NAMES, lead_named, number_of, person_of
from cardiotwin.ingest.wording import refusal, shown

VERSION = b"0       "
MOST_EDF_BYTES = 100 << 20
WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
"""Of a signal: label, transducer, dimension, physical and digital minimum and maximum, filters, samples, reserved."""
ANNOTATIONS = "EDF Annotations"


@dataclass(frozen=True)
class Signal:
    """One signal of the header."""

    label: str
    unit: str
    physical: tuple[float, float]
    digital: tuple[float, float]
    samples: int


def read_edf_recording(path: Path, name: str) -> Recording:
    """All signals of one rate; annotations are left out.

    Raises
    ------
    InputRejected
        A header out of order, a record count or duration that is none, more or fewer bytes than it says, gaps
        (EDF+D), leads of different rates, a unit that is no voltage.
    """
    size = path.stat().st_size
    if not 256 <= size <= MOST_EDF_BYTES:
        raise refusal(name, f"{size} bytes", f"256 to {MOST_EDF_BYTES}", "Cut the recording")
    data = path.read_bytes()
    if data[192:197] == b"EDF+D":
        raise refusal(f"{name}: reserved", "EDF+D, a recording with gaps", "EDF or EDF+C", "Export it without gaps")
    count = int(_number(data, 252, 4, f"{name}: number of signals", 1, 4 * MOST_CHANNELS))
    records = int(_number(data, 236, 8, f"{name}: number of data records", 1, 10**8))
    duration = _number(data, 244, 8, f"{name}: duration of a data record", 1e-6, LONGEST_S)
    header = int(_number(data, 184, 8, f"{name}: bytes in header", 1, 10**8))
    if header != 256 * (count + 1):
        raise refusal(f"{name}: bytes in header", f"{header}", f"{256 * (count + 1)}", EXPORT_AGAIN)
    signals = _signals(data, count, name)
    needed = header + 2 * records * sum(signal.samples for signal in signals)
    if needed != size:
        found = f"{records} data records, {needed} bytes with the header"
        raise refusal(f"{name}: number of data records", found, f"{size} bytes, what the file has", EXPORT_AGAIN)
    stored = np.frombuffer(data[header:], "<i2").reshape(records, -1)
    leads, hz = _leads(stored, signals, duration, name)
    return Recording(
        name, leads, hz, "samples in a data record, physical dimension", (), _when(data), person=_person(data)
    )


def _number(data: bytes, start: int, width: int, where: str, least: float, most: float) -> float:
    return number_of(_words(data, start, width), where, least, most)


def _words(data: bytes, start: int, width: int) -> str:
    return data[start : start + width].decode("latin-1").strip(" \0")


def _signals(data: bytes, count: int, name: str) -> list[Signal]:
    """The fields of all signals stand together: all labels, then all transducers, ..."""
    if len(data) < 256 * (count + 1):
        raise refusal(name, f"{len(data)} bytes", f"a header of {256 * (count + 1)}", EXPORT_AGAIN)
    starts = 256 + count * np.concatenate([[0], np.cumsum(WIDTHS[:-1])])
    signals = []
    for k in range(count):
        label, _, unit, *scale, _, samples, _ = (
            _words(data, int(start) + k * width, width) for start, width in zip(starts, WIDTHS, strict=True)
        )
        where = f"{name}: signal {k + 1}"
        low, high, least, most = (number_of(one, f"{where}: physical or digital range", -1e9, 1e9) for one in scale)
        per_record = int(number_of(samples, f"{where}: samples in a data record", 1, 10**7))
        if least >= most or low == high:
            raise refusal(f"{where}: range", f"{least:g} to {most:g} for {low:g} to {high:g}", "a range", EXPORT_AGAIN)
        signals.append(Signal(label, unit, (low, high), (least, most), per_record))
    return signals


def _leads(
    stored: np.ndarray, signals: list[Signal], duration: float, name: str
) -> tuple[dict[str, np.ndarray], float]:
    """Leads in mV and their rate; what is no standard lead is named, but not read."""
    leads: dict[str, np.ndarray] = {}
    rates: set[float] = set()
    stop = 0
    for number, signal in enumerate(signals, start=1):
        start, stop = stop, stop + signal.samples
        lead = lead_named(re.sub(r"-(Ref|ref|REF)$", "", signal.label))
        if signal.label == ANNOTATIONS or lead not in LEAD_NAMES.values():
            continue
        if lead in leads:
            raise refusal(f"{name}: signal {number}", f"lead {lead} twice", "each lead once", EXPORT_AGAIN)
        unit = signal.unit.lower().replace("\xb5", "u")
        if unit not in MV_PER_UNIT:
            where = f"{name}: signal {number} ({lead}): physical dimension"
            raise refusal(where, shown(signal.unit) or "nothing", "uV, mV or V", EXPORT_AGAIN)
        (low, high), (least, most) = signal.physical, signal.digital
        steps = stored[:, start:stop].ravel().astype(np.float64) - least
        leads[lead] = (low + steps * (high - low) / (most - least)) * MV_PER_UNIT[unit]
        rates.add(signal.samples / duration)
    if len(rates) != 1:
        names = ", ".join(sorted({shown(signal.label, 20) for signal in signals})[:6])
        found = f"leads of {len(rates)} sampling rates; signals: {names}"
        raise refusal(name, found, "standard leads (I, ECG V1, ...) of one rate", EXPORT_AGAIN)
    return leads, rates.pop()


def _person(data: bytes) -> tuple[str, str, str]:
    """Of EDF+, which says ``code sex dd-MMM-yyyy name`` with X for what is not known; EDF's words have no order."""
    told = _words(data, 8, 80).split()
    if data[192:196] != b"EDF+" or len(told) < 3:
        return "", "", ""
    return person_of(*("" if word == "X" else word for word in (told[0], told[2], told[1])))


def _when(data: bytes) -> str:
    """``dd.mm.yy`` and ``hh.mm.ss``; years 85 to 99 are of the last century."""
    told = re.fullmatch(r"(\d\d)\.(\d\d)\.(\d\d)(\d\d)\.(\d\d)\.(\d\d)", _words(data, 168, 16))
    if not told:
        return ""
    day, month, year, *clock = told.groups()
    return f"{1900 if int(year) >= 85 else 2000:d}"[:2] + f"{year}-{month}-{day}T{':'.join(clock)}"
