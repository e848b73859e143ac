"""Surfaces of a heart, open or closed, as a label map.

Epicardium, left and right endocardium come as a file each, told apart by name, or as one surface with a class at
every point (Cobiveco: 1 base, 2 epicardium, 3 left, 4 right endocardium; 5 and 6, the apex and the right side of the
septum of its UVC variant, belong to 2 and 4). Layers of the wall with a signal (ADAS 3D) are painted as scar.
Everything is cut into voxels of 1 mm whose slices lie across the long axis; what follows is as for any label map.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from cardiotwin.errors import InputRejected
from cardiotwin.imaging import apply_affine
from cardiotwin.ingest.anatomy import standing
from cardiotwin.ingest.surface_files import Surface, read_surfaces
from cardiotwin.ingest.torso_surface import is_torso_name
from cardiotwin.ingest.wording import refusal, shown
from cardiotwin.meshes.scan import capped, filled, merged, rims
from cardiotwin.progress import Progress, part, shares, silent
from cardiotwin.segmentation.label_map import LabelMap, Segment, layered

VOXEL_MM, MARGIN_MM = 1.0, 4.0
LEAST_EXTENT_MM, MOST_EXTENT_MM = 40.0, 400.0
BASE, EPICARDIUM, LEFT, RIGHT, LAYER = "base", "epicardium", "left endocardium", "right endocardium", "layer"
CLASSES = {1: BASE, 2: EPICARDIUM, 3: LEFT, 4: RIGHT, 5: EPICARDIUM, 6: RIGHT}
BORDER_ZONE_SHARE, CORE_SHARE = 0.40, 0.60
"""Of the brightest signal in any layer: the consensus, and what ADAS 3D itself uses."""
LAYER_REACH_MM = 4.0
"""A voxel further than this from every layer has no signal; layers lie a millimetre or two apart."""
LID_REACH, LID_SAMPLES = 1.5, 60
"""Voxels from the lid to the last of the cavity below it; points along each side of its triangles."""
FARTHEST_BASE_MM = 8.0
"""Of a surface of the base from the lid over the epicardium's rim: a real one 2.0 and a mean one 1.8 mm."""
_ROLES = (
    (LAYER, r"\blayers?\b"),
    (BASE, r"\bbase\b|\bbasal\b|\bvalve"),
    (EPICARDIUM, r"\bepi|\bmyo|\bwall\b|\bouter\b"),
    (RIGHT, r"\brv\b|\bright\b"),
    (LEFT, r"\blv\b|\bleft\b"),
)


def read_shells(paths: Sequence[Path], progress: Progress = silent) -> tuple[LabelMap, tuple[str, ...]]:
    """The heart that these surface files bound, and a line for each thing that was assumed.

    Raises
    ------
    InputRejected
        A damaged file, a name that says nothing, a surface missing, a size that is no heart's in mm.
    """
    _check_one_folder(sorted(paths))
    progress(0.0, f"reading {len(paths)} surfaces")
    surfaces = read_surfaces(sorted(paths))
    parts = _parts(surfaces)
    _check_one_heart(surfaces)
    for role in (EPICARDIUM, LEFT, RIGHT):
        if role not in parts:
            names = ", ".join(shown(one.name, 40) for one in surfaces)
            raise InputRejected(
                f"surfaces: found no {role} among {names}; expected epicardium, left and right endocardium in files "
                "named so (epi, lv_endo, rv_endo), together in one folder. Add it, or rename the files"
            )
    _check_extent(parts[EPICARDIUM])
    notes: list[str] = []
    label_map = _scanned(
        parts, [one for one in surfaces if _role(one.name) == LAYER and one.data], notes, part(progress, 0.4, 0.9)
    )
    progress(0.9, "finding how the heart lies")
    return _in_patient(label_map, notes), tuple(notes)


def _parts(surfaces: Sequence[Surface]) -> dict[str, Surface]:
    """Every role's triangles, of however many files."""
    found: dict[str, list[Surface]] = {}
    for one in surfaces:
        for role, surface in _split(one) if len(surfaces) == 1 else [(_role(one.name), one)]:
            found.setdefault(role, []).append(surface)
    unknown = [shown(one.name, 40) for one in found.get("", [])]
    if unknown:
        raise InputRejected(
            f"surfaces: found {', '.join(unknown)}, which says no role; expected names with epi, lv endo, rv endo, "
            "base or layer. Rename the files, or name one of them itself if it holds a whole heart"
        )
    return {role: _joined(several) for role, several in found.items()}


