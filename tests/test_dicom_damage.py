"""Whatever happens to the bytes of a file: a typed refusal or the right answer, nothing else."""

import struct

import numpy as np
import pytest
from made_dicom import STEP_MM, lge_series, write

from cardiotwin.errors import CardioTwinError, InputRejected
from cardiotwin.ingest import read_dicom

# pydicom's warnings quote what they warn of, and with it names: none may get out.
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "lge", lge_series())


def test_a_file_cut_anywhere_is_refused(folder):
    path = sorted(folder.iterdir())[0]
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 16):
        path.write_bytes(whole[:length])
        with pytest.raises(InputRejected, match=path.name):
            read_dicom(folder)


def test_a_length_that_lies_is_refused(folder):
    path = sorted(folder.iterdir())[0]
    whole = path.read_bytes()
    at = whole.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW")) + 8
    for length in (2, 0xFFFFFFF0):
        path.write_bytes(whole[:at] + struct.pack("<I", length) + whole[at + 4 : -2])
        with pytest.raises(InputRejected, match="PixelData"):
            read_dicom(folder)


def test_flipped_bits_never_move_the_volume_unseen(folder):
    """TD29: of the flips in one slice's geometry that move it by more than 0.5 mm, at least 99 % must be refused."""
    honest = read_dicom(folder)
    path = sorted(folder.iterdir())[2]
    whole = path.read_bytes()
    bits = [8 * byte + bit for start, stop in geometry_values(whole) for byte in range(start, stop) for bit in range(8)]
    moved = unseen = 0
    for bit in np.random.default_rng(7).permutation(bits)[:200]:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        try:
            image = read_dicom(folder)
        except CardioTwinError:
            moved += 1
            continue
        far = np.array([[7.0, 5.0, 4.0]])
        shift_mm = np.abs(image.to_lps(far) - honest.to_lps(far)).max()
        moved += shift_mm > 0.5
        unseen += shift_mm > 0.5
    assert moved > 100
    assert unseen <= 0.01 * moved, f"{unseen} of {moved}"


def test_random_bytes_anywhere_raise_only_typed_refusals(folder):
    rng = np.random.default_rng(11)
    path = sorted(folder.iterdir())[1]
    whole = path.read_bytes()
    refused = 0
    for _ in range(100):
        damaged = bytearray(whole)
        for at in rng.integers(132, len(whole), size=rng.integers(1, 12)):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            image = read_dicom(folder)
        except CardioTwinError:
            refused += 1
        else:
            assert np.isfinite(image.values).all()
            assert image.spacing_mm[2] == pytest.approx(STEP_MM, rel=0.02)
    assert refused > 20


def geometry_values(content):
    """(start, stop) of the values of position, orientation and spacing in an explicit little endian file."""
    for element in (0x0032, 0x0037):
        at = content.index(struct.pack("<HH2s", 0x0020, element, b"DS"))
        yield at + 8, at + 8 + struct.unpack("<H", content[at + 6 : at + 8])[0]
    at = content.index(struct.pack("<HH2s", 0x0028, 0x0030, b"DS"))
    yield at + 8, at + 8 + struct.unpack("<H", content[at + 6 : at + 8])[0]
