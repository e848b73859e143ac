"""Triangles from STL, PLY, VTP and legacy VTK files, guarded before VTK sees them and read in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cardiotwin.errors import CardioTwinError, InputRejected
from cardiotwin.ingest.wording import refusal, shown

ENDINGS = (".stl", ".ply", ".vtp", ".vtk")
MOST_BYTES = 1 << 30
MOST_POINTS, MOST_TRIANGLES = 5_000_000, 20_000_000
HEAD_BYTES = 1 << 16
MOST_CLOUD_BYTES = 16 << 20
MOST_ATTRIBUTE_BYTES = 4096
SECONDS = 150.0
AGAIN = "Export the surface again"


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles as a file holds them.

    Attributes
    ----------
    name : str
        Of the file, without its ending.
    points : (n_points, 3) float64
        mm; LPS unless the file says otherwise.
    triangles : (n_triangles, 3) int64
    data : dict of str to (n_points,) float64
        Scalars at the points, such as a class or a signal.
    """

    name: str
    points: np.ndarray
    triangles: np.ndarray
    data: Mapping[str, np.ndarray] = field(default_factory=dict)


def read_surfaces(paths: Sequence[Path]) -> tuple[Surface, ...]:
    """Read several files, all or none.

    Points in a file that says ``SPACE=RAS`` (3D Slicer) are turned into LPS.

    Raises
    ------
    InputRejected
        The first that is damaged, empty, hostile or of another format.
    """
    found = []
    for one in read_each(paths):
        if isinstance(one, CardioTwinError):
            raise one
        found.append(one)
    return tuple(found)


def read_each(paths: Sequence[Path]) -> tuple[Surface | CardioTwinError, ...]:
    """A surface or the reason why not, for each file."""
    results: dict[Path, Surface | CardioTwinError] = {}
    readable = []
    for path in paths:
        try:
            check_surface_file(path, shown(path.name, 120))
            readable.append(path)
        except CardioTwinError as error:
            results[path] = error
    results |= _read_in_child(readable)
    return tuple(results[path] for path in paths)


def read_points(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray], str]:
    """Points (k, 3) in mm, LPS, of a file without a surface, their scalars, and the frame of the file, LPS or RAS.

    Raises
    ------
    InputRejected
        Damaged, hostile or with points that are not finite.
    """
    check_surface_file(path, shown(path.name, 120))
    found = _read_in_child([path], _checked_points)[path]
    if isinstance(found, CardioTwinError):
        raise found
    return found.points, dict(found.data), "RAS" if _is_ras(path) else "LPS"


def holds_only_points(path: Path) -> bool:
    """Whether VTK polydata (.vtp, .vtk) says that it holds points, and neither polygons nor strips."""
    with path.open("rb") as file:
        content = file.read(MOST_CLOUD_BYTES + 1)
    if len(content) > MOST_CLOUD_BYTES:
        return False
    if path.suffix.lower() == ".vtp":
        counts = re.findall(rb'NumberOf(?:Polys|Strips)="\s*(\d{1,20})\s*"', content)
        points = re.findall(rb'NumberOfPoints="\s*(\d{1,20})\s*"', content)
        return any(int(one) for one in points) and not any(int(one) for one in counts)
    some = re.search(rb"^POINTS\s+[1-9]", content, re.MULTILINE)
    return some is not None and re.search(rb"^(?:POLYGONS|TRIANGLE_STRIPS)\b", content, re.MULTILINE) is None


_Result = dict[Path, Surface | CardioTwinError]


def _read_in_child(
    paths: Sequence[Path], checked: Callable[[Path, Path], Surface | CardioTwinError] | None = None
) -> _Result:
    """What VTK makes of each file. One that ends the process is refused, and those after it are read by another."""
    checked = checked or _checked
    results: _Result = {}
    waiting = list(paths)
    while waiting:
        with tempfile.TemporaryDirectory(prefix="cardiotwin-") as folder:
            died = _run_child(Path(folder), waiting)
            done = sum((Path(folder) / f"{k}.npz").exists() for k in range(len(waiting)))
            for number, path in enumerate(waiting):
                file = Path(folder) / f"{number}.npz"
                if file.exists():
                    results[path] = checked(file, path)
                elif not died or number == done:
                    results[path] = refusal(
                        shown(path.name, 120), "a file that VTK cannot read", "a surface of triangles", AGAIN
                    )
            waiting = [path for path in waiting if path not in results]
    return results


def _run_child(folder: Path, paths: Sequence[Path]) -> bool:
    """Run the reader; whether it died before it had seen all files."""
    command = [sys.executable, "-m", "cardiotwin.ingest.surface_child", str(folder), *(str(p.resolve()) for p in paths)]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def _checked(file: Path, path: Path) -> Surface | CardioTwinError:
    found = _checked_points(file, path)
    if isinstance(found, CardioTwinError):
        return found
    name, points, triangles = shown(path.name, 120), found.points, found.triangles
    if not len(triangles):
        return refusal(name, "no triangle", "a surface of triangles", AGAIN)
    outside = (triangles < 0) | (triangles >= len(points))
    if outside.any():
        bad = int(np.argmax(outside.any(axis=1)))
        numbers = shown(triangles[bad].tolist())
        return refusal(f"{name}: triangle {bad}", f"points {numbers}", f"0 to {len(points) - 1}", AGAIN)
    return found


