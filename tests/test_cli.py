"""The command line: exit codes, one line for a refusal, JSON for machines, no traceback for anything deliberate."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_twin import electrodes_file

from cardiotwin import cli, errors, printed_results, terminal

COMMANDS = (
    *("demo", "new", "add", "remove", "run", "status", "export", "verify", "doctor", "settings"),
    "cell",
    *("segment", "mesh", "simulate", "calibrate", "screen", "induce", "plan", "compare", "report"),
)


def refused(capsys, *arguments: str) -> tuple[int, str]:
    code = cli.execute(list(arguments))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert "Traceback" not in captured.err
    return code, captured.err


@pytest.fixture
def case(tmp_path, capsys):
    folder = tmp_path / "case"
    assert cli.execute(["new", str(folder)]) == 0
    capsys.readouterr()
    return folder


def test_every_command_has_help_with_an_example(capsys):
    for command in COMMANDS:
        assert cli.execute([command, "--help"]) == 0
        assert f"Example: cardiotwin {command}" in capsys.readouterr().out.replace("\n", " ")


def test_no_command_is_listed_that_is_not_tested_here(capsys):
    cli.execute(["--help"])
    listed = re.findall(r"^[│|] ([a-z]+) ", capsys.readouterr().out, flags=re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["run"], ["run", "x", "--until", "nonsense"], ["new", "x", "--preset", "odd"], ["add", "x"]],
)
def test_wrong_usage_is_2(capsys, arguments):
    assert refused(capsys, *arguments)[0] == 2


@pytest.mark.parametrize("command", ["status", "settings"])
@pytest.mark.parametrize("name", [".", "nosuchcase"])
def test_a_folder_that_is_no_twin_is_2_and_says_what_to_do(capsys, tmp_path, command, name):
    code, line = refused(capsys, command, str(tmp_path / name))
    assert (code, "not a twin" in line, "cardiotwin new" in line) == (2, True, True)


def test_an_unknown_key_in_twin_toml_is_2_and_named(capsys, case):
    with (case / "twin.toml").open("a") as file:
        file.write("speed = 3\n")
    code, line = refused(capsys, "run", str(case))
    assert (code, "`compare.speed`" in line) == (2, True)


def test_thresholds_in_the_wrong_order_are_2_and_nothing_but_the_two_is_shown(capsys, case):
    text = (case / "twin.toml").read_text()
    (case / "twin.toml").write_text(text.replace("border_zone_threshold = 0.4", "border_zone_threshold = 0.7", 1))
    code, line = refused(capsys, "settings", str(case))
    expected = "twin.toml: `segment`: border_zone_threshold 0.7 must lie below core_threshold 0.6"
    assert (code, line) == (2, f"cardiotwin: {expected}\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.dcm", b""),
        ("short.dcm", b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04"),
        ("odd.xyz", b"hello"),
        ("plan.toml", b"name = 'x'\nlesions = 3\n"),
        ("ecg.csv", b"this is, not an ECG\n1,2\n"),
        ("labels.nii", b"no header"),
    ],
)
def test_bad_input_is_3_in_one_line_and_the_twin_is_unchanged(capsys, case, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    before = everything(case)
    code, line = refused(capsys, "add", str(case), str(tmp_path / name))
    assert code == 3
    assert name in line
    assert everything(case) == before


def everything(folder: Path) -> dict[str, bytes]:
    """All that matters in a twin; SQLite's own bookkeeping and the lock are not part of it."""
    aside = ("lock", "twin.db-wal", "twin.db-shm")
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name not in aside
    }


def test_a_stage_that_wants_an_input_is_4_and_says_which(capsys, case):
    code, line = refused(capsys, "calibrate", str(case))
    assert code == 4
    assert "12-lead ECG" in line


def test_a_run_that_can_compute_nothing_is_4_and_says_what_to_add(capsys, case):
    code, line = refused(capsys, "run", str(case))
    assert code == 4
    assert all(missing in line for missing in ("nothing can be computed yet", "imaging", "12-lead ECG"))


