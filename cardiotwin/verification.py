"""The physics, checked on this machine: what `cardiotwin verify` prints.

Each row is a dict with name, value, unit, bar (what was asked), ok (measured) and note.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cardiotwin.kernels.ionic.ten_tusscher_2006 import AUTHORS_STATE
from cardiotwin.medium import Medium
from cardiotwin.meshes.reference.slab import box, slab
from cardiotwin.progress import Progress, part, silent
from cardiotwin.protocol import Activation, Protocol, Stimulus
from cardiotwin.solver import Solver, State
from cardiotwin.units import C_M_UF_PER_MM2, CHI_PER_MM
from cardiotwin.velocity import plane_wave_velocity, tune

Row = dict[str, Any]

NIEDERER_SIZE_MM = (20.0, 7.0, 3.0)
NIEDERER_SIGMA = (0.17 * 0.62 / (0.17 + 0.62), 0.019 * 0.24 / (0.019 + 0.24))
"""Along and across the fibres, mS/mm: half the harmonic mean of intra- and extracellular conductivity."""
NIEDERER_STIMULUS_MV_PER_MS = 50.0 / (CHI_PER_MM * C_M_UF_PER_MM2)
"""50,000 µA/cm³ = 50 µA/mm³ over chi C_m."""
NIEDERER_POINTS_MM = {
    "P1": (0.0, 0.0, 0.0),
    "P2": (0.0, 7.0, 0.0),
    "P3": (20.0, 0.0, 0.0),
    "P8": (20.0, 7.0, 3.0),
    "P9": (10.0, 3.5, 1.5),
}

PATHMANATHAN_GRAY_BETA = {1: -1.1, 2: -5.9, 3: -8.6}
PATHMANATHAN_GRAY_CELLS = {1: (10, 20, 40, 80), 2: (10, 20, 40, 80), 3: (8, 16, 32)}

TUNE_CV = ((0.6, 0.1195, 0.1200), (0.3, 0.0285, 0.0285), (0.2, 0.0128, 0.0128))
"""openCARP's tuneCV: wanted velocity, m/s, and the range of conductivities found, S/m."""


def verify(quick: bool = True, progress: Progress = silent) -> list[Row]:
    """Run the physics benchmarks.

    Parameters
    ----------
    quick : bool
        Leave out the finest Niederer slab (442,401 nodes, 10,000 steps: minutes).

    Returns
    -------
    list of dict
        name, value, unit, bar, ok, note.
    """
    work: list[Callable[[Progress], list[Row]]] = [
        lambda _: [pathmanathan_gray_row(dimension) for dimension in (1, 2, 3)],
        lambda _: [tune_cv_row(*line) for line in TUNE_CV],
        lambda _: lattice_rows(),
        lambda p: [niederer_row(0.5, 0.01, p), niederer_row(0.2, 0.01, p)],
    ]
    if not quick:
        work.append(lambda p: [niederer_row(0.1, 0.005, p)])
    rows: list[Row] = []
    for number, job in enumerate(work):
        rows += job(part(progress, number / len(work), (number + 1) / len(work)))
        progress((number + 1) / len(work), rows[-1]["name"])
    return rows


def row(name: str, value: float, unit: str, bar: str, ok: bool, note: str = "") -> Row:
    """One line of the table."""
    return {"name": name, "value": float(value), "unit": unit, "bar": bar, "ok": bool(ok), "note": note}


# Pathmanathan and Gray 2014: exact solutions ------------------------------------------------------------------------


def pathmanathan_gray_error(dimension: int, n_cells: int, precision: str = "double") -> float:
    """L2 error of the potential at t = 0.2 on the unit line, square or cube, the time step in proportion to dx²."""
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
    n_steps = round(0.2 * 4.0 * n_cells**2 / 10.0)
    solver = Solver(medium, 0.2 / n_steps, precision=precision, tolerance_mv=0.0)
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
    return row(f"Pathmanathan-Gray {dimension}D, order", order, "", "1.9 to 2.2", 1.9 <= order <= 2.2, note)


# Niederer et al. 2011: the slab -------------------------------------------------------------------------------------


