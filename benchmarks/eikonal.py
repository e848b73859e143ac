"""Accuracy and speed of the eikonal solver on a block of tissue whose activation is known exactly.

    python benchmarks/eikonal.py [--json]

A point source in the middle of a 20 mm cube, fibres oblique, 0.6 m/s along and 0.3 m/s across.
"""

from __future__ import annotations

import time
from itertools import permutations

import numba
import numpy as np
from table import Row, at_least, at_most, options, row, show

from cardiotwin.kernels.eikonal import EDGES, STRAIGHT_MM, Conductor, around_nodes, first_arrivals, incidence

SIDE_MM, FIBRE, ALONG, ACROSS = 20.0, np.array([1.0, 1.0, 0.5]) / 1.5, 0.6, 0.3
CELLS = (8, 16, 24, 32, 36, 55)
BARS_S = {32: 0.100, 55: 1.000}
"""What was asked: 200,000 tetrahedra in 0.1 s and a million in 1 s, on one core."""


def cube(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes, mm, and tetrahedra: six around the long diagonal of each of n³ cubes."""
    grid = np.stack(np.meshgrid(*[np.arange(n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    corner = grid[(grid < n).all(axis=1)]
    tets = []
    for axes in permutations(range(3)):
        walk = np.cumsum([np.zeros(3, int), *np.eye(3, dtype=int)[list(axes)]], axis=0)
        tets.append(np.stack([np.ravel_multi_index((corner + s).T, (n + 1,) * 3) for s in walk], axis=1))
    return grid * (SIDE_MM / n), np.concatenate(tets).astype(np.int32)


def uniform(points: np.ndarray, tets: np.ndarray, straight_mm: float) -> Conductor:
    """Tissue with the one fibre direction, without a fast layer."""
    edges = points[tets[:, EDGES[:, 1]]] - points[tets[:, EDGES[:, 0]]]
    along = (edges @ FIBRE) ** 2
    across = (edges**2).sum(axis=-1) - along
    x, y, z = FIBRE
    dyads = np.tile([x * x, y * y, z * z, x * y, x * z, y * z], (len(points), 1))
    none = np.empty((0, 3), np.int32)
    tets_at, beside, ways = around_nodes(tets, along, across, len(points))
    faces_of, faces_at = incidence(none, len(points))
    return Conductor(
        points=points,
        fibre_dyads=dyads,
        lengthening=np.ones(len(points)),
        uniform_mm=np.full(len(points), straight_mm),
        tets_at=tets_at,
        beside=beside,
        ways=ways,
        faces=none,
        face_edges=np.empty((0, 3)),
        faces_of=faces_of,
        faces_at=faces_at,
    )


def solved(n: int, straight_mm: float = STRAIGHT_MM) -> tuple[int, int, float, np.ndarray, np.ndarray]:
    """Nodes, tetrahedra, processor seconds (best of three), error and arrival at each node, ms."""
    points, tets = cube(n)
    mesh = uniform(points, tets, straight_mm)
    source = int(np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))
    slowness = np.array([[ALONG**-2, ACROSS**-2, np.inf]])
    times, taken = np.empty((1, len(points))), []
    for _ in range(3):
        start = time.process_time()
        first_arrivals(mesh, slowness, np.array([[source]]), np.zeros((1, 1)), times)
        taken.append(time.process_time() - start)
    away = points - points[source]
    parallel = (away @ FIBRE) ** 2
    exact = np.sqrt(parallel / ALONG**2 + ((away**2).sum(axis=1) - parallel) / ACROSS**2)
    return len(points), len(tets), min(taken), np.abs(times[0] - exact), exact


def rows() -> list[Row]:
    """Processor time and error of each cube, and the order of convergence."""
    numba.set_num_threads(1)
    table: list[Row] = []
    errors = []
    for n in CELLS:
        n_nodes, n_tets, seconds, error, exact = solved(n)
        errors.append(float(error.mean()))
        name, note = f"eikonal {n_nodes} nodes, {n_tets} tetrahedra", "processor time, one thread"
        if n in BARS_S:
            table.append(at_most(f"{name}: time", [seconds], "s", BARS_S[n], note))
        else:
            table.append(row(f"{name}: time", seconds, "s", note=note))
        note = f"h = {SIDE_MM / n:.2f} mm; largest {error.max():.2f} ms"
        table.append(row(f"{name}: mean error", error.mean() / exact.mean(), "1", note=note))
    order = float(-np.polyfit(np.log(CELLS[2:]), np.log(errors[2:]), 1)[0])
    note = f"meshes with three edges and more in the {STRAIGHT_MM:g} mm around the source, where the way is straight"
    table.append(at_least("eikonal order, point source", [order], "1", 0.9, note))
    alone = [solved(n, 0.0)[3].mean() for n in CELLS[2:]]
    order = float(-np.polyfit(np.log(CELLS[2:]), np.log(alone), 1)[0])
    return [*table, row("eikonal order, without straight ways", order, "1", note="what the kink at the source costs")]


if __name__ == "__main__":
    show([rows()], as_json=options(__doc__).parse_args().json)
