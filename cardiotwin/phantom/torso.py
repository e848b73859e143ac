"""Where the phantom's electrodes are: a template chest around its heart, tilted, each electrode a little off.

The chest is the one of the images (`lge.py`). These are not the electrodes the twin assumes: that they differ is part
of what the calibration has to live with.
"""

from __future__ import annotations

import numpy as np

from cardiotwin.ecg.electrodes import ELECTRODES, Electrodes
from cardiotwin.phantom.anatomy import Anatomy, bounded_normal

CHEST_CENTRE_MM = (0.0, 25.0)
CHEST_HALF_WIDTHS_MM = (170.0, 100.0)
CHEST_ROUNDNESS = 2.4
"""Axial outline of the skin, |x/a|^n + |y/b|^n = 1, about the centre, LPS."""

# (angle round the chest from straight ahead towards the left, degrees; height over the heart's middle, mm).
# A limb is at the potential of its root, here a small person's; V1 and V2 flank the sternum.
TEMPLATE = {
    "LA": (75.0, 125.0),
    "RA": (-75.0, 125.0),
    "LL": (50.0, -190.0),
    "RL": (-50.0, -190.0),
    "V1": (-15.0, 12.0),
    "V2": (15.0, 12.0),
    "V3": (30.0, -4.0),
    "V4": (46.0, -20.0),
    "V5": (66.0, -20.0),
    "V6": (86.0, -20.0),
}


def true_electrodes(anatomy: Anatomy, seed: int, *, perturbation_mm: float = 6.0, tilt_deg: float = 3.0) -> Electrodes:
    """The ten electrodes on this patient's chest; `measured` because nobody has to guess them."""
    rng = np.random.default_rng([seed, 5])
    heart_mm = 0.5 * (np.asarray(anatomy.base_centre_mm) + anatomy.apex_mm)
    angle, height = np.array([TEMPLATE[name] for name in ELECTRODES]).T
    positions = np.column_stack([*skin(angle), heart_mm[2] + height])
    tilt = rotation(tilt_deg * bounded_normal(rng, 3))
    tilted = (positions - heart_mm) @ tilt.T + heart_mm
    return Electrodes(
        ELECTRODES, tilted + perturbation_mm / np.sqrt(3) * bounded_normal(rng, (len(ELECTRODES), 3)), True
    )


def skin(angle_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the skin, LPS, mm, in directions counted from straight ahead towards the left."""
    ahead, left = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    a, b = CHEST_HALF_WIDTHS_MM
    reach = (np.abs(left / a) ** CHEST_ROUNDNESS + np.abs(ahead / b) ** CHEST_ROUNDNESS) ** (-1 / CHEST_ROUNDNESS)
    return CHEST_CENTRE_MM[0] + reach * left, CHEST_CENTRE_MM[1] - reach * ahead


def rotation(turns_deg: np.ndarray) -> np.ndarray:
    """(3, 3) rotation by small turns about the three axes, by Cayley's formula: exactly orthogonal."""
    x, y, z = np.deg2rad(turns_deg)
    turn = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.linalg.solve(np.eye(3) - 0.5 * turn, np.eye(3) + 0.5 * turn)
