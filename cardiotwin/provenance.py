"""Where every number comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ObservationRecord:
    """One input. Times are ISO 8601, UTC, or "" where the input does not say; never a name.

    Attributes
    ----------
    sha256 : str
        Of the de-identified copy in `observations/`.
    kind : str
        ``"lge"``, ``"cine"``, ``"label_map"``, ``"mesh"``, ``"ecg"``, ``"tachycardia"``, ``"electrodes"``, ``"torso"``
        or ``"plan"``.
    source : str
        Format and size in a few words, such as "DICOM series, 12 files".
    effective, recorded, arrived : str
        When it was true of the patient, when it was written down, when the twin received it.
    synthetic : bool
        Whether it says that a computer made it (DICOM Synthetic Data).
    notes : tuple of str
        Of one in use, what was told when it was put in.
    """

    sha256: str
    kind: str
    source: str
    effective: str
    recorded: str
    arrived: str
    synthetic: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageRecord:
    """One finished stage, as its manifest has it.

    Attributes
    ----------
    stage : str
    key : str
        Content address of its output.
    inputs : dict of str to str
        Key of each upstream stage and SHA-256 of each observation it used, by name; ``"plug-in"``: package, version,
        weights and code of a trained model that computed it.
    settings : dict of str to str
        The settings it used, ``"section.key"`` to value as text.
    code : str
        Hash of the sources that computed it.
    finished : str
        ISO 8601, UTC.
    seconds : float
        How long it took.
    """

    stage: str
    key: str
    inputs: dict[str, str]
    settings: dict[str, str]
    code: str
    finished: str
    seconds: float


@dataclass(frozen=True)
class Provenance:
    """Where every number comes from.

    Attributes
    ----------
    twin : str
        Name of the twin's folder.
    version : int
        The version being reported; earlier ones stay in the twin.
    cardiotwin : str
        Release.
    observations : tuple of ObservationRecord
        In order of effective time.
    stages : tuple of StageRecord
        In the order of the path.
    missing : tuple of str
        What could not be computed and what to add, one sentence each.
    outdated : str
        Of an earlier version, what has changed since; "" where nothing has.
    ranked_in : int
        The newest version that has ranked plans; 0 where none has.
    """

    twin: str = ""
    version: int = 0
    cardiotwin: str = ""
    observations: tuple[ObservationRecord, ...] = ()
    stages: tuple[StageRecord, ...] = ()
    missing: tuple[str, ...] = ()
    outdated: str = ""
    ranked_in: int = 0

    @property
    def phantom(self) -> bool:
        """Whether any input says that it was made by a computer."""
        return any(one.synthetic for one in self.observations)
