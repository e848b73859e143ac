"""Plans proposed from the circuits that pacing induced, and the controls they are compared against."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.ablation.access import SURFACES, nodes_to_burn_from
from cardiotwin.ablation.isthmus_lines import lines_across
from cardiotwin.ablation.lesions import (
    DECHANNELING,
    EXIT_SITES,
    HOMOGENISE,
    ISTHMUS,
    ISTHMUS_LINE,
    WRONG_PLACE,
    Lesion,
    Plan,
    inward_normals,
    lesion_elements,
    lesion_places,
    surfaces_of,
)
from cardiotwin.ablation.structural_cut import structural_cut
from cardiotwin.eikonal import conducting_tets
from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.heart.heart import BORDER_ZONE, EPICARDIUM, HEALTHY, Heart
from cardiotwin.induction.reentry import Circuit, Neighbours, neighbours, still_turns
from cardiotwin.segmentation import Corridor, Segmentation, find_corridors
from cardiotwin.settings import PlanSettings

_log = logging.getLogger(__name__)

WITHIN = 0.9
"""Of a lesion's radius and depth: slightly inside its edge, so that the cut is not held by a rounding error."""
ACCESSES = sorted(
    (set(some) for count in (1, 2, 3) for some in combinations(SURFACES.values(), count)),
    key=lambda some: (SURFACES[EPICARDIUM] in some, len(some)),
)
"""Every choice of surfaces, the least invasive first: both endocardia before the epicardium, one access before two."""
CUT_MARGIN_EDGES = 2.0
"""Margin around a minimum cut, in mesh edges."""
TOUCHES_MM = 5.0
"""A circuit's isthmus runs through a corridor when one of its nodes lies this near to the corridor's middle line."""
HIGHEST_WRONG = 0.8
"""Apicobasal coordinate of the highest place for the control."""
SAME_PLACE_RADII = 0.5
"""Two places within so many radii are served by one lesion."""


@dataclass(frozen=True, eq=False)
class Proposals:
    """What the tool proposes, and what it was asked for but does not.

    Attributes
    ----------
    plans : tuple of Plan
    left_out : tuple of str
        A sentence for each plan that was asked for: why there is none.
    gate : str
        The first of these for which lesions do not reach deep enough; "" where none. Without any other plan that is
        where the path ends.
    """

    plans: tuple[Plan, ...]
    left_out: tuple[str, ...] = ()
    gate: str = ""


class _NothingToDo(Exception):
    """There is no such plan on this heart, and nothing is wrong with that."""


@dataclass(frozen=True, eq=False)
class _Case:
    heart: Heart
    circuits: tuple[Circuit, ...]
    turned_on: tuple[Heart, ...]
    settings: PlanSettings
    segmentation: Segmentation | None

    @cached_property
    def viable(self) -> dict[Heart, Neighbours]:
        """Tissue outside the core, of every heart that circuits turned on."""
        return {
            heart: neighbours(heart.mesh.points, heart.mesh.tets[conducting_tets(heart)])
            for heart in dict.fromkeys(self.turned_on)
        }

    @cached_property
    def isthmus_points(self) -> np.ndarray:
        """What two plans need and takes a while."""
        return _isthmus_points(self)

    def points(self, points: Sequence[np.ndarray] | np.ndarray) -> Lesion:
        return _lesion("point", points, self.settings)

    def lesion(self, kind: str, points: Sequence[np.ndarray] | np.ndarray) -> Lesion:
        return _lesion(kind, points, self.settings)


def _lesion(kind: str, points: Sequence[np.ndarray] | np.ndarray, settings: PlanSettings) -> Lesion:
    places = np.reshape(np.asarray(points, float), (-1, 3))
    return Lesion(kind, places, settings.lesion_radius_mm, settings.lesion_depth_mm)


def propose_plans(
    heart: Heart,
    circuits: tuple[Circuit, ...],
    settings: PlanSettings,
    segmentation: Segmentation | None = None,
    *,
    turned_on: tuple[Heart, ...] | None = None,
) -> tuple[Plan, ...]:
    """Plans to compare, as `settings.propose` asks; those that cannot be made are told in the log.

    Arguments as in `proposals_for`.

    Raises
    ------
    QualityGate
        Lesions of these depths reach no circuit, and no other plan stands.
    """
    found = proposals_for(heart, circuits, settings, segmentation, turned_on=turned_on)
    for one in found.left_out:
        _log.warning("plan: %s", one)
    check_some_stand(found, found.plans)
    return found.plans


def check_some_stand(found: Proposals, plans: Iterable[Plan]) -> None:
    """Refuse to go on without any plan where lesions were too shallow for every one.

    Raises
    ------
    QualityGate
    """
    if found.gate and not any(plans):
        raise QualityGate(found.gate)


