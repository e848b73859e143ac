"""Slices that were shifted in their plane by different breath-holds, brought back into line.

A slice lies where the mean of its neighbours' contours says, by registration of signed distances (translation only;
shape-based: a heart that tapers or leans evenly needs no shift). Only shifts of 4 mm and more that explain much of what
is out of line are believed: a heart curves, contours are drawn by hand, and a shift of what was right is worse than
none. A drift that all slices share cannot be told from a heart that leans, and stays; so do the first and last slice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cardiotwin.segmentation.labels import LV_BLOOD, MUSCLE, Segmentation

NEAR_MM = 6.0
"""Of a contour: further away, distances say nothing about where it lies."""
LEAST_MM, LEAST_PIXELS, LEAST_SHARE = 4.0, 1.0, 0.5
"""A shift below these, or that explains less of what is out of line in the stack, is left: hearts curve."""
STANDS_OUT = 3.0
"""A shift is at least this many times the median distance that is left in the stack without it."""
LARGEST_MM = 20.0
FEWEST = 5
"""Slices between two others, below which nothing is moved: too few to tell a shift from a curve."""
PASSES = 3


@dataclass(frozen=True, eq=False)
class Alignment:
    """What slice was moved how far.

    Attributes
    ----------
    shifts : (n_slices, 2) int
        Pixels by which each slice was moved along rows and columns; zeros where it stayed.
    residual_mm : (n_slices,) float64
        Distance of each slice from where its neighbours say, before; NaN without two neighbours.
    """

    shifts: np.ndarray
    residual_mm: np.ndarray

    def __repr__(self) -> str:
        moved = int((self.shifts != 0).any(axis=1).sum())
        return f"Alignment({moved} of {len(self.shifts)} slices moved)"


def as_meshed(segmentation: Segmentation, align_slices: bool) -> Segmentation:
    """Where a heart has what was drawn: with `MeshSettings.align_slices` slices are where they were moved to."""
    return aligned_slices(segmentation)[0] if align_slices else segmentation


def aligned_slices(segmentation: Segmentation) -> tuple[Segmentation, Alignment]:
    """Move slices that are out of line by whole pixels: every label keeps its volume.

    Parameters
    ----------
    segmentation : Segmentation
        With left-ventricular blood and myocardium; a slice needs a neighbour on either side.

    Returns
    -------
    Segmentation
        Signal and labels moved together. The image is not: draw its contours from the one that was given.
    Alignment
    """
    spacing_mm = np.linalg.norm(segmentation.affine[:3, :3], axis=0)
    pixel = spacing_mm[[1, 0]]  # row, column
    left = segmentation.labels == LV_BLOOD
    outer = left | np.isin(segmentation.labels, MUSCLE)
    shapes = [_distances(mask, pixel) for mask in (left, outer)]
    slices = np.flatnonzero(left.any(axis=(1, 2)) & (outer & ~left).any(axis=(1, 2)))
    shifts = np.zeros((len(left), 2), int)
    first = np.full(len(left), np.nan)
    for _ in range(PASSES):
        away_mm = {int(k): _away(shapes, int(k), pixel) * pixel for k in slices if {k - 1, k + 1} <= set(slices)}
        if np.isnan(first).all():
            first[list(away_mm)] = [float(np.hypot(*one)) for one in away_mm.values()]
        moves = {
            k: np.rint(mm / pixel).astype(int) for k, mm in out_of_line(away_mm, LEAST_PIXELS * pixel.mean()).items()
        }
        moves = {k: move for k, move in moves.items() if np.hypot(*((shifts[k] + move) * pixel)) <= LARGEST_MM}
        if not moves:
            break
        for k, move in moves.items():
            shifts[k] += move
            for shape in shapes:
                shape[k] = ndimage.shift(shape[k], move, order=0, mode="nearest")
    return _moved(segmentation, shifts), Alignment(shifts, first)


def out_of_line(away_mm: dict[int, np.ndarray], pixel_mm: float) -> dict[int, np.ndarray]:
    """Which slices to move by what, mm, from how far each lies from the mean of its neighbours.

    A slice that is out by s makes its own distance s and its neighbours' -s / 2. The slice that explains most of all
    distances is taken, while it explains enough. At the ends of the stack there is one distance for a slice that is out
    and for a heart that curves: what an end slice explains best is set aside.

    Parameters
    ----------
    away_mm : dict of int to (2,) float
        Way back to the mean of the neighbours, for slices that have two.
    pixel_mm : float
        No move is shorter.
    """
    left = {k: np.array(away, dtype=np.float64) for k, away in away_mm.items()}
    if len(left) < FEWEST:
        return {}
    moves: dict[int, np.ndarray] = {}
    while left:
        total = sum(float(one @ one) for one in left.values())
        gain, worst, move = max(
            (_explained(left, k) for k in {n + d for n in left for d in (-1, 0, 1)}), key=lambda one: one[0]
        )
        if np.hypot(*move) < max(LEAST_MM, pixel_mm) or gain < LEAST_SHARE * total:
            break
        if worst not in away_mm:
            left = {k: away for k, away in left.items() if abs(k - worst) > 1}
            continue
        rest = dict(left)
        for k, part in ((worst - 1, -0.5), (worst, 1.0), (worst + 1, -0.5)):
            if k in rest:
                rest[k] = rest[k] - part * move
        if np.hypot(*move) < STANDS_OUT * np.median([np.hypot(*one) for one in rest.values()]):
            break
        moves[worst], left = moves.get(worst, np.zeros(2)) + move, rest
    return moves


def _explained(away: dict[int, np.ndarray], k: int) -> tuple[float, int, np.ndarray]:
    """By how much moving slice k lowers the sum of squares, k, and the best move."""
    parts = [(part, away[n]) for n, part in ((k - 1, -0.5), (k, 1.0), (k + 1, -0.5)) if n in away]
    weight = sum(part * part for part, _ in parts)
    move = sum((part * one for part, one in parts), np.zeros(2)) / weight
    return float(weight * (move @ move)), k, move


def _distances(mask: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """(n_slices, n_rows, n_columns) in-plane signed distance, mm, positive inside."""
    answer = np.zeros(mask.shape)
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        inside = ndimage.distance_transform_edt(mask[k], sampling=pixel)
        answer[k] = inside - ndimage.distance_transform_edt(~mask[k], sampling=pixel)
    return answer


def _away(shapes: list[np.ndarray], k: int, pixel: np.ndarray) -> np.ndarray:
    """(2,) shift in pixels that brings slice k to the mean of its neighbours."""
    expected = [0.5 * (shape[k - 1] + shape[k + 1]) for shape in shapes]
    return registered([shape[k] for shape in shapes], expected, pixel)


def registered(moving: list[np.ndarray], fixed: list[np.ndarray], pixel: np.ndarray) -> np.ndarray:
    """In-plane shift of distance maps onto others, least squares near the contours, Gauss-Newton.

    Parameters
    ----------
    moving, fixed : list of (n_rows, n_columns) float
        Signed distances, mm, of the same contours.
    pixel : (2,) mm along rows and columns.

    Returns
    -------
    (2,) float64
        Pixels along rows and columns by which `moving` has to be shifted.
    """
    shift = np.zeros(2)
    for _ in range(20):
        normal, right = np.zeros((2, 2)), np.zeros(2)
        for one, other in zip(moving, fixed, strict=True):
            here = ndimage.shift(one, shift, order=1, mode="nearest")
            near = np.minimum(np.abs(here), np.abs(other)) < NEAR_MM
            slope = np.stack([part[near] for part in np.gradient(here)], axis=1)
            # The two contours differ in size too (taper): a constant takes that up.
            slope = slope - slope.mean(axis=0)
            miss = (here - other)[near]
            normal += slope.T @ slope
            right += slope.T @ (miss - miss.mean())
        step = np.linalg.solve(normal + 1e-9 * np.eye(2) * (1 + np.trace(normal)), right)
        shift = shift + np.clip(step, -4.0, 4.0)
        if np.abs(step).max() < 0.01:
            break
    return shift if np.hypot(*(shift * pixel)) <= LARGEST_MM else np.zeros(2)


def _moved(segmentation: Segmentation, shifts: np.ndarray) -> Segmentation:
    def move(values: np.ndarray | None, beyond: float) -> np.ndarray | None:
        if values is None:
            return None
        answer = values.copy()
        for k in np.flatnonzero(shifts.any(axis=1)):
            answer[k] = ndimage.shift(values[k], shifts[k], order=0, mode="constant", cval=beyond)
        return answer

    labels = move(segmentation.labels, 0)
    assert labels is not None
    return replace(
        segmentation,
        labels=labels,
        signal=move(segmentation.signal, np.nan),
        measured=move(segmentation.measured, np.nan),
        right_wall=move(segmentation.right_wall, False),
    )
