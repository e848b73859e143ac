"""A label map is read where it lies, and refused by its header before anything is allocated."""

import gzip
import struct

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.errors import CardioTwinError, InputRejected, QualityGate
from cardiotwin.imaging import apply_affine
from cardiotwin.ingest import read_label_map
from cardiotwin.twin.observations import find

sitk = pytest.importorskip("SimpleITK")

TURNED = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])


def labelled(dtype=np.uint8):
    """(6, 10, 12) with a wall of 2 around blood of 1, and RV blood of 3 on one side only."""
    labels = np.zeros((6, 10, 12), dtype=dtype)
    labels[:, 2:8, 2:9] = 2
    labels[:, 4:6, 4:7] = 1
    labels[1:4, 3:5, 9:11] = 3
    return labels


def saved(path, labels, direction=TURNED, spacing=(1.5, 1.25, 8.0), origin=(-30.0, 12.0, 7.0), compress=False):
    image = sitk.GetImageFromArray(labels)
    image.SetDirection(np.ravel(direction).tolist())
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path), compress)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("handedness", [1, -1])
def test_every_voxel_keeps_its_label_and_place(tmp_path, ending, handedness):
    direction = TURNED @ np.diag([1, 1, handedness])
    path = saved(tmp_path / f"map{ending}", labelled(), direction)
    labels, affine = read_label_map(path)
    assert labels.dtype == np.uint8
    assert np.linalg.det(affine[:3, :3]) > 0
    image = sitk.ReadImage(str(path))
    for k, j, i in np.argwhere(labels == 3):
        where = apply_affine(affine, np.array([[i, j, k]], dtype=float))[0]
        assert image.GetPixel(image.TransformPhysicalPointToIndex(where.tolist())) == 3
    np.testing.assert_array_equal(np.bincount(labels.ravel()), np.bincount(labelled().ravel()))


@pytest.mark.parametrize(("apart_mm", "told"), [(8.0, ()), (17.7, ("slices lie 17.7 mm apart",))])
def test_slices_far_apart_are_told(tmp_path, apart_mm, told):
    """As they are of an image: a label map does not say how thick its slices are."""
    saved(tmp_path / "labels.nii.gz", labelled(), spacing=(1.5, 1.25, apart_mm))
    (found,) = find(tmp_path / "labels.nii.gz", salt="")
    assert len(found.notes) == len(told)
    assert all(note.startswith(words) for note, words in zip(found.notes, told, strict=True))
    assert found.kept == found.notes


def test_whole_numbers_stored_as_float_are_labels(tmp_path):
    labels, _ = read_label_map(saved(tmp_path / "map.nrrd", labelled(np.float32)))
    np.testing.assert_array_equal(labels, labelled())


def test_the_real_maps_read_with_their_known_volume():
    """SOURCE.txt: the contours enclose 266 mL of left ventricle; 135 voxels are scar."""
    labels, affine = read_label_map(real_data("lge_cmr_nifti", "labels_with_scar4.nii.gz"))
    voxel_ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    assert (labels == 1).sum() * voxel_ml == pytest.approx(266, rel=0.01)
    assert (labels == 4).sum() == 135


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        (labelled(np.float32) + 0.25, InputRejected, "whole numbers"),
        (np.where(labelled() == 3, 255, labelled()).astype(np.uint8), InputRejected, "255 (12 voxels)"),
        (np.where(labelled() == 3, -1, labelled(np.int16)).astype(np.int16), InputRejected, "unknown label -1"),
        (np.where(labelled() == 2, 0, labelled()).astype(np.uint8), QualityGate, "no myocardium"),
        (np.full((1, 1, 1), 2, dtype=np.uint8), InputRejected, "(1, 1, 1)"),
        (np.where(labelled() == 1, np.nan, labelled(np.float32)), InputRejected, "whole numbers"),
    ],
    ids=["fractions", "unknown", "negative", "no myocardium", "one voxel", "nan"],
)
def test_values_that_are_no_heart_are_refused(tmp_path, values, error, words):
    with pytest.raises(error) as caught:
        # NRRD, because ITK's NIfTI reader turns NaN into 0.
        read_label_map(saved(tmp_path / "map.nrrd", values))
    assert words in str(caught.value)
    assert "map.nrrd" in str(caught.value)


