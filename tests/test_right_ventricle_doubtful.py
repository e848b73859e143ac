"""A right ventricle that is too small, too flat or as bright as fat is told, with what to do."""

from dataclasses import replace

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.anatomy.given_labels import as_segmentation
from cardiotwin.ingest.labels import read_segments
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.report.uncertain import what_is_uncertain
from cardiotwin.segmentation import RV_BLOOD, Segmentation, segment
from cardiotwin.segmentation.label_map import plain
from cardiotwin.segmentation.right_plausible import doubt
from cardiotwin.settings import LabelSettings


def drawn(keep=None):
    """Both ventricles; of the right one only where `keep` (n_slices, n_rows, n_columns) says."""
    shape = drawn_ventricles()
    right = shape.right_blood if keep is None else shape.right_blood & keep
    labels = (shape.left_blood + 2 * shape.myocardium + 3 * right).astype(np.uint8)
    return Segmentation(labels, np.diag([*shape.spacing_mm[::-1], 1.0]), None, False, {})


def test_a_right_ventricle_of_usual_size_is_not_doubted():
    assert doubt(drawn()) == ""
    path = real_data("lge_cmr_nifti", "labels_with_scar4.nii.gz")
    assert doubt(as_segmentation(read_segments(path), LabelSettings())[0]) == ""


def test_one_that_is_cut_short_is_told_with_its_share():
    keep = np.zeros_like(drawn().labels, bool)
    keep[1] = True
    told = doubt(drawn(keep))
    counts = [(drawn(keep).labels == code).sum() for code in (3, 1)]
    assert f"{100 * counts[0] / counts[1]:.0f} % of the left one's blood" in told
    assert "wider" not in told
    assert told.endswith("draw it in a label map if they are wrong")


def test_one_that_is_flat_is_told_with_its_width():
    columns = np.arange(drawn().labels.shape[2])
    flat = drawn(np.broadcast_to((columns > 18) & (columns < 22), drawn().labels.shape))
    assert "nowhere wider than 6 mm" in doubt(flat)  # three pixels of 1.5 mm, and to the middles of those beside them


def test_a_label_map_says_so_when_it_is_added():
    keep = np.zeros_like(drawn().labels, bool)
    keep[1:3] = np.arange(keep.shape[2]) > 18
    few = drawn(keep)
    assert (few.labels == RV_BLOOD).sum() > 0.2 * (few.labels == 1).sum()  # fewer are refused as no right ventricle
    # Columns to the lateral wall, rows up, slices from base to apex, as a heart lies in LPS.
    axes = np.array([[0.75, 0.0, 0.66], [0.5, -0.65, -0.57], [0.43, 0.76, -0.49]])
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(axes)[0] * np.sign(np.diag(np.linalg.qr(axes)[1])) * np.diag(few.affine)[:3]
    _, lines = as_segmentation(plain(few.labels, affine, {}, "a test"), LabelSettings())
    assert any("right ventricle of" in line and "expected 35 or more" in line for line in lines)


@pytest.mark.parametrize(
    ("offset_mm", "radius_mm", "doubted"), [pytest.param(None, None, False, marks=pytest.mark.slow), (12.0, 18.0, True)]
)
@pytest.mark.slow
def test_one_drawn_in_the_fat_beside_a_squeezed_one_is_told(offset_mm, radius_mm, doubted):
    anatomy = make_anatomy(1)
    if offset_mm:
        anatomy = replace(anatomy, rv_offset_mm=offset_mm, rv_radius_septal_mm=radius_mm)
    image, truth = scan(anatomy, LgeScan(seed=1))
    found = segment(image)
    told = str(found.confidence.get("right_ventricle_doubtful", ""))
    assert bool(told) == doubted
    assert ("as fat is" in told) == doubted
    if doubted:
        assert not ((found.labels == RV_BLOOD) & (truth.labels == RV_BLOOD)).any()


def test_the_report_repeats_it():
    from small_study import small_study

    study = small_study()
    doubted = replace(study.segmentation, confidence={"right_ventricle_doubtful": "right ventricle of 6.0 mL"})
    said = [what_is_uncertain(replace(study, segmentation=one)) for one in (study.segmentation, doubted)]
    assert [any("right ventricle of 6.0 mL" in line for line in lines) for lines in said] == [False, True]