def proposals_for(
    heart: Heart,
    circuits: tuple[Circuit, ...],
    settings: PlanSettings,
    segmentation: Segmentation | None = None,
    *,
    turned_on: tuple[Heart, ...] | None = None,
) -> Proposals:
    """The plans of `settings.propose`, in one order, and why others are left out.

    - isthmus: covers the minimum cut of one circuit after another (`reentry`), leaving out those that the lesions so
      far have opened already, by as few lesions as a greedy cover needs, from the fewest of `settings.surfaces` (the
      first of `ACCESSES`).
    - wrong: the same lesions on healthy tissue of the same surface, far from scar, a control.
    - exit: a lesion where each circuit leaves its isthmus.
    - isthmus_line: a line across the isthmus of each circuit through its narrowest place, from scar to scar
      (`isthmus_lines`); on the opposite surface too where the circuit still turns.
    - dechannel: a lesion at both entrances of every corridor that an isthmus runs through, of every corridor where
      there is no circuit (Berruezo et al. 2015).
    - homogenise: the whole border zone.

    A plan that leaves one circuit out of reach is no such plan: it is left out as a whole.

    Parameters
    ----------
    segmentation : Segmentation or None
        In which corridors are found; without it there is no dechanneling.
    turned_on : tuple of Heart, optional
        The heart that each circuit turned on (`Arrhythmias.hearts`), on which it is to be opened; `heart` for all where
        left out. Border zone, corridors and what counts as healthy are those of `heart`.
    """
    turned_on = (heart,) * len(circuits) if turned_on is None else turned_on
    case = _Case(heart, circuits, turned_on, settings, segmentation)
    plans, left_out, gate = [], [], ""
    for asked, (name, make) in _MAKERS.items():
        if asked not in settings.propose:
            continue
        try:
            plan = make(case)
            lesion_elements(heart, plan)
        except (_NothingToDo, QualityGate, InputRejected) as reason:
            left_out.append(f"{name}: left out, {str(reason).removeprefix('plan: ')}")
            gate = gate or (str(reason) if isinstance(reason, QualityGate) else "")
        else:
            plans.append(plan)
    return Proposals(tuple(plans), tuple(left_out), gate)


def _isthmus(case: _Case) -> Plan:
    return Plan(
        ISTHMUS,
        (case.points(case.isthmus_points),),
        "covers the minimum cut of every circuit that no other cut opens",
    )


def _wrong(case: _Case) -> Plan:
    note = "control: the isthmus plan's lesions on healthy tissue of the same surface, far from scar"
    try:
        points = _wrong_place(case.heart, case.isthmus_points)
    except QualityGate:
        raise _NothingToDo("with the isthmus plan, whose lesions it moves") from None
    return Plan(WRONG_PLACE, (case.points(points),), note, control=True)


def _exits(case: _Case) -> Plan:
    _check_circuits(case)
    places = [(f"the exit of circuit {number}", one.exit_mm) for number, one in enumerate(case.circuits, 1)]
    return Plan(EXIT_SITES, (case.points(_on_surface(case, places)),), "a lesion at the exit of every circuit")


def _isthmus_line(case: _Case) -> Plan:
    _check_circuits(case)
    lesions: list[Lesion] = []
    loose = []
    for number, (circuit, heart) in enumerate(zip(case.circuits, case.turned_on, strict=True), 1):
        if not circuit.cut_nodes.size or not _turns(case, circuit, heart, lesions):
            continue
        found = lines_across(heart, circuit, case.settings.surfaces)
        if not found:
            raise _no_surface(case.settings)
        reached = [one for one in found if one.away_mm <= case.settings.lesion_depth_mm]
        for line in reached:
            lesions.append(case.lesion("line", line.points_mm))
            loose += [number] * (not all(line.anchored))
            if not _turns(case, circuit, heart, lesions):
                break
        else:
            raise QualityGate(
                f"plan: circuit {number} still turns past lines of {case.settings.lesion_depth_mm} mm depth across its "
                f"isthmus, whose narrowest place lies {found[0].away_mm:.1f} mm deep; raise `plan.lesion_depth_mm`"
            )
    if not lesions:
        raise _NothingToDo("no circuit has an isthmus that can be crossed")
    note = (
        "a line across the isthmus of every circuit, through its narrowest place, from scar or valve to scar or valve"
    )
    if loose:
        note += f"; of circuit {', '.join(map(str, dict.fromkeys(loose)))} an end lies in viable tissue"
    return Plan(ISTHMUS_LINE, tuple(lesions), note)


