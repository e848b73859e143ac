"""An ECG from a file: DICOM waveform, WFDB, HL7 aECG, Philips Sierra XML, GE MUSE XML, EDF, SCP-ECG or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cardiotwin.ecg.recording import Ecg
from cardiotwin.errors import InputRejected
from cardiotwin.ingest.dicom_file import is_dicom, quiet
from cardiotwin.ingest.ecg_csv import read_csv_recording
from cardiotwin.ingest.ecg_dicom import read_dicom_recording
from cardiotwin.ingest.ecg_formats import ecg_format, recording_of
from cardiotwin.ingest.ecg_quality import Recording, usable
from cardiotwin.ingest.ecg_wfdb import read_wfdb_recording
from cardiotwin.ingest.folders import regular_files
from cardiotwin.ingest.guard import GUARD
from cardiotwin.ingest.wording import refusal, shown

EXPECTED = "a DICOM waveform, .hea (WFDB), HL7 aECG, Philips or GE MUSE XML, EDF, SCP-ECG or .csv"


def read_ecg(
    path: str | Path,
    *,
    leads: Sequence[str] | None = None,
    hz: float | None = None,
    unit: str | None = None,
) -> Ecg:
    """Read a surface ECG; only usable standard leads are returned.

    Parameters
    ----------
    path : a DICOM ECG waveform, the ``.hea`` file of a WFDB record or a folder with one record, HL7 aECG, Philips
        Sierra or GE MUSE XML, EDF, SCP-ECG, or a ``.csv`` file
    leads : sequence of str, optional
        Lead names of a CSV without a header, whose rows or columns are the leads.
    hz : float, optional
        Samples per second, for a CSV that does not say.
    unit : {"mV", "uV", "V"}, optional
        For a CSV that does not say.

    Returns
    -------
    Ecg
        Millivolts; `notes` names the leads that were left out.

    Raises
    ------
    InputRejected
        Damaged or contradicting, a wrong unit, or no known format. Exit code 3.
    QualityGate
        Fewer than 3 usable independent leads. Exit code 4.
    """
    return usable(read_recording(path, leads=leads, hz=hz, unit=unit))


@quiet()
def read_recording(
    path: str | Path,
    *,
    leads: Sequence[str] | None = None,
    hz: float | None = None,
    unit: str | None = None,
) -> Recording:
    """All channels of a file before they are judged; see `read_ecg`."""
    path = Path(path)
    if path.is_dir():
        path = _only_header(path)
    name = shown(path.name, 120)
    if not path.is_file():
        raise InputRejected(f"{name}: no such file; expected {EXPECTED}. Check the path")
    if path.stat().st_size == 0:
        raise refusal(name, "an empty file", "an ECG", "Export it again")
    told = leads is not None or hz is not None or unit is not None
    form = ecg_format(path) if not told else ""
    if path.suffix.lower() == ".csv" and not form:
        return read_csv_recording(path, name, leads=leads, hz=hz, unit=unit)
    if told:
        raise InputRejected(f"{name}: leads=, hz= and unit= are for CSV files; this format carries its own. Drop them")
    if path.suffix.lower() == ".hea":
        return read_wfdb_recording(path, name)
    if is_dicom(path) or path.suffix.lower() == ".dcm":
        return read_dicom_recording(path, name)
    if form:
        return recording_of(name, *GUARD.recording(path, name))
    raise refusal(name, f"a file ending in {shown(path.suffix)!r}", EXPECTED, "Convert it to one of these")


def _only_header(folder: Path) -> Path:
    headers = [file for file in regular_files(folder)[0] if file.suffix.lower() == ".hea"]
    if len(headers) != 1:
        found = f"{len(headers)} WFDB headers (.hea)"
        raise refusal(shown(folder.name, 120), found, "a folder with one", "Name the file of the ECG itself")
    return headers[0]
