"""A ZIP archive or a CD's DICOMDIR is as good as its folder; one that lies is refused by the name of its member."""

import io
import os
import stat
import struct
import zipfile

import numpy as np
import pytest
from made_dicom import ecg, lge_series, lge_slice, twelve_leads, write
from made_zip import overlapping_zip
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from cardiotwin import presets
from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import CardioTwinError, InputRejected
from cardiotwin.ingest import archives, explain, opened, read_dicom, recognise
from cardiotwin.twin.twin import Twin

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:The value length")


@pytest.fixture
def study(tmp_path):
    folder = write(tmp_path / "study", lge_series())
    write(folder / "ecg", [ecg(twelve_leads(), LEADS)], prefix="ecg")
    return folder


def packed(folder, target, **options):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return target


def refused(path, *words):
    """The line of a refusal with exit code 3, after which nothing is left on the disk."""
    with pytest.raises(InputRejected) as caught, opened(path, path.parent):
        pytest.fail("opened")
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(path.parent.glob(".tmp-*"))


def test_an_archive_reads_like_its_folder_and_vanishes(study, tmp_path):
    image, folder = read_dicom(packed(study, tmp_path / "study.zip")), read_dicom(study)
    np.testing.assert_array_equal(image.values, folder.values)
    np.testing.assert_array_equal(image.affine, folder.affine)
    with opened(tmp_path / "study.zip", tmp_path) as inside:
        assert stat.S_IMODE(inside.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in inside.glob("*.dcm")} == {0o600}
    assert not inside.exists()


