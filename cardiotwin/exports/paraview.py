"""The study as files that ParaView (5.12 or newer) and VTK (9.3 or newer) open: points in mm, LPS.

VTK and ParaView cannot colour by NaN, so no field holds one: `FIELDS` says which value stands for "never" and which
mask tells it apart. README.txt, written beside the files, is made from the same table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cardiotwin.ablation import lesions as ablation
from cardiotwin.calibration.beat_of_ensemble import EnsembleBeat, spread
from cardiotwin.comparison.plan_results import file_names
from cardiotwin.ecg.electrodes import Electrodes, shown_skin
from cardiotwin.exports.films import film_file
from cardiotwin.exports.paraview_scene import SCENE, SCRIPT, scene_file, script_file
from cardiotwin.exports.vtk_files import NEVER_MS, File, finite, time_series, unstructured, xml_file
from cardiotwin.heart.heart import CORE, Heart
from cardiotwin.heart.segments import heart_segments
from cardiotwin.induction.arrhythmias import AS_SEGMENTED
from cardiotwin.induction.reentry import Circuit
from cardiotwin.pictures.film import FRAMES
from cardiotwin.progress import Progress, silent
from cardiotwin.segmentation import Corridor
from cardiotwin.storage.durable import write_file
from cardiotwin.study import Study

ACTIVATION_SITE, PACING_SITE, ELECTRODE, ISTHMUS, EXIT = 1, 2, 3, 4, 5

FIELDS: dict[str, tuple[str, str]] = {
    "tissue_class": ("element", "1 healthy, 2 border zone, 3 scar core"),
    "ventricle": ("element", "1 left with septum, 2 right"),
    "fibres": ("element", "unit vector along the fibres"),
    "sheets": ("element", "unit vector in the sheet, across the fibres"),
    "transmural": ("node", "CardioTwin's own: 0 endocardium to 1 epicardium, across the whole septum, no unit"),
    "apicobasal": ("node", "CardioTwin's own: 0 apex to 1 base, no unit"),
    "rotational": ("node", "the same as cobiveco_rotational"),
    "cobiveco_transmural": ("node", "0 epicardium and middle of the septum to 1 endocardium: the other way round"),
    "cobiveco_apicobasal": ("node", "0 apex to 1 base, share of the way along the wall, no unit"),
    "cobiveco_rotational": ("node", "turns: 0 posterior junction, over the free wall to 2/3 anterior one, septum to 1"),
    "cobiveco_transventricular": ("node", "0 left, 1 right; the septum is divided in its middle"),
    "segment": ("element", "AHA segment, 1 to 17; 0 in the right ventricle's free wall"),
    "excitable": ("node", "1 where an element outside the scar core holds the node, else 0"),
    "activation_ms": ("node", "first activation in the confirming run, ms; -1: never"),
    "repolarisation_ms": ("node", "end of that beat, ms; -1: never, or after the run ended"),
    "activation_mean_ms": ("node", "mean first activation over draws of the ensemble, eikonal model, ms; -1: never"),
    "activation_spread_ms": ("node", "its standard deviation over those draws, ms; -1: never activated"),
    "repolarisation_mean_ms": ("node", "mean time of half repolarisation, fitted to the T wave, ms; -1: never"),
    "repolarisation_spread_ms": ("node", "its standard deviation over draws, ms; -1: never activated"),
    "potential_mv": ("node", "transmembrane potential, mV; -100: none (scar core), see `excitable`"),
    "phase_ms": ("node", "activation within the circuit's last cycle, ms, 0 at its exit; -1: not activated"),
    "isthmus": ("node", "1 in the circuit's isthmus, else 0"),
    "since_ms": ("node", "how long ago the circuit's wave passed, ms; its cycle length where it never does"),
    "reached": ("node", "1 where the circuit's wave passes, else 0"),
    "ablated": ("element", "1 where the preferred plan ablates, else 0"),
    "kind": ("point", "1 activation site, 2 pacing site, 3 electrode, 4 isthmus centre, 5 exit of a circuit"),
    "number": ("point", "which one of its kind, from 1; for 4 and 5 the circuit"),
    "weight": ("point", "weight of the member of the posterior an activation site belongs to, no unit; else 1"),
    "time_ms": ("point", "when an activation site fires, ms; -1: does not apply"),
    "name": ("point", "in words"),
    "uncertainty_mm": ("point", "standard deviation of an electrode's place along the skin, mm; -1: not stated"),
    "corridor": ("line", "which one, from 1, the longest first"),
    "length_mm": ("line", "from mouth to mouth, mm"),
    "narrowest_mm": ("line", "shortest chord across it, mm"),
    "depth": ("line", "of its middle, 0 endocardium to 1 epicardium; -1: not known"),
}
"""Every field: what carries it, and its meaning with its unit."""


def write_study(folder: Path | str, study: Study, progress: Progress = silent) -> tuple[Path, ...]:
    """Write what there is of a study for ParaView: heart, potential over time, circuits, lesions, sites, README.

    A file that is there is whole: it is made in memory and then takes its place in one step. Parts of the study that
    have not been computed have no file, and files of an earlier study in the folder that this one lacks are removed.

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written; no file is half written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = _jobs(study)
    for stale in _written_before(folder) - jobs.keys():
        (folder / stale).unlink()
    contents = {}
    for done, (name, (what, write)) in enumerate(jobs.items()):
        progress(done / len(jobs), f"ParaView: {name}")
        data, fields = write()
        write_file(folder / name, data)
        contents[name] = (what, fields)
    own = {SCENE: scene_file(study, jobs.keys(), _preferred(study)), SCRIPT: script_file()}
    for name, data in own.items():
        write_file(folder / name, data)
    write_file(folder / "README.txt", _readme(study, contents).encode())
    progress(1.0, "ParaView")
    return tuple(folder / name for name in (*jobs, *own, "README.txt"))


