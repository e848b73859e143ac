"""What conducts, how fast, and with which cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cardiotwin.cells import cell_parameters, conducting_cell, initial_states, require_heart_model
from cardiotwin.errors import InputRejected, QualityGate, SettingsError
from cardiotwin.heart import BORDER_ZONE, CORE, HEALTHY, LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.lattice import Oriented, alternating_axis, lattice_frame, oriented
from cardiotwin.medium import Medium
from cardiotwin.progress import Progress, silent
from cardiotwin.settings import TissueSettings
from cardiotwin.velocity import tune


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
        See `cardiotwin.lattice.alternating_axis`.
    axes : (3, 3) float64
        Of the lattice.
    conductivity : Oriented
    """

    where: np.ndarray
    axis: np.ndarray
    axes: np.ndarray
    conductivity: Oriented


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
        return Medium(heart.mesh.points, heart.mesh.tets[on], sigma, self.cell_model, self.parameters, initial=initial)


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
    (`cardiotwin.cells`). The endocardial layer, where there is one, is the tetrahedra that touch the endocardium:
    isotropic, and slower in the border zone by the same fraction.

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

    sigma, parts = np.zeros((len(conducting), 3)), []
    tuning_error: dict[str, float] = {}
    frame = lattice_frame(heart.mesh, heart.edge_mm)
    layers = list(_layers(heart, conducting, velocities, fraction))
    for number, (name, where, along, across) in enumerate(layers):
        progress(number / len(layers), f"conductivity of {name}")
        border = name.startswith("border zone")
        slowest = velocities.cross * (fraction if border else 1.0)
        cell = conducting_cell(model, slowest, heart.edge_mm, border and profile == "structural_and_ionic")
        ratio = (across / along) ** 2
        # A wave across the fibres has one of two transverse directions along them. Whether that one lies along an axis
        # of the lattice varies through the heart; a quarter of its effect is the mean over orientations
        # (benchmarks/lattice_directions.py).
        tuned = []
        for direction, columns, velocity, transverse in (
            ("along", slice(0, 1), along, ratio),
            ("across", slice(1, 3), across, 0.875 + 0.125 / ratio),
        ):
            value, error = tune(velocity, model, cell, heart.edge_mm, dt_ms, transverse=transverse)
            sigma[where, columns] = value
            tuning_error[f"{name}, {direction}"] = error
            tuned.append(value)
        if frame is None:
            continue
        found = oriented(along, across, (tuned[0], tuned[1]), model, cell, heart.edge_mm, dt_ms)
        if found is not None:
            axis = alternating_axis(heart.mesh.centroids[where], frame, heart.edge_mm).astype(np.uint8)
            parts.append(OrientedPart(where, axis, frame.axes, found))
            tuning_error |= {f"{name}, {direction}": float(e.mean()) for direction, e in found.errors.items()}
    progress(1.0, "conductivities tuned")
    parameters = cell_parameters(heart, conducting, model, velocities.cross, settings, profile)
    return Tissue(heart, conducting, sigma, model, parameters, velocities, tuning_error, tuple(parts))


def _layers(
    heart: Heart, conducting: np.ndarray, velocities: Velocities, fraction: float
) -> Iterator[tuple[str, np.ndarray, float, float]]:
    """Name, tetrahedra, velocity along and across of each kind of tissue that is there."""
    endocardial = np.zeros(len(heart.mesh.points), bool)
    if velocities.endocardium is not None:
        endocardial[heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM)] = True
    in_layer = endocardial[heart.mesh.tets].any(axis=1)
    for name, kind, share in (("healthy", HEALTHY, 1.0), ("border zone", BORDER_ZONE, fraction)):
        here = conducting & (heart.tissue_class == kind)
        wall, layer = np.flatnonzero(here & ~in_layer), np.flatnonzero(here & in_layer)
        if wall.size:
            yield name, wall, share * velocities.fibre, share * velocities.cross
        if layer.size:
            fast = share * (velocities.endocardium or 0.0)
            yield f"{name} endocardium", layer, fast, fast
