"""A homogeneous torso in place of an infinite conductor: boundary elements on its skin.

Outside there is air, so no current crosses the skin S, and the potential there follows from what the same sources would
make in an infinite conductor (Barnard, Duck, Lynn & Timlake 1967, doi 10.1016/S0006-3495(67)86599-8):

    ω(r)/4π Φ(r) = Φ∞(r) + 1/4π ∫ Φ dΩ,    r on S, ω its solid angle from inside.

Φ is linear in each triangle and the equation holds at the nodes (de Munck 1992, doi 10.1109/10.256433). Rows sum to
zero, as a constant Φ without sources asks, because ω is the sum of what a node sees; the constant itself, which no lead
sees, is settled by a mean of zero over the skin (the deflation of the first paper). All of it is linear: an electrode's
potential is a fixed sum of Φ∞ at the nodes, found once by solving for its row alone, whatever the heart does.

One conductivity from heart to skin: no lungs, no blood in the cavities, no muscle or fat. Those change a QRS complex
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, cKDTree

from cardiotwin.arguments import finite_array
from cardiotwin.errors import InputRejected
from cardiotwin.kernels.boundary_elements import fields_of_charges, solid_angles, turns_around

MOST_TRIANGLES = 20_000
"""The matrix has a quarter as many entries as this squared: 0.8 GB."""
MOST_FROM_SKIN_MM = 100.0
"""Of an electrode; 34 mm in a real subject and three phantoms."""
LEAST_WALL_MM = 5.0
"""Between the heart's muscle and the nodes of the skin."""
LONGEST_EDGE = 2.0
"""Of the skin's, in distances from there to the heart: a dipole so near a sphere is seen with an error of a tenth."""


@dataclass(frozen=True, eq=False)
class TorsoSurface:
    """A patient's own skin.

    Attributes
    ----------
    points : (n_points, 3) float64
        LPS, mm.
    triangles : (n_triangles, 3) int64
        Closed, turned outward.
    """

    points: np.ndarray
    triangles: np.ndarray

    def __repr__(self) -> str:
        return f"TorsoSurface({len(self.points)} nodes, {len(self.triangles)} triangles)"


@dataclass(frozen=True, eq=False)
class TorsoConductor:
    """A torso's skin, and what each electrode on it sees of an infinite conductor.

    Attributes
    ----------
    points : (n_points, 3) float64
        Nodes of the skin, LPS, mm.
    triangles : (n_triangles, 3) int64
        Turned outward.
    skin_positions : (n_electrodes, 3) float64
        Where the electrodes are on it: the nearest points to their own positions.
    moved_mm : (n_electrodes,) float64
        How far away those are.
    transfer : (n_electrodes, n_points + n_electrodes) float64
        Potentials at the electrodes are ``transfer @`` those at the nodes, and then at `skin_positions`, in an infinite
        conductor.
    whose : str
        In words: the mean adult's, or the user's own.
    """

    points: np.ndarray
    triangles: np.ndarray
    skin_positions: np.ndarray
    moved_mm: np.ndarray
    transfer: np.ndarray
    whose: str = ""

    def __repr__(self) -> str:
        return f"TorsoConductor({self})"

    def __str__(self) -> str:
        mean, most = self.moved_mm.mean(), self.moved_mm.max()
        return (
            f"{self.whose or 'a torso'} of one conductivity ({len(self.triangles)} triangles); moved onto its skin by "
            f"{mean:.0f} mm on average, {most:.0f} at most"
        )

    @property
    def places(self) -> np.ndarray:
        """(n_points + n_electrodes, 3) of the columns of `transfer`, mm."""
        return np.concatenate([self.points, self.skin_positions])

    def nearest(self, positions: np.ndarray) -> np.ndarray:
        """(n, 3) points of the skin, LPS, mm, nearest to each of these."""
        return np.array([nearest_on_skin(self.points, self.triangles, one) for one in positions])

    def lead_fields(self, places: np.ndarray) -> np.ndarray:
        """(n_places, 3, n_electrodes) field of each electrode, 1/mm²: a dipole p there makes p · field / 4πσ."""
        fields = np.empty((len(places), 3, len(self.transfer)))
        fields_of_charges(
            np.ascontiguousarray(places, np.float64), self.places, np.ascontiguousarray(self.transfer.T), fields
        )
        return fields


def torso_conductor(
    points: np.ndarray,
    triangles: np.ndarray,
    names: Sequence[str],
    positions: np.ndarray,
    *,
    heart_points: np.ndarray | None = None,
    whose: str = "",
) -> TorsoConductor:
    """Solve for the electrodes' rows.

    Parameters
    ----------
    points, triangles : (n_points, 3) float, (n_triangles, 3) int
        A closed skin, LPS, mm; turned as a whole inward or outward.
    names, positions : sequence of str, (n_electrodes, 3) float
        Of the electrodes; each goes to the nearest point of the skin.
    heart_points : (n, 3) float, optional
        Nodes of the heart's mesh, which must lie inside.
    whose : str
        In words, for messages.

    Returns
    -------
    TorsoConductor

    Raises
    ------
    InputRejected
        A surface that is open, inconsistently turned, in several pieces, folded through itself, too fine, or too coarse
        beside the heart; a heart that is not inside it; an electrode more than 100 mm from it.
    """
    points, triangles = checked_skin(points, triangles)
    if heart_points is not None:
        _check_inside(points, triangles, np.asarray(heart_points, np.float64))
    positions = finite_array("positions", positions, (None, 3))
    skin_positions = np.array([nearest_on_skin(points, triangles, one) for one in positions]).reshape(-1, 3)
    moved = np.linalg.norm(skin_positions - positions, axis=1)
    _check_near(names, moved)
    transfer = _transfer(points, triangles, skin_positions)
    return TorsoConductor(points, triangles, skin_positions, moved, transfer, whose)


def _transfer(points: np.ndarray, triangles: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n_places, n_points + n_places): from Φ∞ at the nodes and at the places to Φ at the places."""
    matrix, seen = np.empty((len(points), len(points))), np.empty((len(places), len(points)))
    solid_angles(points, triangles, points, matrix)
    solid_angles(points, triangles, places, seen)
    inside = matrix.sum(axis=1)
    _check_angles(points, inside)
    np.negative(matrix, out=matrix)
    matrix[np.diag_indices_from(matrix)] = inside
    areas = np.bincount(triangles.ravel(), np.repeat(_areas(points, triangles), 3), minlength=len(points))
    mean = 2.0 * np.pi * areas / areas.sum()
    matrix += mean
    # The equation itself gives the potential between the nodes: nearer the truth than a line between them.
    here = seen.sum(axis=1, keepdims=True)
    # Of the transpose, which is what the rows ask for, and is factored where it lies.
    rows = lu_solve(lu_factor(matrix.T, overwrite_a=True, check_finite=False), ((seen - mean) / here).T).T
    return 4.0 * np.pi * np.concatenate([rows, np.diag(1.0 / here[:, 0])], axis=1)


def _check_angles(points: np.ndarray, inside: np.ndarray) -> None:
    """What is inside is seen from every node under less than a full turn."""
    fair = (inside > 0.0) & (inside < 4.0 * np.pi)
    if not fair.all():
        raise InputRejected(
            f"torso: found a surface that is folded or goes through itself near {_place(points[np.argmin(fair)])}; "
            "expected one skin with an inside everywhere. Remesh it and add it again"
        )


def checked_skin(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The surface turned outward, float64 and int64.

    Raises
    ------
    InputRejected
        It is not one closed surface: see `torso_conductor`.
    """
    points = np.ascontiguousarray(finite_array("torso", points, (None, 3)))
    triangles = np.ascontiguousarray(triangles, np.int64)
    if triangles.ndim != 2 or triangles.shape[1] != 3 or len(triangles) < 4:
        raise InputRejected(f"torso: found triangles of shape {triangles.shape}, expected (n, 3), four and more")
    if triangles.min() < 0 or triangles.max() >= len(points):
        raise InputRejected(f"torso: found node {triangles.max()} of {len(points)}; export the surface again")
    if len(triangles) > MOST_TRIANGLES:
        raise InputRejected(
            f"torso: found {len(triangles)} triangles, expected at most {MOST_TRIANGLES}; thin it out (8000 are plenty)"
        )
    used, numbers = np.unique(triangles, return_inverse=True)
    points, triangles = points[used], numbers.reshape(-1, 3)
    _check_closed(points, triangles)
    volume = np.einsum("ti,ti->", points[triangles[:, 0]], _normals(points, triangles))
    return points, triangles if volume > 0.0 else np.ascontiguousarray(triangles[:, ::-1])


def _check_closed(points: np.ndarray, triangles: np.ndarray) -> None:
    """One piece, without holes, all turned alike, no triangle without area."""
    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    _, counts = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    if (counts != 2).any():
        raise InputRejected(
            f"torso: found {int((counts == 1).sum())} edges on a rim and {int((counts > 2).sum())} shared by three and "
            "more triangles, expected a closed skin, two triangles an edge. Close it at neck, arms and hips, then add "
            "it again"
        )
    if len(np.unique(edges, axis=0)) < len(edges):
        raise InputRejected("torso: found triangles turned against their neighbours; make its normals consistent")
    graph = coo_matrix((np.ones(len(edges), np.int8), tuple(edges.T)), shape=(len(points), len(points)))
    if (pieces := connected_components(graph, directed=False)[0]) > 1:
        raise InputRejected(f"torso: found {pieces} separate surfaces, expected the skin alone; leave the others out")
    longest = np.linalg.norm(np.diff(points[edges], axis=1)[:, 0], axis=1).reshape(-1, 3).max(axis=1)
    flat = _areas(points, triangles) < 1e-9 * longest**2
    if flat.any():
        at = _place(points[triangles[np.argmax(flat), 0]])
        raise InputRejected(f"torso: found {flat.sum()} triangles without area, one near {at}; remesh the surface")


def _check_inside(points: np.ndarray, triangles: np.ndarray, heart: np.ndarray) -> None:
    """The heart's outermost nodes within the skin, and none of all at it."""
    outermost = np.ascontiguousarray(heart[ConvexHull(heart).vertices])
    turns = np.empty(len(outermost))
    turns_around(points, triangles, outermost, turns)
    out = np.abs(turns - 1.0) > 0.5
    if out.any():
        apart = points.mean(axis=0) - heart.mean(axis=0)
        raise InputRejected(
            f"torso: found {out.mean():.0%} of the heart's outermost nodes outside the skin, whose middle lies "
            f"{_place(apart)} from the heart's; expected the heart inside. Give both in one frame (LPS, mm)"
        )
    nearest = cKDTree(points).query(heart)[0].min()
    if nearest < LEAST_WALL_MM:
        raise InputRejected(
            f"torso: found the skin {nearest:.1f} mm from the heart's muscle, expected at least {LEAST_WALL_MM:g}; "
            "check that both are of one patient, in one frame (LPS, mm)"
        )
    _check_fine(points, triangles, heart)


def _check_fine(points: np.ndarray, triangles: np.ndarray, heart: np.ndarray) -> None:
    """No triangle large beside its distance from the heart, whose field it would miss."""
    corners = points[triangles]
    longest = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(axis=1)
    nearest = cKDTree(heart)
    away = np.minimum(nearest.query(points)[0][triangles].min(axis=1), nearest.query(corners.mean(axis=1))[0])
    worst = int(np.argmax(longest / away))
    if longest[worst] > LONGEST_EDGE * away[worst]:
        raise InputRejected(
            f"torso: found an edge of {longest[worst]:.0f} mm in the skin {away[worst]:.0f} mm from the heart, "
            f"expected at most {LONGEST_EDGE * away[worst]:.0f}: a finer one; remesh the surface and add it again"
        )


def _check_near(names: Sequence[str], moved_mm: np.ndarray) -> None:
    far = [f"{name} {mm:.0f}" for name, mm in zip(names, moved_mm, strict=True) if mm > MOST_FROM_SKIN_MM]
    if far:
        raise InputRejected(
            f"torso: found electrodes far from its skin ({', '.join(far)} mm), expected at most {MOST_FROM_SKIN_MM:g}; "
            'check their frame, or set `conductor = "infinite"` in [electrodes]'
        )


def nearest_on_skin(points: np.ndarray, triangles: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(3,) the nearest point of a surface."""
    corners = points[triangles]
    edges, beside = np.roll(corners, -1, axis=1) - corners, position - corners
    along = np.einsum("tki,tki->tk", beside, edges) / np.einsum("tki,tki->tk", edges, edges)
    on_sides = corners + np.clip(along, 0.0, 1.0)[..., None] * edges
    normals = _normals(points, triangles)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    below = position - np.einsum("ti,ti->t", beside[:, 0], normals)[:, None] * normals
    within = (np.einsum("tki,ti->tk", np.cross(edges, beside), normals) >= 0.0).all(axis=1)
    candidates = np.concatenate([on_sides.reshape(-1, 3), below[within]])
    return candidates[np.argmin(np.linalg.norm(candidates - position, axis=1))]


def _normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(n, 3) twice the area long."""
    corners = points[triangles]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    return 0.5 * np.linalg.norm(_normals(points, triangles), axis=1)


def _place(at: np.ndarray) -> str:
    return f"({', '.join(f'{x:.0f}' for x in at)}) mm"
