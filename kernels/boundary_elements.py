"""A closed surface of triangles: what its nodes see of it, what it goes round, the fields of charges at its nodes."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True)
def _seen_from(x, normal, area2, edges, lengths, away, shares):
    """∫ φₖ n·x/|x|³ dS over one triangle for its three linear φₖ; their sum is its solid angle, 0 in its own plane.

    Parameters
    ----------
    x : (3, 3) float64
        Corners as seen from the observer.
    normal : (3,) float64
        Unit normal.
    area2 : float
        Twice the area.
    edges, lengths : (3, 3) float64, (3,) float64
        ``edges[k] = x[k + 1] - x[k]``, and how long they are.
    away : (3,) float64
        Room for the distances of the corners.
    shares : (3,) float64
        Overwritten.

    Notes
    -----
    φₖ at the foot of the perpendicular times the solid angle (van Oosterom & Strackee 1983), and the integral of 1/|x|
    round the triangle for what φₖ changes away from the foot (de Munck 1992, doi 10.1109/10.256433): along an edge of
    length l from a to b it is ln((|a| + |b| + l) / (|a| + |b| - l)).
    """
    for k in range(3):
        away[k] = np.sqrt(x[k, 0] * x[k, 0] + x[k, 1] * x[k, 1] + x[k, 2] * x[k, 2])
    height = normal[0] * x[0, 0] + normal[1] * x[0, 1] + normal[2] * x[0, 2]
    shares[:] = 0.0
    if abs(height) < 1e-9 * (away[0] + away[1] + away[2]):
        return
    below = away[0] * away[1] * away[2]
    around_x = around_y = around_z = 0.0
    for k in range(3):
        a, b = (k + 1) % 3, (k + 2) % 3
        below += away[k] * (x[a, 0] * x[b, 0] + x[a, 1] * x[b, 1] + x[a, 2] * x[b, 2])
        ends = away[k] + away[a]
        line = np.log((ends + lengths[k]) / (ends - lengths[k])) / lengths[k]
        around_x += line * edges[k, 0]
        around_y += line * edges[k, 1]
        around_z += line * edges[k, 2]
    angle = 2.0 * np.arctan2(height * area2, below)
    for k in range(3):
        a, b = (k + 1) % 3, (k + 2) % 3
        foot = normal[0] * (x[a, 1] * x[b, 2] - x[a, 2] * x[b, 1])
        foot += normal[1] * (x[a, 2] * x[b, 0] - x[a, 0] * x[b, 2])
        foot += normal[2] * (x[a, 0] * x[b, 1] - x[a, 1] * x[b, 0])
        slope = around_x * edges[a, 0] + around_y * edges[a, 1] + around_z * edges[a, 2]
        shares[k] = (foot * angle + height * slope) / area2


@njit(cache=True, parallel=True, error_model="numpy")
def solid_angles(points, triangles, places, seen):
    """The double layer of a surface as seen from places on it: solid angles, shared among the corners of each triangle.

    Parameters
    ----------
    points : (n, 3) float64
        mm.
    triangles : (m, 3) int64
        Turned outward, none of them flat.
    places : (n_places, 3) float64
        Nodes, or other places on the surface, mm.
    seen : (n_places, n) float64
        Overwritten: ∫ φⱼ dΩ as seen from place i, φⱼ linear in each triangle. A row sums to the solid angle of the
        inside at that place: 2π where the surface is smooth, less where it is convex.

    Notes
    -----
    One thread owns each row. Triangles that a place is part of lie in planes through it: it sees nothing of them.
    """
    edges, normals = np.empty((len(triangles), 3, 3)), np.empty((len(triangles), 3))
    for t in range(len(triangles)):
        for k in range(3):
            edges[t, k] = points[triangles[t, (k + 1) % 3]] - points[triangles[t, k]]
        normals[t] = np.cross(edges[t, 0], edges[t, 1])
    lengths, area2 = np.empty((len(triangles), 3)), np.empty(len(triangles))
    for t in range(len(triangles)):
        for k in range(3):
            lengths[t, k] = np.sqrt(np.sum(edges[t, k] ** 2))
        area2[t] = np.sqrt(np.sum(normals[t] ** 2))
        normals[t] /= area2[t]
    for i in prange(len(places)):
        x, away, shares = np.empty((3, 3)), np.empty(3), np.empty(3)
        seen[i] = 0.0
        for t in range(len(triangles)):
            for k in range(3):
                for axis in range(3):
                    x[k, axis] = points[triangles[t, k], axis] - places[i, axis]
            _seen_from(x, normals[t], area2[t], edges[t], lengths[t], away, shares)
            for k in range(3):
                seen[i, triangles[t, k]] += shares[k]


@njit(cache=True, parallel=True, error_model="numpy")
def turns_around(points, triangles, places, turns):
    """How often a closed surface goes round each place: 1 inside, 0 outside.

    Parameters
    ----------
    points : (n, 3) float64
        mm.
    triangles : (m, 3) int64
        Turned outward.
    places : (n_places, 3) float64
        Not on the surface, mm.
    turns : (n_places,) float64
        Overwritten.
    """
    for i in prange(len(places)):
        total = 0.0
        for t in range(len(triangles)):
            corners = points[triangles[t]] - places[i]
            a, b, c = corners[0], corners[1], corners[2]
            la, lb, lc = np.sqrt(np.sum(a * a)), np.sqrt(np.sum(b * b)), np.sqrt(np.sum(c * c))
            below = la * lb * lc + la * np.sum(b * c) + lb * np.sum(a * c) + lc * np.sum(a * b)
            total += 2.0 * np.arctan2(np.sum(a * np.cross(b, c)), below)
        turns[i] = total / (4.0 * np.pi)


@njit(cache=True, parallel=True, error_model="numpy")
def fields_of_charges(places, charges_at, charges, fields):
    """-∇ Σₖ qₖ / rₖ at given places, rₖ the distance to charge k.

    Parameters
    ----------
    places : (n, 3) float64
        mm, none at a charge.
    charges_at : (n_charges, 3) float64
        mm.
    charges : (n_charges, n_sets) float64
        Several sets of charges in the same positions.
    fields : (n, 3, n_sets) float64
        Overwritten.
    """
    n_charges, n_sets = charges.shape
    for i in prange(len(places)):
        found = np.zeros((3, n_sets))
        for k in range(n_charges):
            x = places[i, 0] - charges_at[k, 0]
            y = places[i, 1] - charges_at[k, 1]
            z = places[i, 2] - charges_at[k, 2]
            square = x * x + y * y + z * z
            nearness = 1.0 / (square * np.sqrt(square))
            x, y, z = x * nearness, y * nearness, z * nearness
            for s in range(n_sets):
                found[0, s] += charges[k, s] * x
                found[1, s] += charges[k, s] * y
                found[2, s] += charges[k, s] * z
        fields[i] = found
