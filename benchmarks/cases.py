"""Cases of a benchmark that take minutes each: one a core, with the time left, and with ``--keep`` none twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import cardiotwin
from cardiotwin.ensemble import run_tasks
from cardiotwin.terminal import progress_bar

_KEPT_IN: ContextVar[Path | None] = ContextVar("kept_in", default=None)


@contextmanager
def kept_in(folder: Path | None) -> Iterator[None]:
    """Within this block cases are kept in a folder; None: nowhere."""
    token = _KEPT_IN.set(folder)
    try:
        yield
    finally:
        _KEPT_IN.reset(token)


def computed(
    name: str,
    function: Callable[[Any, Any], Any],
    context: Any,
    cases: Mapping[str, Any],
    kind: type,
    *,
    workers: int = 0,
) -> list[Any]:
    """``function(context, case)`` of every case, a dataclass of type `kind` each, in processes of one thread.

    What is kept is of the code that made it, all of CardioTwin's and of the benchmarks'. `context` is to follow from
    that and from `name`.
    """
    kept = _KEPT_IN.get()
    folder = None if kept is None else kept / f"{name}-{_made_by()[:12]}"
    with progress_bar(quiet=False) as progress:
        found = run_tasks(function, context, cases, workers=workers, folder=folder, kind=kind, progress=progress)
    return list(found.values())


def _made_by() -> str:
    """Of every source: which of them a figure hangs on is not asked."""
    package = Path(cardiotwin.__file__).parent
    folders = (package, package / "kernels", package / "meshes", Path(__file__).parent)
    sources = sorted({file.resolve() for folder in folders for file in folder.rglob("*.py")})
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
