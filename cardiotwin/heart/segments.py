"""The seventeen segments of the left ventricle, Cerqueira et al. 2002, doi 10.1161/hc0402.102975.

Conventions. Rings are thirds of the long axis above the apical cap: basal above 0.7, mid-cavity above 0.4, apical above
0.1 of the apicobasal coordinate, the cap (17) below, as in Cobiveco's own parcellation. The rotational coordinate
counts a third of a turn as septum, between the two junctions of the right ventricle, and two thirds as free wall; so
the six sectors of the upper rings are sixths, with both ends of the septum at attachments of the right ventricle, as
the statement asks. The four of the apical ring are quarters, the septal one in the middle of the septum. All of the
septum belongs to the left ventricle, from its left to its right side; the free wall of the right one has segment 0.
In a heart, that is what `Heart.ventricle` says is right: where a label map drew the left wall's end at the right
ventricle's insertion, its segment goes that far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import MeshError
from cardiotwin.heart.heart import LEFT, Heart
from cardiotwin.meshes.mapping import coordinates_of_elements
from cardiotwin.meshes.ventricular import SEPTUM_FROM, VentricularCoordinates

BASAL_FROM, MID_FROM, APICAL_FROM = 0.7, 0.4, 0.1
"""Apicobasal coordinate at which the rings begin."""

_SECTORS = ("anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral", "anterolateral")
NAMES = (
    *(f"basal {name}" for name in _SECTORS),
    *(f"mid {name}" for name in _SECTORS),
    *(f"apical {name}" for name in ("anterior", "septal", "inferior", "lateral")),
    "apex",
)
"""Of segments 1 to 17."""


def segments(coordinates: VentricularCoordinates) -> np.ndarray:
    """(n,) uint8 segment, 1 to 17, of places with these coordinates; 0 in the right ventricle's free wall."""
    return np.where(coordinates.in_right_free_wall, 0, _of_left(coordinates)).astype(np.uint8)


def _of_left(coordinates: VentricularCoordinates) -> np.ndarray:
    """(n,) uint8 segment, 1 to 17, of places that belong to the left ventricle."""
    height, turn = coordinates.apicobasal, coordinates.rotational
    # Anterior first, then by way of the septum: the statement's order. The anterior sector begins half a turn round.
    sixth = np.floor(6.0 * ((turn - 0.5) % 1.0)).astype(int) % 6
    septal_middle = 0.5 + 0.5 * SEPTUM_FROM
    quarter = np.floor(4.0 * ((turn - septal_middle + 3 / 8) % 1.0)).astype(int) % 4
    return np.select(
        [height >= BASAL_FROM, height >= MID_FROM, height >= APICAL_FROM], [1 + sixth, 7 + sixth, 13 + quarter], 17
    ).astype(np.uint8)


def heart_segments(heart: Heart) -> np.ndarray:
    """(n_tets,) uint8 segment of every tetrahedron of the left ventricle, by its middle; 0 in the right one.

    Raises
    ------
    MeshError
        The heart has no ventricular coordinates.
    """
    if heart.coordinates is None:
        raise MeshError("segments: this heart has no ventricular coordinates; build it anew, its log says why not")
    number = _of_left(coordinates_of_elements(heart.coordinates, heart.mesh.tets))
    return np.where(heart.ventricle == LEFT, number, 0).astype(np.uint8)


def segments_of_nodes(heart: Heart, nodes: np.ndarray) -> np.ndarray:
    """(k,) uint8 segment that holds most of the tetrahedra, by volume, around each of some nodes; 0 for the right one.

    Raises
    ------
    MeshError
        The heart has no ventricular coordinates.
    """
    number, volumes = heart_segments(heart), heart.mesh.volumes
    nodes = np.asarray(nodes, np.int64)
    row = np.full(len(heart.mesh.points), -1)
    row[nodes] = np.arange(len(nodes))
    held = np.zeros((len(nodes), 18))
    for corner in heart.mesh.tets.T:
        here = row[corner] >= 0
        np.add.at(held, (row[corner][here], number[here]), volumes[here])
    return held.argmax(axis=1)[row[nodes]].astype(np.uint8)


@dataclass(frozen=True, eq=False)
class SegmentMeans:
    """A field in numbers, segment by segment; position k holds segment k + 1.

    Attributes
    ----------
    mean : (17,) float64
        By volume, of the field's unit; NaN where no value is finite.
    volume_ml : (17,) float64
        Of all tissue in the segment.
    """

    mean: np.ndarray
    volume_ml: np.ndarray


def segment_means(heart: Heart, field: np.ndarray) -> SegmentMeans:
    """Mean of a field, one value a node or a tetrahedron, in each segment; what is not finite is left out.

    Raises
    ------
    MeshError
        Neither as many values as nodes nor as tetrahedra; no ventricular coordinates.
    """
    number, values = heart_segments(heart), per_element(heart, field)
    known = np.isfinite(values)
    volumes = heart.mesh.volumes
    weight = np.bincount(number[known], volumes[known], 18)[1:]
    total = np.bincount(number[known], (volumes * np.where(known, values, 0.0))[known], 18)[1:]
    mean = np.where(weight > 0, total / np.maximum(weight, 1e-12), np.nan)
    return SegmentMeans(mean, 1e-3 * np.bincount(number, volumes, 18)[1:])


def per_element(heart: Heart, field: np.ndarray) -> np.ndarray:
    """(n_tets,) float64, a scalar field on the tetrahedra: as it is, or the mean of its four nodes.

    Raises
    ------
    MeshError
        Neither as many values as nodes nor as tetrahedra.
    """
    field = np.asarray(field, np.float64)
    if field.shape == (len(heart.mesh.tets),):
        return field
    if field.shape == (len(heart.mesh.points),):
        return field[heart.mesh.tets].mean(axis=1)
    raise MeshError(
        f"segments: a field of shape {field.shape}; expected one value for each of {len(heart.mesh.points)} nodes or "
        f"{len(heart.mesh.tets)} tetrahedra"
    )
