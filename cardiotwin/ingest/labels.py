"""A label map from NIfTI, NRRD, MetaImage or DICOM, guarded before a native reader sees it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.imaging import right_handed
from cardiotwin.ingest.dicom_file import is_dicom, refusing
from cardiotwin.ingest.metaimage import read_metaimage
from cardiotwin.ingest.volume_header import MOST_BYTES, VolumeHeader, read_volume_header
from cardiotwin.ingest.wording import refusal, shown
from cardiotwin.segmentation import BORDER_ZONE, CORE, MYOCARDIUM
from cardiotwin.segmentation.coding import decode
from cardiotwin.segmentation.label_map import MOST_SEGMENTS, LabelMap, Segment, layered, plain
from cardiotwin.settings import LabelSettings

_log = logging.getLogger(__name__)

LABELS = "0 background, 1 LV blood, 2 myocardium, 3 RV blood, 4 scar core, 5 border zone"
META_ENDINGS = (".mha", ".mhd")
LABEL_ENDINGS = (".nii", ".nii.gz", ".nrrd", *META_ENDINGS)
FEWEST_MYOCARDIUM_VOXELS = 100
MOST_LABELS = 64
"""Different values that a label map may have."""
MOST_FRACTIONS = 0.5
"""Share of the voxels other than 0 that are no whole numbers, up to which they may be labels that were interpolated."""
IMAGE_ADVICE = "Images are read from DICOM: give its series, or the label map that was drawn on it"
MITK_GROUPS = "org.mitk.multilabel.segmentation.labelgroups"


def read_label_map(path: str | Path, settings: LabelSettings | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read a label map and put it in CardioTwin's coding.

    Voxel axes of either handedness are normal in these formats: the affine says where each voxel lies. A left-handed
    order is turned round together with its affine, so no voxel moves. A heart that is mirrored *in the patient* cannot
    be seen here; :func:`cardiotwin.ingest.check_not_mirrored` looks at the anatomy.

    Parameters
    ----------
    path : a ``.nii``, ``.nii.gz``, ``.nrrd``, ``.mha``, ``.mhd`` or DICOM segmentation file
    settings : LabelSettings, optional
        Which label is which region. Left out: guessed from names or a known tool's codes, checked against anatomy, and
        logged where the codes are not CardioTwin's own.

    Returns
    -------
    labels : (n_slices, n_rows, n_columns) uint8
    affine : (4, 4) float64
        Takes (column, row, slice, 1) to LPS, mm; right-handed.

    Raises
    ------
    InputRejected
        Damaged or contradicting header, one that asks for more than 4 GiB, detached data, labels that are not whole
        numbers or of unknown meaning.
    QualityGate
        Hardly any myocardium.
    """
    name = shown(Path(path).name, 120)
    label_map = read_segments(path)
    labels, note = decoded(label_map, settings, name)
    if note:
        _log.info("%s: %s", name, note)
    return labels, label_map.affine


def decoded(label_map: LabelMap, settings: LabelSettings | None, name: str) -> tuple[np.ndarray, str]:
    """Labels in CardioTwin's coding, enough of them, and what was guessed; refusals begin with the file's name."""
    try:
        labels, note = decode(label_map, settings)
    except (InputRejected, QualityGate) as error:
        raise type(error)(f"{name}: {str(error).removeprefix('label map: ')}") from None
    _check_labels(labels, name)
    return labels, note


def read_segments(path: str | Path) -> LabelMap:
    """Read the segments of a file as its author coded them.

    Raises
    ------
    InputRejected
        As :func:`read_label_map`, but for what the labels mean.
    """
    path = Path(path)
    name = shown(path.name, 120)
    if path.is_file() and not path.name.lower().endswith(LABEL_ENDINGS) and is_dicom(path):
        from cardiotwin.ingest.dicom_seg import read_dicom_seg

        return read_dicom_seg(path, name)
    values, affine, remarks = read_volume(path, name)
    if why := as_image(values):
        raise refusal(name, why, f"labels ({LABELS})", IMAGE_ADVICE)
    if min(values.shape[:3]) < 2:
        raise refusal(name, f"{values.shape[:3]} voxels", "at least 2 along each axis", "Save the whole stack")
    values, affine = right_handed(_whole(values, name), affine)
    segments, form = _segments(remarks, name)
    if values.ndim == 4 or any(layer for layer, _ in segments):
        return _layered(values, affine, segments, form, name)
    names = {segment.value: segment.name for _, segment in segments}
    return plain(values, affine, names, form)


def as_image(values: np.ndarray) -> str:
    """What values are where they are too many to be labels, and so an image's; "" else.

    Labels that were interpolated are fractions at their edges alone.
    """
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        return ""
    different = np.unique(values)
    fractions, coloured = (int(np.count_nonzero(each)) for each in (values != np.rint(values), values))
    if len(different) <= MOST_LABELS or 0 < fractions <= MOST_FRACTIONS * coloured:
        return ""
    return f"an image volume ({len(different)} different values from {different[0]:.4g} to {different[-1]:.4g})"


