"""Every bad DICOM input that the project promises to survive (cases TD01 to TD29), given to `cardiotwin add`.

Each ends in the promised exit code and one line, with the twin unchanged and no name shown, or is taken as promised.
What needs no command line, or the thousands of variants of a case, is tested where the reader is:

TD02, TD03, TD29 in `test_dicom_damage.py`; TD04, TD05 in `test_dicom_refusals.py`; TD07, TD09 in
`test_dicom_compressed.py`; TD08 and TD28, with decoders that die, in `test_dicom_guard.py`; TD13 in
`test_dicom_against_simpleitk.py`; TD18 in `test_dicom_archives.py`; TD20, TD23 and TD25 in
`test_dicom_more_refusals.py`; TD21 in `test_deidentify.py`; TD26 in `test_mirrored_image.py`,
for label maps and meshes in `test_mirrored_heart.py` and `test_mirrored_mesh.py`.
"""

import os
import socket
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from bad_input import CANARIES, command, kept, new_case, refused, taken
from made_dicom import NORMAL, OBLIQUE, ORIGIN_MM, STEP_MM, ecg, lge_slice, twelve_leads, write
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MediaStorageDirectoryStorage,
    RLELossless,
)

from cardiotwin.ecg.recording import LEADS
from cardiotwin.ingest import folders
from cardiotwin.ingest import guard as guarding
from cardiotwin.ingest.guard import Guard

# pydicom's warnings quote what they warn of, and with it names: none may get out.
pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:The value length"),
]


def series(count=5, **tags):
    return [lge_slice(k, **tags) for k in range(count)]


def tagged(keyword, value, k=2):
    """A series of which slice k has another value of one tag; None deletes it."""

    def make(folder):
        made = series()
        if value is None:
            delattr(made[k], keyword)
        elif isinstance(value, tuple):
            delattr(made[k], keyword)
            made[k].add_new(keyword, *value)
        else:
            made[k][keyword].value = value
        return write(folder, made)

    return make


def file_of(content, name="IM9.dcm"):
    """A good series and beside it one file of these bytes."""

    def make(folder):
        write(folder, series())
        (folder / name).write_bytes(content)
        return folder

    return make


def edited(change):
    """A good series whose first file's bytes are changed."""

    def make(folder):
        path = sorted(write(folder, series()).iterdir())[0]
        path.write_bytes(change(path.read_bytes()))
        return folder

    return make


def placed(positions_mm):
    """A series whose slices lie at these distances along their normal."""
    return lambda folder: write(
        folder,
        [
            lge_slice(k, ImagePositionPatient=[float(v) for v in np.round(ORIGIN_MM + at * NORMAL, 6)])
            for k, at in enumerate(positions_mm)
        ],
    )


def pixel_length(content):
    at = content.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW")) + 8
    return content[:at] + struct.pack("<I", 0xFFFFFFF0) + content[at + 4 :]


def nested(depth):
    begin = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 2**32 - 1) + struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1)
    end = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)

    def change(content):
        at = content.index(struct.pack("<HH", 0x0020, 0x000D))
        return content[:at] + depth * begin + depth * end + content[at:]

    return edited(change)


def bomb(folder):
    """A deflated file of half a megabyte that inflates to 512 MB."""
    dataset = lge_slice(0)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    path = sorted(write(folder, [dataset, *series()[1:]]).iterdir())[0]
    path = next(one for one in folder.iterdir() if b"1.2.840.10008.1.2.1.99" in one.read_bytes()[:400])
    head = path.read_bytes()
    start = 132 + 12 + struct.unpack("<I", head[140:144])[0]
    machine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = machine.compress(struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 512 << 20))
    packed += b"".join(machine.compress(bytes(1 << 20)) for _ in range(512))
    path.write_bytes(head[:start] + packed + machine.flush())
    return folder


