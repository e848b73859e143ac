"""The two contours of the left-ventricular wall, by dynamic programming in polar coordinates and one shape for all.

Endo- and epicardium are found jointly: the state on each ray is (cavity radius, wall thickness), so the wall can
never be thinner than a ventricle's. Dense scar is as bright as blood; no edge then tells the cavity from the wall.
What does is the shape: a smooth ventricle is fitted, robustly, to all rays of all slices, and pulls the rays back. Scar
brighter than blood is parted from it by a step up, which ends the cavity as a step down does.
The pairing of surfaces follows Li, Wu, Chen and Sonka 2006, doi 10.1109/TPAMI.2006.19, here per slice and by
dynamic programming, so that nothing but NumPy is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from cardiotwin.imaging import Image
from cardiotwin.segmentation.edges import blur_mm, placed
from cardiotwin.segmentation.inscribed import Circles, inscribed
from cardiotwin.segmentation.locate import TOWARDS_APEX, Axis

N_RAYS = 64
ANGLES = 2 * np.pi * np.arange(N_RAYS) / N_RAYS
"""From the column axis towards the row axis."""
STEP_MM = 1.0
REACH_MM = 70.0
DEPTHS_MM = np.arange(0.5, REACH_MM, STEP_MM)
RADII_MM = np.arange(3.0, 46.0, STEP_MM)
WALLS_MM = np.arange(4.0, 19.0, STEP_MM)
"""Thickness of a left-ventricular wall at end-diastole: from an old infarct to hypertrophy."""
USUAL_WALL_MM, WALL_SPREAD_MM = 9.0, 3.0
USUAL_SLICE_MM = 8.0
"""Distance between slices at which the stiffness along the stack is what it says."""
OUTSHINES_BLOOD = 1.25
"""Signal, with blood at 1 and healthy muscle at 0, that only scar and fat have."""
SMOOTHING_MM = 0.7
"""Gaussian over each slice before anything is looked for."""
STEEPEST = 1.5
"""Slant of the wall against the slice's normal, mm per mm, that is still believed."""
BULGE_MM, GUIDED = 2.5, 0.3
"""Beyond the smooth cavity by this much a ray has run into scar as bright as blood; trust then in the cavity."""
MOST_BULGING = 2 / 3
"""Of a ring: where more of it lies beyond the cavity, it is the cavity that is wrong."""
HARMONICS = 3
"""Of the smooth ventricle: circle, offset, ellipse and a trace of a triangle."""


@dataclass(frozen=True, eq=False)
class Wall:
    """Contours of the wall in every slice, whether or not the slice holds a ventricle.

    Attributes
    ----------
    centres : (n_slices, 2) float64
        Row and column the rays start from, pixels.
    endocardium, thickness : (n_slices, n_rays) float64
        Cavity radius and wall thickness along `ANGLES`, mm.
    profiles : (n_slices, n_rays, n_depths) float64
        Signal along the rays: 1 is blood, 0 normal myocardium.
    blood, myocardium : (n_slices,) float64
        What 1 and 0 stand for, in the image's unit.
    """

    centres: np.ndarray
    endocardium: np.ndarray
    thickness: np.ndarray
    profiles: np.ndarray
    blood: np.ndarray
    myocardium: np.ndarray
    may_be_scarred: bool

    @property
    def bright(self) -> np.ndarray:
        """(n_slices, n_rays) bool: what lies behind the endocardium is scar rather than healthy muscle."""
        if not self.may_be_scarred:
            return np.zeros(self.endocardium.shape, dtype=bool)
        behind = mean_between(self.profiles, self.endocardium + 1.5, self.endocardium + 5)
        return ndimage.median_filter((behind > 0.35).astype(np.uint8), (1, 5), mode="wrap").astype(bool)

    @property
    def epicardium(self) -> np.ndarray:
        """(n_slices, n_rays) outer radius, mm."""
        return self.endocardium + self.thickness


