"""Exact solutions: the order is the one the method has, in one, two and three dimensions."""

import numpy as np
import pytest
from medium_blocks import block

from cardiotwin.monodomain import Protocol, Solver
from cardiotwin.verification.exact import observed_order, pathmanathan_gray_error


@pytest.mark.parametrize(("dimension", "sizes"), [(1, [10, 20, 40]), (2, [10, 20, 40]), (3, [10, 20])])
def test_pathmanathan_gray_converges_with_the_square_of_the_mesh_size(dimension, sizes):
    """Pathmanathan and Gray 2014, doi 10.1002/cnm.2615; the time step goes with the square too."""
    errors = [pathmanathan_gray_error(dimension, n) for n in sizes]
    assert 1.8 < observed_order(sizes, errors) < 2.25, f"errors {errors}"
    assert errors[-1] < 0.02


def test_a_cosine_decays_at_the_rate_of_its_wavelength():
    """A sealed bar without reaction: cos(pi x/L) decays with D (pi/L)², D = sigma/(chi C_m), exactly."""
    length, sigma, dt = 8.0, 0.2, 0.01
    medium = block((length, 0.25, 0.25), 0.25, "pathmanathan_gray", sigma=(sigma, 0.7, 0.3))
    solver = Solver(medium, dt, precision="double", tolerance_mv=0.0)
    wave = np.cos(np.pi * medium.points[:, 0] / length)
    # u1 + u3 = V and beta = 0 switch every other term of that model off at the start; u2 = 0 keeps them off.
    state = solver.with_variable(solver.with_variable(solver.rest(), "V", wave), "u2", 0.0 * wave)
    end = solver.run(Protocol((), 20.0), state, stop_when_quiet=False)[1]
    rate = sigma / medium.capacity * (np.pi / length) ** 2
    assert solver.potential(end) == pytest.approx(np.exp(-20.0 * rate) * wave, abs=1e-3)
