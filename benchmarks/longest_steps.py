"""The longest time step of each cell model: where the column in the README and LONGEST_DT_MS come from.

    python benchmarks/longest_steps.py [--json] [MODEL ...]

A model is a name in `cardiotwin.kernels.ionic` or the path of a file;
`cardiotwin.solver.longest_step` says what is asked.
"""

from __future__ import annotations

from table import Row, options, show

from cardiotwin.kernels.ionic import MODELS, cell_model
from cardiotwin.solver.longest_step import APD_ERROR, longest_dt_ms
from cardiotwin.verification.rows import row


def rows(models: tuple[str, ...]) -> list[Row]:
    """A model says of itself what is measured in its own precision; the other is there to compare."""
    table = []
    for model in models:
        cell = cell_model(model)
        needed = "double" if getattr(cell, "NEEDS_DOUBLE", False) else "single"
        measured, double = longest_dt_ms(model, needed), longest_dt_ms(model, "double")
        stated = getattr(cell, "LONGEST_DT_MS", None)
        bar, ok = ("", None) if stated is None else (f"{stated:g}", measured == stated)
        note = f"{needed} precision; double {double:g}; APD90 within {100 * APD_ERROR:g} %"
        table.append(row(model, measured, "ms", bar, ok, note))
    return table


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    asked = parser.parse_args()
    show([rows(tuple(asked.models))], as_json=asked.json)
