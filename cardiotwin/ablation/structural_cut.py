"""The smallest piece of an isthmus without which nothing conducts through it, whichever way the wave took.

A minimum cut of the wave (`reentry`) opens the paths it took. Tissue beside them that this wave reached and did not
need, a strip along a valve or an edge, may carry the next one. Here the cut is through all tissue around the isthmus,
between what lies before and what lies behind it.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from cardiotwin.induction.isthmus import since_entrance
from cardiotwin.induction.reentry import Circuit, Neighbours, minimum_cut

AROUND_MM = 15.0
"""Tissue nearer to the wave's cut than this is looked at; a way around that leads farther is another isthmus."""
APART_MS = 15.0
"""Before and behind: earlier and later than the wave's cut by so much and the cut's own spread."""
AT_MOST = 4.0
"""Times the wave's cut; what needs more is not closed off by scar here, and the wave's cut stands."""


def structural_cut(circuit: Circuit, tissue: Neighbours) -> np.ndarray:
    """Nodes of the cut; those of the wave where there is no structural one of at most four times its volume.

    Parameters
    ----------
    circuit : Circuit
    tissue : Neighbours
        Viable tissue of the heart that the circuit was found on.
    """
    cut = circuit.cut_nodes
    away = cKDTree(tissue.points[cut]).query(tissue.points)[0]
    local = np.flatnonzero((away <= AROUND_MM) & (tissue.volumes > 0))
    since = since_entrance(circuit)
    moment, spread = np.median(since[cut]), np.ptp(since[cut])
    isthmus = np.intersect1d(circuit.isthmus_nodes, local)
    before = isthmus[since[isthmus] < moment - spread - APART_MS]
    behind = isthmus[since[isthmus] > moment + spread + APART_MS]
    if not before.size or not behind.size:
        return cut
    found = minimum_cut(local, *_graph(tissue, local, before, behind), tissue.volumes)
    enough = tissue.volumes[found].sum() <= AT_MOST * tissue.volumes[cut].sum()
    return found if found.size and enough else cut


def _graph(
    tissue: Neighbours, local: np.ndarray, before: np.ndarray, behind: np.ndarray
) -> tuple[np.ndarray, csr_matrix, csr_matrix]:
    """Which local nodes can be cut, conduction both ways between them, and a seam from behind to before."""
    inside = np.zeros(len(tissue.points), bool)
    inside[local] = True
    i, j = tissue.pairs[inside[tissue.pairs].all(axis=1)].T
    shape = (inside.size, inside.size)
    both = csr_matrix((np.ones(2 * i.size, np.int32), (np.r_[i, j], np.r_[j, i])), shape=shape)
    count = max(before.size, behind.size)
    ends = np.resize(behind, count), np.resize(before, count)
    seam = csr_matrix((np.ones(count, np.int32), ends), shape=shape)
    return ~np.isin(local, np.r_[before, behind]), both, seam
