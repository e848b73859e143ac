"""A lesion is where, and as large as, its plan says; a plan that misses the heart is refused."""

import dataclasses

import numpy as np
import pytest
from cube_heart import as_heart, beside, block_heart, block_mesh

from cardiotwin.ablation.lesions import NO_ABLATION, Lesion, Plan, ablated_ml, lesion_elements
from cardiotwin.ablation.plan_checks import check_plan
from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY, LV_ENDOCARDIUM
from cardiotwin.ingest.plan_files import plan_text, read_plan
from cardiotwin.meshes.mesh import Mesh

RADIUS, DEPTH = 5.0, 4.0


@pytest.fixture(scope="module")
def wall():
    """A wall 12 mm thick and 40 x 40 mm wide; x runs from endocardium to epicardium."""
    return block_heart((12, 40, 40), 1.0)


def plan(kind, points, radius=RADIUS, depth=DEPTH):
    return Plan("test", (Lesion(kind, np.array(points, float).reshape(-1, 3), radius, depth),))


def test_a_point_lesion_is_half_an_ellipsoid_below_the_surface(wall):
    _, volume, _ = ablated_ml(wall, plan("point", [0, 20, 20]))
    assert volume == pytest.approx(2 / 3 * np.pi * RADIUS**2 * DEPTH * 1e-3, rel=0.05)
    hit = wall.mesh.centroids[lesion_elements(wall, plan("point", [0, 20, 20]))]
    assert hit[:, 0].max() <= DEPTH
    assert np.linalg.norm(hit[:, 1:] - 20, axis=1).max() <= RADIUS


def test_a_patch_is_a_cylinder_below_the_surface(wall):
    _, volume, _ = ablated_ml(wall, plan("patch", [0, 20, 20]))
    assert volume == pytest.approx(np.pi * RADIUS**2 * DEPTH * 1e-3, rel=0.1)


@pytest.mark.parametrize("x", [0, 12])
def test_a_deep_patch_goes_through_the_whole_wall_from_the_surface_it_lies_on(wall, x):
    hit = lesion_elements(wall, plan("patch", [x, 20, 20], depth=14.0))
    sideways = np.linalg.norm(wall.mesh.centroids[:, 1:] - 20, axis=1)
    assert hit[sideways < RADIUS - 1].all()
    assert not hit[sideways > RADIUS + 1].any()


def test_a_patch_on_both_surfaces_is_burnt_from_each(wall):
    hit = lesion_elements(wall, plan("patch", [[0, 12, 20], [12, 28, 20]]))
    x, y = wall.mesh.centroids[hit, :2].T
    assert x[y < 20].max() <= DEPTH
    assert x[y > 20].min() >= 12 - DEPTH


@pytest.mark.parametrize("kind", ["patch", "point"])
def test_no_lesion_goes_on_in_another_wall_across_a_cavity(kind):
    """Two walls of 6 mm, 6 mm apart: 20 mm deep from the first would reach the second."""
    wall = block_heart((6, 30, 30), 1.0)
    both = beside(wall, 12.0)
    hit = lesion_elements(both, plan(kind, [0, 15, 15], radius=8.0, depth=20.0))
    assert hit[: len(wall.mesh.tets)].any()
    assert not hit[len(wall.mesh.tets) :].any()


def test_at_the_bottom_of_a_cleft_the_wall_across_it_is_not_burnt():
    """A cleft 4 mm wide between walls that are joined below it: half an ellipsoid has no upper half."""
    block = block_mesh((14, 24, 24), 1.0)
    x, _, z = block.points[block.tets].mean(axis=1).T
    kept = block.tets[~((x > 5) & (x < 9) & (z > 10))]
    nodes, tets = np.unique(kept, return_inverse=True)
    mesh = Mesh(block.points[nodes], tets.reshape(-1, 4))
    faces = mesh.boundary_faces()
    x, _, z = np.moveaxis(mesh.points[faces], 2, 0)
    in_cleft = ((x > 4.9) & (x < 9.1) & (z > 9.9)).all(axis=1)
    heart = as_heart(mesh, faces, in_cleft, 1.0, (0.0, 1.0, 0.0))
    hit = mesh.centroids[lesion_elements(heart, plan("point", [5, 12, 13], radius=5.0, depth=8.0))]
    assert hit[:, 0].min() < 1.0
    assert hit[:, 0].max() < 5.0 + 0.5 * 5.0 + 0.5


@pytest.mark.parametrize("kind", ["patch", "point"])
def test_a_void_in_the_muscle_is_no_surface_to_burn_from(wall, kind):
    """The void's faces, here some of the endocardium's, are nearer than any surface within reach."""
    void = (wall.surface == LV_ENDOCARDIUM) & (
        np.linalg.norm(wall.mesh.points[wall.faces].mean(axis=1)[:, 1:] - 20, axis=1) < 6
    )
    holed = dataclasses.replace(wall, surface=np.where(void, 0, wall.surface).astype(np.uint8))
    hit = lesion_elements(holed, plan(kind, [0, 20, 20]))
    away = np.linalg.norm(wall.mesh.centroids[hit, 1:] - 20, axis=1)
    assert away.max() > 7  # laid onto the rim of what is left of the endocardium
    check_plan(holed, plan(kind, [0, 20, 20]))


