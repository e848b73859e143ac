"""How near a calibration comes to patients whose truth is drawn. Shown by `benchmarks/calibration.py`, group
``patients``; `score` serves other groups too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from cases import computed
from drawn_patients import TISSUE, Patient, drawn_patient
from recovery import Recovery, recovery, recovery_rows
from scipy.spatial import cKDTree
from table import Row, listed, row

from cardiotwin.calibration.beat_of_ensemble import activation_of
from cardiotwin.calibration.fit import calibrate
from cardiotwin.calibration.front_velocity import front_to_tissue
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.errors import CardioTwinError
from cardiotwin.heart.heart import Heart
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import CalibrateSettings, MeshSettings

TISSUE_EDGE_MM = MeshSettings().edge_mm
"""Of the twin's mesh for the monodomain model, unless the user chooses another."""
MEMBERS = 16
"""Of each posterior, whose activation is compared."""


@dataclass(frozen=True, eq=False)
class Score:
    """How near one posterior is to the truth; lengths in mm, times in ms, velocity errors, of the front, relative.

    `earliest` is from a member's earliest site to the true one, `earliest_to_any` to the nearest of all true sites,
    `earliest_told` from where the ensemble as a whole says that activation begins to the true earliest site.
    """

    correlation: float
    endocardium: float
    cross: float
    fibre: float
    activation: float
    spread: float
    earliest: float
    earliest_to_any: float
    earliest_told: float
    evidence: float
    wall_s: float
    processor_s: float


def score(patient: Patient, heart: Heart, settings: CalibrateSettings) -> tuple[Posterior, Score]:
    """Calibrate on a mesh of the twin's own, its scar as `heart` has it, and compare."""
    start, start_processor = time.perf_counter(), time.process_time()
    posterior = calibrate(heart, [patient.ecg], patient.electrodes, settings, TISSUE)
    wall, processor = time.perf_counter() - start, time.process_time() - start_processor
    error, _ = velocity_errors(patient, posterior)
    away = np.linalg.norm(posterior.earliest_positions[:, None] - patient.sites, axis=2)
    true_first = patient.site_times_ms.argmin()
    activation, spread = activation_error(patient, heart, posterior)
    return posterior, Score(
        float(posterior.weights @ posterior.correlation),
        **error,
        activation=activation,
        spread=spread,
        earliest=posterior.interval(away[:, true_first])[1],
        earliest_to_any=posterior.interval(away.min(axis=1))[1],
        earliest_told=float(np.linalg.norm(posterior.earliest_position - patient.sites[true_first])),
        evidence=float(posterior.notes["log evidence"]),
        wall_s=wall,
        processor_s=processor,
    )


def tissue_of(patient: Patient, fitted_on: Heart, posterior: Posterior) -> Posterior:
    """The ensemble with the velocities that its own mesh needs to make such a beat: what the truth is told in."""
    heart = true_heart(patient.anatomy, TISSUE_EDGE_MM)
    return front_to_tissue(heart, posterior, TISSUE, fitted_on=fitted_on).tissue(posterior)


def velocity_errors(patient: Patient, posterior: Posterior) -> tuple[dict[str, float], tuple[bool, ...]]:
    """Relative error of the median, by direction, and whether the 90 % interval holds the truth."""
    true = {name: float(getattr(patient.velocities, name)) for name in ("endocardium", "cross", "fibre")}
    found = {name: posterior.interval(getattr(posterior, f"velocity_{name}")) for name in true}
    error = {name: found[name][1] / true[name] - 1.0 for name in true}
    return error, tuple(found[name][0] <= true[name] <= found[name][2] for name in true)