def read_volume(path: Path, name: str) -> tuple[np.ndarray, np.ndarray, Mapping[str, str]]:
    """Values as stored, their affine to LPS and what a program wrote beside them, after the header has been checked.

    Returns
    -------
    values : (n_slices, n_rows, n_columns) or, in layers, (n_slices, n_rows, n_columns, n_layers)
    affine : (4, 4) float64
    remarks : dict of str to str
    """
    if path.name.lower().endswith(META_ENDINGS):
        return (*read_metaimage(path, name), {})
    header = read_volume_header(path, name)
    _check_header(header, name)
    import SimpleITK

    with refusing(name, "the volume cannot be read"):
        image = SimpleITK.ReadImage(str(path))
        values = SimpleITK.GetArrayFromImage(image)
    if values.shape[:3] != header.shape[::-1]:
        raise refusal(name, f"a volume of {values.shape}", f"{header.shape[::-1]} from its header", "Save it again")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return values, affine, header.remarks


def _check_header(header: VolumeHeader, name: str) -> None:
    if len(header.shape) != 3 or min(header.shape, default=0) < 1:
        raise refusal(name, f"axes {header.shape}", "three", "Save one volume, not a time series")
    if header.layers > MOST_SEGMENTS:
        raise refusal(name, f"{header.layers} layers", f"at most {MOST_SEGMENTS}", "Save fewer segments")
    if header.n_bytes > MOST_BYTES:
        raise refusal(f"{name}: axes {header.shape}", f"{header.n_bytes} bytes", f"at most {MOST_BYTES}", "Crop it")
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


def _segments(remarks: Mapping[str, str], name: str) -> tuple[list[tuple[int, Segment]], str]:
    """Layer and segment of all that the header names, and the format in words."""
    if MITK_GROUPS in remarks:
        return _mitk_segments(remarks[MITK_GROUPS], name), "a MITK segmentation"
    numbers = sorted({int(found[1]) for key in remarks if (found := re.fullmatch(r"Segment(\d{1,4})_Name", key))})
    segments = []
    for place, number in enumerate(numbers):
        told = {key: remarks.get(f"Segment{number}_{key}", "") for key in ("Name", "LabelValue", "Layer")}
        # Before version 4.11 every segment had a layer of its own, and 1 for its voxels.
        value, layer = told["LabelValue"] or "1", told["Layer"] or ("0" if told["LabelValue"] else str(place))
        if not (value.isdecimal() and layer.isdecimal() and len(value + layer) < 12):
            what = f"LabelValue {shown(value)!r}, Layer {shown(layer)!r}"
            raise refusal(f"{name}: Segment{number}", what, "whole numbers", "Save the segmentation again")
        segments.append((int(layer), Segment(int(value), shown(told["Name"]))))
    return segments, "a 3D Slicer segmentation" if segments else "a label map"


def _mitk_segments(text: str, name: str) -> list[tuple[int, Segment]]:
    try:
        groups = json.loads(text)
        return [
            (layer, Segment(int(one["value"]), shown(str(one["name"]))))
            for layer, group in enumerate(groups)
            for one in group["labels"]
        ]
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        found = f"label groups that cannot be read ({type(error).__name__})"
        raise refusal(name, found, "a list of groups with labels", "Save the segmentation again") from None


def _layered(
    values: np.ndarray, affine: np.ndarray, segments: list[tuple[int, Segment]], form: str, name: str
) -> LabelMap:
    """Segments in layers; every non-zero voxel must belong to one of them."""
    layers = values[..., None] if values.ndim == 3 else values
    if any(layer >= layers.shape[3] for layer, _ in segments):
        most = max(layer for layer, _ in segments)
        raise refusal(name, f"a segment in layer {most}", f"at most {layers.shape[3] - 1}", "Save it again")
    named = {(layer, segment.value) for layer, segment in segments}
    for layer in range(layers.shape[3]):
        for value in plain(layers[..., layer], affine, {}, form).segments:
            if (layer, value.value) not in named:
                segments = [*segments, (layer, Segment(value.value))]
    masks = [layers[..., layer] == segment.value for layer, segment in segments]
    return layered(masks, [segment for _, segment in segments], affine, form)


def _whole(values: np.ndarray, name: str) -> np.ndarray:
    """The values as integers, refused where they are none."""
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or (values != np.rint(values)).any() or np.abs(values).max(initial=0) > 2**31:
            raise refusal(
                name, "values that are not whole numbers", f"labels ({LABELS})", "Save labels, resampled by nearest"
            )
        return values.astype(np.int64)
    if values.dtype.kind not in "iu" or (values.dtype == np.uint64 and values.max(initial=0) > 2**31):
        raise refusal(name, f"values of type {values.dtype}", f"labels ({LABELS})", "Save labels as uint8")
    return values


def _check_labels(labels: np.ndarray, name: str) -> None:
    counts = np.bincount(labels.ravel(), minlength=6)
    wall = int(counts[[MYOCARDIUM, CORE, BORDER_ZONE]].sum())
    if wall < FEWEST_MYOCARDIUM_VOXELS:
        raise QualityGate(
            f"{name}: found {wall} voxels of myocardium (labels 2, 4, 5; counts of 0..5: {counts.tolist()}), expected "
            f"at least {FEWEST_MYOCARDIUM_VOXELS}. Check that the labels are coded {LABELS}"
        )
