"""How near a calibration comes to patients whose truth is drawn. Shown by `benchmarks/calibration.py`, group
``patients``; `score` serves other groups too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from drawn_patients import TISSUE, Patient, drawn_patient, followed_velocities
from scipy.spatial import cKDTree
from table import Row, listed, row

from cardiotwin.calibration import Posterior, calibrate
from cardiotwin.eikonal import prepare, solve
from cardiotwin.errors import CardioTwinError
from cardiotwin.heart import Heart
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import CalibrateSettings

MEMBERS = 16
"""Of each posterior, whose activation is compared."""


@dataclass(frozen=True, eq=False)
class Score:
    """How near one posterior is to the truth; lengths in mm, times in ms, velocity errors relative."""

    correlation: float
    endocardium: float
    cross: float
    fibre: float
    inside: tuple[bool, ...]
    activation: float
    spread: float
    earliest: float
    wall_s: float
    processor_s: float


def score(patient: Patient, heart: Heart, settings: CalibrateSettings) -> tuple[Posterior, Score]:
    """Calibrate on a mesh of the twin's own, its scar as `heart` has it, and compare."""
    start, start_processor = time.perf_counter(), time.process_time()
    posterior = calibrate(heart, [patient.ecg], patient.electrodes, settings, TISSUE)
    wall, processor = time.perf_counter() - start, time.process_time() - start_processor
    true = {name: float(getattr(patient.velocities, name)) for name in ("endocardium", "cross", "fibre")}
    found = {name: posterior.interval(getattr(posterior, f"velocity_{name}")) for name in true}
    error = {name: found[name][1] / true[name] - 1.0 for name in true}
    first = posterior.site_positions[np.arange(len(posterior.weights)), posterior.site_times_ms.argmin(axis=1)]
    away = np.linalg.norm(first - patient.sites[patient.site_times_ms.argmin()], axis=1)
    activation, spread = activation_error(patient, heart, posterior)
    return posterior, Score(
        float(posterior.weights @ posterior.correlation),
        **error,
        inside=tuple(found[name][0] <= true[name] <= found[name][2] for name in true),
        activation=activation,
        spread=spread,
        earliest=posterior.interval(away)[1],
        wall_s=wall,
        processor_s=processor,
    )


def followed_error(patient: Patient, posterior: Posterior) -> tuple[float, float]:
    """Of the endocardial and the cross velocity, against those that an eikonal front needs to follow the true beat."""
    best = followed_velocities(patient)
    middle = [posterior.interval(getattr(posterior, f"velocity_{name}"))[1] for name in ("endocardium", "cross")]
    return middle[0] / float(best.endocardium or np.nan) - 1.0, middle[1] / float(best.cross) - 1.0


def activation_error(patient: Patient, heart: Heart, posterior: Posterior) -> tuple[float, float]:
    """Mean absolute error of the ensemble's mean activation, middles aligned, and the ensemble's own deviation, ms."""
    members = posterior.draws(MEMBERS, 0)
    sites = cKDTree(heart.mesh.points).query(posterior.site_positions[members])[1]
    speeds = [posterior.velocities(int(member)) for member in members]
    times = solve(prepare(heart, TISSUE), speeds, sites, posterior.site_times_ms[members])
    apart, nearest = cKDTree(patient.heart.mesh.points).query(heart.mesh.points)
    true = patient.activation_ms[nearest]
    both = np.isfinite(times).all(axis=0) & np.isfinite(true) & (apart < 2.0)
    times, true = times[:, both], true[both]
    times = times - np.median(times - true, axis=1, keepdims=True)
    return float(np.abs(times.mean(axis=0) - true).mean()), float(times.std(axis=0).mean())


def patient_rows(n_patients: int) -> Iterable[Row]:
    """Drawn patients, electrodes known; one line each, then the bars."""
    scores, follows, refused = [], [], 0
    for seed in range(1, n_patients + 1):
        patient, settings = drawn_patient(seed), CalibrateSettings(seed=seed)
        try:
            posterior, one = score(patient, true_heart(patient.anatomy, settings.edge_mm), settings)
        except CardioTwinError as error:
            refused += 1
            yield row(f"patient {seed}", None, "", note=f"refused: {error}")
            continue
        scores.append(one)
        follows.append(followed_error(patient, posterior))
        note = (
            f"endocardial {one.endocardium:+.0%}, cross {one.cross:+.0%}, fibre {one.fibre:+.0%} "
            f"(of what follows the true beat: endocardial {follows[-1][0]:+.0%}, cross {follows[-1][1]:+.0%}); "
            f"inside {one.inside}; activation {one.activation:.1f} ms (ensemble's deviation {one.spread:.1f}); "
            f"earliest site {one.earliest:.0f} mm; {one.wall_s:.0f} s, processor {one.processor_s:.0f} s"
        )
        yield row(f"patient {seed}: QRS correlation", one.correlation, "1", note=note)
    yield from patient_summary(scores, follows, refused)


def patient_summary(scores: list[Score], follows: list[tuple[float, float]], refused: int) -> list[Row]:
    """The bars, on the median patient; the note holds all."""
    note = f"median of {len(scores)} patients, {refused} refused"
    if not scores:
        return [row("patients: QRS correlation", None, "1", 0.95, False, note)]

    def line(name: str, values: list[float], unit: str, bar: float, *, least: bool = False) -> Row:
        middle = float(np.median(values))
        return row(name, middle, unit, bar, middle >= bar if least else middle <= bar, listed(values, note))

    inside = np.array([one.inside for one in scores])
    return [
        line("patients: QRS correlation", [s.correlation for s in scores], "1", 0.95, least=True),
        line("patients: endocardial velocity, error", [abs(s.endocardium) for s in scores], "1", 0.10),
        line("patients: sheet velocity, error", [abs(s.cross) for s in scores], "1", 0.10),
        line("patients: endocardial velocity, of what follows the beat", [abs(one[0]) for one in follows], "1", 0.10),
        line("patients: sheet velocity, of what follows the beat", [abs(one[1]) for one in follows], "1", 0.10),
        line("patients: activation, mean error", [s.activation for s in scores], "ms", 12.0),
        line("patients: earliest site, error", [s.earliest for s in scores], "mm", 10.0),
        row("patients: velocities in their 90 % interval", float(inside.mean()), "1", note=str(inside.mean(axis=0))),
        row("patients: wall time", float(np.median([s.wall_s for s in scores])), "s"),
    ]
