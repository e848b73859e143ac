"""Where compiled kernels and other things of this machine are kept, and what to do when kernels are damaged."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

# Imported with the package itself: what only a damaged cache needs is imported there.

Result = TypeVar("Result")

KEPT = 8
"""Caches of other states of the sources that stay: going back to a branch need not compile again."""


def cache_folder() -> Path | None:
    """A private folder for today's kernels: one for each state of their sources and release of Numba.

    Numba itself only looks at the file a function stands in. A kernel that inlines another from a second file would
    keep running the old one, so the sources of all kernels and meshes name the folder. Loading from a cache runs code:
    a folder that somebody else owns or may write to is refused.

    Returns
    -------
    Path or None
        None where there is no such place; Numba then compiles beside the sources, or anew.
    """
    return own_folder("numba", f"{_sources():08x}")


def own_folder(kind: str, state: str) -> Path | None:
    """A private folder of the user's cache for one kind of thing in one state of the sources; None where there is none.

    The others of its kind stay, but for those that have not been used for longest.
    """
    for root in _roots():
        home = root / "cardiotwin"
        if _is_private(home):
            folder = home / f"{kind}-{state}"
            if not folder.exists():
                _make_room(home, kind)
                folder.mkdir(mode=0o700, exist_ok=True)
            os.utime(folder)  # it is in use: `_make_room` takes the one that has not been for longest
            return folder
    return None


def _make_room(home: Path, kind: str) -> None:
    """Remove the caches that have not been used for longest."""
    from cardiotwin.storage.durable import remove

    def used(cache: Path) -> float:
        try:
            return cache.stat().st_mtime
        except FileNotFoundError:  # another process has removed it
            return 0.0

    caches = sorted(home.glob(f"{kind}-*"), key=used)
    for old in caches[: -KEPT + 1]:
        remove(old)


def _roots() -> Iterator[Path]:
    told = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(told):
        yield Path(told)
    with suppress(RuntimeError):  # no HOME and no such user
        yield Path.home() / ".cache"
    yield Path(os.environ.get("TMPDIR") or "/tmp") / f"cardiotwin-{os.getuid()}"


def _is_private(folder: Path) -> bool:
    """Make the folder if it is not there; whether it is ours alone and can be written to."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return ours and os.access(folder, os.W_OK | os.X_OK)


def _sources() -> int:
    """Checksum of the names, sizes and times of the kernels' and meshes' sources, and of Numba's release."""
    # Times, not contents: reading all sources would cost every command more than the rest of its start.
    here = Path(__file__).parent
    found = sorted(file for folder in (here / "kernels", here / "meshes") for file in _files(folder))
    numba = find_spec("numba")
    if numba is not None and numba.origin is not None:
        release = Path(numba.origin).with_name("_version.py")
        found.append((numba.origin, 0, release.stat().st_mtime_ns if release.exists() else 0))
    return zlib.crc32(repr(found).encode())


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    for root, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(root, name)
                found = os.stat(path)
                yield os.path.relpath(path, folder.parent), found.st_size, found.st_mtime_ns


@cache
def say_when_compiling() -> None:
    """From now on say which kernel Numba compiles: the first run on a machine waits for that, for a minute or two."""
    from numba.core import event

    from cardiotwin.progress import DOING

    depth = 0

    class Compiling(event.Listener):
        """Of a kernel and those it calls, the one that was asked for."""

        def on_start(self, event: Any) -> None:
            nonlocal depth
            depth += 1
            if depth == 1:
                DOING.info("compiling %s", event.data["dispatcher"].py_func.__name__.strip("_"))

        def on_end(self, event: Any) -> None:
            nonlocal depth
            depth -= 1
            if depth == 0:
                DOING.info("")

    event.register("numba:compile", Compiling())


def retrying(compute: Callable[[], Result]) -> Result:
    """Call; when Numba stumbles over a damaged cache, delete the cache and call once more.

    Half-written or flipped index and data files surface as EOFError, UnpicklingError, UnicodeDecodeError or an LLVM
    error (numba/numba#10434), so it is recognised by where it was raised.
    """
    try:
        return compute()
    except Exception as error:
        import warnings

        folder = Path(os.environ.get("NUMBA_CACHE_DIR", ""))
        if not _is_cache_damage(error) or not folder.is_absolute():
            raise
        warnings.warn(f"the cache of compiled kernels in {folder} is damaged: deleted, compiling again", stacklevel=2)
        _empty(folder)
        return compute()


def _empty(folder: Path) -> None:
    """Remove the compiled files, and nothing else that may lie in a folder the user named."""
    for path in folder.rglob("*.nb[ic]"):
        path.unlink(missing_ok=True)


def _is_cache_damage(error: BaseException) -> bool:
    import traceback

    # An error in a worker process arrives as text.
    text = "".join(traceback.format_exception(error))
    return f"numba{os.sep}core{os.sep}caching.py" in text and not isinstance(error, OSError)
