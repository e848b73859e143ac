"""Every twin that explains the ECG, not the best one.

Conduction velocities and the sites where activation starts, from the QRS complex: a Bayesian inversion of the eikonal
model (`qrs_model.py`) by tempered sequential Monte Carlo. The ECG does not determine activation uniquely; what it
leaves open stays open in the ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.qrs_model import MeasuredQrs, QrsModel, mean_correlation, measured_qrs, qrs_model, threads
from cardiotwin.calibration.qrs_prior import QrsPrior
from cardiotwin.calibration.sequential_monte_carlo import Run, apart, temper, together
from cardiotwin.calibration.site_library import SiteLibrary, site_library
from cardiotwin.ecg.electrodes import Electrodes, default_electrodes, placements
from cardiotwin.ecg.qrs import BEFORE_MS, qrs_edges
from cardiotwin.ecg.recording import Ecg
from cardiotwin.eikonal import prepare
from cardiotwin.errors import InputRejected, QualityGate, SettingsError
from cardiotwin.heart.heart import BORDER_ZONE, Heart
from cardiotwin.progress import Progress, part, silent
from cardiotwin.settings import CalibrateSettings, TissueSettings, with_fraction


def calibrate(
    heart: Heart,
    ecgs: Sequence[Ecg],
    electrodes: Electrodes | None = None,
    settings: CalibrateSettings | None = None,
    tissue: TissueSettings | None = None,
    *,
    previous: Posterior | None = None,
    library: SiteLibrary | None = None,
    workers: int = 0,
    progress: Progress = silent,
) -> Posterior:
    """Velocities and activation sites that explain the QRS complex, as an ensemble.

    Parameters
    ----------
    heart : Heart
        The calibration mesh.
    ecgs : sequence of Ecg
        In canonical order, the oldest first.
    electrodes : Electrodes, optional
        Placed by a rule from the heart (`default_electrodes`) when they were not measured.
    settings : CalibrateSettings, optional
    tissue : TissueSettings, optional
        For the border zone.
    previous : Posterior, optional
        From a shorter list of the same recordings: its ensemble, weighted by what these say beside the newer ones, is
        the start, and only the newer are tempered. The target is the same as without it. Where the newer ones have not
        the same usable leads, what is known of the older ones is another thing, and all of it is done anew on the leads
        that all have.
    library : SiteLibrary, optional
        `sites_of` the same heart and settings, where it is used again; else it is made.
    workers : int
        Threads; 0: all. The result does not depend on it.
    progress : Progress

    Raises
    ------
    QualityGate
        Fewer than three usable independent leads (told with the one that would help most), no QRS complex, an ensemble
        that collapsed onto few members, or independent populations that did not arrive at the same velocities.
    InputRejected
        No ECG at all, or `previous` knows as many recordings as are given.

    Notes
    -----
    How far it recovers velocities that are known: `tests/test_calibration_coverage.py` and `benchmarks/calibration.py`,
    with the figures in `docs/verification.md`. Intervals are wide, and should be: torso, electrode errors and Purkinje
    tree are not in the model. With fewer than three lattice cells across the wall the cross-fibre velocity comes out up
    to 15 % too high.
    """
    electrodes = electrodes or default_electrodes(heart)
    settings, tissue = settings or CalibrateSettings(), tissue or TissueSettings()
    if not ecgs:
        raise InputRejected("calibration: no ECG; add one with `cardiotwin add`")
    known = _recordings(previous)
    if known >= len(ecgs):
        raise InputRejected(
            f"calibration: the earlier posterior has {known} ECGs, expected fewer than the {len(ecgs)} given"
        )
    measured = measured_qrs(ecgs, electrodes, heart)
    with threads(workers):
        share = 0.0 if library else 0.5
        library = library or sites_of(heart, settings, tissue, progress=part(progress, 0.0, share))
        placed = placements(heart, electrodes, settings.n_electrode_placements)
        model = qrs_model(heart, placed, tissue, measured, library)
        asks = library.fractions.tolist() != [tissue.border_zone_velocity_fraction]
        target = _Target(model, _prior(settings, library, len(placed)), placed, asks, known, len(ecgs))
        told = _start(target, settings, previous)
        if previous is not None and previous.leads == measured.leads:
            start = _of_the_same_window(told, target, measured_qrs(ecgs[:known], electrodes, heart))
        else:
            target = replace(target, known=0)
            start = _start(target, settings, None)
        runs = _populations(target, start, settings, part(progress, share, 1.0))
        notes = _convergence(runs, target.prior, model) | _told_of_leads(measured, anew=known > target.known)
        if previous is not None:
            notes |= _surprise(replace(target, known=known), told)
        whole = together(runs)
        return _posterior(whole, target, target.fitted(whole.particles, exact=True), notes)


@dataclass(frozen=True, eq=False)
class _Target:
    """The distribution that particles are carried to, from that of the recordings `known` before."""

    model: QrsModel
    prior: QrsPrior
    placements: Sequence[Electrodes]
    asks_border_zone: bool
    known: int
    n_recordings: int

    def fitted(self, particles: np.ndarray, *, exact: bool = False) -> np.ndarray:
        """(n_members, n_leads, n_samples) complexes."""
        prior = self.prior
        sites, times, placement = prior.sites(particles), prior.times(particles), prior.placement(particles)
        fraction = prior.fraction(particles)
        return self.model.fitted(particles[:, :3], sites, times, placement, fraction, exact=exact)

    def evaluate(self, particles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n_members,) log likelihoods before and with the new recordings."""
        complexes = self.fitted(particles)
        old = self.model.log_likelihood(complexes, self.known) if self.known else np.zeros(len(particles))
        return old, self.model.log_likelihood(complexes, self.n_recordings)


