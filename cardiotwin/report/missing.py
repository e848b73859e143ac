"""What is not there: sentences derived from the study itself."""

from __future__ import annotations

from cardiotwin.study import Study


def what_is_missing(study: Study) -> list[str]:
    """What was not computed and what to add, one sentence each; the twin's own words first."""
    found = list(study.provenance.missing)
    if found:
        return _each_reason_once(found)
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


def _each_reason_once(sentences: list[str]) -> list[str]:
    """`A needs X` and `B needs X` as `A, B need X`; other sentences as they are."""
    waiting: dict[str, list[str]] = {}
    for one in sentences:
        step, _, reason = one.partition(" needs ")
        waiting.setdefault(reason or one, []).append(step)
    return [
        f"{', '.join(steps)} need{'s' * (len(steps) == 1)} {reason}" if steps != [reason] else reason
        for reason, steps in waiting.items()
    ]
