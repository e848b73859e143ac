"""What cannot be simulated is refused in one line, and what goes wrong is named."""

import dataclasses

import numpy as np
import pytest
from medium_blocks import block, left_end

from cardiotwin.errors import InputRejected, QualityGate, SettingsError
from cardiotwin.kernels.lanes import LANES
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
@pytest.mark.parametrize("name", ["V", "h"])
def test_a_variable_that_is_not_a_number_does_not_begin(name, value):
    """In a quiet tile it would be seen at the end of a long step, and by then in the potential of neighbours too."""
    solver = Solver(MEDIUM, 0.1)
    variable = solver.variable(solver.rest(), name).copy()
    variable[77] = value
    broken = solver.with_variable(solver.rest(), name, variable)
    message = refusal(QualityGate, lambda: solver.run(Protocol((), 50.0), broken))
    assert f"node 77: {name} is {value:g} at 0 ms" in message


def test_a_parameter_that_is_not_a_number_does_not_begin_but_an_infinite_one_may():
    for value, node in ((np.nan, 31), (np.inf, None)):
        tau_open = np.full(len(MEDIUM.points), 120.0)
        tau_open[31] = value
        solver = Solver(dataclasses.replace(MEDIUM, parameters={"tau_open": tau_open}), 0.1)
        if node is None:
            solver.run(Protocol((), 2.0), stop_when_quiet=False)
        else:
            message = refusal(QualityGate, lambda solver=solver: solver.run(Protocol((), 2.0)))
            assert f"node {node}: tau_open is nan" in message


@pytest.mark.parametrize(("model", "lost", "parameter"), [
    ("ten_tusscher_2006", "Na_i", "g_Na"), ("ten_tusscher_2006", "Ca_ss", "g_CaL"),
    ("ten_tusscher_2006", "m", None), ("mitchell_schaeffer", "h", None), ("mitchell_schaeffer", "V", "tau_in"),
])  # fmt: skip
def test_what_is_lost_in_a_run_is_named_with_its_node_and_the_step_it_happens_in(model, lost, parameter):
    """A quiet block breaks in one node: by an infinite conductance, or in a kernel that loses a gate at that node."""
    medium, dt_ms = block((6.0, 3.0, 3.0), 0.75, model), 0.02
    solver = Solver(medium, dt_ms, threads=1)
    state = solver.run(Protocol((), 3.0), stop_when_quiet=False)[1]
    tile, lane = divmod(int(solver.place[77]), LANES)
    broken_ms = 3.4
    advance, names = solver._advance, [*solver._cell.STATE, *solver._cell.PARAMETERS]

    def breaking(first, last, tiles, *more):
        for step in range(first, last):
            if step == round(broken_ms / dt_ms):
                row = LANES * names.index(parameter or lost) + lane
                tiles.cells[tile, row] = {"tau_in": 0.0, None: np.nan}.get(parameter, np.inf)
                tiles.due[tile] = step  # as when it happens: in a step of the tile
            advance(step, step + 1, tiles, *more)
            if more[-1][0] >= 0:
                return

    solver._advance = breaking
    protocol = Protocol((), 10.0)
    message = refusal(QualityGate, lambda: solver.run(protocol, state, stop_when_quiet=False))
    assert f"node 77: {lost} reached" in message
    assert float(message.split(" at ")[1].split(" ms")[0]) == pytest.approx(broken_ms + dt_ms)


@pytest.mark.parametrize("arguments", [
    {"dt_ms": "0.1"}, {"dt_ms": None}, {"dt_ms": True}, {"n_beats": 0}, {"n_beats": 2.5}, {"tolerance_mv": -1.0},
    {"tolerance_mv": np.nan}, {"threads": 0}, {"threads": 10_000}, {"order": 3}, {"precision": "half"},
    {"precision": ["single"]}, {"diffusion": ["explicit"]},
])  # fmt: skip
def test_an_argument_that_makes_no_sense_is_named(arguments):
    message = refusal(SettingsError, lambda: Solver(MEDIUM, **{"dt_ms": 0.1, **arguments}))
    assert message.startswith(next(iter(arguments)))


@pytest.mark.parametrize("weights", [np.zeros(len(MEDIUM.points)), np.zeros((1, 7)), "all",
                                     np.full((2, len(MEDIUM.points)), np.nan)])  # fmt: skip
def test_electrode_weights_that_fit_no_node_are_refused(weights):
    assert "electrode_weights" in refusal(InputRejected, lambda: Solver(MEDIUM, 0.1, electrode_weights=weights))


def test_what_a_run_is_given_is_looked_at_first(tmp_path):
    solver = Solver(MEDIUM, 0.1)
    site = Stimulus(left_end(MEDIUM), 0.0)
    for period_ms in (np.nan, 0.0, -1.0, "1"):
        message = refusal(SettingsError, lambda p=period_ms: solver.run(Protocol((site,), 5.0), snapshot_every_ms=p))
        assert "snapshot_every_ms" in message
    for protocol in (site, Protocol(site, 5.0), Protocol((left_end(MEDIUM),), 5.0)):
        assert "protocol" in refusal(InputRejected, lambda p=protocol: solver.run(p))
    nodes = left_end(MEDIUM)
    for wrong in (
        Stimulus(nodes, np.inf),
        Stimulus(nodes, "1"),
        Stimulus(nodes, 0.0, "5"),
        Stimulus(nodes, 0.0, 2.0, None),
    ):
        assert "stimulus 0" in refusal(InputRejected, lambda s=wrong: solver.run(Protocol((s,), 5.0)))
    assert "state" in refusal(InputRejected, lambda: solver.run(Protocol((site,), 5.0), 1))
    away = tmp_path / "nowhere" / "checkpoint"
    assert str(away) in refusal(InputRejected, lambda: solver.run(Protocol((site,), 5.0), checkpoint=away))


def test_a_variable_the_model_has_not_is_named_with_those_it_has():
    solver = Solver(MEDIUM, 0.1)
    assert "'xx'" in refusal(InputRejected, lambda: solver.variable(solver.rest(), "xx"))
    assert "'xx'" in refusal(InputRejected, lambda: solver.with_variable(solver.rest(), "xx", np.zeros(3)))
    for values in (1.0, np.zeros(3)):
        assert "shape" in refusal(InputRejected, lambda v=values: solver.with_variable(solver.rest(), "h", v))


def test_a_stimulus_shorter_than_a_step_carries_the_charge_that_was_asked_for():
    medium = block((6.0, 3.0, 3.0), 0.75)
    lifted = []
    for duration_ms in (0.1, 0.01):
        solver = Solver(medium, 0.1)
        everywhere = Stimulus(np.arange(len(medium.points)), 0.0, duration_ms, 50.0)
        state = solver.run(Protocol((everywhere,), 0.1), stop_when_quiet=False)[1]
        lifted.append(solver.potential(state)[0] + 80.0)
    assert lifted == pytest.approx([5.0, 0.5], rel=1e-3)
