"""A heartbeat of 637,480 nodes, against the published record on graphics cards.

    python benchmarks/biventricle_record.py [--json] [--edge 0.618] [--no-reference]

What limits it is counted, not supposed: evaluations of tiles (in one step of each millisecond), exponentials in the
cell model as it is interpreted, vector instructions in the assembly of the loop, gathers and bytes in the arrays; the
rates follow from the wall time. Bytes are those of an evaluation's own rows, from whatever cache they come.

Both ventricles of the reference shape with rule-based fibres, ten Tusscher-Panfilov 2006, velocities 0.6 and 0.3 m/s
tuned on the mesh, one stimulus at the left-ventricular apex, 600 ms; wall time of all cores, kernels compiled and
tuning done before. The published times of a task of that size (637,480 nodes, time step 0.01 ms, first order) are 130 s
on an H100, 190 s on an A100 and 476 s on 64 openCARP cores (TorchCor). The reference for the activation times is this
solver with all nodes evaluated in steps of 0.01 ms.
"""

from __future__ import annotations

import copy
import platform
import re
import time
from collections import Counter
from types import ModuleType
from typing import Any

import numba
import numpy as np
from table import Row, at_most, options, row, show

from cardiotwin.heart.heart import LV_ENDOCARDIUM, Heart, build_heart
from cardiotwin.kernels import lanes
from cardiotwin.kernels.ionic import width
from cardiotwin.kernels.lanes import LANES
from cardiotwin.kernels.monodomain import advance_kernel
from cardiotwin.kernels.specialise import BARE
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings, TissueSettings
from cardiotwin.tissue.tissue import Velocities, make_tissue

NODES = 637_480
EDGE_MM = 0.618
DT_MS, DURATION_MS = 0.04, 600.0
REFERENCE_DT_MS = 0.01
BAR_SECONDS = 130.0
VELOCITIES = Velocities(fibre=0.6, cross=0.3)


def ventricles(edge_mm: float) -> Heart:
    """The reference shape, both ventricles, no scar."""
    drawn = drawn_ventricles(slice_mm=2.0, right_wall=True)
    labels = np.zeros(drawn.myocardium.shape, np.uint8)
    for value, mask in ((1, drawn.left_blood), (2, drawn.myocardium), (3, drawn.right_blood)):
        labels[mask] = value
    slice_mm, row_mm, column_mm = drawn.spacing_mm
    affine = np.diag([column_mm, -row_mm, -slice_mm, 1.0])
    image = Segmentation(labels, affine, None, True, {})
    return build_heart(image, MeshSettings(edge_mm=edge_mm))


def prepared(heart: Heart, dt_ms: float, tolerance_mv: float | None = None) -> tuple[Solver, Medium]:
    """A solver whose velocities are tuned for the step of production, whatever its own."""
    medium = make_tissue(heart, VELOCITIES, TissueSettings(), dt_ms=DT_MS).medium()
    more: dict[str, Any] = {} if tolerance_mv is None else {"tolerance_mv": tolerance_mv}
    return Solver(medium, dt_ms, diffusion="explicit", **more), medium


def apex(heart: Heart) -> np.ndarray:
    """Nodes within 3 mm of the lowest point of the left endocardium."""
    inner = heart.surface_nodes(LV_ENDOCARDIUM)
    lowest = heart.mesh.points[inner[np.argmin(heart.apicobasal[inner])]]
    return np.flatnonzero(np.linalg.norm(heart.mesh.points - lowest, axis=1) < 3.0).astype(np.int32)


def count_evaluations(solver: Solver) -> list[float]:
    """Share of the tiles that the last step of every call of the kernel evaluates, from now on."""
    kernel, shares = solver._advance, []

    def counting(first: int, last: int, tiles, *more) -> None:
        if last - first > 1:
            kernel(first, last - 1, tiles, *more)
        kernel(max(last - 1, first), last, tiles, *more)
        shares.append(float(np.mean(tiles.reached == last)))

    solver._advance = counting
    return shares


