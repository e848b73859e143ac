"""The twelve-lead ECG of a circuit, and how an electrophysiologist would describe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.ecg.recording import LEADS, Ecg
from cardiotwin.eikonal import conducting_tets
from cardiotwin.heart.heart import BORDER_ZONE, Heart
from cardiotwin.induction.reentry import Circuit
from cardiotwin.tissue.tissue import Velocities

ACTION_POTENTIAL = 0.7
"""Of the cycle: at ventricular tachycardia's cycle lengths a cell rests for about a third of the time."""
SIGMA_PER_VELOCITY = 0.32
"""mS/mm for (mm/ms)², of the level only: 0.1334 at 0.65 m/s (Niederer et al. 2011, doi 10.1098/rsta.2011.0139)."""
QRS_SHARE = 0.9
"""Of the tissue activated in a cycle: from the exit of the isthmus until so much is, the complex lasts."""
PRECORDIAL = ("V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True, eq=False)
class Tachycardia:
    """What a circuit looks like from the skin.

    Attributes
    ----------
    cycle : Ecg
        One cycle, 1000 Hz, from the exit of the isthmus; it repeats without a seam.
    qrs_ms : float
        From the exit until 90 % of what is activated in the cycle has been.
    axis_deg : float
        Of the net QRS area in the frontal plane: 0 to the left, 90 down, -90 up.
    pattern : str
        ``"right bundle branch"`` where V1 is mainly positive, else ``"left bundle branch"``: from which side it comes.
    transition : str
        First of V1 to V6 that is mainly positive; "" where none is.
    """

    cycle: Ecg
    qrs_ms: float
    axis_deg: float
    pattern: str
    transition: str

    def running(self, seconds: float = 2.5) -> Ecg:
        """The cycle again and again."""
        length = round(seconds * self.cycle.hz)
        times = -(-length // self.cycle.mv.shape[1])
        return Ecg(self.cycle.leads, np.tile(self.cycle.mv, times)[:, :length], self.cycle.hz)

    def __str__(self) -> str:
        transition = f"transition {self.transition}" if self.transition else "no positive chest lead"
        return f"{self.pattern} pattern, axis {self.axis_deg:.0f}°, {transition}, QRS {self.qrs_ms:.0f} ms"


def tachycardia_ecgs(
    heart: Heart,
    circuits: Sequence[Circuit],
    electrodes: Electrodes,
    velocities: Velocities,
    border_zone_fraction: float,
) -> tuple[Tachycardia, ...]:
    """What electrodes see of circuits that turn for ever.

    Every node goes through one action potential a cycle, at its time within it, as in `eikonal_ecg`; what outlasts the
    cycle is added to the next. Repolarisation is one duration for all cells, so it is the QRS complex that tells.

    Parameters
    ----------
    heart : Heart
        That the circuits were found on.
    circuits : sequence of Circuit
    electrodes : Electrodes
    velocities : Velocities
        Conductivity goes with their square; border zone has `border_zone_fraction` of them.

    Raises
    ------
    InputRejected
        An electrode inside the wall.
    """
    share = np.where(heart.tissue_class == BORDER_ZONE, border_zone_fraction, 1.0)
    speed = np.outer(share, (velocities.fibre, velocities.cross, velocities.cross))
    weights = electrode_weights(heart, electrodes, SIGMA_PER_VELOCITY * speed**2, conducting_tets(heart))
    volumes = np.bincount(heart.mesh.tets.ravel(), np.repeat(heart.mesh.volumes / 4.0, 4), len(heart.mesh.points))
    return tuple(_seen(one, electrodes.names, weights, volumes) for one in circuits)


def _seen(circuit: Circuit, names: Sequence[str], weights: np.ndarray, volumes: np.ndarray) -> Tachycardia:
    cycle_ms = circuit.cycle_length_ms
    phase = np.where(np.isfinite(circuit.phase_ms), circuit.phase_ms, np.inf).astype(float)
    samples = round(cycle_ms)
    onset = phase + samples  # an upstroke begins before its activation time: the first belongs to the cycle before
    once = eikonal_ecg(
        names,
        weights,
        onset,
        duration_ms=5.0 * cycle_ms,
        repolarisation_ms=onset + ACTION_POTENTIAL * cycle_ms,
    )
    wrapped = np.sum([once.mv[:, k * samples : (k + 1) * samples] for k in range(4)], axis=0)
    cycle = Ecg(once.leads, wrapped - wrapped.mean(axis=1, keepdims=True), once.hz)
    until_ms = _weighted_quantile(phase, volumes, QRS_SHARE)
    risen = eikonal_ecg(names, weights, phase, duration_ms=until_ms).mv
    return _described(cycle, until_ms, dict(zip(LEADS, risen.sum(axis=1), strict=True)))


def _described(cycle: Ecg, qrs_ms: float, area: dict[str, float]) -> Tachycardia:
    axis = frontal_axis(area["I"], area["aVF"])
    pattern = "right bundle branch" if area["V1"] > 0 else "left bundle branch"
    return Tachycardia(cycle, qrs_ms, axis, pattern, next((lead for lead in PRECORDIAL if area[lead] > 0), ""))


def frontal_axis(lead_i: float, lead_avf: float) -> float:
    """Degrees, 0 to the left and 90 down, of net areas (or amplitudes) in leads I and aVF of one unit."""
    # aVF is half of II and III, and reaches less far than I: 2/sqrt(3) makes a circle of both.
    return float(np.degrees(np.arctan2(2.0 / np.sqrt(3.0) * lead_avf, lead_i)))


def _weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    known = np.isfinite(values)
    order = np.argsort(values[known])
    total = np.cumsum(weights[known][order])
    return float(values[known][order][np.searchsorted(total, share * total[-1])])
