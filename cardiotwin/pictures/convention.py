"""How slices lie on paper: as radiologists look at them, whatever the order of rows and columns in a file.

Axial slices are seen from the feet, coronal ones from the front, sagittal ones from the left; short-axis slices, which
lie between, from the apex, the right ventricle on the viewer's left and the anterior wall up, as a cine shows them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from cardiotwin.segmentation import LV_BLOOD, RV_BLOOD, Segmentation

AWAY_FROM_VIEWER = np.array([-1.0, 1.0, 1.0])
"""LPS: the viewer's line of sight goes to the patient's right, back and head, never against all of them."""
RIGHT_ON_PAPER = np.array([1.0, 0.5, 0.0])
"""LPS: the patient's left, or else his back; where there is a right ventricle, what lies away from it instead."""


@dataclass(frozen=True)
class Turn:
    """A turn of every slice by quarters, mirrored or not; slices keep their numbers.

    Attributes
    ----------
    transposed, rows_reversed, columns_reversed : bool
        In this order.
    """

    transposed: bool
    rows_reversed: bool
    columns_reversed: bool

    def __call__(self, volume: np.ndarray) -> np.ndarray:
        """(n_slices, n_rows, n_columns), or what becomes of it."""
        volume = volume.swapaxes(1, 2) if self.transposed else volume
        return volume[:, :: -1 if self.rows_reversed else 1, :: -1 if self.columns_reversed else 1]

    def affine(self, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """(4, 4) from the new (column, row, slice, 1) to LPS, mm; `shape` is the volume's before the turn."""
        rows, columns = shape[:0:-1] if self.transposed else shape[1:]
        back = np.eye(4)
        for axis, reversed_, count in ((0, self.columns_reversed, columns), (1, self.rows_reversed, rows)):
            if reversed_:
                back[axis, axis], back[axis, 3] = -1.0, count - 1.0
        return np.asarray(affine @ (np.eye(4)[[1, 0, 2, 3]] if self.transposed else np.eye(4)) @ back)


def radiological(segmentation: Segmentation) -> Turn:
    """The turn that shows a stack as radiologists see it."""
    affine = np.asarray(segmentation.affine, np.float64)
    towards = _away_from_right_ventricle(segmentation.labels, affine)
    best, reach = Turn(False, False, False), -np.inf
    for turn in (Turn(*flags) for flags in product((False, True), repeat=3)):
        turned = turn.affine(affine, segmentation.labels.shape)[:3, :3]
        right, down = (turned[:, axis] / np.linalg.norm(turned[:, axis]) for axis in (0, 1))
        if np.cross(right, down) @ AWAY_FROM_VIEWER > 0 and right @ towards > reach:
            best, reach = turn, float(right @ towards)
    return best


def as_seen(segmentation: Segmentation, *volumes: np.ndarray) -> tuple[Segmentation, tuple[np.ndarray, ...]]:
    """A segmentation and volumes on its grid, turned for paper."""
    turn, labels = radiological(segmentation), segmentation.labels
    signal = None if segmentation.signal is None else turn(segmentation.signal)
    seen = replace(
        segmentation,
        labels=turn(labels),
        affine=turn.affine(np.asarray(segmentation.affine, np.float64), labels.shape),
        signal=signal,
        measured=None if segmentation.measured is None else turn(segmentation.measured),
        right_wall=None if segmentation.right_wall is None else turn(segmentation.right_wall),
    )
    return seen, tuple(turn(volume) for volume in volumes)


def _away_from_right_ventricle(labels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(3,) from the right pool to the left one, LPS; what is usual where one of them is missing."""
    left, right = (np.argwhere(labels == code)[:, ::-1] for code in (LV_BLOOD, RV_BLOOD))
    if not len(left) or not len(right):
        return RIGHT_ON_PAPER
    return np.asarray(affine[:3, :3] @ (left.mean(axis=0) - right.mean(axis=0)))
