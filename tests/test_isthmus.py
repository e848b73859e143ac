"""What an isthmus is like: on a channel whose wave is known, and on a slab that re-enters through one."""

import dataclasses
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from cube_heart import block_mesh

from cardiotwin.isthmus import isthmus_of
from cardiotwin.reentry import Circuit

LENGTH_MM, WIDTH_MM, VELOCITY, CYCLE_MS = 24.0, 6.0, 0.2, 300.0


@pytest.fixture(scope="module")
def slabs():
    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    try:
        yield importlib.import_module("slab_with_isthmus")
    finally:
        sys.path.pop(0)


def circuit(mesh, zero_ms=0.0):
    """A plane wave through the whole of a bar, in tissue that waits for it for the rest of the cycle."""
    phase = (mesh.points[:, 0] / VELOCITY + zero_ms) % CYCLE_MS
    nodes = np.arange(len(mesh.points), dtype=np.int32)
    end = np.array([LENGTH_MM, 3.0, 1.0])
    return Circuit(CYCLE_MS, 3, mesh.points.mean(axis=0), end, phase.astype(np.float32), nodes, nodes[:1])


@pytest.mark.parametrize("zero_ms", [0.0, 100.0, 250.0])
def test_a_plane_wave_through_a_bar_gives_its_length_width_and_velocity(zero_ms):
    """Wherever in the cycle the phase has its zero."""
    mesh = block_mesh((24, 6, 2), 1.0)
    found = isthmus_of(circuit(mesh, zero_ms), mesh, np.ones(len(mesh.tets), bool))
    assert found.velocity == pytest.approx(VELOCITY, rel=0.01)
    assert found.length_mm == pytest.approx(LENGTH_MM, abs=1.0)
    assert found.width_mm == pytest.approx(WIDTH_MM, abs=0.1)
    assert np.linalg.norm(found.entrance_mm - [0.0, 3.0, 1.0]) < 2.5


def test_nodes_that_the_last_cycle_did_not_reach_do_not_count():
    mesh = block_mesh((24, 6, 2), 1.0)
    whole = circuit(mesh)
    phase = np.where(mesh.points[:, 0] > 20.0, np.nan, whole.phase_ms).astype(np.float32)
    found = isthmus_of(dataclasses.replace(whole, phase_ms=phase), mesh, np.ones(len(mesh.tets), bool))
    assert found.length_mm == pytest.approx(20.0, abs=1.0)
    nowhere = dataclasses.replace(whole, phase_ms=np.full_like(phase, np.nan))
    assert isthmus_of(nowhere, mesh, np.ones(len(mesh.tets), bool)) is None


def test_an_isthmus_of_a_few_nodes_is_not_measured():
    mesh = block_mesh((1, 1, 1), 1.0)
    small = dataclasses.replace(circuit(mesh), isthmus_nodes=np.arange(4))
    assert isthmus_of(small, mesh, np.ones(len(mesh.tets), bool)) is None


def test_the_channel_of_a_slab_is_its_isthmus_from_end_to_end(slabs):
    """A channel that takes more than a quarter of the cycle is the isthmus in full, not a quarter somewhere in it."""
    case = slabs.CASES[3]
    slab = slabs.slab_with_isthmus(case)
    _, found = slabs.watched(slab)
    assert np.linalg.norm(found.isthmus_mm - slab.centre) < 2.0
    assert np.linalg.norm(found.exit_mm - slab.exit) < 2.0
    size = isthmus_of(found, slab.mesh, slab.conducting)
    assert size.width_mm == pytest.approx(case.width_mm, abs=1.0)
    assert size.length_mm == pytest.approx(case.length_mm, abs=4.0)
