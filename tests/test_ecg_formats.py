"""ECGs as vendors write them: read to the last bit, or refused by what contradicts itself. RELIABILITY TE03, TE05."""

import base64

import made_ecg_files as made
import numpy as np
import pytest
from bad_input import new_case, refused, taken
from data_folder import real_data
from made_dicom import ecg, twelve_leads, write

from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import CardioTwinError, InputRejected
from cardiotwin.ingest import explain, read_ecg
from cardiotwin.ingest.ecg_files import read_recording

AECG, PHILIPS = "hl7_aecg_fda", "philips_sierra_xml"
PHILIPS_FILES = (
    "129DYPRG.XML",
    "2020-5-18_15-48-11.xml",
    "3191723_ZZDEMOPTONLY_1-04_orig.xml",
    "ad4d3d80-d165_1-04_orig.xml",
)


def stored(mv=None):
    """What is in steps of 2.5 uV, so that files hold it exactly."""
    return made.counts(twelve_leads(seconds=10.0) if mv is None else mv) * made.STEP_MV


def eight(mv):
    return mv[[LEADS.index(lead) for lead in made.EIGHT]]


WRITERS = {
    "aecg": lambda path: made.aecg(path, stored()),
    "philips_ecg": lambda path: made.philips(path, stored()),
    "philips_ecg unpacked": lambda path: made.philips(path, stored(), packed=False),
    "muse_ecg": lambda path: made.muse(path, eight(stored())),
    "edf_ecg": lambda path: made.edf(path, stored()),
    "scp_ecg": lambda path: made.scp(path, eight(stored())),
    "scp_ecg differences": lambda path: made.scp(path, eight(stored()), differences=1),
    "scp_ecg packed": lambda path: made.scp(path, eight(stored()), differences=2, huffman=1),
}


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_says_the_same_of_one_recording(tmp_path, form):
    """Whatever the file is called; limb leads that a format leaves out are the ones of Einthoven and Goldberger."""
    path = WRITERS[form](tmp_path / "ecg.dat")
    assert explain(path)[0] == form.split()[0]
    ecg, whole = read_ecg(path), stored()
    assert ecg.leads == LEADS
    assert ecg.hz == 500
    exact = np.array([lead in made.EIGHT for lead in LEADS]) | (form.split()[0] in ("aecg", "philips_ecg"))
    step = 32 / 65535 if form == "edf_ecg" else 1e-9
    np.testing.assert_allclose(ecg.mv[exact], whole[exact], atol=step)
    np.testing.assert_allclose(ecg.mv, whole, atol=max(step, 1.6 * made.STEP_MV))


@pytest.mark.parametrize("form", WRITERS)
def test_the_time_of_the_recording_is_kept_and_no_name(tmp_path, capsys, form):
    case, path = new_case(capsys, tmp_path), WRITERS[form](tmp_path / "ecg.dat")
    taken(capsys, case, ["added ecg", "12 leads, 10.0 s at 500 Hz", "2024-03-05T09:00:00"], path)


@pytest.mark.parametrize("file", PHILIPS_FILES)
def test_real_philips_files_read_as_sierraecg_reads_them(file):
    sierraecg = pytest.importorskip("sierraecg")
    path = real_data("ecg", PHILIPS, file)
    other = {lead.label: lead.samples * 0.005 for lead in sierraecg.read_file(str(path)).leads}
    read = read_recording(path)
    assert tuple(read.leads) == LEADS
    for lead, mv in read.leads.items():
        np.testing.assert_allclose(mv, other[lead], atol=1e-9)


@pytest.mark.parametrize("file", PHILIPS_FILES)
def test_the_calibration_pulse_at_the_end_of_philips_leads_is_no_heartbeat(file):
    """Half a second of zeros and 1 mV: a lead with it is saturated, the recording without it is whole."""
    ecg = read_ecg(real_data("ecg", PHILIPS, file))
    assert ecg.leads == LEADS
    assert any("calibration pulse of 1 mV" in note for note in ecg.notes)
    assert not (np.ptp(ecg.mv[:, -50:], axis=0) == 0).any()


