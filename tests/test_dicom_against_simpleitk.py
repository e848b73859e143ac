"""Where every voxel lies, and what it holds, is what SimpleITK says: to a millionth of a millimetre."""

import numpy as np
import pytest
from data_folder import real_data
from made_dicom import COLUMN_MM, ROW_MM, STEP_MM, lge_series, signal_at, write
from pydicom.uid import RLELossless

from cardiotwin.ingest import image_files, read_dicom, survey

sitk = pytest.importorskip("SimpleITK")

PLANES = {
    "axial": [[1, 0, 0], [0, 1, 0]],
    "sagittal": [[0, 1, 0], [0, 0, -1]],
    "coronal": [[1, 0, 0], [0, 0, -1]],
    "feet up": [[-1, 0, 0], [0, 1, 0]],
    "oblique": [[0.8, 0.0, 0.6], [0.36, 0.8, -0.48]],
}


def in_plane(axes, **tags):
    """A series of five slices in a plane given by the directions of its rows and columns."""
    axes = np.array(axes, dtype=float)
    normal = np.cross(*axes)

    def turn(k, dataset):
        dataset.ImageOrientationPatient = [float(v) for v in axes.ravel()]
        dataset.ImagePositionPatient = [round(float(v), 6) for v in [-11.5, 22.25, 7.125] + k * STEP_MM * normal]
        for keyword, value in tags.items():
            setattr(dataset, keyword, value(k) if callable(value) else value)

    return lge_series(change=turn)


def by_simpleitk(files):
    """Affine and values as SimpleITK reads files that are given in the order of their slices."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return affine, sitk.GetArrayFromImage(image)


def along_normal(files):
    """Files in the order of their slices, sorted by pydicom alone."""
    import pydicom

    headers = {file: pydicom.dcmread(file, stop_before_pixels=True) for file in files}
    first = headers[next(iter(headers))].ImageOrientationPatient
    normal = np.cross(first[:3], first[3:])
    return sorted(headers, key=lambda file: float(np.dot(headers[file].ImagePositionPatient, normal)))


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "RLE"])
def test_made_series_in_every_plane(tmp_path, plane, compressed):
    series = in_plane(PLANES[plane], RescaleSlope=lambda k: k + 0.5, RescaleIntercept=-3)
    for dataset in series:
        if compressed:
            dataset.compress(RLELossless, generate_instance_uid=False)
    image = read_dicom(write(tmp_path / "lge", series))
    affine, _ = by_simpleitk(along_normal((tmp_path / "lge").iterdir()))
    np.testing.assert_allclose(image.affine, affine, rtol=0, atol=1e-6)
    for k in range(5):
        np.testing.assert_allclose(image.values[k], signal_at(k) * (k + 0.5) - 3, rtol=1e-6)
    assert np.linalg.det(image.affine[:3, :3]) == pytest.approx(COLUMN_MM * ROW_MM * STEP_MM, rel=1e-6)


def test_values_are_simpleitks_where_one_scale_holds_for_all(tmp_path):
    image = read_dicom(write(tmp_path / "lge", in_plane(PLANES["oblique"], RescaleSlope=2, RescaleIntercept=5)))
    _, values = by_simpleitk(along_normal((tmp_path / "lge").iterdir()))
    np.testing.assert_array_equal(image.values, values)


def test_the_real_short_axis_cine():
    folder = real_data("cine_cmr_dicom")
    image = read_dicom(folder)
    chosen = set(image_files(folder))
    used = [one for one in survey(folder).series if one.instances[0].path in chosen]
    firsts = [min(one.instances, key=lambda each: float(each.header.TriggerTime)).path for one in used]
    affine, values = by_simpleitk(along_normal(firsts))
    corners = np.array([[x, y, z] for x in (0, 255) for y in (0, 207) for z in (0, 5)], dtype=float)
    ours, theirs = (corners @ matrix[:3, :3].T + matrix[:3, 3] for matrix in (image.affine, affine))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(image.values, values)


def test_every_real_view_by_itself():
    """Long axes too: the place of each single slice, as SimpleITK gives it."""
    for one in survey(real_data("cine_cmr_dicom")).series:
        affine, _ = by_simpleitk([one.instances[0].path])
        first = one.slices[0]
        np.testing.assert_allclose(first.position_mm, affine[:3, 3], rtol=0, atol=1e-6)
        np.testing.assert_allclose(
            first.orientation.T * first.spacing_mm, affine[:3, :2], rtol=0, atol=1e-6, err_msg=str(one)
        )
