"""Cell models, one file each, in the notation of their papers.

A module here holds

- `STATE`: name of each state variable and its initial value, the potential (mV) first;
- `PARAMETERS`: name of each parameter a node may have its own value of, and the default;
- `LONGEST_STEP_MS`: the longest step its explicit parts bear away from the upstroke;
- `REST_MV`, `REPOLARISED_MV`: resting potential, and the potential below which a beat is over;
- `step(cell, lane, dt)`: one time step of one cell.

`cell` is one flat row with all numbers of a tile of 16 cells, ``cell[variable * 16 + lane]``: state variables, then
parameters, then `CURRENT`, what the neighbours and the stimulus add to dV/dt (mV/ms), then room for the potential
before the step and for how fast a node leaks to its neighbours. In the interpreter the step is that of one cell;
compiled, lane is 0 and every name in it stands for 16 cells at once (`cardiotwin.kernels.lanes`). So no equation is
written twice.
"""

from __future__ import annotations

import importlib
from types import ModuleType

MODELS = ("mitchell_schaeffer", "ten_tusscher_2006")
"""What tissue may be made of; `pathmanathan_gray` is for verification only."""


def cell_model(name: str) -> ModuleType:
    """The module of a cell model; `ModuleNotFoundError` when there is none of that name."""
    return importlib.import_module(f"cardiotwin.kernels.ionic.{name}")


def rows(state: dict[str, float], parameters: dict[str, float]) -> list[int]:
    """Where each variable of a tile starts: state, parameters, then the current."""
    return [16 * k for k in range(len(state) + len(parameters) + 1)]


def width(cell: ModuleType) -> int:
    """Numbers a cell has in its tile: state, parameters, the current, the earlier potential and the leak."""
    return len(cell.STATE) + len(cell.PARAMETERS) + 3
