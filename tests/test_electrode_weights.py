"""The potential at an electrode: weights against quadrature, a dipole layer and the laws every ECG keeps."""

import dataclasses

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.ecg.electrodes import ELECTRODES, Electrodes, default_electrodes
from cardiotwin.ecg.forward import SIGMA_TORSO_MS_PER_MM, eikonal_ecg, electrode_weights, medium_electrode_weights
from cardiotwin.ecg.recording import lead_matrix, leads_from_electrodes
from cardiotwin.errors import InputRejected
from cardiotwin.meshes.reference.slab import slab
from cardiotwin.solver.medium import Medium


@pytest.fixture(scope="module")
def heart():
    return block_heart((6, 6, 6), 2.0, fibre=np.array([1.0, 2.0, 2.0]) / 3.0)


@pytest.fixture(scope="module")
def electrodes():
    return Electrodes(
        ("LA", "RA", "LL"), np.array([[60.0, 10.0, 30.0], [-50.0, 5.0, 30.0], [20.0, -10.0, -15.0]]), True
    )


def everywhere(heart):
    return np.ones(len(heart.mesh.tets), bool)


def test_weights_agree_with_plain_quadrature_of_the_integral(heart, electrodes):
    """The integral by its definition: one point an element, gradient of V solved from its node differences."""
    sigma = np.tile([0.3, 0.1, 0.05], (len(heart.mesh.tets), 1))
    weights = electrode_weights(heart, electrodes, sigma, everywhere(heart))
    v = np.sin(heart.mesh.points @ [0.2, 0.1, -0.15]) * 50.0
    corners, values = heart.mesh.points[heart.mesh.tets], v[heart.mesh.tets]
    gradient = np.linalg.solve(corners[:, 1:] - corners[:, :1], (values[:, 1:] - values[:, :1])[..., None])[..., 0]
    axes = np.stack([heart.fibres, heart.sheets, heart.normals], axis=1)
    flux = np.einsum("ea,eai,eaj,ej->ei", sigma, axes, axes, gradient)
    for row, electrode in zip(weights, electrodes.positions, strict=True):
        away = heart.mesh.centroids - electrode
        kernel = away / np.linalg.norm(away, axis=1)[:, None] ** 3
        potential = np.sum(np.einsum("ei,ei->e", flux, kernel) * heart.mesh.volumes) / (
            4 * np.pi * SIGMA_TORSO_MS_PER_MM
        )
        assert row @ v == pytest.approx(potential, rel=5e-3)


def test_a_plane_front_is_seen_as_the_solid_angle_of_a_double_layer(heart):
    """V jumps by 100 mV across the plane x = 6: the potential is jump · σ/σ_torso · Ω/4π, Ω that of a 12 mm square."""
    far = np.array([40.0, 6.0, 6.0])
    electrodes = Electrodes(("LA",), far[None], True)
    sigma = np.full((len(heart.mesh.tets), 3), 0.2)
    v = np.where(heart.mesh.points[:, 0] <= 6.0, 100.0, 0.0)
    half, distance = 6.0, 40.0 - 7.0  # the jump is spread over one element, from 6 to 8 mm
    omega = 4 * np.arctan(half * half / (distance * np.sqrt(2 * half**2 + distance**2)))
    seen = (electrode_weights(heart, electrodes, sigma, everywhere(heart)) @ v)[0]
    assert seen == pytest.approx(100.0 * 0.2 / SIGMA_TORSO_MS_PER_MM * omega / (4 * np.pi), rel=1e-2)
    assert seen > 0.0, "a front that comes closer is positive"


def test_a_heart_at_rest_or_wholly_depolarised_is_silent(heart, electrodes):
    sigma = np.full((len(heart.mesh.tets), 3), 0.2)
    weights = electrode_weights(heart, electrodes, sigma, everywhere(heart))
    np.testing.assert_allclose(weights.sum(axis=1), 0.0, atol=1e-12 * np.abs(weights).sum())


def test_core_carries_no_current(heart, electrodes):
    dead = heart.mesh.centroids[:, 0] < 6.0
    sigma = np.full((len(heart.mesh.tets), 3), 0.2)
    weights = electrode_weights(heart, electrodes, sigma, ~dead)
    assert (weights[:, heart.mesh.points[:, 0] < 6.0] == 0.0).all()
    assert np.abs(weights[:, heart.mesh.points[:, 0] > 6.0]).max() > 0.0


