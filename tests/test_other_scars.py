"""Pacing and plans under scar of other thresholds: the heart is the one that would be built, and plans burn it."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from small_study import small_study
from test_draws_are_added import POSTERIOR, circuit
from test_induction import PROTOCOL, TISSUE, wall  # noqa: F401

from cardiotwin.ablation.lesions import Lesion, Plan
from cardiotwin.anatomy.scar_variants import other_scars
from cardiotwin.comparison.retesting import compare
from cardiotwin.errors import SettingsError
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY, build_heart, with_scar_of
from cardiotwin.heart.pacing_sites import sites_of_protocol
from cardiotwin.induction import programmed_stimulation
from cardiotwin.induction.arrhythmias import AS_SEGMENTED, Arrhythmias, Induction, only_under_other_scars
from cardiotwin.induction.programmed_stimulation import induce
from cardiotwin.induction.reentry import neighbours
from cardiotwin.induction.stimulation import Paced
from cardiotwin.progress import silent
from cardiotwin.segmentation import relabel
from cardiotwin.settings import CompareSettings, InduceSettings, MeshSettings, Settings
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin import planning, stages

MESH = MeshSettings(edge_mm=3.0)
OTHER = "35 % and 50 %"


@pytest.fixture(scope="module")
def drawn():
    return small_study().segmentation


@pytest.mark.parametrize("turned", [False, True])
def test_other_thresholds_give_the_scar_of_a_heart_built_with_them(drawn, turned):
    if turned:  # the same heart, slices and rows stored the other way round
        n_slices, n_rows, _ = drawn.labels.shape
        flip = np.diag([1.0, -1.0, -1.0, 1.0])
        flip[1, 3], flip[2, 3] = n_rows - 1, n_slices - 1
        drawn = replace(
            drawn, labels=drawn.labels[::-1, ::-1], signal=drawn.signal[::-1, ::-1], affine=drawn.affine @ flip
        )
    heart = build_heart(drawn, MESH, progress=silent)
    for pair in ((0.3, 0.5), (0.7, 0.8)):
        anew = build_heart(relabel(drawn, *pair), MESH, progress=silent)
        told = with_scar_of(heart, relabel(drawn, *pair), align_slices=MESH.align_slices)
        np.testing.assert_array_equal(told.mesh.points, anew.mesh.points)
        # But for pairs of tetrahedra that lie equally deep, of which rounding chooses one.
        assert np.mean(told.tissue_class != anew.tissue_class) < 1e-4
        assert (told.tissue_class != heart.tissue_class).any()


def with_core(heart, inside):
    classes = np.where(inside, CORE, HEALTHY).astype(np.uint8)
    return replace(heart, tissue_class=classes)


@pytest.fixture
def burnt(monkeypatch):
    """What each task's heart conducts, by plan and scar; without a plan all re-enter."""
    seen: dict = {}

    def pace(context, task):
        heart = context.hearts[task.scar]
        lesion = context.lesions[task.plan][task.scar] if task.plan else np.zeros(len(heart.mesh.tets), bool)
        seen.setdefault((task.plan, task.scar), (heart.tissue_class, lesion))
        left = not task.plan or (task.scar == OTHER and task.plan == "homogenise")
        return Paced((300.0,), circuit(0.0) if left else None, "re-entry" if left else "not inducible")

    monkeypatch.setattr(programmed_stimulation, "_pace", pace)
    return seen


