"""Rows of the benchmarks: a figure, what was asked of it, and whether it holds; printed for the eye or as JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from cases import kept_in

Row = dict[str, Any]
"""name, value (None where the row was skipped), unit, bar (asked; None or "" where nothing was), ok, note."""


def row(
    name: str, value: float | None, unit: str, bar: float | None = None, ok: bool | None = None, note: str = ""
) -> Row:
    """One line of the table."""
    return {
        "name": name,
        "value": None if value is None else float(f"{value:.4g}"),
        "unit": unit,
        "bar": bar,
        "ok": None if ok is None else bool(ok),
        "note": note,
    }


def at_least(name: str, values: Iterable[float], unit: str, bar: float, note: str = "") -> Row:
    """The smallest of the cases against a bar from below."""
    found = [float(value) for value in values]
    worst = min(found) if np.isfinite(found).all() else math.nan
    return row(name, worst, unit, bar, worst >= bar, listed(found, note))


def at_most(name: str, values: Iterable[float], unit: str, bar: float, note: str = "") -> Row:
    """The value furthest from nought against a bar for its size."""
    found = [float(value) for value in values]
    worst = max(found, key=abs) if np.isfinite(found).all() else math.nan
    return row(name, worst, unit, bar, abs(worst) <= bar, listed(found, note))


def listed(values: list[float], note: str) -> str:
    """All cases before the note, where there are several."""
    every = ", ".join(f"{value:.3g}" for value in values) if len(values) > 1 else ""
    return "; ".join(part for part in (every, note) if part)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of the better of two runs, and the result."""
    taken = []
    for _ in range(2):
        start = time.process_time()
        result = work()
        taken.append(time.process_time() - start)
    return min(taken), result


def options(doc: str | None) -> argparse.ArgumentParser:
    """A command line that has ``--json`` and says of itself the first paragraph of a docstring."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    return parser


Group = Callable[[int], Iterable[Row]]
"""Rows of so many cases; of as many as were asked for, where it is 0."""


def show_groups(doc: str | None, groups: dict[str, Group], cases: str) -> None:
    """The command line of a benchmark in groups: ``--only`` some of them, on so many ``--cases`` each."""
    parser = options(doc)
    parser.epilog = next((part for part in (doc or "").split("\n\n") if part.startswith("Groups")), None)
    parser.add_argument("--only", default=",".join(groups), help="groups, comma between them")
    parser.add_argument("--cases", type=int, default=0, help=f"in each group; otherwise {cases}")
    parser.add_argument("--keep", type=Path, help="folder for finished cases of the long groups: a next run goes on")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    if unknown := set(chosen) - set(groups):
        parser.error(f"--only: no group {', '.join(sorted(unknown))}; expected {', '.join(groups)}")
    with kept_in(arguments.keep):
        show((groups[name](arguments.cases) for name in chosen), as_json=arguments.json)


def show(groups: Iterable[Iterable[Row]], *, as_json: bool) -> None:
    """Print every row as soon as it is there; as JSON those lines go to standard error, and one object comes at the
    end, also of a run that is stopped: ``complete`` is false then.
    """
    table: list[Row] = []
    complete = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        for lines in groups:
            for line in lines:
                table.append(line)
                print(printed(line), flush=True, file=sys.stderr if as_json else sys.stdout)
        complete = True
    finally:
        if as_json:
            python = f"Python {platform.python_version()}, Numba {numba.__version__}"
            machine = f"{platform.machine()}, {os.cpu_count()} cores, {python}"
            print(json.dumps({"machine": machine, "complete": complete, "rows": table}), flush=True)


def printed(line: Row) -> str:
    """A row for the eye."""
    value = "" if line["value"] is None else f"{line['value']:.4g}"
    bar = f"{line['bar']:g}" if isinstance(line["bar"], float | int) else line["bar"]
    verdict = {None: "", True: "ok ", False: "MISSED "}[line["ok"]] + (f"(asked {bar})" if bar else "")
    return f"{line['name']:70} {value:>10} {line['unit']:6} {verdict:20} {line['note']}".rstrip()
