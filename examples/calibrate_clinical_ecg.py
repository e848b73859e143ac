"""Which velocities, activation sites and action-potential durations explain a real subject's ECG?

Heart, electrodes and ECG of subject DTI004 (Camps et al. 2025, doi 10.1016/j.media.2024.103361), health status not
published. Takes some minutes on two cores:

    python examples/calibrate_clinical_ecg.py shared/data/heart_dti004 fit.png

The picture shows the measured beat over the ensemble's, QRS complex and T wave.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pyvista

import cardiotwin as ct
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.repolarisation import Repolarisation
from cardiotwin.ecg.electrodes import ELECTRODES, Electrodes
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, Ecg
from cardiotwin.heart.heart import Heart, heart_from_mesh
from cardiotwin.progress import Progress, silent
from cardiotwin.settings import CalibrateSettings, TissueSettings

matplotlib.use("Agg")

UV_PER_MV, MM_PER_CM = 1000.0, 10.0
SETTINGS, TISSUE = CalibrateSettings(n_particles=64, n_candidates=64, n_sites=6), TissueSettings()


def table(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",")


def heart(folder: Path) -> Heart:
    """The published nodes, fibres and endocardial lists, on rebuilt tetrahedra."""
    grid = pyvista.read(folder / "DTI004_coarse_reconstructed.vtu")
    part = folder / "geometric_data" / "DTI004" / "DTI004_coarse"
    fields = {name: table(part / f"DTI004_coarse_nodefield_{name}.csv") for name in ("fibre", "sheet", "ab")}
    lists = {side: table(part / f"DTI004_coarse_boundarynodefield_{side}endo.csv").astype(int) for side in ("lv", "rv")}
    return heart_from_mesh(
        np.asarray(grid.points, np.float64), grid.cells_dict[10], left_endocardium=lists["lv"],
        right_endocardium=lists["rv"], base=np.flatnonzero(fields["ab"] > 0.999), fibres=fields["fibre"],
        sheets=fields["sheet"],
    )  # fmt: skip


def electrodes(folder: Path) -> Electrodes:
    """As measured."""
    positions = table(folder / "geometric_data" / "DTI004" / "DTI004_electrode_xyz.csv") * MM_PER_CM
    return Electrodes(ELECTRODES, positions, measured=True)


def beat(folder: Path) -> Ecg:
    """The averaged clinical beat, 1000 Hz, microvolts in the file."""
    return Ecg(INDEPENDENT_LEADS, table(folder / "clinical_data" / "DTI004_clinical_full_ecg.csv") / UV_PER_MV, 1000.0)


def fit(folder: Path, settings: CalibrateSettings, report: Progress = silent) -> Posterior:
    """The ensemble that explains its QRS complex."""
    return ct.calibrate(heart(folder), [beat(folder)], electrodes(folder), settings, TISSUE, progress=report)


def draw(posterior: Posterior, recovery: Repolarisation, path: Path) -> None:
    """Measured beat over the ensemble, one panel a lead."""
    figure, axes = plt.subplots(2, 4, figsize=(12, 5.5), sharex=True, layout="constrained")
    parts = ((posterior.qrs_ms, posterior, "tab:blue", "QRS"), (recovery.t_ms, recovery, "tab:orange", "T wave"))
    for k, (lead, axis) in enumerate(zip(posterior.leads, axes.flat, strict=False)):
        for ms, part, color, name in parts:
            low, middle, high = np.quantile(part.fitted[:, k], (0.05, 0.5, 0.95), axis=0)
            axis.fill_between(ms, low, high, color=color, alpha=0.3, label=f"{name} fitted, 90 % of members")
            axis.plot(ms, middle, color=color)
            axis.plot(ms, part.measured[k], color="black", linewidth=1.2)
        axis.set_title(lead)
        axis.grid(alpha=0.3)
    figure.supxlabel("time from QRS onset (ms)")
    figure.supylabel("measured in black; amplitude / mean of its leads (1)")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    figure.savefig(path, dpi=100)


def main(folder: str, picture: str, settings: CalibrateSettings = SETTINGS) -> float:
    """Print what was found, draw the fit; returns the mean correlation over leads and members."""
    where = Path(folder)
    posterior = fit(where, settings, lambda fraction, what: print(f"{fraction:4.0%}  {what}", flush=True))
    recovery = ct.ensemble_beat(heart(where), posterior, beat(where), electrodes(where), TISSUE).repolarisation
    assert recovery is not None, "this beat has a T wave"
    draw(posterior, recovery, Path(picture))
    print(posterior, recovery, posterior.notes, sep="\n")
    return float(posterior.weights @ posterior.correlation)


if __name__ == "__main__":
    main(*sys.argv[1:3])
