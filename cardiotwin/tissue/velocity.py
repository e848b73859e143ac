"""From the conduction velocity that is wanted to the conductivity that gives it, on the lattice in use.

Velocity goes with the square root of conductivity, but lumped mass and coarse lattices slow the wave down
(126 ms against 58 ms on the same slab). So plane waves are run on the lattice itself, as openCARP's
tuneCV does on a cable, and the conductivity is corrected until wanted and reached velocity agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from cardiotwin.errors import QualityGate
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.reference.slab import box, lattice_bar
from cardiotwin.meshes.reference.wall_block import wall_block
from cardiotwin.solver.medium import Medium, membrane
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.solver.solver import Solver
from cardiotwin.tissue.tunings import kept, pair

TOLERANCE = 0.005
"""Relative error of the velocity at which tuning stops."""
MOST = 1000.0
"""Times the first guess, the highest conductivity that is tried while no wave arrives. Without a limit it doubles until
diffusion takes thousands of substeps, for cells that conduct at none."""


def tune(
    velocity: float,
    cell_model: str,
    parameters: Mapping[str, float],
    edge_mm: float,
    dt_ms: float,
    *,
    transverse: float = 1.0,
    initial: Mapping[str, float] | None = None,
    geometry: str = "lattice",
    precision: str = "single",
    tolerance: float = TOLERANCE,
    order: int = 2,
) -> tuple[float, float]:
    """Conductivity at which a plane wave travels at a wanted velocity.

    Parameters
    ----------
    velocity : float
        mm/ms.
    cell_model, parameters
        Cell model and those of its parameters that differ from the default.
    edge_mm : float
        Lattice constant of the production mesh, or edge of the elements of a cable.
    dt_ms : float
        Of the production run.
    transverse : float
        Conductivity across the direction of the wave, relative to the one along it. On a lattice it matters: the
        front is steep, linear elements do not follow it exactly, and what they miss flows sideways too
        (`benchmarks/lattice_directions.py`).
    initial : mapping, optional
        State variables that start from another value than the model's.
    geometry : {"lattice", "cable", "consistent cable"}
        The body-centred cubic lattice of the mesher, or a chain of cubes: linear elements in one dimension, with
        lumped or with consistent mass.
    order : {2, 1}
        Of the time step; see `Solver`.

    Returns
    -------
    sigma : float
        Monodomain conductivity, mS/mm.
    error : float
        Relative error of the velocity reached with it.

    Raises
    ------
    QualityGate
        No conductivity gives that velocity on this lattice: the wave is stopped between nodes before it is that slow;
        or the cells conduct no wave at any.
    """
    named, start = (tuple(sorted(values.items())) for values in (parameters, initial or {}))
    lattice = _Lattice(
        membrane(cell_model)[0], named, start, edge_mm, dt_ms, round(transverse, 2), geometry, precision, order
    )
    return _tuned(round(velocity, 6), lattice, tolerance)


def tune_layer(
    velocity: float,
    wall_sigma: float,
    cell_model: str,
    parameters: Mapping[str, float],
    edge_mm: float,
    dt_ms: float,
    *,
    tolerance: float = TOLERANCE,
) -> tuple[float, float]:
    """Conductance of a surface over which a wave spreads at a wanted velocity.

    The wall under it holds the wave back: tissue that conducts at 1.2 m/s by itself does at 0.9 as a layer one element
    thick on a wall of 0.3. So the wave is timed on a wall that the mesher made. How the surface lies in the lattice
    makes up to 5 % (`benchmarks/fast_endocardium.py`).

    Parameters
    ----------
    velocity : float
        Over the surface, mm/ms.
    wall_sigma : float
        Conductivity of the wall below, across its fibres, mS/mm. Fibres along the wave make it 3 to 4 % faster.
    cell_model, parameters, edge_mm, dt_ms, tolerance
        As in `tune`.

    Returns
    -------
    conductance, error : float
        mS (conductivity times thickness), and the relative error of the velocity reached with it.

    Raises
    ------
    QualityGate
        As `tune`.
    """
    named = tuple(sorted(parameters.items()))
    wall = _Lattice(membrane(cell_model)[0], named, (), edge_mm, dt_ms, 1.0, "lattice", "single")
    return _tuned_layer(round(velocity, 6), round(wall_sigma, 9), wall, tolerance)


@kept(list, pair)
def _tuned_layer(velocity: float, wall_sigma: float, wall: _Lattice, tolerance: float) -> tuple[float, float]:
    # It goes with the square of the velocity, and hardly with the wall below.
    return _layer_search(velocity, wall_sigma, wall, tolerance, _usual_layer(wall) * (velocity / USUAL_LAYER) ** 2)


@lru_cache(maxsize=64)
def _usual_layer(wall: _Lattice) -> float:
    """Where every search on one lattice begins: the same whatever was tuned before, and so is what it finds."""
    try:
        return _layer_search(USUAL_LAYER, USUAL_WALL_SIGMA, wall, USUAL_TOLERANCE, None)[0]
    except QualityGate:
        return 1.0


def _layer_search(
    velocity: float, wall_sigma: float, wall: _Lattice, tolerance: float, first: float | None
) -> tuple[float, float]:
    known: dict[float, float] = {}

    def reached(conductance: float) -> float:
        known[conductance] = _layer_velocity(conductance, wall_sigma, wall, velocity)
        return known[conductance]

    conductance = solve(velocity, reached, known, tolerance, first)
    if conductance is None:
        raise QualityGate(
            f"velocity {velocity:g} m/s over the endocardium: cannot be reached with {wall.cell_model} "
            f"{_why(wall, known)}"
        )
    return conductance, known[conductance] / velocity - 1.0


USUAL_LAYER, USUAL_WALL_SIGMA, USUAL_TOLERANCE = 1.2, 0.12, 0.05
"""mm/ms, mS/mm: a layer and the wall below it as they mostly are, and how nearly that is tuned."""
LAYER_WALL_MM, LAYER_WAY_MM, LAYER_WAY_MS, LAYER_CELLS, LAYER_TILT_DEG = 5.0, 50.0, 50.0, 12, 25.0
"""Depth of the wall that is timed with a layer on it, its length along the wave and at least how long that takes, its
width in edges, and how its surface lies in the lattice: obliquely, as anywhere in a heart. Blocks 20 edges wide and
120 ms long agree within 1.1 %; on 8 edges the sides hold a wave back by up to 3 %."""


def _layer_velocity(conductance: float, wall_sigma: float, wall: _Lattice, expected: float) -> float:
    way_mm = max(LAYER_WAY_MM, 40.0 * wall.edge_mm, LAYER_WAY_MS * expected)
    mesh, endocardium = _wall_block(wall.edge_mm, 10.0 * round(0.1 * way_mm))
    medium = Medium(
        mesh.points,
        mesh.tets,
        np.tile(wall_sigma * np.eye(3), (len(mesh.tets), 1, 1)),
        wall.cell_model,
        dict(wall.parameters),
        faces=endocardium,
        conductance=np.full(len(endocardium), conductance),
    )
    where = np.isin(np.arange(len(mesh.points)), endocardium)
    return timed(medium, mesh.points[:, 1], wall.dt_ms, expected, where=where)


@lru_cache(maxsize=4)
def _wall_block(edge_mm: float, way_mm: float) -> tuple[Mesh, np.ndarray]:
    """The block, and its endocardial faces (n, 3)."""
    size_mm = (max(LAYER_WALL_MM, 4.0 * edge_mm), way_mm, LAYER_CELLS * edge_mm)
    turn = Rotation.from_euler("y", -LAYER_TILT_DEG, degrees=True)
    mesh, faces, endocardial = wall_block(size_mm, edge_mm, turn)
    return mesh, faces[endocardial]


class _Lattice(NamedTuple):
    """All that decides how fast a conductivity makes the wave; hashable."""

    cell_model: str
    parameters: tuple[tuple[str, float], ...]
    initial: tuple[tuple[str, float], ...]
    edge_mm: float
    dt_ms: float
    transverse: float
    geometry: str
    precision: str
    order: int = 2


@kept(list, pair)
def _tuned(velocity: float, lattice: _Lattice, tolerance: float) -> tuple[float, float]:
    known: dict[float, float] = {}  # its own: what is found must not depend on what was tuned before

    def reached(sigma: float) -> float:
        known[sigma] = _plane_wave_velocity(sigma, lattice, velocity)
        return known[sigma]

    sigma = solve(velocity, reached, known, tolerance)
    if sigma is None:
        why = _why(lattice, known)
        raise QualityGate(f"velocity {velocity:g} m/s cannot be reached with {lattice.cell_model} {why}")
    return sigma, known[sigma] / velocity - 1.0


def _why(lattice: _Lattice, known: Mapping[float, float]) -> str:
    """What stopped the waves that were tried, and what to do."""
    moved = [v for v in known.values() if v > 0]
    if moved:
        return (
            f"on a lattice of {lattice.edge_mm:g} mm: waves slower than {min(moved):.3g} m/s stop between nodes. "
            'Use a smaller `mesh.edge_mm`, or `tissue.cell_model = "modified_mitchell_schaeffer"` (a wider front).'
        )
    changed = ", ".join(f"{name} {value:g}" for name, value in lattice.parameters) or "as published"
    return (
        f"(parameters: {changed}): no wave arrives, at conductivities up to {max(known):.3g} mS/mm on a lattice of "
        f"{lattice.edge_mm:g} mm. These cells are not excitable: give them back their sodium current (a conductance "
        "like g_Na, or a smaller `tau_in`), or call the tissue scar."
    )


def solve(
    velocity: float,
    reached: Callable[[float], float],
    known: Mapping[float, float],
    tolerance: float,
    first: float | None = None,
) -> float | None:
    """The conductivity for a velocity, from a bracket that shrinks; None when it is skipped or no wave runs."""
    low, high = 0.0, np.inf
    first = first or _guess(velocity, known)
    for _ in range(30):
        sigma = _guess(velocity, known) if known else first
        if not 1.0001 * low < sigma < 0.9999 * high:
            sigma = 2.0 * low if high == np.inf else float(np.sqrt(max(low, 0.1 * high) * high))
        if sigma > MOST * first:
            return None
        found = reached(sigma)
        if abs(found / velocity - 1.0) < tolerance:
            return sigma
        low, high = (max(low, sigma), high) if found < velocity else (low, min(high, sigma))
        if high / max(low, 1e-300) < 1.0 + 0.1 * tolerance:
            return None
    return None


def _guess(velocity: float, known: Mapping[float, float]) -> float:
    """On double-logarithmic scales between what is known, by the square law beyond it; at first from Niederer's slab.

    The square law alone, as tuneCV has it, swings to and fro on a coarse lattice, where velocity goes with
    conductivity itself.
    """
    moved = sorted((v, sigma) for sigma, v in known.items() if v > 0)
    if not moved:
        return 0.1334 * (velocity / 0.65) ** 2
    v, sigma = np.log(np.array(moved)).T
    if v[0] <= np.log(velocity) <= v[-1]:
        return float(np.exp(np.interp(np.log(velocity), v, sigma)))
    end = 0 if np.log(velocity) < v[0] else -1
    return float(np.exp(sigma[end]) * (velocity / np.exp(v[end])) ** 2)


def plane_wave_velocity(
    sigma: float,
    cell_model: str,
    parameters: Mapping[str, float],
    edge_mm: float,
    dt_ms: float,
    *,
    expected: float,
    transverse: float = 1.0,
    geometry: str = "lattice",
    precision: str = "single",
) -> float:
    """Velocity of a plane wave, mm/ms; 0 where it stops or is slower than half of what is expected. See `tune`."""
    named = tuple(sorted(parameters.items()))
    lattice = _Lattice(membrane(cell_model)[0], named, (), edge_mm, dt_ms, round(transverse, 2), geometry, precision)
    return _plane_wave_velocity(sigma, lattice, expected)


def _plane_wave_velocity(sigma: float, lattice: _Lattice, expected: float) -> float:
    # As long as the wave gets in 80 ms, so that it is steady well before the part where it is timed.
    medium = _bar(sigma, lattice, max(20.0, 80.0 * expected))
    return timed(medium, medium.points[:, 0], lattice.dt_ms, expected, lattice.precision, lattice.order)


def timed(
    medium: Medium,
    x: np.ndarray,
    dt_ms: float,
    expected: float,
    precision: str = "single",
    order: int = 2,
    where: np.ndarray | None = None,
) -> float:
    """Velocity of a plane wave from one end of a bar, mm/ms; 0 where it stops or is slower than half of `expected`.

    Parameters
    ----------
    x : (n_points,) float
        Along the wave, mm, from 0 on.
    where : (n_points,) bool, optional
        Points that are timed; all.
    """
    length = float(x.max())
    solver = Solver(
        medium, dt_ms, threads=1, precision=precision, n_beats=1, tolerance_mv=0.0, order=order, diffusion="explicit"
    )
    window = (x > 0.4 * length) & (x < 0.85 * length) & (solver.place >= 0)
    if where is not None:
        window &= where

    def passed(_: float, activation_ms: np.ndarray) -> bool:
        return bool(np.isfinite(activation_ms[0, window]).all())

    stimulus = Stimulus(np.flatnonzero(x < 0.12 * length), 0.0)
    protocol = Protocol((stimulus,), 5.0 + length / (0.5 * expected))
    seen = solver.run(protocol, monitor=passed)[0].activation_ms[0, window]
    if not np.isfinite(seen).all():
        return 0.0
    return float(1.0 / np.polyfit(x[window], seen.astype(np.float64), 1)[0])


def _bar(sigma: float, lattice: _Lattice, length_mm: float) -> Medium:
    n_cells, edge_mm = max(40, round(length_mm / lattice.edge_mm)), lattice.edge_mm
    if lattice.geometry == "lattice":
        bar = lattice_bar(n_cells, edge_mm)
        points, tets, same = bar.points, bar.tets, bar.same_as
    else:
        mesh = box((n_cells * edge_mm, edge_mm, edge_mm), (n_cells, 1, 1))
        points, tets, same = mesh.points, mesh.tets, np.arange(len(mesh.points)) // 4 * 4
    return Medium(
        points,
        tets,
        np.tile(sigma * np.diag([1.0, lattice.transverse, lattice.transverse]), (len(tets), 1, 1)),
        lattice.cell_model,
        dict(lattice.parameters),
        same,
        initial=dict(lattice.initial),
        mass_lumping=float(lattice.geometry != "consistent cable"),
    )
