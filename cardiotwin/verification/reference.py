"""What the slab's P8 converges to, by our own refinement: Richardson extrapolation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from cardiotwin.errors import ResourceLimit
from cardiotwin.memory import available_bytes
from cardiotwin.progress import Progress, part
from cardiotwin.verification.niederer import PAPER_P8_MS, niederer
from cardiotwin.verification.rows import Row, between, row

NAME = "niederer/reference"
EDGES_MM = (0.1, 20.0 / 300.0, 0.05)
MEMORY_GB = 15.0
"""That must be free for the finest of them, which takes 11."""
EDGES_IN_LESS_MM = (0.125, 0.1, 20.0 / 300.0)
WATCHED_MS = 50.0
"""The slowest code of the paper takes 48.7 ms."""
DT_MS = 0.004
"""What diffusion bears at second order on the finest slab; half of it moves P8 by 0.0001 ms at 0.1 mm."""
TOLERANCE_MV = 0.1
"""At 0.1 mm P8 comes 0.001 ms later with the production tolerance of 0.25 mV."""
ORDERS = (0.2, 8.0)
"""Where an observed order is looked for."""


def extrapolated(edges: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """The limit and the order p of three values that go as limit + a edge^p; NaN where they do not."""
    (h1, h2, h3), (t1, t2, t3) = edges, values

    def mismatch(p: float) -> float:
        return float((t1 - t2) * (h2**p - h3**p) - (t2 - t3) * (h1**p - h2**p))

    if not mismatch(ORDERS[0]) * mismatch(ORDERS[1]) < 0.0:
        return float("nan"), float("nan")
    order = float(brentq(mismatch, *ORDERS))
    return limit(edges[-2:], values[-2:], order), order


def limit(edges: Sequence[float], values: Sequence[float], order: float) -> float:
    """Of two values of known order."""
    (coarse, fine), (there, here) = (np.asarray(edges) ** order), values
    return float(here + (here - there) * fine / (coarse - fine))


MEASURED_P8_MS = (44.712, 43.249, 42.817)
"""On the slabs of `EDGES_MM`; `reference_rows` runs them anew."""
P8_MS = limit(EDGES_MM[1:], MEASURED_P8_MS[1:], 2.0)
"""42.26, uncertain by 0.2."""


def reference_row(times_ms: Sequence[float], edges_mm: Sequence[float] = EDGES_MM) -> Row:
    """P8 extrapolated from the two finest slabs at the theoretical order, 2.

    Its uncertainty is how far from that lie the two coarser slabs at order 2, and all three at the order observed,
    whichever is farther.
    """
    value = limit(edges_mm[1:], times_ms[1:], 2.0)
    coarser = limit(edges_mm[:2], times_ms[:2], 2.0)
    free, order = extrapolated(edges_mm, times_ms)
    found = ", ".join(f"{edge:.4g} mm {t:.3f}" for edge, t in zip(edges_mm, times_ms, strict=True))
    note = (
        f"{found}; uncertainty {np.nanmax(np.abs([coarser - value, free - value])):.2f} ms (the two coarser "
        f"{coarser:.2f}; observed order {order:.2f}, {free:.2f}); openCARP, consistent mass: 40.654 at 0.1 mm"
    )
    return between(NAME, value, "ms", *PAPER_P8_MS, "11 codes of the paper", note)


def reference_rows(progress: Progress) -> list[Row]:
    """Three slabs; the finest has 3.4 million nodes."""
    edges = EDGES_MM if available_bytes() > 1e9 * MEMORY_GB else EDGES_IN_LESS_MM
    nodes = np.array(edges) ** -3.0
    ends = np.cumsum(nodes) / nodes.sum()
    starts = np.concatenate([[0.0], ends[:-1]])
    try:
        times = [_p8(*one, progress) for one in zip(edges, starts, ends, strict=True)]
    except ResourceLimit as short:
        return [row(NAME, np.nan, "ms", note=f"not measured: {short}")]
    return [reference_row(times, edges)]


def _p8(edge_mm: float, start: float, end: float, progress: Progress) -> float:
    listening = part(progress, start, end)
    times, _ = niederer(
        edge_mm, DT_MS, tolerance_mv=TOLERANCE_MV, diffusion="explicit", by_volume=True, watched_ms=WATCHED_MS,
        progress=listening,
    )  # fmt: skip  # one scheme for all three
    return times["P8"]
