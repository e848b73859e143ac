"""What the page on input files says is what the readers take."""

import re
from pathlib import Path

import numpy as np
import pytest
from made_dicom import twelve_leads
from small_twin import CHEST_MM

from cardiotwin.ingest import read_ecg, read_electrodes
from cardiotwin.ingest.labels import LABELS

PAGE = " ".join((Path(__file__).parents[1] / "docs" / "input_files.md").read_text().split())
"""On one line, so that where the page wraps does not matter."""


def test_the_label_codes_are_the_readers():
    assert f": {LABELS}." in PAGE


def test_the_electrode_header_is_the_readers(tmp_path):
    header = re.search(r"## Electrodes A CSV file with the header `([^`]+)`", PAGE)[1]
    rows = "".join(f"{name},{x},{y},{z}\n" for name, (x, y, z) in CHEST_MM.items())
    (tmp_path / "electrodes.csv").write_text(f"{header}\n{rows}")
    assert read_electrodes(tmp_path / "electrodes.csv").names == tuple(CHEST_MM)


@pytest.mark.parametrize("clock", ["time [ms]", "hz=500"])
def test_an_ecg_csv_as_described_is_read(tmp_path, clock):
    assert f"`{clock}`" in PAGE
    mv = twelve_leads()[[0, 1, 6]]
    titles, columns = ["I [mV]", "II [mV]", "V1 [uV]"], [mv[0], mv[1], 1000.0 * mv[2]]
    assert "(`I [mV]`, `V1 [uV]`)" in PAGE
    if clock.startswith("time"):
        titles, columns, above = [clock, *titles], [2.0 * np.arange(mv.shape[1]), *columns], ""
    else:
        above = f"{clock}\n"
    np.savetxt(tmp_path / "ecg.csv", np.array(columns).T, delimiter=",", header=above + ",".join(titles), comments="")
    found = read_ecg(tmp_path / "ecg.csv")
    assert (found.leads, found.hz) == (("I", "II", "V1"), pytest.approx(500.0))
    np.testing.assert_allclose(found.mv, mv, atol=1e-9)
