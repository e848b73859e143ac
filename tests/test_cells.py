"""Which cells are where: three kinds across the wall, and border-zone cells remodelled as measured."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from cube_heart import block_heart
from medium_blocks import single_cell

from cardiotwin.errors import SettingsError
from cardiotwin.heart.heart import BORDER_ZONE
from cardiotwin.kernels.ionic import MODELS, cell_model
from cardiotwin.monodomain import Protocol, Solver, Stimulus
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.cells import HEART_MODELS, cell_parameters, conducting_cell
from cardiotwin.tissue.tissue import NO_FACES, Tissue, Velocities

SETTINGS = TissueSettings()
DETAILED = "ten_tusscher_2006"
HUMAN = {"g_Na": 14.838, "g_CaL": 3.98e-5, "g_Kr": 0.153, "g_to": 0.294, "g_Ks": 0.392}
"""Of the epicardial cell, as printed (ten Tusscher and Panfilov 2006)."""
OTHERWISE = {"endocardial": {"g_to": 0.073}, "mid_myocardial": {"g_Ks": 0.098}, "epicardial": {}}
REMODELLED = {"g_Na": 0.38, "g_CaL": 0.31, "g_Kr": 0.30, "g_Ks": 0.20}
"""As printed (Arevalo et al. 2016)."""
CYCLE_MS, BEATS = 600.0, 3


def wall(tissue_class=None):
    """Ten cells from endocardium to epicardium."""
    heart = block_heart((10, 2, 2), 1.0)
    if tissue_class is not None:
        heart.tissue_class[:] = tissue_class
    return heart


def cells(heart, model, profile="structural_and_ionic"):
    return cell_parameters(heart, np.ones(len(heart.mesh.tets), bool), model, 0.3, SETTINGS, profile)


def of(kind, heart):
    depth = {"endocardial": (0.0, 0.25), "mid_myocardial": (0.35, 0.65), "epicardial": (0.75, 1.0)}[kind]
    return (heart.transmural >= depth[0]) & (heart.transmural <= depth[1])


@pytest.mark.parametrize("kind", OTHERWISE)
def test_the_wall_has_three_kinds_of_cells_each_with_its_currents(kind):
    heart = wall()
    found = cells(heart, DETAILED)
    for name, value in (HUMAN | OTHERWISE[kind]).items():
        assert found[name][of(kind, heart)] == pytest.approx(value), name
    assert (found["endocardial"][of(kind, heart)] == (kind == "endocardial")).all()


@pytest.mark.parametrize("kind", OTHERWISE)
def test_the_border_zone_has_less_of_four_currents_and_as_much_of_the_others(kind):
    healthy, border = cells(wall(), DETAILED), cells(wall(BORDER_ZONE), DETAILED)
    here = of(kind, wall())
    for name in healthy:
        assert border[name][here] == pytest.approx(REMODELLED.get(name, 1.0) * healthy[name][here]), name


def test_a_structural_border_zone_leaves_the_cells_as_they_are():
    healthy, border = cells(wall(), DETAILED), cells(wall(BORDER_ZONE), DETAILED, "structural")
    for name in healthy:
        assert (border[name] == healthy[name]).all(), name


@pytest.mark.parametrize("kind", OTHERWISE)
def test_tor_ord_cells_have_the_parameters_of_their_layer_and_less_of_four_currents_in_the_border_zone(kind):
    model = cell_model("tor_ord_2019")
    printed, here = {**model.PARAMETERS, **model.CELL_TYPES[kind]}, of(kind, wall())
    for heart, factors in ((wall(), {}), (wall(BORDER_ZONE), {**REMODELLED, "P_Ca": 0.31})):
        found = cells(heart, "tor_ord_2019")
        assert {"g_Na", "P_Ca", "g_Kr", "g_Ks"} < set(found)
        for name, value in printed.items():
            if name in found:
                assert found[name][here] == pytest.approx(factors.get(name, 1.0) * value, rel=1e-6), name
        assert all(name in found for name in model.CELL_TYPES[kind])


@pytest.mark.parametrize("kind", OTHERWISE)
def test_every_layer_starts_from_its_own_steady_state(kind):
    heart, model = wall(), cell_model("tor_ord_2019")
    n_tets = len(heart.mesh.tets)
    own = {name: values.astype(np.float64) for name, values in cells(heart, "tor_ord_2019").items()}
    tissue = Tissue(
        heart,
        np.ones(n_tets, bool),
        np.ones((n_tets, 3)),
        np.ones((n_tets, 3)),
        *NO_FACES,
        "tor_ord_2019",
        own,
        Velocities(0.6, 0.3),
        {},
    )
    solver = Solver(tissue, 0.02)
    for name, value in model.STEADY_STATES[kind].items():
        assert solver.variable(solver.rest(), name)[of(kind, heart)] == pytest.approx(value, rel=1e-6), name
    assert solver.fingerprint != Solver(dataclasses.replace(tissue.medium(), initial={}), 0.02).fingerprint


def test_remodelled_cells_of_either_detailed_model_conduct_with_what_their_currents_leave():
    for model, current in (("ten_tusscher_2006", "g_CaL"), ("tor_ord_2019", "P_Ca")):
        cell = conducting_cell(model, 0.3, 1.0, remodelled=True)
        default = cell_model(model).PARAMETERS
        assert cell == {name: REMODELLED.get(name, 0.31) * default[name] for name in ("g_Na", current, "g_Kr", "g_Ks")}


@pytest.mark.parametrize("model", sorted(set(MODELS) - set(HEART_MODELS)))
def test_other_models_are_refused_in_one_line_that_says_which_are_not(model):
    with pytest.raises(SettingsError, match="mitchell_schaeffer, ten_tusscher_2006, tor_ord_2019") as refusal:
        cells(wall(), model)
    assert model in str(refusal.value)
    assert "\n" not in str(refusal.value)


def duration_ms(parameters):
    """Action potential duration of the last of three beats, ms."""
    stimuli = tuple(Stimulus(np.arange(4), CYCLE_MS * beat, 1.0, 52.0) for beat in range(BEATS))
    solver = Solver(single_cell(DETAILED, **parameters), 0.02)
    run = solver.run(Protocol(stimuli, CYCLE_MS * BEATS), stop_when_quiet=False)[0]
    return float(run.repolarisation_ms[BEATS - 1, 0] - run.activation_ms[BEATS - 1, 0])


def test_remodelled_cells_have_action_potentials_longer_by_a_ninth():
    """The mean of endocardial and epicardial cells, paced: the factor that the simpler cell model is given."""
    heart, ratios = wall(), []
    for kind in ("endocardial", "epicardial"):
        node = np.flatnonzero(of(kind, heart))[0]
        healthy, border = (
            duration_ms({name: float(values[node]) for name, values in cells(one, DETAILED).items()})
            for one in (heart, wall(BORDER_ZONE))
        )
        ratios.append(border / healthy)
    assert np.mean(ratios) == pytest.approx(1.11, abs=0.02), f"ratios {ratios}"


def test_recovery_comes_earlier_from_layer_to_layer_towards_the_epicardium():
    """By an eighth in all: what makes the T wave upright."""
    heart = wall()
    tau_close = cells(heart, "mitchell_schaeffer")["tau_close"]
    layers = [tau_close[heart.transmural == depth].mean() for depth in np.unique(heart.transmural)]
    assert all(inner > outer for inner, outer in pairwise(layers))
    assert layers[-1] / layers[0] == pytest.approx(0.88, abs=0.02)
