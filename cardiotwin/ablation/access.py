"""From which surface a plan is burnt, in which segments, and how far its points were moved to lie there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.ablation.lesions import BURNT_FROM, Lesion, given_places, segment_number
from cardiotwin.heart.heart import EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.heart.segments import heart_segments, segments_of_nodes

SURFACES = {LV_ENDOCARDIUM: "left endocardium", RV_ENDOCARDIUM: "right endocardium", EPICARDIUM: "epicardium"}
RIGHT_FREE_WALL = "right free wall"
FAR_MM = 5.0
"""A point moved farther to lie on the heart is told: it may have been taken on another heart, or in a cavity."""
LEAST_SHARE = 0.05
"""Of a lesion; a surface or segment with less of it is not named."""


class LaidOn(NamedTuple):
    """A lesion on a heart.

    Attributes
    ----------
    words : str
        Which one, such as ``"lesion 1 (line)"``.
    lesion : Lesion
    hit : (n_tets,) bool
        What it burns.
    path : (n, 3) float or None
        As `lesion_path`; None where it has no points.
    """

    words: str
    lesion: Lesion
    hit: np.ndarray
    path: np.ndarray | None


def nodes_to_burn_from(heart: Heart, surfaces: Collection[str]) -> np.ndarray:
    """(k,) nodes of the named surfaces that belong to no other of `SURFACES`."""
    named = [which for which, name in SURFACES.items() if name in surfaces]
    return np.setdiff1d(heart.surface_nodes(*named), heart.surface_nodes(*set(SURFACES) - set(named)))


def feet(heart: Heart, laid: LaidOn) -> np.ndarray:
    """(k,) nodes of the surface from which a lesion is burnt.

    Its path; the left endocardium of its segments; of a border zone the surface nearest to each tetrahedron.
    """
    _, lesion, hit, path = laid
    if lesion.kind == "segment":
        endocardium = heart.surface_nodes(LV_ENDOCARDIUM)
        numbers = [segment_number(name) for name in lesion.segments]
        within = endocardium[np.isin(segments_of_nodes(heart, endocardium), numbers)]
        if within.size:
            return np.asarray(within)
    surface = heart.surface_nodes(*BURNT_FROM)
    places = heart.mesh.centroids[hit] if path is None else path
    return np.asarray(np.unique(surface[cKDTree(heart.mesh.points[surface]).query(places)[1]]))


def access(heart: Heart, laid: LaidOn) -> str:
    """Such as ``left endocardium, AHA 7 and 13; points moved by up to 2.4 mm onto it``."""
    shares = _on_surfaces(heart, feet(heart, laid))
    said = _listed([f"{name} ({share:.0%})" if len(shares) > 1 else name for name, share in shares.items()])
    where = _segments(heart, laid.hit)
    moved = moved_mm(heart, laid.lesion)
    told = f"; points moved by up to {moved:.1f} mm onto it" if moved > heart.edge_mm else ""
    return f"{said}{', ' if where else ''}{where}{told}"


def warnings(heart: Heart, laid: LaidOn) -> Iterable[str]:
    """Sentences on points far from the surface, and on a lesion that is burnt from within and from without."""
    moved = moved_mm(heart, laid.lesion)
    if moved > FAR_MM:
        yield f"{laid.words}: a point {moved:.1f} mm off the heart's surface was moved onto it: is it of this heart?"
    if laid.path is not None and len(shares := _on_surfaces(heart, feet(heart, laid))) > 1:
        yield f"{laid.words}: on {_listed(list(shares))}: takes an access to each"


def moved_mm(heart: Heart, lesion: Lesion) -> float:
    """How far the point that lies farthest from the surface was moved; 0 without points."""
    if not len(lesion.points_mm):
        return 0.0
    surface = heart.mesh.points[heart.surface_nodes(*BURNT_FROM)]
    return float(cKDTree(surface).query(given_places(heart, lesion))[0].max())


def _on_surfaces(heart: Heart, nodes: np.ndarray) -> dict[str, float]:
    """Share of the nodes by surface, most first; a node of two, at a rim, is taken for the first of `SURFACES`."""
    left, shares = nodes, {}
    for which, name in SURFACES.items():
        here = np.isin(left, heart.surface_nodes(which))
        shares[name] = float(here.sum()) / max(nodes.size, 1)
        left = left[~here]
    named = {name: share for name, share in shares.items() if share >= LEAST_SHARE}
    return dict(sorted(named.items(), key=lambda one: -one[1]))


def _segments(heart: Heart, hit: np.ndarray) -> str:
    """Where most of it burns: ``AHA 7 and 13``; "" in a heart without coordinates."""
    if heart.coordinates is None or not hit.any():
        return ""
    volumes = np.bincount(heart_segments(heart)[hit], heart.mesh.volumes[hit], 18)
    most = np.flatnonzero(volumes >= LEAST_SHARE * volumes.sum())
    numbers = sorted(most.tolist(), key=lambda number: (number == 0, number))
    words = [RIGHT_FREE_WALL if number == 0 else str(number) for number in numbers]
    return _listed(words) if numbers[0] == 0 else f"AHA {_listed(words)}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
