"""A report that says what is missing is a report: its path is told, though the exit code asks for more."""

from functools import partial

from small_twin import layout, new_twin

from cardiotwin.cli import execute
from cardiotwin.twin import Twin


def test_the_path_of_a_report_without_an_ecg_is_printed(tmp_path, capsys, monkeypatch):
    twin = new_twin(tmp_path / "case")
    monkeypatch.setattr("cardiotwin.twin.Twin", partial(Twin, layout=layout))
    assert execute(["report", str(twin.folder)]) == 4
    told = capsys.readouterr()
    assert str(twin.report) in told.out
    assert twin.report.is_file()
    assert "needs a 12-lead ECG" in told.err
