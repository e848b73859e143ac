"""The velocity that was asked for is the one a wave has."""

import numpy as np
import pytest

from cardiotwin.errors import QualityGate
from cardiotwin.kernels.ionic.ten_tusscher_2006 import AUTHORS_STATE
from cardiotwin.meshes.mesh import signed_volumes
from cardiotwin.meshes.reference.slab import lattice_block
from cardiotwin.monodomain import Medium, Protocol, Stimulus, simulate
from cardiotwin.tissue import tunings, velocity
from cardiotwin.tissue.velocity import plane_wave_velocity, tune
from cardiotwin.units import C_M_UF_PER_MM2, CHI_PER_MM

MS = "mitchell_schaeffer"


@pytest.mark.parametrize("wanted", [0.15, 0.3, 0.6, 1.5])
def test_a_tuned_wave_has_its_velocity(wanted):
    parameters = {"tau_in": 0.7, "tau_out": 14.0}
    sigma, error = tune(wanted, MS, parameters, 1.25, 0.1)
    reached = plane_wave_velocity(sigma, MS, parameters, 1.25, 0.1, precision="double", expected=wanted)
    assert abs(error) < 0.005
    assert reached == pytest.approx(wanted, rel=0.01)


def test_a_cable_needs_the_conductivity_that_opencarp_finds():
    """tuneCV: ten Tusscher-Panfilov, dx 0.1 mm, consistent mass, started as the authors do, dt 0.01 ms at first order.

    Of that table 5 % is the time step: with smaller ones both schemes go to 0.1141 mS/mm for 0.6 m/s.
    """
    for wanted, low, high, converged in ((0.6, 0.1195, 0.1200, 0.1141), (0.2, 0.0128, 0.0128, 0.0124)):
        first, second = (
            tune(
                wanted, "ten_tusscher_2006", {}, 0.1, 0.01,
                initial=AUTHORS_STATE, geometry="consistent cable", precision="double", tolerance=0.001, order=order,
            )[0]
            for order in (1, 2)
        )  # fmt: skip
        assert 0.99 * low < first < 1.01 * high
        assert second == pytest.approx(converged, rel=0.01)


def test_velocity_goes_with_the_square_root_of_conductivity_where_the_lattice_is_fine():
    one, two = (plane_wave_velocity(s, MS, {}, 0.1, 0.02, expected=0.5, geometry="cable") for s in (0.1, 0.2))
    assert two / one == pytest.approx(np.sqrt(2.0), rel=0.01)


@pytest.mark.parametrize("v_gate", [0.05, 0.13, 0.2])
def test_a_front_whose_gate_stays_open_has_the_velocity_of_nagumo(v_gate):
    """(1 - 2 v_gate) sqrt(D/(2 tau_in)), exactly; from two spacings, without the square of the spacing."""
    sigma, tau_in = 0.1, 0.6
    open_gate = {"tau_in": tau_in, "tau_out": 1e9, "tau_close": 1e9, "v_gate": v_gate}
    coarse, fine = (
        plane_wave_velocity(
            sigma, "modified_mitchell_schaeffer", open_gate, edge, 0.005, expected=0.2, geometry="cable",
            precision="double",
        )
        for edge in (0.1, 0.05)
    )  # fmt: skip
    exact = (1.0 - 2.0 * v_gate) * np.sqrt(sigma / (CHI_PER_MM * C_M_UF_PER_MM2) / (2.0 * tau_in))
    assert (4.0 * fine - coarse) / 3.0 == pytest.approx(exact, rel=5e-4)


def test_a_velocity_that_the_lattice_skips_is_refused():
    """Ten Tusscher-Panfilov has a steep front: on a lattice of 3 mm it runs, or it stops, but it does not creep."""
    with pytest.raises(QualityGate) as caught:
        tune(0.02, "ten_tusscher_2006", {}, 3.0, 0.05)
    assert "0.02 m/s" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("model", "parameters", "named"), [
    (MS, {"tau_in": 40.0}, "tau_in 40"), ("ten_tusscher_2006", {"g_Na": 0.0}, "g_Na 0"),
])  # fmt: skip
def test_cells_that_conduct_at_no_conductivity_are_refused_soon(monkeypatch, model, parameters, named):
    tried = []
    measured = velocity._plane_wave_velocity
    monkeypatch.setattr(velocity, "_plane_wave_velocity", lambda *a: tried.append(a[0]) or measured(*a))
    with pytest.raises(QualityGate) as caught:
        tune(0.6, model, parameters, 1.25, 0.05)
    assert max(tried) <= 1000 * min(tried)
    said = str(caught.value)
    assert named in said
    assert "not excitable" in said
    assert "nan" not in said
    assert "\n" not in said


@pytest.mark.parametrize(("fibre", "wave", "wanted"), [
    ((1, 0, 0), (1, 0, 0), 0.6), ((1, 0, 0), (0, 1, 0), 0.3), ((1, 1, 0), (1, -1, 0), 0.3), ((1, 1, 1), (1, 1, 1), 0.6),
])  # fmt: skip
def test_waves_in_a_block_of_the_lattice_have_the_velocity_of_the_bar(fibre, wave, wanted):
    """Along and across fibres that lie in the lattice in different ways; 6 % is how much that changes."""
    edge_mm, ratio = 1.25, 0.25
    parameters = {"tau_in": 0.52, "tau_out": 10.4}
    along = tune(0.6, MS, parameters, edge_mm, 0.1, transverse=ratio)[0]
    across = tune(0.3, MS, parameters, edge_mm, 0.1, transverse=0.875 + 0.125 / ratio)[0]
    fibre, wave = (np.array(v) / np.linalg.norm(v) for v in (fibre, wave))
    points, tets = lattice_block((34, 34, 34))
    points = points - 17.0
    x = points @ wave
    radius = np.linalg.norm(points - x[:, None] * wave, axis=1)
    tets = tets[((np.abs(x) < 12) & (radius < 6))[tets].all(axis=1)]
    assert (signed_volumes(points, tets) > 0).all()
    sigma = across * np.eye(3) + (along - across) * np.outer(fibre, fibre)
    medium = Medium(points * edge_mm, tets, np.tile(sigma, (len(tets), 1, 1)), MS, parameters)
    start = Stimulus(np.intersect1d(np.flatnonzero(x < -9), tets), 0.0)
    seen = simulate(medium, Protocol((start,), 150.0), dt_ms=0.1).activation_ms[0]
    timed = (np.abs(x) < 5) & (radius < 2)
    assert edge_mm / np.polyfit(x[timed], seen[timed], 1)[0] == pytest.approx(wanted, rel=0.06)


def test_a_tuning_takes_few_waves_and_a_second_of_the_same_none(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tunings._state.cache_clear()
    runs = []
    measured = velocity._plane_wave_velocity
    monkeypatch.setattr(velocity, "_plane_wave_velocity", lambda *a: runs.append(a) or measured(*a))
    parameters = {"tau_in": 0.41, "tau_out": 8.2}
    tune(0.5, MS, parameters, 1.25, 0.1)
    first = len(runs)
    tune(0.5, MS, parameters, 1.25, 0.1)
    assert 0 < first == len(runs) <= 6
    monkeypatch.undo()
    tunings._state.cache_clear()
