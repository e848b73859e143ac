"""What a file or folder is, by its content rather than its name."""

from __future__ import annotations

import tomllib
from pathlib import Path

from cardiotwin.errors import CardioTwinError
from cardiotwin.ingest.dicom_file import is_dicom, read_dataset, text
from cardiotwin.ingest.dicom_seg import SEGMENTATION_CLASSES
from cardiotwin.ingest.dicomdir import DICOMDIR, is_dicomdir
from cardiotwin.ingest.ecg_csv import first_row, is_number, lead_of
from cardiotwin.ingest.ecg_dicom import ECG_CLASSES
from cardiotwin.ingest.ecg_formats import READERS, WORDS, ecg_format
from cardiotwin.ingest.ecg_wfdb import signal_files
from cardiotwin.ingest.electrode_files import are_electrodes, holds_electrodes, names_an_electrode
from cardiotwin.ingest.folders import regular_files
from cardiotwin.ingest.labels import IMAGE_ADVICE, LABEL_ENDINGS, as_image, read_volume
from cardiotwin.ingest.lesion_points import holds_lesions
from cardiotwin.ingest.shells import is_torso
from cardiotwin.ingest.slicer_markups import ENDINGS as MARKUP_ENDINGS
from cardiotwin.ingest.slicer_markups import read_markups
from cardiotwin.ingest.study import DICOM_ENDINGS
from cardiotwin.ingest.surface_files import ENDINGS as SURFACE_ENDINGS
from cardiotwin.ingest.surface_files import holds_only_points
from cardiotwin.ingest.wording import name_of, shown
from cardiotwin.meshes.formats import is_field_table, is_mesh
from cardiotwin.progress import Progress, silent

KINDS = (
    "dicom_image",
    "dicom_ecg",
    "wfdb_ecg",
    "csv_ecg",
    *READERS,
    "electrodes",
    "label_map",
    "image_volume",
    "surfaces",
    "torso",
    "mesh",
    "plan",
    "unknown",
)
NOT_READ = ("image_volume", "unknown")
MOST_TOML_BYTES = 10 << 20


def recognise(path: str | Path) -> str:
    """One of `KINDS`. A folder or a DICOMDIR is what it holds, when that is one kind; else ``"unknown"``."""
    return explain(path)[0]


def explain(path: str | Path) -> tuple[str, str]:
    """The kind of a file or folder, and one line: what it is, or why it is unknown.

    Raises
    ------
    InputRejected
        Nothing there.
    """
    path = Path(path)
    if not path.is_dir() and not is_dicomdir(path):
        files, _ = regular_files(path)
        return _kind(files[0]) if files else ("unknown", "not a regular file")
    found = [kind for kind, _ in recognise_all(path) if kind not in NOT_READ]
    if len(found) == 1:
        return found[0], f"a folder with one {found[0]}"
    return "unknown", f"a folder with {', '.join(found)}" if found else "a folder with nothing that is known"


def recognise_all(path: str | Path, progress: Progress = silent) -> list[tuple[str, tuple[Path, ...]]]:
    """Everything in a file or folder: all image files together, all surfaces too, each other input by itself.

    All unknown files come last.

    Links, pipes and hidden files are left out; the signal files of a WFDB record belong to its header.

    Raises
    ------
    InputRejected
        Nothing there, or more than 10,000 files.
    """
    files, _ = regular_files(path)
    kinds = {}
    for count, file in enumerate(files):
        progress(count / len(files), f"looking at file {count + 1} of {len(files)}")
        kinds[file] = _kind(file)[0]
    belonging = {one for file, kind in kinds.items() if kind == "wfdb_ecg" for one in signal_files(file)}
    images = tuple(file for file in files if kinds[file] == "dicom_image")
    surfaces = tuple(file for file in files if kinds[file] == "surfaces")
    grouped = ("dicom_image", "surfaces", "unknown")
    single: list[tuple[str, tuple[Path, ...]]] = [
        (kind, (file,)) for file, kind in kinds.items() if kind not in grouped
    ]
    single += [("surfaces", surfaces)] if surfaces else []
    unknown = tuple(file for file in files if kinds[file] == "unknown" and file not in belonging)
    return ([("dicom_image", images)] if images else []) + single + ([("unknown", unknown)] if unknown else [])


