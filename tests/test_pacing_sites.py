"""A heart is paced from where the protocol says: a segment, a coordinate, a point; never from scar."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.heart.heart import CORE, HEALTHY, LV_ENDOCARDIUM, RV_ENDOCARDIUM
from cardiotwin.heart.locations import left_ventricle
from cardiotwin.heart.pacing_sites import BELOW_BASE, healthy_endocardium, sites_of_protocol
from cardiotwin.heart.segments import NAMES, heart_segments, segments
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import InduceSettings, PacingSite, pacing_site, read_protocol

SEVENTEEN = tuple(f"AHA {number}" for number in range(1, 18))


@pytest.fixture(scope="module")
def scarred():
    """Both ventricles of the phantom, with its infarct."""
    return true_heart(make_anatomy(0), 2.5)


@pytest.fixture(scope="module")
def heart(scarred):
    """The same without scar."""
    return replace(scarred, tissue_class=np.full_like(scarred.tissue_class, HEALTHY))


def sites(heart, *names):
    return sites_of_protocol(heart, InduceSettings(sites=names))


def test_each_segment_is_paced_within_itself_on_its_endocardium(heart):
    nodes = sites(heart, *SEVENTEEN)
    assert segments(heart.coordinates)[nodes].tolist() == list(range(1, 18))
    assert np.isin(nodes, heart.surface_nodes(LV_ENDOCARDIUM)).all()
    assert (heart.apicobasal[nodes] < BELOW_BASE).all()


def test_sites_lie_where_the_names_of_their_segments_say(heart):
    """By the axes of the left ventricle, which know nothing of ventricular coordinates."""
    axes, where = left_ventricle(heart), heart.mesh.points[sites(heart, *SEVENTEEN)]
    out = where - axes.centre
    anterior, septal, height = out @ axes.anterior, out @ axes.septal, out @ axes.axis
    for number, name in enumerate(NAMES):
        if name.endswith("anterior"):
            assert anterior[number] > 10.0
        if name.endswith("inferior"):
            assert anterior[number] < -10.0
        if "septal" in name:
            assert septal[number] > 5.0
        if "lateral" in name:
            assert septal[number] < -5.0
    assert height[:6].min() > height[6:12].max()
    assert height[6:12].min() > height[[12, 14, 15, 16]].max()
    assert out[16] @ axes.axis < -20.0


def test_the_right_ventricle_is_paced_at_its_apex_and_outflow(heart):
    apex, outflow = sites(heart, "right apex", "Right Outflow")
    right = heart.surface_nodes(RV_ENDOCARDIUM)
    assert np.isin([apex, outflow], right).all()
    assert heart.apicobasal[apex] == heart.apicobasal[right].min()
    axes = left_ventricle(heart)
    height, anterior = ((heart.mesh.points[right] - axes.centre) @ axis for axis in (axes.axis, axes.anterior))
    out = heart.mesh.points[outflow] - axes.centre
    assert out @ axes.axis > np.quantile(height, 0.6)
    assert out @ axes.anterior > np.quantile(anterior, 0.75)


@pytest.mark.parametrize("side", ["left", "right"])
def test_coordinates_are_those_asked_for(heart, side):
    for apicobasal, rotational in ((0.3, 0.2), (0.6, 0.55), (0.5, 0.01)):
        node = sites(heart, f"{side} {apicobasal} {rotational}")[0]
        assert heart.coordinates.apicobasal[node] == pytest.approx(apicobasal, abs=0.05)
        turn = abs(heart.coordinates.rotational[node] - rotational)
        assert min(turn, 1.0 - turn) < 0.04


def test_a_point_is_the_nearest_endocardium_and_not_of_another_heart(heart):
    node = int(healthy_endocardium(heart)[40])
    point = heart.mesh.points[node]
    assert sites(heart, ", ".join(f"{x:.4f}" for x in point))[0] == node
    scar = (np.linalg.norm(heart.mesh.centroids - point, axis=1) < 4.0) * (CORE - HEALTHY) + HEALTHY
    scarred = replace(heart, tissue_class=scar.astype(np.uint8))
    moved = sites(scarred, ", ".join(f"{x:.4f}" for x in point))
    assert not np.isin(moved, np.unique(heart.mesh.tets[scar == CORE])).any()
    with pytest.raises(SettingsError, match=r"'900 0 0' lies \d+ mm from the endocardium \(limit 10 mm\)"):
        sites(heart, "900 0 0")


def test_no_site_touches_scar_and_one_that_moves_far_is_told(scarred, caplog):
    caplog.set_level(logging.WARNING)
    nodes = sites(scarred, *SEVENTEEN)
    scar = np.unique(scarred.mesh.tets[scarred.tissue_class != HEALTHY])
    assert not np.isin(nodes, scar).any()
    septum = np.isin(heart_segments(scarred), (2, 3, 8, 9, 14))
    whole = replace(scarred, tissue_class=np.where(septum, CORE, HEALTHY).astype(np.uint8))
    caplog.clear()
    node = sites(whole, "AHA 8")[0]
    assert segments(scarred.coordinates)[node] not in (2, 3, 8, 9, 14)
    assert "site 'AHA 8' is paced" in caplog.text


def test_two_names_of_one_place_are_paced_once(heart, caplog):
    point = " ".join(f"{x:.4f}" for x in heart.mesh.points[sites(heart, "AHA 7")[0]])
    assert len(sites(heart, "AHA 7", point)) == 1
    assert "1 of 2 pacing sites fall on another one" in caplog.text


def test_a_right_apex_in_scar_is_paced_beside_it(heart, caplog):
    apex = heart.mesh.points[sites(heart, "right apex")[0]]
    away = np.linalg.norm(heart.mesh.centroids - apex, axis=1)
    scarred = replace(heart, tissue_class=np.where(away < 15.0, CORE, HEALTHY).astype(np.uint8))
    moved = np.linalg.norm(heart.mesh.points[sites(scarred, "right apex")[0]] - apex)
    assert 13.0 < moved < 20.0
    assert "site 'right apex' is paced" in caplog.text


def test_a_heart_without_right_ventricle_or_coordinates_says_which_site_it_lacks(heart, caplog):
    left = replace(heart, surface=np.where(heart.surface == RV_ENDOCARDIUM, 1, heart.surface))
    assert len(sites(left, "AHA 1", "right apex", "right 0.5 0.2")) == 1
    assert "no site 'right apex': this heart has no right ventricular endocardium" in caplog.text
    with pytest.raises(QualityGate, match="none of the 1 pacing sites is in this heart"):
        sites(left, "right apex")
    touching = np.isin(heart.mesh.tets, heart.surface_nodes(RV_ENDOCARDIUM)).any(axis=1)
    dead = replace(heart, tissue_class=np.where(touching, CORE, HEALTHY).astype(np.uint8))
    with pytest.raises(SettingsError, match="'right apex': no healthy endocardium on that side"):
        sites(dead, "AHA 1", "right apex")
    with pytest.raises(SettingsError, match="'AHA 1': this heart has no ventricular coordinates"):
        sites(replace(heart, coordinates=None), "AHA 1")
    block = block_heart((3, 3, 3), 1.0)
    with pytest.raises(QualityGate, match="no healthy endocardium"):
        sites(replace(block, tissue_class=np.full_like(block.tissue_class, CORE)), "0 0 0")


@pytest.mark.parametrize(
    "name", ["AHA 0", "AHA 18", "AHA 1_0", "aha", "left 0.5", "left 1.2 0.5", "1 2", "1 2 inf", "apex", ""]
)
def test_what_names_no_place_is_refused_with_what_does(name, tmp_path):
    with pytest.raises(ValueError, match="expected 'AHA 1' to 'AHA 17', 'right apex'"):
        pacing_site(name)
    file = tmp_path / "protocol.toml"
    file.write_text(f'sites = ["AHA 1", "{name}"]\n')
    with pytest.raises(SettingsError, match=r"protocol\.toml: .*sites: found '"):
        read_protocol(file)


@pytest.mark.parametrize("name", ["AHA 8", "aha8", "AHA-8", "AHA_8", " AHA 08 "])
def test_a_segment_is_named_as_people_write_it(name):
    assert pacing_site(name) == PacingSite("aha", "left", (8,))


def test_one_segment_in_two_spellings_is_one_site_twice():
    with pytest.raises(ValueError, match="found one twice"):
        InduceSettings(sites=("AHA 8", "AHA8"))


def test_a_published_protocol_decides_its_keys_and_leaves_the_others(tmp_path):
    file = tmp_path / "protocol.toml"
    file.write_text('protocol = "arevalo_2016"\nn_draws = 3\ns1_beats = 2\n')
    found = read_protocol(file)
    assert len(found.sites) == 19
    assert (found.s1_beats, found.s1_cycle_length_ms, found.s2_first_ms, found.extra_stimuli) == (6, 600.0, 300.0, 3)
    assert found.n_draws == 3
    assert (found.s2_step_ms, found.s2_last_ms, found.s2_search) == (10.0, 180.0, "decrement")
    fixed = InduceSettings(protocol="fixed_couplings", sites=("AHA 1",))
    assert len(fixed.sites) == 17
    assert (fixed.s2_search, fixed.fixed_couplings_ms, fixed.extra_stimuli) == ("fixed", (350.0, 300.0, 280.0), 3)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sites": ("AHA 1", "aha 1")}, "found one twice"),
        ({"s2_last_ms": 400.0}, "s2_last_ms: found 400, expected at most s2_first_ms = 300"),
        ({"s2_search": "fixed", "fixed_couplings_ms": (300.0,)}, "found 300, expected one for each of 2"),
        ({"s2_search": "fixed", "fixed_couplings_ms": (300.0, 120.0)}, "from s2_last_ms = 180 to s1_cycle_length_ms"),
        ({"s2_search": "fixed", "fixed_couplings_ms": (300.0, float("nan"))}, "found 300, nan"),
        ({"s2_search": "fixed", "fixed_couplings_ms": ()}, "found none"),
    ],
)
def test_impossible_intervals_are_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        InduceSettings(**keys)
