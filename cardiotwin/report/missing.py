"""What a reader must not believe too firmly, and what is not there: sentences derived from the study itself."""

from __future__ import annotations

import numpy as np

from cardiotwin.calibration import Posterior
from cardiotwin.study import Confirmation, Study

FEW_DRAWS = 20
LARGE_TUNING_ERROR = 0.05
POOR_CORRELATION = 0.9
LONGEST_DELAY_MS = 20.0
TESTED = ("re-entry", "not inducible")


def what_is_uncertain(study: Study) -> list[str]:
    """One sentence for everything that limits what the numbers mean, the heaviest first."""
    found = []
    if not study.heart.scar_assessable:
        found.append(
            "Scar cannot be assessed from this imaging (not late enhancement): a heart without scar was assumed."
        )
    found += _of_arrhythmias(study)
    found += _of_posterior(study)
    if study.electrodes is not None and not study.electrodes.measured:
        found.append("Electrode positions were placed by a rule from the heart, not measured.")
    found.append("Fibre directions come from a rule, not from this patient's imaging.")
    found += _of_confirmation(study.confirmation)
    if study.posterior is not None or study.confirmation is not None:
        found.append("Only the QRS complex was fitted: repolarisation is the cell model's, not this patient's.")
    return found


def _of_arrhythmias(study: Study) -> list[str]:
    arrhythmias = study.arrhythmias
    if arrhythmias is None:
        return []
    found = []
    draws, sites = len(arrhythmias.members), len(arrhythmias.site_nodes)
    distinct = len(np.unique(arrhythmias.members))
    if draws < FEW_DRAWS:
        found.append(
            f"{draws} draw{'s' * (draws != 1)} of the ensemble ({distinct} distinct) and {sites} "
            f"pacing site{'s' * (sites != 1)} were tested: shares rest on few combinations, as their intervals show."
        )
    profiles = sorted({one.profile for one in arrhythmias.inductions})
    if len(profiles) == 1:
        profile = profiles[0].replace("_", " ")
        found.append(f"Only one border-zone profile ({profile}) was tested; the other may give other circuits.")
    untested: dict[str, int] = {}
    for one in arrhythmias.inductions:
        if one.outcome not in TESTED:
            untested[one.outcome] = untested.get(one.outcome, 0) + 1
    for reason, count in untested.items():
        found.append(f"{count} of {len(arrhythmias.inductions)} combinations could not be tested: {reason}.")
    return found


def _of_posterior(study: Study) -> list[str]:
    posterior = study.posterior
    if posterior is None:
        return []
    effective = independent_members(posterior)
    found = [
        "The ECG does not determine activation: every member of the ensemble explains it, and none is the true one."
    ]
    if effective < 0.25 * len(posterior.weights):
        found.append(f"Few members carry the ensemble: {effective:.0f} independent of {len(posterior.weights)}.")
    typical = posterior.interval(posterior.correlation)[1]
    if typical < POOR_CORRELATION:
        found.append(
            f"The ECG is not explained well: median correlation {typical:.2f}, expected {POOR_CORRELATION:.2f} or more."
        )
    if len(posterior.leads) < 8:
        found.append(f"{len(posterior.leads)} leads were usable ({', '.join(posterior.leads)}), expected 8.")
    return found


def _of_confirmation(confirmation: Confirmation | None) -> list[str]:
    if confirmation is None:
        return []
    found = []
    large = {name: error for name, error in confirmation.tuning_error.items() if abs(error) > LARGE_TUNING_ERROR}
    if large:
        listed = ", ".join(f"{name} {100 * error:+.0f} %" for name, error in large.items())
        found.append(f"Conduction velocity on this mesh misses what was asked for: {listed}.")
    silent = np.flatnonzero(confirmation.site_delay_ms > LONGEST_DELAY_MS) + 1
    if silent.size:
        found.append(
            f"In the confirming run activation site {', '.join(map(str, silent))} of {confirmation.site_delay_ms.size} "
            "started no wave: its ECG is not that of the fitted member. Raise `simulate.site_radius_mm`."
        )
    return found


def independent_members(posterior: Posterior) -> float:
    """At most so many: what the weights leave, and no more than the calibration found distinct."""
    distinct = posterior.notes.get("distinct members", np.inf)
    return min(1.0 / float((posterior.weights**2).sum()), float(distinct))


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
