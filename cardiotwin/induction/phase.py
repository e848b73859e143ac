"""What a wave turns about: phase singularities on a surface, filaments in the volume.

Phase runs from 0 to 2 pi between one activation and the next (Gray et al. 1998, doi 10.1038/32164, with time for
potential). Summed around a triangle in steps of at most half a turn it gives 0, or one whole turn where the wave
turns within: the winding number (Iyer & Gray 2001, Ann Biomed Eng 29:47). What enters a tetrahedron through one face
leaves it through another, so pierced faces form chains, the filaments (Clayton et al. 2006,
Prog Biophys Mol Biol 90:378), which close or end where the tissue does. Places are those of triangles, as fine
as the mesh. Across a line of block phase jumps without rotation: there pairs of opposite filaments lie side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.spatial import cKDTree

from cardiotwin.errors import MeshError
from cardiotwin.induction.reentry import SLOWEST_MM_PER_MS, Circuit, Neighbours, neighbours
from cardiotwin.meshes.adjacency import FACES
from cardiotwin.meshes.mesh import Mesh

TURN = 2.0 * np.pi
BESIDE_EDGES = 2.0
"""Filaments nearer than so many mesh edges belong to one line of block."""


@dataclass(frozen=True, eq=False)
class Singularities:
    """Triangles around which phase makes a whole turn.

    Attributes
    ----------
    positions : (k, 3) float64
        Centres of the triangles, mm.
    charges : (k,) int8
        +1 where phase grows counter-clockwise as seen from where the normal points, else -1.
    """

    positions: np.ndarray
    charges: np.ndarray


@dataclass(frozen=True, eq=False)
class Filament:
    """A line about which the wave turns.

    Attributes
    ----------
    positions : (k, 3) float64
        Centres of the faces it passes in order, along the direction about which phase grows right-handed; mm.
    length_mm : float
    closed : bool
        A ring; what is not ends where the tissue does.
    """

    positions: np.ndarray
    length_mm: float
    closed: bool


@dataclass(frozen=True, eq=False)
class Track:
    """One singularity over time.

    Attributes
    ----------
    charge : int
    times_ms : (k,) float64
    positions : (k, 3) float64
        mm.
    """

    charge: int
    times_ms: np.ndarray
    positions: np.ndarray

    @property
    def lifetime_ms(self) -> float:
        """From the first to the last time at which it was seen."""
        return float(self.times_ms[-1] - self.times_ms[0])


# --- Phase -----------------------------------------------------------------------------------------------------------


def activation_phase(activation_ms: np.ndarray, at_ms: float) -> np.ndarray:
    """Phase between the activation before a moment and the one after it.

    Parameters
    ----------
    activation_ms : (n_beats, n_nodes)
        In order, ms; NaN where there were fewer.
    at_ms : float

    Returns
    -------
    (n_nodes,) float64
        0 to 2 pi, rad; NaN before the first activation and after the last.
    """
    times = np.asarray(activation_ms, float)
    before = np.where(times <= at_ms, times, -np.inf).max(axis=0)
    after = np.where(times > at_ms, times, np.inf).min(axis=0)
    found = np.full(before.size, np.nan)
    known = np.isfinite(before) & np.isfinite(after)
    found[known] = TURN * (at_ms - before[known]) / (after[known] - before[known])
    return found


def potential_phase(potential_mv: np.ndarray, delay: int) -> np.ndarray:
    """Phase in the plane of the potential and the same potential later, about each node's mean.

    Parameters
    ----------
    potential_mv : (n_times, n_nodes)
        mV, at even steps.
    delay : int
        Steps; about a quarter of the cycle makes the loop round.

    Returns
    -------
    (n_times - delay, n_nodes) float64
        rad, growing with time; NaN where the potential never changes.
    """
    centred = potential_mv - potential_mv.mean(axis=0)
    angle = np.arctan2(centred[:-delay], centred[delay:]) % TURN
    return np.where(np.ptp(potential_mv, axis=0) > 0.0, angle, np.nan)


def circuit_phase(circuit: Circuit) -> np.ndarray:
    """(n_nodes,) rad: how far each node is behind the circuit's exit in the cycle; NaN where nothing was activated."""
    return TURN * circuit.phase_ms.astype(float) / circuit.cycle_length_ms


