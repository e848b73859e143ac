"""Which scar threshold the ECG prefers: a whole calibration for each, and the evidence of each.

Thresholds decide what is core, which no front enters, and what is border zone, which slows it. The evidence is the
probability of the QRS complex under all that a scar allows, velocities, sites and electrodes integrated out, as the
tempered sampler estimates it (`Run.log_evidence`); where thresholds were equally likely before, it is their weight. It
favours no scar for having more freedom. On eight small hearts whose core of a quarter of the muscle was known or
ignored it was for the truth in seven (`benchmarks/calibration.py --only small_scar`). Thresholds that differ by a few
grams differ by less than the estimate's own noise, and are told so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.calibration.fit import calibrate
from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.recording import Ecg
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import build_heart
from cardiotwin.progress import Progress, part, silent
from cardiotwin.segmentation import Segmentation, delineated, relabel
from cardiotwin.segmentation.methods import PercentOfMaximum
from cardiotwin.settings import CalibrateSettings, MeshSettings, TissueSettings

DECIDES = 3.0
"""Difference of log evidence, 20 to 1, below which nothing is decided: the noise, from two populations, is known badly.
"""


@dataclass(frozen=True, eq=False)
class ScarEvidence:
    """What one ECG says of thresholds.

    Attributes
    ----------
    thresholds : (n, 2) float64
        Border zone and core, shares of the brightest myocardial signal.
    core_g, border_zone_g : (n,) float64
    log_evidence : (n,) float64
        NaN where the calibration was refused.
    noise : (n,) float64
        How far two independent populations were apart in it.
    correlation : (n,) float64
        Of the QRS complex, mean over members.
    refused : tuple of str
        Why; "" for most.
    note : str
        Why nothing was weighed; "" where something was.
    """

    thresholds: np.ndarray
    core_g: np.ndarray
    border_zone_g: np.ndarray
    log_evidence: np.ndarray
    noise: np.ndarray
    correlation: np.ndarray
    refused: tuple[str, ...] = ()
    note: str = ""

    @property
    def probability(self) -> np.ndarray:
        """(n,) of each, equally likely before the ECG; 0 where refused."""
        if not np.isfinite(self.log_evidence).any():
            return np.zeros(len(self.log_evidence))
        over = np.nan_to_num(np.exp(self.log_evidence - np.nanmax(self.log_evidence)), nan=0.0)
        return np.asarray(over / over.sum())

    @property
    def decided(self) -> bool:
        """Whether the likeliest is ahead of the next by `DECIDES`, and by more than the noise of both."""
        known = np.flatnonzero(np.isfinite(self.log_evidence))
        order = known[np.argsort(-self.log_evidence[known])]
        if len(order) < 2:
            return False
        first, second = order[:2]
        ahead = self.log_evidence[first] - self.log_evidence[second]
        return bool(ahead > max(DECIDES, self.noise[first] + self.noise[second]))


def scar_evidence(
    segmentation: Segmentation,
    ecgs: Sequence[Ecg],
    electrodes: Electrodes,
    pairs: Sequence[tuple[float, float]],
    settings: CalibrateSettings | None = None,
    tissue: TissueSettings | None = None,
    mesh: MeshSettings | None = None,
    *,
    rv_wall_mm: float = 3.0,
    progress: Progress = silent,
) -> ScarEvidence:
    """Calibrate once with each pair of thresholds.

    Parameters
    ----------
    segmentation : Segmentation
        With its signal.
    ecgs : sequence of Ecg
    electrodes : Electrodes
        The same for all.
    pairs : sequence of (border zone, core)
        Shares of the brightest myocardial signal.
    settings, tissue, mesh : optional
        The mesh has the edges of `settings`.
    rv_wall_mm : float
    progress : Progress

    Notes
    -----
    Each pair costs a table of sites and a calibration: minutes. One that is refused has no evidence; others stay.
    """
    settings = settings or CalibrateSettings()
    coarse = (mesh or MeshSettings()).model_copy(update={"edge_mm": settings.edge_mm})
    if not len(pairs):
        return nothing("no pairs were asked about")
    if segmentation.signal is None:
        return nothing("no signal to threshold: scar was drawn, or the image is a cine")
    rows, refused = [], []
    for number, (border_zone, core) in enumerate(pairs):
        mine = part(progress, number / len(pairs), (number + 1) / len(pairs))
        scar = delineated(segmentation, PercentOfMaximum(border_zone, core))
        try:
            heart = build_heart(
                relabel(segmentation, border_zone, core), coarse, rv_wall_mm=rv_wall_mm, progress=silent
            )
            posterior = calibrate(heart, ecgs, electrodes, settings, tissue, progress=mine)
        except QualityGate as error:
            rows.append((scar.core_g, scar.border_zone_g, np.nan, np.nan, np.nan))
            refused.append(str(error))
            continue
        evidence, apart = (float(posterior.notes[f"log evidence{one}"]) for one in ("", ", populations apart"))
        fit = float(posterior.weights @ posterior.correlation)
        rows.append((scar.core_g, scar.border_zone_g, evidence, apart, fit))
        refused.append("")
    core_g, border_zone_g, evidence_of, noise, fits = np.array(rows).T
    return ScarEvidence(np.array(pairs, float), core_g, border_zone_g, evidence_of, noise, fits, tuple(refused))


def nothing(note: str) -> ScarEvidence:
    """No pair, and why."""
    none = np.zeros(0)
    return ScarEvidence(np.zeros((0, 2)), none, none, none, none, none, (), note)
