"""Mesh, regions, fibres and coordinates: the anatomy every simulation shares."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from cardiotwin.errors import MeshError, QualityGate
from cardiotwin.heart.labelled_stack import LabelledStack, base_first
from cardiotwin.imaging import apply_affine
from cardiotwin.meshes import coordinates
from cardiotwin.meshes.coordinates import LEFT, RIGHT, Fields, fields
from cardiotwin.meshes.fibres import Angles, frames_from, per_tetrahedron, rule_based
from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.mapping import coordinates_of_elements
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.regions import drawn_region, nearer_region
from cardiotwin.meshes.side_by_side import side_by_side
from cardiotwin.meshes.surfaces import (
    BASE,
    EPICARDIUM,
    LV_ENDOCARDIUM,
    RV_ENDOCARDIUM,
    check_indices,
    largest_part,
    tagged_by_distance,
    tagged_by_nodes,
)
from cardiotwin.meshes.tetrahedra import oriented, stuff
from cardiotwin.meshes.ventricles import ventricles
from cardiotwin.meshes.ventricular import VentricularCoordinates, ventricular_coordinates
from cardiotwin.progress import Progress, part, silent
from cardiotwin.segmentation import Segmentation, aligned_slices, as_meshed, labels
from cardiotwin.segmentation.right_ventricle import right_wall
from cardiotwin.settings import MeshSettings

_log = logging.getLogger(__name__)

HEALTHY, BORDER_ZONE, CORE = 1, 2, 3
"""Tissue class of a tetrahedron."""
# Ventricle of a tetrahedron (the septum counts as left) and surface of a boundary face: as the meshes number them.
__all__ = [
    "BASE",
    "BORDER_ZONE",
    "CORE",
    "EPICARDIUM",
    "HEALTHY",
    "LEFT",
    "LV_ENDOCARDIUM",
    "RIGHT",
    "RV_ENDOCARDIUM",
    "Heart",
    "build_heart",
    "heart_from_mesh",
]


@dataclass(frozen=True, eq=False)
class Heart:
    """Both ventricles.

    Attributes
    ----------
    mesh : Mesh
        Tetrahedra, mm, LPS; scar core included.
    tissue_class : (n_tets,) uint8
        1 healthy, 2 border zone, 3 core.
    ventricle : (n_tets,) uint8
        1 left (with septum), 2 right. Where it was drawn, as it was drawn; else the right one's is what the ventricular
        coordinates call its free wall.
    fibres, sheets, normals : (n_tets, 3) float64
        Orthonormal frame in every tetrahedron.
    transmural : (n_nodes,) float64
        0 endocardium to 1 epicardium.
    apicobasal : (n_nodes,) float64
        0 apex to 1 base.
    faces : (n_faces, 3) int32
        Boundary triangles, normals outward.
    surface : (n_faces,) uint8
        1 epicardium, 2 left and 3 right ventricular endocardium, 4 base; 0 a void inside the muscle.
    edge_mm : float
        Lattice constant the mesh was built with; velocities are tuned on the same lattice.
    scar_assessable : bool
        As in the segmentation.
    coordinates : VentricularCoordinates or None
        As in Cobiveco: depth halved in the septum, distances along lines. None where the shape admits none.
    fibres_from : str
        Where fibres that were given come from; "" where all are the rule's.
    notes : tuple of str
        What its making let pass, a sentence each.
    """

    mesh: Mesh
    tissue_class: np.ndarray
    ventricle: np.ndarray
    fibres: np.ndarray
    sheets: np.ndarray
    normals: np.ndarray
    transmural: np.ndarray
    apicobasal: np.ndarray
    faces: np.ndarray
    surface: np.ndarray
    edge_mm: float
    scar_assessable: bool
    coordinates: VentricularCoordinates | None = None
    fibres_from: str = ""
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        ml = {c: 1e-3 * self.mesh.volumes[self.tissue_class == c].sum() for c in (BORDER_ZONE, CORE)}
        scar = f"border zone {ml[BORDER_ZONE]:.1f} mL, core {ml[CORE]:.1f} mL"
        return (
            f"Heart({self.mesh!r}, edge {self.edge_mm:g} mm, {scar if self.scar_assessable else 'scar not assessable'})"
        )

    def surface_nodes(self, *which: int) -> np.ndarray:
        """Sorted node indices of the named surfaces."""
        return np.unique(self.faces[np.isin(self.surface, which)])


def build_heart(
    segmentation: Segmentation, settings: MeshSettings, *, rv_wall_mm: float = 3.0, progress: Progress = silent
) -> Heart:
    """Tetrahedra, regions, fibres and coordinates from labelled slices.

    Contours glide between slices (shape-based interpolation of signed distances); the apex is rounded off beyond the
    last slice and covered with muscle; the base is cut flat at the outer face of the first slice on which muscle rings
    the left ventricle, at most 5 mm above its middle. Core and border zone keep the volume they were drawn with.

    Parameters
    ----------
    segmentation : Segmentation
    settings : MeshSettings
        `edge_mm` and the fibre angles.
    rv_wall_mm : float
        The right-ventricular wall is nowhere thinner than this: cardiac MR seldom resolves it, and where right
        ventricular blood borders background there would be no muscle at all.

    Raises
    ------
    InputRejected
        An unknown label; a slice without muscle between slices with it; no ring of muscle around left blood.
    QualityGate
        No myocardium or no left ventricular blood; a myocardium outside 20 to 500 mL; a left ventricular wall of 0 or
        over 40 mm; fewer than two lattice cells across it.
    """
    progress(0.0, "interpolating between slices")
    if settings.align_slices:
        segmentation, alignment = aligned_slices(segmentation)
        _log.info("slices: %r", alignment)
    drawn = base_first(segmentation)
    shape = ventricles(
        drawn.muscle,
        drawn.labels == labels.LV_BLOOD,
        drawn.labels == labels.RV_BLOOD,
        drawn.spacing_mm,
        grid_mm=float(np.clip(settings.edge_mm / 1.5, 0.7, 1.5)),
        rv_wall_mm=rv_wall_mm,
    )
    _check_wall(shape.left_wall_mm(), settings.edge_mm)
    progress(0.3, "filling with tetrahedra")
    mesh, n_dropped = largest_part(stuff(shape, *shape.box, settings.edge_mm))
    if n_dropped:
        _log.info("%d tetrahedra in pieces apart from the heart were dropped", n_dropped)
    faces = mesh.boundary_faces()
    surface = tagged_by_distance(faces, shape.surface_distances(mesh.points))
    tissue_class = _tissue_class(mesh, drawn)
    ventricle = _ventricle_as_drawn(mesh, drawn, tissue_class, rv_wall_mm)
    points = apply_affine(drawn.affine, (mesh.points / drawn.spacing_mm)[:, ::-1])
    if np.linalg.det(drawn.affine[:3, :3]) > 0:  # (slice, row, column) to LPS turns a mirror's way round
        faces, tets = faces[:, ::-1], mesh.tets[:, [1, 0, 2, 3]]
    else:
        tets = mesh.tets
    return _with_rules(
        Mesh(points, tets),
        np.ascontiguousarray(faces),
        surface,
        settings,
        tissue_class=tissue_class,
        scar_assessable=segmentation.scar_assessable,
        ventricle=ventricle,
        progress=part(progress, 0.5, 1.0),
    )


def with_scar_of(heart: Heart, segmentation: Segmentation, *, align_slices: bool) -> Heart:
    """The same tetrahedra with core and border zone of another reading of the image that they were built from.

    Parameters
    ----------
    heart : Heart
        As `build_heart` makes it.
    segmentation : Segmentation
        The contours that `heart` was built from, with other scar; see `cardiotwin.segmentation.relabel`.
    align_slices : bool
        As `MeshSettings.align_slices` was when `heart` was built.
    """
    drawn = base_first(as_meshed(segmentation, align_slices))
    voxels = apply_affine(np.linalg.inv(drawn.affine), heart.mesh.points)
    mirrored = np.linalg.det(drawn.affine[:3, :3]) > 0  # as in build_heart
    tets = heart.mesh.tets[:, [1, 0, 2, 3]] if mirrored else heart.mesh.tets
    mesh = Mesh(voxels[:, ::-1] * drawn.spacing_mm, tets)
    return replace(heart, tissue_class=_tissue_class(mesh, drawn))


def _check_wall(wall_mm: float, edge_mm: float) -> None:
    if not 0 < wall_mm <= 40:
        raise QualityGate(
            f"label map: the left ventricular wall is {wall_mm:.1f} mm thick (median); expected 0 to 40 mm"
        )
    if wall_mm < 2 * edge_mm:
        raise QualityGate(
            f"mesh: edge_mm = {edge_mm:g} puts fewer than two cells across a left ventricular wall of "
            f"{wall_mm:.1f} mm (median); use at most {np.floor(50 * wall_mm) / 100:g}"
        )


def _tissue_class(mesh: Mesh, drawn: LabelledStack) -> np.ndarray:
    """(n_tets,) healthy, border zone or core, each scar region with the volume it was drawn with."""
    tissue = np.full(len(mesh.tets), HEALTHY, np.uint8)
    core = drawn.labels == labels.CORE
    scar = np.ones(len(tissue), bool)
    for mask, tag in ((core | (drawn.labels == labels.BORDER_ZONE), BORDER_ZONE), (core, CORE)):
        if mask.any():
            scar = drawn_region(mesh, mask, drawn.muscle & ~mask, drawn.spacing_mm, within=scar)
            tissue[scar] = tag
    return tissue


def _ventricle_as_drawn(
    mesh: Mesh, drawn: LabelledStack, tissue_class: np.ndarray, rv_wall_mm: float
) -> np.ndarray | None:
    """(n_tets,) left or right, by the wall in which a tetrahedron lies deeper; None where no right one is drawn.

    What a shape tells of the ventricles' border is a rule; whoever contoured the left wall up to the insertion of the
    right one has seen it there. A right wall that was not drawn is what the mesh adds, without scar.
    """
    added = right_wall(drawn.labels == labels.RV_BLOOD, drawn.labels > 0, drawn.spacing_mm, rv_wall_mm)
    right = drawn.muscle & ~drawn.left_wall | added
    if not right.any() or not drawn.left_wall.any():
        return None
    left = nearer_region(mesh, drawn.left_wall, right, drawn.spacing_mm)
    if not (drawn.muscle & ~drawn.left_wall).any():
        left |= tissue_class != HEALTHY
    return np.where(left, LEFT, RIGHT).astype(np.uint8)


def _ventricle_by_shape(mesh: Mesh, f: Fields, found: VentricularCoordinates | None) -> np.ndarray:
    """(n_tets,) left or right, of a mesh in which nobody has said so."""
    if found is None:
        return coordinates.ventricle(mesh.tets, f)
    right = coordinates_of_elements(found, mesh.tets).in_right_free_wall
    return np.where(right, RIGHT, LEFT).astype(np.uint8)


def _with_rules(
    mesh: Mesh,
    faces: np.ndarray,
    surface: np.ndarray,
    settings: MeshSettings,
    *,
    tissue_class: np.ndarray,
    scar_assessable: bool,
    ventricle: np.ndarray | None = None,
    progress: Progress,
) -> Heart:
    """Add what follows from the shape alone: coordinates, ventricles and rule-based fibres."""
    angles = Angles(
        settings.fibre_endocardium_deg,
        settings.fibre_epicardium_deg,
        settings.sheet_endocardium_deg,
        settings.sheet_epicardium_deg,
    )
    progress(0.0, "laying fibres")
    f, transmural, (fibres, sheets, normals) = _fields_and_frames(mesh, faces, surface, angles)
    progress(0.5, "measuring coordinates")
    found = _coordinates(mesh, faces, surface, f.sides)
    heart = Heart(
        mesh=mesh,
        tissue_class=tissue_class,
        ventricle=_ventricle_by_shape(mesh, f, found) if ventricle is None else ventricle,
        fibres=fibres,
        sheets=sheets,
        normals=normals,
        transmural=transmural,
        apicobasal=coordinates.apicobasal(mesh.points, faces, surface, f.base),
        faces=faces,
        surface=surface,
        edge_mm=settings.edge_mm,
        scar_assessable=scar_assessable,
        coordinates=found,
    )
    progress(1.0, "heart built")
    return heart


def _fields_and_frames(
    mesh: Mesh, faces: np.ndarray, surface: np.ndarray, angles: Angles
) -> tuple[Fields, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Harmonic fields, depth and fibres; what they are computed with, several times the mesh, is let go."""
    laplace = Laplace(mesh)
    f = fields(laplace, faces, surface)
    return f, *side_by_side(
        lambda: coordinates.transmural(laplace, faces, surface, f), lambda: rule_based(laplace, f, angles)
    )


