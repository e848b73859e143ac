"""What conducts, how fast, and with which cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.errors import InputRejected, QualityGate, SettingsError
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.progress import Progress, silent
from cardiotwin.settings import TissueSettings
from cardiotwin.solver.medium import Medium
from cardiotwin.solver.protocol import Stimulus
from cardiotwin.tissue.cells import TWO_VARIABLE, cell_parameters, conducting_cell, initial_states, require_heart_model
from cardiotwin.tissue.lattice import Oriented, alternating_axis, lattice_frame, oriented
from cardiotwin.tissue.velocity import tune, tune_layer


@dataclass(frozen=True)
class Velocities:
    """Conduction velocities of healthy tissue, mm/ms (= m/s). Cross-fibre: sheet and normal direction alike."""

    fibre: float
    cross: float
    endocardium: float | None = None
    """Isotropic velocity of the endocardial layer; None where there is no fast layer."""

    def __post_init__(self) -> None:
        for name in ("fibre", "cross", "endocardium"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < 10.0:
                raise SettingsError(f"velocity, {name}: found {value} m/s, expected a number above 0 and below 10")


class OrientedPart(NamedTuple):
    """Tetrahedra of one kind of tissue on the lattice, and their conductivity.

    Attributes
    ----------
    where : (n,) int
        Which tetrahedra.
    axis : (n,) uint8
        See `cardiotwin.tissue.lattice.alternating_axis`.
    axes : (3, 3) float64
        Of the lattice.
    conductivity : Oriented
    """

    where: np.ndarray
    axis: np.ndarray
    axes: np.ndarray
    conductivity: Oriented


SUSTAINED_MS = 10.0
"""How long a site of the fast layer fires. After 2 ms the wall has drawn the charge away: 6 ms late, 19 on 2 mm."""
SUSTAINED_MV_PER_MS = 12.0
"""How strongly, with detailed cells: 68 mV at most and on time. With the 50 of a short stimulus they rise to 318 mV,
which the ECG shows (the eikonal ECG of a drawn patient correlates by 0.94 with it, by 0.97 with 12), and start 3 ms
early. The wide front of Mitchell-Schaeffer needs the 50: 52 mV at most, and with 12 it starts 8 ms late."""
WIDEST = 3.0
"""Times the ball's radius, the widest disc that fires: more was not tried, and would reach across a small cavity."""


@dataclass(frozen=True, eq=False)
class Tissue:
    """A heart ready to be simulated.

    Attributes
    ----------
    heart : Heart
    conducting : (n_tets,) bool
        False in the scar core and in lesions: no current crosses their boundary.
    sigma : (n_tets, 3) float64
        Monodomain conductivity along fibre, sheet and normal, mS/mm, tuned to `velocities` on this lattice in the mean
        over orientations of the fibres.
    seen : (n_tets, 3) float64
        What electrodes see: `sigma` along healthy fibres, and else what goes with the square of velocity, as it does
        where there is no lattice. `sigma` also makes up for the lattice, which slows waves across the fibres most; and
        for remodelled cells of the border zone, which need 1.7 times as much for their velocity: that is not seen.
    faces, conductance : (n_faces, 3) int32, (n_faces,) float64
        Conducting faces of the endocardium and what they conduct besides the wall, mS, where there is a fast layer. It
        stands for Purkinje fibres, which take no room in the wall and are too few to be seen on the skin.
    cell_model : str
        Name of a module in `kernels/ionic/`.
    parameters : dict of str to (n_nodes,) float32
        Cell-model parameters that differ from their default, by name in that module.
    velocities : Velocities
        What was asked for.
    tuning_error : dict of str to float
        Relative error of the velocity reached, by direction and tissue class; its mean over orientations.
    oriented : tuple of OrientedPart
        Where the mesh is the mesher's lattice: the tensors that take the place of `sigma` in a simulation.
    """

    heart: Heart
    conducting: np.ndarray
    sigma: np.ndarray
    seen: np.ndarray
    faces: np.ndarray
    conductance: np.ndarray
    cell_model: str
    parameters: dict[str, np.ndarray]
    velocities: Velocities
    tuning_error: dict[str, float]
    oriented: tuple[OrientedPart, ...] = ()

    def medium(self) -> Medium:
        """The conducting part, as the equations see it."""
        heart, on = self.heart, self.conducting
        frame = np.stack([heart.fibres[on], heart.sheets[on], heart.normals[on]], axis=1)
        sigma = np.einsum("ek,eki,ekj->eij", self.sigma[on], frame, frame)
        row = np.cumsum(on) - 1
        for where, axis, axes, conductivity in self.oriented:
            sigma[row[where]] = conductivity.in_tetrahedra(heart.fibres[where], axis, axes)
        initial = initial_states(self.cell_model, heart.transmural)
        return Medium(
            heart.mesh.points,
            heart.mesh.tets[on],
            sigma,
            self.cell_model,
            self.parameters,
            initial=initial,
            faces=self.faces,
            conductance=self.conductance,
        )

    def started_from(self, positions: np.ndarray, times_ms: np.ndarray, radius_mm: float) -> tuple[Stimulus, ...]:
        """What must fire for a wave to start from places on the endocardium.

        A ball, not a disc on the surface, which starts no wide front. In the fast layer the front is wider in
        proportion to its velocity, and so is the part of it that fires, on that side of the septum, for as long as the
        wall needs to follow. So the wave starts 3 to 4 ms late on edges of 1.25 mm, on edges of 2 mm still 6 to 10.

        Parameters
        ----------
        positions : (n, 3) float
            mm.
        times_ms : (n,) float
        radius_mm : float
            Of the ball in the wall.

        Returns
        -------
        tuple of n Stimulus
            Of conducting nodes, sorted; there may be none.
        """
        points = self.heart.mesh.points
        alive = np.unique(self.heart.mesh.tets[self.conducting])
        balls = cKDTree(points[alive]).query_ball_point(positions, radius_mm)
        fired = [alive[np.array(ball, np.int64)] for ball in balls]
        duration_ms, strength = Stimulus.duration_ms, Stimulus.strength_mv_per_ms
        wider = min((self.velocities.endocardium or 0.0) / self.velocities.fibre, WIDEST)
        if wider > 1.0:
            duration_ms = SUSTAINED_MS
            strength = strength if self.cell_model in TWO_VARIABLE else SUSTAINED_MV_PER_MS
            sides = [self.heart.surface_nodes(tag) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM)]
            away = [cKDTree(points[side]).query(positions)[0] if side.size else np.inf for side in sides]
            right = np.broadcast_to(away[1] < away[0], len(positions))
            layers = [np.intersect1d(alive, _touching(self.heart, side)) for side in sides]
            fired = [
                np.union1d(ball, _within(layers[int(at_right)], points, position, wider * radius_mm))
                for ball, at_right, position in zip(fired, right, positions, strict=True)
            ]
        return tuple(
            Stimulus(np.sort(nodes).astype(np.int32), float(at), duration_ms, strength)
            for nodes, at in zip(fired, times_ms, strict=True)
        )


