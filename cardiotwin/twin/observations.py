"""What a file is, whose it is and when it was true, before the twin takes it in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardiotwin.errors import CardioTwinError, InputRejected, QualityGate, SettingsError
from cardiotwin.imaging import gap_note, spacing_note
from cardiotwin.ingest.damaged import together
from cardiotwin.ingest.dicom_file import read_dataset, text
from cardiotwin.ingest.dicomdir import is_dicomdir
from cardiotwin.ingest.ecg_formats import WORDS as ECG_FORMATS
from cardiotwin.ingest.recognise import NOT_READ
from cardiotwin.ingest.wording import name_of, shown
from cardiotwin.meshes.formats import is_table_mesh
from cardiotwin.progress import Progress, part, shares, silent

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from cardiotwin.ecg.recording import Ecg
    from cardiotwin.ingest import Wanted

ECGS = ("dicom_ecg", "wfdb_ecg", *ECG_FORMATS)
FROM_FOLDERS = ("dicom_image", *ECGS)
"""Kinds that are taken from a folder without being named themselves."""
WORDS_OF_KIND = {"image_volume": "image volume, not read (images are read from DICOM)"}
LEFT_OUT = {
    "surfaces": ("images and ECGs go before them", "name their own folder to take them"),
    "image_volume": ("images are read from DICOM", "give the series"),
}
"""Why a folder's files of a kind are left out, and what to do; of other kinds: see `_left_out`."""
TACHYCARDIA = "tachycardia"
"""The kind of an ECG only where it is said: a file does not tell it from one in sinus rhythm."""
SHOWS_NO_SCAR = (
    "cine shows no scar: a heart made from it alone has none, and circuits around scar cannot be found on it; add the "
    "LGE series, or a label map with the scar drawn"
)
_EFFECTIVE = ("AcquisitionDateTime", "AcquisitionDate+AcquisitionTime", "SeriesDate+SeriesTime", "StudyDate+StudyTime")
_RECORDED = ("InstanceCreationDate+InstanceCreationTime", "ContentDate+ContentTime")


@dataclass(frozen=True, eq=False)
class Found:
    """One input, read: nothing of the patient's name is left in it.

    Attributes
    ----------
    kind : str
        Of `cardiotwin.twin.step.OBSERVED`.
    value
        What the ingest functions return.
    source : str
        Format and size in a few words; no path, because paths carry names.
    name : str
        Of a plan; "" for the rest.
    identity : str
        See `cardiotwin.ingest.identity`; "" where the file does not say.
    effective, recorded : str
        ISO 8601, "" where the file does not say.
    dicom : tuple of Path
        DICOM files it was read from, of which the twin keeps de-identified copies.
    file : str
        Its name, for messages; the twin does not keep it.
    notes : tuple of str
        Which series was taken, which were left out, and why; what was assumed, recognised, guessed or repaired;
        these may name files, so the twin does not keep them.
    kept : tuple of str
        What of it the twin keeps: about this input alone, naming no file.
    """

    kind: str
    value: Any
    source: str
    name: str = ""
    identity: str = ""
    effective: str = ""
    recorded: str = ""
    dicom: tuple[Path, ...] = ()
    file: str = ""
    notes: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def find(
    path: Path, *, salt: str = "", at: str = "", wanted: Wanted | None = None, progress: Progress = silent
) -> list[Found]:
    """Recognise and read what lies at a path.

    A folder or a DICOMDIR gives its LGE or cine stack and its ECGs (but CSV); a folder without any, its
    surfaces. Label maps, CSV files and plans are only taken when they are named themselves: a study folder may hold
    such files for other reasons.

    Parameters
    ----------
    path : Path
    salt : str
        Of the twin, for the hashes of identity.
    at : str
        ISO 8601: when it was recorded, for files that do not say.
    wanted : Wanted
        Which image series to take.
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
    if wanted is not None and wanted.kind == TACHYCARDIA:
        found = find(path, salt=salt, at=at, wanted=replace(wanted, kind=None), progress=progress)
        return [_as_tachycardia(one, path) for one in found]
    if not path.exists():
        raise InputRejected(f"{shown(path.name)}: no such file or folder; check the path")
    if path.is_dir() and is_table_mesh(path) and not _only_electrodes(path):
        mesh = _read("mesh", path, (path,), salt, at, wanted, progress)
        return [replace(mesh, notes=(*mesh.notes, *_beside_tables(path)))]
    if path.is_dir() or is_dicomdir(path):
        return _in_folder(path, salt, at, wanted, progress)
    return [_one_file(path, salt, at, wanted, progress)]


def _as_tachycardia(one: Found, path: Path) -> Found:
    """An ECG as a recording of the patient's tachycardia, once it is known to show a regular one."""
    from cardiotwin.induction.clinical_tachycardia import ClinicalTachycardia, clinical_cycle

    file = one.file or shown(path.name)
    if one.kind != "ecg":
        raise InputRejected(
            f"{file}: found {one.kind.replace('_', ' ')}, expected an ECG, since `--kind tachycardia` was given; name "
            "the ECG itself, and add the rest without"
        )
    try:
        told = str(clinical_cycle(one.value))
    except QualityGate as refused:
        raise QualityGate(f"{file}: {refused}") from refused
    return replace(
        one,
        kind=TACHYCARDIA,
        value=ClinicalTachycardia(one.value),
        notes=(*one.notes, f"{file}: {told}"),
        kept=(*one.kept, told),
    )


