"""Diffusion on linear tetrahedra with lumped mass, laid out in tiles of 16 nodes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from cardiotwin.kernels.lanes import LANES

EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
"""Local nodes of the six edges of a tetrahedron."""
FACE_EDGES = np.array([[0, 1], [0, 2], [1, 2]])


class Operator(NamedTuple):
    """dV/dt by diffusion: ``(A V)_i = Σ_j a_ij (V_j - V_i)``, 1/ms; a constant has none, exactly.

    Attributes
    ----------
    start : (n_tiles + 1,) int64
        Entries of tile t: start[t] to start[t + 1]; entry k holds the k-th neighbour of all 16 nodes (sliced ELL).
    column : (n_entries, 16) uint32
        Neighbour; the node itself where there are fewer.
    coefficient : (n_entries, 16) float
        a_ij, 1/ms; 0 where there are fewer.
    neighbour_start, neighbours : (n_tiles + 1,) int64, (n,) int32
        Other tiles that a tile is coupled to.
    leak : (n_tiles, 16) float64
        Σ_j |a_ij| of each node, 1/ms. Gershgorin: an explicit step is stable when dt times this is at most 1.
    mass : (n_tiles, 16) float
        Volume of each node over the mean one, 1 where there is none: ``mass_i a_ij`` is symmetric. Empty where the mass
        matrix is not lumped.
    """

    start: np.ndarray
    column: np.ndarray
    coefficient: np.ndarray
    neighbour_start: np.ndarray
    neighbours: np.ndarray
    leak: np.ndarray
    mass: np.ndarray


@njit(cache=True, error_model="numpy")
def edge_stiffness(points, tets, sigma, stiffness, volumes):
    """Off-diagonal stiffness of every tetrahedron, ``K_ab = ∫ ∇φ_a · σ ∇φ_b dV``.

    Parameters
    ----------
    points : (n_nodes, 3) float64
        mm.
    tets : (n_tets, 4) int32
    sigma : (n_tets, 3, 3) float64
        Conductivity tensor, mS/mm.
    stiffness : (n_tets, 6) float64
        In the order of `EDGES`, mS; overwritten.
    volumes : (n_tets,) float64
        mm³; overwritten.
    """
    gradient = np.empty((4, 3))
    flux = np.empty((4, 3))
    for e in range(tets.shape[0]):
        origin = points[tets[e, 0]]
        a, b, c = points[tets[e, 1]] - origin, points[tets[e, 2]] - origin, points[tets[e, 3]] - origin
        six_volumes = (
            a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
        )
        volumes[e] = abs(six_volumes) / 6.0
        for x in range(3):
            y, z = (x + 1) % 3, (x + 2) % 3
            gradient[1, x] = (b[y] * c[z] - b[z] * c[y]) / six_volumes
            gradient[2, x] = (c[y] * a[z] - c[z] * a[y]) / six_volumes
            gradient[3, x] = (a[y] * b[z] - a[z] * b[y]) / six_volumes
            gradient[0, x] = -(gradient[1, x] + gradient[2, x] + gradient[3, x])
        for n in range(4):
            for x in range(3):
                flux[n, x] = (
                    sigma[e, x, 0] * gradient[n, 0] + sigma[e, x, 1] * gradient[n, 1] + sigma[e, x, 2] * gradient[n, 2]
                )
        k = 0
        for n in range(3):
            for m in range(n + 1, 4):
                stiffness[e, k] = volumes[e] * (
                    gradient[n, 0] * flux[m, 0] + gradient[n, 1] * flux[m, 1] + gradient[n, 2] * flux[m, 2]
                )
                k += 1


def triangle_stiffness(points, faces, conductance):
    """(n_faces, 3) off-diagonal stiffness of triangles that conduct by themselves, in the order of `FACE_EDGES`, mS.

    Parameters
    ----------
    points, faces : (n_points, 3) float64 mm, (n_faces, 3) int
    conductance : (n_faces,) float64
        Conductivity times thickness, mS, the same in all directions of the surface.
    """
    a, b, c = np.moveaxis(points[faces], 1, 0)
    opposite = (c - b, a - c, b - a)
    four_areas = 2.0 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    products = [np.einsum("ni,ni->n", opposite[i], opposite[j]) for i, j in FACE_EDGES]
    return np.stack(products, axis=1) * (conductance / four_areas)[:, None]


def operator(
    points, tets, sigma, node_of, n_nodes, capacity, real, mass_lumping=1.0, faces=None, conductance=None
) -> Operator:
    """Assemble the diffusion of a mesh.

    Parameters
    ----------
    points, tets : (n_points, 3) float64 mm, (n_tets, 4) int32
        Conducting tetrahedra only.
    sigma : (n_tets, 3, 3) float64
        mS/mm.
    node_of : (n_points,) int
        Unknown of each point. Two points may share one: that is how a lattice is made periodic.
    n_nodes : int
        Number of unknowns; every one in [0, n_nodes) has a tetrahedron.
    capacity : float
        chi C_m, µF/mm³.
    real : type
        Of the coefficients.
    mass_lumping : float
        Share of the lumped mass matrix, the rest consistent. Unless it is 1 the inverse is dense, cut off where it has
        decayed to 1e-12: for small meshes.
    faces, conductance : (n_faces, 3) int32, (n_faces,) float64, optional
        Triangles, each of a tetrahedron, that conduct besides; see `triangle_stiffness`.
    """
    stiffness, volumes = np.empty((len(tets), 6)), np.empty(len(tets))
    edge_stiffness(points, tets, sigma, stiffness, volumes)
    nodes = np.asarray(node_of, np.int64)[tets]
    i, j = nodes[:, EDGES[:, 0]].ravel(), nodes[:, EDGES[:, 1]].ravel()
    k = stiffness.ravel()
    if faces is not None and len(faces):
        ends = np.asarray(node_of, np.int64)[faces]
        i, j = (np.concatenate([of, ends[:, FACE_EDGES[:, side]].ravel()]) for side, of in enumerate((i, j)))
        k = np.concatenate([k, triangle_stiffness(points, faces, conductance).ravel()])
    row, col, k = summed(i, j, k, n_nodes)
    rate, mass = -k / capacity, np.empty(0)
    if mass_lumping == 1.0:
        mass = np.bincount(nodes.ravel(), np.repeat(volumes / 4.0, 4), n_nodes)
        rate /= mass[row]
    else:
        row, col, rate = _over_dense_mass(row, col, rate, nodes, volumes, n_nodes, mass_lumping)
    # A right angle leaves an edge without stiffness but for rounding: half the entries of a structured mesh.
    strong = np.abs(rate) > 1e-12 * np.abs(rate).max()
    return tiled(row[strong], col[strong], rate[strong], mass, n_nodes, real)


def _over_dense_mass(row, col, conductance, nodes, volumes, n_nodes, mass_lumping):
    """Entries of M⁻¹ K, ordered. M = ∫ φ_a φ_b dV: a twentieth of the volume for two nodes, a tenth for one."""
    mass, stiffness = np.zeros((n_nodes, n_nodes)), np.zeros((n_nodes, n_nodes))
    for a in range(4):
        for b in range(4):
            np.add.at(mass, (nodes[:, a], nodes[:, b]), volumes * (0.1 if a == b else 0.05))
    mass = (1.0 - mass_lumping) * mass + mass_lumping * np.diag(mass.sum(axis=1))
    stiffness[row, col] = conductance
    stiffness -= np.diag(stiffness.sum(axis=1))
    rates = np.linalg.solve(mass, stiffness)
    row, col = np.nonzero(~np.eye(n_nodes, dtype=bool))
    return row, col, rates[row, col]


def summed(i, j, value, n_nodes):
    """Entries of a symmetric matrix, both triangles, ordered by row then column, from a list with one entry an edge.

    What edges have in common is added, and the diagonal left out: it is minus the sum of the row.
    """
    low, high = np.minimum(i, j), np.maximum(i, j)
    key = (low * n_nodes + high)[low != high]
    order = np.argsort(key, kind="stable")
    key, value = key[order], value[low != high][order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    low, high, value = key[first] // n_nodes, key[first] % n_nodes, np.add.reduceat(value, first)
    row, col = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.argsort(row * n_nodes + col, kind="stable")
    return row[order], col[order], np.tile(value, 2)[order]


def tiled(row, col, value, mass, n_nodes, real) -> Operator:
    """Lay ordered entries out in tiles; lanes beyond the last node have no neighbours."""
    n_tiles = -(-n_nodes // LANES)
    count = np.bincount(row, minlength=n_tiles * LANES)
    width = count.reshape(n_tiles, LANES).max(axis=1)
    start = np.concatenate([[0], np.cumsum(width)]).astype(np.int64)
    column = (np.repeat(np.arange(n_tiles), width)[:, None] * LANES + np.arange(LANES)).astype(np.uint32)
    coefficient = np.zeros((start[-1], LANES), real)
    within = np.arange(len(row)) - (np.cumsum(count) - count)[row]
    place = start[row // LANES] + within, row % LANES
    column[place], coefficient[place] = col, value
    pair = np.unique((row // LANES) * n_tiles + col // LANES)
    here, there = pair // n_tiles, pair % n_tiles
    here, there = here[here != there], there[here != there]
    neighbour_start = np.concatenate([[0], np.cumsum(np.bincount(here, minlength=n_tiles))]).astype(np.int64)
    leak = np.bincount(row, np.abs(value), n_tiles * LANES).reshape(n_tiles, LANES)
    masses = np.ones(n_tiles * LANES if mass.size else 0, real)
    masses[: mass.size] = mass / mass.mean() if mass.size else mass
    return Operator(
        start, column, coefficient, neighbour_start, there.astype(np.int32), leak, masses.reshape(-1, LANES)
    )


def space_filling_order(points: np.ndarray) -> np.ndarray:
    """(n,) indices that visit the points along a Morton curve, so that neighbours share tiles and cache lines."""
    low = points.min(axis=0)
    cell = ((points - low) / max(np.ptp(points, axis=0).max(), 1e-300) * (2**20 - 1)).astype(np.uint64)
    code = np.zeros(len(points), np.uint64)
    for bit in range(20):
        for axis in range(3):
            code |= ((cell[:, axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(3 * bit + axis)
    return np.argsort(code, kind="stable")
