"""A segmentation the way the mesher wants it: checked, from base to apex."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.imaging import check_affine
from cardiotwin.meshes.ventricles import basal_slice, base_is_last
from cardiotwin.segmentation import Segmentation, labels, left_wall

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LabelledStack:
    """Labels from base to apex.

    Attributes
    ----------
    labels : (n_slices, n_rows, n_columns) uint8
        As in `Segmentation`; slice 0 is the most basal one on which muscle rings the left ventricle.
    affine : (4, 4) float64
        Takes (column, row, slice, 1) to LPS, mm. Left-handed where the stack had to be turned over.
    left_wall : (n_slices, n_rows, n_columns) bool
        Myocardium of the left ventricle with the septum.
    """

    labels: np.ndarray
    affine: np.ndarray
    left_wall: np.ndarray

    @property
    def spacing_mm(self) -> np.ndarray:
        """(3,) between slices, rows and columns."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)[::-1]

    @property
    def muscle(self) -> np.ndarray:
        """Mask of the myocardium, scar included."""
        return np.isin(self.labels, labels.MUSCLE)


def base_first(segmentation: Segmentation) -> LabelledStack:
    """Turn the stack so that its first slice is the most basal one that can be used; refuse what is no heart.

    Raises
    ------
    InputRejected
        An unknown label, a bad affine, no ring of muscle around left ventricular blood.
    QualityGate
        No myocardium or no left ventricular blood; a myocardium outside 20 to 500 mL.
    """
    found = _checked_labels(segmentation)
    affine, left = np.asarray(segmentation.affine, np.float64), left_wall(segmentation)
    if base_is_last(found == labels.LV_BLOOD, found == labels.RV_BLOOD):
        found, left, affine = found[::-1], left[::-1], affine @ _along_slices(-1.0, len(found) - 1.0)
    muscle = np.isin(found, labels.MUSCLE)
    first = basal_slice(muscle, found == labels.LV_BLOOD)
    skipped = int((found[:first] > 0).any(axis=(1, 2)).sum())
    if skipped:
        _log.info("%d slice(s) above the base plane hold only fragments of the ring and were left out", skipped)
    return LabelledStack(found[first:], affine @ _along_slices(1.0, float(first)), left[first:])


def _along_slices(step: float, start: float) -> np.ndarray:
    """(4, 4) map of a new slice index to an old one, ``old = step * new + start``."""
    matrix = np.eye(4)
    matrix[2, 2:] = step, start
    return matrix


def _checked_labels(segmentation: Segmentation) -> np.ndarray:
    found = np.asarray(segmentation.labels)
    check_affine(np.asarray(segmentation.affine))
    unknown = np.setdiff1d(found, np.arange(len(labels.NAMES)))
    if unknown.size:
        raise InputRejected(f"label map: unknown label {unknown[0]}; expected 0 to 5, see `cardiotwin.segmentation`")
    muscle = np.isin(found, labels.MUSCLE)
    if not muscle.any():
        raise QualityGate("label map: no voxel is myocardium (label 2, 4 or 5); draw it, or check the label numbers")
    if not (found == labels.LV_BLOOD).any():
        raise QualityGate(
            "label map: no voxel is left ventricular blood (label 1); draw it, or check the label numbers"
        )
    volume_ml = 1e-3 * muscle.sum() * abs(np.linalg.det(segmentation.affine[:3, :3]))
    if not 20 <= volume_ml <= 500:
        raise QualityGate(
            f"label map: {volume_ml:.1f} mL of myocardium; expected 20 to 500 mL. Is the voxel size in mm?"
        )
    return found
