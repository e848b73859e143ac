"""One recording exported twice counts once: as two observations it would narrow the posterior for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, oaconvolve, resample, resample_poly, sosfiltfilt

from cardiotwin.ecg.recording import Ecg
from cardiotwin.ingest.ecg_quality import independent
from cardiotwin.storage.artefact import digest
from cardiotwin.storage.ledger import Observation, words
from cardiotwin.twin.observations import Found

SAME_CORRELATION = 0.99
"""A real recording that its database gives at 100 and at 500 Hz: 0.994. Its first and second half: 0.02."""
COMPARED_S, MOST_HZ = 60.0, 1000.0
SAME_PART = 0.997
"""For a recording that may be a part of another. The same samples at 100 and at 500 Hz: 0.9985; rounded to 0.01 mV: at
least 0.9997. Other stretches of one real recording, at the best lag: up to 0.9905 in a very regular rhythm, else 0.92;
a simulator, whose beats are all alike, gives 0.9999 and so counts once."""
LEAST_S = 4.0
"""A part that is shorter is not looked for: any beat is like the next one."""
SEARCHED_S = 300.0
"""Of the longer recording, from its beginning."""
PART_HZ, PART_LOW_PASS_HZ, MARGIN_S = 500.0, 40.0, 0.5


def without_repeats(found: Iterable[Found]) -> tuple[list[Found], list[str]]:
    """What is left when of every ECG that was given twice only the better one is kept, and a line for each left out.

    The one with more independent leads is better, then the longer one, then the one with more samples per second, then
    the one that names its patient. Whose it is and when it was recorded are taken from either.
    """
    kept: list[Found] = []
    notes = []
    for one in found:
        twin = next((k for k, other in enumerate(kept) if _likeness(one, other)), None)
        if twin is None:
            kept.append(one)
            continue
        worse, better = sorted((one, kept[twin]), key=_worth)
        notes.append(
            f"{worse.file}: the same recording as {better.file} (correlation {_likeness(one, kept[twin]):.4f}); "
            f"{_named(better)} kept, {_named(worse)} left out"
        )
        kept[twin] = replace(
            better,
            identity=better.identity or worse.identity,
            effective=better.effective or worse.effective,
            # What was said of the folder, not of the file that is left out.
            notes=(*better.notes, *(note for note in worse.notes if not note.startswith(f"{worse.file}: "))),
        )
    return kept, notes


def without_known(found: Iterable[Found], known: Iterable[tuple[Observation, Ecg]]) -> tuple[list[Found], list[str]]:
    """What is left without the ECGs that the twin has already, in whatever export; a line for each left out.

    The one in the twin stays, also where the new one is better: what was computed from it holds.

    Parameters
    ----------
    found : iterable of Found
        None of them equal, sample for sample, to one that is known.
    known : iterable of (Observation, Ecg)
        In use in the twin.
    """
    known = list(known)
    kept, notes = [], []
    for one in found:
        alike = ((observation, _same(one, ecg, observation.effective)) for observation, ecg in known)
        twin, likeness = next(((o, c) for o, c in alike if c), (None, 0.0))
        if twin is None:
            kept.append(one)
            continue
        notes.append(
            f"{one.file or one.source}: already in the twin as {words(twin)}, {twin.source} (correlation "
            f"{likeness:.4f}); left out. To put it in its place, take that one out of use first: `cardiotwin remove`"
        )
    return kept, notes


def _worth(one: Found) -> tuple[int, int, float, bool]:
    seconds = round(one.value.mv.shape[1] / one.value.hz)
    return independent(one.value.leads), seconds, one.value.hz, bool(one.identity)


def _named(one: Found) -> str:
    seconds = one.value.mv.shape[1] / one.value.hz
    return f"{independent(one.value.leads)} independent leads, {seconds:.1f} s at {one.value.hz:g} Hz"


def _likeness(one: Found, other: Found) -> float:
    return _same(one, other.value, other.effective) if other.kind == "ecg" else 0.0


def _same(one: Found, other: Ecg, effective: str) -> float:
    """Correlation of two exports of one recording, whole or in part; 0 for others, or when their times differ."""
    times_differ = one.effective and effective and one.effective != effective
    return 0.0 if one.kind != "ecg" or times_differ else _likeness_of(one.value, other)


def _likeness_of(one: Ecg, other: Ecg) -> float:
    whole = correlation(one, other)
    if whole > SAME_CORRELATION:
        return whole
    part = part_correlation(one, other)
    return part if part > SAME_PART else 0.0


def under_other_times(found: Iterable[Found], known: Iterable[tuple[Observation, Ecg]]) -> Iterator[str]:
    """A line for each ECG whose samples are there under another time: one of the times must be wrong.

    Equal to the last bit it counts once, with the time that came first; another export of it counts again.
    """
    others = [(ecg, one.effective, words(one)) for one, ecg in known]
    for one in found:
        if one.kind != "ecg":
            continue
        for ecg, effective, name in others if one.effective else ():
            likeness = _likeness_of(one.value, ecg) if effective not in ("", one.effective) else 0.0
            if likeness:
                counts = "it counts once, as that" if digest(one.value) == digest(ecg) else "both count"
                yield (
                    f"{one.file or one.source}: of {one.effective}, but the same samples as {name} (correlation "
                    f"{likeness:.4f}); {counts}. Check the times; `cardiotwin remove` takes the wrong one out of use"
                )
        others.append((one.value, one.effective, f"{one.file or one.source} of {one.effective}"))


def correlation(one: Ecg, other: Ecg) -> float:
    """Of the leads that both have, over their first minute; 0 for recordings of other durations.

    The largest over shifts of up to a sample of the coarser one: a device that thins out its samples delays them.
    """
    low, high = sorted((one, other), key=lambda ecg: ecg.hz)
    shared = [lead for lead in low.leads if lead in high.leads]
    if not shared or abs(low.mv.shape[1] / low.hz - high.mv.shape[1] / high.hz) > 2.0 / low.hz:
        return 0.0
    seconds, hz = min(COMPARED_S, low.mv.shape[1] / low.hz), min(high.hz, MOST_HZ)
    a, b = (_resampled(ecg, shared, seconds, round(seconds * hz)) for ecg in (low, high))
    most = int(np.ceil(hz / low.hz))
    # Resampling takes a recording for periodic: a tenth of a second at either end is not compared.
    margin = most + int(0.1 * hz)
    inner = a[:, margin:-margin]
    return max(
        _alike(inner, b[:, margin + shift : margin + shift + inner.shape[1]]) for shift in range(-most, most + 1)
    )


def _resampled(ecg: Ecg, leads: list[str], seconds: float, n_samples: int) -> np.ndarray:
    mv = ecg.mv[[ecg.leads.index(lead) for lead in leads], : round(seconds * ecg.hz)]
    return mv if mv.shape[1] == n_samples else resample(mv, n_samples, axis=1)


def _alike(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of all leads together, each about its mean."""
    a, b = ((mv - mv.mean(axis=1, keepdims=True)).ravel() for mv in (a, b))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def part_correlation(one: Ecg, other: Ecg) -> float:
    """Of the shorter one, its first minute at most, with the stretch of the longer one that is most like it.

    Of the leads that both have, up to 40 Hz and without baseline wander (the mean of the second around each sample,
    which a recording and a part of it share but for half a second at either end, left out of the shorter one).

    0 where the shorter one has less than 4 s, or no lead of the other. Two that merely overlap are not found.
    """
    short, long = sorted((one, other), key=lambda ecg: ecg.mv.shape[1] / ecg.hz)
    shared = [lead for lead in short.leads if lead in long.leads]
    if not shared or short.mv.shape[1] < LEAST_S * short.hz:
        return 0.0
    margin = round(MARGIN_S * PART_HZ)
    part = _without_wander(short, shared, COMPARED_S)[:, margin:-margin]
    return _most_alike(part, _without_wander(long, shared, SEARCHED_S))


