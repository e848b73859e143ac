"""Every real ECG at hand: read, delineated, drawn on ECG paper, and compared with what the device itself measured.

Shown by `benchmarks/calibration.py`, group ``recordings``. Pages are judged by their ink: a trace or pulse that is not
there, or off its place, is seen.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from drawn_truth import DATA, skipped
from table import Row, row

from cardiotwin.ecg.recording import INDEPENDENT_LEADS, Ecg
from cardiotwin.errors import CardioTwinError
from cardiotwin.ingest import read_ecg
from cardiotwin.ingest.dicom_file import read_dataset
from cardiotwin.ingest.ecg_xml import number_of, xml_root
from cardiotwin.pictures import ecg_paper as paper

Stated = dict[str, float]
"""``rate`` in beats a minute, ``qrs`` and ``qt`` in ms; what the device does not say is left out."""
KINDS = (".dcm", ".xml", ".hea")
DTI004 = "heart_dti004/clinical_data/DTI004_clinical_full_ecg.csv"
DICOM_NAMES = {"RR Interval": "rr", "QRS Duration": "qrs", "QT Interval": "qt"}
AECG_NAMES = {"MDC_ECG_TIME_PD_QRS": "qrs", "MDC_ECG_TIME_PD_QT": "qt"}
SIERRA_NAMES = {"rate": ("meanventrate", "heartrate"), "qrs": ("qrsdur", "meanqrsdur"), "qt": ("qtint", "meanqtint")}
SIERRA_PLACES = (".//interpretation/globalmeasurements", ".//interpretationmeasurements", ".//globalmeasurements")
DOTS_A_MM = 6.0
LEAST_INKED = 0.98
"""Of the columns between a trace's beginning and end."""


def recording_rows() -> Iterable[Row]:
    """A row for each file, then how far complexes are from the devices' own."""
    paths = sorted(path for path in (DATA / "ecg").rglob("*") if path.suffix.lower() in KINDS)
    paths += [DATA / DTI004] if (DATA / DTI004).exists() else []
    if not paths:
        yield skipped("recordings")
        return
    away: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            line, apart = recording_row(path, Path(folder))
            yield line
            away |= apart
    size = float(np.median(np.abs([*away.values()])))
    each = ", ".join(f"{one:+.0f}" for one in away.values())
    note = f"median size of {len(away)} recordings with the device's own (the same samples count once); {each}"
    yield row("recordings: QRS against the device's own", size, "ms", 10.0, size <= 10.0, note)


def recording_row(path: Path, folder: Path) -> tuple[Row, dict[str, float]]:
    """What was found in one file, ok when its page is complete; by its samples, QRS less the device's own, ms."""
    name = f"recording {path.parent.name}/{path.name}: QRS"
    try:
        told = {"leads": INDEPENDENT_LEADS, "hz": 1000.0, "unit": "uV"} if path.suffix == ".csv" else {}
        ecg = read_ecg(path, **told)  # type: ignore[arg-type]
    except CardioTwinError as error:
        return row(name, None, "ms", note=f"refused: {error}"), {}
    found = paper.measured(ecg)
    if found is None:
        return row(name, None, "ms", ok=False, note="no heartbeat stands out"), {}
    (page,) = paper.write_ecgs(folder, [(ecg, path.stem)])
    missing = not_drawn(page.read_bytes(), ecg)
    stated = stated_by_device(path)
    device = ", ".join(f"{key} {value:.0f}" for key, value in stated.items())
    note = f"{paper.intervals(found)}; {len(ecg.leads)} leads, " + (f"not drawn: {missing}" if missing else "drawn")
    note += f"; device: {device}" if device else ""
    qrs = found.beats[0].qrs_ms
    apart = {sha256(ecg.mv.tobytes()).hexdigest(): qrs - stated["qrs"]} if "qrs" in stated else {}
    return row(name, qrs, "ms", None, not missing, note), apart


# --- Is it on the page? ----------------------------------------------------------------------------------------------


