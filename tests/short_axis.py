"""A short-axis stack drawn by formula: paraboloid ventricle, crescent right ventricle, fat, lung, noise, shading."""

import numpy as np

from cardiotwin.imaging import Image

PIXEL_MM, SLICE_MM = 1.6, 9.0
SHAPE = (9, 110, 120)
CENTRE = (58.0, 66.0)  # row, column
CAVITY_MM, WALL_MM = 23.0, 9.0
HEART_SLICES = range(1, 7)  # base to apex


def axes() -> np.ndarray:
    """Columns run to the patient's left and back, rows downwards, slices from base to apex."""
    column = np.array([0.70, 0.65, -0.30])
    column /= np.linalg.norm(column)
    apex = np.array([0.60, -0.65, -0.47])
    apex -= column * (column @ apex)
    apex /= np.linalg.norm(apex)
    return np.stack([column, np.cross(apex, column), apex], axis=1)


def affine() -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = axes() * [PIXEL_MM, PIXEL_MM, SLICE_MM]
    return matrix


def coordinates() -> tuple[np.ndarray, np.ndarray]:
    """Distance from the left ventricle's axis, mm, and angle, for every pixel of a slice."""
    rows, columns = np.indices(SHAPE[1:])
    down, across = (rows - CENTRE[0]) * PIXEL_MM, (columns - CENTRE[1]) * PIXEL_MM
    return np.hypot(down, across), np.arctan2(down, across)


def truth() -> np.ndarray:
    """Labels 0 background, 1 left blood, 2 left wall, 3 right blood."""
    labels = np.zeros(SHAPE, np.uint8)
    apart, _ = coordinates()
    rows, columns = np.indices(SHAPE[1:])
    from_right = np.hypot((rows - CENTRE[0]) * PIXEL_MM + 6, (columns - CENTRE[1]) * PIXEL_MM + 28)
    for k in HEART_SLICES:
        cavity = CAVITY_MM * np.sqrt(1 - (k - 1) / 7)
        labels[k][from_right < cavity + 4] = 3
        labels[k][apart < cavity + WALL_MM] = 2
        labels[k][apart < cavity] = 1
    return labels


def scar_mask(width_deg: float, slices: range) -> np.ndarray:
    """A transmural sector of the free wall, opposite the septum's lower end."""
    _, angle = coordinates()
    sector = np.abs((angle - np.deg2rad(-60) + np.pi) % (2 * np.pi) - np.pi) < np.deg2rad(width_deg / 2)
    mask = np.zeros(SHAPE, bool)
    mask[slices.start : slices.stop] = sector
    return mask & (truth() == 2)


def image(kind: str = "lge", scar: np.ndarray | None = None, scar_signal: float = 1.0, noise: float = 0.04) -> Image:
    """Blood is 1, normal wall 0.08 (0.3 in a cine), lung 0.05, fat 1.1; Rician noise; 25 % shading across."""
    labels = truth()
    signal = np.array([0.05, 1.0, 0.08 if kind == "lge" else 0.3, 1.0])[labels]
    rows, columns = np.indices(SHAPE[1:])
    signal[:, (columns < 14)] = 1.1  # chest wall
    signal[:, (rows > 92) & (columns >= 14)] = 0.45  # liver
    if scar is not None:
        signal[scar] = scar_signal
    signal = signal * (1 + 0.25 * (0.5 - columns / SHAPE[2]))
    rng = np.random.default_rng(5)
    signal = np.hypot(signal + noise * rng.standard_normal(SHAPE), noise * rng.standard_normal(SHAPE))
    return Image((400 * signal).astype(np.float32), affine(), kind)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / max(first.sum() + second.sum(), 1))
