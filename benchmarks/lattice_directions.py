"""How much conduction velocity depends on how the fibres lie in the mesher's lattice.

    python benchmarks/lattice_directions.py [--json]

Plane waves of Mitchell-Schaeffer along and across fibres of random orientation, timed on the axis of a bar cut out of
the body-centred cubic lattice; conductivities tuned as `cardiotwin.tissue` does. The steeper the front, edge /
(tau_in v), the more it varies; `cardiotwin.cells` keeps that at 8 or below.
"""

from __future__ import annotations

import json
import platform
import sys

import numpy as np
from scipy.spatial.transform import Rotation

from cardiotwin.cells import LATTICE_CONSTANTS_PER_MS
from cardiotwin.meshes.reference.slab import lattice_block
from cardiotwin.monodomain import Medium, Protocol, Stimulus, simulate
from cardiotwin.velocity import tune

MODEL, EDGE_MM, DT_MS, ORIENTATIONS = "mitchell_schaeffer", 1.25, 0.1, 6
BAR_PERCENT = 6.0


def velocity_along(direction: np.ndarray, sigma: np.ndarray, parameters: dict[str, float], expected: float) -> float:
    """Of a plane wave, away from the ragged sides of the bar."""
    points, tets = lattice_block((40, 40, 40))
    points = points - 20.0
    x = points @ direction
    radius = np.linalg.norm(points - x[:, None] * direction, axis=1)
    tets = tets[((np.abs(x) < 14) & (radius < 8))[tets].all(axis=1)]
    medium = Medium(points * EDGE_MM, tets, np.tile(sigma, (len(tets), 1, 1)), MODEL, parameters)
    protocol = Protocol((Stimulus(np.intersect1d(np.flatnonzero(x < -11.0), tets), 0.0),), 50.0 * EDGE_MM / expected)
    seen = simulate(medium, protocol, dt_ms=DT_MS, stop_when_quiet=False).activation_ms[0]
    timed = (np.abs(x) < 6) & (radius < 2.5)
    return float(1.0 / np.polyfit(EDGE_MM * x[timed], seen[timed].astype(float), 1)[0])


def errors(along: float, across: float, tau_in: float) -> dict[str, np.ndarray]:
    """Relative velocity errors, %, of waves along and across fibres of each orientation."""
    parameters = {"tau_in": tau_in, "tau_out": 20.0 * tau_in}
    ratio = (across / along) ** 2
    sigma_along, _ = tune(along, MODEL, parameters, EDGE_MM, DT_MS, transverse=ratio)
    sigma_across, _ = tune(across, MODEL, parameters, EDGE_MM, DT_MS, transverse=0.875 + 0.125 / ratio)
    found: dict[str, list[float]] = {"along": [], "across": []}
    for fibre, sheet, _ in Rotation.random(ORIENTATIONS, random_state=1).as_matrix():
        sigma = sigma_across * np.eye(3) + (sigma_along - sigma_across) * np.outer(fibre, fibre)
        found["along"].append(100 * (velocity_along(fibre, sigma, parameters, along) / along - 1))
        found["across"].append(100 * (velocity_along(sheet, sigma, parameters, across) / across - 1))
    return {name: np.array(values) for name, values in found.items()}


def rows() -> list[dict]:
    """Mean and extremes for healthy tissue and border zone at three fronts each."""
    table = []
    for along, across in ((0.6, 0.3), (0.3, 0.15)):
        for steepness in (28.0, 12.0, LATTICE_CONSTANTS_PER_MS):
            tau_in = EDGE_MM / (steepness * across)
            asked = BAR_PERCENT if steepness <= LATTICE_CONSTANTS_PER_MS else None
            for name, values in errors(along, across, tau_in).items():
                worst = float(np.abs(values).max())
                table.append({
                    "name": f"{along:g}/{across:g} m/s, edge/(tau_in v) {steepness:g}, {name}: largest error",
                    "value": worst, "unit": "%", "bar": asked, "ok": None if asked is None else worst <= asked,
                    "note": f"mean {values.mean():+.1f}, {values.min():+.1f} to {values.max():+.1f}; "
                    f"tau_in {tau_in:.2f} ms",
                })  # fmt: skip
    return table


if __name__ == "__main__":
    found = rows()
    if "--json" in sys.argv:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "rows": found}))
    else:
        for line in found:
            print(f"{line['name']:62s} {line['value']:6.1f} %   {line['note']}")
