"""The cut through all tissue of an isthmus: edges that the wave left as well; in the open only the wave's own."""

import numpy as np
from cube_heart import block_mesh

from cardiotwin.reentry import Circuit, neighbours
from cardiotwin.structural_cut import structural_cut

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
