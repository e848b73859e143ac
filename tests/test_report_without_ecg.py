"""A report says what is there and what is not; it starts no other stage, and what it lacks is no failure."""

import json
from functools import partial

import pytest
from small_twin import CALLS, electrodes_file, layout, new_twin

from cardiotwin.cli import execute
from cardiotwin.twin.twin import Twin


@pytest.fixture
def twin(tmp_path, monkeypatch):
    monkeypatch.setattr("cardiotwin.twin.twin.Twin", partial(Twin, layout=layout))
    return new_twin(tmp_path / "case")


def test_a_report_of_the_anatomy_alone_is_done_and_says_what_is_missing(twin, capsys):
    assert execute(["mesh", str(twin.folder)]) == 0
    capsys.readouterr()
    assert execute(["report", str(twin.folder)]) == 0
    told = capsys.readouterr()
    assert str(twin.report) in told.out
    assert twin.report.read_text() == "version 1: no result"
    assert "missing: a 12-lead ECG" in told.out


def test_a_report_starts_no_stage_though_there_is_an_ecg_and_names_the_command_that_does(twin, capsys, tmp_path):
    twin.add([electrodes_file(tmp_path, 1.0)])
    execute(["mesh", str(twin.folder)])
    CALLS.clear()
    capsys.readouterr()
    assert execute(["report", str(twin.folder)]) == 0
    assert CALLS == ["write"]
    assert f"not in it: fit 1, pace; `cardiotwin run {twin.folder}` computes that" in capsys.readouterr().out


def test_a_report_takes_in_what_a_stopped_run_had_finished(twin, tmp_path, monkeypatch):
    twin.add([electrodes_file(tmp_path, 1.0)])
    twin.run("mesh")
    twin.write_report()
    with monkeypatch.context() as patch:
        patch.setattr(Twin, "_record_version", lambda self, plan: self.ledger.current())
        twin.run("induce")  # as if it had been killed before the version came to be
    done = twin.write_report()
    assert (done.computed, done.behind, done.version) == (("report",), (), 2)
    assert "no result" not in twin.report.read_text()


def test_without_a_heart_a_report_is_refused_with_the_command_that_makes_one(twin, capsys):
    assert execute(["report", str(twin.folder), "--json"]) == 4
    error = json.loads(capsys.readouterr().out)["error"]
    assert f"`cardiotwin mesh {twin.folder}`" in error["message"]
    assert CALLS == []


def test_a_run_until_the_report_is_done_when_the_report_is_written(twin, capsys):
    assert execute(["run", str(twin.folder), "--until", "report"]) == 0
    assert "missing: a 12-lead ECG" in capsys.readouterr().out


def test_a_run_until_a_stage_that_lacks_its_input_is_not_done(twin, capsys):
    assert execute(["run", str(twin.folder), "--until", "induce"]) == 4
    assert "needs a 12-lead ECG" in capsys.readouterr().err
