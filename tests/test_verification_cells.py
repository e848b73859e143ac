"""Single cells, precision and threads in `cardiotwin verify`."""

import numpy as np
import pytest

from cardiotwin.kernels.ionic import MODELS
from cardiotwin.progress import silent
from cardiotwin.verification import cells, numerics


def test_every_cell_model_is_compared(monkeypatch):
    beat = cells.Beat(np.arange(3.0), np.zeros(3), 1.0, 300.0)
    monkeypatch.setattr(cells, "production_beat", lambda _: beat)
    monkeypatch.setattr(cells, "fine_beat", lambda _: beat)
    assert [one["name"] for one in cells.cell_rows(silent)] == [
        f"cell/{model}/{what}" for model in MODELS for what in ("apd90", "deviation")
    ]


@pytest.mark.parametrize("model", MODELS)
def test_one_stimulus_gives_every_cell_model_a_beat_from_rest_to_rest(model, monkeypatch):
    monkeypatch.setattr(cells, "WATCHED_MS", 450.0)
    monkeypatch.setattr(cells, "SAMPLE_MS", 0.5)
    beat = cells.production_beat(model)
    assert cells.START_MS < beat.activation_ms < cells.START_MS + 5.0
    assert 200.0 < beat.apd90_ms < 400.0


def test_production_steps_follow_the_fine_ones():
    model = "ten_tusscher_2006"
    duration, deviation = cells.compared(model, cells.production_beat(model), cells.fine_beat(model, 0.01))
    assert duration["ok"]
    assert deviation["ok"]
    assert deviation["value"] > 0.0


def test_a_beat_that_differs_is_found_out():
    fine = cells.fine_beat("mitchell_schaeffer", 0.02)
    late = fine._replace(v=fine.v + np.where(fine.times_ms > 200.0, 1.5, 0.0), apd90_ms=fine.apd90_ms + 0.8)
    assert [one["ok"] for one in cells.compared("mitchell_schaeffer", late, fine)] == [False, False]


def test_recovery_is_read_between_samples():
    """A potential that falls from 20 to -80 mV by 1 mV/ms is 90 % recovered after 90 ms."""
    times = np.arange(0.0, 130.0, 4.0)
    v = np.r_[-80.0, 20.0 - np.minimum(times[:-1], 100.0)]
    assert cells.recovery_ms(np.r_[0.0, times[:-1]], v, 0.9) == pytest.approx(90.0)
    assert np.isnan(cells.recovery_ms(times, np.r_[-80.0, np.full(len(times) - 1, 20.0)], 0.9))


def test_single_precision_is_compared_node_by_node():
    rows = numerics.precision_rows(silent, duration_ms=8.0)
    assert [one["name"] for one in rows] == ["precision/activation", "precision/repolarisation"]
    assert rows[0]["ok"]
    assert 0.0 < rows[0]["value"] < 0.05
    double = np.array([1.0, 2.0, np.nan])
    assert numerics.precision_row("activation", np.float32([1.0, 2.1, np.nan]), double, 0.05)["ok"] is False
    assert numerics.precision_row("activation", np.float32([1.0, np.nan, np.nan]), double, 0.05)["ok"] is False


def test_values_that_differ_in_a_bit_are_counted():
    one = np.float32([1.0, np.nan, -2.0])
    assert numerics.differing(one, one.copy()) == 0
    assert numerics.differing(one, np.nextafter(one, np.float32(9.0))) == 2


def test_threads_change_no_bit():
    (one,) = numerics.threads_rows(silent, duration_ms=6.0)
    assert one["name"] == "threads/bits"
    assert one["value"] == 0.0 or one["ok"] is None
