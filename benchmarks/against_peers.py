"""The same slab with TorchCor and Finitewave from the package index, beside ours.

    python benchmarks/against_peers.py [--json] [--environments FOLDER] [--rounds 3]

Niederer's slab (20 x 7 x 3 mm) in cubes of 0.25 mm, each of six tetrahedra for those who use them; ten
Tusscher-Panfilov 2006, lumped mass, stimulus in the corner, one thread; processor time of the steps alone, of each
program in a process and an environment of its own, which is made when it is not there. Fixed: all programs take steps
of 0.01 ms, in turns; ours is of first order then, as theirs, and evaluates every node. Adaptive: ours as in production,
a whole beat, against the cost of a simulated millisecond of the other at its 0.01 ms. The peers compute in double
precision, which is what they offer, we in single, which is what we use; the errors are against our own fixed steps of
0.005 ms in double.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
import venv
from pathlib import Path

import numpy as np
from table import Row, at_least, at_most, options, row, show

from cardiotwin.meshes.reference.slab import slab
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.protocol import Protocol, Stimulus
from cardiotwin.solver.solver import Solver
from cardiotwin.verification.niederer import SIGMA, SIZE_MM, STIMULUS_MV_PER_MS

EDGE_MM, FIXED_DT_MS, FIXED_MS, BEAT_MS = 0.25, 0.01, 20.0, 450.0
ADAPTIVE_DT_MS, REFERENCE_DT_MS = 0.02, 0.005
WATCHED_MM = [(2.5, 2.5, 2.5), (5.0, 0.0, 0.0), (7.5, 0.0, 0.0)]
"""Reached by the wave within the fixed runs; on grid points."""
PEERS = {"torchcor": ["torchcor==1.0.6"], "finitewave": ["finitewave==0.9.3"]}
CAPACITY = 1.4
"""chi C_m, µF/mm³."""
FOLDER = Path(__file__).parent


def task(folder: Path, duration_ms: float) -> dict:
    """What every program is asked to do."""
    mesh = slab(SIZE_MM, EDGE_MM)
    stimulated = np.flatnonzero((mesh.points <= 1.5 + 1e-9).all(axis=1))
    watched = [int(np.argmin(np.linalg.norm(mesh.points - at, axis=1))) for at in WATCHED_MM]
    np.savez(folder / "mesh.npz", points=mesh.points, tets=mesh.tets, stimulated=stimulated, watched=watched)
    return {
        "mesh": str(folder / "mesh.npz"), "edge_mm": EDGE_MM, "size_mm": SIZE_MM, "sigma": SIGMA,
        "capacity": CAPACITY, "strength": STIMULUS_MV_PER_MS, "dt_ms": FIXED_DT_MS, "duration_ms": duration_ms,
        "snapshot_ms": 0.5, "watched_mm": WATCHED_MM,
    }  # fmt: skip


def environment(folder: Path, name: str) -> Path:
    """The interpreter of a peer's own environment; made when it is not there."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        venv.create(folder / name, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS[name]], check=True)
    return python