def _dechannel(case: _Case) -> Plan:
    if case.segmentation is None:
        raise _NothingToDo("corridors are found in a segmentation, and there is none of this heart")
    corridors = find_corridors(case.segmentation)
    if not corridors:
        raise _NothingToDo("no corridor leads through the scar")
    chosen = [one for one in enumerate(corridors, 1) if not case.circuits or _touched(case, one[1])]
    if not chosen:
        raise _NothingToDo(f"the isthmus of no circuit runs through one of {len(corridors)} corridors")
    places = [(f"an entrance of corridor {number}", one.points[end]) for number, one in chosen for end in (0, -1)]
    which = "of every corridor" if not case.circuits else "of every corridor that an isthmus runs through"
    note = f"a lesion at both entrances {which} ({len(chosen)} of {len(corridors)})"
    return Plan(DECHANNELING, (case.points(_on_surface(case, places)),), note)


def _homogenise(case: _Case) -> Plan:
    if not (case.heart.tissue_class == BORDER_ZONE).any():
        raise _NothingToDo("there is no border zone")
    return Plan(HOMOGENISE, (case.lesion("homogenise", []),), "ablates the whole border zone, corridors included")


_MAKERS: dict[str, tuple[str, Callable[[_Case], Plan]]] = {
    "isthmus": (ISTHMUS, _isthmus),
    "wrong": (WRONG_PLACE, _wrong),
    "exit": (EXIT_SITES, _exits),
    "isthmus_line": (ISTHMUS_LINE, _isthmus_line),
    "dechannel": (DECHANNELING, _dechannel),
    "homogenise": (HOMOGENISE, _homogenise),
}


def _check_circuits(case: _Case) -> None:
    if not case.circuits:
        raise _NothingToDo("no circuit was induced")


def _touched(case: _Case, corridor: Corridor) -> bool:
    """Whether the isthmus of some circuit runs through a corridor."""
    tree, points = cKDTree(corridor.points), case.heart.mesh.points
    return any(tree.query(points[one.isthmus_nodes])[0].min(initial=np.inf) <= TOUCHES_MM for one in case.circuits)


def _on_surface(case: _Case, places: Sequence[tuple[str, np.ndarray]]) -> list[np.ndarray]:
    """The surface points nearest to some places, those of places side by side once."""
    heart, settings = case.heart, case.settings
    surface = heart.mesh.points[_nodes(heart, settings)]
    tree = cKDTree(surface)
    chosen: list[np.ndarray] = []
    for words, place in places:
        away, nearest = tree.query(place)
        if away > settings.lesion_depth_mm - heart.edge_mm:  # a half-ellipsoid is a point at its lowest
            raise QualityGate(
                f"plan: {words} lies {away:.1f} mm deep, lesions of {settings.lesion_depth_mm} mm hardly reach it; "
                "raise `plan.lesion_depth_mm`"
            )
        same = SAME_PLACE_RADII * settings.lesion_radius_mm
        if not any(np.linalg.norm(surface[nearest] - other) <= same for other in chosen):
            chosen.append(surface[nearest])
    return chosen


def _nodes(heart: Heart, settings: PlanSettings) -> np.ndarray:
    """Nodes from which a proposal may be burnt."""
    nodes = nodes_to_burn_from(heart, settings.surfaces)
    if not nodes.size:
        raise _no_surface(settings)
    return nodes


def _no_surface(settings: PlanSettings) -> QualityGate:
    return QualityGate(f"plan: this heart has no {' and no '.join(settings.surfaces)}; widen `plan.surfaces`")


def _turns(case: _Case, circuit: Circuit, heart: Heart, lesions: Sequence[Lesion]) -> bool:
    """Whether the wave of a circuit still finds a closed path past these lesions, in the heart that it turned on."""
    left = conducting_tets(heart, lesion_places(heart, lesions))
    return still_turns(circuit, neighbours(heart.mesh.points, heart.mesh.tets[left]))


def _isthmus_points(case: _Case) -> np.ndarray:
    """(k, 3) lesion points that open every circuit."""
    _check_circuits(case)
    points = np.empty((0, 3))
    for circuit, heart in zip(case.circuits, case.turned_on, strict=True):
        so_far = [case.points(points)] if len(points) else []
        if circuit.cut_nodes.size and _turns(case, circuit, heart, so_far):
            cut = structural_cut(circuit, case.viable[heart])
            points = np.concatenate([points, _cover(heart, cut, case.settings)])
    if not len(points):
        raise _NothingToDo("no circuit has a cut")
    return points


