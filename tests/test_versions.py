"""A version is a set of results; none comes to be without a new one, and `run` does not call stale results current."""

from functools import partial

import pytest
from small_twin import electrodes_file, layout, new_twin
from test_twin import set_value, states

from cardiotwin.cli import execute
from cardiotwin.twin.twin import Twin


@pytest.fixture
def twin(tmp_path, monkeypatch):
    monkeypatch.setattr("cardiotwin.twin.twin.Twin", partial(Twin, layout=layout))
    made = new_twin(tmp_path / "case")
    made.add([electrodes_file(tmp_path, 1.0)], at="2026-01-01")
    made.run()
    return made


def test_results_that_go_stale_make_no_version(twin):
    edited = set_value(twin, "n_sites = 5", "n_sites = 6")
    done = edited.run("mesh")
    assert (done.computed, done.version, done.is_new_version) == ((), 1, False)
    assert done.behind == ("fit 1", "pace", "report")
    assert [version.computed for version in edited.status().versions] == [("anatomy", "fit 1", "pace")]


def test_what_was_not_asked_for_is_told_as_not_up_to_date(twin, capsys):
    set_value(twin, "n_sites = 5", "n_sites = 6")
    assert execute(["mesh", str(twin.folder)]) == 0
    told = capsys.readouterr().out
    assert "nothing to compute\nversion 1 (unchanged)\nnot up to date: fit 1, pace, report;" in told


def test_an_input_taken_out_of_use_makes_no_empty_version(twin):
    twin.remove(twin.status().observations[0].sha256)
    done = twin.run()
    assert (done.computed, done.is_new_version, done.behind) == (("report",), False, ())
    assert states(twin) == {"anatomy": "current", "fit": "missing", "pace": "missing", "report": "current"}


def test_earlier_results_in_use_again_are_a_version_that_says_so(twin, tmp_path, capsys):
    twin.add([electrodes_file(tmp_path, 2.0)], at="2026-02-01")
    twin.run()
    twin.remove(twin.status().observations[1].sha256)
    assert execute(["induce", str(twin.folder)]) == 0
    assert "nothing to compute\nversion 3: earlier results are in use again" in capsys.readouterr().out
    assert twin.status().versions[-1].computed == ("pace",)
