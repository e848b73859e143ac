"""What is steeper than the heart and not its own: pacing spikes and mains hum, and a recording without them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter, minimum_filter1d

from cardiotwin.ecg import Ecg

LEAST_HZ = 400.0
"""Slower recordings smear a spike into what a complex may be."""
WIDEST_SPIKE_MS = 6.0
LEAST_SPIKE_MV = 0.15
"""Root mean square over the leads; smaller ones do not survive the detector's low-pass."""
AROUND_MS = 12.0
BRIDGE_BEFORE_MS, BRIDGE_AFTER_MS = 3.0, 10.0
"""From 150 Hz of bandwidth and the recharge of the pacemaker's output."""

MAINS_HZ = (50.0, 60.0)
HUM_MV = 0.1
"""Peak to peak; less is left to the averaging of beats, because taking it out costs a little of each complex."""
HUM_BAND_HZ, BESIDE_HZ = 0.7, 5.0
SHORTEST_S = 4.0
"""For a line in a spectrum to stand out."""


def cleaned(ecg: Ecg) -> tuple[Ecg, np.ndarray]:
    """Without pacing spikes and without hum; and where the spikes were, ms."""
    bridged, spikes_ms = without_spikes(ecg)
    return without_hum(bridged), spikes_ms


def without_spikes(ecg: Ecg) -> tuple[Ecg, np.ndarray]:
    """The recording with its pacing spikes bridged by straight lines, and where they were.

    A spike is what a median filter of twice its width takes away, where what is left hardly moves: beside the apex of
    an R wave, which the filter blunts too, the rest of the wave is left.

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
    spike = np.sqrt(((ecg.mv - smooth) ** 2).mean(axis=0))
    around = 2 * round(1e-3 * AROUND_MS * ecg.hz) + 1
    moved = maximum_filter1d(smooth, around, axis=1) - minimum_filter1d(smooth, around, axis=1)
    at = np.flatnonzero((spike > LEAST_SPIKE_MV) & (spike > np.sqrt((moved**2).mean(axis=0))))
    if not at.size:
        return ecg, np.empty(0)
    groups = np.split(at, np.flatnonzero(np.diff(at) > 1e-3 * AROUND_MS * ecg.hz) + 1)
    mv = ecg.mv.copy()
    for group in groups:
        _bridge(
            mv, group[0] - round(1e-3 * BRIDGE_BEFORE_MS * ecg.hz), group[-1] + round(1e-3 * BRIDGE_AFTER_MS * ecg.hz)
        )
    strongest = np.array([group[np.argmax(spike[group])] for group in groups])
    return Ecg(ecg.leads, mv, ecg.hz, ecg.notes), 1000.0 * strongest / ecg.hz


def _bridge(mv: np.ndarray, start: int, stop: int) -> None:
    """A straight line in place of the samples from `start` to `stop`."""
    start, stop = max(start, 0), min(stop, mv.shape[1] - 1)
    mv[:, start : stop + 1] = np.linspace(mv[:, start], mv[:, stop], stop - start + 1, axis=1)


def without_hum(ecg: Ecg) -> Ecg:
    """The recording with its mains hum taken out of the leads that hum by more than 0.1 mV; the others as they are."""
    mv = ecg.mv
    for mains in MAINS_HZ:
        loud = hum_mv(ecg, mains) > HUM_MV
        if loud.any():
            mv = np.where(loud[:, None], _notched(mv, ecg.hz, mains), mv)
    return ecg if mv is ecg.mv else Ecg(ecg.leads, mv, ecg.hz, ecg.notes)


def hum_mv(ecg: Ecg, mains: float) -> np.ndarray:
    """(n_leads,) mains hum, peak to peak, mV: the line in the spectrum that stands above what is beside it."""
    samples = ecg.mv.shape[1]
    if samples < SHORTEST_S * ecg.hz or ecg.hz < 2 * (mains + BESIDE_HZ) or not np.isfinite(ecg.mv).all():
        return np.zeros(len(ecg.mv))
    power = np.abs(np.fft.rfft(ecg.mv - ecg.mv.mean(axis=1, keepdims=True), axis=1)) ** 2
    away = np.abs(np.fft.rfftfreq(samples, 1.0 / ecg.hz) - mains)
    beside = np.median(power[:, (away < BESIDE_HZ) & (away > HUM_BAND_HZ)], axis=1, keepdims=True)
    return np.asarray(4.0 * np.sqrt(np.maximum(power[:, away < HUM_BAND_HZ] - beside, 0.0).sum(axis=1)) / samples)


def _notched(mv: np.ndarray, hz: float, mains: float) -> np.ndarray:
    """Without the line in the spectrum."""
    samples = mv.shape[1]
    spectrum = np.fft.rfft(mv, axis=1)
    line = np.abs(np.fft.rfftfreq(samples, 1.0 / hz) - mains) < HUM_BAND_HZ
    return np.asarray(mv - np.fft.irfft(np.where(line, spectrum, 0.0), n=samples, axis=1))
