"""Phantom hearts from 2 on, paced: phantom 1 is the demo's, on which plans and screen were settled.

Four sites, one draw of 0.6 and 0.3 m/s, the demo's mesh, cells and protocol.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from table import Row, listed, row

from cardiotwin.ablation import HOMOGENISE, ISTHMUS, NO_ABLATION, WRONG_PLACE
from cardiotwin.calibration import Posterior
from cardiotwin.comparison import Comparison, PlanResult
from cardiotwin.heart import Heart
from cardiotwin.induction import Arrhythmias, induce, screen
from cardiotwin.phantom.anatomy import Anatomy, make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.presets import preset
from cardiotwin.proposals import proposals_for
from cardiotwin.retesting import compare
from cardiotwin.screen_agreement import screen_agreement

ONE_MEMBER = Posterior.of_velocities([(0.6, 0.3)])
"""Healthy tissue at 0.6 and 0.3 m/s, border zone at half of it."""
DEMO = preset("demo")
PROTOCOL = DEMO.induce.model_copy(update={"n_sites": 4, "n_draws": 1})


def paced(anatomy: Anatomy) -> tuple[Heart, Arrhythmias]:
    """A heart and what the monodomain model induces in it."""
    heart = true_heart(anatomy, DEMO.mesh.edge_mm)
    return heart, induce(heart, ONE_MEMBER, PROTOCOL, DEMO.tissue)


def agreement_rows(count: int) -> Iterable[Row]:
    """Screen and monodomain model on the same hearts."""
    told, agreed = [], []
    for number in range(2, 2 + count):
        anatomy = make_anatomy(number)
        fine, found = paced(anatomy)
        coarse = true_heart(anatomy, DEMO.calibrate.edge_mm)
        one = screen_agreement(screen(fine, coarse, ONE_MEMBER, PROTOCOL, DEMO.tissue), found)
        agreed.append(one)
        told.append(f"{number}: {one.both}/{one.only_screen}/{one.only_monodomain}/{one.neither}")
    both, screened, paced_only, neither = (
        sum(getattr(one, name) for one in agreed) for name in ("both", "only_screen", "only_monodomain", "neither")
    )
    note = f"phantom: both/screen/monodomain/neither {', '.join(told)}"
    for name, right, of in (("sensitivity", both, both + paced_only), ("specificity", neither, neither + screened)):
        yield row(f"agreement: {name} of the screen", right / of if of else None, "1", note=f"{right} of {of}; {note}")
    apart = [one.apart_mm for one in agreed if one.both]
    if apart:
        yield row("agreement: isthmuses apart, median", float(np.median(apart)), "mm", note=listed(apart, ""))


def plan_rows(count: int) -> Iterable[Row]:
    """What the proposed cut, the whole border zone and a wrong place leave of every heart that is inducible."""
    compared: dict[int, dict[str, PlanResult]] = {}
    for number in range(2, 2 + count):
        heart, found = paced(make_anatomy(number))
        if found.circuits:
            plans = proposals_for(heart, found.circuits, DEMO.plan).plans
            compared[number] = _by_name(compare(heart, ONE_MEMBER, plans, found, PROTOCOL, DEMO.tissue))
    note = "; ".join(f"{number}: {_told(plans)}" for number, plans in compared.items())
    yield row("plans: hearts inducible without ablation", len(compared), "", note=f"of {count}")
    if not compared:
        return
    cut = [plans[ISTHMUS].inducible == 0 for plans in compared.values() if ISTHMUS in plans]
    wrong = [plans[WRONG_PLACE].inducible > 0 for plans in compared.values() if WRONG_PLACE in plans]
    ratios = [
        plans[ISTHMUS].ablated_ml / plans[HOMOGENISE].ablated_ml
        for plans in compared.values()
        if {ISTHMUS, HOMOGENISE} <= plans.keys()
    ]
    ended = sum(cut) / len(compared)
    yield row("plans: the proposed cut ends all", ended, "1", 0.9, ended >= 0.9, f"of {len(compared)}; {note}")
    small = float(np.mean(np.array(ratios) <= 0.5)) if ratios else None
    share = listed(ratios, "of the volume of the border zone")
    yield row("plans: with at most half of what homogenising burns", small, "1", 0.9, (small or 0.0) >= 0.9, share)
    left = sum(wrong) / len(compared)
    yield row("plans: the wrong place leaves some", left, "1", 0.9, left >= 0.9, f"of {len(compared)}")


def _by_name(comparison: Comparison) -> dict[str, PlanResult]:
    return {one.name: one for one in comparison.plans}


def _told(plans: dict[str, PlanResult]) -> str:
    names = (NO_ABLATION.name, ISTHMUS, HOMOGENISE, WRONG_PLACE)
    return ", ".join(
        f"{name} {plans[name].inducible}/{plans[name].tested} {plans[name].ablated_ml:.1f} mL"
        for name in names
        if name in plans
    )
