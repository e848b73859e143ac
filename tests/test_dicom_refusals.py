"""Bad DICOM is refused in one line with the right exit code, the file and the tag; never with a name."""

import os
import struct
import zlib

import numpy as np
import pytest
from made_dicom import NORMAL, OBLIQUE, cine_slice, lge_series, lge_slice, write
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cardiotwin.errors import CardioTwinError
from cardiotwin.ingest import read_dicom

# pydicom's warnings quote what they warn of, and with it names: none may get out.
pytestmark = pytest.mark.filterwarnings("error")

CANARIES = ("CANARY", "canary-id")


def refused(path, exit_code, *words, **options):
    """The one line of a refusal, checked for what every refusal must have."""
    with pytest.raises(CardioTwinError) as caught:
        read_dicom(path, **options)
    line = str(caught.value)
    assert caught.value.exit_code == exit_code, line
    assert "\n" not in line
    assert len(line) < 700
    assert not any(canary in line for canary in CANARIES), line
    for word in words:
        assert word in line, line
    return line


def one_tag(keyword, value):
    """An LGE series whose slice 2 has another value of one tag; None deletes it."""

    def change(k, dataset):
        if k == 2:
            if value is None:
                delattr(dataset, keyword)
            else:
                dataset[keyword].value = value

    return lambda: lge_series(change=change)


def moved(k, by_mm):
    """An LGE series with slice k moved along the normal."""

    def change(index, dataset):
        if index == k:
            dataset.ImagePositionPatient = [float(v) for v in dataset.ImagePositionPatient + np.array(by_mm * NORMAL)]

    return lambda: lge_series(change=change)


@pytest.mark.parametrize(
    ("series", "exit_code", "words"),
    [
        pytest.param(one_tag("PixelSpacing", [0, 2.0]), 3, ["PixelSpacing (0028,0030)", "IM"], id="spacing zero"),
        pytest.param(one_tag("PixelSpacing", [-1, 2.0]), 3, ["(0028,0030)"], id="spacing negative"),
        pytest.param(one_tag("PixelSpacing", [float("nan")] * 2), 3, ["(0028,0030)"], id="spacing nan"),
        pytest.param(one_tag("PixelSpacing", [1e300, 1e300]), 3, ["(0028,0030)"], id="spacing absurd"),
        pytest.param(one_tag("PixelSpacing", [1.5]), 3, ["(0028,0030)"], id="spacing alone"),
        pytest.param(one_tag("PixelSpacing", None), 3, ["(0028,0030)", "found nothing"], id="spacing missing"),
        pytest.param(one_tag("PixelSpacing", [1.5, 2.2]), 3, ["(0028,0030)"], id="spacing of one slice differs"),
        pytest.param(one_tag("ImagePositionPatient", None), 3, ["(0020,0032)"], id="position missing"),
        pytest.param(one_tag("ImageOrientationPatient", [1, 0, 0, 0.1, 1, 0]), 3, ["(0020,0037)"], id="not orthogonal"),
        pytest.param(one_tag("ImageOrientationPatient", [1, 0, 0, 0, 1, 0]), 3, ["(0020,0037)"], id="one turned"),
        pytest.param(one_tag("Rows", 65_535), 3, ["Rows (0028,0010)", "8192"], id="rows absurd"),
        pytest.param(one_tag("BitsStored", 17), 3, ["(0028,0100)"], id="more bits stored than allocated"),
        pytest.param(one_tag("BitsAllocated", 7), 3, ["(0028,0100)"], id="bits allocated 7"),
        pytest.param(one_tag("HighBit", 3), 3, ["(0028,0100)"], id="high bit wrong"),
        pytest.param(one_tag("PixelData", b"\0" * 20), 3, ["PixelData (7FE0,0010)", "20 bytes"], id="pixels short"),
        pytest.param(one_tag("PixelData", None), 3, ["PixelData"], id="pixels missing"),
        pytest.param(one_tag("PhotometricInterpretation", "RGB"), 3, ["(0028,0004)"], id="colour"),
        pytest.param(one_tag("FrameOfReferenceUID", "1.2.4"), 3, ["(0020,0052)"], id="two frames of reference"),
        pytest.param(one_tag("SOPInstanceUID", "1.2.3.4.1"), 3, ["(0008,0018)"], id="one UID, two slices"),
        pytest.param(one_tag("PatientID", "CANARY-ID-17"), 7, ["PatientID (0010,0020)"], id="ID differs by case"),
        pytest.param(one_tag("PatientBirthDate", "19610302"), 7, ["(0010,0030)"], id="birth date differs"),
        pytest.param(
            lambda: [one for k, one in enumerate(lge_series(6)) if k != 3], 3, ["1 slice(s) missing"], id="gap"
        ),
        pytest.param(moved(2, 0.2), 3, ["unequal steps", "(0020,0032)"], id="uneven by 2 %"),
        pytest.param(moved(2, 9.0), 3, ["duplicates slice 3 of 4"], id="duplicate position"),
        pytest.param(lambda: lge_series(2), 4, ["at least 3"], id="two slices only"),
    ],
)
def test_a_damaged_series_is_refused_in_one_line(tmp_path, series, exit_code, words):
    refused(write(tmp_path / "lge", series()), exit_code, *words)


