"""Programmed stimulation of every draw, from every site, on every border-zone profile.

The protocol is that of Arevalo et al. 2016 (doi 10.1038/ncomms11437) and Prakosa et al. 2018
(doi 10.1038/s41551-018-0282-2): a train of S1, then S2 brought earlier step by step until re-entry or loss of capture;
S3 and S4 likewise, each behind the earliest extra-stimulus that captured. Re-entry counts when it turns at least twice
at one site after the last stimulus. The train is computed once for a site; every attempt starts from its saved state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.calibration import Posterior
from cardiotwin.ensemble import run_tasks
from cardiotwin.errors import QualityGate
from cardiotwin.heart import BASE, BORDER_ZONE, HEALTHY, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.monodomain import Activation, Monitor, Protocol, Solver, State, Stimulus
from cardiotwin.progress import Progress, silent
from cardiotwin.reentry import Circuit, Neighbours, find_circuits, neighbours, same_circuit
from cardiotwin.settings import InduceSettings, TissueSettings
from cardiotwin.tissue import make_tissue

CAPTURE_RING_MM = 4.0
CAPTURE_WITHIN_MS = 60.0
"""A stimulus captured when tissue this far beyond the electrode's own is activated within this time."""

SILENT_MS = 250.0
"""No wave waits longer than this for tissue to recover: when nothing was activated for so long, nothing will be."""


@dataclass(frozen=True, eq=False)
class Induction:
    """One pacing site on one draw under one border-zone profile.

    Attributes
    ----------
    site : int
        Row of `Arrhythmias.site_positions`.
    draw : int
        Row of `Arrhythmias.members`.
    profile : str
        Border-zone profile.
    couplings_ms : tuple of float
        S2 (and S3, S4) coupling intervals that induced re-entry; of the last attempt when none did.
    circuit : int or None
        Row of `Arrhythmias.circuits`; None when nothing was induced.
    outcome : str
        ``"re-entry"``, ``"not inducible"``, ``"no capture"`` (not even at the cycle length of the train),
        ``"site ablated"``, or ``"not re-tested"``: not inducible without ablation.
    """

    site: int
    draw: int
    profile: str
    couplings_ms: tuple[float, ...]
    circuit: int | None
    outcome: str


@dataclass(frozen=True, eq=False)
class Arrhythmias:
    """What pacing induced.

    Attributes
    ----------
    site_positions : (n_sites, 3) float64
        Pacing sites, LPS, mm.
    site_nodes : (n_sites,) int32
    members : (n_draws,) int64
        Members of the posterior that were tested.
    circuits : tuple of Circuit
        Unique ones.
    inductions : tuple of Induction
        Every combination tested.
    """

    site_positions: np.ndarray
    site_nodes: np.ndarray
    members: np.ndarray
    circuits: tuple[Circuit, ...]
    inductions: tuple[Induction, ...]


@dataclass(frozen=True, eq=False)
class Paced:
    """What one combination showed, before circuits are matched."""

    couplings_ms: tuple[float, ...]
    circuit: Circuit | None
    outcome: str


@dataclass(frozen=True, eq=False)
class _Context:
    heart: Heart
    posterior: Posterior
    settings: InduceSettings
    tissue_settings: TissueSettings
    lesions: dict[str, np.ndarray]  # by name of the plan; none for the heart as it is


@dataclass(frozen=True)
class _Task:
    plan: str
    member: int
    profile: str
    site_node: int


