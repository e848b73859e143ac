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

from dataclasses import astuple, dataclass

import numpy as np
from numba import njit

from cardiotwin.errors import MeshError
from cardiotwin.meshes.coordinates import Fields
from cardiotwin.meshes.laplace import Laplace, corner_mean
from cardiotwin.meshes.mesh import Mesh

_NO_SLOPE = 1e-9
"""1/mm; a gradient that small has no direction."""


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
    depths = np.stack([f.epi, f.left, f.right])
    slopes = np.stack([laplace.gradient_at_nodes(field) for field in (f.base, f.epi, f.left, f.right)])
    found = np.empty((3, len(laplace.mesh.tets), 3))
    _lay(laplace.mesh.tets, depths, slopes, np.array(astuple(angles)), *found)
    return found[0], found[1], found[2]


@njit(cache=True, error_model="numpy", nogil=True)
def _lay(tets, depths, slopes, angles, fibres, sheets, normals):
    """The rule, tetrahedron by tetrahedron; the last three, (n_tets, 3) each, are overwritten.

    Parameters
    ----------
    depths : (3, n_nodes) float64
        The fields `epi`, `left` and `right`.
    slopes : (4, n_nodes, 3) float64
        Gradients at the nodes of `base` and of these three.
    angles : (4,) float64
        Degrees, in the order of `Angles`.
    """
    slope, depth = np.empty((4, 3)), np.empty(3)
    frame, other, mixed = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    for e in range(tets.shape[0]):
        for which in range(4):
            corner_mean(slopes[which], tets[e], slope[which])
        for which in range(3):
            depth[which] = 0.25 * (depths[which, tets[e, 0]] + depths[which, tets[e, 1]])
            depth[which] += 0.25 * (depths[which, tets[e, 2]] + depths[which, tets[e, 3]])
        _rule(slope, depth, angles, frame, other, mixed)
        for axis in range(3):
            fibres[e, axis], sheets[e, axis] = frame[axis, 0], frame[axis, 2]
            normals[e, axis] = -frame[axis, 1]


@njit(cache=True, error_model="numpy", nogil=True)
def _rule(slope, depth, angles, frame, other, mixed):
    """Frame of one tetrahedron, columns fibre, second and sheet; the last three (3, 3) are overwritten."""
    epi, left, right = depth
    across = right / max(left + right, 1e-12)  # 0 on the left side of the septum, 1 on the right
    inner_alpha, outer_alpha, inner_beta, outer_beta = angles
    # The right ventricle's transmural axis points into its cavity, so that it continues the septum's; angles follow.
    alpha, beta = inner_alpha * (1 - 2 * across) * (1 - epi), inner_beta * (1 - 2 * across) * (1 - epi)
    axes(slope[0], -slope[2], mixed)
    orient(mixed, alpha + outer_alpha * epi, beta + outer_beta * epi)
    if across > 0.0:
        axes(slope[0], slope[3], other)
        orient(other, alpha - outer_alpha * epi, beta - outer_beta * epi)
        bislerp(mixed, other, across, frame)
        mixed[:] = frame
    axes(slope[0], slope[1], other)
    orient(other, inner_alpha * (1 - epi) + outer_alpha * epi, inner_beta * (1 - epi) + outer_beta * epi)
    bislerp(mixed, other, epi, frame)