def find_wall(image: Image, axis: Axis, rounds: int = 6, *, circled: bool = True) -> Wall:
    """Contours around a located ventricle.

    Where scar can be, the search begins with the circles that muscle bounds, unless `circled` is false.
    Each round fits the smooth ventricle to the contours of the round before and looks again with the rays held to it.
    """
    endocardium = np.repeat(axis.radii_mm[:, None], N_RAYS, axis=1)
    thickness = np.full_like(endocardium, USUAL_WALL_MM)
    wall, circles = _sampled(image, axis.centres, endocardium, thickness), None
    circled &= wall.may_be_scarred
    if circled:
        # Twice: the first time the search may begin half a wall beside the ventricle, where the bulge drew it, and a
        # smooth cavity found from there may be one that ends in the middle of the stack.
        wall, circles = _circled(image, _circled(image, wall, None)[0], _depths_mm(image))
    for turn in range(rounds):
        # Let go of the circles, the rays of a bulge of scar would run to the epicardium and take the fit with them.
        wall = _optimal(wall, (0.2 if circled else 0.0, 0.2, 0.5, 1.0)[min(turn, 3)])
        evidence = ring_evidence(wall)
        seen = longest_run(evidence, 0.45)
        weights = np.where(seen, evidence, 0.3 * evidence) ** 4 + 0.01
        smooth_endo, smooth_wall = _smooth_ventricle(wall, weights, image.spacing_mm, circles)
        wall = _led_on(image, _recentred(image, wall, smooth_endo, smooth_wall), seen)
    return _sharpened(_optimal(wall, 1.0), image)


def _circled(image: Image, wall: Wall, depths_mm: np.ndarray | None) -> tuple[Wall, Circles]:
    """Started again from the circles that blood fills and dark wall bounds (`inscribed`)."""
    contrast = np.maximum(wall.blood - wall.myocardium, 1e-12)[:, None, None]
    signal = (smoothed(image) - wall.myocardium[:, None, None]) / contrast
    circles = inscribed(signal, wall.centres, image.spacing_mm, depths_mm)
    radii = np.repeat(circles.radii_mm[:, None], N_RAYS, axis=1)
    return _sampled(image, circles.centres, radii, wall.thickness), circles


def _depths_mm(image: Image) -> np.ndarray:
    """(n_slices,) place of each slice along the stack, towards the apex."""
    forward = image.affine[:3, 2] @ TOWARDS_APEX > 0
    return image.spacing_mm[2] * np.arange(len(image.values)) * (1 if forward else -1)


def smoothed(image: Image) -> np.ndarray:
    """(n_slices, n_rows, n_columns) what is looked at."""
    column_mm, row_mm, _ = image.spacing_mm
    sigma = (0, SMOOTHING_MM / row_mm, SMOOTHING_MM / column_mm)
    return ndimage.gaussian_filter(image.values.astype(np.float64), sigma)


def ring_evidence(wall: Wall) -> np.ndarray:
    """(n_slices,) share of rays that step down from blood to a dark wall across the endocardium."""
    inside = mean_between(wall.profiles, wall.endocardium - 5, wall.endocardium - 1)
    within = mean_between(wall.profiles, wall.endocardium + 1, wall.epicardium - 0.5)
    return ((inside > 0.5) & (inside - within > 0.3)).mean(axis=1)


WHOLE_RING = 0.75
"""Evidence from which a ring counts as seen all round."""


def longest_run(evidence: np.ndarray, least: float) -> np.ndarray:
    """(n_slices,) bool: the most consecutive slices with evidence; one poor slice between two good ones is bridged.

    However poor between two whole rings: blurred by a breath, it must not cost all slices on one side of it.
    """
    good = evidence >= least
    beside = np.minimum(evidence[:-2], evidence[2:])
    good[1:-1] |= (beside >= least) & ((evidence[1:-1] >= 0.7 * least) | (beside >= WHOLE_RING))
    runs, count = ndimage.label(good)
    return (runs == 1 + np.argmax(np.bincount(runs, minlength=2)[1:])) & good if count else good


