"""Monodomain beats of the member that fits the ECG best and of others: does the full physics agree with its fit?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardiotwin.calibration.agreement import aligned
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.sinus_beat import best_member, sinus_beat, site_delay, until_all_is_activated
from cardiotwin.ecg.electrodes import Electrodes, elsewhere
from cardiotwin.ecg.forward import electrode_weights
from cardiotwin.ecg.recording import Ecg, leads_from_electrodes
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import Heart
from cardiotwin.monodomain import Activation, Protocol, simulate
from cardiotwin.progress import Progress, part, silent
from cardiotwin.settings import SimulateSettings, TissueSettings
from cardiotwin.tissue.tissue import Tissue, Velocities, make_tissue

QUANTILES = {"slow": 0.05, "median": 0.5, "fast": 0.95}
_BEST = 0.5
"""Of the progress, the best member's beat when others follow."""


@dataclass(frozen=True)
class DrawFit:
    """How far one draw's monodomain beat follows the measured QRS.

    Attributes
    ----------
    name : str
        ``"best"`` of all members, or ``"slow"``, ``"median"``, ``"fast"``: by the mean of its velocities, at 5, 50 and
        95 % of the ensemble.
    member : int
        Row of the posterior.
    velocities : Velocities
        Of the tissue.
    eikonal, monodomain : float
        Mean over leads of the correlation with the measured QRS; NaN where there is none.
    activation_ms : float
        From the first activation to when 95 % of what is activated has been: one late island is not the beat.
    refused : str
        Why there is no beat of it, such as tissue too slow for this mesh; "" where there is one.
    """

    name: str
    member: int
    velocities: Velocities
    eikonal: float
    monodomain: float
    activation_ms: float
    refused: str = ""


@dataclass(frozen=True, eq=False)
class Confirmation:
    """The confirming monodomain run of the member of the posterior that fits the ECG best.

    Attributes
    ----------
    member : int
        Row of the posterior.
    velocities : Velocities
        Of the tissue, which make a beat like that member's front.
    tuning_error : dict of str to float
        Relative error of the velocity reached on this mesh, by direction and tissue class.
    activation : Activation
        On the nodes of the heart.
    ecg : Ecg
        What this run shows at the electrodes.
    site_delay_ms : (n_sites,) float64
        How long after its time the tissue just beyond each activation site was activated; long where it started no
        wave and another came by.
    draws : tuple of DrawFit
        That member first, then one beat each of other draws.
    """

    member: int
    velocities: Velocities
    tuning_error: dict[str, float]
    activation: Activation
    ecg: Ecg
    site_delay_ms: np.ndarray
    draws: tuple[DrawFit, ...] = ()


@dataclass(frozen=True, eq=False)
class _Asked:
    """What every beat has in common."""

    heart: Heart
    posterior: Posterior
    electrodes: Electrodes
    settings: SimulateSettings
    tissue: TissueSettings


@dataclass(frozen=True, eq=False)
class _Beat:
    tissue: Tissue
    activation: Activation
    ecg: Ecg
    site_delay_ms: np.ndarray


