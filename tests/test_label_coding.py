"""Whatever a tool calls its labels, the same heart comes out, or a refusal that names the label and its voxels."""

import json

import numpy as np
import pytest
from data_folder import real_data
from scipy import ndimage
from short_axis import affine, scar_mask, truth

from cardiotwin.anatomy.given_labels import as_segmentation
from cardiotwin.errors import InputRejected, QualityGate, SettingsError
from cardiotwin.ingest import read_label_map
from cardiotwin.ingest.labels import read_segments
from cardiotwin.segmentation import CORE
from cardiotwin.segmentation.coding import CONVENTIONS, decode
from cardiotwin.segmentation.label_map import Segment, layered, plain
from cardiotwin.settings import LabelSettings, read_settings

sitk = pytest.importorskip("SimpleITK")


def coded(codes: dict[int, int], labels=None):
    """Our labels in another tool's coding."""
    ours = truth() if labels is None else labels
    theirs = np.zeros(ours.shape, np.int32)
    for code, region in codes.items():
        if region:
            theirs[ours == region] = code
    return theirs


def scarred():
    labels = truth()
    labels[scar_mask(60, range(2, 4))] = 4
    return labels


@pytest.mark.parametrize("tool", list(CONVENTIONS))
def test_every_known_tools_codes_give_the_same_labels(tool):
    labels, note = decode(plain(coded(CONVENTIONS[tool]), affine(), {}, "a label map"))
    np.testing.assert_array_equal(labels, truth())
    assert (tool in note) == (tool != "CardioTwin or M&Ms")
    assert not note or "[labels] in twin.toml overrules" in note


@pytest.mark.parametrize(
    "parts",
    [("lge_cmr_nifti", "labels_with_scar4.nii.gz"), ("cine_cmr_labels", "labels_frame000_lvbp1_myo2_rvbp3.nii.gz")],
    ids=["left wall only", "both walls"],
)
def test_swapped_codes_of_a_real_heart_are_recognised_and_not_mirrored(parts):
    """ACDC: 1 right ventricle, 3 left. Read in our coding the heart would have its chambers exchanged."""
    told = LabelSettings(lv_blood=(1,), myocardium=(2,), rv_blood=(3,), core=(4,))
    ours, matrix = read_label_map(real_data(*parts), told)
    ours[ours > 3] = 2
    labels, note = decode(plain(coded(CONVENTIONS["ACDC or nnU-Net"], ours), matrix, {}, "a label map"))
    np.testing.assert_array_equal(labels, ours)
    assert "ACDC" in note


def test_atria_and_vessels_of_a_whole_heart_are_left_out():
    whole = coded(CONVENTIONS["MM-WHS"])
    whole[:, :4, :4] = 420
    whole[:, -4:, :4] = 820
    labels, _ = decode(plain(whole, affine(), {}, "a label map"))
    np.testing.assert_array_equal(labels, truth())


def test_the_settings_overrule_every_guess():
    theirs = coded({7: 1, 9: 2, 8: 3, 12: 4}, scarred())
    theirs[0, :2, :2] = 99
    told = LabelSettings(lv_blood=(7,), myocardium=(9,), rv_blood=(8,), core=(12, 40), background=(99,))
    labels, note = decode(plain(theirs, affine(), {}, "a label map"), told)
    np.testing.assert_array_equal(labels, scarred())
    assert note == ""


def test_a_mapping_that_anatomy_contradicts_is_followed_and_told():
    told = LabelSettings(lv_blood=(3,), myocardium=(2,), rv_blood=(1,))
    labels, note = decode(plain(truth(), affine(), {}, "a label map"), told)
    assert (labels[truth() == 1] == 3).all()
    assert "although" in note


def test_a_label_the_mapping_leaves_out_is_refused_with_its_voxels():
    theirs = coded({7: 1, 9: 2, 8: 3})
    theirs[0, 0, :5] = 99
    told = LabelSettings(lv_blood=(7,), myocardium=(9,), rv_blood=(8,))
    with pytest.raises(InputRejected, match=r"99 \(5 voxels\)"):
        decode(plain(theirs, affine(), {}, "a label map"), told)


@pytest.mark.parametrize(
    ("codes", "error", "words"),
    [
        ({1: 1, 2: 2, 3: 3, 200: 4}, InputRejected, r"200 \(\d+ voxels\)"),
        ({1: 2, 2: 1, 3: 3}, InputRejected, "make no heart"),
        ({1: 1, 3: 3}, QualityGate, "no myocardium"),
    ],
    ids=["unknown code", "unknown order", "no muscle"],
)
def test_codes_that_make_no_heart_are_refused(codes, error, words):
    with pytest.raises(error, match=words):
        decode(plain(coded(codes, scarred()), affine(), {}, "a label map"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[labels]\nlv_blod = [1]\n", "labels.lv_blod"),
        ("[labels]\nlv_blood = [1]\nmyocardium = [1]\n", "'1' in two places"),
        ("[labels]\nlv_blood = [1]\n", "both"),
        ("[labels]\nlv_blood = [1.5]\nmyocardium = [2]\n", "labels.lv_blood"),
    ],
    ids=["key", "twice", "half", "fraction"],
)
def test_a_mapping_that_makes_no_sense_is_refused_by_key(tmp_path, text, words):
    (tmp_path / "twin.toml").write_text(text)
    with pytest.raises(SettingsError, match=words):
        read_settings(tmp_path / "twin.toml")


