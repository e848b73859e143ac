"""The forward model of calibration, and how badly a simulated QRS complex fits the measured one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numba
import numpy as np
from scipy.stats import f as f_distribution

from cardiotwin.calibration.site_library import Lookup, SiteLibrary
from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.forward import LeadWeights, depolarisation, electrode_weights
from cardiotwin.ecg.qrs import BEFORE_MS, independent_leads, qrs_complex, smoothed
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, Ecg, lead_matrix
from cardiotwin.eikonal import conducting_tets, prepare, solve
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import BORDER_ZONE, Heart
from cardiotwin.kernels.eikonal import Conductor
from cardiotwin.settings import TissueSettings, with_fraction
from cardiotwin.tissue.tissue import Velocities

SHIFTS_MS = range(-10, 11)
"""Where a simulated complex may lie against the measured onset: the first sites fire unseen, the detector errs."""
LEAST_DISCREPANCY = 0.05
"""Scale of the prior on the model's own error, as a fraction of the mean amplitude: no torso, no Purkinje tree."""


@dataclass(frozen=True, eq=False)
class MeasuredQrs:
    """What is fitted.

    Attributes
    ----------
    leads : tuple of str
        Independent leads that are usable in every recording.
    mv : (n_recordings, n_leads, n_samples) float64
        1000 Hz, from 15 ms before onset, normalised, cut to the shortest complex.
    signs : (n_leads,) float64
        Of the dominant deflection.
    noise : float
        Root mean square noise of the normalised complexes.
    n_effective : float
        Independent numbers in one complex, see `information`.
    duration_ms : float
        Of the newest.
    n_beats : int
        Averaged over all recordings.
    notes : tuple of str
    lost : tuple of str
        Leads that one recording has and another has not, and that are not fitted for that.
    """

    leads: tuple[str, ...]
    mv: np.ndarray
    signs: np.ndarray
    noise: float
    n_effective: float
    duration_ms: float
    n_beats: int
    notes: tuple[str, ...]
    lost: tuple[str, ...] = ()


def measured_qrs(ecgs: Sequence[Ecg], electrodes: Electrodes, heart: Heart) -> MeasuredQrs:
    """The complexes of all recordings, on the leads they share; `heart` says what is missing where these do not do.

    Raises
    ------
    QualityGate
        Fewer than three usable independent leads, or no QRS complex.
    InputRejected
        As `qrs.filtered`.
    """
    complexes = [qrs_complex(ecg) for ecg in ecgs]
    found = [independent_leads(c) for c in complexes]
    placed = set(electrodes.names)
    known = [lead for lead in INDEPENDENT_LEADS if not lead.startswith("V") or lead in placed]
    leads = tuple(lead for lead in known if all(lead in names for names, _, _ in found))
    if len(leads) < 3:
        raise QualityGate(
            f"ECG: {len(leads)} usable independent leads ({', '.join(leads) or 'none'}), expected at least 3 "
            f"of I, II, V1 to V6; {_most_telling(heart, electrodes, leads)}"
        )
    length = min(mv.shape[1] for _, mv, _ in found)
    mv = np.array([mv[[names.index(lead) for lead in leads], :length] for names, mv, _ in found])
    noise = np.array([sd[[names.index(lead) for lead in leads]] for names, _, sd in found])
    newest = mv[-1]
    signs = np.where(newest.max(axis=1) >= -newest.min(axis=1), 1.0, -1.0)
    scale = amplitude(mv, signs, leads)
    return MeasuredQrs(
        leads,
        mv / scale,
        signs,
        float(np.sqrt(np.mean((noise / scale[..., 0]) ** 2))),
        information(newest),
        complexes[-1].duration_ms,
        sum(c.n_beats for c in complexes),
        tuple(note for c in complexes for note in c.notes),
        tuple(lead for lead in known if lead not in leads and any(lead in names for names, _, _ in found)),
    )


def _most_telling(heart: Heart, electrodes: Electrodes, leads: Sequence[str]) -> str:
    """Advice: the lead of which those at hand say least."""
    if not leads:
        return "record again, with all leads"
    lost = [name for name in INDEPENDENT_LEADS if name not in leads and {name} - {"I", "II"} <= set(electrodes.names)]
    conducting = conducting_tets(heart)
    fields = electrode_weights(heart, electrodes, np.ones((len(conducting), 3)), conducting)
    rows = lead_matrix(electrodes.names, [*leads, *lost]) @ fields
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    known = np.linalg.qr(rows[: len(leads)].T)[0]
    left = rows[len(leads) :]
    new = np.linalg.norm(left - (left @ known) @ known.T, axis=1) ** 2
    best = int(np.argmax(new))
    return f"record again: lead {lost[best]} would help most, {new[best]:.0%} of what it sees is new"