def _beside_tables(folder: Path) -> Iterator[str]:
    """A line for each file of electrodes in the folder of a mesh in tables."""
    from cardiotwin.ingest import recognise

    for file in sorted(folder.glob("*.csv")):
        if recognise(file) == "electrodes":
            yield f"left out electrodes ({name_of(file)}): a folder of tables stands for its mesh; name them themselves"


def _only_electrodes(folder: Path) -> bool:
    """Whether what look like the nodes of a mesh, NAME_xyz.csv, are the positions of electrodes, all of them."""
    from cardiotwin.ingest import recognise

    return all(recognise(file) == "electrodes" for file in folder.glob("*_xyz.csv"))


def age(effective: str) -> str:
    """How long ago that was, in days."""
    if not effective:
        return "unknown"
    then = datetime.fromisoformat(effective)
    # A time without a zone is the hospital's; half a day does not matter to an age in days.
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return f"{max((datetime.now(UTC) - then).days, 0)} d"


def _in_folder(folder: Path, salt: str, at: str, wanted: Wanted | None, progress: Progress) -> list[Found]:
    from cardiotwin.ingest import recognise_all

    inputs = recognise_all(folder, part(progress, 0.0, 0.3))
    known = [one for one in inputs if one[0] in FROM_FOLDERS] or [one for one in inputs if one[0] == "surfaces"]
    found, skipped = [], []
    for (kind, files), share in zip(known, shares(part(progress, 0.3, 1.0), len(known)), strict=True):
        try:
            found.append(_read(kind, folder, files, salt, at, wanted, share))
        except (InputRejected, QualityGate) as refused:
            if kind not in ECGS or len(known) < 2:
                raise
            skipped.append(refused)
    if skipped and not (wanted and wanted.skip_bad):
        raise together(skipped, len(known))
    if skipped and not found:
        raise type(skipped[0])(f"{str(skipped[0]).rstrip('.')}. No other image or ECG of the folder can be read")
    if found:
        left = [one for one in inputs if one not in known and one[0] != "unknown"]
        passed = (f"skipped {refused}" for refused in skipped)
        found[0] = replace(found[0], notes=(*found[0].notes, *passed, *_left_out(left, folder)))
    else:
        raise InputRejected(_nothing_taken(folder, inputs), listed=list(_to_name(folder, inputs)))
    return found


def _nothing_taken(folder: Path, inputs: list[tuple[str, tuple[Path, ...]]]) -> str:
    count = sum(len(files) for _, files in inputs)
    if not count:
        return f"{shown(folder.name)}: an empty folder; expected an exported series, ECGs or surfaces. Check the path"
    found = f"{shown(folder.name)}: found no DICOM image, ECG or surface among {count} files; "
    if any(kind not in NOT_READ for kind, _ in inputs):
        return found + "name one of these itself:"
    return found + "name label maps, CSV files and plans themselves" + ":" * any(True for _ in _to_name(folder, inputs))


