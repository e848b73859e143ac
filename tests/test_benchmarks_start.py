"""Every benchmark finds what it imports: they are run by hand, so nothing else would notice."""

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
