"""Contours of the phantom's stack lie on its surfaces: whole by slice, by side, with scar from cavity to lung."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from short_axis import dice

from cardiotwin.phantom.anatomy import Anatomy, make_anatomy, wall_distances
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.segmentation import segment
from cardiotwin.segmentation.contours import ANGLES, find_wall
from cardiotwin.segmentation.inscribed import inscribed
from cardiotwin.segmentation.labels import MUSCLE
from cardiotwin.segmentation.locate import locate


@pytest.fixture(scope="module")
def apical():
    """An infarct of the apex, brighter than blood, through the whole wall with lung behind it."""
    shape = {"core_apical": 0.05, "core_basal": 0.45, "border_zone_mm": 5.0}
    picture, truth = scan(replace(make_anatomy(4), **shape), LgeScan(seed=4))
    return segment(picture).labels, truth.labels


@pytest.mark.parametrize(("codes", "least"), [((1,), 0.95), (MUSCLE, 0.88), ((3,), 0.88), ((4,), 0.75)])
def test_a_bright_apex_stays_in_the_wall(apical, codes, least):
    found, there = (np.isin(labels, codes) for labels in apical)
    assert dice(found, there) > least


@pytest.fixture(scope="module")
def usual():
    return scan(make_anatomy(10), LgeScan(seed=10))


def test_the_right_ventricle_ends_where_the_phantoms_does(usual):
    """Beyond its slanting, blurred wall the fat is as bright as blood: taken for it, 0.88."""
    picture, truth = usual
    found = segment(picture).labels
    assert dice(found == 3, truth.labels == 3) > 0.92
    slices = [set(np.flatnonzero((labels == 3).any(axis=(1, 2)))) for labels in (found, truth.labels)]
    assert slices[0] == slices[1]


def off_mm(anatomy: Anatomy, picture, wall, which: str, radii: np.ndarray, k: int) -> np.ndarray:
    """Signed distance of one slice's contour to the anatomy's own surface, mm, positive outside it."""
    column_mm, row_mm, _ = picture.spacing_mm
    rows = wall.centres[k, 0] + np.sin(ANGLES) * radii[k] / row_mm
    columns = wall.centres[k, 1] + np.cos(ANGLES) * radii[k] / column_mm
    points = picture.to_lps(np.column_stack([columns, rows, np.full(len(rows), k)]))
    local = anatomy.to_local(points)
    free = np.abs(np.arctan2(local[:, 1], local[:, 0])) > np.deg2rad(100)  # neither septum nor insertions
    return getattr(wall_distances(anatomy, local), which)[free]


def test_both_contours_of_the_free_wall_lie_on_its_surfaces(usual):
    """The epicardium was 1 mm too far in, under a line of fat 1 to 2 mm thin."""
    anatomy, (picture, truth) = make_anatomy(10), usual
    wall = find_wall(picture, locate(picture))
    middle = np.flatnonzero((truth.labels == 1).any(axis=(1, 2)))[2:-1]
    for which, radii in (("lv_cavity", wall.endocardium), ("lv_outer", wall.epicardium)):
        off = np.array([off_mm(anatomy, picture, wall, which, radii, k) for k in middle])
        assert abs(off.mean()) < 0.35, which
        assert np.abs(off.mean(axis=1)).max() < 0.6, which


@pytest.mark.parametrize("centre", [(40.0, 40.0), (46.0, 40.0)])
def test_the_inscribed_circle_leaves_scar_as_bright_as_blood_outside(centre):
    """A cavity of 15 mm in a wall of 9 mm, a third of which is scar as bright as blood, lung all round, thin fat."""
    rows, columns = np.indices((80, 80)) - 40.0
    apart, angle = np.hypot(rows, columns), np.abs(np.arctan2(rows, columns))
    plane = ((apart < 15) | ((apart > 24) & (apart < 26)) | ((apart < 24) & (angle < np.pi / 3))).astype(float)
    signal = ndimage.gaussian_filter(np.stack([plane] * 4), (0, 0.7, 0.7))
    found = inscribed(signal, np.tile(centre, (4, 1)), np.array([1.0, 1.0, 8.0]))
    assert np.abs(found.centres - 40.0).max() <= 2.0
    assert np.abs(found.radii_mm - 15.0).max() <= 2.0


@pytest.mark.slow
def test_lateral_scar_60_mm_wide_and_as_bright_as_blood_stays_in_the_wall():
    """Half of the ring in four slices: left blood had a Dice of 0.75, and the core one of 0.38."""
    scarred = replace(make_anatomy(7), core_angle_deg=200.0, core_width_mm=60.0)
    picture, truth = scan(scarred, LgeScan(seed=7, blood=1.0))
    found = segment(picture).labels
    assert dice(found == 1, truth.labels == 1) > 0.95
    assert dice(found == 4, truth.labels == 4) > 0.75


@pytest.mark.slow
def test_septal_scar_as_bright_as_both_bloods_stays_in_the_wall():
    """No edge shows it: left blood had a Dice of 0.86 and less than half of the core lay in the wall."""
    picture, truth = scan(replace(make_anatomy(5), core_angle_deg=10.0), LgeScan(seed=5, blood=1.0))
    found = segment(picture).labels
    assert dice(found == 1, truth.labels == 1) > 0.95
    assert dice(found == 4, truth.labels == 4) > 0.75
