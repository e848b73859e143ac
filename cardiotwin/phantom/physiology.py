"""The phantom's heartbeat: monodomain on a heart meshed from the anatomy itself, finer than any the twin will use."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.forward import electrode_weights
from cardiotwin.heart.heart import Heart, build_heart
from cardiotwin.monodomain import Activation, Protocol, simulate
from cardiotwin.phantom.anatomy import Anatomy, bounded_normal, endocardial_point, labels_at
from cardiotwin.progress import Progress, part, silent
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings, TissueSettings
from cardiotwin.tissue.tissue import Tissue, Velocities, make_tissue


@dataclass(frozen=True)
class Site:
    """Where and when the conduction system sets off a wave.

    Attributes
    ----------
    name : str
    ventricle : str
        ``"left"`` or ``"right"``.
    angle_deg, apicobasal : float
        As in `endocardial_point`.
    time_ms : float
    """

    name: str
    ventricle: str
    angle_deg: float
    apicobasal: float
    time_ms: float


SITES = (
    Site("left septum", "left", 0.0, 0.70, 0.0),
    Site("left posterior", "left", -110.0, 0.70, 4.0),
    Site("left lateral", "left", 175.0, 0.70, 6.0),
    Site("right free wall", "right", -10.0, 0.50, 8.0),
)
"""After Durrer 1970 (doi 10.1161/01.CIR.41.6.899): three areas of the left ventricle within 5 ms, one of them the
septum, the right ventricle 5 to 10 ms later. High on the wall, so that without the rest of the conduction system the
electrical axis still points to the left; what the infarct destroyed cannot fire."""
VELOCITIES = Velocities(0.62, 0.32)
# No fast layer: at 1.1 m/s along the endocardium the way round the core takes 83 ms instead of 143, and a circuit of
# 180 ms dies on refractory tissue. In this patient only the four sites are left of the conduction system.


@dataclass(frozen=True)
class Physiology:
    """What the twin is asked to find out, and how finely the truth is computed.

    Velocities are about those measured in human ventricles (Taggart 2000, Caldwell 2009), half that in the border zone.
    """

    seed: int = 0
    velocities: Velocities = VELOCITIES
    border_zone_velocity_fraction: float = 0.5
    sites: tuple[Site, ...] = SITES
    site_radius_mm: float = 3.0
    edge_mm: float = 1.0
    dt_ms: float = 0.1
    duration_ms: float = 450.0


def make_physiology(seed: int) -> Physiology:
    """One patient's: velocities a few per cent and sites a few degrees and milliseconds from the default."""
    rng = np.random.default_rng([seed, 8])
    mean = Physiology()
    fibre, cross, fast = 1 + 0.04 * bounded_normal(rng, 3)
    fast_layer = mean.velocities.endocardium
    velocities = Velocities(
        mean.velocities.fibre * fibre, mean.velocities.cross * cross, fast_layer * fast if fast_layer else None
    )
    return replace(mean, seed=seed, velocities=velocities, sites=tuple(_varied(site, rng) for site in mean.sites))


def _varied(site: Site, rng: np.random.Generator) -> Site:
    turn, height, delay = bounded_normal(rng, 3)
    return replace(
        site,
        angle_deg=site.angle_deg + 6.0 * float(turn),
        apicobasal=site.apicobasal + 0.03 * float(height),
        time_ms=max(site.time_ms + 1.0 * float(delay), 0.5) if site.time_ms else 0.0,
    )


@dataclass(frozen=True, eq=False)
class Beat:
    """One heartbeat of the truth.

    Attributes
    ----------
    tissue : Tissue
    activation : Activation
        With the potential at the electrodes every millisecond, not yet scaled to an ECG's size.
    site_positions : (n_sites, 3) float64
        LPS, mm.
    """

    tissue: Tissue
    activation: Activation
    site_positions: np.ndarray


def heartbeat(anatomy: Anatomy, physiology: Physiology, electrodes: Electrodes, progress: Progress = silent) -> Beat:
    """Mesh the anatomy, tune its conductivities, and let it beat once."""
    heart = true_heart(anatomy, physiology.edge_mm, part(progress, 0.0, 0.5))
    tissue = _tissue(heart, physiology, part(progress, 0.5, 0.7))
    positions = np.array([endocardial_point(anatomy, s.ventricle, s.angle_deg, s.apicobasal) for s in physiology.sites])
    # On a coarse lattice a front that starts too small dies or dawdles.
    times_ms = np.array([site.time_ms for site in physiology.sites])
    stimuli = tissue.started_from(positions, times_ms, max(physiology.site_radius_mm, 1.5 * heart.edge_mm))
    if empty := [site.name for site, one in zip(physiology.sites, stimuli, strict=True) if not one.nodes.size]:
        raise ValueError(f"site {empty[0]}: no conducting node within {physiology.site_radius_mm:g} mm of it")
    progress(0.7, "fields of the electrodes")
    activation = simulate(
        tissue,
        Protocol(stimuli, physiology.duration_ms),
        dt_ms=physiology.dt_ms,
        electrode_weights=electrode_weights(heart, electrodes, tissue.seen, tissue.conducting),
        progress=part(progress, 0.8, 1.0),
    )
    return Beat(tissue, activation, positions)


def true_heart(anatomy: Anatomy, edge_mm: float, progress: Progress = silent) -> Heart:
    """The heart as a mesh, from labels sampled at the mesh's own resolution and not from any image."""
    return build_heart(rasterised(anatomy, edge_mm), MeshSettings(edge_mm=edge_mm), progress=progress)


def rasterised(anatomy: Anatomy, spacing_mm: float) -> Segmentation:
    """Labels on an isotropic grid in the heart's own axes."""
    reach = max(anatomy.lv_radius_mm, anatomy.rv_radius_anterior_mm) + 4.0
    lower = np.array([-anatomy.lv_radius_mm - 4.0, -reach, -anatomy.lv_length_mm - 4.0])
    upper = np.array([anatomy.rv_offset_mm + anatomy.rv_radius_septal_mm + 4.0, reach, 4.0])
    counts = np.ceil((upper - lower) / spacing_mm).astype(int)
    # A voxel boundary, not a voxel centre, lies in the base plane.
    lower[2] = -(np.ceil(-lower[2] / spacing_mm) - 0.5) * spacing_mm
    affine = np.eye(4)
    affine[:3, :3] = anatomy.axes * spacing_mm
    affine[:3, 3] = anatomy.to_lps(lower[None])[0]
    index = np.stack(np.meshgrid(*map(np.arange, counts[::-1]), indexing="ij"), axis=-1)[..., ::-1]
    points = anatomy.to_lps(lower + spacing_mm * index.reshape(-1, 3))
    labels = labels_at(anatomy, points).reshape(counts[::-1])
    return Segmentation(labels, affine, None, True, {"truth": 1.0})


def _tissue(heart: Heart, physiology: Physiology, progress: Progress) -> Tissue:
    settings = TissueSettings(
        cell_model="mitchell_schaeffer",
        velocity_fibre_m_per_s=physiology.velocities.fibre,
        velocity_cross_m_per_s=physiology.velocities.cross,
        border_zone_velocity_fraction=physiology.border_zone_velocity_fraction,
        border_zone_profile="structural",
    )
    return make_tissue(heart, physiology.velocities, settings, dt_ms=physiology.dt_ms, progress=progress)
