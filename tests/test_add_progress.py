"""While inputs are put in, it is said what is being read, and how far it is only ever grows."""

import pytest
from made_dicom import cine_slice, ecg, twelve_leads, write
from test_shells import heart_files

from cardiotwin import presets
from cardiotwin.ecg.recording import LEADS
from cardiotwin.twin.twin import Twin


def surfaces(tmp_path):
    heart_files(tmp_path / "shells")
    return [tmp_path / "shells"]


def images_and_ecg(tmp_path):
    folder = write(tmp_path / "export", [cine_slice(k, frame) for k in range(4) for frame in range(6)])
    return [folder, write(tmp_path / "ecg", [ecg(twelve_leads(), LEADS)])]


@pytest.mark.parametrize(("make", "words"), [
    (surfaces, ("reading 3 surfaces", "filling the epicardium", "holding labels", "storing")),
    (images_and_ecg, ("looking at file 24 of 24", "reading header 24 of 24", "reading slice 4 of 4", "dicom ecg")),
], ids=["surfaces", "images and ECG"])  # fmt: skip
def test_the_bar_moves_with_every_part_of_reading_and_never_back(tmp_path, make, words):
    twin = Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""))
    told = []
    twin.add(make(tmp_path), progress=lambda fraction, what: told.append((fraction, what)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    for word in words:
        at = [fraction for fraction, what in told if word in what]
        assert at, word
        assert 0 < at[-1] < 1