def _to_name(folder: Path, inputs: list[tuple[str, tuple[Path, ...]]]) -> Iterator[str]:
    """A line for each mesh, label map, CSV file and plan of a folder; a mesh in tables is its folder.

    Image volumes, which nobody reads, come last, so that they are not taken for label maps.
    """
    for kind, files in sorted(inputs, key=lambda one: one[0] == "image_volume"):
        for file in files if kind != "unknown" else ():
            place, what = file, WORDS_OF_KIND.get(kind, kind.replace("_", " "))
            if kind == "mesh" and is_table_mesh(file):
                has_cells = file.with_name(file.name.replace("_xyz.csv", "_tetra.csv")).is_file()
                place = file.parent if has_cells else file
                what = "mesh in tables" if has_cells else "nodes without the tetrahedra of a mesh (NAME_tetra.csv)"
            yield f"{what}: {name_of(place, folder)}"


def _left_out(inputs: list[tuple[str, tuple[Path, ...]]], folder: Path) -> Iterator[str]:
    """A line for each kind of input that a folder holds but does not stand for."""
    for kind in dict.fromkeys(kind for kind, _ in inputs):
        files = [file for other, some in inputs if other == kind for file in some]
        words = f"{len(files)} {kind.replace('_', ' ').removesuffix('s')} file{'s' * (len(files) > 1)}"
        reason, advice = LEFT_OUT.get(
            kind, ("a folder stands for images and ECGs only", "name what is to be taken itself")
        )
        yield f"left out {words} ({name_of(files[0], folder)}{' ...' * (len(files) > 1)}): {reason}; {advice}"


def _one_file(path: Path, salt: str, at: str, wanted: Wanted | None, progress: Progress) -> Found:
    from cardiotwin.ingest import explain

    kind, why = explain(path)
    if kind == "image_volume":
        raise InputRejected(f"{shown(path.name)}: {why}")
    if kind == "unknown":
        raise InputRejected(
            f"{shown(path.name)}: {why}; expected DICOM, a label map (.nii, .nii.gz, .nrrd, .mha, .mhd), surfaces "
            "(.stl, .ply, .vtp, .vtk; of the heart, or the skin in a file named torso), a mesh (.vtu, .vtk, .msh, "
            ".xdmf, .pts with .elem), an ECG (DICOM, .hea, .csv, aECG, Philips or GE MUSE XML, EDF, SCP-ECG), "
            "electrodes (.csv, .mrk.json) or a plan (.toml; lesion points as .csv, .vtp, .vtk, .mrk.json)"
        )
    return _read(kind, path, (path,), salt, at, wanted, progress)


def _read(
    kind: str, path: Path, files: tuple[Path, ...], salt: str, at: str, wanted: Wanted | None, progress: Progress
) -> Found:
    """Read one input of a known kind; `path` is what the user named, the input's one file but for an image series."""
    progress(0.0, f"reading {kind.replace('_', ' ')}")
    found, file = _value(kind, path, files, salt, at, wanted, progress), name_of(files[0], path)
    notes = tuple(f"{file}: {note}" for note in found.notes) if found.kind == "ecg" else found.notes
    return replace(found, file=file, notes=notes)


def _value(
    kind: str, path: Path, files: tuple[Path, ...], salt: str, at: str, wanted: Wanted | None, progress: Progress
) -> Found:
    if kind == "dicom_image":
        return _image(path, salt, wanted, progress)
    if kind == "surfaces":
        return _surfaces(files, at, progress)
    if kind == "dicom_ecg":
        return _dicom_ecg(files[0], salt, at)
    if kind == "csv_ecg":
        return _csv_ecg(files[0], at, wanted)
    if kind in ECG_FORMATS or kind == "wfdb_ecg":
        return _other_ecg(files[0], ECG_FORMATS.get(kind, "WFDB record"), salt, at)
    if kind == "mesh":
        return _mesh(files[0], at, progress)
    read = {
        "electrodes": _electrodes,
        "label_map": _label_map,
        "torso": _torso,
        "plan": _plan,
    }
    return read[kind](files[0], at)


