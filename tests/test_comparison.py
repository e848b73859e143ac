"""Plans rank by residual inducibility, then new circuits, then volume; what cannot be told apart shares a rank."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from cardiotwin.ablation.lesions import NO_ABLATION, Plan
from cardiotwin.comparison.ranking import _new_circuits, _only_by_volume, ranked
from cardiotwin.comparison.results import Outcome
from cardiotwin.settings import CompareSettings

NONE = np.array([3, 2, 4, 3])
"""Of four combinations in each of four draws, inducible without ablation."""


def outcome(name, inducible_of_4, volume, new=None, control=False):
    """A plan whose draws leave so many of four combinations inducible."""
    share = np.array(inducible_of_4) / 4
    circuits = new or [set() for _ in share]
    plan = NO_ABLATION if name == NO_ABLATION.name else Plan(name, (), "", control)
    return Outcome(
        plan,
        share[:, None],
        circuits,
        count=int(np.sum(inducible_of_4)),
        tested=4 * share.size,
        volume=(0.9 * volume, volume, 1.1 * volume),
    )


def against_none(*outcomes):
    return ranked([outcome("no ablation", NONE, 0.0), *outcomes], CompareSettings())


def by_name(comparison):
    return {plan.name: plan for plan in comparison.plans}


def test_the_plan_that_abolishes_everything_is_preferred():
    comparison = against_none(
        outcome("isthmus", [0, 0, 0, 0], 1.0), outcome("wrong place", [3, 2, 4, 3], 1.0, control=True)
    )
    assert comparison.preference == "isthmus"
    plans = by_name(comparison)
    assert plans["isthmus"].rank == 1
    assert plans["isthmus"].better_than_none == (4, 4)
    assert plans["wrong place"].better_than_none == (0, 4)


def test_equal_effect_is_decided_by_volume_only_where_intervals_do_not_overlap():
    apart = against_none(outcome("small", [0, 0, 0, 0], 1.0), outcome("large", [0, 0, 0, 0], 3.0))
    assert apart.preference == "small"
    alike = against_none(outcome("small", [0, 0, 0, 0], 1.0), outcome("large", [0, 0, 0, 0], 1.1))
    assert alike.preference == "no preference"
    assert by_name(alike)["small"].rank == by_name(alike)["large"].rank == 1
    assert by_name(alike)["small"].probability_best == pytest.approx(0.5, abs=0.02)


def test_a_plan_that_helps_in_half_of_the_draws_is_not_certain_to_be_best():
    comparison = against_none(outcome("a", [0, 4, 0, 4], 1.0), outcome("b", [4, 0, 4, 0], 1.0))
    plans = by_name(comparison)
    assert comparison.preference == "no preference"
    assert 0.2 < plans["a"].probability_best < 0.8


def test_new_circuits_count_against_a_plan():
    comparison = against_none(
        outcome("clean", [0, 0, 0, 1], 2.0), outcome("harmful", [0, 0, 0, 1], 1.0, [{0}, {0}, {0, 1}, {1}])
    )
    assert comparison.preference == "clean"
    assert by_name(comparison)["harmful"].new_circuits == 2


def test_nothing_inducible_means_no_preference():
    none = outcome("no ablation", [0, 0, 0, 0], 0.0)
    comparison = ranked([none, outcome("isthmus", [0, 0, 0, 0], 1.0)], CompareSettings())
    assert comparison.preference == "no preference"
    assert "nothing was inducible" in comparison.reason
    assert [plan.probability_best for plan in comparison.plans] == [0.5, 0.5]


def test_none_of_four_draws_is_not_never():
    plan = by_name(against_none(outcome("isthmus", [0, 0, 0, 0], 1.0)))["isthmus"]
    low, high = plan.inducibility_interval
    assert low == 0.0
    assert high == pytest.approx(beta.ppf(0.95, 0.5, 4.5))


def test_probabilities_of_being_best_sum_to_one():
    comparison = against_none(outcome("a", [1, 0, 2, 0], 1.0), outcome("b", [0, 2, 0, 1], 2.0))
    assert sum(plan.probability_best for plan in comparison.plans) == pytest.approx(1.0)


def test_equal_plans_share_the_probability_evenly_and_it_adds_up():
    """Three alike leave a third each of what four draws out of four give, 31/32; the rest is no ablation's."""
    comparison = against_none(
        *(outcome(name, [0, 0, 0, 0], volume) for name, volume in (("a", 1.0), ("b", 1.1), ("c", 1.0)))
    )
    plans = by_name(comparison)
    for name in "abc":
        assert plans[name].probability_best == pytest.approx(31 / 32 / 3, abs=1e-6)
        assert plans[name].rank == 1
    assert plans["no ablation"].probability_best == pytest.approx(1 / 32, abs=1e-6)
    assert sum(plan.probability_best for plan in comparison.plans) == pytest.approx(1.0)