def _prior(settings: CalibrateSettings, library: SiteLibrary, n_placements: int) -> QrsPrior:
    low, high = np.array([*calibration_ranges(settings), (0.0, settings.latest_site_ms)]).T
    fibre = settings.velocity_fibre_prior_m_per_s
    n_fractions = len(library.fractions)
    return QrsPrior(low, high, library.near, library.far, settings.n_sites, fibre, n_placements, n_fractions)


def _told_of_leads(measured: MeasuredQrs, *, anew: bool) -> dict[str, float | str]:
    """A note where some ECGs have leads that others have not; `anew` where an earlier ensemble was of other leads."""
    if not measured.lost:
        return {}
    return {
        "leads lost": f"an ECG has no usable {', '.join(measured.lost)}: {'calibrated anew, ' if anew else ''}of every "
        f"ECG on {len(measured.leads)} leads that all have; if that tells less than one ECG alone, `cardiotwin remove` "
        "the other"
    }


Weighted = tuple[np.ndarray, np.ndarray]
"""(n, d) particles and their (n,) weights."""


def _start(target: _Target, settings: CalibrateSettings, previous: Posterior | None) -> Weighted:
    """Draws from the prior, or the earlier ensemble."""
    if previous is not None:
        return _particles_of(previous, target), previous.weights
    count = _FIRST_DRAWS * settings.n_particles
    return target.prior.draw(count, np.random.default_rng(settings.seed)), np.full(count, 1.0 / count)


def _of_the_same_window(start: Weighted, target: _Target, known: MeasuredQrs) -> Weighted:
    """The earlier ensemble, weighted by what its recordings say of it now: beside a further one their complexes may be
    cut shorter, and noise, alignment and how much they say are those of all.
    """
    particles, weights = start
    before = replace(target, model=replace(target.model, measured=known))
    gain = target.model.log_likelihood(target.fitted(particles), target.known)
    gain -= before.model.log_likelihood(before.fitted(particles), target.known)
    weights = weights * np.exp(gain - gain.max())
    return particles, weights / weights.sum()