def _without_wander(ecg: Ecg, leads: list[str], seconds: float) -> np.ndarray:
    mv = ecg.mv[[ecg.leads.index(lead) for lead in leads], : round(seconds * ecg.hz)]
    ratio = Fraction(PART_HZ / ecg.hz).limit_denominator(1000)
    if ratio != 1:
        mv = resample_poly(mv, ratio.numerator, ratio.denominator, axis=1, padtype="line")
    mv = sosfiltfilt(butter(4, PART_LOW_PASS_HZ, fs=PART_HZ, output="sos"), mv, axis=1)
    return mv - uniform_filter1d(mv, round(2 * MARGIN_S * PART_HZ), axis=1)


def _most_alike(part: np.ndarray, whole: np.ndarray) -> float:
    """The largest correlation of all leads together, each about its mean, over every place of the part in the whole."""
    n = part.shape[1]
    part = part - part.mean(axis=1, keepdims=True)
    products = oaconvolve(whole, part[:, ::-1], mode="valid", axes=1).sum(axis=0)
    sums = (np.cumsum(np.pad(mv, ((0, 0), (1, 0))), axis=1) for mv in (whole, whole**2))
    first, second = (total[:, n:] - total[:, :-n] for total in sums)
    energy = (second - first**2 / n).sum(axis=0)
    return float((products / np.sqrt(np.maximum((part**2).sum() * energy, 1e-12))).max())
