"""Plan against plan, twin by twin: counted by hand, and what decides is found where it was put and not elsewhere."""

import re

import numpy as np
import pytest

from cardiotwin.ablation.lesions import Plan
from cardiotwin.comparison.results import Outcome, PairOfPlans
from cardiotwin.comparison.twin_by_twin import FEWEST, _chance, pairs, what_decides

PROFILES = {"border-zone profile": ("structural", "structural_and_ionic")}
ONE = {"border-zone profile": ("structural",)}


def outcome(name, by_twin):
    by_twin = np.asarray(by_twin, float)
    return Outcome(Plan(name, ()), by_twin, [set() for _ in by_twin], 0, by_twin.size, (0.9, 1.0, 1.1))


def test_twins_that_could_not_be_paced_are_not_counted():
    one = outcome("one", [[0.0, np.nan], [0.25, 0.25], [np.nan, np.nan]])
    other = outcome("other", [[0.5, np.nan], [0.25, 0.0], [np.nan, np.nan]])
    assert pairs([one, other]) == (PairOfPlans("one", "other", 1, 1, 1),)


def test_what_decides_is_asked_of_draws_whose_twins_were_all_paced():
    """Ten draws in which the lead goes with a velocity, and two more that say nothing."""
    lead = np.arange(10) / 10.0
    one, other = (
        outcome(name, np.r_[values, [np.nan] * 2][:, None]) for name, values in (("one", 0 * lead), ("other", lead))
    )
    velocity = np.r_[lead, 5.0, -5.0]
    told = what_decides(one, other, {"fibre velocity": velocity}, ONE)
    assert "the fibre velocity (rank correlation 1.00 in 10 draws) decides" in told


def test_a_twin_that_no_draw_could_be_paced_in_does_not_take_the_draws_with_it():
    lead = np.arange(10) / 10.0
    dead = np.full(10, np.nan)
    one, other = (outcome(name, np.column_stack([k * lead, dead])) for name, k in (("one", 0), ("other", 1)))
    told = what_decides(one, other, {"fibre velocity": lead}, PROFILES)
    assert "the fibre velocity (rank correlation 1.00 in 10 draws) decides" in told
    here = outcome("one", np.where(np.eye(2), np.nan, 0.5))
    there = outcome("other", np.where(np.eye(2), np.nan, 0.0))
    assert "no draw could be paced in all of its twins" in what_decides(here, there, {}, PROFILES)


def test_no_chance_is_ever_none():
    """What was found is one of the ways to deal (Phipson & Smyth)."""
    assert _chance(np.zeros(99), 1.0) == pytest.approx(0.01)


def test_twins_are_counted_one_by_one():
    one = outcome("one", [[0.0, 0.5], [0.25, 0.25], [1.0, 0.0]])
    other = outcome("other", [[0.5, 0.5], [0.25, 0.0], [1.0, 0.25]])
    third = outcome("third", [[1.0, 1.0]] * 3)
    assert pairs([one, other, third]) == (
        PairOfPlans("one", "other", 2, 3, 1),
        PairOfPlans("one", "third", 5, 1, 0),
        PairOfPlans("other", "third", 5, 1, 0),
    )
    assert str(pairs([one, other])[0]) == "one beats other in 2 of 6 admissible twins, loses in 1"
    assert (
        str(PairOfPlans("one", "other", 0, 6, 0)) == "one and other leave as much inducible in all 6 admissible twins"
    )


def drawn(n, seed):
    rng = np.random.default_rng(seed)
    names = ("fibre velocity", "cross-fibre velocity", "velocity of the border zone")
    return {name: rng.normal(0.6, 0.1, n) for name in names}, rng


def test_the_parameter_that_the_lead_follows_is_named():
    parameters, rng = drawn(12, 1)
    lead = 2.0 * (parameters["cross-fibre velocity"] - 0.6) + 0.02 * rng.normal(size=12)
    told = what_decides(outcome("a", np.zeros((12, 1))), outcome("b", lead[:, None]), parameters, ONE)
    assert "the cross-fibre velocity (rank correlation 0.9" in told
    turned = what_decides(outcome("b", lead[:, None]), outcome("a", np.zeros((12, 1))), parameters, ONE)
    assert "the cross-fibre velocity (rank correlation -0.9" in turned


def test_a_lead_that_turns_with_the_border_zone_profile_is_said_to():
    parameters, rng = drawn(8, 2)
    lead = np.tile([0.5, -0.25], (8, 1)) + 0.05 * rng.normal(size=(8, 2))
    told = what_decides(outcome("a", np.zeros((8, 2))), outcome("b", lead), parameters, PROFILES)
    assert "between a and b the border-zone profile" in told
    assert "structural, -" in told.replace(" % ", " ")


def test_of_scar_and_profile_the_one_that_the_lead_follows_is_named():
    levels = {
        "border-zone profile": ("structural", "structural_and_ionic") * 2,
        "scar threshold": ("as segmented",) * 2 + ("35 % and 50 %",) * 2,
    }
    rng = np.random.default_rng(4)
    lead = np.tile([0.5, 0.5, -0.5, -0.5], (9, 1)) + 0.05 * rng.normal(size=(9, 4))
    told = what_decides(outcome("a", np.zeros((9, 4))), outcome("b", lead), {}, levels)
    assert "between a and b the scar threshold (lead of the first: +" in told
    assert "% as segmented, -" in told