def _jobs(study: Study) -> dict[str, tuple[str, Callable[[], File]]]:
    """File name to what the file is, in words, and how to make it."""
    jobs: dict[str, tuple[str, Callable[[], File]]] = {"heart.vtu": ("the heart", partial(_heart, study))}
    if study.confirmation is not None and study.confirmation.activation.snapshot_ms.size:
        activation = study.confirmation.activation
        what = f"the potential over {activation.snapshot_ms.size} time steps of the confirming run; its time is in ms"
        make = partial(potential_file, study.heart, activation.snapshot_ms, activation.snapshots)
        jobs["potential.vtkhdf"] = what, make
    if study.ensemble_beat is not None and study.calibration_heart is not None:
        what = "the beat of the ensemble on the calibration mesh: what the ECG leaves open, node by node"
        jobs["ensemble.vtu"] = what, partial(_ensemble, study.calibration_heart, study.ensemble_beat)
    for number, (circuit, heart) in enumerate(study.circuits, start=1):
        on = _scar_told(study, number)
        what = f"circuit {number}: its phase map over the heart{on}"
        jobs[f"circuit_{number}.vtu"] = what, partial(_circuit, heart, circuit)
        what = f"circuit {number} as a film: one turn in {FRAMES} frames on the surface, which closes on itself{on}"
        jobs[f"circuit_{number}_film.vtkhdf"] = what, partial(_film, study, heart, circuit)
    for name, plan in zip(plan_file_names(study), study.plans, strict=True):
        lesions = ablation.lesion_elements(study.heart, plan)
        if lesions.any():
            jobs[name] = f'elements that the plan "{_one_line(plan.name)}" ablates', partial(_lesions, study, lesions)
    if ways := study.corridors:
        jobs["corridors.vtp"] = "corridors through scar core, a line each", partial(corridor_file, ways)
    if len(_site_columns(study)["kind"]):
        jobs["sites.vtp"] = "activation sites, pacing sites, electrodes, circuits", partial(_sites, study)
    if study.electrodes is not None:
        what = "the skin of a mean adult's trunk, moved and stretched to the electrodes: not this patient's"
        if study.electrodes.conductor is not None:
            what = f"the skin of {study.electrodes.conductor.whose}, which conducts to the electrodes"
        jobs["torso.vtp"] = what, partial(_torso, study.electrodes)
    return jobs


def _written_before(folder: Path) -> set[str]:
    ours = re.compile(
        r"heart\.vtu|ensemble\.vtu|potential\.vtkhdf|circuit_\d+\.vtu|circuit_\d+_film\.vtkhdf|lesions_[a-z0-9-]+\.vtu|sites\.vtp|torso\.vtp|corridors\.vtp"
    )
    return {path.name for path in folder.iterdir() if ours.fullmatch(path.name)}


def plan_file_names(study: Study) -> tuple[str, ...]:
    """Name of each plan's file; plans are named by users, so only letters and digits pass."""
    return tuple(f"lesions_{slug}.vtu" for slug in file_names(study.plans))


def _preferred(study: Study) -> str | None:
    """File of the preferred plan's lesions."""
    names = zip(study.plans, plan_file_names(study), strict=True)
    return next((name for plan, name in names if plan is study.preferred_plan), None)


# ---------------------------------------------------------------------------------------------------------- fields


def excitable_nodes(heart: Heart) -> np.ndarray:
    """(n_nodes,) bool: held by at least one element outside the scar core."""
    excitable = np.zeros(len(heart.mesh.points), bool)
    excitable[heart.mesh.tets[heart.tissue_class != CORE]] = True
    return excitable


