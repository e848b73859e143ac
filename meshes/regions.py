"""Small regions drawn on slices, found again among tetrahedra."""

from __future__ import annotations

import numpy as np

from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.shapes import continued_before, stack


def drawn_region(mesh: Mesh, mask: np.ndarray, spacing_mm: np.ndarray, within: np.ndarray) -> np.ndarray:
    """(n_tets,) bool, the tetrahedra of a region, with the volume the region was drawn with.

    The level of the interpolated distance is not zero but what gives that volume: a scar of a few voxels would shrink
    with the rounding of its ends, and a heart without its scar is worse than one with a scar of blurred outline.

    Parameters
    ----------
    mesh : Mesh
        In the frame of the stack, see `shapes.Stack`.
    mask : (n_slices, n_rows, n_columns) bool
    spacing_mm : (3,) between slices, rows, columns.
    within : (n_tets,) bool
        Only these are taken, and none more than a pixel outside of the contour: where the muscle is thinner than it
        was drawn, the volume falls short.
    """
    volume_mm3 = float(mask.sum() * np.prod(spacing_mm))
    pixel_mm = float(spacing_mm[1:].mean())
    region = continued_before(stack(mask, spacing_mm, clip_mm=2.0 * pixel_mm))
    level = np.where(within, region(mesh.centroids), -np.inf)
    order = np.argsort(-level, kind="stable")
    chosen = np.zeros(len(level), bool)
    chosen[order[: np.searchsorted(np.cumsum(mesh.volumes[order]), volume_mm3)]] = True
    return chosen & (level > -pixel_mm)
