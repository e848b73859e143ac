"""Apicobasal, transmural, rotational and transventricular coordinates: on paper, and against Cobiveco's own."""

import numpy as np
import pytest
from data_folder import real_data
from prolate_coordinates import on_paper, prolate, turns_apart

from cardiotwin.errors import MeshError
from cardiotwin.heart.heart import build_heart, heart_from_mesh
from cardiotwin.meshes.formats import read_mesh
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle, drawn_ventricles
from cardiotwin.meshes.surfaces import (
    BASE,
    EPICARDIUM,
    LV_ENDOCARDIUM,
    RV_ENDOCARDIUM,
    face_normals,
    tagged_by_distance,
)
from cardiotwin.meshes.tetrahedra import stuff
from cardiotwin.meshes.ventricular import _most_orthogonal, ventricular_coordinates
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings

SHAPE = ProlateVentricle()


def test_left_ventricle_on_paper_and_its_order():
    edges_mm, errors = np.array([4.0, 2.8, 2.0]), []
    for edge in edges_mm:
        mesh, found = prolate(SHAPE, edge)
        apicobasal, transmural, rotational = on_paper(SHAPE, mesh.points)
        errors.append(
            [
                np.abs(found.apicobasal - apicobasal).mean(),
                np.abs(found.transmural - transmural).mean(),
                turns_apart(found.rotational, rotational).mean(),
            ]
        )
        assert not found.transventricular.any()
    assert (np.array(errors[-1]) < [0.012, 0.007, 0.004]).all(), errors
    orders = np.polyfit(np.log(edges_mm), np.log(errors), 1)[0]
    assert (orders > 0.7).all(), f"orders {orders}, errors {errors}"


@pytest.fixture(scope="module")
def heart():
    drawn = drawn_ventricles()
    labels = (drawn.left_blood + 2 * drawn.myocardium + 3 * drawn.right_blood).astype(np.uint8)
    segmentation = Segmentation(labels, np.diag([*drawn.spacing_mm[::-1], 1.0]), None, False, {})
    return build_heart(segmentation, MeshSettings(edge_mm=2.5))


def only(heart, tag):
    others = {EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM, BASE} - {tag}
    return np.setdiff1d(heart.surface_nodes(tag), heart.surface_nodes(*others))


def test_surfaces_carry_their_values(heart):
    c = heart.coordinates
    assert (c.transmural[only(heart, LV_ENDOCARDIUM)] == 1).all()
    assert (c.transmural[only(heart, RV_ENDOCARDIUM)] == 1).all()
    assert (c.transmural[only(heart, EPICARDIUM)] == 0).all()
    assert (c.apicobasal[only(heart, BASE)] == 1).all()
    assert (c.transventricular[only(heart, LV_ENDOCARDIUM)] == 0).all()
    assert (c.transventricular[only(heart, RV_ENDOCARDIUM)] == 1).all()


def test_coordinates_are_finite_and_in_range(heart):
    c = heart.coordinates
    for field in (c.apicobasal, c.transmural, c.rotational):
        assert field.min() >= 0
        assert field.max() <= 1
    assert set(np.unique(c.transventricular)) == {0, 1}


def test_both_ventricles_count_from_posterior_over_their_free_wall_to_anterior(heart):
    """Drawn with the right ventricle at -x and slices at +z towards the apex: LPS, posterior is +y.

    The base is at the bottom of that image: it is a heart upside down, so anterior and posterior follow from the
    right-hand rule of Cobiveco's axes (down x right = back), not from the couch.
    """
    c, points = heart.coordinates, heart.mesh.points
    centre = points[heart.surface_nodes(LV_ENDOCARDIUM)].mean(axis=0)
    down, right = np.array([0.0, 0, 1]), np.array([-1.0, 0, 0])
    back = (points - centre) @ np.cross(down, right)
    high = (c.apicobasal > 0.4) & (c.apicobasal < 0.9)
    septum = c.rotational > 2 / 3
    for side in (0, 1):
        free = high & (c.transventricular == side) & ~septum
        assert np.corrcoef(c.rotational[free], -back[free])[0, 1] > 0.9
        wall = high & (c.transventricular == side) & septum
        assert np.corrcoef(c.rotational[wall], back[wall])[0, 1] > 0.9


def test_the_two_halves_of_the_septum_have_the_same_height_and_turn(heart):
    """Neighbours across its middle: jumps there would tear a map in two."""
    c, tets = heart.coordinates, heart.mesh.tets
    across = tets[(np.ptp(c.transventricular[tets], axis=1) == 1) & (c.apicobasal[tets].min(axis=1) > 0.3)]
    assert np.median(np.ptp(c.apicobasal[across], axis=1)) < 0.08
    turn = np.exp(2j * np.pi * c.rotational[across])
    assert np.median(np.abs(np.angle(turn[:, 1:] / turn[:, :1])).max(axis=1)) < 2 * np.pi * 0.06


def test_a_septum_direction_along_the_axis_is_refused():
    mesh = stuff(SHAPE, *SHAPE.box, 4.0)
    faces = mesh.boundary_faces()
    surface = tagged_by_distance(faces, SHAPE.surface_distances(mesh.points))
    axis = _most_orthogonal(face_normals(mesh.points, faces[surface == LV_ENDOCARDIUM]))
    with pytest.raises(MeshError, match="give another one"):
        ventricular_coordinates(mesh, faces, surface, np.ones(len(mesh.points)), towards_septum=axis)


def test_coordinates_agree_with_those_of_cobiveco():
    """Subject DTI004 carries Cobiveco's. Its depth crosses the septum once, from 0 on the right to 1 on the left."""
    file = read_mesh(real_data("heart_dti004", "DTI004_coarse_reconstructed.vtu"))
    data = file.node_data
    lists = {
        "left_endocardium": np.flatnonzero(data["lvendo"]),
        "right_endocardium": np.flatnonzero(data["rvendo"]),
        "base": np.flatnonzero(data["ab"] > 0.999),
    }
    found = heart_from_mesh(file.mesh.points, file.mesh.tets, **lists).coordinates
    side, septum = data["tv"] > 0.5, data["rt"] > 2 / 3
    through = 0.5 + np.where(side, -0.5, 0.5) * found.transmural
    depth = np.where(septum, through, found.transmural)
    assert (found.transventricular == side).mean() > 0.99
    assert np.abs(found.apicobasal - data["ab"]).mean() < 0.015
    assert turns_apart(found.rotational, data["rt"]).mean() < 0.012
    assert np.abs(depth - data["tm"]).mean() < 0.04
    assert np.abs(depth - data["tm"])[~septum].mean() < 0.03
