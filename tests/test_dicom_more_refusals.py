"""More of what exports get wrong: text, sizes, signs, private parts; refused or read, never guessed."""

import os
import socket
import time

import numpy as np
import pytest
from made_dicom import NORMAL, ecg, lge_series, lge_slice, signal_at, twelve_leads, write
from pydicom.dataset import Dataset

from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import CardioTwinError, InputRejected, PolicyRefusal, QualityGate
from cardiotwin.ingest import folders, identity, read_dicom, same_person, write_deidentified
from cardiotwin.ingest.dicom_file import quiet

pytestmark = pytest.mark.filterwarnings("error")


def series(**tags):
    return lge_series(change=lambda k, dataset: [setattr(dataset, key, value) for key, value in tags.items()])


def renamed_bytes(folder, old, new):
    """Every file of a folder with some bytes of a value replaced."""
    for file in folder.iterdir():
        content = file.read_bytes()
        assert old in content
        file.write_bytes(content.replace(old, new))
    return folder


def test_a_decimal_comma_is_refused_by_its_tag(tmp_path):
    folder = renamed_bytes(write(tmp_path / "lge", series()), b"1.5\\2.0", b"1,5\\2,0")
    with pytest.raises(InputRejected, match=r"PixelSpacing \(0028,0030\)"):
        read_dicom(folder)


@pytest.mark.parametrize("n_frames", [2**31 - 1, 10_001, 2])
def test_frames_that_are_not_there_are_refused_before_anything_is_allocated(tmp_path, n_frames):
    started = time.process_time()
    with pytest.raises(InputRejected, match=r"NumberOfFrames|PerFrameFunctionalGroupsSequence"):
        read_dicom(write(tmp_path / "lge", series(NumberOfFrames=n_frames)))
    assert time.process_time() - started < 2.0


def test_rows_as_a_long_number_are_refused_too(tmp_path):
    dataset = lge_slice(1)
    del dataset.Rows
    dataset.add_new("Rows", "UL", 65_535)
    with pytest.raises(InputRejected, match=r"Rows \(0028,0010\)"):
        read_dicom(write(tmp_path / "lge", [lge_slice(0), dataset, *lge_series()[2:]]))


def test_a_palette_is_no_signal(tmp_path):
    with pytest.raises(InputRejected, match=r"\(0028,0004\)"):
        read_dicom(write(tmp_path / "lge", series(PhotometricInterpretation="PALETTE COLOR")))


@pytest.mark.parametrize("uid", ["/etc/cron.d/x", "1." * 40 + "1", "letters"])
def test_a_hostile_uid_never_becomes_a_path(tmp_path, uid):
    made = series()
    folder = tmp_path / "lge"
    folder.mkdir()
    with quiet():
        made[0].SOPInstanceUID = uid
        for k, dataset in enumerate(made):
            dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{k}"
            dataset.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    (tmp_path / "out").mkdir()
    assert len(read_dicom(folder).values) == 5
    copies = write_deidentified(sorted(folder.iterdir()), tmp_path / "out")
    assert {copy.parent for copy in copies} == {tmp_path / "out"}
    assert all(uid.encode() not in copy.read_bytes() for copy in copies)


@pytest.mark.parametrize("charset", [b"NO SUCH ", b"ISO_IR 192", b"ISO 2022 IR 87\\ISO 2022 IR 149 "])
@pytest.mark.parametrize("name", [b"\xff\xfe\x80\x81", b"\x1b$B\x1b(J\x1b$)C"])
def test_text_in_a_character_set_that_is_wrong_neither_stops_nor_warns(tmp_path, charset, name):
    folder = write(tmp_path / "lge", series(SpecificCharacterSet="ISO_IR 100", ProtocolName="ABCDEFGH"))
    padded = name.ljust(8)[:8]
    renamed_bytes(folder, b"ABCDEFGH", padded)
    for file in folder.iterdir():
        content = file.read_bytes()
        old = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"
        file.write_bytes(content.replace(old, b"\x08\x00\x05\x00CS" + len(charset).to_bytes(2, "little") + charset))
    assert len(read_dicom(folder).values) == 5


@pytest.mark.parametrize("marker", [b"MZ", b"\x7fELF"])
def test_a_program_in_the_preamble_is_not_kept(tmp_path, marker):
    folder = write(tmp_path / "lge", series())
    for file in folder.iterdir():
        file.write_bytes(marker + file.read_bytes()[len(marker) :])
    (tmp_path / "out").mkdir()
    assert len(read_dicom(folder).values) == 5
    for copy in write_deidentified(folder.iterdir(), tmp_path / "out"):
        assert copy.read_bytes()[:128] == bytes(128)


