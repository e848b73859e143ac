"""A CellML file as equations of a membrane: in mV and ms, without its stimulus.

What becomes I_ion over C_m is minus dV/dt with the stimulus taken away: that is in mV/ms whatever units currents and
capacitance have in the file, per cell, per area or per capacitance.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import myokit
import myokit.formats.cellml
import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.terminal import one_line

POTENTIAL_NAMES = ("V", "Vm", "V_m", "v", "E", "E_m")
STIMULUS_NAME = re.compile(r"(i_?)?(stim(ulus)?(_current)?|app(lied)?|ext)$", re.IGNORECASE)
SUPPORTED = (
    myokit.Number, myokit.Name, myokit.PrefixPlus, myokit.PrefixMinus, myokit.Plus, myokit.Minus, myokit.Multiply,
    myokit.Divide, myokit.Quotient, myokit.Remainder, myokit.Power, myokit.Sqrt, myokit.Exp, myokit.Log, myokit.Log10,
    myokit.Floor, myokit.Abs, myokit.If, myokit.Piecewise, myokit.Equal, myokit.NotEqual, myokit.More, myokit.Less,
    myokit.MoreEqual, myokit.LessEqual, myokit.And, myokit.Or, myokit.Not,
)  # fmt: skip
"""What can be computed for 16 cells at once."""
Expression = Any
Variable = Any


@dataclass(frozen=True, eq=False)
class Membrane:
    """The equations of a cell.

    Attributes
    ----------
    model : myokit.Model
        In ms, the potential in mV, no equation depends on time.
    potential : myokit.Variable
    stimulus : tuple of str
        What was taken for the stimulus current and left out.
    decided : frozenset of myokit.Variable
        Constants on which a choice between equations rested: only those of the choice are left.
    notes : tuple of str
        What a reader of the file should know.
    """

    model: Any
    potential: Variable
    stimulus: tuple[str, ...]
    decided: frozenset[Variable]
    notes: tuple[str, ...]

    @property
    def states(self) -> list[Variable]:
        """The potential first, then in the file's order."""
        return [self.potential, *(state for state in self.model.states() if state is not self.potential)]


def read_membrane(path: Path, potential: str = "") -> Membrane:
    """Read a CellML 1.0, 1.1 or 2.0 file.

    Parameters
    ----------
    potential : str
        The membrane potential as ``component.variable``, where the file leaves it open.

    Raises
    ------
    InputRejected
        Not CellML; no membrane potential; a unit or a dependence on time that cannot be dealt with; a function that
        is not computed here.
    """
    model, notes = _parsed(path)
    try:
        _named_derivatives(model)
        voltage = _potential(model, potential)
        _in_unit(model.time(), "ms", "time")
        _in_unit(voltage, "mV", "the membrane potential")
        stimulus = _without_stimulus(model, voltage)
        _check_functions(model)
        decided = _without_choices(model)
        notes += _unit_note(model, voltage)
    except InputRejected as error:
        raise InputRejected(f"{path.name}: {error}") from error
    if not stimulus:
        notes.append("no stimulus current found in the file: none was left out")
    return Membrane(model, voltage, stimulus, frozenset(decided), tuple(notes))


def _parsed(path: Path) -> tuple[Any, list[str]]:
    if not path.is_file():
        raise InputRejected(f"{path}: no such file; expected a CellML model (.cellml)")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            model = myokit.formats.cellml.CellMLImporter().model(str(path))
            model.validate()
        except (myokit.MyokitError, ValueError, RecursionError) as error:
            reason = one_line(str(error).split("Stack trace")[0]).strip()
            raise InputRejected(f"{path.name}: not readable as a CellML model ({reason})") from error
    notes = [one_line(str(one.message)).strip() for one in heard]
    for note in notes:
        if "does not have a value" in note or "conversion factor" in note:
            raise InputRejected(f"{path.name}: {note} Give every variable a value and connected ones convertible units")
    if model.time() is None or not model.count_states():
        raise InputRejected(f"{path.name}: no differential equation in it; expected the model of a cell")
    return model, notes


def _named_derivatives(model: Any) -> None:
    """Where an equation uses another's dx/dt, that becomes a variable of its own."""
    used = {e.var() for v in model.variables() for e in v.rhs().walk() if isinstance(e, myokit.Derivative)}
    for state in sorted(used, key=lambda one: one.qname()):
        rate = state.parent().add_variable_allow_renaming(f"d_{state.name()}_dt")
        rate.set_rhs(state.rhs())
        state.set_rhs(myokit.Name(rate))
        here = {myokit.Derivative(myokit.Name(state)): myokit.Name(rate)}
        for variable in model.variables():
            if variable is not state:
                variable.set_rhs(variable.rhs().clone(subst=here))


