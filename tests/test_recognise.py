"""Files are recognised by what they hold, also when several kinds lie in one export."""

import numpy as np
import pytest
from data_folder import real_data
from made_dicom import ecg, lge_series, twelve_leads, write

from cardiotwin.ecg.recording import LEADS
from cardiotwin.ingest import explain, recognise, recognise_all


@pytest.fixture
def export(tmp_path):
    """An export folder with a bit of everything."""
    sitk = pytest.importorskip("SimpleITK")
    write(tmp_path / "lge", lge_series())
    write(tmp_path, [ecg(twelve_leads(), LEADS)], prefix="ecg")
    labels = np.zeros((4, 8, 8), dtype=np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "labels.nii.gz"))
    image = np.random.default_rng(0).standard_normal((4, 8, 8)).astype(np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(image), str(tmp_path / "image.nrrd"))
    (tmp_path / "plan.toml").write_text('name = "isthmus"\n[[lesion]]\nkind = "point"\n')
    (tmp_path / "settings.toml").write_text("[mesh]\nedge_mm = 1\n")
    (tmp_path / "electrodes.csv").write_text("name,x_mm,y_mm,z_mm\nLA,1,2,3\n")
    (tmp_path / "second.csv").write_text("I [mV],II [mV]\n1,2\n")
    (tmp_path / "numbers.csv").write_text("1,2\n3,4\n")
    (tmp_path / "positions.csv").write_text("1,2,3\n4,5,6\n")
    (tmp_path / "named.csv").write_text("V1,1,2,3\nV2,5,6,7\n")
    (tmp_path / "rec.hea").write_text("rec 1 500 10\nrec.dat 16 200 16 0 0 0 0 I\n")
    (tmp_path / "rec.dat").write_bytes(bytes(20))
    (tmp_path / "empty.csv").touch()
    return tmp_path


def test_an_export_folder_is_sorted_by_kind(export):
    found = recognise_all(export)
    named = sorted((kind, paths[0].name) for kind, paths in found if kind not in ("dicom_image", "unknown"))
    assert named == [
        ("csv_ecg", "second.csv"),
        ("dicom_ecg", "ecg000.dcm"),
        ("electrodes", "electrodes.csv"),
        ("image_volume", "image.nrrd"),
        ("label_map", "labels.nii.gz"),
        ("plan", "plan.toml"),
        ("wfdb_ecg", "rec.hea"),
    ]
    kinds = dict(found)
    assert len(kinds["dicom_image"]) == 5
    assert {path.name for path in kinds["unknown"]} == {
        "empty.csv",
        "named.csv",
        "numbers.csv",
        "positions.csv",
        "settings.toml",
    }


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("image.nrrd", "not labels"),
        ("numbers.csv", "without a header"),
        ("positions.csv", "name,x_mm,y_mm,z_mm"),
        ("named.csv", "name,x_mm,y_mm,z_mm"),
        ("settings.toml", "lesion"),
        ("rec.dat", "give the header beside it, rec.hea"),
    ],
)
def test_what_is_unknown_says_why(export, name, why):
    kind, reason = explain(export / name)
    assert kind == ("image_volume" if name == "image.nrrd" else "unknown")
    assert why in reason


def test_a_folder_of_one_kind_is_that_kind(export):
    assert recognise(export / "lge") == "dicom_image"
    assert recognise(export) == "unknown"


def test_a_damaged_file_is_what_its_ending_says_so_that_its_reader_can_refuse_it(export):
    (export / "labels.nii.gz").write_bytes(b"damaged")
    (export / "ecg000.dcm").write_bytes(b"")
    assert recognise(export / "labels.nii.gz") == "label_map"
    assert recognise(export / "ecg000.dcm") == "dicom_image"


def test_the_real_data_are_recognised():
    assert recognise(real_data("cine_cmr_dicom", "dicoms")) == "dicom_image"
    with_fitted_surfaces = [kind for kind, _ in recognise_all(real_data("cine_cmr_dicom"))]
    assert with_fitted_surfaces[0] == "dicom_image"
    assert "surfaces" in with_fitted_surfaces
    assert recognise(real_data("lge_cmr_nifti", "labels_with_scar4.nii.gz")) == "label_map"
    assert recognise(real_data("lge_cmr_nifti", "lge_sax.nii.gz")) == "image_volume"
    assert recognise(real_data("ecg", "dicom_waveform_pydicom", "waveform_ecg.dcm")) == "dicom_ecg"
    assert recognise(real_data("ecg", "wfdb_ptb_s0010")) == "wfdb_ecg"