def test_a_megabyte_of_text_becomes_a_short_line(tmp_path):
    long = "A\r\n\x1b[31m" * 130_000
    second = [lge_slice(k, SeriesInstanceUID="1.2.9", SOPInstanceUID=f"1.2.9.{k}") for k in range(3)]
    for dataset in second:
        dataset.add_new("SeriesDescription", "UT", long)
    folder = write(tmp_path / "lge", series())
    write(folder, second, prefix="B")
    with pytest.raises(CardioTwinError) as caught:
        read_dicom(folder)
    assert len(str(caught.value)) < 700
    assert str(caught.value).isprintable()


def test_signed_pixels_and_a_negative_slope_keep_their_signs(tmp_path):
    signed = np.array([-32768, -1, 0, 1, 32767] * 10)[:48].astype("<i2").reshape(6, 8)
    made = series(
        PixelRepresentation=1,
        BitsStored=16,
        HighBit=15,
        RescaleSlope=-2,
        RescaleIntercept=10,
        PixelData=signed.tobytes(),
    )
    image = read_dicom(write(tmp_path / "lge", made))
    np.testing.assert_array_equal(image.values[0], -2.0 * signed + 10)


@pytest.mark.parametrize(("slope", "exit_code"), [(0, 3), ("1e38", 3), ("1", 0)])
def test_a_slope_that_makes_nonsense_is_refused(tmp_path, slope, exit_code):
    folder = write(tmp_path / "lge", series(RescaleSlope=slope))
    if exit_code:
        with pytest.raises(InputRejected, match="RescaleSlope"):
            read_dicom(folder)
    else:
        np.testing.assert_array_equal(read_dicom(folder).values[1], signal_at(1))


def test_missing_optional_tags_are_done_without(tmp_path):
    made = lge_series()
    for dataset in made:
        for keyword in ("SliceThickness", "InstanceNumber", "SeriesNumber", "PatientBirthDate", "StudyDate", "HighBit"):
            delattr(dataset, keyword)
    image = read_dicom(write(tmp_path / "lge", made))
    assert image.slice_thickness_mm == pytest.approx(9.0)


def test_a_tilted_gantry_is_refused_rather_than_sheared(tmp_path):
    def tilt(k, dataset):
        dataset.ImagePositionPatient = [round(float(v), 6) for v in np.array([0, 2.0 * k, 0]) + 9.0 * k * NORMAL]

    with pytest.raises(InputRejected, match="sideways"):
        read_dicom(write(tmp_path / "lge", lge_series(change=tilt)))


@pytest.mark.parametrize("modality", ["US", "CT", "XA"])
def test_another_modality_is_not_enough_to_answer_and_says_which_it_is(tmp_path, modality):
    with pytest.raises(QualityGate, match=modality):
        read_dicom(write(tmp_path / "other", series(Modality=modality)))


def test_a_leading_zero_is_another_patient(tmp_path):
    made = series()
    made[2].PatientID = "0" + made[2].PatientID
    with pytest.raises(PolicyRefusal, match=r"PatientID \(0010,0020\)"):
        read_dicom(write(tmp_path / "lge", made))


def test_an_ecg_with_another_birth_year_is_somebody_elses():
    image, recording = lge_slice(0), ecg(twelve_leads(), LEADS, PatientBirthDate="19710203")
    assert not same_person(identity(image), identity(recording))


def test_more_files_than_the_limit_are_refused_and_as_many_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "MOST_FILES", 5)
    folder = write(tmp_path / "lge", series())
    assert len(read_dicom(folder).values) == 5
    (folder / "notes.txt").write_text("one more")
    with pytest.raises(InputRejected, match="more than 5 files"):
        read_dicom(folder)


def test_a_socket_in_a_folder_does_not_block(tmp_path):
    folder = write(tmp_path / "lge", series())
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as listening:
        try:
            os.chdir(folder)  # a socket's path must be short
            listening.bind("s.dcm")
        finally:
            os.chdir(here)
        assert any("not a regular file" in note for note in read_dicom(folder).notes)


def test_a_name_inside_a_sequence_where_a_number_should_be_is_not_shown(tmp_path):
    made, item = lge_series(), Dataset()
    item.PatientName = "CANARY^NAME"
    del made[2].PixelSpacing
    made[2].add_new("PixelSpacing", "SQ", [item])
    with pytest.raises(InputRejected, match=r"PixelSpacing \(0028,0030\): found a Sequence") as caught:
        read_dicom(write(tmp_path / "lge", made))
    assert "CANARY" not in str(caught.value)
