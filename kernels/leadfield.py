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
        # With a quarter of the volume for each Gauss point, a factor 1/24 remains.
        gradient = _gradients(x)
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


@njit(cache=True)
def _gradients(x):
    """∇φᵢ of a tetrahedron's four linear functions, times six volumes; x (4, 3)."""
    gradient = np.empty((4, 3))
    gradient[1] = np.cross(x[2] - x[0], x[3] - x[0])
    gradient[2] = np.cross(x[3] - x[0], x[1] - x[0])
    gradient[3] = np.cross(x[1] - x[0], x[2] - x[0])
    if np.sum(gradient[1] * (x[1] - x[0])) < 0.0:
        gradient[1:] *= -1.0
    gradient[0] = -gradient[1] - gradient[2] - gradient[3]
    return gradient


@njit(cache=True, parallel=True)
def sources_in_fields(points, tets, sigma, fields, sources):
    """∫ ∇φᵢ · σ F dV over every element, for fields F given at the nodes and linear between them.

    Parameters
    ----------
    points, tets, sigma
        As `element_sources`.
    fields : (n_nodes, 3, n_fields) float64
        1/mm².
    sources : (n_fields, n_tets, 4) float64
        mS/mm; overwritten.
    """
    for e in prange(tets.shape[0]):
        gradient = _gradients(points[tets[e]])
        for k in range(fields.shape[2]):
            current = np.zeros(3)
            for i in range(4):
                for axis in range(3):
                    current += fields[tets[e, i], axis, k] / 24.0 * sigma[e, axis]
            for i in range(4):
                sources[k, e, i] = np.sum(gradient[i] * current)


@njit(cache=True, parallel=True)
def weight_histograms(times, weights, mix, step_ms, histograms):
    """Lead weights gathered by time of activation, for every member of an ensemble.

    Parameters
    ----------
    times : (n_members, n_nodes) float64
        Activation, ms, not negative; an infinite one adds nothing: that node stays at rest.
    weights : (n_parts, n_leads, n_nodes) float64
        Weights of each lead, in parts that the members mix differently (fibre and cross-fibre conductivity).
    mix : (n_members, n_parts) float64
        How much of each part.
    step_ms : float
        Width of a bin.
    histograms : (n_members, n_leads, n_bins) float64
        Overwritten. Bin j stands for time ``j * step_ms``; a node's weight is shared linearly by the two around its
        time. What comes after the last bin is dropped.
    """
    n_parts, n_leads, n_nodes = weights.shape
    last = histograms.shape[2] - 1
    of_node = np.ascontiguousarray(weights.transpose((2, 0, 1)))
    for m in prange(times.shape[0]):
        gathered = np.zeros((histograms.shape[2], n_leads))
        weight = np.empty(n_leads)
        for n in range(n_nodes):
            at = times[m, n] / step_ms
            if not at < last:
                continue
            early = int(at)
            share = at - early
            weight[:] = 0.0
            for p in range(n_parts):
                for k in range(n_leads):
                    weight[k] += mix[m, p] * of_node[n, p, k]
            for k in range(n_leads):
                gathered[early, k] += (1.0 - share) * weight[k]
                gathered[early + 1, k] += share * weight[k]
        histograms[m] = gathered.T
