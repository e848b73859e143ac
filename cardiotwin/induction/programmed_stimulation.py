"""Programmed stimulation of every draw, from every site, on every border-zone profile.

The protocol is that of Arevalo et al. 2016 (doi 10.1038/ncomms11437) and Prakosa et al. 2018
(doi 10.1038/s41551-018-0282-2), see `cardiotwin.induction.stimulation`. Re-entry counts when it turns at least twice at
one site after the last stimulus. `screen` does the same in a minute with fronts
(`cardiotwin.induction.reentrant_front`): where to look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.eikonal import conducting_tets
from cardiotwin.ensemble import run_tasks
from cardiotwin.heart.heart import Heart
from cardiotwin.heart.pacing_sites import healthy_endocardium, sites_of_protocol
from cardiotwin.induction.arrhythmias import (
    AS_SEGMENTED,
    CUT_OFF,
    SCREENED_OUT,
    SITE_ABLATED,
    SITE_IN_SCAR,
    Arrhythmias,
    Induction,
    OwnCircuit,
    number_of,
)
from cardiotwin.induction.reentrant_front import FrontSolver, recovery_of
from cardiotwin.induction.reentry import Circuit, Neighbours, neighbours
from cardiotwin.induction.screening import Screener
from cardiotwin.induction.stimulation import Electrode, Paced, Stimulator
from cardiotwin.monodomain import Solver
from cardiotwin.progress import Progress, doing, part, silent
from cardiotwin.settings import InduceSettings, TissueSettings
from cardiotwin.tissue.tissue import make_tissue

Lesions: TypeAlias = dict[str, dict[str, np.ndarray]]
"""(n_tets,) bool by plan and by what scar was told by; no plan for the heart as it is."""


@dataclass(frozen=True, eq=False)
class _Context:
    hearts: dict[str, Heart]  # by what their scar was told by; the same mesh
    posterior: Posterior
    settings: InduceSettings
    tissue_settings: TissueSettings
    lesions: Lesions
    fronts_of_mm: float = 0.0  # edge of the mesh whose recovering tissue fronts are to have; 0: monodomain


@dataclass(frozen=True)
class _Task:
    plan: str
    member: int
    profile: str
    site_node: int
    scar: str


def induce(
    heart: Heart,
    posterior: Posterior,
    settings: InduceSettings | None = None,
    tissue_settings: TissueSettings | None = None,
    *,
    others: Mapping[str, Heart] | None = None,
    screened: Arrhythmias | None = None,
    seed: int = 0,
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
    others : dict of str to Heart
        The same mesh with scar by other thresholds, by their names: all is paced on each of them too.
    screened : Arrhythmias or None
        What `screen` found for the same: where it is given, only the combinations in which that is a circuit are paced.
    seed : int
        Other draws for another one.
    folder : Path or None
        Where finished combinations are kept, so that a killed run resumes.

    Raises
    ------
    QualityGate
        No healthy endocardium to pace from.
    SettingsError
        A site of the protocol that this heart does not have.
    """
    settings, tissue_settings = settings or InduceSettings(), tissue_settings or TissueSettings()
    hearts = {AS_SEGMENTED: heart} | dict(others or {})
    context = _Context(hearts, posterior, settings, tissue_settings, {})
    return _everywhere(context, sites_of_protocol(heart, settings), screened, folder, progress, seed)


