"""Cells that are evaluated as needed while diffusion goes on: what the stabilised and the implicit time loop share.

Here the potential of every node takes every step, and a tile that changes little keeps its ionic current from the last
time. It is evaluated again when its potential has moved, or will by the end of this step, by about `tolerance_mv`, or
when the longest step of its model is over: then for the whole time since, in one step of second order as in
`cardiotwin.kernels.monodomain`, at the potential in the middle of that time. What flowed with the old current is made
good in the last step, so no charge is lost. Nobody has to wake a tile: its front comes to it by diffusion. With a
tolerance of 0 every tile is evaluated in every step.
"""

from __future__ import annotations

from functools import cache

from numba import njit

from cardiotwin.kernels.ionic import cell_model, width
from cardiotwin.kernels.lanes import LANES, anywhere, differ_anywhere, fma, largest, tile
from cardiotwin.kernels.monodomain import REARMED_MV, planned, record
from cardiotwin.kernels.specialise import BARE, INLINED, specialise

# Bound anew for each cell model, see `flow_kernel`.
STATES = 0
gates = ionic_current = react_tile = None


def _flow(t, step, dt_ms, stimulus, stimulated, cells, reached, taken, due, kept, since, failed):
    """What charges the 16 nodes of tile t in a step besides diffusion, mV/ms: the ionic current, evaluated or kept."""
    if due[t] <= step or stimulated[t]:
        n_steps = step + 1 - reached[t]
        ionic, fault = react_tile(t, dt_ms, n_steps, taken[t], cells, kept, since)
        reached[t], taken[t] = step + 1, n_steps
        if fault != 0.0:
            failed[0] = step + 1
        return tile(stimulus, t)[0] - ionic
    if reached[t] == step:  # the first step in which it keeps its current: from here on it is seen how far it moves
        tile(since, t)[0] = tile(cells, t)[0]
    return -tile(kept, t)[0]


def _react_tile(t, dt_ms, n_steps, taken, cells, kept, since):
    """Gates and ionic current of the 16 nodes of tile t for the last ``n_steps`` steps, this one included.

    The time before was one of ``taken`` steps.

    Returns the current of this step, I_ion over C_m, mV/ms, with what the kept one left out, and 0, or NaN when it or a
    state variable is not finite; then that node's potential is not either, before diffusion spreads it.
    """
    cell = tile(cells, t)
    now, start = cell[0], tile(since, t)[0]
    if n_steps > 1:  # the time began with `start`, and its middle is past
        between, halfway = start, start + (now - start) * (0.5 * n_steps / (n_steps - 1))
    else:  # it begins now; `start` is where the one before began
        between, halfway = now, now + (now - start) * (0.5 / max(taken, 1))
    gates(cell, 0, between, dt_ms * 0.5 * (taken + n_steps))
    current = ionic_current(cell, 0, halfway, dt_ms * n_steps)
    made_good = current + (n_steps - 1) * (current - tile(kept, t)[0])
    tile(kept, t)[0], tile(since, t)[0] = current, between
    fault = current * 0.0
    for row in range(0, STATES, LANES):
        fault = fma(cell[row], 0.0, fault)
    cell[0] = now + fault
    return made_good, largest(abs(fault))


@njit(**INLINED)
def settle_tile(
    t, step, dt_ms, before_row, after, cells, since, reached, taken, due, longest, longest_at_rest, tolerance_mv,
    repolarised_mv, beats, phase, activation_ms, repolarisation_ms,
):  # fmt: skip
    """Take over the potential after a step, note what it crossed, and settle when tile t is evaluated next.

    Returns the largest change of potential, mV; NaN when it is not finite.
    """
    cell = tile(cells, t)
    before = cell[0]
    cell[before_row], cell[0] = before, after
    if (
        differ_anywhere(before < 0.0, after < 0.0)
        or differ_anywhere(before < REARMED_MV, after < REARMED_MV)
        or differ_anywhere(before < repolarised_mv, after < repolarised_mv)
    ):
        record(
            t, step, 1, dt_ms, cells, before_row, repolarised_mv, beats, phase, activation_ms, repolarisation_ms
        )  # fmt: skip
    change_mv, moved_mv = largest(abs(after - before)), largest(abs(after - tile(since, t)[0]))
    if reached[t] == step + 1:
        most = longest if anywhere(after >= repolarised_mv) else longest_at_rest
        due[t] = step + planned(step, moved_mv / taken[t], most, tolerance_mv)
    elif moved_mv + change_mv >= tolerance_mv:
        due[t] = step + 1
    return change_mv


@cache
def flow_kernel(model: str):
    """`_flow` of a cell model, to be inlined."""
    cell = cell_model(model)
    membrane = {part: specialise(getattr(cell, part), model, inline=True) for part in ("gates", "ionic_current")}
    react = specialise(_react_tile, model, inline=True, STATES=LANES * len(cell.STATE), **membrane)
    return specialise(_flow, model, inline=True, react_tile=react)


def before_row(model: str) -> int:
    """Where a tile of a cell model keeps the potential before the last step."""
    return LANES * (width(cell_model(model)) - 2)


@njit(cache=True, **BARE)
def summed(numbers, k):
    """Sum of column k of (n_tiles, n) float64, in order: the same for any number of threads."""
    total = 0.0
    for t in range(numbers.shape[0]):
        total += numbers[t, k]
    return total
