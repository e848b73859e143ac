"""How far it is to a surface along the lines of a direction field.

The equation of Yezzi & Prince 2003 (doi 10.1109/TMI.2003.817775), direction · grad(distance) = 1, is solved by
characteristics: from each node a straight step goes upstream to the opposite face of a tetrahedron, where the distance
is interpolated. It is exact for linear fields, of first order else, needs no linear solver, and stays between what it
is made from, where least squares (Schuler et al. 2021) overshoot and want hundreds of iterations.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cardiotwin.meshes.laplace import shape_gradients

_MOST_SWEEPS = 400


@njit(cache=True)
def _upstream(points, tets, gradients, start, index, direction, fixed, nodes, weights, steps):
    """Foot of each node's step: the three nodes of a face, their weights and the length; the last three overwritten.

    The tetrahedron is the one the step lies in. At the boundary it may lie in none: the nearest one then, and the foot
    is moved onto its face.
    """
    for i in range(points.shape[0]):
        nodes[i] = -1
        if fixed[i]:
            continue
        best = -1e30
        for k in range(start[i], start[i + 1]):
            e = index[k]
            own = 0
            for j in range(4):
                if tets[e, j] == i:
                    own = j
            rate = 0.0
            for axis in range(3):
                rate += direction[i, axis] * gradients[e, own, axis]
            if rate <= 1e-9:
                continue
            least = 1e30
            for j in range(4):
                if j != own:
                    share = 0.0
                    for axis in range(3):
                        share -= direction[i, axis] * gradients[e, j, axis]
                    least = min(least, share / rate)
            if least > best:
                best = least
                slot = 0
                for j in range(4):
                    if j != own:
                        share = 0.0
                        for axis in range(3):
                            share -= direction[i, axis] * gradients[e, j, axis]
                        nodes[i, slot] = tets[e, j]
                        weights[i, slot] = max(share / rate, 0.0)
                        slot += 1
        if best > -1e30:
            total = weights[i, 0] + weights[i, 1] + weights[i, 2]
            length = 0.0
            for axis in range(3):
                foot = 0.0
                for j in range(3):
                    foot += weights[i, j] / total * points[nodes[i, j], axis]
                length += (points[i, axis] - foot) ** 2
            for j in range(3):
                weights[i, j] /= total
            steps[i] = np.sqrt(length)


@njit(cache=True)
def _order(nodes, weights, order):
    """Nodes after all they depend on, `order` overwritten; those that depend on each other come last."""
    n = nodes.shape[0]
    waiting = np.zeros(n, np.int64)
    first = np.zeros(n + 1, np.int64)
    for i in range(n):
        for j in range(3):
            if nodes[i, 0] >= 0 and weights[i, j] > 1e-9:
                waiting[i] += 1
                first[nodes[i, j] + 1] += 1
    for i in range(n):
        first[i + 1] += first[i]
    dependant = np.empty(first[n], np.int64)
    place = first[:n].copy()
    for i in range(n):
        for j in range(3):
            if nodes[i, 0] >= 0 and weights[i, j] > 1e-9:
                dependant[place[nodes[i, j]]] = i
                place[nodes[i, j]] += 1
    count = 0
    for i in range(n):
        if waiting[i] == 0:
            order[count] = i
            count += 1
    head = 0
    while head < count:
        for k in range(first[order[head]], first[order[head] + 1]):
            waiting[dependant[k]] -= 1
            if waiting[dependant[k]] == 0:
                order[count] = dependant[k]
                count += 1
        head += 1
    sorted_nodes = count
    for i in range(n):
        if waiting[i] > 0:
            order[count] = i
            count += 1
    return sorted_nodes


@njit(cache=True)
def _swept(nodes, weights, steps, order, n_sorted, tolerance, most_sweeps, distance):
    """Distances in order; of nodes that depend on each other by sweeps, `distance` overwritten. Returns the sweeps."""
    for sweep in range(most_sweeps):
        change = 0.0
        begin = 0 if sweep == 0 else n_sorted
        for k in range(begin, order.size):
            i = order[k] if sweep % 2 == 0 else order[order.size - 1 - (k - begin)]
            if nodes[i, 0] < 0:
                continue
            total = steps[i]
            for j in range(3):
                total += weights[i, j] * distance[nodes[i, j]]
            change = max(change, abs(total - distance[i]))
            distance[i] = total
        if n_sorted == order.size or (sweep > 0 and change < tolerance):
            return sweep
    return most_sweeps


@njit(cache=True)
def _gathered(tets, volumes, vectors, n, result):
    """Sum of the vectors of the tetrahedra around each node, by volume; `result` (n, 3) overwritten."""
    result[:] = 0.0
    for e in range(tets.shape[0]):
        for j in range(4):
            for axis in range(3):
                result[tets[e, j], axis] += volumes[e] * vectors[e, axis]


class Lines:
    """Tetrahedra along which distances are measured: a whole mesh or some of its tetrahedra.

    Attributes
    ----------
    points : (n_nodes, 3) float64, mm
    tets : (n_tets, 4) int32
        Nodes that none of them names have no distance.
    gradients, volumes : (n_tets, 4, 3) float64 1/mm, (n_tets,) float64 mm³
    """

    def __init__(self, points: np.ndarray, tets: np.ndarray) -> None:
        self.points, self.tets = points, np.ascontiguousarray(tets)
        self.gradients, self.volumes = shape_gradients(points, self.tets)
        order = np.argsort(self.tets.ravel(), kind="stable")
        self._around = (order // 4).astype(np.int32)
        self._first = np.r_[0, np.cumsum(np.bincount(self.tets.ravel(), minlength=len(points)))]

    def unit_gradient(self, field: np.ndarray) -> np.ndarray:
        """(n_tets, 3) direction of steepest ascent; zero where the field is flat."""
        slope = np.einsum("eij,ei->ej", self.gradients, field[self.tets])
        return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)

    def at_nodes(self, vectors: np.ndarray) -> np.ndarray:
        """(n_nodes, 3) unit directions from those of the tetrahedra around, by volume."""
        result = np.empty((len(self.points), 3))
        _gathered(self.tets, self.volumes, np.ascontiguousarray(vectors), len(self.points), result)
        return result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-30)

    def distance(self, direction: np.ndarray, begin: np.ndarray, values: np.ndarray | float = 0.0) -> np.ndarray:
        """(n_nodes,) distance along the lines, mm; NaN at nodes outside.

        Parameters
        ----------
        direction : (n_nodes, 3) float64
            Unit vectors, the way in which distance grows.
        begin : (n_nodes,) bool
            Where it is given.
        values : (n_nodes,) float64
            What it is there.
        """
        n = len(self.points)
        nodes, weights, steps = np.empty((n, 3), np.int32), np.zeros((n, 3)), np.zeros(n)
        _upstream(
            self.points,
            self.tets,
            self.gradients,
            self._first,
            self._around,
            np.ascontiguousarray(direction),
            begin,
            nodes,
            weights,
            steps,
        )
        order = np.empty(n, np.int64)
        n_sorted = _order(nodes, weights, order)
        distance = np.where(begin, values, 0.0).astype(np.float64)
        _swept(nodes, weights, steps, order, n_sorted, 1e-6, _MOST_SWEEPS, distance)
        return np.where(np.diff(self._first) > 0, distance, np.nan)
