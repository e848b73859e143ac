"""Laplace's equation on tetrahedra: the smooth fields that coordinates and fibres are made of."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix, csr_matrix

from cardiotwin.errors import MeshError
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.multigrid import Multigrid

_MOST_STEPS = 500


@njit(cache=True, error_model="numpy")
def shape_gradients(points, tets):
    """Gradients of the linear shape functions.

    Parameters
    ----------
    points, tets : (n_nodes, 3) float64, (n_tets, 4) int32

    Returns
    -------
    gradients : (n_tets, 4, 3) float64
        1/mm.
    volumes : (n_tets,) float64
        mm³.
    """
    gradients = np.empty((tets.shape[0], 4, 3))
    volumes = np.empty(tets.shape[0])
    for e in range(tets.shape[0]):
        u = points[tets[e, 1]] - points[tets[e, 0]]
        v = points[tets[e, 2]] - points[tets[e, 0]]
        w = points[tets[e, 3]] - points[tets[e, 0]]
        for axis in range(3):
            p, q = (axis + 1) % 3, (axis + 2) % 3
            gradients[e, 1, axis] = v[p] * w[q] - v[q] * w[p]
            gradients[e, 2, axis] = w[p] * u[q] - w[q] * u[p]
            gradients[e, 3, axis] = u[p] * v[q] - u[q] * v[p]
        determinant = u[0] * gradients[e, 1, 0] + u[1] * gradients[e, 1, 1] + u[2] * gradients[e, 1, 2]
        for axis in range(3):
            for node in range(1, 4):
                gradients[e, node, axis] /= determinant
            gradients[e, 0, axis] = -(gradients[e, 1, axis] + gradients[e, 2, axis] + gradients[e, 3, axis])
        volumes[e] = determinant / 6.0
    return gradients, volumes


@njit(cache=True)
def _element_matrices(gradients, volumes):
    """(n_tets, 4, 4) entries ∫ ∇φᵢ · ∇φⱼ dV, mm."""
    entries = np.empty((volumes.size, 4, 4))
    for e in range(volumes.size):
        for i in range(4):
            for j in range(4):
                dot = 0.0
                for axis in range(3):
                    dot += gradients[e, i, axis] * gradients[e, j, axis]
                entries[e, i, j] = volumes[e] * dot
    return entries


@njit(cache=True, error_model="numpy")
def _smooth_gradient(gradients, volumes, tets, field, result):
    """Gradient per tetrahedron, averaged to the nodes by volume and back; `result` (n_tets, 3) is overwritten."""
    nodal = np.zeros((field.size, 3))
    weight = np.zeros(field.size)
    for e in range(tets.shape[0]):
        for axis in range(3):
            slope = 0.0
            for i in range(4):
                slope += gradients[e, i, axis] * field[tets[e, i]]
            for i in range(4):
                nodal[tets[e, i], axis] += volumes[e] * slope
        for i in range(4):
            weight[tets[e, i]] += volumes[e]
    for e in range(tets.shape[0]):
        for axis in range(3):
            total = 0.0
            for i in range(4):
                total += nodal[tets[e, i], axis] / weight[tets[e, i]]
            result[e, axis] = 0.25 * total


class Laplace:
    """The stiffness matrix of a mesh, assembled once, and solutions for given boundary values.

    Attributes
    ----------
    mesh : Mesh
    gradients : (n_tets, 4, 3) float64
        Of the linear shape functions, 1/mm.
    stiffness : (n_nodes, n_nodes) csr_matrix
        Linear (P1) elements, mm.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.gradients, self.volumes = shape_gradients(mesh.points, mesh.tets)
        entries = _element_matrices(self.gradients, self.volumes)
        rows, columns = np.repeat(mesh.tets, 4, axis=1), np.tile(mesh.tets, (1, 4))
        n = len(mesh.points)
        self.stiffness: csr_matrix = coo_matrix(
            (entries.ravel(), (rows.ravel(), columns.ravel())), shape=(n, n)
        ).tocsr()
        self._last: tuple[np.ndarray, csr_matrix, Multigrid] | None = None

    def solve(self, fixed: np.ndarray, values: np.ndarray | float, *, tolerance: float = 1e-8) -> np.ndarray:
        """Harmonic field with given values on some nodes and no flux through the rest of the boundary.

        Parameters
        ----------
        fixed : (n_nodes,) bool
            Nodes whose value is given.
        values : (n_nodes,) float64
            The values; read on `fixed` only.
        tolerance : float
            Relative residual of the conjugate-gradient solve (see `multigrid`).

        Raises
        ------
        MeshError
            Nothing is fixed, or the solve does not converge.
        """
        if not fixed.any():
            raise MeshError("Laplace's equation: no node has a given value; a surface of the heart is missing")
        solution = np.where(fixed, values, 0.0).astype(np.float64)
        if fixed.all():
            return solution
        outward, multigrid = self._prepared(fixed)
        free = np.zeros(int((~fixed).sum()))
        steps = multigrid.solve(-(outward @ solution), free, tolerance, _MOST_STEPS)
        if steps == _MOST_STEPS:
            raise MeshError(f"Laplace's equation: no convergence in {steps} steps; is the mesh in several parts?")
        solution[~fixed] = free
        low, high = solution[fixed].min(), solution[fixed].max()
        return np.clip(solution, low, high)  # the maximum principle, which flat tetrahedra break by a little

    def _prepared(self, fixed: np.ndarray) -> tuple[csr_matrix, Multigrid]:
        """Rows of the free nodes, and their multigrid; kept for the next solve that fixes the same nodes."""
        if self._last is None or not np.array_equal(self._last[0], fixed):
            rows = self.stiffness[~fixed]
            self._last = fixed.copy(), rows, Multigrid(rows[:, ~fixed].tocsr())
        return self._last[1:]

    def gradient(self, field: np.ndarray) -> np.ndarray:
        """(n_tets, 3) gradient of a nodal field in each tetrahedron, per mm."""
        return np.einsum("eij,ei->ej", self.gradients, field[self.mesh.tets])

    def smooth_gradient(self, field: np.ndarray) -> np.ndarray:
        """(n_tets, 3) gradient averaged to the nodes by volume and back; defined where a tetrahedron is constant."""
        result = np.empty((len(self.mesh.tets), 3))
        _smooth_gradient(self.gradients, self.volumes, self.mesh.tets, field, result)
        return result
