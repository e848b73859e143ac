"""A run can be cut, continued, watched and shared among threads without changing a bit of it."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numba
import numpy as np
import pytest
from medium_blocks import block, left_end, single_cell

from cardiotwin.kernels.lanes import LANES
from cardiotwin.kernels.monodomain import BLOCK, planned, record
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus, simulate

MEDIUM = block((20.0, 6.0, 6.0), 0.75, sigma=(0.2, 0.08, 0.08))
TRAIN = tuple(Stimulus(left_end(MEDIUM), start_ms) for start_ms in (0.0, 330.0))


def same(first, second):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))


def test_a_run_cut_anywhere_goes_on_as_if_it_had_not_been():
    solver = Solver(MEDIUM, 0.1)
    whole, end = solver.run(Protocol(TRAIN, 500.0))
    for cut_ms in (0.7, 61.3, 329.9, 331.0):
        part, state = solver.run(Protocol(TRAIN, cut_ms))
        assert state.time_ms == pytest.approx(cut_ms)
        before = [array.copy() for array in state.tiles]
        resumed, resumed_end = solver.run(Protocol(TRAIN, 500.0), state)
        assert same(end.tiles, resumed_end.tiles)
        assert np.array_equal(whole.activation_ms, resumed.activation_ms, equal_nan=True)
        assert same(before, state.tiles), "the state was changed by the run that started from it"
        assert np.nanmax(part.activation_ms, initial=0.0) <= cut_ms
    assert np.isfinite(whole.activation_ms[:2]).all()
    assert len(whole.activation_ms) == len(whole.repolarisation_ms) == 2


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one core")
def test_the_number_of_threads_changes_nothing():
    protocol = Protocol(TRAIN[:1], 60.0)
    one = Solver(MEDIUM, 0.1, threads=1).run(protocol)[1]
    two = Solver(MEDIUM, 0.1, threads=2).run(protocol)[1]
    assert same(one.tiles, two.tiles)


MANY_THREADS = """
import hashlib, numba
from test_monodomain_runs import MEDIUM, TRAIN
from cardiotwin.monodomain import Protocol, Solver
for threads in (1, 2, 3, 7):
    solver = Solver(MEDIUM, 0.1, threads=threads)
    assert solver._threads == threads
    tiles = solver.run(Protocol(TRAIN[:1], 30.0))[1].tiles
    print(hashlib.sha256(b"".join(array.tobytes() for array in tiles)).hexdigest())
