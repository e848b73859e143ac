"""A recorded tachycardia is said to be one, reaches the report and nothing before it, and is scored there."""

from dataclasses import replace

import numpy as np
import pytest
from small_study import small_study
from test_clinical_tachycardia import recorded

from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.induction.clinical_tachycardia import ClinicalTachycardia
from cardiotwin.ingest import Wanted
from cardiotwin.report import figures
from cardiotwin.report.facts import report_facts, strict_json
from cardiotwin.report.tachycardias import best_fit_line, scored, tachycardias
from cardiotwin.settings import Settings
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin import planning, stages
from cardiotwin.twin.observations import find
from cardiotwin.twin.twin import Twin

SAID = Wanted(kind="tachycardia")


def keys(*kinds):
    seen = [Observation(f"{number:064x}", kind, *[""] * 6) for number, kind in enumerate(kinds)]
    return {one.step.name: one.key for one in planning.planned(stages.path(seen), Settings(), 0)}


def test_a_tachycardia_makes_only_the_report_stale():
    before, after = keys("mesh", "ecg"), keys("mesh", "ecg", "tachycardia")
    assert {name for name in after if after[name] != before.get(name)} == {"report"}


@pytest.fixture(scope="module")
def study():
    return small_study(4.0)


def written(path, ecg):
    rows = np.column_stack([np.arange(ecg.mv.shape[1]) / ecg.hz, ecg.mv.T])
    np.savetxt(path, rows, delimiter=",", header=",".join(("time_s", *LEADS)), comments="", fmt="%.5f")
    return path


def with_recording(study, number):
    # Noise and wander of each lead by itself would break Einthoven's law, which files are held to.
    ecg = recorded(tachycardias(study).seen[number], seconds=6.0, hz=500, noise_mv=0.004, wander_mv=0.0)
    return replace(study, tachycardia=ClinicalTachycardia(ecg))


def test_an_ecg_is_a_tachycardia_where_that_is_said(study, tmp_path):
    path = written(tmp_path / "vt.csv", with_recording(study, 0).tachycardia.ecg)
    (told,) = find(path, wanted=replace(SAID, unit="mV"))
    assert told.kind == "tachycardia"
    assert any("cycle length 300 ms" in note for note in told.kept)
    (plain,) = find(path, wanted=Wanted(unit="mV"))
    assert plain.kind == "ecg"


def test_what_is_no_regular_tachycardia_is_refused_at_the_door(study, tmp_path):
    ecg = with_recording(study, 0).tachycardia.ecg
    path = tmp_path / "vt.csv"
    slow = np.repeat(ecg.mv, 4, axis=1)[:, : 4 * 1000]
    with pytest.raises(QualityGate, match="no regular rhythm"):
        find(written(path, replace(ecg, mv=slow)), wanted=replace(SAID, unit="mV"))
    plan = tmp_path / "plan.csv"
    plan.write_text(
        "name,x,y,z\nRA,1,2,3\nLA,4,5,6\nLL,7,8,9\nV1,1,1,1\nV2,2,2,2\nV3,3,3,3\nV4,4,4,4\nV5,5,5,5\nV6,6,6,6\n"
    )
    with pytest.raises(InputRejected):
        find(plan, wanted=SAID)


def test_a_twin_keeps_it_and_tells_where_it_is_fitted_too(study, tmp_path):
    path = written(tmp_path / "vt.csv", with_recording(study, 0).tachycardia.ecg)
    twin = Twin.create(tmp_path / "case", "")
    twin.add([path], wanted=Wanted(unit="mV"))
    added = twin.add([path], wanted=replace(SAID, unit="mV"))
    assert [one.kind for one in added.observations] == ["tachycardia"]
    assert any("calibration fits" in note for note in added.notes)
    assert [ecg.leads for ecg, _ in twin.ecgs()] == [LEADS]


@pytest.mark.parametrize("number", [0, 1])
def test_the_report_names_the_circuit_that_was_recorded(study, number):
    recorded_study = with_recording(study, number)
    facts = strict_json(report_facts(recorded_study))["clinical_tachycardia"]
    assert facts["circuits"][0]["number"] == number + 1
    assert facts["circuits"][0]["correlation"] > 0.95
    assert len(facts["circuits"]) == 2
    assert f"circuit {number + 1} fits best" in best_fit_line(recorded_study)
    found = scored(recorded_study)
    assert figures.tachycardia_match(found.matches[found.best]).startswith(b"<?xml")


def test_without_one_nothing_is_scored_and_circuits_are_followed_all_the_same(study):
    facts = strict_json(report_facts(study))
    assert facts["clinical_tachycardia"] is None
    assert best_fit_line(study) == ""
    first = facts["followed"][0]
    assert (first["number"], first["draws"], first["cycle_length_ms"]) == (1, 3, [312.0, 324.0])
    assert first["isthmus_spread_mm"] == pytest.approx(2.0)
