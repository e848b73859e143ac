"""Looking an activation map up instead of solving for it: how close, and what holds exactly."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart
from ellipsoid_heart import ellipsoid_heart

from cardiotwin.calibration.site_library import Lookup, site_library
from cardiotwin.eikonal import prepare, solve
from cardiotwin.heart.heart import BORDER_ZONE, HEALTHY
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import Velocities

RANGES = ((0.4, 0.9), (0.2, 0.5), (0.0, 0.0))


@pytest.fixture(scope="module")
def heart():
    return ellipsoid_heart(2.6, size=0.6)


@pytest.fixture(scope="module")
def library(heart):
    return site_library(heart, {0.5: prepare(heart, TissueSettings())}, RANGES, count=60)


def test_looked_up_activation_differs_from_the_solved_one_by_two_percent_of_its_duration(heart, library):
    rng = np.random.default_rng(0)
    speeds = np.column_stack([rng.uniform(0.5, 0.9, 12), rng.uniform(0.2, 0.5, 12), np.zeros(12)])
    sites, onsets = rng.integers(len(library.nodes), size=(12, 3)), rng.uniform(0.0, 10.0, (12, 3))
    solved = solve(
        prepare(heart, TissueSettings()), [Velocities(f, c) for f, c, _ in speeds], library.nodes[sites], onsets
    )
    error = library.arrivals(speeds, sites, onsets) - solved
    assert abs(error.mean()) < 0.01 * solved.max()
    assert np.abs(error).mean() < 0.02 * solved.max()


def test_twice_the_velocities_are_half_the_time(library):
    sites, none = np.array([[5, 40]]), np.zeros((1, 2))
    slow, fast = (library.arrivals(np.array([[a * 0.45, a * 0.25, 0.0]]), sites, none) for a in (1.0, 2.0))
    np.testing.assert_allclose(slow, 2.0 * fast, rtol=1e-4, atol=1e-3)


def test_stencils_interpolate_linear_functions_along_the_surface(library):
    """Weights sum to one; a site's own position comes back, up to the curvature of the wall."""
    np.testing.assert_allclose(library.stencil_shares.sum(axis=1), 1.0, atol=1e-12)
    corners = library.positions[library.candidates[library.stencils]]
    missed = np.linalg.norm(np.einsum("nk,nki->ni", library.stencil_shares, corners) - library.positions, axis=1)
    nearest = np.linalg.norm(corners - library.positions[:, None], axis=2).min(axis=1)
    assert np.median(missed) < 0.3 * np.median(nearest)


def test_close_to_a_site_the_front_is_the_ellipsoid_that_leaves_it():
    """The exact arrival in uniform tissue, fast along the fibres and slow across, also between two candidates."""
    fibre, speed = np.array([0.0, 0.6, 0.8]), np.array([0.8, 0.3, 0.0])
    block = block_heart((4, 20, 20), 1.5, fibre)
    sparse = site_library(block, {0.5: prepare(block, TissueSettings())}, RANGES, count=16)
    points, nodes = block.mesh.points, sparse.nodes
    errors = []
    for site in range(0, len(nodes), 7):
        away = points - points[nodes[site]]
        near = (away**2).sum(axis=1) < 3.5**2
        along = (away[near] @ fibre) ** 2
        exact = np.sqrt(along / speed[0] ** 2 + ((away[near] ** 2).sum(axis=1) - along) / speed[1] ** 2)
        errors.append(sparse.arrivals(speed[None], np.array([[site]]), np.zeros((1, 1)))[0, near] - exact)
    error = np.concatenate(errors)
    assert error.max() < 1e-4, "nowhere later than the straight way"
    assert np.mean(error > -1e-4) > 0.98, "and hardly anywhere earlier"


def test_neighbourhoods_are_symmetric_as_the_correction_of_the_walk_assumes(library):
    for around in (library.near, library.far):
        pairs = {(i, int(j)) for i, row in enumerate(around) for j in row}
        assert pairs == {(j, i) for i, j in pairs}


def test_what_was_kept_is_what_would_be_looked_up(library):
    """A sampler's walk: one site moved, moved back, all velocities changed, members in another order."""
    lookup, rng, nodes = Lookup(library), np.random.default_rng(3), library.nodes
    speeds = rng.uniform([0.5, 0.25, 0.0], [0.7, 0.4, 0.0], (6, 3))
    sites, onsets = rng.integers(len(nodes), size=(6, 3)), rng.uniform(0.0, 9.0, (6, 3))
    for step in range(12):
        np.testing.assert_array_equal(lookup(speeds, sites, onsets), library.arrivals(speeds, sites, onsets))
        before = sites.copy()
        sites[:, step % 3] = rng.integers(len(nodes), size=6)
        np.testing.assert_array_equal(lookup(speeds, sites, onsets), library.arrivals(speeds, sites, onsets))
        sites = np.where(rng.random((6, 1)) < 0.5, before, sites)
        if step % 4 == 3:
            speeds, sites = speeds[::-1] * 1.01, sites[::-1].copy()


