"""Electrodes that nobody measured: on the torso around a heart, or at offsets from it."""

import dataclasses

import numpy as np
import pytest
from ellipsoid_heart import ellipsoid_heart

from cardiotwin.ecg.electrodes import (
    ELECTRODES,
    Electrodes,
    default_electrodes,
    in_torso,
    landmarks,
    offset_electrodes,
    place,
    placements,
    torso_around,
    torso_at,
    torso_electrodes,
)
from cardiotwin.ecg.forward import electrode_weights
from cardiotwin.heart.heart import LEFT
from cardiotwin.meshes.reference.torso import adult_torso
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.torso import true_electrodes
from cardiotwin.settings import ElectrodeSettings
from cardiotwin.storage import artefact


@pytest.fixture(scope="module")
def heart():
    return ellipsoid_heart(4.0)


def nearest_mm(heart, electrodes):
    return np.linalg.norm(heart.mesh.points[:, None] - electrodes.positions, axis=2).min(axis=0)


def moved(heart, by):
    mesh = dataclasses.replace(heart.mesh, points=heart.mesh.points + by)
    return dataclasses.replace(heart, mesh=mesh)


def test_the_heart_lies_32_mm_behind_the_skin_and_50_mm_left_of_the_midline(heart):
    placed = torso_around(heart, adult_torso())
    points = heart.mesh.points - placed.origin
    ahead = points[:, 1] - placed.torso.front(points[:, 0], points[:, 2])[:, 1]
    assert ahead.min() == pytest.approx(32.0, abs=1e-6)
    left = heart.ventricle == LEFT
    middle = np.average(heart.mesh.centroids[left], axis=0, weights=heart.mesh.volumes[left])
    assert middle[0] - placed.origin[0] == pytest.approx(50.0)
    assert placed.origin[2] - middle[2] == pytest.approx(126.0 * placed.torso.stature_mm / 1610.0)
    assert points[:, 1].max() < 0.0, "in front of the table"


def test_a_torso_is_found_again_from_its_electrodes():
    """Moved, a tenth wider, a fifth longer."""
    torso = adult_torso()
    sites = np.array([landmarks(torso)[name] for name in ELECTRODES])
    origin, stretch = np.array([5.0, 90.0, 130.0]), np.array([1.1, 1.0, 1.2])
    found = torso_at(Electrodes(ELECTRODES, origin + stretch * sites, True))
    np.testing.assert_allclose(found.origin, origin, atol=1e-9)
    np.testing.assert_allclose(found.stretch, stretch, atol=1e-12)
    np.testing.assert_allclose(found.to_lps(sites), origin + stretch * sites, atol=1e-9)
    doll = torso_at(Electrodes(ELECTRODES, 0.1 * sites, True))
    np.testing.assert_array_equal(doll.stretch, 0.75)


@pytest.mark.parametrize("rule", [torso_electrodes, offset_electrodes])
def test_electrodes_go_with_the_heart_and_stay_off_it(heart, rule):
    here, there = rule(heart), rule(moved(heart, [10.0, -200.0, 35.0]))
    np.testing.assert_allclose(there.positions - here.positions, np.tile([10.0, -200.0, 35.0], (10, 1)), atol=1e-6)
    assert (nearest_mm(heart, here) >= 20.0).all()
    assert not here.measured
    assert here.names == ELECTRODES


def test_the_offsets_are_where_a_12_lead_ecg_is_taken_and_grow_with_the_heart(heart):
    """V1 and V2 level at the sternum's edges, V3 midway from V2 to V4, V4 to V6 level and ever more to the left."""
    at = dict(zip(ELECTRODES, offset_electrodes(heart).positions, strict=True))
    assert at["V1"][2] == pytest.approx(at["V2"][2], abs=5.0)
    assert at["V1"][0] < at["V2"][0] < at["V3"][0] < at["V4"][0] < at["V5"][0] < at["V6"][0]
    np.testing.assert_allclose(at["V3"], 0.5 * (at["V2"] + at["V4"]), atol=10.0)
    np.testing.assert_allclose([at["V5"][2], at["V6"][2]], at["V4"][2], atol=5.0)
    assert at["RA"][2] == at["LA"][2] > at["V1"][2] > at["LL"][2] == at["RL"][2]
    centre = heart.mesh.centroids.mean(axis=0)
    smaller = dataclasses.replace(heart.mesh, points=centre + 0.9 * (heart.mesh.points - centre))
    shrunk = offset_electrodes(dataclasses.replace(heart, mesh=smaller)).positions
    size = np.linalg.norm(
        offset_electrodes(heart).positions[None] - offset_electrodes(heart).positions[:, None], axis=2
    )
    less = np.linalg.norm(shrunk[None] - shrunk[:, None], axis=2)
    np.testing.assert_allclose(less, 0.9 * size, rtol=0.02)


