"""The stages in order: what each takes, which settings it reads, which function it calls.

A stage is one small function here. Its arguments are loaded for it, its annotated result is stored for it, and the
content address covers its own source and all it imports. `path` lays the stages out for the observations at hand.
"""

from __future__ import annotations

import importlib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cardiotwin.ledger import Observation
from cardiotwin.progress import PLAN, Progress
from cardiotwin.provenance import Provenance

if TYPE_CHECKING:
    from cardiotwin.ablation import Plan
    from cardiotwin.beat_of_ensemble import EnsembleBeat
    from cardiotwin.calibration import Posterior
    from cardiotwin.comparison import Comparison
    from cardiotwin.ecg import Ecg
    from cardiotwin.electrodes import Electrodes
    from cardiotwin.front_velocity import FrontToTissue
    from cardiotwin.heart import Heart
    from cardiotwin.imaging import Image
    from cardiotwin.induction import Arrhythmias
    from cardiotwin.mesh_anatomy import UserMesh
    from cardiotwin.proposals import Proposals
    from cardiotwin.scar_evidence import ScarEvidence
    from cardiotwin.segmentation import Segmentation
    from cardiotwin.segmentation.label_map import LabelMap
    from cardiotwin.settings import Settings
    from cardiotwin.site_library import SiteLibrary
    from cardiotwin.study import Confirmation, Study
    from cardiotwin.torso_conductor import TorsoSurface

STAGES = ("segment", "mesh", "calibrate", "simulate", "screen", "induce", "plan", "compare", "report")
"""What the user can ask for, in order."""

OBSERVED = {
    "image": "Image",
    "label_map": "LabelMap",
    "mesh": "UserMesh",
    "ecg": "Ecg",
    "tachycardia": "ClinicalTachycardia",
    "electrodes": "Electrodes",
    "torso": "TorsoSurface",
    "plan": "Plan",
}
"""Type of each kind of observation."""

_HOME = {
    "Arrhythmias": "induction",
    "ClinicalTachycardia": "clinical_tachycardia",
    "Comparison": "comparison",
    "Confirmation": "study",
    "Ecg": "ecg",
    "Electrodes": "electrodes",
    "EnsembleBeat": "beat_of_ensemble",
    "FrontToTissue": "front_velocity",
    "Heart": "heart",
    "Image": "imaging",
    "LabelMap": "segmentation.label_map",
    "Plan": "ablation",
    "Posterior": "calibration",
    "Proposals": "proposals",
    "ScarEvidence": "scar_evidence",
    "Segmentation": "segmentation",
    "SiteLibrary": "site_library",
    "TorsoSurface": "torso_conductor",
    "UserMesh": "mesh_anatomy",
}


@dataclass(frozen=True)
class Work:
    """What a stage function is given besides its inputs.

    Attributes
    ----------
    settings : namespace
        The settings the stage declares, and no others: what is not in its key, it cannot read.
    folder : Path
        For partial results, so that a killed run resumes; for a stage with `Step.into`, where its files go.
    progress : Progress
    provenance : Provenance
        Of the twin as it is now.
    """

    settings: SimpleNamespace
    folder: Path
    progress: Progress
    provenance: Provenance


