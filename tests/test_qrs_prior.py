"""Moves that are accepted by the prior alone must leave the prior as it is."""

from dataclasses import replace

import numpy as np
import pytest

from cardiotwin.calibration.qrs_prior import QrsPrior, velocities_drawn
from cardiotwin.calibration.sequential_monte_carlo import temper

LOW, HIGH = np.array([0.4, 0.2, 0.5, 0.0]), np.array([0.9, 0.6, 3.0, 20.0])
N_SITES, SIZE, SWEEPS = 2, 20_000, 3


@pytest.fixture(scope="module")
def prior():
    """Eight places to start from: a crowd of five, all within reach of each other, and a trail of three leading off."""
    crowd = {i: set(range(5)) for i in range(5)}
    trail = {5: {4, 5, 6}, 6: {5, 6, 7}, 7: {6, 7}}
    near = {**crowd, **trail, 4: crowd[4] | {5}}
    far = {i: set().union(*(near[j] for j in near[i])) for i in near}
    return QrsPrior(
        LOW, HIGH, *(tuple(np.array(sorted(around[i])) for i in around) for around in (near, far)), N_SITES, (0.6, 0.1),
        n_placements=5, n_fractions=4,
    )  # fmt: skip


def walked(prior, moves, seed=0):
    """A population drawn from the prior, after many moves under evidence that says nothing."""
    rng = np.random.default_rng(seed)
    return temper(
        prior.draw(SIZE, rng),
        np.full(SIZE, 1.0 / SIZE),
        lambda particles: (np.zeros(len(particles)), np.zeros(len(particles))),
        moves,
        size=SIZE,
        n_sweeps=SWEEPS,
        rng=rng,
    ).particles


@pytest.mark.parametrize("move", ["_step_near", "_step_far", "_step_and_delay", "_relocate_site"])
def test_every_place_stays_equally_likely_however_many_neighbours_it_has(prior, move):
    """A walk that did not pay for the number of neighbours would crowd; five standard deviations are allowed."""
    sites = prior.sites(walked(prior, 5 * [getattr(prior, move)]))
    share = np.bincount(sites.ravel(), minlength=8) / sites.size
    assert np.abs(share - 1 / 8).max() < 5 * np.sqrt(1 / 8 * 7 / 8 / sites.size), f"shares {share}"


def test_a_whole_sweep_leaves_velocities_and_times_as_the_prior_has_them(prior):
    """Cross-fibre velocity not above the fibre's, which has a mean; the rest is evenly filled."""
    particles = walked(prior, prior.moves())
    fresh = prior.draw(400_000, np.random.default_rng(1))
    times = prior.times(particles)
    assert (particles[:, 1] <= particles[:, 0]).all()
    assert ((times >= LOW[3]) & (times <= HIGH[3])).all()
    for column in (0, 1, 2, 5, 6):
        edges = np.quantile(fresh[:, column], np.linspace(0, 1, 9)[1:-1])
        share = np.bincount(np.searchsorted(edges, particles[:, column]), minlength=8) / SIZE
        assert np.abs(share - 1 / 8).max() < 5 * np.sqrt(1 / 8 * 7 / 8 / SIZE), f"column {column}: shares {share}"


def test_a_whole_sweep_leaves_every_placement_of_the_electrodes_equally_likely(prior):
    share = np.bincount(prior.placement(walked(prior, prior.moves())), minlength=5) / SIZE
    assert np.abs(share - 1 / 5).max() < 5 * np.sqrt(1 / 5 * 4 / 5 / SIZE), f"shares {share}"


def test_a_whole_sweep_leaves_every_border_zone_equally_likely_and_none_where_there_is_no_choice(prior):
    share = np.bincount(prior.fraction(walked(prior, prior.moves())), minlength=4) / SIZE
    assert np.abs(share - 1 / 4).max() < 5 * np.sqrt(1 / 4 * 3 / 4 / SIZE), f"shares {share}"
    alone = replace(prior, n_fractions=1)
    assert len(alone.moves()) == len(prior.moves()) - 1
    assert not alone.fraction(alone.draw(100, np.random.default_rng(0))).any()


def test_the_fibre_velocity_has_its_mean_and_spread_and_the_others_none():
    wide = np.array([[0.1, 1.4], [0.05, 0.06], [0.5, 3.0]])
    fibre, cross, fast = velocities_drawn(wide, (0.65, 0.1), 40_000, np.random.default_rng(2)).T
    assert fibre.mean() == pytest.approx(0.65, abs=0.003)
    assert fibre.std() == pytest.approx(0.1, rel=0.03)
    assert fast.mean() == pytest.approx(1.75, abs=0.02)
    assert cross.std() == pytest.approx(0.01 / np.sqrt(12), rel=0.03)
