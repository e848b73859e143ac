"""A run says what it will compute, and a log of it shows life; the result on standard output stays clean."""

import io
import json
import re
import sys
import time

import pytest
import small_twin
from small_twin import electrodes_file, layout, new_twin

from cardiotwin import cli, demo, terminal
from cardiotwin.compiled import say_when_compiling
from cardiotwin.errors import SettingsError
from cardiotwin.progress import DOING, PLAN
from cardiotwin.standing import Standing
from cardiotwin.twin import twin

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


class Tty(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_the_plan_is_printed_and_the_bar_shows_the_rest(case, monkeypatch):
    monkeypatch.setattr(sys, "stderr", screen := Tty())
    monkeypatch.setenv("TERM", "dumb")
    cli.execute(["run", str(case)])
    assert "will compute: anatomy, fit 1, pace, report\n" in screen.getvalue()
    assert "pace: started" not in screen.getvalue()


def test_on_a_terminal_something_moves_from_the_start_and_says_what_is_done(monkeypatch):
    monkeypatch.setattr(sys, "stderr", screen := Tty())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with terminal.progress_bar(quiet=False) as progress:
        time.sleep(0.25)
        assert re.search(r"0%.*starting", screen.getvalue())
        progress(0.5, "calibrate: table of sites")
        DOING.info("compiling solve")
        before = len(screen.getvalue())
        time.sleep(0.45)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", screen.getvalue()[before:]).replace("\n", "")
    frames = re.findall(r"([-|/\\]) [^%]*50% 0:00:0\d +calibrate: table of sites, compiling solve", plain)
    assert len(set(frames)) > 1, plain


def test_a_log_gets_a_line_now_and_then_while_a_stage_says_nothing(capsys):
    standing = Standing()
    log = terminal._Log(standing, every_s=0.05)
    standing.report(0.42, "induce: 3 of 9")
    with log.watched():
        time.sleep(0.3)
    lines = capsys.readouterr().err.splitlines()
    assert set(lines) == {"induce: 3 of 9 (42 % of the run)"}
    assert lines


def test_what_is_said_anyway_puts_the_next_line_off_and_so_does_a_long_run(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    log = terminal._Log(Standing())
    clock[0] = 29.0
    log.tell("segment: done, 29.0 s")
    clock[0] = 58.0
    assert not log.is_due()
    clock[0] = 60.0
    assert log.is_due()
    clock[0] = 36_000.0
    log.tell("induce: 40 of 70")
    clock[0] += 600.0
    assert not log.is_due(), "a night's log is not thousands of lines"
    clock[0] += 1400.0
    assert log.is_due()


@pytest.mark.parametrize(("shares", "left"), [([0.25], "about 5 min left"), ([0.1, 0.5], "about 2 min left")])
def test_the_time_left_goes_by_the_pace_so_far(monkeypatch, shares, left):
    clock = [1000.0]
    monkeypatch.setattr("cardiotwin.standing.time.monotonic", lambda: clock[0])
    standing = Standing()
    for share in shares:
        clock[0] += 100.0 / len(shares)
        standing.report(share, "compare: 2 of 8")
    assert left in standing.line
    standing.detail("compiling advance")
    assert standing.line.startswith(f"compare: 2 of 8, compiling advance ({100 * shares[-1]:.0f} % of the run")
    standing.report(0.0, "pace: starting")
    assert standing.fraction == shares[-1], "a bar does not go back"
    clock[0] += 1000.0
    assert standing.left == "", "what should be over by now is not said to take no time"


def test_what_is_compiled_is_said_while_it_is_compiled(capsys):
    import numba

    @numba.njit
    def inner(x):
        return x + 1

    @numba.njit
    def outer(x):
        return 2 * inner(x)

    said = []
    say_when_compiling()
    with terminal.progress_bar(quiet=False):
        handler = next(one for one in PLAN.handlers if isinstance(one, terminal._Handler))
        handler.standing.detail = said.append
        outer(1.5)
        outer(2.5)
    assert said == ["compiling outer", ""]


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
