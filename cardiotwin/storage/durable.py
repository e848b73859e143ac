"""Files that are there in full or not at all, after a kill, a full disk or a power cut."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cardiotwin.errors import ResourceLimit

TEMPORARY = ".tmp-"
"""How the name of an unfinished folder or file starts."""

_FULL = {errno.ENOSPC: "disk full", errno.EDQUOT: "disk quota reached", errno.EFBIG: "file-size limit reached"}
_REFUSED = {*_FULL, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOTDIR}
"""What the system says when it will not store a file; any other error is a bug and stays one."""
_OURS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class HashedFile:
    """A new private file (mode 0600) that knows the SHA-256 and size of what was written to it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, _OURS, 0o600)
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """All of `data`, or OSError: a short write is carried on, never taken for a whole one."""
        view = memoryview(data).cast("B")
        total = len(view)
        self._hash.update(view)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.size += total
        return total

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def __enter__(self) -> HashedFile:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        # A failed fsync means the data may be gone for good: it is passed on, never tried again.
        try:
            if kind is None:
                os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)


def canonical(value: Any) -> bytes:
    """JSON with one spelling: sorted keys, no spaces, no NaN; what hashes are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def readable(value: Any) -> bytes:
    """JSON for people: indented, no NaN."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_file(path: Path, data: bytes) -> None:
    """Replace a file in one step: temporary file, fsync, rename, fsync of the folder.

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written to; the old file is untouched.
    """
    temporary = path.with_name(TEMPORARY + uuid.uuid4().hex)
    with refusing_half(path.name, temporary, len(data)):
        with HashedFile(temporary) as file:
            file.write(data)
        os.replace(temporary, path)
        sync_folder(path.parent)


@contextmanager
def new_folder(target: Path, needed: int = 0) -> Iterator[Path]:
    """A temporary folder that takes the name `target` when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    target : Path
        Replaced if it is there.
    needed : int
        Bytes about to be written, for the message when they do not fit.
    """
    temporary = target.with_name(TEMPORARY + uuid.uuid4().hex)
    with refusing_half(target.name, temporary, needed):
        make_private(target.parent)
        temporary.mkdir(mode=0o700)
        yield temporary
        sync_folder(temporary)
        replaced = target.with_name(TEMPORARY + uuid.uuid4().hex)
        if target.exists():
            os.rename(target, replaced)
        os.rename(temporary, target)
        sync_folder(target.parent)
        remove(replaced)


@contextmanager
def refusing_half(what: str, temporary: Path, needed: int) -> Iterator[None]:
    """Remove what was half written, and say in one line why a write failed."""
    try:
        yield
    except BaseException as error:
        remove(temporary)
        if is_refusal(error):
            raise ResourceLimit(_explained(error, what, temporary.parent, needed)) from error
        raise


def is_refusal(error: BaseException) -> bool:
    """Whether the system, not the program, is why a write failed."""
    return isinstance(error, OSError) and error.errno in _REFUSED


def _explained(error: BaseException, what: str, folder: Path, needed: int) -> str:
    number = getattr(error, "errno", None) or 0
    while not folder.exists():
        folder = folder.parent
    if number in _FULL:
        # Asked after the half-written files were removed: this is what the next attempt will find.
        free = shutil.disk_usage(folder).free
        return (
            f"{_FULL[number]} while writing {what}: {needed:,} bytes needed, {free:,} free in {folder}; "
            "nothing half written was kept. Free some space and run again"
        )
    return f"cannot write {what} in {folder}: {os.strerror(number)}; nothing half written was kept"


def make_private(folder: Path) -> None:
    """Make a folder (and its parents) that only its owner can enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def sync_file(path: Path) -> None:
    """Make a file that somebody else wrote private, and survive a power cut."""
    os.chmod(path, 0o600)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> int:
    """Remove what a killed run left behind; only the holder of the lock may. Returns how many were removed."""
    leftovers = list(folder.glob(TEMPORARY + "*"))
    for leftover in leftovers:
        remove(leftover)
    return len(leftovers)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
