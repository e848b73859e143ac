"""HL7 annotated ECG (aECG, HL7 V3 PORT_MT020001; FDA's format for trials): the rhythm of its series."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from cardiotwin.ingest.ecg_dicom import MOST_CHANNELS, MV_PER_UNIT
from cardiotwin.ingest.ecg_quality import Recording
from cardiotwin.ingest.ecg_xml import EXPORT_AGAIN, lead_named, moment, number_of, person_of, xml_root
from cardiotwin.ingest.wording import refusal, shown

SECONDS_PER_UNIT = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
MOST_OFF_S, MOST_OFF_SHARE = 1.01, 0.05
"""Times of whole seconds, and what else a stated duration may differ by from the samples."""


def read_aecg_recording(path: Path, name: str) -> Recording:
    """The simultaneous leads of the rhythm series; derived (representative) beats are left out, and told.

    Raises
    ------
    InputRejected
        Damaged, no rhythm, no step of time, a unit that is no voltage, a lead twice, leads of different lengths, or a
        duration that the samples contradict.
    """
    root = xml_root(path, name)
    series = [one for one in root.findall("component/series") if _code(one) in ("RHYTHM", "")]
    sets = [(one, found) for one in series for found in one.findall("component/sequenceSet")]
    if not sets:
        raise refusal(name, "no series RHYTHM with a sequenceSet", "one", EXPORT_AGAIN)
    chosen, sequences = max(sets, key=lambda pair: len(pair[1].findall("component/sequence")))
    hz = 0.0
    leads: dict[str, np.ndarray] = {}
    for sequence in sequences.findall("component/sequence"):
        code = _code(sequence)
        if code.startswith("TIME_"):
            hz = _rate(sequence, name)
            continue
        lead = lead_named(code)
        if lead in leads or len(leads) >= MOST_CHANNELS:
            raise refusal(name, f"lead {lead} twice, or more than {MOST_CHANNELS}", "each once", EXPORT_AGAIN)
        leads[lead] = _millivolts(sequence, f"{name}: sequence {lead}")
    if not hz:
        raise refusal(name, "no TIME_ABSOLUTE or TIME_RELATIVE sequence", "one with its increment", EXPORT_AGAIN)
    _check_duration(chosen, max((mv.size for mv in leads.values()), default=0) / hz, name)
    notes = []
    if len(sets) > 1:
        notes.append(f"{len(sets) - 1} sequence sets left out: not simultaneous with the {len(leads)} leads taken")
    if count := len(root.findall(".//derivedSeries")):
        notes.append(f"{count} derived series (representative beats) left out")
    when = moment(_value(chosen, "effectiveTime/low") or _value(root, "effectiveTime/center"))
    return Recording(name, leads, hz, "increment, scale", tuple(notes), when, person=_person(root))


def _person(root: Element) -> tuple[str, str, str]:
    """Without the ID: a trial gives its subjects numbers of its own, which are no hospital's."""
    about = root.find(".//subjectDemographicPerson")
    if about is None:
        return "", "", ""
    sex = about.find("administrativeGenderCode")
    return person_of("", _value(about, "birthTime"), (sex.get("code") or "") if sex is not None else "")


def _code(element: Element) -> str:
    code = element.find("code")
    return (code.get("code") or "").upper() if code is not None else ""


def _value(element: Element, path: str) -> str:
    found = element.find(path)
    return (found.get("value") or "") if found is not None else ""


def _rate(sequence: Element, name: str) -> float:
    """Samples per second, from the step of the time sequence."""
    step, where = sequence.find("value/increment"), f"{name}: increment"
    unit = (step.get("unit") or "") if step is not None else ""
    if step is None or unit not in SECONDS_PER_UNIT:
        raise refusal(where, shown(unit) or "nothing", "a step in s, ms or us", EXPORT_AGAIN)
    return 1.0 / (number_of(step.get("value"), where, 1e-6, 1e6) * SECONDS_PER_UNIT[unit])


def _millivolts(sequence: Element, where: str) -> np.ndarray:
    digits = sequence.find("value/digits")
    try:
        stored = np.array((digits.text or "").split() if digits is not None else [], dtype=np.float64)
    except ValueError:
        raise refusal(where, "digits that are not numbers", "numbers", EXPORT_AGAIN) from None
    return stored * _scaled(sequence, "scale", where) + _scaled(sequence, "origin", where)


def _scaled(sequence: Element, tag: str, where: str) -> float:
    """Scale or origin, mV; an origin may be missing."""
    found = sequence.find(f"value/{tag}")
    if found is None and tag == "origin":
        return 0.0
    unit = ((found.get("unit") or "") if found is not None else "").lower()
    if found is None or unit not in MV_PER_UNIT:
        raise refusal(f"{where}: {tag}", shown(unit) or "nothing", "uV or mV", EXPORT_AGAIN)
    return number_of(found.get("value"), f"{where}: {tag}", -1e9, 1e9) * MV_PER_UNIT[unit]


def _check_duration(series: Element, seconds: float, name: str) -> None:
    """Refuse samples that the stated beginning and end contradict."""
    low, high = (moment(_value(series, f"effectiveTime/{end}")) for end in ("low", "high"))
    try:
        stated = (datetime.fromisoformat(high) - datetime.fromisoformat(low)).total_seconds()
    except ValueError:
        return
    if stated > 0 and abs(stated - seconds) > max(MOST_OFF_S, MOST_OFF_SHARE * stated):
        found = f"{seconds:.4g} s of samples at the increment given"
        raise refusal(f"{name}: effectiveTime", found, f"{stated:.4g} s, from low to high", EXPORT_AGAIN)
