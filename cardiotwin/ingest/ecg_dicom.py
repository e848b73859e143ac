"""The DICOM waveform objects of electrocardiography (PS3.3 A.34, C.10.9)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import QualityGate
from cardiotwin.ingest.dicom_file import EXPORT_AGAIN, number, read_dataset, refusing, text
from cardiotwin.ingest.ecg_quality import Recording
from cardiotwin.ingest.wording import refusal, shown, tagged

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

ECG_CLASSES = tuple(f"1.2.840.10008.5.1.4.1.1.9.{tail}" for tail in ("1.1", "1.2", "1.3", "1.4"))
"""12-lead, general, ambulatory and general 32-bit ECG waveform storage."""

LEAD_NUMBERS = dict(
    zip((1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), LEADS, strict=True),
)
"""Lead number of SCP-ECG and of ISO/IEEE 11073-10102, which share them."""

MV_PER_UNIT = {"uv": 1e-3, "mv": 1.0, "v": 1e3, "nv": 1e-6}
SAMPLE_TYPES = {"SB": "i1", "UB": "u1", "SS": "<i2", "US": "<u2", "SL": "<i4", "UL": "<u4"}
MOST_CHANNELS = 64
LEAST_PADDING_S = 0.1


def read_dicom_recording(path: Path, name: str) -> Recording:
    """The original recording of a DICOM ECG; median beats are not recordings and are only used when alone."""
    dataset = read_dataset(path, name, pixels=True)
    if not text(dataset, "SOPClassUID").startswith(ECG_CLASSES) or "WaveformSequence" not in dataset:
        where = f"{name}: {tagged('SOPClassUID')}"
        raise refusal(where, shown(text(dataset, "SOPClassUID")), "an ECG waveform with WaveformSequence", EXPORT_AGAIN)
    with refusing(name, "WaveformSequence (5400,0100) cannot be read"):
        groups = list(dataset.WaveformSequence)
        group, notes = _choose(groups)
    if group is None:
        raise QualityGate(
            f"{name}: {tagged('WaveformSequence')}: found no waveform group, expected one. {EXPORT_AGAIN}"
        )
    with refusing(name, "the waveform cannot be read"):
        return _recording(group, name, notes)


def _choose(groups: list[Dataset]) -> tuple[Dataset | None, tuple[str, ...]]:
    """Original before derived, then more channels, then longer."""

    def rank(group: Dataset) -> tuple[bool, int, int]:
        original = text(group, "WaveformOriginality") != "DERIVED" and "MEDIAN" not in text(
            group, "MultiplexGroupLabel"
        )
        return original, int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)

    if not groups:
        return None, ()
    best = max(groups, key=rank)
    labels = [shown(text(one, "MultiplexGroupLabel") or "without label", 40) for one in groups if one is not best]
    notes = tuple(f"waveform group {label} left out" for label in labels)
    if not rank(best)[0]:
        notes += ("a derived (median) beat, not the recording",)
    return best, notes


def _recording(group: Dataset, name: str, notes: tuple[str, ...]) -> Recording:
    channels = int(number(group, "NumberOfWaveformChannels", name, least=1, most=MOST_CHANNELS))
    samples = int(number(group, "NumberOfWaveformSamples", name, least=1, most=2**31))
    hz = number(group, "SamplingFrequency", name, least=1e-3, most=1e9)
    stored = _stored(group, name, samples, channels, hz)
    definitions = group.ChannelDefinitionSequence
    if len(definitions) != channels:
        where = f"{name}: {tagged('ChannelDefinitionSequence')}"
        raise refusal(where, f"{len(definitions)} items", f"{channels}, one per channel", EXPORT_AGAIN)
    leads: dict[str, np.ndarray] = {}
    for index, channel in enumerate(definitions):
        lead = lead_name(channel) or f"channel {index + 1}"
        if lead in leads:
            where = f"{name}: {tagged('ChannelSourceSequence')}"
            raise refusal(where, f"lead {lead} twice", "each lead once", EXPORT_AGAIN)
        leads[lead] = _millivolts(stored[:, index], channel, f"{name} channel {index + 1} ({lead})")
    return Recording(
        name, leads, hz, f"{tagged('SamplingFrequency')}, {tagged('ChannelSensitivityUnitsSequence')}", notes
    )


def _stored(group: Dataset, name: str, samples: int, channels: int, hz: float) -> np.ndarray:
    """(samples, channels) float64 as stored, NaN where padded."""
    interpretation = text(group, "WaveformSampleInterpretation")
    if interpretation not in SAMPLE_TYPES:
        where = f"{name}: {tagged('WaveformSampleInterpretation')}"
        raise refusal(where, shown(interpretation), " ".join(SAMPLE_TYPES), EXPORT_AGAIN)
    kind = np.dtype(SAMPLE_TYPES[interpretation])
    data, needed = bytes(group.WaveformData), samples * channels * kind.itemsize
    if len(data) < needed:
        raise refusal(f"{name}: {tagged('WaveformData')}", f"{len(data)} bytes", f"{needed}", EXPORT_AGAIN)
    raw = np.frombuffer(data[:needed], dtype=kind).reshape(samples, channels)
    stored = raw.astype(float)
    padding = group.get("WaveformPaddingValue")
    if padding is not None and len(bytes(padding)) == kind.itemsize:
        value = np.frombuffer(bytes(padding), dtype=kind)[0]
        stored[_padded(raw == value, value in (np.iinfo(kind).min, np.iinfo(kind).max), hz)] = np.nan
    return stored


def _padded(held: np.ndarray, extreme: bool, hz: float) -> np.ndarray:
    """Where a channel holds padding: everywhere it holds the value, if no signal can; else for 0.1 s and more.

    A converter in use declares 0 as padding, a value that every lead passes through.
    """
    if extreme:
        return held
    least = max(round(LEAST_PADDING_S * hz), 2)
    padded = np.zeros_like(held)
    for channel in range(held.shape[1]):
        steps = np.diff(np.concatenate([[0], held[:, channel].astype(np.int8), [0]]))
        for start, stop in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
            padded[start:stop, channel] = stop - start >= least
    return padded


def _millivolts(stored: np.ndarray, channel: Dataset, name: str) -> np.ndarray:
    units = channel.get("ChannelSensitivityUnitsSequence")
    unit = text(units[0], "CodeValue") if units else ""
    if unit.lower() not in MV_PER_UNIT:
        where = f"{name}: {tagged('ChannelSensitivityUnitsSequence')}"
        raise refusal(where, shown(unit) or "nothing", "uV or mV", EXPORT_AGAIN)
    sensitivity = number(channel, "ChannelSensitivity", name, least=1e-9, most=1e9)
    correction, baseline = 1.0, 0.0
    if text(channel, "ChannelSensitivityCorrectionFactor"):
        correction = number(channel, "ChannelSensitivityCorrectionFactor", name, least=1e-3, most=1e3)
    if text(channel, "ChannelBaseline"):
        baseline = number(channel, "ChannelBaseline", name, least=-1e9, most=1e9)
    return (stored * sensitivity * correction + baseline) * MV_PER_UNIT[unit.lower()]


def lead_name(channel: Dataset) -> str:
    """The standard name, from an SCP-ECG or MDC code, else from the code's meaning; empty if it is no standard lead."""
    sources = channel.get("ChannelSourceSequence")
    if not sources:
        return ""
    code, scheme = text(sources[0], "CodeValue"), text(sources[0], "CodingSchemeDesignator").upper()
    if lead := LEAD_NUMBERS.get(_lead_number(code, scheme)):
        return lead
    meaning = re.sub(r"\(.*\)|^MDC_ECG_(LEAD|ELEC_POTL)_|^Lead\b", "", text(sources[0], "CodeMeaning"), flags=re.I)
    return {lead.lower(): lead for lead in LEADS}.get(meaning.strip().lower(), "")


def _lead_number(code: str, scheme: str) -> int:
    if scheme == "SCPECG" and (match := re.fullmatch(r"5\.6\.3-9-(\d{1,3})", code)):
        return int(match[1])
    if scheme == "MDC" and (match := re.fullmatch(r"2:(\d{1,5})", code)):
        return int(match[1]) % 256  # 2:1 and 2:257 are MDC_ECG_LEAD_I and MDC_ECG_ELEC_POTL_I
    if scheme == "MDC" and (match := re.fullmatch(r"(13\d{4})", code)):
        return (int(match[1]) - 131_072) % 256
    return 0
