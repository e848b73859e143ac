"""From an ECG back to the heart that made it: patients whose truth is drawn, real subjects, missing leads.

    python benchmarks/calibration.py [--json] [--only recordings,qrs_duration,patients] [--cases 20]

Groups: recordings (real ECGs read, delineated and drawn), qrs_duration and monodomain (what the ECG says of activation,
and both models' ECGs), patients, scar, small_scar, coverage, leads, clinical (DTI004). A row holds the mean, the
median or the worst of its cases as it says; times are processor time of all threads and wall time.
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
from table import Row, options, row, show

from cardiotwin.settings import CalibrateSettings

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
    low, middle, high = posterior.interval(posterior.correlation)
    note = f"mean over leads; 90 % of members {low:.2f} to {high:.2f}, best {posterior.correlation.max():.2f}"
    minutes = f"processor {processor / 60:.1f} min"
    return [
        row(name, middle, "1", 0.90, middle >= 0.90, note),
        row("DTI004: wall time on two cores", wall / 60.0, "min", 10.0, wall <= 600.0, minutes),
    ]


GROUPS: dict[str, Callable[[int], Iterable[Row]]] = {
    "recordings": lambda _: recording_rows(),
    "qrs_duration": lambda n: qrs_duration_rows(n or 25),
    "monodomain": lambda n: monodomain_rows(n or 3),
    "patients": lambda n: patient_rows(n or 20),
    "scar": lambda n: scar_rows(n or 4),
    "small_scar": lambda n: small_scar_rows(n or 20),
    "coverage": lambda n: coverage_rows(n or 200),
    "leads": lambda n: lost_lead_rows(n or 200),
    "clinical": lambda _: clinical_rows(),
}


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    parser = options(__doc__)
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, comma between them")
    parser.add_argument(
        "--cases",
        type=int,
        default=0,
        help="in each group; without it 25 activations, 3 beats, 20 patients, 4 and 20 with a scar, 200 in the others",
    )
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    if unknown := set(chosen) - set(GROUPS):
        parser.error(f"--only: no group {', '.join(sorted(unknown))}; expected {', '.join(GROUPS)}")
    show((GROUPS[name](arguments.cases) for name in chosen), as_json=arguments.json)


if __name__ == "__main__":
    main()
