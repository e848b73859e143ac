"""Every benchmark finds what it imports: they are run by hand, so nothing else would notice."""

import json
import subprocess
import sys
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
