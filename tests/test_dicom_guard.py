"""A file that breaks what parses it is refused by name; the process that asked, and the next file, are unharmed."""

import os
import signal
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from made_dicom import lge_series, write
from pydicom.uid import RLELossless

from cardiotwin.errors import InputRejected, IntegrityError
from cardiotwin.ingest import guard as guarding
from cardiotwin.ingest import read_dicom
from cardiotwin.ingest.guard import Guard
from cardiotwin.ingest.pixels import PixelSource


@pytest.fixture
def slices(tmp_path):
    """A series in RLE, its files in order."""
    series = lge_series()
    for dataset in series:
        dataset.compress(RLELossless, generate_instance_uid=False)
    return sorted(write(tmp_path / "lge", series).iterdir())


@pytest.fixture
def broken_guard(tmp_path, monkeypatch):
    """A guard whose process runs some lines of ours first, as a decoder with a fault would."""

    def make(lines):
        (tmp_path / "broken.py").write_text(
            "import os, runpy, signal, sys\n"
            "import pydicom.pixels.decoders.base as base\n"
            f"def decode(*args, **options):\n    {lines}\n"
            "base.Decoder.as_array = decode\n"
            "runpy.run_module('cardiotwin.ingest.parser_process', run_name='__main__')\n"
        )
        guard = Guard([sys.executable, "-P", str(tmp_path / "broken.py")])
        monkeypatch.setattr(guarding, "GUARD", guard)
        monkeypatch.setattr("cardiotwin.ingest.pixels.GUARD", guard)
        return guard

    guards = []

    def made(lines):
        guards.append(make(lines))
        return guards[-1]

    yield made
    for guard in guards:
        guard.close()


def test_a_decoder_that_dies_of_a_signal_is_the_files_fault(slices, broken_guard):
    guard = broken_guard("os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(InputRejected, match=r"IM\d+\.dcm: decoder died \(signal 11\)"):
        read_dicom(slices[0].parent)
    with pytest.raises(InputRejected, match=f"{slices[1].name}: decoder died"):
        guard.pixels(slices[1], slices[1].name)
    guard.check(slices[2], slices[2].name)  # a new process answers


def test_a_decoder_that_exits_is_no_answer(slices, broken_guard):
    guard = broken_guard("os._exit(3)")
    with pytest.raises(InputRejected, match=r"decoder died \(status 3\)"):
        guard.pixels(slices[0], slices[0].name)


def test_a_decoder_that_wants_all_memory_is_refused(slices, broken_guard):
    guard = broken_guard("return bytearray(3 << 30)")
    with pytest.raises(InputRejected, match="more bytes to hold"):
        guard.pixels(slices[0], slices[0].name)


def test_what_a_decoder_prints_is_no_answer(slices, broken_guard):
    guard = broken_guard("print('{\"bytes\": 0}'); os.write(1, b'x'); raise ValueError('CANARY')")
    with pytest.raises(InputRejected) as caught:
        guard.pixels(slices[0], slices[0].name)
    assert "CANARY" not in str(caught.value)


def test_a_decoder_that_never_ends_is_ended(slices, broken_guard, monkeypatch):
    lines = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, -1)); [0 for _ in iter(int, 1)]"
    guard = broken_guard(lines)
    started = time.process_time()
    with pytest.raises(InputRejected, match=rf"signal {int(signal.SIGXCPU)}\) after too much time"):
        guard.pixels(slices[0], slices[0].name)
    assert time.process_time() - started < 1.0


def test_the_process_has_the_limits_that_are_promised(slices):
    guard = Guard()
    guard.check(slices[0], "one")
    limits = Path(f"/proc/{guard._process.pid}/limits").read_text()
    rows = {line[:25].strip(): line[25:].split()[0] for line in limits.splitlines()}
    assert int(rows["Max address space"]) == 2 << 30
    assert int(rows["Max cpu time"]) <= 130
    assert int(rows["Max core file size"]) == 0
    guard.close()


def test_a_forked_process_asks_a_guard_of_its_own(slices):
    guard = Guard()
    guard.check(slices[0], "one")
    ours = guard._process.pid
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        guard.check(slices[1], "two")
        os.write(writing, str(guard._process.pid).encode())
        guard.close()
        os._exit(0)
    assert int(os.read(reading, 20)) != ours
    os.waitpid(child, 0)
    guard.check(slices[2], "three")
    assert guard._process.pid == ours
    guard.close()


def test_elements_without_number_are_refused_before_they_fill_the_memory(tmp_path):
    """A file of 1 GiB may hold 128 million empty elements, of which pydicom would make 50 GB."""
    folder = write(tmp_path / "lge", lge_series())
    path = sorted(folder.iterdir())[0]
    content = path.read_bytes()
    at = content.index(struct.pack("<HH2s", 0x0028, 0x0002, b"US"))
    tags = np.arange(300_000, dtype="<u4") + 0x0021_0000
    elements = np.zeros((tags.size, 4), dtype="<u2")
    elements[:, 0], elements[:, 1], elements[:, 2] = tags >> 16, tags & 0xFFFF, int.from_bytes(b"LO", "little")
    path.write_bytes(content[:at] + elements.tobytes() + content[at:])
    with pytest.raises(InputRejected, match=f"{path.name}: found more than 200000 elements"):
        read_dicom(folder)


def test_a_file_that_changes_while_it_is_read_is_a_matter_of_integrity(tmp_path, monkeypatch):
    folder = write(tmp_path / "lge", lge_series())
    last, honest = sorted(folder.iterdir())[-1], PixelSource.signal

    def signal_of(self, one):
        last.write_bytes(last.read_bytes())
        return honest(self, one)

    monkeypatch.setattr(PixelSource, "signal", signal_of)
    with pytest.raises(IntegrityError, match=f"{last.name}: found a file that changed"):
        read_dicom(folder)
