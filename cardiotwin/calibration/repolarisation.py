"""When each part of the heart recovers: the action-potential durations that explain the T wave.

A node recovers at its activation time plus its duration, and the T wave is what all of them recovering at different
times add up to at the electrodes. Durations are a mean and three gradients: from endocardium to epicardium, from apex
to base, from the left ventricle to the right (Camps et al. 2025, doi 10.1016/j.media.2024.103361, fit the same kind),
evened out over the few millimetres within which coupled cells share a plateau: across a thin wall little is left. A
member of the ensemble that was fitted to the QRS complex brings activation, conductivities and electrodes; its own T
wave then says what it can.

The likelihood is that of the QRS complex (`qrs_model.py`), on the part of the beat after it. For each member the most
likely durations are found (Gauss-Newton, damped), and one set is drawn from the Gaussian around them (Laplace), so that
what a T wave leaves open stays open. Durations of the monodomain model are its cells': nothing here reaches them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.qrs_model import SHIFTS_MS, amplitude, closest, information, mean_correlation
from cardiotwin.ecg.beats import Beat, find_beats, mean_beat
from cardiotwin.ecg.electrodes import Electrodes, elsewhere
from cardiotwin.ecg.forward import LeadWeights, depolarisation, electrode_weights, recovery
from cardiotwin.ecg.qrs import BEFORE_MS, QrsComplex, independent_leads, stand_out
from cardiotwin.ecg.recording import Ecg, lead_matrix
from cardiotwin.eikonal import conducting_tets
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import BORDER_ZONE, EPICARDIUM, LV_ENDOCARDIUM, RIGHT, Heart
from cardiotwin.progress import Progress, silent
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.coupling import evened_out

GRADIENTS = ("endocardium to epicardium", "apex to base", "left to right")
PRIOR_MEAN_MS, PRIOR_SD_MS = np.array([280.0, 0.0, 0.0, 0.0]), np.array([60.0, 30.0, 30.0, 30.0])
"""Of the mean duration and the gradients: what healthy hearts have at rest, neither sign of a gradient preferred."""
COUPLED_MM = 4.0
"""Over which durations even out. A drawn patient's ten Tusscher-Panfilov wall of 9 mm keeps 18 ms across it, his right
ventricle of 3 mm a few; straight gradients across both made the right one's durations 18 ms too long."""
LEAST_DISCREPANCY = 0.1
"""Of the model's own error, of the root mean square T wave: the template's fall is one shape for all cells."""
AFTER_QRS_MS, AFTER_T_MS = 30, 60
LEAST_LEADS = 3
_STEPS = 12
_APART_MS = 2.0


@dataclass(frozen=True, eq=False)
class Repolarisation:
    """Action-potential durations of members of a posterior, one draw each.

    Attributes
    ----------
    duration_ms : (n,) float64
        Mean over the conducting nodes.
    gradients_ms : (n, 3) float64
        By how much it is longer on average at the epicardium than at the left endocardium, in the last tenth towards
        the base than in the first at the apex, in the right ventricle than in the left: of the map, to which each of
        the three unknown gradients adds something. NaN without a right ventricle.
    informed : (4,) float64
        Share by which the T wave narrowed mean and gradients: 1 less the ratio of standard deviations to the prior's.
    repolarisation_ms : (n, n_nodes) float32
        From the earliest activation; infinite where nothing conducts.
    leads : tuple of str
    t_ms : (n_samples,) float64
        From QRS onset.
    measured : (n_leads, n_samples) float64
        The part of the mean beat after the QRS complex, over the amplitude of that, as in `Posterior`.
    fitted : (n, n_leads, n_samples) float64
    correlation : (n,) float64
        Mean over leads.
    """

    duration_ms: np.ndarray
    gradients_ms: np.ndarray
    informed: np.ndarray
    repolarisation_ms: np.ndarray
    leads: tuple[str, ...]
    t_ms: np.ndarray
    measured: np.ndarray
    fitted: np.ndarray
    correlation: np.ndarray

    def __repr__(self) -> str:
        low, middle, high = np.quantile(self.duration_ms, (0.05, 0.5, 0.95))
        return (
            f"Repolarisation({len(self.duration_ms)} members, {len(self.leads)} leads; mean duration {middle:.0f} ms "
            f"({low:.0f} to {high:.0f}), mean correlation {self.correlation.mean():.2f})"
        )


