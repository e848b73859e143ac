"""A run says what it needs before it takes it."""

import tracemalloc

import numpy as np
import pytest
from medium_blocks import block, left_end

from cardiotwin import memory
from cardiotwin.errors import ResourceLimit
from cardiotwin.kernels.ionic import cell_model, width
from cardiotwin.meshes.reference.slab import lattice_bar
from cardiotwin.monodomain import Protocol, Solver, Stimulus
from cardiotwin.solver import solver as solver_module
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.solver import bytes_needed

MODEL = "ten_tusscher_2006"
MEDIUM = block((24.0, 24.0, 24.0), 1.0, MODEL)
PROTOCOL = Protocol((Stimulus(left_end(MEDIUM), 0.0),), 2.0)


def peak_bytes(work):
    """Most that arrays took while it ran, and what it returned."""
    tracemalloc.start()
    result = work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, result


@pytest.mark.parametrize("precision", ["single", "double"])
def test_what_a_simulation_needs_is_estimated_from_above_and_not_wildly(precision):
    Solver(MEDIUM, 0.02, precision=precision).run(PROTOCOL, stop_when_quiet=False)  # compiled
    assembling, solver = peak_bytes(lambda: Solver(MEDIUM, 0.02, precision=precision))
    state = solver.run(PROTOCOL, stop_when_quiet=False)[1]
    later = Protocol(PROTOCOL.stimuli, 4.0)
    running, _ = peak_bytes(lambda: solver.run(later, state, stop_when_quiet=False))
    n_nodes, real = solver.n_unknowns, np.float32 if precision == "single" else np.float64
    estimate = bytes_needed(n_nodes, len(MEDIUM.tets), width(cell_model(MODEL)), real, 16)
    assert estimate > assembling
    assert estimate > running
    assert estimate < 1.5 * max(assembling, running)


def test_a_run_in_single_precision_takes_at_most_400_bytes_a_node():
    """Besides the mesh: the diffusion, the state of the cells and a beat's times."""
    Solver(MEDIUM, 0.02, n_beats=1).run(PROTOCOL, stop_when_quiet=False)
    tracemalloc.start()
    solver = Solver(MEDIUM, 0.02, n_beats=1)
    tracemalloc.reset_peak()
    solver.run(PROTOCOL, stop_when_quiet=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * solver.n_unknowns, f"{peak / solver.n_unknowns:.0f} bytes a node"


def test_more_than_there_is_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000_000)
    with pytest.raises(ResourceLimit) as caught:
        Solver(MEDIUM, 0.02)
    said = str(caught.value)
    assert said.startswith(f"simulation of 15625 nodes and {len(MEDIUM.tets)} tetrahedra: needs about ")
    assert "mesh.edge_mm" in said
    assert "\n" not in said
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000_000_000)
    Solver(MEDIUM, 0.02)


def test_it_is_refused_before_the_nodes_are_ordered(monkeypatch):
    """Ordering them takes time and memory too: a mesh that does not fit is not ordered first."""
    monkeypatch.setattr(solver_module, "_places", lambda _: pytest.fail("ordered"))
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000_000)
    with pytest.raises(ResourceLimit):
        Solver(MEDIUM, 0.02)


def test_what_is_counted_is_what_is_ordered():
    """Also where some points conduct nothing and others are one and the same."""
    bar = lattice_bar(8, 1.0)
    points = np.concatenate([bar.points, np.full((3, 3), 99.0)])
    same = np.append(bar.same_as, len(bar.points) + np.arange(3))
    medium = Medium(points, bar.tets, np.tile(0.1 * np.eye(3), (len(bar.tets), 1, 1)), "mitchell_schaeffer", {}, same)
    assert Solver(medium, 0.1).n_unknowns == solver_module._places(medium).max() + 1 < len(points)


def test_snapshots_are_counted_before_the_run(monkeypatch):
    """One each 0.02 ms over 1 s: 50,000 of 63 kB, twice while they become one array."""
    solver = Solver(MEDIUM, 0.02)
    monkeypatch.setattr(memory, "available_bytes", lambda: 5_000_000_000)
    with pytest.raises(ResourceLimit) as caught:
        solver.run(Protocol(PROTOCOL.stimuli, 1000.0), snapshot_every_ms=0.02)
    assert str(caught.value).startswith("50001 snapshots of 15625 nodes: needs about 6.3 GB")


def test_snapshots_take_no_more_than_was_counted(monkeypatch):
    asked = []
    monkeypatch.setattr(solver_module, "require", lambda n_bytes, *_: asked.append(n_bytes))
    solver = Solver(MEDIUM, 0.02, n_beats=1)
    few, many = (
        peak_bytes(lambda every=every: solver.run(PROTOCOL, snapshot_every_ms=every, stop_when_quiet=False))[0]
        for every in (2.0, 0.02)
    )
    assert 0.7 * asked[-1] < many - few < asked[-1]
