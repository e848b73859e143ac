"""Tempered sequential Monte Carlo: from one distribution to another in steps that a population can follow.

Reweight, resample, move (Del Moral, Doucet & Jasra 2006, doi 10.1111/j.1467-9868.2006.00553.x). The exponent of each
step is chosen so that the effective sample size falls to a wanted fraction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from cardiotwin.errors import QualityGate
from cardiotwin.progress import Progress, silent

_MAX_STEPS = 200
_WANTED_ACCEPTANCE = 0.25

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(n, d) particles to the log likelihoods (n,) to start from and (n,) to arrive at."""
Proposal = tuple[np.ndarray, np.ndarray]
"""(n, d) particles proposed, and the (n,) log of the ratio of prior and proposal densities (-inf: outside)."""
Propose = Callable[[np.ndarray, float, np.random.Generator], Proposal]
"""(n, d) particles and a scale, to a proposal."""


@dataclass(frozen=True, eq=False)
class Run:
    """Where the population ended, and how it got there.

    Attributes
    ----------
    particles : (n, d) float64
        Equally weighted.
    exponents : (n_steps,) float64
        The last is 1.
    acceptance : float
        Of the last sweep.
    effective : float
        Effective sample size of the last reweighting, as a number of particles.
    ancestors : int
        Members of the first population with descendants in the last.
    log_evidence : float
        Logarithm of the mean over the start of exp(log_to - log_from): of the data under the prior, where the start is.
    """

    particles: np.ndarray
    exponents: np.ndarray
    acceptance: float
    effective: float
    ancestors: int
    log_evidence: float


def together(runs: Sequence[Run]) -> Run:
    """Populations of one target as one, each with the same weight; exponents are the longest run's."""
    return Run(
        np.concatenate([run.particles for run in runs]),
        max((run.exponents for run in runs), key=len),
        float(np.mean([run.acceptance for run in runs])),
        float(np.sum([run.effective for run in runs])),
        int(np.sum([run.ancestors for run in runs])),
        float(logsumexp([run.log_evidence for run in runs]) - np.log(len(runs))),
    )


def apart(populations: Sequence[np.ndarray]) -> float:
    """How far the means of populations lie apart, in standard deviations within them.

    0.3 where each is worth twenty independent draws of one distribution; infinite where they collapsed onto different
    points. The idea of several chains from different starts (Gelman & Rubin 1992, doi 10.1214/ss/1177011136).

    Parameters
    ----------
    populations : sequence of (n,) or (n, d) float
        With d, the standard deviation is that of the distance.
    """
    rows = [np.reshape(one, (len(one), -1)) for one in populations]
    means = np.array([one.mean(axis=0) for one in rows])
    within = np.sqrt(np.mean([one.var(axis=0).sum() for one in rows]))
    between = max(float(np.linalg.norm(a - b)) for a in means for b in means)
    return between / float(within) if within > 0.0 else (np.inf if between > 0.0 else 0.0)


