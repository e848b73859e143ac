"""One beat of the ensemble: where activation and recovery are sure, and where the ECG leaves them open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.repolarisation import Repolarisation, fit_repolarisation
from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.recording import Ecg
from cardiotwin.eikonal import prepare, solve
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import Heart
from cardiotwin.progress import Progress, part, silent
from cardiotwin.settings import TissueSettings

MEMBERS = 32


@dataclass(frozen=True, eq=False)
class EnsembleBeat:
    """What equally likely draws of a posterior say of every node of the calibration mesh.

    Attributes
    ----------
    members : (n,) int64
        Rows of the posterior.
    activation_ms : (n, n_nodes) float32
        Of the eikonal model, from the earliest site; infinite where nothing conducts.
    repolarisation : Repolarisation or None
        Fitted to the T wave of the newest ECG.
    note : str
        Why there is none; "" where there is one.
    """

    members: np.ndarray
    activation_ms: np.ndarray
    repolarisation: Repolarisation | None = None
    note: str = ""


def ensemble_beat(
    heart: Heart,
    posterior: Posterior,
    ecg: Ecg,
    electrodes: Electrodes,
    tissue: TissueSettings | None = None,
    *,
    n_members: int = MEMBERS,
    beat: int = 0,
    seed: int = 1,
    progress: Progress = silent,
) -> EnsembleBeat:
    """Activation of draws of a posterior and, from the T wave, when they recover.

    Parameters
    ----------
    heart : Heart
        The calibration mesh.
    posterior : Posterior
        Of the front, as `calibrate` returns it.
    ecg : Ecg
        The newest.
    electrodes : Electrodes
        Those of the calibration.
    tissue : TissueSettings, optional
        For the border zone's velocity, where members have none of their own.
    n_members : int
        Drawn.
    beat : int
        Shape of beat, as in `CalibrateSettings`.
    seed : int
    progress : Progress

    Returns
    -------
    EnsembleBeat
        Without repolarisation, and told so, where the ECG shows no T wave that could be fitted.
    """
    members, tissue = posterior.draws(n_members, seed), tissue or TissueSettings()
    progress(0.0, "activation of the ensemble")
    activation_ms = activation_of(heart, posterior, members, tissue)
    mine = part(progress, 0.2, 1.0)
    try:
        found = fit_repolarisation(
            heart, posterior, members, activation_ms, ecg, electrodes, tissue, beat=beat, seed=seed, progress=mine
        )
    except QualityGate as refused:
        return EnsembleBeat(members, activation_ms.astype(np.float32), note=str(refused))
    return EnsembleBeat(members, activation_ms.astype(np.float32), found)


def activation_of(heart: Heart, posterior: Posterior, members: np.ndarray, tissue: TissueSettings) -> np.ndarray:
    """(n_members, n_nodes) ms, each with its own border zone; infinite where no front arrives."""
    sites = cKDTree(heart.mesh.points).query(posterior.site_positions[members])[1]
    onsets = posterior.site_times_ms[members] - posterior.site_times_ms[members].min(axis=1, keepdims=True)
    speeds = [posterior.velocities(int(member)) for member in members]
    settled = [posterior.tissue(int(member), tissue) for member in members]
    times = np.empty((len(members), len(heart.mesh.points)))
    for one in dict.fromkeys(settled):
        mine = [number for number, other in enumerate(settled) if other == one]
        times[mine] = solve(prepare(heart, one), [speeds[number] for number in mine], sites[mine], onsets[mine])
    return times


def spread(values_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n_nodes,) mean and standard deviation of (n_members, n_nodes) times; NaN where any member has none."""
    finite = np.isfinite(values_ms).all(axis=0)
    mean, deviation = (np.full(finite.size, np.nan) for _ in range(2))
    mean[finite] = values_ms[:, finite].mean(axis=0, dtype=np.float64)
    deviation[finite] = values_ms[:, finite].std(axis=0, dtype=np.float64)
    return mean, deviation