def test_border_zone_slows_the_neighbourhood_of_a_site_too(heart, library):
    """A heart that is border zone all over is late everywhere by the one factor."""
    slow = replace(heart, tissue_class=np.full(len(heart.mesh.tets), BORDER_ZONE, np.uint8))
    settings = TissueSettings()
    slowed = site_library(slow, {0.5: prepare(slow, settings)}, RANGES, count=60)
    speeds, sites, none = np.array([[0.6, 0.3, 0.0]]), np.array([[17]]), np.zeros((1, 1))
    late = library.arrivals(speeds, sites, none) / settings.border_zone_velocity_fraction
    np.testing.assert_allclose(slowed.arrivals(speeds, sites, none), late, rtol=1e-4, atol=1e-3)


@pytest.fixture(scope="module")
def scarred(heart):
    """Border zone in a fifth of the wall, all of its depth."""
    there = heart.mesh.centroids[:, 0] > 0.6 * heart.mesh.points[:, 0].max()
    return replace(heart, tissue_class=np.where(there, BORDER_ZONE, HEALTHY).astype(np.uint8))


def meshes(heart, *fractions):
    return {one: prepare(heart, TissueSettings(border_zone_velocity_fraction=one)) for one in fractions}


def test_what_another_border_zone_changes_is_looked_up_as_nearly_as_it_would_be_solved(scarred):
    """By how much arrival is later or earlier, where that is more than a ms: to 0.4 of it, in the mean."""
    fractions = (0.5, 0.35, 1.0)
    hearts = meshes(scarred, *fractions)
    known = site_library(scarred, hearts, RANGES, count=60)
    rng = np.random.default_rng(4)
    speeds = np.column_stack([rng.uniform(0.5, 0.8, 24), rng.uniform(0.2, 0.4, 24), np.zeros(24)])
    sites, onsets = rng.integers(len(known.nodes), size=(24, 3)), rng.uniform(0.0, 10.0, (24, 3))

    def solved(fraction):
        return solve(hearts[fraction], [Velocities(f, c) for f, c, _ in speeds], known.nodes[sites], onsets)

    for number, fraction in enumerate(fractions[1:], start=1):
        change = solved(fraction) - solved(0.5)
        found = known.arrivals(speeds, sites, onsets, np.full(24, number)) - known.arrivals(speeds, sites, onsets)
        there = np.abs(change) > 1.0
        assert there.mean() > 0.05
        error = np.abs(found - change)[there].mean() / np.abs(change[there]).mean()
        assert error < 0.45, f"fraction {fraction}: {error:.2f} of the change"
        assert np.sign(found[there].mean()) == np.sign(0.5 - fraction)


def test_what_is_kept_of_one_border_zone_is_not_taken_for_another(scarred):
    known = site_library(scarred, meshes(scarred, 0.5, 0.35, 1.0), RANGES, count=16)
    lookup, speeds = Lookup(known), np.array([[0.6, 0.3, 0.0]])
    sites, onsets = np.array([[3, 90]]), np.array([[0.0, 5.0]])
    for number in (0, 1, 0, 2, 1, 2):
        which = np.array([number])
        np.testing.assert_array_equal(
            lookup(speeds, sites, onsets, which), known.arrivals(speeds, sites, onsets, which)
        )


def test_around_a_site_in_the_border_zone_the_straight_way_is_as_slow_as_that(scarred):
    """Where all is border zone around a site, half the velocity is twice the time."""
    known = site_library(scarred, meshes(scarred, 0.5, 0.25), RANGES, count=60)
    around = known.surroundings
    reach = np.diff(around.at)
    site = int(np.argmax(np.where(around.slowed, reach, 0)))
    assert reach[site] > 5
    near = around.of[around.at[site] : around.at[site + 1]]
    speeds, none = np.array([[0.6, 0.3, 0.0]]), np.zeros((1, 1))
    slow, slower = (known.arrivals(speeds, np.array([[site]]), none, np.array([k]))[0, near] for k in (0, 1))
    np.testing.assert_allclose(slower, 2.0 * slow, rtol=0.15, atol=0.5)


def test_with_the_first_fraction_nothing_changes_to_the_last_bit(scarred):
    alone, asked = (site_library(scarred, meshes(scarred, *one), RANGES, count=16) for one in ((0.5,), (0.5, 0.7)))
    speeds, sites, onsets = np.array([[0.6, 0.3, 0.0]]), np.array([[3, 90]]), np.array([[0.0, 5.0]])
    expected = alone.arrivals(speeds, sites, onsets)
    np.testing.assert_array_equal(asked.arrivals(speeds, sites, onsets), expected)
    assert (asked.arrivals(speeds, sites, onsets, np.array([1])) < expected - 1.0).any()
