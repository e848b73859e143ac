"""The form that every line of the verification has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cardiotwin.progress import Progress

Row = dict[str, Any]
"""name, value, unit, bar (what was asked, "" where nothing was), ok (measured; None where nothing was asked), note."""
Table = Callable[[Progress], list[Row]]


def row(name: str, value: float, unit: str, bar: str = "", ok: bool | None = None, note: str = "") -> Row:
    """One line of the table."""
    return {
        "name": name,
        "value": float(value),
        "unit": unit,
        "bar": bar,
        "ok": None if ok is None else bool(ok),
        "note": note,
    }


def between(name: str, value: float, unit: str, low: float, high: float, whose: str = "", note: str = "") -> Row:
    """A line whose value must lie in a range."""
    bar = f"{low:g} to {high:g}" + (f" ({whose})" if whose else "")
    return row(name, value, unit, bar, low <= value <= high, note)


def at_most(name: str, value: float, unit: str, most: float, note: str = "") -> Row:
    """A line whose value must be small, whatever its sign; one that is not a number is not."""
    return row(name, value, unit, f"at most {most:g}", math.isfinite(value) and abs(value) <= most, note)
