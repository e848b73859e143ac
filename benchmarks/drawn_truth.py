"""What people drew: where real data lie, and how labels are compared with them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from scipy import ndimage
from table import Row, row

from cardiotwin.ingest.labels import read_volume, right_handed
from cardiotwin.segmentation import labels

DATA = Path(os.environ.get("CARDIOTWIN_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""As for the tests."""
LGE, LGE_CONTOURS, LGE_SCAR = (
    f"lge_cmr_nifti/{name}.nii.gz" for name in ("lge_sax", "labels_lvbp1_lvmyo2_rvbp3", "labels_with_scar4")
)
CINE, CINE_CONTOURS = (
    f"cine_cmr_labels/{name}.nii.gz" for name in ("cine_sax_frame000", "labels_frame000_lvbp1_myo2_rvbp3")
)


def data(*names: str) -> list[Path] | None:
    """Files of real data; None where one is missing."""
    paths = [DATA / name for name in names]
    return paths if all(path.exists() for path in paths) else None


def skipped(name: str) -> Row:
    """A row that needs data which are not here."""
    return row(name, None, "", note="skipped: real data not on this machine (set CARDIOTWIN_DATA)")


def volume(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (k, j, i) of a NIfTI file and their right-handed affine."""
    values, affine, _ = read_volume(path, path.name)
    return right_handed(values, affine)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Twice the overlap over the sum of both; 1 where both are empty."""
    total = first.sum() + second.sum()
    return float(2 * (first & second).sum() / total) if total else 1.0


def near_left_blood(truth: np.ndarray, spacing_mm: np.ndarray, reach_mm: float = 13.0) -> np.ndarray:
    """Myocardium within reach of left blood in its slice; `spacing_mm` along i, j, k."""
    near = np.zeros(truth.shape, dtype=bool)
    for k in np.flatnonzero((truth == labels.LV_BLOOD).any(axis=(1, 2))):
        apart = ndimage.distance_transform_edt(truth[k] != labels.LV_BLOOD, sampling=spacing_mm[[1, 0]])
        near[k] = np.isin(truth[k], labels.MUSCLE) & (apart < reach_mm)
    return near
