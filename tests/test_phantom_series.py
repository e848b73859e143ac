"""The phantom's images are a DICOM series that others read alike."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.dicom_series import write_lge_series
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.phantom.patient import phantom_patient

COARSE = LgeScan(pixel_mm=3.0, rows=96, columns=112, slice_mm=10.0)


@pytest.fixture(scope="module")
def stack():
    return scan(make_anatomy(3), replace(COARSE, seed=3))[0]


@pytest.fixture(scope="module")
def folder(stack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lge")
    write_lge_series(folder, stack, phantom_patient(3), date="20240311", seed=3)
    return folder


def test_simpleitk_reads_the_same_geometry_and_signal(stack, folder):
    """GDCM sorts by position and builds its affine from the tags: both must give back what was written."""
    sitk = pytest.importorskip("SimpleITK")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    volume = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(volume.GetDirection(), (3, 3)) * volume.GetSpacing()
    affine[:3, 3] = volume.GetOrigin()
    np.testing.assert_allclose(affine, stack.affine, atol=1e-4)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volume), stack.values)


def test_only_the_geometry_tells_the_order(folder):
    datasets = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    normal = np.cross(*np.reshape(datasets[0].ImageOrientationPatient, (2, 3)).astype(float))
    by_position = np.argsort([np.dot(d.ImagePositionPatient, normal) for d in datasets])
    by_number = np.argsort([d.InstanceNumber for d in datasets])
    forwards = np.arange(len(datasets))
    assert not np.array_equal(by_position, forwards)
    assert not np.array_equal(by_position, by_number)
    assert not np.array_equal(by_position, by_number[::-1])


REQUIRED = (
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID Modality PixelSpacing "
    "ImageOrientationPatient ImagePositionPatient ImageType SamplesPerPixel PhotometricInterpretation Rows Columns "
    "BitsAllocated BitsStored HighBit PixelRepresentation PixelData ScanningSequence SequenceVariant InstanceNumber"
)
MAY_BE_EMPTY = (
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName StudyID "
    "AccessionNumber SeriesNumber PatientPosition PositionReferenceIndicator Manufacturer SliceThickness ScanOptions "
    "MRAcquisitionType RepetitionTime EchoTime EchoTrainLength InversionTime TriggerTime ContrastBolusAgent "
    "ContentDate ContentTime"
)


def test_every_attribute_the_standard_requires_is_there(folder):
    """Types 1 and 2 of the MR Image IOD (PS3.3 A.4) for a gated inversion-recovery acquisition with contrast."""
    instances = set()
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        assert not [name for name in REQUIRED.split() if dataset.get(name) in (None, "", [])]
        assert not [name for name in MAY_BE_EMPTY.split() if name not in dataset]
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        instances.add(dataset.SOPInstanceUID)
    assert len(instances) == len(list(folder.iterdir()))


def test_no_value_breaks_the_rules_of_its_kind(folder, monkeypatch):
    """Every element reads and writes with pydicom's validation set to raise."""
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.RAISE)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        assert len(list(dataset.iterall())) > 50


def test_seed_decides_the_pixels(stack):
    again, _ = scan(make_anatomy(3), replace(COARSE, seed=3))
    other, _ = scan(make_anatomy(4), replace(COARSE, seed=4))
    np.testing.assert_array_equal(again.values, stack.values)
    assert other.values.shape != stack.values.shape or (other.values != stack.values).any()
