"""Epicardium, endocardia and base of ventricles whose surface nobody tagged, from the shape of the muscle alone.

From the wall of a cavity one sees muscle nearly everywhere, from the epicardium hardly any, from a base cut open none.
So rays are sent from every face of the boundary. The walls of a cup add up, as vectors, to the area of its opening:
that says where the base is. The cavity with the thicker wall is the left one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cardiotwin.errors import QualityGate
from cardiotwin.meshes.mesh import Mesh
from cardiotwin.meshes.surfaces import (
    BASE,
    EPICARDIUM,
    LV_ENDOCARDIUM,
    RV_ENDOCARDIUM,
    face_normals,
    face_pairs,
    without_islands,
)
from cardiotwin.meshes.waist import parted

N_RAYS = 64
LEAST_COSINE = 0.3
"""Between a ray and the normal of the face that sends it: lower ones graze the face itself."""
ENCLOSED, ENCLOSED_UPWARD = 0.6, 0.4
"""Share of rays that meet muscle, from the side walls of a cavity (level and downward rays) and from its bottom."""
UPWARD, LEVEL = 0.7, 0.1
BASE_COSINE = 0.5
SMALLEST_CAVITY = 0.08
"""Share of the endocardium that makes a patch of it a cavity, and not a crypt."""
LEAST_RATIO = 1.15
"""Of the two walls, below which the thicker one does not say which is left."""


@dataclass(frozen=True, eq=False)
class Outline:
    """Boundary faces with their surface.

    Attributes
    ----------
    faces : (n_faces, 3) int32
    surface : (n_faces,) uint8
        Epicardium, endocardia, base as in `cardiotwin.meshes.surfaces`.
    note : str
        What decided, in one line.
    """

    faces: np.ndarray
    surface: np.ndarray
    note: str


def outline(mesh: Mesh) -> Outline:
    """Find the surfaces of one or two open ventricles.

    Raises
    ------
    QualityGate
        No cavity, more than two, no base, or two walls alike.
    """
    faces = mesh.boundary_faces()
    areas = face_normals(mesh.points, faces)
    normals = areas / np.maximum(np.linalg.norm(areas, axis=1, keepdims=True), 1e-30)
    muscle = _Muscle(mesh)
    centres = mesh.points[faces].mean(axis=1)
    rays = _directions(N_RAYS)
    seen = muscle.share_seen(centres, normals, rays)
    if not (seen > 0.5).any():
        raise QualityGate("mesh: no cavity: nowhere on its surface is muscle on all sides. Tag the surfaces")
    up = areas[seen > 0.5].sum(axis=0)
    up /= max(np.linalg.norm(up), 1e-30)
    sideways = muscle.share_seen(centres, normals, rays[rays @ up <= LEVEL])
    upward = normals @ up > UPWARD
    inner = np.where(upward, seen > ENCLOSED_UPWARD, sideways > ENCLOSED)
    surface = np.where(inner, LV_ENDOCARDIUM, EPICARDIUM).astype(np.uint8)
    surface = without_islands(faces, surface, share=SMALLEST_CAVITY)
    cavities = _cavities(faces, surface == LV_ENDOCARDIUM, np.linalg.norm(areas, axis=1))
    if len(cavities) == 1:
        cavities = parted(mesh, cavities[0])
    note = _name_cavities(surface, cavities, muscle, centres, normals)
    surface[_base(faces, surface, normals @ up)] = BASE
    if not (surface == BASE).any():
        raise QualityGate("mesh: no base: no part of its surface beside a cavity faces away from the apex. Tag it")
    return Outline(faces, without_islands(faces, surface), note)


def _name_cavities(
    surface: np.ndarray, cavities: list[np.ndarray], muscle: _Muscle, centres: np.ndarray, normals: np.ndarray
) -> str:
    """Call the cavity with the thicker wall left; returns why."""
    if not 1 <= len(cavities) <= 2:
        raise QualityGate(
            f"mesh: found {len(cavities)} cavities; expected one or two open ventricles. Tag the surfaces"
        )
    walls = [float(np.median(muscle.depth(centres[one], -normals[one]))) for one in cavities]
    if len(cavities) == 1:
        return f"one cavity, taken as the left ventricle (wall {walls[0]:.1f} mm)"
    left = int(np.argmax(walls))
    if walls[left] < LEAST_RATIO * walls[1 - left]:
        raise QualityGate(
            f"mesh: two cavities with walls of {walls[0]:.1f} and {walls[1]:.1f} mm: which is the left one? "
            "Tag the endocardia (node data `lvendo` and `rvendo`)"
        )
    surface[cavities[1 - left]] = RV_ENDOCARDIUM
    return f"two cavities; the left one by its wall, {walls[left]:.1f} against {walls[1 - left]:.1f} mm (medians)"


def _cavities(faces: np.ndarray, inner: np.ndarray, areas: np.ndarray) -> list[np.ndarray]:
    """(n_faces,) bool for each large patch, largest first."""
    patch = _patches(faces, inner)
    size = np.bincount(patch[inner], areas[inner], patch.max() + 1)
    large = np.flatnonzero(size > SMALLEST_CAVITY * size.sum())
    return [inner & (patch == k) for k in large[np.argsort(-size[large], kind="stable")]]


def _base(faces: np.ndarray, surface: np.ndarray, upward: np.ndarray) -> np.ndarray:
    """(n_faces,) bool: patches outside the cavities that face up and border on one."""
    level = (surface == EPICARDIUM) & (upward > BASE_COSINE)
    patch = _patches(faces, level)
    pairs = face_pairs(faces)
    cavity = np.isin(surface, (LV_ENDOCARDIUM, RV_ENDOCARDIUM))
    beside = np.r_[
        pairs[level[pairs[:, 0]] & cavity[pairs[:, 1]], 0], pairs[level[pairs[:, 1]] & cavity[pairs[:, 0]], 1]
    ]
    return level & np.isin(patch, np.unique(patch[beside]))


def _patches(faces: np.ndarray, member: np.ndarray) -> np.ndarray:
    """(n_faces,) number of the patch of member faces that each belongs to; others are alone."""
    pairs = face_pairs(faces)
    pairs = pairs[member[pairs[:, 0]] & member[pairs[:, 1]]]
    graph = coo_matrix((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(len(faces), len(faces)))
    return connected_components(graph, directed=False)[1]


def _directions(count: int) -> np.ndarray:
    """(count, 3) unit vectors, spread evenly (a Fibonacci spiral)."""
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, np.pi * (1 + np.sqrt(5)) * k
    return np.stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], axis=1)


class _Muscle:
    """Muscle in cubes of about an edge length, for rays that need no better."""

    def __init__(self, mesh: Mesh) -> None:
        edge = float(np.median(np.linalg.norm(mesh.points[mesh.tets[:, 0]] - mesh.points[mesh.tets[:, 1]], axis=1)))
        extent = np.ptp(mesh.points, axis=0)
        self.step = max(0.75 * edge, float(extent.max()) / 200.0)
        self.origin = mesh.points.min(axis=0) - 1.5 * self.step
        self.occupied = np.zeros(np.ceil(extent / self.step).astype(int) + 4, bool)
        self.n_steps = int(np.linalg.norm(extent) / self.step) + 1
        _occupy((mesh.points - self.origin) / self.step, mesh.tets, self.occupied)

    def _cells(self, points: np.ndarray) -> np.ndarray:
        return ((points - self.origin) / self.step).astype(np.int32)

    def _is_muscle(self, points: np.ndarray) -> np.ndarray:
        """(n,) bool for (n, 3)."""
        cells = self._cells(points)
        inside = ((points > self.origin) & (cells < self.occupied.shape)).all(axis=1)
        found = np.zeros(len(points), bool)
        found[inside] = self.occupied[tuple(cells[inside].T)]
        return found

    def share_seen(self, points: np.ndarray, normals: np.ndarray, rays: np.ndarray) -> np.ndarray:
        """(n,) share of the rays leaving a face that meet muscle; 0 where none of them leaves it."""
        share = np.empty(len(points))
        starts = (points - self.origin) / self.step
        _share_seen(self.occupied, starts, normals, np.ascontiguousarray(rays), self.n_steps, share)
        return share

    def depth(self, points: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(n,) how far one walks through muscle, mm."""
        at, walked = points + 0.5 * self.step * directions, np.zeros(len(points))
        going = np.ones(len(points), bool)
        for _ in range(self.n_steps):
            going &= self._is_muscle(at)
            walked[going] += 0.5 * self.step
            at = at + 0.5 * self.step * directions
            if not going.any():
                break
        return walked


