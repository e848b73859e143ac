"""What the monodomain time loop costs: by cell model, precision, threads and size; how it scales; what memory it takes.

    python benchmarks/monodomain.py [--json] [--only models,sizes,threads,memory]

A wave crosses a block of tissue along oblique fibres, 14 neighbours a node. "Every step" evaluates all nodes in all
steps, "as needed" is what production does; for models and sizes the best of three stretches of a run, compilation left
out, processor time of the calling thread for one thread and wall time for two. Scaling is wall time of one thread over
that of two, in turns over the same stretch, best of each: it means something where no other process runs, and the
note says how much of the cores others had. The front runs along the last axis, where nodes are numbered, so that
at any time it is in one half of them.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
from table import Row, options, row, show

from cardiotwin.meshes.reference.slab import box
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus

MODELS = {
    "mitchell_schaeffer": (0.1, 0.13),
    "ten_tusscher_2006": (0.02, 0.13),
    "aliev_panfilov": (0.02, 2.6),
    "fenton_karma": (0.02, 0.13),
    "bueno_orovio_2008": (0.02, 0.13),
    "luo_rudy_1991": (0.02, 0.13),
    "courtemanche_1998": (0.02, 0.13),
    "ohara_rudy_2011": (0.02, 0.4),
    "tor_ord_2019": (0.02, 0.13),
}
"""dt, ms, and the conductivity along the fibres, mS/mm."""
BARS_NS = {"mitchell_schaeffer": 8.0, "ten_tusscher_2006": 20.0}
WATCHED_MS = 40.0
KINDS = (("every step", 0.0), ("as needed", 0.25))
"""Name and `tolerance_mv`."""

DETAILED = "ten_tusscher_2006"
SIZES = {(22, 15, 15): 40.0, (45, 32, 32): 40.0, (90, 66, 65): 16.0}
"""Cubes of 1 mm along the axes (6,000, 50,000 and 400,000 nodes), and the time that is watched, ms."""
LARGE, HALF = (58, 58, 58), (58, 28, 58)
"""205,000 nodes, and half of them beside each other along an axis that the front does not take."""
STRETCH_MS = {"every step": 2.0, "as needed": 15.0}
ROUNDS = 5
SCALING_BAR = 1.8
QUIET = 0.05
"""Of the cores, what others may have for too little scaling to be ours."""
BYTES_BAR = 400.0


def medium(model: str, sigma: float, cells: tuple[int, int, int] = (45, 32, 32)) -> Medium:
    """A block of cubes of 1 mm whose fibres run along its long diagonal: every edge of a tetrahedron couples."""
    mesh = box((float(cells[0]), float(cells[1]), float(cells[2])), cells)
    fibre = np.array(cells) / np.linalg.norm(cells)
    tensor = 0.3 * sigma * np.eye(3) + 0.7 * sigma * np.outer(fibre, fibre)
    return Medium(mesh.points, mesh.tets, np.tile(tensor, (len(mesh.tets), 1, 1)), model, {})


def front(body: Medium, axis: int) -> Stimulus:
    """A plane wave along an axis."""
    return Stimulus(np.flatnonzero(body.points[:, axis] < 3.0), 0.0)


def nanoseconds(
    body: Medium, precision: str, tolerance_mv: float, threads: int, watched_ms: float = WATCHED_MS
) -> float:
    """Per node and step; best of three stretches of a run."""
    dt_ms = MODELS[body.cell_model][0]
    solver = Solver(body, dt_ms, precision=precision, tolerance_mv=tolerance_mv, threads=threads)
    clock = time.thread_time if threads == 1 else time.perf_counter
    state, taken = None, []
    for stretch in range(4):
        protocol = Protocol((front(body, 0),), 2.0 + watched_ms / 4 * stretch)
        start = clock()
        state = solver.run(protocol, state, stop_when_quiet=False)[1]
        taken.append((clock() - start) / (watched_ms / 4 / dt_ms) / solver.n_unknowns)
    return 1e9 * min(taken[1:])


def available_threads() -> list[int]:
    """1, and all there are."""
    return sorted({1, int(numba.config.NUMBA_NUM_THREADS)})  # type: ignore[attr-defined]


def model_rows() -> list[Row]:
    """One row a model, precision and number of threads; of the models without a bar, single precision on one thread."""
    table = []
    for model, (_, sigma) in MODELS.items():
        bar, body = BARS_NS.get(model), medium(model, sigma)
        for precision in ("single", "double") if bar else ("single",):
            for threads in available_threads() if bar else (1,):
                for kind, tolerance in KINDS:
                    asked = bar if (precision, threads, kind) == ("single", 1, "as needed") else None
                    value = nanoseconds(body, precision, tolerance, threads)
                    name = f"{model}, {precision}, {threads} threads, {kind}"
                    table.append(row(name, value, "ns/node/step", asked, None if asked is None else value <= asked))
    return table


def size_rows() -> list[Row]:
    """In the caches and out of them: a node's state and diffusion are 0.3 kB."""
    table = []
    for cells, watched_ms in SIZES.items():
        body = medium(DETAILED, MODELS[DETAILED][1], cells)
        for threads in available_threads():
            for kind, tolerance in KINDS:
                value = nanoseconds(body, "single", tolerance, threads, watched_ms)
                table.append(row(f"size {len(body.points)}, {threads} threads, {kind}", value, "ns/node/step"))
    return table


