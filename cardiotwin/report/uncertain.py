"""What a reader must not believe too firmly: sentences derived from the study, its settings and its inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cardiotwin.calibration.confirmation import Confirmation
from cardiotwin.calibration.front_velocity import FrontToTissue
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.sinus_beat import LONGEST_DELAY_MS
from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.heart.heart import BORDER_ZONE, RIGHT, Heart
from cardiotwin.imaging import Image, gap_note
from cardiotwin.induction.arrhythmias import Arrhythmias
from cardiotwin.meshes.quality import dihedral_angles
from cardiotwin.report.agreement import activation_span, fitted_correlation, note
from cardiotwin.settings import InduceSettings, Settings, SimulateSettings, TissueSettings
from cardiotwin.study import Study
from cardiotwin.tissue.cells import TAU_IN_MS, TWO_VARIABLE, front

FEW_DRAWS = 20
DRAWS_THAT_OUTWEIGH_THE_PRIOR = 6
"""Jeffreys' prior counts as one draw."""
LARGE_TUNING_ERROR = 0.05
POOR_CORRELATION, UNLIKE = 0.9, 0.5
WIDE_FRONT = 1.5
FLAT_DEG = 5.0
ASSUMED_SEPTUM_DEG = 40
"""How far the right ventricle may lie from the patient's right, around the long axis."""
SAME_SLICE = 0.1
"""Of the distance between slices, by which a slice drawn may leave the one imaged and still be it."""
TESTED = ("re-entry", "not inducible", "no closed path")


@dataclass(frozen=True)
class Caveat:
    """Something that limits what the numbers mean.

    Attributes
    ----------
    text : str
        A sentence or two.
    beside_the_answer : str
        The same in few words, where it changes how the answer is read; "" where it does not.
    """

    text: str
    beside_the_answer: str = ""


def what_is_uncertain(study: Study) -> list[str]:
    """A sentence for everything that limits what the numbers mean, the heaviest first."""
    return [caveat.text for caveat in caveats(study)]


def told_of_inputs(study: Study) -> list[dict[str, str]]:
    """What was told of each input when it was put in, but for what is said above or not so of the heart."""
    said = " ".join((*what_is_uncertain(study), _gaps(study)[0])).lower()
    return [
        {"input": one.kind.replace("_", " "), "sha256": one.sha256, "note": note}
        for one in study.provenance.observations
        for note in one.notes
        if note.lower() not in said
    ]


def caveats(study: Study) -> list[Caveat]:
    """The heaviest first."""
    return list(_caveats(study))


def _caveats(study: Study) -> Iterator[Caveat]:
    if study.provenance.phantom:
        yield Caveat("The patient is a phantom, made by the computer: its truth is known, and it is nobody's.")
    if not study.heart.scar_assessable:
        yield Caveat(
            *(f"{_why_no_scar(study, at_length)}: a heart without scar was assumed." for at_length in (True, False))
        )
    if study.segmentation is not None and "right_ventricle_doubtful" in study.segmentation.confidence:
        yield Caveat(f"Doubtful: {study.segmentation.confidence['right_ventricle_doubtful']}.")
    gaps, of_the_heart = _gaps(study)
    if gaps and of_the_heart:
        yield Caveat(f"{gaps[0].upper()}{gaps[1:]}.")
    if study.arrhythmias is not None:
        yield from _of_draws(study, study.arrhythmias)
    if study.comparison is not None:
        yield from _of_comparison(study)
    yield from _of_cells(study.settings, study)
    if study.arrhythmias is not None:
        yield from _of_pacing(study.arrhythmias)
    if study.posterior is not None:
        yield from _of_posterior(study.posterior)
    yield from _of_activation(study)
    if study.velocities is not None:
        yield from _of_velocities(study.velocities)
    if study.confirmation is not None:
        yield from _of_confirmation(study.confirmation)
    yield from _of_mesh(study)
    yield from _of_shape(study.heart)
    if study.electrodes is not None and not study.electrodes.measured:
        off = study.electrodes.uncertainty_mm
        by = "" if off is None else f"; each may be {off.min():.0f} to {off.max():.0f} mm off (standard deviation)"
        yield Caveat(f"Electrode positions were placed by a rule from the heart, not measured{by}{_as_drawn(study)}.")
    if study.electrodes is not None and (study.posterior is not None or study.confirmation is not None):
        yield Caveat(_of_conductor(study.electrodes))
    yield Caveat(_of_fibres(study.heart))
    if study.posterior is not None or study.confirmation is not None:
        told = study.ensemble_beat is not None and study.ensemble_beat.repolarisation is not None
        what = "The T wave was fitted, but simulations do not use it" if told else "Only the QRS complex was fitted"
        yield Caveat(f"{what}: in them repolarisation is the cell model's, not this patient's.")


