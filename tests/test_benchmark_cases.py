"""What the benchmarks draw and compare is what they say."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import made_ecg_files as made
import numpy as np
import pytest
from cube_heart import block_heart
from data_folder import real_data
from ellipsoid_heart import ellipsoid_heart

from cardiotwin.ecg.recording import INDEPENDENT_LEADS, LEADS, Ecg
from cardiotwin.heart.heart import RIGHT


@pytest.fixture
def benchmark_module(monkeypatch):
    """Imports a script of the folder by name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module


def test_two_in_five_of_the_independent_leads_are_lost_and_no_lead_brings_one_back(benchmark_module):
    drop = benchmark_module("interval_coverage").without_leads
    ecg = Ecg(LEADS, np.arange(12.0)[:, None] * np.ones((12, 5)), 1000.0)
    rng = np.random.default_rng(0)
    left = [drop(ecg, 0.4, rng) for _ in range(2000)]
    assert np.mean([len(one.leads) for one in left]) == pytest.approx(4.8, abs=0.05)
    assert {len(one.leads) for one in left} == {4, 5}
    assert set().union(*(one.leads for one in left)) == set(INDEPENDENT_LEADS)
    for one in left[:20]:
        np.testing.assert_array_equal(one.mv[:, 0], [LEADS.index(lead) for lead in one.leads])
    assert drop(ecg, 0.0, rng) is ecg


def test_a_scar_that_is_ignored_conducts_everywhere_and_moves_nothing_else(benchmark_module):
    tissue_class = np.ones(48, np.uint8)
    tissue_class[:5] = 3
    heart = block_heart((2, 2, 2), 1.0, tissue_class=tissue_class)
    healthy = benchmark_module("scar_known").taken_for_healthy(heart)
    assert (healthy.tissue_class == 1).all()
    assert (heart.tissue_class[:5] == 3).all()
    assert healthy.mesh is heart.mesh


@pytest.mark.slow
def test_a_small_heart_has_a_core_that_nothing_crosses(benchmark_module):
    patient = benchmark_module("scar_known").small_patient(1)
    core = patient.heart.tissue_class == 3
    assert 0.05 < core.mean() < 0.4
    inside = np.setdiff1d(patient.heart.mesh.tets[core], patient.heart.mesh.tets[~core])
    assert np.isnan(patient.activation_ms[inside]).all()
    assert np.isfinite(patient.activation_ms).mean() > 0.6
    assert np.isfinite(patient.ecg.mv).all()


def test_what_knowing_the_scar_gains_is_its_mean_against_the_other(benchmark_module):
    Score = benchmark_module("patients").Score

    def one(correlation, activation):
        evidence = 10.0 * correlation + (2.0 if activation == 11.0 else 0.0)
        return Score(correlation, -0.1, 0.2, 0.0, activation, 1.0, 5.0, 4.0, 4.5, evidence, 1.0, 1.0)

    gains = benchmark_module("scar_known").gains
    rows = {
        row["name"]: row for row in gains([(one(0.9, 4.0), one(0.8, 9.0)), (one(0.9, 6.0), one(0.8, 11.0))], "hearts")
    }
    assert rows["scar known, hearts: activation, mean error"]["value"] == 5.0
    assert rows["scar known, hearts: activation, mean error"]["bar"] == 10.0
    assert rows["scar known, hearts: activation, mean error"]["ok"]
    assert rows["scar known, hearts: QRS correlation"]["ok"]
    assert not rows["scar known, hearts: earliest site, error"]["ok"]
    evidence = rows["scar known, hearts: the ECG's evidence is for it"]
    assert evidence["value"] == 0.5, "for one of the two"
    assert evidence["note"].startswith("1, -1;")
    assert gains([], "hearts")[0]["value"] is None


@pytest.mark.parametrize(
    ("file", "stated"),
    [
        (("dicom_waveform_pydicom", "waveform_ecg.dcm"), {"rate": 61.1, "qrs": 75.0, "qt": 368.0}),
        (("hl7_aecg_fda", "HL7_Example_aECG.xml"), {"qrs": 120.0, "qt": 420.0}),
        (("philips_sierra_xml", "129DYPRG.XML"), {"rate": 41.0, "qrs": 135.0, "qt": 476.0}),
        (("philips_sierra_xml", "2020-5-18_15-48-11.xml"), {"rate": 64.0, "qrs": 102.0, "qt": 399.0}),
        (("wfdb_ptb_s0010", "s0010_re.hea"), {}),
    ],
    ids=lambda value: value[0][:5] if isinstance(value, tuple) else "",
)
def test_what_the_device_measured_is_read_as_the_file_says(benchmark_module, file, stated):
    found = benchmark_module("recordings").stated_by_device(real_data("ecg", *file))
    assert found == pytest.approx(stated, abs=0.1)


