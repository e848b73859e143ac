"""A weighted ensemble: its intervals against NumPy's quantiles, its draws against its weights."""

from dataclasses import replace

import numpy as np
import pytest

from cardiotwin.calibration.posterior import Posterior

VELOCITIES = np.random.default_rng(3).lognormal(-0.5, 0.3, (41, 2))


def ensemble(weights: np.ndarray | None = None) -> Posterior:
    equal = Posterior.of_velocities([tuple(pair) for pair in VELOCITIES])
    return equal if weights is None else replace(equal, weights=weights / weights.sum())


@pytest.mark.parametrize("mass", [0.5, 0.9])
def test_of_equal_members_the_interval_is_that_of_hazens_quantiles(mass):
    found = ensemble().interval(VELOCITIES[:, 0], mass)
    asked = [(1 - mass) / 2, 0.5, (1 + mass) / 2]
    np.testing.assert_allclose(found, np.quantile(VELOCITIES[:, 0], asked, method="hazen"), rtol=1e-12)


def test_a_member_without_weight_moves_no_interval():
    weights = np.ones(len(VELOCITIES))
    weights[::3] = 0.0
    some = weights > 0
    expected = np.quantile(VELOCITIES[some, 0], [0.05, 0.5, 0.95], method="hazen")
    np.testing.assert_allclose(ensemble(weights).interval(VELOCITIES[:, 0]), expected, rtol=1e-12)


def test_the_median_of_two_members_lies_where_half_of_the_weight_does():
    """Between the middles of their weights, 0.4 and 0.9: a fifth of the way."""
    weights = np.zeros(len(VELOCITIES))
    weights[[4, 7]] = 4.0, 1.0
    values = np.zeros(len(VELOCITIES))
    values[7] = 1.0
    assert ensemble(weights).interval(values)[1] == pytest.approx(0.2)


def beginnings(places: np.ndarray, weights: np.ndarray) -> Posterior:
    """Each member begins at its place; a second site, elsewhere, fires later."""
    count = len(places)
    later = np.full_like(places, 1000.0)
    equal = Posterior.of_velocities([(0.6, 0.3)] * count)
    return replace(
        equal,
        weights=weights / weights.sum(),
        site_positions=np.stack([later, places], axis=1),
        site_times_ms=np.tile([5.0, 0.0], (count, 1)),
    )


def test_activation_begins_where_the_earliest_site_of_most_members_lies_and_not_between():
    """Two thirds begin within 2 mm of the origin, the others 40 mm away: their mean would lie 13 mm off."""
    rng = np.random.default_rng(8)
    places = rng.uniform(-1.0, 1.0, (90, 3)) + np.where(np.arange(90) < 60, 0.0, 40.0)[:, None] * [1.0, 0.0, 0.0]
    found = beginnings(places, np.ones(90)).earliest_position
    assert np.linalg.norm(found) < 2.0
    assert (places == found).all(axis=1).any()


def test_where_activation_begins_goes_by_weight_not_by_number():
    places = np.array([[0.0, 0.0, 0.0]] * 9 + [[40.0, 0.0, 0.0]])
    weights = np.array([1.0] * 9 + [10.0])
    np.testing.assert_array_equal(beginnings(places, weights).earliest_position, [40.0, 0.0, 0.0])


def test_the_earliest_position_has_the_least_sum_of_weighted_distances():
    """Written out, member by member."""
    rng = np.random.default_rng(2)
    places, weights = rng.normal(size=(40, 3)) * [30.0, 10.0, 5.0], rng.exponential(size=40)
    sums = [sum(w * np.linalg.norm(a - b) for w, b in zip(weights, places, strict=True)) for a in places]
    np.testing.assert_array_equal(beginnings(places, weights).earliest_position, places[int(np.argmin(sums))])


@pytest.mark.parametrize("seed", range(5))
def test_each_member_is_drawn_as_often_as_it_weighs_to_within_one(seed):
    weights = np.random.default_rng(seed).exponential(size=len(VELOCITIES)) ** 2
    posterior, count = ensemble(weights), 200
    times = np.bincount(posterior.draws(count, seed), minlength=len(VELOCITIES))
    assert times.sum() == count
    assert np.abs(times - count * posterior.weights).max() < 1.0
    np.testing.assert_array_equal(posterior.draws(count, seed), posterior.draws(count, seed))
