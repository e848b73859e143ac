"""Speed and quality of the mesher and of what builds a heart on its tetrahedra.

    python benchmarks/meshing.py [--json]

The prolate ventricle (50 mL) at three lattice constants, then both ventricles from drawn slices. Processor time, best
of two, compilation left out; the load of the machine moves it by half.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable

import numba
import numpy as np

from cardiotwin.heart import build_heart
from cardiotwin.meshes import coordinates
from cardiotwin.meshes.fibres import Angles, rule_based
from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.quality import quality
from cardiotwin.meshes.reference.ellipsoid import ProlateVentricle, drawn_ventricles
from cardiotwin.meshes.surfaces import tagged_by_distance
from cardiotwin.meshes.tetrahedra import stuff
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings

SHAPE = ProlateVentricle()


def row(name: str, value: float, unit: str, bar: float | None = None, ok: bool | None = None, note: str = "") -> dict:
    """One object a figure, as `cardiotwin verify` prints them."""
    return {"name": name, "value": value, "unit": unit, "bar": bar, "ok": ok, "note": note}


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Processor seconds of the better of two runs, and the result."""
    taken = []
    for _ in range(2):
        start = time.process_time()
        result = work()
        taken.append(time.process_time() - start)
    return min(taken), result


def stuffing(edge_mm: float) -> list[dict]:
    """Time, quality and volume error at one lattice constant."""
    seconds, mesh = timed(lambda: stuff(SHAPE, *SHAPE.box, edge_mm))
    assert isinstance(mesh, Mesh)
    found = quality(mesh)
    per_million = 1e6 * seconds / found.n_tets
    name = f"stuffing, edge {edge_mm:g} mm"
    error = 1e3 * found.volume_ml / SHAPE.volume_mm3 - 1
    note = f"{found.n_tets} tetrahedra, {found.n_nodes} nodes; the level set's own time included"
    return [
        row(f"{name}: time per million tetrahedra", per_million, "s", note=note),
        row(f"{name}: smallest dihedral", found.smallest_dihedral, "deg", 8.0, found.smallest_dihedral > 8.0),
        row(f"{name}: volume error", 100 * error, "%", note="second order in edge"),
    ]


def fibres(edge_mm: float) -> list[dict]:
    """Time and error of Laplace solves and rule-based fibres against the analytic helix."""
    mesh = stuff(SHAPE, *SHAPE.box, edge_mm)
    faces = mesh.boundary_faces()
    surface = tagged_by_distance(faces, SHAPE.surface_distances(mesh.points))

    def work() -> np.ndarray:
        laplace = Laplace(mesh)
        return rule_based(laplace, coordinates.fields(laplace, faces, surface), Angles())[0]

    seconds, found = timed(work)
    truth = SHAPE.fibres(mesh.centroids, 60.0, -60.0)
    degrees = np.degrees(np.arccos(np.abs(np.einsum("ij,ij->i", np.asarray(found), truth)).clip(0, 1)))
    mean = float(degrees[mesh.centroids[:, 2] > 0.9 * mesh.points[:, 2].min()].mean())
    name = f"fibres, edge {edge_mm:g} mm"
    return [
        row(f"{name}: time", seconds, "s", note=f"{len(mesh.tets)} tetrahedra"),
        row(f"{name}: mean error off the apex", mean, "deg", 5.0, mean <= 5.0),
    ]


def whole_heart(edge_mm: float) -> list[dict]:
    """From 8 mm slices to a `Heart`."""
    drawn = drawn_ventricles()
    labels = (drawn.left_blood + 2 * drawn.myocardium + 3 * drawn.right_blood).astype(np.uint8)
    segmentation = Segmentation(labels, np.diag([*drawn.spacing_mm[::-1], 1.0]), None, True, {})
    seconds, heart = timed(lambda: build_heart(segmentation, MeshSettings(edge_mm=edge_mm)))
    note = f"{len(heart.mesh.tets)} tetrahedra"  # type: ignore[attr-defined]
    return [row(f"both ventricles, edge {edge_mm:g} mm: time", seconds, "s", note=note)]


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    stuff(SHAPE, *SHAPE.box, 4.0)  # compiles
    table = [r for edge in (2.0, 1.0, 0.7) for r in stuffing(edge)] + fibres(1.5) + whole_heart(1.5)
    if "--json" in sys.argv[1:]:
        machine = f"{platform.machine()}, Python {platform.python_version()}, Numba {numba.__version__}"
        print(json.dumps({"machine": machine, "rows": table}))
        return
    for r in table:
        verdict = {None: "", True: "ok", False: "MISSED"}[r["ok"]]
        print(f"{r['name']:52s} {r['value']:9.3f} {r['unit']:4s} {verdict:7s} {r['note']}")


if __name__ == "__main__":
    main()