def peer(python: Path, name: str, what: dict) -> dict:
    """One run of a peer."""
    done = subprocess.run(
        [python, FOLDER / "peers" / f"{name}_slab.py"], input=json.dumps(what), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{name}: {(done.stderr.strip().splitlines() or ['died'])[-1]}")
    return json.loads(done.stdout.splitlines()[-1])  # some greet first


def medium() -> Medium:
    """The slab as our solver sees it."""
    mesh = slab(SIZE_MM, EDGE_MM)
    along, across = SIGMA
    sigma = np.broadcast_to(np.diag([along, across, across]), (len(mesh.tets), 3, 3)).copy()
    return Medium(mesh.points, mesh.tets, sigma, "ten_tusscher_2006", {})


def ours(body: Medium, dt_ms: float, duration_ms: float, **how) -> dict:
    """One run of ours, and what it found."""
    solver = Solver(body, dt_ms, threads=1, **how)
    nodes = np.flatnonzero((body.points <= 1.5 + 1e-9).all(axis=1))
    stimulus = Stimulus(nodes, 0.0, 2.0, STIMULUS_MV_PER_MS)
    solver.run(Protocol((stimulus,), 2 * dt_ms), stop_when_quiet=False)  # compile
    start = time.thread_time()
    seen = solver.run(Protocol((stimulus,), duration_ms), stop_when_quiet=False)[0]
    return {"seconds": time.thread_time() - start, "activation": seen.activation_ms[0],
            "repolarisation": seen.repolarisation_ms[0]}  # fmt: skip


def fixed_rows(what: dict, environments: Path, rounds: int) -> tuple[list[Row], dict[str, float]]:
    """All programs in turns; the ratio is the median over the turns. Also the peers' cost of a simulated ms."""
    body = medium()
    taken: dict[str, list[float]] = {"cardiotwin": [], **{name: [] for name in PEERS}}
    arrived: dict[str, list[float]] = {}
    pythons = {name: environment(environments, name) for name in PEERS}
    for _ in range(rounds):
        mine = ours(body, FIXED_DT_MS, FIXED_MS, tolerance_mv=0.0, order=1)
        taken["cardiotwin"].append(mine["seconds"])
        arrived["cardiotwin"] = mine["activation"][np.load(what["mesh"])["watched"]].tolist()
        for name in PEERS:
            found = peer(pythons[name], name, what)
            taken[name].append(found["seconds"])
            arrived[name] = found["activation_ms"]
    steps = len(body.points) * FIXED_MS / FIXED_DT_MS
    table = []
    for name, bar in (("torchcor", 6.0), ("finitewave", 20.0)):
        ratios = [his / mine for his, mine in zip(taken[name], taken["cardiotwin"], strict=True)]
        cost = 1e9 * statistics.median(taken[name]) / steps
        ratio = statistics.median(ratios)
        note = f"{min(ratios):.1f} to {max(ratios):.1f}; {PEERS[name][0]}: {cost:.0f} ns per node and step"
        table.append(at_least(f"fixed/over_{name}", [ratio], "times", bar, note))
    cost = 1e9 * statistics.median(taken["cardiotwin"]) / steps
    table.append(row("fixed/cardiotwin", cost, "ns per node and step", note=f"{len(body.points)} nodes"))
    for name in PEERS:
        apart = float(np.nanmax(np.abs(np.array(arrived[name]) - arrived["cardiotwin"])))
        listed = ", ".join(f"{time_ms:.2f}" for time_ms in arrived[name])
        table.append(row(f"fixed/{name}_apart", apart, "ms", note=f"activation {listed} at three points"))
    return table, {name: statistics.median(taken[name]) / FIXED_MS for name in PEERS}


def adaptive_rows(cost_of_ms: dict[str, float], rounds: int) -> list[Row]:
    """Ours as in production, its cost and its errors."""
    body = medium()
    runs = [ours(body, ADAPTIVE_DT_MS, BEAT_MS) for _ in range(rounds)]
    seconds = statistics.median(run["seconds"] for run in runs)
    truth = ours(body, REFERENCE_DT_MS, BEAT_MS, tolerance_mv=0.0, precision="double")
    found = runs[0]
    late = np.abs(found["activation"] - truth["activation"])
    duration = np.abs(found["repolarisation"] - found["activation"] - truth["repolarisation"] + truth["activation"])
    ratio = cost_of_ms["torchcor"] * BEAT_MS / seconds
    cost = 1e9 * seconds / BEAT_MS / len(body.points)
    note = f"ours {cost:.0f} ns per node and simulated ms, dt {ADAPTIVE_DT_MS:g} ms"
    return [
        at_least("adaptive/over_torchcor", [ratio], "times", 15.0, f"a beat of {BEAT_MS:g} ms; {note}"),
        row("adaptive/over_finitewave", cost_of_ms["finitewave"] * BEAT_MS / seconds, "times"),
        at_most("adaptive/activation_error", [late.max()], "ms", 0.2, f"largest; mean {late.mean():.4f}"),
        at_most("adaptive/apd90_error", [duration.max()], "ms", 0.5, f"largest, to -70 mV; mean {duration.mean():.3f}"),
    ]


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--environments", type=Path, default=Path(".peers"), help="folder of the peers' environments")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        fixed, costs = fixed_rows(task(Path(name), FIXED_MS), asked.environments, asked.rounds)
    show([fixed, adaptive_rows(costs, asked.rounds)], as_json=asked.json)
