"""A segmentation as files that other programs read: NIfTI, and a DICOM segmentation object.

Both come back through `cardiotwin.ingest.read_label_map` with every label where it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cardiotwin import __version__
from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.ingest.dicom_file import read_dataset
from cardiotwin.ingest.dicom_seg import highdicom
from cardiotwin.provenance import Provenance
from cardiotwin.segmentation import Segmentation, labels
from cardiotwin.storage import durable

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from cardiotwin.twin.twin import Twin

NIFTI_FILE, SEG_FILE, ABOUT_FILE = "segmentation.nii.gz", "segmentation.dcm", "segmentation.json"
OURS = (NIFTI_FILE, SEG_FILE, ABOUT_FILE)
DESCRIPTIONS: dict[int, tuple[str, str, str]] = {
    labels.LV_BLOOD: ("LV blood", "87878005", "Left ventricle"),
    labels.MYOCARDIUM: ("Myocardium", "74281007", "Myocardium"),
    labels.RV_BLOOD: ("RV blood", "53085002", "Right ventricle"),
    labels.CORE: ("Scar core", "12402003", "Scar"),
    labels.BORDER_ZONE: ("Border zone", "border-zone", "Border zone of a scar"),
}
"""Segment label, and its code in SNOMED CT as DICOM licenses it; a border zone has none, so it gets one of ours."""

_TYPE_2 = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "StudyDate",
    "StudyTime", "ReferringPhysicianName", "PositionReferenceIndicator",
)  # fmt: skip


def export_segmentation(twin: Twin, to: Literal["nifti", "dicom-seg"], out: Path) -> tuple[Path, ...]:
    """Write the segmentation of a twin that is up to date into a folder that is new, or holds the other format of it.

    Raises
    ------
    SettingsError
        The folder holds something else; the twin was made from a mesh; for DICOM, highdicom is not installed.
    QualityGate
        There is no segmentation of today's inputs.
    """
    if out.exists() and (not out.is_dir() or {path.name for path in out.iterdir()} - set(OURS)):
        raise SettingsError(f"{out}: found other files there; expected a new folder. Name one")
    if not any(one.step.name == "segment" for one in twin.planned()):
        raise SettingsError(
            f"{twin.folder.name}: found a mesh, no segmentation; expected images or a label map for --to {to}. Use "
            "--to paraview or --to opencarp"
        )
    segmentation = twin.result("segment")
    if to == "nifti":
        return write_nifti(out, segmentation, twin.provenance())
    return write_dicom_seg(out, segmentation, twin.image_sources())


def write_nifti(folder: Path, segmentation: Segmentation, provenance: Provenance) -> tuple[Path, ...]:
    """Write ``segmentation.nii.gz``, in CardioTwin's codes, and ``segmentation.json``, which explains them.

    NIfTI keeps its matrix in single precision: a voxel comes back within 1e-4 mm of where it was.

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written to; no file is half written.
    """
    import SimpleITK

    image = SimpleITK.GetImageFromArray(segmentation.labels)
    axes = segmentation.affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((axes / spacing).ravel().tolist())
    image.SetOrigin(segmentation.affine[:3, 3].tolist())
    with _beside_the_other(folder, segmentation, NIFTI_FILE, ABOUT_FILE) as temporary:
        SimpleITK.WriteImage(image, str(temporary / NIFTI_FILE), True)
        about = durable.readable(_about(segmentation, provenance))
        (temporary / ABOUT_FILE).write_bytes(about)
    return folder / NIFTI_FILE, folder / ABOUT_FILE


@contextmanager
def _beside_the_other(folder: Path, segmentation: Segmentation, *written: str) -> Iterator[Path]:
    """A folder for the files named, in place of `folder` when the block ends well; our other files there stay."""
    with durable.new_folder(folder, segmentation.labels.nbytes) as temporary:
        for name in set(OURS).difference(written):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, temporary / name)
        yield temporary
        for path in temporary.iterdir():
            durable.sync_file(path)


def _about(segmentation: Segmentation, provenance: Provenance) -> dict[str, Any]:
    return {
        "labels": {str(code): name for code, name in enumerate(labels.NAMES)},
        "millilitres": labels.volumes_ml(segmentation),
        "scar_assessable": segmentation.scar_assessable,
        "provenance": json.loads(json.dumps(asdict(provenance), default=str)),
    }


def write_dicom_seg(folder: Path, segmentation: Segmentation, sources: Sequence[Path]) -> tuple[Path, ...]:
    """Write ``segmentation.dcm``, a binary DICOM segmentation, one segment a region.

    Parameters
    ----------
    folder : Path
    segmentation : Segmentation
    sources : sequence of Path
        The DICOM images it belongs to (de-identified): patient, study and frame of reference are theirs. They are
        referred to where they are of one series; a stack gathered from several cannot be (PS3.3 C.8.20.2), and without
        any the object has a pseudonymous study of its own.

    Raises
    ------
    SettingsError
        highdicom is not installed.
    QualityGate
        There is nothing to write.
    ResourceLimit
        The disk is full or cannot be written to.
    """
    package = highdicom()
    present = [code for code in DESCRIPTIONS if (segmentation.labels == code).any()]
    if not present:
        raise QualityGate("DICOM segmentation: found no labelled voxel, expected some; run the segmentation first")
    images = [_completed(read_dataset(path, path.name, pixels=False)) for path in sources]
    if len({image.SeriesInstanceUID for image in images}) != 1:
        images = [_completed(_stand_in(segmentation, images[:1]))]
    content = hashlib.sha256(segmentation.labels.tobytes() + segmentation.affine.tobytes()).hexdigest()
    volume = package.Volume(
        np.stack([segmentation.labels == code for code in present], axis=-1).astype(np.uint8),
        segmentation.affine[:, [2, 1, 0, 3]],
        coordinate_system="PATIENT",
        frame_of_reference_uid=images[0].FrameOfReferenceUID,
        channels={package.ChannelDescriptor("SegmentNumber"): list(range(1, len(present) + 1))},
    )
    written = package.seg.Segmentation(
        images,
        volume,
        package.seg.SegmentationTypeValues.BINARY,
        [_description(package, number, code, segmentation) for number, code in enumerate(present, start=1)],
        series_instance_uid=_uid("series", content),
        series_number=9000,
        sop_instance_uid=_uid("instance", content),
        instance_number=1,
        manufacturer="CardioTwin",
        manufacturer_model_name="CardioTwin, research software",
        software_versions=__version__,
        device_serial_number="0",
        content_label="HEART",
        content_description="Not for clinical use",
    )
    with _beside_the_other(folder, segmentation, SEG_FILE) as temporary:
        written.save_as(temporary / SEG_FILE, enforce_file_format=True)
    return (folder / SEG_FILE,)


def _description(package: Any, number: int, code: int, segmentation: Segmentation) -> Any:
    label, value, meaning = DESCRIPTIONS[code]
    scheme = "SCT" if value.isdecimal() else "99CARDIOTWIN"
    anatomy = package.sr.CodedConcept("91723000", "SCT", "Anatomical structure")
    morphology = package.sr.CodedConcept("49755003", "SCT", "Morphologically abnormal structure")
    family = package.sr.CodedConcept("123109", "DCM", "Manual Processing" if segmentation.is_given else "Automated")
    identification = package.AlgorithmIdentificationSequence("CardioTwin", family, __version__)
    return package.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=morphology if code in (labels.CORE, labels.BORDER_ZONE) else anatomy,
        segmented_property_type=package.sr.CodedConcept(value, scheme, meaning),
        algorithm_type="MANUAL" if segmentation.is_given else "AUTOMATIC",
        algorithm_identification=None if segmentation.is_given else identification,
    )


def _completed(dataset: Dataset) -> Dataset:
    """With what may be empty but has to be there (type 2); de-identification has left it out."""
    for keyword in _TYPE_2:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    return dataset


def _stand_in(segmentation: Segmentation, images: Sequence[Dataset]) -> Dataset:
    """Patient, study and geometry for a segmentation without its images, or whose images no object may refer to."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    content = hashlib.sha256(segmentation.labels.tobytes()).hexdigest()
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, _uid("stand-in", content)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _uid("study", content), _uid("source series", content)
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = _uid("frame", content), ""
    dataset.Modality = "MR"
    dataset.PatientID = f"CT{content[:12]}"
    dataset.Rows, dataset.Columns = segmentation.labels.shape[1:]
    axes = segmentation.affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    dataset.PixelSpacing = _decimal(spacing[[1, 0]])
    dataset.SliceThickness = _decimal(spacing[2:])[0]
    dataset.ImageOrientationPatient = _decimal((axes / spacing)[:, :2].T.ravel())
    dataset.ImagePositionPatient = _decimal(segmentation.affine[:3, 3])
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", *_TYPE_2):
        for image in images:
            setattr(dataset, keyword, image[keyword].value)
    return dataset


def _decimal(values: np.ndarray) -> list[str]:
    """In the 16 characters that DICOM allows (PS3.5 6.2)."""
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in values]


def _uid(what: str, content: str) -> str:
    """The same for the same labels: 2.25 and a number of 128 bits (PS3.5 B.2)."""
    return f"2.25.{int(hashlib.sha256(f'{what} {content}'.encode()).hexdigest()[:32], 16)}"
