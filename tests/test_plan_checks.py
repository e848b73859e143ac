"""What a plan burns is counted, and the gaps that a wave may pass are told, where there are any."""

import dataclasses

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.ablation.lesions import Lesion, Plan, ablated_ml
from cardiotwin.ablation.plan_checks import check_plan
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY

THROUGH = 14.0
"""Deeper than the wall."""


@pytest.fixture(scope="module")
def wall():
    """12 mm thick, 40 x 40 mm wide; x runs from endocardium to epicardium."""
    return block_heart((12, 40, 40), 1.0)


def checked(heart, kind, points, depth=THROUGH, **more):
    return check_plan(heart, Plan("mine", (Lesion(kind, np.array(points, float).reshape(-1, 3), 5.0, depth, **more),)))


def pair(apart):
    return [[0, 20 - apart / 2, 20], [0, 20 + apart / 2, 20]]


@pytest.mark.parametrize(("apart", "gap"), [(4, False), (8, False), (16, True), (20, True), (24, False)])
def test_a_gap_is_told_between_points_that_are_near_enough_to_be_meant_as_one_line(wall, apart, gap):
    notes = checked(wall, "point", pair(apart)).notes
    assert any("gap between neighbouring points" in note for note in notes) == gap


def test_the_gaps_width_is_what_the_lesions_do_not_cover(wall):
    note = checked(wall, "point", pair(18)).notes[0]
    width = float(note.split("the widest ")[1].split(" mm")[0])
    assert width == pytest.approx(18 - 2 * 5, abs=1.5)
    assert "between point 1 of lesion 1 (point) and point 2" in note


def test_core_between_points_is_no_gap(wall):
    y = wall.mesh.centroids[:, 1]
    scarred = dataclasses.replace(wall, tissue_class=np.where(np.abs(y - 20) < 5, CORE, HEALTHY).astype(np.uint8))
    assert checked(scarred, "point", pair(18)).notes == ()


@pytest.mark.parametrize(
    ("depth", "share", "left"), [(THROUGH, 1.0, 0.0), (4.0, 1.0, 8.0), (8.0, 1.0, 4.0), (THROUGH, 0.5, 5.0)]
)
def test_what_is_left_below_a_line_is_told_in_mm(wall, depth, share, left):
    notes = checked(wall, "line", [[0, 12, 20], [0, 28, 20]], depth, completeness=share).notes
    assert len(notes) == (left > 0)
    if left:
        assert "not transmural: below 100% of it" in notes[0]
        assert float(notes[0].split("up to ")[1].split(" mm")[0]) == pytest.approx(left, abs=1.0)


def test_a_line_that_jumps_from_one_surface_to_the_other_is_told(wall):
    notes = checked(wall, "line", [[0, 20, 20], [12, 20, 20]]).notes
    assert any("leaves the surface and comes back" in note for note in notes)


def test_healthy_muscle_and_border_zone_are_counted_apart(wall):
    half = dataclasses.replace(
        wall, tissue_class=np.where(wall.mesh.centroids[:, 1] < 20, BORDER_ZONE, HEALTHY).astype(np.uint8)
    )
    found = checked(half, "patch", [0, 23, 20])
    assert found.healthy_ml > 2 * found.border_zone_ml > 0
    lesion = Lesion("patch", np.array([[0.0, 23, 20]]), 5.0, THROUGH)
    assert found.healthy_ml + found.border_zone_ml == pytest.approx(ablated_ml(half, Plan("mine", (lesion,)))[1])


def test_the_surface_of_a_patch_is_that_of_its_disc(wall):
    assert checked(wall, "patch", [0, 20, 20], 4.0).surface_cm2 == pytest.approx(np.pi * 25e-2, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "points", "count"),
    [("point", pair(8), 2), ("point", [*pair(8), pair(8)[0]], 2), ("line", pair(20), 5), ("patch", pair(0), 1)],
)
def test_applications_are_points_or_what_covers_the_rest(wall, kind, points, count):
    assert checked(wall, kind, points, 4.0).applications == count


def test_border_zone_takes_about_the_discs_of_its_area(wall):
    c = wall.mesh.centroids
    tissue_class = np.where((c[:, 0] < 3) & (np.abs(c[:, 1:] - 20) < 10).all(axis=1), BORDER_ZONE, HEALTHY)
    scarred = dataclasses.replace(wall, tissue_class=tissue_class.astype(np.uint8))
    assert 20 * 20 / (np.pi * 25) < checked(scarred, "homogenise", []).applications <= 12
