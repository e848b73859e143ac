"""ECGs from CSV, and what every table of numbers needs."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import InputRejected
from cardiotwin.ingest.ecg_dicom import MOST_CHANNELS, MV_PER_UNIT
from cardiotwin.ingest.ecg_quality import Recording
from cardiotwin.ingest.wording import refusal, shown

MOST_BYTES = 100 << 20
MOST_HEAD_BYTES = 1 << 16
MS_PER_UNIT = {"s": 1000.0, "ms": 1.0, "us": 1e-3}
LEAD_NAMES = {lead.lower(): lead for lead in LEADS}
UNEVEN_TIME = 0.02
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*")
THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*")
"""What may be either: 1,234."""


def read_csv_recording(
    path: Path, name: str, *, leads: Sequence[str] | None = None, hz: float | None = None, unit: str | None = None
) -> Recording:
    """A table whose columns are leads, or one without a header whose rows or columns are the `leads` given.

    The header names each column ``I [uV]``, ``V1 (mV)`` or just ``V1`` with a line ``unit=mV`` or the argument. Time is
    a column ``time [ms]`` or a line ``hz=500`` or the argument. Both lines may stand behind ``#``.
    """
    options, rows = read_rows(path, name)
    hz = hz if hz is not None else _option_number(options, "hz", name)
    unit = unit or options.get("unit")
    if leads is not None:
        named, time_ms = _without_header(rows, leads, name), None
        units = dict.fromkeys(named, unit)
    else:
        named, units, time_ms = _with_header(rows, unit, name)
    if hz is None:
        if time_ms is None:
            raise refusal(name, "neither a column of time nor a rate", "one of them", "Add a line hz=500, or pass hz=")
        hz = _hz_of(time_ms, name)
    scaled = {lead: values * _mv_per(units[lead], lead, name) for lead, values in named.items()}
    return Recording(name, scaled, float(hz), "unit")


def first_row(path: Path, name: str) -> list[str]:
    """The first row of cells, without reading the whole file."""
    with path.open("rb") as file:
        head = file.read(MOST_HEAD_BYTES)
    return _rows(head.decode("utf-8-sig", errors="replace").splitlines(), name)[1][0]


def read_rows(path: Path, name: str) -> tuple[dict[str, str], list[list[str]]]:
    """Options (``hz=500``, also behind ``#``) and the rows of cells that are left.

    Raises
    ------
    InputRejected
        Larger than 100 MiB, not text, or without a row.
    """
    if path.stat().st_size > MOST_BYTES:
        raise refusal(name, f"{path.stat().st_size} bytes", f"at most {MOST_BYTES}", "Cut the recording")
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise refusal(name, "bytes that are not text", "a CSV in UTF-8", "Save it as UTF-8") from None
    return _rows(content.splitlines(), name)


def _rows(lines: list[str], name: str) -> tuple[dict[str, str], list[list[str]]]:
    options: dict[str, str] = {}
    table = []
    for line in lines:
        if match := re.fullmatch(r"\s*#?\s*(hz|unit)\s*[=,:]\s*([^,;\s]+)[,;\s]*", line, flags=re.I):
            options[match[1].lower()] = match[2]
        elif line.strip() and not line.lstrip().startswith("#"):
            table.append(line)
    if not table:
        raise refusal(name, "no rows", "a table", "Export it again")
    separator = next((one for one in ";\t" if one in table[0]), ",")
    try:
        rows = list(csv.reader(table, delimiter=separator))
    except csv.Error:
        raise refusal(name, "a table that cannot be read", "plain CSV", "Export it again") from None
    return options, rows if separator == "," else _with_decimal_points(rows)


def _with_decimal_points(rows: list[list[str]]) -> list[list[str]]:
    """Decimal commas, as in much of Europe, as points; left as they are where they may part thousands."""
    cells = [cell for row in rows for cell in row if "," in cell and DECIMAL_COMMA.fullmatch(cell)]
    points = any("." in cell and is_number(cell) for row in rows for cell in row)
    if not cells or points or all(THOUSANDS.fullmatch(cell) for cell in cells):
        return rows
    return [[cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell for cell in row] for row in rows]


def lead_of(cell: str) -> tuple[str, str | None]:
    """Lead name (empty if it is none) and unit of a column title such as ``Lead aVR [uV]``."""
    match = re.fullmatch(
        r"\s*(?:lead[\s_]*)?([A-Za-z0-9_]+?)\s*(?:[\[(]\s*([^\])]*)\s*[\])]|_(uv|mv|v))?\s*", cell, re.I
    )
    if not match:
        return "", None
    return LEAD_NAMES.get(match[1].lower(), ""), (match[2] or match[3])


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, also nan."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _with_header(
    rows: list[list[str]], unit: str | None, name: str
) -> tuple[dict[str, np.ndarray], dict[str, str | None], np.ndarray | None]:
    titles = rows[0]
    found = [lead_of(title) for title in titles]
    if all(is_number(cell) for cell in titles) or not any(lead for lead, _ in found):
        raise refusal(
            f"{name} line 1",
            shown(",".join(titles)),
            "lead names such as I [mV]",
            "Add a header, or pass leads= in Python",
        )
    table = number_table(rows[1:], name, first_line=2, width=len(titles))
    columns: dict[str, np.ndarray] = {}
    units: dict[str, str | None] = {}
    for index, (lead, own) in enumerate(found):
        if lead in columns:
            raise refusal(f"{name} line 1", f"lead {lead} twice", "each lead once", "Rename a column")
        if lead:
            columns[lead], units[lead] = table[:, index], own or unit
    return columns, units, _time_ms(titles, table, name)


def _time_ms(titles: list[str], table: np.ndarray, name: str) -> np.ndarray | None:
    for index, title in enumerate(titles):
        if match := re.fullmatch(r"\s*(?:time|t)\s*(?:[\[(_]\s*(\w+)\s*[\])]?)?\s*", title, re.I):
            factor = MS_PER_UNIT.get((match[1] or "").lower())
            if factor is None:
                raise refusal(f"{name} line 1", shown(title), "time [ms] or time [s]", "Name the unit of time")
            return table[:, index] * factor
    return None


def _hz_of(time_ms: np.ndarray, name: str) -> float:
    steps = np.diff(time_ms)
    if steps.size == 0 or not np.isfinite(steps).all() or (steps <= 0).any():
        line = 2 if steps.size == 0 else int(np.argmax(~(steps > 0))) + 3
        raise refusal(f"{name} line {line}: time", "a time not after the one before", "increasing", "Sort the rows")
    usual = float(np.median(steps))
    worst = int(np.abs(steps - usual).argmax())
    mean = (time_ms[-1] - time_ms[0]) / steps.size
    # Rounded times (2.0, 3.9, 5.9 ms) are even on average; a gap is not.
    if abs(steps[worst] - usual) > max(UNEVEN_TIME * usual, 0.6 * usual if abs(mean / usual - 1) < UNEVEN_TIME else 0):
        raise refusal(
            f"{name} line {worst + 3}: time",
            f"a step of {steps[worst]:.4g} ms",
            f"even steps of {usual:.4g} ms",
            "Resample it",
        )
    return 1000.0 / mean


def _without_header(rows: list[list[str]], leads: Sequence[str], name: str) -> dict[str, np.ndarray]:
    names = [LEAD_NAMES.get(lead.lower(), "") for lead in leads]
    if "" in names or len(set(names)) != len(names):
        raise InputRejected(f"leads={[shown(lead) for lead in leads]}: expected different ones of {', '.join(LEADS)}")
    table = number_table(rows, name, first_line=1)
    if table.shape[0] != len(names) and table.shape[1] == len(names):
        table = table.T
    if table.shape[0] != len(names):
        raise refusal(
            name, f"a table of {table.shape[0]} x {table.shape[1]}", f"{len(names)} rows or columns", "Check leads="
        )
    return dict(zip(names, table, strict=True))


def number_table(rows: Sequence[Sequence[str]], name: str, *, first_line: int, width: int | None = None) -> np.ndarray:
    """(n_rows, n_columns) float64; an empty cell is NaN."""
    width = len(rows[0]) if width is None and rows else (width or 0)
    if width > MOST_CHANNELS * 1000 and len(rows) > MOST_CHANNELS:
        raise refusal(name, f"{len(rows)} rows of {width} cells", "leads over time", "Export one recording")
    try:
        if any(len(row) != width for row in rows):
            raise ValueError
        return np.array([[cell.strip() or "nan" for cell in row] for row in rows], dtype=float).reshape(
            len(rows), width
        )
    except ValueError:
        for line, row in enumerate(rows, start=first_line):
            bad = [cell for cell in row if cell.strip() and not is_number(cell)]
            if bad or len(row) != width:
                found = shown(bad[0]) if bad else f"{len(row)} cells"
                advice = _about_commas(bad, len(row), width)
                raise refusal(f"{name} line {line}", found, f"{width} numbers", advice) from None
        raise


def _about_commas(bad: Sequence[str], n_cells: int, width: int) -> str:
    """What to do about a line that is no row of numbers, where commas may be why."""
    if bad and DECIMAL_COMMA.fullmatch(bad[0]):
        return "A comma for thousands or for decimals, and not clear which: write decimal points"
    if not bad and width < n_cells <= 2 * width:
        return "If these are decimal commas, part the columns with semicolons or write decimal points"
    return "Correct the line"


def _mv_per(unit: str | None, lead: str, name: str) -> float:
    if unit is None:
        raise refusal(
            f"{name}: lead {lead}", "no unit", "mV, uV or V", f"Write {lead} [mV] in the header, or pass unit="
        )
    factor = MV_PER_UNIT.get(unit.strip().lower().replace("µ", "u").replace("μ", "u"))
    if factor is None:
        raise refusal(f"{name}: lead {lead}", f"unit {shown(unit)}", "mV, uV or V", "Correct the unit")
    return factor


def _option_number(options: dict[str, str], key: str, name: str) -> float | None:
    if key not in options:
        return None
    if not is_number(options[key]):
        raise refusal(f"{name}: {key}", shown(options[key]), "a number", "Correct it")
    return float(options[key])
