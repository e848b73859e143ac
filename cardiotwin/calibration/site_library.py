"""Arrival times from many candidate sites at many velocities, looked up instead of solved for.

The front from several sites is the earliest of the fronts from each, and T(velocities / a) = a T(velocities), so that
two ratios of velocities are left to tabulate. A look-up costs a thirtieth of a solve: a sampler can try enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from cardiotwin.eikonal import conducting_tets, solve
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import BORDER_ZONE, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.kernels.eikonal import Conductor
from cardiotwin.kernels.site_fields import earliest_of, mixed_fields
from cardiotwin.progress import Progress, silent
from cardiotwin.tissue.tissue import Velocities

N_RATIOS = 4
"""Chebyshev points along each ratio. On two ventricles the interpolated arrival errs by 0.6 ms on average, without
bias; five points with straight lines between them are 0.9 ms early: arrival is a concave function of slowness."""
_CROSS = 0.3  # mm/ms, what the fields are tabulated at; any value serves
_BATCH, _STENCIL = 64, 4
_COMPONENTS = 8
"""Kept of the 16 entries, which are nearly combinations of these: arrival errs by 0.51 ms instead of 0.47."""
_MOST = 32767  # of int16
_KEPT_BYTES = 1 << 28


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The straight way from every site to the nodes around it: `near_at` to `fast` of the kernel.

    `slowed` (n_sites,) bool are those in border zone, where all of it is as much longer as that is slower.
    """

    slowed: np.ndarray
    at: np.ndarray
    of: np.ndarray
    along: np.ndarray
    across: np.ndarray
    fast: np.ndarray


@dataclass(frozen=True, eq=False)
class SiteLibrary:
    """Fields of every candidate at every pair of ratios, and how a site between candidates mixes them.

    Attributes
    ----------
    nodes : (n_sites,) int64
        Nodes of the mesh where activation may start.
    positions : (n_sites, 3) float64
        mm.
    spacing_mm : float
        Of the candidates.
    candidates : (n_candidates,) int64
        Sites whose fields are tabulated, spread evenly.
    stencils, stencil_shares : (n_sites, k) int64, (n_sites, k) float64
        The nearest candidates on the same endocardium, and the weights that interpolate linearly between them.
    surroundings : Surroundings
        Between candidates a mixture of their fields is right far away and late close by; there the way is straight.
    cross_to_fibre, cross_to_fast : (n,) float64
        Ratios of velocities tabulated; one entry of the second where there is no fast layer.
    fractions : (n_fractions,) float64
        Velocity of the border zone relative to healthy tissue; the fields are those of the first.
    fields : (n_candidates, n_components + n_fractions - 1, n_nodes) int16
        Arrival at a cross-fibre velocity of 0.3 mm/ms, for every pair of ratios, is a combination of these; zero where
        nothing arrives. Then how much later it is at each other fraction, at ratios in the middle, taken for all: off
        by 0.1 to 0.5 ms in the mean over two ventricles, of 0.6 to 1.6 that a fraction changes; in the border zone
        itself by 3 ms and more.
    levels : (n_candidates, n_components + n_fractions - 1) float32
        ms that one of each field stands for.
    components : (n_entries, n_components) float64
        How much of each field is in each pair of ratios. Columns are orthonormal.
    reached : (n_candidates, n_nodes) bool
        Where anything arrives.
    """

    nodes: np.ndarray
    positions: np.ndarray
    spacing_mm: float
    candidates: np.ndarray
    stencils: np.ndarray
    stencil_shares: np.ndarray
    surroundings: Surroundings
    cross_to_fibre: np.ndarray
    cross_to_fast: np.ndarray
    fractions: np.ndarray
    fields: np.ndarray
    levels: np.ndarray
    components: np.ndarray
    reached: np.ndarray

    @cached_property
    def near(self) -> tuple[np.ndarray, ...]:
        """Of n_sites int64 arrays: the sites within a third of the candidates' spacing, itself included. Symmetric."""
        return _within(self.positions, self.spacing_mm / 3.0)

    @cached_property
    def far(self) -> tuple[np.ndarray, ...]:
        """The same within all of the spacing."""
        return _within(self.positions, self.spacing_mm)

    def arrivals(
        self, velocities: np.ndarray, sites: np.ndarray, site_times_ms: np.ndarray, fraction: np.ndarray | None = None
    ) -> np.ndarray:
        """(n_members, n_nodes) float32 activation times, ms; see `Lookup`."""
        return Lookup(self)(velocities, sites, site_times_ms, fraction)

    def mixed(self, speeds: np.ndarray, sites: np.ndarray, rows: np.ndarray, kept: np.ndarray) -> None:
        """Fields from (n,) single sites into rows of (n_rows, n_nodes) float32 `kept`.

        `speeds` are (n, 4): the velocities, mm/ms, and which of the fractions.
        """
        fibre, cross, fast = speeds[:, :3].T
        fraction = speeds[:, 3].astype(np.int64)
        along = _lagrange(self.cross_to_fibre, cross / fibre)
        across = _lagrange(self.cross_to_fast, cross / np.where(fast > 0.0, fast, 1.0))
        shares = (along[:, :, None] * across[:, None, :]).reshape(len(along), -1) * _CROSS / cross[:, None]
        later = (fraction[:, None] == np.arange(1, len(self.fractions))) * _CROSS / cross[:, None]
        shares = np.concatenate([shares @ self.components, later], axis=1)
        around = self.surroundings
        longer = np.where(around.slowed[sites], self.fractions[0] / self.fractions[fraction], 1.0)[:, None]
        with np.errstate(divide="ignore"):
            slowness = ((speeds[:, :3] / longer) ** -2.0).astype(np.float32)
        mixed_fields(
            self.fields,
            self.levels,
            self.reached,
            shares.astype(np.float32),
            self.stencils[sites],
            self.stencil_shares[sites].astype(np.float32),
            sites,
            around.at,
            around.of,
            around.along,
            around.across,
            around.fast,
            slowness,
            rows,
            kept,
        )

    def nearest(self, points: np.ndarray) -> np.ndarray:
        """(n,) site nearest to each of (n, 3) points, mm."""
        return np.asarray(cKDTree(self.positions).query(points)[1], np.int64)


