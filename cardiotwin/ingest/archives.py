"""A ZIP archive as a folder, unpacked as if it had been packed by an enemy.

Everything its directory says is checked before the first byte is unpacked; everything that comes out is counted,
because a directory can lie. Nothing is repaired: a name that points elsewhere refuses the archive, it is not bent into
place.
"""

from __future__ import annotations

import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cardiotwin.errors import InputRejected, ResourceLimit
from cardiotwin.ingest.wording import name_of, refusal, shown
from cardiotwin.progress import Progress, silent
from cardiotwin.storage.durable import TEMPORARY, HashedFile

MOST_MEMBERS = 50_000
MOST_DIRECTORY_BYTES = 64 << 20
MOST_UNPACKED_BYTES = 16 << 30
MOST_RATIO = 200
RATIO_ALLOWANCE_BYTES = 64 << 20
"""An empty slice packs a thousand to one, so a small archive may exceed the ratio."""
MOST_NAME_BYTES = 240
LOCAL_HEADER_BYTES = 30
PIECE_BYTES = 1 << 20

ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".iso")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Others may ask for gigabytes of dictionary before the first byte."""
PACK_AGAIN = "Unpack it yourself and look at it, or pack the folder again"


def is_zip(path: Path) -> bool:
    """Whether a file begins as a ZIP archive does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


@contextmanager
def opened(path: Path, beside: Path | None = None, progress: Progress = silent) -> Iterator[Path]:
    """A folder with the files of a ZIP archive, which vanishes at the end; any other path as it is.

    Parameters
    ----------
    path : Path
    beside : Path, optional
        The folder in which the temporary one is made (private, mode 0700); the system's own where it is left out.
    progress : Progress

    Raises
    ------
    InputRejected
        Damaged or unsafe; the line names the member, and nothing stays on the disk. More than 50,000 members, 16 GiB,
        200 to 1 (beyond the first 64 MiB), names over 240 bytes; a path out of the folder, a link, an archive inside,
        two members of one name, members that overlap, encryption, a wrong checksum.
    ResourceLimit
        It does not fit on the disk.
    """
    if not is_zip(path):
        yield path
        return
    name = name_of(path)
    with tempfile.TemporaryDirectory(prefix=f"{TEMPORARY}zip-", dir=beside) as folder:
        files = Path(folder) / path.name
        files.mkdir(mode=0o700)
        _unpack(path, name, files, progress)
        yield files


def _unpack(path: Path, name: str, folder: Path, progress: Progress) -> None:
    _check_directory_size(path, name)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise _broken(name, error) from None
    with archive:
        members = archive.infolist()
        _check_members(members, name, path.stat().st_size)
        total = sum(one.file_size for one in members)
        if total > (free := shutil.disk_usage(folder).free):
            raise ResourceLimit(f"{name}: unpacks to {total} bytes, {free} are free on the disk. Free some space")
        done = 0
        for one in members:
            progress(done / max(total, 1), f"unpacking {name}")
            _extract(archive, one, name, folder)
            done += one.file_size