def induce(
    heart: Heart,
    posterior: Posterior,
    settings: InduceSettings | None = None,
    tissue_settings: TissueSettings | None = None,
    *,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Arrhythmias:
    """Pace every draw from every site and collect the unique circuits.

    Parameters
    ----------
    heart : Heart
    posterior : Posterior
        `settings.n_draws` members are drawn from it by weight.
    settings, tissue_settings
    folder : Path or None
        Where finished combinations are kept, so that a killed run resumes.

    Raises
    ------
    QualityGate
        No healthy endocardium to pace from.
    """
    settings, tissue_settings = settings or InduceSettings(), tissue_settings or TissueSettings()
    nodes = pacing_sites(heart, settings.n_sites, settings.sites_near_scar_mm, settings.electrode_radius_mm)
    blank = Arrhythmias(heart.mesh.points[nodes], nodes, posterior.draws(settings.n_draws, seed=0), (), ())
    context = _Context(heart, posterior, settings, tissue_settings, {})
    everything = [
        Induction(site, draw, profile, (), None, "")
        for draw in range(settings.n_draws)
        for profile in settings.border_zone_profiles
        for site in range(nodes.size)
    ]
    return _tested(context, blank, {"": everything}, folder, progress)[""]


def retest(
    heart: Heart,
    posterior: Posterior,
    before: Arrhythmias,
    lesions: dict[str, np.ndarray],
    settings: InduceSettings,
    tissue_settings: TissueSettings,
    *,
    only_inducible: bool,
    folder: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Arrhythmias]:
    """The same sites, draws and protocol on the heart under each plan: `lesions` are (n_tets,) bool by plan.

    With `only_inducible`, what was not inducible before is taken as not inducible after: it saves most of the work and
    misses circuits that a lesion creates there.
    """
    context = _Context(heart, posterior, settings, tissue_settings, lesions)
    again = [one for one in before.inductions if one.circuit is not None or not only_inducible]
    spared = [replace(one, outcome="not re-tested") for one in before.inductions if one not in again]
    after = _tested(context, before, dict.fromkeys(lesions, again), folder, progress)
    return {name: replace(one, inductions=(*one.inductions, *spared)) for name, one in after.items()}


def pacing_sites(heart: Heart, count: int, near_scar_mm: float = 0.0, electrode_radius_mm: float = 3.0) -> np.ndarray:
    """(count,) nodes of healthy endocardium, as far from each other as they can be; the first in the right apex.

    Farthest-point sampling from the right-ventricular apex, the usual place of a pacing catheter; below 85 % of the
    way to the base, since a catheter does not stay on the valve ring. With `near_scar_mm` the others lie within that
    distance of scar, where a coupling interval reaches the substrate as short as it was given, and the second lies
    where the most border zone is around it.

    Raises
    ------
    QualityGate
        Too little healthy endocardium.
    """
    scar = np.unique(heart.mesh.tets[heart.tissue_class != HEALTHY])
    candidates = np.setdiff1d(heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM), scar)
    candidates = np.setdiff1d(candidates, heart.surface_nodes(BASE))
    candidates = candidates[heart.apicobasal[candidates] < 0.85]
    right = np.intersect1d(candidates, heart.surface_nodes(RV_ENDOCARDIUM))
    first = right if right.size else candidates
    chosen = [int(first[np.argmin(heart.apicobasal[first])])] if first.size else []
    if near_scar_mm and scar.size:
        away = cKDTree(heart.mesh.points[scar]).query(heart.mesh.points[candidates])[0]
        candidates = candidates[(away <= near_scar_mm) & (away >= 2 * electrode_radius_mm)]
    if candidates.size < count:
        raise QualityGate(
            f"induce: {candidates.size} nodes of healthy endocardium to pace from, {count} sites asked for; "
            "check the segmentation, lower `induce.n_sites`, or raise `induce.sites_near_scar_mm`"
        )
    points = heart.mesh.points[candidates]
    if near_scar_mm and scar.size and count > 1:
        chosen.append(int(candidates[np.argmax(_border_zone_around(heart, points, near_scar_mm))]))
    distance = cKDTree(heart.mesh.points[chosen]).query(points)[0]
    while len(chosen) < count:
        chosen.append(int(candidates[np.argmax(distance)]))
        distance = np.minimum(distance, np.linalg.norm(points - heart.mesh.points[chosen[-1]], axis=1))
    return np.array(chosen, np.int32)


def _border_zone_around(heart: Heart, points: np.ndarray, radius_mm: float) -> np.ndarray:
    """Volume of border zone within a distance of each point, mm³."""
    border = heart.tissue_class == BORDER_ZONE
    volumes = heart.mesh.volumes[border]
    near = cKDTree(heart.mesh.centroids[border]).query_ball_point(points, radius_mm)
    return np.array([volumes[inside].sum() for inside in near])