def test_every_placed_electrode_says_how_far_off_it_may_be(heart):
    """Wenger & Kligfield 1996: 33 mm off on average at V1, 25 mm at V4; a Gaussian of s is s √(π/2) off."""
    sd = dict(zip(ELECTRODES, torso_electrodes(heart).uncertainty_mm, strict=True))
    for name, inches in (("V1", 1.31), ("V4", 0.98)):
        placing = 25.4 * inches / np.sqrt(np.pi / 2)
        assert placing < sd[name] < placing + 5.0
    assert all(20.0 < value < 40.0 for value in sd.values())
    np.testing.assert_array_equal(default_electrodes(heart).uncertainty_mm, list(sd.values()))


def test_the_settings_choose_the_rule_and_the_torso(heart):
    def at(**chosen):
        return place(heart, ElectrodeSettings(**chosen)).positions

    np.testing.assert_array_equal(at(), default_electrodes(heart).positions)
    np.testing.assert_array_equal(at(rule="torso"), torso_electrodes(heart).positions)
    woman = torso_electrodes(heart, sex="female", stature_mm=1650.0).positions
    np.testing.assert_array_equal(at(rule="torso", sex="female", stature_mm=1650), woman)
    with pytest.raises(ValueError, match=r"stature_mm: found 1\.7, expected 1200 to 2200"):
        at(rule="torso", stature_mm=1.7)


def test_electrodes_are_stored_with_their_uncertainty_and_read_without_one(heart, tmp_path):
    for one in (torso_electrodes(heart), Electrodes(("LA",), np.zeros((1, 3)), True)):
        folder = tmp_path / str(one.measured)
        folder.mkdir()
        artefact.write(folder, one)
        back = artefact.read(folder, Electrodes)
        np.testing.assert_array_equal(back.positions, one.positions)
        assert (back.uncertainty_mm is None) == one.measured
    before = (tmp_path / "True" / "value.json").read_text().replace(',\n "uncertainty_mm": null', "")
    assert "uncertainty" not in before
    (tmp_path / "True" / "value.json").write_text(before)
    assert artefact.read(tmp_path / "True", Electrodes).uncertainty_mm is None, "stored by an earlier version"


def test_the_phantom_has_electrodes_of_its_own():
    """Its truth hangs on no rule of ours: written down here, to the tenth of a millimetre."""
    at = dict(zip(ELECTRODES, true_electrodes(make_anatomy(1), 1).positions, strict=True))
    found = np.round([at["V1"], at["V4"], at["V6"], at["LA"], at["LL"]], 1)
    wanted = [
        [-17.1, -78.5, 12.3],
        [92.9, -57.4, -20.6],
        [168.4, 23.7, -22.5],
        [158.6, -9.7, 126.1],
        [103.6, -47.2, -189.0],
    ]
    np.testing.assert_array_equal(found, wanted)


def test_placements_scatter_as_far_as_they_are_stated_to(heart):
    """All together with the heart's place in the chest, each for itself along the skin, never into the chest wall."""
    electrodes = torso_electrodes(heart)
    drawn = placements(heart, electrodes, 400)
    moved = np.array([one.positions for one in drawn[1:]]) - electrodes.positions
    assert np.array_equal(drawn[0].positions, electrodes.positions)
    assert moved.mean(axis=1).std(axis=0).min() > 8.0
    outward = electrodes.positions - heart.mesh.volumes @ heart.mesh.centroids / heart.mesh.volumes.sum()
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    across = moved - (moved * outward).sum(axis=2, keepdims=True) * outward
    far = [name in ("LA", "RA", "LL", "RL") for name in electrodes.names]
    # Over the two directions of the skin.
    found = np.sqrt(0.5 * (across**2).sum(axis=2).mean(axis=0))
    np.testing.assert_allclose(found[far], electrodes.uncertainty_mm[far], rtol=0.12)
    assert min(nearest_mm(heart, one).min() for one in drawn[:40]) >= 19.9


def test_measured_electrodes_have_one_placement(heart):
    measured = dataclasses.replace(torso_electrodes(heart), measured=True)
    assert placements(heart, measured, 24) == [measured]
    assert len(placements(heart, torso_electrodes(heart), 1)) == 1


def test_the_same_placements_every_time(heart):
    first, second = (placements(heart, torso_electrodes(heart), 3) for _ in range(2))
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(first, second, strict=True))


@pytest.mark.slow
def test_placements_in_a_torso_lie_on_its_skin_and_see_what_electrodes_put_there_see(heart):
    electrodes = in_torso(heart, torso_electrodes(heart))
    drawn = placements(heart, electrodes, 3)
    everywhere = np.ones(len(heart.mesh.tets), bool)
    sigma = np.tile([0.2, 0.05, 0.05], (everywhere.size, 1))
    for one in drawn[1:]:
        assert one.conductor.moved_mm.max() < 1e-6
        put = in_torso(heart, dataclasses.replace(one, conductor=None))
        found, wanted = (electrode_weights(heart, there, sigma, everywhere) for there in (one, put))
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9 * np.abs(wanted).max())
    assert np.abs(drawn[1].positions - drawn[2].positions).max() > 10.0
