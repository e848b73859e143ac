"""From pacing to plans: is re-entry found, and is what is found right?

    python benchmarks/ablation.py [--json] [--only GROUP,...] [--cases N]

Groups, the quick ones first: detector (circuits in generated waves whose re-entry is known from who excited whom),
isthmus (slabs with one isthmus of known place, monodomain), screen (seconds for one heart, 19 sites, S1 to S4), ranking
(stated probabilities of being best on made-up populations of twins), identical (one comparison computed again and
again); then agreement (of the screen with the monodomain model on phantom hearts that neither was settled on), edited
(seconds for an edited plan at 0.8 mm), resolution (outcomes at 1.5, 0.8 and 0.5 mm, site by site), heart (17 sites, S1
to S4, at 0.8 mm: screened first, and exhaustively), plans (the proposed cut, the whole border zone and a wrong place,
re-tested on phantom hearts), which take an hour or so each, and fine (what a coarse protocol finds of what pacing at
0.8 mm finds), a day. With ``--keep FOLDER`` a run of agreement, resolution, plans or fine that was stopped goes on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from coarse_protocol import fine_rows
from fine_heart import heart_rows
from generated_waves import KINDS, Wave, wave
from mesh_resolution import edited_rows, resolution_rows
from phantom_hearts import ONE_MEMBER, agreement_rows, plan_rows
from ranking import ranking_rows
from slab_with_isthmus import CASES, along_channel, slab_with_isthmus, watched
from table import Group, Row, at_most, listed, row, show_groups

from cardiotwin.comparison.retesting import compare
from cardiotwin.induction.isthmus import isthmus_of
from cardiotwin.induction.programmed_stimulation import induce, screen
from cardiotwin.induction.reentry import Circuit, find_circuits
from cardiotwin.ingest.plan_files import read_plan
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.phantom.scarred_wall import WALL_PACING, WALL_TISSUE, scarred_wall, wall_ensemble
from cardiotwin.settings import CalibrateSettings, InduceSettings

SCREENED_AS_MM = 0.8
"""Edge of the mesh that the monodomain model would run on: how its cells recover is what fronts are given."""
LEAST_TURNS = 2
"""Of a circuit that counts as sustained."""


def detector_rows(count: int) -> Iterable[Row]:
    """Sensitivity, specificity and error of the cycle length over so many cases, the kinds in turn."""
    cases = [wave(KINDS[number % len(KINDS)], number // len(KINDS)) for number in range(count)]
    found = [find_circuits(one.activation_ms, one.tissue, one.after_ms) for one in cases]
    return told(list(zip(cases, found, strict=True)))


def told(cases: list[tuple[Wave, tuple[Circuit, ...]]]) -> Iterable[Row]:
    """The bars, and which kinds fail them."""
    turning = [(one, circuits) for one, circuits in cases if one.turns >= LEAST_TURNS]
    others = [(one, circuits) for one, circuits in cases if one.turns < LEAST_TURNS]
    for name, group, right in (("sensitivity", turning, True), ("specificity", others, False)):
        ok = [bool(circuits) is right for _, circuits in group]
        wrong = [one.kind for (one, _), good in zip(group, ok, strict=True) if not good]
        share, each = float(np.mean(ok)), ", ".join(f"{kind} {wrong.count(kind)}" for kind in KINDS if kind in wrong)
        note = f"{sum(ok)} of {len(ok)}; wrong: {each or 'none'}"
        yield row(f"detector: {name}", share, "1", 0.95, share >= 0.95, note)
    errors = [abs(circuits[0].cycle_length_ms - one.cycle_ms) for one, circuits in turning if circuits]
    worst, most = float(np.max(errors)), float(np.quantile(errors, 0.95))
    note = f"{len(errors)} circuits of {min(c.cycle_ms for c, _ in turning):.0f} to "
    note += f"{max(c.cycle_ms for c, _ in turning):.0f} ms; median {np.median(errors):.1f}, worst {worst:.1f}"
    yield row("detector: cycle length, error of 95 % below", most, "ms", 3.0, most <= 3.0, note)


def isthmus_rows(_: int | None) -> Iterable[Row]:
    """Place, exit, size and velocity of the isthmus in every slab, the farthest off of all."""
    slabs = [(case, slab_with_isthmus(case)) for case in CASES]
    seen = [(case, one, watched(one)) for case, one in slabs]
    kept = [(case, one, *turned) for case, one, turned in seen if turned is not None]
    yield row("isthmus: slabs that re-enter", len(kept), "1", len(CASES), len(kept) == len(CASES))
    found = [(case, one, c, isthmus_of(c, one.mesh, one.conducting), times) for case, one, times, c in kept]
    measured = [(case, one, c, i, times) for case, one, c, i, times in found if i is not None]
    yield row("isthmus: slabs measured", len(measured), "1", len(CASES), len(measured) == len(CASES))
    if not measured:
        return
    for name, what in (("isthmus", "centre"), ("exit", "exit")):
        off = [float(np.linalg.norm(getattr(c, f"{name}_mm") - getattr(one, what))) for _, one, c, _, _ in measured]
        yield at_most(f"isthmus: {name} off by", off, "mm", 5.0)
    off = [float(np.linalg.norm(i.entrance_mm - one.entrance)) for _, one, _, i, _ in measured]
    yield at_most("isthmus: entrance off by", off, "mm", 5.0)
    velocity = [i.velocity / along_channel(one, times) - 1.0 for _, one, _, i, times in measured]
    yield at_most("isthmus: velocity, relative error", velocity, "1", 0.10, "against a line through the channel")
    for name in ("length_mm", "width_mm"):
        size = [getattr(i, name) - getattr(case, name) for case, _, _, i, _ in measured]
        yield row(f"isthmus: {name.split('_')[0]}, error", max(size, key=abs), "mm", note=listed(size, ""))


def screen_rows(count: int | None) -> Iterable[Row]:
    """Wall seconds of the screen of phantom hearts, what it found, and bars of tissue that are measured once."""
    settings = InduceSettings(protocol="arevalo_2016", n_draws=1, border_zone_profiles=("structural_and_ionic",))
    for number in range(1, (count or 1) + 1):
        coarse = true_heart(make_anatomy(number), CalibrateSettings().edge_mm)
        fine = replace(coarse, edge_mm=SCREENED_AS_MM)
        taken = []
        for _ in range(2):
            start = time.monotonic()
            found = screen(fine, coarse, ONE_MEMBER, settings)
            taken.append(time.monotonic() - start)
        outcomes = Counter(one.outcome for one in found.inductions)
        told = ", ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
        note = f"first {taken[0]:.0f} s; {len(coarse.mesh.tets)} tetrahedra, {len(found.circuits)} circuits; {told}"
        yield row(f"screen: phantom {number}, {len(found.site_nodes)} sites", taken[1], "s", 60.0, taken[1] <= 60, note)


PLANS = {
    "to_the_edge.toml": """name = "to the edge"
