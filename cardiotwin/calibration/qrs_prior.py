"""What is known before the ECG, and how the sampler proposes to change a particle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cardiotwin.calibration.sequential_monte_carlo import Proposal, Propose


@dataclass(frozen=True, eq=False)
class QrsPrior:
    """Uniform over velocities (cross not above fibre), endocardial nodes and times; also how moves are proposed.

    But for the fibre velocity, of which an ECG says little (Camps 2021, doi 10.1016/j.media.2021.102143): that has the
    mean and standard deviation in `fibre`, mm/ms. A particle is one row: fibre, cross and endocardial velocity, the
    sites, then their times, which of `n_fractions` the border zone conducts at, last which of `n_placements` of the
    electrodes.
    """

    low: np.ndarray
    high: np.ndarray
    near: tuple[np.ndarray, ...]
    far: tuple[np.ndarray, ...]
    n_sites: int
    fibre: tuple[float, float]
    n_placements: int = 1
    n_fractions: int = 1

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, 5 + 2 n_sites) particles."""
        speeds = velocities_drawn(np.column_stack([self.low, self.high])[:3], self.fibre, count, rng)
        sites = rng.integers(len(self.near), size=(count, self.n_sites))
        times = rng.uniform(self.low[3], self.high[3], (count, self.n_sites))
        others = [rng.integers(n, size=count) for n in (self.n_fractions, self.n_placements)]
        return np.column_stack([speeds, sites, times, *others])

    def sites(self, particles: np.ndarray) -> np.ndarray:
        """(n, n_sites) int64 rows of the library."""
        return particles[:, 3 : 3 + self.n_sites].astype(np.int64)

    def times(self, particles: np.ndarray) -> np.ndarray:
        """(n, n_sites) ms."""
        return particles[:, 3 + self.n_sites : 3 + 2 * self.n_sites]

    def fraction(self, particles: np.ndarray) -> np.ndarray:
        """(n,) int64."""
        return particles[:, -2].astype(np.int64)

    def placement(self, particles: np.ndarray) -> np.ndarray:
        """(n,) int64."""
        return particles[:, -1].astype(np.int64)

    def moves(self) -> list[Propose]:
        """One sweep: velocities twice, for each site steps, a delay and both; one site anywhere; then other electrodes
        and another border zone, where there is a choice.
        """
        each = [self._step_far, self._delay_site, self._step_near, self._step_and_delay] * self.n_sites
        choices = [self._place_electrodes] if self.n_placements > 1 else []
        choices += [self._change_border_zone] if self.n_fractions > 1 else []
        return [self._change_velocities, *each, self._change_velocities, self._relocate_site, *choices]

    def _change_velocities(self, particles: np.ndarray, scale: float, rng: np.random.Generator) -> Proposal:
        tried = particles.copy()
        spread = particles[:, :3].std(axis=0) + 0.02 * (self.high[:3] - self.low[:3])
        # One at a time as often as all together: they are correlated in a way that changes as the ensemble narrows.
        alone = np.eye(3)[rng.integers(3, size=len(particles))]
        which = np.where(rng.random((len(particles), 1)) < 0.5, alone, 1.0)
        steps = scale * spread * which * rng.standard_normal((len(particles), 3))
        tried[:, :3] = _reflected(particles[:, :3] + steps, self.low[:3], self.high[:3])
        rise = _log_normal_density(tried[:, 0], self.fibre) - _log_normal_density(particles[:, 0], self.fibre)
        return tried, np.where(tried[:, 1] <= tried[:, 0], rise, -np.inf)

    def _step_near(self, particles: np.ndarray, scale: float, rng: np.random.Generator) -> Proposal:
        return self._step(particles, self.near, rng)

    def _step_far(self, particles: np.ndarray, scale: float, rng: np.random.Generator) -> Proposal:
        return self._step(particles, self.far, rng)

    def _step(self, particles: np.ndarray, neighbours: tuple[np.ndarray, ...], rng: np.random.Generator) -> Proposal:
        """One site to a neighbour; nodes with many neighbours are reached more often, and pay for it."""
        tried = particles.copy()
        member, column = np.arange(len(particles)), 3 + rng.integers(self.n_sites, size=len(particles))
        here = particles[member, column].astype(np.int64)
        degree = np.array([len(around) for around in neighbours])
        pick = (rng.random(len(particles)) * degree[here]).astype(np.int64)
        there = np.array([neighbours[h][p] for h, p in zip(here, pick, strict=True)])
        tried[member, column] = there
        return tried, np.log(degree[here] / degree[there])

    def _delay_site(self, particles: np.ndarray, scale: float, rng: np.random.Generator) -> Proposal:
        tried = particles.copy()
        member = np.arange(len(particles))
        column = 3 + self.n_sites + rng.integers(self.n_sites, size=len(particles))
        step = 0.3 * scale * (self.high[3] - self.low[3]) * rng.standard_normal(len(particles))
        tried[member, column] = _reflected(particles[member, column] + step, self.low[3], self.high[3])
        return tried, np.zeros(len(particles))

    def _step_and_delay(self, particles: np.ndarray, scale: float, rng: np.random.Generator) -> Proposal:
        stepped, log_ratio = self._step_near(particles, scale, rng)
        return self._delay_site(stepped, scale, rng)[0], log_ratio

    def _relocate_site(self, particles: np.ndarray, scale: float, rng: np.random.Generator) -> Proposal:
        """One site anywhere, at any time: a draw from the prior."""
        tried = particles.copy()
        member, site = np.arange(len(particles)), rng.integers(self.n_sites, size=len(particles))
        tried[member, 3 + site] = rng.integers(len(self.near), size=len(particles))
        tried[member, 3 + self.n_sites + site] = rng.uniform(self.low[3], self.high[3], len(particles))
        return tried, np.zeros(len(particles))

    def _change_border_zone(self, particles: np.ndarray, scale: float, rng: np.random.Generator) -> Proposal:
        """Any fraction: a draw from the prior."""
        tried = particles.copy()
        tried[:, -2] = rng.integers(self.n_fractions, size=len(particles))
        return tried, np.zeros(len(particles))

    def _place_electrodes(self, particles: np.ndarray, scale: float, rng: np.random.Generator) -> Proposal:
        """Any placement: a draw from the prior, with the activation as it is."""
        tried = particles.copy()
        tried[:, -1] = rng.integers(self.n_placements, size=len(particles))
        return tried, np.zeros(len(particles))


def _reflected(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Folded back into the bounds."""
    width = np.where(high > low, high - low, 1.0)
    folded = np.mod(values - low, 2.0 * width)
    return np.where(high > low, low + np.minimum(folded, 2.0 * width - folded), low)


def _log_normal_density(values: np.ndarray, mean_and_sd: tuple[float, float]) -> np.ndarray:
    """But for a constant."""
    mean, sd = mean_and_sd
    return np.asarray(-0.5 * ((values - mean) / sd) ** 2)


def velocities_drawn(ranges: ArrayLike, fibre: tuple[float, float], count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 3) fibre, cross and endocardial velocities of the prior, mm/ms; `ranges` (3, 2) lowest and highest."""
    low, high = np.asarray(ranges).T
    speeds = np.empty((0, 3))
    while len(speeds) < count:
        tried = rng.uniform(low, high, (4 * count, 3))
        likely = np.log(rng.random(len(tried))) < _log_normal_density(tried[:, 0], fibre)
        speeds = np.concatenate([speeds, tried[likely & (tried[:, 1] <= tried[:, 0])]])
    return speeds[:count]
