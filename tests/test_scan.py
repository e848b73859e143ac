"""Surfaces become voxels: exactly where they are boxes, to the volume where round, closed where open."""

import numpy as np
import pytest

from cardiotwin.meshes.scan import capped, filled, merged

pv = pytest.importorskip("pyvista")


def triangles_of(surface):
    clean = surface.triangulate()
    return np.asarray(clean.points, float), clean.regular_faces.astype(int)


@pytest.mark.parametrize("low", [(1.5, 2.5, 3.5), (2.0, 3.0, 4.0)], ids=["between voxels", "on voxels"])
def test_a_box_holds_the_voxels_it_holds(low):
    points, triangles = triangles_of(pv.Box(np.ravel(np.column_stack([low, np.add(low, (4, 5, 6))]))))
    mask = filled(points[triangles], (12, 12, 14))
    assert mask.sum() == 4 * 5 * 6
    assert filled(points[triangles][:, ::-1], (12, 12, 14)).sum() == 120


def test_every_voxel_is_judged_as_vtk_does():
    points, triangles = triangles_of(pv.ParametricEllipsoid(9.1, 12.3, 15.7, u_res=40, v_res=40))
    points = points @ np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0] + 20.0
    points, triangles = merged(points, triangles)
    grid = np.stack(np.indices((40, 40, 40)), axis=-1).reshape(-1, 3).astype(float)
    surface = pv.PolyData.from_regular_faces(points, triangles)
    truth = pv.PolyData(grid).compute_implicit_distance(surface)["implicit_distance"]
    inside = np.sign(truth) == np.sign(truth[np.flatnonzero((grid == 20).all(axis=1))])
    clear = np.abs(truth) > 1e-3
    mask = filled(points[triangles], (40, 40, 40)).ravel()
    np.testing.assert_array_equal(mask[clear], inside[clear])


def test_a_cut_sphere_is_closed_flat_and_keeps_its_volume():
    whole = pv.Sphere(radius=15.0, center=(20.3, 20.1, 20), theta_resolution=80, phi_resolution=80)
    points, triangles = triangles_of(whole.clip("z", origin=(20, 20, 25.5)))
    points, triangles, n_rims = capped(*merged(points, triangles))
    assert n_rims == 1
    cap = np.pi * 9.5**2 * (15.0 - 9.5 / 3)  # of height 9.5
    expected = 4 / 3 * np.pi * 15.0**3 - cap
    assert filled(points[triangles], (40, 40, 40)).sum() == pytest.approx(expected, rel=0.01)


def test_two_open_ends_are_closed_each_by_itself():
    tube = pv.Cylinder(
        center=(20.5, 20.3, 20.1), direction=(1, 0, 0), radius=8, height=20, capping=False, resolution=100
    )
    points, triangles, n_rims = capped(*merged(*triangles_of(tube)))
    assert n_rims == 2
    assert filled(points[triangles], (40, 40, 40)).sum() == pytest.approx(np.pi * 64 * 20, rel=0.02)
