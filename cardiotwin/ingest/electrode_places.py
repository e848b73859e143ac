"""Whether electrodes lie where a body has them: names from places, and names checked against their places."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from cardiotwin.ingest.wording import refusal

HEADER = "name,x_mm,y_mm,z_mm"
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
APART_MM = 50.0
"""Between left and right, and between limbs and chest, at least, where places shall say which electrode is which."""
WHICH_IS_WHICH = f"Write the header {HEADER} and begin each row with RA, LA, LL, RL or V1 to V6; LPS"
LAST_RESORT = "Correct the names or signs; LPS: x to the left, y to the back, z to the head"
OUT_OF_TURN_DEG = 10.0
"""By which V2 may lie before V1 as seen from above, and so on: 20 to 30 mm of skin, as far as hands place it off (see
`electrodes`). Neighbours lie 8 to 31 degrees apart on one real subject and the mean torso."""


def named_by_place(positions: np.ndarray, name: str) -> list[str]:
    """Which electrode is at each place, where that is also an order in which people write them.

    The two highest are the arms, what is below the chest's six the legs, the larger x (LPS) the left one, and V1 to V6
    go round the chest from right to left, seen from above. A file in another frame, or mirrored, has V6 before V1; one
    that is upside down has legs before arms.

    Raises
    ------
    InputRejected
        Arms, chest and legs do not lie apart; or V1 to V6 do not follow each other.
    """
    found = _by_place(positions)
    chest = [electrode for electrode in found if electrode in CHEST]
    order = "".join(electrode[-1] if electrode not in CHEST else "V" for electrode in found)
    if chest != list(CHEST) or not re.fullmatch("(AAL{1,2})?VVVVVV(AAL{1,2})?", order):
        raise refusal(
            name,
            f"{len(positions)} positions without names, whose places do not say which is which",
            "a name in each row, or arms above, legs below and V1 to V6 one after the other round the chest, in LPS",
            WHICH_IS_WHICH,
        )
    return found


def _by_place(positions: np.ndarray) -> list[str]:
    """Names by place, in the order of the rows; none where arms, chest and legs do not lie apart."""
    x, y, z = positions.T
    down = np.argsort(-z)
    arms, chest, legs = down[:2], down[2:8], down[8:]
    middle = x[arms].mean()
    apart = min(z[arms].min() - z[chest].max(), z[chest].min() - z[legs].max(), np.ptp(x[arms])) >= APART_MM
    of_legs = np.ptp(x[legs]) >= APART_MM if len(legs) == 2 else x[legs[0]] > middle
    in_front = y[chest].min() < y[arms].mean()
    if not (apart and of_legs and in_front):
        return []
    names = [""] * len(positions)
    for limbs, sides in ((arms, ("RA", "LA")), (legs, ("RL", "LL")[-len(legs) :])):
        for row, side in zip(limbs[np.argsort(x[limbs])], sides, strict=True):
            names[row] = side
    for row, electrode in zip(chest[np.argsort(_turns(positions[chest], middle))], CHEST, strict=True):
        names[row] = electrode
    return names


def _turns(chest: np.ndarray, middle: float) -> np.ndarray:
    """Where (n, 3) positions lie round the chest, seen from above: radians from straight ahead to the left."""
    behind = chest[:, 1].max() + APART_MM
    return np.arctan2(chest[:, 0] - middle, behind - chest[:, 1])


def check_places(names: Sequence[str], positions: np.ndarray, name: str) -> list[str]:
    """Notes on names whose places are odd.

    Raises
    ------
    InputRejected
        Places where no body has these electrodes, in LPS.
    """
    wrong = _out_of_place(names, positions)
    if not wrong:
        return _out_of_turn(names, positions)
    advice = LAST_RESORT
    if not _out_of_place(names, positions * (-1.0, -1.0, 1.0)):
        advice = "These are RAS: give LPS, x and y times -1"
    elif not _out_of_place(names, positions * (-1.0, 1.0, 1.0)):
        advice = "These are mirrored: give LPS, x times -1"
    else:
        for one, other in _EXCHANGES:
            exchanged = [_exchanged(electrode, one, other) for electrode in names]
            if {"RA", "LA", "LL"} <= set(exchanged) and not _out_of_place(exchanged, positions):
                advice = f"Write {other} for {one}" + ("" if one == "V1 ... V6" else f" and {one} for {other}")
                break
    expected = (
        "in LPS LA left of RA, LL below both and left of RL, V1 to V6 from right to left, V1 and V2 in front of V6"
    )
    raise refusal(name, wrong, expected, advice)


_LIMBS = (("RA", "LA"), ("RL", "LL"), ("LA", "LL"), ("RA", "LL"))
_EXCHANGES = (*_LIMBS, *pairwise(CHEST), ("V1 ... V6", "V6 ... V1"))
"""What is looked for where places are odd, the first that explains them."""


def _exchanged(electrode: str, one: str, other: str) -> str:
    if one == "V1 ... V6":
        return f"V{7 - int(electrode[1])}" if electrode in CHEST else electrode
    return {one: other, other: one}.get(electrode, electrode)


def _out_of_place(names: Sequence[str], positions: np.ndarray) -> str:
    """The first thing that no body has, in LPS; "" where there is none. Arms may hang, and all of V1 to V6 lie high."""
    at = dict(zip(names, positions, strict=True))
    (la, ra, ll), rl = (at[one] for one in ("LA", "RA", "LL")), at.get("RL")
    if la[0] <= ra[0]:
        return f"LA at x = {la[0]:.0f} mm to the right of RA at {ra[0]:.0f}"
    if ll[2] >= min(la[2], ra[2]):
        return f"LL at z = {ll[2]:.0f} mm not below the arms at {la[2]:.0f} and {ra[2]:.0f}"
    if rl is not None and ll[0] <= rl[0]:
        return f"LL at x = {ll[0]:.0f} mm to the right of RL at {rl[0]:.0f}"
    chest = np.array([at[one] for one in CHEST])
    if chest[:2, 1].mean() >= chest[5, 1]:
        return f"V1 and V2 at y = {chest[:2, 1].mean():.0f} mm behind V6 at {chest[5, 1]:.0f}"
    back_deg = _back_deg(chest, 0.5 * (la[0] + ra[0]))
    if back_deg.max() > OUT_OF_TURN_DEG:
        first, second = np.unravel_index(back_deg.argmax(), back_deg.shape)
        return f"{CHEST[second]} to the right of {CHEST[first]}, by {back_deg.max():.0f} degrees round the chest"
    return ""


def _out_of_turn(names: Sequence[str], positions: np.ndarray) -> list[str]:
    """A note for each of V2 to V6 that lies a little to the right of one before it."""
    at = dict(zip(names, positions, strict=True))
    back_deg = _back_deg(np.array([at[one] for one in CHEST]), 0.5 * (at["LA"][0] + at["RA"][0]))
    return [
        f"{CHEST[second]} lies {back_deg[first, second]:.0f} degrees round the chest to the right of {CHEST[first]}: "
        "taken so, but check that they are not exchanged"
        for first, second in np.argwhere(back_deg > 0.5)
    ]


def _back_deg(chest: np.ndarray, middle: float) -> np.ndarray:
    """(6, 6) how far each column's electrode lies to the right of each row's that comes before it; degrees."""
    turn_deg = np.rad2deg(_turns(chest, middle))
    return np.triu(turn_deg[:, None] - turn_deg[None, :], 1)
