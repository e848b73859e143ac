"""From an ECG back to the heart that made it: patients whose truth is drawn, real subjects, missing leads.

    python benchmarks/calibration.py [--json] [--only patients,coverage,leads,clinical] [--cases 20]

A row holds the mean or the worst of its cases as it says; times are processor time of all threads and wall time.
"""

from __future__ import annotations

import runpy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from drawn_patients import TISSUE, Patient, drawn_patient, followed_velocities, recorded
from drawn_truth import DATA, data, skipped
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree
from table import Row, listed, options, row, show

from cardiotwin.calibration import Posterior, calibrate, calibration_ranges
from cardiotwin.ecg import Ecg, eikonal_ecg, electrode_weights, leads_from_electrodes
from cardiotwin.eikonal import prepare, solve
from cardiotwin.electrodes import Electrodes, default_electrodes
from cardiotwin.errors import CardioTwinError
from cardiotwin.heart import LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.qrs_prior import velocities_drawn
from cardiotwin.settings import CalibrateSettings
from cardiotwin.tissue import Velocities

MEMBERS = 16
"""Of each posterior, whose activation is compared."""


# --- Drawn patients --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Score:
    """How near one posterior is to the truth; lengths in mm, times in ms, velocity errors relative.

    `followed` are those of the endocardial and the cross velocity against the ones that an eikonal front needs to
    follow the true beat (`followed_velocities`).
    """

    correlation: float
    endocardium: float
    cross: float
    fibre: float
    followed: tuple[float, float]
    inside: tuple[bool, ...]
    activation: float
    spread: float
    earliest: float
    wall_s: float
    processor_s: float


def score(patient: Patient, settings: CalibrateSettings) -> Score:
    """Calibrate on a mesh of the twin's own and compare."""
    heart = true_heart(patient.anatomy, settings.edge_mm)
    start, start_processor = time.perf_counter(), time.process_time()
    posterior = calibrate(heart, [patient.ecg], patient.electrodes, settings, TISSUE)
    wall, processor = time.perf_counter() - start, time.process_time() - start_processor
    true = {name: float(getattr(patient.velocities, name)) for name in ("endocardium", "cross", "fibre")}
    found = {name: posterior.interval(getattr(posterior, f"velocity_{name}")) for name in true}
    error = {name: found[name][1] / true[name] - 1.0 for name in true}
    best = followed_velocities(patient)
    followed = tuple(found[name][1] / float(getattr(best, name)) - 1.0 for name in ("endocardium", "cross"))
    first = posterior.site_positions[np.arange(len(posterior.weights)), posterior.site_times_ms.argmin(axis=1)]
    away = np.linalg.norm(first - patient.sites[patient.site_times_ms.argmin()], axis=1)
    activation, spread = activation_error(patient, heart, posterior)
    return Score(
        float(posterior.weights @ posterior.correlation),
        **error,
        followed=(followed[0], followed[1]),
        inside=tuple(found[name][0] <= true[name] <= found[name][2] for name in true),
        activation=activation,
        spread=spread,
        earliest=posterior.interval(away)[1],
        wall_s=wall,
        processor_s=processor,
    )


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
    scores, refused = [], 0
    for seed in range(1, n_patients + 1):
        try:
            one = score(drawn_patient(seed), CalibrateSettings(seed=seed))
        except CardioTwinError as error:
            refused += 1
            yield row(f"patient {seed}", None, "", note=f"refused: {error}")
            continue
        scores.append(one)
        note = (
            f"endocardial {one.endocardium:+.0%}, cross {one.cross:+.0%}, fibre {one.fibre:+.0%} "
            f"(of what follows the true beat: endocardial {one.followed[0]:+.0%}, cross {one.followed[1]:+.0%}); "
            f"inside {one.inside}; activation {one.activation:.1f} ms (ensemble's deviation {one.spread:.1f}); "
            f"earliest site {one.earliest:.0f} mm; {one.wall_s:.0f} s, processor {one.processor_s:.0f} s"
        )
        yield row(f"patient {seed}: QRS correlation", one.correlation, "1", note=note)
    yield from patient_summary(scores, refused)


def patient_summary(scores: list[Score], refused: int) -> list[Row]:
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
        line(
            "patients: endocardial velocity, of what follows the beat", [abs(s.followed[0]) for s in scores], "1", 0.10
        ),
        line("patients: sheet velocity, of what follows the beat", [abs(s.followed[1]) for s in scores], "1", 0.10),
        line("patients: activation, mean error", [s.activation for s in scores], "ms", 12.0),
        line("patients: earliest site, error", [s.earliest for s in scores], "mm", 10.0),
        row("patients: velocities in their 90 % interval", float(inside.mean()), "1", note=str(inside.mean(axis=0))),
        row("patients: wall time", float(np.median([s.wall_s for s in scores])), "s"),
    ]


# --- Do nine in ten of the 90 % intervals hold the truth? ------------------------------------------------------------

SMALL = CalibrateSettings(edge_mm=3.0, n_particles=64, n_candidates=40, n_sites=3, latest_site_ms=12.0)
FEATURE_MS, DISCREPANCY = 4.0, 0.05
"""How long an error of the model lasts and how large it is, of the mean amplitude, on average."""


def small_heart() -> Heart:
    """A phantom without scar at seven tenths of its size, 3 mm edges: a calibration takes seconds."""
    whole = replace(
        make_anatomy(0), core_width_mm=0.01, core_corner_mm=0.001, border_zone_mm=0.0, corridor_width_mm=0.0
    )
    lengths = [name for name in whole.__dataclass_fields__ if name.startswith(("lv_", "rv_", "fillet"))]
    sizes = {name: 0.7 * getattr(whole, name) for name in lengths} | {"rv_wall_mm": 3.0, "lv_wall_mm": 8.0}
    return true_heart(replace(whole, **sizes), SMALL.edge_mm)


