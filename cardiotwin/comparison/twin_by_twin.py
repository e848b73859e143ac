"""Plan against plan in each admissible twin, and what about the twins decides between them.

A twin is a draw of the posterior under one border-zone profile, with scar by one pair of thresholds. Counting them says
what one probability hides: whether a plan leads a little everywhere or a lot somewhere. Where the lead changes, it is
asked whether it changes with something about the twins, since a measurement of that would decide more than another
night of pacing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, compress

import numpy as np
from scipy.stats import rankdata

from cardiotwin.comparison.results import Outcome, PairOfPlans

PERMUTATIONS = 4000
CHANCE = 0.05
"""Probability below which an association is told."""
FEWEST = 7
"""Different draws; of fewer not even a lead that turns with the profile in all of them stands out from chance."""


def pairs(outcomes: Sequence[Outcome]) -> tuple[PairOfPlans, ...]:
    """Every two plans, each first where it stands before the other in `outcomes`."""
    return tuple(_pair(one, other) for one, other in combinations(outcomes, 2))


def _pair(one: Outcome, other: Outcome) -> PairOfPlans:
    lead = other.by_twin - one.by_twin  # shares of as many sites: where plans tie, the same number
    lead = lead[np.isfinite(lead)]
    better, worse = int(np.sum(lead > 0)), int(np.sum(lead < 0))
    return PairOfPlans(one.plan.name, other.plan.name, better, lead.size - better - worse, worse)


def what_decides(
    one: Outcome, other: Outcome, parameters: Mapping[str, np.ndarray], levels: Mapping[str, Sequence[str]]
) -> str:
    """A sentence on what the lead of one plan over another goes with, from twin to twin.

    The statistic is the greatest rank correlation, over the parameters, of the lead with them; its chance is how often
    draws that are dealt anew reach it, so asking about many parameters makes none of them sure. The twins of one draw,
    which differ in border-zone profile and scar, are held against each other within it. Chances are multiplied by the
    number of these questions (Bonferroni).

    Parameters
    ----------
    one, other : Outcome
        In draws of different members of the posterior: one drawn twice would count as two that agree. Twins that
        could be paced in no draw are left out, and of the others draws in which one could not.
    parameters : dict of str to (n_draws,) float
        What draws differ in.
    levels : dict of str to sequence of str
        What the columns of `Outcome.by_twin` differ in, and the level of each column.
    """
    names = f"{one.plan.name} and {other.plan.name}"
    lead, parameters, levels = _where_paced(other.by_twin - one.by_twin, parameters, levels)
    if not lead.size:
        return f"what decides between {names} cannot be told: no draw could be paced in all of its twins"
    if not lead.any():
        return f"{names} leave the same in every twin: further draws will hardly tell them apart"
    if np.ptp(lead) < 1e-9:
        return f"{names} differ alike in every twin: nothing about the twins decides between them"
    if len(lead) < FEWEST:
        return f"what decides between {names} cannot be told from {len(lead)} different draws; {FEWEST} are needed"
    random = np.random.default_rng(0)
    found = _of_parameters(lead.mean(axis=1), parameters, random)
    for name, columns in levels.items():
        found += _of_levels(lead, name, columns, random)
    least, told = min(found, default=(1.0, ""))
    chance = min(max(len(found), 1) * least, 1.0)
    if chance > CHANCE:
        return f"nothing is shown to decide between {names} (least chance {chance:.2f}): add draws first"
    return f"between {names} {told} decides (chance {chance:.2g}): narrow that down first"


def _where_paced(
    lead: np.ndarray, parameters: Mapping[str, np.ndarray], levels: Mapping[str, Sequence[str]]
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, list[str]]]:
    """The same of the twins that some draw could be paced in, and of the draws that could be paced in all of these."""
    paced = np.isfinite(lead)
    columns = paced.any(axis=0)
    draws = paced[:, columns].all(axis=1)
    of_draws = {name: values[draws] for name, values in parameters.items()}
    return lead[draws][:, columns], of_draws, {name: list(compress(of, columns)) for name, of in levels.items()}


def _of_parameters(
    lead: np.ndarray, parameters: Mapping[str, np.ndarray], random: np.random.Generator
) -> list[tuple[float, str]]:
    """The parameter that the lead goes with most: the chance of so strong a one among all, and words for it."""
    known = {name: values for name, values in parameters.items() if np.isfinite(values).all() and np.ptp(values) > 1e-9}
    if not known or np.ptp(lead) < 1e-9:
        return []
    ranks = np.stack([_standard_ranks(values) for values in known.values()])
    of_lead = _standard_ranks(lead)
    strength = ranks @ of_lead
    dealt = random.permuted(np.tile(of_lead, (PERMUTATIONS, 1)), axis=1)
    chance = _chance(np.abs(dealt @ ranks.T).max(axis=1), np.abs(strength).max())
    most = int(np.argmax(np.abs(strength)))
    return [(chance, f"the {list(known)[most]} (rank correlation {strength[most]:.2f} in {len(lead)} draws)")]


def _of_levels(
    lead: np.ndarray, name: str, columns: Sequence[str], random: np.random.Generator
) -> list[tuple[float, str]]:
    """Whether the lead is another at other levels of what twins of one draw differ in; dealt anew in each draw."""
    different = list(dict.fromkeys(columns))
    at = np.array([[one == level for one in columns] for level in different], float)
    at /= at.sum(axis=1, keepdims=True)
    means = at @ lead.mean(axis=0)
    if np.ptp(means) < 1e-9:
        return []
    dealt = random.permuted(np.tile(lead, (PERMUTATIONS, 1, 1)), axis=2).mean(axis=1)
    chance = _chance(np.ptp(dealt @ at.T, axis=1), np.ptp(means))
    told = ", ".join(f"{100 * mean:+.0f} % {level}" for level, mean in zip(different, means, strict=True))
    return [(chance, f"the {name} (lead of the first: {told})")]


def _chance(dealt: np.ndarray, found: float) -> float:
    """How often dealing reaches what was found, that itself counted once (Phipson & Smyth 2010)."""
    return float((1 + np.sum(dealt >= found - 1e-9)) / (1 + dealt.size))


def _standard_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks about their mean, of unit length: their product is Spearman's correlation."""
    ranks = rankdata(values) - (len(values) + 1) / 2
    return np.asarray(ranks / np.linalg.norm(ranks))
