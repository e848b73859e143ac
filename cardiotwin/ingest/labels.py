"""A label map from NIfTI or NRRD, guarded before the native reader sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cardiotwin.errors import QualityGate, ResourceLimit
from cardiotwin.imaging import check_affine
from cardiotwin.ingest.dicom_file import refusing
from cardiotwin.ingest.volume_header import MOST_BYTES, VolumeHeader, read_volume_header
from cardiotwin.ingest.wording import refusal, shown
from cardiotwin.segmentation import BORDER_ZONE, CORE, MYOCARDIUM

LABELS = "0 background, 1 LV blood, 2 myocardium, 3 RV blood, 4 scar core, 5 border zone"
FEWEST_MYOCARDIUM_VOXELS = 100


def read_label_map(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a label map in CardioTwin's coding.

    Voxel axes of either handedness are normal in NIfTI and NRRD: the affine says where each voxel lies. A left-handed
    order is turned round together with its affine, so no voxel moves. A heart that is mirrored *in the patient* cannot
    be seen here; :func:`cardiotwin.ingest.check_not_mirrored` looks at the anatomy.

    Parameters
    ----------
    path : a ``.nii``, ``.nii.gz`` or ``.nrrd`` file

    Returns
    -------
    labels : (n_slices, n_rows, n_columns) uint8
    affine : (4, 4) float64
        Takes (column, row, slice, 1) to LPS, mm; right-handed.

    Raises
    ------
    InputRejected
        Damaged or contradicting header, detached data, labels that are not whole numbers or not known.
    QualityGate
        Hardly any myocardium.
    ResourceLimit
        The header asks for more than 4 GiB.
    """
    path = Path(path)
    name = shown(path.name, 120)
    values, affine = read_volume(path, name)
    labels = _whole_labels(values, name)
    _check_labels(labels, name)
    return right_handed(labels, affine)


def right_handed(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same volume with its slices in the order that makes the voxel axes right-handed; every voxel stays put."""
    if np.linalg.det(affine[:3, :3]) < 0:
        flip = np.diag([1.0, 1.0, -1.0, 1.0])
        flip[2, 3] = values.shape[0] - 1
        values, affine = values[::-1], affine @ flip
    check_affine(affine)
    return np.ascontiguousarray(values), affine


def _check_header(header: VolumeHeader, name: str) -> None:
    if len(header.shape) != 3 or min(header.shape, default=0) < 1:
        raise refusal(name, f"axes {header.shape}", "three", "Save one volume, not a time series")
    if header.n_bytes > MOST_BYTES:
        raise ResourceLimit(f"{name}: axes {header.shape} need {header.n_bytes} bytes; limit {MOST_BYTES}. Crop it")
    if header.n_bytes > header.n_bytes_present:
        raise refusal(
            name, f"{header.n_bytes_present} bytes of voxels", f"{header.n_bytes} from its header", "Save it again"
        )
    for which, affine in header.affines.items():
        if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise refusal(f"{name}: {which}", "a matrix that is not finite or flat", "voxel to mm", "Save it again")
    if len(header.affines) == 2:
        _check_agreement(header, name)


def _check_agreement(header: VolumeHeader, name: str) -> None:
    """Where sform and qform both claim to be right, the volume's corners must agree."""
    corners = np.array(np.meshgrid(*[[0, n - 1] for n in header.shape])).reshape(3, -1)
    corners = np.vstack([corners, np.ones(corners.shape[1])])
    first, second = header.affines.values()
    apart_mm = np.linalg.norm(((first - second) @ corners)[:3], axis=0).max()
    if apart_mm > 1.0:
        raise refusal(
            f"{name}: sform and qform", f"corners {apart_mm:.3g} mm apart", "within 1 mm", "Keep one and save it again"
        )


def read_volume(path: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(n_slices, n_rows, n_columns) values as stored and their affine to LPS, after the header has been checked."""
    _check_header(read_volume_header(path, name), name)
    import SimpleITK

    with refusing(name, "the volume cannot be read"):
        image = SimpleITK.ReadImage(str(path))
        values = SimpleITK.GetArrayFromImage(image)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return values, affine


def _whole_labels(values: np.ndarray, name: str) -> np.ndarray:
    if values.ndim != 3:
        raise refusal(name, f"{values.ndim} axes", "three", "Save one volume of labels")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or (values != np.rint(values)).any():
            raise refusal(
                name, "values that are not whole numbers", f"labels ({LABELS})", "Save labels, resampled by nearest"
            )
    elif values.dtype.kind not in "iu":
        raise refusal(name, f"values of type {values.dtype}", f"labels ({LABELS})", "Save labels as uint8")
    if values.min() < 0 or values.max() > BORDER_ZONE:
        unknown = np.unique(values[(values < 0) | (values > BORDER_ZONE)])
        some = ", ".join(f"{value:g} ({int((values == value).sum())} voxels)" for value in unknown[:4])
        raise refusal(name, f"unknown labels {some}", LABELS, "Rename the labels")
    return values.astype(np.uint8)


def _check_labels(labels: np.ndarray, name: str) -> None:
    if min(labels.shape) < 2:
        raise refusal(name, f"{labels.shape} voxels", "at least 2 along each axis", "Save the whole stack")
    counts = np.bincount(labels.ravel(), minlength=6)
    wall = int(counts[[MYOCARDIUM, CORE, BORDER_ZONE]].sum())
    if wall < FEWEST_MYOCARDIUM_VOXELS:
        raise QualityGate(
            f"{name}: found {wall} voxels of myocardium (labels 2, 4, 5; counts of 0..5: {counts.tolist()}), expected "
            f"at least {FEWEST_MYOCARDIUM_VOXELS}. Check that the labels are coded {LABELS}"
        )
