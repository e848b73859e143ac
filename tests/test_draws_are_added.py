"""While no plan is preferred further draws are paced and re-tested: the loop, with pacing that answers at once."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from test_induction import PROTOCOL, TISSUE, wall  # noqa: F401

from cardiotwin.ablation.lesions import Lesion, Plan
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.comparison.results import NO_PREFERENCE
from cardiotwin.comparison.retesting import compare
from cardiotwin.errors import SettingsError
from cardiotwin.heart.heart import CORE, HEALTHY
from cardiotwin.induction import programmed_stimulation
from cardiotwin.induction.arrhythmias import Arrhythmias, Induction, joined
from cardiotwin.induction.programmed_stimulation import induce
from cardiotwin.induction.reentry import Circuit
from cardiotwin.induction.stimulation import Paced
from cardiotwin.settings import CompareSettings, InduceSettings, Settings, TissueSettings
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin import planning, stages

POSTERIOR = Posterior.of_velocities([(0.4 + 0.01 * member, 0.3) for member in range(40)])
PLANS = [Plan("half", (Lesion("point", np.array([[0.0, 15.0, 15.0]]), 3.0, 3.0),))]


def circuit(z_mm):
    middle, nodes = np.array([0.0, 10.0, z_mm]), np.array([0])
    return Circuit(300.0, 3, middle, middle + np.array([0.0, 12.0, 0.0]), np.zeros(3, np.float32), nodes, nodes)


@pytest.fixture
def answers(monkeypatch):
    """Every pacing asked for, in order; without ablation all re-enter, after the plan none."""
    asked: list = []

    def pace(_, task):
        asked.append(task)
        return Paced((300.0,), None if task.plan else circuit(0.0), "not inducible" if task.plan else "re-entry")

    monkeypatch.setattr(programmed_stimulation, "_pace", pace)
    return asked


def compared(wall, settings, folder=None):  # noqa: F811
    found = induce(wall, POSTERIOR, PROTOCOL, TISSUE)
    return compare(wall, POSTERIOR, PLANS, found, PROTOCOL, TISSUE, settings, folder=folder)


def test_two_draws_are_not_enough_and_four_are(wall, answers):  # noqa: F811
    """2 of 2 give 1 - 2^-3, under the 0.9 that a preference needs; 4 of 4 give 1 - 2^-5."""
    few = compared(wall, CompareSettings())
    assert (few.preference, few.draws) == (NO_PREFERENCE, 2)
    more = compared(wall, CompareSettings(most_draws=40))
    assert (more.preference, more.draws) == ("half", 4)
    assert {plan.tested for plan in more.plans} == {8}
    assert more.plans[0].probability_best == pytest.approx(1 - 2.0**-5, abs=0.01)
    assert more.pairs[0].better == 4


def test_a_member_drawn_again_and_again_is_one_in_what_decides(wall, answers):  # noqa: F811
    """Two members, one of them in nine draws of ten; were each draw its own, something would be said to decide."""
    uneven = dataclasses.replace(Posterior.of_velocities([(0.4, 0.3), (0.6, 0.3)]), weights=np.array([0.9, 0.1]))
    protocol = PROTOCOL.model_copy(update={"n_draws": 10})
    found = induce(wall, uneven, protocol, TISSUE)
    assert len(set(found.members.tolist())) == 2
    few = dataclasses.replace(
        found, inductions=tuple(
            dataclasses.replace(one, circuit=None) if found.members[one.draw] else one for one in found.inductions
        )
    )  # fmt: skip
    assert "cannot be told from 2 different draws" in compare(wall, uneven, PLANS, few, protocol, TISSUE).decides


def test_draws_end_where_the_budget_does(wall, answers):  # noqa: F811
    found = compared(wall, CompareSettings(most_draws=9, preference_probability=0.9995))
    assert (found.preference, found.draws) == (NO_PREFERENCE, 9)
    members = {task.member for task in answers if task.plan}
    assert len(members) >= 8, "each batch draws anew"


def test_draws_that_could_never_decide_are_not_added(wall, answers):  # noqa: F811
    assert compared(wall, CompareSettings(most_draws=40, retest="inducible")).draws == 2


def test_a_killed_comparison_does_not_pace_its_further_draws_again(wall, answers, tmp_path: Path):  # noqa: F811
    first = compared(wall, CompareSettings(most_draws=40), tmp_path)
    answers.clear()
    again = compared(wall, CompareSettings(most_draws=40), tmp_path)
    assert again == first
    assert {task.plan for task in answers} == {""}, "induction, which kept nothing; no re-test"
    assert len({task.member for task in answers}) == 2


def test_of_edited_plans_only_what_burns_otherwise_is_paced_again(wall, answers, tmp_path: Path):  # noqa: F811
    found = induce(wall, POSTERIOR, PROTOCOL, TISSUE)

    def again(*plans, **settings):
        answers.clear()
        compare(wall, POSTERIOR, plans, found, PROTOCOL, TISSUE, CompareSettings(**settings), folder=tmp_path)
        return {task.plan for task in answers}

    one, other = PLANS[0], Plan("other", (Lesion("point", np.array([[0.0, 5.0, 5.0]]), 3.0, 3.0),))
    larger = Plan("other", (Lesion("point", np.array([[0.0, 5.0, 5.0]]), 6.0, 3.0),))
    assert again(one, other) == {"half", "other"}
    assert again(larger, one) == {"other"}
    assert again(dataclasses.replace(other, name="another name", note="said otherwise")) == set()
    assert again(one, preference_probability=0.6) == set()


def test_results_of_plans_are_kept_where_only_plans_change():
    seen = [Observation(f"{n:064x}", kind, "", "", "", "", "", "") for n, kind in enumerate(("mesh", "ecg", "plan"))]
    edited = [*seen[:2], dataclasses.replace(seen[2], sha256="f" * 64)]

    def compared_as(observations, **sections):
        plan = planning.planned(stages.path(observations), Settings(**sections), 0)
        return next(one for one in plan if one.step.name == "compare")

    before = compared_as(seen)
    for same in (compared_as(edited), compared_as(seen, compare=CompareSettings(most_draws=9))):
        assert same.key != before.key
        assert same.folder_key == before.folder_key
    for other in (
        compared_as(seen, tissue=TissueSettings(border_zone_velocity_fraction=0.3)),
        compared_as(seen, induce=InduceSettings(n_draws=3)),
        compared_as([dataclasses.replace(seen[0], sha256="e" * 64), *seen[1:]]),
    ):
        assert other.folder_key != before.folder_key


def test_circuits_of_further_draws_are_counted_once():
    one, other = circuit(0.0), circuit(40.0)
    members = np.array([3, 5])
    blank = Arrhythmias(np.zeros((1, 3)), np.zeros(1, np.int32), members, (one,), ())
    first = dataclasses.replace(blank, inductions=(Induction(0, 0, "structural", (), 0, "re-entry"),))
    nearly = dataclasses.replace(one, cycle_length_ms=305.0)
    found = joined(
        first,
        dataclasses.replace(
            blank,
            members=np.array([7]),
            circuits=(other, nearly),
            inductions=tuple(Induction(0, 0, "structural", (), number, "re-entry") for number in (0, 1, None)),
        ),
    )
    assert found.circuits == (one, other)
    assert found.members.tolist() == [3, 5, 7]
    assert [(each.draw, each.circuit) for each in found.inductions] == [(0, 0), (2, 1), (2, 0), (2, None)]


@pytest.mark.parametrize("plans", [[], [dataclasses.replace(PLANS[0], control=True)]])
def test_no_plan_or_a_control_alone_is_no_crash(wall, answers, plans):  # noqa: F811
    found = induce(wall, POSTERIOR, PROTOCOL, TISSUE)
    comparison = compare(wall, POSTERIOR, plans, found, PROTOCOL, TISSUE)
    assert (comparison.preference, comparison.decides) == (NO_PREFERENCE, "")
    assert len(comparison.plans) == len(plans) + 1


def test_draws_of_one_member_are_one(wall, answers):  # noqa: F811
    """Four draws of one member: one success of one under a uniform prior, as if it had been drawn once."""
    one = Posterior.of_velocities([(0.5, 0.3)])
    protocol = PROTOCOL.model_copy(update={"n_draws": 4})
    found = induce(wall, one, protocol, TISSUE)
    plan = compare(wall, one, PLANS, found, protocol, TISSUE).plans[0]
    assert (plan.name, plan.probability_best) == ("half", pytest.approx(0.75, abs=1e-6))


def test_what_the_screen_passed_over_leaves_no_preference(wall, answers):  # noqa: F811
    protocol = PROTOCOL.model_copy(update={"n_draws": 8})
    found = induce(wall, POSTERIOR, protocol, TISSUE)
    assert compare(wall, POSTERIOR, PLANS, found, protocol, TISSUE).preference == "half"
    only = dataclasses.replace(
        found, inductions=tuple(
            dataclasses.replace(one, outcome="screened out", circuit=None) if one.site else one
            for one in found.inductions
        )
    )  # fmt: skip
    told = compare(wall, POSTERIOR, PLANS, only, protocol, TISSUE, CompareSettings(most_draws=40))
    assert (told.preference, told.draws) == (NO_PREFERENCE, 8)
    assert "only_screened" in told.reason


def test_arrhythmias_of_other_profiles_are_refused(wall, answers):  # noqa: F811
    found = induce(wall, POSTERIOR, PROTOCOL, TISSUE)
    both = PROTOCOL.model_copy(update={"border_zone_profiles": ("structural", "structural_and_ionic")})
    with pytest.raises(SettingsError, match="not every draw was paced"):
        compare(wall, POSTERIOR, PLANS, found, both, TISSUE)
    other = PROTOCOL.model_copy(update={"border_zone_profiles": ("structural_and_ionic",)})
    with pytest.raises(SettingsError, match="paced with profile structural"):
        compare(wall, POSTERIOR, PLANS, found, other, TISSUE)


@pytest.fixture
def each_member_its_own(monkeypatch):
    """Every member re-enters on a circuit of its own, whatever burns; after "worse" on one more."""
    members: list = []

    def pace(_, task):
        if task.member not in members:
            members.append(task.member)
        z_mm = -40.0 if task.plan == "worse" else 40.0 * members.index(task.member)
        return Paced((300.0,), circuit(z_mm), "re-entry")

    monkeypatch.setattr(programmed_stimulation, "_pace", pace)


def test_a_circuit_that_turned_without_ablation_in_any_draw_is_not_new(wall, each_member_its_own):  # noqa: F811
    worse = Plan("worse", (Lesion("point", np.array([[0.0, 5.0, 5.0]]), 3.0, 3.0),))
    found = induce(wall, POSTERIOR, PROTOCOL, TISSUE)
    told = compare(wall, POSTERIOR, [*PLANS, worse], found, PROTOCOL, TISSUE, CompareSettings(most_draws=6))
    assert (told.draws, len(found.circuits)) == (6, 2)
    assert {plan.name: plan.new_circuits for plan in told.plans} == {"no ablation": 0, "half": 0, "worse": 1}


def test_further_draws_are_paced_with_the_other_scar_too(wall, answers):  # noqa: F811
    other = dataclasses.replace(wall, tissue_class=np.where(wall.mesh.centroids[:, 2] > 20.0, CORE, HEALTHY))
    others = {"30 % and 50 %": other}
    found = induce(wall, POSTERIOR, PROTOCOL, TISSUE, others=others)
    answers.clear()
    told = compare(wall, POSTERIOR, PLANS, found, PROTOCOL, TISSUE, CompareSettings(most_draws=40), others=others)
    assert (told.preference, told.draws) == ("half", 4)
    assert {plan.tested for plan in told.plans} == {4 * 2 * 2}, "draws, sites and scars"
    fresh = [task.scar for task in answers if not task.plan]
    assert fresh.count("as segmented") == fresh.count("30 % and 50 %") == 2 * 2


def test_what_decides_is_asked_of_plans_that_are_meant_and_not_of_a_control_between_them(wall, answers):  # noqa: F811
    control = dataclasses.replace(PLANS[0], name="control", control=True)
    worse = Plan("worse", (Lesion("point", np.array([[0.0, 15.0, 15.0]]), 6.0, 3.0),))
    found = induce(wall, POSTERIOR, PROTOCOL, TISSUE)
    told = compare(wall, POSTERIOR, [*PLANS, control, worse], found, PROTOCOL, TISSUE)
    assert [plan.name for plan in told.plans] == ["half", "control", "worse", "no ablation"]
    assert told.decides.startswith("half and worse leave the same")
