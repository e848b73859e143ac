"""Myocardial signal as a fraction of its maximum: shading, noise and partial volume undone before any threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cardiotwin.imaging import Image
from cardiotwin.segmentation.methods import local_maximum, local_mean

LEAST_SCAR_OVER_BLOOD = 0.6
"""Scar takes up contrast until it is about as bright as blood. A maximum below this share of blood is no scar."""

MOST_FROM_BEYOND = 2 / 3
"""Of a voxel that was drawn as wall: how much of it may be what lies beside it, in its slice or the next one.

Half, were the contours right; a wall that slants through thick slices is drawn to a pixel or two.
"""

LEAST_SCAR_MM3 = 150.0
"""Smaller islands than this, 6 mm in one slice, are no scar."""


@dataclass(frozen=True, eq=False)
class Enhancement:
    """What late enhancement says.

    Attributes
    ----------
    signal : (n_slices, n_rows, n_columns) float32
        Fraction of the maximum, NaN outside the myocardium; noise reduced, partial volume at the edges undone.
    measured : (n_slices, n_rows, n_columns) float32
        The same with nothing but the coil's shading removed, not cut off at the maximum.
    noise : float
        Standard deviation of the noise, fraction of the same maximum.
    maximum_over_blood : float
        The brightest myocardium, blood being 1.
    faintest : float
        What the brightest 5 mm of a scar reach at least, fraction of the same maximum.
    specks_mm3 : float
        Volume of the bright islands that were too small to be scar.
    """

    signal: np.ndarray
    measured: np.ndarray
    noise: float
    maximum_over_blood: float
    faintest: float
    specks_mm3: float = 0.0


def enhancement(image: Image, myocardium: np.ndarray, left_blood: np.ndarray, right_blood: np.ndarray) -> Enhancement:
    """Shading removed, noise reduced where there is any, partial volume at the edges undone, maximum found."""
    even = image.values / coil_shading(image, left_blood | right_blood)
    measured = even
    blood = float(np.median(even[left_blood]))
    sigma = noise_level(even, left_blood)
    remote = float(np.quantile(even[myocardium], 0.25))
    if sigma > 0.04 * (blood - remote):
        even = bilateral(even, myocardium, sigma)
    even = rim_from_within(even, myocardium)
    even, specks_mm3 = without_specks(even, myocardium, remote, blood, image.spacing_mm)
    even = without_partial_volume(even, measured, myocardium, left_blood, remote, blood, image.spacing_mm)
    brightest = local_maximum(even, myocardium, image.spacing_mm)
    maximum = max(brightest, LEAST_SCAR_OVER_BLOOD * blood)
    signal = np.where(myocardium, np.clip(even / maximum, 0, 1), np.nan).astype(np.float32)
    as_measured = np.where(myocardium, measured / maximum, np.nan).astype(np.float32)
    faintest = LEAST_SCAR_OVER_BLOOD * blood / maximum
    return Enhancement(signal, as_measured, sigma / maximum, brightest / blood, faintest, specks_mm3)


def coil_shading(image: Image, blood: np.ndarray) -> np.ndarray:
    """Receiver sensitivity, 1 in the middle of the blood: (n_slices, n_rows, n_columns).

    Blood is one fluid, so what varies in it is the coil. The logarithm of a plane is fitted to it, by least absolute
    values; the wall lies within 2 cm of blood, and there a plane is as far as the data reach. N4 (doi
    10.1109/TMI.2010.2046908) would use the whole chest, but takes a large scar for shading.
    """
    where = np.argwhere(blood)
    position = (where - where.mean(axis=0)) * image.spacing_mm[::-1]
    terms = np.column_stack([np.ones(len(where)), position])
    logs = np.log(np.maximum(image.values[blood], 1e-3 * np.median(image.values[blood])))
    weights = np.ones(len(where))
    for _ in range(10):
        scaled = terms * weights[:, None]
        # A little ridge: three slices do not tell a gradient along the stack from noise.
        slope = np.linalg.solve(scaled.T @ terms + np.diag([0, 1, 1, 1]) * 100.0, scaled.T @ logs)
        weights = 1 / np.maximum(np.abs(logs - terms @ slope), 0.05)
    grid = np.indices(blood.shape).astype(np.float64)
    grid -= where.mean(axis=0)[:, None, None, None]
    grid *= image.spacing_mm[::-1][:, None, None, None]
    return np.exp(np.clip(np.tensordot(slope[1:], grid, axes=1), -1.5, 1.5))


def noise_level(values: np.ndarray, blood: np.ndarray) -> float:
    """Standard deviation of the noise in blood, from differences that cancel any linear trend (Immerkær 1996).

    doi 10.1006/cviu.1996.0060.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float64)[None] / 6.0
    inner = ndimage.binary_erosion(blood, np.ones((1, 3, 3)))
    rough = ndimage.convolve(values.astype(np.float64), kernel)[inner]
    return float(1.4826 * np.median(np.abs(rough))) if rough.size else 0.0


