"""From images to a heart, against what is known: the phantom's truth, what people drew, shapes known on paper.

    python benchmarks/anatomy.py [--json] [--only phantom,real,confidence,scar,volumes,quality,fibres,coordinates,...]

A row holds the worst of its cases and the note all of them. Real data lie where `CARDIOTWIN_DATA` says, else in
../shared/data; rows that lack them say so. Times leave compilation out and are processor time of one thread, so that
they do not depend on what else the machine does; that of a whole heart is wall time on the threads there are.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import confidence
import electrodes
import numba
import numpy as np
import scar
import ventricular_coordinates
from drawn_truth import CINE, CINE_CONTOURS, LGE, LGE_CONTOURS, LGE_SCAR, data, dice, near_left_blood, skipped, volume
from table import Row, at_least, at_most, listed, options, row, show, timed

from cardiotwin.anatomy.given_labels import as_segmentation
from cardiotwin.eikonal import activation_times
from cardiotwin.errors import CardioTwinError
from cardiotwin.heart.heart import BORDER_ZONE, CORE, LEFT, Heart, build_heart, heart_from_mesh
from cardiotwin.heart.labelled_stack import base_first
from cardiotwin.imaging import Image
from cardiotwin.ingest import read_label_map
from cardiotwin.ingest.shells import read_shells
from cardiotwin.meshes.quality import quality
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle, drawn_ventricles
from cardiotwin.meshes.surfaces import BASE, LV_ENDOCARDIUM, tagged_by_distance
from cardiotwin.meshes.tetrahedra import stuff
from cardiotwin.phantom import true_volumes
from cardiotwin.phantom.anatomy import Anatomy, labels_at, make_anatomy
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.segmentation import Segmentation, from_label_map, labels, segment, volumes_ml
from cardiotwin.settings import LabelSettings, MeshSettings, TissueSettings
from cardiotwin.tissue.tissue import Velocities

PARTS = {"LV blood": (1,), "myocardium": labels.MUSCLE, "RV blood": (3,), "scar core": (4,)}
PHANTOM_BARS = {"LV blood": 0.95, "myocardium": 0.88, "RV blood": 0.88, "scar core": 0.75}
NO_SCAR: dict[str, Any] = {
    "core_width_mm": 0.01,
    "core_corner_mm": 0.001,
    "core_apical": 0.5,
    "core_basal": 0.50001,
    "border_zone_mm": 0.0,
    "corridor_width_mm": 0.0,
}
ANEURYSM: dict[str, Any] = {
    "core_apical": 0.0,
    "core_basal": 0.42,
    "core_width_mm": 160.0,
    "core_corner_mm": 4.0,
    "corridor_width_mm": 0.0,
}
LEFT_ONLY = ("real LGE, 8.6 mm",)
"""Label maps without the wall of the right ventricle."""
SHAPE = ProlateVentricle()
WHOLE_NODES, WHOLE_SECONDS, WHOLE_GB = 500_000, 60.0, 3.0


# --- Segmentation of images whose truth is known -------------------------------------------------------------------


def phantom_cases() -> dict[str, list[tuple[Anatomy, LgeScan]]]:
    """What is varied, and the phantoms of it: one thing at a time about patient 1."""
    patient, settings = make_anatomy(1), LgeScan(seed=1)
    infarcts: list[dict[str, Any]] = [
        {"core_width_mm": 18.0, "core_apical": 0.4, "core_basal": 0.65, "corridor_width_mm": 0.0},  # small, whole
        {"core_angle_deg": 200.0},  # lateral wall
        {"core_angle_deg": 10.0, "core_width_mm": 30.0},  # septum
        {"core_apical": 0.05, "core_basal": 0.45, "border_zone_mm": 5.0},  # apex, wide border zone
    ]
    hidden: dict[str, list[tuple[int, dict[str, Any]]]] = {  # the hardest known
        "septal 42, lateral 60 mm": [
            (31, {"core_angle_deg": -5.0, "core_width_mm": 42.0}),
            (7, {"core_angle_deg": 200.0, "core_width_mm": 60.0}),
        ],
        "in a wall of 6 mm": [(8, {"lv_wall_mm": 6.0})],
        "in the inner half of the wall": [(9, {"core_transmural": 0.5})],
        "all round the apex": [(6, ANEURYSM)],
    }
    return {
        "seeds 1, 2, 3": [(make_anatomy(seed), LgeScan(seed=seed)) for seed in (1, 2, 3)],
        "noise 2, 7 %": [(patient, replace(settings, noise=noise)) for noise in (0.02, 0.07)],
        "slices of 5, 10 mm": [(patient, replace(settings, slice_mm=thick)) for thick in (5.0, 10.0)],
        "infarct small, lateral, septal, apical": [(replace(patient, **shape), settings) for shape in infarcts],
        "scar 1.25, 1.1, 1.0 times as bright as blood": [
            (patient, replace(settings, blood=b)) for b in (0.8, 0.9, 1.0)
        ],
        **{
            f"scar as bright as blood, {where}": [
                (replace(make_anatomy(seed), **shape), LgeScan(seed=seed, blood=1.0)) for seed, shape in shapes
            ]
            for where, shapes in hidden.items()
        },
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
    found_ml = [scar_found_ml(replace(make_anatomy(seed), **NO_SCAR), LgeScan(seed=seed)) for seed in (1, 2, 3)]
    note = f"core and border zone together; {', '.join(f'{ml:.2f}' for ml in found_ml)}"
    return [*table, row("phantom LGE without scar, seeds 1, 2, 3: scar found", max(found_ml), "mL", note=note)]


def scar_found_ml(anatomy: Anatomy, settings: LgeScan) -> float:
    """Core and border zone of an automatic segmentation."""
    ours = volumes_ml(segment(scan(anatomy, settings)[0]))
    return float(ours["core"] + ours["border_zone"])


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
        values, affine = volume(paths[0])
        truth = volume(paths[1])[0]
        image = Image(values.astype(np.float32), affine, kind)
        result = segment(image)
        found = result.labels
        if result.signal is not None:  # nobody drew the right free wall, which a rule draws and which has no signal
            found = np.where(np.isin(found, labels.MUSCLE) & np.isnan(result.signal), 0, found)
        scores = overlaps(found[slices], truth[slices])
        table += [at_least(f"{name}: {part}", [scores[part]], "Dice", bar) for part, bar in bars.items()]
        table.append(row(f"{name}: RV blood", scores["RV blood"], "Dice"))
        if kind == "cine":
            near = near_left_blood(truth, image.spacing_mm)
            wall = dice(np.isin(found[slices], labels.MUSCLE), near[slices])
            note = "myocardium within 13 mm of left blood, against all of ours"
            table.append(row(f"{name}: wall of the LV", wall, "Dice", note=note))
    return table


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
    angles, cases, added, places = [], [], [], []
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
        if name.startswith("phantom"):
            places.append(place_of_core(with_wall))
        angles.append(quality(with_wall.mesh).smallest_dihedral)
        added.append(1e-3 * (with_wall.mesh.volumes.sum() - bare.mesh.volumes.sum()))
    note = f"{'; '.join(cases)}; edge {edge_mm:g} mm"
    bars = {"myocardium": 1.0, "scar core": 3.0, "border zone": 3.0}
    table = [at_most(f"mesh against label map: {part}", errors[part], "%", bars[part], note) for part in bars]
    table.append(row("mesh of phantoms: place of the scar core", min(places), "Dice", note=listed(places, PLACE)))
    table.append(row("mesh: right ventricular wall added by rule", max(added), "mL", note=listed(added, note)))
    table.append(at_least("mesh of hearts: smallest dihedral", angles, "deg", 10.0, note))
    if data(LGE_SCAR) is None:
        table.append(skipped("mesh against label map: real LGE"))
    return table


PLACE = "against the anatomy itself, weighed by volume: regions have their volume by construction, not their place"


def place_of_core(heart: Heart) -> float:
    """Overlap of the core's tetrahedra with the core of phantom 1."""
    ours = heart.tissue_class == CORE
    theirs = labels_at(make_anatomy(1), heart.mesh.centroids) == labels.CORE
    volumes = heart.mesh.volumes
    return float(2 * volumes[ours & theirs].sum() / (volumes[ours].sum() + volumes[theirs].sum()))


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