def thread_rows() -> list[Row]:
    """Strong scaling: the same nodes on more threads. Weak scaling: as many more nodes as threads."""
    most = available_threads()[-1]
    if most < 2:
        return [row("threads/scaling", 1.0, "times", SCALING_BAR, None, "one core: nothing to compare")]
    large, half = (medium(DETAILED, MODELS[DETAILED][1], cells) for cells in (LARGE, HALF))
    table = []
    for kind, tolerance in KINDS:
        runs = {"1": stretch(large, tolerance, 1, kind), "2": stretch(large, tolerance, 2, kind),
                "half": stretch(half, tolerance, 1, kind)}  # fmt: skip
        best, others = in_turns(runs)
        ratio = best["1"] / best["2"]
        note = f"{len(large.points)} nodes, {1e3 * best['1']:.0f} and {1e3 * best['2']:.0f} ms; others had {others:.0%}"
        enough = ratio >= SCALING_BAR
        ok = enough if enough or others <= QUIET else None
        table.append(row(f"threads/scaling, {kind}", ratio, "times", SCALING_BAR, ok, note))
        per_node = best["half"] / len(half.points) * len(large.points) / 2
        note = f"{len(half.points)} nodes on 1 thread, {len(large.points)} on 2"
        table.append(row(f"threads/weak_scaling, {kind}", per_node / best["2"], "of ideal", note=note))
    return table


def stretch(body: Medium, tolerance_mv: float, threads: int, kind: str) -> Callable[[], object]:
    """A piece of a run, always the same one, with the wave in the midst of the block and kernels compiled."""
    solver = Solver(body, MODELS[DETAILED][0], tolerance_mv=tolerance_mv, threads=threads, n_beats=1)
    stimuli = (front(body, 2),)
    state = solver.run(Protocol(stimuli, 20.0), stop_when_quiet=False)[1]
    protocol = Protocol(stimuli, 20.0 + STRETCH_MS[kind])
    return lambda: solver.run(protocol, state, stop_when_quiet=False)


def in_turns(runs: dict[str, Callable[[], object]]) -> tuple[dict[str, float], float]:
    """Best wall time of each, s, and the share of the cores that other processes had meanwhile."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    begun, others = time.perf_counter(), seconds_of_others()
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    others = (seconds_of_others() - others) / (time.perf_counter() - begun) / (os.cpu_count() or 1)
    return {name: min(times) for name, times in taken.items()}, max(others, 0.0)


def seconds_of_others() -> float:
    """Processor time that all other processes have had since the system started; NaN where that is not told."""
    counters = Path("/proc/stat")
    if not counters.exists():
        return float("nan")
    user, nice, system, _, _, irq, softirq, *_ = map(int, counters.read_text().split("\n", 1)[0].split()[1:])
    ours = os.times()
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK") - ours.user - ours.system


def memory_rows() -> list[Row]:
    """Peak of all arrays besides the mesh, a beat recorded."""
    body = medium(DETAILED, MODELS[DETAILED][1])
    stimulus = front(body, 0)
    Solver(body, 0.02, n_beats=1).run(Protocol((stimulus,), 0.1), stop_when_quiet=False)  # compiled
    tracemalloc.start()
    solver = Solver(body, 0.02, n_beats=1)
    assembling = tracemalloc.get_traced_memory()[1] / solver.n_unknowns
    tracemalloc.reset_peak()
    solver.run(Protocol((stimulus,), 2.0), stop_when_quiet=False)
    running = tracemalloc.get_traced_memory()[1] / solver.n_unknowns
    tracemalloc.stop()
    return [
        row("bytes_per_node", running, "B", BYTES_BAR, running <= BYTES_BAR, "while it runs; single precision"),
        row("bytes_per_node, assembling", assembling, "B", note="for a moment: the list of edges while it is ordered"),
    ]


PARTS = {"models": model_rows, "sizes": size_rows, "threads": thread_rows, "memory": memory_rows}


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="some of the parts, with commas between them")
    asked = parser.parse_args()
    if unknown := set(asked.only.split(",")) - set(PARTS):
        parser.error(f"--only: no part {', '.join(sorted(unknown))}; expected some of {', '.join(PARTS)}")
    show((PARTS[name]() for name in asked.only.split(",")), as_json=asked.json)
