"""What pacing found: every combination that was paced, and each unique circuit once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cardiotwin.errors import InputRejected
from cardiotwin.heart.heart import Heart
from cardiotwin.induction.reentry import Circuit, same_circuit

AS_SEGMENTED = "as segmented"
SCREENED_OUT = "screened out"
SITE_ABLATED, SITE_IN_SCAR, CUT_OFF, NO_CAPTURE = "site ablated", "site in scar", "site cut off", "no capture"
UNPACED = (SITE_ABLATED, SITE_IN_SCAR, CUT_OFF, NO_CAPTURE)
"""Nothing was tested: nothing alive where the electrode stands, by a lesion or by scar; no way from there to most of
the heart; or no stimulus captured."""


@dataclass(frozen=True)
class OwnCircuit:
    """What one induction's own circuit was like, beside the unique one for which it counts.

    Attributes
    ----------
    cycle_length_ms : float
    isthmus_mm, exit_mm : (3,) tuple of float
        As in `Circuit`.
    """

    cycle_length_ms: float
    isthmus_mm: tuple[float, ...]
    exit_mm: tuple[float, ...]

    @classmethod
    def of(cls, circuit: Circuit) -> OwnCircuit:
        """Of a circuit all but its fields and nodes."""
        isthmus, leaving = (tuple(float(x) for x in place) for place in (circuit.isthmus_mm, circuit.exit_mm))
        return cls(float(circuit.cycle_length_ms), isthmus, leaving)


@dataclass(frozen=True, eq=False)
class Induction:
    """One pacing site on one draw under one border-zone profile.

    Attributes
    ----------
    site : int
        Row of `Arrhythmias.site_positions`.
    draw : int
        Row of `Arrhythmias.members`.
    profile : str
        Border-zone profile.
    couplings_ms : tuple of float
        S2 (and S3, S4) coupling intervals that induced re-entry, none when the train did; of the last attempt when
        nothing did.
    circuit : int or None
        Row of `Arrhythmias.circuits`; None when nothing was induced.
    outcome : str
        ``"re-entry"``, ``"not inducible"``, ``"no closed path"`` (activated again and again, but on no path of
        conduction; not counted as inducible), one of `UNPACED` (``"no capture"`` is not even at the cycle length of the
        train), ``"not re-tested"``: not inducible without ablation, or ``"screened out"``: not paced, since the screen
        found nothing there.
    echo : bool
        The train alone was followed by a beat that nothing stimulated.
    scar : str
        Thresholds that scar was told by.
    own : OwnCircuit or None
        The circuit as it was here; None when nothing was induced.
    """

    site: int
    draw: int
    profile: str
    couplings_ms: tuple[float, ...]
    circuit: int | None
    outcome: str
    echo: bool = False
    scar: str = AS_SEGMENTED
    own: OwnCircuit | None = None

    @property
    def place(self) -> tuple[int, int, str, str]:
        """Which combination it is of."""
        return self.site, self.draw, self.profile, self.scar

    @property
    def twin(self) -> tuple[int, str, str]:
        """In which admissible twin: draw, border-zone profile and scar."""
        return self.draw, self.profile, self.scar


@dataclass(frozen=True, eq=False)
class Arrhythmias:
    """What pacing induced.

    Attributes
    ----------
    site_positions : (n_sites, 3) float64
        Pacing sites, LPS, mm.
    site_nodes : (n_sites,) int32
    members : (n_draws,) int64
        Members of the posterior that were tested.
    circuits : tuple of Circuit
        Unique ones.
    inductions : tuple of Induction
        Every combination tested.
    scars : dict of str to (n_tets,) uint8
        Tissue class of every scar that was paced besides the heart's own, by its name.
    """

    site_positions: np.ndarray
    site_nodes: np.ndarray
    members: np.ndarray
    circuits: tuple[Circuit, ...]
    inductions: tuple[Induction, ...]
    scars: dict[str, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        induced = sum(one.circuit is not None for one in self.inductions)
        return (
            f"Arrhythmias({induced} of {len(self.inductions)} combinations inducible, {len(self.circuits)} circuits; "
            f"{len(self.site_nodes)} sites, {len(self.members)} draws)"
        )

    def scar_of(self, circuit: int) -> str:
        """Thresholds that scar was told by where a circuit was induced first: its fields and nodes are from there."""
        return next((one.scar for one in self.inductions if one.circuit == circuit), AS_SEGMENTED)

    def hearts(self, heart: Heart) -> tuple[Heart, ...]:
        """The heart that each circuit turned on, to measure and draw it on; circuits of one scar share one.

        Parameters
        ----------
        heart : Heart
            That was paced, with scar as segmented.

        Raises
        ------
        InputRejected
            A circuit of a scar that is not among `scars`.
        """
        known = {AS_SEGMENTED: heart}
        known |= {scar: replace(heart, tissue_class=classes) for scar, classes in self.scars.items()}
        told = [self.scar_of(number) for number in range(len(self.circuits))]
        for number, scar in enumerate(told, start=1):
            if scar not in known:
                raise InputRejected(
                    f"arrhythmias: circuit {number} turned on scar by {scar}, whose tissue is not there; expected one "
                    f"of {', '.join(known)}. Pace again"
                )
        return tuple(known[scar] for scar in told)


def joined(first: Arrhythmias, second: Arrhythmias) -> Arrhythmias:
    """Further draws behind those before, from the same sites; a circuit of both is one."""
    circuits = list(first.circuits)
    numbers = [number_of(circuit, circuits) for circuit in second.circuits]
    further = tuple(
        replace(one, draw=one.draw + first.members.size, circuit=None if one.circuit is None else numbers[one.circuit])
        for one in second.inductions
    )
    members = np.concatenate([first.members, second.members])
    return replace(first, members=members, circuits=tuple(circuits), inductions=(*first.inductions, *further))


def only_under_other_scars(arrhythmias: Arrhythmias) -> list[int]:
    """Rows of circuits that were induced only where scar was told otherwise than as segmented."""
    of = {one.circuit for one in arrhythmias.inductions if one.scar == AS_SEGMENTED}
    return [number for number in range(len(arrhythmias.circuits)) if number not in of]


def number_of(circuit: Circuit, known: list[Circuit]) -> int:
    """Index of the circuit among the known ones, to which it is added if it is new."""
    for number, other in enumerate(known):
        if same_circuit(circuit, other):
            return number
    known.append(circuit)
    return len(known) - 1
