"""One monodomain beat of the member that fits the ECG best: does the full physics agree with its eikonal fit?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cardiotwin.calibration import Posterior
from cardiotwin.ecg import electrode_weights, leads_from_electrodes
from cardiotwin.electrodes import Electrodes, elsewhere
from cardiotwin.heart import Heart
from cardiotwin.monodomain import Protocol, simulate
from cardiotwin.progress import Progress, part, silent
from cardiotwin.settings import SimulateSettings, TissueSettings
from cardiotwin.sinus_beat import best_member, sinus_beat, site_delay
from cardiotwin.study import Confirmation
from cardiotwin.tissue import make_tissue


def confirm(
    heart: Heart,
    posterior: Posterior,
    electrodes: Electrodes,
    settings: SimulateSettings,
    tissue_settings: TissueSettings,
    *,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Confirmation:
    """Tune the conductivities to the velocities of the member with the best correlation and let the heart beat once.

    Parameters
    ----------
    heart : Heart
    posterior : Posterior
        With velocities of the tissue (`FrontToTissue.tissue`).
    electrodes : Electrodes
    settings, tissue_settings
    folder : Path or None
        For a checkpoint, so that a killed run resumes.
    progress : Progress

    Raises
    ------
    QualityGate
        No activation site of the member lies on conducting endocardium.
    """
    member = best_member(posterior)
    velocities = posterior.velocities(member)
    if posterior.electrode_positions is not None:
        electrodes = elsewhere(electrodes, [posterior.electrode_positions[member]])[0]
    tissue = make_tissue(heart, velocities, tissue_settings, dt_ms=settings.dt_ms, progress=part(progress, 0.0, 0.2))
    beat = sinus_beat(tissue, posterior, member, settings.site_radius_mm)
    progress(0.2, "fields of the electrodes")
    activation = simulate(
        tissue,
        Protocol(beat, settings.duration_ms),
        dt_ms=settings.dt_ms,
        snapshot_every_ms=settings.snapshot_every_ms,
        electrode_weights=electrode_weights(heart, electrodes, tissue.sigma, tissue.conducting),
        checkpoint=folder / "checkpoint" if folder else None,
        checkpoint_every_s=settings.checkpoint_every_s,
        progress=part(progress, 0.2, 1.0),
    )
    hz = 1000.0 / float(activation.ecg_ms[1] - activation.ecg_ms[0])
    ecg = leads_from_electrodes(electrodes.names, activation.electrode_mv, hz)
    delay = np.array([site_delay(heart, one, activation.activation_ms[0]) for one in beat])
    return Confirmation(member, velocities, tissue.tuning_error, activation, ecg, delay)
