"""WFDB records (https://physionet.org/physiotools/wag/header-5.htm), read without leaving their folder.

The wfdb package is not used here: it follows file names in the header wherever they lead, also to a URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import InputRejected
from cardiotwin.ingest.ecg_dicom import MOST_CHANNELS, MV_PER_UNIT
from cardiotwin.ingest.ecg_quality import LONGEST_S, MOST_HZ, Recording
from cardiotwin.ingest.wording import refusal, shown

MOST_HEADER_BYTES = 1 << 20
DEFAULT_GAIN = 200.0
INVALID = {16: -(2**15), 61: -(2**15), 24: -(2**23), 32: -(2**31), 80: -128, 212: -2048}
BYTES = {16: 2.0, 61: 2.0, 24: 3.0, 32: 4.0, 80: 1.0, 212: 1.5}
EXPORT_AGAIN = "Export the record again"


@dataclass(frozen=True)
class Signal:
    """One signal line of the header."""

    file: str
    format: int
    offset_bytes: int
    gain: float
    baseline: int
    unit: str
    checksum: int | None
    name: str


def read_wfdb_recording(path: Path, name: str) -> Recording:
    """All signals of one record.

    Raises
    ------
    InputRejected
        A malformed header, a data file outside the record's folder, too few bytes, a wrong checksum, or a storage
        format other than 16, 24, 32, 61, 80 and 212.
    """
    lines = _lines(path, name)
    count, hz, samples = _record_line(lines[0], name)
    if len(lines) - 1 < count:
        raise refusal(name, f"{len(lines) - 1} signal lines", f"{count}", EXPORT_AGAIN)
    signals = [_signal_line(line, f"{name} line {index + 2}") for index, line in enumerate(lines[1 : count + 1])]
    leads: dict[str, np.ndarray] = {}
    for file in dict.fromkeys(signal.file for signal in signals):
        together = [signal for signal in signals if signal.file == file]
        stored = _stored(_beside(path, file, name), together, samples, name)
        for signal, column in zip(together, stored.T, strict=True):
            if signal.name in leads:
                raise refusal(name, f"signal {shown(signal.name)} twice", "each once", EXPORT_AGAIN)
            leads[signal.name] = _millivolts(column, signal, name)
    when, person = _told(path.read_bytes()[:MOST_HEADER_BYTES].decode("latin-1"), lines[0])
    return Recording(name, leads, hz, "record line", (), when=when, person=person)


def _told(header: str, record: str) -> tuple[str, tuple[str, str, str]]:
    """When it was recorded, ISO 8601, and whose it is: from the record line, or comments such as ``# age: 81``.

    An age leaves two years of birth open.
    """
    comments = "\n".join(line for line in header.splitlines() if line.lstrip().startswith("#"))
    line = re.search(r"(\d{1,2}:\d{2}:\d{2})\S*\s+(\d{1,2})/(\d{1,2})/(\d{4})", record)
    day = re.search(r"\bECG date\s*:\s*(\d{1,2})/(\d{1,2})/(\d{4})", comments, re.I)
    when = f"{line[4]}-{int(line[3]):02}-{int(line[2]):02}T{line[1]:0>8}" if line else ""
    when = when or (f"{day[3]}-{int(day[2]):02}-{int(day[1]):02}" if day else "")
    sex = re.search(r"\bsex>?\s*:\s*(f|m)(?:emale|ale)?\b", comments, re.I)
    age = re.search(r"\bage>?\s*:\s*(\d{1,3})\b", comments, re.I)
    year = int(when[:4]) - int(age[1]) if when and age else 0
    return when, ("", f"{year - 1}+{year}" if year else "", sex[1].upper() if sex else "")


def signal_files(path: Path) -> tuple[Path, ...]:
    """The files beside a header that belong to its record; none where the header is damaged."""
    words = path.read_bytes()[:MOST_HEADER_BYTES].decode("latin-1").splitlines()
    names = {line.split()[0] for line in words[1:] if line.strip() and not line.lstrip().startswith("#")}
    return tuple(path.parent / name for name in sorted(names) if Path(name).name == name)


def _lines(path: Path, name: str) -> list[str]:
    if path.stat().st_size > MOST_HEADER_BYTES:
        raise refusal(name, f"{path.stat().st_size} bytes", f"at most {MOST_HEADER_BYTES}", EXPORT_AGAIN)
    content = path.read_bytes().decode("latin-1")
    lines = [line.strip() for line in content.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise refusal(name, "no record line", "a WFDB header", EXPORT_AGAIN)
    return lines


def _record_line(line: str, name: str) -> tuple[int, float, int]:
    """Signals, samples per second, samples per signal."""
    match = re.match(r"(\S+)\s+(\d{1,6})\s+([\d.eE+-]+)(?:/\S+)?\s+(\d{1,12})(?:\s|$)", line)
    if not match or "/" in match[1]:
        raise refusal(
            f"{name} line 1", shown(line), "record, signals, samples per second, samples (one segment)", EXPORT_AGAIN
        )
    try:
        count, hz, samples = int(match[2]), float(match[3]), int(match[4])
    except ValueError:
        raise refusal(f"{name} line 1", shown(match[3]), "samples per second", EXPORT_AGAIN) from None
    if not 1 <= count <= MOST_CHANNELS or not 1 <= samples <= LONGEST_S * MOST_HZ:
        raise refusal(
            f"{name} line 1", f"{count} signals of {samples} samples", f"1 to {MOST_CHANNELS} signals", EXPORT_AGAIN
        )
    _check_when(line.split()[4:], f"{name} line 1")
    return count, hz, samples


def _check_when(told: list[str], where: str) -> None:
    """Refuse a base time or date that is none: what else the line says is not to be believed either."""
    clock = re.fullmatch(r"(\d{1,2}:){0,2}\d{1,2}(\.\d+)?", told[0]) if told else True
    day = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", told[1]) if len(told) > 1 else None
    try:
        if not clock or (len(told) > 1 and day is None):
            raise ValueError(told)
        if day is not None:
            date(int(day[3]), int(day[2]), int(day[1]))
    except ValueError:
        raise refusal(where, shown(" ".join(told[:2])), "hh:mm:ss dd/mm/yyyy", EXPORT_AGAIN) from None


def _signal_line(line: str, where: str) -> Signal:
    fields = line.split(maxsplit=8)
    try:
        layout = re.fullmatch(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?", fields[1])
        scale = re.fullmatch(r"([\d.eE+-]+)(?:\((-?\d+)\))?(?:/(\S+))?", fields[2] if len(fields) > 2 else "0")
        if layout is None or scale is None:
            raise ValueError(line)
        zero = int(fields[4]) if len(fields) > 4 else 0
        signal = Signal(
            file=fields[0],
            format=int(layout[1]),
            offset_bytes=int(layout[4] or 0),
            gain=float(scale[1]) or DEFAULT_GAIN,
            baseline=int(scale[2]) if scale[2] is not None else zero,
            unit=scale[3] or "mV",
            checksum=int(fields[6]) if len(fields) > 6 else None,
            name=_lead_name(fields[8] if len(fields) > 8 else fields[0]),
        )
    except (ValueError, IndexError):
        raise refusal(where, shown(line), "file, format, gain(baseline)/unit ... name", EXPORT_AGAIN) from None
    if signal.format not in BYTES or int(layout[2] or 1) != 1 or int(layout[3] or 0) != 0:
        raise refusal(
            where,
            f"format {shown(fields[1])}",
            f"one of {', '.join(map(str, BYTES))}, one sample per frame",
            EXPORT_AGAIN,
        )
    if not np.isfinite(signal.gain):
        raise refusal(where, f"gain {shown(fields[2])}", "a finite number", EXPORT_AGAIN)
    return signal


def _lead_name(text: str) -> str:
    return {lead.lower(): lead for lead in LEADS}.get(text.strip().lower(), shown(text.strip(), 40))


def _beside(header: Path, file: str, name: str) -> Path:
    """The data file, which must be a plain name in the folder of its header."""
    if Path(file).name != file or file in ("", ".", "..", "-", "~") or "\\" in file or ":" in file:
        raise refusal(f"{name}: signal file", shown(file), "a file name in the same folder", "Put the files together")
    path = header.parent / file
    if path.is_symlink() or not path.is_file():
        raise InputRejected(f"{name}: signal file {shown(file)} is not beside it; add the whole record")
    return path


def _stored(path: Path, signals: list[Signal], samples: int, name: str) -> np.ndarray:
    """(samples, signals) float64, NaN where the device marked a sample invalid; checksums verified."""
    code, offset = signals[0].format, signals[0].offset_bytes
    if any((signal.format, signal.offset_bytes) != (code, offset) for signal in signals):
        raise refusal(name, f"different formats in {shown(path.name)}", "one format per file", EXPORT_AGAIN)
    count = samples * len(signals)
    needed = offset + int(np.ceil(count * BYTES[code]))
    if path.stat().st_size < needed:
        raise refusal(
            shown(path.name, 120),
            f"{path.stat().st_size} bytes",
            f"{needed} from {name}",
            "The file is cut short; export it again",
        )
    with path.open("rb") as file:
        file.seek(offset)
        raw = np.frombuffer(file.read(needed - offset), dtype=np.uint8)
    integers = _integers(raw, code)[:count].reshape(samples, len(signals))
    for index, signal in enumerate(signals):
        found = int(integers[:, index].sum())
        if signal.checksum is not None and (found - signal.checksum) % 65_536:
            raise refusal(
                f"{shown(path.name, 120)}: signal {signal.name}",
                f"checksum {found % 65_536}",
                f"{signal.checksum % 65_536} from {name}",
                "The file was changed or damaged; copy it again",
            )
    return np.where(integers == INVALID[code], np.nan, integers)


def _integers(raw: np.ndarray, code: int) -> np.ndarray:
    """(n,) int64 from bytes in one of the storage formats."""
    if code in (16, 61, 32):
        return raw.view({16: "<i2", 61: ">i2", 32: "<i4"}[code]).astype(np.int64)
    if code == 80:
        return raw.astype(np.int64) - 128
    if code == 24:
        low, mid, high = raw.reshape(-1, 3).astype(np.int64).T
        return low | mid << 8 | (high - ((high & 0x80) << 1)) << 16
    raw = np.concatenate([raw, np.zeros(-raw.size % 3, dtype=np.uint8)])
    low, nibbles, high = raw.reshape(-1, 3).astype(np.int64).T
    pairs = np.column_stack([low | (nibbles & 0x0F) << 8, high | (nibbles & 0xF0) << 4]).ravel()
    return pairs - ((pairs & 0x800) << 1)


def _millivolts(stored: np.ndarray, signal: Signal, name: str) -> np.ndarray:
    factor = MV_PER_UNIT.get(signal.unit.lower())
    if factor is None:
        if signal.name in LEADS:
            raise refusal(f"{name}: signal {signal.name}", f"unit {shown(signal.unit)}", "mV, uV or V", EXPORT_AGAIN)
        factor = np.nan  # a pressure or a respiration belt beside the ECG
    return (stored - signal.baseline) / signal.gain * factor