def test_plans_burn_the_same_places_whatever_tissue_is_there(wall, burnt):  # noqa: F811
    y = wall.mesh.centroids[:, 1]
    drawn = with_core(wall, (y > 12) & (y < 18))
    border = (y > 6) & (y <= 12)
    drawn = replace(drawn, tissue_class=np.where(border, BORDER_ZONE, drawn.tissue_class).astype(np.uint8))
    other = with_core(wall, (y > 14) & (y < 16))
    plans = [
        Plan("point", (Lesion("point", np.array([[0.0, 15.0, 15.0]]), 6.0, 6.0),)),
        Plan("homogenise", (Lesion("homogenise", np.zeros((0, 3)), 5.0, 5.0),)),
    ]
    found = induce(drawn, POSTERIOR, PROTOCOL, TISSUE, others={OTHER: other})
    assert len(found.inductions) == 2 * 2 * 2
    comparison = compare(drawn, POSTERIOR, plans, found, PROTOCOL, TISSUE, CompareSettings(), others={OTHER: other})
    in_drawn, in_other = burnt["point", AS_SEGMENTED][1], burnt["point", OTHER][1]
    assert not in_drawn[drawn.tissue_class == CORE].any()
    assert not in_other[other.tissue_class == CORE].any()
    alive_again = (drawn.tissue_class == CORE) & (other.tissue_class == HEALTHY)
    assert in_other[alive_again].any()
    np.testing.assert_array_equal(in_drawn[~alive_again & (other.tissue_class != CORE)],
                                  in_other[~alive_again & (other.tissue_class != CORE)])  # fmt: skip
    np.testing.assert_array_equal(burnt["homogenise", OTHER][1], border)
    point, homogenise = (next(one for one in comparison.plans if one.name == name) for name in ("point", "homogenise"))
    assert (point.inducible, homogenise.inducible, homogenise.tested) == (0, 4, 8)
    pair = next(one for one in comparison.pairs if (one.plan, one.other) == ("point", "homogenise"))
    assert (pair.better, pair.same, pair.worse) == (2, 2, 0)


def test_circuits_that_turn_only_with_other_scar_are_told():
    def seen(scar, number):
        return Induction(0, 0, "structural", (), number, "re-entry", scar=scar)

    one = circuit(0.0)
    inductions = (seen(AS_SEGMENTED, 0), seen(OTHER, 0), seen(OTHER, 1), seen(OTHER, None))
    found = Arrhythmias(np.zeros((1, 3)), np.zeros(1, np.int32), np.zeros(1, int), (one, one), inductions)
    assert only_under_other_scars(found) == [1]


def test_a_site_that_lies_in_the_other_scar_is_said_to(wall):  # noqa: F811
    protocol = PROTOCOL.model_copy(update={"n_draws": 1, "n_sites": 1})
    site = sites_of_protocol(wall, protocol)[0]
    there = with_core(wall, np.linalg.norm(wall.mesh.centroids - wall.mesh.points[site], axis=1) < 8.0)
    found = induce(wall, POSTERIOR, protocol, TISSUE, others={OTHER: there})
    assert {one.scar: one.outcome for one in found.inductions} == {
        AS_SEGMENTED: "not inducible",
        OTHER: "site in scar",
    }


def test_the_image_reaches_pacing_only_where_other_thresholds_are_asked_for():
    asked = Settings(induce=InduceSettings(scar_thresholds=((0.35, 0.5),)))
    seen = [Observation(f"{n:064x}", kind, "", "", "", "", "", "") for n, kind in enumerate(("image", "ecg"))]
    for settings, wanted in ((Settings(), False), (asked, True)):
        steps = {one.step.name: one.step for one in planning.planned(stages.path(seen), settings, 0)}
        assert ("segmentation" in steps["induce"].inputs) == wanted == ("segmentation" in steps["compare"].inputs)


@pytest.mark.parametrize(("pair", "told"), [((0.5, 0.8), "the segmentation's own"), ((0.31, 0.51), "30 % and 50 %")])
def test_a_pair_that_would_count_twice_is_refused(drawn, pair, told):
    heart = build_heart(drawn, MESH, progress=silent)
    with pytest.raises(SettingsError, match=told):
        other_scars(heart, drawn, [(0.3, 0.5), pair], align_slices=MESH.align_slices)
    with pytest.raises(SettingsError, match="a mesh that was added"):
        other_scars(heart, None, [pair], align_slices=False)


