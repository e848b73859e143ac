"""Small regions drawn on slices, found again among tetrahedra."""

from __future__ import annotations

import numpy as np

from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.shapes import continued_before, stack


def nearer_region(mesh: Mesh, one: np.ndarray, other: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """(n_tets,) bool, whether a tetrahedron lies deeper in one drawn region, or less far outside it, than in the other.

    Where the first was drawn it has the volume that it was drawn with, as in `drawn_region`; muscle that a rule added
    two pixels and more away from it, as at the apex, goes to the nearer.

    Parameters
    ----------
    mesh : Mesh
        In the frame of the stack, see `shapes.Stack`.
    one, other : (n_slices, n_rows, n_columns) bool
        Neither empty.
    spacing_mm : (3,) between slices, rows, columns.
    """
    first, second = (continued_before(stack(mask, spacing_mm))(mesh.centroids) for mask in (one, other))
    far = first <= -2.0 * float(spacing_mm[1:].mean())
    as_drawn = drawn_region(mesh, one, other, spacing_mm, ~far)
    return np.asarray(as_drawn | (far & (first >= second)))


def drawn_region(
    mesh: Mesh, mask: np.ndarray, rest: np.ndarray, spacing_mm: np.ndarray, within: np.ndarray
) -> np.ndarray:
    """(n_tets,) bool, the tetrahedra of a region of the muscle, with the volume the region was drawn with.

    Between slices both the region and the rest of the muscle are interpolated, and a tetrahedron belongs where it lies
    deeper. The region's own outline would not do: where the wall leans, a transmural scar on one slice overlaps that on
    the next by part of the wall only, and half-way it would leave sheets of healthy muscle on both sides that nobody
    drew. What then is missing of the volume moves the outline: a scar of a few voxels would shrink with the rounding of
    its ends, and a heart without its scar is worse than one with a scar of blurred outline.

    Parameters
    ----------
    mesh : Mesh
        In the frame of the stack, see `shapes.Stack`.
    mask, rest : (n_slices, n_rows, n_columns) bool
        The region, and what of the muscle it is not.
    spacing_mm : (3,) between slices, rows, columns.
    within : (n_tets,) bool
        Only these are taken, and none more than a pixel outside of the contour: where the muscle is thinner than it
        was drawn, the volume falls short.
    """
    volume_mm3 = float(mask.sum() * np.prod(spacing_mm))
    pixel_mm = float(spacing_mm[1:].mean())
    region, other = (continued_before(stack(m, spacing_mm, clip_mm=2.0 * pixel_mm)) for m in (mask, rest))
    near = np.flatnonzero(within)
    centres = mesh.centroids[near]
    depth = region(centres)
    reached = depth > -1.99 * pixel_mm  # elsewhere neither may have been drawn: muscle added by rule
    near, depth, centres = near[reached], depth[reached], centres[reached]
    level = 0.5 * (depth - other(centres))
    order = np.argsort(-level, kind="stable")
    chosen = order[: np.searchsorted(np.cumsum(mesh.volumes[near[order]]), volume_mm3)]
    found = np.zeros(len(mesh.tets), bool)
    found[near[chosen[level[chosen] > -pixel_mm]]] = True
    return found
