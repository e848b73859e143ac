"""A tissue made ready to be simulated many times."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from cardiotwin.arguments import finite_array, number, one_of, whole
from cardiotwin.errors import InputRejected
from cardiotwin.kernels.diffusion import operator, space_filling_order
from cardiotwin.kernels.ionic import width
from cardiotwin.kernels.lanes import LANES
from cardiotwin.kernels.monodomain import Plan, Tiles, resting_tiles
from cardiotwin.kernels.stabilised import StabilisedPlan
from cardiotwin.memory import require
from cardiotwin.progress import Progress, silent
from cardiotwin.solver import diffusion as schemes
from cardiotwin.solver.medium import Medium, Tuned, check, check_step, membrane
from cardiotwin.solver.protocol import Activation, Protocol, checked
from cardiotwin.solver.simulation import Checkpoint, Monitor, Run, copied

SHORTEST_STEP_MS = 1e-6
REAL: dict[str, type] = {"single": np.float32, "double": np.float64}
ASSEMBLY_BYTES_PER_TET = 550
"""Measured; most of it is the list of edges while it is ordered."""


@dataclass(frozen=True, eq=False)
class State:
    """Where a run stands: enough to go on from, to the bit, any number of times.

    Attributes
    ----------
    step : int
        Steps taken since time 0.
    time_ms : float
        The same as a time; protocols are on this clock.
    tiles : Tiles
        Everything about the nodes, activation times so far included. Never overwritten.
    solver : str
        Fingerprint of the solver it belongs to.
    """

    step: int
    time_ms: float
    tiles: Tiles
    solver: str


class Solver:
    """A medium made ready to be simulated many times.

    Parameters
    ----------
    tissue : Tissue or Medium
    dt_ms : float
    electrode_weights : (n_electrodes, n_nodes) float, optional
        Potential at each electrode is ``weights @ V``.
    threads : int, optional
        1 runs a serial kernel, for worker processes; None takes all, on meshes large enough to gain by it. The result
        is the same, to the bit.
    precision : {"single", "double"}
    n_beats : int
        Activations recorded at each node; later ones are lost.
    tolerance_mv : float, optional
        Change of potential that makes it worth evaluating 16 nodes again; 0 evaluates all of them in every step. The
        default moves the activation of a freely running wave by less than 0.1 ms, that of one which hardly gets on by
        0.3 %, and ends action potentials 0.1 to 0.3 ms early on average.
    order : {2, 1}
        In time. 1 is forward Euler, for comparison with the programs that use it: at dt 0.01 ms they are up to 2 %
        slow.
    diffusion : {"auto", "explicit", "stabilised", "implicit"}
        See `cardiotwin.solver.diffusion`. "auto" takes the cheapest that needs no substeps in nine tenths of the tiles;
        a tissue whose velocities were tuned is stepped as they were, explicitly.

    Attributes
    ----------
    diffusion : str
        The scheme that was taken.
    work : dict of str to Work
        What a step of each was expected to cost; without "implicit" where the mass matrix is not lumped.

    Raises
    ------
    InputRejected
        Nothing conducts.
    SettingsError
        A number out of range, a time step or a precision that the cell model does not bear (LONGEST_DT_MS and
        NEEDS_DOUBLE in `cardiotwin.kernels.ionic`), or a scheme that cannot be had with the order or the mass matrix.
    ResourceLimit
        It would take more than 80 % of the memory that is free.

    Notes
    -----
    Diffusion is stable for any ``dt_ms``, by Gershgorin's bound (cells are not: one cell of a model bears its
    LONGEST_DT_MS, 0.1 ms for ten Tusscher-Panfilov's; a front may ask for less): explicit diffusion takes substeps in
    the tiles where it is too fast (slivers, a fast layer), a stabilised step takes as many stages as the fastest node
    needs, an implicit one is stable anyway.

    Examples
    --------
    >>> solver = Solver(tissue, dt_ms=0.1, threads=1)
    >>> train = [Stimulus(site_nodes, 600.0 * k) for k in range(6)]
    >>> _, paced = solver.run(Protocol(tuple(train), 3200.0))  # S1 once
    >>> for coupling_ms in (300.0, 290.0, 280.0):  # every S2 from the same state; times go on counting from 0
    ...     s2 = Stimulus(site_nodes, 3000.0 + coupling_ms)
    ...     activation, end = solver.run(Protocol((s2,), 4500.0), paced, monitor=is_reentry)
    """

    def __init__(
        self,
        tissue: Tuned | Medium,
        dt_ms: float,
        *,
        electrode_weights: np.ndarray | None = None,
        threads: int | None = None,
        precision: str = "single",
        n_beats: int = 16,
        tolerance_mv: float = 0.25,
        order: int = 2,
        diffusion: str = "auto",
    ) -> None:
        one_of("diffusion", diffusion, ("auto", *schemes.SCHEMES))
        medium = tissue if isinstance(tissue, Medium) else tissue.medium()
        if not len(medium.tets):
            raise InputRejected("tissue: no tetrahedron conducts, nothing can be simulated. Check scar and lesions.")
        self.dt_ms = number("dt_ms", dt_ms, "a time step in (0, 1] ms", SHORTEST_STEP_MS, 1.0)
        self.n_beats = whole("n_beats", n_beats, "at least 1", 1)
        number("tolerance_mv", tolerance_mv, "mV, 0 or more", 0.0)
        one_of("precision", precision, REAL)
        one_of("order", order, (2, 1))
        self.precision = precision
        self._model, self._cell = membrane(medium.cell_model)
        check_step(medium.cell_model, self._cell, dt_ms, precision)
        check(medium, self._cell)
        self.n_unknowns, real = _count(medium), REAL[precision]
        self._threads = _threads(threads, self.n_unknowns)
        require(
            bytes_needed(self.n_unknowns, len(medium.tets), width(self._cell), real, n_beats, diffusion),
            f"simulation of {self.n_unknowns} nodes and {len(medium.tets)} tetrahedra",
            "Use a coarser mesh (`mesh.edge_mm`), single precision, or fewer processes (`induce.workers`)",
        )
        self.place = _places(medium)
        node_of = np.maximum(self.place, 0)
        self._operator = operator(
            medium.points,
            medium.tets,
            medium.sigma,
            node_of,
            self.n_unknowns,
            medium.capacity,
            real,
            medium.mass_lumping,
            medium.faces,
            medium.conductance,
        )
        ratio, lumped = self.dt_ms * schemes.fastest(self._operator), self._operator.mass.size > 0
        if diffusion == "auto" and medium is not tissue:
            diffusion = "explicit"  # tuning makes up for its error in time
        share = schemes.explicit_share(self._cell, self.dt_ms)
        self.work = schemes.expected_work(ratio, share, self.dt_ms, lumped, real)
        self.diffusion = schemes.chosen(diffusion, ratio, share, self.work, order)
        self._plan = schemes.plan(self.diffusion, self._operator, self._cell, self.dt_ms, tolerance_mv, order)
        given = {**medium.initial, **medium.parameters}
        self._given = {name: self._gathered(value) for name, value in given.items()}
        self._weights = self._scattered_weights(electrode_weights)
        self._advance = schemes.advance_kernel(self.diffusion, self._model, self._threads > 1)
        self.fingerprint = self._fingerprint()

    @property
    def substeps(self) -> int:
        """Diffusion substeps the stiffest tile takes; 1 where every tile is stable or diffusion is not explicit."""
        return int(self._plan.substeps.max()) if isinstance(self._plan, Plan) else 1

    @property
    def stages(self) -> int:
        """Stages of a stabilised step; 0 where diffusion is not stabilised."""
        return len(self._plan.weights) - 1 if isinstance(self._plan, StabilisedPlan) else 0

    @property
    def before(self) -> slice:
        """Columns of a tile with the potential before the last step."""
        first = LANES * (width(self._cell) - 2)
        return slice(first, first + LANES)

    def rest(self) -> State:
        """All cells in their initial state, at time 0."""
        real, leak = REAL[self.precision], self._operator.leak
        explicit = self.diffusion == "explicit"
        tiles = resting_tiles(self._model, real, self._given, leak, self.n_unknowns, self.n_beats, explicit)
        return State(0, 0.0, tiles, self.fingerprint)

    def potential(self, state: State) -> np.ndarray:
        """(n_nodes,) potential of a state, mV; NaN where nothing conducts."""
        return self.variable(state, "V")

    def variable(self, state: State, name: str) -> np.ndarray:
        """(n_nodes,) any state variable or parameter of the cell model, by its name there.

        Raises
        ------
        InputRejected
            It has none of that name.
        """
        row = self._row(name)
        return self._on_mesh(state.tiles.cells[:, LANES * row : LANES * (row + 1)])

    def _row(self, name: str) -> int:
        names = [*self._cell.STATE, *self._cell.PARAMETERS]
        if name not in names:
            raise InputRejected(f"{self._model} has no {name!r}, but {', '.join(names)}")
        return names.index(name)

    def with_variable(self, state: State, name: str, values: np.ndarray) -> State:
        """A state that differs in one variable, (n_nodes,) values.

        With another potential all tissue begins a step there and then, also what was in a long one. A value that is not
        a number is found when a run begins.

        Raises
        ------
        InputRejected
            The cell model has no such variable, or the values are not one for each node.
        """
        row = self._row(name)
        if np.shape(values) != self.place.shape:
            raise InputRejected(
                f"{name}: found shape {np.shape(values)}, expected one for each of {len(self.place)} nodes"
            )
        tiles = copied(state.tiles)
        flat = tiles.cells[:, LANES * row : LANES * (row + 1)].copy().ravel()
        flat[self.place[self.place >= 0]] = values[self.place >= 0]
        tiles.cells[:, LANES * row : LANES * (row + 1)] = flat.reshape(-1, LANES)
        if row == 0:
            tiles.v[:] = tiles.cells[:, self.before] = flat.reshape(-1, LANES)
            tiles.reached[:], tiles.due[:], tiles.taken[:] = state.step, state.step, 0
            tiles.since[:] = tiles.v[0, : len(tiles.since)]
        return dataclasses.replace(state, tiles=tiles)

    def run(
        self,
        protocol: Protocol,
        state: State | None = None,
        *,
        snapshot_every_ms: float | None = None,
        monitor: Monitor | None = None,
        stop_when_quiet: bool = True,
        checkpoint: Path | str | None = None,
        checkpoint_every_s: float = 60.0,
        progress: Progress = silent,
    ) -> tuple[Activation, State]:
        """Simulate a protocol.

        Parameters
        ----------
        protocol : Protocol
            Times count from 0, also when the run starts from a later state; what lies before it is past.
        state : State, optional
            Of this solver; at rest and time 0 when left out. It is not changed. A run from a saved state equals an
            uninterrupted one to the bit: activation times of both parts are in the result, snapshots and electrograms
            of this part only.
        snapshot_every_ms : float, optional
            Taken at the steps nearest to its multiples, from time 0 to the end of the run; `snapshot_ms` says when.
        monitor : callable, optional
            Called every 20 ms of simulated time with the time and the activation times so far; True ends the run.
        stop_when_quiet : bool
            End when all tissue is at rest and no stimulus is to come: `Activation.end_ms` is then earlier than the
            protocol's end, snapshots and electrograms end with it. False runs, and samples, all of it.
        checkpoint : path, optional
            A file that is replaced every `checkpoint_every_s` seconds and removed at the end. When it is there and
            belongs to this run, the run goes on from it.

        Raises
        ------
        InputRejected
            A stimulus touches no conducting node; the state belongs to another solver.
        QualityGate
            A variable of a node was not finite, before the run or in it, or its potential ran away: names node,
            variable and time. In a run it stops in the step in which it happens.
        ResourceLimit
            Snapshots and checkpoints would take more than 80 % of the memory that is free.
        """
        stimuli = self._stimuli(protocol)
        if state is not None and getattr(state, "solver", "") != self.fingerprint:
            raise InputRejected(
                "state: it belongs to another tissue, time step or precision; start from `solver.rest()`"
            )
        if snapshot_every_ms is not None:
            number("snapshot_every_ms", snapshot_every_ms, "ms, above 0", SHORTEST_STEP_MS)
        self._require_for_samples(protocol, snapshot_every_ms, checkpoint is not None)
        begin = self.rest() if state is None else dataclasses.replace(state, tiles=copied(state.tiles))
        run = Run(self, protocol, stimuli, begin, snapshot_every_ms, monitor, stop_when_quiet)
        saved = Checkpoint(checkpoint, checkpoint_every_s, run.key) if checkpoint is not None else None
        if saved:
            saved.restore(run)
        run.check()
        while run.step < run.last and not run.ended:
            run.advance()
            if saved:
                saved.keep(run)
            progress(run.step / max(run.last, 1), f"{run.step * self.dt_ms:.0f} ms simulated")
        if saved:
            saved.remove()
        return run.activation(), State(run.step, run.step * self.dt_ms, run.tiles, self.fingerprint)

    def _require_for_samples(self, protocol: Protocol, snapshot_every_ms: float | None, checkpoint: bool) -> None:
        """Memory beyond what the solver was made with; snapshots are held twice while they become one array."""
        n_snapshots = protocol.duration_ms / snapshot_every_ms + 1 if snapshot_every_ms else 0
        bytes_a_node = 8 * n_snapshots
        if checkpoint:  # the file is made in memory
            kept = 0 if self.diffusion == "explicit" else 2
            state = bytes_of_state(width(self._cell) + kept, REAL[self.precision], self.n_beats)
            bytes_a_node += 2 * (state + 4 * n_snapshots)
        require(
            bytes_a_node * len(self.place),
            f"{n_snapshots:.0f} snapshots of {len(self.place)} nodes" + (" and checkpoints" if checkpoint else ""),
            "Take snapshots less often, or simulate in parts",
        )

    def _stimuli(self, protocol: Protocol) -> list[tuple[int, int, float, np.ndarray]]:
        """First step, last step, strength and places of each stimulus."""
        prepared = []
        for where, stimulus, nodes in checked(protocol, len(self.place)):
            places = np.unique(self.place[nodes])
            places = places[places >= 0]
            if not places.size:
                raise InputRejected(
                    f"{where}: touches none of the {self.n_unknowns} conducting nodes ({nodes.size} nodes given). "
                    "Move it out of scar and lesions, or make it larger."
                )
            start, stop = (round(t / self.dt_ms) for t in (stimulus.start_ms, stimulus.start_ms + stimulus.duration_ms))
            stop = max(stop, start + 1)
            # What flows in whole steps is what was asked for.
            strength = stimulus.strength_mv_per_ms * stimulus.duration_ms / ((stop - start) * self.dt_ms)
            prepared.append((start, stop, strength, places))
        return prepared

    def _on_mesh(self, tiled: np.ndarray) -> np.ndarray:
        """Values on the mesh's nodes, (..., n_nodes) float32; NaN where nothing conducts."""
        flat = tiled.reshape(*tiled.shape[:-2], -1)
        out = flat[..., np.maximum(self.place, 0)]
        out[..., self.place < 0] = np.nan
        return out

    def _gathered(self, value: np.ndarray | float) -> np.ndarray:
        """What every unknown has from what every node has; one number for all stays one."""
        if np.ndim(value) == 0:
            return np.asarray(value, np.float64)
        out: np.ndarray = np.empty(self.n_unknowns, REAL[self.precision])
        out[self.place[self.place >= 0]] = np.asarray(value)[self.place >= 0]
        return out

    def _scattered_weights(self, weights: np.ndarray | None) -> np.ndarray:
        """(n_electrodes, n_tiles * 16): what every unknown has of the weights of its nodes."""
        given = np.zeros((0, len(self.place))) if weights is None else weights
        given = finite_array("electrode_weights", given, (None, len(self.place)))
        out = np.zeros((len(given), len(self._operator.leak) * LANES))
        for row, weight in zip(out, given, strict=True):
            row[: self.n_unknowns] = np.bincount(self.place[self.place >= 0], weight[self.place >= 0], self.n_unknowns)
        return out

    def _fingerprint(self) -> str:
        about = f"{self._model} {self.precision} {self.dt_ms} {self.n_beats} {list(self._given)} {self.diffusion}"
        digest = hashlib.sha256(about.encode())
        if self._cell.__spec__:  # one of ours; that of a file has its content in its name
            digest.update(Path(str(self._cell.__file__)).read_bytes())
        for array in (*self._operator, *self._plan, self.place, *self._given.values()):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def bytes_needed(n_nodes: int, n_tets: int, width: int, real: type, n_beats: int, diffusion: str = "explicit") -> float:
    """At most, besides the mesh: while the diffusion is assembled, or while a run goes on from a state.

    Parameters
    ----------
    width : int
        Numbers a node has in its tile.
    diffusion : str
        As in `Solver`; "auto" counts as the one that takes most.
    """
    kept, more = {"explicit": (0, 0), "stabilised": (2, 2)}.get(diffusion, (2, 9))
    size = np.dtype(real).itemsize
    neighbours = 16 * (4 + size) + 8 + size * (1 + more)
    running = n_nodes * (neighbours + 2 * bytes_of_state(width + kept, real, n_beats) + 8 * n_beats + 40)
    return max(running, ASSEMBLY_BYTES_PER_TET * n_tets)