def _anatomy(heart: Heart) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    elements = {
        "tissue_class": heart.tissue_class,
        "ventricle": heart.ventricle,
        "fibres": heart.fibres.astype(np.float32),
        "sheets": heart.sheets.astype(np.float32),
    }
    nodes = {
        "transmural": finite(heart.transmural, NEVER_MS),
        "apicobasal": finite(heart.apicobasal, NEVER_MS),
        "excitable": excitable_nodes(heart).astype(np.uint8),
    }
    if heart.coordinates is not None:
        elements["segment"] = heart_segments(heart)
        nodes["rotational"] = heart.coordinates.rotational.astype(np.float32)
        for name in ("transmural", "apicobasal", "rotational"):
            nodes[f"cobiveco_{name}"] = getattr(heart.coordinates, name).astype(np.float32)
        nodes["cobiveco_transventricular"] = heart.coordinates.transventricular.astype(np.uint8)
    return elements, nodes


def _heart(study: Study) -> File:
    elements, nodes = _anatomy(study.heart)
    if study.confirmation is not None and len(study.confirmation.activation.activation_ms):
        nodes["activation_ms"] = finite(study.confirmation.activation.activation_ms[0], NEVER_MS)
        nodes["repolarisation_ms"] = finite(study.confirmation.activation.repolarisation_ms[0], NEVER_MS)
    return unstructured(study.heart.mesh.points, study.heart.mesh.tets, elements, nodes)


def _ensemble(heart: Heart, beat: EnsembleBeat) -> File:
    times = {"activation": beat.activation_ms}
    if beat.repolarisation is not None:
        times["repolarisation"] = beat.repolarisation.repolarisation_ms
    nodes = {"excitable": excitable_nodes(heart).astype(np.uint8)}
    for name, each in times.items():
        mean, deviation = spread(each)
        nodes |= {f"{name}_mean_ms": finite(mean, NEVER_MS), f"{name}_spread_ms": finite(deviation, NEVER_MS)}
    return unstructured(heart.mesh.points, heart.mesh.tets, {"tissue_class": heart.tissue_class}, nodes)


def _scar_told(study: Study, number: int) -> str:
    """What the tissue classes beside a circuit are, where that is not the scar of heart.vtu."""
    scar = study.arrhythmias.scar_of(number - 1) if study.arrhythmias is not None else AS_SEGMENTED
    return "" if scar == AS_SEGMENTED else f"; scar by {scar} of the brightest signal, on which it was induced"


def _circuit(heart: Heart, circuit: Circuit) -> File:
    mesh = heart.mesh
    isthmus = np.zeros(len(mesh.points), np.uint8)
    isthmus[circuit.isthmus_nodes] = 1
    nodes = {"phase_ms": finite(circuit.phase_ms, NEVER_MS), "isthmus": isthmus}
    return unstructured(mesh.points, mesh.tets, {"tissue_class": heart.tissue_class}, nodes)


def _film(study: Study, heart: Heart, circuit: Circuit) -> File:
    return film_file(heart, circuit, study.preferred_lesions(heart))


def _lesions(study: Study, lesions: np.ndarray) -> File:
    mesh = study.heart.mesh
    used, tets = np.unique(mesh.tets[lesions], return_inverse=True)
    elements = {"tissue_class": study.heart.tissue_class[lesions]}
    nodes = {"transmural": finite(study.heart.transmural[used], NEVER_MS)}
    return unstructured(mesh.points[used], tets.reshape(-1, 4), elements, nodes)


def _site_columns(study: Study) -> dict[str, Any]:
    """Columns of sites.vtp: position, and the fields of `FIELDS` that a point has."""
    rows: list[tuple[np.ndarray, int, int, float, float, str]] = []
    if study.posterior is not None:
        posterior = study.posterior
        for member, weight in enumerate(posterior.weights):
            for site, (position, time) in enumerate(
                zip(posterior.site_positions[member], posterior.site_times_ms[member], strict=True), start=1
            ):
                name = f"activation site {site} of member {member}"
                rows.append((position, ACTIVATION_SITE, site, float(weight), float(time), name))
    if study.arrhythmias is not None:
        for k, position in enumerate(study.arrhythmias.site_positions, start=1):
            rows.append((position, PACING_SITE, k, 1.0, NEVER_MS, f"pacing site {k}"))
        for k, circuit in enumerate(study.arrhythmias.circuits, start=1):
            rows.append((circuit.isthmus_mm, ISTHMUS, k, 1.0, NEVER_MS, f"isthmus of circuit {k}"))
            rows.append((circuit.exit_mm, EXIT, k, 1.0, NEVER_MS, f"exit of circuit {k}"))
    if study.electrodes is not None:
        for k, position in enumerate(study.electrodes.positions, start=1):
            rows.append((position, ELECTRODE, k, 1.0, NEVER_MS, f"electrode {study.electrodes.names[k - 1]}"))
    positions, kinds, numbers, weights, times, names = zip(*rows, strict=True) if rows else ((),) * 6
    uncertainty = np.full(len(kinds), NEVER_MS, np.float32)
    if study.electrodes is not None and study.electrodes.uncertainty_mm is not None:
        uncertainty[np.array(kinds) == ELECTRODE] = study.electrodes.uncertainty_mm
    return {
        "positions": np.array(positions, float).reshape(-1, 3),
        "kind": np.array(kinds, np.uint8),
        "number": np.array(numbers, np.int32),
        "weight": np.array(weights, np.float32),
        "time_ms": finite(np.array(times, float), NEVER_MS),
        "name": list(names),
        "uncertainty_mm": uncertainty,
    }


