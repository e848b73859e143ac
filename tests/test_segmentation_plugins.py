"""A trained model from another package: found by its entry point, its weights refused unless they are as pinned."""

import hashlib
import json
import pickle

import numpy as np
import pytest
from short_axis import image, truth

from cardiotwin.errors import InputRejected, IntegrityError, SettingsError
from cardiotwin.segmentation import segment
from cardiotwin.segmentation.plugins import Weights, checked_weights
from cardiotwin.settings import SegmentSettings

MODULE = """
from dataclasses import replace
from pathlib import Path

import numpy as np

from cardiotwin.segmentation import Segmentation
from cardiotwin.segmentation.plugins import Segmenter, Weights

PATH = Path(__file__).with_name("tiny.safetensors")


def threshold(image, weights):
    level = np.frombuffer(weights[-4:], "<f4")[0]
    labels = np.where(image.values > level, 1, 2).astype(np.uint8)
    return Segmentation(labels, image.affine, None, False, {"by_slice": (1.0,) * len(labels)})


segmenter = Segmenter(threshold, Weights(PATH, "PIN"))
elsewhere = Segmenter(lambda image, weights: replace(threshold(image, b"0000"), labels=np.ones((1, 2, 3), np.uint8)))
no_segmenter = threshold
"""


def safetensors(values: np.ndarray) -> bytes:
    """The file format, written by hand from its description."""
    header = {"level": {"dtype": "F32", "shape": list(values.shape), "data_offsets": [0, values.nbytes]}}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values.astype("<f4").tobytes()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package on the path, as pip would leave it; its weights are one number."""
    weights = safetensors(np.array([200.0]))
    (tmp_path / "tiny.safetensors").write_bytes(weights)
    (tmp_path / "tiny_net.py").write_text(MODULE.replace("PIN", hashlib.sha256(weights).hexdigest()))
    about = tmp_path / "tiny_net-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-net\nVersion: 1.2\n")
    names = "".join(f"{name} = tiny_net:{name}\n" for name in ("segmenter", "elsewhere", "no_segmenter", "gone"))
    (about / "entry_points.txt").write_text(f"[cardiotwin.segmenters]\n{names}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "tiny_net", raising=False)
    return tmp_path


def test_an_installed_model_takes_the_place_of_the_contours(installed):
    picture = image()
    result = segment(picture, SegmentSettings(method="segmenter"))
    np.testing.assert_array_equal(result.labels == 1, picture.values > 200)
    assert result.confidence["source"].startswith("plug-in segmenter of tiny-net 1.2, weights sha256:")
    assert result.confidence["by_slice"] == (1.0,) * len(truth())


def test_one_changed_byte_of_the_weights_is_refused(installed):
    file = installed / "tiny.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    with pytest.raises(IntegrityError, match="as pinned") as refused:
        segment(image(), SegmentSettings(method="segmenter"))
    assert refused.value.exit_code == 6


@pytest.mark.parametrize("name", ["net.pt", "net.pkl", "net.safetensors", "net.onnx"])
@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_refused_whatever_it_is_called_and_though_its_hash_is_right(tmp_path, name, protocol):
    data = pickle.dumps({"level": 200.0}, protocol=protocol)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputRejected, match="convert them") as refused:
        checked_weights(Weights(tmp_path / name, hashlib.sha256(data).hexdigest()))
    assert refused.value.exit_code == 3


def test_what_may_be_onnx_is_taken_if_its_hash_is_right(tmp_path):
    data = b"\x08\x08\x12\x04test"  # ir_version 8, producer_name "test"
    (tmp_path / "net.onnx").write_bytes(data)
    assert checked_weights(Weights(tmp_path / "net.onnx", hashlib.sha256(data).hexdigest().upper())) == data


def test_labels_on_another_grid_are_refused(installed):
    with pytest.raises(InputRejected, match="with the affine of the image"):
        segment(image(), SegmentSettings(method="elsewhere"))


@pytest.mark.parametrize(
    ("name", "because"), [("unheard", "installed: "), ("no_segmenter", "is a function"), ("gone", "cannot be imported")]
)
def test_a_method_that_is_none_is_a_wrong_setting(installed, name, because):
    with pytest.raises(SettingsError, match=because) as refused:
        segment(image(), SegmentSettings(method=name))
    assert refused.value.exit_code == 2
