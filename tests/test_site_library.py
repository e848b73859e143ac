"""Looking an activation map up instead of solving for it: how close, and what holds exactly."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart
from ellipsoid_heart import ellipsoid_heart

from cardiotwin.eikonal import prepare, solve
from cardiotwin.heart import BORDER_ZONE
from cardiotwin.settings import TissueSettings
from cardiotwin.site_library import Lookup, site_library
from cardiotwin.tissue import Velocities

RANGES = ((0.4, 0.9), (0.2, 0.5), (0.0, 0.0))


@pytest.fixture(scope="module")
def heart():
    return ellipsoid_heart(2.6, size=0.6)


@pytest.fixture(scope="module")
def library(heart):
    return site_library(heart, prepare(heart, TissueSettings()), RANGES, count=60)


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
    sparse = site_library(block, prepare(block, TissueSettings()), RANGES, count=16)
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
    slowed = site_library(slow, prepare(slow, settings), RANGES, count=60)
    speeds, sites, none = np.array([[0.6, 0.3, 0.0]]), np.array([[17]]), np.zeros((1, 1))
    late = library.arrivals(speeds, sites, none) / settings.border_zone_velocity_fraction
    np.testing.assert_allclose(slowed.arrivals(speeds, sites, none), late, rtol=1e-4, atol=1e-3)
