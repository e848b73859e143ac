"""What the beats of a recording say of its electrodes, its clock and its gain: flagged, or refused where no heart fits.

An exchange of electrodes leaves Einthoven's law intact, so it is asked of the shapes: P and QRS of lead I against V6
(arms), a limb lead without signal (a leg electrode on an arm), and whether a dipole explains V1 to V6 better in another
order (Dower's matrix: Dower et al. 1980, doi 10.1016/S0022-0736(80)80044-2).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cardiotwin.ecg.beats import Beat, Rhythm, find_beats, mean_beat
from cardiotwin.ecg.noise import HUM_MV, MAINS_HZ, hum_mv
from cardiotwin.ecg.recording import Ecg
from cardiotwin.errors import CardioTwinError, InputRejected, QualityGate

SOME_BEATS_S = 5.0
"""A heart beats in this time; a shorter recording may hold no whole beat."""
MOST_SECONDS = 60.0
"""Judged from the beginning of a recording."""

DOWER = np.array(
    [
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
"""V1 to V6 from a dipole's components to the left, the feet and the back (Dower 1980)."""
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
BETTER_ORDER, BETTER_ORDER_APART, CLEARLY_BETTER = 0.8, 0.6, 0.75
"""Share of the residual that an exchange of neighbours, and of others, may leave at most to be told; of nine real
recordings as they are, 1.02 to 2.56 and 0.69 to 3.1. Others must leave clearly less than any neighbours do."""

LIKE_LATERAL = 0.5
"""Correlation of the complexes in I and a chest lead, above which they are of one side."""

LEAST_P_MV = 0.03
AGAINST_WITHOUT_P = -0.5
"""Correlation of the complexes in I and V6 that speaks for exchanged arms where no P wave does."""
FLAT_LIMB_MV, FLAT_LIMB_SHARE = 0.1, 0.15

USUAL_QRS_MS, USUAL_QTC_MS, USUAL_BPM = (45.0, 220.0), (300.0, 560.0), (30.0, 220.0)
"""QT over the cube root of the cycle in seconds (Fridericia). Outside them is told: noise makes a complex seem longer,
and T waves are missed."""
SHORTEST_QRS_MS, MOST_BPM = 35.0, 350.0
"""Outside them is refused."""
STATED_BPM_SHARE = 0.35
LARGE_QRS_MV = 8.0
LEAST_ALIKE = 0.3
"""Share of the beats that have the most frequent shape; with fewer it is no rhythm, or no beats."""
WANDER_HZ, WANDER_MV = 0.5, 1.0


@dataclass(frozen=True)
class Clock:
    """What a wrong sampling rate would stretch or shrink."""

    qrs_ms: float
    qtc_ms: float
    bpm: float


def judge(ecg: Ecg, name: str, where: str, stated_bpm: float) -> tuple[str, ...]:
    """Notes on a recording of usable leads; none where it shows no whole beat.

    Parameters
    ----------
    ecg : Ecg
    name, where : str
        For refusals: the file, and what says rate and gain in its format.
    stated_bpm : float
        Ventricular rate that the device measured; 0 where it did not.

    Raises
    ------
    InputRejected
        Beats come at another rate than the device measured.
    QualityGate
        Durations that no heart has.
    """
    part = Ecg(ecg.leads, ecg.mv[:, : int(MOST_SECONDS * ecg.hz)], ecg.hz)
    notes = _noise_notes(part)
    try:
        rhythm = find_beats(part)
        beat = mean_beat(rhythm)
    except CardioTwinError:
        long = part.mv.shape[1] > SOME_BEATS_S * part.hz
        return (*notes, f"no heartbeat stands out: check leads and sampling rate ({where})") if long else tuple(notes)
    largest = float(np.ptp(beat.mv[:, int(beat.qrs_onset_ms) : int(beat.qrs_end_ms) + 1], axis=1).max())
    if largest > LARGE_QRS_MV:
        notes.append(f"QRS complexes of {largest:.3g} mV, more than {LARGE_QRS_MV:g}: check the gain ({where})")
    clock = clock_of(rhythm, beat)
    _check_clock(clock, name, where, stated_bpm)
    odd = _odd(clock)
    notes += [f"{', '.join(odd)}: check the sampling rate ({where})"] if odd else []
    if len(rhythm.shape) >= 6 and (rhythm.shape == 0).mean() < LEAST_ALIKE:
        notes.append(
            f"{len(rhythm.shape)} beats of {rhythm.shape.max() + 1} shapes: check leads and sampling rate ({where})"
        )
    elif rhythm.shape.any():
        notes.append(_other_shapes(rhythm))
    if len(rhythm.spikes_ms):
        notes.append(f"{len(rhythm.spikes_ms)} pacing spikes (or like artefacts) bridged for the detector")
    return (*notes, *swap_notes(beat))


