"""From labelled slices to a heart: volumes, surfaces, scar and frames are what was drawn."""

from dataclasses import replace

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.errors import CardioTwinError, InputRejected, QualityGate
from cardiotwin.heart.heart import (
    BASE,
    BORDER_ZONE,
    CORE,
    EPICARDIUM,
    LEFT,
    LV_ENDOCARDIUM,
    RIGHT,
    RV_ENDOCARDIUM,
    build_heart,
)
from cardiotwin.meshes.quality import quality
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.segmentation import Segmentation, from_label_map
from cardiotwin.settings import MeshSettings

SETTINGS = MeshSettings(edge_mm=2.5)


def drawn(slices_from_base=True, scar=False, **shape) -> Segmentation:
    """Labels of the reference ventricles, lying askew in the patient as a heart does."""
    masks = drawn_ventricles(**shape)
    labels = np.zeros(masks.myocardium.shape, np.uint8)
    for code, mask in ((1, masks.left_blood), (2, masks.myocardium), (3, masks.right_blood)):
        labels[mask] = code
    if scar:
        wall = np.argwhere(masks.myocardium[2:4])
        right_side = wall[:, 2] > np.percentile(wall[:, 2], 90)
        labels[2:4][tuple(wall[right_side].T)] = 5
        labels[2:4][tuple(wall[wall[:, 2] > np.percentile(wall[:, 2], 94)].T)] = 4
    turn = np.linalg.qr(np.array([[0.4, 0.8, 0.5], [0.8, 0.0, -0.6], [-0.5, 0.6, -0.6]]))[0]
    turn *= np.sign(np.linalg.det(turn))
    affine = np.eye(4)
    affine[:3, :3] = turn * masks.spacing_mm[::-1]
    affine[:3, 3] = -20.0, -110.0, 35.0
    if not slices_from_base:
        # Turned over as a scanner may: slices and rows reversed, so that the axes stay right-handed.
        flip = np.diag([1.0, -1.0, -1.0, 1.0])
        flip[1:3, 3] = labels.shape[1] - 1, labels.shape[0] - 1
        labels, affine = labels[::-1, ::-1], affine @ flip
    return Segmentation(np.ascontiguousarray(labels), affine, None, scar, {})


def labelled_ml(segmentation, *codes):
    return 1e-3 * np.isin(segmentation.labels, codes).sum() * abs(np.linalg.det(segmentation.affine[:3, :3]))


def volume_ml(heart, chosen):
    return 1e-3 * heart.mesh.volumes[chosen].sum()


@pytest.fixture(scope="module")
def segmentation():
    return drawn(scar=True)


@pytest.fixture(scope="module")
def heart(segmentation):
    return build_heart(segmentation, SETTINGS)


def test_left_ventricle_has_the_volume_that_was_drawn(segmentation, heart):
    """Within 3 %: where the right wall, added by rule, meets the left one is a rule too."""
    assert volume_ml(heart, heart.ventricle == LEFT) == pytest.approx(labelled_ml(segmentation, 2, 4, 5), rel=0.03)


@pytest.mark.parametrize("slice_mm", [5.0, 10.0])
def test_both_ventricles_have_the_volume_that_was_drawn(slice_mm):
    """The right wall as drawn too, in pixels, with nothing added by rule."""
    segmentation = drawn(slice_mm=slice_mm, right_wall=True)
    heart = build_heart(segmentation, MeshSettings(edge_mm=2.0), rv_wall_mm=0.0)
    assert heart.mesh.volumes.sum() == pytest.approx(1e3 * labelled_ml(segmentation, 2), rel=0.01)


def test_scar_keeps_its_volume(segmentation, heart):
    assert volume_ml(heart, heart.tissue_class == CORE) == pytest.approx(labelled_ml(segmentation, 4), rel=0.02)
    border_ml = volume_ml(heart, heart.tissue_class == BORDER_ZONE)
    assert border_ml == pytest.approx(labelled_ml(segmentation, 5), rel=0.03)