"""


def test_more_threads_than_cores_change_nothing():
    environment = {**os.environ, "NUMBA_NUM_THREADS": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", MANY_THREADS], env=environment, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.split()) == 4
    assert len(set(done.stdout.split())) == 1


def test_long_steps_of_quiet_tissue_leave_activation_where_it_was():
    protocol = Protocol(TRAIN, 700.0)
    every = Solver(MEDIUM, 0.1, tolerance_mv=0.0).run(protocol)[0]
    some = Solver(MEDIUM, 0.1).run(protocol)[0]
    assert np.nanmax(np.abs(every.activation_ms - some.activation_ms)) < 0.2
    assert np.nanmax(np.abs(every.repolarisation_ms - some.repolarisation_ms)) < 0.5
    assert not np.array_equal(every.repolarisation_ms, some.repolarisation_ms, equal_nan=True)


@pytest.mark.parametrize("dt_ms", [0.005, 0.02])
def test_what_wakes_tissue_ahead_of_a_front_does_not_depend_on_the_time_step(dt_ms):
    """On 0.1 mm, where a front spans many tiles. By the change in a step, waves came 3.6 and 0.9 ms late."""
    medium = block((10.0, 0.5, 0.3), 0.1, sigma=(0.6, 0.2, 0.2))
    protocol = Protocol((Stimulus(left_end(medium), 0.0),), 30.0)
    every, needed = (
        Solver(medium, dt_ms, diffusion="explicit", **more).run(protocol)[0].activation_ms[0]
        for more in ({"tolerance_mv": 0.0}, {})
    )
    assert 12.0 < every.max() < 13.0
    assert np.abs(needed - every).max() < 0.2


@pytest.mark.parametrize(("end_mm", "arrival_ms", "within_ms"), [(5.1, 47.9, 0.2), (5.3, 96.4, 6.0)])
def test_a_wave_that_just_crosses_a_gap_is_not_blocked_by_long_steps(end_mm, arrival_ms, within_ms):
    """Where diffusion into the gap and the current there balance, nothing changes and steps are long. Were diffusion
    cut short in them, this wave would be blocked.
    """
    medium = block((9.0, 0.4, 0.4), 0.2, "ten_tusscher_2006", (0.1, 0.1, 0.1))
    x = medium.points[:, 0]
    excitable = 1.0 - ((x > 4.1) & (x < end_mm)).astype(float)
    gap = dataclasses.replace(medium, parameters={"g_Na": 14.838 * excitable, "g_CaL": 0.0398e-3 * excitable})
    protocol = Protocol((Stimulus(left_end(gap, 1.0), 5.0),), 130.0)
    every, needed = (
        Solver(gap, 0.02, **more).run(protocol, stop_when_quiet=False)[0].activation_ms[0, np.argmax(x)]
        for more in ({"tolerance_mv": 0.0}, {})
    )
    assert every == pytest.approx(arrival_ms, abs=1.0)
    assert needed == pytest.approx(every, abs=within_ms)


def test_blocks_that_are_not_looked_at_have_nothing_to_do():
    """Every call of the kernel looks at all of them first: called for one step at a time, it never leaves one out."""
    medium = block((20.0, 1.2, 1.2), 0.2, sigma=(0.3, 0.1, 0.1))
    protocol = Protocol((Stimulus(left_end(medium), 5.0),), 40.0)
    solver = Solver(medium, 0.02, threads=1)
    kernel, some = solver._advance, solver.run(protocol)[1]

    def step_by_step(first, last, *more):
        for step in range(first, last):
            kernel(step, step + 1, *more)

    solver._advance = step_by_step
    assert len(some.tiles.due) > 5 * BLOCK
    assert same(some.tiles, solver.run(protocol)[1].tiles)


def test_neighbours_in_long_steps_repolarise_together_and_on_time():
    """Where they step in turn each sees the other ahead of its own middle, and this block repolarises 5 ms early."""
    medium = block((18.0, 6.0, 6.0), 1.0, "ten_tusscher_2006", (0.4, 0.4, 0.4))
    protocol = Protocol((Stimulus(left_end(medium), 0.0),), 420.0)
    every, needed = (
        Solver(medium, 0.04, **more).run(protocol, stop_when_quiet=False)[0] for more in ({"tolerance_mv": 0.0}, {})
    )
    assert np.isfinite(every.repolarisation_ms[0]).all()
    assert np.abs(needed.activation_ms[0] - every.activation_ms[0]).max() < 0.05
    assert abs(np.mean(needed.repolarisation_ms[0] - every.repolarisation_ms[0])) < 0.4


@pytest.mark.parametrize(("change_mv", "longest", "steps"), [
    (0.0, 16, [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
    (0.03, 16, [8, 7, 6, 5, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1]),
    (0.1, 16, [2, 1] * 8), (0.3, 16, [1] * 16), (0.0, 1, [1] * 16), (0.0, 13, [8, 7, 6, 5, 4, 3, 2, 1] * 2),
])  # fmt: skip
def test_long_steps_are_powers_of_two_that_start_at_their_multiples(change_mv, longest, steps):
    assert [planned.py_func(reached - 1, change_mv, longest, 0.25) for reached in range(16)] == steps


def test_another_potential_begins_there_and_then():
    """Also in tissue at rest, in the middle of a long step."""
    medium = block((10.0, 0.5, 0.5), 0.5, "ten_tusscher_2006", (0.2, 0.2, 0.2))
    found = []
    for more in ({"tolerance_mv": 0.0}, {}):
        solver = Solver(medium, 0.02, **more)
        state = solver.run(Protocol((), 20.3), stop_when_quiet=False)[1]
        raised = np.where(medium.points[:, 0] < 3.0, -20.0, solver.potential(state))
        run = solver.run(Protocol((), 60.0), solver.with_variable(state, "V", raised))[0]
        assert run.activation_ms[0].min() > 20.3
        found.append(run.activation_ms[0])
    assert np.abs(found[0] - found[1]).max() < 0.1


def test_crossings_are_found_within_a_long_step():
    """Of 8 steps of 0.1 ms after step 20: activated after a quarter, repolarised after three eighths."""
    cells = np.zeros((1, 3 * LANES), np.float32)
    cells[0, :2], cells[0, 2 * LANES : 2 * LANES + 2] = (30.0, -80.0), (-10.0, -64.0)
    beats, phase = np.zeros((1, LANES), np.int16), np.zeros((1, LANES), np.uint8)
    phase[0, :2], beats[0, 1] = (1, 2), 1
    activation_ms, repolarisation_ms = np.full((2, 1, 1, LANES), np.nan, np.float32)
    record(0, 20, 8, 0.1, cells, 2 * LANES, -70.0, beats, phase, activation_ms, repolarisation_ms)
    assert activation_ms[0, 0, 0] == pytest.approx(2.0 + 0.8 / 4)
    assert repolarisation_ms[0, 0, 1] == pytest.approx(2.0 + 0.8 * 3 / 8)
    assert np.isfinite(activation_ms).sum() == np.isfinite(repolarisation_ms).sum() == 1


@pytest.mark.parametrize(("falls_to_mv", "beats"), [(-30.0, 1), (-55.0, 2)])
@pytest.mark.parametrize("diffusion", ["explicit", "stabilised"])
def test_a_notch_is_no_second_beat_but_excitation_before_full_repolarisation_is(falls_to_mv, beats, diffusion):
    solver = Solver(single_cell("ten_tusscher_2006"), 0.02, threads=1, diffusion=diffusion)
    first, watched = Stimulus(np.arange(4), 1.0, 1.0, 50.0), Protocol((), 0.0)
    state = solver.run(Protocol((first,), 200.0))[1]
    while solver.potential(state)[0] > falls_to_mv:
        watched = Protocol((first,), state.time_ms + 0.5)
        state = solver.run(watched, state)[1]
    again = Stimulus(np.arange(4), state.time_ms, 2.0, 60.0)
    activation = solver.run(Protocol((first, again), state.time_ms + 20.0), state)[0].activation_ms
    assert activation.shape[0] == beats
    assert solver.potential(state)[0] > -70.0


def test_only_repolarised_cells_take_the_longest_steps():
    cell = single_cell("ten_tusscher_2006")
    solver = Solver(cell, 0.02, threads=1)
    protocol = Protocol((Stimulus(np.arange(4), 20.0, 1.0, 50.0),), 420.0)
    longest_ms = {}
    state = None
    for time_ms in np.arange(19.0, 420.0, 2.0):
        state = solver.run(Protocol(protocol.stimuli, time_ms), state, stop_when_quiet=False)[1]
        beating = bool(solver.potential(state)[0] > -70.0)
        longest_ms[beating] = max(longest_ms.get(beating, 0.0), 0.02 * float(state.tiles.taken.max()))
    assert longest_ms == {False: pytest.approx(1.28), True: pytest.approx(0.32)}


def test_renumbering_the_mesh_moves_nothing():
    rng = np.random.default_rng(5)
    order = rng.permutation(len(MEDIUM.points))
    number = np.argsort(order)
    shuffled = Medium(MEDIUM.points[order], number[MEDIUM.tets].astype(np.int32), MEDIUM.sigma, MEDIUM.cell_model, {})
    plain = simulate(MEDIUM, Protocol(TRAIN[:1], 60.0), dt_ms=0.1).activation_ms[0]
    moved = simulate(shuffled, Protocol((Stimulus(left_end(shuffled), 0.0),), 60.0), dt_ms=0.1).activation_ms[0]
    assert moved == pytest.approx(plain[order], abs=0.01)


def test_single_precision_is_enough():
    protocol = Protocol(TRAIN[:1], 60.0)
    single = simulate(MEDIUM, protocol, dt_ms=0.1).activation_ms[0]
    double = simulate(MEDIUM, protocol, dt_ms=0.1, precision="double").activation_ms[0]
    assert single == pytest.approx(double, abs=0.01)


def test_a_run_ends_when_all_is_quiet_and_not_before_the_last_stimulus():
    activation = simulate(MEDIUM, Protocol(TRAIN, 5000.0), dt_ms=0.1)
    last = np.nanmax(activation.repolarisation_ms)
    assert last < activation.end_ms < last + 200.0
    unmoved = simulate(MEDIUM, Protocol((Stimulus(left_end(MEDIUM), 0.0, 2.0, 0.1),), 5000.0), dt_ms=0.1)
    assert unmoved.end_ms < 10.0
    assert np.isnan(unmoved.activation_ms).all()


def test_a_monitor_sees_the_wave_and_may_stop_it():
    seen = []

    def half_way(time_ms, activation_ms):
        seen.append((time_ms, int(np.isfinite(activation_ms[0]).sum())))
        return seen[-1][1] > len(MEDIUM.points) // 2

    activation = simulate(MEDIUM, Protocol(TRAIN, 700.0), dt_ms=0.1, monitor=half_way)
    times, counts = zip(*seen, strict=True)
    assert times == pytest.approx(20.0 * np.arange(1, len(times) + 1))
    assert counts == tuple(sorted(counts))
    assert activation.end_ms == times[-1] < 100.0


def test_electrodes_and_snapshots_are_sampled_together():
    weights = np.random.default_rng(0).standard_normal((3, len(MEDIUM.points)))
    activation = simulate(
        MEDIUM, Protocol(TRAIN[:1], 30.0), dt_ms=0.1, electrode_weights=weights, snapshot_every_ms=5.0
    )
    assert activation.ecg_ms == pytest.approx(np.arange(31.0))
    assert activation.snapshot_ms == pytest.approx(np.arange(0.0, 31.0, 5.0))
    expected = activation.snapshots.astype(float) @ weights.T
    assert pytest.approx(expected, rel=1e-5, abs=1e-3) == activation.electrode_mv[:, ::5].T


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from test_monodomain_runs import checkpointed
checkpointed({folder!r})
"""


