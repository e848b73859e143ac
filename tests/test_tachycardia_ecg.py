"""The ECG of a circuit: against the sum of its beats one by one, and its words on waves whose direction is known."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.ecg import LEADS, eikonal_ecg, electrode_weights
from cardiotwin.electrodes import Electrodes
from cardiotwin.heart import BORDER_ZONE
from cardiotwin.reentry import Circuit
from cardiotwin.tachycardia_ecg import ACTION_POTENTIAL, SIGMA_PER_VELOCITY, tachycardia_ecgs
from cardiotwin.tissue import Velocities

CYCLE_MS, VELOCITY = 300, 0.3
# In the patient's frame: x to the left, y to the back, z to the head.
PLACES = {
    "RA": (-150.0, 0.0, 150.0), "LA": (150.0, 0.0, 150.0), "LL": (0.0, 0.0, -250.0), "V1": (-30.0, -90.0, 20.0),
    "V2": (0.0, -100.0, 20.0), "V3": (30.0, -95.0, 10.0), "V4": (60.0, -80.0, 0.0), "V5": (90.0, -50.0, 0.0),
    "V6": (110.0, 0.0, 0.0),
}  # fmt: skip
ELECTRODES = Electrodes(tuple(PLACES), np.array(list(PLACES.values())), True)


@pytest.fixture(scope="module")
def heart():
    return block_heart((15, 15, 15), 2.0)


def circuit(heart, direction, cycle_ms=CYCLE_MS):
    """A plane wave that sets out again every cycle."""
    along = heart.mesh.points @ np.asarray(direction, float)
    phase = (along - along.min()) / VELOCITY
    nodes = np.arange(len(phase), dtype=np.int32)
    return Circuit(cycle_ms, 3, np.zeros(3), np.zeros(3), phase.astype(np.float32), nodes, nodes[:1])


def seen(heart, direction, **changes):
    return tachycardia_ecgs(heart, [circuit(heart, direction, **changes)], ELECTRODES, Velocities(0.6, 0.6), 0.5)[0]


def test_cycle_after_cycle_is_the_sum_of_all_beats_without_a_seam(heart):
    found = seen(heart, (1.0, 0.0, 0.0))
    weights = electrode_weights(
        heart,
        ELECTRODES,
        np.full((len(heart.mesh.tets), 3), SIGMA_PER_VELOCITY * 0.36),
        np.ones(len(heart.mesh.tets), bool),
    )
    phase = circuit(heart, (1.0, 0.0, 0.0)).phase_ms.astype(float)
    beats = 4
    total = np.zeros((12, beats * CYCLE_MS))
    for beat in range(beats):
        once = eikonal_ecg(
            ELECTRODES.names, weights, phase + beat * CYCLE_MS, duration_ms=float(beats * CYCLE_MS),
            repolarisation_ms=phase + (beat + ACTION_POTENTIAL) * CYCLE_MS,
        )  # fmt: skip
        total += once.mv
    twice = total[:, CYCLE_MS : 3 * CYCLE_MS]
    running = found.running(0.002 * CYCLE_MS)
    assert (running.leads, running.mv.shape) == (LEADS, twice.shape)
    np.testing.assert_allclose(running.mv, twice - twice.mean(axis=1, keepdims=True), atol=0.005 * np.ptp(twice))
    steps = np.diff(twice, axis=1)
    np.testing.assert_allclose(np.diff(running.mv, axis=1), steps, atol=0.01 * np.abs(steps).max())


@pytest.mark.parametrize(("direction", "slower", "fainter"), [((1, 0, 0), 4.0, 4.0), ((0, 1, 0), 1.0, 4.0)])
def test_amplitude_goes_with_the_square_of_the_velocity_along_the_wave(heart, direction, slower, fainter):
    """Fibres lie along x: a wave along y asks nothing of them, and border zone of half the velocity is a quarter."""

    def size(fibre, cross, of=heart):
        found = tachycardia_ecgs(of, [circuit(of, direction)], ELECTRODES, Velocities(fibre, cross), 0.5)[0]
        return np.abs(found.cycle.mv).max()

    assert size(0.6, 0.3) / size(0.3, 0.3) == pytest.approx(slower, rel=0.02)
    scarred = replace(heart, tissue_class=np.full(len(heart.mesh.tets), BORDER_ZONE, np.uint8))
    assert size(0.6, 0.3) / size(0.6, 0.3, scarred) == pytest.approx(fainter, rel=1e-3)


def test_constants_are_those_that_are_cited():
    assert pytest.approx(0.1334, rel=0.02) == SIGMA_PER_VELOCITY * 0.65**2
    assert ACTION_POTENTIAL == 0.7


@pytest.mark.parametrize(
    ("direction", "axis"), [((1, 0, 0), 0.0), ((0, 0, -1), 90.0), ((0, 0, 1), -90.0), ((-1, 0, 0), 180.0)]
)
def test_the_axis_points_where_the_wave_runs(heart, direction, axis):
    found = seen(heart, direction).axis_deg
    assert abs((found - axis + 180.0) % 360.0 - 180.0) < 20.0


def test_a_wave_towards_the_chest_has_a_positive_v1_and_one_away_from_it_none(heart):
    towards, away = seen(heart, (0.0, -1.0, 0.0)), seen(heart, (0.0, 1.0, 0.0))
    assert (towards.pattern, towards.transition) == ("right bundle branch", "V1")
    assert away.pattern == "left bundle branch"
    assert away.transition != "V1"
    assert "right bundle branch pattern" in str(towards)


def test_the_complex_lasts_from_the_exit_until_nine_tenths_are_activated(heart):
    assert seen(heart, (1.0, 0.0, 0.0)).qrs_ms == pytest.approx(0.9 * 30.0 / VELOCITY, rel=0.08)
