"""A volume in patient coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import InputRejected

WIDE_GAP = 0.5
"""Share of the slice thickness."""
USUAL_MM = 10.0
"""From slice to slice of a short-axis stack at most: 6 to 8 mm and a gap (SCMR, doi 10.1186/s12968-020-00607-1)."""


@dataclass(frozen=True, eq=False)
class Image:
    """A stack of parallel slices in the DICOM patient frame (LPS).

    Attributes
    ----------
    values : (n_slices, n_rows, n_columns) float32
        Signal, arbitrary units; for a cine, its first frame (end-diastole).
    affine : (4, 4) float64
        Takes (column, row, slice, 1) to (x, y, z, 1) in LPS, mm. Slices need not touch.
    kind : str
        ``"lge"`` or ``"cine"``.
    motion : (n_slices, n_rows, n_columns) float32 or None
        Standard deviation over the cardiac cycle; None where there is one frame.
    slice_thickness_mm : float
        What the scanner averaged over; the distance between slices is in `affine`.
    notes : tuple of str
        What the reader left out or allowed, a line each.
    """

    values: np.ndarray
    affine: np.ndarray
    kind: str
    motion: np.ndarray | None = None
    slice_thickness_mm: float = 8.0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.values.ndim != 3:
            raise InputRejected(f"an image needs 3 axes (slice, row, column), found {self.values.ndim}")
        check_affine(self.affine)

    def __repr__(self) -> str:
        slices, rows, columns = self.values.shape
        spacing = " x ".join(f"{mm:.3g}" for mm in self.spacing_mm)
        return f"Image({self.kind}, {slices} slices of {rows} x {columns}, {spacing} mm)"

    @property
    def spacing_mm(self) -> np.ndarray:
        """(3,) distance between columns, rows, slices, mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def gap_mm(self) -> float:
        """Between the faces of neighbouring slices, mm: not imaged; negative where they overlap."""
        return float(self.spacing_mm[2]) - self.slice_thickness_mm

    def to_lps(self, indices: np.ndarray) -> np.ndarray:
        """(n, 3) positions in mm of (n, 3) indices (column, row, slice)."""
        return apply_affine(self.affine, indices)


def gap_note(image: Image) -> str:
    """What lies between slices far apart; "" where the gap is no more than half of what a slice covers."""
    if len(image.values) < 2 or image.gap_mm <= WIDE_GAP * image.slice_thickness_mm:
        return ""
    return (
        f"slices {image.slice_thickness_mm:.3g} mm thick lie {image.spacing_mm[2]:.3g} mm apart: {image.gap_mm:.3g} mm "
        "between slices were not imaged, the shape and any scar there are interpolated"
    )


def spacing_note(n_slices: int, affine: np.ndarray) -> str:
    """The same where nobody says how thick the slices are, as of a label map: "" where they lie close."""
    apart = float(np.linalg.norm(affine[:3, 2]))
    if n_slices < 2 or apart <= 1.01 * USUAL_MM:
        return ""
    return (
        f"slices lie {apart:.3g} mm apart, which is more than is usual ({USUAL_MM:g} mm): the shape and any scar "
        "between them are interpolated"
    )


def right_handed(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same volume with its slices in the order that makes the voxel axes right-handed; every voxel stays put."""
    if np.linalg.det(affine[:3, :3]) < 0:
        flip = np.diag([1.0, 1.0, -1.0, 1.0])
        flip[2, 3] = values.shape[0] - 1
        values, affine = values[::-1], affine @ flip
    check_affine(affine)
    return np.ascontiguousarray(values), affine


def apply_affine(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map (n, 3) points by a (4, 4) matrix."""
    return np.asarray(points) @ affine[:3, :3].T + affine[:3, 3]


def check_affine(affine: np.ndarray) -> None:
    """Refuse what is not an invertible map of right-handed, orthogonal image axes.

    Raises
    ------
    InputRejected
        Not finite, sheared by more than 1e-3, flat, or mirrored.
    """
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise InputRejected("image geometry: the affine is not a finite 4 x 4 matrix; export the series again")
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if (lengths < 1e-6).any():
        raise InputRejected(f"image geometry: voxel size {lengths} mm; expected three positive lengths")
    unit = axes / lengths
    shear = np.abs(unit.T @ unit - np.eye(3)).max()
    if shear > 1e-3:
        raise InputRejected(f"image geometry: axes are {shear:.3g} from orthogonal (limit 0.001); resample the volume")
    if np.linalg.det(unit) < 0:
        raise InputRejected(
            "image geometry: the voxel axes are left-handed, so the heart would be mirrored; "
            "expected column x row = slice direction. Flip the slice order together with its affine."
        )
