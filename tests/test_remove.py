"""An input taken out of use is as if it had never come, but for what the audit remembers."""

import json

import pytest
from made_dicom import ecg, twelve_leads, write
from small_twin import contents, electrodes_file, layout, new_twin

from cardiotwin import cli, presets
from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import PolicyRefusal, SettingsError
from cardiotwin.storage.ledger import Observation
from cardiotwin.twin.twin import Twin


@pytest.fixture
def twin(tmp_path):
    made = new_twin(tmp_path / "case")
    made.add([electrodes_file(tmp_path, 1.0)], at="2026-01-01")
    return made


def second(twin: Twin, tmp_path) -> Observation:
    return twin.add([electrodes_file(tmp_path, 2.0)], at="2026-02-01").observations[0]


def test_what_was_made_from_it_is_stale_and_the_earlier_results_are_found_again(twin, tmp_path):
    twin.run()
    before = contents(twin)
    added = second(twin, tmp_path)
    twin.run()
    twin.remove(added.sha256)
    states = {step.name: step.state for step in twin.status().steps}
    assert states == {"anatomy": "current", "fit 1": "current", "pace": "current", "report": "stale"}
    assert contents(twin) == before
    assert twin.run().computed == ("report",)


def test_without_its_only_input_a_stage_is_missing_and_its_result_no_longer_given(twin):
    twin.run()
    twin.remove(twin.status().observations[0].sha256)
    assert {step.name: step.state for step in twin.status().steps}["pace"] == "missing"
    assert twin.run().missing


def test_files_and_audit_stay_and_adding_again_brings_it_back(twin, tmp_path):
    added = second(twin, tmp_path)
    twin.remove(added.sha256[:6])
    assert (twin.folder / "observations" / added.sha256 / "manifest.json").is_file()
    with twin.ledger._open() as database:
        (detail,) = database.execute("SELECT detail FROM audit WHERE event = 'removed'").fetchone()
    assert json.loads(detail) == vars(added)
    twin.check()
    assert second(twin, tmp_path).sha256 == added.sha256
    assert len(twin.status().observations) == 2


def test_the_input_that_was_replaced_is_in_use_again(tmp_path):
    twin = Twin.create(tmp_path / "real", presets.settings_text(presets.preset("default"), ""))
    old, new = (twin.add([electrodes_file(tmp_path, x)]).observations[0].sha256 for x in (1.0, 2.0))
    assert set(twin.status().used_by) == {new}
    twin.remove(new)
    assert set(twin.status().used_by) == {old}


@pytest.mark.parametrize("prefix", ["", "abc", "zzzzzz", "%%%%%%", "0" * 65])
def test_what_is_no_prefix_is_refused(twin, prefix):
    with pytest.raises(SettingsError, match="6 to 64 hexadecimal digits"):
        twin.remove(prefix)


def test_an_unknown_or_ambiguous_prefix_is_refused_and_nothing_changed(twin):
    twins = [Observation(f"abcdef{i}", "electrodes", "", "", "", "", "", "") for i in range(2)]
    twin.ledger.add(twins)
    before = twin.ledger.observations()
    with pytest.raises(SettingsError, match="2 of 3 inputs begin so"):
        twin.remove("ABCDEF")
    with pytest.raises(SettingsError, match="0 of 3 inputs begin so"):
        twin.remove("abcdef7")
    assert twin.ledger.observations() == before


def test_a_twin_remembers_whose_it_is(tmp_path):
    """Its earlier versions were made from the first patient: a second one needs another twin."""
    twin = Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""), layout)
    first = twin.add([write(tmp_path / "a", [ecg(twelve_leads(), LEADS)])]).observations[0]
    twin.remove(first.sha256)
    other = ecg(2 * twelve_leads(), LEADS, PatientID="somebody else", SOPInstanceUID="1.2.9")
    with pytest.raises(PolicyRefusal, match="another patient"):
        twin.add([write(tmp_path / "b", [other])])


def test_the_command_says_what_it_took_out(twin, capsys):
    sha256 = twin.status().observations[0].sha256
    assert cli.execute(["remove", str(twin.folder), sha256[:8]]) == 0
    assert f"out of use: electrodes of 2026-01-01T00:00:00 ({sha256[:12]})" in capsys.readouterr().out
    assert cli.execute(["remove", str(twin.folder), sha256[:8]]) == 2
