"""Thresholds on the myocardial signal: what they keep, what they must not invent."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from short_axis import SHAPE, coordinates, dice, image, scar_mask, truth

from cardiotwin.errors import QualityGate
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.segmentation import relabel, segment, sweep, volumes_ml
from cardiotwin.segmentation.scar import (
    bilateral,
    coil_shading,
    noise_level,
    rim_from_within,
    without_partial_volume,
    without_specks,
)
from cardiotwin.settings import SegmentSettings


def test_a_corridor_of_border_zone_through_dense_core_survives():
    """5 mm of half the signal between two dense halves, at 1.6 mm pixels."""
    apart, angle = coordinates()
    scar = scar_mask(110, range(2, 5))
    across = apart * np.sin(angle - np.deg2rad(-60))
    corridor = scar & (np.abs(across) < 2.5)
    picture = image(scar=scar, scar_signal=1.3)
    dark = image(scar=scar, scar_signal=0.65)
    picture.values[corridor] = dark.values[corridor]
    labels = segment(picture).labels
    assert (labels[corridor] == 4).mean() < 0.15
    assert np.isin(labels[corridor], (2, 5)).mean() > 0.7
    assert (labels[scar & ~corridor] == 4).mean() > 0.6


@pytest.mark.parametrize(("seed", "slice_mm"), [(1, 8.0), pytest.param(5, 10.0, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_healthy_ventricle_has_no_scar_by_any_method(seed, slice_mm):
    """Blood that thick slices average into the apical wall was core: 1.4 mL, and 2 mL of border zone."""
    none = {"core_width_mm": 0.01, "core_apical": 0.5, "core_basal": 0.50001, "core_corner_mm": 0.001}
    healthy = replace(make_anatomy(seed), **none, border_zone_mm=0.0, corridor_width_mm=0.0)
    picture, truth = scan(healthy, LgeScan(seed=seed, slice_mm=slice_mm))
    assert not np.isin(truth.labels, (4, 5)).any()
    found = segment(picture)
    for row in sweep(found, SegmentSettings()):
        assert (row.core_g, row.border_zone_g) == (0, 0), row.method
    assert found.confidence["maximum_over_blood"] < 0.6


def test_blood_in_the_next_slice_does_not_explain_scar_as_bright_as_blood():
    """Two slices: in the second, half of a wall of muscle is 0.6 blood, and half of the other is scar."""
    wall, blood = np.zeros((2, 24, 24), bool), np.zeros((2, 24, 24), bool)
    wall[1, 2:22, 2:22] = wall[0, 2:22, 12:22] = True
    blood[0, 2:22, 2:12] = blood[1, :, 22:] = True
    measured = np.where(wall, 0.1, 1.0)
    measured[1, 4:10, 3:11] = 0.64
    measured[1, 13:20, 3:11] = 1.0
    left = without_partial_volume(measured, measured, wall, blood, 0.1, 1.0, np.array([1.5, 1.5, 8.0]))
    assert (left[1, 4:10, 3:11] == 0.1).all()
    assert (left[1, 13:20, 3:11] == 1.0).all()


def test_what_was_too_small_to_be_scar_is_counted():
    """Two islands in one slice of 1.5 x 1.5 x 8 mm voxels: six of them are 108 mm3, twelve are 216."""
    wall = np.ones((1, 20, 20), bool)
    values = np.full(wall.shape, 0.1)
    values[0, 2:4, 2:5] = values[0, 10:13, 10:14] = 1.0
    left, specks_mm3 = without_specks(values, wall, 0.1, 1.0, np.array([1.5, 1.5, 8.0]))
    assert specks_mm3 == pytest.approx(6 * 18.0)
    assert (left[0, 2:4, 2:5] == 0.1).all()
    assert (left[0, 10:13, 10:14] == 1.0).all()
    assert re.fullmatch(r"\d+ mm3", segment(image()).confidence["specks"])


def test_a_stack_too_short_says_in_how_many_of_its_slices_the_ring_was_found():
    from cardiotwin.segmentation.automatic import _check_found

    wall = SimpleNamespace(blood=np.ones(4), myocardium=np.zeros(4))
    for found, words in (([1], r"in 1 of 4 slices \(slice 2\); expected at least 3"), ([1, 2], r"\(slices 2 and 3\)")):
        with pytest.raises(QualityGate, match=words):
            _check_found(wall, np.array(found))


def test_a_cine_says_that_scar_cannot_be_seen():
    result = segment(image("cine"))
    assert not result.scar_assessable
    assert result.signal is None
    assert not np.isin(result.labels, (4, 5)).any()
    assert sweep(result, SegmentSettings()) == ()
    with pytest.raises(QualityGate, match="no signal"):
        relabel(result, 0.4, 0.6)


@pytest.mark.slow
def test_the_sweep_is_a_segmentation_at_each_pair_of_thresholds():
    picture = image(scar=scar_mask(70, range(2, 5)))
    settings = SegmentSettings(sweep=((0.30, 0.70), (0.45, 0.55)))
    first = segment(picture, settings)
    shares = [row for row in sweep(first, settings) if "maximum" in row.method]
    assert len(shares) == 3
    for row in shares:
        pair = {"border_zone_threshold": row.border_zone_threshold, "core_threshold": row.core_threshold}
        again = segment(picture, SegmentSettings(**pair))
        assert row.core_ml == pytest.approx(volumes_ml(again)["core"])
        assert row.border_zone_ml == pytest.approx(volumes_ml(again)["border_zone"])


def test_signal_is_known_in_the_left_wall_and_nowhere_else():
    result = segment(image(scar=scar_mask(70, range(2, 5))))
    known, wall = np.isfinite(result.signal), np.isin(result.labels, (2, 4, 5))
    assert wall[known].all()
    around_left_blood = binary_dilation(result.labels == 1, np.ones((1, 3, 3)), 2)
    assert known[wall & around_left_blood].all(), "only the right free wall, which a rule has drawn, has none"
    assert np.nanmax(result.signal) <= 1


def test_shading_is_read_off_the_blood():
    """The stack was made 25 % brighter on one side: the estimate has that slope."""
    columns = np.arange(SHAPE[2])
    shading = coil_shading(image(noise=0.01), np.isin(truth(), (1, 3)))[4, 58]
    made = 1 + 0.25 * (0.5 - columns / SHAPE[2])
    near = slice(30, 90)
    assert shading[near] / shading[60] == pytest.approx(made[near] / made[60], rel=0.02)


def test_noise_is_measured_and_reduced_while_an_edge_stays():
    rng = np.random.default_rng(1)
    step = np.where(np.arange(40) < 20, 0.0, 100.0) * np.ones((3, 40, 1))
    noisy = step + rng.normal(0, 5, step.shape)
    everywhere = np.ones(step.shape, bool)
    sigma = noise_level(noisy[..., :18], everywhere[..., :18])
    assert sigma == pytest.approx(5, rel=0.15)
    calm = bilateral(noisy, everywhere, 5.0)
    assert calm[1, 2:-2, 2:17].std() < 2.6
    assert np.diff(calm[1, 2:-2, 19:21].mean(axis=0))[0] == pytest.approx(100, abs=3)


def test_partial_volume_at_the_edge_is_not_border_zone():
    labels = truth()
    wall = labels == 2
    signal = np.where(wall, 0.1, 1.0)
    blurred = signal.copy()
    rim = wall & (np.roll(labels == 1, 1, 2) | np.roll(labels == 1, -1, 2))
    blurred[rim] = 0.55
    assert dice(rim_from_within(blurred, wall)[wall] > 0.4, rim[wall]) < 0.1
