"""The beats of a recording: found, sorted by shape, averaged, and delineated from QRS onset to the end of T.

One detector for measured and simulated ECGs, on the root mean square over the leads: of their slope for the QRS complex
(`cardiotwin.ecg.qrs`), of the signal itself for T, whose end is where the steepest tangent of its fall meets the line
(Lepeschkin & Surawicz 1952, doi 10.1161/01.CIR.6.3.378).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfiltfilt

from cardiotwin.ecg.noise import cleaned
from cardiotwin.ecg.qrs import HZ, SHARE_AFTER, SHARE_BEFORE, filtered, qrs_edges, r_peaks, slope
from cardiotwin.ecg.recording import Ecg
from cardiotwin.errors import CardioTwinError, QualityGate

BEFORE_MS, LONGEST_AFTER_MS = 320, 900
SHORTEST_AFTER_MS = 120
SINGLE_BEAT_MS = 1500
ALONE_BEFORE_MS, ALONE_AFTER_MS = 60, 100
"""Of a beat cut out to stand for a recording: its line, and no P or T wave."""
ALIKE = 0.9
"""Correlation of two complexes of one shape."""
WIDE_QRS_MS = 120.0
SHIFT_MS, FARTHEST_MS = 25, 110
COMPLEX_BEFORE_MS, COMPLEX_AFTER_MS = 80, 100
T_LOW_PASS_HZ = 20.0
T_BEGINS_MS, T_ENDS_MS = 60, 600
"""After the end of the complex: where T may have its peak."""
LEAST_T = 4.0
"""Of T's peak above the line, in its quiet parts' standard deviations; below it there is no T wave to measure."""


@dataclass(frozen=True, eq=False)
class Rhythm:
    """Where the beats of a recording are, and which look alike.

    Attributes
    ----------
    clean : Ecg
        Filtered (`cardiotwin.ecg.qrs.filtered`), 1000 Hz, pacing spikes blanked.
    at_ms : (n_beats,) int64
        Where each complex is steepest, ms from the beginning.
    shape : (n_beats,) int64
        0 is the most frequent shape, 1 the next, ...; of two as frequent the earlier comes first.
    spikes_ms : (n_spikes,) float64
        Pacing spikes that were blanked, ms from the beginning.
    """

    clean: Ecg
    at_ms: np.ndarray
    shape: np.ndarray
    spikes_ms: np.ndarray

    @property
    def cycle_ms(self) -> float:
        """Median time from beat to beat, ms; NaN for one beat. For windows: one long pause does not move it."""
        return float(np.median(np.diff(self.at_ms))) if len(self.at_ms) > 1 else np.nan

    @property
    def rr_ms(self) -> float:
        """Mean time from beat to beat, ms, of which rate and corrected QT are made; NaN for one beat."""
        return float(np.mean(np.diff(self.at_ms))) if len(self.at_ms) > 1 else np.nan

    @property
    def bpm(self) -> float:
        """Beats a minute; NaN for one beat."""
        return 60_000.0 / self.rr_ms

    def qtc_ms(self, beat: Beat) -> float:
        """QT of a mean beat over the cube root of RR in seconds (Fridericia 1920,
        doi 10.1111/j.0954-6820.1920.tb18266.x), ms; NaN without T or RR."""
        return float(beat.qt_ms / np.cbrt(self.rr_ms / 1000.0))


@dataclass(frozen=True, eq=False)
class Beat:
    """The median of the beats of one shape, and its marks.

    Attributes
    ----------
    leads : tuple of str
    mv : (n_leads, n_samples) float64
        1000 Hz, mV; zero just before the QRS complex.
    qrs_onset_ms, qrs_end_ms : float
        From the beginning of `mv`.
    t_peak_ms, t_end_ms : float
        From the beginning of `mv`; NaN where no T wave stands out.
    at_ms : (n_beats,) int64
        Where `mv` begins in the recording, for each beat that was averaged.
    """

    leads: tuple[str, ...]
    mv: np.ndarray
    qrs_onset_ms: float
    qrs_end_ms: float
    t_peak_ms: float
    t_end_ms: float
    at_ms: np.ndarray

    @property
    def qrs_ms(self) -> float:
        """Duration of the QRS complex."""
        return self.qrs_end_ms - self.qrs_onset_ms

    @property
    def qt_ms(self) -> float:
        """QRS onset to the end of T; NaN without one."""
        return self.t_end_ms - self.qrs_onset_ms


def find_beats(ecg: Ecg) -> Rhythm:
    """Every beat of a recording, sorted by the shape of its complex; a short one (1.5 s) is a beat by itself.

    Raises
    ------
    InputRejected
        As `cardiotwin.ecg.qrs.filtered`.
    QualityGate
        No complete beat.
    """
    kept, spikes = cleaned(ecg)
    clean = filtered(kept)
    length = clean.mv.shape[1]
    if length < SINGLE_BEAT_MS:
        return Rhythm(clean, np.array([int(np.argmax(slope(clean.mv)))]), np.zeros(1, int), spikes)
    peaks = r_peaks(clean.mv)
    peaks = peaks[(peaks >= 100 + SHIFT_MS) & (peaks < length - 150 - SHIFT_MS)]
    if not peaks.size:
        raise QualityGate("ECG: no complete beat found; expected at least one")
    at, shape = _sorted(clean.mv, _aligned(clean.mv, peaks))
    return Rhythm(clean, at, shape, spikes)


def mean_beat(rhythm: Rhythm, shape: int = 0) -> Beat:
    """The median of all whole beats of one shape, delineated.

    Raises
    ------
    QualityGate
        No whole beat of this shape, or no complex in it.
    """
    mv = rhythm.clean.mv
    before, after = before_ms(rhythm), _after_ms(rhythm)
    if mv.shape[1] < SINGLE_BEAT_MS:
        starts, beat = np.zeros(1, int), mv
    else:
        starts = rhythm.at_ms[rhythm.shape == shape] - before
        starts = starts[(starts >= 0) & (starts + before + after <= mv.shape[1])]
        if not starts.size:
            raise QualityGate(
                f"ECG: no whole beat of shape {shape}; found {rhythm.shape.max() + 1} shapes, from 0 on. Set a lower "
                "`beat` in section [calibrate], or remove the ECG that has none"
            )
        beat = np.median([mv[:, start : start + before + after] for start in starts], axis=0)
    onset, end = qrs_edges(beat)
    beat = beat - np.median(beat[:, max(onset - 15, 0) : onset + 1], axis=1, keepdims=True)
    t_peak, t_end = _t_wave(beat, onset, end)
    return Beat(rhythm.clean.leads, beat, float(onset), float(end), t_peak, t_end, starts)


def qrs_ms(ecg: Ecg) -> float:
    """Duration of the QRS complex of the most frequent beat, ms; NaN where no beat can be delineated."""
    with suppress(CardioTwinError):
        return mean_beat(find_beats(ecg)).qrs_ms
    return np.nan


def before_ms(rhythm: Rhythm) -> int:
    """Where a mean beat begins before its steepest moment, ms.

    Less than half a cycle: in a tachycardia the beat before would be taken for this one.
    """
    return int(min(BEFORE_MS, SHARE_BEFORE * rhythm.cycle_ms)) if np.isfinite(rhythm.cycle_ms) else BEFORE_MS


def _after_ms(rhythm: Rhythm) -> int:
    cycle = rhythm.cycle_ms if np.isfinite(rhythm.cycle_ms) else LONGEST_AFTER_MS / SHARE_AFTER
    return int(np.clip(SHARE_AFTER * cycle, SHORTEST_AFTER_MS, LONGEST_AFTER_MS))


def _aligned(mv: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Peaks moved by up to 25 ms so that the slopes of all beats lie on their median."""
    moves = slope(mv)
    template = np.median([moves[p - 100 : p + 150] for p in peaks], axis=0)
    shifts = np.arange(-SHIFT_MS, SHIFT_MS + 1)
    fits = [[moves[p + s - 100 : p + s + 150] @ template for s in shifts] for p in peaks]
    return peaks + shifts[np.argmax(fits, axis=1)]