class Lookup:
    """Activation times of an ensemble that changes a little at a time.

    A sampler moves one site of a member and leaves the others, or takes the move back: the last two fields of every
    site of every member are kept, and only what is new is mixed. A fifth of the work with five sites.

    Parameters
    ----------
    library : SiteLibrary
    """

    def __init__(self, library: SiteLibrary) -> None:
        self.library = library
        self._kept = np.empty((0, library.fields.shape[2]), np.float32)
        self._keys = np.empty((0, 0, 2, 5))
        self._used = np.empty((0, 0, 2), np.int64)
        self._clock = 0

    def __call__(
        self, velocities: np.ndarray, sites: np.ndarray, site_times_ms: np.ndarray, fraction: np.ndarray | None = None
    ) -> np.ndarray:
        """(n_members, n_nodes) float32 activation times, ms.

        Parameters
        ----------
        velocities : (n_members, 3) float
            Fibre, cross and fast, mm/ms.
        sites : (n_members, n) int
            Rows of `nodes`.
        site_times_ms : (n_members, n) float
        fraction : (n_members,) int, optional
            Of the border zone, a row of the library's; the first where nothing is said.
        """
        n_members, n_sites = sites.shape
        which = np.zeros(n_members) if fraction is None else fraction
        speeds = np.column_stack([velocities, which]).astype(np.float64)
        room = max(1, _KEPT_BYTES // (8 * n_sites * self._kept.shape[1]))
        times = np.empty((n_members, self._kept.shape[1]), np.float32)
        onsets = np.ascontiguousarray(site_times_ms, np.float32)
        for start in range(0, n_members, room):
            part = slice(start, min(start + room, n_members))
            rows = self._rows(speeds[part], np.asarray(sites[part], np.int64))
            earliest_of(self._kept, rows, onsets[part], times[part])
        return times

    def _rows(self, speeds: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """(n_members, n_sites) where the field of every site is kept, after those that were not have been mixed."""
        n_members, n_sites = sites.shape
        self._make_room(n_members, n_sites)
        self._clock += 1
        keys = np.concatenate([np.repeat(speeds[:, None], n_sites, axis=1), sites[:, :, None]], axis=2)
        same = (self._keys[:n_members] == keys[:, :, None]).all(axis=3)
        used = self._used[:n_members]
        slot = np.where(same.any(axis=2), same.argmax(axis=2), used.argmin(axis=2))
        member, site = np.arange(n_members)[:, None].repeat(n_sites, 1), np.arange(n_sites)[None].repeat(n_members, 0)
        used[member, site, slot] = self._clock
        rows = (member * n_sites + site) * 2 + slot
        new = ~same.any(axis=2)
        self._keys[:n_members][member[new], site[new], slot[new]] = keys[new]
        if new.any():
            self.library.mixed(speeds[member[new]], sites[new], rows[new], self._kept)
        return rows

    def _make_room(self, n_members: int, n_sites: int) -> None:
        if len(self._keys) >= n_members and self._keys.shape[1] == n_sites:
            return
        self._keys = np.full((n_members, n_sites, 2, 5), np.nan)
        self._used = np.zeros((n_members, n_sites, 2), np.int64)
        self._kept = np.empty((n_members * n_sites * 2, self._kept.shape[1]), np.float32)


def site_library(
    heart: Heart,
    meshes: Mapping[float, Conductor],
    ranges: Sequence[tuple[float, float]],
    *,
    count: int,
    progress: Progress = silent,
) -> SiteLibrary:
    """Solve for every candidate on the conducting endocardium at every pair of ratios.

    Parameters
    ----------
    heart : Heart
    meshes : dict of float to Conductor
        Of that heart, by the fraction of the healthy velocity that its border zone has; the first is tabulated in full.
    ranges : three (low, high)
        Of fibre, cross-fibre and fast velocity, mm/ms; the last (0, 0) without a fast layer.
    count : int
        Candidates, spread over the nodes by farthest-point sampling.
    progress : Progress

    Raises
    ------
    QualityGate
        No conducting endocardium to start activation from.
    """
    alive = np.unique(heart.mesh.tets[conducting_tets(heart)])
    left, right = (np.intersect1d(heart.surface_nodes(tag), alive) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM))
    nodes = np.union1d(left, right).astype(np.int64)
    if not nodes.size:
        raise QualityGate("heart: no conducting endocardium; expected faces of surface 2 or 3")
    positions = heart.mesh.points[nodes]
    chosen = _spread(positions, min(count, len(nodes)))
    fibre, cross, fast = ranges
    ratio = _chebyshev(cross[0] / fibre[1], min(cross[1] / fibre[0], 1.0))
    ratio_fast = _chebyshev(cross[0] / fast[1], cross[1] / fast[0]) if fast[1] else np.zeros(1)
    speeds = [Velocities(_CROSS / r, _CROSS, _CROSS / q if q else None) for r in ratio for q in ratio_fast]
    table = _tabulated(list(meshes.values()), speeds, nodes[chosen], progress)
    spacing = float(np.median(cKDTree(positions[chosen]).query(positions[chosen], k=2)[0][:, 1]))
    # Sites are never mixed across the septum.
    stencils = _stencils(positions, np.isin(nodes, left), chosen)
    around = _surroundings(heart, next(iter(meshes.values())), nodes, spacing)
    fractions = np.array(list(meshes))
    return SiteLibrary(nodes, positions, spacing, chosen, *stencils, around, ratio, ratio_fast, fractions, *table)


def _tabulated(
    meshes: Sequence[Conductor], speeds: Sequence[Velocities], sites: np.ndarray, progress: Progress
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """From `fields` to `reached` of a library, in batches; the first, all over the heart, has the components."""
    kept, levels, reached, columns = [], [], [], np.empty((0, 0), np.float32)
    middle, n_solves = _middle(len(speeds)), len(speeds) + len(meshes) - 1
    for start in range(0, len(sites), _BATCH):
        batch = sites[start : start + _BATCH, None]
        solved = np.empty((len(batch), n_solves, len(meshes[0].points)), np.float32)
        for entry in range(n_solves):
            progress((start + len(batch) * entry / n_solves) / len(sites), "table of sites")
            mesh, speed = meshes[max(0, entry - len(speeds) + 1)], speeds[entry if entry < len(speeds) else middle]
            solved[:, entry] = solve(mesh, [speed] * len(batch), batch, np.zeros(batch.shape))
        reached.append(np.isfinite(solved).all(axis=1))
        solved[~np.isfinite(solved)] = 0.0
        anchored, others = solved[:, : len(speeds)], solved[:, len(speeds) :]
        columns = columns if columns.size else _components(anchored)
        fields = np.concatenate([columns.T @ anchored, others - anchored[:, [middle]]], axis=1)
        levels.append(np.maximum(np.abs(fields).max(axis=2), 1e-6) / _MOST)
        kept.append(np.round(fields / levels[-1][:, :, None]).astype(np.int16))
    fields, level = np.concatenate(kept), np.concatenate(levels)
    return fields, level, columns.astype(np.float64), np.concatenate(reached)


def _middle(n_entries: int) -> int:
    """Of the pairs of ratios, one that is neither at the end of the first nor of the second."""
    return N_RATIOS + 1 if n_entries == N_RATIOS**2 else n_entries // 2


def _components(solved: np.ndarray) -> np.ndarray:
    """Orthonormal columns that hold most of (n_sites, n_entries, n_nodes) fields (principal components about zero)."""
    rows = np.swapaxes(solved, 0, 1).reshape(solved.shape[1], -1)
    return np.linalg.eigh((rows @ rows.T).astype(np.float64))[1][:, -_COMPONENTS:].astype(np.float32)


def _chebyshev(low: float, high: float) -> np.ndarray:
    """Points for interpolation from `low` to `high`, both included; one point where they are the same."""
    if high - low < 1e-9:
        return np.array([low])
    points = np.cos(np.pi * (np.arange(N_RATIOS)[::-1] + 0.5) / N_RATIOS)
    return low + (high - low) * (points / points[-1] + 1.0) / 2.0


def _lagrange(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n_values, n_points) weights of polynomial interpolation; outside the points, that of the nearest."""
    away = np.clip(values, points[0], points[-1])[:, None] - points
    gaps = points[:, None] - points
    weights = np.ones((len(values), len(points)))
    for i in range(len(points)):
        for j in range(len(points)):
            if i != j:
                weights[:, i] *= away[:, j] / gaps[i, j]
    return weights


def _spread(positions: np.ndarray, count: int) -> np.ndarray:
    """(count,) rows, each as far as possible from those before; the first is the farthest from the middle."""
    chosen = [int(np.argmax(((positions - positions.mean(axis=0)) ** 2).sum(axis=1)))]
    nearest = np.full(len(positions), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((positions - positions[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(np.argmax(nearest)))
    return np.array(chosen)


def _within(positions: np.ndarray, radius_mm: float) -> tuple[np.ndarray, ...]:
    """Who is within the radius of whom: symmetric, so that a random walk over it can be corrected exactly."""
    return tuple(np.sort(np.array(row, np.int64)) for row in cKDTree(positions).query_ball_point(positions, radius_mm))


def _stencils(positions: np.ndarray, surface: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Candidates around every site and weights of sum one: the smallest that are exact for linear functions."""
    width = min(_STENCIL, *(int((surface[chosen] == tag).sum()) or _STENCIL for tag in np.unique(surface)))
    stencils = np.zeros((len(positions), width), np.int64)
    for tag in np.unique(surface):
        of = np.flatnonzero(surface[chosen] == tag)
        of = of if of.size else np.arange(len(chosen))
        sites = np.flatnonzero(surface == tag)
        nearest = cKDTree(positions[chosen[of]]).query(positions[sites], k=width)[1]
        stencils[sites] = of[nearest.reshape(len(sites), width)]
    corners = positions[chosen[stencils]]
    middle = corners.mean(axis=1, keepdims=True)
    # Within the plane of the candidates: across it they are too close together to say anything.
    solved = np.linalg.pinv(np.swapaxes(corners - middle, 1, 2), rcond=0.2)
    return stencils, 1.0 / width + (solved @ (positions[:, None] - middle)[:, 0, :, None])[..., 0]


def _surroundings(heart: Heart, mesh: Conductor, nodes: np.ndarray, radius_mm: float) -> Surroundings:
    """Nodes that a few edges reach from a site, within the radius: a ball would jump across narrow cavities."""
    points, n_nodes = heart.mesh.points, len(mesh.points)
    a, b = np.repeat(np.arange(n_nodes), 3 * np.diff(mesh.tets_at)), mesh.beside
    edges = csr_matrix((np.ones(a.size, np.int8), (a, b)), shape=(n_nodes, n_nodes), dtype=bool)
    reached = csr_matrix((np.ones(len(nodes), bool), (np.arange(len(nodes)), nodes)), shape=(len(nodes), n_nodes))
    for _ in range(int(np.clip(np.ceil(radius_mm / np.linalg.norm(points[a] - points[b], axis=1).mean()), 1, 6))):
        reached = reached + reached @ edges
    reached.sort_indices()
    row, of = np.repeat(np.arange(len(nodes)), np.diff(reached.indptr)), reached.indices
    away = points[of] - points[nodes[row]]
    # As in the solver: no straight way reaches beyond other tissue.
    reach = np.minimum(mesh.uniform_mm[nodes], radius_mm)
    kept = (away**2).sum(axis=1) <= reach[row] ** 2
    row, of, away = row[kept], of[kept], away[kept]
    # Fibres turn on the way: the mean of both ends.
    mean, longer = (0.5 * (field[of] + field[nodes[row]]) for field in (mesh.fibre_dyads, mesh.lengthening))
    squared = longer * (away**2).sum(axis=1)
    x, y, z = away.T
    along = np.einsum("nk,kn->n", mean, np.array([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z]))
    on_surface = np.isin(of, mesh.faces)
    at = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(nodes)))])
    parts = (along, squared - along, np.where(on_surface, squared, np.inf))
    slowed = np.isin(nodes, heart.mesh.tets[heart.tissue_class == BORDER_ZONE])
    return Surroundings(slowed, at, of.astype(np.int32), *(part.astype(np.float32) for part in parts))