def test_a_trace_or_a_pulse_that_is_not_on_the_page_is_noticed(benchmark_module, monkeypatch):
    from cardiotwin.pictures import ecg_paper

    recordings = benchmark_module("recordings")
    ecg = Ecg(LEADS, made.sinus(), 500.0)
    assert recordings.not_drawn(ecg_paper.ecg_page(ecg), ecg) == ""
    eleven = Ecg(LEADS[:8] + LEADS[9:], np.delete(ecg.mv, 8, axis=0), 500.0)
    assert recordings.not_drawn(ecg_paper.ecg_page(eleven), ecg) == "V3"
    assert recordings.not_drawn(ecg_paper.ecg_page(Ecg(LEADS, ecg.mv[:, :800], 500.0)), ecg).startswith("I, II, III")
    monkeypatch.setattr(ecg_paper, "_pulse", lambda *_: None)
    assert recordings.not_drawn(ecg_paper.ecg_page(ecg), ecg).startswith("pulse of row 1, pulse of row 2")


def test_complexes_that_lie_apart_are_alike_and_others_are_not(benchmark_module):
    alike = benchmark_module("qrs_duration").alike
    t = np.arange(450.0)
    waves = np.array([np.exp(-0.5 * ((t - middle) / 9.0) ** 2) for middle in (35.0, 50.0, 60.0)])
    late = np.pad(waves, [(0, 0), (7, 0)])[:, :450]
    for one, other in ((late, waves), (waves, late)):
        assert alike(Ecg(LEADS[:3], one, 1000.0), Ecg(LEADS[:3], other, 1000.0), 90.0) == pytest.approx(1.0, abs=1e-3)
    assert alike(Ecg(LEADS[:3], -late, 1000.0), Ecg(LEADS[:3], waves, 1000.0), 90.0) < 0.5


def test_true_gradients_are_differences_of_durations_between_ends(benchmark_module):
    heart = ellipsoid_heart(3.0, size=0.7)
    late = 5.0 + heart.mesh.points[:, 0]

    def gradients(duration):
        patient = SimpleNamespace(heart=heart, activation_ms=late, repolarisation_ms=late + duration)
        return benchmark_module("recovery").true_gradients(patient)

    assert gradients(280.0 - 20.0 * heart.transmural)[0] == pytest.approx(-20.0, abs=2.0)
    assert gradients(280.0 + 30.0 * heart.apicobasal)[1] == pytest.approx(27.0, abs=2.0)
    right = np.zeros(len(late))
    right[heart.mesh.tets[heart.ventricle == RIGHT]] = 1.0
    assert gradients(280.0 + 12.0 * right) == pytest.approx([0.0, 0.0, 12.0], abs=7.0)


def test_recovery_is_told_of_the_median_patient_and_of_those_without_a_t_wave(benchmark_module):
    recovery = benchmark_module("recovery")
    one = recovery.Recovery(0.9, np.array([-2.0, 6.0, 1.0]), np.array([True, False, True]), 4.0)
    other = recovery.Recovery(0.8, np.array([4.0, -8.0, 3.0]), np.array([True, True, False]), 6.0)
    rows = {row["name"]: row for row in recovery.recovery_rows([one, None, other])}
    assert rows["patients: T wave correlation"]["value"] == pytest.approx(0.85)
    assert "1 without a T wave" in rows["patients: T wave correlation"]["note"]
    assert rows["patients: duration from apex to base, error"]["value"] == pytest.approx(7.0)
    assert rows["patients: gradients of duration in their 90 % interval"]["value"] == pytest.approx(4.0 / 6.0, abs=1e-4)
    assert recovery.recovery_rows([None])[0]["value"] is None


def test_a_coarse_protocol_is_held_against_all_sites_of_the_full_one_segment_by_segment(benchmark_module):
    module = benchmark_module("coarse_protocol")
    found = module.Isthmuses
    hearts = {
        2: (found((7, 8), 3), [found((7,), 1), found((), 0), found((7, 12), 1)]),
        3: (found((), 0), [found((), 0), found((), 0)]),
    }
    sensitivity, specificity = module.compared(hearts)
    assert sensitivity["value"] == pytest.approx(0.5), "of 7 and 12 it found 7"
    assert specificity["value"] == pytest.approx(31 / 32, abs=1e-4), "8 was not there, 17 + 15 are"
    assert not sensitivity["ok"]
    assert specificity["ok"]
    assert "7, 12 full (from 2 of 19 sites), 7, 8 coarse" in sensitivity["note"]
    (nothing, _) = module.compared({3: hearts[3]})
    assert nothing["value"] is None
    assert not nothing["ok"]
