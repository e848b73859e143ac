"""Neighbours across faces, against a dictionary of faces."""

from collections import defaultdict

import numpy as np
import pytest
from scipy.spatial import Delaunay

from cardiotwin.meshes.adjacency import BOUNDARY, CROWDED, edges, face_neighbours, parts
from cardiotwin.meshes.mesh import signed_volumes
from cardiotwin.meshes.surfaces import largest_part
from cardiotwin.meshes.tetrahedra import stuff


@pytest.fixture
def tets():
    """A Delaunay mesh of random points with a third of it missing, so that it falls apart in places."""
    rng = np.random.default_rng(4)
    tets = Delaunay(rng.random((300, 3))).simplices.astype(np.int32)
    return tets[rng.random(len(tets)) < 0.66]


def owners(tets):
    found = defaultdict(list)
    for e, tet in enumerate(tets):
        for f in range(4):
            found[frozenset(np.delete(tet, f).tolist())].append((e, f))
    return found


def test_neighbours_are_those_with_the_same_three_nodes(tets):
    across = face_neighbours(tets, 300)
    for who in owners(tets).values():
        if len(who) == 1:
            assert across[who[0]] == BOUNDARY
        else:
            (e, f), (other, side) = who
            assert (across[e, f], across[other, side]) == (other, e)


def test_a_face_of_three_tetrahedra_joins_none_of_them():
    fan = np.array([[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 2, 5]], np.int32)
    across = face_neighbours(fan, 6)
    assert (across[:, 3] == CROWDED).all()
    assert (across[:, :3] == BOUNDARY).all()
    assert parts(across)[1] == 3


def test_parts_are_what_can_be_reached_through_faces(tets):
    part, count = parts(face_neighbours(tets, 300))
    label = np.arange(len(tets))
    pairs = np.array([[who[0][0], who[1][0]] for who in owners(tets).values() if len(who) == 2])
    for _ in range(len(tets)):
        before = label.copy()
        np.minimum.at(label, pairs[:, 0], label[pairs[:, 1]])
        np.minimum.at(label, pairs[:, 1], label[pairs[:, 0]])
        if (label == before).all():
            break
    assert count == len(np.unique(label)) > 1
    assert len(np.unique(np.stack([part, label]), axis=1).T) == count


def test_the_larger_of_two_balls_is_kept():
    def balls(points):
        large, small = (np.linalg.norm(points - [x, 0, 0], axis=1) for x in (0.0, 9.0))
        return np.maximum(5.0 - large, 3.0 - small)

    both = stuff(balls, [-5] * 3, [12, 5, 5], 1.0)
    kept, n_dropped = largest_part(both)
    assert kept.volumes.sum() == pytest.approx(4 / 3 * np.pi * 125, rel=0.03)
    assert n_dropped == len(both.tets) - len(kept.tets) > 0


def test_signed_volumes_are_determinants(tets):
    points = np.random.default_rng(5).random((300, 3))
    edges = points[tets[:, 1:]] - points[tets[:, :1]]
    np.testing.assert_allclose(signed_volumes(points, tets), np.linalg.det(edges) / 6, atol=1e-15)


def test_every_edge_is_there_once(tets):
    low, high = edges(tets, 300)
    truth = {tuple(sorted((int(tet[a]), int(tet[b])))) for tet in tets for a in range(4) for b in range(a)}
    assert len(low) == len(truth)
    assert set(zip(low.tolist(), high.tolist(), strict=True)) == truth