# --- Whole hearts ----------------------------------------------------------------------------------------------------


def surface_rows(edge_mm: float = 2.0) -> list[Row]:
    """Surfaces of others to hearts with fibres and coordinates, nothing said but where they lie."""
    table = []
    for name in ("geo1", "geo2"):
        label = f"biventricular_surfaces {name}"
        folder = data(f"biventricular_surfaces/{name}")
        if folder is None:
            table.append(skipped(label))
            continue
        files = sorted(folder[0].glob("heart.vtp")) or sorted(folder[0].iterdir())
        segmentation, _ = as_segmentation(read_shells(files)[0], LabelSettings())
        heart = build_heart(segmentation, MeshSettings(edge_mm=edge_mm))
        lacking = [] if heart.coordinates is not None else ["coordinates"]
        lacking += [] if np.allclose(np.linalg.norm(heart.fibres, axis=1), 1.0) else ["fibres"]
        worst = quality(heart.mesh).smallest_dihedral
        note = f"{len(heart.mesh.points)} nodes, {1e-3 * heart.mesh.volumes.sum():.1f} mL, {worst:.1f} degrees"
        missing = f"; no {', '.join(lacking)}" if lacking else ""
        table.append(row(f"{label}: parts of a heart missing", len(lacking), "", 0, not lacking, note + missing))
    return table


