"""Programmed stimulation from one site of one heart: the train, then ever earlier extra-stimuli.

The train is watched alone first: what it induces needs no extra-stimulus, and a beat that nothing stimulated after it
is said to be one. S1, then S2 brought earlier step by step until re-entry or loss of capture; S3 and S4 likewise,
each behind the earliest extra-stimulus that captured. The train is computed once; every attempt starts from its saved
state.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cardiotwin.induction.arrhythmias import NO_CAPTURE
from cardiotwin.induction.reentry import Circuit, Neighbours, find_circuits
from cardiotwin.monodomain import Activation, Monitor, Protocol, Stimulus
from cardiotwin.settings import InduceSettings

CAPTURE_RING_MM = 4.0
CAPTURE_WITHIN_MS = 60.0
"""A stimulus captured when tissue this far beyond the electrode's own is activated within this time."""

SILENT_MS = 250.0
"""No wave waits longer than this for tissue to recover: when nothing was activated for so long, nothing will be."""


TURNED_SHARE = 0.25
"""Of the tissue: so much must have been activated again and again for a tachycardia."""

ECHO_SHARE = 0.01
"""Of the tissue: so much activated without a stimulus is an echo of the train."""


class Runs(typing.Protocol):
    """What paces: `Solver` (monodomain) or `FrontSolver`. The state it gives back is taken by itself alone."""

    def run(
        self, protocol: Protocol, state: Any = None, *, stop_when_quiet: bool = True, monitor: Monitor | None = None
    ) -> tuple[Activation, Any]: ...


@dataclass(frozen=True, eq=False)
class Paced:
    """What one site on one heart showed.

    Attributes
    ----------
    couplings_ms : tuple of float
        Of the extra-stimuli of the last attempt; none when the train alone re-entered.
    circuit : Circuit or None
    outcome : str
        ``"re-entry"``, ``"not inducible"``, ``"no capture"``, or ``"no closed path"``: tissue was activated again and
        again, but on no path along which the wave was conducted.
    echo : bool
        The train alone was followed by a beat that nothing stimulated.
    """

    couplings_ms: tuple[float, ...]
    circuit: Circuit | None
    outcome: str
    echo: bool = False


@dataclass(frozen=True, eq=False)
class _Attempt:
    """What one stimulus started."""

    captured: bool
    circuit: Circuit | None = None
    turned: bool = False
    echo: bool = False


@dataclass(frozen=True, eq=False)
class Electrode:
    """The nodes a pacing electrode captures, and a ring around it that shows whether it did."""

    nodes: np.ndarray
    ring: np.ndarray

    @staticmethod
    def at(node: int, tissue: Neighbours, radius_mm: float) -> Electrode | None:
        beyond = np.linalg.norm(tissue.points - tissue.points[node], axis=1) - radius_mm
        conducting = tissue.volumes > 0
        nodes = np.flatnonzero(conducting & (beyond <= 0)).astype(np.int32)
        ring = np.flatnonzero(conducting & (np.abs(beyond - CAPTURE_RING_MM) <= CAPTURE_RING_MM / 2))
        return Electrode(nodes, ring) if nodes.size and ring.size else None

    def is_cut_off(self, tissue: Neighbours) -> bool:
        """Whether no way leads from here to the largest piece of tissue that hangs together."""
        n = len(tissue.points)
        ways = coo_array((np.ones(len(tissue.pairs), bool), tuple(tissue.pairs.T)), shape=(n, n))
        piece = connected_components(ways, directed=False)[1]
        return bool(np.argmax(np.bincount(piece, tissue.volumes)) not in piece[self.nodes])

    def stimulus(self, start_ms: float) -> Stimulus:
        return Stimulus(self.nodes, start_ms)

    def captured(self, activation_ms: np.ndarray, start_ms: float) -> bool:
        times = activation_ms[:, self.ring]
        return bool(np.any((times > start_ms) & (times < start_ms + CAPTURE_WITHIN_MS)))


