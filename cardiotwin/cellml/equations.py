"""How each state variable of a membrane is stepped, and where its equations are 0/0."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import myokit
import numpy as np
from myokit.formats.python import NumPyExpressionWriter, PythonExpressionWriter

from cardiotwin.cellml.reading import Dependence, Expression, Membrane, Variable, depends_on, negated, simplified

GRID_MV = np.linspace(-120.0, 100.0, 4401)
"""Where equations of the potential are looked at."""
STIFF_PER_MS, COUPLED_PER_MS = 5.0, 0.25
"""A variable that decays faster than the first somewhere in a beat does not take forward Euler steps: in the long steps
of quiet tissue, 0.4 ms, they would be as long as is stable. Where there is one, all faster than the second step
with it: a concentration and the buffers it is in equilibrium with are one fast process, and keep their sum."""


@dataclass(frozen=True, eq=False)
class Gate:
    """A variable that relaxes to ``steady`` at ``rate``, neither of which depends on it."""

    steady: Expression
    rate: Expression


@dataclass(frozen=True, eq=False)
class Scheme:
    """What is done with each state variable but the potential.

    Attributes
    ----------
    gates : dict of state to Gate
        They take Rush-Larsen steps.
    stiff : dict of state to Column
        Fast ones that are no gates: a linearly implicit step together.
    singular_mv : dict of variable to tuple of float
        Potentials at which a denominator in its equation is 0.
    """

    gates: dict[Variable, Gate]
    stiff: dict[Variable, Column]
    singular_mv: dict[Variable, tuple[float, ...]]


def scheme(membrane: Membrane, fastest_per_ms: dict[Variable, float]) -> Scheme:
    """Choose; ``fastest_per_ms`` is how fast each state variable decays at most in a beat."""
    on_grid = OnGrid(membrane)
    gates = _gates(membrane, on_grid)
    others = [s for s in membrane.states[1:] if s not in gates and not s.rhs().is_number(0)]
    stiff = [s for s in others if fastest_per_ms[s] > COUPLED_PER_MS]
    if not any(fastest_per_ms[s] > STIFF_PER_MS for s in stiff):
        stiff = []
    return Scheme(gates, jacobian(stiff), _singular(membrane, on_grid))


def _gates(membrane: Membrane, on_grid: OnGrid) -> dict[Variable, Gate]:
    found = {}
    for state in membrane.states[1:]:
        gate = _relaxation(state.rhs(), state, depends_on(state)) or _linear(membrane, state)
        if gate is not None and _decays(on_grid(gate.rate)):
            found[state] = Gate(simplified(gate.steady), simplified(gate.rate))
    return found


def _decays(rate: np.ndarray) -> bool:
    rate = rate[np.isfinite(rate)]
    return bool(rate.size and (rate > 0.0).all())


def _relaxation(e: Expression, x: Variable, has_x: Dependence) -> Gate | None:
    """The two forms Hodgkin and Huxley's gates are written in, (x_inf - x)/tau and alpha (1 - x) - beta x.

    As `myokit.lib.hh` finds them, but also with a factor before them, with equations in the place of names, and where
    x_inf and tau depend on a concentration as well.
    """
    match e:
        case myokit.Name() if not e.is_name(x) and has_x(e):
            return _relaxation(e.var().rhs(), x, has_x)
        case myokit.Divide() if not has_x(e[1]):
            inner = _relaxation(e[0], x, has_x)
            return inner and Gate(inner.steady, myokit.Divide(inner.rate, e[1]))
        case myokit.Multiply() if has_x(e[0]) != has_x(e[1]):
            factor, rest = (e[1], e[0]) if has_x(e[0]) else (e[0], e[1])
            inner = _relaxation(rest, x, has_x)
            return inner and Gate(inner.steady, myokit.Multiply(factor, inner.rate))
        case myokit.Minus() if e[1].is_name(x) and not has_x(e[0]):
            return Gate(e[0], myokit.Number(1))
        case myokit.Minus():
            alpha, beta = _factor(e[0], myokit.Minus(myokit.Number(1), myokit.Name(x))), _factor(e[1], myokit.Name(x))
            if alpha is not None and beta is not None and not has_x(alpha) and not has_x(beta):
                both = myokit.Plus(alpha, beta)
                return Gate(myokit.Divide(alpha, both), both)
    return None


def _factor(e: Expression, of: Expression) -> Expression | None:
    """What a product multiplies `of` by; None when it is no such product."""
    if e == of:
        return myokit.Number(1)
    if isinstance(e, myokit.Multiply):
        for this, other in ((0, 1), (1, 0)):
            rest = _factor(e[this], of)
            if rest is not None:
                return simplified(myokit.Multiply(rest, e[other]))
    return None


def _linear(membrane: Membrane, x: Variable) -> Gate | None:
    """Any other equation that is linear in x and has no variable in it but the potential."""
    others = Dependence(lambda v: v.is_state() and v is not x and v is not membrane.potential)
    if others(x.rhs()):
        return None
    parts = _affine(x.rhs(), x, depends_on(x))
    if parts is None or parts[1].is_number(0):
        return None
    rate = negated(parts[1])
    return Gate(myokit.Divide(parts[0], rate), rate)


def _affine(e: Expression, x: Variable, has_x: Dependence) -> tuple[Expression, Expression] | None:
    """e as the first plus the second times x."""
    nothing = myokit.Number(0)
    if not has_x(e):
        return e, nothing
    if e.is_name(x):
        return nothing, myokit.Number(1)
    if isinstance(e, myokit.Name):
        return _affine(e.var().rhs(), x, has_x)
    parts = [_affine(part, x, has_x) for part in e]
    if any(part is None for part in parts):
        return None
    made: list[tuple[Expression, Expression]] = parts  # type: ignore[assignment]
    match e:
        case myokit.PrefixMinus() | myokit.PrefixPlus():
            pair = tuple(type(e)(part) for part in made[0])
        case myokit.Plus() | myokit.Minus():
            pair = tuple(type(e)(a, b) for a, b in zip(*made, strict=True))
        case myokit.Multiply() if not (has_x(e[0]) and has_x(e[1])):
            factor, rest = (e[0], made[1]) if has_x(e[1]) else (e[1], made[0])
            pair = tuple(myokit.Multiply(factor, part) for part in rest)
        case myokit.Divide() if not has_x(e[1]):
            pair = tuple(myokit.Divide(part, e[1]) for part in made[0])
        case _:
            return None
    return simplified(pair[0]), simplified(pair[1])


@dataclass(frozen=True, eq=False)
class Column:
    """How rates of change depend on one state variable.

    Attributes
    ----------
    chain : dict of variable to expression
        Derivative by it of each variable on the way, in order of dependence; one names another as
        `myokit.PartialDerivative`.
    slopes : dict of state to expression
        Derivative of the rates themselves, where there is any.
    """

    chain: dict[Variable, Expression]
    slopes: dict[Variable, Expression]


def jacobian(states: list[Variable]) -> dict[Variable, Column]:
    """Derivatives of their rates of change by each of them; empty where an equation has none."""
    columns = {}
    behind = in_order([state.rhs() for state in states])
    try:
        for state in states:
            by, has_state = myokit.Name(state), depends_on(state)
            slopes = {row: simplified(row.rhs().diff(by)) for row in states if has_state(row.rhs())}
            chain = {v: simplified(v.rhs().diff(by)) for v in behind if has_state(v.rhs())}
            slopes = {row: slope for row, slope in slopes.items() if not slope.is_number(0)}
            used = set().union(*map(_partials, slopes.values()))
            for variable in reversed(chain):
                if variable in used:
                    used |= _partials(chain[variable])
            columns[state] = Column({v: e for v, e in chain.items() if v in used}, slopes)
    except (NotImplementedError, myokit.MyokitError):
        return {}
    return columns


def _partials(e: Expression) -> set[Variable]:
    return {part.var() for part in e.walk() if isinstance(part, myokit.PartialDerivative)}


def in_order(expressions: Iterable[Expression]) -> list[Variable]:
    """All variables behind expressions that are not states, each after those it depends on."""
    seen: dict[Variable, None] = {}

    def visit(expression: Expression) -> None:
        for reference in sorted(expression.references(), key=lambda r: r.var().qname()):
            variable = reference.var()
            if not variable.is_state() and variable not in seen:
                visit(variable.rhs())
                seen[variable] = None

    for expression in expressions:
        visit(expression)
    return list(seen)


def _singular(membrane: Membrane, on_grid: OnGrid) -> dict[Variable, tuple[float, ...]]:
    """Where a denominator crosses 0 as the potential alone changes."""
    found = {}
    for variable in membrane.model.variables(bound=False):
        zeros: list[float] = []
        for e in variable.rhs().walk():
            below = e[1] if isinstance(e, myokit.Divide) else e[0] if _is_reciprocal(e) else None
            if below is not None and not below.is_number():
                zeros += [mv for mv in _zeros(below, on_grid) if all(abs(mv - known) > 0.01 for known in zeros)]
        if zeros:
            found[variable] = tuple(sorted(zeros))
    return found


def _is_reciprocal(e: Expression) -> bool:
    return isinstance(e, myokit.Power) and e[1].is_constant() and e[1].eval() < 0


def _zeros(below: Expression, on_grid: OnGrid) -> Iterable[float]:
    values = on_grid(below)
    zero = np.flatnonzero(values[1:-1] == 0.0) + 1
    yield from (round(float(GRID_MV[k]), 9) for k in zero if values[k - 1] != 0.0 and values[k + 1] != 0.0)
    with np.errstate(all="ignore"):
        crossing = np.flatnonzero(values[:-1] * values[1:] < 0.0)
    for k in crossing:
        low, high = GRID_MV[k], GRID_MV[k + 1]
        size = max(abs(values[k]), abs(values[k + 1]))
        for _ in range(60):
            middle = 0.5 * (low + high)
            if on_grid.at(below, middle) * values[k] > 0.0:
                low = middle
            else:
                high = middle
        if abs(on_grid.at(below, low)) < 1e-6 * size:  # else it jumps there
            yield round(float(0.5 * (low + high)), 9)


class OnGrid:
    """The value of any expression as the potential changes, the other state variables at their initial values."""

    def __init__(self, membrane: Membrane) -> None:
        self._membrane = membrane
        self._code = _Code(membrane, NumPyExpressionWriter())
        self._grid = self._code.values(GRID_MV)

    def __call__(self, expression: Expression) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(self._code.value(expression, self._grid), float), GRID_MV.shape)

    def at(self, expression: Expression, mv: float) -> float:
        """At one potential."""
        with np.errstate(all="ignore"):
            return float(
                np.asarray(self._code.value(expression, self._code.values(np.array([mv]), expression))).flat[0]
            )


@dataclass
class _Code:
    """A membrane's equations as Python, by Myokit's own expression writer."""

    membrane: Membrane
    writer: Any
    known: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.writer.set_lhs_function(lambda e: e.var().qname().replace(".", "__"))

    def compiled(self, expression: Expression) -> Any:
        """Compiled once."""
        if expression not in self.known:
            self.known[expression] = compile(self.writer.ex(expression), "<cellml>", "eval")
        return self.known[expression]

    def value(self, expression: Expression, names: dict[str, Any]) -> Any:
        """Of an expression, from all values it names."""
        return eval(self.compiled(expression), {"numpy": np, "math": math}, names)

    def values(self, mv: np.ndarray, only: Expression | None = None) -> dict[str, Any]:
        """Every variable at these potentials."""
        states = self.membrane.states
        names = {s.qname().replace(".", "__"): s.initial_value(as_float=True) for s in states}
        names[self.membrane.potential.qname().replace(".", "__")] = mv
        wanted = [only] if only is not None else [v.rhs() for v in self.membrane.model.variables(bound=False)]
        with np.errstate(all="ignore"):
            for variable in in_order(wanted):
                names[variable.qname().replace(".", "__")] = self.value(variable.rhs(), names)
        return names


class _Boundless:
    """`math`, but exp stops short of infinity, as that of the kernels does: a tanh is a quotient of them in Myokit."""

    sqrt, log, log10, floor = math.sqrt, math.log, math.log10, math.floor

    @staticmethod
    def exp(x: float) -> float:
        return math.exp(min(x, 709.0))


def rates(membrane: Membrane) -> Callable[[float, np.ndarray, float], list[float]]:
    """All rates of change, in the order of ``membrane.states``, as Myokit writes them: ``f(t, y, stimulus)``.

    The stimulus is in mV/ms.
    """
    writer = PythonExpressionWriter()
    writer.set_lhs_function(lambda e: e.var().qname().replace(".", "__"))
    states = membrane.states
    order = in_order([state.rhs() for state in states])
    fixed = [v for v in order if v.is_constant()]
    lines = ["def made():"]
    lines += [f"    {v.qname().replace('.', '__')} = {writer.ex(v.rhs())}" for v in fixed]
    lines += ["    def rates(t, y, stimulus):"]
    lines += [f"        {', '.join(s.qname().replace('.', '__') for s in states)}, = y"]
    lines += [f"        {v.qname().replace('.', '__')} = {writer.ex(v.rhs())}" for v in order if not v.is_constant()]
    lines += [f"        return [stimulus + {', '.join(writer.ex(s.rhs()) for s in states)}]", "    return rates"]
    scope: dict[str, Any] = {"math": _Boundless}
    exec("\n".join(lines), scope)
    made: Callable[[float, np.ndarray, float], list[float]] = scope["made"]()
    return made
