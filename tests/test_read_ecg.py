"""An ECG reads alike from DICOM, WFDB and CSV; what no heart makes is refused, and the line says what it looks like."""

from pathlib import Path

import numpy as np
import pytest
from data_folder import real_data
from made_dicom import ecg, twelve_leads
from small_twin import CHEST_MM

from cardiotwin.ecg.electrodes import ELECTRODES
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, LEADS
from cardiotwin.errors import CardioTwinError, InputRejected, QualityGate
from cardiotwin.ingest import read_ecg, read_electrodes


def saved_dicom(path, mv, leads=LEADS, **options):
    dataset = ecg(mv, leads, **options)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def saved_csv(path, mv, leads=LEADS, unit="mV", head="hz=500\n"):
    lines = [",".join(f"{lead} [{unit}]" for lead in leads), *(",".join(f"{v:.6g}" for v in row) for row in mv.T)]
    path.write_text(head + "\n".join(lines) + "\n")
    return path


def saved_wfdb(folder, mv, leads=LEADS):
    wfdb = pytest.importorskip("wfdb")
    wfdb.wrsamp("rec", 500, ["mV"] * len(leads), list(leads), mv.T, fmt=["16"] * len(leads), write_dir=str(folder))
    return folder / "rec.hea"


def test_a_folder_with_one_record_reads_as_its_header(tmp_path):
    header = saved_wfdb(tmp_path, twelve_leads())
    np.testing.assert_array_equal(read_ecg(tmp_path).mv, read_ecg(header).mv)
    (tmp_path / "second.hea").write_bytes(header.read_bytes())
    with pytest.raises(InputRejected, match=r"found 2 WFDB headers \(\.hea\); expected a folder with one"):
        read_ecg(tmp_path)


def test_three_formats_of_one_recording_agree(tmp_path):
    mv = twelve_leads()
    for path, step_mv in (
        (saved_dicom(tmp_path / "ecg.dcm", mv), 0.0025),
        (saved_wfdb(tmp_path, mv), 0.001),
        (saved_csv(tmp_path / "ecg.csv", 1000 * mv, unit="uV"), 1e-5),
    ):
        read = read_ecg(path)
        assert read.leads == LEADS
        assert read.hz == 500
        np.testing.assert_allclose(read.mv, mv, atol=step_mv)


@pytest.mark.parametrize("record", ["ptb-xl_00001/records500/00000/00001_hr", "wfdb_ptb_s0010/s0010_re"])
def test_real_wfdb_records_read_as_the_wfdb_package_reads_them(record):
    wfdb = pytest.importorskip("wfdb")
    path = real_data("ecg", *f"{record}.hea".split("/"))
    read, other = read_ecg(path), wfdb.rdrecord(str(path.with_suffix("")))
    names = [name.lower() for name in other.sig_name]
    assert read.leads == LEADS
    assert read.hz == other.fs
    for lead, mv in zip(read.leads, read.mv, strict=True):
        np.testing.assert_allclose(mv, other.p_signal[:, names.index(lead.lower())], atol=1e-12)


def test_packed_formats_read_as_the_wfdb_package_wrote_them(tmp_path):
    wfdb = pytest.importorskip("wfdb")
    mv = twelve_leads()
    for fmt in ("212", "24", "32", "80"):
        wfdb.wrsamp(f"r{fmt}", 500, ["mV"] * 12, list(LEADS), mv.T, fmt=[fmt] * 12, write_dir=str(tmp_path))
        other = wfdb.rdrecord(str(tmp_path / f"r{fmt}")).p_signal.T
        np.testing.assert_allclose(read_ecg(tmp_path / f"r{fmt}.hea").mv, other, atol=1e-12)


def test_the_real_dicom_ecg_is_its_rhythm_not_its_median_beat():
    """Decoded again by pydicom, which applies sensitivity and unit itself: microvolts."""
    pydicom = pytest.importorskip("pydicom")
    path = real_data("ecg", "dicom_waveform_pydicom", "waveform_ecg.dcm")
    read = read_ecg(path)
    np.testing.assert_allclose(read.mv, pydicom.dcmread(path).waveform_array(0).T / 1000)
    assert any("MEDIAN BEAT left out" in note for note in read.notes)


