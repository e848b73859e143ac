"""How do conduction velocity and action potential of ventricular tissue depend on how early a beat comes?

A bar of ten Tusscher-Panfilov tissue of one's own, without a heart: paced six times (S1), then once more at ever
shorter intervals (S2), each from the same saved state. The beat of the last S2 is kept for ParaView, with what two
electrodes beside the bar see of it:

    python examples/s1_s2_restitution.py restitution/
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cardiotwin.ecg.forward import medium_electrode_weights
from cardiotwin.exports.vtk_files import time_series
from cardiotwin.meshes.reference.slab import slab
from cardiotwin.monodomain import Activation, Medium, Protocol, Solver, Stimulus
from cardiotwin.progress import Progress, part, silent
from cardiotwin.terminal import progress_bar
from cardiotwin.tissue.velocity import tune

EDGE_MM, DT_MS = 0.4, 0.02
S1_MS = 600.0 * np.arange(6)
ELECTRODES_MM = np.array([[10.0, 1.2, 12.0], [30.0, 1.2, 12.0]])


class Beat(NamedTuple):
    """What became of one S2."""

    coupling_ms: float
    diastolic_ms: float
    """From the end of the last action potential to the start of this one; NaN, like the others, without conduction."""
    velocity: float
    apd_ms: float


def bar() -> Medium:
    """40 mm along the fibres, at 0.6 m/s; conductivities are those that give that velocity on this very mesh."""
    mesh = slab((40.0, 2.4, 2.4), EDGE_MM)
    along, error = tune(0.6, "ten_tusscher_2006", {}, EDGE_MM, DT_MS, geometry="cable")
    assert abs(error) < 0.01
    sigma = np.tile(np.diag([along, 0.2 * along, 0.2 * along]), (len(mesh.tets), 1, 1))
    return Medium(mesh.points, mesh.tets, sigma, "ten_tusscher_2006", {})


def measured(medium: Medium, activation: Activation, s2_ms: float) -> Beat:
    """Velocity in m/s between 15 and 25 mm, action potential at 20 mm, of the beat that S2 started."""
    x, number, coupling_ms = medium.points[:, 0], len(S1_MS), s2_ms - S1_MS[-1]
    if len(activation.activation_ms) <= number:
        return Beat(coupling_ms, np.nan, np.nan, np.nan)
    start, end = activation.activation_ms, activation.repolarisation_ms
    first, middle, last = (np.argmin(abs(x - at)) for at in (15.0, 20.0, 25.0))
    velocity = (x[last] - x[first]) / (start[number, last] - start[number, first])
    apd_ms = end[number, middle] - start[number, middle]
    return Beat(coupling_ms, start[number, middle] - end[number - 1, middle], velocity, apd_ms)


def restitution(couplings_ms: np.ndarray, progress: Progress = silent) -> tuple[Medium, list[Beat], Activation]:
    """S1 once, then every S2 from where it left the tissue."""
    medium = bar()
    solver = Solver(medium, DT_MS, electrode_weights=medium_electrode_weights(medium, ELECTRODES_MM))
    site = np.flatnonzero(medium.points[:, 0] < 1.0)
    train = Protocol(tuple(Stimulus(site, t) for t in S1_MS), S1_MS[-1] + couplings_ms.min() - 10.0)
    _, paced = solver.run(train, stop_when_quiet=False, progress=part(progress, 0.0, 0.4))
    beats = []
    for k, coupling_ms in enumerate(couplings_ms):
        s2_ms = S1_MS[-1] + coupling_ms
        share = part(progress, 0.4 + 0.6 * k / len(couplings_ms), 0.4 + 0.6 * (k + 1) / len(couplings_ms))
        beat = Protocol((Stimulus(site, s2_ms),), s2_ms + 450.0)
        activation, _ = solver.run(beat, paced, snapshot_every_ms=2.0, progress=share)
        beats.append(measured(medium, activation, s2_ms))
    return medium, beats, activation


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with progress_bar(quiet=False) as progress:
        medium, beats, last = restitution(np.arange(600.0, 290.0, -40.0), progress)
    print("S1-S2 [ms]   diastolic interval [ms]   velocity [m/s]   APD to -70 mV [ms]")
    for beat in beats:
        print(f"{beat.coupling_ms:10.0f}   {beat.diastolic_ms:23.1f}   {beat.velocity:14.3f}   {beat.apd_ms:18.1f}")
    columns = np.column_stack([last.ecg_ms, last.electrode_mv.T])
    np.savetxt(
        out / "electrograms.csv", columns, "%.6g", ",", header="time [ms],at 10 mm [mV],at 30 mm [mV]", comments=""
    )
    series = time_series(medium.points, medium.tets, last.snapshot_ms, last.snapshots)
    (out / "potential.vtkhdf").write_bytes(series)
    print(f"written: {out}/potential.vtkhdf, {out}/electrograms.csv")


if __name__ == "__main__":
    main()
