"""The ten electrodes of a 12-lead ECG: measured, or placed where a nurse would put them.

Two rules place them around a heart in the scanner's frame, patient on the back: on the parametric torso of
`meshes/reference/torso.py` (`torso_electrodes`), or at fixed offsets from the heart (`offset_electrodes`). They lie in
an infinite conductor, or on the skin of a torso (`in_torso`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cardiotwin.ecg.torso_conductor import TorsoConductor, TorsoSurface, torso_conductor
from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import LEFT, Heart
from cardiotwin.meshes.reference.torso import (
    CHEST_GIRTH_SD_MM,
    ILIAC_CREST,
    STATURE_SD_MM,
    Torso,
    adult_torso,
)
from cardiotwin.settings import ElectrodeSettings

ELECTRODES = ("LA", "RA", "LL", "RL", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True, eq=False)
class Electrodes:
    """Where the electrodes are.

    Attributes
    ----------
    names : tuple of str
        Of `ELECTRODES`.
    positions : (n_electrodes, 3) float64
        LPS, mm.
    measured : bool
        False when they were placed by a rule from the heart.
    uncertainty_mm : (n_electrodes,) float64 or None
        Standard deviation of each electrode in any one direction along the skin, mm; None where nobody stated one.
    conductor : TorsoConductor or None
        The torso on whose skin they lie; None: an infinite conductor around heart and electrodes.
    """

    names: tuple[str, ...]
    positions: np.ndarray
    measured: bool
    uncertainty_mm: np.ndarray | None = None
    conductor: TorsoConductor | None = None

    def __repr__(self) -> str:
        how = "measured" if self.measured else "placed by rule"
        return f"Electrodes({' '.join(self.names)}; {how}; in {self.where})"

    @property
    def where(self) -> str:
        """What conducts to them, in words."""
        return "an infinite conductor" if self.conductor is None else str(self.conductor)

    @property
    def in_words(self) -> str:
        """Where they come from, how far off that may be, and what conducts to them."""
        if self.measured:
            return f"measured; in {self.where}"
        spread = self.uncertainty_mm
        off = (
            "" if spread is None else f", each with a standard deviation of {spread.min():.0f} to {spread.max():.0f} mm"
        )
        return f"placed by a rule from the heart{off}: measured ones, as CSV, would narrow the answer; in {self.where}"


_CHEST_WALL_MM = 20.0
"""No placed electrode comes closer to the muscle of the heart."""


def default_electrodes(heart: Heart) -> Electrodes:
    """Where electrodes go that nobody measured and nobody said anything about: `offset_electrodes`."""
    # Not the torso, whose electrodes are farther from those of the one real subject with measured ones (36 mm against
    # 20). But the offsets look like that subject's own, rounded: on the phantom the torso does better (36 against 44).
    return offset_electrodes(heart)


def place(heart: Heart, settings: ElectrodeSettings) -> Electrodes:
    """Ten electrodes by the rule in the settings.

    Raises
    ------
    SettingsError
        A stature that is no adult's.
    """
    if settings.rule == "offsets":
        return offset_electrodes(heart)
    return torso_electrodes(heart, **_whose(settings))


def in_conductor(
    heart: Heart, electrodes: Electrodes, settings: ElectrodeSettings, surface: TorsoSurface | None = None
) -> Electrodes:
    """The same electrodes in the conductor that the settings ask for; `surface` counts in a torso only.

    Raises
    ------
    InputRejected, SettingsError
        As `in_torso`.
    """
    if settings.conductor == "infinite":
        return electrodes
    return in_torso(heart, electrodes, surface=surface, **_whose(settings))


def _whose(settings: ElectrodeSettings) -> dict[str, Any]:
    return {
        "sex": None if settings.sex == "unknown" else settings.sex,
        "stature_mm": settings.stature_mm or None,
    }


CONDUCTOR_STEP_MM = 20.0
"""Between nodes of the mean adult's skin as a conductor: 4,000 triangles."""


