"""Threads that wait leave the processor to others, here and in worker processes, unless the user wants it otherwise."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import fcntl, sys
import cardiotwin
from numba import njit, prange
from cardiotwin.ensemble import run_tasks

@njit(parallel=True)
def total(n):
    found = 0
    for i in prange(n):
        found += i
    return found

def compute(context, task):
    with open(__file__) as script:
        fcntl.flock(script, fcntl.LOCK_EX)  # one tells after the other
        return total(task)

if __name__ == "__main__":
    if sys.argv[1] == "here":
        assert compute(None, 4) == 6
    else:
        assert run_tasks(compute, None, {"a": 4, "b": 5}, workers=2) == {"a": 6, "b": 10}
"""


def settings(tmp_path, where, **environment):
    """What GNU OpenMP found when it was loaded, as it tells: once for each process."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    inherited |= {"OMP_DISPLAY_ENV": "VERBOSE", "NUMBA_THREADING_LAYER": "omp", **environment}
    inherited["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, script, where], env=inherited, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    blocks = done.stderr.split("OPENMP DISPLAY ENVIRONMENT BEGIN")[1:]
    if not blocks or "GOMP_SPINCOUNT" not in blocks[0]:
        pytest.skip("not GNU OpenMP")
    lines = [[line.split("]")[-1].strip() for line in block.splitlines() if " = " in line] for block in blocks]
    return [dict(line.split(" = ", 1) for line in block) for block in lines]


@pytest.mark.parametrize(("where", "processes"), [("here", 1), ("in workers", 2)])
def test_threads_wait_a_moment_and_then_sleep(tmp_path, where, processes):
    found = settings(tmp_path, where)
    assert len(found) == processes
    assert all(one["OMP_WAIT_POLICY"] == "'PASSIVE'" for one in found)
    assert all(one["GOMP_SPINCOUNT"] == "'1000'" for one in found)


@pytest.mark.parametrize(("set_by_user", "spins"), [
    ({"OMP_WAIT_POLICY": "PASSIVE"}, "'0'"),
    ({"OMP_WAIT_POLICY": "ACTIVE"}, "'30000000000'"),
    ({"GOMP_SPINCOUNT": "77"}, "'77'"),
])  # fmt: skip
def test_what_the_user_has_set_stays(tmp_path, set_by_user, spins):
    found = settings(tmp_path, "here", **set_by_user)[0]
    assert found["GOMP_SPINCOUNT"] == spins
    wanted = set_by_user.get("OMP_WAIT_POLICY", "PASSIVE")
    assert found["OMP_WAIT_POLICY"] == f"'{wanted}'"