def activation_error(patient: Patient, heart: Heart, posterior: Posterior) -> tuple[float, float]:
    """Mean absolute error of the ensemble's mean activation, middles aligned, and the ensemble's own deviation, ms."""
    members = posterior.draws(MEMBERS, 0)
    times = activation_of(heart, posterior, members, TISSUE)
    apart, nearest = cKDTree(patient.heart.mesh.points).query(heart.mesh.points)
    true = patient.activation_ms[nearest]
    both = np.isfinite(times).all(axis=0) & np.isfinite(true) & (apart < 2.0)
    times, true = times[:, both], true[both]
    times = times - np.median(times - true, axis=1, keepdims=True)
    return float(np.abs(times.mean(axis=0) - true).mean()), float(times.std(axis=0).mean())


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What came of one patient; errors of the tissue's velocities, by name, and whether their intervals hold the truth;
    `refused` says why there is nothing else. The ensemble is kept for questions that no row asks."""

    score: Score | None
    error: dict[str, float]
    inside: tuple[bool, ...]
    recovery: Recovery | None
    posterior: Posterior | None
    refused: str = ""


def calibrated(_: None, seed: int) -> Calibrated:
    """Draw a patient, calibrate on a mesh of the twin's own, compare."""
    patient, settings = drawn_patient(seed), CalibrateSettings(seed=seed)
    try:
        heart = true_heart(patient.anatomy, settings.edge_mm)
        posterior, one = score(patient, heart, settings)
        error, inside = velocity_errors(patient, tissue_of(patient, heart, posterior))
        return Calibrated(one, error, inside, recovery(patient, heart, posterior), posterior)
    except CardioTwinError as error:
        return Calibrated(None, {}, (), None, None, str(error))


def patient_rows(n_patients: int) -> Iterable[Row]:
    """Drawn patients, electrodes known; one line each, then the bars."""
    seeds = range(1, n_patients + 1)
    cases = {f"patient_{seed:02d}": seed for seed in seeds}
    every = dict(zip(seeds, computed("patients", calibrated, None, cases, Calibrated), strict=True))
    for seed, one in every.items():
        yield patient_row(seed, one)
    told = [one for one in every.values() if one.score is not None]
    yield from patient_summary(told, n_patients - len(told))
    yield from recovery_rows([one.recovery for one in told])


def patient_row(seed: int, one: Calibrated) -> Row:
    """One patient in a line."""
    if one.score is None:
        return row(f"patient {seed}", None, "", note=f"refused: {one.refused}")
    found, front = one.error, one.score
    note = (
        f"endocardial {found['endocardium']:+.0%}, cross {found['cross']:+.0%}, fibre {found['fibre']:+.0%} "
        f"(of the front {front.endocardium:+.0%}, {front.cross:+.0%}, {front.fibre:+.0%}); inside {one.inside}; "
        f"activation {front.activation:.1f} ms (ensemble's deviation {front.spread:.1f}); earliest site "
        f"{front.earliest:.0f} mm, {front.earliest_to_any:.0f} from the nearest true one, {front.earliest_told:.0f} as "
        f"told; {front.wall_s:.0f} s, processor {front.processor_s:.0f} s"
    )
    return row(f"patient {seed}: QRS correlation", front.correlation, "1", note=note)


def patient_summary(told: list[Calibrated], refused: int) -> list[Row]:
    """The bars, on the median patient; the note holds all."""
    note = f"median of {len(told)} patients, {refused} refused"
    scores = [one.score for one in told if one.score is not None]
    if not scores:
        return [row("patients: QRS correlation", None, "1", 0.95, False, note)]

    def line(name: str, values: list[float], unit: str, bar: float, *, least: bool = False) -> Row:
        middle = float(np.median(values))
        return row(name, middle, unit, bar, middle >= bar if least else middle <= bar, listed(values, note))

    inside = np.array([one.inside for one in told])
    least = float(inside.mean(axis=0).min())
    errors = {name: [abs(one.error[name]) for one in told] for name in ("endocardium", "cross", "fibre")}
    return [
        line("patients: QRS correlation", [s.correlation for s in scores], "1", 0.95, least=True),
        line("patients: endocardial velocity, error", errors["endocardium"], "1", 0.10),
        line("patients: sheet velocity, error", errors["cross"], "1", 0.10),
        line("patients: endocardial velocity of the front, error", [abs(s.endocardium) for s in scores], "1", 0.10),
        line("patients: sheet velocity of the front, error", [abs(s.cross) for s in scores], "1", 0.10),
        line("patients: activation, mean error", [s.activation for s in scores], "ms", 12.0),
        line("patients: earliest site, error", [s.earliest for s in scores], "mm", 10.0),
        line("patients: where activation is said to begin, error", [s.earliest_told for s in scores], "mm", 10.0),
        line("patients: earliest site to the nearest true one", [s.earliest_to_any for s in scores], "mm", 10.0),
        row("patients: velocity least often within 90 %", least, "1", 0.85, least >= 0.85, str(inside.mean(0))),
        row("patients: wall time", float(np.median([s.wall_s for s in scores])), "s"),
    ]
