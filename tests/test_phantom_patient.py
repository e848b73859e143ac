"""The phantom patient as a whole: complete, consistent with its truth, or not there at all."""

import json
import time
from dataclasses import replace

import numpy as np
import pydicom
import pytest

import cardiotwin.phantom.physiology as physiology
from cardiotwin.errors import SettingsError
from cardiotwin.heart.heart import build_heart
from cardiotwin.imaging import apply_affine
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.phantom import make_phantom
from cardiotwin.phantom.anatomy import labels_at, make_anatomy
from cardiotwin.phantom.truth import compare_with_truth, read_labels
from cardiotwin.segmentation import CORE, from_label_map
from cardiotwin.settings import MeshSettings


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("patients") / "patient", seed=1, edge_mm=2.0)


@pytest.fixture(scope="module")
def truth(patient):
    return json.loads((patient / "truth.json").read_text())


def test_a_hospital_would_send_these_files(patient):
    names = {path.relative_to(patient).parts[0] for path in patient.rglob("*")}
    sent = {"lge", "ecg.dcm", "ecg_followup.dcm", "electrodes.csv"}
    assert names == sent | {"truth.json", "truth_labels.nii.gz", "truth_fields.npz"}
    people = {(d.PatientID, d.PatientSex) for d in map(pydicom.dcmread, patient.rglob("*.dcm"))}
    assert len(people) == 1


def test_a_mesh_of_the_true_labels_is_the_true_anatomy(patient, truth):
    """The mesher's own error, 8 mm slices included; and a mesh that lies elsewhere scores as such."""
    heart = build_heart(from_label_map(*read_labels(patient / "truth_labels.nii.gz")), MeshSettings(edge_mm=2.0))
    score = compare_with_truth(patient, heart=heart)["mesh"]["myocardium"]
    assert score["dice"] > 0.93
    assert abs(score["error_percent"]) < 3
    away = replace(heart, mesh=Mesh(heart.mesh.points + np.array([0.0, 0.0, 6.0]), heart.mesh.tets))
    assert compare_with_truth(patient, heart=away)["mesh"]["myocardium"]["dice"] < 0.7


def test_true_labels_lie_where_the_anatomy_is(patient):
    """A voxel whose whole neighbourhood has one label has that label."""
    labels, affine = read_labels(patient / "truth_labels.nii.gz")
    index = np.argwhere(labels > 0)[::7][:, ::-1]
    around = [apply_affine(affine, np.add(index, [dx, 0, dz])) for dx in (-0.5, 0, 0.5) for dz in (-0.5, 0, 0.5)]
    found = np.stack([labels_at(make_anatomy(1), points) for points in around])
    same = (found == found[0]).all(axis=0)
    assert same.sum() > 200
    np.testing.assert_array_equal(found[0, same], labels[tuple(index[same, ::-1].T)])


def mean_beat(path):
    """Mean RR interval, ms, and (12, 210) mV around the steepest point of a beat, the median of all."""
    mv = pydicom.dcmread(path).waveform_array(0).T / 1000
    speed = np.abs(np.diff(mv, axis=1)).sum(axis=0)
    peaks = [k for k in range(210, 4780) if speed[k] == speed[k - 210 : k + 210].max()]
    beats = np.stack([mv[:, k - 60 : k + 150] for k in peaks])
    return 2.0 * np.diff(peaks).mean(), np.median(beats - beats.mean(axis=2, keepdims=True), axis=0)


def test_both_ecgs_are_the_same_heart_at_another_rate(patient, truth):
    (rr_first_ms, first), (rr_second_ms, second) = (
        mean_beat(patient / name) for name in ("ecg.dcm", "ecg_followup.dcm")
    )
    assert rr_first_ms == pytest.approx(60_000 / 70, abs=12)
    assert rr_second_ms == pytest.approx(60_000 / 64, abs=12)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.97
    assert (first != second).any()
    dates = [recording["date"] for recording in truth["recordings"]]
    assert dates == [pydicom.dcmread(patient / name).ContentDate for name in ("ecg.dcm", "ecg_followup.dcm")]


def test_sites_lie_on_the_endocardium_and_fire_first(patient, truth):
    fields = np.load(patient / "truth_fields.npz")
    for site in truth["sites"]:
        distance = np.linalg.norm(fields["points_mm"] - site["position_mm"], axis=1)
        assert distance.min() < 4.0
        assert np.nanmin(fields["activation_ms"][distance < 8.0]) < site["time_ms"] + 15.0
    assert 60 < np.nanpercentile(fields["activation_ms"], 95) < 140


def test_all_but_the_core_is_activated(patient):
    """Judged where everything within 3 mm is core, or none of it."""
    fields, anatomy = np.load(patient / "truth_fields.npz"), make_anatomy(1)
    steps = 3.0 * np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    core = np.stack([labels_at(anatomy, fields["points_mm"] + step) == CORE for step in steps])
    activated = np.isfinite(fields["activation_ms"])
    assert core.all(axis=0).sum() > 10
    # The mesh is coarse here: what touches a living element lives.
    assert activated[core.all(axis=0)].mean() < 0.05
    assert activated[~core.any(axis=0)].mean() > 0.999


def test_another_folder_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(SettingsError, match="no phantom"):
        make_phantom(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_what_fails_half_way_leaves_nothing_behind(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("power cut")

    monkeypatch.setattr(physiology, "heartbeat", broken)
    monkeypatch.setattr("cardiotwin.phantom._write_images", lambda folder, *_: (folder / "half").mkdir())
    with pytest.raises(RuntimeError, match="power cut"):
        make_phantom(tmp_path / "patient")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_patient_at_full_resolution_takes_less_than_a_minute_and_is_the_same_every_time(tmp_path):
    first = make_phantom(tmp_path / "first", seed=2)  # compiles
    start = time.perf_counter()
    second = make_phantom(tmp_path / "second", seed=2)
    assert time.perf_counter() - start < 60
    for path in first.rglob("*"):
        if path.suffix in (".dcm", ".json"):
            assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path.name