@pytest.mark.parametrize(("padding", "gap", "kept"), [(0, 0, 12), (0, 400, 11), (-32768, 3, 11)])
def test_padding_is_what_no_signal_holds_and_not_a_value_that_it_passes_through(tmp_path, padding, gap, kept):
    """Converters declare 0; a lead that is 0 for a sample here and there is whole, one that is 0 for 0.8 s is not."""
    mv = twelve_leads()
    dataset = ecg(mv, LEADS)
    group = dataset.WaveformSequence[0]
    stored = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 12).copy()
    assert (stored == 0).sum(axis=0).min() > 10
    stored[600 : 600 + gap, 9] = padding
    group.WaveformData, group.WaveformPaddingValue = stored.tobytes(), np.int16(padding).tobytes()
    group["WaveformPaddingValue"].VR = "OW"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(tmp_path / "ecg.dcm", enforce_file_format=True)
    assert len(read_ecg(tmp_path / "ecg.dcm").leads) == kept


def test_a_table_without_header_needs_leads_rate_and_unit_from_the_user():
    path = real_data("heart_dti004", "clinical_data", "DTI004_clinical_full_ecg.csv")
    read = read_ecg(path, leads=INDEPENDENT_LEADS, hz=1000, unit="uV")
    np.testing.assert_allclose(read.mv, np.loadtxt(path, delimiter=",") / 1000)
    with pytest.raises(InputRejected, match="leads="):
        read_ecg(path)
    with pytest.raises(InputRejected, match="1000 times too large: uV taken for mV"):
        read_ecg(path, leads=INDEPENDENT_LEADS, hz=1000, unit="mV")


def test_mdc_codes_and_scp_codes_name_the_same_leads(tmp_path):
    def recode(scheme, start):
        dataset = ecg(twelve_leads(), LEADS)
        for channel in dataset.WaveformSequence[0].ChannelDefinitionSequence:
            source = channel.ChannelSourceSequence[0]
            number = int(source.CodeValue.split("-")[-1])
            source.CodeValue = f"{start}{number}" if isinstance(start, str) else str(start + number)
            source.CodingSchemeDesignator = scheme
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(tmp_path / "ecg.dcm", enforce_file_format=True)
        return read_ecg(tmp_path / "ecg.dcm").leads

    assert recode("MDC", "2:") == recode("MDC", 131_072) == recode("MDC", 131_328) == LEADS


def test_the_rate_comes_from_a_time_column_too(tmp_path):
    mv = twelve_leads()
    rows = [f"{2.0 * n:.1f}," + ",".join(f"{v:.6g}" for v in column) for n, column in enumerate(mv.T)]
    path = tmp_path / "ecg.csv"
    path.write_text("time [ms]," + ",".join(f"lead {lead} (mV)" for lead in LEADS) + "\n" + "\n".join(rows))
    assert read_ecg(path).hz == pytest.approx(500)


def damaged(change):
    mv = twelve_leads()
    change(mv)
    return mv


def flat(mv):
    mv[6] = 0.3


def not_a_number(mv):
    mv[7, 1000] = np.nan


def saturated(mv):
    mv[8] = np.clip(4 * mv[8], None, 0.6)


def hum(mv):
    mv[9] = np.sin(2 * np.pi * 50 * np.arange(mv.shape[1]) / 500)


def lead_off(mv):
    mv[10, 500:1500] = mv[10, 500]


@pytest.mark.parametrize(
    ("change", "lead", "reason"),
    [
        (flat, "V1", "flat"),
        (not_a_number, "V2", "not finite"),
        (saturated, "V3", "saturated"),
        (hum, "V4", "mains hum"),
        (lead_off, "V5", "stands still for 2.0 s"),
    ],
)
def test_a_bad_lead_is_left_out_with_its_reason(tmp_path, change, lead, reason):
    read = read_ecg(saved_csv(tmp_path / "ecg.csv", damaged(change)))
    assert read.leads == tuple(one for one in LEADS if one != lead)
    assert any(note.startswith(f"lead {lead} left out") and reason in note for note in read.notes)


