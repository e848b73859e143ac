"""Corridors cut through made scar, whose length, width and depth are known."""

import numpy as np
import pytest

from cardiotwin.phantom.anatomy import corridor_centre_line, make_anatomy
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.segmentation import BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, Segmentation, find_corridors

STEP_MM = 0.75


def slab(scar, spacing_mm=(1.0, 1.0, 1.0), tissue=MYOCARDIUM) -> Segmentation:
    """A wall of 16 mm (blood on its left) with core where `scar(z, y, x)` says; x runs from endo- to epicardium."""
    sizes = [round(extent / step) for extent, step in zip((64, 60, 44), spacing_mm, strict=True)]
    axes = [(np.arange(n) + 0.5 - n / 2) * step for n, step in zip(sizes, spacing_mm, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    labels = np.zeros(z.shape, np.uint8)
    labels[(np.abs(y) < 26) & (x > -18) & (x < -8)] = LV_BLOOD
    wall = (np.abs(y) < 26) & (np.abs(x) < 8)
    labels[wall] = MYOCARDIUM
    box = wall & (np.abs(y) < 16) & (np.abs(z) < 16)
    labels[box] = tissue
    labels[box & scar(z, y, x)] = CORE
    affine = np.eye(4)
    affine[:3, :3] = np.diag(spacing_mm[::-1])
    affine[:3, 3] = [axis[0] for axis in axes[::-1]]
    return Segmentation(labels, affine, None, True, {})


@pytest.mark.parametrize("width_mm", [2, 4, 6])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (8.0, 1.0, 1.0)])
def test_a_straight_corridor_has_its_length_width_and_depth(width_mm, spacing_mm):
    (found,) = find_corridors(slab(lambda z, y, x: np.abs(y) > width_mm / 2, spacing_mm))
    assert found.length_mm == pytest.approx(32, abs=STEP_MM)
    assert found.narrowest_mm == pytest.approx(width_mm, abs=0.3)
    assert found.depth == pytest.approx(0.5, abs=0.05)
    assert found.depth_from < 0.15
    assert found.depth_to > 0.85
    assert np.abs(found.points[:, 1]).max() < 0.5
    assert abs(found.points[0, 2] - found.points[-1, 2]) == pytest.approx(32, abs=STEP_MM)


@pytest.mark.parametrize(("angle_deg", "offset_mm"), [(20.0, 0.2), (40.0, 0.0), (45.0, 0.0), (45.0, 0.3)])
def test_an_oblique_corridor_is_found_whichever_way_its_mouth_is_cut(angle_deg, offset_mm):
    """It is flanked on both sides over 32 / cos(angle) - 2 tan(angle) mm; found is up to 3 mm less, 0.3 mm narrower."""
    angle = np.radians(angle_deg)
    (found,) = find_corridors(
        slab(lambda z, y, x: np.abs(np.cos(angle) * y + np.sin(angle) * z - offset_mm) > 1.0, (0.5, 0.5, 0.5))
    )
    flanked = 32 / np.cos(angle) - 2 * np.tan(angle)
    assert flanked - 3.2 < found.length_mm < flanked + STEP_MM
    assert found.narrowest_mm == pytest.approx(2.0, abs=0.4)


def test_a_tunnel_lies_at_its_depth():
    """4 x 4 mm, its middle 11 mm from the endocardium of 16."""
    (found,) = find_corridors(slab(lambda z, y, x: (np.abs(y) > 2) | (np.abs(x - 3) > 2), tissue=BORDER_ZONE))
    assert found.narrowest_mm == pytest.approx(4, abs=0.3)
    assert found.length_mm == pytest.approx(32, abs=STEP_MM)
    assert found.depth == pytest.approx(11 / 16, abs=0.04)
    assert (found.depth_from, found.depth_to) == pytest.approx((9.5 / 16, 12.5 / 16), abs=0.05)
    assert found.border_zone_share > 0.95


