"""What the report says is derived from the study: change the study, and the sentence changes."""

import inspect
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from short_axis import image, scar_mask
from small_study import AXIS, SEPTAL, small_study

from cardiotwin.ablation.lesions import ablated_ml
from cardiotwin.ablation.proposals import Proposals
from cardiotwin.calibration.agreement import aligned
from cardiotwin.calibration.scar_evidence import ScarEvidence
from cardiotwin.ecg.recording import Ecg
from cardiotwin.ecg.torso_conductor import TorsoConductor
from cardiotwin.heart.heart import CORE, HEALTHY
from cardiotwin.heart.locations import wall
from cardiotwin.induction.arrhythmias import SCREENED_OUT
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.report.facts import _circuits, answer, report_facts, strict_json
from cardiotwin.report.glossary import CALIBRATION, CONFIDENCE, explained
from cardiotwin.report.html import number, percent
from cardiotwin.report.uncertain import what_is_uncertain
from cardiotwin.segmentation import with_scar
from cardiotwin.segmentation.methods import chosen_method
from cardiotwin.settings import Settings


@pytest.fixture(scope="module")
def study():
    return small_study(4.0)


def test_what_each_plan_burns_is_told_compared_or_not(study):
    """In the order in which plans are shown; no ablation burns nothing and has no row."""
    left_out = ("exit sites: left out, the exit of circuit 1 lies 12.0 mm deep",)
    facts = report_facts(replace(study, proposals=Proposals((), left_out)))
    assert [one["name"] for one in facts["burns"]] == ["isthmus", "homogenise", "wrong"]
    assert facts["burns"] == report_facts(replace(study, comparison=None))["burns"]
    for one, plan in zip(facts["burns"], study.plans, strict=False):
        assert one["healthy_ml"] + one["border_zone_ml"] == pytest.approx(ablated_ml(study.heart, plan)[1])
    assert facts["plans_left_out"] == list(left_out)


def said(study, words):
    return any(words in sentence for sentence in what_is_uncertain(study))


def test_a_shifted_and_scaled_copy_of_the_measured_qrs_agrees_in_full(study):
    posterior = study.posterior
    time = np.arange(0.0, 200.0)
    moved = np.stack([np.interp(time - 23.0, posterior.qrs_ms, lead, 0.0, 0.0) for lead in posterior.measured])
    found = aligned(Ecg(posterior.leads, 0.4 * moved, 1000.0), posterior)
    assert found.shift_ms == pytest.approx(-23.0, abs=1.0)
    assert found.correlation > 0.999
    np.testing.assert_allclose(found.leads, posterior.measured, atol=0.02)


def test_inverted_leads_do_not_agree(study):
    posterior = study.posterior
    step_ms = posterior.qrs_ms[1]
    found = aligned(Ecg(posterior.leads, -posterior.measured, 1000.0 / step_ms), posterior)
    assert found.correlation < 0.7


def test_the_correlation_of_a_lead_is_that_of_the_line_drawn(study, monkeypatch):
    """Members scattered to one side: the ensemble's mean and median differ, and so do their correlations."""
    from cardiotwin.report import figures

    posterior = study.posterior
    late = np.roll(posterior.measured, 12, axis=1)
    fitted = np.where(np.arange(24)[:, None, None] < 9, 3.0 * late, posterior.measured)
    posterior = replace(posterior, fitted=fitted, weights=np.full(24, 1 / 24))
    monkeypatch.setattr(figures, "_svg", lambda figure: figure)
    simulated = aligned(study.confirmation.ecg, posterior)
    first = figures.ecg_fit(posterior, simulated).axes[0]
    lines = {line.get_label(): line.get_ydata() for line in first.get_lines()}
    of_lines = [
        np.corrcoef(lines[name], lines["measured"])[0, 1] for name in lines if "median" in name or "run" in name
    ]
    of_mean = np.corrcoef(fitted.mean(axis=0)[0], lines["measured"])[0, 1]
    assert abs(of_mean - of_lines[0]) > 0.05
    lead = posterior.leads[0]
    assert first.get_title(loc="left") == f"{lead}   r = {of_lines[0]:.2f}, run {of_lines[1]:.2f}"
    facts = report_facts(replace(study, posterior=posterior))
    assert facts["posterior"]["lead_correlation"][lead] == pytest.approx(of_lines[0])
    assert facts["confirmation"]["lead_correlation"][lead] == pytest.approx(of_lines[1])


