"""Slices shifted by known amounts in a stack whose truth is a tapering, leaning ventricle."""

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage
from short_axis import affine, truth

from cardiotwin.segmentation import Segmentation, aligned_slices
from cardiotwin.segmentation.alignment import registered

PIXEL_MM = 1.6


def stack(n_slices: int = 12) -> Segmentation:
    """Rings that taper towards the apex and drift by a pixel a slice."""
    labels = np.zeros((n_slices, 90, 100), np.uint8)
    rows, columns = np.indices(labels.shape[1:])
    for k in range(1, n_slices - 1):
        cavity = 24 * np.sqrt(1 - (k - 1) / (n_slices - 1))
        apart = np.hypot(rows - 42, columns - 44 - 0.5 * k) * PIXEL_MM
        labels[k][apart < cavity + 9] = 2
        labels[k][apart < cavity] = 1
    labels[4, 30:34, 60:] *= 2  # some core, so that there is something to lose
    labels[labels > 3] = 4
    return Segmentation(labels, affine(), None, True, {})


def shifted(one: Segmentation, moves: dict[int, tuple[int, int]]) -> Segmentation:
    labels = one.labels.copy()
    for k, move in moves.items():
        labels[k] = ndimage.shift(labels[k], move, order=0)
    return Segmentation(labels, one.affine, None, True, {})


def test_a_stack_in_line_stays_as_it_is():
    given = stack()
    found, alignment = aligned_slices(given)
    assert not alignment.shifts.any()
    np.testing.assert_array_equal(found.labels, given.labels)


@pytest.mark.parametrize("move", [(3, 0), (0, -4), (4, 4), (-6, 2)])
@pytest.mark.parametrize("k", [3, 6, 9])
def test_a_shifted_slice_comes_back_to_the_pixel(k, move):
    given = stack()
    found, alignment = aligned_slices(shifted(given, {k: move}))
    expected = np.zeros((12, 2), int)
    expected[k] = [-move[0], -move[1]]
    np.testing.assert_array_equal(alignment.shifts, expected)
    np.testing.assert_array_equal(found.labels, given.labels)


def test_two_slices_far_apart_both_come_back():
    given = stack()
    found, _ = aligned_slices(shifted(given, {3: (5, 0), 8: (0, -5)}))
    np.testing.assert_array_equal(found.labels, given.labels)


def test_a_hand_that_shakes_misleads_seldom_and_little():
    """Up to a pixel (1.6 mm) either way in every slice: one slice in a few stacks is moved that should not be."""
    before, after = [], []
    for seed in range(12):
        shake = np.zeros((12, 2), int)
        shake[1:11] = np.random.default_rng(seed).integers(-1, 2, (10, 2))
        shaken = shifted(stack(), {k: tuple(shake[k]) for k in range(1, 11)})
        shifts = aligned_slices(shaken)[1].shifts
        before.append(np.sqrt((shake**2).mean()))
        after.append(np.sqrt(((shake + shifts) ** 2).mean()))
    assert np.mean(after) <= 1.05 * np.mean(before)
    assert np.mean(np.not_equal(after, before)) <= 0.25


def test_a_short_stack_is_left_alone():
    """The six slices of `short_axis`: four with two neighbours do not tell a shift from a curve."""
    labels = truth()
    labels[3] = ndimage.shift(labels[3], (5, 0), order=0)
    assert not aligned_slices(Segmentation(labels, affine(), None, True, {}))[1].shifts.any()


def test_registration_agrees_with_simpleitk():
    rows, columns = np.indices((80, 80))
    fixed = 15.0 - np.hypot((rows - 40) * 1.2, columns - 40)
    moving = 15.0 - np.hypot((rows - 43.4) * 1.2, columns - 38.3)
    ours = registered([moving], [fixed], np.ones(2))
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 200)
    method.SetInitialTransform(SimpleITK.TranslationTransform(2))
    method.SetInterpolator(SimpleITK.sitkLinear)
    pictures = [SimpleITK.GetImageFromArray(one.clip(-6, 6)) for one in (fixed, moving)]
    column, row = method.Execute(*pictures).GetParameters()  # takes fixed points to moving ones
    assert (-row, -column) == pytest.approx((-3.4, 1.7), abs=0.05)
    assert ours == pytest.approx([-row, -column], abs=0.1)
