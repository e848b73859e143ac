"""What is said of a plan before it is paced: lesions too small, too far apart, and what they leave below."""

from dataclasses import replace

import numpy as np
import pytest

from cardiotwin.ablation.lesions import Lesion, Plan, lesion_elements
from cardiotwin.ablation.plan_checks import check_plan
from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import HEALTHY, LV_ENDOCARDIUM
from cardiotwin.heart.segments import heart_segments
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart


@pytest.fixture(scope="module")
def heart():
    """Both ventricles of the phantom, its infarct taken for healthy, away from the origin as in a patient."""
    whole = true_heart(make_anatomy(0), 2.5)
    moved = replace(whole.mesh, points=whole.mesh.points + np.array([60.0, -45.0, -80.0]))
    return replace(whole, mesh=moved, tissue_class=np.full_like(whole.tissue_class, HEALTHY))


def lesion(kind, points=(), **given) -> Lesion:
    values = {"points_mm": np.reshape(points, (-1, 3)), "radius_mm": 5.0, "depth_mm": 8.0} | given
    return Lesion(kind, **values)


def told(heart, *lesions) -> str:
    return " | ".join(check_plan(heart, Plan("mine", lesions)).notes)


def on_endocardium(heart, apart_mm: float) -> np.ndarray:
    """(2, 3) two places on the left endocardium so far apart."""
    points = heart.mesh.points[heart.surface_nodes(LV_ENDOCARDIUM)]
    other = np.abs(np.linalg.norm(points - points[0], axis=1) - apart_mm).argmin()
    return points[[0, other]]


def test_a_segment_burnt_to_part_of_the_wall_is_told_with_what_is_left_of_it_and_one_burnt_whole_is_not(heart):
    shallow = lesion("segment", segments=("AHA 10",), depth_mm=4.0)
    of_segment, burnt = heart_segments(heart) == 10, lesion_elements(heart, Plan("mine", (shallow,)))
    left, whole = (heart.mesh.volumes[one].sum() / 1000.0 for one in (of_segment & ~burnt, of_segment))
    assert f"(segment): not transmural: {left:.1f} of {whole:.1f} mL of viable tissue" in told(heart, shallow)
    assert "not transmural" not in told(heart, lesion("segment", segments=("AHA 10",), depth_mm=30.0))


@pytest.mark.parametrize(("apart_mm", "is_told"), [(9.0, False), (30.0, True)])
def test_points_too_far_apart_to_be_a_line_are_told(heart, apart_mm, is_told):
    notes = told(heart, lesion("point", on_endocardium(heart, apart_mm), radius_mm=4.0))
    assert ("taken as lesions of their own" in notes) == is_told


def test_sizes_below_the_mesh_edge_are_told_as_cm_perhaps(heart):
    place = on_endocardium(heart, 0.0)[:1]
    in_cm = told(heart, lesion("point", place, radius_mm=0.5))
    assert f"radius_mm = 0.5, below the mesh's edge of {heart.edge_mm:g} mm" in in_cm
    assert "these cm" not in told(heart, lesion("point", place))


@pytest.mark.parametrize(
    ("factor", "words"),
    [([-1, -1, 1], r"With x and y times -1 \(RAS\)"), ([0.1, 0.1, 0.1], r"With 10 times as large \(cm\)")],
)
def test_points_of_another_frame_or_unit_are_told_as_such(heart, factor, words):
    points = heart.mesh.points[heart.surface_nodes(LV_ENDOCARDIUM)]
    far = points[np.argmax(np.abs(points[:, 0]) + np.abs(points[:, 1]))]
    with pytest.raises(InputRejected, match=words):
        check_plan(heart, Plan("mine", (lesion("point", far * factor),)))


def test_a_heart_without_border_zone_says_so_when_it_is_to_be_homogenised(heart):
    with pytest.raises(InputRejected, match="this heart has no border zone"):
        check_plan(heart, Plan("mine", (lesion("homogenise"),)))