def free_contours(wall: Wall) -> Wall:
    """What the image alone would have: every slice for itself, with no ventricle to hold its rays."""
    return _optimal(wall, 0.0)


def mean_between(profiles: np.ndarray, start_mm: np.ndarray, stop_mm: np.ndarray) -> np.ndarray:
    """(n_slices, n_rays) mean of the profiles between two depths on every ray, mm."""
    start, stop = np.maximum(start_mm, 0)[..., None], np.maximum(stop_mm, start_mm + STEP_MM)[..., None]
    within = np.clip((DEPTHS_MM - start) / STEP_MM + 0.5, 0, 1) * np.clip((stop - DEPTHS_MM) / STEP_MM + 0.5, 0, 1)
    return (profiles * within).sum(axis=-1) / np.maximum(within.sum(axis=-1), 1e-9)


def polar(plane: np.ndarray, centre: np.ndarray, row_mm: float, column_mm: float) -> np.ndarray:
    """(n_rays, n_depths) of a slice around one point."""
    rows = centre[0] + np.sin(ANGLES)[:, None] * DEPTHS_MM / row_mm
    columns = centre[1] + np.cos(ANGLES)[:, None] * DEPTHS_MM / column_mm
    return ndimage.map_coordinates(plane, [rows, columns], order=1, mode="nearest")


def _sampled(image: Image, centres: np.ndarray, endocardium: np.ndarray, thickness: np.ndarray) -> Wall:
    """Rays from the centres, with the levels of blood and myocardium read off the present contours."""
    column_mm, row_mm, _ = image.spacing_mm
    raw = np.stack([polar(plane, c, row_mm, column_mm) for plane, c in zip(smoothed(image), centres, strict=True)])
    core = np.median(endocardium, axis=1)[:, None, None] * 0.7 > DEPTHS_MM
    blood = np.nanmedian(np.where(core, raw, np.nan), axis=(1, 2))
    edge = endocardium[..., None]
    near = (edge < DEPTHS_MM) & (edge + 8 > DEPTHS_MM)
    dark = np.nanmin(np.where(near, ndimage.uniform_filter1d(raw, 3, axis=-1), np.nan), axis=-1)
    # The lower third, not the median: up to half of the ring may be scar or right-ventricular blood.
    myocardium = np.quantile(dark, 0.35, axis=1)
    blood, myocardium = (ndimage.median_filter(level, 3, mode="nearest") for level in (blood, myocardium))
    contrast = np.maximum(blood - myocardium, 1e-3 * np.abs(blood).max() + 1e-12)
    profiles = (raw - myocardium[:, None, None]) / contrast[:, None, None]
    return Wall(centres, endocardium, thickness, profiles, blood, myocardium, image.kind == "lge")


def _led_on(image: Image, wall: Wall, seen: np.ndarray) -> Wall:
    """Slices without a ring start again where the three nearest slices that show one lead."""
    if seen.sum() < 3 or seen.all():
        return wall
    centres, endocardium = wall.centres.copy(), wall.endocardium.copy()
    size, good = wall.endocardium.mean(axis=1), np.flatnonzero(seen)
    for k in np.flatnonzero(~seen):
        near = good[np.argsort(np.abs(good - k), kind="stable")[:3]]
        line = np.polynomial.polynomial.polyfit(near - k, np.column_stack([centres[near], size[near] ** 2]), 1)[0]
        centres[k] = line[:2]
        # An ellipsoid's radius squared is smooth at the apex; its radius is not.
        endocardium[k] = np.clip(np.sqrt(max(line[2], 0.0)), RADII_MM[0], size[near].max())
    return _sampled(image, centres, endocardium, wall.thickness)


