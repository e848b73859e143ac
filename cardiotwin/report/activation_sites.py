"""Where the ensemble lets activation begin: site by site, and which fires first."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.heart.heart import Heart
from cardiotwin.heart.locations import wall

NEAR_MM = 15.0
"""Within one AHA segment."""


def activation_sites(heart: Heart, posterior: Posterior) -> list[dict[str, Any]]:
    """Activation sites in order of time."""
    order = matched_sites(posterior)
    members = np.arange(len(order))[:, None]
    positions, times = posterior.site_positions[members, order], posterior.site_times_ms[members, order]
    first = np.bincount(times.argmin(axis=1), posterior.weights, times.shape[1])
    rows = []
    for place, time, share in zip(positions.swapaxes(0, 1), times.T, first, strict=True):
        mean = posterior.weights @ place
        rows.append(
            {
                "location": _segment(heart, mean),
                "mean_mm": mean,
                # The upper end of the 80 % interval: nine tenths of the weight lie nearer.
                "spread_mm": posterior.interval(np.linalg.norm(place - mean, axis=1), mass=0.8)[2],
                "time_ms": dict(zip(("low", "median", "high"), posterior.interval(time), strict=True)),
                "fires_first": float(share),
            }
        )
    rows.sort(key=lambda row: row["time_ms"]["median"])
    return [{"number": k + 1} | row for k, row in enumerate(rows)]


def beginning(heart: Heart, posterior: Posterior) -> dict[str, Any]:
    """Where activation begins, and the share of the ensemble that begins near there."""
    place = posterior.earliest_position
    near = np.linalg.norm(posterior.earliest_positions - place, axis=1) <= NEAR_MM
    return {
        "location": _segment(heart, place),
        "position_mm": place,
        "near_mm": NEAR_MM,
        "near": float(posterior.weights[near].sum()),
    }


def _segment(heart: Heart, place: np.ndarray) -> str:
    return wall(heart, place).rsplit(",", 1)[0]


def matched_sites(posterior: Posterior, rounds: int = 5) -> np.ndarray:
    """(n_members, n_sites) which of each member's sites is the first, the second, ...

    A member's sites have no order of their own: averaged as they come, two sites that members list the other way round
    would both seem to lie between. So each member's are assigned to the ensemble's mean sites, nearest overall.
    """
    members, count = posterior.site_times_ms.shape
    rows = np.arange(members)[:, None]
    order = np.tile(np.arange(count), (members, 1))
    mean = posterior.site_positions[np.argmax(posterior.correlation)]
    for _ in range(rounds):
        distance = np.linalg.norm(posterior.site_positions[:, None] - mean[:, None], axis=-1)
        order = np.stack([linear_sum_assignment(one)[1] for one in distance])
        mean = np.einsum("m,mkd->kd", posterior.weights, posterior.site_positions[rows, order])
    return order