def test_each_task_is_solved_on_its_own_scar_under_its_own_lesion(wall):  # noqa: F811
    other = with_core(wall, wall.mesh.centroids[:, 2] > 20)
    hearts = {AS_SEGMENTED: wall, OTHER: other}
    lesions = {"burn": {AS_SEGMENTED: wall.mesh.centroids[:, 1] < 5, OTHER: wall.mesh.centroids[:, 1] < 10}}
    context = programmed_stimulation._Context(hearts, POSTERIOR, PROTOCOL, TISSUE, lesions)
    for plan, scar in (("", AS_SEGMENTED), ("", OTHER), ("burn", AS_SEGMENTED), ("burn", OTHER)):
        conducting = hearts[scar].tissue_class != CORE
        if plan:
            conducting &= ~lesions[plan][scar]
        tissue = programmed_stimulation._prepared(context, plan, 0, "structural", scar)[1]
        alone = neighbours(wall.mesh.points, wall.mesh.tets[conducting])
        np.testing.assert_array_equal(tissue.volumes, alone.volumes)


def test_no_two_pacings_share_a_name(wall, monkeypatch):  # noqa: F811
    other = with_core(wall, wall.mesh.centroids[:, 2] > 25)
    both = PROTOCOL.model_copy(update={"border_zone_profiles": ("structural", "structural_and_ionic")})
    names: list[str] = []

    def run_tasks(function, context, tasks, **_):
        names.extend(tasks)
        return {name: Paced((), None, "not inducible") for name in tasks}

    monkeypatch.setattr(programmed_stimulation, "run_tasks", run_tasks)
    found = induce(wall, POSTERIOR, both, TISSUE, others={OTHER: other})
    assert len(set(names)) == len(names) == len(found.inductions) == 2 * 2 * 2 * 2
    before = set(names)
    names.clear()
    induce(wall, POSTERIOR, both, TISSUE, others={OTHER: with_core(wall, wall.mesh.centroids[:, 2] > 24)})
    assert len(before & set(names)) == 8, "another scar of the same name is another"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"scar_thresholds": [[0.6, 0.4]]}, "expected 0 < border zone < core < 1"),
        ({"scar_thresholds": [[0.3, 0.5], [0.3, 0.5]]}, "found a pair twice"),
        ({"scar_thresholds": [[0.3, 0.5]], "only_screened": True}, "the screen knows one scar"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(given, told):
    with pytest.raises(ValidationError, match=told):
        InduceSettings(**given)


def planned_with(**sections):
    seen = [Observation(f"{n:064x}", kind, "", "", "", "", "", "") for n, kind in enumerate(("image", "ecg"))]
    return {one.step.name: one for one in planning.planned(stages.path(seen), Settings.model_validate(sections), 0)}


@pytest.mark.parametrize(
    ("section", "stale"),
    [
        ("induce", {"induce", "proposed plans", "plan", "compare", "report"}),
        ("calibrate", {"scar thresholds", "report"}),
    ],
)
def test_thresholds_make_stale_only_what_is_computed_with_them(section, stale):
    """Not the screen, which knows one scar, and not the calibration, whose scar is the one that was segmented."""
    before, after = planned_with(), planned_with(**{section: {"scar_thresholds": [[0.35, 0.5]]}})
    assert {name for name, one in after.items() if one.key != before[name].key} == stale


def test_a_step_is_not_shown_the_setting_that_it_does_not_hang_on():
    asked = Settings.model_validate({"induce": {"scar_thresholds": [[0.35, 0.5]], "n_draws": 3}})
    step = planned_with()["screen"].step
    shown = planning.readable(asked, step.settings, step.but_for).induce
    assert (shown.scar_thresholds, shown.n_draws) == ((), 3)
    assert asked.induce.scar_thresholds == ((0.35, 0.5),)
