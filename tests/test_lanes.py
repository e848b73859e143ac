"""Sixteen numbers at once: exp and log are right to the last bits, and the tile loop is vector code."""

import math

import numpy as np
import pytest
from numba import njit

from cardiotwin.kernels.lanes import LANES, apart, floor, largest, linoid, power, tile, total, where


@njit(error_model="numpy")
def exp_of(x, y):
    for t in range(x.shape[0]):
        tile(y, t)[0] = math.exp(tile(x, t)[0])


@njit(error_model="numpy")
def expm1_of(x, y):
    for t in range(x.shape[0]):
        tile(y, t)[0] = math.expm1(tile(x, t)[0])


@njit(error_model="numpy")
def log_of(x, y):
    for t in range(x.shape[0]):
        tile(y, t)[0] = math.log(tile(x, t)[0])


@njit(error_model="numpy")
def linoid_of(x, y):
    for t in range(x.shape[0]):
        tile(y, t)[0] = linoid(tile(x, t)[0])


@njit(error_model="numpy")
def total_of(x):
    return total(tile(x, 0)[0])


@njit(error_model="numpy")
def largest_of(x):
    return largest(abs(tile(x, 0)[0]))


@pytest.mark.parametrize(("real", "reach"), [(np.float32, 80.0), (np.float64, 700.0)])
def test_exp_and_log_are_right_to_a_few_units_in_the_last_place(real, reach):
    x = np.linspace(-reach, reach, 1000 * LANES).astype(real).reshape(-1, LANES)
    y = np.empty_like(x)
    exp_of(x, y)
    truth = np.exp(x.astype(np.longdouble))
    assert np.abs(y / truth - 1).max() < 4 * np.finfo(real).eps
    log_of(truth.astype(real), y)
    truth = np.log(truth.astype(real).astype(np.longdouble))
    assert (np.abs(y - truth) / np.maximum(np.abs(truth), 0.1)).max() < 4 * np.finfo(real).eps


@pytest.mark.parametrize(("real", "error"), [(np.float32, 2e-6), (np.float64, 5e-11)])
def test_linoid_has_no_hole_at_zero(real, error):
    x = np.concatenate([np.linspace(-60.0, 60.0, 10 * LANES), np.linspace(-0.2, 0.2, 1000 * LANES), np.zeros(LANES)])
    x = x.astype(real).reshape(-1, LANES)
    y = np.empty_like(x)
    linoid_of(x, y)
    exact = x.astype(np.longdouble)
    truth = np.where(x == 0, 1.0, exact / np.expm1(np.where(x == 0, 1.0, exact)))
    assert np.abs(y / truth - 1).max() < error
    assert linoid(0.0) == 1.0


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_what_is_missing_to_one_is_as_exact_as_what_is_there(real):
    """From 1e-7 to 80 on both sides of 0: a gate of a second moves by 1e-5 of its way in a step."""
    size = np.geomspace(1e-7, 80.0, 500 * LANES)
    x = np.concatenate([-size, size]).astype(real).reshape(-1, LANES)
    y = np.empty_like(x)
    expm1_of(x, y)
    assert np.abs(y / np.expm1(x.astype(np.longdouble)) - 1).max() < 4 * np.finfo(real).eps


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_nan_is_never_lost(real):
    x = np.arange(LANES, dtype=real).reshape(1, -1)
    assert largest_of(x) == LANES - 1
    for value in (np.nan, -np.nan):
        x[0, 3] = value
        y = np.empty_like(x)
        exp_of(x, y)
        assert np.isnan(y[0, 3])
        assert np.isnan(largest_of(x))


def powers(a):
    return power(a, 2), power(a, 7), power(a, -3), power(a, 0.7), power(a, a), power(2.0, a), power(1.5, 2.0)


@njit(error_model="numpy")
def powers_of(x, y):
    for t in range(x.shape[0]):
        a = tile(x, t)[0]
        for k, value in enumerate((power(a, 2), power(a, 7), power(a, -3), power(a, 0.7), power(a, a), power(2.0, a))):
            tile(y, 6 * t + k)[0] = value


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_a_sum_is_taken_in_double_precision_and_always_in_halves(real):
    """In order, or in single precision, the small numbers would be lost beside the large ones."""
    x = np.array([[1e17, -1e17, *range(1, 7), -1e17, 1e17, *range(7, 13)]], real)
    halves = x[0].astype(np.float64)
    while halves.size > 1:
        halves = halves[: halves.size // 2] + halves[halves.size // 2 :]
    assert total_of(x) == halves[0] == 78.0


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_powers_are_right_to_the_error_of_their_logarithm(real):
    x = np.linspace(0.05, 9.0, 10 * LANES).astype(real).reshape(-1, LANES)
    y = np.empty((6 * len(x), LANES), real)
    powers_of(x, y)
    truth = np.array([[powers(float(a))[:6] for a in row] for row in x]).transpose(0, 2, 1).reshape(y.shape)
    assert np.abs(y / truth - 1).max() < 20 * np.finfo(real).eps


def test_the_power_of_zero_is_zero_and_a_root_of_a_negative_number_is_none():
    x = np.zeros((1, LANES), np.float32)
    x[0, 1], x[0, 2], x[0, 3] = -2.0, np.nan, 1e-42
    y = np.empty((6, LANES), np.float32)
    powers_of(x, y)
    assert y[3, 0] == y[3, 3] == 0.0
    assert np.isnan(y[3, 1:3]).all()
    assert y[0, 1] == 4.0
    assert y[1, 1] == -128.0


def chosen(a):
    """A branch of every comparison; all are masks when a is 16 numbers."""
    low = where((a <= -1.0) | (a == 0.5), floor(a), 2.0 * a)
    return where((a >= 1.0) & (a != 2.0), a * a, low)


@njit(error_model="numpy")
def chosen_of(x, y):
    for t in range(x.shape[0]):
        a = tile(x, t)[0]
        low = where((a <= -1.0) | (a == 0.5), floor(a), 2.0 * a)
        tile(y, t)[0] = where((a >= 1.0) & (a != 2.0), a * a, low)


def test_comparisons_choose_as_for_one_number():
    x = np.array([-3.5, -1, -0.5, 0, 0.5, 0.7, 1, 1.5, 2, 3, 2.5, -2, 8, 9, 0.1, -0.1]).reshape(1, -1)
    y = np.empty_like(x)
    chosen_of(x, y)
    np.testing.assert_array_equal(y[0], [chosen(a) for a in x[0]])


def test_a_point_is_kept_away_from():
    assert [apart(x, -47.13) for x in (-47.13, -47.131, -47.0)] == [-47.13 + 0.002, -47.13 + 0.002, -47.0]


def test_the_loop_over_cells_is_vector_code():
    from cardiotwin.kernels.monodomain import advance_kernel  # compiled here unless it was kept on disk

    exp_of(np.zeros((1, LANES), np.float32), np.zeros((1, LANES), np.float32))
    assembly = next(iter(exp_of.inspect_asm().values()))
    assert assembly.count("fmadd") + assembly.count("fmla") >= 6
    assert not any(name in assembly for name in ("callq\texpf", "expf@PLT", "$expf"))
    assert advance_kernel("mitchell_schaeffer", parallel=False) is advance_kernel("mitchell_schaeffer", parallel=False)
