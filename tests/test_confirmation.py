"""The confirming run beats as the member says: its sites start waves at their times, or are said not to."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.calibration.confirmation import _at_quantile, confirm
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.sinus_beat import best_member
from cardiotwin.ecg.electrodes import ELECTRODES, Electrodes
from cardiotwin.ecg.forward import electrode_weights
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import CORE
from cardiotwin.presets import preset
from cardiotwin.settings import SimulateSettings, TissueSettings

TISSUE = TissueSettings(cell_model="mitchell_schaeffer")
DEMO = preset("demo")
SITES_MM = np.array([[0.0, 9.0, 9.0], [0.0, 30.0, 24.0]])
TIMES_MS = np.array([26.0, 21.0])
AROUND = Electrodes(ELECTRODES, 150.0 * np.random.default_rng(0).normal(size=(len(ELECTRODES), 3)), True)


@pytest.fixture(scope="module")
def wall():
    """A wall 6 mm thick, 39 x 33 mm wide, fibres across its face."""
    return block_heart((4, 26, 22), 1.5, fibre=(0.0, 1.0, 0.0))


def posterior(fibre, cross):
    """Two members of equal weight, as calibration makes them; the second fits better."""
    return Posterior(
        weights=np.array([0.5, 0.5]),
        velocity_fibre=np.array([0.9, fibre]),
        velocity_cross=np.array([0.5, cross]),
        velocity_endocardium=np.full(2, np.nan),
        site_positions=np.stack([SITES_MM[::-1] + 3.0, SITES_MM]),
        site_times_ms=np.stack([TIMES_MS, TIMES_MS]),
        correlation=np.array([0.7, 0.8]),
        leads=("I",),
        qrs_ms=np.zeros(1),
        measured=np.zeros((1, 1)),
        fitted=np.zeros((2, 1, 1)),
        notes={},
    )


def confirmed(wall, member, radius_mm, tissue=TISSUE):
    settings = SimulateSettings(dt_ms=0.1, duration_ms=120.0, site_radius_mm=radius_mm)
    return confirm(wall, member, AROUND, settings, tissue)


def test_the_electrodes_of_a_beat_see_no_lattice(wall, monkeypatch):
    seen = []

    def watched(heart, electrodes, sigma, conducting):
        seen.append(sigma)
        return electrode_weights(heart, electrodes, sigma, conducting)

    monkeypatch.setattr("cardiotwin.calibration.confirmation.electrode_weights", watched)
    confirmed(wall, posterior(0.6, 0.4), 5.0)
    np.testing.assert_allclose(seen[0][:, 1] / seen[0][:, 0], (0.4 / 0.6) ** 2)


def test_the_member_that_fits_best_beats_from_its_sites_at_its_times(wall):
    found = confirmed(wall, posterior(0.6, 0.4), 5.0)
    assert found.member == 1
    assert (found.velocities.fibre, found.velocities.cross) == (0.6, 0.4)
    times = found.activation.activation_ms[0]
    nearest = [np.argmin(np.linalg.norm(wall.mesh.points - site, axis=1)) for site in SITES_MM]
    # The earlier site fires at 0, the other 5 ms later; both within the 2 ms of a stimulus.
    assert times[nearest] == pytest.approx(TIMES_MS - TIMES_MS.min(), abs=2.5)
    assert np.isfinite(times).all()
    assert (found.site_delay_ms < 10).all()
    assert found.ecg.mv.std(axis=1).min() > 0


def test_other_draws_beat_too_and_what_they_lose_is_told(wall):
    """Four members; the measured QRS is the best's own beat, so that only it loses nothing."""
    first = confirmed(wall, posterior(0.6, 0.4), 5.0)
    assert [one.name for one in first.draws] == ["best", "slow", "median", "fast"]
    assert [one.member for one in first.draws] == [1, 1, 1, 0]
    qrs_ms = np.arange(0.0, 70.0)
    names = ("I", "V2", "V5")
    measured = np.stack([np.interp(qrs_ms, np.arange(first.ecg.mv.shape[1]), first.ecg.mv[first.ecg.leads.index(name)])
                         for name in names])  # fmt: skip
    one = posterior(0.6, 0.4)
    four = replace(
        one,
        weights=np.array([0.3, 0.2, 0.3, 0.2]),
        velocity_fibre=np.array([0.9, 0.6, 0.45, 0.7]),
        velocity_cross=np.array([0.6, 0.4, 0.3, 0.5]),
        velocity_endocardium=np.full(4, np.nan),
        site_positions=np.tile(SITES_MM, (4, 1, 1)),
        site_times_ms=np.tile(TIMES_MS, (4, 1)),
        correlation=np.array([0.7, 0.9, 0.6, 0.8]),
        leads=names,
        qrs_ms=qrs_ms,
        measured=measured,
        fitted=np.zeros((4, 3, len(qrs_ms))),
    )
    best, slow, middle, fast = confirmed(wall, four, 5.0).draws
    assert [best.member, slow.member, middle.member, fast.member] == [1, 2, 1, 0]
    assert [best.eikonal, slow.eikonal, fast.eikonal] == [0.9, 0.6, 0.7]
    assert best.monodomain > 0.999
    assert middle.monodomain == pytest.approx(best.monodomain, abs=0.002), "the same member, stopped when all is active"
    assert max(slow.monodomain, fast.monodomain) < 0.99
    assert slow.activation_ms > 1.25 * best.activation_ms > 1.25 * 1.25 * fast.activation_ms
    assert slow.velocities.fibre == 0.45


