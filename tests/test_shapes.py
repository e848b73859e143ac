"""Interpolation between slices keeps shapes and volumes."""

import numpy as np
import pytest
from scipy import ndimage

from cardiotwin.errors import InputRejected
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.meshes.shapes import continued_before, signed_distance, stack
from cardiotwin.meshes.ventricles import basal_slice, base_is_last, ventricles

SPACING = np.array([8.0, 1.0, 1.0])


def discs(*radii_mm, centre=30.0, size=61):
    row, column = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    distance = np.hypot(row - centre, column - centre)
    return np.stack([distance <= radius for radius in radii_mm])


def radius_at(region, height_mm):
    """Where the level set crosses zero along a row through the middle."""
    along = np.arange(0.0, 29.0, 0.05)
    values = region(np.column_stack([np.full_like(along, height_mm), np.full_like(along, 30.0), 30.0 + along]))
    return along[np.argmax(values < 0)] if (values > 0).any() else 0.0


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_a_cone_stays_a_cone_between_slices(share):
    """Interpolated labels would jump from one radius to the other half-way."""
    region = stack(discs(20, 10), SPACING)
    assert radius_at(region, 8.0 * share) == pytest.approx(20 - 10 * share, abs=0.6)


def test_an_end_closes_before_the_next_slice_and_beyond_its_own():
    region = stack(discs(20, 14, 0)[:2], SPACING)
    radii = [radius_at(region, 8.0 + d) for d in (0.0, 2.0, 4.0, 6.0, 8.5)]
    assert all(np.diff(radii) < 0)
    assert radii[0] == pytest.approx(14, abs=0.6)
    assert radii[-1] == 0


def test_a_paraboloid_ends_where_its_areas_say():
    """Areas 400 and 200 (in units of pi) fall to nothing one slice further; 400 and 100 a third of a slice further."""
    np.testing.assert_allclose(stack(discs(20, np.sqrt(200)), SPACING).caps_mm[1, 1], 8.0, rtol=0.05)
    np.testing.assert_allclose(stack(discs(20, 10), SPACING).caps_mm[1, 1], 8.0 / 3, rtol=0.05)


def test_the_base_goes_straight_on():
    region = continued_before(stack(discs(20, 10), SPACING))
    assert radius_at(region, -4.0) == pytest.approx(20, abs=0.6)
    assert radius_at(region, 4.0) == pytest.approx(15, abs=0.6)


def test_signed_distance_is_exact_for_a_ball_to_a_tenth_of_a_voxel():
    axis = np.arange(-12.0, 13.0)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    found = signed_distance(9.3**2 - radius**2, 1.0)  # a level set with a slope of 19, not of 1
    near = np.abs(radius - 9.3) < 1.0
    assert np.abs(found - (9.3 - radius))[near].max() < 0.1
    assert np.abs(found - (9.3 - radius))[radius > 5].max() < 0.6
    assert np.abs((found - (9.3 - radius))[radius > 5].mean()) < 0.05


@pytest.mark.parametrize("flipped", [False, True])
def test_the_base_is_found_from_anatomy_not_from_order(flipped):
    drawn = drawn_ventricles()
    step = -1 if flipped else 1
    assert base_is_last(drawn.left_blood[::step], drawn.right_blood[::step]) is flipped


def test_fragments_above_the_ring_are_not_the_base():
    drawn = drawn_ventricles()
    fragment = np.zeros_like(drawn.left_blood[:1])
    fragment[0, 40:44, 40:44] = True
    muscle = np.concatenate([ndimage.binary_dilation(fragment) & ~fragment, drawn.myocardium])
    assert basal_slice(muscle, np.concatenate([fragment, drawn.left_blood])) == 1


def test_blood_without_a_ring_of_muscle_is_refused():
    drawn = drawn_ventricles()
    with pytest.raises(InputRejected, match="surround"):
        basal_slice(np.roll(drawn.myocardium, 40, axis=2), drawn.left_blood)


def test_the_wall_has_the_thickness_it_was_drawn_with():
    """Between ellipsoids whose half-axes differ by 9 mm the gap is 8.3 to 9 mm, 8.65 mm at the median."""
    drawn = drawn_ventricles(wall_mm=9.0)
    shape = ventricles(
        drawn.myocardium, drawn.left_blood, drawn.right_blood, drawn.spacing_mm, grid_mm=1.0, rv_wall_mm=3.0
    )
    assert shape.left_wall_mm() == pytest.approx(8.65, abs=0.3)


def test_a_gap_between_slices_is_refused():
    drawn = drawn_ventricles()
    muscle = drawn.myocardium.copy()
    muscle[3] = False
    with pytest.raises(InputRejected, match="slice 3 has no myocardium"):
        ventricles(muscle, drawn.left_blood, drawn.right_blood, drawn.spacing_mm, grid_mm=1.0, rv_wall_mm=3.0)


def test_the_apex_is_covered_where_blood_and_muscle_end_on_one_slice():
    """Muscle of the last ring's thickness, and round: not cut off where the slices end."""
    drawn = drawn_ventricles(right=False)
    n = int(np.flatnonzero(drawn.left_blood.any(axis=(1, 2)))[-2]) + 1
    masks = [mask[:n] for mask in (drawn.myocardium, drawn.left_blood, drawn.right_blood)]
    shape = ventricles(*masks, drawn.spacing_mm, grid_mm=1.0, rv_wall_mm=3.0)
    middle = np.argwhere(masks[1][-1]).mean(axis=0) * drawn.spacing_mm[1:]
    along = (n - 1) * drawn.spacing_mm[0] + np.arange(0.0, 12.0, 0.1)
    inside = shape(np.column_stack([along, np.broadcast_to(middle, (len(along), 2))])) > 0
    thickness = 0.1 * inside.sum()
    assert 4.0 < thickness < 9.0
    widths = [(shape.hull[np.argmin(np.abs(shape.origin[0] + np.arange(shape.hull.shape[0]) - h))] > 0).sum()
              for h in along[-1] - np.array([7.0, 5.5, 4.0])]  # fmt: skip
    assert widths[0] > 1.2 * widths[1] > 1.2 * widths[2]
