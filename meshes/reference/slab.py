"""Regular tetrahedra: the box of the benchmarks, and the lattice that hearts are cut from."""

from __future__ import annotations

from itertools import permutations, product
from typing import NamedTuple

import numpy as np

from cardiotwin.meshes.mesh import Mesh, signed_volumes


def slab(size_mm: tuple[float, float, float], edge_mm: float) -> Mesh:
    """A box with one corner at the origin, each little cube cut into six tetrahedra around its diagonal (Kuhn).

    On this mesh linear elements with a diagonal conductivity are the seven-point finite-difference stencil.

    Parameters
    ----------
    size_mm : (3,) float
        Rounded to whole cubes.
    edge_mm : float
        Of a cube.
    """
    return box(size_mm, tuple(max(1, round(length / edge_mm)) for length in size_mm))


def box(size_mm: tuple[float, float, float], cells: tuple[int, ...]) -> Mesh:
    """The same with a number of cells for each axis."""
    axes = [np.linspace(0.0, length, n + 1) for length, n in zip(size_mm, cells, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    number = np.arange(len(points)).reshape([n + 1 for n in cells])
    corner = np.stack(np.meshgrid(*(np.arange(n) for n in cells), indexing="ij"), axis=-1).reshape(-1, 3)
    tets = []
    for order in permutations(range(3)):
        walk = [corner]
        for axis in order:
            walk.append(walk[-1] + np.eye(3, dtype=int)[axis])
        if np.linalg.det(np.eye(3)[list(order)]) < 0:
            walk[2], walk[3] = walk[3], walk[2]
        tets.append(np.stack([number[tuple(w.T)] for w in walk], axis=1))
    return Mesh(points, np.concatenate(tets))


class Lattice(NamedTuple):
    """A piece of the body-centred cubic lattice, periodic across its axis.

    Attributes
    ----------
    points, tets : (n, 3) float64 mm, (m, 4) int32
    same_as : (n,) int64
        The point each point is one with.
    """

    points: np.ndarray
    tets: np.ndarray
    same_as: np.ndarray


def lattice_bar(n_cells: int, edge_mm: float) -> Lattice:
    """A bar along x, one cell across and periodic there: plane waves on it are those of an endless lattice.

    Two nodes a cell are all it takes.

    Nodes are the corners and the centres of cubic cells; each tetrahedron spans the centres of two cells that share a
    face, and one edge of that face. All are congruent. It is the lattice of isosurface stuffing (Labelle and Shewchuk
    2007, doi 10.1145/1275808.1276448), before it is cut.

    Parameters
    ----------
    n_cells : int
        Along x.
    edge_mm : float
        Lattice constant.
    """
    points: list[tuple[float, float, float]] = []
    same_as: list[int] = []
    index: dict[tuple[str, int, int, int], int] = {}

    def node(kind: str, x: int, y: int, z: int) -> int:
        """A corner or a centre; outside the first period it is one with the one inside."""
        key = (kind, x, y, z)
        if key not in index:
            own = len(points)
            index[key] = own
            half = 0.5 if kind == "centre" else 0.0
            points.append((x + half, y + half, z + half))
            same_as.append(own)
            if (y, z) != (0, 0):
                same_as[own] = node(kind, x, 0, 0)
        return index[key]

    tets = []
    square = ((0, 0), (1, 0), (1, 1), (0, 1))
    for x in range(n_cells):
        for axis in range(3):
            step = np.eye(3, dtype=int)[axis]
            if axis == 0 and x + 1 == n_cells:
                continue
            here, there = node("centre", x, 0, 0), node("centre", x + step[0], step[1], step[2])
            ring = [node("corner", *(np.array([x, 0, 0]) + step + np.roll([0, *corner], axis))) for corner in square]
            tets += [[here, there, ring[k], ring[(k + 1) % 4]] for k in range(4)]
    return Lattice(np.array(points) * edge_mm, np.array(tets, np.int32), np.array(same_as, np.int64))


def lattice_wave(direction: tuple[int, int, int], n_planes: int, edge_mm: float) -> tuple[Lattice, np.ndarray]:
    """The endless lattice as a plane wave sees it that runs in a direction of whole numbers.

    All nodes of a plane across the wave do the same, whatever the conductivity: one unknown a plane is all it takes.

    Parameters
    ----------
    direction : (3,) int
        Along the wave, without a common divisor.
    n_planes : int
    edge_mm : float
        Lattice constant.

    Returns
    -------
    lattice : Lattice
        Six tetrahedra for every node, each with four points of its own.
    x : (n,) float64
        Place of each point along the wave, mm.
    """
    along = np.asarray(direction)
    # In units of half the lattice constant: nodes have three even or three odd numbers.
    node = np.array([(i, j, k) for i, j, k in product(range(-5, 6), repeat=3) if i % 2 == j % 2 == k % 2])
    apart = 1 if along.sum() % 2 else 2
    step = node[np.lexsort((np.abs(node).sum(axis=1), (node @ along) != apart))[0]]
    shapes = []
    for axis, side in product(range(3), (-1, 1)):
        first, second, third = np.roll(np.eye(3, dtype=int), -axis, axis=0)
        shapes.append([0 * first, 2 * first, first - second + side * third, first + second + side * third])
    corners = np.array(shapes)[None] + (np.arange(n_planes)[:, None] * step)[:, None, None]
    plane = corners @ along // apart
    inside = ((plane >= 0) & (plane < n_planes)).all(axis=2)
    plane, points = plane[inside].ravel(), 0.5 * edge_mm * corners[inside].reshape(-1, 3)
    tets = np.arange(len(points), dtype=np.int32).reshape(-1, 4)
    tets = np.where((signed_volumes(points, tets) < 0)[:, None], tets[:, [1, 0, 2, 3]], tets)
    _, first_there, number = np.unique(plane, return_index=True, return_inverse=True)
    x = 0.5 * edge_mm * apart * plane / np.linalg.norm(along)
    return Lattice(points, tets, first_there[number]), x


def lattice_block(n_cells: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The same lattice in three dimensions, edge 1, its surface ragged: points (n, 3) and tetrahedra (m, 4)."""
    shape = np.array(n_cells)
    corners = np.stack(np.meshgrid(*(np.arange(n + 1) for n in n_cells), indexing="ij"), axis=-1).reshape(-1, 3)
    cells = corners[(corners < shape).all(axis=1)]
    tets = []
    for axis in range(3):
        step, right, up = np.roll(np.eye(3, dtype=int), axis, axis=1)
        here = cells[cells[:, axis] < shape[axis] - 1]
        square = (np.zeros(3, int), right, right + up, up)
        ring = [np.ravel_multi_index(tuple((here + step + offset).T), tuple(shape + 1)) for offset in square]
        centre = [len(corners) + np.ravel_multi_index(tuple((here + k * step).T), n_cells) for k in (0, 1)]
        tets += [np.column_stack([*centre, ring[k], ring[(k + 1) % 4]]) for k in range(4)]
    return np.concatenate([corners, cells + 0.5]), np.concatenate(tets).astype(np.int32)
