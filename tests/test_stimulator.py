"""Programmed stimulation where the answer is known: a frame that re-enters, a hairpin whose wave comes back late."""

import numpy as np
from cube_heart import block_mesh

from cardiotwin.induction.reentry import neighbours
from cardiotwin.induction.stimulation import Electrode, Stimulator
from cardiotwin.settings import InduceSettings
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.solver import Solver
from cardiotwin.tissue.velocity import tune

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


def paced(mesh, conducting, at_mm, tau_close, protocol=PROTOCOL):
    """What pacing at a place shows, on the part of a block that conducts; `tau_close` is one value a node."""
    return stimulator(mesh, conducting, at_mm, tau_close, protocol).paced()


def stimulator(mesh, conducting, at_mm, tau_close, protocol):
    tets = mesh.tets[conducting]
    sigma = tune(VELOCITY, MODEL, FRONT, EDGE_MM, DT_MS)[0] * np.eye(3)
    medium = Medium(mesh.points, tets, np.tile(sigma, (len(tets), 1, 1)), MODEL, FRONT | {"tau_close": tau_close})
    tissue = neighbours(mesh.points, tets)
    node = int(np.argmin(((mesh.points - at_mm) ** 2).sum(axis=1)))
    electrode = Electrode.at(node, tissue, 2.0)
    return Stimulator(protocol, Solver(medium, DT_MS, threads=1), tissue, electrode)


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


def attempts(monkeypatch, tau_close=100.0, **changes):
    """Couplings tried on a strip that cannot re-enter, and which of them captured; then the result."""
    mesh = block_mesh((16, 4, 2), EDGE_MM)
    tried, attempt = [], Stimulator._attempt

    def watched(self, state, stimulus_ms):
        found = attempt(self, state, stimulus_ms)
        tried.append((stimulus_ms - PROTOCOL.s1_cycle_length_ms, found.captured))
        return found

    protocol = PROTOCOL.model_copy(update={"watch_ms": 300.0, "s2_step_ms": 10.0, **changes})
    with monkeypatch.context() as patched:
        patched.setattr(Stimulator, "_attempt", watched)
        found = paced(mesh, np.ones(len(mesh.tets), bool), [1.0, 2.0, 1.0], tau_close, protocol)
    return tried, found


def test_bisection_finds_the_end_of_the_refractory_period_that_steps_find(monkeypatch):
    """From far above it in fewer attempts, and from close above it in few more."""
    for first_ms, last_ms in ((420.0, 100.0), (420.0, 104.0), (300.0, 100.0)):  # 104: not on the grid of steps
        given = {"s2_first_ms": first_ms, "s2_last_ms": last_ms}
        steps, _ = attempts(monkeypatch, **given)
        halves, found = attempts(monkeypatch, **given, s2_search="bisection")
        assert min(at for at, captured in halves if captured) == min(at for at, captured in steps if captured)
        assert len(halves) <= 7
        assert len(halves) < len(steps) or first_ms == 300.0
        assert found.outcome == "not inducible"


def test_bisection_goes_down_to_the_last_coupling_where_all_capture(monkeypatch):
    halves, _ = attempts(monkeypatch, tau_close=50.0, s2_last_ms=240.0, s2_search="bisection")
    assert min(at for at, captured in halves if captured) == 240.0


def test_fixed_couplings_are_tried_once_each_the_next_behind_the_last(monkeypatch):
    fixed = {"s2_search": "fixed", "fixed_couplings_ms": (310.0, 250.0, 245.0), "extra_stimuli": 3}
    tried, found = attempts(monkeypatch, **fixed)
    assert tried == [(310.0, True), (560.0, True), (805.0, True)]
    assert found.couplings_ms == (310.0, 250.0, 245.0)
    assert found.outcome == "not inducible"
    refractory, found = attempts(monkeypatch, **fixed | {"fixed_couplings_ms": (310.0, 110.0, 245.0)})
    assert refractory == [(310.0, True), (420.0, False)]
    assert found.outcome == "not inducible"


def test_fixed_couplings_beyond_the_number_of_extra_stimuli_are_not_given(monkeypatch):
    fixed = {"s2_search": "fixed", "fixed_couplings_ms": (310.0, 250.0, 245.0), "extra_stimuli": 2}
    assert attempts(monkeypatch, **fixed)[0] == [(310.0, True), (560.0, True)]
