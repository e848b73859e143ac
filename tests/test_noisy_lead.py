"""One lead buried in noise is left out and told, and the beats of the others are measured as if it had not been."""

from dataclasses import replace

import numpy as np
import pytest
from data_folder import real_data
from test_beats import REAL, healthy

from cardiotwin.ecg.beats import find_beats, mean_beat
from cardiotwin.ecg.noise import without_spikes
from cardiotwin.ingest import read_ecg
from cardiotwin.ingest.ecg_quality import Recording, usable

LEAD = "V3"


def white(ecg, sd_mv):
    return sd_mv * np.random.default_rng(1).standard_normal(ecg.mv.shape[1])


def muscle(ecg, sd_mv):
    """Half of the time."""
    return white(ecg, sd_mv) * (np.sin(2.0 * np.arange(ecg.mv.shape[1]) / ecg.hz) > 0)


def clicks(ecg, size_mv):
    """Six a second, of one sample each."""
    rng, made = np.random.default_rng(1), np.zeros(ecg.mv.shape[1])
    at = rng.choice(made.size, int(6 * made.size / ecg.hz))
    made[at] = size_mv * rng.choice([-1.0, 1.0], at.size)
    return made


def with_noise(ecg, noise):
    mv = ecg.mv.copy()
    mv[ecg.leads.index(LEAD)] += noise
    return replace(ecg, mv=mv)


def taken(ecg):
    return usable(Recording("a", dict(zip(ecg.leads, ecg.mv, strict=True)), ecg.hz, "unit"))


@pytest.mark.parametrize("noise", [white, muscle])
@pytest.mark.parametrize("sd_mv", [0.15, 0.3, 1.0])
@pytest.mark.parametrize("file", REAL, ids=[file[-1][:8] for file in REAL])
def test_a_real_recording_keeps_its_qrs_beside_a_lead_in_noise(file, sd_mv, noise):
    """Before it was left out: 174 ms longer, 245 pacing spikes, or no beat at all."""
    ecg = read_ecg(real_data(*file))
    ours = taken(with_noise(ecg, noise(ecg, sd_mv)))
    assert ours.leads == tuple(lead for lead in ecg.leads if lead != LEAD)
    assert any(f"lead {LEAD} left out: buried in noise" in note for note in ours.notes)
    rhythm = find_beats(ours)
    assert mean_beat(rhythm).qrs_ms == pytest.approx(mean_beat(find_beats(ecg)).qrs_ms, abs=6)
    assert rhythm.spikes_ms.size == 0


@pytest.mark.parametrize("file", REAL, ids=[file[-1][:8] for file in REAL])
def test_no_lead_of_a_real_recording_is_called_buried(file):
    ecg = read_ecg(real_data(*file))
    assert taken(ecg).leads == ecg.leads


@pytest.mark.parametrize("file", REAL, ids=[file[-1][:8] for file in REAL])
def test_clicks_of_one_lead_are_no_pacing_spikes_and_change_no_other_lead(file):
    ecg = read_ecg(real_data(*file))
    noisy = with_noise(ecg, clicks(ecg, 3.0))
    rhythm = find_beats(noisy)
    assert rhythm.spikes_ms.size == 0
    # In one of them a late notch of 8 ms is in or out, by very little.
    assert mean_beat(rhythm).qrs_ms == pytest.approx(mean_beat(find_beats(ecg)).qrs_ms, abs=9)
    others = [k for k, lead in enumerate(ecg.leads) if lead != LEAD]
    np.testing.assert_array_equal(without_spikes(noisy)[0].mv[others], ecg.mv[others])


def test_noise_in_all_leads_alike_leaves_none_out():
    ecg = healthy(noise_mv=0.1)
    assert taken(ecg).leads == ecg.leads


def test_as_many_noisy_leads_go_as_leave_three_independent_ones():
    ecg = healthy()
    mv = ecg.mv.copy()
    mv[6:] += white(ecg, 0.3)
    ours = usable(Recording("a", dict(zip(ecg.leads[:9], mv[:9], strict=True)), ecg.hz, "unit"))
    assert len(set(ours.leads) & {"V1", "V2", "V3"}) == 1
