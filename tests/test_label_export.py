"""What is exported comes back with every label where it was, and other programs see the same."""

import warnings

import numpy as np
import pytest
from made_dicom import COLUMNS, ROWS, cine_slice, lge_series, write
from short_axis import affine, scar_mask, truth

from cardiotwin.errors import InputRejected, SettingsError
from cardiotwin.exports.label_export import write_dicom_seg, write_nifti
from cardiotwin.imaging import apply_affine
from cardiotwin.ingest import explain, read_dicom, read_label_map
from cardiotwin.ingest.labels import read_segments
from cardiotwin.provenance import Provenance
from cardiotwin.segmentation import Segmentation, from_label_map

sitk = pytest.importorskip("SimpleITK")
NOTHING = Provenance("twin", 1, "0", (), (), ())


def winding():
    """The other way up the right ventricle winds as in a human heart, which `add` asks for."""
    return np.ascontiguousarray(truth()[:, ::-1])


def scarred():
    labels = truth()
    labels[scar_mask(60, range(2, 4))] = 4
    labels[scar_mask(20, range(4, 5))] = 5
    return from_label_map(labels, affine())


def test_nifti_comes_back(tmp_path):
    segmentation = scarred()
    path, about = write_nifti(tmp_path / "out", segmentation, NOTHING)
    labels, matrix = read_label_map(path)
    np.testing.assert_array_equal(labels, segmentation.labels)
    corners = np.array([[0, 0, 0], [119, 109, 8]])
    np.testing.assert_allclose(apply_affine(matrix, corners), apply_affine(segmentation.affine, corners), atol=1e-4)
    assert '"lv_blood"' in about.read_text()


def test_a_voxel_of_the_nifti_lies_where_itk_says(tmp_path):
    segmentation = scarred()
    image = sitk.ReadImage(str(write_nifti(tmp_path / "out", segmentation, NOTHING)[0]))
    for slice_, row, column in np.argwhere(segmentation.labels == 5)[:3]:
        where = apply_affine(segmentation.affine, np.array([[column, row, slice_]]))[0]
        assert image.GetPixel(image.TransformPhysicalPointToIndex(where.tolist())) == 5


def test_a_dicom_segmentation_comes_back(tmp_path):
    pytest.importorskip("highdicom")
    segmentation = scarred()
    (path,) = write_dicom_seg(tmp_path / "out", segmentation, ())
    assert explain(path) == ("label_map", "a DICOM segmentation")
    labels, matrix = read_label_map(path)
    used = np.flatnonzero((segmentation.labels > 0).any(axis=(1, 2)))
    np.testing.assert_array_equal(labels, segmentation.labels[used[0] : used[-1] + 1])
    first = apply_affine(segmentation.affine, np.array([[0, 0, used[0]]]))
    np.testing.assert_allclose(apply_affine(matrix, np.zeros((1, 3))), first, atol=1e-5)