@njit(cache=True, nogil=True)
def _occupy(points, tets, occupied):
    """Mark the cubes in which nodes and the middles of edges and tetrahedra lie.

    Parameters
    ----------
    points : (n_nodes, 3) float64
        In cubes from the corner of the grid.
    tets : (n_tets, 4) int32
    occupied : (nx, ny, nz) bool
        Those cubes are set.
    """
    for e in range(tets.shape[0]):
        middle = np.zeros(3)
        for a in range(4):
            first = points[tets[e, a]]
            middle += 0.25 * first
            for b in range(a + 1):
                second = points[tets[e, b]]
                x, y, z = first[0] + second[0], first[1] + second[1], first[2] + second[2]
                occupied[int(0.5 * x), int(0.5 * y), int(0.5 * z)] = True
        occupied[int(middle[0]), int(middle[1]), int(middle[2])] = True


@njit(cache=True, nogil=True)
def _share_seen(occupied, starts, normals, rays, n_steps, share):
    """Walk every ray that leaves a face, a cube a step, until it meets muscle or leaves the grid.

    Parameters
    ----------
    occupied : (nx, ny, nz) bool
    starts, normals : (n, 3) float64
        Faces, in cubes from the corner of the grid; walks begin two cubes along the normal and two along the ray.
    rays : (n_rays, 3) float64
    n_steps : int
        Most steps of a walk.
    share : (n,) float64
        Of the rays that meet muscle, 0 where none leaves the face; overwritten.
    """
    nx, ny, nz = occupied.shape
    for i in range(starts.shape[0]):
        hits, sent = 0, 0
        for r in range(rays.shape[0]):
            dx, dy, dz = rays[r, 0], rays[r, 1], rays[r, 2]
            if normals[i, 0] * dx + normals[i, 1] * dy + normals[i, 2] * dz <= LEAST_COSINE:
                continue
            sent += 1
            x = starts[i, 0] + 2.0 * (normals[i, 0] + dx)
            y = starts[i, 1] + 2.0 * (normals[i, 1] + dy)
            z = starts[i, 2] + 2.0 * (normals[i, 2] + dz)
            for _ in range(n_steps):
                if not (0.0 <= x < nx and 0.0 <= y < ny and 0.0 <= z < nz):
                    break
                if occupied[int(x), int(y), int(z)]:
                    hits += 1
                    break
                x, y, z = x + dx, y + dy, z + dz
        share[i] = hits / max(sent, 1)
