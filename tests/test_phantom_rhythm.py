"""Ten seconds of rhythm hold the beat they were made of."""

from dataclasses import replace

import numpy as np
import pytest

from cardiotwin.ecg.recording import LEADS
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.rhythm import Recording, noise, recorded, strip, with_p_wave
from cardiotwin.phantom.torso import CHEST_CENTRE_MM, CHEST_HALF_WIDTHS_MM, true_electrodes

RECORDING = Recording(1, "20240312")
BEAT_MS = np.arange(400.0)
BEAT_MV = np.outer(np.linspace(-1, 1, 10), np.exp(-0.5 * ((BEAT_MS - 60) / 15) ** 2))


def test_beats_come_at_the_heart_rate_and_are_the_same_beat():
    mv = strip(BEAT_MS, BEAT_MV, RECORDING)
    assert mv.shape == (10, 5000)
    peak = np.flatnonzero((mv[-1, 1:-1] > 0.9) & (mv[-1, 1:-1] >= mv[-1, :-2]) & (mv[-1, 1:-1] > mv[-1, 2:])) + 1
    rr_ms = np.diff(peak) * 2.0
    assert rr_ms.mean() == pytest.approx(60_000 / 70, abs=12)
    assert 1 < rr_ms.std() < 40
    for at in peak[1:-1]:
        np.testing.assert_allclose(np.corrcoef(mv[-1, at - 25 : at + 100], BEAT_MV[-1, 10:260:2])[0, 1], 1, atol=3e-3)


def test_noise_is_as_loud_as_it_is_said_to_be():
    still = replace(RECORDING, mains_mv=0.0, wander_mv=0.0)
    muscle = noise(10, still)
    assert muscle.std() == pytest.approx(RECORDING.muscle_mv, rel=1e-6)
    spectrum, hz = np.abs(np.fft.rfft(muscle)) ** 2, np.fft.rfftfreq(5000, 1 / 500)
    assert spectrum[:, (hz > 15) & (hz < 170)].sum() > 0.95 * spectrum.sum()
    wander = noise(10, replace(RECORDING, muscle_mv=0.0, mains_mv=0.0))
    spectrum = np.abs(np.fft.rfft(wander)) ** 2
    assert spectrum[:, hz < 0.5].sum() > 0.95 * spectrum.sum()


def test_limb_leads_still_add_up_with_noise_on_them():
    """Einthoven and Goldberger, sample by sample."""
    electrodes = true_electrodes(make_anatomy(1), 1)
    ecg = recorded(BEAT_MS, BEAT_MV, electrodes, RECORDING)
    lead = dict(zip(LEADS, ecg.mv, strict=True))
    np.testing.assert_allclose(lead["I"] + lead["III"], lead["II"], atol=1e-12)
    np.testing.assert_allclose(lead["aVR"] + lead["aVL"] + lead["aVF"], 0, atol=1e-12)


def test_p_wave_comes_before_the_qrs_and_is_upright_in_lead_two():
    anatomy = make_anatomy(1)
    electrodes = true_electrodes(anatomy, 1)
    time, mv = with_p_wave(BEAT_MS, np.zeros_like(BEAT_MV), anatomy, electrodes, RECORDING)
    two = mv[electrodes.names.index("LL")] - mv[electrodes.names.index("RA")]
    assert time[np.argmax(two)] == pytest.approx(RECORDING.qrs_to_p_ms)
    assert 0.03 < two.max() < 0.25
    assert np.abs(mv[:, time > -60]).max() < 0.01


def test_electrodes_lie_near_the_skin_in_the_order_of_the_chest():
    electrodes = true_electrodes(make_anatomy(2), 2)
    position = dict(zip(electrodes.names, electrodes.positions, strict=True))
    chest = np.array([position[f"V{k}"] for k in range(1, 7)])
    assert (np.diff(chest[:, 0]) > 0).all()
    level = np.abs((chest[:, :2] - CHEST_CENTRE_MM) / CHEST_HALF_WIDTHS_MM) ** 2.4
    np.testing.assert_allclose(level.sum(axis=1), 1, atol=0.35)
    assert position["LA"][0] > 0 > position["RA"][0]
    assert position["LA"][2] > position["V1"][2] > position["LL"][2]
    other = true_electrodes(make_anatomy(2), 3)
    assert (np.linalg.norm(other.positions - electrodes.positions, axis=1) > 0.5).all()