def test_one_draw_that_a_plan_wins_is_not_proof_that_it_beats_no_ablation():
    """One success of one under a uniform prior, P(theta > 1/2) = 3/4, however many sites of the draw agree."""
    none = outcome("no ablation", [4, 0, 0, 0], 0.0)
    comparison = ranked([none, outcome("isthmus", [0, 0, 0, 0], 1.0)], CompareSettings())
    assert by_name(comparison)["isthmus"].probability_best == pytest.approx(0.75, abs=1e-6)
    assert comparison.preference == "no preference"


def test_draws_that_a_plan_wins_count_as_a_sign_test_with_a_uniform_prior():
    for wins, expected in ((2, 7 / 8), (3, 15 / 16), (4, 31 / 32)):
        none = outcome("no ablation", [2] * wins + [0] * (4 - wins), 0.0)
        comparison = ranked([none, outcome("isthmus", [0, 0, 0, 0], 1.0)], CompareSettings(retest="all"))
        assert by_name(comparison)["isthmus"].probability_best == pytest.approx(expected, abs=1e-6)
        assert comparison.preference == ("isthmus" if expected >= 0.9 else "no preference")


def test_no_plan_is_preferred_when_it_could_not_have_come_out_worse():
    none, plan = outcome("no ablation", [2, 2, 2, 2], 0.0), outcome("isthmus", [0, 0, 0, 0], 1.0)
    assert ranked([none, plan], CompareSettings(retest="all")).preference == "isthmus"
    spared = ranked([none, plan], CompareSettings(retest="inducible"))
    assert spared.preference == "no preference"
    assert 'compare.retest = "all"' in spared.reason


def test_plans_are_ranked_by_what_they_leave_first():
    none = outcome("no ablation", [2, 2, 0, 0], 0.0)
    wrong = outcome("wrong", [2, 2, 0, 0], 1.0)
    large, small = outcome("large", [0, 0, 0, 0], 4.0), outcome("small", [0, 0, 0, 0], 1.0)
    comparison = ranked([none, wrong, large, small], CompareSettings(retest="all"))
    assert [plan.name for plan in comparison.plans[:2]] == ["small", "large"]
    assert by_name(comparison)["no ablation"].rank > by_name(comparison)["large"].rank


def test_a_draw_that_a_plan_loses_counts_against_it():
    none = outcome("no ablation", [2, 2, 2, 1], 0.0)
    comparison = ranked([none, outcome("isthmus", [0, 0, 0, 2], 1.0)], CompareSettings())
    plan = by_name(comparison)["isthmus"]
    assert (plan.better_than_none, plan.worse_than_none) == ((3, 4), 1)
    assert plan.probability_best < 0.9
    assert comparison.preference == "no preference"


@pytest.mark.parametrize(("one", "other", "successes", "failures"), [(1, 0, 1, 0), (3, 0, 3, 0), (3, 1, 3, 1)])
def test_two_plans_are_told_apart_by_a_sign_test_with_a_uniform_prior(one, other, successes, failures):
    """P(theta > 1/2) after k successes and l failures, however many draws in which both leave nothing are added."""
    first = np.array([0] * one + [1] * other + [0] * 6)
    second = np.array([1] * one + [0] * other + [0] * 6)
    none = outcome("no ablation", np.full(first.size, 4), 0.0)
    plans = by_name(ranked([none, outcome("a", first, 1.0), outcome("b", second, 1.0)], CompareSettings()))
    expected = beta.sf(0.5, successes + 1, failures + 1)
    assert plans["a"].probability_best / (plans["a"].probability_best + plans["b"].probability_best) == pytest.approx(
        expected, abs=0.02
    )


def test_a_bystander_does_not_part_plans_that_are_alike_in_every_draw():
    """The made-up draw puts plans in random places, those that are alike together: volume still decides."""
    plans = by_name(
        against_none(
            outcome("small", [0, 0, 0, 0], 1.0),
            outcome("large", [0, 0, 0, 0], 3.0),
            outcome("wrong place", [3, 2, 4, 3], 1.0),
        )
    )
    assert plans["small"].probability_best > 0.85
    assert plans["large"].probability_best < 0.01


