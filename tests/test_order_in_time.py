"""The time step: second order by default, first order on request, one limit for both."""

import numpy as np
import pytest
from medium_blocks import single_cell

from cardiotwin.meshes.reference.slab import box
from cardiotwin.monodomain import Medium, Protocol, Solver, Stimulus

STEPS_MS = np.array([0.08, 0.04, 0.02, 0.01])


def strip(model):
    """20 mm of tissue, one unknown across."""
    mesh = box((20.0, 0.25, 0.25), (80, 1, 1))
    same = np.arange(len(mesh.points)) // 4 * 4
    return Medium(mesh.points, mesh.tets, np.tile(0.1 * np.eye(3), (len(mesh.tets), 1, 1)), model, {}, same)


def arrival_ms(model, dt_ms, order):
    """At the far end of the strip."""
    medium = strip(model)
    x = medium.points[:, 0]
    solver = Solver(medium, dt_ms, precision="double", tolerance_mv=0.0, order=order, threads=1)
    stimulus = Stimulus(np.flatnonzero(x < 1.0), 0.0, 1.6, 50.0)
    return float(solver.run(Protocol((stimulus,), 80.0))[0].activation_ms[0, np.argmax(x)])


@pytest.mark.parametrize("model", ["mitchell_schaeffer", "ten_tusscher_2006"])
def test_a_wave_arrives_with_an_error_of_the_order_of_the_scheme(model):
    """Forward Euler, extrapolated to no step at all, and the default find the same arrival."""
    first, second = (np.array([arrival_ms(model, dt, order) for dt in STEPS_MS]) for order in (1, 2))
    limit = (8.0 * first[-1] - 6.0 * first[-2] + first[-3]) / 3.0
    assert abs(second[-1] - limit) < 0.03 * abs(first[-1] - limit)
    orders = [
        np.polyfit(np.log(STEPS_MS[:-1]), np.log(np.abs(times[:-1] - second[-1])), 1)[0] for times in (first, second)
    ]
    assert orders == pytest.approx([1.0, 2.0], abs=0.3), f"first {first}, second {second}"


def repolarisation_ms(dt_ms, order):
    solver = Solver(single_cell("ten_tusscher_2006"), dt_ms, precision="double", tolerance_mv=0.0, order=order)
    stimulus = Stimulus(np.arange(4), 10.0, 2.0, 25.0)
    return float(solver.run(Protocol((stimulus,), 400.0))[0].repolarisation_ms[0, 0])


def test_a_beat_ends_when_it_does_with_far_smaller_steps():
    fine = repolarisation_ms(0.0025, 1)
    assert repolarisation_ms(0.04, 2) == pytest.approx(fine, abs=0.05)
