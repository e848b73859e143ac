"""What the twin keeps of a DICOM file: geometry, pixels, waveform and timing; never a person.

The Basic Application Level Confidentiality Profile of DICOM PS3.15 (Annex E, 2024), with descriptors cleaned. It is met
by an allow list, not a deny list: the profile names 655 attributes that may identify somebody, and private tags are
without number. What is on the list is not in the profile's table, or is replaced as it says.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cardiotwin.ingest.dicom_file import quiet, read_dataset, refusing, text
from cardiotwin.ingest.ecg_dicom import lead_name
from cardiotwin.ingest.study import kind_words
from cardiotwin.ingest.wording import name_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

METHOD = "DICOM PS3.15 Basic Profile, CardioTwin allow list 2"
METHOD_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
)
"""Pixels are not cleaned (113101): series that say they carry names are refused instead."""
EMPTY = """
    StudyDate StudyTime AccessionNumber ReferringPhysicianName StudyID PatientName PatientBirthDate PatientSex
    AcquisitionDateTime ContentDate ContentTime
"""
"""An image or an ECG must have these, so they are there without a value."""
DEFAULT_SALT = b"cardiotwin"
"""Public, so it hides a patient ID only from a casual look: whoever can guess IDs can hash them. Pass a secret one."""

PSEUDONYM = re.compile(r"CT-[0-9a-f]{16}")
OUR_UID = re.compile(r"2\.25\.\d{1,39}")

UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
CODES = {
    "SOPClassUID": r"1\.2\.840\.10008\.[\d.]{1,40}",
    "Modality": "MR|ECG",
    "PhotometricInterpretation": "MONOCHROME[12]",
    "PatientPosition": "[HF]F(S|P|DR|DL)",
    "BurnedInAnnotation": "YES|NO",
    "WaveformOriginality": "ORIGINAL|DERIVED",
    "WaveformSampleInterpretation": "SB|UB|SS|US|SL|UL",
    "CodingSchemeDesignator": "SCPECG|MDC|UCUM",
    "CodeValue": r"5\.6\.3-9-\d{1,3}|2:\d{1,5}|13\d{4}|[munMUN]?V",
}
"""Texts that are kept when they are one of these words."""

NUMBERS = frozenset(("DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "OB", "OW", "OF", "US or SS", "OB or OW"))
"""Value representations that hold no text; a hostile file may give any tag another one."""

VALUES = """
    SamplesPerPixel NumberOfFrames Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation PixelSpacing
    ImagePositionPatient ImageOrientationPatient SliceThickness SpacingBetweenSlices RescaleSlope RescaleIntercept
    RepetitionTime EchoTime InversionTime FlipAngle MagneticFieldStrength TriggerTime NominalInterval
    NominalCardiacTriggerDelayTime SeriesNumber InstanceNumber PixelData
    MultiplexGroupTimeOffset NumberOfWaveformChannels NumberOfWaveformSamples SamplingFrequency WaveformBitsAllocated
    WaveformBitsStored WaveformPaddingValue WaveformData ChannelSensitivity ChannelSensitivityCorrectionFactor
    InversionTimes TemporalPositionIdentifier TemporalPositionIndex
    ChannelBaseline ChannelTimeSkew ChannelSampleSkew FilterLowFrequency FilterHighFrequency
"""
SEQUENCES = """
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PixelMeasuresSequence PlanePositionSequence
    PlaneOrientationSequence CardiacSynchronizationSequence PixelValueTransformationSequence WaveformSequence
    MRModifierSequence FrameContentSequence
    ChannelDefinitionSequence ChannelSourceSequence ChannelSensitivityUnitsSequence
"""


@quiet()
def deidentify(dataset: Dataset, *, salt: bytes = DEFAULT_SALT) -> Dataset:
    """A new data set with only what CardioTwin reads, and pseudonyms in place of the identifiers.

    Texts that people write freely are replaced by the words of them that decide the kind of image. All dates go, and
    the patient's sex; what is left of the patient is a pseudonym. The same salt gives the same pseudonyms, so files
    stay together and an ECG still matches its image. Doing it twice is doing it once.

    Parameters
    ----------
    dataset : Dataset
        With file meta information, as read.
    salt : bytes
        Secret of the store; whoever has it can test a guess of a patient ID.
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    clean = _allowed(dataset, salt)
    for keyword in EMPTY.split():
        setattr(clean, keyword, "")
    clean.PatientID = _pseudonym(text(dataset, "PatientID"), salt)
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = METHOD
    clean.DeidentificationMethodCodeSequence = [_code(*code) for code in METHOD_CODES]
    clean.LongitudinalTemporalInformationModified = "REMOVED"
    if "Rows" in dataset:
        clean.ImageType = ["DERIVED", "PRIMARY"]
        clean.SeriesDescription = " ".join(kind_words(dataset))
        if text(dataset, "ContrastBolusAgent"):
            clean.ContrastBolusAgent = "contrast"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(text(clean, "SOPClassUID"))
    meta.MediaStorageSOPInstanceUID = UID(text(clean, "SOPInstanceUID"))
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    clean.file_meta = meta
    return clean


