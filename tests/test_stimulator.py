"""Programmed stimulation where the answer is known: a frame that re-enters, a hairpin whose wave comes back late."""

import numpy as np
from cube_heart import block_mesh

from cardiotwin.medium import Medium
from cardiotwin.reentry import neighbours
from cardiotwin.settings import InduceSettings
from cardiotwin.solver import Solver
from cardiotwin.stimulation import Electrode, Stimulator
from cardiotwin.velocity import tune

MODEL, EDGE_MM, DT_MS, VELOCITY = "mitchell_schaeffer", 1.0, 0.1, 0.2
FRONT = {"tau_in": 0.6, "tau_out": 12.0}
PROTOCOL = InduceSettings(
    cell_model=MODEL,
    dt_ms=DT_MS,
    s1_beats=2,
    s1_cycle_length_ms=600.0,
    s2_first_ms=300.0,
    s2_step_ms=20.0,
    s2_last_ms=100.0,
    extra_stimuli=1,
    watch_ms=2500.0,
)


def paced(mesh, conducting, at_mm, tau_close):
    """What pacing at a place shows, on the part of a block that conducts; `tau_close` is one value a node."""
    tets = mesh.tets[conducting]
    sigma = tune(VELOCITY, MODEL, FRONT, EDGE_MM, DT_MS)[0] * np.eye(3)
    medium = Medium(mesh.points, tets, np.tile(sigma, (len(tets), 1, 1)), MODEL, FRONT | {"tau_close": tau_close})
    tissue = neighbours(mesh.points, tets)
    node = int(np.argmin(((mesh.points - at_mm) ** 2).sum(axis=1)))
    electrode = Electrode.at(node, tissue, 2.0)
    return Stimulator(PROTOCOL, Solver(medium, DT_MS, threads=1), tissue, electrode).paced()


def test_a_premature_beat_that_is_blocked_on_one_side_only_runs_around_the_hole():
    """Tissue that recovers late, beside the electrode: S2 leaves on the other side and comes back through it."""
    mesh = block_mesh((30, 30, 2), EDGE_MM)
    centred = mesh.points[:, :2] - 15.0
    around = np.abs(mesh.centroids[:, :2] - 15.0).max(axis=1) > 9.0
    late = (centred[:, 0] < -8.0) & (centred[:, 1] > -12.0) & (centred[:, 1] < 0.0)
    found = paced(mesh, around, [3.0, 21.0, 1.0], np.where(late, 120.0, 60.0))
    assert found.outcome == "re-entry"
    # Between the ways around the hole and around the outside, at that velocity.
    assert 4 * 18.0 / VELOCITY < found.circuit.cycle_length_ms < 4 * 30.0 / VELOCITY
    assert found.circuit.cycles >= 2


def test_a_wave_that_comes_by_later_is_not_what_an_extra_stimulus_captured():
    """Up one leg of a hairpin and down the other, past the electrode again: by then S2 has long failed to capture.

    None is tried earlier than the first that failed, and none can fail long after the action potential of S1, which
    lasts tau_close ln(tau_out / 4 tau_in) = 161 ms, and the slow front's own time.
    """
    mesh = block_mesh((40, 10, 2), EDGE_MM)
    slit = (np.abs(mesh.centroids[:, 1] - 5.0) < 1.0) & (mesh.centroids[:, 0] < 36.0)
    found = paced(mesh, ~slit, [4.0, 1.0, 1.0], 100.0)
    assert found.outcome == "not inducible"
    assert 161.0 < found.couplings_ms[-1] < 300.0, found.couplings_ms
