"""The velocity of the border zone is asked of the ECG, and what it says reaches every simulation of a member."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from cube_heart import block_heart
from small_study import small_study

from cardiotwin.calibration import confirmation, front_velocity
from cardiotwin.calibration.fit import _convergence, border_zone_fractions, calibrate, sites_of
from cardiotwin.calibration.qrs_model import measured_qrs, qrs_model
from cardiotwin.calibration.qrs_prior import QrsPrior
from cardiotwin.calibration.sequential_monte_carlo import Run
from cardiotwin.calibration.site_library import site_library
from cardiotwin.ecg.electrodes import default_electrodes, placements
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.ecg.recording import Ecg
from cardiotwin.eikonal import conducting_tets, prepare, solve
from cardiotwin.errors import SettingsError
from cardiotwin.heart.heart import BORDER_ZONE, HEALTHY, LV_ENDOCARDIUM, RV_ENDOCARDIUM
from cardiotwin.induction import programmed_stimulation
from cardiotwin.induction.arrhythmias import AS_SEGMENTED
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.progress import silent
from cardiotwin.settings import CalibrateSettings, Settings, TissueSettings, with_fraction
from cardiotwin.storage.ledger import Observation
from cardiotwin.tissue.tissue import Velocities
from cardiotwin.twin import planning, stage_functions, stages

pytestmark = pytest.mark.slow

TISSUE = TissueSettings()
SMALL = CalibrateSettings(edge_mm=3.0, n_particles=64, n_candidates=40, n_sites=3, latest_site_ms=12.0)


@pytest.fixture(scope="module")
def heart():
    """Seven tenths of a phantom; a core of 40 mm in a border zone of 8: a quarter of the muscle."""
    whole = replace(
        make_anatomy(0), core_angle_deg=200.0, core_width_mm=40.0, border_zone_mm=8.0, corridor_width_mm=0.0
    )
    lengths = [name for name in whole.__dataclass_fields__ if name.startswith(("lv_", "rv_", "fillet"))]
    sizes = {name: 0.7 * getattr(whole, name) for name in lengths} | {"rv_wall_mm": 3.0, "lv_wall_mm": 8.0}
    return true_heart(replace(whole, **sizes), SMALL.edge_mm)


def test_the_fraction_of_the_settings_is_asked_first_and_alone_where_there_is_no_border_zone(heart):
    assert border_zone_fractions(heart, SMALL, TISSUE) == (0.5, 0.35, 0.7, 1.0)
    assert border_zone_fractions(heart, SMALL, with_fraction(TISSUE, 0.4)) == (0.35, 0.5, 0.7, 1.0)
    fast = with_fraction(TISSUE, 0.95)
    assert border_zone_fractions(heart, SMALL, fast) == (0.7, 0.35, 0.5, 1.0), "never from 1"
    known = SMALL.model_copy(update={"border_zone_velocity_fractions": ()})
    assert border_zone_fractions(heart, known, TISSUE) == (0.5,)
    healthy = replace(heart, tissue_class=np.full_like(heart.tissue_class, HEALTHY))
    assert border_zone_fractions(healthy, SMALL, with_fraction(TISSUE, 0.4)) == (0.4,)


@pytest.mark.parametrize("found", [[0.5, 0.5], [0.0, 1.0], [1.2]])
def test_fractions_that_are_none_are_refused(found):
    with pytest.raises((SettingsError, ValueError), match="border_zone_velocity_fractions: found"):
        Settings.model_validate({"calibrate": {"border_zone_velocity_fractions": found}})


def test_each_member_is_simulated_with_its_own_border_zone():
    posterior = replace(small_study().posterior, border_zone_fraction=np.linspace(0.3, 1.0, 24))
    assert posterior.tissue(0, TISSUE).border_zone_velocity_fraction == 0.3
    assert posterior.tissue(23, TISSUE).border_zone_velocity_fraction == 1.0
    assert replace(posterior, border_zone_fraction=None).tissue(3, TISSUE) is TISSUE


def test_a_twin_tabulates_every_fraction_with_the_settings_that_its_step_declares():
    ecg = Observation("0" * 64, "ecg", "", "", "", "", "", "")
    step = next(one for one in stages.path((ecg,)) if one.name == "site library")
    settings = Settings.model_validate({"calibrate": {"n_candidates": 16, "fast_endocardium": False}})
    block = block_heart((3, 6, 6), 2.0)
    scarred = np.where(block.mesh.centroids[:, 1] > 6.0, BORDER_ZONE, HEALTHY).astype(np.uint8)
    work = SimpleNamespace(settings=planning.readable(settings, step.settings), progress=silent)
    table = stage_functions.tabulate_sites(work, replace(block, tissue_class=scarred))
    assert table.fractions.tolist() == [0.5, 0.35, 0.7, 1.0]


def test_how_far_populations_are_apart_in_the_border_zone_is_told():
    near = tuple(np.array([k]) for k in range(6))
    prior = QrsPrior(np.array([0.3, 0.2, 0.7, 0.0]), np.array([1.0, 0.6, 2.0, 12.0]), near, near, 2, (0.65, 0.1), 1, 3)
    library = SimpleNamespace(fractions=np.array([0.5, 0.35, 1.0]), positions=np.random.default_rng(0).random((6, 3)))

    def notes(*fractions):
        runs = []
        for seed, fraction in enumerate(fractions):
            particles = prior.draw(64, np.random.default_rng(seed))
            particles[:, -2] = fraction
            runs.append(Run(particles, np.ones(1), 0.3, 64.0, 64, 0.0))
        return _convergence(runs, prior, SimpleNamespace(library=library))

    half = np.arange(64) % 2
    assert notes(half, half)["populations apart, border zone"] == 0.0
    assert notes(half, 2 * half)["populations apart, border zone"] == pytest.approx(
        0.325 / np.sqrt((0.075**2 + 0.25**2) / 2)
    )
    library.fractions = np.array([0.5])
    assert "populations apart, border zone" not in notes(0 * half, 0 * half)


class Told(Exception):
    """Carries the settings that a simulation was to be made with."""


def told(*arguments, **_):
    raise Told(next(one for one in arguments if isinstance(one, TissueSettings)).border_zone_velocity_fraction)


@pytest.mark.parametrize("member", [3, 11])
def test_every_simulation_of_a_member_has_its_border_zone(monkeypatch, member):
    """Confirming run, the velocities of the tissue, pacing and openCARP: none may fall back to the settings."""
    study = small_study()
    fraction = np.linspace(0.3, 1.0, 24)
    best = np.where(np.arange(24) == member, 0.99, 0.5)
    posterior = replace(study.posterior, border_zone_fraction=fraction, correlation=best, weights=np.full(24, 1 / 24))
    for module in (confirmation, front_velocity, programmed_stimulation):
        monkeypatch.setattr(module, "make_tissue", told)
    runs = (
        lambda: confirmation.confirm(study.heart, posterior, study.electrodes, Settings().simulate, TISSUE),
        lambda: front_velocity.front_to_tissue(study.heart, posterior, TISSUE),
        lambda: programmed_stimulation._prepared(
            programmed_stimulation._Context({AS_SEGMENTED: study.heart}, posterior, Settings().induce, TISSUE, {}),
            "",
            member,
            "structural",
            AS_SEGMENTED,
        ),
    )
    for run in runs:
        with pytest.raises(Told) as found:
            run()
        assert found.value.args == (fraction[member],)


def test_each_member_is_fitted_on_its_own_border_zone(heart):
    """Arrival and lead fields: as with a model that knows this fraction alone."""
    electrodes = replace(default_electrodes(heart), measured=True)
    rng = np.random.default_rng(3)
    nodes = np.intersect1d(heart.surface_nodes(LV_ENDOCARDIUM), heart.mesh.tets[conducting_tets(heart)])
    times = solve(prepare(heart, TISSUE), [Velocities(0.6, 0.3)], nodes[None, :1], np.zeros((1, 1)))[0]
    weights = electrode_weights(heart, electrodes, np.ones((len(heart.mesh.tets), 3)), conducting_tets(heart))
    beat = eikonal_ecg(electrodes.names, weights, times, duration_ms=450.0, repolarisation_ms=300.0 + 0.7 * times)
    strip = np.tile(np.pad(beat.mv, [(0, 0), (300, 150)]), (1, 6)) / np.abs(beat.mv).max()
    measured = measured_qrs([Ecg(beat.leads, strip, 1000.0)], electrodes, heart)

    def model(*fractions):
        meshes = {one: prepare(heart, with_fraction(TISSUE, one)) for one in fractions}
        library = site_library(heart, meshes, ((0.4, 0.9), (0.2, 0.5), (0.0, 0.0)), count=4)
        placed = placements(
            heart, replace(electrodes, measured=False, uncertainty_mm=np.full(len(electrodes.names), 20.0)), 2
        )
        return qrs_model(heart, placed, TISSUE, measured, library)

    several, speeds = model(0.5, 0.35, 1.0), np.array([[0.6, 0.3, 0.0]])
    sites, onsets = rng.integers(len(several.library.nodes), size=(1, 2)), np.array([[0.0, 6.0]])
    for number, fraction in enumerate((0.5, 0.35, 1.0)):
        for placement in (np.array([0]), np.array([1])):
            found = several.fitted(speeds, sites, onsets, placement, np.array([number]), exact=True)
            alone = model(fraction).fitted(speeds, sites, onsets, placement, exact=True)
            np.testing.assert_allclose(found, alone, atol=1e-6 * np.abs(alone).max())


def test_a_wide_border_zone_shows_in_the_ecg(heart):
    """Slow or as fast as healthy tissue: the posterior tells one from the other, of four that were equally likely."""
    electrodes = replace(default_electrodes(heart), measured=True)
    library = sites_of(heart, SMALL, TISSUE)
    conducting = conducting_tets(heart)
    endocardium = heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM)
    alive = np.intersect1d(endocardium, heart.mesh.tets[conducting])
    sites = np.random.default_rng(5).choice(alive, 3)
    likely = {}
    for fraction in (0.35, 1.0):
        mesh = prepare(heart, with_fraction(TISSUE, fraction))
        slower = np.where(heart.tissue_class == BORDER_ZONE, fraction, 1.0) ** 2
        weights = electrode_weights(heart, electrodes, np.outer(slower, [0.36, 0.09, 0.09]), conducting)
        times = solve(mesh, [Velocities(0.6, 0.3, 1.2)], sites[None], np.array([[0.0, 4.0, 7.0]]))[0]
        beat = eikonal_ecg(electrodes.names, weights, times, duration_ms=450.0, repolarisation_ms=300.0 + 0.7 * times)
        strip = np.tile(np.pad(beat.mv, [(0, 0), (300, 150)]), (1, 6)) / np.abs(beat.mv).max()
        noise = 0.01 * np.random.default_rng(6).standard_normal(strip.shape)
        posterior = calibrate(
            heart, [Ecg(beat.leads, strip + noise, 1000.0)], electrodes, SMALL, TISSUE, library=library
        )
        likely[fraction] = [posterior.weights[posterior.border_zone_fraction == one].sum() for one in (0.35, 1.0)]
    assert likely[0.35][0] > 0.25 > 0.1 > likely[0.35][1]
    assert likely[1.0][1] > 0.25 > 0.1 > likely[1.0][0]
