"""MetaImage: as ITK reads it, and nothing outside the folder of the header."""

import os

import numpy as np
import pytest
from short_axis import affine, truth

from cardiotwin.errors import InputRejected
from cardiotwin.ingest import explain, read_label_map
from cardiotwin.ingest.labels import read_volume

sitk = pytest.importorskip("SimpleITK")


def saved(path, values=None, compress=False, handedness=1.0):
    image = sitk.GetImageFromArray(truth() if values is None else values)
    matrix = affine()
    image.SetSpacing(np.linalg.norm(matrix[:3, :3], axis=0).tolist())
    direction = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0) * [1, 1, handedness]
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin((-30.0, 12.0, 7.0))
    sitk.WriteImage(image, str(path), compress)
    return path


@pytest.mark.parametrize("ending", [".mha", ".mhd"])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("handedness", [1.0, -1.0])
def test_values_and_geometry_are_itks(tmp_path, ending, compress, handedness):
    path = saved(tmp_path / f"map{ending}", compress=compress, handedness=handedness)
    values, found, _ = read_volume(path, "map")
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(values, sitk.GetArrayFromImage(image))
    for index in [(0, 0, 0), (7, 3, 2), (100, 90, 8)]:
        np.testing.assert_allclose(found @ [*index, 1], [*image.TransformIndexToPhysicalPoint(index), 1], atol=1e-9)


def test_a_label_map_is_recognised_and_read(tmp_path):
    path = saved(tmp_path / "map.mha", compress=True)
    assert explain(path)[0] == "label_map"
    np.testing.assert_array_equal(read_label_map(path)[0], truth())


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.float32, np.float64])
def test_every_type_of_voxel_is_read(tmp_path, dtype):
    values, _, _ = read_volume(saved(tmp_path / "map.mha", truth().astype(dtype)), "map")
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, truth())


@pytest.fixture
def native(monkeypatch):
    monkeypatch.setattr(sitk, "ReadImage", lambda *_: pytest.fail("the native reader was called"))


@pytest.mark.parametrize(
    "target",
    ["../secret.raw", "/etc/hostname", "http://127.0.0.1/x.raw", "sub/map.raw", "..\\secret.raw", "C:x.raw", "LIST",
     "slice%03d.raw 1 9 1", ".", "", "absent.raw", "LIST 2D"],
)  # fmt: skip
def test_voxels_outside_the_folder_are_refused(tmp_path, target, native):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    saved(folder / "map.mhd")
    (folder / "sub" / "map.raw").write_bytes((folder / "map.raw").read_bytes())
    (tmp_path / "secret.raw").write_bytes((folder / "map.raw").read_bytes())
    header = (folder / "map.mhd").read_text().replace("map.raw", target)
    (folder / "map.mhd").write_text(header)
    with pytest.raises(InputRejected, match="ElementDataFile"):
        read_label_map(folder / "map.mhd")


def test_a_link_out_of_the_folder_is_refused(tmp_path, native):
    (tmp_path / "in").mkdir()
    saved(tmp_path / "in" / "map.mhd")
    (tmp_path / "in" / "map.raw").rename(tmp_path / "map.raw")
    os.symlink(tmp_path / "map.raw", tmp_path / "in" / "map.raw")
    with pytest.raises(InputRejected, match="link out of the folder"):
        read_label_map(tmp_path / "in" / "map.mhd")


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("DimSize = 120 110 9", "DimSize = 30000 30000 30000", InputRejected, "30000"),
        ("DimSize = 120 110 9", "DimSize = -120 110 9", InputRejected, "DimSize"),
        ("DimSize = 120 110 9", "DimSize = 120 110 90", InputRejected, "bytes of voxels"),
        ("DimSize = 120 110 9", "DimSize = 1e400 110 9", InputRejected, "DimSize"),
        ("NDims = 3", "NDims = 99999999", InputRejected, "NDims"),
        ("MET_UCHAR", "MET_STRING", InputRejected, "ElementType"),
        ("Offset = -30 12 7", "Offset = nan 12 7", InputRejected, "Offset"),
        ("ElementSpacing = ", "ElementSpacing = 0 ", InputRejected, "ElementSpacing"),
        ("ElementDataFile = LOCAL", "", InputRejected, "ElementDataFile"),
    ],
    ids=["27 TB", "negative", "more than there is", "overflow", "axes", "type", "nan", "four spacings", "no data"],
)
def test_a_header_that_lies_is_refused(tmp_path, native, old, new, error, words):
    path = saved(tmp_path / "map.mha")
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new.encode()))
    with pytest.raises(error, match=words) as caught:
        read_label_map(path)
    assert "map.mha" in str(caught.value)


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_cut_anywhere_is_refused(tmp_path, compress):
    path = saved(tmp_path / "map.mha", compress=compress)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 9, len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(InputRejected, match=r"map\.mha"):
            read_label_map(path)
