"""Plan against plan, twin by twin: counted by hand, and what decides is found where it was put and not elsewhere."""

import numpy as np
import pytest

from cardiotwin.ablation import Plan
from cardiotwin.comparison import Outcome, PairOfPlans
from cardiotwin.twin_by_twin import FEWEST, pairs, what_decides

PROFILES = {"border-zone profile": ("structural", "structural_and_ionic")}
ONE = {"border-zone profile": ("structural",)}


def outcome(name, by_twin):
    by_twin = np.asarray(by_twin, float)
    return Outcome(Plan(name, ()), by_twin, [set() for _ in by_twin], 0, by_twin.size, (0.9, 1.0, 1.1))


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
