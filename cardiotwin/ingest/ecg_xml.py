"""ECGs in XML: what XML lets a sender do is refused, and what an element says is checked when it is asked for.

Entities are refused (they expand without end, or read other files); a document type is passed over, because GE's files
name one, and is never fetched. https://docs.python.org/3/library/xml.html, section on vulnerabilities.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np

from cardiotwin.ecg.recording import LEADS
from cardiotwin.ingest.wording import refusal, shown

MOST_XML_BYTES = 32 << 20
MOST_HEAD_BYTES = 1 << 16
DEEPEST = 64
SKIPPED = {"<!--": "-->", "<?": "?>", "<!": ">"}
"""What may stand before the first element, and how it ends."""
EXPORT_AGAIN = "Export the ECG again"
LEAD_NAMES = {lead.lower(): lead for lead in LEADS}


def root_name(path: Path) -> str:
    """Local name of the first element of an XML file; "" where there is none near its beginning."""
    with path.open("rb") as file:
        head = file.read(MOST_HEAD_BYTES)
    utf16 = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    words = head.decode("utf-16" if utf16 else "utf-8-sig", errors="ignore")
    at = 0
    # Step by step: a pattern that skips comments takes the square of the time where they do not end.
    while words[at : at + 1].isspace() or words.startswith(("<!", "<?"), at):
        end = next((end for begin, end in SKIPPED.items() if words.startswith(begin, at)), "")
        if end == ">" and "[" in words[at : words.find(">", at)]:
            end = "]>"  # a document type with declarations of its own, which the reader will refuse
        found = words.find(end, at)
        if found < 0:
            return ""
        at = found + max(len(end), 1)
    first = re.match(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s/>]", words[at : at + 200])
    return first[1] if first else ""


def xml_root(path: Path, name: str) -> Element:
    """The root of a whole file, with the namespaces taken off its tags.

    Raises
    ------
    InputRejected
        Longer than 32 MiB, damaged, with entities, or nested deeper than 64.
    """
    from defusedxml import DefusedXmlException, ElementTree

    size = path.stat().st_size
    if size > MOST_XML_BYTES:
        raise refusal(name, f"{size} bytes", f"at most {MOST_XML_BYTES}", "Export one ECG per file")
    try:
        root: Element = ElementTree.parse(path, forbid_dtd=False, forbid_entities=True, forbid_external=True).getroot()
    except DefusedXmlException as error:
        raise refusal(name, f"XML with {type(error).__name__}", "no entities", EXPORT_AGAIN) from None
    except (ParseError, UnicodeError, LookupError, ValueError) as error:
        raise refusal(name, f"damaged XML ({shown(error)})", "a whole file", EXPORT_AGAIN) from None
    level = [root]
    for _ in range(DEEPEST):
        for element in level:
            element.tag = str(element.tag).rpartition("}")[2]
        level = [child for element in level for child in element]
    if level:
        raise refusal(name, f"elements more than {DEEPEST} deep", "an ECG", EXPORT_AGAIN)
    return root


def words_at(element: Element | None, path: str) -> str:
    """Text of the first element at a path, without spaces at its ends; "" where there is none."""
    found = element.find(path) if element is not None else None
    return (found.text or "").strip() if found is not None else ""


def number_of(told: str | None, where: str, least: float, most: float) -> float:
    """A number in its range.

    Raises
    ------
    InputRejected
    """
    try:
        value = float(told or "")
    except ValueError:
        value = np.nan
    if not least <= value <= most:
        raise refusal(where, shown(told or "nothing"), f"a number from {least:g} to {most:g}", EXPORT_AGAIN)
    return value


def decoded(words: str | None, where: str) -> bytes:
    """What base64 says, spaces and line breaks apart.

    Raises
    ------
    InputRejected
    """
    try:
        return base64.b64decode("".join((words or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise refusal(where, "text that is not base64", "base64", EXPORT_AGAIN) from None


def lead_named(words: str) -> str:
    """The standard name of a lead; what it is called, escaped, where it is none."""
    plain = re.sub(r"^(MDC_ECG_(LEAD|ELEC_POTL)_|Lead[\s_]+|(ECG|EKG)[\s_]+)", "", words.strip(), flags=re.I)
    return LEAD_NAMES.get(plain.strip().lower(), shown(words.strip(), 40))


def person_of(identifier: str, born: str, sex: str) -> tuple[str, str, str]:
    """Patient ID, birth year and sex as `cardiotwin.ingest.deidentify` compares them."""
    year = re.search(r"(?<!\d)(18|19|20)\d\d(?=\d{4}(?!\d)|(?!\d))", born)
    letter = sex.strip()[:1].upper()
    return identifier.strip(), year[0] if year else "", letter if letter in "MFO" else ""


def moment(words: str) -> str:
    """``YYYYMMDDhhmmss...`` or ``YYYY-MM-DD`` with ``hh:mm:ss`` as ISO 8601; "" for anything else."""
    digits = re.match(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T\s]*(\d{2}):?(\d{2}):?(\d{2})?)?", words.strip())
    if not digits:
        return ""
    year, month, day, hour, minute, second = digits.groups(default="00")
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}"