def cut_stream(name, syntax):
    """A series of which one slice holds half a compressed stream."""

    def make(folder):
        made = series()
        source = dcmread(get_testdata_file(name))
        frame = next(generate_frames(source.PixelData, number_of_frames=1))
        made[2].PixelData = encapsulate([frame[: len(frame) // 4 * 2]])
        for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
            for one in made:  # so that only the stream is wrong
                setattr(one, keyword, getattr(source, keyword))
        for k, one in enumerate(made):
            if k != 2:
                one.PixelData = bytes(2 * source.Rows * source.Columns)
        made[2]["PixelData"].VR, made[2]["PixelData"].is_undefined_length = "OB", True
        made[2].file_meta.TransferSyntaxUID = syntax
        return write(folder, made)

    return make


def odd_syntax(folder):
    made = series()
    made[1].PixelData = encapsulate([bytes(96)])
    made[1]["PixelData"].VR = "OB"
    made[1].file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    return write(folder, made)


def decimal_comma(folder):
    for path in write(folder, series()).iterdir():
        path.write_bytes(path.read_bytes().replace(b"1.5\\2.0", b"1,5\\2,0"))
    return folder


def tilted(folder):
    positions = [np.array([0, 2.0 * k, 0]) + STEP_MM * k * NORMAL for k in range(5)]
    return write(folder, [lge_slice(k, ImagePositionPatient=list(np.round(p, 6))) for k, p in enumerate(positions)])


def two_series(folder):
    write(folder, series(), prefix="A")
    second = [lge_slice(k, SeriesInstanceUID="1.2.77", SOPInstanceUID=f"1.2.77.{k}") for k in range(4)]
    return write(folder, second, prefix="B")


def image_and_ecg(**tags):
    def make(folder):
        write(folder, series())
        return write(folder, [ecg(twelve_leads(), LEADS, **tags)], prefix="ecg")

    return make


def another_file_id(folder):
    return write(folder, [*series(), lge_slice(4, SOPInstanceUID="1.2.3.4.1", InstanceNumber=9)])


def dicomdir(*names):
    """A disc whose directory names these files."""

    def make(folder):
        write(folder / "disc", series())
        directory = Dataset()
        directory.file_meta = FileMetaDataset()
        directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
        directory.file_meta.MediaStorageSOPInstanceUID = "1.2.9"
        directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        directory.FileSetID = ""
        records = []
        for name in names:
            record = Dataset()
            record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", name
            records.append(record)
        directory.DirectoryRecordSequence = records
        directory.save_as(folder / "disc" / "DICOMDIR", enforce_file_format=True)
        return folder / "disc" / "DICOMDIR"

    return make


def slope(value):
    return lambda folder: write(folder, series(RescaleSlope=value))


REFUSED = [
    ("TD01 empty", file_of(b""), 3, ["IM9.dcm", "an empty file", "a DICOM file"]),
    ("TD01 131 bytes", file_of(bytes(131)), 3, ["IM9.dcm", "131 bytes without the mark DICM", "DICOM Part 10"]),
    ("TD01 no DICM", file_of(b"hello" * 100), 3, ["IM9.dcm", "DICOM Part 10"]),
    ("TD02 cut in the header", edited(lambda c: c[:500]), 3, ["IM", "(00"]),
    ("TD02 cut in the pixels", edited(lambda c: c[:-40]), 3, ["IM", "PixelData (7FE0,0010)"]),
    ("TD03 length of the pixels", edited(pixel_length), 3, ["IM", "PixelData (7FE0,0010)", "4294967280", "96"]),
    ("TD04 deflated bomb", bomb, 3, ["IM", "inflate beyond"]),
    ("TD05 depth 65", nested(65), 3, ["IM", "sequences 65 deep", "at most 64"]),
    ("TD05 depth 240", nested(240), 3, ["IM", "at most 64"]),
    ("TD05 depth 20,000", nested(20_000), 3, ["IM", "at most 64"]),
    ("TD06 rows", tagged("Rows", 65_535), 3, ["Rows (0028,0010)", "8192"]),
    ("TD06 rows as UL", tagged("Rows", ("UL", 65_535)), 3, ["Rows (0028,0010)", "8192"]),
    ("TD06 columns", tagged("Columns", 65_535), 3, ["Columns (0028,0011)", "8192"]),
    ("TD06 frames", lambda f: write(f, series(NumberOfFrames=2**31 - 1)), 3, ["NumberOfFrames (0028,0008)", "10000"]),
    ("TD07 palette", tagged("PhotometricInterpretation", "PALETTE COLOR"), 3, ["(0028,0004)", "MONOCHROME2"]),
    ("TD07 bits allocated 7", tagged("BitsAllocated", 7), 3, ["(0028,0100)", "7 bits"]),
    ("TD07 more stored than allocated", tagged("BitsStored", 17), 3, ["(0028,0100)", "17 stored"]),
    ("TD07 high bit", tagged("HighBit", 3), 3, ["(0028,0100)", "high bit 3"]),
    ("TD08 JPEG 2000", cut_stream("MR_small_jp2klossless.dcm", JPEG2000Lossless), 3, ["IM", "(7FE0,0010)", "decoded"]),
    ("TD08 JPEG-LS", cut_stream("MR_small_jpeg_ls_lossless.dcm", JPEGLSLossless), 3, ["IM", "(7FE0,0010)", "decoded"]),
    ("TD08 RLE", cut_stream("MR_small_RLE.dcm", RLELossless), 3, ["IM", "(7FE0,0010)", "decoded"]),
    ("TD09 syntax", odd_syntax, 3, ["1.2.840.10008.1.2.4.100", "pip install cardiotwin[dicom]"]),
    ("TD10 zero", tagged("PixelSpacing", [0, 2.0]), 3, ["IM", "PixelSpacing (0028,0030)", "0.05 to 20"]),
    ("TD10 negative", tagged("PixelSpacing", [-1, 2.0]), 3, ["PixelSpacing (0028,0030)"]),
    ("TD10 nan", tagged("PixelSpacing", [float("nan")] * 2), 3, ["PixelSpacing (0028,0030)"]),
    ("TD10 1e300", tagged("PixelSpacing", [1e300] * 2), 3, ["PixelSpacing (0028,0030)"]),
    ("TD10 one value", tagged("PixelSpacing", [1.5]), 3, ["PixelSpacing (0028,0030)"]),
    ("TD10 decimal comma", decimal_comma, 3, ["PixelSpacing (0028,0030)"]),
    ("TD11 not unit", tagged("ImageOrientationPatient", [0.9, 0, 0, 0, 1, 0]), 3, ["(0020,0037)", "0.001"]),
    ("TD11 not orthogonal", tagged("ImageOrientationPatient", [1, 0, 0, 0.1, 1, 0]), 3, ["(0020,0037)", "cosine"]),
    ("TD12 missing slice", placed([0, 9, 27, 36]), 3, ["1 slice(s) missing between slices 2", "and 3", "18 mm"]),
    ("TD12 doubled slice", placed([0, 9, 9, 18, 27]), 3, ["duplicates slice 2 of 4", "(0020,0032)"]),
    ("TD12 unequal steps", placed([0, 9, 18.2, 27]), 3, ["unequal steps", "slices 3", "and 4", "within 1 %"]),
    ("TD13 sheared", tilted, 3, ["sideways of the stack"]),
    ("TD14 two series", two_series, 3, ["1.2.3.4", "1.2.77", "--series"]),
    ("TD14 two frames of reference", tagged("FrameOfReferenceUID", "1.2.4"), 3, ["FrameOfReferenceUID (0020,0052)"]),
    ("TD15 two patients", tagged("PatientID", "somebody else"), 7, ["PatientID (0010,0020)", "2 different"]),
    ("TD15 by case", tagged("PatientID", "CANARY-ID-17"), 7, ["PatientID (0010,0020)"]),
    ("TD15 by a leading zero", tagged("PatientID", "0canary-id-17"), 7, ["PatientID (0010,0020)"]),
    ("TD16 birth date", image_and_ecg(PatientBirthDate="19710203"), 7, ["PatientBirthDate (0010,0030)", "one patient"]),
    ("TD16 sex", image_and_ecg(PatientSex="M"), 7, ["PatientSex (0010,0040)", "one patient"]),
    ("TD17 two files of one UID", another_file_id, 3, ["SOPInstanceUID (0008,0018)", "one file per UID"]),
    ("TD18 upwards", dicomdir(["..", "secret.dcm"]), 3, ["DICOMDIR"]),
    ("TD18 absolute", dicomdir("/etc/passwd"), 3, ["DICOMDIR"]),
    ("TD18 sibling with the same beginning", dicomdir(["..", "disc2", "x.dcm"]), 3, ["DICOMDIR"]),
    ("TD22 burned in", lambda f: write(f, series(BurnedInAnnotation="YES")), 7, ["BurnedInAnnotation (0028,0301)"]),
    ("TD24 ultrasound", lambda f: write(f, series(Modality="US")), 4, ["US, neither LGE nor cine"]),
    ("TD24 CT", lambda f: write(f, series(Modality="CT")), 4, ["CT, neither LGE nor cine"]),
    ("TD25 slope zero", slope(0), 3, ["RescaleSlope (0028,1053)"]),
    ("TD25 slope that overflows", slope("1e38"), 3, ["RescaleSlope (0028,1053)"]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "exit_code", "words"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_it_is_refused_as_promised(tmp_path, capsys, make, exit_code, words):
    refused(capsys, new_case(capsys, tmp_path), exit_code, words, make(tmp_path / "export"))


def preamble(marker):
    def make(folder):
        for path in write(folder, series()).iterdir():
            path.write_bytes(marker + path.read_bytes()[len(marker) :])
        return folder

    return make


def charset(name, text):
    """A series whose protocol name is in another character set than it says."""

    def make(folder):
        for path in write(folder, series(SpecificCharacterSet="ISO_IR 100", ProtocolName="ABCDEFGH")).iterdir():
            content = path.read_bytes().replace(b"ABCDEFGH", text)
            old = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"
            new = b"\x08\x00\x05\x00CS" + struct.pack("<H", len(name)) + name
            path.write_bytes(content.replace(old, new))
        return folder

    return make


def uid(value):
    def make(folder):
        made = series()
        made[0].SOPInstanceUID = value
        folder.mkdir()
        for k, dataset in enumerate(made):
            dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{k}"
            dataset.save_as(folder / f"{k}.dcm", enforce_file_format=True)
        return folder

    return make


def plane(row, column):
    normal = np.cross(row, column)
    return lambda folder: write(
        folder,
        [
            lge_slice(
                k,
                ImageOrientationPatient=[*map(float, row), *map(float, column)],
                ImagePositionPatient=[float(v) for v in 9.0 * k * normal],
            )
            for k in range(5)
        ],
    )


def odd_things(folder):
    """A loop of links, a pipe and a socket among the files."""
    write(folder, series())
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.dcm")
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(folder)  # a socket's path must be short
        try:
            listening.bind("socket.dcm")
        finally:
            os.chdir(here)
    return folder


def hostile_text(folder):
    evil = "x\n\x1b[31mDONE\x00" + 100_000 * "y"
    made = series()
    for dataset in made:
        dataset.add_new("SeriesDescription", "UT", "psir " + evil)
    return write(folder, made)


def private(folder):
    made = series()
    for dataset in made:
        block = dataset.private_block(0x0011, "CANARY", create=True)
        block.add_new(1, "OB", b"MZ CANARY payload ")
    return write(folder, made)


TAKEN = [
    ("TD13 oblique", plane(*OBLIQUE), ["5 slices"]),
    ("TD13 sagittal", plane([0, 1, 0], [0, 0, -1]), ["5 slices"]),
    ("TD17 the same file twice", lambda f: write(write(f, series()), series(), prefix="COPY"), ["read once"]),
    ("TD19 path", uid("/etc/cron.d/x"), ["5 slices"]),
    ("TD19 81 characters", uid("1." * 40 + "1"), ["5 slices"]),
    ("TD19 letters", uid("letters"), ["5 slices"]),
    ("TD20 newline, escape, NUL, 100 kB", hostile_text, ["took series 7"]),
    ("TD21 PE", preamble(b"MZ"), ["5 file(s) begin as a program does", "zeros in the copies"]),
    ("TD21 ELF", preamble(b"\x7fELF"), ["5 file(s) begin as a program does", "zeros in the copies"]),
    ("TD21 private tags", private, ["5 slices"]),
    ("TD23 unknown", charset(b"NO SUCH ", b"\xff\xfe\x80\x81\xff\xff\xff\xff"), ["5 file(s) name a character set"]),
    ("TD23 not UTF-8", charset(b"ISO_IR 192", b"\xff\xfe\x80\x81\xff\xff\xff\xff"), ["5 file(s) name a char"]),
    ("TD23 ISO 2022", charset(b"ISO 2022 IR 87\\ISO 2022 IR 149 ", b"\x1b$B\x1b(J\x1b$)C"[:8]), ["5 slices"]),
    ("TD25 no slope", lambda f: write(f, series()), ["5 slices"]),
    ("TD27 links, pipes, sockets", odd_things, ["loop: a link", "pipe.dcm: not a regular", "socket.dcm: not a reg"]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_it_is_taken_as_promised(tmp_path, capsys, make, words):
    case, folder = new_case(capsys, tmp_path), make(tmp_path / "export")
    said = taken(capsys, case, words, folder)
    assert "added image" in said
    assert said.isprintable()
    copies = list(case.rglob("*.dcm"))
    assert len(copies) == 5
    for copy in copies:
        content = copy.read_bytes()
        assert content[:128] == bytes(128)
        assert not any(canary.encode() in content for canary in CANARIES)


def test_td01_the_other_series_go_on_when_bad_files_are_to_be_skipped(tmp_path, capsys):
    folder = file_of(bytes(131))(tmp_path / "export")
    taken(capsys, new_case(capsys, tmp_path), ["skipped IM9.dcm", "131 bytes"], folder, "--skip-bad")


def test_td02_wherever_a_file_is_cut_it_names_the_file_and_a_tag(tmp_path, capsys):
    """Every 64 bytes, as in the first measurements; every 16 bytes without the command line in test_dicom_damage."""
    case = new_case(capsys, tmp_path)
    path = sorted(write(tmp_path / "export", series()).iterdir())[0]
    whole = path.read_bytes()
    for length in range(0, len(whole), 64):
        path.write_bytes(whole[:length])
        refused(capsys, case, 3, [path.name, "found"], path.parent)


def test_td08_a_decoder_that_dies_is_the_files_fault(tmp_path, capsys, monkeypatch):
    made = series()
    for dataset in made:
        dataset.compress(RLELossless, generate_instance_uid=False)
    (tmp_path / "broken.py").write_text(
        "import os, runpy, signal\nimport pydicom.pixels.decoders.base as base\n"
        "base.Decoder.as_array = lambda *args, **options: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "runpy.run_module('cardiotwin.ingest.parser_process', run_name='__main__')\n"
    )
    guard = Guard([sys.executable, "-P", str(tmp_path / "broken.py")])
    monkeypatch.setattr("cardiotwin.ingest.pixels.GUARD", guard)
    case, folder = new_case(capsys, tmp_path), write(tmp_path / "export", made)
    refused(capsys, case, 3, ["IM", "decoder died (signal 11)"], folder)
    guard.close()


def test_td16_an_ecg_given_later_is_held_against_the_image(tmp_path, capsys):
    case = new_case(capsys, tmp_path)
    taken(capsys, case, ["added image"], write(tmp_path / "export", series()))
    for number, tags in enumerate(({"PatientBirthDate": "19710203"}, {"PatientSex": "M"}, {"PatientID": "other"})):
        folder = write(tmp_path / f"ecg{number}", [ecg(twelve_leads(), LEADS, **tags)])
        refused(capsys, case, 7, ["another patient"], folder)
    taken(capsys, case, ["added ecg"], write(tmp_path / "ecg", [ecg(twelve_leads(), LEADS)]))


def test_td18_a_link_on_the_way_is_not_followed(tmp_path, capsys):
    entry = dicomdir(["LINK", "IM000.dcm"])(tmp_path)
    write(tmp_path / "elsewhere", series())
    (entry.parent / "LINK").symlink_to(tmp_path / "elsewhere")
    refused(capsys, new_case(capsys, tmp_path), 3, ["DICOMDIR"], entry)


def test_td20_no_line_more_for_what_a_tag_holds(tmp_path, capsys):
    """A second candidate makes the refusal list both descriptions."""
    folder = hostile_text(tmp_path / "export")
    write(folder, [lge_slice(k, SeriesInstanceUID="1.2.77", SOPInstanceUID=f"1.2.77.{k}") for k in range(4)], "B")
    case = new_case(capsys, tmp_path)
    code, _, err = command(capsys, "add", case, folder)
    assert code == 3
    said = [line for line in err.splitlines() if line.startswith("cardiotwin: ")]
    assert len(said) == 1
    assert err.replace("\n", "").isprintable()


def test_td22_pixels_somebody_has_looked_at_are_taken(tmp_path, capsys):
    folder = write(tmp_path / "export", series(BurnedInAnnotation="YES"))
    taken(capsys, new_case(capsys, tmp_path), ["added image"], folder, "--accept-burned-in")


def test_td22_a_secondary_capture_is_a_matter_of_policy(tmp_path, capsys):
    made = series(SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    for dataset in made:
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    case = new_case(capsys, tmp_path)
    refused(capsys, case, 7, ["SOPClassUID (0008,0016)", "secondary capture"], write(tmp_path / "export", made))


def test_td27_ten_thousand_and_one_files(tmp_path, capsys):
    folder = tmp_path / "export"
    folder.mkdir()
    for number in range(folders.MOST_FILES + 1):
        (folder / f"{number}.txt").touch()
    refused(capsys, new_case(capsys, tmp_path), 3, ["more than 10000 files", "one study"], folder)


def test_td28_a_file_that_changes_while_it_is_read_is_a_matter_of_integrity(tmp_path, capsys, monkeypatch):
    folder = write(tmp_path / "export", series())
    honest = guarding.check_unchanged

    def touched(path, name, before):
        Path(path).write_bytes(Path(path).read_bytes() + b"\0\0")
        honest(path, name, before)

    monkeypatch.setattr("cardiotwin.ingest.dicom_image.check_unchanged", touched)
    refused(capsys, new_case(capsys, tmp_path), 6, ["IM", "changed while it was read"], folder)


def test_td29_a_flipped_bit_of_a_position_never_moves_the_volume_unseen(tmp_path, capsys):
    """One digit of one slice's position at a time; all bits of all geometry tags in test_dicom_damage."""
    case = new_case(capsys, tmp_path)
    path = sorted(write(tmp_path / "export", series()).iterdir())[0]
    whole = path.read_bytes()
    at = whole.index(struct.pack("<HH2s", 0x0020, 0x0032, b"DS"))
    for byte in range(at + 8, at + 8 + 3):  # the digits before the point: more than 0.5 mm each
        damaged = bytearray(whole)
        damaged[byte] ^= 1
        path.write_bytes(damaged)
        refused(capsys, case, 3, ["IM"], path.parent)
    assert kept(case) == []
