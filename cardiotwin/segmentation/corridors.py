"""Surviving corridors: border zone or healthy muscle that leads through core from healthy muscle to healthy muscle.

A corridor is what a closing of the core fills and what has two mouths or more. The core is first continued into blood
and out of the heart along the nearest wall, so that a corridor through the whole wall is as closed as one within it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import KDTree

from cardiotwin.imaging import apply_affine
from cardiotwin.segmentation.labels import BORDER_ZONE, CORE, LV_BLOOD, MUSCLE, MYOCARDIUM, Segmentation
from cardiotwin.segmentation.refined import CLIP_PIXELS, Grid, refined

REACH_MM = 15.0
"""Around the core: the wall's surfaces lie within it."""
FEWEST_MOUTH_VOXELS = 3
SMOOTHING_MM = 1.5
SAME_SHARE, SAME_MM = 0.7, 3.0
"""A way that runs this near to a longer one for this share of its length is that one, with a mouth beside it."""
DIRECTIONS = 16
_EVERY_WAY = np.ones((3, 3, 3))


@dataclass(frozen=True, eq=False)
class Corridor:
    """One way through scar core.

    Attributes
    ----------
    points : (n, 3) float64
        Its middle from mouth to mouth, LPS, mm.
    length_mm : float
        As far as core flanks it on both sides.
    narrowest_mm : float
        Of all chords across it that end at core, the shortest.
    narrowest_at_mm : (3,) float64
        LPS.
    depth, depth_from, depth_to : float
        0 endocardium to 1 epicardium: of the middle line, and of the tissue between the 5th and 95th percentile.
    border_zone_share : float
        Of its tissue.
    """

    points: np.ndarray
    length_mm: float
    narrowest_mm: float
    narrowest_at_mm: np.ndarray
    depth: float
    depth_from: float
    depth_to: float
    border_zone_share: float

    def __repr__(self) -> str:
        return (
            f"Corridor({self.length_mm:.1f} mm long, {self.narrowest_mm:.1f} mm at its narrowest, "
            f"depth {self.depth:.2f} ({self.depth_from:.2f} to {self.depth_to:.2f}))"
        )


def find_corridors(
    segmentation: Segmentation, *, widest_mm: float = 8.0, shortest_mm: float = 5.0, step_mm: float = 0.75
) -> tuple[Corridor, ...]:
    """Every corridor, the longest first.

    Parameters
    ----------
    segmentation : Segmentation
        With scar core; none gives no corridor.
    widest_mm : float
        A gap in the core that is nowhere narrower is no corridor.
    shortest_mm : float
        Shorter ones are gaps between islands, or the stairs of a contour.
    step_mm : float
        Grid on which slices are interpolated; lengths and widths are good to about one step.

    Notes
    -----
    A tissue bridge with m mouths is listed as m - 1 corridors from its largest mouth. A corridor that moves sideways
    by more than its width from slice to slice is not seen: what is between slices was not imaged. One that opens
    sideways into healthy muscle, as under an insertion of the right ventricle, ends at the first such opening.
    """
    if not (segmentation.labels == CORE).any():
        return ()
    tissue = _Tissue(segmentation, step_mm, widest_mm)
    pieces, count = ndimage.label(tissue.filled, _EVERY_WAY)
    found = []
    for number, window in enumerate(ndimage.find_objects(pieces, count), start=1):
        wider = tuple(slice(max(one.start - 2, 0), one.stop + 2) for one in window)
        for line in _lines(tissue, wider, pieces[wider] == number):
            corridor = _described(tissue, line, pieces == number, widest_mm)
            if step_mm <= corridor.narrowest_mm <= widest_mm and corridor.length_mm >= shortest_mm:
                found.append(corridor)
    return _distinct(sorted(found, key=lambda one: -one.length_mm))


def _distinct(found: list[Corridor]) -> tuple[Corridor, ...]:
    kept: list[Corridor] = []
    for one in found:
        trees = (KDTree(other.points) for other in kept)
        if not any((tree.query(one.points)[0] < SAME_MM).mean() > SAME_SHARE for tree in trees):
            kept.append(one)
    return tuple(kept)


