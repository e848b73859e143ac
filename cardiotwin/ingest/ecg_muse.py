"""GE MUSE XML (``RestingECG``): base64 leads of 16 bits; I, II and V1 to V6 are stored, the other limb leads follow.

The file says its sampling twice, and the two may differ: ``SampleBase`` of the waveform is that of the samples,
``ECGSampleBase`` only that of the measured intervals. Which one is right is asked of what else is known: ten seconds is
what a resting ECG lasts, and the ventricular rate that the device measured.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

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

MV_PER_UNIT = {"MICROVOLTS": 1e-3, "MILLIVOLTS": 1.0, "NANOVOLTS": 1e-6}
USUAL_SECONDS = 10.0


def read_muse_recording(path: Path, name: str) -> Recording:
    """The leads of the waveform ``Rhythm``; the median beat is left out.

    Raises
    ------
    InputRejected
        Damaged, no rhythm, byte or sample counts or a checksum that the data contradict, no unit.
    """
    root = xml_root(path, name)
    waves = [wave for wave in root.findall("Waveform") if words_at(wave, "WaveformType").lower() in ("rhythm", "")]
    if len(waves) != 1:
        raise refusal(f"{name}: Waveform", f"{len(waves)} of type Rhythm", "one", EXPORT_AGAIN)
    leads: dict[str, np.ndarray] = {}
    for stored in waves[0].findall("LeadData"):
        lead = lead_named(words_at(stored, "LeadID"))
        if lead in leads or len(leads) >= MOST_CHANNELS:
            raise refusal(f"{name}: LeadData", f"lead {lead} twice, or too many", "each once", EXPORT_AGAIN)
        leads[lead] = _millivolts(stored, f"{name}: LeadData {lead}")
    count = words_at(waves[0], "NumberofLeads")
    if count and count != str(len(leads)):
        raise refusal(f"{name}: NumberofLeads", shown(count), f"{len(leads)}, the leads there are", EXPORT_AGAIN)
    hz = _rate(waves[0], "SampleBase", "SampleExponent", name)
    bpm = words_at(root, "RestingECGMeasurements/VentricularRate")
    notes = _two_rates(root, hz, max((mv.size for mv in leads.values()), default=0), name)
    patient = (words_at(root, f"PatientDemographics/{tag}") for tag in ("PatientID", "DateofBirth", "Gender"))
    return Recording(
        name, leads, hz, "SampleBase, LeadAmplitudeUnitsPerBit", notes, _when(root),
        stated_bpm=float(bpm) if bpm.isdecimal() else 0.0, person=person_of(*patient), derive_limb_leads=True,
    )  # fmt: skip


def _rate(element: Element, base: str, exponent: str, name: str) -> float:
    power = number_of(words_at(element, exponent) or "0", f"{name}: {exponent}", -6, 6)
    return number_of(words_at(element, base), f"{name}: {base}", 1e-6, MOST_HZ) * 10.0**power


def _two_rates(root: Element, hz: float, samples: int, name: str) -> tuple[str, ...]:
    """A note where two rates are told; a refusal where the other one is the likelier."""
    measured = root.find("RestingECGMeasurements")
    if measured is None or not words_at(measured, "ECGSampleBase"):
        return ()
    other = _rate(measured, "ECGSampleBase", "ECGSampleExponent", name)
    if other == hz:
        return ()
    seconds, otherwise = samples / hz, samples / other
    if abs(otherwise - USUAL_SECONDS) < 0.1 < abs(seconds - USUAL_SECONDS):
        raise refusal(
            f"{name}: SampleBase",
            f"{hz:g} samples per second, {seconds:.4g} s of {samples} samples",
            f"{other:g} as in ECGSampleBase, which makes {otherwise:.4g} s",
            EXPORT_AGAIN,
        )
    return (f"two sampling rates are told, {hz:g} and {other:g} Hz: the waveform's {hz:g} taken, {seconds:.4g} s",)


def _millivolts(stored: Element, where: str) -> np.ndarray:
    data = decoded(words_at(stored, "WaveFormData"), f"{where}: WaveFormData")
    if words_at(stored, "LeadSampleSize") not in ("", "2") or len(data) % 2 or not data:
        found = f"{len(data)} bytes in samples of {shown(words_at(stored, 'LeadSampleSize') or '2')}"
        raise refusal(where, found, "whole samples of 2 bytes", EXPORT_AGAIN)
    for tag, count in (("LeadByteCountTotal", len(data)), ("LeadSampleCountTotal", len(data) // 2)):
        told = words_at(stored, tag)
        if told and told != str(count):
            raise refusal(f"{where}: {tag}", shown(told), f"{count}, what there is", EXPORT_AGAIN)
    checksum = words_at(stored, "LeadDataCRC32")
    if checksum.isdecimal() and int(checksum) and int(checksum) != zlib.crc32(data):
        raise refusal(f"{where}: LeadDataCRC32", checksum, f"{zlib.crc32(data)}", EXPORT_AGAIN)
    unit = words_at(stored, "LeadAmplitudeUnits").upper()
    if unit not in MV_PER_UNIT:
        raise refusal(f"{where}: LeadAmplitudeUnits", shown(unit) or "nothing", ", ".join(MV_PER_UNIT), EXPORT_AGAIN)
    step = number_of(words_at(stored, "LeadAmplitudeUnitsPerBit"), f"{where}: LeadAmplitudeUnitsPerBit", 1e-6, 1e6)
    return np.frombuffer(data, "<i2").astype(np.float64) * step * MV_PER_UNIT[unit]


def _when(root: Element) -> str:
    """MUSE writes MM-DD-YYYY."""
    date, time = (words_at(root, f"TestDemographics/Acquisition{part}") for part in ("Date", "Time"))
    parts = date.split("-")
    return moment(f"{parts[2]}-{parts[0]}-{parts[1]} {time}") if len(parts) == 3 else ""
