"""A torso as the conductor of a twin: the mean adult's or one that was added, by a setting, in one place for all."""

from types import SimpleNamespace

import numpy as np
import pytest
import pyvista as pv
from ellipsoid_heart import ellipsoid_heart
from small_twin import CHEST_MM, electrodes_file

from cardiotwin import presets
from cardiotwin.ecg.electrodes import Electrodes, in_torso, offset_electrodes, torso_around, torso_electrodes
from cardiotwin.ecg.forward import electrode_weights
from cardiotwin.errors import InputRejected
from cardiotwin.ingest import recognise
from cardiotwin.ingest.torso_surface import read_torso
from cardiotwin.meshes.reference.torso import adult_torso
from cardiotwin.settings import ElectrodeSettings, Settings
from cardiotwin.storage import artefact
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin import planning, stages
from cardiotwin.twin.stage_functions import place_electrodes, take_electrodes
from cardiotwin.twin.step import OBSERVED, Step, Work
from cardiotwin.twin.twin import Twin

HEART = ellipsoid_heart(8.0)
TORSO = Settings(electrodes=ElectrodeSettings(conductor="torso"))


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr("cardiotwin.ecg.electrodes.CONDUCTOR_STEP_MM", 30.0)


@pytest.fixture(scope="module")
def skin():
    """Another body around the same heart."""
    placed = torso_around(HEART, adult_torso("male", 1900.0))
    points, triangles = placed.torso.surface(30.0)
    return pv.PolyData.from_regular_faces(placed.to_lps(points), triangles)


def saved(skin, path):
    skin.save(path)
    return path


def seen(*kinds):
    return [Observation(f"{number:064x}", kind, "", "", "", "", "", "") for number, kind in enumerate(kinds)]


def keys(settings, *kinds):
    plan = planning.planned(stages.path(seen("mesh", "ecg", *kinds)), settings, 0)
    return {one.step.name: one.key for one in plan if one.recipe}


@pytest.mark.parametrize("kinds", [(), ("electrodes",), ("electrodes", "torso")])
def test_the_conductor_is_part_of_the_key_of_the_electrodes_and_of_all_that_uses_them(kinds):
    infinite, torso = keys(Settings(), *kinds), keys(TORSO, *kinds)
    changed = {name for name in torso if torso[name] != infinite[name]}
    after = {"beat of the ensemble", "velocities of the tissue", "simulate", "screen", "induce"}
    assert changed == {"electrodes", "calibrate", *after, "proposed plans", "plan", "compare", "report"}
    assert keys(TORSO, *kinds) == torso


def test_a_torso_that_is_added_makes_the_electrodes_stale_and_the_newest_counts():
    step = next(one for one in stages.path(seen("mesh", "torso", "torso")) if one.name == "electrodes")
    assert step.inputs == {"heart": "mesh", "torso": f"sha256:{2:064x}"}
    assert keys(TORSO)["electrodes"] != keys(TORSO, "torso")["electrodes"]


def work(**chosen):
    return SimpleNamespace(settings=SimpleNamespace(electrodes=ElectrodeSettings(**chosen)))


def test_electrodes_lie_in_the_conductor_that_the_settings_name(skin):
    measured = offset_electrodes(HEART)
    assert take_electrodes(work(), HEART, measured).conductor is None
    assert place_electrodes(work(), HEART).conductor is None
    mean = take_electrodes(work(conductor="torso"), HEART, measured)
    assert mean.conductor.whose == "a mean adult's torso"
    np.testing.assert_array_equal(mean.positions, measured.positions)
    on_skin = place_electrodes(work(conductor="torso", rule="torso", sex="female"), HEART)
    assert on_skin.conductor.moved_mm.max() < 5.0, (
        "this rule places them on that very skin, whose triangles cut corners"
    )
    own = place_electrodes(work(conductor="torso"), HEART, read_torso_of(skin))
    assert own.conductor.whose == "the patient's own torso"
    assert len(own.conductor.triangles) == skin.n_cells


def read_torso_of(skin):
    from cardiotwin.ecg.torso_conductor import TorsoSurface

    return TorsoSurface(np.asarray(skin.points, float), skin.regular_faces)


def test_the_size_of_the_mean_adult_follows_the_settings():
    short, tall = (
        take_electrodes(work(conductor="torso", stature_mm=mm), HEART, offset_electrodes(HEART)) for mm in (1500, 1900)
    )
    assert np.ptp(tall.conductor.points[:, 2]) == pytest.approx(
        19 / 15 * np.ptp(short.conductor.points[:, 2]), rel=1e-6
    )


def test_electrodes_in_a_torso_are_stored_and_read_back_to_the_bit(tmp_path):
    electrodes = in_torso(HEART, torso_electrodes(HEART))
    artefact.write(tmp_path, electrodes)
    again = artefact.read(tmp_path, Electrodes)
    everywhere = np.ones(len(HEART.mesh.tets), bool)
    sigma = np.full((len(everywhere), 3), 0.2)
    before, after = (electrode_weights(HEART, one, sigma, everywhere) for one in (electrodes, again))
    np.testing.assert_array_equal(before, after)
    assert str(again.conductor) == str(electrodes.conductor)


