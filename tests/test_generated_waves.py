"""The truth of the detector's benchmark is a truth: who excited whom, checked on waves whose course is plain."""

import importlib
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def waves():
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    try:
        yield importlib.import_module("generated_waves")
    finally:
        sys.path.pop(0)


def line(waves, n=40, delay_ms=2.0, refractory_ms=30.0, closed=True):
    """Nodes on a circle of 1 mm steps, each excited by its neighbours."""
    turn = 2.0 * np.pi * np.arange(n) / n
    points = n / (2.0 * np.pi) * np.stack([np.cos(turn), np.sin(turn), 0.0 * turn], axis=1)
    links = [[((k + step) % n, delay_ms) for step in (-1, 1) if closed or 0 <= k + step < n] for k in range(n)]
    tissue = waves.Neighbours(points, np.zeros((0, 2), np.int32), np.zeros(0), np.ones(n))
    return waves.Sheet(tissue, links, np.full(n, refractory_ms))


def test_a_wave_around_a_circle_turns_in_its_length_times_the_delay(waves):
    on, blocked = line(waves), np.zeros(40)
    blocked[37:] = 20.0
    run = waves.spread(on, [waves.Stimulus(np.array([0]), 0.0)], blocked, until_ms=500.0)
    turns, cycle_ms = waves.turns_of(run, on, 1.0)
    assert cycle_ms == pytest.approx(80.0)
    assert turns == 6, "of 80 ms each in the 499 that were watched"


def test_two_arms_that_meet_do_not_turn(waves):
    on = line(waves)
    run = waves.spread(on, [waves.Stimulus(np.array([0]), 0.0)], np.zeros(40))
    assert waves.turns_of(run, on, -1.0) == (0, pytest.approx(np.nan, nan_ok=True))
    assert len(run.nodes) == 40


def test_beats_of_a_focus_descend_from_stimuli_not_from_each_other(waves):
    on = line(waves)
    run = waves.spread(on, [waves.Stimulus(np.array([0]), 100.0 * k) for k in range(5)], np.zeros(40))
    assert waves.turns_of(run, on, -1.0)[0] == 0
    assert len(run.nodes) == 200


def test_tissue_that_recovers_too_late_stops_the_wave(waves):
    on, blocked = line(waves, refractory_ms=90.0), np.zeros(40)
    blocked[37:] = 20.0
    run = waves.spread(on, [waves.Stimulus(np.array([0]), 0.0)], blocked, until_ms=500.0)
    assert waves.turns_of(run, on, 1.0)[0] == 0


@pytest.mark.parametrize("kind", ["ring", "figure of eight", "focal", "none"])
def test_a_kind_does_what_its_name_says(waves, kind):
    one = waves.wave(kind, 1)
    assert (one.turns >= 2) is (kind in ("ring", "figure of eight"))
    assert one.activation_ms.shape[0] >= (1 if kind == "none" else 4)
    again = waves.wave(kind, 1)
    assert np.array_equal(again.activation_ms, one.activation_ms, equal_nan=True)
