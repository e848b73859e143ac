"""Calibration of a heart whose velocities are known: truth on a finer mesh, with noise, recovered on a coarse one.

A small heart, so that three lattice cells fit across its wall and it is quick all the same. On two cells the
cross-fibre velocity comes out 15 % too high, with an interval that does not know it.
"""

from dataclasses import replace

import numpy as np
import pytest
from ellipsoid_heart import ellipsoid_heart, endocardial_nodes_near

from cardiotwin.calibration import fit
from cardiotwin.calibration.fit import calibrate, sites_of
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.qrs_model import measured_qrs, qrs_model
from cardiotwin.calibration.sequential_monte_carlo import Run
from cardiotwin.ecg.electrodes import default_electrodes, placements
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, LEADS, Ecg, lead_matrix
from cardiotwin.eikonal import activation_times
from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.heart.heart import LEFT, RIGHT
from cardiotwin.settings import CalibrateSettings, TissueSettings
from cardiotwin.tissue.tissue import Velocities

TRUTH = Velocities(0.65, 0.38)
SITES = [(LEFT, 0.5, 10.0), (LEFT, 0.6, 120.0), (RIGHT, 0.5, 20.0)]
ONSETS_MS = np.array([0.0, 4.0, 6.0])
SETTINGS = CalibrateSettings(
    n_particles=96, n_moves=5, n_sites=3, n_candidates=48, fast_endocardium=False, latest_site_ms=12.0, seed=5
)
TISSUE = TissueSettings()


@pytest.fixture(scope="module")
def fine():
    return ellipsoid_heart(1.4, size=0.6)


@pytest.fixture(scope="module")
def coarse():
    return ellipsoid_heart(2.0, size=0.6)


@pytest.fixture(scope="module")
def electrodes(fine):
    return replace(default_electrodes(fine), measured=True)


def recording(heart, electrodes, seed: int, beats: int = 6, sites=SITES) -> Ecg:
    nodes = endocardial_nodes_near(heart, sites)
    times = activation_times(heart, TRUTH, nodes, ONSETS_MS[: len(sites)], TISSUE)
    sigma = np.tile([TRUTH.fibre**2, TRUTH.cross**2, TRUTH.cross**2], (len(heart.mesh.tets), 1))
    weights = electrode_weights(heart, electrodes, sigma, np.ones(len(heart.mesh.tets), bool))
    beat = eikonal_ecg(electrodes.names, weights, times, duration_ms=500.0, repolarisation_ms=280.0 + 0.7 * times).mv
    strip = np.tile(np.pad(beat, [(0, 0), (300, 0)]), (1, beats))
    noise = 0.02 * np.abs(beat).max() * np.random.default_rng(seed).standard_normal(strip.shape)
    return Ecg(LEADS, strip + noise, 1000.0)


@pytest.fixture(scope="module")
def library(coarse):
    return sites_of(coarse, SETTINGS, TISSUE)


@pytest.fixture(scope="module")
def posterior(fine, coarse, electrodes, library) -> Posterior:
    return calibrate(coarse, [recording(fine, electrodes, 0)], electrodes, SETTINGS, TISSUE, library=library)


def test_intervals_hold_the_true_velocities(posterior):
    for values, truth in ((posterior.velocity_fibre, TRUTH.fibre), (posterior.velocity_cross, TRUTH.cross)):
        low, _, high = posterior.interval(values, mass=0.95)
        assert low < truth < high
    assert np.isnan(posterior.velocity_endocardium).all()


def test_the_fit_looks_like_the_measurement(posterior):
    assert posterior.weights @ posterior.correlation > 0.9
    assert posterior.fitted.shape == (96, 8, posterior.qrs_ms.size)
    assert posterior.notes["fitted QRS, ms"] == pytest.approx(posterior.notes["measured QRS, ms"], abs=12)


def test_the_ecg_narrows_what_was_known(posterior):
    """Against the uniform prior: the cross-fibre velocity, which spans the wall, by a third or more."""
    low, high = SETTINGS.velocity_cross_m_per_s
    assert posterior.velocity_cross.std() < 0.67 * (high - low) / np.sqrt(12)
    assert (posterior.velocity_cross <= posterior.velocity_fibre).all()
    assert (posterior.site_times_ms.min(axis=1) == 0.0).all()


