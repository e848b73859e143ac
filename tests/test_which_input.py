"""Of several inputs of one kind, the one in use is the newest, and the twin says which that is."""

import re
from pathlib import Path

import pytest
from small_twin import electrodes_file

from cardiotwin import cli, presets, printed_results
from cardiotwin.storage.ledger import Ledger, Observation
from cardiotwin.twin.stages import path
from cardiotwin.twin.twin import Twin


@pytest.fixture
def twin(tmp_path):
    return Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""))


def in_use(twin: Twin) -> list[str]:
    return [one.sha256 for one in twin.status().observations if one.sha256 in twin.status().used_by]


def add(twin: Twin, folder: Path, x_mm: float, at: str = "") -> str:
    return twin.add([electrodes_file(folder, x_mm)], at=at).observations[0].sha256


@pytest.mark.parametrize("kind", ["image", "label_map", "electrodes"])
@pytest.mark.parametrize("hashes", ["ab", "ba"])
def test_of_undated_inputs_the_last_to_arrive_counts_whatever_its_hash(tmp_path, kind, hashes):
    ledger = Ledger(tmp_path / "twin.db")
    ledger.create()
    for sha256 in hashes:
        ledger.add([Observation(sha256, kind, "", "", "", "", "", "2026-01-01T00:00:00+00:00")])
    taken = {name for step in path(ledger.observations()) for name in step.inputs.values()}
    assert f"sha256:{hashes[1]}" in taken
    assert f"sha256:{hashes[0]}" not in taken


def test_five_undated_files_added_one_by_one_replace_each_other(twin, tmp_path):
    for x_mm in (5.0, 1.0, 4.0, 2.0, 3.0):
        added = add(twin, tmp_path, x_mm)
        assert in_use(twin) == [added]


def test_a_dated_input_stays_in_use_beside_a_later_undated_one_and_that_is_said(twin, tmp_path):
    dated = add(twin, tmp_path, 1.0, at="2026-01-01")
    done = twin.add([electrodes_file(tmp_path, 2.0)])
    assert in_use(twin) == [dated]
    assert len(done.notes) == 1
    assert f"not used, in favour of the electrodes of 2026-01-01T00:00:00 ({dated[:12]})" in done.notes[0]


def test_adding_what_was_replaced_says_that_it_is_not_in_use(twin, tmp_path):
    add(twin, tmp_path, 1.0)
    newer = add(twin, tmp_path, 2.0)
    done = twin.add([electrodes_file(tmp_path, 1.0)])
    assert done.observations == ()
    assert newer[:12] in done.notes[0]


def test_add_says_what_is_replaced_and_status_which_is_in_use(twin, tmp_path, capsys):
    old, new = (str(electrodes_file(tmp_path, x_mm)) for x_mm in (1.0, 2.0))
    assert cli.execute(["add", str(twin.folder), old]) == 0
    assert "replaces" not in capsys.readouterr().out
    assert cli.execute(["add", str(twin.folder), new]) == 0
    assert re.search(r"replaces the electrodes that arrived 20\S+ \([0-9a-f]{12}\)\n", capsys.readouterr().out)
    cli.execute(["status", str(twin.folder)])
    rows = re.findall(r"^electrodes .* (yes|no) +20", capsys.readouterr().out, flags=re.MULTILINE)
    assert rows == ["no", "yes"]


def test_of_contours_and_a_mesh_status_says_that_the_mesh_is_the_heart():
    assert printed_results.use_of("label_map", ("segment", "report"), True) == "report only"
    assert printed_results.use_of("label_map", ("segment",), False) == "yes"
    assert printed_results.use_of("mesh", ("mesh",), True) == "yes: the heart"
    assert printed_results.use_of("mesh", (), False) == "no"
    assert printed_results.use_of("ecg", ("calibrate",), True) == "yes"
