"""A mirrored heart is refused, whichever plane it was mirrored in; a real one passes, whichever way its voxels run."""

import itertools

import numpy as np
import pytest
from data_folder import real_data
from short_axis import affine as drawn_affine
from short_axis import truth

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.imaging import right_handed
from cardiotwin.ingest import check_not_mirrored, read_label_map

REAL = [("cine_cmr_labels", "labels_frame000_lvbp1_myo2_rvbp3.nii.gz"), ("lge_cmr_nifti", "labels_with_scar4.nii.gz")]


@pytest.fixture(params=REAL, ids=["cine", "lge"])
def heart(request):
    return read_label_map(real_data(*request.param))


def test_a_real_heart_passes(heart):
    assert 10 < check_not_mirrored(*heart) < 70


def test_every_axis_flipped_in_the_voxels_is_refused(heart):
    labels, affine = heart
    for axis in range(3):
        with pytest.raises(InputRejected, match="mirrored"):
            check_not_mirrored(np.flip(labels, axis), affine)


def test_a_reflection_in_any_plane_is_refused(heart):
    labels, affine = heart
    rng = np.random.default_rng(5)
    for normal in [*np.eye(3), *rng.standard_normal((20, 3))]:
        reflection = np.eye(4)
        reflection[:3, :3] -= 2 * np.outer(normal, normal) / (normal @ normal)
        with pytest.raises(InputRejected, match="mirrored"):
            check_not_mirrored(labels, reflection @ affine)


@pytest.mark.parametrize("labels", [truth(), truth()[:, ::-1]], ids=["drawn", "the other way up"])
def test_size_and_place_of_an_untwisted_heart_change_nothing(labels):
    """Slices that lie on the edge of a level belong to one of them; split by rounding they made 7 degrees."""
    rng = np.random.default_rng(3)
    for _ in range(30):
        matrix = drawn_affine()
        matrix[:3, :3] *= rng.uniform(0.5, 2.0)
        matrix[:3, 3] = rng.uniform(-200, 200, 3)
        assert abs(check_not_mirrored(labels, matrix)) < 4


def test_the_order_of_the_voxels_says_nothing(heart):
    labels, affine = heart
    twist = check_not_mirrored(labels, affine)
    for axes in itertools.product((1, -1), repeat=3):
        flipped, moved = labels, affine.copy()
        for axis, sign in enumerate(axes):
            if sign < 0:
                flip = np.eye(4)
                flip[axis, axis], flip[axis, 3] = -1, labels.shape[2 - axis] - 1
                flipped, moved = np.flip(flipped, 2 - axis), moved @ flip
        assert check_not_mirrored(*right_handed(flipped, moved)) == pytest.approx(twist, abs=0.5)


def test_a_map_in_another_frame_is_refused(heart):
    """RAS read as LPS: turned by half a turn, not mirrored, and no heart lies like that."""
    labels, affine = heart
    with pytest.raises(InputRejected, match="LPS"):
        check_not_mirrored(labels, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


def test_without_a_right_ventricle_only_the_frame_can_be_judged(heart):
    labels, affine = heart
    alone = np.where(labels == 3, 0, labels)
    assert np.isnan(check_not_mirrored(alone, affine))
    with pytest.raises(InputRejected, match=r"found the apex towards feet, .*LPS"):
        check_not_mirrored(alone, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    with pytest.raises(QualityGate, match="5 of label 3"):
        check_not_mirrored(
            np.where((labels == 3) & (np.cumsum(labels == 3).reshape(labels.shape) > 5), 0, labels), affine
        )


def test_the_dti_heart_winds_the_same_way():
    """A third subject, by another method: end points of its endocardial surfaces, cm, x to the left, y to the back."""
    folder = real_data("heart_dti004", "geometric_data", "DTI004", "DTI004_coarse")
    nodes = np.loadtxt(folder / "DTI004_coarse_xyz.csv", delimiter=",") * 10
    pools = [
        nodes[np.loadtxt(folder / f"DTI004_coarse_boundarynodefield_{side}endo.csv", delimiter=",").astype(int)]
        for side in ("lv", "rv")
    ]
    labels, affine = voxels(pools)
    assert check_not_mirrored(labels, affine) > 10
    with pytest.raises(InputRejected, match="mirrored"):
        check_not_mirrored(labels[:, :, ::-1], affine)


def voxels(pools):
    """Label 1 within the hull of the first point cloud, 3 within that of the second, on a 4 mm grid."""
    from scipy.spatial import ConvexHull

    corner, size = np.vstack(pools).min(axis=0), 4.0
    shape = (np.ptp(np.vstack(pools), axis=0) / size).astype(int) + 1
    grid = corner + size * np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    inside = []
    for pool in pools:
        planes = ConvexHull(pool[::8]).equations
        inside.append((grid @ planes[:, :3].T + planes[:, 3] <= 0).all(axis=-1))
    labels = np.where(inside[0], 1, np.where(inside[1], 3, 0)).astype(np.uint8)
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = corner
    return labels.transpose(2, 1, 0), affine
