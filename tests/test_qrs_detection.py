"""The mean QRS complex: beats found, averaged and measured, on rhythms whose truth is known and on real ones."""

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.ecg.qrs import independent_leads, qrs_complex, qrs_edges, r_peaks, smoothed
from cardiotwin.ecg.recording import LEADS, Ecg, lead_matrix
from cardiotwin.errors import InputRejected, QualityGate

ONSET_MS, QRS_MS = 300, 90
GAIN = np.random.default_rng(3).uniform(0.3, 1.5, 10)


def beat(hz: float, widen: float = 1.0) -> np.ndarray:
    """P, QRS and T at ten electrodes; the complex is three half sines in 90 ms, so that its ends are sharp."""
    t = np.arange(int(0.85 * hz)) / hz * 1000.0
    phase = np.clip((t - ONSET_MS) / (QRS_MS * widen), 0.0, 1.0)
    qrs = np.sin(3 * np.pi * phase) * np.sin(np.pi * phase) ** 0.5 * 1.2
    p = 0.12 * np.exp(-(((t - 170) / 25) ** 2))
    wave = p + qrs + 0.3 * np.exp(-(((t - 600) / 45) ** 2))
    late = p + 1.1 * np.sin(2 * np.pi * phase) ** 2 * np.sign(0.5 - phase)
    return GAIN[:, None] * wave + GAIN[::-1, None] * late


def rhythm(hz: float, n_beats: int, noise: float, wander: float = 0.3, ectopic: int | None = None) -> Ecg:
    names = ("LA", "RA", "LL", "RL", "V1", "V2", "V3", "V4", "V5", "V6")
    beats = [beat(hz) if k != ectopic else -1.3 * beat(hz, 1.7) for k in range(n_beats)]
    potentials = np.concatenate(beats, axis=1)
    rng = np.random.default_rng(0)
    t = np.arange(potentials.shape[1]) / hz
    potentials = potentials + noise * rng.normal(size=potentials.shape)
    potentials = potentials + wander * np.sin(2 * np.pi * 0.23 * t) * rng.normal(size=(10, 1))
    return Ecg(LEADS, lead_matrix(names) @ potentials, hz)


@pytest.mark.parametrize("hz", [250.0, 360.0, 500.0, 1000.0])
def test_duration_does_not_depend_on_the_rate_noise_or_wander(hz):
    clean = qrs_complex(rhythm(hz, 10, noise=0.0, wander=0.0)).duration_ms
    noisy = qrs_complex(rhythm(hz, 10, noise=0.02)).duration_ms
    assert clean == pytest.approx(QRS_MS, abs=8)
    assert noisy == pytest.approx(clean, abs=6)


def test_the_mean_complex_is_the_complex():
    quiet, noisy = qrs_complex(rhythm(1000.0, 12, 0.0, 0.0)), qrs_complex(rhythm(1000.0, 12, 0.03))
    length = min(quiet.mv.shape[1], noisy.mv.shape[1])
    for a, b in zip(quiet.mv, noisy.mv, strict=True):
        shifts = [np.corrcoef(np.roll(b[:length], k)[10:-10], a[:length][10:-10])[0, 1] for k in range(-6, 7)]
        assert max(shifts) > 0.99


def test_every_beat_is_found_once():
    ecg = rhythm(1000.0, 14, noise=0.02)
    peaks = r_peaks(ecg.mv)
    assert len(peaks) == 14
    np.testing.assert_allclose(np.diff(peaks), 850, atol=12)


def test_an_ectopic_beat_is_left_out():
    with_ectopic, without = qrs_complex(rhythm(500.0, 10, 0.01, ectopic=4)), qrs_complex(rhythm(500.0, 10, 0.01))
    assert with_ectopic.n_rejected == without.n_rejected + 1
    assert with_ectopic.duration_ms == pytest.approx(without.duration_ms, abs=3)


def test_noise_left_in_the_mean_falls_with_the_number_of_beats():
    few, many = qrs_complex(rhythm(1000.0, 6, 0.03)), qrs_complex(rhythm(1000.0, 26, 0.03))
    ratio = np.median(few.noise_mv / many.noise_mv)
    assert ratio == pytest.approx(np.sqrt(many.n_beats / few.n_beats), rel=0.25)


def test_a_flat_lead_is_unusable_and_lead_one_comes_back_from_two_others():
    ecg = rhythm(1000.0, 8, 0.0)
    mv = ecg.mv.copy()
    mv[LEADS.index("I")] = 0.0
    mv[LEADS.index("V3")] = 0.1
    damaged = qrs_complex(Ecg(LEADS, mv, ecg.hz))
    names, complexes, _ = independent_leads(damaged)
    assert names == ("I", "II", "V1", "V2", "V4", "V5", "V6")
    assert any("V3" in note for note in damaged.notes)
    whole = qrs_complex(ecg)
    length = min(whole.mv.shape[1], complexes.shape[1])
    reference = whole.mv[LEADS.index("I"), :length]
    np.testing.assert_allclose(complexes[0, :length], reference, atol=0.05 * np.ptp(reference))


