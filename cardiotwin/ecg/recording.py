"""The 12-lead ECG: leads over time, and how they follow from electrodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import InputRejected

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
INDEPENDENT_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True, eq=False)
class Ecg:
    """Leads over time.

    Attributes
    ----------
    leads : tuple of str
        Names, in the order of `mv`.
    mv : (n_leads, n_samples) float64
        Millivolts.
    hz : float
        Samples per second.
    notes : tuple of str
        What the reader left out and why, a line each.
    """

    leads: tuple[str, ...]
    mv: np.ndarray
    hz: float
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        seconds = self.mv.shape[1] / self.hz
        notes = f"; {len(self.notes)} notes" if self.notes else ""
        return f"Ecg({len(self.leads)} leads: {' '.join(self.leads)}; {seconds:.1f} s at {self.hz:g} Hz{notes})"


def lead_matrix(names: Sequence[str], leads: Sequence[str] = LEADS) -> np.ndarray:
    """(n_leads, n_electrodes): leads from electrode potentials, after Einthoven, Goldberger and Wilson.

    Parameters
    ----------
    names : sequence of str
        Electrodes, of `ELECTRODES`, in the order of the columns. LA, RA and LL are needed, RL is not.
    leads : sequence of str
        Of `LEADS`.

    Raises
    ------
    InputRejected
        An electrode that a lead needs is not there.
    """
    column = dict(zip(names, np.eye(len(names)), strict=True))
    needed = {"LA", "RA", "LL"} | {lead for lead in leads if lead.startswith("V")}
    if missing := sorted(needed - set(column)):
        raise InputRejected(f"electrodes: {', '.join(missing)} missing, found {', '.join(names)}")
    left, right, foot = column["LA"], column["RA"], column["LL"]
    terminal = (left + right + foot) / 3.0
    limb = {
        "I": left - right,
        "II": foot - right,
        "III": foot - left,
        "aVR": right - (left + foot) / 2.0,
        "aVL": left - (right + foot) / 2.0,
        "aVF": foot - (left + right) / 2.0,
    }
    return np.array([limb[lead] if lead in limb else column[lead] - terminal for lead in leads])


def leads_from_electrodes(names: Sequence[str], potentials: np.ndarray, hz: float) -> Ecg:
    """The twelve leads.

    Parameters
    ----------
    names : sequence of str
        Electrodes, of `ELECTRODES`.
    potentials : (n_electrodes, n_samples) float
        mV.
    hz : float
        Samples per second.
    """
    return Ecg(LEADS, lead_matrix(names) @ np.asarray(potentials, np.float64), hz)