def _sorted(mv: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each beat is, moved onto its shape's model, and the number of its shape.

    The model is the beat that most others are like. A wide complex rises as steeply as it falls, and was found at
    either: so a beat may lie up to 110 ms from its model.
    """
    flat = np.array([_complex(mv, k) for k in at])
    alike = flat @ flat.T > ALIKE
    at, shape = at.copy(), np.full(len(at), -1)
    for number in range(len(at)):
        left = shape < 0
        if not left.any():
            break
        model = int(np.argmax(np.where(left, (alike & left).sum(axis=1), -1)))
        for k in np.flatnonzero(left):
            shift, fit = (0, 1.0) if alike[model, k] else _best_shift(mv, int(at[k]), flat[model])
            if fit > ALIKE:
                at[k], shape[k] = at[k] + shift, number
    order = np.argsort(-np.bincount(shape), kind="stable")
    return at, np.argsort(order)[shape]


def _complex(mv: np.ndarray, at: int) -> np.ndarray:
    """The complex of all leads as one vector of length 1, each lead without its mean."""
    piece = mv[:, at - COMPLEX_BEFORE_MS : at + COMPLEX_AFTER_MS]
    piece = (piece - piece.mean(axis=1, keepdims=True)).ravel()
    return np.asarray(piece / max(float(np.linalg.norm(piece)), 1e-12))


def _best_shift(mv: np.ndarray, at: int, model: np.ndarray) -> tuple[int, float]:
    """Where near a beat it is most like a model, and how like."""
    first = max(-FARTHEST_MS, COMPLEX_BEFORE_MS - at)
    last = min(FARTHEST_MS, mv.shape[1] - COMPLEX_AFTER_MS - at)
    shifts = range(first, last + 1, 2)
    fits = [float(_complex(mv, at + shift) @ model) for shift in shifts]
    return shifts[int(np.argmax(fits))], max(fits)


def _t_wave(beat: np.ndarray, onset: int, end: int) -> tuple[float, float]:
    """Peak and end of T, ms; NaN where nothing stands out of the line."""
    size = np.sqrt((_slow(beat) ** 2).mean(axis=0))
    quiet = size[max(onset - 60, 0) : max(onset - 5, 1)]
    first, last = end + T_BEGINS_MS, min(end + T_ENDS_MS, beat.shape[1] - 20)
    if last - first < 40:
        return np.nan, np.nan
    peak = first + int(np.argmax(size[first:last]))
    line = min(float(np.median(quiet)), float(size[peak:].min()))
    if size[peak] - line < LEAST_T * max(float(quiet.std()), 1e-6) or peak in (first, last - 1):
        return np.nan, np.nan
    fall = np.gradient(size)[peak : min(peak + 200, beat.shape[1])]
    steepest = peak + int(np.argmin(fall))
    if fall.min() >= 0:
        return float(peak), np.nan
    t_end = steepest + (size[steepest] - line) / -float(fall.min())
    return float(peak), t_end if t_end < beat.shape[1] else np.nan


def _slow(beat: np.ndarray) -> np.ndarray:
    """Without what is faster than a T wave."""
    sos = butter(2, T_LOW_PASS_HZ, fs=HZ, output="sos")
    return sosfiltfilt(sos, beat, axis=-1, padtype="odd", padlen=min(150, beat.shape[1] - 1))


def chosen(ecg: Ecg, shape: int) -> Ecg:
    """What of a recording is to be explained: itself for the most frequent shape (0), else the mean beat of another.

    So a paced or an ectopic beat, or one of a tachycardia that comes and goes, can be fitted as a recording of its own.

    Raises
    ------
    QualityGate
        The recording has no such beat.
    """
    if shape == 0:
        return ecg
    beat = mean_beat(find_beats(ecg), shape)
    start, stop = int(beat.qrs_onset_ms) - ALONE_BEFORE_MS, int(beat.qrs_end_ms) + ALONE_AFTER_MS
    words = f"the mean of {len(beat.at_ms)} beats of shape {shape}"
    return Ecg(beat.leads, beat.mv[:, max(start, 0) : stop], HZ, (*ecg.notes, words))
