"""Thresholds are weighed by the evidence of a calibration each; what is within its noise decides nothing."""

from dataclasses import replace

import numpy as np
import pytest
from small_study import small_study

from cardiotwin.calibration import scar_evidence as module
from cardiotwin.calibration.scar_evidence import ScarEvidence, nothing, scar_evidence
from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.heart.heart import CORE
from cardiotwin.segmentation import relabel, volumes_ml
from cardiotwin.settings import CalibrateSettings, MeshSettings, Settings, TissueSettings
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin.stages import path


def evidence(log_evidence, noise):
    n = np.array(log_evidence, float)
    return ScarEvidence(np.tile([0.4, 0.6], (len(n), 1)), n, n, n, np.array(noise, float), n, ("",) * len(n))


def test_probability_is_the_evidence_s_share():
    found = evidence([-100.0, -100.0 - np.log(3.0), np.nan], [0.1, 0.1, np.nan])
    assert found.probability == pytest.approx([0.75, 0.25, 0.0])
    assert evidence([np.nan, np.nan], [1.0, 1.0]).probability == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize(
    ("log_evidence", "noise", "decided"),
    [
        ([-3.0, -7.0], [0.5, 0.5], True),
        ([-3.0, -5.0], [0.1, 0.1], False),
        ([-3.0, -7.0], [2.5, 2.5], False),
        ([-3.0, np.nan], [0.1, 0.1], False),
    ],
)
def test_a_difference_within_the_noise_decides_nothing(log_evidence, noise, decided):
    assert evidence(log_evidence, noise).decided is decided


@pytest.fixture
def calibrations(monkeypatch):
    """Each calibration is remembered, and its evidence is how much core its heart has; one too large is refused."""
    seen = []

    def calibrate(heart, ecgs, electrodes, settings, tissue, progress):
        core_mm3 = float(heart.mesh.volumes[heart.tissue_class == CORE].sum())
        seen.append((heart.edge_mm, core_mm3))
        if len(seen) == 3:
            raise QualityGate("no conducting endocardium")
        posterior = small_study(4.0).posterior
        notes = {"log evidence": core_mm3, "log evidence, populations apart": 0.3}
        return replace(posterior, notes=posterior.notes | notes)

    monkeypatch.setattr(module, "calibrate", calibrate)
    return seen


def test_each_pair_has_its_own_heart_and_a_refused_one_stays_in_the_table(calibrations):
    study, pairs = small_study(4.0), ((0.35, 0.65), (0.4, 0.6), (0.3, 0.7))
    settings = CalibrateSettings(edge_mm=3.5)
    found = scar_evidence(study.segmentation, study.ecgs, study.electrodes, pairs, settings)
    assert [edge for edge, _ in calibrations] == [3.5] * 3
    cores = [one for _, one in calibrations]
    assert cores[1] > 1.1 * cores[0] > 0.0, "signal is 1 in core and 0.625 around it"
    assert cores[2] == cores[0]
    assert found.log_evidence[:2] == pytest.approx(cores[:2])
    assert found.refused == ("", "", "no conducting endocardium")
    assert np.isnan(found.log_evidence[2])
    assert found.probability[2] == 0.0
    masses = [volumes_ml(relabel(study.segmentation, *pair))["core"] for pair in pairs]
    assert found.core_g == pytest.approx(1.05 * np.array(masses), rel=0.02)
    assert found.thresholds.tolist() == [list(pair) for pair in pairs]


def test_mesh_and_tissue_are_the_user_s(calibrations, monkeypatch):
    study, made = small_study(4.0), []

    def build_heart(segmentation, mesh, *, rv_wall_mm, progress):
        made.append((mesh.edge_mm, mesh.fibre_endocardium_deg, rv_wall_mm))
        return study.heart

    def calibrate(heart, ecgs, electrodes, settings, tissue, progress):
        made.append(tissue)
        return replace(study.posterior, notes={"log evidence": -1.0, "log evidence, populations apart": 0.5})

    monkeypatch.setattr(module, "build_heart", build_heart)
    monkeypatch.setattr(module, "calibrate", calibrate)
    tissue, mesh = TissueSettings(velocity_fibre_m_per_s=0.7), MeshSettings(fibre_endocardium_deg=50.0)
    scar_evidence(
        study.segmentation, study.ecgs, study.electrodes, ((0.4, 0.6),), CalibrateSettings(edge_mm=2.5), tissue, mesh,
        rv_wall_mm=4.0,
    )  # fmt: skip
    assert made == [(2.5, 50.0, 4.0), tissue]


def test_nothing_asked_is_nothing_weighed(calibrations):
    study = small_study(4.0)
    assert scar_evidence(study.segmentation, study.ecgs, study.electrodes, ()).note == "no pairs were asked about"
    with pytest.raises(ValueError, match="found a pair twice"):
        CalibrateSettings(scar_thresholds=((0.4, 0.6), (0.4, 0.6)))


def test_without_a_signal_there_is_nothing_to_weigh(calibrations):
    study = small_study(4.0)
    drawn = replace(study.segmentation, signal=None)
    found = scar_evidence(drawn, study.ecgs, study.electrodes, ((0.4, 0.6),))
    assert "no signal to threshold" in found.note
    assert not calibrations
    assert not len(nothing("why").thresholds)


def test_pairs_that_are_none_are_refused():
    with pytest.raises((SettingsError, ValueError), match=r"pair 0\.6, 0\.4; expected 0 < border zone"):
        Settings.model_validate({"calibrate": {"scar_thresholds": [[0.6, 0.4]]}})


def test_a_mesh_of_the_user_s_own_has_no_thresholds():
    def names(*kinds):
        made = [Observation(f"{k:064x}", kind, "", "", "", "", "", "") for k, kind in enumerate(kinds)]
        return {step.name for step in path(made)}

    assert "scar thresholds" in names("image", "ecg")
    assert "scar thresholds" not in names("image", "mesh", "ecg")
