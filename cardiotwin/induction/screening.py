"""Where a circuit could run: what fronts show when they are paced, and when one way through the scar is closed to them.

S2 splits where it meets scar, runs around it and through it, and its parts meet again. Whatever passes between two
parts of scar on the way is a candidate isthmus. Fronts do not know all that can block a wave there (how much tissue a
narrow front has to excite), so where pacing alone induces nothing a block is assumed: at the narrowest place of each
way the S2 front is refused once, and it is seen whether the part that comes around is let through, finds recovered
tissue and keeps turning. That is the question of round-trip time against repolarisation of Campos et al. 2022
(arXiv 2108.13194), asked of every site. A screen of this kind finds what could be; whether it is induced is
for the monodomain model to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from cardiotwin.induction.reentrant_front import FrontSolver, FrontState
from cardiotwin.induction.reentry import Circuit, Neighbours, find_circuits
from cardiotwin.induction.stimulation import Electrode, Paced, Stimulator
from cardiotwin.settings import InduceSettings
from cardiotwin.solver.protocol import Protocol

BAND_MS = 15.0
"""Of the S2 wave: what is activated in one is a cross-section of its way."""
WIDEST_ML = 0.6
"""Of tissue in such a band: at 0.3 m/s 130 mm², more than any isthmus."""
ISLAND_BANDS = 3
"""What is closed again within so many bands before and behind goes around an island in the wave, not through scar."""
MOST_PLACES = 8
APART_MM = 10.0
LENIENT = 0.8
"""Of the time tissue takes to recover, where a block is assumed: a wave is held up at the mouths of an isthmus, and in
a ragged one, as fronts are not, so what comes around really comes later."""
REFUSED_MS = 20.0
"""After a place has been passed by what is refused, it lets through what comes around."""
ASSUMED = "block assumed"


def narrow_places(activation_ms: np.ndarray, tissue: Neighbours) -> list[np.ndarray]:
    """Nodes of the narrowest cross-section of each way by which a wave passes between obstacles, narrowest first.

    The wave in bands of equal time; each connected piece of a band is a place, joined to those that it touches in the
    bands before and after. A place is on a way between obstacles if without it the wave still joins what lies before
    it to what lies behind it.

    Parameters
    ----------
    activation_ms : (n_nodes,) float
        Of one wave; NaN where it did not come.
    tissue : Neighbours
    """
    place, first, second = _places(activation_ms, tissue)
    count = int(place.max()) + 1
    volume = np.bincount(place[place >= 0], tissue.volumes[place >= 0], count)
    band = np.full(count, -1)
    band[place[place >= 0]] = np.floor(activation_ms[place >= 0] / BAND_MS)
    small = np.argsort(volume)
    narrow = [k for k in small if volume[k] <= 1e3 * WIDEST_ML and _on_a_way(k, band, first, second)]
    inside = place[place >= 0]
    total = [np.bincount(inside, along[place >= 0], count) for along in tissue.points.T]
    centres = np.stack(total, axis=1) / np.maximum(np.bincount(inside, minlength=count), 1)[:, None]
    chosen: list[int] = []
    for k in narrow:
        if all(np.linalg.norm(centres[k] - centres[other]) >= APART_MM for other in chosen):
            chosen.append(int(k))
    return [np.flatnonzero(place == k) for k in chosen[:MOST_PLACES]]


def _places(activation_ms: np.ndarray, tissue: Neighbours) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which place each node belongs to (-1: none), and pairs of places that touch, each once."""
    seen = np.isfinite(activation_ms) & (tissue.volumes > 0)
    band = np.full(activation_ms.size, -1)
    band[seen] = np.floor(activation_ms[seen] / BAND_MS)
    i, j = tissue.pairs[seen[tissue.pairs].all(axis=1)].T
    same = band[i] == band[j]
    graph = csr_matrix((np.ones(same.sum(), np.int8), (i[same], j[same])), shape=(band.size, band.size))
    piece = connected_components(graph, directed=False)[1]
    place = np.full(band.size, -1)
    place[seen] = np.unique(piece[seen], return_inverse=True)[1]
    joined = np.unique(np.sort(np.stack([place[i[~same]], place[j[~same]]], axis=1), axis=1), axis=0)
    return place, joined[:, 0], joined[:, 1]


