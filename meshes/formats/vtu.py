"""VTK's unstructured grids in XML (.vtu), read by ourselves: all encodings, every length checked before it is believed.

https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html. Not through meshio, which keeps one piece of
several, knows two versions of four, ends the process on damage, and expands entities.
"""

from __future__ import annotations

import binascii
import lzma
import mmap
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cardiotwin.meshes.formats.claims import (
    MOST_VALUES_PER_ROW,
    RawMesh,
    check_counts,
    only_tetrahedra,
    refused,
    shown,
)
from cardiotwin.meshes.formats.xml_parts import Element, elements

TYPES = {"Float32": "f4", "Float64": "f8", "Int8": "i1", "Int16": "i2", "Int32": "i4", "Int64": "i8", "UInt8": "u1",
         "UInt16": "u2", "UInt32": "u4", "UInt64": "u8"}  # fmt: skip
KINDS = {1: "vertex", 2: "vertex", 3: "line", 4: "line", 5: "triangle", 6: "triangle", 7: "polygon", 8: "quad",
         9: "quad", 10: "tetra", 11: "voxel", 12: "hexahedron", 13: "wedge", 14: "pyramid", 21: "line", 22: "triangle",
         23: "quad", 24: "tetra10", 25: "hexahedron20", 42: "polyhedron"}  # fmt: skip
"""VTK's numbers of the kinds of cells."""
TETRA = 10
MOST_CORNERS = 27
MOST_BLOCKS = 1 << 20
LONGEST_INDENT = 1000
APPENDED = rb"<AppendedData\s[^>]{0,200}?encoding\s*=\s*[\"'](\w+)[\"'][^>]{0,200}>\s*_"


def read_vtu(path: Path) -> RawMesh:
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
            return _read(data, name)
        except (ValueError, OverflowError, TypeError, KeyError, IndexError, EOFError) as error:
            raise refused(name, f"damaged data ({shown(error) or type(error).__name__})", "a whole file") from error


def _read(data: mmap.mmap, name: str) -> RawMesh:
    root, appended = elements(data, name, until="AppendedData")
    if root.tag != "VTKFile" or root.attributes.get("type") != "UnstructuredGrid":
        kind = root.attributes.get("type", root.tag)
        raise refused(name, f"XML of type {shown(kind, 40)!r}", "a VTKFile of type UnstructuredGrid")
    decode = _Decoder(data, root, appended, name)
    pieces = [piece for grid in root.named("UnstructuredGrid") for piece in grid.named("Piece")]
    if not pieces:
        raise refused(name, "no Piece", "an UnstructuredGrid with points and cells")
    counts = [(_whole(piece, "NumberOfPoints", name), _whole(piece, "NumberOfCells", name)) for piece in pieces]
    check_counts(name, sum(n for n, _ in counts), sum(n for _, n in counts))
    read = [_Piece(piece, *count, decode) for piece, count in zip(pieces, counts, strict=True) if any(count)]
    kinds = Counter[str]()
    for one in read:
        kinds.update(one.kinds())
    notes = only_tetrahedra(name, kinds)
    starts = np.cumsum([0] + [one.n_points for one in read])
    tets = [_shifted(one.tets(), one.n_points, start) for one, start in zip(read, starts, strict=False)]
    points = np.concatenate([one.points() for one in read])
    node_data, lost_nodes = _joined([one.data("PointData", one.n_points) for one in read])
    tet_data, lost_tets = _joined([one.tet_data() for one in read])
    lost = tuple(f"data array {shown(array)} left out: not in every piece" for array in lost_nodes | lost_tets)
    return RawMesh(points, np.concatenate(tets), node_data, tet_data, "mm", (*notes, *decode.notes, *lost))


def _shifted(tets: np.ndarray, n_points: int, start: int) -> np.ndarray:
    """Indices into the points of all pieces; those that point nowhere stay so."""
    return np.where((tets >= 0) & (tets < n_points), tets + start, -1 - np.abs(tets)) if start else tets


def _joined(pieces: list[dict[str, np.ndarray]]) -> tuple[dict[str, np.ndarray], set[str]]:
    """Arrays that all pieces have in one form, end to end, and the names of the others."""
    shared = [key for key in pieces[0] if all(key in one for one in pieces)]
    shared = [key for key in shared if len({one[key].shape[1:] for one in pieces}) == 1]
    return {key: np.concatenate([one[key] for one in pieces]) for key in shared}, {
        key for one in pieces for key in one
    } - set(shared)


def _whole(element: Element, key: str, name: str) -> int:
    text = element.attributes.get(key, "")
    if not text.strip().isdecimal() or len(text) > 18:
        raise refused(name, f"{element.tag} with {key}={shown(text, 30)!r}", "a whole number")
    return int(text)