[[lesion]]
kind = "line"
points_mm = [[22.0, 11.0, 0.0], [22.0, 0.0, 0.0]]
radius_mm = 3.0
""",
    "border_zone.toml": 'name = "border zone"\n[[lesion]]\nkind = "homogenise"\n',
}


def identical_rows() -> Iterable[Row]:
    """A wall that re-enters, paced and compared by one process, by two, and by two again, each in a fresh folder."""
    with TemporaryDirectory() as name:
        for file, text in PLANS.items():
            (Path(name) / file).write_text(text)
        written = [compared(Path(name), number, workers) for number, workers in enumerate((1, 2, 2))]
    pairs = {"1 and 2 workers": written[:2], "2 workers and 2 again": written[1:]}
    for what, (one, other) in pairs.items():
        differ = sum(a != b for a, b in zip_longest(one, other))
        yield row(f"identical: {what}, bytes that differ", differ, "", 0.0, differ == 0, f"of {len(other)}")


def compared(folder: Path, number: int, workers: int) -> bytes:
    """`comparison.json` of one run, which keeps what it paced in a folder of its own."""
    heart, ensemble, own = scarred_wall(), wall_ensemble(), folder / f"run{number}"
    pacing = WALL_PACING.model_copy(update={"workers": workers, "sites": WALL_PACING.sites[:1]})
    plans = [read_plan(folder / file) for file in PLANS]
    found = induce(heart, ensemble, pacing, WALL_TISSUE, folder=own / "induce")
    return compare(heart, ensemble, plans, found, pacing, WALL_TISSUE, folder=own / "compare").save(own).read_bytes()


GROUPS: dict[str, Group] = {
    "detector": lambda n: detector_rows(n or 200),
    "isthmus": isthmus_rows,
    "screen": screen_rows,
    "ranking": lambda n: ranking_rows(n or 300),
    "identical": lambda _: identical_rows(),
    "agreement": lambda n: agreement_rows(n or 4),
    "edited": lambda _: edited_rows(),
    "resolution": lambda n: resolution_rows(n or 1),
    "heart": lambda _: heart_rows(),
    "plans": lambda n: plan_rows(n or 20),
    "fine": lambda n: fine_rows(n or 20),
}


def main() -> None:
    """Print the table, or with ``--json`` one object."""
    show_groups(__doc__, GROUPS, "200 waves, 300 populations for each number of draws and sites, 20 hearts")


if __name__ == "__main__":
    main()
