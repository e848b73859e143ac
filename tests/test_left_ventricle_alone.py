"""A label map of the left ventricle only, as many LGE segmentations are: taken, told, and a heart all the same."""

import numpy as np
import pytest
from bad_input import new_case, taken
from short_axis import affine, truth

from cardiotwin.ecg.electrodes import default_electrodes
from cardiotwin.heart.heart import LEFT, RV_ENDOCARDIUM, build_heart
from cardiotwin.heart.locations import wall
from cardiotwin.heart.pacing_sites import pacing_sites
from cardiotwin.heart.segments import heart_segments
from cardiotwin.segmentation import from_label_map
from cardiotwin.settings import MeshSettings

sitk = pytest.importorskip("SimpleITK")
EDGE_MM = 3.0


def alone(theirs=(0, 1, 2, 0)):
    """The drawn heart without its right ventricle, in the codes of a tool."""
    return np.choose(truth(), theirs).astype(np.uint8)


@pytest.fixture(scope="module")
def heart():
    return build_heart(from_label_map(alone(), affine()), MeshSettings(edge_mm=EDGE_MM, align_slices=False))


def saved(path, labels):
    image, matrix = sitk.GetImageFromArray(labels), affine()
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("codes", [(0, 1, 2, 0), (0, 3, 2, 0), (0, 500, 200, 0)], ids=["ours", "ACDC", "MyoPS"])
def test_add_takes_it_and_says_what_is_missing(tmp_path, capsys, codes):
    file = saved(tmp_path / "left.nii.gz", np.choose(truth(), codes).astype(np.int16))
    said = taken(capsys, new_case(capsys, tmp_path), ["added label map", "left.nii.gz: no right ventricle"], file)
    assert "cannot be seen" in said


def test_a_map_in_another_frame_is_still_refused(tmp_path, capsys):
    from bad_input import refused

    file = saved(tmp_path / "left.nii.gz", alone())
    image = sitk.ReadImage(str(file))
    image.SetDirection((np.diag([-1.0, -1.0, 1.0]) @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    sitk.WriteImage(image, str(file))
    refused(capsys, new_case(capsys, tmp_path), 3, ["left.nii.gz", "apex", "(LPS)"], file)


def test_it_becomes_a_heart_of_its_volume_with_fibres_and_coordinates(heart):
    voxel_ml = 1e-3 * abs(np.linalg.det(affine()[:3, :3]))
    # Drawn above the base plane, at most 5 mm over the first ring, and the apical cap are all that differs.
    assert 1e-3 * heart.mesh.volumes.sum() == pytest.approx((alone() == 2).sum() * voxel_ml, rel=0.1)
    assert (heart.ventricle == LEFT).all()
    assert not heart.surface_nodes(RV_ENDOCARDIUM).size
    frames = np.stack([heart.fibres, heart.sheets, heart.normals], axis=1)
    np.testing.assert_allclose(frames @ frames.transpose(0, 2, 1), np.broadcast_to(np.eye(3), frames.shape), atol=1e-6)
    for name in ("apicobasal", "transmural", "rotational"):
        field = getattr(heart.coordinates, name)
        assert np.isfinite(field).all()
        assert np.ptp(field) > 0.8, name
    assert not heart.coordinates.transventricular.any()
    assert set(heart_segments(heart)) == set(range(1, 18))


def test_fibres_turn_from_endocardium_to_epicardium_as_in_a_left_ventricle(heart):
    """Bayer's rule, 60 to -60 degrees against the circumference, measured from the mesh alone."""
    axis = np.array([*affine()[:3, 2]])
    axis = -axis / np.linalg.norm(axis)  # apex to base
    centre = heart.mesh.points[heart.faces[heart.surface == 2]].mean(axis=(0, 1))
    out = heart.mesh.centroids - centre
    out -= np.outer(out @ axis, axis)
    around = np.cross(axis, out / np.linalg.norm(out, axis=1)[:, None])
    along, up = (heart.fibres * around).sum(axis=1), heart.fibres @ axis
    helix = np.degrees(np.arctan(up / np.where(np.abs(along) < 1e-9, 1e-9, along)))
    depth = heart.transmural[heart.mesh.tets].mean(axis=1)
    middle = np.abs(heart.apicobasal[heart.mesh.tets].mean(axis=1) - 0.5) < 0.25
    slope, start = np.polyfit(depth[middle], helix[middle], 1)
    assert slope == pytest.approx(-120, abs=25)
    assert start == pytest.approx(60, abs=15)


def test_electrodes_pacing_sites_and_words_need_no_right_ventricle(heart):
    assert np.isfinite(default_electrodes(heart).positions).all()
    assert len(pacing_sites(heart, 5)) == 5
    assert "right ventricle" not in wall(heart, heart.mesh.points[0])
