"""Which leads of a recording can be used, and whether its numbers are millivolts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cardiotwin.ecg.noise import rough_mv
from cardiotwin.ecg.recording import LEADS, Ecg
from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.ingest.ecg_plausible import judge

LEAST_HZ, MOST_HZ = 100.0, 32_000.0
LONGEST_S = 7 * 86_400
FEWEST_SAMPLES = 32
FEWEST_INDEPENDENT_LEADS = 3
FLAT_MV = 0.01
LEAST_QRS_MV, MOST_QRS_MV = 0.05, 20.0
BEAT_S = 1.5
LONGEST_STANDSTILL_S = 1.0
LONGEST_AT_RAIL_S = 0.02
LEAST_ROUGH_MV, ROUGH_OVER_OTHERS = 0.025, 4.0
"""Noise beyond 65 Hz, mV, and how many times that of the quieter leads. Nine real recordings: up to 0.0095 mV and 5.2
times as recorded; white noise of 0.1 mV in one of their leads: 0.04 mV and more."""
PULSE_MV = 1.0
LEAST_END_S = 0.1
LARGEST_LIMB_MISFIT = 0.15
"""Five honest recordings: 0.006 to 0.072. One lead inverted or two exchanged in them: 0.18 to 0.93."""
BURIED = "buried in noise"
LIMB_LEADS = LEADS[:6]
LIMB_MATRIX = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]])
"""Leads I, II, III, aVR, aVL, aVF from I and II (Einthoven; Goldberger)."""


@dataclass(frozen=True, eq=False)
class Recording:
    """What a file holds, before it is judged.

    Attributes
    ----------
    name : str
        What a refusal calls the file.
    leads : dict of str to (n_samples,) float64
        Millivolts, NaN where the device marked a sample invalid; any name.
    hz : float
    where : str
        What says so in this format, for refusals: a DICOM tag, a header line, a column.
    notes : tuple of str
    when : str
        ISO 8601, of the hospital; "" where the file does not say.
    stated_bpm : float
        Ventricular rate that the device measured; 0 where the file does not say.
    person : tuple of str
        Patient ID, birth year and sex (M, F, O), "" for what the file does not say; never shown, only hashed.
    derive_limb_leads : bool
        The format stores I and II and leaves what follows from them to the reader.
    """

    name: str
    leads: dict[str, np.ndarray]
    hz: float
    where: str
    notes: tuple[str, ...] = ()
    when: str = ""
    stated_bpm: float = 0.0
    person: tuple[str, str, str] = field(default=("", "", ""), repr=False)
    derive_limb_leads: bool = False


def usable(recording: Recording) -> Ecg:
    """The usable standard leads, in the usual order.

    Raises
    ------
    InputRejected
        Samples per second out of range; amplitudes that no heart makes (the line names the likely unit); limb leads
        that contradict Einthoven's law; another rate of beats than the device measured.
    QualityGate
        Fewer than 3 usable independent leads, too slow, too short, or with durations that no heart has.
    """
    _check_sampling(recording)
    recording = without_calibration_pulse(recording)
    standard = {lead: recording.leads[lead] for lead in LEADS if lead in recording.leads}
    faults = {lead: fault for lead, mv in standard.items() if (fault := lead_fault(mv, recording.hz))}
    faults |= _buried({lead: mv for lead, mv in standard.items() if lead not in faults}, recording.hz)
    _check_unit({lead: mv for lead, mv in standard.items() if BURIED not in faults.get(lead, "")}, recording)
    good = tuple(lead for lead in standard if lead not in faults)
    if independent(good) < FEWEST_INDEPENDENT_LEADS:
        raise QualityGate(
            f"{recording.name}: found {independent(good)} usable independent leads ({', '.join(good) or 'none'}"
            f"{'; ' if faults else ''}{_listed(faults)}), expected at least {FEWEST_INDEPENDENT_LEADS} of I, II, "
            "V1..V6. Add a recording with more leads"
        )
    mv = np.array([standard[lead] for lead in good])
    _check_einthoven(good, mv, recording.name)
    others = sorted(set(recording.leads) - set(LEADS))
    notes = [*recording.notes, *(f"lead {lead} left out: {fault}" for lead, fault in faults.items())]
    if others:
        notes.append(f"channels that are no standard leads left out: {', '.join(others)}")
    if recording.derive_limb_leads:
        good, mv, derived = _with_limb_leads(good, mv, set(recording.leads))
        notes += derived
    ecg = Ecg(leads=good, mv=mv, hz=recording.hz)
    notes += judge(ecg, recording.name, recording.where, recording.stated_bpm)
    return replace(ecg, notes=tuple(notes))


def _with_limb_leads(
    leads: tuple[str, ...], mv: np.ndarray, stored: set[str]
) -> tuple[tuple[str, ...], np.ndarray, list[str]]:
    """The limb leads that the file leaves out, from I and II where both are good (Einthoven; Goldberger)."""
    missing = [lead for lead in LIMB_LEADS if lead not in stored]
    if not missing or not {"I", "II"} <= set(leads):
        return leads, mv, []
    of_two = LIMB_MATRIX @ mv[[leads.index("I"), leads.index("II")]]
    rows = dict(zip(leads, mv, strict=True)) | {lead: of_two[LIMB_LEADS.index(lead)] for lead in missing}
    whole = tuple(lead for lead in LEADS if lead in rows)
    return whole, np.array([rows[lead] for lead in whole]), [f"{', '.join(missing)} computed from I and II"]


def without_calibration_pulse(recording: Recording) -> Recording:
    """The recording without an end in which every lead is the same: padding, or a pulse that shows the gain.

    Philips closes each lead with zeros and 200 ms of 1 mV.

    Raises
    ------
    InputRejected
        The pulse is not of 1 mV: the gain is wrong.
    """
    mv = np.array([lead for name, lead in recording.leads.items() if name in LEADS])
    if len(mv) < 2:
        return recording
    end = int(np.argmin(np.append((np.ptp(mv, axis=0) == 0)[::-1], False)))
    height = float(np.ptp(mv[0, mv.shape[1] - end :])) if end else 0.0
    if end < LEAST_END_S * recording.hz or end == mv.shape[1]:
        return recording
    if height and abs(height - PULSE_MV) > 0.02 * PULSE_MV:
        raise InputRejected(
            f"{recording.name}: {recording.where}: found a calibration pulse of {height:.4g} mV at the end of every "
            f"lead, expected {PULSE_MV:g} mV. Export it with the right gain"
        )
    what = f"a calibration pulse of {height:.3g} mV" if height else "nothing but one value"
    note = f"the last {end / recording.hz:.2f} s left out: every lead holds {what}"
    leads = {name: lead[: lead.size - end] for name, lead in recording.leads.items()}
    return replace(recording, leads=leads, notes=(*recording.notes, note))


def independent(leads: tuple[str, ...]) -> int:
    """How many of these leads are independent: two of the six limb leads, and each precordial one."""
    limb = sum(lead in LIMB_LEADS for lead in leads)
    return min(limb, 2) + len(leads) - limb


def lead_fault(mv: np.ndarray, hz: float) -> str:
    """Why a lead cannot be used; empty if it can."""
    if not np.isfinite(mv).all():
        return f"{int((~np.isfinite(mv)).sum())} samples are not finite"
    if np.ptp(mv) == 0 or qrs_mv(mv, hz) < FLAT_MV:
        return f"flat ({np.ptp(mv):.2g} mV)"
    standstill_s = longest_run(np.diff(mv) == 0) / hz
    if standstill_s > LONGEST_STANDSTILL_S:
        return f"stands still for {standstill_s:.1f} s"
    for rail in (mv.min(), mv.max()):
        # A quiet baseline may be the lowest value for long; a rail is far from the baseline.
        at_rail_s = longest_run(mv == rail) / hz
        if at_rail_s > LONGEST_AT_RAIL_S and abs(rail - np.median(mv)) > 0.4 * np.ptp(mv):
            return f"saturated at {rail:.3g} mV for {1000 * at_rail_s:.0f} ms"
    if _mains_share(mv, hz) > 0.9:
        return "mains hum only"
    return ""


def _buried(leads: dict[str, np.ndarray], hz: float) -> dict[str, str]:
    """Leads far noisier than the others; the loudest go first, and none where too few would be left."""
    if not leads:
        return {}
    rough = rough_mv(Ecg(tuple(leads), np.array(list(leads.values())), hz))
    least = max(LEAST_ROUGH_MV, ROUGH_OVER_OTHERS * float(np.quantile(rough, 0.25)))
    faults: dict[str, str] = {}
    for mv, lead in sorted(zip(rough, leads, strict=True), reverse=True):
        if (
            mv > least
            and independent(tuple(one for one in leads if one not in {*faults, lead})) >= FEWEST_INDEPENDENT_LEADS
        ):
            faults[lead] = f"{BURIED} ({mv:.2g} mV beyond 65 Hz, the others {np.median(rough):.2g})"
    return faults


def qrs_mv(mv: np.ndarray, hz: float) -> float:
    """Peak-to-peak amplitude of a typical beat, mV: the median over windows, which a spike or a drift hardly moves."""
    width = max(int(BEAT_S * hz), 2)
    windows = [mv[start : start + width] for start in range(0, max(mv.size - width // 2, 1), width)]
    return float(np.median([np.ptp(_without_drift(window)) for window in windows]))


def longest_run(mask: np.ndarray) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def _without_drift(window: np.ndarray) -> np.ndarray:
    """Minus the straight line through the ends, averaged over a tenth each."""
    tenth = max(window.size // 10, 1)
    start, stop = window[:tenth].mean(), window[-tenth:].mean()
    return window - np.linspace(start, stop, window.size)


def _mains_share(mv: np.ndarray, hz: float) -> float:
    """Share of the power between 45 and 65 Hz, without the mean."""
    if mv.size < hz or hz < 130:
        return 0.0
    power = np.abs(np.fft.rfft(mv - mv.mean())) ** 2
    frequency = np.fft.rfftfreq(mv.size, 1 / hz)
    return float(power[(frequency > 45) & (frequency < 65)].sum() / power.sum())


def _check_sampling(recording: Recording) -> None:
    if not np.isfinite(recording.hz) or not 0 < recording.hz <= MOST_HZ:
        raise InputRejected(
            f"{recording.name}: {recording.where}: found {recording.hz:g} samples per second; expected {LEAST_HZ:g} to "
            f"{MOST_HZ:g}. Correct it"
        )
    if recording.hz < LEAST_HZ:
        raise QualityGate(
            f"{recording.name}: {recording.where}: found {recording.hz:g} samples per second; expected at least "
            f"{LEAST_HZ:g}, or a QRS has too few. Export the original sampling"
        )
    lengths = {lead.size for lead in recording.leads.values()}
    if len(lengths) > 1:
        raise InputRejected(f"{recording.name}: leads of different lengths {sorted(lengths)}; export the file again")
    samples = max(lengths, default=0)
    if samples < FEWEST_SAMPLES:
        raise QualityGate(f"{recording.name}: found {samples} samples, expected at least {FEWEST_SAMPLES}: one QRS")
    if samples / recording.hz > LONGEST_S:
        raise InputRejected(f"{recording.name}: found {samples / recording.hz:.3g} s, expected at most 7 days; cut it")


def _check_unit(standard: dict[str, np.ndarray], recording: Recording) -> None:
    """Refuse amplitudes that no QRS has, and say which unit would make them one."""
    amplitudes = [qrs_mv(mv, recording.hz) for mv in standard.values() if np.isfinite(mv).all()]
    if not amplitudes or max(amplitudes) == 0:
        return
    largest = max(amplitudes)
    if LEAST_QRS_MV <= largest <= MOST_QRS_MV:
        return
    guesses = {
        1e3: "looks 1000 times too small: mV taken for uV, or V taken for mV",
        1e-3: "looks 1000 times too large: uV taken for mV, or mV taken for V",
        1e-6: "looks a million times too large: uV taken for V",
    }
    fitting = (words for factor, words in guesses.items() if LEAST_QRS_MV <= factor * largest <= MOST_QRS_MV)
    raise InputRejected(
        f"{recording.name}: {recording.where}: found QRS complexes of {largest:.4g} mV, expected {LEAST_QRS_MV:g} to "
        f"{MOST_QRS_MV:g} mV; it {next(fitting, 'looks like noise, or raw counts of the converter')}. Correct the unit"
    )


def _check_einthoven(leads: tuple[str, ...], mv: np.ndarray, name: str) -> None:
    """Refuse limb leads that two potentials cannot explain: a wrong name or gain, not a disease."""
    rows = [index for index, lead in enumerate(leads) if lead in LIMB_LEADS]
    if len(rows) < 3:
        return
    matrix = LIMB_MATRIX[[LIMB_LEADS.index(leads[row]) for row in rows]]
    limb = mv[rows] - np.median(mv[rows], axis=1, keepdims=True)
    fitted = matrix @ np.linalg.lstsq(matrix, limb, rcond=None)[0]
    misfit = np.sqrt(((limb - fitted) ** 2).sum() / (limb**2).sum())
    if misfit > LARGEST_LIMB_MISFIT:
        raise InputRejected(
            f"{name}: limb leads {', '.join(leads[row] for row in rows)}: found {100 * misfit:.0f} % of their signal "
            "against Einthoven's law (II = I + III), expected less than "
            f"{100 * LARGEST_LIMB_MISFIT:.0f} %. Check the lead names and gains"
        )


def _listed(faults: dict[str, str]) -> str:
    return "; ".join(f"{lead} {fault}" for lead, fault in list(faults.items())[:4])
