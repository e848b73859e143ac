"""Scar does not conduct, the border zone is slow, remodelled cells recover late."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from cube_heart import block_heart, oblique_block_heart
from ellipsoid_heart import ellipsoid_heart
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from cardiotwin.errors import InputRejected, QualityGate, SettingsError
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY
from cardiotwin.meshes.reference.slab import lattice_block
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus, simulate
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import NO_FACES, Tissue, Velocities, make_tissue

EDGE_MM, DT_MS = 1.0, 0.1
SETTINGS = TissueSettings(cell_model="mitchell_schaeffer", border_zone_profile="structural")
VELOCITIES = Velocities(0.6, 0.3)


def bar(middle, fibre=(1.0, 0.0, 0.0)):
    """30 mm long; the second and third centimetre are of another class."""
    plain = block_heart((36, 3, 3), EDGE_MM, fibre)
    x = plain.mesh.centroids[:, 0]
    classes = np.where((x > 10) & (x < 26), middle, HEALTHY).astype(np.uint8)
    return block_heart((36, 3, 3), EDGE_MM, fibre, classes)


def beat(tissue, duration_ms=450.0, **options):
    left = np.flatnonzero(tissue.heart.mesh.points[:, 0] <= 2.0)
    return simulate(tissue, Protocol((Stimulus(left, 0.0),), duration_ms), dt_ms=DT_MS, **options)


def velocity_between(heart, activation, low, high):
    x = heart.mesh.points[:, 0]
    timed = (x >= low) & (x <= high)
    return 1.0 / np.polyfit(x[timed], activation.activation_ms[0, timed], 1)[0]


def test_the_core_stops_the_wave_and_has_no_potential():
    heart = bar(CORE)
    activation = beat(make_tissue(heart, VELOCITIES, SETTINGS, dt_ms=DT_MS), 100.0, snapshot_every_ms=10.0)
    x = heart.mesh.points[:, 0]
    assert np.isfinite(activation.activation_ms[0, x <= 10]).all()
    assert np.isnan(activation.activation_ms[0, x > 11]).all()
    inside = (x > 11) & (x < 25)
    assert np.isnan(activation.snapshots[:, inside]).all()
    assert np.isfinite(activation.snapshots[:, ~inside & (np.abs(x - 10.5) > 1) & (np.abs(x - 25.5) > 1)]).all()


def test_a_lesion_is_as_good_as_a_core():
    heart, scarred = bar(HEALTHY), bar(CORE)
    lesioned = make_tissue(heart, VELOCITIES, SETTINGS, dt_ms=DT_MS, lesions=scarred.tissue_class == CORE)
    assert np.array_equal(lesioned.conducting, make_tissue(scarred, VELOCITIES, SETTINGS, dt_ms=DT_MS).conducting)
    assert np.isnan(beat(lesioned, 100.0).activation_ms[0, heart.mesh.points[:, 0] > 11]).all()


def test_a_heart_is_not_made_of_cells_that_have_no_place_in_it():
    with pytest.raises(SettingsError, match="'courtemanche_1998', expected one of mitchell_schaeffer"):
        make_tissue(bar(HEALTHY), VELOCITIES, SETTINGS, dt_ms=DT_MS, cell_model="courtemanche_1998")


@pytest.mark.parametrize(("fibre", "healthy"), [((1.0, 0.0, 0.0), 0.6), ((0.0, 1.0, 0.0), 0.3)])
def test_the_border_zone_conducts_at_its_fraction_along_and_across(fibre, healthy):
    """This block is not the lattice that velocities are tuned for; 10 % is the difference between the two."""
    heart = bar(BORDER_ZONE, fibre)
    activation = beat(make_tissue(heart, VELOCITIES, SETTINGS, dt_ms=DT_MS))
    assert velocity_between(heart, activation, 4, 9) == pytest.approx(healthy, rel=0.1)
    assert velocity_between(heart, activation, 14, 22) == pytest.approx(0.5 * healthy, rel=0.1)


def test_remodelled_detailed_cells_conduct_as_fast_as_those_that_are_not():
    """Remodelling takes sodium current away: with the same conductivity they would conduct at two thirds."""
    heart = bar(BORDER_ZONE)
    left = np.flatnonzero(heart.mesh.points[:, 0] <= 2.0)
    velocity = {}
    for profile in ("structural", "structural_and_ionic"):
        tissue = make_tissue(heart, VELOCITIES, SETTINGS, dt_ms=0.05, profile=profile, cell_model="ten_tusscher_2006")
        activation = simulate(tissue, Protocol((Stimulus(left, 0.0),), 150.0), dt_ms=0.05)
        velocity[profile] = velocity_between(heart, activation, 14, 22)
    assert velocity["structural_and_ionic"] == pytest.approx(velocity["structural"], rel=0.12)


def test_waves_across_fibres_of_any_orientation_have_the_velocity_asked_for_on_average():
    """How the fibres lie in the lattice changes the velocity of one wave by a tenth each way; the mean is tuned.

    More anisotropic than ventricles are: at 2 to 1 what the tuning bar needs to know of it is worth 2 % only.
    """
    along, across, edge_mm = 1.0, 0.25, 1.25
    tissue = make_tissue(block_heart((2, 2, 2), edge_mm), Velocities(along, across), SETTINGS, dt_ms=DT_MS)
    points, tets = lattice_block((34, 34, 34))
    points = points - 17.0
    reached = []
    for fibre, wave, _ in Rotation.random(12, random_state=1).as_matrix():
        x = points @ wave
        radius = np.linalg.norm(points - x[:, None] * wave, axis=1)
        bar = tets[((np.abs(x) < 12) & (radius < 6))[tets].all(axis=1)]
        sigma = tissue.sigma[0, 1] * np.eye(3) + (tissue.sigma[0, 0] - tissue.sigma[0, 1]) * np.outer(fibre, fibre)
        cell = {name: float(tissue.parameters[name].mean()) for name in ("tau_in", "tau_out")}
        medium = Medium(points * edge_mm, bar, np.tile(sigma, (len(bar), 1, 1)), tissue.cell_model, cell)
        start = Stimulus(np.intersect1d(np.flatnonzero(x < -9), bar), 0.0)
        seen = simulate(medium, Protocol((start,), 200.0), dt_ms=DT_MS).activation_ms[0]
        timed = (np.abs(x) < 5) & (radius < 2)
        reached.append(edge_mm / np.polyfit(x[timed], seen[timed], 1)[0])
    assert np.mean(reached) == pytest.approx(across, rel=0.03), f"velocities {reached}"


def test_remodelled_cells_recover_later_and_conduct_as_fast():
    heart = bar(BORDER_ZONE)
    runs = {
        profile: beat(make_tissue(heart, VELOCITIES, SETTINGS, dt_ms=DT_MS, profile=profile))
        for profile in ("structural", "structural_and_ionic")
    }
    middle = np.abs(heart.mesh.points[:, 0] - 18) < 3
    duration = {name: (run.repolarisation_ms - run.activation_ms)[0, middle].mean() for name, run in runs.items()}
    assert duration["structural_and_ionic"] == pytest.approx(1.11 * duration["structural"], rel=0.03)
    speeds = [velocity_between(heart, run, 14, 22) for run in runs.values()]
    assert speeds[1] == pytest.approx(speeds[0], rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("fibre", "tilt_deg"), [((0.0, 0.0, 1.0), 10.0), ((0.0, 1.0, 0.0), 25.0)])
def test_waves_spread_over_a_fast_endocardium_at_the_velocity_asked_for(fibre, tilt_deg):
    """Though the wall under it holds it back, whichever way its fibres run: tuned as bulk, it reached 0.9."""
    heart = oblique_block_heart((6.0, 72.0, 16.0), 1.0, tilt_deg, fibre)
    depth, y = heart.mesh.points[:, 0], heart.mesh.points[:, 1]
    tissue = make_tissue(heart, Velocities(0.6, 0.3, 1.2), SETTINGS, dt_ms=DT_MS)
    seen = simulate(tissue, Protocol((Stimulus(np.flatnonzero(y <= 2.0), 0.0),), 300.0), dt_ms=DT_MS).activation_ms[0]
    timed = (depth == 0.0) & (y > 20) & (y < 50)
    assert 1.0 / np.polyfit(y[timed], seen[timed], 1)[0] == pytest.approx(1.2, rel=0.07)


def test_electrodes_see_the_wall_and_not_the_fast_endocardium():
    heart = block_heart((6, 6, 3), EDGE_MM)
    plain, fast = (make_tissue(heart, Velocities(0.6, 0.3, v), SETTINGS, dt_ms=DT_MS) for v in (None, 1.2))
    assert len(fast.faces) > 10
    assert fast.conductance.min() > 5.0 * plain.sigma.max()
    np.testing.assert_array_equal(fast.sigma, plain.sigma)
    np.testing.assert_array_equal(fast.seen, plain.seen)
    assert not len(plain.faces)


def test_electrodes_see_no_lattice():
    """What is seen on coarse edges is as anisotropic as what conducts on fine ones, where no lattice slows a wave."""
    coarse, fine = (
        make_tissue(block_heart((2, 2, 2), edge_mm), VELOCITIES, SETTINGS, dt_ms=0.01, cell_model="ten_tusscher_2006")
        for edge_mm in (1.25, 0.2)
    )
    on_lattice = coarse.sigma[0, 1] / coarse.sigma[0, 0]
    without = fine.sigma[0, 1] / fine.sigma[0, 0]
    assert on_lattice > 1.1 * without
    assert coarse.seen[0, 1] / coarse.seen[0, 0] == pytest.approx(without, rel=0.03)
    assert coarse.seen[0, 0] == coarse.sigma[0, 0]


def test_what_is_seen_of_the_border_zone_goes_with_the_square_of_its_velocity():
    heart = bar(BORDER_ZONE)
    for profile in ("structural", "structural_and_ionic"):
        tissue = make_tissue(heart, VELOCITIES, SETTINGS, dt_ms=DT_MS, profile=profile)
        healthy, border = (tissue.seen[heart.tissue_class == kind][0] for kind in (HEALTHY, BORDER_ZONE))
        np.testing.assert_allclose(border, 0.5**2 * healthy)
        np.testing.assert_allclose(healthy[1:], 0.5**2 * healthy[0])


def test_only_living_endocardium_is_fast_and_slower_in_the_border_zone():
    heart = block_heart((3, 12, 3), EDGE_MM)
    y = heart.mesh.centroids[:, 1] / EDGE_MM
    heart = replace(heart, tissue_class=np.select([y < 4, y < 8], [CORE, BORDER_ZONE], HEALTHY).astype(np.uint8))
    tissue = make_tissue(heart, Velocities(0.6, 0.3, 1.2), SETTINGS, dt_ms=DT_MS)
    owner = {tuple(sorted(face)): k for k, tet in enumerate(heart.mesh.tets) for face in combinations(tet.tolist(), 3)}
    endocardial = [tuple(sorted(face)) for face in heart.faces[heart.surface == 2].tolist()]
    alive = {face for face in endocardial if heart.tissue_class[owner[face]] != CORE}
    assert {tuple(sorted(face)) for face in tissue.faces.tolist()} == alive
    kinds = heart.tissue_class[[owner[tuple(sorted(face))] for face in tissue.faces.tolist()]]
    slow, fast = (np.unique(tissue.conductance[kinds == kind]) for kind in (BORDER_ZONE, HEALTHY))
    assert slow.size == fast.size == 1
    assert slow[0] < 0.7 * fast[0]


@pytest.mark.slow
def test_the_fast_endocardium_leaves_the_wall_its_thickness():
    """As a layer of elements it carried waves through 0.74 mm of wall at once: 16.0 ms to 6 mm instead of 19.6."""
    heart = oblique_block_heart((8.0, 60.0, 4.0), 1.0, 25.0, (0.0, 0.0, 1.0))
    depth, y = heart.mesh.points[:, 0], heart.mesh.points[:, 1]
    tissue = make_tissue(heart, Velocities(0.6, 0.3, 1.6), SETTINGS, dt_ms=DT_MS)
    seen = simulate(tissue, Protocol((Stimulus(np.flatnonzero(y <= 2.0), 0.0),), 300.0), dt_ms=DT_MS).activation_ms[0]
    middle = (y > 25) & (y < 50)
    lag = [(seen - y / 1.6)[middle & (np.abs(depth - at) <= around)].mean() for at, around in ((0.0, 0.0), (6.0, 0.5))]
    # The front lies aslant in the wall: 6 mm of it take sqrt(1/0.3² - 1/1.6²) ms each.
    assert lag[1] - lag[0] == pytest.approx(6.0 * np.sqrt(0.3**-2 - 1.6**-2), rel=0.13)


def test_a_wave_in_the_fast_layer_starts_without_waiting():
    """From a ball like the wall's it came 15 ms late: its front is wider, and needs more to start."""
    heart = block_heart((6, 24, 24), EDGE_MM)
    points = heart.mesh.points
    tissue = make_tissue(heart, Velocities(0.6, 0.3, 1.6), SETTINGS, dt_ms=DT_MS)
    site = np.array([0.0, 0.0, 0.0]) + points.max(axis=0) * [0.0, 0.5, 0.5]
    fired = tissue.started_from(site[None], np.zeros(1), 3.0)
    seen = simulate(tissue, Protocol(fired, 60.0), dt_ms=DT_MS).activation_ms[0]
    away = np.linalg.norm(points - site, axis=1)
    ring = (points[:, 0] == 0.0) & (np.abs(away - 10.0) < 1.0)
    assert seen[ring].mean() == pytest.approx(10.0 / 1.6, abs=4.0)