def test_a_slice_shifted_sideways_is_refused(tmp_path):
    def change(k, dataset):
        if k == 2:
            dataset.ImagePositionPatient = [float(v) for v in dataset.ImagePositionPatient + np.array(OBLIQUE[0])]

    refused(write(tmp_path / "lge", lge_series(change=change)), 3, "sideways", "1 mm")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"\0" * 131, "DICM"), (b"hello" * 100, "DICM"), (b"\0" * 128 + b"DICM", "IM9")],
)
def test_a_file_that_is_not_dicom_is_refused_by_name(tmp_path, content, words):
    folder = write(tmp_path / "lge", lge_series())
    (folder / "IM9.dcm").write_bytes(content)
    refused(folder, 3, "IM9.dcm", words)


def test_other_files_beside_a_study_are_left_out_with_a_note(tmp_path):
    folder = write(tmp_path / "lge", lge_series())
    (folder / "LICENSE").write_text("free")
    (folder / "viewer.exe").write_bytes(b"MZ")
    assert any("2 file(s) that are not DICOM" in note for note in read_dicom(folder).notes)


@pytest.mark.parametrize("keyword", ["BurnedInAnnotation", "SOPClassUID"])
def test_pixels_that_may_show_a_name_are_a_matter_of_policy(tmp_path, keyword):
    value = "YES" if keyword == "BurnedInAnnotation" else "1.2.840.10008.5.1.4.1.1.7"
    series = lge_series(change=lambda k, dataset: setattr(dataset, keyword, value) if k == 2 else None)
    for dataset in series:
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    refused(write(tmp_path / "lge", series), 7, keyword)


def test_two_lge_series_are_listed_and_one_can_be_chosen(tmp_path):
    second = [
        lge_slice(k, SeriesInstanceUID="1.2.77", SeriesNumber=8, SOPInstanceUID=f"1.2.77.{k}", InversionTime="250")
        for k in range(4)
    ]
    write(tmp_path / "lge", lge_series(), prefix="A")
    write(tmp_path / "lge", second, prefix="B")
    refused(tmp_path / "lge", 3, "1.2.3.4", "1.2.77", "series=")
    assert len(read_dicom(tmp_path / "lge", series="1.2.77").values) == 4
    assert len(read_dicom(tmp_path / "lge", series="7").values) == 5
    refused(tmp_path / "lge", 3, "not in the folder", series="99")


def test_a_series_that_does_not_say_what_it_is_needs_the_user_to_say_it(tmp_path):
    folder = write(tmp_path / "what", [lge_slice(k, InversionTime=None, SeriesDescription="sax") for k in range(4)])
    refused(folder, 4, "InversionTime (0018,0082)", "kind=")
    assert read_dicom(folder, kind="lge").kind == "lge"