@pytest.mark.parametrize(("qrs_ms", "outlasts"), [(45.0, True), (60.0, False)])
def test_activation_that_outlasts_the_qrs_by_a_third_is_flagged(study, qrs_ms, outlasts):
    times = study.confirmation.activation.activation_ms[0]
    lasts_ms = float(np.nanmax(times) - np.nanmin(times))
    assert (lasts_ms > 1.3 * qrs_ms) == outlasts
    posterior = replace(study.posterior, notes={"measured QRS, ms": qrs_ms})
    span = report_facts(replace(study, posterior=posterior))["confirmation"]["span"]
    assert span["all_ms"] == pytest.approx(lasts_ms)
    assert span["most_ms"] < lasts_ms
    most = f"to activate the heart, {span['most_ms']:.0f} for 95 % of it"
    told = f"takes {lasts_ms:.0f} ms {most}; the QRS lasts {qrs_ms:.0f} ms"
    assert beside(replace(study, posterior=posterior), told) == outlasts
    assert span["excess"] == (pytest.approx(lasts_ms / qrs_ms - 1) if outlasts else None)


def test_a_ranking_that_is_out_of_date_is_not_called_never_computed(study):
    today = replace(study, comparison=None, arrhythmias=None)
    assert report_facts(today)["answer"]["headline"] == "No arrhythmia has been looked for"
    outdated = replace(today, provenance=replace(today.provenance, twin="case07", ranked_in=3))
    answer = report_facts(outdated)["answer"]
    assert answer["headline"] == "The ranking of plans is out of date: version 3 has the last one"
    assert "cardiotwin report case07 --version 3" in answer["sentence"]


def test_the_interval_shown_holds_nine_tenths_of_the_weight(study):
    bounds = report_facts(study)["posterior"]["velocities_m_per_s"]["fibre"]
    inside = (study.posterior.velocity_fibre >= bounds["low"]) & (study.posterior.velocity_fibre <= bounds["high"])
    assert study.posterior.weights[inside].sum() == pytest.approx(0.9, abs=0.1)


def test_the_order_in_which_members_list_their_sites_does_not_matter(study):
    posterior, rng = study.posterior, np.random.default_rng(4)
    shuffle = rng.permuted(np.tile(np.arange(3), (24, 1)), axis=1)
    rows = np.arange(24)[:, None]
    shuffled = replace(
        posterior,
        site_positions=posterior.site_positions[rows, shuffle],
        site_times_ms=posterior.site_times_ms[rows, shuffle],
    )
    both = [report_facts(replace(study, posterior=one)) for one in (posterior, shuffled)]
    expected, found = (facts["posterior"]["sites"] for facts in both)
    for site, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(site["mean_mm"], other["mean_mm"], atol=1e-9)
        assert site["time_ms"] == pytest.approx(other["time_ms"])
        assert site["spread_mm"] < 10
        assert site["fires_first"] == pytest.approx(other["fires_first"])
    assert sum(site["fires_first"] for site in expected) == pytest.approx(1.0)


def test_where_activation_begins_is_told_with_the_share_that_begins_there(study):
    """All begin at their first site; then a third of the weight begins 40 mm away."""
    first = np.zeros_like(study.posterior.site_times_ms)
    first[:, 1:] = 5.0
    posterior = replace(study.posterior, site_times_ms=first)
    positions, away = posterior.site_positions.copy(), np.arange(24) % 3 == 0
    positions[away] += 40.0
    elsewhere = replace(posterior, site_positions=positions)
    begins, moved = (
        report_facts(replace(study, posterior=one))["posterior"]["begins"] for one in (posterior, elsewhere)
    )
    assert begins["near"] == pytest.approx(1.0)
    assert moved["near"] == pytest.approx(1.0 - posterior.weights[away].sum())
    assert np.linalg.norm(np.subtract(moved["position_mm"], begins["position_mm"])) < 10


def test_volumes_of_the_tissue_classes_add_up(study):
    in_mesh = report_facts(study)["substrate"]["in_mesh"]
    total = study.heart.mesh.volumes.sum() * 1e-3
    assert in_mesh["healthy_ml"] + in_mesh["border_zone_ml"] + in_mesh["core_ml"] == pytest.approx(total)
    assert in_mesh["left_ml"] + in_mesh["right_ml"] == pytest.approx(total)


def test_inductions_are_counted_by_circuit(study):
    facts = report_facts(study)
    assert [circuit["induced"] for circuit in facts["circuits"]] == [4, 1]
    assert facts["circuits"][0]["sites"] == [1, 2]
    assert facts["induction"]["inducible"] == 5


