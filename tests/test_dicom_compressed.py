"""Compressed pixels are the pixels that were compressed, whichever syntax; damage and unknown syntaxes are refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_dicom import cine_slice, lge_series, signal_at, write
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import RLELossless

from cardiotwin.errors import InputRejected
from cardiotwin.ingest import read_dicom
from cardiotwin.ingest.pixels import stored_pixels

UNCOMPRESSED = "MR_small.dcm"


def stored(name):
    return stored_pixels(Path(get_testdata_file(name)), name)[0]


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_a_lossless_copy_made_by_another_program_has_the_pixels_of_the_original(name):
    np.testing.assert_array_equal(stored(name), dcmread(get_testdata_file(UNCOMPRESSED)).pixel_array)


def test_jpeg_lossless_as_most_scanners_send_it(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    original = dcmread(get_testdata_file(UNCOMPRESSED)).pixel_array
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.SetFileName(str(tmp_path / "one.dcm"))
    writer.Execute(sitk.GetImageFromArray(original[None].astype(np.int16)))
    assert dcmread(tmp_path / "one.dcm").file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.70"
    np.testing.assert_array_equal(stored_pixels(tmp_path / "one.dcm", "one.dcm")[0], original)


def test_twelve_bit_jpeg_is_decoded():
    """Two values that the tests of pydicom give for this file."""
    pixels = stored("JPEG-lossy.dcm")
    assert (pixels[420, 140], pixels[230, 120]) == (244, 95)


def test_lossy_pixels_equal_those_of_another_decoder():
    pytest.importorskip("openjpeg")
    np.testing.assert_array_equal(stored("JPEG2000.dcm"), dcmread(get_testdata_file("JPEG2000.dcm")).pixel_array)
    pytest.importorskip("jpeg_ls")
    name = "JPEGLSNearLossless_16.dcm"
    np.testing.assert_array_equal(stored(name), dcmread(get_testdata_file(name)).pixel_array)


def test_a_series_in_rle_reads_like_the_plain_one_with_each_slices_own_scale(tmp_path):
    def scaled(k, dataset):
        dataset.RescaleSlope, dataset.RescaleIntercept = k + 1, -7

    plain = read_dicom(write(tmp_path / "plain", lge_series(change=scaled)))
    packed = lge_series(change=scaled)
    for dataset in packed:
        dataset.compress(RLELossless, generate_instance_uid=False)
    image = read_dicom(write(tmp_path / "rle", packed))
    np.testing.assert_array_equal(image.values, plain.values)
    np.testing.assert_array_equal(image.affine, plain.affine)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"])
def test_a_stream_cut_short_is_refused_by_the_name_of_its_file(tmp_path, syntax):
    name = {"90": "MR_small_jp2klossless.dcm", "80": "MR_small_jpeg_ls_lossless.dcm"}
    dataset = dcmread(get_testdata_file(name.get(syntax[-2:], "MR_small_RLE.dcm")))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    for share in (0.1, 0.5, 0.9):
        cut = frame[: int(share * len(frame)) // 2 * 2]
        dataset.PixelData = encapsulate([cut])
        dataset.save_as(tmp_path / "cut.dcm", enforce_file_format=True)
        with pytest.raises(InputRejected, match=r"cut\.dcm: PixelData \(7FE0,0010\) cannot be decoded"):
            stored_pixels(tmp_path / "cut.dcm", "cut.dcm")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.3.99.1"])
def test_a_syntax_that_nothing_decodes_is_refused_with_its_uid_and_what_to_install(tmp_path, syntax):
    shutil.copy(get_testdata_file("MR_small_RLE.dcm"), tmp_path / "other.dcm")
    content = (tmp_path / "other.dcm").read_bytes()
    old = b"1.2.840.10008.1.2.5\0"
    at = content.index(b"UI" + len(old).to_bytes(2, "little") + old)
    new = (syntax + "\0" * (len(syntax) % 2)).encode()
    grown = content[:at] + b"UI" + len(new).to_bytes(2, "little") + new + content[at + 4 + len(old) :]
    length = content.index(b"\x02\x00\x00\x00UL") + 8
    group = int.from_bytes(content[length : length + 4], "little") + len(new) - len(old)
    (tmp_path / "other.dcm").write_bytes(grown[:length] + group.to_bytes(4, "little") + grown[length + 4 :])
    with pytest.raises(InputRejected, match=syntax.replace(".", r"\.")) as caught:
        stored_pixels(tmp_path / "other.dcm", "other.dcm")
    assert "pip install cardiotwin[dicom]" in str(caught.value)


def test_a_cine_in_rle_has_its_frames_in_time(tmp_path):
    packed = [cine_slice(k, frame) for k in range(3) for frame in range(6)]
    for dataset in packed:
        dataset.compress(RLELossless, generate_instance_uid=False)
    image = read_dicom(write(tmp_path / "cine", packed))
    for k in range(3):
        np.testing.assert_array_equal(image.values[k], signal_at(k, frame=0))
    np.testing.assert_allclose(image.motion, np.std(10.0 * np.arange(6)), rtol=1e-5)