@dataclass(frozen=True, eq=False)
class Stimulator:
    """One site on one heart: the train, then extra-stimuli from its saved state."""

    settings: InduceSettings
    solver: Runs
    tissue: Neighbours
    electrode: Electrode

    def paced(self) -> Paced:
        """S2, then S3 behind the earliest S2 that captured, and so on; the first re-entry ends the search."""
        return self.paced_after(*self.after_train())

    def paced_after(self, state: Any, last_ms: float) -> Paced:
        """The same from the state that the train left, whose last S1 came at `last_ms`."""
        alone = self._watched((), last_ms, state)
        if alone.circuit is not None:
            return Paced((), alone.circuit, "re-entry", alone.echo)
        found = self._extra_stimuli(state, last_ms)
        unordered = found.outcome == "not inducible" and alone.turned
        return replace(found, echo=alone.echo, outcome="no closed path" if unordered else found.outcome)

    def _extra_stimuli(self, state: Any, last_ms: float) -> Paced:
        behind: tuple[float, ...] = ()
        tried: tuple[float, ...] = ()
        outcome = "not inducible"
        for number in range(self.settings.extra_stimuli):
            earliest = None
            for coupling, attempt in self._attempts(number, state, last_ms):
                tried = (*behind, coupling)
                if attempt.circuit is not None:
                    return Paced(tried, attempt.circuit, "re-entry")
                if not attempt.captured:
                    break
                outcome = "no closed path" if attempt.turned else outcome
                earliest = coupling
            if earliest is None:
                return Paced(tried, None, outcome if behind else NO_CAPTURE)
            behind = (*behind, earliest)
            state, last_ms = self._advanced(state, last_ms + earliest), last_ms + earliest
        return Paced(tried, None, outcome)

    def _attempts(self, number: int, state: Any, last_ms: float) -> Iterator[tuple[float, _Attempt]]:
        """Couplings and what they start, from the longest down; where that one is refractory, the next that is not."""
        if self.settings.s2_search == "fixed":
            coupling = self.settings.fixed_couplings_ms[number]
            yield coupling, self._attempt(state, last_ms + coupling)
            return
        coupling, step = self.settings.s2_first_ms, self.settings.s2_step_ms
        attempt = self._attempt(state, last_ms + coupling)
        if attempt.captured:
            yield coupling, attempt
            earlier = self._bisected if self.settings.s2_search == "bisection" else self._ever_earlier
            yield from earlier(state, last_ms)
            return
        while not attempt.captured and coupling < self.settings.s1_cycle_length_ms:
            coupling += step
            attempt = self._attempt(state, last_ms + coupling)
        yield coupling, attempt

    def _ever_earlier(self, state: Any, last_ms: float) -> Iterator[tuple[float, _Attempt]]:
        """Step by step, behind the longest."""
        first, step = self.settings.s2_first_ms, self.settings.s2_step_ms
        for shorter in np.arange(first - step, self.settings.s2_last_ms - 1e-6, -step):
            yield float(shorter), self._attempt(state, last_ms + shorter)

    def _bisected(self, state: Any, last_ms: float) -> Iterator[tuple[float, _Attempt]]:
        """Those that captured, to within one step of the end of the refractory period."""
        step, captured = self.settings.s2_step_ms, self.settings.s2_first_ms
        blocked = captured - step * (1.0 + (captured - self.settings.s2_last_ms + 1e-6) // step)
        while captured - blocked > step + 1e-6:
            middle = captured - step * round((captured - blocked) / (2.0 * step))
            attempt = self._attempt(state, last_ms + middle)
            if attempt.captured:
                captured = middle
                yield middle, attempt
            else:
                blocked = middle

    def after_train(self) -> tuple[Any, float]:
        """The state just before the earliest extra-stimulus, and when the last S1 came."""
        starts = self.settings.s1_cycle_length_ms * np.arange(self.settings.s1_beats)
        train = tuple(self.electrode.stimulus(float(start)) for start in starts)
        last_ms = float(starts[-1])
        return self._run(train, last_ms + self.settings.s2_last_ms)[1], last_ms

    def _advanced(self, state: Any, stimulus_ms: float) -> Any:
        """The state just before the next extra-stimulus can come, after one at `stimulus_ms`."""
        return self._run((self.electrode.stimulus(stimulus_ms),), stimulus_ms + self.settings.s2_last_ms, state)[1]

    def _run(self, stimuli: tuple[Stimulus, ...], until_ms: float, state: Any = None) -> tuple[Activation, Any]:
        return self.solver.run(Protocol(stimuli, until_ms), state, stop_when_quiet=False)

    def _attempt(self, state: Any, stimulus_ms: float) -> _Attempt:
        """Whether an extra-stimulus captured, and what it started."""
        return self._watched((self.electrode.stimulus(stimulus_ms),), stimulus_ms, state)

    def _watched(self, stimuli: tuple[Stimulus, ...], after_ms: float, state: Any) -> _Attempt:
        """What happens after the last stimulus, given now or before."""
        protocol = Protocol(stimuli, after_ms + self.settings.watch_ms)
        activation, _ = self.solver.run(protocol, state, monitor=self._monitor(after_ms))
        times = activation.activation_ms
        if not self.electrode.captured(times, after_ms):
            return _Attempt(False)
        circuits = find_circuits(times, self.tissue, after_ms)
        beats = np.sum(times > after_ms, axis=0)
        return _Attempt(
            True,
            circuits[0] if circuits else None,
            turned=bool(np.mean(beats >= 3) > TURNED_SHARE),
            echo=bool(np.mean(beats >= 2) > ECHO_SHARE),
        )

    def _monitor(self, stimulus_ms: float) -> Monitor:
        """Stops a run with nothing more to show: no capture, silence, or a quarter of the tissue turned three times."""

        def seen_enough(t_ms: float, activation_ms: np.ndarray) -> bool:
            if t_ms > stimulus_ms + CAPTURE_WITHIN_MS and not self.electrode.captured(activation_ms, stimulus_ms):
                return True
            turned = np.sum(activation_ms > stimulus_ms, axis=0) >= 4
            # Before the stimulus it may be silent for as long as the coupling is.
            silent_ms = t_ms - max(float(np.nanmax(activation_ms)), stimulus_ms)
            return bool(turned.mean() > TURNED_SHARE or silent_ms > SILENT_MS)

        return seen_enough
