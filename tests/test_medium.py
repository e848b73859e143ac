"""What cannot be a tissue or a stimulus is refused by name, before the first step."""

from dataclasses import replace

import numpy as np
import pytest
from medium_blocks import block

from cardiotwin.errors import InputRejected
from cardiotwin.monodomain import Protocol, Solver, Stimulus

TISSUE = block((6.0, 2.0, 2.0), 1.0, "ten_tusscher_2006")
NODES = np.arange(9)


def with_one(array, value):
    changed = np.array(array)
    changed[3].flat[0] = value
    return changed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sigma": TISSUE.sigma[:10]}, r"sigma: found shape \(10, 3, 3\), expected"),
        ({"sigma": TISSUE.sigma[0]}, "sigma: found shape"),
        ({"sigma": with_one(TISSUE.sigma, np.nan)}, "sigma: row 3 is not finite, and 0 more"),
        ({"sigma": 0.0 * TISSUE.sigma}, "no symmetric positive conductivity"),
        ({"sigma": -TISSUE.sigma}, "no symmetric positive conductivity"),
        ({"sigma": with_one(TISSUE.sigma, -0.1)}, "tetrahedron 3 and 0 more"),
        ({"sigma": TISSUE.sigma + np.eye(3)[[1, 2, 0]]}, "no symmetric"),
        ({"points": with_one(TISSUE.points, np.nan)}, "points: row 3"),
        ({"tets": TISSUE.tets + 40}, "name nodes 40 to"),
        ({"capacity": 0.0}, "expected chi C_m"),
        ({"faces": TISSUE.tets[:2, :3]}, r"conductance: found shape \(0,\), expected \(2,\)"),
        ({"faces": TISSUE.tets[:1, :3] + 400, "conductance": np.ones(1)}, "belong to no tetrahedron"),
        ({"faces": TISSUE.tets[:1, :3], "conductance": -np.ones(1)}, "conductance: found negative numbers"),
        ({"faces": TISSUE.tets[:1, :3], "conductance": np.full(1, np.nan)}, "conductance: found negative numbers"),
        ({"parameters": {"GNa": 0.0}}, "has no 'GNa', but g_Na"),
        ({"parameters": {"g_Na": np.ones(5)}}, "g_Na must be a number"),
        ({"parameters": {"g_Na": "14"}}, "g_Na must be a number"),
        ({"initial": {"voltage": -60.0}}, "has no 'voltage', but V"),
        ({"cell_model": "ten_tuscher_2006"}, "there is none of that name"),
    ],
)
def test_a_medium_that_cannot_be_is_refused(change, says):
    with pytest.raises(InputRejected, match=says):
        Solver(replace(TISSUE, **change), 0.02)


def test_a_conductivity_along_one_direction_only_is_one():
    along = np.broadcast_to(np.diag([0.2, 0.0, 0.0]), TISSUE.sigma.shape)
    turned = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    Solver(replace(TISSUE, sigma=turned @ along @ turned.T), 0.02)


@pytest.mark.parametrize(
    ("stimulus", "says"),
    [
        (Stimulus(TISSUE.points[:, 0] < 1.5, 0.0), "flatnonzero"),
        (Stimulus(NODES + 0.5, 0.0), "expected numbers of nodes"),
        (Stimulus(NODES, -10.0), "expected a start from 0 on"),
        (Stimulus(NODES, np.nan), "expected numbers"),
        (Stimulus(NODES, 0.0, -5.0), "and a duration"),
        (Stimulus(NODES, 0.0, 2.0, np.nan), "with nan mV/ms"),
    ],
)
def test_a_stimulus_that_cannot_be_is_refused(stimulus, says):
    with pytest.raises(InputRejected, match=says):
        Solver(TISSUE, 0.02).run(Protocol((stimulus,), 5.0))


@pytest.mark.parametrize("duration_ms", [-5.0, np.nan, np.inf])
def test_a_protocol_lasts_for_some_time(duration_ms):
    with pytest.raises(InputRejected, match="protocol: lasts"):
        Solver(TISSUE, 0.02).run(Protocol((), duration_ms))
