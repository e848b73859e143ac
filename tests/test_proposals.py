"""The proposed plan holds what opens every circuit, and no more; the wrong plan leaves it alone."""

from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from cube_heart import beside, block_heart
from scipy.spatial import cKDTree

from cardiotwin.ablation import proposals
from cardiotwin.ablation.access import SURFACES, nodes_to_burn_from
from cardiotwin.ablation.lesions import (
    PROPOSED_NAMES,
    RESERVED_NAMES,
    Lesion,
    Plan,
    ablated_ml,
    lesion_elements,
    surfaces_of,
)
from cardiotwin.ablation.plan_checks import check_plan
from cardiotwin.ablation.proposals import proposals_for, propose_plans
from cardiotwin.eikonal import conducting_tets
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY, LV_ENDOCARDIUM, RIGHT, RV_ENDOCARDIUM
from cardiotwin.induction.reentry import Circuit
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.segmentation import Corridor
from cardiotwin.settings import PlanSettings

EVERYTHING = ("isthmus", "wrong", "exit", "isthmus_line", "dechannel", "homogenise")
SETTINGS = PlanSettings(lesion_radius_mm=6, lesion_depth_mm=9)


@pytest.fixture(scope="module")
def wall():
    """A wall 12 mm thick and 40 x 40 mm wide; x runs from endocardium to epicardium."""
    return block_heart((12, 40, 40), 1.0)


def around(wall, y, z, clockwise=False):
    """A wave that turns around a line through the wall, and the column of nodes on that line as its cut."""
    dy, dz = wall.mesh.points[:, 1] - y, wall.mesh.points[:, 2] - z
    cut = np.flatnonzero(np.abs(dy) + np.abs(dz) < 0.5).astype(np.int32)
    angle = np.arctan2(dz, -dy if clockwise else dy) % (2 * np.pi) / (2 * np.pi)
    phase = np.where(np.hypot(dy, dz) < 5.5, 300.0 * angle, np.nan).astype(np.float32)
    return Circuit(300.0, 3, np.zeros(3), np.zeros(3), phase, cut, cut)


def proposed(wall, *circuits):
    return {plan.name: plan for plan in propose_plans(wall, circuits, SETTINGS)}


def holding(wall, circuit):
    return np.isin(wall.mesh.tets, circuit.cut_nodes).any(axis=1)


def test_the_isthmus_plan_holds_the_cut_and_the_wrong_plan_does_not(wall):
    """A cut across the whole wall: lesions from both surfaces are needed to reach its middle."""
    circuit = around(wall, 20, 20)
    plans = proposed(wall, circuit)
    assert lesion_elements(wall, plans["isthmus"])[holding(wall, circuit)].all()
    assert not lesion_elements(wall, plans["wrong place"])[holding(wall, circuit)].any()
    assert plans["wrong place"].control
    assert not plans["isthmus"].control


def test_the_isthmus_plan_holds_two_edges_around_the_cut(wall):
    circuit = around(wall, 20, 20)
    away = cKDTree(wall.mesh.points[circuit.cut_nodes]).query(wall.mesh.centroids)[0]
    assert lesion_elements(wall, proposed(wall, circuit)["isthmus"])[away <= 2.0 * wall.edge_mm].all()


def test_a_circuit_that_is_open_already_needs_no_lesion_of_its_own(wall):
    one, back, elsewhere = around(wall, 12, 20), around(wall, 12, 20, clockwise=True), around(wall, 28, 20)
    points = proposed(wall, one)["isthmus"].lesions[0].points_mm
    assert np.array_equal(proposed(wall, one, back)["isthmus"].lesions[0].points_mm, points)
    assert len(proposed(wall, one, elsewhere)["isthmus"].lesions[0].points_mm) > len(points)


def test_without_a_circuit_there_is_nothing_to_cut(wall):
    assert proposed(wall) == {}


def asked(*names, depth=9.0):
    return PlanSettings(lesion_radius_mm=6, lesion_depth_mm=depth, propose=names)


def corridor_wall(wall):
    """Core but for a strip 10 mm wide along z."""
    aside = np.abs(wall.mesh.centroids[:, 1] - 20) > 5
    return replace(wall, tissue_class=np.where(aside, CORE, HEALTHY).astype(np.uint8))


def through_corridor(wall):
    """A circuit whose isthmus runs through the strip, upwards."""
    return replace(around(wall, 20, 20), isthmus_mm=np.array([2.0, 20, 16]), exit_mm=np.array([2.0, 20, 26]))


