"""Whether a mesh made elsewhere is even enough for one conductivity to give one velocity (RELIABILITY, TM06).

Velocities are tuned at the mesh's typical edge. Where its edges are longer the same conductivity makes a slower wave,
and past some length none: by how much is measured here, with plane waves on the mesher's lattice at both lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import QualityGate
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.quality import edge_lengths
from cardiotwin.tissue.cells import conducting_cell
from cardiotwin.tissue.velocity import plane_wave_velocity, tune

LONG_PERCENTILE = 99.0
MOST_ERROR = 0.25
"""Of the velocity across fibres at the longest one per cent of edges."""
WIDER_FRONT = "modified_mitchell_schaeffer"
"""The cell model that bears the coarsest meshes, with two variables and an action potential after their likeness."""
OTHER_MODEL = f'in twin.toml, under [tissue], set cell_model = "{WIDER_FRONT}"'
ALLOW = "in twin.toml, under [mesh_file], set allow_coarse = true"
DT_MS = {"ten_tusscher_2006": 0.02, "tor_ord_2019": 0.02}
OTHER_DT_MS = 0.1


@dataclass(frozen=True)
class Fineness:
    """Lengths in mm.

    Attributes
    ----------
    lattice_mm : float
        Constant of the lattice whose tetrahedra have the median volume: velocities are tuned at it.
    typical_mm, long_mm : float
        Median and 99th percentile of the edges.
    velocity_error : float
        Predicted, of a wave across fibres where edges are long; -1 where it stops.
    """

    lattice_mm: float
    typical_mm: float
    long_mm: float
    velocity_error: float

    def __str__(self) -> str:
        what = "a wave across the fibres stops" if self.velocity_error <= -1.0 else (
            f"a wave across the fibres is {100 * abs(self.velocity_error):.0f} % too "
            f"{'slow' if self.velocity_error < 0 else 'fast'}"
        )  # fmt: skip
        return f"edges of {self.typical_mm:.2f} mm (median) and {self.long_mm:.2f} mm (longest 1 %): there {what}"


def fineness(mesh: Mesh, model: str, velocity: float) -> Fineness:
    """Measure the edges, and the velocity at the longest.

    Parameters
    ----------
    model : str
        Cell model.
    velocity : float
        Wanted across the fibres, mm/ms.

    Raises
    ------
    QualityGate
        Not even at the typical edge can the velocity be reached.
    """
    edges = edge_lengths(mesh.points, mesh.tets)
    lattice = float(np.cbrt(12.0 * np.median(mesh.volumes)))
    typical, long = float(np.median(edges)), float(np.percentile(edges, LONG_PERCENTILE))
    cell, dt_ms = conducting_cell(model, velocity, lattice, False), DT_MS.get(model, OTHER_DT_MS)
    sigma, _ = tune(velocity, model, cell, lattice, dt_ms)
    # The longest edge of the lattice is its constant.
    reached = plane_wave_velocity(sigma, model, cell, max(long, lattice), dt_ms, expected=velocity)
    return Fineness(lattice, typical, long, reached / velocity - 1.0)


def too_coarse(mesh: Mesh, model: str, velocity: float) -> str:
    """By how much waves are off where they are by more than a quarter, in words; "" where they are not."""
    try:
        found = fineness(mesh, model, velocity)
    except QualityGate as refused:
        return str(refused).rstrip(".")
    return str(found) if abs(found.velocity_error) > MOST_ERROR else ""


def check_fineness(mesh: Mesh, model: str, velocity: float) -> None:
    """Refuse a mesh whose longest edges make waves more than a quarter too slow.

    Raises
    ------
    QualityGate
        With the predicted error, and the settings that would do.
    """
    if why := too_coarse(mesh, model, velocity):
        expected = f"expected at most {100 * MOST_ERROR:.0f} % off"
        ways = ["Remesh finer or more evenly", *_with_other_model(mesh, model, velocity), ALLOW]
        raise QualityGate(f"mesh: {why}; {expected}. {'; or, '.join(ways)}")


def _with_other_model(mesh: Mesh, model: str, velocity: float) -> list[str]:
    """The setting, where it was tried on this mesh and would do."""
    if model == WIDER_FRONT or too_coarse(mesh, WIDER_FRONT, velocity):
        return []
    error = fineness(mesh, WIDER_FRONT, velocity).velocity_error
    return [f"{OTHER_MODEL} (a simpler action potential; there {100 * abs(error):.0f} % off)"]