def test_a_second_ecg_updates_the_first_posterior_cheaply(fine, coarse, electrodes, library, posterior):
    both, again = [recording(fine, electrodes, k) for k in (0, 1)], SETTINGS.model_copy(update={"seed": 6})
    updated = calibrate(coarse, both, electrodes, again, TISSUE, previous=posterior, library=library)
    assert updated.notes["recordings"] == 2.0
    assert updated.notes["tempering steps"] < posterior.notes["tempering steps"]
    assert not np.array_equal(updated.velocity_fibre, posterior.velocity_fibre)
    low, _, high = updated.interval(updated.velocity_cross, mass=0.95)
    assert low < TRUTH.cross < high
    assert updated.notes["chance of the new ECG"] > 0.05
    assert "drift" not in updated.notes
    with pytest.raises(InputRejected, match="expected fewer"):
        calibrate(coarse, both[:1], electrodes, SETTINGS, TISSUE, previous=posterior)


def test_an_ecg_with_fewer_leads_is_fitted_with_the_first_anew_and_not_on_top_of_what_other_leads_told(
    fine, coarse, electrodes, library, posterior
):
    """The posterior of both is that of both on the leads they share, in whatever order they came."""
    whole, some = recording(fine, electrodes, 0), recording(fine, electrodes, 1)
    some = Ecg(("I", "II", "V1", "V4"), some.mv[[some.leads.index(lead) for lead in ("I", "II", "V1", "V4")]], some.hz)
    quick = SETTINGS.model_copy(update={"n_moves": 3})
    updated = calibrate(coarse, [whole, some], electrodes, quick, TISSUE, previous=posterior, library=library)
    at_once = calibrate(coarse, [whole, some], electrodes, quick, TISSUE, library=library)
    assert np.array_equal(updated.velocity_cross, at_once.velocity_cross)
    assert updated.leads == ("I", "II", "V1", "V4")
    assert "no usable V2, V3, V5, V6: calibrated anew, of every ECG on 4 leads" in updated.notes["leads lost"]
    assert "no usable V2, V3, V5, V6: of every ECG on 4 leads" in at_once.notes["leads lost"]
    assert 0.0 < updated.notes["chance of the new ECG"] <= 1.0


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_leads_that_not_all_ecgs_have_are_named_in_whatever_order_they_came(fine, coarse, electrodes, order):
    whole = recording(fine, electrodes, 0)
    some = Ecg(("I", "II", "V1"), whole.mv[[whole.leads.index(lead) for lead in ("I", "II", "V1")]], whole.hz)
    ecgs = [(whole, some)[k] for k in order]
    measured = measured_qrs(ecgs, electrodes, coarse)
    assert (measured.leads, measured.lost) == (("I", "II", "V1"), ("V2", "V3", "V4", "V5", "V6"))
    assert measured_qrs([some, some], electrodes, coarse).lost == ()


def test_an_earlier_ensemble_is_weighted_by_what_its_ecg_says_beside_the_next(
    fine, coarse, electrodes, library, posterior
):
    """By the ratio of the likelihoods of the first ECG alone and beside a noisier one, written out."""
    first, second = (recording(fine, electrodes, k) for k in (0, 1))
    rough = replace(second, mv=second.mv + 0.02 * np.random.default_rng(1).standard_normal(second.mv.shape))
    alone, both = (measured_qrs(ecgs, electrodes, coarse) for ecgs in ([first], [first, rough]))
    models = [qrs_model(coarse, [electrodes], TISSUE, one, library) for one in (alone, both)]
    target = fit._Target(models[1], fit._prior(SETTINGS, library, 1), [electrodes], False, 1, 2)
    particles, weights = fit._start(target, SETTINGS, posterior)
    found = fit._of_the_same_window((particles, weights), target, alone)[1]
    log_likelihoods = []
    for model, measured in zip(models, (alone, both), strict=True):
        complexes = replace(target, model=model).fitted(particles)
        half = 0.5 * measured.n_effective
        misfit = ((complexes - measured.mv[0]) ** 2).mean(axis=(1, 2))
        log_likelihoods.append(-(1.0 + half) * np.log(measured.noise**2 + 0.05**2 + half * misfit))
    expected = weights * np.exp(log_likelihoods[1] - log_likelihoods[0])
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-6)
    assert found.max() > 1.05 * found.min()
    same = fit._of_the_same_window((particles, weights), replace(target, model=models[0]), alone)[1]
    np.testing.assert_allclose(same, weights)