def test_a_twin_in_use_is_5_and_names_the_holder(capsys, case):
    from cardiotwin.storage.lock import locked

    with locked(case / "lock"):
        code, line = refused(capsys, "run", str(case))
    assert (code, f"process {os.getpid()}" in line) == (5, True)


def test_a_damaged_database_is_6(capsys, case):
    (case / "twin.db").write_bytes(b"not a database at all" * 500)
    for side in ("twin.db-wal", "twin.db-shm"):
        (case / side).unlink(missing_ok=True)
    assert refused(capsys, "status", str(case))[0] == 6


@pytest.mark.parametrize("kind", [kind for kind in vars(errors).values() if isinstance(kind, type)])
def test_every_deliberate_error_exits_with_its_code(capsys, kind):
    def command():
        raise kind("what: found this, expected that. Do so")

    assert terminal.guarded(command, json_wanted=False) == kind.exit_code
    assert capsys.readouterr().err == "cardiotwin: what: found this, expected that. Do so\n"


def test_a_full_disk_and_no_memory_are_5(capsys):
    def no_space():
        raise OSError(28, "No space left on device", "x")

    def no_memory():
        raise MemoryError

    assert [terminal.guarded(command, False) for command in (no_space, no_memory)] == [5, 5]


def test_a_bug_is_not_hidden():
    def command():
        raise KeyError("bug")

    with pytest.raises(KeyError):
        terminal.guarded(command, json_wanted=False)


def test_a_message_stays_on_one_line_whatever_is_in_it(capsys):
    def command():
        raise errors.InputRejected("file\n\x1b[31mred\0" + "x" * 1000)

    terminal.guarded(command, json_wanted=False)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert "\0" not in line
    assert len(line) < 520


