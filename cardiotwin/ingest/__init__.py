"""The door: files of any origin in, observations in patient coordinates out, or one line that says why not."""

from cardiotwin.ingest.anatomy import check_not_mirrored
from cardiotwin.ingest.archives import opened
from cardiotwin.ingest.deidentify import deidentify, differences, identity, identity_of, same_person, write_deidentified
from cardiotwin.ingest.dicom_image import Wanted, image_files, read_dicom, take_dicom
from cardiotwin.ingest.ecg_files import read_ecg
from cardiotwin.ingest.electrode_files import electrodes_and_notes, read_electrodes
from cardiotwin.ingest.labels import read_label_map
from cardiotwin.ingest.recognise import explain, recognise, recognise_all
from cardiotwin.ingest.study import Series, Study, read_header, survey

__all__ = [
    "Series",
    "Study",
    "Wanted",
    "check_not_mirrored",
    "deidentify",
    "differences",
    "electrodes_and_notes",
    "explain",
    "identity",
    "identity_of",
    "image_files",
    "opened",
    "read_dicom",
    "read_ecg",
    "read_electrodes",
    "read_header",
    "read_label_map",
    "recognise",
    "recognise_all",
    "same_person",
    "survey",
    "take_dicom",
    "write_deidentified",
]
