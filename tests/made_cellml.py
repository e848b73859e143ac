"""CellML files made from equations in Python's spelling; and Beeler and Reuter 1977, from the paper."""

import ast
from pathlib import Path

NAMESPACES = {"1.0": "http://www.cellml.org/cellml/1.0#", "2.0": "http://www.cellml.org/cellml/2.0#"}
UNITS = {
    "mV": [("volt", "milli", 1)],
    "ms": [("second", "milli", 1)],
    "mS_per_cm2": [("siemens", "milli", 1), ("metre", "centi", -2)],
}
OPERATORS = {
    ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times", ast.Div: "divide", ast.Pow: "power", ast.Lt: "lt",
    ast.LtE: "leq", ast.Gt: "gt", ast.GtE: "geq", ast.Eq: "eq", ast.NotEq: "neq", ast.And: "and", ast.Or: "or",
    ast.Not: "not", ast.USub: "minus",
}  # fmt: skip
FUNCTIONS = {"log": "ln", "log10": "log", "sqrt": "root"}  # others have the same name


def beeler_reuter(**changed: str) -> dict:
    """As printed (J. Physiol. 268, 177), mV, ms, µA/cm², C_m = 1 µF/cm²; arguments of `written`."""
    equations = {
        "i_K1": "0.35 * (4 * (exp(0.04 * (V + 85)) - 1) / (exp(0.08 * (V + 53)) + exp(0.04 * (V + 53)))"
        " + 0.2 * (V + 23) / (1 - exp(-0.04 * (V + 23))))",
        "i_x1": "x1 * 0.8 * (exp(0.04 * (V + 77)) - 1) / exp(0.04 * (V + 35))",
        "i_Na": "(g_Na * m ** 3 * h * j + g_NaC) * (V - 50)",
        "E_s": "-82.3 - 13.0287 * log(Ca_i)",
        "i_s": "g_s * d * f * (V - E_s)",
        "alpha_x1": "0.0005 * exp(0.083 * (V + 50)) / (exp(0.057 * (V + 50)) + 1)",
        "beta_x1": "0.0013 * exp(-0.06 * (V + 20)) / (exp(-0.04 * (V + 20)) + 1)",
        "alpha_m": "-(V + 47) / (exp(-0.1 * (V + 47)) - 1)",
        "beta_m": "40 * exp(-0.056 * (V + 72))",
        "alpha_h": "0.126 * exp(-0.25 * (V + 77))",
        "beta_h": "1.7 / (exp(-0.082 * (V + 22.5)) + 1)",
        "alpha_j": "0.055 * exp(-0.25 * (V + 78)) / (exp(-0.2 * (V + 78)) + 1)",
        "beta_j": "0.3 / (exp(-0.1 * (V + 32)) + 1)",
        "alpha_d": "0.095 * exp(-0.01 * (V - 5)) / (exp(-0.072 * (V - 5)) + 1)",
        "beta_d": "0.07 * exp(-0.017 * (V + 44)) / (exp(0.05 * (V + 44)) + 1)",
        "alpha_f": "0.012 * exp(-0.008 * (V + 28)) / (exp(0.15 * (V + 28)) + 1)",
        "beta_f": "0.0065 * exp(-0.02 * (V + 30)) / (exp(-0.2 * (V + 30)) + 1)",
        "i_stim": "-30 if 100 <= time - 1000 * floor(time / 1000) and time - 1000 * floor(time / 1000) < 102 else 0",
    }
    rates = {"V": "-(i_K1 + i_x1 + i_Na + i_s + i_stim) / C_m", "Ca_i": "-1e-7 * i_s + 0.07 * (1e-7 - Ca_i)"}
    rates |= {gate: f"alpha_{gate} * (1 - {gate}) - beta_{gate} * {gate}" for gate in ("x1", "m", "h", "j", "d", "f")}
    for name, text in changed.items():
        (rates if name in rates or name not in equations else equations)[name] = text
    return {
        "initial": {
            "V": -84.57, "Ca_i": 1.782e-7, "x1": 0.0057, "m": 0.0110, "h": 0.9877, "j": 0.9748, "d": 0.0030, "f": 1.0,
        },
        "constants": {"g_Na": 4.0, "g_NaC": 0.003, "g_s": 0.09, "C_m": 1.0},
        "equations": equations,
        "rates": rates,
        "units": {"V": "mV", "time": "ms", "g_Na": "mS_per_cm2"},
    }  # fmt: skip


