"""What a refusal says to pass is called as it is typed: --skip-bad at the command line, skip_bad= in Python."""

import pytest
from bad_input import new_case, refused, taken
from made_dicom import twelve_leads

from cardiotwin.errors import InputRejected
from cardiotwin.ingest import read_ecg
from cardiotwin.terminal import typed


def untold(path, head=""):
    """A CSV without rate and unit."""
    path.write_text(
        head + "I,II,V1\n" + "".join(f"{a:.4f},{b:.4f},{c:.4f}\n" for a, b, c in twelve_leads()[[0, 1, 6]].T)
    )
    return path


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("leave damaged files out with skip_bad=", "leave damaged files out with --skip-bad"),
        ("Add a line hz=500, or pass hz=", "Add a line hz=500, or pass --hz"),
        ("say which with kind= (lge or cine)", "say which with --kind (lge or cine)"),
        ("Medium(..., cell_model='a.py')", "Medium(..., cell_model='a.py')"),
    ],
)
def test_an_argument_is_an_option_at_the_command_line_and_a_value_stays(said, told):
    assert typed(said) == told


def test_rate_and_unit_of_a_csv_that_does_not_say_are_asked_for_and_can_be_given(tmp_path, capsys):
    case, file = new_case(capsys, tmp_path), untold(tmp_path / "ecg.csv")
    told = refused(capsys, case, 3, ["pass --hz"], file)
    assert "or pass hz=" not in told
    refused(capsys, case, 3, ["pass --unit"], file, "--hz", 500)
    taken(capsys, case, ["at 500 Hz"], file, "--hz", 500, "--unit", "mV")


def test_in_python_the_argument_keeps_its_name(tmp_path):
    with pytest.raises(InputRejected, match=r"or pass hz=$"):
        read_ecg(untold(tmp_path / "ecg.csv"))


def test_a_rate_that_no_input_needs_is_refused(tmp_path, capsys):
    case = new_case(capsys, tmp_path)
    plan = tmp_path / "plan.toml"
    plan.write_text('name = "mine"\n[[lesion]]\nkind = "homogenise"\n')
    refused(capsys, case, 2, ["--hz", "CSV", "Leave it out"], plan, "--hz", 500)