@pytest.mark.parametrize("levels", [ONE, PROFILES])
def test_chance_is_named_as_often_as_it_says(levels):
    """Leads that follow nothing, 200 times: an association is told in about 1 of 20, whatever is asked about."""
    named = 0
    for seed in range(200):
        parameters, rng = drawn(8, [3, seed])
        lead = rng.normal(size=(8, len(levels["border-zone profile"])))
        told = what_decides(outcome("a", np.zeros(lead.shape)), outcome("b", lead), parameters, levels)
        named += "narrow that down" in told
    assert 3 <= named <= 19, "5 % of 200, within three standard deviations"


def test_the_fewest_draws_are_enough_for_a_lead_that_turns_in_all_of_them():
    rng = np.random.default_rng(5)
    lead = np.tile([0.5, -0.25], (FEWEST, 1)) + 0.05 * rng.normal(size=(FEWEST, 2))
    parameters, _ = drawn(FEWEST, 6)
    assert "the border-zone profile" in what_decides(
        outcome("a", np.zeros((FEWEST, 2))), outcome("b", lead), parameters, PROFILES
    )
    fewer = what_decides(outcome("a", np.zeros((FEWEST - 1, 2))), outcome("b", lead[1:]), {}, PROFILES)
    assert f"cannot be told from {FEWEST - 1} different draws" in fewer


@pytest.mark.parametrize(
    ("lead", "told"),
    [
        (np.zeros((8, 2)), "leave the same in every twin"),
        (np.full((8, 2), 0.5), "differ alike in every twin"),
        (np.array([[0.0, 0.5], [0.25, 0.0], [0.0, 0.0]]), "cannot be told from 3 different draws"),
    ],
)
def test_what_cannot_decide_is_said(lead, told):
    assert told in what_decides(outcome("a", np.zeros(lead.shape)), outcome("b", lead), {}, PROFILES)


def decides(lead, parameters, levels):
    lead = np.asarray(lead, float)
    return what_decides(outcome("a", np.zeros(lead.shape)), outcome("b", lead), parameters, levels)


def test_a_lead_of_one_site_of_ten_is_alike_whatever_is_left():
    """0.3 - 0.2 is not 0.1 to the last bit."""
    left = np.arange(8.0)[:, None] / 10
    told = what_decides(outcome("a", left), outcome("b", (np.arange(8.0)[:, None] + 1) / 10), {}, ONE)
    assert "differ alike in every twin" in told


@pytest.mark.parametrize("same", [0.3, 0.1 + 0.2, np.nan])
def test_a_parameter_that_is_the_same_in_all_draws_or_unknown_is_not_asked_about(same):
    """Though its last bit goes with the lead: of 70 ways to deal four leads to eight draws, two are as ordered."""
    lead = np.repeat([0.0, 0.5], 4)
    constant = np.where(lead > 0, same, 0.3 if np.isfinite(same) else same)
    assert "nothing is shown" in decides(lead[:, None], {"fibre velocity": constant}, ONE)
    told = decides(lead[:, None], {"fibre velocity": constant, "cross-fibre velocity": np.arange(8.0)}, ONE)
    assert "between a and b the cross-fibre velocity (rank correlation 0.87" in told
    assert float(re.findall(r"chance (\S+)\)", told)[0]) == pytest.approx(2 / 70, abs=0.01)


def test_draws_that_lead_alike_but_for_rounding_follow_no_parameter():
    """The mean of 0.3, 0.2 and 0.1 is not that of 0.1, 0.2 and 0.3 to the last bit; scars even out as well."""
    lead = [[0.3, 0.2, 0.1]] * 4 + [[0.1, 0.2, 0.3]] * 4
    scars = {"scar threshold": ("as segmented", "30 % and 50 %", "50 % and 70 %")}
    assert "nothing is shown" in decides(lead, {"fibre velocity": np.arange(8.0)}, scars)


def test_levels_that_lead_alike_but_for_rounding_are_no_further_question():
    """Two questions at a chance of 2 in 70 would be one too many."""
    lead = np.array([[0.3, 0.0], [0.0, 0.3], [0.0, 0.3], [0.3, 0.0], [0.8, 0.1], [0.1, 0.8], [0.8, 0.1], [0.1, 0.8]])
    assert np.ptp(lead.sum(axis=0)) == pytest.approx(0.0, abs=1e-9)
    assert "the fibre velocity" in decides(lead, {"fibre velocity": np.arange(8.0)}, PROFILES)


def test_two_questions_double_the_chance():
    """A lead that follows the velocity at a chance of 2 in 70, and differs between profiles in one draw."""
    lead = np.repeat([0.0, 0.5], 4)[:, None] + np.zeros((1, 2))
    lead[0] += [0.2, -0.2]
    assert "the fibre velocity" in decides(lead, {"fibre velocity": np.arange(8.0)}, {})
    assert "nothing is shown" in decides(lead, {"fibre velocity": np.arange(8.0)}, PROFILES)


def test_the_chance_of_one_contrary_draw_in_nine_is_that_of_the_sign_test():
    """2 (1 + 9) / 2^9, though the same leads in other draws add up to another last bit."""
    lead = np.array([0.2, 0.7, 0.6, 0.0, 0.1, 0.5, 0.4, 0.8, 0.3])[:, None] + [0.0, 0.1]
    lead[2] = lead[2, ::-1]
    told = decides(lead, {}, PROFILES)
    assert float(re.findall(r"chance (\S+)\)", told)[0]) == pytest.approx(20 / 512, abs=0.01)
