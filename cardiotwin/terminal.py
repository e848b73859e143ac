"""How the command line speaks: tables and words for people, one JSON object for machines, one line for a refusal."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from cardiotwin.errors import CardioTwinError, stopped
from cardiotwin.progress import DOING, PLAN, Progress, silent
from cardiotwin.standing import Standing

RESEARCH_ONLY = "CardioTwin is research software, not a medical device: not for diagnosis or treatment."


def is_terminal() -> bool:
    """Whether somebody is looking."""
    with suppress(ValueError, AttributeError):  # closed, or not there at all
        return sys.stderr.isatty()
    return False


def say(text: str) -> None:
    print(text, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """A table with lines on a terminal; plain columns, never cut, when piped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    seen = sys.stdout.isatty()
    shown = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD if seen else None, pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=not seen)
    for row in rows:
        shown.add_row(*(str(cell) for cell in row))
    console = Console(width=None if seen else 400, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(shown)
    say("\n".join(line.rstrip() for line in captured.get().splitlines()))


def say_json(value: Any) -> None:
    """One JSON object on standard output."""
    say(json.dumps(as_json(value), indent=2, ensure_ascii=False))


def as_json(value: Any) -> Any:
    """What JSON can say of a value; NaN and infinity become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def refuse(error: BaseException, exit_code: int, json_wanted: bool) -> None:
    """One line on standard error, one more for each thing listed; an object on standard output for machines."""
    listed = error.listed if isinstance(error, CardioTwinError) else ()
    text = typed(one_line(str(error.args[0] if listed else error) or type(error).__name__))
    lines = [typed(one_line(line)) for line in listed]
    with suppress(OSError, ValueError):
        print("\n".join((f"cardiotwin: {text}", *(f"  {line}" for line in lines))), file=sys.stderr, flush=True)
    if json_wanted:
        told = {"code": exit_code, "kind": type(error).__name__, "message": text}
        say_json({"error": told | ({"listed": lines} if lines else {})})


def one_line(text: str) -> str:
    """Without line breaks or control characters, which file names and tags may carry; at most 500 characters."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= 500 else clean[:499] + "…"


_ARGUMENT = re.compile(r"(?<![\w-])(series|kind|skip_bad|accept_burned_in|hz|unit)=(?![^\s,;:).])")


def typed(text: str) -> str:
    """With an argument's name, ``skip_bad=``, as it is typed here, ``--skip-bad``; ``hz=500`` is a file's and stays."""
    return _ARGUMENT.sub(lambda found: "--" + found[1].replace("_", "-"), text)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """What is going to be done, and a bar with the time left; piped, lines on standard error; nothing for machines."""
    if quiet:
        yield silent
        return
    standing = Standing()
    if not is_terminal():
        log = _Log(standing)
        with _heard(log.tell, standing), log.watched():
            yield standing.report
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        SpinnerColumn("line"),
        BarColumn(bar_width=12),
        TextColumn("{task.percentage:3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[standing].left:10}", markup=False),
        TextColumn("{task.fields[standing].words}", markup=False, table_column=rest),
    )
    console = Console(stderr=True)
    with (
        Bar(*columns, console=console, transient=True, expand=True) as bar,
        _heard(lambda text: console.print(text, markup=False, highlight=False), standing, only=PLAN.name),
    ):
        task = bar.add_task("", total=1.0, standing=standing)

        def report(fraction: float, what: str) -> None:
            standing.report(fraction, one_line(what))
            bar.update(task, completed=standing.fraction)

        yield report


class _Handler(logging.Handler):
    def __init__(self, tell: Callable[[str], object], standing: Standing, only: str) -> None:
        super().__init__()
        self.tell, self.standing, self.only = tell, standing, only

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(record.getMessage())
        if record.name == DOING.name:
            self.standing.detail(text)
        elif self.only in ("", record.name):
            self.tell(text)


@contextmanager
def _heard(tell: Callable[[str], object], standing: Standing, only: str = "") -> Iterator[None]:
    """Hand on what a run says of itself; `only` of that logger."""
    handler, before = _Handler(tell, standing, only), PLAN.level
    PLAN.addHandler(handler)
    PLAN.setLevel(logging.INFO)
    try:
        yield
    finally:
        PLAN.setLevel(before)
        PLAN.removeHandler(handler)


def _on_stderr(text: str) -> None:
    with suppress(OSError, ValueError):  # closed, or the reader has gone: no reason to stop computing
        print(text, file=sys.stderr, flush=True)


class _Log:
    """Lines on standard error; one now and then of its own while nothing else is said.

    A thread writes these, for what takes long may say nothing for long. They become rarer as a run goes on: one each 30
    s at first, some eighty more in ten hours.
    """

    def __init__(self, standing: Standing, every_s: float = 30.0) -> None:
        self.standing, self.every_s, self.last = standing, every_s, time.monotonic()

    def tell(self, text: str) -> None:
        self.last = time.monotonic()
        _on_stderr(text)

    def is_due(self) -> bool:
        return time.monotonic() - self.last >= max(self.every_s, 0.05 * self.standing.elapsed_s)

    @contextmanager
    def watched(self) -> Iterator[None]:
        stop = threading.Event()
        watch = threading.Thread(target=self._watch, args=(stop,), daemon=True)
        watch.start()
        try:
            yield
        finally:
            stop.set()
            watch.join()

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(min(1.0, self.every_s)):
            if self.is_due():
                self.tell(one_line(self.standing.line))


@contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP stop at the next safe place; a second one leaves at once. The store stays valid."""

    def first(number: int, frame: object) -> None:
        for each in stopping:
            signal.signal(each, lambda *_: os._exit(75))
        raise KeyboardInterrupt

    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, first) for each in stopping}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def guarded(command: Callable[[], Any], json_wanted: bool) -> int:
    """Run a command; its exit code. No traceback for anything deliberate; a bug shows one, and exits with 1."""
    try:
        with stoppable():
            command()
            sys.stdout.flush()
        return 0
    except CardioTwinError as error:
        refuse(error, error.exit_code, json_wanted and not error.told)
        return error.exit_code
    except KeyboardInterrupt:
        interrupted = stopped("", kept="what was finished before", lost="what this command was at")
        refuse(interrupted, interrupted.exit_code, json_wanted)
        return interrupted.exit_code
    except BrokenPipeError:
        # The reader has gone (`| head`): not our fault, and nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except MemoryError:
        refuse(MemoryError("out of memory; use a coarser mesh (`mesh.edge_mm`) or fewer `workers`"), 5, json_wanted)
        return 5
    except OSError as error:
        from cardiotwin.storage.durable import is_refusal

        if not is_refusal(error):
            raise
        refuse(
            OSError(f"{error.strerror}: {error.filename or 'while writing'}; free space or check the mode"),
            5,
            json_wanted,
        )
        return 5
