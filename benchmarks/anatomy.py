"""From images to a heart, against what is known: the phantom's truth, what people drew, shapes known on paper.

    python benchmarks/anatomy.py [--json] [--only phantom,real,volumes,quality,fibres,surfaces,electrodes,whole]

A row holds the worst of its cases and the note all of them. Rows on real data need the folder that `CARDIOTWIN_DATA`
names and say so where it is not there. Times are processor time of one thread, compilation left out, so that they do
not depend on what else the machine does; what they bound from above is the wall time on a machine at rest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
from scipy import ndimage

from cardiotwin.ecg import INDEPENDENT_LEADS, LEADS, eikonal_ecg, electrode_weights
from cardiotwin.eikonal import activation_times, conducting_tets
from cardiotwin.electrodes import ELECTRODES, Electrodes, offset_electrodes, torso_electrodes
from cardiotwin.errors import CardioTwinError
from cardiotwin.heart import BORDER_ZONE, CORE, LEFT, Heart, build_heart, heart_from_mesh
from cardiotwin.imaging import Image
from cardiotwin.ingest import read_label_map
from cardiotwin.ingest.labels import read_volume, right_handed
from cardiotwin.labelled_stack import base_first
from cardiotwin.locations import left_ventricle
from cardiotwin.meshes.formats import read_mesh
from cardiotwin.meshes.quality import quality
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle, drawn_ventricles
from cardiotwin.meshes.surfaces import BASE, LV_ENDOCARDIUM, RV_ENDOCARDIUM, tagged_by_distance
from cardiotwin.meshes.tetrahedra import stuff
from cardiotwin.phantom import true_volumes
from cardiotwin.phantom.anatomy import Anatomy, make_anatomy
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.phantom.torso import true_electrodes
from cardiotwin.segmentation import Segmentation, from_label_map, labels, segment, volumes_ml
from cardiotwin.settings import MeshSettings, TissueSettings
from cardiotwin.tissue import Velocities

Row = dict[str, Any]
"""name, value (None where the row was skipped), unit, bar (what was asked), ok (None where nothing was), note."""

DATA = os.environ.get("CARDIOTWIN_DATA")
PARTS = {"LV blood": (1,), "myocardium": labels.MUSCLE, "RV blood": (3,), "scar core": (4,)}
PHANTOM_BARS = {"LV blood": 0.95, "myocardium": 0.88, "RV blood": 0.88, "scar core": 0.75}
LGE, LGE_CONTOURS, LGE_SCAR = (
    f"lge_cmr_nifti/{name}.nii.gz" for name in ("lge_sax", "labels_lvbp1_lvmyo2_rvbp3", "labels_with_scar4")
)
CINE, CINE_CONTOURS = (
    f"cine_cmr_labels/{name}.nii.gz" for name in ("cine_sax_frame000", "labels_frame000_lvbp1_myo2_rvbp3")
)
LEFT_ONLY = ("real LGE, 8.6 mm",)
"""Label maps without the wall of the right ventricle."""
SHAPE = ProlateVentricle()
WHOLE_NODES, WHOLE_SECONDS, WHOLE_GB = 500_000, 60.0, 3.0


def row(
    name: str, value: float | None, unit: str, bar: float | None = None, ok: bool | None = None, note: str = ""
) -> Row:
    """One line of the table."""
    rounded = None if value is None else float(f"{value:.4g}")
    return {
        "name": name,
        "value": rounded,
        "unit": unit,
        "bar": bar,
        "ok": None if ok is None else bool(ok),
        "note": note,
    }


def at_least(name: str, values: Iterable[float], unit: str, bar: float, note: str = "") -> Row:
    """The smallest of the cases against a bar from below."""
    found = list(values)
    return row(name, min(found), unit, bar, min(found) >= bar, _listed(found, note))


def at_most(name: str, values: Iterable[float], unit: str, bar: float, note: str = "") -> Row:
    """The value furthest from nought against a bar for its size."""
    found = list(values)
    worst = max(found, key=abs)
    return row(name, worst, unit, bar, abs(worst) <= bar, _listed(found, note))


def _listed(values: list[float], note: str) -> str:
    every = ", ".join(f"{value:.3g}" for value in values) if len(values) > 1 else ""
    return "; ".join(part for part in (every, note) if part)


def skipped(name: str) -> Row:
    """A row that needs data which are not here."""
    return row(name, None, "", note="skipped: real data, and CARDIOTWIN_DATA names no folder that holds it")


def data(*names: str) -> list[Path] | None:
    """Files of real data; None where one is missing."""
    paths = [Path(DATA or "/nonexistent") / name for name in names]
    return paths if all(path.exists() for path in paths) else None


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Twice the overlap over the sum of both; 1 where both are empty."""
    total = first.sum() + second.sum()
    return float(2 * (first & second).sum() / total) if total else 1.0


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of the better of two runs, and the result."""
    taken = []
    for _ in range(2):
        start = time.process_time()
        result = work()
        taken.append(time.process_time() - start)
    return min(taken), result


# --- Segmentation of images whose truth is known -------------------------------------------------------------------


def phantom_cases() -> dict[str, list[tuple[Anatomy, LgeScan]]]:
    """What is varied, and the phantoms of it: one thing at a time about patient 1."""
    patient, settings = make_anatomy(1), LgeScan(seed=1)
    infarcts: list[dict[str, float]] = [
        {"core_width_mm": 18.0, "core_apical": 0.4, "core_basal": 0.65, "corridor_width_mm": 0.0},  # small, whole
        {"core_angle_deg": 200.0},  # lateral wall
        {"core_angle_deg": 10.0, "core_width_mm": 30.0},  # septum
        {"core_apical": 0.05, "core_basal": 0.45, "border_zone_mm": 5.0},  # apex, wide border zone
    ]
    return {
        "seeds 1, 2, 3": [(make_anatomy(seed), LgeScan(seed=seed)) for seed in (1, 2, 3)],
        "noise 2, 7 %": [(patient, replace(settings, noise=noise)) for noise in (0.02, 0.07)],
        "slices of 5, 10 mm": [(patient, replace(settings, slice_mm=thick)) for thick in (5.0, 10.0)],
        "infarct small, lateral, septal, apical": [(replace(patient, **shape), settings) for shape in infarcts],
    }


def phantom_rows() -> list[Row]:
    """Automatic segmentation of the phantom's LGE."""
    table = []
    for varied, cases in phantom_cases().items():
        found = [phantom_scores(*case) for case in cases]
        for part, bar in PHANTOM_BARS.items():
            table.append(at_least(f"phantom LGE, {varied}: {part}", [one[part] for one in found], "Dice", bar))
        errors = [one["scar mass"] for one in found]
        note = "core and border zone together, against the anatomy itself"
        table.append(at_most(f"phantom LGE, {varied}: scar mass", errors, "%", 15.0, note))
    return table