def fit_repolarisation(
    heart: Heart,
    posterior: Posterior,
    members: np.ndarray,
    activation_ms: np.ndarray,
    ecg: Ecg,
    electrodes: Electrodes,
    tissue: TissueSettings | None = None,
    *,
    beat: int = 0,
    seed: int = 1,
    progress: Progress = silent,
) -> Repolarisation:
    """Durations that explain the T wave of a recording.

    Parameters
    ----------
    heart : Heart
        The calibration mesh.
    posterior : Posterior
        Of the front, as `calibrate` returns it.
    members : (n,) int
        Rows of it.
    activation_ms : (n, n_nodes) float
        Of each; infinite where nothing conducts.
    ecg : Ecg
    electrodes : Electrodes
        Those of the calibration.
    tissue : TissueSettings, optional
        For the border zone's velocity, where members have none of their own.
    beat : int
        Shape of beat, as in `CalibrateSettings`.
    seed : int
    progress : Progress

    Raises
    ------
    QualityGate
        No such beat, no T wave that stands out of the noise, or fewer than three of the posterior's leads have one.
    InputRejected
        As `cardiotwin.ecg.qrs.filtered`.
    """
    wave = _measured(ecg, beat, posterior.leads)
    model = _model(heart, posterior, members, activation_ms, electrodes, tissue or TissueSettings(), wave, progress)
    start = PRIOR_MEAN_MS.copy()
    start[0] = wave.peak_ms - activation_ms[np.isfinite(activation_ms)].mean()
    unknowns, precision = _most_likely(model, np.tile(start, (len(members), 1)), progress)
    covariance = np.linalg.inv(precision)
    chance = np.random.default_rng(seed).standard_normal(unknowns.shape)
    drawn = unknowns + np.einsum("mij,mj->mi", np.linalg.cholesky(covariance), chance)
    fitted = model.waves(drawn)
    told = _told(heart, model.shapes)
    left = (told @ covariance @ told.T).mean(axis=0) + np.cov(unknowns @ told.T, rowvar=False, ddof=0)
    before = told @ np.diag(PRIOR_SD_MS**2) @ told.T
    return Repolarisation(
        drawn[:, 0],
        (drawn @ told.T)[:, 1:],
        np.clip(1.0 - np.sqrt(np.diag(left) / np.diag(before)), 0.0, 1.0),
        model.repolarised(drawn).astype(np.float32),
        wave.leads,
        wave.t_ms,
        wave.t_wave,
        fitted,
        mean_correlation(fitted, wave.t_wave),
    )


def _told(heart: Heart, shapes: np.ndarray) -> np.ndarray:
    """(4, 4) from the unknowns to the mean duration and its differences between the ends; NaN where there is none."""
    matrix = np.eye(4)
    for row, (near, far) in enumerate(_ends(heart), start=1):
        some = near.any() and far.any()
        matrix[row, 1:] = shapes[far].mean(axis=0) - shapes[near].mean(axis=0) if some else np.nan
        matrix[row, 0] = 0.0
    return matrix


def _ends(heart: Heart) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """(n_nodes,) bool of both ends of each gradient."""
    inside, outside, right = (np.zeros(len(heart.mesh.points), bool) for _ in range(3))
    inside[heart.surface_nodes(LV_ENDOCARDIUM)] = True
    outside[heart.surface_nodes(EPICARDIUM)] = True
    right[heart.mesh.tets[heart.ventricle == RIGHT]] = True
    low, high = heart.apicobasal < 0.1, heart.apicobasal > 0.9
    return (inside, outside), (low, high), (~right, right)


@dataclass(frozen=True, eq=False)
class _Wave:
    """The mean beat: QRS complex from `BEFORE_MS` before its onset and what comes after, over the same amplitude."""

    leads: tuple[str, ...]
    qrs: np.ndarray
    signs: np.ndarray
    t_ms: np.ndarray
    t_wave: np.ndarray
    peak_ms: float
    error_variance: float
    n_effective: float


def _measured(ecg: Ecg, shape: int, leads: tuple[str, ...]) -> _Wave:
    beat = mean_beat(find_beats(ecg), shape)
    if not np.isfinite(beat.t_peak_ms):
        raise QualityGate("ECG: no T wave stands out; repolarisation needs a recording that shows one")
    names, found, noise = independent_leads(_as_complex(beat))
    there = tuple(lead for lead in leads if lead in names)
    if len(there) < LEAST_LEADS:
        raise QualityGate(f"ECG: {len(there)} leads with a T wave, expected at least {LEAST_LEADS}")
    rows = [names.index(lead) for lead in there]
    mv, onset, end = found[rows], round(beat.qrs_onset_ms), round(beat.qrs_end_ms)
    qrs = np.pad(mv, [(0, 0), (BEFORE_MS, 0)], mode="edge")[:, onset : end + 2 * BEFORE_MS]
    signs = np.where(qrs.max(axis=1) >= -qrs.min(axis=1), 1.0, -1.0)
    scale = amplitude(qrs, signs, there)
    # A T wave that the next beat, or the end of the recording, cuts off is fitted as far as it goes.
    over = beat.t_end_ms + AFTER_T_MS if np.isfinite(beat.t_end_ms) else mv.shape[1]
    first, last = end + AFTER_QRS_MS, min(round(over), mv.shape[1])
    t_wave = mv[:, first:last] / scale
    variance = np.mean((noise[rows] / scale[:, 0]) ** 2) + LEAST_DISCREPANCY**2 * np.mean(t_wave**2)
    return _Wave(
        there, qrs / scale, signs, np.arange(first, last) - float(onset), t_wave, beat.t_peak_ms - onset,
        float(variance), information(t_wave),
    )  # fmt: skip