def make_tissue(
    heart: Heart,
    velocities: Velocities,
    settings: TissueSettings,
    *,
    dt_ms: float,
    lesions: np.ndarray | None = None,
    profile: str | None = None,
    cell_model: str | None = None,
    progress: Progress = silent,
) -> Tissue:
    """Give a heart its conductivities and cells.

    Scar core and lesions do not conduct. The border zone conducts at a fraction of the healthy velocity, along and
    across, whatever its cells; under the profile ``"structural_and_ionic"`` its cells are remodelled too
    (`cardiotwin.tissue.cells`). The endocardial layer, where there is one, is the surface itself, isotropic: waves
    spread over the endocardium at its velocity, in the border zone slower by the same fraction. A layer of elements
    would carry them through the inner part of the wall at once, by an amount that depends on the mesh.

    Parameters
    ----------
    heart : Heart
    velocities : Velocities
        Of healthy tissue.
    settings : TissueSettings
    dt_ms : float
        Time step of the simulation; velocity depends on it.
    lesions : (n_tets,) bool, optional
    profile, cell_model : str, optional
        Instead of those in the settings.

    Raises
    ------
    InputRejected
        Lesions of another mesh.
    SettingsError
        A cell model that no heart can be made of.
    QualityGate
        A velocity cannot be reached on this lattice, or nothing conducts.
    """
    model, profile = cell_model or settings.cell_model, profile or settings.border_zone_profile
    require_heart_model(model)
    fraction = settings.border_zone_velocity_fraction
    conducting = heart.tissue_class != CORE
    if lesions is not None:
        if lesions.shape != conducting.shape:
            raise InputRejected(f"lesions: found {lesions.shape} flags, the mesh has {len(conducting)} tetrahedra")
        conducting &= ~np.asarray(lesions, bool)
    if not conducting.any():
        raise QualityGate("tissue: nothing conducts; all of the myocardium is scar core or lesion")

    sigma, seen, parts = np.zeros((len(conducting), 3)), np.zeros((len(conducting), 3)), []
    tuning_error: dict[str, float] = {}
    frame = lattice_frame(heart.mesh, heart.edge_mm)
    kinds = list(_kinds(heart, conducting, velocities, fraction))
    faces, owners = endocardial_faces(heart, conducting) if velocities.endocardium else NO_FACES
    conductance, per_velocity = np.zeros(len(faces)), 0.0
    for number, kind in enumerate(kinds):
        progress(number / len(kinds), f"conductivity of {kind.name}")
        remodelled = kind.name == "border zone" and profile == "structural_and_ionic"
        cell = conducting_cell(model, kind.across, heart.edge_mm, remodelled)
        along, across = _tuned_wall(kind, model, cell, heart.edge_mm, dt_ms, tuning_error)
        sigma[kind.tets] = along, across, across
        per_velocity = per_velocity or along / kind.along**2
        seen[kind.tets] = per_velocity * np.square((kind.along, kind.across, kind.across))
        under = np.isin(owners, kind.tets)
        if under.any():
            conductance[under], error = tune_layer(kind.fast, across, model, cell, heart.edge_mm, dt_ms)
            tuning_error[f"{kind.name}, over the endocardium"] = error
        if frame is None:
            continue
        found = oriented(kind.along, kind.across, (along, across), model, cell, heart.edge_mm, dt_ms)
        if found is not None:
            axis = alternating_axis(heart.mesh.centroids[kind.tets], frame, heart.edge_mm).astype(np.uint8)
            parts.append(OrientedPart(kind.tets, axis, frame.axes, found))
            tuning_error |= {f"{kind.name}, {direction}": float(e.mean()) for direction, e in found.errors.items()}
    progress(1.0, "conductivities tuned")
    parameters = cell_parameters(heart, conducting, model, velocities.cross, settings, profile)
    return Tissue(
        heart, conducting, sigma, seen, faces, conductance, model, parameters, velocities, tuning_error, tuple(parts)
    )


