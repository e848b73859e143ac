"""How much pacing a comparison takes, told before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from cardiotwin.ablation.lesions import Plan
from cardiotwin.induction.arrhythmias import SCREENED_OUT, Arrhythmias
from cardiotwin.provenance import Provenance
from cardiotwin.standing import duration


def pacing_seconds(provenance: Provenance) -> float:
    """What the pacing without ablation took; 0 where the twin does not say."""
    return next((one.seconds for one in provenance.stages if one.stage == "induce"), 0.0)


def cost_of_comparing(arrhythmias: Arrhythmias, plans: Sequence[Plan], seconds: float, *, only_inducible: bool) -> str:
    """A line on what each plan costs.

    Parameters
    ----------
    arrhythmias : Arrhythmias
        Without ablation.
    plans : sequence of Plan
        To be re-tested; those without lesions cost nothing.
    seconds : float
        That pacing without ablation took; 0: nobody knows.
    only_inducible : bool
        Re-test only what was inducible.
    """
    paced = [one for one in arrhythmias.inductions if one.outcome != SCREENED_OUT]
    again = sum(one.circuit is not None for one in paced) if only_inducible else len(paced)
    burning = sum(bool(plan.lesions) for plan in plans)
    told = f"compare: {burning} plan{'s' * (burning != 1)}, {again} pacings each, less what was paced before"
    if not seconds or not paced or not burning:
        return told
    each = seconds * again / len(paced)
    return f"{told}; about {duration(each)} a plan, {duration(each * burning)} in all, as the last run of `induce` took"