@dataclass(frozen=True)
class Step:
    """One function applied to given inputs.

    Attributes
    ----------
    name : str
        Unique in the path.
    stage : str
        Of `STAGES`: what a user asks for.
    function : callable
        ``function(work, **inputs)``; its return annotation is the kind of result that is stored.
    inputs : dict of str to str
        Argument to the name of an earlier step, or to ``"sha256:..."`` of an observation.
    settings : tuple of str
        ``"section"`` or ``"section.key"``.
    lists : dict of str to tuple of str
        Arguments that take a tuple of observations.
    optional : tuple of str
        Arguments left out when their step cannot be computed yet.
    only_if : dict of str to callable
        ``only_if[argument](settings)``: whether an input is taken at all; those that are not named always are.
    apart_from : tuple of str
        Arguments and sections of the settings that single results in `Work.folder` do not hang on: where only these
        change, the folder is the same, and what is there stays of use. Names of results must tell the rest.
    but_for : tuple of str
        ``"section.key"`` of sections in `settings` that the function has no use for: not in the key of its result, and
        to the function as if nobody had set them.
    waits_for : str
        What is missing for this step and how to add it; "" when nothing is.
    share : float
        Of the time of a whole run: a fifth of its seconds in the demo.
    into : str
        Folder of the twin that the function fills, in place of a result; "" for most.
    beside : bool
        What the stage says besides its result: `Twin.result` of the stage is another step's.
    plug_in : callable or None
        ``plug_in(settings)``: what of another package computes it, in words that change when that does, "" for nothing.
        Part of the key, as the sources of CardioTwin are.
    """

    name: str
    stage: str
    function: Callable[..., Any]
    inputs: dict[str, str] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    only_if: dict[str, Callable[[Settings], bool]] = field(default_factory=dict)
    apart_from: tuple[str, ...] = ()
    but_for: tuple[str, ...] = ()
    waits_for: str = ""
    share: float = 0.4
    into: str = ""
    beside: bool = False
    plug_in: Callable[[Any], str] | None = None

    @property
    def kind(self) -> Any:
        """Type of the result, from the function's annotation."""
        return kind_of(self.function.__annotations__["return"])


class _Types(Mapping[str, Any]):
    """Types by name, imported on first use: `status` must not wait for Numba."""

    def __getitem__(self, name: str) -> Any:
        return getattr(importlib.import_module(f"cardiotwin.{_HOME[name]}"), name)

    def __iter__(self) -> Iterator[str]:
        return iter(_HOME)

    def __len__(self) -> int:
        return len(_HOME)


def kind_of(annotation: Any) -> Any:
    """The type that an annotation such as ``"tuple[Plan, ...]"`` means."""
    holder = SimpleNamespace(__annotations__={"kind": annotation})
    return typing.get_type_hints(holder, None, _Types())["kind"]


PACING = ("induce", "tissue", "mesh.align_slices")
"""Settings that pacing reads."""
Layout = Callable[[Iterable[Observation]], tuple[Step, ...]]

NO_IMAGING = "imaging: add an LGE-CMR series (`cardiotwin add CASE FOLDER`), a label map (NIfTI or NRRD) or a mesh"
ENSEMBLE_BEAT, SCAR_THRESHOLDS = "beat of the ensemble", "scar thresholds"
NO_ECG = (
    "a 12-lead ECG: add one as DICOM, WFDB, CSV, aECG, Philips or GE MUSE XML, EDF or SCP-ECG "
    "(`cardiotwin add CASE FILE`)"
)


def counting(observations: Iterable[Observation], settings: Settings) -> tuple[Observation, ...]:
    """Those that the settings let count: a torso only where one conducts, else nothing hangs on it."""
    idle = "torso" if settings.electrodes.conductor == "infinite" else ""
    return tuple(one for one in observations if one.kind != idle)


def path(observations: Iterable[Observation]) -> tuple[Step, ...]:
    """The steps from these observations to the report. Of images, label maps, electrodes, torsos and
    tachycardias the newest counts; a tachycardia is for the report only.

    ECGs all count, oldest first, each updating the posterior of those before: whatever the order in which dated ones
    arrive, the chain of keys is the same. Undated observations count as older than dated ones; among them the last to
    arrive is the newest.
    """
    observed: dict[str, list[str]] = {kind: [] for kind in OBSERVED}
    for observation in observations:
        observed[observation.kind].append(f"sha256:{observation.sha256}")
    chain = _calibrations(observed["ecg"])
    posterior = chain[-1].name
    simulated = {"heart": "mesh", "posterior": posterior, "velocities": "velocities of the tissue"}
    return (
        *_anatomy(observed),
        *_own_plans(observed["plan"]),
        _electrodes(observed["electrodes"], observed["torso"]),
        _calibration_mesh(observed),
        *chain,
        _ensemble_beat(observed["ecg"], posterior),
        *_scar_thresholds(observed),
        Step(
            "velocities of the tissue", "simulate", velocities_of_tissue, {"heart": "mesh", "posterior": posterior},
            ("simulate.site_radius_mm", "simulate.dt_ms", "induce.cell_model", "tissue"), share=10,
        ),
        Step(
            "simulate", "simulate", confirm, simulated | {"electrodes": "electrodes"}, ("simulate", "tissue"), share=16,
        ),
        *_induction(observed, simulated),
        *_plans(observed),
        Step(
            "compare", "compare", compare,
            simulated | {"plans": "plan", "arrhythmias": "induce"} | _scar(observed),
            ("compare", *PACING), only_if={"segmentation": _asks_for_scars}, apart_from=("plans", "compare"),
            share=55,
        ),
        _report(observed, posterior),
    )  # fmt: skip


