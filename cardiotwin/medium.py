"""What the monodomain equations need of a tissue, or of a cable without a heart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

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