def weighted(pairs, weights, correlation=None):
    found = Posterior.of_velocities(pairs)
    return replace(
        found,
        weights=np.array(weights),
        correlation=np.ones(len(pairs)) if correlation is None else np.array(correlation),
    )


def test_slow_median_and_fast_go_by_the_mean_of_the_logarithms_of_all_velocities():
    """By the fibre velocity alone the order would be the other way round."""
    found = weighted([(0.50, 0.45), (0.55, 0.30), (0.60, 0.20)], [1 / 3] * 3)
    assert [_at_quantile(found, share) for share in (0.1, 0.5, 0.9)] == [2, 1, 0]


def test_slow_median_and_fast_go_by_weight():
    found = weighted([(0.4, 0.2), (0.5, 0.3), (0.6, 0.4), (0.7, 0.5)], [0.05, 0.05, 0.1, 0.8])
    assert [_at_quantile(found, share) for share in (0.1, 0.5, 0.9)] == [1, 3, 3]


def test_the_best_member_has_weight():
    assert best_member(weighted([(0.4, 0.2)] * 3, [0.5, 0.0, 0.5], [0.7, 0.99, 0.8])) == 2


def test_a_site_too_small_for_the_wave_front_is_seen(wall):
    """Slow across and fast along the fibres, on a coarse lattice: the front is wider than what fires."""
    slow = posterior(0.75, 0.2)
    assert (confirmed(wall, slow, 1.6).site_delay_ms > 20).all()
    assert (confirmed(wall, slow, 6.0).site_delay_ms < 10).all()


def test_the_sites_of_the_demo_start_waves_in_its_slowest_tissue(wall):
    """A disc on the endocardium did not: on the third phantom 23 of 52,168 nodes were activated."""
    found = confirmed(wall, posterior(0.72, 0.2), DEMO.simulate.site_radius_mm, DEMO.tissue)
    assert (found.site_delay_ms < 10).all()
    assert np.isfinite(found.activation.activation_ms[0]).all()


def test_a_heart_without_conducting_endocardium_is_refused(wall):
    dead = wall.mesh.centroids[:, 0] < 3.0
    heart = block_heart((4, 26, 22), 1.5, tissue_class=np.where(dead, CORE, 0).astype(np.uint8))
    with pytest.raises(QualityGate, match="no conducting endocardium"):
        confirmed(heart, posterior(0.6, 0.4), 5.0)