def _scar(observed: dict[str, list[str]]) -> dict[str, str]:
    """What scar can be told from anew; nothing where the heart is a mesh of the user's own."""
    return {} if observed["mesh"] else {"segmentation": "segment"}


def _asks_for_scars(settings: Settings) -> bool:
    return bool(settings.induce.scar_thresholds)


def _induction(observed: dict[str, list[str]], simulated: dict[str, str]) -> tuple[Step, ...]:
    """The screen, on the calibration mesh with the velocities of the fitted front, and pacing itself.

    Pacing does not hang on the screen unless it is to leave out what that did not find: a night of it stays in use.
    """
    screened = {"heart": "mesh", "coarse": "calibration mesh", "posterior": simulated["posterior"]}
    return (
        Step(
            "screen",
            "screen",
            screen_for_circuits,
            screened,
            ("induce", "tissue"),
            but_for=("induce.scar_thresholds",),
            share=4,
        ),
        Step(
            "induce",
            "induce",
            induce,
            simulated | {"screened": "screen"} | _scar(observed),
            PACING,
            only_if={
                "screened": lambda settings: settings.induce.only_screened,
                "segmentation": _asks_for_scars,
            },
            share=26,
        ),
    )


def _anatomy(observed: dict[str, list[str]]) -> tuple[Step, ...]:
    """Segmentation and heart; a mesh of the user's takes the place of imaging, which then is for the report only."""
    if not observed["mesh"]:
        return (
            _segmentation(observed),
            Step("mesh", "mesh", build_heart, {"segmentation": "segment"}, ("mesh", "segment.rv_wall_mm"), share=0.8),
        )
    reads = ("mesh", "mesh_file", "tissue.cell_model", "tissue.velocity_cross_m_per_s")
    own = Step("mesh", "mesh", take_mesh, {"given": observed["mesh"][-1]}, reads, share=0.8)
    return (_segmentation(observed), own) if observed["label_map"] or observed["image"] else (own,)


def _calibration_mesh(observed: dict[str, list[str]]) -> Step:
    """The anatomy on a coarser lattice; of a mesh of the user's there is only the one."""
    if observed["mesh"]:
        return Step("calibration mesh", "calibrate", take_heart, {"heart": "mesh"}, share=0.1)
    return Step(
        "calibration mesh", "calibrate", build_calibration_heart, {"segmentation": "segment"},
        ("mesh", "calibrate.edge_mm", "segment.rv_wall_mm"),
    )  # fmt: skip


def _segmentation(observed: dict[str, list[str]]) -> Step:
    if observed["label_map"]:
        return Step("segment", "segment", take_label_map, {"label_map": observed["label_map"][-1]}, ("labels",))
    if observed["image"]:
        return Step(
            "segment", "segment", segment_image, {"image": observed["image"][-1]}, ("segment",), share=0.3,
            plug_in=segmenter_in_use,
        )  # fmt: skip
    return Step("segment", "segment", segment_image, waits_for=NO_IMAGING)


def _own_plans(observed: list[str]) -> tuple[Step, ...]:
    """As soon as there is a mesh, so that a misplaced plan is refused before hours of pacing and not after."""
    if not observed:
        return ()
    return (Step("own plans", "plan", check_plans, {"heart": "mesh"}, lists={"plans": tuple(observed)}, share=0.1),)


