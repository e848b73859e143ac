"""Conduction velocity: that which was asked for, and that which a wave has.

Conductivities are fitted to plane waves in the endless lattice of the mesher, fibres running through it in many
directions. Here the tissue is made as in production, and waves are timed in blocks of that lattice, in directions of
which all but the first were not in the fit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import BORDER_ZONE, HEALTHY, LEFT, Heart
from cardiotwin.kernels.ionic.ten_tusscher_2006 import AUTHORS_STATE
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.reference.slab import lattice_block
from cardiotwin.progress import Progress, silent
from cardiotwin.settings import TissueSettings
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.solver.solver import Solver
from cardiotwin.tissue.tissue import Velocities, make_tissue
from cardiotwin.tissue.velocity import tune
from cardiotwin.verification.rows import Row, at_most, row

MOST_PERCENT = 3.0
ORIENTATIONS = (np.eye(3), *Rotation.random(4, random_state=1).as_matrix())
"""Fibre, sheet and normal direction, a row each: along the axes of the lattice, and any way."""
DIRECTIONS = ("fibre", "sheet", "normal")
TISSUES = {"healthy": HEALTHY, "border_zone": BORDER_ZONE}

RUN_IN_MM, TIMED_MM = 8.0, 8.0
"""What a wave runs before and while it is timed."""
RUN_IN_CELLS, TIMED_CELLS = 5.0, 10.0
"""The least of that, in cells of the lattice."""
ASIDE_CELLS, OUTER_CELLS = 2.5, 7.0
"""Radius of what is timed, and of the bar, whose sides are ragged."""


class Lattice(NamedTuple):
    """A production lattice: cell model, lattice constant and time step."""

    model: str
    edge_mm: float
    dt_ms: float


LATTICES = (
    Lattice("ten_tusscher_2006", 0.4, 0.02),
    Lattice("ten_tusscher_2006", 1.0, 0.02),
    Lattice("modified_mitchell_schaeffer", 1.25, 0.1),
    Lattice("modified_mitchell_schaeffer", 1.5, 0.1),
)
"""Of the presets full and default, and of the demo's two-variable model."""

TUNE_CV = ((0.6, 0.1195, 0.1200), (0.3, 0.0285, 0.0285), (0.2, 0.0128, 0.0128))
"""openCARP's tuneCV: wanted velocity, m/s, and the range of conductivities found, S/m."""


def lattice_rows(lattice: Lattice, progress: Progress = silent, orientations: tuple = ORIENTATIONS) -> list[Row]:
    """Healthy tissue and border zone, along fibre, sheet and normal: the largest error over the orientations."""
    rows: list[Row] = []
    for tissue in TISSUES:
        for direction in DIRECTIONS:
            progress(len(rows) / 6, f"velocity, {lattice.model} {lattice.edge_mm:g} mm, {tissue}")
            rows.append(velocity_row(lattice, tissue, direction, orientations))
    return rows


def velocity_row(lattice: Lattice, tissue: str, direction: str, orientations: tuple = ORIENTATIONS) -> Row:
    """Tuned as in production, measured anew in double precision."""
    name = f"velocity/{lattice.model}/{lattice.edge_mm}mm/{tissue}/{direction}"
    wanted = wanted_velocity(tissue, direction)
    try:
        errors = np.array([100.0 * (reached(lattice, tissue, direction, f) / wanted - 1.0) for f in orientations])
    except QualityGate as refusal:
        return at_most(name, np.nan, "%", MOST_PERCENT, str(refusal))
    note = (
        f"{wanted:g} m/s wanted, {errors.min():+.1f} to {errors.max():+.1f} %, mean {errors.mean():+.1f}, "
        f"over {len(errors)} orientations of the fibres"
    )
    return at_most(name, errors[np.argmax(np.abs(errors))], "%", MOST_PERCENT, note)


def wanted_velocity(tissue: str, direction: str) -> float:
    """By the default settings, mm/ms."""
    settings = TissueSettings()
    share = settings.border_zone_velocity_fraction if tissue == "border_zone" else 1.0
    return share * (settings.velocity_fibre_m_per_s if direction == "fibre" else settings.velocity_cross_m_per_s)


def reached(lattice: Lattice, tissue: str, direction: str, frame: np.ndarray) -> float:
    """Velocity of a plane wave along one row of the frame, mm/ms; 0 where it does not arrive."""
    settings, wave = TissueSettings(), frame[DIRECTIONS.index(direction)]
    heart = block_heart(lattice.edge_mm, frame, wave, TISSUES[tissue])
    velocities = Velocities(settings.velocity_fibre_m_per_s, settings.velocity_cross_m_per_s)
    made = make_tissue(heart, velocities, settings, dt_ms=lattice.dt_ms, cell_model=lattice.model)
    return wave_velocity(
        Solver(made, lattice.dt_ms, precision="double"), heart, wave, wanted_velocity(tissue, direction)
    )