def test_of_each_circuit_it_is_told_after_which_couplings_it_was_induced(study):
    coupled = [(280.0,), (260.0, 220.0), (260.0,), (280.0,), (300.0,), ()]
    inductions = tuple(
        replace(one, couplings_ms=couplings)
        for one, couplings in zip(
            study.arrhythmias.inductions, (coupled * 2)[: len(study.arrhythmias.inductions)], strict=True
        )
    )
    found = replace(study.arrhythmias, inductions=inductions)
    of_first = {one.couplings_ms for one in inductions if one.circuit == 0}
    told = report_facts(replace(study, arrhythmias=found))["circuits"][0]["after"].split("; ")
    assert len(told) == len(of_first)
    assert all(", ".join(f"S{k + 2} {ms:g}" for k, ms in enumerate(one)) in told for one in of_first)
    assert report_facts(study)["induction"]["protocol"] == study.settings.induce.in_words


def test_pacing_sites_are_placed_and_counted_without_what_was_not_paced(study):
    first, *others = study.arrhythmias.inductions
    found = replace(study.arrhythmias, inductions=(*others, replace(first, outcome=SCREENED_OUT, circuit=None)))
    told = report_facts(replace(study, arrhythmias=found))["induction"]["from_sites"]
    assert [(one["site"], one["inducible"], one["tested"]) for one in told] == [(1, 2, 2), (2, 2, 3), (3, 0, 3)]
    for one, position in zip(told, found.site_positions, strict=True):
        assert wall(study.heart, position).startswith(one["place"] + ", ")


def test_a_circuit_is_said_to_turn_around_scar_or_in_the_tissue(study):
    """The same rotation about a line across the ventricle: in healthy tissue, and with scar all along it."""
    heart, circuit = study.heart, study.arrhythmias.circuits[0]
    turning = replace(study.arrhythmias, circuits=(replace(circuit, phase_ms=_turning(study, circuit)),))
    off_line = (heart.mesh.centroids - circuit.isthmus_mm) @ np.stack([SEPTAL, AXIS], axis=1)
    scar = np.linalg.norm(off_line, axis=1) < 9.0
    healthy = np.full(scar.size, HEALTHY, np.uint8)
    (free,) = _circuits(replace(heart, tissue_class=healthy), turning)
    assert free["kind"] == "functional"
    for line in free["filaments"]:
        off = (line["positions"] - circuit.isthmus_mm) @ np.stack([SEPTAL, AXIS], axis=1)
        assert np.linalg.norm(off, axis=1).max() < 1.5 * 4.0, "in a mesh of 4 mm"
    (held,) = _circuits(replace(heart, tissue_class=np.where(scar, CORE, healthy)), turning)
    assert (held["kind"], held["filaments"]) == ("anatomical", [])


def _turning(study, circuit):
    """Phase about the line through the isthmus across the wall, everywhere, ms."""
    out = study.heart.mesh.points - circuit.isthmus_mm
    return (np.arctan2(out @ SEPTAL, out @ AXIS) / (2 * np.pi) % 1.0 * circuit.cycle_length_ms).astype(np.float32)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"outcome": "no closed path", "circuit": None}, "In 2 of 9 combinations tissue was activated again and again"),
    ({"echo": True}, "In 2 of 9 combinations the train alone was followed by a beat"),
])  # fmt: skip
def test_what_is_neither_reentry_nor_its_absence_is_counted(study, change, sentence):
    first, second, *others = study.arrhythmias.inductions
    odd = (replace(first, **change), replace(second, **change), *others)
    assert not said(study, "activated again and again")
    assert not said(study, "followed by a beat")
    assert said(replace(study, arrhythmias=replace(study.arrhythmias, inductions=odd)), sentence)


def test_rule_based_electrodes_are_named_as_uncertain_and_measured_ones_are_not(study):
    assert said(study, "placed by a rule")
    assert not said(replace(study, electrodes=replace(study.electrodes, measured=True)), "placed by a rule")


def test_the_conductor_of_the_ecg_is_named_with_what_it_lacks(study):
    assert said(study, "in an infinite conductor: no skin, lungs or blood")
    points, triangles = np.eye(4, 3), np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1]])
    torso = TorsoConductor(points, triangles, points, np.array([3.0, 5.0, 4.0, 12.0]), np.eye(4, 8), "somebody's torso")
    within = replace(study, electrodes=replace(study.electrodes, conductor=torso))
    assert said(
        within, "in somebody's torso of one conductivity (4 triangles); moved onto its skin by 6 mm on average, 12"
    )
    assert not said(within, "infinite conductor")
    assert not said(replace(study, posterior=None, confirmation=None), "conductor"), "no ECG, no conductor"


