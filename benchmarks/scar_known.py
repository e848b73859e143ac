"""What it costs to ignore a scar: calibration with the scar known against the same heart taken for healthy.

Drawn patients whose dense scar is larger than those of `drawn_patients.py`, so that it lies in the way: 55 mm of the
circumference of the free wall and half of its height, all of its depth. Shown by `benchmarks/calibration.py`, group
``scar``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from drawn_patients import drawn_anatomy, drawn_patient
from patients import Score, score
from table import Row, row

from cardiotwin.errors import CardioTwinError
from cardiotwin.heart import CORE, HEALTHY, Heart
from cardiotwin.phantom.anatomy import Anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import CalibrateSettings

WIDTH_MM, APICAL, BASAL = 55.0, 0.2, 0.7
"""Of the core; where it begins and ends of the way from apex to base."""


def with_large_scar(seed: int) -> Anatomy:
    """A drawn anatomy whose infarct, where it was drawn to be, is large."""
    return replace(drawn_anatomy(seed), core_width_mm=WIDTH_MM, core_apical=APICAL, core_basal=BASAL)


def taken_for_healthy(heart: Heart) -> Heart:
    """The same heart without any scar."""
    return replace(heart, tissue_class=np.full_like(heart.tissue_class, HEALTHY))


def scar_rows(n_patients: int) -> Iterable[Row]:
    """Each patient both ways, then what knowing the scar gains, on average over those that neither refused."""
    pairs: list[tuple[Score, Score]] = []
    for seed in range(1, n_patients + 1):
        patient, settings = drawn_patient(seed, with_large_scar(seed)), CalibrateSettings(seed=seed)
        heart = true_heart(patient.anatomy, settings.edge_mm)
        share = float((heart.tissue_class == CORE).mean())
        found = []
        for way, one in (("known", heart), ("ignored", taken_for_healthy(heart))):
            name = f"scar patient {seed}, scar {way}: QRS correlation"
            try:
                found.append(score(patient, one, settings)[1])
                yield row(name, found[-1].correlation, "1", note=f"{_words(found[-1])}; core {share:.0%} of muscle")
            except CardioTwinError as error:
                yield row(name, None, "1", note=f"refused: {error}")
        if len(found) == 2:
            pairs.append((found[0], found[1]))
    yield from gains(pairs)


def _words(one: Score) -> str:
    return (
        f"activation {one.activation:.1f} ms (ensemble's deviation {one.spread:.1f}); endocardial "
        f"{one.endocardium:+.0%}, cross {one.cross:+.0%}, fibre {one.fibre:+.0%}; earliest site {one.earliest:.0f} mm; "
        f"{one.wall_s:.0f} s, processor {one.processor_s:.0f} s"
    )


def gains(pairs: list[tuple[Score, Score]]) -> list[Row]:
    """Means with the scar known, with what they are ignored in the note; ok where knowing it is better."""
    if not pairs:
        return [row("scar known: activation, mean error", None, "ms", note="no patient without refusal")]

    def line(name: str, unit: str, values: np.ndarray, *, least: bool = False) -> Row:
        known, ignored = values.mean(axis=0)
        better = known > ignored if least else known < ignored
        note = f"scar ignored {ignored:.3g}; mean of {len(pairs)} patients"
        return row(f"scar known: {name}", known, unit, float(f"{ignored:.4g}"), better, note)

    def both(of: str) -> np.ndarray:
        return np.array([[abs(getattr(one, of)) for one in pair] for pair in pairs])

    return [
        line("QRS correlation", "1", both("correlation"), least=True),
        line("activation, mean error", "ms", both("activation")),
        line("earliest site, error", "mm", both("earliest")),
        *(line(f"{of} velocity, error", "1", both(of)) for of in ("endocardium", "cross", "fibre")),
    ]
