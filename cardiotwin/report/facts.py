"""Every number and sentence of the report, once: the page shows them, study.json holds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from cardiotwin.ablation.plan_checks import check_plan
from cardiotwin.calibration.agreement import aligned
from cardiotwin.calibration.beat_of_ensemble import EnsembleBeat
from cardiotwin.calibration.confirmation import Confirmation
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.repolarisation import GRADIENTS
from cardiotwin.calibration.scar_evidence import ScarEvidence
from cardiotwin.comparison.plan_results import (
    REFERENCE,
    against_reference,
    in_order,
    of_the_first,
    plans_in_order,
    sentence,
    verdict,
)
from cardiotwin.comparison.results import Comparison
from cardiotwin.eikonal import conducting_tets
from cardiotwin.heart.heart import Heart
from cardiotwin.heart.locations import wall
from cardiotwin.induction.arrhythmias import Arrhythmias, Induction
from cardiotwin.induction.circuit_results import from_each_site
from cardiotwin.induction.clinical_tachycardia import GOOD_MATCH
from cardiotwin.induction.followed_circuits import followed
from cardiotwin.induction.isthmus import isthmus_of
from cardiotwin.induction.phase import circuit_kind
from cardiotwin.induction.screen_agreement import screen_agreement
from cardiotwin.induction.tachycardia_ecg import Tachycardia
from cardiotwin.meshes.quality import quality
from cardiotwin.pictures.content import first_activation_ms
from cardiotwin.provenance import Provenance
from cardiotwin.report.activation_sites import activation_sites, beginning
from cardiotwin.report.agreement import Span, activation_span, fitted_correlation
from cardiotwin.report.glossary import CALIBRATION, explained
from cardiotwin.report.inducibility import inducibility
from cardiotwin.report.missing import what_is_missing
from cardiotwin.report.substrate import substrate
from cardiotwin.report.tachycardias import scored, tachycardias
from cardiotwin.report.uncertain import caveats, independent_members, told_of_inputs, what_is_uncertain
from cardiotwin.settings import InduceSettings
from cardiotwin.study import Study
from cardiotwin.units import cubic_mm_to_ml

NOTICE = "Research use only. Not a medical device. Not for diagnosis or to guide treatment."

PHANTOM = "PHANTOM PATIENT: made by the computer. No person has this heart."

CELL_MODELS = {
    "ten_tusscher_2006": "ten Tusscher-Panfilov 2006",
    "tor_ord_2019": "ToR-ORd 2019",
    "mitchell_schaeffer": "Mitchell-Schaeffer",
    "modified_mitchell_schaeffer": "modified Mitchell-Schaeffer",
}


def report_facts(study: Study) -> dict[str, Any]:
    """A study in numbers and sentences, ready for strict JSON: no NaN, no array, None for what is not known."""
    facts = {
        "notice": NOTICE,
        "phantom": PHANTOM if study.provenance.phantom else None,
        "twin": study.provenance.twin,
        "version": study.provenance.version,
        "outdated": study.provenance.outdated or None,
        "cardiotwin": study.provenance.cardiotwin,
        "answer": answer(study),
        "plans": _plans(study),
        "untested": study.comparison.of_untested if study.comparison else "",
        "twin_by_twin": _twin_by_twin(study.comparison) if study.comparison else None,
        "burns": _burns(study),
        "plans_left_out": list(study.proposals.left_out) if study.proposals else [],
        "circuits": _of_circuits(study) if study.arrhythmias else [],
        "followed": [
            asdict(one) | {"number": one.circuit + 1}
            for one in (followed(study.arrhythmias) if study.arrhythmias else ())
        ],
        "clinical_tachycardia": _clinical(study),
        "induction": _induction(study.heart, study.arrhythmias, study.settings.induce) if study.arrhythmias else None,
        "inducibility_by_segment": inducibility(study.heart, study.arrhythmias) if study.arrhythmias else None,
        "screen": _screen(study),
        "substrate": substrate(study),
        "mesh": asdict(quality(study.heart.mesh)) | {"lattice_mm": study.heart.edge_mm},
        "tissue_velocities": _tissue_velocities(study),
        "confirmation": _confirmation(study),
        "posterior": _posterior(study.heart, study.posterior) if study.posterior else None,
        "recovery": _recovery(study.ensemble_beat) if study.ensemble_beat else None,
        "scar_evidence": _scar_evidence(study.scar_evidence) if study.scar_evidence else None,
        "uncertain": what_is_uncertain(study),
        "told": told_of_inputs(study),
        "missing": what_is_missing(study),
        "provenance": asdict(study.provenance),
        "settings": _settings(study.provenance),
    }
    strict: dict[str, Any] = strict_json(facts)
    return strict


def strict_json(value: Any) -> Any:
    """The same value with Python's own numbers, None for what is not finite, and text for keys."""
    if isinstance(value, dict):
        return {str(key): strict_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [strict_json(one) for one in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def answer(study: Study) -> dict[str, Any]:
    """The first thing a reader wants to know, in a headline and a sentence, and what it rests on."""
    headline, sentence = _headline(study)
    beside = [caveat.beside_the_answer for caveat in caveats(study) if caveat.beside_the_answer]
    return {"headline": headline, "sentence": sentence, "caveats": beside}


def _headline(study: Study) -> tuple[str, str]:
    if study.comparison is not None:
        return verdict(study.comparison)
    if earlier := study.provenance.ranked_in:
        shown = f"cardiotwin report {study.provenance.twin} --version {earlier}"
        return (
            f"The ranking of plans is out of date: version {earlier} has the last one",
            f'What it was computed from has changed since. "{shown}" shows it, "cardiotwin run" computes it anew.',
        )
    if study.arrhythmias is not None:
        count, tested = len(study.arrhythmias.circuits), len(study.arrhythmias.inductions)
        found = f"{count} circuit{'s' * (count != 1)}" if count else "no circuit"
        return "No plans have been compared", f"Pacing induced {found} in {tested} combinations of site and twin."
    return (
        "No arrhythmia has been looked for",
        "This report describes the heart only; what has to be added is listed under Uncertain and missing.",
    )


def _plans(study: Study) -> list[dict[str, Any]]:
    """Results in the order in which they are shown, each with where the plan comes from."""
    if study.comparison is None:
        return []
    notes = {plan.name: plan.note for plan in study.plans}
    return [
        asdict(one)
        | {
            "note": notes.get(one.name, ""),
            "is_reference": one.name == REFERENCE,
            "against_reference": against_reference(one, study.comparison.draws),
        }
        for one in in_order(study.comparison.plans)
    ]


def _twin_by_twin(comparison: Comparison) -> dict[str, Any]:
    return {
        "pairs": [asdict(one) for one in comparison.pairs],
        "of_the_first": [f"{one}." for one in of_the_first(comparison)],
        "decides": sentence(comparison.decides),
        "draws": comparison.draws,
    }


def _burns(study: Study) -> list[dict[str, Any]]:
    """What each plan burns, in the order in which plans are shown, compared or not."""
    checks = {one.name: one.check for one in study.comparison.plans} if study.comparison is not None else {}
    return [
        asdict(checks.get(plan.name) or check_plan(study.heart, plan)) | {"control": plan.control}
        for plan in plans_in_order(study.plans, study.comparison)
        if plan.lesions
    ]


def _of_circuits(study: Study) -> list[dict[str, Any]]:
    """Each with the size of its isthmus and, of those that are drawn, what it looks like from the skin."""
    assert study.arrhythmias is not None
    rows = _circuits(study.heart, study.arrhythmias)
    found = tachycardias(study)
    for number, (row, (circuit, heart)) in enumerate(zip(rows, study.circuits, strict=True)):
        isthmus = isthmus_of(circuit, heart.mesh, conducting_tets(heart))
        row["isthmus"] = asdict(isthmus) if isthmus is not None else None
        row["ecg"] = _of_tachycardia(found.seen[number]) if number < len(found.seen) else None
        row["no_ecg"] = found.refused
    return rows


def _of_tachycardia(seen: Tachycardia) -> dict[str, Any]:
    return {
        "qrs_ms": seen.qrs_ms,
        "axis_deg": seen.axis_deg,
        "pattern": seen.pattern,
        "transition": seen.transition,
        "sentence": str(seen),
    }


def _clinical(study: Study) -> dict[str, Any] | None:
    """The recorded tachycardia and every circuit's score against it, the best first; None where none was given."""
    found = scored(study)
    if found is None:
        return None
    rows: list[dict[str, Any]] = []
    for row in found.by_score:
        one = asdict(found.matches[row])
        del one["measured"], one["simulated"]
        ours = found.matches[row].correlation >= GOOD_MATCH
        rows.append({"number": row + 1, **one, "good": ours, "sentence": str(found.matches[row])})
    cycle = found.cycle
    told = None if cycle is None else {key: value for key, value in vars(cycle).items() if key != "mv"}
    return {
        "cycle": told and told | {"sentence": str(cycle)},
        "circuits": rows,
        "refused": found.refused,
        "good_from": GOOD_MATCH,
    }


def _circuits(heart: Heart, arrhythmias: Arrhythmias) -> list[dict[str, Any]]:
    rows = []
    for number, (circuit, turned_on) in enumerate(zip(arrhythmias.circuits, arrhythmias.hearts(heart), strict=True)):
        induced = [one for one in arrhythmias.inductions if one.circuit == number]
        isthmus_ml = _volume_around(heart, circuit.isthmus_nodes)
        kind, lines = circuit_kind(circuit, heart.mesh.points, heart.mesh.tets[conducting_tets(turned_on)])
        rows.append(
            {
                "number": number + 1,
                "cycle_length_ms": circuit.cycle_length_ms,
                "rate_per_min": 60_000.0 / circuit.cycle_length_ms,
                "cycles": circuit.cycles,
                "kind": kind,
                "filaments": [asdict(one) for one in lines],
                "location": wall(heart, circuit.isthmus_mm),
                "exit": wall(heart, circuit.exit_mm),
                "isthmus_mm": circuit.isthmus_mm,
                "exit_mm": circuit.exit_mm,
                "isthmus_ml": isthmus_ml,
                "sites": sorted({one.site + 1 for one in induced}),
                "after": _after(induced),
                "draws": len({one.draw for one in induced}),
                "profiles": sorted({one.profile for one in induced}),
                "scars": list(dict.fromkeys(one.scar for one in induced)),
                "measured_on_scar": arrhythmias.scar_of(number),
                "induced": len(induced),
            }
        )
    return rows


def _after(induced: Sequence[Induction]) -> str:
    """The couplings of the extra stimuli that induced it, each once, the longest first: ``S2 260; S2 240, S3 220``."""
    every = sorted({tuple(one.couplings_ms) for one in induced}, key=lambda one: (len(one), [-ms for ms in one]))
    return "; ".join(", ".join(f"S{k} {ms:g}" for k, ms in enumerate(one, start=2)) for one in every)


def _volume_around(heart: Heart, nodes: np.ndarray) -> float:
    """Each node stands for a quarter of the elements around it, mL."""
    share = np.zeros(len(heart.mesh.points))
    share[nodes] = 0.25
    return cubic_mm_to_ml(float((share[heart.mesh.tets].sum(axis=1) * heart.mesh.volumes).sum()))


def _induction(heart: Heart, arrhythmias: Arrhythmias, pacing: InduceSettings) -> dict[str, Any]:
    outcomes = [one.outcome for one in arrhythmias.inductions]
    return {
        "tested": len(outcomes),
        "inducible": sum(one.circuit is not None for one in arrhythmias.inductions),
        "outcomes": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        "sites": len(arrhythmias.site_nodes),
        "from_sites": [asdict(one) for one in from_each_site(heart, arrhythmias)],
        "draws": len(arrhythmias.members),
        "distinct_members": len(np.unique(arrhythmias.members)),
        "profiles": sorted({one.profile for one in arrhythmias.inductions}),
        "scars": list(dict.fromkeys(one.scar for one in arrhythmias.inductions)),
        "protocol": pacing.in_words,
    }


def _screen(study: Study) -> dict[str, Any] | None:
    """What fronts found, and how far pacing agrees; None where they were not asked."""
    screened = study.screened
    if screened is None:
        return None
    found = _circuits(study.calibration_heart, screened) if study.calibration_heart is not None else []
    agreed = screen_agreement(screened, study.arrhythmias) if study.arrhythmias is not None else None
    return {
        "found": [one for one in found if one["induced"]],
        "combinations": _induction(study.heart, screened, study.settings.induce),
        "agreement": asdict(agreed) | {"sentence": f"{agreed}."} if agreed is not None else None,
    }


def _settings(provenance: Provenance) -> list[dict[str, Any]]:
    """Each setting once, with the stages that read it; again only where a stage was computed with another value."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in provenance.stages:
        for name, value in one.settings.items():
            row = rows.setdefault((name, value), {"name": name, "value": value, "stages": []})
            row["stages"].append(one.stage)
    return list(rows.values())


def _confirmation(study: Study) -> dict[str, Any] | None:
    if study.confirmation is None:
        return None
    confirmation = study.confirmation
    first, span = first_activation_ms(study), activation_span(study)
    agreement = aligned(confirmation.ecg, study.posterior) if study.posterior is not None else None
    return {
        "correlation": agreement.correlation if agreement is not None else None,
        "lead_correlation": agreement.each if agreement is not None else {},
        "span": _span(span) if span is not None else None,
        "shift_ms": agreement.shift_ms if agreement is not None else None,
        "member": confirmation.member,
        "member_correlation": study.posterior.correlation[confirmation.member] if study.posterior else None,
        "velocities_m_per_s": asdict(confirmation.velocities),
        "draws": [asdict(one) for one in confirmation.draws],
        "front": _front(study, confirmation),
        "tuning_error": confirmation.tuning_error,
        "earliest_activation_ms": float(np.nanmin(first)) if first is not None else None,
        "latest_activation_ms": float(np.nanmax(first)) if first is not None else None,
        "cell_model": CELL_MODELS.get(study.settings.tissue.cell_model, study.settings.tissue.cell_model),
    }


def _intervals(posterior: Posterior) -> dict[str, dict[str, float]]:
    """Low, median and high of each velocity that there is, m/s."""
    values = {name: getattr(posterior, f"velocity_{name}") for name in ("fibre", "cross", "endocardium")}
    return {
        name: dict(zip(("low", "median", "high"), posterior.interval(one), strict=True))
        for name, one in values.items()
        if np.isfinite(one).all()
    }


def _fractions(posterior: Posterior) -> dict[str, float] | None:
    """How likely each velocity of the border zone is, relative to healthy tissue; None where it was not asked."""
    found = posterior.border_zone_fraction
    if found is None:
        return None
    return {f"{one:g}": float(posterior.weights[found == one].sum()) for one in np.unique(found)}


def _tissue_velocities(study: Study) -> dict[str, dict[str, float]] | None:
    """As `_intervals`, of the tissue."""
    if study.posterior is None or study.velocities is None:
        return None
    return _intervals(study.velocities.tissue(study.posterior, study.settings.tissue.cell_model))


def _front(study: Study, confirmation: Confirmation) -> dict[str, Any] | None:
    """The velocities of the fitted front, from which those of the tissue were made, and how."""
    ratio = study.velocities.ratios.get(study.settings.tissue.cell_model) if study.velocities else None
    if ratio is None or study.posterior is None:
        return None
    return asdict(study.posterior.velocities(confirmation.member)) | {"ratio": asdict(ratio)}


def _span(span: Span) -> dict[str, Any]:
    return asdict(span) | {"excess": span.excess, "most_keeps_within": span.most_keeps_within}


def _posterior(heart: Heart, posterior: Posterior) -> dict[str, Any]:
    independent, fewest_by = independent_members(posterior)
    return {
        "members": len(posterior.weights),
        "independent_members": independent,
        "fewest_by": fewest_by,
        "velocities_m_per_s": _intervals(posterior),
        "border_zone_fraction": _fractions(posterior),
        "correlation": dict(zip(("low", "median", "high"), posterior.interval(posterior.correlation), strict=True)),
        "lead_correlation": fitted_correlation(posterior),
        "sites": activation_sites(heart, posterior),
        "begins": beginning(heart, posterior),
        "notes": explained(posterior.notes, CALIBRATION),
    }


def _recovery(beat: EnsembleBeat) -> dict[str, Any]:
    """What the T wave says, or why it says nothing."""
    found = beat.repolarisation
    if found is None:
        return {"note": beat.note}
    values = dict(zip(("mean duration", *GRADIENTS), (found.duration_ms, *found.gradients_ms.T), strict=True))
    return {
        "note": "",
        "correlation": _bounds(found.correlation),
        "durations_ms": {name: _bounds(one) for name, one in values.items()},
        "informed": dict(zip(values, found.informed, strict=True)),
    }


def _scar_evidence(found: ScarEvidence) -> dict[str, Any] | None:
    if not len(found.thresholds):
        return None
    columns = {name: getattr(found, name) for name in ("core_g", "border_zone_g", "log_evidence", "noise")}
    columns |= {"correlation": found.correlation, "probability": found.probability, "refused": found.refused}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    pairs = [{"border_zone_threshold": low, "core_threshold": high} for low, high in found.thresholds]
    weighed = int(np.isfinite(found.log_evidence).sum())
    return {
        "decided": found.decided,
        "weighed": weighed,
        "rows": [pair | row for pair, row in zip(pairs, rows, strict=True)],
    }


def _bounds(values: np.ndarray) -> dict[str, float]:
    """Median, and what holds 90 % of equally likely values."""
    return dict(zip(("low", "median", "high"), np.quantile(values, (0.05, 0.5, 0.95)), strict=True))