def written(
    path: Path, *, initial, constants, equations, rates, units, version="1.0", documentation="", time="time"
) -> Path:
    """Write a model of one component. All that has no unit in `units` is dimensionless."""
    names = {time: None, **initial, **constants, **dict.fromkeys(equations)}
    variables = "".join(
        f'<variable name="{name}" units="{units.get(name, "dimensionless")}"'
        + ("" if value is None else f' initial_value="{value!r}"')
        + "/>"
        for name, value in names.items()
    )
    left = {f"<ci>{name}</ci>": text for name, text in equations.items()}
    left |= {f"<apply><diff/><bvar><ci>{time}</ci></bvar><ci>{name}</ci></apply>": text for name, text in rates.items()}
    math = "".join(f"<apply><eq/>{lhs}{mathml(text)}</apply>" for lhs, text in left.items())
    defined = "".join(
        f'<units name="{name}">'
        + "".join(f'<unit units="{u}" prefix="{p}" exponent="{e}"/>' for u, p, e in parts)
        + "</units>"
        for name, parts in UNITS.items()
    )
    told = f'<documentation xmlns="http://cellml.org/tmp-documentation">{documentation}</documentation>'
    namespace = NAMESPACES[version]
    path.write_text(
        f'<?xml version="1.0"?>\n<model name="made" xmlns="{namespace}" xmlns:cellml="{namespace}">'
        f'{told if documentation else ""}{defined}<component name="membrane">{variables}'
        f'<math xmlns="http://www.w3.org/1998/Math/MathML">{math}</math></component></model>\n'
    )
    return path


def mathml(text: str) -> str:
    """An expression as content MathML."""
    return _mathml(ast.parse(text, mode="eval").body)


def _mathml(node: ast.AST) -> str:
    match node:
        case ast.Constant():
            text = repr(float(node.value))
            mantissa, _, exponent = text.partition("e")
            kind = f' type="e-notation">{mantissa}<sep/>{int(exponent)}' if exponent else f">{mantissa}"
            return f'<cn cellml:units="dimensionless"{kind}</cn>'
        case ast.Name():
            return f"<ci>{node.id}</ci>"
        case ast.UnaryOp():
            return f"<apply><{OPERATORS[type(node.op)]}/>{_mathml(node.operand)}</apply>"
        case ast.BinOp():
            return f"<apply><{OPERATORS[type(node.op)]}/>{_mathml(node.left)}{_mathml(node.right)}</apply>"
        case ast.BoolOp():
            return f"<apply><{OPERATORS[type(node.op)]}/>{''.join(map(_mathml, node.values))}</apply>"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return f"<apply><{OPERATORS[type(op)]}/>{_mathml(left)}{_mathml(right)}</apply>"
        case ast.Compare(left=left, ops=[first, second], comparators=[middle, right]):
            low = ast.Compare(left, [first], [middle])
            return f"<apply><and/>{_mathml(low)}{_mathml(ast.Compare(middle, [second], [right]))}</apply>"
        case ast.IfExp():
            piece = f"<piece>{_mathml(node.body)}{_mathml(node.test)}</piece>"
            return f"<piecewise>{piece}<otherwise>{_mathml(node.orelse)}</otherwise></piecewise>"
        case ast.Call(func=ast.Name(id=name)):
            return f"<apply><{FUNCTIONS.get(name, name)}/>{''.join(map(_mathml, node.args))}</apply>"
    raise ValueError(ast.dump(node))
