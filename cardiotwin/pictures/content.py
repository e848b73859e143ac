"""What there is to see of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cardiotwin.ablation import lesions as ablation
from cardiotwin.comparison.plan_results import plans_in_order
from cardiotwin.heart.heart import CORE, HEALTHY, LEFT, Heart
from cardiotwin.heart.locations import left_ventricle
from cardiotwin.meshes.quality import dihedral_angles, quality
from cardiotwin.pictures.palette import Palette, bands, categories
from cardiotwin.pictures.skin import Skin
from cardiotwin.study import Study

TISSUE = ("healthy", "border zone", "scar core")
TISSUE_COLOURS = ("#e9cfc4", "#e69500", "#4a4a58")
ABLATED_COLOUR = "#8e24aa"
"""With the tissue's colours: any two lie 35 or more CIELAB units apart also for people who are blind to red, green or
blue (a crimson was 16 from the core without red, a rose 16 from the border zone without blue)."""
INK = "#222222"
MOST_CIRCUITS = 6
"""Drawn; a table can hold the others."""


@dataclass(frozen=True, eq=False)
class Marker:
    """A place to point at.

    Attributes
    ----------
    name : str
        What the key says.
    positions : (k, 3) float64
        LPS, mm.
    colour : str
    shape : str
        Of Matplotlib.
    sizes : (k,) float64 or float
    """

    name: str
    positions: np.ndarray
    colour: str
    shape: str = "o"
    sizes: np.ndarray | float = 90.0


@dataclass(frozen=True, eq=False)
class Picture:
    """What to draw, and what to say about it.

    Attributes
    ----------
    name : str
        Of the file, without extension.
    title, caption : str
        In words; the caption also stands for the picture where it cannot be seen.
    palette : Palette
    values : function of Skin to (n, 3) values at its corners
    target : (3,) float64
        What the views are chosen for, LPS, mm.
    markers : tuple of Marker
    fibres : bool
        Draw the fibres as strokes.
    figures : tuple of str
        Measured, a line each; stand below the key.
    close_up : bool
        In place of the view from the target's own side, a section near the target magnified, with every element.
    """

    name: str
    title: str
    caption: str
    palette: Palette
    values: Callable[[Skin], np.ndarray]
    target: np.ndarray
    markers: tuple[Marker, ...] = ()
    fibres: bool = False
    figures: tuple[str, ...] = ()
    close_up: bool = False


def pictures(study: Study) -> Iterator[Picture]:
    """Everything there is to see of a study, in the order of the path."""
    heart = study.heart
    yield substrate_picture(heart, looked_for=study.was_looked_for)
    yield mesh_picture(heart)
    yield fibres_picture(heart)
    time = first_activation_ms(study)
    if time is not None:
        yield _activation(study, time)
    for number, _ in enumerate(study.circuits[:MOST_CIRCUITS], start=1):
        yield _circuit(study, number)
    for number, plan in enumerate(plans_in_order(study.plans, study.comparison), start=1):
        picture = _plan(study, plan, number)
        if picture is not None:
            yield picture


def first_activation_ms(study: Study) -> np.ndarray | None:
    """(n_nodes,) first beat of the confirming run, NaN where not reached; None where nothing was activated."""
    if study.confirmation is None or not len(study.confirmation.activation.activation_ms):
        return None
    time = study.confirmation.activation.activation_ms[0]
    return time if np.isfinite(time).any() else None


def one_line(text: str, most: int) -> str:
    """A user's text on one line of at most so many printable characters."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def infarct_centre(heart: Heart) -> np.ndarray:
    """(3,) where to look: the middle of the scar; the anterior wall where there is none."""
    scar = heart.tissue_class != HEALTHY
    if scar.any():
        return np.average(heart.mesh.centroids[scar], axis=0, weights=heart.mesh.volumes[scar])
    ventricle = left_ventricle(heart)
    return ventricle.centre + 20.0 * ventricle.anterior


def substrate_picture(heart: Heart, looked_for: Callable[[int], bool] = lambda _: False) -> Picture:
    """Healthy muscle, border zone and core, each with its volume; no zeros where scar was not assessed.

    What a heart has none of is called none only where it was looked for, by tissue class (`Study.was_looked_for`).
    """
    millilitres = [1e-3 * heart.mesh.volumes[heart.tissue_class == k].sum() for k in range(HEALTHY, CORE + 1)]
    absent = ["none" if k == HEALTHY or looked_for(k) else "not given" for k in range(HEALTHY, CORE + 1)]
    names = [
        f"{name}: {f'{ml:.1f} mL' if ml else instead}"
        for name, ml, instead in zip(TISSUE, millilitres, absent, strict=True)
    ]
    if not heart.scar_assessable:
        names = [f"muscle: {sum(millilitres):.1f} mL", *(f"{name}: not assessed" for name in TISSUE[1:])]
    palette = categories("tissue, both ventricles", names, TISSUE_COLOURS)
    if heart.scar_assessable:
        caption = "Healthy myocardium, border zone and dense scar core as the simulations use them."
    else:
        caption = "The myocardium. Scar was not assessed: that none is drawn means nothing."
    return Picture(
        "substrate", "Substrate", caption, palette, lambda s: s.of_elements(heart.tissue_class), infarct_centre(heart)
    )


