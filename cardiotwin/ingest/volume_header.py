"""What a NIfTI or NRRD header claims, read by ourselves: the native readers believe it and allocate.

NIfTI-1: https://nifti.nimh.nih.gov/nifti-1. NRRD: https://teem.sourceforge.net/nrrd/format.html. MetaImage files, whose
voxels need no native reader at all, are read in `cardiotwin.ingest.metaimage`.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.ingest.wording import refusal, shown

NIFTI_BYTES = 348
MOST_NRRD_HEADER_BYTES = 1 << 20
MOST_BYTES = 4 << 30
CHUNK_BYTES = 1 << 20

NRRD_ITEM_BYTES = {
    name: size
    for size, names in {
        1: "signed char, int8, int8_t, uchar, unsigned char, uint8, uint8_t",
        2: "short, short int, signed short, signed short int, int16, int16_t, ushort, unsigned short, "
        "unsigned short int, uint16, uint16_t",
        4: "int, signed int, int32, int32_t, uint, unsigned int, uint32, uint32_t, float",
        8: "longlong, long long, int64, int64_t, ulonglong, unsigned long long, uint64, uint64_t, double",
    }.items()
    for name in names.split(", ")
}
NRRD_SPACES = frozenset(
    ("left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las")
)


@dataclass(frozen=True, eq=False)
class VolumeHeader:
    """Claims of a header, before they are believed.

    Attributes
    ----------
    shape : tuple of int
        Voxels along each axis, first axis fastest.
    layers : int
        Values a voxel has: segments that overlap lie in layers of their own.
    item_bytes : int
        Of a voxel, all layers together.
    n_bytes_present : int
        Bytes of voxels in the file, after inflation.
    affines : dict of str to (4, 4) float64
        ``"sform"`` and ``"qform"`` of a NIfTI that are in use.
    remarks : dict of str to str
        What a program wrote beside the geometry of a NRRD, such as the names of its segments.
    """

    shape: tuple[int, ...]
    item_bytes: int
    n_bytes_present: int
    affines: dict[str, np.ndarray]
    layers: int = 1
    remarks: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """What the voxels need, in exact integers."""
        total = self.item_bytes
        for n in self.shape:
            total *= n
        return total


def read_volume_header(path: Path, name: str) -> VolumeHeader:
    """The header of a ``.nii``, ``.nii.gz`` or attached ``.nrrd`` file.

    Raises
    ------
    InputRejected
        Missing, another format, a damaged header, or voxels in another file.
    """
    if not path.is_file():
        raise InputRejected(f"{name}: no such file; check the path")
    suffix = path.name.lower()
    if suffix.endswith((".nii", ".nii.gz")):
        return _nifti(path, name)
    if suffix.endswith(".nrrd"):
        return _nrrd(path, name)
    raise refusal(name, f"a file ending in {shown(path.suffix)!r}", ".nii, .nii.gz or .nrrd", "Save it as NIfTI")


def _nifti(path: Path, name: str) -> VolumeHeader:
    packed = path.name.lower().endswith(".gz")
    with path.open("rb") as raw:
        head = _first_bytes(raw, packed, name, NIFTI_BYTES)
    if len(head) < NIFTI_BYTES:
        raise refusal(name, f"{len(head)} bytes", f"a NIfTI-1 header of {NIFTI_BYTES}", "Save the volume again")
    order = "<" if struct.unpack("<i", head[:4])[0] == NIFTI_BYTES else ">"
    if struct.unpack(order + "i", head[:4])[0] != NIFTI_BYTES or head[344:348] != b"n+1\0":
        raise refusal(name, f"the mark {shown(head[344:348])}", "a single-file NIfTI-1 (n+1)", "Save it as .nii.gz")
    dim = struct.unpack(order + "8h", head[40:56])
    if not 1 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
        raise refusal(f"{name}: dim", f"{dim}", "1 to 7 axes, each at least 1 long", "Save the volume again")
    shape = dim[1 : dim[0] + 1]
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    (bits,) = struct.unpack(order + "h", head[72:74])
    (offset,) = struct.unpack(order + "f", head[108:112])
    header = VolumeHeader(tuple(shape), max(bits // 8, 1), 0, _nifti_affines(head, order))
    start = int(offset) if np.isfinite(offset) and offset >= NIFTI_BYTES else NIFTI_BYTES
    present = _inflated_bytes(path, name, 0, header.n_bytes + start) if packed else path.stat().st_size
    return replace(header, n_bytes_present=present - start)


def _inflated_bytes(path: Path, name: str, start: int, enough: int) -> int:
    """How many bytes a gzip stream beginning at `start` holds, none of them kept.

    Counted because ITK fills what is missing from a cut stream with zeros, silently. Stops soon after `enough`, the
    claim of a header that nobody has believed yet: beyond 4 GiB nothing is inflated.
    """
    total = 0
    if enough > MOST_BYTES:
        return 0
    try:
        with path.open("rb") as raw:
            raw.seek(start)
            stream = gzip.GzipFile(fileobj=raw)
            while total <= enough + CHUNK_BYTES and (piece := stream.read(CHUNK_BYTES)):
                total += len(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise refusal(
            name,
            f"a compressed stream that breaks off ({type(error).__name__})",
            "a whole one",
            "Save the volume again",
        ) from None
    return total


def _first_bytes(raw: BinaryIO, packed: bool, name: str, count: int) -> bytes:
    try:
        return gzip.GzipFile(fileobj=raw).read(count) if packed else raw.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise InputRejected(f"{name}: not a readable gzip file ({type(error).__name__}); save it again") from None


def _nifti_affines(head: bytes, order: str) -> dict[str, np.ndarray]:
    """The matrices whose code says that they are in use."""
    pixdim = struct.unpack(order + "8f", head[76:108])
    qform_code, sform_code = struct.unpack(order + "2h", head[252:256])
    affines = {}
    if sform_code > 0:
        rows = np.array(struct.unpack(order + "12f", head[280:328])).reshape(3, 4)
        affines["sform"] = np.vstack([rows, [0, 0, 0, 1]])
    if qform_code > 0:
        b, c, d, *offset = struct.unpack(order + "6f", head[256:280])
        affines["qform"] = _from_quaternion(b, c, d, offset, pixdim)
    return affines


def _from_quaternion(b: float, c: float, d: float, offset: list[float], pixdim: tuple[float, ...]) -> np.ndarray:
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    handedness = -1.0 if pixdim[0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.array([pixdim[1], pixdim[2], pixdim[3] * handedness])
    affine[:3, 3] = offset
    return affine


def _nrrd(path: Path, name: str) -> VolumeHeader:
    with path.open("rb") as file:
        head = file.read(MOST_NRRD_HEADER_BYTES)
    end = re.search(rb"\r?\n\r?\n", head)
    if not head.startswith(b"NRRD000") or end is None:
        raise refusal(name, "no NRRD header", "NRRD with its voxels attached", "Save it as .nrrd or .nii.gz")
    fields, remarks = _nrrd_fields(head[: end.start()])
    if "data file" in fields or "datafile" in fields:
        raise refusal(name, "voxels in another file", "voxels in the same file", "Save it as one .nrrd")
    if fields.get("space") not in NRRD_SPACES or not {"space directions", "space origin"} <= fields.keys():
        found = f"space {shown(fields.get('space', 'missing'))!r}"
        raise refusal(name, found, "a patient space, its directions and origin", "Save it with its geometry")
    try:
        shape = tuple(int(n) for n in fields["sizes"].split())
        layers, shape = _nrrd_layers(shape, fields)
        header = VolumeHeader(shape, layers * NRRD_ITEM_BYTES[fields["type"]], 0, {}, layers, remarks)
    except (KeyError, ValueError):
        found = f"type {shown(fields.get('type', ''))!r}, sizes {shown(fields.get('sizes', ''))!r}"
        raise refusal(name, found, "whole numbers", "Save it again") from None
    encoding = fields.get("encoding")
    if encoding not in ("raw", "gzip", "gz"):
        raise refusal(name, f"encoding {shown(encoding)!r}", "raw or gzip", "Save it as .nii.gz")
    if encoding == "raw":
        return replace(header, n_bytes_present=path.stat().st_size - end.end())
    return replace(header, n_bytes_present=_inflated_bytes(path, name, end.end(), header.n_bytes))


def _nrrd_layers(shape: tuple[int, ...], fields: dict[str, str]) -> tuple[int, tuple[int, ...]]:
    """How many values a voxel has, and the axes in space: the first axis may be a list that has no direction."""
    if len(shape) == 4 and shape[0] >= 1 and fields["space directions"].startswith("none"):
        return shape[0], shape[1:]
    return 1, shape


def _nrrd_fields(header: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """The format's own ``field: value`` lines in lower case, and ``key:=value`` lines as they are written."""
    fields, remarks = {}, {}
    for line in header.decode("utf-8", errors="replace").splitlines()[1:]:
        if line.startswith("#") or ":" not in line:
            continue
        key, value = line.split(":", 1)
        if value.startswith("="):
            remarks[key.strip()] = value[1:].strip()
        else:
            fields[key.strip().lower()] = value.strip().lower()
    return fields, remarks