class _Tissue:
    """Isotropic labels around the core, and what follows from them."""

    def __init__(self, drawn: Segmentation, step_mm: float, radius_mm: float) -> None:
        fine = refined(drawn, step_mm, keep_volume=False)
        around = np.argwhere(fine.labels == CORE)
        margin = int(np.ceil(max(REACH_MM, 2 * radius_mm + 2 * step_mm) / step_mm))
        low = around.min(axis=0) - margin
        high = around.max(axis=0) + margin + 1
        self.labels = _cut(fine.labels, low, high, 0)
        spacing_mm = np.linalg.norm(drawn.affine[:3, :3], axis=0)[::-1]
        level = Grid(drawn.labels, spacing_mm, step_mm).level(
            drawn.labels == CORE, CLIP_PIXELS * float(spacing_mm[1:].mean())
        )
        self.core_level_mm = _cut(level, low, high, -1e3)
        self.low, self.step_mm, self.fine_affine = low, step_mm, fine.affine
        self.core = self.labels == CORE
        self.muscle = np.isin(self.labels, MUSCLE)
        self.conducting = self.muscle & ~self.core
        self.filled = self.conducting & self._closed(radius_mm)
        self.open = self._reaches_healthy(self.conducting & ~self.filled)
        self.clearance_mm = ndimage.distance_transform_edt(self.conducting) * step_mm
        self.depth = self._depth()

    def to_lps(self, index: np.ndarray) -> np.ndarray:
        """(n, 3) LPS of (n, 3) indices (slice, row, column)."""
        return apply_affine(self.fine_affine, (index + self.low)[:, ::-1])

    def _closed(self, radius_mm: float) -> np.ndarray:
        radius = radius_mm / self.step_mm
        away, nearest = ndimage.distance_transform_edt(~self.muscle, return_indices=True)
        continued = self.core[tuple(nearest)] & (away <= radius)
        grown = ndimage.distance_transform_edt(~continued) <= radius
        # A voxel more than the radius: the stairs of a curved surface are no corridors.
        return ndimage.distance_transform_edt(grown) > radius + 1.0

    def _reaches_healthy(self, tissue: np.ndarray) -> np.ndarray:
        pieces, count = ndimage.label(tissue, _EVERY_WAY)
        healthy = np.zeros(count + 1, bool)
        healthy[pieces[tissue & (self.labels == MYOCARDIUM)]] = True
        healthy[0] = False
        return healthy[pieces]

    def _depth(self) -> np.ndarray:
        """0 endocardium to 1 epicardium; NaN outside muscle and where no left-ventricular blood is near."""
        if not (self.labels == LV_BLOOD).any():
            return np.full(self.labels.shape, np.nan)
        inner = ndimage.distance_transform_edt(self.labels != LV_BLOOD) - 0.5
        outer = ndimage.distance_transform_edt(self.muscle | (self.labels == LV_BLOOD)) - 0.5
        return np.where(self.muscle, inner / np.maximum(inner + outer, 1e-9), np.nan)


def _cut(values: np.ndarray, low: np.ndarray, high: np.ndarray, beyond: float) -> np.ndarray:
    """A box of an array; what lies outside of the array has one value."""
    before, after = np.maximum(-low, 0), np.maximum(high - values.shape, 0)
    padded = np.pad(values, tuple(zip(before, after, strict=True)), constant_values=beyond)
    return padded[tuple(slice(a, b) for a, b in zip(low + before, high + before, strict=True))]


def _lines(tissue: _Tissue, window: tuple[slice, ...], piece: np.ndarray) -> Iterator[np.ndarray]:
    """Voxel paths (n, 3) through one filled piece: from its largest mouth to each of the others."""
    beside = ndimage.binary_dilation(piece, _EVERY_WAY) & tissue.open[window]
    mouths, count = ndimage.label(beside, _EVERY_WAY)
    sizes = np.bincount(mouths.ravel(), minlength=count + 1)[1:]
    kept = [int(k) + 1 for k in np.argsort(-sizes, kind="stable") if sizes[k] >= FEWEST_MOUTH_VOXELS]
    if len(kept) < 2:
        return
    nodes = np.argwhere(piece | beside)
    graph = _graph(piece | beside, tissue.clearance_mm[window] / _off_middle(tissue.depth[window], piece))
    mouth = mouths[tuple(nodes.T)]
    sources = np.flatnonzero(mouth == kept[0])
    cost, before, _ = csgraph.dijkstra(graph, indices=sources, min_only=True, return_predecessors=True)
    corner = np.array([one.start for one in window])
    for other in kept[1:]:
        ends = np.flatnonzero(mouth == other)
        node = int(ends[np.argmin(cost[ends])])
        if not np.isfinite(cost[node]):
            continue
        path = [node]
        while before[path[-1]] >= 0:
            path.append(int(before[path[-1]]))
        yield nodes[path] + corner


