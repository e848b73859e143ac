"""A heart that was drawn with a hole in its wall says so; one drawn whole says nothing."""

import numpy as np
import pytest

from cardiotwin.heart import build_heart
from cardiotwin.mesh_holes import told_of_drawn
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import rasterised
from cardiotwin.settings import MeshSettings


@pytest.mark.parametrize("hole_mm", [0.0, 8.0])
def test_a_hole_through_the_free_wall_is_told_with_its_place(hole_mm):
    anatomy = make_anatomy(0)
    drawn = rasterised(anatomy, 2.0)
    index = np.stack(np.meshgrid(*map(np.arange, drawn.labels.shape), indexing="ij"), axis=-1)[..., ::-1]
    local = anatomy.to_local(index.reshape(-1, 3) @ drawn.affine[:3, :3].T + drawn.affine[:3, 3])
    # Along the axis away from the right ventricle, half way down.
    drilled = (local[:, 0] < 0) & (np.hypot(local[:, 1], local[:, 2] + 25.0) < 0.5 * hole_mm)
    drawn.labels[drilled.reshape(drawn.labels.shape) & (drawn.labels != 1)] = 0
    notes = told_of_drawn(build_heart(drawn, MeshSettings(edge_mm=2.0))).notes
    if not hole_mm:
        assert notes == ()
        return
    (note,) = notes
    assert "a hole through a wall" in note
    assert "left endocardium and epicardium" in note
    place = np.array([float(x) for x in note.split("(")[1].split(")")[0].split(",")])
    wall = anatomy.to_lps(np.array([[-20.0, 0.0, -25.0]]))[0]
    assert np.linalg.norm(place - wall) < 6.0
