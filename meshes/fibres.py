"""Rule-based fibres: the Laplace-Dirichlet algorithm of Bayer et al. 2012, doi 10.1007/s10439-012-0593-5.

Angles. The helix angle is measured in the plane of the wall from the circumferential direction, counter-clockwise as
seen from base to apex, and is positive where fibres climb towards the base: positive at the endocardium is a
right-handed helix. The sheet angle turns the sheet from the outward transmural direction about the fibre.

Changed from the paper. There only the epicardial frame carries an angle that follows depth, and is then mixed with the
endocardial frame by depth again, so that the helix angle falls with the square of depth. Here all three frames carry
the angle that belongs to the depth; mixing only reconciles their axes, and the angle is linear in depth, as the paper's
own rule says and as histology finds.

Outflow tracts, for which Doste et al. 2019 have rules of their own, are cut off by the base of
our hearts and have none here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import MeshError
from cardiotwin.meshes.coordinates import Fields
from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.mesh import Mesh

_AT_ONCE = 8192
"""Tetrahedra at a time: their frames stay in the cache."""


@dataclass(frozen=True)
class Angles:
    """Degrees, see the module."""

    fibre_endocardium: float = 60.0
    fibre_epicardium: float = -60.0
    sheet_endocardium: float = -65.0
    sheet_epicardium: float = 25.0


def rule_based(laplace: Laplace, f: Fields, angles: Angles) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fibre, sheet and sheet-normal direction in every tetrahedron.

    Returns
    -------
    fibres, sheets, normals : (n_tets, 3) float64
        Right-handed orthonormal frames. Without a right ventricle the left one's rule holds everywhere.
    """
    epi, left, right = (field[laplace.mesh.tets].mean(axis=1) for field in (f.epi, f.left, f.right))
    across = right / np.maximum(left + right, 1e-12)  # 0 on the left side of the septum, 1 on the right
    slopes = [laplace.smooth_gradient(field) for field in (f.base, f.epi, f.left, f.right)]
    frame = np.empty((len(epi), 3, 3))
    for begin in range(0, len(epi), _AT_ONCE):
        rows = slice(begin, begin + _AT_ONCE)
        frame[rows] = _frames(epi[rows], across[rows], [slope[rows] for slope in slopes], angles)
    fibres, sheets = frame[:, :, 0], frame[:, :, 2]
    return fibres, sheets, np.cross(fibres, sheets)


def _frames(epi: np.ndarray, across: np.ndarray, slopes: list[np.ndarray], angles: Angles) -> np.ndarray:
    """(n, 3, 3) frames with columns fibre, second and sheet, from depth, side and the four fields' gradients."""
    up, towards_epi, towards_left, towards_right = slopes
    # The right ventricle's transmural axis points into its cavity, so that it continues the septum's; angles follow.
    alpha = angles.fibre_endocardium * (1 - 2 * across) * (1 - epi)
    beta = angles.sheet_endocardium * (1 - 2 * across) * (1 - epi)
    alpha_out, beta_out = angles.fibre_epicardium * epi, angles.sheet_epicardium * epi
    frame = orient(axes(up, -towards_left), alpha + alpha_out, beta + beta_out)
    if across.any():
        right_frame = orient(axes(up, towards_right), alpha - alpha_out, beta - beta_out)
        frame = bislerp(frame, right_frame, across)
    wall_alpha = angles.fibre_endocardium * (1 - epi) + alpha_out
    wall_beta = angles.sheet_endocardium * (1 - epi) + beta_out
    return bislerp(frame, orient(axes(up, towards_epi), wall_alpha, wall_beta), epi)


def axes(up: np.ndarray, outward: np.ndarray) -> np.ndarray:
    """(n, 3, 3) frames with columns circumferential, longitudinal and transmural, from two (n, 3) directions."""
    longitudinal = _unit(up, np.array([0.0, 0.0, 1.0]))
    outward = outward - np.einsum("ij,ij->i", outward, longitudinal)[:, None] * longitudinal
    # Where the field is flat or parallel to `up`, any perpendicular will do: such a frame gets no weight.
    spare = np.cross(longitudinal, np.eye(3)[np.abs(longitudinal).argmin(axis=1)])
    transmural = _unit(outward, spare)
    return np.stack([np.cross(longitudinal, transmural), longitudinal, transmural], axis=2)


