"""The monodomain model on a tissue: activation, repolarisation, snapshots, electrograms.

chi (C_m dV/dt + I_ion) = div(sigma grad V) + I_stim, no flux at the surface of what conducts.

Examples
--------
>>> tissue = make_tissue(heart, Velocities(fibre=0.6, cross=0.3), settings.tissue, dt_ms=0.1)
>>> site = heart.surface_nodes(LV_ENDOCARDIUM)[:5]
>>> activation = simulate(tissue, Protocol((Stimulus(site, start_ms=0.0),), duration_ms=450.0), dt_ms=0.1)
>>> float(np.nanmax(activation.activation_ms[0]))  # total activation time, ms

Many simulations of one tissue share a solver, and what they have in common is run once:

>>> solver = Solver(tissue, dt_ms=0.1, threads=1)
>>> train = tuple(Stimulus(site, 600.0 * beat) for beat in range(6))
>>> _, paced = solver.run(Protocol(train, 3200.0))
>>> for coupling_ms in (300.0, 290.0, 280.0):  # times go on counting from 0
...     s2 = Stimulus(site, 3000.0 + coupling_ms)
...     activation, end = solver.run(Protocol((s2,), 4500.0), paced, monitor=is_reentry)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cardiotwin.progress import Progress, silent
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.protocol import Activation, Protocol, Stimulus
from cardiotwin.solver.simulation import Monitor
from cardiotwin.solver.solver import Solver, State
from cardiotwin.tissue.tissue import Tissue

__all__ = ["Activation", "Medium", "Monitor", "Protocol", "Solver", "State", "Stimulus", "simulate"]


def simulate(
    tissue: Tissue | Medium,
    protocol: Protocol,
    *,
    dt_ms: float,
    snapshot_every_ms: float | None = None,
    electrode_weights: np.ndarray | None = None,
    threads: int | None = None,
    precision: str = "single",
    diffusion: str = "auto",
    state: State | None = None,
    monitor: Monitor | None = None,
    checkpoint: Path | str | None = None,
    checkpoint_every_s: float = 60.0,
    stop_when_quiet: bool = True,
    progress: Progress = silent,
) -> Activation:
    """One simulation of one tissue; arguments as in `Solver` and `Solver.run`. For many on one tissue use those.

    Examples
    --------
    >>> site = heart.surface_nodes(LV_ENDOCARDIUM)[:5]
    >>> activation = simulate(tissue, Protocol((Stimulus(site, 0.0),), 450.0), dt_ms=0.05)
    >>> float(np.nanmax(activation.activation_ms[0]))  # total activation time, ms
    """
    solver = Solver(
        tissue, dt_ms, electrode_weights=electrode_weights, threads=threads, precision=precision, diffusion=diffusion
    )
    return solver.run(
        protocol,
        state,
        snapshot_every_ms=snapshot_every_ms,
        monitor=monitor,
        stop_when_quiet=stop_when_quiet,
        checkpoint=checkpoint,
        checkpoint_every_s=checkpoint_every_s,
        progress=progress,
    )[0]
