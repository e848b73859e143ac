"""What is said of the ECGs of a folder: which file is damaged, whose it is, and which file to give instead."""

import numpy as np
import pytest
from bad_input import new_case, refused, taken
from made_dicom import ecg, lge_series, twelve_leads, write

from cardiotwin.ecg.recording import LEADS


@pytest.fixture
def case(tmp_path, capsys):
    return new_case(capsys, tmp_path)


def wfdb(folder, name, mv):
    """A record of 16-bit samples, 1000 to the millivolt, with their first values and checksums."""
    samples = np.round(1000 * mv).astype("<i2")
    lines = [f"{name} {len(LEADS)} 500 {mv.shape[1]}"]
    for lead, of_lead in zip(LEADS, samples, strict=True):
        checksum = of_lead.sum(dtype="<i2")
        lines.append(f"{name}.dat 16 1000 16 0 {of_lead[0]} {checksum} 0 {lead}")
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    samples.T.tofile(folder / f"{name}.dat")
    return folder / f"{name}.hea"


@pytest.fixture
def folder(tmp_path):
    """A sound record and one whose samples are cut short."""
    folder = tmp_path / "export"
    folder.mkdir()
    wfdb(folder, "sound", twelve_leads())
    damaged = wfdb(folder, "damaged", 2 * twelve_leads()).with_suffix(".dat")
    damaged.write_bytes(damaged.read_bytes()[:1001])
    return folder


def test_a_damaged_ecg_stops_its_folder_unless_it_is_to_be_skipped(case, folder, capsys):
    refused(capsys, case, 3, ["damaged", "--skip-bad"], folder)
    said = taken(capsys, case, ["added ecg", "skipped damaged"], folder, "--skip-bad")
    assert said.count("added ecg") == 1


def test_a_damaged_ecg_beside_an_image_is_skipped_too(case, folder, capsys):
    (folder / "sound.hea").unlink()
    write(folder, lge_series())
    taken(capsys, case, ["added image", "skipped damaged"], folder, "--skip-bad")


def test_where_every_ecg_is_damaged_the_first_is_refused(case, folder, capsys):
    (folder / "sound.dat").write_bytes(b"")
    refused(capsys, case, 3, ["damaged", "No other image or ECG"], folder, "--skip-bad")


def test_a_damaged_ecg_that_was_named_itself_is_not_skipped(case, folder, capsys):
    line = refused(capsys, case, 3, ["damaged"], folder / "damaged.hea", "--skip-bad")
    assert "Or leave" not in line


def test_what_was_skipped_is_said_also_where_the_other_was_exported_twice(case, folder, capsys):
    from scipy.signal import resample

    finer = resample(twelve_leads(), 5000, axis=1)
    wfdb(folder, "finer", finer)
    header = folder / "finer.hea"
    header.write_text(header.read_text().replace(" 500 5000", " 1000 5000"))
    taken(capsys, case, ["added ecg", "at 1000 Hz", "skipped damaged", "the same recording as"], folder, "--skip-bad")


@pytest.mark.parametrize("has_header", [True, False])
def test_the_samples_of_a_record_ask_for_their_header(case, folder, capsys, has_header):
    if not has_header:
        (folder / "sound.hea").unlink()
    words = "give the header beside it, sound.hea" if has_header else "give its header, the .hea beside it"
    refused(capsys, case, 3, ["sound.dat", words], folder / "sound.dat")


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"PatientID": "other"}, "patient ID differs"),
        ({"PatientBirthDate": "19710203"}, "birth year differs"),
        ({"PatientSex": "M", "PatientID": "other"}, "patient ID and sex differ"),
    ],
)
def test_two_patients_in_one_folder_are_named_by_their_files(case, tmp_path, capsys, tags, words):
    pair = [ecg(twelve_leads(), LEADS), ecg(2 * twelve_leads(), LEADS, SOPInstanceUID="1.2.9", **tags)]
    made = write(tmp_path / "export", pair)
    first, second = sorted(file.name for file in made.iterdir())
    line = refused(capsys, case, 7, [f"{second}: belongs to another patient than {first} ({words})"], made)
    assert "twin (" not in line


def test_another_patient_than_the_twins_is_named_by_its_file(case, tmp_path, capsys):
    taken(capsys, case, ["added ecg"], write(tmp_path / "a", [ecg(twelve_leads(), LEADS)]))
    other = write(tmp_path / "b", [ecg(2 * twelve_leads(), LEADS, SOPInstanceUID="1.2.9", PatientSex="M")])
    name = next(other.iterdir()).name
    refused(capsys, case, 7, [f"{name}: belongs to another patient than this twin (sex differs)"], other)
