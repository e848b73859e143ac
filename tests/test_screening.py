"""Fronts that come again: against first arrivals, around a hole, through a channel, and not where nothing can turn."""

import dataclasses

import numpy as np
import pytest
from cube_heart import block_heart
from test_induction import ENSEMBLE, PROTOCOL, TISSUE

from cardiotwin.eikonal import conducting_tets, prepare, solve
from cardiotwin.heart.heart import BORDER_ZONE, CORE
from cardiotwin.induction.arrhythmias import SCREENED_OUT
from cardiotwin.induction.programmed_stimulation import induce, screen
from cardiotwin.induction.reentrant_front import FrontSolver
from cardiotwin.induction.reentry import find_circuits, neighbours, still_turns
from cardiotwin.induction.screen_agreement import screen_agreement
from cardiotwin.induction.screening import ASSUMED, Screener, narrow_places
from cardiotwin.induction.stimulation import Electrode
from cardiotwin.kernels.reexcitation import Recovery
from cardiotwin.settings import InduceSettings, TissueSettings
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.tissue.restitution import restitution
from cardiotwin.tissue.tissue import Velocities

APD_MS, REST_MS = 120.0, 20.0


def recovery(n_nodes, duration_ms=APD_MS, held_back=1.0):
    """Tissue whose action potential and velocity do not depend on what was before."""
    flat = np.zeros((1, 10))
    kind = np.zeros(n_nodes, np.uint8)
    return Recovery(np.full(n_nodes, duration_ms), kind, np.array([REST_MS]), flat, flat + 1.0, 2.0, held_back)


def solver(heart, velocities, **changes):
    return FrontSolver(heart, velocities, TissueSettings(), recovery(len(heart.mesh.points), **changes))


def with_core(heart, scar):
    return dataclasses.replace(heart, tissue_class=np.where(scar, CORE, heart.tissue_class).astype(np.uint8))


def test_the_first_front_arrives_when_the_eikonal_equation_says():
    heart, velocities = block_heart((4, 12, 12), 1.5, fibre=(0.0, 1.0, 1.0)), Velocities(0.6, 0.25, 1.2)
    seen, _ = solver(heart, velocities).run(Protocol((Stimulus(np.array([0]), 0.0),), 200.0))
    conductor = prepare(heart, TissueSettings())
    # Both from the same nodes at the same times, so that neither has the straight ways around a site for itself.
    exact = solve(conductor, [velocities], np.array([[0]]), np.zeros((1, 1)))[0]
    late = seen.activation_ms[0] - exact
    assert np.abs(late).max() < 0.1 * exact.max()
    assert np.median(np.abs(late)) < 0.03 * exact.max()


def test_tissue_is_excited_again_when_it_has_recovered_and_not_before():
    heart = block_heart((1, 1, 30), 1.0)
    site = np.flatnonzero(heart.mesh.points[:, 2] < 0.5)
    one = solver(heart, Velocities(0.5, 0.5))
    for coupling, beats in ((APD_MS + REST_MS - 1.0, 1), (APD_MS + REST_MS + 1.0, 2)):
        seen, _ = one.run(Protocol((Stimulus(site, 0.0), Stimulus(site, coupling)), 500.0))
        assert np.isfinite(seen.activation_ms).all(axis=1).sum() == beats


@pytest.mark.parametrize(("held_back", "steepest"), [(1.0, 2.0), (2.0, 4.0)])
def test_a_front_follows_recovering_tissue_up_to_a_gradient_whatever_the_edges(held_back, steepest):
    """At 0.5 m/s it needs 2 ms/mm; held back to half of that, 4; zigzag, up to 1.7 times as much."""
    for edge in (1.0, 0.5):
        heart = block_heart((1, 1, round(40 / edge)), edge)
        z = heart.mesh.points[:, 2]
        for gradient, passes in ((0.8 * steepest, True), (2.0 * steepest, False)):
            ever_longer = recovery(len(z), held_back=held_back)._replace(
                duration_ms=APD_MS + np.clip(z - 10.0, 0.0, 20.0) * max(gradient - 2.0, 0.0)
            )
            one = FrontSolver(heart, Velocities(0.5, 0.5), TissueSettings(), ever_longer)
            site = np.flatnonzero(z < 0.1)
            early = Stimulus(site, APD_MS + REST_MS + 0.5)
            seen, _ = one.run(Protocol((Stimulus(site, 0.0), early), 600.0))
            assert bool(np.isfinite(seen.activation_ms[-1, z > 39.0]).all() and len(seen.activation_ms) == 2) is passes