def interpolated():
    """Labels resampled linearly: fractions at their edges."""
    labels = np.repeat(np.repeat(labelled(np.float32), 6, axis=1), 6, axis=2)
    for axis in (1, 2):
        labels = 0.5 * (labels + np.roll(labels, 1, axis=axis))
    return labels


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.random.default_rng(1).normal(300.0, 80.0, (6, 10, 12)).astype(np.float32), "an image volume"),
        (np.arange(720, dtype=np.int16).reshape(6, 10, 12), "an image volume (720 different values from 0 to 719)"),
        (interpolated(), "values that are not whole numbers"),
    ],
    ids=["signal", "whole signal", "interpolated labels"],
)
def test_an_image_is_told_from_labels_that_were_interpolated(tmp_path, values, words):
    with pytest.raises(InputRejected) as caught:
        read_label_map(saved(tmp_path / "map.nrrd", values))
    assert words in str(caught.value)
    assert ("DICOM" in str(caught.value)) == ("image" in words)


def patched(path, offset, layout, *numbers):
    """Change fields of a NIfTI header in place."""
    content = bytearray(path.read_bytes())
    content[offset : offset + struct.calcsize(layout)] = struct.pack(layout, *numbers)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("field", "error", "words"),
    [
        ((40, "<8h", 3, 30_000, 30_000, 30_000, 1, 1, 1, 1), InputRejected, "30000"),
        ((40, "<8h", 3, -12, 10, 6, 1, 1, 1, 1), InputRejected, "dim"),
        ((40, "<8h", 4, 12, 10, 6, 5, 1, 1, 1), InputRejected, "three"),
        ((40, "<8h", 3, 12, 10, 600, 1, 1, 1, 1), InputRejected, "72000 from its header"),
        ((280, "<4f", np.nan, 0, 0, 0), InputRejected, "sform"),
        ((280, "<12f", *[0.0] * 12), InputRejected, "sform"),
        ((292, "<f", 50.0), InputRejected, "sform and qform"),
        ((344, "<4s", b"oops"), InputRejected, "oops"),
    ],
    ids=["16 TB", "negative", "four axes", "more than there is", "nan", "singular", "disagree", "magic"],
)
def test_a_header_that_lies_is_refused_before_the_native_reader_sees_it(tmp_path, field, error, words, monkeypatch):
    path = patched(saved(tmp_path / "map.nii", labelled(), np.eye(3)), *field)
    monkeypatch.setattr(sitk, "ReadImage", lambda *_: pytest.fail("the native reader was called"))
    with pytest.raises(error, match=words):
        read_label_map(path)


def test_a_compressed_bomb_is_refused(tmp_path):
    path = patched(saved(tmp_path / "map.nii", labelled()), 40, "<8h", 3, 30_000, 2_000, 1, 1, 1, 1, 1)
    packed = tmp_path / "bomb.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()[:352]))
    with pytest.raises(CardioTwinError, match=r"bomb\.nii\.gz"):
        read_label_map(packed)


def test_voxels_in_another_file_are_refused(tmp_path):
    header = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 12 10 6\nencoding: raw\ndata file: ../../etc/passwd\n\n"
    path = tmp_path / "map.nrrd"
    path.write_text(header)
    with pytest.raises(InputRejected, match="voxels in another file"):
        read_label_map(path)


@pytest.mark.parametrize(
    ("ending", "compress"), [(".nii", False), (".nii.gz", True), (".nrrd", False), (".nrrd", True)]
)
def test_a_file_cut_anywhere_is_refused(tmp_path, ending, compress):
    """ITK itself fills what is missing from a cut .nii.gz with zeros."""
    path = saved(tmp_path / f"map{ending}", labelled(), compress=compress)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 9, max(len(whole) // 40, 1)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputRejected, match="map"):
            read_label_map(path)
