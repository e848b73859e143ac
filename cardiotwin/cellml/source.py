"""The equations of a membrane as the source of a cell model: what `kernels/ionic/` holds, written by rule."""

from __future__ import annotations

import builtins
import keyword
import math
import re
import textwrap
from dataclasses import dataclass
from typing import Any

import myokit
from myokit.formats.python import PythonExpressionWriter

from cardiotwin.cellml.equations import Column, Scheme, in_order
from cardiotwin.cellml.reading import Dependence, Expression, Membrane, Variable, negated
from cardiotwin.kernels.lanes import LONGEST_PRODUCT

WIDTH = 120
FUNCTIONS = ("abs", "apart", "exp", "floor", "log", "power", "rush_larsen", "sqrt", "where")
CONDUCTANCE = re.compile(r"[gGpP](_|bar|[A-Z])")
RESERVED = {
    *keyword.kwlist, *keyword.softkwlist, *dir(builtins), *FUNCTIONS, "cell", "lane", "V", "dt", "rows", "gates",
    "ionic_current", "STATE", "PARAMETERS", "REST_MV", "REPOLARISED_MV", "LONGEST_STEP_MS", "LONGEST_DT_MS",
    "STEEPEST_PER_MS", "NEEDS_DOUBLE",
}  # fmt: skip


@dataclass(frozen=True)
class Constants:
    """What a trial of the model decides."""

    rest_mv: float
    repolarised_mv: float
    longest_step_ms: float
    longest_dt_ms: float
    steepest_per_ms: float
    needs_double: bool


def source(membrane: Membrane, scheme: Scheme, constants: Constants, title: str) -> str:
    """A cell model, see `cardiotwin.kernels.ionic`; the same bytes for the same arguments.

    Parameters
    ----------
    title : str
        First paragraph of its docstring.
    """
    return _Source(membrane, scheme).text(constants, title)


def parameters(membrane: Membrane) -> list[Variable]:
    """Constants that nodes may have their own value of: conductances and permeabilities, by unit or by name."""
    used = in_order([state.rhs() for state in membrane.states])
    return [v for v in used if isinstance(v.rhs(), myokit.Number) and _is_conductance(v) and v not in membrane.decided]


def _is_conductance(variable: Variable) -> bool:
    unit = variable.unit()
    S, F, m = myokit.units.S, myokit.units.F, myokit.units.m
    known = unit is not None and any(myokit.Unit.can_convert(unit, one) for one in (S, S / m**2))
    # S/F is 1/s, so that of any rate.
    per_capacitance = unit is not None and myokit.Unit.can_convert(unit, S / F) and variable.name()[0] in "gG"
    return known or per_capacitance or CONDUCTANCE.match(variable.name()) is not None