def _check_one_folder(paths: Sequence[Path]) -> None:
    """Refuse surfaces out of several folders that cannot be of one heart: of the same role, or of none that is known.

    Layers of the wall may lie in a folder of their own.
    """
    folders: dict[Path, list[str]] = {}
    for path in paths:
        if (role := _role(path.stem)) != LAYER:
            folders.setdefault(path.parent, []).append(role)
    every = [role for roles in folders.values() for role in set(roles)]
    if len(folders) > 1 and ("" in every or len(set(every)) < len(every)):
        held = " and ".join(f"{shown(one.name, 40)} ({len(roles)})" for one, roles in folders.items())
        raise InputRejected(
            f"surfaces: found files in {len(folders)} folders, {held}; expected those of one heart. Name the folder of "
            "one of them, or the file that holds a whole heart"
        )


def _check_one_heart(surfaces: Sequence[Surface]) -> None:
    """Refuse several files of one role that differ in nothing but a number: frames of a beat, or several hearts."""
    names: dict[str, str] = {}
    for one in surfaces:
        if _role(one.name) == LAYER:
            continue
        alike = re.sub(r"\d+", "#", one.name)
        if alike in names:
            raise InputRejected(
                f"surfaces: found {shown(names[alike], 40)} and {shown(one.name, 40)}, which may be frames of a beat "
                "or two hearts; expected one. Put those of one heart into a folder of their own"
            )
        names[alike] = one.name


def _role(name: str) -> str:
    words = words_of(name)
    return next((role for role, pattern in _ROLES if re.search(pattern, words)), "")


