"""A user's mesh as the anatomy, in place of imaging: what it says is kept, what it does not say follows from its shape.

Taken in once, when it is added (`take_in`): checked, its fibres, regions and surfaces found by their names. Held
against what `twin.toml` says of it (`judged`): which region is what tissue, in which unit and frame, how fine it must
be; when it is added already, not only when it is run. Made into a heart (`heart_of`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cardiotwin.anatomy.mesh_fineness import check_fineness, too_coarse
from cardiotwin.anatomy.mesh_holes import check_holes
from cardiotwin.errors import MeshError, QualityGate, SettingsError
from cardiotwin.heart.heart import (
    BASE,
    BORDER_ZONE,
    CORE,
    HEALTHY,
    LV_ENDOCARDIUM,
    RV_ENDOCARDIUM,
    Heart,
    heart_from_mesh,
)
from cardiotwin.ingest.anatomy import check_mesh_not_mirrored
from cardiotwin.meshes.fibres import frames_from, per_tetrahedron
from cardiotwin.meshes.formats import MM_PER, MeshFile, checked, read_raw, shown
from cardiotwin.meshes.holes import holes
from cardiotwin.meshes.mesh import Mesh, signed_volumes
from cardiotwin.meshes.outline import outline
from cardiotwin.meshes.surfaces import without_unused
from cardiotwin.progress import Progress, part, silent
from cardiotwin.settings import MeshFileSettings, MeshSettings

FIBRES = ("fibre", "fibres", "fiber", "fibers", "fibre_direction", "f0", "f", "lon")
SHEETS = ("sheet", "sheets", "sheet_direction", "s0", "s")
REGIONS = ("tissue_class", "region", "regions", "regionid", "tag", "tags", "elemtag", "elem_tag", "material",
           "materials", "gmsh:physical", "label", "labels", "id")  # fmt: skip
SURFACES = {
    "left": ("lvendo", "lv_endo", "endo_lv", "left_endocardium"),
    "right": ("rvendo", "rv_endo", "endo_rv", "right_endocardium"),
    "base": ("base",),
}
"""Names of data arrays, in any case, in order of preference."""
HEART_MM = (40.0, 400.0)
"""Extent of human ventricles, with room; it tells mm from cm."""
USUAL_ML = 150.0
"""Muscle of both human ventricles: of several units in which the extent is a heart's, the one that comes nearest."""
MOST_MISSING = 0.05
"""Share of the fibres that may be missing; the rule fills them."""
UNIT_TOLERANCE = 1e-3
RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
MOST_TAGS = 64


@dataclass(frozen=True, eq=False)
class UserMesh:
    """A mesh as its user made it, checked.

    Attributes
    ----------
    points, tets : (n_nodes, 3) float64, (n_tets, 4) int32
        In mm by `unit`; oriented.
    unit : str
        In which the file was taken to be.
    fibres, sheets : (n_tets, 3) or (n_nodes, 3) float64, or (0, 3)
        Unit vectors; NaN where the file has none.
    regions : (n_tets,) int64, or (0,)
    region_name : str
        Of the array that `regions` come from.
    left, right, base : (n,) int64
        Nodes of the surfaces that the file names; empty where it does not.
    notes : tuple of str
        What was recognised, guessed, repaired and left out.
    """

    points: np.ndarray
    tets: np.ndarray
    unit: str
    fibres: np.ndarray
    sheets: np.ndarray
    regions: np.ndarray
    region_name: str
    left: np.ndarray
    right: np.ndarray
    base: np.ndarray
    notes: tuple[str, ...]