# --------------------------------------------------------------------------------------------------------- formats


def _sites(study: Study) -> File:
    import pyvista as pv
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    columns = _site_columns(study)
    cloud = pv.PolyData(columns.pop("positions"))
    for name, values in columns.items():
        cloud.point_data[name] = values
    return xml_file(vtkXMLPolyDataWriter(), cloud), tuple(columns)


def _torso(electrodes: Electrodes) -> File:
    import pyvista as pv
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    skin = pv.PolyData.from_regular_faces(*shown_skin(electrodes))
    return xml_file(vtkXMLPolyDataWriter(), skin), ()


def corridor_file(ways: tuple[Corridor, ...]) -> File:
    """A polyline for each corridor, from mouth to mouth."""
    import pyvista as pv
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    starts = np.cumsum([0, *(len(one.points) for one in ways)])
    cells = [
        [len(one.points), *range(start, start + len(one.points))] for start, one in zip(starts, ways, strict=False)
    ]
    lines = pv.PolyData(np.concatenate([one.points for one in ways]), lines=np.concatenate(cells))
    columns = {
        "corridor": np.arange(1, len(ways) + 1, dtype=np.int32),
        "length_mm": np.array([one.length_mm for one in ways], np.float32),
        "narrowest_mm": np.array([one.narrowest_mm for one in ways], np.float32),
        "depth": finite(np.array([one.depth for one in ways]), NEVER_MS),
    }
    for name, values in columns.items():
        lines.cell_data[name] = values
    return xml_file(vtkXMLPolyDataWriter(), lines), tuple(columns)


def potential_file(heart: Heart, times_ms: np.ndarray, potential_mv: np.ndarray) -> File:
    """The potential of a heart over time, with what tells its tissue; arguments as in `time_series`."""
    excitable = excitable_nodes(heart).astype(np.uint8)
    still = {"CellData/tissue_class": heart.tissue_class, "PointData/excitable": excitable}
    data = time_series(heart.mesh.points, heart.mesh.tets, times_ms, potential_mv, still)
    return data, ("tissue_class", "excitable", "potential_mv")


# ---------------------------------------------------------------------------------------------------------- README


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _readme(study: Study, contents: Mapping[str, tuple[str, tuple[str, ...]]]) -> str:
    lines = [
        "CardioTwin study for ParaView 5.12 or newer. Research use only; not a medical device.",
        "Positions in mm, patient frame LPS: x to the patient's left, y to the back, z to the head.",
        f"Heart: {len(study.heart.mesh.points)} nodes, {len(study.heart.mesh.tets)} tetrahedra, "
        f"lattice constant {study.heart.edge_mm:g} mm.",
    ]
    if study.provenance.outdated:
        lines.append(f"EARLIER VERSION. {study.provenance.outdated}")
    if not study.heart.scar_assessable:
        lines.append("Scar was not assessed: that tissue_class is 1 everywhere means nothing.")
    lines += ["", f"To see it all at once: `paraview --script={SCRIPT}` in this folder; its first lines say how else."]
    for name, (what, fields) in contents.items():
        lines += ["", f"{name}: {what}"]
        lines += [f"  {field:<26} {FIELDS[field][0]:<8} {FIELDS[field][1]}" for field in fields]
    if study.heart.coordinates is not None:
        lines += ["", "cobiveco_...: ventricular coordinates in Cobiveco's conventions, for mapping and segments."]
    if study.electrodes is None:
        lines += ["", "sites.vtp, torso.vtp: written once electrodes are given or placed (`cardiotwin report CASE`)."]
    for name, plan in zip(plan_file_names(study), study.plans, strict=True):
        if name not in contents:
            lines += ["", f'The plan "{_one_line(plan.name)}" ablates nothing and has no file.']
    return "\n".join(lines) + "\n"
