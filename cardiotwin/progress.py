"""How a long computation says how far it is, without knowing who listens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[float, str], None]
"""Called as ``progress(fraction, what)`` with the fraction done in [0, 1] and a few words."""

PLAN = logging.getLogger("cardiotwin.run")
"""What a run is going to do, in a line; silent unless somebody listens at level INFO."""
STAGES = logging.getLogger("cardiotwin.run.stages")
"""Start and end of every stage."""


def silent(fraction: float, what: str) -> None:
    """Tell nobody."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """The same listener, for the share of the work between two fractions."""

    def report(fraction: float, what: str) -> None:
        progress(start + (stop - start) * fraction, what)

    return report


@contextmanager
def announced(stage: str) -> Iterator[None]:
    """Say when a stage starts, and when it has ended well after how many seconds."""
    STAGES.info("%s: started", stage)
    start = time.monotonic()
    yield
    STAGES.info("%s: done, %.1f s", stage, time.monotonic() - start)