@pytest.mark.parametrize("folder", [AECG, PHILIPS])
def test_real_xml_files_read_as_ecgdatakit_reads_them(folder):
    kit = pytest.importorskip("ecgdatakit.parsing")
    for path in sorted(real_data("ecg", folder).glob("*.[xX][mM][lL]")):
        if path.name == "minimum_aecg.xml":
            continue
        read, other = read_recording(path), kit.FileParser().parse(path)
        for lead in other.leads:
            assert lead.units == "mV"
            np.testing.assert_allclose(read.leads[lead.label], lead.samples, atol=1e-6)


@pytest.mark.parametrize("form", ["muse_ecg", "scp_ecg", "scp_ecg differences", "scp_ecg packed", "edf_ecg"])
def test_files_written_here_read_as_ecgdatakit_reads_them(tmp_path, form):
    """So that writer and reader of this project cannot share a mistake."""
    kit = pytest.importorskip("ecgdatakit.parsing")
    ending = {"muse": "xml", "scp": "scp", "edf": "edf"}[form.partition("_")[0]]
    path = WRITERS[form](tmp_path / f"ecg.{ending}")
    read, other = read_recording(path), kit.FileParser().parse(path)
    compared = 0
    for lead in other.leads:
        label = lead.label.removeprefix("ECG ")
        if label in read.leads:
            assert lead.units == "mV"
            np.testing.assert_allclose(read.leads[label], lead.samples, atol=1e-6)
            compared += 1
    assert compared >= 8


def test_edf_reads_as_pyedflib_wrote_it(tmp_path):
    pyedflib = pytest.importorskip("pyedflib")
    path, mv = tmp_path / "ecg.edf", twelve_leads(seconds=10.0)
    with pyedflib.EdfWriter(str(path), 12, file_type=pyedflib.FILETYPE_EDFPLUS) as file:
        file.setSignalHeaders(
            [
                {"label": f"ECG {lead}", "dimension": "uV", "sample_frequency": 500, "physical_min": -5000.0,
                 "physical_max": 5000.0, "digital_min": -32768, "digital_max": 32767, "transducer": "", "prefilter": ""}
                for lead in LEADS
            ]
        )  # fmt: skip
        file.writeSamples(list(1000 * mv))
        file.writeAnnotation(1.0, -1, "a note")
    ecg = read_ecg(path)
    assert ecg.leads == LEADS
    np.testing.assert_allclose(ecg.mv, mv, atol=10 / 65535)


