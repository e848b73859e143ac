"""Who the phantom is, in words DICOM knows, and its identifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileMetaDataset


@dataclass(frozen=True)
class Patient:
    """A person who does not exist."""

    name: str
    patient_id: str
    birth_date: str
    sex: str


def phantom_patient(seed: int) -> Patient:
    """One name and number a seed, so that two phantoms are two patients."""
    return Patient(f"PHANTOM^CARDIOTWIN {seed}", f"PHANTOM-{seed:04d}", "19580214", "M")


def uid(*parts: object) -> str:
    """A DICOM identifier, the same for the same words."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=["cardiotwin phantom", *map(str, parts)]))


def file_meta(sop_class: str, sop_instance: str) -> FileMetaDataset:
    """Part 10 header, explicit VR little endian."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(uid("implementation"))
    meta.ImplementationVersionName = "CARDIOTWIN"
    return meta


def set_patient_and_study(dataset: Dataset, patient: Patient, study: str, date: str, time: str) -> None:
    """The Patient, General Study and General Equipment modules; writes into `dataset`."""
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = patient.name
    dataset.PatientID = patient.patient_id
    dataset.PatientBirthDate = patient.birth_date
    dataset.PatientSex = patient.sex
    dataset.StudyInstanceUID = uid("study", patient.patient_id, study)
    dataset.StudyDate, dataset.StudyTime = date, time
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = study
    dataset.SyntheticData = "YES"
    dataset.Manufacturer = "CardioTwin"
    dataset.ManufacturerModelName = "phantom"
    dataset.SoftwareVersions = "1"
