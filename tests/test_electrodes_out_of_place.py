"""Named electrodes where no body has them are refused at `add`, and far from the heart when there is one."""

from types import SimpleNamespace

import numpy as np
import pytest
from data_folder import real_data
from ellipsoid_heart import ellipsoid_heart
from small_twin import CHEST_MM

from cardiotwin import presets
from cardiotwin.ecg.electrodes import (
    ELECTRODES,
    Electrodes,
    check_around,
    landmarks,
    offset_electrodes,
    torso_electrodes,
)
from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import Heart
from cardiotwin.ingest import electrodes_and_notes, read_electrodes
from cardiotwin.meshes.reference.torso import adult_torso
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.torso import true_electrodes
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin.stage_functions import take_electrodes
from cardiotwin.twin.stages import path as steps_of
from cardiotwin.twin.step import Step, Work
from cardiotwin.twin.twin import Twin

ALL = {**CHEST_MM, "RL": (-150, -30, -240)}
REVERSED = {f"V{number}": f"V{7 - number}" for number in range(1, 7)}


@pytest.fixture(scope="module")
def heart():
    return ellipsoid_heart(4.0)


def table(folder, at):
    rows = "".join(f"{name},{x},{y},{z}\n" for name, (x, y, z) in at.items())
    (folder / "mine.csv").write_text(f"name,x_mm,y_mm,z_mm\n{rows}")
    return folder / "mine.csv"


def renamed(names):
    return {names.get(name, name): at for name, at in ALL.items()}


def times(*signs):
    return {name: tuple(np.multiply(at, signs)) for name, at in ALL.items()}


@pytest.mark.parametrize(
    ("at", "found", "advice"),
    [
        (times(-1, -1, 1), "LA at x = .* to the right of RA", "RAS: give LPS, x and y times -1"),
        (times(-1, 1, 1), "LA at x = .* to the right of RA", "mirrored: give LPS, x times -1"),
        (times(1, 1, -1), "LL at z = .* not below the arms", "Correct the names or signs; LPS"),
        (times(1, -1, 1), "V1 and V2 at y = .* behind V6", "Correct the names or signs; LPS"),
        (renamed({"LA": "RA", "RA": "LA"}), "LA at x = .* to the right of RA", "Write LA for RA and RA for LA"),
        (renamed({"LL": "RL", "RL": "LL"}), "LL at x = .* to the right of RL", "Write LL for RL and RL for LL"),
        (renamed(REVERSED), "V1 and V2 at y = .* behind V6", r"Write V6 \.\.\. V1 for V1 \.\.\. V6"),
        (renamed({"LA": "LL", "LL": "LA"}), "LL at z = .* not below the arms", "Write LL for LA and LA for LL"),
        (renamed({"V1": "V2", "V2": "V1"}), "V2 to the right of V1, by 1. degrees", "Write V2 for V1 and V1 for V2"),
        (renamed({"V2": "V5", "V5": "V2"}), "V5 to the right of V2, by .* degrees", "Correct the names or signs; LPS"),
    ],
)
def test_names_that_their_places_belie_are_refused_with_what_to_do(tmp_path, at, found, advice):
    with pytest.raises(InputRejected, match=rf"^mine\.csv: found {found}.*expected in LPS.*{advice}[^\n]*$"):
        read_electrodes(table(tmp_path, at))


def without_right_leg(at):
    return {name: place for name, place in at.items() if name != "RL"}


@pytest.mark.parametrize(
    ("at", "advice"),
    [
        (times(-1, -1, 1), "These are RAS"),
        (renamed({"LA": "RA", "RA": "LA"}), "Write LA for RA and RA for LA"),
        (renamed({"V1": "V2", "V2": "V1"}), "Write V2 for V1 and V1 for V2"),
        (times(1, 1, -1), "Correct the names or signs"),
    ],
)
def test_without_the_right_leg_the_same_holds(tmp_path, at, advice):
    with pytest.raises(InputRejected, match=advice):
        read_electrodes(table(tmp_path, without_right_leg(at)))


@pytest.mark.parametrize("sex", ["male", "female"])
@pytest.mark.parametrize("stature_mm", [1450.0, 2000.0])
def test_the_landmarks_of_small_and_tall_pass_without_a_word(tmp_path, sex, stature_mm):
    electrodes, notes = electrodes_and_notes(table(tmp_path, landmarks(adult_torso(sex, stature_mm))))
    assert (electrodes.names[0], notes) == ("LA", ())


@pytest.mark.parametrize(
    "odd",
    [
        {"LA": (300, 20, -250), "RA": (-300, 20, -250), "LL": (90, 0, -400), "RL": (-90, 0, -400)},  # arms hanging
        {"LA": (80, -40, 100), "RA": (-90, -40, 100), "LL": (100, -40, -90), "RL": (-100, -40, -90)},  # Mason, Likar
        {"V1": (-65, -80, 70), "V2": (-25, -82, 70)},  # the second intercostal space
        {"V5": (70, -60, -90), "V6": (105, 0, -100)},  # below a breast
        {"V6": (60, 70, -28)},  # on the back
        {"RL": (-120, -50, -30)},  # the ground anywhere on the right
    ],
)
def test_unusual_places_that_exist_pass(tmp_path, odd):
    assert electrodes_and_notes(table(tmp_path, ALL | odd))[1] == ()


