"""Cases of a benchmark that take minutes each: one a core, with the time left, and with ``--keep`` none twice."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from cardiotwin.ensemble import run_tasks
from cardiotwin.sources import code_version
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
    name: str, function: Callable[[Any, Any], Any], context: Any, cases: Mapping[str, Any], kind: type
) -> list[Any]:
    """``function(context, case)`` of every case, a dataclass of type `kind` each, in processes of one thread.

    What is kept is of the code that made it: of CardioTwin's, as far as `function` and its module import it, and of
    that module. `context` is to follow from those and from `name`.
    """
    kept, module = _KEPT_IN.get(), inspect.getmodule(function)
    assert module is not None
    made_by = hashlib.sha256((code_version(function) + inspect.getsource(module)).encode()).hexdigest()
    folder = None if kept is None else kept / f"{name}-{made_by[:12]}"
    with progress_bar(quiet=False) as progress:
        return list(run_tasks(function, context, cases, folder=folder, kind=kind, progress=progress).values())
