"""Each unique circuit followed through the ensemble: where it was induced, and how far it differs from draw to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardiotwin.induction.arrhythmias import Arrhythmias, Induction


@dataclass(frozen=True)
class Followed:
    """One unique circuit, in all the inductions that count for it.

    Attributes
    ----------
    circuit : int
        Row of `Arrhythmias.circuits`.
    inductions : int
        Combinations that induced it.
    draws_of_profile : dict of str to int
        Draws in which it was induced, for every border-zone profile that was tested, 0 included.
    draws, sites : int
        In how many, whatever the profile.
    cycle_length_ms : (float, float)
        Shortest and longest of its inductions.
    isthmus_spread_mm, exit_spread_mm : float
        Between the two of its inductions whose isthmuses, or exits, lie farthest apart; 0 for a single one.
    """

    circuit: int
    inductions: int
    draws_of_profile: dict[str, int]
    draws: int
    sites: int
    cycle_length_ms: tuple[float, float]
    isthmus_spread_mm: float
    exit_spread_mm: float


def followed(arrhythmias: Arrhythmias) -> tuple[Followed, ...]:
    """Every unique circuit, in their order, from the inductions' own circuits and not from the one that stands for all.

    Circuits whose isthmuses lie more than 10 mm from that one's, or exits more than 15 mm, are others
    (`cardiotwin.induction.reentry.same_circuit`), so that no spread exceeds twice that.

    Parameters
    ----------
    arrhythmias : Arrhythmias
        Circuits that no induction names, or whose inductions kept nothing of their own, are left out.
    """
    profiles = sorted({one.profile for one in arrhythmias.inductions})
    found = []
    for number in range(len(arrhythmias.circuits)):
        ones = [one for one in arrhythmias.inductions if one.circuit == number and one.own is not None]
        if ones:
            found.append(_followed(number, ones, profiles))
    return tuple(found)


def _followed(number: int, ones: Sequence[Induction], profiles: Sequence[str]) -> Followed:
    own = [one.own for one in ones if one.own is not None]
    cycles = [one.cycle_length_ms for one in own]
    return Followed(
        circuit=number,
        inductions=len(ones),
        draws_of_profile={name: len({one.draw for one in ones if one.profile == name}) for name in profiles},
        draws=len({one.draw for one in ones}),
        sites=len({one.site for one in ones}),
        cycle_length_ms=(min(cycles), max(cycles)),
        isthmus_spread_mm=_spread([one.isthmus_mm for one in own]),
        exit_spread_mm=_spread([one.exit_mm for one in own]),
    )


def _spread(places: Sequence[Sequence[float]]) -> float:
    """Between the two that lie farthest apart, mm."""
    at = np.asarray(places, float)
    return float(np.linalg.norm(at[:, None] - at, axis=2).max())
