"""Exact solutions of Pathmanathan and Gray 2014 (doi 10.1002/cnm.2615): the order the method has in space and time."""

from __future__ import annotations

import numpy as np

from cardiotwin.meshes.reference.slab import box
from cardiotwin.progress import Progress
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.protocol import Protocol
from cardiotwin.solver.solver import Solver, State
from cardiotwin.verification.rows import Row, between

PATHMANATHAN_GRAY_BETA = {1: -1.1, 2: -5.9, 3: -8.6}
PATHMANATHAN_GRAY_CELLS = {1: (10, 20, 40, 80), 2: (10, 20, 40, 80), 3: (8, 16, 32)}
TIME_AND_SPACE_CELLS = {1: (20, 40, 80, 160, 320), 3: (10, 20, 40)}
"""Of those with a time step in proportion to dx: one for five cells, at most 2.4 times what an explicit step bears."""
CELLS_PER_STEP = 5
ORDER = (1.9, 2.2)
"""Linear elements have order 2 in L2; more than that is an error that is not one of discretisation."""


def pathmanathan_gray_error(
    dimension: int, n_cells: int, precision: str = "double", *, diffusion: str = "explicit", n_steps: int | None = None
) -> float:
    """L2 error of the potential at t = 0.2 on the unit line, square or cube.

    Without a number of steps, dt is in proportion to dx².
    """
    shape = tuple(n_cells if axis < dimension else 1 for axis in range(3))
    mesh = box((1.0, 1.0, 1.0), shape)
    x, y, z = (mesh.points[:, axis] if axis < dimension else np.zeros(len(mesh.points)) for axis in range(3))
    wave = np.cos(np.pi * x) * np.cos(2 * np.pi * y) * np.cos(3 * np.pi * z)
    G = 1.0 + x * (y**2 if dimension > 1 else 1.0) * (z**3 if dimension > 2 else 1.0)
    capacity = 3.0 * 2.0  # chi C_m
    sigma = np.diag([1.1, 1.2, 0.3]) / np.pi**2
    # What does not vary along an axis is one unknown there, so that a line is a line.
    flat = mesh.points.copy()
    flat[:, dimension:] = 0.0
    same = np.unique(flat.round(9), axis=0, return_index=True, return_inverse=True)
    medium = Medium(
        mesh.points,
        mesh.tets,
        np.broadcast_to(sigma, (len(mesh.tets), 3, 3)).copy(),
        "pathmanathan_gray",
        {"beta_per_capacity": np.full(len(x), PATHMANATHAN_GRAY_BETA[dimension] / capacity)},
        same[1][same[2].ravel()],
        capacity,
    )
    n_steps = n_steps or round(0.2 * 4.0 * n_cells**2 / 10.0)
    solver = Solver(medium, 0.2 / n_steps, precision=precision, tolerance_mv=0.0, diffusion=diffusion)
    state = _starting(solver, wave, G)
    end = solver.run(Protocol((), 0.2), state, stop_when_quiet=False)[1]
    error = solver.potential(end) - np.sqrt(1.2) * wave
    return float(np.sqrt(np.mean(error**2)))


def _starting(solver: Solver, wave: np.ndarray, G: np.ndarray) -> State:
    state = solver.with_variable(solver.rest(), "V", wave)
    state = solver.with_variable(state, "u1", G + wave)
    return solver.with_variable(state, "u2", 1.0 / np.sqrt(G))


def observed_order(sizes: list[int], errors: list[float]) -> float:
    """Slope of error over mesh size on double-logarithmic scales."""
    return float(-np.polyfit(np.log(sizes), np.log(errors), 1)[0])


def pathmanathan_gray_row(dimension: int) -> Row:
    """Observed order of convergence in one number of dimensions."""
    sizes = list(PATHMANATHAN_GRAY_CELLS[dimension])
    errors = [pathmanathan_gray_error(dimension, n) for n in sizes]
    order = observed_order(sizes, errors)
    note = "L2 errors " + ", ".join(f"{n}: {e:.2e}" for n, e in zip(sizes, errors, strict=True))
    return between(f"order/{dimension}d", order, "", *ORDER, note=note)


def scheme_row(dimension: int, diffusion: str) -> Row:
    """Observed order where the time step is in proportion to dx, so that a scheme of first order in time shows."""
    sizes = list(TIME_AND_SPACE_CELLS[dimension])
    errors = [pathmanathan_gray_error(dimension, n, diffusion=diffusion, n_steps=n // CELLS_PER_STEP) for n in sizes]
    note = "dt ~ dx, L2 errors " + ", ".join(f"{n}: {e:.2e}" for n, e in zip(sizes, errors, strict=True))
    return between(f"order/{dimension}d/{diffusion}", observed_order(sizes, errors), "", *ORDER, note=note)


def order_rows(progress: Progress) -> list[Row]:
    """The line, the square and the cube; the line and the cube with larger time steps."""
    rows = []
    for dimension in PATHMANATHAN_GRAY_CELLS:
        progress((dimension - 1) / 5, f"exact solution, {dimension}D")
        rows.append(pathmanathan_gray_row(dimension))
    for number, diffusion in enumerate(("stabilised", "implicit")):
        progress((3 + number) / 5, f"exact solution, {diffusion} diffusion")
        rows += [scheme_row(dimension, diffusion) for dimension in TIME_AND_SPACE_CELLS]
    return rows
