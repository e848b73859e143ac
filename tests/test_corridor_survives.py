"""A corridor of 2 mm between two scars, at any angle to the lattice, is in the mesh what was drawn.

Truth is the drawing: a straight channel conducts as its width over its length says.
"""

import numpy as np
import pytest

from cardiotwin.meshes.adjacency import face_neighbours, parts
from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.regions import drawn_region
from cardiotwin.meshes.surfaces import without_unused
from cardiotwin.meshes.tetrahedra import stuff

PIXEL_MM, SLICE_MM, THICKNESS_MM, SIDE_MM = 0.5, 2.0, 6.0, 24.0
WIDTH_MM, LENGTH_MM, WATCHED_MM = 2.0, 14.0, 10.0
LOWER = np.array([-0.5 * SLICE_MM, -0.5 * PIXEL_MM, -0.5 * PIXEL_MM])
UPPER = LOWER + np.array([THICKNESS_MM, SIDE_MM, SIDE_MM])


def along_and_across(points, angle_deg):
    """Position along a corridor through the middle of the slab, and distance from its centre line, mm."""
    y, x = (points[..., axis] - 0.5 * (LOWER + UPPER)[axis] for axis in (1, 2))
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return cosine * y + sine * x, cosine * x - sine * y


def drawn_scars(angle_deg, scar_mm):
    n = round(SIDE_MM / PIXEL_MM)
    index = np.stack(np.meshgrid(np.arange(round(THICKNESS_MM / SLICE_MM)), *[np.arange(n)] * 2, indexing="ij"), -1)
    along, across = along_and_across(index * [SLICE_MM, PIXEL_MM, PIXEL_MM], angle_deg)
    away = np.abs(across) - 0.5 * WIDTH_MM
    return (away > 0) & (away < scar_mm) & (np.abs(along) < 0.5 * LENGTH_MM)


def meshed(edge_mm, angle_deg, scar_mm):
    """A slab of muscle as thick as it was drawn, and which of its tetrahedra are scar."""
    mesh = stuff(lambda p: np.minimum(p - LOWER, UPPER - p).min(axis=1), LOWER, UPPER, edge_mm)
    scars = drawn_scars(angle_deg, scar_mm)
    everywhere = np.ones(len(mesh.tets), bool)
    return mesh, drawn_region(mesh, scars, ~scars, np.array([SLICE_MM, PIXEL_MM, PIXEL_MM]), everywhere)


def corridor(mesh, scar, angle_deg):
    """The part of the muscle between the scars that hangs together by faces, largest first."""
    along, across = along_and_across(mesh.centroids, angle_deg)
    between = ~scar & (np.abs(across) < WIDTH_MM) & (np.abs(along) < 0.5 * WATCHED_MM + 1.0)
    points, tets = without_unused(mesh.points, mesh.tets[between])
    part = parts(face_neighbours(tets, len(points)))[0]
    return Mesh(*without_unused(points, tets[part == np.bincount(part).argmax()]))


@pytest.mark.parametrize("angle_deg", [0, 17, 33, 45])
@pytest.mark.parametrize("edge_mm", [0.8, 1.0, 1.25, 1.5])
def test_it_conducts_as_its_width_says(edge_mm, angle_deg):
    """Within a quarter: its walls are stairs of tetrahedra, whose corners carry no current.

    So up to an edge of 1.75 mm, from there less and less; at 2.5 mm and 45 degrees it is cut off.
    """
    channel = corridor(*meshed(edge_mm, angle_deg, 3.0), angle_deg)
    along = along_and_across(channel.points, angle_deg)[0]
    ends = np.abs(along) > 0.5 * WATCHED_MM
    assert along.min() < -0.5 * WATCHED_MM < 0.5 * WATCHED_MM < along.max(), "cut off"
    laplace = Laplace(channel)
    potential = laplace.solve(ends, (along > 0).astype(float))
    width_mm = potential @ (laplace.stiffness @ potential) * WATCHED_MM / THICKNESS_MM
    assert width_mm == pytest.approx(WIDTH_MM, rel=0.25)


@pytest.mark.parametrize("angle_deg", [0, 17, 33, 45])
@pytest.mark.parametrize("edge_mm", [0.8, 1.0, 1.25, 1.5])
def test_no_short_circuit_leads_through_the_scars_beside_it(edge_mm, angle_deg):
    """A node that muscle on both sides has would join them: P1 elements know no wall that passes between.

    Scars of 2 mm are tight up to an edge of 1.5 mm, of 3 mm up to 2.5 mm.
    """
    mesh, scar = meshed(edge_mm, angle_deg, 2.0)
    along, across = along_and_across(mesh.centroids, angle_deg)
    middle = ~scar & (np.abs(along) < 0.5 * WATCHED_MM)
    inner = np.abs(across) < WIDTH_MM
    joined = np.intersect1d(mesh.tets[middle & inner], mesh.tets[middle & ~inner])
    assert not joined.size
