"""One monodomain beat of the member that fits the ECG best: does the full physics agree with its eikonal fit?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.calibration import Posterior
from cardiotwin.ecg import electrode_weights, leads_from_electrodes
from cardiotwin.electrodes import Electrodes, elsewhere
from cardiotwin.errors import QualityGate
from cardiotwin.heart import LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.monodomain import Protocol, Stimulus, simulate
from cardiotwin.progress import Progress, part, silent
from cardiotwin.settings import SimulateSettings, TissueSettings
from cardiotwin.study import Confirmation
from cardiotwin.tissue import Tissue, make_tissue

JUST_BEYOND_MM = 4.0
"""Tissue this far around what fires shows whether a wave started there."""


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
    member = int(np.argmax(np.where(posterior.weights > 0, posterior.correlation, -np.inf)))
    velocities = posterior.velocities(member)
    if posterior.electrode_positions is not None:
        electrodes = elsewhere(electrodes, [posterior.electrode_positions[member]])[0]
    tissue = make_tissue(heart, velocities, tissue_settings, dt_ms=settings.dt_ms, progress=part(progress, 0.0, 0.2))
    beat = _sinus_beat(tissue, posterior, member, settings.site_radius_mm)
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
    delay = np.array([_delay(heart, one, activation.activation_ms[0]) for one in beat])
    return Confirmation(member, velocities, tissue.tuning_error, activation, ecg, delay)


def _delay(heart: Heart, site: Stimulus, activation_ms: np.ndarray) -> float:
    """From a site's time to the first activation just beyond it, ms; infinite where none came."""
    points = heart.mesh.points
    away = cKDTree(points[site.nodes]).query(points)[0]
    beyond = activation_ms[(away > 0) & (away <= JUST_BEYOND_MM)]
    return max(0.0, float(np.nanmin(beyond, initial=np.inf)) - site.start_ms)


def _sinus_beat(tissue: Tissue, posterior: Posterior, member: int, radius_mm: float) -> tuple[Stimulus, ...]:
    """A stimulus a site at the member's time.

    Sites live on the coarser calibration mesh: the nearest conducting node of the endocardium stands for each.
    """
    heart = tissue.heart
    endocardium = heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM)
    candidates = np.intersect1d(endocardium, np.unique(heart.mesh.tets[tissue.conducting]))
    if not candidates.size:
        raise QualityGate("confirming run: no conducting endocardium to start a beat from; check the segmentation")
    _, nearest = cKDTree(heart.mesh.points[candidates]).query(posterior.site_positions[member])
    times = posterior.site_times_ms[member] - posterior.site_times_ms[member].min()
    return tissue.started_from(heart.mesh.points[candidates[nearest]], times, radius_mm)
