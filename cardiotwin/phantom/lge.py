"""A late-gadolinium-enhancement scan of the phantom: thorax, partial volume, coil shading, noise.

The magnitude inversion-recovery image of a short-axis stack. Signal is a fraction of that of dense scar; healthy
myocardium is nulled. What is left out: motion between breath-holds, fold-over, papillary muscles.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from cardiotwin.imaging import Image, apply_affine
from cardiotwin.phantom.anatomy import Anatomy, labels_at, wall_distances
from cardiotwin.phantom.torso import CHEST_CENTRE_MM, CHEST_HALF_WIDTHS_MM, CHEST_ROUNDNESS, rotation
from cardiotwin.progress import Progress, silent
from cardiotwin.segmentation import BACKGROUND, BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, RV_BLOOD, Segmentation


@dataclass(frozen=True)
class LgeScan:
    """How the stack is acquired. Signals are fractions of dense scar's."""

    seed: int = 0
    pixel_mm: float = 1.5
    slice_mm: float = 8.0
    rows: int = 208
    columns: int = 240
    beyond_apex_mm: float = 10.0
    beyond_base_mm: float = 12.0
    prescription_error_deg: float = 2.0
    """Between the operator's short axis and the heart's."""
    noise: float = 0.035
    """Standard deviation in each channel, as a fraction of dense scar's signal: a signal-to-noise ratio of about 30."""
    shading: float = 0.35
    """How much brighter the front of the chest is than the back, by the surface coil."""
    scar_signal: float = 1200.0
    """Dense scar in stored units."""

    myocardium: float = 0.08
    """Nulled, as far as an operator gets it."""
    border_zone: float = 0.50
    blood: float = 0.60
    fat: float = 0.80
    muscle: float = 0.18
    liver: float = 0.30
    lung: float = 0.03
    vessel_wall: float = 0.15


def scan(anatomy: Anatomy, settings: LgeScan, progress: Progress = silent) -> tuple[Image, Segmentation]:
    """Image the phantom.

    Returns
    -------
    Image
        Stored units; float32 of whole numbers, as a scanner would write them.
    Segmentation
        The truth on the image grid: in each voxel the label that fills most of it.
    """
    affine, shape = slice_stack(anatomy, settings)
    signal, labels = np.zeros(shape), np.zeros(shape, np.uint8)
    for k in range(shape[0]):
        progress(k / shape[0], "imaging the phantom")
        signal[k], labels[k] = _one_slice(anatomy, settings, affine, shape, k)
    rng = np.random.default_rng([settings.seed, 2])
    signal *= coil_shading(settings, affine, shape)
    noisy = np.hypot(signal + settings.noise * rng.standard_normal(shape), settings.noise * rng.standard_normal(shape))
    stored = np.clip(np.rint(settings.scar_signal * noisy), 0, 4095).astype(np.float32)
    image = Image(stored, affine, "lge", slice_thickness_mm=settings.slice_mm)
    return image, Segmentation(labels, affine, None, True, {"truth": 1.0})


def slice_stack(anatomy: Anatomy, settings: LgeScan) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and shape of a short-axis stack seen from the apex: septum left, anterior wall on top, apex first."""
    septum, anterior, base = anatomy.axes.T
    axes = small_rotation(settings) @ np.stack([-septum, -anterior, base], axis=1)
    spacing = np.array([settings.pixel_mm, settings.pixel_mm, settings.slice_mm])
    length = anatomy.lv_length_mm + settings.beyond_apex_mm + settings.beyond_base_mm
    n_slices = int(np.ceil(length / settings.slice_mm))
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    middle = anatomy.to_lps(
        np.array([[6.0, 0.0, 0.5 * (settings.beyond_base_mm - settings.beyond_apex_mm - anatomy.lv_length_mm)]])
    )[0]
    # The heart lies left of the middle of the chest, so the field of view does too, but less.
    centre_index = np.array([0.55 * (settings.columns - 1), 0.45 * (settings.rows - 1), 0.5 * (n_slices - 1)])
    affine[:3, 3] = middle - affine[:3, :3] @ centre_index
    return affine, (n_slices, settings.rows, settings.columns)


def small_rotation(settings: LgeScan) -> np.ndarray:
    """(3, 3) rotation by the prescription error about a random axis."""
    direction = np.random.default_rng([settings.seed, 3]).standard_normal(3)
    return rotation(settings.prescription_error_deg * direction / np.linalg.norm(direction))


def _one_slice(
    anatomy: Anatomy, settings: LgeScan, affine: np.ndarray, shape: tuple[int, int, int], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Signal and majority label of one slice: the chest at 8 samples a voxel, the heart and what touches it at 72."""
    row, column = np.mgrid[: shape[1], : shape[2]]
    voxels = np.stack([column.ravel(), row.ravel(), np.full(row.size, k)], axis=1).astype(float)
    signal = np.zeros(row.size)
    for offset in subsamples(2, 2):
        signal += thorax_signal(anatomy, settings, apply_affine(affine, voxels + offset)) / 8
    labels = np.zeros(row.size, np.uint8)
    centre = anatomy.to_local(apply_affine(affine, voxels))
    near = np.flatnonzero(np.hypot(centre[:, 0] - 8.0, centre[:, 1]) < 60.0)
    signal[near], labels[near] = _heart_voxels(anatomy, settings, affine, voxels[near])
    return signal.reshape(row.shape), labels.reshape(row.shape)