def bytes_of_state(width: int, real: type, n_beats: int) -> float:
    """Of a node, in `Tiles`."""
    return np.dtype(real).itemsize * (width + 2) + 8 * n_beats + 3 + 40 / LANES


def _count(medium: Medium) -> int:
    """How many points the tetrahedra name, which takes far less than to order them."""
    named = np.zeros(len(medium.points), bool)
    named[medium.tets if medium.same_as is None else np.asarray(medium.same_as)[medium.tets]] = True
    return int(named.sum())


def _places(medium: Medium) -> np.ndarray:
    """(n_points,) unknown of each point, -1 without one; ordered so that neighbours share tiles."""
    same = np.arange(len(medium.points)) if medium.same_as is None else np.asarray(medium.same_as)
    used = np.unique(same[medium.tets])
    used = used[space_filling_order(medium.points[used])]
    place = np.full(len(medium.points), -1, np.int64)
    place[used] = np.arange(len(used))
    place = place[same]
    if medium.same_as is None:
        return place
    touched = np.zeros(len(medium.points), bool)
    touched[medium.tets] = True
    place[~touched] = -1
    return place


def _threads(wanted: int | None, n_unknowns: int) -> int:
    """How many to use. A parallel region costs about 0.04 ms to start: two threads gain from 10,000 nodes on."""
    available = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    if wanted is None:
        return available if n_unknowns > 10_000 else 1
    return whole("threads", wanted, f"1 to {available} (more with NUMBA_NUM_THREADS), or None for all", 1, available)