NAMED = [
    ("LV blood pool", "Myocardium", "RV blood pool"),
    ("LVEndo", "LV_Epi", "RVEndo"),
    ("heart_ventricle_left", "heart_myocardium", "heart_ventricle_right"),
    ("Left ventricular cavity", "LV wall", "right ventricle"),
    ("lvbp", "lvmyo", "rvbp"),
]


@pytest.mark.parametrize("names", NAMED, ids=[names[0] for names in NAMED])
def test_names_say_what_codes_do_not(names):
    theirs = coded({4: 1, 1: 2, 9: 3})
    labels, note = decode(plain(theirs, affine(), dict(zip((4, 1, 9), names, strict=True)), "a 3D Slicer segmentation"))
    np.testing.assert_array_equal(labels, truth())
    assert names[0] in note


def test_a_name_that_says_nothing_among_names_is_refused():
    names = {1: "LV blood", 2: "Myocardium", 3: "Thing"}
    with pytest.raises(InputRejected, match=r"3 'Thing' \(\d+ voxels\)"):
        decode(plain(truth(), affine(), names, "a 3D Slicer segmentation"))


def test_names_that_say_nothing_at_all_leave_the_codes():
    names = {1: "Segment_1", 2: "Segment_2", 3: "Label 3"}
    labels, _ = decode(plain(truth(), affine(), names, "a 3D Slicer segmentation"))
    np.testing.assert_array_equal(labels, truth())


def test_names_on_the_wrong_chambers_are_refused():
    with pytest.raises(InputRejected, match="by its names"):
        decode(plain(truth(), affine(), {1: "RV blood", 2: "Myocardium", 3: "LV blood"}, "a 3D Slicer segmentation"))


def test_where_segments_overlap_scar_lies_in_muscle_and_blood_in_a_filled_contour():
    ours = scarred()
    masks = [ours == 1, np.isin(ours, (1, 2, 4)), ours == 3, ours == 4]
    names = ("LV Endo", "LV Epi", "RV Endo", "Scar core")
    segments = [Segment(k, name) for k, name in enumerate(names, start=1)]
    labels, _ = decode(layered(masks, segments, affine(), "a DICOM segmentation"))
    np.testing.assert_array_equal(labels, ours)


def slicer_file(path, overlapping):
    """What 3D Slicer writes: LPS, segments by name, in layers where they overlap."""
    ours = scarred()
    image = sitk.GetImageFromArray(
        np.stack([np.where(ours == 4, 2, ours), ours == 4], axis=-1).astype(np.uint8) if overlapping else ours,
        isVector=overlapping,
    )
    matrix = affine()
    image.SetSpacing(np.linalg.norm(matrix[:3, :3], axis=0).tolist())
    image.SetDirection((matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)).ravel().tolist())
    last = (3, "Infarct", 1, 1) if overlapping else (3, "Infarct", 4, 0)
    for number, name, value, layer in [(0, "LV cavity", 1, 0), (1, "Myocardium", 2, 0), (2, "RV cavity", 3, 0), last]:
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
        image.SetMetaData(f"Segment{number}_Layer", str(layer))
    sitk.WriteImage(image, str(path), True)
    return path


@pytest.mark.parametrize("overlapping", [False, True], ids=["one layer", "two layers"])
def test_a_3d_slicer_segmentation_reads_by_its_names(tmp_path, overlapping):
    path = slicer_file(tmp_path / "Segmentation.seg.nrrd", overlapping)
    assert [one.name for one in read_segments(path).segments] == ["LV cavity", "Myocardium", "RV cavity", "Infarct"]
    labels, matrix = read_label_map(path)
    np.testing.assert_array_equal(labels, scarred())
    np.testing.assert_allclose(matrix, affine(), atol=1e-9)


def test_a_mitk_segmentation_reads_by_its_names(tmp_path):
    image = sitk.GetImageFromArray(coded({4: 1, 1: 2, 2: 3}).astype(np.uint16))
    image.SetSpacing((1.6, 1.6, 9.0))
    groups = [{"labels": [{"name": name, "value": k} for k, name in ((4, "LV"), (1, "Myocard"), (2, "RV"))]}]
    image.SetMetaData("org.mitk.multilabel.segmentation.labelgroups", json.dumps(groups))
    sitk.WriteImage(image, str(tmp_path / "mitk.nrrd"))
    labels, _ = read_label_map(tmp_path / "mitk.nrrd")
    np.testing.assert_array_equal(labels, truth())