def _tested(
    context: _Context,
    arrhythmias: Arrhythmias,
    combinations: dict[str, list[Induction]],
    folder: Path | None,
    progress: Progress,
) -> dict[str, Arrhythmias]:
    """Pace each plan's combinations, all in one pool, and give circuits their numbers; no pacing is done twice."""
    named = {
        (plan, one): _Task(plan, int(arrhythmias.members[one.draw]), one.profile, int(arrhythmias.site_nodes[one.site]))
        for plan, ones in combinations.items()
        for one in ones
    }
    plans = list(combinations)
    names = {
        key: f"{plans.index(task.plan)}-{task.member}-{task.profile}-{task.site_node}" for key, task in named.items()
    }
    paced = run_tasks(
        _pace,
        context,
        {names[key]: task for key, task in named.items()},
        workers=context.settings.workers,
        folder=folder,
        kind=Paced,
        progress=progress,
    )
    return {
        plan: _numbered(arrhythmias, {one: paced[names[plan, one]] for one in ones})
        for plan, ones in combinations.items()
    }


def _numbered(arrhythmias: Arrhythmias, paced: dict[Induction, Paced]) -> Arrhythmias:
    """Every circuit once, and which combination induced which."""
    circuits: list[Circuit] = []
    inductions = []
    for one, result in paced.items():
        number = None if result.circuit is None else _number(result.circuit, circuits)
        inductions.append(replace(one, couplings_ms=result.couplings_ms, circuit=number, outcome=result.outcome))
    return replace(arrhythmias, circuits=tuple(circuits), inductions=tuple(inductions))


def _number(circuit: Circuit, known: list[Circuit]) -> int:
    """Index of the circuit among the known ones, to which it is added if it is new."""
    for number, other in enumerate(known):
        if same_circuit(circuit, other):
            return number
    known.append(circuit)
    return len(known) - 1


@lru_cache(maxsize=1)
def _prepared(context: _Context, plan: str, member: int, profile: str) -> tuple[Solver, Neighbours]:
    """The solver of one draw under one plan; its sites follow each other, so one is kept."""
    settings = context.settings
    tissue = make_tissue(
        context.heart,
        context.posterior.velocities(member),
        context.tissue_settings,
        dt_ms=settings.dt_ms,
        lesions=context.lesions.get(plan),
        profile=profile,
        cell_model=settings.cell_model,
    )
    mesh = context.heart.mesh
    return Solver(tissue, dt_ms=settings.dt_ms, threads=1), neighbours(mesh.points, mesh.tets[tissue.conducting])


def _pace(context: _Context, task: _Task) -> Paced:
    solver, tissue = _prepared(context, task.plan, task.member, task.profile)
    electrode = _Electrode.at(task.site_node, tissue, context.settings.electrode_radius_mm)
    if electrode is None:
        return Paced((), None, "site ablated")
    return _Stimulator(context.settings, solver, tissue, electrode).paced()


@dataclass(frozen=True, eq=False)
class _Electrode:
    """The nodes a pacing electrode captures, and a ring around it that shows whether it did."""

    nodes: np.ndarray
    ring: np.ndarray

    @staticmethod
    def at(node: int, tissue: Neighbours, radius_mm: float) -> _Electrode | None:
        beyond = np.linalg.norm(tissue.points - tissue.points[node], axis=1) - radius_mm
        conducting = tissue.volumes > 0
        nodes = np.flatnonzero(conducting & (beyond <= 0)).astype(np.int32)
        ring = np.flatnonzero(conducting & (np.abs(beyond - CAPTURE_RING_MM) <= CAPTURE_RING_MM / 2))
        return _Electrode(nodes, ring) if nodes.size and ring.size else None

    def stimulus(self, start_ms: float) -> Stimulus:
        return Stimulus(self.nodes, start_ms)

    def captured(self, activation_ms: np.ndarray, start_ms: float) -> bool:
        times = activation_ms[:, self.ring]
        return bool(np.any((times > start_ms) & (times < start_ms + CAPTURE_WITHIN_MS)))


