"""RELIABILITY TE01 to TE04 and TE06 at the command line: exit code and one line, or taken with what is wrong told."""

import made_ecg_files as made
import numpy as np
import pytest
from bad_input import new_case, refused, taken

from cardiotwin.ecg.recording import LEADS
from cardiotwin.ingest import read_ecg


def csv(path, mv, leads=LEADS, hz=500, time_ms=None):
    """A table of mV, with a line for the rate or a column of times."""
    columns = mv if time_ms is None else np.vstack([time_ms, mv])
    titles = [*(["time [ms]"] if time_ms is not None else []), *(f"{lead} [mV]" for lead in leads)]
    head = "" if time_ms is not None else f"hz={hz:g}\n"
    path.write_text(head + ",".join(titles) + "\n" + "\n".join(",".join(f"{v:.6g}" for v in row) for row in columns.T))
    return path


def changed(lead, change):
    """A healthy ECG of which one lead, or several, is what `change` makes of it."""
    mv = made.sinus()
    for one in lead.split():
        mv[LEADS.index(one)] = change(mv[LEADS.index(one)])
    return mv


def held(at, stop):
    return lambda v: np.where((np.arange(v.size) >= at) & (np.arange(v.size) < stop), v[at], v)


def hum(hz):
    return lambda v: np.sin(2 * np.pi * hz * np.arange(v.size) / 500)


def swapped(one, other):
    mv = made.sinus()
    k, j = LEADS.index(one), LEADS.index(other)
    mv[[k, j]] = mv[[j, k]]
    return mv


def arms(mv):
    """RA and LA exchanged: I turns over, II and III trade places, and so do aVR and aVL."""
    one, two, three, right, left, foot, *chest = mv
    return np.array([-one, three, two, left, right, foot, *chest])


FAULTS = [
    ("flat", lambda v: 0 * v + 0.2, "flat"),
    ("saturated", lambda v: np.clip(40 * v, -0.8, 0.8), "saturated at "),
    ("50 Hz only", hum(50), "mains hum only"),
    ("60 Hz only", hum(60), "mains hum only"),
    ("lead off for 2 of 10 s", held(2000, 3000), "stands still for 2.0 s"),
    ("not a number", lambda v: np.where(np.arange(v.size) == 77, np.nan, v), "not finite"),
]


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_te01_a_bad_lead_is_left_out_and_told_and_twelve_are_too_many(tmp_path, capsys, change, words):
    case = new_case(capsys, tmp_path)
    one, most = changed("V3", change), changed(" ".join(LEADS), change)
    refused(capsys, case, 4, ["most.csv", "usable independent leads", words], csv(tmp_path / "most.csv", most))
    taken(capsys, case, ["added ecg: CSV, 11 leads", "lead V3 left out", words], csv(tmp_path / "one.csv", one))


def test_te01_hum_and_wander_that_leave_the_beats_are_told_with_their_size(tmp_path):
    t = np.arange(5000) / 500
    noisy = changed("V2", lambda v: v + 0.2 * np.sin(2 * np.pi * 50 * t))
    noisy[LEADS.index("V6")] += 1.5 * np.sin(2 * np.pi * 0.2 * t)
    ecg = read_ecg(csv(tmp_path / "a.csv", noisy))
    assert ecg.leads == LEADS
    assert "mains hum of 50 Hz (peak to peak): V2 0.4 mV" in ecg.notes
    assert "a wandering line (peak to peak): V6 3 mV" in ecg.notes
    assert len(ecg.notes) == 2


@pytest.mark.parametrize(
    ("mv", "words"),
    [
        (arms(made.sinus()), "the arm electrodes may be exchanged"),
        (swapped("V1", "V2"), "V1 and V2 may be exchanged"),
        (swapped("V3", "V4"), "V3 and V4 may be exchanged"),
    ],
    ids=["arms", "V1/V2", "V3/V4"],
)
def test_te02_exchanged_electrodes_are_told_when_the_file_is_added(tmp_path, capsys, mv, words):
    taken(capsys, new_case(capsys, tmp_path), ["added ecg", words], csv(tmp_path / "a.csv", mv))


