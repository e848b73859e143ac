"""What a folder of DICOM files holds: patients, series, stacks, before any pixel is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardiotwin.errors import CardioTwinError, InputRejected, PolicyRefusal
from cardiotwin.ingest.damaged import together, worded
from cardiotwin.ingest.dicom_file import (
    EXPORT_AGAIN,
    TRUNCATED,
    begins_as_program,
    ends_early,
    is_dicom,
    quiet,
    read_dataset,
    text,
    undecoded,
)
from cardiotwin.ingest.dicomdir import DICOMDIR, named_files
from cardiotwin.ingest.folders import common_root, regular_files
from cardiotwin.ingest.guard import Stamp, stamp
from cardiotwin.ingest.slices import Slice, slices_of
from cardiotwin.ingest.stacks import positions_of
from cardiotwin.ingest.wording import name_of, refusal, shown, tagged
from cardiotwin.progress import Progress, silent

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DICOM_ENDINGS = (".dcm", ".ima", ".dicom")
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
WAVEFORM = "1.2.840.10008.5.1.4.1.1.9."
ESSENTIALS = ("SOPClassUID", "SOPInstanceUID", "Modality", "SeriesInstanceUID")
NAMES = ("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName")
"""That people and scanners give a series."""
FEWEST_CINE_FRAMES = 5

LGE_WORDS = "lge psir mde psmde late delayed viability viab gad enhancement"
SCOUT_WORDS = "localizer localiser scout tiscout survey molli shmolli t1map t2map t2star"
OTHER_WORDS = "mapping map perf perfusion stir haste flow venc tag tagging dwi dti"
"""Decide only where no LGE word stands beside them: a protocol may be named for the perfusion before it."""


@dataclass(frozen=True, eq=False)
class Instance:
    """One DICOM file without its pixels.

    Attributes
    ----------
    path, name : Path, str
        `name` is what a refusal calls the file.
    header : Dataset
        As read.
    stamp : Stamp
        Of the file when its header was read.
    """

    path: Path
    name: str
    header: Dataset
    stamp: Stamp

    @property
    def person(self) -> tuple[str, str, str]:
        """Patient ID, birth date, sex: compared, never shown."""
        return tuple(text(self.header, key) for key in ("PatientID", "PatientBirthDate", "PatientSex"))  # type: ignore[return-value]

    @property
    def sop_class(self) -> str:
        return text(self.header, "SOPClassUID")

    @property
    def media_class(self) -> str:
        return text(self.header.file_meta, "MediaStorageSOPClassUID")


@dataclass(frozen=True, eq=False)
class Series:
    """One DICOM series and what it is good for.

    Attributes
    ----------
    uid, number, description : str
        As in the header, escaped.
    instances : tuple of Instance
    slices : tuple of Slice
        Empty where the geometry was refused.
    n_positions, n_frames : int
        Slice positions, and frames at most of them.
    kind : str
        ``"lge"``, ``"cine"``, ``""`` where the header does not decide, ``"other"`` where it is neither.
    because : str
        What decided the kind.
    frame_of_reference : str
    problem : CardioTwinError or None
        Why it cannot be read.
    damaged : tuple of InputRejected
        One for each file without a geometry.
    """

    uid: str
    number: str
    description: str
    instances: tuple[Instance, ...]
    slices: tuple[Slice, ...]
    n_positions: int
    n_frames: int
    kind: str
    because: str
    frame_of_reference: str
    problem: CardioTwinError | None
    damaged: tuple[InputRejected, ...] = ()

    @property
    def modality(self) -> str:
        return text(self.instances[0].header, "Modality")

    def __str__(self) -> str:
        kind = {"": "undecided", "other": f"{shown(self.modality)}, neither LGE nor cine"}.get(self.kind, self.kind)
        return (
            f"series {self.number or '-'} '{self.description}' ({self.uid}): {kind}, {self.n_positions} positions x "
            f"{self.n_frames} frames, {len(self.instances)} files"
        )


@dataclass(frozen=True, eq=False)
class Study:
    """Everything found under one path.

    Attributes
    ----------
    series : tuple of Series
    notes : tuple of str
        What was left out, and why.
    skipped : tuple of str
        One line for each damaged file that the user wanted to be passed over.
    """

    series: tuple[Series, ...]
    notes: tuple[str, ...]
    skipped: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*map(str, self.series), *self.notes, *self.skipped])


@quiet()
def survey(
    path: str | Path | Iterable[str | Path],
    *,
    skip_bad: bool = False,
    accept_burned_in: bool = False,
    progress: Progress = silent,
) -> Study:
    """What a folder, a file, a DICOMDIR or several of them hold, without reading a pixel.

    Parameters
    ----------
    path : folder, file or several
    skip_bad : bool
        Leave out damaged files with a note each, instead of refusing all.
    accept_burned_in : bool
        Take series whose pixels may show a name.
    progress : Progress, optional

    Raises
    ------
    InputRejected
        No DICOM file; a file with a DICOM ending that is none; one SOP Instance UID on two different files; a DICOMDIR
        that names files outside its folder.
    PolicyRefusal
        Two patients.
    """
    files, notes = regular_files(path)
    root = common_root(path)
    asked = {Path(path)} if root is None and isinstance(path, str | Path) else set()
    instances: list[Instance] = []
    others: list[str] = []
    bad: list[InputRejected] = []
    for count, file in enumerate(files):
        progress(count / len(files), f"reading header {count + 1} of {len(files)}")
        name = name_of(file, root)
        if _skip(file, asked):
            others.append(name)
            continue
        try:
            one = _instance(file, name)
        except InputRejected as refused:
            bad.append(refused)
            continue
        if one.media_class == DICOMDIR:
            notes += [f"{name} names {shown(missing)}, which is not there" for missing in named_files(file)[1]]
        else:
            instances.append(one)
    if bad and not skip_bad:
        bad += [refused for group in _by_series(filter(_is_image, instances)) for refused in _without_bad(group)[1]]
        raise together(bad, len(files)) from None
    skipped = [f"skipped {refused}" for refused in bad]
    if not instances:
        where = files[0].parent.name if files else " ".join(name_of(Path(one)) for one in asked) or "input"
        raise InputRejected(f"{where}: no readable DICOM file among {len(files)}; expected an exported series")
    if others:
        notes.append(
            f"{len(others)} file(s) that are not DICOM left out ({others[0]}{' ...' if len(others) > 1 else ''})"
        )
    notes += _oddities(instances)
    check_one_patient(instances)
    instances = _without_copies(instances, notes)
    images = [one for one in instances if _is_image(one)]
    notes += [f"{one.name}: DICOM, but no image, left out" for one in instances if not _is_image(one)]
    groups = _by_series(images)
    if skip_bad:
        parted = [_without_bad(group) for group in groups]
        skipped += [f"skipped {refused}" for _, cut in parted for refused in cut]
        groups = [sound for sound, _ in parted if sound]
    if skipped and not groups:
        raise InputRejected(f"{skipped[0].removeprefix('skipped ')}; no other image is left to read")
    series = tuple(_series(group, accept_burned_in, len(files)) for group in groups)
    return Study(series, tuple(notes), tuple(skipped))


def _without_bad(instances: list[Instance]) -> tuple[list[Instance], list[InputRejected]]:
    """Without the files whose header was cut behind what tells their series, and why each of these is left out.

    What is neither LGE nor cine is left out anyway, and may well have no geometry.
    """
    if _kind_by_words(instances[0].header)[0] == "other":
        return instances, []
    sound, cut = [], []
    for one in instances:
        damaged = _slices_of_all([one])[1]
        cut += damaged
        sound += [] if damaged else [one]
    return sound, cut


def _oddities(instances: Sequence[Instance]) -> list[str]:
    """A line for each oddity that does no harm here, but may elsewhere."""
    programs = sum(begins_as_program(one.path) for one in instances)
    garbled = sum(undecoded(one.header, NAMES) for one in instances)
    lines = [f"{programs} file(s) begin as a program does; the preamble is zeros in the copies"] if programs else []
    if garbled:
        lines.append(
            f"{garbled} file(s) name a character set that is none, or hold text in another one "
            f"({tagged('SpecificCharacterSet')}): read as far as possible"
        )
    return lines


def _instance(file: Path, name: str) -> Instance:
    before = stamp(file)
    one = Instance(file, name, read_dataset(file, name, pixels=False), before)
    if one.media_class != DICOMDIR:
        _check_essentials(one)
    return one


def read_header(path: str | Path) -> Dataset:
    """One DICOM file without its pixels, for :func:`identity` and its dates.

    Raises
    ------
    InputRejected
        Not DICOM, or damaged.
    """
    return read_dataset(Path(path), name_of(Path(path)), pixels=False)


def check_one_patient(instances: Sequence[Instance]) -> None:
    """Refuse files of two people. A field that is empty in some files is not a contradiction.

    Raises
    ------
    PolicyRefusal
        Two different patient IDs (also by case or a leading zero), birth dates or sexes; the values are not shown.
    """
    for field, keyword in enumerate(("PatientID", "PatientBirthDate", "PatientSex")):
        first: dict[str, str] = {}
        for one in instances:
            if value := one.person[field]:
                first.setdefault(value, one.name)
        if len(first) > 1:
            a, b = list(first.values())[:2]
            raise refusal(
                f"{b}: {tagged(keyword)}",
                f"{len(first)} different values in one folder (another in {a})",
                "one patient",
                "Give each patient a folder of their own",
                PolicyRefusal,
            )


def _is_image(one: Instance) -> bool:
    from pydicom.uid import UID

    return "Image Storage" in UID(one.sop_class).name


def _check_essentials(one: Instance) -> None:
    """Refuse a header cut so short, or so damaged, that the file would pass for something else and be left out."""
    for keyword in ESSENTIALS:
        if not text(one.header, keyword):
            raise refusal(
                f"{one.name}: {tagged(keyword)}",
                "nothing",
                "a value",
                TRUNCATED if ends_early(one.header) else EXPORT_AGAIN,
            )
    announced = one.media_class
    if announced and announced != one.sop_class:
        where = f"{one.name}: {tagged('SOPClassUID')}"
        raise refusal(where, shown(one.sop_class), f"{shown(announced)} as in its file header", "Export it again")


def _skip(file: Path, asked: set[Path]) -> bool:
    """Whether a file is something else that lies beside a study: a viewer, a licence, a picture."""
    if file in asked or file.name.lower().endswith(DICOM_ENDINGS) or is_dicom(file):
        return False
    return bool(file.suffix) or file.stat().st_size > 0


def _without_copies(instances: list[Instance], notes: list[str]) -> list[Instance]:
    """Drop files given twice; refuse two different files under one SOP Instance UID."""
    seen: dict[str, Instance] = {}
    for one in instances:
        uid = text(one.header, "SOPInstanceUID") or str(one.path)
        earlier = seen.setdefault(uid, one)
        if earlier is one:
            continue
        if _digest(earlier.path) != _digest(one.path):
            where = f"{one.name}: {tagged('SOPInstanceUID')}"
            raise refusal(
                where, f"the same as in {earlier.name}, other content", "one file per UID", "Remove the wrong one"
            )
        notes.append(f"{one.name}: the same file as {earlier.name}, read once")
    return list(seen.values())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _by_series(instances: Iterable[Instance]) -> list[list[Instance]]:
    groups: dict[str, list[Instance]] = {}
    for one in instances:
        groups.setdefault(text(one.header, "SeriesInstanceUID"), []).append(one)
    return [groups[uid] for uid in sorted(groups)]


def _series(instances: list[Instance], accept_burned_in: bool, n_files: int) -> Series:
    header = instances[0].header
    slices: tuple[Slice, ...] = ()
    problem: CardioTwinError | None = None
    damaged: list[InputRejected] = []
    try:
        if not accept_burned_in:
            _check_policy(instances)
        found, damaged = _slices_of_all(instances)
        if damaged:
            raise together(damaged, n_files)
        slices = tuple(found)
        _check_one_frame_of_reference(instances)
    except CardioTwinError as refused:
        problem = refused
    kind, because = _kind_by_words(header)
    groups = positions_of(slices) if slices else []
    n_frames = int(np.median([len(group) for group in groups])) if groups else 0
    if slices and not problem and kind != "other":
        kind, because = _kind_by_frames(instances, n_frames, kind, because)
    return Series(
        uid=shown(text(header, "SeriesInstanceUID")),
        number=shown(text(header, "SeriesNumber")),
        description=shown(text(header, "SeriesDescription"), 40),
        instances=tuple(instances),
        slices=slices,
        n_positions=len(groups),
        n_frames=n_frames,
        kind=kind,
        because=because,
        frame_of_reference=text(header, "FrameOfReferenceUID"),
        problem=problem,
        damaged=tuple(damaged),
    )


def _slices_of_all(instances: Sequence[Instance]) -> tuple[list[Slice], list[InputRejected]]:
    """The slices of the files that have a geometry, and the refusal of each of the others."""
    slices: list[Slice] = []
    damaged: list[InputRejected] = []
    for one in instances:
        try:
            slices += slices_of(one.header, one.path, one.name)
        except InputRejected as refused:
            damaged.append(worded(refused, one.header))
    return slices, damaged


def words_of(header: Dataset) -> set[str]:
    """The words of the names that people and scanners gave the series, in lower case."""
    names = [text(header, key) for key in NAMES]
    names.append(text(header, "ImageType"))
    return set(re.split(r"[^a-z0-9]+", " ".join(names).lower()))


def kind_words(header: Dataset) -> list[str]:
    """Those of the words that decide the kind, sorted."""
    return sorted(words_of(header).intersection(f"{LGE_WORDS} {SCOUT_WORDS} {OTHER_WORDS}".split()))


def _kind_by_words(header: Dataset) -> tuple[str, str]:
    """``"lge"``, ``"other"`` or ``""``, and what says so."""
    words = words_of(header)
    if text(header, "Modality") != "MR":
        return "other", f"modality {shown(text(header, 'Modality'), 16)}, not MR"
    for names, kind in ((SCOUT_WORDS, "other"), (LGE_WORDS, "lge"), (OTHER_WORDS, "other")):
        if found := sorted(words.intersection(names.split())):
            return kind, f"its names say {', '.join(found)}"
    if text(header, "ContrastBolusAgent") or header.get("ContrastBolusAgentSequence"):
        return "lge", f"{tagged('ContrastBolusAgent')} is given"
    if _inversion(header):
        return "lge", f"{tagged('InversionTime')} is given"
    return "", "neither names nor tags say what it is"


def _kind_by_frames(instances: Sequence[Instance], n_frames: int, by_words: str, because: str) -> tuple[str, str]:
    """Several frames per position make a cine, unless it is one that waits for different inversion times.

    An LGE stack acquired twice has two frames per position and is refused later, so a few frames are not enough
    where the header speaks of contrast or inversion.
    """
    if len({_inversion(one.header) for one in instances}) > 1 and n_frames > 1:
        return "other", "several inversion times at each position"
    fewest = FEWEST_CINE_FRAMES if by_words == "lge" else 2
    return ("cine", f"{n_frames} frames at each position") if n_frames >= fewest else (by_words, because)


def _inversion(header: Dataset) -> str:
    """The inversion time as written; "" for none. Enhanced objects keep it inside their functional groups."""
    for one in (header, *_functional_groups(header, "MRModifierSequence")):
        time = text(one, "InversionTime") or text(one, "InversionTimes")
        if time not in ("", "None", "0", "0.0", "[]"):
            return time
    return ""


def _functional_groups(header: Dataset, keyword: str) -> list[Dataset]:
    """The items of one functional group, shared or of the first frame."""
    found: list[Dataset] = []
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in (header.get(name) or [])[:1]:
            found += group.get(keyword) or []
    return found


def _check_policy(instances: Sequence[Instance]) -> None:
    for one in instances:
        if one.sop_class.startswith(SECONDARY_CAPTURE):
            where, found = f"{one.name}: {tagged('SOPClassUID')}", "a secondary capture"
        elif text(one.header, "BurnedInAnnotation").upper() == "YES":
            where, found = f"{one.name}: {tagged('BurnedInAnnotation')}", "YES"
        else:
            continue
        raise refusal(where, found, "pixels without names", "Export the original series", PolicyRefusal)


def _check_one_frame_of_reference(instances: Sequence[Instance]) -> None:
    first = instances[0]
    for one in instances:
        if text(one.header, "FrameOfReferenceUID") != text(first.header, "FrameOfReferenceUID"):
            raise refusal(
                f"{one.name}: {tagged('FrameOfReferenceUID')}",
                f"another than in {first.name} of the same series",
                "one frame of reference",
                "Export the series again; the patient may have been moved in between",
            )
