"""What each stage calls: small functions whose arguments are loaded for them and whose result is stored.

The content address covers a function's own source and all that it imports, so what it needs is imported within it.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cardiotwin.progress import PLAN
from cardiotwin.provenance import Provenance
from cardiotwin.twin.step import Work

if TYPE_CHECKING:
    from cardiotwin.ablation.lesions import Plan
    from cardiotwin.ablation.proposals import Proposals
    from cardiotwin.anatomy.mesh_anatomy import UserMesh
    from cardiotwin.calibration.beat_of_ensemble import EnsembleBeat
    from cardiotwin.calibration.confirmation import Confirmation
    from cardiotwin.calibration.front_velocity import FrontToTissue
    from cardiotwin.calibration.posterior import Posterior
    from cardiotwin.calibration.scar_evidence import ScarEvidence
    from cardiotwin.calibration.site_library import SiteLibrary
    from cardiotwin.comparison.results import Comparison
    from cardiotwin.ecg.electrodes import Electrodes
    from cardiotwin.ecg.recording import Ecg
    from cardiotwin.ecg.torso_conductor import TorsoSurface
    from cardiotwin.heart.heart import Heart
    from cardiotwin.imaging import Image
    from cardiotwin.induction.arrhythmias import Arrhythmias
    from cardiotwin.segmentation import Segmentation
    from cardiotwin.segmentation.label_map import LabelMap
    from cardiotwin.study import Study


def take_label_map(work: Work, label_map: LabelMap) -> Segmentation:
    """The user's own segmentation, each label in the region that the settings or anatomy say."""
    from cardiotwin.anatomy.given_labels import as_segmentation

    return as_segmentation(label_map, work.settings.labels)[0]


def segment_image(work: Work, image: Image) -> Segmentation:
    from cardiotwin.ingest.anatomy import check_image_not_mirrored
    from cardiotwin.segmentation import segment

    found = segment(image, work.settings.segment, progress=work.progress)
    if not work.settings.segment.allow_mirrored:
        check_image_not_mirrored(found.labels, found.affine)
    return found


def segmenter_in_use(settings: SimpleNamespace) -> str:
    """The trained model that `segment_image` runs; "" for the contours of CardioTwin itself."""
    if settings.segment.method == "automatic":
        return ""
    from cardiotwin.segmentation.plugins import installed

    return installed(settings.segment.method)


def build_heart(work: Work, segmentation: Segmentation) -> Heart:
    from cardiotwin.anatomy.mesh_holes import told_of_drawn
    from cardiotwin.heart.heart import build_heart
    from cardiotwin.segmentation import as_meshed

    wall_mm = work.settings.segment.rv_wall_mm
    heart = build_heart(segmentation, work.settings.mesh, rv_wall_mm=wall_mm, progress=work.progress)
    return told_of_drawn(heart, as_meshed(segmentation, work.settings.mesh.align_slices))


def build_calibration_heart(work: Work, segmentation: Segmentation) -> Heart:
    """The same anatomy on a coarser lattice, for the eikonal model."""
    from cardiotwin.heart.heart import build_heart

    coarse = work.settings.mesh.model_copy(update={"edge_mm": work.settings.calibrate.edge_mm})
    return build_heart(segmentation, coarse, rv_wall_mm=work.settings.segment.rv_wall_mm, progress=work.progress)


def take_mesh(work: Work, given: UserMesh) -> Heart:
    """A mesh made elsewhere, with what twin.toml says of it."""
    from cardiotwin.anatomy.mesh_anatomy import heart_of

    tissue = work.settings.tissue
    return heart_of(
        given, work.settings.mesh_file, work.settings.mesh, cell_model=tissue.cell_model,
        velocity_cross=tissue.velocity_cross_m_per_s, progress=work.progress,
    )  # fmt: skip


def take_heart(work: Work, heart: Heart) -> Heart:
    """The same mesh serves the eikonal model."""
    return heart


def take_electrodes(work: Work, heart: Heart, electrodes: Electrodes, torso: TorsoSurface | None = None) -> Electrodes:
    """Measured positions are used as they are, where they can lie around this heart."""
    from cardiotwin.ecg.electrodes import check_around, in_conductor

    check_around(heart, electrodes)
    return in_conductor(heart, electrodes, work.settings.electrodes, torso)


