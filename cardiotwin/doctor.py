"""What this machine has, and what CardioTwin will make of it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cardiotwin import __version__
from cardiotwin.ensemble import cores
from cardiotwin.memory import available_bytes

MEMORY_GB, DISK_GB = 4.0, 2.0
"""What the demo asks of a machine."""

_LIBRARIES = ("numpy", "scipy", "numba", "pydicom", "SimpleITK", "pyvista", "vtk", "pydantic", "cyclopts")
_PYTHONS = ((3, 11), (3, 13))
_GB = 1e9


@dataclass(frozen=True)
class Row:
    """One finding: `ok` is None where nothing was asked."""

    name: str
    value: float | str
    unit: str
    bar: str
    ok: bool | None
    note: str = ""


def machine() -> str:
    """This machine, for the head of every table of measurements."""
    return (
        f"{processor()}, {cores()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def examine() -> tuple[Row, ...]:
    """Everything worth knowing before a long run; measures, changes nothing."""
    return (
        Row("CardioTwin", __version__, "", "", None),
        _python(),
        *_libraries(),
        Row("cores", cores(), "", "", None, "all are used; in ensembles, one computation each"),
        _memory(),
        _disk(),
        _cache(),
        Row("threads wait", os.environ.get("OMP_WAIT_POLICY", "unset"), "", "PASSIVE", _waits_passively(), _WAIT_NOTE),
        _paraview(),
    )


_WAIT_NOTE = "spinning threads slow a busy machine threefold"


def _waits_passively() -> bool:
    return os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"


def _python() -> Row:
    found = tuple(map(int, platform.python_version_tuple()[:2]))
    low, high = ("{}.{}".format(*version) for version in _PYTHONS)
    return Row("Python", platform.python_version(), "", f"{low} to {high}", _PYTHONS[0] <= found <= _PYTHONS[1])


def _libraries() -> Iterator[Row]:
    for name in _LIBRARIES:
        try:
            yield Row(name, importlib.metadata.version(name), "", "installed", True)
        except importlib.metadata.PackageNotFoundError:
            yield Row(name, "missing", "", "installed", False, "install the package again")


def _memory() -> Row:
    free = available_bytes() / _GB
    return Row("memory available", round(free, 1), "GB", f">= {MEMORY_GB:g}", free >= MEMORY_GB, "for the demo")


def _disk() -> Row:
    free = shutil.disk_usage(Path.cwd()).free / _GB
    return Row("disk free here", round(free, 1), "GB", f">= {DISK_GB:g}", free >= DISK_GB, "for the demo")


def _cache() -> Row:
    folder = Path(os.environ.get("NUMBA_CACHE_DIR", ""))
    name = "compiled kernels"
    if not folder.is_absolute():
        return Row(name, "beside the sources", "", "own folder", False, "no private folder found; set NUMBA_CACHE_DIR")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Row(name, str(folder), "", "writable", False, f"{error.strerror}: every start compiles for a minute")
    kept = sum(1 for _ in folder.rglob("*.nbc"))
    return Row(
        name, str(folder), "", "writable", True, f"{kept} kept" if kept else "the first run compiles for a minute"
    )


def _paraview() -> Row:
    found = shutil.which("paraview")
    return Row("ParaView", found or "not found", "", "", None, "only for looking; nothing needs it")
