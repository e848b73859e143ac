"""What pacing showed, in lines for the terminal."""

from __future__ import annotations

from collections import Counter

from cardiotwin.heart import Heart
from cardiotwin.induction import Arrhythmias
from cardiotwin.locations import wall


def circuit_lines(heart: Heart, found: Arrhythmias) -> list[str]:
    """One for all combinations, then one a circuit, most often induced first.

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
    induced = Counter(one.circuit for one in found.inductions if one.circuit is not None)
    for number, count in induced.most_common():
        circuit = found.circuits[number]
        lines.append(
            f"circuit {number + 1}: {circuit.cycle_length_ms:.0f} ms, isthmus {wall(heart, circuit.isthmus_mm)}, "
            f"exit {wall(heart, circuit.exit_mm)}; in {count} of {tested}"
        )
    return lines
