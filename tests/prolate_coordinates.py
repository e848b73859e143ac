"""Ventricular coordinates of the prolate ventricle: found, and as they are on paper."""

import numpy as np

from cardiotwin.meshes.surfaces import tagged_by_distance
from cardiotwin.meshes.tetrahedra import stuff
from cardiotwin.meshes.ventricular import ventricular_coordinates


def turns_apart(found, expected):
    """Shortest way round, turns."""
    return np.abs((found - expected + 0.5) % 1.0 - 0.5)


def prolate(shape, edge_mm):
    """A mesh of the ventricle, and the coordinates found for its nodes."""
    mesh = stuff(shape, *shape.box, edge_mm)
    faces = mesh.boundary_faces()
    surface = tagged_by_distance(faces, shape.surface_distances(mesh.points))
    return mesh, ventricular_coordinates(mesh, faces, surface, np.ones(len(mesh.points)))


def between(start, end, length, n=16):
    """Gauss-Legendre integral of `length` from start to end, element by element."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    half, middle = (end - start) / 2, (end + start) / 2
    return sum(w * length(middle + half * x) for x, w in zip(nodes, weights, strict=True)) * half


def on_paper(shape, points):
    """Arc lengths in prolate spheroidal coordinates; the septum lies towards the patient's right, -x.

    Transmural lines keep nu and phi, apicobasal ones mu and phi (exactly on the two surfaces, nearly so between).
    """
    radius2 = points[:, 0] ** 2 + points[:, 1] ** 2
    far, near = (np.sqrt(radius2 + (points[:, 2] + s * shape.focus_mm) ** 2) for s in (1, -1))
    mu = np.arccosh(np.maximum((far + near) / (2 * shape.focus_mm), 1.0))
    nu = np.arccos(np.clip((far - near) / (2 * shape.focus_mm), -1, 1))
    inner, outer = np.full_like(mu, shape.endocardium), np.full_like(mu, shape.epicardium)
    across = lambda m: np.hypot(np.sinh(m), np.sin(nu))  # noqa: E731
    upward = lambda n: np.hypot(np.sinh(mu), np.sin(n))  # noqa: E731
    equator, pole = np.full_like(nu, np.pi / 2), np.full_like(nu, np.pi)
    transmural = between(mu, outer, across) / between(inner, outer, across)
    apicobasal = between(nu, pole, upward) / between(equator, pole, upward)
    # Seen from the base, posterior (+y) to lateral (+x) to anterior (-y) to septal (-x); posterior junction at 0.
    lateral = np.arctan2(-points[:, 1], points[:, 0]) / (2 * np.pi)  # 0 lateral, +1/4 anterior
    return apicobasal, transmural, (1 / 3 + lateral) % 1.0
