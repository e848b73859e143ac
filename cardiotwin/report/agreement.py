"""How far the ensemble follows what was measured, and how long the confirming run takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cardiotwin.calibration.agreement import correlation
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.pictures.content import first_activation_ms
from cardiotwin.study import Study

LONGEST_OVER_QRS = 1.3
"""Activation longer than the measured QRS by more than this is not the activation behind that QRS."""


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
