"""Which plan, how sure, and why.

Every plan is re-tested on the same draws of the posterior, from the same sites, under the same protocol, so plans are
compared pair by pair. Draws are the unit of uncertainty: the sites of one draw share its velocities. Best is what would
leave the least inducible were all admissible twins tested, then the fewest new circuits, then the smallest ablated
volume where the intervals do not overlap: the choice to make while nobody knows which twin the patient is. How far this
one patient agrees with the others is `better_than_none`, and no number of draws makes it sure.

The probability of being best has two factors. One is the share of the posterior weights of the draws under which a plan
is best: the Bayesian bootstrap (Rubin 1981, doi 10.1214/aos/1176345338) with one made-up draw among the others, the
prior of a Dirichlet process (Ferguson 1973, doi 10.1214/aos/1176342360). It is one of the draws in which plans differ,
with the plans that are meant to be done in random places, so it favours none of them. Without it a lead in one draw,
never contradicted, was as sure as a lead in all: stated at 0.96 it was right in three of four made-up populations
(`benchmarks/ranking.py`). With it, two plans that differ alike in k draws and the other way in l are told apart exactly
by the sign test with a uniform prior, P(theta > 1/2) after k successes and l failures; k draws out of k give 1 -
2^-(k+1). Plans that leave the same in every draw stay equal in all of it, so that volume decides between them, which is
a rule and no finding; those equal in volume too share evenly, so that the probabilities add up to one. The other factor
is the probability that a plan beats no ablation at all, by that sign test: one draw in which it leaves less is not
much, however many of its sites agree. When only what was inducible is tested again a plan cannot come out worse than no
ablation, so chance alone would favour it: then there is no preference.
The interval of the residual inducibility is Jeffreys' for a share, so that 0 of 12 is not taken for never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta

from cardiotwin import durable
from cardiotwin.ablation import NO_ABLATION, Plan, ablated_ml, lesion_elements
from cardiotwin.calibration import Posterior
from cardiotwin.errors import SettingsError
from cardiotwin.heart import Heart
from cardiotwin.induction import Arrhythmias, retest
from cardiotwin.plan_checks import PlanCheck, check_plan
from cardiotwin.progress import Progress, silent
from cardiotwin.reentry import same_circuit
from cardiotwin.settings import CompareSettings, InduceSettings, TissueSettings

BOOTSTRAPS = 4000
INTERVAL = 0.9


@dataclass(frozen=True)
class PlanResult:
    """What one plan leaves behind.

    Attributes
    ----------
    name : str
    control : bool
        Compared against, not meant to be done.
    rank : int
        1 is best; plans that cannot be told apart share a rank.
    probability_best : float
        That the plan is best: its share of the bootstraps, times the probability that it beats no ablation.
    inducible, tested : int
        Residual inducibility as `inducible` of `tested` combinations of site, draw and profile.
    inducibility_interval : tuple of float
        90 % interval of the share.
    new_circuits : int
        Unique circuits that were not there without ablation.
    new_circuits_interval : tuple of float
        90 % bootstrap interval over the draws.
    ablated_ml, ablated_ml_low, ablated_ml_high : float
        Volume of viable tissue ablated; the interval moves the lesion edge by half an element edge.
    better_than_none : tuple of int
        Draws in which it leaves less inducible than no ablation, and draws in which that could be asked.
    worse_than_none : int
        Draws in which it leaves more inducible.
    check : PlanCheck or None
        What it burns, and its gaps; None for no ablation.
    """

    name: str
    control: bool
    rank: int
    probability_best: float
    inducible: int
    tested: int
    inducibility_interval: tuple[float, float]
    new_circuits: int
    new_circuits_interval: tuple[float, float]
    ablated_ml: float
    ablated_ml_low: float
    ablated_ml_high: float
    better_than_none: tuple[int, int]
    worse_than_none: int
    check: PlanCheck | None = None


@dataclass(frozen=True)
class Comparison:
    """Plans in order of rank: by residual inducibility, then new circuits, then ablated volume.

    Attributes
    ----------
    plans : tuple of PlanResult
    preference : str
        Name of the preferred plan, or ``"no preference"``.
    reason : str
        Why, in a sentence.
    """

    plans: tuple[PlanResult, ...]
    preference: str
    reason: str

    def __str__(self) -> str:
        head = (
            f"{'rank':>4}  {'plan':24}  {'P(best)':>7}  {'inducible':>10}  {'new':>3}  {'ablated mL':>18}  "
            f"{'healthy mL':>10}  {'points':>6}"
        )
        rows = [
            f"{p.rank:>4}  {p.name:24.24}  {p.probability_best:>7.2f}  {f'{p.inducible} of {p.tested}':>10}  "
            f"{p.new_circuits:>3}  {f'{p.ablated_ml:.2f} ({p.ablated_ml_low:.2f}-{p.ablated_ml_high:.2f})':>18}"
            + (f"  {p.check.healthy_ml:>10.2f}  {p.check.applications:>6}" if p.check else "")
            for p in self.plans
        ]
        gaps = [f"{p.name}: {note}" for p in self.plans if p.check for note in p.check.notes]
        return "\n".join([head, *rows, *gaps, f"{self.preference}: {self.reason}"])

    def save(self, folder: Path | str) -> Path:
        """Write `comparison.json` into `folder` and return its path."""
        path = Path(folder) / "comparison.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write_file(path, durable.readable(asdict(self)))
        return path


@dataclass(frozen=True, eq=False)
class Outcome:
    """One plan's re-test, on the draws.

    Attributes
    ----------
    plan : Plan
    inducible : (n_draws,) float64
        Share of the combinations of site and profile.
    new : list of set of int
        Numbers of the new circuits in each draw.
    count, tested : int
        Combinations that are inducible, and all.
    volume : tuple of float
        Ablated, mL: low, middle, high.
    """

    plan: Plan
    inducible: np.ndarray
    new: list[set[int]]
    count: int
    tested: int
    volume: tuple[float, float, float]
    check: PlanCheck | None = None


def compare(
    heart: Heart,
    posterior: Posterior,
    plans: Sequence[Plan],
    arrhythmias: Arrhythmias,
    induce_settings: InduceSettings | None = None,
    tissue_settings: TissueSettings | None = None,
    settings: CompareSettings | None = None,
    *,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Comparison:
    """Re-test every plan under the protocol that induced `arrhythmias`, and rank them; "no ablation" is among them.

    Parameters
    ----------
    heart, posterior, arrhythmias
        What `induce` was given and what it returned.
    plans : sequence of Plan
        With different names.
    folder : Path or None
        Where finished re-tests are kept, so that a killed run resumes.

    Raises
    ------
    SettingsError
        Two plans of one name.
    InputRejected
        A lesion outside the heart or without viable tissue.
    """
    induce_settings, tissue_settings = induce_settings or InduceSettings(), tissue_settings or TissueSettings()
    settings = settings or CompareSettings()
    plans = [NO_ABLATION, *(plan for plan in plans if plan.name != NO_ABLATION.name)]
    names = [plan.name for plan in plans]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SettingsError(f"two plans are called '{twice}'; give each plan its own name")
    lesions = {plan.name: lesion_elements(heart, plan) for plan in plans}
    after = retest(
        heart,
        posterior,
        arrhythmias,
        {name: lesion for name, lesion in lesions.items() if lesion.any()},
        induce_settings,
        tissue_settings,
        only_inducible=settings.retest == "inducible",
        folder=folder,
        progress=progress,
    )
    # A plan that ablates nothing leaves the heart as it was: what was paced before holds.
    outcomes = [_outcome(heart, plan, arrhythmias, after.get(plan.name, arrhythmias)) for plan in plans]
    return ranked(outcomes, settings)


def _outcome(heart: Heart, plan: Plan, before: Arrhythmias, after: Arrhythmias) -> Outcome:
    is_new = [not any(same_circuit(circuit, old) for old in before.circuits) for circuit in after.circuits]
    n_draws = before.members.size
    shares, new = np.zeros(n_draws), []
    for draw in range(n_draws):
        mine = [one for one in after.inductions if one.draw == draw]
        shares[draw] = np.mean([one.circuit is not None for one in mine])
        new.append({one.circuit for one in mine if one.circuit is not None and is_new[one.circuit]})
    count = sum(one.circuit is not None for one in after.inductions)
    check = check_plan(heart, plan) if plan.lesions else None
    return Outcome(plan, shares, new, count, len(after.inductions), ablated_ml(heart, plan), check)


def ranked(outcomes: list[Outcome], settings: CompareSettings) -> Comparison:
    """Weigh the draws again and again, find the best plan each time, and call what cannot be told apart by its name.

    Parameters
    ----------
    outcomes : list of Outcome
        On the same draws; the first is no ablation.
    settings : CompareSettings
    """
    random = np.random.default_rng(0)
    weights = random.dirichlet(np.ones(outcomes[0].inducible.size), BOOTSTRAPS)
    meant = np.array([not one.plan.control for one in outcomes])
    share = _residual(np.stack([one.inducible for one in outcomes]), meant, weights, random)
    fresh = np.stack([_new_circuits(one, weights) for one in outcomes], axis=1)
    wins = _wins(share, fresh, outcomes)
    probability = _against_none(wins.mean(axis=0), outcomes)
    score = [(one.inducible.mean(), len(set().union(*one.new)), one.volume[1]) for one in outcomes]
    order = sorted(range(len(outcomes)), key=lambda k: score[k])
    results, rank = [], 0
    for position, k in enumerate(order):
        if position == 0 or _told_apart(share[:, order[position - 1]], share[:, k], wins[:, [order[position - 1], k]]):
            rank = position + 1
        results.append(_result(outcomes[k], outcomes[0], rank, float(probability[k]), fresh[:, k]))
    return _verdict(tuple(results), outcomes, settings)


def _residual(inducible: np.ndarray, meant: np.ndarray, weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
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
    weight = random.beta(1.0, n_draws, (n_bootstraps, 1))
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


def _against_none(share: np.ndarray, outcomes: list[Outcome]) -> np.ndarray:
    """Each plan's share of the bootstraps, less what belongs to no ablation because the plan may not beat it."""
    draws = [_better_and_worse(one, outcomes[0]) for one in outcomes]
    beats = np.array([beta.sf(0.5, better + 1, worse + 1) for better, worse in draws])
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


