"""How a long computation says how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called as ``progress(fraction, what)`` with the fraction done in [0, 1] and a few words."""


def silent(fraction: float, what: str) -> None:
    """Tell nobody."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """The same listener, for the share of the work between two fractions."""

    def report(fraction: float, what: str) -> None:
        progress(start + (stop - start) * fraction, what)

    return report