def bilateral(values: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """Mean over the 3 x 3 neighbours that lie in the mask and differ by noise only (doi 10.1109/ICCV.1998.710815).

    A strip three pixels wide keeps its signal: its neighbours across the edge differ by more than noise.
    """
    total, weight = np.zeros(values.shape), np.zeros(values.shape)
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            neighbour = np.roll(values, (row, column), axis=(1, 2))
            share = np.exp(-0.5 * ((neighbour - values) / (2 * sigma)) ** 2) * np.roll(mask, (row, column), axis=(1, 2))
            total += share * neighbour
            weight += share
    return np.where(mask, total / np.maximum(weight, 1e-12), values)


def rim_from_within(values: np.ndarray, myocardium: np.ndarray) -> np.ndarray:
    """Edge pixels hold part of what lies beyond: no brighter than their brightest neighbour one pixel deeper.

    Without this every healthy ventricle wears a border zone one pixel thick, which is blood.
    """
    cross = ndimage.generate_binary_structure(3, 1)
    cross[[0, 2]] = False
    deeper = ndimage.binary_erosion(myocardium, cross)
    inner = np.where(deeper, values, -np.inf)
    neighbour = ndimage.maximum_filter(inner, size=(1, 3, 3))
    rim = myocardium & ~deeper & np.isfinite(neighbour)
    return np.where(rim, np.minimum(values, neighbour), values)


def without_specks(
    values: np.ndarray, myocardium: np.ndarray, remote: float, blood: float, spacing_mm: np.ndarray
) -> tuple[np.ndarray, float]:
    """Bright islands too small to be scar, noise and the rest of partial volume, become healthy muscle.

    Returns
    -------
    values : (n_slices, n_rows, n_columns) float64
    specks_mm3 : float
        Volume of those islands.
    """
    pieces, count = _bright_pieces(values, myocardium, remote, blood)
    size = np.bincount(pieces.ravel(), minlength=count + 1) * np.prod(spacing_mm)
    speck = (size < LEAST_SCAR_MM3)[pieces] & (pieces > 0)
    return np.where(speck, remote, values), float(speck.sum() * np.prod(spacing_mm))


def without_partial_volume(
    values: np.ndarray,
    measured: np.ndarray,
    myocardium: np.ndarray,
    left_blood: np.ndarray,
    remote: float,
    blood: float,
    spacing_mm: np.ndarray,
) -> np.ndarray:
    """Bright pieces that blood or fat beside or beyond them can explain become healthy muscle.

    At the apex the endocardium slants, and a thick slice averages blood into the wall: 1.5 mL of "core" in a heart
    without scar. A piece stays that somewhere, over 5 mm, is brighter than scar must be and than healthy muscle with
    `MOST_FROM_BEYOND` of the brightest thing within a pixel outside the wall, in its slice and in both beside it. In
    the cap of muscle below the last cavity nobody saw where blood ends, and nothing there is evidence by itself.

    Parameters
    ----------
    values, measured : (n_slices, n_rows, n_columns) float
        Signal in the wall, treated so far; signal everywhere, as it was measured.
    myocardium, left_blood : (n_slices, n_rows, n_columns) bool
    remote, blood : float
        Signal of healthy muscle and of blood.
    spacing_mm : (3,) between columns, rows, slices.
    """
    beyond = np.where(myocardium, remote, ndimage.gaussian_filter(measured, (0, 1, 1)))
    beyond = ndimage.maximum_filter(beyond, size=3, mode="nearest")
    share = np.where(left_blood.any(axis=(1, 2)), MOST_FROM_BEYOND, np.inf)[:, None, None]
    explained = np.maximum(remote + share * np.maximum(beyond - remote, 1e-9), LEAST_SCAR_OVER_BLOOD * blood)
    pieces, count = _bright_pieces(values, myocardium, remote, blood)
    scar = np.zeros(count + 1, bool)
    scar[pieces[myocardium & (local_mean(values, myocardium, spacing_mm) > explained)]] = True
    return np.where(~scar[pieces] & (pieces > 0), remote, values)


def _bright_pieces(values: np.ndarray, myocardium: np.ndarray, remote: float, blood: float) -> tuple[np.ndarray, int]:
    """Numbers of what hangs together and is a fifth of the way from muscle to blood, 0 elsewhere, and their count."""
    return ndimage.label(myocardium & (values > remote + 0.2 * (blood - remote)), np.ones((3, 3, 3)))
