"""Is a line that one would burn by hand as good as what the tool proposes?

A piece of wall with a scar that a premature beat runs around (no patient: `cardiotwin.phantom.scarred_wall`). A plan is
written as TOML, a line from the scar to the wall's edge, and tested beside the proposed ones and the deliberately wrong
one on the same twins. Less than a minute:

    python examples/plan_by_hand.py by_hand/
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import cardiotwin as ct
from cardiotwin.ablation.lesions import Plan, lesion_elements
from cardiotwin.comparison.results import Comparison
from cardiotwin.heart.heart import Heart
from cardiotwin.induction.arrhythmias import Arrhythmias
from cardiotwin.phantom.scarred_wall import WALL_PACING, WALL_TISSUE, scarred_wall, wall_ensemble
from cardiotwin.progress import Progress, named, part, silent
from cardiotwin.settings import PlanSettings
from cardiotwin.storage.durable import write_file
from cardiotwin.terminal import progress_bar

matplotlib.use("Agg")
BY_HAND = """\
name = "by hand"
note = "from the scar to the near edge, right through the wall"
[[lesion]]
kind = "line"
points_mm = [[22.5, 11.0, 0.0], [22.5, 0.0, 0.0]]  # LPS, on the endocardium
radius_mm = 3.0
depth_mm = 8.0
"""


def study(folder: Path, progress: Progress = silent) -> tuple[Heart, Arrhythmias, list[Plan], Comparison]:
    """The heart, what pacing induced, the plan by hand before the proposed ones, and all of them compared."""
    heart, ensemble = scarred_wall(), wall_ensemble()
    write_file(folder / "by_hand.toml", BY_HAND.encode())
    pace, test = named("pacing", part(progress, 0.0, 0.2)), named("plans", part(progress, 0.2, 1.0))
    found = ct.induce(heart, ensemble, WALL_PACING, WALL_TISSUE, progress=pace)
    plans = [ct.read_plan(folder / "by_hand.toml"), *ct.propose_plans(heart, found.circuits, PlanSettings())]
    return heart, found, plans, ct.compare(heart, ensemble, plans, found, WALL_PACING, WALL_TISSUE, progress=test)


def draw(path: Path, heart: Heart, found: Arrhythmias, plans: list[Plan], comparison: Comparison) -> None:
    """The first circuit's isochrones, and under each plan's name its lesions, seen from the endocardium."""
    figure, axes = plt.subplots(1, len(plans) + 1, figsize=(3 * len(plans) + 3, 3.6), layout="constrained")
    tissue(axes[0], heart, np.zeros(len(heart.mesh.tets), bool))
    circuit, points = found.circuits[0], heart.mesh.points
    top = (points[:, 2] < 1e-9) & np.isfinite(circuit.phase_ms)
    dots = axes[0].scatter(*points[top, :2].T, c=circuit.phase_ms[top], s=14, cmap="cividis")
    figure.colorbar(dots, ax=axes[0], orientation="horizontal", label="ms after the exit")
    axes[0].set_title(f"circuit 1, {circuit.cycle_length_ms:.0f} ms")
    left = {one.name: one for one in comparison.plans}
    for plan, panel in zip(plans, axes[1:], strict=True):
        tissue(panel, heart, lesion_elements(heart, plan))
        panel.set_title(f"{plan.name}: {left[plan.name].inducible} of {left[plan.name].tested} inducible", fontsize=10)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def tissue(axes: Axes, heart: Heart, lesions: np.ndarray) -> None:
    """Healthy white, border zone light, core dark, lesions red; the axes are x and y, mm."""
    shade = np.array(["white", "#f0f0f0", "#c9c9c9", "#555555"])[heart.tissue_class]
    flat = heart.mesh.centroids[:, 2] < heart.edge_mm
    axes.scatter(*heart.mesh.centroids[flat, :2].T, c=np.where(lesions, "#c0392b", shade)[flat], s=9, marker="s")
    axes.set_aspect("equal")
    axes.set(xlabel="x, mm", ylabel="y, mm")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/plan_by_hand.py FOLDER")
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with progress_bar(quiet=False) as progress:
        heart, found, plans, comparison = study(out, progress)
    print(comparison)
    draw(out / "plans.png", heart, found, plans, comparison)
    print(f"written: {out}/by_hand.toml, {out}/plans.png, {comparison.save(out)}")


if __name__ == "__main__":
    main()