def test_two_halves_of_a_stack_in_two_frames_of_reference_are_not_halved(tmp_path):
    halves = [cine_slice(k, frame, FrameOfReferenceUID=f"1.{1 + k // 2}") for k in range(4) for frame in range(6)]
    refused(write(tmp_path / "cine", halves), 3, "(0020,0052)")


def test_the_same_file_twice_is_read_once(tmp_path):
    folder = write(tmp_path / "lge", lge_series())
    copy = sorted(folder.iterdir())[0]
    (folder / "again.dcm").write_bytes(copy.read_bytes())
    image = read_dicom(folder)
    assert len(image.values) == 5
    assert any("read once" in note for note in image.notes)


def test_links_that_loop_and_pipes_neither_block_nor_count(tmp_path):
    folder = write(tmp_path / "lge", lge_series())
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.dcm")
    image = read_dicom(folder)
    assert len(image.values) == 5
    assert sum("left out" in note for note in image.notes) == 2


def test_sequences_nested_without_end_are_refused(tmp_path):
    folder = write(tmp_path / "lge", lge_series())
    path = sorted(folder.iterdir())[0]
    content = path.read_bytes()
    at = content.index(struct.pack("<HH", 0x0020, 0x000D))
    tag = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    for depth in (66, 240, 5000):
        path.write_bytes(content[:at] + depth * tag + content[at:])
        refused(folder, 3, path.name)


def test_a_nested_sequence_of_harmless_depth_is_read(tmp_path):
    def nest(k, dataset):
        item = Dataset()
        for _ in range(20):
            outer = Dataset()
            outer.ReferencedImageSequence = Sequence([item])
            item = outer
        dataset.ReferencedImageSequence = Sequence([item])

    assert len(read_dicom(write(tmp_path / "lge", lge_series(change=nest))).values) == 5


def test_a_deflated_bomb_is_refused_without_being_inflated_in_memory(tmp_path):
    import resource

    folder = write(tmp_path / "lge", lge_series())
    path = sorted(folder.iterdir())[0]
    dataset = lge_slice(0)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    machine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = path.read_bytes()
    start = 132 + 12 + struct.unpack("<I", head[140:144])[0]
    bomb = machine.compress(struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 256 << 20))
    for _ in range(256):
        bomb += machine.compress(bytes(1 << 20))
    path.write_bytes(head[:start] + bomb + machine.flush())
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(folder, 3, path.name, "inflate")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 100 << 10


def test_an_honest_deflated_file_is_read(tmp_path):
    def deflate(k, dataset):
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"

    assert len(read_dicom(write(tmp_path / "lge", lge_series(change=deflate))).values) == 5


def test_text_from_a_file_cannot_forge_a_line(tmp_path):
    evil = "x\n\x1b[31mDONE"
    series = [
        lge_slice(k, SeriesInstanceUID=f"1.2.{n}", SOPInstanceUID=f"1.2.{n}.{k}", SeriesDescription=evil)
        for n in (1, 2)
        for k in range(3)
    ]
    line = refused(write(tmp_path / "lge", series), 3)
    assert "\x1b" not in line


def test_a_scanner_of_another_kind_is_not_enough_to_answer(tmp_path):
    refused(write(tmp_path / "ct", [lge_slice(k, Modality="CT") for k in range(4)]), 4, "CT")


def test_a_damaged_neighbour_can_be_passed_by_naming_the_series(tmp_path):
    broken = lge_slice(0, SeriesInstanceUID="1.2.66", SOPInstanceUID="1.2.66.1", PixelSpacing=None)
    folder = write(tmp_path / "lge", lge_series())
    write(folder, [broken], prefix="BROKEN")
    refused(folder, 3, "BROKEN000.dcm", "series=")
    assert len(read_dicom(folder, series="1.2.3.4").values) == 5
