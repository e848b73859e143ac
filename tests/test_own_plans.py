"""A plan of one's own: checked as soon as there is a heart, exchanged for its edited self, taken out by its name."""

from functools import partial

import pytest
from cube_heart import block_heart
from test_add_plan import ON_SURFACE_MM, plan_file

from cardiotwin import presets
from cardiotwin.cli import execute
from cardiotwin.errors import InputRejected, SettingsError
from cardiotwin.heart.heart import Heart
from cardiotwin.twin.stage_functions import check_plans
from cardiotwin.twin.stages import OWN_PLANS
from cardiotwin.twin.step import Step, Work
from cardiotwin.twin.twin import Twin


def anatomy(work: Work) -> Heart:
    return block_heart((8, 8, 8), 2.0)


def layout(observations) -> tuple[Step, ...]:
    plans = tuple(f"sha256:{one.sha256}" for one in observations if one.kind == "plan")
    own = Step(OWN_PLANS, "plan", check_plans, {"heart": "mesh"}, lists={"plans": plans})
    waiting = Step("plan", "plan", check_plans, {"heart": "mesh"}, waits_for="a 12-lead ECG")
    return (Step("mesh", "mesh", anatomy, {}, ("mesh",)), *((own,) if plans else ()), waiting)


@pytest.fixture
def twin(tmp_path, monkeypatch):
    monkeypatch.setattr("cardiotwin.twin.twin.Twin", partial(Twin, layout=layout))
    return Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""), layout)


def test_it_is_checked_on_the_heart_without_ecg_or_pacing(twin, tmp_path, capsys):
    twin.add([plan_file(tmp_path, ON_SURFACE_MM, depth=8.0)])
    assert execute(["plan", str(twin.folder), "--own"]) == 0
    told = capsys.readouterr().out
    assert "computed: mesh, own plans" in told
    assert "mine: lesion 1 (point): not transmural" in told
    assert "mine" in told.split("What each plan burns")[1]
    assert execute(["plan", str(twin.folder)]) == 4
    assert f"Your own plans: `cardiotwin plan {twin.folder} --own`" in capsys.readouterr().err


def test_one_off_the_heart_is_refused_before_anything_is_paced(twin, tmp_path, capsys):
    twin.add([plan_file(tmp_path, ON_SURFACE_MM + 500)])
    assert execute(["plan", str(twin.folder), "--own"]) == 3
    assert "from the heart's surface" in capsys.readouterr().err


def test_without_one_the_command_that_adds_it_is_named(twin, capsys):
    assert execute(["plan", str(twin.folder), "--own"]) == 4
    assert f"`cardiotwin add {twin.folder} my_plan.toml`" in capsys.readouterr().err


def test_an_edited_one_takes_the_place_of_its_former_self_only_where_that_is_asked(twin, tmp_path):
    (first,) = twin.add([plan_file(tmp_path, ON_SURFACE_MM)]).observations
    edited = plan_file(tmp_path, ON_SURFACE_MM, depth=12.0)
    with pytest.raises(InputRejected, match="cardiotwin add --replace"):
        twin.add([edited])
    assert twin.ledger.observations() == (first,)
    done = twin.add([edited], replace=True)
    assert twin.ledger.observations() == done.observations != (first,)
    assert f"plan 'mine' that arrived {first.arrived} ({first.sha256[:12]}): replaced, out of use" in done.notes
    assert twin.add([edited], replace=True).observations == ()
    assert twin.ledger.observations() == done.observations


def test_replacing_leaves_plans_of_other_names_alone(twin, tmp_path):
    twin.add([plan_file(tmp_path, ON_SURFACE_MM, name="other")])
    twin.add([plan_file(tmp_path, ON_SURFACE_MM)], replace=True)
    assert [one.name for one in twin.ledger.observations()] == ["other", "mine"]


def test_what_is_refused_replaces_nothing(twin, tmp_path):
    twin.run("mesh")
    (first,) = twin.add([plan_file(tmp_path, ON_SURFACE_MM)]).observations
    with pytest.raises(InputRejected, match="from the heart's surface"):
        twin.add([plan_file(tmp_path, ON_SURFACE_MM + 500)], replace=True)
    assert twin.ledger.observations() == (first,)


def test_a_plan_is_taken_out_by_its_name(twin, tmp_path):
    (mine,) = twin.add([plan_file(tmp_path, ON_SURFACE_MM)]).observations
    with pytest.raises(SettingsError, match="expected the name of a plan"):
        twin.remove("min")
    assert twin.remove("mine") == mine
    assert twin.ledger.observations() == ()


def test_status_ends_with_what_would_bring_the_twin_on(twin, tmp_path, capsys):
    def last_line() -> str:
        assert execute(["status", str(twin.folder)]) == 0
        return capsys.readouterr().out.splitlines()[-1]

    twin.add([plan_file(tmp_path, ON_SURFACE_MM)])
    assert last_line() == f"next: `cardiotwin run {twin.folder}` computes mesh, own plans"
    twin.run()
    assert last_line() == f"next: `cardiotwin add {twin.folder} PATH`, with what is missing"
