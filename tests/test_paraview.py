"""Every file opens with VTK's own reader, its fields finite, its time steps complete."""

import resource
from dataclasses import replace

import numpy as np
import pytest
from small_study import small_study

from cardiotwin.ablation.lesions import Plan, lesion_elements
from cardiotwin.ecg.electrodes import in_torso, torso_electrodes
from cardiotwin.errors import ResourceLimit
from cardiotwin.exports.paraview import FIELDS, write_study
from cardiotwin.exports.vtk_files import NEVER_MS, NO_POTENTIAL_MV
from cardiotwin.heart.heart import CORE
from cardiotwin.meshes.ventricular import VentricularCoordinates
from cardiotwin.study import Study


@pytest.fixture(scope="module")
def study():
    return small_study(4.0)


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paraview")
    write_study(folder, study)
    return folder


def opened(path):
    """By the reader that ParaView uses for the extension."""
    from vtkmodules.vtkIOHDF import vtkHDFReader
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader, vtkXMLUnstructuredGridReader

    kinds = {".vtu": vtkXMLUnstructuredGridReader, ".vtp": vtkXMLPolyDataReader, ".vtkhdf": vtkHDFReader}
    reader = kinds[path.suffix]()
    reader.SetFileName(str(path))
    reader.Update()
    assert reader.GetErrorCode() == 0
    return reader, reader.GetOutput()