def mesh_picture(heart: Heart) -> Picture:
    """The tetrahedra: how many, how long, how good; a close-up shows them one by one."""
    found = quality(heart.mesh)
    smallest = dihedral_angles(heart.mesh.points, heart.mesh.tets).min(axis=1)
    palette = bands("smallest dihedral angle,\ndegrees", 0, 60, width=10, colours="cividis", upward=True)
    figures = (
        f"{found.n_nodes:,} nodes",
        f"{found.n_tets:,} tetrahedra",
        f"mean edge {found.mean_edge_mm:.2f} mm",
        f"longest edge {found.longest_edge_mm:.2f} mm",
        f"worst angle {angle(found.smallest_dihedral)}°",
        f"1 % below {angle(found.first_percentile_dihedral)}°",
    )
    caption = (
        "The tetrahedra the equations are solved on. Colour: the smallest dihedral angle of each; the lighter, the "
        "better, 70.5 degrees at most. The close-up is a section, in which a tetrahedron is a triangle or a quadrangle."
    )
    return Picture(
        "mesh", "Mesh", caption, palette, lambda s: s.of_elements(smallest), infarct_centre(heart),
        figures=figures, close_up=True,
    )  # fmt: skip


def angle(degrees: float) -> str:
    """One digit after the point, two significant ones below 1: a sliver is not 0 degrees."""
    return f"{degrees:.1f}" if degrees >= 1 or degrees == 0 else f"{degrees:.2g}"


def fibres_picture(heart: Heart) -> Picture:
    """Fibre directions as strokes, and the angle they climb."""
    helix = helix_angle_deg(heart)
    origin = f"as in {heart.fibres_from}" if heart.fibres_from else "from a rule, not measured"
    palette = bands("helix angle, degrees", -90, 90, width=15, colours="RdBu", upward=True)
    caption = (
        f"Fibre directions (strokes) {origin}. Colour: angle from the circumferential direction, "
        "positive where the fibre climbs as a right-handed screw, as it does near the endocardium. Strokes are shorter "
        "where fibres run towards the eye."
    )
    return Picture(
        "fibres", "Fibres", caption, palette, lambda s: s.of_elements(helix), infarct_centre(heart), (), True
    )


def _activation(study: Study, time: np.ndarray) -> Picture:
    palette = bands("activation, ms", float(np.nanmin(time)), float(np.nanmax(time)), "not activated (scar core)")
    markers = []
    if study.posterior is not None and study.confirmation is not None:
        posterior, member = study.posterior, study.confirmation.member
        share = posterior.weights / posterior.weights.max()
        all_sites = posterior.site_positions.reshape(-1, 3)
        sizes = np.repeat(4 + 26 * share, posterior.site_positions.shape[1])
        markers.append(Marker("sites of all twins: larger, likelier", all_sites, "#ffffff", "o", sizes))
        markers.append(Marker("sites of this run", posterior.site_positions[member], "#101010", "*", 170.0))
    caption = "Activation times of the confirming monodomain run; lines join tissue activated at the same time."
    values: Callable[[Skin], np.ndarray] = lambda s: s.at_corners(time)  # noqa: E731
    return Picture("activation", "Activation", caption, palette, values, infarct_centre(study.heart), tuple(markers))


def _circuit(study: Study, number: int) -> Picture:
    circuit, _ = study.circuits[number - 1]
    cycle_ms = circuit.cycle_length_ms
    palette = bands("activation in the cycle, ms", 0.0, cycle_ms, "not activated in the cycle", period=cycle_ms)
    markers = (
        Marker("middle of the isthmus", circuit.isthmus_mm[None], "#ffffff", "D"),
        Marker("where the wave exits", circuit.exit_mm[None], "#101010", "*", 190.0),
    )
    title = f"Circuit {number}: cycle length {circuit.cycle_length_ms:.0f} ms"
    caption = (
        f"{title}. Activation within one turn: the re-entrant path runs through all colours, early red meets late blue."
    )
    values: Callable[[Skin], np.ndarray] = lambda s: s.at_corners_of_cycle(circuit.phase_ms, cycle_ms)  # noqa: E731
    return Picture(f"circuit_{number}", title, caption, palette, values, circuit.isthmus_mm, markers)


def _plan(study: Study, plan: ablation.Plan, number: int) -> Picture | None:
    heart = study.heart
    lesions = ablation.lesion_elements(heart, plan)
    if not lesions.any():
        return None
    shown = np.where(lesions, CORE + 1, heart.tissue_class)
    palette = categories("tissue", (*TISSUE, "ablated"), (*TISSUE_COLOURS, ABLATED_COLOUR))
    places = np.array([circuit.isthmus_mm for circuit, _ in study.circuits]).reshape(-1, 3)
    markers = (Marker("middle of the isthmus of a circuit", places, "#ffffff", "D", 60.0),) if len(places) else ()
    target = np.average(heart.mesh.centroids[lesions], axis=0, weights=heart.mesh.volumes[lesions])
    title = f"Plan: {one_line(plan.name, 60)}"
    caption = f"{title}{' (control)' if plan.control else ''}. Tissue ablated, on the substrate."
    return Picture(f"plan_{number}", title, caption, palette, lambda s: s.of_elements(shown), target, markers)


def helix_angle_deg(heart: Heart) -> np.ndarray:
    """(n_tets,) angle of the fibres from the circumferential direction, degrees; positive for a right-handed helix.

    Each ventricle around its own axis, both with the direction of the left one's.
    """
    ventricle = left_ventricle(heart)
    centroids = heart.mesh.centroids
    own = np.empty_like(centroids)
    for which in np.unique(heart.ventricle):
        own[heart.ventricle == which] = centroids[heart.ventricle == which].mean(axis=0)
    own[heart.ventricle == LEFT] = ventricle.centre
    around = np.cross(ventricle.axis, centroids - own)
    around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-9)
    along_axis, along_around = heart.fibres @ ventricle.axis, (heart.fibres * around).sum(axis=1)
    return np.degrees(np.arctan2(along_axis * np.sign(along_around), np.abs(along_around)))
