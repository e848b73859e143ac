"""Tissue is told apart by people who see no red, no green or no blue."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from cardiotwin.pictures.content import ABLATED_COLOUR, TISSUE_COLOURS
from cardiotwin.pictures.short_axis import CONTOURS

# Machado, Oliveira & Fernandes 2009, doi 10.1109/TVCG.2009.113, severity 1, linear RGB.
SEEN_BY = {
    "everyone": np.eye(3),
    "without red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "without green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "without blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


def lab(colour, matrix):
    """CIELAB of a colour as somebody sees it."""
    encoded = np.array(to_rgb(colour))
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    ratio = XYZ @ np.clip(matrix @ linear, 0, 1) / WHITE
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def closest(colours, seen_by):
    places = [lab(colour, np.array(SEEN_BY[seen_by])) for colour in colours]
    return min(np.linalg.norm(a - b) for a, b in combinations(places, 2))


@pytest.mark.parametrize("seen_by", SEEN_BY)
def test_substrate_and_lesions_are_told_apart(seen_by):
    assert closest((*TISSUE_COLOURS, ABLATED_COLOUR), seen_by) >= 35


@pytest.mark.parametrize("seen_by", ["everyone", "without red", "without green"])
def test_contours_are_told_apart(seen_by):
    assert closest([colour for _, _, colour, *_ in CONTOURS], seen_by) >= 30


def test_the_measure_knows_the_pair_it_is_about():
    """Pure red and a green of like lightness: far apart for most, not without green."""
    assert closest(["#ff4d4d", "#37c871"], "everyone") > 100
    assert closest(["#ff4d4d", "#37c871"], "without green") < 20