def _tuned_wall(
    kind: _Kind, model: str, cell: dict[str, float], edge_mm: float, dt_ms: float, tuning_error: dict[str, float]
) -> tuple[float, float]:
    """Conductivity along and across the fibres, mS/mm; their errors go into `tuning_error`."""
    ratio = (kind.across / kind.along) ** 2
    # A wave across the fibres has one of two transverse directions along them. Whether that one lies along an axis of
    # the lattice varies through the heart; a quarter of its effect is the mean over orientations
    # (benchmarks/lattice_directions.py).
    along, error_along = tune(kind.along, model, cell, edge_mm, dt_ms, transverse=ratio)
    across, error_across = tune(kind.across, model, cell, edge_mm, dt_ms, transverse=0.875 + 0.125 / ratio)
    tuning_error |= {f"{kind.name}, along": error_along, f"{kind.name}, across": error_across}
    return along, across


NO_FACES = np.empty((0, 3), np.int32), np.empty(0, np.int64)


def endocardial_faces(heart: Heart, conducting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Endocardial triangles (n, 3) int32 of the conducting tetrahedra, (n_tets,) bool, and (n,) which one's each is."""
    endocardial = np.isin(heart.surface, (LV_ENDOCARDIUM, RV_ENDOCARDIUM))
    faces = np.ascontiguousarray(heart.faces[endocardial], np.int32)
    touching = np.flatnonzero(conducting & (np.isin(heart.mesh.tets, faces).sum(axis=1) >= 3))
    corners = heart.mesh.tets[touching][:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]].reshape(-1, 3)
    known, wanted = (_keys(part, len(heart.mesh.points)) for part in (corners, faces))
    order = np.argsort(known)
    at = np.minimum(np.searchsorted(known, wanted, sorter=order), max(len(known) - 1, 0))
    found = known[order[at]] == wanted if len(known) else np.zeros(len(faces), bool)
    return faces[found], touching[order[at[found]] // 4]


def _keys(faces: np.ndarray, n_nodes: int) -> np.ndarray:
    """(n,) int64, one number a face, whatever the order of its nodes."""
    a, b, c = np.sort(faces, axis=1).astype(np.int64).T
    return np.asarray((a * n_nodes + b) * n_nodes + c)


def _touching(heart: Heart, nodes: np.ndarray) -> np.ndarray:
    """All nodes of the tetrahedra that touch the given ones."""
    return np.unique(heart.mesh.tets[np.isin(heart.mesh.tets, nodes).any(axis=1)])


def _within(nodes: np.ndarray, points: np.ndarray, position: np.ndarray, radius_mm: float) -> np.ndarray:
    return nodes[np.linalg.norm(points[nodes] - position, axis=1) <= radius_mm]


class _Kind(NamedTuple):
    """One kind of tissue: velocities in the wall and over the endocardium, mm/ms, and which tetrahedra."""

    name: str
    along: float
    across: float
    fast: float
    tets: np.ndarray


def _kinds(heart: Heart, conducting: np.ndarray, velocities: Velocities, fraction: float) -> Iterator[_Kind]:
    """The kinds of tissue that are there."""
    fast = velocities.endocardium or 0.0
    for name, number, share in (("healthy", HEALTHY, 1.0), ("border zone", BORDER_ZONE, fraction)):
        here = conducting & (heart.tissue_class == number)
        if here.any():
            yield _Kind(name, share * velocities.fibre, share * velocities.cross, share * fast, np.flatnonzero(here))
