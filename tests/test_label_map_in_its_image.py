"""A label map belongs to the image of its twin: it lies within it, its slices are parallel, and it takes its place."""

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin import cli, presets
from cardiotwin.anatomy.given_labels import check_within
from cardiotwin.errors import InputRejected
from cardiotwin.imaging import Image
from cardiotwin.segmentation import LV_BLOOD, MYOCARDIUM, Segmentation, from_label_map
from cardiotwin.twin.twin import Twin


def drawn(affine: np.ndarray, shape: tuple[int, int, int] = (10, 40, 40)) -> Segmentation:
    """A block of 10 slices x 20 x 20 voxels in the middle: each slice is a tenth of it."""
    labels = np.zeros(shape, np.uint8)
    labels[:, 10:30, 10:30] = MYOCARDIUM
    labels[:, 14:26, 14:26] = LV_BLOOD
    return from_label_map(labels, affine)


def grid(*spacing_mm: float, shift_mm: tuple[float, float, float] = (0, 0, 0), tilt_deg: float = 0.0) -> np.ndarray:
    """Columns, rows and slices, tilted around the columns through the middle of `drawn`."""
    turn, affine = np.radians(tilt_deg), np.eye(4)
    rotation = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    affine[:3, :3] = rotation * spacing_mm
    middle = np.array([19.5, 19.5, 4.5])
    affine[:3, 3] = middle * spacing_mm - affine[:3, :3] @ middle + shift_mm
    return affine


def image(affine: np.ndarray, shape: tuple[int, int, int] = (10, 40, 40)) -> Image:
    return Image(np.zeros(shape, np.float32), affine, "cine", None, 8.0)


THICK = (1.5, 1.5, 8.0)
SETTINGS = presets.settings_text(presets.preset("default"), "test")


@pytest.mark.parametrize("slices", [-1.9, 0.0, 1.9])
def test_one_slice_of_ten_may_lie_outside(slices):
    """And half a slice more, by its middle."""
    check_within(drawn(grid(*THICK, shift_mm=(0, 0, 8.0 * slices))), image(grid(*THICK)))


@pytest.mark.parametrize("slices", [-2.1, 2.1])
def test_two_slices_of_ten_may_not(slices):
    far = drawn(grid(*THICK, shift_mm=(0, 0, 8.0 * slices)))
    words = r"^m\.nii: found 3200 of 4000 labelled .* within the cine image .*drawn 17 mm from .*`cardiotwin remove`"
    with pytest.raises(InputRejected, match=words):
        check_within(far, image(grid(*THICK)), "m.nii")


@pytest.mark.parametrize(("columns", "taken"), [(12, True), (15, False)])
def test_it_is_held_to_the_plane_too(columns, taken):
    """The block ends 10 columns before the edge; of its 20 columns 2 may lie outside."""
    beside = drawn(grid(*THICK, shift_mm=(1.5 * columns, 0, 0)))
    if taken:
        check_within(beside, image(grid(*THICK)))
    else:
        with pytest.raises(InputRejected, match="labelled voxels within"):
            check_within(beside, image(grid(*THICK)))


def test_slices_across_those_of_the_image_are_refused_with_the_angle():
    wide = image(grid(*THICK, shift_mm=(-60, -60, -80)), (30, 160, 160))
    check_within(drawn(grid(*THICK, tilt_deg=14)), wide)
    with pytest.raises(InputRejected, match=r"found slices tilted by 16 degrees .* \(expected 15 or less"):
        check_within(drawn(grid(*THICK, tilt_deg=16)), wide)


def test_cubic_voxels_may_lie_at_any_angle():
    wide = image(grid(*THICK, shift_mm=(-60, -60, -80)), (30, 160, 160))
    check_within(drawn(grid(2.0, 2.0, 2.5, tilt_deg=40)), wide)


@pytest.fixture
def twin(tmp_path):
    return Twin.create(tmp_path / "case", SETTINGS)


def own():
    return real_data("cine_cmr_labels", "labels_frame000_lvbp1_myo2_rvbp3.nii.gz")


def foreign():
    return real_data("lge_cmr_nifti", "labels_with_scar4.nii.gz")


@pytest.mark.slow
def test_the_heart_of_another_patient_is_refused_whichever_comes_first(twin, tmp_path):
    series = real_data("cine_cmr_dicom")
    other = Twin.create(tmp_path / "other", SETTINGS)
    other.add([foreign()])
    twin.add([series])
    for one, given in ((twin, foreign()), (other, series)):
        before = one.status().observations
        with pytest.raises(InputRejected, match=r"drawn 63 mm from the middle of the image"):
            one.add([given])
        assert one.status().observations == before


def test_a_map_that_fits_says_what_it_takes_the_place_of(twin, capsys):
    twin.add([real_data("cine_cmr_dicom")])
    given = str(own())
    assert cli.execute(["add", str(twin.folder), given]) == 0
    said = capsys.readouterr().out
    assert said.count("takes the place of the automatic segmentation of the image ") == 1
    assert cli.execute(["add", str(twin.folder), given]) == 0
    assert "takes the place" not in capsys.readouterr().out


def test_an_image_that_comes_second_says_that_it_is_not_segmented(twin):
    twin.add([own()])
    notes = twin.add([real_data("cine_cmr_dicom")]).notes
    assert sum("not segmented; the heart is made from the label map" in note for note in notes) == 1
