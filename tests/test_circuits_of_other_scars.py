"""A circuit is measured, drawn and opened on the scar that was paced when it turned, not on the one that was segmented.

As segmented the isthmus of the second circuit lies in core: what is measured there as segmented does not conduct.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from small_study import AXIS, SEPTAL, small_study
from test_draws_are_added import POSTERIOR, circuit
from test_induction import PROTOCOL, TISSUE
from test_paraview import fields, opened
from test_proposals import SETTINGS, around, asked, corridor_wall, holding, through_corridor, wall  # noqa: F401
from test_report_facts import _turning

from cardiotwin import pictures
from cardiotwin.ablation import proposals
from cardiotwin.ablation.lesions import lesion_elements, lesions_in
from cardiotwin.ablation.proposals import proposals_for
from cardiotwin.eikonal import conducting_tets
from cardiotwin.errors import InputRejected
from cardiotwin.exports.paraview import write_study
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY
from cardiotwin.induction import programmed_stimulation
from cardiotwin.induction.arrhythmias import AS_SEGMENTED, Arrhythmias, Induction, joined
from cardiotwin.induction.isthmus import isthmus_of
from cardiotwin.induction.programmed_stimulation import induce
from cardiotwin.induction.stimulation import Paced
from cardiotwin.induction.tachycardia_ecg import tachycardia_ecgs
from cardiotwin.report.facts import _circuits, report_facts
from cardiotwin.report.tachycardias import tachycardias
from cardiotwin.settings import PlanSettings
from cardiotwin.storage import artefact
from cardiotwin.tissue.tissue import Velocities
from cardiotwin.twin import stages

OTHER = "35 % and 50 %"


def told(heart, classes):
    return replace(heart, tissue_class=np.broadcast_to(classes, len(heart.mesh.tets)).astype(np.uint8))


@pytest.fixture(scope="module")
def study():
    """The second circuit was induced on other scar alone, by which there is no core and a border zone above it."""
    study = small_study(4.0)
    first, second = study.arrhythmias.circuits
    heart = study.heart
    away = np.linalg.norm(heart.mesh.centroids - second.isthmus_mm, axis=1)
    other = np.where(heart.mesh.centroids[:, 2] > second.isthmus_mm[2], BORDER_ZONE, HEALTHY).astype(np.uint8)
    everywhere = replace(second, phase_ms=np.nan_to_num(second.phase_ms, nan=10.0))
    inductions = tuple(replace(one, scar=OTHER) if one.circuit == 1 else one for one in study.arrhythmias.inductions)
    found = replace(study.arrhythmias, circuits=(first, everywhere), inductions=inductions, scars={OTHER: other})
    isthmus = tuple(plan for plan in study.plans if plan.name == "isthmus")
    return replace(study, heart=told(heart, np.where(away < 15.0, CORE, HEALTHY)), arrhythmias=found, plans=isthmus)


@pytest.fixture(scope="module")
def other(study):
    return told(study.heart, study.arrhythmias.scars[OTHER])


def test_a_circuit_turned_on_the_scar_of_its_first_induction(study, other):
    first, second = study.arrhythmias.hearts(study.heart)
    assert first is study.heart
    np.testing.assert_array_equal(second.tissue_class, other.tissue_class)
    once_more = replace(study.arrhythmias.inductions[0], circuit=1)
    later = replace(study.arrhythmias, inductions=(*study.arrhythmias.inductions, once_more))
    assert [later.scar_of(number) for number in (0, 1)] == [AS_SEGMENTED, OTHER]


def test_a_scar_that_is_not_kept_is_not_taken_for_the_one_that_was_segmented(study):
    with pytest.raises(InputRejected, match=f"circuit 2 turned on scar by {OTHER}.*Pace again"):
        replace(study.arrhythmias, scars={}).hearts(study.heart)


def test_what_was_paced_is_kept_with_what_it_induced(wall, monkeypatch, tmp_path):  # noqa: F811
    """Through the store, and with further draws."""
    other = told(wall, np.where(wall.mesh.centroids[:, 2] > 20, CORE, HEALTHY))
    found_there = Paced((300.0,), circuit(0.0), "re-entry")
    monkeypatch.setattr(
        programmed_stimulation,
        "_pace",
        lambda _, task: found_there if task.scar == OTHER else Paced((), None, "not inducible"),
    )
    found = induce(wall, POSTERIOR, PROTOCOL, TISSUE, others={OTHER: other})
    artefact.write(tmp_path, joined(found, found))
    (turned_on,) = artefact.read(tmp_path, Arrhythmias).hearts(wall)
    np.testing.assert_array_equal(turned_on.tissue_class, other.tissue_class)


def test_the_isthmus_is_measured_in_the_tissue_that_conducted(study, other):
    first, second = report_facts(study)["circuits"]
    circuits = study.arrhythmias.circuits
    measured = isthmus_of(circuits[1], study.heart.mesh, conducting_tets(other))
    assert second["isthmus"]["velocity"] == pytest.approx(measured.velocity)
    assert second["isthmus"]["length_mm"] == pytest.approx(measured.length_mm)
    assert isthmus_of(circuits[1], study.heart.mesh, conducting_tets(study.heart)) is None
    assert (first["measured_on_scar"], second["measured_on_scar"]) == (AS_SEGMENTED, OTHER)


def test_what_turns_around_core_as_segmented_is_free_in_tissue_that_was_alive(study):
    """One rotation about a line across the ventricle, seen on both scars; core lies along the line as segmented."""
    heart, arrhythmias = study.heart, study.arrhythmias
    one = replace(arrhythmias.circuits[0], phase_ms=_turning(study, arrhythmias.circuits[0]))
    off_line = (heart.mesh.centroids - one.isthmus_mm) @ np.stack([SEPTAL, AXIS], axis=1)
    drawn = told(heart, np.where(np.linalg.norm(off_line, axis=1) < 9.0, CORE, HEALTHY))
    both = replace(arrhythmias, circuits=(one, one), scars={OTHER: told(heart, HEALTHY).tissue_class})
    assert [row["kind"] for row in _circuits(drawn, both)] == ["anatomical", "functional"]


def test_the_ecg_is_that_of_the_scar_on_which_it_turned(study, other):
    """Border zone and core as they conducted, each circuit its own; with the segmented heart it is another."""
    assert study.posterior is not None
    median = [
        study.posterior.interval(one)[1] for one in (study.posterior.velocity_fibre, study.posterior.velocity_cross)
    ]
    share = study.posterior.interval(study.posterior.border_zone_fraction)[1]
    on = {
        name: tachycardia_ecgs(heart, study.arrhythmias.circuits, study.electrodes, Velocities(*median), share)
        for name, heart in ((AS_SEGMENTED, study.heart), (OTHER, other))
    }
    first, second = tachycardias(study).seen
    np.testing.assert_allclose(first.cycle.mv, on[AS_SEGMENTED][0].cycle.mv)
    np.testing.assert_allclose(second.cycle.mv, on[OTHER][1].cycle.mv)
    assert np.abs(second.cycle.mv - on[AS_SEGMENTED][1].cycle.mv).max() > 0.05 * np.abs(second.cycle.mv).max()


def test_paraview_shows_each_circuit_in_the_tissue_that_it_turned_on(study, other, tmp_path):
    """Lesions too: what is core as segmented burns where it was alive."""
    write_study(tmp_path, study)
    for number, heart in ((1, study.heart), (2, other)):
        shown = fields(opened(tmp_path / f"circuit_{number}.vtu")[1])
        np.testing.assert_array_equal(shown["tissue_class"], heart.tissue_class)
        film = fields(opened(tmp_path / f"circuit_{number}_film.vtkhdf")[1])
        assert (CORE in film["tissue_class"]) == (number == 1)
        assert film["ablated"].sum() > 0
        assert ((film["tissue_class"] == CORE) & (film["ablated"] == 1)).sum() == 0
    burnt = [fields(opened(tmp_path / f"circuit_{k}_film.vtkhdf")[1])["ablated"].sum() for k in (1, 2)]
    assert burnt[1] > burnt[0]
    readme = (tmp_path / "README.txt").read_text()
    on_other = [line for line in readme.splitlines() if f"scar by {OTHER}" in line]
    assert [line.split(":")[0] for line in on_other] == ["circuit_2.vtu", "circuit_2_film.vtkhdf"]


def test_the_film_of_the_report_outlines_what_burns_on_the_scar_of_its_circuit(study, other, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "pictures", lambda _: ())
    monkeypatch.setattr(
        pictures, "circuit_film", lambda heart, _, circuit, lesions: drawn.append((heart, lesions)) or b"film"
    )
    pictures.write_pictures(tmp_path, study)
    for (heart, lesions), expected in zip(drawn, (study.heart, other), strict=True):
        np.testing.assert_array_equal(heart.tissue_class, expected.tissue_class)
        np.testing.assert_array_equal(lesions, lesions_in(expected, study.heart, study.preferred_plan))
    assert drawn[1][1].sum() > drawn[0][1].sum() == lesion_elements(study.heart, study.preferred_plan).sum()


def half_core(wall):  # noqa: F811
    """Core through half of the circle on which the wave of `around(wall, 20, 20)` runs."""
    return told(wall, np.where(wall.mesh.centroids[:, 1] > 17, CORE, HEALTHY))


def test_a_cut_opens_a_circuit_in_what_is_core_as_segmented(wall, monkeypatch):  # noqa: F811
    turning, drawn, conducts = around(wall, 20, 20), half_core(wall), []
    monkeypatch.setattr(
        proposals, "structural_cut", lambda circuit, tissue: conducts.append(tissue.volumes > 0) or circuit.cut_nodes
    )
    (plan,) = proposals_for(drawn, (turning,), asked("isthmus"), turned_on=(wall,)).plans
    assert conducts[0].all()
    assert lesions_in(wall, drawn, plan)[holding(wall, turning)].all()
    as_segmented = proposals_for(drawn, (turning,), asked("isthmus"))
    assert as_segmented.plans == ()
    assert "no circuit has a cut" in as_segmented.left_out[0]


def test_a_line_runs_between_the_scars_that_bounded_the_isthmus(wall):  # noqa: F811
    """As segmented there is none, and both ends would lie in viable tissue."""
    turning, other = through_corridor(wall), corridor_wall(wall)
    (bounded,) = proposals_for(wall, (turning,), asked("isthmus_line"), turned_on=(other,)).plans
    (loose,) = proposals_for(wall, (turning,), asked("isthmus_line")).plans
    assert "an end lies in viable tissue" not in bounded.note
    assert "an end lies in viable tissue" in loose.note
    ends = bounded.lesions[0].points_mm[[0, -1], 1]
    assert np.sort(ends) == pytest.approx([15, 25], abs=1.5)


def test_the_plan_stage_opens_each_circuit_on_its_own_scar_and_tells_what_is_of_the_segmented_one(wall):  # noqa: F811
    turning, drawn = around(wall, 20, 20), half_core(wall)
    seen = Induction(0, 0, "structural", (), 0, "re-entry", scar=OTHER)
    found = Arrhythmias(
        np.zeros((1, 3)), np.zeros(1, np.int32), np.zeros(1, int), (turning,), (seen,), {OTHER: wall.tissue_class}
    )
    drawn = told(drawn, np.where(wall.mesh.centroids[:, 1] < 4, BORDER_ZONE, drawn.tissue_class))
    for names, said in ((("isthmus",), []), (("isthmus", "homogenise"), ["homogenise: of scar as segmented"])):
        settings = PlanSettings(**SETTINGS.model_dump() | {"propose": names})
        proposed = stages.propose(SimpleNamespace(settings=SimpleNamespace(plan=settings)), drawn, found)
        assert [plan.name for plan in proposed.plans] == list(names)
        assert [one.split(";")[0] for one in proposed.left_out] == said
