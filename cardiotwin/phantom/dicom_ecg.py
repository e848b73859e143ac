"""Write a 12-lead ECG as DICOM 12-lead ECG Waveform Storage (PS3.3 A.34.3)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardiotwin.ecg.recording import LEADS, Ecg
from cardiotwin.phantom.patient import Patient, file_meta, set_patient_and_study, uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MICROVOLTS_PER_STEP = 2.5
LEAD_CODES = dict(zip(LEADS, ("1", "2", "61", "62", "63", "64", "3", "4", "5", "6", "7", "8"), strict=True))
"""Codes within partition 2 of ISO/IEEE 11073-10101, as DICOM's CID 3001 uses them."""
MOST_SAMPLES = 16384
"""In one multiplex group of this IOD."""


def write_dicom_ecg(path: Path | str, ecg: Ecg, patient: Patient, *, date: str, time: str = "090000") -> Path:
    """Write the twelve standard leads.

    Parameters
    ----------
    ecg : Ecg
        Twelve leads in any order, 200 to 1000 Hz, at most 16384 samples, within 81 mV.
    date, time : str
        ``YYYYMMDD`` and ``HHMMSS`` of the recording.

    Raises
    ------
    ValueError
        The IOD cannot hold this ECG.
    """
    from pydicom.dataset import Dataset
    from pydicom.uid import TwelveLeadECGWaveformStorage

    _check(ecg)
    dataset = Dataset()
    instance = uid("ecg", patient.patient_id, date, time)
    dataset.file_meta = file_meta(TwelveLeadECGWaveformStorage, instance)
    dataset.SOPClassUID, dataset.SOPInstanceUID = TwelveLeadECGWaveformStorage, instance
    set_patient_and_study(dataset, patient, "12-lead ECG", date, time)
    dataset.StudyInstanceUID = uid("ecg study", patient.patient_id, date, time)
    dataset.Modality = "ECG"
    dataset.SeriesInstanceUID = uid("ecg series", patient.patient_id, date, time)
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.SeriesDescription = "12-lead ECG at rest"
    dataset.ContentDate, dataset.ContentTime = date, time
    dataset.AcquisitionDateTime = date + time
    dataset.AcquisitionContextSequence = []
    dataset.WaveformSequence = [_multiplex_group(ecg)]
    dataset.save_as(path, enforce_file_format=True)
    return Path(path)


def _check(ecg: Ecg) -> None:
    n_samples = ecg.mv.shape[1]
    if sorted(ecg.leads) != sorted(LEADS):
        raise ValueError(f"leads {ecg.leads}; expected the twelve standard ones")
    if not 200 <= ecg.hz <= 1000 or n_samples > MOST_SAMPLES:
        raise ValueError(f"{n_samples} samples at {ecg.hz:g} Hz; expected at most {MOST_SAMPLES} at 200 to 1000 Hz")
    if not np.abs(ecg.mv).max() < 32767e-3 * MICROVOLTS_PER_STEP:
        raise ValueError(f"up to {np.abs(ecg.mv).max():g} mV; expected less than {32.767 * MICROVOLTS_PER_STEP:g}")


def _multiplex_group(ecg: Ecg) -> Dataset:
    from pydicom.dataset import Dataset

    group = Dataset()
    order = [ecg.leads.index(lead) for lead in LEADS]
    steps = np.rint(ecg.mv[order] * 1e3 / MICROVOLTS_PER_STEP).astype("<i2")
    group.MultiplexGroupLabel = "RHYTHM"
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = steps.shape
    group.SamplingFrequency = f"{ecg.hz:g}"
    group.ChannelDefinitionSequence = [_channel(lead) for lead in LEADS]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformData = np.ascontiguousarray(steps.T).tobytes()
    group["WaveformData"].VR = "OW"
    return group


def _channel(lead: str) -> Dataset:
    from pydicom.dataset import Dataset

    channel = Dataset()
    channel.ChannelLabel = lead
    channel.ChannelSourceSequence = [_code(f"2:{LEAD_CODES[lead]}", "MDC", f"Lead {lead}")]
    channel.ChannelSensitivity = f"{MICROVOLTS_PER_STEP:g}"
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = "1", "0"
    channel.ChannelTimeSkew = "0"
    channel.WaveformBitsStored = 16
    channel.FilterLowFrequency, channel.FilterHighFrequency = "0.05", "150"
    return channel


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
