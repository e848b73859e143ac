"""A line across an isthmus ends in scar or at the valve ring, beyond the cut, and not before."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.ablation.isthmus_lines import lines_across
from cardiotwin.heart.heart import BASE, CORE, HEALTHY
from cardiotwin.induction.reentry import Circuit


@pytest.fixture(scope="module")
def wall():
    """6 mm thick, 90 mm along y, 20 mm along z; x runs from endocardium to epicardium."""
    return block_heart((4, 60, 14), 1.5)


def conducting_along_z(wall, half_width_mm, middle_mm=45.0):
    """A circuit whose wave goes along z, and whose cut reaches so far to both sides of the middle."""
    off = np.abs(wall.mesh.points[:, 1:] - [middle_mm, 10.5])
    cut = np.flatnonzero((off[:, 0] <= half_width_mm) & (off[:, 1] < 0.8)).astype(np.int32)
    phase = np.zeros(len(wall.mesh.points), np.float32)
    return Circuit(300.0, 3, *(np.array([0.0, middle_mm, z]) for z in (6.0, 15.0)), phase, cut, cut)


def endocardial_line(heart, circuit):
    (line,) = lines_across(heart, circuit, ("left endocardium",))
    return line, np.sort(line.points_mm[[0, -1], 1])


def with_core(wall, *strips):
    """Core in strips of y."""
    y = wall.mesh.centroids[:, 1]
    core = np.any([(low < y) & (y < high) for low, high in strips], axis=0)
    return replace(wall, tissue_class=np.where(core, CORE, HEALTHY).astype(np.uint8))


@pytest.mark.parametrize(("off_mm", "anchored"), [(9.0, True), (30.0, True), (39.0, False)])
def test_a_line_ends_in_scar_that_is_near_enough_to_belong_to_the_isthmus(wall, off_mm, anchored):
    heart = with_core(wall, (0.0, 45.0 - off_mm), (45.0 + off_mm, 90.0))
    line, ends = endocardial_line(heart, conducting_along_z(wall, 3.0))
    assert line.anchored == (anchored, anchored)
    reach = off_mm if anchored else 3.0 + wall.edge_mm
    assert ends == pytest.approx([45.0 - reach, 45.0 + reach], abs=1.6)


def test_a_line_may_end_at_the_valve_ring(wall):
    at_the_end = (wall.mesh.points[wall.faces][:, :, 1] > 89.9).all(axis=1)
    heart = replace(wall, surface=np.where(at_the_end, BASE, wall.surface).astype(np.uint8))
    circuit = conducting_along_z(wall, 3.0, middle_mm=70.0)
    line, ends = endocardial_line(heart, circuit)
    assert sorted(line.anchored) == [False, True]
    assert ends[1] == pytest.approx(90.0, abs=1.6)


def test_scar_within_the_cut_does_not_end_the_line(wall):
    """Islands 6 mm from the middle of a cut that reaches 15 mm: the wave passes beyond them."""
    heart = with_core(wall, (37.0, 40.0), (50.0, 53.0), (0.0, 20.0), (70.0, 90.0))
    line, ends = endocardial_line(heart, conducting_along_z(wall, 15.0))
    assert line.anchored == (True, True)
    assert ends == pytest.approx([20.0, 70.0], abs=1.6)