def _as_complex(beat: Beat) -> QrsComplex:
    """The whole beat in place of its complex, with what lies just before it as noise."""
    onset, end = round(beat.qrs_onset_ms), round(beat.qrs_end_ms)
    noise = beat.mv[:, max(onset - 30, 0) : max(onset - 5, 1)].std(axis=1)
    height = np.ptp(beat.mv[:, onset : end + 1], axis=1)
    return QrsComplex(beat.leads, beat.mv, beat.qrs_ms, noise, stand_out(height, noise), len(beat.at_ms), 0, ())


# --- The forward model -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Model:
    """T waves of members from their durations.

    Attributes
    ----------
    activation_ms : (n_members, n_nodes) float64
    shapes : (n_nodes, 3) float64
        Of the gradients, without mean.
    weights : LeadWeights
    which : (n_members,) int64
        Set of weights of each.
    mix : (n_members, 2) float64
    scale : (n_members, n_leads, 1) float64
        Amplitude of each member's QRS complex.
    late_ms : (n_members,) int64
        Its first activation after the measured onset.
    wave : _Wave
    """

    activation_ms: np.ndarray
    shapes: np.ndarray
    weights: LeadWeights
    which: np.ndarray
    mix: np.ndarray
    scale: np.ndarray
    late_ms: np.ndarray
    wave: _Wave

    @cached_property
    def activated(self) -> np.ndarray:
        """(n_members, n_leads, n_samples) mV: what activation alone makes, whatever the durations."""
        times = np.maximum(self.activation_ms + self.late_ms[:, None], 0.0)
        return depolarisation(self.weights, self.mix, times, round(self.wave.t_ms[-1]) + 1, which=self.which)

    def repolarised(self, unknowns: np.ndarray) -> np.ndarray:
        """(n_members, n_nodes) ms."""
        return self.activation_ms + unknowns[:, :1] + unknowns[:, 1:] @ self.shapes.T

    def waves(self, unknowns: np.ndarray) -> np.ndarray:
        """(n_members, n_leads, n_samples) over the amplitude of the QRS complex."""
        times = np.maximum(self.repolarised(unknowns) + self.late_ms[:, None], 0.0)
        back = recovery(self.weights, self.mix, times, self.activated.shape[-1], which=self.which)
        return (self.activated - back)[:, :, round(self.wave.t_ms[0]) :] / self.scale

    def cost(self, waves: np.ndarray, unknowns: np.ndarray) -> np.ndarray:
        """(n_members,) negative logarithm of the posterior, but for a constant."""
        half = 0.5 * self.wave.n_effective
        misfit = ((waves - self.wave.t_wave) ** 2).mean(axis=(1, 2))
        away = (unknowns - PRIOR_MEAN_MS) / PRIOR_SD_MS
        cost = (1.0 + half) * np.log(self.wave.error_variance + half * misfit) + 0.5 * (away**2).sum(axis=1)
        return np.asarray(cost)


def _model(
    heart: Heart, posterior: Posterior, members: np.ndarray, activation_ms: np.ndarray, electrodes: Electrodes,
    tissue: TissueSettings, wave: _Wave, progress: Progress,
) -> _Model:  # fmt: skip
    conducting = conducting_tets(heart)
    leads = lead_matrix(electrodes.names, wave.leads)
    weights, which = _weights(heart, posterior, members, electrodes, tissue, leads, progress)
    mix = np.column_stack([posterior.velocity_fibre[members], posterior.velocity_cross[members]]) ** 2
    early, length = -SHIFTS_MS.start + BEFORE_MS, wave.qrs.shape[1]
    qrs = depolarisation(weights, mix, activation_ms + early, length + early + SHIFTS_MS.stop, which=which)
    scale = amplitude(qrs, wave.signs, wave.leads)
    late_ms = -closest(qrs / scale, wave.qrs, early)[1]
    return _Model(activation_ms, _shapes(heart, conducting), weights, which, mix, scale, late_ms, wave)


