"""One recording counts once, however often it was exported; what no file says was not checked is said."""

import numpy as np
import pytest
from data_folder import real_data
from made_dicom import ecg, twelve_leads, write
from scipy.signal import resample

from cardiotwin import cli, presets
from cardiotwin.ecg.beats import qrs_ms
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, LEADS, Ecg
from cardiotwin.ingest import read_ecg
from cardiotwin.twin.repeats import SAME_CORRELATION, SAME_PART, correlation, part_correlation
from cardiotwin.twin.twin import Twin

UNCHECKED = "names no patient, so whether it is the same patient was not checked"


@pytest.fixture
def twin(tmp_path):
    return Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""))


def saved_csv(path, mv, hz, leads=LEADS):
    header = f"hz={hz:g}\n" + ",".join(f"{lead} [mV]" for lead in leads)
    np.savetxt(path, mv.T, delimiter=",", header=header, comments="", fmt="%.6f")
    return path


def heard(lead_mv, factor):
    """The same beats at another pace: another recording."""
    n = lead_mv.shape[1]
    return np.array([np.interp(np.arange(n) * factor % n, np.arange(n), row) for row in lead_mv])


def test_of_one_recording_at_two_rates_the_finer_is_kept_and_that_is_said(twin, tmp_path):
    mv = twelve_leads()
    fine = saved_csv(tmp_path / "fine.csv", mv, 500)
    coarse = saved_csv(tmp_path / "coarse.csv", resample(mv, mv.shape[1] // 4, axis=1), 125)
    for paths in ([coarse, fine], [fine, coarse]):
        done = twin.add(paths)
        assert any(note.startswith("coarse.csv: the same recording as fine.csv") for note in done.notes)
    assert [one.source.split(":")[0] for one in twin.status().observations] == ["CSV, 12 leads, 5.0 s at 500 Hz"]


def test_more_leads_count_more_than_more_samples(twin, tmp_path):
    mv = twelve_leads()
    few = [LEADS.index(lead) for lead in INDEPENDENT_LEADS[:5]]
    fine = saved_csv(tmp_path / "fine.csv", resample(mv[few], 2 * mv.shape[1], axis=1), 1000, INDEPENDENT_LEADS[:5])
    done = twin.add([fine, saved_csv(tmp_path / "all.csv", mv, 500)])
    assert "8 independent leads, 5.0 s at 500 Hz kept, 5 independent leads, 5.0 s at 1000 Hz left out" in done.notes[0]


def test_another_recording_of_the_same_patient_is_kept(twin, tmp_path):
    mv = twelve_leads()
    one, other = saved_csv(tmp_path / "a.csv", mv, 500), saved_csv(tmp_path / "b.csv", heard(mv, 1.1), 500)
    assert len(twin.add([one, other]).observations) == 2


def test_one_recording_with_two_times_is_two_recordings(twin, tmp_path):
    for number, when in enumerate(("20240101090000", "20240102090000")):
        dataset = ecg(twelve_leads(), LEADS, AcquisitionDateTime=when, SOPInstanceUID=f"1.2.{number + 1}")
        write(tmp_path / "export", [dataset], prefix=f"ecg{number}")
    assert not any("same recording" in note for note in twin.add([tmp_path / "export"]).notes)


def test_whose_it_is_and_when_it_was_are_taken_from_either(twin, tmp_path):
    mv = twelve_leads()
    named = write(tmp_path / "export", [ecg(mv, LEADS, AcquisitionDateTime="20240101090000")])
    finer = saved_csv(tmp_path / "finer.csv", resample(mv, 2 * mv.shape[1], axis=1), 1000)
    (kept,) = twin.add([named, finer]).observations
    assert (kept.effective, bool(kept.identity)) == ("2024-01-01T09:00:00", True)
    assert kept.source.startswith("CSV, 12 leads, 5.0 s at 1000 Hz: ")


def test_a_real_recording_at_two_rates_is_one_and_its_halves_are_two():
    paths = (("records100", "00001_lr.hea"), ("records500", "00001_hr.hea"))
    coarse, fine = (read_ecg(real_data("ecg", "ptb-xl_00001", folder, "00000", name)) for folder, name in paths)
    assert correlation(coarse, fine) > SAME_CORRELATION + 0.003
    halves = [Ecg(fine.leads, part, fine.hz) for part in np.split(fine.mv, 2, axis=1)]
    assert correlation(*halves) < 0.5


def test_an_ecg_alone_is_taken_without_a_word(twin, tmp_path):
    assert twin.add([saved_csv(tmp_path / "a.csv", twelve_leads(), 500)]).notes == ()


def test_every_nameless_ecg_of_several_is_named_as_unchecked(twin, tmp_path):
    mv = twelve_leads()
    files = [saved_csv(tmp_path / f"{k}.csv", heard(mv, 1 + 0.1 * k), 500) for k in range(3)]
    assert twin.add(files[:2]).notes == (f"0.csv: {UNCHECKED}", f"1.csv: {UNCHECKED}")
    unchecked, together = twin.add(files[2:]).notes
    assert unchecked == f"2.csv: {UNCHECKED}"
    assert together.startswith("3 ECGs of this twin are fitted together from now on")


def test_a_nameless_ecg_beside_a_named_patient_is_unchecked_and_a_named_one_is_not(twin, tmp_path, capsys):
    named = write(tmp_path / "export", [ecg(twelve_leads(), LEADS)])
    nameless = saved_csv(tmp_path / "a.csv", heard(twelve_leads(), 1.1), 500)
    assert twin.add([named]).notes == ()
    assert cli.execute(["add", str(twin.folder), str(nameless)]) == 0
    assert f"a.csv: {UNCHECKED}\n" in capsys.readouterr().out


@pytest.fixture
def spontaneous():
    """10 s at 500 Hz in which no beat follows the last as the one before did, as in a patient."""
    at_s = 0.4 + np.concatenate([[0], np.cumsum(np.random.default_rng(3).uniform(0.7, 1.0, 11))])
    mv = twelve_leads()
    beat = mv[:, : int(500 * np.diff(at_s).min())]
    out = np.zeros((len(LEADS), 5000 + beat.shape[1]))
    for start in (500 * at_s[at_s < 9.9]).astype(int):
        out[:, start : start + beat.shape[1]] += beat
    return out[:, :5000]


def test_another_export_of_an_ecg_that_is_in_the_twin_is_left_out(twin, tmp_path, spontaneous, capsys):
    assert len(twin.add([saved_csv(tmp_path / "a.csv", spontaneous, 500)]).observations) == 1
    exports = {
        "coarse": (resample(spontaneous, 1000, axis=1), 100),
        "rounded": (np.round(spontaneous, 2), 500),
        "cut": (spontaneous[:, 1700:4200], 500),
        "cut_coarse": (resample(spontaneous, 1000, axis=1)[:, 430:900], 100),
    }
    for name, (mv, hz) in exports.items():
        file = saved_csv(tmp_path / f"{name}.csv", mv, hz)
        assert cli.execute(["add", str(twin.folder), str(file)]) == 0
        told = capsys.readouterr().out
        assert "nothing new" in told
        assert f"{name}.csv: already in the twin as ecg that arrived" in told
        assert "added" not in told
    assert len(twin.status().observations) == 1


def test_an_ecg_that_was_taken_out_of_use_leaves_its_place_to_another_export(twin, tmp_path, spontaneous):
    (coarse,) = twin.add([saved_csv(tmp_path / "a.csv", resample(spontaneous, 1000, axis=1), 100)]).observations
    fine = saved_csv(tmp_path / "b.csv", spontaneous, 500)
    assert not twin.add([fine]).observations
    twin.remove(coarse.sha256)
    assert len(twin.add([fine]).observations) == 1


def test_other_stretches_of_one_recording_are_other_recordings(twin, tmp_path, spontaneous):
    files = [saved_csv(tmp_path / f"{k}.csv", spontaneous[:, k : k + 2500], 500) for k in (0, 2500)]
    for file in files:
        assert len(twin.add([file]).observations) == 1


def test_of_a_recording_and_a_part_of_it_the_whole_is_kept(twin, tmp_path, spontaneous):
    part = saved_csv(tmp_path / "part.csv", resample(spontaneous[:, 1000:4000], 6000, axis=1), 1000)
    done = twin.add([part, saved_csv(tmp_path / "whole.csv", spontaneous, 500)])
    assert [one.source.split(":")[0] for one in done.observations] == ["CSV, 12 leads, 10.0 s at 500 Hz"]
    assert done.notes[0].startswith("part.csv: the same recording as whole.csv")


@pytest.mark.parametrize(
    "file",
    [
        ("ptb-xl_00001", "records500", "00000", "00001_hr.hea"),
        ("wfdb_ptb_s0010", "s0010_re.hea"),
        ("philips_sierra_xml", "2020-5-18_15-48-11.xml"),
    ],
)
def test_a_real_recording_is_found_in_parts_and_its_other_stretches_are_not(file):
    ecg = read_ecg(real_data("ecg", *file))
    n = int(5 * ecg.hz)
    first, second = Ecg(ecg.leads, ecg.mv[:, :n], ecg.hz), Ecg(ecg.leads, ecg.mv[:, n:], ecg.hz)
    assert part_correlation(Ecg(ecg.leads, np.round(first.mv, 2), ecg.hz), ecg) > SAME_PART + 0.002
    assert part_correlation(first, second) < SAME_PART - 0.005


def test_an_ecg_whose_complexes_are_wider_is_asked_about(twin, tmp_path):
    """The same beats in a recording twice as slow: complexes of twice the duration."""
    mv = twelve_leads()
    twin.add([saved_csv(tmp_path / "a.csv", mv, 500)])
    alike = twin.add([saved_csv(tmp_path / "b.csv", heard(mv, 1.1), 500)]).notes
    assert not any("QRS complex" in note for note in alike)
    notes = twin.add([saved_csv(tmp_path / "c.csv", heard(mv, 1.2), 250)]).notes
    (asked,) = (note for note in notes if "QRS complex" in note)
    wide, *others = (qrs_ms(Ecg(LEADS, heard(mv, f), hz)) for f, hz in ((1.2, 250.0), (1.0, 500.0), (1.1, 500.0)))
    assert f"a QRS complex of {wide:.0f} ms, {min(others):.0f} ms in the ecg" in asked