def test_an_exit_is_ablated_where_the_wave_leaves_and_two_exits_side_by_side_once(wall):
    one = replace(around(wall, 20, 20), exit_mm=np.array([3.0, 20, 26]))
    beside, elsewhere = replace(one, exit_mm=np.array([3.0, 21, 26])), replace(one, exit_mm=np.array([11.0, 8, 8]))
    (plan,) = propose_plans(wall, (one, beside, elsewhere), asked("exit"))
    assert plan.lesions[0].points_mm.tolist() == [[0, 20, 26], [12, 8, 8]]


def test_two_exits_a_radius_apart_are_two_lesions(wall):
    one = replace(around(wall, 20, 20), exit_mm=np.array([3.0, 20, 26]))
    (plan,) = propose_plans(wall, (one, replace(one, exit_mm=np.array([3.0, 26, 26]))), asked("exit"))
    assert len(plan.lesions[0].points_mm) == 2


@pytest.mark.parametrize(("depth", "stands"), [(6.5, True), (5.5, False)])
def test_an_exit_at_the_tip_of_its_lesion_is_not_reached(wall, depth, stands):
    """5 mm deep, edges of 1 mm: half an ellipsoid is a point at its lowest."""
    circuit = replace(around(wall, 20, 20), exit_mm=np.array([5.0, 20, 26]))
    found = proposals_for(wall, (circuit,), asked("exit", depth=depth))
    assert [plan.name for plan in found.plans] == ["exit sites"] * stands
    assert ("5.0 mm deep, lesions of 5.5 mm hardly reach it" in found.gate) != stands
    for plan in found.plans:
        near = np.linalg.norm(wall.mesh.centroids - circuit.exit_mm, axis=1) < 1.0
        assert lesion_elements(wall, plan)[near].mean() > 0.8


def test_the_isthmus_line_runs_from_scar_to_scar_across_the_narrowest_place_and_opens_the_circuit(wall):
    heart, circuit = corridor_wall(wall), through_corridor(wall)
    (plan,) = propose_plans(heart, (circuit,), asked("isthmus_line"))
    assert "an end lies in viable tissue" not in plan.note
    for line in plan.lesions:
        assert line.kind == "line"
        assert np.sort(line.points_mm[[0, -1], 1]) == pytest.approx([15, 25], abs=1.5)
        assert line.points_mm[:, 2] == pytest.approx(20, abs=1.0)
    assert lesion_elements(heart, plan)[holding(heart, circuit)].all()
    assert check_plan(heart, plan).notes == ()


def test_a_line_that_meets_no_scar_ends_beyond_the_cut_and_says_so(wall):
    (plan,) = propose_plans(wall, (through_corridor(wall),), asked("isthmus_line"))
    assert "of circuit 1 an end lies in viable tissue" in plan.note


def corridor(*mouths):
    return Corridor(np.array(mouths, float), 20.0, 5.0, np.array(mouths[0], float), 0.2, 0.1, 0.3, 1.0)


def test_both_entrances_of_the_corridors_that_an_isthmus_runs_through_are_ablated(wall, monkeypatch):
    here = corridor([2, 20, 8], [2, 20, 14], [2, 20, 20], [2, 20, 32])
    far = corridor([2, 11, 8], [2, 11, 20], [2, 11, 32])
    monkeypatch.setattr(proposals, "find_corridors", lambda _: (here, far))
    (touched,) = propose_plans(wall, (through_corridor(wall),), asked("dechannel"), SimpleNamespace())
    assert touched.lesions[0].points_mm.tolist() == [[0, 20, 8], [0, 20, 32]]
    (every,) = propose_plans(wall, (), asked("dechannel"), SimpleNamespace())
    assert len(every.lesions[0].points_mm) == 4
    monkeypatch.setattr(proposals, "find_corridors", lambda _: (far,))
    found = proposals_for(wall, (through_corridor(wall),), asked("dechannel"), SimpleNamespace())
    assert found.plans == ()
    assert "runs through one of 1 corridors" in found.left_out[0]