def wave_velocity(solver: Solver, heart: Heart, wave: np.ndarray, expected: float) -> float:
    """From the arrival near the axis, away from both ends."""
    run_in, timed = lengths_mm(heart.edge_mm)
    along, radius = _along_and_aside(heart.mesh.points, wave)
    inside = np.zeros(len(along), bool)
    inside[heart.mesh.tets] = True
    first = np.flatnonzero(inside & (along < -0.5 * timed - run_in))
    window = inside & (np.abs(along) < 0.5 * timed) & (radius < ASIDE_CELLS * heart.edge_mm)
    protocol = Protocol((Stimulus(first, 0.0),), 3.0 * (2.0 * run_in + timed) / expected)
    seen = solver.run(
        protocol, stop_when_quiet=False, monitor=lambda _, ms: bool(np.isfinite(ms[0, window]).all())
    )[0].activation_ms[0, window].astype(float)  # fmt: skip
    return float(1.0 / np.polyfit(along[window], seen, 1)[0]) if np.isfinite(seen).all() else 0.0


def lengths_mm(edge_mm: float) -> tuple[float, float]:
    """Run-in and timed length on one lattice."""
    return max(RUN_IN_MM, RUN_IN_CELLS * edge_mm), max(TIMED_MM, TIMED_CELLS * edge_mm)


def block_heart(edge_mm: float, frame: np.ndarray, wave: np.ndarray, tissue_class: int) -> Heart:
    """A round bar along the wave, cut from the lattice: an epicardium of one kind of tissue and one fibre direction."""
    run_in, timed = lengths_mm(edge_mm)
    half, outer = 0.5 * timed + run_in + 3.0 * edge_mm, OUTER_CELLS * edge_mm
    points, tets = _lattice(2 * int(np.ceil(np.hypot(half, outer) / edge_mm)))
    points = points * edge_mm
    along, radius = _along_and_aside(points, wave)
    tets = tets[((np.abs(along) < half) & (radius < outer))[tets].all(axis=1)]
    used, numbered = np.unique(tets, return_inverse=True)
    mesh = Mesh(points[used], numbered.reshape(-1, 4))
    fibres, sheets, normals = (np.tile(axis, (len(tets), 1)) for axis in frame)
    return Heart(
        mesh=mesh,
        tissue_class=np.full(len(tets), tissue_class, np.uint8),
        ventricle=np.full(len(tets), LEFT, np.uint8),
        fibres=fibres,
        sheets=sheets,
        normals=normals,
        transmural=np.ones(len(used)),
        apicobasal=np.zeros(len(used)),
        faces=np.empty((0, 3), np.int32),
        surface=np.empty(0, np.uint8),
        edge_mm=edge_mm,
        scar_assessable=True,
    )


@lru_cache(maxsize=1)
def _lattice(n_cells: int) -> tuple[np.ndarray, np.ndarray]:
    """A cube of the lattice around the origin, edge 1."""
    points, tets = lattice_block((n_cells, n_cells, n_cells))
    return points - 0.5 * n_cells, tets


def _along_and_aside(points: np.ndarray, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    along = points @ wave
    return along, np.linalg.norm(points - along[:, None] * wave, axis=1)


def opencarp_rows(progress: Progress) -> list[Row]:
    """Conductivity for each velocity of openCARP's table."""
    rows: list[Row] = []
    for line in TUNE_CV:
        progress(len(rows) / len(TUNE_CV), "conductivity on a cable")
        rows.append(opencarp_row(*line))
    return rows


def opencarp_row(velocity: float, low: float, high: float) -> Row:
    """On openCARP's cable: consistent mass, dx 0.1 mm, dt 0.01 ms at first order."""
    consistent, converged, lumped = (
        tune(
            velocity, "ten_tusscher_2006", {}, 0.1, 0.01,
            initial=AUTHORS_STATE, geometry=geometry, precision="double", tolerance=0.001, order=order,
        )[0]
        for geometry, order in (("consistent cable", 1), ("consistent cable", 2), ("cable", 2))
    )  # fmt: skip
    middle = 0.5 * (low + high)
    return row(
        f"velocity/opencarp/{velocity:g}",
        consistent,
        "mS/mm",
        f"{middle:.4f} within 1 % (openCARP)",
        abs(consistent / middle - 1.0) < 0.01,
        f"conductivity; at second order {converged:.4f}; with lumped mass too, as in production, {lumped:.4f}",
    )
