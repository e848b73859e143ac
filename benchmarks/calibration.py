"""From an ECG back to the heart that made it: patients whose truth is drawn, real subjects, missing leads.

    python benchmarks/calibration.py [--json] [--only recordings,qrs_duration,patients] [--cases 20]

Groups: recordings (real ECGs read, delineated and drawn), qrs_duration and monodomain (what the ECG says of activation,
and both models' ECGs), patients, scar, small_scar, coverage, leads, updates (a second ECG), clinical (DTI004). A row
holds the mean, the median or the worst of its cases as it says; times are processor time of all threads and wall time.
Patients, coverage and leads compute a case a core, and with ``--keep FOLDER`` go on where they were stopped.
"""

from __future__ import annotations

import runpy
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from drawn_truth import DATA, data, skipped
from interval_coverage import coverage_rows, lost_lead_rows
from patients import patient_rows
from qrs_duration import monodomain_rows, qrs_duration_rows
from recordings import recording_rows
from scar_known import scar_rows, small_scar_rows
from table import Row, row, show_groups
from updates import update_rows

from cardiotwin.calibration.confirmation import confirm
from cardiotwin.calibration.front_velocity import front_to_tissue
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.heart.heart import Heart
from cardiotwin.settings import CalibrateSettings, SimulateSettings, TissueSettings

# --- A real subject --------------------------------------------------------------------------------------------------


def clinical_rows() -> Iterable[Row]:
    """DTI004's own heart, electrodes and averaged beat, as in the example."""
    name = "DTI004: QRS correlation"
    if data("heart_dti004") is None:
        return [skipped(name)]
    example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "calibrate_clinical_ecg.py"))
    start, start_processor = time.perf_counter(), time.process_time()
    posterior = example["fit"](DATA / "heart_dti004", CalibrateSettings(n_sites=6))
    wall, processor = time.perf_counter() - start, time.process_time() - start_processor
    heart, electrodes = example["heart"](DATA / "heart_dti004"), example["electrodes"](DATA / "heart_dti004")
    tissue = posterior_of_tissue(heart, posterior)
    confirmed = confirm(heart, tissue, electrodes, BEAT, TISSUE)
    lost = [one.eikonal - one.monodomain for one in confirmed.draws]
    beats = ", ".join(f"{one.name} {one.eikonal:.2f} to {one.monodomain:.2f}" for one in confirmed.draws)
    low, middle, high = posterior.interval(posterior.correlation)
    note = f"mean over leads; 90 % of members {low:.2f} to {high:.2f}, best {posterior.correlation.max():.2f}"
    minutes = f"processor {processor / 60:.1f} min"
    return [
        row(name, middle, "1", 0.90, middle >= 0.90, note),
        row("DTI004: wall time on two cores", wall / 60.0, "min", 10.0, wall <= 600.0, minutes),
        row("DTI004: correlation lost by the monodomain beat", lost[0], "1", 0.05, lost[0] <= 0.05, beats),
    ]


BEAT = SimulateSettings(dt_ms=0.1, site_radius_mm=5.0)
TISSUE = TissueSettings(cell_model="modified_mitchell_schaeffer", border_zone_profile="structural")
"""DTI004's mesh, 2.1 mm and no lattice, slows a detailed cell's wave by 39 %, these cells' by 3."""


def posterior_of_tissue(heart: Heart, posterior: Posterior) -> Posterior:
    """With velocities whose beat follows the fitted front."""
    ratio = front_to_tissue(heart, posterior, TISSUE, site_radius_mm=BEAT.site_radius_mm, dt_ms=BEAT.dt_ms)
    return ratio.tissue(posterior)


GROUPS: dict[str, Callable[[int], Iterable[Row]]] = {
    "recordings": lambda _: recording_rows(),
    "qrs_duration": lambda n: qrs_duration_rows(n or 25),
    "monodomain": lambda n: monodomain_rows(n or 3),
    "patients": lambda n: patient_rows(n or 20),
    "scar": lambda n: scar_rows(n or 4),
    "small_scar": lambda n: small_scar_rows(n or 20),
    "coverage": lambda n: coverage_rows(n or 200),
    "leads": lambda n: lost_lead_rows(n or 200),
    "updates": lambda n: update_rows(n or 10),
    "clinical": lambda _: clinical_rows(),
}


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    cases = "25 activations, 3 beats, 20 patients, 4, 20 with a scar, 10 updates; else 200"
    show_groups(__doc__, GROUPS, cases)


if __name__ == "__main__":
    main()