def test_scar_lies_where_it_was_drawn(segmentation, heart):
    """Centres of mass agree to a pixel or two, in patient coordinates."""
    index = np.argwhere(segmentation.labels == 4)[:, ::-1]
    drawn_at = (index @ segmentation.affine[:3, :3].T + segmentation.affine[:3, 3]).mean(axis=0)
    core = heart.tissue_class == CORE
    found_at = np.average(heart.mesh.centroids[core], axis=0, weights=heart.mesh.volumes[core])
    assert np.linalg.norm(found_at - drawn_at) < 3.0


def middle_of(heart, surface):
    """Centre of a surface by area: that of its nodes depends on where the lattice happens to be finer."""
    corners = heart.mesh.points[heart.faces[heart.surface == surface]]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return np.average(corners.mean(axis=1), axis=0, weights=area)


def test_the_other_slice_order_gives_the_same_heart(heart):
    other = build_heart(drawn(slices_from_base=False, scar=True), SETTINGS)
    assert other.mesh.volumes.sum() == pytest.approx(heart.mesh.volumes.sum(), rel=2e-3)
    for surface in (EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM, BASE):
        ours, theirs = (middle_of(h, surface) for h in (heart, other))
        assert np.linalg.norm(ours - theirs) < 0.5


def test_a_right_ventricular_wall_is_put_where_none_was_drawn(segmentation, heart):
    """Its volume is the right cavity's free surface times 3 mm, to a third (the wall is curved)."""
    right = heart.ventricle == RIGHT
    faces = heart.faces[heart.surface == RV_ENDOCARDIUM]
    free = heart.transmural[faces].mean(axis=1) < 0.5
    a, b, c = (heart.mesh.points[faces[free][:, k]] for k in range(3))
    area_mm2 = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    assert volume_ml(heart, right) == pytest.approx(3e-3 * area_mm2, rel=0.33)


def test_the_base_is_flat_and_the_apex_far_from_it(heart):
    points = heart.mesh.points
    base = points[np.unique(heart.faces[heart.surface == BASE])]
    centre = base.mean(axis=0)
    normal = np.linalg.svd(base - centre)[2][2]
    assert np.median(np.abs((base - centre) @ normal)) < 0.4
    assert np.abs((base - centre) @ normal).max() < SETTINGS.edge_mm  # the lattice rounds off the rim
    apex = points[heart.apicobasal == 0].mean(axis=0)
    # Drawn: cavity to 52 mm below the equator and 8 mm of muscle, cut within 4 mm of it.
    assert abs((apex - centre) @ normal) == pytest.approx(54, abs=4)
    assert heart.apicobasal[heart.surface_nodes(BASE)].min() == 1.0


def test_height_is_in_proportion(heart):
    base = heart.mesh.points[heart.surface_nodes(BASE)].mean(axis=0)
    apex = heart.mesh.points[heart.apicobasal == 0].mean(axis=0)
    height = (heart.mesh.points - apex) @ (base - apex) / ((base - apex) @ (base - apex))
    assert np.abs(height - heart.apicobasal).mean() < 0.06


def test_transmural_is_0_inside_1_outside_and_crosses_the_septum(heart):
    only = {s: np.setdiff1d(heart.surface_nodes(s), heart.surface_nodes(*({1, 2, 3, 4} - {s}))) for s in (1, 2, 3)}
    assert (heart.transmural[only[EPICARDIUM]] == 1).all()
    assert (heart.transmural[only[LV_ENDOCARDIUM]] == 0).all()
    right = heart.transmural[only[RV_ENDOCARDIUM]]
    assert set(np.unique(right)) == {0.0, 1.0}
    toward_left = heart.mesh.points[only[LV_ENDOCARDIUM]].mean(axis=0)
    away = np.linalg.norm(heart.mesh.points[only[RV_ENDOCARDIUM]] - toward_left, axis=1)
    assert away[right == 1].max() < np.percentile(away[right == 0], 75)


