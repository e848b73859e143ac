"""The contours find a ventricle whose shape is known, whichever way the picture is turned, and refuse what is none."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from short_axis import SHAPE, affine, dice, image, scar_mask, truth

from cardiotwin.errors import QualityGate
from cardiotwin.imaging import Image
from cardiotwin.segmentation import segment, volumes_ml
from cardiotwin.segmentation.automatic import check_parted
from cardiotwin.segmentation.contours import longest_run

WALL = (2, 4, 5)


@pytest.mark.parametrize("kind", ["lge", "cine"])
def test_blood_and_wall_are_found_where_they_were_drawn(kind):
    labels, drawn = segment(image(kind)).labels, truth()
    assert dice(labels == 1, drawn == 1) > 0.93
    right_wall = binary_dilation(labels == 3, iterations=3, structure=np.ones((1, 3, 3))) & (drawn != 2)
    assert dice(np.isin(labels, WALL) & ~right_wall, drawn == 2) > 0.80
    assert dice(labels == 3, drawn == 3) > 0.85


@pytest.mark.parametrize(("scar_signal", "slices"), [(1.0, range(2, 5)), (1.0, range(1, 7)), (1.4, range(2, 5))])
def test_scar_as_bright_as_blood_stays_in_the_wall(scar_signal, slices):
    """A quarter of the wall, transmural, lung behind it: no edge parts it from the cavity when it equals blood."""
    scar = scar_mask(90, slices)
    labels = segment(image(scar=scar, scar_signal=scar_signal)).labels
    assert dice(labels == 1, truth() == 1) > 0.90
    assert (labels[scar] == 1).mean() < 0.15
    assert np.isin(labels[scar], (4, 5)).mean() > 0.65


def turned(original: Image, how: str) -> Image:
    """The same body scanned with other image axes; the affine says so."""
    matrix, values = original.affine.copy(), original.values
    flips = {"half turn": (0, 1), "slices reversed": (2, 0)}[how]
    for axis in flips:
        count = values.shape[2 - axis]
        matrix[:3, 3] += matrix[:3, axis] * (count - 1)
        matrix[:3, axis] *= -1
        values = np.flip(values, 2 - axis)
    return Image(np.ascontiguousarray(values), matrix, original.kind)


@pytest.mark.parametrize("how", ["half turn", "slices reversed"])
@pytest.mark.slow
def test_volumes_do_not_depend_on_the_image_axes(how):
    original = image(scar=scar_mask(60, range(2, 5)))
    first, second = (volumes_ml(segment(one)) for one in (original, turned(original, how)))
    for name in ("lv_blood", "wall", "rv_blood"):
        assert second[name] == pytest.approx(first[name], rel=0.08), name


def test_slices_beyond_the_heart_stay_empty():
    labels = segment(image()).labels
    assert not labels[0].any()
    assert not labels[8].any()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise_is_refused(seed):
    noise = np.random.default_rng(seed).rayleigh(20.0, SHAPE).astype(np.float32)
    with pytest.raises(QualityGate, match="left ventricle"):
        segment(Image(noise, affine(), "lge"))


def test_contours_drawn_in_noise_are_refused():
    noise = np.random.default_rng(3).rayleigh(20.0, SHAPE).astype(np.float32)
    with pytest.raises(QualityGate, match="standard deviations"):
        check_parted(Image(noise, affine(), "lge"), truth())


def test_two_slices_are_refused():
    two = image()
    with pytest.raises(QualityGate, match="2 slices"):
        segment(Image(two.values[2:4], two.affine, "lge"))


def test_an_image_of_one_value_is_refused():
    with pytest.raises(QualityGate, match="one value"):
        segment(Image(np.full(SHAPE, 7, np.float32), affine(), "cine"))


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_left_ventricle_ends_where_the_phantoms_does(seed):
    """Contours led on by the fat below the apex made the heart 10 mm too long, and the ECG's fit with it."""
    from cardiotwin.phantom.anatomy import make_anatomy
    from cardiotwin.phantom.lge import LgeScan, scan

    picture, truth = scan(make_anatomy(seed), LgeScan(seed=seed))
    drawn, there = ((labels == 1).any(axis=(1, 2)) for labels in (segment(picture).labels, truth.labels))
    assert not (drawn & ~there).any()
    assert (there & ~drawn).sum() <= 1


@pytest.mark.parametrize(
    ("evidence", "kept"),
    [
        ((0.3, 1.0, 1.0, 0.1, 1.0, 1.0, 0.2), (1, 2, 3, 4, 5)),  # blurred by a breath, between whole rings
        ((0.3, 1.0, 1.0, 0.1, 0.5, 0.5, 0.2), (1, 2)),  # the apex is no whole ring: what is beyond may be fat
        ((0.3, 1.0, 1.0, 0.4, 0.5, 0.5, 0.2), (1, 2, 3, 4, 5)),  # only poor
        ((1.0, 1.0, 0.1, 0.1, 1.0, 1.0, 1.0), (4, 5, 6)),  # two in a row are a gap
    ],
)
def test_one_poor_slice_does_not_cost_those_on_one_side_of_it(evidence, kept):
    assert tuple(np.flatnonzero(longest_run(np.array(evidence), 0.45))) == kept