class _Source:
    def __init__(self, membrane: Membrane, scheme: Scheme) -> None:
        self.membrane, self.scheme = membrane, scheme
        self.parameters = parameters(membrane)
        own = set(self.parameters)
        self.varies = Dependence(lambda v: v.is_state() or v in own)
        self.names = names(membrane)
        self.taken = set(self.names.values()) | RESERVED
        self.writer = _Writer(self.names, self.varies)
        self.constants: dict[Variable, None] = {}

    def text(self, constants: Constants, title: str) -> str:
        gates, current = self._gates(), self._ionic_current()
        body = "\n".join([*self._rows(), "", *self._constants(), "", "", *gates, "", "", *current, ""])
        used = sorted(name for name in FUNCTIONS if name != "abs" and re.search(rf"\b{name}\(", body))
        lanes = [f"from cardiotwin.kernels.lanes import {', '.join(used)}"] if used else []
        head = [
            f'"""{self._docstring(title)}',
            '"""',
            "",
            "# Names and comparisons are those of the file.",
            "# ruff: noqa: E741, N816, RUF100, SIM300",
            "from cardiotwin.kernels.ionic import rows",
            *lanes,
            "",
            f"REST_MV = {constants.rest_mv!r}",
            f"REPOLARISED_MV = {constants.repolarised_mv!r}",
            f"LONGEST_STEP_MS = {constants.longest_step_ms!r}",
            f"LONGEST_DT_MS = {constants.longest_dt_ms!r}",
            f"STEEPEST_PER_MS = {constants.steepest_per_ms!r}",
            f"NEEDS_DOUBLE = {constants.needs_double!r}",
            "",
            *self._table("STATE", self.membrane.states, lambda v: v.initial_value(as_float=True)),
            *self._table("PARAMETERS", self.parameters, lambda v: v.rhs().eval()),
            "",
            "# fmt: off",
        ]
        return "\n".join([*head, body])

    def _docstring(self, title: str) -> str:
        kinds = f"{len(self.scheme.gates)} gates take a Rush-Larsen step"
        if self.scheme.stiff:
            stiff = ", ".join(self.names[state] for state in self.scheme.stiff)
            kinds += f"; {stiff}, which change fast, a linearly implicit step together"
        changed = f"Changed from the file: {kinds}; all others a forward Euler step."
        if self.membrane.stimulus:
            changed += f" Left out: the stimulus, {', '.join(self.membrane.stimulus)}; the solver injects its own."
        units = "Units: ms, mV; all others as in the file. Every equation bears the name it has there."
        paragraphs = [title, changed, units]
        documentation = _plain(self.membrane.model.meta.get("documentation", ""))
        if documentation:
            paragraphs.append(
                "What the file says of itself: " + textwrap.shorten(documentation, 1200, placeholder=" ...")
            )
        wrapped = [textwrap.fill(_plain(one), WIDTH - 3, break_on_hyphens=False) for one in paragraphs]
        return "\n\n".join(wrapped) + "\n"

    def _table(self, name: str, variables: list[Variable], value: Any) -> list[str]:
        if not variables:
            return [f"{name} = {{}}"]
        lines = [f"{name} = {{"]
        for variable in variables:
            unit = variable.unit()
            comment = _plain(f"{variable.parent().name()}, {'no unit' if unit is None else str(unit).strip('[]')}")
            lines.append(f'    "{self.names[variable]}": {float(value(variable))!r},  # {comment}'[:WIDTH].rstrip())
        return [*lines, "}"]

    def _row(self, variable: Variable) -> str:
        return f"ROW_{self.names[variable]}"

    def _rows(self) -> list[str]:
        names = ", ".join(self._row(v) for v in (*self.membrane.states, *self.parameters))
        return _wrapped("(", f"{names},", ") = rows(STATE, PARAMETERS)")

    def _constants(self) -> list[str]:
        lines, component = [], None
        for variable in self.constants:
            if variable.parent() is not component:
                component = variable.parent()
                lines += ["", f"# {_plain(component.name()).replace('_', ' ')}"]
            unit = variable.unit()
            told = f"  # {_plain(str(unit)).strip('[]')}" if unit is not None and str(unit) != "[1]" else ""
            plain = _assignment(self.names[variable], self.writer.ex(variable.rhs()), "")
            lines += [plain[0] + told] if len(plain) == 1 and len(plain[0] + told) <= WIDTH else plain
        return lines[1:]

    def _function(self, head: str, about: str, targets: list[Expression], own: list[Variable]) -> list[str]:
        """Up to and with everything that the targets need, which belong to the variables `own`."""
        needed = in_order(targets)
        for variable in needed:
            if not self.varies.of(variable):
                self.constants.setdefault(variable)
        inner = [v for v in needed if self.varies.of(v) and v not in self.parameters]
        read = {r.var() for e in (*targets, *(v.rhs() for v in inner)) for r in e.references()} | set(own)
        lines = [head, f'    """{about}"""']
        singular = sorted({mv for v in (*inner, *own) for mv in self.scheme.singular_mv.get(v, ())})
        if singular:
            lines.append("    # Where an equation is 0/0.")
            lines += [f"    V = apart(V, {mv!r})" for mv in singular]
        for variable in (*self.membrane.states[1:], *self.parameters):
            if variable in read:
                lines += _wrapped(f"    {self.names[variable]} = cell[", f"{self._row(variable)} + lane", "]")
        component = None
        for variable in inner:
            if variable.parent() is not component:
                component = variable.parent()
                lines += ["", f"    # {_plain(component.name()).replace('_', ' ')}"]
            lines += _assignment(self.names[variable], self.writer.ex(variable.rhs()), "    ")
        return lines

    def _gates(self) -> list[str]:
        gates = self.scheme.gates
        targets = [e for gate in gates.values() for e in (gate.steady, gate.rate)]
        head = "def gates(cell, lane, V, dt):"
        lines = self._function(head, "Take the gates one Rush-Larsen step at a fixed potential.", targets, list(gates))
        lines.append("")
        for state, gate in gates.items():
            step = f"{self.names[state]}, {self.writer.ex(gate.steady)}, {self.writer.ex(gate.rate)}, dt"
            lines += _wrapped(f"    cell[{self._row(state)} + lane] = rush_larsen(", step, ")")
        return lines

    def _ionic_current(self) -> list[str]:
        voltage, gates = self.membrane.potential, self.scheme.gates
        others = [state for state in self.membrane.states[1:] if state not in gates]
        moving = [state for state in others if not state.rhs().is_number(0)]
        derivatives = [e for one in self.scheme.stiff.values() for e in (*one.chain.values(), *one.slopes.values())]
        lines = self._function(
            "def ionic_current(cell, lane, V, dt):",
            "I_ion over C_m, mV/ms; takes what is no gate one step.",
            [negated(voltage.rhs()), *(s.rhs() for s in moving), *(_without_partials(e) for e in derivatives)],
            [voltage, *moving],
        )
        lines.append("")
        # All rates first: each is that of the state given.
        rates = {state: self._fresh(f"rate_{self.names[state]}") for state in moving}
        for state in moving:
            lines += _assignment(rates[state], self.writer.ex(state.rhs()), "    ")
        lines += self._implicit(rates)
        for state in moving:
            change = f"change_{self.names[state]}" if state in self.scheme.stiff else f"dt * {rates[state]}"
            lines += _wrapped(f"    cell[{self._row(state)} + lane] = ", f"{self.names[state]} + {change}", "")
        return [*lines, *_wrapped("    return ", self.writer.ex(negated(voltage.rhs())), "")]

    def _implicit(self, rates: dict[Variable, str]) -> list[str]:
        """The change of the stiff ones, from (1 - dt J) change = dt rate; J is that of the state given."""
        columns = self.scheme.stiff
        if not columns:
            return []
        lines = ["", "    # Derivatives of the fast rates"]
        entries: dict[tuple[Variable, Variable], str] = {}
        for state, column in columns.items():
            lines += self._column(state, column, entries)
        return [*lines, "", "    # (1 - dt J) change = dt rate, by elimination", *self._eliminated(entries, rates)]

    def _column(self, state: Variable, column: Column, entries: dict[tuple[Variable, Variable], str]) -> list[str]:
        name, lines = self.names[state], []
        self.writer.derivative = {}
        for variable, e in column.chain.items():
            known = self._fresh(f"d_{self.names[variable]}_d_{name}")
            lines += _assignment(known, self.writer.ex(e), "    ")
            self.writer.derivative[variable] = known
        for row, slope in column.slopes.items():
            entries[row, state] = self._fresh(f"a_{self.names[row]}_{name}")
            one = "1.0 " if row is state else ""
            lines += _assignment(entries[row, state], f"{one}- dt * ({self.writer.ex(slope)})".lstrip(), "    ")
        if (state, state) not in entries:
            entries[state, state] = "1.0"
        return lines

    def _eliminated(self, entries: dict[tuple[Variable, Variable], str], rates: dict[Variable, str]) -> list[str]:
        """Gauss's elimination written out, only for what is not 0; the pivot is that with the least to do."""
        left, lines, done = list(self.scheme.stiff), [], []
        right = {state: f"change_{self.names[state]}" for state in left}
        lines += [f"    {right[state]} = dt * {rates[state]}" for state in left]
        while left:
            pivot = min(left, key=lambda p: sum((r, p) in entries for r in left) * sum((p, c) in entries for c in left))
            left.remove(pivot)
            inverse = self._fresh(f"inverse_{self.names[pivot]}")
            lines.append(f"    {inverse} = 1.0 / {entries[pivot, pivot]}")
            for row in [row for row in left if (row, pivot) in entries]:
                factor = self._fresh(f"f_{self.names[row]}_{self.names[pivot]}")
                lines.append(f"    {factor} = {entries[row, pivot]} * {inverse}")
                for column in [column for column in left if (pivot, column) in entries]:
                    before = entries.get((row, column))
                    if before is None or before == "1.0":
                        entries[row, column] = self._fresh(f"a_{self.names[row]}_{self.names[column]}")
                    start = "" if before is None else f"{before} "
                    lines.append(
                        f"    {entries[row, column]} = {start}- {factor} * {entries[pivot, column]}".replace(
                            "= - ", "= -"
                        )
                    )
                lines.append(f"    {right[row]} = {right[row]} - {factor} * {right[pivot]}")
            done.append((pivot, inverse, [column for column in left if (pivot, column) in entries]))
        for pivot, inverse, columns in reversed(done):
            rest = "".join(f" - {entries[pivot, column]} * {right[column]}" for column in columns)
            whole = f"({right[pivot]}{rest})" if rest else right[pivot]
            lines += _assignment(right[pivot], f"{whole} * {inverse}", "    ")
        return lines

    def _fresh(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def _without_partials(e: Expression) -> Expression:
    """The same with 1 for every derivative: what else it needs."""
    return e.clone(subst={p: myokit.Number(1) for p in e.walk() if isinstance(p, myokit.PartialDerivative)})


def names(membrane: Membrane) -> dict[Variable, str]:
    """Names as in the file; with the component before them where two share one, or where Python has it."""
    variables = [membrane.potential, *membrane.states[1:], *in_order([s.rhs() for s in membrane.states])]
    plain = [_identifier(v.name()) for v in variables]
    names: dict[Variable, str] = {membrane.potential: "V"}
    taken = {*RESERVED, *(n for n in plain if plain.count(n) > 1)}
    for variable, name in zip(variables[1:], plain[1:], strict=True):
        if name in taken:
            name = _identifier(f"{variable.parent().name()}_{name}")
        while name in taken or name in names.values():
            name += "_"
        names[variable] = name
    return names


def _identifier(name: str) -> str:
    clean = re.sub(r"[^0-9a-zA-Z]+", "_", name).strip("_")
    return clean if clean[:1].isalpha() else f"x_{clean}"


def _plain(text: str) -> str:
    """Without anything that could end a comment or a docstring."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).replace('"', "'").replace("\\", "/").split())


def _assignment(name: str, expression: str, indent: str) -> list[str]:
    return _wrapped(f"{indent}{name} = ", expression, "")


def _wrapped(before: str, text: str, after: str) -> list[str]:
    """One line, or several with the text in brackets."""
    if len(before + text + after) <= WIDTH:
        return [before + text + after]
    indent = before[: len(before) - len(before.lstrip())]
    if not after:
        before, after = before + "(", ")"
    inside = indent + "    "
    parts = textwrap.wrap(
        text, WIDTH, initial_indent=inside, subsequent_indent=inside, break_long_words=False, break_on_hyphens=False
    )
    return [before, *parts, indent + after]


class _Writer(PythonExpressionWriter):
    """Myokit's expressions in the words of `cardiotwin.kernels.lanes`."""

    def __init__(self, names: dict[Variable, str], varies: Dependence) -> None:
        super().__init__()
        self.varies = varies
        self.derivative: dict[Variable, str] = {}
        self._function_prefix = ""
        self.set_lhs_function(lambda e: names[e.var()])

    def _ex_number(self, e: Expression) -> str:
        return repr(float(e))

    def _ex_prefix_minus(self, e: Expression) -> str:
        if isinstance(e[0], myokit.PrefixMinus):
            return f"({self.ex(e[0][0])})"
        text = self._ex_prefix(e, "-")
        return f"-({text[1:]})" if text.startswith("--") else text

    def _ex_partial_derivative(self, e: Expression) -> str:
        return self.derivative[e.var()]

    def _ex_power(self, e: Expression) -> str:
        base, exponent = e
        if self.varies(exponent):
            return f"power({self.ex(base)}, {self.ex(exponent)})"
        value = float(exponent.eval())
        if value == 0.5:
            return f"sqrt({self.ex(base)})"
        if value == int(value) and 0 < abs(value) <= LONGEST_PRODUCT:
            return f"power({self.ex(base)}, {int(value)})"
        return f"power({self.ex(base)}, {self.ex(exponent)})"

    def _ex_log(self, e: Expression) -> str:
        return f"log({self.ex(e[0])})" if len(e) == 1 else f"(log({self.ex(e[0])}) / log({self.ex(e[1])}))"

    def _ex_log10(self, e: Expression) -> str:
        return f"({1.0 / math.log(10.0)!r} * log({self.ex(e[0])}))"

    def _ex_quotient(self, e: Expression) -> str:
        return f"floor({self.ex(myokit.Divide(*e))})"

    def _ex_remainder(self, e: Expression) -> str:
        return f"({self.ex(e[0])} - ({self.ex(e[1])}) * {self._ex_quotient(e)})"

    def _ex_infix_comparison(self, e: Expression, op: str) -> str:
        if self.varies(e[1]) and not self.varies(e[0]):  # the other way round, as one says it
            turned = op.translate(str.maketrans("<>", "><"))
            return f"({self.ex(e[1])} {turned} {self.ex(e[0])})"
        return f"({self.ex(e[0])} {op} {self.ex(e[1])})"

    def _ex_and(self, e: Expression) -> str:
        return f"({self.ex(e[0])} & {self.ex(e[1])})"

    def _ex_or(self, e: Expression) -> str:
        return f"({self.ex(e[0])} | {self.ex(e[1])})"

    def _ex_not(self, e: Expression) -> str:
        return self.ex(_opposite(e[0]))

    def _ex_if(self, e: Expression) -> str:
        return self._ex_piecewise(e)

    def _ex_piecewise(self, e: Expression) -> str:
        *pieces, last = e
        text = self.ex(last)
        for condition, piece in reversed(list(zip(pieces[::2], pieces[1::2], strict=True))):
            text = f"where({self.ex(condition)[1:-1]}, {self.ex(piece)}, {text})"  # a condition is in brackets
        return text


def _opposite(e: Expression) -> Expression:
    swapped = {
        myokit.Less: myokit.MoreEqual, myokit.MoreEqual: myokit.Less, myokit.More: myokit.LessEqual,
        myokit.LessEqual: myokit.More, myokit.Equal: myokit.NotEqual, myokit.NotEqual: myokit.Equal,
    }  # fmt: skip
    match e:
        case myokit.Not():
            return e[0]
        case myokit.And():
            return myokit.Or(_opposite(e[0]), _opposite(e[1]))
        case myokit.Or():
            return myokit.And(_opposite(e[0]), _opposite(e[1]))
    return swapped[type(e)](*e)
