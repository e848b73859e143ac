"""The phantom heart is where, and as big, as it says."""

from dataclasses import replace

import numpy as np
import pytest

from cardiotwin.phantom.anatomy import (
    Anatomy,
    core_span_mm,
    corridor_centre_line,
    labels_at,
    make_anatomy,
    rolled,
    unrolled,
)
from cardiotwin.segmentation import BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, RV_BLOOD

SPACING_MM = 1.0


def grid(anatomy):
    """(n, 3) LPS points that cover the heart, each for 1 mm³."""
    ranges = [np.arange(-34, 52, SPACING_MM), np.arange(-38, 38, SPACING_MM), np.arange(-68, 3, SPACING_MM)]
    return anatomy.to_lps(np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_every_patient_is_small_and_has_an_infarct(seed):
    anatomy = make_anatomy(seed)
    ml = np.bincount(labels_at(anatomy, grid(anatomy)), minlength=6) * SPACING_MM**3 / 1000
    assert 58 < ml[[MYOCARDIUM, BORDER_ZONE, CORE]].sum() < 78
    assert 7 < ml[CORE] < 12
    assert 3 < ml[BORDER_ZONE] < 6


def test_left_cavity_has_the_volume_of_a_truncated_ellipsoid():
    anatomy = Anatomy()
    a = anatomy.lv_radius_mm - anatomy.lv_wall_mm
    c = anatomy.lv_length_mm - anatomy.lv_equator_mm - anatomy.lv_apex_wall_mm
    h = anatomy.lv_equator_mm
    exact_ml = np.pi * a**2 * (2 * c / 3 + h - h**3 / (3 * c**2)) / 1000
    ml = (labels_at(anatomy, grid(anatomy)) == LV_BLOOD).sum() * SPACING_MM**3 / 1000
    assert ml == pytest.approx(exact_ml, rel=0.01)


def test_the_heart_lies_as_in_a_patient():
    """LPS: apex to the left, in front and below the base; right ventricle to the right and in front of the left."""
    anatomy = make_anatomy(5)
    points = grid(anatomy)
    labels = labels_at(anatomy, points)
    left, right = (points[labels == blood].mean(axis=0) for blood in (LV_BLOOD, RV_BLOOD))
    assert ((anatomy.apex_mm - anatomy.base_centre_mm) * [1, -1, -1] > 10).all()
    assert ((right - left) * [-1, -1, 0] >= 0).all()
    assert np.linalg.det(anatomy.axes) == pytest.approx(1)


def test_scar_lies_in_the_front_wall_of_the_left_ventricle():
    anatomy = make_anatomy(2)
    points = grid(anatomy)
    labels = labels_at(anatomy, points)
    scar = anatomy.to_local(points[labels == CORE])
    turn = np.rad2deg(np.arctan2(scar[:, 1], scar[:, 0]))
    assert np.abs(turn - anatomy.core_angle_deg).max() < 90
    assert np.percentile(turn, 95) - np.percentile(turn, 5) > 60
    assert np.hypot(scar[:, 0], scar[:, 1]).max() < anatomy.lv_radius_mm


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_corridor_crosses_the_core_through_the_whole_wall(seed):
    """Border zone all the way, core on both sides, and the tissue beyond both mouths is alive."""
    anatomy = make_anatomy(seed)
    line = anatomy.to_local(corridor_centre_line(anatomy, 41))[3:-3]
    outwards = line * [1, 1, 0] / np.linalg.norm(line * [1, 1, 0], axis=1, keepdims=True)
    around = np.cross([0, 0, 1], outwards)
    half = 0.5 * anatomy.corridor_width_mm
    for depth in (-2.5, 0.0, 2.5):
        middle = line + depth * outwards
        assert (labels_at(anatomy, anatomy.to_lps(middle)) == BORDER_ZONE).all()
    for side in (-1, 1):
        assert (labels_at(anatomy, anatomy.to_lps(line + side * (half - 0.5) * around)) == BORDER_ZONE).all()
        assert (labels_at(anatomy, anatomy.to_lps(line + side * (half + 1.0) * around)) == CORE).all()
    low, high = core_span_mm(anatomy)
    beyond = anatomy.border_zone_mm + 1.0
    mouths = rolled(anatomy, np.full(2, anatomy.corridor_offset_mm), np.array([low - beyond, high + beyond]))
    assert (labels_at(anatomy, anatomy.to_lps(mouths)) == MYOCARDIUM).all()
    assert 30 < high - low < 40


def test_unrolled_wall_is_measured_in_millimetres():
    """A step along the meridian or round the wall is as long unrolled as in space."""
    anatomy = Anatomy()
    flat = np.array([[x, y] for x in (-12.0, 0.0, 9.0) for y in (20.0, 35.0, 55.0)])
    for step in ([0.01, 0.0], [0.0, 0.01]):
        here, there = (rolled(anatomy, *(flat + shift).T) for shift in ([0.0, 0.0], step))
        up_only = step[0] == 0 and flat[:, 0] == 0
        checked = np.full(len(flat), True) if step[0] else up_only
        length = np.linalg.norm(there - here, axis=1)[checked]
        np.testing.assert_allclose(length, 0.01, rtol=1e-3)
    np.testing.assert_allclose(unrolled(anatomy, rolled(anatomy, *flat.T)), flat, atol=1e-3)


@pytest.mark.parametrize("seed", [1, 3, 8])
def test_an_infarct_that_reaches_below_the_mid_wall_begins_at_its_tip(seed):
    """Short ventricles once lost the whole scar there, to an arc cosine beyond one."""
    low, high = core_span_mm(replace(make_anatomy(seed), core_apical=0.02, core_basal=0.45))
    assert low == 0.0
    assert 25 < high < 40


def test_scar_of_half_the_wall_lies_at_the_endocardium():
    """Along rays through the middle of an infarct without corridor: inner half core, outer half healthy."""
    anatomy = replace(make_anatomy(1), core_transmural=0.5, core_angle_deg=90.0, corridor_width_mm=0.0)
    inner = anatomy.lv_radius_mm - anatomy.lv_wall_mm
    shares = np.array([0.1, 0.3, 0.45, 0.55, 0.7, 0.9])
    local = np.stack([np.zeros(6), inner + shares * anatomy.lv_wall_mm, np.full(6, -anatomy.lv_equator_mm)], axis=1)
    assert labels_at(anatomy, anatomy.to_lps(local)).tolist() == [CORE] * 3 + [MYOCARDIUM] * 3
