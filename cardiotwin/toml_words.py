"""What is wrong with a TOML file that a person wrote, in that person's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_COMMA = re.compile(r"\d,\d")
_BARE = re.compile(r"^\s*[\w.]+\s*=\s*[A-Za-z_]")
_LONGEST_LINE = 80


def syntax_words(text: str, error: Exception) -> str:
    """What `tomllib` says, the line that it says it of, and the usual reason where it is one.

    Parameters
    ----------
    text : str
        The file; "" where it could not be read.
    error : Exception
    """
    at = re.search(r"line (\d+)", str(error))
    lines = text.splitlines()
    if at is None or not 0 < int(at[1]) <= len(lines):
        return str(error)
    line = lines[int(at[1]) - 1].strip()
    reason = ""
    if _BARE.match(line) and not re.search(r"=\s*(true|false|inf|nan)\b", line):
        reason = "; text stands in quotation marks"
    elif _COMMA.search(line):
        reason = "; decimals take a point, not a comma"
    return f"{error}: {line[:_LONGEST_LINE]!r}{reason}"


def value_words(error: Mapping[str, Any]) -> str:
    """One complaint of pydantic as `expected ..., found ...`.

    Parameters
    ----------
    error : mapping
        Of `ValidationError.errors()`.
    """
    found, kind, limits = error["input"], str(error["type"]), error.get("ctx", {})
    if kind in ("too_long", "too_short") and "actual_length" in limits:
        asked = limits.get("max_length", limits.get("min_length"))
        comma = "; decimals take a point, not a comma" if limits["actual_length"] == 2 * asked else ""
        return f"expected {asked} values, found {limits['actual_length']}: {found!r}{comma}"
    return f"{_expected(kind, limits) or error['msg']}, found {found!r}"


def _expected(kind: str, limits: Mapping[str, Any]) -> str:
    """What pydantic's kinds of error ask for; "" for those that say it well themselves."""
    bounds = {"less_than_equal": "at most {le:g}", "less_than": "below {lt:g}", "greater_than_equal": "at least {ge:g}",
              "greater_than": "above {gt:g}", "literal_error": "{expected}"}  # fmt: skip
    if kind in bounds:
        return f"expected {bounds[kind].format(**limits)}"
    what = {
        "list_type": "a list in brackets, [...]",
        "tuple_type": "a list in brackets, [...]",
        "string_type": "text in quotation marks",
        "float_parsing": "a number",
        "float_type": "a number",
        "int_parsing": "a whole number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "bool_parsing": "true or false",
        "bool_type": "true or false",
    }
    return f"expected {what[kind]}" if kind in what else ""
