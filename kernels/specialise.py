"""One template, many kernels: functions made anew for each cell model, in a way that Numba can find again on disk."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from numba import njit

CELL_MODELS = "cardiotwin.kernels.ionic."

BARE = {"error_model": "numpy", "_nrt": False}
"""How kernels are compiled that are given every array they use: without counting references.

Numba counts them atomically wherever an array changes its name, and cannot always prove that it need not: in each tile
and step that was 5 ns a node, half of a step of Mitchell and Schaeffer's cell and a sixth of ten Tusscher and
Panfilov's. Such a kernel cannot make arrays."""
INLINED = {"forceinline": True, **BARE}


def specialise(template: Callable, name: str, *, inline: bool = False, parallel: bool = False, **bound: Any) -> Any:
    """Compile a copy of a plain function in which some global names mean something else.

    A copy and not a closure: Numba finds a compiled function on disk by its file, name, code and closure, and a
    closure over another compiled function is never the same twice, so worker processes would compile it anew.

    Parameters
    ----------
    template : function without closure
        Plain functions of its own module or of a cell model's that it calls are copied and inlined.
    name : str
        Sets the copy apart on disk; must differ for different `bound`.
    inline : bool
        Whether it becomes part of its caller instead of being kept on disk itself.
    parallel : bool
        Whether `prange` is a parallel loop.
    **bound
        Global names of the template and what they shall mean.
    """
    scope = dict(template.__globals__)
    for helper in template.__code__.co_names:
        function = scope.get(helper)
        if isinstance(function, types.FunctionType) and (
            function.__module__ == template.__module__ or function.__module__.startswith(CELL_MODELS)
        ):
            scope[helper] = specialise(function, name, inline=True)
    scope.update(bound)
    copy = types.FunctionType(template.__code__, scope, template.__name__, template.__defaults__)
    copy.__qualname__ = f"{template.__qualname__}_{name}{'_parallel' if parallel else ''}"
    if inline:
        return njit(**INLINED)(copy)
    return njit(cache=True, parallel=parallel, **BARE)(copy)
