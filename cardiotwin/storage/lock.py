"""One writer at a time, and the second one learns who the first is."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cardiotwin.errors import ResourceLimit


@dataclass(frozen=True)
class Holder:
    """The process that holds a twin; `boot` tells a process number from the same number before a reboot."""

    pid: int
    host: str
    boot: str
    started: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.started}"


@contextmanager
def locked(path: Path) -> Iterator[Holder | None]:
    """Hold the lock file `path`; yields the holder that died without releasing it, or None.

    The kernel's own lock (flock) decides, so a killed holder blocks nobody and no process number has to be trusted; the
    text in the file only says who it is.

    Raises
    ------
    ResourceLimit
        Another process holds it, or the folder cannot be written to.
    """
    descriptor = _opened(path)
    try:
        _take(descriptor, path)
        try:
            dead = _read(descriptor)
            _write(descriptor, json.dumps(asdict(_myself())))
            yield dead
        finally:
            _write(descriptor, "")
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock now, without taking it; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise ResourceLimit(f"{path.parent}: cannot be opened for writing ({why}); check its owner and mode") from error


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        who = _read(descriptor) or "another process"
        raise ResourceLimit(f"{path.parent.name}: in use by {who}; wait for it to end, or stop it") from error


def _read(descriptor: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _myself() -> Holder:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return Holder(
        pid=os.getpid(),
        host=socket.gethostname(),
        boot=boot.read_text().strip() if boot.exists() else "",
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
