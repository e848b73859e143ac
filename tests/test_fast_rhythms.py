"""Up to 340 beats a minute each beat is found once, and a T wave, however tall, is none."""

import numpy as np
import pytest

from cardiotwin.ecg.beats import find_beats, mean_beat
from cardiotwin.ecg.noise import hum_mv
from cardiotwin.ecg.qrs import qrs_complex
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, Ecg

NARROW = ((60.0, 8.0, 1.0), (75.0, 10.0, 1.0))
WIDE = ((60.0, 25.0, 1.0), (110.0, 22.0, 1.0))


def rhythm(per_minute, waves, seed=0):
    """Ten seconds of Gaussian waves: (middle, standard deviation, size), ms and mV, of another sign in each lead."""
    rng = np.random.default_rng(seed)
    cycle, time = 60_000 / per_minute, np.arange(0.0, 10_000.0, 2.0)
    phase = np.mod(time, cycle)
    near = np.stack([phase + cycle, phase, phase - cycle])
    mv = 0.01 * rng.standard_normal((8, time.size))
    for middle, spread, size in waves:
        mv += size * rng.uniform(-1, 1, (8, 1)) * np.exp(-0.5 * ((near - middle) / spread) ** 2).sum(axis=0)
    return Ecg(INDEPENDENT_LEADS, mv, 500.0)


def rate(ecg):
    return 60_000 / find_beats(ecg).cycle_ms


@pytest.mark.parametrize("waves", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("per_minute", [150, 235, 245, 270, 300, 340])
def test_a_fast_rhythm_has_its_rate(per_minute, waves):
    for seed in range(3):
        assert rate(rhythm(per_minute, waves, seed)) == pytest.approx(per_minute, rel=0.01)


@pytest.mark.parametrize("tall", [0.25, 0.75, 1.5])
@pytest.mark.parametrize("per_minute", [40, 60, 90, 120, 140])
def test_a_t_wave_is_no_beat(per_minute, tall):
    """At 140 a minute T follows by 214 ms, which would be a beat at 280."""
    waves = (*NARROW, (60.0 + min(300.0, 30_000 / per_minute), 30.0, tall))
    for seed in range(3):
        assert rate(rhythm(per_minute, waves, seed)) == pytest.approx(per_minute, rel=0.01)


def test_a_steep_t_wave_that_comes_soon_is_no_beat():
    """As steep as the complex, and 200 ms behind it."""
    for seed in range(3):
        assert rate(rhythm(150, (*NARROW, (260.0, 12.0, 1.5)), seed)) == pytest.approx(150, rel=0.01)


@pytest.mark.parametrize("per_minute", [200, 245, 260])
def test_the_complex_that_calibration_takes_is_that_of_one_beat(per_minute):
    """In windows of 250 ms on either side there were three of them."""
    fast, slow = (rhythm(rate, NARROW) for rate in (per_minute, 80))
    assert qrs_complex(fast).duration_ms == pytest.approx(qrs_complex(slow).duration_ms, abs=4)
    assert mean_beat(find_beats(fast)).qrs_ms == pytest.approx(mean_beat(find_beats(slow)).qrs_ms, abs=4)


@pytest.mark.parametrize("per_minute", [60, 100, 200, 300])
def test_a_regular_rhythm_of_which_a_multiple_is_the_mains_does_not_hum(per_minute):
    """50 Hz is 50, 30, 15 or 10 times the rate; narrow complexes reach as far, and seemed to hum by up to 0.18 mV."""
    waves = ((60.0, 3.0, 1.5), (72.0, 3.0, 0.5))
    quiet = rhythm(per_minute, waves)
    assert hum_mv(quiet, 50.0).max() < 0.03
    loud = quiet.mv + 0.5 * np.sin(2 * np.pi * 50.05 * np.arange(5000) / 500)
    np.testing.assert_allclose(hum_mv(Ecg(INDEPENDENT_LEADS, loud, 500.0), 50.0), 1.0, atol=0.2)
