"""The confidence of a slice falls where the slice is damaged, and only there; too many doubtful ones are refused."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from short_axis import HEART_SLICES, dice, image, truth

from cardiotwin.errors import QualityGate
from cardiotwin.segmentation import segment
from cardiotwin.segmentation.confidence import ring_overlap, told
from cardiotwin.segmentation.contours import Wall
from cardiotwin.settings import SegmentSettings

ALL_ALLOWED = SegmentSettings(doubtful_allowed=1.0)


@pytest.fixture(scope="module")
def judged():
    return segment(image(), ALL_ALLOWED)


def test_every_slice_of_a_clear_stack_is_trusted_and_those_beyond_the_heart_are_not_judged(judged):
    found = np.array(judged.confidence["by_slice"])
    assert (found[list(HEART_SLICES)] > 0.5).all(), found
    np.testing.assert_array_equal(found > 0, (judged.labels > 0).any(axis=(1, 2)))


@pytest.mark.slow
def test_two_runs_judge_alike(judged):
    assert segment(image(), ALL_ALLOWED).confidence["by_slice"] == judged.confidence["by_slice"]


def test_a_slice_blurred_away_is_the_one_that_is_doubted(judged):
    """Between two good slices: its contours are held in place by them, but nothing in the image bears them out."""
    picture, lost = image(), 3
    values = picture.values.copy()
    values[lost] = gaussian_filter(values[lost], 4.0)
    found = segment(replace(picture, values=values), ALL_ALLOWED).confidence["by_slice"]
    assert [k for k in HEART_SLICES if found[k] < 0.5] == [lost], found


def test_too_many_doubtful_slices_are_refused_with_their_numbers():
    settings = SegmentSettings(least_confidence=0.6, doubtful_allowed=0.25)
    told(np.array([0.0, 0.9, 0.59, 0.7, 0.8]), settings)
    with pytest.raises(QualityGate, match=r"2 of 4 slices are doubtful \(2, 5, counted from 1") as refused:
        told(np.array([0.0, 0.59, 0.9, 0.9, 0.1]), settings)
    assert refused.value.exit_code == 4


def test_doubtful_slices_are_named():
    entries = told(np.array([0.0, 0.9, 0.4, 0.8]), SegmentSettings())
    assert entries["by_slice"] == (0.0, 0.9, 0.4, 0.8)
    assert entries["doubtful"].startswith("1 of 3 slices: 3; ")
    assert entries["doubtful"].endswith("add a label map (cardiotwin add)")
    assert told(np.array([0.0, 0.9]), SegmentSettings())["doubtful"] == "none"


@pytest.mark.parametrize(("inner", "outer"), [(10.0, 20.0), (12.0, 19.0), (15.0, 25.0), (20.0, 30.0)])
def test_overlap_of_two_rings_is_that_of_their_pixels(inner, outer):
    def ring(endocardium, epicardium):
        radii = np.full((1, 64), endocardium)
        return Wall(np.zeros((1, 2)), radii, radii * 0 + epicardium - endocardium, radii[..., None], *radii.T[:2], True)

    rows, columns = np.indices((700, 700)) - 349.5
    apart = 0.1 * np.hypot(rows, columns)
    masks = [(apart >= a) & (apart < b) for a, b in ((10.0, 20.0), (inner, outer))]
    assert ring_overlap(ring(10.0, 20.0), ring(inner, outer))[0] == pytest.approx(dice(*masks), abs=0.005)


def test_what_is_trusted_is_right(judged):
    trusted = [k for k in HEART_SLICES if judged.confidence["by_slice"][k] > 0.5]
    assert trusted
    for k in trusted:
        assert dice(judged.labels[k] == 1, truth()[k] == 1) > 0.7
