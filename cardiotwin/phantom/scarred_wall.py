"""A piece of heart wall with a round scar that a premature beat runs around: re-entry within seconds of computing.

Beside the scar lies border zone that stays refractory for longer than any real one. A premature beat from next to it
leaves on the other side only, runs around the scar, and comes back when the border zone has recovered. For examples,
benchmarks and tests of what comes after pacing; nothing about a patient follows from it.
"""

from __future__ import annotations

import numpy as np

from cardiotwin.calibration.posterior import Posterior
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY, LEFT, LV_ENDOCARDIUM, Heart
from cardiotwin.meshes.reference.slab import slab
from cardiotwin.settings import InduceSettings, TissueSettings

SIDE_MM, THICKNESS_MM, EDGE_MM, SCAR_MM = 45.0, 3.0, 1.5, 12.0
EPICARDIUM = 1

WALL_TISSUE = TissueSettings(
    cell_model="mitchell_schaeffer",
    tau_close_ms=60.0,
    border_zone_apd_factor=3.0,
    border_zone_velocity_fraction=1.0,
)
"""Short action potentials, so that a wave fits around the scar."""

WALL_PACING = InduceSettings(
    cell_model="mitchell_schaeffer",
    border_zone_profiles=("structural_and_ionic",),
    dt_ms=0.1,
    sites=("3 30 0", "42 22 0"),
    n_draws=4,
    s1_beats=2,
    s1_cycle_length_ms=800.0,
    s2_first_ms=350.0,
    s2_last_ms=120.0,
    extra_stimuli=1,
    watch_ms=1200.0,
    workers=1,
)
"""Beside the border zone and opposite."""


def scarred_wall() -> Heart:
    """45 x 45 mm, 3 mm thick, at 1.5 mm; a core 24 mm wide. Endocardium at z = 0, apex at y = 0."""
    mesh = slab((SIDE_MM, SIDE_MM, THICKNESS_MM), EDGE_MM)
    x, y = (mesh.centroids[:, :2] - SIDE_MM / 2).T
    core = np.maximum(np.abs(x), np.abs(y)) < SCAR_MM
    late = (x < -SCAR_MM) & (y > -SCAR_MM - 4.0) & (y < 1.0)
    faces = mesh.boundary_faces()
    inside = (mesh.points[faces][:, :, 2] < 1e-9).all(axis=1)
    along = np.tile(np.eye(3), (len(mesh.tets), 1, 1))
    return Heart(
        mesh=mesh,
        tissue_class=np.where(core, CORE, np.where(late, BORDER_ZONE, HEALTHY)).astype(np.uint8),
        ventricle=np.full(len(mesh.tets), LEFT, np.uint8),
        fibres=along[:, 1],
        sheets=along[:, 0],
        normals=along[:, 2],
        transmural=mesh.points[:, 2] / THICKNESS_MM,
        apicobasal=mesh.points[:, 1] / SIDE_MM,
        faces=faces,
        surface=np.where(inside, LV_ENDOCARDIUM, EPICARDIUM).astype(np.uint8),
        edge_mm=EDGE_MM,
        scar_assessable=True,
    )


def wall_ensemble(velocities: tuple[float, ...] = (0.27, 0.29, 0.31, 0.33)) -> Posterior:
    """Equally likely members, each of one velocity in all directions, m/s; what an ECG would add is left empty."""
    return Posterior.of_velocities([(velocity, velocity) for velocity in velocities])