def orient(frames: np.ndarray, alpha_deg: np.ndarray, beta_deg: np.ndarray) -> np.ndarray:
    """Turn frames by the helix angle about the third column, then by the sheet angle about the fibre."""
    a, b = np.radians(alpha_deg), np.radians(beta_deg)
    circumferential, longitudinal, transmural = (frames[:, :, k] for k in range(3))
    fibre = np.cos(a)[:, None] * circumferential + np.sin(a)[:, None] * longitudinal
    cross = -np.sin(a)[:, None] * circumferential + np.cos(a)[:, None] * longitudinal
    second = np.cos(b)[:, None] * cross - np.sin(b)[:, None] * transmural
    third = np.sin(b)[:, None] * cross + np.cos(b)[:, None] * transmural
    return np.stack([fibre, second, third], axis=2)


def bislerp(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Go the fraction `share` of the way from one frame to another, by the shortest turn.

    Fibres have no sign: a frame turned by 180 degrees about one of its own axes is the same tissue. Of the four
    equivalents of `first` the one nearest to `second` is taken.
    """
    relative = np.einsum("nji,njk->nik", first, second)
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    best = signs[(np.einsum("nii->ni", relative) @ signs.T).argmax(axis=1)]
    start, turn = first * best[:, None, :], relative * best[:, :, None]
    # The nearest of the four is at most 120 degrees away, so the axis is well defined except for no turn at all.
    axis = np.stack([turn[:, i, j] - turn[:, j, i] for i, j in ((2, 1), (0, 2), (1, 0))], axis=1)
    sine = np.linalg.norm(axis, axis=1)
    angle = share * np.arctan2(sine, np.einsum("nii->n", turn) - 1.0)
    axis /= np.maximum(sine, 1e-12)[:, None]
    return np.stack([_turned(start, axis, angle, column) for column in range(3)], axis=2)


def per_tetrahedron(mesh: Mesh, directions: np.ndarray, name: str) -> np.ndarray:
    """(n_tets, 3) unit directions from nodal or elementwise ones of any length and sign.

    The mean of directions without a sign is the main axis of the mean of their outer products.

    Raises
    ------
    MeshError
        One row neither per node nor per tetrahedron; a direction that is zero or not finite.
    """
    directions = np.asarray(directions, np.float64)
    if directions.shape not in ((len(mesh.points), 3), (len(mesh.tets), 3)):
        raise MeshError(
            f"mesh: `{name}` of shape {directions.shape}; expected ({len(mesh.points)}, 3) or ({len(mesh.tets)}, 3)"
        )
    length = np.linalg.norm(directions, axis=1)
    if not (np.isfinite(length) & (length > 0)).all():
        bad = int(np.argmin(np.isfinite(length) & (length > 0)))
        raise MeshError(f"mesh: `{name}` {bad} is {directions[bad].tolist()}; expected a direction")
    unit = directions / length[:, None]
    if len(unit) == len(mesh.tets):
        return unit
    corners = unit[mesh.tets]
    return np.linalg.eigh(np.einsum("eki,ekj->eij", corners, corners))[1][:, :, 2]


def frames_from(along: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right-handed orthonormal fibre, sheet and normal directions: fibres as given, sheets made perpendicular."""
    rest = across - np.einsum("ij,ij->i", across, along)[:, None] * along
    sheets = _unit(rest, np.cross(along, np.eye(3)[np.abs(along).argmin(axis=1)]))
    return along, sheets, np.cross(along, sheets)


def _turned(frames: np.ndarray, axis: np.ndarray, angle: np.ndarray, column: int) -> np.ndarray:
    """(n, 3) a column of each frame, turned about an axis given in the frame (Rodrigues' formula)."""
    unit = np.zeros_like(axis)
    unit[:, column] = 1.0
    cosine = np.cos(angle)[:, None]
    local = cosine * unit + np.sin(angle)[:, None] * np.cross(axis, unit) + (1 - cosine) * axis[:, column, None] * axis
    return np.einsum("nij,nj->ni", frames, local)


def _unit(vectors: np.ndarray, spare: np.ndarray) -> np.ndarray:
    """Vectors of length 1; `spare` where there is hardly a direction."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.where(length > 1e-9, vectors / np.maximum(length, 1e-30), spare)
    return unit / np.linalg.norm(unit, axis=1, keepdims=True)
