"""Slices shifted by known amounts in a stack whose truth is a tapering, leaning ventricle."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage
from short_axis import affine, truth

from cardiotwin import study
from cardiotwin.ablation import proposals
from cardiotwin.anatomy.scar_variants import other_scars
from cardiotwin.heart.heart import build_heart
from cardiotwin.induction.arrhythmias import Arrhythmias
from cardiotwin.progress import silent
from cardiotwin.provenance import Provenance
from cardiotwin.segmentation import Segmentation, aligned_slices
from cardiotwin.segmentation.alignment import registered
from cardiotwin.settings import Settings
from cardiotwin.storage.ledger import Observation
from cardiotwin.study import Study
from cardiotwin.twin import planning, stage_functions, stages
from cardiotwin.twin.step import Work

PIXEL_MM = 1.6


def stack(n_slices: int = 12) -> Segmentation:
    """Rings that taper towards the apex and drift by a pixel a slice."""
    labels = np.zeros((n_slices, 90, 100), np.uint8)
    rows, columns = np.indices(labels.shape[1:])
    for k in range(1, n_slices - 1):
        cavity = 24 * np.sqrt(1 - (k - 1) / (n_slices - 1))
        apart = np.hypot(rows - 42, columns - 44 - 0.5 * k) * PIXEL_MM
        labels[k][apart < cavity + 9] = 2
        labels[k][apart < cavity] = 1
    labels[4, 30:34, 60:] *= 2  # some core, so that there is something to lose
    labels[labels > 3] = 4
    return Segmentation(labels, affine(), None, True, {})


def shifted(one: Segmentation, moves: dict[int, tuple[int, int]]) -> Segmentation:
    labels = one.labels.copy()
    for k, move in moves.items():
        labels[k] = ndimage.shift(labels[k], move, order=0)
    return Segmentation(labels, one.affine, None, True, {})


def test_a_stack_in_line_stays_as_it_is():
    given = stack()
    found, alignment = aligned_slices(given)
    assert not alignment.shifts.any()
    np.testing.assert_array_equal(found.labels, given.labels)


@pytest.mark.parametrize("move", [(3, 0), (0, -4), (4, 4), (-6, 2)])
@pytest.mark.parametrize("k", [3, 6, 9])
def test_a_shifted_slice_comes_back_to_the_pixel(k, move):
    given = stack()
    found, alignment = aligned_slices(shifted(given, {k: move}))
    expected = np.zeros((12, 2), int)
    expected[k] = [-move[0], -move[1]]
    np.testing.assert_array_equal(alignment.shifts, expected)
    np.testing.assert_array_equal(found.labels, given.labels)


def test_two_slices_far_apart_both_come_back():
    given = stack()
    found, _ = aligned_slices(shifted(given, {3: (5, 0), 8: (0, -5)}))
    np.testing.assert_array_equal(found.labels, given.labels)


def test_a_hand_that_shakes_misleads_seldom_and_little():
    """Up to a pixel (1.6 mm) either way in every slice: one slice in a few stacks is moved that should not be."""
    before, after = [], []
    for seed in range(12):
        shake = np.zeros((12, 2), int)
        shake[1:11] = np.random.default_rng(seed).integers(-1, 2, (10, 2))
        shaken = shifted(stack(), {k: tuple(shake[k]) for k in range(1, 11)})
        shifts = aligned_slices(shaken)[1].shifts
        before.append(np.sqrt((shake**2).mean()))
        after.append(np.sqrt(((shake + shifts) ** 2).mean()))
    assert np.mean(after) <= 1.05 * np.mean(before)
    assert np.mean(np.not_equal(after, before)) <= 0.25


def test_a_short_stack_is_left_alone():
    """The six slices of `short_axis`: four with two neighbours do not tell a shift from a curve."""
    labels = truth()
    labels[3] = ndimage.shift(labels[3], (5, 0), order=0)
    assert not aligned_slices(Segmentation(labels, affine(), None, True, {}))[1].shifts.any()


ALIGNED = Settings(mesh={"edge_mm": 3.0, "align_slices": True}, induce={"scar_thresholds": ((0.3, 0.5),)})
MOVES = {6: (4, 4)}


def scarred(moves: dict[int, tuple[int, int]]) -> Segmentation:
    """The stack with a patch of the wall at 0.6 of the brightest signal, which is moved with the labels."""
    given = stack()
    signal = np.full(given.labels.shape, 0.1, np.float32)
    signal[4:8, 30:50, 60:] = 0.6
    signal[given.labels == 4] = 1.0
    for k, move in moves.items():
        signal[k] = ndimage.shift(signal[k], move, order=0, mode="nearest")
    return replace(shifted(given, moves), signal=signal)


@pytest.fixture(scope="module")
def in_line():
    """The heart of a stack that no breath-hold shifted."""
    return build_heart(scarred({}), ALIGNED.mesh.model_copy(update={"align_slices": False}), progress=silent)


def work_of(step: str) -> Work:
    """With the settings that a step of the path declares."""
    seen = [Observation("0" * 64, "image", "", "", "", "", "", "")]
    reads = next(one.step.settings for one in planning.planned(stages.path(seen), ALIGNED, 0) if one.step.name == step)
    return Work(planning.readable(ALIGNED, reads), Path(), silent, Provenance())


def test_the_heart_of_shifted_slices_is_that_of_slices_in_line(in_line):
    heart = stage_functions.build_heart(work_of("mesh"), scarred(MOVES))
    np.testing.assert_array_equal(heart.mesh.points, in_line.mesh.points)
    np.testing.assert_array_equal(heart.tissue_class, in_line.tissue_class)


@pytest.mark.parametrize("step", ["induce", "compare"])
def test_scar_by_other_thresholds_lies_in_slices_moved_as_for_the_mesh(in_line, step):
    expected = other_scars(in_line, scarred({}), [(0.3, 0.5)], align_slices=False)
    (name,) = expected
    found = stage_functions._other_scars(work_of(step), in_line, scarred(MOVES))
    np.testing.assert_array_equal(found[name].tissue_class, expected[name].tissue_class)
    unmoved = other_scars(in_line, scarred(MOVES), [(0.3, 0.5)], align_slices=False)
    assert (unmoved[name].tissue_class != expected[name].tissue_class).any()


def test_corridors_are_sought_where_the_heart_has_them(in_line, monkeypatch):
    """By proposals and by the page: in slices as they were moved for the mesh."""
    sought = []
    monkeypatch.setattr(
        proposals,
        "proposals_for",
        lambda heart, circuits, settings, given, **_: sought.append(given) or proposals.Proposals((), ()),
    )
    nothing = Arrhythmias(np.zeros((0, 3)), np.zeros(0, np.int32), np.zeros(0, np.int32), (), ())
    stage_functions.propose(work_of("proposed plans"), in_line, nothing, scarred(MOVES))
    monkeypatch.setattr(study, "find_corridors", lambda given: sought.append(given) or ())
    assert Study(in_line, ALIGNED, segmentation=scarred(MOVES)).corridors == ()
    assert len(sought) == 2
    for given in sought:
        np.testing.assert_array_equal(given.labels, scarred({}).labels)


def test_registration_agrees_with_simpleitk():
    rows, columns = np.indices((80, 80))
    fixed = 15.0 - np.hypot((rows - 40) * 1.2, columns - 40)
    moving = 15.0 - np.hypot((rows - 43.4) * 1.2, columns - 38.3)
    ours = registered([moving], [fixed], np.ones(2))
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 200)
    method.SetInitialTransform(SimpleITK.TranslationTransform(2))
    method.SetInterpolator(SimpleITK.sitkLinear)
    pictures = [SimpleITK.GetImageFromArray(one.clip(-6, 6)) for one in (fixed, moving)]
    column, row = method.Execute(*pictures).GetParameters()  # takes fixed points to moving ones
    assert (-row, -column) == pytest.approx((-3.4, 1.7), abs=0.05)
    assert ours == pytest.approx([-row, -column], abs=0.1)