def test_silence_and_gaps_are_refused():
    with pytest.raises(QualityGate, match=r"QRS|beat"):
        qrs_complex(Ecg(LEADS, np.zeros((12, 5000)), 500.0))
    ecg = rhythm(500.0, 8, 0.0)
    mv = ecg.mv.copy()
    mv[7, 100] = np.nan
    with pytest.raises(InputRejected, match="lead V2"):
        qrs_complex(Ecg(LEADS, mv, 500.0))


def test_exchanged_arm_electrodes_are_noticed_on_a_real_ecg_and_only_when_exchanged():
    wfdb = pytest.importorskip("wfdb")
    record = wfdb.rdrecord(str(real_data("ecg", "ptb-xl_00001", "records500", "00000", "00001_hr.hea").with_suffix("")))
    names = tuple({"AVR": "aVR", "AVL": "aVL", "AVF": "aVF"}.get(name, name) for name in record.sig_name)
    lead = dict(zip(names, record.p_signal.T, strict=True))
    swap = {"I": -lead["I"], "II": lead["III"], "III": lead["II"], "aVR": lead["aVL"], "aVL": lead["aVR"]}
    upright = qrs_complex(Ecg(LEADS, np.array([lead[k] for k in LEADS]), 500.0))
    exchanged = qrs_complex(Ecg(LEADS, np.array([swap.get(k, lead[k]) for k in LEADS]), 500.0))
    assert not any("arm" in note for note in upright.notes)
    assert any("arm" in note for note in exchanged.notes)
    assert 70 < upright.duration_ms < 110


def test_misnamed_limb_leads_break_the_triangle():
    ecg = rhythm(500.0, 8, 0.0)
    misnamed = qrs_complex(Ecg(("II", "I", *LEADS[2:]), ecg.mv, ecg.hz))
    assert any("I + III" in note for note in misnamed.notes)
    assert not any("I + III" in note for note in qrs_complex(ecg).notes)


def test_a_simulated_complex_that_ends_in_exact_zeros_has_edges():
    """A running mean of squares leaves rounding errors below zero there, which have no square root."""
    complex_ = np.zeros((8, 200))
    complex_[:, 60:100] = 3.3 * np.sin(np.linspace(0, np.pi, 40)) * np.random.default_rng(0).normal(size=(8, 1))
    onset, offset = qrs_edges(complex_)
    assert abs(onset - 60) < 6
    assert abs(offset - 100) < 6


def slopes(*pieces: tuple[int, float]) -> np.ndarray:
    """Three leads that rise and fall with so much mV/ms for so long, ms, after 200 ms of rest."""
    one = np.cumsum(np.concatenate([np.zeros(200), *(np.full(length, value) for length, value in pieces)]))
    return np.array([one, -0.6 * one, 0.3 * one])


SPIKE = ((20, 0.1), (20, -0.1))


@pytest.mark.parametrize("tail_ms", [0, 10, 20])
def test_a_slow_end_belongs_to_the_complex(tail_ms):
    """The last tissue at the base moves the leads by a twentieth of the steepest slope."""
    onset, offset = qrs_edges(slopes(*SPIKE, (tail_ms, 0.004), (200, 0.0)))
    assert onset == pytest.approx(200, abs=4)
    assert offset == pytest.approx(240 + tail_ms, abs=4)


def test_a_slow_beginning_belongs_to_the_complex():
    onset, offset = qrs_edges(slopes((15, 0.004), *SPIKE, (200, 0.0)))
    assert onset == pytest.approx(200, abs=4)
    assert offset == pytest.approx(255, abs=4)


def test_a_rising_st_segment_does_not_belong_to_the_complex():
    """As slow as the end of a complex may be, but it goes on."""
    assert qrs_edges(slopes(*SPIKE, (120, 0.004), (100, -0.004)))[1] == pytest.approx(240, abs=4)


@pytest.mark.parametrize("noise_mv", [0.002, 0.005])
def test_noise_does_not_belong_to_the_complex(noise_mv):
    rng = np.random.default_rng(0)
    beat = slopes(*SPIKE, (200, 0.0))
    for _ in range(10):
        onset, offset = qrs_edges(beat + noise_mv * smoothed(rng.standard_normal((3, beat.shape[1]))))
        assert onset == pytest.approx(200, abs=8)
        assert offset == pytest.approx(240, abs=8)
