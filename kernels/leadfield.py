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
    for e in prange(tets.shape[0]):
        gradient, gauss = np.empty((4, 3)), np.empty((4, 3))
        _element(points, tets[e], gradient, gauss)
        for k in range(electrodes.shape[0]):
            fx, fy, fz = 0.0, 0.0, 0.0
            for g in range(4):
                x, y, z = gauss[g, 0] - electrodes[k, 0], gauss[g, 1] - electrodes[k, 1], gauss[g, 2] - electrodes[k, 2]
                squared = x * x + y * y + z * z
                share = 1.0 / (squared * np.sqrt(squared))
                fx, fy, fz = fx + share * x, fy + share * y, fz + share * z
            _send(gradient, sigma[e], fx, fy, fz, sources[k, e])


@njit(cache=True)
def _element(points, tet, gradient, gauss):
    """(4, 3) ∇φᵢ times a quarter of the volume, which each Gauss point stands for, and (4, 3) the Gauss points."""
    near, far = 0.5854101966249685, 0.1381966011250105
    a, b, c, d = points[tet[0]], points[tet[1]], points[tet[2]], points[tet[3]]
    for k in range(3):
        n, m = (k + 1) % 3, (k + 2) % 3
        gradient[1, k] = (c[n] - a[n]) * (d[m] - a[m]) - (c[m] - a[m]) * (d[n] - a[n])
        gradient[2, k] = (d[n] - a[n]) * (b[m] - a[m]) - (d[m] - a[m]) * (b[n] - a[n])
        gradient[3, k] = (b[n] - a[n]) * (c[m] - a[m]) - (b[m] - a[m]) * (c[n] - a[n])
        middle = far * (a[k] + b[k] + c[k] + d[k])
        gauss[0, k], gauss[1, k] = middle + (near - far) * a[k], middle + (near - far) * b[k]
        gauss[2, k], gauss[3, k] = middle + (near - far) * c[k], middle + (near - far) * d[k]
    volumes = 0.0
    for k in range(3):
        volumes += gradient[1, k] * (b[k] - a[k])
    # So far each is ∇φᵢ times six volumes.
    scale = np.copysign(1.0 / 24.0, volumes)
    for k in range(3):
        for i in range(1, 4):
            gradient[i, k] *= scale
        gradient[0, k] = -gradient[1, k] - gradient[2, k] - gradient[3, k]


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
        gradient, gauss = np.empty((4, 3)), np.empty((4, 3))
        _element(points, tets[e], gradient, gauss)
        for k in range(fields.shape[2]):
            fx, fy, fz = 0.0, 0.0, 0.0
            for node in tets[e]:
                fx, fy, fz = fx + fields[node, 0, k], fy + fields[node, 1, k], fz + fields[node, 2, k]
            _send(gradient, sigma[e], fx, fy, fz, sources[k, e])


@njit(cache=True, inline="always")
def _send(gradient, sigma, fx, fy, fz, sources):
    """∇φᵢ · σ f of the four nodes."""
    jx = sigma[0, 0] * fx + sigma[0, 1] * fy + sigma[0, 2] * fz
    jy = sigma[1, 0] * fx + sigma[1, 1] * fy + sigma[1, 2] * fz
    jz = sigma[2, 0] * fx + sigma[2, 1] * fy + sigma[2, 2] * fz
    for i in range(4):
        sources[i] = gradient[i, 0] * jx + gradient[i, 1] * jy + gradient[i, 2] * jz


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
def weight_histograms(times, of_node, which, mix, step_ms, histograms):
    """Lead weights gathered by time of activation, for every member of an ensemble.

    Parameters
    ----------
    times : (n_members, n_nodes) float
        Activation, ms, not negative; an infinite one adds nothing: that node stays at rest.
    of_node : (n_sets, n_nodes, 2, n) float64
        Weights of each lead in two parts that the members mix differently (fibre and cross-fibre conductivity), one set
        for each placement of the electrodes; n is the least multiple of `LANES` that has room for the leads, and what
        is left is zero.
    which : (n_members,) int64
        Set of each member.
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
            _gather(times[m], of_node[which[m]], first, mix[m, 0], mix[m, 1], step_ms, gathered)
            for k in range(min(LANES, n_leads - first)):
                later = 0.0
                for j in range(n_bins):
                    histograms[m, first + k, j] = gathered[j, k] - gathered[j, LANES + k] + later
                    later = gathered[j, LANES + k]