def checkpointed(folder):
    """A run of a few seconds that saves itself as often as it can."""
    weights = np.ones((1, len(MEDIUM.points)))
    activation = simulate(
        MEDIUM, Protocol(TRAIN, 4000.0), dt_ms=0.005, threads=1, electrode_weights=weights, snapshot_every_ms=50.0,
        checkpoint=Path(folder) / "checkpoint", checkpoint_every_s=0.05, stop_when_quiet=True,
    )  # fmt: skip
    np.savez(Path(folder) / "result.npz", **vars(activation))


def test_a_run_killed_again_and_again_ends_in_the_same_bits(tmp_path):
    """kill -9 of a process of its own."""
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    disturbed.mkdir(), undisturbed.mkdir()
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(disturbed))
    kills = 0
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code])
        checkpoint = disturbed / "checkpoint"
        started = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while process.poll() is None and not (checkpoint.exists() and checkpoint.stat().st_mtime_ns != started):
            time.sleep(0.005)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills == 2, "the run ended before it could be killed"
    assert not (disturbed / "result.npz").exists()
    checkpointed(disturbed)
    checkpointed(undisturbed)
    assert not (disturbed / "checkpoint").exists()
    with np.load(disturbed / "result.npz") as first, np.load(undisturbed / "result.npz") as second:
        for name in first:
            assert np.array_equal(first[name], second[name], equal_nan=True), name


