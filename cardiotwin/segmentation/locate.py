"""Where the left ventricle is: a round bright blob ringed by dark wall, along one line through the slices.

A Hough vote for circles by gradient direction (after Ballard 1981, doi 10.1016/0031-3203(81)90009-1), joined over
the slices by dynamic programming, because a kidney is round in one slice and a ventricle in eight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from cardiotwin.imaging import Image

GRID_MM = 3.0
RADII_MM = np.arange(6.0, 40.0, 3.0)
"""Cavity radii looked for: from an apical slice to a dilated ventricle."""
THRESHOLDS = np.geomspace(0.12, 0.6, 6)
"""Between blood and wall, as fractions of the brightest per cent (fat, as a rule)."""
EVEN = 2.2
"""Blood at its brightest over the threshold between blood and wall."""
TOWARDS_RV = np.array([-1.0, -1.0, 0.0]) / np.sqrt(2.0)
"""From the left ventricle to the right one in LPS: to the patient's right and front."""
TOWARDS_APEX = np.array([1.0, -1.0, -1.0]) / np.sqrt(3.0)
"""Left, front, down in LPS."""


@dataclass(frozen=True, eq=False)
class Axis:
    """The line through the left ventricle.

    Attributes
    ----------
    centres : (n_slices, 2) float64
        Row and column, pixels.
    radii_mm : (n_slices,) float64
        Radius of the best circle.
    votes : (n_slices,) float64
        Mean inward gradient over that circle, in [-1, 1].
    """

    centres: np.ndarray
    radii_mm: np.ndarray
    votes: np.ndarray


def locate(image: Image) -> Axis:
    """Best line of circles through the stack; `votes` say how good it is."""
    column_mm, row_mm, slice_mm = image.spacing_mm
    step = GRID_MM / np.array([row_mm, column_mm])
    coarse = _shrunk(image.values, step)
    votes = circle_votes(coarse, RADII_MM / GRID_MM)
    # A product: a kidney has an edge but no wall, the liver is even but has no edge, and neither is a ventricle.
    merit = np.maximum(votes, 0) * np.maximum(blob_contrast(coarse, RADII_MM / GRID_MM), 0)
    # Small circles are everywhere; beyond 20 mm a larger one is no better for being large.
    merit *= np.minimum(RADII_MM / 20.0, 1.0)[None, :, None, None]
    merit *= 1 + 0.5 * _centre_prior(coarse.shape[1:]) + 0.5 * _right_ventricle_beside(coarse, image.affine)
    if image.motion is not None:
        merit *= 0.5 + _moving(_shrunk(image.motion, step))[:, None]
    radius, row, column = best_path(merit, slice_mm / GRID_MM)
    slices = np.arange(len(coarse))
    centres = np.stack([row, column], axis=1) * step + (step - 1) / 2
    return Axis(centres, RADII_MM[radius], votes[slices, radius, row, column])