def _checked_points(file: Path, path: Path) -> Surface | CardioTwinError:
    """What is in the file, whether or not it has triangles."""
    name = shown(path.name, 120)
    with np.load(file, allow_pickle=False) as stored:
        points, triangles = stored["points"], stored["triangles"]
        data = {key[5:]: stored[key] for key in stored.files if key.startswith("data:")}
    if len(points) > MOST_POINTS or len(triangles) > MOST_TRIANGLES:
        found = f"{len(points)} points, {len(triangles)} triangles"
        return refusal(name, found, f"at most {MOST_POINTS} and {MOST_TRIANGLES}", "Decimate it")
    if not np.isfinite(points).all():
        bad = int(np.argmin(np.isfinite(points).all(axis=1)))
        return refusal(f"{name}: point {bad}", shown(points[bad].tolist()), "three finite numbers", AGAIN)
    if _is_ras(path):
        points = points * [-1.0, -1.0, 1.0]
    return Surface(path.stem, points, triangles, {key: v for key, v in data.items() if len(v) == len(points)})


def _is_ras(path: Path) -> bool:
    with path.open("rb") as file:
        return re.search(rb"SPACE=RAS", file.read(4096)) is not None


def check_surface_file(path: Path, name: str) -> None:
    """Refuse what lies about itself, by its own bytes.

    Raises
    ------
    InputRejected
        No such file, too large or empty, another ending, counts that the file cannot hold, entities or huge attributes
        in XML, appended data outside the file.
    """
    if not path.is_file():
        raise InputRejected(f"{name}: no such file; check the path")
    size = path.stat().st_size
    checks = {".stl": _check_stl, ".ply": _check_ply, ".vtp": _check_vtp, ".vtk": _check_vtk}
    check = checks.get(path.suffix.lower())
    if check is None:
        raise refusal(name, f"the ending {shown(path.suffix)!r}", ", ".join(ENDINGS), AGAIN)
    if not 0 < size <= MOST_BYTES:
        raise refusal(name, f"{size} bytes", f"1 to {MOST_BYTES}", AGAIN)
    with path.open("rb") as file:
        check(file.read(HEAD_BYTES), path, size, name)


def _check_stl(head: bytes, path: Path, size: int, name: str) -> None:
    if re.match(rb"\s*solid", head) and b"facet" in head:
        return
    count = int.from_bytes(head[80:84], "little")
    if size < 84 or size != 84 + 50 * count:
        raise refusal(f"{name}: byte 80", f"{count} triangles in {size} bytes", f"{84 + 50 * count} bytes", AGAIN)


def _check_ply(head: bytes, path: Path, size: int, name: str) -> None:
    end = head.find(b"end_header")
    if not head.startswith(b"ply") or end < 0:
        raise refusal(name, "no PLY header", "ply ... end_header", AGAIN)
    for kind, least in ((b"vertex", 6), (b"face", 4)):  # a vertex of three digits, a face of one byte and three
        counts = re.findall(rb"^element %s (\S{1,40})\s*$" % kind, head[:end], re.MULTILINE)
        if len(counts) != 1 or not counts[0].isdigit() or int(counts[0]) * least > size - end:
            found = ", ".join(shown(c.decode("latin-1")) for c in counts) or "none"
            raise refusal(f"{name}: element {kind.decode()}", f"{found} in {size} bytes", "as many as there are", AGAIN)


def _check_vtk(head: bytes, path: Path, size: int, name: str) -> None:
    counts = [
        *re.findall(rb"^\s*POINTS\s+(\S{1,40})", head, re.MULTILINE),
        *re.findall(rb"^\s*(?:POLYGONS|TRIANGLE_STRIPS)\s+(\S{1,40})", head, re.MULTILINE),
    ]
    if not head.startswith(b"# vtk DataFile") or re.search(rb"^DATASET\s+POLYDATA", head, re.MULTILINE) is None:
        raise refusal(name, "no DATASET POLYDATA", "a legacy VTK surface", "Save it as .vtp or .stl")
    for count in counts:
        if not count.isdigit() or 2 * int(count) > size:
            raise refusal(f"{name}: counts", f"{shown(count.decode('latin-1'))} in {size} bytes", "fewer", AGAIN)


def _check_vtp(head: bytes, path: Path, size: int, name: str) -> None:
    """The XML before the data: no entities, no attribute of thousands of bytes, no data beyond the end."""
    content = path.read_bytes()
    start = content.find(b"<AppendedData")
    markup = content if start < 0 else content[:start]
    if b"<VTKFile" not in head or b"PolyData" not in head:
        raise refusal(name, "no <VTKFile type='PolyData'>", "a VTK XML surface", AGAIN)
    if b"<!DOCTYPE" in markup or b"<!ENTITY" in markup:
        raise refusal(name, "an XML document type or entity", "none", "Write it with VTK or ParaView")
    for part in markup.split(b"<")[1:]:
        tag = part.split(b">", 1)[0]
        if len(tag) > MOST_ATTRIBUTE_BYTES:
            found = f"a tag of {len(tag)} bytes ({shown(tag[:20].decode('latin-1'))})"
            raise refusal(name, found, f"at most {MOST_ATTRIBUTE_BYTES}", AGAIN)
        for key, value in re.findall(rb'\b(NumberOf\w{1,20}|offset)="([^"]{0,80})"', tag):
            limit = size - max(start, 0) if key == b"offset" else 4 * size
            if value.strip() and (not value.strip().isdigit() or int(value) > limit):
                found = shown(value.decode("latin-1"))
                raise refusal(f"{name}: {key.decode()}", f"{found} in {size} bytes", "data in the file", AGAIN)