def test_a_control_beside_it_costs_a_plan_nothing():
    """What is compared against, and not meant to be done, is no plan that chance could have put first."""
    none, plan = outcome("no ablation", [2, 0, 2, 2], 0.0), outcome("isthmus", [0, 0, 0, 0], 1.0)
    wrong = outcome("wrong place", [2, 0, 2, 2], 1.0)
    control = replace(wrong, plan=replace(wrong.plan, control=True))
    alone, beside = (by_name(ranked(ones, CompareSettings())) for ones in ([none, plan], [none, plan, control]))
    assert beside["isthmus"].probability_best == pytest.approx(alone["isthmus"].probability_best, abs=0.005)
    assert beside["isthmus"].probability_best == pytest.approx(1 - 2.0**-4, abs=0.005)


def test_over_a_plan_that_did_the_same_and_burns_more_volume_alone_decides():
    best, all_of_it = outcome("cut", [0, 0, 0, 0], 0.3), outcome("all", [0, 0, 0, 0], 2.81)
    found = against_none(best, all_of_it, outcome("idle", [0, 0, 0, 0], 3.0, control=True))
    assert found.preference == "cut"
    assert found.of_volume == "; all (2.8 mL) left as much inducible and comes behind only for burning more"
    assert found.reason.endswith(found.of_volume)
    assert against_none(best, outcome("other", [0, 0, 0, 1], 2.8)).of_volume == ""


def test_where_new_circuits_decide_volume_is_not_said_to():
    new = [{0}, {0}, {0}, {0}]
    found = against_none(outcome("large", [0, 0, 0, 0], 5.0), outcome("small", [0, 0, 0, 0], 1.0, new))
    assert (found.preference, found.of_volume) == ("large", "")


def test_as_many_in_other_draws_is_not_the_same_nor_is_a_volume_within_its_interval():
    outcomes = [
        outcome("no ablation", NONE, 0.0),
        outcome("a", [1, 0, 1, 0], 1.0),
        outcome("b", [0, 1, 0, 1], 5.0),
        outcome("c", [1, 0, 1, 0], 5.0),
        outcome("d", [1, 0, 1, 0], 1.1),
    ]
    assert _only_by_volume(outcomes, "a") == ("c",)


def test_plans_that_changed_nothing_are_not_beaten_by_no_ablation():
    found = against_none(outcome("a", NONE, 1.0), outcome("b", NONE, 2.0))
    assert found.reason == "no plan changed what is inducible in any of 4 draws"
    assert [one.probability_best for one in found.plans] == pytest.approx([1 / 3] * 3)
    with_control = against_none(outcome("a", NONE, 1.0), outcome("wrong place", [3, 2, 4, 4], 2.0, control=True))
    assert by_name(with_control)["a"].probability_best == pytest.approx(1 / 3)
    helped = against_none(outcome("a", NONE, 1.0), outcome("cure", [0, 0, 0, 0], 2.0, control=True))
    assert by_name(helped)["cure"].probability_best > 0.8


def test_the_interval_of_what_stays_inducible_counts_draws_not_sites():
    """Jeffreys' interval of 2 in 4 draws, whether a draw was paced from four sites or from forty."""
    low, high = beta.ppf([0.05, 0.95], 2.5, 2.5)
    plan = by_name(against_none(outcome("a", [4, 4, 0, 0], 1.0)))["a"]
    assert plan.inducibility_interval == pytest.approx((low, high))
    repeated = ranked(
        [outcome("no ablation", NONE, 0.0), outcome("a", [4, 4, 0, 0], 1.0)], CompareSettings(), independent=2
    )
    low, high = beta.ppf([0.05, 0.95], 1.5, 1.5)
    assert by_name(repeated)["a"].inducibility_interval == pytest.approx((low, high))


def test_at_least_as_good_as_no_ablation_is_a_sign_test_in_which_equal_draws_count_for_the_plan():
    plans = by_name(against_none(outcome("a", [0, 2, 4, 4], 1.0), outcome("b", [4, 4, 4, 4], 1.0)))
    assert plans["a"].probability_not_worse == pytest.approx(beta.sf(0.5, 4, 2))  # worse in one of four
    assert plans["b"].probability_not_worse == pytest.approx(beta.sf(0.5, 2, 4))  # in three
    assert plans["no ablation"].probability_not_worse == pytest.approx(31 / 32)


