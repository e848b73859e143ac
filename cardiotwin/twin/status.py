"""How a twin stands, and what a run did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cardiotwin.storage.ledger import Observation, Version

if TYPE_CHECKING:
    from cardiotwin.segmentation import Cavities


@dataclass(frozen=True)
class StepStatus:
    """How one step stands.

    Attributes
    ----------
    name, stage : str
    state : str
        ``"current"``, ``"stale"`` (computed from other inputs, settings or code), ``"not computed"`` or ``"missing"``.
    version : int
        In which its present result came to be; 0 when there is none.
    finished : str
        ISO 8601, UTC; "" when there is none.
    seconds : float or None
        That it took; None when there is none.
    because : str
        Why it is stale; "" when it is not.
    note : str
        What is missing.
    doubtful : str
        What its result says cannot be trusted in it; "" where it says nothing.
    """

    name: str
    stage: str
    state: str
    version: int
    finished: str
    seconds: float | None
    because: str
    note: str
    doubtful: str = ""


@dataclass(frozen=True)
class Status:
    """How a twin stands.

    Attributes
    ----------
    name : str
    version : int
        The current one; 0 before the first run.
    steps : tuple of StepStatus
    observations : tuple of Observation
        By the time they are about, then in order of arrival.
    used_by : dict of str to tuple of str
        SHA-256 of every observation in use, to the steps that take it; one that is missing here is in use nowhere.
    versions : tuple of Version
        Oldest first.
    held_by : str
        Who is writing to it now; "" for nobody.
    notes : dict of str to tuple of str
        SHA-256 of an observation to what was told when it was put in; those of which nothing was are missing.
    cavities : Cavities or None
        Of both ventricles, as segmented from today's inputs; None before that, and where the heart is a mesh.
    electrodes : str
        Where they come from and what conducts to them, in words; "" before they are computed.
    idle_settings : tuple of str
        Settings that were changed and that nothing reads for these inputs.
    """

    name: str
    version: int
    steps: tuple[StepStatus, ...]
    observations: tuple[Observation, ...]
    used_by: dict[str, tuple[str, ...]]
    versions: tuple[Version, ...]
    held_by: str
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cavities: Cavities | None = None
    electrodes: str = ""
    idle_settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Added:
    """What an add did.

    Attributes
    ----------
    observations : tuple of Observation
        Those that were new.
    notes : tuple of str
        What the user must know besides: what was replaced, left out or could not be checked, a line each.
    """

    observations: tuple[Observation, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """What a run did.

    Attributes
    ----------
    computed : tuple of str
        Steps computed now; the others were up to date.
    version : int
        Current after the run.
    is_new_version : bool
        Results came to be, or earlier ones are in use again.
    missing : tuple of str
        What could not be computed for want of what.
    behind : tuple of str
        Steps that could be computed and are not up to date, because they were not asked for.
    """

    computed: tuple[str, ...]
    version: int
    is_new_version: bool
    missing: tuple[str, ...]
    behind: tuple[str, ...] = ()