def test_an_electrode_in_the_heart_is_refused(heart):
    inside = Electrodes(("LA",), np.array([[6.0, 6.0, 6.0]]), True)
    with pytest.raises(InputRejected, match="electrode LA"):
        electrode_weights(heart, inside, np.full((len(heart.mesh.tets), 3), 0.2), everywhere(heart))


def test_leads_keep_the_identities_of_einthoven_goldberger_and_wilson():
    potentials = np.random.default_rng(0).normal(size=(10, 50))
    ecg = leads_from_electrodes(ELECTRODES, potentials, 1000.0)
    lead = dict(zip(ecg.leads, ecg.mv, strict=True))
    np.testing.assert_allclose(lead["I"] + lead["III"], lead["II"], atol=1e-12)
    np.testing.assert_allclose(lead["aVR"] + lead["aVL"] + lead["aVF"], 0.0, atol=1e-12)
    np.testing.assert_allclose(lead["aVF"], (lead["II"] + lead["III"]) / 2, atol=1e-12)
    electrode = dict(zip(ELECTRODES, potentials, strict=True))
    terminal = (electrode["LA"] + electrode["RA"] + electrode["LL"]) / 3
    np.testing.assert_allclose(lead["V3"], electrode["V3"] - terminal, atol=1e-12)
    np.testing.assert_allclose(lead_matrix(ELECTRODES).sum(axis=1), 0.0, atol=1e-12)


def test_a_missing_limb_electrode_is_named():
    with pytest.raises(InputRejected, match="LL missing"):
        lead_matrix(("LA", "RA", "V1"), ("I", "V1"))


@pytest.mark.parametrize("with_t_wave", [False, True])
def test_binned_ecg_is_the_sum_over_nodes_of_shifted_action_potentials(heart, with_t_wave):
    """Naive rewrite: every node's own error-function upstroke and Gumbel fall, no bins."""
    from scipy.special import erf

    from cardiotwin.ecg.forward import PLATEAU_MV, REPOLARISATION_MS, RESTING_MV, UPSTROKE_SD_MS

    electrodes = default_electrodes(heart)
    weights = electrode_weights(heart, electrodes, np.full((len(heart.mesh.tets), 3), 0.2), everywhere(heart))
    activation = heart.mesh.points @ [1.0, 2.0, 1.5] + 3.0
    activation[5] = np.inf
    repolarisation = activation + 250.0 + heart.mesh.points[:, 0]
    duration_ms, options = (600.0, {"repolarisation_ms": repolarisation}) if with_t_wave else (90.0, {})
    ecg = eikonal_ecg(electrodes.names, weights, activation, duration_ms=duration_ms, **options)
    t = np.arange(duration_ms)
    v = 0.5 * (1 + erf((t - activation[:, None]) / (np.sqrt(2) * UPSTROKE_SD_MS)))
    if with_t_wave:
        v -= 1 - 0.5 ** np.exp(np.minimum((t - repolarisation[:, None]) / REPOLARISATION_MS, 9.0))
    v *= PLATEAU_MV - RESTING_MV
    naive = leads_from_electrodes(electrodes.names, weights @ v, 1000.0).mv
    for wave in (t < 150, t >= 150):
        assert np.abs(ecg.mv - naive)[:, wave].max(initial=0.0) <= 0.003 * np.abs(naive)[:, wave].max(initial=0.0)


def test_where_a_recording_ends_changes_nothing_before(heart):
    electrodes = default_electrodes(heart)
    weights = electrode_weights(heart, electrodes, np.full((len(heart.mesh.tets), 3), 0.2), everywhere(heart))
    activation = heart.mesh.points @ [1.0, 2.0, 1.5] + 3.0
    whole, short = (
        eikonal_ecg(electrodes.names, weights, activation, duration_ms=ms, repolarisation_ms=activation + 260.0).mv
        for ms in (700.0, 300.0)
    )
    assert short == pytest.approx(whole[:, :300], abs=1e-6 * np.abs(whole).max())


def test_default_electrodes_stand_where_a_nurse_would_put_them(heart):
    electrodes = default_electrodes(heart)
    at = dict(zip(electrodes.names, electrodes.positions, strict=True))
    assert not electrodes.measured
    assert at["LA"][0] > at["RA"][0], "x grows to the left"
    assert at["LL"][2] < at["V4"][2] < at["LA"][2], "z grows to the head"
    assert at["V1"][0] < at["V2"][0] < at["V3"][0] < at["V4"][0] < at["V5"][0] < at["V6"][0]
    assert at["V2"][1] < at["V6"][1], "y grows to the back"
    nearest = np.linalg.norm(heart.mesh.points[:, None] - electrodes.positions, axis=2).min(axis=0)
    assert (nearest >= 20.0).all()


