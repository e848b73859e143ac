"""Triangles to pixels with a depth buffer: the same picture on every machine, with or without graphics drivers."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def draw_triangles(corners, values, light, beyond, depth, value, shade):
    """Draw triangles in parallel projection; what is nearest to the eye stays.

    Parameters
    ----------
    corners : (n, 3, 3) float64
        Of each triangle's corners: column and row in pixels (pixel centres at integers), depth (smaller is nearer).
    values, light : (n, 3) float64
        What to show and how bright, at the corners; linear in between, which parallel projection keeps exact.
    beyond : (n, 3) float64
        Positive on the side of a cutting plane that is taken away; pixel by pixel, so the cut is smooth.
    depth : (n_rows, n_columns) float64
        Start with infinity; overwritten.
    value, shade : (n_rows, n_columns) float64
        Overwritten where something is drawn.

    Notes
    -----
    One thread and a fixed order: the same picture, bit for bit, every time. Triangles seen from the edge are left out.
    """
    rows, columns = depth.shape
    for t in range(corners.shape[0]):
        x0, y0, x1, y1 = corners[t, 0, 0], corners[t, 0, 1], corners[t, 1, 0], corners[t, 1, 1]
        x2, y2 = corners[t, 2, 0], corners[t, 2, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-12:
            continue
        first_row = max(0, int(np.ceil(min(y0, y1, y2))))
        last_row = min(rows - 1, int(np.floor(max(y0, y1, y2))))
        first_column = max(0, int(np.ceil(min(x0, x1, x2))))
        last_column = min(columns - 1, int(np.floor(max(x0, x1, x2))))
        for row in range(first_row, last_row + 1):
            for column in range(first_column, last_column + 1):
                b = ((column - x0) * (y2 - y0) - (x2 - x0) * (row - y0)) / area
                c = ((x1 - x0) * (row - y0) - (column - x0) * (y1 - y0)) / area
                a = 1.0 - b - c
                # A hair outside still counts: neighbours must not leave a gap between them.
                if a < -1e-9 or b < -1e-9 or c < -1e-9:
                    continue
                if a * beyond[t, 0] + b * beyond[t, 1] + c * beyond[t, 2] > 0.0:
                    continue
                z = a * corners[t, 0, 2] + b * corners[t, 1, 2] + c * corners[t, 2, 2]
                if z < depth[row, column]:
                    depth[row, column] = z
                    value[row, column] = a * values[t, 0] + b * values[t, 1] + c * values[t, 2]
                    shade[row, column] = a * light[t, 0] + b * light[t, 1] + c * light[t, 2]