def test_a_healthy_ecg_is_told_nothing_about(tmp_path):
    assert read_ecg(csv(tmp_path / "a.csv", made.sinus())).notes == ()


REFUSED = [
    ("gain 100 times", lambda p: csv(p, 100 * made.sinus()), 3, "1000 times too large"),
    ("gain a hundredth", lambda p: csv(p, 0.01 * made.sinus()), 3, "1000 times too small"),
    ("limb leads permuted", lambda p: csv(p, made.sinus()[[1, 2, 0, *range(3, 12)]]), 3, "Einthoven"),
    ("all leads moved by one", lambda p: csv(p, np.roll(made.sinus(), 1, axis=0)), 3, "Einthoven"),
    ("rate 4 times", lambda p: csv(p, made.sinus(), hz=2000), 4, "Check the sampling rate"),
    ("rate twice, device measured 75", lambda p: made.muse(p, made.sinus()[[0, 1, *range(6, 12)]], hz=1000, bpm="75"),
     3, "found 150 beats a minute in the samples; expected the 75"),
    ("rate halved, device measured 75", lambda p: made.philips(p, made.sinus(), hz=250, bpm="75"),
     3, "found 38 beats a minute in the samples; expected the 75"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "code", "words"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_te03_gain_rate_and_order_are_not_believed(tmp_path, capsys, make, code, words):
    refused(capsys, new_case(capsys, tmp_path), code, ["a.csv", words], make(tmp_path / "a.csv"))


@pytest.mark.parametrize(("factor", "words"), [(2, "check the sampling rate"), (0.5, "check the sampling rate")])
def test_te03_a_rate_that_only_the_beats_contradict_is_told(tmp_path, factor, words):
    assert any(words in note for note in read_ecg(csv(tmp_path / "a.csv", made.sinus(), hz=500 * factor)).notes)


def wfdb(folder, first="rec 2 500 5000", lines=("rec.dat 16 200/mV 16 0 0 0 0 I", "rec.dat 16 200/mV 16 0 0 0 0 II")):
    (folder / "rec.hea").write_text("\n".join([first, *lines]) + "\n")
    (folder / "rec.dat").write_bytes(bytes(20_000))
    return folder / "rec.hea"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first": "rec 12 500 5000"}, ["2 signal lines", "expected 12"]),
        ({"first": "rec 2 500 5000 9:00:00 31/02/2020"}, ["line 1", "31/02/2020", "dd/mm/yyyy"]),
        ({"first": "rec 2 500 5000 9:00:00 2020-02-01"}, ["line 1", "dd/mm/yyyy"]),
        ({"first": "rec 2 500 5000 noon"}, ["line 1", "hh:mm:ss"]),
        ({"lines": ("../rec.dat 16 200/mV 16 0 0 0 0 I",) * 2}, ["a file name in the same folder"]),
        ({"lines": ("http://127.0.0.1:9/rec.dat 16 200/mV 16 0 0 0 0 I",) * 2}, ["a file name in the same folder"]),
    ],
    ids=["fewer lines", "no such day", "another order", "no time", "another folder", "URL"],
)
def test_te04_a_wfdb_header_that_lies_is_refused(tmp_path, capsys, change, words):
    refused(capsys, new_case(capsys, tmp_path), 3, ["rec.hea", *words], wfdb(tmp_path, **change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: np.where(np.arange(t.size) == 50, t - 10, t), "increasing"),
        (lambda t: np.where(np.arange(t.size) == 50, t - 2, t), "increasing"),
        (lambda t: np.where(np.arange(t.size) == 50, np.nan, t), "increasing"),
        (lambda t: np.where(np.arange(t.size) == 50, np.inf, t), "increasing"),
        (lambda t: np.where(np.arange(t.size) > 50, t + 40, t), "even steps of 2 ms"),
    ],
    ids=["backwards", "twice", "not a number", "infinite", "gap"],
)
def test_te06_times_that_do_not_run_are_refused_by_line(tmp_path, capsys, change, words):
    path = csv(tmp_path / "a.csv", made.sinus(), time_ms=change(2.0 * np.arange(5000)))
    refused(capsys, new_case(capsys, tmp_path), 3, ["a.csv line 5", words], path)
