"""Everything known about one patient, gathered for the report and for ParaView."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cardiotwin.ablation.lesions import NO_ABLATION, Plan, lesions_in
from cardiotwin.ablation.proposals import Proposals
from cardiotwin.calibration.beat_of_ensemble import EnsembleBeat
from cardiotwin.calibration.confirmation import Confirmation
from cardiotwin.calibration.front_velocity import FrontToTissue
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.scar_evidence import ScarEvidence
from cardiotwin.comparison.results import Comparison
from cardiotwin.ecg.electrodes import Electrodes
from cardiotwin.ecg.recording import Ecg
from cardiotwin.heart.heart import Heart
from cardiotwin.imaging import Image
from cardiotwin.induction.arrhythmias import Arrhythmias
from cardiotwin.induction.clinical_tachycardia import ClinicalTachycardia
from cardiotwin.induction.reentry import Circuit
from cardiotwin.provenance import ObservationRecord, Provenance, StageRecord
from cardiotwin.segmentation import Corridor, Segmentation, as_meshed, find_corridors
from cardiotwin.settings import Settings

__all__ = ["ObservationRecord", "Provenance", "StageRecord", "Study"]


@dataclass(frozen=True, eq=False)
class Study:
    """One patient as far as the path has been walked: what has not been computed is None or empty.

    Attributes
    ----------
    heart : Heart
        All that is not optional.
    settings : Settings
    image : Image or None
        None where the twin was given a label map.
    segmentation : Segmentation or None
    ecgs : tuple of Ecg
        Measured, oldest first.
    tachycardia : ClinicalTachycardia or None
        Recorded; calibration never sees it.
    electrodes : Electrodes or None
    calibration_heart : Heart or None
        The coarser heart of the eikonal model.
    posterior : Posterior or None
    ensemble_beat : EnsembleBeat or None
        On the calibration heart: activation of draws of the posterior, and what the T wave says of recovery.
    scar_evidence : ScarEvidence or None
        Of the thresholds that were weighed by the ECG; of none, unless some were asked about.
    velocities : FrontToTissue or None
        What makes the posterior's velocities, a front's, the tissue's.
    confirmation : Confirmation or None
        Monodomain run of the member that fits the ECG best.
    screened : Arrhythmias or None
        What fronts found in place of the monodomain model.
    arrhythmias : Arrhythmias or None
    plans : tuple of Plan
        Proposed and the user's own, controls included.
    proposals : Proposals or None
        With what was asked for and left out.
    comparison : Comparison or None
    provenance : Provenance
    """

    heart: Heart
    settings: Settings = field(default_factory=Settings)
    image: Image | None = None
    segmentation: Segmentation | None = None
    ecgs: tuple[Ecg, ...] = ()
    tachycardia: ClinicalTachycardia | None = None
    electrodes: Electrodes | None = None
    calibration_heart: Heart | None = None
    posterior: Posterior | None = None
    ensemble_beat: EnsembleBeat | None = None
    scar_evidence: ScarEvidence | None = None
    velocities: FrontToTissue | None = None
    confirmation: Confirmation | None = None
    screened: Arrhythmias | None = None
    arrhythmias: Arrhythmias | None = None
    plans: tuple[Plan, ...] = ()
    proposals: Proposals | None = None
    comparison: Comparison | None = None
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def heart_was_given(self) -> bool:
        """As a mesh; a segmentation beside it then is not what the heart was made from."""
        return any(one.kind == "mesh" for one in self.provenance.observations)

    @property
    def preferred_plan(self) -> Plan | None:
        """Of the comparison; None where there is none, or no preference."""
        preference = self.comparison.preference if self.comparison is not None else None
        return next((plan for plan in self.plans if plan.name == preference), None)

    def preferred_lesions(self, heart: Heart) -> np.ndarray:
        """(n_tets,) bool: what that plan ablates in a heart of this mesh; nothing where there is none."""
        return lesions_in(heart, self.heart, self.preferred_plan or NO_ABLATION)

    @cached_property
    def corridors(self) -> tuple[Corridor, ...]:
        """Ways through the scar core as segmented, where the heart has it."""
        if self.segmentation is None:
            return ()
        return find_corridors(as_meshed(self.segmentation, self.settings.mesh.align_slices))

    @cached_property
    def circuits(self) -> tuple[tuple[Circuit, Heart], ...]:
        """Every unique circuit, with the heart that it turned on: where scar was told otherwise, not `heart`."""
        found = self.arrhythmias
        return () if found is None else tuple(zip(found.circuits, found.hearts(self.heart), strict=True))

    def was_looked_for(self, tissue_class: int) -> bool:
        """Whether border zone or core (of `heart`) would be known if there were any; so 0 mL means none.

        Labels and meshes without a code for it say nothing about it. What a signal was thresholded for was looked for.
        """
        made_from = None if self.heart_was_given else self.segmentation
        return bool((self.heart.tissue_class == tissue_class).any()) or (
            made_from is not None and made_from.signal is not None
        )