def test_writing_twice_is_writing_the_same_object(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    first, second = (write_dicom_seg(tmp_path / name, scarred(), ())[0] for name in "ab")
    assert pydicom.dcmread(first).SOPInstanceUID == pydicom.dcmread(second).SOPInstanceUID


def test_a_dicom_segmentation_belongs_to_the_study_of_its_images(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    write(tmp_path / "lge", lge_series())
    image = read_dicom(tmp_path / "lge")
    labels = np.zeros((5, ROWS, COLUMNS), np.uint8)
    labels[:, 1:5, 1:7], labels[:, 2:4, 2:5], labels[:, 0, 2:5] = 2, 1, 3
    files = sorted((tmp_path / "lge").glob("*.dcm"))
    (path,) = write_dicom_seg(tmp_path / "out", Segmentation(labels, image.affine, None, False, {}), files)
    written, source = pydicom.dcmread(path), pydicom.dcmread(files[0])
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert written[keyword].value == source[keyword].value
    np.testing.assert_array_equal(read_segments(path).codes > 0, labels > 0)


def test_a_stack_gathered_from_several_series_keeps_patient_and_study(tmp_path):
    """No object may refer to images of several series, and none of theirs is the series of the whole stack."""
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    write(tmp_path / "cine", [cine_slice(k, frame) for k in range(4) for frame in range(6)])
    image = read_dicom(tmp_path / "cine")
    labels = np.zeros((4, ROWS, COLUMNS), np.uint8)
    labels[:, 1:5, 1:7], labels[:, 2:4, 2:5] = 2, 1
    files = sorted((tmp_path / "cine").glob("*.dcm"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (path,) = write_dicom_seg(tmp_path / "out", Segmentation(labels, image.affine, None, False, {}), files)
    written, source = pydicom.dcmread(path), pydicom.dcmread(files[0])
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "StudyDate"):
        assert written[keyword].value == source[keyword].value
    back = read_segments(path)
    np.testing.assert_array_equal(back.codes > 0, labels > 0)
    np.testing.assert_allclose(back.affine, image.affine, atol=1e-6)


def test_writing_warns_of_nothing(tmp_path):
    """Turned by an angle whose sine has more digits than a DICOM decimal string takes."""
    pytest.importorskip("highdicom")
    turned = np.diag([1.5, 1.5, 8.0, 1.0])
    turned[1:3, 1:3] = np.array([[np.cos(1e-4), -np.sin(1e-4)], [np.sin(1e-4), np.cos(1e-4)]]) @ turned[1:3, 1:3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_dicom_seg(tmp_path / "out", from_label_map(truth(), turned), ())


def test_a_twin_from_a_mesh_has_no_segmentation_and_says_so(tmp_path, capsys):
    from cardiotwin.cli import execute
    from cardiotwin.storage.ledger import Observation
    from cardiotwin.twin.twin import Twin

    case = str(tmp_path / "case")
    assert execute(["new", case]) == 0
    mesh = Observation("0" * 64, "mesh", "", "mesh", "", "", "", "2026-01-01T00:00:00+00:00")
    Twin(case).ledger.add([mesh])
    assert execute(["export", case, str(tmp_path / "out"), "--to", "nifti"]) == 2
    told = capsys.readouterr().err
    assert "found a mesh, no segmentation" in told
    assert "--to paraview" in told


def test_a_dicom_segmentation_cut_anywhere_is_refused(tmp_path):
    pytest.importorskip("highdicom")
    (path,) = write_dicom_seg(tmp_path / "out", scarred(), ())
    whole = path.read_bytes()
    cut = tmp_path / "cut.dcm"
    for length in range(200, len(whole), len(whole) // 20):
        cut.write_bytes(whole[:length])
        with pytest.raises(InputRejected, match=r"cut\.dcm"):
            read_label_map(cut)


def test_both_formats_lie_in_one_folder_and_do_not_replace_each_other(tmp_path):
    pytest.importorskip("highdicom")
    first, second = from_label_map(winding(), affine()), from_label_map(winding()[:, ::-1], affine())
    for write_all in (
        lambda heart: (write_nifti(tmp_path / "a", heart, NOTHING), write_dicom_seg(tmp_path / "a", heart, ())),
        lambda heart: (write_dicom_seg(tmp_path / "b", heart, ()), write_nifti(tmp_path / "b", heart, NOTHING)),
    ):
        for heart in (first, second):  # the second time each takes the place of its own older file, and of no other
            written = [path for paths in write_all(heart) for path in paths]
            assert {path.name for path in written} == {path.name for path in written[0].parent.iterdir()}
            for path in written:
                assert path.stat().st_mode & 0o777 == 0o600
            nifti, seg = (next(path for path in written if path.name.endswith(end)) for end in (".nii.gz", ".dcm"))
            np.testing.assert_array_equal(read_label_map(nifti)[0], heart.labels)
            np.testing.assert_array_equal(
                np.bincount(read_label_map(seg)[0].ravel())[1:], np.bincount(heart.labels.ravel())[1:]
            )


def test_without_the_extra_the_refusal_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "highdicom", None)
    with pytest.raises(SettingsError, match=r"cardiotwin\[dicom\]"):
        write_dicom_seg(tmp_path / "out", scarred(), ())


def test_the_command_writes_what_add_reads(tmp_path, capsys):
    from cardiotwin.cli import execute

    image = sitk.GetImageFromArray(np.choose(winding(), [0, 3, 2, 1]).astype(np.uint8))
    matrix = affine()
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "acdc.nii.gz"))
    case = str(tmp_path / "case")
    assert execute(["new", case]) == 0
    assert execute(["add", case, str(tmp_path / "acdc.nii.gz")]) == 0
    assert "read in the coding of ACDC" in capsys.readouterr().out
    assert execute(["segment", case]) == 0
    assert execute(["export", case, str(tmp_path / "out"), "--to", "nifti"]) == 0
    np.testing.assert_array_equal(read_label_map(tmp_path / "out" / "segmentation.nii.gz")[0], winding())
    assert execute(["export", case, str(tmp_path), "--to", "nifti"]) == 2


def test_a_mapping_written_after_add_takes_effect(tmp_path, capsys):
    from cardiotwin.cli import execute
    from cardiotwin.twin.twin import Twin

    case = tmp_path / "case"
    path, _ = write_nifti(tmp_path / "out", from_label_map(winding(), affine()), NOTHING)
    assert execute(["new", str(case)]) == 0
    assert execute(["add", str(case), str(path)]) == 0
    assert execute(["segment", str(case)]) == 0
    settings = case / "twin.toml"
    settings.write_text(
        settings.read_text()
        .replace("[labels]\nlv_blood = []\nmyocardium = []", "[labels]\nlv_blood = [1]\nmyocardium = [2]")
        .replace("rv_blood = []", "rv_blood = [3]")
    )
    status = {one.name: one.state for one in Twin(case).status().steps}
    assert status["segment"] == "stale"
    assert execute(["segment", str(case)]) == 0
