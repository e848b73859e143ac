"""Action-potential durations whose T wave is known are found again on another mesh; without one, that is told."""

from dataclasses import replace

import numpy as np
import pytest
from ellipsoid_heart import ellipsoid_heart, endocardial_nodes_near

from cardiotwin.calibration.beat_of_ensemble import activation_of, ensemble_beat, spread
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.repolarisation import PRIOR_SD_MS, _shapes, _weights, fit_repolarisation
from cardiotwin.ecg.electrodes import default_electrodes, placements
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, LEADS, Ecg, lead_matrix
from cardiotwin.eikonal import activation_times
from cardiotwin.heart.heart import BORDER_ZONE, EPICARDIUM, LEFT, LV_ENDOCARDIUM, RIGHT, RV_ENDOCARDIUM
from cardiotwin.progress import silent
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import Velocities

TRUTH = Velocities(0.65, 0.38)
SITES = [(LEFT, 0.5, 10.0), (LEFT, 0.6, 120.0), (RIGHT, 0.5, 20.0)]
ONSETS_MS = np.array([0.0, 4.0, 6.0])
TISSUE = TissueSettings()


@pytest.fixture(scope="module")
def fine():
    return ellipsoid_heart(1.6, size=0.7)


@pytest.fixture(scope="module")
def coarse():
    return ellipsoid_heart(2.4, size=0.7)


@pytest.fixture(scope="module")
def electrodes(fine):
    return replace(default_electrodes(fine), measured=True)


def recording(heart, electrodes, mean_ms, across_ms=0.0, base_ms=0.0, right_ms=0.0, noise=0.002, t_wave=True):
    """Beats of a front from `SITES`; durations are straight functions of place, nothing of the model's own."""
    nodes = endocardial_nodes_near(heart, SITES)
    times = activation_times(heart, TRUTH, nodes, ONSETS_MS, TISSUE)
    right = np.zeros(len(times))
    right[heart.mesh.tets[heart.ventricle == RIGHT]] = 1.0
    duration = mean_ms + across_ms * (heart.transmural - 0.5) + base_ms * (heart.apicobasal - 0.5)
    duration += right_ms * (right - right.mean())
    sigma = np.tile([TRUTH.fibre**2, TRUTH.cross**2, TRUTH.cross**2], (len(heart.mesh.tets), 1))
    weights = electrode_weights(heart, electrodes, sigma, np.ones(len(heart.mesh.tets), bool))
    options = {"repolarisation_ms": times + duration} if t_wave else {}
    beat = eikonal_ecg(electrodes.names, weights, times, duration_ms=500.0, **options).mv
    strip = np.tile(np.pad(beat, [(0, 0), (300, 100)]), (1, 5))
    return Ecg(
        LEADS, strip + noise * np.abs(beat).max() * np.random.default_rng(0).standard_normal(strip.shape), 1000.0
    )


def ensemble(heart, n=4, **change):
    """Members that all know the truth, but for a slightly other velocity each."""
    places = heart.mesh.points[endocardial_nodes_near(heart, SITES)]
    speeds = np.linspace(0.97, 1.03, n)
    return Posterior(
        weights=np.full(n, 1.0 / n),
        velocity_fibre=TRUTH.fibre * speeds,
        velocity_cross=TRUTH.cross * speeds,
        velocity_endocardium=np.full(n, np.nan),
        site_positions=np.tile(places, (n, 1, 1)),
        site_times_ms=np.tile(ONSETS_MS, (n, 1)),
        correlation=np.ones(n),
        leads=change.pop("leads", INDEPENDENT_LEADS),
        qrs_ms=np.zeros(1),
        measured=np.zeros((8, 1)),
        fitted=np.zeros((n, 8, 1)),
        notes={},
        **change,
    )


def found(coarse, fine, electrodes, n_members=4, leads=INDEPENDENT_LEADS, **durations):
    ecg = recording(fine, electrodes, **durations)
    beat = ensemble_beat(coarse, ensemble(coarse, leads=leads), ecg, electrodes, TISSUE, n_members=n_members)
    assert beat.note == ""
    return beat.repolarisation


