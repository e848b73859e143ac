"""Property: whatever a header says, a series is read right or refused by one of the typed errors."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from made_dicom import lge_series, write
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from cardiotwin.errors import CardioTwinError
from cardiotwin.ingest import read_dicom

pytestmark = pytest.mark.filterwarnings("error")

KEYWORDS = """
    Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel NumberOfFrames PixelSpacing
    ImagePositionPatient ImageOrientationPatient SliceThickness RescaleSlope RescaleIntercept TriggerTime InstanceNumber
    InversionTime PhotometricInterpretation Modality SOPClassUID SOPInstanceUID SeriesInstanceUID StudyInstanceUID
    FrameOfReferenceUID PatientID PatientBirthDate PatientSex PatientName SeriesDescription SeriesNumber ImageType
    SpecificCharacterSet BurnedInAnnotation ContrastBolusAgent TemporalPositionIdentifier ProtocolName
""".split()  # noqa: SIM905
PERSONAL = {"PatientID", "PatientBirthDate", "PatientSex", "PatientName"}
KINDS = ("DS", "IS", "US", "UL", "LO", "UI", "CS", "PN", "FD", "OB", "UN", "SQ", "DA")
HOSTILE = (
    b"",
    b"0",
    b"-1",
    b"nan",
    b"inf",
    b"1e300",
    b"1,5",
    b"../../x",
    b"CANARY\n\x1b[31m",
    b"\xff\xfe\x00",
    b"\\" * 7,
    b"1\\2\\3\\4\\5\\6\\7",
    b"ISO 2022 IR 87\\ISO 2022 IR 149",
    b"\x1b$)C\xb1\xe8",
    b"A" * 2_000,
)
mutations = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(KEYWORDS),
        st.one_of(st.none(), st.sampled_from(KINDS)),
        st.one_of(st.sampled_from(HOSTILE), st.binary(max_size=40), st.floats().map(lambda x: f"{x:.12g}".encode())),
    ),
    min_size=1,
    max_size=3,
)


def mutated(changes):
    """The series with some elements replaced, as raw bytes under any value representation."""
    series = lge_series(4)
    for k, keyword, vr, value in changes:
        tag = Tag(keyword)
        vr = vr or dictionary_VR(tag)
        if vr not in ("OB", "UN", "SQ", "OW"):
            value = value[:65_000]
        padded = value + b"\0" * (len(value) % 2)
        series[k][tag] = RawDataElement(tag, vr, len(padded), padded, 0, False, True)
    return series


def placed(series, folder):
    """Whether pydicom can write them at all."""
    for k, dataset in enumerate(series):
        dataset.preamble, dataset.file_meta.MediaStorageSOPInstanceUID = bytes(128), f"1.2.3.4.{k + 1}"
        try:
            dataset.save_as(folder / f"{k}.dcm", enforce_file_format=False, implicit_vr=False, little_endian=True)
        except Exception:  # what pydicom will not write is no file to read
            return False
        content = (folder / f"{k}.dcm").read_bytes()
        if content[128:132] != b"DICM":
            return False
    return True


@settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(mutations)
@example([(1, "SpecificCharacterSet", None, b"NO SUCH SET"), (1, "SeriesDescription", None, b"\xff\x1b$B")])
@example([(0, "NumberOfFrames", "IS", b"2147483647")])
@example([(2, "PatientSex", "SQ", b"CANARY")])
@example([(0, "Rows", "SQ", b"A" * 2_000)])  # found by this test: printing what was found parsed it, and failed
def test_any_header_is_read_or_refused(changes):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not placed(mutated(changes), folder):
            return
        try:
            image = read_dicom(folder)
        except CardioTwinError as refused:
            line = str(refused)
            code = refused.exit_code
            hidden = {keyword for _, keyword, _, value in changes if b"CANARY" in value} <= PERSONAL
        else:
            line, code, hidden = "", 0, True
            assert np.isfinite(image.values).all()
            assert np.isfinite(image.affine).all()
            assert np.linalg.det(image.affine[:3, :3]) > 0
    assert code in (0, 3, 4, 5, 7)
    assert line.isprintable()
    assert not hidden or "CANARY" not in line


def test_the_series_is_read_where_nothing_was_changed(tmp_path):
    assert read_dicom(write(tmp_path, lge_series(4))).values.shape[0] == 4