def test_faces_look_outward_and_the_surface_is_closed(heart):
    a, b, c = (heart.mesh.points[heart.faces[:, k]] for k in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 == pytest.approx(heart.mesh.volumes.sum(), rel=1e-9)


def test_endocardial_fibres_are_a_right_handed_helix_in_the_patient(heart):
    """Whatever the scanner's axes, a mirrored map would turn the helix round."""
    points = heart.mesh.points
    base = points[heart.surface_nodes(BASE)].mean(axis=0)
    apex = points[heart.apicobasal == 0].mean(axis=0)
    axis = (base - apex) / np.linalg.norm(base - apex)
    depth, height = (field[heart.mesh.tets].mean(axis=1) for field in (heart.transmural, heart.apicobasal))
    cavity = points[heart.surface_nodes(LV_ENDOCARDIUM)].mean(axis=0)
    climbing = heart.fibres * np.sign(heart.fibres @ axis)[:, None]
    turn = np.cross(heart.mesh.centroids - cavity, climbing) @ axis
    free = (heart.ventricle == LEFT) & (height > 0.3) & (height < 0.9)
    assert (turn[free & (depth < 0.2)] > 0).mean() > 0.95
    assert (turn[free & (depth > 0.8)] < 0).mean() > 0.85  # the right side of the septum included


def test_frames_are_right_handed_and_orthonormal(heart):
    frame = np.stack([heart.fibres, heart.sheets, heart.normals], axis=2)
    np.testing.assert_allclose(np.linalg.det(frame), 1.0, atol=1e-9)


def test_angles_of_the_tetrahedra_are_good(heart):
    assert quality(heart.mesh).smallest_dihedral > 8


def test_a_heart_without_right_ventricle_is_a_heart():
    heart = build_heart(drawn(right=False), SETTINGS)
    assert not (heart.surface == RV_ENDOCARDIUM).any()
    assert (heart.ventricle == LEFT).all()
    assert np.isfinite(heart.fibres).all()
    assert not heart.scar_assessable


def test_a_drawn_right_wall_is_not_doubled():
    with_wall, without = (build_heart(drawn(right_wall=w), SETTINGS) for w in (True, False))
    assert with_wall.mesh.volumes.sum() == pytest.approx(without.mesh.volumes.sum(), rel=0.06)


def changed(segmentation, **codes):
    labels = segmentation.labels.copy()
    for old, new in codes.items():
        labels[segmentation.labels == int(old[1:])] = new
    return replace(segmentation, labels=labels)


@pytest.mark.parametrize(
    ("spoil", "edge_mm", "error", "says"),
    [
        (lambda s: changed(s, _2=0, _4=0, _5=0), 2.5, QualityGate, "no voxel is myocardium"),
        (lambda s: changed(s, _1=0), 2.5, QualityGate, "no voxel is left ventricular blood"),
        (lambda s: changed(s, _3=9), 2.5, InputRejected, "unknown label 9"),
        (
            lambda s: replace(s, affine=s.affine @ np.diag([0.1, 0.1, 0.1, 1])),
            2.5,
            QualityGate,
            "expected 20 to 500 mL",
        ),
        (lambda s: replace(s, affine=s.affine @ np.diag([3, 3, 3, 1])), 2.5, QualityGate, "expected 20 to 500 mL"),
        (lambda s: replace(s, affine=s.affine @ np.diag([1, 1, -1, 1])), 2.5, InputRejected, "left-handed"),
        (lambda _: drawn(wall_mm=5.0), 2.9, QualityGate, "fewer than two cells"),
    ],
)
def test_what_is_no_heart_is_refused_in_one_line(segmentation, spoil, edge_mm, error, says):
    with pytest.raises(error, match=says) as caught:
        build_heart(spoil(segmentation), MeshSettings(edge_mm=edge_mm))
    assert isinstance(caught.value, CardioTwinError)
    assert "\n" not in str(caught.value)


def test_the_real_label_map_gives_a_heart():
    """LGE stack of 17 slices, 8.6 mm apart: muscle 163.3 mL and scar 5.27 mL, counted in voxels."""
    from cardiotwin.ingest import read_label_map

    path = real_data("lge_cmr_nifti", "labels_with_scar4.nii.gz")
    heart = build_heart(from_label_map(*read_label_map(path)), MeshSettings(edge_mm=2.5))
    assert volume_ml(heart, heart.ventricle == LEFT) == pytest.approx(163.3, rel=0.01)
    assert volume_ml(heart, heart.tissue_class == CORE) == pytest.approx(5.27, rel=0.02)