def temper(
    particles: np.ndarray,
    weights: np.ndarray,
    evaluate: Evaluate,
    moves: Sequence[Propose],
    *,
    size: int,
    n_sweeps: int,
    rng: np.random.Generator,
    kept_fraction: float = 0.5,
    progress: Progress = silent,
) -> Run:
    """Carry a weighted population from exp(log_from) to exp(log_to), both relative to the prior.

    Parameters
    ----------
    particles : (n, d) float
        Distributed, with their weights, as the start; n may exceed `size`.
    weights : (n,) float
        Sum to one.
    evaluate : callable
    moves : sequence of callables
        One sweep tries each once, in this order; each keeps its own scale, adapted to accept one in four.
    size : int
        Population from the first resampling on.
    n_sweeps : int
        After each step; three times as many after the last.
    rng : numpy.random.Generator
        All randomness: the same generator gives the same result.
    kept_fraction : float
        Effective sample size after each reweighting, of that before.

    Raises
    ------
    QualityGate
        A likelihood that is not a number, or data so sharp that 200 steps do not reach them.
    """
    progress(0.0, "first guesses")
    log_from, log_to = evaluate(particles)
    if np.isnan(log_from).any() or np.isnan(log_to).any():
        raise QualityGate("sampling: a likelihood is not a number; look for leads or velocities that are none")
    lineage = np.arange(len(particles))
    exponents, scales, acceptance, effective = [0.0], np.ones(len(moves)), np.zeros(len(moves)), 0.0
    log_evidence = 0.0
    while exponents[-1] < 1.0 and len(exponents) <= _MAX_STEPS:
        gain = log_to - log_from
        step = _next_step(weights, gain, 1.0 - exponents[-1], kept_fraction)
        exponents.append(exponents[-1] + step if step < 1.0 - exponents[-1] else 1.0)
        log_evidence += float(logsumexp(step * gain, b=weights))
        weights = _reweighted(weights, step * gain)
        effective = effective_size(weights) / len(weights) * size
        chosen = _systematic(weights, size, rng)
        particles, log_from, log_to, lineage = (x[chosen] for x in (particles, log_from, log_to, lineage))
        weights = np.full(size, 1.0 / size)
        n_tries = len(moves) * (n_sweeps if exponents[-1] < 1.0 else 3 * n_sweeps)
        for t in range(n_tries):
            k = t % len(moves)
            progress(_share_done(exponents, t / n_tries), f"weight of the data {exponents[-1]:.2g}")
            tried, log_ratio = moves[k](particles, scales[k], rng)
            tried_from, tried_to = evaluate(tried)
            rise = (1.0 - exponents[-1]) * (tried_from - log_from) + exponents[-1] * (tried_to - log_to)
            accepted = np.log(rng.random(size)) < rise + log_ratio
            particles = np.where(accepted[:, None], tried, particles)
            log_from, log_to = np.where(accepted, tried_from, log_from), np.where(accepted, tried_to, log_to)
            acceptance[k] = accepted.mean()
            scales[k] = np.clip(scales[k] * np.exp(acceptance[k] - _WANTED_ACCEPTANCE), 0.02, 2.0)
    if exponents[-1] < 1.0:
        raise QualityGate(f"sampling: {_MAX_STEPS} steps gave the data a weight of {exponents[-1]:.2g}, not of 1")
    progress(1.0, "fitted")
    ancestors = len(np.unique(lineage))
    return Run(particles, np.array(exponents[1:]), float(acceptance.mean()), effective, ancestors, log_evidence)


def _share_done(exponents: Sequence[float], tried: float) -> float:
    """About what share of all moves is done, with a share `tried` of the last exponent's.

    Exponents grow by much the same factor in every step, taken for 4 as long as there is one; the moves after the last
    step count three times.
    """
    before, last = len(exponents) - 2, exponents[-1]
    if last >= 1.0:
        return (before + 3.0 * tried) / (before + 3.0)
    growth = (last / exponents[1]) ** (1.0 / before) if before else 4.0
    to_come = max(np.log(1.0 / last) / np.log(growth), 1.0) + 2.0
    return float((before + tried) / (before + 1.0 + to_come))


def effective_size(weights: np.ndarray) -> float:
    """1 / Σ w²: how many equally weighted particles are worth as much."""
    return float(1.0 / np.sum(weights**2))


def _reweighted(weights: np.ndarray, log_factor: np.ndarray) -> np.ndarray:
    weights = weights * np.exp(log_factor - log_factor.max())
    return weights / weights.sum()


def _next_step(weights: np.ndarray, gain: np.ndarray, largest: float, kept_fraction: float) -> float:
    """The step, by bisection, after which the effective size is the wanted fraction of what it was."""
    wanted = kept_fraction * effective_size(weights)
    if effective_size(_reweighted(weights, largest * gain)) >= wanted:
        return largest
    low, high = 0.0, largest
    for _ in range(60):
        middle = 0.5 * (low + high)
        enough = effective_size(_reweighted(weights, middle * gain)) >= wanted
        low, high = (middle, high) if enough else (low, middle)
    return low


def _systematic(weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """(size,) members drawn by systematic resampling."""
    return np.searchsorted(np.cumsum(weights)[:-1], (rng.random() + np.arange(size)) / size)
