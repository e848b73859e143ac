"""How diffusion is stepped: three schemes behind one name, and the choice among them.

- explicit: each tile when it changes, of second order while a step is at most 0.45 times what forward Euler bears (less
  in long steps, of which cells need their share). From there it falls to first order, and beyond 0.9 it takes substeps
  (`cardiotwin.kernels.monodomain`).
- stabilised: of second order whatever dt, by the stages of Runge, Kutta and Legendre's method. Their number, for the
  whole mesh, grows with the square root of the largest leak (`cardiotwin.kernels.stabilised`).
- implicit: of second order whatever dt, by conjugate gradients. Their number grows with the square root of the leak of
  most nodes; a few slivers do not matter (`cardiotwin.kernels.implicit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from cardiotwin.errors import SettingsError
from cardiotwin.kernels import implicit, monodomain, stabilised
from cardiotwin.kernels.diffusion import Operator
from cardiotwin.kernels.implicit import ImplicitPlan
from cardiotwin.kernels.monodomain import Plan
from cardiotwin.kernels.stabilised import StabilisedPlan

SCHEMES = ("explicit", "stabilised", "implicit")
MOST_SHARE, LEAST_SHARE = 0.9, 0.25
"""Of the largest stable step, what explicit diffusion may use, where cells leave it."""
USUAL_STEEPEST_PER_MS = 5.0
"""Of a cell model that does not say."""
FEW = 0.1
"""Share of the tiles that may take substeps before another scheme is looked for."""
RESIDUAL_MV = {4: 1e-3, 8: 1e-8}
"""Where conjugate gradients end, by the bytes of a number."""
MOST_ITERATIONS = 2000
"""In a step, before a run is given up."""
EXPLICIT_NS, STAGES_NS, ITERATIONS_NS = (0.0, 5.0), (0.0, 6.3), (8.0, 6.8)
"""Per node of 14 neighbours and step, on one thread, besides the cells: always, and for every substep, stage or
iteration (`benchmarks/diffusion.py`). Explicit diffusion of quiet tissue costs less than that."""
EXTRAPOLATED_MV, EXTRAPOLATED_MS = 1.0, 0.05
"""By how much a front is not where it is extrapolated to after a step of so long; it goes with the square."""
FEWEST_ITERATIONS = 3.0
"""What is found at the smallest steps."""


@dataclass(frozen=True)
class Work:
    """What a step of a scheme is expected to cost.

    Attributes
    ----------
    passes : float
        Substeps (on average over the tiles), stages or iterations.
    ns : float
        Per node, on one thread, besides the cells.
    """

    passes: float
    ns: float


def fastest(operator: Operator) -> np.ndarray:
    """(n_tiles,) leak of the node in each tile that leaks most, 1/ms; diffusion decays at twice that at most."""
    return operator.leak.max(axis=1)


def bulk(ratio: np.ndarray) -> float:
    """What nine tenths of the tiles do not exceed."""
    return float(np.quantile(ratio, 1.0 - FEW))


def explicit_share(cell: ModuleType, dt_ms: float) -> float:
    """What the cells leave to explicit diffusion of the largest step it bears by itself.

    A potential that alternates from step to step is driven back by diffusion and by the ionic current, which is
    extrapolated by half a step; together they may not drive it farther than it was.
    """
    steepest = getattr(cell, "STEEPEST_PER_MS", USUAL_STEEPEST_PER_MS)
    return float(np.clip(1.0 - dt_ms * steepest, LEAST_SHARE, MOST_SHARE))


def longest_steps(cell: ModuleType, dt_ms: float, tolerance_mv: float) -> tuple[int, int]:
    """Steps that a quiet tile may take as one, and the same where all its nodes are repolarised."""
    if tolerance_mv == 0:
        return 1, 1
    resting_ms = getattr(cell, "LONGEST_RESTING_STEP_MS", cell.LONGEST_STEP_MS)
    return max(int(cell.LONGEST_STEP_MS / dt_ms + 1e-9), 1), max(int(resting_ms / dt_ms + 1e-9), 1)


def expected_work(ratio: np.ndarray, share: float, dt_ms: float, symmetric: bool, real: type) -> dict[str, Work]:
    """By scheme, for those that can be had.

    Parameters
    ----------
    ratio : (n_tiles,) float64
        dt over the explicit step that each tile bears.
    share : float
        See `explicit_share`.
    symmetric : bool
        Whether the mass matrix is lumped.
    """
    substeps = float(np.mean(np.maximum(np.ceil(ratio / share - 1e-9), 1.0)))
    stages = stabilised.stages_for(float(ratio.max()))
    work = {"explicit": _work(substeps, EXPLICIT_NS), "stabilised": _work(stages, STAGES_NS)}
    if symmetric:
        work["implicit"] = _work(expected_iterations(ratio, dt_ms, real), ITERATIONS_NS)
    return work


def _work(passes: float, ns: tuple[float, float]) -> Work:
    return Work(passes, ns[0] + passes * ns[1])


def expected_iterations(ratio: np.ndarray, dt_ms: float, real: type) -> float:
    """Conjugate gradients divide the error by e² in as many iterations as the square root of the condition.

    With Jacobi's preconditioner the fastest modes lie below 2, the slowest at 1/(1 + θ ratio), where ratio is that of
    most nodes: few others cost an iteration each, if that.
    """
    condition = 1.0 + 2.0 * implicit.THETA * bulk(ratio)
    error = EXTRAPOLATED_MV * (dt_ms / EXTRAPOLATED_MS) ** 2 / RESIDUAL_MV[np.dtype(real).itemsize]
    return max(FEWEST_ITERATIONS, 0.5 * float(np.sqrt(condition) * np.log(max(error, 1.0))))


def chosen(wanted: str, ratio: np.ndarray, share: float, work: dict[str, Work], order: int) -> str:
    """The scheme: the one wanted, or by itself the one of least work.

    Explicit steps are left out where more than a tenth of the tiles would take substeps.

    Parameters
    ----------
    ratio, share, work
        As in `expected_work`, and what that returns.

    Raises
    ------
    SettingsError
        There is no such scheme, or it cannot be had with this order or this mass matrix.
    """
    if wanted not in ("auto", *SCHEMES):
        raise SettingsError(f"diffusion: found {wanted!r}, expected one of auto, {', '.join(SCHEMES)}")
    if order == 1 and wanted not in ("auto", "explicit"):
        raise SettingsError(f"diffusion: {wanted} steps are of second order; use 'explicit' for order 1")
    if wanted == "implicit" and wanted not in work:
        raise SettingsError(
            "diffusion: implicit steps need a lumped mass matrix (`mass_lumping` 1); use 'stabilised' or 'explicit'"
        )
    if wanted != "auto":
        return wanted
    if order == 1:
        return "explicit"
    able = [scheme for scheme in work if scheme != "explicit" or bulk(ratio) <= share]
    return min(able, key=lambda scheme: work[scheme].ns)


def plan(
    scheme: str, operator: Operator, cell: ModuleType, dt_ms: float, tolerance_mv: float, order: int
) -> Plan | StabilisedPlan | ImplicitPlan:
    """What the time loop of a scheme has to know."""
    ratio = dt_ms * fastest(operator)
    pace = dt_ms, *longest_steps(cell, dt_ms, tolerance_mv), float(tolerance_mv)
    repolarised_mv = float(cell.REPOLARISED_MV)
    if scheme == "stabilised":
        weights = stabilised.weights(stabilised.stages_for(float(ratio.max())))
        return StabilisedPlan(*pace, repolarised_mv, weights)
    if scheme == "implicit":
        real, implicit_ms = operator.coefficient.dtype, implicit.THETA * dt_ms
        inverse = (1.0 / (1.0 + implicit_ms * _diagonal(operator))).astype(real)
        residual_mv = RESIDUAL_MV[real.itemsize]
        return ImplicitPlan(*pace, repolarised_mv, implicit_ms, residual_mv, MOST_ITERATIONS, inverse, operator.mass)
    share = explicit_share(cell, dt_ms)
    substeps = np.maximum(np.ceil(ratio / share - 1e-9), 1).astype(np.int64)
    # The fastest mode decays at twice the leak; extrapolated by a share a of the last step it is stable for dt times
    # that rate up to 2/(1 + 2 a), of which the cells, which decay too, take theirs.
    room = np.where((substeps > 1) | (order == 1), 0.0, share / np.maximum(ratio, 1e-300))
    # During a beat tissue has one pace where it can: neighbours in steps of other lengths see each other too early.
    free = room[room > 0.0]
    longest = min(pace[1], max(int(np.median(free)), 1)) if free.size else pace[1]
    pace = pace[0], longest, *pace[2:]
    return Plan(
        *pace, np.flatnonzero(substeps > 1), substeps, int(substeps.max()), room, float(order == 1), repolarised_mv
    )


def _diagonal(operator: Operator) -> np.ndarray:
    """(n_tiles, 16) Σ_j a_ij of each node, 1/ms: its leak, but with the sign of each coupling."""
    out = np.zeros(operator.leak.shape)
    np.add.at(out, np.repeat(np.arange(len(out)), np.diff(operator.start)), operator.coefficient)
    return out


def scratch(
    made: Plan | StabilisedPlan | ImplicitPlan, n_tiles: int, real: np.dtype
) -> monodomain.Scratch | np.ndarray | implicit.Scratch:
    """Room that the time loop of a plan needs besides its state."""
    module = {Plan: monodomain, StabilisedPlan: stabilised, ImplicitPlan: implicit}[type(made)]
    return module.scratch(made, n_tiles, real)


def advance_kernel(scheme: str, model: str, parallel: bool):
    """The compiled time loop of a scheme and a cell model."""
    module = {"explicit": monodomain, "stabilised": stabilised, "implicit": implicit}[scheme]
    return module.advance_kernel(model, parallel)
