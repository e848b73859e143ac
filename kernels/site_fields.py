"""Fronts from single sites as mixtures of tabulated ones, and the first of several fronts.

All of it is reading: a field is mixed from eight components of four candidates, 64 bytes a node in all, at the speed of
memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

_BLOCK = 4096
"""Nodes mixed at a time: their sum stays in the nearest cache while 32 tables pass by."""


@njit(cache=True)
def _add_scaled(total, share, field):
    """total += share * field, on its own so that the loop vectorises."""
    for n in range(total.size):
        total[n] += share * np.float32(field[n])


@njit(cache=True)
def _only_where(arrival, reached):
    """Not before zero, and infinite where nothing arrives."""
    for n in range(arrival.size):
        arrival[n] = max(arrival[n], np.float32(0.0)) if reached[n] else np.float32(np.inf)


@njit(cache=True, parallel=True)
def mixed_fields(
    fields,
    levels,
    reached,
    shares,
    stencils,
    stencil_shares,
    sites,
    near_at,
    near_of,
    along,
    across,
    fast,
    slowness,
    rows,
    kept,
):
    """Arrival from single sites, each a mixture of tabulated fields instead of solved for.

    Parameters
    ----------
    fields : (n_candidates, n_components, n_nodes) int16
        What arrivals from each candidate site alone are combined of.
    levels : (n_candidates, n_components) float32
        ms that one of each stands for.
    reached : (n_candidates, n_nodes) bool
        Where anything arrives from it.
    shares : (n, n_components) float32
        How much of each component; they may be negative.
    stencils, stencil_shares : (n, n_stencil) int64, float32
        Candidates around each site, and how much of each.
    sites : (n,) int64
        Rows of the next arrays.
    near_at, near_of : (n_sites + 1,) int64, (n_near,) int32
        CSR: the nodes around each site, where a mixture is blunt and the straight way is right.
    along, across, fast : (n_near,) float32
        Squared way there along fibres, across them and over the fast surface, mm²; the last infinite inside the wall.
    slowness : (n, 3) float32
        1/v² of the three, ms²/mm².
    rows : (n,) int64
        Where each goes in `kept`.
    kept : (n_rows, n_nodes) float32
        ms since the site fired; infinite where nothing arrives.
    """
    for m in prange(sites.size):
        arrival = kept[rows[m]]
        arrival[:] = 0.0
        for start in range(0, arrival.size, _BLOCK):
            stop = min(start + _BLOCK, arrival.size)
            for k in range(stencils.shape[1]):
                candidate = stencils[m, k]
                for c in range(shares.shape[1]):
                    ms = shares[m, c] * stencil_shares[m, k] * levels[candidate, c]
                    if ms != np.float32(0.0):  # of the fractions of the border zone one counts, or none
                        _add_scaled(arrival[start:stop], ms, fields[candidate, c, start:stop])
            for k in range(stencils.shape[1]):
                _only_where(arrival[start:stop], reached[stencils[m, k], start:stop])
        for k in range(near_at[sites[m]], near_at[sites[m] + 1]):
            inside = slowness[m, 0] * along[k] + slowness[m, 1] * across[k]
            straight = np.sqrt(min(inside, slowness[m, 2] * fast[k]))
            arrival[near_of[k]] = min(arrival[near_of[k]], straight)


@njit(cache=True, parallel=True)
def earliest_of(kept, rows, site_times, times):
    """The first of several fronts: times[m, n] = min over sites s of site_times[m, s] + kept[rows[m, s], n]."""
    for m in prange(rows.shape[0]):
        times[m] = np.inf
        for s in range(rows.shape[1]):
            _lower(times[m], kept[rows[m, s]], site_times[m, s])


@njit(cache=True)
def _lower(times, field, start):
    """times = min(times, start + field), on its own so that the loop vectorises."""
    for n in range(times.size):
        times[n] = min(times[n], start + field[n])
