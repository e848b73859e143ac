"""A heart from tetrahedra made elsewhere: what is given is kept, what is missing follows from the shape."""

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.errors import MeshError
from cardiotwin.heart.heart import EPICARDIUM, LEFT, RIGHT, heart_from_mesh
from cardiotwin.meshes.formats import read_mesh
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle
from cardiotwin.meshes.surfaces import tagged_by_distance
from cardiotwin.meshes.tetrahedra import stuff

SHAPE = ProlateVentricle()


@pytest.fixture(scope="module")
def given():
    """Points, tetrahedra, node lists and the analytic helix of the prolate ventricle, at the nodes."""
    mesh = stuff(SHAPE, *SHAPE.box, 3.0)
    distances = np.abs(SHAPE.surface_distances(mesh.points))
    lists = {
        "left_endocardium": np.flatnonzero(distances[:, 1] < 0.3),
        "base": np.flatnonzero(distances[:, 3] < 0.3),
    }
    return mesh, lists, SHAPE.fibres(mesh.points, 60, -60)


def test_given_fibres_are_kept(given):
    mesh, lists, fibres = given
    sign = np.random.default_rng(0).choice([-3.0, 1.0], len(fibres))[:, None]
    heart = heart_from_mesh(mesh.points, mesh.tets, **lists, fibres=sign * fibres)
    away = mesh.centroids[:, 2] > -35
    cosine = np.abs(np.einsum("ij,ij->i", heart.fibres, SHAPE.fibres(mesh.centroids, 60, -60)))[away]
    assert np.degrees(np.arccos(cosine.clip(0, 1))).mean() < 3
    frame = np.stack([heart.fibres, heart.sheets, heart.normals], axis=2)
    np.testing.assert_allclose(np.linalg.det(frame), 1, atol=1e-9)


def test_surfaces_from_node_lists_agree_with_surfaces_from_distances(given):
    mesh, lists, _ = given
    heart = heart_from_mesh(mesh.points, mesh.tets, **lists)
    by_distance = tagged_by_distance(heart.faces, SHAPE.surface_distances(mesh.points))
    assert (heart.surface == by_distance).mean() > 0.93


def test_orientation_of_the_tetrahedra_does_not_matter(given):
    mesh, lists, _ = given
    heart = heart_from_mesh(mesh.points, mesh.tets[:, [1, 0, 2, 3]], **lists)
    np.testing.assert_allclose(heart.mesh.volumes, mesh.volumes)


def test_lattice_constant_is_recovered_from_the_volume(given):
    mesh, lists, _ = given
    assert heart_from_mesh(mesh.points, mesh.tets, **lists).edge_mm == pytest.approx(3.0, rel=0.15)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"left_endocardium": np.array([10**6])}, "names node 1000000"),
        ({"base": np.zeros(0, int)}, "no boundary face is base"),
        ({"fibres": np.zeros((3, 3))}, "expected"),
        ({"tissue_class": np.zeros(5)}, "tissue_class"),
    ],
)
def test_what_does_not_fit_is_refused(given, change, says):
    mesh, lists, _ = given
    with pytest.raises(MeshError, match=says):
        heart_from_mesh(mesh.points, mesh.tets, **(lists | change))


def test_unused_nodes_and_zero_fibres_are_refused(given):
    mesh, lists, fibres = given
    with pytest.raises(MeshError, match="belong to no tetrahedron"):
        heart_from_mesh(np.vstack([mesh.points, [[0, 0, 0]]]), mesh.tets, **lists)
    with pytest.raises(MeshError, match="expected a direction"):
        heart_from_mesh(
            mesh.points, mesh.tets, **lists, fibres=np.where(np.arange(len(fibres))[:, None] == 7, 0, fibres)
        )


@pytest.fixture(scope="module")
def real():
    """Subject DTI004, with its own fibres, and with ours."""
    file = read_mesh(real_data("heart_dti004", "DTI004_coarse_reconstructed.vtu"))
    data = file.node_data
    lists = {
        "left_endocardium": np.flatnonzero(data["lvendo"]),
        "right_endocardium": np.flatnonzero(data["rvendo"]),
        "base": np.flatnonzero(data["ab"] > 0.999),
    }
    tets = file.mesh.tets
    own = heart_from_mesh(file.mesh.points, tets, **lists, fibres=data["fibre"], sheets=data["sheet"])
    return own, heart_from_mesh(file.mesh.points, tets, **lists), data


def test_coordinates_agree_with_cobiveco(real):
    """Cobiveco counts depth from the epicardium, and splits the septum in its middle, where we call all of it left."""
    own, _, data = real
    left_nodes = data["tv"] < 0.5
    assert np.corrcoef(1 - data["tm"][left_nodes], own.transmural[left_nodes])[0, 1] > 0.95
    assert np.corrcoef(data["ab"], own.apicobasal)[0, 1] > 0.85
    sides = data["tv"][own.mesh.tets].mean(axis=1)
    assert (own.ventricle[sides < 0.25] == LEFT).mean() > 0.99
    assert 0.6 < (own.ventricle[sides > 0.75] == RIGHT).mean() < 0.95
    assert (own.surface == EPICARDIUM).mean() < 0.6


def test_helix_turns_the_same_way_as_in_the_published_fibres(real):
    """Both fall from endocardium to epicardium through 0 near mid-wall; theirs turn less."""
    own, ours, data = real
    points = own.mesh.points
    axis = points[data["ab"] > 0.95].mean(axis=0) - points[np.argmin(data["ab"])]
    axis /= np.linalg.norm(axis)
    out = own.mesh.centroids - points[data["lvendo"] > 0].mean(axis=0)
    out -= np.outer(out @ axis, axis)
    around = np.cross(axis, out / np.linalg.norm(out, axis=1, keepdims=True))
    depth, height = (1 - data["tm"])[own.mesh.tets].mean(axis=1), data["ab"][own.mesh.tets].mean(axis=1)
    free = (own.ventricle == LEFT) & (height > 0.3) & (height < 0.9)
    for fibres in (own.fibres, ours.fibres):
        sign = np.sign(np.einsum("ij,ij->i", fibres, around))
        helix = np.degrees(np.arcsin((sign * (fibres @ axis)).clip(-1, 1)))
        inner, middle, outer = (np.median(helix[free & (depth >= d) & (depth < d + 0.2)]) for d in (0.0, 0.4, 0.8))
        assert inner > 10
        assert abs(middle) < 15
        assert outer < -10
    apart = np.degrees(np.arccos(np.abs(np.einsum("ij,ij->i", own.fibres, ours.fibres)).clip(0, 1)))
    assert np.median(apart[free]) < 25