# --- Singularities and filaments -------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def winding_numbers(phase, triangles):
    """How often phase turns around each triangle.

    Parameters
    ----------
    phase : (n_nodes,) float64
        rad; any multiple of a turn may be added to any node.
    triangles : (n, 3) int
        Node indices.

    Returns
    -------
    (n,) int8
        -1, 0 or 1, in the order of the nodes; 0 where one has no phase.
    """
    turns = np.zeros(triangles.shape[0], np.int8)
    for k in range(triangles.shape[0]):
        total = 0.0
        for side in range(3):
            step = phase[triangles[k, (side + 1) % 3]] - phase[triangles[k, side]]
            total += step - 2.0 * np.pi * np.floor(step / (2.0 * np.pi) + 0.5)
        if not np.isnan(total):
            turns[k] = int(np.rint(total / (2.0 * np.pi)))
    return turns


def singularities(phase: np.ndarray, points: np.ndarray, triangles: np.ndarray) -> Singularities:
    """Where phase turns on a surface: `phase` (n_nodes,) rad, `points` (n_nodes, 3) mm, `triangles` (n, 3).

    On a closed surface with phase everywhere the charges add up to 0.
    """
    turns = winding_numbers(np.asarray(phase, float), triangles)
    found = np.flatnonzero(turns)
    return Singularities(points[triangles[found]].mean(axis=1), turns[found])


def filaments(phase: np.ndarray, points: np.ndarray, tets: np.ndarray) -> tuple[Filament, ...]:
    """Lines about which phase turns, the longest first.

    Parameters
    ----------
    phase : (n_nodes,) float64
        rad; NaN where there is none, and a filament ends there.
    points : (n_nodes, 3) float64
        mm.
    tets : (n_tets, 4) int
        Of the tissue, with positive volumes.

    Raises
    ------
    MeshError
        Not one phase for each point.
    """
    if np.shape(phase) != (len(points),):
        raise MeshError(f"phase: found shape {np.shape(phase)}, expected one value for each of {len(points)} points")
    phase = np.asarray(phase, float)
    turns = np.stack([winding_numbers(phase, tets[:, face]) for face in FACES], axis=1)
    owner, side = np.nonzero(turns)
    if not owner.size:
        return ()
    faces = np.sort(tets[owner[:, None], FACES[side]], axis=1)
    nodes, which = np.unique(faces, axis=0, return_inverse=True)
    following = _following(owner, turns[owner, side], which.ravel(), len(nodes))
    chains = _chains(following)
    found = [_filament(points[nodes[chain]].mean(axis=1), closed) for chain, closed in chains]
    return tuple(sorted(found, key=lambda one: -one.length_mm))


def _following(owner: np.ndarray, turns: np.ndarray, which: np.ndarray, count: int) -> np.ndarray:
    """(n_faces,) the face through which a filament leaves the tetrahedron that it enters by each face; -1: none.

    Normals point out of the tetrahedron: -1 is where it enters, +1 where it leaves.
    """
    following = np.full(count, -1)
    start = np.flatnonzero(np.concatenate([[True], np.diff(owner) != 0]))
    for first, last in zip(start, np.append(start[1:], owner.size), strict=True):
        mine, direction = which[first:last], turns[first:last]
        # Where two filaments pass one tetrahedron either pairing is as good as the other.
        for entry, leave in zip(mine[direction < 0], mine[direction > 0], strict=False):
            following[entry] = leave
    return following


def _chains(following: np.ndarray) -> list[tuple[np.ndarray, bool]]:
    """Faces in order, open chains from their first, and whether they close."""
    has_before = np.zeros(following.size, bool)
    has_before[following[following >= 0]] = True
    seen, chains = np.zeros(following.size, bool), []
    for start in [*np.flatnonzero(~has_before), *np.flatnonzero(has_before)]:
        chain, at = [], int(start)
        while at >= 0 and not seen[at]:
            seen[at] = True
            chain.append(at)
            at = int(following[at])
        if chain:
            chains.append((np.array(chain), bool(has_before[start])))
    return chains


def _filament(places: np.ndarray, closed: bool) -> Filament:
    path = np.concatenate([places, places[:1]]) if closed else places
    return Filament(places, float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()), closed)