def _potential(model: Any, wanted: str) -> Variable:
    states = list(model.states())
    if wanted:
        found = [state for state in states if state.qname() == wanted or state.name() == wanted]
        if len(found) != 1:
            raise InputRejected(f"no state variable {wanted!r}; states: {', '.join(s.qname() for s in states)}")
        return found[0]
    volts = [s for s in states if s.unit() is not None and myokit.Unit.can_convert(s.unit(), myokit.units.mV)]
    if not volts:
        named = [s for s in states if s.name() in POTENTIAL_NAMES] or states
        raise InputRejected(
            f"no membrane potential: no state variable is in volts ({named[0].qname()} is in {_unit(named[0])}). "
            "Give it the unit it has"
        )
    annotated = [state for state in volts if state.meta.get("oxmeta") == "membrane_voltage"]
    named = [state for state in volts if state.name() in POTENTIAL_NAMES]
    for candidates in (annotated, volts, named):
        if len(candidates) == 1:
            return candidates[0]
    raise InputRejected(
        f"several state variables are potentials: {', '.join(v.qname() for v in volts)}. Say which: --potential NAME"
    )


def _in_unit(variable: Variable, unit: str, what: str) -> None:
    try:
        variable.convert_unit(unit)
    except myokit.IncompatibleUnitError as error:
        raise InputRejected(
            f"{variable.qname()}: {what} is in {_unit(variable)}, expected a unit like {unit}"
        ) from error


def _unit(variable: Variable) -> str:
    unit = variable.unit()
    return "no unit" if unit is None else str(unit)


class Dependence:
    """Whether an expression depends, through however many variables, on what is asked for."""

    def __init__(self, on: Callable[[Variable], bool]) -> None:
        self.on = on
        self._known: dict[Variable, bool] = {}

    def __call__(self, expression: Expression) -> bool:
        return any(self.of(ref.var()) for ref in expression.references())

    def of(self, variable: Variable) -> bool:
        if variable not in self._known:
            self._known[variable] = self.on(variable) or (not variable.is_state() and self(variable.rhs()))
        return self._known[variable]


def depends_on(variable: Variable) -> Dependence:
    """Whether an expression depends on one variable."""
    return Dependence(lambda v: v is variable)


def _without_stimulus(model: Any, voltage: Variable) -> tuple[str, ...]:
    """Set to 0 what depends on time and constants only; the names of what was."""
    time = model.time()
    on_time, on_state = depends_on(time), Dependence(lambda v: v.is_state())
    removed: dict[str, Expression] = {}
    replaced = {}
    for variable in model.variables(bound=False):
        rhs = variable.rhs()
        if (variable.is_state() or on_state(rhs)) and on_time(rhs):
            replaced[variable] = simplified(_cut(rhs, variable, on_time, on_state, removed))
    for expression in removed.values():
        _check_pulse(expression, time)
    for variable, rhs in replaced.items():
        variable.set_rhs(rhs)
    names = list(removed)
    for variable in model.variables(bound=False, state=False):
        constant = not on_time(variable.rhs()) and not on_state(variable.rhs())
        is_it = variable.meta.get("oxmeta") == "membrane_stimulus_current" or STIMULUS_NAME.match(variable.name())
        if constant and is_it and depends_on(variable)(voltage.rhs()):
            names.append(variable.qname())
            here = {myokit.Name(variable): myokit.Number(0)}
            for user in list(variable.refs_by()):
                user.set_rhs(simplified(user.rhs().clone(subst=here)))
    return tuple(names)


def _cut(
    e: Expression, where: Variable, on_time: Dependence, on_state: Dependence, removed: dict[str, Expression]
) -> Expression:
    if not on_time(e):
        return e
    if not on_state(e):
        if isinstance(e, myokit.Condition):
            raise InputRejected(
                f"{where.qname()} depends on time other than by adding a stimulus ({one_line(e.code())[:80]}); "
                "take that out of the file"
            )
        names = [r.var().qname() for r in e.references() if r.var().binding() is None and on_time(r.var().rhs())]
        removed[", ".join(sorted(names)) or where.qname()] = e
        return myokit.Number(0)
    if isinstance(e, myokit.Name):  # a variable with its own equation, which is cut itself
        return e
    return type(e)(*(_cut(part, where, on_time, on_state, removed) for part in e))