class _Piece:
    """One piece of the grid."""

    def __init__(self, piece: Element, n_points: int, n_cells: int, decode: _Decoder) -> None:
        self.piece, self.n_points, self.n_cells, self.decode = piece, n_points, n_cells, decode
        cells = {one.attributes.get("Name", ""): one for one in self._arrays("Cells")}
        missing = [key for key in ("connectivity", "offsets", "types") if key not in cells]
        if missing:
            raise refused(decode.name, f"cells without `{missing[0]}`", "connectivity, offsets and types")
        self.types = decode(cells["types"], n_cells).ravel()
        self.offsets = decode(cells["offsets"], n_cells).ravel().astype(np.int64)
        steps = np.diff(self.offsets, prepend=0)
        if n_cells and (steps.min() < 0 or (steps.max() > MOST_CORNERS and 42 not in self.types)):
            bad = int(np.argmax((steps < 0) | (steps > MOST_CORNERS)))
            raise refused(decode.name, f"cell {bad} of {steps[bad]} nodes", f"0 to {MOST_CORNERS}")
        self.is_tet = self.types == TETRA
        if (steps[self.is_tet] != 4).any():
            bad = int(np.argmax(self.is_tet & (steps != 4)))
            raise refused(decode.name, f"tetrahedron {bad} of {steps[bad]} nodes", "4")
        self.connectivity = cells["connectivity"]

    def _arrays(self, section: str) -> list[Element]:
        return [array for one in self.piece.named(section) for array in one.named("DataArray")]

    def kinds(self) -> Counter[str]:
        numbers, counts = np.unique(self.types, return_counts=True)
        return Counter({KINDS.get(int(k), f"VTK {int(k)}"): int(n) for k, n in zip(numbers, counts, strict=True)})

    def points(self) -> np.ndarray:
        arrays = self._arrays("Points")
        if len(arrays) != 1:
            raise refused(self.decode.name, f"{len(arrays)} arrays of points", "one")
        return self.decode(arrays[0], self.n_points, 3).astype(np.float64)

    def tets(self) -> np.ndarray:
        corners = self.decode(self.connectivity, int(self.offsets[-1]) if self.n_cells else 0, 1).ravel()
        if corners.dtype.kind not in "iu":
            raise refused(self.decode.name, f"node indices of type {corners.dtype}", "whole numbers")
        first = self.offsets[self.is_tet] - 4
        return corners[first[:, None] + np.arange(4)].astype(np.int64)

    def data(self, section: str, count: int) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for array in self._arrays(section):
            key = array.attributes.get("Name", "")
            if array.attributes.get("type") not in TYPES:
                self.decode.notes.append(f"data array {shown(key)} left out: not of numbers")
                continue
            values = self.decode(array, count)
            found[key] = values[:, 0] if values.shape[1] == 1 else values
        return found

    def tet_data(self) -> dict[str, np.ndarray]:
        return {key: values[self.is_tet] for key, values in self.data("CellData", self.n_cells).items()}


class _Source(NamedTuple):
    """Bytes of one array in the file: as they are, or in base64."""

    start: int
    stop: int
    is_base64: bool


