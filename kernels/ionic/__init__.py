"""Cell models, one file each, in the notation of their papers.

A module here holds

- `STATE`: name of each state variable and its initial value, the potential (mV) first;
- `PARAMETERS`: name of each parameter a node may have its own value of, and the default;
- `CELL_TYPES`, if any: parameters that differ, by name of the cell type or of the paper's set of parameters, and
  `STEADY_STATES`, where the state differs too;
- `RATES`, if any: state variables whose last rate of change the model keeps, to extrapolate them within a step;
- `LONGEST_STEP_MS`: the longest step its explicit parts bear away from the upstroke;
- `LONGEST_RESTING_STEP_MS`, if any: the longest below `REPOLARISED_MV`;
- `LONGEST_DT_MS`, if any: the longest time step it bears everywhere, the upstroke included
  (`cardiotwin.solver.longest_step`); a solver refuses a longer one;
- `STEEPEST_PER_MS`, if any: the largest slope of `ionic_current` over the potential in a beat, with the gates as they
  are: how fast a potential off its course returns. Diffusion has to leave so much room in a time step;
- `NEEDS_DOUBLE`, if any: True for one that does not work in single precision, which a solver then refuses;
- `REST_MV`, `REPOLARISED_MV`: resting potential, and the potential below which a beat is over;
- `gates(cell, lane, V, dt)`: takes the gates of one cell a step of dt at the potential V, in place;
- `ionic_current(cell, lane, V, dt)`: I_ion over C_m at the potential V, mV/ms, with the gates as they are; takes the
  concentrations a step of dt.

The potential itself is the solver's: a model says what its membrane does, not how time is cut into steps.

`cell` is one flat row with all numbers of a tile of 16 cells, ``cell[variable * 16 + lane]``: state variables, then
parameters, then those rates, then room for the potential before the step and for how fast a node leaks to its
neighbours. In the interpreter the functions are those of one cell; compiled, lane is 0 and every name in them stands
for 16 cells at once (`cardiotwin.kernels.lanes`). So no equation is written twice.

A model of the user's own is such a file anywhere, named by its path.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

MODELS = (
    "aliev_panfilov",
    "bueno_orovio_2008",
    "courtemanche_1998",
    "fenton_karma",
    "luo_rudy_1991",
    "mitchell_schaeffer",
    "modified_mitchell_schaeffer",
    "ohara_rudy_2011",
    "ten_tusscher_2006",
    "tor_ord_2019",
)
"""What a `Medium` may be made of; a heart, of some of them (`cardiotwin.tissue.cells`).

`pathmanathan_gray` is for verification only."""

CONTRACT = ("STATE", "PARAMETERS", "LONGEST_STEP_MS", "REST_MV", "REPOLARISED_MV", "gates", "ionic_current")


def cell_model(name: str) -> ModuleType:
    """The module of a cell model, by its name here or the path of its file (``.py``), which is code and is run.

    Raises
    ------
    ModuleNotFoundError, OSError
        There is none of that name; the file cannot be read.
    """
    return _from_file(Path(name)) if name.endswith(".py") else importlib.import_module(f"{__name__}.{name}")


def _from_file(path: Path) -> ModuleType:
    """A file as a module of this package whose name ends with the hash of the content.

    So that everything that goes by a model's name, kernels kept on disk as well as states, is of this very content.
    """
    source = path.read_bytes()
    name = f"{__name__}.{re.sub(r'[^0-9a-zA-Z]', '_', path.stem)}_{hashlib.sha256(source).hexdigest()[:16]}"
    if name not in sys.modules:
        module = ModuleType(name)
        module.__file__ = str(path)
        # Not by the import system: what that keeps in __pycache__ goes by time and size, and may be of other content.
        exec(compile(source, str(path), "exec"), vars(module))
        sys.modules[name] = module
    return sys.modules[name]


def rows(state: dict[str, float], parameters: dict[str, float], rates: tuple[str, ...] = ()) -> list[int]:
    """Where each variable of a tile starts: state, then parameters, then rates."""
    return [16 * k for k in range(len(state) + len(parameters) + len(rates))]


def width(cell: ModuleType) -> int:
    """Numbers a cell has in its tile: state, parameters, rates, the earlier potential and the leak."""
    return len(cell.STATE) + len(cell.PARAMETERS) + len(getattr(cell, "RATES", ())) + 2
