"""The phantom patient's heart: smooth implicit functions in patient coordinates, with a healed anterior infarct.

Everything is a signed distance (negative inside), to first order exact near its surface: an ellipsoid's level set
divided by the length of its gradient. Blends are polynomial, so walls meet in fillets, not in wedges no mesh could
resolve.

The frame of the heart has its origin in the centre of the left ventricle's base and its axes towards the right
ventricle (across the septum), the anterior wall and the base, in that order: right-handed. The infarct lives on the
unrolled mid-wall of the left ventricle, in millimetres of arc round and along it, so that its sizes are what they are
called.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cardiotwin.segmentation import BACKGROUND, BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, RV_BLOOD


@dataclass(frozen=True)
class Anatomy:
    """Every size of the phantom heart and its scar.

    The defaults are a small heart (about 67 mL of myocardium), so that the whole study of it takes minutes, with a
    circuit long enough for the wave to find excitable tissue ahead of it: up the corridor and back round the core,
    330 ms at 0.6 and 0.3 m/s and half of that in the corridor (eikonal), 380 to 440 ms where a front is as wide as a
    coarse lattice needs it (monodomain).
    Angles are about the long axis, from the middle of the septum (0) over the anterior wall (90).
    """

    seed: int = 0
    base_centre_mm: tuple[float, float, float] = (8.0, 8.0, 12.0)
    apex_direction: tuple[float, float, float] = (0.62, -0.58, -0.53)
    septum_direction: tuple[float, float, float] = (-0.70, -0.70, 0.0)
    """Towards the right ventricle; its part along the long axis is removed."""

    lv_radius_mm: float = 24.5
    lv_wall_mm: float = 8.5
    lv_apex_wall_mm: float = 6.0
    lv_length_mm: float = 60.0
    lv_equator_mm: float = 13.0
    """Widest level below the base."""

    rv_offset_mm: float = 15.0
    rv_radius_septal_mm: float = 28.0
    rv_radius_anterior_mm: float = 28.0
    rv_wall_mm: float = 3.0
    rv_length_mm: float = 51.0
    rv_equator_mm: float = 11.0
    fillet_mm: float = 5.0

    core_angle_deg: float = 100.0
    core_width_mm: float = 40.0
    core_apical: float = 0.18
    core_basal: float = 0.80
    """Apicobasal extent: 0 apex to 1 base, by depth along the axis."""
    core_corner_mm: float = 12.0
    core_transmural: float = 1.0
    """Share of the wall that scar takes, from the endocardium outwards."""
    border_zone_mm: float = 2.5
    corridor_width_mm: float = 6.0
    corridor_offset_mm: float = 0.0
    """From the middle of the core, along the circumference; positive away from the septum."""

    @property
    def axes(self) -> np.ndarray:
        """(3, 3) columns: unit vectors towards right ventricle, anterior wall and base, in LPS."""
        base = -np.asarray(self.apex_direction, float)
        base /= np.linalg.norm(base)
        septum = np.asarray(self.septum_direction, float)
        septum -= base * (septum @ base)
        septum /= np.linalg.norm(septum)
        return np.stack([septum, np.cross(base, septum), base], axis=1)

    @property
    def apex_mm(self) -> np.ndarray:
        """(3,) tip of the left ventricle, LPS."""
        return self.to_lps(np.array([[0.0, 0.0, -self.lv_length_mm]]))[0]

    def to_lps(self, local: np.ndarray) -> np.ndarray:
        """(n, 3) from the heart's frame to LPS, mm."""
        return np.asarray(local) @ self.axes.T + np.asarray(self.base_centre_mm)

    def to_local(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) from LPS to the heart's frame, mm."""
        return (np.asarray(points) - np.asarray(self.base_centre_mm)) @ self.axes


def make_anatomy(seed: int) -> Anatomy:
    """A patient: the default sizes, each varied by a few per cent, and the heart turned by a few degrees."""
    rng = np.random.default_rng([seed, 1])
    angle, width, offset = bounded_normal(rng, 3)
    sizes = ("lv_radius_mm", "lv_wall_mm", "lv_length_mm", "rv_radius_septal_mm", "rv_radius_anterior_mm")
    factors = 1 + 0.02 * bounded_normal(rng, len(sizes))
    mean = Anatomy()
    varied = {name: getattr(mean, name) * factor for name, factor in zip(sizes, factors, strict=True)}
    return replace(
        mean,
        seed=seed,
        **varied,
        base_centre_mm=tuple(mean.base_centre_mm + 4.0 * bounded_normal(rng, 3)),
        apex_direction=tuple(mean.apex_direction + 0.05 * bounded_normal(rng, 3)),
        septum_direction=tuple(mean.septum_direction + 0.05 * bounded_normal(rng, 3)),
        core_angle_deg=mean.core_angle_deg + 4.0 * angle,
        core_width_mm=mean.core_width_mm * (1 + 0.03 * width),
        corridor_offset_mm=1.5 * offset,
    )


