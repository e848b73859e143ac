"""The eikonal solver against solutions known in closed form."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart
from scipy.spatial import cKDTree

from cardiotwin.eikonal import activation_times, prepare, solve
from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY
from cardiotwin.kernels.eikonal import STRAIGHT_MM
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import Velocities

SETTINGS = TissueSettings()
SPEEDS = Velocities(0.6, 0.3)


def exact(points, source, fibre, speeds):
    """sqrt(xᵀ D⁻¹ x): a front that leaves a point in uniform tissue is an ellipsoid."""
    away = points - source
    along = (away @ fibre) ** 2
    return np.sqrt(along / speeds.fibre**2 + ((away**2).sum(axis=1) - along) / speeds.cross**2)


def middle(heart):
    points = heart.mesh.points
    return int(np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))


def test_a_point_source_in_anisotropic_tissue_converges_to_the_ellipsoid():
    """First order, from the mesh on that has an edge or two in the ball where the way is straight."""
    fibre = np.array([1.0, 1.0, 0.5]) / 1.5
    cells = np.array([10, 20, 40])
    errors = []
    for n in cells:
        heart = block_heart((n, n, n), 20.0 / n, fibre)
        times = activation_times(heart, SPEEDS, [middle(heart)], [0.0], SETTINGS)
        errors.append(np.abs(times - exact(heart.mesh.points, heart.mesh.points[middle(heart)], fibre, SPEEDS)).mean())
    order = -np.polyfit(np.log(cells), np.log(errors), 1)[0]
    assert 0.9 < order < 1.3, f"errors {errors}"
    assert errors[-1] < 0.01 * 57.0


def test_where_fibres_turn_a_source_converges_all_the_same():
    """Fibres turn by 120 degrees over 10 mm, as in a wall; the truth is the same mesh three times finer still."""

    def turning(n):
        plain = block_heart((n, n, n), 10.0 / n)
        angle = np.radians(12.0) * plain.mesh.centroids[:, 2]
        return replace(plain, fibres=np.column_stack([np.cos(angle), np.sin(angle), np.zeros(angle.size)]))

    arrivals = []
    for n in (8, 16, 48):
        heart = turning(n)
        times = activation_times(heart, SPEEDS, [middle(heart)], [0.0], SETTINGS)
        arrivals.append(times.reshape((n + 1,) * 3)[:: n // 8, :: n // 8, :: n // 8])
    coarse, finer = (np.abs(found - arrivals[-1]).mean() for found in arrivals[:2])
    assert coarse < 0.05 * arrivals[-1].mean()
    assert finer < 0.6 * coarse


def test_a_straight_way_does_not_cross_a_cleft():
    """Two halves of a block, a sheet of dead tissue between them: millimetres apart, and not connected."""
    heart = block_heart((12, 4, 4), 0.5)
    cleft = np.abs(heart.mesh.centroids[:, 0] - 3.0) < 0.5
    points = heart.mesh.points
    start = int(np.argmin(((points - [2.0, 1.0, 1.0]) ** 2).sum(axis=1)))
    times = activation_times(heart, SPEEDS, [start], [0.0], SETTINGS, blocked=cleft)
    assert np.isinf(times[points[:, 0] > 3.0]).all()


@pytest.mark.parametrize("fibre", [(1.0, 0.0, 0.0), (0.8, 0.6, 0.0)])
def test_a_plane_front_is_exact(fibre):
    """Linear in space, so that linear elements have no error to make.

    Oblique to the fibres a front slips sideways; nodes that depend on the side it slips away from are left out.
    """
    heart = block_heart((4, 12, 4), 1.5, np.array(fibre))
    points = heart.mesh.points
    speed = np.sqrt(SPEEDS.cross**2 + (SPEEDS.fibre**2 - SPEEDS.cross**2) * fibre[0] ** 2)
    face = np.flatnonzero(points[:, 0] == 0.0)
    times = activation_times(heart, SPEEDS, face, np.zeros(face.size), SETTINGS)
    seen = points[:, 1] >= 2.0 * points[:, 0] if fibre[1] else points[:, 1] >= 0.0
    assert seen.sum() > 100
    np.testing.assert_allclose(times[seen], points[seen, 0] / speed, atol=1e-9)


def test_a_straight_way_leads_round_a_cleft_that_ends():
    """Dead tissue beside the site that ends 1 mm beyond it: two straight lines round its end, not one through it."""
    heart = block_heart((24, 24, 2), 0.25)
    points, centre = heart.mesh.points, heart.mesh.centroids
    cleft = (np.abs(centre[:, 0] - 3.0) < 0.25) & (centre[:, 1] < 3.0)
    start, end = (int(np.argmin(((points - at) ** 2).sum(axis=1))) for at in ([2.0, 2.0, 0.0], [4.0, 2.0, 0.0]))
    times = activation_times(heart, Velocities(0.5, 0.5), [start], [0.0], SETTINGS, blocked=cleft)
    way = 2.0 * np.hypot(0.75, 1.0) + 0.5
    assert times[end] == pytest.approx(way / 0.5, rel=0.12)


def test_a_straight_way_is_no_faster_through_a_strip_of_border_zone():
    """1.5 mm of it at half the velocity between two healthy nodes 2 mm apart."""
    plain = block_heart((24, 8, 8), 0.25)
    strip = np.abs(plain.mesh.centroids[:, 0] - 3.0) < 0.75
    heart = block_heart((24, 8, 8), 0.25, tissue_class=np.where(strip, BORDER_ZONE, HEALTHY).astype(np.uint8))
    points = heart.mesh.points
    start, end = (int(np.argmin(((points - at) ** 2).sum(axis=1))) for at in ([2.0, 1.0, 1.0], [4.0, 1.0, 1.0]))
    times = activation_times(heart, Velocities(0.6, 0.6), [start], [0.0], SETTINGS)
    assert times[end] == pytest.approx((0.5 + 1.5 / SETTINGS.border_zone_velocity_fraction) / 0.6, rel=0.03)


def test_several_sites_give_the_earliest_of_each_alone():
    heart = block_heart((10, 10, 10), 2.0)
    sites, onsets = [0, len(heart.mesh.points) - 1, 500], [0.0, 7.0, 3.0]
    together = activation_times(heart, SPEEDS, sites, onsets, SETTINGS)
    alone = [activation_times(heart, SPEEDS, [s], [t], SETTINGS) for s, t in zip(sites, onsets, strict=True)]
    assert (together <= np.min(alone, axis=0) + 1e-9).all()
    # Only where two fronts meet may an element mix them: by less than the way across it.
    np.testing.assert_allclose(together, np.min(alone, axis=0), atol=2.0 / SPEEDS.cross / 2)


def test_no_element_could_bring_the_front_earlier():
    """Hopf and Lax: an arrival is the least, over the points of all faces around, of their arrival and the way on.

    Beyond the straight ways. The faces are sampled, so the least sampled way is a little late and never early.
    """
    heart = block_heart((6, 6, 6), 1.0, np.array([0.6, 0.8, 0.0]))
    times = activation_times(heart, SPEEDS, [0, 200], [2.0, 0.0], SETTINGS)
    best = np.full(times.size, np.inf)
    for share in np.random.default_rng(0).dirichlet([0.5, 0.5, 0.5], 400):
        for k in range(4):
            node, face = heart.mesh.tets[:, k], np.delete(heart.mesh.tets, k, axis=1)
            start = np.einsum("eij,i->ej", heart.mesh.points[face], share)
            arrival = times[face] @ share + exact(heart.mesh.points[node], start, heart.fibres[0], SPEEDS)
            np.minimum.at(best, node, arrival)
    others = np.flatnonzero(cKDTree(heart.mesh.points[[0, 200]]).query(heart.mesh.points)[0] > STRAIGHT_MM)
    assert (times[others] <= best[others] + 1e-9).all()
    np.testing.assert_allclose(times[others], best[others], atol=0.05)


@pytest.mark.parametrize("fast", [None, 2.0])
def test_border_zone_is_slower_by_the_fraction_asked(fast):
    """The fast layer over it too: slow everywhere by one factor, late everywhere by that factor."""
    heart, speeds = block_heart((10, 10, 10), 2.0), Velocities(0.6, 0.3, fast)
    all_border = block_heart((10, 10, 10), 2.0, tissue_class=np.full(len(heart.mesh.tets), BORDER_ZONE, np.uint8))
    healthy = activation_times(heart, speeds, [0], [0.0], SETTINGS)
    border = activation_times(all_border, speeds, [0], [0.0], SETTINGS)
    np.testing.assert_allclose(border, healthy / SETTINGS.border_zone_velocity_fraction, rtol=1e-9)


def test_the_front_goes_round_a_wall_of_core_and_nowhere_inside():
    """Isotropic, so that the shortest way round the wall's end is two straight lines."""
    heart = block_heart((20, 20, 2), 1.0)
    centre = heart.mesh.centroids
    wall = (np.abs(centre[:, 0] - 10.0) < 1.0) & (centre[:, 1] < 15.0)
    scarred = block_heart((20, 20, 2), 1.0, tissue_class=np.where(wall, CORE, HEALTHY).astype(np.uint8))
    points = heart.mesh.points
    start = int(np.argmin(((points - [0, 0, 0]) ** 2).sum(axis=1)))
    end = int(np.argmin(((points - [20, 0, 0]) ** 2).sum(axis=1)))
    times = activation_times(scarred, Velocities(0.5, 0.5), [start], [0.0], SETTINGS)
    way = 2 * np.hypot(9.0, 15.0) + 2.0
    assert times[end] == pytest.approx(way / 0.5, rel=0.06)
    inside = (points[:, 0] == 10.0) & (points[:, 1] < 14.0)
    assert np.isinf(times[inside]).all()
    assert np.isfinite(times[~inside & (points[:, 1] > 15)]).all()


