"""A circuit as a film of one turn, which closes on itself: where the wave is, how long ago it passed elsewhere.

A circuit keeps the phase of every node within its last cycle. At time t of the turn the wave passed a node
``(t - phase) mod cycle`` ago, so the first frame follows on the last as every frame does on the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cardiotwin.exports.vtk_files import File, time_series
from cardiotwin.heart.heart import Heart
from cardiotwin.induction.reentry import Circuit
from cardiotwin.pictures.film import FRAMES
from cardiotwin.pictures.skin import boundary

STEP_MS = 0.25
"""Times are rounded to this: far below what a film shows, and a third of the file is saved."""


def frame_times_ms(circuit: Circuit) -> np.ndarray:
    """(FRAMES,) float64 moments of a turn, ms, from 0 at the exit; a further one would be the first again."""
    return circuit.cycle_length_ms / FRAMES * np.arange(FRAMES)


def since_ms(phase_ms: np.ndarray, cycle_length_ms: float, now_ms: float) -> np.ndarray:
    """How long ago the wave passed.

    Parameters
    ----------
    phase_ms : (n,) float
        When it passes within a cycle; NaN where it never does.
    cycle_length_ms, now_ms : float

    Returns
    -------
    (n,) float32
        ms, from 0 to below the cycle length; the cycle length itself where the wave never passes, so that what lies
        between such a node and its neighbour is no false front.
    """
    ago = np.round(np.mod(now_ms - phase_ms.astype(np.float64), cycle_length_ms) / STEP_MS) * STEP_MS
    return np.where(np.isfinite(phase_ms), ago, cycle_length_ms).astype(np.float32)


def film_file(heart: Heart, circuit: Circuit, lesions: np.ndarray) -> File:
    """The turn as ``.vtkhdf`` on the surface of the heart, with what stays: tissue, isthmus, lesions.

    Parameters
    ----------
    heart : Heart
    circuit : Circuit
    lesions : (n_tets,) bool
    """
    faces, element = boundary(heart.mesh.tets, len(heart.mesh.points))
    nodes, triangles = np.unique(faces, return_inverse=True)
    isthmus = np.isin(nodes, circuit.isthmus_nodes).astype(np.uint8)
    phase = circuit.phase_ms[nodes]
    still = {
        "CellData/tissue_class": heart.tissue_class[element],
        "CellData/ablated": lesions[element].astype(np.uint8),
        "PointData/isthmus": isthmus,
        "PointData/reached": np.isfinite(phase).astype(np.uint8),
    }
    data = time_series(
        heart.mesh.points[nodes],
        triangles.reshape(-1, 3),
        frame_times_ms(circuit),
        _frames(phase, circuit),
        still,
        name="since_ms",
    )
    return data, (*(name.split("/")[1] for name in still), "since_ms")


def _frames(phase_ms: np.ndarray, circuit: Circuit) -> Iterator[np.ndarray]:
    """One after the other: together those of a large heart would take more memory than its mesh."""
    for now_ms in frame_times_ms(circuit):
        yield since_ms(phase_ms, circuit.cycle_length_ms, float(now_ms))
