"""The ECG on paper is to scale, whatever the ECG: measured on the picture, in millimetres of the page."""

import io

import made_ecg_files as made
import numpy as np
import pytest
from bad_input import command, new_case, taken
from test_bad_ecg_cases import csv

from cardiotwin.ecg.recording import LEADS, Ecg
from cardiotwin.pictures.ecg_paper import ecg_page, intervals, label_mm, measured

DPI = 254.0  # ten dots a millimetre


def ink(page: bytes) -> np.ndarray:
    """Where a page is black: (height, width) bool, ten dots a millimetre, the bottom row first."""
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(page))
    return (np.asarray(image.convert("RGB")).max(axis=2) < 90)[::-1]


def height_mm(black: np.ndarray, x_mm: float, low_mm: float, high_mm: float) -> float:
    """Where the trace is at x, between two heights of the page."""
    column = black[round(10 * low_mm) : round(10 * high_mm), round(10 * x_mm)]
    return low_mm + float(np.flatnonzero(column).mean()) / 10


def step(mv: float, seconds: float = 0.25, hz: float = 500.0) -> Ecg:
    """Lead I rises by so much after half a second for a while; the others lie still."""
    t = np.arange(round(10 * hz)) / hz
    leads = np.zeros((12, t.size))
    leads[0] = np.where((t > 0.5) & (t < 0.5 + seconds), mv, 0.0)
    return Ecg(LEADS, leads, hz)


def test_a_page_is_a4():
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(ecg_page(step(1.0), dots_per_inch=DPI)))
    assert image.size == pytest.approx((2970, 2100), abs=1)


@pytest.mark.parametrize(("mv", "rise_mm"), [(1.0, 10.0), (-2.0, -20.0), (2.4, 24.0), (4.0, 20.0), (8.0, 20.0)])
def test_a_millivolt_is_ten_millimetres_and_half_of_it_where_that_is_too_tall(mv, rise_mm):
    black = ink(ecg_page(step(mv, 0.05), dots_per_inch=DPI))
    before, during = (height_mm(black, 27.0 + 25.0 * second, 122.0, 184.0) for second in (0.4, 0.525))
    assert during - before == pytest.approx(rise_mm, abs=0.3)


def test_a_second_is_25_millimetres_and_the_pulse_is_one_millivolt_of_five_millimetres():
    black = ink(ecg_page(step(1.0), dots_per_inch=DPI))
    line = height_mm(black, 27.0 + 25.0 * 0.3, 150.0, 162.0)
    top = np.flatnonzero(black[round(10 * (line + 9.0)), : round(10 * (27.0 + 25.0 * 2))]) / 10
    # At nine tenths of their height: both sides of the pulse, both sides of the step.
    edges = [group.mean() for group in np.split(top, np.flatnonzero(np.diff(top) > 1) + 1)]
    assert len(edges) == 4
    assert edges[1] - edges[0] == pytest.approx(5.0, abs=0.15)
    assert edges[2] == pytest.approx(27.0 + 25.0 * 0.5, abs=0.15)
    assert edges[3] - edges[2] == pytest.approx(25.0 * 0.25, abs=0.15)


def test_intervals_are_those_of_the_beats():
    words = intervals(measured(Ecg(LEADS, made.sinus(), 500.0)))
    assert words.startswith("rate 75/min, QRS 9")  # 94 ms between the ends of its waves
    assert "QT 39" in words
    assert "QTc 42" in words
    assert "(Fridericia)" in words
    assert intervals(measured(step(1e-9))) == "no heartbeat stands out"


@pytest.mark.parametrize(
    "ecg",
    [
        Ecg(LEADS[6:], made.sinus()[6:], 500.0),
        Ecg(LEADS, made.sinus(seconds=0.8), 500.0),
        Ecg(LEADS, made.sinus(seconds=4.5), 500.0),
        Ecg(LEADS, np.random.default_rng(0).standard_normal((12, 5000)), 500.0),
        Ecg(LEADS, made.sinus(hz=100.0), 100.0),
        Ecg(("I", "II", "V1"), made.sinus()[[0, 1, 6]] + np.linspace(0, 30, 5000), 500.0),
    ],
    ids=["chest leads", "one beat", "short", "noise", "100 Hz", "drift"],
)
def test_every_ecg_has_its_page(ecg):
    assert ink(ecg_page(ecg)).any()


def test_the_same_ecg_gives_the_same_bytes():
    assert ecg_page(step(1.0)) == ecg_page(step(1.0))


