"""What each node's membrane potential adds to the potential at an electrode, and the ECG of an activation map."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True, error_model="numpy")
def element_sources(points, tets, sigma, electrodes, sources):
    """-∫ ∇φᵢ · σ ∇(1/r) dV over every element, φᵢ linear, r the distance to the electrode.

    Parameters
    ----------
    points : (n_nodes, 3) float64
        mm.
    tets : (n_tets, 4) int32
        Of either orientation.
    sigma : (n_tets, 3, 3) float64
        Conductivity tensor, mS/mm.
    electrodes : (n_electrodes, 3) float64
        mm, outside the mesh.
    sources : (n_electrodes, n_tets, 4) float64
        mS/mm; overwritten.

    Notes
    -----
    ∇φᵢ is constant; ∇(1/r) is taken at four Gauss points (exact to degree 2), so that an electrode few edges away does
    not see points instead of elements.
    """
    near, far = 0.5854101966249685, 0.1381966011250105
    for e in prange(tets.shape[0]):
        x = points[tets[e]]
        # ∇φᵢ times six volumes; with a quarter of the volume for each Gauss point, a factor 1/24 remains.
        gradient = np.empty((4, 3))
        gradient[1] = np.cross(x[2] - x[0], x[3] - x[0])
        gradient[2] = np.cross(x[3] - x[0], x[1] - x[0])
        gradient[3] = np.cross(x[1] - x[0], x[2] - x[0])
        if np.sum(gradient[1] * (x[1] - x[0])) < 0.0:
            gradient[1:] *= -1.0
        gradient[0] = -gradient[1] - gradient[2] - gradient[3]
        for k in range(electrodes.shape[0]):
            field = np.zeros(3)
            for g in range(4):
                r = far * (x[0] + x[1] + x[2] + x[3]) + (near - far) * x[g] - electrodes[k]
                field += r / (24.0 * np.sum(r * r) ** 1.5)
            current = np.zeros(3)
            for axis in range(3):
                current += field[axis] * sigma[e, axis]
            for i in range(4):
                sources[k, e, i] = np.sum(gradient[i] * current)


LANES = 8
"""Leads that are gathered at once: a number the compiler knows becomes vector instructions, any other a loop."""


@njit(cache=True)
def _gather(times, of_node, first, along, across, step_ms, gathered):
    """Weights of the leads from `first`, and after them weights times the share of the step after the bin's time."""
    for n in range(times.size):
        at = times[n] / step_ms
        if not at < gathered.shape[0]:
            continue
        early = int(at)
        share = at - early
        for k in range(LANES):
            weight = along * of_node[n, 0, first + k] + across * of_node[n, 1, first + k]
            gathered[early, k] += weight
            gathered[early, LANES + k] += share * weight


@njit(cache=True, parallel=True)
def weight_histograms(times, of_node, mix, step_ms, histograms):
    """Lead weights gathered by time of activation, for every member of an ensemble.

    Parameters
    ----------
    times : (n_members, n_nodes) float
        Activation, ms, not negative; an infinite one adds nothing: that node stays at rest.
    of_node : (n_nodes, 2, n) float64
        Weights of each lead in two parts that the members mix differently (fibre and cross-fibre conductivity); n is
        the least multiple of `LANES` that has room for the leads, and what is left is zero.
    mix : (n_members, 2) float64
        How much of each part.
    step_ms : float
        Width of a bin.
    histograms : (n_members, n_leads, n_bins) float64
        Overwritten. Bin j stands for time ``j * step_ms``; a node's weight is shared linearly by the two around its
        time. What comes after the last bin is dropped.
    """
    n_leads, n_bins = histograms.shape[1:]
    for m in prange(times.shape[0]):
        for first in range(0, n_leads, LANES):
            gathered = np.zeros((n_bins, 2 * LANES))
            _gather(times[m], of_node, first, mix[m, 0], mix[m, 1], step_ms, gathered)
            for k in range(min(LANES, n_leads - first)):
                later = 0.0
                for j in range(n_bins):
                    histograms[m, first + k, j] = gathered[j, k] - gathered[j, LANES + k] + later
                    later = gathered[j, LANES + k]