def _as_drawn(study: Study) -> str:
    """How the ensemble takes that into account, and where the ECG would have the electrodes."""
    if study.posterior is None or study.electrodes is None or study.posterior.electrode_positions is None:
        return ""
    moved = (study.posterior.electrode_positions - study.electrodes.positions).mean(axis=1)
    ways = zip(moved.T, (("left", "right"), ("back", "front"), ("up", "down")), strict=True)
    said = [_way(study.posterior.interval(along), names) for along, names in ways]
    return f": the ensemble tries others, on average {', '.join(said)} (90 % intervals)"


def _way(interval: tuple[float, float, float], names: tuple[str, str]) -> str:
    low, middle, high = interval
    return f"{abs(middle):.0f} mm {names[0] if middle >= 0 else names[1]} ({low:+.0f} to {high:+.0f})"


def _of_conductor(electrodes: Electrodes) -> str:
    if electrodes.conductor is None:
        return "The ECG is one in an infinite conductor: no skin, lungs or blood (`electrodes.conductor`)."
    return f"The ECG is one in {electrodes.conductor}: no lungs, no blood."


def _why_no_scar(study: Study, at_length: bool) -> str:
    """Where scar would have come from: a mesh, somebody's contours, or an image."""
    if study.heart_was_given:
        return "The mesh names no scar" + (" (`mesh_file.core_regions` in twin.toml does)" if at_length else "")
    if study.image is None or study.image.kind == "lge":
        return "The label map draws no scar" + (", nor says whether anybody looked for it" if at_length else "")
    return "Scar cannot be assessed from this imaging" + (" (not late enhancement)" if at_length else "")


def _made_from(study: Study, image: Image) -> bool:
    """Whether the heart is that of this image's slices, drawn here or by somebody else; not a mesh of the user's."""
    drawn = study.segmentation
    if drawn is None or study.heart_was_given:
        return False
    columns, rows, slices, level = (np.linalg.inv(image.affine) @ drawn.affine)[2]  # slice of the image, by index drawn
    n_slices, n_rows, n_columns = drawn.labels.shape
    off = columns * n_columns, rows * n_rows, (abs(slices) - 1.0) * n_slices, level - round(level)
    return bool(np.abs(off).max() < SAME_SLICE)


def _gaps(study: Study) -> tuple[str, bool]:
    """What `gap_note` says of the image, and whether it holds for the heart."""
    if study.image is None:
        return "", False
    return gap_note(study.image), _made_from(study, study.image)


def _of_fibres(heart: Heart) -> str:
    if heart.fibres_from:
        return f"Fibre directions are as in {heart.fibres_from}: how they were found there is not known here."
    return "Fibre directions come from a rule, not from this patient's imaging."


def _of_draws(study: Study, arrhythmias: Arrhythmias) -> Iterator[Caveat]:
    draws, sites = len(arrhythmias.members), len(arrhythmias.site_nodes)
    distinct = len(np.unique(arrhythmias.members))
    inducible = len({one.draw for one in arrhythmias.inductions if one.circuit is not None})
    counted = f"{inducible} of {draws} draw{'s' * (draws != 1)} could be induced"
    if study.comparison is not None and inducible < DRAWS_THAT_OUTWEIGH_THE_PRIOR:
        counted += "; with so few the probability rests on the prior"
    few = (
        f"{draws} draw{'s' * (draws != 1)} of the ensemble ({distinct} distinct) and {sites} "
        f"pacing site{'s' * (sites != 1)} were tested: shares rest on few combinations, as their intervals show. "
    )
    yield Caveat((few if draws < FEW_DRAWS else "") + f"{counted}.", f"{counted}.")


def _of_comparison(study: Study) -> Iterator[Caveat]:
    if study.settings.compare.retest == "inducible":
        yield Caveat(
            "What could not be induced without ablation was not tested again after it (`compare.retest`): circuits "
            "that a lesion creates there are missed, no plan can come out worse, and so none is preferred.",
            "What could not be induced without ablation was not tested again: no plan could come out worse.",
        )
    if "isthmus" in study.settings.plan.propose and any(plan.name == "isthmus" for plan in study.plans):
        yield Caveat(
            "In-sample: the isthmus plan was cut from the circuits of the same draws it is tested on. In other draws "
            "expect more to stay inducible."
        )


