"""What a file is, whose it is and when it was true, before the twin takes it in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardiotwin.errors import InputRejected, SettingsError
from cardiotwin.ingest.dicom_file import is_dicom, read_dataset, text
from cardiotwin.ingest.folders import regular_files
from cardiotwin.ingest.study import WAVEFORM
from cardiotwin.ingest.wording import shown
from cardiotwin.progress import Progress, silent

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PERSON = ("PatientID", "PatientBirthDate", "PatientSex")
LABEL_MAPS = (".nii", ".nii.gz", ".nrrd")
_EFFECTIVE = ("AcquisitionDateTime", "AcquisitionDate+AcquisitionTime", "SeriesDate+SeriesTime", "StudyDate+StudyTime")
_RECORDED = ("InstanceCreationDate+InstanceCreationTime", "ContentDate+ContentTime")


@dataclass(frozen=True, eq=False)
class Found:
    """One input, read: nothing of the patient's name is left in it.

    Attributes
    ----------
    kind : str
        Of `cardiotwin.stages.OBSERVED`.
    value
        What the ingest functions return.
    source : str
        Format and size in a few words; no path, because paths carry names.
    name : str
        Of a plan; "" for the rest.
    identity : str
        One salted hash each of patient ID, birth date and sex, empty where the file is silent, joined by "/".
    effective, recorded : str
        ISO 8601, "" where the file does not say.
    """

    kind: str
    value: Any
    source: str
    name: str = ""
    identity: str = ""
    effective: str = ""
    recorded: str = ""


def find(path: Path, *, salt: str = "", at: str = "", progress: Progress = silent) -> list[Found]:
    """Recognise and read what lies at a path.

    A folder gives its LGE or cine stack and its ECGs in DICOM or WFDB. Label maps, CSV files and plans are only taken
    when they are named themselves: a study folder may hold such files for other reasons.

    Parameters
    ----------
    path : Path
    salt : str
        Of the twin, for the hashes of identity.
    at : str
        ISO 8601: when it was recorded, for files that do not say.
    progress : Progress

    Raises
    ------
    InputRejected
        Nothing there, nothing known, or damaged; see `cardiotwin.ingest`.
    QualityGate
        Readable, but not enough.
    PolicyRefusal
        Two patients in one folder.
    SettingsError
        `at` is not a time.
    """
    at = _checked_time(at)
    if not path.exists():
        raise InputRejected(f"{shown(path.name)}: no such file or folder; check the path")
    if path.is_dir():
        return _in_folder(path, salt, at, progress)
    return [_one_file(path, salt, at, progress)]


def same_person(known: str, found: str) -> bool:
    """Whether two identities can be one person's: what one of them does not say is no contradiction."""
    pairs = zip(known.split("/"), found.split("/"), strict=False)
    return all(a == b for a, b in pairs if a and b)


def age(effective: str) -> str:
    """How long ago that was, in days."""
    if not effective:
        return "unknown"
    then = datetime.fromisoformat(effective)
    # A time without a zone is the hospital's; half a day does not matter to an age in days.
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return f"{max((datetime.now(UTC) - then).days, 0)} d"


def _in_folder(folder: Path, salt: str, at: str, progress: Progress) -> list[Found]:
    files, _ = regular_files(folder)
    dicom = [file for file in files if is_dicom(file) or file.suffix.lower() in (".dcm", ".ima")]
    waveforms = [file for file in dicom if _sop_class(file).startswith(WAVEFORM)]
    records = [file for file in files if file.suffix.lower() == ".hea"]
    found = [_one_file(file, salt, at, progress) for file in (*waveforms, *records)]
    if len(dicom) > len(waveforms):
        found.insert(0, _image(folder, salt, progress))
    if not found:
        raise InputRejected(
            f"{shown(folder.name)}: found no DICOM image, DICOM ECG or WFDB record among {len(files)} files; "
            "name label maps, CSV files and plans themselves"
        )
    return found


def _one_file(path: Path, salt: str, at: str, progress: Progress) -> Found:
    name = path.name.lower()
    if name.endswith(LABEL_MAPS):
        return _label_map(path, at)
    if name.endswith(".toml"):
        return _plan(path)
    if name.endswith(".csv"):
        return _csv(path, at)
    if name.endswith(".hea"):
        return _wfdb(path, at)
    if name.endswith((".dcm", ".ima")) or (path.stat().st_size > 0 and is_dicom(path)):
        return _dicom_ecg(path, salt, at) if _sop_class(path).startswith(WAVEFORM) else _image(path, salt, progress)
    raise InputRejected(
        f"{shown(path.name)}: unknown kind of file; expected DICOM, a label map ({', '.join(LABEL_MAPS)}), an ECG "
        "(DICOM, .hea, .csv), electrodes (.csv) or a plan (.toml)"
    )


