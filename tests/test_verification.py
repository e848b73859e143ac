"""What `cardiotwin verify` asks and how it tells: bars, tables, one object for machines."""

import json
import re

import pytest

from cardiotwin import cli, terminal, verification
from cardiotwin.progress import silent
from cardiotwin.verification import exact
from cardiotwin.verification.rows import at_most, between, row

KEYS = {"name", "value", "unit", "bar", "ok", "note"}


def test_a_bar_that_nothing_asked_for_is_neither_kept_nor_missed():
    assert row("a", 1.0, "ms")["ok"] is None
    assert [between("a", value, "", 1.0, 2.0)["ok"] for value in (0.9, 1.0, 2.1)] == [False, True, False]
    assert [at_most("a", value, "%", 3.0)["ok"] for value in (-3.1, -2.9, float("nan"))] == [False, True, False]


@pytest.mark.parametrize(("power", "ok"), [(1.0, False), (2.0, True), (3.0, False)])
def test_an_order_is_bounded_on_both_sides(monkeypatch, power, ok):
    monkeypatch.setattr(exact, "pathmanathan_gray_error", lambda dimension, n, **how: 3.0 * n**-power)
    found = {one["name"]: one for one in exact.order_rows(silent)}
    schemes = {f"order/{n}d/{scheme}" for n in (1, 3) for scheme in ("stabilised", "implicit")}
    assert set(found) == {"order/1d", "order/2d", "order/3d"} | schemes
    for one in found.values():
        assert one["value"] == pytest.approx(power)
        assert one["ok"] is ok


def test_a_quick_verification_leaves_out_what_is_long(monkeypatch):
    told = []

    def job(name, long=False):
        return verification.Job(lambda progress: [row(name, 1.0, "")], 10.0, long)

    monkeypatch.setattr(verification, "JOBS", (job("order/1d"), job("niederer/reference", long=True)))
    assert [one["name"] for one in verification.verify(quick=True)] == ["order/1d"]
    rows = verification.verify(progress=lambda fraction, what: told.append(fraction))
    assert [one["name"] for one in rows] == ["order/1d", "niederer/reference"]
    assert told == [0.5, 1.0]


def test_all_is_verified_unless_quick_and_every_table_has_a_title():
    assert not any(job.long for job in verification.JOBS[:-4])
    assert [job.long for job in verification.JOBS[-4:]] == [True] * 4
    assert {"order", "velocity", "cell", "precision", "threads", "niederer"} == set(verification.TITLES)


@pytest.fixture
def measured(monkeypatch):
    rows = [
        row("order/1d", 2.0512345, "", "1.9 to 2.2", True),
        row("niederer/dx0.5_dt0.05/P2", 112.61, "ms", note="TorchCor, lumped mass: 112.6"),
        row("niederer/dx0.5_dt0.05/P8", float("nan"), "ms", "126 within 2 %", False),
    ]
    asked = []
    monkeypatch.setattr(verification, "verify", lambda quick, progress: asked.append(quick) or rows)
    return asked


def test_tables_are_grouped_and_what_has_no_bar_is_not_marked(capsys, measured):
    assert cli.execute(["verify"]) == 4
    out, err = capsys.readouterr()
    assert re.search(r"Exact solutions.*\nname.*\norder/1d +2\.051 +1\.9 to 2\.2 +yes", out)
    assert re.search(r"P2 +112\.6 +ms +TorchCor", out)
    assert re.search(r"P8 +none +ms +126 within 2 % +NO", out)
    assert err == "cardiotwin: 1 of 2 bars missed: niederer/dx0.5_dt0.05/P8\n"
    assert measured == [False]


def test_for_machines_it_is_one_object_also_when_a_bar_is_missed(capsys, measured):
    assert cli.execute(["verify", "--quick", "--json"]) == 4
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert set(found) == {"machine", "rows"}
    assert all(set(one) == KEYS for one in found["rows"])
    assert [one["ok"] for one in found["rows"]] == [True, None, False]
    assert err.count("\n") == 1
    assert measured == [True]


def test_help_says_how_long_it_takes(capsys):
    assert cli.execute(["verify", "--help"]) == 0
    assert re.search(r"\d+ minutes", " ".join(capsys.readouterr().out.split()))


def test_a_refusal_that_was_not_told_is_an_object_of_its_own(capsys):
    def command():
        raise cli.QualityGate("no")

    assert terminal.guarded(command, json_wanted=True) == 4
    assert json.loads(capsys.readouterr().out)["error"]["code"] == 4