@pytest.mark.parametrize(
    ("across_ms", "base_ms", "right_ms"), [(0.0, 0.0, 0.0), (0.0, 30.0, 0.0), (0.0, -20.0, 15.0), (0.0, 0.0, -25.0)]
)
def test_gradients_along_the_heart_are_found(coarse, fine, electrodes, across_ms, base_ms, right_ms):
    fit = found(coarse, fine, electrodes, mean_ms=285.0, across_ms=across_ms, base_ms=base_ms, right_ms=right_ms)
    assert fit.duration_ms.mean() == pytest.approx(285.0, abs=5.0)
    assert fit.gradients_ms.mean(axis=0) == pytest.approx([across_ms, base_ms, right_ms], abs=8.0)
    assert fit.correlation.min() > 0.97


@pytest.mark.parametrize("across_ms", [-25.0, 20.0])
def test_a_gradient_through_the_wall_is_found_with_its_sign(coarse, fine, electrodes, across_ms):
    """The truth's is straight where the model's is evened out."""
    fit = found(coarse, fine, electrodes, mean_ms=300.0, across_ms=across_ms)
    assert fit.gradients_ms[:, 0].mean() == pytest.approx(across_ms, rel=0.35)


@pytest.mark.parametrize("durations", [{"base_ms": 25.0}, {"across_ms": -20.0}, {"right_ms": 15.0}])
def test_on_the_same_mesh_what_is_told_is_the_map_s_difference_between_ends(fine, electrodes, durations):
    """And QRS and T wave lie right to each other: the mean is off by what straight gradients are from evened ones."""
    ecg = recording(fine, electrodes, 285.0, **durations)
    beat = ensemble_beat(fine, ensemble(fine, n=3), ecg, electrodes, TISSUE, n_members=3)
    fit = beat.repolarisation
    lasting = fit.repolarisation_ms - beat.activation_ms
    low, high = fine.apicobasal < 0.1, fine.apicobasal > 0.9
    assert fit.gradients_ms[:, 1] == pytest.approx(
        lasting[:, high].mean(axis=1) - lasting[:, low].mean(axis=1), abs=0.05
    )
    right = np.isin(np.arange(len(low)), fine.mesh.tets[fine.ventricle == RIGHT])
    assert fit.gradients_ms[:, 2] == pytest.approx(
        lasting[:, right].mean(axis=1) - lasting[:, ~right].mean(axis=1), abs=0.05
    )
    inside, outside = (fine.surface_nodes(one) for one in (LV_ENDOCARDIUM, EPICARDIUM))
    across = lasting[:, outside].mean(axis=1) - lasting[:, inside].mean(axis=1)
    assert fit.gradients_ms[:, 0] == pytest.approx(across, abs=0.05)
    if "across_ms" not in durations:
        assert fit.duration_ms.mean() == pytest.approx(285.0, abs=2.5)


@pytest.mark.parametrize("later_ms", [-6, 7])
def test_where_the_complex_lies_the_t_wave_follows(fine, electrodes, later_ms):
    """All of a member's times moved: the model is moved back onto the measured complex, and durations stay."""
    ecg, one = recording(fine, electrodes, 285.0), ensemble(fine, n=2)
    times = activation_of(fine, one, np.arange(2), TISSUE)
    told = [
        fit_repolarisation(fine, one, np.arange(2), times + late, ecg, electrodes, TISSUE).duration_ms.mean()
        for late in (0.0, float(later_ms))
    ]
    assert told[1] == pytest.approx(told[0], abs=0.6)