def test_a_wave_in_the_fast_layer_is_started_without_driving_detailed_cells_beyond_what_cells_reach():
    """They were driven to 318 mV, which the ECG showed."""
    heart = block_heart((6, 24, 24), EDGE_MM)
    points = heart.mesh.points
    settings = SETTINGS.model_copy(update={"cell_model": "ten_tusscher_2006"})
    tissue = make_tissue(heart, Velocities(0.6, 0.3, 1.6), settings, dt_ms=0.02)
    site = np.array([0.0, 0.0, 0.0]) + points.max(axis=0) * [0.0, 0.5, 0.5]
    fired = tissue.started_from(site[None], np.zeros(1), 2.5)
    seen = simulate(tissue, Protocol(fired, 20.0), dt_ms=0.02, snapshot_every_ms=1.0)
    assert np.max(seen.snapshots) < 90.0
    ring = (points[:, 0] == 0.0) & (np.abs(np.linalg.norm(points - site, axis=1) - 10.0) < 1.0)
    assert seen.activation_ms[0][ring].mean() == pytest.approx(10.0 / 1.6, abs=2.5)


def test_a_site_on_the_septum_fires_its_own_side_only():
    """However fast the layer: a disc as wide as the velocities say would reach through the septum."""
    heart = ellipsoid_heart(2.6, size=0.6)
    left, right = heart.surface_nodes(2), heart.surface_nodes(3)
    points = heart.mesh.points
    apart = cKDTree(points[right]).query(points[left])[0]
    site = points[left[np.argmin(np.where(heart.apicobasal[left] < 0.6, apart, np.inf))]]
    everything = np.ones(len(heart.mesh.tets), bool)
    sigma = np.ones((len(heart.mesh.tets), 3))
    tissue = Tissue(heart, everything, sigma, sigma, *NO_FACES, "mitchell_schaeffer", {}, Velocities(0.3, 0.2, 2.0), {})
    nodes = tissue.started_from(site[None], np.zeros(1), 2.5)[0].nodes
    assert np.intersect1d(nodes, left).size > 5
    assert not np.intersect1d(nodes, right).size
    assert np.linalg.norm(points[nodes] - site, axis=1).max() <= 7.5


