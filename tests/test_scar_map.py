"""The scar map shows the signal where there is one, and nothing where scar was drawn by hand."""

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread
from small_study import small_study

from cardiotwin.report.scar_map import scar_map
from cardiotwin.segmentation import BORDER_ZONE, CORE, MYOCARDIUM


@pytest.fixture(scope="module")
def segmentation():
    return small_study(4.0).segmentation


def yellow(png):
    """Pixels of the brightest tenth's colour, cividis' last."""
    colours = imread(io.BytesIO(png))[..., :3]
    return (np.abs(colours - [0.9957, 0.9093, 0.2178]).max(axis=-1) < 0.03).sum()


def test_bright_muscle_is_drawn_bright(segmentation):
    muscle = np.isin(segmentation.labels, (MYOCARDIUM, CORE, BORDER_ZONE))
    dark = replace(segmentation, signal=np.where(muscle, 0.05, np.nan).astype(np.float32))
    bright = replace(segmentation, signal=np.where(muscle, 0.95, np.nan).astype(np.float32))
    assert yellow(scar_map(bright)) > 3 * yellow(scar_map(dark))


def test_without_a_signal_there_is_no_map(segmentation):
    assert scar_map(replace(segmentation, signal=None)) is None


def test_muscle_without_scar_is_drawn_all_the_same(segmentation):
    healthy = np.where(np.isin(segmentation.labels, (CORE, BORDER_ZONE)), MYOCARDIUM, segmentation.labels)
    signal = np.where(healthy == MYOCARDIUM, 0.1, np.nan).astype(np.float32)
    assert scar_map(replace(segmentation, labels=healthy, signal=signal)).startswith(b"\x89PNG")
