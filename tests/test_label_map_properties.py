"""Whatever bytes a label map's file holds, its reader gives a label map or a typed refusal of one line."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from short_axis import affine, truth

from cardiotwin.errors import CardioTwinError
from cardiotwin.ingest.labels import read_segments
from cardiotwin.segmentation.coding import decode
from cardiotwin.segmentation.label_map import LabelMap, plain

sitk = pytest.importorskip("SimpleITK")
hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

SEVERAL = hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
DAMAGE = st.lists(st.tuples(st.floats(0, 0.999), st.binary(max_size=12), st.integers(0, 12)), min_size=1, max_size=4)


@functools.cache
def whole(ending: str) -> bytes:
    labels = np.zeros((4, 10, 12), np.uint8)
    labels[:, 2:8, 2:9], labels[:, 4:6, 4:7], labels[:, 3:6, 9:11] = 2, 1, 3
    image = sitk.GetImageFromArray(labels)
    image.SetMetaData("Segment0_Name", "LV")
    with tempfile.TemporaryDirectory() as folder:
        sitk.WriteImage(image, f"{folder}/map{ending}", ending != ".nii")
        return Path(folder, f"map{ending}").read_bytes()


def reads_or_refuses(content: bytes, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"map{ending}")
        path.write_bytes(content)
        try:
            found = read_segments(path)
        except CardioTwinError as refused:
            check_refusal(refused)
            return
        assert isinstance(found, LabelMap)
        assert found.codes.max() < len(found.members)


def check_refusal(refused: CardioTwinError) -> None:
    assert refused.exit_code in (2, 3, 4, 5)
    assert "\n" not in str(refused)
    assert "map" in str(refused)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"])
@SEVERAL
@hypothesis.given(content=st.binary(max_size=600))
def test_any_bytes(ending, content):
    reads_or_refuses(content, ending)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@SEVERAL
@hypothesis.given(damage=DAMAGE)
def test_damage_anywhere(ending, damage):
    content = bytearray(whole(ending))
    for where, piece, length in damage:
        at = int(where * len(content))
        content[at : at + length] = piece
    reads_or_refuses(bytes(content), ending)


KEYS = (
    "NDims",
    "DimSize",
    "ElementType",
    "ElementSpacing",
    "TransformMatrix",
    "Offset",
    "CompressedData",
    "HeaderSize",
)


@SEVERAL
@hypothesis.given(
    fields=st.dictionaries(st.sampled_from(KEYS), st.text(max_size=30) | st.integers().map(str)),
    data=st.text(max_size=20) | st.just("LOCAL"),
)
def test_any_metaimage_header(fields, data):
    header = "NDims = 3\nDimSize = 4 4 4\nElementType = MET_UCHAR\n"
    header += "".join(f"{key} = {value}\n" for key, value in fields.items()) + f"ElementDataFile = {data}\n"
    reads_or_refuses(header.encode("utf-8", errors="replace") + bytes(64), ".mhd")


@SEVERAL
@hypothesis.given(codes=st.dictionaries(st.integers(-5, 3000), st.integers(0, 3), max_size=8))
def test_any_coding_of_a_heart_is_the_heart_or_a_refusal(codes):
    """Nobody's chambers are exchanged: where the codes of a known tool fit, left is left."""
    ours = truth()
    theirs = np.zeros(ours.shape, np.int32)
    for code, region in codes.items():
        theirs[ours == region] = code
    try:
        labels, _ = decode(plain(theirs, affine(), {}, "a label map"))
    except CardioTwinError as refused:
        check_refusal(refused)
        return
    assert set(np.unique(ours[labels == 1])) == {1}
    assert set(np.unique(ours[labels == 3])) <= {3}
