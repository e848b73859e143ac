"""Phantom hearts from 2 on, paced: phantom 1 is the demo's, on which plans and screen were settled.

Four sites, one draw of 0.6 and 0.3 m/s, the demo's mesh, cells and protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from cases import computed
from table import Row, listed, row

from cardiotwin.ablation.lesions import HOMOGENISE, ISTHMUS, NO_ABLATION, WRONG_PLACE
from cardiotwin.ablation.proposals import proposals_for
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.comparison.results import PlanResult
from cardiotwin.comparison.retesting import compare
from cardiotwin.heart.heart import Heart
from cardiotwin.induction.arrhythmias import Arrhythmias
from cardiotwin.induction.programmed_stimulation import induce, screen
from cardiotwin.induction.screen_agreement import ScreenAgreement, screen_agreement
from cardiotwin.phantom.anatomy import Anatomy, make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.presets import preset

ONE_MEMBER = Posterior.of_velocities([(0.6, 0.3)])
"""Healthy tissue at 0.6 and 0.3 m/s, border zone at half of it."""
DEMO = preset("demo")
PROTOCOL = DEMO.induce.model_copy(update={"n_sites": 4, "n_draws": 1, "workers": 1})
PLANS = (NO_ABLATION.name, ISTHMUS, HOMOGENISE, WRONG_PLACE)


def paced(anatomy: Anatomy) -> tuple[Heart, Arrhythmias]:
    """A heart and what the monodomain model induces in it."""
    heart = true_heart(anatomy, DEMO.mesh.edge_mm)
    return heart, induce(heart, ONE_MEMBER, PROTOCOL, DEMO.tissue)


def each(name: str, function: Callable[[None, int], Any], count: int, kind: type) -> dict[int, Any]:
    """Of phantoms from 2 on, by number."""
    numbers = range(2, 2 + count)
    found = computed(name, function, None, {f"phantom_{number:02d}": number for number in numbers}, kind)
    return dict(zip(numbers, found, strict=True))


def agreement_of(_: None, number: int) -> ScreenAgreement:
    """Of the screen with the monodomain model on one heart."""
    anatomy = make_anatomy(number)
    fine, found = paced(anatomy)
    coarse = true_heart(anatomy, DEMO.calibrate.edge_mm)
    return screen_agreement(screen(fine, coarse, ONE_MEMBER, PROTOCOL, DEMO.tissue), found)


def agreement_rows(count: int) -> Iterable[Row]:
    """Screen and monodomain model on the same hearts."""
    agreed = each("agreement", agreement_of, count, ScreenAgreement)
    told = [
        f"{number}: {one.both}/{one.only_screen}/{one.only_monodomain}/{one.neither}" for number, one in agreed.items()
    ]
    both, screened, paced_only, neither = (
        sum(getattr(one, name) for one in agreed.values())
        for name in ("both", "only_screen", "only_monodomain", "neither")
    )
    note = f"phantom: both/screen/monodomain/neither {', '.join(told)}"
    for name, right, of in (("sensitivity", both, both + paced_only), ("specificity", neither, neither + screened)):
        yield row(f"agreement: {name} of the screen", right / of if of else None, "1", note=f"{right} of {of}; {note}")
    apart = [one.apart_mm for one in agreed.values() if one.both]
    if apart:
        yield row("agreement: isthmuses apart, median", float(np.median(apart)), "mm", note=listed(apart, ""))


@dataclass(frozen=True, eq=False)
class Retested:
    """(4,) of `PLANS`: pacing that induces, pacing tested, mL burnt; NaN for a plan that there is none of."""

    inducible: np.ndarray
    tested: np.ndarray
    ablated_ml: np.ndarray

    def ends_all(self, plan: str) -> bool:
        return bool(self.inducible[PLANS.index(plan)] == 0)

    def leaves_some(self, plan: str) -> bool:
        return bool(self.inducible[PLANS.index(plan)] > 0)

    def __str__(self) -> str:
        every = zip(PLANS, self.inducible, self.tested, self.ablated_ml, strict=True)
        return ", ".join(f"{name} {n:.0f}/{of:.0f} {ml:.1f} mL" for name, n, of, ml in every if not np.isnan(n))


def retested(_: None, number: int) -> Retested:
    """What each plan leaves of one heart; no plan where nothing is inducible."""
    heart, found = paced(make_anatomy(number))
    results: dict[str, PlanResult] = {}
    if found.circuits:
        plans = proposals_for(heart, found.circuits, DEMO.plan).plans
        results = {one.name: one for one in compare(heart, ONE_MEMBER, plans, found, PROTOCOL, DEMO.tissue).plans}

    def of(name: str) -> np.ndarray:
        return np.array([float(getattr(results[one], name)) if one in results else np.nan for one in PLANS])

    return Retested(of("inducible"), of("tested"), of("ablated_ml"))


def plan_rows(count: int) -> Iterable[Row]:
    """What the proposed cut, the whole border zone and a wrong place leave of every heart that is inducible."""
    every = each("plans", retested, count, Retested)
    compared = {number: one for number, one in every.items() if one.leaves_some(NO_ABLATION.name)}
    yield row("plans: hearts inducible without ablation", len(compared), "", note=f"of {count}")
    if not compared:
        return
    hearts, note = compared.values(), "; ".join(f"{number}: {one}" for number, one in compared.items())
    for name, right, said in (
        ("the proposed cut ends all", [one.ends_all(ISTHMUS) for one in hearts], note),
        ("the wrong place leaves some", [one.leaves_some(WRONG_PLACE) for one in hearts], ""),
    ):
        share = float(np.mean(right))
        yield row(f"plans: {name}", share, "1", 0.9, share >= 0.9, f"of {len(compared)}; {said}".removesuffix("; "))
    cut, whole = PLANS.index(ISTHMUS), PLANS.index(HOMOGENISE)
    ratios = [float(one.ablated_ml[cut] / one.ablated_ml[whole]) for one in hearts]
    small = float(np.mean([ratio <= 0.5 for ratio in ratios]))
    share_burnt = listed(ratios, "of the volume of the border zone")
    yield row("plans: with at most half of what homogenising burns", small, "1", 0.9, small >= 0.9, share_burnt)