def bounded_normal(rng: np.random.Generator, size: int | tuple[int, ...]) -> np.ndarray:
    """Normal deviates held within two standard deviations: different patients, but never a monster."""
    return np.clip(rng.standard_normal(size), -2.0, 2.0)


def labels_at(anatomy: Anatomy, points: np.ndarray) -> np.ndarray:
    """Tissue at any points.

    Parameters
    ----------
    points : (n, 3) float
        LPS, mm.

    Returns
    -------
    (n,) uint8
        Labels of `cardiotwin.segmentation`.
    """
    local = anatomy.to_local(points)
    labels = np.full(len(local), BACKGROUND, np.uint8)
    reach = anatomy.rv_offset_mm + anatomy.rv_radius_septal_mm + 5.0
    near = np.flatnonzero(
        (local[:, 2] <= 0) & (local[:, 2] > -anatomy.lv_length_mm - 5) & (np.hypot(*local.T[:2]) < reach)
    )
    labels[near] = _labels_below_base(anatomy, local[near])
    return labels


def _labels_below_base(anatomy: Anatomy, local: np.ndarray) -> np.ndarray:
    distances = wall_distances(anatomy, local)
    labels = np.full(len(local), BACKGROUND, np.uint8)
    labels[distances.outer < 0] = MYOCARDIUM
    labels[distances.rv_cavity < 0] = RV_BLOOD
    labels[distances.lv_cavity < 0] = LV_BLOOD
    # The scar belongs to the left ventricle; a fillet at the right ventricle's insertion stays healthy.
    depth = distances.lv_cavity / np.maximum(distances.lv_cavity - distances.lv_outer, 1e-9)
    scarred = (distances.lv_outer < 0) & (depth <= anatomy.core_transmural)
    wall = np.flatnonzero((labels == MYOCARDIUM) & scarred)
    labels[wall] = _scar_labels(anatomy, local[wall])
    return labels


@dataclass(frozen=True, eq=False)
class WallDistances:
    """Signed distances to the surfaces, mm, each (n,), negative inside."""

    outer: np.ndarray
    lv_outer: np.ndarray
    lv_cavity: np.ndarray
    rv_cavity: np.ndarray


def wall_distances(anatomy: Anatomy, local: np.ndarray) -> WallDistances:
    """How far (n, 3) points in the heart's frame are from its surfaces; valid on both sides of the base plane."""
    lv_radius, wall = anatomy.lv_radius_mm, anatomy.lv_wall_mm
    lv_depth = anatomy.lv_length_mm - anatomy.lv_equator_mm
    lv_centre = (0.0, 0.0, -anatomy.lv_equator_mm)
    lv_outer = ellipsoid(local, lv_centre, (lv_radius, lv_radius, lv_depth))
    lv_axes = (lv_radius - wall, lv_radius - wall, lv_depth - anatomy.lv_apex_wall_mm)
    rv_axes = (anatomy.rv_radius_septal_mm, anatomy.rv_radius_anterior_mm, anatomy.rv_length_mm - anatomy.rv_equator_mm)
    rv_outer = ellipsoid(local, (anatomy.rv_offset_mm, 0.0, -anatomy.rv_equator_mm), rv_axes)
    return WallDistances(
        outer=smooth_union(lv_outer, rv_outer, anatomy.fillet_mm),
        lv_outer=lv_outer,
        lv_cavity=ellipsoid(local, lv_centre, lv_axes),
        rv_cavity=-smooth_union(-(rv_outer + anatomy.rv_wall_mm), lv_outer, anatomy.fillet_mm),
    )


def ellipsoid(points: np.ndarray, centre: tuple[float, ...], semi_axes: tuple[float, ...]) -> np.ndarray:
    """Distance of (n, 3) points to an ellipsoid, exact to first order near its surface."""
    scaled = (points - np.asarray(centre)) / np.asarray(semi_axes)
    level = np.linalg.norm(scaled, axis=1)
    slope = np.linalg.norm(scaled / np.asarray(semi_axes), axis=1)
    return np.where(slope > 1e-9, (level - 1) * level / np.maximum(slope, 1e-9), -min(semi_axes))


def smooth_union(first: np.ndarray, second: np.ndarray, radius: float) -> np.ndarray:
    """The smaller of two distances, with a fillet where they meet."""
    overlap = np.maximum(radius - np.abs(first - second), 0) / radius
    return np.minimum(first, second) - 0.25 * radius * overlap**2


@dataclass(frozen=True, eq=False)
class MidWall:
    """The left ventricle's mid-wall, unrolled.

    Attributes
    ----------
    radius, depth : float
        Semi-axes of the mid-wall ellipsoid, mm.
    angle : (k,) float64
        Angle of the ellipse's parameter from the apex, radians.
    arc : (k,) float64
        Length of the meridian from the apex to there, mm.
    """

    radius: float
    depth: float
    angle: np.ndarray
    arc: np.ndarray