def test_six_limb_leads_are_two_independent_ones(tmp_path):
    with pytest.raises(QualityGate, match="found 2 usable independent leads"):
        read_ecg(saved_csv(tmp_path / "ecg.csv", twelve_leads()[:6], LEADS[:6]))


def test_leads_that_contradict_einthoven_are_refused(tmp_path):
    mv = twelve_leads()
    mv[2] *= -1
    with pytest.raises(InputRejected, match="Einthoven"):
        read_ecg(saved_csv(tmp_path / "ecg.csv", mv))


def test_swapped_arms_are_noted(tmp_path):
    one, two, *chest = twelve_leads()[[0, 1, 6, 7, 8, 9, 10, 11]]
    one, two = -one, two - one  # right and left arm exchanged: I becomes -I, II becomes III
    swapped = np.array([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2, *chest])
    assert any("arm electrodes" in note for note in read_ecg(saved_csv(tmp_path / "b.csv", swapped)).notes)
    assert not read_ecg(saved_csv(tmp_path / "a.csv", twelve_leads())).notes


@pytest.mark.parametrize(
    ("unit", "factor", "guess"),
    [
        ("mV", 1000, "1000 times too large: uV taken for mV"),
        ("V", 1, "1000 times too large: uV taken for mV, or mV taken for V"),
        ("uV", 1, "1000 times too small: mV taken for uV"),
        ("mV", 0.001, "1000 times too small: mV taken for uV, or V taken for mV"),
        ("V", 1000, "a million times too large: uV taken for V"),
        ("mV", 1e-7, "noise, or raw counts"),
    ],
)
def test_a_wrong_unit_is_named_in_either_direction(tmp_path, unit, factor, guess):
    with pytest.raises(InputRejected, match=guess):
        read_ecg(saved_csv(tmp_path / "ecg.csv", factor * twelve_leads(), unit=unit))


@pytest.mark.parametrize(("hz", "error"), [(50, QualityGate), (40_000, InputRejected), (-1, InputRejected)])
def test_a_rate_out_of_range_is_refused(tmp_path, hz, error):
    with pytest.raises(error, match="samples per second"):
        read_ecg(saved_csv(tmp_path / "ecg.csv", twelve_leads(), head=f"hz={hz}\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("I [mV],II [mV]\n1,2\n3\n", "line 3"),
        ("I [mV],II [mV]\n1,2\n3,x\n", "line 3: found x"),
        ("I,II\n1,2\n3,4\n", "no"),
        ("time [ms],I [mV]\n0,1\n2,1\n2,1\n", "line 4: time"),
        ("time [ms],I [mV]\n0,1\n2,1\n4,1\n60,1\n62,1\n", "a step of 56 ms"),
        ("I [bananas],II [mV]\n1,2\n", "bananas"),
        ("a,b\n1,2\n", "lead names"),
    ],
)
def test_a_malformed_table_is_refused_by_line(tmp_path, text, words):
    path = tmp_path / "ecg.csv"
    path.write_text(text)
    with pytest.raises(InputRejected) as caught:
        read_ecg(path, hz=None if "time" in text or not text else 500)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../rec.dat", "/etc/passwd", "http://example.org/rec.dat", "~", "a\\b.dat"])
def test_a_wfdb_header_cannot_name_files_outside_its_folder(tmp_path, name):
    path = saved_wfdb(tmp_path, twelve_leads())
    path.write_text(path.read_text().replace("rec.dat", name))
    with pytest.raises(InputRejected, match="same folder"):
        read_ecg(path)


def test_a_wfdb_record_with_one_changed_byte_fails_its_checksum(tmp_path):
    path = saved_wfdb(tmp_path, twelve_leads())
    data = bytearray((tmp_path / "rec.dat").read_bytes())
    data[1000] ^= 4
    (tmp_path / "rec.dat").write_bytes(data)
    with pytest.raises(InputRejected, match="checksum"):
        read_ecg(path)


