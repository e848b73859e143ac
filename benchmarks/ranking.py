"""Plans ranked on draws of a made-up population of twins: how often is a stated probability of being best right?

In a case every twin has some of a few circuits, each of them induced from some of the sites. A plan interrupts each
circuit in a share of the twins, and in a few makes a new one; where it interrupts one, another may be induced from the
same site. A twin's sites share all of that, so they agree more than draws do. All shares are drawn anew for each case.

What is best has two meanings. Of the population: were all admissible twins tested, this plan would leave the least
inducible; this is the choice that a physician who cannot know the twin can make, and what the probability states,
which grows sure as draws are added. Of the patient: this plan leaves the least in the one twin that he is, one more
draw of the population; no number of draws settles that. Rows are given for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.stats import beta
from table import Row, row

from cardiotwin.ablation.lesions import NO_ABLATION, Plan
from cardiotwin.comparison.ranking import ranked
from cardiotwin.comparison.results import Outcome, PlanResult
from cardiotwin.settings import CompareSettings

DRAWS, SITES = (5, 10, 20), (2, 4, 8)
N_POPULATION = 4000
LOW, HIGH = 0.8, 0.9
PREFERRED = CompareSettings().preference_probability
ADDED = 5, 20
"""Draws at first and at most, where they are added until a plan is preferred."""


@dataclass(frozen=True, eq=False)
class Population:
    """The shares of a case; the first plan is no ablation, which interrupts nothing.

    Attributes
    ----------
    carries : (n_circuits,) float64
        Share of the twins that have a circuit.
    induced : (n_circuits, n_sites) float64
        Share of those in which a site induces it.
    interrupts : (n_plans, n_circuits) float64
        Share of the twins in which a plan interrupts it.
    creates : (n_plans,) float64
        Share of the twins in which a plan makes a new circuit, induced from half of the sites.
    volumes_ml : (n_plans,) float64
    """

    carries: np.ndarray
    induced: np.ndarray
    interrupts: np.ndarray
    creates: np.ndarray
    volumes_ml: np.ndarray


class Twins(NamedTuple):
    """Residual inducibility as a share of the sites, and whether a new circuit is among it; (n_plans, n_twins)."""

    inducible: np.ndarray
    new: np.ndarray


def population(rng: np.random.Generator, n_sites: int) -> Population:
    """One to four circuits and two to four plans, some of which interrupt all that they reach, or nothing at all."""
    n_circuits, n_plans = int(rng.integers(1, 5)), int(rng.integers(3, 6))
    aimed = rng.random((n_plans, n_circuits)) < 0.7
    interrupts = np.where(aimed, rng.beta(2.0, 0.7, aimed.shape), 0.0)
    interrupts[rng.random(n_plans) < 0.3] *= rng.random()  # a plan of less effect
    creates = np.where(rng.random(n_plans) < 0.3, 0.3 * rng.random(n_plans), 0.0)
    interrupts[0], creates[0] = 0.0, 0.0
    volumes = np.concatenate([[0.0], rng.uniform(0.5, 5.0, n_plans - 1)])
    carries, induced = rng.beta(1.5, 1.0, n_circuits), rng.beta(1.0, 1.0, (n_circuits, n_sites))
    return Population(carries, induced, interrupts, creates, volumes)


def twins(rng: np.random.Generator, of: Population, count: int) -> Twins:
    """So many draws; interrupted or not holds for all sites of a twin."""
    n_plans, n_circuits = of.interrupts.shape
    n_sites = of.induced.shape[1]
    there = (rng.random((count, n_circuits)) < of.carries)[..., None]
    there = there & (rng.random((count, n_circuits, n_sites)) < of.induced)
    left = rng.random((n_plans, count, n_circuits)) >= of.interrupts[:, None, :]
    old = (there & left[..., None]).any(axis=2)
    made = (rng.random((n_plans, count)) < of.creates[:, None])[..., None] & (rng.random((count, n_sites)) < 0.5)
    return Twins((old | made).mean(axis=2), np.any(made & ~old, axis=2))


def compared(of: Population, draws: Twins) -> list[PlanResult]:
    """What `cardiotwin.comparison.ranking` says of each plan."""
    names = [f"plan {k}" for k in range(len(of.volumes_ml))]
    n_sites = of.induced.shape[1]
    outcomes = [
        Outcome(
            NO_ABLATION if k == 0 else Plan(name, (), "", control=False),
            draws.inducible[k][:, None],
            [{k} if one else set() for one in draws.new[k]],
            round(float(draws.inducible[k].sum()) * n_sites),
            draws.inducible.shape[1] * n_sites,
            (0.9 * of.volumes_ml[k], of.volumes_ml[k], 1.1 * of.volumes_ml[k]),
        )
        for k, name in enumerate(names)
    ]
    found = {one.name: one for one in ranked(outcomes, CompareSettings()).plans}
    return [found[one.plan.name] for one in outcomes]


def stated(of: Population, draws: Twins) -> np.ndarray:
    """(n_plans,) the probability of being best that `cardiotwin.comparison.ranking` states."""
    return np.array([one.probability_best for one in compared(of, draws)])


def best(share: np.ndarray, new: np.ndarray, volumes_ml: np.ndarray) -> np.ndarray:
    """(n_plans,) the best by inducibility, then new circuits, then volume where it differs; shared where all is equal.

    Written anew, not as in the package.
    """
    left = [k for k in range(len(share)) if share[k] <= share.min() + 1e-9]
    left = [k for k in left if new[k] == min(new[j] for j in left)]
    left = [k for k in left if not any(1.1 * volumes_ml[j] < 0.9 * volumes_ml[k] for j in left)]
    return np.isin(np.arange(len(share)), left) / len(left)


def statements(rng: np.random.Generator, n_draws: int, n_sites: int, most_draws: int = 0) -> np.ndarray:
    """(n_plans, 4) of one case: stated probability, whether best of all, of the patient, alike with another plan.

    With `most_draws`, draws are added `n_draws` at a time until a plan is preferred or there are so many.
    """
    of = population(rng, n_sites)
    everyone, patient, draws = twins(rng, of, N_POPULATION), twins(rng, of, 1), twins(rng, of, n_draws)
    while draws.new.shape[1] < most_draws and stated(of, draws)[1:].max() < PREFERRED:
        more = twins(rng, of, n_draws)
        draws = Twins(*(np.concatenate(pair, axis=1) for pair in zip(draws, more, strict=True)))
    right = best(everyone.inducible.mean(axis=1), np.any(everyone.new, axis=1), of.volumes_ml)
    his = best(patient.inducible[:, 0], patient.new[:, 0], of.volumes_ml)
    alike = (np.abs(draws.inducible[:, None] - draws.inducible).max(axis=2) < 1e-9).sum(axis=1) > 1
    return np.column_stack([stated(of, draws), right, his, alike])


def ranking_rows(count: int) -> Iterable[Row]:
    """So many cases for each number of draws and sites."""
    found = {
        (n_draws, n_sites): np.concatenate(
            [statements(np.random.default_rng([n_draws, n_sites, case]), n_draws, n_sites) for case in range(count)]
        )
        for n_draws in DRAWS
        for n_sites in SITES
    }
    every = np.concatenate(list(found.values()))
    added = np.concatenate(
        [
            statements(np.random.default_rng([99, n, case]), ADDED[0], n, ADDED[1])
            for n in SITES
            for case in range(count)
        ]
    )
    yield told("all draws and sites", every, count * len(found), asked=True)
    for n_draws in DRAWS:
        some = np.concatenate([table for (draws, _), table in found.items() if draws == n_draws])
        yield told(f"{n_draws} draws", some, count * len(SITES), asked=True)
    for n_sites in SITES:
        some = np.concatenate([table for (_, sites), table in found.items() if sites == n_sites])
        yield told(f"{n_sites} sites", some, count * len(DRAWS), asked=True)
    yield told(f"draws added from {ADDED[0]} until preferred or {ADDED[1]}", added, count * len(SITES), asked=True)
    rule = every[:, 3] > 0
    yield told("of plans like no other in the draws", every[~rule], count * len(found), asked=False)
    yield told("of those decided by volume", every[rule], count * len(found), asked=False)
    yield told("best in the patient's own twin", every[:, [0, 2]], count * len(found), asked=False)
    yield from interval_rows(count)


def interval_rows(count: int) -> Iterable[Row]:
    """How often the 90 % interval of what a plan leaves inducible holds what it leaves in all admissible twins."""
    for n_draws in DRAWS:
        for n_sites in (SITES[0], SITES[-1]):
            inside: list[bool] = []
            for case in range(count // 3):
                rng = np.random.default_rng([n_draws, n_sites, case, 7])
                of = population(rng, n_sites)
                true = twins(rng, of, N_POPULATION).inducible.mean(axis=1)
                ends = [one.inducibility_interval for one in compared(of, twins(rng, of, n_draws))]
                inside += [low <= share <= high for (low, high), share in zip(ends, true, strict=True)]
            share, note = float(np.mean(inside)), f"{len(inside)} plans"
            name = f"ranking: truth in the 90 % interval, {n_draws} draws, {n_sites} sites"
            yield row(name, share, "1", 0.85, share >= 0.85, note)


def told(name: str, table: np.ndarray, cases: int, *, asked: bool) -> Row:
    """The share that is right of what is stated at 0.8 to 0.9, and in the note the whole diagram."""
    inside = (table[:, 0] >= LOW) & (table[:, 0] <= HIGH)
    n, right = int(inside.sum()), float(table[inside, 1].sum())
    low, high = beta.ppf([0.025, 0.975], right + 0.5, n - right + 0.5)
    share = right / n if n else np.nan
    note = f"{right:.0f} of {n} ({low:.2f} to {high:.2f}), {cases} cases; " + "; ".join(diagram(table))
    bar, ok = (0.75, 0.75 <= share <= 0.95) if asked else (None, None)
    return row(f"ranking: stated 0.8 to 0.9, right ({name})", share, "1", bar, ok, note)


def diagram(table: np.ndarray) -> Iterator[str]:
    """Mean of what is stated, the share that is right and how many, by fifths and finely at the upper end."""
    edges = [0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 1.0 + 1e-9]
    for low, high in pairwise(edges):
        inside = (table[:, 0] >= low) & (table[:, 0] < high)
        if inside.any():
            yield f"{table[inside, 0].mean():.2f}: {table[inside, 1].mean():.2f} ({inside.sum()})"
