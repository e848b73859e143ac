"""Where in the heart something is, in the words of a cardiologist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.heart.heart import LEFT, LV_ENDOCARDIUM, RIGHT, Heart

_SIX = ("anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral", "anterolateral")
_FOUR = ("anterior", "septal", "inferior", "lateral")


@dataclass(frozen=True, eq=False)
class LeftVentricle:
    """Axes of the left ventricle in patient coordinates.

    Attributes
    ----------
    centre : (3,) float64
        Of the left-ventricular tissue, LPS, mm.
    axis, septal, anterior : (3,) float64
        Unit vectors: from apex to base, towards the right ventricle, towards the anterior wall; orthogonal.
    """

    centre: np.ndarray
    axis: np.ndarray
    septal: np.ndarray
    anterior: np.ndarray


def left_ventricle(heart: Heart) -> LeftVentricle:
    """Axes from the apicobasal coordinate and the side on which the right ventricle lies.

    Without a right ventricle the septum is taken to be on the patient's right, its usual place.
    """
    centroids, volumes = heart.mesh.centroids, heart.mesh.volumes
    left = heart.ventricle == LEFT
    centre = np.average(centroids[left], axis=0, weights=volumes[left])
    height = heart.apicobasal[heart.mesh.tets].mean(axis=1)
    low, high = np.quantile(height[left], (0.15, 0.85))
    axis = _unit(centroids[left & (height >= high)].mean(axis=0) - centroids[left & (height <= low)].mean(axis=0))
    right = heart.ventricle == RIGHT
    towards = centroids[right].mean(axis=0) - centre if right.any() else np.array([-1.0, 0.0, 0.0])
    septal = _unit(towards - towards @ axis * axis)
    # LPS is right-handed: seen from the apex, septum on the viewer's left, the anterior wall is up.
    return LeftVentricle(centre, axis, septal, np.cross(axis, septal))


def wall(heart: Heart, position: np.ndarray) -> str:
    """The segment and layer nearest to a position, such as "mid anteroseptal, subendocardial".

    Segments after the American Heart Association (doi 10.1161/hc0402.102975); the apical cap counts as apical.

    Parameters
    ----------
    position : (3,) float64
        LPS, mm.
    """
    node = int(np.argmin(((heart.mesh.points - position) ** 2).sum(axis=1)))
    layer = ("subendocardial", "midwall", "subepicardial")[min(2, int(3 * heart.transmural[node]))]
    holders = (heart.mesh.tets == node).any(axis=1)
    third = ("apical", "mid", "basal")[min(2, int(3 * heart.apicobasal[node]))]
    if (heart.ventricle[holders] == RIGHT).mean() > 0.5:
        return f"right ventricle, {third}, {layer}"
    ventricle = left_ventricle(heart)
    out = heart.mesh.points[node] - ventricle.centre
    # From the anterior wall by way of the septum: the order of both tables.
    angle = np.degrees(np.arctan2(out @ ventricle.septal, out @ ventricle.anterior))
    names = _FOUR if third == "apical" else _SIX
    turn = 360.0 / len(names)
    # Sectors are centred on the turns: with six of them, the middle of the septum parts anteroseptal from inferoseptal.
    return f"{third} {names[int((angle % 360.0) / turn + 0.5) % len(names)]}, {layer}"


def cavity_centre(heart: Heart) -> np.ndarray:
    """(3,) mean of the left-ventricular endocardium, LPS, mm; of the left ventricle where no endocardium is named."""
    nodes = heart.surface_nodes(LV_ENDOCARDIUM)
    return heart.mesh.points[nodes].mean(axis=0) if nodes.size else left_ventricle(heart).centre


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
