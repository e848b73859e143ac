"""How far a simulated ECG follows a measured QRS complex."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.ecg.recording import Ecg

LARGEST_SHIFT_MS = 40.0


@dataclass(frozen=True, eq=False)
class Agreement:
    """A simulated ECG laid over the measured QRS.

    Attributes
    ----------
    leads : (n_leads, n_samples) float64
        The simulated leads on the posterior's time axis, times one factor for all leads.
    shift_ms : float
        By how much the simulation was moved in time; its clock starts at the first stimulus, not at QRS onset.
    correlation : float
        Mean over leads.
    each : dict of str to float
        Correlation lead by lead; NaN for a flat trace.
    """

    leads: np.ndarray
    shift_ms: float
    correlation: float
    each: dict[str, float]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; NaN for a flat trace."""
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else math.nan


def aligned(ecg: Ecg, posterior: Posterior, step_ms: float = 1.0) -> Agreement | None:
    """The shift at which the simulated leads follow the measured QRS best; None where no lead is in both."""
    rows = [ecg.leads.index(lead) if lead in ecg.leads else -1 for lead in posterior.leads]
    if min(rows, default=-1) < 0 or ecg.mv.shape[1] < 2:
        return None
    time = np.arange(ecg.mv.shape[1]) * 1000.0 / ecg.hz

    def shifted(shift_ms: float) -> np.ndarray:
        return np.stack([np.interp(posterior.qrs_ms + shift_ms, time, ecg.mv[row]) for row in rows])

    def each(shift_ms: float) -> list[float]:
        return [correlation(a, b) for a, b in zip(shifted(shift_ms), posterior.measured, strict=True)]

    def agreement(shift_ms: float) -> float:
        found = each(shift_ms)
        return float(np.nanmean(found)) if np.isfinite(found).any() else -1.0

    shifts = np.arange(-LARGEST_SHIFT_MS, LARGEST_SHIFT_MS + step_ms, step_ms)
    best = float(max(shifts, key=agreement))
    leads = shifted(best)
    size = float((leads**2).sum())
    factor = float((leads * posterior.measured).sum()) / size if size > 0 else 1.0
    by_lead = dict(zip(posterior.leads, each(best), strict=True))
    return Agreement(leads * factor, -best, agreement(best), by_lead)
