"""How damaged files of one folder are told: all at once, each with what it lacks, truncated ones called so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cardiotwin.errors import CardioTwinError, InputRejected
from cardiotwin.ingest.dicom_file import EXPORT_AGAIN, TRUNCATED, ends_early
from cardiotwin.ingest.wording import with_option

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MOST_LISTED = 8


def worded(refused: InputRejected, header: Dataset) -> InputRejected:
    """The refusal of one DICOM file, which says so where the file ends before its pixels."""
    said = str(refused)
    return InputRejected(said.replace(EXPORT_AGAIN, TRUNCATED)) if ends_early(header) else refused


def together(refused: Sequence[CardioTwinError], n_files: int) -> CardioTwinError:
    """One refusal of several files: how many there are, and a line for each of the first.

    Parameters
    ----------
    refused : sequence of CardioTwinError
        At least one.
    n_files : int
        In the folder.
    """
    if len(refused) == 1:
        return with_option(refused[0], n_files)
    lines = [_without_advice(str(one)) for one in refused[:MOST_LISTED]]
    rest = [f"and {len(refused) - MOST_LISTED} more"] if len(refused) > MOST_LISTED else []
    return type(refused[0])(
        f"found {len(refused)} damaged files among {n_files}; expected none. Export the study again, or leave damaged "
        "files out with skip_bad=. They are:",
        listed=[*lines, *rest],
    )


def _without_advice(said: str) -> str:
    return said.removesuffix(".").removesuffix(EXPORT_AGAIN).removesuffix(": export it again").rstrip(" .")
