"""A cell model of the user's own is a file named by its path: the same kernel, and what was made of it goes stale."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from medium_blocks import block, left_end, single_cell

from cardiotwin.errors import InputRejected, SettingsError
from cardiotwin.kernels.ionic import cell_model, mitchell_schaeffer
from cardiotwin.monodomain import Protocol, Solver, Stimulus
from cardiotwin.settings import read_settings
from cardiotwin.solver.medium import membrane
from cardiotwin.tissue.velocity import tune


@pytest.fixture
def own(tmp_path):
    return Path(shutil.copy(mitchell_schaeffer.__file__, tmp_path / "my model-2.py"))


def run(model):
    medium = block((6.0, 3.0, 3.0), 1.0, str(model))
    solver = Solver(medium, 0.1, threads=1)
    activation, end = solver.run(Protocol((Stimulus(left_end(medium), 0.0),), 30.0), stop_when_quiet=False)
    return solver, activation.activation_ms[0], end


def changed(own: Path) -> None:
    """Other content, but the same size and time: what a cache of compiled files would not see."""
    stat, text = own.stat(), own.read_text()
    own.write_text(text.replace('"tau_in": 0.3', '"tau_in": 0.2'))
    os.utime(own, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert own.stat().st_size == stat.st_size
    assert own.read_text() != text


def test_a_model_in_a_file_gives_the_bits_of_the_same_model_by_name(own):
    np.testing.assert_array_equal(run(own)[1], run("mitchell_schaeffer")[1])


def test_a_changed_file_is_another_model_and_its_states_are_refused(own):
    before, times, end = run(own)
    again = Solver(block((6.0, 3.0, 3.0), 1.0, str(own)), 0.1, threads=1)
    assert again.fingerprint == before.fingerprint
    changed(own)
    after, faster, _ = run(own)
    assert after.fingerprint != before.fingerprint
    assert np.nanmax(faster) < np.nanmax(times) - 0.5
    with pytest.raises(InputRejected, match="belongs to another tissue"):
        after.run(Protocol((), 40.0), end)


def test_a_changed_file_is_tuned_anew(own):
    before = tune(0.5, str(own), {}, 1.0, 0.1)[0]
    changed(own)
    assert tune(0.5, str(own), {}, 1.0, 0.1)[0] < 0.9 * before


def test_another_process_finds_the_compiled_kernel_and_the_same_result(own):
    _, times, _ = run(own)
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_own_cell_model import run\n"
        f"solver, times, _ = run({str(own)!r})\n"
        "print(sum(solver._advance.stats.cache_misses.values()), times.tobytes().hex())\n"
    )
    compiled, answer = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    assert compiled == "0"
    assert bytes.fromhex(answer) == times.tobytes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("STATE = {}\n", "has no PARAMETERS, LONGEST_STEP_MS"),
        ("def gates(:\n", "invalid syntax"),
    ],
)
def test_a_file_that_is_no_cell_model_is_refused_in_one_line(tmp_path, content, reason):
    path = tmp_path / "odd.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputRejected, match=reason) as refused:
        Solver(single_cell(str(path)), 0.1)
    with pytest.raises(InputRejected, match=reason):
        tune(0.5, str(path), {}, 1.0, 0.1)
    assert "\n" not in str(refused.value)


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(
        InputRejected, match=r"'nonsense'.*expected one of mitchell_schaeffer.*or the path of a file|Expected one of"
    ):
        Solver(single_cell("nonsense"), 0.1)


def test_nothing_is_written_beside_the_file(own):
    run(own)
    assert [path.name for path in own.parent.iterdir()] == [own.name]
    known_by, module = membrane(str(own))
    assert known_by.startswith("my_model_2_")
    assert cell_model(known_by) is module is cell_model(str(own))


def test_a_heart_says_why_it_cannot_have_it(tmp_path):
    (tmp_path / "twin.toml").write_text('[tissue]\ncell_model = "my_model.py"\n')
    with pytest.raises(SettingsError, match=r"`tissue.cell_model`: a heart .* Medium\(..., cell_model='my_model.py'\)"):
        read_settings(tmp_path / "twin.toml")
