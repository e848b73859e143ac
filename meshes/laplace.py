"""Laplace's equation on tetrahedra: the smooth fields that coordinates and fibres are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

from cardiotwin.errors import MeshError
from cardiotwin.meshes.adjacency import tets_around
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.multigrid import Multigrid

_MOST_STEPS = 500


@njit(cache=True, error_model="numpy", nogil=True)
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
    sides = np.empty((3, 3))
    for e in range(tets.shape[0]):
        for side in range(3):
            for axis in range(3):
                sides[side, axis] = points[tets[e, side + 1], axis] - points[tets[e, 0], axis]
        determinant = 0.0
        for node in range(3):
            v, w = sides[(node + 1) % 3], sides[(node + 2) % 3]
            for axis in range(3):
                p, q = (axis + 1) % 3, (axis + 2) % 3
                gradients[e, node + 1, axis] = v[p] * w[q] - v[q] * w[p]
        for axis in range(3):
            determinant += sides[0, axis] * gradients[e, 1, axis]
        for axis in range(3):
            for node in range(1, 4):
                gradients[e, node, axis] /= determinant
            gradients[e, 0, axis] = -(gradients[e, 1, axis] + gradients[e, 2, axis] + gradients[e, 3, axis])
        volumes[e] = determinant / 6.0
    return gradients, volumes


@njit(cache=True, nogil=True)
def _stiffness(gradients, volumes, tets, first, around):
    """Entries ∫ ∇φᵢ · ∇φⱼ dV, mm, row by row: (indptr, indices in ascending order, entries).

    A row gathers what the tetrahedra `around` its node have for it; nothing is sorted but the nodes of a row.
    """
    n = first.size - 1
    indptr, place = np.zeros(n + 1, np.int32), np.full(n, -1, np.int64)
    for i in range(n):
        indptr[i + 1] = indptr[i]
        for k in range(first[i], first[i + 1]):
            for j in tets[around[k]]:
                indptr[i + 1] += place[j] != i
                place[j] = i
    indices, entries = np.empty(indptr[n], np.int32), np.zeros(indptr[n])
    place[:] = -1  # of each node's entry in the row at hand; one of a row before is less than where this row begins
    for i in range(n):
        end = indptr[i]
        for k in range(first[i], first[i + 1]):
            for j in tets[around[k]]:
                if place[j] < indptr[i]:
                    place[j], indices[end] = end, j
                    end += 1
        indices[indptr[i] : end].sort()
        for k in range(indptr[i], end):
            place[indices[k]] = k
        for k in range(first[i], first[i + 1]):
            _add_to_row(gradients, volumes, tets, around[k], i, place, entries)
    return indptr, indices, entries


@njit(cache=True, nogil=True)
def _add_to_row(gradients, volumes, tets, e, i, place, entries):
    """Add what tetrahedron `e` has for the row of its node `i` to `entries`."""
    own = 0
    for a in range(1, 4):
        if tets[e, a] == i:
            own = a
    for b in range(4):
        dot = 0.0
        for axis in range(3):
            dot += gradients[e, own, axis] * gradients[e, b, axis]
        entries[place[tets[e, b]]] += volumes[e] * dot


@njit(cache=True, nogil=True)
def _among(indptr, indices, entries, chosen):
    """Rows and columns of the chosen nodes alone: (indptr, indices, entries)."""
    number = np.cumsum(chosen) - 1
    part = np.zeros(number[-1] + 2, np.int32)
    for i in range(chosen.size):
        if chosen[i]:
            row = number[i] + 1
            part[row] = part[row - 1]
            for k in range(indptr[i], indptr[i + 1]):
                part[row] += chosen[indices[k]]
    kept_indices, kept = np.empty(part[-1], np.int32), np.empty(part[-1])
    end = 0
    for i in range(chosen.size):
        for k in range(indptr[i], indptr[i + 1]):
            if chosen[i] and chosen[indices[k]]:
                kept_indices[end], kept[end] = number[indices[k]], entries[k]
                end += 1
    return part, kept_indices, kept


@njit(cache=True, error_model="numpy", nogil=True)
def _gradient_at_nodes(gradients, volumes, tets, field, result):
    """Mean by volume of the gradients in the tetrahedra around each node; `result` (n_nodes, 3) is overwritten."""
    result[:] = 0.0
    weight = np.zeros(field.size)
    for e in range(tets.shape[0]):
        for axis in range(3):
            slope = 0.0
            for i in range(4):
                slope += gradients[e, i, axis] * field[tets[e, i]]
            for i in range(4):
                result[tets[e, i], axis] += volumes[e] * slope
        for i in range(4):
            weight[tets[e, i]] += volumes[e]
    for i in range(field.size):
        for axis in range(3):
            result[i, axis] /= weight[i]


@njit(cache=True, nogil=True)
def corner_mean(at_nodes, corners, result):
    """Mean of a vector at the four corners of one tetrahedron; `result` (3,) is overwritten."""
    for axis in range(3):
        total = 0.0
        for i in range(4):
            total += at_nodes[corners[i], axis]
        result[axis] = 0.25 * total


@njit(cache=True, nogil=True)
def _corner_means(at_nodes, tets, result):
    """`corner_mean` for every tetrahedron; `result` (n_tets, 3) is overwritten."""
    for e in range(tets.shape[0]):
        corner_mean(at_nodes, tets[e], result[e])


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
        n = len(mesh.points)
        indptr, indices, entries = _stiffness(self.gradients, self.volumes, mesh.tets, *tets_around(mesh.tets, n))
        self.stiffness = csr_matrix((entries, indices, indptr), shape=(n, n))

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
        return self.solve_each(fixed, (values,), tolerance=tolerance)[0]

    def solve_each(
        self, fixed: np.ndarray, several: Sequence[np.ndarray | float], *, tolerance: float = 1e-8
    ) -> list[np.ndarray]:
        """As `solve`, for several sets of values on the same nodes: the multigrid is set up once."""
        if not fixed.any():
            raise MeshError("Laplace's equation: no node has a given value; a surface of the heart is missing")
        if fixed.all():
            return [np.where(fixed, values, 0.0) for values in several]
        free = ~fixed
        k = self.stiffness
        indptr, indices, entries = _among(k.indptr, k.indices, k.data, free)
        multigrid = Multigrid(csr_matrix((entries, indices, indptr), shape=(len(indptr) - 1,) * 2))
        return [self._solved(multigrid, free, values, tolerance) for values in several]

    def _solved(
        self, multigrid: Multigrid, free: np.ndarray, values: np.ndarray | float, tolerance: float
    ) -> np.ndarray:
        solution = np.where(free, 0.0, values).astype(np.float64)
        found = np.zeros(int(free.sum()))
        steps = multigrid.solve(-(self.stiffness @ solution)[free], found, tolerance, _MOST_STEPS)
        if steps == _MOST_STEPS:
            raise MeshError(
                f"Laplace's equation: no convergence in {steps} steps; are tetrahedra all but flat? The smallest has "
                f"{self.volumes.min():.2g} mm³ (cell {self.volumes.argmin()})"
            )
        low, high = solution[~free].min(), solution[~free].max()
        solution[free] = found
        return np.clip(solution, low, high)  # the maximum principle, which flat tetrahedra break by a little

    def gradient(self, field: np.ndarray) -> np.ndarray:
        """(n_tets, 3) gradient of a nodal field in each tetrahedron, per mm."""
        return np.einsum("eij,ei->ej", self.gradients, field[self.mesh.tets])

    def gradient_at_nodes(self, field: np.ndarray) -> np.ndarray:
        """(n_nodes, 3) gradient averaged to the nodes by volume, per mm."""
        result = np.empty((len(self.mesh.points), 3))
        _gradient_at_nodes(self.gradients, self.volumes, self.mesh.tets, field, result)
        return result

    def smooth_gradient(self, field: np.ndarray) -> np.ndarray:
        """(n_tets, 3) gradient averaged to the nodes by volume and back; defined where a tetrahedron is constant."""
        result = np.empty((len(self.mesh.tets), 3))
        _corner_means(self.gradient_at_nodes(field), self.mesh.tets, result)
        return result