def place_electrodes(work: Work, heart: Heart, torso: TorsoSurface | None = None) -> Electrodes:
    """Where `twin.toml` wants those that nobody measured."""
    from cardiotwin.ecg.electrodes import in_conductor, place

    return in_conductor(heart, place(heart, work.settings.electrodes), work.settings.electrodes, torso)


def tabulate_sites(work: Work, heart: Heart) -> SiteLibrary:
    """Apart from the posterior, so that a further ECG finds it ready."""
    from cardiotwin.calibration.fit import sites_of
    from cardiotwin.settings import TissueSettings

    tissue = TissueSettings(border_zone_velocity_fraction=work.settings.tissue.border_zone_velocity_fraction)
    return sites_of(heart, work.settings.calibrate, tissue, progress=work.progress)


def calibrate(
    work: Work,
    heart: Heart,
    electrodes: Electrodes,
    library: SiteLibrary,
    ecgs: tuple[Ecg, ...],
    previous: Posterior | None = None,
) -> Posterior:
    from cardiotwin.calibration.fit import calibrate
    from cardiotwin.ecg.beats import chosen

    ecgs = tuple(chosen(ecg, work.settings.calibrate.beat) for ecg in ecgs)
    return calibrate(
        heart, ecgs, electrodes, work.settings.calibrate, work.settings.tissue, previous=previous,
        library=library, progress=work.progress,
    )  # fmt: skip


def beat_of_ensemble(work: Work, heart: Heart, posterior: Posterior, electrodes: Electrodes, ecg: Ecg) -> EnsembleBeat:
    """Activation of draws, and recovery from the T wave."""
    from cardiotwin.calibration.beat_of_ensemble import ensemble_beat

    asked = work.settings.calibrate
    return ensemble_beat(
        heart, posterior, ecg, electrodes, work.settings.tissue, beat=asked.beat, seed=asked.seed,
        progress=work.progress,
    )  # fmt: skip


def weigh_scar_thresholds(
    work: Work, segmentation: Segmentation, electrodes: Electrodes, ecgs: tuple[Ecg, ...]
) -> ScarEvidence:
    """A calibration for each pair that is asked about; none unless some are."""
    from cardiotwin.calibration.scar_evidence import scar_evidence
    from cardiotwin.ecg.beats import chosen

    asked = work.settings.calibrate
    return scar_evidence(
        segmentation, [chosen(ecg, asked.beat) for ecg in ecgs], electrodes, asked.scar_thresholds, asked,
        work.settings.tissue, work.settings.mesh, rv_wall_mm=work.settings.segment.rv_wall_mm, progress=work.progress,
    )  # fmt: skip


def velocities_of_tissue(work: Work, heart: Heart, coarse: Heart, posterior: Posterior) -> FrontToTissue:
    """What makes the fitted front's velocities the tissue's, for each cell model in use; `coarse` is its mesh."""
    from cardiotwin.calibration.front_velocity import front_to_tissue

    settings = work.settings
    return front_to_tissue(
        heart, posterior, settings.tissue, (settings.induce.cell_model,), fitted_on=coarse,
        site_radius_mm=settings.simulate.site_radius_mm, dt_ms=settings.simulate.dt_ms, progress=work.progress,
    )  # fmt: skip


def confirm(
    work: Work, heart: Heart, posterior: Posterior, velocities: FrontToTissue, electrodes: Electrodes
) -> Confirmation:
    from cardiotwin.calibration.confirmation import confirm

    tissue = work.settings.tissue
    return confirm(
        heart, velocities.tissue(posterior, tissue.cell_model), electrodes, work.settings.simulate, tissue,
        folder=work.folder, progress=work.progress,
    )  # fmt: skip


def screen_for_circuits(work: Work, heart: Heart, coarse: Heart, posterior: Posterior) -> Arrhythmias:
    """What fronts find, in minutes."""
    from cardiotwin.induction.programmed_stimulation import screen

    return screen(
        heart, coarse, posterior, work.settings.induce, work.settings.tissue, folder=work.folder,
        progress=work.progress,
    )  # fmt: skip


def induce(
    work: Work,
    heart: Heart,
    posterior: Posterior,
    velocities: FrontToTissue,
    screened: Arrhythmias | None = None,
    segmentation: Segmentation | None = None,
) -> Arrhythmias:
    from cardiotwin.induction.programmed_stimulation import induce

    settings = work.settings.induce
    return induce(
        heart, velocities.tissue(posterior, settings.cell_model), settings, work.settings.tissue,
        others=_other_scars(work, heart, segmentation), screened=screened, folder=work.folder,
        progress=work.progress,
    )  # fmt: skip