def test_a_chest_electrode_a_little_out_of_turn_is_taken_and_told(tmp_path):
    x, y, z = ALL["V3"]
    electrodes, notes = electrodes_and_notes(table(tmp_path, ALL | {"V3": (x - 45.0, y, z)}))
    assert len(electrodes.names) == 10
    assert [note.partition(" lies ")[0] for note in notes] == ["V3"]
    assert "to the right of V2: taken so" in notes[0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_phantom_passes_by_name_and_around_its_heart(tmp_path, heart, seed):
    electrodes = true_electrodes(anatomy := make_anatomy(seed), seed)
    assert (
        electrodes_and_notes(table(tmp_path, dict(zip(electrodes.names, electrodes.positions, strict=True))))[1] == ()
    )
    here = 0.5 * (np.asarray(anatomy.base_centre_mm) + anatomy.apex_mm) - heart.mesh.points.mean(axis=0)
    check_around(heart, Electrodes(electrodes.names, electrodes.positions - here, True))


@pytest.mark.parametrize("size", [0.6, 1.0, 1.5])
def test_both_rules_pass_by_name_and_around_small_and_large_hearts(tmp_path, size):
    other = ellipsoid_heart(5.0, size)
    for electrodes in (torso_electrodes(other), torso_electrodes(other, stature_mm=2000.0), offset_electrodes(other)):
        check_around(other, electrodes)
        at = dict(zip(electrodes.names, electrodes.positions, strict=True))
        assert electrodes_and_notes(table(tmp_path, at))[1] == ()


def test_the_real_subjects_pass_by_name_and_around_their_heart(tmp_path, heart):
    real = real_data("heart_dti004", "geometric_data", "DTI004", "DTI004_electrode_xyz.csv")
    at_mm = 10.0 * np.loadtxt(real, delimiter=",")
    electrodes, notes = electrodes_and_notes(table(tmp_path, dict(zip(ELECTRODES, at_mm, strict=True))))
    assert notes == ()
    nodes = 10.0 * np.loadtxt(real.parent / "DTI004_coarse" / "DTI004_coarse_xyz.csv", delimiter=",")
    moved = electrodes.positions - nodes.mean(axis=0) + heart.mesh.points.mean(axis=0)
    check_around(heart, Electrodes(ELECTRODES, moved, True))


@pytest.mark.parametrize(
    ("by", "found"),
    [
        ((500.0, 0.0, 0.0), r"their middle 4\d\d mm from the heart's \(\+4\d\d left"),
        ((0.0, 0.0, 400.0), r"their middle 3\d\d mm from the heart's .* up\)"),
        ((0.0, -140.0, 0.0), r"none of V1 to V6 nearer than 1\d\d mm"),
    ],
)
def test_electrodes_far_from_the_heart_are_refused_with_the_distance(heart, by, found):
    electrodes = Electrodes(ELECTRODES, offset_electrodes(heart).positions + by, measured=True)
    with pytest.raises(InputRejected, match=rf"^electrodes: found {found}[^\n]*expected[^\n]*LPS[^\n]*$"):
        take_electrodes(SimpleNamespace(), heart, electrodes)  # refused before any setting is read


def test_a_heart_that_is_there_is_asked_before_any_calibration():
    seen = [Observation("0" * 64, "electrodes", "", "", "", "", "", "2026-01-01T00:00:00+00:00")]
    (step,) = (step for step in steps_of(seen) if step.name == "electrodes")
    assert (step.function, step.inputs["heart"]) == (take_electrodes, "mesh")


def of_twin(work: Work) -> Heart:
    return ellipsoid_heart(4.0)


@pytest.fixture
def twin(tmp_path):
    steps = (Step("mesh", "mesh", of_twin, {}, ("mesh",)),)
    return Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""), lambda _: steps)


def test_at_add_they_are_held_against_the_heart_of_the_twin_when_there_is_one(twin, tmp_path, heart):
    near = dict(zip(ELECTRODES, offset_electrodes(heart).positions, strict=True))
    far = {name: (x + 500.0, y, z) for name, (x, y, z) in near.items()}
    (tmp_path / "far").mkdir()
    (taken,) = twin.add([table(tmp_path / "far", far)]).observations  # no heart yet to hold them against
    twin.remove(taken.sha256)
    twin.run()
    with pytest.raises(InputRejected, match=r"their middle 4\d\d mm from the heart's"):
        twin.add([table(tmp_path / "far", {name: (x + 1.0, y, z) for name, (x, y, z) in far.items()})])
    assert twin.status().observations == ()
    assert len(twin.add([table(tmp_path, near)]).observations) == 1