def amplitude(mv: np.ndarray, signs: np.ndarray, leads: Sequence[str]) -> np.ndarray:
    """(..., n_leads, 1) amplitude that each lead is divided by: one for the limb leads, one for the precordial leads.

    A lead's amplitude is its largest value in the direction of the measured dominant deflection; its group's is the
    mean over the group. So the unknown gain of the torso is gone, and the growth of R from V1 to V5 is kept.
    """
    largest = (mv * signs[:, None]).max(axis=-1)
    limb = np.array([not lead.startswith("V") for lead in leads])
    scale = np.empty_like(largest)
    for group in (limb, ~limb):
        if group.any():
            scale[..., group] = largest[..., group].mean(axis=-1, keepdims=True)
    floor = 1e-3 * np.abs(mv).max(axis=(-2, -1))[..., None] + 1e-300
    return np.maximum(scale, floor)[..., None]


def closest(mv: np.ndarray, target: np.ndarray, early: int) -> tuple[np.ndarray, np.ndarray]:
    """Complexes cut out where they are closest to a target, and (n_members,) how late each is cut, ms.

    Parameters
    ----------
    mv : (n_members, n_leads, n) float
        1000 Hz; activation begins at sample `early`.
    target : (n_leads, n_samples) float
        From `BEFORE_MS` before its onset.
    early : int
    """
    length, shifts = target.shape[1], np.array(SHIFTS_MS)
    starts = early - BEFORE_MS + shifts
    windows = np.stack([mv[:, :, start : start + length] for start in starts], axis=1)
    best = np.argmin(((windows - target) ** 2).mean(axis=(2, 3)), axis=1)
    return windows[np.arange(len(mv)), best], shifts[best]


def mean_correlation(complexes: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n_members,) mean over leads of Pearson's correlation of (n_members, n_leads, n) with the target."""
    a = complexes - complexes.mean(axis=2, keepdims=True)
    b = target - target.mean(axis=1, keepdims=True)
    length = np.linalg.norm(a, axis=2) * np.linalg.norm(b, axis=1)
    return np.asarray(((a * b).sum(axis=2) / np.maximum(length, 1e-300)).mean(axis=1))