def functions_called(cell: ModuleType) -> Counter:
    """How often an evaluation computes `exp`, `expm1` and `log`: the cell model run as plain Python, at two potentials.

    What is the same at both is a constant, and the compiler's work.
    """
    real = {name: getattr(lanes, name) for name in ("exp", "expm1", "log")}
    homes = [(home, name) for home in (cell, lanes) for name in real if hasattr(home, name)]
    heard: list[tuple[str, float]] = []

    def listening(name: str):
        def function(x: float) -> float:
            heard.append((name, x))
            return real[name](x)

        return function

    def run(potential_mv: float) -> list[tuple[str, float]]:
        row = np.zeros(LANES * width(cell))
        given = np.array([*cell.STATE.values(), *cell.PARAMETERS.values()])
        row[: LANES * given.size : LANES] = given * (1.0 + 1e-3 * potential_mv)
        heard.clear()
        cell.gates(row, 0, potential_mv, DT_MS)
        cell.ionic_current(row, 0, potential_mv, DT_MS)
        return list(heard)

    try:
        for home, name in homes:
            setattr(home, name, listening(name))
        first, second = run(-30.0), run(-31.0)
    finally:
        for home, name in homes:
            setattr(home, name, real[name])
    return Counter(one[0] for one, other in zip(first, second, strict=True) if one != other)


def vector_instructions(model: str) -> tuple[int, int]:
    """In the loop for single precision: all that name a vector register, and the arithmetic among them."""
    kernel = advance_kernel(model, False)
    signature = next(one for one in kernel.signatures if "Tiles(array(float32" in str(one[2]))
    compiler: Any = numba.njit
    anew = compiler(**BARE)(kernel.py_func)  # what comes from disk cannot be read
    anew.compile(signature)
    functions = re.split(r"\.Lfunc_end\d+:", anew.inspect_asm(signature))
    wide = max((re.findall(r"^\s+(v\w+)\s[^\n]*%[yz]mm", one, re.MULTILINE) for one in functions), key=len)
    return len(wide), sum(bool(re.match(r"v(add|sub|mul|div|sqrt|fn?m(add|sub)\d+)p[sd]$", one)) for one in wide)


def scan_ns(solver: Solver) -> float:
    """Processor time of skipping a tile for one step, on one thread: a run in which none is due."""
    alone = copy.copy(solver)
    kernel, taken = advance_kernel(solver._model, False), []

    def timing(*given) -> None:
        start = time.thread_time()
        kernel(*given)
        taken.append((time.thread_time() - start) / (given[1] - given[0]))

    alone._threads, alone._advance = 1, timing
    idle = alone.rest()
    idle.tiles.due[:] = 2**62
    alone.run(Protocol((), 20.0), idle, stop_when_quiet=False)
    return 1e9 * min(taken[1:]) / len(idle.tiles.due)