def _told_apart(better: np.ndarray, worse: np.ndarray, wins: np.ndarray) -> bool:
    """Whether one plan is at least as good as the next in 90 % of the bootstraps, and better in some way."""
    return bool(np.mean(better < worse - 1e-9) >= INTERVAL or np.mean(wins[:, 0] > wins[:, 1]) >= INTERVAL)


def _result(one: Outcome, none: Outcome, rank: int, probability: float, fresh: np.ndarray) -> PlanResult:
    tested = one.tested
    low, high = beta.ppf([(1 - INTERVAL) / 2, (1 + INTERVAL) / 2], one.count + 0.5, tested - one.count + 0.5)
    better, worse = _better_and_worse(one, none)
    return PlanResult(
        name=one.plan.name,
        control=one.plan.control,
        rank=rank,
        probability_best=probability,
        inducible=one.count,
        tested=tested,
        inducibility_interval=(float(low) if one.count else 0.0, float(high) if one.count < tested else 1.0),
        new_circuits=len(set().union(*one.new)),
        new_circuits_interval=(float(np.quantile(fresh, 0.05)), float(np.quantile(fresh, 0.95))),
        ablated_ml=one.volume[1],
        ablated_ml_low=one.volume[0],
        ablated_ml_high=one.volume[2],
        better_than_none=(better, int(np.sum(none.inducible > 0))),
        worse_than_none=worse,
        check=one.check,
    )


def _verdict(results: tuple[PlanResult, ...], outcomes: list[Outcome], settings: CompareSettings) -> Comparison:
    none = next(one for one in results if one.name == NO_ABLATION.name)
    best = max(results, key=lambda one: one.probability_best)
    if none.inducible == 0:
        return Comparison(results, "no preference", f"nothing was inducible in {none.tested} tests without ablation")
    if settings.retest == "inducible":
        return Comparison(
            results,
            "no preference",
            "what was not inducible without ablation was not tested again, so no plan could come out worse; "
            'a preference needs `compare.retest = "all"`',
        )
    if best.control or best.probability_best < settings.preference_probability:
        return Comparison(
            results,
            "no preference",
            f"the best plan has a probability of {best.probability_best:.2f}; "
            f"a preference needs {settings.preference_probability:.2f}",
        )
    better, asked = best.better_than_none
    return Comparison(
        results,
        best.name,
        f"leaves less inducible than no ablation in {better} of {asked} twins with an arrhythmia, "
        f"of {outcomes[0].inducible.size} drawn; "
        f"residual {best.inducible} of {best.tested}, {best.ablated_ml:.1f} mL ablated",
    )