def _recentred(image: Image, wall: Wall, endocardium: np.ndarray, thickness: np.ndarray) -> Wall:
    """The same ventricle seen from the middle of its cavity."""
    across = 2 * (endocardium * np.cos(ANGLES)).mean(axis=1)
    down = 2 * (endocardium * np.sin(ANGLES)).mean(axis=1)
    column_mm, row_mm, _ = image.spacing_mm
    moved = endocardium - across[:, None] * np.cos(ANGLES) - down[:, None] * np.sin(ANGLES)
    centres = wall.centres + np.stack([down / row_mm, across / column_mm], axis=1)
    return _sampled(image, centres, np.clip(moved, RADII_MM[0], RADII_MM[-1]), thickness)


def _sharpened(wall: Wall, image: Image) -> Wall:
    """Both contours moved from the grid onto the edges, and the epicardium to the inner side of its fat."""
    column_mm, row_mm, slice_mm = image.spacing_mm
    seen = np.flatnonzero(longest_run(ring_evidence(wall), 0.45))
    middle = 0.5 * (seen[0] + seen[-1]) if seen.size else 0.5 * (len(wall.blood) - 1)
    rings = []
    for ring, fat in ((wall.endocardium, None), (wall.epicardium, _fat(wall))):
        blur = blur_mm(0.5 * (row_mm + column_mm), SMOOTHING_MM, _slant(ring, middle, slice_mm), slice_mm)
        rings.append(placed(wall.profiles, DEPTHS_MM, ring, np.repeat(blur[:, None], N_RAYS, axis=1), fat))
    return replace(wall, endocardium=rings[0], thickness=rings[1] - rings[0])


def _slant(ring: np.ndarray, middle: float, slice_mm: float) -> np.ndarray:
    """(n_slices,) change of a ring's radius per mm of stack, taken towards the middle of the ventricle."""
    slices = np.arange(len(ring))
    inwards = np.clip(slices + np.where(slices < middle, 1, -1), 0, len(ring) - 1)
    squares = (ring**2).mean(axis=1)
    # An ellipsoid's radius squared is smooth at the apex; its radius is not.
    return np.clip((squares[inwards] - squares) / (2 * np.sqrt(squares) * slice_mm), 0.0, STEEPEST)


def _fat(wall: Wall) -> float:
    """Signal of the fat round the heart: the brightest there is just beyond the epicardium, in most slices."""
    beyond = (wall.epicardium[..., None] < DEPTHS_MM) & (wall.epicardium[..., None] + 15 > DEPTHS_MM)
    return float(np.median(np.nanquantile(np.where(beyond, wall.profiles, np.nan), 0.97, axis=(1, 2))))


def _costs(wall: Wall, hold: float) -> np.ndarray:
    """(n_slices, n_rays, n_radii, n_walls) of every pair of contours on every ray; the unit is mm of wrong tissue."""
    u = wall.profiles
    # Papillary muscle inside the cavity is dark, and allowed; what outshines blood is scar or fat.
    not_blood = 0.4 * np.clip(1.5 - 2 * u, 0, 1) + np.clip((u - OUTSHINES_BLOOD) / 0.25, 0, 1)
    # Behind a stretch of bright wall nothing tells muscle from fat: its thickness is that of the muscle beside it.
    bright = wall.bright[..., None] & (hold > 0)
    not_muscle = np.where(bright, 0, np.clip(2 * u - 0.5, 0, 1))
    like_muscle = 1 - np.clip(np.abs(u) / 0.3, 0, 1)
    slope = np.gradient(ndimage.gaussian_filter1d(u, 0.7, axis=-1), axis=-1)
    scarred, edge = _into_scar(wall), -_at(slope, RADII_MM)
    cavity = _until(not_blood, RADII_MM) - 3.0 * np.clip(np.maximum(edge, -edge * scarred) / 0.25, 0, 1)
    muscle = np.concatenate([np.zeros((*u.shape[:2], 1)), np.cumsum(not_muscle, axis=-1)], axis=-1)
    outer = RADII_MM[:, None] + WALLS_MM
    beyond = np.concatenate([np.zeros((*u.shape[:2], 1)), np.cumsum(like_muscle, axis=-1)], axis=-1)
    within = _cumulative(muscle, outer) - _cumulative(muscle, RADII_MM)[..., None]
    total = cavity[..., None] + (1 - scarred[..., None]) * within
    total += 0.5 * (_cumulative(beyond, outer + 4) - _cumulative(beyond, outer))
    total -= 1.5 * np.clip(np.abs(_at(slope, outer)) / 0.2, 0, 1)
    typical = wall.thickness if hold else np.full_like(wall.thickness, USUAL_WALL_MM)
    spread = np.where(bright, 0.7, 2.0 if hold else WALL_SPREAD_MM)
    total += 0.5 * ((WALLS_MM - typical[..., None]) / spread)[:, :, None, :] ** 2
    total += hold * (((RADII_MM - wall.endocardium[..., None]) / 2.0) ** 2)[..., None]
    return total