def stray(value=77):
    labels = scarred().astype(np.int32)
    labels[0, :2, :2] = value
    return plain(labels, affine(), {}, "a label map")


@pytest.mark.parametrize("value", [7, 77])
def test_a_stray_label_is_named_with_what_leaves_it_out(value):
    """7 is a label of another tool, whose other codes make no heart here."""
    with pytest.raises(InputRejected, match=rf"unknown label {value} \(4 voxels\).*background = \[{value}\]"):
        decode(stray(value))
    labels, note = decode(stray(value), LabelSettings(background=(value,)))
    np.testing.assert_array_equal(labels, np.where(stray(value).codes == 5, 0, scarred()))
    assert f"{value} = background" in note


def test_the_hint_is_in_labels_of_the_file():
    theirs = plain(coded({10: 1, 20: 2, 30: 3, 40: 4}, scarred()), affine(), {}, "a label map")
    with pytest.raises(InputRejected, match=r"which of 10, 20, 30, 40 is lv_blood = \[\.\.\.\], myocardium"):
        decode(theirs)


def test_scar_drawn_alone_is_not_to_be_called_blood():
    """Whatever number it has; what to do is to write it into the map of the heart."""
    scar = np.where(scarred() == 4, 1, 0)
    for value in (1, 4, 255):
        alone = plain(value * scar, affine(), {}, "a label map")
        count = np.count_nonzero(scar)
        with pytest.raises(QualityGate, match=rf"a single label, {value} \({count} voxels\).*as label 4") as refused:
            decode(alone)
        assert "lv_blood" not in str(refused.value)


def test_two_regions_without_a_heart_are_not_told_which_is_which():
    scar_and_border = plain(np.where(scarred() == 4, 1, np.where(scarred() == 2, 2, 0)), affine(), {}, "a label map")
    with pytest.raises(QualityGate) as refused:
        decode(scar_and_border)
    assert "[1]" not in str(refused.value)


def standing_heart():
    """Winds as a human right ventricle does."""
    return np.ascontiguousarray(truth()[:, ::-1])


def test_pools_exchanged_in_the_settings_are_thought_of_before_a_mirror():
    told = LabelSettings(lv_blood=(3,), myocardium=(2,), rv_blood=(1,))
    with pytest.raises(InputRejected, match="lv_blood and rv_blood are exchanged in"):
        as_segmentation(plain(standing_heart(), affine(), {}, "a label map"), told)
    turned = affine() @ np.diag([-1.0, -1.0, 1.0, 1.0])
    with pytest.raises(InputRejected, match="mirrored") as caught:
        as_segmentation(plain(standing_heart(), turned, {}, "a label map"), LabelSettings())
    assert "exchanged" not in str(caught.value)


def test_the_right_free_wall_is_no_scar_unless_somebody_says_so():
    """A tool that codes it 4: all muscle-free voxels around the right pool, beside no left blood."""
    labels = standing_heart()
    right = ndimage.binary_dilation(labels == 3, np.ones((1, 3, 3)), iterations=2)
    labels[right & (labels == 0)] = 4
    theirs = plain(labels, affine(), {}, "a label map")
    with pytest.raises(InputRejected, match="rather the right free wall"):
        as_segmentation(theirs, LabelSettings())
    told = {"lv_blood": (1,), "rv_blood": (3,)}
    as_segmentation(theirs, LabelSettings(myocardium=(2, 4), **told))
    as_segmentation(theirs, LabelSettings(myocardium=(2,), core=(4,), **told))


def test_one_slice_at_many_times_is_told_and_so_is_a_lost_affine():
    """The pool still narrows towards the apex, so that there is a direction to judge the pose by."""
    heart = standing_heart()
    one = np.repeat(heart[3:4], len(heart), axis=0)
    one[(one == 1) & (heart != 1)] = 2
    _, notes = as_segmentation(plain(one, affine(), {}, "a label map"), LabelSettings())
    assert any("same cross-section in all 9 slices" in note for note in notes)
    _, notes = as_segmentation(plain(standing_heart(), affine(), {}, "a label map"), LabelSettings())
    assert not any("cross-section" in note or "affine" in note for note in notes)


@pytest.mark.parametrize(
    "parts",
    [("lge_cmr_nifti", "labels_with_scar4.nii.gz"), ("cine_cmr_labels", "labels_frame000_lvbp1_myo2_rvbp3.nii.gz")],
    ids=["scar", "six slices"],
)
def test_real_hearts_are_not_odd(parts):
    segmentation, notes = as_segmentation(read_segments(real_data(*parts)), LabelSettings())
    without_border_zone = (segmentation.labels == CORE).any()
    assert len(notes) == without_border_zone
    assert all("core but no border zone" in note for note in notes)


def test_a_real_slice_at_27_times_with_the_right_wall_as_4_is_refused():
    theirs = read_segments(real_data("cine_cmr_labels", "upstream_test_SAX_3d_1.nii.gz"))
    with pytest.raises(InputRejected, match="rather the right free wall"):
        as_segmentation(theirs, LabelSettings())