def test_where_the_ecg_would_have_electrodes_that_nobody_measured_is_said(study):
    """Twelve members as placed, twelve 10 mm to the left and 20 mm lower."""
    moved = np.where(np.arange(len(study.posterior.weights))[:, None] % 2, 1.0, 0.0) * (10.0, 0.0, -20.0)
    positions = study.electrodes.positions + moved[:, None]
    even = np.full(len(moved), 1.0 / len(moved))
    posterior = replace(study.posterior, weights=even, electrode_positions=positions)
    told = replace(study, posterior=posterior)
    assert said(told, "mm left (+0 to +10), ")
    assert said(told, "mm down (-20 to ")
    assert not said(study, "the ensemble tries others")


def test_one_border_zone_profile_is_said_to_be_one(study):
    assert said(study, "Only one border-zone profile (structural)")
    inductions = study.arrhythmias.inductions
    both = (*inductions[1:], replace(inductions[0], profile="structural_and_ionic"))
    assert not said(replace(study, arrhythmias=replace(study.arrhythmias, inductions=both)), "Only one border-zone")


def test_what_could_not_be_tested_is_counted(study):
    first = replace(study.arrhythmias.inductions[0], outcome="site ablated", circuit=None)
    arrhythmias = replace(study.arrhythmias, inductions=(first, *study.arrhythmias.inductions[1:]))
    assert said(replace(study, arrhythmias=arrhythmias), "1 of 9 combinations could not be tested: site ablated")


def test_a_large_tuning_error_and_a_poor_fit_are_said(study):
    assert not said(study, "misses what was asked for")
    poor = replace(study.confirmation, tuning_error={"fibre": 0.11})
    assert said(replace(study, confirmation=poor), "misses what was asked for: fibre +11 %")
    assert not said(study, "started no wave")
    silent = replace(study.confirmation, site_delay_ms=np.array([4.0, 76.0, np.inf]))
    assert said(replace(study, confirmation=silent), "activation site 2, 3 of 3 started no wave")
    posterior = replace(study.posterior, correlation=np.full(24, 0.62))
    assert said(replace(study, posterior=posterior), "median correlation of the eikonal ensemble 0.62")


def test_the_answer_says_how_many_draws_it_rests_on_and_how_well_the_ecg_is_explained(study):
    assert answer(study)["caveats"] == [
        "3 of 3 draws could be induced; with so few the probability rests on the prior."
    ]
    inductions = tuple(
        replace(one, circuit=None, outcome="not inducible") if one.draw == 1 else one
        for one in study.arrhythmias.inductions
    )
    posterior = replace(study.posterior, correlation=np.full(24, 0.81))
    weak = replace(study, arrhythmias=replace(study.arrhythmias, inductions=inductions), posterior=posterior)
    assert answer(weak)["caveats"] == [
        "2 of 3 draws could be induced; with so few the probability rests on the prior.",
        "The ECG is not explained well: median correlation of the eikonal ensemble 0.81, expected 0.90 or more.",
    ]


def with_settings(study, **sections):
    return replace(study, settings=Settings.model_validate(sections))


def beside(study, words):
    return any(words in sentence for sentence in answer(study)["caveats"])


def test_a_border_zone_that_is_not_physiological_is_said_where_it_was_used(study):
    odd = {"border_zone_apd_factor": 2.0}
    paced = with_settings(study, tissue=odd, induce={"cell_model": "mitchell_schaeffer"})
    assert said(paced, "not physiological: its action potential is 2 times the healthy one")
    assert beside(paced, "published 1.11")
    assert not said(with_settings(study, induce={"cell_model": "mitchell_schaeffer"}), "not physiological")
    assert not said(with_settings(study, tissue=odd), "not physiological"), "the detailed model does not read it"
    structural = {"cell_model": "mitchell_schaeffer", "border_zone_profiles": ["structural"]}
    assert not said(with_settings(study, tissue=odd, induce=structural), "not physiological")


def test_what_was_not_tested_again_is_said(study):
    spared = with_settings(study, compare={"retest": "inducible"})
    assert said(spared, "was not tested again after it")
    assert beside(spared, "no plan could come out worse")
    assert not said(study, "tested again")
    assert not said(replace(spared, comparison=None), "tested again")


