"""The stages in order: what each takes and which settings it reads.

`path` lays the steps out for the observations at hand; what they call is in `cardiotwin.twin.stage_functions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cardiotwin.storage.ledger import Observation
from cardiotwin.twin.stage_functions import (
    beat_of_ensemble,
    build_calibration_heart,
    build_heart,
    calibrate,
    check_plans,
    compare,
    confirm,
    gather_plans,
    induce,
    place_electrodes,
    propose,
    screen_for_circuits,
    segment_image,
    segmenter_in_use,
    tabulate_sites,
    take_electrodes,
    take_heart,
    take_label_map,
    take_mesh,
    velocities_of_tissue,
    weigh_scar_thresholds,
    write_report,
)
from cardiotwin.twin.step import OBSERVED, Step

if TYPE_CHECKING:
    from cardiotwin.settings import Settings

STAGES = ("segment", "mesh", "calibrate", "simulate", "screen", "induce", "plan", "compare", "report")
"""What the user can ask for, in order."""
PACING = ("induce", "tissue", "mesh.align_slices")
"""Settings that pacing reads."""
SITE_SETTINGS = (
    "velocity_fibre_m_per_s", "velocity_fibre_prior_m_per_s", "velocity_cross_m_per_s", "velocity_endocardium_m_per_s",
    "fast_endocardium", "n_candidates", "border_zone_velocity_fractions",
)  # fmt: skip

NO_IMAGING = "imaging: add an LGE-CMR series (`cardiotwin add CASE FOLDER`), a label map (NIfTI or NRRD) or a mesh"
ENSEMBLE_BEAT, SCAR_THRESHOLDS, OWN_PLANS = "beat of the ensemble", "scar thresholds", "own plans"
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
            "velocities of the tissue", "simulate", velocities_of_tissue,
            {"heart": "mesh", "coarse": "calibration mesh", "posterior": posterior},
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
    return (Step(OWN_PLANS, "plan", check_plans, {"heart": "mesh"}, lists={"plans": tuple(observed)}, share=0.1),)


def _plans(observed: dict[str, list[str]]) -> tuple[Step, Step]:
    """Proposals, for which corridors are found where the heart was made from a segmentation; and all plans together."""
    inputs = {"heart": "mesh", "arrhythmias": "induce"} | ({} if observed["mesh"] else {"segmentation": "segment"})
    gathered = {"proposals": "proposed plans"} | ({"own": OWN_PLANS} if observed["plan"] else {})
    return (
        Step("proposed plans", "plan", propose, inputs, ("plan", "mesh.align_slices"), share=0.3),
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
    if observed["plan"]:
        inputs["own_plans"] = OWN_PLANS
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
