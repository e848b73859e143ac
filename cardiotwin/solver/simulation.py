"""One run of the time loop: what it is told, what it samples, and how it survives a kill."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.kernels.ionic import width
from cardiotwin.kernels.lanes import LANES
from cardiotwin.kernels.monodomain import RUNAWAY_MV, Tiles, electrode_potentials
from cardiotwin.solver.diffusion import MOST_ITERATIONS, scratch
from cardiotwin.solver.protocol import Activation, Protocol
from cardiotwin.storage.durable import write_file

if TYPE_CHECKING:
    from cardiotwin.solver.solver import Solver, State

SAMPLE_MS = 1.0
"""Between two samples of the electrodes, and two looks at whether all is quiet."""
MONITOR_MS = 20.0
QUIET_MV = 5.0
"""Tissue this little above rest cannot excite itself: the threshold of the most excitable model lies at 5.3 mV."""
CHECKED_TILES = 4096
"""At a time, so that the check takes no memory."""

Monitor = Callable[[float, np.ndarray], "bool | None"]
"""Called as ``monitor(time_ms, activation_ms)`` with the (beats so far, n_nodes) times; True ends the run."""


class Run:
    """One run under way: it owns the tiles it is given, which it overwrites, and what it has sampled."""

    def __init__(
        self,
        solver: Solver,
        protocol: Protocol,
        stimuli: list[tuple[int, int, float, np.ndarray]],
        begin: State,
        snapshot_every_ms: float | None,
        monitor: Monitor | None,
        stop_when_quiet: bool,
    ) -> None:
        self.solver, self.stimuli, self.monitor, self.stop_when_quiet = solver, stimuli, monitor, stop_when_quiet
        self.step, self.tiles, self.ended = begin.step, begin.tiles, False
        self.last = round(protocol.duration_ms / solver.dt_ms)
        self.key = _key(solver, begin.step, protocol, snapshot_every_ms)
        shape = self.tiles.v.shape[1:]
        self._stimulus, self._stimulated = np.zeros(shape, self.tiles.v.dtype), np.zeros(shape[0], bool)
        self._scratch = scratch(solver._plan, len(self.tiles.due), self.tiles.v.dtype)
        self._failed = np.full(1, -1, np.int64)
        self._every = {"sample": _every(SAMPLE_MS, solver.dt_ms)}
        if snapshot_every_ms is not None:
            self._every["snapshot"] = _every(snapshot_every_ms, solver.dt_ms)
        if monitor is not None:
            self._every["monitor"] = _every(MONITOR_MS, solver.dt_ms)
        self.snapshots: list[np.ndarray] = []
        self.snapshot_ms: list[float] = []
        self.electrode_mv: list[np.ndarray] = []
        self.ecg_ms: list[float] = []
        if self.step == 0:
            self._observe()

    def advance(self) -> None:
        """To the next step at which anything outside the kernel happens."""
        changes = [s for start, stop, _, _ in self.stimuli for s in (start, stop)]
        ahead = [s for s in (*changes, *(_after(self.step, every) for every in self._every.values())) if s > self.step]
        stop = min(self.last, *ahead)
        self._inject()
        solver = self.solver
        if solver._threads > 1:
            numba.set_num_threads(solver._threads)
        solver._advance(
            self.step, stop, self.tiles, solver._operator, solver._plan, solver._threads, self._stimulus,
            self._stimulated, self._scratch, self._failed,
        )  # fmt: skip
        if self._failed[0] >= 0:
            raise QualityGate(self._blame())
        self.step = stop
        self._observe()

    def _inject(self) -> None:
        self._stimulus[:] = 0.0
        for start, stop, strength, places in self.stimuli:
            if start <= self.step < stop:
                self._stimulus.reshape(-1)[places] += strength
        np.any(self._stimulus != 0.0, axis=1, out=self._stimulated)

    def _observe(self) -> None:
        solver, now = self.solver, self.step * self.solver.dt_ms
        v = self.tiles.cells[:, :LANES]
        if self._now("snapshot"):
            self.snapshots.append(solver._on_mesh(v).astype(np.float32))
            self.snapshot_ms.append(now)
        if self._now("sample"):
            if len(solver._weights):
                mv = np.empty(len(solver._weights))
                electrode_potentials(solver._weights, np.ascontiguousarray(v).reshape(-1), mv)
                self.electrode_mv.append(mv)
                self.ecg_ms.append(now)
            pending = any(stop > self.step for _, stop, _, _ in self.stimuli)
            self.ended = self.stop_when_quiet and not pending and bool(v.max() < solver._cell.REST_MV + QUIET_MV)
        if self.monitor is not None and self.step and self._now("monitor"):
            self.ended |= bool(self.monitor(now, solver._on_mesh(self.tiles.activation_ms[: self._beats()])))

    def _beats(self) -> int:
        """Rows of recorded times that hold any, one at least."""
        return max(1, min(int(self.tiles.beats.max()), self.solver.n_beats))

    def _now(self, what: str) -> bool:
        return what in self._every and _after(self.step - 1, self._every[what]) == self.step

    def check(self) -> None:
        """Refuse to begin with what is not a number: a quiet tile would be evaluated, and found, too late.

        Raises
        ------
        QualityGate
            Names node, variable and time. A parameter may be infinite.
        """
        cell, tiles = self.solver._cell, self.tiles.cells
        names = [*cell.STATE, *cell.PARAMETERS]
        for first in range(0, len(tiles), CHECKED_TILES):
            now = tiles[first : first + CHECKED_TILES].reshape(-1, tiles.shape[1] // LANES, LANES)
            wrong = np.isnan(now[:, : len(names)])
            wrong[:, : len(cell.STATE)] |= np.isinf(now[:, : len(cell.STATE)])
            if wrong.any():
                tile, row, lane = np.argwhere(wrong)[0]
                raise QualityGate(
                    f"simulation: node {self._node(first + tile, lane)}: {names[row]} is {now[tile, row, lane]:g} at "
                    f"{self.step * self.solver.dt_ms:g} ms, before the first step. Look at the tissue's parameters and "
                    "initial values there."
                )

    def _node(self, tile: int, lane: int) -> int:
        """Of the mesh."""
        return int(np.argmax(self.solver.place == tile * LANES + lane))

    def _blame(self) -> str:
        """Which node, variable and time.

        Of the variables that are lost together it names the one that a step computes first: gates before what the
        currents carry, the potential when nothing else explains it.
        """
        cell = self.solver._cell
        now = self.tiles.cells.reshape(len(self.tiles.cells), -1, LANES)[:, : len(cell.STATE)].astype(np.float64)
        finite = np.isfinite(now)
        change = now[:, 0] - self.tiles.cells[:, self.solver.before]
        wrong = ~finite.all(axis=1) | ~(np.abs(change) < RUNAWAY_MV)
        if not wrong.any():
            return (
                f"simulation: implicit diffusion has not converged within {MOST_ITERATIONS} iterations at "
                f"{int(self._failed[0]) * self.solver.dt_ms:g} ms. Use diffusion='stabilised', or look for slivers in "
                "the mesh."
            )
        tile, lane = np.argwhere(wrong)[0]
        lost = sorted(np.flatnonzero(~finite[tile, :, lane]), key=lambda row: (row == 0, not _is_gate(cell)[row]))
        row = int(lost[0]) if lost else 0
        longest = getattr(cell, "LONGEST_DT_MS", 0.0)
        advice = "Use a smaller dt_ms, or look at the tissue's parameters there."
        if self.solver.dt_ms <= 0.5 * longest and not self.solver._given:
            advice = f"Look at stimuli and conductivities there; by itself a cell bears {longest:g} ms."
        return (
            f"simulation: node {self._node(tile, lane)}: {list(cell.STATE)[row]} reached {now[tile, row, lane]:g} at "
            f"{int(self._failed[0]) * self.solver.dt_ms:g} ms. {advice}"
        )

    def activation(self) -> Activation:
        """What was seen, on the nodes of the mesh."""
        n_nodes, on_mesh = len(self.solver.place), self.solver._on_mesh
        return Activation(
            activation_ms=on_mesh(self.tiles.activation_ms[: self._beats()]),
            repolarisation_ms=on_mesh(self.tiles.repolarisation_ms[: self._beats()]),
            snapshot_ms=np.array(self.snapshot_ms),
            snapshots=np.array(self.snapshots, np.float32).reshape(len(self.snapshots), n_nodes),
            ecg_ms=np.array(self.ecg_ms),
            electrode_mv=np.array(self.electrode_mv).reshape(len(self.ecg_ms), len(self.solver._weights)).T.copy(),
            end_ms=self.step * self.solver.dt_ms,
        )


class Checkpoint:
    """A file with all that a killed run needs to go on."""

    def __init__(self, path: Path | str, every_s: float, key: str) -> None:
        self.path, self.every_s, self.key = Path(path), every_s, key
        if not self.path.parent.is_dir():
            raise InputRejected(f"checkpoint {self.path}: there is no folder {self.path.parent}; make it first")
        self._saved = time.monotonic()

    def keep(self, run: Run) -> None:
        """Replace the file if it is time to."""
        if time.monotonic() - self._saved < self.every_s:
            return
        arrays: dict[str, Any] = {name: np.array(getattr(run, name)) for name in SAMPLED}
        arrays.update(run.tiles._asdict(), key=np.array(self.key), step=np.array(run.step))
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        write_file(self.path, buffer.getvalue())
        self._saved = time.monotonic()

    def restore(self, run: Run) -> None:
        """Go on from the file, if there is one of this very run; any other is of no use and will be replaced."""
        try:
            with np.load(self.path, allow_pickle=False) as saved:
                if str(saved["key"]) != self.key:
                    return
                tiles = Tiles(*(saved[name] for name in Tiles._fields))
                sampled = {name: list(saved[name]) for name in SAMPLED}
                step = int(saved["step"])
        except Exception:  # one flipped bit surfaces as any of a dozen classes, NotImplementedError among them
            return
        # Only when all of it was read: tiles of a later time in a run that begins anew would be nobody's heart.
        run.tiles, run.step = tiles, step
        for name, values in sampled.items():
            setattr(run, name, values)

    def remove(self) -> None:
        """The run is over."""
        self.path.unlink(missing_ok=True)


def _is_gate(cell: ModuleType) -> np.ndarray:
    """(n_states,) which state variables a cell model's `gates` steps: tried on one cell away from rest."""
    row = np.zeros(LANES * width(cell))
    given = [*cell.STATE.values(), *cell.PARAMETERS.values()]
    row[: LANES * len(given) : LANES] = given
    stepped = row.copy()
    cell.gates(stepped, 0, 0.5 * (cell.REST_MV + cell.REPOLARISED_MV), 1.0)
    return (stepped != row)[: LANES * len(cell.STATE) : LANES]


SAMPLED = ("snapshots", "snapshot_ms", "electrode_mv", "ecg_ms")


def _every(period_ms: float, dt_ms: float) -> float:
    """A period in steps; at least one."""
    return max(period_ms / dt_ms, 1.0)


def _after(step: int, every: float) -> int:
    """The next step, after `step`, nearest to a multiple of a period in steps."""
    k = int(np.floor((step + 0.5) / every + 1e-9)) + 1
    while round((k - 1) * every) > step:
        k -= 1
    while round(k * every) <= step:
        k += 1
    return round(k * every)


def copied(tiles: Tiles) -> Tiles:
    """A state of its own."""
    return Tiles(*(array.copy() for array in tiles))


def _key(solver: Solver, step: int, protocol: Protocol, snapshot_every_ms: float | None) -> str:
    """What tells one run from another."""
    digest = hashlib.sha256(f"{solver.fingerprint} {step} {protocol.duration_ms} {snapshot_every_ms}".encode())
    digest.update(solver._weights.tobytes())
    for s in protocol.stimuli:
        digest.update(np.asarray(s.nodes, np.int64).tobytes())
        digest.update(f"{s.start_ms} {s.duration_ms} {s.strength_mv_per_ms}".encode())
    return digest.hexdigest()
