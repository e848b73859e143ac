"""Conduction velocity: the conductivity that is tuned for it."""

from __future__ import annotations

from cardiotwin.kernels.ionic.ten_tusscher_2006 import AUTHORS_STATE
from cardiotwin.progress import Progress
from cardiotwin.velocity import tune
from cardiotwin.verification.rows import Row, row

TUNE_CV = ((0.6, 0.1195, 0.1200), (0.3, 0.0285, 0.0285), (0.2, 0.0128, 0.0128))
"""openCARP's tuneCV: wanted velocity, m/s, and the range of conductivities found, S/m."""


def opencarp_rows(progress: Progress) -> list[Row]:
    """Conductivity for each velocity of openCARP's table."""
    rows: list[Row] = []
    for line in TUNE_CV:
        progress(len(rows) / len(TUNE_CV), "conductivity on a cable")
        rows.append(opencarp_row(*line))
    return rows


def opencarp_row(velocity: float, low: float, high: float) -> Row:
    """On openCARP's cable: consistent mass, dx 0.1 mm, dt 0.01 ms at first order."""
    consistent, converged, lumped = (
        tune(
            velocity, "ten_tusscher_2006", {}, 0.1, 0.01,
            initial=AUTHORS_STATE, geometry=geometry, precision="double", tolerance=0.001, order=order,
        )[0]
        for geometry, order in (("consistent cable", 1), ("consistent cable", 2), ("cable", 2))
    )  # fmt: skip
    middle = 0.5 * (low + high)
    return row(
        f"velocity/opencarp/{velocity:g}",
        consistent,
        "mS/mm",
        f"{middle:.4f} within 1 % (openCARP)",
        abs(consistent / middle - 1.0) < 0.01,
        f"conductivity; at second order {converged:.4f}; with lumped mass too, as in production, {lumped:.4f}",
    )
