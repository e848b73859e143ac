"""One heart on three meshes, and an edited plan paced again. Shown by `benchmarks/ablation.py`: groups ``resolution``
and ``edited``.

Phantoms from 2 on, the demo's cells and protocol, one draw, with velocities tuned on each mesh; every site is the same
place on all of them. A site on a mesh is a case: at 0.5 mm one takes 20 minutes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from cases import computed
from phantom_hearts import DEMO, ONE_MEMBER, PROTOCOL
from table import Row, listed, row

from cardiotwin.ablation.lesions import Lesion, Plan
from cardiotwin.comparison.retesting import compare
from cardiotwin.heart.pacing_sites import sites_of_protocol
from cardiotwin.induction.programmed_stimulation import induce
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import CompareSettings

EDGES_MM = (0.5, 0.8, DEMO.mesh.edge_mm)
"""The first is what the others are held against."""
EDITED_MM = 0.8
RADIUS_MM, DEPTH_MM = 8.0, 15.0
"""Of the plan by hand."""
TEN_MINUTES_S = 600.0


@dataclass(frozen=True)
class PacedSite:
    """What pacing from one site found.

    Attributes
    ----------
    outcome : str
        As `cardiotwin.induction.arrhythmias.Induction` has it.
    couplings_ms : tuple of float
    cycle_ms : float
        NaN without a circuit.
    isthmus_mm : tuple of float
        x, y, z; empty without a circuit.
    nodes : int
        Of the mesh.
    """

    outcome: str
    couplings_ms: tuple[float, ...]
    cycle_ms: float
    isthmus_mm: tuple[float, ...]
    nodes: int

    @property
    def induces(self) -> bool:
        return bool(self.isthmus_mm)


def paced_site(_: None, case: tuple[int, float, tuple[float, float, float]]) -> PacedSite:
    """One phantom, on one mesh, from one place."""
    number, edge_mm, place = case
    heart = true_heart(make_anatomy(number), edge_mm)
    protocol = PROTOCOL.model_copy(update={"sites": (" ".join(f"{x:.2f}" for x in place),)})
    found = induce(heart, ONE_MEMBER, protocol, DEMO.tissue)
    (one,) = found.inductions
    circuit = None if one.circuit is None else found.circuits[one.circuit]
    return PacedSite(
        outcome=one.outcome,
        couplings_ms=tuple(one.couplings_ms),
        cycle_ms=float("nan") if circuit is None else float(circuit.cycle_length_ms),
        isthmus_mm=() if circuit is None else tuple(float(x) for x in circuit.isthmus_mm),
        nodes=len(heart.mesh.points),
    )


def resolution_rows(count: int) -> Iterable[Row]:
    """Site by site, what coarser meshes find of what the finest finds."""
    cases: dict[str, tuple[int, float, tuple[float, float, float]]] = {}
    for number in range(2, 2 + count):
        coarse = true_heart(make_anatomy(number), EDGES_MM[-1])
        for site, place in enumerate(coarse.mesh.points[sites_of_protocol(coarse, PROTOCOL)].tolist()):
            for edge_mm in EDGES_MM:  # the longest first
                cases[f"phantom_{number:02d}_{edge_mm:g}_mm_site_{site + 1}"] = (number, edge_mm, tuple(place))
    longest_first = dict(sorted(cases.items(), key=lambda one: one[1][1]))
    found = dict(zip(longest_first, computed("resolution", paced_site, None, longest_first, PacedSite), strict=True))
    by_edge = {edge: [found[name] for name, case in cases.items() if case[1] == edge] for edge in EDGES_MM}
    names = [name.replace(f"_{EDGES_MM[0]:g}_mm", "") for name, case in cases.items() if case[1] == EDGES_MM[0]]
    for edge in EDGES_MM[1:]:
        yield from _against_finest(names, by_edge[EDGES_MM[0]], by_edge[edge], f"{edge:g} against {EDGES_MM[0]:g} mm")


def _against_finest(names: list[str], finest: list[PacedSite], coarser: list[PacedSite], what: str) -> Iterable[Row]:
    pairs = list(zip(finest, coarser, strict=True))
    alike = [one.induces == other.induces for one, other in pairs]
    told = "; ".join(
        f"{name.replace('_', ' ')}: {_told(other)} against {_told(one)}"
        for name, (one, other) in zip(names, pairs, strict=True)
    )
    note = f"{sum(alike)} of {len(alike)} sites; {told}; {coarser[0].nodes} and {finest[0].nodes} nodes"
    yield row(f"resolution: {what}, sites alike", float(np.mean(alike)), "1", note=note)
    both = [(one, other) for one, other in pairs if one.induces and other.induces]
    if both:
        cycles = [other.cycle_ms - one.cycle_ms for one, other in both]
        apart = [float(np.linalg.norm(np.subtract(one.isthmus_mm, other.isthmus_mm))) for one, other in both]
        yield row(f"resolution: {what}, cycle length", max(cycles, key=abs), "ms", note=listed(cycles, ""))
        yield row(f"resolution: {what}, isthmuses apart", max(apart), "mm", note=listed(apart, ""))


def _told(one: PacedSite) -> str:
    couplings = ", ".join(f"{coupling:g}" for coupling in one.couplings_ms)
    return f"re-entry after {couplings} ms, {one.cycle_ms:.0f} ms a cycle" if one.induces else one.outcome


def edited_rows() -> Iterable[Row]:
    """Wall seconds for a plan by hand, a patch over each isthmus, on the pacing that induced without it."""
    heart = true_heart(make_anatomy(2), EDITED_MM)
    protocol = PROTOCOL.model_copy(update={"workers": 0})
    found = induce(heart, ONE_MEMBER, protocol, DEMO.tissue)
    inducing = sum(one.circuit is not None for one in found.inductions)
    name = "edited: one plan re-tested on what it is meant to end"
    if not inducing:
        yield row(name, None, "s", TEN_MINUTES_S, note="skipped: nothing was inducible")
        return
    lesions = tuple(Lesion("patch", one.isthmus_mm[None], RADIUS_MM, DEPTH_MM) for one in found.circuits)
    start = time.monotonic()
    only = CompareSettings(retest="inducible")
    results = compare(heart, ONE_MEMBER, [Plan("edited", lesions)], found, protocol, DEMO.tissue, only).plans
    seconds = time.monotonic() - start
    left = next(one for one in results if one.name == "edited")
    note = (
        f"{len(heart.mesh.points)} nodes; {inducing} of {len(found.inductions)} sites induced, {left.inducible} still"
    )
    yield row(name, seconds, "s", TEN_MINUTES_S, seconds <= TEN_MINUTES_S, note)
