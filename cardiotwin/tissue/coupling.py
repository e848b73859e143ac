"""What coupled cells share: a quantity of each cell, evened out over the millimetres within which currents flow."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import cg

from cardiotwin.meshes.laplace import shape_gradients
from cardiotwin.meshes.mesh import Mesh


def evened_out(mesh: Mesh, squared_mm: float | np.ndarray, *alone: np.ndarray) -> np.ndarray:
    """Solve u - div(L² grad u) = what each cell would do alone, no flux through surfaces.

    Parameters
    ----------
    mesh : Mesh
        Of what is coupled; each node belongs to a tetrahedron.
    squared_mm : float or (n_tets, 3, 3) float
        L², the square of the length over which it evens out, mm²: of all tissue alike or a tensor of each tetrahedron.
    *alone : (n_nodes,) float

    Returns
    -------
    (n_nodes, len(alone)) float64
    """
    gradients, volumes = shape_gradients(mesh.points, mesh.tets)
    along = gradients @ (squared_mm if isinstance(squared_mm, np.ndarray) else squared_mm * np.eye(3))
    entries = np.einsum("eij,ekj,e->eik", along, gradients, volumes)
    i, j = np.repeat(mesh.tets, 4, axis=1), np.tile(mesh.tets, 4)
    n = len(mesh.points)
    volume = np.bincount(mesh.tets.ravel(), np.repeat(volumes / 4.0, 4), n)
    operator = diags(volume) + csr_matrix((entries.ravel(), (i.ravel(), j.ravel())), shape=(n, n))
    scaling = diags(1.0 / operator.diagonal())
    return np.column_stack([cg(operator, volume * one, x0=one, rtol=1e-4, M=scaling)[0] for one in alone])
