"""The project's frozen dataclasses as files: arrays as .npy, everything else as JSON, driven by type hints.

No pickle: a stored artefact is data, and reading one never runs code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cardiotwin.errors import IntegrityError
from cardiotwin.storage.durable import HashedFile

VALUE = "value.json"
"""The file that holds all but the arrays, and names their files."""

_LARGEST_HEADER = 1 << 16


def size_of(value: Any) -> int:
    """Bytes of all arrays in a value: what saving it needs, but for headers and JSON."""
    arrays: dict[str, np.ndarray] = {}
    _encoded(value, "", arrays)
    return sum(array.nbytes for array in arrays.values())


def write(folder: Path, value: Any) -> dict[str, dict[str, Any]]:
    """Write a value into an existing folder; returns SHA-256 and size of every file written, by name.

    Raises
    ------
    TypeError
        A part is neither a dataclass, a tuple, a dict with text keys, an array of numbers, nor a scalar.
    OSError
        The disk said no.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _encoded(value, "", arrays)
    written = {}
    for name, array in arrays.items():
        with HashedFile(folder / name) as file:
            np.lib.format.write_array(file, array, allow_pickle=False)
        written[name] = {"sha256": file.sha256, "bytes": file.size}
    with HashedFile(folder / VALUE) as file:
        file.write(json.dumps(tree, indent=1, allow_nan=False).encode())
    written[VALUE] = {"sha256": file.sha256, "bytes": file.size}
    return written


def digest(value: Any) -> str:
    """Hash of a value's content: what `write` would put on disk, without writing it."""
    arrays: dict[str, np.ndarray] = {}
    total = hashlib.sha256(json.dumps(_encoded(value, "", arrays), allow_nan=False).encode())
    for name, array in arrays.items():
        total.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def read(folder: Path, kind: Any) -> Any:
    """Read a value of the given kind (a dataclass, or a hint such as ``tuple[Plan, ...]``).

    Raises
    ------
    IntegrityError
        A file is missing, or is not what the kind asks for.

    Notes
    -----
    What another release wrote is read where the fields without a default are the same.
    """
    try:
        tree = json.loads((folder / VALUE).read_bytes())
        return _decoded(tree, kind, lambda name: _array(folder, name))
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"artefact {folder.name}: not a readable {_name(kind)} ({error})"
        raise IntegrityError(f"{told}; damaged, or of a release that is no longer read") from error


def _encoded(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """The JSON tree of a value; its arrays are collected by file name."""
    if isinstance(value, np.ndarray):
        return {"$npy": _collected(value, path, arrays)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: _encoded(part, f"{path}.{name}", arrays) for name, part in fields.items()}
    if isinstance(value, tuple):
        return [_encoded(part, f"{path}.{i}", arrays) for i, part in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: _encoded(part, f"{path}.{key}", arrays) for key, part in value.items()}
    raise TypeError(f"cannot store {path.lstrip('.') or 'value'}: {type(value).__name__}")


def _collected(array: np.ndarray, path: str, arrays: dict[str, np.ndarray]) -> str:
    if array.dtype.hasobject:
        raise TypeError(f"cannot store {path.lstrip('.')}: an array of Python objects")
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", path.lstrip(".") or "array")[:120]
    name = f"{stem}.npy"
    while name in arrays:
        name = f"{stem}-{len(arrays)}.npy"
    arrays[name] = array
    return name


def _array(folder: Path, name: str) -> np.ndarray:
    if Path(name).name != name:
        raise ValueError(f"array file {name!r} lies outside the artefact")
    return np.load(folder / name, allow_pickle=False, max_header_size=_LARGEST_HEADER)


def _decoded(tree: Any, kind: Any, array: Callable[[str], np.ndarray]) -> Any:
    """The value a JSON tree stands for, read as `kind` says."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _decoded_union(tree, arguments, array)
    if origin is tuple:
        return _decoded_tuple(tree, arguments, array)
    if origin is dict:
        return {key: _decoded(part, arguments[1], array) for key, part in tree.items()}
    if origin is typing.Literal:
        return tree
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        # Fields that only another release has are left out, and those that it had not have their defaults.
        hints = _hints(kind)
        return kind(**{name: _decoded(part, hints[name], array) for name, part in tree.items() if name in hints})
    if kind is np.ndarray:
        return array(tree["$npy"])
    if kind is float:
        return float(tree["$float"] if isinstance(tree, dict) else tree)
    if _fits(tree, kind):
        return tree
    raise TypeError(f"found {type(tree).__name__}, expected {_name(kind)}")


def _decoded_union(tree: Any, kinds: tuple[Any, ...], array: Callable[[str], np.ndarray]) -> Any:
    for kind in kinds:
        if _fits(tree, kind):
            return _decoded(tree, kind, array)
    raise TypeError(f"found {type(tree).__name__}, expected one of {', '.join(map(_name, kinds))}")


def _decoded_tuple(tree: Any, kinds: tuple[Any, ...], array: Callable[[str], np.ndarray]) -> tuple[Any, ...]:
    if not isinstance(tree, list):
        raise TypeError(f"found {type(tree).__name__}, expected a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_decoded(part, kinds[0], array) for part in tree)
    return tuple(_decoded(part, kind, array) for part, kind in zip(tree, kinds, strict=True))


def _fits(tree: Any, kind: Any) -> bool:
    """Whether a JSON value can be of this kind, judged by its outer form."""
    tags = set(tree) & {"$npy", "$float"} if isinstance(tree, dict) else set()
    if kind is np.ndarray:
        return tags == {"$npy"}
    if kind is float:
        return tags == {"$float"} or (isinstance(tree, float | int) and not isinstance(tree, bool))
    if kind is int:
        return isinstance(tree, int) and not isinstance(tree, bool)
    if kind in (str, bool, type(None)):
        return isinstance(tree, kind)
    if typing.get_origin(kind) is tuple:
        return isinstance(tree, list)
    return isinstance(tree, dict) and not tags


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))