def information(mv: np.ndarray) -> float:
    """How many independent numbers a complex of (n_leads, n_samples) holds, if errors last as long as its features.

    Neighbouring samples say the same (correlation time, Bartlett 1946, doi 10.2307/2983611): counting each as new would
    make intervals several times too narrow. Leads count as the geometric mean of two extremes: errors independent from
    lead to lead, and errors as alike as the leads themselves (participation ratio: they are nearly a dipole's).
    """
    # Neither extreme will do. Over synthetic hearts the first covered the truth in 7 of 10 intervals of 90 % when the
    # sampler was short of particles; the second left the ensemble close to the prior.
    centred = mv - mv.mean(axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-300
    n = centred.shape[1]
    correlation = np.mean([np.correlate(row, row, "full")[n - 1 :] for row in centred], axis=0)
    samples = n / (1.0 + 2.0 * np.sum(correlation[1:] ** 2))
    alike = len(mv) ** 2 / np.sum((centred @ centred.T) ** 2)
    return float(np.sqrt(len(mv) * alike) * samples)


@dataclass(frozen=True, eq=False)
class QrsModel:
    """A heart that turns velocities and sites into QRS complexes.

    Attributes
    ----------
    meshes : tuple of Conductor
        By the velocity of the border zone, in the order of the library's fractions.
    library : SiteLibrary
        Where activation may start, and how it spreads from there.
    lookup : Lookup
        Of that library.
    weights : LeadWeights
        Per unit of conductivity along fibres and across them; a set for each fraction and placement of the electrodes.
    measured : MeasuredQrs
    """

    meshes: tuple[Conductor, ...]
    library: SiteLibrary
    lookup: Lookup
    weights: LeadWeights
    measured: MeasuredQrs

    def fitted(
        self,
        velocities: np.ndarray,
        sites: np.ndarray,
        site_times_ms: np.ndarray,
        placement: np.ndarray | None = None,
        fraction: np.ndarray | None = None,
        *,
        exact: bool = False,
    ) -> np.ndarray:
        """(n_members, n_leads, n_samples) normalised complexes, each where it fits best.

        Parameters
        ----------
        velocities : (n_members, 3) float
            Fibre, cross, endocardium, mm/ms; the last 0 without a fast layer.
        sites : (n_members, n_sites) int
            Rows of the library's nodes.
        site_times_ms : (n_members, n_sites) float
            ms; only differences count, the earliest site fires at zero.
        placement : (n_members,) int, optional
            Of the electrodes, a row of those of `qrs_model`; the first where nothing is said.
        fraction : (n_members,) int, optional
            Of the border zone, a row of the library's; the first where nothing is said.
        exact : bool
            Solve instead of looking up.
        """
        n_samples = self.measured.mv.shape[2]
        early = -SHIFTS_MS.start + BEFORE_MS
        onsets = site_times_ms - site_times_ms.min(axis=1, keepdims=True)
        if exact:
            times = self._solved(velocities, self.library.nodes[sites], onsets, fraction)
        else:
            times = self.lookup(velocities, sites, onsets, fraction)
        # Conductivity goes with the square of velocity; what they share drops out in the normalisation.
        mix = velocities[:, :2] ** 2
        length = n_samples + early + SHIFTS_MS.stop
        which = [np.zeros(len(mix), np.int64) if one is None else one for one in (fraction, placement)]
        sets = which[0] * (len(self.weights.of_node) // len(self.meshes)) + which[1]
        mv = smoothed(depolarisation(self.weights, mix, times + early, length, which=sets))
        mv = mv / amplitude(mv, self.measured.signs, self.measured.leads)
        return self._placed(mv, early)

    def _solved(
        self, velocities: np.ndarray, nodes: np.ndarray, onsets: np.ndarray, fraction: np.ndarray | None
    ) -> np.ndarray:
        """(n_members, n_nodes) ms, each on the mesh of its border zone."""
        which = np.zeros(len(nodes), np.int64) if fraction is None else fraction
        times = np.empty((len(nodes), len(self.meshes[0].points)))
        for number in np.unique(which):
            mine = which == number
            speeds = [Velocities(float(f), float(c), float(e) or None) for f, c, e in velocities[mine]]
            times[mine] = solve(self.meshes[number], speeds, nodes[mine], onsets[mine])
        return times

    def _placed(self, mv: np.ndarray, early: int) -> np.ndarray:
        """Cut each complex out where it is closest to the mean of the measured ones."""
        return closest(mv, self.measured.mv.mean(axis=0), early)[0]

    def log_likelihood(self, fitted: np.ndarray, n_recordings: int) -> np.ndarray:
        """(n_members,) for the oldest recordings, with the size of the model's error integrated out.

        The residual has variance σ², unknown, with an inverse-gamma prior of scale noise² + 0.05²; integrating over it
        leaves a Student likelihood in the mean squared residual. Several recordings of one heart share the model's
        error: they average the noise, and do not count the same evidence twice.
        """
        shape, rate = self._error_variance(fitted, slice(0, n_recordings))
        return -shape * np.log(rate)

    def _error_variance(self, fitted: np.ndarray, recordings: slice) -> tuple[float, np.ndarray]:
        """Shape, and (n_members,) rate, of the inverse gamma distribution of σ² after these recordings."""
        half = 0.5 * self.measured.n_effective
        scale = self.measured.noise**2 + LEAST_DISCREPANCY**2
        return 1.0 + half, scale + half * self._misfit(fitted, recordings)

    def _misfit(self, fitted: np.ndarray, recordings: slice) -> np.ndarray:
        """(n_members,) mean squared residual."""
        residual = fitted[:, None] - self.measured.mv[None, recordings]
        return np.asarray((residual**2).mean(axis=(1, 2, 3)))

    def chance(self, fitted: np.ndarray, weights: np.ndarray, known: int) -> float:
        """Of a misfit at least as large as that of the recordings after the first `known`, under those.

        Posterior-predictive (Gelman, Meng & Stern 1996): with σ² from the inverse gamma of the known recordings, the
        mean square of n independent new residuals over its scale has an F distribution.

        Parameters
        ----------
        fitted : (n_members, n_leads, n_samples) float
            Complexes of the ensemble that knew only the first.
        weights : (n_members,) float
            Of its members.
        """
        shape, rate = self._error_variance(fitted, slice(0, known))
        ratio = self._misfit(fitted, slice(known, None)) * shape / rate
        return float(weights @ f_distribution.sf(ratio, self.measured.n_effective, 2.0 * shape))


def qrs_model(
    heart: Heart,
    placements: Sequence[Electrodes],
    tissue: TissueSettings,
    measured: MeasuredQrs,
    library: SiteLibrary,
) -> QrsModel:
    """Everything that does not depend on the unknowns, once."""
    leads, conducting = lead_matrix(placements[0].names, measured.leads), conducting_tets(heart)
    border = (heart.tissue_class == BORDER_ZONE).astype(float)
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0))

    def fields(where: np.ndarray) -> list[list[np.ndarray]]:
        """By placement and axes, of unit conductivity in some of the tissue."""
        parts = [np.outer(where, axis) for axis in axes]
        return [[leads @ electrode_weights(heart, one, part, conducting) for part in parts] for one in placements]

    healthy, slowed = fields(1.0 - border), fields(border)
    # Conductivity goes with the square of velocity, in the border zone too.
    sets = [
        [at + float(fraction) ** 2 * there for at, there in zip(*both, strict=True)]
        for fraction in library.fractions
        for both in zip(healthy, slowed, strict=True)
    ]
    weights = LeadWeights.of(*sets)
    meshes = tuple(prepare(heart, with_fraction(tissue, float(one))) for one in library.fractions)
    return QrsModel(meshes, library, Lookup(library), weights, measured)


@contextmanager
def threads(workers: int) -> Iterator[None]:
    """Run the kernels on this many threads (0: all)."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(workers, before) if workers else before)
    try:
        yield
    finally:
        numba.set_num_threads(before)
