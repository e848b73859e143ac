"""Only what is stale is computed, order of arrival decides nothing, and nothing is taken on trust."""

import shutil
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from small_twin import CALLS, Number, contents, electrodes_file, layout, new_twin

from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.recording import LEADS, Ecg
from cardiotwin.errors import IntegrityError, PolicyRefusal, QualityGate, ResourceLimit, SettingsError
from cardiotwin.ingest import same_person
from cardiotwin.phantom.dicom_ecg import write_dicom_ecg
from cardiotwin.phantom.patient import phantom_patient
from cardiotwin.storage.ledger import Observation
from cardiotwin.storage.lock import locked
from cardiotwin.twin.planning import readable
from cardiotwin.twin.stages import NO_ECG, path
from cardiotwin.twin.status import Added
from cardiotwin.twin.step import Step, Work
from cardiotwin.twin.twin import Twin


@pytest.fixture
def twin(tmp_path):
    made = new_twin(tmp_path / "case")
    made.add([electrodes_file(tmp_path, 1.0)], at="2026-01-01")
    return made


def set_value(twin: Twin, old: str, new: str) -> Twin:
    """Edit twin.toml as a user would."""
    path = twin.folder / "twin.toml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    CALLS.clear()
    return Twin(twin.folder, layout)


def states(twin: Twin) -> dict[str, str]:
    return {step.name: step.state for step in twin.status().steps}


def test_a_first_run_computes_everything_in_order(twin):
    done = twin.run()
    assert CALLS == ["anatomy", "fit", "pace", "write"]
    assert (done.version, done.is_new_version, done.missing) == (1, True, ())
    assert set(states(twin).values()) == {"current"}


def test_running_with_nothing_new_computes_nothing(twin):
    twin.run()
    CALLS.clear()
    done = Twin(twin.folder, layout).run()
    assert CALLS == []
    assert (done.computed, done.version, done.is_new_version) == ((), 1, False)


def test_a_setting_makes_its_stage_and_what_follows_stale_and_nothing_else(twin):
    twin.run()
    edited = set_value(twin, "n_sites = 5", "n_sites = 6")
    assert states(edited) == {"anatomy": "current", "fit 1": "stale", "pace": "stale", "report": "stale"}
    assert edited.run().computed == ("fit 1", "pace", "report")


def because(twin: Twin) -> dict[str, str]:
    return {step.name: step.because for step in twin.status().steps}


def test_status_names_the_setting_that_changed_and_what_follows_from_it(twin):
    twin.run()
    assert set(because(twin).values()) == {""}
    assert because(set_value(twin, "n_sites = 5", "n_sites = 6")) == {
        "anatomy": "", "fit 1": "setting calibrate.n_sites changed", "pace": "depends on fit 1",
        "report": "depends on pace",
    }  # fmt: skip


def test_status_names_the_input_that_was_added(twin, tmp_path):
    """It is older than the known one: `fit 1` is now of it, `fit 2` of both."""
    twin.run()
    twin.add([electrodes_file(tmp_path, 2.0)], at="2025-01-01")
    assert because(twin) == {
        "anatomy": "", "fit 1": "input added: electrodes", "fit 2": "",
        "pace": "depends on fit 2", "report": "depends on pace",
    }  # fmt: skip


def test_status_says_when_the_program_changed_and_when_a_result_is_gone(twin, monkeypatch):
    from cardiotwin.twin import planning

    twin.run()
    shutil.rmtree(twin.store.path(next(one.key for one in twin.planned() if one.step.name == "fit 1")))
    assert because(twin)["fit 1"] == "its result is gone"
    real = planning.code_version
    monkeypatch.setattr(planning, "code_version", lambda function: real(function)[::-1])
    assert because(twin)["anatomy"] == "program changed"
    assert because(twin)["pace"] == "program changed; depends on anatomy, fit 1"