def in_torso(
    heart: Heart,
    electrodes: Electrodes,
    *,
    surface: TorsoSurface | None = None,
    sex: str | None = None,
    stature_mm: float | None = None,
) -> Electrodes:
    """The same electrodes on the skin of a homogeneous torso, for `electrode_weights` of whatever heart.

    Parameters
    ----------
    heart : Heart
        Inside the torso; the scanner's frame, patient on the back, unless `surface` is given.
    electrodes : Electrodes
        Each goes to the nearest point of the skin; `positions` stay, `conductor` says how far that is.
    surface : TorsoSurface, optional
        The patient's own; without it the mean adult's around this heart (`torso_around`).
    sex, stature_mm : str, float or None
        As `adult_torso`.

    Raises
    ------
    InputRejected
        As `torso_conductor`.
    SettingsError
        As `adult_torso`.
    """
    whose = "the patient's own torso"
    if surface is None:
        placed, whose = torso_around(heart, adult_torso(sex, stature_mm)), "a mean adult's torso"
        points, triangles = placed.torso.surface(CONDUCTOR_STEP_MM)
        surface = TorsoSurface(placed.to_lps(points), triangles)
    conductor = torso_conductor(
        surface.points, surface.triangles, electrodes.names, electrodes.positions,
        heart_points=heart.mesh.points, whose=whose,
    )  # fmt: skip
    return replace(electrodes, conductor=conductor)


MOST_TO_MIDDLE_MM, MOST_TO_CHEST_MM = 200.0, 150.0
"""From the middle of the wall to the middle of the electrodes, and to the nearest of V1 to V6. 47 and 86 mm in one real
subject; 36 to 81 and 51 to 101 by the rules here, around hearts of 0.6 to 1.5 times the size."""


def check_around(heart: Heart, electrodes: Electrodes) -> None:
    """That these electrodes and this heart can be of one body: in one frame, limbs at their roots.

    Raises
    ------
    InputRejected
        The middle of the box around them (RL, the ground, left out) more than 200 mm from that of the wall, or none of
        V1 to V6 within 150 mm of it.
    """
    centre = _middle(heart)
    leads = np.array([name != "RL" for name in electrodes.names])
    chest = np.array([name.startswith("V") for name in electrodes.names])
    positions = electrodes.positions[leads]
    off = 0.5 * (positions.min(axis=0) + positions.max(axis=0)) - centre
    nearest = np.linalg.norm(electrodes.positions[chest] - centre, axis=1).min(initial=np.inf)
    if np.linalg.norm(off) > MOST_TO_MIDDLE_MM:
        found = (
            f"their middle {np.linalg.norm(off):.0f} mm from the heart's ({off[0]:+.0f} left, {off[1]:+.0f} back, "
            f"{off[2]:+.0f} up); expected at most {MOST_TO_MIDDLE_MM:.0f} mm"
        )
    elif nearest > MOST_TO_CHEST_MM:
        found = (
            f"none of V1 to V6 nearer than {nearest:.0f} mm to the heart's middle; expected {MOST_TO_CHEST_MM:.0f} mm"
        )
    else:
        return
    raise InputRejected(
        f"electrodes: found {found}. Give them in the frame of the images or mesh (LPS, mm), limbs at their roots "
        "(shoulder, hip), or take them out (`cardiotwin remove`)"
    )


def _middle(heart: Heart) -> np.ndarray:
    """(3,) centre of the ventricular wall, LPS, mm."""
    return heart.mesh.volumes @ heart.mesh.centroids / heart.mesh.volumes.sum()


# --- On the parametric torso ---------------------------------------------------------------------------------------

