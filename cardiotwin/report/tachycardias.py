"""What circuits look like from the skin, for the page and for its numbers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.pictures.content import MOST_CIRCUITS
from cardiotwin.study import Study
from cardiotwin.tachycardia_ecg import Tachycardia, tachycardia_ecgs
from cardiotwin.tissue import Velocities


@lru_cache(maxsize=1)
def tachycardias(study: Study) -> tuple[Tachycardia, ...]:
    """One for each circuit that is drawn, with the ensemble's median velocities; none without electrodes."""
    if study.arrhythmias is None or study.electrodes is None or study.posterior is None:
        return ()
    posterior = study.posterior
    typical = Velocities(float(np.median(posterior.velocity_fibre)), float(np.median(posterior.velocity_cross)))
    circuits = study.arrhythmias.circuits[:MOST_CIRCUITS]
    fraction = study.settings.tissue.border_zone_velocity_fraction
    try:
        return tachycardia_ecgs(study.heart, circuits, study.electrodes, typical, fraction)
    except InputRejected:  # an electrode that lies in the wall of this mesh
        return ()
