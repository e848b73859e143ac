"""Where a heart is paced from: places with names, or as far from each other as they can be."""

from __future__ import annotations

import logging

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.heart.heart import BASE, BORDER_ZONE, HEALTHY, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.heart.segments import NAMES, segments
from cardiotwin.settings import InduceSettings, PacingSite, pacing_site

_log = logging.getLogger(__name__)

BELOW_BASE = 0.85
"""`Heart.apicobasal` of the highest site: a catheter does not stay on the valve ring."""
FARTHEST_MM = 10.0
"""From a place that was given to the endocardium; farther off it belongs to another heart or another frame."""
TOLD_FROM_MM = 10.0
"""How far a site is moved out of scar before that is told."""
ROUND_TO_HEIGHT = 2.0
"""A turn around the ventricle is about twice as long as the way from apex to base."""


def sites_of_protocol(heart: Heart, settings: InduceSettings) -> np.ndarray:
    """(n,) int32 nodes of healthy endocardium, each once: the sites that are named, or spread ones.

    Raises
    ------
    QualityGate
        Too little healthy endocardium.
    SettingsError
        A named site that this heart does not have.
    """
    if not settings.sites:
        return pacing_sites(heart, settings.n_sites, settings.sites_near_scar_mm, settings.electrode_radius_mm)
    healthy = healthy_endocardium(heart)
    if not healthy.size:
        raise QualityGate("induce: no healthy endocardium to pace from; check the segmentation")
    names = [name for name in settings.sites if _has_side(heart, name)]
    if not names:
        raise QualityGate(f"induce: none of the {len(settings.sites)} pacing sites is in this heart; give others")
    nodes = [_node(heart, name, healthy) for name in names]
    kept = list(dict.fromkeys(nodes))
    if len(kept) < len(nodes):
        _log.warning(
            "induce: %d of %d pacing sites fall on another one and are left out", len(nodes) - len(kept), len(nodes)
        )
    return np.array(kept, np.int32)


def pacing_sites(heart: Heart, count: int, near_scar_mm: float = 0.0, electrode_radius_mm: float = 3.0) -> np.ndarray:
    """(count,) nodes of healthy endocardium, as far from each other as they can be; the first in the right apex.

    Farthest-point sampling from the right-ventricular apex, the usual place of a pacing catheter; below 85 % of the
    way to the base, since a catheter does not stay on the valve ring. With `near_scar_mm` the others lie within that
    distance of scar, where a coupling interval reaches the substrate as short as it was given, and the second lies
    where the most border zone is around it.

    Raises
    ------
    QualityGate
        Too little healthy endocardium.
    """
    scar, candidates = np.unique(heart.mesh.tets[heart.tissue_class != HEALTHY]), healthy_endocardium(heart)
    right = np.intersect1d(candidates, heart.surface_nodes(RV_ENDOCARDIUM))
    first = right if right.size else candidates
    chosen = [int(first[np.argmin(heart.apicobasal[first])])] if first.size else []
    if near_scar_mm and scar.size:
        away = cKDTree(heart.mesh.points[scar]).query(heart.mesh.points[candidates])[0]
        candidates = candidates[(away <= near_scar_mm) & (away >= 2 * electrode_radius_mm)]
    if candidates.size < count:
        raise QualityGate(
            f"induce: {candidates.size} nodes of healthy endocardium to pace from, {count} sites asked for; "
            "check the segmentation, lower `induce.n_sites`, or raise `induce.sites_near_scar_mm`"
        )
    points = heart.mesh.points[candidates]
    if near_scar_mm and scar.size and count > 1:
        chosen.append(int(candidates[np.argmax(_border_zone_around(heart, points, near_scar_mm))]))
    distance = cKDTree(heart.mesh.points[chosen]).query(points)[0]
    while len(chosen) < count:
        chosen.append(int(candidates[np.argmax(distance)]))
        distance = np.minimum(distance, np.linalg.norm(points - heart.mesh.points[chosen[-1]], axis=1))
    return np.array(chosen, np.int32)


def _border_zone_around(heart: Heart, points: np.ndarray, radius_mm: float) -> np.ndarray:
    """Volume of border zone within a distance of each point, mm³."""
    border = heart.tissue_class == BORDER_ZONE
    volumes = heart.mesh.volumes[border]
    near = cKDTree(heart.mesh.centroids[border]).query_ball_point(points, radius_mm)
    return np.array([volumes[inside].sum() for inside in near])


