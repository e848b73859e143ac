"""How near the T wave brings durations to those of patients whose truth is drawn. Shown by `benchmarks/patients.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from drawn_patients import TISSUE, Patient
from scipy.spatial import cKDTree
from table import Row, listed, row

from cardiotwin.calibration.beat_of_ensemble import ensemble_beat
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.repolarisation import GRADIENTS
from cardiotwin.heart.heart import EPICARDIUM, LV_ENDOCARDIUM, RIGHT, Heart


@dataclass(frozen=True, eq=False)
class Recovery:
    """T wave correlation; (3,) errors of the mean gradients, ms, whether 90 % of the draws hold the truth, and the mean
    error of the mean map of repolarisation, middles aligned, ms."""

    correlation: float
    errors_ms: np.ndarray
    inside: np.ndarray
    map_ms: float


def recovery(patient: Patient, heart: Heart, posterior: Posterior) -> Recovery | None:
    """None where the ECG shows no T wave."""
    found = ensemble_beat(heart, posterior, patient.ecg, patient.electrodes, TISSUE).repolarisation
    if found is None:
        return None
    true = true_gradients(patient)
    low, high = np.quantile(found.gradients_ms, (0.05, 0.95), axis=0)
    apart, nearest = cKDTree(patient.heart.mesh.points).query(heart.mesh.points)
    late = found.repolarisation_ms.mean(axis=0) - patient.repolarisation_ms[nearest]
    late = late[np.isfinite(late) & (apart < 2.0)]
    return Recovery(
        float(found.correlation.mean()),
        found.gradients_ms.mean(axis=0) - true,
        (low <= true) & (true <= high),
        float(np.abs(late - np.median(late)).mean()),
    )


def true_gradients(patient: Patient) -> np.ndarray:
    """(3,) ms: mean durations at the epicardium less the left endocardium, base less apex, right less left."""
    heart, duration = patient.heart, patient.repolarisation_ms - patient.activation_ms
    right = np.zeros(len(duration), bool)
    right[heart.mesh.tets[heart.ventricle == RIGHT]] = True
    ends = (
        (heart.surface_nodes(LV_ENDOCARDIUM), heart.surface_nodes(EPICARDIUM)),
        (heart.apicobasal < 0.1, heart.apicobasal > 0.9),
        (~right, right),
    )
    return np.array([np.nanmean(duration[far]) - np.nanmean(duration[near]) for near, far in ends])


def recovery_rows(found: list[Recovery | None]) -> list[Row]:
    """On the median patient; the note holds all."""
    told = [one for one in found if one is not None]
    note = f"median of {len(told)} patients, {len(found) - len(told)} without a T wave"
    if not told:
        return [row("patients: T wave correlation", None, "1", note=note)]

    def line(name: str, values: list[float], unit: str) -> Row:
        return row(f"patients: {name}", float(np.median(values)), unit, note=listed(values, note))

    inside = np.mean([one.inside for one in told], axis=0)
    return [
        line("T wave correlation", [one.correlation for one in told], "1"),
        line("repolarisation, mean error", [one.map_ms for one in told], "ms"),
        *(
            line(f"duration from {name}, error", [abs(float(one.errors_ms[k])) for one in told], "ms")
            for k, name in enumerate(GRADIENTS)
        ),
        row("patients: gradients of duration in their 90 % interval", float(inside.mean()), "1", note=str(inside)),
    ]