def test_a_channel_under_the_endocardium_is_as_narrow_as_its_tissue():
    """6 mm wide, 4 mm between blood and the core above it."""
    (found,) = find_corridors(slab(lambda z, y, x: (np.abs(y) > 3) | (x > -4)))
    assert found.narrowest_mm == pytest.approx(4, abs=0.4)
    assert found.depth_to < 0.27


def test_two_corridors_are_two():
    found = find_corridors(slab(lambda z, y, x: np.abs(np.abs(y) - 6) > 2))
    assert len(found) == 2
    assert sorted(np.sign(one.points[:, 1].mean()) for one in found) == [-1, 1]


def test_an_hourglass_is_as_narrow_as_its_waist():
    """7 mm at its mouths, 3 mm in the middle."""
    (found,) = find_corridors(slab(lambda z, y, x: np.abs(y) > 1.5 + 2 * np.abs(z) / 16, (0.5, 0.5, 0.5)))
    assert found.narrowest_mm == pytest.approx(3, abs=0.4)
    assert abs(found.narrowest_at_mm[2]) < 4


@pytest.mark.parametrize(
    "scar",
    [
        lambda z, y, x: np.ones(z.shape, bool),
        lambda z, y, x: (np.abs(y) > 2) | (z > 6),
        lambda z, y, x: (np.abs(y) > 2) | (np.abs(z) < 8) | (np.abs(x) > 3),
        lambda z, y, x: y**2 + z**2 + x**2 < 64,
        lambda z, y, x: np.abs(y) > 9,
        lambda z, y, x: np.zeros(z.shape, bool),
    ],
    ids=["solid", "blind", "blocked", "ball", "too wide", "no scar"],
)
def test_where_there_is_no_way_through_none_is_found(scar):
    assert find_corridors(slab(scar)) == ()


def test_position_is_the_patients_whatever_the_orientation():
    one = slab(lambda z, y, x: np.abs(y) > 2)
    turned = one.affine.copy()
    turned[:3] = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]) @ one.affine[:3]
    turned[:3, 3] += [50, -20, 7]
    (first,), (second,) = find_corridors(one), find_corridors(Segmentation(one.labels, turned, None, True, {}))
    np.testing.assert_allclose(second.points, first.points[:, [2, 0, 1]] + [50, -20, 7], atol=1e-6)


def test_the_phantoms_corridor_is_found_on_thick_slices():
    """6 mm wide, in slices of 8 mm: the line runs along the known one, from mouth to mouth."""
    anatomy = make_anatomy(1)
    _, truth = scan(anatomy, LgeScan(seed=1, rows=112, columns=112))
    known = corridor_centre_line(anatomy)
    (found,) = find_corridors(truth)
    apart = np.linalg.norm(known[:, None] - found.points[None], axis=2)
    assert apart.min(axis=1).mean() < 1.5
    assert apart.min(axis=0).max() < 3
    length = np.linalg.norm(np.diff(known, axis=0), axis=1).sum()
    assert found.length_mm == pytest.approx(length, rel=0.10)
    assert found.narrowest_mm == pytest.approx(6, abs=1.5)
    assert found.border_zone_share > 0.9


def test_paraview_reads_each_corridor_as_a_line(tmp_path):
    import pyvista as pv

    from cardiotwin.exports.paraview import corridor_file

    found = find_corridors(slab(lambda z, y, x: np.abs(np.abs(y) - 6) > 2))
    data, fields = corridor_file(found)
    (tmp_path / "corridors.vtp").write_bytes(data)
    lines = pv.read(tmp_path / "corridors.vtp")
    assert lines.n_lines == 2
    np.testing.assert_allclose(lines.points, np.concatenate([one.points for one in found]), atol=1e-4)
    assert set(fields) <= set(lines.cell_data.keys())
    np.testing.assert_allclose(lines.cell_data["length_mm"], [one.length_mm for one in found], rtol=1e-6)
    computed = lines.compute_cell_sizes(length=True).cell_data["Length"]
    np.testing.assert_allclose(computed, [one.length_mm for one in found], rtol=1e-4)
