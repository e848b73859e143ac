"""Fronts that come again on a whole heart: the eikonal model with refractoriness.

Where `eikonal` asks when a front arrives first, here tissue is excited as often as it has recovered, so that a front
can be blocked, split at an isthmus and come back. How long tissue stays refractory, and how much slower a front is in
tissue that has hardly recovered, is measured on bars of the same cells (`restitution`), one of each kind: three layers
of the wall, healthy or remodelled border zone; durations are evened out between neighbours as coupling does. A hundred
times as fast as the monodomain model, and blind to what makes a front there depend on its shape: it does not stop where
it leaves a narrow channel for a wide one.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from cardiotwin.eikonal import conducting_tets, prepare
from cardiotwin.heart.heart import BORDER_ZONE, Heart
from cardiotwin.kernels.eikonal import Conductor
from cardiotwin.kernels.reexcitation import Recovery, Waves, advance, at_rest, copied, fire
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.settings import TissueSettings
from cardiotwin.solver.protocol import Activation, Protocol
from cardiotwin.solver.simulation import Monitor
from cardiotwin.tissue.cells import border_share, cell_parameters, cell_types, conducting_cell
from cardiotwin.tissue.coupling import evened_out
from cardiotwin.tissue.restitution import Restitution, restitution
from cardiotwin.tissue.tissue import Velocities

TABLE_STEP_MS = 2.0
LONGEST_REST_MS = 1000.0
BEATS = 24
LOOK_EVERY_MS = 25.0
"""Between two looks of a monitor."""
HELD_BACK = 1.5
"""A front that would have to be so many times slower than in tissue just recovered, to find it so, stops. S2 along a
bar of ten Tusscher-Panfilov cells with ever longer action potentials stops where these need a front 2.0 to 3.4 times
slower at 0.15 m/s, 1.7 to 5.8 times at 0.4 (`benchmarks/recovery_gradients.py`). On a mesh fronts zigzag, which gives
them 1 to 1.7 times as much; and of a screen it is asked to block rather too often."""
COUPLED_SQUARED = 3.5**2 / 0.4
"""mm² for each mm/ms of velocity: durations even out over 3.5 mm where a front runs at 0.4 m/s, over 2.1 mm at 0.15; on
bars 3.9 and 2.6 (the same benchmark)."""
BAR_EDGE_MM = 0.4
"""Of the bars: fine, so that no front stops between nodes."""
TYPICAL_VELOCITY = 0.4
"""mm/ms, of the bars: how tissue recovers hardly depends on it, and members of one posterior can share them."""


@dataclass(frozen=True, eq=False)
class FrontState:
    """Where a run stands, on its clock."""

    time_ms: float
    waves: Waves


class FrontSolver:
    """A heart made ready for many runs; what `Solver` is to the monodomain model, with the same `run`.

    Parameters
    ----------
    heart : Heart
    velocities : Velocities
        Of a front in healthy, rested tissue.
    settings : TissueSettings
    recovery : Recovery
        As `recovery_of` measures it.
    blocked : (n_tets,) bool, optional
        Lesions.
    """

    def __init__(
        self,
        heart: Heart,
        velocities: Velocities,
        settings: TissueSettings,
        recovery: Recovery,
        *,
        blocked: np.ndarray | None = None,
    ) -> None:
        self.mesh: Conductor = prepare(heart, settings, blocked=blocked)
        self.recovery = recovery
        speeds = (velocities.fibre, velocities.cross, velocities.endocardium or 0.0)
        with np.errstate(divide="ignore"):
            self.slowness = np.array(speeds) ** -2.0

    def with_recovery(self, recovery: Recovery) -> FrontSolver:
        """The same tissue, recovering otherwise; states may be taken from one to the other."""
        other = copy(self)
        other.recovery = recovery
        return other

    def run(
        self,
        protocol: Protocol,
        state: FrontState | None = None,
        *,
        monitor: Monitor | None = None,
        stop_when_quiet: bool = True,
    ) -> tuple[Activation, FrontState]:
        """Fire the stimuli in turn and let fronts run until the protocol ends, none is left, or the monitor says so."""
        now = state.time_ms if state is not None else 0.0
        waves = copied(state.waves) if state is not None else at_rest(len(self.mesh.points), BEATS)
        stimuli = sorted(protocol.stimuli, key=lambda one: one.start_ms)
        while now < protocol.duration_ms:
            coming = [one.start_ms for one in stimuli if one.start_ms >= now]
            then = min(now + LOOK_EVERY_MS, protocol.duration_ms, *(at for at in coming if at > now))
            for one in stimuli:
                if now <= one.start_ms < then:
                    fire(np.asarray(one.nodes, np.int64), one.start_ms, waves)
            advance(self.mesh, self.slowness, self.recovery, then, waves)
            now = then
            if monitor is not None and monitor(now, waves.beats_ms[: max(1, int(waves.count.max()))]):
                break
            if stop_when_quiet and not waves.front.size[0] and not any(at >= now for at in coming):
                break
        return self._seen(waves, now), FrontState(now, waves)

    def _seen(self, waves: Waves, end_ms: float) -> Activation:
        beats = waves.beats_ms[: max(1, min(BEATS, int(waves.count.max())))]
        nothing = np.empty(0), np.empty((0, beats.shape[1]), np.float32)
        return Activation(beats, np.full_like(beats, np.nan), *nothing, np.empty(0), np.empty((0, 0)), end_ms)


def recovery_of(
    heart: Heart,
    velocities: Velocities,
    settings: TissueSettings,
    model: str,
    profile: str,
    *,
    edge_mm: float,
    dt_ms: float,
    s1_cycle_length_ms: float,
) -> Recovery:
    """How each node of a heart recovers when it is paced at a cycle length.

    Parameters
    ----------
    heart : Heart
        May be coarse.
    velocities, settings, model, profile
        As in `make_tissue`.
    edge_mm, dt_ms : float
        Of the mesh and the time step that the monodomain model would be run with.
    s1_cycle_length_ms : float

    Raises
    ------
    QualityGate
        Tissue that does not follow that cycle length.
    """
    heart = replace(heart, edge_mm=edge_mm)
    conducting = conducting_tets(heart)
    remodelled = (border_share(heart, conducting) > 0.5) & (profile == "structural_and_ionic")
    layers = list(cell_types(heart.transmural).values())
    kind = (np.argmax(layers, axis=0) + 3 * remodelled).astype(np.uint8)
    parameters = cell_parameters(heart, conducting, model, TYPICAL_VELOCITY, settings, profile)
    alive = np.zeros(len(kind), bool)
    alive[np.unique(heart.mesh.tets[conducting])] = True
    measured: dict[int, Restitution] = {}
    for number in np.unique(kind[alive]):
        here = alive & (kind == number)
        share = settings.border_zone_velocity_fraction if number >= 3 else 1.0
        cell = conducting_cell(model, share * TYPICAL_VELOCITY, heart.edge_mm, bool(number >= 3))
        own = cell | {name: float(f"{np.median(values[here]):.4g}") for name, values in parameters.items()}
        velocity = share * TYPICAL_VELOCITY
        measured[int(number)] = restitution(model, own, velocity, BAR_EDGE_MM, dt_ms, s1_cycle_length_ms)
    alone = np.zeros(len(kind))
    for number, found in measured.items():
        alone[kind == number] = found.s1_duration_ms
    reach = _reach(heart, velocities, settings)[conducting]
    nodes, tets = np.unique(heart.mesh.tets[conducting], return_inverse=True)
    coupled = Mesh(heart.mesh.points[nodes], tets.reshape(-1, 4).astype(np.int32))
    alone[nodes] = evened_out(coupled, reach, alone[nodes])[:, 0]
    return _tables(measured, kind, alone)


def _reach(heart: Heart, velocities: Velocities, settings: TissueSettings) -> np.ndarray:
    """(n_tets, 3, 3) square of the lengths over which durations even out, mm²: they grow with velocity."""
    fraction = np.where(heart.tissue_class == BORDER_ZONE, settings.border_zone_velocity_fraction, 1.0)
    dyads = heart.fibres[:, :, None] * heart.fibres[:, None, :]
    tensor = velocities.cross * np.eye(3) + (velocities.fibre - velocities.cross) * dyads
    return COUPLED_SQUARED * fraction[:, None, None] * tensor


def _tables(measured: dict[int, Restitution], kind: np.ndarray, duration_ms: np.ndarray) -> Recovery:
    columns = round(LONGEST_REST_MS / TABLE_STEP_MS)
    rest, shorter, slower = np.zeros(6), np.zeros((6, columns)), np.ones((6, columns))
    for number, found in measured.items():
        rest[number] = found.interval_ms[0]
        grid = rest[number] + TABLE_STEP_MS * np.arange(columns)
        shorter[number] = found.s1_duration_ms - np.interp(grid, found.interval_ms, found.duration_ms)
        slower[number] = np.interp(grid, found.interval_ms, found.velocity) ** -2.0
    return Recovery(duration_ms, kind, rest, shorter, slower, TABLE_STEP_MS, HELD_BACK)
