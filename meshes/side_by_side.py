"""Independent pieces of work on several cores, with the results of doing one after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numba

_One = TypeVar("_One")
_Other = TypeVar("_Other")


def side_by_side(one: Callable[[], _One], other: Callable[[], _Other]) -> tuple[_One, _Other]:
    """Both results, computed on two threads where Numba may use two.

    Neither may write what the other reads. Then there is nothing to race for, and the bits are the same on one thread
    and on two: each piece is done by one thread, in its own order. NumPy, SciPy and kernels compiled with `nogil`
    leave the interpreter to the other. Parallel kernels (`prange`) have no place in such a piece: not every threading
    layer of Numba can be entered twice.

    Raises
    ------
    Exception
        What the first of them that fails raises; the other is awaited.
    """
    if numba.get_num_threads() < 2:
        return one(), other()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="side_by_side") as helper:
        later = helper.submit(other)
        return one(), later.result()