def _other_scars(work: Work, heart: Heart, segmentation: Segmentation | None) -> dict[str, Heart]:
    from cardiotwin.anatomy.scar_variants import other_scars

    settings = work.settings
    return other_scars(heart, segmentation, settings.induce.scar_thresholds, align_slices=settings.mesh.align_slices)


def check_plans(work: Work, heart: Heart, plans: tuple[Plan, ...]) -> tuple[Plan, ...]:
    """The user's plans, once every lesion of theirs is known to lie on this heart."""
    from cardiotwin.ablation.lesions import lesion_elements

    for plan in plans:
        lesion_elements(heart, plan)
    return plans


def propose(work: Work, heart: Heart, arrhythmias: Arrhythmias, segmentation: Segmentation | None = None) -> Proposals:
    """What the tool proposes, and why it does not propose the rest of what it was asked for."""
    from cardiotwin.ablation.lesions import DECHANNELING, HOMOGENISE
    from cardiotwin.ablation.proposals import proposals_for
    from cardiotwin.induction.arrhythmias import only_under_other_scars
    from cardiotwin.segmentation import as_meshed

    if segmentation is not None:
        segmentation = as_meshed(segmentation, work.settings.mesh.align_slices)
    circuits, turned_on = arrhythmias.circuits, arrhythmias.hearts(heart)
    found = proposals_for(heart, circuits, work.settings.plan, segmentation, turned_on=turned_on)
    elsewhere = only_under_other_scars(arrhythmias)
    of_scar = [plan.name for plan in found.plans if plan.name in (HOMOGENISE, DECHANNELING)]
    if not elsewhere or not of_scar:
        return found
    numbers = ", ".join(str(number + 1) for number in elsewhere)
    note = (
        f"{' and '.join(of_scar)}: of scar as segmented; circuits that turn only with other scar ({numbers}) may stay"
    )
    return replace(found, left_out=(*found.left_out, note))


def gather_plans(work: Work, proposals: Proposals, own: tuple[Plan, ...] = ()) -> tuple[Plan, ...]:
    """The user's plans first, then what the tool proposes; some, unless there is nothing to plan for."""
    from cardiotwin.ablation.proposals import check_some_stand

    names = {plan.name for plan in own}
    plans = (*own, *(plan for plan in proposals.plans if plan.name not in names))
    check_some_stand(proposals, plans)
    return plans


def compare(
    work: Work,
    heart: Heart,
    posterior: Posterior,
    velocities: FrontToTissue,
    plans: tuple[Plan, ...],
    arrhythmias: Arrhythmias,
    segmentation: Segmentation | None = None,
) -> Comparison:
    from cardiotwin.comparison.pacing_cost import cost_of_comparing, pacing_seconds
    from cardiotwin.comparison.retesting import compare

    settings = work.settings
    spares, seconds = settings.compare.retest == "inducible", pacing_seconds(work.provenance)
    PLAN.info(cost_of_comparing(arrhythmias, plans, seconds, only_inducible=spares))
    return compare(
        heart, velocities.tissue(posterior, settings.induce.cell_model), plans, arrhythmias,
        settings.induce, settings.tissue, settings.compare, others=_other_scars(work, heart, segmentation),
        folder=work.folder, progress=work.progress,
    )  # fmt: skip


def write_report(work: Work, heart: Heart, ecgs: tuple[Ecg, ...], **known: Any) -> None:
    """The HTML report, its numbers and pictures."""
    from cardiotwin.report import write_report

    write_report(
        work.folder,
        as_study(work.settings, work.provenance, heart=heart, ecgs=ecgs, **known),
        progress=work.progress,
    )


def as_study(settings: SimpleNamespace, provenance: Provenance, **known: Any) -> Study:
    """A twin's results as a study; its own plans where there are no plans to compare yet."""
    from cardiotwin.settings import Settings
    from cardiotwin.study import Study

    own = known.pop("own_plans", None) or ()
    plans = known.pop("plans", None) or own
    return Study(settings=Settings(**vars(settings)), provenance=provenance, plans=plans, **known)
