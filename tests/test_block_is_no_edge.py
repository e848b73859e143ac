"""A wave is conducted from neighbour to neighbour or not at all: across a line of block nothing passes, ever."""

import numpy as np
import pytest
from cube_heart import block_mesh

from cardiotwin.induction.reentry import find_circuits, neighbours

CYCLE_MS = 300.0


@pytest.fixture(scope="module")
def frame():
    """Tissue around a square hole."""
    mesh = block_mesh((24, 24, 3), 1.0)
    return neighbours(mesh.points, mesh.tets[np.abs(mesh.centroids[:, :2] - 12.0).max(axis=1) > 6.0])


def once_around(tissue, delay_ms):
    """From one side of a line across the frame, around the hole to the other side, where the wave ends; then again.

    The next beat starts beside the line, `delay_ms` or a little more after the last one has ended on its other side.
    """
    x, y = tissue.points[:, :2].T - 12.0
    share = np.arctan2(y, x) % (2 * np.pi) / (2 * np.pi)
    return (CYCLE_MS - delay_ms) * share + CYCLE_MS * np.arange(5)[:, None]


@pytest.mark.parametrize("delay_ms", [40.0, 60.0, 120.0])
def test_a_wave_that_ends_beside_where_the_next_one_starts_is_no_circuit(frame, delay_ms):
    """Neighbours are at most 1.7 mm apart: 40 ms from one to the other is slower than tissue conducts."""
    assert find_circuits(once_around(frame, delay_ms), frame, after_ms=-1.0) == ()


def test_a_wave_that_creeps_across_is_one(frame):
    """In 10 ms, some 0.1 m/s: slow, as in the border zone, and conduction all the same."""
    (circuit,) = find_circuits(once_around(frame, 10.0), frame, after_ms=-1.0)
    assert circuit.cycle_length_ms == pytest.approx(CYCLE_MS)