def _of_cells(settings: Settings, study: Study) -> Iterator[Caveat]:
    """Border-zone cells that are not those of the published remodelling."""
    paced = settings.induce.cell_model, "structural_and_ionic" in settings.induce.border_zone_profiles
    beat = settings.tissue.cell_model, settings.tissue.border_zone_profile == "structural_and_ionic"
    used = (paced, study.arrhythmias is not None), (beat, study.confirmation is not None)
    factor, published = settings.tissue.border_zone_apd_factor, _default(TissueSettings, "border_zone_apd_factor")
    if factor != published and any(model in TWO_VARIABLE and ionic and there for (model, ionic), there in used):
        yield Caveat(
            f"The border zone is not physiological: its action potential is {factor:g} times the healthy one "
            f"(`tissue.border_zone_apd_factor`), the published remodelling gives {published:g}. What is inducible, and "
            "where, depends on it.",
            f"The border zone is not physiological: action potential {factor:g} times the healthy one, "
            f"published {published:g}.",
        )


def _of_pacing(arrhythmias: Arrhythmias) -> Iterator[Caveat]:
    """What was not tested, and what was seen that is neither re-entry nor its absence."""
    profiles = sorted({one.profile for one in arrhythmias.inductions})
    if len(profiles) == 1:
        profile = profiles[0].replace("_", " ")
        yield Caveat(f"Only one border-zone profile ({profile}) was tested; the other may give other circuits.")
    untested: dict[str, int] = {}
    for one in arrhythmias.inductions:
        if one.outcome not in TESTED:
            untested[one.outcome] = untested.get(one.outcome, 0) + 1
    for reason, count in untested.items():
        yield Caveat(f"{count} of {len(arrhythmias.inductions)} combinations could not be tested: {reason}.")
    unordered = sum(one.outcome == "no closed path" for one in arrhythmias.inductions)
    if unordered:
        yield Caveat(
            f"In {unordered} of {len(arrhythmias.inductions)} combinations tissue was activated again and again, but "
            "on no closed path of conduction: not counted as inducible."
        )
    echoes = sum(one.echo for one in arrhythmias.inductions)
    if echoes:
        yield Caveat(
            f"In {echoes} of {len(arrhythmias.inductions)} combinations the train alone was followed by a beat that "
            "nothing stimulated: tissue that took so long to be reached that it could excite its surroundings again."
        )


def _of_posterior(posterior: Posterior) -> Iterator[Caveat]:
    yield Caveat(
        "The ECG does not determine activation: every member of the ensemble explains it, and none is the true one."
    )
    count, what = independent_members(posterior)
    if count < 0.25 * len(posterior.weights):
        yield Caveat(f"Few members carry the ensemble: {count:.0f} of {len(posterior.weights)} ({what}).")
    typical = posterior.interval(posterior.correlation)[1]
    if typical < POOR_CORRELATION:
        poor = (
            f"The ECG is not explained well: median correlation of the eikonal ensemble {typical:.2f}, expected "
            f"{POOR_CORRELATION:.2f} or more."
        )
        yield Caveat(poor, poor)
    unlike = [f"{lead} ({r:.2f})" for lead, r in fitted_correlation(posterior).items() if not r >= UNLIKE]
    if unlike:
        yield Caveat(
            f"Leads that the ensemble does not explain, by the correlation of its median: {', '.join(unlike)}."
        )
    if len(posterior.leads) < 8:
        yield Caveat(f"{len(posterior.leads)} leads were usable ({', '.join(posterior.leads)}), expected 8.")


def _of_activation(study: Study) -> Iterator[Caveat]:
    span = activation_span(study)
    if span is not None and span.qrs_ms and span.excess is not None:
        first = (
            f"The confirming run takes {span.all_ms:.0f} ms to activate the heart, {span.most_ms:.0f} for 95 % of it"
        )
        told = f"{first}; the QRS lasts {span.qrs_ms:.0f} ms"
        yield Caveat(f"{told}. Its late activation is not what this ECG shows.", f"{told}.")


def _of_velocities(velocities: FrontToTissue) -> Iterator[Caveat]:
    for model, ratio in velocities.ratios.items():
        if ratio.note:
            same = "so the tissue has the velocities of the fitted front unchanged"
            yield Caveat(f"Velocities of the tissue ({model.replace('_', ' ')}): {ratio.note}, {same}.")


