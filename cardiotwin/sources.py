"""Which sources compute a stage: their hash is the stage's code version."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = "cardiotwin"

MACHINERY = frozenset(
    f"{_PACKAGE}.{name}"
    for name in (
        "ensemble",
        "errors",
        "progress",
        "settings",
        "sources",
        "storage.artefact",
        "storage.durable",
        "storage.store",
        "tissue.tunings",
    )
)
"""Modules that decide how a result is computed, kept or refused, not what it is.

`settings` is here because the values a stage reads are part of its key: a new option elsewhere makes nothing stale.
"""


def code_version(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's source and of every CardioTwin module it imports, directly or not.

    Only what the function itself imports counts, not what its neighbours in the module import: changing the report
    makes no calibration stale. Imports are read from the sources, also those inside functions. A name given to
    `import_module` counts as well: a text that is exactly a module's name names that module, one that ends in a dot all
    modules below it.
    """
    source = textwrap.dedent(inspect.getsource(function))
    return version_of(source, _named_in(source, function.__module__))


def version_of(source: str, modules: Iterable[str]) -> str:
    """SHA-256 of a source text, of these modules and of all they import within CardioTwin."""
    total = hashlib.sha256(source.encode())
    for name in sorted(reachable(modules)):
        total.update(f"{name}\0{_source_hash(name)}\0".encode())
    return total.hexdigest()


def reachable(modules: Iterable[str]) -> frozenset[str]:
    """These modules and all they import within CardioTwin, the machinery left out."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return frozenset(found)


@cache
def _imports(module: str) -> frozenset[str]:
    return _named_in(_file(module).read_text(encoding="utf-8"), module)


def _named_in(source: str, module: str) -> frozenset[str]:
    """CardioTwin modules that a source names."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            named.add(base)
            named.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.update(_named_in_text(node.value))
    ours = {name for name in named if name.startswith(f"{_PACKAGE}.") and _file_or_none(name)}
    return frozenset(ours - MACHINERY)


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = _file(module).name == "__init__.py"
    parents = module.split(".")[: len(module.split(".")) - node.level + is_package]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _named_in_text(text: str) -> Iterator[str]:
    """The module that a text names; with a dot at its end, all modules below."""
    name = text.rstrip(".")
    if not (text.startswith(f"{_PACKAGE}.") and all(part.isidentifier() for part in name.split("."))):
        return
    yield name
    folder = _file_or_none(name) if text.endswith(".") else None
    if folder is not None:
        yield from (f"{name}.{path.stem}" for path in folder.parent.glob("*.py") if path != folder)


@cache
def _source_hash(module: str) -> str:
    """Of a module's source; a package's also of the templates, styles and scripts beside it."""
    file = _file(module)
    beside = sorted(file.parent.glob("*")) if file.name == "__init__.py" else []
    files = [file, *(path for path in beside if path.is_file() and path.suffix != ".py")]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def _file(module: str) -> Path:
    path = _file_or_none(module)
    if path is None:
        raise ModuleNotFoundError(f"no source of {module}")
    return path


@cache
def _file_or_none(module: str) -> Path | None:
    """The source file of a module, found without running it."""
    first, *rest = module.split(".")
    for root in _roots() if first == _PACKAGE and rest else ():
        for candidate in (Path(root, *rest).with_suffix(".py"), Path(root, *rest, "__init__.py")):
            if candidate.is_file():
                return candidate
    return None


def _roots() -> tuple[Path, ...]:
    # In a checkout `kernels` and `meshes` are links beside this file; installed, they are folders.
    return (Path(__file__).parent,)
