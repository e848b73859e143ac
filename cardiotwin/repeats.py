"""One recording exported twice counts once: as two observations it would narrow the posterior for nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy.signal import resample

from cardiotwin.ecg import Ecg
from cardiotwin.ingest.ecg_quality import independent
from cardiotwin.observations import Found

SAME_CORRELATION = 0.99
"""A real recording that its database gives at 100 and at 500 Hz: 0.994. Its first and second half: 0.02."""
COMPARED_S, MOST_HZ = 60.0, 1000.0


def without_repeats(found: Iterable[Found]) -> tuple[list[Found], list[str]]:
    """What is left when of every ECG that was given twice only the better one is kept, and a line for each left out.

    The one with more independent leads is better, then the one with more samples per second, then the one that names
    its patient. Whose it is and when it was recorded are taken from either.
    """
    kept: list[Found] = []
    notes = []
    for one in found:
        twin = next((k for k, other in enumerate(kept) if _likeness(one, other) > SAME_CORRELATION), None)
        if twin is None:
            kept.append(one)
            continue
        worse, better = sorted((one, kept[twin]), key=_worth)
        notes.append(
            f"{worse.file}: the same recording as {better.file} (correlation {_likeness(one, kept[twin]):.4f}); "
            f"{_named(better)} kept, {_named(worse)} left out"
        )
        kept[twin] = replace(
            better, identity=better.identity or worse.identity, effective=better.effective or worse.effective
        )
    return kept, notes


def _worth(one: Found) -> tuple[int, float, bool]:
    return independent(one.value.leads), one.value.hz, bool(one.identity)


def _named(one: Found) -> str:
    return f"{independent(one.value.leads)} independent leads at {one.value.hz:g} Hz"


def _likeness(one: Found, other: Found) -> float:
    """Correlation of two ECGs of one duration; 0 for anything else, or when their times differ."""
    times_differ = one.effective and other.effective and one.effective != other.effective
    if (one.kind, other.kind) != ("ecg", "ecg") or times_differ:
        return 0.0
    return correlation(one.value, other.value)


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