def test_the_epicardium_recovers_first_and_has_the_notch():
    heart = block_heart((10, 3, 3), EDGE_MM)
    for model in ("mitchell_schaeffer", "ten_tusscher_2006"):
        tissue = make_tissue(heart, VELOCITIES, SETTINGS, dt_ms=DT_MS, cell_model=model)
        assert set(tissue.parameters) <= set(Solver(tissue, DT_MS)._cell.PARAMETERS)
        if model == "mitchell_schaeffer":
            depth = np.argsort(heart.transmural)
            assert (np.diff(tissue.parameters["tau_close"][depth]) <= 1e-4).all()
        else:
            assert tissue.parameters["g_to"][heart.transmural > 0.8] == pytest.approx(0.294)
            assert tissue.parameters["g_to"][heart.transmural < 0.2] == pytest.approx(0.073)


def test_every_velocity_reports_its_error():
    tissue = make_tissue(bar(BORDER_ZONE), VELOCITIES, SETTINGS, dt_ms=DT_MS)
    assert set(tissue.tuning_error) == {
        f"{kind}, {way}" for kind in ("healthy", "border zone") for way in ("along", "across")
    }
    assert max(abs(e) for e in tissue.tuning_error.values()) < 0.005


def test_a_heart_that_is_all_scar_and_lesions_of_another_mesh_are_refused():
    heart = bar(HEALTHY)
    with pytest.raises(QualityGate):
        make_tissue(heart, VELOCITIES, SETTINGS, dt_ms=DT_MS, lesions=np.ones(len(heart.tissue_class), bool))
    with pytest.raises(InputRejected):
        make_tissue(heart, VELOCITIES, SETTINGS, dt_ms=DT_MS, lesions=np.ones(3, bool))
