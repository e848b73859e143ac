"""Which files a path means, without following a loop or waiting on a pipe."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from cardiotwin.errors import InputRejected
from cardiotwin.ingest.dicomdir import is_dicomdir, named_files
from cardiotwin.ingest.wording import shown

MOST_FILES = 10_000


def regular_files(path: str | Path | Iterable[str | Path]) -> tuple[list[Path], list[str]]:
    """Every regular file under `path`, sorted, and a line for each thing that was left out.

    Links, pipes, sockets and devices inside a folder are left out, so that a loop ends and nothing blocks.
    A link named by the user is followed once. Hidden files are left out silently. A DICOMDIR named by the user stands
    for the files that it names.

    Parameters
    ----------
    path : folder, file, or several of them

    Raises
    ------
    InputRejected
        Nothing there, or more than 10,000 files.
    """
    roots = [Path(path)] if isinstance(path, str | os.PathLike) else [Path(one) for one in path]
    files: list[Path] = []
    notes: list[str] = []
    for root in roots:
        if not root.exists():
            raise InputRejected(f"{root.name}: no such file or folder; check the path")
        entries: Iterable[Path] = _walk(root) if root.is_dir() else [root]
        if is_dicomdir(root):
            entries, missing = named_files(root)
            notes += [f"{root.name} names {shown(one)}, which is not there" for one in missing]
        for entry in entries:
            kind = _kind(entry, follow=entry == root)
            if kind == "file":
                files.append(entry)
            else:
                notes.append(f"{entry.name}: {kind}, left out")
            if len(files) > MOST_FILES:
                raise InputRejected(
                    f"{root.name}: found more than {MOST_FILES} files, expected one study; give the folder of one study"
                )
    return sorted(set(files)), notes


def common_root(path: str | Path | Iterable[str | Path]) -> Path | None:
    """The folder the user gave, or that of a DICOMDIR, for naming files inside it."""
    if not isinstance(path, str | os.PathLike):
        return None
    root = Path(path)
    if root.is_dir():
        return root
    return root.parent if is_dicomdir(root) else None


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in folders if Path(folder, name).is_symlink())
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _kind(entry: Path, follow: bool) -> str:
    mode = entry.stat().st_mode if follow else entry.lstat().st_mode
    if stat.S_ISREG(mode):
        return "file"
    return "a link" if stat.S_ISLNK(mode) else "not a regular file"
