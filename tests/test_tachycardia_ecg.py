"""The ECG of a circuit: against the sum of its beats one by one, and its words on waves whose direction is known."""

from dataclasses import replace

import numpy as np
import pytest
from cube_heart import block_heart

from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.ecg.recording import LEADS
from cardiotwin.heart.heart import BORDER_ZONE
from cardiotwin.induction.reentry import Circuit
from cardiotwin.induction.tachycardia_ecg import ACTION_POTENTIAL, SIGMA_PER_VELOCITY, frontal_axis, tachycardia_ecgs
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.tissue.tissue import Velocities

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


def circuit(heart, direction, cycle_ms=CYCLE_MS, velocity=VELOCITY):
    """A plane wave that sets out again every cycle."""
    along = heart.mesh.points @ np.asarray(direction, float)
    return of_phase((along - along.min()) / velocity, cycle_ms)


def of_phase(phase, cycle_ms=CYCLE_MS):
    nodes = np.arange(len(phase), dtype=np.int32)
    return Circuit(cycle_ms, 3, np.zeros(3), np.zeros(3), phase.astype(np.float32), nodes, nodes[:1])


def seen(heart, direction, **changes):
    return seen_of(heart, circuit(heart, direction, **changes))


def seen_of(heart, one):
    return tachycardia_ecgs(heart, [one], ELECTRODES, Velocities(0.6, 0.6), 0.5)[0]


@pytest.mark.parametrize(("cycle_ms", "velocity"), [(300, 0.3), (120, 0.255)])
def test_cycle_after_cycle_is_the_sum_of_all_beats_without_a_seam(heart, cycle_ms, velocity):
    """Also where the wave takes the whole of a short cycle, so that the T wave ends in the next but one."""
    one = circuit(heart, (1.0, 0.0, 0.0), cycle_ms, velocity)
    found = seen_of(heart, one)
    weights = electrode_weights(
        heart,
        ELECTRODES,
        np.full((len(heart.mesh.tets), 3), SIGMA_PER_VELOCITY * 0.36),
        np.ones(len(heart.mesh.tets), bool),
    )
    phase = one.phase_ms.astype(float)
    beats = 5
    total = np.zeros((12, beats * cycle_ms))
    for beat in range(beats):
        once = eikonal_ecg(
            ELECTRODES.names, weights, phase + beat * cycle_ms, duration_ms=float(beats * cycle_ms),
            repolarisation_ms=phase + (beat + ACTION_POTENTIAL) * cycle_ms,
        )  # fmt: skip
        total += once.mv
    twice = total[:, 2 * cycle_ms : 4 * cycle_ms]
    running = found.running(0.002 * cycle_ms)
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


@pytest.mark.parametrize("axis", [-150.0, -60.0, 0.0, 30.0, 135.0])
def test_the_axis_is_that_of_einthoven_s_triangle(axis):
    """Leads I, II and III see a dipole from 0, 60 and 120 degrees; aVF is half of II and III."""
    first, second, third = np.cos(np.radians(axis - np.array([0.0, 60.0, 120.0])))
    assert frontal_axis(first, (second + third) / 2.0) == pytest.approx(axis)


def test_the_complex_lasts_from_the_exit_until_nine_tenths_are_activated(heart):
    assert seen(heart, (1.0, 0.0, 0.0)).qrs_ms == pytest.approx(0.9 * 30.0 / VELOCITY, rel=0.08)


def test_nine_tenths_are_of_the_tissue_however_finely_some_of_it_is_meshed(heart):
    """Layers that get thinner along x: half of them lie in the last eighth."""
    points = heart.mesh.points.copy()
    points[:, 0] = 30.0 * (1.0 - (1.0 - points[:, 0] / 30.0) ** 3)
    graded = replace(heart, mesh=Mesh(points, heart.mesh.tets))
    assert seen(graded, (1.0, 0.0, 0.0)).qrs_ms == pytest.approx(0.9 * 30.0 / VELOCITY, rel=0.05)


def test_tissue_that_no_wave_reaches_is_silent(heart):
    """Two halves that are activated in turn are seen as the sum of both; of one alone, its own nine tenths last."""
    one = circuit(heart, (1.0, 0.0, 0.0))
    near = heart.mesh.points[:, 0] < 15.5
    halves = [seen_of(heart, of_phase(np.where(half, one.phase_ms, np.nan))) for half in (near, ~near)]
    together = seen_of(heart, one).cycle.mv
    np.testing.assert_allclose(
        sum(half.cycle.mv for half in halves), together, rtol=0, atol=1e-6 * np.abs(together).max()
    )
    assert halves[0].qrs_ms == pytest.approx(0.9 * 15.0 / VELOCITY, rel=0.08)


def test_what_is_activated_after_the_complex_does_not_turn_its_axis(heart):
    """The leftmost layer, at whatever time after the rest, which is activated downwards."""
    x, _, z = heart.mesh.points.T
    phases = [np.where(x > 29.0, after_ms, (30.0 - z) / VELOCITY) for after_ms in (150.0, 280.0)]
    soon, late = (seen_of(heart, of_phase(phase)) for phase in phases)
    assert soon.qrs_ms == late.qrs_ms
    assert soon.axis_deg == pytest.approx(late.axis_deg, abs=1e-6)
