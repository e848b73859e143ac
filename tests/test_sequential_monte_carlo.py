"""The sampler against posteriors known in closed form."""

import numpy as np
import pytest

from cardiotwin.calibration import sequential_monte_carlo
from cardiotwin.calibration.sequential_monte_carlo import apart, temper, together
from cardiotwin.errors import QualityGate

CENTRE, SD = np.array([0.3, -0.5]), np.array([0.2, 0.05])
SIZE = 600


def gaussian(particles, share=1.0):
    return -0.5 * share * (((particles - CENTRE) / SD) ** 2).sum(axis=1)


def step(particles, scale, rng):
    """A symmetric step within the uniform prior on [-1, 1]²."""
    tried = particles + scale * particles.std(axis=0) * rng.standard_normal(particles.shape)
    return tried, np.where((np.abs(tried) <= 1.0).all(axis=1), 0.0, -np.inf)


def run(seed, start, weights, log_from, log_to, n_sweeps=4):
    return temper(
        start,
        weights,
        lambda p: (log_from(p), log_to(p)),
        [step],
        size=SIZE,
        n_sweeps=n_sweeps,
        rng=np.random.default_rng(seed),
    )


def from_prior(seed):
    start = np.random.default_rng(seed + 1000).uniform(-1.0, 1.0, (SIZE, 2))
    return run(seed, start, np.full(SIZE, 1 / SIZE), lambda p: np.zeros(len(p)), gaussian)


def test_a_uniform_prior_and_a_gaussian_likelihood_give_that_gaussian():
    means, deviations = zip(
        *((r.mean(axis=0), r.std(axis=0)) for r in (from_prior(s).particles for s in range(5))), strict=True
    )
    np.testing.assert_allclose(np.mean(means, axis=0), CENTRE, atol=3 * SD.max() / np.sqrt(5 * 100))
    np.testing.assert_allclose(np.mean(deviations, axis=0), SD, rtol=0.1)


def test_the_evidence_is_the_integral_of_the_likelihood_over_the_prior():
    """Of a Gaussian that lies well inside a uniform prior: 2 π sd sd over its area."""
    exact = np.log(2.0 * np.pi * SD.prod() / 4.0)
    found = [from_prior(seed).log_evidence for seed in range(8)]
    assert np.mean(found) == pytest.approx(exact, abs=0.1)
    assert np.std(found) < 0.3
    known = CENTRE + SD * np.random.default_rng(7).standard_normal((SIZE, 2))
    assert run(5, known, np.full(SIZE, 1 / SIZE), gaussian, gaussian).log_evidence == pytest.approx(0.0, abs=1e-9)
    both = together([from_prior(0), from_prior(1)]).log_evidence
    assert both == pytest.approx(np.log(np.mean(np.exp(found[:2]))))


def test_half_the_evidence_first_and_the_rest_later_is_all_of_it_at_once():
    half = run(3, np.random.default_rng(0).uniform(-1, 1, (SIZE, 2)), np.full(SIZE, 1 / SIZE),
               lambda p: np.zeros(len(p)), lambda p: gaussian(p, 0.5))  # fmt: skip
    rest = run(4, half.particles, np.full(SIZE, 1 / SIZE), lambda p: gaussian(p, 0.5), gaussian)
    assert len(rest.exponents) < len(from_prior(3).exponents), "an update takes fewer steps than a fresh start"
    np.testing.assert_allclose(rest.particles.mean(axis=0), CENTRE, atol=4 * SD.max() / np.sqrt(100))
    np.testing.assert_allclose(rest.particles.std(axis=0), SD, rtol=0.2)


def test_evidence_already_known_changes_nothing():
    start = CENTRE + SD * np.random.default_rng(7).standard_normal((SIZE, 2))
    same = run(5, start, np.full(SIZE, 1 / SIZE), gaussian, gaussian)
    assert same.exponents.tolist() == [1.0]
    assert same.effective == pytest.approx(SIZE)
    np.testing.assert_allclose(same.particles.std(axis=0), SD, rtol=0.15)


def test_starting_weights_count():
    """A start drawn from the wrong place, weighted to be right, ends right even where the evidence says nothing."""
    start = np.random.default_rng(1).uniform(-1, 1, (4000, 2))
    weights = np.exp(gaussian(start))
    quiet = run(6, start, weights / weights.sum(), gaussian, gaussian)
    np.testing.assert_allclose(quiet.particles.mean(axis=0), CENTRE, atol=0.04)


def test_the_same_seed_gives_the_same_ensemble():
    np.testing.assert_array_equal(from_prior(2).particles, from_prior(2).particles)
    assert not np.array_equal(from_prior(2).particles, from_prior(3).particles)


def test_a_walk_with_uneven_choices_is_corrected_by_its_ratio():
    """On a star the centre has six neighbours and a leaf two; the uniform distribution must survive the walk."""
    around = [np.arange(6), *(np.array([0, leaf]) for leaf in range(1, 6))]
    degree = np.array([len(row) for row in around])

    def walk(particles, scale, rng):
        here = particles[:, 0].astype(int)
        there = np.array([rng.choice(around[h]) for h in here])
        return there[:, None].astype(float), np.log(degree[here] / degree[there])

    start = np.repeat(np.arange(6.0), SIZE)[:, None]
    nothing = np.zeros(len(start))
    end = temper(
        start,
        np.full(len(start), 1 / len(start)),
        lambda p: (nothing[: len(p)], nothing[: len(p)]),
        [walk],
        size=len(start),
        n_sweeps=4,
        rng=np.random.default_rng(0),
    ).particles[:, 0]
    share = np.bincount(end.astype(int), minlength=6) / len(end)
    np.testing.assert_allclose(share, 1 / 6, atol=0.025)


def test_populations_are_as_far_apart_as_their_means_in_their_own_standard_deviations():
    rng = np.random.default_rng(3)
    one, other = rng.normal(0.0, 2.0, 4000), rng.normal(3.0, 2.0, 4000)
    assert apart([one, other]) == pytest.approx(1.5, rel=0.05)
    assert apart([one, one + 0.0]) == 0.0
    places = rng.normal(0.0, 1.0, (2, 4000, 3)) + np.array([[[0.0, 0.0, 0.0]], [[3.0, 0.0, 4.0]]])
    assert apart(list(places)) == pytest.approx(5.0 / np.sqrt(3.0), rel=0.05)
    assert apart([np.full(5, 1.0), np.full(5, 2.0)]) == np.inf, "collapsed, each onto its own answer"
    assert apart([np.ones(5), np.ones(5)]) == 0.0


def test_what_cannot_be_weighed_is_refused_in_a_line(monkeypatch):
    start, weights = np.random.default_rng(0).uniform(-1, 1, (SIZE, 2)), np.full(SIZE, 1 / SIZE)
    with pytest.raises(QualityGate, match="a likelihood is not a number"):
        run(1, start, weights, lambda p: np.zeros(len(p)), lambda p: np.where(p[:, 0] < 0, np.nan, 0.0))
    monkeypatch.setattr(sequential_monte_carlo, "_MAX_STEPS", 2)
    with pytest.raises(QualityGate, match="2 steps gave the data a weight of 1"):
        run(1, start, weights, lambda p: np.zeros(len(p)), lambda p: 1e6 * gaussian(p))
