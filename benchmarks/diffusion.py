"""Explicit, stabilised and implicit diffusion on fine meshes: which is worth it at which edge and time step.

    python benchmarks/diffusion.py [--json]

A wave of ten Tusscher-Panfilov cells with the conductivities of Niederer's slab crosses a block of some 35,000 nodes
along oblique fibres (14 neighbours a node), in single precision on one thread; cells are evaluated as needed. The
error is that of the activation times against steps of 0.0025 ms with all cells in every step, in percent of the last of
them; the time is processor time.
"""

from __future__ import annotations

import time

import numpy as np
from table import Row, options, row, show

from cardiotwin.meshes.reference.slab import slab
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus
from cardiotwin.solver.diffusion import SCHEMES
from cardiotwin.verification.niederer import SIGMA

BLOCKS_MM = {0.2: (12.0, 6.0, 4.0), 0.1: (8.0, 3.0, 1.5), 0.05: (6.0, 1.0, 0.6)}
"""Their size, by the edge of the mesh."""
STEPS_MS = (0.01, 0.02, 0.05, 0.1)
REFERENCE_MS = 0.0025
WATCHED_MS = 30.0


def medium(edge_mm: float) -> Medium:
    """Fibres along no edge of a tetrahedron, so that all of them couple."""
    mesh = slab(BLOCKS_MM[edge_mm], edge_mm)
    along, across = SIGMA
    fibre = np.array([0.8, 0.5, 0.33]) / np.linalg.norm([0.8, 0.5, 0.33])
    tensor = across * np.eye(3) + (along - across) * np.outer(fibre, fibre)
    return Medium(mesh.points, mesh.tets, np.tile(tensor, (len(mesh.tets), 1, 1)), "ten_tusscher_2006", {})


def simulated(body: Medium, dt_ms: float, **how) -> tuple[np.ndarray, float, Solver]:
    """Activation times until all is activated, nanoseconds per node and step."""
    solver = Solver(body, dt_ms, threads=1, n_beats=1, **how)
    stimulus = Stimulus(np.flatnonzero((body.points <= 1.5).all(axis=1)), 0.0)
    solver.run(Protocol((stimulus,), dt_ms))  # compiled, and the arrays touched
    start = time.thread_time()
    seen = solver.run(
        Protocol((stimulus,), WATCHED_MS), monitor=lambda _, times: bool(np.isfinite(times[0]).all())
    )[0]  # fmt: skip
    seconds = time.thread_time() - start
    return seen.activation_ms[0].astype(np.float64), 1e9 * seconds / (seen.end_ms / dt_ms) / solver.n_unknowns, solver


def rows() -> list[Row]:
    """Two rows a mesh, step and scheme: cost and error."""
    table = []
    for edge_mm in BLOCKS_MM:
        body = medium(edge_mm)
        reference = simulated(body, REFERENCE_MS, diffusion="stabilised", tolerance_mv=0.0)[0]
        for dt_ms in STEPS_MS:
            chosen = Solver(body, dt_ms).diffusion
            for scheme in SCHEMES:
                times, cost, solver = simulated(body, dt_ms, diffusion=scheme)
                percent = 100.0 * np.nanmean(np.abs(times - reference)) / np.nanmax(reference)
                ratio = dt_ms * solver._operator.leak.max()
                note = f"{ratio:.2g} times an explicit step, about {solver.work[scheme].passes:.1f} passes" + (
                    "; chosen" if scheme == chosen else ""
                )
                name = f"{edge_mm:g} mm, {dt_ms:g} ms, {scheme}"
                table.append(row(f"{name}: cost", cost, "ns/node/step", note=note))
                table.append(row(f"{name}: error", percent, "%", note=note))
    return table


if __name__ == "__main__":
    show([rows()], as_json=options(__doc__).parse_args().json)
