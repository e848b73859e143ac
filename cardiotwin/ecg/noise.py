"""What is steeper than the heart and not its own: pacing spikes and mains hum, and a recording without them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter, minimum_filter1d
from scipy.signal import butter, sosfiltfilt

from cardiotwin.ecg.recording import Ecg

LEAST_HZ = 400.0
"""Slower recordings smear a spike into what a complex may be."""
WIDEST_SPIKE_MS = 6.0
LEAST_SPIKE_MV = 0.15
"""Median over the leads; smaller ones do not survive the detector's low-pass."""
LEAST_CLICK_MV, CLICK_OVER_MOVED = 0.5, 2.0
"""Of one lead alone: as steep as a spike, and not from the pacemaker, which every lead sees."""
AROUND_MS = 12.0
BRIDGE_BEFORE_MS, BRIDGE_AFTER_MS = 3.0, 10.0
"""From 150 Hz of bandwidth and the recharge of the pacemaker's output."""

MAINS_HZ = (50.0, 60.0)
HUM_MV = 0.1
"""Peak to peak; less is left to the averaging of beats, because taking it out costs a little of each complex."""
HUM_BAND_HZ, BANDS_BESIDE = 0.7, 4
"""Half the width of the line, and how many bands on either side: to 6.3 Hz, the next line at 350 beats a minute."""
ROUGH_BAND_HZ = (65.0, 150.0)
SHORTEST_S = 4.0
"""For a line in a spectrum to stand out."""


def cleaned(ecg: Ecg) -> tuple[Ecg, np.ndarray]:
    """Without pacing spikes and without hum; and where the spikes were, ms."""
    bridged, spikes_ms = without_spikes(ecg)
    return without_hum(bridged), spikes_ms


def without_spikes(ecg: Ecg) -> tuple[Ecg, np.ndarray]:
    """The recording with its pacing spikes bridged by straight lines, and where they were.

    A spike is what a median filter of twice its width takes away, where what is left hardly moves: beside the apex of
    an R wave, which the filter blunts too, the rest of the wave is left. It is judged by the median over the leads, for
    a loose electrode in one of them makes clicks at any time; those are bridged in that lead alone, and not counted.

    Returns
    -------
    ecg : Ecg
        The same object where there is no spike.
    spikes_ms : (n_spikes,) float64
        From the beginning of the recording.
    """
    if ecg.hz < LEAST_HZ or ecg.mv.shape[1] < ecg.hz / 10 or not np.isfinite(ecg.mv).all():
        return ecg, np.empty(0)
    smooth = median_filter(ecg.mv, size=(1, 2 * round(1e-3 * WIDEST_SPIKE_MS * ecg.hz) + 1), mode="nearest")
    away = np.abs(ecg.mv - smooth)
    around = 2 * round(1e-3 * AROUND_MS * ecg.hz) + 1
    moved = maximum_filter1d(smooth, around, axis=1) - minimum_filter1d(smooth, around, axis=1)
    spike = np.median(away, axis=0)
    groups = _groups((spike > LEAST_SPIKE_MV) & (spike > np.median(moved, axis=0)), ecg.hz)
    clicks = [_groups(one, ecg.hz) for one in (away > LEAST_CLICK_MV) & (away > CLICK_OVER_MOVED * moved)]
    if not groups and not any(clicks):
        return ecg, np.empty(0)
    mv = ecg.mv.copy()
    for lead, found in enumerate(clicks):
        _bridge(mv[lead : lead + 1], found, ecg.hz)
    _bridge(mv, groups, ecg.hz)
    strongest = np.array([group[np.argmax(spike[group])] for group in groups], int)
    return Ecg(ecg.leads, mv, ecg.hz, ecg.notes), 1000.0 * strongest / ecg.hz


def _groups(mask: np.ndarray, hz: float) -> list[np.ndarray]:
    """Samples where it is true, those of one spike together."""
    at = np.flatnonzero(mask)
    return np.split(at, np.flatnonzero(np.diff(at) > 1e-3 * AROUND_MS * hz) + 1) if at.size else []