def fields(data):
    """Name to values, of points and cells; text is left out."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    found = {}
    for part in (data.GetPointData(), data.GetCellData()):
        for k in range(part.GetNumberOfArrays()):
            if part.GetArray(k) is not None:
                found[part.GetArrayName(k)] = vtk_to_numpy(part.GetArray(k))
    return found


def data_files(folder):
    return sorted(path for path in folder.iterdir() if path.suffix.startswith(".vt"))


def test_every_file_opens_and_every_field_is_finite_and_explained(folder):
    names = {path.name for path in data_files(folder)}
    assert {
        "ensemble.vtu",
        "heart.vtu",
        "potential.vtkhdf",
        "circuit_1.vtu",
        "circuit_2.vtu",
        "circuit_1_film.vtkhdf",
        "circuit_2_film.vtkhdf",
        "lesions_isthmus.vtu",
        "sites.vtp",
        "torso.vtp",
    } <= names
    for path in data_files(folder):
        _, data = opened(path)
        assert data.GetNumberOfPoints() > 0
        for name, values in fields(data).items():
            assert name in FIELDS, f"{path.name}: {name}"
            assert np.isfinite(values).all(), f"{path.name}: {name}"


def test_the_heart_has_its_points_elements_and_fields(folder, study):
    _, data = opened(folder / "heart.vtu")
    found = fields(data)
    assert data.GetNumberOfCells() == len(study.heart.mesh.tets)
    assert data.GetCellType(0) == 10
    np.testing.assert_allclose([data.GetPoint(k) for k in range(50)], study.heart.mesh.points[:50])
    np.testing.assert_array_equal(found["tissue_class"], study.heart.tissue_class)
    np.testing.assert_allclose(found["fibres"], study.heart.fibres, atol=1e-6)
    time = study.confirmation.activation.activation_ms[0]
    reached = np.isfinite(time)
    np.testing.assert_allclose(found["activation_ms"][reached], time[reached], rtol=1e-6)
    assert (found["activation_ms"][~reached] == NEVER_MS).all()
    assert not reached.all()


def test_excitable_nodes_are_those_held_by_more_than_core(folder, study):
    found = fields(opened(folder / "heart.vtu")[1])
    for node in range(0, len(study.heart.mesh.points), 53):
        holders = (study.heart.mesh.tets == node).any(axis=1)
        assert found["excitable"][node] == (study.heart.tissue_class[holders] != CORE).any()


def test_what_the_ensemble_leaves_open_is_on_the_calibration_mesh(folder, study):
    found = fields(opened(folder / "ensemble.vtu")[1])
    times = {"activation": study.ensemble_beat.activation_ms}
    times["repolarisation"] = study.ensemble_beat.repolarisation.repolarisation_ms
    alive = found["excitable"] == 1
    for name, each in times.items():
        assert found[f"{name}_mean_ms"][alive] == pytest.approx(each[:, alive].mean(axis=0), rel=1e-5)
        assert found[f"{name}_spread_ms"][alive] == pytest.approx(each[:, alive].std(axis=0), rel=1e-3)
        assert (found[f"{name}_mean_ms"][~alive] == NEVER_MS).all()
        assert (found[f"{name}_spread_ms"][~alive] == NEVER_MS).all()


def test_without_a_t_wave_the_ensemble_has_activation_alone(tmp_path, study):
    write_study(tmp_path, replace(study, ensemble_beat=replace(study.ensemble_beat, repolarisation=None)))
    found = fields(opened(tmp_path / "ensemble.vtu")[1])
    assert "activation_spread_ms" in found
    assert "repolarisation_mean_ms" not in found


def test_every_time_step_of_the_potential_is_read_back(folder, study):
    reader, _ = opened(folder / "potential.vtkhdf")
    activation = study.confirmation.activation
    assert reader.GetNumberOfSteps() == len(activation.snapshot_ms) > 10
    for step, (time, expected) in enumerate(zip(activation.snapshot_ms, activation.snapshots, strict=True)):
        reader.SetStep(step)
        reader.Update()
        data = reader.GetOutput()
        found = fields(data)
        assert reader.GetTimeValue() == time
        assert data.GetNumberOfCells() == len(study.heart.mesh.tets)
        there = np.isfinite(expected)
        np.testing.assert_array_equal(found["potential_mv"][there], expected[there])
        assert (found["potential_mv"][~there] == NO_POTENTIAL_MV).all()
        np.testing.assert_array_equal(found["tissue_class"], study.heart.tissue_class)
        assert found["excitable"].size == len(study.heart.mesh.points)


def test_the_mesh_of_a_time_series_is_written_once(folder, study):
    import h5py

    with h5py.File(folder / "potential.vtkhdf") as file:
        assert file["VTKHDF/Points"].shape == study.heart.mesh.points.shape
        assert file["VTKHDF/Connectivity"].shape == (study.heart.mesh.tets.size,)
        assert file["VTKHDF/PointData/potential_mv"].compression == "gzip"


def test_lesions_are_the_elements_a_plan_ablates(folder, study):
    _, data = opened(folder / "lesions_isthmus.vtu")
    assert data.GetNumberOfCells() == lesion_elements(study.heart, study.plans[0]).sum() > 0
    assert not (folder / "lesions_no-ablation.vtu").exists()
    assert '"no ablation" ablates nothing' in (folder / "README.txt").read_text()


def test_sites_hold_every_member_with_its_weight(folder, study):
    found = fields(opened(folder / "sites.vtp")[1])
    sites = study.posterior.site_positions.shape[1]
    np.testing.assert_allclose(
        found["weight"][found["kind"] == 1], np.repeat(study.posterior.weights, sites), rtol=1e-6
    )
    assert (found["kind"] == 2).sum() == len(study.arrhythmias.site_nodes)
    assert (found["kind"] == 3).sum() == len(study.electrodes.names)
    assert (found["kind"] == 4).sum() == (found["kind"] == 5).sum() == len(study.arrhythmias.circuits)


def test_the_readme_names_every_file_and_every_field(folder):
    text = (folder / "README.txt").read_text()
    for path in data_files(folder):
        section = text.split(f"\n{path.name}:")[1].split("\n\n")[0]
        for name in fields(opened(path)[1]):
            assert f"\n  {name} " in section, f"{path.name}: {name}"


def test_a_heart_alone_is_a_study_and_replaces_an_earlier_one(study, tmp_path):
    write_study(tmp_path, study)
    (tmp_path / "my own.pvsm").write_text("kept")
    alone = {"heart.vtu", "README.txt", "open_in_paraview.py", "scene.json"}
    written = write_study(tmp_path, Study(study.heart))
    assert {path.name for path in written} == alone
    assert {path.name for path in tmp_path.iterdir()} == {*alone, "my own.pvsm"}


def test_the_four_coordinates_are_cobiveco_s_and_told_from_our_own_depth(study, tmp_path):
    n = len(study.heart.mesh.points)
    apicobasal, transmural, rotational = np.random.default_rng(1).random((3, n))
    sides = (np.arange(n) % 2).astype(np.uint8)
    given = VentricularCoordinates(apicobasal, transmural, rotational, sides)
    write_study(tmp_path, Study(replace(study.heart, coordinates=given)))
    found = fields(opened(tmp_path / "heart.vtu")[1])
    for name in ("apicobasal", "transmural", "rotational", "transventricular"):
        np.testing.assert_allclose(found[f"cobiveco_{name}"], getattr(given, name), atol=1e-6)
    np.testing.assert_allclose(found["transmural"], study.heart.transmural, atol=1e-6)
    text = (tmp_path / "README.txt").read_text()
    assert "CardioTwin's own: 0 endocardium to 1 epicardium" in text
    assert "sites.vtp, torso.vtp: written once electrodes are given or placed" in text


def test_a_plan_may_have_any_name(study, tmp_path):
    lesions = study.plans[0].lesions
    names = ("../../etc/passwd", "a b", "A\nb", "", "$x$ <script>")
    write_study(tmp_path, replace(study, plans=tuple(Plan(name, lesions) for name in names)))
    written = {path.name for path in tmp_path.iterdir() if path.name.startswith("lesions")}
    assert written == {
        "lesions_etc-passwd.vtu", "lesions_a-b-2.vtu", "lesions_a-b-3.vtu", "lesions_plan.vtu", "lesions_x-script.vtu",
    }  # fmt: skip


@pytest.mark.parametrize("room", [1_000, 30_000])
def test_where_the_disk_is_full_the_earlier_files_stay_whole(study, tmp_path, room):
    write_study(tmp_path, Study(study.heart))
    before = (tmp_path / "heart.vtu").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(ResourceLimit, match="writing heart"):
            write_study(tmp_path, study)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "heart.vtu").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        "heart.vtu",
        "README.txt",
        "open_in_paraview.py",
        "scene.json",
    }


@pytest.mark.slow
def test_a_torso_that_conducts_is_the_one_that_is_shown(tmp_path, study, monkeypatch):
    import pyvista as pv

    monkeypatch.setattr("cardiotwin.ecg.electrodes.CONDUCTOR_STEP_MM", 30.0)
    electrodes = in_torso(study.heart, torso_electrodes(study.heart), sex="male", stature_mm=1900.0)
    write_study(tmp_path, Study(study.heart, electrodes=electrodes))
    skin = pv.read(tmp_path / "torso.vtp")
    np.testing.assert_allclose(skin.points, electrodes.conductor.points, atol=1e-3)
    np.testing.assert_array_equal(skin.regular_faces, electrodes.conductor.triangles)
    assert "the skin of a mean adult's torso, which conducts to the electrodes" in (tmp_path / "README.txt").read_text()


def test_the_torso_is_a_closed_skin_around_heart_and_electrodes(tmp_path, study):
    """Of electrodes placed on it, so that all lie on that skin, and with their uncertainty beside them."""
    import pyvista as pv

    electrodes = torso_electrodes(study.heart)
    write_study(tmp_path, Study(study.heart, electrodes=electrodes))
    skin = pv.read(tmp_path / "torso.vtp")
    assert skin.n_open_edges == 0
    assert 25e6 < skin.volume < 60e6, "mm³: 25 to 60 L"
    inside = pv.PolyData(study.heart.mesh.points[::20]).select_interior_points(skin)
    assert np.all(inside["selected_points"])
    away = pv.PolyData(electrodes.positions).compute_implicit_distance(skin)["implicit_distance"]
    assert np.abs(away).max() < 12.0
    found = fields(opened(tmp_path / "sites.vtp")[1])
    np.testing.assert_allclose(found["uncertainty_mm"], electrodes.uncertainty_mm, rtol=1e-6)
    write_study(tmp_path, Study(study.heart))
    assert not (tmp_path / "torso.vtp").exists(), "of an earlier study"
