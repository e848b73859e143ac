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
DOING = logging.getLogger("cardiotwin.run.doing")
"""What is being done within what a `Progress` last said, such as compiling; "" when it is over."""


def silent(fraction: float, what: str) -> None:
    """Tell nobody."""


def doing(fraction: float, what: str) -> None:
    """A listener for a process that others wait for: its words are passed on, how far the whole is they do not say."""
    DOING.info("%s", what)


def part(progress: Progress, start: float, stop: float) -> Progress:
    """The same listener, for the share of the work between two fractions."""

    def report(fraction: float, what: str) -> None:
        progress(start + (stop - start) * fraction, what)

    return report


def shares(progress: Progress, count: int) -> Iterator[Progress]:
    """The same listener, for each of so many equal shares of the work."""
    return (part(progress, k / count, (k + 1) / count) for k in range(count))


def named(stage: str, progress: Progress) -> Progress:
    """The same listener, told the name of the stage too."""

    def report(fraction: float, what: str) -> None:
        progress(fraction, f"{stage}: {what}")

    return report


@contextmanager
def announced(stage: str) -> Iterator[None]:
    """Say when a stage starts, and when it has ended well after how many seconds."""
    STAGES.info("%s: started", stage)
    start = time.monotonic()
    yield
    STAGES.info("%s: done, %.1f s", stage, time.monotonic() - start)