def _image(path: Path, salt: str, progress: Progress) -> Found:
    from cardiotwin.ingest import image_files, read_dicom

    files = image_files(path)
    image = read_dicom(path, progress=progress)
    header = read_dataset(files[0], shown(files[0].name), pixels=False)
    slices, rows, columns = image.values.shape
    return Found(
        kind="image",
        value=image,
        source=f"{image.kind} DICOM series, {len(files)} files, {slices} slices of {rows} x {columns}",
        identity=_identity(header, salt),
        effective=_time(header, _EFFECTIVE),
        recorded=_time(header, _RECORDED),
    )


def _dicom_ecg(path: Path, salt: str, at: str) -> Found:
    from cardiotwin.ingest import read_ecg

    header = read_dataset(path, shown(path.name), pixels=False)
    effective, recorded = _time(header, _EFFECTIVE) or at, _time(header, _RECORDED)
    return _ecg(read_ecg(path), "DICOM waveform", _identity(header, salt), effective, recorded)


def _wfdb(path: Path, at: str) -> Found:
    from cardiotwin.ingest import read_ecg

    ecg = read_ecg(path)
    first = next((line for line in path.read_text(errors="replace").splitlines() if line.strip()[:1] not in "#"), "")
    told = re.search(r"(\d{1,2}:\d{2}:\d{2})\S*\s+(\d{1,2})/(\d{1,2})/(\d{4})", first)
    when = f"{told[4]}-{int(told[3]):02}-{int(told[2]):02}T{told[1]:0>8}" if told else ""
    return _ecg(ecg, "WFDB record", "", _valid(when) or at, "")


def _csv(path: Path, at: str) -> Found:
    from cardiotwin.ingest import read_ecg, read_electrodes

    with path.open("rb") as file:
        is_table_of_positions = file.readline(4096).replace(b" ", b"").lower().startswith(b"name,x_mm")
    if not is_table_of_positions:
        return _ecg(read_ecg(path), "CSV", "", at, "")
    electrodes = read_electrodes(path)
    return Found("electrodes", electrodes, f"CSV, {len(electrodes.names)} positions", effective=at)


def _ecg(ecg: Any, form: str, identity: str, effective: str, recorded: str) -> Found:
    seconds = ecg.mv.shape[1] / ecg.hz
    source = f"{form}, {len(ecg.leads)} leads, {seconds:.1f} s at {ecg.hz:g} Hz"
    return Found("ecg", ecg, source, identity=identity, effective=effective, recorded=recorded)


def _label_map(path: Path, at: str) -> Found:
    from cardiotwin.ingest import check_not_mirrored, read_label_map
    from cardiotwin.segmentation import from_label_map

    labels, affine = read_label_map(path)
    check_not_mirrored(labels, affine)
    slices, rows, columns = labels.shape
    source = f"label map, {slices} slices of {rows} x {columns}"
    return Found("label_map", from_label_map(labels, affine), source, effective=at)


def _plan(path: Path) -> Found:
    from cardiotwin.ablation import read_plan

    plan = read_plan(path)
    return Found("plan", plan, f"plan '{shown(plan.name)}', {len(plan.lesions)} lesions", name=plan.name)


def _sop_class(path: Path) -> str:
    return text(read_dataset(path, shown(path.name), pixels=False), "SOPClassUID")


def _identity(header: Dataset, salt: str) -> str:
    values = [text(header, keyword) for keyword in PERSON]
    return "/".join(hashlib.sha256(f"{salt}\0{value}".encode()).hexdigest()[:16] if value else "" for value in values)


def _time(header: Dataset, keywords: Iterable[str]) -> str:
    """The first time a header gives, as ISO 8601: UTC where it names its zone, the hospital's time otherwise."""
    for keyword in keywords:
        told = "".join(text(header, part) for part in keyword.split("+"))
        digits = re.match(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?(?:\.\d+)?([+-]\d{4})?", told)
        if digits:
            year, month, day, hour, minute, second, zone = digits.groups(default="")
            zone = zone or text(header, "TimezoneOffsetFromUTC")
            clock = f"T{hour or '00'}:{minute or '00'}:{second or '00'}"
            when = _valid(f"{year}-{month}-{day}{clock}{zone[:3] + ':' + zone[3:] if zone else ''}")
            if when:
                return when
    return ""


def _valid(when: str) -> str:
    """The time in UTC where its zone is known; "" for a date that is none."""
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        return ""
    return (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat(timespec="seconds")


def _checked_time(at: str) -> str:
    if at and not _valid(at):
        raise SettingsError(f"--at {at!r}: expected a time in ISO 8601, such as 2026-03-01T10:30+01:00")
    return _valid(at)
