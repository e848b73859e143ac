"""Blocks of tissue for the solver, without a heart."""

import numpy as np

from cardiotwin.meshes.reference.slab import slab
from cardiotwin.solver.medium import Medium


def block(size_mm, edge_mm, cell_model="mitchell_schaeffer", sigma=(0.15, 0.15, 0.15), **parameters) -> Medium:
    """A box with conductivities along the axes."""
    mesh = slab(size_mm, edge_mm)
    tensor = np.broadcast_to(np.diag(sigma), (len(mesh.tets), 3, 3)).copy()
    return Medium(mesh.points, mesh.tets, tensor, cell_model, parameters)


def left_end(medium: Medium, width_mm: float = 2.0) -> np.ndarray:
    return np.flatnonzero(medium.points[:, 0] <= width_mm)


def single_cell(cell_model: str, **parameters) -> Medium:
    """Four nodes that hardly conduct: one cell, four times."""
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    return Medium(points, np.array([[0, 1, 2, 3]], np.int32), 1e-12 * np.eye(3)[None], cell_model, parameters)
