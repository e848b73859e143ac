"""A setting that was changed and that nothing reads for the inputs at hand is told, by the steps' own declarations."""

import pytest

from cardiotwin.presets import preset
from cardiotwin.settings import Settings
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin import planning, stages


def idle(kinds, **sections):
    observations = [Observation(f"{k:064x}", kind, "", "", "", "", "", "") for k, kind in enumerate(kinds)]
    return planning.without_effect(stages.path(observations), Settings.model_validate(sections))


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (["label_map"], ("segment.core_threshold",)),
        (["label_map", "ecg"], ("segment.core_threshold",)),
        (["mesh"], ("segment.core_threshold",)),
        (["image"], ()),
        ([], ()),
    ],
)
def test_thresholds_of_scar_do_nothing_where_a_label_map_or_a_mesh_says_it(kinds, told):
    assert idle(kinds, segment={"core_threshold": 0.55}) == told


def test_what_waits_for_an_input_may_come_to_be_read():
    assert idle(["label_map"], calibrate={"n_sites": 3}) == ()
    assert idle(["label_map", "ecg"], calibrate={"n_sites": 3}) == ()


@pytest.mark.parametrize("name", ["default", "demo", "full"])
def test_of_a_preset_everything_is_read_and_how_many_workers_is_no_matter(name):
    told = preset(name).model_dump()
    told["induce"]["workers"] = 3
    assert idle(["image", "ecg", "electrodes"], **told) == ()


def test_where_a_ventricle_is_thick_is_read_by_the_mesh_even_of_a_label_map():
    assert idle(["label_map"], segment={"rv_wall_mm": 4.0}) == ()
