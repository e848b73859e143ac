"""A MetaImage volume (``.mha``, or ``.mhd`` beside its ``.raw``), read without a native reader.

Format: https://itk.org/Wiki/MetaIO/Documentation. Its native readers follow a data path wherever it points, expand
patterns in it, and believe every count. Here the path must be a plain file name, and the file must lie in the folder of
the header. As in ITK the matrix takes voxel axes to LPS, whatever ``AnatomicalOrientation`` says.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np

from cardiotwin.ingest.volume_header import MOST_BYTES
from cardiotwin.ingest.wording import refusal, shown

MOST_HEADER_BYTES = 1 << 16
AGAIN = "Save it again, or as .nii.gz"
TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip


def read_metaimage(path: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and geometry of one volume.

    Returns
    -------
    values : (n_slices, n_rows, n_columns) of the stored type
    affine : (4, 4) float64
        Takes (column, row, slice, 1) to LPS, mm; of either handedness.

    Raises
    ------
    InputRejected
        No such file, a damaged header, voxels elsewhere than beside it, fewer of them than it says or more than 4 GiB.
    """
    if not path.is_file():
        raise refusal(name, "no such file", "a MetaImage header", "Check the path")
    fields, start = _fields(path, name)
    shape = tuple(int(n) for n in _numbers(fields, "DimSize", 3, name))
    if min(shape) < 1:
        raise refusal(f"{name}: DimSize", f"{shape}", "three lengths of at least 1", AGAIN)
    kind = TYPES.get(fields.get("ElementType", ""))
    channels = fields.get("ElementNumberOfChannels", "1")
    if kind is None or channels != "1":
        raise refusal(
            f"{name}: ElementType",
            f"{shown(fields.get('ElementType', 'nothing'))!r}, {shown(channels)} each",
            "one number a voxel",
            "Save one label a voxel",
        )
    dtype = np.dtype((">" if _is_true(fields, "BinaryDataByteOrderMSB", "ElementByteOrderMSB") else "<") + kind)
    n_bytes = shape[0] * shape[1] * shape[2] * dtype.itemsize
    if n_bytes > MOST_BYTES:
        raise refusal(f"{name}: axes {shape}", f"{n_bytes} bytes", f"at most {MOST_BYTES}", "Crop it")
    content = _content(path, fields, start, n_bytes, name)
    return np.frombuffer(content, dtype).reshape(shape[::-1]).astype(dtype.newbyteorder("=")), _affine(fields, name)


def _fields(path: Path, name: str) -> tuple[dict[str, str], int]:
    """``key = value`` lines up to the data file's name, and where the next byte is."""
    with path.open("rb") as file:
        head = file.read(MOST_HEADER_BYTES)
    fields: dict[str, str] = {}
    end = 0
    for line in head.split(b"\n"):  # not by a pattern: on 64 kB without "=" one took a minute and a half
        key, _, value = line.decode("utf-8", errors="replace").partition("=")
        fields[key.strip()] = value.strip()
        end += len(line) + 1
        if "ElementDataFile" in fields:
            break
    else:
        raise refusal(name, "no ElementDataFile", "a MetaImage header that ends with it", AGAIN)
    if not _is_true(fields, "BinaryData", default=True) or fields.get("NDims") != "3":
        raise refusal(
            name, f"NDims {shown(fields.get('NDims', 'nothing'))!r}", "one volume of binary voxels, NDims = 3", AGAIN
        )
    return fields, end


def _is_true(fields: dict[str, str], *keys: str, default: bool = False) -> bool:
    found = next((fields[key] for key in keys if key in fields), str(default))
    return found.lower() in ("true", "1", "yes")


def _numbers(fields: dict[str, str], key: str, count: int, name: str, default: str = "") -> np.ndarray:
    text = fields.get(key, default)
    try:
        values = np.array([float(part) for part in text.split()])
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not np.isfinite(values).all() or np.abs(values).max() > 1e9:
        raise refusal(f"{name}: {key}", shown(text) or "nothing", f"{count} numbers", AGAIN)
    return values


def _content(path: Path, fields: dict[str, str], start: int, n_bytes: int, name: str) -> bytes:
    """The voxels, inflated no further than the header says."""
    source = path
    if fields["ElementDataFile"] != "LOCAL":
        source, start = _beside(path, fields["ElementDataFile"], name), int(_skip(fields, name))
    packed = _is_true(fields, "CompressedData")
    with source.open("rb") as file:
        file.seek(start)
        content = _inflated(file.read(), n_bytes, name) if packed else file.read(n_bytes)
    if len(content) < n_bytes:
        raise refusal(name, f"{len(content)} bytes of voxels", f"{n_bytes} from its header", AGAIN)
    return content


def _skip(fields: dict[str, str], name: str) -> float:
    header = float(_numbers(fields, "HeaderSize", 1, name, default="0")[0])
    if header < 0:
        raise refusal(f"{name}: HeaderSize", f"{header:g}", "0 or more", AGAIN)
    return header


def _beside(path: Path, data_file: str, name: str) -> Path:
    """The data file, which must be a plain name and lie where the header does."""
    is_plain = re.fullmatch(r"[^/\\:%\x00-\x1f]+", data_file) and data_file not in (".", "..")
    if not is_plain or data_file.upper().startswith("LIST") or path.suffix.lower() != ".mhd":
        raise refusal(
            f"{name}: ElementDataFile", f"{shown(data_file)!r}", "LOCAL, or one file in the same folder", AGAIN
        )
    source = path.parent / data_file
    if not source.is_file():
        raise refusal(f"{name}: ElementDataFile", f"no file {shown(data_file)!r}", "it beside the header", "Add it")
    if source.resolve().parent != path.resolve().parent:
        raise refusal(
            f"{name}: ElementDataFile", f"a link out of the folder ({shown(data_file)!r})", "a file in it", "Copy it"
        )
    return source


def _inflated(packed: bytes, n_bytes: int, name: str) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(packed, n_bytes)
    except zlib.error:
        raise refusal(name, "compressed voxels that cannot be inflated", "a whole zlib stream", AGAIN) from None


def _affine(fields: dict[str, str], name: str) -> np.ndarray:
    spacing = _numbers(fields, "ElementSpacing" if "ElementSpacing" in fields else "ElementSize", 3, name, "1 1 1")
    matrix_key = next(
        (key for key in ("TransformMatrix", "Rotation", "Orientation") if key in fields), "TransformMatrix"
    )
    origin_key = next((key for key in ("Offset", "Position", "Origin") if key in fields), "Offset")
    axes = _numbers(fields, matrix_key, 9, name, "1 0 0 0 1 0 0 0 1").reshape(3, 3).T
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = _numbers(fields, origin_key, 3, name, "0 0 0")
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise refusal(f"{name}: {matrix_key}", "a flat matrix", "three axes and spacings", AGAIN)
    return affine