def healthy_endocardium(heart: Heart) -> np.ndarray:
    """Endocardial nodes that touch no scar, below the valve ring."""
    scar = np.unique(heart.mesh.tets[heart.tissue_class != HEALTHY])
    nodes = np.setdiff1d(heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM), scar)
    nodes = np.setdiff1d(nodes, heart.surface_nodes(BASE))
    return nodes[heart.apicobasal[nodes] < BELOW_BASE]


def _has_side(heart: Heart, name: str) -> bool:
    """Whether the heart has that ventricle; a published protocol is not refused for want of a right one."""
    side = pacing_site(name).side
    if side is None or _side(heart, side).size:
        return True
    _log.warning("induce: no site '%s': this heart has no %s ventricular endocardium", name, side)
    return False


def _side(heart: Heart, side: str) -> np.ndarray:
    return heart.surface_nodes(LV_ENDOCARDIUM if side == "left" else RV_ENDOCARDIUM)


def _node(heart: Heart, name: str, healthy: np.ndarray) -> int:
    """The healthy endocardial node at a site, or nearest to it where that is scar."""
    site = pacing_site(name)
    mine = healthy if site.side is None else np.intersect1d(healthy, _side(heart, site.side))
    if not mine.size:
        raise SettingsError(f"induce.sites: '{name}': no healthy endocardium on that side; leave it out")
    return _nearest(heart, name, endocardial_place(heart, name), mine)


def endocardial_place(heart: Heart, name: str, key: str = "induce.sites") -> np.ndarray:
    """(3,) LPS, mm: where a name lies on the endocardium, be it scar or not; of a segment its middle.

    Parameters
    ----------
    name : str
        As `settings.pacing_site` reads it.
    key : str
        Where the name was given, for messages.

    Raises
    ------
    SettingsError
        This heart has no such place.
    ValueError
        The name means nothing.
    """
    site = pacing_site(name)
    if site.side is None:
        return _at_point(heart, name, np.array(site.numbers), key)
    here = _side(heart, site.side)
    if not here.size:
        raise SettingsError(f"{key}: '{name}': this heart has no {site.side} ventricular endocardium; leave it out")
    if site.kind == "apex":
        return np.asarray(heart.mesh.points[here[np.argmin(heart.apicobasal[here])]])
    if heart.coordinates is None:
        raise SettingsError(f"{key}: '{name}': this heart has no ventricular coordinates; give points in mm")
    return (
        _of_segment(heart, name, here, site, key) if site.kind == "aha" else _of_coordinates(heart, here, *site.numbers)
    )


def _at_point(heart: Heart, name: str, point: np.ndarray, key: str) -> np.ndarray:
    endocardium = heart.mesh.points[heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM)]
    away = float(np.linalg.norm(endocardium - point, axis=1).min())
    if away > FARTHEST_MM:
        raise SettingsError(
            f"{key}: '{name}' lies {away:.0f} mm from the endocardium (limit {FARTHEST_MM:.0f} mm); give points "
            "in mm in the imaging's patient frame (LPS)"
        )
    return point


def _of_segment(heart: Heart, name: str, here: np.ndarray, site: PacingSite, key: str) -> np.ndarray:
    """(3,) middle of a segment's endocardium."""
    assert heart.coordinates is not None
    number = int(site.numbers[0])
    mine = here[segments(heart.coordinates)[here] == number]
    if not mine.size:
        raise SettingsError(f"{key}: '{name}' ({NAMES[number - 1]}): this heart has no such segment; leave it out")
    return np.asarray(heart.mesh.points[mine].mean(axis=0))


def _of_coordinates(heart: Heart, here: np.ndarray, apicobasal: float, rotational: float) -> np.ndarray:
    """(3,) the endocardial node with the nearest coordinates."""
    assert heart.coordinates is not None
    turn = np.abs(heart.coordinates.rotational[here] - rotational) % 1.0
    turn = ROUND_TO_HEIGHT * np.minimum(turn, 1.0 - turn)
    return np.asarray(
        heart.mesh.points[here[np.argmin(np.hypot(heart.coordinates.apicobasal[here] - apicobasal, turn))]]
    )


def _nearest(heart: Heart, name: str, where: np.ndarray, among: np.ndarray) -> int:
    away = np.linalg.norm(heart.mesh.points[among] - where, axis=1)
    if away.min() > TOLD_FROM_MM:
        _log.warning(
            "induce: site '%s' is paced %.0f mm away: healthy endocardium, not on the valve ring", name, away.min()
        )
    return int(among[np.argmin(away)])
