"""Cost of the monodomain time loop per node and time step.

    python benchmarks/monodomain.py [--json]

A wave crosses a 45 x 33 x 33 mm block (50,000 nodes, 14 neighbours each) along oblique fibres. Processor time of the
calling thread for one thread, wall time for two; compilation left out. "Every step" evaluates all nodes in all steps,
"as needed" is what production does.
"""

from __future__ import annotations

import json
import platform
import sys
import time

import numba
import numpy as np

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


def medium(model: str, sigma: float) -> Medium:
    """A block whose fibres run along its long diagonal, so that every edge of a tetrahedron couples."""
    mesh = box((45.0, 33.0, 33.0), (45, 32, 32))
    fibre = np.array([45.0, 33.0, 33.0]) / np.linalg.norm([45.0, 33.0, 33.0])
    tensor = 0.3 * sigma * np.eye(3) + 0.7 * sigma * np.outer(fibre, fibre)
    return Medium(mesh.points, mesh.tets, np.tile(tensor, (len(mesh.tets), 1, 1)), model, {})


def nanoseconds(model: str, precision: str, tolerance_mv: float, threads: int) -> float:
    """Best of three stretches of a run."""
    dt_ms, sigma = MODELS[model]
    body = medium(model, sigma)
    solver = Solver(body, dt_ms, precision=precision, tolerance_mv=tolerance_mv, threads=threads)
    protocol = (Stimulus(np.flatnonzero(body.points[:, 0] < 3.0), 0.0),)
    clock = time.thread_time if threads == 1 else time.perf_counter
    state, taken = None, []
    for stretch in range(4):
        start = clock()
        state = solver.run(Protocol(protocol, 2.0 + WATCHED_MS / 4 * stretch), state, stop_when_quiet=False)[1]
        taken.append((clock() - start) / (WATCHED_MS / 4 / dt_ms) / solver.n_unknowns)
    return 1e9 * min(taken[1:])


def rows() -> list[dict]:
    """One row a model, precision and number of threads; of the models without a bar, single precision on one thread."""
    table = []
    for model in MODELS:
        bar = BARS_NS.get(model)
        for precision in ("single", "double") if bar else ("single",):
            for threads in sorted({1, int(numba.config.NUMBA_NUM_THREADS)}) if bar else (1,):
                for kind, tolerance in (("every step", 0.0), ("as needed", 0.25)):
                    asked = bar if (precision, threads, kind) == ("single", 1, "as needed") else None
                    value = nanoseconds(model, precision, tolerance, threads)
                    table.append({
                        "name": f"{model}, {precision}, {threads} threads, {kind}", "value": value,
                        "unit": "ns/node/step",
                        "bar": asked, "ok": None if asked is None else value <= asked, "note": "",
                    })  # fmt: skip
    return table


if __name__ == "__main__":
    found = rows()
    if "--json" in sys.argv:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "rows": found}))
    else:
        for line in found:
            print(
                f"{line['name']:56s} {line['value']:7.1f} {line['unit']}"
                + (f"   asked {line['bar']}" if line["bar"] else "")
            )