@pytest.mark.slow
def test_electrodes_that_nobody_measured_are_found_where_they_were_rather_than_where_the_rule_has_them(
    fine, coarse, electrodes, library
):
    placed = replace(electrodes, measured=False)
    there = placements(coarse, placed, 24)[7]
    quick = SETTINGS.model_copy(update={"n_moves": 1})
    found = calibrate(coarse, [recording(fine, there, 0)], placed, quick, TISSUE, library=library)

    def apart(one, other):
        """mm, of those on the chest: the limbs are felt little."""
        chest = [name.startswith("V") for name in electrodes.names]
        return np.linalg.norm((one - other)[..., chest, :], axis=-1).mean(axis=-1)

    assert found.electrode_positions.shape == (96, 10, 3)
    assert apart(found.electrode_positions, there.positions).mean() < 0.7 * apart(placed.positions, there.positions)
    known = calibrate(coarse, [recording(fine, there, 0)], electrodes, quick, TISSUE, library=library)
    assert known.electrode_positions is None
    assert found.weights @ found.correlation > known.weights @ known.correlation + 0.01


def test_an_ecg_that_contradicts_the_first_is_told(fine, coarse, electrodes, library, posterior):
    """Left bundle branch block: from the right ventricle alone."""
    both = [recording(fine, electrodes, 0), recording(fine, electrodes, 1, sites=SITES[2:])]
    quick = SETTINGS.model_copy(update={"n_moves": 1})
    updated = calibrate(coarse, both, electrodes, quick, TISSUE, previous=posterior, library=library)
    assert updated.notes["chance of the new ECG"] < 0.01
    assert "contradicts what was known" in updated.notes["drift"]


def test_populations_that_disagree_are_not_converged(fine, coarse, electrodes, library, monkeypatch):
    """Whatever the reason: here two were not allowed to move from where they started."""
    starts = iter((0.1, 0.9))

    def stuck(particles, weights, evaluate, moves, *, size, **_):
        at = next(starts)
        low, high = particles[:, :3].min(axis=0), particles[:, :3].max(axis=0)
        tight = np.random.default_rng(0).uniform(at - 0.05, at + 0.05, (size, 3))
        kept = np.resize(particles, (size, particles.shape[1]))
        kept[:, :3] = low + tight * (high - low)
        return Run(kept, np.ones(1), 0.3, float(size), size, 0.0)

    monkeypatch.setattr(fit, "temper", stuck)
    with pytest.raises(QualityGate, match=r"not converged.*raise `n_particles`"):
        calibrate(coarse, [recording(fine, electrodes, 0)], electrodes, SETTINGS, TISSUE, library=library)


def test_neither_the_number_of_workers_nor_a_table_made_before_changes_a_bit(fine, coarse, electrodes):
    quick = SETTINGS.model_copy(update={"n_particles": 24, "n_moves": 1, "n_candidates": 16})
    ecg = recording(fine, electrodes, 0)
    one = calibrate(coarse, [ecg], electrodes, quick, TISSUE, workers=1)
    kept = sites_of(coarse, quick, TISSUE)
    two = calibrate(coarse, [ecg], electrodes, quick, TISSUE, library=kept, workers=2)
    for field in ("velocity_fibre", "site_positions", "fitted"):
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field))


def test_two_usable_leads_are_not_enough_and_the_refusal_names_the_one_to_record(fine, coarse, electrodes):
    """The lead that the two explain worst, by least squares over what each node adds to it."""
    ecg, two = recording(fine, electrodes, 0), ("V1", "V2")
    mv = np.where(np.isin(LEADS, two)[:, None], ecg.mv, 0.0)
    with pytest.raises(QualityGate, match="2 usable independent leads") as refusal:
        calibrate(coarse, [replace(ecg, mv=mv)], electrodes, SETTINGS, TISSUE)
    everywhere = np.ones(len(coarse.mesh.tets), bool)
    node = electrode_weights(coarse, electrodes, np.ones((len(everywhere), 3)), everywhere)
    seen = {lead: lead_matrix(electrodes.names, [lead])[0] @ node for lead in INDEPENDENT_LEADS}
    known, new = np.stack([seen[lead] for lead in two], axis=1), {}
    for lead in set(INDEPENDENT_LEADS) - set(two):
        left = seen[lead] - known @ np.linalg.lstsq(known, seen[lead])[0]
        new[lead] = (left @ left) / (seen[lead] @ seen[lead])
    best = max(new, key=lambda lead: new[lead])
    assert f"lead {best} would help most, {new[best]:.0%}" in str(refusal.value)
    assert best not in ("V3", "V4")


def test_without_ecg_there_is_nothing_to_calibrate_to(coarse, electrodes):
    with pytest.raises(InputRejected, match="no ECG"):
        calibrate(coarse, [], electrodes, SETTINGS, TISSUE)
