"""What an isthmus is like: on a channel whose wave is known, and on a slab that re-enters through one."""

import dataclasses
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from cube_heart import block_mesh

from cardiotwin.induction.isthmus import isthmus_of
from cardiotwin.induction.reentry import Circuit
from cardiotwin.meshes.mesh import Mesh

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


def measured(mesh, phase, nodes, conducting=None):
    """The isthmus that some nodes of a wave are."""
    nodes = np.flatnonzero(nodes).astype(np.int32)
    wave = dataclasses.replace(circuit(mesh), phase_ms=phase.astype(np.float32), isthmus_nodes=nodes)
    return isthmus_of(wave, mesh, np.ones(len(mesh.tets), bool) if conducting is None else conducting)


def test_an_isthmus_of_fewer_than_eight_nodes_is_not_measured():
    mesh = block_mesh((1, 1, 1), 1.0)
    phase = mesh.points[:, 0] / VELOCITY
    assert measured(mesh, phase, np.ones(8, bool)).velocity == pytest.approx(VELOCITY)
    assert measured(mesh, phase, np.arange(8) > 0) is None


def test_the_wave_beside_the_isthmus_does_not_count():
    """One cell wide, and there the wave runs as it does; beside it, 60 ms later, it is none of its velocity."""
    mesh = block_mesh((24, 3, 2), 1.0)
    x, y, _ = mesh.points.T
    inside = (y > 0.9) & (y < 2.1)
    assert measured(mesh, x / VELOCITY + 60.0 * ~inside, inside).velocity == pytest.approx(VELOCITY, rel=1e-3)


def test_an_isthmus_one_node_thick_is_measured_where_the_wave_went_on_beside_it():
    mesh = block_mesh((24, 2, 6), 1.0)
    x, y, _ = mesh.points.T
    sheet = np.abs(y - 1.0) < 0.1
    assert measured(mesh, x / VELOCITY, sheet).velocity == pytest.approx(VELOCITY, rel=1e-3)
    assert measured(mesh, np.where(sheet, x / VELOCITY, np.nan), sheet) is None


def test_tissue_that_does_not_conduct_does_not_count():
    """Scar over two thirds of the isthmus, at whose nodes the times are of no wave."""
    mesh = block_mesh((24, 6, 2), 1.0)
    x, y, _ = mesh.points.T
    alive = mesh.centroids[:, 1] < 2.0
    phase = np.where(y < 2.1, x / VELOCITY, (x / VELOCITY + 70.0 * y) % 130.0)
    everywhere = np.ones(len(x), bool)
    assert measured(mesh, phase, everywhere, alive).velocity == pytest.approx(VELOCITY, rel=1e-3)
    assert measured(mesh, phase, everywhere, np.zeros(len(mesh.tets), bool)) is None


def test_the_velocity_is_that_of_most_of_the_tissue_however_finely_the_rest_is_meshed():
    """16 layers of 0.25 mm at 0.1 m/s, then 8 of 2.5 mm at 0.4 m/s."""
    mesh = block_mesh((24, 6, 2), 1.0)
    layer = mesh.points[:, 0]
    x = np.interp(layer, [0.0, 16.0, 24.0], [0.0, 4.0, 24.0])
    phase = np.interp(layer, [0.0, 16.0, 24.0], [0.0, 40.0, 90.0])
    graded = Mesh(np.column_stack([x, mesh.points[:, 1:]]), mesh.tets)
    assert measured(graded, phase, np.ones(len(x), bool)).velocity == pytest.approx(0.4, rel=1e-3)


def test_an_isthmus_is_as_wide_as_most_of_it():
    """6 mm wide for 20 mm, then 12 mm for 10 mm, in which half of the nodes lie."""
    mesh = block_mesh((30, 12, 2), 1.0)
    x, y, _ = mesh.points.T
    inside = (np.abs(y - 6.0) < 3.1) | (x > 20.1)
    assert measured(mesh, x / VELOCITY, inside).width_mm == pytest.approx(6.0, abs=0.1)


def test_a_width_is_not_told_where_hardly_a_node_lies_across():
    mesh = block_mesh((4, 1, 1), 1.0)
    x, _, z = mesh.points.T
    assert np.isnan(measured(mesh, x / VELOCITY, z < 0.1).width_mm)


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
