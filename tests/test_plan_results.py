"""Plans are shown in one order, with one rounding, and with every draw counted."""

from dataclasses import replace

import pytest
from small_study import small_comparison

from cardiotwin.ablation.lesions import NO_ABLATION, Plan
from cardiotwin.ablation.plan_checks import PlanCheck
from cardiotwin.comparison.plan_results import ablated, against_reference, in_order, plans_in_order, verdict, volume
from cardiotwin.report.figures import plan_chart


def tied():
    """Ranks as the demo had them: no ablation shares its rank with a plan that leaves nothing inducible."""
    isthmus, homogenise, wrong, none = small_comparison().plans
    return replace(
        small_comparison(),
        plans=(
            isthmus,
            replace(none, rank=2, inducible=4),
            replace(wrong, rank=2, inducible=4, ablated_ml=0.6),
            replace(homogenise, rank=2, inducible=0, ablated_ml=2.6),
            replace(homogenise, name="smaller", rank=2, inducible=0, ablated_ml=1.1),
        ),
    )


def test_a_tie_is_ordered_by_what_stays_inducible_then_by_volume_and_the_reference_stands_last():
    assert [one.name for one in in_order(tied().plans)] == ["isthmus", "smaller", "homogenise", "wrong", "no ablation"]


def test_plans_are_drawn_in_the_order_of_their_results_and_those_without_one_come_after():
    plans = [NO_ABLATION, *(Plan(name, ()) for name in ("drawn later", "homogenise", "isthmus"))]
    names = [plan.name for plan in plans_in_order(plans, tied())]
    assert names == ["isthmus", "homogenise", "no ablation", "drawn later"]
    assert plans_in_order(plans, None) == tuple(plans)


def test_the_figure_keeps_the_order_and_sets_the_reference_apart(monkeypatch):
    from cardiotwin.report import figures

    monkeypatch.setattr(figures, "_svg", lambda figure: figure)
    axes = plan_chart(tied()).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["isthmus", "smaller", "homogenise", "wrong (control)", "no ablation (reference)"]
    heights = list(axes.get_yticks())
    assert heights[4] - heights[3] > heights[1] - heights[0]


def test_draws_that_were_not_inducible_are_counted_and_named():
    one = replace(small_comparison().plans[0], better_than_none=(2, 2))
    assert against_reference(one, 3) == "2 of 3 draws (1 not inducible)"
    assert against_reference(one, 2) == "2 of 2 draws"
    assert against_reference(replace(one, better_than_none=(0, 4)), 5) == (
        "no difference in any of 4 draws (1 not inducible)"
    )
    assert against_reference(replace(one, worse_than_none=1), 3) == "2 of 3 draws (1 not inducible), worse in 1"


@pytest.mark.parametrize(("millilitres", "shown"), [(0.4463, "0.45"), (9.87, "9.87"), (10.04, "10.0"), (0.0, "0.00")])
def test_a_volume_has_one_rounding(millilitres, shown):
    assert volume(millilitres) == shown


def test_the_verdict_rounds_the_volume_as_the_table_does():
    comparison = small_comparison()
    isthmus = replace(comparison.plans[0], ablated_ml=0.4463, better_than_none=(2, 2))
    comparison = replace(comparison, plans=(isthmus, *comparison.plans[1:]))
    headline, sentence = verdict(comparison)
    assert headline == "Preferred plan: isthmus"
    assert "2 of 3 draws (1 not inducible)" in sentence
    assert f"{volume(isthmus.ablated_ml)} mL" in sentence
    assert ablated(isthmus).startswith(volume(isthmus.ablated_ml) + " (")


def test_without_a_preference_the_reason_is_the_comparisons():
    undecided = replace(small_comparison("no preference"), reason="the best plan has a probability of 0.82")
    assert verdict(undecided) == (
        "No preference among the plans",
        "The best plan has a probability of 0.82.",
    )


@pytest.mark.parametrize(
    ("access", "said"),
    [
        (("lesion 1 (point): left endocardium, AHA 13",), " mL ablated from left endocardium, AHA 13"),
        (("lesion 1 (point): epicardium", "lesion 2 (line): epicardium"), " mL ablated."),
    ],
)
def test_the_verdict_says_from_where_a_plan_of_one_lesion_is_burnt(access, said):
    comparison = small_comparison()
    check = PlanCheck("isthmus", 0.1, 0.2, 1.0, 3, (), access)
    isthmus = replace(comparison.plans[0], check=check, better_than_none=(2, 2))
    assert said in verdict(replace(comparison, plans=(isthmus, *comparison.plans[1:])))[1]