def test_plans_cut_from_the_draws_they_are_tested_on_are_called_in_sample(study):
    assert said(study, "In-sample")
    assert not said(replace(study, plans=study.plans[1:]), "In-sample")


def test_a_front_widened_for_the_mesh_is_said_with_what_starts_a_wave_on_it(study):
    simple = {"cell_model": "mitchell_schaeffer"}
    wide = with_settings(study, induce={**simple, "electrode_radius_mm": 5.0}, simulate={"site_radius_mm": 5.0})
    tau_in = 4.0 / (8.0 * 0.35 * 0.86 * study.posterior.interval(study.posterior.velocity_cross)[1])
    assert said(wide, f"coarse (4 mm): the wave front is widened up to {tau_in / 0.3:.1f} times")
    assert said(wide, "electrodes 5 mm in radius in place of 3, activation sites 5 mm in place of 2.5")
    assert not said(with_settings(study, induce=simple), "wider too")
    assert not said(study, "widened"), "the detailed model's front is what it is"
    fine = replace(wide, heart=replace(study.heart, edge_mm=0.2))
    assert not said(fine, "widened")


def test_a_phantom_is_called_one(study):
    observations = study.provenance.observations
    assert report_facts(study)["phantom"] is None
    made = replace(study.provenance, observations=(replace(observations[0], synthetic=True), *observations[1:]))
    assert report_facts(replace(study, provenance=made))["phantom"].startswith("PHANTOM PATIENT")
    assert said(replace(study, provenance=made), "phantom")
    assert not said(study, "phantom")


def test_the_strictest_count_of_independent_members_is_shown(study):
    assert report_facts(study)["posterior"]["independent_members"] < 17.3
    weights = np.full(24, 1 / 24)
    notes = {"effective sample size": 17.3, "distinct members": 24.0, "ancestors": 5.0}
    posterior = replace(study.posterior, weights=weights, notes=notes)
    facts = report_facts(replace(study, posterior=posterior))["posterior"]
    assert (facts["independent_members"], facts["fewest_by"]) == (5.0, "ancestors")
    assert said(replace(study, posterior=posterior), "Few members carry the ensemble: 5 of 24 (ancestors)")
    posterior = replace(posterior, notes=notes | {"ancestors": 20.0})
    facts = report_facts(replace(study, posterior=posterior))["posterior"]
    assert (facts["independent_members"], facts["fewest_by"]) == (17.3, "effective sample size")


def test_every_number_of_segmentation_and_calibration_is_explained():
    """The names are read from the code that writes them."""
    from cardiotwin.calibration import fit
    from cardiotwin.segmentation import segment

    confidence = segment(image(scar=scar_mask(70, range(2, 5)))).confidence
    assert set(confidence) <= set(CONFIDENCE)
    notes = re.findall(r'^ +"([^"]+)": ', inspect.getsource(fit._posterior), re.MULTILINE)
    assert len(notes) > 5
    assert set(notes) <= set(CALIBRATION)
    unknown = explained({"odd": 1.0}, CALIBRATION)
    assert unknown == [{"name": "odd", "value": 1.0, "meaning": "", "good": ""}]


def test_slices_are_counted_alike_in_the_table_and_above_the_pictures(monkeypatch):
    from cardiotwin.pictures import short_axis as pages
    from cardiotwin.segmentation import segment

    drawn, figure = [], pages.new_figure
    monkeypatch.setattr(pages, "new_figure", lambda *size: drawn.append(figure(*size)) or drawn[-1])
    found = segment(image(scar=scar_mask(70, range(2, 5))))
    pages.slices(None, found)
    shown = zip(_with_wall(found), drawn[0].axes, strict=False)
    named = [axes.get_title().removeprefix("slice ") for k, axes in shown if (found.labels[k] == 1).any()]
    assert found.confidence["slices"] == f"{named[0].split()[0]} to {named[-1]}"


def _with_wall(found):
    """Slices that are drawn, in their order: those in which there is wall, a cap without a cavity at the apex too."""
    return np.flatnonzero(np.isin(found.labels, (2, 4, 5)).any(axis=(1, 2)))


