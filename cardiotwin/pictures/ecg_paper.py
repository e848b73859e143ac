"""The ECG on paper: A4, 25 mm/s, three rows of four leads over a rhythm strip, with what the detector measured.

At the foot stand the notes of the recording: what was told when it was read.

A page is to scale: printed at its own size, a small square is 40 ms and 0.1 mV.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cardiotwin.ecg.beats import Beat, Rhythm, before_ms, find_beats, mean_beat
from cardiotwin.ecg.qrs import HIGH_PASS_HZ, filtered
from cardiotwin.ecg.recording import Ecg
from cardiotwin.errors import CardioTwinError, QualityGate, SettingsError
from cardiotwin.storage.durable import write_file

ECG_NAME = "ecg"
"""Of the files, with a number."""
PAGE_MM = (297.0, 210.0)
PAPER_MM = (15.0, 10.0, 270.0, 170.0)
"""Left, bottom, width, height of the squares."""
ROWS_MM = (156.0, 118.0, 80.0, 36.0)
"""Lines of the three rows and of the rhythm strip, above the bottom of the page."""
FIRST_MM = 27.0
"""Where the leads begin; left of it stands the pulse."""
MM_PER_S = 25.0
GAINS_MM_PER_MV = (10.0, 5.0, 2.5, 1.0)
MOST_UP_MM = 26.0
"""A row with more than this on either side of its line is drawn at half the gain."""
LABEL_HEIGHTS_MM, LABEL_MM, LABEL_S = (14.0, 18.0, 22.0, 9.0, -13.0, -18.0), 4.0, 0.36
"""Where a lead's name may stand above its line, tried in turn; its height, and for how long it lies over the trace."""
FOOT_MM, FOOT_LINE_MM, FOOT_LINES, FOOT_CHARACTERS = 8.0, 2.8, 3, 180
"""Notes below the squares: height of the first line, step, lines, characters a line."""
COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
COLUMN_S, STRIP_S = 2.5, 10.0
MOST_S = 60.0
"""Of a recording that is measured, from its beginning."""
WANDER_MV = 1.0
"""A lead whose line wanders by more has it straightened, and says so."""
FINE, COARSE, INK, QUIET = "#f6d5d3", "#e6a9a5", "#161616", "#8a8f98"
QRS_COLOUR, T_COLOUR, OTHER_COLOUR, SPIKE_COLOUR = "#1f77b4", "#117733", "#d55e00", "#882255"


@dataclass(frozen=True, eq=False)
class Measured:
    """What the detector found: the beats, and the mean beat of each of the two most frequent shapes."""

    rhythm: Rhythm
    beats: tuple[Beat, ...]


def measured(ecg: Ecg) -> Measured | None:
    """Beats and their marks; None where no heartbeat stands out."""
    try:
        rhythm = find_beats(ecg)
        beats = [mean_beat(rhythm)]
    except CardioTwinError:
        return None
    with suppress(CardioTwinError):  # of the other shape no beat may be whole
        beats += [mean_beat(rhythm, 1)] if rhythm.shape.any() else []
    return Measured(rhythm, tuple(beats))


def intervals(found: Measured | None) -> str:
    """Rate, QRS, QT and QT corrected after Fridericia by the mean RR that the rate is of, in words."""
    if found is None:
        return "no heartbeat stands out"
    beat, rhythm = found.beats[0], found.rhythm
    words = [f"rate {rhythm.bpm:.0f}/min"] if np.isfinite(rhythm.bpm) else []
    words.append(f"QRS {beat.qrs_ms:.0f} ms")
    if np.isfinite(beat.qt_ms):
        words.append(f"QT {beat.qt_ms:.0f} ms")
        words += [f"QTc {rhythm.qtc_ms(beat):.0f} ms (Fridericia)"] if np.isfinite(rhythm.rr_ms) else []
    others = int((rhythm.shape > 0).sum())
    words.append(
        f"{len(beat.at_ms)} beat{'s averaged' * (len(beat.at_ms) > 1)}"
        + (f", {others} of another shape" if others else "")
    )
    return ", ".join(words)