def niederer(edge_mm: float, dt_ms: float, *, precision: str = "single", tolerance_mv: float = 0.1,
             threads: int | None = None, order: int = 2,
             progress: Progress = silent) -> tuple[dict[str, float], float]:  # fmt: skip
    """Activation times, ms, at the named points of the slab, and the seconds it took.

    Epicardial ten Tusscher-Panfilov cells, lumped mass; doi 10.1098/rsta.2011.0139.
    """
    mesh = slab(NIEDERER_SIZE_MM, edge_mm)
    along, across = NIEDERER_SIGMA
    sigma = np.broadcast_to(np.diag([along, across, across]), (len(mesh.tets), 3, 3)).copy()
    medium = Medium(mesh.points, mesh.tets, sigma, "ten_tusscher_2006", {})
    solver = Solver(medium, dt_ms, precision=precision, tolerance_mv=tolerance_mv, threads=threads, order=order)
    stimulus = Stimulus(np.flatnonzero((mesh.points <= 1.5 + 1e-9).all(axis=1)), 0.0, 2.0, NIEDERER_STIMULUS_MV_PER_MS)
    far = int(np.argmin(np.linalg.norm(mesh.points - NIEDERER_POINTS_MM["P8"], axis=1)))

    def arrived(_: float, activation_ms: np.ndarray) -> bool:
        return bool(np.isfinite(activation_ms[0, far]))

    solver.run(Protocol((), dt_ms))  # compile outside the clock
    start = time.perf_counter()
    activation = solver.run(Protocol((stimulus,), 200.0), monitor=arrived, progress=progress)[0]
    return _at_points(mesh.points, activation), time.perf_counter() - start


def _at_points(points: np.ndarray, activation: Activation) -> dict[str, float]:
    nearest = {name: int(np.argmin(np.linalg.norm(points - at, axis=1))) for name, at in NIEDERER_POINTS_MM.items()}
    return {name: float(activation.activation_ms[0, node]) for name, node in nearest.items()}


def niederer_row(edge_mm: float, dt_ms: float, progress: Progress = silent) -> Row:
    """P8 on one mesh. The finest has the paper's spread of codes as its bar, the coarse ones that of like codes."""
    times, seconds = niederer(edge_mm, dt_ms, progress=progress)
    bars = {
        0.5: ("124 to 134 (codes with lumped mass)", (124.0, 134.0)),
        0.2: ("53 to 56 (codes with lumped mass)", (53.0, 56.0)),
        0.1: ("37.8 to 48.7 (11 codes of the paper)", (37.8, 48.7)),
    }
    bar, (low, high) = bars[edge_mm]
    others = ", ".join(f"{name} {value:.2f}" for name, value in times.items() if name != "P8")
    name = f"Niederer slab, dx {edge_mm:g} mm, dt {dt_ms:g} ms, P8"
    return row(name, times["P8"], "ms", bar, low <= times["P8"] <= high, f"{others}; {seconds:.0f} s")


# Conduction velocity ------------------------------------------------------------------------------------------------


def tune_cv_row(velocity: float, low: float, high: float) -> Row:
    """Conductivity for one velocity on openCARP's cable: consistent mass, dx 0.1 mm, dt 0.01 ms at first order."""
    consistent, converged, lumped = (
        tune(
            velocity, "ten_tusscher_2006", {}, 0.1, 0.01,
            initial=AUTHORS_STATE, geometry=geometry, precision="double", tolerance=0.001, order=order,
        )[0]
        for geometry, order in (("consistent cable", 1), ("consistent cable", 2), ("cable", 2))
    )  # fmt: skip
    middle = 0.5 * (low + high)
    return row(
        f"conductivity for {velocity:g} m/s on a cable",
        consistent,
        "mS/mm",
        f"{middle:.4f} within 1 % (openCARP)",
        abs(consistent / middle - 1.0) < 0.01,
        f"at second order {converged:.4f}; with lumped mass too, as in production, {lumped:.4f}",
    )


def lattice_rows() -> list[Row]:
    """Velocity on a coarse lattice with the conductivity tuned for it, measured anew in double precision."""
    rows = []
    for velocity, parameters in ((0.6, {}), (0.15, {"tau_in": 0.7, "tau_out": 14.0})):
        sigma, _ = tune(velocity, "mitchell_schaeffer", parameters, 1.25, 0.1)
        reached = plane_wave_velocity(
            sigma, "mitchell_schaeffer", parameters, 1.25, 0.1, precision="double", expected=velocity
        )
        error = 100.0 * (reached / velocity - 1.0)
        rows.append(row(f"velocity {velocity:g} m/s, lattice 1.25 mm", error, "%", "within 1", abs(error) <= 1.0))
    return rows
