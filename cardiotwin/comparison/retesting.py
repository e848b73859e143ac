"""Which plan, how sure, and why.

Every plan is re-tested on the same draws of the posterior, from the same sites, under the same protocol, so plans are
compared pair by pair; `cardiotwin.comparison.ranking` says how sure the order is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cardiotwin.ablation.lesions import NO_ABLATION, Plan, ablated_ml, lesions_in
from cardiotwin.ablation.plan_checks import check_plan
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.comparison.ranking import ranked
from cardiotwin.comparison.results import NO_PREFERENCE, Comparison, Outcome
from cardiotwin.comparison.twin_by_twin import pairs, what_decides
from cardiotwin.errors import SettingsError
from cardiotwin.heart.heart import Heart
from cardiotwin.induction.arrhythmias import AS_SEGMENTED, SCREENED_OUT, UNPACED, Arrhythmias, Induction, joined
from cardiotwin.induction.programmed_stimulation import induce, retest
from cardiotwin.induction.reentry import same_circuit
from cardiotwin.progress import Progress, part, silent
from cardiotwin.settings import CompareSettings, InduceSettings, TissueSettings


def compare(
    heart: Heart,
    posterior: Posterior,
    plans: Sequence[Plan],
    arrhythmias: Arrhythmias,
    induce_settings: InduceSettings | None = None,
    tissue_settings: TissueSettings | None = None,
    settings: CompareSettings | None = None,
    *,
    others: Mapping[str, Heart] | None = None,
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
    others : dict of str to Heart
        The same mesh with scar by other thresholds, as `induce` was given it. A plan burns the same places in all; the
        border zone that one homogenises is that of `heart`.
    folder : Path or None
        Where finished re-tests are kept, so that a killed run resumes.

    Raises
    ------
    SettingsError
        Two plans of one name; arrhythmias of other border-zone profiles or scars.
    InputRejected
        A lesion outside the heart or without viable tissue.
    """
    induce_settings, tissue_settings = induce_settings or InduceSettings(), tissue_settings or TissueSettings()
    settings = settings or CompareSettings()
    plans = _with_none(plans)
    trial = _Trial(
        heart, dict(others or {}), posterior, plans, induce_settings, tissue_settings, settings.retest == "inducible",
        folder,
    )  # fmt: skip
    most = max(settings.most_draws, arrhythmias.members.size)
    before = arrhythmias
    after = trial.retested(before, 0, part(progress, 0.0, before.members.size / most))
    while True:
        comparison = _ranked(trial, before, after, settings)
        tested = before.members.size
        more = min(induce_settings.n_draws, most - tested)
        decidable = settings.retest == "all" and not _screened(before) and comparison.plans[0].tested > 0
        if comparison.preference != NO_PREFERENCE or more < 1 or not decidable:
            return comparison
        batch = part(progress, tested / most, (tested + more) / most)
        fresh = trial.paced(more, tested, part(batch, 0.0, 1.0 / len(plans)))
        again = trial.retested(fresh, tested, part(batch, 1.0 / len(plans), 1.0))
        before = joined(before, fresh)
        after = {name: joined(after[name], again[name]) for name in after}


def _with_none(plans: Sequence[Plan]) -> tuple[Plan, ...]:
    plans = (NO_ABLATION, *(plan for plan in plans if plan.name != NO_ABLATION.name))
    names = [plan.name for plan in plans]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SettingsError(f"two plans are called '{twice}'; give each plan its own name")
    return plans


@dataclass(frozen=True, eq=False)
class _Trial:
    """Plans on one heart, to be tested in draw after draw."""

    heart: Heart
    others: dict[str, Heart]
    posterior: Posterior
    plans: tuple[Plan, ...]
    protocol: InduceSettings
    tissue: TissueSettings
    only_inducible: bool
    folder: Path | None

    def paced(self, count: int, after_draws: int, progress: Progress) -> Arrhythmias:
        """Further draws without ablation, others for each number of draws before."""
        settings = self.protocol.model_copy(update={"n_draws": count})
        return induce(
            self.heart, self.posterior, settings, self.tissue, others=self.others, seed=after_draws,
            folder=self._folder(after_draws, "no_ablation"), progress=progress,
        )  # fmt: skip

    def retested(self, before: Arrhythmias, after_draws: int, progress: Progress) -> dict[str, Arrhythmias]:
        """The same draws under each plan. One that ablates nothing leaves the heart as it was: what was paced holds."""
        lesions = {plan.name: self._lesions(plan) for plan in self.plans if plan.lesions}
        found = retest(
            self.heart, self.posterior, before, lesions, self.protocol, self.tissue,
            only_inducible=self.only_inducible, others=self.others,
            folder=self._folder(after_draws, "plans"), progress=progress,
        )  # fmt: skip
        return {plan.name: found.get(plan.name, before) for plan in self.plans}

    def _lesions(self, plan: Plan) -> dict[str, np.ndarray]:
        """What the plan burns, by what scar was told by."""
        hearts = {AS_SEGMENTED: self.heart} | self.others
        return {scar: lesions_in(heart, self.heart, plan) for scar, heart in hearts.items()}

    def twins(self) -> dict[str, tuple[str, ...]]:
        """What the twins of one draw differ in: its level in each, in the order of `Outcome.by_twin`."""
        profiles, scars = self.protocol.border_zone_profiles, (AS_SEGMENTED, *self.others)
        return {
            "border-zone profile": tuple(profile for _ in scars for profile in profiles),
            "scar threshold": tuple(scar for scar in scars for _ in profiles),
        }

    def _folder(self, after_draws: int, name: str) -> Path | None:
        if self.folder is None or not after_draws:
            return self.folder
        return self.folder / f"from_draw_{after_draws + 1}" / name


