"""Scar methods against walls whose signal is written down by hand, and against other libraries."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK

from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.segmentation import (
    FullWidthHalfMaximum,
    OtsuDeviations,
    PercentOfMaximum,
    Schmidt2007,
    StandardDeviations,
)
from cardiotwin.segmentation.methods import (
    chosen_method,
    delineate,
    local_maximum,
    local_mean,
    measured,
    otsu_threshold,
    standard_methods,
)
from cardiotwin.segmentation.remote import remote_region
from cardiotwin.settings import SegmentSettings

SPACING_MM = np.array([1.5, 1.5, 8.0])
SHAPE = (5, 64, 64)


def ring() -> tuple[np.ndarray, np.ndarray]:
    """A wall from 18 to 27 pixels about the middle, and the angle of every pixel in degrees."""
    rows, columns = np.indices(SHAPE[1:]) - 31.5
    apart = np.hypot(rows, columns)
    wall = np.broadcast_to((apart >= 18) & (apart < 27), SHAPE).copy()
    return wall, np.broadcast_to(np.degrees(np.arctan2(rows, columns)) % 360, SHAPE)


def wall_with_scar(noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Remote about 100, alternately 90 and 110; core 1000 over 60 degrees, half of that 15 degrees on either side."""
    wall, angle = ring()
    values = np.where(np.indices(SHAPE).sum(axis=0) % 2, 90.0, 110.0)
    border = wall & (angle > 30) & (angle < 120)
    core = wall & (angle > 45) & (angle < 105)
    values[border], values[core] = 480.0, 1000.0
    values += noise * np.random.default_rng(3).standard_normal(SHAPE)
    return values, wall, core, border & ~core


def test_remote_lies_beside_no_scar_and_its_statistics_are_those_of_the_pixels():
    values, wall, core, border = wall_with_scar()
    remote = remote_region(values, wall)
    assert not (remote.mask & (core | border)).any()
    assert 0.2 * wall.sum() < remote.mask.sum() < 0.5 * wall.sum()
    assert remote.mean == pytest.approx(100, abs=1)
    assert remote.sd == pytest.approx(10, abs=0.1)
    assert remote.peak == 110


def test_choosing_the_dark_cells_does_not_make_noise_quieter():
    """Pure noise, 20 walls: the mean of the chosen region is at most 0.15 of a standard deviation low."""
    wall, _ = ring()
    found = [remote_region(np.random.default_rng(seed).normal(100, 10, SHAPE), wall) for seed in range(20)]
    assert np.mean([one.mean for one in found]) == pytest.approx(100, abs=1.5)
    assert np.mean([one.sd for one in found]) == pytest.approx(10, rel=0.02)


@pytest.mark.parametrize("method", [PercentOfMaximum(), Schmidt2007(), StandardDeviations(41, 5)])
def test_core_and_border_zone_are_found_exactly(method):
    values, wall, core, border = wall_with_scar()
    scar = delineate(method, measured(values, wall, SPACING_MM), SPACING_MM)
    np.testing.assert_array_equal(scar.core, core)
    np.testing.assert_array_equal(scar.border_zone, border)
    assert scar.core_g == pytest.approx(core.sum() * 1.5 * 1.5 * 8.0 / 1000 * 1.05)


def test_thresholds_are_those_of_the_papers():
    values, wall, _, _ = wall_with_scar()
    signal = measured(values, wall, SPACING_MM)
    mean, sd, peak = signal.remote.mean, signal.remote.sd, signal.remote.peak
    assert signal.maximum == pytest.approx(1000, rel=0.01)
    assert StandardDeviations(5).thresholds(signal) == (mean + 5 * sd,) * 2
    assert StandardDeviations(3, 2).thresholds(signal) == (mean + 2 * sd, mean + 3 * sd)
    assert FullWidthHalfMaximum().thresholds(signal) == (0.5 * signal.maximum,) * 2
    assert Schmidt2007().thresholds(signal) == (peak, 0.5 * signal.maximum)
    dark = values[wall & (values < 700)]  # of three levels, 100, 480 and 1000, the widest gap in variance is above 480
    expected = tuple(dark.mean() + n * dark.std(ddof=1) for n in (2, 4))
    assert OtsuDeviations().thresholds(signal) == pytest.approx(expected)


def test_the_brightest_place_is_as_wide_in_mm_along_rows_as_along_columns():
    """One bright pixel of 0.8 x 2.4 mm: its mean falls off with the distance in mm, whichever way."""
    values, wall, spacing = np.zeros((1, 41, 41)), np.ones((1, 41, 41), bool), np.array([0.8, 2.4, 8.0])
    values[0, 20, 20] = 1.0
    blurred = local_mean(values, wall, spacing)[0]
    three_columns, one_row = blurred[20, 23], blurred[21, 20]
    assert three_columns == pytest.approx(one_row, rel=0.15)
    assert blurred[23, 20] < 0.5 * one_row