def _other_shapes(rhythm: Rhythm) -> str:
    """How many beats are unlike the most frequent one, and how wide the first of those is."""
    others, count = int((rhythm.shape > 0).sum()), len(rhythm.shape)
    words = f"{others} of {count} beats have another shape and are kept apart"
    try:
        wide = mean_beat(rhythm, 1).qrs_ms
    except CardioTwinError:
        return words
    return f"{words} (the most frequent: QRS {wide:.0f} ms; calibrate.beat = 1 fits it)"


def clock_of(rhythm: Rhythm, beat: Beat) -> Clock:
    """Durations of the most frequent beat; NaN for what is not there."""
    return Clock(beat.qrs_ms, rhythm.qtc_ms(beat), rhythm.bpm if len(rhythm.at_ms) > 2 else np.nan)


def _odd(clock: Clock) -> list[str]:
    """What lies outside its usual range, in words."""
    told = (
        (clock.qrs_ms, USUAL_QRS_MS, f"a QRS complex of {clock.qrs_ms:.0f} ms"),
        (clock.qtc_ms, USUAL_QTC_MS, f"a corrected QT of {clock.qtc_ms:.0f} ms"),
        (clock.bpm, USUAL_BPM, f"{clock.bpm:.0f} beats a minute"),
    )
    return [words for value, (least, most), words in told if value < least or value > most]


def _check_clock(clock: Clock, name: str, where: str, stated_bpm: float) -> None:
    if stated_bpm > 0 and np.isfinite(clock.bpm) and abs(clock.bpm / stated_bpm - 1) > STATED_BPM_SHARE:
        raise InputRejected(
            f"{name}: {where}: found {clock.bpm:.0f} beats a minute in the samples; expected the {stated_bpm:.0f} that "
            "the device measured. The sampling rate is wrong, or the samples are another's: export the ECG again"
        )
    if clock.qrs_ms < SHORTEST_QRS_MS or clock.bpm > MOST_BPM:
        raise QualityGate(
            f"{name}: {where}: found a QRS complex of {clock.qrs_ms:.0f} ms and {clock.bpm:.0f} beats a minute; "
            f"expected at least {SHORTEST_QRS_MS:.0f} ms and at most {MOST_BPM:.0f}. Check the sampling rate"
        )


# ------------------------------------------------------------------------------------------------------ electrodes


def swap_notes(beat: Beat) -> list[str]:
    """Electrodes that are likely exchanged, a line each."""
    found = (_swapped_arms(beat), _leg_on_an_arm(beat), _chest_order(beat))
    return [note for note in found if note]


def _lead(beat: Beat, lead: str) -> np.ndarray:
    return beat.mv[beat.leads.index(lead)]


def _swapped_arms(beat: Beat) -> str:
    """P of lead I points down and its QRS runs against V6; without a P wave QRS must do so clearly."""
    lateral = next((lead for lead in ("V6", "V5") if lead in beat.leads), "")
    if "I" not in beat.leads or not lateral:
        return ""
    onset, end = int(beat.qrs_onset_ms), int(beat.qrs_end_ms)
    one, other = _lead(beat, "I"), _lead(beat, lateral)
    against = float(np.corrcoef(one[onset : end + 1], other[onset : end + 1])[0, 1])
    p_wave = one[max(onset - 220, 0) : max(onset - 20, 1)] - np.median(one[max(onset - 20, 0) : onset + 1])
    up, down = float(p_wave.max()), float(-p_wave.min())
    has_p = max(up, down) > LEAST_P_MV and max(up, down) > 2.0 * min(max(up, 0.0), max(down, 0.0))
    if (has_p and down > up and against < 0) or (not has_p and against < AGAINST_WITHOUT_P):
        p_words = "P is negative and " if has_p else ""
        return (
            f"{p_words}QRS of lead I runs against {lateral} (r = {against:.2f}): the arm electrodes may be exchanged "
            "(or dextrocardia)"
        )
    return ""