def test_lead_i_and_ii_are_made_of_other_limb_leads_for_the_t_wave_too(coarse, fine, electrodes):
    whole = recording(fine, electrodes, 285.0, base_ms=20.0, noise=0.0)
    kept = [whole.leads.index(lead) for lead in ("III", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")]
    some = Ecg(tuple(whole.leads[k] for k in kept), whole.mv[kept], whole.hz)
    fits = [
        ensemble_beat(coarse, ensemble(coarse), one, electrodes, TISSUE, n_members=2).repolarisation
        for one in (whole, some)
    ]
    assert fits[1].leads == INDEPENDENT_LEADS
    assert fits[1].measured == pytest.approx(fits[0].measured, abs=0.03)


def test_a_t_wave_that_is_cut_off_is_fitted_as_far_as_it_goes(coarse, fine, electrodes):
    whole = recording(fine, electrodes, 285.0, base_ms=20.0)
    single = Ecg(whole.leads, whole.mv[:, 200 : 200 + 100 + 375], whole.hz)
    fit = ensemble_beat(coarse, ensemble(coarse), single, electrodes, TISSUE, n_members=2).repolarisation
    assert fit is not None
    assert fit.t_ms[-1] < 380.0
    assert fit.duration_ms.mean() == pytest.approx(285.0, abs=8.0)


def test_another_shape_of_beat_is_asked_for_by_its_number(coarse, fine, electrodes):
    beat = ensemble_beat(
        coarse, ensemble(coarse), recording(fine, electrodes, 285.0), electrodes, TISSUE, n_members=2, beat=1
    )
    assert "no whole beat of shape 1" in beat.note


def test_fields_of_a_member_have_its_border_zone(coarse, electrodes):
    slowed = np.where(coarse.mesh.centroids[:, 2] > coarse.mesh.centroids[:, 2].mean(), BORDER_ZONE, 1).astype(np.uint8)
    scarred, leads = replace(coarse, tissue_class=slowed), lead_matrix(electrodes.names, ("I", "V2"))
    posterior = ensemble(coarse, n=3, border_zone_fraction=np.array([0.4, 1.0, 0.4]))
    weights, which = _weights(scarred, posterior, np.arange(3), electrodes, TISSUE, leads, silent)
    assert which.tolist() == [0, 1, 0]
    everywhere = np.ones(len(slowed), bool)
    for number, fraction in enumerate((0.4, 1.0)):
        sigma = np.zeros((len(slowed), 3))
        sigma[:, 0] = np.where(slowed == BORDER_ZONE, fraction**2, 1.0)
        expected = leads @ electrode_weights(scarred, electrodes, sigma, everywhere)
        np.testing.assert_allclose(weights.of_node[number, :, 0, :2].T, expected, rtol=1e-6, atol=1e-12)


def test_noise_leaves_more_open(coarse, fine, electrodes):
    quiet, noisy = (found(coarse, fine, electrodes, mean_ms=285.0, noise=size) for size in (0.002, 0.04))
    assert (noisy.informed < quiet.informed).all()


def test_the_mean_follows_the_qt(coarse, fine, electrodes):
    long, short = (found(coarse, fine, electrodes, mean_ms=one).duration_ms.mean() for one in (330.0, 250.0))
    assert long - short == pytest.approx(80.0, abs=3.0)


def test_leads_that_are_missing_leave_more_open(coarse, fine, electrodes):
    every = found(coarse, fine, electrodes, mean_ms=285.0, base_ms=20.0)
    few = found(coarse, fine, electrodes, mean_ms=285.0, base_ms=20.0, leads=("I", "II", "V1"))
    assert few.leads == ("I", "II", "V1")
    assert (few.informed < every.informed).all()
    assert (every.informed > 0.5).all()
    assert few.gradients_ms.std(axis=0).max() < PRIOR_SD_MS[1:].max()


@pytest.mark.slow
def test_draws_differ_as_much_as_they_are_said_to(coarse, fine, electrodes):
    fit = found(coarse, fine, electrodes, mean_ms=285.0, n_members=60)
    stated = (1.0 - fit.informed) * PRIOR_SD_MS
    assert np.column_stack([fit.duration_ms, fit.gradients_ms]).std(axis=0) == pytest.approx(stated, rel=0.3)


def test_fitted_waves_are_those_of_the_durations_that_are_told(coarse, fine, electrodes):
    """Made a second time by the function that makes ECGs, from the map of one member."""
    ecg = recording(fine, electrodes, 285.0, base_ms=25.0)
    ensemble_ = ensemble(coarse)
    beat = ensemble_beat(coarse, ensemble_, ecg, electrodes, TISSUE, n_members=2)
    fit, member = beat.repolarisation, int(beat.members[1])
    sigma = np.tile(
        [ensemble_.velocity_fibre[member] ** 2, *[ensemble_.velocity_cross[member] ** 2] * 2],
        (len(coarse.mesh.tets), 1),
    )
    weights = electrode_weights(coarse, electrodes, sigma, np.ones(len(coarse.mesh.tets), bool))
    again = eikonal_ecg(
        electrodes.names, weights, beat.activation_ms[1].astype(float), duration_ms=600.0,
        repolarisation_ms=fit.repolarisation_ms[1].astype(float),
    )  # fmt: skip
    rows = [again.leads.index(lead) for lead in fit.leads]
    windows = [slice(round(fit.t_ms[0]) - late, round(fit.t_ms[-1]) + 1 - late) for late in range(-10, 11)]
    alike = [
        [np.corrcoef(again.mv[row, w], mv)[0, 1] for row, mv in zip(rows, fit.fitted[1], strict=True)] for w in windows
    ]
    assert np.mean(alike, axis=1).max() > 0.9999


def test_without_a_t_wave_activation_is_told_and_why_recovery_is_not(coarse, fine, electrodes):
    ecg = recording(fine, electrodes, 285.0, t_wave=False)
    beat = ensemble_beat(coarse, ensemble(coarse), ecg, electrodes, TISSUE, n_members=3)
    assert beat.repolarisation is None
    assert "no T wave stands out" in beat.note
    mean, deviation = spread(beat.activation_ms)
    assert (deviation[mean > 30.0] > 0.1).all()


def test_each_member_has_its_own_electrodes(coarse, fine, electrodes):
    placed = replace(electrodes, measured=False)
    there = placements(coarse, placed, 4)
    ecg = recording(fine, there[2], 285.0, base_ms=25.0)
    where = np.array([one.positions for one in there])
    one = ensemble_beat(coarse, ensemble(coarse, electrode_positions=where), ecg, placed, TISSUE, n_members=4)
    assert np.argmax(one.repolarisation.correlation) == 2


def test_each_member_has_its_own_border_zone(coarse):
    slowed = np.where(coarse.mesh.centroids[:, 2] > coarse.mesh.centroids[:, 2].mean(), BORDER_ZONE, 1).astype(np.uint8)
    scarred, members = replace(coarse, tissue_class=slowed), np.arange(2)
    posterior = ensemble(coarse, n=2, border_zone_fraction=np.array([0.4, 1.0]))
    slow, fast = activation_of(scarred, posterior, members, TISSUE)
    assert slow.max() > 1.3 * fast.max()
    assert fast == pytest.approx(activation_of(coarse, posterior, members, TISSUE)[1])


def test_coupling_leaves_less_of_a_gradient_across_a_thin_wall(coarse):
    shape = _shapes(coarse, np.ones(len(coarse.mesh.tets), bool))
    inside, outside = coarse.surface_nodes(LV_ENDOCARDIUM), coarse.surface_nodes(EPICARDIUM)
    assert shape[outside, 0].mean() - shape[inside, 0].mean() == pytest.approx(1.0)
    assert 1.0 < np.ptp(shape[:, 1]) < 1.3
    volume = np.bincount(coarse.mesh.tets.ravel(), np.repeat(coarse.mesh.volumes, 4), len(coarse.mesh.points))
    assert volume @ shape == pytest.approx(np.zeros(3), abs=1e-6 * volume.sum())
    free_wall = np.unique(coarse.mesh.tets[coarse.ventricle == RIGHT])
    ends = [np.intersect1d(free_wall, coarse.surface_nodes(one)) for one in (EPICARDIUM, RV_ENDOCARDIUM)]
    assert shape[ends[0], 0].mean() - shape[ends[1], 0].mean() < 0.6


def test_a_heart_of_one_ventricle_has_no_gradient_between_two(coarse, fine, electrodes):
    alone = replace(coarse, ventricle=np.full_like(coarse.ventricle, LEFT))
    shape = _shapes(alone, np.ones(len(coarse.mesh.tets), bool))
    assert np.array_equal(shape[:, 2], np.zeros(len(shape)))
    assert np.isfinite(shape).all()
    beat = ensemble_beat(alone, ensemble(alone), recording(fine, electrodes, 285.0), electrodes, TISSUE, n_members=2)
    assert np.isnan(beat.repolarisation.gradients_ms[:, 2]).all()
    assert np.isfinite(beat.repolarisation.gradients_ms[:, :2]).all()


def test_the_same_seed_draws_the_same(coarse, fine, electrodes):
    one, other = (found(coarse, fine, electrodes, mean_ms=285.0) for _ in range(2))
    assert np.array_equal(one.gradients_ms, other.gradients_ms)
