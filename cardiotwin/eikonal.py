"""Activation times in a fraction of a second: the anisotropic eikonal equation on the heart.

sqrt(∇T · D ∇T) = 1 with D = v_fibre² f fᵀ + v_cross² (I - f fᵀ), an isotropic fast layer on the endocardium if wanted,
border zone slower by a fraction, scar core and lesions not conducting. Kernel and sources: `kernels/eikonal.py`.

The front's speed does not depend here on its curvature, on the size of the tissue it leaves or on how long ago it was
last excited: good for a sinus or paced beat, no substitute for the monodomain model in re-entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.heart import BORDER_ZONE, CORE, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.kernels.eikonal import EDGES, first_arrivals, incidence
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue import Velocities


@dataclass(frozen=True, eq=False)
class EikonalMesh:
    """What the solver needs of a heart, computed once for any number of solves.

    Attributes
    ----------
    n_nodes : int
    tets : (n_conducting, 4) int32
    along, across : (n_conducting, 6) float64
        Squared edge lengths along the fibre and across it, mm², divided by the squared velocity fraction of the tissue.
    faces : (n_fast, 3) int32
        Endocardial triangles of conducting tetrahedra.
    face_edges : (n_fast, 3) float64
        Squared edge lengths, opposite to each node, mm², divided likewise.
    tets_of, tets_at, faces_of, faces_at : int32
        Incidence, CSR.
    """

    n_nodes: int
    tets: np.ndarray
    along: np.ndarray
    across: np.ndarray
    faces: np.ndarray
    face_edges: np.ndarray
    tets_of: np.ndarray
    tets_at: np.ndarray
    faces_of: np.ndarray
    faces_at: np.ndarray


def conducting_tets(heart: Heart, blocked: np.ndarray | None = None) -> np.ndarray:
    """(n_tets,) bool: not scar core, and not in the (n_tets,) bool mask `blocked` (lesions)."""
    conducting = heart.tissue_class != CORE
    if blocked is None:
        return conducting
    if np.shape(blocked) != conducting.shape:
        raise InputRejected(f"blocked: shape {np.shape(blocked)}, expected one value a tetrahedron {conducting.shape}")
    return conducting & ~np.asarray(blocked, bool)


def prepare(heart: Heart, settings: TissueSettings, *, blocked: np.ndarray | None = None) -> EikonalMesh:
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
    tets = np.ascontiguousarray(heart.mesh.tets[kept])
    edges = heart.mesh.points[tets[:, EDGES[:, 1]]] - heart.mesh.points[tets[:, EDGES[:, 0]]]
    length = np.einsum("eij,eij->ei", edges, edges)
    along = np.minimum(np.einsum("eij,ej->ei", edges, heart.fibres[kept]) ** 2, length)
    slower = fraction[kept, None] ** 2
    faces, face_fraction = _fast_faces(heart, tets, fraction[kept])
    corners = heart.mesh.points[faces]
    opposite = np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1)
    n_nodes = len(heart.mesh.points)
    return EikonalMesh(
        n_nodes,
        tets,
        along / slower,
        (length - along) / slower,
        faces,
        np.einsum("eij,eij->ei", opposite, opposite) / face_fraction[:, None] ** 2,
        *incidence(tets, n_nodes),
        *incidence(faces, n_nodes),
    )


def _fast_faces(heart: Heart, tets: np.ndarray, fraction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Endocardial triangles of the given tetrahedra, and the velocity fraction of the tissue under each.

    The fast layer is the surface itself. A layer of tetrahedra would carry the front through the inner part of the wall
    too, by an amount that depends on the mesh: 4 ms on 2 mm edges.
    """
    endocardial = np.isin(heart.surface, (LV_ENDOCARDIUM, RV_ENDOCARDIUM))
    faces = np.ascontiguousarray(heart.faces[endocardial], np.int32)
    corners = tets[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]].reshape(-1, 3)
    owner = {key: k // 4 for k, key in enumerate(_keys(corners, len(heart.mesh.points)))}
    owners = np.array([owner.get(key, -1) for key in _keys(faces, len(heart.mesh.points))], np.int64)
    return faces[owners >= 0], fraction[owners[owners >= 0]]


def _keys(faces: np.ndarray, n_nodes: int) -> list[int]:
    """One integer a face, whatever the order of its nodes."""
    a, b, c = np.sort(faces, axis=1).astype(np.int64).T
    return ((a * n_nodes + b) * n_nodes + c).tolist()


def solve(
    mesh: EikonalMesh, velocities: Sequence[Velocities], sites: np.ndarray, site_times_ms: np.ndarray
) -> np.ndarray:
    """Activation times of a whole ensemble, one thread a member.

    Parameters
    ----------
    mesh : EikonalMesh
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
    if not np.isfinite(site_times).all() or (sites < 0).any() or (sites >= mesh.n_nodes).any():
        raise InputRejected(f"sites: nodes must lie in [0, {mesh.n_nodes}) and their times must be finite")
    speed = np.array([(v.fibre, v.cross, v.endocardium or 0.0) for v in velocities])
    with np.errstate(divide="ignore"):
        slowness = speed**-2.0
    times = np.empty((len(sites), mesh.n_nodes))
    first_arrivals(
        mesh.tets,
        mesh.along,
        mesh.across,
        mesh.tets_of,
        mesh.tets_at,
        mesh.faces,
        mesh.face_edges,
        mesh.faces_of,
        mesh.faces_at,
        slowness,
        sites,
        site_times,
        times,
    )
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
