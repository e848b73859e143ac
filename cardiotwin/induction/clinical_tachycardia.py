"""The patient's own tachycardia, as recorded, and how like it each simulated circuit looks from the skin.

Pace maps are compared with a tachycardia in the same way: by the correlation of shapes lead by lead. Amplitudes are not
compared, for the conductor gives them in proportion only (`cardiotwin.ecg.forward`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.ecg.noise import cleaned
from cardiotwin.ecg.qrs import filtered
from cardiotwin.ecg.recording import Ecg
from cardiotwin.errors import QualityGate
from cardiotwin.induction.tachycardia_ecg import Tachycardia, frontal_axis

SHORTEST_MS, LONGEST_MS = 150, 600
"""Cycle lengths that are looked for: 400 to 100 a minute."""
LEAST_REGULAR = 0.7
"""Correlation of six leads at least with themselves a cycle later; atrial fibrillation stays far below it."""
AS_REGULAR = 0.9
"""Of the best correlation: of cycles as good as that the shortest counts, for two cycles repeat as one does."""
LEAST_LEAD = 0.5
"""The same correlation of one lead: below it, the lead is more noise than tachycardia."""
LEAST_MV = 0.05
"""Peak to peak; a flatter lead shows nothing."""
FEWEST_LEADS, FEWEST_CYCLES = 6, 3
ALIKE = 0.8
"""Correlation with the median cycle, all leads together: a beat less like it (capture, fusion, ectopic) is left out."""
PHASES = 256
"""Samples of a cycle once it is stretched to one turn of phase."""
GOOD_MATCH = 0.9
"""Mean correlation from which the report speaks of a good match: a convention of this report, not a validated limit."""


@dataclass(frozen=True, eq=False)
class ClinicalTachycardia:
    """A recording that was said to show the patient's tachycardia; it never reaches calibration.

    Attributes
    ----------
    ecg : Ecg
        As it was read.
    """

    ecg: Ecg


@dataclass(frozen=True, eq=False)
class ClinicalCycle:
    """One cycle that stands for a whole tachycardia.

    Attributes
    ----------
    leads : tuple of str
        Those that show it.
    mv : (n_leads, n_samples) float64
        1000 Hz, the median of all cycles alike, from anywhere in the cycle; each lead without its mean.
    cycle_length_ms : float
        Mean over the recording.
    regularity : float
        Correlation with itself a cycle later of the sixth best lead.
    n_cycles, n_rejected : int
        Averaged, and left out for their shape.
    left_out : tuple of str
        Leads that are flat or mostly noise.
    """

    leads: tuple[str, ...]
    mv: np.ndarray
    cycle_length_ms: float
    regularity: float
    n_cycles: int
    n_rejected: int
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        left = f"; {', '.join(self.left_out)} left out" if self.left_out else ""
        alike = f"{self.n_cycles} of {self.n_cycles + self.n_rejected} cycles alike, {len(self.leads)} leads{left}"
        return f"cycle length {self.cycle_length_ms:.0f} ms, {alike}"


@dataclass(frozen=True, eq=False)
class Match:
    """How like the clinical tachycardia one circuit looks.

    Attributes
    ----------
    correlation : float
        Mean over the leads, 1 for the same shape.
    each : dict of str to float
        Of every lead that both have.
    shift : float
        Of the cycle, 0 to 1: how long after the measured cycle begins the circuit's wave leaves the isthmus.
    cycle_difference_ms : float
        The circuit's cycle length less the measured one.
    axis_difference_deg : float
        Between the frontal axes of both, of the part of the cycle that is the circuit's QRS complex, 0 to 180; NaN
        without I and aVF.
    same_pattern : bool or None
        Whether V1 has the same sign over that part; None without V1.
    measured, simulated : (n_leads, 256) float64
        One turn from the exit of the isthmus, in the order of `each`, each lead divided by its standard deviation.
    """

    correlation: float
    each: dict[str, float]
    shift: float
    cycle_difference_ms: float
    axis_difference_deg: float
    same_pattern: bool | None
    measured: np.ndarray
    simulated: np.ndarray

    def __str__(self) -> str:
        return f"r = {self.correlation:.2f} over {len(self.each)} leads, cycle {self.cycle_difference_ms:+.0f} ms"


def clinical_cycle(ecg: Ecg) -> ClinicalCycle:
    """Cycle length and mean cycle of a recorded tachycardia.

    The cycle length is where at least six leads of the recording, cleaned and filtered as ECGs for calibration are,
    best repeat themselves, refined over as many cycles as repeat. Nothing is delineated: a broad
    complex that runs into its T wave needs no onset.

    Parameters
    ----------
    ecg : Ecg
        Of a regular rhythm, three cycles at least. Leads may be missing.

    Raises
    ------
    InputRejected
        As `cardiotwin.ecg.qrs.filtered`.
    QualityGate
        Fewer than 6 leads that show anything; no regular rhythm of 150 to 600 ms; fewer than 3 cycles alike.
    """
    clean = filtered(cleaned(ecg)[0])
    mv = _without_line(clean.mv)
    seen = np.ptp(mv, axis=1) >= LEAST_MV
    _check_leads(clean.leads, seen)
    cycle_ms, regularity = _cycle_length(mv[seen])
    seen[seen] = _repeats(mv[seen], round(cycle_ms)) >= LEAST_LEAD
    _check_leads(clean.leads, seen)
    middle, kept, rejected = _mean_cycle(mv[seen], cycle_ms)
    return ClinicalCycle(
        leads=tuple(np.array(clean.leads)[seen].tolist()),
        mv=middle - middle.mean(axis=1, keepdims=True),
        cycle_length_ms=cycle_ms,
        regularity=regularity,
        n_cycles=kept,
        n_rejected=rejected,
        left_out=tuple(np.array(clean.leads)[~seen].tolist()),
    )


def match(measured: ClinicalCycle, seen: Tachycardia) -> Match:
    """How like the measured tachycardia a circuit looks.

    Both cycles are stretched to one turn of phase and turned against each other by one shift, common to all leads: the
    one with the greatest mean correlation. So neither rate nor amplitude nor where the recording begins matters;
    polarity does.

    Parameters
    ----------
    measured : ClinicalCycle
    seen : Tachycardia
        From the same kind of leads.

    Raises
    ------
    QualityGate
        Fewer than 6 leads in common.
    """
    leads = [lead for lead in measured.leads if lead in seen.cycle.leads]
    _check_leads(leads, np.ones(len(leads), bool))
    theirs = _turn(measured.mv[[measured.leads.index(lead) for lead in leads]])
    ours = _turn(seen.cycle.mv[[seen.cycle.leads.index(lead) for lead in leads]])
    spectra = np.conj(np.fft.rfft(ours, axis=1)) * np.fft.rfft(theirs, axis=1)
    fits = np.fft.irfft(spectra, PHASES, axis=1) / PHASES
    shift = int(np.argmax(fits.mean(axis=0)))
    theirs = np.roll(theirs, -shift, axis=1)
    cycle_ms = seen.cycle.mv.shape[1] * 1000.0 / seen.cycle.hz
    areas = [_areas(leads, one, seen.qrs_ms / cycle_ms) for one in (theirs, ours)]
    return Match(
        correlation=float(fits[:, shift].mean()),
        each={lead: float(one) for lead, one in zip(leads, fits[:, shift], strict=True)},
        shift=shift / PHASES,
        cycle_difference_ms=cycle_ms - measured.cycle_length_ms,
        axis_difference_deg=_between_axes(leads, measured, seen, *areas),
        same_pattern=bool(areas[0]["V1"] * areas[1]["V1"] > 0) if "V1" in leads else None,
        measured=theirs,
        simulated=ours,
    )


def _check_leads(leads: Sequence[str], seen: np.ndarray) -> None:
    if np.sum(seen) < FEWEST_LEADS:
        named = ", ".join(np.array(leads)[seen].tolist()) or "none"
        raise QualityGate(
            f"tachycardia: {int(np.sum(seen))} leads that show it ({named}), expected at least {FEWEST_LEADS}; "
            "give a recording of all twelve"
        )


def _without_line(mv: np.ndarray) -> np.ndarray:
    """Without mean and slope: short recordings are not high-pass filtered, and a slope repeats at any cycle."""
    time = np.linspace(-1.0, 1.0, mv.shape[1])
    mv = mv - mv.mean(axis=1, keepdims=True)
    return np.asarray(mv - np.outer(mv @ time / (time @ time), time))


def _repeats(mv: np.ndarray, lag: int) -> np.ndarray:
    """Correlation of each lead with itself `lag` ms later."""
    early, late = mv[:, :-lag], mv[:, lag:]
    size = np.sqrt((early**2).sum(axis=1) * (late**2).sum(axis=1))
    return np.asarray((early * late).sum(axis=1) / np.maximum(size, 1e-12))


def _regular(mv: np.ndarray, lag: int) -> float:
    """The same of the sixth best lead: a loud loose electrode does not hide the rhythm of the others."""
    return float(np.sort(_repeats(mv, lag))[-FEWEST_LEADS])


def _cycle_length(mv: np.ndarray) -> tuple[float, float]:
    """In ms, and how well the recording repeats."""
    longest = min(LONGEST_MS, mv.shape[1] // FEWEST_CYCLES)
    lags = np.arange(SHORTEST_MS - 1, longest + 2)
    found = np.array([_regular(mv, int(lag)) for lag in lags])
    peaks = np.flatnonzero((found[1:-1] >= found[:-2]) & (found[1:-1] >= found[2:])) + 1
    regular = float(found[peaks].max()) if peaks.size else 0.0
    if regular < LEAST_REGULAR:
        raise QualityGate(
            f"tachycardia: no regular rhythm of {SHORTEST_MS} to {LONGEST_MS} ms (the recording repeats itself with a "
            f"correlation of {regular:.2f}, expected at least {LEAST_REGULAR} over {FEWEST_CYCLES} cycles). Cut it to "
            "where the tachycardia runs, or add an ECG in sinus rhythm without `--kind tachycardia`"
        )
    first = int(peaks[found[peaks] >= AS_REGULAR * regular][0])
    return _refined(mv, float(lags[first])), float(found[first])


def _refined(mv: np.ndarray, cycle_ms: float) -> float:
    """From how far off the wave repeats after two, three, ... cycles, as long as it does."""
    for count in range(2, mv.shape[1] // (2 * round(cycle_ms)) + 1):
        near = np.arange(round(count * cycle_ms) - 10, round(count * cycle_ms) + 11)
        fits = [_regular(mv, int(lag)) for lag in near if lag < mv.shape[1] - cycle_ms]
        if not fits or max(fits) < LEAST_REGULAR:
            break
        cycle_ms = float(near[int(np.argmax(fits))]) / count
    return cycle_ms


def _mean_cycle(mv: np.ndarray, cycle_ms: float) -> tuple[np.ndarray, int, int]:
    """The median cycle, and how many went into it and how many were left out."""
    length, middle = round(cycle_ms), mv.shape[1] // 2
    template = mv[:, middle : middle + length]
    kept: list[np.ndarray] = []
    found: list[np.ndarray] = []
    for _ in range(2):  # of one cycle first, then of the median of those like it
        found = [mv[:, at : at + length] for at in _places(mv, template, cycle_ms)]
        kept = [one for one in found if _like(one, template) >= ALIKE]
        if len(kept) < FEWEST_CYCLES:
            raise QualityGate(
                f"tachycardia: {len(kept)} of {len(found)} cycles alike, expected at least {FEWEST_CYCLES}; cut the "
                "recording to where the tachycardia runs"
            )
        template = np.median(kept, axis=0)
    return template, len(kept), len(found) - len(kept)


def _places(mv: np.ndarray, template: np.ndarray, cycle_ms: float) -> list[int]:
    """Where cycles begin, from the middle both ways: each where it is most like the template, within a tenth."""
    length, reach, last = template.shape[1], round(0.1 * cycle_ms), mv.shape[1] - template.shape[1]
    places = []
    for step in (cycle_ms, -cycle_ms):
        at = float(mv.shape[1] // 2) - (step if step > 0 else 0.0)
        while 0 <= round(at + step) <= last:
            near = np.arange(max(round(at + step) - reach, 0), min(round(at + step) + reach, last) + 1)
            at = float(near[int(np.argmax([_like(mv[:, k : k + length], template) for k in near]))])
            places.append(int(at))
    return sorted(places)


def _like(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of all leads as one vector, each lead without its mean."""
    a, b = (piece - piece.mean(axis=1, keepdims=True) for piece in (one, other))
    return float((a * b).sum() / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def _turn(mv: np.ndarray) -> np.ndarray:
    """A cycle as one turn of phase, each lead with mean 0 and standard deviation 1; what is flat stays 0."""
    length = mv.shape[1]
    at = np.arange(PHASES) * (length / PHASES)
    turn = np.array([np.interp(at, np.arange(length), one, period=length) for one in mv])
    turn -= turn.mean(axis=1, keepdims=True)
    size = turn.std(axis=1, keepdims=True)
    return np.asarray(np.divide(turn, size, out=np.zeros_like(turn), where=size > 1e-9))


def _areas(leads: Sequence[str], turn: np.ndarray, share: float) -> dict[str, float]:
    """Net area of each lead over the first `share` of the turn, above its mean over the cycle."""
    return dict(zip(leads, turn[:, : max(1, round(share * PHASES))].mean(axis=1).tolist(), strict=True))


def _between_axes(
    leads: Sequence[str], measured: ClinicalCycle, seen: Tachycardia, theirs: dict[str, float], ours: dict[str, float]
) -> float:
    """Degrees between two frontal axes; the areas are of scaled leads, so each is given its size back."""
    if not {"I", "aVF"} <= set(leads):
        return float("nan")
    sizes = [dict(zip(one.leads, one.mv.std(axis=1), strict=True)) for one in (measured, seen.cycle)]
    axes = [
        frontal_axis(area["I"] * size["I"], area["aVF"] * size["aVF"])
        for area, size in zip((theirs, ours), sizes, strict=True)
    ]
    return abs((axes[0] - axes[1] + 180.0) % 360.0 - 180.0)
