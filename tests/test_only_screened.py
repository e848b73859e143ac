"""Pacing hangs on the screen only where it is to leave out what that does not find."""

import pytest

from cardiotwin.settings import InduceSettings, Settings, TissueSettings
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin import planning, stage_functions, stages

SEEN = [Observation(f"{number:064x}", kind, "", "", "", "", "", "") for number, kind in enumerate(("mesh", "ecg"))]
BESIDE, ONLY = Settings(), Settings(induce=InduceSettings(only_screened=True))


def plan(settings):
    return planning.planned(stages.path(SEEN), settings, 0)


def keys(settings):
    return {one.step.name: one.key for one in plan(settings) if one.recipe}


@pytest.mark.parametrize(("settings", "wanted"), [(BESIDE, False), (ONLY, True)])
def test_pacing_needs_the_screen_only_when_it_paces_what_that_found(settings, wanted):
    assert ("screen" in planning.needed(plan(settings), "induce")) == wanted


def test_the_setting_changes_what_is_paced_and_nothing_else():
    beside, only = keys(BESIDE), keys(ONLY)
    changed = {name for name in only if only[name] != beside[name]}
    assert changed == {"induce", "proposed plans", "plan", "compare", "report"}


def test_what_the_screen_hangs_on_reaches_pacing_through_it(monkeypatch):
    """Another version of the screen's code makes a night of pacing stale only where that was asked to follow it."""
    before = keys(BESIDE), keys(ONLY)
    code_of, screen = planning.code_version, stage_functions.screen_for_circuits
    monkeypatch.setattr(planning, "code_version", lambda step: code_of(step) + "+" * (step is screen))
    after = keys(BESIDE), keys(ONLY)
    assert [old["screen"] == new["screen"] for old, new in zip(before, after, strict=True)] == [False, False]
    assert [old["induce"] == new["induce"] for old, new in zip(before, after, strict=True)] == [True, False]


def test_other_tissue_makes_both_stale():
    other = Settings(tissue=TissueSettings(border_zone_velocity_fraction=0.4))
    changed = {name for name, key in keys(other).items() if keys(BESIDE)[name] != key}
    assert {"screen", "induce"} <= changed
