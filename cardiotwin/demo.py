"""The whole path on a patient whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardiotwin import compiled, presets
from cardiotwin.errors import SettingsError
from cardiotwin.progress import PLAN, Progress, announced, named, part, silent
from cardiotwin.storage import durable
from cardiotwin.twin.twin import Twin

if TYPE_CHECKING:
    from cardiotwin.comparison.results import Comparison

TITLE = (
    "The demo: a small heart on a coarse mesh, few sites and draws, done in minutes. `cardiotwin new --preset full`\n"
)
TITLE += "writes the settings of a real case."


@dataclass(frozen=True)
class Demo:
    """What the demo found, and how far from the truth it is.

    Attributes
    ----------
    comparison : Comparison
    answer : dict
        What stands at the top of the report.
    truth : dict
        As in `exports/truth.json`.
    report : Path
    """

    comparison: Comparison
    answer: dict[str, Any]
    truth: dict[str, Any]
    report: Path


def run_demo(out: Path | str, seed: int = 1, progress: Progress = silent) -> Demo:
    """Make the phantom patient and walk the whole path; a demo that was stopped goes on where it was.

    Parameters
    ----------
    out : Path
        Becomes the twin; the patient's files and the truth lie in `out/phantom`.
    seed : int
        Another seed is another patient.

    Raises
    ------
    SettingsError
        There is something else at `out`, or a demo with another seed.
    """
    from cardiotwin.exports.paraview import write_study
    from cardiotwin.report import answer

    out = Path(out)
    if (out / "twin.db").exists():
        twin = Twin(out)
        if twin.ledger.observations() and not (out / "phantom" / "truth.json").exists():
            raise SettingsError(f"{out}: holds a twin that is no demo; name another folder")
        PLAN.info("%s: going on with the demo that is there; what is finished is not computed again", out)
    else:
        twin = Twin.create(out, presets.settings_text(presets.preset("demo"), TITLE))
    phantom = _phantom(out / "phantom", seed, part(progress, 0.0, 0.1))
    twin.add([phantom / "lge", phantom / "ecg.dcm", phantom / "electrodes.csv"])
    twin.run(progress=part(progress, 0.1, 0.98))
    study = twin.study()
    with announced("ParaView files"):
        write_study(out / "exports" / "paraview", study, part(progress, 0.98, 1.0))
    truth = judge(twin, phantom)
    durable.write_file(out / "exports" / "truth.json", durable.readable(truth))
    progress(1.0, "done")
    return Demo(twin.result("compare"), answer(study), truth, twin.report)


def judge(twin: Twin, truth_folder: Path) -> dict[str, Any]:
    """Every stage of a twin against what is known of its patient."""
    from cardiotwin.phantom.truth import compare_with_truth

    study = twin.study()
    confirmation, posterior = study.confirmation, study.posterior
    if posterior is not None and study.velocities is not None:  # what is known of the patient is of the tissue
        posterior = study.velocities.tissue(posterior, study.settings.tissue.cell_model)
    return compare_with_truth(
        truth_folder,
        segmentation=study.segmentation,
        heart=study.heart,
        posterior=posterior,
        confirmed=confirmation.activation if confirmation else None,
        confirmed_ecg=confirmation.ecg if confirmation else None,
        arrhythmias=study.arrhythmias,
    )


def _phantom(folder: Path, seed: int, progress: Progress) -> Path:
    import json

    from cardiotwin.phantom import make_phantom

    truth = folder / "truth.json"
    if not truth.exists():
        compiled.say_when_compiling()
        with announced("phantom patient"):
            return make_phantom(folder, seed, named("phantom patient", progress))
    found = json.loads(truth.read_bytes())["seed"]
    if found != seed:
        raise SettingsError(
            f"{folder.parent}: holds the demo with --seed {found}; name another folder for --seed {seed}"
        )
    return folder
