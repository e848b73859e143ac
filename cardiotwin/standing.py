"""Where a run stands, for whoever looks on: what it is at, how far it is, how long it will still take."""

from __future__ import annotations

import math
import time

LEAST_DONE, LEAST_S = 0.02, 10.0
"""Before that, how long it will take is anybody's guess."""


class Standing:
    """What was last heard of a run; the thread that computes writes it, another one may show it.

    Attributes
    ----------
    fraction : float
        Of the work, done so far; it never falls.
    """

    def __init__(self) -> None:
        self.fraction, self._what, self._detail = 0.0, "starting", ""
        self._start, self._end = time.monotonic(), math.nan

    def report(self, fraction: float, what: str) -> None:
        """As a `Progress`."""
        now = time.monotonic()
        done = min(fraction, 1.0)
        if done > self.fraction:
            self.fraction, elapsed = done, now - self._start
            if done >= LEAST_DONE and elapsed >= LEAST_S:
                self._end = now + elapsed * (1.0 - done) / done
        self._what, self._detail = what, ""

    def detail(self, text: str) -> None:
        """What is being done within that; "" when it is over."""
        self._detail = text

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._start

    @property
    def words(self) -> str:
        """What it is at."""
        return ", ".join(part for part in (self._what, self._detail) if part)

    @property
    def left(self) -> str:
        """Time left at the pace so far, in words; "" where nobody knows."""
        seconds = self._end - time.monotonic()
        return f"{duration(seconds)} left" if seconds > 0 else ""

    @property
    def line(self) -> str:
        """All of it, for a log."""
        left = f", about {self.left}" if self.left else ""
        return f"{self.words} ({100 * self.fraction:.0f} % of the run{left})"


def duration(seconds: float) -> str:
    """As precise as a guess is: tens of seconds, minutes, then hours."""
    if seconds < 55:
        return f"{max(10, 10 * round(seconds / 10))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