def _image(path: Path, salt: str, wanted: Wanted | None, progress: Progress) -> Found:
    from cardiotwin.ingest import identity, take_dicom

    # The image speaks of its own files alone: what else the folder held must not change its address.
    taken = take_dicom(path, wanted, progress=progress)
    image, files, header = taken.image, taken.files, taken.header
    gaps = tuple(filter(None, [gap_note(image)]))
    blind = (SHOWS_NO_SCAR,) if image.kind == "cine" else ()
    slices, rows, columns = image.values.shape
    return Found(
        kind="image",
        value=image,
        source=f"{image.kind} DICOM series, {len(files)} files, {slices} slices of {rows} x {columns}",
        identity=identity(header, salt=salt.encode()),
        effective=_time(header, _EFFECTIVE),
        recorded=_time(header, _RECORDED),
        dicom=files,
        notes=tuple(dict.fromkeys((*taken.choice, *image.notes, *gaps, *blind))),
        kept=(*_without_files(image.notes), *gaps, *blind),
    )


def _without_files(notes: Iterable[str]) -> tuple[str, ...]:
    """The reader's notes; of files that were skipped, which these notes name, only how many."""
    notes = tuple(notes)
    about = tuple(note for note in notes if not note.startswith("skipped "))
    count = len(notes) - len(about)
    return (*about, f"{count} damaged file{'s' * (count != 1)} left out") if count else about


def _dicom_ecg(path: Path, salt: str, at: str) -> Found:
    from cardiotwin.ingest import identity, read_ecg

    header = read_dataset(path, shown(path.name), pixels=False)
    return replace(
        _ecg(read_ecg(path), "DICOM waveform", _time(header, _EFFECTIVE) or at),
        identity=identity(header, salt=salt.encode()),
        recorded=_time(header, _RECORDED),
        dicom=(path,),
    )


def _csv_ecg(path: Path, at: str, wanted: Wanted | None) -> Found:
    from cardiotwin.ingest import read_ecg

    hz, unit = (wanted.hz, wanted.unit) if wanted else (None, None)
    return _ecg(read_ecg(path, hz=hz, unit=unit), "CSV", at)


def check_told(found: Iterable[Found], wanted: Wanted | None) -> None:
    """Refuse a rate, a unit, a series or a kind of image that is given and of no use.

    Raises
    ------
    SettingsError
        There is no CSV ECG, or no DICOM image, among the inputs.
    """
    if wanted is None:
        return
    told = [name for name in ("hz", "unit") if getattr(wanted, name) is not None]
    if told and not any(one.kind in ("ecg", TACHYCARDIA) and one.source.startswith("CSV") for one in found):
        raise SettingsError(
            f"{' and '.join(f'{name}=' for name in told)}: for an ECG in a CSV file, and there is none among these; "
            "other formats carry their own. Leave it out"
        )
    told = [name for name in ("series", "kind") if getattr(wanted, name) not in (None, TACHYCARDIA)]
    if told and not any(one.kind == "image" for one in found):
        raise SettingsError(
            f"{' and '.join(f'{name}=' for name in told)}: for a DICOM image series, and there is none among these. "
            "Leave it out"
        )


def _other_ecg(path: Path, form: str, salt: str, at: str) -> Found:
    from cardiotwin.ingest import identity_of
    from cardiotwin.ingest.ecg_files import read_recording
    from cardiotwin.ingest.ecg_quality import usable

    recording = read_recording(path)
    whose = identity_of(*recording.person, salt=salt.encode())
    return replace(_ecg(usable(recording), form, _valid(recording.when) or at), identity=whose)