def _of_confirmation(confirmation: Confirmation) -> Iterator[Caveat]:
    large = {name: error for name, error in confirmation.tuning_error.items() if abs(error) > LARGE_TUNING_ERROR}
    if large:
        listed = ", ".join(f"{name} {100 * error:+.0f} %" for name, error in large.items())
        yield Caveat(f"Conduction velocity on this mesh misses what was asked for: {listed}.")
    silent = np.flatnonzero(confirmation.site_delay_ms > LONGEST_DELAY_MS) + 1
    if silent.size:
        failed = (
            f"In the confirming run activation site {', '.join(map(str, silent))} of {confirmation.site_delay_ms.size} "
            "started no wave"
        )
        yield Caveat(
            f"{failed}: its ECG is not that of the fitted member. Raise `simulate.site_radius_mm`.", f"{failed}."
        )


def _of_shape(heart: Heart) -> Iterator[Caveat]:
    """What the mesh itself, or its making, cannot answer for."""
    yield from map(Caveat, heart.notes)
    if not (heart.ventricle == RIGHT).any():
        yield Caveat(
            "There is no right ventricle: the septum was assumed on the patient's right. Segments, and the walls named "
            f"after them, may be turned by some {ASSUMED_SEPTUM_DEG} degrees, and a mirrored heart cannot be told.",
            "No right ventricle: the septum was assumed on the patient's right, segments may be turned.",
        )
    smallest = dihedral_angles(heart.mesh.points, heart.mesh.tets).min(axis=1)
    flat = int((smallest < FLAT_DEG).sum())
    if flat:
        yield Caveat(
            f"{flat} of {len(smallest)} tetrahedra have a dihedral angle below {FLAT_DEG:g} degrees (the smallest is "
            f"{smallest.min():.2g}): potential and velocity are less exact around them."
        )


def _of_mesh(study: Study) -> Iterator[Caveat]:
    """A lattice that cannot carry the front of the cell model, and what starts a wave on it."""
    widened = front_widened(study)
    if widened < WIDE_FRONT:
        return
    text = (
        f"The mesh is coarse ({study.heart.edge_mm:g} mm): the wave front is widened up to {widened:.1f} times so that "
        "the lattice carries it, which changes where a wave is blocked."
    )
    induce, simulate = study.settings.induce, study.settings.simulate
    wide = []
    if induce.electrode_radius_mm > (usual := _default(InduceSettings, "electrode_radius_mm")):
        wide.append(f"electrodes {induce.electrode_radius_mm:g} mm in radius in place of {usual:g}")
    if simulate.site_radius_mm > (usual := _default(SimulateSettings, "site_radius_mm")):
        wide.append(f"activation sites {simulate.site_radius_mm:g} mm in place of {usual:g}")
    yield Caveat(text + (f" What starts a wave is wider too: {', '.join(wide)}." if wide else ""))


def front_widened(study: Study) -> float:
    """How many times the wave front is wider than the cell model's own, at worst; 1 where nothing was simulated."""
    settings, posterior = study.settings, study.posterior
    simulated = (settings.tissue.cell_model, study.confirmation), (settings.induce.cell_model, study.arrhythmias)
    models = {model for model, result in simulated if result is not None}
    cross, fraction = settings.tissue.velocity_cross_m_per_s, settings.tissue.border_zone_velocity_fraction
    if posterior is not None:
        ratio = study.velocities.ratios.get(settings.tissue.cell_model) if study.velocities else None
        cross = posterior.interval(posterior.velocity_cross)[1] * (ratio.cross if ratio else 1.0)
        fraction = min((fraction,) if posterior.border_zone_fraction is None else posterior.border_zone_fraction)
    slowest = cross * (fraction if (study.heart.tissue_class == BORDER_ZONE).any() else 1.0)
    widths = [front(model, slowest, study.heart.edge_mm).get("tau_in", TAU_IN_MS) / TAU_IN_MS for model in models]
    return max(widths, default=1.0)


def independent_members(posterior: Posterior) -> tuple[float, str]:
    """The fewest members that can be called independent, and by which count."""
    counts = {"effective sample size of the weights": 1.0 / float((posterior.weights**2).sum())}
    for name in ("effective sample size", "distinct members", "ancestors"):
        value = note(posterior, name)
        if value is not None:
            counts[name] = value
    what = min(counts, key=lambda name: counts[name])
    return counts[what], what


def _default(section: type[TissueSettings | InduceSettings | SimulateSettings], name: str) -> float:
    return float(section.model_fields[name].default)
