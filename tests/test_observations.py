"""The kind of a file is recognised, its time and its owner are kept, its owner's name is not."""

import numpy as np
import pytest
from made_dicom import ecg, lge_series, twelve_leads, write
from small_twin import electrodes_file

from cardiotwin import presets
from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import InputRejected, PolicyRefusal, SettingsError
from cardiotwin.ingest import Wanted, read_dicom, read_ecg, same_person
from cardiotwin.storage import artefact, store
from cardiotwin.twin.observations import _time, _valid, find
from cardiotwin.twin.stages import NO_ECG, NO_IMAGING, path
from cardiotwin.twin.twin import Twin


@pytest.fixture
def export(tmp_path):
    """What a hospital sends: a series and an ECG in one folder, with a label map beside them."""
    folder = write(tmp_path / "DOE_JANE", lge_series())
    twelve = ecg(twelve_leads(), LEADS, AcquisitionDateTime="20240312090000", PatientSex="F")
    write(folder / "ecg", [twelve])
    (folder / "drawn.nii.gz").write_bytes(b"")
    return folder


def test_a_folder_gives_its_series_and_its_ecgs_and_no_stray_label_map(export):
    image, recording = find(export)
    assert (image.kind, recording.kind) == ("image", "ecg")
    assert image.value.kind == "lge"
    assert recording.source == "DICOM waveform, 12 leads, 5.0 s at 500 Hz: 60 beats a minute, QRS 74 ms"
    assert recording.effective == "2024-03-12T09:00:00"


def test_identity_is_hashed_with_the_twins_salt(export):
    one, two = find(export, salt="a"), find(export, salt="b")
    assert one[0].identity.split("-")[0] == one[1].identity.split("-")[0] != two[0].identity.split("-")[0]
    assert "canary" not in one[0].identity
    assert same_person(one[0].identity, one[1].identity)


def test_nothing_of_the_patients_name_or_number_is_in_the_twin(export, tmp_path):
    twin = Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""))
    assert [one.kind for one in twin.add([export]).observations] == ["image", "ecg"]
    kept = b"".join(file.read_bytes() for file in twin.folder.rglob("*") if file.is_file())
    for canary in (b"CANARY", b"canary", b"DOE_JANE"):
        assert canary not in kept


def test_another_patients_ecg_is_7_and_the_twin_is_unchanged(export, tmp_path):
    twin = Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""))
    twin.add([export])
    other = ecg(2 * twelve_leads(), LEADS, PatientID="somebody else", SOPInstanceUID="1.2.9")
    with pytest.raises(PolicyRefusal, match="another patient"):
        twin.add([write(tmp_path / "other", [other])])
    assert len(twin.status().observations) == 2


def test_a_csv_is_told_by_its_header(tmp_path):
    table = np.column_stack([np.arange(2500) * 2.0, *twelve_leads()])
    header = ",".join(["time [ms]", *(f"{lead} [mV]" for lead in LEADS)])
    np.savetxt(tmp_path / "ecg.csv", table, delimiter=",", header=header, comments="")
    assert find(tmp_path / "ecg.csv")[0].kind == "ecg"
    assert find(electrodes_file(tmp_path, 1.0))[0].kind == "electrodes"


def test_the_twin_keeps_deidentified_dicom_that_reads_the_same(export, tmp_path):
    twin = Twin.create(tmp_path / "twin", presets.settings_text(presets.preset("demo"), "test"))
    image, recording = twin.add([export]).observations
    readers = {image.sha256: read_dicom, recording.sha256: lambda folder: read_ecg(next(folder.iterdir()))}
    for sha256, read in readers.items():
        folder = twin.folder / "observations" / sha256
        assert artefact.digest(read(folder / "sources")) == sha256
        assert any(name.startswith("sources/") for name in store.read_manifest(folder)["files"])
    everything = b"".join(path.read_bytes() for path in twin.folder.rglob("*") if path.is_file())
    assert b"canary" not in everything.lower()


