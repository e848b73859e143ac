"""openCARP's mesh files, read and written: NAME.pts, NAME.elem and, where there are fibres, NAME.lon.

Text, positions in µm, a count in the first line of .pts and .elem, a region tag at the end of every element, and one
(fibre) or two (fibre and sheet) directions an element in .lon: https://opencarp.org/documentation/user-manual, section
on file formats. Files are read in pieces, and a count is checked against the size of its file before it is believed.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from cardiotwin.errors import MeshError
from cardiotwin.meshes.formats.claims import MM_PER, RawMesh, check_counts, only_tetrahedra, refused, shown
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.storage.durable import write_file

ENDINGS = (".pts", ".elem", ".lon")
KINDS = {"Tt": "tetra", "Hx": "hexahedron", "Oc": "polyhedron", "Py": "pyramid", "Pr": "wedge", "Qd": "quad",
         "Tr": "triangle", "Ln": "line", "Cx": "line"}  # fmt: skip
TISSUE_CLASSES = {1: "healthy", 2: "border_zone", 3: "core"}
"""Tags and names of the regions in the parameter file of an exported heart."""
MOST_PARAMETER_BYTES = 1 << 20
AT_ONCE = 1 << 17
"""Lines in memory as text."""
LONGEST_LINE = 1000


def read_opencarp(path: Path) -> RawMesh:
    """Read a mesh of which one file, or the name without ending, is given.

    Raises
    ------
    MeshError
        A file of the three is missing (.lon may be), a count that is not kept, a word that is no number, elements other
        than tetrahedra with a volume.
    ResourceLimit
        Too large.
    """
    stem = path.with_suffix("") if path.suffix in ENDINGS else path
    pts, elem, lon = (stem.with_name(f"{stem.name}{ending}") for ending in ENDINGS)
    for file in (pts, elem):
        if not file.is_file():
            raise MeshError(f"{shown(file.name)}: no such file; openCARP's meshes have .pts and .elem side by side")
    points = _points(pts)
    tets, tags, rows, n_elements, notes = _elements(elem)
    data: dict[str, np.ndarray] = {} if tags is None else {_name_of(tags, stem.with_name(f"{stem.name}.par")): tags}
    if lon.is_file():
        directions = _directions(lon, n_elements)[rows]
        data["fibres"] = directions[:, :3]
        if directions.shape[1] == 6:
            data["sheets"] = directions[:, 3:]
    return RawMesh(points, tets, {}, data, "um", notes)


def _name_of(tags: np.ndarray, parameters: Path) -> str:
    """``tissue_class`` where a parameter file beside the mesh calls every tag what CardioTwin's export does."""
    if not parameters.is_file() or parameters.stat().st_size > MOST_PARAMETER_BYTES:
        return "region"
    text = parameters.read_text(encoding="utf-8", errors="replace")
    names = dict(re.findall(r'gregion\[(\d+)\]\.name\s*=\s*"(\w+)"', text))
    named = {int(tag): names.get(k) for k, tag in re.findall(r"gregion\[(\d+)\]\.ID\[0\]\s*=\s*(\d{1,9})\b", text)}
    ours = all(named.get(int(tag)) == TISSUE_CLASSES.get(int(tag), "") for tag in np.unique(tags))
    return "tissue_class" if ours else "region"


def write_opencarp(
    stem: Path, mesh: Mesh, tags: np.ndarray, fibres: np.ndarray, sheets: np.ndarray
) -> tuple[Path, Path, Path]:
    """Write STEM.pts (µm), STEM.elem and STEM.lon, each in one step.

    Parameters
    ----------
    stem : Path
        Without ending.
    tags : (n_tets,) int
        Region of each element.
    fibres, sheets : (n_tets, 3) float

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written.
    """
    pts, elem, lon = (stem.with_name(f"{stem.name}{ending}") for ending in ENDINGS)
    write_file(pts, _text(f"{len(mesh.points)}\n", mesh.points / MM_PER["um"], "%.17g"))
    write_file(elem, _text(f"{len(mesh.tets)}\n", np.column_stack([mesh.tets, tags]), "Tt %d %d %d %d %d"))
    write_file(lon, _text("2\n", np.hstack([fibres, sheets]), "%.9g"))
    return pts, elem, lon


def vertex_text(nodes: np.ndarray) -> bytes:
    """A .vtx file: nodes at which something is done, such as a stimulus, in the intracellular grid."""
    return _text(f"{len(nodes)}\nintra\n", np.asarray(nodes).reshape(-1, 1), "%d")


def _text(head: str, table: np.ndarray, form: str) -> bytes:
    out = io.StringIO()
    out.write(head)
    np.savetxt(out, table, fmt=form)
    return out.getvalue().encode()


