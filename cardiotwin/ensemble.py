"""Many independent computations on a few processes, or elsewhere, none computed twice."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from cardiotwin.compiled import say_when_compiling
from cardiotwin.errors import CardioTwinError, IntegrityError, ResourceLimit, stopped
from cardiotwin.progress import DOING, Progress, silent
from cardiotwin.storage import store

ATTEMPTS = 3
"""How often a task may lose its worker before it is given up, and how many workers in a row may die while starting."""

Function = Callable[[Any, Any], Any]


class Engine(Protocol):
    """What computes tasks in another place than this machine's processes."""

    def run(
        self, function: Function, context: Any, tasks: Mapping[str, Any], finished: Callable[[str, Any], None]
    ) -> None:
        """Hand each result to ``finished(name, result)`` as it comes, once; raise what `run_tasks` raises."""


_ELSEWHERE: ContextVar[Engine | None] = ContextVar("engine", default=None)


@contextmanager
def elsewhere(engine: Engine) -> Iterator[None]:
    """Within this block, `run_tasks` leaves the computing to this engine."""
    token = _ELSEWHERE.set(engine)
    try:
        yield
    finally:
        _ELSEWHERE.reset(token)


def run_tasks(
    function: Function,
    context: Any,
    tasks: Mapping[str, Any],
    *,
    workers: int = 0,
    folder: Path | None = None,
    kind: Any = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """``{name: function(context, task)}`` for every task, in the order of `tasks`.

    Parameters
    ----------
    function
        At the top level of a module, so that another process finds it.
    context
        What every task shares (a heart, settings); sent to each process once.
    tasks : mapping of str to Any
        By name; a name is letters, digits, ``_``, ``-`` and ``.`` when there is a `folder`.
    workers : int
        Processes; 0: one per core; 1: none but this one. Each computes on one thread. Within `elsewhere`, none.
    folder : Path or None
        Keeps each result as ``folder/<name>/`` as soon as it is there; what is there already is not computed again.
        It must belong to this function, context and tasks: `Store.partial` names such a folder.
    kind
        Type of a result, for reading it from `folder`.

    Raises
    ------
    ResourceLimit
        A task lost its process three times (memory, most often); the others are finished and kept first.
    Interrupted
        Ctrl-C or a signal. No process is left behind, finished results are kept.
    """
    results = {} if folder is None else _kept(folder, tasks, kind)
    missing = {name: task for name, task in tasks.items() if name not in results}
    count, kept = min(workers or cores(), len(missing)), len(results)

    def report() -> None:
        # Of what is computed now: what an earlier run left took no time.
        progress((len(results) - kept) / max(len(missing), 1), f"{len(results)} of {len(tasks)}")

    def finished(name: str, result: Any) -> None:
        if folder is not None:
            store.save(folder / name, result)
        results[name] = result
        report()

    report()
    try:
        engine = _ELSEWHERE.get()
        if engine is not None and missing:
            engine.run(function, context, missing, finished)
        elif count > 1:
            _Pool(function, context, missing).run(count, finished)
        else:
            for name, task in missing.items():
                finished(name, function(context, task))
    except KeyboardInterrupt as error:
        so_far = f"{len(results)} of {len(tasks)} computations"
        if folder is None:
            raise stopped("", kept="", lost=f"all {so_far} that were finished") from error
        raise stopped("", kept=so_far, lost="those under way", partly=so_far) from error
    return {name: results[name] for name in tasks}


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _kept(folder: Path, tasks: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """Results of an earlier, interrupted run. A damaged one is as good as none: it is computed again."""
    kept = {}
    for name in tasks:
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
            raise ValueError(f"task {name!r} cannot name a folder")
        with suppress(IntegrityError):
            kept[name] = store.load(folder / name, kind)
    return kept


class _Worker:
    """A process that computes one task at a time, and the pipe to it.

    ProcessPoolExecutor is not used: when one process dies it drops the work of all, and does not say which task
    killed it, so there is nothing to count.
    """

    def __init__(self, function: Function, context: Any) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would copy locks that Numba's threads hold
        self.pipe, theirs = spawn.Pipe()
        self.process: BaseProcess = spawn.Process(target=_serve, args=(theirs, function, context), daemon=True)
        with _one_thread():
            self.process.start()
        theirs.close()
        self.ready = False
        self.task: str | None = None

    def give(self, name: str, task: Any) -> None:
        self.task = name
        with suppress(OSError):  # it died while idle: `hear` finds out
            self.pipe.send(task)

    def hear(self) -> tuple[str, Any] | None:
        """``("ready" | "doing" | "done" | "failed", what)``; None when the process is dead."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def stop(self) -> int | None:
        """Kill it: it holds nothing that is not on disk already."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        return self.process.exitcode


class _Pool:
    """Hands tasks to workers until none is left; replaces a worker that dies and tries its task again."""

    def __init__(self, function: Function, context: Any, tasks: Mapping[str, Any]) -> None:
        self.function, self.context, self.tasks = function, context, tasks
        self.waiting = deque(tasks)
        self.workers: list[_Worker] = []
        self.deaths: dict[str, list[str]] = {name: [] for name in tasks}
        self.stillborn = 0

    def run(self, count: int, finished: Callable[[str, Any], None]) -> None:
        try:
            while self.waiting or any(worker.task for worker in self.workers):
                self._employ(count)
                speaking = set(connection.wait([worker.pipe for worker in self.workers]))
                for worker in [worker for worker in self.workers if worker.pipe in speaking]:
                    self._hear(worker, finished)
        finally:
            for worker in self.workers:
                worker.stop()
        self._refuse_if_given_up()

    def _employ(self, count: int) -> None:
        busy = sum(worker.task is not None for worker in self.workers)
        while len(self.workers) < min(count, busy + len(self.waiting)):
            self.workers.append(_Worker(self.function, self.context))
        for worker in self.workers:
            if worker.ready and worker.task is None and self.waiting:
                name = self.waiting.popleft()
                worker.give(name, self.tasks[name])

    def _hear(self, worker: _Worker, finished: Callable[[str, Any], None]) -> None:
        heard = worker.hear()
        if heard is None:
            return self._bury(worker)
        what, result = heard
        self.stillborn = 0
        if what == "failed":
            raise result
        if what == "doing":
            return DOING.info("%s", result)
        name, worker.task, worker.ready = worker.task, None, True
        if name is not None:
            finished(name, result)
        return None

    def _bury(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        death = _obituary(worker.stop())
        self.stillborn += not worker.ready
        if self.stillborn == ATTEMPTS:
            raise ResourceLimit(
                f"{ATTEMPTS} worker processes in a row died while starting (the last: {death}). A script that computes "
                "in several processes needs `if __name__ == '__main__':` around its work; or set `workers` to 1"
            )
        if worker.task is not None:
            self.deaths[worker.task].append(death)
            if len(self.deaths[worker.task]) < ATTEMPTS:
                self.waiting.append(worker.task)

    def _refuse_if_given_up(self) -> None:
        given_up = {name: deaths for name, deaths in self.deaths.items() if len(deaths) >= ATTEMPTS}
        if given_up:
            name, deaths = next(iter(given_up.items()))
            raise ResourceLimit(
                f"{len(given_up)} of {len(self.tasks)} computations lost their process {ATTEMPTS} times "
                f"(first: {name}, {deaths[-1]}); the others are kept. "
                "Free memory or set `workers` to 1, and run again"
            )


def _obituary(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"


def _serve(pipe: connection.Connection, function: Function, context: Any) -> None:
    """What a worker process does until its pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    DOING.addHandler(_Telling(pipe))
    DOING.setLevel(logging.INFO)
    say_when_compiling()
    pipe.send(("ready", None))
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("done", function(context, task)))
        except CardioTwinError as error:
            pipe.send(("failed", error))
        except Exception as error:
            # A traceback does not travel between processes; its text does.
            pipe.send(("failed", RuntimeError("in a worker process:\n" + "".join(traceback.format_exception(error)))))


class _Telling(logging.Handler):
    """Passes on what a worker process is doing to the one that shows it."""

    def __init__(self, pipe: connection.Connection) -> None:
        super().__init__()
        self.pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # nobody is there any more: `_serve` finds out
            self.pipe.send(("doing", record.getMessage()))


def _die_with_parent() -> None:
    """A parent killed by -9 tells nobody: watch it, and leave no orphan computing for an hour."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes started here compute on one thread: Numba and OpenMP read this when they are first imported."""
    wanted = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
