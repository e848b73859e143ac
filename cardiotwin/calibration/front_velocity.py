"""From the velocities of an eikonal front to those of the tissue that it stands for.

The ECG is explained by an eikonal front, which has one velocity in one direction everywhere. A front of reaction and
diffusion has that velocity only where it is flat and far from any surface. Where it nears the outside of the wall no
charge flows on, and it is faster over a distance that grows with its width; where it is curved it is slower; a fast
endocardium has to drag the wall along. Tissue that is tuned to the fitted velocities therefore makes another beat than
was fitted. On a drawn patient Mitchell-Schaeffer's crossed a wall of 8 mm 12 to 27 % sooner, on lattices of 1.25 to
2 mm.

So one beat is asked. Tissue with the velocities of the best member beats from that member's sites, and a front is
fitted to *that* beat, on the mesh that the ECG was explained on: a coarse one has its own share in how fast a front
crosses a wall. Asked for / found is the factor for each direction. A second beat, with the factors, shows whether it
follows the member's front better; if not, or if no front follows the first beat, nothing is changed. Every
member's velocities are then multiplied by the same factors before the monodomain model is given them. They belong to a
heart, a mesh and a cell model, and to the velocities too: on a slab 1.09 to 1.17 across the fibres, from 0.45 to 0.25
m/s.

What the literature says of the fibre velocity, of which an ECG says little, it says of tissue. So members are weighted
anew, by what it thinks of their tissue over what it thought of their front: else a prior would be multiplied by a
factor that no ECG asked for (on a phantom once 1.31, and 0.80 m/s for 0.60).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial import cKDTree

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.sinus_beat import (
    LONGEST_DELAY_MS,
    best_member,
    sinus_beat,
    site_delay,
    until_all_is_activated,
)
from cardiotwin.eikonal import prepare, solve
from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.heart.heart import Heart
from cardiotwin.kernels.eikonal import Conductor
from cardiotwin.monodomain import Protocol, simulate
from cardiotwin.progress import Progress, part, silent
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import Velocities, make_tissue

NAMES = ("fibre", "cross", "endocardium")
LONGEST_BEAT_MS = 400.0
MOST_MISFIT_MS = 6.0
"""Of the front that follows a beat best, from that beat; beyond, it is another beat than a front makes."""
MOST = 1.6
"""A factor is between its inverse and this; beyond, the beat is not the front's, whatever the velocity."""
LEAST_ACTIVATED = 0.8
"""Of the tissue; else no factor is taken from the beat."""
_NODES = 20_000
"""At which front and beat are compared, more being more of the same."""
_OUTLIER_MS = 3.0
_LIKELY, _WORTH = 0.15, 50.0
"""Factors are 1 within this, as a standard deviation of their logarithm; the beat counts against that as so many
independent nodes 1 ms off. Where it does not tell fibre from cross-fibre velocity they share what it asks for. Softened
as outliers are: what the beat tells clearly is followed further than a normal prior would let it."""


@dataclass(frozen=True)
class Ratio:
    """Velocity of the tissue over that of the front, by direction.

    Attributes
    ----------
    fibre, cross, endocardium : float
        The last is 1 where there is no fast layer.
    misfit_ms : float
        Mean distance of the beat from the front that follows it best, ms; 0 where none was fitted.
    before_ms, after_ms : float
        The same from the member's own front, of the beat without and with the factors.
    note : str
        Why the factors are 1; "" for most.
    """

    fibre: float = 1.0
    cross: float = 1.0
    endocardium: float = 1.0
    misfit_ms: float = 0.0
    before_ms: float = 0.0
    after_ms: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class FrontToTissue:
    """The ratio of each cell model that a twin simulates with.

    Attributes
    ----------
    member : int
        Row of the posterior whose beat was asked.
    ratios : dict of str to Ratio
        By cell model.
    """

    member: int
    ratios: dict[str, Ratio]

    def tissue(self, posterior: Posterior, cell_model: str | None = None) -> Posterior:
        """The ensemble with velocities for the monodomain model, weighted anew; all else is as it was.

        Raises
        ------
        SettingsError
            The cell model was not asked for, or is not given and there are several.
        """
        if (cell_model or len(self.ratios)) not in (*self.ratios, 1):
            asked = ", ".join(self.ratios)
            raise SettingsError(f"velocities of the tissue: found cell model {cell_model}, expected one of {asked}")
        ratio = self.ratios[cell_model or next(iter(self.ratios))]
        weights = _weighted_anew(posterior, ratio.fibre)
        return replace(
            posterior,
            weights=weights,
            velocity_fibre=posterior.velocity_fibre * ratio.fibre,
            velocity_cross=posterior.velocity_cross * ratio.cross,
            velocity_endocardium=posterior.velocity_endocardium * ratio.endocardium,
            notes=posterior.notes | {"effective sample size, tissue": float(1.0 / (weights**2).sum())},
        )


