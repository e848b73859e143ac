"""Many runs: is every result there once, whatever dies, and what does handing out a task cost?

    python benchmarks/ensemble.py [--json] [--only processes,cluster] [--cases 10000]

Groups: processes (of this machine), cluster (a Dask scheduler and workers on this machine; extra `cluster`). In each a
worker is killed for every twentieth result, and one task in a hundred was finished by an earlier run.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from table import Group, Row, row, show_groups

from cardiotwin.ensemble import cores, run_tasks

KILL_EVERY, EARLIER_EVERY = 20, 100
WORK_S = 0.002
"""Of processor time, in a task."""


@dataclass(frozen=True)
class Draw:
    """What a task returns."""

    number: float
    sequence: tuple[float, ...]


def draw(seed: int, task: int) -> Draw:
    """Some random numbers that only the task decides, after some work."""
    until = time.process_time() + WORK_S
    while time.process_time() < until:
        pass
    stream = random.Random(f"{seed} {task}")
    return Draw(float(task), tuple(stream.random() for _ in range(8)))


def digest(results: dict[str, Draw]) -> str:
    """Of all results in the order of the tasks."""
    return hashlib.sha256(
        json.dumps([(name, one.number, one.sequence) for name, one in results.items()]).encode()
    ).hexdigest()


class Killer:
    """Progress that kills a worker for every so many results."""

    def __init__(self, victims: Callable[[], Iterable[int]]) -> None:
        self.victims, self.stream = victims, random.Random(1)
        self.results = self.kills = 0

    def __call__(self, share: float, text: str = "") -> None:
        """Called once for every result."""
        self.results += 1
        alive = sorted(self.victims())
        if self.results % KILL_EVERY == 0 and alive:
            with suppress(ProcessLookupError):
                os.kill(self.stream.choice(alive), signal.SIGKILL)
                self.kills += 1


def workers() -> set[int]:
    """Processes below this one that compute."""
    here = Path("/proc/self/task")
    below = {int(pid) for thread in here.iterdir() for pid in (thread / "children").read_text().split()}
    return {pid for pid in below if "spawn_main" in command(pid)}


def command(pid: int) -> str:
    """Of a process; nothing where it has gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def rows(
    where: str, place: AbstractContextManager[object], victims: Callable[[], set[int]], count: int
) -> Iterable[Row]:
    """Serial, then there while workers die, and what a task costs there when none does."""
    tasks = {f"run{number}": number for number in range(count)}
    expected = digest(run_tasks(draw, 7, tasks, workers=1))
    with place, tempfile.TemporaryDirectory() as name:
        kept, killer = Path(name), Killer(victims)
        run_tasks(draw, 7, {one: tasks[one] for one in list(tasks)[::EARLIER_EVERY]}, folder=kept, kind=Draw, workers=1)
        delivered = len(list(kept.iterdir()))
        start = time.perf_counter()
        found = run_tasks(draw, 7, tasks, folder=kept, kind=Draw, progress=killer)
        taken = time.perf_counter() - start
        again = killer.results - 1 - (count - delivered)  # the first call reports nothing yet
        same = digest(found) == expected and len(list(kept.iterdir())) == count
        note = f"{killer.kills} workers killed, {delivered} finished earlier; {again} results twice; {taken:.0f} s"
        yield row(
            f"{where}: {count} tasks, every result once and as in one process",
            float(same and not again),
            "",
            1.0,
            same and not again,
            note,
        )
        start = time.perf_counter()
        run_tasks(draw, 7, tasks)
        cost = (time.perf_counter() - start) / count - WORK_S / cores()
        yield row(
            f"{where}: handing out a task, none dying, nothing kept",
            1e3 * cost,
            "ms",
            note="start of the workers included",
        )


def processes(count: int) -> Iterable[Row]:
    """Worker processes of this machine."""
    return rows("processes", nullcontext(), workers, count or 10_000)


def cluster(count: int) -> Iterable[Row]:
    """Workers of a Dask scheduler on this machine, each below a process that starts it anew."""
    try:
        import dask
        from distributed import LocalCluster
    except ImportError:
        yield row("cluster: every result once", None, "", note="skipped: the extra `cluster` is not installed")
        return
    from cardiotwin.cluster import on_cluster

    # Its keeper of workers takes one that is killed again within 15 s for lost, and does not start it anew.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    with LocalCluster(n_workers=cores(), threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local:

        def running() -> set[int]:
            # What starts workers anew gives up when one dies while it starts.
            nannies = [one for one in local.workers.values() if one.process is not None]
            return {one.pid for one in nannies if one.process.status.name == "running" and one.pid}

        yield from rows("cluster", on_cluster(local.scheduler_address), running, count or 1000)


GROUPS: dict[str, Group] = {"processes": processes, "cluster": cluster}


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    show_groups(__doc__, GROUPS, "10,000 tasks in processes, 1,000 on a cluster")


if __name__ == "__main__":
    main()