@njit(cache=True, error_model="numpy", nogil=True)
def axes(up, outward, frame):
    """Circumferential, longitudinal and transmural directions, from two (3,) vectors.

    `frame` (3, 3) has them as columns and is overwritten. Where a vector is next to nothing, or both are parallel, any
    perpendicular will do: such a frame gets no weight.
    """
    length = np.sqrt(up[0] * up[0] + up[1] * up[1] + up[2] * up[2])
    for axis in range(3):
        frame[axis, 1] = up[axis] / length if length > _NO_SLOPE else (0.0, 0.0, 1.0)[axis]
    along = outward[0] * frame[0, 1] + outward[1] * frame[1, 1] + outward[2] * frame[2, 1]
    length = 0.0
    for axis in range(3):
        frame[axis, 2] = outward[axis] - along * frame[axis, 1]
        length += frame[axis, 2] * frame[axis, 2]
    if length <= _NO_SLOPE * _NO_SLOPE:
        least = np.abs(frame[:, 1]).argmin()
        p, q = (least + 1) % 3, (least + 2) % 3
        frame[least, 2], frame[p, 2], frame[q, 2] = 0.0, frame[q, 1], -frame[p, 1]
        length = frame[p, 1] ** 2 + frame[q, 1] ** 2
    for axis in range(3):
        frame[axis, 2] /= np.sqrt(length)
    for axis in range(3):
        p, q = (axis + 1) % 3, (axis + 2) % 3
        frame[axis, 0] = frame[p, 1] * frame[q, 2] - frame[q, 1] * frame[p, 2]


@njit(cache=True, nogil=True)
def orient(frame, alpha_deg, beta_deg):
    """Turn by the helix angle about the third column, then by the sheet angle about the fibre; `frame` is changed."""
    cos_a, sin_a = np.cos(np.radians(alpha_deg)), np.sin(np.radians(alpha_deg))
    cos_b, sin_b = np.cos(np.radians(beta_deg)), np.sin(np.radians(beta_deg))
    for axis in range(3):
        circumferential, longitudinal, transmural = frame[axis]
        cross = cos_a * longitudinal - sin_a * circumferential
        frame[axis, 0] = cos_a * circumferential + sin_a * longitudinal
        frame[axis, 1] = cos_b * cross - sin_b * transmural
        frame[axis, 2] = sin_b * cross + cos_b * transmural


@njit(cache=True, error_model="numpy", nogil=True)
def bislerp(first, second, share, result):
    """Go the fraction `share` of the way from one (3, 3) frame to another, by the shortest turn; `result` overwritten.

    Fibres have no sign: a frame turned by 180 degrees about one of its own axes is the same tissue. Of the four
    equivalents of `first` the one nearest to `second` is taken.
    """
    turn = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            turn[i, j] = first[0, i] * second[0, j] + first[1, i] * second[1, j] + first[2, i] * second[2, j]
    kept, most = -1, turn[0, 0] + turn[1, 1] + turn[2, 2]  # the axis turned about; -1: as it is
    for k in range(3):
        trace = 2 * turn[k, k] - turn[0, 0] - turn[1, 1] - turn[2, 2]
        if trace > most:
            kept, most = k, trace
    for i in range(3):
        sign = 1.0 if kept < 0 or i == kept else -1.0
        for j in range(3):
            turn[i, j] *= sign
            result[j, i] = first[j, i] * sign
    _turned(result, turn, share)


@njit(cache=True, error_model="numpy", nogil=True)
def _turned(frame, turn, share):
    """Turn a frame, changed in place, by a fraction of the rotation `turn` (3, 3) given in it (Rodrigues' formula)."""
    # The nearest of four frames is at most 120 degrees away, so the axis is well defined except for no turn at all.
    x, y, z = turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]
    sine = np.sqrt(x * x + y * y + z * z)
    angle = share * np.arctan2(sine, turn[0, 0] + turn[1, 1] + turn[2, 2] - 1.0)
    x, y, z = x / max(sine, 1e-12), y / max(sine, 1e-12), z / max(sine, 1e-12)
    c, s = np.cos(angle), np.sin(angle)
    for row in range(3):
        # v times the rotation is v turned backwards: the cross product changes its sign.
        u, v, w = frame[row]
        along = (1.0 - c) * (x * u + y * v + z * w)
        frame[row, 0] = c * u - s * (y * w - z * v) + along * x
        frame[row, 1] = c * v - s * (z * u - x * w) + along * y
        frame[row, 2] = c * w - s * (x * v - y * u) + along * z


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


def _unit(vectors: np.ndarray, spare: np.ndarray) -> np.ndarray:
    """Vectors of length 1; `spare` where there is hardly a direction."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.where(length > 1e-9, vectors / np.maximum(length, 1e-30), spare)
    return unit / np.linalg.norm(unit, axis=1, keepdims=True)