def confirm(
    heart: Heart,
    posterior: Posterior,
    electrodes: Electrodes,
    settings: SimulateSettings,
    tissue_settings: TissueSettings,
    *,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Confirmation:
    """Tune the conductivities to the velocities of the member with the best correlation and let the heart beat once.

    Then the same for `settings.other_draws`, until all is activated: what the ensemble loses in fit, at its ends too.

    Parameters
    ----------
    heart : Heart
    posterior : Posterior
        With velocities of the tissue (`FrontToTissue.tissue`).
    electrodes : Electrodes
    settings, tissue_settings
    folder : Path or None
        For a checkpoint, so that a killed run resumes.
    progress : Progress

    Raises
    ------
    QualityGate
        No activation site of the member lies on conducting endocardium, or a velocity of the best member cannot be
        reached on this mesh.
    """
    asked, member = _Asked(heart, posterior, electrodes, settings, tissue_settings), best_member(posterior)
    others = {name: _at_quantile(posterior, QUANTILES[name]) for name in settings.other_draws}
    share = _BEST if others else 1.0
    best = _beat(asked, member, part(progress, 0.0, share), folder=folder, whole=True)
    draws = [_fit(asked, "best", member, best)]
    for number, (name, other) in enumerate(others.items()):
        step = (1.0 - share) / len(others)
        mine = part(progress, share + number * step, share + (number + 1) * step)
        draws.append(_other(asked, name, other, mine))
    return Confirmation(
        member, best.tissue.velocities, best.tissue.tuning_error, best.activation, best.ecg, best.site_delay_ms,
        tuple(draws),
    )  # fmt: skip


def _beat(asked: _Asked, member: int, progress: Progress, *, folder: Path | None = None, whole: bool = False) -> _Beat:
    """One member's: the whole beat with snapshots, or until all is activated."""
    heart, posterior, settings, electrodes = asked.heart, asked.posterior, asked.settings, asked.electrodes
    if posterior.electrode_positions is not None:
        electrodes = elsewhere(electrodes, [posterior.electrode_positions[member]])[0]
    velocities = posterior.velocities(member)
    settled = posterior.tissue(member, asked.tissue)
    tissue = make_tissue(heart, velocities, settled, dt_ms=settings.dt_ms, progress=part(progress, 0.0, 0.2))
    beat = sinus_beat(tissue, posterior, member, settings.site_radius_mm)
    progress(0.2, "fields of the electrodes")
    activation = simulate(
        tissue,
        Protocol(beat, settings.duration_ms),
        dt_ms=settings.dt_ms,
        snapshot_every_ms=settings.snapshot_every_ms if whole else None,
        monitor=None if whole else until_all_is_activated(beat),
        electrode_weights=electrode_weights(heart, electrodes, tissue.seen, tissue.conducting),
        checkpoint=folder / "checkpoint" if folder else None,
        checkpoint_every_s=settings.checkpoint_every_s,
        progress=part(progress, 0.2, 1.0),
    )
    hz = 1000.0 / float(activation.ecg_ms[1] - activation.ecg_ms[0])
    ecg = leads_from_electrodes(electrodes.names, activation.electrode_mv, hz)
    delay = np.array([site_delay(heart, one, activation.activation_ms[0]) for one in beat])
    return _Beat(tissue, activation, ecg, delay)


def _other(asked: _Asked, name: str, member: int, progress: Progress) -> DrawFit:
    """Of another draw than the best, which may be slower than this mesh bears: that stops nothing."""
    try:
        return _fit(asked, name, member, _beat(asked, member, progress))
    except QualityGate as refused:
        posterior = asked.posterior
        fitted, nan = float(posterior.correlation[member]), float("nan")
        return DrawFit(name, member, posterior.velocities(member), fitted, nan, nan, str(refused))


def _fit(asked: _Asked, name: str, member: int, beat: _Beat) -> DrawFit:
    found, times = aligned(beat.ecg, asked.posterior), beat.activation.activation_ms[0]
    return DrawFit(
        name,
        member,
        beat.tissue.velocities,
        float(asked.posterior.correlation[member]),
        found.correlation if found is not None else float("nan"),
        float(np.nanquantile(times, 0.95) - np.nanmin(times)) if np.isfinite(times).any() else float("nan"),
    )


def _at_quantile(posterior: Posterior, share: float) -> int:
    """The member whose velocities have, in the mean of their logarithms, this share of the ensemble below them."""
    speeds = (posterior.velocity_fibre, posterior.velocity_cross, posterior.velocity_endocardium)
    known = np.stack([speed for speed in speeds if np.isfinite(speed).all()])
    order = np.argsort(np.log(known).mean(axis=0), kind="stable")
    below = int(np.searchsorted(np.cumsum(posterior.weights[order]), share))
    return int(order[min(below, len(order) - 1)])
