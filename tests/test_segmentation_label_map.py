"""A label map somebody has drawn: taken as it is, or refused with its counts."""

import numpy as np
import pytest
from short_axis import affine, scar_mask, truth

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.segmentation import from_label_map, volumes_ml
from cardiotwin.segmentation.labels import volumes_line


def test_volumes_are_voxel_counts_times_the_voxel():
    labels = truth()
    volumes = volumes_ml(from_label_map(labels, affine()))
    assert volumes["lv_blood"] == pytest.approx((labels == 1).sum() * 1.6 * 1.6 * 9.0 / 1000)
    assert volumes["wall"] == pytest.approx((labels == 2).sum() * 1.6 * 1.6 * 9.0 / 1000)


def test_volumes_are_told_in_one_line_with_scar_as_a_share_of_the_muscle():
    labels, voxel_ml = truth(), 1.6 * 1.6 * 9.0 / 1000
    labels[labels == 3] = 0
    left, wall = ((labels == code).sum() * voxel_ml for code in (1, 2))
    healthy = f"left ventricular blood {left:.0f} mL, myocardium {wall:.0f} mL"
    assert volumes_line(from_label_map(labels, affine())) == f"{healthy} without scar"
    scar = np.argwhere(labels == 2)[:40]
    labels[tuple(scar[:30].T)], labels[tuple(scar[30:].T)] = 4, 5
    told = volumes_line(from_label_map(labels, affine()))
    core, border_zone = (f"{count * voxel_ml:.1f} mL" for count in (30, 10))
    shares = [f"{100 * count * voxel_ml / wall:.1f} %" for count in (30, 10)]
    assert told == f"{healthy} with {core} of scar core ({shares[0]}) and {border_zone} of border zone ({shares[1]})"


def test_drawn_scar_makes_scar_assessable_and_none_does_not():
    labels = truth()
    assert not from_label_map(labels, affine()).scar_assessable
    assert from_label_map(labels, affine(), scar_assessable=True).scar_assessable
    labels[scar_mask(60, range(2, 4))] = 4
    result = from_label_map(labels, affine())
    assert result.scar_assessable
    assert volumes_ml(result)["wall"] == pytest.approx(volumes_ml(from_label_map(truth(), affine()))["wall"])


def test_unknown_codes_are_refused_with_their_counts():
    labels = truth()
    labels[0, 0, :3] = 255
    with pytest.raises(InputRejected, match=r"255 \(3 voxels\)"):
        from_label_map(labels, affine())


@pytest.mark.parametrize(("gone", "name"), [(1, "left-ventricular blood"), (2, "myocardium")])
def test_a_map_without_a_wall_or_a_cavity_is_refused(gone, name):
    labels = truth()
    labels[labels == gone] = 0
    with pytest.raises(QualityGate, match=name):
        from_label_map(labels, affine())


def test_fractions_and_mirrors_are_refused():
    with pytest.raises(InputRejected, match="not whole"):
        from_label_map(truth() * 0.5, affine())
    mirrored = affine()
    mirrored[:3, 0] *= -1
    with pytest.raises(InputRejected, match="left-handed"):
        from_label_map(truth(), mirrored)