def _leg_on_an_arm(beat: Beat) -> str:
    """Between the two legs there is no voltage: a bipolar lead without signal has its electrodes there."""
    pairs = {"II": "right arm", "III": "left arm", "I": "both arms"}
    if not set(pairs) <= set(beat.leads):
        return ""
    onset = int(beat.qrs_onset_ms)
    size = {lead: float(np.ptp(_lead(beat, lead)[max(onset - 220, 0) :])) for lead in pairs}
    lead = min(size, key=lambda one: size[one])
    if size[lead] > FLAT_LIMB_MV or size[lead] > FLAT_LIMB_SHARE * max(size.values()):
        return ""
    return f"lead {lead} shows {size[lead]:.2g} mV only: leg and {pairs[lead]} electrodes may be exchanged"


def _chest_order(beat: Beat) -> str:
    """Two of V1 to V6 whose exchange a dipole explains better, or all six in reverse.

    In reverse is told by lead I, which V6 resembles and V1 does not; there a dipole is no judge: of nine real
    recordings it would have turned one.
    """
    if not set(CHEST) <= set(beat.leads):
        return ""
    stop = beat.t_end_ms if np.isfinite(beat.t_end_ms) else beat.qrs_end_ms
    leads = np.array([_lead(beat, lead) for lead in CHEST])[:, int(beat.qrs_onset_ms) : int(stop)]
    share = {pair: unexplained(leads[_exchanged(*pair)]) / unexplained(leads) for pair in combinations(range(6), 2)}
    one, other = _likely_pair(share)
    if (one, other) != (0, 5) and (told := _in_reverse(beat)):
        return told
    if other:
        return (
            f"{CHEST[one]} and {CHEST[other]} may be exchanged: so a dipole leaves {share[one, other]:.0%} of what it "
            "leaves unexplained as named"
        )
    return ""


def _in_reverse(beat: Beat) -> str:
    if "I" not in beat.leads:
        return ""
    complexes = [_lead(beat, lead)[int(beat.qrs_onset_ms) : int(beat.qrs_end_ms) + 1] for lead in ("I", "V1", "V6")]
    first, last = (float(np.corrcoef(complexes[0], other)[0, 1]) for other in complexes[1:])
    if first > LIKE_LATERAL > LIKE_LATERAL - 0.5 > last:
        return f"lead I resembles V1 (r = {first:.2f}) and not V6 ({last:.2f}): V1 to V6 may run the wrong way"
    return ""


def _likely_pair(share: dict[tuple[int, int], float]) -> tuple[int, int]:
    """The two whose exchange explains far more; (0, 0) for none. Neighbours, unless two others do so far better."""
    near = min((pair for pair in share if pair[1] - pair[0] == 1), key=lambda pair: share[pair])
    far = min((pair for pair in share if pair[1] - pair[0] > 1), key=lambda pair: share[pair])
    if share[far] < min(BETTER_ORDER_APART, CLEARLY_BETTER * share[near]):
        return far
    return near if share[near] < BETTER_ORDER else (0, 0)


def _exchanged(one: int, other: int) -> np.ndarray:
    order = np.arange(6)
    order[[one, other]] = other, one
    return order


def unexplained(chest: np.ndarray) -> float:
    """Norm of what Dower's dipole does not explain of V1 to V6, (6, n_samples) mV."""
    return float(np.linalg.norm(chest - DOWER @ np.linalg.lstsq(DOWER, chest, rcond=None)[0]))


# ----------------------------------------------------------------------------------------------------------- noise


def _noise_notes(ecg: Ecg) -> list[str]:
    """Leads with mains hum or a wandering line: kept, because the detector takes out both, but told."""
    notes = []
    for mains in MAINS_HZ:
        notes += _told(ecg.leads, hum_mv(ecg, mains), HUM_MV, f"mains hum of {mains:.0f} Hz")
    if ecg.mv.shape[1] < SOME_BEATS_S * ecg.hz:
        return notes
    spectrum = np.fft.rfft(ecg.mv - ecg.mv.mean(axis=1, keepdims=True), axis=1)
    slow = np.fft.rfftfreq(ecg.mv.shape[1], 1.0 / ecg.hz) < WANDER_HZ
    wander = np.fft.irfft(np.where(slow, spectrum, 0.0), n=ecg.mv.shape[1], axis=1)
    return notes + _told(ecg.leads, np.ptp(wander, axis=1), WANDER_MV, "a wandering line")


def _told(leads: tuple[str, ...], size: np.ndarray, most: float, what: str) -> list[str]:
    loud = [f"{lead} {mv:.2g} mV" for lead, mv in zip(leads, size, strict=True) if mv > most]
    return [f"{what} (peak to peak): {', '.join(loud)}"] if loud else []
