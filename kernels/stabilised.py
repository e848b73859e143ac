"""The monodomain time loop for diffusion that is too fast for an explicit step: Runge, Kutta and Legendre's.

The second-order method RKL2 of Meyer, Balsara and Aslam 2014 (doi 10.1016/j.jcp.2013.08.021): s stages, each as dear as
an explicit step, bear (s² + s - 2)/4 times what such a step does. Only odd s are used: those damp the fastest mode at
the limit of stability, even ones leave it as it is. A stage is one pass over the tiles, and nothing is summed over the
tissue. The ionic current is that of the middle of the step and stands still in it, see `cardiotwin.kernels.kept`; so
order 2 costs one evaluation here too.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from cardiotwin.kernels.kept import before_row, flow_kernel, settle_tile
from cardiotwin.kernels.lanes import LANES, tile
from cardiotwin.kernels.monodomain import BLOCK, RUNAWAY_MV, neighbour_sum, tiles_of
from cardiotwin.kernels.specialise import INLINED, specialise

# Bound anew for each cell model, see `advance_kernel`.
BEFORE = 0
flow_of = None


class StabilisedPlan(NamedTuple):
    """Constant during a run.

    Attributes
    ----------
    dt_ms, longest, longest_at_rest, tolerance_mv, repolarised_mv
        As in `cardiotwin.kernels.monodomain.Plan`.
    weights : (s + 1, 4) float64
        Of stage j: of the stage before, of the one before that, of its rate of change, and of that at the start.
    """

    dt_ms: float
    longest: int
    longest_at_rest: int
    tolerance_mv: float
    repolarised_mv: float
    weights: np.ndarray


def scratch(plan: StabilisedPlan, n_tiles: int, real: type) -> np.ndarray:
    """(2, n_tiles, 16) room for a run: what flows besides diffusion, and the rate of change at the start of a step."""
    return np.zeros((2, n_tiles, LANES), real)


def bears(n_stages: int) -> float:
    """How many times the step of forward Euler the stages bear."""
    return (n_stages**2 + n_stages - 2) / 4


def stages_for(ratio: float) -> int:
    """Fewest stages, odd and 3 at least, for a step of so many times that of forward Euler."""
    n_stages = 3
    while bears(n_stages) < ratio:
        n_stages += 2
    return n_stages


def weights(n_stages: int) -> np.ndarray:
    """``StabilisedPlan.weights`` by the formulae of the paper, with μ, ν, μ~ and γ~ for its columns."""
    j = np.arange(n_stages + 1.0)
    b = np.full(n_stages + 1, 1 / 3)
    b[3:] = (j[3:] ** 2 + j[3:] - 2) / (2 * j[3:] * (j[3:] + 1))
    out = np.zeros((n_stages + 1, 4))
    out[1, 2] = b[1] / bears(n_stages)
    out[2:, 0] = (2 * j[2:] - 1) / j[2:] * b[2:] / b[1:-1]
    out[2:, 1] = -(j[2:] - 1) / j[2:] * b[2:] / b[:-2]
    out[2:, 2] = out[2:, 0] / bears(n_stages)
    out[2:, 3] = -(1.0 - b[1:-1]) * out[2:, 2]
    return out


@njit(**INLINED)
def stage(t, dt_ms, v, older, at_first, flow, rate, mu, nu, mu_rate, gamma_rate, start, column, coefficient):
    """Potential of tile t after a stage, from that of all after the stage before, ``v``, and its own before that.

    Differences are added up, and the potential last: it would be rounded anew by each term.
    """
    change = mu_rate * dt_ms * (neighbour_sum(v, t, start, column, coefficient) + tile(flow, t)[0])
    change = change + gamma_rate * dt_ms * tile(rate, t)[0]
    return at_first + (change + mu * (tile(v, t)[0] - at_first) + nu * (tile(older, t)[0] - at_first))


def _advance(first, last, tiles, operator, plan, n_shares, stimulus, stimulated, scratch, failed):
    """Run steps first to last - 1; parameters as in `cardiotwin.kernels.monodomain`, but for

    plan : StabilisedPlan
    scratch : (2, n_tiles, 16) float
        Overwritten.
    """
    cells, reached, taken, due, kept, since = (
        tiles.cells,
        tiles.reached,
        tiles.taken,
        tiles.due,
        tiles.kept,
        tiles.since,
    )
    beats, phase, activation_ms, repolarisation_ms = (
        tiles.beats,
        tiles.phase,
        tiles.activation_ms,
        tiles.repolarisation_ms,
    )
    start, column, coefficient = operator.start, operator.column, operator.coefficient
    dt_ms, tolerance_mv, repolarised_mv = plan.dt_ms, plan.tolerance_mv, plan.repolarised_mv
    longest, longest_at_rest = plan.longest, plan.longest_at_rest
    weights, flow, rate = plan.weights, scratch[0], scratch[1]
    n_stages = weights.shape[0] - 1
    for step in range(first, last):
        v, new_v = tiles.v[step % 2], tiles.v[(step + 1) % 2]
        for share in prange(n_shares):
            for b in range(share, -(-cells.shape[0] // BLOCK), n_shares):
                for t in tiles_of(b, cells.shape[0]):
                    tile(flow, t)[0] = flow_of(
                        t, step, dt_ms, stimulus, stimulated, cells, reached, taken, due, kept, since, failed
                    )  # fmt: skip
                    tile(rate, t)[0] = neighbour_sum(v, t, start, column, coefficient) + tile(flow, t)[0]
                    tile(new_v, t)[0] = tile(v, t)[0] + weights[1, 2] * dt_ms * tile(rate, t)[0]
        if failed[0] >= 0:
            break
        for j in range(2, n_stages):
            v, new_v = new_v, v
            mu, nu, mu_rate, gamma_rate = weights[j]
            for t in prange(cells.shape[0]):
                tile(new_v, t)[0] = stage(
                    t, dt_ms, v, new_v, tile(cells, t)[0], flow, rate, mu, nu, mu_rate, gamma_rate, start, column,
                    coefficient,
                )  # fmt: skip
        v, new_v = new_v, v
        mu, nu, mu_rate, gamma_rate = weights[n_stages]
        for t in prange(cells.shape[0]):
            after = stage(
                t, dt_ms, v, new_v, tile(cells, t)[0], flow, rate, mu, nu, mu_rate, gamma_rate, start, column,
                coefficient,
            )  # fmt: skip
            tile(new_v, t)[0] = after
            change_mv = settle_tile(
                t, step, dt_ms, BEFORE, after, cells, since, reached, taken, due, longest, longest_at_rest,
                tolerance_mv, repolarised_mv, beats, phase, activation_ms, repolarisation_ms,
            )  # fmt: skip
            if not change_mv < RUNAWAY_MV:
                failed[0] = step + 1
        if failed[0] >= 0:
            break


@cache
def advance_kernel(model: str, parallel: bool):
    """The compiled time loop of a cell model, `_advance`, for either precision."""
    bound = {"flow_of": flow_kernel(model), "BEFORE": before_row(model)}
    return specialise(_advance, model, parallel=parallel, **bound)