def test_a_run_goes_on_from_its_state_as_if_it_had_not_stopped():
    heart = block_heart((2, 10, 10), 1.5)
    one, stimuli = solver(heart, Velocities(0.6, 0.3)), (Stimulus(np.array([0]), 0.0), Stimulus(np.array([0]), 150.0))
    whole, _ = one.run(Protocol(stimuli, 400.0))
    first, state = one.run(Protocol(stimuli[:1], 20.0), stop_when_quiet=False)
    for _ in range(2):  # a state may be gone on from any number of times
        rest, _ = one.run(Protocol(stimuli[1:], 400.0), state)
        np.testing.assert_array_equal(rest.activation_ms, whole.activation_ms)
    assert np.nanmax(first.activation_ms) <= 20.0


def frame(channel_mm=0.0):
    """A sheet with a square hole, or with two and a slow channel between them."""
    heart = block_heart((1, 40, 52), 1.5)
    away = heart.mesh.centroids - [0.75, 30.0, 39.0]
    y, z = np.abs(away[:, 1:]).T
    middle = (y < 15.0) & (z < 18.0)
    slow = middle & (z < 0.5 * channel_mm)
    heart = with_core(heart, middle & ~slow)
    return dataclasses.replace(heart, tissue_class=np.where(slow, BORDER_ZONE, heart.tissue_class).astype(np.uint8))


def test_a_front_that_is_blocked_on_one_side_runs_around_the_hole():
    heart = frame()
    y, z = (heart.mesh.points - [0.75, 30.0, 39.0])[:, 1:].T
    one = solver(heart, Velocities(0.3, 0.3))
    tissue = neighbours(heart.mesh.points, heart.mesh.tets[conducting_tets(heart)])
    site = np.flatnonzero((np.abs(y + 18.0) < 2.0) & (np.abs(z) < 2.0))
    _, rest = one.run(Protocol((), 1.0), stop_when_quiet=False)
    rest.waves.excitable_ms[(y < -14.0) & (z > 2.0) & (z < 6.0)] = 60.0
    seen, _ = one.run(Protocol((Stimulus(site, 1.0),), 1500.0), rest)
    (found,) = find_circuits(seen.activation_ms, tissue, 1.0)
    # Around the hole itself: 2 x (30 + 36) mm at 0.3 mm/ms.
    assert found.cycle_length_ms == pytest.approx(132.0 / 0.3, rel=0.05)


def test_the_narrow_place_is_in_the_channel():
    heart = frame(channel_mm=6.0)
    tissue = neighbours(heart.mesh.points, heart.mesh.tets[conducting_tets(heart)])
    site = int(np.argmin(np.linalg.norm(heart.mesh.points - [0.0, 5.0, 39.0], axis=1)))
    times = solve(prepare(heart, TissueSettings()), [Velocities(0.3, 0.3)], np.array([[site]]), np.zeros((1, 1)))[0]
    places = narrow_places(np.where(np.isfinite(times), times, np.nan), tissue)
    assert places
    y, z = np.abs(heart.mesh.points[places[0]] - [0.0, 30.0, 39.0])[:, 1:].T
    assert y.max() <= 16.5
    assert z.max() <= 3.0