def test_a_twin_takes_the_same_from_a_folder_and_from_its_archive(study, tmp_path):
    twins = [Twin.create(tmp_path / name, presets.settings_text(presets.preset("demo"), "")) for name in ("a", "b")]
    one, other = twins[0].add([study]), twins[1].add([packed(study, tmp_path / "study.zip")])
    assert [each.sha256 for each in one.observations] == [each.sha256 for each in other.observations]
    assert len(one.observations) == 2
    assert twins[0].add([tmp_path / "study.zip"]).observations == ()
    assert not list(twins[1].folder.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil.dcm", "out of the folder"),
        ("a/../../evil.dcm", "out of the folder"),
        ("/etc/cron.d/x", "absolute"),
        ("C:evil.dcm", "drive"),
        ("a\\..\\evil.dcm", "backslash"),
        ("a\nb.dcm", "control character"),
        ("a//b.dcm", "empty part"),
        ("x" * 241, "241 bytes"),
        ("inner.zip", "archive inside"),
        ("inner.tar.gz", "archive inside"),
        ("IM000.DCM", "second member"),
        ("IM000.dcm/x", "inside a file"),
    ],
)
def test_one_bad_name_refuses_the_whole_archive(study, tmp_path, name, words):
    path = packed(study, tmp_path / "study.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"evil")
    refused(path, "study.zip: member", words)
    assert not (tmp_path / "evil.dcm").exists()


def test_a_link_and_a_device_in_an_archive_are_refused(study, tmp_path):
    for kind, words in ((stat.S_IFLNK, "a link"), (stat.S_IFCHR, "neither file nor folder")):
        path = packed(study, tmp_path / "study.zip")
        member = zipfile.ZipInfo("ecg/other")
        member.external_attr = (kind | 0o777) << 16
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(member, "/etc/passwd")
        refused(path, "ecg/other", words)


def test_two_members_of_one_name_are_refused(study, tmp_path):
    path = packed(study, tmp_path / "study.zip")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("IM000.dcm", b"other")
    refused(path, "IM000.dcm", "second member")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.dcm", bytes(80 << 20))
    refused(tmp_path / "bomb.zip", "at most 200 to 1")


def altered(path, signature, offset, value):
    """The archive with some bytes of the first record of a kind replaced."""
    content = bytearray(path.read_bytes())
    at = content.index(signature) + offset
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


def test_a_bomb_whose_directory_lies_about_its_size_is_cut_off(tmp_path):
    """The real size is 80 MB, the announced one a thousand bytes: no more than those are ever unpacked."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.dcm", bytes(80 << 20))
    refused(altered(tmp_path / "bomb.zip", b"PK\1\2", 24, struct.pack("<I", 1000)), "zeros.dcm", "checksum")


def test_an_announced_size_larger_than_what_comes_out_is_refused(study, tmp_path):
    path = packed(study, tmp_path / "study.zip")
    refused(altered(path, b"PK\1\2", 24, struct.pack("<I", 1 << 20)), "IM000.dcm")


def test_a_wrong_checksum_names_the_member(study, tmp_path):
    path = packed(study, tmp_path / "study.zip")
    refused(altered(path, b"PK\1\2", 16, b"\1\2\3\4"), "IM000.dcm", "a wrong checksum")


def test_an_encrypted_member_and_an_odd_method_are_refused(study, tmp_path):
    refused(altered(packed(study, tmp_path / "a.zip"), b"PK\1\2", 8, b"\1\0"), "IM000.dcm", "encrypted")
    refused(altered(packed(study, tmp_path / "b.zip"), b"PK\1\2", 10, b"\x0c\0"), "IM000.dcm", "method 12")


def test_overlapping_members_are_refused(tmp_path):
    refused(overlapping_zip(tmp_path / "overlap.zip"), "also belong to a")


def test_an_archive_cut_anywhere_is_refused(study, tmp_path):
    path = packed(study, tmp_path / "study.zip")
    whole = path.read_bytes()
    for length in range(4, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        refused(path, "study.zip")


def test_random_bytes_in_an_archive_are_refused_or_change_nothing(study, tmp_path):
    path, rng = packed(study, tmp_path / "study.zip"), np.random.default_rng(3)
    whole = path.read_bytes()
    honest = {file.name: file.read_bytes() for file in study.rglob("*") if file.is_file()}
    n_refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for at in rng.integers(4, len(whole), size=rng.integers(1, 6)):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            with opened(path, tmp_path) as inside:
                found = [file.read_bytes() for file in inside.rglob("*") if file.is_file()]
                assert set(found) <= set(honest.values())
        except CardioTwinError:
            n_refused += 1
    assert n_refused > 50


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 10)
    for count in (10, 11):
        with zipfile.ZipFile(tmp_path / f"{count}.zip", "w") as archive:
            for number in range(count):
                archive.writestr(f"{number}", b"x")
    with opened(tmp_path / "10.zip", tmp_path) as inside:
        assert len(list(inside.iterdir())) == 10
    refused(tmp_path / "11.zip", "11 members")


def test_a_directory_too_long_for_the_memory_is_not_read(tmp_path):
    path = tmp_path / "long.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"x")
    refused(altered(path, b"PK\5\6", 12, struct.pack("<I", 1 << 30)), "a directory of 1073741824 bytes")


def directory(folder, names):
    """A DICOMDIR in `folder` that names files, each name a list of its parts."""
    dataset, meta = Dataset(), FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MediaStorageDirectoryStorage, "1.2.8"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    records = []
    for name in names:
        record = Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", name
        records.append(record)
    dataset.DirectoryRecordSequence = records
    dataset.file_meta = meta
    content = io.BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    (folder / "DICOMDIR").write_bytes(content.getvalue())
    return folder / "DICOMDIR"


@pytest.fixture
def disc(tmp_path):
    """A CD: slices without endings two folders down, another patient's file that the DICOMDIR does not name."""
    write(tmp_path / "cd" / "IMAGES" / "SE1", lge_series())
    for file in (tmp_path / "cd" / "IMAGES" / "SE1").iterdir():
        file.rename(file.with_suffix(""))
    write(tmp_path / "cd" / "OLD", [lge_slice(0, PatientID="somebody else")])
    return tmp_path / "cd"


def names(disc):
    return [["IMAGES", "SE1", file.name] for file in sorted((disc / "IMAGES" / "SE1").iterdir())]


def test_a_dicomdir_stands_for_the_files_it_names_and_no_others(disc):
    path = directory(disc, names(disc))
    assert recognise(path) == "dicom_image"
    image = read_dicom(path)
    assert image.values.shape[0] == 5
    np.testing.assert_array_equal(image.values, read_dicom(disc / "IMAGES").values)


def test_a_dicomdir_of_a_disc_that_knows_no_small_letters(disc):
    assert len(read_dicom(directory(disc, [[part.lower() for part in name] for name in names(disc)])).values) == 5


def test_files_that_a_dicomdir_names_and_that_are_not_there_are_noted(disc):
    path = directory(disc, [*names(disc), ["IMAGES", "SE1", "IM999"]])
    assert any("IMAGES/SE1/IM999, which is not there" in note for note in read_dicom(path).notes)
    (disc / "OLD" / "IM000.dcm").unlink()
    assert any("IMAGES/SE1/IM999, which is not there" in note for note in read_dicom(disc).notes)


@pytest.mark.parametrize(
    "name",
    [
        ["..", "secret"],
        ["IMAGES", "..", "..", "secret"],
        ["/etc/passwd"],
        ["IMAGES/../../secret"],
        ["."],
        ["IMAGES", ""],
        ["cd-other/secret"],
        ["x" * 65],
        ["A"] * 17,
    ],
)
def test_a_dicomdir_that_leads_out_of_its_folder_opens_nothing(disc, name, monkeypatch):
    (disc.parent / "secret").write_bytes(b"")
    path = directory(disc, [*names(disc), name])
    asked = []
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda one, **options: asked.append(str(one)) or real(one, **options))
    with pytest.raises(InputRejected, match=r"DICOMDIR: ReferencedFileID \(0004,1500\)"):
        read_dicom(path)
    assert not any("secret" in one for one in asked)
    with pytest.raises(InputRejected, match="ReferencedFileID"):
        read_dicom(disc)


def test_a_link_on_the_way_of_a_dicomdir_is_not_followed(disc, tmp_path):
    outside = write(tmp_path / "cd-other", [lge_slice(0)])
    (disc / "LINK").symlink_to(outside)
    with pytest.raises(InputRejected, match="a link on the way"):
        read_dicom(directory(disc, [["LINK", "IM000.dcm"]]))


def test_a_dicomdir_of_nothing_says_so(disc):
    with pytest.raises(InputRejected, match="no readable DICOM file"):
        read_dicom(directory(disc, [["GONE"]]))
    assert explain(disc / "DICOMDIR")[0] == "unknown"
