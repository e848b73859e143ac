"""What the monodomain equations need of a tissue, or of a cable without a heart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.kernels.ionic import CONTRACT, MODELS, cell_model
from cardiotwin.units import C_M_UF_PER_MM2, CHI_PER_MM


@dataclass(frozen=True, eq=False)
class Medium:
    """A conducting body.

    Attributes
    ----------
    points, tets : (n_points, 3) float64 mm, (n_tets, 4) int32
        Conducting tetrahedra only; points of no tetrahedron stay out of the computation.
    sigma : (n_tets, 3, 3) float64
        Conductivity tensor, mS/mm.
    cell_model : str
        A name in `cardiotwin.kernels.ionic.MODELS`, or the path of a file like those there (it ends with ``.py``).
    parameters : dict of str to (n_points,) float or float
        Cell-model parameters that differ from their default.
    same_as : (n_points,) int64, optional
        A point each point is one with; that is how a lattice is made periodic.
    capacity : float
        chi C_m, µF/mm³.
    initial : dict of str to (n_points,) float or float
        State variables that start from another value than the model's.
    mass_lumping : float
        1 lumps the mass matrix, 0 leaves it consistent; between, a share of each. Anything but 1 is inverted as a dense
        matrix: for cables and coarse slabs in verification.
    """

    points: np.ndarray
    tets: np.ndarray
    sigma: np.ndarray
    cell_model: str
    parameters: Mapping[str, np.ndarray | float]
    same_as: np.ndarray | None = None
    capacity: float = CHI_PER_MM * C_M_UF_PER_MM2
    initial: Mapping[str, np.ndarray | float] = field(default_factory=dict)
    mass_lumping: float = 1.0


def membrane(name: str) -> tuple[str, ModuleType]:
    """A cell model by its name or its file: what it is known by from now on, and the module.

    That of a file ends with the hash of its content, so that a changed file is another model.

    Raises
    ------
    InputRejected
        There is none of that name, the file cannot be read, or is no cell model.
    """
    try:
        cell = cell_model(name)
    except (ImportError, OSError, SyntaxError) as error:
        raise InputRejected(
            f"cell model {name!r}: {error}. Expected one of {', '.join(MODELS)}, or the path of a file "
            "(see `cardiotwin cell import --help`)"
        ) from error
    missing = [part for part in CONTRACT if not hasattr(cell, part)]
    if missing:
        raise InputRejected(f"cell model {name!r}: has no {', '.join(missing)}; see `cardiotwin.kernels.ionic`")
    return cell.__name__.rpartition(".")[2], cell