def _plans(observed: dict[str, list[str]]) -> tuple[Step, Step]:
    """Proposals, for which corridors are found where the heart was made from a segmentation; and all plans together."""
    inputs = {"heart": "mesh", "arrhythmias": "induce"} | ({} if observed["mesh"] else {"segmentation": "segment"})
    gathered = {"proposals": "proposed plans"} | ({"own": "own plans"} if observed["plan"] else {})
    return (
        Step("proposed plans", "plan", propose, inputs, ("plan",), share=0.3),
        Step("plan", "plan", gather_plans, gathered, share=0.1),
    )


def _electrodes(observed: list[str], torsos: list[str]) -> Step:
    """Measured or placed, in the conductor that the settings name."""
    inputs = {"heart": "mesh"} | ({"torso": torsos[-1]} if torsos else {})
    if observed:
        reads = ("electrodes.conductor", "electrodes.sex", "electrodes.stature_mm")
        return Step("electrodes", "calibrate", take_electrodes, inputs | {"electrodes": observed[-1]}, reads)
    return Step("electrodes", "calibrate", place_electrodes, inputs, ("electrodes",))


def _calibrations(ecgs: list[str]) -> tuple[Step, ...]:
    """One step an ECG, each given the ECGs so far and starting from the posterior of the earlier ones."""
    if not ecgs:
        return (Step("calibrate", "calibrate", calibrate, waits_for=NO_ECG),)
    reads = (*(f"calibrate.{name}" for name in SITE_SETTINGS), "tissue.border_zone_velocity_fraction")
    table = Step("site library", "calibrate", tabulate_sites, {"heart": "calibration mesh"}, reads, share=8)
    steps: list[Step] = [table]
    for number in range(1, len(ecgs) + 1):
        name = "calibrate" if number == 1 else f"calibrate, ECG {number}"
        inputs = {"heart": "calibration mesh", "electrodes": "electrodes", "library": table.name}
        inputs |= {"previous": steps[-1].name} if number > 1 else {}
        lists = {"ecgs": tuple(ecgs[:number])}
        steps.append(
            Step(
                name, "calibrate", calibrate, inputs, ("calibrate", "tissue"), lists,
                but_for=("calibrate.scar_thresholds",), share=12,
            )
        )  # fmt: skip
    return tuple(steps)


def _ensemble_beat(ecgs: list[str], posterior: str) -> Step:
    if not ecgs:
        return Step(ENSEMBLE_BEAT, "calibrate", beat_of_ensemble, waits_for=NO_ECG, beside=True)
    inputs = {"heart": "calibration mesh", "posterior": posterior, "electrodes": "electrodes", "ecg": ecgs[-1]}
    return Step(
        ENSEMBLE_BEAT, "calibrate", beat_of_ensemble, inputs, ("calibrate.beat", "calibrate.seed", "tissue"), share=2,
        beside=True,
    )  # fmt: skip


def _scar_thresholds(observed: dict[str, list[str]]) -> tuple[Step, ...]:
    """None where the heart is a mesh of the user's own: its scar is not a matter of thresholds."""
    if observed["mesh"]:
        return ()
    if not observed["ecg"]:
        return (Step(SCAR_THRESHOLDS, "calibrate", weigh_scar_thresholds, waits_for=NO_ECG, beside=True),)
    inputs = {"segmentation": "segment", "electrodes": "electrodes"}
    reads = ("calibrate", "tissue", "mesh", "segment.rv_wall_mm")
    lists = {"ecgs": tuple(observed["ecg"])}
    return (Step(SCAR_THRESHOLDS, "calibrate", weigh_scar_thresholds, inputs, reads, lists, beside=True),)


