"""The cut through all tissue of an isthmus: edges that the wave left as well; in the open only the wave's own."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_mesh

from cardiotwin.ablation.structural_cut import structural_cut
from cardiotwin.induction.reentry import Circuit, neighbours
from cardiotwin.meshes.mesh import Mesh

CYCLE_MS, VELOCITY = 300.0, 0.2


def circuit(mesh, of_wave, isthmus):
    """A wave along x that is cut at x = 15 by the nodes `of_wave`."""
    phase = (mesh.points[:, 0] / VELOCITY).astype(np.float32)
    middle = np.abs(mesh.points[:, 0] - 15.0) < 0.1
    nodes = np.flatnonzero(isthmus).astype(np.int32)
    cut = np.flatnonzero(middle & of_wave).astype(np.int32)
    return Circuit(CYCLE_MS, 3, np.zeros(3), np.zeros(3), phase, nodes, cut)


def test_an_edge_that_the_wave_did_not_need_is_cut_too():
    mesh = block_mesh((30, 6, 2), 1.0)
    tissue = neighbours(mesh.points, mesh.tets)
    everything = np.ones(len(mesh.points), bool)
    one = circuit(mesh, mesh.points[:, 1] < 4.5, everything)
    found = structural_cut(one, tissue)
    y = mesh.points[found, 1]
    assert (y.min(), y.max()) == (0.0, 6.0)
    assert len(found) == 7 * 3  # one layer of nodes across the bar


def test_a_neck_beside_the_wave_s_cut_is_preferred_to_it():
    """The least volume, not the place where the wave's own cut happened to lie."""
    mesh = block_mesh((30, 6, 2), 1.0)
    waist = (np.abs(mesh.centroids[:, 0] - 17.0) < 1.0) & (np.abs(mesh.centroids[:, 1] - 3.0) > 1.0)
    tissue = neighbours(mesh.points, mesh.tets[~waist])
    found = structural_cut(circuit(mesh, np.ones(len(mesh.points), bool), np.ones(len(mesh.points), bool)), tissue)
    assert np.abs(mesh.points[found, 0] - 17.0).max() <= 1.0


def test_in_the_open_the_wave_s_cut_stands():
    mesh = block_mesh((30, 40, 2), 1.0)
    tissue = neighbours(mesh.points, mesh.tets)
    narrow = np.abs(mesh.points[:, 1] - 20.0) < 2.5
    one = circuit(mesh, narrow, narrow)
    np.testing.assert_array_equal(structural_cut(one, tissue), one.cut_nodes)


def wedge(length):
    """A bar that gets thinner along x by a percent each mm, its nodes in layers 1 mm apart."""
    mesh = block_mesh((length, 6, 2), 1.0)
    return Mesh(
        mesh.points * np.column_stack([np.ones((len(mesh.points), 2)), 1.0 - mesh.points[:, 0] / 100.0]), mesh.tets
    )


def wave_along(mesh, cut_at, zero_ms=0.0, velocity=0.24):
    """A plane wave along x in all of a bar, cut where `cut_at` says; 15 ms are 3.6 mm."""
    phase = ((mesh.points[:, 0] / velocity + zero_ms) % CYCLE_MS).astype(np.float32)
    nodes = np.arange(len(mesh.points), dtype=np.int32)
    return Circuit(CYCLE_MS, 3, np.zeros(3), np.zeros(3), phase, nodes, nodes[cut_at])


@pytest.mark.parametrize("zero_ms", [0.0, 150.0, 230.0])
@pytest.mark.parametrize(("slope", "thinnest"), [(0.0, 33.0), (1.0, 39.0)])
def test_the_thinnest_layer_is_cut_of_those_within_15_ms_and_the_spread_of_the_wave_s_own(slope, thinnest, zero_ms):
    """All layers have as many nodes; wherever in the cycle the phase has its zero."""
    mesh = wedge(60)
    x, y, _ = mesh.points.T
    one = wave_along(mesh, np.abs(x - 30.0 - slope * (y - 3.0)) < 0.1, zero_ms)
    found = structural_cut(one, neighbours(mesh.points, mesh.tets))
    np.testing.assert_array_equal(found, np.flatnonzero(np.abs(x - thinnest) < 0.1))


@pytest.mark.parametrize(
    ("block_mm", "further_mm", "cut"),
    [(4.0, 4.0, "both"), (9.0, 2.0, "both"), (17.0, 2.0, "the first"), (4.0, 8.0, "the first")],
)
def test_another_channel_is_cut_where_it_is_near_and_not_too_wide(block_mm, further_mm, cut):
    """Within 15 mm of the first, 2 mm wide, both at most four times as wide; few and large cells make it so."""
    mesh = block_mesh((30, 8, 1), 1.0)
    x, y, z = mesh.points.T
    y = np.interp(y, [0.0, 2.0, 6.0, 8.0], np.cumsum([0.0, 2.0, block_mm, further_mm]))
    mesh = Mesh(np.column_stack([x, y, z]), mesh.tets)
    at_x, at_y, _ = mesh.centroids.T
    core = (np.abs(at_x - 15.0) < 3.0) & (at_y > 2.0) & (at_y < 2.0 + block_mm)
    first = y < 2.1
    one = circuit(mesh, first, first)
    found = structural_cut(one, neighbours(mesh.points, mesh.tets[~core]))
    assert set(y[found] > 2.1) == ({True, False} if cut == "both" else {False})


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_wave_that_is_cut_at_an_end_of_its_isthmus_keeps_its_cut(side):
    mesh = wedge(30)
    x = mesh.points[:, 0]
    one = wave_along(mesh, np.abs(x - 15.0) < 0.1)
    half = replace(one, isthmus_nodes=np.flatnonzero(side * (x - 15.0) > -0.1).astype(np.int32))
    np.testing.assert_array_equal(structural_cut(half, neighbours(mesh.points, mesh.tets)), half.cut_nodes)


def test_where_nothing_conducts_past_the_wave_s_cut_it_stands():
    mesh = wedge(30)
    one = wave_along(mesh, np.abs(mesh.points[:, 0] - 15.0) < 0.1)
    severed = neighbours(mesh.points, mesh.tets[np.abs(mesh.centroids[:, 0] - 15.0) > 2.0])
    np.testing.assert_array_equal(structural_cut(one, severed), one.cut_nodes)
