"""How far it is to a surface along the lines of a direction field.

The equation of Yezzi & Prince 2003 (doi 10.1109/TMI.2003.817775), direction · grad(distance) = 1, is solved by
characteristics: from each node a straight step goes upstream to the opposite face of a tetrahedron, where the distance
is interpolated. It is exact for linear fields, of first order else, needs no linear solver, and stays between what it
is made from, where least squares (Schuler et al. 2021) overshoot and want hundreds of iterations.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cardiotwin.meshes.adjacency import tets_around
from cardiotwin.meshes.laplace import shape_gradients

_MOST_SWEEPS = 400
_TOLERANCE_MM = 1e-4
_MOST_ROUNDS = 5
_ASTRAY = 0.5
"""Cosine between a line and the step taken for it below which its direction is not believed."""


@njit(cache=True, nogil=True)
def _shares(gradients, tets, e, i, direction, shares):
    """Barycentric coordinates where a step upstream from node `i` meets the opposite face; `shares` (4,) overwritten.

    The node's own is set to 0. Returns the least of the others; -1e30 where the step leads away from the face.
    """
    rate = 0.0
    for j in range(4):
        along = 0.0
        for axis in range(3):
            along += direction[i, axis] * gradients[e, j, axis]
        shares[j] = -along
        if tets[e, j] == i:
            rate = along
            shares[j] = 0.0
    if rate <= 1e-9:
        return -1e30
    least = 1e30
    for j in range(4):
        shares[j] /= rate
        if tets[e, j] != i:
            least = min(least, shares[j])
    return least


@njit(cache=True, nogil=True)
def _foot(points, tets, e, i, direction, shares, nodes, weights, steps):
    """Take the point with these shares of the face opposite to node `i`, negative ones left out.

    The last three are overwritten if it lies straighter upstream than what was taken before; returns how straight, the
    cosine.
    """
    total = 0.0
    for j in range(4):
        total += max(shares[j], 0.0)
    along, length = 0.0, 0.0
    for axis in range(3):
        step = points[i, axis]
        for j in range(4):
            step -= max(shares[j], 0.0) / total * points[tets[e, j], axis]
        along += step * direction[i, axis]
        length += step * step
    cosine = along / np.sqrt(length)
    if cosine > steps[i, 1]:
        slot = 0
        for j in range(4):
            if tets[e, j] != i:
                nodes[i, slot] = tets[e, j]
                weights[i, slot] = max(shares[j], 0.0) / total
                slot += 1
        steps[i, 0], steps[i, 1] = along, cosine


@njit(cache=True, nogil=True)
def _upstream(points, tets, gradients, start, index, direction, wanted, ends, nodes, weights, steps):
    """Foot of each wanted node's step: the three nodes of a face and their weights, and the step; the last three set.

    `steps` (n_nodes, 2): its length along the line and its cosine with it. The foot lies in the tetrahedron that the
    step leads into. At the boundary it may lead into none: then it is the point of a face, or the neighbour, that lies
    straightest upstream; not one of the `ends` (n_nodes,), spurs of the surface with nothing upstream themselves.
    """
    shares = np.empty(4)
    for i in range(points.shape[0]):
        if not wanted[i]:
            continue
        nodes[i], steps[i, 0], steps[i, 1] = -1, 0.0, -2.0
        for k in range(start[i], start[i + 1]):
            if _shares(gradients, tets, index[k], i, direction, shares) > -1e-9:
                _foot(points, tets, index[k], i, direction, shares, nodes, weights, steps)
                break
        if nodes[i, 0] >= 0:
            continue
        for k in range(start[i], start[i + 1]):
            e = index[k]
            spur = ends[tets[e, 0]] or ends[tets[e, 1]] or ends[tets[e, 2]] or ends[tets[e, 3]]
            if not spur and _shares(gradients, tets, e, i, direction, shares) > -1e30:
                _foot(points, tets, e, i, direction, shares, nodes, weights, steps)
            for j in range(4):
                if tets[e, j] != i and not ends[tets[e, j]]:
                    shares[:] = 0.0
                    shares[j] = 1.0
                    _foot(points, tets, e, i, direction, shares, nodes, weights, steps)


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, error_model="numpy", nogil=True)
def _steepest(gradients, tets, field, result):
    """Unit vector along a field's gradient in each tetrahedron, or zero; `result` (n_tets, 3) overwritten."""
    for e in range(tets.shape[0]):
        square = 0.0
        for axis in range(3):
            slope = 0.0
            for j in range(4):
                slope += gradients[e, j, axis] * field[tets[e, j]]
            result[e, axis] = slope
            square += slope * slope
        for axis in range(3):
            result[e, axis] /= max(np.sqrt(square), 1e-12)


