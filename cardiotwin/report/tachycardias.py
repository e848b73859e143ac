"""What circuits look like from the skin, for the page and for its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.heart.heart import Heart
from cardiotwin.induction.clinical_tachycardia import ClinicalCycle, Match, clinical_cycle, match
from cardiotwin.induction.tachycardia_ecg import Tachycardia, tachycardia_ecgs
from cardiotwin.study import Study
from cardiotwin.tissue.tissue import Velocities


@dataclass(frozen=True)
class Tachycardias:
    """One for each circuit, and why there are none where electrodes are refused."""

    seen: tuple[Tachycardia, ...] = ()
    refused: str = ""


_OF_STUDIES: WeakKeyDictionary[Study, Tachycardias] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Scored:
    """Every circuit against the patient's own tachycardia.

    Attributes
    ----------
    cycle : ClinicalCycle or None
        None where it was refused.
    matches : tuple of Match
        In the order of the circuits; none where there are no circuits or electrodes.
    refused : str
        Why there is no score; "" where there is one.
    """

    cycle: ClinicalCycle | None
    matches: tuple[Match, ...] = ()
    refused: str = ""

    @property
    def best(self) -> int | None:
        """Row of the circuit that fits best; None without a match."""
        return next(iter(self.by_score), None)

    @property
    def by_score(self) -> list[int]:
        """Rows of the circuits, the best first."""
        return sorted(range(len(self.matches)), key=lambda row: -self.matches[row].correlation)


def scored(study: Study) -> Scored | None:
    """Of a study with a recorded tachycardia, else None: with the electrodes and the conductor of the fit."""
    if study.tachycardia is None:
        return None
    cycle = None
    try:
        cycle = clinical_cycle(study.tachycardia.ecg)
        found = tachycardias(study)
        matches = tuple(match(cycle, one) for one in found.seen)
    except (InputRejected, QualityGate) as error:
        return Scored(cycle, refused=str(error))
    return Scored(cycle, matches, found.refused)


def best_fit_line(study: Study) -> str:
    """Which circuit looks most like the recorded tachycardia, for the terminal; "" where nothing was scored."""
    found = scored(study)
    if found is None or found.best is None:
        return f"recorded tachycardia: not compared, {found.refused}" if found is not None and found.refused else ""
    return f"recorded tachycardia: circuit {found.best + 1} fits best, {found.matches[found.best]}"


def tachycardias(study: Study) -> Tachycardias:
    """Of the circuits with the ensemble's median velocities, computed once a study; none without electrodes."""
    if study not in _OF_STUDIES:
        _OF_STUDIES[study] = _tachycardias(study)
    return _OF_STUDIES[study]


def _tachycardias(study: Study) -> Tachycardias:
    if study.arrhythmias is None or study.electrodes is None or study.posterior is None:
        return Tachycardias()
    posterior = study.posterior
    typical = Velocities(_median(posterior, posterior.velocity_fibre), _median(posterior, posterior.velocity_cross))
    fraction = study.settings.tissue.border_zone_velocity_fraction
    if posterior.border_zone_fraction is not None:
        fraction = _median(posterior, posterior.border_zone_fraction)
    by_heart: dict[Heart, list[int]] = {}  # a lead field each
    for row, (_, heart) in enumerate(study.circuits):
        by_heart.setdefault(heart, []).append(row)
    seen: dict[int, Tachycardia] = {}
    try:
        for heart, rows in by_heart.items():
            circuits = [study.circuits[row][0] for row in rows]
            found = tachycardia_ecgs(heart, circuits, study.electrodes, typical, fraction)
            seen |= dict(zip(rows, found, strict=True))
        return Tachycardias(tuple(seen[row] for row in range(len(study.circuits))))
    except InputRejected as error:  # an electrode that lies in the wall of this mesh, not in the coarser one's
        return Tachycardias(refused=str(error))


def _median(posterior: Posterior, values: np.ndarray) -> float:
    return posterior.interval(values)[1]