def ecg_page(ecg: Ecg, title: str = "", *, dots_per_inch: float = 160.0) -> bytes:
    """The page as PNG.

    Parameters
    ----------
    ecg : Ecg
    title : str
        Above the squares; never a patient's name.
    dots_per_inch : float
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PAGE_MM[0] / 25.4, PAGE_MM[1] / 25.4), dpi=dots_per_inch, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, PAGE_MM[0]), ylim=(0, PAGE_MM[1]))
    axes.set_axis_off()
    part = Ecg(ecg.leads, ecg.mv[:, : int(MOST_S * ecg.hz)], ecg.hz)
    found, traces, straightened = measured(part), *_traces(part)
    gain = _gain(traces, ecg.hz)
    _squares(axes)
    _marks(axes, ecg, found)
    for row, line in enumerate(ROWS_MM):
        _pulse(axes, line, gain)
        _row(axes, ecg, traces, straightened, row, line, gain)
    _words(axes, ecg, title, found, gain)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def write_ecgs(folder: Path, titled: Sequence[tuple[Ecg, str]]) -> tuple[Path, ...]:
    """Write the page of each ECG under its title: ``ecg_1.png``, ``ecg_2.png``, ...

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written.
    """
    paths = tuple(folder / f"{ECG_NAME}_{number}.png" for number in range(1, len(titled) + 1))
    for path, (ecg, title) in zip(paths, titled, strict=True):
        write_file(path, ecg_page(ecg, title))
    return paths


def export_ecgs(ecgs: Sequence[tuple[Ecg, str]], out: Path) -> tuple[Path, ...]:
    """Write the pages of ECGs, each with its time, into a folder that is new or holds such pages.

    Raises
    ------
    SettingsError
        The folder holds something else.
    QualityGate
        There is no ECG.
    """
    if out.exists() and (not out.is_dir() or any(not path.match(f"{ECG_NAME}_*.png") for path in out.iterdir())):
        raise SettingsError(f"{out}: found other files there; expected a new folder. Name one")
    if not ecgs:
        raise QualityGate("no ECG in use; expected at least one. Add one: cardiotwin add CASE ECG")
    out.mkdir(parents=True, exist_ok=True)
    return write_ecgs(out, [(ecg, f"ECG {number}, {when}") for number, (ecg, when) in enumerate(ecgs, start=1)])


def _traces(ecg: Ecg) -> tuple[dict[str, np.ndarray], set[str]]:
    """Each lead around its own line, mV, and the leads whose line was straightened."""
    whole = {lead: mv - np.nanmedian(mv) for lead, mv in zip(ecg.leads, ecg.mv, strict=True)}
    if ecg.mv.shape[1] < 4.0 * ecg.hz or not np.isfinite(ecg.mv).all():
        return whole, set()
    frequency = np.fft.rfftfreq(ecg.mv.shape[1], 1.0 / ecg.hz)
    slow = np.fft.irfft(np.where(frequency < HIGH_PASS_HZ, np.fft.rfft(ecg.mv, axis=1), 0), ecg.mv.shape[1], axis=1)
    wander = {lead: line for lead, line in zip(ecg.leads, slow, strict=True) if np.ptp(line) > WANDER_MV}
    if wander:
        clean = filtered(ecg)
        time, at = np.arange(ecg.mv.shape[1]) / ecg.hz, np.arange(clean.mv.shape[1]) / clean.hz
        for lead in wander:
            straight = np.interp(time, at, clean.mv[clean.leads.index(lead)])
            whole[lead] = straight - np.median(straight)
    return whole, set(wander)


def _gain(traces: dict[str, np.ndarray], hz: float) -> float:
    """mm per mV: 10 unless the leads would run into each other."""
    shown = [mv[: int(STRIP_S * hz)] for mv in traces.values()]
    reach = max((float(np.nanquantile(np.abs(mv), 0.9995)) for mv in shown), default=0.0)
    return next((gain for gain in GAINS_MM_PER_MV if gain * reach <= MOST_UP_MM), GAINS_MM_PER_MV[-1])


def _squares(axes: Any) -> None:
    """1 mm and 5 mm."""
    left, bottom, width, height = PAPER_MM
    for step, colour, lw in ((1.0, FINE, 0.3), (5.0, COARSE, 0.6)):
        across, up = np.arange(0.0, width + 0.5, step) + left, np.arange(0.0, height + 0.5, step) + bottom
        axes.vlines(across, bottom, bottom + height, colors=colour, lw=lw)
        axes.hlines(up, left, left + width, colors=colour, lw=lw)


def _pulse(axes: Any, line: float, gain: float) -> None:
    """1 mV for 0.2 s, left of the row."""
    x = FIRST_MM - 9.0 + np.array([0.0, 1.5, 1.5, 6.5, 6.5, 8.0])
    axes.plot(x, line + gain * np.array([0, 0, 1, 1, 0, 0]), color=INK, lw=0.9)


def _starts(ecg: Ecg) -> tuple[float, ...]:
    """Where in the recording each column begins, s: one after the other, or all at the beginning of a short one."""
    long = ecg.mv.shape[1] >= STRIP_S * ecg.hz
    return tuple(COLUMN_S * k if long else 0.0 for k in range(len(COLUMNS)))


def _strip_lead(ecg: Ecg) -> str:
    return next((lead for lead in ("II", "V1", *ecg.leads) if lead in ecg.leads), "")


def _row(
    axes: Any, ecg: Ecg, traces: dict[str, np.ndarray], straightened: set[str], row: int, line: float, gain: float
) -> None:
    """Four leads of 2.5 s, or the rhythm strip."""
    strip = row == len(ROWS_MM) - 1
    pieces = [(_strip_lead(ecg), 0.0, 0.0, STRIP_S)] if strip else [
        (column[row], start, COLUMN_S * k, COLUMN_S)
        for k, (column, start) in enumerate(zip(COLUMNS, _starts(ecg), strict=True))
    ]  # fmt: skip
    for lead, start, at, seconds in pieces:
        x = FIRST_MM + MM_PER_S * at
        if lead in traces:
            axes.plot(x + _times_mm(ecg, start, seconds), line + _up_mm(ecg, traces[lead], start, seconds, gain),
                      color=INK, lw=0.8, solid_joinstyle="round", zorder=3)  # fmt: skip
        words = lead if lead in traces else f"no {lead}"
        words += " (line straightened)" if lead in straightened else ""
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.75}
        style = {"fontsize": 9 if lead in traces else 8, "weight": "bold", "color": INK if lead in traces else QUIET}
        near = [_up_mm(ecg, traces[lead], start, LABEL_S, gain)] if lead in traces else []
        above = COLUMNS[round(at / COLUMN_S)][row - 1] if 0 < row < len(ROWS_MM) - 1 else ""
        near += [ROWS_MM[row - 1] - line + _up_mm(ecg, traces[above], start, LABEL_S, gain)] if above in traces else []
        axes.text(x + 1.0, line + label_mm(near), words, va="bottom", bbox=box, zorder=2, **style)
        if at:
            axes.plot([x, x], [line - 2.5, line + 2.5], color=INK, lw=0.8)


def label_mm(near: Sequence[np.ndarray]) -> float:
    """How high above its line a lead's name stands: the first height that the traces there leave free."""
    for height in LABEL_HEIGHTS_MM:
        if not any(((up > height - 1.0) & (up < height + LABEL_MM)).any() for up in near):
            return height
    return LABEL_HEIGHTS_MM[0]


