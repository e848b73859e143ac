"""How far the ensemble and the confirming run follow what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cardiotwin.calibration import Posterior
from cardiotwin.ecg import Ecg
from cardiotwin.pictures.content import first_activation_ms
from cardiotwin.study import Study

LARGEST_SHIFT_MS = 40.0
LONGEST_OVER_QRS = 1.3
"""Activation longer than the measured QRS by more than this is not the activation behind that QRS."""


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


def fitted_bands(posterior: Posterior) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted 5 %, 50 % and 95 % of the fitted leads, (n_leads, n_samples) each."""
    order = np.argsort(posterior.fitted, axis=0)
    values = np.take_along_axis(posterior.fitted, order, axis=0)
    weights = posterior.weights[order]
    cumulative = np.cumsum(weights, axis=0) - 0.5 * weights
    picked = [np.argmax(cumulative >= share, axis=0) for share in (0.05, 0.5)]
    picked.append(np.where((cumulative >= 0.95).any(axis=0), np.argmax(cumulative >= 0.95, axis=0), len(values) - 1))
    low, middle, high = (np.take_along_axis(values, one[None], axis=0)[0] for one in picked)
    return low, middle, high


def fitted_correlation(posterior: Posterior) -> dict[str, float]:
    """Correlation with the measured QRS, lead by lead, of the line that the report draws: the ensemble's median."""
    median = fitted_bands(posterior)[1]
    return {lead: correlation(median[k], posterior.measured[k]) for k, lead in enumerate(posterior.leads)}


def note(posterior: Posterior, name: str) -> float | None:
    """A number that the calibration left in its notes; None where it did not."""
    value = posterior.notes.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


@dataclass(frozen=True)
class Span:
    """How long the confirming run takes to activate the heart, beside the QRS it should explain.

    Attributes
    ----------
    all_ms, most_ms : float
        From the first activation to the last, and to the moment when 95 % of the nodes that are activated have been.
    qrs_ms : float or None
        Measured.
    """

    all_ms: float
    most_ms: float
    qrs_ms: float | None

    @property
    def excess(self) -> float | None:
        """By what share it outlasts the QRS where that is more than it may; None where it does not."""
        if not self.qrs_ms or self.all_ms <= LONGEST_OVER_QRS * self.qrs_ms:
            return None
        return self.all_ms / self.qrs_ms - 1.0

    @property
    def most_keeps_within(self) -> bool:
        """Whether 95 % of the tissue is activated in time, so that only little is late."""
        return bool(self.qrs_ms) and self.most_ms <= LONGEST_OVER_QRS * (self.qrs_ms or 0.0)


def activation_span(study: Study) -> Span | None:
    """None where there is no confirming run, or nothing was activated in it."""
    time = first_activation_ms(study)
    if time is None:
        return None
    first, most, last = np.nanquantile(time.astype(float), (0.0, 0.95, 1.0))
    qrs_ms = note(study.posterior, "measured QRS, ms") if study.posterior is not None else None
    return Span(float(last - first), float(most - first), qrs_ms)