def _weighted_anew(posterior: Posterior, factor: float) -> np.ndarray:
    """(n_members,) weights with the prior of the fibre velocity on that of the tissue, not of the front."""
    if posterior.velocity_fibre_prior is None:
        return posterior.weights
    mean, deviation = posterior.velocity_fibre_prior
    front, tissue = (
        (speed - mean) / deviation for speed in (posterior.velocity_fibre, factor * posterior.velocity_fibre)
    )
    over = 0.5 * (front**2 - tissue**2)
    weights = posterior.weights * np.exp(over - over.max())
    return np.asarray(weights / weights.sum())


def front_to_tissue(
    heart: Heart,
    posterior: Posterior,
    settings: TissueSettings | None = None,
    cell_models: Sequence[str] = (),
    *,
    fitted_on: Heart | None = None,
    site_radius_mm: float = 2.5,
    dt_ms: float = 0.02,
    progress: Progress = silent,
) -> FrontToTissue:
    """One beat of the best member for each cell model, and what a front that follows it says.

    Parameters
    ----------
    heart : Heart
        The mesh that will be simulated on.
    posterior : Posterior
    settings : TissueSettings, optional
    cell_models : sequence of str
        That of the settings is always among them.
    fitted_on : Heart, optional
        The mesh that the posterior was calibrated on, of the same anatomy; `heart` unless given.
    site_radius_mm, dt_ms : float
        As in `SimulateSettings`.
    progress : Progress

    Notes
    -----
    A cell model whose tissue or beat cannot be made on this mesh has factors of 1, and the reason as its note: who
    simulates with it is refused then, and others are not.
    """
    member = best_member(posterior)
    settings = posterior.tissue(member, settings or TissueSettings())
    models, ratios = sorted({settings.cell_model, *cell_models}), {}
    for number, model in enumerate(models):
        mine = part(progress, number / len(models), (number + 1) / len(models))
        asked = settings.model_copy(update={"cell_model": model})
        try:
            beats = _Beats(heart, fitted_on or heart, posterior, member, asked, site_radius_mm, dt_ms)
            ratios[model] = _ratio(beats, mine)
        except QualityGate as refused:
            ratios[model] = Ratio(note=str(refused))
    return FrontToTissue(member, ratios)


@dataclass(frozen=True, eq=False)
class _Beats:
    """Of one member and one cell model."""

    heart: Heart
    fitted_on: Heart
    posterior: Posterior
    member: int
    settings: TissueSettings
    site_radius_mm: float
    dt_ms: float

    def of(self, velocities: Velocities, progress: Progress) -> _Beat:
        """Of tissue with these velocities, until all is activated."""
        heart = self.heart
        tissue = make_tissue(heart, velocities, self.settings, dt_ms=self.dt_ms, progress=part(progress, 0.0, 0.4))
        stimuli = sinus_beat(tissue, self.posterior, self.member, self.site_radius_mm)
        run = simulate(
            tissue,
            Protocol(stimuli, LONGEST_BEAT_MS),
            dt_ms=self.dt_ms,
            monitor=until_all_is_activated(stimuli),
            progress=part(progress, 0.4, 1.0),
        )
        times = run.activation_ms[0]
        started = np.array([site_delay(heart, one, times) <= LONGEST_DELAY_MS for one in stimuli])
        alive = np.unique(heart.mesh.tets[tissue.conducting])
        starts = np.array([one.start_ms for one in stimuli])
        reached = float(np.isfinite(times[alive]).mean())
        nodes = cKDTree(self.fitted_on.mesh.points).query(self.posterior.site_positions[self.member])[1]
        return _Beat(_at_nodes_of(self.fitted_on, heart, alive, times), nodes, starts, started, reached)


@dataclass(frozen=True, eq=False)
class _Beat:
    """On the mesh of the front: (n_nodes,) activation, ms; of every site its node, when it fired, and whether a wave
    started; share of the tissue reached."""

    times: np.ndarray
    nodes: np.ndarray
    starts: np.ndarray
    started: np.ndarray
    reached: float

    def from_front(self, mesh: Conductor, velocities: Velocities, sites: np.ndarray) -> float:
        """Mean distance from the front that these velocities make from some of the sites, middles aligned, ms."""
        front = solve(mesh, [velocities], self.nodes[sites][None], self.starts[sites][None])[0]
        apart = (self.times - front)[np.isfinite(self.times) & np.isfinite(front)]
        return float(np.abs(apart - np.median(apart)).mean())