def _shrunk(values: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Slices averaged onto the coarse grid."""
    shape = np.floor(np.array(values.shape[1:]) / step).astype(int)
    rows = np.arange(shape[0]) * step[0] + (step[0] - 1) / 2
    columns = np.arange(shape[1]) * step[1] + (step[1] - 1) / 2
    where = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    smooth = ndimage.gaussian_filter(values.astype(np.float64), (0, *(0.5 * step)))
    return np.stack([ndimage.map_coordinates(plane, where, order=1, mode="nearest") for plane in smooth])


def circle_votes(planes: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Mean inward gradient over every circle.

    Parameters
    ----------
    planes : (n_slices, n_rows, n_columns)
    radii : (n_radii,) pixels

    Returns
    -------
    (n_slices, n_radii, n_rows, n_columns)
        1 where the gradient points to the centre all round, -1 where it points away.

    Notes
    -----
    The gradient is divided by its size plus its upper quartile in the slice: a chest wall of bright fat has no more
    say than a grey septum, and noise in air has none.
    """
    rows = ndimage.gaussian_filter1d(planes, 1.0, axis=2)
    rows = ndimage.gaussian_filter1d(rows, 1.0, axis=1, order=1)
    columns = ndimage.gaussian_filter1d(planes, 1.0, axis=1)
    columns = ndimage.gaussian_filter1d(columns, 1.0, axis=2, order=1)
    size = np.hypot(rows, columns)
    size += np.quantile(size, 0.75, axis=(1, 2), keepdims=True)
    offset, distance = _around(int(np.ceil(radii.max())) + 2)
    rings = np.clip(1.0 - np.abs(distance - radii[:, None, None]) / 1.2, 0.0, 1.0)
    rings /= rings.sum(axis=(1, 2), keepdims=True)
    # Correlation with the outward normal, negated: the kernel is odd, so this is convolution with +normal.
    return _convolved([rows / size, columns / size], [rings * towards / distance for towards in offset])


def blob_contrast(planes: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Bright all through, dark all round: at the threshold that suits a circle best, what of it fits.

    Returns
    -------
    (n_slices, n_radii, n_rows, n_columns)
        1 for a bright disc in a dark ring 6 mm wide, 0 for a uniform bright field, less for an uneven disc.

    Notes
    -----
    Shares of pixels, not means: a scar in a third of the ring, brighter than blood, costs a third. The disc counts
    four times, because the whole heart in its fat is a fine circle too, but a fifth of what is in it is dark. Blood
    is one fluid: what is brighter than the threshold by more than `EVEN` does not belong to the disc either.
    """
    _, distance = _around(int(np.ceil(radii.max() + 6.0 / GRID_MM)) + 2)
    across = radii[:, None, None]
    discs = np.clip(0.85 * across - distance + 0.5, 0, 1)
    rings = np.clip(distance - across - 0.5, 0, 1) * np.clip(across + 6.0 / GRID_MM - distance + 0.5, 0, 1)
    discs, rings = (kernel / kernel.sum(axis=(1, 2), keepdims=True) for kernel in (discs, rings))
    signal = (planes - planes.min()) / np.quantile(planes - planes.min(), 0.99)
    best = np.full((len(planes), len(radii), *planes.shape[1:]), -np.inf)
    for level in THRESHOLDS:
        blood = (signal > level) & (signal < EVEN * level)
        np.maximum(best, _convolved([blood, signal > level], [4 * discs, -rings]) - 3, out=best)
    return best


def _around(reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (2, n, n) and distances (n, n) from the middle of a square, pixels."""
    offset = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return offset, np.maximum(np.hypot(*offset), 1e-9)


def _convolved(stacks: list[np.ndarray], kernels: list[np.ndarray]) -> np.ndarray:
    """Every plane with every kernel, summed over the stacks: (n_planes, n_kernels, n_rows, n_columns)."""
    reach = kernels[0].shape[-1] // 2
    n_rows, n_columns = stacks[0].shape[1:]
    shape = [fft.next_fast_len(n + 4 * reach, real=True) for n in (n_rows, n_columns)]
    around = ((0, 0), (reach, reach), (reach, reach))
    spectra = [fft.rfft2(np.pad(stack.astype(np.float32), around, mode="edge"), shape) for stack in stacks]
    result = np.empty((len(stacks[0]), len(kernels[0]), n_rows, n_columns), np.float32)
    for which in range(len(kernels[0])):
        responses = [fft.rfft2(kernel[which].astype(np.float32), shape) for kernel in kernels]
        total = fft.irfft2(sum(s * r for s, r in zip(spectra, responses, strict=True)), shape)
        result[:, which] = total[:, 2 * reach : 2 * reach + n_rows, 2 * reach : 2 * reach + n_columns]
    return result


def _centre_prior(shape: tuple[int, ...]) -> np.ndarray:
    """One in the middle of the picture, where a technician puts the heart; it fades over 60 mm."""
    rows, columns = np.indices(shape)
    middle = (np.array(shape) - 1) / 2
    apart = np.hypot(rows - middle[0], columns - middle[1]) * GRID_MM
    return np.exp(-0.5 * (apart / 60.0) ** 2)


def _right_ventricle_beside(coarse: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """How bright it is beyond the septum, between 0 and 1: (n_slices, n_radii, n_rows, n_columns)."""
    low, high = np.quantile(coarse, (0.2, 0.95))
    bright = np.clip((ndimage.gaussian_filter(coarse, (0, 2, 2)) - low) / (high - low), 0, 1)
    axes = affine[:3, :2] / np.linalg.norm(affine[:3, :2], axis=0)
    column, row = TOWARDS_RV @ axes
    length = max(np.hypot(column, row), 1e-6)
    beyond = (RADII_MM + 20.0) / GRID_MM / length
    shifted = [ndimage.shift(bright, (0, -row * far, -column * far), order=1) for far in beyond]
    return np.stack(shifted, axis=1)


def _moving(motion: np.ndarray) -> np.ndarray:
    """How much it moves within 25 mm, relative to the most moving place of the stack."""
    near = ndimage.gaussian_filter(motion, (0, 12.0 / GRID_MM, 12.0 / GRID_MM))
    return near / near.max()


def best_path(merit: np.ndarray, slice_step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices (radius, row, column) per slice of the line with the highest merit.

    An oblique ventricle drifts by up to the slice distance from slice to slice, and tapers about as fast.
    """
    reach = int(np.clip(np.ceil(slice_step), 2, 6))
    taper = int(np.clip(np.ceil(0.7 * slice_step), 1, 4))
    size = (2 * taper + 1, 2 * reach + 1, 2 * reach + 1)
    steps = np.indices(size) - np.array([taper, reach, reach])[:, None, None, None]
    penalty = 0.1 * (steps[0] / taper) ** 2 + 0.1 * (steps[1] ** 2 + steps[2] ** 2) / reach**2
    separate = (penalty[:, [reach]][:, :, [reach]], penalty[[taper]][:, :, [reach]], penalty[[taper]][:, [reach]])
    best = [merit[0]]
    for here in merit[1:]:
        # The penalty is a sum over the three axes, so the best predecessor is found one axis at a time.
        reached = best[-1]
        for along in separate:
            reached = ndimage.grey_dilation(reached, structure=-along, mode="constant", cval=-1e9)
        best.append(here + reached)
    path = [np.array(np.unravel_index(np.argmax(best[-1]), merit.shape[1:]))]
    for before in best[-2::-1]:
        path.append(_step_back(before, path[-1], penalty))
    radius, row, column = np.array(path[::-1]).T
    return radius, row, column


def _step_back(before: np.ndarray, state: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """The predecessor of one state, among those the penalty reaches."""
    half = np.array(penalty.shape) // 2
    low = np.maximum(state - half, 0)
    high = np.minimum(state + half + 1, before.shape)
    around = before[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    cost = penalty[tuple(slice(a, b) for a, b in zip(low - state + half, high - state + half, strict=True))]
    return low + np.array(np.unravel_index(np.argmax(around - cost), around.shape))
