"""Plans from files: TOML that a person reads and edits, and lesion points that a mapping system exported."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cardiotwin.ablation.lesions import RESERVED_NAMES, Lesion, Plan, segment_number
from cardiotwin.errors import InputRejected
from cardiotwin.ingest.lesion_points import MOST_DEPTH_MM, MOST_RADIUS_MM, LesionPoints, points_of_csv, points_of_vtk
from cardiotwin.ingest.slicer_markups import ENDINGS as MARKUP_ENDINGS
from cardiotwin.ingest.slicer_markups import LINES, Markup, Markups, read_markups
from cardiotwin.ingest.wording import shown
from cardiotwin.settings import pacing_site
from cardiotwin.toml_words import syntax_words, value_words

FEWEST = {"point": 1, "line": 2, "patch": 1, "segment": 1, "homogenise": 0}
"""Places that a lesion of each kind needs."""
USUAL_RADIUS_MM, USUAL_DEPTH_MM = 5.0, 8.0
"""Of a lesion that does not say: what `settings.PlanSettings` proposes with."""
_BY_VENTRICLE = (
    "left or right coordinates such as 'left 0.3 0.5', 'right apex', 'right outflow', or 'AHA 1' to 'AHA 17'"
)

PLACES_AS = {"points_mm": "[[x, y, z], ...]", "at": '["AHA 8", ...]', "segments": '["AHA 8", ...]'}
"""How each key for places is written."""


def _by_number(segment: object) -> object:
    return f"AHA {segment}" if type(segment) is int else segment


class _LesionTable(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["point", "line", "patch", "segment", "homogenise"]
    points_mm: list[tuple[float, float, float]] = []
    at: list[str] = []
    segments: list[Annotated[str, BeforeValidator(_by_number)]] = []
    radius_mm: float = Field(USUAL_RADIUS_MM, gt=0, le=MOST_RADIUS_MM)
    depth_mm: float = Field(USUAL_DEPTH_MM, gt=0, le=MOST_DEPTH_MM)
    completeness: float = Field(1.0, gt=0, le=1)


class _PlanTable(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=80)
    note: str = ""
    lesion: list[_LesionTable] = Field(min_length=1)


def read_plan(path: Path | str) -> Plan:
    """Read a plan from TOML, lesion points from CSV, VTP or legacy VTK, or points and lines that 3D Slicer saved.

    TOML has `name`, `note`, and a `[[lesion]]` with `kind`, its places (`points_mm`, `at` or `segments`), `radius_mm`,
    `depth_mm` and `completeness` each. What was taken for granted of exported points is in the plan's note.

    Raises
    ------
    InputRejected
        Not readable, an unknown key or column, no lesion, a place or segment that is none, a value out of range; names
        file, and key or row and column.
    """
    path = Path(path)
    name = shown(path.name, 120)
    if path.name.lower().endswith(MARKUP_ENDINGS):
        return _of_markups(read_markups(path))
    if path.suffix.lower() == ".csv":
        return _of_points(points_of_csv(path, name), "CSV")
    if path.suffix.lower() in (".vtp", ".vtk"):
        return _of_points(points_of_vtk(path, name), "VTK")
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        table = _PlanTable(**tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputRejected(f"{path.name}: not readable as a plan in TOML ({syntax_words(text, error)})") from error
    except ValidationError as error:
        raise InputRejected(f"{path.name}: {_complaint(error)}") from error
    lesions = tuple(_lesion(one, f"{path.name}: lesion {number}") for number, one in enumerate(table.lesion, 1))
    return Plan(table.name, lesions, table.note)


def _lesion(table: _LesionTable, where: str) -> Lesion:
    """The lesion of a table whose places fit its kind."""
    _check_keys(table, where)
    places = max(len(table.points_mm), len(table.at), len(table.segments))
    if places < FEWEST[table.kind] or not np.isfinite(table.points_mm).all():
        expected = {
            "segment": "at least 1 of 'AHA 1' to 'AHA 17' in `segments`",
            "point": "at least 1, each three finite numbers in mm (LPS), or places in `at`",
        }.get(table.kind, f"at least {FEWEST[table.kind]}, each three finite numbers in mm (LPS), or places in `at`")
        what = "segments" if table.kind == "segment" else "points"
        raise InputRejected(f"{where} ({table.kind}) has {places} {what}; expected {expected}")
    points = np.array(table.points_mm, float).reshape(-1, 3)
    return Lesion(
        table.kind, points, table.radius_mm, table.depth_mm, tuple(table.at), tuple(table.segments), table.completeness
    )


def _check_keys(table: _LesionTable, where: str) -> None:
    """Refuse places that the kind has no use for, places that are none, and a share of a depth that is not asked."""
    places = [key for key in ("points_mm", "at", "segments") if getattr(table, key)]
    takes = {"segment": ("segments",), "homogenise": ()}.get(table.kind, ("points_mm", "at"))
    if idle := [key for key in places if key not in takes]:
        shown = (f"`{one} = {PLACES_AS[one]}`" for one in takes)
        use = f"takes {' or '.join(shown)}" if takes else "takes no places: it is the whole border zone"
        raise InputRejected(f'{where}: `{idle[0]}` with kind = "{table.kind}", which {use}')
    if len(places) > 1:
        raise InputRejected(f"{where}: both `points_mm` and `at`; expected one of them, in the order of the lesion")
    if table.kind == "homogenise" and table.completeness < 1.0:
        raise InputRejected(f'{where}: `completeness` with kind = "homogenise", which has no depth; leave it out')
    try:
        for name in table.segments:
            segment_number(name)
    except ValueError as error:
        raise InputRejected(f"{where}: `segments`: {error}") from error
    for name in table.at:
        _check_place(name, where)


def _check_place(name: str, where: str) -> None:
    try:
        site = pacing_site(name)
    except ValueError:
        raise InputRejected(f"{where}: `at`: found {name!r}; expected {_BY_VENTRICLE}") from None
    if site.side is None:
        raise InputRejected(f"{where}: `at`: found the point {name!r}; put points in mm into `points_mm`")


def _complaint(error: ValidationError) -> str:
    """The first thing wrong with a plan, an unknown key before what is missing: which lesion, which key."""
    found = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")[0]
    lesion = found["loc"][:1] == ("lesion",) and len(found["loc"]) > 2
    where, place = (f"lesion {int(found['loc'][1]) + 1}: ", found["loc"][2:]) if lesion else ("", found["loc"])
    key, known = ".".join(map(str, place)), (_LesionTable if lesion else _PlanTable).model_fields
    if found["type"] == "extra_forbidden":
        near = get_close_matches(key, known, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        return f"{where}unknown key `{key}`; {hint}{'A lesion' if lesion else 'A plan'} takes {', '.join(known)}"
    if found["type"] == "missing" and place[:1] == ("points_mm",):
        return f"{where}{_point_of(place[:2])}: expected 3 values, found {found['input']!r}"
    if found["type"] == "missing":
        return f"{where}`{key}` is missing; {'a lesion' if lesion else 'a plan'} takes {', '.join(known)}"
    if found["type"] == "too_short" and key == "lesion":
        return (
            "an empty plan: `lesion` holds none; add a [[lesion]], or remove the file: no ablation is always compared"
        )
    if key == "lesion" and isinstance(found["input"], dict):
        return "`[lesion]` stands in single brackets; each lesion begins with [[lesion]]"
    return f"{where}{_point_of(place)}: {value_words(found)}{_as_points(place, found['input'])}"


def _point_of(place: tuple[int | str, ...]) -> str:
    """A key, and of `points_mm` which point and which of its coordinates."""
    if place[:1] != ("points_mm",):
        return f"`{'.'.join(map(str, place))}`"
    point = f", point {int(place[1]) + 1}" if len(place) > 1 else ""
    return f"`points_mm`{point}" + (f", {'xyz'[int(place[2])]}" if len(place) > 2 else "")


def _as_points(place: tuple[int | str, ...], found: object) -> str:
    """How points are written, where one of them is a number: a single point without its second brackets."""
    alone = place[:1] == ("points_mm",) and len(place) == 2 and isinstance(found, (int, float))
    return "; write points as [[x, y, z], [x, y, z]], also a single one" if alone else ""


def _of_points(found: LesionPoints, form: str) -> Plan:
    """A point lesion for each radius, depth and completeness that occurs, in the order of the file."""
    radius = np.where(np.isnan(found.radius_mm), USUAL_RADIUS_MM, found.radius_mm)
    depth = np.where(np.isnan(found.depth_mm), USUAL_DEPTH_MM, found.depth_mm)
    sizes = np.column_stack([radius, depth, found.completeness])
    lesions = []
    for size in dict.fromkeys(map(tuple, sizes.tolist())):
        mine = (sizes == size).all(axis=1)
        lesions.append(Lesion("point", found.points_mm[mine], size[0], size[1], completeness=size[2]))
    count = len(found.points_mm)
    told = [f"{count} lesion point{'s' * (count != 1)} imported from {form}, taken as {found.frame}, mm"]
    if np.isnan(found.radius_mm).any():
        told.append(f"radius {USUAL_RADIUS_MM:g} mm where the file says none")
    if np.isnan(found.depth_mm).any():
        told.append(f"depth {USUAL_DEPTH_MM:g} mm where the file says none")
    if found.unused:
        told.append(f"not used: {', '.join(found.unused)}")
    # Not after the file: what a hospital exports is often named after the patient.
    return Plan(found.name or f"imported lesions {found.digest[:4]}", tuple(lesions), "; ".join(told))


def _of_markups(found: Markups) -> Plan:
    """A point list is lesions at points, a line or curve a line lesion, a closed curve one that ends where it began."""
    lesions = [_of_markup(one) for one in found.every]
    counts = {kind: sum(one.kind == kind for one in lesions) for kind in ("point", "line")}
    points = sum(len(one.points_mm) for one in lesions if one.kind == "point")
    what = [f"{points} point{'s' * (points != 1)}"] * bool(counts["point"])
    what += [f"{counts['line']} line{'s' * (counts['line'] != 1)}"] * bool(counts["line"])
    frames = " and ".join(sorted({one.frame for one in found.every}))
    sizes = f"radius {USUAL_RADIUS_MM:g} mm and depth {USUAL_DEPTH_MM:g} mm, which it does not say"
    note = "; ".join((f"{' and '.join(what)} saved by 3D Slicer, in {frames}, mm", sizes, *found.left_out))
    return Plan(f"imported lesions {found.digest[:4]}", tuple(lesions), note)


def _of_markup(one: Markup) -> Lesion:
    points = one.points_mm
    if one.kind == "ClosedCurve":
        points = np.concatenate([points, points[:1]])
    is_line = one.kind in LINES and len(points) >= FEWEST["line"]
    return Lesion("line" if is_line else "point", points, USUAL_RADIUS_MM, USUAL_DEPTH_MM)


def plan_text(plan: Plan) -> str:
    """The plan as the TOML that `read_plan` reads."""
    taken = "  # change it before you add this file" if plan.name in RESERVED_NAMES else ""
    lines = [f"name = {_quoted(plan.name)}{taken}", f"note = {_quoted(plan.note)}"]
    for lesion in plan.lesions:
        lines += ["", "[[lesion]]", f'kind = "{lesion.kind}"', *_places(lesion)]
        lines += [f"radius_mm = {lesion.radius_mm:.2f}", f"depth_mm = {lesion.depth_mm:.2f}"]
        lines += [f"completeness = {lesion.completeness:g}"] if lesion.completeness < 1.0 else []
    return "\n".join(lines) + "\n"


def _places(lesion: Lesion) -> list[str]:
    points = ", ".join("[" + ", ".join(f"{x:.2f}" for x in point) + "]" for point in lesion.points_mm)
    lines = [f"points_mm = [{points}]  # LPS"] if points else []
    named = {"at": lesion.at, "segments": lesion.segments}
    return lines + [f"{key} = [{', '.join(map(_quoted, names))}]" for key, names in named.items() if names]


def _quoted(text: str) -> str:
    kept = "".join(character if character.isprintable() else " " for character in text)
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'