def _check_pulse(expression: Expression, time: Variable) -> None:
    """A stimulus is off at times; anything else that depends on time is no stimulus."""
    value = expression.clone(expand=True, retain=[time]).pyfunc(use_numpy=False)
    moments = np.arange(0.0, 3000.0, 0.5)
    try:
        values = [value(float(t)) for t in moments]
    except (ArithmeticError, ValueError, TypeError):
        return
    if all(values):
        raise InputRejected(
            f"{one_line(expression.code())[:80]} depends on time and is never 0, so it is no stimulus; "
            "take it out of the file"
        )


def _check_functions(model: Any) -> None:
    for variable in model.variables(bound=False):
        for e in variable.rhs().walk():
            if not isinstance(e, SUPPORTED):
                raise InputRejected(
                    f"{variable.qname()}: `{type(e).__name__.lower()}` is not computed by the kernels; "
                    "write it with exp, log, powers, sqrt, abs, floor or piecewise"
                )


def _without_choices(model: Any) -> set[Variable]:
    """Decide every condition of constants; the constants behind them."""
    decided: set[Variable] = set()
    on_state = Dependence(lambda v: v.is_state())

    def behind(expression: Expression) -> None:
        for reference in expression.references():
            if reference.var() not in decided:
                decided.add(reference.var())
                behind(reference.var().rhs())

    def chosen(e: Expression) -> Expression:
        if isinstance(e, myokit.If | myokit.Piecewise):
            *pieces, last = e
            left: list[Expression] = []
            for condition, piece in zip(pieces[::2], pieces[1::2], strict=True):
                if on_state(condition):
                    left += [condition, chosen(piece)]
                    continue
                behind(condition)
                if condition.eval():
                    last = piece
                    break
            return myokit.Piecewise(*left, chosen(last)) if left else chosen(last)
        return type(e)(*(chosen(part) for part in e)) if len(e) else e

    for variable in model.variables(bound=False):
        variable.set_rhs(chosen(variable.rhs()))
    return decided


def _unit_note(model: Any, voltage: Variable) -> list[str]:
    """Published files often have a slip in some unit; it is told, not refused, for the numbers may still be right."""
    wrong: list[str] = []
    rate = ""
    for variable in model.variables(bound=False):
        try:
            found = variable.rhs().eval_unit(myokit.UNIT_TOLERANT)
        except myokit.IncompatibleUnitError:
            wrong.append(variable.qname())
            continue
        expected = variable.unit()
        if variable.is_state() and expected is not None:
            expected = expected / model.time_unit()
        if not (found is None or expected is None or myokit.Unit.close(found, expected)):
            wrong.append(variable.qname())
            if variable is voltage:
                rate = f" The right side of dV/dt is in {found}, expected {expected}."
    if not wrong:
        return []
    return [
        f"units do not agree in {len(wrong)} equations (first: {wrong[0]}); the numbers are taken as they are.{rate}"
    ]


def simplified(e: Expression) -> Expression:
    """Without sums with 0 and products with 0 or 1."""
    if isinstance(e, myokit.Condition) or not len(e):
        return e
    parts = [simplified(part) for part in e]
    zero = [part.is_number(0) for part in parts]
    one = [part.is_number(1) for part in parts]
    match e:
        case myokit.Plus() if any(zero):
            return parts[zero.index(True) ^ 1]
        case myokit.Minus() if zero[1]:
            return parts[0]
        case myokit.Minus() if zero[0]:
            return negated(parts[1])
        case myokit.Multiply() if any(zero):
            return myokit.Number(0)
        case myokit.Multiply() if any(one):
            return parts[one.index(True) ^ 1]
        case myokit.Divide() if zero[0]:
            return myokit.Number(0)
        case myokit.Divide() if one[1]:
            return parts[0]
        case myokit.PrefixMinus() | myokit.PrefixPlus() if zero[0]:
            return parts[0]
        case myokit.Power() if one[1]:
            return parts[0]
    return type(e)(*parts)


def negated(e: Expression) -> Expression:
    """Minus an expression, with the sign taken inside where it is seen."""
    match e:
        case myokit.Number():
            return myokit.Number(-e.value())
        case myokit.PrefixMinus():
            return e[0]
        case myokit.Minus():
            return myokit.Minus(e[1], e[0])
        case myokit.Multiply() | myokit.Divide() if isinstance(e[0], myokit.PrefixMinus | myokit.Minus):
            return type(e)(negated(e[0]), e[1])
    return myokit.PrefixMinus(e)
