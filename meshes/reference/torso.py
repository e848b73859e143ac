"""An adult's trunk without head and arms, lying on its back: superellipses on the means of a survey of bodies.

Heights, breadths and girths are the means of ANSUR II, 4082 men and 1986 women of the US Army (Gordon et al. 2014,
NATICK/TR-15/007; heights as shares of the stature, both sexes together). The depth of the chest is that of people
lying in a CT scanner, skin to skin (Pickard et al., Resuscitation 2006;71:387). The slope of the sternum and the
breadth of the chest are estimates, marked below. Everybody differs from the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator

from cardiotwin.errors import SettingsError

ROUNDNESS = 2.75
"""Exponent of every section, ``|x/a|^n + |y/b|^n = 1``. At the waist, where the tape touches what the caliper touches,
breadth, depth and girth ask for 2.73 in men and 2.83 in women."""
STATURES_MM = (1200.0, 2200.0)
"""Beyond these nobody's proportions are an average adult's."""

NOTCH, CERVICALE, ACROMION, AXILLA, NIPPLE, WAIST, ILIAC_CREST, HIP, CROTCH = (
    0.8183, 0.8618, 0.8202, 0.7581, 0.7303, 0.6017, 0.6067, 0.5149, 0.4813,
)  # fmt: skip
"""Heights above the floor as shares of the stature; the first is the suprasternal notch."""
STERNUM_DEG = 20.0
"""Between sternum and table: an estimate. It makes the chest shallower at the notch than at the nipples."""
_TABLE_MM = {
    "male": {
        "stature": 1756.0, "neck girth": 398.0, "biacromial": 416.0, "chest breadth": 289.0, "chest girth": 1059.0,
        "chest depth": 253.0, "waist breadth": 326.0, "waist depth": 238.0, "hip breadth": 346.0, "hip depth": 246.0,
    },
    "female": {
        "stature": 1628.0, "neck girth": 330.0, "biacromial": 365.0, "chest breadth": 269.0, "chest girth": 947.0,
        "chest depth": 235.0, "waist breadth": 300.0, "waist depth": 213.0, "hip breadth": 354.0, "hip depth": 233.0,
    },
}  # fmt: skip
CHEST_GIRTH_SD_MM = 101.0
STATURE_SD_MM = 90.0
"""Of both sexes together."""


@dataclass(frozen=True, eq=False)
class Torso:
    """Sections of a trunk in its own LPS frame: x to the left of its midline, y = 0 the table, z = 0 the sternal notch.

    Attributes
    ----------
    stature_mm, biacromial_mm : float
        Height of the person; breadth from tip to tip of the shoulders.
    heights_mm : (n,) float64
        Of the sections, upward.
    half_breadths_mm, half_depths_mm : (n,) float64
        Half axes of the sections; the back of each lies on the table.
    """

    stature_mm: float
    biacromial_mm: float
    heights_mm: np.ndarray
    half_breadths_mm: np.ndarray
    half_depths_mm: np.ndarray

    @cached_property
    def _sections(self) -> PchipInterpolator:
        return PchipInterpolator(self.heights_mm, np.stack([self.half_breadths_mm, self.half_depths_mm], axis=1))

    def level_mm(self, share: float) -> float:
        """Height over the notch of a share of the stature, such as `ILIAC_CREST`."""
        return self.stature_mm * (share - NOTCH)

    def half_axes(self, z: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Half breadth and half depth at heights z, mm; the ends go on beyond the trunk."""
        axes = self._sections(np.clip(z, self.heights_mm[0], self.heights_mm[-1]))
        return axes[..., 0], axes[..., 1]

    def skin(self, turn_deg: np.ndarray | float, z: np.ndarray | float) -> np.ndarray:
        """(..., 3) points of the skin; 0 degrees is straight ahead, 90 the left flank, 180 the back."""
        half_breadth, half_depth = self.half_axes(z)
        turn = np.radians(turn_deg)
        left, ahead = (np.sign(part) * np.abs(part) ** (2 / ROUNDNESS) for part in (np.sin(turn), np.cos(turn)))
        return np.stack(np.broadcast_arrays(half_breadth * left, -half_depth * (1.0 + ahead), z), axis=-1)

    def front(self, x: np.ndarray | float, z: np.ndarray | float) -> np.ndarray:
        """(..., 3) points of the skin in front of x and z; beyond the flank, the flank."""
        half_breadth, half_depth = self.half_axes(z)
        x = np.clip(x, -half_breadth, half_breadth)
        ahead = (1.0 - np.abs(x / half_breadth) ** ROUNDNESS) ** (1 / ROUNDNESS)
        return np.stack(np.broadcast_arrays(x, -half_depth * (1.0 + ahead), z), axis=-1)

    def surface(self, step_mm: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
        """(n, 3) points, mm, and (m, 3) triangles, outward, of the closed skin; neck and hips end flat."""
        low, high = self.heights_mm[[0, -1]]
        z = np.linspace(low, high, 1 + round((high - low) / step_mm))
        longest = girth_mm(self.half_breadths_mm.max(), self.half_depths_mm.max())
        around = 4 * max(3, round(0.25 * longest / step_mm))
        rings = self.skin(np.arange(around) * 360.0 / around, z[:, None])
        ends = np.array([[0.0, -self.half_axes(level)[1], level] for level in (low, high)])
        # Rings on the flat ends too, about twice as wide: fans alone would be needles as long as the hips are broad.
        n_rings = max(1, round(0.5 * self.half_breadths_mm[0] / step_mm))
        shares = (np.arange(1, n_rings) / n_rings)[:, None, None]
        within = [end + shares * (ring - end) for end, ring in zip(ends, rings[[0, -1]], strict=True)]
        rings = np.concatenate([within[0], rings, within[1][::-1]])
        points = np.concatenate([rings.reshape(-1, 3), ends])
        here = np.arange((len(rings) - 1) * around).reshape(-1, around)
        beside = np.roll(here, -1, axis=1)
        walls = [[here, beside, beside + around], [here, beside + around, here + around]]
        bottom, top = here[0], here[-1] + around
        caps = [
            [np.roll(bottom, -1), bottom, np.full(around, len(points) - 2)],
            [top, np.roll(top, -1), np.full(around, len(points) - 1)],
        ]
        triangles = [np.stack([part.ravel() for part in sides], axis=1) for sides in (*walls, *caps)]
        return points, np.concatenate(triangles)


def adult_torso(sex: str | None = None, stature_mm: float | None = None) -> Torso:
    """The mean trunk of a sex (None: midway between both), its heights stretched to a stature.

    Breadths and depths do not follow the stature: girths go with weight, which is not asked for.

    Parameters
    ----------
    sex : "male", "female" or None
    stature_mm : float or None
        1200 to 2200; None: the mean of that sex.

    Raises
    ------
    SettingsError
        Another sex, or a stature outside these limits.
    """
    if sex is not None and sex not in _TABLE_MM:
        raise SettingsError(f"torso: sex is {sex!r}; expected male, female or None")
    tables = [_TABLE_MM[sex]] if sex else list(_TABLE_MM.values())
    mean = {name: float(np.mean([table[name] for table in tables])) for name in tables[0]}
    stature = mean["stature"] if stature_mm is None else float(stature_mm)
    if not STATURES_MM[0] <= stature <= STATURES_MM[1]:
        raise SettingsError(
            f"torso: a stature of {stature:g} mm; expected {STATURES_MM[0]:g} to {STATURES_MM[1]:g}, an adult's, in mm"
        )
    shares, breadths, depths = np.array(_sections(mean)).T
    return Torso(stature, mean["biacromial"], stature * (shares - NOTCH), 0.5 * breadths, 0.5 * depths)


def _sections(mean: dict[str, float]) -> list[tuple[float, float, float]]:
    """Height as a share of the stature, breadth and depth of each section, from hip to neck."""
    # The caliper closes on the ribs, the tape runs over the muscles beside them, which end above the level of V6: the
    # breadth is taken midway between the caliper's and the one that closes the tape (an estimate: 289 and 380 mm in
    # men, 269 and 332 in women).
    chest = 0.5 * (mean["chest breadth"] + breadth_of_girth_mm(mean["chest girth"], mean["chest depth"]))
    rise = mean["stature"] * np.tan(np.radians(STERNUM_DEG))
    at_axilla, at_notch = (mean["chest depth"] - rise * (share - NIPPLE) for share in (AXILLA, NOTCH))
    neck = mean["neck girth"] / np.pi
    return [
        (CROTCH, mean["hip breadth"], mean["hip depth"]),
        (HIP, mean["hip breadth"], mean["hip depth"]),
        (WAIST, mean["waist breadth"], mean["waist depth"]),
        (NIPPLE, chest, mean["chest depth"]),
        (AXILLA, chest, at_axilla),
        (ACROMION, mean["biacromial"], at_notch),
        (CERVICALE, neck, neck),
    ]


def girth_mm(half_breadth: float, half_depth: float) -> float:
    """Length round a section."""
    turn = np.linspace(0.0, 0.5 * np.pi, 2001)
    x, y = (half * part ** (2 / ROUNDNESS) for half, part in ((half_breadth, np.sin(turn)), (half_depth, np.cos(turn))))
    return float(4.0 * np.hypot(np.diff(x), np.diff(y)).sum())


def breadth_of_girth_mm(girth: float, depth: float) -> float:
    """The breadth of the section with that girth and depth."""
    from scipy.optimize import brentq

    return 2.0 * float(brentq(lambda half: girth_mm(half, 0.5 * depth) - girth, 1.0, 0.5 * girth))
