"""The proposed plan holds what opens every circuit, and no more; the wrong plan leaves it alone."""

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.ablation import lesion_elements
from cardiotwin.proposals import propose_plans
from cardiotwin.reentry import Circuit
from cardiotwin.settings import PlanSettings

SETTINGS = PlanSettings(lesion_radius_mm=6, lesion_depth_mm=9)


@pytest.fixture(scope="module")
def wall():
    """A wall 12 mm thick and 40 x 40 mm wide; x runs from endocardium to epicardium."""
    return block_heart((12, 40, 40), 1.0)


def around(wall, y, z, clockwise=False):
    """A wave that turns around a line through the wall, and the column of nodes on that line as its cut."""
    dy, dz = wall.mesh.points[:, 1] - y, wall.mesh.points[:, 2] - z
    cut = np.flatnonzero(np.abs(dy) + np.abs(dz) < 0.5).astype(np.int32)
    angle = np.arctan2(dz, -dy if clockwise else dy) % (2 * np.pi) / (2 * np.pi)
    phase = np.where(np.hypot(dy, dz) < 5.5, 300.0 * angle, np.nan).astype(np.float32)
    return Circuit(300.0, 3, np.zeros(3), np.zeros(3), phase, cut, cut)


def proposed(wall, *circuits):
    return {plan.name: plan for plan in propose_plans(wall, circuits, SETTINGS)}


def holding(wall, circuit):
    return np.isin(wall.mesh.tets, circuit.cut_nodes).any(axis=1)


def test_the_isthmus_plan_holds_the_cut_and_the_wrong_plan_does_not(wall):
    """A cut across the whole wall: lesions from both surfaces are needed to reach its middle."""
    circuit = around(wall, 20, 20)
    plans = proposed(wall, circuit)
    assert lesion_elements(wall, plans["isthmus"])[holding(wall, circuit)].all()
    assert not lesion_elements(wall, plans["wrong place"])[holding(wall, circuit)].any()
    assert plans["wrong place"].control
    assert not plans["isthmus"].control


def test_a_circuit_that_is_open_already_needs_no_lesion_of_its_own(wall):
    one, back, elsewhere = around(wall, 12, 20), around(wall, 12, 20, clockwise=True), around(wall, 28, 20)
    points = proposed(wall, one)["isthmus"].lesions[0].points_mm
    assert np.array_equal(proposed(wall, one, back)["isthmus"].lesions[0].points_mm, points)
    assert len(proposed(wall, one, elsewhere)["isthmus"].lesions[0].points_mm) > len(points)


def test_without_a_circuit_there_is_nothing_to_cut(wall):
    assert proposed(wall) == {}
