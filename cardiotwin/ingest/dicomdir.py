"""The table of contents of a CD: which files of its own folder a DICOMDIR names, and none of any other."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from cardiotwin.errors import CardioTwinError
from cardiotwin.ingest.dicom_file import is_dicom, quiet, read_dataset, refusing, text
from cardiotwin.ingest.wording import name_of, refusal, tagged

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DICOMDIR = "1.2.840.10008.1.3.10"
COMPONENT = re.compile(r"[A-Za-z0-9_\-. ]{1,64}")
"""The standard allows eight capitals, digits and underscores; what writers use is wider, and never needs more."""
MOST_COMPONENTS = 16
ADVICE = "Give the folder of its files instead"


def is_dicomdir(path: Path) -> bool:
    """Whether a file is a DICOMDIR, by its content."""
    if not path.is_file() or not is_dicom(path):
        return False
    try:
        return _is_directory(read_dataset(path, name_of(path), pixels=False))
    except CardioTwinError:
        return False


def named_files(path: Path) -> tuple[list[Path], list[str]]:
    """The files that a DICOMDIR names, in its order, and those of them that are not there.

    Nothing outside the DICOMDIR's own folder is opened, or even looked at: names are checked part by part before the
    disk is asked, and a link on the way is refused. Capitals make no difference, because a CD does not tell them apart.

    Returns
    -------
    files : list of Path
        Regular files inside the folder.
    missing : list of str

    Raises
    ------
    InputRejected
        Damaged, or a name that leads out of the folder: ``..``, an absolute path, a separator, a link.
    """
    name = name_of(path)
    with quiet(), refusing(name, "the directory cannot be read"):
        records = read_dataset(path, name, pixels=False).get("DirectoryRecordSequence") or []
        names = [_components(record, name) for record in records if "ReferencedFileID" in record]
    files, missing = [], []
    for components in dict.fromkeys(names):
        found = _inside(path.parent, components, name)
        if found is None:
            missing.append("/".join(components))
        else:
            files.append(found)
    return files, missing


def _is_directory(header: Dataset) -> bool:
    return text(header.file_meta, "MediaStorageSOPClassUID") == DICOMDIR


def _components(record: Dataset, name: str) -> tuple[str, ...]:
    value = record.ReferencedFileID
    components = (value,) if isinstance(value, str) else tuple(map(str, value or ()))
    good = all(COMPONENT.fullmatch(one) and one.strip(". ") for one in components)
    if not good or not 0 < len(components) <= MOST_COMPONENTS:
        raise refusal(
            f"{name}: {tagged('ReferencedFileID')}",
            "a name that may lead out of the folder",
            "names of letters, digits and _ in the DICOMDIR's own folder",
            ADVICE,
        )
    return components


def _inside(folder: Path, components: tuple[str, ...], name: str) -> Path | None:
    """The regular file of that name below `folder`, without following a link; None where there is none."""
    here = folder
    for component in components:
        if not here.is_dir():
            return None
        there = here / component
        if not _there(there):
            alike = [one for one in here.iterdir() if one.name.casefold() == component.casefold()]
            if len(alike) != 1:
                return None
            there = alike[0]
        if stat.S_ISLNK(there.lstat().st_mode):
            raise refusal(f"{name}: {tagged('ReferencedFileID')}", "a link on the way", "files and folders", ADVICE)
        here = there
    return here if stat.S_ISREG(here.lstat().st_mode) else None


def _there(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return False
    return True
