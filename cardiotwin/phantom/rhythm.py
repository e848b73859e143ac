"""From one heartbeat at the electrodes to ten seconds as a cart records them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfiltfilt

from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.recording import Ecg, leads_from_electrodes
from cardiotwin.phantom.anatomy import Anatomy


@dataclass(frozen=True)
class Recording:
    """How and when a strip is recorded. Noise is per electrode, root mean square."""

    seed: int
    date: str
    heart_rate_per_min: float = 70.0
    rr_deviation_ms: float = 15.0
    duration_s: float = 10.0
    hz: float = 500.0
    muscle_mv: float = 0.012
    mains_mv: float = 0.004
    wander_mv: float = 0.05
    qrs_to_p_ms: float = -160.0
    p_wave_mv: float = 0.10
    """Largest atrial potential at any electrode."""


def strip(beat_ms: np.ndarray, electrode_mv: np.ndarray, recording: Recording) -> np.ndarray:
    """Repeat a beat, as (n_electrodes, n_samples) mV at the recording's rate.

    Parameters
    ----------
    beat_ms : (n,) float64
        Time axis of the beat, ms.
    electrode_mv : (n_electrodes, n) float64
        Potential at each electrode, at rest at both ends.
    """
    rng = np.random.default_rng([recording.seed, 6])
    times = 1e3 * np.arange(round(recording.duration_s * recording.hz)) / recording.hz
    cycle = 60_000.0 / recording.heart_rate_per_min
    starts = [-rng.uniform(0, cycle)]
    while starts[-1] < times[-1]:
        starts.append(starts[-1] + cycle + recording.rr_deviation_ms * float(np.clip(rng.standard_normal(), -2, 2)))
    potentials = np.zeros((len(electrode_mv), times.size))
    for start in starts:
        potentials += [np.interp(times - start, beat_ms, mv, left=0.0, right=0.0) for mv in electrode_mv]
    return potentials


def with_p_wave(
    beat_ms: np.ndarray, electrode_mv: np.ndarray, anatomy: Anatomy, electrodes: Electrodes, recording: Recording
) -> tuple[np.ndarray, np.ndarray]:
    """Put an atrial wave before a beat: a dipole above the base, from right to left and down, rising and falling."""
    lead_in = np.arange(recording.qrs_to_p_ms - 80.0, 0.0)
    middle = anatomy.to_lps(np.array([[15.0, -10.0, 15.0]]))[0]
    towards = electrodes.positions - middle
    potential = towards @ np.array([0.6, -0.1, -0.8]) / np.linalg.norm(towards, axis=1) ** 3
    potential *= recording.p_wave_mv / np.abs(potential).max()
    wave = np.exp(-0.5 * ((lead_in - recording.qrs_to_p_ms) / 22.0) ** 2)
    return np.concatenate([lead_in, beat_ms]), np.concatenate([potential[:, None] * wave, electrode_mv], axis=1)


def noise(n_electrodes: int, recording: Recording) -> np.ndarray:
    """(n_electrodes, n_samples) mV: muscle (20 to 150 Hz), mains at 50 Hz, breathing and drift."""
    rng = np.random.default_rng([recording.seed, 7])
    n_samples = round(recording.duration_s * recording.hz)
    time_s = np.arange(n_samples) / recording.hz
    muscle = sosfiltfilt(
        butter(2, (20.0, 150.0), "bandpass", fs=recording.hz, output="sos"),
        rng.standard_normal((n_electrodes, n_samples)),
    )
    muscle *= recording.muscle_mv / muscle.std()
    coupling = rng.standard_normal((n_electrodes, 3, 1))
    mains = np.sqrt(2) * recording.mains_mv * coupling[:, 0] * np.sin(2 * np.pi * 50.0 * time_s + rng.uniform(0, 6.28))
    breathing = np.sin(2 * np.pi * rng.uniform(0.2, 0.3) * time_s + rng.uniform(0, 6.28))
    drift = np.sin(2 * np.pi * rng.uniform(0.04, 0.08) * time_s + rng.uniform(0, 6.28))
    return muscle + mains + recording.wander_mv * (coupling[:, 1] * breathing + coupling[:, 2] * drift)


def recorded(beat_ms: np.ndarray, electrode_mv: np.ndarray, electrodes: Electrodes, recording: Recording) -> Ecg:
    """The twelve leads of a noisy strip. Noise enters at the electrodes, so the limb leads still add up."""
    potentials = strip(beat_ms, electrode_mv, recording) + noise(len(electrodes.names), recording)
    return leads_from_electrodes(electrodes.names, potentials, recording.hz)
