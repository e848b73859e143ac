"""Symmetric positive definite systems of meshes by conjugate gradients with an aggregation multigrid.

Notay 2010 (An aggregation-based algebraic multigrid method, Electron. Trans. Numer. Anal. 37), in its simplest form:
aggregates of a node and its neighbours, constant within each, symmetric Gauss-Seidel, and two steps of conjugate
gradients on every coarse level (K-cycle). The number of steps hardly grows with the mesh, and setting it up costs no
sparse product: coarse matrices are sums of entries. One thread, no BLAS but for the coarsest level.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import coo_matrix, csr_matrix

_COARSEST = 400
_ENOUGH = 4
"""Neighbours that make an aggregate worth beginning."""


@njit(cache=True)
def _aggregated(indptr, indices, entries, enough, aggregate):
    """Number the aggregates; `aggregate` (n,) overwritten. Returns how many there are.

    A node takes the neighbours it is bound to, at least a quarter as strongly as to the first, if it finds
    enough of them; what is left joins the aggregate of its strongest neighbour that has one.
    """
    aggregate[:] = -1
    count = 0
    for least in (enough, 0):
        for i in range(aggregate.size):
            if aggregate[i] >= 0:
                continue
            strongest, bond, to = 0.0, 0.0, -1
            for k in range(indptr[i], indptr[i + 1]):
                j = indices[k]
                if j != i:
                    strongest = max(strongest, -entries[k])
                    if aggregate[j] >= 0 and -entries[k] > bond:
                        bond, to = -entries[k], j
            if least == 0 and to >= 0:
                aggregate[i] = aggregate[to]
                continue
            free = 0
            for k in range(indptr[i], indptr[i + 1]):
                free += indices[k] != i and aggregate[indices[k]] < 0 and -entries[k] >= 0.25 * strongest > 0.0
            if free < least:
                continue
            aggregate[i] = count
            for k in range(indptr[i], indptr[i + 1]):
                j = indices[k]
                if aggregate[j] < 0 and -entries[k] >= 0.25 * strongest > 0.0:
                    aggregate[j] = count
            count += 1
    return count


@njit(cache=True)
def _residual(indptr, indices, entries, x, b, r):
    """r = b - A x; `r` overwritten. Returns r . r"""
    total = 0.0
    for i in range(x.size):
        value = b[i]
        for k in range(indptr[i], indptr[i + 1]):
            value -= entries[k] * x[indices[k]]
        r[i] = value
        total += value * value
    return total


@njit(cache=True)
def _times(indptr, indices, entries, x, y):
    """y = A x; `y` overwritten. Returns x . y"""
    total = 0.0
    for i in range(x.size):
        value = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            value += entries[k] * x[indices[k]]
        y[i] = value
        total += value * x[i]
    return total


@njit(cache=True)
def _smoothed(indptr, indices, entries, diagonal, b, backward, x):
    """One Gauss-Seidel sweep, forward or backward; `x` overwritten."""
    n = x.size
    for step in range(n):
        i = n - 1 - step if backward else step
        value = b[i]
        for k in range(indptr[i], indptr[i + 1]):
            value -= entries[k] * x[indices[k]]
        x[i] += value / diagonal[i]


@njit(cache=True)
def _dot(a, b):
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@njit(cache=True)
def _gathered(aggregate, fine, coarse):
    """Sum of the fine values in each aggregate; `coarse` overwritten."""
    coarse[:] = 0.0
    for i in range(fine.size):
        coarse[aggregate[i]] += fine[i]


@njit(cache=True)
def _spread(aggregate, coarse, fine):
    """Add each aggregate's value to its nodes in `fine`."""
    for i in range(fine.size):
        fine[i] += coarse[aggregate[i]]


class Multigrid:
    """One symmetric positive definite matrix, and approximate solutions for it.

    Attributes
    ----------
    matrix : csr_matrix
    coarse : Multigrid or None
        The next level; None where the matrix is small enough to be factorised.
    """

    def __init__(self, matrix: csr_matrix) -> None:
        self.matrix = matrix
        self._csr = (matrix.indptr, matrix.indices, matrix.data)
        self._diagonal = matrix.diagonal()
        self.coarse: Multigrid | None = None
        n = matrix.shape[0]
        self._aggregate = np.empty(n, np.int32)
        if n > _COARSEST:
            count = _aggregated(*self._csr, _ENOUGH, self._aggregate)
            if count < 0.8 * n:
                self.coarse = Multigrid(self._summed(count))
                return
        self._factor = cho_factor(matrix.toarray()) if n <= 10 * _COARSEST else None

    def _summed(self, count: int) -> csr_matrix:
        rows = np.repeat(self._aggregate, np.diff(self.matrix.indptr))
        columns = self._aggregate[self.matrix.indices]
        return coo_matrix((self.matrix.data, (rows, columns)), shape=(count, count)).tocsr()

    def solve(self, b: np.ndarray, x: np.ndarray, tolerance: float, most_steps: int) -> int:
        """Flexible conjugate gradients from `x`, which is overwritten; returns the steps taken.

        Stops when the residual has fallen to `tolerance` times what it is for x = 0.
        """
        residual, image, direction = np.empty_like(b), np.empty_like(b), np.zeros_like(b)
        goal = tolerance**2 * _dot(b, b)
        size, previous, curvature = _residual(*self._csr, x, b, residual), np.zeros_like(b), 1.0
        for step in range(most_steps):
            if size <= goal:
                return step
            correction = self._cycle(residual)
            # Conjugate to the last direction alone: the preconditioner changes from step to step.
            direction = correction - (_dot(correction, previous) / curvature) * direction
            curvature = _times(*self._csr, direction, image)
            length = _dot(direction, residual) / curvature
            x += length * direction
            residual -= length * image
            previous, size = image.copy(), _dot(residual, residual)
        return most_steps

    def _cycle(self, b: np.ndarray) -> np.ndarray:
        """About A⁻¹ b: a sweep down the nodes, the coarse level, a sweep up."""
        x = np.zeros_like(b)
        if self.coarse is None:
            if self._factor is not None:
                return np.asarray(cho_solve(self._factor, b))
            _smoothed(*self._csr, self._diagonal, b, False, x)
            _smoothed(*self._csr, self._diagonal, b, True, x)
            return x
        _smoothed(*self._csr, self._diagonal, b, False, x)
        rest = np.empty_like(b)
        _residual(*self._csr, x, b, rest)
        below = np.empty(self.coarse.matrix.shape[0])
        _gathered(self._aggregate, rest, below)
        _spread(self._aggregate, self.coarse._twice(below), x)
        _smoothed(*self._csr, self._diagonal, b, True, x)
        return x

    def _twice(self, b: np.ndarray) -> np.ndarray:
        """Two steps of conjugate gradients, one where that does, the exact solution on the coarsest level."""
        first = self._cycle(b)
        if self.coarse is None:
            return first
        image = np.empty_like(b)
        curvature = _times(*self._csr, first, image)
        if curvature <= 0.0:
            return first
        length = _dot(first, b) / curvature
        rest = b - length * image
        if _dot(rest, rest) <= 0.0625 * _dot(b, b):
            return length * first
        second = self._cycle(rest)
        common, other = _dot(second, image), np.empty_like(b)
        left = _times(*self._csr, second, other) - common * common / curvature
        if left <= 0.0:
            return length * first
        further = _dot(second, rest) / left
        return (length - common * further / curvature) * first + further * second