def _at_nodes_of(heart: Heart, other: Heart, alive: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
    """(n_nodes,) ms, what the `alive` nodes of the other mesh have, NaN where none lies within an edge of that mesh."""
    away, nearest = cKDTree(other.mesh.points[alive]).query(heart.mesh.points)
    return np.where(away <= other.edge_mm, times_ms[alive[nearest]], np.nan)


def _ratio(beats: _Beats, progress: Progress) -> Ratio:
    asked, mesh = beats.posterior.velocities(beats.member), prepare(beats.fitted_on, beats.settings)
    first = beats.of(asked, part(progress, 0.0, 0.45))
    if not first.started.any() or first.reached < LEAST_ACTIVATED:
        sites = f"{first.started.sum()} of {first.started.size} sites fired"
        return Ratio(note=f"the beat reached {first.reached:.0%} of the tissue, {sites}")
    progress(0.45, "the front that follows the beat")
    on = first.started
    found, misfit_ms = follow(mesh, asked, first.nodes[on], first.starts[on], first.times)
    unchanged = Ratio(misfit_ms=misfit_ms, before_ms=first.from_front(mesh, asked, on))
    factors = {name: getattr(asked, name) / getattr(found, name) if getattr(asked, name) else 1.0 for name in NAMES}
    if misfit_ms > MOST_MISFIT_MS:
        return replace(unchanged, note=f"no front follows the beat ({misfit_ms:.1f} ms off)")
    if any(abs(np.log(factor)) > 0.99 * np.log(MOST) for factor in factors.values()):
        return replace(unchanged, note=f"the front that follows the beat is {MOST:g} times as fast, or as slow")
    try:
        second = beats.of(_times(asked, factors), part(progress, 0.5, 1.0))
    except QualityGate as refused:
        return replace(unchanged, note=str(refused))
    # Both beats are held against the front from the same sites, or the second could gain by losing some.
    after = second.from_front(mesh, asked, on)
    if not after < unchanged.before_ms or second.reached < LEAST_ACTIVATED or not second.started[on].all():
        return replace(unchanged, note="other velocities bring the beat no nearer to the front")
    fibre, cross, fast = (float(factors[name]) for name in NAMES)
    return replace(unchanged, fibre=fibre, cross=cross, endocardium=fast, after_ms=after)


def _times(velocities: Velocities, factors: Mapping[str, float]) -> Velocities:
    fast = velocities.endocardium
    return Velocities(
        velocities.fibre * factors["fibre"],
        velocities.cross * factors["cross"],
        fast * factors["endocardium"] if fast is not None else None,
    )


def follow(
    mesh: Conductor, start: Velocities, sites: np.ndarray, site_times_ms: np.ndarray, activation_ms: np.ndarray
) -> tuple[Velocities, float]:
    """The velocities with which a front from these sites follows given activation best, from `start`.

    Robust least squares in factors of the velocities, which are near 1 unless the beat says otherwise. When the beat
    began is left open: the middle of all differences is taken off, since a stimulus needs a while to start a wave, and
    fires more than a point.

    Parameters
    ----------
    mesh : Conductor
    start : Velocities
        Each is changed by `MOST` at most.
    sites, site_times_ms : (n_sites,) int, (n_sites,) float
        Nodes, and when they fire, ms.
    activation_ms : (n_nodes,) float
        NaN where nothing was activated.

    Returns
    -------
    Velocities, float
        And the mean absolute difference that is left, ms.
    """
    sites, site_times_ms = np.asarray(sites), np.asarray(site_times_ms, float)
    names = [name for name in NAMES if getattr(start, name)]
    reached = np.flatnonzero(np.isfinite(activation_ms) & (np.diff(mesh.tets_at) > 0))
    reached = reached[:: max(1, len(reached) // _NODES)]

    def velocities(factors: np.ndarray) -> Velocities:
        return _times(start, dict.fromkeys(NAMES, 1.0) | dict(zip(names, map(float, factors), strict=True)))

    def late(factors: np.ndarray) -> np.ndarray:
        times = solve(mesh, [velocities(factors)], sites[None], site_times_ms[None])[0][reached]
        apart = np.nan_to_num(times - activation_ms[reached], posinf=LONGEST_BEAT_MS)
        return np.asarray(apart - np.median(apart))

    def residual(factors: np.ndarray) -> np.ndarray:
        unlikely = np.sqrt(len(reached) / _WORTH) * np.log(factors) / _LIKELY
        return np.concatenate([late(factors), unlikely])

    found = least_squares(
        residual, np.ones(len(names)), bounds=(1.0 / MOST, MOST), loss="soft_l1", f_scale=_OUTLIER_MS, diff_step=0.02,
        xtol=1e-3, ftol=1e-4,
    )  # fmt: skip
    return velocities(found.x), float(np.abs(late(found.x)).mean())
