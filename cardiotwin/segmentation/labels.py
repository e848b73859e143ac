"""Labels of the heart's tissue: given ones checked, thresholds applied, volumes counted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.imaging import check_affine
from cardiotwin.segmentation.methods import (
    AbstractMethod,
    PercentOfMaximum,
    Scar,
    Signal,
    chosen_method,
    delineate,
    standard_methods,
)
from cardiotwin.segmentation.remote import remote_region
from cardiotwin.settings import SegmentSettings
from cardiotwin.units import cubic_mm_to_ml

BACKGROUND, LV_BLOOD, MYOCARDIUM, RV_BLOOD, CORE, BORDER_ZONE = range(6)
"""Labels of a segmentation; the last two are myocardium too."""
NAMES = ("background", "lv_blood", "myocardium", "rv_blood", "core", "border_zone")
MUSCLE = (MYOCARDIUM, CORE, BORDER_ZONE)
GIVEN = "label map given; not judged"
"""Source of labels that somebody has drawn."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labelled tissue on the grid of the image it came from.

    Attributes
    ----------
    labels : (n_slices, n_rows, n_columns) uint8
        0 background, 1 left-ventricular blood, 2 healthy myocardium, 3 right-ventricular blood, 4 scar core,
        5 border zone. Myocardium of both ventricles and the septum has one label.
    affine : (4, 4) float64
        Takes (column, row, slice, 1) to LPS, mm.
    signal : (n_slices, n_rows, n_columns) float32 or None
        Myocardial signal as a fraction of its maximum, NaN outside the left ventricle's wall and the septum; None
        where scar was given or cannot be seen. Thresholds apply to it, so a sweep needs no second segmentation.
    scar_assessable : bool
        False for a cine: that no scar is drawn then means nothing.
    confidence : dict
        Numbers in [0, 1] and short reasons, by name.
    measured : (n_slices, n_rows, n_columns) float32 or None
        As `signal`, with noise and partial volume as they were imaged: on it the thresholds are measured. None: on
        `signal` itself.
    faintest : float
        Share of the maximum that scar reaches over 5 mm at least; what nowhere does is none, by any method. 0: unknown.
    right_wall : (n_slices, n_rows, n_columns) bool or None
        Myocardium that whoever drew it calls the right ventricle's; None where nobody says (see `walls.left_wall`).
    """

    labels: np.ndarray
    affine: np.ndarray
    signal: np.ndarray | None
    scar_assessable: bool
    confidence: dict[str, float | str | tuple[float, ...]]
    measured: np.ndarray | None = None
    faintest: float = 0.0
    right_wall: np.ndarray | None = None

    @property
    def is_given(self) -> bool:
        """Whether somebody drew the labels, and no method of ours or a plug-in's found them."""
        return self.confidence.get("source") == GIVEN

    def __repr__(self) -> str:
        slices, rows, columns = self.labels.shape
        volumes = ", ".join(f"{name} {ml:.1f}" for name, ml in volumes_ml(self).items())
        scar = "" if self.scar_assessable else "; scar not assessable"
        return f"Segmentation({slices} slices of {rows} x {columns}; mL: {volumes}{scar})"


@dataclass(frozen=True)
class SweepRow:
    """Scar by one method; thresholds are fractions of the brightest myocardial signal, masses at 1.05 g/mL."""

    method: str
    border_zone_threshold: float
    core_threshold: float
    core_ml: float
    border_zone_ml: float
    core_g: float
    border_zone_g: float


def from_label_map(
    labels: np.ndarray,
    affine: np.ndarray,
    settings: SegmentSettings | None = None,
    scar_assessable: bool | None = None,
) -> Segmentation:
    """A segmentation somebody else has made.

    Parameters
    ----------
    labels : (n_slices, n_rows, n_columns) of whole numbers
        Codes as in `Segmentation.labels`.
    affine : (4, 4) float64
        Takes (column, row, slice, 1) to LPS, mm.
    settings : SegmentSettings, optional
        Here so that every way to a segmentation is called alike; drawn scar is not thresholded again.
    scar_assessable : bool, optional
        Whether the image behind the labels would have shown scar. Left out: whether any is drawn.

    Raises
    ------
    InputRejected
        Not a volume of whole numbers, a code beyond 5, or a bad affine.
    QualityGate
        No left-ventricular blood or no myocardium.
    """
    check_affine(np.asarray(affine, dtype=np.float64))
    codes = _checked_codes(np.asarray(labels))
    has_scar = bool(np.isin(codes, (CORE, BORDER_ZONE)).any())
    assessable = has_scar if scar_assessable is None else scar_assessable
    if has_scar and not assessable:
        raise InputRejected("label map: holds scar (codes 4 or 5) but is said not to show scar; drop one of the two")
    return Segmentation(
        labels=codes.astype(np.uint8),
        affine=np.asarray(affine, dtype=np.float64),
        signal=None,
        scar_assessable=assessable,
        confidence={"source": GIVEN},
    )