class _Decoder:
    """Arrays of numbers from their three encodings."""

    def __init__(self, data: mmap.mmap, root: Element, appended: int, name: str) -> None:
        self.data, self.name, self.notes = data, name, list[str]()
        order = root.attributes.get("byte_order", "LittleEndian")
        header = root.attributes.get("header_type", "UInt32")
        compressor = root.attributes.get("compressor", "")
        inflaters: dict[str, Callable[[], Any]] = {
            "vtkZLibDataCompressor": zlib.decompressobj, "vtkLZMADataCompressor": lzma.LZMADecompressor
        }  # fmt: skip
        if order not in ("LittleEndian", "BigEndian") or header not in ("UInt32", "UInt64"):
            raise refused(name, f"byte order {shown(order, 30)!r}, header {shown(header, 30)!r}", "those of VTK")
        if compressor and compressor not in inflaters:
            raise refused(
                name, f"compression by {shown(compressor, 40)!r}", "none, ZLib or LZMA", "Save it with ZLib compression"
            )
        self.order = "<" if order == "LittleEndian" else ">"
        self.header = np.dtype(f"{self.order}{TYPES[header]}")
        self.inflater = inflaters.get(compressor)
        self.appended = self._appended(appended) if appended >= 0 else None

    def _appended(self, at: int) -> _Source:
        tag = re.match(
            rb"<AppendedData\s[^>]{0,200}?encoding\s*=\s*[\"'](\w+)[\"'][^>]{0,200}>\s*_", self.data[at : at + 1000]
        )
        if tag is None or tag[1] not in (b"raw", b"base64"):
            raise refused(self.name, "AppendedData without a known encoding", "raw or base64 data after a `_`")
        return _Source(at + tag.end(), len(self.data), tag[1] == b"base64")

    def __call__(self, array: Element, count: int, components: int = 0) -> np.ndarray:
        """(count, n_components) numbers in native byte order."""
        about = array.attributes
        key, kind, form = about.get("Name", "Points"), about.get("type", ""), about.get("format", "ascii")
        width = int(about.get("NumberOfComponents") or 1)
        where = f"{self.name}: array {shown(key, 40)}"
        if kind not in TYPES or not 1 <= width <= MOST_VALUES_PER_ROW or (components and width != components):
            raise refused(where, f"{width} numbers of type {shown(kind, 30)!r} a row", f"{components or 'up to 16'}")
        dtype = np.dtype(f"{self.order}{TYPES[kind]}")
        n_bytes = count * width * dtype.itemsize
        if form == "ascii":
            values = self._ascii(array, dtype, count * width, where)
        elif form in ("binary", "appended"):
            raw = self._bytes(self._source(array, form, where), n_bytes, where)
            if len(raw) != n_bytes:
                raise refused(where, f"{len(raw)} bytes", f"{n_bytes}")
            values = np.frombuffer(raw, dtype)
        else:
            raise refused(where, f"format {shown(form, 30)!r}", "ascii, binary or appended")
        return values.reshape(count, width).astype(dtype.newbyteorder("="), copy=False)

    def _ascii(self, array: Element, dtype: np.dtype, count: int, where: str) -> np.ndarray:
        text = self.data[array.start : array.stop]
        if count * 2 > len(text) + 1:
            raise refused(where, f"{len(text)} characters", f"{count} numbers")
        words = text.split()
        if len(words) != count:
            raise refused(where, f"{len(words)} numbers", f"{count}")
        return np.array(words, np.bytes_).astype(dtype) if words else np.zeros(0, dtype)

    def _source(self, array: Element, form: str, where: str) -> _Source:
        if form == "binary":
            text = self.data[array.start : min(array.stop, array.start + LONGEST_INDENT)]
            return _Source(array.start + len(text) - len(text.lstrip()), array.stop, True)
        offset = array.attributes.get("offset", "").strip()
        if self.appended is None or not offset.isdecimal() or len(offset) > 18:
            raise refused(where, f"appended data at {shown(offset, 30)!r}", "an offset into AppendedData")
        start = self.appended.start + int(offset)
        if start >= self.appended.stop:
            raise refused(
                where, f"an offset of {int(offset)} bytes", f"less than {self.appended.stop - self.appended.start}"
            )
        return self.appended._replace(start=start)

    def _bytes(self, source: _Source, n_bytes: int, where: str) -> bytes:
        """What an array holds: `n_bytes` by every header, and never more memory than that."""
        size = self.header.itemsize
        if self.inflater is None:
            told = int(self._words(source, 1, where)[0])
            if told != n_bytes:
                raise refused(where, f"{told} bytes by its own header", f"{n_bytes}")
            if source.is_base64 and self._is_padded(source):
                return self._taken(source, self._after(source, size), n_bytes, where)
            return self._taken(source, source.start, size + n_bytes, where)[size:]
        blocks, block, last = self._words(source, 3, where).tolist()
        whole = blocks - 1 if last else blocks
        if blocks > MOST_BLOCKS or (whole * block + last if blocks else 0) != n_bytes:
            raise refused(where, f"{blocks} blocks of {block} bytes", f"{n_bytes} bytes in all")
        sizes = self._words(source, 3 + blocks, where)[3:].tolist() if blocks else []
        packed = self._taken(source, self._after(source, (3 + blocks) * size), sum(sizes), where)
        ends = np.cumsum([0, *sizes]).tolist()
        pieces = [packed[a:b] for a, b in pairwise(ends)]
        return b"".join(self._inflated(pieces, [block] * whole + [last] * (blocks - whole), where))

    def _words(self, source: _Source, count: int, where: str) -> np.ndarray:
        """Numbers of the header before an array."""
        return np.frombuffer(self._taken(source, source.start, count * self.header.itemsize, where), self.header)

    def _is_padded(self, source: _Source) -> bool:
        """Whether the header is a piece of base64 by itself, which some programs write."""
        after = self._after(source, self.header.itemsize)
        return self.data[after - 1 : after] == b"="

    def _after(self, source: _Source, n_bytes: int) -> int:
        """Where in the file the first `n_bytes` of an array end."""
        return source.start + (-(-n_bytes // 3) * 4 if source.is_base64 else n_bytes)

    def _taken(self, source: _Source, start: int, n_bytes: int, where: str) -> bytes:
        length = -(-n_bytes // 3) * 4 if source.is_base64 else n_bytes
        if start + length > source.stop:
            raise refused(where, f"{max(source.stop - start, 0)} bytes left in the file", f"{length}")
        piece = self.data[start : start + length]
        if not source.is_base64:
            return piece
        decoded = binascii.a2b_base64(piece)  # binascii.Error is a ValueError
        if len(decoded) < n_bytes:
            raise refused(where, f"{len(decoded)} bytes of base64", f"{n_bytes}")
        return decoded[:n_bytes]

    def _inflated(self, pieces: list[bytes], lengths: list[int], where: str) -> Iterator[bytes]:
        assert self.inflater is not None
        for packed, length in zip(pieces, lengths, strict=True):
            try:
                piece = self.inflater().decompress(packed, length + 1)
            except (zlib.error, lzma.LZMAError) as error:
                raise refused(where, f"damaged compressed data ({shown(error)})", "a whole file") from error
            if len(piece) != length:
                raise refused(where, f"a block of {len(piece)} bytes or more", f"{length}")
            yield piece