def test_a_setting_is_listed_once_with_the_stages_that_read_it(study):
    same, other = {"tissue.cell_model": "tor_ord_2019", "mesh.edge_mm": "1.0"}, {"mesh.edge_mm": "0.8"}
    first, *_ = study.provenance.stages
    stages = [replace(first, stage=s, settings=t) for s, t in (("mesh", same), ("induce", same), ("compare", other))]
    listed = report_facts(replace(study, provenance=replace(study.provenance, stages=tuple(stages))))["settings"]
    assert [tuple(one.values()) for one in listed] == [
        ("tissue.cell_model", "tor_ord_2019", ["mesh", "induce"]),
        ("mesh.edge_mm", "1.0", ["mesh", "induce"]),
        ("mesh.edge_mm", "0.8", ["compare"]),
    ]


def test_a_number_that_is_not_known_is_null():
    assert strict_json({"a": float("nan"), 1: np.float32(2.5), "c": (np.int64(3), np.bool_(True), np.inf)}) == {
        "a": None, "1": 2.5, "c": [3, True, None],
    }  # fmt: skip


def test_rounding_never_turns_rare_into_never():
    assert percent(0.0) == "0 %"
    assert percent(0.001) == "< 1 %"
    assert percent(0.999) == "> 99 %"
    assert percent(1.0) == "100 %"
    assert number(-1.26, 1) == "\u22121.3"


def test_every_confidence_is_shown_also_as_it_comes_back_from_the_store():
    """What is stored as JSON has lists where there were tuples; a report that could not show them ended a demo."""
    from cardiotwin.report.html import plain
    from cardiotwin.segmentation import segment

    confidence = segment(image(scar=scar_mask(70, range(2, 5)))).confidence
    stored = json.loads(json.dumps(confidence))
    assert isinstance(stored["by_slice"], list)
    assert {name: plain(value) for name, value in stored.items()} == {n: plain(v) for n, v in confidence.items()}


def test_the_share_of_scar_by_other_methods_is_of_the_wall_they_look_in(study):
    """Not of the mesh, which is rounded off at apex and base: the same image beside a heart of twice the volume."""
    segmentation = study.segmentation
    wall = np.isin(segmentation.labels, (2, 4, 5)) & np.isfinite(segmentation.signal)
    mesh = study.heart.mesh
    larger = replace(study.heart, mesh=Mesh(2.0 ** (1 / 3) * mesh.points, mesh.tets))
    for one in (study, replace(study, heart=larger)):
        used = report_facts(one)["substrate"]["sweep"][0]
        found = with_scar(segmentation, chosen_method(study.settings.segment)).labels
        assert used["of_left"] == pytest.approx(np.isin(found, (4, 5)).sum() / wall.sum())


def test_what_the_t_wave_says_is_told_with_its_own_names_and_shares():
    study = small_study(4.0)
    found, told = study.ensemble_beat.repolarisation, report_facts(study)["recovery"]
    assert list(told["durations_ms"]) == ["mean duration", "endocardium to epicardium", "apex to base", "left to right"]
    assert told["durations_ms"]["apex to base"]["median"] == pytest.approx(np.median(found.gradients_ms[:, 1]))
    assert list(told["informed"].values()) == pytest.approx(found.informed.tolist())
    assert any("T wave was fitted" in one for one in report_facts(study)["uncertain"])
    without = replace(study, ensemble_beat=replace(study.ensemble_beat, repolarisation=None, note="no T wave"))
    assert report_facts(without)["recovery"] == {"note": "no T wave"}
    assert any("Only the QRS complex was fitted" in one for one in report_facts(without)["uncertain"])


def test_weighed_thresholds_are_told_row_by_row():
    n = np.array([1.0, 2.0])
    evidence = ScarEvidence(
        np.array([[0.3, 0.7], [0.4, 0.6]]), n, 2 * n, np.array([-9.0, -2.0]), 0.1 * n, 0.4 * n, ("", "")
    )
    told = report_facts(replace(small_study(4.0), scar_evidence=evidence))["scar_evidence"]
    assert (told["decided"], told["weighed"]) == (True, 2)
    assert told["rows"][1]["core_threshold"] == 0.6
    assert told["rows"][1]["border_zone_g"] == 4.0
    assert told["rows"][1]["probability"] > 0.99
    assert told["rows"][0]["log_evidence"] == -9.0


def test_leads_that_are_not_explained_are_named():
    study = small_study(4.0)
    posterior = study.posterior
    turned = posterior.fitted.copy()
    turned[:, posterior.leads.index("V2")] *= -1.0
    said = what_is_uncertain(replace(study, posterior=replace(posterior, fitted=turned)))
    (one,) = [text for text in said if "does not explain" in text]
    assert "V2 (-" in one
    assert "V3" not in one
    assert not any("does not explain" in text for text in what_is_uncertain(study))
