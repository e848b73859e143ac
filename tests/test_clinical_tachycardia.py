"""A recorded tachycardia finds the circuit that made it, whatever the amplifier did to it on the way."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart
from scipy.signal import resample_poly
from test_tachycardia_ecg import seen as circuit_of

from cardiotwin.ecg.recording import LEADS, Ecg
from cardiotwin.errors import QualityGate
from cardiotwin.induction.clinical_tachycardia import clinical_cycle, match
from cardiotwin.report.tachycardias import Scored

DIRECTIONS = {"left": (1, 0, 0), "front": (0, -1, 0), "up": (0, 0, 1), "slanted": (-1, 1, -1)}


@pytest.fixture(scope="module")
def circuits():
    heart = block_heart((9, 9, 9), 3.0)
    return {name: circuit_of(heart, np.array(way) / np.linalg.norm(way)) for name, way in DIRECTIONS.items()}


def recorded(tachycardia, *, cycle_ms=300.0, seconds=8.0, noise_mv=0.04, wander_mv=0.3, hz=1000, jitter_ms=0.0, at=0.0):
    """What an amplifier makes of it: another rate and gain, noise, a baseline that wanders, cycles of unequal length.

    The largest lead is 1.2 mV from peak to peak.
    """
    rng = np.random.default_rng(7)
    cycle = tachycardia.cycle.mv * 1.2 / np.ptp(tachycardia.cycle.mv, axis=1).max()
    time = np.arange(round(1000 * seconds), dtype=float) - at
    begins = np.cumsum(np.concatenate([[-3 * cycle_ms], cycle_ms + jitter_ms * rng.standard_normal(400)]))
    turn = np.interp(time, begins, np.arange(begins.size)) % 1.0
    phases = np.arange(cycle.shape[1]) / cycle.shape[1]
    mv = np.array([np.interp(turn, phases, one, period=1.0) for one in cycle])
    mv += wander_mv * np.sin(2e-3 * np.pi * 0.25 * time + np.arange(12)[:, None])
    mv = resample_poly(mv, hz, 1000, axis=1)
    return Ecg(LEADS, mv + noise_mv * rng.standard_normal(mv.shape), float(hz))


def scores(ecg, circuits):
    measured = clinical_cycle(ecg)
    return {name: match(measured, one).correlation for name, one in circuits.items()}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_circuit_that_made_it_scores_highest_through_noise_rate_and_wander(circuits, name):
    found = scores(recorded(circuits[name], cycle_ms=345.0, hz=500, jitter_ms=3.0), circuits)
    assert max(found, key=found.get) == name
    assert found[name] > 0.95
    assert max(score for other, score in found.items() if other != name) < found[name] - 0.2


@pytest.mark.parametrize("cycle_ms", [212.0, 287.4, 345.0, 560.0])
@pytest.mark.parametrize(("hz", "jitter_ms"), [(250, 0.0), (1000, 2.0)])
def test_the_cycle_length_is_found_within_2_ms(circuits, cycle_ms, hz, jitter_ms):
    found = clinical_cycle(recorded(circuits["slanted"], cycle_ms=cycle_ms, hz=hz, jitter_ms=jitter_ms))
    assert found.cycle_length_ms == pytest.approx(cycle_ms, abs=2.0)
    assert found.n_cycles > 0.7 * 8000.0 / cycle_ms


def test_where_the_recording_begins_does_not_matter(circuits):
    now, later = (clinical_cycle(recorded(circuits["up"], at=at)) for at in (0.0, 130.0))
    one, other = (match(measured, circuits["up"]) for measured in (now, later))
    assert one.correlation == pytest.approx(other.correlation, abs=0.01)
    assert one.cycle_difference_ms == pytest.approx(0.0, abs=2.0)


def test_neither_amplitude_nor_rate_is_compared(circuits):
    ecg = recorded(circuits["up"])
    larger = replace(ecg, mv=3.0 * ecg.mv)
    score = match(clinical_cycle(ecg), circuits["up"]).correlation
    assert match(clinical_cycle(larger), circuits["up"]).correlation == pytest.approx(score, abs=1e-3)
    slower = match(clinical_cycle(recorded(circuits["up"], cycle_ms=420.0)), circuits["up"])
    assert slower.correlation == pytest.approx(score, abs=0.01)
    assert slower.cycle_difference_ms == pytest.approx(-120.0, abs=2.0)


def test_the_shift_is_how_long_after_its_beginning_the_measured_cycle_leaves_the_isthmus(circuits):
    seen = circuits["slanted"]
    measured = clinical_cycle(recorded(seen))
    turned = replace(measured, mv=np.roll(seen.cycle.mv, 75, axis=1), leads=seen.cycle.leads)
    assert match(turned, seen).shift == pytest.approx(75 / seen.cycle.mv.shape[1], abs=0.01)
    assert match(turned, seen).correlation == pytest.approx(1.0, abs=0.01)


def test_a_mirrored_one_scores_low_and_its_axis_and_pattern_differ(circuits):
    ecg = recorded(circuits["slanted"])
    true = match(clinical_cycle(ecg), circuits["slanted"])
    mirrored = match(clinical_cycle(replace(ecg, mv=-ecg.mv)), circuits["slanted"])
    assert true.same_pattern is True
    assert true.axis_difference_deg < 10.0
    assert mirrored.correlation < true.correlation - 0.3
    # Its best shift is another, but no shift makes of a wave one the other way.
    assert mirrored.correlation < 0.7


def test_the_true_axis_and_pattern_agree_and_the_opposite_ones_do_not(circuits):
    measured = clinical_cycle(recorded(circuits["up"]))
    assert match(measured, circuits["up"]).axis_difference_deg < 10.0
    assert match(measured, circuits["slanted"]).axis_difference_deg > 60.0


def test_missing_flat_and_noisy_leads_are_left_out_and_too_few_are_refused(circuits):
    ecg = recorded(circuits["left"])
    mv = ecg.mv.copy()
    mv[LEADS.index("V2")] = 0.0
    mv[LEADS.index("V5")] = np.random.default_rng(1).standard_normal(mv.shape[1])
    without_v1 = [k for k, lead in enumerate(LEADS) if lead not in ("V1", "aVF")]
    found = clinical_cycle(Ecg(tuple(LEADS[k] for k in without_v1), mv[without_v1], ecg.hz))
    assert found.left_out == ("V2", "V5")
    told = match(found, circuits["left"])
    assert list(told.each) == [lead for lead in LEADS if lead not in ("V1", "V2", "V5", "aVF")]
    assert told.same_pattern is None
    assert np.isnan(told.axis_difference_deg)
    assert told.correlation > 0.95
    with pytest.raises(QualityGate, match="5 leads that show it"):
        clinical_cycle(Ecg(LEADS[:5], ecg.mv[:5], ecg.hz))


def test_a_beat_of_another_shape_is_left_out(circuits):
    ecg = recorded(circuits["up"])
    mv = ecg.mv.copy()
    mv[:, 2400:2700] = -mv[:, 2400:2700]
    found = clinical_cycle(replace(ecg, mv=mv))
    assert found.n_rejected >= 1
    assert match(found, circuits["up"]).correlation > 0.95


def test_an_irregular_rhythm_is_refused(circuits):
    """As in atrial fibrillation: narrow complexes that follow each other after 350 to 700 ms."""
    rng = np.random.default_rng(3)
    at = np.cumsum(rng.uniform(350.0, 700.0, 40))
    time = np.arange(10_000.0)
    wave = sum(
        np.exp(-0.5 * ((time - one) / 12.0) ** 2) + 0.2 * np.exp(-0.5 * ((time - one - 220) / 40.0) ** 2) for one in at
    )
    ecg = Ecg(LEADS, np.outer(rng.uniform(0.3, 1.0, 12), wave), 1000.0)
    with pytest.raises(QualityGate, match="no regular rhythm of 150 to 600 ms"):
        clinical_cycle(ecg)


def test_sinus_rhythm_at_75_a_minute_is_refused():
    time = np.arange(10_000.0) % 800.0
    wave = np.exp(-0.5 * ((time - 200) / 12.0) ** 2) + 0.3 * np.exp(-0.5 * ((time - 460) / 40.0) ** 2)
    with pytest.raises(QualityGate, match="no regular rhythm"):
        clinical_cycle(Ecg(LEADS, np.outer(np.linspace(0.4, 1.2, 12), wave), 1000.0))


def test_the_best_is_the_one_with_the_greatest_correlation(circuits):
    measured = clinical_cycle(recorded(circuits["front"]))
    found = Scored(measured, tuple(match(measured, one) for one in circuits.values()))
    assert list(circuits)[found.best] == "front"
    in_order = [found.matches[row].correlation for row in found.by_score]
    assert in_order == sorted(in_order, reverse=True)
    assert Scored(measured).best is None
