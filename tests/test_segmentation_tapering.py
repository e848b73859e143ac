"""One smooth cavity through all slices: found where few show its rim, and let go of where hardly any does."""

import numpy as np
import pytest
from scipy import ndimage

from cardiotwin.segmentation.contours import GUIDED, N_RAYS, Wall, _without_bulges
from cardiotwin.segmentation.inscribed import Circles, inscribed
from cardiotwin.segmentation.tapering import tapering_cavity

DEPTHS_MM, GRID_MM, CIRCLES_MM = 8.0 * np.arange(8), 2.0, np.arange(3.0, 46.0)
TRUE_MM = 16.0 * np.sqrt(1 - np.maximum((DEPTHS_MM - 16.0) / 42.0, 0) ** 2)
"""Half a spheroid below a cylinder of 16 mm."""


def merit_of(centres_mm: np.ndarray, radii_mm: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """(n_slices, n_radii, 16, 16): in every slice one circle has a merit, which fades over 6 mm all round it."""
    places = GRID_MM * np.indices((16, 16))
    apart = [
        np.hypot(*(places - centre[:, None, None])) + np.abs(CIRCLES_MM - radius)[:, None, None]
        for centre, radius in zip(centres_mm, radii_mm, strict=True)
    ]
    return heights[:, None, None, None] * np.clip(1 - np.array(apart) / 6.0, -1, 1)


@pytest.mark.parametrize("apex_last", [False, True])
def test_slices_that_show_no_rim_are_led_by_those_that_do(apex_last):
    """An oblique cavity has a rim in five slices of eight; in the three nearest to the apex circles beside it have."""
    truth = np.column_stack([14.0 + 0.1 * DEPTHS_MM, np.full(8, 14.0)])
    beside = np.where(np.arange(8) > 4, 8.0, 0.0)[:, None]
    merit = merit_of(truth + beside, TRUE_MM, np.where(np.arange(8) > 4, 0.3, 0.9))
    order = slice(None) if apex_last else slice(None, None, -1)
    found = tapering_cavity(merit[order], CIRCLES_MM, GRID_MM, DEPTHS_MM[order])
    assert found.merit > 3.0
    assert np.abs(found.centres_mm[order] - truth).max() < 2.5
    assert np.abs(found.radii_mm[order] - TRUE_MM)[:-1].max() < 2.0  # the tip, where it falls steeply, aside


def test_two_rims_do_not_tilt_the_cavity_nor_leave_it_without_an_apex():
    """They lie 2 mm apart, which over the stack would be 8 mm to either side, and are as wide as each other."""
    centres = np.full((8, 2), 14.0)
    centres[4] += (2.0, 0.0)
    merit = merit_of(centres, np.full(8, 20.0), np.where((np.arange(8) == 3) | (np.arange(8) == 4), 0.4, 0.0))
    found = tapering_cavity(merit, CIRCLES_MM, GRID_MM, DEPTHS_MM)
    assert np.abs(found.centres_mm - 14.0).max() < 3.5  # 8 without
    assert found.radii_mm[-1] < 14.0


def test_two_rims_do_not_end_the_cavity_in_the_middle_of_the_stack():
    """Faint rims of 20 and 18 mm, 8 mm apart: a cavity that tapers on as fast ends before the fifth slice of eight."""
    radii = np.where(np.arange(8) == 0, 20.0, 18.0)
    merit = merit_of(np.full((8, 2), 14.0), radii, np.where(np.arange(8) < 2, 0.3, 0.0))
    assert tapering_cavity(merit, CIRCLES_MM, GRID_MM, DEPTHS_MM).radii_mm[4] > 3.0


@pytest.mark.parametrize(("share", "led"), [(1.0, True), (0.1, False)])
def test_a_cavity_leads_only_where_enough_of_its_rim_is_seen(share, led):
    """Four slices of a cavity of 15 mm in a wall of 9 mm; but for a share of the ring nothing bounds it."""
    rows, columns = np.indices((80, 80)) - 40.0
    apart, angle = np.hypot(rows, columns), np.abs(np.arctan2(rows, columns))
    plane = ((apart < 15) | (apart > 24) | (angle > np.pi * share)).astype(float)
    signal = ndimage.gaussian_filter(np.stack([plane] * 4), (0, 0.7, 0.7))
    found = inscribed(signal, np.full((4, 2), 40.0), np.array([1.0, 1.0, 8.0]), 8.0 * np.arange(4))
    assert found.smooth == led


def test_circles_are_seen_from_beside_their_centres_but_not_from_outside():
    circles = Circles(np.array([[40.0, 50.0]] * 2), np.array([20.0, 5.0]), smooth=True)
    angles, spacing_mm = np.linspace(0, 2 * np.pi, 16), np.array([1.5, 2.0, 8.0])
    seen, hidden = circles.seen_from(np.array([[43.0, 46.0]] * 2), angles, spacing_mm)
    across = 1.5 * (46.0 - 50.0) + seen * np.cos(angles)
    down = 2.0 * (43.0 - 40.0) + seen * np.sin(angles)
    np.testing.assert_allclose(np.hypot(across, down), 20.0)
    assert np.isinf(hidden).all()


@pytest.mark.parametrize(("n_bulging", "led"), [(20, True), (50, False)])
def test_rays_that_run_into_scar_are_led_by_the_cavity_unless_most_do(n_bulging, led):
    """64 rays of 20 mm; some of 27: with a circle of 20 mm it is they, of 50 in 64 it is the circle that is wrong."""
    centres, contour = np.full((2, 2), 40.0), np.full((2, N_RAYS), 20.0)
    contour[1, :n_bulging] = 27.0
    wall = Wall(centres, contour, np.full_like(contour, 9.0), np.zeros((2, N_RAYS, 4)), np.ones(2), np.zeros(2), True)
    spacing_mm = np.array([1.0, 1.0, 8.0])
    for circles in (None, Circles(centres, np.full(2, 20.0), smooth=False)):
        kept, _ = _without_bulges(wall, spacing_mm, circles)
        np.testing.assert_array_equal(kept, contour)
    found, trust = _without_bulges(wall, spacing_mm, Circles(centres, np.full(2, 20.0), smooth=True))
    np.testing.assert_allclose(found, 20.0 if led else contour)
    assert (trust[1, :n_bulging] == GUIDED).all() == led
    assert (trust[0] == 1.0).all()