def _ranked(trial: _Trial, before: Arrhythmias, after: dict[str, Arrhythmias], settings: CompareSettings) -> Comparison:
    """The order of plans, and plan against plan in each twin."""
    levels, untested = trial.twins(), _untested(after.values())
    outcomes = {
        plan.name: _outcome(trial.heart, plan, before, after[plan.name], levels, untested) for plan in trial.plans
    }
    could_pace = np.isfinite(outcomes[NO_ABLATION.name].by_twin).any(axis=1)
    outcomes = {name: _in_draws(one, could_pace) for name, one in outcomes.items()}
    members = before.members[could_pace] if could_pace.any() else before.members
    comparison = ranked(
        list(outcomes.values()), settings, independent=len(np.unique(members)), screened=_screened(before)
    )
    comparison = replace(comparison, untested=len(untested))
    if not could_pace.any():
        return comparison
    in_order = [outcomes[one.name] for one in comparison.plans]
    rivals = [one for one in in_order if not one.plan.control or one.plan == NO_ABLATION][:2]
    if len(rivals) < 2:
        return replace(comparison, pairs=pairs(in_order))
    # A member that was drawn twice was paced once: of what decides it says the same once.
    rows = np.unique(members, return_index=True)[1]
    one, other = (replace(outcome, by_twin=outcome.by_twin[rows]) for outcome in rivals)
    decides = what_decides(one, other, _parameters(trial.posterior, members[rows]), levels)
    return replace(comparison, pairs=pairs(in_order), decides=decides)


def _in_draws(one: Outcome, kept: np.ndarray) -> Outcome:
    """What came of some of the draws; of no draw at all, as if nothing had been inducible in any."""
    if not kept.any():
        return replace(one, by_twin=np.zeros_like(one.by_twin))
    return replace(
        one, by_twin=one.by_twin[kept], new=[found for found, keep in zip(one.new, kept, strict=True) if keep]
    )


Combination = tuple[int, str, str, int]
"""Draw, profile, scar and site."""


def _combination(one: Induction) -> Combination:
    return one.draw, one.profile, one.scar, one.site


def _untested(after: Iterable[Arrhythmias]) -> frozenset[Combination]:
    """Where nothing could be paced under some plan: left out under all, or burning electrodes would win."""
    return frozenset(_combination(one) for found in after for one in found.inductions if one.outcome in UNPACED)


def _screened(before: Arrhythmias) -> bool:
    """Whether a screen passed over some: no plan can come out worse there."""
    return any(one.outcome == SCREENED_OUT for one in before.inductions)


def _parameters(posterior: Posterior, members: np.ndarray) -> dict[str, np.ndarray]:
    """What draws differ in, each (n_draws,)."""
    values = {
        "fibre velocity": posterior.velocity_fibre,
        "cross-fibre velocity": posterior.velocity_cross,
        "endocardial velocity": posterior.velocity_endocardium,
        "velocity of the border zone": posterior.border_zone_fraction,
    }
    return {name: value[members] for name, value in values.items() if value is not None}


def _outcome(
    heart: Heart,
    plan: Plan,
    before: Arrhythmias,
    after: Arrhythmias,
    levels: Mapping[str, Sequence[str]],
    untested: frozenset[Combination],
) -> Outcome:
    is_new = [not any(same_circuit(circuit, old) for old in before.circuits) for circuit in after.circuits]
    columns = list(zip(levels["border-zone profile"], levels["scar threshold"], strict=True))
    n_draws = before.members.size
    inducible, tested, paced = (np.zeros((n_draws, len(columns))) for _ in range(3))
    new: list[set[int]] = [set() for _ in range(n_draws)]
    for one in after.inductions:
        if (one.profile, one.scar) not in columns:
            raise SettingsError(f"paced with profile {one.profile}, scar {one.scar}; expected one of {columns}")
        twin = one.draw, columns.index((one.profile, one.scar))
        paced[twin] += 1
        if _combination(one) in untested:
            continue
        tested[twin] += 1
        if one.circuit is not None:
            inducible[twin] += 1
            new[one.draw] |= {one.circuit} if is_new[one.circuit] else set()
    if not paced.all():
        raise SettingsError(
            "not every draw was paced under each border-zone profile and scar; compare as `induce` paced"
        )
    check = check_plan(heart, plan) if plan.lesions else None
    share = np.divide(inducible, tested, out=np.full_like(tested, np.nan), where=tested > 0)
    return Outcome(plan, share, new, int(inducible.sum()), int(tested.sum()), ablated_ml(heart, plan), check)
