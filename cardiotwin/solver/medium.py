"""What the monodomain equations need of a tissue, or of a cable without a heart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol

import numpy as np

from cardiotwin.errors import InputRejected, SettingsError
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
    faces, conductance : (n_faces, 3) int32, (n_faces,) float64, mS
        Triangles that conduct besides, each a face of a tetrahedron: a layer without thickness, as the Purkinje fibres
        of the endocardium are taken for.
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
    faces: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.int32))
    conductance: np.ndarray = field(default_factory=lambda: np.empty(0))


class Tuned(Protocol):
    """What a medium is made of and its velocities are tuned for, as a heart's `cardiotwin.tissue.tissue.Tissue` is."""

    def medium(self) -> Medium:
        """What is stepped."""


def check(medium: Medium, cell: ModuleType) -> None:
    """Refuse what cannot be a conducting body, before it is looked for in a potential that is not a number.

    Raises
    ------
    InputRejected
        Shapes that do not fit, numbers that are not finite, nodes that are not there, a conductivity that is no
        symmetric positive semi-definite tensor, no capacity, or a name that the cell model does not have.
    """
    n_points, n_tets, n_faces = len(medium.points), len(medium.tets), len(medium.faces)
    for what, array, shape in (("points", medium.points, (n_points, 3)), ("tets", medium.tets, (n_tets, 4)),
                               ("sigma", medium.sigma, (n_tets, 3, 3)),
                               ("faces", medium.faces, (n_faces, 3)),
                               ("conductance", medium.conductance, (n_faces,))):  # fmt: skip
        if np.shape(array) != shape:
            raise InputRejected(f"{what}: found shape {np.shape(array)}, expected {shape}")
    if n_tets and not 0 <= medium.tets.min() <= medium.tets.max() < n_points:
        raise InputRejected(f"tets: name nodes {medium.tets.min()} to {medium.tets.max()}, there are {n_points}")
    if n_faces and not np.isin(medium.faces, medium.tets).all():
        raise InputRejected("faces: some of their nodes belong to no tetrahedron, expected faces of tetrahedra")
    if n_faces and not (np.isfinite(medium.conductance) & (medium.conductance >= 0.0)).all():
        raise InputRejected("conductance: found negative numbers or none, expected mS, 0 or more, for every face")
    for what, array in (("points", medium.points), ("sigma", medium.sigma)):
        wrong = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
        if wrong.size:
            raise InputRejected(f"{what}: row {wrong[0]} is not finite, and {wrong.size - 1} more")
    wrong = np.flatnonzero(~_conducts(np.asarray(medium.sigma)))
    if wrong.size:
        raise InputRejected(
            f"sigma: tetrahedron {wrong[0]} and {wrong.size - 1} more have no symmetric positive conductivity; "
            "expected mS/mm, 0.01 to 1 for myocardium. Leave out what does not conduct"
        )
    if not 0.0 < medium.capacity < np.inf:
        raise InputRejected(f"capacity: found {medium.capacity}, expected chi C_m in µF/mm³, above 0")
    for what, given, known in (
        ("parameters", medium.parameters, cell.PARAMETERS),
        ("initial", medium.initial, cell.STATE),
    ):
        for name, value in given.items():
            if name not in known:
                raise InputRejected(f"{what}: {medium.cell_model} has no {name!r}, but {', '.join(known)}")
            if np.shape(value) not in ((), (n_points,)) or np.asarray(value).dtype.kind not in "fiu":
                raise InputRejected(f"{what}: {name} must be a number, or one for each of {n_points} points")


def check_step(name: str, cell: ModuleType, dt_ms: float, precision: str) -> None:
    """Refuse a time step or a precision in which the cell model is known not to work, before the first step.

    Raises
    ------
    SettingsError
    """
    if precision == "single" and getattr(cell, "NEEDS_DOUBLE", False):
        raise SettingsError(
            f"precision: the cell model {name} does not work in single precision, the default; "
            'use Solver(..., precision="double")'
        )
    longest = getattr(cell, "LONGEST_DT_MS", np.inf)
    if dt_ms > longest * (1.0 + 1e-9):
        raise SettingsError(
            f"dt_ms: found {dt_ms:g}, expected at most {longest:g}, the longest time step with which the cell model "
            f"{name} has its action potential"
        )


def _conducts(sigma: np.ndarray) -> np.ndarray:
    """(n_tets,) whether each (3, 3) is symmetric, positive semi-definite and not zero: by its minors."""
    xx, yy, zz, xy, xz, yz = (sigma[:, i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)))
    trace = xx + yy + zz
    slack = 1e-6 * np.abs(trace)
    symmetric = np.abs(sigma - np.swapaxes(sigma, 1, 2)).max(axis=(1, 2)) <= slack
    minors = np.min([xx * yy - xy**2, xx * zz - xz**2, yy * zz - yz**2], axis=0)
    whole = xx * (yy * zz - yz**2) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)
    positive = (np.min([xx, yy, zz], axis=0) >= 0.0) & (minors >= -slack * np.abs(trace)) & (whole >= -slack * trace**2)
    return symmetric & positive & (trace > 0.0)


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
        why = "there is none of that name" if isinstance(error, ImportError) else str(error)
        raise InputRejected(
            f"cell model {name!r}: {why}. Expected one of {', '.join(MODELS)}, or the path of a file ending with .py, "
            "which `cardiotwin cell import` makes from CellML"
        ) from error
    missing = [part for part in CONTRACT if not hasattr(cell, part)]
    if missing:
        raise InputRejected(f"cell model {name!r}: has no {', '.join(missing)}; see `cardiotwin.kernels.ionic`")
    return cell.__name__.rpartition(".")[2], cell
