"""Which conduction velocities and activation sites explain a real subject's QRS complex?

Heart, electrodes and ECG of subject DTI004 (Camps et al. 2025, doi 10.1016/j.media.2024.103361), health status not
published. Takes some minutes on two cores:

    python examples/calibrate_clinical_ecg.py shared/data/heart_dti004 fit.png
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from cardiotwin import progress
from cardiotwin.calibration import Posterior, calibrate
from cardiotwin.ecg import INDEPENDENT_LEADS, Ecg
from cardiotwin.electrodes import ELECTRODES, Electrodes
from cardiotwin.heart import Heart, heart_from_mesh
from cardiotwin.settings import CalibrateSettings, TissueSettings

matplotlib.use("Agg")

UV_PER_MV, MM_PER_CM = 1000.0, 10.0
SETTINGS = CalibrateSettings(n_particles=64, n_candidates=64, n_sites=6)


table = partial(np.loadtxt, delimiter=",")


def heart(folder: Path) -> Heart:
    """The published nodes, fibres and endocardial lists, on rebuilt tetrahedra."""
    import pyvista

    grid = pyvista.read(folder / "DTI004_coarse_reconstructed.vtu")
    part = folder / "geometric_data" / "DTI004" / "DTI004_coarse"
    fields = {name: table(part / f"DTI004_coarse_nodefield_{name}.csv") for name in ("fibre", "sheet", "ab")}
    lists = {side: table(part / f"DTI004_coarse_boundarynodefield_{side}endo.csv").astype(int) for side in ("lv", "rv")}
    return heart_from_mesh(
        np.asarray(grid.points, np.float64),
        grid.cells_dict[10],
        left_endocardium=lists["lv"],
        right_endocardium=lists["rv"],
        base=np.flatnonzero(fields["ab"] > 0.999),
        fibres=fields["fibre"],
        sheets=fields["sheet"],
    )


def electrodes(folder: Path) -> Electrodes:
    """As measured."""
    positions = table(folder / "geometric_data" / "DTI004" / "DTI004_electrode_xyz.csv") * MM_PER_CM
    return Electrodes(ELECTRODES, positions, measured=True)


def fit(folder: Path, settings: CalibrateSettings, report: progress.Progress = progress.silent) -> Posterior:
    """Calibrate to the averaged clinical beat, 1000 Hz, microvolts in the file."""
    ecg = Ecg(INDEPENDENT_LEADS, table(folder / "clinical_data" / "DTI004_clinical_full_ecg.csv") / UV_PER_MV, 1000.0)
    return calibrate(heart(folder), [ecg], electrodes(folder), settings, TissueSettings(), progress=report)


def draw(posterior: Posterior, path: Path) -> None:
    """Measured complex over the ensemble, one panel a lead."""
    figure, axes = plt.subplots(2, 4, figsize=(12, 5.5), sharex=True, layout="constrained")
    for k, (lead, axis) in enumerate(zip(posterior.leads, axes.flat, strict=False)):
        low, middle, high = np.quantile(posterior.fitted[:, k], (0.05, 0.5, 0.95), axis=0)
        axis.fill_between(posterior.qrs_ms, low, high, color="tab:blue", alpha=0.3, label="fitted, 90 % of members")
        axis.plot(posterior.qrs_ms, middle, color="tab:blue", label="fitted, median")
        axis.plot(posterior.qrs_ms, posterior.measured[k], color="black", linewidth=1.5, label="measured")
        axis.set_title(lead)
        axis.grid(alpha=0.3)
    figure.supxlabel("time from QRS onset (ms)")
    figure.supylabel("amplitude / group mean (1)")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=120)


def main(folder: str, picture: str, settings: CalibrateSettings = SETTINGS) -> float:
    """Print what was found, draw the fit; returns the mean correlation over leads and members."""

    def tell(fraction: float, what: str) -> None:
        print(f"{fraction:4.0%}  {what}", flush=True)

    posterior = fit(Path(folder), settings, tell)
    draw(posterior, Path(picture))
    for name in ("velocity_fibre", "velocity_cross", "velocity_endocardium"):
        low, middle, high = posterior.interval(getattr(posterior, name))
        print(f"{name:22s} {middle:.2f} m/s, 90 % interval {low:.2f} to {high:.2f}")
    correlation = float(posterior.weights @ posterior.correlation)
    print(f"mean correlation {correlation:.3f}; notes: {posterior.notes}")
    return correlation


if __name__ == "__main__":
    main(*sys.argv[1:3])