def _check_directory_size(path: Path, name: str) -> None:
    """Refuse a directory too long to be read into memory, by what the end of the archive says of it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - (1 << 16) - 22))
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) < at + 22:
            raise refusal(name, "a ZIP archive without its directory", "all of it", "It is cut short; copy it again")
        listed = struct.unpack("<I", tail[at + 12 : at + 16])[0]
        locator = tail[at - 20 : at] if at >= 20 else b""
        if listed == 0xFFFFFFFF and locator[:4] == b"PK\x06\x07":
            file.seek(min(struct.unpack("<Q", locator[8:16])[0], size))
            end = file.read(48)
            listed = struct.unpack("<Q", end[40:48])[0] if len(end) == 48 else size
    if listed > MOST_DIRECTORY_BYTES:
        raise refusal(name, f"a directory of {listed} bytes", f"at most {MOST_DIRECTORY_BYTES}", PACK_AGAIN)


def _check_members(members: list[zipfile.ZipInfo], name: str, packed_bytes: int) -> None:
    """Everything that can be told from the directory alone."""
    if len(members) > MOST_MEMBERS:
        raise refusal(name, f"{len(members)} members", f"at most {MOST_MEMBERS}", "Pack one study")
    seen: dict[str, str] = {}
    for one in members:
        _check_name(one, name)
        _check_kind(one, name)
        _check_alone(one, name, seen)
    _check_overlap(members, name)
    total = sum(one.file_size for one in members)
    if total > MOST_UNPACKED_BYTES:
        raise refusal(name, f"{total} bytes unpacked", f"at most {MOST_UNPACKED_BYTES}", "Pack one study")
    if total > max(RATIO_ALLOWANCE_BYTES, MOST_RATIO * packed_bytes):
        raise refusal(name, f"{packed_bytes} bytes that unpack to {total}", f"at most {MOST_RATIO} to 1", PACK_AGAIN)


def _check_name(one: zipfile.ZipInfo, name: str) -> None:
    given = one.orig_filename
    parts = given.rstrip("/").split("/")
    wrong = (
        "an absolute path" * given.startswith("/")
        or "a drive letter" * bool(re.match(r"[A-Za-z]:", given))
        or "a backslash" * ("\\" in given)
        or "a path out of the folder" * (".." in parts)
        or "an empty part" * any(part in ("", ".") for part in parts)
        or "a control character" * any(ord(letter) < 32 or ord(letter) == 127 for letter in given)
        or f"a name of {len(given.encode())} bytes" * (len(given.encode(errors="replace")) > MOST_NAME_BYTES)
    )
    if wrong:
        raise refusal(_at(one, name), wrong, f"a plain name of at most {MOST_NAME_BYTES} bytes", PACK_AGAIN)


def _check_kind(one: zipfile.ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(one.external_attr >> 16)
    wrong = (
        "a link" * (kind == stat.S_IFLNK)
        or "neither file nor folder" * (kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK))
        or "an encrypted member" * bool(one.flag_bits & 0x41)
        or f"compression method {one.compress_type}" * (one.compress_type not in METHODS)
        or "an archive inside the archive" * one.filename.lower().endswith(ARCHIVES)
    )
    if wrong:
        raise refusal(_at(one, name), wrong, "a plain file, stored or deflated, not encrypted", PACK_AGAIN)


def _check_alone(one: zipfile.ZipInfo, name: str, seen: dict[str, str]) -> None:
    """No two members for one place, also where capitals make no difference, and no file where a folder is."""
    folded = one.filename.rstrip("/").casefold()
    kind = "folder" if one.is_dir() else "file"
    parents = ["/".join(folded.split("/")[:n]) for n in range(1, folded.count("/") + 1)]
    if folded in seen and not (kind == seen[folded] == "folder"):
        raise refusal(_at(one, name), "a second member of this name", "one", PACK_AGAIN)
    if any(seen.setdefault(parent, "folder") == "file" for parent in parents):
        raise refusal(_at(one, name), "a member inside a file", "inside a folder", PACK_AGAIN)
    seen[folded] = kind


def _check_overlap(members: list[zipfile.ZipInfo], name: str) -> None:
    end, before = 0, ""
    for one in sorted(members, key=lambda each: each.header_offset):
        if one.header_offset < end:
            raise refusal(_at(one, name), f"bytes that also belong to {shown(before)}", "its own", PACK_AGAIN)
        end = one.header_offset + LOCAL_HEADER_BYTES + one.compress_size
        before = one.filename


def _extract(archive: zipfile.ZipFile, one: zipfile.ZipInfo, name: str, folder: Path) -> None:
    target = folder.joinpath(*one.filename.rstrip("/").split("/"))
    if one.is_dir():
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    count = 0
    try:
        with archive.open(one) as packed, HashedFile(target) as file:
            while piece := packed.read(PIECE_BYTES):
                count += len(piece)
                file.write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise _broken(_at(one, name), error) from None
    if count != one.file_size:
        raise refusal(_at(one, name), f"{count} bytes", f"{one.file_size} as announced", "Pack the folder again")


def _at(one: zipfile.ZipInfo, name: str) -> str:
    return f"{name}: member {shown(one.filename, 120)}"


def _broken(where: str, error: Exception) -> InputRejected:
    what = "a wrong checksum" if "CRC" in str(error) else f"damage ({type(error).__name__})"
    return InputRejected(f"{where}: found {what}; expected a whole ZIP archive. Copy it again, or pack it again")
