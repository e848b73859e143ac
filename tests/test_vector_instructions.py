"""The compiled time loop computes 16 cells at once: what that looks like to the processor."""

import math
import platform
import re

import numpy as np
import pytest
from medium_blocks import single_cell
from numba import njit

from cardiotwin.kernels.specialise import BARE
from cardiotwin.monodomain import Protocol, Solver

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")

PACKED = re.compile(r"^\s+v?(?:add|sub|mul|div|sqrt|fn?m(?:add|sub)\d+)p[sd]\s", re.MULTILINE)
SCALAR = re.compile(r"^\s+v?(?:add|sub|mul|div|sqrt|fn?m(?:add|sub)\d+)s[sd]\s", re.MULTILINE)
CALLS = re.compile(r"\b(?:exp|log|pow|expm1)f?@PLT|[$%@](?:exp|log|pow|expm1)f?\b")


def compiled(kernel, real: str):
    """The time loop for one precision, compiled once more, since what comes from disk cannot be read."""
    tiles = 2  # which argument holds the cells
    signature = next(one for one in kernel.signatures if f"Tiles(array({real}" in str(one[tiles]))
    anew = njit(**BARE)(kernel.py_func)
    anew.compile(signature)
    return anew


def assembly(kernel, real: str) -> str:
    anew = compiled(kernel, real)
    return anew.inspect_asm(anew.signatures[0])


@pytest.mark.parametrize(("precision", "real"), [("single", "float32"), ("double", "float64")])
def test_ten_tusscher_runs_in_vector_registers(precision, real):
    solver = Solver(single_cell("ten_tusscher_2006"), 0.02, threads=1, precision=precision)
    solver.run(Protocol((), 0.02), stop_when_quiet=False)
    text = assembly(solver._advance, real)
    packed, scalar = len(PACKED.findall(text)), len(SCALAR.findall(text))
    # Fifty exponentials of some ten operations each, and as much again around them.
    assert packed > 800, f"{packed} packed, {scalar} scalar operations"
    assert scalar < 0.1 * packed, f"{packed} packed, {scalar} scalar operations"
    right = len(re.findall(rf"mulp{precision[0]}\s", text))
    assert right > 0.9 * len(re.findall(r"mulp[sd]\s", text)), "numbers are converted on the way"
    assert not CALLS.search(text), "calls the C library's exponential, one number at a time"


def counts(kernel) -> int:
    """How often a function, not its wrapper for the interpreter, counts a reference."""
    text = kernel.inspect_llvm(kernel.signatures[0])
    bodies = re.findall(r"^define .*?^}", text, re.MULTILINE | re.DOTALL)
    headers = [body.split("\n")[0] for body in bodies]
    return sum(
        body.count("@NRT_incref(") - header.count("@NRT_incref(")
        for body, header in zip(bodies, headers, strict=True)
        if "@_ZN7cpython" not in header
    )


def test_no_reference_is_counted_in_the_loop():
    """Each is two atomic operations; two of them for every tile and step took half of Mitchell and Schaeffer's."""
    solver = Solver(single_cell("mitchell_schaeffer"), 0.1, threads=1)
    solver.run(Protocol((), 0.1), stop_when_quiet=False)
    assert counts(compiled(solver._advance, "float32")) == 0

    @njit
    def counting(a, b):
        for k in range(a.size):
            if a[k] > b[0]:
                a, b = b, a
        return a

    counting(np.zeros(8), np.zeros(8))
    assert counts(counting) > 0, "this cannot see them"


def test_a_loop_written_plainly_would_not():
    """What the test above must be able to see."""

    @njit(error_model="numpy")
    def plain(v, y):
        for i in range(v.size):
            y[i] = 1.0 / (1.0 + math.exp((v[i] + 30.0) / 11.5)) + math.log(1.0 + v[i] * v[i])

    plain(np.zeros(32), np.zeros(32))
    text = plain.inspect_asm(plain.signatures[0])
    assert len(PACKED.findall(text)) < len(SCALAR.findall(text)) or CALLS.search(text)
