"""A simulated complex is laid where it fits the measured one best: what the onset detector errs by costs nothing."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.calibration.qrs_model import measured_qrs, qrs_model
from cardiotwin.calibration.site_library import site_library
from cardiotwin.ecg.electrodes import default_electrodes, placements
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.eikonal import activation_times, prepare
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import Velocities

TRUTH, ONSETS_MS = np.array([[0.6, 0.3, 0.0]]), np.array([[0.0, 5.0]])
RANGES = ((0.4, 0.9), (0.2, 0.5), (0.0, 0.0))
SITES = np.array([[0, 40]])
TISSUE = TissueSettings()


@pytest.fixture(scope="module")
def model():
    """A block of tissue, and the ECG that the eikonal model itself makes of one activation."""
    heart = block_heart((4, 8, 8), 2.0, (0.0, 0.6, 0.8))
    electrodes = default_electrodes(heart)
    everywhere = np.ones(len(heart.mesh.tets), bool)
    sigma = np.tile(TRUTH[0, [0, 1, 1]] ** 2, (everywhere.size, 1))
    weights = electrode_weights(heart, electrodes, sigma, everywhere)
    nodes = heart.surface_nodes(2)[SITES[0]]
    times = activation_times(heart, Velocities(*TRUTH[0, :2]), nodes, ONSETS_MS[0], TISSUE)
    ecg = eikonal_ecg(electrodes.names, weights, times + 100.0, duration_ms=300.0)
    library = site_library(heart, {0.5: prepare(heart, TISSUE)}, RANGES, count=4)
    placed = placements(heart, electrodes, 6)
    return qrs_model(heart, placed, TISSUE, measured_qrs([ecg], electrodes, heart), library)


def misfit(model, late_ms):
    """Root mean square of what the true activation leaves unexplained, with the measured complex late or early."""
    mv = model.measured.mv
    at = np.clip(np.arange(mv.shape[2]) - late_ms, 0, mv.shape[2] - 1)
    seen = replace(model, measured=replace(model.measured, mv=mv[:, :, at]))
    fitted = seen.fitted(TRUTH, SITES, ONSETS_MS, exact=True)
    return float(np.sqrt(((fitted - seen.measured.mv) ** 2).mean()))


@pytest.mark.parametrize("late_ms", [-5, 0, 6])
def test_an_onset_found_a_few_milliseconds_off_fits_as_well(model, late_ms):
    assert misfit(model, late_ms) < 0.001


def test_an_onset_found_far_off_does_not(model):
    """A complex that could lie anywhere would hide when activation began."""
    assert misfit(model, 30) > 0.2


def test_the_true_activation_is_likeliest_seen_by_the_electrodes_that_saw_it(model):
    which = np.arange(6)
    same = [np.repeat(one, 6, axis=0) for one in (TRUTH, SITES, ONSETS_MS)]
    likely = model.log_likelihood(model.fitted(*same, which, exact=True), 1)
    assert likely.argmax() == 0
    assert likely[0] > likely[1:].max() + 3.0


def test_each_member_is_seen_by_its_own_electrodes(model):
    """In one batch or alone, in any order."""
    which = np.array([3, 0, 5])
    same = [np.repeat(one, 3, axis=0) for one in (TRUTH, SITES, ONSETS_MS)]
    together = model.fitted(*same, which)
    for number, placement in enumerate(which):
        alone = model.fitted(TRUTH, SITES, ONSETS_MS, np.array([placement]))
        np.testing.assert_array_equal(together[number], alone[0])
    assert np.abs(together[0] - together[2]).max() > 0.01
