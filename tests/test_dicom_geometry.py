"""Geometry decides what a series is: not file names, not instance numbers, not the order of the slices."""

import numpy as np
import pytest
from data_folder import real_data
from made_dicom import (
    COLUMN_MM,
    NORMAL,
    OBLIQUE,
    ORIGIN_MM,
    ROW_MM,
    STEP_MM,
    cine_slice,
    lge_series,
    lge_slice,
    signal_at,
    write,
)
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from cardiotwin.ingest import image_files, read_dicom, survey


def test_every_voxel_lands_where_its_own_slice_says(tmp_path):
    image = read_dicom(write(tmp_path / "lge", lge_series()))
    assert image.kind == "lge"
    assert image.slice_thickness_mm == 8
    for k in range(5):
        np.testing.assert_array_equal(image.values[k], signal_at(k))
        corner = ORIGIN_MM + k * STEP_MM * NORMAL + 3 * COLUMN_MM * OBLIQUE[0] + 2 * ROW_MM * OBLIQUE[1]
        np.testing.assert_allclose(image.to_lps(np.array([[3, 2, k]]))[0], corner, atol=1e-5)


def test_slices_acquired_from_the_other_end_give_the_same_right_handed_volume(tmp_path):
    backwards = lge_series()
    for k, dataset in enumerate(backwards):
        dataset.InstanceNumber = k
    one = read_dicom(write(tmp_path / "one", lge_series()))
    other = read_dicom(write(tmp_path / "other", backwards[::-1]))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.affine, other.affine)
    assert np.linalg.det(one.affine[:3, :3]) == pytest.approx(COLUMN_MM * ROW_MM * STEP_MM, rel=1e-5)


def test_each_slice_has_its_own_scale(tmp_path):
    def scale(k, dataset):
        dataset.RescaleSlope, dataset.RescaleIntercept = k + 1, -7

    image = read_dicom(write(tmp_path / "lge", lge_series(change=scale)))
    for k in range(5):
        np.testing.assert_allclose(image.values[k], signal_at(k) * (k + 1.0) - 7)


def test_a_cine_exported_slice_by_slice_becomes_one_stack_without_its_long_axis_views(tmp_path):
    short_axis = [cine_slice(k, frame) for k in range(4) for frame in range(6)]
    turned = [float(v) for v in (*OBLIQUE[0], *NORMAL)]
    long_axis = [
        cine_slice(9, frame, ImageOrientationPatient=turned, SeriesDescription="trufi 4CH") for frame in range(6)
    ]
    folder = write(tmp_path / "cine", short_axis + long_axis)
    image = read_dicom(folder)
    assert image.kind == "cine"
    assert any("left out" in note and "4CH" in note for note in image.notes)
    assert any("4 single-slice series gathered" in note for note in image.notes)
    for k in range(4):
        np.testing.assert_array_equal(image.values[k], signal_at(k, frame=0))
    # Frames differ by a constant of 10 per frame.
    np.testing.assert_allclose(image.motion, np.std(10.0 * np.arange(6)), rtol=1e-5)
    assert len(image_files(folder)) == 24


def test_the_lge_is_taken_from_an_examination_that_also_has_a_cine(tmp_path):
    write(tmp_path / "exam", lge_series(), prefix="LGE")
    write(tmp_path / "exam", [cine_slice(k, frame) for k in range(4) for frame in range(6)], prefix="CINE")
    assert read_dicom(tmp_path / "exam").kind == "lge"
    assert read_dicom(tmp_path / "exam", kind="cine").kind == "cine"
    assert {one.kind for one in survey(tmp_path / "exam").series} == {"lge", "cine"}


def test_one_enhanced_multi_frame_object_reads_like_its_single_slices(tmp_path):
    single = read_dicom(write(tmp_path / "single", lge_series()))
    multi = read_dicom(write(tmp_path / "multi", [enhanced(lge_series()[::-1])]))
    np.testing.assert_array_equal(multi.values, single.values)
    np.testing.assert_allclose(multi.affine, single.affine)


def enhanced(series: list[Dataset]) -> Dataset:
    """The same slices as one Enhanced MR object."""
    dataset = lge_slice(0, SOPClassUID=EnhancedMRImageStorage, SOPInstanceUID="1.2.9")
    dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(dataset, keyword)
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = series[0].PixelSpacing, series[0].SliceThickness
    orientation.ImageOrientationPatient = series[0].ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    frames = []
    for one in series:
        position, frame = Dataset(), Dataset()
        position.ImagePositionPatient = one.ImagePositionPatient
        frame.PlanePositionSequence = [position]
        frames.append(frame)
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = [shared], frames
    dataset.NumberOfFrames = len(series)
    dataset.PixelData = b"".join(one.PixelData for one in series)
    return dataset


def test_the_phantom_series_reads_back_as_the_stack_it_was_written_from(tmp_path):
    from cardiotwin.imaging import Image
    from cardiotwin.phantom.dicom_series import write_lge_series
    from cardiotwin.phantom.patient import phantom_patient

    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([COLUMN_MM * OBLIQUE[0], ROW_MM * OBLIQUE[1], STEP_MM * NORMAL])
    affine[:3, 3] = ORIGIN_MM
    values = np.random.default_rng(1).integers(0, 2000, (6, 10, 12)).astype(np.float32)
    write_lge_series(tmp_path, Image(values, affine, "lge"), phantom_patient(1), date="20240101", seed=1)
    image = read_dicom(tmp_path)
    np.testing.assert_array_equal(image.values, values)
    np.testing.assert_allclose(image.affine, affine, atol=1e-5)


def test_the_real_cine_matches_an_independent_conversion_to_nifti():
    """The NIfTI beside it was made by other hands: every voxel must have the same value at the same place."""
    sitk = pytest.importorskip("SimpleITK")
    image = read_dicom(real_data("cine_cmr_dicom"))
    other = sitk.ReadImage(str(real_data("cine_cmr_labels", "cine_sax_frame000.nii.gz")))
    assert image.kind == "cine"
    assert image.values.shape == (6, 208, 256)
    assert sum("left out series" in note for note in image.notes) == 5
    rng = np.random.default_rng(2)
    for _ in range(300):
        k, j, i = (int(rng.integers(n)) for n in image.values.shape)
        where = image.to_lps(np.array([[i, j, k]], dtype=float))[0]
        assert other.GetPixel(other.TransformPhysicalPointToIndex(where.tolist())) == image.values[k, j, i]