def test_a_line_is_a_half_ellipse_swept_between_two_caps(wall):
    _, volume, _ = ablated_ml(wall, plan("line", [[0, 10, 20], [0, 30, 20]]))
    swept = 0.5 * np.pi * RADIUS * DEPTH * 20 + 2 / 3 * np.pi * RADIUS**2 * DEPTH
    assert volume == pytest.approx(swept * 1e-3, rel=0.05)


def test_points_off_the_surface_are_laid_onto_it(wall):
    on, off = (lesion_elements(wall, plan("point", [x, 20, 20])) for x in (0.0, -6.0))
    assert np.array_equal(on, off)


def test_the_volume_interval_holds_the_volume(wall):
    found = ablated_ml(wall, plan("point", [0, 20, 20]))
    for volume, grown in zip(found, (-0.5, 0.0, 0.5), strict=True):  # half an edge of 1 mm
        expected = 2 / 3 * np.pi * (RADIUS + grown) ** 2 * (DEPTH + grown) * 1e-3
        assert volume == pytest.approx(expected, rel=0.06)


def test_homogenisation_takes_the_border_zone_and_nothing_else(wall):
    tissue_class = np.where(wall.mesh.centroids[:, 1] < 10, BORDER_ZONE, HEALTHY).astype(np.uint8)
    scarred = dataclasses.replace(wall, tissue_class=tissue_class)
    assert np.array_equal(lesion_elements(scarred, plan("homogenise", [])), tissue_class == BORDER_ZONE)
    low, middle, high = ablated_ml(scarred, plan("homogenise", []))
    for volume, edge in ((low, 9.5), (middle, 10.0), (high, 10.5)):
        assert volume == pytest.approx(12 * 40 * edge * 1e-3, abs=0.03 * middle)


def test_scar_core_is_never_ablated(wall):
    core = dataclasses.replace(
        wall, tissue_class=np.where(wall.mesh.centroids[:, 1] < 20, CORE, HEALTHY).astype(np.uint8)
    )
    assert not lesion_elements(core, plan("point", [0, 20, 20]))[core.tissue_class == CORE].any()


def test_no_ablation_ablates_nothing(wall):
    assert not lesion_elements(wall, NO_ABLATION).any()
    assert ablated_ml(wall, NO_ABLATION) == (0.0, 0.0, 0.0)


def test_a_lesion_outside_the_heart_is_refused_with_its_distance(wall):
    with pytest.raises(InputRejected, match=r"lesion 1: point 1 lies 60 mm from the heart"):
        lesion_elements(wall, plan("point", [-60, 20, 20]))


def test_a_lesion_without_viable_tissue_is_refused(wall):
    core = dataclasses.replace(wall, tissue_class=np.full(len(wall.mesh.tets), CORE, np.uint8))
    with pytest.raises(InputRejected, match="no viable tissue"):
        lesion_elements(core, plan("point", [0, 20, 20]))


def test_a_plan_survives_the_file(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(plan_text(Plan('a "quoted" name', plan("line", [[0, 1, 2], [3, 4, 5]]).lesions, "a note")))
    back = read_plan(path)
    assert (back.name, back.note, back.lesions[0].kind) == ('a "quoted" name', "a note", "line")
    assert np.allclose(back.lesions[0].points_mm, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name = ", "TOML"),
        ("name = 'x'", "lesion"),
        ("name = 'x'\n[[lesion]]\nkind = 'point'\npoints = [[0, 0, 0]]", "lesion 1: unknown key `points`"),
        ("name = 'x'\n[[lesion]]\nkind = 'line'\npoints_mm = [[0, 0, 0]]", "has 1 points"),
        ("name = 'x'\n[[lesion]]\nkind = 'point'\npoints_mm = [[0, nan, 0]]", "finite"),
        ("name = 'x'\n[[lesion]]\nkind = 'point'\npoints_mm = [[0, 0, 0]]\nradius_mm = 500", "radius_mm"),
    ],
)
def test_a_bad_plan_is_refused_in_one_line_with_file_and_key(tmp_path, text, complaint):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputRejected, match=r"bad\.toml") as refusal:
        read_plan(path)
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_proposals_file_says_that_its_name_is_taken_and_reads_back():
    proposed = Plan("isthmus", (Lesion("point", np.zeros((1, 3)), 5.0, 8.0),))
    assert plan_text(proposed).startswith('name = "isthmus"  # change it before you add this file\n')
    assert "#" not in plan_text(Plan("mine", ())).splitlines()[0]
