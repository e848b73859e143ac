"""A folder that holds more than one kind of input: what is taken is said, and what is not, with the reason."""

import numpy as np
import pytest
import SimpleITK
from bad_input import new_case, refused, taken
from data_folder import real_data
from made_dicom import cine_slice, lge_series, write
from test_shells import heart_files

LABELS = "NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 2 2\nencoding: raw\n"
GEOMETRY = "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n\n"


@pytest.fixture
def mixed(tmp_path):
    """Images, fitted surfaces, a label map, electrodes and a plan, as a hospital's folder may hold them."""
    folder = write(tmp_path / "export", lge_series())
    heart_files(folder / "fitted")
    (folder / "labels.nrrd").write_bytes((LABELS + GEOMETRY).encode() + bytes([0, 1, 2, 3, 0, 1, 2, 3]))
    (folder / "vest.csv").write_text("name,x_mm,y_mm,z_mm\nV1,1,2,3\n")
    (folder / "plan.toml").write_text('name = "a line"\n')
    return folder


def test_images_go_first_and_everything_else_is_named_with_the_reason(tmp_path, capsys, mixed):
    said = taken(capsys, new_case(capsys, tmp_path), ["added image", "took series 7"], mixed)
    assert said.count("added ") == 1
    for words in (
        "left out 3 surface files (fitted/heart_endo_lv.stl ...): images and ECGs go before them; name their own",
        "left out 1 label map file (labels.nrrd): a folder stands for images and ECGs only; name what",
        "left out 1 electrode file (vest.csv)",
        "left out 1 plan file (plan.toml)",
    ):
        assert words in said


def test_the_surfaces_are_taken_where_their_folder_is_named(tmp_path, capsys, mixed):
    said = taken(capsys, new_case(capsys, tmp_path), ["added label map: 3 surface files"], mixed / "fitted")
    assert "left out" not in said


def test_surfaces_of_two_frames_are_not_made_into_one_heart(tmp_path, capsys):
    folder = tmp_path / "fitted"
    for frame in ("000", "010"):
        heart_files(folder, names=[f"{part}_{frame}" for part in ("epi", "endo_lv", "endo_rv")])
    words = ["heart_endo_lv_000 and heart_endo_lv_010", "a folder of their own"]
    refused(capsys, new_case(capsys, tmp_path), 3, words, folder)


def test_a_cine_and_its_lge_in_one_folder_are_both_named(tmp_path, capsys):
    folder = write(tmp_path / "export", lge_series())
    write(folder, [cine_slice(k, frame) for k in range(4) for frame in range(6)], prefix="CINE")
    said = taken(capsys, new_case(capsys, tmp_path), ["took series 7", "lge was preferred"], folder)
    assert "left out series" in said


def test_what_can_be_named_in_a_folder_without_images_is_listed_with_its_path(tmp_path, capsys):
    deep = tmp_path / "export" / "geometry" / "heart"
    deep.mkdir(parents=True)
    (deep / "mine_xyz.csv").write_text("0,0,0\n1,0,0\n0,1,0\n0,0,1\n")
    (deep / "mine_tetra.csv").write_text("1,2,3,4\n")
    (deep.parent / "electrode_xyz.csv").write_text("1,2,3\n")
    (deep.parent / "labels.nrrd").write_bytes((LABELS + GEOMETRY).encode() + bytes([0, 1, 2, 3, 0, 1, 2, 3]))
    case = new_case(capsys, tmp_path)
    words = [
        "name one of these itself",
        "mesh in tables: geometry/heart\n",
        "label map: geometry/labels.nrrd\n",
        "nodes without the tetrahedra of a mesh (NAME_tetra.csv): geometry/electrode_xyz.csv",
    ]
    refused(capsys, case, 3, words, tmp_path / "export")
    (tmp_path / "empty").mkdir()
    refused(capsys, case, 3, ["empty: an empty folder; expected an exported series"], tmp_path / "empty")


def test_an_image_volume_is_named_as_such_and_not_offered(tmp_path, capsys):
    """Beside a label map the map is offered; beside DICOM both are said to be left out, each as what it is."""
    folder = tmp_path / "export"
    folder.mkdir()
    signal = np.random.default_rng(1).normal(300.0, 80.0, (5, 6, 7)).astype(np.float32)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(signal), str(folder / "lge.nii.gz"))
    case = new_case(capsys, tmp_path)
    words = ["themselves:\n  image volume, not read (images are read from DICOM): lge.nii.gz"]
    refused(capsys, case, 3, words, folder)
    refused(capsys, case, 3, ["lge.nii.gz: found an image volume (", "not labels", "series"], folder / "lge.nii.gz")
    (folder / "labels.nrrd").write_bytes((LABELS + GEOMETRY).encode() + bytes([0, 1, 2, 3, 0, 1, 2, 3]))
    words = ["name one of these itself:\n  label map: labels.nrrd\n  image volume, not read"]
    refused(capsys, case, 3, words, folder)
    write(folder, lge_series())
    said = taken(capsys, case, ["left out 1 label map file (labels.nrrd)"], folder)
    assert "left out 1 image volume file (lge.nii.gz): images are read from DICOM; give the series" in said


def test_two_surfaces_without_a_role_are_to_be_named_one_by_one(tmp_path, capsys):
    heart_files(tmp_path / "geo", names=["whole", "whole_for_more", "another"])
    words = ["says no role", "name one of them itself"]
    refused(capsys, new_case(capsys, tmp_path), 3, words, tmp_path / "geo")


@pytest.mark.slow
def test_the_real_folder_of_images_and_fitted_surfaces(tmp_path, capsys):
    case = new_case(capsys, tmp_path)
    said = taken(capsys, case, ["added image: cine DICOM series, 150 files"], real_data("cine_cmr_dicom"))
    assert "left out 6 surface files (fitted-models/vtk/patient1_EPICARDIAL_000.vtk ...)" in said
    refused(capsys, case, 3, ["_000 and ", "_010"], real_data("cine_cmr_dicom", "fitted-models"))
