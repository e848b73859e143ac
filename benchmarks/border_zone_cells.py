"""What border-zone remodelling does to one cell, in either model: the numbers `cardiotwin.tissue.cells` matches.

    python benchmarks/border_zone_cells.py [--json]

Cells paced at 600 ms; the last of five beats.
"""

from __future__ import annotations

import numpy as np
from table import Row, options, row, show

from cardiotwin.kernels.ionic import cell_model
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.cells import REMODELLED_CURRENTS, REMODELLED_UPSTROKE, TAIL_MS

TT06 = "ten_tusscher_2006"
CYCLE_MS, BEATS = 600.0, 5


def last_beat(model: str, parameters: dict[str, float], strength: float, duration_ms: float) -> tuple[float, float]:
    """Largest dV/dt by the cell's own currents, mV/ms, and action potential duration, ms."""
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    cell = Medium(points, np.array([[0, 1, 2, 3]], np.int32), 1e-12 * np.eye(3)[None], model, parameters)
    stimuli = tuple(Stimulus(np.arange(4), 10.0 + CYCLE_MS * k, duration_ms, strength) for k in range(BEATS))
    solver = Solver(cell, 0.01, precision="double", tolerance_mv=0.0)
    state = solver.run(Protocol(stimuli, stimuli[-1].start_ms), stop_when_quiet=False)[1]
    beat, end = solver.run(
        Protocol(stimuli, state.time_ms + 15.0), state, snapshot_every_ms=0.05, stop_when_quiet=False
    )
    rise = np.diff(beat.snapshots[:, 0].astype(float)) / 0.05
    stimulated = beat.snapshot_ms[1:] < stimuli[-1].start_ms + duration_ms + 0.025
    upstroke = float((rise - strength * stimulated).max())
    whole = solver.run(Protocol(stimuli, BEATS * CYCLE_MS), end, stop_when_quiet=False)[0]
    return upstroke, float(whole.repolarisation_ms[BEATS - 1, 0] - whole.activation_ms[BEATS - 1, 0])


def rows() -> list[Row]:
    """One row a cell type and quantity."""
    table, ratios = [], []
    model = cell_model(TT06)
    for kind in ("endocardial", "epicardial"):
        normal = {**model.PARAMETERS, **model.CELL_TYPES[kind]}
        remodelled = {name: value * REMODELLED_CURRENTS.get(name, 1.0) for name, value in normal.items()}
        (fast, short), (slow, long) = (last_beat(TT06, cell, 52.0, 1.0) for cell in (normal, remodelled))
        ratios.append((slow / fast, long / short))
        table.append(_row(f"{kind}: largest dV/dt", slow / fast, f"{fast:.0f} to {slow:.0f} mV/ms"))
        table.append(_row(f"{kind}: action potential duration", long / short, f"{short:.0f} to {long:.0f} ms"))
    upstroke, duration = np.mean(ratios, axis=0)
    table.append(_row("mean: largest dV/dt", upstroke, "", REMODELLED_UPSTROKE))
    table.append(_row("mean: action potential duration", duration, "", TissueSettings().border_zone_apd_factor))
    settings = TissueSettings()
    plain = {"tau_close": settings.tau_close_ms}
    tau_in = 0.3 / REMODELLED_UPSTROKE
    changed = {
        "tau_in": tau_in,
        "tau_out": 20 * tau_in,
        "tau_close": settings.tau_close_ms * settings.border_zone_apd_factor - TAIL_MS * (20 * tau_in - 6.0),
    }
    short, long = (last_beat("mitchell_schaeffer", cell, 50.0, 2.0)[1] for cell in (plain, changed))
    table.append(
        _row(
            "Mitchell-Schaeffer: action potential duration",
            long / short,
            f"{short:.0f} to {long:.0f} ms",
            TissueSettings().border_zone_apd_factor,
        )
    )
    return table


def _row(name: str, ratio: float, note: str, asked: float | None = None) -> Row:
    ok = None if asked is None else bool(abs(ratio / asked - 1.0) < 0.03)
    return row(name, ratio, "of normal", asked, ok, note)


if __name__ == "__main__":
    show([rows()], as_json=options(__doc__).parse_args().json)
