"""CardioTwin: from imaging and ECG to ranked virtual ablation plans. Research software, not a medical device."""

from __future__ import annotations

import importlib
import os
from typing import Any

from cardiotwin.compiled import cache_folder

# GNU OpenMP waits by spinning: on busy cores a parallel region costs 8 ms, not 0.04 ms. Set before Numba loads it. A
# thread that sleeps at once is woken late, which made 0.30 ms of one of 0.25: it looks about a thousand times first
# (some 0.03 ms), and no more, for whoever it waits for may need this very core. What the user has set stays.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# Numba reads this when it is imported.
if "NUMBA_CACHE_DIR" not in os.environ and (_cache := cache_folder()) is not None:
    os.environ["NUMBA_CACHE_DIR"] = str(_cache)

__version__ = "0.1.0"

_HOME = {
    "read_dicom": "cardiotwin.ingest",
    "read_label_map": "cardiotwin.ingest",
    "read_ecg": "cardiotwin.ingest",
    "read_electrodes": "cardiotwin.ingest",
    "segment": "cardiotwin.segmentation",
    "build_heart": "cardiotwin.heart.heart",
    "make_tissue": "cardiotwin.tissue.tissue",
    "simulate": "cardiotwin.monodomain",
    "calibrate": "cardiotwin.calibration.fit",
    "ensemble_beat": "cardiotwin.calibration.beat_of_ensemble",
    "front_to_tissue": "cardiotwin.calibration.front_velocity",
    "screen": "cardiotwin.induction.programmed_stimulation",
    "induce": "cardiotwin.induction.programmed_stimulation",
    "read_plan": "cardiotwin.ingest.plan_files",
    "propose_plans": "cardiotwin.ablation.proposals",
    "default_electrodes": "cardiotwin.ecg.electrodes",
    "read_protocol": "cardiotwin.settings",
    "compare": "cardiotwin.comparison.retesting",
    "on_cluster": "cardiotwin.cluster",
    "Twin": "cardiotwin.twin.twin",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    """Import on first use: the command line must not wait for Numba and VTK."""
    if name not in _HOME:
        raise AttributeError(f"module 'cardiotwin' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