def _checked_codes(labels: np.ndarray) -> np.ndarray:
    if labels.ndim != 3:
        raise InputRejected(f"label map: expected 3 axes (slice, row, column), found {labels.ndim}")
    if labels.size == 0:
        raise InputRejected(f"label map: empty, shape {labels.shape}; export it again")
    if not (np.isfinite(labels).all() and (labels == np.round(labels)).all()):
        raise InputRejected("label map: holds numbers that are not whole; resample labels by nearest neighbour")
    codes, counts = np.unique(labels, return_counts=True)
    unknown = [(int(code), int(count)) for code, count in zip(codes, counts, strict=True) if not 0 <= code <= 5]
    if unknown:
        listed = ", ".join(f"{code} ({count} voxels)" for code, count in unknown[:5])
        raise InputRejected(f"label map: unknown codes {listed}; expected 0 to 5 ({', '.join(NAMES)}); recode it")
    for name, group in (("left-ventricular blood (code 1)", (LV_BLOOD,)), ("myocardium (codes 2, 4, 5)", MUSCLE)):
        if not np.isin(labels, group).any():
            present = ", ".join(f"{int(code)} ({count} voxels)" for code, count in zip(codes, counts, strict=True))
            raise QualityGate(f"label map: no {name}; found codes {present}. A heart needs both: complete the labels")
    return labels


def volumes_ml(segmentation: Segmentation) -> dict[str, float]:
    """Volume of every tissue, mL; `wall` is all myocardium, scar included."""
    voxel_ml = cubic_mm_to_ml(abs(float(np.linalg.det(segmentation.affine[:3, :3]))))
    counts = np.bincount(segmentation.labels.ravel(), minlength=len(NAMES))
    volumes = {name: float(counts[code] * voxel_ml) for code, name in enumerate(NAMES) if code != BACKGROUND}
    return volumes | {"wall": sum(volumes[NAMES[code]] for code in MUSCLE)}


def volumes_line(segmentation: Segmentation) -> str:
    """`volumes_ml` in a line: blood and myocardium in whole mL, scar to a tenth and as a share of all myocardium."""
    ml = volumes_ml(segmentation)
    wall = ml["wall"]
    scar = {"scar core": ml["core"], "border zone": ml["border_zone"]}
    drawn = " and ".join(f"{size:.1f} mL of {name} ({100 * size / wall:.1f} %)" for name, size in scar.items() if size)
    drawn += ", no border zone" if ml["core"] and not ml["border_zone"] else ""
    right = f", right {ml['rv_blood']:.0f} mL" if ml["rv_blood"] else ""
    with_scar = f"with {drawn}" if drawn else "without scar"
    return f"left ventricular blood {ml['lv_blood']:.0f} mL{right}, myocardium {wall:.0f} mL {with_scar}"


def relabel(segmentation: Segmentation, border_zone_threshold: float, core_threshold: float) -> Segmentation:
    """The same contours, scar by other shares of the maximum; see `delineated`."""
    return with_scar(segmentation, PercentOfMaximum(border_zone_threshold, core_threshold))


def with_scar(segmentation: Segmentation, method: AbstractMethod) -> Segmentation:
    """The same contours, scar by another method; see `delineated`."""
    scar = delineated(segmentation, method)
    labels = np.where(np.isin(segmentation.labels, MUSCLE), MYOCARDIUM, segmentation.labels).astype(np.uint8)
    labels[scar.border_zone] = BORDER_ZONE
    labels[scar.core] = CORE
    return replace(segmentation, labels=labels)


def delineated(segmentation: Segmentation, method: AbstractMethod) -> Scar:
    """Core and border zone in a segmentation by one method.

    Raises
    ------
    QualityGate
        There is no signal to threshold: a cine, or scar that was drawn by hand.
    """
    return delineate(method, seen(segmentation), _spacing_mm(segmentation), applied_to=segmentation.signal)


def seen(segmentation: Segmentation) -> Signal:
    """The signal that scar methods measure on, with its remote region; raises as `delineated`."""
    if segmentation.signal is None:
        raise QualityGate(
            "scar thresholds: this segmentation keeps no signal (a cine or a label map); use an LGE image"
        )
    muscle = np.isin(segmentation.labels, MUSCLE) & np.isfinite(segmentation.signal)
    measured = segmentation.signal if segmentation.measured is None else segmentation.measured
    values = np.where(muscle, measured, 0.0).astype(np.float64)
    return Signal(values, muscle, 1.0, remote_region(values, muscle), segmentation.faintest)


def sweep(segmentation: Segmentation, settings: SegmentSettings) -> tuple[SweepRow, ...]:
    """Scar by every method: the one in use first, then those of `standard_methods`; empty where there is no signal."""
    if segmentation.signal is None:
        return ()
    signal, spacing_mm = seen(segmentation), _spacing_mm(segmentation)
    used = chosen_method(settings)
    methods = (used, *(one for one in standard_methods(settings.sweep) if one.name != used.name))
    voxel_ml = cubic_mm_to_ml(float(np.prod(spacing_mm)))
    rows = []
    for method in methods:
        scar = delineate(method, signal, spacing_mm, applied_to=segmentation.signal)
        rows.append(
            SweepRow(
                method.name,
                scar.border_zone_threshold,
                scar.core_threshold,
                float(scar.core.sum() * voxel_ml),
                float(scar.border_zone.sum() * voxel_ml),
                scar.core_g,
                scar.border_zone_g,
            )
        )
    return tuple(rows)


def _spacing_mm(segmentation: Segmentation) -> np.ndarray:
    """(3,) between columns, rows, slices."""
    return np.linalg.norm(segmentation.affine[:3, :3], axis=0)
