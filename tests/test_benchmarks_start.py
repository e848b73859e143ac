"""Every benchmark finds what it imports: they are run by hand, so nothing else would notice."""

import importlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "benchmarks"
IMPORT_ALL = """
import importlib, pathlib, sys
folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
for script in sorted(folder.glob("*.py")):
    importlib.import_module(script.stem)
    print(script.stem)
"""


def test_every_benchmark_can_be_imported():
    found = subprocess.run([sys.executable, "-c", IMPORT_ALL, str(FOLDER)], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-2000:]
    assert {"anatomy", "monodomain", "against_peers"} <= set(found.stdout.split())


ROWS = """
import sys, time
sys.path.insert(0, sys.argv[1])
from table import row, show
def rows():
    yield row("quick", 1.0, "s", 2.0, True)
    time.sleep(60.0)
show([rows()], as_json=True)
"""


def test_a_benchmark_that_is_stopped_prints_the_rows_it_has_and_says_that_they_are_not_all():
    with subprocess.Popen(
        [sys.executable, "-c", ROWS, str(FOLDER)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert "quick" in started.stderr.readline()
        started.terminate()
        told = json.loads(started.communicate(timeout=30)[0])
    assert started.returncode != 0
    assert told["complete"] is False
    assert [one["name"] for one in told["rows"]] == ["quick"]


@dataclass(frozen=True)
class Squared:
    number: int


def squared(context: int, task: int) -> Squared:
    with (Path(tempfile.gettempdir()) / f"counted-{context}").open("a") as file:
        file.write("x")
    return Squared(task * task)


def test_kept_cases_are_computed_once_unless_a_source_changes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cases = importlib.import_module("cases")
    counted = tmp_path / "counted-1"

    def compute(numbers):
        tasks = {f"case_{one}": one for one in numbers}
        with cases.kept_in(tmp_path / "kept"):
            return [one.number for one in cases.computed("squares", squared, 1, tasks, Squared, workers=1)]

    assert compute([2, 3]) == [4, 9]
    assert compute([2, 3, 4]) == [4, 9, 16]
    assert len(counted.read_text()) == 3
    monkeypatch.setattr(cases, "__file__", str(tmp_path / "elsewhere" / "cases.py"))
    assert compute([2]) == [4]
    assert len(counted.read_text()) == 4, "other sources"
