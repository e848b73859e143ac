"""What is not there: sentences derived from the study itself."""

from __future__ import annotations

from cardiotwin.study import Study


def what_is_missing(study: Study) -> list[str]:
    """What was not computed and what to add, one sentence each; the twin's own words first."""
    found = list(study.provenance.missing)
    if found:
        return found
    if study.segmentation is None:
        found.append("No segmentation is attached: the substrate cannot be shown in the image.")
    if not study.ecgs and study.posterior is None:
        found.append("No ECG: add a 12-lead ECG to calibrate conduction.")
    elif study.posterior is None:
        found.append("The ECG has not been fitted: run `calibrate`.")
    if study.confirmation is None:
        found.append("No confirming simulation: run `simulate`.")
    if study.arrhythmias is None:
        found.append("No programmed stimulation: run `induce`.")
    if study.comparison is None:
        found.append("No plans were compared: run `compare`.")
    return found