def words_of(name: str) -> str:
    """Of a file's name, in small letters between blanks."""
    words = re.sub(r"[^a-z0-9]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return re.sub(r"\b(lv|rv)(?=[a-z])", r"\1 ", words)


def is_torso(path: Path) -> bool:
    """Whether the name of a surface file says that it holds a body's skin, and no part of a heart."""
    return not _role(path.stem) and is_torso_name(words_of(path.stem))


def _split(surface: Surface) -> list[tuple[str, Surface]]:
    """One surface by the class of its points; a triangle goes with two of its three."""
    classes = next((values for key, values in surface.data.items() if key.lower() == "class"), None)
    if classes is None or not np.isin(classes, list(CLASSES)).all():
        found = ", ".join(shown(key, 40) for key in surface.data) or "nothing"
        raise InputRejected(
            f"surfaces: found one surface with {found} at its points; expected a file each for epicardium, left and "
            "right endocardium in one folder, or `class` with 1 base, 2 epicardium, 3 left, 4 right endocardium"
        )
    roles = list(dict.fromkeys(CLASSES.values()))
    of_point = np.array([roles.index(CLASSES[int(value)]) for value in classes])
    of_triangle = np.median(of_point[surface.triangles], axis=1)
    return [
        (role, replace(surface, name=role, triangles=surface.triangles[of_triangle == k], data={}))
        for k, role in enumerate(roles)
        if (of_triangle == k).any()
    ]


def _joined(several: list[Surface]) -> Surface:
    starts = np.cumsum([0, *(len(one.points) for one in several)])
    triangles = [one.triangles + start for one, start in zip(several, starts[:-1], strict=True)]
    return Surface(several[0].name, np.vstack([one.points for one in several]), np.vstack(triangles))


def _check_extent(epicardium: Surface) -> None:
    used = epicardium.points[np.unique(epicardium.triangles)]
    extent = used.max(axis=0) - used.min(axis=0)
    if not LEAST_EXTENT_MM <= extent.max() <= MOST_EXTENT_MM:
        raise refusal(
            "surfaces",
            f"an epicardium {extent.max():.3g} long",
            f"{LEAST_EXTENT_MM:g} to {MOST_EXTENT_MM:g} mm",
            "Is it in mm? Scale it, or export it again",
        )


def _scanned(parts: dict[str, Surface], layers: Sequence[Surface], notes: list[str], progress: Progress) -> LabelMap:
    """Voxels of each region; slices across the long axis."""
    closed, lids = {}, {}
    for role in (EPICARDIUM, LEFT, RIGHT):
        bare = merged(parts[role].points, parts[role].triangles)
        points, triangles, n_rims = capped(*bare)
        closed[role] = points, triangles
        lids[role] = points[triangles[len(bare[1]) :]]
        if n_rims:
            notes.append(f"surfaces: {role} is open; {n_rims} rim{'s' if n_rims > 1 else ''} closed by a fan")
    if BASE in parts:
        notes.append(_of_base(parts[BASE], lids[EPICARDIUM]))
    everything = np.vstack([points[np.unique(triangles)] for points, triangles in closed.values()])
    affine, shape = _grid(_axes(parts), everything)
    inverse = np.linalg.inv(affine)
    masks = {}
    for (role, (points, triangles)), share in zip(closed.items(), shares(progress, len(closed)), strict=True):
        share(0.0, f"filling the {role}")
        masks[role] = filled(apply_affine(inverse, points)[:, ::-1][triangles], shape)
    for role in (LEFT, RIGHT):
        lid = apply_affine(inverse, lids[role].reshape(-1, 3))[:, ::-1].reshape(-1, 3, 3)
        masks[role] |= _above_lid(masks[role], lid, masks[EPICARDIUM] & ~masks[LEFT] & ~masks[RIGHT])
    muscle = masks[EPICARDIUM] & ~masks[LEFT] & ~masks[RIGHT]
    crumbs = _crumbs(muscle)
    muscle &= ~crumbs
    if crumbs.any():
        notes.append(f"surfaces: {1e-3 * crumbs.sum() * VOXEL_MM**3:.2g} mL of wall in loose pieces left out")
    border_zone, core = _painted(muscle, affine, layers, notes)
    named = (
        (muscle, "Myocardium"), (masks[LEFT], "LV blood"), (masks[RIGHT], "RV blood"), (core, "Scar core"),
        (border_zone, "Border zone"),
    )  # fmt: skip
    segments = [Segment(number, name) for number, (_, name) in enumerate(named, start=1)]
    return layered([mask for mask, _ in named], segments, affine, "surfaces")


def _of_base(base: Surface, lid: np.ndarray) -> str:
    """That a surface of the base is not used, and how far it lies from the (m, 3, 3) lid that stands for it, mm."""
    told = "surfaces: the base's own is not used; the heart ends at the first slice with a whole ring of muscle"
    if not len(lid):
        return told
    away, _ = cKDTree(_samples(lid)).query(base.points[np.unique(base.triangles)])
    far_mm = float(np.percentile(away, 95.0))
    doubt = f", expected at most {FARTHEST_BASE_MM:g}: is it of this heart?" if far_mm > FARTHEST_BASE_MM else ""
    return f"{told}. It lies within {far_mm:.1f} mm of the epicardium's lid (95 % of its points){doubt}"


def _samples(lid: np.ndarray) -> np.ndarray:
    """Points on the triangles of a lid, (m, 3, 3), along lines from its rim to its middle."""
    first, second, centre = (lid[:, corner] for corner in range(3))
    share = np.linspace(0.0, 1.0, LID_SAMPLES)[:, None, None]
    return np.vstack([share * side + (1 - share) * centre for side in (first, 0.5 * (first + second))]).reshape(-1, 3)


def _above_lid(cavity: np.ndarray, lid: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """What lies between the lid of a cavity and the epicardium's, which is no wall: there are the valves.

    Parameters
    ----------
    cavity, wall : (n_slices, n_rows, n_columns) bool
    lid : (m, 3, 3)
        Corners of the triangles that close the cavity at the base, in voxels (slice, row, column); slices lie across
        the long axis.
    """
    if not len(lid) or not cavity.any():
        return np.zeros_like(cavity)
    towards_apex = lid[..., 0].mean() < np.argwhere(cavity)[:, 0].mean()
    cavity, wall = (mask if towards_apex else mask[::-1] for mask in (cavity, wall))
    rows, columns = np.nonzero(cavity.any(axis=0))
    tops = cavity[:, rows, columns].argmax(axis=0)
    heights = tops if towards_apex else len(cavity) - 1 - tops
    away, _ = cKDTree(_samples(lid)).query(np.column_stack([heights, rows, columns]), distance_upper_bound=LID_REACH)
    above = np.zeros_like(cavity)
    for top, row, column in zip(tops, rows, columns, strict=True):
        above[:top, row, column] = True
    above[:, rows[~np.isfinite(away)], columns[~np.isfinite(away)]] = False
    above &= wall
    return above if towards_apex else above[::-1]


def _crumbs(muscle: np.ndarray) -> np.ndarray:
    """Pieces of the wall that hang together with nothing: where two surfaces cross, they are everywhere."""
    pieces, count = ndimage.label(muscle)
    if count < 2:
        return np.zeros_like(muscle)
    return muscle & (pieces != np.bincount(pieces.ravel())[1:].argmax() + 1)


def _axes(parts: dict[str, Surface]) -> np.ndarray:
    """(3, 3) columns: directions of columns, rows and slices. Slices lie parallel to the rim at the base.

    Without a rim: across the axis of the left cavity, which is nearly round.
    """
    left = parts[LEFT].points[np.unique(parts[LEFT].triangles)]
    rim = rims(*merged(parts[EPICARDIUM].points, parts[EPICARDIUM].triangles))
    moments, directions = np.linalg.eigh(np.cov(left.T))
    axis = directions[:, 0] if moments[1] - moments[0] > moments[2] - moments[1] else directions[:, 2]
    if len(rim) >= 12:
        flat = np.linalg.svd(rim - rim.mean(axis=0), full_matrices=False)[2][2]
        along = left.mean(axis=0) - rim.mean(axis=0)
        if abs(flat @ along) > np.cos(np.pi / 4) * np.linalg.norm(along):
            axis = flat * np.sign(flat @ along)
    towards = parts[RIGHT].points[np.unique(parts[RIGHT].triangles)].mean(axis=0) - left.mean(axis=0)
    columns = towards - (towards @ axis) * axis
    columns /= np.linalg.norm(columns)
    return np.column_stack([columns, np.cross(axis, columns), axis])


def _grid(axes: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int]]:
    along = points @ axes
    low = along.min(axis=0) - MARGIN_MM
    counts = np.ceil((along.max(axis=0) + MARGIN_MM - low) / VOXEL_MM).astype(int) + 1
    if counts.max() > 2 * MOST_EXTENT_MM / VOXEL_MM:
        raise refusal(
            "surfaces",
            f"parts {counts.max():g} mm apart",
            f"at most {2 * MOST_EXTENT_MM:g}",
            "Export them in one frame",
        )
    affine = np.eye(4)
    affine[:3, :3] = axes * VOXEL_MM
    affine[:3, 3] = axes @ low
    return affine, (int(counts[2]), int(counts[1]), int(counts[0]))


def _painted(
    muscle: np.ndarray, affine: np.ndarray, layers: Sequence[Surface], notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Border zone and core from the signal in the layers: each voxel of the wall takes that of the nearest point."""
    border_zone, core = np.zeros_like(muscle), np.zeros_like(muscle)
    signals = [next(iter(one.data.values())) for one in layers]
    if not layers or max(float(signal.max()) for signal in signals) <= 0:
        return border_zone, core
    points, signal = np.vstack([one.points for one in layers]), np.concatenate(signals)
    where = np.argwhere(muscle)
    away, nearest = cKDTree(points).query(apply_affine(affine, where[:, ::-1]), distance_upper_bound=LAYER_REACH_MM)
    near = np.isfinite(away)
    share = np.zeros(len(where))
    share[near] = signal[nearest[near]] / signal.max()
    core[tuple(where[share > CORE_SHARE].T)] = True
    border_zone[tuple(where[(share > BORDER_ZONE_SHARE) & (share <= CORE_SHARE)].T)] = True
    notes.append(
        f"surfaces: scar from {shown(next(iter(layers[0].data)), 40)} in {len(layers)} layers: core above "
        f"{100 * CORE_SHARE:g} %, border zone above {100 * BORDER_ZONE_SHARE:g} % of the brightest"
    )
    return border_zone, core


def _in_patient(label_map: LabelMap, notes: list[str]) -> LabelMap:
    """As it is where the heart lies as hearts do in LPS; else read as RAS, or else stood up."""
    names = [one.name for one in label_map.segments]
    left, right = (
        np.isin(label_map.codes, [c for c, parts in enumerate(label_map.members) if names.index(name) in parts])
        if name in names
        else np.zeros(label_map.codes.shape, bool)
        for name in ("LV blood", "RV blood")
    )
    turn, how = standing(left, right, label_map.affine)
    if how:
        notes.append(f"surfaces: {how}")
    return replace(label_map, affine=turn @ label_map.affine)
