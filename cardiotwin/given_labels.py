"""Somebody's label map as a segmentation: decoded, held against anatomy, refused where it would be no heart."""

from __future__ import annotations

from cardiotwin.errors import InputRejected, QualityGate
from cardiotwin.ingest.anatomy import check_not_mirrored
from cardiotwin.labelled_stack import base_first
from cardiotwin.segmentation import Segmentation, from_label_map
from cardiotwin.segmentation.coding import decode
from cardiotwin.segmentation.label_map import LabelMap
from cardiotwin.settings import LabelSettings


def as_segmentation(label_map: LabelMap, settings: LabelSettings, file: str = "") -> tuple[Segmentation, str]:
    """The segmentation a label map stands for, and a line on what was guessed.

    Parameters
    ----------
    label_map : LabelMap
    settings : LabelSettings
        Which label is which region; all empty: guessed and held against anatomy.
    file : str
        For messages.

    Raises
    ------
    InputRejected
        A label of unknown meaning, a heart that is mirrored or in another frame, no ring of muscle.
    QualityGate
        No blood pools; a myocardium outside 20 to 500 mL.
    """
    try:
        found, note = decode(label_map, settings)
        check_not_mirrored(found, label_map.affine)
        segmentation = from_label_map(found, label_map.affine)
        base_first(segmentation)  # what the mesher would refuse
    except (InputRejected, QualityGate) as error:
        raise type(error)(f"{file}: {str(error).removeprefix('label map: ')}" if file else str(error)) from None
    return segmentation, f"{file}: {note.removeprefix('label map: ')}" if file and note else note
