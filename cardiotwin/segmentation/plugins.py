"""Trained models from other packages: found by entry point, their weights checked before they are used.

A package offers a model as a `Segmenter` in the group ``cardiotwin.segmenters``::

    [project.entry-points."cardiotwin.segmenters"]
    mynet = "mynet.cardiotwin:segmenter"

and a twin asks for it by ``segment.method = "mynet"``. CardioTwin ships no weights and fetches none. The module that is
named is imported by every command that asks what is stale, so what is heavy belongs into its `segment`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np

from cardiotwin.errors import InputRejected, IntegrityError, SettingsError
from cardiotwin.imaging import Image
from cardiotwin.segmentation.labels import Segmentation, from_label_map

GROUP = "cardiotwin.segmenters"
LARGEST_HEADER_BYTES = 100_000_000
"""Of a safetensors file, as its own reader allows."""


@dataclass(frozen=True)
class Weights:
    """A file of trained weights.

    Attributes
    ----------
    path : Path
        Ends in ``.safetensors`` or ``.onnx``.
    sha256 : str
        64 hexadecimal digits, pinned by the package that offers the model.
    """

    path: Path
    sha256: str


@dataclass(frozen=True)
class Segmenter:
    """What an entry point of the group must name.

    Attributes
    ----------
    segment : callable
        ``segment(image, weights) -> Segmentation``, on the image's own grid. `weights` are the bytes of the file, as
        they were hashed; None where the model has no file. Confidences by slice go into
        ``Segmentation.confidence["by_slice"]``, as the automatic contours put them there.
    weights : Weights or None
    """

    segment: Callable[[Image, bytes | None], Segmentation]
    weights: Weights | None = None


def segment_with(name: str, image: Image) -> Segmentation:
    """Labels by the installed plug-in of this name.

    Raises
    ------
    SettingsError
        No such plug-in, more than one, one that cannot be imported, or one that is no `Segmenter`.
    InputRejected
        Weights in a format that can run code; labels on another grid, of unknown codes, or no `Segmentation`.
    IntegrityError
        The weights are not those that were pinned.
    QualityGate
        Labels without left-ventricular blood or myocardium.
    """
    entry = _entry(name)
    segmenter = _loaded(entry)
    weights = None if segmenter.weights is None else checked_weights(segmenter.weights)
    return _checked_result(segmenter.segment(image, weights), image, name, _told(entry, segmenter, 12))


def installed(name: str) -> str:
    """Which plug-in of this name a segmentation would be made by: package, version, weights, code; for the stage's key.

    The code is the module that the entry point names, so that an edit in a development install counts too. A plug-in
    that cannot be used is named with the reason: the stage itself refuses it.
    """
    try:
        entry = _entry(name)
        segmenter = _loaded(entry)
    except SettingsError as error:
        return f"plug-in {name}, which cannot be used: {error}"
    file = getattr(sys.modules.get(entry.module), "__file__", None)
    code = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else "unknown"
    return f"{_told(entry, segmenter, 64)}, code sha256:{code}"


def _told(entry: EntryPoint, segmenter: Segmenter, digits: int) -> str:
    source = f"plug-in {entry.name}"
    if entry.dist is not None:
        source += f" of {entry.dist.name} {entry.dist.version}"
    if segmenter.weights is not None:
        source += f", weights sha256:{segmenter.weights.sha256[:digits].lower()}"
    return source


def _entry(name: str) -> EntryPoint:
    offered = entry_points(group=GROUP)
    matching = [entry for entry in offered if entry.name == name]
    if len(matching) != 1:
        others = ", ".join(sorted({entry.name for entry in offered})) or "none"
        raise SettingsError(
            f"segment.method: {len(matching)} installed plug-ins are called {name!r}, expected one; "
            f'installed: {others}; use "automatic", or install the package that offers it'
        )
    return matching[0]


def _loaded(entry: EntryPoint) -> Segmenter:
    try:
        segmenter = entry.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"segment.method: plug-in {entry.name!r} cannot be imported ({error})") from error
    if not isinstance(segmenter, Segmenter):
        raise SettingsError(
            f"segment.method: plug-in {entry.name!r} ({entry.value}) is a {type(segmenter).__name__}; "
            "expected a cardiotwin.segmentation.plugins.Segmenter"
        )
    return segmenter


def checked_weights(weights: Weights) -> bytes:
    """The file's bytes, once they are known to be data, and the data that were pinned.

    Raises
    ------
    InputRejected
        Missing, or neither safetensors nor ONNX: pickles and what may hold them run code when they are read.
    IntegrityError
        Another SHA-256 than the pinned one.
    """
    name, kind = weights.path.name, weights.path.suffix.lower()
    if kind not in (".safetensors", ".onnx"):
        raise InputRejected(f"weights {name}: {kind or 'no suffix'}; expected .safetensors or .onnx; convert them")
    try:
        data = weights.path.read_bytes()
    except OSError as error:
        raise InputRejected(f"weights {name}: cannot be read ({error.strerror}); install them again") from error
    if not (_is_safetensors(data) if kind == ".safetensors" else _may_be_onnx(data)):
        raise InputRejected(
            f"weights {name}: not what {kind} files hold (begins {data[:4].hex(' ')}); "
            "expected no pickle and no archive; convert them"
        )
    found = hashlib.sha256(data).hexdigest()
    if found != weights.sha256.lower():
        raise IntegrityError(
            f"weights {name}: SHA-256 {found[:12]}..., expected {weights.sha256[:12].lower()}... as pinned; "
            "install the plug-in and its weights again"
        )
    return data


def _is_safetensors(data: bytes) -> bool:
    """Eight bytes of length, little-endian, then that much JSON, which is an object."""
    length = int.from_bytes(data[:8], "little")
    return 2 <= length <= min(len(data) - 8, LARGEST_HEADER_BYTES) and data[8:9] == b"{"


def _may_be_onnx(data: bytes) -> bool:
    """ONNX has no signature; its first field is the version of its format, tag 8. No pickle or archive begins so."""
    return data[:1] == b"\x08"


def _checked_result(result: object, image: Image, name: str, source: str) -> Segmentation:
    if not isinstance(result, Segmentation):
        raise InputRejected(f"plug-in {name!r}: gave a {type(result).__name__}; expected a Segmentation")
    labels = np.asarray(result.labels)
    if labels.shape != image.values.shape or not np.allclose(result.affine, image.affine, atol=1e-6):
        raise InputRejected(
            f"plug-in {name!r}: labels of {labels.shape} on their own grid; expected {image.values.shape} "
            "with the affine of the image; resample them"
        )
    checked = from_label_map(labels, result.affine, scar_assessable=result.scar_assessable)
    return replace(result, labels=checked.labels, confidence={**result.confidence, "source": source})