def traced(work: Work, drawn: Electrodes) -> Number:
    return Number(np.full(20_000, drawn.positions.sum()))


def renamed(work: Work) -> Number:
    return Number(np.zeros(20_000))


def made_by(function, inputs):
    """The layout with `anatomy` made otherwise."""

    def other(observations):
        observations = tuple(observations)
        named = dict.fromkeys(inputs, f"sha256:{observations[0].sha256}")
        return (Step("anatomy", "mesh", function, named, ("induce",)), *layout(observations)[1:])

    return other


def test_a_stage_made_from_another_kind_of_input_blames_neither_program_nor_settings(twin):
    twin.run()
    drawn = Twin(twin.folder, made_by(traced, ["drawn"]))
    assert because(drawn)["anatomy"] == "made from another kind of input now"
    assert because(drawn)["fit 1"] == "depends on anatomy"


def test_a_function_of_another_name_with_the_same_inputs_is_the_program_changed(twin):
    twin.run()
    assert because(Twin(twin.folder, made_by(renamed, [])))["anatomy"].startswith("program changed; setting")


def test_a_stage_that_was_not_computed_took_no_time_rather_than_none_at_all(twin):
    assert {step.seconds for step in twin.status().steps} == {None}
    twin.run()
    assert all(step.seconds is not None and step.seconds >= 0 for step in twin.status().steps)


def test_a_setting_no_stage_reads_makes_nothing_stale(twin):
    twin.run()
    assert set_value(twin, "latest_site_ms = 20.0", "latest_site_ms = 21.0").run().computed == ()


def test_how_many_workers_computed_a_result_is_not_part_of_it(twin):
    twin.run()
    assert set_value(twin, "workers = 0", "workers = 1").run().computed == ()


def test_a_stage_cannot_read_a_setting_outside_its_key(twin):
    """`fit` declares calibrate.n_sites only; all else of the section is not there for it."""
    chosen = readable(twin.settings, ("calibrate.n_sites",))
    assert chosen.calibrate.n_sites == 5
    assert not hasattr(chosen.calibrate, "seed")
    assert not hasattr(chosen, "mesh")


def test_a_setting_put_back_finds_its_result_again(twin):
    twin.run()
    set_value(twin, "n_sites = 5", "n_sites = 6").run()
    done = set_value(twin, "n_sites = 6", "n_sites = 5").run()
    assert CALLS == ["write"]
    assert (done.version, done.is_new_version) == (3, True)
    versions = twin.ledger.versions()
    assert versions[0].keys == versions[2].keys != versions[1].keys


def test_a_second_observation_recomputes_from_there_on_and_keeps_the_earlier_version(twin, tmp_path):
    twin.run()
    before = twin.result("induce")
    first = twin.ledger.versions()[0]
    CALLS.clear()
    twin.add([electrodes_file(tmp_path, 2.0)], at="2026-02-01")
    assert states(twin) == {
        "anatomy": "current", "fit 1": "current", "fit 2": "not computed", "pace": "stale", "report": "stale",
    }  # fmt: skip
    assert twin.run().computed == ("fit 2", "pace", "report")
    assert (twin.result("induce").value != before.value).any()
    assert all(twin.store.has(key) for key in first.keys.values())
    assert twin.ledger.versions()[1].computed == ("fit 2", "pace")


def test_the_order_of_arrival_decides_nothing(tmp_path):
    """Three observations in several orders, with a run after each, end in the same bits as all at once."""
    days = {1.0: "2026-01-01", 2.0: "2026-01-02", 3.0: ""}
    ends = set()
    for number, order in enumerate([(1.0, 2.0, 3.0), (3.0, 2.0, 1.0), (2.0, 3.0, 1.0)]):
        twin = new_twin(tmp_path / f"case{number}")
        for x in order:
            twin.add([electrodes_file(tmp_path, x)], at=days[x])
            twin.run("calibrate")
        ends.add(tuple(contents(twin).items()))
    assert len(ends) == 1


