"""Conduction velocity in `cardiotwin verify`: waves in a block of the lattice, and openCARP's table."""

import numpy as np
import pytest

from cardiotwin.errors import QualityGate
from cardiotwin.verification import velocity

LATTICE = velocity.Lattice("modified_mitchell_schaeffer", 1.25, 0.1)
ALONG_AXES = (np.eye(3),)


def test_a_wave_along_the_axis_of_the_lattice_has_the_velocity_it_was_tuned_for():
    one = velocity.velocity_row(LATTICE, "healthy", "fibre", ALONG_AXES)
    assert one["name"] == "velocity/modified_mitchell_schaeffer/1.25mm/healthy/fibre"
    assert one["ok"]
    assert abs(one["value"]) < 2.0
    assert "0.6 m/s wanted" in one["note"]


def test_a_wave_across_the_fibres_is_the_slower_one():
    """Before the tensor depended on how they lie in the lattice, within 6 %."""
    one = velocity.velocity_row(LATTICE, "healthy", "sheet", ALONG_AXES)
    assert abs(one["value"]) < 3.0
    assert "0.3 m/s wanted" in one["note"]


def test_a_tuner_that_does_nothing_is_found_out(monkeypatch):
    from cardiotwin.tissue import tissue

    monkeypatch.setattr(tissue, "oriented", lambda *_: None)
    monkeypatch.setattr(tissue, "tune", lambda velocity, *_, **__: (0.1334 * (velocity / 0.65) ** 2, 0.0))
    one = velocity.velocity_row(LATTICE, "healthy", "fibre", ALONG_AXES)
    assert not one["ok"]
    assert abs(one["value"]) > 10.0


def test_each_direction_and_each_tissue_has_its_velocity():
    wanted = {(t, d): velocity.wanted_velocity(t, d) for t in velocity.TISSUES for d in velocity.DIRECTIONS}
    assert list(wanted.values()) == pytest.approx([0.6, 0.3, 0.3, 0.3, 0.15, 0.15])


def test_a_conductivity_apart_from_that_of_opencarp_is_said(monkeypatch):
    monkeypatch.setattr(velocity, "tune", lambda *_, **__: (0.1215, 0.0))
    assert not velocity.opencarp_row(0.6, 0.1195, 0.1200)["ok"]
    monkeypatch.setattr(velocity, "tune", lambda *_, **__: (0.1190, 0.0))
    assert velocity.opencarp_row(0.6, 0.1195, 0.1200)["ok"]


def test_the_worst_orientation_counts_and_a_wave_that_stops_is_no_pass(monkeypatch):
    reached = iter([0.29, 0.3, 0.303, 0.0])
    monkeypatch.setattr(velocity, "reached", lambda *_: next(reached))
    one = velocity.velocity_row(LATTICE, "healthy", "sheet", 3 * ALONG_AXES)
    assert one["value"] == pytest.approx(-10.0 / 3.0)
    assert "-3.3 to +1.0 %" in one["note"]
    assert not one["ok"]
    assert velocity.velocity_row(LATTICE, "healthy", "sheet", ALONG_AXES)["value"] == pytest.approx(-100.0)


def test_a_velocity_that_cannot_be_tuned_is_a_row_that_says_so(monkeypatch):
    def refused(*_):
        raise QualityGate("waves slower than 0.2 m/s stop between nodes")

    monkeypatch.setattr(velocity, "reached", refused)
    one = velocity.velocity_row(LATTICE, "border_zone", "sheet")
    assert one["ok"] is False
    assert "stop between nodes" in one["note"]
