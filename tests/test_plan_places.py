"""A lesion may be said by segment or coordinate, and be incomplete; a plan that leaves no heart is refused."""

import dataclasses

import numpy as np
import pytest
from cube_heart import block_heart
from scipy.spatial import cKDTree

from cardiotwin.ablation.lesions import Lesion, Plan, ablated_ml, lesion_elements
from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import CORE, HEALTHY, LV_ENDOCARDIUM, RV_ENDOCARDIUM
from cardiotwin.heart.segments import heart_segments
from cardiotwin.ingest.plan_files import plan_text, read_plan
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart


@pytest.fixture(scope="module")
def heart():
    """Both ventricles of the phantom, with its infarct."""
    return true_heart(make_anatomy(0), 2.5)


@pytest.fixture(scope="module")
def wall():
    """12 mm thick, 40 x 40 mm wide; x runs from endocardium to epicardium."""
    return block_heart((12, 40, 40), 1.0)


def read(folder, lesion):
    path = folder / "plan.toml"
    path.write_text(f'name = "mine"\n[[lesion]]\n{lesion}\n')
    return read_plan(path)


def test_segments_are_ablated_to_their_depth_and_no_further(heart, tmp_path):
    plan = read(tmp_path, 'kind = "segment"\nsegments = ["AHA 8", "aha 14"]\ndepth_mm = 4.0')
    deep = cKDTree(heart.mesh.points[heart.surface_nodes(LV_ENDOCARDIUM)]).query(heart.mesh.centroids)[0]
    wanted = np.isin(heart_segments(heart), (8, 14)) & (deep <= 4.0) & (heart.tissue_class != CORE)
    assert wanted.any()
    assert np.array_equal(lesion_elements(heart, plan), wanted)


@pytest.mark.parametrize(("side", "surface"), [("left", LV_ENDOCARDIUM), ("right", RV_ENDOCARDIUM)])
def test_a_place_in_ventricular_coordinates_is_found_on_this_heart(heart, tmp_path, side, surface):
    plan = read(tmp_path, f'kind = "point"\nat = ["{side} 0.5 0.3"]\nradius_mm = 6')
    middle = heart.mesh.centroids[lesion_elements(heart, plan)].mean(axis=0)
    nodes = heart.surface_nodes(surface)
    node = nodes[np.argmin(np.linalg.norm(heart.mesh.points[nodes] - middle, axis=1))]
    assert heart.coordinates.apicobasal[node] == pytest.approx(0.5, abs=0.1)
    assert heart.coordinates.rotational[node] == pytest.approx(0.3, abs=0.1)


def test_a_heart_without_coordinates_refuses_places_in_one_line(wall):
    for lesion in (
        Lesion("segment", np.empty((0, 3)), 5, 8, segments=("AHA 8",)),
        Lesion("point", np.empty((0, 3)), 5, 8, at=("left 0.5 0.3",)),
    ):
        with pytest.raises(InputRejected, match=r"plan 'x', lesion 1: .*no ventricular coordinates"):
            lesion_elements(wall, Plan("x", (lesion,)))


def test_an_incomplete_lesion_is_shallower_by_its_share_and_as_wide(wall):
    whole, shallow, half = (
        Plan("x", (Lesion("point", np.array([[0.0, 20, 20]]), 5.0, depth, completeness=share),))
        for depth, share in ((8.0, 1.0), (4.0, 1.0), (8.0, 0.5))
    )
    assert np.array_equal(lesion_elements(wall, half), lesion_elements(wall, shallow))
    assert ablated_ml(wall, half)[1] == pytest.approx(0.5 * ablated_ml(wall, whole)[1], rel=0.05)


def test_segments_may_be_given_by_number_and_lie_where_their_names_do(heart, tmp_path):
    named = read(tmp_path, 'kind = "segment"\nsegments = ["AHA 8", "AHA 14"]')
    numbered = read(tmp_path, 'kind = "segment"\nsegments = [8, "AHA14"]')
    assert np.array_equal(lesion_elements(heart, named), lesion_elements(heart, numbered))


def test_a_plan_that_leaves_no_heart_is_refused(wall):
    border = dataclasses.replace(wall, tissue_class=np.full_like(wall.tissue_class, HEALTHY + 1))
    with pytest.raises(InputRejected, match=r"plan 'all': ablates 100 % of the heart's viable tissue \(limit 95 %\)"):
        lesion_elements(border, Plan("all", (Lesion("homogenise", np.empty((0, 3)), 5, 8),)))


def test_every_key_survives_the_file(tmp_path):
    empty = np.empty((0, 3))
    lesions = (
        Lesion("line", empty, 4.0, 6.0, at=("left 0.3 0.5", "right apex"), completeness=0.7),
        Lesion("segment", empty, 5.0, 3.0, segments=("AHA 8",)),
        Lesion("homogenise", empty, 5.0, 8.0),
    )
    path = tmp_path / "plan.toml"
    path.write_text(plan_text(Plan("mine", lesions)))
    for one, back in zip(lesions, read_plan(path).lesions, strict=True):
        for key in ("kind", "at", "segments", "completeness", "radius_mm", "depth_mm"):
            assert getattr(back, key) == getattr(one, key)


@pytest.mark.parametrize(
    ("lesion", "told"),
    [
        (
            'kind = "segment"\nsegments = ["AHA 18"]',
            "`segments`: unknown segment 'AHA 18'; expected 'AHA 1' to 'AHA 17'",
        ),
        ('kind = "segment"\nsegments = [18]', "unknown segment 'AHA 18'"),
        ('kind = "segment"\nsegments = [true]', "`segments.0`"),
        ('kind = "segment"\nsegments = ["right apex"]', "unknown segment 'right apex'"),
        ('kind = "segment"', "has 0 segments; expected at least 1 of 'AHA 1'"),
        (
            'kind = "point"\nsegments = ["AHA 8"]',
            'with kind = "point", which takes `points_mm = [[x, y, z], ...]` or `at = ["AHA 8", ...]`',
        ),
        ('kind = "segment"\nat = ["AHA 8"]', '`at` with kind = "segment", which takes `segments = ["AHA 8", ...]`'),
        ('kind = "point"\nat = ["middle"]', "`at`: found 'middle'; expected left or right coordinates"),
        ('kind = "point"\nat = ["1 2 3"]', "put points in mm into `points_mm`"),
        ('kind = "point"\nat = ["AHA 8"]\npoints_mm = [[0, 0, 0]]', "both `points_mm` and `at`"),
        ('kind = "line"\nat = ["AHA 8"]', "has 1 points; expected at least 2"),
        ('kind = "point"\nat = ["AHA 8"]\ncompleteness = 1.2', "`completeness`"),
        ('kind = "homogenise"\ncompleteness = 0.5', "which has no depth"),
    ],
)
def test_bad_places_are_refused_in_one_line(tmp_path, lesion, told):
    with pytest.raises(InputRejected, match=r"^plan\.toml: lesion 1") as refused:
        read(tmp_path, lesion)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_empty_plan_is_refused_as_one(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('name = "x"\nlesion = []\n')
    with pytest.raises(InputRejected, match=r"plan\.toml: an empty plan"):
        read_plan(path)
