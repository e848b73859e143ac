"""A heart that was drawn with a hole in its wall says so; one drawn whole says nothing."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from ellipsoid_heart import ellipsoid_heart

from cardiotwin import presets
from cardiotwin.anatomy.mesh_holes import drawn_wall_mm, told_of_drawn
from cardiotwin.heart.heart import build_heart
from cardiotwin.meshes.holes import Holes, Tunnel
from cardiotwin.meshes.surfaces import EPICARDIUM, LV_ENDOCARDIUM
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import rasterised
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings
from cardiotwin.twin.step import Step, Work
from cardiotwin.twin.twin import Twin


@pytest.mark.parametrize("hole_mm", [0.0, 8.0])
def test_a_hole_through_the_free_wall_is_told_with_its_place(hole_mm):
    anatomy = make_anatomy(0)
    drawn = rasterised(anatomy, 2.0)
    index = np.stack(np.meshgrid(*map(np.arange, drawn.labels.shape), indexing="ij"), axis=-1)[..., ::-1]
    local = anatomy.to_local(index.reshape(-1, 3) @ drawn.affine[:3, :3].T + drawn.affine[:3, 3])
    # Along the axis away from the right ventricle, half way down.
    drilled = (local[:, 0] < 0) & (np.hypot(local[:, 1], local[:, 2] + 25.0) < 0.5 * hole_mm)
    drawn.labels[drilled.reshape(drawn.labels.shape) & (drawn.labels != 1)] = 0
    notes = told_of_drawn(build_heart(drawn, MeshSettings(edge_mm=2.0)), drawn).notes
    if not hole_mm:
        assert notes == ()
        return
    (note,) = notes
    assert "a hole through a wall" in note
    assert "left endocardium and epicardium" in note
    assert note.endswith("look at the contours there, or draw it closed.")
    place = np.array([float(x) for x in note.split("(")[1].split(")")[0].split(",")])
    wall = anatomy.to_lps(np.array([[-20.0, 0.0, -25.0]]))[0]
    assert np.linalg.norm(place - wall) < 6.0


def ring(open_at_top: bool = False) -> Segmentation:
    """Three slices 8 mm apart, pixels of 1 mm: a cavity of 10 mm with 4 mm of wall, in the patient at (100, 0, 0)."""
    away = np.hypot(*(np.indices((31, 31)) - 15))
    plane = np.where(away < 10, 1, np.where(away < 14, 2, 0)).astype(np.uint8)
    labels = np.stack([plane] * 3)
    if open_at_top:
        labels[1, :8, 14:17][labels[1, :8, 14:17] == 2] = 0
    affine = np.diag([1.0, 1.0, 8.0, 1.0])
    affine[0, 3] = 100.0
    return Segmentation(labels, affine, None, False, {})


TOP = np.array([115.0, 3.0, 10.0])


def test_the_wall_is_measured_where_the_hole_is():
    assert drawn_wall_mm(ring(), TOP, 4.0) == pytest.approx(4.0, abs=1.0)
    assert drawn_wall_mm(ring(open_at_top=True), TOP, 4.0) == 0.0
    assert drawn_wall_mm(ring(open_at_top=True), TOP + np.array([0.0, 24.0, 0.0]), 4.0) == pytest.approx(4.0, abs=1.0)


@pytest.mark.parametrize("is_open", [False, True])
def test_a_hole_is_the_meshs_where_the_contours_are_closed(is_open, monkeypatch):
    heart = build_heart(rasterised(make_anatomy(0), 2.0), MeshSettings(edge_mm=3.0))
    tunnel = Tunnel((LV_ENDOCARDIUM, EPICARDIUM), TOP, 2.0)
    monkeypatch.setattr("cardiotwin.anatomy.mesh_holes.holes", lambda *_: Holes((), (tunnel,), {}))
    (note,) = told_of_drawn(heart, ring(is_open)).notes
    assert ("look at the contours" in note) == is_open
    assert ("Set mesh.edge_mm = 1.5" in note) == (not is_open)


@dataclass(frozen=True, eq=False)
class Noted:
    notes: tuple[str, ...]


def mesh(work: Work) -> Noted:
    """What the true step keeps of a heart's notes, beside one of another kind."""
    heart = told_of_drawn(replace(ellipsoid_heart(4.0), notes=("Fibres are a rule's.",)), ring())
    return Noted(heart.notes)


@pytest.mark.parametrize("tunnels", [(), (Tunnel((LV_ENDOCARDIUM, EPICARDIUM), TOP, 7.1),)], ids=["whole", "torn"])
def test_status_says_the_holes_of_a_mesh_and_nothing_else_of_its_notes(tmp_path, monkeypatch, tunnels):
    monkeypatch.setattr("cardiotwin.anatomy.mesh_holes.holes", lambda *_: Holes((), tunnels, {}))
    settings = presets.settings_text(presets.preset("default"), "")
    twin = Twin.create(tmp_path / "case", settings, lambda observations: (Step("mesh", "mesh", mesh),))
    (before,) = twin.status().steps
    twin.run()
    (after,) = twin.status().steps
    assert before.doubtful == ""
    assert ("a hole through a wall, 7.1 mm wide" in after.doubtful) == bool(tunnels)
    assert "Fibres" not in after.doubtful
