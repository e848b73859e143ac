"""The monodomain time loop with implicit diffusion, by conjugate gradients.

One step: the potential is extrapolated by its last change, ``x = 2 V_n - V_{n-1}``, and what an explicit step of second
order finds instead, ``y = V_n + dt (A (3 V_n - V_{n-1})/2 + f)``, corrects it as far as diffusion lets it,

    V_{n+1} = x + (I - θ dt A)⁻¹ (y - x).

With θ = 1/2 this is Crank and Nicolson's step, which leaves the fastest modes as they are but for the sign. With θ =
9/16 it is the modified one of Ascher, Ruuth and Wetton 1995 (MCNAB, doi 10.1137/0732037), of second order and stable
for any dt too, which leaves a third of them. f is the ionic current of the middle of the step, see
`cardiotwin.kernels.kept`. Multiplied by the lumped masses the matrix is symmetric and positive.

Conjugate gradients as Chronopoulos and Gear 1989 arrange them (doi 10.1016/0377-0427(89)90045-9), with Jacobi's
preconditioner: an iteration reads the matrix once and sums over the tissue once, in two passes over the tiles. The sums
are taken in the order of the tiles: the same bits for any number of threads. Iterations end by the largest residual,
which bounds the largest error where all couplings are positive: then no entry of the inverse is negative, and its rows
add up to 1.

Crank and Nicolson's step errs by a tenth less on a wave of ten Tusscher-Panfilov at 0.05 mm (0.061 and 0.068 ms at dt
0.05), with no ringing to be seen; but next to a sliver it would leave a mode of noise as large as it was.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from cardiotwin.kernels.kept import before_row, flow_kernel, settle_tile, summed
from cardiotwin.kernels.lanes import LANES, largest, tile, total
from cardiotwin.kernels.monodomain import BLOCK, RUNAWAY_MV, neighbour_sum, tiles_of
from cardiotwin.kernels.specialise import BARE, INLINED, specialise

# Bound anew for each cell model, see `advance_kernel`.
BEFORE = 0
flow_of = solve = None

THETA = 9 / 16
"""How much of a step's diffusion is taken at its end."""


class ImplicitPlan(NamedTuple):
    """Constant during a run.

    Attributes
    ----------
    dt_ms, longest, longest_at_rest, tolerance_mv, repolarised_mv
        As in `cardiotwin.kernels.monodomain.Plan`.
    implicit_ms : float
        θ dt.
    residual_mv : float
        Largest residual at which iterations end.
    most : int
        Iterations, before the run is given up.
    inverse_diagonal : (n_tiles, 16) float
        Of I - θ dt A.
    mass : (n_tiles, 16) float
        Of each node, in any unit; not 0 where there is none.
    """

    dt_ms: float
    longest: int
    longest_at_rest: int
    tolerance_mv: float
    repolarised_mv: float
    implicit_ms: float
    residual_mv: float
    most: int
    inverse_diagonal: np.ndarray
    mass: np.ndarray


class Scratch(NamedTuple):
    """Room for the iterations.

    Attributes
    ----------
    vectors : (6, n_tiles, 16) float
        Solution, residual, the same scaled by the diagonal, its image, direction, the image of that.
    part : (n_tiles, 3) float64
        Shares of two scalar products, the largest residual.
    iterations : (1,) int64
        Of all steps so far.
    """

    vectors: np.ndarray
    part: np.ndarray
    iterations: np.ndarray


def scratch(plan: ImplicitPlan, n_tiles: int, real: type) -> Scratch:
    """For a run of so many tiles."""
    return Scratch(np.zeros((6, n_tiles, LANES), real), np.zeros((n_tiles, 3)), np.zeros(1, np.int64))


@njit(**INLINED)
def update(t, alpha, beta, inverse_diagonal, solution, residual, scaled, product, direction, image, part):
    """Second half of an iteration in tile t; the largest residual goes to ``part``."""
    along = tile(scaled, t)[0] + beta * tile(direction, t)[0]
    there = tile(product, t)[0] + beta * tile(image, t)[0]
    left = tile(residual, t)[0] - alpha * there
    tile(direction, t)[0], tile(image, t)[0], tile(residual, t)[0] = along, there, left
    tile(solution, t)[0] = tile(solution, t)[0] + alpha * along
    tile(scaled, t)[0] = left * tile(inverse_diagonal, t)[0]
    part[t, 2] = largest(abs(left))


