"""Bayer's conventions where two ventricles meet: helix angles of free walls and septum, both sets of angles."""

import numpy as np
import pytest
from pydantic import ValidationError

from cardiotwin.heart.heart import build_heart
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings


def drawn_heart(**settings):
    drawn = drawn_ventricles()
    labels = (drawn.left_blood + 2 * drawn.myocardium + 3 * drawn.right_blood).astype(np.uint8)
    segmentation = Segmentation(labels, np.diag([*drawn.spacing_mm[::-1], 1.0]), None, False, {})
    return build_heart(segmentation, MeshSettings(edge_mm=2.0, **settings))


@pytest.fixture(scope="module")
def heart():
    return drawn_heart()


def walls(heart):
    """Left free wall, septum and right free wall away from base, apex and junctions, with depth and axes.

    Depth runs from the left cavity outward, in the right free wall from the right cavity outward. Axes are
    circumferential, longitudinal and outward on the ellipsoids drawn, in whose image the base is at the lower z.
    """
    c, mesh = heart.coordinates, heart.mesh
    mean = lambda field: field[mesh.tets].mean(axis=1)  # noqa: E731
    height, turn = mean(c.apicobasal), mean(c.rotational)
    whole = np.ptp(c.transventricular[mesh.tets], axis=1) == 0
    right = whole & (mean(c.transventricular) == 1)
    away = whole & (height > 0.4) & (height < 0.85) & (np.ptp(c.rotational[mesh.tets], axis=1) < 0.2)
    septal, free = (turn > 0.72) & (turn < 0.95), (turn > 0.06) & (turn < 0.6)
    depth = np.where(septal, 0.5 + np.where(right, 0.5, -0.5) * mean(c.transmural), 1 - mean(c.transmural))
    wall = (right & free)[:, None]
    out = mesh.centroids - np.where(wall, [42.0, 66.0, -8.0], [66.0, 66.0, -8.0])
    outward = unit(out / np.where(wall, [31.5, 29.5, 45.5], [24.0, 24.0, 56.0]) ** 2)
    up = unit(np.array([0.0, 0.0, -1.0]) + outward[:, 2:] * outward)
    chosen = {"left": away & ~right & free, "septum": away & septal, "right": away & right & free}
    return chosen, depth, np.stack([np.cross(up, outward), up, outward], axis=2)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def helix(fibres, axes):
    """Degrees from circumferential towards the base, -90 to 90."""
    along, up = (np.einsum("ij,ij->i", fibres, axes[:, :, k]) for k in (0, 1))
    return np.degrees(np.arctan2(up * np.sign(along), np.abs(along)))


@pytest.mark.parametrize("wall", ["left", "septum", "right"])
def test_the_helix_angle_falls_linearly_from_60_to_minus_60_in_every_wall(heart, wall):
    chosen, depth, axes = walls(heart)
    here = chosen[wall]
    assert here.sum() > 500
    error = helix(heart.fibres, axes)[here] - (60.0 - 120.0 * depth[here])
    error = (error + 90) % 180 - 90
    assert abs(np.median(error)) < 8, np.median(error)
    assert np.median(np.abs(error)) < 14


def test_both_sets_of_angles_are_read_from_the_settings(heart):
    """Other angles, other fibres; sheet angles turn sheets about the fibre and leave fibres alone."""
    chosen, _, axes = walls(heart)
    flat = drawn_heart(fibre_endocardium_deg=20.0, fibre_epicardium_deg=20.0)
    found = helix(flat.fibres, axes)[chosen["left"]]
    assert np.median(found) == pytest.approx(20.0, abs=4)
    turned = drawn_heart(sheet_endocardium_deg=0.0, sheet_epicardium_deg=0.0)
    same = np.abs(np.einsum("ij,ij->i", turned.fibres, heart.fibres))
    assert np.median(np.degrees(np.arccos(same.clip(0, 1)))) < 2
    outward = np.abs(np.einsum("ij,ij->i", turned.sheets, axes[:, :, 2]))
    assert np.median(outward[chosen["left"]]) > 0.98


@pytest.mark.parametrize("key", ["fibre_endocardium_deg", "sheet_epicardium_deg"])
def test_angles_out_of_range_are_refused(key):
    with pytest.raises(ValidationError, match="less than or equal to 90"):
        MeshSettings(**{key: 91.0})
