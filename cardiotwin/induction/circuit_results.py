"""What pacing showed, in lines for the terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cardiotwin.heart.heart import Heart
from cardiotwin.heart.locations import wall
from cardiotwin.induction.arrhythmias import SCREENED_OUT, Arrhythmias


@dataclass(frozen=True)
class FromSite:
    """What pacing from one site did: its number, counted from 1, its segment, and in how many combinations."""

    site: int
    place: str
    inducible: int
    tested: int


def from_each_site(heart: Heart, found: Arrhythmias) -> tuple[FromSite, ...]:
    """Every pacing site, in order; those that were screened out were not tested."""
    return tuple(
        FromSite(
            site=number + 1,
            place=wall(heart, position).rpartition(", ")[0],  # all of them are endocardial
            inducible=sum(one.circuit is not None for one in found.inductions if one.site == number),
            tested=sum(one.outcome != SCREENED_OUT for one in found.inductions if one.site == number),
        )
        for number, position in enumerate(found.site_positions)
    )


def circuit_lines(heart: Heart, found: Arrhythmias) -> list[str]:
    """One for all combinations, one for the sites, then one a circuit, most often induced first.

    Parameters
    ----------
    heart : Heart
        In whose walls circuits are named.
    found : Arrhythmias
    """
    tested = len(found.inductions)
    if not tested:
        return ["nothing was paced"]
    outcomes = Counter(one.outcome for one in found.inductions)
    told = ", ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
    lines = [f"{tested} combinations of {len(found.site_nodes)} sites, {len(found.members)} draws, profiles: {told}"]
    sites = (f"{one.site} {one.place} {one.inducible} of {one.tested}" for one in from_each_site(heart, found))
    lines.append(f"inducible from sites: {'; '.join(sites)}")
    induced = Counter(one.circuit for one in found.inductions if one.circuit is not None)
    for number, count in induced.most_common():
        circuit = found.circuits[number]
        lines.append(
            f"circuit {number + 1}: {circuit.cycle_length_ms:.0f} ms, isthmus {wall(heart, circuit.isthmus_mm)}, "
            f"exit {wall(heart, circuit.exit_mm)}; in {count} of {tested}"
        )
    return lines
