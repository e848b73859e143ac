"""What an isthmus is like: where the wave enters and leaves it, how long and wide it is, how fast it conducts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cardiotwin.induction.reentry import Circuit
from cardiotwin.meshes.laplace import shape_gradients
from cardiotwin.meshes.mesh import Mesh

ENDS = 0.15
"""Share of the isthmus' activation at either end that is its entrance and its exit."""
LEAST_NODES = 8


@dataclass(frozen=True, eq=False)
class Isthmus:
    """Of one circuit.

    Attributes
    ----------
    entrance_mm : (3,) float64
        Where the wave enters, LPS; `Circuit.exit_mm` is the other end.
    length_mm : float
        Along the way of the wave, from entrance to exit.
    width_mm : float
        Across it, along the wall: the median over slices that the wave takes equal time for. A lattice shows it to
        within an edge.
    velocity : float
        Of the front, mm/ms: the median over the tissue of the isthmus.
    """

    entrance_mm: np.ndarray
    length_mm: float
    width_mm: float
    velocity: float


def isthmus_of(circuit: Circuit, mesh: Mesh, conducting: np.ndarray) -> Isthmus | None:
    """Measure the isthmus of a circuit; None where it is too small to be measured, or was not passed.

    Parameters
    ----------
    circuit : Circuit
    mesh : Mesh
        That it was found on.
    conducting : (n_tets,) bool

    Notes
    -----
    Velocity is 1 / |grad T| in the tetrahedra of the isthmus, T being the activation within the cycle; length is that
    velocity times the time the wave takes, so that a winding way counts in full.
    """
    nodes = circuit.isthmus_nodes[np.isfinite(circuit.phase_ms[circuit.isthmus_nodes])]
    if nodes.size < LEAST_NODES:
        return None
    inside = np.zeros(len(mesh.points), bool)
    inside[nodes] = True
    tets = mesh.tets[conducting & (inside[mesh.tets].sum(axis=1) >= 3)]
    since = since_entrance(circuit)
    tets = tets[np.isfinite(since[tets]).all(axis=1)]
    if not len(tets):
        return None
    gradients, volumes = shape_gradients(mesh.points, tets)
    slope = np.linalg.norm(np.einsum("eij,ei->ej", gradients, since[tets]), axis=1)
    velocity = 1.0 / max(_median(slope, volumes), 1e-9)
    times = since[nodes]
    early, late = np.quantile(times, (ENDS, 1.0 - ENDS))
    entrance = mesh.points[nodes[times <= early]].mean(axis=0)
    took_ms = float(times[times >= late].mean() - times[times <= early].mean()) / (1.0 - ENDS)
    return Isthmus(entrance, velocity * took_ms, _width(mesh.points[nodes], times), velocity)


def since_entrance(circuit: Circuit) -> np.ndarray:
    """(n_nodes,) time since the wave entered the isthmus, ms; its tissue lies in one run, whatever the phase's zero."""
    cycle = circuit.cycle_length_ms
    angle = 2.0 * np.pi * circuit.phase_ms / cycle
    middle = np.angle(np.nanmean(np.exp(1j * angle[circuit.isthmus_nodes])))
    return ((angle - middle + np.pi) % (2.0 * np.pi)) * cycle / (2.0 * np.pi)


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    return float(values[order[np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())]])


def _width(points: np.ndarray, times: np.ndarray, slices: int = 5) -> float:
    """Median over slices of equal time of the longest extent of what is activated in each."""
    edges = np.linspace(times.min(), times.max(), slices + 1)
    extents = []
    for low, high in pairwise(edges):
        part = points[(times >= low) & (times <= high)]
        if len(part) >= LEAST_NODES // 2:
            extents.append(_extent_across(part, points, times))
    return float(np.median(extents)) if extents else np.nan


def _extent_across(part: np.ndarray, points: np.ndarray, times: np.ndarray) -> float:
    """Of some points, across the direction in which the wave runs through all."""
    centred = points - points.mean(axis=0)
    way = np.linalg.lstsq(centred, times - times.mean(), rcond=None)[0]
    way /= np.linalg.norm(way)
    offset = part - part.mean(axis=0)
    offset = offset - np.outer(offset @ way, way)
    across = np.linalg.svd(offset, full_matrices=False)[2][0]
    return float(np.ptp(offset @ across))
