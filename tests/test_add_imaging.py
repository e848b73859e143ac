"""`cardiotwin add` says which series it took and why, and lets the user decide otherwise."""

import json

import pytest
from made_dicom import cine_slice, lge_series, lge_slice, write

from cardiotwin.cli import main


@pytest.fixture
def export(tmp_path):
    """An examination: an LGE, a cine slice by slice, a scout."""
    folder = write(tmp_path / "export", lge_series())
    write(folder, [cine_slice(k, frame) for k in range(4) for frame in range(6)], prefix="CINE")
    scout = {"SeriesInstanceUID": "1.2.50", "SeriesNumber": 1, "SeriesDescription": "localizer"}
    write(folder, [lge_slice(k, SOPInstanceUID=f"1.2.50.{k}", **scout) for k in range(3)], prefix="SCOUT")
    return folder


@pytest.fixture
def case(tmp_path, capsys):
    assert command(capsys, "new", str(tmp_path / "case"))[0] == 0
    return str(tmp_path / "case")


def command(capsys, *arguments):
    """Exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


def add(capsys, *arguments):
    return command(capsys, "add", *arguments)


def test_it_says_what_it_took_and_why(case, export, capsys):
    code, out, _ = add(capsys, case, str(export))
    assert code == 0
    lines = " ".join(out.split())
    assert "took series 7 'psir sax' (1.2.3.4): lge, 5 positions x 1 frames, 5 files: its names say psir" in lines
    assert "left out series 1 'localizer'" in lines
    assert "its names say localizer" in lines
    assert "lge was preferred, because only late enhancement shows scar" in lines


def test_another_series_can_be_named(case, export, capsys):
    code, out, _ = add(capsys, case, str(export), "--kind", "cine", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["added"][0]["source"].startswith("cine DICOM series, 24 files")
    code, out, _ = add(capsys, case, str(export), "--series", "7")
    assert code == 0
    assert "named by the user" in " ".join(out.split())


def test_two_candidates_are_listed_and_a_name_that_is_not_there_is_refused(case, export, capsys):
    second = {"SeriesInstanceUID": "1.2.77", "SeriesNumber": 8}
    write(export, [lge_slice(k, SOPInstanceUID=f"1.2.77.{k}", **second) for k in range(4)], prefix="B")
    code, _, err = add(capsys, case, str(export))
    assert code == 3
    assert "1.2.77" in err
    assert "--series" in err
    assert add(capsys, case, str(export), "--series", "8")[0] == 0
    assert add(capsys, case, str(export), "--series", "99")[0] == 3


def test_part_of_a_description_names_a_series_and_a_whole_one_goes_first(case, export, capsys):
    for number, name in ((8, "LGE sax"), (9, "LGE sax long")):
        own = {"SeriesInstanceUID": f"1.2.{number}", "SeriesNumber": number, "SeriesDescription": name}
        write(export, [lge_slice(k, SOPInstanceUID=f"1.2.{number}.{k}", **own) for k in range(4)], prefix=f"S{number}_")
    assert "took series 9" in " ".join(add(capsys, case, str(export), "--series", "SAX LONG")[1].split())
    assert "took series 8" in " ".join(add(capsys, case, str(export), "--series", "LGE sax")[1].split())
    code, out, err = add(capsys, case, str(export), "--series", "4CH", "--json")
    assert code == 3
    listed = err.splitlines()[1:]
    assert len(listed) == 8
    assert all(any(line.startswith(f"  series {number} ") and "files" in line for line in listed) for number in (1, 9))
    assert [f"  {line}" for line in json.loads(out)["error"]["listed"]] == listed


@pytest.mark.parametrize("option", [(), ("--skip-bad",)])
def test_a_file_cut_behind_what_names_its_series_is_passed_over_when_asked(case, export, capsys, option):
    """Cine frame 3 of the second slice: all that is left says whose it is, not what it shows."""
    name = next(file.name for file in export.iterdir() if b"1.2.5.2.4\0" in file.read_bytes()[:400])
    whole = (export / name).read_bytes()
    (export / name).write_bytes(whole[: whole.index(b"\x28\x00\x02\x00")])
    code, out, err = add(capsys, case, str(export), "--kind", "cine", *option)
    if option:
        assert code == 0
        assert f"skipped {name}: Rows (0028,0010)" in out
        assert "cine DICOM series, 23 files, 4 slices" in out
    else:
        assert code == 3
        assert f"{name}: Rows (0028,0010): found nothing" in err
        assert "--skip-bad" in err


def test_a_damaged_file_stops_it_unless_it_is_to_be_skipped(case, export, capsys):
    (export / "SCOUT000.dcm").write_bytes(b"\0" * 128 + b"DICM")
    code, _, err = add(capsys, case, str(export))
    assert (code, "SCOUT000.dcm" in err) == (3, True)
    assert add(capsys, case, str(export), "--skip-bad")[0] == 0


def test_a_damaged_file_of_the_series_itself_leaves_a_gap_that_is_refused(case, export, capsys):
    middle = next(file for file in export.iterdir() if b"1.2.3.4.3\0" in file.read_bytes()[:400])
    middle.write_bytes(middle.read_bytes()[:300])
    code, _, err = add(capsys, case, str(export), "--skip-bad")
    assert code == 3
    assert "1 slice(s) missing" in err


def test_pixels_that_may_show_a_name_are_taken_when_somebody_has_looked(case, tmp_path, capsys):
    burned = lge_series(change=lambda k, dataset: setattr(dataset, "BurnedInAnnotation", "YES"))
    folder = str(write(tmp_path / "burned", burned))
    assert add(capsys, case, folder)[0] == 7
    assert add(capsys, case, folder, "--accept-burned-in")[0] == 0
