"""Every twin that explains the ECG: a weighted ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from cardiotwin.settings import TissueSettings, with_fraction
from cardiotwin.tissue.tissue import Velocities


@dataclass(frozen=True, eq=False)
class Posterior:
    """A weighted ensemble of admissible twins.

    Attributes
    ----------
    weights : (n_members,) float64
        Sum to one.
    velocity_fibre, velocity_cross : (n_members,) float64
        mm/ms.
    velocity_endocardium : (n_members,) float64
        mm/ms; NaN where there is no fast layer.
    site_positions : (n_members, n_sites, 3) float64
        Activation sites on the endocardium, LPS, mm.
    site_times_ms : (n_members, n_sites) float64
        When each site fires; the earliest is 0.
    correlation : (n_members,) float64
        Mean over leads of the correlation of fitted and measured QRS.
    leads : tuple of str
        Leads used.
    qrs_ms : (n_samples,) float64
        Time axis of the next two, from QRS onset.
    measured : (n_leads, n_samples) float64
        Mean QRS complex of the newest ECG, normalised.
    fitted : (n_members, n_leads, n_samples) float64
        Each member's, normalised alike.
    electrode_positions : (n_members, n_electrodes, 3) float64 or None
        Each member's electrodes, LPS, mm; None where they are as given.
    border_zone_fraction : (n_members,) float64 or None
        Velocity of each member's border zone relative to its healthy tissue; None where it is as [tissue] has it.
    velocity_fibre_prior : tuple of float or None
        Mean and standard deviation, mm/ms, of the fibre velocity before the ECG; None where nothing was known.
    notes : dict of str to float or str
        Effective sample size, acceptance, number of ECGs, and what a reader must know.
    """

    weights: np.ndarray
    velocity_fibre: np.ndarray
    velocity_cross: np.ndarray
    velocity_endocardium: np.ndarray
    site_positions: np.ndarray
    site_times_ms: np.ndarray
    correlation: np.ndarray
    leads: tuple[str, ...]
    qrs_ms: np.ndarray
    measured: np.ndarray
    fitted: np.ndarray
    notes: dict[str, float | str]
    electrode_positions: np.ndarray | None = None
    border_zone_fraction: np.ndarray | None = None
    velocity_fibre_prior: tuple[float, float] | None = None

    @classmethod
    def of_velocities(cls, pairs: Sequence[tuple[float, float]]) -> Posterior:
        """Equally likely members, each a fibre and a cross-fibre velocity, mm/ms; what an ECG adds is left empty."""
        fibre, cross = np.array(pairs, dtype=np.float64).T
        n = len(pairs)
        return cls(
            weights=np.full(n, 1.0 / n),
            velocity_fibre=fibre,
            velocity_cross=cross,
            velocity_endocardium=np.full(n, np.nan),
            site_positions=np.zeros((n, 1, 3)),
            site_times_ms=np.zeros((n, 1)),
            correlation=np.ones(n),
            leads=("I",),
            qrs_ms=np.zeros(1),
            measured=np.zeros((1, 1)),
            fitted=np.zeros((n, 1, 1)),
            notes={},
        )

    def __repr__(self) -> str:
        known = {"fibre": self.velocity_fibre, "cross": self.velocity_cross, "endocardium": self.velocity_endocardium}
        shown = []
        for name, values in known.items():
            if np.isfinite(values).all():
                low, middle, high = self.interval(values)
                shown.append(f"{name} {middle:.2f} ({low:.2f} to {high:.2f})")
        correlation = float(self.weights @ self.correlation)
        return (
            f"Posterior({len(self.weights)} members, {self.site_times_ms.shape[1]} sites, {len(self.leads)} leads; "
            f"m/s, 90 % interval: {', '.join(shown)}; mean correlation {correlation:.2f})"
        )

    def velocities(self, member: int) -> Velocities:
        """The conduction velocities of one member."""
        fast = float(self.velocity_endocardium[member])
        return Velocities(
            float(self.velocity_fibre[member]), float(self.velocity_cross[member]), fast if np.isfinite(fast) else None
        )

    def tissue(self, member: int, settings: TissueSettings) -> TissueSettings:
        """The settings with the border zone of one member."""
        if self.border_zone_fraction is None:
            return settings
        return with_fraction(settings, float(self.border_zone_fraction[member]))

    @property
    def earliest_positions(self) -> np.ndarray:
        """(n_members, 3) where each member's activation begins, LPS, mm."""
        members = np.arange(len(self.weights))
        return np.asarray(self.site_positions[members, self.site_times_ms.argmin(axis=1)])

    @property
    def earliest_position(self) -> np.ndarray:
        """(3,) where activation begins, LPS, mm: that of the members' places which is nearest to all, by weight.

        A median of places, not their mean, which lies between two that are likely and where none is.
        """
        places, index = np.unique(self.earliest_positions, axis=0, return_inverse=True)
        weights = np.bincount(index.ravel(), self.weights)
        return np.asarray(places[np.argmin(cdist(places, places) @ weights)])

    def draws(self, count: int, seed: int) -> np.ndarray:
        """(count,) members drawn by systematic resampling, the same for the same seed."""
        start = np.random.default_rng(seed).random()
        positions = (start + np.arange(count)) / count
        return np.searchsorted(np.cumsum(self.weights)[:-1], positions).astype(np.int64)

    def interval(self, values: np.ndarray, mass: float = 0.9) -> tuple[float, float, float]:
        """Weighted (low, median, high) of one value a member; the outer two hold `mass` between them."""
        order = np.argsort(values)
        order = order[self.weights[order] > 0.0]
        cumulative = np.cumsum(self.weights[order]) - 0.5 * self.weights[order]
        quantiles = ((1 - mass) / 2, 0.5, (1 + mass) / 2)
        low, middle, high = np.interp(quantiles, cumulative, values[order])
        return float(low), float(middle), float(high)
