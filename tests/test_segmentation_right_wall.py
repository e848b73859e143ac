"""The right free wall, drawn by rule: as thick as asked, square to the surface, and nobody else's tissue."""

import numpy as np
import pytest
from short_axis import dice, image, truth

from cardiotwin.segmentation import segment
from cardiotwin.segmentation.right_ventricle import right_wall
from cardiotwin.settings import SegmentSettings

SPACING_MM = np.array([4.0, 0.5, 0.5])
ROWS, COLUMNS = np.indices((160, 160))
FROM_AXIS_MM = 0.5 * np.hypot(ROWS - 80, COLUMNS - 80)


@pytest.mark.parametrize("slope", [0.0, 0.75])
@pytest.mark.parametrize("wall_mm", [2.0, 4.0])
def test_a_leaning_wall_is_cut_obliquely(slope, wall_mm):
    """Round a cone with walls at slope dr/dz a shell of thickness t shows as t sqrt(1 + slope^2) in a slice."""
    radii_mm = 16.0 + slope * SPACING_MM[0] * (np.arange(7) - 3)
    cone = radii_mm[:, None, None] > FROM_AXIS_MM
    wall = right_wall(cone, cone, SPACING_MM, wall_mm)[3]
    outer_mm = np.sqrt((wall | cone[3]).sum() * 0.25 / np.pi)
    assert outer_mm - radii_mm[3] == pytest.approx(wall_mm * np.sqrt(1 + slope**2), abs=0.35)


def test_what_is_drawn_already_stays():
    blood = np.repeat((FROM_AXIS_MM < 10)[None], 3, axis=0)
    drawn = np.repeat((COLUMNS > 80)[None], 3, axis=0) & ~blood
    wall = right_wall(blood, drawn, SPACING_MM, 3.0)
    assert wall.any()
    assert not (wall & (blood | drawn)).any()
    assert not right_wall(np.zeros_like(blood), drawn, SPACING_MM, 3.0).any()


def test_no_wall_covers_the_valves():
    blood = np.repeat((FROM_AXIS_MM < 10)[None], 4, axis=0)
    blood[0] = False  # above the base
    wall = right_wall(blood, blood, SPACING_MM, 6.0)
    assert not wall[0].any()
    assert wall[1].any()


def test_it_is_myocardium_without_signal_and_as_thick_as_the_setting():
    thin, thick = (segment(image(), SegmentSettings(rv_wall_mm=mm)) for mm in (2.0, 6.0))
    added = (thick.labels == 2) & (thin.labels == 0)
    assert added.any()
    assert np.isnan(thick.signal[added]).all()
    assert not added[:, :, int(66 + 20 / 1.6) :].any(), "nothing on the far side of the left ventricle"
    assert dice(np.isfinite(thick.signal), truth() == 2) > 0.80
