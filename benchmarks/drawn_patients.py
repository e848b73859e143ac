"""Patients whose velocities, activation sites and scar are drawn, and whose ECG a monodomain model makes.

Nothing of the inference is used for the truth: another mesh (1.25 mm, from the anatomy itself), reaction and diffusion
(ten Tusscher-Panfilov) instead of the eikonal equation, conductivities tuned on that mesh, noise and baseline wander on
the leads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cardiotwin.ecg.electrodes import Electrodes, default_electrodes
from cardiotwin.ecg.forward import electrode_weights
from cardiotwin.ecg.recording import LEADS, Ecg, leads_from_electrodes
from cardiotwin.heart.heart import LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.monodomain import Protocol, simulate
from cardiotwin.phantom.anatomy import Anatomy, make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import TissueSettings
from cardiotwin.tissue.tissue import Tissue, Velocities, make_tissue

TRUE_EDGE_MM, TRUE_DT_MS, BEAT_MS = 1.25, 0.02, 450.0
TISSUE = TissueSettings(cell_model="ten_tusscher_2006", border_zone_profile="structural")
"""Detailed cells: Mitchell-Schaeffer's front, widened for such a mesh, is faster near surfaces by so much that the ECG
of an eikonal front with the true velocities and sites correlates with patient 2's beat by 0.84; with these by 0.97.
"""
NOISE, WANDER = 0.01, 0.05
"""Of the largest deflection: white noise at 1000 Hz, and a slow wave of 0.25 Hz."""


@dataclass(frozen=True, eq=False)
class Patient:
    """One drawn patient.

    Attributes
    ----------
    anatomy : Anatomy
    heart : Heart
        The truth's mesh.
    velocities : Velocities
    sites, site_times_ms : (n_sites, 3) mm, (n_sites,) ms
        The earliest at 0.
    activation_ms : (n_nodes,) float64
        NaN where nothing was activated.
    repolarisation_ms : (n_nodes,) float64
        End of that beat; NaN where nothing was activated.
    beat : Ecg
        One beat of the truth, without noise.
    ecg : Ecg
        Six beats, as a recorder would have them.
    electrodes : Electrodes
        Where they are, known exactly.
    """

    anatomy: Anatomy
    heart: Heart
    velocities: Velocities
    sites: np.ndarray
    site_times_ms: np.ndarray
    activation_ms: np.ndarray
    repolarisation_ms: np.ndarray
    beat: Ecg
    ecg: Ecg
    electrodes: Electrodes


def drawn_anatomy(seed: int) -> Anatomy:
    """Sizes varied by 6 %, an infarct anywhere on the free wall, 15 to 45 mm wide."""
    rng = np.random.default_rng([seed, 21])
    mean = make_anatomy(seed)
    sizes = ("lv_radius_mm", "lv_wall_mm", "lv_length_mm", "rv_radius_septal_mm", "rv_radius_anterior_mm")
    factors = 1.0 + 0.06 * np.clip(rng.standard_normal(len(sizes)), -1.5, 1.5)
    varied = {name: getattr(mean, name) * factor for name, factor in zip(sizes, factors, strict=True)}
    low = rng.uniform(0.15, 0.4)
    return replace(
        mean,
        **varied,
        core_angle_deg=rng.uniform(50.0, 310.0),
        core_width_mm=rng.uniform(15.0, 45.0),
        core_apical=low,
        core_basal=low + rng.uniform(0.25, 0.45),
        corridor_width_mm=0.0,
    )


def drawn_velocities(rng: np.random.Generator) -> Velocities:
    """Over the range that is measured in human ventricles (Taggart 2000) and fitted to ECGs (Camps 2021)."""
    fibre, endocardium = rng.uniform(0.5, 0.8), rng.uniform(0.9, 1.7)
    return Velocities(fibre, rng.uniform(0.25, min(0.5, 0.75 * fibre)), endocardium)


def drawn_patient(seed: int, anatomy: Anatomy | None = None) -> Patient:
    """Mesh, sites, velocities, a beat and its ECG; the anatomy is drawn too, or given."""
    rng = np.random.default_rng([seed, 22])
    anatomy = anatomy or drawn_anatomy(seed)
    heart = true_heart(anatomy, TRUE_EDGE_MM)
    velocities = drawn_velocities(rng)
    tissue = make_tissue(heart, velocities, TISSUE, dt_ms=TRUE_DT_MS)
    sites = drawn_sites(heart, tissue, rng)
    site_times = np.array([0.0, *rng.uniform(2.0, 14.0, len(sites) - 1)])
    electrodes = replace(default_electrodes(heart), measured=True)
    activation_ms, repolarisation_ms, beat = beat_of(tissue, sites, site_times, electrodes)
    return Patient(
        anatomy, heart, velocities, sites, site_times, activation_ms, repolarisation_ms, beat, recorded(beat, rng),
        electrodes,
    )  # fmt: skip


def drawn_sites(heart: Heart, tissue: Tissue, rng: np.random.Generator) -> np.ndarray:
    """(3 to 6, 3) mm: on living endocardium of the lower three quarters, 15 mm and more apart, one or more right."""
    alive = np.unique(heart.mesh.tets[tissue.conducting])
    low = heart.apicobasal < 0.75
    left, right = (
        np.intersect1d(heart.surface_nodes(tag), alive[low[alive]]) for tag in (LV_ENDOCARDIUM, RV_ENDOCARDIUM)
    )
    chosen = [int(rng.choice(left)), int(rng.choice(right))]
    wanted = int(rng.integers(3, 7))
    while len(chosen) < wanted:
        one = int(rng.choice(left if rng.random() < 0.7 else right))
        apart = np.linalg.norm(heart.mesh.points[chosen] - heart.mesh.points[one], axis=1)
        if apart.min() > 15.0:
            chosen.append(one)
    return heart.mesh.points[rng.permutation(chosen)]


def beat_of(
    tissue: Tissue, sites: np.ndarray, site_times_ms: np.ndarray, electrodes: Electrodes
) -> tuple[np.ndarray, np.ndarray, Ecg]:
    """Activation and repolarisation times, ms, and the twelve leads of one monodomain beat."""
    heart = tissue.heart
    stimuli = tissue.started_from(sites, site_times_ms, max(3.0, 1.5 * heart.edge_mm))
    weights = electrode_weights(heart, electrodes, tissue.seen, tissue.conducting)
    activation = simulate(tissue, Protocol(stimuli, BEAT_MS), dt_ms=TRUE_DT_MS, electrode_weights=weights)
    hz = 1000.0 / float(activation.ecg_ms[1] - activation.ecg_ms[0])
    ecg = leads_from_electrodes(electrodes.names, activation.electrode_mv, hz)
    return activation.activation_ms[0], activation.repolarisation_ms[0], ecg


def recorded(beat: Ecg, rng: np.random.Generator) -> Ecg:
    """Six beats a little over half a second apart, 1.2 mV high at most, with noise and wander."""
    strip = np.tile(np.pad(beat.mv, [(0, 0), (300, 150)]), (1, 6))
    strip *= 1.2 / np.abs(strip).max()
    wave = np.sin(2.0 * np.pi * (0.25e-3 * np.arange(strip.shape[1]) + rng.random((len(LEADS), 1))))
    noise = NOISE * rng.standard_normal(strip.shape) + WANDER * wave
    return Ecg(LEADS, strip + 1.2 * noise, beat.hz)
