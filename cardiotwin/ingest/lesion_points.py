"""Lesion points as mapping systems export them: a CSV with a header, or VTK polydata without a surface."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.ingest.ecg_csv import first_row, lead_of, read_rows
from cardiotwin.ingest.surface_files import read_points
from cardiotwin.ingest.wording import refusal, shown

MOST_RADIUS_MM, MOST_DEPTH_MM = 20.0, 30.0
MOST_POINTS = 2000
"""More than any ablation; a table of more is a mesh or a signal."""
HEADER = "x_mm,y_mm,z_mm,radius_mm,depth_mm"
FARTHEST_MM = 2000.0
_AXIS = re.compile(r"([xyzlpsra])[\s_]*[\[(]?\s*(lps|ras)?[\s_,]*(mm|cm|m)?\s*[\])]?", re.I)
_SIZE = re.compile(r"(radius|depth|completeness)[\s_]*[\[(]?\s*(mm|cm|m)?\s*[\])]?", re.I)
_LIMITS = {"radius": MOST_RADIUS_MM, "depth": MOST_DEPTH_MM, "completeness": 1.0}
_FRAMES = {"xyz": "", "lps": "LPS", "ras": "RAS"}
"""Frame that three columns in this order stand for; "" where their suffix says it."""
_TO_LPS = {"LPS": np.ones(3), "RAS": np.array([-1.0, -1.0, 1.0])}


@dataclass(frozen=True, eq=False)
class LesionPoints:
    """Points of a file.

    Attributes
    ----------
    name : str
        Of the plan, where the file says one; else "".
    points_mm : (k, 3) float64
        LPS.
    radius_mm, depth_mm : (k,) float64
        NaN where the file does not say.
    completeness : (k,) float64
        Above 0 to 1.
    frame : str
        What the file's numbers were taken for: ``"LPS"`` or ``"RAS"``.
    unused : tuple of str
        Columns that say nothing about a lesion's place or size.
    digest : str
        SHA-256 of the file.
    """

    name: str
    points_mm: np.ndarray
    radius_mm: np.ndarray
    depth_mm: np.ndarray
    completeness: np.ndarray
    frame: str
    unused: tuple[str, ...]
    digest: str


def holds_lesions(path: Path, name: str, *, with_size: bool) -> bool:
    """Whether the header of a CSV has columns x, y and z, no time and no lead; and a lesion's size too, if asked.

    Raises
    ------
    InputRejected
        As `first_row`.
    """
    titles = [cell.strip() for cell in first_row(path, name)]
    if _axes(titles) is None or any(re.match("time", title, re.I) or lead_of(title)[0] for title in titles):
        return False
    return not with_size or any(_SIZE.fullmatch(title) for title in titles)


def points_of_csv(path: Path, name: str) -> LesionPoints:
    """Points of a CSV with the columns x, y, z (mm), and optionally radius, depth, completeness and name.

    Numbers are LPS; ``x_ras_mm`` or columns r, a, s say RAS. The name is the plan's where all rows have the same; names
    of single points, and other columns, are not used. Cells are parted by commas, or by semicolons.

    Raises
    ------
    InputRejected
        No header, a column twice or missing, another unit; a row with too few cells or a cell that is no number or out
        of range: names row and column.
    """
    if not path.is_file():
        raise InputRejected(f"{name}: no such file; check the path")
    _, rows = read_rows(path, name)
    titles = [cell.strip() for cell in rows[0]]
    axes = _axes(titles)
    if axes is None:
        raise refusal(f"{name} row 1", shown(",".join(titles)), f"a header such as {HEADER}", "Add it; LPS, mm")
    frame = _frame(titles, axes, name)
    sizes = _sizes(titles, name)
    body = rows[1:]
    if not 0 < len(body) <= MOST_POINTS:
        raise refusal(name, f"{len(body)} rows below the header", f"1 to {MOST_POINTS}, a lesion each", "Correct it")
    points = _column_numbers(body, titles, axes, name)
    far = np.abs(points).max(axis=1) > FARTHEST_MM
    if far.any():
        row = int(np.argmax(far))
        column = titles[axes[int(np.argmax(np.abs(points[row])))]]
        raise refusal(f"{name} row {row + 2}, column {shown(column)}", f"{np.abs(points[row]).max():g}",
                      f"at most {FARTHEST_MM:g} mm", "Correct it")  # fmt: skip
    size = {key: _size_column(body, titles, sizes, key, name) for key in _LIMITS}
    named = next((k for k, title in enumerate(titles) if title.lower() == "name"), None)
    names = {row[named].strip() for row in body if len(row) > named} if named is not None else set()
    used = {*axes, *sizes.values(), *([named] if len(names) == 1 else [])}
    return LesionPoints(
        name=names.pop()[:80] if len(names) == 1 else "",
        points_mm=points * _TO_LPS[frame],
        radius_mm=size["radius"],
        depth_mm=size["depth"],
        completeness=np.where(np.isnan(size["completeness"]), 1.0, size["completeness"]),
        frame=frame,
        unused=tuple(shown(title) for k, title in enumerate(titles) if k not in used and title),
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def points_of_vtk(path: Path, name: str) -> LesionPoints:
    """Points of VTK polydata (.vtp, .vtk) with point data ``radius`` and ``depth``, mm, where there are such.

    LPS unless the file says ``SPACE=RAS``.

    Raises
    ------
    InputRejected
        Damaged or hostile, without points, with a size out of range.
    """
    points, data, frame = read_points(path)
    if not 0 < len(points) <= MOST_POINTS:
        raise refusal(name, f"{len(points)} points", f"1 to {MOST_POINTS}, a lesion each", "Export lesions only")
    sizes = {key: np.full(len(points), np.nan) for key in _LIMITS}
    used = set()
    for title, values in data.items():
        match = _SIZE.fullmatch(title)
        if match is None:
            continue
        key = match[1].lower()
        used.add(title)
        sizes[key] = values
        bad = ~((values > 0) & (values <= _LIMITS[key]))
        if bad.any():
            found, at = f"{values[np.argmax(bad)]:g}", f"{name}: point {np.argmax(bad) + 1}, {shown(title)}"
            raise refusal(at, found, f"above 0, at most {_LIMITS[key]:g}", "Correct it")
    completeness = np.where(np.isnan(sizes["completeness"]), 1.0, sizes["completeness"])
    unused = tuple(shown(title) for title in data if title not in used)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return LesionPoints("", points, sizes["radius"], sizes["depth"], completeness, frame, unused, digest)


def _axes(titles: Sequence[str]) -> tuple[int, int, int] | None:
    """Columns of x, y and z, or of l, p, s or r, a, s; None where these are not all there."""
    found = [(match[1].lower(), k) for k, title in enumerate(titles) if (match := _AXIS.fullmatch(title))]
    for letters in _FRAMES:
        at = [k for letter in letters for axis, k in found if axis == letter]
        if len(at) == 3 and [titles[k][0].lower() for k in at] == list(letters):
            return at[0], at[1], at[2]
    return None


def _frame(titles: Sequence[str], axes: Sequence[int], name: str) -> str:
    """``"LPS"`` or ``"RAS"``, as letters and suffixes of the columns say."""
    matches = [_AXIS.fullmatch(titles[k]) for k in axes]
    letters = "".join(match[1].lower() for match in matches if match)
    said = {match[2].upper() for match in matches if match and match[2]} | ({_FRAMES[letters]} - {""})
    units = {(match[3] or "mm").lower() for match in matches if match}
    shown_titles = shown(",".join(titles[k] for k in axes))
    if units != {"mm"}:
        raise refusal(f"{name} row 1", shown_titles, "columns in mm", "Convert them")
    if len(said) > 1:
        raise refusal(f"{name} row 1", shown_titles, "one frame, LPS or RAS, for all three", "Correct it")
    return said.pop() if said else "LPS"


def _sizes(titles: Sequence[str], name: str) -> dict[str, int]:
    """Column of each size that the header has, by its name."""
    found: dict[str, int] = {}
    for k, title in enumerate(titles):
        match = _SIZE.fullmatch(title)
        if match is None:
            continue
        if match[1].lower() in found:
            raise refusal(f"{name} row 1", f"{match[1].lower()} twice", "each column once", "Correct it")
        if (match[2] or "mm").lower() != "mm":
            raise refusal(f"{name} row 1", shown(title), f"{match[1].lower()}_mm", "Convert it")
        found[match[1].lower()] = k
    return found


def _column_numbers(body: Sequence[Sequence[str]], titles: Sequence[str], at: Sequence[int], name: str) -> np.ndarray:
    """(n_rows, n) float64 of some columns; every cell a finite number."""
    values = np.empty((len(body), len(at)))
    for number, row in enumerate(body, start=2):
        for place, column in enumerate(at):
            cell = row[column].strip() if column < len(row) else ""
            values[number - 2, place] = _number(cell, f"{name} row {number}, column {shown(titles[column])}")
    return values


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise refusal(where, shown(cell) or "nothing", "a finite number in mm", "Correct it, or delete the row")
    return value


def _size_column(
    body: Sequence[Sequence[str]], titles: Sequence[str], sizes: dict[str, int], key: str, name: str
) -> np.ndarray:
    """(n_rows,) float64 of a size, NaN in empty cells; each above 0 and within its limit."""
    values = np.full(len(body), np.nan)
    column = sizes.get(key)
    if column is None:
        return values
    for number, row in enumerate(body, start=2):
        cell = row[column].strip() if column < len(row) else ""
        if not cell:
            continue
        where = f"{name} row {number}, column {shown(titles[column])}"
        values[number - 2] = _number(cell, where)
        if not 0 < values[number - 2] <= _LIMITS[key]:
            raise refusal(where, cell, f"above 0, at most {_LIMITS[key]:g}", "Correct it")
    return values
