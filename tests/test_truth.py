"""Comparing with the truth: perfect answers score perfectly, known errors score as known."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.errors import InputRejected
from cardiotwin.phantom import write_labels
from cardiotwin.phantom.anatomy import Anatomy
from cardiotwin.phantom.truth import PARTS, best_correlation, compare_with_truth, dice, distance_to_line
from cardiotwin.segmentation import BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, RV_BLOOD, Segmentation

SITE_MM = [10.0, 20.0, 30.0]


def segmentation(shift=0):
    """A striped block; `shift` moves it by voxels along the columns."""
    labels = np.zeros((4, 10, 30), np.uint8)
    for k, label in enumerate((LV_BLOOD, MYOCARDIUM, BORDER_ZONE, CORE, RV_BLOOD)):
        labels[1:3, 2:8, 2 + 4 * k + shift : 6 + 4 * k + shift] = label
    affine = np.array([[0.0, 1.5, 0, -7], [-1.5, 0, 0, 11], [0, 0, 8, 3], [0, 0, 0, 1.0]])
    return Segmentation(labels, affine, None, True, {})


@pytest.fixture
def folder(tmp_path):
    whole = segmentation()
    write_labels(tmp_path / "truth_labels.nii.gz", whole)
    ml = {part: float(np.isin(whole.labels, codes).sum() * 18 / 1000) for part, codes in PARTS.items()}
    truth = {
        "seed": 7,
        "anatomy": asdict(Anatomy()),
        "volume_ml": ml,
        "velocities_m_per_s": {"fibre": 0.6, "cross": 0.3, "endocardium": None},
        "sites": [{"name": "one", "position_mm": SITE_MM, "time_ms": 4.0}],
        "corridor": {"centre_line_mm": [[0, 0, 0], [0, 0, 20]], "middle_mm": [0, 0, 10]},
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    np.savez(tmp_path / "truth_fields.npz", points_mm=np.zeros((1, 3)), activation_ms=np.zeros(1))
    return tmp_path


def test_the_truth_itself_is_found_without_error(folder):
    answer = compare_with_truth(folder, segmentation=segmentation())["segmentation"]
    for part in PARTS:
        assert answer[part]["dice"] == 1.0
        assert answer[part]["error_percent"] == pytest.approx(0)


def test_dice_falls_with_the_part_that_is_missed(folder):
    """A stripe four voxels wide, one voxel off: three of four overlap."""
    answer = compare_with_truth(folder, segmentation=segmentation(shift=1))["segmentation"]
    assert answer["lv_blood"]["dice"] == pytest.approx(3 / 4)
    assert answer["myocardium"]["dice"] == pytest.approx(11 / 12)
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) is None


def test_grids_need_not_be_the_same(folder):
    """The same tissue on a grid with its columns reversed and halved in size has the same overlap and volume."""
    whole = segmentation()
    flip = np.array([[-0.5, 0, 0, 29.25], [0, -0.5, 0, 9.25], [0, 0, 1, 0], [0, 0, 0, 1]])
    fine = whole.labels[:, ::-1, ::-1].repeat(2, axis=1).repeat(2, axis=2)
    answer = compare_with_truth(folder, segmentation=Segmentation(fine, whole.affine @ flip, None, True, {}))
    assert all(part["dice"] == 1.0 for part in answer["segmentation"].values())
    assert answer["segmentation"]["core"]["error_percent"] == pytest.approx(0)


def posterior(offset_mm, fibre):
    n_members = 5
    positions = np.tile(np.array([SITE_MM, [99.0, 0, 0]]), (n_members, 1, 1))
    positions[:, 0] += [offset_mm, 0, 0]
    return Posterior(
        weights=np.full(n_members, 0.2),
        velocity_fibre=fibre + np.linspace(-0.02, 0.02, n_members),
        velocity_cross=np.full(n_members, 0.3),
        velocity_endocardium=np.full(n_members, np.nan),
        site_positions=positions,
        site_times_ms=np.tile([5.5, 0.0], (n_members, 1)),
        correlation=np.full(n_members, 0.9),
        leads=("I",),
        qrs_ms=np.arange(3.0),
        measured=np.zeros((1, 3)),
        fitted=np.zeros((n_members, 1, 3)),
        notes={},
    )


@pytest.mark.parametrize(("fibre", "inside"), [(0.61, True), (0.70, False)])
def test_an_interval_holds_the_truth_or_not(folder, fibre, inside):
    answer = compare_with_truth(folder, posterior=posterior(0.0, fibre))["velocities"]
    assert answer["fibre"]["truth_inside"] is inside
    assert answer["fibre"]["error_percent"] == pytest.approx(100 * (fibre / 0.6 - 1))
    assert "endocardium" not in answer


def test_a_site_is_as_far_as_the_nearest_of_each_member(folder):
    (site,) = compare_with_truth(folder, posterior=posterior(3.0, 0.6))["activation_sites"]
    assert site["distance_mm"] == pytest.approx(3.0)
    assert (site["time_truth_ms"], site["time_found_ms"]) == (4.0, 5.5)


def test_a_circuit_is_measured_from_the_corridor(folder):
    circuit = SimpleNamespace(cycle_length_ms=300.0, isthmus_mm=np.array([3.0, 4.0, 2.0]))
    found = SimpleNamespace(circuits=(circuit,))
    (answer,) = compare_with_truth(folder, arrhythmias=found)["circuits"]
    assert answer["isthmus_to_corridor_mm"] == pytest.approx(5.0)
    assert answer["isthmus_to_middle_mm"] == pytest.approx(np.sqrt(25 + 64))
    assert distance_to_line(np.array([0.0, 0, 23]), np.array([[0.0, 0, 0], [0, 0, 20]])) == pytest.approx(3.0)


def test_activation_is_wrong_by_what_is_left_when_the_means_agree(folder):
    """20 ms late as a whole, half of the nodes 3 ms more and half 3 ms less: wrong by 3 ms.

    Nodes far from every point that is known, and those never activated here or there, are not compared.
    """
    heart = block_heart((3, 3, 12), 2.0)
    x, z = heart.mesh.points[:, 0], heart.mesh.points[:, 2]
    known = z <= 16.0
    true = np.where(z == 2.0, np.inf, 5.0 + 10.0 * z)
    found = 25.0 + 10.0 * z + np.where(x % 4.0 == 0.0, 3.0, -3.0)
    found[(z == 0.0) | (z == 18.0)], found[z >= 20.0] = np.nan, 1e3
    shuffled = np.flatnonzero(known)[::-1]
    np.savez(folder / "truth_fields.npz", points_mm=heart.mesh.points[shuffled], activation_ms=true[shuffled])
    answer = compare_with_truth(folder, heart=heart, confirmed=SimpleNamespace(activation_ms=found[None]))["activation"]
    assert answer["compared_nodes"] == 4 * 4 * 7
    assert answer["mean_absolute_error_ms"] == pytest.approx(3.0)
    assert 0.99 < answer["correlation"] < 1.0


def test_a_shifted_and_scaled_qrs_is_recognised():
    time = np.arange(0.0, 400.0)
    true = np.stack([np.exp(-0.5 * ((time - at) / 10) ** 2) for at in (120.0, 140.0)])
    later = 3.0 * np.stack([np.interp(np.arange(0.0, 400.0, 2.0) - 17.0, time, lead) for lead in true])
    answer = best_correlation(true, 1.0, later, 2.0)
    assert answer["confirming_run_shift_ms"] == 17.0
    assert answer["confirming_run_correlation"] > 0.999
    assert best_correlation(true, 1.0, -later, 2.0)["confirming_run_correlation"] < 0.5


def test_no_truth_is_said_in_one_line(tmp_path):
    with pytest.raises(InputRejected, match="no readable truth"):
        compare_with_truth(tmp_path)
