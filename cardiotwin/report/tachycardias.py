"""What circuits look like from the skin, for the page and for its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from cardiotwin.calibration import Posterior
from cardiotwin.errors import InputRejected
from cardiotwin.pictures.content import MOST_CIRCUITS
from cardiotwin.study import Study
from cardiotwin.tachycardia_ecg import Tachycardia, tachycardia_ecgs
from cardiotwin.tissue import Velocities


@dataclass(frozen=True)
class Tachycardias:
    """One for each circuit that is drawn, and why there are none where electrodes are refused."""

    seen: tuple[Tachycardia, ...] = ()
    refused: str = ""


_OF_STUDIES: WeakKeyDictionary[Study, Tachycardias] = WeakKeyDictionary()


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
    circuits = study.arrhythmias.circuits[:MOST_CIRCUITS]
    try:
        return Tachycardias(tachycardia_ecgs(study.heart, circuits, study.electrodes, typical, fraction))
    except InputRejected as error:  # an electrode that lies in the wall of this mesh, not in the coarser one's
        return Tachycardias(refused=str(error))


def _median(posterior: Posterior, values: np.ndarray) -> float:
    return posterior.interval(values)[1]