LEFT_OF_MIDLINE_MM, BELOW_NOTCH = 50.0, 126.0 / 1610.0
"""Where the left ventricle lies in the chest: 50.0 (standard deviation 8.3) mm left of the midline in 72 adults without
heart failure ("The optimum chest compression site ... demonstrated by computed tomography", Am J Emerg Med, December
2017), and 126 mm below the sternal notch in 39 adults with their arms down (Usawasuraiin et al. 2022, doi
10.3390/jcdd9040100; as a share of their stature, which is not given: 1.61 m is an estimate)."""
SKIN_TO_HEART_MM = 32.0
"""From the skin beside the sternum to the muscle, 32.1 (7.9) mm in 150 adults (J Am Soc Echocardiogr, June 2008)."""
FIFTH_SPACE, FOURTH_ABOVE_FIFTH_MM, STERNUM_EDGE_MM = 0.090, 29.0, 32.0
"""Fifth intercostal space: below the notch by this share of the stature; the fourth above it; edges of the sternum from
the midline (patent application US 2023/0017159). In 55 chests the fourth space is 67 % of the way from the notch to the
xiphoid (Day et al. 2015, doi 10.1016/j.jelectrocard.2015.08.019), the same if that way is 190 mm."""
_ARM_ROOT, _BELOW_CLAVICLE_MM = 0.75, 20.0
"""A limb is at the potential of its root, where exercise tests clip it (Mason & Likar, Am Heart J 1966;71:196). Arms:
the hollow below the clavicle, three quarters of the way to the shoulder's tip (an estimate); legs: the iliac crest in
the anterior axillary line."""
_INCH_MM = 25.4
_PLACING_MM = {"V1": 1.31 * _INCH_MM, "V4": 0.98 * _INCH_MM}
_PLACING_MEAN_MM = 1.14 * _INCH_MM
"""Mean distance from the anatomical site to where 30 technicians put the electrode: V1, V4 and the mean of all six
(Wenger & Kligfield, J Electrocardiol 1996;29(3), PubMed 8854328). A Gaussian of standard deviation s along both
directions of the skin is s √(π/2) away on average."""
_HEART_SD_MM = float(np.sqrt((8.3**2 + 13.6**2 + 7.9**2) / 3.0))
"""Of the heart in the chest: leftward and upward (the first study above), behind the skin (the third)."""
_ROOT_SD_MM = 100.0 / np.sqrt(12.0)
"""A limb's root is some 100 mm across: anywhere there is as good (an estimate)."""


