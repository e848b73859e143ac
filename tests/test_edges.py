"""An edge is found between the samples, through blur, behind a thin line of fat and in noise."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from cardiotwin.segmentation.edges import blur_mm, placed

DEPTHS_MM = np.arange(0.5, 40.0, 1.0)
FINE_MM = np.arange(0.0, 40.0, 0.05)


def rays(edge_mm: float, layer_mm: float, blur: float, fat: float = 1.4, beyond: float = -0.1) -> np.ndarray:
    """(1, 64, n) blood to 10 mm, muscle to the edge, a layer of fat, and what lies beyond; blurred and sampled."""
    signal = np.where(
        FINE_MM < 10, 1.0, np.where(edge_mm > FINE_MM, 0.0, np.where(edge_mm + layer_mm > FINE_MM, fat, beyond))
    )
    ray = np.interp(DEPTHS_MM, FINE_MM, gaussian_filter1d(signal, blur / 0.05))
    return np.tile(ray, (1, 64, 1))


def found(profiles: np.ndarray, start_mm: float, blur: float, fat: float | None) -> float:
    start = np.full((1, 64), start_mm)
    return float(placed(profiles, DEPTHS_MM, start, np.full((1, 64), blur), fat).mean())


@pytest.mark.parametrize("start_mm", [18.8, 20.3, 21.8])
@pytest.mark.parametrize("layer_mm", [1.0, 2.0, 4.0])
def test_the_epicardium_is_the_inner_side_of_the_fat_however_thin_that_is(layer_mm, start_mm):
    profiles = rays(20.3, layer_mm, blur=1.2)
    assert found(profiles, start_mm, 1.2, fat=1.4) == pytest.approx(20.3, abs=0.3)


def test_the_steepest_place_is_not_the_edge_of_a_thin_line():
    """Why fat is a part of the model: the gradient leads 0.7 mm into the muscle."""
    ray = rays(20.3, 1.0, blur=1.2)[0, 0]
    near = np.abs(DEPTHS_MM - 20.3) < 3
    steepest = DEPTHS_MM[near][np.gradient(ray)[near].argmax()]
    assert steepest < 19.8


@pytest.mark.parametrize("beyond", [0.6, 1.0, 1.6])
@pytest.mark.parametrize("edge_mm", [19.6, 20.0, 20.4])
def test_an_edge_between_two_levels_is_found_between_the_samples(edge_mm, beyond):
    profiles = rays(edge_mm, 0.0, blur=1.4, beyond=beyond)
    assert found(profiles, 19.0, 1.4, fat=None) == pytest.approx(edge_mm, abs=0.15)


def test_noise_moves_it_little():
    profiles = rays(20.0, 1.5, blur=1.2) + 0.1 * np.random.default_rng(0).standard_normal((1, 64, len(DEPTHS_MM)))
    ring = placed(profiles, DEPTHS_MM, np.full((1, 64), 18.5), np.full((1, 64), 1.2), 1.4)
    assert ring.mean() == pytest.approx(20.0, abs=0.3)
    assert ring.std() < 0.4


def test_where_nothing_is_seen_the_neighbours_lead():
    profiles = rays(20.0, 2.0, blur=1.2)
    profiles[0, 10:16, 15:] = 0.0
    ring = placed(profiles, DEPTHS_MM, np.full((1, 64), 19.0), np.full((1, 64), 1.2), 1.4)
    np.testing.assert_allclose(ring[0, 10:16], 20.0, atol=0.4)
    blank = placed(np.zeros_like(profiles), DEPTHS_MM, np.full((1, 64), 19.0), np.full((1, 64), 1.2), 1.4)
    np.testing.assert_allclose(blank, 19.0, atol=0.1)


def test_a_slanting_wall_is_smeared_over_the_slice():
    """A box of 8 mm seen at 45 degrees has a standard deviation of 8 / sqrt(12) mm."""
    assert blur_mm(0.0, 0.0, np.array([1.0]), 8.0)[0] == pytest.approx(8 / np.sqrt(12))
