"""A trained model from another package: found by its entry point, its weights refused unless they are as pinned."""

import hashlib
import importlib
import json
import pickle

import numpy as np
import pytest
from made_dicom import lge_series, write
from short_axis import affine, image, truth

from cardiotwin import presets
from cardiotwin.errors import InputRejected, IntegrityError, SettingsError
from cardiotwin.segmentation import from_label_map, segment
from cardiotwin.segmentation.plugins import Weights, checked_weights
from cardiotwin.settings import SegmentSettings
from cardiotwin.twin.twin import Twin

SEGMENTED = from_label_map(truth(), affine())

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


@pytest.fixture
def twin(installed, tmp_path):
    """A twin with an image, which the plug-in is to segment."""
    text = presets.settings_text(presets.preset("default"), "").replace('method = "automatic"', 'method = "segmenter"')
    made = Twin.create(tmp_path / "case", text)
    made.add([write(tmp_path / "lge", lge_series(5))])
    return made


def state(twin):
    (step,) = (one for one in twin.status().steps if one.name == "segment")
    return step.state, step.because


def exchanged(installed, *changes):
    """The same plug-in as another install would leave it: changed files, imported anew."""
    for name, old, new in changes:
        file = installed / name
        file.write_bytes(file.read_bytes().replace(old, new))
    __import__("sys").modules.pop("tiny_net", None)
    importlib.invalidate_caches()


def test_another_version_weights_or_code_of_the_plug_in_make_its_segmentation_stale(installed, twin):
    key = {one.step.name: one.key for one in twin.planned()}["segment"]
    twin.store.put(next(one.recipe for one in twin.planned() if one.step.name == "segment"), SEGMENTED, 0.0)
    twin.ledger.new_version({"segment": key}, ["segment"])
    assert state(twin) == ("current", "")
    pin = hashlib.sha256(safetensors(np.array([200.0]))).hexdigest().encode()
    weights = safetensors(np.array([150.0]))
    other = hashlib.sha256(weights).hexdigest().encode()
    there_and_back = {
        "version": ("tiny_net-1.2.dist-info/METADATA", b"Version: 1.2", b"Version: 1.3"),
        "weights": ("tiny_net.py", pin, other),
        "code": ("tiny_net.py", b"> level", b">= level"),
        "gone": ("tiny_net-1.2.dist-info/entry_points.txt", b"\nsegmenter =", b"\nelse =  "),
    }
    for file, old, new in there_and_back.values():
        exchanged(installed, (file, old, new))
        assert state(twin) == ("stale", "plug-in changed")
        exchanged(installed, (file, new, old))
        assert state(twin) == ("current", "")
    used = next(one for one in twin.provenance().stages if one.stage == "segment").inputs["plug-in"]
    assert used.startswith(f"plug-in segmenter of tiny-net 1.2, weights sha256:{pin.decode()}, code sha256:")


def test_the_contours_of_the_tool_itself_ask_for_no_plug_in(twin):
    twin.settings = twin.settings.model_copy(update={"segment": SegmentSettings()})
    (segment_step,) = (one for one in twin.planned() if one.step.name == "segment")
    assert "plug-in" not in segment_step.recipe.inputs
