"""What it costs to ignore a scar: calibration with the scar known against the same heart taken for healthy.

Drawn patients whose dense scar is larger than those of `drawn_patients.py`, so that it lies in the way: 55 mm of the
circumference of the free wall and half of its height, all of its depth. Small hearts, with a core of 40 mm and the
eikonal model's beat, are many in the same time. Shown by `benchmarks/calibration.py`, groups ``scar`` and
``small_scar``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from drawn_patients import Patient, drawn_anatomy, drawn_patient
from interval_coverage import SMALL, drawn_from_prior, repolarised, small_heart
from patients import Score, score
from table import Row, listed, row

from cardiotwin.ecg.electrodes import default_electrodes
from cardiotwin.errors import CardioTwinError
from cardiotwin.heart.heart import CORE, HEALTHY, Heart
from cardiotwin.phantom.anatomy import Anatomy, make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import CalibrateSettings

WIDTH_MM, APICAL, BASAL = 55.0, 0.2, 0.7
"""Of the core; where it begins and ends of the way from apex to base."""
SMALL_WIDTH_MM = 40.0
Compared = tuple[str, Patient, Heart, CalibrateSettings]
"""Name, truth, the mesh to calibrate on with the scar in it, and how."""


def with_large_scar(seed: int) -> Anatomy:
    """A drawn anatomy whose infarct, where it was drawn to be, is large."""
    return replace(drawn_anatomy(seed), core_width_mm=WIDTH_MM, core_apical=APICAL, core_basal=BASAL)


def taken_for_healthy(heart: Heart) -> Heart:
    """The same heart without any scar."""
    return replace(heart, tissue_class=np.full_like(heart.tissue_class, HEALTHY))


def small_patient(seed: int) -> Patient:
    """A small heart, a dense core anywhere on its free wall; its beat by the eikonal model on the twin's own mesh."""
    rng = np.random.default_rng([seed, 51])
    heart = small_heart(SMALL_WIDTH_MM, rng.uniform(50.0, 310.0))
    electrodes = replace(default_electrodes(heart), measured=True)
    truth = drawn_from_prior(heart, electrodes, rng)
    times = np.where(np.isfinite(truth.activation_ms), truth.activation_ms, np.nan)
    sites = heart.mesh.points[truth.sites]
    return Patient(
        make_anatomy(0), heart, truth.velocities, sites, truth.site_times_ms, times, repolarised(times), truth.beat,
        truth.ecg, electrodes,
    )  # fmt: skip


def small_scar_rows(count: int) -> Iterable[Row]:
    """Small hearts: many, where a patient of the other group takes a quarter of an hour."""
    drawn = ((seed, small_patient(seed)) for seed in range(1, count + 1))
    settings = {seed: SMALL.model_copy(update={"seed": seed}) for seed in range(1, count + 1)}
    return compared(((f"small heart {seed}", one, one.heart, settings[seed]) for seed, one in drawn), "small hearts")


def scar_rows(n_patients: int) -> Iterable[Row]:
    """Drawn patients, whose truth is a finer monodomain model's."""

    def drawn() -> Iterable[Compared]:
        for seed in range(1, n_patients + 1):
            patient, settings = drawn_patient(seed, with_large_scar(seed)), CalibrateSettings(seed=seed)
            yield f"scar patient {seed}", patient, true_heart(patient.anatomy, settings.edge_mm), settings

    return compared(drawn(), "patients")


def compared(every: Iterable[Compared], whose: str) -> Iterable[Row]:
    """Each both ways, then what knowing the scar gains, on average over those that neither refused."""
    pairs: list[tuple[Score, Score]] = []
    for name, patient, heart, settings in every:
        share = float((heart.tissue_class == CORE).mean())
        found = []
        for way, one in (("known", heart), ("ignored", taken_for_healthy(heart))):
            try:
                found.append(score(patient, one, settings)[1])
                note = f"{_words(found[-1])}; core {share:.0%} of tetrahedra"
                yield row(f"{name}, scar {way}: QRS correlation", found[-1].correlation, "1", note=note)
            except CardioTwinError as error:
                yield row(f"{name}, scar {way}: QRS correlation", None, "1", note=f"refused: {error}")
        if len(found) == 2:
            pairs.append((found[0], found[1]))
    yield from gains(pairs, whose)


def _words(one: Score) -> str:
    return (
        f"activation {one.activation:.1f} ms (ensemble's deviation {one.spread:.1f}); endocardial "
        f"{one.endocardium:+.0%}, cross {one.cross:+.0%}, fibre {one.fibre:+.0%}; earliest site {one.earliest:.0f} mm; "
        f"{one.wall_s:.0f} s, processor {one.processor_s:.0f} s"
    )


def gains(pairs: list[tuple[Score, Score]], whose: str) -> list[Row]:
    """Means with the scar known, with what they are ignored in the note; ok where knowing it is better."""
    if not pairs:
        return [row(f"scar known, {whose}: activation, mean error", None, "ms", note=f"no {whose} without refusal")]

    def line(name: str, unit: str, values: np.ndarray, *, least: bool = False) -> Row:
        known, ignored = values.mean(axis=0)
        better = known > ignored if least else known < ignored
        each = values[:, 0] > values[:, 1] if least else values[:, 0] < values[:, 1]
        note = f"scar ignored {ignored:.3g}; mean of {len(pairs)} {whose}, better in {each.sum()} of them"
        return row(f"scar known, {whose}: {name}", known, unit, float(f"{ignored:.4g}"), better, note)

    def both(of: str) -> np.ndarray:
        return np.array([[abs(getattr(one, of)) for one in pair] for pair in pairs])

    gain = np.array([known.evidence - ignored.evidence for known, ignored in pairs])
    right = float((gain > 0.0).mean())
    note = listed([float(one) for one in gain], "log evidence of known over ignored")
    return [
        row(f"scar known, {whose}: the ECG's evidence is for it", right, "1", 0.5, right > 0.5, note),
        line("QRS correlation", "1", both("correlation"), least=True),
        line("activation, mean error", "ms", both("activation")),
        line("earliest site, error", "mm", both("earliest")),
        *(line(f"{of} velocity, error", "1", both(of)) for of in ("endocardium", "cross", "fibre")),
    ]
