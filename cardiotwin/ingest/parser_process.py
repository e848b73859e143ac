"""The process that parses first: what an untrusted file can break breaks here, under limits, and nowhere else.

Run by :mod:`cardiotwin.ingest.guard`, never by hand. It reads one request a line, ``{"do": "header", "pixels" or
"recording", "path": ..., "name": ...}``, and answers with one line of JSON, after which the raw pixels follow.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import BinaryIO

MOST_MEMORY_BYTES = 2 << 30
MOST_SECONDS = 120
MOST_FILE_BYTES = 1 << 30
MOST_OPEN_FILES = 64


def limit_this_process() -> None:
    """2 GiB of addresses, files of at most 1 GiB, 64 of them open, no core dump."""
    for what, most in (
        (resource.RLIMIT_AS, MOST_MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, MOST_FILE_BYTES),
        (resource.RLIMIT_NOFILE, MOST_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def allow_seconds(seconds: int = MOST_SECONDS) -> None:
    """The time of the processor that the next request may take before the system ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + seconds + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def answer(request: dict[str, str]) -> tuple[dict[str, object], bytes]:
    """What to say, and the bytes that follow it."""
    from cardiotwin.errors import CardioTwinError
    from cardiotwin.ingest.dicom_file import parse, quiet, refusing
    from cardiotwin.ingest.ecg_formats import parsed
    from cardiotwin.ingest.pixels import decoded

    path, name = Path(request["path"]), request["name"]
    try:
        with quiet():
            if request["do"] == "header":
                parse(path, name, pixels=False)
                return {}, b""
            if request["do"] == "recording":
                return parsed(path, name)
            with refusing(name, "PixelData (7FE0,0010) cannot be decoded"):
                pixels = decoded(parse(path, name, pixels=True), name)
                return {"shape": pixels.shape, "dtype": pixels.dtype.str}, pixels.tobytes()
    except CardioTwinError as refused:
        return {"refused": type(refused).__name__, "line": str(refused)}, b""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there are no more requests."""
    for line in requests:
        allow_seconds()
        said, pixels = answer(json.loads(line))
        answers.write(json.dumps(said | {"bytes": len(pixels)}).encode() + b"\n")
        answers.write(pixels)
        answers.flush()


if __name__ == "__main__":
    limit_this_process()
    # What a library prints must not pass for an answer.
    _answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    serve(sys.stdin.buffer, _answers)