@quiet()
def identity(dataset: Dataset, *, salt: bytes = DEFAULT_SALT) -> str:
    """Whom a file is about, to match image and ECG: salted hashes of patient ID, birth year and sex, joined by ``-``.

    A part is empty where the file is silent; all empty gives ``""``. A de-identified copy is the same person as its
    original, of whom it keeps the pseudonym alone.
    """
    return identity_of(text(dataset, "PatientID"), _birth_year(dataset), _sex(dataset), salt=salt)


def identity_of(person: str, birth_year: str, sex: str, *, salt: bytes = DEFAULT_SALT) -> str:
    """`identity` of what another format says; "" for what it does not. The year may be two, ``1960+1961``."""
    if person and not PSEUDONYM.fullmatch(person):
        person = _pseudonym(person, salt)
    parts = (person, birth_year, sex)
    told = ("+".join(_digest(one, salt)[:16] for one in part.split("+")) if part else "" for part in parts)
    return "-".join(told) if any(parts) else ""


def same_person(one: str, other: str) -> bool:
    """Whether two identities agree in every part that both have."""
    return not differences(one, other)


def differences(one: str, other: str) -> tuple[str, ...]:
    """What two identities disagree in, of patient ID, birth year and sex; a part that one lacks is no disagreement.

    A part may name several, such as the two years that an age leaves open: they disagree when they share none.
    """
    parts = zip(("patient ID", "birth year", "sex"), one.split("-"), other.split("-"), strict=False)
    return tuple(name for name, a, b in parts if a and b and not {*a.split("+")} & {*b.split("+")})


@quiet()
def write_deidentified(paths: Iterable[Path], folder: Path, *, salt: bytes = DEFAULT_SALT) -> tuple[Path, ...]:
    """De-identified copies in a folder that exists, one per file, each named by its own pseudonymous UID.

    The preamble, where a foreign file format can hide, is zero.
    """
    written = []
    for path in paths:
        name = name_of(path)
        with refusing(name, "a value that is kept cannot be read"):
            clean = deidentify(read_dataset(path, name, pixels=True), salt=salt)
            target = folder / f"{_digest(text(clean, 'SOPInstanceUID'), salt)[:32]}.dcm"
            clean.save_as(target, enforce_file_format=True)
        written.append(target)
    return tuple(written)


def _allowed(dataset: Dataset, salt: bytes) -> Dataset:
    """The elements of the allow list, in every level of the allowed sequences."""
    from pydicom.dataset import Dataset

    clean = Dataset()
    for keyword in VALUES.split():
        if keyword in dataset and dataset[keyword].VR in NUMBERS:
            clean.add(dataset[keyword])
    for keyword, pattern in CODES.items():
        if re.fullmatch(pattern, value := text(dataset, keyword)):
            setattr(clean, keyword, value)
    for keyword in UIDS:
        if value := text(dataset, keyword):
            setattr(clean, keyword, value if OUR_UID.fullmatch(value) else _uid(value, salt))
    for keyword in SEQUENCES.split():
        if keyword in dataset:
            setattr(clean, keyword, [_allowed(item, salt) for item in dataset[keyword].value])
    if label := text(dataset, "MultiplexGroupLabel"):
        clean.MultiplexGroupLabel = "MEDIAN BEAT" if "MEDIAN" in label.upper() else "RHYTHM"
    if "ChannelSourceSequence" in clean and (lead := lead_name(dataset)):
        clean.ChannelSourceSequence[0].CodeMeaning = f"Lead {lead}"
    return clean


def _code(value: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _digest(value: str, salt: bytes) -> str:
    return hmac.new(salt, value.encode(), hashlib.sha256).hexdigest()


def _uid(value: str, salt: bytes) -> str:
    return f"2.25.{int(_digest(value, salt)[:32], 16)}"


def _pseudonym(person: str, salt: bytes) -> str:
    if not person or PSEUDONYM.fullmatch(person):
        return person
    return f"CT-{_digest(person, salt)[:16]}"


def _birth_year(dataset: Dataset) -> str:
    year = text(dataset, "PatientBirthDate")[:4]
    return year if re.fullmatch(r"(18|19|20)\d\d", year) else ""


def _sex(dataset: Dataset) -> str:
    sex = text(dataset, "PatientSex").upper()
    return sex if sex in ("M", "F", "O") else ""