def test_a_wfdb_header_damaged_anywhere_raises_only_typed_refusals(tmp_path):
    path = saved_wfdb(tmp_path, twelve_leads())
    whole = path.read_bytes()
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(80):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_ecg(path)
        except CardioTwinError:
            refused += 1
    assert refused > 20


def test_a_dicom_ecg_cut_anywhere_is_refused(tmp_path):
    path = saved_dicom(tmp_path / "ecg.dcm", twelve_leads())
    whole = path.read_bytes()
    for length in [*range(0, 2600, 13), len(whole) // 2, len(whole) - 4]:
        path.write_bytes(whole[:length])
        with pytest.raises(CardioTwinError, match=r"ecg\.dcm"):
            read_ecg(path)


def saved_electrodes(path: Path, scale: float = 1.0, without: tuple[str, ...] = ()) -> Path:
    rows = [(name, *(scale * x for x in at)) for name, at in CHEST_MM.items() if name not in without]
    path.write_text("name,x_mm,y_mm,z_mm\n" + "".join(f"{name},{x},{y},{z}\n" for name, x, y, z in rows))
    return path


def test_electrodes_read_by_name(tmp_path):
    path = saved_electrodes(tmp_path / "electrodes.csv")
    path.write_text(path.read_text().replace("LA,", "la,"))
    electrodes = read_electrodes(path)
    assert electrodes.names == tuple(CHEST_MM)
    assert electrodes.measured
    np.testing.assert_array_equal(electrodes.positions, list(CHEST_MM.values()))


@pytest.mark.parametrize("without", [("V3",), ("RA",), ("LA", "RA", "LL", "V3", "V4", "V5", "V6")])
def test_electrodes_that_a_lead_lacks_are_named(tmp_path, without):
    path = saved_electrodes(tmp_path / "electrodes.csv", without=without)
    with pytest.raises(InputRejected, match=r"electrodes\.csv") as refused:
        read_electrodes(path)
    assert set(str(refused.value).rpartition("Add ")[2].split(", ")) == set(without)


@pytest.mark.parametrize(
    ("scale", "why"), [(1e-3, "in metres"), (0.1, "in centimetres"), (1e-9, "span"), (0.011, "span")]
)
def test_positions_that_span_no_thorax_are_refused_with_their_likely_unit(tmp_path, scale, why):
    with pytest.raises(InputRejected, match=why):
        read_electrodes(saved_electrodes(tmp_path / "electrodes.csv", scale))


def test_a_real_subjects_electrodes_pass_in_millimetres_and_only_in_millimetres(tmp_path):
    at_cm = np.loadtxt(real_data("heart_dti004", "geometric_data", "DTI004", "DTI004_electrode_xyz.csv"), delimiter=",")
    path = tmp_path / "electrodes.csv"

    def written(scale: float) -> Path:
        rows = [f"{name},{x},{y},{z}\n" for name, (x, y, z) in zip(ELECTRODES, scale * at_cm, strict=True)]
        path.write_text("name,x_mm,y_mm,z_mm\n" + "".join(rows))
        return path

    assert read_electrodes(written(10.0)).names == ELECTRODES
    with pytest.raises(InputRejected, match="in centimetres"):
        read_electrodes(written(1.0))
    with pytest.raises(InputRejected, match="in metres"):
        read_electrodes(written(0.01))


@pytest.mark.parametrize("row", ["V1,1,2", "V9,1,2,3", "V1,1,2,nan", "V1,1,2,1e9", "LA,0,0,0"])
def test_electrodes_that_make_no_sense_are_refused(tmp_path, row):
    path = tmp_path / "electrodes.csv"
    path.write_text(f"name,x_mm,y_mm,z_mm\nLA,1,2,3\n{row}\n")
    with pytest.raises(InputRejected, match=r"electrodes\.csv"):
        read_electrodes(path)