def _cover(heart: Heart, cut: np.ndarray, settings: PlanSettings) -> np.ndarray:
    """Surface points whose lesions hold every viable tetrahedron within `CUT_MARGIN_EDGES` of the cut.

    The cut is the least that opens the paths the wave took; without a margin it finds the next one beside them. From
    the first of `ACCESSES` that is enough, for every access is a risk of its own.
    """
    away = cKDTree(heart.mesh.points[cut]).query(heart.mesh.centroids)[0]
    around = (away <= CUT_MARGIN_EDGES * heart.edge_mm) & conducting_tets(heart)
    for access in (one for one in ACCESSES if one <= set(settings.surfaces)):
        points, left = _fewest(heart, around, nodes_to_burn_from(heart, access), settings)
        if not left.any():
            return points
    surface = heart.mesh.points[_nodes(heart, settings)]
    deepest = float(cKDTree(surface).query(heart.mesh.centroids[around][left])[0].max())
    raise QualityGate(
        f"plan: the circuit's isthmus lies up to {deepest:.1f} mm deep, lesions of {settings.lesion_depth_mm} mm "
        f"from {_surfaces(settings)} hold {WITHIN * settings.lesion_depth_mm:.1f} mm for sure; raise "
        f"`plan.lesion_depth_mm`{_or_widen(settings)}"
    )


def _reach(
    heart: Heart, target: np.ndarray, nodes: np.ndarray, settings: PlanSettings
) -> tuple[np.ndarray, np.ndarray]:
    """(p, 3) places of those nodes that lie near the targets, and (p, n_targets) which targets a lesion there holds."""
    of_normals, inward = inward_normals(heart)
    inward = inward[np.isin(of_normals, nodes)]
    surface = heart.mesh.points[of_normals[np.isin(of_normals, nodes)]]
    near = cKDTree(target).query(surface)[0] < max(settings.lesion_radius_mm, settings.lesion_depth_mm)
    surface, inward = surface[near], inward[near]
    offset = target[None] - surface[:, None]
    down = np.einsum("psk,pk->ps", offset, inward)
    sideways = np.sum(offset**2, axis=2) - down**2
    radius, depth = WITHIN * settings.lesion_radius_mm, WITHIN * settings.lesion_depth_mm
    return surface, (sideways / radius**2 + (down / depth) ** 2 <= 1.0) & (down > -0.5 * radius)


def _fewest(
    heart: Heart, around: np.ndarray, nodes: np.ndarray, settings: PlanSettings
) -> tuple[np.ndarray, np.ndarray]:
    """(k, 3) places, of those nodes, whose lesions hold the tetrahedra `around` by a greedy cover, and which of these
    are left.
    """
    surface, holds = _reach(heart, heart.mesh.centroids[around], nodes, settings)
    left, chosen = np.ones(int(around.sum()), bool), []
    while left.any() and holds[:, left].any():
        best = int(np.argmax(holds[:, left].sum(axis=1)))
        burnt = lesion_places(heart, [_lesion("point", surface[best], settings)])[around]
        if (holds[best] & left & ~burnt).any():  # across a cavity
            holds[best] &= burnt
            continue
        chosen.append(surface[best])
        left &= ~holds[best]
    return np.array(chosen), left


def _surfaces(settings: PlanSettings) -> str:
    return "either surface" if _all_surfaces(settings) else f"the {' and the '.join(settings.surfaces)}"


def _or_widen(settings: PlanSettings) -> str:
    return "" if _all_surfaces(settings) else " or widen `plan.surfaces`"


def _all_surfaces(settings: PlanSettings) -> bool:
    return set(settings.surfaces) == set(SURFACES.values())


def _wrong_place(heart: Heart, points: np.ndarray) -> np.ndarray:
    """As many surface points, laid out alike, around the healthy node farthest from scar and from `points`, on the
    surface that most of these lie on: in a thinner wall they would burn less.
    """
    which = int(np.bincount(surfaces_of(heart, points)).argmax())
    nodes = nodes_to_burn_from(heart, {SURFACES[which]})
    touched = np.unique(heart.mesh.tets[heart.tissue_class != HEALTHY])
    # Not on the rim of the mesh: the wrong place must be ventricular wall.
    healthy = np.setdiff1d(nodes[heart.apicobasal[nodes] <= HIGHEST_WRONG], touched)
    if not healthy.size:
        raise _NothingToDo(f"no {SURFACES[which]} is healthy")
    surface = heart.mesh.points[healthy]
    scar = heart.mesh.points[touched] if touched.size else points
    centre = surface[np.argmax(cKDTree(np.concatenate([scar, points])).query(surface)[0])]
    return np.asarray(surface[cKDTree(surface).query(centre + (points - points.mean(axis=0)))[1]])
