"""A wave that runs around a ring is a circuit; a wave that spreads from a focus is none."""

from dataclasses import replace

import numpy as np
import pytest

from cardiotwin.induction.reentry import find_circuits, neighbours, same_circuit, still_turns

CYCLE_MS = 300.0


def flat_ring(second_neck=0):
    """A flat ring of radius 12 to 24 mm, 3 mm thick, in tetrahedra, with a neck 4 mm wide at angle 0.

    Of eight radial cells three conduct there; at angle 180 degrees as many as `second_neck` says, 0 for all.
    """
    angle, radius, height = np.meshgrid(np.arange(120), np.linspace(12, 24, 9), [0.0, 1.5, 3.0], indexing="ij")
    theta = 2 * np.pi * angle / 120
    points = np.stack([radius * np.cos(theta), radius * np.sin(theta), height], -1).reshape(-1, 3)

    def node(a, r, h):
        return ((a % 120) * 9 + r) * 3 + h

    tets = []
    for a in range(120):
        for r in range(8):
            if (a < 6 or a > 114) and not 2 <= r < 5:
                continue
            if second_neck and 57 <= a <= 63 and not 2 <= r < 2 + second_neck:
                continue
            for h in range(2):
                c = [node(a + i, r + j, h + k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
                tets += [[c[0], c[p], c[q], c[7]] for p, q in ((4, 6), (6, 2), (2, 3), (3, 1), (1, 5), (5, 4))]
    tets = np.array(tets, np.int32)
    a, b, c, d = (points[tets[:, k]] for k in range(4))
    inverted = np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a) < 0
    tets[inverted, 2:] = tets[inverted, 3:1:-1]
    return points, tets


@pytest.fixture(scope="module")
def ring():
    return flat_ring()


def turning(points, turns=4):
    """Activation by a wave that turns counter-clockwise with a constant period."""
    phase = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi) / (2 * np.pi) * CYCLE_MS
    return phase + CYCLE_MS * np.arange(turns)[:, None]


def test_a_turning_wave_is_one_circuit_of_its_period(ring):
    points, tets = ring
    (circuit,) = find_circuits(turning(points), neighbours(points, tets), after_ms=0.0)
    assert circuit.cycle_length_ms == pytest.approx(CYCLE_MS)
    assert circuit.cycles == 3


def test_the_isthmus_is_the_neck_and_its_exit_lies_downstream(ring):
    points, tets = ring
    (circuit,) = find_circuits(turning(points), neighbours(points, tets), after_ms=0.0)
    angle = np.degrees(np.arctan2(circuit.isthmus_mm[1], circuit.isthmus_mm[0]))
    assert abs(angle) < 40
    assert np.degrees(np.arctan2(circuit.exit_mm[1], circuit.exit_mm[0])) > angle


def test_the_minimum_cut_crosses_the_neck_and_opens_every_closed_path(ring):
    points, tets = ring
    tissue = neighbours(points, tets)
    (circuit,) = find_circuits(turning(points), tissue, after_ms=0.0)
    angle = np.degrees(np.arctan2(points[circuit.cut_nodes, 1], points[circuit.cut_nodes, 0]))
    assert np.abs(angle).max() <= 19
    assert tissue.volumes[circuit.cut_nodes].sum() < 0.05 * tissue.volumes.sum()
    left = neighbours(points, tets[~np.isin(tets, circuit.cut_nodes).any(axis=1)])
    assert find_circuits(turning(points), left, after_ms=0.0) == ()
    assert still_turns(circuit, tissue)
    assert not still_turns(circuit, left)


def test_the_cut_lies_in_the_isthmus_even_where_less_tissue_would_do_elsewhere():
    """The wave lingers at the neck and races through a narrower one: it is cut where it lingers."""
    points, tets = flat_ring(second_neck=2)
    share = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi) / (2 * np.pi)
    times = CYCLE_MS * (share + 0.8 * np.sin(2 * np.pi * share) / (2 * np.pi) + np.arange(4)[:, None])
    (circuit,) = find_circuits(times, neighbours(points, tets), after_ms=-1.0)
    assert np.abs(np.degrees(np.arctan2(*points[circuit.cut_nodes, 1::-1].T))).max() < 60


def test_a_wave_from_a_focus_is_no_circuit(ring):
    points, tets = ring
    beats = np.linalg.norm(points - points[700], axis=1) / 0.5 + CYCLE_MS * np.arange(5)[:, None]
    assert find_circuits(beats, neighbours(points, tets), after_ms=0.0) == ()


def test_two_activations_after_the_stimulus_are_not_yet_reentry(ring):
    points, tets = ring
    assert find_circuits(turning(points, turns=2), neighbours(points, tets), after_ms=0.0) == ()


def test_a_second_turn_of_less_than_half_the_tissue_does_not_count(ring):
    points, tets = ring
    times = turning(points, turns=3)
    times[2, times[2] > 2.3 * CYCLE_MS] = np.nan
    assert find_circuits(times, neighbours(points, tets), after_ms=0.0) == ()


def test_a_circuit_turning_the_other_way_has_another_exit(ring):
    points, tets = ring
    tissue = neighbours(points, tets)
    (forward,) = find_circuits(turning(points), tissue, after_ms=0.0)
    (backward,) = find_circuits(turning(points * [1, -1, 1]), tissue, after_ms=0.0)
    assert same_circuit(forward, forward)
    assert not same_circuit(forward, backward)


def test_circuits_with_one_isthmus_and_opposite_exits_are_two(ring):
    points, tets = ring
    (circuit,) = find_circuits(turning(points), neighbours(points, tets), after_ms=0.0)
    up = replace(circuit, exit_mm=circuit.isthmus_mm + np.array([0.0, 5.0, 0.0]))
    down = replace(circuit, exit_mm=circuit.isthmus_mm - np.array([0.0, 5.0, 0.0]))
    assert same_circuit(up, up)
    assert not same_circuit(up, down)


def hesitating(points, pauses_ms, turns=8):
    """A wave around the ring that waits at the neck in some of its turns, then all tissue at once, in no order."""
    phase = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi) / (2 * np.pi) * CYCLE_MS
    waited = np.concatenate([[0.0], np.cumsum([pauses_ms.get(turn, 0.0) for turn in range(turns - 1)])])
    times = phase + CYCLE_MS * np.arange(turns)[:, None] + waited[:, None]
    flash = times[-1].max() + 100.0 + np.random.default_rng(1).uniform(0.0, 400.0, len(points))
    return np.vstack([times, flash])


def test_a_wave_that_was_seen_to_turn_is_a_circuit_whenever_the_watching_stops(ring):
    """Cut at any moment after its second turn, also while it waits or after its order is lost."""
    points, tets = ring
    tissue = neighbours(points, tets)
    times = hesitating(points, {3: 180.0, 5: 90.0})
    for stop in np.arange(3.05 * CYCLE_MS, np.max(times) + 50.0, 70.0):
        found = find_circuits(np.where(times <= stop, times, np.nan), tissue, after_ms=-1.0)
        assert len(found) == 1, f"stopped at {stop:.0f} ms"
        assert found[0].cut_nodes.size, f"stopped at {stop:.0f} ms"
        left = neighbours(points, tets[~np.isin(tets, found[0].cut_nodes).any(axis=1)])
        assert not still_turns(found[0], left)


def test_tissue_activated_again_and_again_in_no_order_is_no_circuit(ring):
    points, tets = ring
    times = np.sort(np.random.default_rng(2).uniform(0.0, 3000.0, (8, len(points))), axis=0)
    assert find_circuits(times, neighbours(points, tets), after_ms=-1.0) == ()
