"""The monodomain time loop, made for any cell model.

One step of a node, of second order with one evaluation: the gates live between the steps. They take a Rush-Larsen step
from the middle of the last step to the middle of this one, at the potential between, and the potential steps on with
the ionic current and the diffusion at the middle, where it is extrapolated to from its last step. (A one-leg
Adams-Bashforth method; Rush-Larsen gates shifted in time are old, see Rush & Larsen 1978 and Perego & Veneziani 2009.
Concentrations, which are slow, take a forward Euler step.) What neighbours see of each other is the extrapolated
potential. Reaction and diffusion of a tile are computed together, while its numbers are in the cache; what neighbours
shall see goes to a second buffer, so every tile has one owner and the result is the same, to the bit, for any number of
threads.

Most tiles are at rest or on the plateau most of the time. A tile is evaluated when its potential will have moved by
about `tolerance_mv` since the last time, or when a neighbouring tile is in a front; then it takes one longer step.
What its neighbours see is the potential expected in the middle of that step, and long steps are powers of two that
start at their multiples: neighbours that change alike then step together, and see each other's middle. (Where they
step in turn each sees the other ahead of its own middle, and the whole tissue hurries: repolarisation of ten
Tusscher-Panfilov came 0.6 ms early instead of 0.05.) With a tolerance of 0 every tile takes every step.

Extrapolation halves the time step that diffusion bears. Where that is too little, what diffuses is extrapolated less,
down to not at all and first order; tiles whose diffusion is too fast even then (slivers, a fast layer) take it in
several smaller steps. In a long step diffusion counts for no longer than a node bears; where it is more than slight, no
step is longer.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from cardiotwin.kernels.ionic import cell_model, width
from cardiotwin.kernels.lanes import LANES, anywhere, differ_anywhere, fma, gathered, largest, minimum, tile
from cardiotwin.kernels.specialise import BARE, INLINED, specialise

# Bound anew for each cell model, see `advance_kernel`.
BEFORE = LEAK = STATES = 0
gates = ionic_current = advance_tile = step_block = None

REARMED_MV = -40.0
"""A node must fall below this to be activated again: the notch of an epicardial beat may cross 0 mV twice, and that of
some models falls below -20. Above -40 mV no sodium current is available to start a wave."""
RUNAWAY_MV = 1e4
"""A change of potential in one step that no stable run makes."""
SLIGHT_MV_PER_MS, SLIGHT_AT_REST_MV_PER_MS = 0.5, 0.05
"""Diffusion that may be cut short in a long step, while any node beats and when none does; where there is more, no step
is longer than diffusion bears. Else a wave that another code sees cross a gap was blocked. Most tissue that beats takes
no such step (`Plan.longest`); less of it in the few tiles that a sliver makes fast would cost five times as much."""
FRONT_MS = 0.1
"""A tile that changes by the tolerance in less than this, or in one step, is in a front: it wakes its neighbours."""
BLOCK = 32
"""Tiles that are looked at, and dealt out to threads, together: 512 nodes, neighbours on the whole. Where all of them
rest they cost one comparison; and a wave in one half of the mesh is work for everybody."""
NEVER = 2**40


class Tiles(NamedTuple):
    """Everything about the nodes that changes; copied, it is the state of a run.

    Attributes
    ----------
    cells : (n_tiles, n_rows * 16) float
        State, parameters, earlier potential and leak of 16 cells a row; see `cardiotwin.kernels.ionic`.
    v : (2, n_tiles, 16) float
        Potential that neighbours see, mV: that expected in the middle of a tile's next step. After k steps it is in
        ``v[k % 2]``.
    reached : (n_tiles,) int64
        Step that a tile has reached.
    taken : (n_tiles,) int64
        How many steps its last one was, 0 before the first.
    due : (n_tiles,) int64
        Step that shall evaluate it, unless it is woken.
    woken : (2, n_tiles) int64
        ``woken[k % 2, t] == k``: a neighbour's front wakes tile t for step k.
    beats : (n_tiles, 16) int16
        Activations so far, recorded or not.
    phase : (n_tiles, 16) uint8
        Bit 0: the node may be activated. Bit 1: its beat is not over.
    activation_ms, repolarisation_ms : (n_beats, n_tiles, 16) float32
        NaN where there was none.
    kept, since : (n_tiles, 16) float
        Ionic current when a tile was last evaluated, mV/ms, and the potential from which it has moved since then; see
        `cardiotwin.kernels.kept`. Empty where diffusion is explicit.
    """

    cells: np.ndarray
    v: np.ndarray
    reached: np.ndarray
    taken: np.ndarray
    due: np.ndarray
    woken: np.ndarray
    beats: np.ndarray
    phase: np.ndarray
    activation_ms: np.ndarray
    repolarisation_ms: np.ndarray
    kept: np.ndarray
    since: np.ndarray


class Plan(NamedTuple):
    """How tiles step; constant during a run.

    Attributes
    ----------
    dt_ms : float
    longest, longest_at_rest : int
        Most steps a quiet tile may take as one; the same where all its nodes are repolarised.
    tolerance_mv : float
        Change of potential that makes it worth evaluating a tile.
    stiff : (k,) int64
        Tiles that take diffusion in substeps.
    substeps : (n_tiles,) int64
        How many, 1 for the others.
    rounds : int
        The most of them.
    room : (n_tiles,) float64
        The longest step that diffusion bears without extrapolation, in steps; 0 where nothing shall be extrapolated.
    lag : float
        0. With 1 (and nothing extrapolated) all is taken at the old time: forward Euler, as in most other programs.
    repolarised_mv : float
    """

    dt_ms: float
    longest: int
    longest_at_rest: int
    tolerance_mv: float
    stiff: np.ndarray
    substeps: np.ndarray
    rounds: int
    room: np.ndarray
    lag: float
    repolarised_mv: float


class Scratch(NamedTuple):
    """Room that a run needs besides its state.

    Attributes
    ----------
    stiff : (n_stiff, 16) float
        Diffusion of the tiles that take it in substeps.
    visit : (n_blocks,) int64
        Step that shall look at a block of tiles, unless it is called.
    called : (2, n_blocks) int64
        ``called[k % 2, b] == k``: step k wakes a tile in it.
    """

    stiff: np.ndarray
    visit: np.ndarray
    called: np.ndarray


def scratch(plan: Plan, n_tiles: int, real: type) -> Scratch:
    """For a run of so many tiles."""
    n_blocks = -(-n_tiles // BLOCK)
    return Scratch(
        np.zeros((plan.stiff.size, LANES), real), np.zeros(n_blocks, np.int64), np.full((2, n_blocks), -1, np.int64)
    )


@njit(**INLINED)
def tiles_of(b, n_tiles):
    """Those of block b."""
    return range(BLOCK * b, min(BLOCK * (b + 1), n_tiles))


@njit(**INLINED)
def evaluates(t, step, due, woken, stimulated):
    """Whether a step evaluates a tile."""
    return due[t] <= step or stimulated[t] or woken[step % 2, t] == step


@njit(**INLINED)
def neighbour_sum(v, t, start, column, coefficient):
    """Diffusion of the 16 nodes of tile t: Σ_j a_ij (V_j - V_i), mV/ms."""
    here = tile(v, t)[0]
    total = here * 0.0
    for k in range(start[t], start[t + 1]):
        total = fma(tile(coefficient, k)[0], gathered(v, column, k) - here, total)
    return total


@njit(**INLINED)
def ahead(n_steps, room):
    """How far a step extrapolates what diffuses, in steps: to its middle, or as far as diffusion stays stable."""
    return min(0.5 * n_steps, max(0.5 * (room - n_steps), 0.0))


def _advance_tile(
    t, dt_ms, n_steps, taken, lag, cells, v, start, column, coefficient, substeps, stimulus, stimulated, repolarised_mv,
):  # fmt: skip
    """Step the 16 nodes of tile t by one time of ``n_steps`` steps of dt_ms; the last was one of ``taken``.

    v, (n_tiles, 16), is what neighbours see.

    Returns the largest change of potential, mV, NaN when any state variable is not finite; whether a threshold was
    crossed; whether any of the nodes is not repolarised; and the largest diffusion, mV/ms.
    """
    cell = tile(cells, t)
    before = cell[0]
    last_change = before - cell[BEFORE]
    dt = dt_ms * n_steps
    flux = neighbour_sum(v, t, start, column, coefficient)
    current = flux * minimum(substeps / dt / cell[LEAK], 1.0)
    if substeps > 1:  # v has had all diffusion but the last substep, the cell none
        current = current / substeps + (tile(v, t)[0] - before) / dt
    if stimulated[t]:
        current = current + tile(stimulus, t)[0] / n_steps  # it flows in the last of them only
    gates(cell, 0, before - lag * last_change, dt_ms * (taken + 0.5 * (1.0 - lag) * (n_steps - taken)))
    halfway = before + last_change * (0.5 * (1.0 - lag) * n_steps / max(taken, 1))
    after = before + dt * (current - ionic_current(cell, 0, halfway, dt))
    cell[0] = after
    cell[BEFORE] = before
    crossed = (
        differ_anywhere(before < 0.0, after < 0.0)
        or differ_anywhere(before < REARMED_MV, after < REARMED_MV)
        or differ_anywhere(before < repolarised_mv, after < repolarised_mv)
    )
    change = abs(after - before)
    for row in range(0, STATES, LANES):
        change = fma(cell[row], 0.0, change)
    return largest(abs(change)), crossed, anywhere(after >= repolarised_mv), largest(abs(flux))


@njit(cache=True, **BARE)
def record(t, reached, n_steps, dt_ms, cells, before, repolarised_mv, beats, phase, activation_ms, repolarisation_ms):
    """Note which nodes of tile t were activated or repolarised in the ``n_steps`` steps after ``reached``.

    The potential before them lies in the tile's row, from ``before`` on. Activation is the interpolated crossing of 0
    mV, not the largest dV/dt: the sampled maximum moves in whole steps and makes conduction velocity ragged.
    """
    for lane in range(LANES):
        old, new = np.float64(cells[t, before + lane]), np.float64(cells[t, lane])
        if old < 0.0 <= new and phase[t, lane] & 1:
            beat = beats[t, lane]
            if beat < activation_ms.shape[0]:
                activation_ms[beat, t, lane] = dt_ms * (reached + n_steps * old / (old - new))
            beats[t, lane] = beat + 1
            phase[t, lane] = 2
        if new < REARMED_MV:
            phase[t, lane] |= 1
        if new < repolarised_mv <= old and phase[t, lane] & 2:
            beat = beats[t, lane] - 1
            if beat < repolarisation_ms.shape[0]:
                repolarisation_ms[beat, t, lane] = dt_ms * (reached + n_steps * (old - repolarised_mv) / (old - new))
            phase[t, lane] &= 1


@njit(**INLINED)
def planned(step, change_mv, longest, tolerance_mv):
    """How many steps a tile takes next as one, after a step in which it changed by ``change_mv``."""
    most = longest
    if change_mv * longest > tolerance_mv:
        most = max(1, np.int64(tolerance_mv / change_mv))
    power = 1
    while 2 * power <= most:
        power *= 2
    return power - (step + 1) % power


@njit(**INLINED)
def wake_neighbours(t, step, woken, called, neighbour_start, neighbours):
    """Have them evaluated in the next step. Others may write here in this step, but all of them write the same."""
    for k in range(neighbour_start[t], neighbour_start[t + 1]):
        woken[(step + 1) % 2, neighbours[k]] = step + 1
        called[(step + 1) % 2, neighbours[k] // BLOCK] = step + 1


def _step_block(
    b, step, dt_ms, longest, longest_at_rest, tolerance_mv, room, lag, cells, v, new_v, reached, taken, due, woken,
    called, start, column, coefficient, neighbour_start, neighbours, substeps, stimulus, stimulated, repolarised_mv,
    beats, phase, activation_ms, repolarisation_ms, failed,
):  # fmt: skip
    """Step those tiles of block b that a step evaluates. Returns the next step with anything to do in it."""
    visit = step + NEVER
    for t in tiles_of(b, cells.shape[0]):
        if evaluates(t, step, due, woken, stimulated):
            n_steps = step + 1 - reached[t]
            change_mv, crossed, beating, flux = advance_tile(
                t, dt_ms, n_steps, taken[t], lag, cells, v, start, column, coefficient, substeps[t], stimulus,
                stimulated, repolarised_mv,
            )  # fmt: skip
            if crossed:
                record(
                    t, reached[t], n_steps, dt_ms, cells, BEFORE, repolarised_mv, beats, phase, activation_ms,
                    repolarisation_ms,
                )  # fmt: skip
            reached[t], taken[t] = step + 1, n_steps
            if not change_mv < RUNAWAY_MV:
                failed[0] = step + 1
            change_mv /= n_steps
            most, slight = (longest, SLIGHT_MV_PER_MS) if beating else (longest_at_rest, SLIGHT_AT_REST_MV_PER_MS)
            if flux > slight:
                most = min(most, max(np.int64(room[t]), 1))
            next_steps = planned(step, change_mv, most, tolerance_mv)
            due[t] = step + next_steps
            cell = tile(cells, t)
            tile(new_v, t)[0] = cell[0] + (cell[0] - cell[BEFORE]) * (ahead(next_steps, room[t]) / n_steps)
            if change_mv >= tolerance_mv * min(1.0, dt_ms / FRONT_MS):
                wake_neighbours(t, step, woken, called, neighbour_start, neighbours)
            visit = step + 1
        else:
            if reached[t] == step:  # evaluated one step ago: the other buffer is behind
                for lane in range(LANES):
                    new_v[t, lane] = v[t, lane]
            visit = min(visit, due[t])
    return visit


def _advance(first, last, tiles, operator, plan, n_shares, stimulus, stimulated, scratch, failed):
    """Run steps first to last - 1. Stops early, with ``failed[0]`` set, when a potential is not finite.

    Parameters
    ----------
    first, last : int
    tiles, operator, plan : Tiles, Operator, Plan
        `tiles` is overwritten.
    n_shares : int
        Shares the tiles are dealt out in, one for each thread. Changes nothing in the result.
    stimulus : (n_tiles, 16) float
        Injected current, mV/ms.
    stimulated : (n_tiles,) bool
        Tiles with any.
    scratch : Scratch
        Overwritten.
    failed : (1,) int64
        Overwritten with the step after which the potential was not finite, or left.
    """
    cells, reached, taken, due, woken = tiles.cells, tiles.reached, tiles.taken, tiles.due, tiles.woken
    beats, phase, activation_ms, repolarisation_ms = (
        tiles.beats,
        tiles.phase,
        tiles.activation_ms,
        tiles.repolarisation_ms,
    )
    start, column, coefficient = operator.start, operator.column, operator.coefficient
    neighbour_start, neighbours = operator.neighbour_start, operator.neighbours
    dt_ms, tolerance_mv, repolarised_mv = plan.dt_ms, plan.tolerance_mv, plan.repolarised_mv
    longest, longest_at_rest = plan.longest, plan.longest_at_rest
    stiff, substeps, room, lag = plan.stiff, plan.substeps, plan.room, plan.lag
    diffused, visit, called = scratch.stiff, scratch.visit, scratch.called
    for b in range(visit.size):
        visit[b] = first
    for step in range(first, last):
        v, new_v = tiles.v[step % 2], tiles.v[(step + 1) % 2]
        for left in range(plan.rounds - 1, 0, -1):  # the stiffest tiles begin, all end together
            for k in prange(stiff.size):
                if left < substeps[stiff[k]] and evaluates(stiff[k], step, due, woken, stimulated):
                    tile(diffused, k)[0] = neighbour_sum(v, stiff[k], start, column, coefficient)
            for k in prange(stiff.size):
                t = stiff[k]
                if left < substeps[t] and evaluates(t, step, due, woken, stimulated):
                    dt = dt_ms * (step + 1 - reached[t]) / substeps[t]
                    borne = minimum(1.0 / dt / tile(cells, t)[LEAK], 1.0)
                    tile(v, t)[0] = tile(v, t)[0] + dt * borne * tile(diffused, k)[0]
        for share in prange(n_shares):
            for b in range(share, visit.size, n_shares):
                if visit[b] <= step or called[step % 2, b] == step:
                    visit[b] = step_block(
                        b, step, dt_ms, longest, longest_at_rest, tolerance_mv, room, lag, cells, v, new_v, reached,
                        taken, due, woken, called, start, column, coefficient, neighbour_start, neighbours, substeps,
                        stimulus, stimulated, repolarised_mv, beats, phase, activation_ms, repolarisation_ms, failed,
                    )  # fmt: skip
        if failed[0] >= 0:
            break


@njit(
    cache=True, fastmath={"reassoc", "contract"}
)  # a sum in order cannot use vectors; this one is not fed back into the run
def electrode_potentials(weights, v, mv):
    """``mv = weights @ v`` for weights (n_electrodes, n) and v (n,); mv is overwritten. BLAS would start threads."""
    for e in range(weights.shape[0]):
        total = 0.0
        for i in range(v.size):
            total += weights[e, i] * v[i]
        mv[e] = total


@cache
def advance_kernel(model: str, parallel: bool):
    """The compiled time loop of a cell model, `_advance`, for either precision."""
    cell = cell_model(model)
    rows = {"BEFORE": LANES * (width(cell) - 2), "LEAK": LANES * (width(cell) - 1)}
    rows["STATES"] = LANES * len(cell.STATE)
    membrane = {part: specialise(getattr(cell, part), model, inline=True) for part in ("gates", "ionic_current")}
    advance_tile = specialise(_advance_tile, model, **membrane, **rows)
    step_block = specialise(_step_block, model, inline=True, advance_tile=advance_tile, **rows)
    return specialise(_advance, model, parallel=parallel, step_block=step_block, **rows)


def resting_tiles(
    model: str, real: type, given, leak: np.ndarray, n_nodes: int, n_beats: int, explicit: bool = True
) -> Tiles:
    """All cells in their initial state.

    Parameters
    ----------
    given : dict of str to (n_nodes,) float or float
        State variables and parameters that differ from the model's own.
    leak : (n_tiles, 16) float
        As in `Operator`.
    explicit : bool
        Whether diffusion is, and so nothing is kept.
    """
    cell = cell_model(model)
    n_tiles = -(-n_nodes // LANES)
    cells = np.zeros((n_tiles, width(cell), LANES), real)
    for k, (name, value) in enumerate({**cell.STATE, **cell.PARAMETERS}.items()):
        padded = np.full(n_tiles * LANES, value, real)
        padded[: n_nodes if np.ndim(given.get(name)) else None] = given.get(name, value)
        cells[:, k] = padded.reshape(n_tiles, LANES)
    cells[:, -2], cells[:, -1] = cells[:, 0], leak
    return Tiles(
        cells=cells.reshape(n_tiles, -1),
        v=np.stack([cells[:, 0], cells[:, 0]]),
        reached=np.zeros(n_tiles, np.int64),
        taken=np.zeros(n_tiles, np.int64),
        due=np.zeros(n_tiles, np.int64),
        woken=np.full((2, n_tiles), -1, np.int64),
        beats=np.zeros((n_tiles, LANES), np.int16),
        phase=(cells[:, 0] < REARMED_MV).astype(np.uint8),
        activation_ms=np.full((n_beats, n_tiles, LANES), np.nan, np.float32),
        repolarisation_ms=np.full((n_beats, n_tiles, LANES), np.nan, np.float32),
        kept=np.zeros((0 if explicit else n_tiles, LANES), real),
        since=cells[: 0 if explicit else n_tiles, 0].copy(),
    )