def tracked(times_ms: Sequence[float], seen: Sequence[Singularities], within_mm: float) -> tuple[Track, ...]:
    """Singularities followed from moment to moment, the longest-lived first.

    Those of one charge are paired so that the sum of their ways is least; none moves farther than `within_mm` between
    two moments.
    """
    done: list[list[tuple[float, np.ndarray, int]]] = []
    alive: list[list[tuple[float, np.ndarray, int]]] = []
    for time_ms, now in zip(times_ms, seen, strict=True):
        kept, taken = [], np.zeros(len(now.charges), bool)
        for track, place in _pairs(alive, now, within_mm):
            alive[track].append((time_ms, now.positions[place], int(now.charges[place])))
            kept.append(alive[track])
            taken[place] = True
        done += [one for one in alive if not any(one is other for other in kept)]
        alive = kept + [[(time_ms, now.positions[k], int(now.charges[k]))] for k in np.flatnonzero(~taken)]
    tracks = [
        Track(one[0][2], np.array([step[0] for step in one]), np.array([step[1] for step in one]))
        for one in done + alive
    ]
    return tuple(sorted(tracks, key=lambda one: -one.lifetime_ms))


def _pairs(
    alive: list[list[tuple[float, np.ndarray, int]]], now: Singularities, within_mm: float
) -> list[tuple[int, int]]:
    if not alive or not len(now.charges):
        return []
    away = np.linalg.norm(np.array([one[-1][1] for one in alive])[:, None] - now.positions, axis=2)
    other = np.array([one[-1][2] for one in alive])[:, None] != now.charges
    far = other | (away > within_mm)
    rows, columns = linear_sum_assignment(np.where(far, 1e6, away))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if not far[i, j]]


# --- What a circuit turns about --------------------------------------------------------------------------------------


def circuit_kind(circuit: Circuit, points: np.ndarray, tets: np.ndarray) -> tuple[str, tuple[Filament, ...]]:
    """Whether a circuit turns around something that does not conduct, or in the tissue about a filament.

    Parameters
    ----------
    circuit : Circuit
    points : (n_nodes, 3) float64
        mm.
    tets : (n_tets, 4) int
        The tissue that conducts.

    Returns
    -------
    kind : str
        ``"functional"``: filaments in the tissue; ``"anatomical"``: none, and phase turns on some way through the
        tissue, which thus leads around a hole in it; ``"undetermined"``: phase turns nowhere.
    filaments : tuple of Filament

    Notes
    -----
    Tissue that conducts and was not activated in the last cycle is no obstacle: it takes the phase of what lies next to
    it, and the core of a spiral stays a filament. Along a line of block, where phase differs by more than
    `SLOWEST_MM_PER_MS` allows, filaments of both directions appear where the difference passes half a turn: on each
    connected line they count by how many more turn one way. What closes, bends back to the surface it came from or
    leaves through the side does not count: it does not hold a wave that turns in the wall. A line of block that begins
    at an obstacle may still be taken for a filament.
    """
    tissue = neighbours(points, tets)
    phase = _filled(circuit_phase(circuit), tissue)
    through = _through_the_wall(filaments(phase, points, tets), points, tets)
    found = _lasting(through, tissue, _blocked(phase, circuit.cycle_length_ms, tissue))
    if found:
        return "functional", found
    return ("anatomical" if _turns_somewhere(phase, tissue) else "undetermined"), ()


def _filled(phase: np.ndarray, tissue: Neighbours) -> np.ndarray:
    """Phase at every conducting node that can be reached from one that has it: the mean direction of its neighbours."""
    i, j = np.concatenate([tissue.pairs, tissue.pairs[:, ::-1]]).T
    whole = phase.copy()
    whole[tissue.volumes == 0] = np.nan
    while True:
        known, missing = np.isfinite(whole), np.isnan(whole) & (tissue.volumes > 0)
        use = known[j] & missing[i]
        if not use.any():
            return whole
        total = [np.bincount(i[use], part(whole[j[use]]), whole.size) for part in (np.sin, np.cos)]
        reached = np.bincount(i[use], minlength=whole.size) > 0
        whole[reached] = np.arctan2(*total)[reached] % TURN