def take_in(path: Path, progress: Progress = silent) -> UserMesh:
    """Read and check a mesh of any format of `cardiotwin.meshes.formats`.

    Raises
    ------
    MeshError
        Not a mesh that a solver should see; fibres that are not.
    """
    progress(0.0, "reading the mesh")
    raw, name = read_raw(path), shown(path.name)
    unit, told = _unit_of_a_heart(raw.points, raw.tets, raw.unit)
    progress(0.2, f"checking {len(raw.tets):,} tetrahedra")
    file = checked(raw, name, unit)
    notes = [*file.notes, *told]
    fibres, fibre_name = _directions(file, FIBRES, name, notes)
    sheets, _ = _directions(file, SHEETS, name, notes) if fibre_name else (np.zeros((0, 3)), "")
    regions, region_name = _regions(file, notes)
    surfaces = {side: _listed(file, names) for side, names in SURFACES.items()}
    named = ", ".join(side for side, nodes in surfaces.items() if nodes.size)
    notes.append(f"surfaces: {named or 'none'} by name, the others follow from the shape")
    if fibre_name:
        of = "tetrahedron" if len(fibres) == len(file.mesh.tets) else "node"
        notes.append(f"fibres as in the file: `{fibre_name}`, a direction at each {of}; the rule is not used")
    else:
        notes.append("no fibres in it: they follow from the rule (`mesh.fibre_..._deg`)")
    return UserMesh(
        file.mesh.points, file.mesh.tets, file.unit, fibres, sheets, regions, region_name, **surfaces,
        notes=tuple(notes),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Judged:
    """What the settings leave of a user's mesh, fit to be a heart.

    Attributes
    ----------
    mesh : Mesh
        mm, LPS, without the regions that are left out.
    tissue : (n_tets,) uint8
    fibres, sheets : as in `UserMesh`
    left, right, base : (n,) int64
        Nodes of both endocardia and the base; named by the file, or found.
    voids : (n,) int64
        Nodes of closed surfaces inside the muscle.
    notes : tuple of str
        What the settings let pass, a sentence each.
    """

    mesh: Mesh
    tissue: np.ndarray
    fibres: np.ndarray
    sheets: np.ndarray
    left: np.ndarray
    right: np.ndarray
    base: np.ndarray
    voids: np.ndarray
    notes: tuple[str, ...]


def judged(
    given: UserMesh,
    about: MeshFileSettings,
    *,
    cell_model: str,
    velocity_cross: float,
    progress: Progress = silent,
) -> Judged:
    """Hold a user's mesh against what its settings say of it, in seconds and before anything is computed on it.

    Parameters
    ----------
    given : UserMesh
    about : MeshFileSettings
        Regions, unit, frame.
    cell_model, velocity_cross : str, float
        What the mesh must be fine enough for; mm/ms.

    Raises
    ------
    SettingsError
        A region that the mesh does not have, or in two classes.
    QualityGate
        No size of a heart; surfaces that cannot be found; edges too long for the velocity.
    InputRejected
        Mirrored, or lying in the patient as no heart does.
    MeshError
        Holes of the size of a defect, or what the settings leave is no heart.
    """
    points = given.points if about.unit == "auto" else given.points / MM_PER[given.unit] * MM_PER[about.unit]
    _check_size(points)
    if about.frame == "ras":
        points, given = points * RAS_TO_LPS, _turned(given)
    tissue = tissue_classes(given, about)
    mesh, tissue, fibres, sheets, lists = _without_left_out(given, about, points, tissue)
    progress(0.0, "finding the surfaces")
    try:
        left, right, base = surface_nodes(mesh, *lists)
    except QualityGate as refused:
        raise QualityGate(f"{refused}{_may_be_blood(given, about)}") from refused
    if about.frame != "any":
        check_mesh_not_mirrored(*(mesh.points[nodes] for nodes in (left, right, base)))
    progress(0.3, "looking for holes")
    found = holes(mesh, left, right, base)
    notes = check_holes(found, float(mesh.volumes.sum()), allow=about.allow_holes)
    voids = np.concatenate([np.zeros(0, np.int64), *(void.nodes for void in found.voids)])
    progress(0.5, "measuring how fine the mesh is")
    notes += _allowed(mesh, about, cell_model, velocity_cross)
    return Judged(mesh, tissue, fibres, sheets, left, right, base, voids, notes)


def heart_of(
    given: UserMesh,
    about: MeshFileSettings,
    settings: MeshSettings,
    *,
    cell_model: str,
    velocity_cross: float,
    progress: Progress = silent,
) -> Heart:
    """The heart that a user's mesh is.

    Parameters
    ----------
    given, about, cell_model, velocity_cross
        As `judged`.
    settings : MeshSettings
        Fibre angles of the rule.

    Raises
    ------
    CardioTwinError
        As `judged`.
    """
    fit = judged(given, about, cell_model=cell_model, velocity_cross=velocity_cross, progress=part(progress, 0.1, 0.3))
    missing = _missing(fit.fibres)
    heart = heart_from_mesh(
        fit.mesh.points, fit.mesh.tets, left_endocardium=fit.left, right_endocardium=fit.right, base=fit.base,
        voids=fit.voids, tissue_class=fit.tissue, settings=settings,
        scar_assessable=bool((fit.tissue != HEALTHY).any()),
        fibres=None if missing.any() or not len(fit.fibres) else fit.fibres,
        sheets=None if missing.any() or _missing(fit.sheets).any() or not len(fit.sheets) else fit.sheets,
        progress=part(progress, 0.3, 1.0),
    )  # fmt: skip
    return replace(_filled(heart, fit.fibres, fit.sheets) if missing.any() else heart, notes=fit.notes)


def _may_be_blood(given: UserMesh, about: MeshFileSettings) -> str:
    """A sentence for a mesh without cavities of which several regions were taken as muscle."""
    tags = np.unique(given.regions)
    if len(tags) < 2 or about.left_out_regions:
        return ""
    return f". If a region of `{given.region_name}` ({_few(tags)}) is blood, name it: `mesh_file.left_out_regions`"


def _allowed(mesh: Mesh, about: MeshFileSettings, cell_model: str, velocity_cross: float) -> tuple[str, ...]:
    """How coarse the mesh is, where that is allowed and would be refused otherwise."""
    if not about.allow_coarse:
        check_fineness(mesh, cell_model, velocity_cross)
        return ()
    why = too_coarse(mesh, cell_model, velocity_cross)
    return (f"The mesh is too coarse for the velocity asked for (`mesh_file.allow_coarse`): {why}.",) if why else ()


def _turned(given: UserMesh) -> UserMesh:
    """Its directions from RAS into LPS."""
    fibres, sheets = (one * RAS_TO_LPS if len(one) else one for one in (given.fibres, given.sheets))
    return replace(given, fibres=fibres, sheets=sheets)


def tissue_classes(given: UserMesh, about: MeshFileSettings) -> np.ndarray:
    """(n_tets,) uint8 tissue class, 0 for what is left out.

    Without a word in the settings, an array that is named ``tissue_class`` and holds 1, 2 and 3 is taken at its word,
    and any other region is healthy.

    Raises
    ------
    SettingsError
        A region that the mesh does not have, or in two classes.
    """
    wanted = {HEALTHY: about.healthy_regions, BORDER_ZONE: about.border_zone_regions, CORE: about.core_regions,
              0: about.left_out_regions}  # fmt: skip
    listed = [region for regions in wanted.values() for region in regions]
    there = set(np.unique(given.regions).tolist())
    for region in listed:
        if region not in there or listed.count(region) > 1:
            why = "in two lists" if region in there else f"not in the mesh, which has {_few(sorted(there)) or 'none'}"
            raise SettingsError(
                f"`mesh_file`: region {region} is {why}; correct the lists of regions in twin.toml, under [mesh_file]"
            )
    if not listed and _speaks_for_itself(given):
        return given.regions.astype(np.uint8)
    tissue = np.full(len(given.tets), HEALTHY, np.uint8)
    for tag, regions in wanted.items():
        if regions:
            tissue[np.isin(given.regions, regions)] = tag
    return tissue


def surface_nodes(
    mesh: Mesh, left: np.ndarray, right: np.ndarray, base: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes of left and right endocardium and base: those that are listed, the others from the shape.

    Raises
    ------
    QualityGate
        See `cardiotwin.meshes.outline.outline`.
    """
    if left.size and base.size:
        return left, right, base
    found = outline(mesh)
    of = {tag: np.unique(found.faces[found.surface == tag]) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM, BASE)}
    if left.size:
        return left, right, base if base.size else of[BASE]
    return of[LV_ENDOCARDIUM], of[RV_ENDOCARDIUM], base if base.size else of[BASE]


def _unit_of_a_heart(points: np.ndarray, tets: np.ndarray, usual: str) -> tuple[str | None, list[str]]:
    """The unit in which the mesh has the size of a heart, the usual one first; None where there is none.

    Centimetres and inches both give an extent that may be a heart's: the volume, 16 times as large in one, tells them
    apart, and the line names the other.
    """
    finite = points[np.isfinite(points).all(axis=1)]
    extent = float(np.ptp(finite, axis=0).max()) if len(finite) else 0.0
    fitting = [unit for unit in MM_PER if HEART_MM[0] <= extent * MM_PER[unit] <= HEART_MM[1]]
    if usual in fitting or not fitting:
        return (usual if fitting else None), []
    volume = _volume(points, tets)
    ml = {unit: 1e-3 * volume * MM_PER[unit] ** 3 for unit in fitting}
    unit, *others = sorted(fitting, key=lambda one: abs(np.log(max(ml[one], 1e-12) / USUAL_ML)))
    told = f"coordinates taken as {unit}: {extent:.4g} across is a heart in {unit} ({ml[unit]:.3g} mL), not in {usual}"
    also = (f'; in {one} it would be one of {ml[one]:.3g} mL: set unit = "{one}" under [mesh_file]' for one in others)
    return unit, [told + "".join(also)]


def _volume(points: np.ndarray, tets: np.ndarray) -> float:
    """Of all tetrahedra whose nodes there are, in the cube of the file's unit; nothing of them is checked yet."""
    there = ((tets >= 0) & (tets < len(points))).all(axis=1)
    return float(np.nansum(np.abs(signed_volumes(points, tets[there]))))


def _check_size(points: np.ndarray) -> None:
    extent = float(np.ptp(points, axis=0).max())
    if not HEART_MM[0] <= extent <= HEART_MM[1]:
        raise QualityGate(
            f"mesh: found {extent:.4g} mm across, expected {HEART_MM[0]:g} to {HEART_MM[1]:g} for human ventricles. "
            'Say in which unit it is: in twin.toml, under [mesh_file], set unit = "cm" (or "in", "um", "m")'
        )


def _array(data: Mapping[str, np.ndarray], names: Iterable[str]) -> tuple[str, np.ndarray] | None:
    """The first array of a name, in any case."""
    lower = {key.lower(): key for key in data}
    return next(((lower[name], data[lower[name]]) for name in names if name in lower), None)


def _directions(file: MeshFile, names: tuple[str, ...], name: str, notes: list[str]) -> tuple[np.ndarray, str]:
    """Unit vectors of elements, or else of nodes, NaN where one is missing; and the name of their array.

    Raises
    ------
    MeshError
        More than `MOST_MISSING` are missing.
    """
    found = _array({k: v for k, v in file.tet_data.items() if v.shape[1:] == (3,)}, names) or _array(
        {k: v for k, v in file.node_data.items() if v.shape[1:] == (3,)}, names
    )
    if found is None:
        return np.zeros((0, 3)), ""
    key, values = found[0], np.asarray(found[1], np.float64)
    length = np.linalg.norm(np.where(np.isfinite(values), values, 0.0), axis=1)
    usable = np.isfinite(values).all(axis=1) & (length > 1e-12)
    missing = np.flatnonzero(~usable)
    what = "cells" if len(values) == len(file.mesh.tets) else "nodes"
    if missing.size > MOST_MISSING * len(values):
        raise MeshError(
            f"{name}: `{key}` is zero or not finite in {missing.size} of {len(values)} {what} ({_few(missing)}); "
            f"expected directions in all but {100 * MOST_MISSING:g} %. Complete them, or leave the array out"
        )
    if missing.size:
        notes.append(f"`{key}` missing in {missing.size} {what} ({_few(missing)}): filled by the rule")
    uneven = usable & (np.abs(length - 1.0) > UNIT_TOLERANCE)
    if uneven.any():
        notes.append(f"`{key}` not of length 1 in {uneven.sum()} {what} ({_few(np.flatnonzero(uneven))}): scaled")
    values = np.where(usable[:, None], values / np.where(usable, length, 1.0)[:, None], np.nan)
    return values, key


def _regions(file: MeshFile, notes: list[str]) -> tuple[np.ndarray, str]:
    """Region of every element, the name of its array, and what was guessed of them."""
    whole = {k: np.asarray(v) for k, v in file.tet_data.items() if _is_whole(np.asarray(v))}
    found = _array(whole, REGIONS)
    if found is None:
        return np.zeros(0, np.int64), ""
    key, regions = found[0], found[1].reshape(-1).astype(np.int64)
    tags = np.unique(regions)
    if len(tags) > MOST_TAGS:
        notes.append(f"`{key}` has {len(tags)} different values: no regions, left out")
        return np.zeros(0, np.int64), ""
    ml = [1e-3 * file.mesh.volumes[regions == tag].sum() for tag in tags]
    listed = ", ".join(f"{tag} ({volume:.1f} mL)" for tag, volume in zip(tags, ml, strict=True))
    if key.lower() == "tissue_class" and set(tags.tolist()) <= {HEALTHY, BORDER_ZONE, CORE}:
        notes.append(f"`{key}` {listed}: taken as 1 healthy, 2 border zone, 3 core")
    elif len(tags) > 1:
        notes.append(
            f"regions of `{key}`: {listed}; all taken as healthy. Say what they are: in twin.toml, under "
            "[mesh_file], set border_zone_regions, core_regions, left_out_regions"
        )
    return regions, key


def _is_whole(values: np.ndarray) -> bool:
    if values.size != len(values) or values.dtype.kind not in "iuf" or not values.size:
        return False
    return bool((np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 2**31)).all())


def _speaks_for_itself(given: UserMesh) -> bool:
    classes = {HEALTHY, BORDER_ZONE, CORE}
    return given.region_name.lower() == "tissue_class" and set(np.unique(given.regions).tolist()) <= classes


def _listed(file: MeshFile, names: tuple[str, ...]) -> np.ndarray:
    """Nodes where an array of 0 and 1 is 1."""
    flags = {k: v for k, v in file.node_data.items() if np.asarray(v).ndim == 1 and set(np.unique(v)) <= {0, 1}}
    found = _array(flags, names)
    return np.zeros(0, np.int64) if found is None else np.flatnonzero(found[1])


def _without_left_out(
    given: UserMesh, about: MeshFileSettings, points: np.ndarray, tissue: np.ndarray
) -> tuple[Mesh, np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
    """What is left of a mesh without the regions that are left out: one part, or refused."""
    lists = [given.left, given.right, given.base]
    if tissue.all():
        return Mesh(points, given.tets), tissue, given.fibres, given.sheets, lists
    kept = np.flatnonzero(tissue)
    if not kept.size:
        raise QualityGate("`mesh_file.left_out_regions`: leaves nothing of the mesh; expected the muscle to stay")
    tets, used = given.tets[kept], np.unique(given.tets[kept])
    few, numbered = without_unused(points, tets)
    row = np.full(len(points), -1)
    row[used] = np.arange(len(used))
    lists = [row[one][row[one] >= 0] for one in lists]
    by_cell = len(given.fibres) == len(given.tets)
    rows = kept if by_cell else used
    fibres, sheets = (one[rows] if len(one) else one for one in (given.fibres, given.sheets))
    return Mesh(few, numbered), tissue[kept], fibres, sheets, lists


def _filled(heart: Heart, fibres: np.ndarray, sheets: np.ndarray) -> Heart:
    """The given directions where there are any, those of the rule elsewhere."""
    along, across = _of_elements(heart, fibres, heart.fibres), heart.sheets
    if len(sheets):
        across = _of_elements(heart, sheets, heart.sheets)
    fibre, sheet, normal = frames_from(along, across)
    filled = int((along == heart.fibres).all(axis=1).sum())
    told = f"the mesh that was given, but for {filled} of {len(along)} tetrahedra, filled by the rule"
    return replace(heart, fibres=fibre, sheets=sheet, normals=normal, fibres_from=told)


def _of_elements(heart: Heart, given: np.ndarray, rule: np.ndarray) -> np.ndarray:
    """(n_tets, 3) directions; an element of which a node has none is given the rule's."""
    missing = _missing(given)
    if len(given) == len(rule):
        return np.where(missing[:, None], rule, given)
    whole = np.where(missing[:, None], [1.0, 0.0, 0.0], given)
    lacking = missing[heart.mesh.tets].any(axis=1)
    return np.where(lacking[:, None], rule, per_tetrahedron(heart.mesh, whole, "fibres"))


def _missing(directions: np.ndarray) -> np.ndarray:
    """(n,) bool."""
    return ~np.isfinite(directions).all(axis=1)


def _few(numbers: Iterable[int]) -> str:
    listed = [str(int(one)) for one in list(numbers)[:6]]
    return ", ".join(listed[:5]) + (", ..." if len(listed) > 5 else "")