def _into_scar(wall: Wall) -> np.ndarray:
    """(n_slices, n_rays, n_radii) whether blood ends at a radius in a step up, as where scar outshines it, 0 to 1."""
    u = wall.profiles
    if not wall.may_be_scarred:
        return np.zeros((*u.shape[:2], len(RADII_MM)))
    # Blood right up to the step: the step from muscle to fat is none of these, not even where the apex blurs them.
    inside = [_at(u, np.maximum(RADII_MM - back, DEPTHS_MM[0])) for back in (1.5, 2.5, 3.5, 4.5)]
    blood = np.clip((np.minimum.reduce(inside) - 0.6) / 0.2, 0, 1)
    return blood * np.clip((_at(u, RADII_MM + 2.5) - OUTSHINES_BLOOD) / 0.25, 0, 1)


def _at(values: np.ndarray, depth_mm: np.ndarray) -> np.ndarray:
    """Linear interpolation along the last axis at the given depths."""
    where = np.clip((depth_mm - DEPTHS_MM[0]) / STEP_MM, 0, len(DEPTHS_MM) - 1.001)
    low = where.astype(int)
    return values[..., low] * (1 - (where - low)) + values[..., low + 1] * (where - low)


def _cumulative(sums: np.ndarray, depth_mm: np.ndarray) -> np.ndarray:
    """The running integral, whose first entry is depth 0, at the given depths, mm."""
    where = np.clip(depth_mm / STEP_MM, 0, sums.shape[-1] - 1.001)
    low = where.astype(int)
    return STEP_MM * (sums[..., low] * (1 - (where - low)) + sums[..., low + 1] * (where - low))


def _until(density: np.ndarray, depth_mm: np.ndarray) -> np.ndarray:
    sums = np.concatenate([np.zeros((*density.shape[:2], 1)), np.cumsum(density, axis=-1)], axis=-1)
    return _cumulative(sums, depth_mm)


def _optimal(wall: Wall, hold: float) -> Wall:
    """The cheapest closed pair of contours in each slice."""
    cost = _costs(wall, hold)
    wrap = N_RAYS // 4
    rays = np.arange(-wrap, N_RAYS + wrap) % N_RAYS
    # The bend wanted of the contour is that of the smooth ventricle; the first time there is none but a circle.
    bend = np.roll(wall.endocardium, -1, axis=1) - wall.endocardium if hold else np.zeros_like(wall.endocardium)
    total, steps = cost[:, rays[0]], []
    for before, ray in pairwise(rays):
        step, total = _advanced(total, bend[:, before])
        total = total + cost[:, ray]
        steps.append(step)
    radius, thick = _traced(total, steps)
    return replace(
        wall,
        endocardium=RADII_MM[radius[:, wrap : wrap + N_RAYS]],
        thickness=WALLS_MM[thick[:, wrap : wrap + N_RAYS]],
    )