@dataclass(frozen=True, eq=False)
class PlacedTorso:
    """A torso around a heart.

    Attributes
    ----------
    torso : Torso
    origin : (3,) float64
        Its origin (midline, table, sternal notch) in the heart's frame, LPS, mm.
    stretch : (3,) float64
        Along its three axes: 1 where it is the torso as it is.
    """

    torso: Torso
    origin: np.ndarray
    stretch: np.ndarray

    def to_lps(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points of the torso's own frame in the heart's."""
        return self.origin + self.stretch * points


def torso_around(heart: Heart, torso: Torso) -> PlacedTorso:
    """Put the left ventricle where it lies in the mean chest, and the breastbone's skin 32 mm before the muscle.

    Parameters
    ----------
    heart : Heart
        In the scanner's frame, patient on the back: x to the left, y to the back, z to the head.
    torso : Torso
    """
    left = heart.ventricle == LEFT
    which = left if left.any() else np.ones(len(left), bool)
    centre = np.average(heart.mesh.centroids[which], axis=0, weights=heart.mesh.volumes[which])
    origin = centre + np.array([-LEFT_OF_MIDLINE_MM, 0.0, BELOW_NOTCH * torso.stature_mm])
    points = heart.mesh.points - origin
    skin = torso.front(points[:, 0], points[:, 2])
    origin[1] += np.min(points[:, 1] - skin[:, 1]) - SKIN_TO_HEART_MM
    return PlacedTorso(torso, origin, np.ones(3))


def torso_at(electrodes: Electrodes) -> PlacedTorso:
    """The mean torso, moved and stretched along its axes so that its landmarks fall on these electrodes at best.

    To show where electrodes are that were measured; least squares, each axis by itself, stretched by at most a third.
    """
    torso = adult_torso()
    sites = landmarks(torso)
    here = np.array([sites[name] for name in electrodes.names])
    around, there = here.mean(axis=0), electrodes.positions.mean(axis=0)
    spread = ((here - around) ** 2).sum(axis=0)
    stretch = ((here - around) * (electrodes.positions - there)).sum(axis=0) / spread
    stretch = np.clip(stretch, 0.75, 4.0 / 3.0)
    return PlacedTorso(torso, there - stretch * around, stretch)


def shown_skin(electrodes: Electrodes, step_mm: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) points, LPS, mm, and (m, 3) triangles of the skin to show electrodes on: that of their conductor, if any.

    Else that of `torso_at`, with nodes this far apart.
    """
    if electrodes.conductor is not None:
        return electrodes.conductor.points, electrodes.conductor.triangles
    placed = torso_at(electrodes)
    points, triangles = placed.torso.surface(step_mm)
    return placed.to_lps(points), triangles


def torso_electrodes(heart: Heart, *, sex: str | None = None, stature_mm: float | None = None) -> Electrodes:
    """Ten electrodes at their landmarks on the mean torso around this heart.

    V1 and V2 in the fourth intercostal space beside the sternum, V4 in the fifth in the midclavicular, V5 in the
    anterior and V6 in the midaxillary line at the same height, V3 halfway between V2 and V4; the limbs at their roots.
    None comes closer than 20 mm to the muscle.

    Parameters
    ----------
    heart : Heart
        As `torso_around`.
    sex, stature_mm : str, float or None
        As `adult_torso`.

    Raises
    ------
    SettingsError
        As `adult_torso`.
    """
    placed = torso_around(heart, adult_torso(sex, stature_mm))
    sites = landmarks(placed.torso)
    positions = _outside(heart, placed.origin + np.array([sites[name] for name in ELECTRODES]))
    return Electrodes(ELECTRODES, positions, measured=False, uncertainty_mm=_uncertainty_mm(placed.torso, sites))


def landmarks(torso: Torso) -> dict[str, np.ndarray]:
    """(3,) of each electrode on the skin, in the torso's own frame, mm."""
    fifth = -FIFTH_SPACE * torso.stature_mm
    fourth = fifth + FOURTH_ABOVE_FIFTH_MM
    v2 = torso.front(STERNUM_EDGE_MM, fourth)
    v4, v6 = torso.front(0.25 * torso.biacromial_mm, fifth), torso.skin(90.0, fifth)
    # The anterior axillary line, which no survey measures: halfway along the skin between the lines beside it.
    turns = np.linspace(0.0, 90.0, 901)
    round_the_chest = torso.skin(turns, fifth)
    between = round_the_chest[round_the_chest[:, 0] >= v4[0]]
    run = np.cumsum(np.linalg.norm(np.diff(between, axis=0), axis=1))
    v5 = between[1 + np.searchsorted(run, 0.5 * run[-1])]
    arm_x, arm_z = 0.5 * _ARM_ROOT * torso.biacromial_mm, -_BELOW_CLAVICLE_MM
    leg_z = torso.level_mm(ILIAC_CREST)
    return {
        "LA": torso.front(arm_x, arm_z), "RA": torso.front(-arm_x, arm_z),
        "LL": torso.front(v5[0], leg_z), "RL": torso.front(-v5[0], leg_z),
        "V1": torso.front(-STERNUM_EDGE_MM, fourth), "V2": v2,
        "V3": torso.front(0.5 * (v2[0] + v4[0]), 0.5 * (fourth + fifth)), "V4": v4, "V5": v5, "V6": v6,
    }  # fmt: skip


def _uncertainty_mm(torso: Torso, sites: Mapping[str, np.ndarray]) -> np.ndarray:
    """(10,) placing, the heart's place in the chest, and how far this body may be from the mean one."""
    heart_z = -BELOW_NOTCH * torso.stature_mm
    found = []
    for name in ELECTRODES:
        if name.startswith("V"):
            placing = _PLACING_MM.get(name, _PLACING_MEAN_MM) / np.sqrt(0.5 * np.pi)
            body = CHEST_GIRTH_SD_MM / (2.0 * np.pi) if name in ("V5", "V6") else 0.0
        else:
            placing, body = _ROOT_SD_MM, STATURE_SD_MM * abs(sites[name][2] - heart_z) / torso.stature_mm
        found.append(np.sqrt(placing**2 + _HEART_SD_MM**2 + body**2))
    return np.array(found)


def _outside(heart: Heart, positions: np.ndarray) -> np.ndarray:
    """Electrodes moved away from the centre of the wall until no node is closer than the chest wall is thick."""
    centre = _middle(heart)
    moved = np.array(positions, np.float64)
    for electrode in moved:
        outward = (electrode - centre) / np.linalg.norm(electrode - centre)
        while np.linalg.norm(heart.mesh.points - electrode, axis=1).min() < _CHEST_WALL_MM:
            electrode += 2.0 * outward
    return moved


def placements(heart: Heart, electrodes: Electrodes, count: int, seed: int = 0) -> list[Electrodes]:
    """Where the electrodes may be as well: draws from their stated uncertainty, the first as they are.

    The heart's place in the chest, the same for all, in any direction; and each electrode's own along the skin, taken
    as the plane across the way from the heart. In a torso they then go to the nearest point of its skin.

    Parameters
    ----------
    heart : Heart
    electrodes : Electrodes
        With a stated `uncertainty_mm`. Where it is not, and where they were measured, there is one placement.
    count : int
    seed : int
        The same placements for the same seed.
    """
    if electrodes.measured or electrodes.uncertainty_mm is None:
        return [electrodes]
    rng = np.random.default_rng([seed, 47])
    own = np.sqrt(np.maximum(electrodes.uncertainty_mm**2 - _HEART_SD_MM**2, 0.0))[:, None]
    outward = electrodes.positions - _middle(heart)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    drawn: list[np.ndarray] = []
    skin = electrodes.conductor
    for _ in range(count - 1):
        step = own * rng.standard_normal(electrodes.positions.shape)
        step -= (step * outward).sum(axis=1, keepdims=True) * outward
        moved = electrodes.positions + _HEART_SD_MM * rng.standard_normal(3) + step
        drawn.append(_outside(heart, moved) if skin is None else skin.nearest(moved))
    return [electrodes, *elsewhere(electrodes, drawn)]


def elsewhere(electrodes: Electrodes, positions: Sequence[np.ndarray]) -> list[Electrodes]:
    """The same electrodes at each of these (n_electrodes, 3) positions, LPS, mm, in the same conductor."""
    if electrodes.conductor is None or not len(positions):
        return [replace(electrodes, positions=one) for one in positions]
    skin, n = electrodes.conductor, len(electrodes.names)
    # All at once: the skin's equation is solved once.
    names = electrodes.names * len(positions)
    whole = torso_conductor(skin.points, skin.triangles, names, np.concatenate(positions), whose=skin.whose)
    moved = []
    for number, one in enumerate(positions):
        rows = np.arange(n) + number * n
        part = whole.transfer[rows][:, np.concatenate([np.arange(len(skin.points)), len(skin.points) + rows])]
        there = replace(whole, skin_positions=whole.skin_positions[rows], moved_mm=whole.moved_mm[rows], transfer=part)
        moved.append(replace(electrodes, positions=one, conductor=there))
    return moved


# --- At fixed offsets from the heart -------------------------------------------------------------------------------

_ADULT_RADIUS_MM = 40.0
_RULE_MM = {
    "LA": (135.0, -5.0, 165.0),
    "RA": (-205.0, -5.0, 165.0),
    "LL": (90.0, -35.0, -240.0),
    "RL": (-190.0, -35.0, -240.0),
    "V1": (-65.0, -82.0, 10.0),
    "V2": (-25.0, -85.0, 10.0),
    "V3": (5.0, -85.0, -8.0),
    "V4": (35.0, -82.0, -28.0),
    "V5": (92.0, -48.0, -28.0),
    "V6": (115.0, 25.0, -28.0),
}


def offset_electrodes(heart: Heart) -> Electrodes:
    """Ten electrodes at fixed offsets from the centre of the ventricular wall, for a heart of the usual size.

    Scaled with the heart (root mean square radius, 40 mm in an adult; between 0.6 and 1.4). None comes closer than
    20 mm to the wall. How far off they may be is what `torso_electrodes` says of its own.

    Parameters
    ----------
    heart : Heart
        In LPS: x to the left, y to the back, z to the head.
    """
    volumes = heart.mesh.volumes
    centre = volumes @ heart.mesh.centroids / volumes.sum()
    radius = np.sqrt(volumes @ ((heart.mesh.centroids - centre) ** 2).sum(axis=1) / volumes.sum())
    scale = float(np.clip(radius / _ADULT_RADIUS_MM, 0.6, 1.4))
    positions = centre + scale * np.array([_RULE_MM[name] for name in ELECTRODES])
    torso = adult_torso()
    return Electrodes(ELECTRODES, _outside(heart, positions), False, _uncertainty_mm(torso, landmarks(torso)))
