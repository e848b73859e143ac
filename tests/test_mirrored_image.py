"""Case TD26: an image volume that was mirrored is found by the heart that is drawn on it.

A drawn heart does not wind, so flipping the rows of its slices changes nothing that could be seen: only flips that take
its apex elsewhere, or those of a real heart, can be told. Of the phantoms, none is.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from data_folder import real_data
from short_axis import image

from cardiotwin.errors import QualityGate
from cardiotwin.ingest import read_dicom
from cardiotwin.progress import silent
from cardiotwin.provenance import Provenance
from cardiotwin.settings import SegmentSettings
from cardiotwin.twin.stage_functions import segment_image
from cardiotwin.twin.step import Work


def work(**settings):
    return Work(SimpleNamespace(segment=SegmentSettings(**settings)), Path(), silent, Provenance())


def flipped(picture, axis):
    motion = None if picture.motion is None else np.ascontiguousarray(np.flip(picture.motion, axis))
    return replace(picture, values=np.ascontiguousarray(np.flip(picture.values, axis)), motion=motion)


def test_an_honest_image_is_segmented():
    assert (segment_image(work(), image()).labels == 3).any()


@pytest.mark.slow
def test_base_and_apex_exchanged_is_not_enough_to_answer_unless_the_user_says_so():
    with pytest.raises(
        QualityGate, match=r"^image: found the apex towards back.*under \[segment\], set allow_mirrored = true"
    ) as refused:
        segment_image(work(), flipped(image(), 0))
    assert refused.value.exit_code == 4
    assert "\n" not in str(refused.value)
    assert (segment_image(work(allow_mirrored=True), flipped(image(), 0)).labels > 0).any()


@pytest.fixture(scope="module")
def cine():
    return read_dicom(real_data("cine_cmr_dicom", "dicoms"))


@pytest.mark.slow
@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_a_real_heart_is_told_from_its_mirror_images(cine, axis):
    if axis is None:
        segment_image(work(), cine)
        return
    with pytest.raises(QualityGate, match="mirrored"):
        segment_image(work(), flipped(cine, axis))