def _weights(
    heart: Heart, posterior: Posterior, members: np.ndarray, electrodes: Electrodes, tissue: TissueSettings,
    leads: np.ndarray, progress: Progress,
) -> tuple[LeadWeights, np.ndarray]:  # fmt: skip
    """A set for each placement of the electrodes and border zone that members have, and (n_members,) which."""
    placed, which, axes = [electrodes] * len(members), np.empty(len(members), np.int64), ((1, 0, 0), (0, 1, 1))
    if posterior.electrode_positions is not None:
        placed = elsewhere(electrodes, list(posterior.electrode_positions[members]))
    conducting, border = conducting_tets(heart), heart.tissue_class == BORDER_ZONE
    made: dict[tuple[bytes, float], list[np.ndarray]] = {}
    for number, (member, where) in enumerate(zip(members, placed, strict=True)):
        progress(0.5 * number / len(members), "fields of the electrodes")
        fraction = posterior.tissue(int(member), tissue).border_zone_velocity_fraction
        key = (where.positions.tobytes(), fraction)
        if key not in made:
            share = np.where(border, fraction**2, 1.0)
            made[key] = [leads @ electrode_weights(heart, where, np.outer(share, axis), conducting) for axis in axes]
        which[number] = list(made).index(key)
    return LeadWeights.of(*made.values()), which


def _shapes(heart: Heart, conducting: np.ndarray) -> np.ndarray:
    """(n_nodes, 3) of the gradients, without mean over the conducting tissue, evened out as coupling does.

    u - L² Δu = what cells would do alone, no flux through surfaces: a thin wall has less of a gradient across it than
    a thick one. What is left between the means of both ends is 1: left endocardium and epicardium, the last tenths at
    apex and base, left and right ventricle.
    """
    tets, n = heart.mesh.tets, len(heart.mesh.points)
    volume = np.bincount(tets.ravel(), np.repeat(heart.mesh.volumes / 4.0, 4), n)
    right = np.bincount(tets.ravel(), np.repeat(heart.mesh.volumes * (heart.ventricle == RIGHT) / 4.0, 4), n) / volume
    even = evened_out(heart.mesh, COUPLED_MM**2, heart.transmural, heart.apicobasal, right)
    for shape, (near, far) in zip(even.T, _ends(heart), strict=True):
        # Infinite: a gradient between ends of which one is missing is none.
        shape /= shape[far].mean() - shape[near].mean() if near.any() and far.any() else np.inf
    mass = np.bincount(tets[conducting].ravel(), np.repeat(heart.mesh.volumes[conducting], 4), n)
    return np.asarray(even - mass @ even / mass.sum())


# --- The search ------------------------------------------------------------------------------------------------------


def _most_likely(model: _Model, start: np.ndarray, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """(n_members, 4) most likely unknowns, ms, and (n_members, 4, 4) the curvature there."""
    unknowns, damping = start, np.full(len(start), 1e-2)
    waves = model.waves(unknowns)
    cost = model.cost(waves, unknowns)
    for step in range(_STEPS):
        progress(0.5 + 0.5 * step / _STEPS, "durations")
        gradient, curvature = _slopes(model, unknowns, waves)
        damped = curvature + damping[:, None, None] * (np.eye(4) * curvature)
        tried = unknowns - np.linalg.solve(damped, gradient[:, :, None])[:, :, 0]
        their_waves = model.waves(tried)
        their_cost = model.cost(their_waves, tried)
        better = their_cost < cost
        unknowns = np.where(better[:, None], tried, unknowns)
        waves = np.where(better[:, None, None], their_waves, waves)
        cost, damping = np.where(better, their_cost, cost), damping * np.where(better, 0.2, 8.0)
    return unknowns, _slopes(model, unknowns, waves)[1]


def _slopes(model: _Model, unknowns: np.ndarray, waves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the cost: (n_members, 4) gradient and (n_members, 4, 4) Gauss-Newton curvature."""
    columns = [
        (model.waves(unknowns + _APART_MS * one) - model.waves(unknowns - _APART_MS * one)) / (2.0 * _APART_MS)
        for one in np.eye(4)
    ]
    slopes = np.stack([column.reshape(len(waves), -1) for column in columns], axis=2)
    residual, half = (waves - model.wave.t_wave).reshape(len(waves), -1), 0.5 * model.wave.n_effective
    rate = model.wave.error_variance + half * (residual**2).mean(axis=1)
    worth = (2.0 * (1.0 + half) * half / rate / residual.shape[1])[:, None]
    gradient = worth * np.einsum("msi,ms->mi", slopes, residual) + (unknowns - PRIOR_MEAN_MS) / PRIOR_SD_MS**2
    curvature = worth[:, :, None] * np.einsum("msi,msj->mij", slopes, slopes) + np.diag(PRIOR_SD_MS**-2.0)
    return gradient, curvature