@pytest.mark.parametrize("name", ["torso.stl", "Torso_surface.ply", "patientThorax.vtp", "body skin.vtk"])
def test_a_skin_is_known_by_its_name_and_read_as_it_was_written(tmp_path, skin, name):
    path = saved(skin, tmp_path / name)
    assert recognise(path) == "torso"
    torso, notes = read_torso(path)
    assert notes == ()
    assert len(torso.triangles) == skin.n_cells
    assert len(torso.points) == skin.n_points
    order = np.lexsort(np.round(torso.points, 1).T), np.lexsort(np.round(np.asarray(skin.points, float), 1).T)
    np.testing.assert_allclose(torso.points[order[0]], skin.points[order[1]], atol=1e-3)


def test_triangles_that_share_no_node_are_sewn_together(tmp_path, skin):
    corners = np.asarray(skin.points, float)[skin.regular_faces].reshape(-1, 3)
    apart = pv.PolyData.from_regular_faces(corners, np.arange(len(corners)).reshape(-1, 3))
    assert len(read_torso(saved(apart, tmp_path / "torso.vtp"))[0].points) == skin.n_points


@pytest.mark.parametrize("name", ["epicardium.stl", "lv_endo.stl", "torso_lv_endo.stl", "shape.stl"])
def test_surfaces_of_a_heart_are_no_torso(tmp_path, skin, name):
    assert recognise(saved(skin, tmp_path / name)) == "surfaces"


def test_a_fine_skin_is_thinned_and_told(tmp_path):
    points, triangles = adult_torso().surface(10.0)
    path = saved(pv.PolyData.from_regular_faces(points, triangles), tmp_path / "torso.vtp")
    torso, notes = read_torso(path)
    assert len(triangles) > 10_000 >= len(torso.triangles)
    assert notes == (f"{len(triangles)} triangles thinned to {len(torso.triangles)}",)


def test_what_is_no_closed_skin_in_mm_is_refused_at_the_door(tmp_path, skin):
    opened = skin.extract_cells(np.arange(5, skin.n_cells)).extract_surface(algorithm=None)
    with pytest.raises(InputRejected, match="edges on a rim"):
        read_torso(saved(opened, tmp_path / "torso.stl"))
    with pytest.raises(InputRejected, match=r"torso_m\.stl: found a torso 0\.\d+ long; expected .*Is it in mm"):
        read_torso(saved(skin.scale(0.001), tmp_path / "torso_m.stl"))


def the_heart(work: Work) -> "Heart":  # noqa: F821
    return HEART


def layout(observations):
    """The real electrodes of a heart that is ready."""
    observed = {kind: [f"sha256:{one.sha256}" for one in observations if one.kind == kind] for kind in OBSERVED}
    return Step("mesh", "mesh", the_heart), stages._electrodes(observed["electrodes"], observed["torso"])


def twin_in(folder, settings):
    return Twin.create(folder, presets.settings_text(settings, "test"), layout)


def test_a_twin_says_that_its_electrodes_were_placed_and_how_far_off_they_may_be(tmp_path):
    twin = twin_in(tmp_path / "twin", Settings())
    assert twin.status().electrodes == "", "nothing computed yet"
    twin.run("calibrate")
    spread = twin.result("electrodes").uncertainty_mm
    told = twin.status().electrodes
    assert told.startswith("placed by a rule from the heart, each with a standard deviation of ")
    assert f"of {spread.min():.0f} to {spread.max():.0f} mm: measured ones, as CSV, would narrow" in told
    assert told.endswith("in an infinite conductor")


def test_a_twin_says_what_conducts_and_keeps_a_torso_that_is_added(tmp_path, skin):
    twin = twin_in(tmp_path / "twin", Settings())
    twin.add([electrodes_file(tmp_path, 0.0)])
    twin.run("calibrate")
    assert twin.status().electrodes == "measured; in an infinite conductor"
    told = twin.add([saved(skin, tmp_path / "torso.stl")])
    assert any('used only once `conductor = "torso"`' in note for note in told.notes)
    assert [one.kind for one in told.observations] == ["torso"]
    assert "electrodes" not in twin.run("calibrate").computed, "nothing hangs on it yet"
    assert told.observations[0].sha256 not in twin.status().used_by
    settings = twin.folder / "twin.toml"
    settings.write_text(settings.read_text().replace('conductor = "infinite"', 'conductor = "torso"'))
    twin = Twin(twin.folder, layout)
    assert told.observations[0].sha256 in twin.status().used_by
    assert {one.name: one.because for one in twin.status().steps}["electrodes"].startswith(
        "setting electrodes.conductor"
    )
    twin.run("calibrate")
    assert twin.status().electrodes.startswith(
        f"measured; in the patient's own torso of one conductivity ({skin.n_cells} t"
    )
    assert len(twin.result("electrodes").conductor.transfer) == len(CHEST_MM)
    assert not twin.add([tmp_path / "torso.stl"]).observations, "adding twice is adding once"
