"""How a twin stands, and what a run did."""

from __future__ import annotations

from dataclasses import dataclass

from cardiotwin.ledger import Observation, Version


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
    """

    name: str
    stage: str
    state: str
    version: int
    finished: str
    seconds: float | None
    because: str
    note: str


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
        By the time they are about.
    versions : tuple of Version
        Oldest first.
    held_by : str
        Who is writing to it now; "" for nobody.
    """

    name: str
    version: int
    steps: tuple[StepStatus, ...]
    observations: tuple[Observation, ...]
    versions: tuple[Version, ...]
    held_by: str


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
    missing : tuple of str
        What could not be computed for want of what.
    """

    computed: tuple[str, ...]
    version: int
    is_new_version: bool
    missing: tuple[str, ...]
