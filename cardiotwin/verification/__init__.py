"""The physics, checked on this machine: what `cardiotwin verify` prints.

One module a table: exact solutions, the slab of the N-version benchmark, conduction velocity, single cells, precision
and threads. Each row is a dict with name, value, unit, bar (what was asked), ok (measured; None where nothing was) and
note.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from cardiotwin.compiled import say_when_compiling
from cardiotwin.progress import Progress, part, silent
from cardiotwin.verification.cells import cell_rows
from cardiotwin.verification.exact import order_rows
from cardiotwin.verification.niederer import EDGES_MM, STEPS_MS, pair_rows
from cardiotwin.verification.numerics import precision_rows, threads_rows
from cardiotwin.verification.reference import reference_rows
from cardiotwin.verification.rows import Row, Table
from cardiotwin.verification.velocity import LATTICES, lattice_rows, opencarp_rows

__all__ = ["TITLES", "Row", "verify"]

TITLES = {
    "order": "Exact solutions of Pathmanathan and Gray 2014: observed order in space",
    "velocity": "Conduction velocity: error of waves in the lattice, and the conductivity on openCARP's cable",
    "cell": "Single cells: production steps against the finest",
    "precision": "Single against double precision",
    "threads": "One thread against two",
    "niederer": "Slab of Niederer et al. 2011: activation times",
}
"""Of the tables, by the first part of a row's name."""


class Job(NamedTuple):
    """A table, or a part of one, and about how many seconds it takes on two cores."""

    table: Table
    seconds: float
    long: bool = False
    """Left out by `quick`."""


SLAB_SECONDS = {
    (0.5, 0.05): 5, (0.5, 0.01): 2, (0.5, 0.005): 3, (0.2, 0.05): 4, (0.2, 0.01): 7, (0.2, 0.005): 8,
    (0.1, 0.05): 16, (0.1, 0.01): 25, (0.1, 0.005): 60,
}  # fmt: skip
LATTICE_SECONDS = (85, 70, 8, 8)

JOBS = (
    Job(order_rows, 10),
    *(Job(partial(lattice_rows, one), seconds) for one, seconds in zip(LATTICES, LATTICE_SECONDS, strict=True)),
    Job(opencarp_rows, 10),
    Job(cell_rows, 60),
    Job(precision_rows, 12),
    Job(threads_rows, 2),
    *(
        Job(partial(pair_rows, edge, dt), SLAB_SECONDS[edge, dt], long=edge == EDGES_MM[-1])
        for edge in EDGES_MM
        for dt in STEPS_MS
    ),
    Job(reference_rows, 450, long=True),
)


def verify(quick: bool = False, progress: Progress = silent) -> list[Row]:
    """Run the physics benchmarks.

    Parameters
    ----------
    quick : bool
        Leave out the Niederer slabs of 0.1 mm and finer.

    Returns
    -------
    list of dict
        name, value, unit, bar, ok, note.
    """
    say_when_compiling()
    jobs = [job for job in JOBS if not (quick and job.long)]
    whole, done = sum(job.seconds for job in jobs), 0.0
    rows: list[Row] = []
    for job in jobs:
        rows += job.table(part(progress, done / whole, (done + job.seconds) / whole))
        done += job.seconds
        progress(done / whole, rows[-1]["name"])
    return rows