def _populations(target: _Target, start: Weighted, settings: CalibrateSettings, progress: Progress) -> list[Run]:
    """Each from its share of the start, none knowing of the others."""
    particles, weights = start
    streams = np.random.default_rng(settings.seed).spawn(POPULATIONS)
    return [
        temper(
            particles[number::POPULATIONS],
            weights[number::POPULATIONS] / weights[number::POPULATIONS].sum(),
            target.evaluate,
            target.prior.moves(),
            size=-(-settings.n_particles // POPULATIONS),
            n_sweeps=-(-settings.n_moves // _UPDATE_QUICKER) if target.known else settings.n_moves,
            rng=streams[number],
            progress=part(progress, number / POPULATIONS, (number + 1) / POPULATIONS),
        )
        for number in range(POPULATIONS)
    ]


def sites_of(
    heart: Heart, settings: CalibrateSettings, tissue: TissueSettings, *, progress: Progress = silent
) -> SiteLibrary:
    """Arrivals from wherever activation may start, which no ECG changes.

    Raises
    ------
    QualityGate
        No conducting endocardium to start activation from.
    """
    meshes = {one: prepare(heart, with_fraction(tissue, one)) for one in border_zone_fractions(heart, settings, tissue)}
    return site_library(heart, meshes, calibration_ranges(settings), count=settings.n_candidates, progress=progress)


def border_zone_fractions(heart: Heart, settings: CalibrateSettings, tissue: TissueSettings) -> tuple[float, ...]:
    """Those that are asked about; only `tissue`'s in a heart without border zone. First the one that is tabulated in
    full: the nearest to `tissue`'s, but for 1, from which what slower ones change is least well known.
    """
    asked, told = settings.border_zone_velocity_fractions, tissue.border_zone_velocity_fraction
    if not asked or not (heart.tissue_class == BORDER_ZONE).any():
        return (told,)
    first = min(asked, key=lambda one: (one == 1.0, abs(one - told)))
    return (first, *sorted(one for one in asked if one != first))


POPULATIONS = 2
"""Independent ones: that they agree is what convergence is judged by."""
MOST_APART = 2.0
"""Means of a velocity in two populations, in standard deviations within them."""
LEAST_CHANCE = 0.01
"""Below, a new ECG is told to contradict the earlier ensemble."""
_FIRST_DRAWS = 4  # prior draws for each particle: the first reweighting chooses among them
_UPDATE_QUICKER = 4
"""An ensemble that is converged needs few moves to follow a further ECG."""
_LEAST_DISTINCT = 0.2  # of the ensemble; below, it says more about the sampler than about the heart


def _recordings(previous: Posterior | None) -> int:
    return 0 if previous is None else int(previous.notes["recordings"])


def calibration_ranges(settings: CalibrateSettings) -> list[tuple[float, float]]:
    """Lowest and highest fibre, cross-fibre and endocardial velocity, mm/ms; the last (0, 0) without a fast layer.

    Raises
    ------
    SettingsError
        A lowest above its highest, no cross-fibre velocity below the fibre's, or a prior that is off its range.
    """
    ranges = [
        settings.velocity_fibre_m_per_s,
        settings.velocity_cross_m_per_s,
        settings.velocity_endocardium_m_per_s if settings.fast_endocardium else (0.0, 0.0),
    ]
    low, high = np.array(ranges).T
    if (low > high).any() or low[1] > high[0]:
        raise SettingsError(
            "[calibrate] velocity ranges: each needs low ≤ high, and cross-fibre must be able to be slower"
        )
    mean, sd = settings.velocity_fibre_prior_m_per_s
    if not (sd > 0.0 and low[0] - 2.0 * sd <= mean <= high[0] + 2.0 * sd):
        raise SettingsError(
            f"[calibrate] velocity_fibre_prior_m_per_s: found {mean:g} and {sd:g}, expected a mean within the range "
            f"{low[0]:g} to {high[0]:g} m/s and a standard deviation above 0"
        )
    return ranges


def _particles_of(previous: Posterior, target: _Target) -> np.ndarray:
    """The earlier ensemble as particles; its sites go to the nearest nodes, if the mesh is another."""
    prior, library = target.prior, target.model.library
    n, n_sites = previous.site_times_ms.shape
    if n_sites != prior.n_sites:
        raise InputRejected(f"calibration: the earlier posterior has {n_sites} sites, the settings {prior.n_sites}")
    sites = library.nearest(previous.site_positions.reshape(-1, 3)).reshape(n, n_sites)
    fast = np.clip(np.nan_to_num(previous.velocity_endocardium), prior.low[2], prior.high[2])
    placement = np.zeros(n)
    if previous.electrode_positions is not None:
        known = np.array([one.positions for one in target.placements])
        apart = np.abs(previous.electrode_positions[:, None] - known).max(axis=(2, 3))
        placement = apart.argmin(axis=1)
    fraction = np.zeros(n)
    if previous.border_zone_fraction is not None:
        fraction = np.abs(previous.border_zone_fraction[:, None] - library.fractions).argmin(axis=1)
    speeds = (previous.velocity_fibre, previous.velocity_cross, fast)
    return np.column_stack([*speeds, sites, previous.site_times_ms, fraction, placement])


def _convergence(runs: Sequence[Run], prior: QrsPrior, model: QrsModel) -> dict[str, float | str]:
    """How far the populations are apart; refuses those that do not agree on a velocity."""
    names = ("fibre", "cross-fibre", "endocardial")
    velocity = {name: apart([run.particles[:, k] for run in runs]) for k, name in enumerate(names)}
    worst = max(velocity, key=lambda name: velocity[name])
    if velocity[worst] > MOST_APART:
        means = " and ".join(f"{run.particles[:, names.index(worst)].mean():.2f}" for run in runs)
        raise QualityGate(
            f"calibration: not converged. Two independent populations found {means} m/s for the {worst} velocity, "
            f"{velocity[worst]:.1f} standard deviations apart, expected at most {MOST_APART:g}; "
            "raise `n_particles` or `n_moves` in [calibrate]"
        )
    evidence = [run.log_evidence for run in runs]
    found: dict[str, float | str] = {}
    if len(model.library.fractions) > 1:
        shares = [model.library.fractions[prior.fraction(run.particles)] for run in runs]
        found["populations apart, border zone"] = min(apart(shares), 99.0)  # infinite where each has one share only
    return found | {
        "log evidence": together(runs).log_evidence,
        "log evidence, populations apart": max(evidence) - min(evidence),
        "populations apart, velocities": velocity[worst],
        "populations apart, earliest site": apart([_earliest(run.particles, prior, model) for run in runs]),
    }


def _earliest(particles: np.ndarray, prior: QrsPrior, model: QrsModel) -> np.ndarray:
    """(n, 3) mm."""
    first = prior.times(particles).argmin(axis=1)
    return model.library.positions[prior.sites(particles)[np.arange(len(particles)), first]]


def _surprise(target: _Target, earlier: Weighted) -> dict[str, float | str]:
    """Whether the earlier ensemble expected the new recordings."""
    particles, weights = earlier
    chance = target.model.chance(target.fitted(particles), weights, target.known)
    notes: dict[str, float | str] = {"chance of the new ECG": chance}
    if chance < LEAST_CHANCE:
        notes["drift"] = (
            f"the new ECG contradicts what was known (a misfit as large has a chance of {chance:.2g}): the heart, the "
            "electrodes or the patient may have changed; compare both versions before the new one is used"
        )
    return notes


def _posterior(run: Run, target: _Target, complexes: np.ndarray, found: dict[str, float | str]) -> Posterior:
    particles, prior, measured = run.particles, target.prior, target.model.measured
    distinct = len(np.unique(particles, axis=0))
    if distinct < _LEAST_DISTINCT * len(particles):
        raise QualityGate(
            f"calibration: the ensemble collapsed onto {distinct} of {len(particles)} members; "
            "raise `n_particles` or `n_moves` in [calibrate]"
        )
    newest = measured.mv[-1]
    times = prior.times(particles)
    correlation = mean_correlation(complexes, newest)
    fast = np.where(particles[:, 2] > 0.0, particles[:, 2], np.nan)
    durations = [float(np.subtract(*qrs_edges(complex_)[::-1])) for complex_ in complexes]
    notes: dict[str, float | str] = {
        "recordings": float(target.n_recordings),
        "beats": float(measured.n_beats),
        "effective sample size": run.effective,
        "distinct members": float(distinct),
        "ancestors": float(run.ancestors),
        "tempering steps": float(len(run.exponents)),
        "acceptance": run.acceptance,
        "independent numbers in the QRS": measured.n_effective,
        "measured QRS, ms": measured.duration_ms,
        "fitted QRS, ms": float(np.median(durations)),
    }
    notes |= found
    positions, fractions = None, target.model.library.fractions
    if len(target.placements) > 1:
        positions = np.array([one.positions for one in target.placements])[prior.placement(particles)]
        notes["electrode placements"] = float(len(np.unique(prior.placement(particles))))
    notes |= {f"ECG {k + 1}": note for k, note in enumerate(measured.notes)}
    return Posterior(
        weights=np.full(len(particles), 1.0 / len(particles)),
        velocity_fibre=particles[:, 0],
        velocity_cross=particles[:, 1],
        velocity_endocardium=fast,
        site_positions=target.model.library.positions[prior.sites(particles)],
        site_times_ms=times - times.min(axis=1, keepdims=True),
        correlation=correlation,
        leads=measured.leads,
        qrs_ms=np.arange(newest.shape[1]) - float(BEFORE_MS),
        measured=newest,
        fitted=complexes,
        notes=notes,
        electrode_positions=positions,
        border_zone_fraction=fractions[prior.fraction(particles)] if target.asks_border_zone else None,
        velocity_fibre_prior=prior.fibre,
    )