def _lasting(through: Sequence[Filament], tissue: Neighbours, blocked: np.ndarray) -> tuple[Filament, ...]:
    """Of filaments on one line of block as many as turn one way more than the other; the longest first."""
    kept: list[Filament] = []
    for group in _together(through, tissue, blocked) if through else ():
        along = np.array([_span(one) @ _span(group[0]) for one in group])
        net = int(np.sign(along).sum())
        kept += [one for one, side in zip(group, along, strict=True) if side * net > 0][: abs(net)]
    return tuple(sorted(kept, key=lambda one: -one.length_mm))


def _blocked(phase: np.ndarray, cycle_ms: float, tissue: Neighbours) -> np.ndarray:
    """(n_edges,) bool: phase differs by more than conduction, however slow, takes along the edge."""
    step = np.abs(_wrapped(phase[tissue.pairs[:, 1]] - phase[tissue.pairs[:, 0]])) / TURN * cycle_ms
    return step > tissue.lengths / SLOWEST_MM_PER_MS


def _through_the_wall(found: Sequence[Filament], points: np.ndarray, tets: np.ndarray) -> list[Filament]:
    """Filaments whose ends lie on surfaces that face away from each other."""
    faces = Mesh(points, tets).boundary_faces()
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    nearest = cKDTree(corners.mean(axis=1))

    def outward(place: np.ndarray) -> np.ndarray:
        # One face of a lattice may lie askew: with those around it.
        mean = normals[nearest.query(place, k=min(8, len(faces)))[1]].sum(axis=0)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)

    ends = [(one, one.positions[[0, -1]]) for one in found if not one.closed]
    return [one for one, (start, end) in ends if outward(start) @ outward(end) < -0.5]


def _span(one: Filament) -> np.ndarray:
    return one.positions[-1] - one.positions[0]


def _together(found: Sequence[Filament], tissue: Neighbours, blocked: np.ndarray) -> list[list[Filament]]:
    """Filaments on one connected piece of blocked edges, or near to each other; the longest first in each group."""
    n, count = len(tissue.points), len(found)
    places = np.concatenate([one.positions for one in found])
    whose = np.repeat(np.arange(count), [len(one.positions) for one in found])
    near_mm = BESIDE_EDGES * float(np.median(tissue.lengths))
    beside = cKDTree(places).query_pairs(near_mm, output_type="ndarray")
    corners = cKDTree(tissue.points).query(places, k=3)[1]  # a filament's places are centres of triangles
    links = [tissue.pairs[blocked], np.column_stack([np.repeat(n + whose, 3), corners.ravel()]), n + whose[beside]]
    i, j = np.concatenate(links).T
    graph = csr_matrix((np.ones(i.size, np.int8), (i, j)), shape=(n + count, n + count))
    group = connected_components(graph, directed=False)[1][n:]
    return [[one for one, its in zip(found, group, strict=True) if its == number] for number in np.unique(group)]


def _turns_somewhere(phase: np.ndarray, tissue: Neighbours) -> bool:
    """Whether no assignment of whole turns makes phase single-valued on every edge."""
    pairs = tissue.pairs[np.isfinite(phase[tissue.pairs]).all(axis=1)]
    if not len(pairs):
        return False
    graph = csr_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(phase.size, phase.size))
    order, before = breadth_first_order(graph, pairs[0, 0], directed=False)
    along = _unwrapped(phase, order, before)
    steps = along[pairs[:, 1]] - along[pairs[:, 0]]
    left = (steps - _wrapped(phase[pairs[:, 1]] - phase[pairs[:, 0]])) / TURN
    return bool((np.abs(left[np.isfinite(left)]) > 0.5).any())


@njit(cache=True, nogil=True)
def _unwrapped(phase, order, before):
    """(n_nodes,) phase that goes on along a tree, given in order with each node's predecessor; NaN off the tree."""
    along = np.full(phase.size, np.nan)
    along[order[0]] = phase[order[0]]
    for k in range(1, order.size):
        node, last = order[k], before[order[k]]
        step = phase[node] - phase[last]
        along[node] = along[last] + step - 2.0 * np.pi * np.floor(step / (2.0 * np.pi) + 0.5)
    return along


def _wrapped(step: np.ndarray) -> np.ndarray:
    """To at most half a turn."""
    return step - TURN * np.floor(step / TURN + 0.5)
