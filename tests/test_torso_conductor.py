"""Potentials on the skin of a homogeneous torso, against the series of a dipole in a sphere and plain quadrature."""

import dataclasses

import numpy as np
import pytest
import pyvista as pv
from cube_heart import block_heart

from cardiotwin.ecg.electrodes import ELECTRODES, Electrodes
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.ecg.recording import LEADS, lead_matrix
from cardiotwin.ecg.torso_conductor import nearest_on_skin, torso_conductor
from cardiotwin.errors import InputRejected
from cardiotwin.kernels.boundary_elements import solid_angles, turns_around
from cardiotwin.meshes.reference.torso import adult_torso

RADIUS_MM = 100.0
TURNED = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
WAYS = np.random.default_rng(4).normal(size=(60, 3))
WAYS /= np.linalg.norm(WAYS, axis=1)[:, None]


def sphere(times_halved, radius=RADIUS_MM):
    made = pv.Icosphere(radius=radius, nsub=times_halved)
    return np.array(made.points, np.float64), made.regular_faces.astype(np.int64)


def in_infinity(dipole, place, at):
    """Unit conductivity."""
    away = at - place
    return away @ dipole / (4 * np.pi * np.linalg.norm(away, axis=1) ** 3)


def on_a_sphere(dipole, place, ways, radius=RADIUS_MM, terms=250):
    """On its surface in given directions: Σ (2n+1)/n p·∇(rⁿ Pₙ(cos γ)) / 4πRⁿ⁺¹ (Frank 1952, Yao 2000)."""
    r = np.linalg.norm(place)
    towards = place / r if r else np.array([0.0, 0.0, 1.0])
    c = ways @ towards
    across = (ways - c[:, None] * towards) @ dipole
    p, before, slope, slope_before = c, np.ones_like(c), np.ones_like(c), np.zeros_like(c)
    potential = np.zeros_like(c)
    for n in range(1, terms):
        gradient = (n * p * (dipole @ towards) + slope * across) * (r / radius) ** (n - 1)
        potential += (2 * n + 1) / n * gradient / (4 * np.pi * radius**2)
        p, before = ((2 * n + 1) * c * p - n * before) / (n + 1), p
        slope, slope_before = slope_before + (2 * n + 1) * before, slope
    return potential


def names(count):
    return [str(number) for number in range(count)]


def error_on_sphere(times_halved, eccentricity, dipole):
    """Relative, over 60 places between the nodes."""
    points, triangles = sphere(times_halved)
    place, dipole = eccentricity * RADIUS_MM * TURNED[0], TURNED.T @ np.asarray(dipole, float)
    conductor = torso_conductor(points, triangles, names(60), RADIUS_MM * WAYS)
    found = conductor.transfer @ in_infinity(dipole, place, conductor.places)
    exact = on_a_sphere(dipole, place, WAYS)
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize("eccentricity", [0.0, 0.3, 0.6, 0.8])
@pytest.mark.parametrize("dipole", [(1, 0, 0), (0, 1, 0)], ids=["radial", "tangential"])
def test_the_potential_of_a_dipole_in_a_sphere_converges_at_second_order(eccentricity, dipole):
    errors = [error_on_sphere(k, eccentricity, dipole) for k in (2, 3)]
    order = np.log2(errors[0] / errors[1])
    assert order > 1.8, f"errors {errors}"
    assert order < 2.5 or eccentricity > 0.7, f"errors {errors}"  # 20 mm below the skin errors of two signs may meet
    assert errors[1] < 0.01


@pytest.mark.parametrize("radius", [1.0, 100.0, 10_000.0])
def test_a_dipole_in_the_middle_of_any_sphere_makes_three_times_the_potential_of_the_infinite_conductor(radius):
    points, triangles = sphere(3, radius)
    conductor = torso_conductor(points, triangles, names(60), radius * WAYS)
    infinite = in_infinity(np.array([1.0, 2.0, -1.0]), np.zeros(3), radius * WAYS)
    found = conductor.transfer @ in_infinity(np.array([1.0, 2.0, -1.0]), np.zeros(3), conductor.places)
    assert found @ infinite / (infinite @ infinite) == pytest.approx(3.0, rel=0.01)


