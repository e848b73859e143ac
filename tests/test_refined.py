"""Small structures on thick slices: volumes kept, gaps open."""

import numpy as np
import pytest
from scipy import ndimage
from test_corridors import slab

from cardiotwin.errors import SettingsError
from cardiotwin.imaging import apply_affine
from cardiotwin.segmentation import BORDER_ZONE, CORE, refined, volumes_ml
from cardiotwin.segmentation.refined import smoothed


@pytest.mark.parametrize("diameter_mm", [2, 3, 4, 5, 6])
def test_smoothing_keeps_the_volume_that_a_cut_at_one_half_takes(diameter_mm):
    """Spheres and rods on a grid of 0.25 mm, Gaussian of 1 mm; analytic volumes."""
    n, step = 64, 0.25
    z, y, x = (np.indices((n, n, n)) - n / 2 + 0.5) * step
    radius = diameter_mm / 2
    sphere, rod = z**2 + y**2 + x**2 < radius**2, y**2 + x**2 < radius**2
    for mask, exact in ((sphere, 4 / 3 * np.pi * radius**3), (rod, np.pi * radius**2 * n * step)):
        kept = smoothed(mask, np.full(3, step), 1.0)
        assert kept.sum() == mask.sum()
        assert kept.sum() * step**3 == pytest.approx(exact, rel=0.07)
        cut = ndimage.gaussian_filter(mask.astype(float), 1.0 / step) > 0.5
        assert cut.sum() < 0.9 * mask.sum()


@pytest.mark.parametrize("diameter_mm", [4, 6, 10])
@pytest.mark.parametrize("slice_mm", [4.0, 8.0])
def test_a_small_core_keeps_its_volume_on_thick_slices(diameter_mm, slice_mm):
    drawn = slab(
        lambda z, y, x: (z - slice_mm / 2) ** 2 + (y - 0.4) ** 2 + (x - 0.4) ** 2 < diameter_mm**2 / 4,
        (slice_mm, 1.0, 1.0), tissue=BORDER_ZONE,
    )  # fmt: skip
    before, after = volumes_ml(drawn), volumes_ml(refined(drawn, 0.75))
    for name in ("core", "border_zone", "wall", "lv_blood"):
        assert after[name] == pytest.approx(before[name], rel=0.005), name


@pytest.mark.parametrize("width_mm", [2, 3, 4, 5, 6])
def test_a_corridor_stays_open_over_its_whole_length(width_mm):
    drawn = slab(lambda z, y, x: np.abs(y) >= width_mm / 2, (8.0, 0.5, 0.5))
    fine = refined(drawn, 0.5)
    inside = fine.labels[:, :, fine.labels.shape[2] // 2 + 8]
    rows = [np.flatnonzero(row == CORE) for row in inside if (row == CORE).any()]
    gaps = [0.5 * ((rows_of[-1] - rows_of[0] + 1) - len(rows_of)) for rows_of in rows]
    assert len(gaps) == pytest.approx(64, abs=2)
    assert min(gaps) >= width_mm - 0.5
    assert np.median(gaps) == pytest.approx(width_mm, abs=0.25)


def test_a_contour_glides_between_slices():
    """A rod that moves sideways by 4 mm a slice: between two slices its middle lies on the line between theirs."""
    drawn = slab(lambda z, y, x: (np.abs(y - z / 2) < 5) & (np.abs(x) < 5), (8.0, 1.0, 1.0))
    fine = refined(drawn, 1.0)
    where = np.argwhere(fine.labels == CORE)
    x, y, z = apply_affine(fine.affine, where[:, ::-1]).T
    heights = np.unique(np.round(z, 3))
    heights = heights[np.abs(heights) < 8]
    middles = np.array([y[np.abs(z - height) < 0.1].mean() - height / 2 for height in heights])
    assert len(heights) > 12
    np.testing.assert_allclose(middles, 0, atol=0.75)
    assert np.abs(x).max() < 6


def test_positions_stay():
    drawn = slab(lambda z, y, x: np.abs(y - 3) < 2, (8.0, 1.0, 1.0))
    fine = refined(drawn, 0.75)
    for code in (1, 2, 4):
        centres = [
            apply_affine(one.affine, np.argwhere(one.labels == code)[:, ::-1]).mean(axis=0) for one in (drawn, fine)
        ]
        np.testing.assert_allclose(*centres, atol=0.2)


def test_a_step_that_is_none_is_refused():
    with pytest.raises(SettingsError, match=r"expected 0.3 to 3"):
        refined(slab(lambda z, y, x: np.abs(y) < 2), 0.0)