def test_what_lesions_cannot_reach_is_left_out_with_its_depth_and_the_rest_stands(wall):
    scarred = replace(wall, tissue_class=np.where(wall.mesh.centroids[:, 1] < 4, BORDER_ZONE, HEALTHY).astype(np.uint8))
    circuit = replace(around(wall, 20, 20), isthmus_mm=np.full(3, 20.0), exit_mm=np.array([6.0, 20, 26]))
    found = proposals_for(scarred, (circuit,), asked(*EVERYTHING, depth=3.0))
    assert [plan.name for plan in found.plans] == ["homogenise"]
    told = dict(one.split(": left out, ", 1) for one in found.left_out)
    assert set(told) == {"isthmus", "wrong place", "exit sites", "isthmus line", "dechanneling"}
    assert "isthmus lies up to 5" in told["isthmus"]
    assert "the exit of circuit 1 lies 6.0 mm deep" in told["exit sites"]
    assert "circuit 1 still turns past lines of 3.0 mm depth" in told["isthmus line"]
    assert "segmentation" in told["dechanneling"]


def test_where_no_plan_stands_because_lesions_are_too_shallow_the_path_ends(wall):
    with pytest.raises(
        QualityGate, match=r"^plan: the circuit's isthmus lies up to 5\.\d mm deep.*raise `plan\.lesion_depth_mm`"
    ):
        propose_plans(wall, (around(wall, 20, 20),), asked("isthmus", "wrong", "homogenise", depth=3.0))


def test_every_proposal_has_a_reserved_name(wall):
    assert {name for name, _ in proposals._MAKERS.values()} == set(PROPOSED_NAMES) < set(RESERVED_NAMES)
    assert set(proposals._MAKERS) == set(EVERYTHING)


ENDOCARDIUM = ("left endocardium", "right endocardium")


def on_surface(wall, plan):
    """x of every point of a plan: 0 is endocardium, 12 epicardium."""
    return np.concatenate([one.points_mm[:, 0] for one in plan.lesions])


@pytest.mark.parametrize(("surfaces", "x"), [(ENDOCARDIUM, 0.0), (("epicardium",), 12.0)])
def test_proposals_are_burnt_from_the_surfaces_that_are_asked_for(wall, surfaces, x):
    circuit = through_corridor(wall)
    deep = {"lesion_depth_mm": 14.0, "surfaces": surfaces}
    settings = asked("isthmus", "wrong", "exit", "isthmus_line").model_copy(update=deep)
    plans = propose_plans(wall, (circuit,), settings)
    assert [plan.name for plan in plans] == ["isthmus", "wrong place", "exit sites", "isthmus line"]
    for plan in plans:  # the block's sides are epicardium too, the farthest place from a circuit
        assert np.allclose(on_surface(wall, plan), x) or (plan.name, x) == ("wrong place", 12.0)
        assert (on_surface(wall, plan) > 0.0).all() == (x > 0.0)
        assert not any("takes an access to each" in note for note in check_plan(wall, plan).notes)
    held = lesion_elements(wall, plans[0])
    assert held[holding(wall, circuit) & (wall.tissue_class != CORE)].all()


def test_the_cut_is_opened_from_one_surface_where_that_is_enough_the_left_endocardium_first(wall):
    circuit = around(wall, 20, 20)
    (deep,) = propose_plans(wall, (circuit,), asked("isthmus", depth=14.0))
    assert np.allclose(on_surface(wall, deep), 0.0)
    (shallow,) = propose_plans(wall, (circuit,), asked("isthmus", depth=9.0))
    assert set(on_surface(wall, shallow)) == {0.0, 12.0}
    near_outside = replace(circuit, cut_nodes=circuit.cut_nodes[wall.mesh.points[circuit.cut_nodes, 0] > 8.0])
    (outside,) = propose_plans(wall, (near_outside,), asked("isthmus", depth=9.0))
    assert np.allclose(on_surface(wall, outside), 12.0)


def test_what_lies_too_deep_from_the_one_surface_is_left_out_with_what_to_do(wall):
    circuit, shallow = around(wall, 20, 20), SETTINGS.model_copy(update={"surfaces": ENDOCARDIUM})
    found = proposals_for(wall, (circuit,), shallow)
    assert "isthmus" not in [plan.name for plan in found.plans]
    assert "from the left endocardium and the right endocardium hold 8.1 mm for sure" in found.gate
    assert found.gate.endswith("raise `plan.lesion_depth_mm` or widen `plan.surfaces`")
    with pytest.raises(QualityGate, match=r"this heart has no right endocardium; widen `plan\.surfaces`"):
        propose_plans(wall, (circuit,), SETTINGS.model_copy(update={"surfaces": ("right endocardium",)}))


@pytest.fixture(scope="module")
def heart():
    """Both ventricles of the phantom, with its infarct."""
    return true_heart(make_anatomy(0), 2.5)


