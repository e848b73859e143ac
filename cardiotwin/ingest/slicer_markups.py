"""Points, lines and curves as 3D Slicer keeps them: markups in JSON (.mrk.json), and point lists of old (.fcsv).

The JSON after Slicer's markups schema 1.0: LPS and mm unless it says otherwise. Point lists say 0 or RAS, 1 or LPS; the
oldest say nothing, and are RAS as Slicer is within.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.ingest.wording import refusal, shown

ENDINGS = (".mrk.json", ".fcsv")
LINES = ("Line", "Curve", "ClosedCurve")
"""Kinds of markup whose points follow each other."""
KINDS = ("Fiducial", *LINES)
MOST_BYTES = 10 << 20
MOST_POINTS = 2000
FARTHEST_MM = 2000.0
_MM_PER = {"mm": 1.0, "um": 1e-3}
_TO_LPS = {"LPS": np.ones(3), "RAS": np.array([-1.0, -1.0, 1.0])}
_FCSV_FRAMES = {"lps": "LPS", "1": "LPS", "ras": "RAS", "0": "RAS"}
_FCSV_COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"


@dataclass(frozen=True, eq=False)
class Markup:
    """One list of points, or one line.

    Attributes
    ----------
    kind : str
        Of `KINDS`.
    labels : tuple of str
        Of each point.
    points_mm : (k, 3) float64
        LPS.
    frame : str
        What the file's numbers are: ``"LPS"`` or ``"RAS"``.
    """

    kind: str
    labels: tuple[str, ...]
    points_mm: np.ndarray
    frame: str


@dataclass(frozen=True, eq=False)
class Markups:
    """All that a file holds.

    Attributes
    ----------
    every : tuple of Markup
        Those of `KINDS` with at least one point that has been placed.
    left_out : tuple of str
        Which others there are, and how many points were not placed.
    digest : str
        SHA-256 of the file.
    """

    every: tuple[Markup, ...]
    left_out: tuple[str, ...]
    digest: str

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for one in self.every for label in one.labels)


def read_markups(path: Path) -> Markups:
    """Read markups of 3D Slicer.

    Raises
    ------
    InputRejected
        Not readable, no markups of `KINDS` with points, another frame or unit, a position that is no place.
    """
    name = shown(path.name, 120)
    content = _content(path, name)
    found = list(_of_fcsv(content, name) if path.name.lower().endswith(".fcsv") else _of_json(content, name))
    every = tuple(one for one, _ in found if isinstance(one, Markup) and len(one.points_mm))
    if not every:
        raise refusal(name, "no points that have been placed", f"markups of kind {', '.join(KINDS)}", "Place some")
    if (count := sum(len(one.points_mm) for one in every)) > MOST_POINTS:
        raise refusal(name, f"{count} points", f"at most {MOST_POINTS}", "Export those that are meant")
    others = [f"markup of kind {one} left out" for one, _ in found if isinstance(one, str)]
    unplaced = sum(missing for _, missing in found)
    told = [f"{unplaced} point{'s' * (unplaced != 1)} not placed, left out"] if unplaced else []
    return Markups(every, (*dict.fromkeys(others), *told), hashlib.sha256(content.encode()).hexdigest())


def _content(path: Path, name: str) -> str:
    if not path.is_file():
        raise InputRejected(f"{name}: no such file; check the path")
    if path.stat().st_size > MOST_BYTES:
        raise refusal(name, f"{path.stat().st_size} bytes", f"at most {MOST_BYTES}", "Export only what is meant")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise refusal(name, "bytes that are no text", "markups of 3D Slicer", "Save it again") from error


_Found = Iterator[tuple[Markup | str, int]]
"""A markup, or the kind of one that is of no use, and how many of its points have not been placed."""


def _of_json(content: str, name: str) -> _Found:
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise refusal(name, f"no JSON ({shown(error)})", "markups of 3D Slicer", "Save it again") from error
    markups = table.get("markups") if isinstance(table, dict) else None
    if not isinstance(markups, list):
        raise refusal(name, "no list `markups`", "markups of 3D Slicer", "Save them as Markups JSON (.mrk.json)")
    for number, one in enumerate(markups, 1):
        where = f"{name}: markup {number}"
        if not isinstance(one, dict):
            raise refusal(where, shown(one), "an object with `type` and `controlPoints`", "Save it again")
        kind = str(one.get("type"))
        if kind not in KINDS:
            yield shown(kind), 0
            continue
        yield _markup(one, kind, where)


def _markup(one: dict[str, Any], kind: str, where: str) -> tuple[Markup, int]:
    frame = str(one.get("coordinateSystem", "LPS"))
    unit = one.get("coordinateUnits", "mm")
    unit = str(unit[0] if isinstance(unit, list) and unit else unit)
    if frame not in _TO_LPS:
        raise refusal(f"{where}, coordinateSystem", shown(frame), "LPS or RAS", "Save it in one of them")
    if unit not in _MM_PER:
        raise refusal(f"{where}, coordinateUnits", shown(unit), "mm", "Save it in mm")
    points = one.get("controlPoints", [])
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise refusal(f"{where}, controlPoints", "no list of points", "a list of objects", "Save it again")
    placed = [point for point in points if point.get("positionStatus", "defined") == "defined"]
    positions = [_position(point.get("position"), f"{where}, point {k}") for k, point in enumerate(placed, 1)]
    at = np.array(positions, float).reshape(-1, 3) * _MM_PER[unit] * _TO_LPS[frame]
    return Markup(kind, tuple(str(point.get("label", "")) for point in placed), at, frame), len(points) - len(placed)


def _position(found: Any, where: str) -> list[float]:
    numbers = isinstance(found, list) and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in found)
    if not numbers or len(found) != 3 or not all(abs(x) <= FARTHEST_MM for x in found):
        raise refusal(where, shown(found), f"three numbers of at most {FARTHEST_MM:g} mm", "Place it again")
    return [float(x) for x in found]


def _of_fcsv(content: str, name: str) -> _Found:
    """A point list: comments say frame and columns."""
    lines = content.splitlines()
    said = dict(_comment(line) for line in lines if line.startswith("#") and "=" in line)
    frame = _FCSV_FRAMES.get(said.get("CoordinateSystem", "RAS").lower())
    if frame is None:
        raise refusal(f"{name}, CoordinateSystem", shown(said["CoordinateSystem"]), "LPS or RAS", "Correct it")
    titles = said.get("columns", _FCSV_COLUMNS).split(",")
    if not {"x", "y", "z", "label"} <= set(titles):
        raise refusal(f"{name}, columns", shown(",".join(titles)), _FCSV_COLUMNS, "Save it again as .mrk.json")
    at, label = [titles.index(axis) for axis in "xyz"], titles.index("label")
    rows = [row for row in csv.reader(line for line in lines if not line.startswith("#")) if row]
    positions = [_position(_numbers(row, at), f"{name}: point {number}") for number, row in enumerate(rows, 1)]
    labels = tuple(row[label] if label < len(row) else "" for row in rows)
    yield Markup("Fiducial", labels, np.array(positions, float).reshape(-1, 3) * _TO_LPS[frame], frame), 0


def _comment(line: str) -> tuple[str, str]:
    key, _, value = line.lstrip("# ").partition("=")
    return key.strip(), value.strip()


def _numbers(row: list[str], at: list[int]) -> list[Any]:
    """Cells as numbers where they are some; as they are, for the message, where they are not."""
    cells: list[Any] = [row[k] if k < len(row) else "" for k in at]
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        return cells