def _bridge(mv: np.ndarray, groups: list[np.ndarray], hz: float) -> None:
    """A straight line in place of the samples of each group and what follows from it."""
    before, after = round(1e-3 * BRIDGE_BEFORE_MS * hz), round(1e-3 * BRIDGE_AFTER_MS * hz)
    for group in groups:
        start, stop = max(int(group[0]) - before, 0), min(int(group[-1]) + after, mv.shape[1] - 1)
        mv[:, start : stop + 1] = np.linspace(mv[:, start], mv[:, stop], stop - start + 1, axis=1)


def rough_mv(ecg: Ecg) -> np.ndarray:
    """(n_leads,) noise between the complexes, mV: standard deviation of what is faster than mains hum.

    From a quantile of its size over time that complexes do not reach; zero where the rate is too slow, or the
    recording too short, to tell.
    """
    highest = min(ROUGH_BAND_HZ[1], 0.45 * ecg.hz)
    if highest < 1.2 * ROUGH_BAND_HZ[0] or ecg.mv.shape[1] < 0.5 * ecg.hz:
        return np.zeros(len(ecg.mv))
    sos = butter(2, (ROUGH_BAND_HZ[0], highest), "bandpass", fs=ecg.hz, output="sos")
    return np.asarray(np.quantile(np.abs(sosfiltfilt(sos, ecg.mv, axis=1)), 0.7, axis=1) / 1.036)


def without_hum(ecg: Ecg) -> Ecg:
    """The recording with its mains hum taken out of the leads that hum by more than 0.1 mV; the others as they are."""
    mv = ecg.mv
    for mains in MAINS_HZ:
        loud = hum_mv(ecg, mains) > HUM_MV
        if loud.any():
            mv = np.where(loud[:, None], _notched(mv, ecg.hz, mains), mv)
    return ecg if mv is ecg.mv else Ecg(ecg.leads, mv, ecg.hz, ecg.notes)


def hum_mv(ecg: Ecg, mains: float) -> np.ndarray:
    """(n_leads,) mains hum, peak to peak, mV: the line in the spectrum that stands above all that is beside it.

    A regular rhythm has lines too, at multiples of its rate, and one of them may lie on the mains: then its next ones,
    on either side and in bands as wide, are as high.
    """
    samples = ecg.mv.shape[1]
    if (
        samples < SHORTEST_S * ecg.hz
        or ecg.hz < 2 * (mains + 2 * HUM_BAND_HZ * BANDS_BESIDE)
        or not np.isfinite(ecg.mv).all()
    ):
        return np.zeros(len(ecg.mv))
    power = np.abs(np.fft.rfft(ecg.mv - ecg.mv.mean(axis=1, keepdims=True), axis=1)) ** 2
    away = np.fft.rfftfreq(samples, 1.0 / ecg.hz) - mains
    line = power[:, np.abs(away) < HUM_BAND_HZ].sum(axis=1)
    middles = [sign * 2.0 * HUM_BAND_HZ * k for k in range(1, BANDS_BESIDE + 1) for sign in (-1, 1)]
    beside = np.max([power[:, np.abs(away - middle) < HUM_BAND_HZ].sum(axis=1) for middle in middles], axis=0)
    return np.asarray(4.0 * np.sqrt(np.maximum(line - beside, 0.0)) / samples)


def _notched(mv: np.ndarray, hz: float, mains: float) -> np.ndarray:
    """Without the line in the spectrum."""
    samples = mv.shape[1]
    spectrum = np.fft.rfft(mv, axis=1)
    line = np.abs(np.fft.rfftfreq(samples, 1.0 / hz) - mains) < HUM_BAND_HZ
    return np.asarray(mv - np.fft.irfft(np.where(line, spectrum, 0.0), n=samples, axis=1))