def _times_mm(ecg: Ecg, start: float, seconds: float) -> np.ndarray:
    """From the beginning of a column, for as much of it as was recorded."""
    first, length = round(start * ecg.hz), round(seconds * ecg.hz) + 1
    return MM_PER_S * np.arange(max(min(length, ecg.mv.shape[1] - first), 0)) / ecg.hz


def _up_mm(ecg: Ecg, mv: np.ndarray, start: float, seconds: float, gain: float) -> np.ndarray:
    """The same of a trace above its line."""
    first = round(start * ecg.hz)
    return np.clip(gain * mv[first : first + round(seconds * ecg.hz) + 1], -1.3 * MOST_UP_MM, 1.3 * MOST_UP_MM)


def _marks(axes: Any, ecg: Ecg, found: Measured | None) -> None:
    """QRS as a band, end of T as a line, on every row; beats of another shape in another colour, spikes as ticks."""
    if found is None:
        return
    rhythm = found.rhythm
    single = len(found.beats[0].at_ms) == 1 and len(rhythm.at_ms) == 1
    for at, shape in zip(rhythm.at_ms, rhythm.shape, strict=True):
        if shape >= len(found.beats):
            continue
        beat = found.beats[shape]
        start = 0.0 if single else float(at - before_ms(rhythm))
        colour = QRS_COLOUR if shape == 0 else OTHER_COLOUR
        _band(axes, ecg, start + beat.qrs_onset_ms, start + beat.qrs_end_ms, colour)
        if np.isfinite(beat.t_end_ms):
            _band(axes, ecg, start + beat.t_end_ms, start + beat.t_end_ms, T_COLOUR)
    for at in rhythm.spikes_ms:
        _band(axes, ecg, at, at, SPIKE_COLOUR)


