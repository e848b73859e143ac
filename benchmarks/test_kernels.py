"""Kernels under pytest-benchmark, to compare one commit with another on the same machine.

    pytest benchmarks/test_kernels.py --benchmark-autosave
    ... another commit ...
    pytest benchmarks/test_kernels.py --benchmark-compare --benchmark-compare-fail=mean:10%

One thread, compiled beforehand. `monodomain.py` and the other scripts here print the README's figures.
"""

from __future__ import annotations

import numpy as np
import pytest
from monodomain import MODELS, medium

from cardiotwin.kernels.diffusion import operator
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.solver.solver import Solver

STEPS, TISSUE_MS = 50, 10.0


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("model", MODELS)
def test_every_node_in_every_step(benchmark, model, precision):
    """50 steps of a wave in 50,000 nodes; `ns_per_node_step` is in the extra information."""
    dt_ms, sigma = MODELS[model]
    body = medium(model, sigma)
    solver = Solver(body, dt_ms, precision=precision, tolerance_mv=0.0, threads=1)
    stimulus = Stimulus(np.flatnonzero(body.points[:, 0] < 3.0), 0.0)
    _, started = solver.run(Protocol((stimulus,), TISSUE_MS), stop_when_quiet=False)
    onwards = Protocol((), TISSUE_MS + STEPS * dt_ms)
    benchmark.pedantic(solver.run, (onwards, started), {"stop_when_quiet": False}, rounds=5, warmup_rounds=1)
    benchmark.extra_info["ns_per_node_step"] = 1e9 * benchmark.stats["min"] / STEPS / solver.n_unknowns


def test_assembly_of_diffusion(benchmark):
    body = medium("mitchell_schaeffer", 0.13)
    n_nodes = len(body.points)
    benchmark(operator, body.points, body.tets, body.sigma, np.arange(n_nodes), n_nodes, body.capacity, np.float32)
