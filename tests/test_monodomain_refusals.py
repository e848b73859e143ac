"""What cannot be simulated is refused in one line, and what goes wrong is named."""

import dataclasses

import numpy as np
import pytest
from medium_blocks import block, left_end

from cardiotwin.errors import InputRejected, QualityGate, SettingsError
from cardiotwin.monodomain import Protocol, Solver, Stimulus, simulate

MEDIUM = block((6.0, 3.0, 3.0), 0.75)


def refusal(kind, call):
    with pytest.raises(kind) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_stimulus_that_touches_nothing_conducting_is_named():
    tets = MEDIUM.tets[(MEDIUM.points[MEDIUM.tets][:, :, 0] < 4.0).all(axis=1)]
    cut = dataclasses.replace(MEDIUM, tets=tets, sigma=MEDIUM.sigma[: len(tets)])
    gone = np.flatnonzero(MEDIUM.points[:, 0] > 5.0)
    stimuli = (Stimulus(left_end(MEDIUM), 0.0), Stimulus(gone, 30.0))
    message = refusal(InputRejected, lambda: simulate(cut, Protocol(stimuli, 60.0), dt_ms=0.1))
    assert "stimulus 1 at 30 ms" in message
    alive = simulate(cut, Protocol(stimuli[:1], 60.0), dt_ms=0.1).activation_ms[0]
    assert np.isnan(alive[gone]).all()
    assert np.isfinite(alive[MEDIUM.points[:, 0] < 3.0]).all()


def test_a_stimulus_outside_the_mesh_or_without_nodes_is_refused():
    for nodes in ([len(MEDIUM.points)], [-1], []):
        refusal(
            InputRejected, lambda n=nodes: simulate(MEDIUM, Protocol((Stimulus(np.array(n), 0.0),), 9.0), dt_ms=0.1)
        )


def test_nothing_conducting_is_refused():
    nothing = dataclasses.replace(MEDIUM, tets=MEDIUM.tets[:0], sigma=MEDIUM.sigma[:0])
    refusal(InputRejected, lambda: Solver(nothing, 0.1))


@pytest.mark.parametrize("dt_ms", [0.0, -0.1, 3.0, np.nan])
def test_a_time_step_out_of_range_is_refused(dt_ms):
    refusal(SettingsError, lambda: Solver(MEDIUM, dt_ms))


def test_a_state_of_another_solver_is_refused():
    state = Solver(MEDIUM, 0.05).rest()
    refusal(InputRejected, lambda: Solver(MEDIUM, 0.1).run(Protocol((), 1.0), state))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_potential_that_is_not_a_number_stops_the_run_within_a_few_steps(value):
    solver = Solver(MEDIUM, 0.1)
    gate = np.ones(len(MEDIUM.points))
    gate[77] = value
    broken = solver.with_variable(solver.rest(), "h", gate)
    protocol = Protocol((Stimulus(np.array([77]), 0.0),), 50.0)
    message = refusal(QualityGate, lambda: solver.run(protocol, broken))
    assert "node 77" in message
    assert float(message.split(" at ")[1].split(" ms")[0]) <= 1.0
