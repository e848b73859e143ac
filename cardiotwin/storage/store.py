"""Finished results, each under the hash of everything it was made from.

An artefact is a folder with a manifest. The folder is filled under a temporary name, every file synced, the manifest
written last, and then renamed: no valid manifest, no artefact.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cardiotwin.errors import IntegrityError
from cardiotwin.storage import artefact, durable

MANIFEST = "manifest.json"
SOURCES = "sources"
FORMAT = 1
"""Of the artefact; a change of the layout on disk raises it."""


def save(folder: Path, value: Any, copies: Callable[[Path], object] | None = None, **about: Any) -> None:
    """Store a value as the folder `folder`, in full or not at all.

    Parameters
    ----------
    folder : Path
        Replaced if it is there.
    value
        A frozen dataclass, or a tuple or dict of them; see `cardiotwin.storage.artefact`.
    copies : callable, optional
        Fills a folder `sources` beside the value with what it was made from.
    about
        What else the manifest should say; JSON.

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written to; what was there before is untouched.
    """
    with durable.new_folder(folder, artefact.size_of(value)) as temporary:
        files = artefact.write(temporary, value)
        if copies is not None:
            sources = temporary / SOURCES
            sources.mkdir(mode=0o700)
            copies(sources)
            files |= _synced(sources, temporary)
        _write_manifest(temporary, {"files": files, **about})


@contextmanager
def filled(folder: Path, **about: Any) -> Iterator[Path]:
    """A temporary folder for files of any kind; becomes `folder`, with a manifest, when the block ends well.

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written to; what was there before is untouched.
    """
    start = time.monotonic()
    with durable.new_folder(folder) as temporary:
        yield temporary
        about["files"] = _synced(temporary, temporary)
        _write_manifest(temporary, {**about, "created": now(), "seconds": round(time.monotonic() - start, 3)})


def _synced(folder: Path, root: Path) -> dict[str, dict[str, Any]]:
    """Sync every file below `folder`; SHA-256 and size of each by its path from `root`."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        durable.sync_file(path)
        name = path.relative_to(root).as_posix()
        files[name] = {"sha256": durable.sha256_of(path), "bytes": path.stat().st_size}
    return files


def _write_manifest(folder: Path, about: dict[str, Any]) -> None:
    manifest = {"format": FORMAT, **about}
    with durable.HashedFile(folder / MANIFEST) as file:
        file.write(json.dumps({**manifest, "self": _digest(manifest)}, indent=1).encode())


def now() -> str:
    """The time as it is written everywhere: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def load(folder: Path, kind: Any) -> Any:
    """Read what `save` stored, every file checked against its hash.

    Raises
    ------
    IntegrityError
        There is no valid manifest, or a file is not what the manifest says; names the artefact and the file.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise IntegrityError(
            f"artefact {folder.name}: no valid manifest. Delete {folder} and run again to recompute it"
        )
    check(folder, manifest)
    return artefact.read(folder, kind)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest, or None where there is none or it is damaged: the artefact is then absent."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        stated = manifest.pop("self")
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return manifest if stated == _digest(manifest) and manifest.get("format") == FORMAT else None


def check(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Compare every file with its manifest; raises IntegrityError for the first that differs."""
    for name, stated in manifest["files"].items():
        path = folder / name
        hint = f"Delete {folder} and run again to recompute it"
        if not path.is_file():
            raise IntegrityError(f"artefact {folder.name}: {name} is missing. {hint}")
        found = durable.sha256_of(path)
        if found != stated["sha256"]:
            raise IntegrityError(
                f"artefact {folder.name}: {name} has SHA-256 {found[:12]}, its manifest says "
                f"{stated['sha256'][:12]}. {hint}"
            )


def content(manifest: Mapping[str, Any]) -> str:
    """Hash of what an artefact holds, whenever and wherever it was computed."""
    return _digest({name: stated["sha256"] for name, stated in manifest["files"].items()})


def _digest(value: Any) -> str:
    return hashlib.sha256(durable.canonical(value)).hexdigest()


@dataclass(frozen=True)
class Recipe:
    """All that decides a stage's output.

    Attributes
    ----------
    stage : str
    inputs : dict of str to str
        Key of each upstream stage and SHA-256 of each observation, by name; the plug-in that computes it, if one does.
    settings : dict
        The settings the stage reads, `section.key` to value; JSON.
    code : str
        Hash of the sources that compute it.
    """

    stage: str
    inputs: dict[str, str]
    settings: dict[str, Any]
    code: str

    @cached_property
    def key(self) -> str:
        """The content address: SHA-256 of all of the above."""
        return _digest([FORMAT, self.stage, self.inputs, self.settings, self.code])


class Store:
    """The `stages/` folder of a twin: one finished output per key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        return self.folder / key

    def partial(self, key: str) -> Path:
        """Where a stage keeps what it has so far; removed when the stage is finished."""
        return self.folder / f".partial-{key}"

    def manifest(self, key: str) -> dict[str, Any] | None:
        return read_manifest(self.path(key))

    def has(self, key: str) -> bool:
        return self.manifest(key) is not None

    def put(self, recipe: Recipe, value: Any, seconds: float) -> None:
        """Store a finished stage and drop its partial results."""
        save(
            self.path(recipe.key),
            value,
            stage=recipe.stage,
            key=recipe.key,
            inputs=recipe.inputs,
            settings=recipe.settings,
            code=recipe.code,
            created=now(),
            seconds=round(seconds, 3),
        )
        durable.remove(self.partial(recipe.key))

    def get(self, key: str, kind: Any) -> Any:
        """Read a finished stage.

        Raises
        ------
        IntegrityError
            A file changed since it was written, or the folder holds another stage's output.
        """
        manifest = self.manifest(key)
        if manifest is not None and manifest.get("key") != key:
            raise IntegrityError(f"artefact {key} holds the output of {manifest.get('key')}. Delete it and run again")
        return load(self.path(key), kind)

    def sweep(self, wanted: Container[str] | None = None) -> None:
        """Remove what killed runs left behind.

        Parameters
        ----------
        wanted : container of str, optional
            Keys of folders whose results may still be of use; left out: all that are not finished.
        """
        durable.sweep(self.folder)
        for partial in self.folder.glob(".partial-*"):
            key = partial.name.removeprefix(".partial-")
            if self.has(key) or (wanted is not None and key not in wanted):
                durable.remove(partial)
            else:
                durable.sweep(partial)
