"""Whose an ECG is and when it was: read where the file says it, told where it cannot be checked, in either order."""

import numpy as np
import pytest
from made_dicom import ecg, twelve_leads, write
from small_twin import layout
from test_bad_other_cases import labels, saved
from test_read_ecg import saved_csv
from test_repeats import heard

from cardiotwin import presets
from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import PolicyRefusal
from cardiotwin.ingest.ecg_files import read_recording
from cardiotwin.twin.twin import Twin
from cardiotwin.twin.whose import UNCHECKED


@pytest.fixture
def twin(tmp_path):
    return Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""), layout)


def record(folder, *comments, line=""):
    """A WFDB record of a healthy ECG with comments in its header."""
    folder.mkdir()
    counts = np.rint(200 * twelve_leads() * (1 + 0.05 * len(folder.name))).astype("<i2")
    (folder / "rec.dat").write_bytes(counts.T.tobytes())
    signals = [
        f"rec.dat 16 200/mV 16 0 0 {int(row.astype(int).sum()) % 65536} 0 {n}"
        for n, row in zip(LEADS, counts, strict=True)
    ]
    head = [f"rec 12 500 {counts.shape[1]}{line}", *signals, *comments]
    (folder / "rec.hea").write_text("\n".join(head) + "\n")
    return folder / "rec.hea"


@pytest.mark.parametrize(
    ("comments", "line", "when", "person"),
    [
        (("# age: 81", "# sex: female", "# ECG date: 01/10/1990"), "", "1990-10-01", ("", "1908+1909", "F")),
        (
            ("#<age>: 40  <sex>: M  <diagnoses>: none",),
            " 09:30:00 05/03/2024",
            "2024-03-05T09:30:00",
            ("", "1983+1984", "M"),
        ),
        (("#Age: 55", "#Sex: Male"), "", "", ("", "", "M")),
        (("# smoker: no", "# Infarction date: 29-Sep-90"), "", "", ("", "", "")),
    ],
)
def test_a_wfdb_header_says_when_and_whose(tmp_path, comments, line, when, person):
    read = read_recording(record(tmp_path / "a", *comments, line=line))
    assert (read.when, read.person) == (when, person)


def test_an_age_fits_both_years_of_birth_that_it_leaves_open_and_no_other(twin, tmp_path):
    known = write(tmp_path / "export", [ecg(twelve_leads(), LEADS, PatientBirthDate="19610203", PatientSex="F")])
    twin.add([known])
    for folder, age in (("a", 62), ("bb", 63)):
        twin.add([record(tmp_path / folder, f"# age: {age}", "# sex: female", f"# ECG date: 0{age - 61}/03/2024")])
    with pytest.raises(PolicyRefusal, match="birth year differs"):
        twin.add([record(tmp_path / "ccc", "# age: 60", "# sex: female", "# ECG date: 05/03/2024")])
    with pytest.raises(PolicyRefusal, match="sex differs"):
        twin.add([record(tmp_path / "dddd", "# sex: male")])


def test_a_nameless_ecg_is_told_of_when_something_comes_to_lie_beside_it(twin, tmp_path):
    nameless = saved_csv(tmp_path / "a.csv", heard(twelve_leads(), 1.1))
    (kept,) = twin.add([nameless]).observations
    named = write(tmp_path / "export", [ecg(twelve_leads(), LEADS)])
    (note,) = (note for note in twin.add([named]).notes if note.startswith("ecg that arrived"))
    assert note == f"ecg that arrived {kept.arrived} ({kept.sha256[:12]}): {UNCHECKED}"


@pytest.mark.parametrize("together", [True, False])
def test_that_it_was_not_checked_stays_in_status_and_report_as_long_as_it_is_true(tmp_path, together):
    """Two put in at once, or one after the other, in either order; told of the nameless one alone."""
    twin = Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""))
    nameless = saved_csv(tmp_path / "a.csv", heard(twelve_leads(), 1.1))
    named = write(tmp_path / "export", [ecg(twelve_leads(), LEADS)])
    for paths in [[named, nameless]] if together else [[nameless], [named]]:
        twin.add(paths)
    (whose,) = (one.sha256 for one in twin.ledger.observations() if not one.identity)
    assert {sha256: notes for sha256, notes in twin.status().notes.items() if UNCHECKED in notes} == {
        whose: twin.status().notes[whose]
    }
    assert [one.sha256 for one in twin.provenance().observations if UNCHECKED in one.notes] == [whose]
    (other,) = (one.sha256 for one in twin.ledger.observations() if one.identity)
    twin.remove(other)
    assert UNCHECKED not in twin.status().notes.get(whose, ())


def test_a_label_map_beside_a_named_ecg_is_told_of_whichever_comes_first(tmp_path):
    """NIfTI names nobody; beside a nameless ECG there is nothing to check it against."""
    label_map = saved(tmp_path / "map.nii", labels())
    named = write(tmp_path / "export", [ecg(twelve_leads(), LEADS)])
    nameless = saved_csv(tmp_path / "a.csv", heard(twelve_leads(), 1.1))
    for number, (first, second) in enumerate([(label_map, named), (named, label_map), (label_map, nameless)]):
        twin = Twin.create(tmp_path / f"case{number}", presets.settings_text(presets.preset("default"), ""))
        told = [*twin.add([first]).notes, *twin.add([second]).notes]
        (whose,) = (one.sha256 for one in twin.ledger.observations() if one.kind == "label_map")
        beside_named = second != nameless
        assert any(UNCHECKED in note and "a.csv" not in note for note in told) == beside_named
        assert (UNCHECKED in twin.status().notes[whose]) == beside_named


def two_exports(folder, change):
    """One recording and what `change` makes of it, under two times."""
    for number, when in enumerate(("20240101090000", "20240102090000")):
        mv = change(twelve_leads()) if number else twelve_leads()
        dataset = ecg(mv, LEADS, AcquisitionDateTime=when, SOPInstanceUID=f"1.2.{number + 1}")
        yield write(folder / f"export{number}", [dataset], prefix=f"ecg{number}")


@pytest.mark.parametrize(
    ("change", "count", "words"),
    [(lambda mv: mv, 0, "it counts once"), (lambda mv: np.round(mv, 2), 1, "both count")],
    ids=["equal", "rounded"],
)
def test_one_recording_under_two_times_is_told(twin, tmp_path, change, count, words):
    first, second = two_exports(tmp_path, change)
    assert twin.add([first]).notes == ()
    assert twin.add([first]).notes == ()
    done = twin.add([second])
    assert len(done.observations) == count
    (note,) = (note for note in done.notes if "the same samples" in note)
    assert "of 2024-01-02T09:00:00, but the same samples as ecg of 2024-01-01T09:00:00" in note
    assert words in note


def test_two_recordings_of_two_times_are_taken_without_a_word(twin, tmp_path):
    first, second = two_exports(tmp_path, lambda mv: heard(mv, 1.1))
    assert twin.add([first, second]).notes == ()
