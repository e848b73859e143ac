"""How much conduction velocity depends on how the fibres lie in the mesher's lattice.

    python benchmarks/lattice_directions.py [--json]

Plane waves along and across fibres of random orientation, 20 and 40 of them, in the endless body-centred cubic lattice,
none of them used in a fit: with one conductivity for all orientations, and with the tensor that
`cardiotwin.tissue.lattice` makes a function of them. The steeper the front of Mitchell-Schaeffer, edge/(tau_in v), the
more velocity varies; `cardiotwin.tissue.cells` keeps that at 8 or below. That of a detailed cell model is as it is.
"""

from __future__ import annotations

from table import Row, options, row, show

from cardiotwin.tissue.cells import LATTICE_CONSTANTS_PER_MS, conducting_cell
from cardiotwin.tissue.lattice import orientation_errors, oriented, uniform
from cardiotwin.tissue.velocity import tune

TWO_VARIABLE, DETAILED = "mitchell_schaeffer", "ten_tusscher_2006"
HEALTHY, BORDER_ZONE = (0.6, 0.3), (0.3, 0.15)
BAR_PERCENT = 3.0
SEED = 7
"""No fit has seen the orientations it draws."""


def cases() -> list[tuple[str, tuple]]:
    """What is asked, as `cardiotwin.tissue.lattice.oriented` takes it after the conductivities to start from."""
    chosen: list[tuple[str, tuple]] = []
    for steepness in (28.0, 12.0, LATTICE_CONSTANTS_PER_MS):
        tau_in = 1.25 / (steepness * HEALTHY[1])
        cell = {"tau_in": tau_in, "tau_out": 20.0 * tau_in}
        chosen.append((f"edge/(tau_in v) {steepness:g}", (*HEALTHY, TWO_VARIABLE, cell, 1.25, 0.1)))
    for edge_mm in (1.0, 0.4):
        chosen.append(("healthy", (*HEALTHY, DETAILED, {}, edge_mm, 0.02)))
        cell = conducting_cell(DETAILED, BORDER_ZONE[1], edge_mm, True)
        chosen.append(("border zone", (*BORDER_ZONE, DETAILED, cell, edge_mm, 0.02)))
    return chosen


def errors(along: float, across: float, model: str, cell: dict, edge_mm: float, dt_ms: float) -> dict[str, dict]:
    """Relative velocity errors by conductivity and direction."""
    tissue = model, cell, edge_mm, dt_ms
    ratio = (across / along) ** 2
    start = (
        tune(along, *tissue, transverse=ratio)[0],
        tune(across, *tissue, transverse=0.875 + 0.125 / ratio)[0],
    )
    fitted = oriented(along, across, start, *tissue)
    ways = {"one conductivity": uniform(*start), "oriented": fitted or uniform(*start)}
    return {way: orientation_errors(one, along, across, *tissue, SEED) for way, one in ways.items()}


def rows() -> list[Row]:
    """Largest error, along and across, with its mean and extremes."""
    table = []
    for name, (along, across, model, *rest) in cases():
        for way, found in errors(along, across, model, *rest).items():
            for direction, values in found.items():
                percent = 100.0 * values
                worst = float(percent[abs(percent).argmax()])
                asked = BAR_PERCENT if way == "oriented" else None
                spread = f"{percent.min():+.1f} to {percent.max():+.1f}, standard deviation {percent.std():.1f}"
                ok = None if asked is None else abs(worst) <= asked
                label = f"{model} {rest[1]:g} mm, {name}, {direction}, {way}"
                table.append(row(label, worst, "%", asked, ok, f"mean {percent.mean():+.1f}, {spread}"))
    return table


if __name__ == "__main__":
    show([rows()], as_json=options(__doc__).parse_args().json)