def test_a_medium_of_ones_own_has_the_weights_of_the_heart_it_is_cut_from(heart, electrodes):
    sigma = np.tile([0.3, 0.1, 0.05], (len(heart.mesh.tets), 1))
    axes = np.stack([heart.fibres, heart.sheets, heart.normals], axis=1)
    tensor = np.einsum("ea,eai,eaj->eij", sigma, axes, axes)
    medium = Medium(heart.mesh.points, heart.mesh.tets, tensor, "mitchell_schaeffer", {})
    found = medium_electrode_weights(medium, electrodes.positions)
    np.testing.assert_allclose(found, electrode_weights(heart, electrodes, sigma, everywhere(heart)), rtol=1e-12)
    for wrong in ([[np.nan, 0, 0]], [1.0, 2.0, 3.0], [[6.0, 6.0, 6.0]]):
        with pytest.raises(InputRejected):
            medium_electrode_weights(medium, np.array(wrong))


def test_the_orientation_of_tetrahedra_does_not_matter_and_inside_is_inside(heart, electrodes):
    sigma = np.tile(0.2 * np.eye(3), (len(heart.mesh.tets), 1, 1))
    medium = Medium(heart.mesh.points, heart.mesh.tets, sigma, "mitchell_schaeffer", {})
    turned = heart.mesh.tets.copy()
    turned[::2, :2] = turned[::2, 1::-1]
    other = Medium(heart.mesh.points, turned, sigma, "mitchell_schaeffer", {})
    wanted = medium_electrode_weights(medium, electrodes.positions)
    np.testing.assert_allclose(medium_electrode_weights(other, electrodes.positions), wanted, atol=1e-12)
    coarse = slab((30.0, 30.0, 30.0), 10.0)
    large = Medium(coarse.points, coarse.tets, np.tile(np.eye(3), (len(coarse.tets), 1, 1)), "mitchell_schaeffer", {})
    with pytest.raises(InputRejected, match="electrode 0"):
        medium_electrode_weights(large, [[13.0, 14.0, 16.0]])
    with pytest.raises(InputRejected, match="sigma"):
        medium_electrode_weights(dataclasses.replace(medium, sigma=sigma[:5]), electrodes.positions)


def test_a_manufactured_potential_in_an_anisotropic_cube_is_seen_as_its_integral_says():
    """Pathmanathan & Gray's cosines and conductivities, a cube of 20 mm; Gauss quadrature of order 32 is the truth."""
    side, sigma = 20.0, np.diag([1.1, 1.2, 0.3]) / np.pi**2
    waves = np.pi * np.array([1.0, 2.0, 3.0])
    places = side * np.array(
        [[-0.5, 0.5, 0.5], [1.5, 0.5, 0.5], [1.2, 0.23, 0.61], [1.35, 0.74, 0.28], [1.55, 0.41, 0.83]]
    )
    nodes, shares = np.polynomial.legendre.leggauss(32)
    at = np.stack(np.meshgrid(*[(nodes + 1) / 2] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    share = np.prod(np.stack(np.meshgrid(*[shares / 2] * 3, indexing="ij"), axis=-1).reshape(-1, 3), axis=1) * side**3
    cosine, sine = np.cos(waves * at), -waves / side * np.sin(waves * at)
    gradient = np.stack([np.prod(np.where(np.arange(3) == k, sine, cosine), axis=1) for k in range(3)], axis=1)
    exact = []
    for place in places:
        away = side * at - place
        inside = np.einsum("ni,ij,nj->n", gradient, sigma, away) / np.linalg.norm(away, axis=1) ** 3
        exact.append(share @ inside / (4 * np.pi * SIGMA_TORSO_MS_PER_MM))
    errors = []
    for edge_mm in (2.0, 1.0):
        mesh = slab((side, side, side), edge_mm)
        medium = Medium(mesh.points, mesh.tets, np.tile(sigma, (len(mesh.tets), 1, 1)), "mitchell_schaeffer", {})
        v = np.prod(np.cos(waves * mesh.points / side), axis=1)
        errors.append(np.abs(medium_electrode_weights(medium, places) @ v - exact).max() / np.abs(exact).max())
    assert 1.8 < np.log2(errors[0] / errors[1]) < 2.2, f"errors {errors}"