@njit(cache=True, error_model="numpy", nogil=True)
def _gathered(volumes, vectors, start, index, result):
    """Direction of the sum by volume of the vectors of the tetrahedra around each node; `result` (n, 3) overwritten."""
    for i in range(result.shape[0]):
        result[i] = 0.0
        for k in range(start[i], start[i + 1]):
            for axis in range(3):
                result[i, axis] += volumes[index[k]] * vectors[index[k], axis]
        _normalised(result[i])


@njit(cache=True, error_model="numpy", nogil=True)
def _corrected(tets, volumes, start, index, direction, wrong, result):
    """`direction` (n, 3), but at nodes that are `wrong` that of all nodes around; `result` (n, 3) overwritten."""
    for i in range(result.shape[0]):
        result[i] = direction[i]
        if wrong[i]:
            result[i] = 0.0
            for k in range(start[i], start[i + 1]):
                e = index[k]
                for j in range(4):
                    for axis in range(3):
                        result[i, axis] += volumes[e] * direction[tets[e, j], axis]
            _normalised(result[i])


@njit(cache=True, error_model="numpy", nogil=True)
def _normalised(vector):
    """Divide by the length, unless it is nothing; `vector` (3,) changed."""
    length = np.sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
    for axis in range(3):
        vector[axis] /= max(length, 1e-30)


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
        self._around: tuple[np.ndarray, np.ndarray] = tets_around(self.tets, len(points))
        self._held = np.diff(self._around[0]) > 0

    def unit_gradient(self, field: np.ndarray) -> np.ndarray:
        """(n_tets, 3) direction of steepest ascent; zero where the field is flat."""
        result = np.empty((len(self.tets), 3))
        _steepest(self.gradients, self.tets, field, result)
        return result

    def at_nodes(self, vectors: np.ndarray) -> np.ndarray:
        """(n_nodes, 3) unit directions from those of the tetrahedra around, by volume."""
        result = np.empty((len(self.points), 3))
        _gathered(self.volumes, np.ascontiguousarray(vectors), *self._around, result)
        return result

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
        nodes, weights, steps = np.full((n, 3), -1, np.int32), np.zeros((n, 3)), np.zeros((n, 2))
        direction, ends = np.ascontiguousarray(direction), np.zeros(n, bool)
        wanted = within = ~begin & self._held
        for _ in range(_MOST_ROUNDS):
            _upstream(
                self.points, self.tets, self.gradients, *self._around, direction, wanted, ends, nodes, weights, steps
            )
            astray = within & (steps[:, 1] < _ASTRAY)
            if not astray.any():
                break
            ends = astray & (steps[:, 1] <= 0)
            wanted = within & (steps[:, 1] < 1.0 - 1e-6)  # the others keep their tetrahedron
            # In a wall one element thick a node may see no direction, or one out of the wall: its neighbours know.
            before, direction = direction, np.empty((n, 3))
            _corrected(self.tets, self.volumes, *self._around, before, astray, direction)
        order = np.empty(n, np.int64)
        n_sorted = _order(nodes, weights, order)
        distance = np.where(begin, values, 0.0).astype(np.float64)
        _swept(nodes, weights, steps[:, 0], order, n_sorted, _TOLERANCE_MM, _MOST_SWEEPS, distance)
        return np.where(self._held, distance, np.nan)