def test_the_maximum_is_that_of_a_scar_of_one_hundredth_of_the_wall():
    values, wall, spacing = np.full((1, 100, 100), 100.0), np.ones((1, 100, 100), bool), np.array([1.5, 1.5, 8.0])
    values[0, 40:50, 40:50] = 1000.0
    assert local_maximum(values, wall, spacing) > 850.0


def test_otsu_agrees_with_simpleitk():
    sample = np.random.default_rng(2).normal(np.repeat([50.0, 200.0], [3000, 700]), 25.0)
    picture = SimpleITK.GetImageFromArray(sample.reshape(37, 100))
    judge = SimpleITK.OtsuThresholdImageFilter()
    judge.SetNumberOfHistogramBins(256)
    judge.Execute(picture)
    assert otsu_threshold(sample) == pytest.approx(judge.GetThreshold(), abs=1.5)


def test_region_growing_keeps_what_hangs_together_with_hyper_enhancement_only():
    """A noisy wall: 5 SD above remote is more than half of the maximum, so a piece may be above half and no scar."""
    values, wall, core, _ = wall_with_scar()
    far = wall & (ring()[1] > 250) & (ring()[1] < 270)
    values[far] = 600.0
    signal = measured(values, wall, SPACING_MM)
    assert (delineate(FullWidthHalfMaximum(), signal, SPACING_MM).core == (core | far)).all()
    loud = type(signal)(values, wall, signal.maximum, type(signal.remote)(signal.remote.mask, 100.0, 110.0, 300.0))
    found = delineate(FullWidthHalfMaximum(), loud, SPACING_MM).core
    np.testing.assert_array_equal(found, core)


def test_without_a_border_zone_there_is_none():
    values, wall, _, _ = wall_with_scar()
    signal = measured(values, wall, SPACING_MM)
    for method in (FullWidthHalfMaximum(), StandardDeviations(5)):
        scar = delineate(method, signal, SPACING_MM)
        assert not scar.border_zone.any()
        assert scar.border_zone_g == 0


@pytest.mark.parametrize("method", standard_methods(((0.4, 0.6),)), ids=lambda one: one.name)
def test_where_nothing_is_as_bright_as_scar_no_method_finds_any(method):
    """A wall badly nulled: all of it exceeds 40 % of its maximum, and noise exceeds 2 standard deviations."""
    values, wall = np.random.default_rng(4).normal(500, 60, SHAPE), ring()[0]
    signal = measured(values, wall, SPACING_MM)
    assert delineate(method, replace(signal, faintest=600.0), SPACING_MM).core_g == 0
    values[wall_with_scar()[2]] = 1000.0
    scarred = measured(values, wall, SPACING_MM)
    with_floor, without = (delineate(method, replace(scarred, faintest=one), SPACING_MM) for one in (600.0, -np.inf))
    assert (with_floor.core & wall_with_scar()[2]).sum() == (without.core & wall_with_scar()[2]).sum() > 0


def test_more_deviations_are_less_scar():
    values, wall, _, _ = wall_with_scar(noise=60.0)
    signal = measured(values, wall, SPACING_MM)
    masses = [delineate(StandardDeviations(float(n)), signal, SPACING_MM).core_g for n in range(2, 7)]
    assert masses == sorted(masses, reverse=True)
    assert masses[0] > masses[-1]


@pytest.mark.parametrize("factor", [1e-3, 7.0])
def test_the_unit_of_the_image_does_not_matter(factor):
    values, wall, _, _ = wall_with_scar(noise=60.0)
    for method in standard_methods(SegmentSettings().sweep):
        first = delineate(method, measured(values, wall, SPACING_MM), SPACING_MM)
        second = delineate(method, measured(factor * values, wall, SPACING_MM), SPACING_MM)
        np.testing.assert_array_equal(first.core, second.core)
        np.testing.assert_array_equal(first.border_zone, second.border_zone)


def test_the_sweep_holds_every_method_of_the_field_once():
    names = [method.name for method in standard_methods(SegmentSettings().sweep)]
    assert len(names) == len(set(names)) == 12


def test_settings_choose_the_method():
    assert chosen_method(SegmentSettings()) == PercentOfMaximum(0.4, 0.6)
    assert chosen_method(SegmentSettings(scar_method="fwhm")) == FullWidthHalfMaximum()
    assert chosen_method(SegmentSettings(scar_method="n_sd", core_sd=4, border_zone_sd=0)) == StandardDeviations(4)
    assert chosen_method(SegmentSettings(scar_method="schmidt_2007")) == Schmidt2007()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(SettingsError, match="border zone < core"):
        PercentOfMaximum(0.6, 0.4)
    with pytest.raises(SettingsError, match="standard deviations"):
        StandardDeviations(3, 4)
    with pytest.raises(ValueError, match="border_zone_sd"):
        SegmentSettings(core_sd=2, border_zone_sd=3)
    with pytest.raises(ValueError, match="sweep"):
        SegmentSettings(sweep=((0.7, 0.3),))
    with pytest.raises(QualityGate, match="at least 30"):
        remote_region(np.ones(SHAPE), np.zeros(SHAPE, bool))
