"""What is written for openCARP is read back equal by a reader that knows nothing of ours."""

from dataclasses import replace

import numpy as np
import pytest
from small_study import small_study

from cardiotwin.exports import opencarp
from cardiotwin.exports.opencarp import AUTHORS_STATE, tune, write_opencarp_study
from cardiotwin.meshes.formats import read_raw
from cardiotwin.settings import Settings


@pytest.fixture(scope="module")
def study():
    return small_study(4.0)


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("opencarp")
    write_opencarp_study(folder, study)
    return folder


def rows(path):
    return [line.split() for line in path.read_text().splitlines()]


def test_nodes_elements_tags_and_fibres(study, folder):
    heart = study.heart
    points, elements, directions = (rows(folder / f"heart.{ending}") for ending in ("pts", "elem", "lon"))
    assert [int(points[0][0]), int(elements[0][0]), int(directions[0][0])] == [
        len(heart.mesh.points), len(heart.mesh.tets), 2
    ]  # fmt: skip
    np.testing.assert_allclose(np.array(points[1:], float), 1e3 * heart.mesh.points, rtol=1e-15)
    numbers = np.array([row[1:] for row in elements[1:]], int)
    np.testing.assert_array_equal(numbers[:, :4], heart.mesh.tets)
    np.testing.assert_array_equal(numbers[:, 4], heart.tissue_class)
    frame = np.hstack([heart.fibres, heart.sheets])
    np.testing.assert_allclose(np.array(directions[1:], float), frame, atol=1e-8)


def test_our_own_reader_takes_it_back(study, folder):
    found = read_raw(folder / "heart.pts")
    np.testing.assert_allclose(1e-3 * found.points, study.heart.mesh.points, rtol=1e-14)
    np.testing.assert_array_equal(found.tets, study.heart.mesh.tets)
    np.testing.assert_array_equal(found.tet_data["tissue_class"], study.heart.tissue_class)
    np.testing.assert_allclose(found.tet_data["sheets"], study.heart.sheets, atol=1e-8)
    assert (found.unit, found.notes) == ("um", ())


def test_regions_have_no_meaning_unless_the_parameters_say_so(study, folder, tmp_path):
    for ending in ("pts", "elem", "lon", "par"):
        (tmp_path / f"heart.{ending}").write_bytes((folder / f"heart.{ending}").read_bytes())
    parameters = tmp_path / "heart.par"
    parameters.write_text(parameters.read_text().replace('"core"', '"fat"'))
    assert "region" in read_raw(tmp_path / "heart.pts").tet_data
    parameters.unlink()
    assert "region" in read_raw(tmp_path / "heart.pts").tet_data


def test_sites_are_nodes_of_conducting_tissue_around_their_position(study, folder):
    files = sorted(folder.glob("pacing_site_*.vtx"))
    assert len(files) == len(study.arrhythmias.site_positions)
    radius = study.settings.induce.electrode_radius_mm
    for file, position in zip(files, study.arrhythmias.site_positions, strict=True):
        count, kind, *nodes = file.read_text().split()
        assert (int(count), kind) == (len(nodes), "intra")
        away = np.linalg.norm(study.heart.mesh.points[np.array(nodes, int)] - position, axis=1)
        assert len(nodes) == 1 or away.max() <= radius
    assert len(list(folder.glob("activation_site_*.vtx"))) == study.posterior.site_positions.shape[1]


def test_parameters_say_what_they_are(study, folder):
    text = (folder / "heart.par").read_text()
    assert "bidm_eqv_mono = 0" in text
    assert all(f"{file.stem}.vtx" in text for file in folder.glob("*.vtx"))


def test_another_cell_model_gets_no_conductivities(study, tmp_path):
    settings = Settings.model_validate({"tissue": {"cell_model": "mitchell_schaeffer"}})
    write_opencarp_study(tmp_path, replace(study, settings=settings, velocities=None))
    text = (tmp_path / "heart.par").read_text()
    assert "# No conductivities" in text
    assert "g_il =" not in text
    found = read_raw(tmp_path / "heart.pts")
    np.testing.assert_array_equal(found.tet_data["tissue_class"], study.heart.tissue_class)


def test_conductivities_are_those_of_opencarp(study, tmp_path, monkeypatch):
    """0.6 m/s at 0.1 mm: openCARP's tuneCV finds 0.1197 S/m (README), with steps half as long."""
    monkeypatch.setattr(opencarp, "edge_lengths", lambda *_: np.array([0.1]))
    monkeypatch.setattr(opencarp, "DT_MS", 0.01)
    without = replace(study, posterior=None, arrhythmias=None)
    write_opencarp_study(tmp_path, without)
    told = dict(line.split(" = ") for line in (tmp_path / "heart.par").read_text().splitlines() if line[0] == "g")
    assert float(told["gregion[0].g_il"]) == pytest.approx(0.1197, rel=0.02)
    assert float(told["gregion[0].g_it"]) == pytest.approx(0.0285, rel=0.02)
    assert told["gregion[2].ID[0]"] == "3"
    share = study.settings.tissue.border_zone_velocity_fraction
    slowed = tune(
        share * 0.6, "ten_tusscher_2006", {}, 0.1, 0.01, initial=AUTHORS_STATE, geometry="consistent cable",
        precision="double", order=1,
    )[0]  # fmt: skip
    assert float(told["gregion[1].g_il"]) == pytest.approx(slowed, rel=1e-4)
    assert float(told["gregion[0].g_in"]) == float(told["gregion[0].g_it"])