def _report(observed: dict[str, list[str]], posterior: str) -> Step:
    inputs = {
        "heart": "mesh", "segmentation": "segment", "electrodes": "electrodes", "calibration_heart": "calibration mesh",
        "posterior": posterior, "ensemble_beat": ENSEMBLE_BEAT,
        "scar_evidence": SCAR_THRESHOLDS, "velocities": "velocities of the tissue",
        "confirmation": "simulate",
        "screened": "screen", "arrhythmias": "induce", "proposals": "proposed plans", "plans": "plan",
        "comparison": "compare",
    }  # fmt: skip
    if observed["mesh"]:
        del inputs["scar_evidence"]
        if not (observed["image"] or observed["label_map"]):
            del inputs["segmentation"]
    optional = tuple(name for name in inputs if name != "heart")
    if observed["image"]:
        inputs["image"] = observed["image"][-1]
    if observed["tachycardia"]:
        inputs["tachycardia"] = observed["tachycardia"][-1]
    from cardiotwin.settings import Settings

    return Step(
        "report", "report", write_report, inputs, tuple(Settings.model_fields), {"ecgs": tuple(observed["ecg"])},
        optional, share=3, into="report",
    )  # fmt: skip


def take_label_map(work: Work, label_map: LabelMap) -> Segmentation:
    """The user's own segmentation, each label in the region that the settings or anatomy say."""
    from cardiotwin.given_labels import as_segmentation

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
    from cardiotwin.heart import build_heart
    from cardiotwin.mesh_holes import told_of_drawn

    wall_mm = work.settings.segment.rv_wall_mm
    heart = build_heart(segmentation, work.settings.mesh, rv_wall_mm=wall_mm, progress=work.progress)
    return told_of_drawn(heart, segmentation)


def build_calibration_heart(work: Work, segmentation: Segmentation) -> Heart:
    """The same anatomy on a coarser lattice, for the eikonal model."""
    from cardiotwin.heart import build_heart

    coarse = work.settings.mesh.model_copy(update={"edge_mm": work.settings.calibrate.edge_mm})
    return build_heart(segmentation, coarse, rv_wall_mm=work.settings.segment.rv_wall_mm, progress=work.progress)


def take_mesh(work: Work, given: UserMesh) -> Heart:
    """A mesh made elsewhere, with what twin.toml says of it."""
    from cardiotwin.mesh_anatomy import heart_of

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
    from cardiotwin.electrodes import check_around, in_conductor

    check_around(heart, electrodes)
    return in_conductor(heart, electrodes, work.settings.electrodes, torso)


def place_electrodes(work: Work, heart: Heart, torso: TorsoSurface | None = None) -> Electrodes:
    """Where `twin.toml` wants those that nobody measured."""
    from cardiotwin.electrodes import in_conductor, place

    return in_conductor(heart, place(heart, work.settings.electrodes), work.settings.electrodes, torso)


SITE_SETTINGS = (
    "velocity_fibre_m_per_s", "velocity_fibre_prior_m_per_s", "velocity_cross_m_per_s", "velocity_endocardium_m_per_s",
    "fast_endocardium", "n_candidates", "border_zone_velocity_fractions",
)  # fmt: skip


def tabulate_sites(work: Work, heart: Heart) -> SiteLibrary:
    """Apart from the posterior, so that a further ECG finds it ready."""
    from cardiotwin.calibration import sites_of
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
    from cardiotwin.beats import chosen
    from cardiotwin.calibration import calibrate

    ecgs = tuple(chosen(ecg, work.settings.calibrate.beat) for ecg in ecgs)
    return calibrate(
        heart, ecgs, electrodes, work.settings.calibrate, work.settings.tissue, previous=previous,
        library=library, progress=work.progress,
    )  # fmt: skip


def beat_of_ensemble(work: Work, heart: Heart, posterior: Posterior, electrodes: Electrodes, ecg: Ecg) -> EnsembleBeat:
    """Activation of draws, and recovery from the T wave."""
    from cardiotwin.beat_of_ensemble import ensemble_beat

    asked = work.settings.calibrate
    return ensemble_beat(
        heart, posterior, ecg, electrodes, work.settings.tissue, beat=asked.beat, seed=asked.seed,
        progress=work.progress,
    )  # fmt: skip