def test_json_is_one_object_also_for_a_refusal(capsys, case):
    assert cli.execute(["status", str(case), "--json"]) == 0
    assert {step["name"] for step in json.loads(capsys.readouterr().out)["steps"]} >= {"segment", "report"}
    assert cli.execute(["run", str(case / "nowhere"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == 2


def test_json_has_no_nan(capsys):
    terminal.say_json({"a": float("nan"), "b": [float("inf"), 1.0]})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.0]}


def test_settings_lists_every_key_of_twin_toml(capsys, case):
    import tomllib

    assert cli.execute(["settings", str(case), "--json"]) == 0
    listed = {(key["section"], key["name"]) for key in json.loads(capsys.readouterr().out)["settings"]}
    table = tomllib.loads((case / "twin.toml").read_text())
    assert listed == {(section, key) for section, part in table.items() for key in part}


@pytest.mark.parametrize("preset", ["default", "demo", "full"])
def test_a_written_preset_reads_back_as_it_is(tmp_path, preset):
    from cardiotwin.presets import preset as settings_of
    from cardiotwin.settings import read_settings

    assert cli.execute(["new", str(tmp_path / "case"), "--preset", preset]) == 0
    assert read_settings(tmp_path / "case" / "twin.toml") == settings_of(preset)


def test_adding_and_status_tell_what_when_and_how_old(capsys, case, tmp_path):
    assert cli.execute(["add", str(case), str(electrodes_file(tmp_path, 3.0)), "--at", "2026-01-02T03:04+01:00"]) == 0
    assert "added electrodes: CSV, 9 positions (2026-01-02T02:04:00+00:00)" in capsys.readouterr().out
    assert cli.execute(["add", str(case), str(electrodes_file(tmp_path, 3.0))]) == 0
    assert "nothing new" in capsys.readouterr().out
    cli.execute(["status", str(case)])
    assert re.search(r"electrodes +CSV, 9 positions +2026-01-02T02:04:00\+00:00 +\d+ d +yes ", capsys.readouterr().out)


def test_status_of_an_empty_twin_says_once_what_is_missing_and_invents_no_seconds(capsys, case):
    assert cli.execute(["status", str(case)]) == 0
    told = capsys.readouterr().out
    assert told.count("cardiotwin add CASE FOLDER") == 1
    assert re.search(r"segment +missing +needs imaging\n", told)
    assert "0.0" not in told
    cli.execute(["status", str(case), "--json"])
    assert {step["seconds"] for step in json.loads(capsys.readouterr().out)["steps"]} == {None}


def test_no_path_of_a_source_is_kept(capsys, case, tmp_path):
    """Folder and file names carry patients' names."""
    (tmp_path / "DOE^JANE").mkdir()
    cli.execute(["add", str(case), str(electrodes_file(tmp_path / "DOE^JANE", 3.0))])
    assert not any(b"DOE^JANE" in content for content in everything(case).values())


def test_a_plan_of_a_comparison_is_a_row(capsys):
    from dataclasses import replace

    from small_study import small_comparison

    from cardiotwin.ablation.plan_checks import PlanCheck

    check = PlanCheck("isthmus", 0.2, 1.05, 3.04, 4, ("1 gap between neighbouring points",))
    comparison = small_comparison()
    first = replace(comparison.plans[0], ablated_ml=1.25, ablated_ml_low=1.0, ablated_ml_high=1.5, check=check)
    comparison = replace(comparison, plans=(first, *comparison.plans[1:]))
    printed_results.print_comparison(comparison)
    told = capsys.readouterr().out
    assert re.search(r"1 +isthmus +0\.91 +0 of 9 +0 +1\.25 \(1\.00 to 1\.50\)", told)
    assert re.search(r"isthmus +0\.20 +1\.05 +3\.0 +4\n", told)
    assert "isthmus: 1 gap between neighbouring points\n" in told
    assert "isthmus beats homogenise in 1 of 3 admissible twins, loses in 0.\n" in told
    assert "homogenise beats" not in told
    assert "What decides between isthmus and homogenise cannot be told from 3 different draws" in told


def test_the_answer_on_the_terminal_says_what_it_rests_on(capsys):
    printed_results.print_answer(
        {"headline": "Preferred plan: x", "sentence": "It is small.", "caveats": ["2 of 3 draws."]}
    )
    assert capsys.readouterr().out == "Preferred plan: x. It is small.\n- 2 of 3 draws.\n"


def run_cli(*arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "cardiotwin", *arguments], stderr=subprocess.PIPE, **options)


def test_a_reader_that_has_gone_is_no_error():
    read, write = os.pipe()
    os.close(read)
    process = run_cli("settings", stdout=write)
    os.close(write)
    assert (process.communicate()[1], process.returncode) == (b"", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_75_and_one_line(number):
    script = (
        "import sys, time\nfrom cardiotwin import terminal\n"
        "def command():\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "sys.exit(terminal.guarded(command, False))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    start = time.monotonic()
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    told = "cardiotwin: stopped; kept: what was finished before; lost: what this command was at; run again to resume\n"
    assert (process.returncode, error) == (75, told.encode())
    assert time.monotonic() - start < 30


def test_the_start_waits_for_no_heavy_library():
    heavy = [
        "numba",
        "scipy",
        "numpy",
        "vtk",
        "pyvista",
        "SimpleITK",
        "matplotlib",
        "plotly",
        "wfdb",
        "pydicom",
        "pydantic",
        "myokit",
    ]
    script = f"import sys, cardiotwin.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


def test_the_doctor_says_what_this_machine_has(capsys):
    assert cli.execute(["doctor", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in answer["rows"]}
    assert set(rows["cores"]) == {"name", "value", "unit", "bar", "ok", "note"}
    assert rows["numpy"]["value"] == np.__version__
    assert rows["cores"]["value"] >= 1


@pytest.mark.parametrize("command", ["status", "plan", "report", "run"])
def test_without_a_twin_the_command_says_how_to_name_one(capsys, command):
    code, line = refused(capsys, command)
    assert (code, f"`cardiotwin {command} CASE`, `.` for the one you are in" in line) == (2, True)