ENTITY = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
CASES = [
    ("TE05 aECG entities", lambda p: made.aecg(p, stored(), prolog=ENTITY), ["EntitiesForbidden"]),
    ("TE05 aECG file outside", lambda p: made.aecg(p, stored(), prolog=OUTSIDE), ["EntitiesForbidden"]),
    ("aECG unit", lambda p: made.aecg(p, stored(), unit="mm"), ["lead|sequence I", "uV or mV"]),
    ("aECG no step", lambda p: made.aecg(p, stored(), step="0"), ["increment", "found 0"]),
    ("aECG step in unknown unit", lambda p: made.aecg(p, stored(), step_unit="min"), ["s, ms or us"]),
    ("TE03 aECG wrong rate", lambda p: made.aecg(p, stored(), step="0.004", high="20240305090010"), ["20 s", "10 s"]),
    ("aECG lead twice", lambda p: made.aecg(p, stored(), (*LEADS[:11], "V1")), ["lead V1 twice"]),
    ("TE03 aECG gain", lambda p: made.aecg(p, stored(), scale="2500"), ["1000 times too large"]),
    ("Philips version", lambda p: made.philips(p, stored(), version="9.9"), ["documentversion", "9.9"]),
    ("Philips duration", lambda p: made.philips(p, stored(), duration="11000"), ["5000 samples", "5500"]),
    ("Philips two resolutions", lambda p: made.philips(p, stored(), resolution="5"), ["resolution: found 2.5 and 5"]),
    ("Philips cut", lambda p: made.philips(p, stored(), chunks="AAAA"), ["lead 1", "chunk"]),
    ("Philips not base64", lambda p: made.philips(p, stored(), chunks="A!B"), ["base64"]),
    ("Philips chunk of nothing", lambda p: made.philips(p, stored(), chunks=base64.b64encode(bytes(99)).decode()),
     ["a chunk of 0 bytes"]),
    ("TE03 MUSE two rates", lambda p: made.muse(p, eight(stored()), hz=250, other_hz="500"),
     ["SampleBase", "250 samples per second, 20 s", "500 as in ECGSampleBase, which makes 10 s"]),
    ("MUSE sample count", lambda p: made.muse(p, eight(stored()), samples="4999"), ["LeadSampleCountTotal", "4999"]),
    ("MUSE checksum", lambda p: made.muse(p, eight(stored()), crc="17"), ["LeadDataCRC32: found 17"]),
    ("MUSE no unit", lambda p: made.muse(p, eight(stored()), unit=" "), ["LeadAmplitudeUnits"]),
    ("TE05 EDF record count", lambda p: made.edf(p, stored(), records=11), ["number of data records: found 11"]),
    ("TE05 EDF too many bytes", lambda p: made.edf(p, stored(), records=9), ["number of data records: found 9"]),
    ("TE05 EDF not finished", lambda p: made.edf(p, stored(), records=-1), ["number of data records: found -1"]),
    ("TE05 EDF negative duration", lambda p: made.edf(p, stored(), duration="-1"),
     ["duration of a data record: found -1"]),
    ("EDF gaps", lambda p: made.edf(p, stored(), reserved="EDF+D"), ["EDF+D", "gaps"]),
    ("EDF no range", lambda p: made.edf(p, stored(), low="16"), ["signal 1: range"]),
    ("EDF unit", lambda p: made.edf(p, stored(), unit="kg"), ["signal 1 (I): physical dimension: found kg"]),
    ("EDF no ECG", lambda p: made.edf(p, stored(), label="EEG {}x"), ["EEG Ix"]),
    ("SCP checksum", lambda p: made.scp(p, eight(stored()), spoil=5000), ["checksum"]),
    ("SCP own tables", lambda p: made.scp(p, eight(stored()), huffman=1, table=1),
     ["Huffman tables of its own", "DICOM"]),
    ("SCP subtracted", lambda p: made.scp(p, eight(stored()), subtracted=1), ["reference beat was subtracted"]),
    ("SCP bimodal", lambda p: made.scp(p, eight(stored()), bimodal=1), ["bimodal compression"]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_contradicts_itself_is_refused_by_name(tmp_path, capsys, make, words):
    path = make(tmp_path / "ecg.dat")
    said = refused(capsys, new_case(capsys, tmp_path), 3, ["ecg.dat"], path)
    for word in words:
        assert any(one in said for one in word.split("|")), said


PATIENTS = {
    "aecg": lambda p, **who: made.aecg(p, stored(), **who),
    "philips_ecg": lambda p, **who: made.philips(p, stored(), **who),
    "muse_ecg": lambda p, **who: made.muse(p, eight(stored()), **who),
    "edf_ecg": lambda p, **who: made.edf(p, stored(), reserved="EDF+C", **who),
    "scp_ecg": lambda p, **who: made.scp(p, eight(stored()), **who),
}


@pytest.mark.parametrize("form", PATIENTS)
def test_an_ecg_of_another_patient_is_refused_and_one_of_the_same_is_not(tmp_path, capsys, form):
    """Against a DICOM ECG that was there before; an aECG has a trial's numbers, so only year and sex are compared."""
    case = new_case(capsys, tmp_path)
    first = write(tmp_path / "dicom", [ecg(made.sinus(), LEADS)])
    taken(capsys, case, ["added ecg"], first)
    others = [{"sex": "M"}, {"born": "1962"}, *([] if form == "aecg" else [{"person": "canary-id-18"}])]
    for number, who in enumerate(others):
        refused(capsys, case, 7, ["another patient"], PATIENTS[form](tmp_path / f"{number}.dat", **who))
    said = taken(capsys, case, ["added ecg"], PATIENTS[form](tmp_path / "same.dat"))
    assert "names no patient" not in said


def test_two_rates_that_both_make_sense_are_told(tmp_path):
    """The rate of the measured intervals is not that of the samples: 5000 of them at 500 Hz are ten seconds."""
    ecg = read_ecg(made.muse(tmp_path / "a.xml", eight(stored()), hz=500, other_hz="250"))
    assert ecg.hz == 500
    assert any("two sampling rates are told, 500 and 250 Hz" in note for note in ecg.notes)


def test_a_bad_limb_lead_is_not_passed_on_to_what_follows_from_it(tmp_path):
    mv = eight(stored())
    mv[0] = 0.0
    ecg = read_ecg(made.muse(tmp_path / "a.xml", mv))
    assert ecg.leads == ("II", "V1", "V2", "V3", "V4", "V5", "V6")


def test_a_pulse_that_is_not_of_one_millivolt_gives_the_wrong_gain_away(tmp_path):
    mv = stored()
    mv[:, -200:], mv[:, -150:-50] = 0.0, 2.0
    with pytest.raises(InputRejected, match="calibration pulse of 2 mV"):
        read_ecg(made.aecg(tmp_path / "a.xml", mv))


def test_an_xml_bomb_ends_before_it_costs_anything(tmp_path):
    levels = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 10))
    prolog = f'<!DOCTYPE x [<!ENTITY e0 "lol">{levels}]>'
    with pytest.raises(InputRejected, match="EntitiesForbidden"):
        read_ecg(made.aecg(tmp_path / "a.xml", stored(), prolog=prolog))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("<?xml version='1.0'?>\n<!-- <restingecgdata> -->\n<a:AnnotatedECG x='1'>", "aecg"),
        ("\ufeff<!DOCTYPE RestingECG SYSTEM 'restecg.dtd'>  <RestingECG>", "muse_ecg"),
        ("<VTKFile><RestingECG/></VTKFile>", "unknown"),
        ("<!-- <RestingECG>", "unknown"),
        ("<!--" * 16_000, "unknown"),
        ("<", "unknown"),
    ],
)
def test_xml_is_told_by_its_first_element(tmp_path, words, kind):
    (tmp_path / "a.xml").write_text(words, encoding="utf-8")
    assert explain(tmp_path / "a.xml")[0] == kind


def test_deep_elements_are_refused(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<AnnotatedECG>" + "<a>" * 5000 + "</a>" * 5000 + "</AnnotatedECG>")
    with pytest.raises(InputRejected, match="64 deep"):
        read_ecg(path)


@pytest.mark.parametrize("form", ["aecg", "philips_ecg", "muse_ecg", "edf_ecg", "scp_ecg packed"])
def test_any_damage_is_a_typed_refusal_or_a_whole_recording(tmp_path, form):
    whole = WRITERS[form](tmp_path / "ecg.dat").read_bytes()
    path, rng, lines = tmp_path / "ecg.dat", np.random.default_rng(4), []
    for k in range(60):
        damaged = bytearray(whole)
        if k % 3:
            for at in rng.integers(0, min(len(whole), 4000 if k % 2 else len(whole)), 3):
                damaged[at] = rng.integers(256)
        else:
            damaged = damaged[: rng.integers(len(whole))]
        path.write_bytes(damaged)
        try:
            read_ecg(path)
        except CardioTwinError as refusal:
            lines.append(str(refusal))
    assert len(lines) >= 20
    assert [line for line in lines if "\n" in line or "died" in line] == []
