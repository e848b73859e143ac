"""VTK's old files (.vtk), read by ourselves: versions 1 to 5, text and binary, every count checked against the file.

https://docs.vtk.org/en/latest/vtk_file_formats/vtk_legacy_file_format.html. Not through meshio: it knows neither
`long` nor `vtktypeint64` data, so it does not read what PyVista writes.
"""

from __future__ import annotations

import mmap
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from cardiotwin.meshes.formats.claims import (
    MOST_VALUES_PER_ROW,
    RawMesh,
    check_counts,
    only_tetrahedra,
    refused,
    shown,
)
from cardiotwin.meshes.formats.vtu import KINDS, MOST_CORNERS, TETRA

TYPES = {"char": "i1", "unsigned_char": "u1", "short": "i2", "unsigned_short": "u2", "int": "i4", "unsigned_int": "u4",
         "long": "i8", "unsigned_long": "u8", "vtktypeint64": "i8", "vtktypeuint64": "u8", "vtkidtype": "i4",
         "float": "f4", "double": "f8"}  # fmt: skip
WIDTHS = {"vectors": 3, "normals": 3, "tensors": 9, "tensors6": 6, "global_ids": 1, "pedigree_ids": 1}
"""Numbers a row of the data whose header does not say."""
LONGEST_LINE = 1024
AT_ONCE = 1 << 18
LONGEST_NUMBER = 40


def read_vtk(path: Path) -> RawMesh:
    """Read tetrahedra and their data.

    Raises
    ------
    MeshError
        Damaged, hostile or without tetrahedra.
    ResourceLimit
        Too large.
    """
    name = shown(path.name)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _Grid(data, name).read()
        except (ValueError, OverflowError, TypeError, IndexError) as error:
            raise refused(name, f"damaged data ({shown(error) or type(error).__name__})", "a whole file") from error


