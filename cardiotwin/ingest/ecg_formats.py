"""The ECG formats that are told by their content, and the reader of each: run where damage breaks nothing else.

Of these files only the process under limits (`cardiotwin.ingest.guard`) parses anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cardiotwin.ingest.ecg_aecg import read_aecg_recording
from cardiotwin.ingest.ecg_edf import VERSION, read_edf_recording
from cardiotwin.ingest.ecg_muse import read_muse_recording
from cardiotwin.ingest.ecg_philips import read_philips_recording
from cardiotwin.ingest.ecg_quality import Recording
from cardiotwin.ingest.ecg_scp import MARK, MARK_AT, read_scp_recording
from cardiotwin.ingest.ecg_xml import root_name

READERS: dict[str, Callable[[Path, str], Recording]] = {
    "aecg": read_aecg_recording,
    "philips_ecg": read_philips_recording,
    "muse_ecg": read_muse_recording,
    "edf_ecg": read_edf_recording,
    "scp_ecg": read_scp_recording,
}
WORDS = {
    "aecg": "HL7 aECG",
    "philips_ecg": "Philips Sierra XML",
    "muse_ecg": "GE MUSE XML",
    "edf_ecg": "EDF",
    "scp_ecg": "SCP-ECG",
}
ROOTS = {"AnnotatedECG": "aecg", "restingecgdata": "philips_ecg", "RestingECG": "muse_ecg"}
"""First element of an XML file."""


def ecg_format(path: Path) -> str:
    """One of `READERS`, by the content of a file; "" where it is none of them."""
    with path.open("rb") as file:
        head = file.read(256)
    if head[MARK_AT : MARK_AT + len(MARK)] == MARK:
        return "scp_ecg"
    if head[:8] == VERSION and head[184:192].strip().isdigit():
        return "edf_ecg"
    return ROOTS.get(root_name(path), "") if head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<") else ""


def parsed(path: Path, name: str) -> tuple[dict[str, Any], bytes]:
    """A recording as plain values and the samples of its leads one after the other, for another process.

    Raises
    ------
    CardioTwinError
        What the reader refuses.
    """
    read = READERS[ecg_format(path)](path, name)
    said = {
        "leads": [(lead, mv.size) for lead, mv in read.leads.items()],
        "hz": read.hz,
        "where": read.where,
        "notes": read.notes,
        "when": read.when,
        "stated_bpm": read.stated_bpm,
        "person": read.person,
        "derive_limb_leads": read.derive_limb_leads,
    }
    return said, b"".join(mv.astype("<f8").tobytes() for mv in read.leads.values())


def recording_of(name: str, said: dict[str, Any], raw: bytes) -> Recording:
    """What `parsed` said, as a recording again."""
    samples, at, leads = np.frombuffer(raw, "<f8"), 0, {}
    for lead, size in said["leads"]:
        leads[str(lead)], at = samples[at : at + size], at + size
    person = [str(part) for part in said["person"]]
    return Recording(
        name, leads, float(said["hz"]), str(said["where"]), tuple(map(str, said["notes"])), str(said["when"]),
        stated_bpm=float(said["stated_bpm"]), person=(person[0], person[1], person[2]),
        derive_limb_leads=bool(said["derive_limb_leads"]),
    )  # fmt: skip
