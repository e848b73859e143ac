"""What is kept of a DICOM file reads alike, matches alike, and holds no person."""

import numpy as np
import pydicom
import pytest
from made_dicom import beats, cine_slice, ecg, lge_slice, twelve_leads, write
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from cardiotwin.ecg.recording import LEADS
from cardiotwin.ingest import deidentify, identity, read_dicom, read_ecg, read_header, same_person, write_deidentified

CANARY = "CANARY"
OTHERS = {"DA": "19480417", "TM": "031415.926535", "DT": "19480417031415", "UI": "1.2.3.4.777", "AS": "091Y"}
CANARIES = dict.fromkeys(("LO", "SH", "PN", "LT", "ST", "UT", "UC", "CS", "AE", "UR"), CANARY) | OTHERS
"""For each value representation that can hold a person, an address, a machine or a day."""


def poisoned(dataset):
    """The same file with a canary in every attribute of the dictionary that it does not have, and in a private one."""
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        readable = keyword and keyword != "SpecificCharacterSet" and tag not in dataset
        if readable and 2 < tag >> 16 < 0x7FE0 and (value := CANARIES.get(vr)):
            dataset.add_new(tag, vr, value)
    dataset.private_block(0x0029, "CANARY MAKER", create=True).add_new(0x01, "LO", CANARY)
    inner = Dataset()
    inner.PatientName, inner.PatientID = CANARY, CANARY
    dataset.OtherPatientIDsSequence = dataset.ReferencedImageSequence = [inner]
    dataset.SeriesDescription = f"psir {CANARY} sax"
    dataset.StudyDate = dataset.AcquisitionDate = "19991231"
    return dataset


@pytest.fixture
def folders(tmp_path):
    source, target = write(tmp_path / "in", [poisoned(lge_slice(k)) for k in range(4)]), tmp_path / "out"
    target.mkdir()
    for path in source.iterdir():
        content = path.read_bytes()
        path.write_bytes(b"MZ" + content[2:])
    return source, target, write_deidentified(sorted(source.iterdir()), target)


def test_no_canary_survives(folders):
    _, _, written = folders
    assert len(written) == 4
    for path in written:
        content = path.read_bytes()
        for word in (CANARY, CANARY.lower(), "19610203", "19991231", "1.2.3.4", *OTHERS.values()):
            assert word.encode() not in content, word
        assert content[:128] == bytes(128)


def test_the_copy_says_by_which_profile_it_was_made(folders):
    copy = pydicom.dcmread(folders[2][0])
    assert copy.PatientIdentityRemoved == "YES"
    assert "PS3.15" in copy.DeidentificationMethod
    codes = [(code.CodingSchemeDesignator, code.CodeValue) for code in copy.DeidentificationMethodCodeSequence]
    assert codes == [("DCM", "113100"), ("DCM", "113105")]
    assert copy.LongitudinalTemporalInformationModified == "REMOVED"
    assert (copy.PatientName, copy.PatientBirthDate, copy.PatientSex, copy.StudyDate) == ("", "", "", "")


def test_pseudonyms_are_those_of_the_same_twin_in_every_file_and_of_no_other(tmp_path):
    one, again, ours = (deidentify(lge_slice(k), salt=b"a") for k in (0, 1, 0))
    other = deidentify(lge_slice(0), salt=b"b")
    assert one.PatientID == again.PatientID
    assert one.StudyInstanceUID == again.StudyInstanceUID
    assert one.SOPInstanceUID == ours.SOPInstanceUID != again.SOPInstanceUID
    assert one.PatientID != other.PatientID


def test_the_copy_reads_like_the_original(folders):
    source, target, _ = folders
    one, other = read_dicom(source), read_dicom(target)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.affine, other.affine)
    assert (one.kind, one.slice_thickness_mm) == (other.kind, other.slice_thickness_mm)


def test_the_copy_of_a_cine_keeps_its_frames_in_time(tmp_path):
    source = write(tmp_path / "in", [cine_slice(k, frame) for k in range(4) for frame in range(6)])
    (tmp_path / "out").mkdir()
    write_deidentified(sorted(source.iterdir()), tmp_path / "out")
    one, other = read_dicom(source), read_dicom(tmp_path / "out")
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.motion, other.motion)


def test_the_copy_of_an_ecg_reads_like_the_original(tmp_path):
    source = write(tmp_path / "in", [poisoned(ecg(twelve_leads(), LEADS))])
    (tmp_path / "out").mkdir()
    (copy,) = write_deidentified(source.iterdir(), tmp_path / "out")
    np.testing.assert_array_equal(read_ecg(copy).mv, read_ecg(next(source.iterdir())).mv)
    assert read_ecg(copy).leads == LEADS
    assert CANARY.encode() not in copy.read_bytes()


def test_doing_it_twice_is_doing_it_once():
    once = deidentify(lge_slice(0))
    assert deidentify(once) == once


def test_an_image_and_an_ecg_of_one_patient_match_before_and_after(tmp_path):
    image, recording = lge_slice(0), ecg(beats(8), LEADS[:2] + LEADS[6:])
    assert identity(image) == identity(recording) != ""
    assert same_person(identity(image), identity(deidentify(image)))
    assert not same_person(identity(lge_slice(0, PatientID="another")), identity(deidentify(image)))
    assert "canary" not in identity(image)
    assert read_header(next(write(tmp_path, [image]).iterdir())).PatientID == "canary-id-17"


def test_another_person_does_not_match_and_a_silent_file_contradicts_nobody():
    known = identity(lge_slice(0))
    assert not same_person(known, identity(lge_slice(0, PatientID="canary-id-18")))
    assert not same_person(known, identity(lge_slice(0, PatientSex="M")))
    assert not same_person(known, identity(lge_slice(0, PatientBirthDate="19600203")))
    assert same_person(known, identity(lge_slice(0, PatientBirthDate="")))
    assert identity(lge_slice(0, PatientID="", PatientBirthDate="", PatientSex="")) == ""


def test_a_secret_salt_changes_every_pseudonym():
    one, other = (deidentify(lge_slice(0), salt=salt) for salt in (b"a", b"b"))
    for keyword in ("PatientID", "SOPInstanceUID", "FrameOfReferenceUID"):
        assert getattr(one, keyword) != getattr(other, keyword)


def test_a_tag_that_poses_as_text_does_not_carry_text():
    """A file may give any tag any value representation: a name under InstanceNumber is still a name."""
    dataset = lge_slice(0)
    del dataset.InstanceNumber
    dataset.add_new("InstanceNumber", "LO", CANARY)
    assert CANARY not in str(deidentify(dataset))