class _Grid:
    """What the sections of a file hold, in the order in which they come."""

    def __init__(self, data: mmap.mmap, name: str) -> None:
        self.data, self.name, self.at = data, name, 0
        head = [self._line() for _ in range(3)]
        if not head[0].lower().startswith("# vtk datafile version") or head[2].upper() not in ("ASCII", "BINARY"):
            raise refused(name, f"a first line {shown(head[0], 40)!r}", "a legacy VTK file, ASCII or BINARY")
        self.is_text = head[2].upper() == "ASCII"
        self.points, self.offsets, self.corners = np.zeros((0, 3)), np.zeros(1, np.int64), np.zeros(0, np.int64)
        self.types = np.zeros(0, np.int64)
        self.node_data: dict[str, np.ndarray] = {}
        self.cell_data: dict[str, np.ndarray] = {}
        self.notes: list[str] = []

    def read(self) -> RawMesh:
        into, rows, known = dict[str, np.ndarray](), 0, True
        while known and (words := self._words()) is not None:
            kind = words[0].lower()
            if kind in ("point_data", "cell_data"):
                into, rows = (self.node_data if kind == "point_data" else self.cell_data), self._whole(words, 1)
                self._check_rows(kind, rows)
            elif kind == "field":
                known = self._fields(self._whole(words, 2), into)
            else:
                known = self._section(kind, words, into, rows)
        return self._mesh()

    def _section(self, kind: str, words: list[str], into: dict[str, np.ndarray], rows: int) -> bool:
        """Read one section; False where the rest cannot be read."""
        if kind == "dataset":
            if words[1:2] != ["UNSTRUCTURED_GRID"]:
                raise refused(self.name, f"a dataset {shown(' '.join(words[1:]), 40)!r}", "UNSTRUCTURED_GRID")
        elif kind == "points":
            count = self._whole(words, 1)
            check_counts(self.name, count, 1)
            self.points = self._numbers(count * 3, words[2]).reshape(-1, 3).astype(np.float64)
        elif kind == "cells":
            self._cells(self._whole(words, 1), self._whole(words, 2))
        elif kind == "cell_types":
            check_counts(self.name, 1, self._whole(words, 1))
            self.types = self._numbers(self._whole(words, 1), "int").astype(np.int64)
        elif kind == "metadata":
            while self._line():
                pass
        elif kind == "scalars":
            width = self._whole(words, 3) if len(words) > 3 else 1
            if self._peek().lower().startswith("lookup_table"):
                self._line()
            self._keep(into, words[1], rows, width, words[2])
        elif kind in WIDTHS:
            self._keep(into, words[1], rows, WIDTHS[kind], words[2])
        elif kind == "texture_coordinates":
            self._keep(into, words[1], rows, self._whole(words, 2), words[3])
        elif kind in ("color_scalars", "lookup_table"):
            self._colours(kind, words, rows)
        else:
            self.notes.append(f"what follows {shown(words[0], 30)!r} left out")
            return False
        return True

    def _colours(self, kind: str, words: list[str], rows: int) -> None:
        """Read past colours."""
        rows, width = (rows, self._whole(words, 2)) if kind == "color_scalars" else (self._whole(words, 2), 4)
        self._numbers(rows * width, "float" if self.is_text else "unsigned_char")

    def _cells(self, count: int, size: int) -> None:
        check_counts(self.name, 1, count)
        if self._peek().lower().startswith("offsets"):
            self.offsets = self._numbers(count, self._line().split()[1]).astype(np.int64)
            self.corners = self._numbers(size, self._line().split()[1]).astype(np.int64)
            return
        table = self._numbers(size, "int").astype(np.int64)
        lengths, at = np.empty(count, np.int64), 0
        for cell in range(count):  # every cell begins with its length: there is no other way to find the next
            lengths[cell] = length = int(table[at])
            if not 0 <= length <= MOST_CORNERS:
                raise refused(self.name, f"cell {cell} of {length} nodes", f"0 to {MOST_CORNERS}")
            at += length + 1
        heads = np.cumsum(lengths + 1) - lengths - 1
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.corners = np.delete(table[:at], heads)

    def _fields(self, n_arrays: int, into: dict[str, np.ndarray]) -> bool:
        """Arrays that name their own length; False where one is not of numbers."""
        for _ in range(n_arrays):
            words = self._words()
            while words and words[0].lower() == "metadata":
                self._section("metadata", words, into, 0)
                words = self._words()
            if words is None or len(words) < 4:
                raise refused(self.name, f"a field {shown(words)!r}", "its name, size and type")
            if words[3].lower() not in TYPES:
                self.notes.append(f"data array {shown(words[0])} is not of numbers; what follows it left out")
                return False
            self._keep(into, words[0], self._whole(words, 2), self._whole(words, 1), words[3])
        return True

    def _keep(self, into: dict[str, np.ndarray], key: str, rows: int, width: int, kind: str) -> None:
        if not 1 <= width <= MOST_VALUES_PER_ROW:
            raise refused(self.name, f"{width} numbers a row of {shown(key)}", f"1 to {MOST_VALUES_PER_ROW}")
        values = self._numbers(rows * width, kind).reshape(rows, width)
        into[unquote(key)] = values[:, 0] if width == 1 else values

    def _mesh(self) -> RawMesh:
        n_cells = len(self.types)
        check_counts(self.name, len(self.points), n_cells)
        steps = np.diff(self.offsets)
        if len(steps) != n_cells or self.offsets[0] != 0 or self.offsets[-1] != len(self.corners) or steps.min() < 0:
            raise refused(self.name, f"{len(steps)} cells and {n_cells} types", "as many, without gaps")
        numbers, counts = np.unique(self.types, return_counts=True)
        kinds = Counter({KINDS.get(int(k), f"VTK {int(k)}"): int(n) for k, n in zip(numbers, counts, strict=True)})
        notes = only_tetrahedra(self.name, kinds)
        is_tet = self.types == TETRA
        if (steps[is_tet] != 4).any():
            bad = int(np.argmax(is_tet & (steps != 4)))
            raise refused(self.name, f"tetrahedron {bad} of {steps[bad]} nodes", "4")
        tets = self.corners[self.offsets[:-1][is_tet][:, None] + np.arange(4)]
        tet_data = {key: values[is_tet] for key, values in self.cell_data.items() if len(values) == n_cells}
        node_data = {key: values for key, values in self.node_data.items() if len(values) == len(self.points)}
        return RawMesh(self.points, tets, node_data, tet_data, "mm", (*notes, *self.notes))

    def _check_rows(self, kind: str, rows: int) -> None:
        expected = len(self.points) if kind == "point_data" else len(self.types)
        if rows != expected:
            raise refused(self.name, f"{kind.upper()} {rows}", f"{expected}")

    # ------------------------------------------------------------------------------------------------ lines, numbers

    def _line(self) -> str:
        self.data.seek(self.at)
        line = self.data.readline() if self.data.find(b"\n", self.at, self.at + LONGEST_LINE) >= 0 else b""
        if not line:
            line = self.data[self.at : self.at + LONGEST_LINE]
            if len(line) == LONGEST_LINE:
                raise refused(self.name, f"a line of more than {LONGEST_LINE} bytes", "a section of a mesh")
        self.at += len(line)
        return line.decode("latin-1").strip()

    def _peek(self) -> str:
        at = self.at
        line = self._line()
        self.at = at
        return line

    def _words(self) -> list[str] | None:
        """The next line that is not empty; None at the end."""
        while self.at < len(self.data):
            words = self._line().split()
            if words:
                return words
        return None

    def _whole(self, words: list[str], at: int) -> int:
        word = words[at] if len(words) > at else ""
        if not word.isdecimal() or len(word) > 18:
            raise refused(self.name, f"the line {shown(' '.join(words), 60)!r}", "a whole number in it")
        return int(word)

    def _numbers(self, count: int, kind: str) -> np.ndarray:
        if kind.lower() not in TYPES:
            raise refused(self.name, f"numbers of type {shown(kind, 30)!r}", ", ".join(TYPES))
        dtype = np.dtype(TYPES[kind.lower()])
        least = 2 * count - 1 if self.is_text else count * dtype.itemsize
        if least > len(self.data) - self.at:
            raise refused(self.name, f"{len(self.data) - self.at} bytes left", f"{count} numbers of type {kind}")
        if self.is_text:
            return self._from_text(count, dtype)
        raw = self.data[self.at : self.at + least]
        self.at += least
        if self.data[self.at : self.at + 1] == b"\n":
            self.at += 1
        return np.frombuffer(raw, dtype.newbyteorder(">")).astype(dtype)

    def _from_text(self, count: int, dtype: np.dtype) -> np.ndarray:
        values, done = np.empty(count, dtype), 0
        while done < count:
            wanted = min(count - done, AT_ONCE)
            text = self.data[self.at : self.at + wanted * LONGEST_NUMBER]
            words = text.split(None, wanted)
            rest = words.pop() if len(words) > wanted else b""
            if not rest and self.at + len(text) < len(self.data) and not text[-1:].isspace() and words:
                rest = words.pop()  # cut in the middle
            if not words:
                raise refused(self.name, f"{done} numbers", f"{count}")
            values[done : done + len(words)] = np.array(words, np.bytes_).astype(dtype)
            done += len(words)
            self.at += len(text) - len(rest)
        return values
