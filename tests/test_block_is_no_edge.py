"""A wave is conducted from neighbour to neighbour or not at all: across a line of block nothing passes, ever so late."""

import numpy as np
import pytest
from test_reentry import flat_ring

from cardiotwin.reentry import find_circuits, neighbours

CYCLE_MS = 300.0


@pytest.fixture(scope="module")
def ring():
    return flat_ring()


def paced_beside_a_line_of_block(points, delay_ms):
    """From one side of a line across the ring once around to the other, where the wave ends; then again.

    The next beat starts beside the line, `delay_ms` after the last one has come to an end on its other side.
    """
    once_around = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi) / (2 * np.pi) * (120 / 119)
    return (CYCLE_MS - delay_ms) * once_around + CYCLE_MS * np.arange(5)[:, None]


@pytest.mark.parametrize("delay_ms", [60.0, 90.0, 150.0])
def test_a_wave_that_ends_where_the_next_one_is_about_to_start_is_no_circuit(ring, delay_ms):
    """Edges are at most 2.5 mm long: 60 ms for one would be 0.04 m/s, slower than tissue conducts."""
    points, tets = ring
    tissue = neighbours(points, tets)
    assert tissue.lengths.max() < 2.5
    assert find_circuits(paced_beside_a_line_of_block(points, delay_ms), tissue, after_ms=-1.0) == ()


def test_a_wave_that_creeps_across_is_one(ring):
    """In 8 ms, more than 0.07 m/s: slow, as in the border zone, and conduction all the same."""
    points, tets = ring
    (circuit,) = find_circuits(paced_beside_a_line_of_block(points, 8.0), neighbours(points, tets), after_ms=-1.0)
    assert circuit.cycle_length_ms == pytest.approx(CYCLE_MS)