def test_a_damaged_checkpoint_is_not_believed(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    protocol = Protocol(TRAIN[:1], 20.0)
    plain = simulate(MEDIUM, protocol, dt_ms=0.1)
    for damage in (b"", b"PK\x03\x04 not really", os.urandom(1000)):
        checkpoint.write_bytes(damage)
        again = simulate(MEDIUM, protocol, dt_ms=0.1, checkpoint=checkpoint)
        assert np.array_equal(plain.activation_ms, again.activation_ms, equal_nan=True)


def test_a_flipped_bit_anywhere_in_a_checkpoint_costs_time_and_nothing_else(tmp_path):
    """Tiles of one time and the clock of another would be the worst: nothing is taken before all of it was read."""
    weights = np.ones((1, len(SMALL.points)))
    solver = Solver(SMALL, 0.1, threads=1, n_beats=1, electrode_weights=weights)
    protocol = Protocol((Stimulus(left_end(SMALL), 0.0),), 12.0)
    plain = vars(solver.run(protocol)[0])
    path = tmp_path / "checkpoint"
    good = saved_half_way(solver, protocol, path)
    rng = np.random.default_rng(0)
    places = [*rng.choice(len(good), 100, replace=False), *range(0, 900, 9), *range(len(good) - 900, len(good), 9)]
    for place in places:
        damaged = bytearray(good)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        again = vars(solver.run(protocol, checkpoint=path)[0])
        assert all(np.array_equal(plain[name], again[name], equal_nan=True) for name in plain), place


SMALL = block((3.0, 1.5, 1.5), 0.75)


class Killed(Exception):
    """Stands for a kill in the middle of a run."""


def saved_half_way(solver, protocol, path):
    """What a checkpoint holds when its run is killed at half of its time."""

    def kill(fraction, _):
        if fraction >= 0.5:
            raise Killed

    with pytest.raises(Killed):
        solver.run(protocol, checkpoint=path, checkpoint_every_s=0.0, progress=kill)
    return path.read_bytes()
