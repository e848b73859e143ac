"""A step of the path: one function, what it is given, which settings it reads, what is kept of it."""

from __future__ import annotations

import importlib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cardiotwin.progress import Progress
from cardiotwin.provenance import Provenance
from cardiotwin.storage.ledger import Observation

if TYPE_CHECKING:
    from cardiotwin.settings import Settings

OBSERVED = {
    "image": "Image",
    "label_map": "LabelMap",
    "mesh": "UserMesh",
    "ecg": "Ecg",
    "tachycardia": "ClinicalTachycardia",
    "electrodes": "Electrodes",
    "torso": "TorsoSurface",
    "plan": "Plan",
}
"""Type of each kind of observation."""

_HOME = {
    "Arrhythmias": "induction.arrhythmias",
    "ClinicalTachycardia": "induction.clinical_tachycardia",
    "Comparison": "comparison.results",
    "Confirmation": "calibration.confirmation",
    "Ecg": "ecg.recording",
    "Electrodes": "ecg.electrodes",
    "EnsembleBeat": "calibration.beat_of_ensemble",
    "FrontToTissue": "calibration.front_velocity",
    "Heart": "heart.heart",
    "Image": "imaging",
    "LabelMap": "segmentation.label_map",
    "Plan": "ablation.lesions",
    "Posterior": "calibration.posterior",
    "Proposals": "ablation.proposals",
    "ScarEvidence": "calibration.scar_evidence",
    "Segmentation": "segmentation",
    "SiteLibrary": "calibration.site_library",
    "TorsoSurface": "ecg.torso_conductor",
    "UserMesh": "anatomy.mesh_anatomy",
}


@dataclass(frozen=True)
class Work:
    """What a stage function is given besides its inputs.

    Attributes
    ----------
    settings : namespace
        The settings the stage declares, and no others: what is not in its key, it cannot read.
    folder : Path
        For partial results, so that a killed run resumes; for a stage with `Step.into`, where its files go.
    progress : Progress
    provenance : Provenance
        Of the twin as it is now.
    """

    settings: SimpleNamespace
    folder: Path
    progress: Progress
    provenance: Provenance


@dataclass(frozen=True)
class Step:
    """One function applied to given inputs.

    Attributes
    ----------
    name : str
        Unique in the path.
    stage : str
        Of `STAGES`: what a user asks for.
    function : callable
        ``function(work, **inputs)``; its return annotation is the kind of result that is stored.
    inputs : dict of str to str
        Argument to the name of an earlier step, or to ``"sha256:..."`` of an observation.
    settings : tuple of str
        ``"section"`` or ``"section.key"``.
    lists : dict of str to tuple of str
        Arguments that take a tuple of observations.
    optional : tuple of str
        Arguments left out when their step cannot be computed yet.
    only_if : dict of str to callable
        ``only_if[argument](settings)``: whether an input is taken at all; those that are not named always are.
    apart_from : tuple of str
        Arguments and sections of the settings that single results in `Work.folder` do not hang on: where only these
        change, the folder is the same, and what is there stays of use. Names of results must tell the rest.
    but_for : tuple of str
        ``"section.key"`` of sections in `settings` that the function has no use for: not in the key of its result, and
        to the function as if nobody had set them.
    waits_for : str
        What is missing for this step and how to add it; "" when nothing is.
    share : float
        Of the time of a whole run: a fifth of its seconds in the demo.
    into : str
        Folder of the twin that the function fills, in place of a result; "" for most.
    beside : bool
        What the stage says besides its result: `Twin.result` of the stage is another step's.
    plug_in : callable or None
        ``plug_in(settings)``: what of another package computes it, in words that change when that does, "" for nothing.
        Part of the key, as the sources of CardioTwin are.
    """

    name: str
    stage: str
    function: Callable[..., Any]
    inputs: dict[str, str] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    only_if: dict[str, Callable[[Settings], bool]] = field(default_factory=dict)
    apart_from: tuple[str, ...] = ()
    but_for: tuple[str, ...] = ()
    waits_for: str = ""
    share: float = 0.4
    into: str = ""
    beside: bool = False
    plug_in: Callable[[Any], str] | None = None

    @property
    def kind(self) -> Any:
        """Type of the result, from the function's annotation."""
        return kind_of(self.function.__annotations__["return"])


class _Types(Mapping[str, Any]):
    """Types by name, imported on first use: `status` must not wait for Numba."""

    def __getitem__(self, name: str) -> Any:
        return getattr(importlib.import_module(f"cardiotwin.{_HOME[name]}"), name)

    def __iter__(self) -> Iterator[str]:
        return iter(_HOME)

    def __len__(self) -> int:
        return len(_HOME)


def kind_of(annotation: Any) -> Any:
    """The type that an annotation such as ``"tuple[Plan, ...]"`` means."""
    holder = SimpleNamespace(__annotations__={"kind": annotation})
    return typing.get_type_hints(holder, None, _Types())["kind"]


Layout = Callable[[Iterable[Observation]], tuple[Step, ...]]
"""Lays steps out for the observations at hand."""
