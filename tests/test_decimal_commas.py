"""A table with decimal commas reads as one with points; where a comma may part thousands that is asked, not guessed."""

import numpy as np
import pytest
from made_dicom import twelve_leads
from small_twin import CHEST_MM

from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import InputRejected
from cardiotwin.ingest import read_ecg, read_electrodes, recognise


def table(path, mv, separator=";", head="hz=500\n", digits=4):
    rows = [separator.join(f"{value:.{digits}f}".replace(".", ",") for value in row) for row in mv.T]
    path.write_text(head + separator.join(f"{lead} [mV]" for lead in LEADS) + "\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("separator", [";", "\t"])
def test_an_ecg_with_decimal_commas_reads_as_it_is(tmp_path, separator):
    mv = twelve_leads()
    file = table(tmp_path / "ecg.csv", mv, separator)
    assert recognise(file) == "csv_ecg"
    np.testing.assert_allclose(read_ecg(file).mv, mv, atol=1e-4)


def test_electrodes_with_decimal_commas_are_where_they_are(tmp_path):
    file = tmp_path / "electrodes.csv"
    rows = "".join(f"{name};{x},5;{y},0;{z},0\n" for name, (x, y, z) in CHEST_MM.items())
    file.write_text("name;x_mm;y_mm;z_mm\n" + rows)
    assert recognise(file) == "electrodes"
    found = read_electrodes(file)
    assert found.positions[found.names.index("V2"), 0] == -25.5


def test_a_comma_that_may_part_thousands_is_refused_and_named(tmp_path):
    file = tmp_path / "ecg.csv"
    file.write_text("hz=500\nI [uV];II [uV];V1 [uV]\n" + "1,234;2,100;1,500\n" * 600)
    with pytest.raises(InputRejected, match=r"line 2: found 1,234; expected 3 numbers. A comma for thousands or"):
        read_ecg(file)


def test_commas_and_points_in_one_file_are_refused(tmp_path):
    file = tmp_path / "ecg.csv"
    file.write_text("hz=500\nI [mV];II [mV];V1 [mV]\n0,5;0.5;0,25\n" * 2)
    with pytest.raises(InputRejected, match=r"found 0,5;.*write decimal points"):
        read_ecg(file)


def test_decimal_commas_between_commas_are_named(tmp_path):
    with pytest.raises(InputRejected, match=r"found 24 cells; expected 12 numbers. If these are decimal commas"):
        read_ecg(table(tmp_path / "ecg.csv", twelve_leads(), ","))