def _count(file: TextIO, path: Path, shortest_line: int) -> int:
    """The number in the first line, if the file is long enough for as many lines."""
    name, line = shown(path.name), file.readline(LONGEST_LINE)
    if not line.strip().isdecimal() or len(line.strip()) > 18:
        raise refused(name, f"the first line {shown(line.strip(), 40)!r}", "the number of lines that follow")
    count = int(line)
    if count * shortest_line > path.stat().st_size + 1:
        raise refused(name, f"{path.stat().st_size} bytes", f"{count} lines, as its first line says")
    return count


def _lines(file: TextIO, path: Path) -> Iterator[list[str]]:
    """All lines that are not empty, `AT_ONCE` of them at a time."""

    def each() -> Iterator[str]:
        while line := file.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE:
                raise refused(shown(path.name), "a line of more than 1000 characters", "a few numbers a line")
            if not line.isspace():
                yield line

    lines = each()
    while piece := list(islice(lines, AT_ONCE)):
        yield piece


def _table(lines: list[str], path: Path, start: int, columns: tuple[int, ...], dtype: type) -> np.ndarray:
    """(n, n_columns) numbers; `start` is the row of the first line, for a refusal."""
    try:
        return np.loadtxt(lines, dtype, usecols=columns, ndmin=2, comments=None)
    except (ValueError, OverflowError) as error:
        why = shown(" ".join(str(error).split()), 120)
        raise refused(shown(path.name), f"after line {start + 1} what is no table ({why})", "numbers") from error


def _open(path: Path) -> TextIO:
    return path.open(encoding="ascii", errors="replace")


def _points(path: Path) -> np.ndarray:
    with _open(path) as file:
        count = _count(file, path, len("0 0 0\n"))
        check_counts(shown(path.name), count, 1)
        points, done = np.empty((count, 3)), 0
        for lines in _lines(file, path):
            _check_room(path, done + len(lines), count)
            points[done : done + len(lines)] = _table(lines, path, done, (0, 1, 2), np.float64)
            done += len(lines)
    _check_full(path, done, count)
    return points


def _elements(path: Path) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, int, tuple[str, ...]]:
    """Tetrahedra, their tags if all have one, which elements they are, of how many, and what was left out."""
    name, counts, tets, rows, done = shown(path.name), Counter[str](), [], [], 0
    with _open(path) as file:
        count = _count(file, path, len("Ln 0 0\n"))
        check_counts(name, 1, count)
        columns: tuple[int, ...] = ()
        for lines in _lines(file, path):
            _check_room(path, done + len(lines), count)
            kinds = [line.split(maxsplit=1)[0] for line in lines]
            counts.update(kinds)
            here = [k for k, kind in enumerate(kinds) if kind == "Tt"]
            if here:
                columns = columns or ((1, 2, 3, 4, 5) if len(lines[here[0]].split()) > 5 else (1, 2, 3, 4))
                tets.append(_table([lines[k] for k in here], path, done, columns, np.int64))
                rows.append(np.array(here) + done)
            done += len(lines)
    _check_full(path, done, count)
    unknown = [kind for kind in counts if kind not in KINDS]
    if unknown:
        raise refused(name, f"elements of kind {shown(unknown[0], 20)!r}", "Tt (tetrahedra)")
    named = Counter[str]()
    for kind, number in counts.items():
        named[KINDS[kind]] += number
    notes = only_tetrahedra(name, named)
    table = np.concatenate(tets)
    return table[:, :4], (table[:, 4] if table.shape[1] == 5 else None), np.concatenate(rows), done, notes


def _directions(path: Path, n_elements: int) -> np.ndarray:
    """(n_elements, 3 or 6); the first line says how many directions there are, in old files nothing does."""
    with _open(path) as file:
        first = file.readline(LONGEST_LINE).split()
        width = 3 * int(first[0]) if first in (["1"], ["2"]) else len(first)
        if width not in (3, 6):
            raise refused(shown(path.name), f"the first line {shown(' '.join(first), 40)!r}", "1 or 2 directions")
        if n_elements * 2 * width > path.stat().st_size + 1:
            raise refused(shown(path.name), f"{path.stat().st_size} bytes", f"a line for each of {n_elements} elements")
        if len(first) > 1:
            file.seek(0)
        table, done = np.empty((n_elements, width)), 0
        for lines in _lines(file, path):
            _check_room(path, done + len(lines), n_elements)
            table[done : done + len(lines)] = _table(lines, path, done, tuple(range(width)), np.float64)
            done += len(lines)
    _check_full(path, done, n_elements)
    return table


def _check_room(path: Path, lines: int, count: int) -> None:
    if lines > count:
        raise refused(shown(path.name), f"more than {count} lines", f"{count}")


def _check_full(path: Path, lines: int, count: int) -> None:
    if lines != count:
        raise refused(shown(path.name), f"{lines} lines", f"{count}, is the file cut short?")
