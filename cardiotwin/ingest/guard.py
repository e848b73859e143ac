"""Untrusted files are parsed in a process of their own first, under limits; only what it survives is parsed here.

Compressed pixels are decoded there and nowhere else: decoders are written in C, and a damaged stream may end the
process that runs them. Answers are JSON and plain numbers; nothing that comes back is ever run.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from cardiotwin import errors
from cardiotwin.errors import CardioTwinError, InputRejected, IntegrityError
from cardiotwin.ingest.wording import refusal

MOST_ANSWER_BYTES = 1 << 16
MOST_REMEMBERED = 100_000
DTYPES = {f"{order}{kind}{size}" for order in "<>|" for kind in "iu" for size in (1, 2, 4)}
REFUSALS = ("InputRejected", "QualityGate", "ResourceLimit", "PolicyRefusal", "IntegrityError")

Stamp = tuple[int, ...]


def stamp(path: Path) -> Stamp:
    """What changes when a file does: where it lies on the disk, its size and its times."""
    seen = path.stat()
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def check_unchanged(path: Path, name: str, before: Stamp) -> None:
    """Refuse a file that was changed, or removed, since its header was read.

    Raises
    ------
    IntegrityError
    """
    try:
        same = stamp(path) == before
    except OSError:
        same = False
    if not same:
        raise refusal(
            name,
            "a file that changed while it was read",
            "one that is at rest",
            "Wait until it is copied, then try again",
            IntegrityError,
        )


class Guard:
    """One process that parses, started when it is first needed and again after it died.

    Parameters
    ----------
    command : list of str
        What to run.
    """

    def __init__(self, command: list[str] | None = None) -> None:
        self._command = command or [sys.executable, "-P", "-m", "cardiotwin.ingest.parser_process"]
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()
        self._passed: set[Stamp] = set()

    def check(self, path: Path, name: str) -> None:
        """Parse a header in the other process, once for each state of the file.

        Raises
        ------
        CardioTwinError
            Whatever the parser refuses; also that it died, which is the file's fault.
        """
        now = stamp(path)
        if now in self._passed:
            return
        self._ask("header", path, name)
        if len(self._passed) >= MOST_REMEMBERED:
            self._passed.clear()
        self._passed.add(now)

    def pixels(self, path: Path, name: str) -> np.ndarray:
        """(frames, rows, columns) as stored, decoded in the other process.

        Raises
        ------
        CardioTwinError
            As `check`.
        """
        said, raw = self._ask("pixels", path, name)
        if said["dtype"] not in DTYPES:
            raise InputRejected(f"{name}: found pixels of type {said['dtype']!r}; expected whole numbers")
        return np.frombuffer(raw, dtype=said["dtype"]).reshape(said["shape"])

    def recording(self, path: Path, name: str) -> tuple[dict[str, Any], bytes]:
        """An ECG as `cardiotwin.ingest.ecg_formats.parsed` gives it, parsed in the other process.

        Raises
        ------
        CardioTwinError
            As `check`.
        """
        return self._ask("recording", path, name)

    def close(self) -> None:
        """End the process, if it is this one's."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()

    def _ask(self, what: str, path: Path, name: str) -> tuple[dict[str, Any], bytes]:
        request = json.dumps({"do": what, "path": str(path.absolute()), "name": name}).encode() + b"\n"
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(request)
                process.stdin.flush()
                line = process.stdout.readline(MOST_ANSWER_BYTES)
                said = json.loads(line)
                raw = process.stdout.read(said["bytes"])
                whole = len(raw) == said["bytes"]
            except (OSError, ValueError):
                whole = False
            except BaseException:  # stopped halfway: the rest of the answer must not pass for the next one
                self._end(process)
                raise
            if not whole:
                raise _died(name, what, self._end(process))
        if "refused" in said:
            raise _refused(said)
        return said, raw

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            # The same path as ours, but never the folder the user happens to be in: it may hold a numpy.py.
            settings = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # warnings quote values, and with them names
                env=os.environ | settings,
                start_new_session=True,  # Ctrl-C is ours to answer
            )
            self._owner = os.getpid()
        return self._process

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Its exit status, negative for a signal."""
        self._process = None
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what was still to be written has nobody to read it
                pass
        try:
            return process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _refused(said: dict[str, Any]) -> CardioTwinError:
    kind = getattr(errors, said["refused"]) if said["refused"] in REFUSALS else InputRejected
    refused: CardioTwinError = kind(str(said["line"]))
    return refused


def _died(name: str, what: str, status: int) -> InputRejected:
    who = "decoder" if what == "pixels" else "parser"
    how = f"signal {-status}" if status < 0 else f"status {status}"
    why = " after too much time" if status == -signal.SIGXCPU else ""
    return InputRejected(
        f"{name}: {who} died ({how}){why}; expected a file that can be read. It is damaged, or made to do harm: "
        "export it again"
    )


GUARD = Guard()
atexit.register(GUARD.close)