def test_the_command_line_draws_every_ecg_of_a_twin_without_a_heart(tmp_path, capsys):
    case, out = new_case(capsys, tmp_path), tmp_path / "pages"
    code, _, said = command(capsys, "export", case, out, "--to", "ecg")
    assert code == 4, said
    assert "no ECG in use" in said
    taken(capsys, case, [], csv(tmp_path / "a.csv", made.sinus()))
    for _ in range(2):
        code, said, _ = command(capsys, "export", case, out, "--to", "ecg")
        assert code == 0
        assert [path.name for path in out.iterdir()] == ["ecg_1.png"]
    (out / "notes.txt").write_text("mine")
    assert command(capsys, "export", case, out, "--to", "ecg")[0] == 2


def test_what_was_told_of_the_ecg_stands_at_the_foot_of_the_page_and_no_lower():
    ecg = step(1.0)

    def foot(*notes):
        return ink(ecg_page(Ecg(ecg.leads, ecg.mv, ecg.hz, notes), dots_per_inch=DPI))[: round(10 * 9.6)]

    lines = [foot(*["the arm electrodes may be exchanged"] * count) for count in range(5)]
    assert not lines[0].any()
    rows = [int(np.diff(black.any(axis=1).astype(int), prepend=0, append=0).clip(0).sum()) for black in lines]
    assert rows[1:] == [1, 2, 3, 3]
    assert not any(black[:3].any() for black in lines)
    # That there is more than fits is said behind the last line.
    reach = [np.flatnonzero(black.any(axis=0)).max() for black in lines[1:]]
    assert reach[3] > reach[2]
    wide = foot(30 * "MAINS HUM of 50 Hz, V4 0.6 mV ")
    assert np.flatnonzero(wide.any(axis=0)).max() < 10 * (15.0 + 270.0)


def test_the_exported_page_has_the_notes_that_the_twin_kept(tmp_path, capsys, monkeypatch):
    from cardiotwin.pictures import ecg_paper

    drawn = []
    monkeypatch.setattr(ecg_paper, "ecg_page", lambda ecg, title: drawn.append(ecg.notes) or b"")
    mv = made.sinus().copy()
    mv[8] = 0.0
    case = new_case(capsys, tmp_path)
    taken(capsys, case, ["V3 left out"], csv(tmp_path / "a.csv", mv))
    assert command(capsys, "export", case, "--to", "ecg", tmp_path / "pages")[0] == 0
    assert [note for (note,) in drawn] == ["lead V3 left out: flat (0 mV)"]


def test_rate_and_corrected_qt_are_of_the_same_rr():
    """With one pause the median cycle is not the mean one."""
    mv = made.sinus(noise_mv=0.0)
    found = measured(
        Ecg(LEADS, np.hstack([mv[:, :2600], np.repeat(mv[:, 2599:2600], 600, axis=1), mv[:, 2600:]]), 500.0)
    )
    rr_s = np.diff(found.rhythm.at_ms).mean() / 1000
    assert rr_s > found.rhythm.cycle_ms / 1000 + 0.05
    expected = found.beats[0].qt_ms / np.cbrt(rr_s)
    assert f"rate {60 / rr_s:.0f}/min" in intervals(found)
    assert f"QTc {expected:.0f} ms" in intervals(found)


def bluish(page: bytes) -> np.ndarray:
    """Where the band of a complex is: (height, width) bool, the bottom row first."""
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(page))
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(int), 2, 0)
    return ((blue > red + 8) & (blue > green))[::-1]


def test_a_complex_at_the_end_of_a_column_is_marked_on_both_sides_of_it():
    """Lead I beats every 1.25 s, so that the second complex lies across 2.5 s, where the columns change."""
    t = np.arange(5000) / 500.0
    wave = np.exp(-0.5 * ((np.mod(t - 1.25 + 0.5, 1.25) - 0.5) / 0.012) ** 2)
    ecg = Ecg(LEADS, np.linspace(0.5, 1.0, 12)[:, None] * wave, 500.0)
    band = bluish(ecg_page(ecg, dots_per_inch=DPI))[(10 * 145) : (10 * 146)].mean(axis=0)
    for side in (-0.5, 0.5):
        at = round(10 * (27.0 + 25.0 * 2.5 + side))
        assert band[at - 2 : at + 3].max() > 0.5


def test_no_complex_is_marked_where_no_trace_is():
    ecg = Ecg(LEADS[:6], made.sinus()[:6], 500.0)
    band = bluish(ecg_page(ecg, dots_per_inch=DPI))[(10 * 145) : (10 * 168)]
    assert band[:, : (10 * (27 + 125))].any()
    assert not band[:, (10 * (27 + 126)) :].any()


def test_a_name_stands_where_the_traces_leave_room():
    low, tall, deep = np.linspace(-2, 5, 50), np.linspace(0, 17, 50), np.linspace(38, 20, 50)
    assert label_mm([]) == label_mm([low]) == 14.0
    assert label_mm([tall]) == 18.0
    assert label_mm([tall, deep]) == -13.0
    assert label_mm([np.linspace(-30, 30, 500)]) == 14.0