def _coordinates(
    mesh: Mesh, faces: np.ndarray, surface: np.ndarray, sides: np.ndarray
) -> VentricularCoordinates | None:
    """None, and a line in the log, for a shape without them: simulations do not need them."""
    try:
        return ventricular_coordinates(mesh, faces, surface, sides)
    except MeshError as error:
        _log.warning("no ventricular coordinates, hence no segments and no mapping: %s", error)
        return None


def heart_from_mesh(
    points: np.ndarray,
    tets: np.ndarray,
    *,
    left_endocardium: np.ndarray,
    base: np.ndarray,
    right_endocardium: np.ndarray | None = None,
    voids: np.ndarray | None = None,
    fibres: np.ndarray | None = None,
    sheets: np.ndarray | None = None,
    tissue_class: np.ndarray | None = None,
    settings: MeshSettings | None = None,
    edge_mm: float | None = None,
    scar_assessable: bool = False,
    progress: Progress = silent,
) -> Heart:
    """A heart from tetrahedra made elsewhere.

    Parameters
    ----------
    points, tets : (n_nodes, 3) mm in LPS, (n_tets, 4)
        Any orientation of the tetrahedra; every node must be used.
    left_endocardium, base, right_endocardium : (n,) int
        Nodes of each surface; a boundary face belongs where all its nodes do, and the rest is epicardium.
    voids : (n,) int or None
        Nodes of closed surfaces inside the muscle, which are none of these: depth and fibres do not start there.
    fibres, sheets : (n_nodes, 3) or (n_tets, 3) float, or None
        Directions, of any sign and length; None where the rule of `settings` shall give them.
    tissue_class : (n_tets,) uint8 or None
        None: all healthy.
    edge_mm : float or None
        Lattice constant to tune velocities at; None takes the lattice whose tetrahedra have the same mean volume.

    Raises
    ------
    MeshError
        A flat tetrahedron, an index out of range, a node of no tetrahedron, an array of another length, no base or
        left endocardium, a direction that is zero or not finite.
    """
    points, tets = np.asarray(points, np.float64), np.asarray(tets)
    check_indices(points, tets)
    mesh = Mesh(points, oriented(points, tets.astype(np.int32)))
    lists = [
        _checked_nodes(nodes, len(points), name)
        for name, nodes in (
            ("left_endocardium", left_endocardium),
            ("right_endocardium", right_endocardium),
            ("base", base),
        )
    ]
    faces = mesh.boundary_faces()
    if edge_mm is None:
        edge_mm = float(np.cbrt(12.0 * mesh.volumes.mean()))  # twelve tetrahedra a lattice cell
    surface = tagged_by_nodes(mesh.points, faces, *lists)
    surface[np.isin(faces, _checked_nodes(voids, len(points), "voids")).all(axis=1)] = 0
    healthy = np.full(len(tets), HEALTHY, np.uint8)
    heart = _with_rules(
        mesh,
        faces,
        surface,
        settings or MeshSettings(),
        tissue_class=healthy if tissue_class is None else _checked_classes(tissue_class, len(tets)),
        scar_assessable=scar_assessable,
        progress=progress,
    )
    heart = replace(heart, edge_mm=edge_mm)
    if fibres is None:
        return heart
    along = per_tetrahedron(mesh, fibres, "fibres")
    across = heart.sheets if sheets is None else per_tetrahedron(mesh, sheets, "sheets")
    fibre, sheet, normal = frames_from(along, across)
    return replace(heart, fibres=fibre, sheets=sheet, normals=normal, fibres_from="the mesh that was given")


def _checked_nodes(nodes: np.ndarray | None, n_nodes: int, name: str) -> np.ndarray:
    listed = np.zeros(0, np.int64) if nodes is None else np.asarray(nodes).astype(np.int64).ravel()
    if listed.size and (listed.min() < 0 or listed.max() >= n_nodes):
        worst = listed[(listed < 0) | (listed >= n_nodes)][0]
        raise MeshError(f"mesh: `{name}` names node {worst}; expected 0 to {n_nodes - 1} (is the list counted from 1?)")
    return listed


def _checked_classes(tissue_class: np.ndarray, n_tets: int) -> np.ndarray:
    found = np.asarray(tissue_class)
    if found.shape != (n_tets,) or not np.isin(found, (HEALTHY, BORDER_ZONE, CORE)).all():
        raise MeshError(f"mesh: `tissue_class` of shape {found.shape}; expected ({n_tets},) of 1, 2 and 3")
    return found.astype(np.uint8)
