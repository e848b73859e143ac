"""What is done to a tissue, and what came of it."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import InputRejected


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A current injected into a set of nodes.

    Attributes
    ----------
    nodes : (k,) int32
        Nodes of the heart's mesh.
    start_ms, duration_ms : float
    strength_mv_per_ms : float
        Rise of the potential it alone would cause, dV/dt.
    """

    nodes: np.ndarray
    start_ms: float
    duration_ms: float = 2.0
    strength_mv_per_ms: float = 50.0


@dataclass(frozen=True, eq=False)
class Protocol:
    """Stimuli and how long to watch."""

    stimuli: tuple[Stimulus, ...]
    duration_ms: float


def checked(protocol: Protocol, n_nodes: int) -> Iterator[tuple[str, Stimulus, np.ndarray]]:
    """Each stimulus with a name for messages and its nodes as (k,) int64.

    Raises
    ------
    InputRejected
        A duration, a time, a strength or nodes that no run can have.
    """
    stimuli = getattr(protocol, "stimuli", None)
    if not isinstance(stimuli, tuple | list) or not all(isinstance(one, Stimulus) for one in stimuli):
        raise InputRejected("protocol: expected `Protocol((Stimulus(nodes, start_ms), ...), duration_ms)`")
    if not (_is_number(protocol.duration_ms) and protocol.duration_ms >= 0.0):
        raise InputRejected(f"protocol: lasts {protocol.duration_ms!r} ms, expected 0 or more")
    for number, stimulus in enumerate(stimuli):
        where = f"stimulus {number} at {_shown(stimulus.start_ms)} ms"
        if not all(map(_is_number, (stimulus.start_ms, stimulus.duration_ms, stimulus.strength_mv_per_ms))):
            raise InputRejected(
                f"{where}: for {stimulus.duration_ms!r} ms with {stimulus.strength_mv_per_ms!r} mV/ms; expected numbers"
            )
        if not (stimulus.start_ms >= 0.0 and stimulus.duration_ms > 0.0):
            raise InputRejected(f"{where}: for {stimulus.duration_ms:g} ms; expected a start from 0 on and a duration")
        nodes = np.asarray(stimulus.nodes)
        if nodes.size and nodes.dtype.kind not in "iu":
            raise InputRejected(f"{where}: nodes are {nodes.dtype}, expected numbers of nodes (`np.flatnonzero(mask)`)")
        nodes = nodes.astype(np.int64).ravel()
        if nodes.size and (nodes.min() < 0 or nodes.max() >= n_nodes):
            wrong = nodes[(nodes < 0) | (nodes >= n_nodes)][0]
            raise InputRejected(f"{where}: names node {wrong}, the mesh has {n_nodes} nodes, numbered from 0")
        yield where, stimulus, nodes


def _shown(value: object) -> str:
    return f"{value:g}" if _is_number(value) else repr(value)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and bool(np.isfinite(float(value)))


@dataclass(frozen=True, eq=False)
class Activation:
    """What happened.

    Attributes
    ----------
    activation_ms : (n_beats, n_nodes) float32
        Interpolated upward crossings of 0 mV in order of time; NaN where there were fewer. A row for every beat that
        any node had, one at least.
    repolarisation_ms : (n_beats, n_nodes) float32
        Downward crossing of -70 mV (Mitchell-Schaeffer: 10 % of the amplitude) that ends each beat; NaN likewise.
    snapshot_ms : (n_snapshots,) float64
    snapshots : (n_snapshots, n_nodes) float32
        Potential, mV; NaN in the core and in lesions.
    ecg_ms : (n_samples,) float64
    electrode_mv : (n_electrodes, n_samples) float64
        Potential at each electrode while the run went on; empty without electrodes.
    end_ms : float
        When the run ended; earlier than asked for when all tissue was at rest and no stimulus was to come.
    """

    activation_ms: np.ndarray
    repolarisation_ms: np.ndarray
    snapshot_ms: np.ndarray
    snapshots: np.ndarray
    ecg_ms: np.ndarray
    electrode_mv: np.ndarray
    end_ms: float

    def __repr__(self) -> str:
        beats, nodes = self.activation_ms.shape
        reached = int(np.isfinite(self.activation_ms).any(axis=0).sum())
        return f"Activation({reached} of {nodes} nodes activated, up to {beats} beats, {self.end_ms:g} ms)"
