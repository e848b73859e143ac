"""From the velocities of an eikonal front to those of the tissue that it stands for.

The ECG is explained by an eikonal front, which has one velocity in one direction everywhere. A front of reaction and
diffusion has that velocity only where it is flat and far from any surface. Where it nears the outside of the wall no
charge flows on, and it is faster over a distance that grows with its width; where it is curved it is slower; a fast
endocardium has to drag the wall along. Tissue that is tuned to the fitted velocities therefore makes another beat than
was fitted. On a drawn patient it crossed a wall of 8 mm 12 to 27 % sooner, on lattices of 1.25 to 2 mm.

So one beat is asked. Tissue with the velocities of the best member beats from that member's sites, and a front is
fitted to *that* beat; asked for / found is the factor by which every member's velocities are multiplied before the
monodomain model is given them. It belongs to a heart, a mesh and a cell model, and hardly to the velocities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from cardiotwin.calibration import Posterior
from cardiotwin.eikonal import prepare, solve
from cardiotwin.errors import SettingsError
from cardiotwin.heart import Heart
from cardiotwin.kernels.eikonal import Conductor
from cardiotwin.monodomain import Protocol, simulate
from cardiotwin.progress import Progress, part, silent
from cardiotwin.settings import TissueSettings
from cardiotwin.sinus_beat import (
    LONGEST_DELAY_MS,
    best_member,
    sinus_beat,
    site_delay,
    site_nodes,
    until_all_is_activated,
)
from cardiotwin.tissue import Tissue, Velocities, make_tissue

LONGEST_BEAT_MS = 400.0
MOST = 1.6
"""A factor is between its inverse and this; beyond, the beat is not the front's, whatever the velocity."""
LEAST_ACTIVATED = 0.8
"""Of the tissue; else no factor is taken from the beat."""
_NODES = 20_000
"""At which front and beat are compared, more being more of the same."""
_OUTLIER_MS = 3.0


@dataclass(frozen=True)
class Ratio:
    """Velocity of the tissue over that of the front, by direction.

    Attributes
    ----------
    fibre, cross, endocardium : float
        The last is 1 where there is no fast layer.
    misfit_ms : float
        Mean distance of the beat from the front that follows it best, ms; 0 where none was fitted.
    note : str
        Why there is no ratio other than 1, or at which limit it is; "" for most.
    """

    fibre: float = 1.0
    cross: float = 1.0
    endocardium: float = 1.0
    misfit_ms: float = 0.0
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
        """The ensemble with velocities for the monodomain model; all else is as it was.

        Raises
        ------
        SettingsError
            The cell model was not asked for, or is not given and there are several.
        """
        if (cell_model or len(self.ratios)) not in (*self.ratios, 1):
            asked = ", ".join(self.ratios)
            raise SettingsError(f"velocities of the tissue: found cell model {cell_model}, expected one of {asked}")
        ratio = self.ratios[cell_model or next(iter(self.ratios))]
        return replace(
            posterior,
            velocity_fibre=posterior.velocity_fibre * ratio.fibre,
            velocity_cross=posterior.velocity_cross * ratio.cross,
            velocity_endocardium=posterior.velocity_endocardium * ratio.endocardium,
        )


def front_to_tissue(
    heart: Heart,
    posterior: Posterior,
    settings: TissueSettings | None = None,
    cell_models: Sequence[str] = (),
    *,
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
    site_radius_mm, dt_ms : float
        As in `SimulateSettings`.
    progress : Progress

    Raises
    ------
    QualityGate
        No conducting endocardium, or a velocity that this lattice cannot carry.
    """
    member = best_member(posterior)
    settings = posterior.tissue(member, settings or TissueSettings())
    models = sorted({settings.cell_model, *cell_models})
    velocities = posterior.velocities(member)
    ratios = {}
    for number, model in enumerate(models):
        mine = part(progress, number / len(models), (number + 1) / len(models))
        tissue = make_tissue(heart, velocities, settings, dt_ms=dt_ms, cell_model=model, progress=part(mine, 0.0, 0.4))
        ratios[model] = _ratio(tissue, posterior, member, settings, site_radius_mm, dt_ms, part(mine, 0.4, 1.0))
    return FrontToTissue(member, ratios)


def _ratio(
    tissue: Tissue,
    posterior: Posterior,
    member: int,
    settings: TissueSettings,
    radius_mm: float,
    dt_ms: float,
    progress: Progress,
) -> Ratio:
    stimuli, nodes = sinus_beat(tissue, posterior, member, radius_mm), site_nodes(tissue, posterior, member)
    protocol = Protocol(stimuli, LONGEST_BEAT_MS)
    times = simulate(
        tissue, protocol, dt_ms=dt_ms, monitor=until_all_is_activated(stimuli), progress=part(progress, 0.0, 0.9)
    ).activation_ms[0]
    started = [site_delay(tissue.heart, one, times) <= LONGEST_DELAY_MS for one in stimuli]
    share = np.isfinite(times[np.unique(tissue.heart.mesh.tets[tissue.conducting])]).mean()
    if not any(started) or share < LEAST_ACTIVATED:
        return Ratio(note=f"the beat reached {share:.0%} of the tissue, {sum(started)} of {len(started)} sites fired")
    progress(0.9, "the front that follows the beat")
    starts = np.array([one.start_ms for one in stimuli])[started]
    found, misfit_ms = follow(prepare(tissue.heart, settings), tissue.velocities, nodes[started], starts, times)
    asked = tissue.velocities
    factors = {
        name: getattr(asked, name) / getattr(found, name) if getattr(asked, name) else 1.0
        for name in ("fibre", "cross", "endocardium")
    }
    at_limit = [name for name, factor in factors.items() if abs(np.log(factor)) > 0.99 * np.log(MOST)]
    return Ratio(**factors, misfit_ms=misfit_ms, note=f"at its limit: {', '.join(at_limit)}" if at_limit else "")


def follow(
    mesh: Conductor, start: Velocities, sites: np.ndarray, site_times_ms: np.ndarray, activation_ms: np.ndarray
) -> tuple[Velocities, float]:
    """The velocities with which a front from these sites follows given activation best, from `start`.

    Robust least squares in the logarithms of the velocities. When the beat began is left open: the middle of all
    differences is taken off, since a stimulus needs a while to start a wave, and fires more than a point.

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
    names = [name for name in ("fibre", "cross", "endocardium") if getattr(start, name)]
    reached = np.flatnonzero(np.isfinite(activation_ms) & (np.diff(mesh.tets_at) > 0))
    reached = reached[:: max(1, len(reached) // _NODES)]

    def velocities(logarithms: np.ndarray) -> Velocities:
        return replace(
            start, **{n: getattr(start, n) * float(np.exp(x)) for n, x in zip(names, logarithms, strict=True)}
        )

    def late(logarithms: np.ndarray) -> np.ndarray:
        times = solve(mesh, [velocities(logarithms)], sites[None], site_times_ms[None])[0][reached]
        apart = np.nan_to_num(times - activation_ms[reached], posinf=LONGEST_BEAT_MS)
        return np.asarray(apart - np.median(apart))

    most = np.log(MOST)
    found = least_squares(
        late, np.zeros(len(names)), bounds=(-most, most), loss="soft_l1", f_scale=_OUTLIER_MS, diff_step=0.02,
        xtol=1e-3, ftol=1e-4,
    )  # fmt: skip
    return velocities(found.x), float(np.abs(late(found.x)).mean())