def screened(heart, duration_ms):
    tissue = neighbours(heart.mesh.points, heart.mesh.tets[conducting_tets(heart)])
    site = int(np.argmin(np.linalg.norm(heart.mesh.points - [0.0, 5.0, 39.0], axis=1)))
    one = solver(heart, Velocities(0.3, 0.3), duration_ms=duration_ms)
    protocol = InduceSettings(s1_beats=2, s1_cycle_length_ms=700.0, s2_last_ms=100.0, extra_stimuli=1)
    return Screener(protocol, one, tissue, Electrode.at(site, tissue, 3.0)).paced()


def test_where_a_block_is_assumed_the_wave_turns_if_tissue_recovers_within_the_round_trip():
    """Around one half, 66 mm at 0.3 m/s, and back through the channel, 30 mm at half of that: 420 ms."""
    heart = frame(channel_mm=6.0)
    found = screened(heart, 150.0)
    assert found.outcome == ASSUMED
    assert found.circuit.cycle_length_ms == pytest.approx(420.0, rel=0.1)
    open_ = conducting_tets(heart)
    assert still_turns(found.circuit, neighbours(heart.mesh.points, heart.mesh.tets[open_]))
    closed = open_ & (heart.tissue_class != BORDER_ZONE)
    assert not still_turns(found.circuit, neighbours(heart.mesh.points, heart.mesh.tets[closed]))
    assert screened(heart, 600.0).circuit is None


def test_without_a_way_between_obstacles_no_block_is_assumed():
    heart = block_heart((1, 40, 40), 1.5)
    assert screened(heart, 150.0).outcome == "not inducible"


@pytest.fixture(scope="module")
def wall():
    heart = block_heart((2, 20, 20), 1.5)
    return dataclasses.replace(heart, apicobasal=heart.mesh.points[:, 2] / heart.mesh.points[:, 2].max())


def test_a_healthy_wall_is_screened_out_and_not_paced(wall):
    found = screen(wall, wall, ENSEMBLE, PROTOCOL, TISSUE)
    assert {one.outcome for one in found.inductions} == {"not inducible"}
    paced = induce(wall, ENSEMBLE, PROTOCOL, TISSUE, screened=found)
    assert {one.outcome for one in paced.inductions} == {SCREENED_OUT}
    agreed = screen_agreement(found, paced)
    assert (agreed.both, agreed.neither, agreed.not_paced) == (0, 0, 4)


def test_what_screen_and_pacing_found_is_counted_place_by_place(wall):
    found = screen(wall, wall, ENSEMBLE, PROTOCOL, TISSUE)
    circuit = dataclasses.make_dataclass("Circuit", ["isthmus_mm", "cycle_length_ms"])
    here, there = circuit(np.zeros(3), 300.0), circuit(np.array([3.0, 4.0, 0.0]), 400.0)
    a, b, c, d = found.inductions

    def arrhythmias(one, *inducible):
        ones = tuple(dataclasses.replace(x, circuit=0 if x in inducible else None) for x in (a, b, c, d))
        return dataclasses.replace(found, circuits=(one,), inductions=ones)

    agreed = screen_agreement(arrhythmias(here, a, b), arrhythmias(there, a, c))
    assert (agreed.both, agreed.only_screen, agreed.only_monodomain, agreed.neither) == (1, 1, 1, 1)
    assert (agreed.apart_mm, agreed.cycle_ratio) == (5.0, 0.75)
    more = screen_agreement(arrhythmias(here, a, b, c), arrhythmias(there, a))
    assert (more.both, more.only_screen, more.only_monodomain, more.neither) == (1, 2, 0, 1)


def test_restitution_of_a_bar_falls_as_the_interval_does_and_ends_where_no_front_runs():
    front = {"tau_in": 0.6, "tau_out": 12.0, "tau_close": 100.0}
    found = restitution("mitchell_schaeffer", front, 0.3, 1.0, 0.1, 500.0)
    assert (np.diff(found.interval_ms) >= 0).all()
    assert found.duration_ms[0] < found.duration_ms[-1]
    assert found.velocity[0] < found.velocity[-1]
    assert found.velocity[-1] == pytest.approx(1.0, abs=0.02)