def _off_middle(depth: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """1 at the piece's middle depth, more away from it: a slit through the wall is as clear at any depth."""
    if not np.isfinite(depth[piece]).any():
        return np.ones(depth.shape)
    middle = np.nanmedian(depth[piece])
    return 1.0 + np.nan_to_num(np.abs(depth - middle), nan=1.0)


def _graph(mask: np.ndarray, clearance_mm: np.ndarray) -> sparse.csr_matrix:
    """Neighbouring voxels, at a cost that keeps a path in the middle: length over the square of the clearance."""
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(mask.sum())
    rows, columns, costs = [], [], []
    for offset in product((-1, 0, 1), repeat=3):
        if offset <= (0, 0, 0):
            continue
        here = tuple(slice(max(-d, 0), n - max(d, 0)) for d, n in zip(offset, mask.shape, strict=True))
        there = tuple(slice(max(d, 0), n - max(-d, 0)) for d, n in zip(offset, mask.shape, strict=True))
        both = mask[here] & mask[there]
        rows.append(number[here][both])
        columns.append(number[there][both])
        near = 0.5 * (clearance_mm[here][both] + clearance_mm[there][both])
        costs.append(np.linalg.norm(offset) / near**2)
    size = int(mask.sum())
    one_way = sparse.coo_matrix(
        (np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size)
    )
    return (one_way + one_way.T).tocsr()


def _described(tissue: _Tissue, path: np.ndarray, piece: np.ndarray, widest_mm: float) -> Corridor:
    line = _smooth(path.astype(np.float64), SMOOTHING_MM / tissue.step_mm)
    line = _extended(tissue, line, widest_mm)
    widths, _ = _widths(tissue, line, widest_mm)
    narrowest = int(np.argmin(widths))
    depths = tissue.depth[piece]
    at = tuple(np.clip(np.rint(line).astype(int), 0, np.array(tissue.labels.shape) - 1).T)
    middle = tissue.depth[at]
    known = np.isfinite(depths).any()
    return Corridor(
        points=tissue.to_lps(line),
        length_mm=float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum() * tissue.step_mm),
        narrowest_mm=float(widths[narrowest]),
        narrowest_at_mm=tissue.to_lps(line[narrowest : narrowest + 1])[0],
        depth=float(np.nanmean(middle)) if np.isfinite(middle).any() else float("nan"),
        depth_from=float(np.nanquantile(depths, 0.05)) if known else float("nan"),
        depth_to=float(np.nanquantile(depths, 0.95)) if known else float("nan"),
        border_zone_share=float((tissue.labels[piece] == BORDER_ZONE).mean()),
    )


def _smooth(path: np.ndarray, width: float) -> np.ndarray:
    """A voxel path without its stairs; its ends stay."""
    if len(path) < 3:
        return path
    # Reflected through its ends, so that they stay where they are and straight lines stay straight.
    reach = min(len(path) - 1, int(np.ceil(3 * width)))
    before, after = 2 * path[0] - path[reach:0:-1], 2 * path[-1] - path[-2 : -reach - 2 : -1]
    calm = ndimage.gaussian_filter1d(np.concatenate([before, path, after]), width, axis=0, mode="nearest")
    return calm[reach : reach + len(path)]


def _extended(tissue: _Tissue, line: np.ndarray, widest_mm: float) -> np.ndarray:
    """The line cut or drawn on, straight, to where core ceases to flank it: the closing is hollow at a mouth."""
    for _ in range(2):
        line = line[::-1]
        last = line[-1] - line[max(len(line) - 5, 0)]
        direction = last / max(float(np.linalg.norm(last)), 1e-9)
        steps = np.arange(0.0, widest_mm / tissue.step_mm, 0.5)
        beyond = line[-1] + steps[:, None] * direction
        widths, flanked = _widths(tissue, beyond, widest_mm, tangent=direction)
        # At an oblique mouth the straight way may enter the core itself.
        ends = np.flatnonzero(~flanked | (widths <= 0.0))
        line = np.concatenate([line, beyond[1 : ends[0] if ends.size else len(beyond)]])
        if ends.size and ends[0] == 0:
            widths, flanked = _widths(tissue, line, widest_mm)
            inside = np.flatnonzero(flanked & (widths > 0.0))
            line = line[: inside[-1] + 1] if inside.size > 1 else line
    return line


def _widths(
    tissue: _Tissue, line: np.ndarray, widest_mm: float, tangent: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Shortest chord across the line at each point, mm, among those that end at core; and whether one has core at both.

    Chords are as long as the conducting muscle they cross, sampled at a quarter of a voxel.
    """
    along = np.broadcast_to(tangent, line.shape) if tangent is not None else np.gradient(line, axis=0)
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    helper = np.eye(3)[np.argmin(np.abs(along), axis=1)]
    first = np.cross(along, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    turn = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    across = np.cos(turn)[None, :, None] * first[:, None] + np.sin(turn)[None, :, None] * second[:, None]
    reach = np.arange(0.0, 2.0 * widest_mm / tissue.step_mm, 0.25)
    total = np.zeros(across.shape[:2])
    at_core = np.zeros((2, *across.shape[:2]), bool)
    for side, sign in enumerate((1.0, -1.0)):
        samples = line[:, None, None] + sign * reach[:, None] * across[:, :, None]
        index = np.clip(np.rint(samples).astype(int), 0, np.array(tissue.labels.shape) - 1)
        muscle = tissue.muscle[tuple(np.moveaxis(index, -1, 0))]
        # Within muscle the core's own distance field says, finer than voxels do, where it begins.
        level = ndimage.map_coordinates(tissue.core_level_mm, np.moveaxis(samples, -1, 0), order=1, mode="nearest")
        core = muscle & (level > 0)
        blocked = core | ~muscle
        hit = np.where(blocked.any(axis=2), blocked.argmax(axis=2), len(reach) - 1)
        total += np.maximum(reach[hit] - 0.125, 0.0)
        at_core[side] = np.take_along_axis(core, hit[:, :, None], axis=2)[:, :, 0]
    chords = total * tissue.step_mm
    widths = np.where(at_core.any(axis=0), chords, np.inf).min(axis=1)
    flanked = np.any(at_core[0] & at_core[1] & (chords <= 1.5 * widest_mm), axis=1)
    return widths, np.asarray(flanked)