def _on_a_way(k: int, band: np.ndarray, first: np.ndarray, second: np.ndarray) -> bool:
    """Whether what a place joins is joined without it, and not just beside it."""
    of_k = (first == k) | (second == k)
    beside = np.where(first[of_k] == k, second[of_k], first[of_k])
    before, behind = beside[band[beside] < band[k]], beside[band[beside] > band[k]]
    if not before.size or not behind.size:
        return False
    near = np.abs(band - band[k]) <= ISLAND_BANDS
    around = ~of_k & near[first] & near[second]
    return _joined(before, behind, first[~of_k], second[~of_k], band.size) and not _joined(
        before, behind, first[around], second[around], band.size
    )


def _joined(before: np.ndarray, behind: np.ndarray, first: np.ndarray, second: np.ndarray, count: int) -> bool:
    """Whether pairs of places lead from one of some to one of others."""
    graph = csr_matrix((np.ones(first.size, np.int8), (first, second)), shape=(count, count))
    piece = connected_components(graph, directed=False)[1]
    return bool(np.isin(piece[behind], piece[before]).any())


@dataclass(frozen=True, eq=False)
class Screener:
    """One site on one heart of fronts: paced as the protocol says, then with one way closed after another."""

    settings: InduceSettings
    solver: FrontSolver
    tissue: Neighbours
    electrode: Electrode

    def paced(self) -> Paced:
        """The first circuit that pacing alone induces, or else one that turns where a block is assumed."""
        # How these tissues recover depends on the last interval alone: a second S1 is as good as the sixth.
        few = self.settings.model_copy(update={"s1_beats": min(self.settings.s1_beats, 2)})
        stimulator = Stimulator(few, self.solver, self.tissue, self.electrode)
        state, last_ms = stimulator.after_train()
        alone = stimulator.paced_after(state, last_ms)
        if alone.circuit is not None:
            return alone
        coupling = self._earliest(state, last_ms)
        if coupling is None:
            return alone
        found = next(self._circuits(state, last_ms + coupling), None)
        return alone if found is None else Paced((coupling,), found, ASSUMED, alone.echo)

    def _earliest(self, state: FrontState, last_ms: float) -> float | None:
        """The shortest coupling that captures: what does not costs nothing."""
        settings = self.settings
        for coupling in np.arange(settings.s2_last_ms, settings.s1_cycle_length_ms, settings.s2_step_ms):
            at = last_ms + float(coupling)
            seen, _ = self.solver.run(Protocol((self.electrode.stimulus(at),), at + 100.0), state)
            if self.electrode.captured(seen.activation_ms, at):
                return float(coupling)
        return None

    def _circuits(self, state: FrontState, s2_ms: float) -> Iterator[Circuit]:
        """Of each place in turn that refuses the S2 front once."""
        slow = self.solver.recovery
        lenient = self.solver.with_recovery(
            slow._replace(duration_ms=LENIENT * slow.duration_ms, rest_ms=LENIENT * slow.rest_ms)
        )
        whole = self._after_s2(self.solver, state, s2_ms, np.empty(0, np.int64), 0.0)
        wave = np.where(whole > s2_ms, whole, np.inf).min(axis=0) - s2_ms
        for nodes in narrow_places(np.where(np.isfinite(wave), wave, np.nan), self.tissue):
            until_ms = s2_ms + float(wave[nodes].max()) + REFUSED_MS
            times = self._after_s2(lenient, state, s2_ms, nodes, until_ms)
            yield from find_circuits(times, self.tissue, s2_ms)[:1]

    def _after_s2(
        self, solver: FrontSolver, state: FrontState, s2_ms: float, refusing: np.ndarray, until_ms: float
    ) -> np.ndarray:
        """(n_beats, n_nodes) activations, some nodes refusing until a time."""
        _, held = solver.run(Protocol((), s2_ms), state, stop_when_quiet=False)
        held.waves.excitable_ms[refusing] = np.maximum(held.waves.excitable_ms[refusing], until_ms)
        protocol = Protocol((self.electrode.stimulus(s2_ms),), s2_ms + self.settings.watch_ms)
        return solver.run(protocol, held)[0].activation_ms