def test_a_lesion_blocks_like_core():
    heart = block_heart((10, 4, 4), 1.0)
    cut = np.abs(heart.mesh.centroids[:, 0] - 5.0) < 1.0
    times = activation_times(heart, SPEEDS, [0], [0.0], SETTINGS, blocked=cut)
    assert np.isinf(times[heart.mesh.points[:, 0] > 5.0]).all()
    assert np.isfinite(times[heart.mesh.points[:, 0] <= 4.0]).all()


def test_the_fast_layer_carries_the_front_over_the_endocardium_at_its_own_speed():
    """On the face itself the arrival is distance over the fast velocity, whatever the mesh."""
    heart = block_heart((4, 20, 20), 1.0)
    points = heart.mesh.points
    face = heart.surface_nodes(2)
    start = face[np.argmin(((points[face] - [0, 0, 0]) ** 2).sum(axis=1))]
    times = activation_times(heart, Velocities(0.6, 0.3, 2.0), [start], [0.0], SETTINGS)
    far = np.linalg.norm(points[face], axis=1) > 5.0
    np.testing.assert_allclose(times[face][far], np.linalg.norm(points[face][far], axis=1) / 2.0, rtol=0.08)
    assert (times <= activation_times(heart, SPEEDS, [start], [0.0], SETTINGS) + 1e-9).all()


def test_an_ensemble_is_its_members_bit_by_bit():
    heart = block_heart((8, 8, 8), 1.5)
    speeds = [Velocities(0.6, 0.3, 1.0), Velocities(0.5, 0.5), Velocities(0.8, 0.2)]
    sites, onsets = np.array([[0, 5], [300, 2], [10, 700]]), np.array([[0.0, 3.0], [1.0, 0.0], [0.0, 0.0]])
    ensemble = solve(prepare(heart, SETTINGS), speeds, sites, onsets)
    for member in range(3):
        alone = activation_times(heart, speeds[member], sites[member], onsets[member], SETTINGS)
        np.testing.assert_array_equal(ensemble[member], alone)


def test_a_site_in_dead_tissue_is_refused():
    heart = block_heart((4, 4, 4), 1.0)
    dead = block_heart((4, 4, 4), 1.0, tissue_class=np.full(len(heart.mesh.tets), CORE, np.uint8))
    with pytest.raises(InputRejected, match="conducting"):
        activation_times(dead, SPEEDS, [0], [0.0], SETTINGS)
    with pytest.raises(InputRejected, match="nodes must lie"):
        activation_times(heart, SPEEDS, [10_000], [0.0], SETTINGS)
