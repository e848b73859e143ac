"""What was tuned on this machine, kept from one run to the next.

Conductivities for a pair of velocities cost half a minute of plane waves, and depend on nothing but numbers: the draws
of one posterior are tuned for pacing, for every plan that is compared, and in every worker process. Kept beside the
compiled kernels, as text, for as long as the sources that decide it are the same. Without such a place it is
computed again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cardiotwin import compiled, sources
from cardiotwin.errors import ResourceLimit
from cardiotwin.storage import durable

Tuned = TypeVar("Tuned")


def kept(
    to_json: Callable[[Tuned], Any], from_json: Callable[[Any], Tuned]
) -> Callable[[Callable[..., Tuned]], Callable[..., Tuned]]:
    """Decorate a function of hashable arguments whose repr says all about them: each call is computed once.

    Parameters
    ----------
    to_json, from_json : callable
        A result as JSON and back, to the last bit.
    """

    def decorate(compute: Callable[..., Tuned]) -> Callable[..., Tuned]:
        @lru_cache(maxsize=4096)
        @wraps(compute)
        def known(*given: Any) -> Tuned:
            arguments = tuple(one.item() if isinstance(one, np.generic) else one for one in given)
            file = _file(compute, arguments)
            if file is not None:
                with suppress(OSError, ValueError, KeyError, TypeError):  # not there yet, or damaged
                    return from_json(json.loads(file.read_bytes()))
            found = compute(*arguments)
            if file is not None:
                with suppress(OSError, ResourceLimit):
                    durable.write_file(file, json.dumps(to_json(found)).encode())
            return found

        return known

    return decorate


def _file(compute: Callable[..., Any], arguments: tuple[Any, ...]) -> Path | None:
    folder = _folder(compute.__module__)
    name = hashlib.sha256(f"{compute.__qualname__}{arguments!r}".encode()).hexdigest()[:32]
    return folder / f"{name}.json" if folder is not None else None


def _folder(module: str) -> Path | None:
    """One for each state of the sources that decide what a module computes; made again where it was removed."""
    try:
        return compiled.own_folder("tuned", _state(module))
    except OSError:
        return None


@cache
def _state(module: str) -> str:
    return sources.version_of("", [module])[:8]


def pair(values: Any) -> tuple[float, float]:
    """Two finite numbers, as they were kept; `ValueError` or `TypeError` for anything else."""
    first, second = (float(value) for value in values)
    if not (isinstance(values, list) and math.isfinite(first) and math.isfinite(second)):
        raise ValueError(f"found {values!r}, expected two numbers")
    return first, second