def drawn_from_prior(heart: Heart, electrodes: Electrodes, rng: np.random.Generator) -> tuple[Velocities, Ecg]:
    """Velocities, sites and times from the prior of the calibration, and an ECG with an error of the stated kind."""
    speed = velocities_drawn(calibration_ranges(SMALL), SMALL.velocity_fibre_prior_m_per_s, 1, rng)[0]
    velocities = Velocities(*map(float, speed))
    sites = rng.choice(heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM), SMALL.n_sites)
    onsets = rng.uniform(0.0, SMALL.latest_site_ms, SMALL.n_sites)
    times = solve(prepare(heart, TISSUE), [velocities], sites[None], onsets[None] - onsets.min())[0]
    sigma = np.tile([speed[0] ** 2, speed[1] ** 2, speed[1] ** 2], (len(heart.mesh.tets), 1))
    weights = electrode_weights(heart, electrodes, sigma, np.ones(len(heart.mesh.tets), bool))
    clean = eikonal_ecg(electrodes.names, weights, times, duration_ms=450.0, repolarisation_ms=300.0 + 0.7 * times)
    # A scale drawn as the likelihood integrates it out: inverse gamma of shape one.
    size = DISCREPANCY / np.sqrt(rng.exponential())
    wave = gaussian_filter1d(rng.standard_normal((len(electrodes.names), 450)), FEATURE_MS, axis=1)
    wave -= wave.mean(axis=1, keepdims=True)
    error = leads_from_electrodes(electrodes.names, wave / wave.std(), 1000.0).mv
    error *= size * np.abs(clean.mv).max(axis=1).mean() / error.std()
    error *= np.exp(-0.5 * (np.maximum(np.arange(450) - times.max(), 0.0) / 10.0) ** 2)
    return velocities, recorded(Ecg(clean.leads, clean.mv + error, 1000.0), rng)


def coverage_rows(n_cases: int = 200, *, removed: int = 0, name: str = "coverage") -> Iterable[Row]:
    """Simulation-based calibration on a small heart; `removed` of the twelve leads are lost at random."""
    heart = small_heart()
    electrodes = replace(default_electrodes(heart), measured=True)
    names, inside, width, refused = ("fibre", "cross", "endocardium"), [], [], 0
    for case in range(n_cases):
        rng = np.random.default_rng([case, 31])
        truth, ecg = drawn_from_prior(heart, electrodes, rng)
        kept = np.sort(rng.permutation(12)[removed:])
        ecg = Ecg(tuple(ecg.leads[k] for k in kept), ecg.mv[kept], ecg.hz)
        try:
            posterior = calibrate(heart, [ecg], electrodes, SMALL.model_copy(update={"seed": case}), TISSUE)
        except CardioTwinError:
            refused += 1
            continue
        bounds = [posterior.interval(getattr(posterior, f"velocity_{one}")) for one in names]
        inside.append([low <= getattr(truth, one) <= high for one, (low, _, high) in zip(names, bounds, strict=True)])
        width.append([high - low for low, _, high in bounds])
    share, wide = np.mean(inside, axis=0), np.mean(width, axis=0)
    for k, one in enumerate(names):
        note = f"{len(inside)} cases, {refused} refused, {removed} of 12 leads lost; mean width {wide[k]:.2f} m/s"
        ok = share[k] >= 0.85 and (removed > 0 or share[k] <= 0.95)
        note += "" if removed else "; asked 0.95 at most"
        yield row(f"{name}: {one} velocity in its 90 % interval", float(share[k]), "1", 0.85, ok, note)


def lost_lead_rows(n_cases: int = 200) -> Iterable[Row]:
    """The same with 40 % of the leads removed."""
    return coverage_rows(n_cases, removed=5, name="leads lost")


# --- A real subject --------------------------------------------------------------------------------------------------


def clinical_rows() -> Iterable[Row]:
    """DTI004's own heart, electrodes and averaged beat, as in the example."""
    name = "DTI004: QRS correlation"
    if data("heart_dti004") is None:
        return [skipped(name)]
    example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "calibrate_clinical_ecg.py"))
    start, start_processor = time.perf_counter(), time.process_time()
    posterior = example["fit"](DATA / "heart_dti004", CalibrateSettings(n_sites=6))
    wall, processor = time.perf_counter() - start, time.process_time() - start_processor
    low, middle, high = posterior.interval(posterior.correlation)
    note = f"mean over leads; 90 % of members {low:.2f} to {high:.2f}, best {posterior.correlation.max():.2f}"
    minutes = f"processor {processor / 60:.1f} min"
    return [
        row(name, middle, "1", 0.90, middle >= 0.90, note),
        row("DTI004: wall time on two cores", wall / 60.0, "min", 10.0, wall <= 600.0, minutes),
    ]


GROUPS: dict[str, Callable[[int], Iterable[Row]]] = {
    "patients": lambda n: patient_rows(n or 20),
    "coverage": lambda n: coverage_rows(n or 200),
    "leads": lambda n: lost_lead_rows(n or 200),
    "clinical": lambda _: clinical_rows(),
}


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    parser = options(__doc__)
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, comma between them")
    parser.add_argument("--cases", type=int, default=0, help="in each group, instead of 20 patients or 200 cases")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    if unknown := set(chosen) - set(GROUPS):
        parser.error(f"--only: no group {', '.join(sorted(unknown))}; expected {', '.join(GROUPS)}")
    show((GROUPS[name](arguments.cases) for name in chosen), as_json=arguments.json)


if __name__ == "__main__":
    main()