def test_ranks_part_at_nine_tenths():
    """Of the sign test: 3 draws to none are told apart (15/16), 2 to none are not (7/8); nor are equal volumes."""
    none = np.full(6, 4)
    for draws, parted in ((2, False), (4, True)):
        worse = [1] * draws + [0] * (6 - draws)
        plans = [outcome("no ablation", none, 0.0), outcome("a", [0] * 6, 1.0), outcome("b", worse, 1.0)]
        ranks = [one.rank for one in ranked(plans, CompareSettings()).plans]
        assert ranks == ([1, 2, 3] if parted else [1, 1, 3])
    volumes = against_none(outcome("a", [0, 0, 0, 0], 1.0), outcome("b", [0, 0, 0, 0], 3.0))
    assert [one.rank for one in volumes.plans] == [1, 2, 3]


def test_plans_between_two_others_do_not_join_them_in_one_rank():
    """Each leaves 8 of 80 more than the one before: neighbours may share a rank, those far apart do not."""
    none = np.full(10, 4)
    plans = [outcome(f"p{k}", [0] * (10 - k) + [4] * k, 1.0) for k in range(9)]
    found = by_name(ranked([outcome("no ablation", none, 0.0), *plans], CompareSettings()))
    ranks = [found[f"p{k}"].rank for k in range(9)]
    assert ranks == sorted(ranks)
    for k in range(9):
        for later in range(k + 4, 9):  # the sign test of four draws to none: 31/32
            assert found[f"p{k}"].rank < found[f"p{later}"].rank


def test_below_the_first_rank_too_plans_that_are_alike_part_by_volume():
    found = by_name(
        against_none(
            outcome("best", [0, 0, 0, 0], 1.0), outcome("small", [1, 1, 1, 1], 1.0), outcome("large", [1, 1, 1, 1], 3.0)
        )
    )
    assert found["best"].rank < found["small"].rank < found["large"].rank


def test_draws_of_one_member_count_as_one():
    """Every draw twice, told to be half as many different ones: the same answer."""
    first, second = [0, 0, 1, 0, 2], [1, 0, 1, 2, 0]
    once = [outcome("no ablation", [4, 3, 4, 2, 4], 0.0), outcome("a", first, 1.0), outcome("b", second, 1.0)]
    doubled = [
        outcome("no ablation", [4, 3, 4, 2, 4] * 2, 0.0), outcome("a", first * 2, 1.0), outcome("b", second * 2, 1.0)
    ]  # fmt: skip
    expected, found, naive = (
        by_name(ranked(plans, CompareSettings(), independent=count))
        for plans, count in ((once, 0), (doubled, 5), (doubled, 0))
    )
    for name in expected:
        assert found[name].probability_best == pytest.approx(expected[name].probability_best, abs=0.02)
        assert found[name].probability_not_worse == pytest.approx(expected[name].probability_not_worse)
        assert found[name].inducibility_interval == pytest.approx(expected[name].inducibility_interval)
    assert naive["a"].probability_best > expected["a"].probability_best + 0.04


def test_a_new_circuit_counts_where_a_weighing_keeps_its_draw():
    """One draw of ten has it: kept where its weight, Beta(1, 9), is above a hundredth."""
    weights = np.random.default_rng(1).dirichlet(np.ones(10), 20_000)
    one = outcome("a", [0] * 10, 1.0, [{7}, *(set() for _ in range(9))])
    assert _new_circuits(one, weights).mean() == pytest.approx(0.99**9, abs=0.01)


def test_where_no_plan_leaves_a_site_to_pace_from_nothing_is_said_of_inducibility():
    untested = [
        replace(one, count=0, tested=0) for one in (outcome("no ablation", [0] * 4, 0.0), outcome("a", [0] * 4, 1.0))
    ]
    found = ranked(untested, CompareSettings())
    assert found.preference == "no preference"
    assert "no site is left to pace from" in found.reason


def test_new_circuits_are_counted_with_the_draws_that_have_them():
    plan = by_name(against_none(outcome("harmful", [0, 0, 0, 1], 1.0, [{0, 1}, {0}, set(), set()])))["harmful"]
    assert (plan.new_circuits, plan.draws_with_new_circuits) == (2, 2)