def _electrodes(path: Path, at: str) -> Found:
    from cardiotwin.ingest import electrodes_and_notes

    electrodes, kept = electrodes_and_notes(path)
    notes = tuple(f"{shown(path.name)}: {note}" for note in kept)
    form = "CSV" if path.suffix.lower() == ".csv" else "3D Slicer"
    source = f"{form}, {len(electrodes.names)} positions"
    return Found("electrodes", electrodes, source, effective=at, notes=notes, kept=kept)


def _ecg(ecg: Ecg, form: str, effective: str) -> Found:
    seconds = ecg.mv.shape[1] / ecg.hz
    source = f"{form}, {len(ecg.leads)} leads, {seconds:.1f} s at {ecg.hz:g} Hz{_at_a_glance(ecg)}"
    return Found("ecg", ecg, source, effective=effective, notes=ecg.notes, kept=ecg.notes)


def _at_a_glance(ecg: Ecg) -> str:
    """Rate and QRS duration; "" where there is no beat to measure, which calibration will say."""
    from cardiotwin.ecg.beats import find_beats, mean_beat

    with suppress(CardioTwinError):
        rhythm = find_beats(ecg)
        rate = f" {rhythm.bpm:.0f} beats a minute," if len(rhythm.at_ms) > 1 else ""
        return f":{rate} QRS {mean_beat(rhythm).qrs_ms:.0f} ms"
    return ""


def _label_map(path: Path, at: str) -> Found:
    from cardiotwin.ingest.labels import read_segments

    label_map = read_segments(path)
    slices, rows, columns = label_map.codes.shape
    source = f"label map, {slices} slices of {rows} x {columns}"
    notes = tuple(filter(None, [spacing_note(slices, label_map.affine)]))
    return Found("label_map", label_map, source, effective=at, notes=notes, kept=notes)


def _mesh(path: Path, at: str, progress: Progress) -> Found:
    from cardiotwin.anatomy.mesh_anatomy import take_in

    mesh = take_in(path, progress)
    source = f"mesh, {len(mesh.points)} nodes, {len(mesh.tets)} tetrahedra"
    notes = tuple(f"{shown(path.name)}: {note}" for note in mesh.notes)
    return Found("mesh", mesh, source, effective=at, notes=notes, kept=mesh.notes)


def _surfaces(files: tuple[Path, ...], at: str, progress: Progress) -> Found:
    from cardiotwin.ingest.shells import read_shells

    label_map, notes = read_shells(files, progress)
    slices, rows, columns = label_map.codes.shape
    source = f"{len(files)} surface file{'s' if len(files) > 1 else ''}, as {slices} slices of {rows} x {columns}"
    return Found("label_map", label_map, source, effective=at, notes=notes, kept=notes)


def _torso(path: Path, at: str) -> Found:
    from cardiotwin.ingest.torso_surface import read_torso

    torso, kept = read_torso(path)
    source = f"torso surface, {len(torso.triangles)} triangles"
    notes = tuple(f"{shown(path.name)}: {note}" for note in kept)
    return Found("torso", torso, source, effective=at, notes=notes, kept=kept)


def _plan(path: Path, at: str) -> Found:
    from cardiotwin.ablation.lesions import RESERVED_NAMES
    from cardiotwin.ingest.plan_files import read_plan

    plan = read_plan(path)
    if plan.name.strip().casefold() in RESERVED_NAMES:
        raise InputRejected(
            f"{shown(path.name)}: found name = '{shown(plan.name)}', one of the tool's own; expected another than "
            f"{', '.join(RESERVED_NAMES)}. Rename the plan"
        )
    source, count = (
        f"plan '{shown(plan.name)}', {len(plan.lesions)} lesion{'s' * (len(plan.lesions) != 1)}",
        sum(len(one.points_mm) for one in plan.lesions),
    )
    if path.suffix.lower() == ".toml":
        return Found("plan", plan, source, name=plan.name, effective=at)
    source = f"plan '{shown(plan.name)}', {count} lesion points"
    return Found(
        "plan",
        plan,
        source,
        name=plan.name,
        effective=at,
        notes=(f"{shown(path.name)}: {plan.note}",),
        kept=(plan.note,),
    )


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
