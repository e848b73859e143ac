"""How the results of plans are shown: one order, one rounding, one form of words, in the report and on the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from cardiotwin.ablation.lesions import NO_ABLATION, Plan
from cardiotwin.ablation.plan_checks import PlanCheck
from cardiotwin.comparison.results import NO_PREFERENCE, Comparison, PairOfPlans, PlanResult

REFERENCE = NO_ABLATION.name
"""What every plan is held against: shown apart from the plans, below them."""


BURNT = ("plan", "healthy, mL", "border zone, mL", "surface, cm²", "applications")
"""Columns of what a plan burns."""


def in_order(results: Iterable[PlanResult]) -> tuple[PlanResult, ...]:
    """By rank; within a rank by what stays inducible, then by ablated volume; the reference last."""
    return tuple(
        sorted(results, key=lambda one: (one.name == REFERENCE, one.rank, _share_inducible(one), one.ablated_ml))
    )


def plans_in_order(plans: Iterable[Plan], comparison: Comparison | None) -> tuple[Plan, ...]:
    """Plans as their results are shown; those without a result stay behind, in the order they came."""
    results = in_order(comparison.plans) if comparison is not None else ()
    places = {one.name: place for place, one in enumerate(results)}
    return tuple(sorted(plans, key=lambda plan: places.get(plan.name, len(places))))


def file_names(plans: Iterable[Plan]) -> tuple[str, ...]:
    """A name for a file of each plan, without ending; plans are named by users, so only letters and digits pass."""
    slugs = [re.sub(r"[^a-z0-9]+", "-", plan.name.lower()).strip("-")[:40] or "plan" for plan in plans]
    return tuple(slug if slugs.count(slug) == 1 else f"{slug}-{k}" for k, slug in enumerate(slugs, start=1))


def _share_inducible(one: PlanResult) -> float:
    return one.inducible / one.tested if one.tested else math.inf


def volume(millilitres: float) -> str:
    """Two digits below 10 mL, one from there on, wherever a volume is shown."""
    return f"{millilitres:.{1 if abs(millilitres) >= 10 else 2}f}"


def ablated(one: PlanResult) -> str:
    """Volume and its interval, mL."""
    return f"{volume(one.ablated_ml)} ({volume(one.ablated_ml_low)} to {volume(one.ablated_ml_high)})"


def burnt(check: PlanCheck) -> tuple[str, ...]:
    """A plan's row of `BURNT`."""
    volumes = (volume(check.healthy_ml), volume(check.border_zone_ml))
    return check.name, *volumes, f"{check.surface_cm2:.1f}", str(check.applications)


def against_reference(one: PlanResult, draws: int) -> str:
    """In how many of all draws a plan beats no ablation, and in how many that could not be asked."""
    better, asked = one.better_than_none
    silent = f" ({draws - asked} not inducible)" if draws > asked else ""
    if asked and not better and not one.worse_than_none:
        return f"no difference in any of {asked} draws{silent}"
    worse = f", worse in {one.worse_than_none}" if one.worse_than_none else ""
    return f"{better} of {max(draws, asked)} draws{silent}{worse}"


def verdict(comparison: Comparison) -> tuple[str, str]:
    """The answer in a headline and a sentence."""
    best = next((one for one in comparison.plans if one.name == comparison.preference), None)
    if best is None:
        undecided = comparison.preference == NO_PREFERENCE
        headline = "No preference among the plans" if undecided else f"Preferred plan: {comparison.preference}"
        return headline, sentence(comparison.reason)
    return f"Preferred plan: {best.name}", (
        f"Leaves less inducible than no ablation in {against_reference(best, comparison.draws)}; "
        f"residual {best.inducible} of {best.tested}, {volume(best.ablated_ml)} mL ablated{_from_where(best)}"
        f"{comparison.of_volume}."
    )


def _from_where(one: PlanResult) -> str:
    """Surface and segments of a plan of one lesion; of several the table of what plans burn has them."""
    access = one.check.access if one.check is not None else ()
    return f" from {access[0].partition(': ')[2]}" if len(access) == 1 else ""


def of_the_first(comparison: Comparison) -> tuple[PairOfPlans, ...]:
    """The first plan held against every other, twin by twin."""
    return tuple(one for one in comparison.pairs if one.plan == comparison.plans[0].name)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) or not text else ".")
