"""How far the error of a coarse mesh can be pushed down: Niederer's slab in cubes of 0.5 mm.

    python benchmarks/coarse_slab.py [--json]

P8 by the discretisation: the mass matrix from lumped (share 1) to consistent (0) and beyond, where what it lacks of
mass at a node is taken from the neighbours (a share of -0.25 makes it singular); and by conductivities tuned for the
velocities that the same ones give on a fine cable, which is what production does. Each as a percentage of the
converged P8.
"""

from __future__ import annotations

import argparse
import json
import platform

import numpy as np

from cardiotwin.medium import Medium
from cardiotwin.meshes.reference.slab import slab
from cardiotwin.protocol import Protocol, Stimulus
from cardiotwin.solver import Solver
from cardiotwin.velocity import plane_wave_velocity, tune
from cardiotwin.verification.niederer import SIGMA, SIZE_MM, STIMULUS_MV_PER_MS

EDGE_MM, DT_MS, MODEL = 0.5, 0.02, "ten_tusscher_2006"
CONVERGED_MS = 42.5
POINTS_MM = {"P2": (0.0, 7.0, 0.0), "P3": (20.0, 0.0, 0.0), "P8": (20.0, 7.0, 3.0)}
LUMPED_SHARES = (1.0, 0.5, 0.0, -0.1, -0.2)


def arrivals(sigma: tuple[float, float], mass_lumping: float) -> dict[str, float]:
    """Activation times at the three points, ms; NaN where no wave came within 250 ms."""
    mesh = slab(SIZE_MM, EDGE_MM)
    along, across = sigma
    tensor = np.broadcast_to(np.diag([along, across, across]), (len(mesh.tets), 3, 3)).copy()
    medium = Medium(mesh.points, mesh.tets, tensor, MODEL, {}, mass_lumping=mass_lumping)
    stimulus = Stimulus(np.flatnonzero((mesh.points <= 1.5 + 1e-9).all(axis=1)), 0.0, 2.0, STIMULUS_MV_PER_MS)
    nodes = {name: int(np.argmin(np.linalg.norm(mesh.points - at, axis=1))) for name, at in POINTS_MM.items()}

    def all_there(_: float, activation_ms: np.ndarray) -> bool:
        return bool(np.isfinite(activation_ms[0, list(nodes.values())]).all())

    solver = Solver(medium, DT_MS, precision="double")
    seen = solver.run(Protocol((stimulus,), 250.0), monitor=all_there)[0].activation_ms[0]
    return {name: float(seen[node]) for name, node in nodes.items()}


def tuned() -> tuple[float, float]:
    """Conductivities that give on cubes of 0.5 mm the velocities that Niederer's give on a fine cable."""
    found = []
    for sigma, expected in zip(SIGMA, (0.65, 0.25), strict=True):
        how: dict = {"geometry": "cable", "precision": "double"}
        fine = plane_wave_velocity(sigma, MODEL, {}, 0.05, DT_MS, expected=expected, **how)
        found.append(tune(fine, MODEL, {}, EDGE_MM, DT_MS, **how)[0])
    return found[0], found[1]


def rows() -> list[dict]:
    """One row a way to discretise."""
    tried = [(f"mass lumped by {share:g}", SIGMA, share) for share in LUMPED_SHARES]
    tried.append(("lumped mass, tuned conductivities", tuned(), 1.0))
    table = []
    for name, sigma, share in tried:
        times = arrivals(sigma, share)
        error = 100.0 * (times["P8"] / CONVERGED_MS - 1.0)
        note = ", ".join(f"{point} {time_ms:.2f}" for point, time_ms in times.items())
        table.append({"name": name, "value": error, "unit": "%", "bar": 10.0, "ok": abs(error) <= 10.0,
                      "note": f"{note}; sigma {sigma[0]:.4f}, {sigma[1]:.4f} mS/mm"})  # fmt: skip
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    found = rows()
    if parser.parse_args().json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "rows": found}))
    else:
        for line in found:
            print(f"{line['name']:40s} {line['value']:+7.1f} %   {line['note']}")
