"""What a wave turns about is found where it is known to be, and nowhere else."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from cube_heart import block_mesh

from cardiotwin.errors import MeshError
from cardiotwin.induction.phase import (
    TURN,
    activation_phase,
    circuit_kind,
    filaments,
    potential_phase,
    singularities,
    tracked,
    winding_numbers,
)
from cardiotwin.induction.reentry import Circuit, find_circuits
from cardiotwin.meshes.reference.slab import slab

EDGE_MM = 1.0
MIDDLE = np.array([10.3, 9.6])


@pytest.fixture(scope="module")
def block():
    return block_mesh((20, 20, 6), EDGE_MM)


def spiral(points, middle=MIDDLE, wavelength_mm=15.0, sign=1):
    """An Archimedean spiral about a line along z."""
    x, y = (points[:, :2] - middle).T
    return (sign * np.arctan2(y, x) + TURN * np.hypot(x, y) / wavelength_mm) % TURN


def test_a_scroll_has_one_filament_on_its_line_from_surface_to_surface(block):
    (one,) = filaments(spiral(block.points), block.points, block.tets)
    assert not one.closed
    assert np.linalg.norm(one.positions[:, :2] - MIDDLE, axis=1).max() < EDGE_MM
    assert sorted(one.positions[[0, -1], 2]) == pytest.approx([0.0, 6.0])
    assert 5.999 < one.length_mm < 12.0
    assert one.positions[-1, 2] > one.positions[0, 2], "right-handed about +z"
    (other,) = filaments(spiral(block.points, sign=-1), block.points, block.tets)
    assert other.positions[-1, 2] < other.positions[0, 2]


def test_a_scroll_ring_is_a_closed_filament_of_its_circumference(block):
    """Phase turns about a circle of radius 5 mm in the middle plane."""
    away = np.hypot(*(block.points[:, :2] - MIDDLE).T) - 5.0
    phase = np.arctan2(block.points[:, 2] - 3.1, away)
    (ring,) = filaments(phase, block.points, block.tets)
    assert ring.closed
    off = np.hypot(np.hypot(*(ring.positions[:, :2] - MIDDLE).T) - 5.0, ring.positions[:, 2] - 3.1)
    assert off.max() < EDGE_MM
    assert TURN * 5.0 * 0.9 < ring.length_mm < 1.8 * TURN * 5.0, "longer by the steps of the mesh"


def test_a_plane_wave_turns_about_nothing(block):
    phase = (TURN * (block.points @ [0.6, 0.8, 0.1]) / 9.0) % TURN
    assert filaments(phase, block.points, block.tets) == ()
    assert not singularities(phase, block.points, block.boundary_faces()).charges.size


@pytest.mark.parametrize("seed", range(5))
def test_charges_on_a_closed_surface_add_up_to_nothing_and_open_filaments_end_there(block, seed):
    """Of any phase, even noise: twice as many singularities as open filaments."""
    phase = np.random.default_rng(seed).uniform(0.0, TURN, len(block.points))
    found = singularities(phase, block.points, block.boundary_faces())
    assert found.charges.size > 20
    assert found.charges.sum() == 0
    chains = filaments(phase, block.points, block.tets)
    assert 2 * sum(not one.closed for one in chains) == found.charges.size


def test_windings_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    phase, triangles = rng.uniform(-9.0, 9.0, 60), rng.integers(0, 60, (400, 3))
    phase[:4] = np.nan
    expected = []
    for triangle in triangles:
        steps = np.diff(phase[[*triangle, triangle[0]]])
        total = np.angle(np.exp(1j * steps)).sum() / TURN
        expected.append(0 if np.isnan(total) else round(total))
    np.testing.assert_array_equal(winding_numbers(phase, triangles), expected)
    assert {-1, 0, 1} == set(expected)


def test_phase_is_linear_between_activations():
    times = np.array([[10.0, 0.0, np.nan], [110.0, 50.0, np.nan]])
    np.testing.assert_allclose(activation_phase(times, 35.0), [TURN / 4, 0.7 * TURN, np.nan])


def test_phase_of_a_potential_grows_as_the_cell_turns():
    t = np.arange(200.0)
    found = potential_phase(np.stack([np.sin(TURN * t / 40.0), np.full(200, -80.0)], axis=1), 10)
    np.testing.assert_allclose(np.diff(np.unwrap(found[:, 0])), TURN / 40.0, atol=0.02)
    assert np.isnan(found[:, 1]).all()


def test_a_meandering_tip_is_tracked_and_one_that_ends_has_its_lifetime(block):
    faces, times = block.boundary_faces(), np.arange(0.0, 100.0, 5.0)
    way = MIDDLE + 4.0 * np.stack([np.cos(TURN * times / 100.0), np.sin(TURN * times / 100.0)], axis=1)
    seen = [singularities(spiral(block.points, at), block.points, faces) for at in way]
    seen[12:] = [singularities(np.zeros(len(block.points)), block.points, faces)] * 8
    tracks = tracked(times, seen, within_mm=3.0)
    assert [one.charge for one in tracks] in ([1, -1], [-1, 1])
    for one in tracks:
        assert one.lifetime_ms == 55.0
        assert np.linalg.norm(one.positions[:, :2] - way[:12], axis=1).max() < EDGE_MM


def circuit(phase):
    """All that matters of a circuit here: its phase in a cycle of 200 ms."""
    nothing = np.zeros(0, np.int32)
    return Circuit(200.0, 3, np.zeros(3), np.zeros(3), (200.0 * phase / TURN).astype(np.float32), nothing, nothing)


def test_around_an_obstacle_is_anatomical_and_in_the_tissue_functional():
    mesh = slab((20.0, 20.0, 3.0), EDGE_MM)
    phase = spiral(mesh.points)
    free = np.linalg.norm(mesh.centroids[:, :2] - MIDDLE, axis=1) > 4.0
    assert circuit_kind(circuit(phase), mesh.points, mesh.tets[free]) == ("anatomical", ())
    kind, (one,) = circuit_kind(circuit(phase), mesh.points, mesh.tets)
    assert kind == "functional"
    assert np.linalg.norm(one.positions[:, :2] - MIDDLE, axis=1).max() < EDGE_MM
    plane = TURN * mesh.points[:, 0] / 40.0
    assert circuit_kind(circuit(plane), mesh.points, mesh.tets[free])[0] == "undetermined"


def test_the_silent_core_of_a_spiral_is_no_obstacle():
    mesh = slab((20.0, 20.0, 3.0), EDGE_MM)
    phase = spiral(mesh.points)
    phase[np.linalg.norm(mesh.points[:, :2] - MIDDLE, axis=1) < 3.0] = np.nan
    kind, (one,) = circuit_kind(circuit(phase), mesh.points, mesh.tets)
    assert kind == "functional"
    assert np.linalg.norm(one.positions[:, :2] - MIDDLE, axis=1).max() < 3.0


@pytest.mark.parametrize("seed", range(3))
def test_a_line_of_block_beside_an_obstacle_is_no_filament(seed):
    """An island half a turn late, a little more or less from place to place: nothing turns about its rim."""
    mesh = slab((24.0, 20.0, 3.0), EDGE_MM)
    free = np.linalg.norm(mesh.centroids[:, :2] - MIDDLE, axis=1) > 4.0
    x, y = mesh.points[:, :2].T
    late = 0.5 * TURN + np.random.default_rng(seed).normal(0.0, 0.1, x.size)
    island = (x > 16.5) & (x < 20.5) & (y > 5.0) & (y < 15.0)
    phase = (spiral(mesh.points) + np.where(island, late, 0.0)) % TURN
    assert len(filaments(phase, mesh.points, mesh.tets[free])) > 1, "the jump alone does look like some"
    assert circuit_kind(circuit(phase), mesh.points, mesh.tets[free]) == ("anatomical", ())


@pytest.mark.parametrize("seed", [2, pytest.param(0, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.slow)])
def test_generated_waves_turn_around_their_hole_or_about_a_filament(monkeypatch, seed):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    waves = importlib.import_module("generated_waves")
    mesh = slab((waves.WIDTH_MM, waves.WIDTH_MM, waves.THICKNESS_MM), waves.EDGE_MM)
    for kind, expected in (("ring", "anatomical"), ("spiral", "functional")):
        one = waves.wave(kind, seed)
        conducting = (one.tissue.volumes > 0)[mesh.tets].all(axis=1)
        (found, *_) = find_circuits(one.activation_ms, one.tissue, one.after_ms)
        assert circuit_kind(found, mesh.points, mesh.tets[conducting])[0] == expected


def test_one_phase_for_each_point_is_asked(block):
    with pytest.raises(MeshError, match="expected one value for each of"):
        filaments(np.zeros(3), block.points, block.tets)
