"""Write a stack as a series of DICOM MR images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardiotwin.imaging import Image
from cardiotwin.phantom.patient import Patient, file_meta, set_patient_and_study, uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

RESCALE_SLOPE = 0.5
"""Stored values are twice the signal, so that a reader that forgets the slope is found out."""


def write_lge_series(folder: Path | str, image: Image, patient: Patient, *, date: str, seed: int) -> list[Path]:
    """Write one file a slice, MR Image Storage, into a folder that exists.

    Instance numbers and file names follow two different shuffles of the slices, as exports do: only the geometry tells
    the order.

    Returns
    -------
    list of Path
        One file a slice, in the order of the slices.
    """
    rng = np.random.default_rng([seed, 4])
    n_slices = len(image.values)
    instance_numbers, names = rng.permutation(n_slices) + 1, rng.permutation(n_slices)
    paths = []
    for k in range(n_slices):
        dataset = _mr_image(image, k, int(instance_numbers[k]), patient, date)
        path = Path(folder) / f"IM{names[k]:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _mr_image(image: Image, k: int, instance_number: int, patient: Patient, date: str) -> Dataset:
    from pydicom.dataset import Dataset
    from pydicom.uid import MRImageStorage

    dataset = Dataset()
    instance = uid("lge", patient.patient_id, date, k)
    dataset.file_meta = file_meta(MRImageStorage, instance)
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, instance
    set_patient_and_study(dataset, patient, "Cardiac MR", date, "101500")
    _set_series(dataset, patient, date)
    _set_contrast_and_sequence(dataset)
    _set_plane(dataset, image, k)
    _set_pixels(dataset, image.values[k])
    dataset.InstanceNumber = instance_number
    return dataset


def _set_series(dataset: Dataset, patient: Patient, date: str) -> None:
    """General Series, Frame of Reference and acquisition times."""
    dataset.Modality = "MR"
    dataset.SeriesInstanceUID = uid("lge series", patient.patient_id, date)
    dataset.SeriesNumber = 12
    dataset.SeriesDescription = "LGE SAX IR"
    dataset.ProtocolName = "LGE SAX IR"
    dataset.BodyPartExamined = "HEART"
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = uid("frame", patient.patient_id, date)
    dataset.PositionReferenceIndicator = ""
    dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = date
    dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = "103000"
    dataset.AcquisitionNumber = 1


def _set_contrast_and_sequence(dataset: Dataset) -> None:
    """A segmented inversion-recovery gradient echo, ten minutes after gadolinium, magnitude reconstruction."""
    dataset.ContrastBolusAgent = "Gadobutrol"
    dataset.ContrastBolusRoute = "IV"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "NORM"]
    dataset.ScanningSequence = ["GR", "IR"]
    dataset.SequenceVariant = "SK"
    dataset.ScanOptions = "CG"
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.InversionTime = "850", "1.6", "290"
    dataset.FlipAngle, dataset.EchoTrainLength, dataset.TriggerTime = "20", 1, "600"
    dataset.MagneticFieldStrength = "1.5"
    dataset.ImagedNucleus = "1H"


def _set_plane(dataset: Dataset, image: Image, k: int) -> None:
    """Image Plane: positions in LPS, as in the affine."""
    from pydicom.valuerep import format_number_as_ds

    columns, rows, _ = (image.affine[:3, :3] / image.spacing_mm).T
    position = image.to_lps(np.array([[0.0, 0.0, k]]))[0]
    normal = np.cross(columns, rows)
    dataset.PixelSpacing = [format_number_as_ds(float(image.spacing_mm[axis])) for axis in (1, 0)]
    dataset.ImageOrientationPatient = [format_number_as_ds(float(v)) for v in (*columns, *rows)]
    dataset.ImagePositionPatient = [format_number_as_ds(float(v)) for v in position]
    dataset.SliceThickness = format_number_as_ds(float(image.slice_thickness_mm))
    dataset.SpacingBetweenSlices = format_number_as_ds(float(image.spacing_mm[2]))
    dataset.SliceLocation = format_number_as_ds(float(position @ normal))


def _set_pixels(dataset: Dataset, values: np.ndarray) -> None:
    """Image Pixel, rescale and window."""
    stored = np.rint(values / RESCALE_SLOPE)
    if stored.min() < 0 or stored.max() >= 1 << 16:
        raise ValueError(f"signal from {values.min():g} to {values.max():g} does not fit 16 bits")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = values.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = str(RESCALE_SLOPE), "0", "US"
    dataset.WindowCenter, dataset.WindowWidth = "600", "1200"
    dataset.BurnedInAnnotation = "NO"
    dataset.PixelData = stored.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
