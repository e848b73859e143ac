"""How sure it is which plan is best.

Draws are the unit of uncertainty: the sites of one draw share its velocities. Best is what would leave the least
inducible were all admissible twins tested, then the fewest new circuits, then the smallest ablated volume where the
intervals do not overlap: the choice to make while nobody knows which twin the patient is. How far this one patient
agrees with the others is `better_than_none`, and no number of draws makes it sure.

The probability of being best has two factors. One is the share of the posterior weights of the draws under which a plan
is best: the Bayesian bootstrap (Rubin 1981, doi 10.1214/aos/1176345338) with one made-up draw among the others, the
prior of a Dirichlet process (Ferguson 1973, doi 10.1214/aos/1176342360). It is one of the draws in which plans differ,
with the plans that are meant to be done in random places, so it favours none of them. Without it a lead in one draw,
never contradicted, was as sure as a lead in all: stated at 0.96 it was right in three of four made-up populations
(`benchmarks/ranking.py`). With it, two plans that differ alike in k draws and the other way in l are told apart exactly
by the sign test with a uniform prior, P(theta > 1/2) after k successes and l failures; k draws out of k give 1 -
2^-(k+1). Plans that leave the same in every draw stay equal in all of it, so that volume decides between them, which is
a rule and no finding; those equal in volume too share evenly, so that the probabilities add up to one, as all do where
nothing was inducible or no plan changed anything in any draw. The other factor is the probability that a plan beats no
ablation at all, by that sign test: one draw in which it leaves less is not much, however many of its sites agree. When
only what was inducible is tested again a plan cannot come out worse than no ablation, so chance alone would favour it:
then there is no preference. Draws of one member of the posterior are one: of n draws with k different members each
counts for k/n. The interval of the residual inducibility is Jeffreys' for a share, so that 0 of 12 is not taken for
never; sites and profiles of one draw do not count as further draws (as if they did, it held the truth in 0.56 to 0.87).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import beta

from cardiotwin.ablation.lesions import NO_ABLATION
from cardiotwin.comparison.results import NO_PREFERENCE, Comparison, Outcome, PlanResult
from cardiotwin.settings import CompareSettings

BOOTSTRAPS = 4000
INTERVAL = 0.9


def ranked(
    outcomes: list[Outcome], settings: CompareSettings, *, independent: int = 0, screened: bool = False
) -> Comparison:
    """Weigh the draws again and again, find the best plan each time, and call what cannot be told apart by its name.

    Parameters
    ----------
    outcomes : list of Outcome
        On the same draws; the first is no ablation.
    settings : CompareSettings
    independent : int
        Different members of the posterior among the draws, which count for so many; 0: all of them.
    screened : bool
        What a screen passed over was not paced.
    """
    random = np.random.default_rng(0)
    n_draws = outcomes[0].inducible.size
    each = (independent or n_draws) / n_draws
    weights = random.dirichlet(np.full(n_draws, each), BOOTSTRAPS)
    meant = np.array([not one.plan.control for one in outcomes])
    share = _residual(np.stack([one.inducible for one in outcomes]), meant, weights, each, random)
    fresh = np.stack([_new_circuits(one, weights) for one in outcomes], axis=1)
    wins = _wins(share, fresh, outcomes)
    probability = _against_none(wins.mean(axis=0), outcomes, each)
    if _nothing_shown(outcomes):  # the smallest volume would be a rule, and taken for a finding
        probability[:] = 1.0 / len(outcomes)
    score = [(one.inducible.mean(), len(set().union(*one.new)), one.volume[1]) for one in outcomes]
    order = sorted(range(len(outcomes)), key=lambda k: score[k])
    results, rank, first = [], 1, order[0]
    for position, k in enumerate(order):
        both = [first, k]
        if position and _told_apart(share[:, both], _wins(share[:, both], fresh[:, both], [outcomes[i] for i in both])):
            rank, first = position + 1, k
        results.append(_result(outcomes[k], outcomes[0], rank, float(probability[k]), each))
    return _verdict(tuple(results), outcomes, settings, screened)


def _nothing_shown(outcomes: list[Outcome]) -> bool:
    """Whether nothing was inducible, or every plan that is meant to be done left every twin as it was, and no control
    did better.
    """
    none, meant = outcomes[0], [one for one in outcomes if not one.plan.control]
    idle = bool(meant) and all(np.array_equal(one.by_twin, none.by_twin) and not any(one.new) for one in meant)
    helped = any(_better_and_worse(one, none)[0] for one in outcomes)
    return not none.inducible.any() or (idle and not helped)


def _residual(
    inducible: np.ndarray, meant: np.ndarray, weights: np.ndarray, each: float, random: np.random.Generator
) -> np.ndarray:
    """(n_bootstraps, n_plans) residual inducibility under each weighing of the draws and one made-up draw.

    The made-up draw is one in which plans differ, with the plans that are `meant` to be done in random places; what is
    compared against keeps its own, and plans that are alike in every draw keep together.
    """
    n_bootstraps, n_draws = weights.shape
    made_up_of = np.arange(n_draws)
    made_up = np.empty((n_bootstraps, len(inducible)))
    if meant.any():
        alike, which = np.unique(np.round(inducible[meant], 9), axis=0, return_inverse=True)
        made_up_of = np.flatnonzero(np.ptp(alike, axis=0) > 0) if len(alike) > 1 else made_up_of
    drawn = random.choice(made_up_of, n_bootstraps)
    made_up[:, ~meant] = inducible[~meant][:, drawn].T
    if meant.any():
        places = np.argsort(random.random((n_bootstraps, len(alike))), axis=1)[:, which.ravel()]
        made_up[:, meant] = alike[places, drawn[:, None]]
    weight = random.beta(1.0, each * n_draws, (n_bootstraps, 1))
    return np.asarray((1.0 - weight) * (weights @ inducible.T) + weight * made_up)


def _wins(share: np.ndarray, fresh: np.ndarray, outcomes: list[Outcome]) -> np.ndarray:
    """(n_bootstraps, n_plans): 1 for the best plan of each bootstrap, shared where nothing decides."""
    best = share <= share.min(axis=1, keepdims=True) + 1e-9
    fewest = np.where(best, fresh, np.inf)
    best &= fewest <= fewest.min(axis=1, keepdims=True) + 1e-9
    high = np.array([one.volume[2] for one in outcomes])
    low = np.array([one.volume[0] for one in outcomes])
    # A volume decides only where the intervals do not overlap.
    beaten = best @ (high[:, None] < low[None, :])
    best &= ~beaten.astype(bool)
    return best / best.sum(axis=1, keepdims=True)


def _against_none(share: np.ndarray, outcomes: list[Outcome], each: float) -> np.ndarray:
    """Each plan's share of the bootstraps, less what belongs to no ablation as the plan may not beat it."""
    draws = [_better_and_worse(one, outcomes[0]) for one in outcomes]
    beats = np.array([beta.sf(0.5, each * better + 1, each * worse + 1) for better, worse in draws])
    beats[0] = 1.0
    probability = share * beats
    probability[0] += 1.0 - probability.sum()
    return probability