def not_drawn(page: bytes, ecg: Ecg) -> str:
    """What of a page is not as it should be: its size, a lead's trace, a row's pulse; "" where all is there."""
    from PIL import Image

    image = Image.open(io.BytesIO(page)).convert("RGB")
    width, height = (round(DOTS_A_MM * mm) for mm in paper.PAGE_MM)
    if abs(image.width / image.height - paper.PAGE_MM[0] / paper.PAGE_MM[1]) > 0.01:
        return f"a page of {image.width} by {image.height} dots"
    black = (np.asarray(image.resize((width, height))).max(axis=2) < 140)[::-1]
    rows = [f"pulse of row {k + 1}" for k, line in enumerate(paper.ROWS_MM) if not _pulse_drawn(black, line)]
    return ", ".join([*rows, *(lead for lead in ecg.leads if not _trace_drawn(black, ecg, lead))])


def _trace_drawn(black: np.ndarray, ecg: Ecg, lead: str) -> bool:
    """Ink in nearly every column of its box, but for the label's height where the label is."""
    column = next(k for k, leads in enumerate(paper.COLUMNS) if lead in leads)
    line = paper.ROWS_MM[paper.COLUMNS[column].index(lead)]
    seconds = min(paper.COLUMN_S, ecg.mv.shape[1] / ecg.hz) - 0.1
    left = paper.FIRST_MM + paper.MM_PER_S * paper.COLUMN_S * column + 1.0
    box = _box(black, left, left + paper.MM_PER_S * seconds, line - paper.MOST_UP_MM, line + 13.0)
    return bool(box.any(axis=0).mean() >= LEAST_INKED)


def _pulse_drawn(black: np.ndarray, line: float) -> bool:
    """Left of the first column, over its line."""
    return bool(_box(black, paper.PAPER_MM[0], paper.FIRST_MM - 0.5, line + 0.5, line + 11.0).any())


def _box(black: np.ndarray, left: float, right: float, low: float, high: float) -> np.ndarray:
    x, y = (slice(round(DOTS_A_MM * a), round(DOTS_A_MM * b)) for a, b in ((left, right), (low, high)))
    return black[y, x]


# --- What the device measured ----------------------------------------------------------------------------------------


def stated_by_device(path: Path) -> Stated:
    """The device's own measurements over all leads, from DICOM annotations, aECG, Philips Sierra or GE MUSE XML."""
    if path.suffix.lower() == ".dcm":
        return _of_dicom(path)
    if path.suffix.lower() != ".xml":
        return {}
    root = xml_root(path, path.name)
    return {"AnnotatedECG": _of_aecg, "restingecgdata": _of_sierra}.get(root.tag, lambda _: {})(root)


def _of_dicom(path: Path) -> Stated:
    notes = read_dataset(path, path.name, pixels=False).get("WaveformAnnotationSequence", [])
    named = [(one.ConceptNameCodeSequence[0].CodeMeaning, one) for one in notes if "ConceptNameCodeSequence" in one]
    found = {DICOM_NAMES[name]: float(one.NumericValue) for name, one in named if name in DICOM_NAMES}
    rr = found.pop("rr", 0.0)
    return ({"rate": 60_000.0 / rr} if rr else {}) | found


def _of_aecg(root: Element) -> Stated:
    """Of the representative beat."""
    found = {}
    for one in root.findall(".//derivedSeries//annotation"):
        code, value = one.find("code"), one.find("value")
        name = AECG_NAMES.get("" if code is None else code.get("code") or "")
        if name and value is not None and value.get("unit") == "ms":
            found[name] = number_of(value.get("value"), f"annotation {name}", 0.0, 1e4)
    return found


def _of_sierra(root: Element) -> Stated:
    place = next((found for path in SIERRA_PLACES if (found := root.find(path)) is not None), None)
    if place is None:
        return {}
    words = {name: [(place.findtext(tag) or "").strip() for tag in tags] for name, tags in SIERRA_NAMES.items()}
    told = {name: next((word for word in found if word.isdecimal()), "") for name, found in words.items()}
    return {name: float(word) for name, word in told.items() if word}