@dataclass(frozen=True, eq=False)
class _Stimulator:
    """One site on one heart: the train, then extra-stimuli from its saved state."""

    settings: InduceSettings
    solver: Solver
    tissue: Neighbours
    electrode: _Electrode

    def paced(self) -> Paced:
        """S2, then S3 behind the earliest S2 that captured, and so on; the first re-entry ends the search."""
        state, last_ms = self._after_train()
        behind: tuple[float, ...] = ()
        tried: tuple[float, ...] = ()
        for _ in range(self.settings.extra_stimuli):
            earliest = None
            for coupling in self._couplings(state, last_ms):
                tried = (*behind, coupling)
                captured, circuit = self._attempt(state, last_ms + coupling)
                if circuit is not None:
                    return Paced(tried, circuit, "re-entry")
                if not captured:
                    break
                earliest = coupling
            if earliest is None:
                return Paced(tried, None, "not inducible" if behind else "no capture")
            behind = (*behind, earliest)
            state, last_ms = self._advanced(state, last_ms + earliest), last_ms + earliest
        return Paced(tried, None, "not inducible")

    def _couplings(self, state: State, last_ms: float) -> list[float]:
        """From the longest to the shortest; where tissue is refractory for longer, from the first that captures."""
        first, last, step = self.settings.s2_first_ms, self.settings.s2_last_ms, self.settings.s2_step_ms
        while first < self.settings.s1_cycle_length_ms and not self._captures(state, last_ms + first):
            first += step
        return [float(coupling) for coupling in np.arange(first, last - 1e-6, -step)]

    def _captures(self, state: State, stimulus_ms: float) -> bool:
        """Whether an extra-stimulus starts a wave at all."""
        times = self._run((self.electrode.stimulus(stimulus_ms),), stimulus_ms + CAPTURE_WITHIN_MS, state)[0]
        return self.electrode.captured(times.activation_ms, stimulus_ms)

    def _after_train(self) -> tuple[State, float]:
        """The state just before the earliest extra-stimulus, and when the last S1 came."""
        starts = self.settings.s1_cycle_length_ms * np.arange(self.settings.s1_beats)
        train = tuple(self.electrode.stimulus(float(start)) for start in starts)
        last_ms = float(starts[-1])
        return self._run(train, last_ms + self.settings.s2_last_ms)[1], last_ms

    def _advanced(self, state: State, stimulus_ms: float) -> State:
        """The state just before the next extra-stimulus can come, after one at `stimulus_ms`."""
        return self._run((self.electrode.stimulus(stimulus_ms),), stimulus_ms + self.settings.s2_last_ms, state)[1]

    def _run(
        self, stimuli: tuple[Stimulus, ...], until_ms: float, state: State | None = None
    ) -> tuple[Activation, State]:
        return self.solver.run(Protocol(stimuli, until_ms), state, stop_when_quiet=False)

    def _attempt(self, state: State, stimulus_ms: float) -> tuple[bool, Circuit | None]:
        """Whether an extra-stimulus captured, and the circuit that it started."""
        protocol = Protocol((self.electrode.stimulus(stimulus_ms),), stimulus_ms + self.settings.watch_ms)
        activation, _ = self.solver.run(protocol, state, monitor=self._monitor(stimulus_ms))
        times = activation.activation_ms
        if not self.electrode.captured(times, stimulus_ms):
            return False, None
        circuits = find_circuits(times, self.tissue, stimulus_ms)
        return True, circuits[0] if circuits else None

    def _monitor(self, stimulus_ms: float) -> Monitor:
        """Stops a run with nothing more to show: no capture, silence, or a quarter of the tissue turned three times."""

        def seen_enough(t_ms: float, activation_ms: np.ndarray) -> bool:
            if t_ms > stimulus_ms + CAPTURE_WITHIN_MS and not self.electrode.captured(activation_ms, stimulus_ms):
                return True
            turned = np.sum(activation_ms > stimulus_ms, axis=0) >= 4
            return bool(turned.mean() > 0.25 or t_ms - np.nanmax(activation_ms) > SILENT_MS)

        return seen_enough
