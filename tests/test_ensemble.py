"""Many computations: each once, in order, whatever dies."""

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cardiotwin.ensemble import run_tasks
from cardiotwin.errors import InputRejected, Interrupted, ResourceLimit
from cardiotwin.progress import DOING, doing

TASKS = {f"task{i}": i for i in (5, 3, 8, 1)}


@dataclass(frozen=True, eq=False)
class Square:
    value: float
    threads: str
    worker: int


def square(context: Path, task: int) -> Square:
    with (context / f"calls{task}").open("a") as file:
        file.write("x")
    return Square(float(task) ** 2, os.environ.get("NUMBA_NUM_THREADS", ""), os.getpid())


def dies_once_on_three(context: Path, task: int) -> Square:
    if task == 3 and not (context / "died").exists():
        (context / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(context, task)


def always_dies_on_three(context: Path, task: int) -> Square:
    result = square(context, task)
    if task == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    return result


def refuses_three(context: Path, task: int) -> Square:
    if task == 3:
        raise InputRejected("three: found 3, expected anything else")
    return square(context, task)


def stops_at_eight(context: Path, task: int) -> Square:
    if task == 8:
        raise KeyboardInterrupt
    return square(context, task)


def calls(folder: Path) -> dict[int, int]:
    return {
        task: len((folder / f"calls{task}").read_text())
        for task in TASKS.values()
        if (folder / f"calls{task}").exists()
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(tmp_path, workers):
    results = run_tasks(square, tmp_path, TASKS, workers=workers)
    assert [(name, result.value) for name, result in results.items()] == [(name, i**2) for name, i in TASKS.items()]


def test_workers_are_other_processes_with_one_thread_each(tmp_path):
    before = os.environ.get("NUMBA_NUM_THREADS")
    results = run_tasks(square, tmp_path, TASKS, workers=2).values()
    assert {result.threads for result in results} == {"1"}
    assert os.getpid() not in {result.worker for result in results}
    assert os.environ.get("NUMBA_NUM_THREADS") == before


def test_one_worker_is_this_process(tmp_path):
    assert {result.worker for result in run_tasks(square, tmp_path, TASKS, workers=1).values()} == {os.getpid()}


def test_what_is_kept_is_not_computed_again(tmp_path):
    kept = tmp_path / "kept"
    first = run_tasks(square, tmp_path, {"task5": 5, "task3": 3}, workers=1, folder=kept, kind=Square)
    both = run_tasks(square, tmp_path, TASKS, workers=1, folder=kept, kind=Square)
    assert calls(tmp_path) == {5: 1, 3: 1, 8: 1, 1: 1}
    assert list(both) == list(TASKS)
    assert both["task5"] == Square(**vars(first["task5"])) or vars(both["task5"]) == vars(first["task5"])


def test_a_damaged_kept_result_is_computed_again(tmp_path):
    kept = tmp_path / "kept"
    run_tasks(square, tmp_path, TASKS, workers=1, folder=kept, kind=Square)
    (kept / "task8" / "value.json").write_text('{"value": 0.0, "threads": "", "worker": 0}')
    assert run_tasks(square, tmp_path, TASKS, workers=1, folder=kept, kind=Square)["task8"].value == 64.0


def test_a_dead_workers_task_is_tried_again(tmp_path):
    results = run_tasks(dies_once_on_three, tmp_path, TASKS, workers=2)
    assert results["task3"].value == 9.0
    assert (tmp_path / "died").exists()


def test_a_task_that_kills_three_workers_is_given_up_after_the_others_are_kept(tmp_path):
    kept = tmp_path / "kept"
    with pytest.raises(ResourceLimit, match=r"1 of 4 computations .* 3 times \(first: task3, killed by SIGSEGV\)"):
        run_tasks(always_dies_on_three, tmp_path, TASKS, workers=2, folder=kept, kind=Square)
    assert {path.name for path in kept.iterdir()} == {"task5", "task8", "task1"}
    assert calls(tmp_path)[3] == 3


def says_what_it_does(context: Path, task: int) -> Square:
    doing(0.0, f"squaring {task}")
    return square(context, task)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_worker_does_is_heard_here(tmp_path, caplog, workers):
    caplog.set_level(logging.INFO, DOING.name)
    results = run_tasks(says_what_it_does, tmp_path, TASKS, workers=workers)
    assert [result.value for result in results.values()] == [25.0, 9.0, 64.0, 1.0]
    assert sorted(caplog.messages) == ["squaring 1", "squaring 3", "squaring 5", "squaring 8"]


def test_progress_starts_at_once_and_counts_what_is_computed_now(tmp_path):
    kept, told = tmp_path / "kept", []
    run_tasks(square, tmp_path, {"task5": 5, "task3": 3}, workers=1, folder=kept, kind=Square)
    run_tasks(square, tmp_path, TASKS, workers=1, folder=kept, kind=Square, progress=lambda *heard: told.append(heard))
    assert told == [(0.0, "2 of 4"), (0.5, "3 of 4"), (1.0, "4 of 4")]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_refusal_in_a_task_is_the_callers_refusal(tmp_path, workers):
    with pytest.raises(InputRejected, match="three: found 3"):
        run_tasks(refuses_three, tmp_path, TASKS, workers=workers)


def test_an_interrupted_run_says_how_far_it_was_and_resumes(tmp_path):
    kept = tmp_path / "kept"
    with pytest.raises(Interrupted, match="kept: 2 of 4 computations; lost: those under way; run again"):
        run_tasks(stops_at_eight, tmp_path, TASKS, workers=1, folder=kept, kind=Square)
    run_tasks(square, tmp_path, TASKS, workers=1, folder=kept, kind=Square)
    assert calls(tmp_path) == {5: 1, 3: 1, 8: 1, 1: 1}


def test_an_interrupted_run_without_a_folder_does_not_claim_to_have_kept_anything(tmp_path):
    with pytest.raises(Interrupted, match="kept: nothing; lost: all 2 of 4 computations that were finished"):
        run_tasks(stops_at_eight, tmp_path, TASKS, workers=1)


def test_a_name_that_would_leave_the_folder_is_a_bug(tmp_path):
    with pytest.raises(ValueError, match="cannot name a folder"):
        run_tasks(square, tmp_path, {"../out": 1}, workers=1, folder=tmp_path / "kept", kind=Square)


ORPHANAGE = """
import os, signal, sys, time
from pathlib import Path
from cardiotwin.ensemble import run_tasks

def sleep(context, task):
    (context / f"worker{task}").write_text(str(os.getpid()))
    time.sleep(60)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it runs in the background
    run_tasks(sleep, Path(sys.argv[1]), {"a": 0, "b": 1}, workers=2)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_parent(tmp_path, how):
    script = tmp_path / "orphanage.py"
    script.write_text(ORPHANAGE)
    parent = subprocess.Popen([sys.executable, script, tmp_path], stderr=subprocess.DEVNULL)
    workers = [wait_for(lambda i=i: number_in(tmp_path / f"worker{i}")) for i in range(2)]
    parent.send_signal(how)
    parent.wait(timeout=20)
    wait_for(lambda: not any(is_alive(worker) for worker in workers))


def number_in(path: Path) -> int:
    return int(path.read_text() or 0) if path.exists() else 0


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(found, seconds: float = 90.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_arrays_survive_the_way_through_a_process(tmp_path):
    results = run_tasks(halves, np.arange(1e5), {"a": 2.0, "b": 4.0}, workers=2)
    assert np.array_equal(results["b"], np.arange(1e5) / 4.0)


def halves(context: np.ndarray, task: float) -> np.ndarray:
    return context / task
