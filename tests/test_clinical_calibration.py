"""A real heart with its own ECG and electrodes (subject DTI004): read, measured, calibrated."""

import sys
from pathlib import Path

import numpy as np
import pytest
from data_folder import real_data

from cardiotwin.ecg.qrs import qrs_complex
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, Ecg
from cardiotwin.settings import CalibrateSettings


def test_the_clinical_complex_has_the_duration_its_authors_cut_out():
    """They kept 89 samples of 1 ms."""
    recorded = np.loadtxt(real_data("heart_dti004", "clinical_data", "DTI004_clinical_full_ecg.csv"), delimiter=",")
    complex_ = qrs_complex(Ecg(INDEPENDENT_LEADS, recorded / 1000.0, 1000.0))
    assert complex_.duration_ms == pytest.approx(89, abs=6)
    assert complex_.usable.all()


@pytest.mark.slow
def test_the_example_explains_the_clinical_qrs(tmp_path, monkeypatch):
    """Mean correlation over leads and the whole ensemble above 0.7 (Camps 2024 reports more than 0.7 for best fits)."""
    folder = real_data("heart_dti004")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "examples"))
    import calibrate_clinical_ecg as example

    quick = CalibrateSettings(n_particles=32, n_candidates=24, n_sites=6, n_moves=2)
    correlation = example.main(str(folder), str(tmp_path / "fit.png"), quick)
    assert correlation > 0.7
    assert (tmp_path / "fit.png").stat().st_size > 20_000
    sys.modules.pop("calibrate_clinical_ecg", None)
