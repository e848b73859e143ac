"""A heartbeat of 637,480 nodes, against the published record on graphics cards.

    python benchmarks/biventricle_record.py [--json] [--edge 0.618] [--no-reference]

Both ventricles of the reference shape with rule-based fibres, ten Tusscher-Panfilov 2006, velocities 0.6 and 0.3 m/s
tuned on the mesh, one stimulus at the left-ventricular apex, 600 ms; wall time of all cores, kernels compiled and
tuning done before. The published times of a task of that size (637,480 nodes, time step 0.01 ms, first order) are 130 s
on an H100, 190 s on an A100 and 476 s on 64 openCARP cores (TorchCor). The reference for the activation times is this
solver with all nodes evaluated in steps of 0.01 ms.
"""

from __future__ import annotations

import argparse
import json
import platform
import time

import numba
import numpy as np

from cardiotwin.heart import LV_ENDOCARDIUM, Heart, build_heart
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings, TissueSettings
from cardiotwin.tissue import Velocities, make_tissue

NODES = 637_480
EDGE_MM = 0.618
DT_MS, DURATION_MS = 0.04, 600.0
REFERENCE_DT_MS = 0.01
BAR_SECONDS = 130.0
VELOCITIES = Velocities(fibre=0.6, cross=0.3)


def ventricles(edge_mm: float) -> Heart:
    """The reference shape, both ventricles, no scar."""
    drawn = drawn_ventricles(slice_mm=2.0, right_wall=True)
    labels = np.zeros(drawn.myocardium.shape, np.uint8)
    for value, mask in ((1, drawn.left_blood), (2, drawn.myocardium), (3, drawn.right_blood)):
        labels[mask] = value
    slice_mm, row_mm, column_mm = drawn.spacing_mm
    affine = np.diag([column_mm, -row_mm, -slice_mm, 1.0])
    image = Segmentation(labels, affine, None, True, {})
    return build_heart(image, MeshSettings(edge_mm=edge_mm))


def prepared(heart: Heart, dt_ms: float, tolerance_mv: float | None = None) -> tuple[Solver, Medium]:
    """A solver whose velocities are tuned for the step of production, whatever its own."""
    medium = make_tissue(heart, VELOCITIES, TissueSettings(), dt_ms=DT_MS).medium()
    more = {} if tolerance_mv is None else {"tolerance_mv": tolerance_mv}
    return Solver(medium, dt_ms, **more), medium


def apex(heart: Heart) -> np.ndarray:
    """Nodes within 3 mm of the lowest point of the left endocardium."""
    inner = heart.surface_nodes(LV_ENDOCARDIUM)
    lowest = heart.mesh.points[inner[np.argmin(heart.apicobasal[inner])]]
    return np.flatnonzero(np.linalg.norm(heart.mesh.points - lowest, axis=1) < 3.0).astype(np.int32)


def timed(solver: Solver, stimulus: Stimulus, duration_ms: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Wall seconds, activation and repolarisation times of the first beat."""
    solver.run(Protocol((stimulus,), 5 * solver.dt_ms), stop_when_quiet=False)  # compiled, and the arrays touched
    start = time.perf_counter()
    seen = solver.run(Protocol((stimulus,), duration_ms), stop_when_quiet=False)[0]
    return time.perf_counter() - start, seen.activation_ms[0], seen.repolarisation_ms[0]


def row(name: str, value: float, unit: str, note: str = "", bar: float | None = None) -> dict:
    """As `cardiotwin verify` prints them."""
    return {"name": name, "value": value, "unit": unit, "bar": bar, "ok": None if bar is None else value <= bar,
            "note": note}  # fmt: skip


def rows(edge_mm: float, reference: bool) -> list[dict]:
    """The record, its error, and what it did."""
    heart = ventricles(edge_mm)
    stimulus = Stimulus(apex(heart), 0.0, 2.0, 50.0)
    solver, _ = prepared(heart, DT_MS)
    nodes = solver.n_unknowns
    seconds, activation, repolarisation = timed(solver, stimulus, DURATION_MS)
    last, activated = float(np.nanmax(activation)), int(np.isfinite(activation).sum())
    table = [
        row("nodes", nodes, "", f"edge {edge_mm:g} mm, {len(heart.mesh.tets)} tetrahedra"),
        row("seconds", seconds, "s", f"{numba.config.NUMBA_NUM_THREADS} threads", BAR_SECONDS * nodes / NODES),
        row("per node and simulated ms", 1e9 * seconds / nodes / DURATION_MS, "ns", f"time step {DT_MS:g} ms"),
        row("last activation", last, "ms", f"{activated} nodes activated"),
        row("last repolarisation", float(np.nanmax(repolarisation)), "ms"),
    ]
    if reference:
        fixed, _ = prepared(heart, REFERENCE_DT_MS, 0.0)
        taken, truth, _ = timed(fixed, stimulus, last + 5.0)
        error = np.abs(activation - truth)
        table += [
            row("activation_error", float(np.nanmax(error)), "ms", f"largest; mean {np.nanmean(error):.4f}"),
            row("fixed step, per node and step", 1e9 * taken / nodes / round((last + 5.0) / REFERENCE_DT_MS), "ns"),
        ]
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--edge", type=float, default=EDGE_MM)
    parser.add_argument("--no-reference", action="store_true")
    asked = parser.parse_args()
    found = rows(asked.edge, not asked.no_reference)
    if asked.json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "rows": found}))
    else:
        for line in found:
            print(f"{line['name']:34s} {line['value']:12.4g} {line['unit']:4s} {line['note']}")