def a_cut(heart, place, radius_mm=3.0):
    """Nodes of living tissue around a place."""
    alive = np.unique(heart.mesh.tets[conducting_tets(heart)])
    return alive[np.linalg.norm(heart.mesh.points[alive] - place, axis=1) <= radius_mm]


def surfaces_used(heart, points):
    return {SURFACES[which] for which in surfaces_of(heart, points).tolist()}


def reached(heart, cut, access, settings):
    """Which of the tetrahedra around a cut lesions from some surfaces hold, were there no cavity between."""
    around = cKDTree(heart.mesh.points[cut]).query(heart.mesh.centroids)[0] <= 2.0 * heart.edge_mm
    target = heart.mesh.centroids[around & conducting_tets(heart)]
    return proposals._reach(heart, target, nodes_to_burn_from(heart, access), settings)[1].any(axis=0)


def invasive(access):
    return "epicardium" in access, len(access)


EVERY_ACCESS = [set(some) for count in (1, 2, 3) for some in combinations(SURFACES.values(), count)]


def test_a_cut_takes_the_least_invasive_surfaces_that_reach_all_of_it(heart):
    """No less invasive ones reach it."""
    settings = PlanSettings(lesion_radius_mm=5, lesion_depth_mm=6)
    right = heart.mesh.points[heart.surface_nodes(RV_ENDOCARDIUM)]
    assert sorted(EVERY_ACCESS, key=invasive) == proposals.ACCESSES
    taken = []
    for place in right[np.random.default_rng(5).choice(len(right), 14)]:
        cut = a_cut(heart, place, 4.0)
        try:
            used = surfaces_used(heart, proposals._cover(heart, cut, settings))
        except QualityGate:
            continue
        taken.append(used)
        for access in EVERY_ACCESS:
            if invasive(access) < invasive(used):
                assert not reached(heart, cut, access, settings).all()
    assert {1, 2} <= set(map(len, taken))


def test_the_septum_is_burnt_from_the_left_and_the_right_wall_from_within(heart):
    settings = PlanSettings(lesion_radius_mm=5, lesion_depth_mm=14)
    left, inside = (heart.mesh.points[heart.surface_nodes(tag)] for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM))
    right_wall = heart.mesh.centroids[heart.ventricle == RIGHT]
    outer = right_wall[np.argmax(cKDTree(left).query(right_wall)[0])]
    assert surfaces_used(heart, proposals._cover(heart, a_cut(heart, outer), settings)) == {"right endocardium"}
    away, nearest = cKDTree(inside).query(left)
    septal = 0.5 * (left + inside[nearest])[np.argmin(np.abs(away - 9.0))]
    assert surfaces_used(heart, proposals._cover(heart, a_cut(heart, septal), settings)) == {"left endocardium"}


def test_the_wrong_place_is_healthy_muscle_of_the_same_surface_far_from_scar_and_burns_as_much(heart):
    scar = heart.mesh.centroids[heart.tissue_class != HEALTHY]
    inside = heart.surface_nodes(LV_ENDOCARDIUM)
    points = heart.mesh.points[inside]
    near_scar = points[np.argsort(cKDTree(scar).query(points)[0])[:4]]
    wrong = proposals._wrong_place(heart, near_scar)
    assert surfaces_used(heart, wrong) == {"left endocardium"}
    rows = cKDTree(heart.mesh.points).query(wrong)[1]
    assert heart.apicobasal[rows].max() <= proposals.HIGHEST_WRONG
    low = points[heart.apicobasal[inside] <= proposals.HIGHEST_WRONG]
    assert cKDTree(scar).query(wrong)[0].max() > 0.85 * cKDTree(scar).query(low)[0].max()
    burnt = [ablated_ml(heart, Plan("x", (Lesion("point", at, 5.0, 8.0),)))[1] for at in (near_scar, wrong)]
    assert burnt[1] >= 0.8 * burnt[0]


def test_a_cut_is_not_reached_across_a_cavity():
    """Two walls of 6 mm, 6 mm apart: lesions of 30 mm would hold all of a cut in the second."""
    both = beside(block_heart((6, 30, 30), 1.0), 12.0)
    from_left = PlanSettings(lesion_radius_mm=20, lesion_depth_mm=30, surfaces=("left endocardium",))
    beyond, here = (a_cut(both, np.array([x, 15.0, 15.0])) for x in (15.0, 3.0))
    assert reached(both, beyond, {"left endocardium"}, from_left).all()
    with pytest.raises(QualityGate):
        proposals._cover(both, beyond, from_left)
    assert np.allclose(proposals._cover(both, here, from_left)[:, 0], 0.0)