MOVES = [(i, j) for i in (-2, -1, 0, 1, 2) for j in (-1, 0, 1)]


def _advanced(total: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best move into every state of the next ray, and its cost: (n_slices, n_radii, n_walls) each."""
    padded = np.pad(total, ((0, 0), (2, 2), (1, 1)), constant_values=np.inf)
    n_radii, n_walls = total.shape[1:]
    options = np.empty((len(MOVES), *total.shape))
    for which, (i, j) in enumerate(MOVES):
        came_from = padded[:, 2 - i : 2 - i + n_radii, 1 - j : 1 - j + n_walls]
        options[which] = came_from + (0.6 * (i - bend / STEP_MM) ** 2 + 0.6 * j**2)[:, None, None]
    step = options.argmin(axis=0)
    return step.astype(np.int8), np.take_along_axis(options, step[None], axis=0)[0]


def _traced(total: np.ndarray, steps: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Indices of radius and thickness on every ray: (n_slices, n_rays_walked) each."""
    slices = np.arange(len(total))
    radius, thick = np.unravel_index(total.reshape(len(total), -1).argmin(axis=1), total.shape[1:])
    moves = np.array(MOVES)
    radii, thicks = [radius], [thick]
    for step in reversed(steps):
        move = moves[step[slices, radii[-1], thicks[-1]]]
        radii.append(radii[-1] - move[:, 0])
        thicks.append(thicks[-1] - move[:, 1])
    return np.array(radii[::-1]).T, np.array(thicks[::-1]).T


def _smooth_ventricle(
    wall: Wall, weights: np.ndarray, spacing_mm: np.ndarray, circles: Circles | None
) -> tuple[np.ndarray, np.ndarray]:
    """Endocardium and thickness of one smooth ventricle through all slices, mm."""
    # (n_slices, 2), mm: the first harmonic of a contour moves its centre, so it is the sum that must run straight.
    places = wall.centres[:, ::-1] * spacing_mm[:2]
    contour, trust = _without_bulges(wall, spacing_mm, circles)
    endocardium = _robust_fit(contour, weights, HARMONICS, trust, places, spacing_mm[2])
    thickness = _robust_fit(
        wall.thickness, weights, 2, np.where(wall.bright, 0.0, 1.0), np.zeros_like(places), spacing_mm[2]
    )
    return endocardium, np.clip(thickness, WALLS_MM[0], WALLS_MM[-1])


def _without_bulges(wall: Wall, spacing_mm: np.ndarray, circles: Circles | None) -> tuple[np.ndarray, np.ndarray]:
    """Endocardium, mm, and trust in each ray; rays that have run into scar are led by a smooth cavity, if there is one.

    Without one, what lies off the circle most rays agree on is not trusted (`on_a_circle`).
    """
    contour, trust = wall.endocardium, on_a_circle(wall.endocardium)
    if circles is None or not circles.smooth:
        return contour, trust
    led = circles.seen_from(wall.centres, ANGLES, spacing_mm)
    bulging = contour > led + BULGE_MM
    bulging &= bulging.mean(axis=1, keepdims=True) < MOST_BULGING
    return np.where(bulging, led, contour), np.where(bulging, GUIDED, trust)


def on_a_circle(radii: np.ndarray, within_mm: float = 2.0) -> np.ndarray:
    """(n_slices, n_rays) trust in each ray: 1 on the circle most rays agree on, 0 beyond `within_mm` of it.

    A transmural infarct bright as blood can bulge a third of the contour outwards. Least squares, and reweighting
    from it, would follow; a consensus of circles through three rays each does not (doi 10.1145/358669.358692), and
    trying them all, of every fourth ray, it is not random either.
    """
    points = radii[..., None] * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=-1)
    triples = np.array([t for t in combinations(range(0, N_RAYS, 4), 3) if _wide(t)])
    trust = np.empty_like(radii)
    for k, contour in enumerate(points):
        centres, sizes = _circles_through(contour[triples])
        off = np.abs(np.linalg.norm(contour - centres[:, None], axis=-1) - sizes[:, None])
        best = np.minimum(off / within_mm, 1).sum(axis=1).argmin()
        trust[k] = np.clip(1 - (off[best] / within_mm) ** 2, 1e-3, 1)
    return trust