def limit_rows(solver: Solver, seconds: float, computed: float, share: float) -> list[Row]:
    """Evaluations, operations and bytes of the run, and the rates that follow.

    Parameters
    ----------
    seconds, computed : float
        Wall time, and processor time of all threads.
    share : float
        Of the tiles, evaluated in a step on average.
    """
    threads, n_tiles, cell = solver._threads, len(solver._operator.leak), solver._cell
    evaluations = share * n_tiles * DURATION_MS / DT_MS
    skipping = scan_ns(solver)
    scan_share = 1e-9 * skipping * n_tiles * DURATION_MS / DT_MS / computed
    called = functions_called(cell)
    exponentials = called["exp"] + called["expm1"]
    entries = solver._operator.start[-1] / n_tiles
    read = LANES * (8 * entries + 4 * (width(cell) + 1)) + 64
    written = 4 * LANES * (len(cell.STATE) + len(getattr(cell, "RATES", ())) + 2) + 24
    own_ns = 1e9 * computed * (1.0 - scan_share) / evaluations
    waiting = 100 * (1.0 - computed / threads / seconds)
    table = [
        row("tiles evaluated in a step", 100 * share, "%", note=f"{evaluations * LANES / DURATION_MS:.3g} nodes a ms"),
        row("skipping a tile for a step", skipping, "ns", note="one thread, none due: blocks of them at once"),
        row("time that skips tiles", 100 * scan_share, "%", note="of processor time"),
        row("time that waits", waiting, "%", note=f"of {threads} cores, or others had it"),
        row("a tile's evaluation", own_ns, "ns", note=f"processor time; {LANES} nodes; diffusion and all included"),
        row("exponentials", exponentials, "", note=f"an evaluation, each of {LANES}; and {called['log']} logarithms"),
        row("exponentials per ns", exponentials * LANES / own_ns, "1/ns", note="of a node, a thread"),
        row("gathers", entries, "", note=f"an evaluation, each of {LANES}: the neighbours of its nodes"),
        row("bytes read", read, "B", note=f"an evaluation; of them {8 * LANES * entries:.0f} diffusion"),
        row("bytes written", written, "B", note="an evaluation"),
        row("memory traffic", 1e-9 * (read + written) * evaluations / seconds, "GB/s", note="if no cache helped"),
    ]
    if platform.machine() in ("x86_64", "AMD64"):
        total, arithmetic = vector_instructions(solver._model)
        table += [
            row("vector instructions", total, "", note=f"in the loop's code; {arithmetic} of them arithmetic"),
            row("vector instructions per ns", total / own_ns, "1/ns", note="a thread"),
        ]
    return table


def timed(solver: Solver, stimulus: Stimulus, duration_ms: float) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Wall and processor seconds, activation and repolarisation times of the first beat."""
    solver.run(Protocol((stimulus,), 5 * solver.dt_ms), stop_when_quiet=False)  # compiled, and the arrays touched
    start, computed = time.perf_counter(), time.process_time()
    seen = solver.run(Protocol((stimulus,), duration_ms), stop_when_quiet=False)[0]
    taken = time.perf_counter() - start, time.process_time() - computed
    return *taken, seen.activation_ms[0], seen.repolarisation_ms[0]


def rows(edge_mm: float, reference: bool) -> list[Row]:
    """The record, its error, and what it did."""
    heart = ventricles(edge_mm)
    stimulus = Stimulus(apex(heart), 0.0, 2.0, 50.0)
    solver, _ = prepared(heart, DT_MS)
    nodes = solver.n_unknowns
    shares = count_evaluations(solver)
    seconds, computed, activation, repolarisation = timed(solver, stimulus, DURATION_MS)
    last, activated = float(np.nanmax(activation)), int(np.isfinite(activation).sum())
    table = [
        row("nodes", nodes, "", note=f"edge {edge_mm:g} mm, {len(heart.mesh.tets)} tetrahedra"),
        at_most("seconds", [seconds], "s", BAR_SECONDS * nodes / NODES, f"{numba.get_num_threads()} threads"),
        row("per node and simulated ms", 1e9 * seconds / nodes / DURATION_MS, "ns", note=f"time step {DT_MS:g} ms"),
        row("last activation", last, "ms", note=f"{activated} nodes activated"),
        row("last repolarisation", float(np.nanmax(repolarisation)), "ms"),
        *limit_rows(solver, seconds, computed, float(np.mean(shares))),
    ]
    if reference:
        fixed, _ = prepared(heart, REFERENCE_DT_MS, 0.0)
        taken, _, truth, _ = timed(fixed, stimulus, last + 5.0)
        error, one = np.abs(activation - truth), int((np.isfinite(activation) != np.isfinite(truth)).sum())
        table += [
            row("activated in one of the two only", one, "", note="nodes"),
            row("activation_error", float(np.nanmax(error)), "ms", note=f"largest; mean {np.nanmean(error):.4f}"),
            row("fixed step, per node and step", 1e9 * taken / nodes / round((last + 5.0) / REFERENCE_DT_MS), "ns"),
        ]
    return table


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--edge", type=float, default=EDGE_MM, help="mm")
    parser.add_argument("--no-reference", action="store_true", help="without the run in steps of 0.01 ms")
    asked = parser.parse_args()
    show([rows(asked.edge, not asked.no_reference)], as_json=asked.json)
