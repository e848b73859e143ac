"""How fast waves spread over a fast endocardium, against what was asked for.

    python benchmarks/fast_endocardium.py [--json] [--orientations 4]

Blocks of wall as the mesher makes them, turned at random in its lattice, so long that neither end is felt where the
wave is timed, with fibres across the wave and along it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np
from scipy.spatial.transform import Rotation
from table import Row, listed, options, row, show

from cardiotwin.heart.heart import HEALTHY, LEFT, LV_ENDOCARDIUM, Heart
from cardiotwin.meshes.reference.wall_block import wall_block
from cardiotwin.monodomain import Protocol, Stimulus, simulate
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import Velocities, make_tissue

MODELS = ("mitchell_schaeffer", "ten_tusscher_2006")
EDGES_MM, VELOCITIES = (1.0, 1.5), (1.2, 1.8)
DT_MS, WALL_MM, CELLS_WIDE, RUN_IN_MS, TIMED_MS, RUN_OUT_MS = 0.1, 6.0, 16, 20.0, 25.0, 25.0


def block(size_mm: tuple[float, float, float], edge_mm: float, turn: Rotation, fibre: np.ndarray) -> Heart:
    """A block as a heart of one fibre direction."""
    mesh, faces, endocardial = wall_block(size_mm, edge_mm, turn)
    n_tets, n_nodes = len(mesh.tets), len(mesh.points)
    frame = np.linalg.qr(np.column_stack([fibre, np.eye(3)[:, [0, 1]] + 0.1]))[0].T
    fibres, sheets, normals = (np.tile(axis, (n_tets, 1)) for axis in frame)
    return Heart(
        mesh=mesh,
        tissue_class=np.full(n_tets, HEALTHY, np.uint8),
        ventricle=np.full(n_tets, LEFT, np.uint8),
        fibres=fibres,
        sheets=sheets,
        normals=normals,
        transmural=np.clip(mesh.points[:, 0] / WALL_MM, 0.0, 1.0),
        apicobasal=np.zeros(n_nodes),
        faces=faces,
        surface=np.where(endocardial, LV_ENDOCARDIUM, 1).astype(np.uint8),
        edge_mm=edge_mm,
        scar_assessable=True,
    )


def error(model: str, edge_mm: float, velocity: float, turn: Rotation, fibre: np.ndarray) -> float:
    """Of the velocity over the endocardium, %."""
    way_mm = (RUN_IN_MS + TIMED_MS + RUN_OUT_MS) * velocity
    heart = block((WALL_MM, way_mm, CELLS_WIDE * edge_mm), edge_mm, turn, fibre)
    settings = TissueSettings(cell_model=model)
    tissue = make_tissue(heart, Velocities(0.6, 0.3, velocity), settings, dt_ms=DT_MS)
    y = heart.mesh.points[:, 1]
    start = Stimulus(np.flatnonzero(y < 4.0).astype(np.int32), 0.0, 10.0)
    seen = simulate(tissue, Protocol((start,), 2.0 * way_mm / velocity), dt_ms=DT_MS).activation_ms[0]
    timed = np.unique(heart.faces[heart.surface == LV_ENDOCARDIUM])
    timed = timed[(y[timed] > RUN_IN_MS * velocity) & (y[timed] < (RUN_IN_MS + TIMED_MS) * velocity)]
    return float(100.0 * (1.0 / np.polyfit(y[timed], seen[timed], 1)[0] / velocity - 1.0))


def rows(n_orientations: int) -> Iterable[Row]:
    """One a cell model, edge and velocity: the mean error, all of them in the note."""
    turns = Rotation.random(n_orientations, random_state=7)
    fibres = (np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]))
    for model, edge_mm, velocity in product(MODELS, EDGES_MM, VELOCITIES):
        errors = [error(model, edge_mm, velocity, turn, fibres[k % 2]) for k, turn in enumerate(turns)]
        note = listed(errors, "fibres across the wave, along it, and so on")
        yield row(f"{model}, {edge_mm:g} mm, {velocity:g} m/s: mean error", float(np.mean(errors)), "%", note=note)


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    parser = options(__doc__)
    parser.add_argument("--orientations", type=int, default=4)
    arguments = parser.parse_args()
    show([rows(arguments.orientations)], as_json=arguments.json)


if __name__ == "__main__":
    main()
