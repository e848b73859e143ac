"""What an XDMF file points to, looked at before anything is read: only HDF5 files beside it that hold their own data.

HDF5 follows links into other files, reads raw bytes of any file as a dataset, and believes sizes of terabytes in a file
of a kilobyte. All of that can be seen without reading.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from cardiotwin.errors import MeshError
from cardiotwin.meshes.formats.claims import refused, shown
from cardiotwin.meshes.formats.xml_parts import Element, elements

MOST_BYTES = 4 << 30
MOST_RATIO, SLACK_BYTES = 1100, 1 << 20
"""Deflate packs at most 1032 to 1."""
MOST_OBJECTS = 10_000
KNOWN_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32"}


def check_xdmf(path: Path) -> None:
    """Refuse entities, data in other formats than XML and HDF5, and HDF5 files that are elsewhere or not harmless.

    Raises
    ------
    MeshError
    """
    name = shown(path.name)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        items = list(_data_items(elements(data, name)[0]))
        named = [(item.attributes.get("Format", "XML"), bytes(data[item.start : min(item.stop, item.start + 4096)]))
                 for item in items]  # fmt: skip
    for form, text in named:
        if form == "HDF":
            _check_hdf5(_beside(path, text.decode("utf-8", "replace").strip()))
        elif form != "XML":
            raise refused(name, f"data in the format {shown(form, 30)!r}", "XML or HDF", "Save it with HDF5")


def _data_items(one: Element) -> list[Element]:
    own = [one] if one.tag == "DataItem" and "Dimensions" in one.attributes else []
    return own + [item for child in one.children for item in _data_items(child)]


def _beside(path: Path, reference: str) -> Path:
    """The HDF5 file of a reference such as ``heart.h5:/data0``."""
    file, separator, _ = reference.partition(":")
    if not separator or Path(file).name != file or file in ("", ".", "..") or "\\" in file:
        raise refused(shown(path.name), f"data at {shown(reference, 60)!r}", "NAME.h5:/path, in the same folder")
    if not (path.parent / file).is_file():
        raise MeshError(f"{shown(path.name)}: its data file {shown(file)} is missing; copy it beside this one")
    return path.parent / file


def _check_hdf5(path: Path) -> None:
    import h5py

    name = shown(path.name)
    try:
        with h5py.File(path, "r") as file:
            objects = _Objects(name)
            objects.look(file, "")
    except MeshError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise refused(name, f"damaged HDF5 ({shown(' '.join(str(error).split()), 120)})", "a whole file") from error
    if objects.n_bytes > min(MOST_BYTES, MOST_RATIO * path.stat().st_size + SLACK_BYTES):
        raise refused(
            name, f"datasets of {objects.n_bytes} bytes in {path.stat().st_size}", f"at most {MOST_BYTES}, and present"
        )


class _Objects:
    """Walks a file by its own links, and adds up what its datasets claim."""

    def __init__(self, name: str) -> None:
        self.name, self.n_bytes, self.seen = name, 0, 0

    def look(self, group: Any, where: str) -> None:
        import h5py

        for key in group:
            here, self.seen = f"{where}/{key}", self.seen + 1
            if self.seen > MOST_OBJECTS:  # hard links may form a loop
                raise refused(self.name, f"more than {MOST_OBJECTS} objects", "a mesh")
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise refused(self.name, f"a link to elsewhere at {shown(here)}", "the data themselves")
            one = group[key]
            if isinstance(one, h5py.Dataset):
                self.check(one, here)
            elif here.count("/") > 32:
                raise refused(self.name, f"groups more than 32 deep at {shown(here)}", "a mesh")
            else:
                self.look(one, here)

    def check(self, data: Any, here: str) -> None:
        if data.external or data.is_virtual:
            raise refused(self.name, f"data kept in other files at {shown(here)}", "the data themselves")
        if data.dtype.hasobject or data.dtype.kind not in "iuf":
            raise refused(self.name, f"values of type {data.dtype} at {shown(here)}", "numbers")
        plist = data.id.get_create_plist()
        filters = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
        unknown = [one for one in filters if one not in KNOWN_FILTERS]
        if unknown:
            known = ", ".join(KNOWN_FILTERS.values())
            raise refused(self.name, f"filter {unknown[0]} at {shown(here)}", known, "Save it with gzip compression")
        self.n_bytes += int(data.size or 0) * data.dtype.itemsize
