"""What a comparison will cost: counted from what was paced, and in the time that took."""

from dataclasses import replace

import pytest
from small_study import small_study

from cardiotwin.ablation.lesions import NO_ABLATION
from cardiotwin.comparison.pacing_cost import cost_of_comparing

STUDY = small_study(6.0)


@pytest.mark.parametrize(
    ("only_inducible", "pacings", "time"),
    [(False, 9, "3 min a plan, 9 min in all"), (True, 5, "2 min a plan, 5 min in all")],
)
def test_each_plan_costs_what_pacing_took(only_inducible, pacings, time):
    tested = STUDY.arrhythmias.inductions
    assert (len(tested), sum(one.circuit is not None for one in tested)) == (9, 5)
    told = cost_of_comparing(STUDY.arrhythmias, STUDY.plans, 180.0, only_inducible=only_inducible)
    assert f"3 plans, {pacings} pacings each" in told
    assert f"about {time}, " in told


def test_what_was_not_paced_is_not_counted_and_an_unknown_time_not_told():
    none = [replace(one, outcome="screened out", circuit=None) for one in STUDY.arrhythmias.inductions[:4]]
    spared = replace(STUDY.arrhythmias, inductions=(*none, *STUDY.arrhythmias.inductions[4:]))
    told = cost_of_comparing(spared, STUDY.plans[:1], 0.0, only_inducible=False)
    assert told == "compare: 1 plan, 5 pacings each, less what was paced before"
    assert "about 3 min a plan" in cost_of_comparing(spared, STUDY.plans[:1], 180.0, only_inducible=False)


def test_where_nothing_burns_or_nothing_was_paced_no_time_is_told():
    nothing = replace(STUDY.arrhythmias, inductions=())
    for arrhythmias, plans in ((STUDY.arrhythmias, [NO_ABLATION]), (nothing, STUDY.plans)):
        assert "about" not in cost_of_comparing(arrhythmias, plans, 180.0, only_inducible=False)