def _better_and_worse(one: Outcome, none: Outcome) -> tuple[int, int]:
    """Draws in which a plan leaves less inducible than no ablation, and in which it leaves more."""
    change = one.inducible - none.inducible
    return int(np.sum(change < -1e-9)), int(np.sum(change > 1e-9))


def _new_circuits(outcome: Outcome, weights: np.ndarray) -> np.ndarray:
    """Number of new circuits in the draws that a bootstrap does not leave out (weight above a tenth of its share)."""
    kept = weights > 0.1 / weights.shape[1]
    circuits = set().union(*outcome.new)
    carriers = [np.array([circuit in draw for draw in outcome.new]) for circuit in circuits]
    return sum(((kept @ carrier) for carrier in carriers), np.zeros(len(weights), int)).astype(float)


def _told_apart(share: np.ndarray, wins: np.ndarray) -> bool:
    """Whether the first of two plans leaves less in 90 % of the bootstraps, or is the better one in some way."""
    less, better = share[:, 0] < share[:, 1] - 1e-9, wins[:, 0] > wins[:, 1]
    return bool(max(less.mean(), better.mean()) >= INTERVAL)


def _result(one: Outcome, none: Outcome, rank: int, probability: float, each: float) -> PlanResult:
    tested, draws, left = one.tested, one.inducible.size, float(one.inducible.sum())
    ends = [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2]
    low, high = beta.ppf(ends, each * left + 0.5, each * (draws - left) + 0.5)
    better, worse = _better_and_worse(one, none)
    return PlanResult(
        name=one.plan.name,
        control=one.plan.control,
        rank=rank,
        probability_best=probability,
        probability_not_worse=float(beta.sf(0.5, each * (draws - worse) + 1, each * worse + 1)),
        inducible=one.count,
        tested=tested,
        inducibility_interval=(float(low) if one.count else 0.0, float(high) if one.count < tested else 1.0),
        new_circuits=len(set().union(*one.new)),
        draws_with_new_circuits=sum(map(bool, one.new)),
        ablated_ml=one.volume[1],
        ablated_ml_low=one.volume[0],
        ablated_ml_high=one.volume[2],
        better_than_none=(better, int(np.sum(none.inducible > 0))),
        worse_than_none=worse,
        check=one.check,
    )