def subsamples(in_plane: int, through_plane: int) -> np.ndarray:
    """(n, 3) offsets in voxels that fill the voxel evenly."""
    across = (np.arange(in_plane) + 0.5) / in_plane - 0.5
    through = (np.arange(through_plane) + 0.5) / through_plane - 0.5
    return np.array(list(product(across, across, through)))


def _heart_voxels(
    anatomy: Anatomy, settings: LgeScan, affine: np.ndarray, voxels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    offsets = subsamples(3, 8)
    share = np.zeros((CORE + 2, len(voxels)))
    signal = np.zeros(len(voxels))
    for offset in offsets:
        points = apply_affine(affine, voxels + offset)
        inside = labels_at(anatomy, points)
        share[inside, np.arange(len(voxels))] += 1
        signal += heart_signal(anatomy, settings, points, inside) / len(offsets)
    return signal, share.argmax(axis=0).astype(np.uint8)


def heart_signal(anatomy: Anatomy, settings: LgeScan, points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Signal at points whose labels are known; outside the heart, of the chest."""
    by_label = np.zeros(6)
    by_label[[LV_BLOOD, RV_BLOOD]] = settings.blood
    by_label[[MYOCARDIUM, BORDER_ZONE, CORE]] = settings.myocardium, settings.border_zone, 1.0
    signal = by_label[labels]
    outside = np.flatnonzero(labels == BACKGROUND)
    signal[outside] = thorax_signal(anatomy, settings, points[outside])
    return signal


def thorax_signal(anatomy: Anatomy, settings: LgeScan, points: np.ndarray) -> np.ndarray:
    """Signal of everything but the ventricles at (n, 3) points, painted from the skin inwards."""
    x, y, z = points.T
    local = anatomy.to_local(points)
    depth_mm = skin_depth_mm(x, y)
    signal = np.zeros(len(points))
    signal[depth_mm > 0] = settings.fat
    signal[depth_mm > 13] = settings.muscle
    signal[depth_mm > 26] = settings.lung
    below = (depth_mm > 26) & (z < -42.0 - ((x + 55.0) / 26.0) ** 2 - ((y - 10.0) / 30.0) ** 2 + 12.0)
    signal[below] = settings.liver
    signal[_ellipse(x, y, 0.0, 98.0, 24.0, 20.0) < 1] = settings.liver
    signal[_ellipse(x, y, 24.0, 72.0, 12.0, 12.0) < 1] = settings.blood
    outer = wall_distances(anatomy, local).outer
    around = np.arctan2(local[:, 1], local[:, 0])
    # Fat is thickest over the right ventricle and a thin line where the lateral wall meets the lung.
    fat_mm = np.maximum(2.0 + 2.2 * np.cos(around + 0.4) + 0.6 * np.sin(3 * around), 1.0)
    ventricles = (local[:, 2] < 0) & (outer < fat_mm)
    signal[ventricles] = settings.fat
    _paint_above_base(settings, local, outer, signal)
    return signal


def _paint_above_base(settings: LgeScan, local: np.ndarray, outer: np.ndarray, signal: np.ndarray) -> None:
    """Atria and great vessels where the ventricles end, in fat; overwrites `signal`."""
    a, b, c = local.T
    chambers = np.minimum.reduce(
        [
            np.linalg.norm(local - [-6.0, -8.0, 12.0], axis=1) - 23.0,
            np.linalg.norm(local - [28.0, -14.0, 14.0], axis=1) - 21.0,
            np.hypot(a - 8.0, b - 10.0 - 0.2 * c) - 12.0,
            np.hypot(a - 26.0, b - 16.0 - 0.3 * c) - 12.0,
        ]
    )
    above = c >= 0
    signal[above & ((chambers < 6.0) | ((outer < 3.0) & (c < 10.0)))] = settings.fat
    signal[above & (chambers < 2.0)] = settings.vessel_wall
    signal[above & (chambers < 0.0)] = settings.blood


def skin_depth_mm(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How deep a point lies in the chest, negative outside; right in front and behind, compressed at the sides."""
    (x0, y0), (a, b) = CHEST_CENTRE_MM, CHEST_HALF_WIDTHS_MM
    level = np.abs((x - x0) / a) ** CHEST_ROUNDNESS + np.abs((y - y0) / b) ** CHEST_ROUNDNESS
    return b * (1 - level ** (1 / CHEST_ROUNDNESS))


def _ellipse(x: np.ndarray, y: np.ndarray, x0: float, y0: float, a: float, b: float) -> np.ndarray:
    return ((x - x0) / a) ** 2 + ((y - y0) / b) ** 2


def coil_shading(settings: LgeScan, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(shape) smooth gain about 1 over the heart, falling from the front of the chest to its back."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)[..., ::-1].reshape(-1, 3)
    x, y, z = apply_affine(affine, index).T
    gain = (
        1
        - settings.shading * (y / 100.0)
        + 0.15 * settings.shading * np.sin((x - 20.0) / 70.0)
        - 0.1 * settings.shading * z / 60.0
    )
    return np.clip(gain, 0.3, 2.0).reshape(shape)
