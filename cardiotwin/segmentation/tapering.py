"""The smooth cavity that most of the circles seen in a stack belong to: straight, usually tapering, closed at its apex.

Scar as bright as blood hides the rim of the cavity, often in most slices, and a line that runs from slice to slice
drifts into septal or lateral scar 40 to 60 mm wide, three slices in a row. A whole ventricle cannot: slices that show
a rim lead those that do not. Where only two slices show one, an axis through them may lie anywhere (on phantoms 12 and
16 mm beside the cavity at its apex), and the cavity may never end: so the axis is held near the slices' normal and the
apex within the stack, as short-axis stacks are planned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize

SIZES_MM, BEGINS = (8.0, 40.0), (-1.0, 1.0)
"""Radius at its widest, and where it begins to taper, in lengths of the stack from its basal end."""
TAPERS, USUAL_TAPER, TAPER_SPREAD = (1.2, 4.0), 2.4, 0.5
"""Length of what tapers over its radius."""
FORMS, USUAL_FORM, FORM_SPREAD = (1.0, 2.0), 2.0, 0.5
"""Of the taper: from a paraboloid to half a spheroid. Held to spheroids, one that tapers from its base on came out at
16 mm where it had 23: no spheroid of a usual taper has its radii."""
TILT_SPREAD = 0.1
"""Of the axis, mm per mm; drawn contours of two real stacks run at 0.03 and 0.16."""
MISSED_SPREAD_MM, SHORT_SPREAD_MM = 8.0, 16.0
"""Of the apex, beyond the last slice but one and before it: stacks are planned to end beyond the apex, but soon."""
UNUSUAL = 0.05
"""Cost in merit of what is as far as its spread from the usual."""
WORST = -1.0
"""Merit below which it does not matter how much worse a circle is."""


@dataclass(frozen=True, eq=False)
class Cavity:
    """Circles in which the slices cut it.

    Attributes
    ----------
    centres_mm : (n_slices, 2) float64
        Row and column, from the first place.
    radii_mm : (n_slices,) float64
        Zero beyond the apex.
    merit : float
        Sum over the run of slices in which it has most.
    """

    centres_mm: np.ndarray
    radii_mm: np.ndarray
    merit: float


def tapering_cavity(merit: np.ndarray, radii_mm: np.ndarray, grid_mm: float, depths_mm: np.ndarray) -> Cavity:
    """The cavity of most merit that is a cylinder down to some depth and tapers to a round apex below it.

    Slices above its base and below its apex count for nothing. Found by differential evolution
    (doi 10.1023/A:1008202821328); a population less than half as large stops short, in cavities that depend on how the
    image's axes run.

    Parameters
    ----------
    merit : (n_slices, n_radii, n_rows, n_columns)
        Of every circle; 1 is a good one.
    radii_mm : (n_radii,)
        Evenly spaced.
    grid_mm : float
        Between rows and between columns.
    depths_mm : (n_slices,)
        Of two slices or more, towards the apex; in either order.
    """
    span, length = grid_mm * (np.array(merit.shape[2:]) - 1), float(np.ptp(depths_mm))
    bounds = [(0, span[0]), (0, span[1])] * 2 + [SIZES_MM, BEGINS, TAPERS, FORMS]
    known, order = np.maximum(merit, WORST), np.argsort(depths_mm)
    share = (depths_mm - depths_mm.min()) / length
    covered = length * (1 - 1 / (len(depths_mm) - 1))

    def gathered(shapes: np.ndarray) -> np.ndarray:
        centres, radii = _cut(shapes, share, length)
        where = np.concatenate([_index(radii, radii_mm)[:, None], centres / grid_mm], axis=1)
        gain = [ndimage.map_coordinates(m, w, order=1, mode="nearest") for m, w in zip(known, where, strict=True)]
        return _best_run(np.where(radii < radii_mm[0], 0.0, gain)[order])

    best = optimize.differential_evolution(
        lambda shapes: UNUSUAL * _unusual(shapes, length, covered) - gathered(shapes),
        bounds,
        popsize=30,
        maxiter=300,
        tol=1e-5,
        polish=False,
        rng=0,
        vectorized=True,
        updating="deferred",
    )
    centres, radii = _cut(best.x[:, None], share, length)
    return Cavity(centres[..., 0], radii[:, 0], float(gathered(best.x[:, None])[0]))


def _unusual(shapes: np.ndarray, length_mm: float, covered_mm: float) -> np.ndarray:
    """Squares of how far each of (8, n) shapes (`_cut`) is from the usual one, in spreads: (n,)."""
    tilt = np.hypot(*(shapes[2:4] - shapes[:2])) / length_mm
    beyond = shapes[5] * length_mm + shapes[4] * shapes[6] - covered_mm
    missed = beyond / np.where(beyond > 0, MISSED_SPREAD_MM, SHORT_SPREAD_MM)
    off = ((shapes[6] - USUAL_TAPER) / TAPER_SPREAD, (shapes[7] - USUAL_FORM) / FORM_SPREAD)
    return np.sum(np.square([*off, tilt / TILT_SPREAD, missed]), axis=0)


def _cut(shapes: np.ndarray, share: np.ndarray, length_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Circles in which the slices cut (8, n) shapes: centres (n_slices, 2, n) and radii (n_slices, n), mm.

    A shape is its axis' row and column at the basal and at the apical end of the stack, its radius, where it begins to
    taper, as a share of the stack, the length of what tapers over its radius, and its form.
    """
    along = share[:, None]
    below = np.maximum(along - shapes[5], 0) * length_mm / (shapes[4] * shapes[6])
    centres = (1 - along[..., None]) * shapes[:2] + along[..., None] * shapes[2:4]
    return centres, shapes[4] * np.sqrt(np.maximum(1 - below ** shapes[7], 0))


def _index(radii: np.ndarray, radii_mm: np.ndarray) -> np.ndarray:
    """Where radii lie among those tried, as a fractional index."""
    return (radii - radii_mm[0]) / (radii_mm[1] - radii_mm[0])


def _best_run(gain: np.ndarray) -> np.ndarray:
    """Largest sum of consecutive slices, of (n_slices, n) gains: (n,); none is 0."""
    total = running = np.zeros(gain.shape[1])
    for here in gain:
        running = np.maximum(running + here, 0)
        total = np.maximum(total, running)
    return total