def _band(axes: Any, ecg: Ecg, begin_ms: float, end_ms: float, colour: str) -> None:
    """From one time to another, wherever the page shows a trace then; a moment is a line."""
    windows = [
        (start, COLUMN_S * k, COLUMN_S, line)
        for k, start in enumerate(_starts(ecg))
        for lead, line in zip(COLUMNS[k], ROWS_MM, strict=False)
        if lead in ecg.leads
    ]
    length = ecg.mv.shape[1] / ecg.hz
    for start, at, seconds, line in (*windows, (0.0, 0.0, STRIP_S, ROWS_MM[3])):
        last = min(seconds, length - start)
        begin, end = (float(np.clip(ms / 1000 - start, 0.0, last)) for ms in (begin_ms, end_ms))
        if begin_ms / 1000 - start > last or end_ms / 1000 < start:
            continue
        x, width = FIRST_MM + MM_PER_S * (at + begin), MM_PER_S * (end - begin)
        if end_ms > begin_ms:
            axes.fill_between([x, x + width], line - 12.0, line + 13.0, color=colour, alpha=0.22, lw=0, zorder=1.5)
        else:
            axes.plot([x, x], [line - 5.0, line + 8.0], color=colour, lw=1.0, alpha=0.8, zorder=2.5)


def _words(axes: Any, ecg: Ecg, title: str, found: Measured | None, gain: float) -> None:
    left, _, width, _ = PAPER_MM
    axes.text(left, 200.0, title or "ECG", fontsize=12, weight="bold", color=INK, va="center")
    axes.text(left, 193.0, intervals(found), fontsize=10, color=INK, va="center")
    length = ecg.mv.shape[1] / ecg.hz
    shown = "columns one after the other" if _starts(ecg)[-1] else "columns all from the beginning"
    scale = f"25 mm/s   {gain:g} mm/mV   {ecg.hz:g} Hz, {length:.1f} s, {shown}"
    axes.text(left, 186.5, scale, fontsize=9, color=INK, va="center")
    if found is not None:
        names = [("QRS complex", QRS_COLOUR), ("end of T", T_COLOUR)]
        names += [("QRS, another shape", OTHER_COLOUR)] if found.rhythm.shape.any() else []
        names += [("pacing spike", SPIKE_COLOUR)] if len(found.rhythm.spikes_ms) else []
        for k, (words, colour) in enumerate(reversed(names)):
            x = left + width - 38.0 * (k + 1)
            axes.fill_between([x, x + 4.0], 185.0, 188.5, color=colour, alpha=0.35, lw=0)
            axes.text(x + 5.5, 186.5, words, fontsize=9, color=INK, va="center")
    said = "Research software, not a medical device."
    axes.text(left + width, 200.0, said, fontsize=8, color=QUIET, ha="right", va="center")
    for k, line in enumerate(_foot(ecg.notes)):
        axes.text(left, FOOT_MM - FOOT_LINE_MM * k, line, fontsize=6.5, color=INK, va="center", parse_math=False)


def _foot(notes: tuple[str, ...]) -> list[str]:
    """What was told of the ECG when it was read, for the foot of the page; says so where not all of it fits there."""
    lines = [line for note in notes for line in textwrap.wrap(f"- {note}", FOOT_CHARACTERS, subsequent_indent="  ")]
    if len(lines) <= FOOT_LINES:
        return lines
    cut = " ... (not all; `cardiotwin status` has the rest)"
    return [*lines[: FOOT_LINES - 1], textwrap.shorten(lines[FOOT_LINES - 1], FOOT_CHARACTERS - len(cut)) + cut]
