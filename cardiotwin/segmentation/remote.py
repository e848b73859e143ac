"""Healthy myocardium far from scar, found without a hand-drawn region: what the n-SD methods measure against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cardiotwin.errors import QualityGate

SECTORS = 12
"""Cells of 30 degrees in every slice."""
SHARE = 1 / 3
"""Of the wall that is taken as remote: the darkest cells."""
FEWEST_VOXELS = 30


@dataclass(frozen=True, eq=False)
class Remote:
    """The remote region and its signal.

    Attributes
    ----------
    mask : (n_slices, n_rows, n_columns) bool
    mean, sd, peak : float
        Of the signal in it, in the unit of the image; the standard deviation is the sample's.
    """

    mask: np.ndarray
    mean: float
    sd: float
    peak: float

    def __repr__(self) -> str:
        return f"Remote({int(self.mask.sum())} voxels, {self.mean:.4g} ± {self.sd:.3g}, peak {self.peak:.4g})"


def remote_region(values: np.ndarray, myocardium: np.ndarray) -> Remote:
    """The darkest third of the wall, in pieces of a slice by 30 degrees.

    A cell is judged by the mean over itself and its neighbours (3 slices by 90 degrees), so that noise does not choose
    dark pixels and make the region look quieter than it is. Pixels on the rim of the wall hold part of what lies beyond
    and are left out where enough remain.

    Parameters
    ----------
    values : (n_slices, n_rows, n_columns) float
        Signal, any unit.
    myocardium : (n_slices, n_rows, n_columns) bool
        Scar included.

    Raises
    ------
    QualityGate
        Fewer than 30 voxels of wall.
    """
    wall = _without_rim(myocardium)
    if wall.sum() < FEWEST_VOXELS:
        raise QualityGate(
            f"scar: {int(wall.sum())} voxels of myocardium; a remote region needs at least {FEWEST_VOXELS}; "
            "draw the wall, or acquire a finer stack"
        )
    cells = _cells(wall)
    count = np.bincount(cells[wall], minlength=len(wall) * SECTORS).reshape(-1, SECTORS).astype(np.float64)
    total = np.bincount(cells[wall], weights=values[wall], minlength=count.size).reshape(-1, SECTORS)
    near = {"size": 3, "mode": ("constant", "wrap")}
    number = ndimage.uniform_filter(count, **near)
    mean = np.where(count > 0, ndimage.uniform_filter(total, **near) / np.maximum(number, 1e-9), np.inf).ravel()
    order = np.argsort(mean, kind="stable")
    enough = np.searchsorted(np.cumsum(count.ravel()[order]), max(SHARE * wall.sum(), FEWEST_VOXELS))
    mask = wall & np.isin(cells, order[: enough + 1])
    inside = values[mask].astype(np.float64)
    return Remote(mask, float(inside.mean()), float(inside.std(ddof=1)), float(inside.max()))


def reported(remote: Remote) -> dict[str, float | str]:
    """What the report says of it; the signal as fractions of the brightest myocardium."""
    slices = np.flatnonzero(remote.mask.any(axis=(1, 2)))
    return {
        "remote_mean_of_maximum": round(float(np.clip(remote.mean, 0, 1)), 3),
        "remote_sd_of_maximum": round(min(remote.sd, 1.0), 3),
        "remote_region": f"{int(remote.mask.sum())} voxels on slices {slices[0]} to {slices[-1]}",
    }


def _without_rim(myocardium: np.ndarray) -> np.ndarray:
    """The wall less a pixel all round in its slice, where a quarter of it is left."""
    cross = ndimage.generate_binary_structure(3, 1)
    cross[[0, 2]] = False
    inner = ndimage.binary_erosion(myocardium, cross)
    return inner if inner.sum() >= max(0.25 * myocardium.sum(), FEWEST_VOXELS) else myocardium


def _cells(wall: np.ndarray) -> np.ndarray:
    """Number of the cell of every voxel: slice times sectors plus sector, about the middle of the wall's slice."""
    cells = np.zeros(wall.shape, np.int64)
    rows, columns = np.indices(wall.shape[1:])
    for k in np.flatnonzero(wall.any(axis=(1, 2))):
        row, column = (np.mean(where) for where in np.nonzero(wall[k]))
        turn = np.arctan2(rows - row, columns - column) / (2 * np.pi) % 1.0
        cells[k] = k * SECTORS + np.minimum((turn * SECTORS).astype(np.int64), SECTORS - 1)
    return cells
