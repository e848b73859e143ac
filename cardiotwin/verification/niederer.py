"""The slab of Niederer et al. 2011, N-version benchmark (doi 10.1098/rsta.2011.0139).

Epicardial ten Tusscher-Panfilov cells, lumped mass. Codes agree in two families: lumped mass, finite differences and
finite volumes come from above as the mesh is refined, consistent mass from below.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.ndimage import map_coordinates

from cardiotwin.meshes.reference.slab import slab
from cardiotwin.progress import Progress, silent
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.solver.solver import Solver
from cardiotwin.units import C_M_UF_PER_MM2, CHI_PER_MM
from cardiotwin.verification.rows import Row, between, row

SIZE_MM = (20.0, 7.0, 3.0)
SIGMA = (0.17 * 0.62 / (0.17 + 0.62), 0.019 * 0.24 / (0.019 + 0.24))
"""Along and across the fibres, mS/mm: half the harmonic mean of intra- and extracellular conductivity."""
STIMULATED_MM = 1.5
STIMULUS_MV_PER_MS = 50.0 / (CHI_PER_MM * C_M_UF_PER_MM2)
"""50,000 µA/cm³ = 50 µA/mm³ over chi C_m."""
POINTS_MM = {
    "P1": (0.0, 0.0, 0.0),
    "P2": (0.0, 7.0, 0.0),
    "P3": (20.0, 0.0, 0.0),
    "P4": (20.0, 7.0, 0.0),
    "P5": (0.0, 0.0, 3.0),
    "P6": (0.0, 7.0, 3.0),
    "P7": (20.0, 0.0, 3.0),
    "P8": (20.0, 7.0, 3.0),
    "P9": (10.0, 3.5, 1.5),
}
"""The paper fixes P1, P8 and P9; the names of the other corners are a convention of several codes."""
EDGES_MM, STEPS_MS = (0.5, 0.2, 0.1), (0.05, 0.01, 0.005)
WATCHED_MS = 200.0
LAST_MS = {0.5: 140.0, 0.2: 60.0}
"""About when the last node is activated, for the progress bar; on finer slabs after `LAST_MS_FINE`."""
LAST_MS_FINE = 60.0

PAPER_P8_MS = (37.8, 48.7)
"""P8 over the eleven codes of the paper, 0.1 mm and 0.005 ms."""
OPENCARP_LUMPED_P8_MS = {(0.5, 0.05): 126.45, (0.5, 0.01): 126.27}
"""openCARP 18.1 with lumped mass."""
SAME_MASS = 0.02
"""How far apart two codes of one family may be."""
OTHERS_MS = {
    0.5: ("TorchCor, lumped mass", {"P2": 112.6, "P3": 44.7, "P8": 127.4, "P9": 55.7}),
    0.2: ("TorchCor, lumped mass", {"P2": 40.3, "P3": 35.1, "P8": 54.9}),
    0.1: ("openCARP, consistent mass", {"P1": 1.278, "P8": 40.654, "P9": 18.983}),
}
"""Beside which a time may be read, not by which it is judged; dt 0.01 and 0.02 ms."""


def niederer(
    edge_mm: float, dt_ms: float, *, precision: str = "single", tolerance_mv: float = 0.25, threads: int | None = None,
    order: int = 2, diffusion: str = "auto", by_volume: bool = False, watched_ms: float = WATCHED_MS,
    progress: Progress = silent,
) -> tuple[dict[str, float], float]:  # fmt: skip
    """Activation times, ms, at the nine points of the slab, and the seconds it took until every node was activated.

    Parameters
    ----------
    tolerance_mv, order, diffusion
        As in `Solver`; the defaults are its own.
    by_volume : bool
        Give every node the share of the stimulus that its volume has of the stimulated cube. Else, as most codes do,
        all nodes in the cube or on its surface are stimulated, and with them half a cell more: an error of first order.
    watched_ms : float
        What is not activated by then has no time, NaN.
    """
    medium = slab_medium(edge_mm)
    points = medium.points
    solver = Solver(
        medium, dt_ms, precision=precision, tolerance_mv=tolerance_mv, threads=threads, order=order, n_beats=1,
        diffusion=diffusion,
    )  # fmt: skip
    del medium  # tetrahedra weigh more than the solver
    last_ms = min(LAST_MS.get(edge_mm, LAST_MS_FINE), watched_ms)

    def heard(fraction: float, _: str) -> None:
        simulated_ms = fraction * watched_ms
        progress(min(simulated_ms / last_ms, 1.0), f"slab {edge_mm:.3g} mm, {simulated_ms:.0f} ms")

    solver.run(Protocol((), dt_ms), stop_when_quiet=False)  # compile outside the clock; at rest it would end at once
    start = time.perf_counter()
    protocol = Protocol(stimuli(points, edge_mm, by_volume), watched_ms)
    activation = solver.run(protocol, monitor=_all_activated, progress=heard)[0]
    return at_points(activation.activation_ms[0], edge_mm), time.perf_counter() - start


def _all_activated(_: float, activation_ms: np.ndarray) -> bool:
    return bool(np.isfinite(activation_ms[0]).all())


def slab_medium(edge_mm: float) -> Medium:
    """Fibres along the longest side."""
    mesh = slab(SIZE_MM, edge_mm)
    along, across = SIGMA
    sigma = np.broadcast_to(np.diag([along, across, across]), (len(mesh.tets), 3, 3))
    return Medium(mesh.points, mesh.tets, sigma, "ten_tusscher_2006", {})


def stimuli(points: np.ndarray, edge_mm: float, by_volume: bool = False) -> tuple[Stimulus, ...]:
    """The cube at P1, for 2 ms: one stimulus for all nodes of equal share."""
    if by_volume:
        low = np.maximum(points - 0.5 * edge_mm, 0.0)
        high = np.minimum(points + 0.5 * edge_mm, SIZE_MM)
        share = (np.clip(np.minimum(high, STIMULATED_MM) - low, 0.0, None) / (high - low)).prod(axis=1).round(6)
    else:
        share = (points <= STIMULATED_MM + 1e-9).all(axis=1).astype(float)
    return tuple(
        Stimulus(np.flatnonzero(share == some), 0.0, 2.0, some * STIMULUS_MV_PER_MS)
        for some in np.unique(share[share > 0.0])
    )


def at_points(activation_ms: np.ndarray, edge_mm: float) -> dict[str, float]:
    """Linear between nodes: the middle of the slab is none at 0.2 mm."""
    cells = [round(length / edge_mm) for length in SIZE_MM]
    grid = activation_ms.reshape([n + 1 for n in cells]).astype(np.float64)
    place = np.array(list(POINTS_MM.values())) / SIZE_MM * cells
    return dict(zip(POINTS_MM, map_coordinates(grid, place.T, order=1, mode="nearest").tolist(), strict=True))


def pair_rows(edge_mm: float, dt_ms: float, progress: Progress = silent) -> list[Row]:
    """Nine points of one pair of mesh size and time step, one simulation."""
    times, seconds = niederer(edge_mm, dt_ms, progress=progress)
    return [_point_row(edge_mm, dt_ms, point, value, seconds) for point, value in times.items()]


def _point_row(edge_mm: float, dt_ms: float, point: str, value: float, seconds: float) -> Row:
    name = f"niederer/dx{edge_mm:g}_dt{dt_ms:g}/{point}"
    whose, others = OTHERS_MS[edge_mm]
    note = f"{whose}: {others[point]:g}" if point in others else ""
    if point != "P8":
        return row(name, value, "ms", note=note)
    note += f"; run in {seconds:.0f} s"
    if (edge_mm, dt_ms) == (0.1, 0.005):
        return between(name, value, "ms", *PAPER_P8_MS, "11 codes of the paper", note)
    if (edge_mm, dt_ms) in OPENCARP_LUMPED_P8_MS:
        other = OPENCARP_LUMPED_P8_MS[edge_mm, dt_ms]
        bar = f"{other:g} within {100 * SAME_MASS:g} % (openCARP, lumped mass)"
        return row(name, value, "ms", bar, abs(value / other - 1.0) <= SAME_MASS, note)
    return row(name, value, "ms", note=note)
