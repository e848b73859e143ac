"""An earlier version can be looked at as it was: its inputs, settings and results, and what has changed since."""

from functools import partial

import pytest
from small_twin import CALLS, electrodes_file, layout, new_twin
from test_twin import set_value

from cardiotwin.cli import execute
from cardiotwin.errors import SettingsError
from cardiotwin.twin.twin import Twin


@pytest.fixture
def twin(tmp_path, monkeypatch):
    monkeypatch.setattr("cardiotwin.twin.twin.Twin", partial(Twin, layout=layout))
    made = new_twin(tmp_path / "case")
    made.add([electrodes_file(tmp_path, 1.0)], at="2026-01-01")
    made.run()
    return made


def keys(view) -> dict[str, str]:
    return {one.step.name: one.key for one in view.plan if one.recipe}


def test_it_holds_what_was_in_use_then_though_it_has_been_taken_out_since(twin, tmp_path):
    (first,) = twin.ledger.observations()
    twin.add([electrodes_file(tmp_path, 2.0)], at="2025-01-01")
    twin.run()
    both = twin.ledger.observations()
    twin.remove(first.sha256)
    twin.run()
    assert [twin.view(number).observations for number in (1, 2, 3)] == [(first,), both, both[:1]]
    assert keys(twin.view(2)) == twin.ledger.versions()[1].keys


def test_an_input_taken_out_and_put_back_is_in_the_versions_it_was_in(twin, tmp_path):
    (first,) = twin.ledger.observations()
    twin.add([electrodes_file(tmp_path, 2.0)], at="2026-02-01")
    twin.remove(first.sha256)
    twin.run()
    twin.add([electrodes_file(tmp_path, 1.0)], at="2026-01-01")
    twin.run()
    held = [[one.sha256 for one in twin.view(number).observations] for number in (1, 2, 3)]
    other = twin.ledger.observations()[1].sha256
    assert held == [[first.sha256], [other], [first.sha256, other]]


def test_it_holds_the_settings_that_its_results_were_computed_with(twin):
    edited = set_value(twin, "n_sites = 5", "n_sites = 6")
    edited.run()
    assert [edited.view(number).settings.calibrate.n_sites for number in (1, 2)] == [5, 6]


def test_it_says_what_would_come_out_otherwise_today_and_nothing_where_nothing_would(twin):
    assert twin.view(1).outdated == twin.view().outdated == ""
    edited = set_value(twin, "n_sites = 5", "n_sites = 6")
    assert edited.view(1).outdated.endswith("not as they would be today: fit 1, pace.")
    assert edited.provenance().outdated == ""


def test_its_report_is_written_apart_and_nothing_is_computed_for_it(twin, capsys):
    edited = set_value(twin, "n_sites = 5", "n_sites = 6")
    edited.run()
    earlier, today = edited.folder / "exports" / "report_version_1" / "report.html", edited.report.read_text()
    CALLS.clear()
    assert execute(["report", str(twin.folder), "--version", "1"]) == 0
    assert str(earlier) in capsys.readouterr().out
    assert CALLS == ["write"]
    assert earlier.read_text().startswith("version 1: ")
    assert edited.report.read_text() == today != earlier.read_text()
    assert earlier.read_text().split(": ")[1] != today.split(": ")[1]


def test_where_there_is_no_heart_today_the_version_that_has_one_is_named(twin, capsys):
    set_value(twin, "edge_mm = 1.0", "edge_mm = 0.9")
    assert execute(["report", str(twin.folder)]) == 4
    assert "`--version 1` shows the last one as it was" in capsys.readouterr().err
    assert execute(["report", str(twin.folder), "--version", "1"]) == 0


@pytest.mark.parametrize("number", [0, 2])
def test_a_version_that_there_is_not_is_refused_with_those_that_there_are(twin, number):
    with pytest.raises(SettingsError, match=f"version {number}: expected 1 to 1"):
        twin.view(number)


def test_settings_that_this_release_has_not_are_left_out(twin, monkeypatch):
    key = twin.ledger.current().keys["fit 1"]
    manifest = twin.store.manifest(key)
    older = manifest | {"settings": manifest["settings"] | {"calibrate.gone": 1, "gone.too": 2}}
    monkeypatch.setattr(twin.store, "manifest", lambda each: older if each == key else manifest)
    assert twin.view(1).settings.calibrate.n_sites == 5


def test_status_says_what_a_version_has_no_longer(twin, capsys):
    set_value(twin, "n_sites = 5", "n_sites = 6")
    assert execute(["run", str(twin.folder), "--until", "calibrate"]) == 0
    capsys.readouterr()
    execute(["status", str(twin.folder)])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("v2"))
    assert line.split()[-1] == "pace"