@pytest.mark.parametrize(
    ("header", "when"),
    [
        ({"AcquisitionDateTime": "20240310070000.5+0100"}, "2024-03-10T06:00:00+00:00"),
        ({"AcquisitionDate": "20240310", "AcquisitionTime": "0703"}, "2024-03-10T07:03:00"),
        ({"AcquisitionDateTime": "202403100703", "TimezoneOffsetFromUTC": "-0500"}, "2024-03-10T12:03:00+00:00"),
        ({"AcquisitionDateTime": "20241399", "StudyDate": "20240310"}, "2024-03-10T00:00:00"),
        ({"StudyDate": "unknown"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_headers_time_is_read_with_its_zone_or_not_at_all(header, when):
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword, value in header.items():
        dataset.add_new(keyword, "LO", value)
    keywords = ("AcquisitionDateTime", "AcquisitionDate+AcquisitionTime", "StudyDate+StudyTime")
    assert _time(dataset, keywords) == when


def test_a_time_that_is_none_is_refused():
    assert _valid("2024-02-30") == ""


def test_at_must_be_a_time(tmp_path):
    with pytest.raises(SettingsError, match="--at 'yesterday'"):
        find(electrodes_file(tmp_path, 1.0), at="yesterday")


@pytest.mark.parametrize("name", ["notes.docx", "picture"])
def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path, name):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(InputRejected, match="label map"):
        find(tmp_path / name)


@pytest.mark.parametrize("wanted", [Wanted(kind="lge"), Wanted(series="12"), Wanted(hz=500.0), Wanted(unit="mV")])
def test_what_is_told_of_no_input_is_refused_and_nothing_is_added(tmp_path, wanted):
    twin = Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""))
    with pytest.raises(SettingsError, match=r"(kind|series|hz|unit)=: for .*there is none among these"):
        twin.add([electrodes_file(tmp_path, 1.0)], wanted=wanted)
    assert twin.status().observations == ()


@pytest.mark.parametrize("wanted", [Wanted(kind="lge"), Wanted(series="psir")])
def test_what_is_told_of_an_image_may_be_told_beside_other_inputs(export, wanted):
    assert [one.kind for one in find(export, wanted=wanted)] == ["image", "ecg"]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputRejected, match="an empty folder; expected an exported series"):
        find(tmp_path)


class TestPath:
    """How the real stages are laid out; nothing is computed here."""

    @staticmethod
    def steps(*kinds: str) -> dict:
        from cardiotwin.storage.ledger import Observation

        observed = [Observation(f"{kind}{i}", kind, "", "", "", str(i), "", "") for i, kind in enumerate(kinds)]
        return {step.name: step for step in path(observed)}

    def test_without_anything_imaging_and_an_ecg_are_missing(self):
        steps = self.steps()
        assert (steps["segment"].waits_for, steps["calibrate"].waits_for) == (NO_IMAGING, NO_ECG)

    def test_a_label_map_takes_the_place_of_the_image(self):
        assert self.steps("image", "label_map")["segment"].inputs == {"label_map": "sha256:label_map1"}

    def test_the_newest_image_counts(self):
        assert self.steps("image", "image")["segment"].inputs == {"image": "sha256:image1"}

    def test_every_ecg_updates_the_posterior_of_those_before(self):
        steps = self.steps("image", "ecg", "ecg")
        first, second = steps["calibrate"], steps["calibrate, ECG 2"]
        assert first.lists["ecgs"] == ("sha256:ecg1",)
        assert second.lists["ecgs"] == ("sha256:ecg1", "sha256:ecg2")
        assert second.inputs["previous"] == "calibrate"
        assert steps["induce"].inputs["posterior"] == "calibrate, ECG 2"

    def test_every_input_of_every_step_is_an_earlier_step_or_an_observation(self):
        names: list[str] = []
        for step in self.steps("image", "ecg", "ecg", "electrodes", "plan").values():
            assert all(name in names or name.startswith("sha256:") for name in step.inputs.values())
            names.append(step.name)
