"""Electrode positions from CSV: by name, or without names where their places leave no doubt which is which."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cardiotwin.ecg.electrodes import ELECTRODES, Electrodes
from cardiotwin.errors import InputRejected
from cardiotwin.ingest.ecg_csv import MOST_HEAD_BYTES, is_number, number_table, read_rows
from cardiotwin.ingest.electrode_places import HEADER, check_places, named_by_place
from cardiotwin.ingest.slicer_markups import ENDINGS as MARKUP_ENDINGS
from cardiotwin.ingest.slicer_markups import Markups, read_markups
from cardiotwin.ingest.wording import refusal, shown

_log = logging.getLogger(__name__)

NAMES = {electrode.lower(): electrode for electrode in ELECTRODES}
MM_PER = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
MOST_MM = 2000.0
LEAST_SPREAD_MM = 100.0
"""Largest extent of the electrodes along an axis. A real adult's ten span 346 x 132 x 432 mm; a newborn's shoulder and
hip are 200 mm apart."""
LIKELY_UNITS = (("m", "metres", 0.05, 3.0), ("cm", "centimetres", 5.0, LEAST_SPREAD_MM), ("mm", "", 100.0, 3000.0))
"""Unit, its name, and the extents that speak for it."""
_COLUMN = re.compile(r"([xyz])(?:[\s_]*[\[(]?\s*(mm|cm|m)\s*[\])]?)?", re.I)


def holds_electrodes(path: Path, name: str) -> bool:
    """Whether a CSV has columns x, y and z behind names of which one is an electrode's, or no names at all; named
    electrodes without a header; or nine or ten positions.

    Raises
    ------
    InputRejected
        As `read_rows`.
    """
    with path.open("rb") as file:
        head = file.read(MOST_HEAD_BYTES).split(b"\n", 1)[0]
    if b"x" in head.lower() and b"z" in head.lower():
        first = [cell.strip() for cell in re.split("[,;\t]", head.decode("utf-8-sig", errors="replace"))]
        if _unit_of_columns(first) is not None:
            return names_an_electrode(path, name)
    if path.stat().st_size > MOST_HEAD_BYTES:
        return False
    _, rows = read_rows(path, name)
    return _are_bare(rows) or (len(rows) in (9, 10) and all(_is_named(row) for row in rows))


def names_an_electrode(path: Path, name: str) -> bool:
    """Whether one of the rows below the header has such a name, or none has any: what has others is no electrodes."""
    if path.stat().st_size > MOST_HEAD_BYTES:
        return False
    _, rows = read_rows(path, name)
    names = {row[0].strip().lower() for row in rows[1:] if row} - {""}
    return not names or bool(names & set(NAMES))


def are_electrodes(labels: Sequence[str]) -> bool:
    """Whether most of these are names of electrodes."""
    return 2 * sum(label.strip().lower() in NAMES for label in labels) > len(labels)


def read_electrodes(path: str | Path) -> Electrodes:
    """As `electrodes_and_notes`; the notes go to the log."""
    electrodes, notes = electrodes_and_notes(path)
    for note in notes:
        _log.warning("%s: %s", shown(Path(path).name, 120), note)
    return electrodes


def electrodes_and_notes(path: str | Path) -> tuple[Electrodes, tuple[str, ...]]:
    """Electrode positions from a CSV with the columns ``name, x_mm, y_mm, z_mm`` (LPS), or from points that 3D Slicer
    saved under such labels, and what was assumed.

    ``x_cm`` and ``x_m`` are other units; without any it is the one in which the positions span a thorax. RA, LA and LL
    and V1 to V6 are needed: a simulated ECG has all twelve leads. RL is not. Nine or ten rows without names are taken
    where arms, legs and chest lie apart and V1 to V6 follow each other in the file as they do round the chest.

    Raises
    ------
    InputRejected
        Missing columns, an unknown, repeated or missing name, a position that is not finite or beyond 2 m, positions
        that span no thorax (such as metres or centimetres under ``x_mm``), rows that cannot be told apart, names that
        lie where no body has them (another frame, exchanged, in reverse).
    """
    path = Path(path)
    name = shown(path.name, 120)
    if not path.is_file():
        raise InputRejected(f"{name}: no such file; check the path")
    if path.name.lower().endswith(MARKUP_ENDINGS):
        return _of_markups(read_markups(path), name)
    _, rows = read_rows(path, name)
    unit, names, cells, first_line = _laid_out(rows, name)
    if names:
        _check_complete(names, name)
    positions = number_table(cells, name, first_line=first_line)
    if positions.shape[1:] != (3,):
        raise refusal(name, f"{positions.shape[1]} numbers behind each name", "three, in mm", "Correct it")
    if not len(positions) or not np.isfinite(positions).all():
        raise refusal(name, "no positions, or one that is not finite", "LPS, mm", "Correct it")
    notes = []
    if not unit:
        unit, note = _likely_unit(positions, name)
        notes.append(note)
    positions = MM_PER[unit] * positions
    if np.abs(positions).max() > MOST_MM:
        raise refusal(name, f"a position beyond {MOST_MM:.0f} mm", "LPS, mm", "Correct it")
    _check_spans_a_thorax(positions, name)
    if names:
        notes += check_places(names, positions, name)
    else:
        names = named_by_place(positions, name)
        notes.append(
            f"positions without names: taken as {', '.join(names)}, row by row, because their places say so (arms "
            "above, legs below, V1 to V6 one after the other round the chest)"
        )
    return Electrodes(names=tuple(names), positions=positions, measured=True), tuple(notes)


def _of_markups(found: Markups, name: str) -> tuple[Electrodes, tuple[str, ...]]:
    """Labelled points of 3D Slicer, all lists of the file together; lines are none of them."""
    lists = [one for one in found.every if one.kind == "Fiducial"]
    names: list[str] = []
    for label in (label for one in lists for label in one.labels):
        electrode = NAMES.get(label.strip().lower())
        if electrode is None or electrode in names:
            raise refusal(f"{name}: a point", shown(label), f"each of {', '.join(ELECTRODES)} once", "Label it so")
        names.append(electrode)
    _check_complete(names, name)
    positions = np.concatenate([one.points_mm for one in lists])
    _check_spans_a_thorax(positions, name)
    frames = " and ".join(sorted({one.frame for one in lists}))
    notes = (f"points saved by 3D Slicer, in {frames}", *found.left_out, *check_places(names, positions, name))
    return Electrodes(names=tuple(names), positions=positions, measured=True), notes


def _laid_out(rows: list[list[str]], name: str) -> tuple[str, list[str], list[list[str]], int]:
    """Unit ("" where the file does not say), names (none of bare positions), cells of numbers, and their first line."""
    header = [cell.strip() for cell in rows[0]]
    unit = _unit_of_columns(header)
    if unit is None and _are_bare(rows):
        return "", [], rows, 1
    if unit is None and not _is_named(rows[0]):
        raise refusal(f"{name} line 1", shown(",".join(rows[0])), HEADER, "Add this header; LPS, mm")
    first_line = 1 if unit is None else 2
    names: list[str] = []
    for line, row in enumerate(rows[first_line - 1 :], start=first_line):
        electrode = NAMES.get(row[0].strip().lower())
        if electrode is None or electrode in names:
            raise refusal(f"{name} line {line}", shown(row[0]), f"each of {', '.join(ELECTRODES)} once", "Correct it")
        names.append(electrode)
    if not names:
        raise refusal(name, "no positions, or one that is not finite", "LPS, mm", "Correct it")
    return unit or "", names, [row[1:4] for row in rows[first_line - 1 :]], first_line


def _unit_of_columns(titles: Sequence[str]) -> str | None:
    """``"mm"`` of ``name,x_mm,y_mm,z_mm``, "" of ``name,x,y,z``; None where these are no titles of positions."""
    if len(titles) < 4 or titles[0].strip().lower() not in ("name", "electrode", "label"):
        return None
    found = [_COLUMN.fullmatch(title.strip()) for title in titles[1:4]]
    axes = [one and one[1].lower() for one in found]
    units = {(one[2] or "").lower() for one in found if one}
    return units.pop() if axes == ["x", "y", "z"] and len(units) == 1 else None


def _are_bare(rows: Sequence[Sequence[str]]) -> bool:
    """Whether these are nine or ten positions without anything else."""
    return len(rows) in (9, 10) and all(len(row) == 3 and all(map(is_number, row)) for row in rows)


def _is_named(row: Sequence[str]) -> bool:
    return len(row) == 4 and row[0].strip().lower() in NAMES and all(map(is_number, row[1:]))


def _likely_unit(positions: np.ndarray, name: str) -> tuple[str, str]:
    """The unit in which the positions span a thorax, and a note."""
    extent = float(np.ptp(positions, axis=0).max())
    for unit, _, least, most in LIKELY_UNITS:
        if least <= extent < most:
            return unit, f"no unit in it: taken as {unit}, in which {extent:.4g} across is a thorax"
    raise refusal(name, f"positions that span {extent:.3g}", "a thorax in mm, cm or m", f"Say the unit: {HEADER}")


def _check_spans_a_thorax(positions: np.ndarray, name: str) -> None:
    extent = float(np.ptp(positions, axis=0).max())
    if extent >= LEAST_SPREAD_MM:
        return
    likely = [(words, unit) for unit, words, least, most in LIKELY_UNITS if words and least <= extent <= most]
    expected = f"at least {LEAST_SPREAD_MM:.0f} mm"
    if not likely:
        raise refusal(name, f"positions that span {extent:.3g} mm", expected, "Check the positions and their unit")
    words, unit = likely[0]
    found = f"positions that span {extent:.3g} mm, as a thorax does in {words}"
    raise refusal(name, found, expected, f"Give mm: multiply by {MM_PER[unit]:.0f}")


def _check_complete(names: Sequence[str], name: str) -> None:
    if missing := [electrode for electrode in ELECTRODES if electrode != "RL" and electrode not in names]:
        found = f"{', '.join(names)} but not {', '.join(missing)}"
        raise refusal(name, found, "RA, LA, LL and V1 to V6 (RL may be left out)", f"Add {', '.join(missing)}")
