"""The same computations on a cluster: a Dask scheduler that is there, or jobs of a SLURM or PBS queue.

A worker is a process with one thread, as it is on one machine. What ends is kept at once, here; what a dead worker had
under way is tried again elsewhere. Needs the extra `cluster`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numba

from cardiotwin.ensemble import ATTEMPTS, Function, elsewhere
from cardiotwin.errors import IntegrityError, ResourceLimit, SettingsError
from cardiotwin.sources import code_version

if TYPE_CHECKING:
    from distributed import Client, Future

PATIENCE_S = 60.0
"""How long a scheduler and its workers are waited for."""
LOOK_EVERY_S = 1.0
"""Between two looks at whether there are workers."""
FORMS = "tcp://host:8786 (or tls://), slurm:N or pbs:N for N jobs of that queue"


@contextmanager
def on_cluster(where: str, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Within this block ensembles are computed on a cluster, not in processes of this machine.

    Parameters
    ----------
    where : str
        Address of a Dask scheduler, ``"tcp://host:8786"`` or ``"tls://..."``, whose workers have one thread each and
        the same version of CardioTwin; or ``"slurm:40"``, ``"pbs:40"``: forty jobs of that queue, as Dask's own
        configuration describes them (``jobqueue.yaml``; without one a job has 1 core and 4 GiB).
    patience_s : float
        How long a scheduler and its first worker are waited for, a queue to take a job, or other workers where all
        have gone. A first job that the queue took is waited for without limit.

    Raises
    ------
    SettingsError
        Another form of address, or the extra is not installed.
    ResourceLimit
        Nothing answers there, or it has no workers.

    Examples
    --------
    >>> with ct.on_cluster("tcp://node1:8786"):  # doctest: +SKIP
    ...     arrhythmias = ct.induce(heart, posterior)
    """
    queue = re.fullmatch(r"(slurm|pbs):([1-9]\d{0,4})", where)
    if not queue and not re.fullmatch(r"(tcp|tls)://\S+", where):
        raise SettingsError(f"cluster: found {where!r}, expected {FORMS}")
    try:
        import distributed
    except ImportError as error:
        raise SettingsError("cluster: needs `pip install cardiotwin[cluster]`") from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it loses is told here, in one line
    with ExitStack() as stack:
        address = stack.enter_context(_jobs(queue[1], int(queue[2]), patience_s)) if queue else where
        try:
            client = stack.enter_context(distributed.Client(address, timeout=patience_s, set_as_default=False))
            if not queue:
                client.wait_for_workers(1, timeout=patience_s)
        except (OSError, TimeoutError, TypeError, ValueError) as error:
            raise ResourceLimit(_unreachable(where, error, patience_s)) from error
        stack.enter_context(elsewhere(_Cluster(client, where, patience_s)))
        yield


def _unreachable(where: str, error: Exception, patience_s: float) -> str:
    if isinstance(error, TypeError):  # so Dask says that it lacks certificates
        return f"cluster: {where} needs certificates; name them in Dask's configuration, distributed.comm.tls"
    if "workers" in str(error).lower():
        return f"cluster: no worker at {where} within {patience_s:g} s; start some: `dask worker {where} --nthreads 1`"
    return f"cluster: nothing answers at {where} within {patience_s:g} s; start it: `dask scheduler`, or check the host"


@contextmanager
def _jobs(kind: str, count: int, patience_s: float) -> Iterator[str]:
    """Address of a scheduler of our own whose workers are jobs of a queue."""
    import dask

    try:
        from dask_jobqueue import PBSCluster, SLURMCluster
    except ImportError as error:
        raise SettingsError("cluster: needs `pip install cardiotwin[cluster]`") from error
    command = {"slurm": "sbatch", "pbs": "qsub"}[kind]
    if shutil.which(command) is None:
        raise ResourceLimit(f"cluster: no `{command}` on this machine; run this where {kind} takes jobs")
    wanted = {"cores": 1, "memory": "4 GiB"}
    told: dict[str, Any] = {
        name: dask.config.get(f"jobqueue.{kind}.{name}", None) or usual for name, usual in wanted.items()
    }
    cluster = {"slurm": SLURMCluster, "pbs": PBSCluster}[kind](**told, processes=told["cores"])
    try:
        cluster.scale(jobs=count)
        if not _taken(cluster, patience_s):
            raise ResourceLimit(f"cluster: {command} refused a job; what it said is above. Its options: jobqueue.yaml")
        yield cluster.scheduler_address
    finally:
        with suppress(AssertionError):  # jobs that never started cannot be stopped
            cluster.close()


