"""Does a cluster give the same answer as one machine, and what does it save?

The study of `plan_by_hand.py` computed in this process, then by the workers of a Dask scheduler, here two on this
machine; the address of a real one, or `slurm:40`, in its place is all that changes. About a minute and a half; needs
`pip install cardiotwin[cluster]`:

    python examples/study_on_cluster.py            # or: tcp://node1:8786, slurm:40, pbs:40
"""

from __future__ import annotations

import runpy
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cardiotwin as ct
from cardiotwin.comparison.results import Comparison

STUDY = "plan_by_hand.py"


@contextmanager
def two_workers() -> Iterator[str]:
    """The address of a scheduler of our own; each of its workers is a process with one thread, as it must be."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local:
        yield local.scheduler_address


def timed(study: Callable[..., Any]) -> tuple[Comparison, float]:
    """A study's comparison, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        comparison = study(Path(folder))[-1]
    return comparison, time.perf_counter() - start


def both(where: str | None) -> dict[str, tuple[Comparison, float]]:
    """The study here and there."""
    study = runpy.run_path(str(Path(__file__).with_name(STUDY)))["study"]
    found = {"this process": timed(study)}
    if where is None:
        with two_workers() as address, ct.on_cluster(address):
            return found | {"two workers of Dask": timed(study)}
    with ct.on_cluster(where):
        return found | {where: timed(study)}


def main() -> None:
    if len(sys.argv) > 2:
        sys.exit("usage: python examples/study_on_cluster.py [tcp://HOST:PORT|slurm:N|pbs:N]")
    found = both(sys.argv[1] if len(sys.argv) == 2 else None)
    here, there = (comparison for comparison, _ in found.values())
    print(here)
    for where, (_, taken) in found.items():
        print(f"{where:24} {taken:6.1f} s")
    print("the same to the last digit" if str(here) == str(there) and here == there else "NOT the same")


if __name__ == "__main__":
    main()