def screen(
    heart: Heart,
    coarse: Heart,
    posterior: Posterior,
    settings: InduceSettings | None = None,
    tissue_settings: TissueSettings | None = None,
    *,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Arrhythmias:
    """The same protocol with fronts that tissue refuses until it has recovered, in place of the monodomain model.

    Parameters
    ----------
    heart : Heart
        That the monodomain model would be run on: sites are its, and its mesh decides how its cells recover.
    coarse : Heart
        The same anatomy, that fronts run on; nodes of circuits are its.
    posterior : Posterior
        Of the front, as `calibrate` returns it.
    settings, tissue_settings, folder
        As in `induce`.

    Raises
    ------
    QualityGate, SettingsError
        As `induce`; tissue that does not follow S1.
    """
    settings, tissue_settings = settings or InduceSettings(), tissue_settings or TissueSettings()
    positions = heart.mesh.points[sites_of_protocol(heart, settings)]
    near = healthy_endocardium(coarse)
    nodes = near[cKDTree(coarse.mesh.points[near]).query(positions)[1]].astype(np.int32)
    context = _Context({AS_SEGMENTED: coarse}, posterior, settings, tissue_settings, {}, heart.edge_mm)
    member = int(posterior.draws(1, seed=0)[0])
    for number, profile in enumerate(settings.border_zone_profiles):  # bars of tissue: here once, not in every worker
        progress(0.5 * number / len(settings.border_zone_profiles), "how tissue recovers")
        _fronts(context, "", member, profile, AS_SEGMENTED)
    return _everywhere(context, nodes, None, folder, part(progress, 0.5, 1.0))


def _everywhere(
    context: _Context,
    nodes: np.ndarray,
    only: Arrhythmias | None,
    folder: Path | None,
    progress: Progress,
    seed: int = 0,
) -> Arrhythmias:
    """Every combination of draw, profile and site; of some, only those in which a screen found a circuit."""
    settings = context.settings
    members = context.posterior.draws(settings.n_draws, seed=seed)
    scars = {scar: heart.tissue_class for scar, heart in context.hearts.items() if scar != AS_SEGMENTED}
    blank = Arrhythmias(context.hearts[AS_SEGMENTED].mesh.points[nodes], nodes, members, (), (), scars)
    everything = [
        Induction(site, draw, profile, (), None, "", scar=scar)
        for draw in range(settings.n_draws)
        for scar in context.hearts
        for profile in settings.border_zone_profiles
        for site in range(nodes.size)
    ]
    wanted = {one.place for one in everything}
    if only is not None:
        wanted = {one.place for one in only.inductions if one.circuit is not None}
    paced = _tested(context, blank, {"": [one for one in everything if one.place in wanted]}, folder, progress)[""]
    spared = tuple(replace(one, outcome=SCREENED_OUT) for one in everything if one.place not in wanted)
    return replace(paced, inductions=(*paced.inductions, *spared))


def retest(
    heart: Heart,
    posterior: Posterior,
    before: Arrhythmias,
    lesions: Lesions,
    settings: InduceSettings,
    tissue_settings: TissueSettings,
    *,
    only_inducible: bool,
    others: Mapping[str, Heart] | None = None,
    folder: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Arrhythmias]:
    """The same sites, draws, scars and protocol on the heart under each plan.

    With `only_inducible`, what was not inducible before is taken as not inducible after: it saves most of the work and
    misses circuits that a lesion creates there.
    """
    context = _Context({AS_SEGMENTED: heart} | dict(others or {}), posterior, settings, tissue_settings, lesions)
    paced = [one for one in before.inductions if one.outcome != SCREENED_OUT]
    again = [one for one in paced if one.circuit is not None or not only_inducible]
    spared = [
        one if one.outcome == SCREENED_OUT else replace(one, outcome="not re-tested")
        for one in before.inductions
        if one not in again
    ]
    after = _tested(context, before, dict.fromkeys(lesions, again), folder, progress)
    return {name: replace(one, inductions=(*one.inductions, *spared)) for name, one in after.items()}


def _tested(
    context: _Context,
    arrhythmias: Arrhythmias,
    combinations: dict[str, list[Induction]],
    folder: Path | None,
    progress: Progress,
) -> dict[str, Arrhythmias]:
    """Pace each plan's combinations, all in one pool, and give circuits their numbers; no pacing is done twice."""
    named = {
        (plan, one): _Task(
            plan, int(arrhythmias.members[one.draw]), one.profile, int(arrhythmias.site_nodes[one.site]), one.scar
        )
        for plan, ones in combinations.items()
        for one in ones
    }
    burnt = {plan: _digests(context, plan) for plan in combinations}
    twins = {task.member: f"{task.member}-{_digest_of_twin(context, task.member)}" for task in named.values()}
    names = {
        key: f"{burnt[task.plan][task.scar]}-{twins[task.member]}-{task.profile}-{task.site_node}"
        for key, task in named.items()
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


def _digests(context: _Context, plan: str) -> dict[str, str]:
    """Scar and what is burnt, as a name: a plan is what it burns, whatever it is called."""
    lesions = context.lesions.get(plan, {})
    return {
        scar: f"{_digest(heart.tissue_class)}-{_digest(lesions[scar]) if lesions else 'unburnt'}"
        for scar, heart in context.hearts.items()
    }


WHICH_AND_HOW = frozenset(
    {
        "border_zone_profiles", "n_draws", "n_sites", "only_screened", "scar_thresholds", "sites",
        "sites_near_scar_mm", "workers",
    }
)  # fmt: skip
"""Settings that say which pacing there is and how it is computed, not what comes of one."""


def _digest_of_twin(context: _Context, member: int) -> str:
    """Of the mesh, a draw's velocities and the protocol: pacing that was kept is of no other."""
    mesh, posterior = context.hearts[AS_SEGMENTED].mesh, context.posterior
    told = (
        posterior.velocities(member),
        posterior.tissue(member, context.tissue_settings).model_dump_json(),
        context.settings.model_dump_json(exclude=set(WHICH_AND_HOW)),
        context.fronts_of_mm,
        _digest(mesh.points),
        _digest(mesh.tets),
        _digest(context.hearts[AS_SEGMENTED].fibres),
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _digest(elements: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(elements).tobytes()).hexdigest()[:16]


def _numbered(arrhythmias: Arrhythmias, paced: dict[Induction, Paced]) -> Arrhythmias:
    """Every circuit once, and which combination induced which."""
    circuits: list[Circuit] = []
    inductions = []
    for one, result in paced.items():
        number = None if result.circuit is None else number_of(result.circuit, circuits)
        own = None if result.circuit is None else OwnCircuit.of(result.circuit)
        paced_so = replace(one, couplings_ms=result.couplings_ms, outcome=result.outcome, echo=result.echo)
        inductions.append(replace(paced_so, circuit=number, own=own))
    return replace(arrhythmias, circuits=tuple(circuits), inductions=tuple(inductions))


@lru_cache(maxsize=1)
def _prepared(
    context: _Context, plan: str, member: int, profile: str, scar: str
) -> tuple[Solver | FrontSolver, Neighbours]:
    """The solver of one draw under one plan; its sites follow each other, so one is kept."""
    if context.fronts_of_mm:
        return _fronts(context, plan, member, profile, scar)
    settings, heart = context.settings, context.hearts[scar]
    tissue = make_tissue(
        heart,
        context.posterior.velocities(member),
        context.posterior.tissue(member, context.tissue_settings),
        dt_ms=settings.dt_ms,
        lesions=context.lesions[plan][scar] if plan else None,
        profile=profile,
        cell_model=settings.cell_model,
        progress=doing,
    )
    mesh = heart.mesh
    return Solver(tissue, dt_ms=settings.dt_ms, threads=1), neighbours(mesh.points, mesh.tets[tissue.conducting])


def _fronts(context: _Context, plan: str, member: int, profile: str, scar: str) -> tuple[FrontSolver, Neighbours]:
    settings, velocities, heart = context.settings, context.posterior.velocities(member), context.hearts[scar]
    tissue = context.posterior.tissue(member, context.tissue_settings)
    blocked = context.lesions[plan][scar] if plan else None
    recovery = recovery_of(
        heart,
        velocities,
        tissue,
        settings.cell_model,
        profile,
        edge_mm=context.fronts_of_mm,
        dt_ms=settings.dt_ms,
        s1_cycle_length_ms=settings.s1_cycle_length_ms,
    )
    mesh = heart.mesh
    kept = mesh.tets[conducting_tets(heart, blocked)]
    return FrontSolver(heart, velocities, tissue, recovery, blocked=blocked), neighbours(mesh.points, kept)


def _pace(context: _Context, task: _Task) -> Paced:
    solver, tissue = _prepared(context, task.plan, task.member, task.profile, task.scar)
    electrode = Electrode.at(task.site_node, tissue, context.settings.electrode_radius_mm)
    if electrode is None:
        return Paced((), None, SITE_ABLATED if task.plan else SITE_IN_SCAR)
    if electrode.is_cut_off(tissue):
        return Paced((), None, CUT_OFF)
    doing(0.0, f"pacing member {task.member}{f', {task.plan}' if task.plan else ''}")
    if isinstance(solver, FrontSolver):
        return Screener(context.settings, solver, tissue, electrode).paced()
    return Stimulator(context.settings, solver, tissue, electrode).paced()