@njit(**INLINED)
def multiply(t, implicit_ms, mass, residual, scaled, product, start, column, coefficient, part):
    """First half of an iteration in tile t: the matrix times ``scaled``, and its share of two scalar products."""
    here = tile(scaled, t)[0]
    image = here - implicit_ms * neighbour_sum(scaled, t, start, column, coefficient)
    tile(product, t)[0] = image
    weighed = here * tile(mass, t)[0]
    part[t, 0] = total(weighed * tile(residual, t)[0])
    part[t, 1] = total(weighed * image)


@njit(cache=True, **BARE)
def worst(part):
    """Largest of the tiles' largest residuals; NaN when one is."""
    most = 0.0
    for t in range(part.shape[0]):
        if not part[t, 2] <= most:
            most = part[t, 2]
            if most != most:
                break
    return most


def _solve(implicit_ms, residual_mv, most, inverse_diagonal, mass, start, column, coefficient, vectors, part):
    """Solve (I - θ dt A) x = r by conjugate gradients.

    Parameters
    ----------
    implicit_ms, residual_mv, most, inverse_diagonal, mass
        As in `ImplicitPlan`.
    start, column, coefficient
        As in `Operator`.
    vectors, part
        As in `Scratch`: x is 0, the residual r; overwritten.

    Returns
    -------
    int
        Iterations it took, or -1 when they were not enough.
    """
    solution, residual, scaled, product, direction, image = (
        vectors[0],
        vectors[1],
        vectors[2],
        vectors[3],
        vectors[4],
        vectors[5],
    )
    alpha, beta, last_square, iteration = 1.0, 0.0, 1.0, 0
    # Once at least: tissue that changes by less than this a step would go on as before, whatever its currents say.
    while iteration == 0 or worst(part) > residual_mv:
        if iteration == most:
            return -1
        for t in prange(mass.shape[0]):
            multiply(t, implicit_ms, mass, residual, scaled, product, start, column, coefficient, part)
        square, length = summed(part, 0), summed(part, 1)
        if square == 0.0:  # nothing is left, as in tissue that rests exactly
            return iteration
        beta = square / last_square if iteration else 0.0
        alpha = square / (length - beta * square / alpha)
        last_square = square
        for t in prange(mass.shape[0]):
            update(
                t, alpha, beta, inverse_diagonal, solution, residual, scaled, product, direction, image, part
            )  # fmt: skip
        iteration += 1
    return iteration


@cache
def solve_kernel(parallel: bool):
    """`_solve`, compiled."""
    return specialise(_solve, "any", parallel=parallel)


def _advance(first, last, tiles, operator, plan, n_shares, stimulus, stimulated, scratch, failed):
    """Run steps first to last - 1; parameters as in `cardiotwin.kernels.monodomain`, but for

    plan : ImplicitPlan
    scratch : Scratch
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
    inverse_diagonal, vectors, part = plan.inverse_diagonal, scratch.vectors, scratch.part
    solution, residual, scaled, direction, image = vectors[0], vectors[1], vectors[2], vectors[4], vectors[5]
    for step in range(first, last):
        v, new_v = tiles.v[step % 2], tiles.v[(step + 1) % 2]
        for share in prange(n_shares):
            for b in range(share, -(-cells.shape[0] // BLOCK), n_shares):
                for t in tiles_of(b, cells.shape[0]):
                    flow = flow_of(
                        t, step, dt_ms, stimulus, stimulated, cells, reached, taken, due, kept, since, failed
                    )
                    last_change = tile(cells, t)[0] - tile(cells, t)[BEFORE]
                    left = dt_ms * (neighbour_sum(v, t, start, column, coefficient) + flow) - last_change
                    tile(residual, t)[0] = left
                    tile(scaled, t)[0] = left * tile(inverse_diagonal, t)[0]
                    nothing = left * 0.0
                    tile(solution, t)[0], tile(direction, t)[0], tile(image, t)[0] = nothing, nothing, nothing
                    part[t, 2] = largest(abs(left))
        if failed[0] >= 0:
            break
        iterations = solve(
            plan.implicit_ms, plan.residual_mv, plan.most, inverse_diagonal, plan.mass, start, column, coefficient,
            vectors, part,
        )  # fmt: skip
        if iterations < 0:
            failed[0] = step + 1
        scratch.iterations[0] += max(iterations, 0)
        for t in prange(cells.shape[0]):
            now = tile(cells, t)[0]
            after = now + (now - tile(cells, t)[BEFORE] + tile(solution, t)[0])
            tile(new_v, t)[0] = after + 0.5 * (after - now)
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
    bound = {"flow_of": flow_kernel(model), "solve": solve_kernel(parallel), "BEFORE": before_row(model)}
    return specialise(_advance, model, parallel=parallel, **bound)
