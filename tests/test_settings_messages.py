"""A slip in twin.toml is understood where it can only mean one thing, and else named with what was probably meant."""

import pytest

from cardiotwin.errors import SettingsError
from cardiotwin.meshes.reference.torso import STATURES_MM
from cardiotwin.settings import LEAST_STATURE_MM, InduceSettings, Settings, read_settings


def settings_of(folder, text):
    (folder / "twin.toml").write_text(text)
    return read_settings(folder / "twin.toml")


def test_one_label_needs_no_brackets(tmp_path):
    found = settings_of(tmp_path, '[labels]\nlv_blood = 3\nmyocardium = "LV wall"\nrv_blood = [1, 7]').labels
    assert (found.lv_blood, found.myocardium, found.rv_blood) == ((3,), ("LV wall",), (1, 7))
    for wrong in ("3.5", "true"):
        with pytest.raises(SettingsError, match=r"labels\.lv_blood"):
            settings_of(tmp_path, f"[labels]\nlv_blood = {wrong}\nmyocardium = 2")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("[mesh]\nedge_m = 1.0", "`edge_mm`"), ("[mehs]\nedge_mm = 1.0", "`mesh`"), ("[mesh]\nq = 1", None)],
)
def test_an_unknown_key_is_answered_with_the_nearest_one(tmp_path, text, meant):
    with pytest.raises(SettingsError, match="unknown key") as caught:
        settings_of(tmp_path, text)
    assert ("did you mean" in str(caught.value)) == bool(meant)
    assert (meant or "") in str(caught.value)


@pytest.mark.parametrize("stature_mm", [170.0, 1199.0, 2201.0])
def test_a_stature_that_the_torso_does_not_bear_is_refused_when_it_is_read(tmp_path, stature_mm):
    with pytest.raises(SettingsError, match=r"stature_mm.*2200"):
        settings_of(tmp_path, f"[electrodes]\nstature_mm = {stature_mm}")
    assert settings_of(tmp_path, "[electrodes]\nstature_mm = 1200").electrodes.stature_mm == 1200.0
    assert (LEAST_STATURE_MM, 2200.0) == STATURES_MM
    assert Settings().electrodes.stature_mm == 0.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"protocol": "arevalo_2016"},
            "S1 600 ms x 6; S2 from 300 ms in steps of 10 ms to re-entry, loss of capture or 180 ms; S3, S4 likewise",
        ),
        ({"protocol": "fixed_couplings"}, "S1 600 ms x 6; S2 350 ms, S3 300 ms, S4 280 ms, each once"),
        (
            {"s2_search": "bisection", "extra_stimuli": 1, "s1_beats": 2},
            "S1 600 ms x 2; S2 from 300 ms by bisection to re-entry, loss of capture or 180 ms; no S3",
        ),
    ],
)
def test_a_protocol_is_told_as_an_electrophysiologist_says_it(given, words):
    assert InduceSettings(**given).in_words == words