def weigh_scar_thresholds(
    work: Work, segmentation: Segmentation, electrodes: Electrodes, ecgs: tuple[Ecg, ...]
) -> ScarEvidence:
    """A calibration for each pair that is asked about; none unless some are."""
    from cardiotwin.beats import chosen
    from cardiotwin.scar_evidence import scar_evidence

    asked = work.settings.calibrate
    return scar_evidence(
        segmentation, [chosen(ecg, asked.beat) for ecg in ecgs], electrodes, asked.scar_thresholds, asked,
        work.settings.tissue, work.settings.mesh, rv_wall_mm=work.settings.segment.rv_wall_mm, progress=work.progress,
    )  # fmt: skip


def velocities_of_tissue(work: Work, heart: Heart, posterior: Posterior) -> FrontToTissue:
    """What makes the fitted front's velocities the tissue's, for each cell model in use."""
    from cardiotwin.front_velocity import front_to_tissue

    settings = work.settings
    return front_to_tissue(
        heart, posterior, settings.tissue, (settings.induce.cell_model,),
        site_radius_mm=settings.simulate.site_radius_mm, dt_ms=settings.simulate.dt_ms, progress=work.progress,
    )  # fmt: skip


def confirm(
    work: Work, heart: Heart, posterior: Posterior, velocities: FrontToTissue, electrodes: Electrodes
) -> Confirmation:
    from cardiotwin.confirmation import confirm

    tissue = work.settings.tissue
    return confirm(
        heart, velocities.tissue(posterior, tissue.cell_model), electrodes, work.settings.simulate, tissue,
        folder=work.folder, progress=work.progress,
    )  # fmt: skip


def screen_for_circuits(work: Work, heart: Heart, coarse: Heart, posterior: Posterior) -> Arrhythmias:
    """What fronts find, in minutes."""
    from cardiotwin.induction import screen

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
    from cardiotwin.induction import induce

    settings = work.settings.induce
    return induce(
        heart, velocities.tissue(posterior, settings.cell_model), settings, work.settings.tissue,
        others=_other_scars(work, heart, segmentation), screened=screened, folder=work.folder,
        progress=work.progress,
    )  # fmt: skip


def _other_scars(work: Work, heart: Heart, segmentation: Segmentation | None) -> dict[str, Heart]:
    from cardiotwin.scar_variants import other_scars

    settings = work.settings
    return other_scars(heart, segmentation, settings.induce.scar_thresholds, align_slices=settings.mesh.align_slices)


def check_plans(work: Work, heart: Heart, plans: tuple[Plan, ...]) -> tuple[Plan, ...]:
    """The user's plans, once every lesion of theirs is known to lie on this heart."""
    from cardiotwin.ablation import lesion_elements

    for plan in plans:
        lesion_elements(heart, plan)
    return plans


def propose(work: Work, heart: Heart, arrhythmias: Arrhythmias, segmentation: Segmentation | None = None) -> Proposals:
    """What the tool proposes, and why it does not propose the rest of what it was asked for."""
    from cardiotwin.induction import only_under_other_scars
    from cardiotwin.proposals import proposals_for

    found = proposals_for(heart, arrhythmias.circuits, work.settings.plan, segmentation)
    elsewhere = only_under_other_scars(arrhythmias)
    if not elsewhere:
        return found
    numbers = ", ".join(str(number + 1) for number in elsewhere)
    note = f"scar as segmented decides what is proposed: circuits that turn only with other scar ({numbers}) may stay"
    return replace(found, left_out=(*found.left_out, note))


def gather_plans(work: Work, proposals: Proposals, own: tuple[Plan, ...] = ()) -> tuple[Plan, ...]:
    """The user's plans first, then what the tool proposes; some, unless there is nothing to plan for."""
    from cardiotwin.proposals import check_some_stand

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
    from cardiotwin.pacing_cost import cost_of_comparing, pacing_seconds
    from cardiotwin.retesting import compare

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
    from cardiotwin.settings import Settings
    from cardiotwin.study import Study

    return Study(settings=Settings(**vars(settings)), provenance=provenance, **known)
