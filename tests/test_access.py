"""A plan says from which surface it is burnt, in which segments, and how far its points were moved to lie there."""

from types import SimpleNamespace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.ablation.lesions import Lesion, Plan
from cardiotwin.ablation.plan_checks import PlanCheck, check_plan
from cardiotwin.heart.heart import EPICARDIUM, LV_ENDOCARDIUM, RV_ENDOCARDIUM
from cardiotwin.heart.segments import heart_segments
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.provenance import Provenance
from cardiotwin.settings import Settings
from cardiotwin.twin.stage_functions import as_study


@pytest.fixture(scope="module")
def wall():
    """12 mm thick, 40 x 40 mm wide; x runs from endocardium to epicardium."""
    return block_heart((12, 40, 40), 1.0)


@pytest.fixture(scope="module")
def heart():
    """Both ventricles of the phantom, with its infarct."""
    return true_heart(make_anatomy(0), 2.5)


def checked(heart, kind, points=(), depth=6.0, **more) -> PlanCheck:
    return check_plan(
        heart, Plan("mine", (Lesion(kind, np.reshape(points, (-1, 3)).astype(float), 5.0, depth, **more),))
    )


@pytest.mark.parametrize(
    ("places", "where"),
    [
        ([[0, 15, 20]], "left endocardium"),
        ([[12, 15, 20]], "epicardium"),
        ([[0, 15, 20], [0, 25, 20], [12, 20, 20]], "left endocardium (67%) and epicardium (33%)"),
    ],
)
def test_points_are_on_the_surface_they_are_nearest_to(wall, places, where):
    found = checked(wall, "point", places)
    assert found.access == (f"lesion 1 (point): {where}",)
    assert any("takes an access to each" in note for note in found.notes) == ("and" in where)


def test_a_line_over_both_surfaces_takes_two_accesses(wall):
    found = checked(wall, "line", [[0, 12, 20], [0, 28, 20], [12, 28, 20]])
    assert "lesion 1 (line): on left endocardium and epicardium: takes an access to each" in found.notes


@pytest.mark.parametrize(("off_mm", "told", "warned"), [(0.0, False, False), (3.0, True, False), (7.5, True, True)])
def test_how_far_points_were_moved_is_told_and_from_5_mm_on_asked_about(wall, off_mm, told, warned):
    found = checked(wall, "point", [[-off_mm, 20, 20]])
    assert (f"moved by up to {off_mm:.1f} mm" in found.access[0]) == told
    assert any(f"a point {off_mm:.1f} mm off" in note for note in found.notes) == warned


@pytest.mark.parametrize("surface", [LV_ENDOCARDIUM, RV_ENDOCARDIUM, EPICARDIUM])
def test_in_a_heart_the_segment_is_told_of_what_it_burns(heart, surface):
    nodes = np.setdiff1d(heart.surface_nodes(surface), heart.surface_nodes(*{1, 2, 3} - {surface}))
    node = nodes[np.argmin(np.abs(heart.apicobasal[nodes] - 0.55))]
    found = checked(heart, "point", heart.mesh.points[node])
    names = {LV_ENDOCARDIUM: "left endocardium", RV_ENDOCARDIUM: "right endocardium", EPICARDIUM: "epicardium"}
    assert f": {names[surface]}, " in found.access[0]
    there = (heart.mesh.tets == node).any(axis=1)
    number = int(np.bincount(heart_segments(heart)[there]).argmax())
    assert ("right free wall" if number == 0 else str(number)) in found.access[0].partition(", ")[2]


def test_segments_take_as_many_applications_however_deep_they_are_burnt(heart):
    counts = {depth: checked(heart, "segment", depth=depth, segments=("AHA 8", "AHA 9")) for depth in (2.0, 6.0, 12.0)}
    assert len({one.applications for one in counts.values()}) == 1
    assert {one.access for one in counts.values()} == {("lesion 1 (segment): left endocardium, AHA 8 and 9",)}
    shallow = counts[2.0]
    assert shallow.surface_cm2 / (np.pi * 0.25) < shallow.applications < 2.5 * shallow.surface_cm2 / (np.pi * 0.25)


def test_much_healthy_muscle_is_asked_about(heart):
    named = tuple(f"AHA {number}" for number in range(1, 18))
    assert any(
        "mL of healthy muscle; is that meant?" in note for note in checked(heart, "segment", segments=named).notes
    )
    assert not any("meant" in note for note in checked(heart, "segment", segments=("AHA 8",)).notes)


def test_before_any_plan_is_compared_a_study_has_the_ones_of_its_user(wall):
    mine, other = Plan("mine", ()), Plan("isthmus", ())
    known = {"settings": SimpleNamespace(**dict(Settings())), "provenance": Provenance("case", (), ()), "heart": wall}
    assert as_study(**known, own_plans=(mine,)).plans == (mine,)
    assert as_study(**known, own_plans=(mine,), plans=(mine, other)).plans == (mine, other)
    assert as_study(**known).plans == ()