def _wide(triple: tuple[int, ...]) -> bool:
    """Whether the widest gap between three rays is under 200 degrees: an arc alone does not fix a circle."""
    a, b, c = triple
    return max(b - a, c - b, N_RAYS + a - c) <= 200 / 360 * N_RAYS


def _circles_through(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (n, 2) and radii (n,) of the circles through (n, 3, 2) points."""
    to_b, to_c = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    twice = 2 * (to_b[:, 0] * to_c[:, 1] - to_b[:, 1] * to_c[:, 0])
    twice = np.where(np.abs(twice) < 1e-6, 1e-6, twice)
    bb, cc = (to_b**2).sum(axis=1), (to_c**2).sum(axis=1)
    x = (to_c[:, 1] * bb - to_b[:, 1] * cc) / twice
    y = (to_b[:, 0] * cc - to_c[:, 0] * bb) / twice
    return points[:, 0] + np.stack([x, y], axis=1), np.hypot(x, y)


def _robust_fit(
    values: np.ndarray,
    weights: np.ndarray,
    harmonics: int,
    trust: np.ndarray,
    places: np.ndarray,
    slice_mm: float,
) -> np.ndarray:
    """Fourier series per slice, its change along the stack penalised, by Tukey's biweight from a given trust.

    The rays a scar has misled are outliers to it: the series is held to a circle, and to its neighbours.

    Counting residuals towards the cavity more, against papillary muscle, brings a cine's radius 1 mm nearer to what
    was drawn, and makes the basal slices jump between rounds; so all residuals count alike.
    """
    order = np.array([0] + [n for n in range(1, harmonics + 1) for _ in range(2)])
    waves = [wave(n * ANGLES) for n in range(1, harmonics + 1) for wave in (np.cos, np.sin)]
    basis = np.stack([np.ones(N_RAYS), *waves])
    n_slices, n_terms = len(values), len(basis)
    bending = _second_differences(n_slices)
    # Per mm of stack, misfit costs as h and the integral of curvature squared, of second differences, as 1/h^3.
    along = np.array([0.005, 0.1, 0.5, 0.5])[order] * N_RAYS * (USUAL_SLICE_MM / slice_mm) ** 4
    round_ = np.where(order < 2, 0.0, 0.01 * order**3) * N_RAYS
    stack = np.kron(bending.T @ bending, np.diag(along))
    penalty = stack + np.kron(np.eye(n_slices), np.diag(round_ + 1e-6))
    offset = np.zeros((n_slices, n_terms))
    offset[:, 1:3] = places
    pull = -stack @ offset.ravel()
    known = trust > 0
    for _ in range(15):
        normal, right = penalty.copy(), np.empty(n_slices * n_terms)
        for k in range(n_slices):
            here = slice(k * n_terms, (k + 1) * n_terms)
            weighted = basis * (weights[k] * trust[k])
            normal[here, here] += weighted @ basis.T
            right[here] = weighted @ values[k]
        # Slices talk to two neighbours on either side: sparse, and solved without threads that wait for each other.
        solved = spsolve(sparse.csc_array(normal), right + pull)
        fitted = solved.reshape(n_slices, n_terms) @ basis
        residual = values - fitted
        spread = np.clip(1.48 * np.median(np.abs(residual[weights > 0.3 * weights.max()])), 0.7, 1.5)
        trust = known * np.clip(1 - (residual / (3 * spread)) ** 2, 0, 1) ** 2
    return fitted


def _second_differences(n: int) -> np.ndarray:
    """(n - 2, n) matrix of second differences."""
    return np.diff(np.eye(n), n=2, axis=0)
