"""A slab with one isthmus of known place: two blocks of scar, and a channel between them.

Modified Mitchell-Schaeffer cells; at one mouth of the channel they are refractory for longer, so that an early S2 is
blocked there, runs around the scar, and comes back through the channel. Shown by `benchmarks/ablation.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cardiotwin.induction.reentry import Circuit, find_circuits, neighbours
from cardiotwin.induction.stimulation import Electrode, Stimulator
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.reference.slab import slab
from cardiotwin.settings import InduceSettings
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.protocol import Protocol
from cardiotwin.solver.solver import Solver
from cardiotwin.tissue.velocity import tune

MODEL, EDGE_MM, DT_MS = "modified_mitchell_schaeffer", 1.0, 0.1
FRONT = {"tau_in": 0.9, "tau_out": 18.0}
TAU_CLOSE_MS, LATE = 50.0, 4.0
PROTOCOL = InduceSettings(
    cell_model=MODEL, dt_ms=DT_MS, s1_beats=2, s1_cycle_length_ms=600.0, s2_first_ms=300.0, s2_step_ms=10.0,
    s2_last_ms=120.0, extra_stimuli=1, watch_ms=1800.0,
)  # fmt: skip
DEPTH_MM, MARGIN_MM = 2.0, 18.0


class Case(NamedTuple):
    """A channel: its length and width, mm; the velocities outside and inside it, mm/ms; from where it is paced."""

    length_mm: float
    width_mm: float
    outside: float
    inside: float
    from_left: bool


CASES = (
    Case(20.0, 6.0, 0.30, 0.20, True),
    Case(20.0, 6.0, 0.30, 0.20, False),
    Case(12.0, 6.0, 0.25, 0.25, True),
    Case(30.0, 6.0, 0.30, 0.20, True),
    Case(20.0, 10.0, 0.30, 0.20, True),
    Case(24.0, 8.0, 0.25, 0.15, False),
)


class Slab(NamedTuple):
    """What conducts, and what is known of it: centre and ends of the channel, mm; the wave leaves at `exit`."""

    mesh: Mesh
    conducting: np.ndarray
    medium: Medium
    site_mm: np.ndarray
    centre: np.ndarray
    exit: np.ndarray
    entrance: np.ndarray


def slab_with_isthmus(case: Case) -> Slab:
    """Scar 24 mm high on either side of the channel, tissue all around."""
    block = 24.0
    size = (case.length_mm + 2 * MARGIN_MM, 2 * block + case.width_mm + 2 * MARGIN_MM, DEPTH_MM)
    mesh = slab(size, EDGE_MM)
    middle = 0.5 * np.array(size)
    away = mesh.centroids - middle
    along, across = np.abs(away[:, 0]) < 0.5 * case.length_mm, np.abs(away[:, 1])
    channel = along & (across < 0.5 * case.width_mm)
    scar = along & ~channel & (across < 0.5 * case.width_mm + block)
    outside, inside = (tune(v, MODEL, FRONT, EDGE_MM, DT_MS)[0] for v in (case.outside, case.inside))
    sigma = np.where(channel, inside, outside)[~scar, None, None] * np.eye(3)
    sign = -1.0 if case.from_left else 1.0
    # The mouth nearer to the electrode recovers late.
    x, y = (mesh.points - middle)[:, :2].T
    mouth = (np.abs(y) < 0.5 * case.width_mm) & (np.abs(x) < 0.5 * case.length_mm) & (sign * x > 0)
    tau_close = np.where(mouth, LATE * TAU_CLOSE_MS, TAU_CLOSE_MS).astype(np.float32)
    medium = Medium(mesh.points, mesh.tets[~scar], sigma, MODEL, FRONT | {"tau_close": tau_close})
    end = middle + np.array([sign * 0.5 * case.length_mm, 0.0, 0.0])
    other = middle - np.array([sign * 0.5 * case.length_mm, 0.0, 0.0])
    site = middle + np.array([sign * (0.5 * case.length_mm + 0.5 * MARGIN_MM), 0.0, 0.0])
    return Slab(mesh, ~scar, medium, site, middle, end, other)


def watched(one: Slab) -> tuple[np.ndarray, Circuit] | None:
    """Activation times of what S2 induces from beside the channel, and the circuit found in them."""
    tissue = neighbours(one.mesh.points, one.mesh.tets[one.conducting])
    node = int(np.argmin(np.linalg.norm(one.mesh.points - one.site_mm, axis=1)))
    electrode = Electrode.at(node, tissue, 3.0)
    assert electrode is not None
    solver = Solver(one.medium, DT_MS, threads=1)
    found = Stimulator(PROTOCOL, solver, tissue, electrode).paced()
    if found.circuit is None:
        return None
    # The same once more, to have its times.
    starts = (*(PROTOCOL.s1_cycle_length_ms * np.arange(PROTOCOL.s1_beats)),)
    last = (starts[-1] + np.cumsum(found.couplings_ms)).tolist()
    stimuli = tuple(electrode.stimulus(float(at)) for at in (*starts, *last))
    seen = solver.run(Protocol(stimuli, stimuli[-1].start_ms + PROTOCOL.watch_ms), stop_when_quiet=False)[0]
    return seen.activation_ms, find_circuits(seen.activation_ms, tissue, stimuli[-1].start_ms)[0]


def along_channel(one: Slab, times_ms: np.ndarray) -> float:
    """Velocity of the last whole wave through the middle half of the channel, mm/ms, from a straight line."""
    x = one.mesh.points[:, 0] - one.centre[0]
    length = abs(one.exit[0] - one.entrance[0])
    y = one.mesh.points[:, 1] - one.centre[1]
    middle = np.flatnonzero((np.abs(x) <= 0.25 * length) & (np.abs(y) <= 2.0))
    beats = times_ms[:, middle]
    rows = np.flatnonzero(np.isfinite(beats).all(axis=1))
    return float(abs(1.0 / np.polyfit(x[middle], beats[rows[-1]].astype(float), 1)[0]))
