"""The duration of a simulated QRS complex against the activation that made it, by the one detector for all ECGs; and
the ECG of the eikonal model against that of the monodomain model on the same heart.

Shown by `benchmarks/calibration.py`, groups ``qrs_duration`` and ``monodomain``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from drawn_patients import TISSUE, Patient, drawn_anatomy, drawn_patient, recorded
from scipy.spatial import cKDTree
from table import Row, row

from cardiotwin.calibration.fit import calibration_ranges
from cardiotwin.calibration.qrs_prior import velocities_drawn
from cardiotwin.ecg.electrodes import Electrodes, default_electrodes
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.ecg.qrs import qrs_complex, smoothed
from cardiotwin.ecg.recording import Ecg
from cardiotwin.eikonal import conducting_tets, prepare, solve
from cardiotwin.heart.heart import BORDER_ZONE, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import CalibrateSettings
from cardiotwin.tissue.tissue import Velocities

PRIOR = CalibrateSettings()
PER_HEART = 5
FIRST_SEED = 11
"""The detector was settled on seeds 1 to 6 with 2.5 % as its lower fraction; these seeds, from here on, and DTI004 were
in view when that became 3 %."""
FIRST_END_MS, END_SLOPE = 280.0, 0.7
"""When the earliest tissue is repolarised, and how much of its delay later tissue keeps: T is upright below 1."""
BEFORE_MS, AFTER_MS, BEAT_MS = 300, 150, 450.0
MOST_SHIFT_MS = 20


def ecg_of(heart: Heart, electrodes: Electrodes, velocities: Velocities, times: np.ndarray, *, with_t: bool) -> Ecg:
    """Twelve leads of an activation, conductivities as the squares of the velocities; infinite times stay at rest."""
    speed = np.array([velocities.fibre, velocities.cross, velocities.cross], float)
    slower = np.where(heart.tissue_class == BORDER_ZONE, TISSUE.border_zone_velocity_fraction, 1.0)
    weights = electrode_weights(heart, electrodes, np.outer(slower, speed) ** 2, conducting_tets(heart))
    ends = FIRST_END_MS + END_SLOPE * times if with_t else None
    return eikonal_ecg(electrodes.names, weights, times, duration_ms=BEAT_MS, repolarisation_ms=ends)


def drawn_activations(count: int) -> Iterator[tuple[float, Ecg, np.random.Generator]]:
    """Duration of an activation, ms, and its ECG without noise: five a heart, drawn from the calibration's prior."""
    for number in range(count):
        seed, of_heart = FIRST_SEED + number // PER_HEART, number % PER_HEART
        if of_heart == 0:
            heart = true_heart(drawn_anatomy(seed), PRIOR.edge_mm)
            electrodes, mesh = default_electrodes(heart), prepare(heart, TISSUE)
            alive = np.unique(heart.mesh.tets[conducting_tets(heart)])
            nodes = np.intersect1d(heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM), alive)
        rng = np.random.default_rng([seed, of_heart, 41])
        speed = velocities_drawn(calibration_ranges(PRIOR), PRIOR.velocity_fibre_prior_m_per_s, 1, rng)[0]
        velocities, sites = Velocities(*map(float, speed)), rng.choice(nodes, PRIOR.n_sites)
        onsets = rng.uniform(0.0, PRIOR.latest_site_ms, PRIOR.n_sites)
        times = solve(mesh, [velocities], sites[None], onsets[None] - onsets.min())[0]
        there = times[np.isfinite(times)]
        yield float(np.ptp(there)), ecg_of(heart, electrodes, velocities, times, with_t=True), rng


def qrs_duration_rows(count: int) -> Iterable[Row]:
    """First to last activation against onset to end of the complex, T waves included; noise: on six beats, averaged."""
    errors: dict[str, list[float]] = {"without noise": [], "with noise": []}
    for true, clean, rng in drawn_activations(count):
        single = Ecg(clean.leads, np.pad(clean.mv, [(0, 0), (BEFORE_MS, AFTER_MS)]), clean.hz)
        errors["without noise"].append(qrs_complex(single).duration_ms - true)
        errors["with noise"].append(qrs_complex(recorded(clean, rng)).duration_ms - true)
    for how, found in errors.items():
        yield spread(f"QRS duration against activation, {how}", np.array(found))


def spread(name: str, error: np.ndarray) -> Row:
    """The median of the sizes of errors, ms; the note has the rest."""
    size, worst = np.abs(error), error[np.argmax(np.abs(error))]
    note = (
        f"median size of {len(error)}; {(size <= 5.0).mean():.0%} within 5 ms, worst {worst:+.0f}; "
        f"median {np.median(error):+.0f}"
    )
    middle = float(np.median(size))
    return row(name, middle, "ms", 5.0, middle <= 5.0, note)


def monodomain_rows(count: int) -> Iterable[Row]:
    """QRS complexes of both models from the same sites at the same velocities, on the truth's own mesh."""
    found = []
    for seed in range(1, count + 1):
        patient = drawn_patient(seed)
        sites = cKDTree(patient.heart.mesh.points).query(patient.sites)[1]
        mesh = prepare(patient.heart, TISSUE)
        times = solve(mesh, [patient.velocities], sites[None], patient.site_times_ms[None])[0]
        ecg = ecg_of(patient.heart, patient.electrodes, patient.velocities, times, with_t=False)
        found.append(alike(patient.beat, ecg, float(np.ptp(times[np.isfinite(times)]))))
        yield row(f"patient {seed}: eikonal ECG against monodomain", found[-1], "1", note=_late(patient, times))
    worst, note = min(found), f"worst of {len(found)}; QRS, mean over leads, best of shifts to {MOST_SHIFT_MS} ms"
    yield row("eikonal ECG against monodomain, same heart", worst, "1", 0.95, worst >= 0.95, note)


def alike(beat: Ecg, ecg: Ecg, duration_ms: float) -> float:
    """Mean over leads of the correlation of two complexes that begin near 0, one moved to where it fits best."""
    length, most = round(duration_ms) + 2 * MOST_SHIFT_MS, MOST_SHIFT_MS
    one = np.pad(smoothed(ecg.mv), [(0, 0), (most, 0)])[:, :length]
    other = np.pad(smoothed(beat.mv), [(0, 0), (2 * most, 2 * most)], mode="edge")
    return max(_correlation(one, other[:, start : start + length]) for start in range(2 * most + 1))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    a, b = (mv - mv.mean(axis=1, keepdims=True) for mv in (one, other))
    length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / length).mean())


def _late(patient: Patient, times: np.ndarray) -> str:
    """How far the two activations differ, in words."""
    both = np.isfinite(times) & np.isfinite(patient.activation_ms)
    late = times[both] - patient.activation_ms[both]
    size = np.abs(late - np.median(late)).mean()
    return f"activation {size:.1f} ms apart on average, middles aligned; eikonal {np.median(late):+.1f} ms"
