"""How far a screen with fronts and pacing with the monodomain model agree, combination by combination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardiotwin.induction.arrhythmias import SCREENED_OUT, Arrhythmias


@dataclass(frozen=True)
class ScreenAgreement:
    """Of the combinations of site, draw and profile that both tested.

    Attributes
    ----------
    both, only_screen, only_monodomain, neither : int
        In how many each found a circuit.
    not_paced : int
        Left out of pacing because the screen found nothing.
    apart_mm : float
        Median distance between the isthmuses of what both found; NaN without any.
    cycle_ratio : float
        Median cycle length of fronts over that of the monodomain model, of the same.
    """

    both: int
    only_screen: int
    only_monodomain: int
    neither: int
    not_paced: int
    apart_mm: float
    cycle_ratio: float

    def __str__(self) -> str:
        tested = self.both + self.only_screen + self.only_monodomain + self.neither
        told = f"of {tested} combinations both found a circuit in {self.both}, only the screen in {self.only_screen}, "
        told += f"only the monodomain model in {self.only_monodomain}, neither in {self.neither}"
        if self.both:
            told += f"; isthmuses {self.apart_mm:.0f} mm apart, cycle length {self.cycle_ratio:.2f} of the monodomain's"
        return told + (f"; {self.not_paced} were not paced" if self.not_paced else "")


def screen_agreement(screened: Arrhythmias, paced: Arrhythmias) -> ScreenAgreement:
    """Compare them."""
    fronts = {one.place: one.circuit for one in screened.inductions}
    pairs = [
        (fronts[one.place], one.circuit)
        for one in paced.inductions
        if one.outcome != SCREENED_OUT and one.place in fronts
    ]
    found = [(screened.circuits[a], paced.circuits[b]) for a, b in pairs if a is not None and b is not None]
    apart = [float(np.linalg.norm(a.isthmus_mm - b.isthmus_mm)) for a, b in found]
    ratio = [a.cycle_length_ms / b.cycle_length_ms for a, b in found]
    return ScreenAgreement(
        both=len(found),
        only_screen=sum(a is not None and b is None for a, b in pairs),
        only_monodomain=sum(a is None and b is not None for a, b in pairs),
        neither=sum(a is None and b is None for a, b in pairs),
        not_paced=sum(one.outcome == SCREENED_OUT for one in paced.inductions),
        apart_mm=float(np.median(apart)) if apart else float("nan"),
        cycle_ratio=float(np.median(ratio)) if ratio else float("nan"),
    )