def _kind(file: Path) -> tuple[str, str]:
    """Kind and reason for one regular file; a file too damaged to be sure is what its ending says."""
    name = file.name.lower()
    if file.stat().st_size == 0 and not name.endswith(DICOM_ENDINGS):
        return "unknown", "an empty file"
    try:
        if is_dicom(file) or name.endswith(DICOM_ENDINGS):
            return _dicom(file)
        if name.endswith(".hea"):
            return "wfdb_ecg", "a WFDB header"
        if name.endswith(".csv") and holds_lesions(file, name_of(file), with_size=True):
            return "plan", "lesion points"
        if name.endswith(".csv") and holds_electrodes(file, name_of(file)):
            return "electrodes", "electrode positions"
        if (form := ecg_format(file)) in READERS:
            return form, f"an ECG in {WORDS[form]}"
        if is_mesh(file):
            return "mesh", "a mesh"
        if name.endswith(".csv"):
            return _csv(file)
        if name.endswith(LABEL_ENDINGS):
            return _volume(file)
        if name.endswith(MARKUP_ENDINGS):
            return _markups(file)
        if name.endswith(".toml"):
            return _toml(file)
        if name.endswith(SURFACE_ENDINGS):
            return _surface(file)
    except CardioTwinError as refused:
        return _by_ending(name), str(refused)
    except OSError as error:
        return "unknown", f"cannot be opened ({error.strerror})"
    if file.suffix.lower() in (".dat", ".xyz") and (header := file.with_suffix(".hea")).is_file():
        return "unknown", f"the samples of a WFDB record; give the header beside it, {name_of(header)}"
    if name.endswith(".dat"):
        return "unknown", "ending '.dat', and not DICOM; of a WFDB record, give its header, the .hea beside it"
    ending = f"ending {shown(file.suffix)!r}" if file.suffix else "no ending"
    return "unknown", f"{ending}, and not DICOM"


def _by_ending(name: str) -> str:
    """What a damaged file was meant to be, so that its reader can say what is wrong with it."""
    if name.endswith(DICOM_ENDINGS):
        return "dicom_image"
    return "label_map" if name.endswith(LABEL_ENDINGS) else "unknown"


def _dicom(file: Path) -> tuple[str, str]:
    header = read_dataset(file, name_of(file), pixels=False)
    sop_class = text(header, "SOPClassUID") or text(header.file_meta, "MediaStorageSOPClassUID")
    if sop_class.startswith(ECG_CLASSES):
        return "dicom_ecg", "a DICOM ECG waveform"
    if sop_class in SEGMENTATION_CLASSES:
        return "label_map", "a DICOM segmentation"
    if sop_class == DICOMDIR:
        return "unknown", "a DICOMDIR; name it itself, or give the folder of its files"
    if "Rows" in header or file.name.lower().endswith(DICOM_ENDINGS):
        return "dicom_image", "a DICOM image"
    return "unknown", f"a DICOM object that is neither image nor ECG ({shown(sop_class)})"


def _csv(file: Path) -> tuple[str, str]:
    titles = [cell.strip().lower() for cell in first_row(file, name_of(file))]
    if is_field_table(file):
        return "unknown", "a field of a mesh in tables; name the folder of the mesh, or its NAME_xyz.csv"
    no_header = "a CSV without a header; an ECG needs lead names such as I [mV] in its first line"
    if len(titles) in (3, 4) and all(map(is_number, titles[-3:])):
        return "unknown", f"{no_header}, electrode positions name,x_mm,y_mm,z_mm"
    if any(lead_of(title)[0] for title in titles):
        return "csv_ecg", "leads by name"
    of_electrodes = titles[0] == "name" and names_an_electrode(file, name_of(file))
    if holds_lesions(file, name_of(file), with_size=False) and not of_electrodes:
        return "plan", "lesion points"
    if all(map(is_number, titles)):
        return "unknown", no_header
    return "unknown", f"a CSV with the columns {shown(','.join(titles))}: neither leads, electrodes nor lesion points"


def _surface(file: Path) -> tuple[str, str]:
    with file.open("rb") as content:
        head = content.read(4096)
    if file.name.lower().endswith(".vtk") and b"POLYDATA" not in head:
        return (
            "unknown",
            "a legacy VTK file that holds neither a mesh (UNSTRUCTURED_GRID) nor a surface (POLYDATA)",
        )
    if file.name.lower().endswith((".vtp", ".vtk")) and holds_only_points(file):
        return "plan", "points without a surface, taken for lesions"
    if is_torso(file):
        return "torso", "a torso's skin"
    return "surfaces", "a surface of triangles"


def _volume(file: Path) -> tuple[str, str]:
    values = read_volume(file, name_of(file))[0]
    if why := as_image(values):
        return "image_volume", f"found {why}, not labels. {IMAGE_ADVICE}"
    return "label_map", "labels"


def _markups(file: Path) -> tuple[str, str]:
    """Points that 3D Slicer saved: electrodes by their labels, else lesions."""
    try:
        found = read_markups(file)
    except CardioTwinError as refused:
        return "plan", str(refused)
    return ("electrodes", "electrode positions") if are_electrodes(found.labels) else ("plan", "lesion points")


def _toml(file: Path) -> tuple[str, str]:
    if file.stat().st_size > MOST_TOML_BYTES:
        return "unknown", f"a TOML file of more than {MOST_TOML_BYTES} bytes"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        return "plan", f"TOML with an error ({shown(error)})"
    if isinstance(table.get("lesion"), list) or "name" in table:
        return "plan", "an ablation plan"
    return "unknown", "a TOML file without name and [[lesion]]"