def whole_rows() -> list[Row]:
    """Label map to heart at 500,000 nodes, in a process of its own."""
    command = [sys.executable, __file__, "--whole-heart"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    size = f"{answer['nodes']} nodes, {answer['tets']} tetrahedra"
    note = f"wall, {answer['threads']} threads; {answer['processor']:.1f} s of processor time; {size}"
    name = "label map to heart, 500,000 nodes"
    return [
        at_most(f"{name}: time", [answer["seconds"]], "s", WHOLE_SECONDS, note),
        at_most(f"{name}: peak memory", [answer["gigabytes"]], "GB", WHOLE_GB, size),
    ]


def whole_heart() -> None:
    """Build once coarsely, so that all is compiled, then at the size asked; print what it took."""
    drawn = drawn_ellipsoids()
    rough = build_heart(drawn, MeshSettings(edge_mm=2.0))
    edge_mm = 2.0 * float(np.cbrt(0.77 * len(rough.mesh.points) / WHOLE_NODES))
    start, start_processor = time.perf_counter(), time.process_time()
    heart = build_heart(drawn, MeshSettings(edge_mm=edge_mm))
    taken = {"seconds": time.perf_counter() - start, "processor": time.process_time() - start_processor}
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = {"nodes": len(heart.mesh.points), "tets": len(heart.mesh.tets), "threads": numba.get_num_threads()}
    print(json.dumps(size | taken | {"gigabytes": 1.024e-6 * kilobytes}))


GROUPS: dict[str, Callable[[], Iterable[Row]]] = {
    "phantom": phantom_rows,
    "real": real_rows,
    "confidence": confidence.rows,
    "scar": scar.rows,
    "volumes": volume_rows,
    "quality": quality_rows,
    "fibres": fibre_rows,
    "coordinates": ventricular_coordinates.rows,
    "surfaces": surface_rows,
    "electrodes": electrodes.rows,
    "whole": whole_rows,
}


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    parser = options(__doc__)
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, comma between them")
    parser.add_argument("--whole-heart", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.whole_heart:
        whole_heart()
        return
    chosen = arguments.only.split(",")
    if unknown := set(chosen) - set(GROUPS):
        parser.error(f"--only: no group {', '.join(sorted(unknown))}; expected {', '.join(GROUPS)}")
    show((GROUPS[name]() for name in chosen), as_json=arguments.json)


if __name__ == "__main__":
    main()
