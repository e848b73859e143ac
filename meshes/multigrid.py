"""Symmetric positive definite systems of meshes by conjugate gradients with an aggregation multigrid.

Notay 2010 (An aggregation-based algebraic multigrid method, Electron. Trans. Numer. Anal. 37), in its simplest form:
aggregates of a node and its neighbours, constant within each, symmetric Gauss-Seidel, and two steps of conjugate
gradients on every coarse level (K-cycle). The number of steps hardly grows with the mesh, and setting it up costs no
sparse product: coarse matrices are sums of entries. One thread, which leaves the interpreter to others; no BLAS.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

_COARSEST = 400
_ENOUGH = 4
"""Neighbours that make an aggregate worth beginning."""


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _swept_down(indptr, indices, entries, middle, b, x):
    """A Gauss-Seidel sweep from the first row to the last, beginning at x = 0; `x` overwritten.

    From zero only what stands before the diagonal matters, half of the matrix; `middle` (n,) is where it stands.
    """
    for i in range(x.size):
        value = b[i]
        for k in range(indptr[i], middle[i]):
            value -= entries[k] * x[indices[k]]
        x[i] = value / entries[middle[i]]


@njit(cache=True, nogil=True)
def _left_over(indptr, indices, entries, middle, x, aggregate, coarse):
    """Sums of b - A x over each aggregate right after `_swept_down`; `coarse` overwritten.

    The sweep has solved each row but for what stands behind the diagonal: the other half of the matrix.
    """
    coarse[:] = 0.0
    for i in range(x.size):
        value = 0.0
        for k in range(middle[i] + 1, indptr[i + 1]):
            value -= entries[k] * x[indices[k]]
        coarse[aggregate[i]] += value


@njit(cache=True, nogil=True)
def _swept_up(indptr, indices, entries, middle, b, x):
    """One Gauss-Seidel sweep from the last row to the first; `x` overwritten."""
    for i in range(x.size - 1, -1, -1):
        value = b[i]
        for k in range(indptr[i], middle[i]):
            value -= entries[k] * x[indices[k]]
        for k in range(middle[i] + 1, indptr[i + 1]):
            value -= entries[k] * x[indices[k]]
        x[i] = value / entries[middle[i]]


@njit(cache=True, nogil=True)
def _diagonal_places(indptr, indices):
    """(n,) int32, where in `indices`, ascending in each row, the diagonal stands."""
    middle = np.empty(indptr.size - 1, np.int32)
    for i in range(middle.size):
        middle[i] = indptr[i] + np.searchsorted(indices[indptr[i] : indptr[i + 1]], i)
    return middle


@njit(cache=True, nogil=True)
def _summed(indptr, indices, entries, aggregate, count):
    """Sums of the entries over aggregates of rows and of columns: (indptr, indices in ascending order, entries)."""
    first, member = np.zeros(count + 1, np.int64), np.empty(aggregate.size, np.int32)
    for i in range(aggregate.size):
        first[aggregate[i] + 1] += 1
    first = np.cumsum(first)
    place = first[:-1].copy()
    for i in range(aggregate.size):
        member[place[aggregate[i]]] = i
        place[aggregate[i]] += 1
    below = np.zeros(count + 1, np.int32)
    columns, sums = np.empty(indices.size, np.int32), np.zeros(indices.size)
    place[:] = -1  # of a column in the row at hand; one of a row before is less than where this row begins
    for row in range(count):
        end = below[row]
        for m in range(first[row], first[row + 1]):
            for k in range(indptr[member[m]], indptr[member[m] + 1]):
                column = aggregate[indices[k]]
                if place[column] < below[row]:
                    place[column], columns[end] = end, column
                    end += 1
        columns[below[row] : end].sort()
        for k in range(below[row], end):
            place[columns[k]] = k
        for m in range(first[row], first[row + 1]):
            for k in range(indptr[member[m]], indptr[member[m] + 1]):
                sums[place[aggregate[indices[k]]]] += entries[k]
        below[row + 1] = end
    return below, columns[: below[count]].copy(), sums[: below[count]].copy()


@njit(cache=True, nogil=True)
def _dot(a, b):
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True)
def _spread(aggregate, coarse, fine):
    """Add each aggregate's value to its nodes in `fine`."""
    for i in range(fine.size):
        fine[i] += coarse[aggregate[i]]


@njit(cache=True, error_model="numpy", nogil=True)
def _factorise(a):
    """Cholesky factor of a symmetric positive definite matrix; `a` (n, n) is overwritten by it and by its transpose.

    LAPACK is faster, but what it gives in the last bits depends on the number of threads it takes.
    """
    for k in range(a.shape[0]):
        pivot = a[k, k] = np.sqrt(a[k, k])
        for j in range(k + 1, a.shape[0]):
            a[k, j] /= pivot
            a[j, k] = a[k, j]
        for i in range(k + 1, a.shape[0]):
            factor = a[i, k]
            for j in range(i, a.shape[0]):
                a[i, j] -= factor * a[k, j]


@njit(cache=True, error_model="numpy", nogil=True)
def _eliminated(factor, x):
    """Solve with what `_factorise` left; `x` (n,) holds the right side and is overwritten by the solution."""
    for i in range(x.size):
        x[i] /= factor[i, i]
        for j in range(i + 1, x.size):
            x[j] -= factor[i, j] * x[i]
    for i in range(x.size - 1, -1, -1):
        x[i] /= factor[i, i]
        for j in range(i):
            x[j] -= factor[i, j] * x[i]


class Multigrid:
    """One symmetric positive definite matrix, and approximate solutions for it.

    Attributes
    ----------
    matrix : csr_matrix
    coarse : Multigrid or None
        The next level; None where the matrix is small enough to be factorised.
    """

    def __init__(self, matrix: csr_matrix) -> None:
        self.matrix = matrix if matrix.has_sorted_indices else matrix.sorted_indices()
        self._csr = (self.matrix.indptr, self.matrix.indices, self.matrix.data)
        self._middle = _diagonal_places(*self._csr[:2])
        self.coarse: Multigrid | None = None
        n = matrix.shape[0]
        self._aggregate = np.empty(n, np.int32)
        if n > _COARSEST:
            count = _aggregated(*self._csr, _ENOUGH, self._aggregate)
            if count < 0.8 * n:
                indptr, indices, entries = _summed(*self._csr, self._aggregate, count)
                self.coarse = Multigrid(csr_matrix((entries, indices, indptr), shape=(count, count)))
                return
        self._factor = matrix.toarray() if n <= 4 * _COARSEST else None
        if self._factor is not None:
            _factorise(self._factor)

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
        if self.coarse is None and self._factor is not None:
            x = b.copy()
            _eliminated(self._factor, x)
            return x
        x = np.empty_like(b)
        _swept_down(*self._csr, self._middle, b, x)
        if self.coarse is not None:
            below = np.empty(self.coarse.matrix.shape[0])
            _left_over(*self._csr, self._middle, x, self._aggregate, below)
            _spread(self._aggregate, self.coarse._twice(below), x)
        _swept_up(*self._csr, self._middle, b, x)
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