def test_adding_twice_is_adding_once(twin, tmp_path):
    assert twin.add([electrodes_file(tmp_path, 1.0)], at="2026-03-01") == Added((), ())
    assert len(twin.status().observations) == 1


def test_one_bad_file_keeps_the_others_out(twin, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("name,x_mm,y_mm,z_mm\nLA,1,2,not a number\n")
    before = contents(twin), twin.status().observations
    with pytest.raises(Exception, match=r"bad\.csv"):
        twin.add([electrodes_file(tmp_path, 5.0), bad])
    assert (contents(twin), twin.status().observations) == before


def test_without_an_ecg_the_run_stops_there_and_says_what_to_add(tmp_path):
    twin = new_twin(tmp_path / "case")
    done = twin.run()
    assert CALLS == ["anatomy", "write"]
    assert done.missing == (NO_ECG,)
    assert twin.report.read_text() == "version 1: no result"
    with pytest.raises(QualityGate, match="calibrate of case needs a 12-lead ECG"):
        twin.run("calibrate")


def test_until_computes_a_stage_and_what_it_needs(twin):
    assert twin.run("calibrate").computed == ("anatomy", "fit 1")
    assert states(twin)["pace"] == "not computed"
    with pytest.raises(QualityGate, match="pace of case is not up to date"):
        twin.result("induce")


def test_a_stage_s_result_is_the_last_of_its_main_steps_and_others_go_by_their_names(twin, monkeypatch):
    """Two ECGs: the posterior of both, not what else is said of the ensemble."""
    given = []
    ecgs = tuple(Observation(f"{k:064x}", "ecg", "", "", "", "", "", "") for k in (1, 2))
    plan = tuple(SimpleNamespace(step=step, missing="") for step in path(ecgs))
    monkeypatch.setattr(Twin, "view", lambda self: SimpleNamespace(plan=plan))
    done = SimpleNamespace(is_done=lambda one: True, result=lambda one: given.append(one.step.name))
    monkeypatch.setattr(Twin, "_workshop", lambda self, view: done)
    for stage in ("calibrate", "simulate", "beat of the ensemble", "site library", "plan"):
        twin.result(stage)
    assert given == ["calibrate, ECG 2", "simulate", "beat of the ensemble", "site library", "plan"]
    with pytest.raises(SettingsError, match="expected one of segment, mesh"):
        twin.result("report")


def test_a_changed_artefact_is_refused_where_it_is_used_and_named(twin, tmp_path):
    twin.run()
    key = next(one.key for one in twin.planned() if one.step.name == "anatomy")
    victim = twin.store.path(key) / "value.npy"
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x01")
    with pytest.raises(IntegrityError, match=key):
        twin.check()
    with pytest.raises(IntegrityError, match=key):
        set_value(twin, "n_sites = 5", "n_sites = 6").run()
    shutil.rmtree(twin.store.path(key))
    assert "anatomy" in Twin(twin.folder, layout).run().computed


def test_an_artefact_made_elsewhere_is_refused_even_with_a_valid_manifest(twin, tmp_path):
    """Same key, own manifest, other numbers: the ledger remembers what was computed here."""
    twin.run()
    one = next(one for one in twin.planned() if one.step.name == "anatomy")
    value = twin.result("mesh")
    value.value[0] += 1.0
    twin.store.put(one.recipe, value, 0.0)
    with pytest.raises(IntegrityError, match="not the one this twin computed"):
        twin.result("mesh")


def test_the_second_writer_is_refused_and_told_who_the_first_is(twin):
    with locked(twin.folder / "lock"), pytest.raises(ResourceLimit, match=r"case: in use by process \d+ on"):
        twin.run()


def test_a_dead_writers_lock_is_taken_over_and_logged(twin):
    (twin.folder / "lock").write_text('{"pid": 1, "host": "gone", "boot": "b", "started": "2020"}')
    twin.run("mesh")
    with twin.ledger._open() as database:
        events = [row[0] for row in database.execute("SELECT event FROM audit")]
    assert "stale lock taken over" in events


def test_an_unknown_key_in_twin_toml_is_refused(twin):
    with pytest.raises(SettingsError, match=r"twin\.toml: unknown key `mesh\.edge`"):
        set_value(twin, "edge_mm = 1.0", "edge = 1.0")


def test_a_folder_with_something_in_it_does_not_become_a_twin(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SettingsError, match="not empty"):
        new_twin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_people_are_two_people_unless_a_file_is_silent():
    assert same_person("a-b-c", "a-b-c")
    assert same_person("a--c", "a-b-")
    assert same_person("", "a-b-c")
    assert not same_person("a-b-c", "a-x-c")


def test_somebody_elses_input_is_refused_and_nothing_kept(twin, monkeypatch, tmp_path):
    from cardiotwin.twin import observations

    real = observations.find

    def stamped(identity):
        def find(path, **options):
            return [
                observations.Found(one.kind, one.value, one.source, identity=identity) for one in real(path, **options)
            ]

        return find

    monkeypatch.setattr(observations, "find", stamped("id1/1950/M"))
    twin.add([electrodes_file(tmp_path, 2.0)])
    monkeypatch.setattr(observations, "find", stamped("id2/1950/M"))
    with pytest.raises(PolicyRefusal, match="another patient"):
        twin.add([electrodes_file(tmp_path, 3.0)])
    assert len(twin.status().observations) == 2


def test_two_people_in_one_call_are_refused(twin, monkeypatch, tmp_path):
    from cardiotwin.twin import observations

    found = [observations.Found("plan", i, "x", identity=f"id{i}/1950/M") for i in range(2)]
    monkeypatch.setattr(observations, "find", lambda path, **options: found)
    with pytest.raises(PolicyRefusal):
        twin.add([tmp_path])


def test_provenance_names_what_every_stage_was_made_from(twin):
    twin.run()
    known = twin.provenance()
    fit = next(stage for stage in known.stages if stage.stage == "fit 1")
    anatomy = next(stage for stage in known.stages if stage.stage == "anatomy")
    assert fit.inputs == {"heart": anatomy.key, "seen.0": f"sha256:{known.observations[0].sha256}"}
    assert fit.settings == {"calibrate.n_sites": "5"}


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_twin_knows_a_phantom_by_what_its_dicom_says(twin, tmp_path, synthetic):
    """Synthetic Data (0008,001C), which every phantom of ours sets; the copy that is kept need not."""
    path = write_dicom_ecg(tmp_path / "ecg.dcm", an_ecg(), phantom_patient(1), date="20240312")
    if not synthetic:
        dataset = pydicom.dcmread(path)
        del dataset.SyntheticData
        dataset.save_as(path)
    assert not twin.provenance().phantom
    twin.add([path])
    assert Twin(twin.folder, layout).provenance().phantom == synthetic


def an_ecg() -> Ecg:
    """A beat a second, each lead of its own height."""
    time_s = np.arange(5000) / 500
    beat = np.exp(-((((time_s - 0.5) % 1.0) - 0.5) ** 2) / (2 * 0.015**2))
    mv = np.stack([0.2 * (k + 1) * beat for k in range(12)])
    mv[2] = mv[1] - mv[0]
    mv[3], mv[4], mv[5] = -(mv[0] + mv[1]) / 2, mv[0] - mv[1] / 2, mv[1] - mv[0] / 2
    return Ecg(LEADS, mv, 500.0)


def test_every_file_of_a_twin_is_private(twin):
    twin.run()
    modes = {(path.is_dir(), path.stat().st_mode & 0o077) for path in twin.folder.rglob("*")}
    assert modes == {(True, 0), (False, 0)}