def test_it_does_not_matter_where_nodes_and_triangles_start_nor_how_the_body_lies():
    points, triangles = sphere(2)
    points = points * [1.5, 1.0, 2.0]
    positions = 1.2 * points[::7]
    wanted = torso_conductor(points, triangles, names(len(positions)), positions).transfer
    rng = np.random.default_rng(1)
    order = rng.permutation(len(points))
    place_of = np.argsort(order)
    started = np.array([np.roll(triangle, k % 3) for k, triangle in enumerate(place_of[triangles])])
    started = started[rng.permutation(len(started))]
    shift = np.array([30.0, -200.0, 1000.0])
    moved = torso_conductor(
        points[order] @ TURNED.T + shift, started, names(len(positions)), positions @ TURNED.T + shift
    )
    order = np.concatenate([order, len(points) + np.arange(len(positions))])
    np.testing.assert_allclose(moved.transfer, wanted[:, order], atol=1e-9 * np.abs(wanted).max())
    inward = torso_conductor(points, triangles[:, ::-1], names(len(positions)), positions)
    np.testing.assert_allclose(inward.transfer, wanted, atol=1e-9 * np.abs(wanted).max())


def test_a_constant_is_seen_by_no_lead_and_the_skin_has_a_mean_of_nought():
    points, triangles = sphere(2)
    conductor = torso_conductor(points, triangles, names(len(points)), points)
    constant = conductor.transfer @ np.ones(len(conductor.places))
    np.testing.assert_allclose(constant, constant[0], atol=1e-10)
    corners = points[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    potential = conductor.transfer @ in_infinity(
        np.array([1.0, 0.0, 0.0]), np.array([30.0, 20.0, 50.0]), conductor.places
    )
    mean = (area @ potential[triangles].mean(axis=1)) / area.sum()
    assert abs(mean) < 1e-3 * np.abs(potential).max()


def test_what_a_node_sees_of_a_triangle_agrees_with_plain_quadrature():
    """A tetrahedron: each node sees the one face that it is not part of."""
    points = np.array([[0.0, 0.0, 0.0], [9.0, 1.0, 0.5], [2.0, 8.0, -1.0], [3.0, 2.0, 7.0]])
    triangles = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    seen = np.empty((4, 4))
    solid_angles(points, triangles, points, seen)
    at = (np.arange(400) + 0.5) / 400
    first, second = (one.ravel() for one in np.meshgrid(at, at))
    # The square folded into a triangle: u = 1 - √s, v = t √s has the same weight everywhere.
    shares = np.stack([1 - np.sqrt(first), (1 - second) * np.sqrt(first), second * np.sqrt(first)], axis=1)
    for node in range(4):
        face = next(one for one in triangles if node not in one)
        a, b, c = points[face]
        normal = np.cross(b - a, c - a) / 2
        x = shares @ points[face] - points[node]
        layer = x @ normal / np.linalg.norm(x, axis=1) ** 3
        np.testing.assert_allclose(seen[node, face], (shares * layer[:, None]).mean(axis=0), rtol=2e-4)
        assert seen[node, node] == 0.0


def test_a_surface_goes_once_round_what_is_inside():
    points, triangles = adult_torso().surface(40.0)
    inside = np.array([[0.0, -100.0, -200.0], [120.0, -100.0, -150.0], [0.0, 5.0, -200.0], [300.0, -100.0, -200.0]])
    turns = np.empty(4)
    turns_around(points, triangles, inside, turns)
    np.testing.assert_allclose(turns, [1.0, 1.0, 0.0, 0.0], atol=1e-9)


def test_the_nearest_point_of_the_skin_is_the_nearest():
    points, triangles = adult_torso().surface(60.0)
    at = np.linspace(0.0, 1.0, 21)
    grid = np.array([(1 - u - v, u, v) for u in at for v in at if u + v <= 1.0 + 1e-9])
    sampled = np.einsum("gk,tki->tgi", grid, points[triangles]).reshape(-1, 3)
    rng = np.random.default_rng(0)
    for position in rng.uniform(-1.0, 1.0, (20, 3)) * [300.0, 200.0, 400.0] + [0.0, -120.0, -250.0]:
        place = nearest_on_skin(points, triangles, position)
        away, best = np.linalg.norm(place - position), np.linalg.norm(sampled - position, axis=1).min()
        assert best - 2.0 < away <= best + 1e-9


@pytest.fixture(scope="module")
def body():
    """A block of muscle in a trunk, ten electrodes around it."""
    heart = block_heart((8, 6, 6), 4.0, fibre=np.array([1.0, 2.0, 2.0]) / 3.0)
    points, triangles = adult_torso().surface(40.0)
    points = points + np.array([-40.0, 120.0, 160.0])
    spread = np.random.default_rng(2).uniform(-1.0, 1.0, (10, 3)) * [200.0, 100.0, 200.0]
    conductor = torso_conductor(points, triangles, ELECTRODES, spread, heart_points=heart.mesh.points)
    return heart, Electrodes(ELECTRODES, spread, True, conductor=conductor)


def test_weights_in_a_torso_are_the_transfer_of_those_at_its_nodes(body):
    """One field an electrode at the heart's nodes against a pseudo-electrode at every node of the skin."""
    heart, electrodes = body
    everywhere = np.ones(len(heart.mesh.tets), bool)
    sigma = np.tile([0.3, 0.1, 0.05], (len(everywhere), 1))
    skin = electrodes.conductor.places
    nodes = electrode_weights(heart, Electrodes(tuple(names(len(skin))), skin, True), sigma, everywhere)
    wanted = electrodes.conductor.transfer @ nodes
    found = electrode_weights(heart, electrodes, sigma, everywhere)
    np.testing.assert_allclose(found, wanted, atol=2e-3 * np.abs(wanted).max())
    infinite = electrode_weights(heart, dataclasses.replace(electrodes, conductor=None), sigma, everywhere)
    assert np.corrcoef(infinite.ravel(), found.ravel())[0, 1] < 0.98, "another conductor, another field"
    np.testing.assert_allclose(found.sum(axis=1), 0.0, atol=1e-11 * np.abs(found).sum())


def test_leads_on_a_torso_keep_the_identities_of_einthoven_and_goldberger(body):
    heart, electrodes = body
    everywhere = np.ones(len(heart.mesh.tets), bool)
    weights = electrode_weights(heart, electrodes, np.full((len(everywhere), 3), 0.2), everywhere)
    times = heart.mesh.points @ [1.0, 0.4, 0.2]
    ecg = eikonal_ecg(electrodes.names, weights, times - times.min(), duration_ms=80.0)
    lead = dict(zip(LEADS, ecg.mv, strict=True))
    largest = np.abs(ecg.mv).max()
    np.testing.assert_allclose(lead["I"] + lead["III"], lead["II"], atol=1e-12 * largest)
    np.testing.assert_allclose(lead["aVR"] + lead["aVL"] + lead["aVF"], 0.0, atol=1e-12 * largest)
    np.testing.assert_allclose(lead["aVF"], (lead["II"] + lead["III"]) / 2, atol=1e-12 * largest)
    np.testing.assert_allclose(lead_matrix(ELECTRODES) @ weights.sum(axis=1), 0.0, atol=1e-10 * np.abs(weights).max())


def test_electrodes_go_to_the_skin_and_say_how_far(body):
    _, electrodes = body
    conductor = electrodes.conductor
    np.testing.assert_allclose(
        conductor.moved_mm, np.linalg.norm(conductor.skin_positions - electrodes.positions, axis=1), atol=1e-9
    )
    said = repr(electrodes)
    assert f"{conductor.moved_mm.mean():.0f} mm on average, {conductor.moved_mm.max():.0f} at most" in said


def refused(points, triangles, positions=RADIUS_MM * WAYS[:3], **more):
    with pytest.raises(InputRejected) as refusal:
        torso_conductor(points, triangles, names(len(positions)), positions, **more)
    return str(refusal.value)


def test_a_surface_that_is_no_closed_skin_is_refused():
    points, triangles = sphere(2)
    assert "3 edges on a rim" in refused(points, triangles[1:])
    turned = triangles.copy()
    turned[5] = turned[5, ::-1]
    assert "turned against their neighbours" in refused(points, turned)
    inner = np.concatenate([points, 0.5 * points]), np.concatenate([triangles, triangles + len(points)])
    assert "2 separate surfaces" in refused(*inner)
    flat = points.copy()
    flat[triangles[0, 0]] = flat[triangles[0, 1:]].mean(axis=0)
    assert "without area" in refused(flat, triangles)
    folded = points * np.where(points[:, 2:] > 60.0, [1.0, 1.0, -1.5], 1.0)
    assert "goes through itself" in refused(folded, triangles)
    assert "at most 20000" in refused(*sphere(5))
    assert "finite" in refused(points * np.nan, triangles)


def test_a_heart_outside_or_at_the_skin_and_electrodes_far_away_are_refused():
    points, triangles = sphere(3)
    heart = np.random.default_rng(0).uniform(-20.0, 20.0, (500, 3))
    assert torso_conductor(points, triangles, ["V1"], points[:1], heart_points=heart).moved_mm[0] < 1e-9
    assert "outside the skin" in refused(points, triangles, heart_points=heart + np.array([95.0, 0.0, 0.0]))
    assert "from the heart's muscle" in refused(points, triangles, heart_points=heart + points[0] * 0.7)
    assert "edge of 1" in refused(*sphere(0), heart_points=heart + np.array([0.0, 0.0, 25.0]))
    assert "1 101" in refused(points, triangles, np.array([[0.0, 0.0, 100.0], [0.0, 0.0, 201.0]]))
