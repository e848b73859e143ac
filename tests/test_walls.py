"""Which ventricle's wall muscle is: as drawn, in voxels, tetrahedra and AHA segments alike."""

from dataclasses import replace

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.anatomy.given_labels import as_segmentation
from cardiotwin.heart.heart import HEALTHY, LEFT, RIGHT, build_heart
from cardiotwin.heart.segments import heart_segments
from cardiotwin.ingest.labels import read_segments
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.report.facts import report_facts
from cardiotwin.segmentation import Segmentation, left_wall, left_wall_ml
from cardiotwin.segmentation.coding import right_wall_by_name
from cardiotwin.segmentation.label_map import Segment, layered
from cardiotwin.segmentation.walls import right_wall_drawn
from cardiotwin.settings import LabelSettings, MeshSettings
from cardiotwin.study import ObservationRecord, Provenance, Study


def drawn(*, right_wall: bool, scar: bool = False) -> Segmentation:
    """With `scar`: the left wall's end at the right ventricle's anterior insertion is core."""
    shape = drawn_ventricles(right_wall=right_wall)
    labels = (shape.left_blood + 2 * shape.myocardium + 3 * shape.right_blood).astype(np.uint8)
    if scar:
        columns = (np.arange(labels.shape[2]) - 44) * 1.5
        rows = (np.arange(labels.shape[1]) - 44) * 1.5
        at_insertion = (columns > -24) & (columns < -8) & (rows < -12)[:, None]
        labels[1:4][drawn_ventricles().myocardium[1:4] & at_insertion] = 4
    return Segmentation(labels, np.diag([*shape.spacing_mm[::-1], 1.0]), None, True, {})


@pytest.mark.parametrize("right_wall", [False, True])
def test_the_left_wall_is_told_from_a_right_one_that_shares_its_label(right_wall):
    found, truth = left_wall(drawn(right_wall=right_wall)), drawn_ventricles().myocardium
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > (0.98 if right_wall else 0.9999)


def test_without_a_right_ventricle_all_muscle_is_left():
    segmentation = drawn(right_wall=True)
    alone = replace(segmentation, labels=np.where(segmentation.labels == 3, 0, segmentation.labels).astype(np.uint8))
    np.testing.assert_array_equal(left_wall(alone), alone.labels == 2)


@pytest.mark.parametrize(("open_share", "is_drawn"), [(0.3, True), (0.5, False)])
def test_a_right_wall_is_drawn_where_it_surrounds_most_of_the_pool(open_share, is_drawn):
    rows, columns = np.mgrid[-30:31, -30:31]
    away, angle = np.hypot(rows, columns), np.arctan2(rows, columns) % (2 * np.pi)
    wall = (away < 16) & (angle > open_share * 2 * np.pi)
    labels = np.where(away < 12, 3, np.where(wall, 2, 0)).astype(np.uint8)
    assert right_wall_drawn(labels[None], np.ones(2)) == is_drawn


def test_where_there_is_a_signal_it_is_that_of_the_left_wall():
    """As the automatic segmentation has it: the right wall was not looked at."""
    segmentation = drawn(right_wall=True)
    signal = np.full(segmentation.labels.shape, np.nan, np.float32)
    signal[drawn_ventricles().myocardium] = 0.5
    expected = drawn_ventricles().myocardium & (segmentation.labels == 2)
    np.testing.assert_array_equal(left_wall(replace(segmentation, signal=signal)), expected)


def test_a_right_wall_that_has_a_name_is_believed_wherever_it_lies():
    shape = drawn_ventricles(right_wall=True)
    right = shape.myocardium.copy()
    right[..., : right.shape[2] // 2] = False  # half of the left free wall: nobody would guess it
    names = [Segment(k + 1, name) for k, name in enumerate(("LV blood", "LV wall", "RV blood", "RV wall"))]
    masks = (shape.left_blood, shape.myocardium & ~right, shape.right_blood, right)
    affine = np.diag([*shape.spacing_mm[::-1], 1.0])
    named = right_wall_by_name(layered(masks, names, affine, "a test"))
    np.testing.assert_array_equal(named, right)
    segmentation = replace(drawn(right_wall=True), right_wall=named)
    np.testing.assert_array_equal(left_wall(segmentation), shape.myocardium & ~right)
    assert right_wall_by_name(layered(masks[:3], names[:3], affine, "a test")) is None


@pytest.fixture(scope="module")
def heart():
    return build_heart(drawn(right_wall=False, scar=True), MeshSettings(edge_mm=2.5))


def test_scar_drawn_at_the_insertion_is_left_in_the_mesh(heart):
    scar, volumes = heart.tissue_class != HEALTHY, heart.mesh.volumes
    assert 1e-3 * volumes[scar].sum() > 2.0
    assert (heart.ventricle[scar] == LEFT).all()
    assert (heart_segments(heart)[scar] > 0).all()


def test_a_tetrahedron_has_a_segment_exactly_where_it_is_left(heart):
    assert (heart.ventricle == RIGHT).any()
    np.testing.assert_array_equal(heart_segments(heart) > 0, heart.ventricle == LEFT)


def test_a_mesh_beside_a_label_map_has_its_own_share_of_scar(heart):
    """The table is about the heart that was simulated."""
    segmentation = drawn(right_wall=False)
    study = Study(heart=heart, segmentation=segmentation)
    assert report_facts(study)["substrate"]["scar_share_of_left"] == 0
    given = Provenance(observations=(ObservationRecord("ab" * 32, "mesh", "", "", "", ""),))
    left, volumes = heart.ventricle == LEFT, heart.mesh.volumes
    share = volumes[left & (heart.tissue_class != HEALTHY)].sum() / volumes[left].sum()
    facts = report_facts(replace(study, provenance=given))["substrate"]
    assert facts["scar_share_of_left"] == pytest.approx(share)
    assert facts["share_counted_in"] == "mesh"


def test_scar_of_a_readers_label_map_is_what_counting_its_voxels_gives():
    """135 of 4186 voxels, all in the left wall; a rule of the shape had put a third of it into the right one."""
    label_map = read_segments(real_data("lge_cmr_nifti", "labels_with_scar4.nii.gz"))
    segmentation, _ = as_segmentation(label_map, LabelSettings())
    heart = build_heart(segmentation, MeshSettings(edge_mm=2.5))
    scar, muscle = (segmentation.labels == 4).sum(), np.isin(segmentation.labels, (2, 4, 5)).sum()
    assert (
        report_facts(Study(heart=heart, segmentation=segmentation))["substrate"]["scar_share_of_left"] == scar / muscle
    )
    assert left_wall_ml(segmentation) == pytest.approx(muscle * abs(np.linalg.det(segmentation.affine[:3, :3])) / 1e3)
    left, volumes = heart.ventricle == LEFT, heart.mesh.volumes
    in_mesh = volumes[left & (heart.tissue_class != HEALTHY)].sum() / volumes[left].sum()
    assert in_mesh == pytest.approx(scar / muscle, rel=0.03)
