"""Small DICOM series and ECGs made by pydicom, honest unless a test damages them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, TwelveLeadECGWaveformStorage

from cardiotwin.ecg.recording import LEADS

ROWS, COLUMNS = 6, 8
ROW_MM, COLUMN_MM = 1.5, 2.0
STEP_MM = 9.0
OBLIQUE = np.array([[0.8, 0.0, 0.6], [0.36, 0.8, -0.48]])
"""Directions along columns and along rows, as of a short-axis slice."""
NORMAL = np.cross(*OBLIQUE)
ORIGIN_MM = np.array([-100.0, -80.0, -30.0])


def signal_at(k: int, frame: int = 0) -> np.ndarray:
    """(ROWS, COLUMNS) uint16, different for each slice and frame."""
    return (100 * k + 10 * frame + np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)).astype("<u2")


def lge_slice(k: int, **tags: object) -> Dataset:
    """Slice k of an LGE series; keyword arguments replace tags, None deletes one."""
    dataset = _object(MRImageStorage, f"1.2.3.4.{k + 1}", "MR")
    dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.SeriesDescription = "1.2.3.4", 7, "psir sax"
    dataset.FrameOfReferenceUID = "1.2.3"
    dataset.InstanceNumber = 100 - k
    dataset.InversionTime = "300"
    dataset.ImageOrientationPatient = [round(float(v), 6) for v in OBLIQUE.ravel()]
    dataset.ImagePositionPatient = [round(float(v), 6) for v in ORIGIN_MM + k * STEP_MM * NORMAL]
    dataset.PixelSpacing, dataset.SliceThickness = [ROW_MM, COLUMN_MM], 8
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = ROWS, COLUMNS, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = signal_at(k).tobytes()
    dataset["PixelData"].VR = "OW"
    return _with(dataset, tags)


def lge_series(count: int = 5, change: Callable[[int, Dataset], None] | None = None) -> list[Dataset]:
    """A whole series; `change` may alter slice k."""
    series = [lge_slice(k) for k in range(count)]
    for k, dataset in enumerate(series):
        if change is not None:
            change(k, dataset)
    return series


def cine_slice(k: int, frame: int, **tags: object) -> Dataset:
    """Frame `frame` of slice k of a cine whose every slice is a series of its own."""
    own = {
        "InversionTime": None,
        "SOPInstanceUID": f"1.2.5.{k + 1}.{frame + 1}",
        "SeriesInstanceUID": f"1.2.5.{k + 1}",
        "SeriesNumber": 20 + k,
        "SeriesDescription": "trufi",
        "TriggerTime": 40.0 * frame,
        "PixelData": signal_at(k, frame).tobytes(),
    }
    return lge_slice(k, **(own | tags))


def ecg(mv: np.ndarray, leads: tuple[str, ...], hz: float = 500.0, unit: str = "uV", **tags: object) -> Dataset:
    """A 12-lead ECG waveform object; each stored step is 2.5 of `unit`."""
    codes = dict(zip(LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))
    dataset = _object(TwelveLeadECGWaveformStorage, "1.2.6.1", "ECG")
    dataset.SeriesInstanceUID = "1.2.6"
    group = Dataset()
    group.WaveformOriginality, group.MultiplexGroupLabel = "ORIGINAL", "RHYTHM"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = mv.shape
    group.SamplingFrequency = hz
    group.ChannelDefinitionSequence = [_channel(f"5.6.3-9-{codes[lead]}", unit) for lead in leads]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformData = np.rint(mv.T * 1000 / 2.5).astype("<i2").tobytes()
    group["WaveformData"].VR = "OW"
    dataset.WaveformSequence = [group]
    return _with(dataset, tags)


def write(folder: Path, datasets: list[Dataset], prefix: str = "IM") -> Path:
    """Save data sets under names that say nothing about their order."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(5).permutation(len(datasets))
    for dataset, number in zip(datasets, order, strict=True):
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(folder / f"{prefix}{number:03d}.dcm", enforce_file_format=True)
    return folder


def beats(n_leads: int, hz: float = 500.0, seconds: float = 5.0, seed: int = 3) -> np.ndarray:
    """(n_leads, n_samples) mV: one narrow QRS a second of 0.5 to 1.5 mV, with noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * hz)) / hz
    qrs = np.exp(-0.5 * (((t % 1.0) - 0.4) / 0.012) ** 2)
    return np.outer(rng.uniform(0.5, 1.5, n_leads), qrs) + 0.01 * rng.standard_normal((n_leads, t.size))


def twelve_leads(hz: float = 500.0, seconds: float = 5.0) -> np.ndarray:
    """(12, n_samples) mV in the usual order, obeying Einthoven and Goldberger."""
    one, two, *chest = beats(8, hz, seconds)
    return np.array([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2, *chest])


def _object(sop_class: str, instance: str, modality: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = sop_class, instance, modality
    dataset.PatientName, dataset.PatientID = "CANARY^NAME", "canary-id-17"
    dataset.PatientBirthDate, dataset.PatientSex = "19610203", "F"
    dataset.StudyInstanceUID, dataset.StudyDate = "1.2", "20240506"
    return dataset


def _channel(code: str, unit: str) -> Dataset:
    channel, source, sensitivity = Dataset(), Dataset(), Dataset()
    source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = code, "SCPECG", "a lead"
    sensitivity.CodeValue, sensitivity.CodingSchemeDesignator, sensitivity.CodeMeaning = unit, "UCUM", unit
    channel.ChannelSourceSequence, channel.ChannelSensitivityUnitsSequence = [source], [sensitivity]
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = "2.5", "1", "0"
    channel.WaveformBitsStored = 16
    return channel


def _with(dataset: Dataset, tags: dict[str, object]) -> Dataset:
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset
