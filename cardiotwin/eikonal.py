"""Activation times in a fraction of a second: the anisotropic eikonal equation on the heart.

sqrt(∇T · D ∇T) = 1 with D = v_fibre² f fᵀ + v_cross² (I - f fᵀ), an isotropic fast layer on the endocardium if wanted,
border zone slower by a fraction, scar core and lesions not conducting. Kernel and sources: `kernels/eikonal.py`.

The front's speed does not depend here on its curvature, on the size of the tissue it leaves or on how long ago it was
last excited: good for a sinus or paced beat, no substitute for the monodomain model in re-entry.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import BORDER_ZONE, CORE, Heart
from cardiotwin.kernels.eikonal import EDGES, Conductor, around_nodes, first_arrivals, incidence
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import Velocities, endocardial_faces


def conducting_tets(heart: Heart, blocked: np.ndarray | None = None) -> np.ndarray:
    """(n_tets,) bool: not scar core, and not in the (n_tets,) bool mask `blocked` (lesions)."""
    conducting = heart.tissue_class != CORE
    if blocked is None:
        return conducting
    if np.shape(blocked) != conducting.shape:
        raise InputRejected(f"blocked: shape {np.shape(blocked)}, expected one value a tetrahedron {conducting.shape}")
    return conducting & ~np.asarray(blocked, bool)


def prepare(heart: Heart, settings: TissueSettings, *, blocked: np.ndarray | None = None) -> Conductor:
    """Set a heart up for many solves.

    Parameters
    ----------
    heart : Heart
    settings : TissueSettings
        `border_zone_velocity_fraction` is used.
    blocked : (n_tets,) bool, optional
        Ablated tetrahedra.
    """
    fraction = np.where(heart.tissue_class == BORDER_ZONE, settings.border_zone_velocity_fraction, 1.0)
    kept = conducting_tets(heart, blocked)
    points = np.ascontiguousarray(heart.mesh.points, np.float64)
    tissue = np.where(kept, fraction, 0.0)
    tets, fibres, longer = np.ascontiguousarray(heart.mesh.tets[kept]), heart.fibres[kept], fraction[kept, None] ** -2.0
    edges = points[tets[:, EDGES[:, 1]]] - points[tets[:, EDGES[:, 0]]]
    length = np.einsum("eij,eij->ei", edges, edges)
    along = np.minimum(np.einsum("eij,ej->ei", edges, fibres) ** 2, length)
    dyads = longer * fibres[:, [0, 1, 2, 0, 0, 1]] * fibres[:, [0, 1, 2, 1, 2, 2]]
    faces, owners = endocardial_faces(heart, kept)
    corners = points[faces]
    opposite = np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1)
    tets_at, beside, ways = around_nodes(tets, along * longer, (length - along) * longer, len(points))
    faces_of, faces_at = incidence(faces, len(points))
    return Conductor(
        points=points,
        fibre_dyads=_at_nodes(dyads, tets, len(points)),
        lengthening=_at_nodes(longer, tets, len(points))[:, 0],
        uniform_mm=_to_other_tissue(points, heart.mesh.tets, tissue),
        tets_at=tets_at,
        beside=beside,
        ways=ways,
        faces=faces,
        face_edges=np.einsum("eij,eij->ei", opposite, opposite) / fraction[owners, None] ** 2,
        faces_of=faces_of,
        faces_at=faces_at,
    )


def _to_other_tissue(points: np.ndarray, tets: np.ndarray, tissue: np.ndarray) -> np.ndarray:
    """(n_nodes,) distance to the nearest border between tetrahedra of different (n_tets,) tissue, mm.

    Beyond such a border the straight way may lead through scar, or through tissue that is slower or faster.
    """
    least, most = np.full(len(points), np.inf), np.full(len(points), -np.inf)
    for corner in tets.T:
        np.minimum.at(least, corner, tissue)
        np.maximum.at(most, corner, tissue)
    border = least < most
    return cKDTree(points[border]).query(points)[0] if border.any() else np.full(len(points), np.inf)


def _at_nodes(values: np.ndarray, tets: np.ndarray, n_nodes: int) -> np.ndarray:
    """(n_nodes, k) means of (n_tets, k) values over the tetrahedra at each node; 0 where there are none."""
    count = np.maximum(np.bincount(tets.ravel(), minlength=n_nodes), 1)
    summed = [np.bincount(tets.ravel(), np.repeat(column, 4), minlength=n_nodes) for column in values.T]
    return np.ascontiguousarray((summed / count).T)


def solve(
    mesh: Conductor, velocities: Sequence[Velocities], sites: np.ndarray, site_times_ms: np.ndarray
) -> np.ndarray:
    """Activation times of a whole ensemble, one thread a member.

    Parameters
    ----------
    mesh : Conductor
    velocities : sequence of n_members Velocities
    sites : (n_members, n_sites) int
        Nodes that fire.
    site_times_ms : (n_members, n_sites) float
        When, ms.

    Returns
    -------
    (n_members, n_nodes) float64
        ms; infinite where no front arrives. The same bits for any number of threads.

    Raises
    ------
    InputRejected
        A site that is not a node of the mesh or fires at no finite time.
    """
    sites = np.ascontiguousarray(sites, np.int64)
    site_times = np.ascontiguousarray(site_times_ms, np.float64)
    if sites.shape != site_times.shape or sites.ndim != 2 or len(sites) != len(velocities):
        raise InputRejected(
            f"sites {sites.shape} and times {site_times.shape}; expected two arrays ({len(velocities)}, n_sites)"
        )
    n_nodes = len(mesh.points)
    if not np.isfinite(site_times).all() or (sites < 0).any() or (sites >= n_nodes).any():
        raise InputRejected(f"sites: nodes must lie in [0, {n_nodes}) and their times must be finite")
    speed = np.array([(v.fibre, v.cross, v.endocardium or 0.0) for v in velocities])
    with np.errstate(divide="ignore"):
        slowness = speed**-2.0
    times = np.empty((len(sites), n_nodes))
    first_arrivals(mesh, slowness, sites, site_times, times)
    return times


def activation_times(
    heart: Heart,
    velocities: Velocities,
    site_nodes: np.ndarray,
    site_times_ms: np.ndarray,
    settings: TissueSettings,
    *,
    blocked: np.ndarray | None = None,
) -> np.ndarray:
    """When the front arrives at every node.

    Parameters
    ----------
    heart : Heart
    velocities : Velocities
        Of healthy tissue, mm/ms.
    site_nodes, site_times_ms : (n_sites,) int, (n_sites,) float
        Where activation starts, and when, ms.
    settings : TissueSettings
        For the border zone.
    blocked : (n_tets,) bool, optional
        Ablated tetrahedra.

    Returns
    -------
    (n_nodes,) float64
        ms; infinite where no front arrives: in the core, in lesions, behind complete lines of block.

    Raises
    ------
    InputRejected
        As `solve`; also when no site touches conducting tissue.
    """
    mesh = prepare(heart, settings, blocked=blocked)
    nodes = np.atleast_1d(site_nodes)
    times = solve(mesh, [velocities], nodes[None], np.atleast_1d(site_times_ms)[None])[0]
    if not np.diff(mesh.tets_at)[nodes].any():
        raise InputRejected(f"sites: none of the {nodes.size} nodes belongs to conducting tissue; choose others")
    return times