def phantom_scores(anatomy: Anatomy, settings: LgeScan) -> dict[str, float]:
    """Overlap of each part and error of the scar's mass, %; nothing found where it is refused."""
    image, truth = scan(anatomy, settings)
    try:
        found = segment(image)
    except CardioTwinError:
        return dict.fromkeys(PARTS, 0.0) | {"scar mass": -100.0}
    ours, true_ml = volumes_ml(found), true_volumes(anatomy)["scar"]
    error = 100 * ((ours["core"] + ours["border_zone"]) / true_ml - 1)
    return overlaps(found.labels, truth.labels) | {"scar mass": error}


def overlaps(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Dice of each part."""
    return {part: dice(np.isin(found, codes), np.isin(truth, codes)) for part, codes in PARTS.items()}


def real_rows() -> list[Row]:
    """Automatic segmentation of one real LGE and one real cine, against what people drew."""
    table = []
    for kind, picture, contours, slices, bars in (
        ("lge", LGE, LGE_CONTOURS, slice(None), {"LV blood": 0.88, "myocardium": 0.75}),
        ("cine", CINE, CINE_CONTOURS, slice(1, 6), {"LV blood": 0.88, "myocardium": 0.70}),
    ):
        name = f"real {kind}" + ("" if kind == "lge" else ", slices 2 to 6")
        paths = data(picture, contours)
        if paths is None:
            table.append(skipped(name))
            continue
        values, affine = right_handed(*read_volume(paths[0], paths[0].name))
        truth = right_handed(*read_volume(paths[1], paths[1].name))[0]
        result = segment(Image(values.astype(np.float32), affine, kind))
        found = result.labels
        if result.signal is not None:  # nobody drew the right free wall, which a rule draws and which has no signal
            found = np.where(np.isin(found, labels.MUSCLE) & np.isnan(result.signal), 0, found)
        scores = overlaps(found[slices], truth[slices])
        table += [at_least(f"{name}: {part}", [scores[part]], "Dice", bar) for part, bar in bars.items()]
        table.append(row(f"{name}: RV blood", scores["RV blood"], "Dice"))
        if kind == "cine":
            near = near_left_blood(truth, affine)
            wall = dice(np.isin(found[slices], labels.MUSCLE), near[slices])
            note = "myocardium within 13 mm of left blood, against all of ours"
            table.append(row(f"{name}: wall of the LV", wall, "Dice", note=note))
    return table


def near_left_blood(truth: np.ndarray, affine: np.ndarray, reach_mm: float = 13.0) -> np.ndarray:
    """Myocardium within reach of left blood in its slice."""
    pixel = np.linalg.norm(affine[:3, [1, 0]], axis=0)
    apart = np.full(truth.shape, np.inf)
    for k in np.flatnonzero((truth == labels.LV_BLOOD).any(axis=(1, 2))):
        apart[k] = ndimage.distance_transform_edt(truth[k] != labels.LV_BLOOD, sampling=pixel)
    return np.isin(truth, labels.MUSCLE) & (apart < reach_mm)


# --- Meshes ----------------------------------------------------------------------------------------------------------


def label_maps() -> dict[str, Segmentation]:
    """Label maps to mesh: the phantom's truth in slices of 5, 8 and 10 mm, ellipsoids, and a real one."""
    maps = {
        f"phantom, {thick:g} mm": scan(make_anatomy(1), LgeScan(seed=1, slice_mm=thick))[1]
        for thick in (5.0, 8.0, 10.0)
    }
    maps["ellipsoids, 8 mm"] = drawn_ellipsoids()
    paths = data(LGE_SCAR)
    if paths:
        maps[LEFT_ONLY[0]] = from_label_map(*read_label_map(paths[0]))
    return maps


def drawn_ellipsoids() -> Segmentation:
    """The reference ventricles as labels, right wall drawn; no scar."""
    drawn = drawn_ventricles(right_wall=True)
    codes = (drawn.left_blood + 2 * drawn.myocardium + 3 * drawn.right_blood).astype(np.uint8)
    return Segmentation(codes, np.diag([*drawn.spacing_mm[::-1], 1.0]), None, True, {})


def volume_rows(edge_mm: float = 1.5) -> list[Row]:
    """Volume of muscle and of each class of scar in the mesh, against the voxels they were drawn with."""
    errors: dict[str, list[float]] = {"myocardium": [], "scar core": [], "border zone": []}
    angles, cases, added = [], [], []
    for name, drawn in label_maps().items():
        # No wall by rule: what was drawn is compared with what came of it. Where no right wall was drawn at all, the
        # left ventricle is.
        bare = build_heart(drawn, MeshSettings(edge_mm=edge_mm), rv_wall_mm=0.0)
        with_wall = build_heart(drawn, MeshSettings(edge_mm=edge_mm))
        cases.append(name)
        for part, error in volume_errors(
            drawn, with_wall if name in LEFT_ONLY else bare, left_only=name in LEFT_ONLY
        ).items():
            errors[part].append(error)
        angles.append(quality(with_wall.mesh).smallest_dihedral)
        added.append(1e-3 * (with_wall.mesh.volumes.sum() - bare.mesh.volumes.sum()))
    note = f"{'; '.join(cases)}; edge {edge_mm:g} mm"
    bars = {"myocardium": 1.0, "scar core": 3.0, "border zone": 3.0}
    table = [at_most(f"mesh against label map: {part}", errors[part], "%", bars[part], note) for part in bars]
    table.append(row("mesh: right ventricular wall added by rule", max(added), "mL", note=_listed(added, note)))
    table.append(at_least("mesh of hearts: smallest dihedral", angles, "deg", 10.0, note))
    if data(LGE_SCAR) is None:
        table.append(skipped("mesh against label map: real LGE"))
    return table


def volume_errors(segmentation: Segmentation, heart: Heart, *, left_only: bool) -> dict[str, float]:
    """Error of each part that was drawn, %."""
    drawn = base_first(segmentation)
    counts = np.bincount(drawn.labels.ravel(), minlength=6) * abs(np.linalg.det(drawn.affine[:3, :3]))
    tissue = np.bincount(heart.tissue_class, heart.mesh.volumes, minlength=4)
    pairs = {
        "myocardium": (
            heart.mesh.volumes[(heart.ventricle == LEFT) | (not left_only)].sum(),
            counts[list(labels.MUSCLE)].sum(),
        ),
        "scar core": (tissue[CORE], counts[labels.CORE]),
        "border zone": (tissue[BORDER_ZONE], counts[labels.BORDER_ZONE]),
    }
    return {part: 100 * float(ours / theirs - 1) for part, (ours, theirs) in pairs.items() if theirs}


def quality_rows() -> list[Row]:
    """Angles and speed of stuffing, on the prolate ventricle and on noise."""
    stuff(SHAPE, *SHAPE.box, 4.0)  # compiles
    angles = [quality(stuff(SHAPE, *SHAPE.box, edge)).smallest_dihedral for edge in (2.0, 1.4, 1.0)]
    table = [at_least("mesh of an ellipsoid: smallest dihedral", angles, "deg", 10.0, "edge 2, 1.4, 1 mm")]
    seconds, mesh = timed(lambda: stuff(SHAPE, *SHAPE.box, 0.62))
    n_tets = len(mesh.tets)
    note = f"{n_tets} tetrahedra in {seconds:.2f} s on one thread, the level set's own time included"
    table.append(at_most("mesh of 2.5 M tetrahedra: time", [2.5e6 * seconds / n_tets], "s", 5.0, note))
    error = 100 * (mesh.volumes.sum() / SHAPE.volume_mm3 - 1)
    table.append(row("mesh of 2.5 M tetrahedra: volume error", error, "%", note="against the exact ellipsoids"))
    return table


# --- Fibres ----------------------------------------------------------------------------------------------------------


def ellipsoid_heart(edge_mm: float) -> Heart:
    """The prolate ventricle with fibres by rule, +60 to -60 degrees."""
    mesh = stuff(SHAPE, *SHAPE.box, edge_mm)
    faces = mesh.boundary_faces()
    surface = tagged_by_distance(faces, SHAPE.surface_distances(mesh.points))
    inner, base = (np.unique(faces[surface == tag]) for tag in (LV_ENDOCARDIUM, BASE))
    settings = MeshSettings(fibre_endocardium_deg=60.0, fibre_epicardium_deg=-60.0)
    return heart_from_mesh(
        mesh.points, mesh.tets, left_endocardium=inner, base=base, settings=settings, edge_mm=edge_mm
    )


def fibre_rows(edge_mm: float = 1.0) -> list[Row]:
    """Fibres by rule against the analytic helix: angles, and what they do to activation from an apical beat."""
    heart = ellipsoid_heart(edge_mm)
    truth = SHAPE.fibres(heart.mesh.centroids, 60.0, -60.0)
    degrees = np.degrees(np.arccos(np.abs(np.einsum("ij,ij->i", heart.fibres, truth)).clip(0, 1)))
    mean = float(np.average(degrees, weights=heart.mesh.volumes))
    note = f"95th percentile {np.percentile(degrees, 95):.2f}; edge {edge_mm:g} mm, whole ventricle"
    table = [at_most("fibres on an ellipsoid: mean error", [mean], "deg", 5.0, note)]
    off_apex = heart.mesh.centroids[:, 2] > 0.9 * heart.mesh.points[:, 2].min()
    table.append(row("fibres on an ellipsoid: mean error off the apex", float(degrees[off_apex].mean()), "deg"))
    inner = heart.surface_nodes(LV_ENDOCARDIUM)
    site = inner[np.argmin(np.linalg.norm(heart.mesh.points[inner] - [20.0, 0.0, -15.0], axis=1))]
    ours, theirs = (
        activation_times(one, Velocities(0.6, 0.3), np.array([site]), np.zeros(1), TissueSettings())
        for one in (heart, replace(heart, fibres=truth))
    )
    note = f"eikonal, 0.6 and 0.3 m/s, one endocardial site; last activation {theirs.max():.0f} ms"
    correlation = float(np.corrcoef(ours, theirs)[0, 1])
    table.append(at_least("activation with these fibres: correlation", [correlation], "1", 0.99, note))
    apart = float(np.abs(ours - theirs).mean())
    table.append(at_most("activation with these fibres: mean difference", [apart], "ms", 3.15, note))
    return table


# --- Electrodes against those of a real subject ----------------------------------------------------------------------


def electrode_rows() -> list[Row]:
    """Both rules that place electrodes, against the measured ones of DTI004 and the phantom's own."""
    table = phantom_electrode_rows()
    names = "electrodes/dti004/{rule}: {what}"
    rules = {"offsets (default)": offset_electrodes, "torso": torso_electrodes}
    if (folder := data("heart_dti004")) is None:
        what = ("distance, mean", "distance, largest", "QRS correlation, mean of leads")
        return table + [skipped(names.format(rule=rule, what=one)) for rule in rules for one in what]
    heart, measured = dti004(folder[0])
    times = sinus_like(heart)
    wanted = qrs_leads(heart, measured, times)
    for rule, placed_by in rules.items():
        placed = placed_by(heart)
        away = np.linalg.norm(placed.positions - measured.positions, axis=1)
        each = ", ".join(f"{name} {mm:.0f}" for name, mm in zip(placed.names, away, strict=True))
        found = qrs_leads(heart, placed, times)
        same = {lead: np.corrcoef(wanted[lead], found[lead])[0, 1] for lead in wanted}
        leads = ", ".join(f"{lead} {r:.2f}" for lead, r in same.items())
        table += [
            row(names.format(rule=rule, what="distance, mean"), away.mean(), "mm", note=each),
            row(names.format(rule=rule, what="distance, largest"), away.max(), "mm"),
            row(
                names.format(rule=rule, what="QRS correlation, mean of leads"),
                np.mean([*same.values()]),
                "",
                note=leads,
            ),
        ]
    return table


def phantom_electrode_rows() -> list[Row]:
    """Seeds 1 to 3, whose chest is neither rule's."""
    table = []
    cases = [(true_heart(make_anatomy(k), 3.0), true_electrodes(make_anatomy(k), k).positions) for k in (1, 2, 3)]
    for rule, placed_by in (("offsets (default)", offset_electrodes), ("torso", torso_electrodes)):
        found = [np.linalg.norm(placed_by(heart).positions - at, axis=1).mean() for heart, at in cases]
        name = f"electrodes/phantom/{rule}: distance, mean, largest of three"
        table.append(row(name, max(found), "mm", note=", ".join(f"{mm:.1f}" for mm in found)))
    return table


def dti004(folder: Path) -> tuple[Heart, Electrodes]:
    """The subject's heart with its own fibres, and its ten measured electrodes."""
    files, mm_per_cm = folder / "geometric_data" / "DTI004", 10.0
    mesh = read_mesh(folder / "DTI004_coarse_reconstructed.vtu").mesh
    names = (
        "nodefield_ab",
        "nodefield_fibre",
        "nodefield_sheet",
        "boundarynodefield_lvendo",
        "boundarynodefield_rvendo",
    )
    fields = {name: np.loadtxt(files / "DTI004_coarse" / f"DTI004_coarse_{name}.csv", delimiter=",") for name in names}
    heart = heart_from_mesh(
        mesh.points,
        mesh.tets,
        left_endocardium=fields["boundarynodefield_lvendo"].astype(int),
        right_endocardium=fields["boundarynodefield_rvendo"].astype(int),
        base=np.flatnonzero(fields["nodefield_ab"] > 0.999),
        fibres=fields["nodefield_fibre"],
        sheets=fields["nodefield_sheet"],
    )
    positions = mm_per_cm * np.loadtxt(files / "DTI004_electrode_xyz.csv", delimiter=",")
    return heart, Electrodes(ELECTRODES, positions, measured=True)


def sinus_like(heart: Heart) -> np.ndarray:
    """(n_nodes,) ms: from the left septum, the anterior and inferior wall and the right free wall, halfway up."""
    ventricle = left_ventricle(heart)
    starts = []
    for surface, way in (
        (LV_ENDOCARDIUM, ventricle.septal),
        (LV_ENDOCARDIUM, ventricle.anterior),
        (LV_ENDOCARDIUM, -ventricle.anterior),
        (RV_ENDOCARDIUM, ventricle.septal),
    ):
        nodes = heart.surface_nodes(surface)
        nodes = nodes[np.abs(heart.apicobasal[nodes] - 0.5) < 0.1]
        starts.append(nodes[np.argmax(heart.mesh.points[nodes] @ way)])
    return activation_times(heart, Velocities(0.6, 0.3, 1.5), np.array(starts), np.zeros(4), TissueSettings())


def qrs_leads(heart: Heart, electrodes: Electrodes, times_ms: np.ndarray) -> dict[str, np.ndarray]:
    """The QRS complex in the eight independent leads."""
    sigma = np.tile([0.3, 0.1, 0.1], (len(heart.mesh.tets), 1))
    weights = electrode_weights(heart, electrodes, sigma, conducting_tets(heart))
    duration_ms = float(times_ms[np.isfinite(times_ms)].max()) + 15.0
    ecg = eikonal_ecg(electrodes.names, weights, times_ms, duration_ms=duration_ms)
    return {lead: ecg.mv[LEADS.index(lead)] for lead in INDEPENDENT_LEADS}


# --- Whole hearts ----------------------------------------------------------------------------------------------------


def surface_rows() -> list[Row]:
    """Surfaces of others to a heart."""
    table = []
    for name in ("geo1", "geo2"):
        label = f"biventricular_surfaces {name}: mesh, fibres and coordinates without help"
        if data(f"biventricular_surfaces/{name}") is None:
            table.append(skipped(label))
            continue
        table.append(row(label, 0.0, "hearts", 1.0, False, "there is no way from surfaces to a heart yet"))
    return table


def whole_rows() -> list[Row]:
    """Label map to heart at 500,000 nodes, in a process of its own."""
    command = [sys.executable, __file__, "--whole-heart"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    note = f"{answer['nodes']} nodes, {answer['tets']} tetrahedra; all threads' processor time"
    name = "label map to heart, 500,000 nodes"
    return [
        at_most(f"{name}: time", [answer["seconds"]], "s", WHOLE_SECONDS, note),
        at_most(f"{name}: peak memory", [answer["gigabytes"]], "GB", WHOLE_GB, note),
    ]


def whole_heart() -> None:
    """Build once coarsely, so that all is compiled, then at the size asked; print what it took."""
    drawn = drawn_ellipsoids()
    rough = build_heart(drawn, MeshSettings(edge_mm=2.0))
    edge_mm = 2.0 * float(np.cbrt(0.77 * len(rough.mesh.points) / WHOLE_NODES))
    start = time.process_time()
    heart = build_heart(drawn, MeshSettings(edge_mm=edge_mm))
    seconds = time.process_time() - start
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = {"nodes": len(heart.mesh.points), "tets": len(heart.mesh.tets)}
    print(json.dumps(size | {"seconds": seconds, "gigabytes": 1.024e-6 * kilobytes}))


GROUPS: dict[str, Callable[[], list[Row]]] = {
    "phantom": phantom_rows,
    "real": real_rows,
    "volumes": volume_rows,
    "quality": quality_rows,
    "fibres": fibre_rows,
    "surfaces": surface_rows,
    "electrodes": electrode_rows,
    "whole": whole_rows,
}


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, comma between them")
    parser.add_argument("--whole-heart", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.whole_heart:
        whole_heart()
        return
    chosen = arguments.only.split(",")
    if unknown := set(chosen) - set(GROUPS):
        parser.error(f"--only: no group {', '.join(sorted(unknown))}; expected {', '.join(GROUPS)}")
    table: list[Row] = []
    for name in chosen:
        lines = GROUPS[name]()
        table += lines
        if not arguments.json:
            print("\n".join(map(printed, lines)), flush=True)
    if arguments.json:
        python = f"Python {platform.python_version()}, Numba {numba.__version__}"
        print(json.dumps({"machine": f"{platform.machine()}, {os.cpu_count()} cores, {python}", "rows": table}))


def printed(line: Row) -> str:
    """A row for the eye."""
    value = "" if line["value"] is None else f"{line['value']:.4g}"
    verdict = "" if line["bar"] is None else f"{'ok' if line['ok'] else 'MISSED'} (asked {line['bar']:g})"
    return f"{line['name']:70} {value:>10} {line['unit']:6} {verdict:20} {line['note']}"


if __name__ == "__main__":
    main()
