"""What a cell model says of its longest time step is true, and a solver takes it at its word."""

import shutil

import numpy as np
import pytest
from medium_blocks import single_cell

from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.kernels.ionic import MODELS, cell_model, mitchell_schaeffer
from cardiotwin.monodomain import Protocol, Solver, Stimulus
from cardiotwin.solver.longest_step import STEPS_MS, longest_dt_ms


@pytest.mark.parametrize("model", MODELS)
def test_a_beat_in_the_longest_step_is_right_and_in_the_next_one_it_is_not(model):
    """`longest_dt_ms` goes up until a step fails: equality says both."""
    assert cell_model(model).LONGEST_DT_MS in STEPS_MS
    assert longest_dt_ms(model) == cell_model(model).LONGEST_DT_MS


@pytest.mark.parametrize("stated", [0.02, 1.0])
def test_what_a_model_says_is_not_what_is_measured(monkeypatch, stated):
    monkeypatch.setattr(mitchell_schaeffer, "LONGEST_DT_MS", stated)
    assert longest_dt_ms("mitchell_schaeffer") == 0.2
    assert stated == mitchell_schaeffer.LONGEST_DT_MS


def test_a_longer_step_is_refused_in_one_line_with_the_model_and_its_longest():
    Solver(single_cell("ten_tusscher_2006"), 0.1)
    with pytest.raises(SettingsError, match=r"dt_ms: found 0.5, .* at most 0.1, .* ten_tusscher_2006") as refused:
        Solver(single_cell("ten_tusscher_2006"), 0.5)
    assert "\n" not in str(refused.value)


def test_a_model_that_says_nothing_of_it_takes_any_step_and_either_precision(tmp_path):
    own = tmp_path / "own.py"
    shutil.copy(mitchell_schaeffer.__file__, own)
    own.write_text(own.read_text().replace("LONGEST_DT_MS = 0.2\n", ""))
    assert not hasattr(cell_model(str(own)), "LONGEST_DT_MS")
    Solver(single_cell(str(own)), 1.0)
    assert longest_dt_ms(str(own)) == 0.2


@pytest.mark.parametrize(("dt_ms", "parameters", "advice"), [
    (0.2, {}, "Use a smaller dt_ms, or look"), (0.1, {}, "Look at .* by itself a cell bears 0.2"),
    (0.1, {"tau_in": 0.3}, "Use a smaller dt_ms, or look"),
])  # fmt: skip
def test_a_smaller_step_is_advised_where_it_may_help(dt_ms, parameters, advice):
    """What a cell bears is said of the model's own parameters."""
    medium = single_cell("mitchell_schaeffer", **parameters)
    solver = Solver(medium, dt_ms, tolerance_mv=0.0)
    with pytest.raises(QualityGate, match=rf"reached .* ms\. {advice}"):
        solver.run(Protocol((Stimulus(np.arange(4), 0.0, 2.0, 1e7),), 20.0))