def _verdict(
    results: tuple[PlanResult, ...], outcomes: list[Outcome], settings: CompareSettings, screened: bool
) -> Comparison:
    draws = outcomes[0].inducible.size
    best = max(results, key=lambda one: one.probability_best)
    refused = _no_preference(results, outcomes, settings, screened)
    if refused:
        return Comparison(results, NO_PREFERENCE, refused, draws)
    better, asked = best.better_than_none
    reason = (
        f"leaves less inducible than no ablation in {better} of {asked} draws with an arrhythmia, of {draws}; "
        f"residual {best.inducible} of {best.tested}, {best.ablated_ml:.1f} mL ablated"
    )
    found = Comparison(results, best.name, reason, draws, only_by_volume=_only_by_volume(outcomes, best.name))
    return replace(found, reason=reason + found.of_volume)


def _only_by_volume(outcomes: list[Outcome], preferred: str) -> tuple[str, ...]:
    """Names of the plans that did the same as the preferred one in every twin, and burn more."""
    best = next(one for one in outcomes if one.plan.name == preferred)
    return tuple(
        one.plan.name
        for one in outcomes
        if one is not best
        and not one.plan.control
        and np.allclose(one.by_twin, best.by_twin)
        and len(set().union(*one.new)) == len(set().union(*best.new))
        and one.volume[0] > best.volume[2]
    )


def _no_preference(
    results: tuple[PlanResult, ...], outcomes: list[Outcome], settings: CompareSettings, screened: bool
) -> str:
    """Why there is none; "" where there is one."""
    none = next(one for one in results if one.name == NO_ABLATION.name)
    best = max(results, key=lambda one: one.probability_best)
    if none.tested == 0:
        return "no site is left to pace from under every plan: move lesions away from the sites, or pace elsewhere"
    if none.inducible == 0:
        return f"nothing was inducible in {none.tested} tests without ablation"
    if _nothing_shown(outcomes):
        return f"no plan changed what is inducible in any of {outcomes[0].inducible.size} draws"
    if settings.retest == "inducible":
        return (
            "what was not inducible without ablation was not tested again, so no plan could come out worse; "
            'a preference needs `compare.retest = "all"`'
        )
    if screened:
        return (
            "what the screen passed over was not paced, so no plan could come out worse there; "
            "a preference needs `induce.only_screened = false`"
        )
    if best.control or best.probability_best < settings.preference_probability:
        return (
            f"the best plan has a probability of {best.probability_best:.2f}; "
            f"a preference needs {settings.preference_probability:.2f}"
        )
    return ""