def _taken(cluster: Any, patience_s: float) -> bool:
    """Whether the queue took a job, which need not run yet."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if any(job.status.name == "running" for job in cluster.workers.values()):
            return True
        time.sleep(0.05)
    return False


class _Cluster:
    """Computes what `run_tasks` gives it."""

    def __init__(self, client: Client, where: str, patience_s: float) -> None:
        self.client, self.where, self.patience_s = client, where, patience_s

    def run(
        self, function: Function, context: Any, tasks: Mapping[str, Any], finished: Callable[[str, Any], None]
    ) -> None:
        suspects = self._tried(function, context, tasks, finished)
        # A dead worker is blamed on all that it had been given: each of them gets another chance, by itself.
        guilty = [name for name in suspects if self._tried(function, context, {name: tasks[name]}, finished)]
        if guilty:
            raise ResourceLimit(
                f"{len(guilty)} of {len(tasks)} computations lost their worker {ATTEMPTS} times or more "
                f"(first: {guilty[0]}); the others are kept. Give workers more memory, and run again"
            )

    def _tried(
        self, function: Function, context: Any, tasks: Mapping[str, Any], finished: Callable[[str, Any], None]
    ) -> list[str]:
        """Names of those that were given up, since their workers died too often."""
        futures = self._submitted(function, context, tasks)
        over, starved = threading.Event(), threading.Event()
        threading.Thread(target=self._watch, args=(futures, over, starved), daemon=True).start()
        try:
            return self._collected(futures, finished)
        except CancelledError as error:
            what = f"no worker left at {self.where}" if starved.is_set() else f"lost {self.where}"
            raise ResourceLimit(f"cluster: {what}; what is finished is kept, run again") from error
        finally:
            over.set()
            self._cancel(futures)

    def _cancel(self, futures: dict[str, Future]) -> None:
        self.client.cancel([future for future in list(futures.values()) if not future.done()], force=True)

    def _watch(self, futures: dict[str, Future], over: threading.Event, starved: threading.Event) -> None:
        """Where workers were and none is left, nothing would ever come: give up after a while."""
        alone_s, before = 0.0, not re.match("slurm|pbs", self.where)  # a queue may take its time with the first
        with suppress(OSError, CancelledError, asyncio.CancelledError):  # no scheduler any more: the futures say so
            while alone_s < self.patience_s:
                if over.wait(LOOK_EVERY_S):
                    return
                working = bool(self.client.nthreads())
                alone_s = 0.0 if working or not before else alone_s + LOOK_EVERY_S
                before |= working
            starved.set()
            self._cancel(futures)

    def _submitted(self, function: Function, context: Any, tasks: Mapping[str, Any]) -> dict[str, Future]:
        """One future a task, by name. The context is a task too: lost with a worker, it is made again."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
            shared = self.client.submit(_given, context, pure=False)
            computed = self.client.map(
                _computed,
                list(tasks.values()),
                function=function,
                context=shared,
                version=code_version(function),
                pure=False,
            )
        return dict(zip(tasks, computed, strict=True))

    def _collected(self, futures: dict[str, Future], finished: Callable[[str, Any], None]) -> list[str]:
        """Hands over results as they come, once each; names of the tasks whose workers died too often."""
        from distributed import KilledWorker, as_completed

        names, given_up = {future.key: name for name, future in futures.items()}, []
        for future in as_completed(list(futures.values()), loop=self.client.loop, raise_errors=False):
            name = names[future.key]
            try:
                # Lost with its worker between the two, it is computed again.
                finished(name, future.result())
            except KilledWorker:
                given_up.append(name)
            futures.pop(name)  # or the cluster would hold every result to the end
        return given_up


def _given(context: Any) -> Any:
    return context


def _computed(task: Any, *, function: Function, context: Any, version: str) -> Any:
    """One task, in a worker of the cluster."""
    _fit_to_compute(function, version)
    numba.set_num_threads(1)
    return function(context, task)


@lru_cache(maxsize=8)
def _fit_to_compute(function: Function, version: str) -> None:
    """Refuse a worker that would give another result."""
    from distributed import get_worker

    threads = get_worker().state.nthreads
    if threads != 1:
        raise SettingsError(
            f"cluster: a worker has {threads} threads, expected 1; start them with `--nworkers {threads} --nthreads 1`"
        )
    if code_version(function) != version:
        raise IntegrityError("cluster: a worker has another version of CardioTwin; install the same everywhere")
    logging.getLogger("distributed.worker").info("computes for CardioTwin")