def mid_wall(anatomy: Anatomy) -> MidWall:
    """Tabulate the meridian's length; an elliptic integral has no shorter form."""
    radius = anatomy.lv_radius_mm - 0.5 * anatomy.lv_wall_mm
    depth = anatomy.lv_length_mm - anatomy.lv_equator_mm - 0.5 * anatomy.lv_apex_wall_mm
    angle = np.linspace(0.0, 0.75 * np.pi, 1501)
    slope = np.hypot(radius * np.cos(angle), depth * np.sin(angle))
    arc = np.concatenate([[0.0], np.cumsum(0.5 * (slope[1:] + slope[:-1]) * np.diff(angle))])
    return MidWall(radius, depth, angle, arc)


def unrolled(anatomy: Anatomy, local: np.ndarray) -> np.ndarray:
    """(n, 3) in the heart's frame to (n, 2) mm on the unrolled mid-wall.

    The first runs round the wall from the core's middle, the second up from the apex.
    """
    wall = mid_wall(anatomy)
    radial = np.hypot(local[:, 0], local[:, 1])
    angle = np.arctan2(radial / wall.radius, -(local[:, 2] + anatomy.lv_equator_mm) / wall.depth)
    turn = np.arctan2(local[:, 1], local[:, 0]) - np.deg2rad(anatomy.core_angle_deg)
    turn = np.remainder(turn + np.pi, 2 * np.pi) - np.pi
    return np.stack([turn * wall.radius * np.sin(angle), np.interp(angle, wall.angle, wall.arc)], axis=1)


def rolled(anatomy: Anatomy, round_mm: np.ndarray, up_mm: np.ndarray) -> np.ndarray:
    """The inverse of `unrolled` on the mid-wall: (n, 3) in the heart's frame."""
    wall = mid_wall(anatomy)
    angle = np.interp(up_mm, wall.arc, wall.angle)
    radius = wall.radius * np.sin(angle)
    turn = np.deg2rad(anatomy.core_angle_deg) + round_mm / radius
    height = -anatomy.lv_equator_mm - wall.depth * np.cos(angle)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)


def core_span_mm(anatomy: Anatomy) -> tuple[float, float]:
    """Where the core begins and ends along the unrolled meridian."""
    wall = mid_wall(anatomy)
    height = anatomy.lv_length_mm * (np.array([anatomy.core_apical, anatomy.core_basal]) - 1)
    # A core that begins below the tip of the mid-wall begins at the tip.
    angle = np.arccos(np.clip(-(height + anatomy.lv_equator_mm) / wall.depth, -1.0, 1.0))
    low, high = np.interp(angle, wall.angle, wall.arc)
    return float(low), float(high)


def _scar_labels(anatomy: Anatomy, local: np.ndarray) -> np.ndarray:
    across = unrolled(anatomy, local)
    low, high = core_span_mm(anatomy)
    to_core = rounded_box(
        across - [0.0, 0.5 * (low + high)], (0.5 * anatomy.core_width_mm, 0.5 * (high - low)), anatomy.core_corner_mm
    )
    corridor = np.abs(across[:, 0] - anatomy.corridor_offset_mm) < 0.5 * anatomy.corridor_width_mm
    labels = np.full(len(local), MYOCARDIUM, np.uint8)
    labels[to_core < anatomy.border_zone_mm] = BORDER_ZONE
    labels[(to_core < 0) & ~corridor] = CORE
    return labels


def rounded_box(points: np.ndarray, half_size: tuple[float, float], corner: float) -> np.ndarray:
    """Distance of (n, 2) points to a rectangle round the origin with round corners."""
    beyond = np.abs(points) - np.asarray(half_size) + corner
    return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0) - corner


def corridor_centre_line(anatomy: Anatomy, count: int = 41) -> np.ndarray:
    """(count, 3) LPS, mm: the middle of the corridor on the mid-wall, from its apical to its basal mouth."""
    up = np.linspace(*core_span_mm(anatomy), count)
    return anatomy.to_lps(rolled(anatomy, np.full(count, anatomy.corridor_offset_mm), up))


def endocardial_point(anatomy: Anatomy, ventricle: str, angle_deg: float, apicobasal: float) -> np.ndarray:
    """(3,) LPS: the endocardium where a ray from the long axis leaves the left cavity, or last leaves the right one.

    Parameters
    ----------
    ventricle : str
        ``"left"`` or ``"right"`` (its free wall).
    angle_deg : float
        From the middle of the septum over the anterior wall.
    apicobasal : float
        0 apex to 1 base.
    """
    radial = np.linspace(0.0, anatomy.rv_offset_mm + anatomy.rv_radius_septal_mm, 2001)
    direction = np.array([np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg)), 0.0])
    ray = radial[:, None] * direction + [0.0, 0.0, -anatomy.lv_length_mm * (1 - apicobasal)]
    distances = wall_distances(anatomy, ray)
    cavity = distances.lv_cavity if ventricle == "left" else distances.rv_cavity
    inside = np.flatnonzero(cavity < 0)
    if not inside.size:
        raise ValueError(f"no {ventricle} ventricle at {angle_deg} degrees, apicobasal {apicobasal}")
    return anatomy.to_lps(ray[inside[-1:]])[0]
