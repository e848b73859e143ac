"""The beat that a member of the ensemble stands for, as the monodomain model has to be told of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.solver.protocol import Stimulus
from cardiotwin.solver.simulation import Monitor
from cardiotwin.tissue.tissue import Tissue

JUST_BEYOND_MM = 4.0
"""Tissue this far around what fires shows whether a wave started there."""
LONGEST_DELAY_MS = 20.0
"""From a site's time to activation just beyond it, where a wave started there and none came by."""


def best_member(posterior: Posterior) -> int:
    """The member that fits the newest ECG best."""
    return int(np.argmax(np.where(posterior.weights > 0, posterior.correlation, -np.inf)))


def sinus_beat(tissue: Tissue, posterior: Posterior, member: int, radius_mm: float) -> tuple[Stimulus, ...]:
    """A stimulus a site at the member's time.

    Sites live on the coarser calibration mesh: the nearest conducting node of the endocardium stands for each.

    Raises
    ------
    QualityGate
        No conducting endocardium.
    """
    times = posterior.site_times_ms[member] - posterior.site_times_ms[member].min()
    return tissue.started_from(tissue.heart.mesh.points[site_nodes(tissue, posterior, member)], times, radius_mm)


def site_nodes(tissue: Tissue, posterior: Posterior, member: int) -> np.ndarray:
    """(n_sites,) nodes of the conducting endocardium nearest to a member's sites; `QualityGate` where there is none."""
    heart = tissue.heart
    endocardium = heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM)
    candidates = np.intersect1d(endocardium, np.unique(heart.mesh.tets[tissue.conducting]))
    if not candidates.size:
        raise QualityGate("sinus beat: no conducting endocardium to start a beat from; check the segmentation")
    return candidates[cKDTree(heart.mesh.points[candidates]).query(posterior.site_positions[member])[1]]


def site_delay(heart: Heart, site: Stimulus, activation_ms: np.ndarray) -> float:
    """From a site's time to the first activation just beyond it, ms; infinite where none came."""
    points = heart.mesh.points
    away = cKDTree(points[site.nodes]).query(points)[0]
    beyond = activation_ms[(away > 0) & (away <= JUST_BEYOND_MM)]
    return max(0.0, float(np.nanmin(beyond, initial=np.inf)) - site.start_ms)


def until_all_is_activated(beat: Sequence[Stimulus]) -> Monitor:
    """Ends a run when, after the last site has fired, activation has come to an end."""
    last_ms, before = max(one.start_ms for one in beat), -1

    def ended(time_ms: float, activation_ms: np.ndarray) -> bool:
        nonlocal before
        now = int(np.isfinite(activation_ms[0]).sum())
        over = time_ms > last_ms + LONGEST_DELAY_MS and now == before
        before = now
        return over

    return ended
