"""Plans proposed from the circuits that pacing induced, and the controls they are compared against."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.ablation import HOMOGENISE, ISTHMUS, WRONG_PLACE, Lesion, Plan, inward_normals, lesion_elements
from cardiotwin.errors import QualityGate
from cardiotwin.heart import BASE, BORDER_ZONE, CORE, HEALTHY, Heart
from cardiotwin.reentry import Circuit, neighbours, still_turns
from cardiotwin.settings import PlanSettings

CUT_MARGIN_EDGES = 2.0
"""Margin around a minimum cut, in mesh edges."""


def propose_plans(heart: Heart, circuits: tuple[Circuit, ...], settings: PlanSettings) -> tuple[Plan, ...]:
    """Plans to compare: an isthmus cut, scar homogenisation, and a wrong plan as a control, as `settings.propose` asks.

    The isthmus cut covers the minimum cut of one circuit after another (`reentry`), leaving out those that the lesions
    so far have opened already, by as few lesions as a greedy cover needs, from whichever surface is nearer. The wrong
    plan places the same lesions on healthy tissue far from it.
    """
    plans = []
    points = _isthmus_points(heart, circuits, settings)
    if len(points):
        if "isthmus" in settings.propose:
            note = "covers the minimum cut of every circuit that no other cut opens"
            plans.append(Plan(ISTHMUS, (_points(points, settings),), note))
        if "wrong" in settings.propose:
            note = "control: the isthmus plan's lesions on healthy tissue far from every circuit"
            plans.append(Plan(WRONG_PLACE, (_points(_wrong_place(heart, points), settings),), note, control=True))
    if "homogenise" in settings.propose and (heart.tissue_class == BORDER_ZONE).any():
        lesion = Lesion("homogenise", np.empty((0, 3)), settings.lesion_radius_mm, settings.lesion_depth_mm)
        plans.append(Plan(HOMOGENISE, (lesion,), "ablates the whole border zone, corridors included"))
    return tuple(plans)


def _points(points: np.ndarray, settings: PlanSettings) -> Lesion:
    return Lesion("point", points, settings.lesion_radius_mm, settings.lesion_depth_mm)


def _isthmus_points(heart: Heart, circuits: tuple[Circuit, ...], settings: PlanSettings) -> np.ndarray:
    """(k, 3) lesion points that open every circuit; none when no plan asks for them."""
    points = np.empty((0, 3))
    if not {"isthmus", "wrong"} & set(settings.propose):
        return points
    for circuit in circuits:
        plan = Plan("so far", (_points(points, settings),) if len(points) else ())
        left = (heart.tissue_class != CORE) & ~lesion_elements(heart, plan)
        tissue = neighbours(heart.mesh.points, heart.mesh.tets[left])
        if circuit.cut_nodes.size and still_turns(circuit, tissue):
            points = np.concatenate([points, _cover(heart, circuit.cut_nodes, settings)])
    return points


def _cover(heart: Heart, cut: np.ndarray, settings: PlanSettings) -> np.ndarray:
    """Surface points whose lesions hold every viable tetrahedron within `CUT_MARGIN_EDGES` of the cut.

    The cut is the least that opens the paths the wave took; without a margin it finds the next one beside them.
    """
    away = cKDTree(heart.mesh.points[cut]).query(heart.mesh.centroids)[0]
    goal = (away <= CUT_MARGIN_EDGES * heart.edge_mm) & (heart.tissue_class != CORE)
    target = heart.mesh.centroids[goal]
    nodes, inward = inward_normals(heart)
    surface = heart.mesh.points[nodes]
    near = cKDTree(target).query(surface)[0] < max(settings.lesion_radius_mm, settings.lesion_depth_mm)
    surface, inward = surface[near], inward[near]
    offset = target[None] - surface[:, None]
    down = np.einsum("psk,pk->ps", offset, inward)
    sideways = np.sum(offset**2, axis=2) - down**2
    # Slightly inside the lesion's edge, so that the cut is not held by a rounding error.
    radius, depth = 0.9 * settings.lesion_radius_mm, 0.9 * settings.lesion_depth_mm
    holds = (sideways / radius**2 + (down / depth) ** 2 <= 1.0) & (down > -0.5 * radius)
    if not holds.any(axis=0).all():
        deepest = float(np.min(np.where(down > 0, down, np.inf), axis=0)[~holds.any(axis=0)].max())
        raise QualityGate(
            f"plan: the circuit's isthmus lies up to {deepest:.1f} mm deep, lesions of {settings.lesion_depth_mm} mm "
            "from either surface do not reach it; raise `plan.lesion_depth_mm`"
        )
    chosen = []
    while holds.any():
        best = int(np.argmax(holds.sum(axis=1)))
        chosen.append(surface[best])
        holds = holds[:, ~holds[best]]
    return np.array(chosen)


def _wrong_place(heart: Heart, points: np.ndarray) -> np.ndarray:
    """As many surface points, laid out alike, around the healthy surface node farthest from scar and from `points`."""
    nodes = np.unique(heart.faces[heart.surface != BASE])
    touched = np.unique(heart.mesh.tets[heart.tissue_class != HEALTHY])
    healthy = np.setdiff1d(nodes, touched)
    surface = heart.mesh.points[healthy]
    scar = heart.mesh.points[touched] if touched.size else points
    distance = cKDTree(np.concatenate([scar, points])).query(surface)[0]
    # Half-way to the base: the wrong place must be ventricular wall, not the rim of the mesh.
    distance[heart.apicobasal[healthy] > 0.8] = 0.0
    centre = surface[np.argmax(distance)]
    _, nearest = cKDTree(surface).query(centre + (points - points.mean(axis=0)))
    return surface[nearest]
