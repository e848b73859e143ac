"""A run says what it will compute, and a log of it shows life; the result on standard output stays clean."""

import io
import json
import re
import sys

import pytest
import small_twin
from small_twin import electrodes_file, layout, new_twin

from cardiotwin import cli, demo, terminal, twin
from cardiotwin.errors import SettingsError

STARTS = ["anatomy: started", "fit 1: started", "pace: started", "report: started"]


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A twin of tiny stages, also for the command line."""
    made = new_twin(tmp_path / "case")
    made.add([electrodes_file(tmp_path, 1.0)])
    real = twin.Twin
    monkeypatch.setattr(twin, "Twin", lambda folder: real(folder, layout))
    return made.folder


def test_a_piped_run_says_what_it_will_compute_then_when_each_stage_starts_and_ends(capsys, case):
    assert cli.execute(["run", str(case)]) == 0
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert lines[0] == "will compute: anatomy, fit 1, pace, report"
    assert lines[1::2] == STARTS
    assert [re.sub(r"\d+\.\d", "N", line) for line in lines[2::2]] == [
        "anatomy: done, N s", "fit 1: done, N s", "pace: done, N s", "report: done, N s",
    ]  # fmt: skip
    assert told.out.splitlines()[0] == "computed: anatomy, fit 1, pace, report"


def test_one_stage_says_what_it_needs_first_and_a_second_time_nothing(capsys, case):
    cli.execute(["calibrate", str(case)])
    assert capsys.readouterr().err.splitlines()[0] == "will compute: anatomy, fit 1"
    cli.execute(["calibrate", str(case)])
    assert capsys.readouterr().err == ""
    cli.execute(["run", str(case)])
    assert capsys.readouterr().err.splitlines()[0] == "will compute: pace, report"


def test_json_hears_nothing_but_the_result(capsys, case):
    assert cli.execute(["run", str(case), "--json"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out)["run"]["computed"] == ["anatomy", "fit 1", "pace", "report"]


def test_on_a_terminal_the_plan_is_printed_and_the_bar_shows_the_rest(case, monkeypatch):
    class Tty(io.StringIO):
        def isatty(self):
            return True

    screen = Tty()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "dumb")
    cli.execute(["run", str(case)])
    assert "will compute: anatomy, fit 1, pace, report\n" in screen.getvalue()
    assert "pace: started" not in screen.getvalue()


def test_a_long_stage_gives_a_sign_of_life(capsys):
    tell = terminal._sign_of_life(every_s=0.0)
    tell(0.42, "induce: 3 of 9")
    assert capsys.readouterr().err == "induce: 3 of 9 (42 % of the run)\n"
    terminal._sign_of_life()(0.42, "induce: 3 of 9")
    assert capsys.readouterr().err == ""


def test_a_closed_log_does_not_stop_the_run(case, monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    assert cli.execute(["run", str(case)]) == 0


def test_nobody_listening_nothing_is_said(capsys, case):
    twin.Twin(case).run()
    assert capsys.readouterr() == ("", "")


class StopsAtFit(list):
    def append(self, stage):
        if stage == "fit":
            raise KeyboardInterrupt


def stops_at_three(context, task):
    if task == 3:
        raise KeyboardInterrupt
    return small_twin.Number(context.value * task)


@pytest.mark.parametrize(
    ("name", "stops", "told"),
    [
        ("CALLS", StopsAtFit(), "stopped during fit 1; kept: finished stages; lost: all of fit 1 so far"),
        (
            "paced",
            stops_at_three,
            "stopped during pace; kept: finished stages and, of pace, 3 of 6 computations; "
            "lost: the rest of pace so far",
        ),
    ],
)
def test_ctrl_c_says_in_one_form_what_is_kept_and_what_is_lost(capsys, case, monkeypatch, name, stops, told):
    monkeypatch.setattr(small_twin, name, stops)
    assert cli.execute(["run", str(case)]) == 75
    assert capsys.readouterr().err.splitlines()[-1] == f"cardiotwin: {told}; run again to resume"
    monkeypatch.undo()


class Reached(Exception):
    pass


def test_a_demo_that_is_there_is_gone_on_with_and_says_so(capsys, tmp_path, monkeypatch):
    def stop(*_):
        raise Reached

    monkeypatch.setattr(demo, "_phantom", stop)
    for said in ("", f"{tmp_path / 'demo'}: going on with the demo that is there"):
        with pytest.raises(Reached), terminal.progress_bar(quiet=False) as progress:
            demo.run_demo(tmp_path / "demo", progress=progress)
        assert capsys.readouterr().err.startswith(said)


def test_a_patients_twin_does_not_become_a_demo(case, monkeypatch):
    with pytest.raises(SettingsError, match="no demo"):
        demo.run_demo(case)
    assert not (case / "phantom").exists()
